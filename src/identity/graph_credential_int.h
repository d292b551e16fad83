/* graph_credential_int.h - secrets and certificates of applications and service principals. */
#ifndef RF_IDENTITY_GRAPH_CREDENTIAL_INT_H
#define RF_IDENTITY_GRAPH_CREDENTIAL_INT_H

#include "identity/graph_int.h"

/* Checks and completes keyCredentials and passwordCredentials of a document that is to be stored: certificates are read, what
 * was shown without its key keeps the key that is stored, no secret can be set this way. */
RF_MUST_USE enum rf_kind credentials_put(struct graph_call *call, const struct graph_entity *entity,
                                         struct json_node *doc, const struct json_node *before,
                                         struct rf_err *err);
enum rf_kind credential_add_password(struct graph_call *call, struct rf_err *err);
enum rf_kind credential_remove_password(struct graph_call *call, struct rf_err *err);
enum rf_kind credential_add_key(struct graph_call *call, struct rf_err *err);
enum rf_kind credential_remove_key(struct graph_call *call, struct rf_err *err);
/* Takes over the names of the application. */
RF_MUST_USE enum rf_kind principal_follow(struct graph_call *call, struct json_node *principal,
                                          const struct json_node *application, struct rf_err *err);
/* Whether the name stands for a built-in resource (resource.c). */
bool resource_is_builtin(const struct identity *identity, rf_str name);

#endif
