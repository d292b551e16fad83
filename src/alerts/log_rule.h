/* log_rule.h - a log alert rule as it is run, read from either shape of its document: properties.criteria.allOf (2021-08-01
 * and later) and properties.source, schedule, action (2018-04-16).
 *
 * Pure functions: no state, no clock, any thread. */
#ifndef RF_ALERTS_LOG_RULE_H
#define RF_ALERTS_LOG_RULE_H

#include "base/clock.h"
#include "base/json_tree.h"

enum log_aggregation { LOG_COUNT, LOG_AVERAGE, LOG_MINIMUM, LOG_MAXIMUM, LOG_TOTAL };
enum log_operator { LOG_GT, LOG_GE, LOG_LT, LOG_LE, LOG_EQ };
enum { LOG_DIMENSIONS_MAX = 6, LOG_PERIODS_MAX = 6, LOG_GROUPS_MAX = 5 };

struct log_dimension {
    rf_str name;
    bool exclude; /* all but `values` */
    bool all;     /* "*" */
    rf_str *values;
    uint32_t value_count;
};
struct log_rule {
    rf_str name, description;
    int64_t severity; /* 0..4 */
    bool enabled;
    bool fires; /* false: a kind that only makes metrics, which is kept and not run */
    bool is_old;
    bool skip_validation;
    rf_str scope; /* id of the workspace */
    rf_usec frequency, window;
    rf_usec range;  /* that the query sees */
    bool has_range; /* it was said */
    rf_str query;
    enum log_aggregation aggregation;
    rf_str measure;         /* column; empty: rows are counted */
    rf_str resource_column; /* empty: none */
    struct log_dimension dimensions[LOG_DIMENSIONS_MAX];
    uint32_t dimension_count;
    enum log_operator compare;
    double threshold;
    uint32_t periods, failing_min;
    /* metricTrigger of the old shape: how many rows, or how many on end, break the threshold. */
    bool counts_breaches, breaches_on_end;
    enum log_operator breach_operator;
    double breach_threshold;
    bool stateful; /* fires once, and is resolved */
    rf_usec resolve_after, mute;
    rf_str groups[LOG_GROUPS_MAX]; /* ids */
    uint32_t group_count;
    rf_str subject;                            /* of mails; empty: as usual */
    const struct json_node *custom_properties; /* NULL: none */
};
/* Views of the document and of `arena`. `name`: of the resource. RF_INVALID BadRequest names the member. */
RF_MUST_USE enum rf_kind log_rule_parse(const struct json_node *document, rf_str name,
                                        struct rf_arena *arena, struct log_rule *out,
                                        struct rf_err *err);
const char *log_aggregation_name(enum log_aggregation aggregation);
const char *log_operator_name(enum log_operator op);
bool log_compare(enum log_operator op, double value, double threshold);

#endif
