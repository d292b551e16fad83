#include "state/state_seal.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

enum { MARK_BYTES = 4, NONCE_BYTES = 12, TAG_BYTES = 16, HEAD_BYTES = MARK_BYTES + NONCE_BYTES };
static const uint8_t mark[MARK_BYTES] = {1, 'R', 'F', 's'};

bool state_body_is_sealed(rf_str body)
{
    return body.len >= HEAD_BYTES + TAG_BYTES && memcmp(body.ptr, mark, MARK_BYTES) == 0;
}

static EVP_CIPHER_CTX *new_context(const uint8_t *key, bool seals)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx != NULL &&
        EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, NULL, seals ? 1 : 0) == 1)
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

enum rf_kind state_seal_init(struct state_seal *seal, const uint8_t key[STATE_KEY_BYTES],
                             struct rf_err *err)
{
    *seal = (struct state_seal){NULL, NULL};
    if (key == NULL) return RF_OK;
    seal->seal = new_context(key, true);
    seal->open = new_context(key, false);
    if (seal->seal != NULL && seal->open != NULL) return RF_OK;
    state_seal_done(seal);
    return RF_FAIL(err, RF_IO, "CryptoFailed", "the state's cipher does not start");
}

void state_seal_done(struct state_seal *seal)
{
    EVP_CIPHER_CTX_free(seal->seal);
    EVP_CIPHER_CTX_free(seal->open);
    *seal = (struct state_seal){NULL, NULL};
}

/* Sets the nonce and authenticates where the body belongs. */
static bool begin(EVP_CIPHER_CTX *ctx, const uint8_t *nonce, const char *space,
                  const struct state_object *object)
{
    uint8_t etag[8];
    int got;
    rf_put_u64le(etag, object->etag);
    return EVP_CipherInit_ex(ctx, NULL, NULL, NULL, nonce, -1) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &got, (const uint8_t *)space, (int)strlen(space) + 1) == 1 &&
           (object->key.len == 0 ||
            EVP_CipherUpdate(ctx, NULL, &got, object->key.ptr, (int)object->key.len) == 1) &&
           EVP_CipherUpdate(ctx, NULL, &got, etag, sizeof etag) == 1;
}

/* A body of no bytes has nothing to update. */
static bool run(EVP_CIPHER_CTX *ctx, const uint8_t *from, uint8_t *to, size_t len)
{
    int got = 0;
    return len == 0 || EVP_CipherUpdate(ctx, to, &got, from, (int)len) == 1;
}

enum rf_kind state_seal_body(const struct state_seal *seal, const char *space,
                             const struct state_object *object, rf_str *out, uint8_t **freed,
                             struct rf_err *err)
{
    *freed = NULL;
    *out = object->body;
    if (!state_seal_is_on(seal)) return RF_OK;
    size_t len = object->body.len;
    uint8_t *bytes = malloc(HEAD_BYTES + len + TAG_BYTES), end[EVP_MAX_BLOCK_LENGTH];
    int rest = 0;
    if (bytes == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to encrypt an object");
    memcpy(bytes, mark, MARK_BYTES);
    bool good = RAND_bytes(bytes + MARK_BYTES, NONCE_BYTES) == 1 &&
                begin(seal->seal, bytes + MARK_BYTES, space, object) &&
                run(seal->seal, object->body.ptr, bytes + HEAD_BYTES, len) &&
                EVP_CipherFinal_ex(seal->seal, end, &rest) == 1 &&
                EVP_CIPHER_CTX_ctrl(seal->seal, EVP_CTRL_GCM_GET_TAG, TAG_BYTES,
                                    bytes + HEAD_BYTES + len) == 1;
    if (!good) {
        free(bytes);
        return RF_FAIL(err, RF_IO, "CryptoFailed", "an object cannot be encrypted");
    }
    *freed = bytes;
    *out = rf_str_make(bytes, HEAD_BYTES + len + TAG_BYTES);
    return RF_OK;
}

enum rf_kind state_open_body(const struct state_seal *seal, const char *space,
                             struct state_object *object, struct rf_err *err)
{
    if (!state_body_is_sealed(object->body)) return RF_OK;
    rf_str shown = rf_slice(object->key, 0, RF_MIN(object->key.len, (size_t)300));
    if (!state_seal_is_on(seal))
        return RF_FAIL(err, RF_DENIED, "StateSealed",
                       "%s '%.*s' is encrypted: only the server, to whom the keeper gives the key, "
                       "can read it",
                       space, RF_FMT(shown));
    size_t len = object->body.len - HEAD_BYTES - TAG_BYTES;
    uint8_t *bytes = (uint8_t *)(uintptr_t)object->body.ptr, end[EVP_MAX_BLOCK_LENGTH];
    int rest = 0;
    bool good = begin(seal->open, bytes + MARK_BYTES, space, object) &&
                run(seal->open, bytes + HEAD_BYTES, bytes + HEAD_BYTES, len) &&
                EVP_CIPHER_CTX_ctrl(seal->open, EVP_CTRL_GCM_SET_TAG, TAG_BYTES,
                                    bytes + HEAD_BYTES + len) == 1 &&
                EVP_CipherFinal_ex(seal->open, end, &rest) == 1;
    if (!good)
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt",
                       "%s '%.*s' does not open: it was changed, or the keeper's root key is of "
                       "another installation; restore state and keeper from the same backup",
                       space, RF_FMT(shown));
    object->body = rf_str_make(bytes + HEAD_BYTES, len);
    return RF_OK;
}
