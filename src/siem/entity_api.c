/* entity_api.c - entities as resources: what alerts that are kept know of them.
 *
 * An entity has no place of its own in state: its name is made of its key, and an index over alerts leads from the name to the
 * alerts that it is in. Alerts are entities, too: their name is their id. */
#include "siem/incident_api_int.h"

#include "base/encode.h"

enum { ALERTS_LOOKED_AT = 500, ENTITIES_SHOWN = 1000 };

/* ---- finding ------------------------------------------------------------------------------------------------------------- */

/* The alerts that hold the entity. */
static enum rf_kind alerts_with(struct api_call *call, rf_str name, uint32_t limit,
                                struct state_list *out, struct rf_err *err)
{
    struct state_scan scan = {.space = SPACE_ALERT,
                              .index = "entity",
                              .value = incident_word(&call->place, name, call->arena),
                              .limit = limit};
    if (scan.value.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (scan.value.len > STATE_KEY_BYTES_MAX) {
        *out = (struct state_list){.count = 0};
        return RF_OK;
    }
    return state_list(call->txn, &scan, call->arena, out, err);
}

static enum rf_kind not_found(rf_str name, struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "EntityNotFound",
                   "The entity '%.*s' was not found in an alert of an incident or of the last 30 "
                   "days.",
                   (int)RF_MIN(name.len, (size_t)100), (const char *)name.ptr);
}

static struct json_node *pick(struct api_call *call, const struct json_node *alert, rf_str name)
{
    struct entity_view view = alert_entities(call, alert);
    uint32_t i = 0;
    const struct json_node *key = view.keys == NULL ? NULL : view.keys->first;
    for (; key != NULL; key = key->next, i++)
        if (rf_str_eq_nocase(entity_name(view.workspace_id, key->text, call->arena), name))
            return entity_to_api(&view, i, call->arena);
    return NULL;
}

static enum rf_kind find(struct api_call *call, struct json_node **out, struct rf_err *err)
{
    rf_str name = request_variable(call->request, "entity");
    struct state_list found;
    struct json_node *alert;
    enum rf_kind kind = alert_load(call->txn, &call->place, name, call->arena, &alert, err);
    if (kind == RF_OK) {
        *out = alert_to_api(call, alert);
        return *out == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
    }
    if (kind != RF_NOT_FOUND) return kind;
    RF_TRY(alerts_with(call, name, 1, &found, err));
    if (found.count == 0) return not_found(name, err);
    RF_TRY(json_parse(found.items[0].body, call->arena, &alert, err));
    *out = pick(call, alert, name);
    return *out == NULL ? not_found(name, err) : RF_OK;
}

enum rf_kind entity_get(struct api_call *call, struct rf_err *err)
{
    struct json_node *entity;
    RF_TRY(find(call, &entity, err));
    return api_answer(call, 200, entity, err);
}

/* ---- lists ------------------------------------------------------------------------------------------------------------------ */

static bool has_name(const struct json_node *list, rf_str name)
{
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        if (rf_str_eq(json_text_at(item, "name"), name)) return true;
    return false;
}

