/* api.c - alerts as clients see them, and test notifications.
 *
 * Microsoft.AlertsManagement/alerts: list with filters, get, changestate, history; alertsSummary. A list at a group or resource
 * shows the alerts whose target stands there. */
#include <stdlib.h>

#include "alerts/alerts_int.h"
#include "base/encode.h"

enum { PAGE_DEFAULT = 250, PAGE_MAX = 1000, CHUNK = 1000 };

static const char *const states[] = {"New", "Acknowledged", "Closed"};

/* ---- scopes ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind scope_of(struct request *request, rf_str *scope, struct rf_err *err)
{
    rf_str text = request_variable(request, "scope");
    *scope = rf_arena_printf(request->arena, "/%.*s", RF_FMT(text));
    return scope->ptr == NULL ? rf_fail_memory(err, request->arena) : RF_OK;
}

/* The group below the scope, whose rights count. */
static enum rf_kind group_of(struct request *request, rf_str *scope, struct rf_err *err)
{
    RF_TRY(scope_of(request, scope, err));
    *scope = rf_arena_printf(request->arena, "%.*s/providers/" GROUP_TYPE "/%.*s", RF_FMT(*scope),
                             RF_FMT(request_variable(request, "group")));
    return scope->ptr == NULL ? rf_fail_memory(err, request->arena) : RF_OK;
}

static enum rf_kind subscription_of(struct request *request, rf_str *scope, rf_str *out,
                                    struct rf_err *err)
{
    struct resource_id id;
    RF_TRY(scope_of(request, scope, err));
    RF_TRY(resource_id_parse(*scope, request->arena, &id, err));
    if (id.subscription.len == 0)
        return RF_FAIL(err, RF_INVALID, "BadRequest", "Alerts are asked for in a subscription.");
    *scope = id.text;
    *out = id.subscription;
    return RF_OK;
}

static bool stands_at(rf_str target, rf_str scope)
{
    return target.len >= scope.len && rf_str_eq_nocase(rf_slice(target, 0, scope.len), scope) &&
           (scope.len == 0 || target.len == scope.len || target.ptr[scope.len] == '/');
}

/* "/subscriptions/{id}": all its alerts, also those whose target is a name that is no resource. */
static bool whole_subscription(rf_str scope)
{
    uint32_t slashes = 0;
    for (size_t i = 0; i < scope.len; i++) slashes += scope.ptr[i] == '/';
    return slashes <= 2;
}

/* ---- one alert -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind load(struct request *request, struct state_txn *txn, rf_str *key,
                         struct json_node **out, struct rf_err *err)
{
    rf_str scope, subscription, id = request_variable(request, "alert");
    RF_TRY(subscription_of(request, &scope, &subscription, err));
    *key = record_key(request->arena, subscription, id);
    if (key->ptr == NULL) return rf_fail_memory(err, request->arena);
    struct rf_err why = {0};
    enum rf_kind kind = record_get(txn, *key, request->arena, out, &why);
    /* Whose rights end at a group or resource sees what stands there. */
    bool is_here = kind == RF_OK && stands_at(json_text_at(*out, "properties.essentials."
                                                                 "targetResource"),
                                              whole_subscription(scope) ? RF_S("") : scope);
    if (kind == RF_NOT_FOUND || (kind == RF_OK && !is_here))
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound", "There is no alert '%.*s'.",
                       (int)RF_MIN(id.len, 100), (const char *)id.ptr);
    if (kind != RF_OK && err != NULL) *err = why;
    return kind;
}

static void strip(struct json_node *document, bool with_context)
{
    json_remove(document, RF_S("history"));
    json_remove(document, RF_S("workspace"));
    if (!with_context) json_remove(json_get(document, "properties"), RF_S("context"));
}

