/* nonce.c - numbers used once: a counter and a MAC of it, so that only which of the last ones were used is remembered. Those of another process, or older than
 * the window, are refused with badNonce, upon which clients try again with the one that came along. */
#include <pthread.h>
#include <stdlib.h>

#include "acme/acme_int.h"
#include "base/encode.h"
#include "crypt/digest.h"

enum { KEY_BYTES = 32, COUNTER_BYTES = 8, MAC_BYTES = 16, WINDOW = 1 << 16 };

struct acme_nonces {
    pthread_mutex_t mutex;
    uint64_t next;
    uint64_t used[WINDOW / 64]; /* by the counter modulo the window */
    uint8_t key[KEY_BYTES];
};

enum rf_kind acme_nonces_new(struct acme_nonces **out, struct rf_err *err)
{
    struct acme_nonces *nonces = calloc(1, sizeof *nonces);
    if (nonces == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "nonces");
    (void)pthread_mutex_init(&nonces->mutex, NULL);
    random_bytes(nonces->key, sizeof nonces->key);
    *out = nonces;
    return RF_OK;
}

void acme_nonces_free(struct acme_nonces *nonces)
{
    if (nonces == NULL) return;
    (void)pthread_mutex_destroy(&nonces->mutex);
    explicit_bzero(nonces->key, sizeof nonces->key);
    free(nonces);
}

static void seal(const struct acme_nonces *nonces, uint64_t counter,
                 uint8_t out[COUNTER_BYTES + MAC_BYTES])
{
    uint8_t mac[SHA256_BYTES];
    rf_put_u64le(out, counter);
    digest_hmac_sha256(rf_str_make(nonces->key, KEY_BYTES), rf_str_make(out, COUNTER_BYTES), mac);
    memcpy(out + COUNTER_BYTES, mac, MAC_BYTES);
}

void acme_nonce_make(struct acme_nonces *nonces, char out[ACME_NONCE_CHARS + 1])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[COUNTER_BYTES + MAC_BYTES];
    _Static_assert(ACME_NONCE_CHARS == (COUNTER_BYTES + MAC_BYTES) / 3 * 4, "whole groups");
    (void)pthread_mutex_lock(&nonces->mutex);
    uint64_t counter = nonces->next++;
    nonces->used[counter % WINDOW / 64] &= ~(UINT64_C(1) << counter % 64);
    (void)pthread_mutex_unlock(&nonces->mutex);
    seal(nonces, counter, bytes);
    for (size_t i = 0, o = 0; i < sizeof bytes; i += 3) {
        unsigned group = (unsigned)bytes[i] << 16 | (unsigned)bytes[i + 1] << 8 | bytes[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6) out[o++] = digits[group >> shift & 63];
    }
    out[ACME_NONCE_CHARS] = '\0';
}

bool acme_nonce_take(struct acme_nonces *nonces, rf_str text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    uint8_t good[COUNTER_BYTES + MAC_BYTES];
    rf_str bytes;
    rf_arena_init(&arena, 4096);
    if (text.len != ACME_NONCE_CHARS || base64url_decode(&arena, text, &bytes, NULL) != RF_OK)
        return false;
    uint64_t counter = rf_get_u64le(bytes.ptr), bit = UINT64_C(1) << counter % 64;
    seal(nonces, counter, good);
    if (!secret_equal(bytes, rf_str_make(good, sizeof good))) return false;
    (void)pthread_mutex_lock(&nonces->mutex);
    uint64_t *word = &nonces->used[counter % WINDOW / 64];
    bool fresh = counter < nonces->next && nonces->next - counter <= WINDOW && (*word & bit) == 0;
    if (fresh) *word |= bit;
    (void)pthread_mutex_unlock(&nonces->mutex);
    return fresh;
}
