#include "alerts/log_rule_int.h"

#include "base/encode.h"
#include "value/text.h"

enum { QUERY_BYTES_MAX = 64 << 10, VALUES_MAX = 100, NAME_BYTES_MAX = 260 };

static const char *const aggregations[] = {"Count", "Average", "Minimum", "Maximum", "Total"};
static const char *const operators[] = {"GreaterThan", "GreaterThanOrEqual", "LessThan",
                                        "LessThanOrEqual", "Equal"};

const char *log_aggregation_name(enum log_aggregation aggregation)
{
    return aggregations[aggregation];
}
const char *log_operator_name(enum log_operator op) { return operators[op]; }

bool log_compare(enum log_operator op, double value, double threshold)
{
    switch (op) {
    case LOG_GT:
        return value > threshold;
    case LOG_GE:
        return value >= threshold;
    case LOG_LT:
        return value < threshold;
    case LOG_LE:
        return value <= threshold;
    case LOG_EQ:
        return value >= threshold && value <= threshold;
    }
    return false;
}

/* ---- small readers ------------------------------------------------------------------------------------------------- */

bool log_number_at(const struct json_node *node, const char *name, double *out)
{
    const struct json_node *number = json_get_nocase(node, rf_str_of(name));
    return json_is(number, JSON_T_NUMBER) && text_to_real(number->text, out);
}

static rf_str text_at(const struct json_node *node, const char *name)
{
    const struct json_node *text = json_get_nocase(node, rf_str_of(name));
    return json_is(text, JSON_T_STRING) ? text->text : RF_S("");
}

static bool is_absent(const struct json_node *node, const char *name)
{
    const struct json_node *member = json_get_nocase(node, rf_str_of(name));
    return member == NULL || member->type == JSON_T_NULL;
}

static enum rf_kind whole_at(const struct json_node *node, const char *name, const char *member,
                             int64_t least, int64_t most, int64_t *out, struct rf_err *err)
{
    double number;
    if (!log_number_at(node, name, &number) || number < (double)least || number > (double)most ||
        (double)(int64_t)number < number)
        return BAD_RULE(err, "'%s' must be a whole number from %lld to %lld.", member,
                        (long long)least, (long long)most);
    *out = (int64_t)number;
    return RF_OK;
}

/* Leaves *out alone when it is absent. */
static enum rf_kind duration_at(const struct json_node *node, const char *name, const char *member,
                                rf_usec *out, struct rf_err *err)
{
    rf_usec duration;
    if (is_absent(node, name)) return RF_OK;
    if (!duration_parse_iso(text_at(node, name), &duration) || duration < 0)
        return BAD_RULE(err, "'%s' must be an ISO 8601 duration such as PT5M.", member);
    *out = duration;
    return RF_OK;
}

/* Leaves *out alone when it is absent. */
static enum rf_kind bool_at(const struct json_node *node, const char *name, const char *member,
                            bool *out, struct rf_err *err)
{
    const struct json_node *truth = json_get_nocase(node, rf_str_of(name));
    if (is_absent(node, name)) return RF_OK;
    if (truth->type != JSON_T_TRUE && truth->type != JSON_T_FALSE)
        return BAD_RULE(err, "'%s' must be true or false.", member);
    *out = truth->type == JSON_T_TRUE;
    return RF_OK;
}

enum rf_kind log_operator_parse(rf_str text, const char *member, enum log_operator *out,
                                struct rf_err *err)
{
    for (size_t i = 0; i < RF_COUNT(operators); i++)
        if (rf_str_eq_nocase(text, rf_str_of(operators[i]))) {
            *out = (enum log_operator)i;
            return RF_OK;
        }
    if (rf_str_eq_nocase(text, RF_S("GreaterOrEqual"))) return *out = LOG_GE, RF_OK;
    if (rf_str_eq_nocase(text, RF_S("LessOrEqual"))) return *out = LOG_LE, RF_OK;
    return BAD_RULE(err,
                    "'%s' must be GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual or "
                    "Equal.",
                    member);
}

enum rf_kind log_groups_parse(const struct json_node *list, const char *member,
                              struct log_rule *rule, struct rf_err *err)
{
    if (list == NULL || list->type == JSON_T_NULL) return RF_OK;
    if (list->type != JSON_T_ARRAY || list->count > LOG_GROUPS_MAX)
        return BAD_RULE(err, "'%s' must be a list of at most %d action groups.", member,
                        LOG_GROUPS_MAX);
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        rf_str id = item->type == JSON_T_STRING ? item->text : RF_S("");
        /* 2021-02-01-preview had objects here, and templates of that time are around. */
        if (item->type == JSON_T_OBJECT) id = text_at(item, "actionGroupId");
        rf_str type = RF_S("/providers/microsoft.insights/actiongroups/");
        bool found = false;
        for (size_t at = 0; !found && at + type.len < id.len; at++)
            found = rf_str_eq_nocase(rf_slice(id, at, at + type.len), type);
        if (!found || id.ptr[0] != '/')
            return BAD_RULE(err, "'%s' holds '%.*s', which is no id of an action group.", member,
                            (int)RF_MIN(id.len, 200), (const char *)id.ptr);
        rule->groups[rule->group_count++] = id;
    }
    return RF_OK;
}

