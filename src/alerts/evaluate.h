/* evaluate.h - what the answer to a rule's query says: the value of each combination of dimensions, period by period.
 *
 * Pure functions: no state, no clock, one thread for each evaluation. */
#ifndef RF_ALERTS_EVALUATE_H
#define RF_ALERTS_EVALUATE_H

#include "alerts/log_rule.h"
#include "kql/plan.h"
#include "value/value.h"

enum { COMBINATIONS_MAX = 6000 }; /* more are left out, as Azure does */

struct combination {
    rf_str
        key; /* values of resource and dimensions, each with its length in front; empty: there are none */
    rf_str resource; /* value of resourceIdColumn; may be empty */
    rf_str values[LOG_DIMENSIONS_MAX];
    bool failing;
    bool has_value;
    double value; /* of the newest period that fails, else of the newest that has one */
};
struct evaluation;
RF_MUST_USE enum rf_kind evaluation_new(const struct log_rule *rule, struct rf_arena *arena,
                                        struct evaluation **out, struct rf_err *err);
/* Adds the rows of an answer. `period`: that they belong to, 0 the newest; below 0: TimeGenerated tells, counted back from
 * `to_ticks`. RF_INVALID BadRequest: a column that the rule names is missing or of a wrong type. */
RF_MUST_USE enum rf_kind evaluation_add(struct evaluation *evaluation, const struct schema *schema,
                                        const struct rows *rows, int64_t to_ticks, int period,
                                        struct rf_err *err);
/* In the order in which they came first. *left_out: rows of combinations above the limit. */
RF_MUST_USE enum rf_kind evaluation_end(struct evaluation *evaluation, struct combination **out,
                                        uint32_t *count, uint64_t *left_out, struct rf_err *err);
/* Whether the rule's columns are in a result, with types that can be used. */
RF_MUST_USE enum rf_kind evaluation_check(const struct log_rule *rule, const struct schema *schema,
                                          struct rf_err *err);
/* Whether rows tell their period. */
bool evaluation_has_time(const struct schema *schema);

#endif
