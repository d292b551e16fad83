/* approval_int.h - break-glass: a right for minutes, that others must approve (docs/vault-reports.md).
 *
 * Space "vault.request", key "GUID/ID" (of the vault, of the request; in the order in which they were made). Index "holder" = "GUID/PRINCIPAL" while a
 * request may still give something; "review" = "open" from its approval until its review. Body: {"id","vault","scope","actions","reason","minutes","asker":
 * {"id","name"},"state","created","from","to","approvals":[{"id","name","at","allows"}],"useCount","uses":[{"at","operation","address"}],"review":
 * {"id","name","at","finding"}}, times in seconds. */
#ifndef RF_VAULT_APPROVAL_INT_H
#define RF_VAULT_APPROVAL_INT_H

#include "vault/call_int.h"
#include "vault/store_int.h"

extern const char vault_request_space[];
extern const struct vault_operation vault_approval_operations[];
extern const uint32_t vault_approval_operation_count;

/* "breakGlass" of a vault's properties: 400 when it is wrong; 403 when who may not give roles changes who approves. */
RF_MUST_USE enum rf_kind vault_break_glass_check(const struct principal *principal,
                                                 struct authz *authz, rf_str vault_id,
                                                 const struct json_node *properties,
                                                 const struct json_node *before,
                                                 struct rf_err *err);
/* Whether a request that was approved lets the caller do call->operation now. If so the use is written down, and *id is the request's. Costs an index look-up
 * at vaults that have break-glass, else nothing. */
bool vault_approval_allows(struct vault_call *call, rf_str *id);
/* ---- between approval.c and approval_api.c ---------------------------------------------------------------------------------- */

/* What is asked for (call->body) into `out`: scope, actions, reason, minutes. 400 when it is wrong. */
RF_MUST_USE enum rf_kind vault_approval_read(struct vault_call *call, struct json_node *out,
                                             struct rf_err *err);
bool vault_approval_word(rf_str collection, rf_str word); /* whether it can be asked for */
bool vault_approval_is_approver(const struct json_node *glass, const struct principal *principal);
rf_str vault_approval_holder(struct vault_call *call, rf_str principal); /* ptr NULL: no memory */
RF_MUST_USE enum rf_kind vault_approval_put(struct vault_call *call, struct state_txn *txn,
                                            const struct json_node *node, struct rf_err *err);

/* The day's line in the log about those that nobody has reviewed. */
RF_MUST_USE enum rf_kind vault_approval_daily(struct vaults *vaults, int64_t now,
                                              struct rf_err *err);

#endif