static enum rf_kind run_get(struct request *request, struct rf_err *err)
{
    struct alerts *alerts = request->service;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct json_node *document;
    rf_str key;
    RF_TRY(state_begin_read(alerts->options.state, &txn, err));
    RF_TRY(load(request, txn, &key, &document, err));
    strip(document, true);
    return request_answer(request, 200, document);
}

static enum rf_kind run_history(struct request *request, struct rf_err *err)
{
    struct alerts *alerts = request->service;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct rf_arena *arena = request->arena;
    struct json_node *document, *body = json_new(arena, JSON_T_OBJECT);
    rf_str key;
    RF_TRY(state_begin_read(alerts->options.state, &txn, err));
    RF_TRY(load(request, txn, &key, &document, err));
    struct json_node *history = json_get(document, "history");
    rf_str id = json_text_at(document, "id");
    json_set_text(arena, body, "id", rf_arena_printf(arena, "%.*s/history/default", RF_FMT(id)));
    json_set_text(arena, body, "type", RF_S(ALERT_TYPE "/history"));
    json_set_text(arena, body, "name", RF_S("default"));
    struct json_node *p = json_object_in(arena, body, "properties");
    json_set_text(arena, p, "alertId",
                  json_text_at(document, "properties.essentials.sourceCreatedId"));
    if (json_set(arena, p, RF_S("modifications"),
                 history == NULL ? json_new(arena, JSON_T_ARRAY) : json_clone(arena, history)) ==
        NULL)
        return rf_fail_memory(err, arena);
    return request_answer(request, 200, body);
}

static enum rf_kind run_change(struct request *request, struct rf_err *err)
{
    struct alerts *alerts = request->service;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct rf_arena *arena = request->arena;
    struct json_node *document, *sent;
    rf_str key, wanted = request_parameter(request, "newState", NULL), who, comment;
    const char *state = NULL;
    for (size_t i = 0; i < RF_COUNT(states); i++)
        if (rf_str_eq_nocase(wanted, rf_str_of(states[i]))) state = states[i];
    if (state == NULL)
        return RF_FAIL(err, RF_INVALID, "BadRequest",
                       "'newState' must be New, Acknowledged or Closed.");
    RF_TRY(request_json(request, true, &sent, err));
    comment = json_is(sent, JSON_T_STRING) ? sent->text : json_text_at(sent, "comments");
    RF_TRY(state_begin_write(alerts->options.state, &txn, err));
    RF_TRY(load(request, txn, &key, &document, err));
    struct json_node *e = json_at(document, "properties.essentials");
    const char *before = rf_arena_cstr(arena, json_text_at(e, "alertState"));
    who = principal_caller(request->principal);
    if (before == NULL) return rf_fail_memory(err, arena);
    if (strcmp(before, state) != 0) {
        json_set_text(arena, e, "alertState", rf_str_of(state));
        json_set_text(arena, e, "lastModifiedUserName", who);
        json_set_text(arena, e, "lastModifiedDateTime", time_iso(arena, request->now));
        RF_TRY(record_note(document, "StateChange", before, state, who, comment, request->now,
                           arena, err));
        RF_TRY(record_put(txn, key, document, arena, err));
        RF_TRY(record_row(txn, document, request->now, arena, err));
        RF_TRY(state_finish(&txn, err));
        senders_filled(alerts);
    }
    strip(document, true);
    return request_answer(request, 200, document);
}

/* ---- lists ------------------------------------------------------------------------------------------------------------------ */

struct filter {
    rf_str scope; /* the target stands at or below it; empty: everywhere in the subscription */
    rf_str values[7];
    rf_usec from, to; /* startDateTime in [from, to) */
};
static const struct {
    const char *parameter, *member;
} filters[] = {{"targetResource", "targetResource"},
               {"targetResourceType", "targetResourceType"},
               {"targetResourceGroup", "targetResourceGroup"},
               {"monitorService", "monitorService"},
               {"monitorCondition", "monitorCondition"},
               {"severity", "severity"},
               {"alertState", "alertState"}};

