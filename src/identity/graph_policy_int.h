/* graph_policy_int.h - what the files of Graph about conditional access share. */
#ifndef RF_IDENTITY_GRAPH_POLICY_INT_H
#define RF_IDENTITY_GRAPH_POLICY_INT_H

#include "identity/access_policy_int.h"
#include "identity/graph_int.h"

#define POLICY_READ "Policy.Read.All Policy.ReadWrite.ConditionalAccess"
#define POLICY_WRITE "Policy.ReadWrite.ConditionalAccess"
#define METHOD_POLICY_READ "Policy.Read.All Policy.ReadWrite.AuthenticationMethod"
#define METHOD_POLICY_WRITE "Policy.ReadWrite.AuthenticationMethod"

extern const struct graph_route graph_strength_routes[];
extern const struct graph_route graph_setting_routes[];
extern const struct graph_route graph_role_routes[];
enum rf_kind graph_what_if(struct graph_call *call, struct rf_err *err);

/* Stores or deletes a document of the spaces of access_policy_int.h, unless the change would shut out the last administrator: that takes
 * ?force=true, or the header ringfort-force: true. RF_INVALID Request_BadRequest. */
RF_MUST_USE enum rf_kind graph_access_put(struct graph_call *call, const char *space,
                                          const struct json_node *doc, struct rf_err *err);
RF_MUST_USE enum rf_kind graph_access_delete(struct graph_call *call, const char *space, rf_str id,
                                             struct rf_err *err);
/* The displayName of a policy in which one of `paths` holds `id`, as a text or in a list; empty: none does. */
RF_MUST_USE enum rf_kind graph_policy_naming(struct graph_call *call, const char *const *paths,
                                             size_t path_count, rf_str id, rf_str *out,
                                             struct rf_err *err);
/* The strength with that id, built in or of the tenant, as it is shown. RF_NOT_FOUND. */
RF_MUST_USE enum rf_kind graph_strength_find(struct graph_call *call, rf_str id,
                                             struct json_node **out, struct rf_err *err);
/* A directory role by its template id; by its own id, or "roleTemplateId='..'" (graph_tenant.c). RF_NOT_FOUND. */
RF_MUST_USE enum rf_kind graph_role_definition(struct graph_call *call, rf_str id,
                                               struct json_node **out, struct rf_err *err);
RF_MUST_USE enum rf_kind graph_role_active(struct graph_call *call, rf_str id,
                                           struct json_node **out, struct rf_err *err);

#endif
