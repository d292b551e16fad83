/* types_int.h - what the files about the ARM side of vaults share (contracts/keyvault.md, 7.3 and 7.4). */
#ifndef RF_VAULT_TYPES_INT_H
#define RF_VAULT_TYPES_INT_H

#include <pthread.h>

#include "vault/audit_int.h"
#include "vault/call_int.h"

enum { VAULT_TYPES_COUNT = 10, VAULT_POLICIES_MAX = 1024, VAULT_RULES_MAX = 1000 };

/* A change of a vault that has no row yet: it gets one once it is committed. */
struct vault_note {
    struct rf_arena arena; /* of all below */
    const struct request *request;
    rf_str key;
    const char *operation;
    rf_str *changes; /* of access policies and addresses: members for one row each */
    uint32_t change_count;
    bool policies; /* access policies, or what stands in their place, are others now */
    struct vault_note *next;
};
struct vault_types {
    struct arm_type types[VAULT_TYPES_COUNT];
    struct service service; /* the routes that are no resource's own */
    pthread_mutex_t lock;   /* of the notes */
    struct vault_note *notes;
    uint32_t note_count;
    _Atomic bool is_complete; /* each stored vault has its key */
};

extern const char *const vault_versions[];

/* ---- what is kept (types_place.c): spaces "vault.place" and "vault.deleted", key: the name in lower case -------------------------- */

extern const char vault_place_space[], vault_gone_space[];
/* place:   {"id","guid","key"}
 * deleted: {"id","guid","key","document","deleted","purge","purging"}; times in microseconds since 1970. */
struct vault_kept {
    rf_str name; /* lower case: the key */
    rf_str id, guid;
    rf_str key;                 /* wrapped */
    struct json_node *document; /* NULL in a place */
    rf_usec deleted, purge;
    bool purging;
};
RF_MUST_USE enum rf_kind vault_place_get(struct state_txn *txn, rf_str name, struct rf_arena *arena,
                                         struct vault_kept *out, bool *found, struct rf_err *err);
RF_MUST_USE enum rf_kind vault_place_put(struct state_txn *txn, const struct vault_kept *kept,
                                         struct rf_arena *arena, struct rf_err *err);
RF_MUST_USE enum rf_kind vault_place_delete(struct state_txn *txn, rf_str name,
                                            struct rf_arena *arena, struct rf_err *err);
RF_MUST_USE enum rf_kind vault_gone_get(struct state_txn *txn, rf_str name, struct rf_arena *arena,
                                        struct vault_kept *out, bool *found, struct rf_err *err);
RF_MUST_USE enum rf_kind vault_gone_put(struct state_txn *txn, const struct vault_kept *kept,
                                        struct rf_arena *arena, struct rf_err *err);
RF_MUST_USE enum rf_kind vault_gone_delete(struct state_txn *txn, rf_str name,
                                           struct rf_arena *arena, struct rf_err *err);
RF_MUST_USE enum rf_kind vault_gone_list(struct state_txn *txn, struct rf_arena *arena,
                                         struct vault_kept **out, uint32_t *count,
                                         struct rf_err *err);
/* Guid and key of a new vault. */
RF_MUST_USE enum rf_kind vault_kept_new(struct vaults *vaults, rf_str id, rf_str name,
                                        struct rf_arena *arena, struct vault_kept *out,
                                        struct rf_err *err);
/* The 16 bytes of a guid; false when it is none. */
bool vault_guid_bytes(rf_str guid, struct rf_arena *arena, uint8_t out[SEAL_ID_BYTES]);
/* Makes the keys of vaults that were stored when there were none yet. */
RF_MUST_USE enum rf_kind vault_places_complete(struct vaults *vaults, struct rf_err *err);

/* ---- properties (types_props.c, types_policy.c) ------------------------------------------------------------------------------------------- */

#define BAD_VAULT(err, ...) RF_FAIL(err, RF_INVALID, "BadRequest", __VA_ARGS__)

bool vault_name_is_good(rf_str name);
/* Checks and fills in `properties`; `before` NULL: of a new vault. */
RF_MUST_USE enum rf_kind vault_properties_check(struct arm_call *call, struct json_node *properties,
                                                const struct json_node *before, struct rf_err *err);
/* A list of access policies (contract 7.3). */
RF_MUST_USE enum rf_kind vault_policies_check(const struct json_node *list, rf_str tenant_id,
                                              struct rf_err *err);
/* "add", "replace", "remove": *list is what becomes of `stored`; VAULT_POLICY_OTHER: no such kind. */
enum vault_policy_change {
    VAULT_POLICY_OTHER,
    VAULT_POLICY_ADD,
    VAULT_POLICY_REPLACE,
    VAULT_POLICY_REMOVE
};
enum vault_policy_change vault_policy_change_of(rf_str word);
RF_MUST_USE enum rf_kind vault_policies_change(enum vault_policy_change change,
                                               const struct json_node *stored,
                                               const struct json_node *given,
                                               struct rf_arena *arena, struct json_node **out,
                                               struct rf_err *err);
/* The entry of a principal (and the application through which it asks) in a list; NULL. */
struct json_node *vault_policy_find(const struct json_node *list, const struct json_node *entry);

/* "https://NAME.vault.DOMAIN:PORT/"; ptr NULL on lack of memory. */
rf_str vault_uri(const struct vaults *vaults, rf_str name, struct rf_arena *arena);

/* ---- deleted vaults (types_deleted.c) ------------------------------------------------------------------------------------------------- */

struct arm_type vault_deleted_list_type(struct vaults *vaults);
struct arm_type vault_deleted_type(struct vaults *vaults);

/* ---- what a vault holds, as resources (types_items.c) ---------------------------------------------------------------------------------- */

struct arm_type vault_secret_type(struct vaults *vaults);
struct arm_type vault_key_type(struct vaults *vaults);
struct arm_type vault_key_version_type(struct vaults *vaults);
enum rf_kind vault_run_put_secret(struct request *request, struct rf_err *err);
enum rf_kind vault_run_put_key(struct request *request, struct rf_err *err);

/* ---- routes (types_routes.c) ------------------------------------------------------------------------------------------------------------- */

void vault_routes_init(struct vaults *vaults, struct service *out);
/* A row of AzureActivity for what was done. */
void vault_record(struct request *request, const char *action, rf_str id);

/* ---- rows about vaults (types_audit.c) --------------------------------------------------------------------------------------------------- */

/* In `put`: remembers what will have been changed; `before` NULL: made, or recovered. Lack of memory leaves it out of the row. Changed
 * policies are an event too, which is kept in the transaction. */
RF_MUST_USE enum rf_kind vault_note_change(struct arm_call *call,
                                           const struct arm_resource *resource,
                                           const struct arm_resource *before, const char *operation,
                                           struct rf_err *err);
/* In `changed`: the rows of what was remembered, when it is there. */
void vault_note_write(struct arm_call *call, const struct arm_resource *resource);
/* One row at once. `document` may be NULL. */
void vault_row_of(struct vaults *vaults, struct request *request, struct rf_arena *arena, rf_str id,
                  const char *operation, const struct json_node *document, rf_str changes);
void vault_notes_free(struct vault_types *types);

#endif
