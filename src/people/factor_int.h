/* factor_int.h - what the files of factors share. */
#ifndef RF_FACTOR_INT_H
#define RF_FACTOR_INT_H

#include "base/encode.h"
#include "crypt/digest.h"
#include "people/factor.h"

RF_MUST_USE enum rf_kind factors_of_kind(struct state_txn *txn, rf_str user, const char *kind,
                                         struct rf_arena *arena, struct factor_list *out,
                                         struct rf_err *err);
/* A body with id, displayName, createdDateTime; NULL on lack of memory. */
struct json_node *factor_new(struct rf_arena *arena, rf_str display_name, rf_usec now, rf_str *id);

#endif
