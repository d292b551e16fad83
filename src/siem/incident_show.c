/* incident_show.c - what belongs to an incident: its alerts, their entities, its bookmarks. */
#include "siem/incident_api_int.h"

#include "base/encode.h"
#include "value/text.h"

/* ---- alerts ---------------------------------------------------------------------------------------------------------------- */

static void copy_text(struct rf_arena *arena, struct json_node *p, const char *name,
                      const struct json_node *row, const char *column)
{
    rf_str text = json_text_at(row, column);
    if (text.len > 0) json_set_text(arena, p, name, text);
}

static void copy_properties(struct rf_arena *arena, struct json_node *p,
                            const struct json_node *row)
{
    static const char *const same[][2] = {{"systemAlertId", "SystemAlertId"},
                                          {"alertDisplayName", "DisplayName"},
                                          {"description", "Description"},
                                          {"severity", "AlertSeverity"},
                                          {"status", "Status"},
                                          {"startTimeUtc", "StartTime"},
                                          {"endTimeUtc", "EndTime"},
                                          {"processingEndTime", "ProcessingEndTime"},
                                          {"timeGenerated", "TimeGenerated"},
                                          {"vendorName", "VendorName"},
                                          {"productName", "ProductName"},
                                          {"productComponentName", "ProductComponentName"},
                                          {"alertType", "AlertType"},
                                          {"providerAlertId", "VendorOriginalId"},
                                          {"alertLink", "AlertLink"},
                                          {"compromisedEntity", "CompromisedEntity"},
                                          {"friendlyName", "DisplayName"}};
    for (size_t i = 0; i < RF_COUNT(same); i++) copy_text(arena, p, same[i][0], row, same[i][1]);
    rf_str confidence = json_text_at(row, "ConfidenceLevel");
    json_set_text(arena, p, "confidenceLevel", confidence.len > 0 ? confidence : RF_S("Unknown"));
    (void)incident_add_words(incident_list_in(p, "tactics", arena), json_text_at(row, "Tactics"),
                             arena);
    (void)incident_list_in(p, "resourceIdentifiers", arena);
    struct json_node *steps = incident_list_in(p, "remediationSteps", arena);
    rf_str remediation = json_text_at(row, "RemediationSteps");
    if (remediation.len > 0) json_append(steps, json_new_text(arena, remediation));
}

struct json_node *alert_to_api(struct api_call *call, const struct json_node *alert)
{
    struct rf_arena *arena = call->arena;
    const struct json_node *row = json_get(alert, "row");
    rf_str scope = incident_scope(&call->place, arena), name = json_text_at(row, "SystemAlertId");
    rf_str id = rf_arena_printf(arena, "%.*s/Entities/%.*s", RF_FMT(scope), RF_FMT(name));
    struct json_node *made = json_new(arena, JSON_T_OBJECT), *extended;
    if (scope.ptr == NULL || id.ptr == NULL) return NULL;
    json_set_text(arena, made, "id", id);
    json_set_text(arena, made, "name", name);
    json_set_text(arena, made, "type", RF_S("Microsoft.SecurityInsights/Entities"));
    json_set_text(arena, made, "kind", RF_S("SecurityAlert"));
    struct json_node *p = json_object_in(arena, made, "properties");
    copy_properties(arena, p, row);
    if (json_parse(json_text_at(row, "ExtendedProperties"), arena, &extended, NULL) != RF_OK ||
        !json_is(extended, JSON_T_OBJECT))
        extended = json_new(arena, JSON_T_OBJECT);
    return json_set(arena, p, RF_S("additionalData"), extended) == NULL ? NULL : made;
}

/* The alerts of the incident one after the other; those that are no longer kept are left out. */
static enum rf_kind next_alert(struct api_call *call, const struct json_node **at,
                               struct json_node **alert, struct rf_err *err)
{
    for (*alert = NULL; *at != NULL && *alert == NULL;) {
        rf_str id = (*at)->text;
        *at = (*at)->next;
        enum rf_kind kind = alert_load(call->txn, &call->place, id, call->arena, alert, err);
        if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    }
    return RF_OK;
}

static const struct json_node *first_alert(const struct incident *incident)
{
    const struct json_node *alerts = json_at(incident->body, "_.alerts");
    return alerts == NULL ? NULL : alerts->first;
}

static enum rf_kind answer_value(struct api_call *call, struct json_node *list, struct rf_err *err)
{
    struct json_node *body = json_new(call->arena, JSON_T_OBJECT);
    if (json_set(call->arena, body, RF_S("value"), list) == NULL)
        return rf_fail_memory(err, call->arena);
    return api_answer(call, 200, body, err);
}

enum rf_kind incident_api_alerts(struct api_call *call, struct rf_err *err)
{
    struct incident incident;
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY), *alert;
    RF_TRY(api_incident(call, &incident, err));
    for (const struct json_node *at = first_alert(&incident);;) {
        RF_TRY(next_alert(call, &at, &alert, err));
        if (alert == NULL) return answer_value(call, list, err);
        if (json_append(list, alert_to_api(call, alert)) == NULL)
            return rf_fail_memory(err, call->arena);
    }
}

/* ---- entities ------------------------------------------------------------------------------------------------------------------ */

