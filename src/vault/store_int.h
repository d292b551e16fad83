/* store_int.h - items and versions as JSON: what lies in state, and in a backup. */
#ifndef RF_VAULT_STORE_INT_H
#define RF_VAULT_STORE_INT_H

#include "vault/vault_int.h"

/* NULL on lack of memory. */
struct json_node *vault_item_json(struct rf_arena *arena, const struct vault_item *item);
struct json_node *vault_version_json(struct rf_arena *arena, const struct vault_version *version);
/* Views of `node`. RF_CORRUPT StateCorrupt. */
RF_MUST_USE enum rf_kind vault_item_of(const struct json_node *node, struct rf_arena *arena,
                                       struct vault_item *out, struct rf_err *err);
RF_MUST_USE enum rf_kind vault_version_of(const struct json_node *node, struct rf_arena *arena,
                                          struct vault_version *out, struct rf_err *err);
bool vault_version_is(rf_str text); /* 32 lower-case hex digits */
bool vault_name_is(rf_str name);    /* 1 to 127 letters, digits, dashes */
extern const char vault_item_space[], vault_version_space[], vault_wrap_space[],
    vault_issuer_space[],                    /* "GUID/issuers/NAME", "GUID/contacts" */
    vault_issued_space[], vault_crl_space[]; /* authority_int.h */

/* ---- secrets (secrets.c, wrap.c) ------------------------------------------------------------------------------------ */

/* The bundle without value. */
struct json_node *vault_secret_show(struct vault_call *call, const struct vault_item *item,
                                    const struct vault_version *version);
/* A live secret's version that may be read: 403 SecretDisabled. */
RF_MUST_USE enum rf_kind vault_secret_find(struct vault_call *call, rf_str name, rf_str version,
                                           struct vault_item *item, struct vault_version *out,
                                           struct rf_err *err);
/* Its value, by the caller's token; the caller wipes it with vault_wipe. */
RF_MUST_USE enum rf_kind vault_secret_value(struct vault_call *call, const struct vault_item *item,
                                            const struct vault_version *version, rf_str *out,
                                            struct rf_err *err);
/* Answers 200 with the bundle and the value. */
enum rf_kind vault_secret_answer(struct vault_call *call, const struct vault_item *item,
                                 const struct vault_version *version, rf_str value,
                                 struct rf_err *err);
void vault_wipe(rf_str text); /* of an arena */
enum rf_kind vault_secret_wrap(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_secret_unwrap(struct vault_call *call, struct rf_err *err);

/* ---- the blob of a backup (backup.c) ------------------------------------------------------------------------------ */

enum {
    BLOB_ABOUT_BYTES = 48,
    BLOB_NONCE_BYTES = 12,
    BLOB_TAG_BYTES = 16,
    BLOB_HEAD_BYTES = BLOB_ABOUT_BYTES + WRAPPED_KEY_BYTES + BLOB_NONCE_BYTES,
    BLOB_ITEMS_MAX = 3, /* a certificate, its key, its secret */
    BLOB_VERSIONS_MAX = 5000
};
struct vault_blob {
    enum seal_kind kind;
    uint8_t tenant[SEAL_ID_BYTES], subscription[SEAL_ID_BYTES];
    rf_str about, content_key, head, nonce,
        sealed; /* views; head: all that stands before `sealed` */
};
/* Takes a blob apart. RF_INVALID BadBackup. */
RF_MUST_USE enum rf_kind vault_blob_read(rf_str bytes, struct vault_blob *out, struct rf_err *err);
struct vault_blob_item {
    struct vault_item item;
    rf_str backup_key; /* seal_backup.item_key; empty: nothing is sealed */
    struct vault_version *versions;
    uint32_t count;
};
/* The content, opened: `kind` comes first. RF_INVALID BadBackup. */
RF_MUST_USE enum rf_kind vault_blob_items(rf_str content, enum seal_kind kind,
                                          struct rf_arena *arena,
                                          struct vault_blob_item out[BLOB_ITEMS_MAX],
                                          uint32_t *count, struct rf_err *err);

/* ---- $skiptoken (list.c) ---------------------------------------------------------------------------------------------- */

/* A token says behind which key (name in lower case, or version) the next page begins; `list` is the list that it is for. ptr NULL on lack of memory. */
rf_str vault_skip_token(struct rf_arena *arena, rf_str list, rf_str last);
/* False for whatever vault_skip_token did not make for this list. */
bool vault_skip_read(struct rf_arena *arena, rf_str list, rf_str token, rf_str *last);
/* The page of `list` that the request asks for; *after stays as it is when that is the first. 400. */
RF_MUST_USE enum rf_kind vault_window_read(struct vault_call *call, rf_str list, rf_str *after,
                                           uint32_t *count_max, struct rf_err *err);
/* The request's own URL for the page behind `last` (letters, digits, dashes); ptr NULL on lack of memory. */
rf_str vault_window_next(struct vault_call *call, rf_str list, rf_str last, uint32_t count_max);

#endif