enum rf_kind log_scope_parse(rf_str scope, const char *member, struct log_rule *rule,
                             struct rf_err *err)
{
    rf_str type = RF_S("/providers/microsoft.operationalinsights/workspaces/");
    for (size_t at = 0; at + type.len < scope.len; at++) {
        if (!rf_str_eq_nocase(rf_slice(scope, at, at + type.len), type)) continue;
        rf_str name = rf_slice(scope, at + type.len, scope.len);
        if (rf_str_find(name, RF_S("/"), 0) != SIZE_MAX) break;
        rule->scope = scope;
        return RF_OK;
    }
    return BAD_RULE(err, "'%s' must be the id of a workspace of Microsoft.OperationalInsights.",
                    member);
}

rf_usec log_resolve_default(rf_usec frequency)
{
    if (frequency < 5 * LOG_MINUTE) return 10 * LOG_MINUTE;
    if (frequency <= 15 * LOG_MINUTE) return 3 * frequency;
    return frequency < 660 * LOG_MINUTE ? 2 * frequency : frequency;
}

enum rf_kind log_check_windows(const struct log_rule *rule, struct rf_err *err)
{
    const char *frequency = rule->is_old ? "schedule.frequencyInMinutes" : "evaluationFrequency";
    const char *window = rule->is_old ? "schedule.timeWindowInMinutes" : "windowSize";
    if (rule->frequency < LOG_MINUTE || rule->frequency > LOG_DAY)
        return BAD_RULE(err, "'properties.%s' must be from one minute to one day.", frequency);
    if (rule->window < LOG_MINUTE || rule->window > 2 * LOG_DAY)
        return BAD_RULE(err, "'properties.%s' must be from one minute to two days.", window);
    if (rule->range < rule->frequency)
        return BAD_RULE(err,
                        "'properties.%s' must not be longer than the time that the query "
                        "sees.",
                        frequency);
    return RF_OK;
}

/* ---- properties.criteria.allOf[0] --------------------------------------------------------------------------------- */

#define ALL_OF "properties.criteria.allOf[0]."

static enum rf_kind parse_dimension(const struct json_node *node, struct rf_arena *arena,
                                    struct log_dimension *out, struct rf_err *err)
{
    const struct json_node *values = json_get_nocase(node, RF_S("values"));
    rf_str how = text_at(node, "operator");
    *out = (struct log_dimension){.name = text_at(node, "name")};
    if (out->name.len == 0) return BAD_RULE(err, "'" ALL_OF "dimensions.name' is missing.");
    out->exclude = rf_str_eq_nocase(how, RF_S("Exclude"));
    if (!out->exclude && !rf_str_eq_nocase(how, RF_S("Include")))
        return BAD_RULE(err, "'" ALL_OF "dimensions.operator' must be Include or Exclude.");
    if (!json_is(values, JSON_T_ARRAY) || values->count == 0 || values->count > VALUES_MAX)
        return BAD_RULE(err, "'" ALL_OF "dimensions.values' must be a list of 1 to %d texts.",
                        VALUES_MAX);
    out->values = rf_arena_new(arena, rf_str, values->count);
    if (out->values == NULL) return rf_fail_memory(err, arena);
    for (const struct json_node *v = values->first; v != NULL; v = v->next) {
        if (v->type != JSON_T_STRING)
            return BAD_RULE(err, "'" ALL_OF "dimensions.values' must hold texts only.");
        out->all |= rf_str_is(v->text, "*");
        out->values[out->value_count++] = v->text;
    }
    if (out->all && out->exclude)
        return BAD_RULE(err, "'" ALL_OF "dimensions.values' excludes '*', which is everything.");
    return RF_OK;
}

static enum rf_kind parse_dimensions(const struct json_node *list, struct rf_arena *arena,
                                     struct log_rule *rule, struct rf_err *err)
{
    if (list == NULL || list->type == JSON_T_NULL) return RF_OK;
    if (list->type != JSON_T_ARRAY || list->count > LOG_DIMENSIONS_MAX)
        return BAD_RULE(err, "'" ALL_OF "dimensions' must be a list of at most %d.",
                        LOG_DIMENSIONS_MAX);
    for (const struct json_node *node = list->first; node != NULL; node = node->next)
        RF_TRY(parse_dimension(node, arena, &rule->dimensions[rule->dimension_count++], err));
    return RF_OK;
}

