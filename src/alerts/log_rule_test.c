#include "alerts/log_rule.h"

#include "test/rf_prop.h"

#define SCOPE                                                                                      \
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w"
#define GROUP "/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/actionGroups/a"
#define CONDITION                                                                                  \
    "{\"query\":\"T\",\"timeAggregation\":\"Count\",\"operator\":\"GreaterThan\",\"threshold\":3}"
#define RULE(more, condition)                                                                      \
    "{\"properties\":{\"severity\":2,\"scopes\":[\"" SCOPE "\"],\"evaluationFrequency\":\"PT5M\"," \
    "\"windowSize\":\"PT10M\"" more ",\"criteria\":{\"allOf\":[" condition "]}}}"
#define OLD(more, trigger)                                                                         \
    "{\"properties\":{\"enabled\":\"true\",\"source\":{\"query\":\"T\",\"dataSourceId\":\"" SCOPE  \
    "\",\"queryType\":\"ResultCount\"},\"schedule\":{\"frequencyInMinutes\":15,"                   \
    "\"timeWindowInMinutes\":60},\"action\":{\"odata.type\":\"X.AlertingAction\","                 \
    "\"severity\":\"1\"" more                                                                      \
    ",\"trigger\":{\"thresholdOperator\":\"LessThan\",\"threshold\":4" trigger "}}}}"

static enum rf_kind parse(const char *text, struct rf_arena *arena, struct log_rule *out,
                          struct rf_err *err)
{
    struct json_node *document;
    cr_assert(json_parse(rf_str_of(text), arena, &document, err) == RF_OK, "%s: %s", text,
              err->text);
    return log_rule_parse(document, RF_S("name"), arena, out, err);
}

Test(log_rule, reads_the_new_shape)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct log_rule rule;
    struct rf_err err = {0};
    rf_arena_init(&arena, 1 << 20);
    cr_assert(parse(RULE("", CONDITION), &arena, &rule, &err) == RF_OK, "%s", err.text);
    cr_expect(rule.enabled && rule.fires && rule.stateful && !rule.is_old);
    cr_expect(rule.severity == 2 && rule.periods == 1 && rule.failing_min == 1);
    cr_expect(rule.frequency == 300 * RF_USEC_PER_SECOND && rule.range == rule.window);
    cr_expect(rule.resolve_after == 900 * RF_USEC_PER_SECOND);
    cr_expect(rf_str_is(rule.name, "name") && rf_str_is(rule.scope, SCOPE));
    cr_assert(
        parse(RULE(",\"displayName\":\"shown\",\"autoMitigate\":false,\"muteActionsDuration\":"
                   "\"PT30M\",\"overrideQueryTimeRange\":\"P2D\",\"actions\":{\"actionGroups\":["
                   "\"" GROUP "\"],\"customProperties\":{\"a\":\"b\"}}",
                   "{\"query\":\"T\",\"timeAggregation\":\"Average\",\"metricMeasureColumn\":\"V\","
                   "\"resourceIdColumn\":\"_ResourceId\",\"dimensions\":[{\"name\":\"C\","
                   "\"operator\":\"Exclude\",\"values\":[\"x\",\"y\"]}],\"operator\":"
                   "\"LessThanOrEqual\",\"threshold\":0.5,\"failingPeriods\":{"
                   "\"numberOfEvaluationPeriods\":4,\"minFailingPeriodsToAlert\":3}}"),
              &arena, &rule, &err) == RF_OK,
        "%s", err.text);
    cr_expect(rule.aggregation == LOG_AVERAGE && rule.compare == LOG_LE);
    cr_expect(rule.dimension_count == 1 && rule.dimensions[0].exclude);
    cr_expect(rule.dimensions[0].value_count == 2 && rule.periods == 4 && rule.failing_min == 3);
    cr_expect(!rule.stateful && rule.mute == 1800 * RF_USEC_PER_SECOND && rule.has_range);
    cr_expect(rule.range == 172800 * RF_USEC_PER_SECOND && rule.group_count == 1);
    cr_expect(rule.custom_properties != NULL && rf_str_is(rule.name, "shown"));
}