static enum rf_kind parse_span(struct request *request, struct filter *filter, struct rf_err *err)
{
    static const struct {
        const char *name;
        int hours;
    } ranges[] = {{"1h", 1}, {"1d", 24}, {"7d", 168}, {"30d", 720}};
    bool found, custom;
    rf_str range = request_parameter(request, "timeRange", &found);
    rf_str text = request_parameter(request, "customTimeRange", &custom);
    filter->to = INT64_MAX;
    filter->from = request->now - 24 * 3600 * RF_USEC_PER_SECOND; /* as Azure does */
    if (custom) {
        size_t slash = RF_MIN(rf_str_find(text, RF_S("/"), 0), text.len);
        if (slash == text.len || !time_parse_iso(rf_slice(text, 0, slash), &filter->from) ||
            !time_parse_iso(rf_slice(text, slash + 1, text.len), &filter->to))
            return RF_FAIL(err, RF_INVALID, "BadRequest",
                           "'customTimeRange' must be two times with a slash between.");
        return RF_OK;
    }
    if (!found) return RF_OK;
    for (size_t i = 0; i < RF_COUNT(ranges); i++)
        if (rf_str_eq_nocase(range, rf_str_of(ranges[i].name))) {
            filter->from = request->now - ranges[i].hours * 3600 * RF_USEC_PER_SECOND;
            return RF_OK;
        }
    return RF_FAIL(err, RF_INVALID, "BadRequest", "'timeRange' must be 1h, 1d, 7d or 30d.");
}

static bool passes(const struct filter *filter, const struct json_node *document)
{
    const struct json_node *e = json_at(document, "properties.essentials");
    rf_usec start;
    if (!time_parse_iso(json_text_at(e, "startDateTime"), &start) || start < filter->from ||
        start >= filter->to)
        return false;
    if (!stands_at(json_text_at(e, "targetResource"), filter->scope)) return false;
    for (size_t i = 0; i < RF_COUNT(filters); i++)
        if (filter->values[i].len > 0 &&
            !rf_str_eq_nocase(json_text_at(e, filters[i].member), filter->values[i]))
            return false;
    return true;
}

struct found {
    struct json_node **items;
    uint32_t count, cap;
};

static enum rf_kind collect(struct request *request, struct found *out, struct rf_err *err)
{
    struct alerts *alerts = request->service;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct rf_arena *arena = request->arena;
    struct filter filter = {0};
    rf_str subscription, rule = request_parameter(request, "alertRule", NULL), after = {0};
    RF_TRY(subscription_of(request, &filter.scope, &subscription, err));
    RF_TRY(parse_span(request, &filter, err));
    for (size_t i = 0; i < RF_COUNT(filters); i++)
        filter.values[i] = request_parameter(request, filters[i].parameter, NULL);
    rf_str prefix = record_key(arena, subscription, RF_S("")), rule_key = resource_key(arena, rule);
    if (prefix.ptr == NULL) return rf_fail_memory(err, arena);
    if (whole_subscription(filter.scope)) filter.scope = RF_S("");
    RF_TRY(state_begin_read(alerts->options.state, &txn, err));
    for (bool more = true; more;) {
        struct state_scan scan = {
            .space = ALERT_SPACE, .prefix = prefix, .after = after, .limit = CHUNK};
        struct state_list list;
        if (rule.len > 0) {
            scan.index = "rule";
            scan.value = rule_key;
        }
        RF_TRY(state_list(txn, &scan, arena, &list, err));
        for (uint32_t i = 0; i < list.count; i++) {
            struct json_node *document;
            after = list.items[i].key;
            RF_TRY(json_parse(list.items[i].body, arena, &document, err));
            if (!passes(&filter, document)) continue;
            if (out->count == out->cap) {
                uint32_t cap = out->cap * 2 + 64;
                out->items = rf_arena_grow(arena, out->items, out->cap * sizeof *out->items,
                                           cap * sizeof *out->items);
                if (out->items == NULL) return rf_fail_memory(err, arena);
                out->cap = cap;
            }
            out->items[out->count++] = document;
        }
        more = list.more;
    }
    return RF_OK;
}

