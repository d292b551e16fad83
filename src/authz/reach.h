/* reach.h - what is denied, whatever roles give: for rights that come by another way than a role; and which roles somebody has. */
#ifndef RF_AUTHZ_REACH_H
#define RF_AUTHZ_REACH_H

#include "authz/authz.h"

/* Whether a deny assignment forbids it; true also when that cannot be found out. */
bool authz_denies(struct authz *authz, const struct principal *principal, rf_str action,
                  rf_str scope, bool is_data);

/* The names of the roles that the principal or one of its groups has at `scope` or above, each once, whatever conditions or denials say; in
 * `arena`. RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind authz_roles_at(struct authz *authz, const struct principal *principal,
                                        rf_str scope, struct rf_arena *arena, rf_str **names,
                                        uint32_t *count, struct rf_err *err);

#endif
