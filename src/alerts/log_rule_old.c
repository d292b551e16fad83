/* log_rule_old.c - the shape of 2018-04-16: properties.source, schedule, action. */
#include "alerts/log_rule_int.h"
#include "value/text.h"

static rf_str text_in(const struct json_node *node, const char *name)
{
    const struct json_node *text = json_get_nocase(node, rf_str_of(name));
    return json_is(text, JSON_T_STRING) ? text->text : RF_S("");
}

static enum rf_kind minutes_in(const struct json_node *node, const char *name, bool required,
                               rf_usec *out, struct rf_err *err)
{
    double minutes = 0;
    bool found = log_number_at(node, name, &minutes);
    if (!found && !required) return RF_OK;
    if (!found || minutes < 0 || minutes > 100000)
        return BAD_RULE(err, "'%s' must be a number of minutes.", name);
    *out = (rf_usec)minutes * LOG_MINUTE;
    return RF_OK;
}

static enum rf_kind parse_metric(const struct json_node *metric, struct rf_arena *arena,
                                 struct log_rule *rule, struct rf_err *err)
{
    rf_str type = text_in(metric, "metricTriggerType"), column = text_in(metric, "metricColumn");
    rule->counts_breaches = true;
    rule->breaches_on_end = rf_str_eq_nocase(type, RF_S("Consecutive"));
    rule->measure = RF_S("AggregatedValue");
    if (!rule->breaches_on_end && !rf_str_eq_nocase(type, RF_S("Total")))
        return BAD_RULE(err, "'properties.action.trigger.metricTrigger.metricTriggerType' must be "
                             "Consecutive or Total.");
    RF_TRY(log_operator_parse(text_in(metric, "thresholdOperator"),
                              "properties.action.trigger.metricTrigger.thresholdOperator",
                              &rule->breach_operator, err));
    if (!log_number_at(metric, "threshold", &rule->breach_threshold))
        return BAD_RULE(err,
                        "'properties.action.trigger.metricTrigger.threshold' must be a number.");
    if (column.len == 0) return RF_OK;
    rf_str *every = rf_arena_new(arena, rf_str, 1);
    if (every == NULL) return rf_fail_memory(err, arena);
    *every = RF_S("*");
    rule->dimensions[rule->dimension_count++] =
        (struct log_dimension){.name = column, .all = true, .values = every, .value_count = 1};
    return RF_OK;
}

static enum rf_kind parse_action(const struct json_node *action, struct rf_arena *arena,
                                 struct log_rule *rule, struct rf_err *err)
{
    const struct json_node *trigger = json_get_nocase(action, RF_S("trigger"));
    const struct json_node *azns = json_get_nocase(action, RF_S("aznsAction"));
    const struct json_node *metric = json_get_nocase(trigger, RF_S("metricTrigger"));
    rf_str type = text_in(action, "odata.type"), severity = text_in(action, "severity");
    rule->fires = !rf_str_ends(type, RF_S("LogToMetricAction"));
    if (!rule->fires) return RF_OK;
    if (!rf_str_ends(type, RF_S("AlertingAction")))
        return BAD_RULE(err, "'properties.action.odata.type' must name AlertingAction or "
                             "LogToMetricAction.");
    if (severity.len != 1 || severity.ptr[0] < '0' || severity.ptr[0] > '4')
        return BAD_RULE(err, "'properties.action.severity' must be a text from 0 to 4.");
    rule->severity = severity.ptr[0] - '0';
    RF_TRY(log_operator_parse(text_in(trigger, "thresholdOperator"),
                              "properties.action.trigger.thresholdOperator", &rule->compare, err));
    if (!log_number_at(trigger, "threshold", &rule->threshold))
        return BAD_RULE(err, "'properties.action.trigger.threshold' must be a number.");
    RF_TRY(minutes_in(action, "throttlingInMin", false, &rule->mute, err));
    RF_TRY(log_groups_parse(json_get_nocase(azns, RF_S("actionGroup")),
                            "properties.action.aznsAction.actionGroup", rule, err));
    rule->subject = text_in(azns, "emailSubject");
    return json_is(metric, JSON_T_OBJECT) ? parse_metric(metric, arena, rule, err) : RF_OK;
}

enum rf_kind log_rule_parse_old(const struct json_node *p, struct rf_arena *arena,
                                struct log_rule *rule, struct rf_err *err)
{
    const struct json_node *source = json_get_nocase(p, RF_S("source"));
    const struct json_node *schedule = json_get_nocase(p, RF_S("schedule"));
    rf_str enabled = text_in(p, "enabled");
    rule->enabled = !rf_str_eq_nocase(enabled, RF_S("false"));
    if (enabled.len > 0 && rule->enabled && !rf_str_eq_nocase(enabled, RF_S("true")))
        return BAD_RULE(err, "'properties.enabled' must be \"true\" or \"false\".");
    rule->stateful = json_bool_at(p, "autoMitigate", false);
    rule->query = text_in(source, "query");
    RF_TRY(log_scope_parse(text_in(source, "dataSourceId"), "properties.source.dataSourceId", rule,
                           err));
    RF_TRY(parse_action(json_get_nocase(p, RF_S("action")), arena, rule, err));
    if (!rule->fires) return RF_OK;
    if (rf_str_trim(rule->query).len == 0)
        return BAD_RULE(err, "'properties.source.query' is missing.");
    RF_TRY(minutes_in(schedule, "frequencyInMinutes", true, &rule->frequency, err));
    RF_TRY(minutes_in(schedule, "timeWindowInMinutes", true, &rule->window, err));
    rule->range = rule->window;
    rule->resolve_after = log_resolve_default(rule->frequency);
    return log_check_windows(rule, err);
}