/* The newest first. */
static int by_time(const void *left, const void *right)
{
    const struct json_node *const *a = left, *const *b = right;
    return rf_str_cmp(json_text_at(*b, "properties.essentials.lastModifiedDateTime"),
                      json_text_at(*a, "properties.essentials.lastModifiedDateTime"));
}

static uint32_t number_of(rf_str text, uint32_t fallback)
{
    uint32_t number = 0;
    if (text.len == 0 || text.len > 7) return fallback;
    for (size_t i = 0; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i])) return fallback;
        number = number * 10 + (text.ptr[i] - (uint32_t)'0');
    }
    return number;
}

static rf_str next_link(struct request *request, uint32_t skip)
{
    struct rf_buf link = rf_buf_in(request->arena);
    rf_buf_printf(&link, "%.*s%.*s?", RF_FMT(request->origin), RF_FMT(request->http->path));
    for (uint32_t i = 0; i < request->parameter_count; i++) {
        const struct route_variable *p = &request->parameters[i];
        if (rf_str_eq_nocase(p->name, RF_S("$skiptoken"))) continue;
        rf_str value = percent_encode(request->arena, p->value);
        rf_buf_printf(&link, "%.*s=%.*s&", RF_FMT(p->name), RF_FMT(value));
    }
    rf_buf_printf(&link, "$skiptoken=%u", skip);
    return link.failed ? (rf_str){NULL, 0} : rf_buf_view(&link);
}

static enum rf_kind run_list(struct request *request, struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    struct found found = {0};
    struct json_node *body = json_new(arena, JSON_T_OBJECT), *list = json_new(arena, JSON_T_ARRAY);
    bool with_context =
        rf_str_eq_nocase(request_parameter(request, "includeContext", NULL), RF_S("true"));
    bool ascending = rf_str_eq_nocase(request_parameter(request, "sortOrder", NULL), RF_S("asc"));
    uint32_t page = number_of(request_parameter(request, "pageCount", NULL), PAGE_DEFAULT);
    uint32_t skip = number_of(request_parameter(request, "$skiptoken", NULL), 0);
    page = page == 0 ? PAGE_DEFAULT : RF_MIN(page, (uint32_t)PAGE_MAX);
    RF_TRY(collect(request, &found, err));
    if (found.count > 0) qsort(found.items, found.count, sizeof *found.items, by_time);
    uint32_t end = skip < found.count ? RF_MIN(skip + page, found.count) : skip;
    for (uint32_t i = skip; i < end; i++) {
        struct json_node *document = found.items[ascending ? found.count - 1 - i : i];
        strip(document, with_context);
        json_append(list, document);
    }
    if (json_set(arena, body, RF_S("value"), list) == NULL) return rf_fail_memory(err, arena);
    if (end < found.count &&
        json_set_text(arena, body, "nextLink", next_link(request, end)) == NULL)
        return rf_fail_memory(err, arena);
    return request_answer(request, 200, body);
}

