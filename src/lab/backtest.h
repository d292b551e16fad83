/* backtest.h - what rules would have raised over data that is there, day by day, before they are switched on. */
#ifndef RF_LAB_BACKTEST_H
#define RF_LAB_BACKTEST_H

#include "lab/rules.h"
#include "lab/world.h"

struct lab_backtest {
    const struct lab_rules *rules;
    struct source *const *sources; /* tables by their names */
    uint32_t source_count;
    const char *const *schemas; /* files and folders of further tables */
    uint32_t schema_count;
    const struct lab_functions *functions;
    const struct lab_watchlists *lists;
    bool has_from, has_to;
    rf_usec from,
        to; /* of the clock; else where the data of the rules' tables begins, and behind its end */
    rf_usec delay;
};
/* {"from","to","tables":[{"table","rows"}],"rules":[{"rule","title","path","severity","problem","runs","failures","failure",
 * "alerts","incidents","suppressed","days":[{"day","alerts","incidents","suppressed"}],"entities":[{"entity","alerts"}]}]}.
 * Grouping and suppression are applied; "suppressed" counts the alerts that would have come without it. A rule with a "problem"
 * was not run. Everything in `arena`. */
RF_MUST_USE enum rf_kind lab_backtest_run(const struct lab_backtest *backtest,
                                          struct rf_arena *arena, struct json_node **out,
                                          struct rf_err *err);

#endif