static enum rf_kind parse_aggregation(const struct json_node *node, struct log_rule *rule,
                                      struct rf_err *err)
{
    rf_str name = text_at(node, "timeAggregation");
    size_t at = 0;
    while (at < RF_COUNT(aggregations) && !rf_str_eq_nocase(name, rf_str_of(aggregations[at])))
        at++;
    if (at == RF_COUNT(aggregations))
        return BAD_RULE(err, "'" ALL_OF "timeAggregation' must be Count, Average, Minimum, Maximum "
                             "or Total.");
    rule->aggregation = (enum log_aggregation)at;
    rule->measure = text_at(node, "metricMeasureColumn");
    if (rule->aggregation != LOG_COUNT && rule->measure.len == 0)
        return BAD_RULE(err, "'" ALL_OF "metricMeasureColumn' is needed with timeAggregation %s.",
                        aggregations[at]);
    return RF_OK;
}

static enum rf_kind parse_failing(const struct json_node *node, struct log_rule *rule,
                                  struct rf_err *err)
{
    const char *of = ALL_OF "failingPeriods.numberOfEvaluationPeriods";
    const char *least = ALL_OF "failingPeriods.minFailingPeriodsToAlert";
    int64_t number = 1, failing = 1;
    if (node != NULL && node->type != JSON_T_NULL) {
        RF_TRY(whole_at(node, "numberOfEvaluationPeriods", of, 1, LOG_PERIODS_MAX, &number, err));
        RF_TRY(whole_at(node, "minFailingPeriodsToAlert", least, 1, number, &failing, err));
    }
    rule->periods = (uint32_t)number;
    rule->failing_min = (uint32_t)failing;
    return RF_OK;
}

static enum rf_kind parse_condition(const struct json_node *node, struct rf_arena *arena,
                                    struct log_rule *rule, struct rf_err *err)
{
    rf_str criterion = text_at(node, "criterionType");
    if (criterion.len > 0 && !rf_str_eq_nocase(criterion, RF_S("StaticThresholdCriterion")))
        return BAD_RULE(err, "'" ALL_OF "criterionType' must be StaticThresholdCriterion: other "
                             "thresholds are not supported.");
    rule->query = text_at(node, "query");
    if (rf_str_trim(rule->query).len == 0 || rule->query.len > QUERY_BYTES_MAX)
        return BAD_RULE(err, "'" ALL_OF "query' must be a query of at most %d bytes.",
                        QUERY_BYTES_MAX);
    if (!rule->fires) return RF_OK;
    RF_TRY(parse_aggregation(node, rule, err));
    RF_TRY(log_operator_parse(text_at(node, "operator"), ALL_OF "operator", &rule->compare, err));
    if (!log_number_at(node, "threshold", &rule->threshold))
        return BAD_RULE(err, "'" ALL_OF "threshold' must be a number.");
    rule->resource_column = text_at(node, "resourceIdColumn");
    RF_TRY(parse_dimensions(json_get_nocase(node, RF_S("dimensions")), arena, rule, err));
    return parse_failing(json_get_nocase(node, RF_S("failingPeriods")), rule, err);
}

