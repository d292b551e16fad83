/* vault_int.h - the parts of the vault service: a request taken apart (call.c), who may (access.c), what is kept (store.c), shapes that all three
 * collections share (shape.c), and the collections themselves (secrets.c, keys*.c, certificates*.c). contracts/keyvault.md. */
#ifndef RF_VAULT_INT_H
#define RF_VAULT_INT_H

#include "crypt/vault_seal.h"
#include "vault/vault.h"

struct vaults {
    struct vaults_options options;
    struct vault_jobs *jobs;           /* jobs.c */
    struct vault_acme *acme;           /* acme_challenge.c */
    struct service service;            /* vault.c */
    struct vault_types *types;         /* types.c */
    struct service pki, ocsp;          /* authority_routes.c */
    struct authority_cache *authority; /* authority_cache.h */
    struct search_index *search;       /* search_int.h; NULL: no memory for one */
    struct vault_activity *activity;   /* report_int.h */
    struct vault_databases *databases; /* database_int.h */
    int64_t report_from,
        report_day; /* the jobs': when the day's lines in the log may come, and for which day they came */
};

/* ---- a vault, as a request finds it (place.c) ------------------------------------------------------------------------- */

struct vault_place {
    rf_str id;   /* ARM id, casing kept */
    rf_str name; /* of the resource */
    rf_str
        guid; /* lower case; names the vault in state and for the keeper, also when a later vault takes its name */
    uint8_t guid_bytes[SEAL_ID_BYTES];
    rf_str key; /* wrapped by the keeper's root key */
    rf_str location, tenant_id;
    const struct json_node *properties; /* of the resource */
    int retention_days;
    bool purge_protection, rbac;
};
/* `txn` NULL: as it is now (state_peek). By its name, which is unique (ASCII case ignored); empty: the default vault, which first start made. RF_NOT_FOUND VaultNotFound. */
RF_MUST_USE enum rf_kind vault_place_find(struct vaults *vaults, struct state_txn *txn, rf_str name,
                                          struct rf_arena *arena, struct vault_place *out,
                                          struct rf_err *err);
/* Each vault that is not deleted. */
typedef enum rf_kind vault_each(void *ctx, const struct vault_place *place, struct rf_err *err);
RF_MUST_USE enum rf_kind vault_places(struct vaults *vaults, struct state_txn *txn,
                                      struct rf_arena *arena, vault_each *each, void *ctx,
                                      struct rf_err *err);

/* ---- one request (call.c) ------------------------------------------------------------------------------------------------ */

enum { VAULT_API_OTHER = 0, VAULT_API_7_0 = 700, VAULT_API_7_6 = 760, VAULT_API_2025 = 202507 };
struct vault_operation;
/* How the caller came to be let through or not, for the row of the audit tables. */
struct vault_verdict {
    bool by_rbac, by_policy; /* a role, or an access policy, allowed it */
    rf_str assignment;       /* id of the role assignment that did; may be empty */
    bool address_ok;         /* network rules let the address through */
    rf_str address_by;       /* "PublicIP", "TrustedService" ...; may be empty */
};
struct vault_call {
    struct vaults *vaults;
    struct request *request;
    struct rf_arena *arena; /* the request's */
    const struct vault_operation *operation;
    struct vault_place place;
    rf_str base;                  /* "https://host:port": ids in the answer begin with it */
    rf_str token;                 /* as it came, for the keeper; empty: the program itself */
    rf_str name, version;         /* of the path, casing kept; version empty: the latest */
    rf_str sub;                   /* "{sub}" of the path: a name below `name` */
    const struct json_node *body; /* an object; an empty one when the request has none */
    int api;                      /* 700 ... 760, 202507 */
    int64_t now;                  /* seconds since 1970 */
    bool
        by_or; /* or_action (or the policy words behind the first) alone let it in: of encrypt, wrap and verify that holds for asymmetric keys only */
    /* What the row of the audit tables says beside the request: set by handlers as they learn it. */
    rf_str audit_id; /* id of the object with its version, empty: of name and version in the path */
    const struct json_node *audit_properties; /* SecretProperties, KeyProperties ..., NULL: none */
    rf_str audit_algorithm;
    struct vault_verdict verdict; /* set by access.c as far as it came; all zero: it never did */
};