/* Counts by one member or by two, one within the other. */
static enum rf_kind count_by(struct rf_arena *arena, struct json_node *into,
                             const struct found *found, rf_str fields, const struct json_node *like,
                             rf_str like_member)
{
    size_t comma = RF_MIN(rf_str_find(fields, RF_S(","), 0), fields.len);
    rf_str member = rf_slice(fields, 0, comma);
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    for (uint32_t i = 0; i < found->count; i++) {
        const struct json_node *e = json_at(found->items[i], "properties.essentials");
        const struct json_node *text = json_get_nocase(e, member);
        if (!json_is(text, JSON_T_STRING)) continue;
        if (like != NULL && !json_equal(json_get_nocase(e, like_member), like)) continue;
        struct json_node *entry = list == NULL ? NULL : list->first;
        while (entry != NULL && !rf_str_eq(json_text_at(entry, "name"), text->text))
            entry = entry->next;
        int64_t count = 0;
        if (entry == NULL) {
            entry = json_new(arena, JSON_T_OBJECT);
            json_set_text(arena, entry, "name", text->text);
            json_append(list, entry);
        }
        (void)json_i64_at(entry, "count", &count);
        json_set_i64(arena, entry, "count", count + 1);
        if (count > 0 || comma == fields.len || like != NULL) continue;
        (void)count_by(arena, entry, found, rf_slice(fields, comma + 1, fields.len), text, member);
    }
    json_set_text(arena, into, "groupedby", member);
    return json_set(arena, into, RF_S("values"), list) == NULL ? RF_LIMIT : RF_OK;
}

static enum rf_kind run_summary(struct request *request, struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    struct found found = {0};
    rf_str scope, by = request_parameter(request, "groupby", NULL);
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    if (by.len == 0)
        return RF_FAIL(err, RF_INVALID, "BadRequest",
                       "'groupby' is missing: severity, alertState, "
                       "monitorCondition and the like.");
    RF_TRY(scope_of(request, &scope, err));
    RF_TRY(collect(request, &found, err));
    json_set_text(arena, body, "id",
                  rf_arena_printf(arena,
                                  "%.*s/providers/Microsoft.AlertsManagement/alertsSummary/"
                                  "current",
                                  RF_FMT(scope)));
    json_set_text(arena, body, "type", RF_S("Microsoft.AlertsManagement/alertsSummary"));
    json_set_text(arena, body, "name", RF_S("current"));
    struct json_node *p = json_object_in(arena, body, "properties");
    json_set_i64(arena, p, "total", found.count);
    json_set_i64(arena, p, "smartGroupsCount", 0);
    if (count_by(arena, p, &found, by, NULL, RF_S("")) != RF_OK) return rf_fail_memory(err, arena);
    return request_answer(request, 200, body);
}

/* ---- test notifications -------------------------------------------------------------------------------------------------- */

static struct json_node *sample_alert(struct request *request, rf_str rule)
{
    struct rf_arena *arena = request->arena;
    struct json_node *document = json_new(arena, JSON_T_OBJECT);
    rf_str id = guid_random(arena), now = time_iso(arena, request->now);
    const struct site *site = request->site;
    struct json_node *p = json_object_in(arena, document, "properties");
    struct json_node *e = json_object_in(arena, p, "essentials");
    json_set_text(arena, document, "id",
                  rf_arena_printf(arena, "/subscriptions/%.*s/providers/" ALERT_TYPE "/%.*s",
                                  RF_FMT(site->subscription_id), RF_FMT(id)));
    json_set_text(arena, document, "name", RF_S("test-alert-rule"));
    json_set_text(arena, e, "severity", RF_S("Sev4"));
    json_set_text(arena, e, "signalType", RF_S("Log"));
    json_set_text(arena, e, "monitorCondition", RF_S("Fired"));
    json_set_text(arena, e, "description", RF_S("This is a test notification."));
    json_set_text(arena, e, "targetResource", rule);
    json_set_text(arena, e, "sourceCreatedId", id);
    json_set_text(arena, e, "alertRule", rule);
    json_set_text(arena, e, "startDateTime", now);
    struct json_node *context = json_object_in(arena, p, "context");
    (void)json_object_in(arena, context, "properties");
    json_set_text(arena, context, "conditionType", RF_S("LogQueryCriteria"));
    struct json_node *condition = json_object_in(arena, context, "condition");
    json_set_text(arena, condition, "windowSize", RF_S("PT5M"));
    json_set(arena, condition, RF_S("allOf"), json_new(arena, JSON_T_ARRAY));
    json_set_text(arena, condition, "windowStartTime",
                  time_iso(arena, request->now - 300 * RF_USEC_PER_SECOND));
    return json_set_text(arena, condition, "windowEndTime", now) == NULL ? NULL : document;
}

