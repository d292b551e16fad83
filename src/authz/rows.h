/* rows.h - which rows of a table a principal may read: what its assignments' conditions leave when all but the row is known
 * (Azure's granular RBAC: @Resource[Microsoft.OperationalInsights/workspaces/tables/record:Column] StringEquals 'x').
 *
 * A tree of AND and OR over comparisons of columns with texts; there is no NOT, as each comparison knows its opposite. Where a
 * condition asks what is not known here, its part of the tree is ROWS_NONE, also under a negation. */
#ifndef RF_ROWS_H
#define RF_ROWS_H

#include "authz/authz.h"

enum rows_kind { ROWS_NONE, ROWS_ALL, ROWS_AND, ROWS_OR, ROWS_COMPARE, ROWS_FILLED };
enum rows_compare { ROWS_EQUAL, ROWS_HAS_TERM, ROWS_STARTS };

struct row_access {
    enum rows_kind kind;
    const struct row_access *left, *right; /* AND, OR: chains lean to the left */
    rf_str column; /* COMPARE, FILLED (not empty): exactly as the condition spells it */
    enum rows_compare compare;
    bool nocase, negated; /* FILLED with negated: empty */
    bool all;             /* every value must fit, else one */
    rf_str *values;       /* COMPARE: at least one */
    uint32_t value_count;
};

/* The union of what the principal's assignments give of a data action at `scope`; ROWS_NONE when they give nothing or a deny
 * assignment forbids it. Allocates in `arena`. Errors: what the state says, RF_LIMIT MemoryBudgetExceeded; nobody may read
 * anything then. Cost as authz_check. Any thread. */
RF_MUST_USE enum rf_kind authz_rows(struct authz *authz, const struct principal *principal,
                                    rf_str action, rf_str scope, struct rf_arena *arena,
                                    const struct row_access **out, struct rf_err *err);

#endif