enum {                       /* vault_operation.flags */
       VAULT_NO_BODY = 1,    /* the body is not read */
       VAULT_LARGE_BODY = 2, /* of a restore: VAULT_RESTORE_BODY_MAX instead of 1 MiB */
       VAULT_RESTORE_BODY_MAX = 16 << 20
};
/* What may be asked for. The tables of the collections are searched in order; "{name}", "{sub}", "{version}" and "{issuer}" (into `name`) are one segment each, an
 * empty {version} fits too, and so does its absence with the slash before it. */
struct vault_operation {
    enum http_method method;
    unsigned flags;
    const char *path;  /* "secrets/{name}/{version}" */
    const char *audit; /* "SecretGet" */
    const char *
        action; /* data action behind "Microsoft.KeyVault/vaults/": "secrets/getSecret/action"; NULL: whoever has a good token of the tenant (unwrap) */
    const char *or_action; /* one that is enough as well, NULL */
    const char *
        policy; /* of access policies: "secrets get"; several words behind the first: any of them */
    const char *
        scope; /* the collection that `name` stands in below the vault for roles ("secrets"), or `sub` does ("databases/{name}/roles"); NULL: the vault */
    enum rf_kind (*run)(struct vault_call *call, struct rf_err *err);
};
/* Of several patterns that fit a path the one with more literals counts, whatever its method: "secrets/restore" is no secret's name. Names
 * and versions that could be none are refused (400) before `run`. */
extern const struct vault_operation vault_secret_operations[], vault_key_operations[],
    vault_certificate_operations[];
extern const uint32_t vault_secret_operation_count, vault_key_operation_count,
    vault_certificate_operation_count;

/* Errors with their inner code (contract 3.6); all give the kind that fits the status. */
enum rf_kind vault_fail(struct vault_call *call, struct rf_err *err, uint16_t status,
                        const char *code, const char *inner, const char *fmt, ...) RF_PRINTF(6, 7);
/* 400 BadParameter. */
enum rf_kind vault_bad(struct vault_call *call, struct rf_err *err, const char *fmt, ...)
    RF_PRINTF(3, 4);
/* What the keeper said (Seal*), as the API says it; other errors stay as they are. Gives a kind. */
enum rf_kind vault_seal_error(struct vault_call *call, struct rf_err *err);
/* 404 SecretNotFound and the like, 409 Conflict ObjectIsDeletedButRecoverable. */
enum rf_kind vault_not_found(struct vault_call *call, enum seal_kind kind, rf_str name,
                             struct rf_err *err);
enum rf_kind vault_is_deleted(struct vault_call *call, enum seal_kind kind, rf_str name,
                              struct rf_err *err);

/* ---- other parts that vault.c and call.c put together -------------------------------------------------------------------------- */

/* types.c: registers Microsoft.KeyVault/vaults with options.arm. */
RF_MUST_USE enum rf_kind vault_types_register(struct vaults *vaults, struct rf_err *err);
void vault_types_free(struct vaults *vaults); /* when no hooks of arm run any more */
void vault_authority_routes_init(struct vaults *vaults);
/* Purges the vaults that were deleted and whose scheduledPurgeDate has come; *next: when that of another comes, 0: there is none. For jobs.c. */
RF_MUST_USE enum rf_kind vault_deleted_due(struct vaults *vaults, rf_usec now, rf_usec *next,
                                           struct rf_err *err);
/* jobs.c: the thread behind vaults_start, and vaults_tick of vault.h. `stop` is fine when it was not started, and frees vaults->jobs. */
RF_MUST_USE enum rf_kind vault_jobs_start(struct vaults *vaults, struct rf_err *err);
void vault_jobs_stop(struct vaults *vaults);
/* audit.c: the row of a request that is about to be answered with `status`; `why` NULL: it went well. Called once for each request, also for those that were
 * refused: call->operation is NULL when it was not known yet (401: "Authentication"), call->place.id empty when no vault was found,
 * request->principal NULL without a good token. What it returns is answered in place of a success. */
RF_MUST_USE enum rf_kind vault_audit(struct vault_call *call, uint16_t status,
                                     const struct rf_err *why, struct rf_err *err);

/* ---- what is kept (store.c): spaces "vault.item" and "vault.version" ---------------------------------------------------------
 *
 * How to write: read (a read transaction), ask the keeper (no transaction), begin a write transaction and vault_item_again, write, commit; all of it
 * within vault_retry. Whoever only adds a version is then beaten by nobody but the one who makes or deletes the item. */