static enum rf_kind put_test(struct request *request, struct state_txn *txn, rf_str id,
                             uint32_t count, struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    rf_str now = time_iso(arena, request->now), where;
    RF_TRY(request->route->scope(request, &where, err));
    json_set_text(arena, body, "scope", where);
    struct json_node *status = json_object_in(arena, body, "status");
    struct json_node *context = json_object_in(arena, status, "context");
    json_set_text(arena, context, "notificationSource",
                  RF_S("Microsoft.Insights/TestNotification"));
    json_set_text(arena, context, "contextType", RF_S("Microsoft.Insights/TestNotification"));
    json_set_text(arena, status, "state", count == 0 ? RF_S("Complete") : RF_S("InProgress"));
    json_set_text(arena, status, "createdTime", now);
    if (count == 0) json_set_text(arena, status, "completedTime", now);
    json_set(arena, status, RF_S("actionDetails"), json_new(arena, JSON_T_ARRAY));
    json_set_i64(arena, body, "left", count);
    rf_str text = json_to_text(arena, body);
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    const struct state_put put = {.space = TEST_SPACE, .key = id, .body = text};
    return state_put(txn, &put, NULL, NULL, err);
}

static enum rf_kind start_test(struct request *request, struct state_txn *txn, rf_str group,
                               rf_str id, struct rf_err *err)
{
    struct alerts *alerts = request->service;
    struct rf_arena *arena = request->arena;
    struct json_node *sent;
    struct arm_resource resource;
    uint32_t count;
    RF_TRY(request_json(request, false, &sent, err));
    if (!json_is(sent, JSON_T_OBJECT) || json_text_at(sent, "alertType").len == 0)
        return RF_FAIL(err, RF_INVALID, "BadRequest", "'alertType' is missing.");
    RF_TRY(receivers_check(sent, err));
    if (group.len > 0) RF_TRY(arm_get(alerts->options.arm, txn, group, arena, &resource, err));
    struct json_node *alert = sample_alert(request, group.len > 0 ? group : RF_S("/test"));
    rf_str payload = record_payload(alert, NULL, arena);
    if (alert == NULL || payload.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(notices_for_test(alerts, txn, group, id, sent, payload,
                            RF_S("Fired:Sev4 Alert test-alert-rule (test notification)"),
                            request->now, arena, &count, err));
    return put_test(request, txn, id, count, err);
}

static enum rf_kind run_test_at(struct request *request, rf_str group, struct rf_err *err)
{
    struct alerts *alerts = request->service;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct rf_arena *arena = request->arena;
    rf_str id = guid_random(arena), word = RF_S("createNotifications");
    if (id.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_begin_write(alerts->options.state, &txn, err));
    RF_TRY(start_test(request, txn, group, id, err));
    RF_TRY(state_finish(&txn, err));
    senders_filled(alerts);
    /* Casing and slashes of the path are the caller's; its last word is what stands in the route. */
    rf_str path = request->http->path;
    while (path.len > 0 && path.ptr[path.len - 1] == '/') path.len--;
    rf_str base = rf_slice(path, 0, path.len - RF_MIN(word.len, path.len));
    rf_str version = request_parameter(request, "api-version", NULL);
    http_setf(request->response, "Location", "%.*s%.*snotificationStatus/%.*s?api-version=%.*s",
              RF_FMT(request->origin), RF_FMT(base), RF_FMT(id),
              RF_FMT(percent_encode(arena, version)));
    http_set_literal(request->response, "Retry-After", "1");
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, body, "notificationId", id);
    json_set_text(arena, body, "correlationId", request->request_id);
    if (json_set_text(arena, body, "createdTime", time_iso(arena, request->now)) == NULL)
        return rf_fail_memory(err, arena);
    return request_answer(request, 202, body);
}

