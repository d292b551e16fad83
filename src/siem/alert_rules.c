/* alert_rules.c - analytics rules as resources: Microsoft.SecurityInsights/alertRules, their runs on demand, and the actions
 * attached to them. */
#include "base/encode.h"
#include "siem/siem_int.h"

static const char *const versions[] = {"2019-01-01-preview", "2020-01-01", "2021-10-01",
                                       "2022-09-01-preview", "2023-02-01", "2024-03-01",
                                       "2024-10-01-preview", "2025-09-01", NULL};
static const char *const other_kinds[] = {"Fusion", "MLBehaviorAnalytics", "ThreatIntelligence",
                                          "MicrosoftSecurityIncidentCreation"};

#define BAD_RULE(err, ...) RF_FAIL(err, RF_INVALID, "BadRequest", __VA_ARGS__)

/* ---- checking -------------------------------------------------------------------------------------------------------------- */

/* The GUID of the workspace that the rule stands on. */
static enum rf_kind workspace_of(struct arm_call *call, rf_str id, rf_str *guid, rf_str *name,
                                 struct rf_err *err)
{
    struct resource_id rule, scope;
    struct arm_resource workspace;
    RF_TRY(resource_id_parse(id, call->arena, &rule, err));
    RF_TRY(resource_id_parse(rule.scope, call->arena, &scope, err));
    if (!rf_str_eq_nocase(scope.type, RF_S("Microsoft.OperationalInsights/workspaces")))
        return BAD_RULE(err, "An analytics rule stands on a workspace, not on %.*s.",
                        RF_FMT(rule.scope));
    RF_TRY(arm_get(call->arm, call->txn, rule.scope, call->arena, &workspace, err));
    *guid = json_text_at(workspace.body, "properties.customerId");
    *name = scope.name;
    return RF_OK;
}

static bool has_word(rf_str text, const char *word)
{
    return rf_str_find(text, rf_str_of(word), 0) != SIZE_MAX;
}

/* Every column that the rule names must be in the result, unless the columns depend on data. */
static enum rf_kind check_columns(const struct rule *rule, const struct answer *answer,
                                  struct rf_err *err)
{
    rf_str column;
    const char *what;
    for (uint32_t i = 0; !answer->open && rule_column(rule, i, &column, &what); i++)
        if (schema_find(&answer->schema, column) < 0)
            return BAD_RULE(err, "The query's result has no column '%.*s', which %s names.",
                            RF_FMT(column), what);
    return RF_OK;
}

static enum rf_kind check_query(struct arm_call *call, const struct rule *rule, rf_str id,
                                struct rf_err *err)
{
    struct siem *siem = call->ctx;
    rf_str guid, name;
    struct ask_view *view;
    struct answer answer;
    struct rf_err why = {0};
    RF_TRY(workspace_of(call, id, &guid, &name, err));
    if (has_word(rule->query, "search *") || has_word(rule->query, "union *"))
        return BAD_RULE(err, "The query of a rule may hold neither 'search *' nor 'union *'.");
    RF_TRY(ask_open(siem->options.tables, guid, name, NULL, 0, &view, err));
    struct ask ask = {.text = rule->query, .now_ticks = ticks_of(call->now)};
    enum rf_kind kind = ask_check(view, &ask, call->arena, &answer, &why);
    if (kind == RF_OK) kind = check_columns(rule, &answer, &why);
    ask_close(view);
    if (kind == RF_OK) return RF_OK;
    if (kind != RF_INVALID && kind != RF_NOT_FOUND && kind != RF_LIMIT) {
        if (err != NULL) *err = why;
        return kind;
    }
    if (why.line > 0)
        return BAD_RULE(err, "The query cannot be run: %s (line %u, column %u)", why.text, why.line,
                        why.column);
    return BAD_RULE(err, "The query cannot be run: %s", why.text);
}

/* ---- the resource ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_kind(const struct arm_resource *resource,
                               const struct arm_resource *before, bool *ours, struct rf_err *err)
{
    rf_str kind = json_text_at(resource->body, "kind");
    *ours = rf_str_is(kind, "Scheduled") || rf_str_is(kind, "NRT");
    if (before != NULL && !rf_str_eq(kind, json_text_at(before->body, "kind")))
        return RF_FAIL(err, RF_CONFLICT, "Conflict", "The kind of a rule cannot change.");
    for (size_t i = 0; i < RF_COUNT(other_kinds) && !*ours; i++)
        if (rf_str_is(kind, other_kinds[i])) return RF_OK;
    if (*ours) return RF_OK;
    return BAD_RULE(err, "A rule's kind is Scheduled, NRT, Fusion, MLBehaviorAnalytics, "
                         "ThreatIntelligence or MicrosoftSecurityIncidentCreation.");
}

/* A rule begins with its creation, and anew when it is enabled: what came before is nothing to it. */
static enum rf_kind begin_position(struct arm_call *call, const struct arm_resource *resource,
                                   const struct arm_resource *before, const struct rule *rule,
                                   struct rf_err *err)
{
    bool was_enabled = before != NULL && json_bool_at(before->body, "properties.enabled", false);
    if (was_enabled || !rule->enabled) return RF_OK;
    struct position position = {0};
    if (before != NULL) RF_TRY(position_get(call->txn, resource->key, call->arena, &position, err));
    position.next_ticks = ticks_of(RF_MAX(call->now, rule->start_usec));
    position.settled_ticks = 0;
    position.place_count = 0;
    position.failures = 0;
    return position_put(call->txn, resource->key, &position, call->arena, err);
}