/* An item: all versions of a name. Key "GUID/secrets/NAME" ("keys", "certificates"; lower case), index "state" = "GUID/secrets/live", ".../deleted"
 * or ".../purging", index "due" = "GUID" when `due` is not 0. The key and the secret behind a certificate are items of their own with `managed`. */
struct vault_item {
    enum seal_kind kind;
    rf_str name; /* as it was first written */
    uint8_t id[SEAL_ID_BYTES];
    rf_str key;    /* wrapped by the vault's; empty: nothing was sealed yet */
    rf_str latest; /* version, 32 lower-case hex digits; empty: none yet */
    int64_t created, updated;
    int64_t deleted, purge_at; /* 0: live */
    bool
        purging; /* deleted, and being purged: nothing brings it back, a job finishes what broke off */
    int64_t due;  /* when a job is to look at it; 0: never */
    bool managed; /* goes and comes with the certificate of its name */
    struct json_node *
        more; /* an object of the collection's own: rotation policy, certificate policy, pending operation; NULL: none */
    uint64_t etag; /* 0: not stored yet */
};
/* Key of an item, "/", the version: so versions lie in the order in which they were made. */
struct vault_version {
    rf_str version; /* 32 lower-case hex digits */
    int64_t created, updated;
    bool enabled;
    int64_t not_before, expires; /* SEAL_NO_TIME: none */
    rf_str content_type;
    struct json_node *tags; /* NULL: none */
    rf_str sealed;          /* empty: a certificate, which has none of its own */
    struct json_node *
        more; /* an object: of keys "kty", "crv", "n" ...; of certificates "cer", "x5t"; NULL: none */
    bool managed;
    uint64_t etag; /* 0: a new one */
};

/* Runs `attempt` until no other writer has come between (its error is RF_CONFLICT EtagMismatch or ObjectExists), at most some 100 times. */
typedef enum rf_kind vault_attempt(struct vault_call *call, void *ctx, struct rf_err *err);
enum rf_kind vault_retry(struct vault_call *call, vault_attempt *attempt, void *ctx,
                         struct rf_err *err);

/* Unique, and later ones come behind earlier ones in the order of texts (time, then random); ptr NULL on lack of memory. */
rf_str vault_version_new(struct rf_arena *arena);
/* A version as a new one begins: version, created and updated, enabled, no times. RF_LIMIT only. */
RF_MUST_USE enum rf_kind vault_version_init(struct vault_call *call, struct vault_version *out,
                                            struct rf_err *err);
/* An item that is not stored yet: id, kind, name and times are set. */
RF_MUST_USE enum rf_kind vault_item_new(struct vault_call *call, enum seal_kind kind, rf_str name,
                                        struct vault_item *out, struct rf_err *err);
/* `txn` of this and the next two may be NULL: as it is now (state_peek), for reads at each request, which the keeper checks again.
 * RF_NOT_FOUND without a text of its own: see vault_not_found. Deleted ones are given too (`deleted` is set). 400 for a name that is none. */
RF_MUST_USE enum rf_kind vault_item_get(struct vault_call *call, struct state_txn *txn,
                                        enum seal_kind kind, rf_str name, struct vault_item *out,
                                        struct rf_err *err);
/* The same for a live one, with the API's error when it is none. */
RF_MUST_USE enum rf_kind vault_item_need(struct vault_call *call, struct state_txn *txn,
                                         enum seal_kind kind, rf_str name, struct vault_item *out,
                                         struct rf_err *err);
/* For whoever writes a new version under call->name: the live item, or a new one when there is none (etag 0). 409 for a deleted one. */
RF_MUST_USE enum rf_kind vault_item_open(struct vault_call *call, struct state_txn *txn,
                                         enum seal_kind kind, struct vault_item *out,
                                         struct rf_err *err);
/* In the write transaction: *item as it is now. RF_CONFLICT EtagMismatch when it is no longer the one that was read: made, deleted, purged meanwhile, or
 * (`same_etag`) changed at all. Of a new item `key` stays as the caller has set it. */
RF_MUST_USE enum rf_kind vault_item_again(struct vault_call *call, struct state_txn *txn,
                                          bool same_etag, struct vault_item *item,
                                          struct rf_err *err);
