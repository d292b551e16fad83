/* state_seal.h - bodies at rest. With a key a body is
 *
 *   0   4  a byte 1 and "RFs", which no text begins with
 *   4  12  nonce, random
 *   16     the body, AES-256-GCM
 *   -16 16 tag
 *
 * The additional data are space, a zero byte, key and etag (8 bytes, little endian), so that no body passes for another object's or for a
 * later one of its own. Keys and indexed values are names, and stay in clear. */
#ifndef RF_STATE_SEAL_H
#define RF_STATE_SEAL_H

#include "state/state.h"

/* Of one connection. */
struct state_seal {
    struct evp_cipher_ctx_st *seal, *open; /* NULL: without a key */
};
/* `key` NULL: bodies are in clear. RF_IO CryptoFailed. */
RF_MUST_USE enum rf_kind state_seal_init(struct state_seal *seal,
                                         const uint8_t key[STATE_KEY_BYTES], struct rf_err *err);
void state_seal_done(struct state_seal *seal);
static inline bool state_seal_is_on(const struct state_seal *seal) { return seal->seal != NULL; }

/* What is stored in the place of object->body; *freed is to be freed by the caller. */
RF_MUST_USE enum rf_kind state_seal_body(const struct state_seal *seal, const char *space,
                                         const struct state_object *object, rf_str *out,
                                         uint8_t **freed, struct rf_err *err);
/* Opens object->body, which is in an arena, in place; one in clear stays as it is. RF_DENIED StateSealed: there is no key; RF_CORRUPT
 * StateCorrupt. */
RF_MUST_USE enum rf_kind state_open_body(const struct state_seal *seal, const char *space,
                                         struct state_object *object, struct rf_err *err);
bool state_body_is_sealed(rf_str body);

#endif