/* ---- the rest ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind parse_times(const struct json_node *p, struct log_rule *rule,
                                struct rf_err *err)
{
    const struct json_node *resolve = json_get_nocase(p, RF_S("resolveConfiguration"));
    rule->frequency = 0;
    RF_TRY(duration_at(p, "evaluationFrequency", "properties.evaluationFrequency", &rule->frequency,
                       err));
    rule->window = rule->frequency;
    RF_TRY(duration_at(p, "windowSize", "properties.windowSize", &rule->window, err));
    rule->range = rule->window * rule->periods;
    rule->has_range = !is_absent(p, "overrideQueryTimeRange");
    RF_TRY(duration_at(p, "overrideQueryTimeRange", "properties.overrideQueryTimeRange",
                       &rule->range, err));
    if (rule->has_range && (rule->range > 2 * LOG_DAY || rule->range < rule->window))
        return BAD_RULE(err, "'properties.overrideQueryTimeRange' must be from windowSize to two "
                             "days.");
    RF_TRY(
        duration_at(p, "muteActionsDuration", "properties.muteActionsDuration", &rule->mute, err));
    RF_TRY(bool_at(p, "autoMitigate", "properties.autoMitigate", &rule->stateful, err));
    RF_TRY(bool_at(resolve, "autoResolved", "properties.resolveConfiguration.autoResolved",
                   &rule->stateful, err));
    RF_TRY(log_check_windows(rule, err));
    rule->resolve_after = log_resolve_default(rule->frequency);
    return duration_at(resolve, "timeToResolve", "properties.resolveConfiguration.timeToResolve",
                       &rule->resolve_after, err);
}

static enum rf_kind parse_scopes(const struct json_node *list, struct log_rule *rule,
                                 struct rf_err *err)
{
    if (!json_is(list, JSON_T_ARRAY) || list->count != 1 || list->first->type != JSON_T_STRING)
        return BAD_RULE(err, "'properties.scopes' must hold the id of one workspace.");
    return log_scope_parse(list->first->text, "properties.scopes[0]", rule, err);
}

static enum rf_kind parse_actions(const struct json_node *actions, struct log_rule *rule,
                                  struct rf_err *err)
{
    if (actions == NULL || actions->type == JSON_T_NULL) return RF_OK;
    /* A list of objects is what 2021-02-01-preview had. */
    if (actions->type == JSON_T_ARRAY)
        return log_groups_parse(actions, "properties.actions", rule, err);
    RF_TRY(log_groups_parse(json_get_nocase(actions, RF_S("actionGroups")),
                            "properties.actions.actionGroups", rule, err));
    const struct json_node *custom = json_get_nocase(actions, RF_S("customProperties"));
    if (custom == NULL || custom->type == JSON_T_NULL) return RF_OK;
    if (custom->type != JSON_T_OBJECT)
        return BAD_RULE(err, "'properties.actions.customProperties' must be an object of texts.");
    for (const struct json_node *m = custom->first; m != NULL; m = m->next)
        if (m->type != JSON_T_STRING)
            return BAD_RULE(err, "'properties.actions.customProperties.%.*s' must be a text.",
                            (int)RF_MIN(m->name.len, 100), (const char *)m->name.ptr);
    rule->custom_properties = custom;
    return RF_OK;
}

static enum rf_kind parse_new(const struct json_node *p, struct rf_arena *arena,
                              struct log_rule *rule, struct rf_err *err)
{
    const struct json_node *all =
        json_get_nocase(json_get_nocase(p, RF_S("criteria")), RF_S("allOf"));
    RF_TRY(bool_at(p, "enabled", "properties.enabled", &rule->enabled, err));
    RF_TRY(bool_at(p, "skipQueryValidation", "properties.skipQueryValidation",
                   &rule->skip_validation, err));
    RF_TRY(parse_scopes(json_get_nocase(p, RF_S("scopes")), rule, err));
    if (!json_is(all, JSON_T_ARRAY) || all->count != 1 || all->first->type != JSON_T_OBJECT)
        return BAD_RULE(err, "'properties.criteria.allOf' must hold one condition.");
    RF_TRY(parse_condition(all->first, arena, rule, err));
    if (!rule->fires) return RF_OK;
    RF_TRY(whole_at(p, "severity", "properties.severity", 0, 4, &rule->severity, err));
    RF_TRY(parse_times(p, rule, err));
    return parse_actions(json_get_nocase(p, RF_S("actions")), rule, err);
}

enum rf_kind log_rule_parse(const struct json_node *document, rf_str name, struct rf_arena *arena,
                            struct log_rule *out, struct rf_err *err)
{
    const struct json_node *p = json_get(document, "properties");
    rf_str kind = json_text_at(document, "kind"), display = text_at(p, "displayName");
    struct log_rule rule = {.name = display.len > 0 ? display : name,
                            .description = text_at(p, "description"),
                            .enabled = true,
                            .fires = true,
                            .stateful = true,
                            .periods = 1,
                            .failing_min = 1,
                            .is_old = json_is(json_get_nocase(p, RF_S("source")), JSON_T_OBJECT)};
    if (!json_is(p, JSON_T_OBJECT)) return BAD_RULE(err, "'properties' is missing.");
    if (rule.name.len > NAME_BYTES_MAX)
        return BAD_RULE(err, "'properties.displayName' must have at most %d bytes.",
                        NAME_BYTES_MAX);
    if (rule.is_old) {
        RF_TRY(log_rule_parse_old(p, arena, &rule, err));
    } else {
        rule.fires = !rf_str_eq_nocase(kind, RF_S("LogToMetric"));
        if (kind.len > 0 && rule.fires && !rf_str_eq_nocase(kind, RF_S("LogAlert")))
            return BAD_RULE(err, "'kind' must be LogAlert or LogToMetric.");
        RF_TRY(parse_new(p, arena, &rule, err));
    }
    *out = rule;
    return RF_OK;
}