static enum rf_kind run_test(struct request *request, struct rf_err *err)
{
    return run_test_at(request, RF_S(""), err);
}

static enum rf_kind run_group_test(struct request *request, struct rf_err *err)
{
    rf_str group;
    RF_TRY(group_of(request, &group, err));
    return run_test_at(request, group, err);
}

static enum rf_kind run_status(struct request *request, struct rf_err *err)
{
    struct alerts *alerts = request->service;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_object object;
    struct json_node *body;
    rf_str id = request_variable(request, "id");
    RF_TRY(state_begin_read(alerts->options.state, &txn, err));
    rf_str where;
    RF_TRY(request->route->scope(request, &where, err));
    enum rf_kind kind = state_get(txn, TEST_SPACE, id, request->arena, &object, err);
    if (kind == RF_OK) RF_TRY(json_parse(object.body, request->arena, &body, err));
    bool is_here = kind == RF_OK && rf_str_eq_nocase(json_text_at(body, "scope"), where);
    if (kind == RF_NOT_FOUND || (kind == RF_OK && !is_here))
        return RF_FAIL(err, RF_NOT_FOUND, "NotFound", "There is no test notification '%.*s'.",
                       (int)RF_MIN(id.len, 100), (const char *)id.ptr);
    RF_TRY(kind);
    const struct json_node *status = json_get(body, "status");
    bool is_done = rf_str_is(json_text_at(status, "state"), "Complete");
    if (!is_done) {
        http_setf(request->response, "Location", "%.*s%.*s", RF_FMT(request->origin),
                  RF_FMT(request->http->target));
        http_set_literal(request->response, "Retry-After", "1");
    }
    return request_answer(request, is_done ? 200 : 202, status);
}

/* ---- routes ---------------------------------------------------------------------------------------------------------------- */

#define ROUTE(verb, at, needs, where, handler)                                                     \
    {                                                                                              \
        .method = (verb), .access = ROUTE_ACTION, .path = "/{scope*}/providers/" at,               \
        .action = (needs), .audiences = AUDIENCE_ARM, .scope = (where), .run = (handler)           \
    }
const struct route alerts_routes[] = {
    ROUTE(HTTP_GET, ALERT_TYPE, ALERT_TYPE "/read", scope_of, run_list),
    ROUTE(HTTP_GET, ALERT_TYPE "/{alert}", ALERT_TYPE "/read", scope_of, run_get),
    ROUTE(HTTP_POST, ALERT_TYPE "/{alert}/changestate", ALERT_TYPE "/changestate/action", scope_of,
          run_change),
    ROUTE(HTTP_POST, ALERT_TYPE "/{alert}/history", ALERT_TYPE "/history/read", scope_of,
          run_history),
    ROUTE(HTTP_GET, ALERT_TYPE "/{alert}/history", ALERT_TYPE "/history/read", scope_of,
          run_history),
    ROUTE(HTTP_GET, "Microsoft.AlertsManagement/alertsSummary",
          "Microsoft.AlertsManagement/alertsSummary/read", scope_of, run_summary),
    ROUTE(HTTP_POST, "Microsoft.Insights/createNotifications",
          "Microsoft.Insights/createNotifications/write", scope_of, run_test),
    ROUTE(HTTP_GET, "Microsoft.Insights/notificationStatus/{id}",
          "Microsoft.Insights/notificationStatus/read", scope_of, run_status),
    ROUTE(HTTP_POST, GROUP_TYPE "/{group}/createNotifications",
          GROUP_TYPE "/createNotifications/action", group_of, run_group_test),
    ROUTE(HTTP_GET, GROUP_TYPE "/{group}/notificationStatus/{id}", GROUP_TYPE "/read", group_of,
          run_status),
};
const uint32_t alerts_route_count = RF_COUNT(alerts_routes);
