/* rule_type.c - log alert rules as resources. */
#include "alerts/alerts_int.h"
#include "base/encode.h"

static const char *const versions[] = {"2018-04-16",
                                       "2020-05-01-preview",
                                       "2021-02-01-preview",
                                       "2021-08-01",
                                       "2022-06-15",
                                       "2022-08-01-preview",
                                       "2023-03-15-preview",
                                       "2023-12-01",
                                       "2024-01-01-preview",
                                       "2025-01-01-preview",
                                       NULL};
static const char query_action[] = "Microsoft.OperationalInsights/workspaces/query/read";

#define BAD_REQUEST(err, ...) RF_FAIL(err, RF_INVALID, "BadRequest", __VA_ARGS__)

enum rf_kind place_of(struct arm *arm, struct state_txn *txn, rf_str workspace,
                      struct rf_arena *arena, struct place *out, struct rf_err *err)
{
    struct resource_id id;
    struct arm_resource resource;
    RF_TRY(resource_id_parse(workspace, arena, &id, err));
    RF_TRY(arm_get(arm, txn, workspace, arena, &resource, err));
    *out = (struct place){.id = resource.id,
                          .guid = json_text_at(resource.body, "properties.customerId"),
                          .name = id.name,
                          .subscription = id.subscription,
                          .group = id.group};
    if (out->guid.len > 0) return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "WorkspaceNotFound", "%.*s is no workspace",
                   RF_FMT(workspace));
}

/* ---- checking ---------------------------------------------------------------------------------------------------------- */

/* A rule asks with the program's rights and answers through its alerts: so who writes it must have them. */
static enum rf_kind check_rights(struct arm_call *call, const struct log_rule *rule,
                                 struct rf_err *err)
{
    if (call->request == NULL || call->principal == NULL) return RF_OK;
    if (!request_may(call->request, rf_str_of(query_action), rule->scope, false))
        return RF_FAIL(err, RF_DENIED, "LinkedAuthorizationFailed",
                       "The rule asks %.*s, for which the caller lacks '%s'.",
                       (int)RF_MIN(rule->scope.len, 400), (const char *)rule->scope.ptr,
                       query_action);
    for (uint32_t i = 0; i < rule->group_count; i++)
        if (!request_may(call->request, RF_S(GROUP_TYPE "/read"), rule->groups[i], false))
            return RF_FAIL(err, RF_DENIED, "LinkedAuthorizationFailed",
                           "The rule tells %.*s, which the caller may not read.",
                           (int)RF_MIN(rule->groups[i].len, 400),
                           (const char *)rule->groups[i].ptr);
    return RF_OK;
}

static enum rf_kind check_query(struct arm_call *call, const struct log_rule *rule,
                                const struct place *place, struct rf_err *err)
{
    struct alerts *alerts = call->ctx;
    struct ask_view *view;
    struct answer answer;
    struct rf_err why = {0};
    RF_TRY(ask_open(alerts->options.tables, place->guid, place->name, NULL, 0, &view, err));
    struct ask ask = {.text = rule->query, .now_ticks = ticks_of(call->now)};
    enum rf_kind kind = ask_check(view, &ask, call->arena, &answer, &why);
    if (kind == RF_OK && !answer.open && rule->fires)
        kind = evaluation_check(rule, &answer.schema, &why);
    ask_close(view);
    if (kind == RF_OK) return RF_OK;
    if (kind != RF_INVALID && kind != RF_NOT_FOUND && kind != RF_LIMIT) {
        if (err != NULL) *err = why;
        return kind;
    }
    const char *member =
        rule->is_old ? "properties.source.query" : "properties.criteria.allOf[0].query";
    if (why.line > 0)
        return BAD_REQUEST(err, "'%s' cannot be run: %s (line %u, column %u)", member, why.text,
                           why.line, why.column);
    return BAD_REQUEST(err, "'%s' cannot be run: %s", member, why.text);
}

static enum rf_kind check_workspace(struct arm_call *call, const struct log_rule *rule,
                                    struct rf_err *err)
{
    struct place place;
    struct rf_err why = {0};
    enum rf_kind kind = place_of(call->arm, call->txn, rule->scope, call->arena, &place, &why);
    if (kind == RF_NOT_FOUND || kind == RF_INVALID)
        return BAD_REQUEST(err, "The workspace %.*s, which the rule asks, does not exist.",
                           (int)RF_MIN(rule->scope.len, 400), (const char *)rule->scope.ptr);
    if (kind != RF_OK) {
        if (err != NULL) *err = why;
        return kind;
    }
    return rule->skip_validation ? RF_OK : check_query(call, rule, &place, err);
}

/* ---- the resource ------------------------------------------------------------------------------------------------------ */