Test(log_rule, reads_the_old_shape)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct log_rule rule;
    struct rf_err err = {0};
    rf_arena_init(&arena, 1 << 20);
    cr_assert(parse(OLD(",\"throttlingInMin\":20,\"aznsAction\":{\"actionGroup\":[\"" GROUP
                        "\"],\"emailSubject\":\"hey\"}",
                        ""),
                    &arena, &rule, &err) == RF_OK,
              "%s", err.text);
    cr_expect(rule.is_old && !rule.stateful && rule.severity == 1 && rule.compare == LOG_LT);
    cr_expect(rule.mute == 1200 * RF_USEC_PER_SECOND && rule.group_count == 1);
    cr_expect(rule.range == 3600 * RF_USEC_PER_SECOND && rf_str_is(rule.subject, "hey"));
    cr_assert(parse(OLD("", ",\"metricTrigger\":{\"thresholdOperator\":\"GreaterThan\","
                            "\"threshold\":2,\"metricTriggerType\":\"Consecutive\","
                            "\"metricColumn\":\"Computer\"}"),
                    &arena, &rule, &err) == RF_OK,
              "%s", err.text);
    cr_expect(rule.counts_breaches && rule.breaches_on_end && rule.breach_operator == LOG_GT);
    cr_expect(rule.dimension_count == 1 && rule.dimensions[0].all);
    cr_expect(rf_str_is(rule.measure, "AggregatedValue"));
}

Test(log_rule, names_the_member_that_is_wrong)
{
    static const struct {
        const char *text, *named;
    } rows[] = {
        {"{}", "'properties'"},
        {"{\"kind\":\"Odd\",\"properties\":{}}", "'kind'"},
        {"{\"properties\":{\"scopes\":[]}}", "properties.scopes"},
        {"{\"properties\":{\"scopes\":[\"/subscriptions/s\"]}}", "properties.scopes[0]"},
        {RULE("", ""), "properties.criteria.allOf"},
        {RULE("", CONDITION "," CONDITION), "properties.criteria.allOf"},
        {RULE("", "{\"query\":\" \"}"), "allOf[0].query"},
        {RULE("", "{\"query\":\"T\"}"), "allOf[0].timeAggregation"},
        {RULE("", "{\"query\":\"T\",\"timeAggregation\":\"Average\"}"), "metricMeasureColumn"},
        {RULE("", "{\"query\":\"T\",\"timeAggregation\":\"Count\",\"operator\":\"x\"}"),
         "allOf[0].operator"},
        {RULE("", "{\"query\":\"T\",\"timeAggregation\":\"Count\",\"operator\":\"Equal\"}"),
         "allOf[0].threshold"},
        {RULE("", "{\"query\":\"T\",\"timeAggregation\":\"Count\",\"operator\":\"Equal\","
                  "\"threshold\":1,\"criterionType\":\"DynamicThresholdCriterion\"}"),
         "criterionType"},
        {RULE("", "{\"query\":\"T\",\"timeAggregation\":\"Count\",\"operator\":\"Equal\","
                  "\"threshold\":1,\"failingPeriods\":{\"numberOfEvaluationPeriods\":2,"
                  "\"minFailingPeriodsToAlert\":3}}"),
         "minFailingPeriodsToAlert"},
        {RULE("", "{\"query\":\"T\",\"timeAggregation\":\"Count\",\"operator\":\"Equal\","
                  "\"threshold\":1,\"dimensions\":[{\"name\":\"a\",\"operator\":\"In\"}]}"),
         "dimensions.operator"},
        {RULE(",\"muteActionsDuration\":\"5m\"", CONDITION), "muteActionsDuration"},
        {RULE(",\"enabled\":1", CONDITION), "properties.enabled"},
        {RULE(",\"overrideQueryTimeRange\":\"P3D\"", CONDITION), "overrideQueryTimeRange"},
        {RULE(",\"actions\":{\"actionGroups\":[\"x\"]}", CONDITION), "actions.actionGroups"},
        {RULE(",\"actions\":{\"customProperties\":{\"a\":1}}", CONDITION), "customProperties.a"},
        {OLD(",\"throttlingInMin\":\"x\"", ",\"metricTrigger\":{}"), "metricTriggerType"},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct log_rule rule;
        struct rf_err err = {0};
        rf_arena_init(&arena, 1 << 20);
        cr_expect(parse(rows[i].text, &arena, &rule, &err) == RF_INVALID, "%s", rows[i].text);
        cr_expect(strstr(err.text, rows[i].named) != NULL, "%s: %s", rows[i].text, err.text);
        cr_expect_str_eq(err.code, "BadRequest");
    }
}
