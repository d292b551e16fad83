/* reach.h - what is denied, whatever roles give: for rights that come by another way than a role. */
#ifndef RF_AUTHZ_REACH_H
#define RF_AUTHZ_REACH_H

#include "authz/authz.h"

/* Whether a deny assignment forbids it; true also when that cannot be found out. */
bool authz_denies(struct authz *authz, const struct principal *principal, rf_str action,
                  rf_str scope, bool is_data);

#endif
