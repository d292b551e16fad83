/* record.c - alerts as objects, their rows, and how receivers are told of them. */
#include "alerts/alerts_int.h"
#include "base/encode.h"
#include "base/json_out.h"
#include "value/text.h"

#define MONITORING_SERVICE "Log Alerts V2"
enum { SWEEP_MAX = 1000 };

/* ---- state -------------------------------------------------------------------------------------------------------------- */

rf_str record_key(struct rf_arena *arena, rf_str subscription, rf_str alert)
{
    rf_str text = rf_arena_printf(arena, "%.*s/%.*s", RF_FMT(subscription), RF_FMT(alert));
    return text.ptr == NULL ? text : resource_key(arena, text);
}

enum rf_kind record_get(struct state_txn *txn, rf_str key, struct rf_arena *arena,
                        struct json_node **out, struct rf_err *err)
{
    struct state_object object;
    RF_TRY(state_get(txn, ALERT_SPACE, key, arena, &object, err));
    return json_parse(object.body, arena, out, err);
}

enum rf_kind record_put(struct state_txn *txn, rf_str key, struct json_node *document,
                        struct rf_arena *arena, struct rf_err *err)
{
    rf_str text = json_to_text(arena, document);
    rf_str rule = resource_key(arena, json_text_at(document, "properties.essentials.alertRule"));
    if (text.ptr == NULL || rule.ptr == NULL || key.ptr == NULL) return rf_fail_memory(err, arena);
    const struct state_index index = {.name = "rule", .value = rule};
    const struct state_put put = {
        .space = ALERT_SPACE, .key = key, .body = text, .indexes = &index, .index_count = 1};
    return state_put(txn, &put, NULL, NULL, err);
}

enum rf_kind record_note(struct json_node *document, const char *event, const char *from,
                         const char *to, rf_str who, rf_str comment, rf_usec now,
                         struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *list = json_get(document, "history");
    struct json_node *item = json_new(arena, JSON_T_OBJECT);
    if (list == NULL)
        list = json_set(arena, document, RF_S("history"), json_new(arena, JSON_T_ARRAY));
    json_set_text(arena, item, "modificationEvent", rf_str_of(event));
    json_set_text(arena, item, "oldValue", rf_str_of(from));
    json_set_text(arena, item, "newValue", rf_str_of(to));
    json_set_text(arena, item, "modifiedAt", time_iso(arena, now));
    json_set_text(arena, item, "modifiedBy", who);
    json_set_text(arena, item, "comments", comment);
    if (json_set_text(arena, item, "description", RF_S("")) == NULL ||
        json_append(list, item) == NULL)
        return rf_fail_memory(err, arena);
    return RF_OK;
}

static bool is_over(const char *space, const struct state_object *object, rf_usec now)
{
    if (strcmp(space, TEST_SPACE) == 0) return now - object->changed_usec > NOTICE_LIFE_USEC;
    rf_str fired = RF_S("\"monitorCondition\":\"Fired\"");
    return now - object->changed_usec > ALERT_KEEP_USEC &&
           rf_str_find(object->body, fired, 0) == SIZE_MAX;
}

static enum rf_kind sweep_space(struct state *state, const char *space, rf_usec now,
                                struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_str after = {0};
    rf_arena_init(&arena, (size_t)1 << 30);
    for (bool more = true; more;) {
        RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
        const struct state_scan scan = {.space = space, .after = after, .limit = SWEEP_MAX};
        struct state_list list;
        RF_TRY(state_begin_write(state, &txn, err));
        RF_TRY(state_list(txn, &scan, &arena, &list, err));
        for (uint32_t i = 0; i < list.count; i++) {
            after = list.items[i].key;
            if (is_over(space, &list.items[i], now)) RF_TRY(state_delete(txn, space, after, err));
        }
        more = list.more;
        RF_TRY(state_finish(&txn, err));
    }
    return RF_OK;
}

enum rf_kind record_sweep(struct state *state, rf_usec now, struct rf_err *err)
{
    RF_TRY(sweep_space(state, ALERT_SPACE, now, err));
    return sweep_space(state, TEST_SPACE, now, err);
}