/* The entities of an alert that are not in the list, and not `but`. */
static enum rf_kind add_all(struct api_call *call, const struct json_node *alert, rf_str but,
                            struct json_node *list, struct rf_err *err)
{
    struct entity_view view = alert_entities(call, alert);
    uint32_t count = view.entities == NULL ? 0 : view.entities->count;
    for (uint32_t i = 0; i < count && list->count < ENTITIES_SHOWN; i++) {
        struct json_node *entity = entity_to_api(&view, i, call->arena);
        if (entity == NULL) return rf_fail_memory(err, call->arena);
        rf_str name = json_text_at(entity, "name");
        if (rf_str_eq_nocase(name, but) || has_name(list, name)) continue;
        if (json_append(list, entity) == NULL) return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

enum rf_kind entity_list(struct api_call *call, struct rf_err *err)
{
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    struct state_list found;
    struct state_scan scan = {.space = SPACE_ALERT,
                              .index = "workspace",
                              .value = resource_key(call->arena, call->place.workspace),
                              .limit = ALERTS_LOOKED_AT};
    if (list == NULL || scan.value.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_list(call->txn, &scan, call->arena, &found, err));
    for (uint32_t i = 0; i < found.count; i++) {
        struct json_node *alert;
        RF_TRY(json_parse(found.items[i].body, call->arena, &alert, err));
        RF_TRY(add_all(call, alert, RF_S(""), list, err));
    }
    return api_answer_list(call, list, err);
}

/* ---- expand, timeline ---------------------------------------------------------------------------------------------------------- */

/* Both times of a body; absent ones are open ends, unless they are required. */
static enum rf_kind read_span(const struct json_node *body, bool required, rf_usec *from,
                              rf_usec *to, struct rf_err *err)
{
    static const char *const names[] = {"startTime", "endTime"};
    rf_usec *const places[] = {from, to};
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        const struct json_node *node = json_get(body, names[i]);
        bool is_absent = node == NULL || node->type == JSON_T_NULL;
        if (is_absent && required) return api_bad(err, "%s is required.", names[i]);
        if (!is_absent && (node->type != JSON_T_STRING || !time_parse_iso(node->text, places[i])))
            return api_bad(err, "%s is not a time such as 2024-01-31T12:00:00Z.", names[i]);
    }
    return *from <= *to ? RF_OK : api_bad(err, "startTime is behind endTime.");
}

static bool is_within(const struct json_node *alert, rf_usec from, rf_usec to)
{
    rf_usec start, end;
    return time_parse_iso(json_text_at(alert, "row.StartTime"), &start) &&
           time_parse_iso(json_text_at(alert, "row.EndTime"), &end) && end >= from && start <= to;
}

static bool add_edge(struct api_call *call, struct json_node *edges, const struct json_node *entity)
{
    struct json_node *edge = json_new(call->arena, JSON_T_OBJECT);
    (void)json_object_in(call->arena, edge, "additionalData");
    return json_set_text(call->arena, edge, "targetEntityId", json_text_at(entity, "id")) != NULL &&
           json_append(edges, edge) != NULL;
}

/* An expansion gives the alerts of an entity, or the entities of an alert, whatever expansion is asked for. */
static enum rf_kind expand_entity(struct api_call *call, rf_str name, rf_usec from, rf_usec to,
                                  struct json_node *list, struct rf_err *err)
{
    struct state_list found;
    struct json_node *alert;
    enum rf_kind kind = alert_load(call->txn, &call->place, name, call->arena, &alert, err);
    if (kind == RF_OK) return add_all(call, alert, name, list, err);
    if (kind != RF_NOT_FOUND) return kind;
    RF_TRY(alerts_with(call, name, ALERTS_LOOKED_AT, &found, err));
    for (uint32_t i = 0; i < found.count; i++) {
        RF_TRY(json_parse(found.items[i].body, call->arena, &alert, err));
        if (!is_within(alert, from, to)) continue;
        if (json_append(list, alert_to_api(call, alert)) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

enum rf_kind entity_expand(struct api_call *call, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *sent, *entity, *body = json_new(arena, JSON_T_OBJECT);
    rf_usec from = INT64_MIN, to = INT64_MAX;
    RF_TRY(request_json(call->request, true, &sent, err));
    RF_TRY(read_span(sent, false, &from, &to, err));
    RF_TRY(find(call, &entity, err));
    struct json_node *meta = json_object_in(arena, body, "metaData");
    struct json_node *sums = incident_list_in(meta, "aggregations", arena);
    struct json_node *value = json_object_in(arena, body, "value");
    struct json_node *list = incident_list_in(value, "entities", arena);
    struct json_node *edges = incident_list_in(value, "edges", arena);
    if (sums == NULL || list == NULL || edges == NULL) return rf_fail_memory(err, arena);
    RF_TRY(expand_entity(call, json_text_at(entity, "name"), from, to, list, err));
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        rf_str kind = json_text_at(item, "kind");
        struct json_node *sum = sums->first;
        int64_t count = 0;
        while (sum != NULL && !rf_str_eq(json_text_at(sum, "entityKind"), kind)) sum = sum->next;
        if (sum == NULL) sum = json_append(sums, json_new(arena, JSON_T_OBJECT));
        (void)json_i64_at(sum, "count", &count);
        json_set_text(arena, sum, "entityKind", kind);
        if (json_set_i64(arena, sum, "count", count + 1) == NULL || !add_edge(call, edges, item))
            return rf_fail_memory(err, arena);
    }
    return api_answer(call, 200, body, err);
}

static struct json_node *timeline_item(struct api_call *call, const struct json_node *alert)
{
    static const char *const same[][2] = {
        {"productName", "ProductName"},     {"description", "Description"},
        {"displayName", "DisplayName"},     {"severity", "AlertSeverity"},
        {"endTimeUtc", "EndTime"},          {"startTimeUtc", "StartTime"},
        {"timeGenerated", "TimeGenerated"}, {"alertType", "AlertType"}};
    struct rf_arena *arena = call->arena;
    const struct json_node *row = json_get(alert, "row");
    struct json_node *item = json_new(arena, JSON_T_OBJECT);
    rf_str id =
        rf_arena_printf(arena, "%.*s" PROVIDER_PATH "/entities/%.*s", RF_FMT(call->place.workspace),
                        RF_FMT(json_text_at(row, "SystemAlertId")));
    if (id.ptr == NULL) return NULL;
    json_set_text(arena, item, "kind", RF_S("SecurityAlert"));
    for (size_t i = 0; i < RF_COUNT(same); i++)
        json_set_text(arena, item, same[i][0], json_text_at(row, same[i][1]));
    return json_set_text(arena, item, "azureResourceId", id) == NULL ? NULL : item;
}

enum rf_kind entity_timeline(struct api_call *call, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *sent, *entity, *body = json_new(arena, JSON_T_OBJECT);
    struct state_list found;
    rf_usec from = INT64_MIN, to = INT64_MAX;
    RF_TRY(request_json(call->request, false, &sent, err));
    RF_TRY(read_span(sent, true, &from, &to, err));
    const struct json_node *kinds = json_get(sent, "kinds");
    bool wanted = !json_is(kinds, JSON_T_ARRAY) || incident_has_text(kinds, RF_S("SecurityAlert"));
    RF_TRY(find(call, &entity, err));
    RF_TRY(alerts_with(call, json_text_at(entity, "name"), ALERTS_LOOKED_AT, &found, err));
    struct json_node *meta = json_object_in(arena, body, "metaData");
    struct json_node *list = incident_list_in(body, "value", arena);
    for (uint32_t i = 0; wanted && i < found.count; i++) {
        struct json_node *alert;
        RF_TRY(json_parse(found.items[i].body, arena, &alert, err));
        if (!is_within(alert, from, to)) continue;
        if (json_append(list, timeline_item(call, alert)) == NULL)
            return rf_fail_memory(err, arena);
    }
    if (list == NULL) return rf_fail_memory(err, arena);
    json_set_i64(arena, meta, "totalCount", list->count);
    struct json_node *sums = incident_list_in(meta, "aggregations", arena);
    struct json_node *sum = json_append(sums, json_new(arena, JSON_T_OBJECT));
    json_set_text(arena, sum, "kind", RF_S("SecurityAlert"));
    json_set_i64(arena, sum, "count", list->count);
    if (incident_list_in(meta, "errors", arena) == NULL) return rf_fail_memory(err, arena);
    return api_answer(call, 200, body, err);
}

/* ---- what there is nothing of ----------------------------------------------------------------------------------------------------- */

/* Queries and insights are content that comes in packages; without any there are none. */
enum rf_kind entity_queries(struct api_call *call, struct rf_err *err)
{
    struct json_node *entity, *body = json_new(call->arena, JSON_T_OBJECT);
    RF_TRY(find(call, &entity, err));
    if (incident_list_in(body, "value", call->arena) == NULL)
        return rf_fail_memory(err, call->arena);
    return api_answer(call, 200, body, err);
}

enum rf_kind entity_insights(struct api_call *call, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *sent, *entity, *body = json_new(arena, JSON_T_OBJECT);
    rf_usec from = INT64_MIN, to = INT64_MAX;
    RF_TRY(request_json(call->request, false, &sent, err));
    RF_TRY(read_span(sent, true, &from, &to, err));
    RF_TRY(find(call, &entity, err));
    struct json_node *meta = json_object_in(arena, body, "metaData");
    json_set_i64(arena, meta, "totalCount", 0);
    if (incident_list_in(meta, "errors", arena) == NULL ||
        incident_list_in(body, "value", arena) == NULL)
        return rf_fail_memory(err, arena);
    return api_answer(call, 200, body, err);
}

/* ---- relations: the incidents that an alert belongs to ---------------------------------------------------------------------------- */

static enum rf_kind relations_of(struct api_call *call, struct json_node *list, struct rf_err *err)
{
    rf_str name = request_variable(call->request, "entity");
    struct json_node *alert, *entity;
    RF_TRY(find(call, &entity, err));
    if (alert_load(call->txn, &call->place, name, call->arena, &alert, err) != RF_OK) return RF_OK;
    const struct json_node *incidents = json_get(alert, "incidents");
    const struct json_node *at = incidents == NULL ? NULL : incidents->first;
    for (; at != NULL; at = at->next) {
        rf_str id = rf_arena_printf(call->arena, "%.*s" PROVIDER_PATH "/incidents/%.*s",
                                    RF_FMT(call->place.workspace), RF_FMT(at->text));
        rf_str relation = rf_arena_printf(call->arena, "%.*s_%.*s", RF_FMT(at->text), RF_FMT(name));
        if (id.ptr == NULL || relation.ptr == NULL) return rf_fail_memory(err, call->arena);
        if (json_append(
                list, relation_document(call, json_text_at(entity, "id"), relation, id, 0)) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

enum rf_kind entity_relations(struct api_call *call, struct rf_err *err)
{
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    if (list == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(relations_of(call, list, err));
    return api_answer_list(call, list, err);
}

enum rf_kind entity_relation_get(struct api_call *call, struct rf_err *err)
{
    rf_str name = request_variable(call->request, "relation");
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    if (list == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(relations_of(call, list, err));
    for (struct json_node *item = list->first; item != NULL; item = item->next)
        if (rf_str_eq_nocase(json_text_at(item, "name"), name))
            return api_answer(call, 200, item, err);
    return RF_FAIL(err, RF_NOT_FOUND, "NotFound", "The relation was not found.");
}
