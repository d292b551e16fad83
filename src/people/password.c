/* password.c
 *
 * Stored: "rf1$m=65536,t=3$<salt, base64url>$<mac, hex>", mac = keeper_mac("password", "<owner>:" and Argon2id's tag of 32 bytes). */
#include "people/password.h"

#include <argon2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

#include <openssl/crypto.h>

#include "base/encode.h"
#include "base/pool.h"
#include "crypt/digest.h"
#include "people/password_int.h"

enum {
    SALT_BYTES = 16,
    TAG_BYTES = 32,
    KIB_DEFAULT = 64 << 10,
    KIB_MIN = 19 << 10,
    KIB_MAX = 1 << 20,
    PASSES_DEFAULT = 3,
    PASSES_MIN = 2,
    PASSES_MAX = 16,
    WAITING_EACH = 16,
    NORMAL_BYTES_MAX = 8192
};

/* ---- life ---------------------------------------------------------------------------------------------------------- */

enum rf_kind passwords_new(const struct passwords_options *options, struct passwords **out,
                           struct rf_err *err)
{
    struct passwords *p = calloc(1, sizeof *p);
    if (p == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the password service");
    p->options = *options;
    if (p->options.memory_kib == 0) p->options.memory_kib = KIB_DEFAULT;
    if (p->options.passes == 0) p->options.passes = PASSES_DEFAULT;
    p->options.memory_kib = RF_MAX(p->options.memory_kib, (uint32_t)KIB_MIN);
    p->options.passes = RF_MAX(p->options.passes, (uint32_t)PASSES_MIN);
    if (p->options.at_once == 0) p->options.at_once = RF_MAX(pool_processors() / 2, 1u);
    if (p->options.waiting_max == 0) p->options.waiting_max = WAITING_EACH * p->options.at_once;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->free, NULL);
    *out = p;
    return RF_OK;
}

void passwords_free(struct passwords *passwords)
{
    if (passwords == NULL) return;
    pthread_mutex_destroy(&passwords->lock);
    pthread_cond_destroy(&passwords->free);
    free(passwords);
}

/* ---- a place for one that takes memory and time ------------------------------------------------------------------------ */

static enum rf_kind enter(struct passwords *p, struct rf_err *err)
{
    pthread_mutex_lock(&p->lock);
    bool full = p->running >= p->options.at_once && p->waiting >= p->options.waiting_max;
    if (!full) {
        p->waiting++;
        while (p->running >= p->options.at_once) pthread_cond_wait(&p->free, &p->lock);
        p->waiting--;
        p->running++;
    }
    pthread_mutex_unlock(&p->lock);
    return full ? RF_FAIL(err, RF_AGAIN, "PasswordsBusy",
                          "Too many sign-ins at one time. Try again in a second.")
                : RF_OK;
}

static void leave(struct passwords *p)
{
    pthread_mutex_lock(&p->lock);
    p->running--;
    pthread_cond_signal(&p->free);
    pthread_mutex_unlock(&p->lock);
}

/* ---- what is hashed ------------------------------------------------------------------------------------------------------ */

/* NFKC, so that one password typed on two keyboards is one. Wiped and freed by the caller; empty when it is no text. */
struct normal {
    uint8_t *bytes;
    size_t len;
};

static void normal_done(struct normal *normal)
{
    if (normal->bytes == NULL) return;
    OPENSSL_cleanse(normal->bytes, normal->len);
    free(normal->bytes);
}

static struct normal normalize(rf_str password)
{
    utf8proc_uint8_t *out = NULL;
    if (password.len == 0 || password.len > NORMAL_BYTES_MAX) return (struct normal){NULL, 0};
    utf8proc_ssize_t len = utf8proc_map(password.ptr, (utf8proc_ssize_t)password.len, &out,
                                        UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
    if (len < 0) return (struct normal){NULL, 0};
    return (struct normal){out, (size_t)len};
}

static enum rf_kind hash(struct passwords *p, const struct stored *how, rf_str password,
                         uint8_t tag[TAG_BYTES], struct rf_err *err)
{
    RF_CLEANUP(normal_done) struct normal normal = normalize(password);
    RF_TRY(enter(p, err));
    int code = argon2id_hash_raw(how->passes, how->kib, 1, normal.bytes, normal.len, how->salt,
                                 sizeof how->salt, tag, TAG_BYTES);
    leave(p);
    if (code == ARGON2_OK) return RF_OK;
    return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a password's hash: %s",
                   argon2_error_message(code));
}

static enum rf_kind mac_of(struct passwords *p, rf_str owner, rf_str what, struct rf_arena *arena,
                           uint8_t out[KEEPER_MAC_BYTES], struct rf_err *err)
{
    struct rf_buf input = rf_buf_in(arena);
    /* At once, so that growing leaves no copy behind. */
    if (!rf_buf_reserve(&input, owner.len + 1 + what.len)) return rf_fail_memory(err, arena);
    rf_buf_str(&input, owner);
    rf_buf_byte(&input, ':');
    rf_buf_str(&input, what);
    enum rf_kind kind =
        keeper_mac(p->options.keeper, KEEPER_MAC_PASSWORD, rf_buf_view(&input), out, err);
    OPENSSL_cleanse(input.ptr, input.len);
    return kind;
}

/* ---- what is stored ------------------------------------------------------------------------------------------------------- */