/* ---- what an alert says ------------------------------------------------------------------------------------------------ */

static rf_str number_text(struct rf_arena *arena, double number)
{
    struct rf_buf buf = rf_buf_in(arena);
    text_put_real(&buf, number, false);
    return rf_buf_view(&buf);
}

static rf_str duration_text(struct rf_arena *arena, rf_usec duration)
{
    int64_t minutes = duration / (60 * RF_USEC_PER_SECOND);
    if (minutes % 1440 == 0) return rf_arena_printf(arena, "P%lldD", (long long)minutes / 1440);
    if (minutes % 60 == 0) return rf_arena_printf(arena, "PT%lldH", (long long)minutes / 60);
    return rf_arena_printf(arena, "PT%lldM", (long long)minutes);
}

static rf_str query_link(const struct rule_run *run, rf_str from, rf_str to)
{
    rf_str query = percent_encode(run->arena, run->rule->query);
    const struct site *site = run->alerts->options.site;
    return rf_arena_printf(
        run->arena, "%.*s/v1/workspaces/%.*s/query?query=%.*s&timespan=%.*s/%.*s",
        RF_FMT(site->origin), RF_FMT(run->place.guid), RF_FMT(query), RF_FMT(from), RF_FMT(to));
}

static struct json_node *dimensions_of(const struct rule_run *run, const struct combination *what)
{
    struct rf_arena *arena = run->arena;
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    for (uint32_t i = 0; i < run->rule->dimension_count; i++) {
        struct json_node *item = json_new(arena, JSON_T_OBJECT);
        json_set_text(arena, item, "name", run->rule->dimensions[i].name);
        json_set_text(arena, item, "value", what->values[i]);
        json_append(list, item);
    }
    if (what->resource.len > 0) {
        struct json_node *item = json_new(arena, JSON_T_OBJECT);
        json_set_text(arena, item, "name", run->rule->resource_column);
        json_set_text(arena, item, "value", what->resource);
        json_append(list, item);
    }
    return list;
}

static struct json_node *condition_of(const struct rule_run *run, const struct combination *what,
                                      rf_str from, rf_str to)
{
    const struct log_rule *rule = run->rule;
    struct rf_arena *arena = run->arena;
    rf_str link = query_link(run, from, to);
    struct json_node *c = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, c, "searchQuery", rule->query);
    json_set(arena, c, RF_S("metricMeasureColumn"),
             rule->measure.len > 0 ? json_new_text(arena, rule->measure)
                                   : json_new(arena, JSON_T_NULL));
    json_set_text(arena, c, "targetResourceTypes",
                  RF_S("['Microsoft.OperationalInsights/workspaces']"));
    json_set_text(arena, c, "operator", rf_str_of(log_operator_name(rule->compare)));
    json_set_text(arena, c, "threshold", number_text(arena, rule->threshold));
    json_set_text(arena, c, "timeAggregation", rf_str_of(log_aggregation_name(rule->aggregation)));
    json_set(arena, c, RF_S("dimensions"), dimensions_of(run, what));
    struct json_node *value = json_new(arena, what->has_value ? JSON_T_NUMBER : JSON_T_NULL);
    if (value != NULL && what->has_value) value->text = number_text(arena, what->value);
    json_set(arena, c, RF_S("metricValue"), value);
    struct json_node *failing = json_new(arena, JSON_T_OBJECT);
    json_set_i64(arena, failing, "numberOfEvaluationPeriods", rule->periods);
    json_set_i64(arena, failing, "minFailingPeriodsToAlert", rule->failing_min);
    json_set(arena, c, RF_S("failingPeriods"), failing);
    json_set_text(arena, c, "linkToSearchResultsUI", link);
    json_set_text(arena, c, "linkToFilteredSearchResultsUI", link);
    json_set_text(arena, c, "linkToSearchResultsAPI", link);
    json_set_text(arena, c, "linkToFilteredSearchResultsAPI", link);
    return c;
}