static enum rf_kind put_rule(struct arm_call *call, struct arm_resource *resource,
                             const struct arm_resource *before, struct rf_err *err)
{
    struct rule rule;
    bool ours;
    struct json_node *properties = json_get(resource->body, "properties");
    if (!json_is(properties, JSON_T_OBJECT)) return BAD_RULE(err, "A rule needs 'properties'.");
    RF_TRY(check_kind(resource, before, &ours, err));
    if (json_set_text(call->arena, properties, "lastModifiedUtc",
                      time_iso(call->arena, call->now)) == NULL)
        return rf_fail_memory(err, call->arena);
    if (!ours) return RF_OK;
    RF_TRY(rule_defaults(resource->body, call->arena, err));
    RF_TRY(rule_parse(resource->body, resource->name, call->arena, &rule, err));
    /* A rule that is only disabled need not bind any more: its tables may be gone. */
    if (rule.enabled || before == NULL) RF_TRY(check_query(call, &rule, resource->id, err));
    return begin_position(call, resource, before, &rule, err);
}

static enum rf_kind remove_rule(struct arm_call *call, struct arm_resource *resource,
                                struct rf_err *err)
{
    enum rf_kind kind = state_delete(call->txn, "siem.position", resource->key, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

static void changed_rule(struct arm_call *call, struct arm_resource *resource)
{
    struct siem *siem = call->ctx;
    (void)resource;
    engine_changed(siem->engine);
}

static enum rf_kind trigger_run(struct arm_call *call, struct arm_resource *resource,
                                struct rf_err *err)
{
    struct siem *siem = call->ctx;
    struct json_node *body;
    rf_usec at = call->now;
    rf_str kind = json_text_at(resource->body, "kind");
    RF_TRY(request_json(call->request, true, &body, err));
    rf_str text = json_text_at(body, "properties.executionTimeUtc");
    if (text.len > 0 && !time_parse_iso(text, &at))
        return BAD_RULE(err, "'executionTimeUtc' must be a time such as 2026-01-31T12:00:00Z.");
    if (!rf_str_is(kind, "Scheduled"))
        return BAD_RULE(err, "Only rules of the kind Scheduled run on demand.");
    RF_TRY(engine_run_on_demand(siem->engine, resource->key, at, err));
    return request_answer_empty(call->request, 202);
}

static const struct arm_action rule_actions[] = {
    {.name = "triggerRuleRun", .method = HTTP_POST, .run = trigger_run}};

/* A playbook that an alert of the rule starts, in the classic way. */
static enum rf_kind put_action(struct arm_call *call, struct arm_resource *resource,
                               const struct arm_resource *before, struct rf_err *err)
{
    (void)call, (void)before;
    if (json_text_at(resource->body, "properties.logicAppResourceId").len > 0) return RF_OK;
    return BAD_RULE(err, "An action needs 'logicAppResourceId'.");
}

static const char rule_members[] =
    "enabled displayName description severity query queryFrequency queryPeriod "
    "triggerOperator triggerThreshold suppressionDuration suppressionEnabled tactics "
    "techniques subTechniques alertRuleTemplateName templateVersion "
    "incidentConfiguration createIncident groupingConfiguration reopenClosedIncident "
    "lookbackDuration matchingMethod groupByEntities groupByAlertDetails "
    "groupByCustomDetails eventGroupingSettings aggregationKind alertDetailsOverride "
    "alertDisplayNameFormat alertDescriptionFormat alertTacticsColumnName "
    "alertSeverityColumnName alertDynamicProperties alertProperty value "
    "customDetails{} entityMappings entityType fieldMappings identifier columnName "
    "sentinelEntitiesMappings productFilter severitiesFilter displayNamesFilter "
    "displayNamesExcludeFilter";

uint32_t alert_rule_types(struct siem *siem, struct arm_type *out)
{
    out[0] = (struct arm_type){.name = "Microsoft.SecurityInsights/alertRules",
                               .versions = versions,
                               .members = rule_members,
                               .flags = ARM_EXTENSION | ARM_BODY_ETAG | ARM_NO_STATE | ARM_STAYS,
                               .put = put_rule,
                               .remove = remove_rule,
                               .changed = changed_rule,
                               .actions = rule_actions,
                               .action_count = RF_COUNT(rule_actions),
                               .ctx = siem};
    out[1] = (struct arm_type){.name = "Microsoft.SecurityInsights/alertRules/actions",
                               .versions = versions,
                               .flags = ARM_EXTENSION | ARM_BODY_ETAG | ARM_NO_STATE,
                               .put = put_action,
                               .ctx = siem};
    return 2;
}