struct entity_view alert_entities(struct api_call *call, const struct json_node *alert)
{
    struct json_node *entities = NULL;
    rf_str text = json_text_at(alert, "row.Entities");
    if (json_parse(text, call->arena, &entities, NULL) != RF_OK) entities = NULL;
    return (struct entity_view){.entities = json_is(entities, JSON_T_ARRAY) ? entities : NULL,
                                .keys = json_get(alert, "keys"),
                                .workspace_id = call->place.workspace_id,
                                .scope = incident_scope(&call->place, call->arena)};
}

static bool has_name(const struct json_node *list, rf_str name)
{
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        if (rf_str_eq(json_text_at(item, "name"), name)) return true;
    return false;
}

static bool count_kind(struct rf_arena *arena, struct json_node *counts, rf_str kind)
{
    int64_t count = 0;
    struct json_node *item = counts->first;
    while (item != NULL && !rf_str_eq(json_text_at(item, "entityKind"), kind)) item = item->next;
    if (item == NULL) {
        item = json_append(counts, json_new(arena, JSON_T_OBJECT));
        json_set_text(arena, item, "entityKind", kind);
    }
    (void)json_i64_at(item, "count", &count);
    return json_set_i64(arena, item, "count", count + 1) != NULL;
}

static enum rf_kind add_entities(struct api_call *call, const struct json_node *alert,
                                 struct json_node *list, struct json_node *counts,
                                 struct rf_err *err)
{
    struct entity_view view = alert_entities(call, alert);
    uint32_t count = view.entities == NULL ? 0 : view.entities->count;
    for (uint32_t i = 0; i < count; i++) {
        struct json_node *entity = entity_to_api(&view, i, call->arena);
        if (entity == NULL) return rf_fail_memory(err, call->arena);
        if (has_name(list, json_text_at(entity, "name"))) continue;
        if (json_append(list, entity) == NULL ||
            !count_kind(call->arena, counts, json_text_at(entity, "kind")))
            return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

enum rf_kind incident_api_entities(struct api_call *call, struct rf_err *err)
{
    struct incident incident;
    struct json_node *body = json_new(call->arena, JSON_T_OBJECT), *alert;
    struct json_node *list = incident_list_in(body, "entities", call->arena);
    struct json_node *counts = incident_list_in(body, "metaData", call->arena);
    if (list == NULL || counts == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(api_incident(call, &incident, err));
    for (const struct json_node *at = first_alert(&incident);;) {
        RF_TRY(next_alert(call, &at, &alert, err));
        if (alert == NULL) return api_answer(call, 200, body, err);
        RF_TRY(add_entities(call, alert, list, counts, err));
    }
}

/* ---- bookmarks ------------------------------------------------------------------------------------------------------------------- */

/* A bookmark as an entity, which is how an incident shows it. */
static struct json_node *as_entity(struct api_call *call, struct json_node *bookmark)
{
    struct rf_arena *arena = call->arena;
    struct json_node *p = json_get(bookmark, "properties");
    json_set_text(arena, bookmark, "kind", RF_S("Bookmark"));
    json_set_text(arena, p, "friendlyName", json_text_at(p, "displayName"));
    rf_str id =
        rf_arena_printf(arena, "%.*s/Entities/%.*s", RF_FMT(incident_scope(&call->place, arena)),
                        RF_FMT(json_text_at(bookmark, "name")));
    json_remove(bookmark, RF_S("etag"));
    json_set_text(arena, bookmark, "type", RF_S("Microsoft.SecurityInsights/Entities"));
    return json_set_text(arena, bookmark, "id", id) == NULL ? NULL : bookmark;
}

enum rf_kind incident_api_bookmarks(struct api_call *call, struct rf_err *err)
{
    struct incident incident;
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    RF_TRY(api_incident(call, &incident, err));
    const struct json_node *marks = json_at(incident.body, "_.bookmarks");
    const struct json_node *at = marks == NULL ? NULL : marks->first;
    for (; at != NULL; at = at->next) {
        struct json_node *bookmark;
        uint64_t etag;
        enum rf_kind kind = bookmark_load(call, at->text, &etag, &bookmark, err);
        if (kind == RF_NOT_FOUND) continue;
        RF_TRY(kind);
        if (json_append(list, as_entity(call, bookmark)) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    return answer_value(call, list, err);
}

/* ---- playbooks -------------------------------------------------------------------------------------------------------------------- */

enum rf_kind incident_api_playbook(struct api_call *call, struct rf_err *err)
{
    const struct incidents_options *options = &call->incidents->options;
    struct incident incident;
    struct json_node *body;
    struct arm_resource playbook;
    RF_TRY(request_json(call->request, false, &body, err));
    rf_str id = json_text_at(body, "logicAppsResourceId");
    RF_TRY(api_incident(call, &incident, err));
    if (id.len == 0) return api_bad(err, "logicAppsResourceId is required.");
    if (arm_get(options->arm, call->txn, id, call->arena, &playbook, err) != RF_OK)
        return RF_FAIL(err, RF_NOT_FOUND, "PlaybookNotFound", "The playbook '%.*s' was not found.",
                       (int)RF_MIN(id.len, (size_t)400), (const char *)id.ptr);
    if (options->run_playbook == NULL)
        return api_bad(err, "This server cannot run playbooks: '%.*s' was not started.",
                       RF_FMT(playbook.name));
    RF_TRY(options->run_playbook(options->playbook_ctx, call->request, playbook.id, incident.body,
                                 err));
    return api_answer(call, 204, NULL, err);
}