static struct json_node *context_of(const struct rule_run *run, const struct combination *what)
{
    struct rf_arena *arena = run->arena;
    rf_usec to = usec_of(run->to_ticks);
    rf_str end = time_iso(arena, to), begin = time_iso(arena, to - run->rule->range);
    struct json_node *context = json_new(arena, JSON_T_OBJECT);
    struct json_node *all = json_new(arena, JSON_T_ARRAY);
    const struct json_node *custom = run->rule->custom_properties;
    json_set(arena, context, RF_S("properties"),
             custom == NULL ? json_new(arena, JSON_T_OBJECT) : json_clone(arena, custom));
    json_set_text(arena, context, "conditionType", RF_S("LogQueryCriteria"));
    struct json_node *condition = json_object_in(arena, context, "condition");
    json_set_text(arena, condition, "windowSize", duration_text(arena, run->rule->window));
    json_append(all, condition_of(run, what, begin, end));
    json_set(arena, condition, RF_S("allOf"), all);
    json_set_text(arena, condition, "windowStartTime", begin);
    json_set_text(arena, condition, "windowEndTime", end);
    return context;
}

static void put_target(struct json_node *essentials, const struct rule_run *run,
                       const struct combination *what)
{
    struct rf_arena *arena = run->arena;
    struct resource_id id;
    rf_str target = what->resource.len > 0 ? what->resource : run->place.id;
    json_set_text(arena, essentials, "targetResource", target);
    if (target.ptr[0] != '/' || resource_id_parse(target, arena, &id, NULL) != RF_OK) {
        json_set_text(arena, essentials, "targetResourceName", target);
        return;
    }
    json_set_text(arena, essentials, "targetResourceName", id.name);
    json_set_text(arena, essentials, "targetResourceGroup", id.group);
    json_set_text(arena, essentials, "targetResourceType", id.type);
}

static struct json_node *document_of(const struct rule_run *run, const struct firing *firing)
{
    struct rf_arena *arena = run->arena;
    struct json_node *document = json_new(arena, JSON_T_OBJECT);
    rf_str now = time_iso(arena, run->now);
    struct json_node *properties = json_object_in(arena, document, "properties");
    struct json_node *e = json_object_in(arena, properties, "essentials");
    json_set_text(arena, e, "severity",
                  rf_arena_printf(arena, "Sev%lld", (long long)run->rule->severity));
    json_set_text(arena, e, "signalType", RF_S("Log"));
    json_set_text(arena, e, "alertState", RF_S("New"));
    json_set_text(arena, e, "monitorCondition", RF_S("Fired"));
    json_set_text(arena, e, "monitorService", RF_S(MONITORING_SERVICE));
    put_target(e, run, firing->what);
    json_set_text(arena, e, "sourceCreatedId", firing->alert);
    json_set_text(arena, e, "alertRule", run->rule_id);
    json_set_text(arena, e, "startDateTime", now);
    json_set_text(arena, e, "lastModifiedDateTime", now);
    json_set_text(arena, e, "lastModifiedUserName", RF_S("System"));
    json_set_text(arena, e, "description", run->rule->description);
    json_set_bool(arena, json_object_in(arena, e, "actionStatus"), "isSuppressed", !firing->tells);
    json_set(arena, properties, RF_S("context"), context_of(run, firing->what));
    (void)json_object_in(arena, properties, "egressConfig");
    json_set_text(arena, document, "id",
                  rf_arena_printf(arena, "/subscriptions/%.*s/providers/" ALERT_TYPE "/%.*s",
                                  RF_FMT(run->place.subscription), RF_FMT(firing->alert)));
    json_set_text(arena, document, "type", RF_S(ALERT_TYPE));
    json_set_text(arena, document, "name", run->rule->name);
    return json_set_text(arena, document, "workspace", run->place.guid) == NULL ? NULL : document;
}

/* ---- told in another shape -------------------------------------------------------------------------------------------- */

static struct json_node *list_of(struct rf_arena *arena, rf_str text)
{
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    json_append(list, json_new_text(arena, text));
    return list;
}

