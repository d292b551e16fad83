/* authz.h - who may do what where: role definitions and assignments, deny by default (Azure RBAC).
 *
 * Assignments and custom roles live in state, spaces "roleAssignment" (key: lower-case id; indexes "principal", "role") and
 * "roleDefinition" (key: GUID; index "name"), deny assignments, which nobody writes over the API, in "denyAssignment" (key:
 * lower-case id); bodies are the documents that the API answers. Built-in roles are data in roles.c. A snapshot in memory
 * answers checks; a write takes effect for the next request. A role or an assignment with a condition gives its actions only
 * where the condition holds (condition_int.h). When the state cannot be read nobody may anything. Any thread. */
#ifndef RF_AUTHZ_H
#define RF_AUTHZ_H

#include "authz/principal.h"
#include "base/clock.h"
#include "state/state.h"

struct authz;
RF_MUST_USE enum rf_kind authz_new(struct state *state, rf_str tenant_id, struct authz **out,
                                   struct rf_err *err);
void authz_free(struct authz *authz);

/* True when a role assigned to the principal or one of its groups at `scope` or above grants the action (wildcards in roles;
 * notActions taken off role by role) and no deny assignment forbids it. Scopes and actions are compared without case.
 * `action` of a data action with is_data. Costs a walk over the principal's assignments, no I/O. */
bool authz_check(struct authz *authz, const struct principal *principal, rf_str action,
                 rf_str scope, bool is_data);
/* The same; *assignment: the name (a GUID) of a role assignment that grants it, in `arena`, set when it may. */
bool authz_check_by(struct authz *authz, const struct principal *principal, rf_str action,
                    rf_str scope, bool is_data, struct rf_arena *arena, rf_str *assignment);
/* RF_OK, or RF_DENIED AuthorizationFailed with Azure's message. */
RF_MUST_USE enum rf_kind authz_require(struct authz *authz, const struct principal *principal,
                                       rf_str action, rf_str scope, bool is_data,
                                       struct rf_err *err);

/* The RF_DENIED of authz_require. */
enum rf_kind authz_denied(const struct principal *principal, rf_str action, rf_str scope,
                          struct rf_err *err);

/* Whether what the principal may do can differ between places below `scope`: something is said of one of them, or a condition may look at it. Else what holds
 * at `scope` holds below it. Costs a walk over all assignments. */
bool authz_varies_below(struct authz *authz, const struct principal *principal, rf_str scope);
/* The role assignments that give an action at `scope`, whatever denies it: whether a principal really may is authz_check's to say. Texts in `arena`, in lower
 * case but for the role's name. */
struct authz_grant {
    rf_str principal, assignment /* id */, scope, role /* GUID */, role_name;
    bool is_conditional; /* only where a condition holds */
};
RF_MUST_USE enum rf_kind authz_grants(struct authz *authz, rf_str action, rf_str scope,
                                      bool is_data, struct rf_arena *arena,
                                      struct authz_grant **out, uint32_t *count,
                                      struct rf_err *err);

/* Gives a role to a principal at a scope unless it has it there: for first start. `role` is the GUID of a definition. */
RF_MUST_USE enum rf_kind authz_assign(struct authz *authz, struct state_txn *txn,
                                      rf_str principal_id, const char *principal_type,
                                      const char *role, rf_str scope, struct rf_err *err);

/* A row-level or table-level rule is a condition on data; see logs. The well-known roles: */
#define ROLE_OWNER "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
#define ROLE_CONTRIBUTOR "b24988ac-6180-42a0-ab88-20f7382dd24c"
#define ROLE_READER "acdd72a7-3385-48ef-bd42-f606fba81ae7"
#define ROLE_METRICS_PUBLISHER "3913510d-42f4-4e42-8a64-420c390055eb"
#define ROLE_LOG_ANALYTICS_CONTRIBUTOR "92aaf0da-9dab-42b6-94a3-d43ce8d16293"
#define ROLE_LOG_ANALYTICS_READER "73c42c96-874c-492b-b04d-ab87d138a893"

/* For template deployments: what PUT of "{scope}/providers/Microsoft.Authorization/roleAssignments/{name}" does, with the
 * caller's right, the checks and the row in AzureActivity; `body` is {"properties":{...}}. Needs request->principal, and
 * authz_service called before. *out: the document. Must not be called inside a write transaction. */
struct request;
RF_MUST_USE enum rf_kind authz_put_assignment(struct authz *authz, const struct request *request,
                                              rf_str id, struct json_node *body,
                                              struct json_node **out, bool *created,
                                              struct rf_err *err);

/* Appends the built-in role definitions, as the API answers them, to the array `out`. */
struct json_node;
RF_MUST_USE enum rf_kind authz_builtin_roles(const struct authz *authz, struct rf_arena *arena,
                                             struct json_node *out, struct rf_err *err);

/* The routes of Microsoft.Authorization: roleAssignments, roleDefinitions, permissions, denyAssignments. */
struct service;
RF_MUST_USE enum rf_kind authz_service(struct authz *authz, const struct directory *directory,
                                       const struct service **out, struct rf_err *err);

#endif
