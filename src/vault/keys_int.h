/* keys_int.h - what the files of keys share. */
#ifndef RF_VAULT_KEYS_INT_H
#define RF_VAULT_KEYS_INT_H

#include "vault/store_int.h"

/* ---- words (keys.c) ------------------------------------------------------------------------------------------------ */

/* "P-256" and the like of a material; NULL: it has none. */
const char *vault_key_curve(enum seal_material material);
/* The bundle; `version` NULL: none yet. */
struct json_node *vault_key_show(struct vault_call *call, const struct vault_item *item,
                                 const struct vault_version *version);
/* A live key's version with its item, and what the audit row says of it. */
RF_MUST_USE enum rf_kind vault_key_find(struct vault_call *call, struct vault_item *item,
                                        struct vault_version *version, struct rf_err *err);
/* What a new version is made of. */
struct key_making {
    struct seal_head head;
    rf_str material; /* of an import: PKCS #8, or the bytes; empty: the keeper makes it */
    struct vault_item item;
    struct vault_version version;
};
/* Makes it in the keeper and stores it as the latest version of making->item, which was read: one attempt, for vault_retry. */
RF_MUST_USE enum rf_kind vault_key_seal(struct vault_call *call, struct key_making *making,
                                        struct rf_err *err);
RF_MUST_USE enum rf_kind vault_key_store(struct vault_call *call, struct key_making *making,
                                         bool same_etag, struct rf_err *err);
/* Sets the members that show the key ("kty", "n" ...), beside "key_ops", from its public half (empty: oct). */
RF_MUST_USE enum rf_kind vault_key_describe(struct vault_call *call, struct key_making *making,
                                            rf_str public_key, struct rf_err *err);

/* ---- JSON Web Keys (keys_jwk.c) ---------------------------------------------------------------------------------------- */

/* Bytes of base64url or base64, with padding or without. RF_INVALID BadEncoding. */
RF_MUST_USE enum rf_kind vault_key_bytes(struct rf_arena *arena, rf_str text, rf_str *out,
                                         struct rf_err *err);
/* A private key of a JWK as material: kind and size go to `head`. *material in `arena`, the caller wipes it. RF_INVALID BadKey: what is wrong. */
RF_MUST_USE enum rf_kind vault_jwk_read(const struct json_node *jwk, struct rf_arena *arena,
                                        struct seal_head *head, rf_str *material,
                                        struct rf_err *err);

/* ---- rotation (keys_rotation.c) ------------------------------------------------------------------------------------------- */

/* ISO 8601: years, months, days. */
struct key_span {
    int years, months, days;
};
/* False for anything but "P1Y2M3D", at least one of them, in this order. */
bool vault_span_read(rf_str text, struct key_span *out);
int64_t vault_span_add(int64_t time, const struct key_span *span, int sign);
/* When the job is to look at an item whose latest version is this; 0: never. */
int64_t vault_key_next(const struct vault_item *item, const struct vault_version *latest,
                       int64_t now);
enum rf_kind vault_key_rotate(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_key_policy_get(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_key_policy_put(struct vault_call *call, struct rf_err *err);

/* ---- use (keys_use.c) -------------------------------------------------------------------------------------------------------- */

enum rf_kind vault_key_encrypt(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_key_decrypt(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_key_wrap(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_key_unwrap(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_key_sign(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_key_verify(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_random(struct vault_call *call, struct rf_err *err);

#endif