/* Stored only if it is as it was read (etag; 0: absent), else RF_CONFLICT. Sets the new etag. */
RF_MUST_USE enum rf_kind vault_item_put(struct vault_call *call, struct state_txn *txn,
                                        struct vault_item *item, struct rf_err *err);
/* `version` empty: the latest. RF_NOT_FOUND with the API's error. */
RF_MUST_USE enum rf_kind vault_version_get(struct vault_call *call, struct state_txn *txn,
                                           const struct vault_item *item, rf_str version,
                                           struct vault_version *out, struct rf_err *err);
/* Stored only if it is as it was read (etag; 0: absent), else RF_CONFLICT. */
RF_MUST_USE enum rf_kind vault_version_put(struct vault_call *call, struct state_txn *txn,
                                           const struct vault_item *item,
                                           const struct vault_version *version, struct rf_err *err);
/* Versions in the order in which they were made, behind `after` (empty: from the start); limit 0: all. */
struct vault_versions {
    struct vault_version *items;
    uint32_t count;
    bool more;
};
RF_MUST_USE enum rf_kind vault_versions_list(struct vault_call *call, struct state_txn *txn,
                                             const struct vault_item *item, rf_str after,
                                             uint32_t limit, struct vault_versions *out,
                                             struct rf_err *err);
/* Deletes an item with its versions, without a look at it. */
RF_MUST_USE enum rf_kind vault_item_remove(struct vault_call *call, struct state_txn *txn,
                                           const struct vault_item *item, struct rf_err *err);
/* All that is kept of a vault, when it is purged itself. */
RF_MUST_USE enum rf_kind vault_store_forget(struct state_txn *txn, rf_str guid,
                                            struct rf_arena *arena, struct rf_err *err);
/* Behind an error of the keeper about a version that was read before: RF_CONFLICT EtagMismatch, so that vault_retry reads again, when it was changed or purged meanwhile; else
 * as vault_seal_error. Reads, too, belong into vault_retry for that. */
enum rf_kind vault_seal_refused(struct vault_call *call, const struct vault_item *item,
                                const struct vault_version *version, struct rf_err *err);
/* What the keeper needs of an item; views of both. */
RF_MUST_USE enum rf_kind vault_ring(struct vault_call *call, const struct vault_item *item,
                                    struct seal_ring *out, struct rf_err *err);
/* Head of a version for sealing, from its fields (enabled, times, version, managed; generation 1); material, bits, ops and exportable are the
 * caller's. For seal_change begin with seal_head_get of what is sealed, change, and add 1 to the generation. */
void vault_head(const struct vault_version *version, struct seal_head *out);

/* ---- shapes that the collections share (shape.c) ------------------------------------------------------------------------------- */

/* A name of the path: 1 to 127 letters, digits, dashes. */
RF_MUST_USE enum rf_kind vault_check_name(struct vault_call *call, rf_str name, struct rf_err *err);
/* attributes, tags of the body into `version`; what is absent (or null) stays. Checks of 3.1 and 3.3. With `times` false nbf and exp may not be changed. */
RF_MUST_USE enum rf_kind vault_read_attributes(struct vault_call *call, bool times,
                                               struct vault_version *version, struct rf_err *err);
/* A member of an object into *out (NULL: absent or null); 400 when it is of another type. JSON_T_TRUE stands for both truth values. */
RF_MUST_USE enum rf_kind vault_member(struct vault_call *call, const struct json_node *object,
                                      const char *name, enum json_type type, struct json_node **out,
                                      struct rf_err *err);
/* Adds "attributes" and, when there are any, "tags"; gives "attributes" for what a collection adds to it, NULL on lack of memory. `list`: as list
 * items have them (those of certificates are without recoveryLevel). */
struct json_node *vault_put_attributes(struct vault_call *call, struct json_node *out,
                                       const struct vault_item *item,
                                       const struct vault_version *version, bool list);
/* "https://host/secrets/NAME/VERSION"; version empty: without it. */
rf_str vault_object_id(struct vault_call *call, const char *collection, rf_str name,
                       rf_str version);
const char *vault_collection(enum seal_kind kind);
/* Adds recoveryId, deletedDate, scheduledPurgeDate. */
void vault_put_deleted(struct vault_call *call, struct json_node *out,
                       const struct vault_item *item);

