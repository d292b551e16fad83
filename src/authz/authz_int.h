/* authz_int.h - roles, assignments and what a check reads: shared by authz.c, roles.c, condition.c and rbac*.c. */
#ifndef RF_AUTHZ_INT_H
#define RF_AUTHZ_INT_H

#include "authz/authz.h"

#define ROLE_ASSIGNMENT_SPACE "roleAssignment"
#define ROLE_DEFINITION_SPACE "roleDefinition"
#define DENY_ASSIGNMENT_SPACE "denyAssignment"

/* ---- built-in roles as data: actions with blanks between ---- */
struct role_data {
    const char *id, *name, *description;
    const char *actions, *not_actions, *data_actions, *not_data_actions;
    const char *condition; /* on the permission; NULL */
};
extern const struct role_data role_builtins[];
extern const size_t role_builtin_count;

struct words {
    rf_str *items;
    uint32_t count;
};
struct permission {
    struct words actions, not_actions, data_actions, not_data_actions;
    struct condition *condition; /* NULL: none */
    rf_str condition_text;
};
struct role {
    rf_str id; /* GUID in lower case */
    rf_str name, description;
    struct permission *permissions;
    uint32_t permission_count;
    bool is_builtin;
    const struct words *assignable; /* NULL: "/" */
    rf_str body;                    /* of a custom role: its document */
};
/* True when the permissions hold the action; notActions are taken off. */
bool permission_grants(const struct permission *permission, rf_str action, bool is_data);

/* Reads {"actions","notActions","dataActions","notDataActions"}; false on lack of memory. */
bool permissions_read(struct rf_arena *arena, const struct json_node *array,
                      struct permission **out, uint32_t *count);

/* `pattern` with '*' for any text, ASCII case ignored. Linear in both for one '*', at worst their product. */
bool action_matches(rf_str pattern, rf_str action);
/* True when `scope` is `above` or lies below it; both as scope_key gives them. */
bool scope_covers(rf_str above, rf_str scope);
/* Lower case, one slash in front, none at the end; "/" for the tenant. ptr NULL on lack of memory. */
rf_str scope_key(struct rf_arena *arena, rf_str scope);
/* ASCII lower case; ptr NULL on lack of memory. */
rf_str lower_copy(struct rf_arena *arena, rf_str text);
/* What stands behind the last slash. */
rf_str last_segment(rf_str id);

struct assignment {
    rf_str key;              /* lower-case id */
    rf_str body;             /* the document */
    rf_str principal;        /* lower case */
    rf_str scope;            /* as scope_key gives it */
    rf_str role_id;          /* GUID in lower case */
    const struct role *role; /* NULL: its definition is gone, so it gives nothing */
    bool has_condition;
    struct condition
        *condition; /* NULL though has_condition: it cannot be read, so it gives nothing */
};
struct deny {
    rf_str key, body, scope;
    struct permission *permissions;
    uint32_t permission_count;
    struct words principals, excluded; /* lower case */
    bool only_here;
};

/* Everything as of one moment; immutable. */
struct snapshot {
    atomic_uint refs;
    struct rf_arena arena;
    uint64_t versions[3];
    struct assignment *assignments; /* in the order of their keys */
    uint32_t assignment_count;
    const struct assignment **by_principal; /* in the order of their principals */
    struct role *customs;                   /* in the order of their ids */
    uint32_t custom_count;
    struct deny *denies;
    uint32_t deny_count;
    const struct authz *authz;
};
/* The newest; give it back with snapshot_unref. Fails with what the state said. */
RF_MUST_USE enum rf_kind authz_snapshot(struct authz *authz, struct snapshot **out,
                                        struct rf_err *err);
void snapshot_unref(struct snapshot *snapshot);
static inline void snapshot_unref_at(struct snapshot **snapshot) { snapshot_unref(*snapshot); }
const struct role *snapshot_role(const struct snapshot *snapshot, rf_str id);
/* The built-in roles, compiled. */
const struct role *authz_builtins(const struct authz *authz, uint32_t *count);
struct state *authz_state(struct authz *authz);
rf_str authz_tenant(const struct authz *authz);

struct json_node *permission_json(struct rf_arena *arena, const struct permission *permission);

/* ---- assignments in the state (assign.c) ---- */
/* Stores the document under its id. */
RF_MUST_USE enum rf_kind assignment_put(struct state_txn *txn, rf_str id,
                                        const struct json_node *body, struct rf_arena *arena,
                                        bool *created, struct rf_err *err);
rf_str assignment_id(struct rf_arena *arena, rf_str scope, rf_str name);
rf_str definition_id(struct rf_arena *arena, rf_str scope, rf_str role);

/* What a condition may ask about. */
struct condition_subject {
    const struct principal *principal;
    rf_str action;
    bool is_data;
    rf_str scope; /* casing kept */
    /* Of a write or deletion of a role assignment; empty else. */
    rf_str role_id, principal_id, principal_type;
};
/* `scope` as scope_key gives it. */
bool deny_forbids(const struct deny *deny, const struct condition_subject *subject, rf_str scope);
bool authz_check_subject(struct authz *authz, const struct condition_subject *subject);

#endif