rf_str record_payload(const struct json_node *document, const struct json_node *custom_properties,
                      struct rf_arena *arena)
{
    static const char *const same[] = {"severity", "signalType", "monitorCondition", "description"};
    const struct json_node *from = json_at(document, "properties.essentials");
    struct json_node *root = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, root, "schemaId", RF_S("azureMonitorCommonAlertSchema"));
    struct json_node *data = json_object_in(arena, root, "data");
    struct json_node *e = json_object_in(arena, data, "essentials");
    rf_str target = json_text_at(from, "targetResource");
    rf_str resolved = json_text_at(from, "monitorConditionResolvedDateTime");
    json_set_text(arena, e, "alertId", json_text_at(document, "id"));
    json_set_text(arena, e, "alertRule", json_text_at(document, "name"));
    json_set_text(arena, e, "alertRuleID", json_text_at(from, "alertRule"));
    for (size_t i = 0; i < RF_COUNT(same); i++)
        json_set_text(arena, e, same[i], json_text_at(from, same[i]));
    json_set_text(arena, e, "monitoringService", RF_S(MONITORING_SERVICE));
    json_set(arena, e, RF_S("alertTargetIDs"), list_of(arena, resource_key(arena, target)));
    json_set(arena, e, RF_S("configurationItems"), list_of(arena, target));
    json_set_text(arena, e, "originAlertId", json_text_at(from, "sourceCreatedId"));
    json_set_text(arena, e, "firedDateTime", json_text_at(from, "startDateTime"));
    if (resolved.len > 0) json_set_text(arena, e, "resolvedDateTime", resolved);
    json_set_text(arena, e, "essentialsVersion", RF_S("1.0"));
    json_set_text(arena, e, "alertContextVersion", RF_S("1.0"));
    json_set(arena, data, RF_S("alertContext"),
             json_clone(arena, json_at(document, "properties.context")));
    if (custom_properties != NULL)
        json_set(arena, data, RF_S("customProperties"), json_clone(arena, custom_properties));
    return json_to_text(arena, root);
}

enum rf_kind record_row(struct state_txn *txn, const struct json_node *document, rf_usec now,
                        struct rf_arena *arena, struct rf_err *err)
{
    const struct json_node *e = json_at(document, "properties.essentials");
    const struct json_node *all = json_at(document, "properties.context.condition.allOf");
    const struct json_node *c = json_is(all, JSON_T_ARRAY) ? all->first : NULL;
    const struct json_node *context = json_at(document, "properties.context");
    double value;
    rf_str state = json_text_at(e, "monitorCondition");
    rf_str alert = json_text_at(e, "sourceCreatedId"), time = time_iso(arena, now);
    rf_str id =
        rf_arena_printf(arena, "%.*s|%.*s|%lld", RF_FMT(alert), RF_FMT(state), (long long)now);
    struct json_node *row = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, row, "TimeGenerated", time);
    json_set_text(arena, row, "AlertId", alert);
    json_set_text(arena, row, "AlertRuleId", json_text_at(e, "alertRule"));
    json_set_text(arena, row, "AlertRuleInstanceId", id);
    json_set_text(arena, row, "AlertName", json_text_at(document, "name"));
    json_set_text(arena, row, "AlertDescription", json_text_at(e, "description"));
    json_set_text(arena, row, "AlertSeverity", json_text_at(e, "severity"));
    json_set_text(arena, row, "AlertState", json_text_at(e, "alertState"));
    json_set_text(arena, row, "StatusDescription", state);
    json_set_text(arena, row, "AlertContext", json_to_text(arena, context));
    json_set_text(arena, row, "AlertTypeDescription", RF_S(MONITORING_SERVICE));
    json_set_text(arena, row, "Query", json_text_at(c, "searchQuery"));
    json_set_text(arena, row, "QueryExecutionStartTime",
                  json_text_at(context, "condition.windowStartTime"));
    json_set_text(arena, row, "QueryExecutionEndTime",
                  json_text_at(context, "condition.windowEndTime"));
    json_set_text(arena, row, "ThresholdOperator", json_text_at(c, "operator"));
    if (text_to_real(json_text_at(c, "threshold"), &value) && value >= INT32_MIN &&
        value <= INT32_MAX)
        json_set_i64(arena, row, "ThresholdValue", (int64_t)value);
    const struct json_node *metric = json_get(c, "metricValue");
    if (json_is(metric, JSON_T_NUMBER)) {
        json_set_text(arena, row, "ValueDescription", metric->text);
        if (text_to_real(metric->text, &value) && value >= INT32_MIN && value <= INT32_MAX)
            json_set_i64(arena, row, "AlertValue", (int64_t)value);
    }
    json_set_text(arena, row, "LinkToSearchResults", json_text_at(c, "linkToSearchResultsAPI"));
    json_set_text(arena, row, "ResourceId", json_text_at(e, "targetResource"));
    json_set_text(arena, row, "ResourceType", json_text_at(e, "targetResourceType"));
    json_set_text(arena, row, "_ResourceId", json_text_at(e, "targetResource"));
    json_set_text(arena, row, "TimeRaised", json_text_at(e, "startDateTime"));
    json_set_text(arena, row, "TimeLastModified", json_text_at(e, "lastModifiedDateTime"));
    json_set_text(arena, row, "LastModifiedBy", json_text_at(e, "lastModifiedUserName"));
    rf_str resolved = json_text_at(e, "monitorConditionResolvedDateTime");
    if (resolved.len > 0) json_set_text(arena, row, "TimeResolved", resolved);
    json_set_text(arena, row, "SourceSystem", RF_S("Azure"));
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, body, "kind", RF_S("row"));
    json_set_text(arena, body, "workspace", json_text_at(document, "workspace"));
    json_set_text(arena, body, "id", id);
    if (json_set(arena, body, RF_S("row"), row) == NULL) return rf_fail_memory(err, arena);
    return notice_put(txn, body, now, arena, err);
}