static bool next_number(rf_str text, size_t *at, uint32_t *out)
{
    uint64_t number = 0;
    size_t begun = *at;
    while (*at < text.len && rf_is_digit(text.ptr[*at]) && number < UINT32_MAX)
        number = 10 * number + (text.ptr[(*at)++] - '0');
    *out = (uint32_t)number;
    return *at > begun && number < UINT32_MAX;
}

static bool next_literal(rf_str text, size_t *at, const char *literal)
{
    rf_str wanted = rf_str_of(literal);
    if (!rf_str_starts(rf_slice(text, *at, text.len), wanted)) return false;
    *at += wanted.len;
    return true;
}

bool password_read_stored(rf_str text, struct rf_arena *arena, struct stored *out)
{
    size_t at = 0;
    rf_str salt, mac;
    struct rf_err ignored;
    if (text.len > 256 || !next_literal(text, &at, "rf1$m=") ||
        !next_number(text, &at, &out->kib) || !next_literal(text, &at, ",t=") ||
        !next_number(text, &at, &out->passes) || !next_literal(text, &at, "$"))
        return false;
    size_t end = rf_str_find(text, RF_S("$"), at);
    if (end == SIZE_MAX || out->kib < KIB_MIN || out->kib > KIB_MAX || out->passes < PASSES_MIN ||
        out->passes > PASSES_MAX)
        return false;
    if (base64url_decode(arena, rf_slice(text, at, end), &salt, &ignored) != RF_OK ||
        hex_decode(arena, rf_slice(text, end + 1, text.len), &mac, &ignored) != RF_OK ||
        salt.len != sizeof out->salt || mac.len != sizeof out->mac)
        return false;
    memcpy(out->salt, salt.ptr, salt.len);
    memcpy(out->mac, mac.ptr, mac.len);
    return true;
}

enum rf_kind password_make(struct passwords *p, rf_str owner, rf_str password,
                           struct rf_arena *arena, rf_str *stored, struct rf_err *err)
{
    struct stored how = {.kib = p->options.memory_kib, .passes = p->options.passes};
    uint8_t tag[TAG_BYTES], mac[KEEPER_MAC_BYTES];
    random_bytes(how.salt, sizeof how.salt);
    RF_TRY(hash(p, &how, password, tag, err));
    enum rf_kind kind = mac_of(p, owner, rf_str_make(tag, sizeof tag), arena, mac, err);
    OPENSSL_cleanse(tag, sizeof tag);
    if (kind != RF_OK) return kind;
    rf_str salt = base64url_encode(arena, rf_str_make(how.salt, sizeof how.salt)),
           hex = hex_encode(arena, rf_str_make(mac, sizeof mac));
    if (salt.ptr == NULL || hex.ptr == NULL) return rf_fail_memory(err, arena);
    *stored = rf_arena_printf(arena, "rf1$m=%u,t=%u$%.*s$%.*s", how.kib, how.passes, RF_FMT(salt),
                              RF_FMT(hex));
    return stored->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* What a program before this one stored: a MAC of the password alone. The time of a hash is spent all the same. */
static enum rf_kind check_old(struct passwords *p, rf_str owner, rf_str stored, rf_str password,
                              struct rf_arena *arena, enum password_match *out, struct rf_err *err)
{
    uint8_t mac[KEEPER_MAC_BYTES];
    rf_str told;
    struct rf_err ignored;
    *out = PASSWORD_WRONG;
    if (hex_decode(arena, stored, &told, &ignored) != RF_OK || told.len != sizeof mac) return RF_OK;
    RF_TRY(mac_of(p, owner, password, arena, mac, err));
    if (CRYPTO_memcmp(mac, told.ptr, sizeof mac) == 0) *out = PASSWORD_FITS_AGED;
    return RF_OK;
}

enum rf_kind password_check(struct passwords *p, rf_str owner, rf_str stored, rf_str password,
                            struct rf_arena *arena, enum password_match *out, struct rf_err *err)
{
    struct stored how = {.kib = p->options.memory_kib, .passes = p->options.passes};
    uint8_t tag[TAG_BYTES], mac[KEEPER_MAC_BYTES];
    bool good = password_read_stored(stored, arena, &how);
    if (!good) how = (struct stored){.kib = p->options.memory_kib, .passes = p->options.passes};
    RF_TRY(hash(p, &how, password, tag, err));
    enum rf_kind kind = mac_of(p, owner, rf_str_make(tag, sizeof tag), arena, mac, err);
    OPENSSL_cleanse(tag, sizeof tag);
    if (kind != RF_OK) return kind;
    if (!good) return check_old(p, owner, stored, password, arena, out, err);
    bool aged = how.kib < p->options.memory_kib || how.passes < p->options.passes;
    *out = CRYPTO_memcmp(mac, how.mac, sizeof mac) != 0 ? PASSWORD_WRONG
           : aged                                       ? PASSWORD_FITS_AGED
                                                        : PASSWORD_FITS;
    return RF_OK;
}

enum rf_kind password_mark(struct passwords *p, rf_str owner, rf_str password,
                           struct rf_arena *arena, uint8_t out[16], struct rf_err *err)
{
    uint8_t mac[KEEPER_MAC_BYTES], digest[SHA256_BYTES];
    digest_sha256(password, digest); /* of any length */
    RF_TRY(mac_of(p, owner, rf_str_make(digest, sizeof digest), arena, mac, err));
    memcpy(out, mac, 16);
    OPENSSL_cleanse(digest, sizeof digest);
    return RF_OK;
}