static enum rf_kind fill_in(struct arm_call *call, struct arm_resource *resource,
                            const struct arm_resource *before, const struct log_rule *rule,
                            struct rf_err *err)
{
    struct json_node *p = json_get(resource->body, "properties");
    json_remove(
        p, RF_S("ringfortHealth")); /* who writes back what was shown means no more than the rule */
    rf_str version = RF_S("2021-08-01"), was = RF_S("");
    if (call->request != NULL) version = request_parameter(call->request, "api-version", NULL);
    if (before != NULL) was = json_text_at(before->body, "properties.createdWithApiVersion");
    json_set_text(call->arena, p, "createdWithApiVersion", was.len > 0 ? was : version);
    struct json_node *last;
    json_set_bool(call->arena, p, "isLegacyLogAnalyticsRule", false);
    if (rule->is_old) {
        json_set_text(call->arena, p, "provisioningState", RF_S("Succeeded"));
        last = json_set_text(call->arena, p, "lastUpdatedTime", time_iso(call->arena, call->now));
    } else {
        if (json_get(p, "enabled") == NULL) json_set_bool(call->arena, p, "enabled", true);
        if (rule->fires && json_get(p, "autoMitigate") == NULL)
            json_set_bool(call->arena, p, "autoMitigate", rule->stateful);
        last = json_set_bool(call->arena, p, "isWorkspaceAlertsStorageConfigured", false);
        if (json_text_at(resource->body, "kind").len == 0)
            last = json_set_text(call->arena, resource->body, "kind", RF_S("LogAlert"));
    }
    return last == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
}

/* A rule begins when it is made, and anew when it is enabled. */
static enum rf_kind begin_state(struct arm_call *call, const struct arm_resource *resource,
                                const struct arm_resource *before, const struct log_rule *rule,
                                struct rf_err *err)
{
    struct rule_state state;
    struct log_rule was;
    struct rf_err ignored;
    if (!rule->fires || !rule->enabled) return RF_OK;
    if (before != NULL &&
        log_rule_parse(before->body, resource->name, call->arena, &was, &ignored) == RF_OK &&
        was.fires && was.enabled && was.frequency == rule->frequency)
        return RF_OK;
    RF_TRY(rule_state_get(call->txn, resource->key, call->arena, &state, err));
    state.next_ticks = ticks_of(call->now);
    state.settled_ticks = 0;
    state.failures = 0;
    return rule_state_put(call->txn, resource->key, &state, call->arena, err);
}

static enum rf_kind put_rule(struct arm_call *call, struct arm_resource *resource,
                             const struct arm_resource *before, struct rf_err *err)
{
    struct log_rule rule;
    RF_TRY(log_rule_parse(resource->body, resource->name, call->arena, &rule, err));
    RF_TRY(check_rights(call, &rule, err));
    RF_TRY(check_workspace(call, &rule, err));
    RF_TRY(fill_in(call, resource, before, &rule, err));
    return begin_state(call, resource, before, &rule, err);
}

/* Its alerts end with it: nobody would resolve them. */
static enum rf_kind remove_rule(struct arm_call *call, struct arm_resource *resource,
                                struct rf_err *err)
{
    struct alerts *alerts = call->ctx;
    struct rule_state state;
    struct log_rule rule;
    struct resource_id scope;
    struct rf_err ignored;
    RF_TRY(rule_state_get(call->txn, resource->key, call->arena, &state, err));
    if (state.count > 0 &&
        log_rule_parse(resource->body, resource->name, call->arena, &rule, &ignored) == RF_OK &&
        resource_id_parse(rule.scope, call->arena, &scope, &ignored) == RF_OK)
        for (uint32_t i = 0; i < state.count; i++)
            if (state.series[i].alert.len > 0)
                RF_TRY(record_end(alerts, call->txn, scope.subscription, state.series[i].alert,
                                  call->now, call->arena, err));
    return rule_state_delete(call->txn, resource->key, err);
}

static void changed_rule(struct arm_call *call, struct arm_resource *resource)
{
    (void)resource;
    runners_changed(call->ctx);
}

static const char members[] =
    "displayName description severity enabled evaluationFrequency scopes "
    "targetResourceTypes windowSize overrideQueryTimeRange criteria allOf query "
    "timeAggregation metricMeasureColumn resourceIdColumn dimensions name operator "
    "values threshold failingPeriods numberOfEvaluationPeriods "
    "minFailingPeriodsToAlert muteActionsDuration actions actionGroups "
    "customProperties{} actionProperties{} checkWorkspaceAlertsStorageConfigured "
    "skipQueryValidation autoMitigate ruleResolveConfiguration autoResolved "
    "timeToResolve";

struct arm_type rule_type(struct alerts *alerts)
{
    return (struct arm_type){.name = RULE_TYPE,
                             .versions = versions,
                             .members = members,
                             .put = put_rule,
                             .remove = remove_rule,
                             .changed = changed_rule,
                             .show = rule_health_show,
                             .flags = ARM_TRACKED | ARM_NO_STATE | ARM_BODY_ETAG | ARM_STAYS,
                             .ctx = alerts};
}