/* Lists, in pages ($skiptoken, maxresults; contract 3.5): `show` fills `out`, one item of the list; in the list of items its id is without version. Of deleted items
 * recoveryId and the rest are added behind it. `version` is NULL when the item has none yet. */
struct vault_list {
    enum seal_kind kind;
    bool deleted;
    bool
        versions; /* of the item call->name, which must be live; else items with their latest versions */
    void (*show)(struct vault_call *call, struct json_node *out, const struct vault_item *item,
                 const struct vault_version *version);
    bool (*wants)(
        struct vault_call *call,
        const struct vault_item *item); /* NULL: all; managed ones are never in deleted lists */
};
enum rf_kind vault_answer_list(struct vault_call *call, const struct vault_list *list,
                               struct rf_err *err);

/* ---- what is the same for all (life.c): soft delete, recovery, purge, backup, restore --------------------------------------------- */

/* Shows an item as the collection does: with its latest version (NULL: none yet), without a secret's value. NULL on lack of memory. */
typedef struct json_node *vault_show(struct vault_call *call, const struct vault_item *item,
                                     const struct vault_version *version);
/* Handlers call these; a certificate takes the key and secret of its name along. */
enum rf_kind vault_delete(struct vault_call *call, enum seal_kind kind, vault_show *show,
                          struct rf_err *err);
enum rf_kind vault_deleted_get(struct vault_call *call, enum seal_kind kind, vault_show *show,
                               struct rf_err *err);
enum rf_kind vault_recover(struct vault_call *call, enum seal_kind kind, vault_show *show,
                           struct rf_err *err);
enum rf_kind vault_purge(struct vault_call *call, enum seal_kind kind, struct rf_err *err);
enum rf_kind vault_backup(struct vault_call *call, enum seal_kind kind, struct rf_err *err);
enum rf_kind vault_restore(struct vault_call *call, enum seal_kind kind, vault_show *show,
                           struct rf_err *err);
/* `due` of items that came back (recovered, restored): their collection finds out what is to be done next. Those that belong to a certificate too. */
enum { VAULT_DUE_LOOK = 1 };
/* For the job: a deleted item whose purge_at has come, or one with `purging`. */
enum rf_kind vault_purge_due(struct vault_call *call, const struct vault_item *item,
                             struct rf_err *err);
/* 403 for a key or secret that belongs to a certificate. */
enum rf_kind vault_is_managed(struct vault_call *call, const struct vault_item *item,
                              struct rf_err *err);

/* ---- secrets' values of certificates (bundle.c) ------------------------------------------------------------------------------------ */

/* A PFX (standard base64, empty password) as PEM: PKCS #8, then the certificates, leaf first. `out` in `arena`; the caller wipes it. RF_INVALID BadBundle. */
RF_MUST_USE enum rf_kind vault_convert_bundle(rf_str pfx, struct rf_arena *arena, rf_str *out,
                                              struct rf_err *err);

/* ---- jobs (jobs.c): items whose `due` has come ---------------------------------------------------------------------------------------- */

/* What a collection does with one of its live items on time (deleted ones: vault_purge_due); `call` has no request and no token. It sets the item's next `due` and stores it. */
typedef enum rf_kind vault_due(struct vault_call *call, struct vault_item *item,
                               struct rf_err *err);
vault_due vault_secret_due, vault_key_due, vault_certificate_due;
/* Something is due at once: the thread looks now. Does nothing when it was not started. */
void vault_jobs_wake(struct vaults *vaults);
/* The thread is to end: what takes long breaks off. */
bool vault_jobs_stopping(const struct vaults *vaults);
/* An event of the vault (contract 6.5, 5.3), "Microsoft.KeyVault.KeyNearExpiry", of a version, in the write transaction of what it tells of: either both are kept
 * or neither is. */
RF_MUST_USE enum rf_kind vault_publish(struct vault_call *call, struct state_txn *txn,
                                       const char *type, enum seal_kind kind, rf_str name,
                                       const struct vault_version *version, struct rf_err *err);
/* "Microsoft.KeyVault.VaultAccessPolicyChanged"; the same. */
RF_MUST_USE enum rf_kind vault_publish_policies(struct vaults *vaults, struct state_txn *txn,
                                                struct rf_arena *arena, rf_str vault_id,
                                                rf_str name, struct rf_err *err);

#endif