/* ---- firing and ending -------------------------------------------------------------------------------------------------- */

static enum rf_kind resolve(struct json_node *document, rf_usec now, struct rf_arena *arena,
                            struct rf_err *err)
{
    struct json_node *e = json_at(document, "properties.essentials");
    rf_str time = time_iso(arena, now);
    json_set_text(arena, e, "monitorCondition", RF_S("Resolved"));
    json_set_text(arena, e, "monitorConditionResolvedDateTime", time);
    json_set_text(arena, e, "lastModifiedUserName", RF_S("System"));
    if (json_set_text(arena, e, "lastModifiedDateTime", time) == NULL)
        return rf_fail_memory(err, arena);
    return record_note(document, "MonitorConditionChange", "Fired", "Resolved", RF_S("System"),
                       RF_S(""), now, arena, err);
}

enum rf_kind record_firing(struct state_txn *txn, const struct rule_run *run,
                           const struct firing *firing, struct rf_err *err)
{
    struct json_node *document;
    rf_str key = record_key(run->arena, run->place.subscription, firing->alert);
    if (key.ptr == NULL) return rf_fail_memory(err, run->arena);
    if (firing->kind == FIRING_FIRE) {
        document = document_of(run, firing);
        if (document == NULL) return rf_fail_memory(err, run->arena);
        RF_TRY(record_note(document, "AlertCreated", "", "New", RF_S("System"), RF_S(""), run->now,
                           run->arena, err));
    } else {
        enum rf_kind kind = record_get(txn, key, run->arena, &document, err);
        if (kind == RF_NOT_FOUND) return RF_OK; /* it is so old that it was swept away */
        RF_TRY(kind);
        RF_TRY(resolve(document, run->now, run->arena, err));
    }
    RF_TRY(record_put(txn, key, document, run->arena, err));
    RF_TRY(record_row(txn, document, run->now, run->arena, err));
    return firing->tells ? notices_for(txn, run, document, err) : RF_OK;
}

enum rf_kind record_end(struct alerts *alerts, struct state_txn *txn, rf_str subscription,
                        rf_str alert, rf_usec now, struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *document;
    rf_str key = record_key(arena, subscription, alert);
    (void)alerts;
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = record_get(txn, key, arena, &document, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    RF_TRY(resolve(document, now, arena, err));
    RF_TRY(record_put(txn, key, document, arena, err));
    return record_row(txn, document, now, arena, err);
}
