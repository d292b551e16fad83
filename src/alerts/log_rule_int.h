/* log_rule_int.h - what the readers of both shapes share. */
#ifndef RF_ALERTS_LOG_RULE_INT_H
#define RF_ALERTS_LOG_RULE_INT_H

#include "alerts/log_rule.h"

#define BAD_RULE(err, ...) RF_FAIL(err, RF_INVALID, "BadRequest", __VA_ARGS__)
#define LOG_MINUTE (60 * RF_USEC_PER_SECOND)
#define LOG_DAY (1440 * LOG_MINUTE)

/* False when it is absent or no number. */
bool log_number_at(const struct json_node *node, const char *name, double *out);
RF_MUST_USE enum rf_kind log_operator_parse(rf_str text, const char *member, enum log_operator *out,
                                            struct rf_err *err);
RF_MUST_USE enum rf_kind log_groups_parse(const struct json_node *list, const char *member,
                                          struct log_rule *rule, struct rf_err *err);
RF_MUST_USE enum rf_kind log_scope_parse(rf_str scope, const char *member, struct log_rule *rule,
                                         struct rf_err *err);
RF_MUST_USE enum rf_kind log_check_windows(const struct log_rule *rule, struct rf_err *err);
/* How long a condition must not be met before its alert is resolved, when the rule does not say. */
rf_usec log_resolve_default(rf_usec frequency);
RF_MUST_USE enum rf_kind log_rule_parse_old(const struct json_node *properties,
                                            struct rf_arena *arena, struct log_rule *rule,
                                            struct rf_err *err);

#endif
