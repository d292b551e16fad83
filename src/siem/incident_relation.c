/* incident_relation.c - what an incident is related to: bookmarks and alerts, each by a relation with a name.
 *
 * A relation is kept as {"name","incident","related"}, found by its incident (its key) or by what it leads to (index "related", the
 * id in lower case). Alerts that a rule put into the incident have none; they are shown as INCIDENT_ALERT. */
#include "siem/incident_api_int.h"

/* ---- documents ------------------------------------------------------------------------------------------------------------ */

rf_str related_name(const struct api_call *call, rf_str id, const char *collection)
{
    rf_str prefix = rf_arena_printf(call->arena, "%.*s" PROVIDER_PATH "/%s/",
                                    RF_FMT(call->place.workspace), collection);
    if (prefix.ptr == NULL || id.len <= prefix.len ||
        !rf_str_eq_nocase(rf_slice(id, 0, prefix.len), prefix))
        return (rf_str){NULL, 0};
    rf_str name = rf_slice(id, prefix.len, id.len);
    return rf_str_find(name, RF_S("/"), 0) == SIZE_MAX ? name : (rf_str){NULL, 0};
}

struct json_node *relation_document(struct api_call *call, rf_str owner_id, rf_str name,
                                    rf_str related_id, uint64_t etag)
{
    struct rf_arena *arena = call->arena;
    struct json_node *made = json_new(arena, JSON_T_OBJECT);
    rf_str id = rf_arena_printf(arena, "%.*s/relations/%.*s", RF_FMT(owner_id), RF_FMT(name));
    rf_str bookmark = related_name(call, related_id, "bookmarks");
    rf_str incident = related_name(call, related_id, "incidents");
    bool is_bookmark = bookmark.len > 0, is_incident = incident.len > 0;
    bool of_incident = related_name(call, owner_id, "incidents").len > 0;
    if (id.ptr == NULL) return NULL;
    json_set_text(arena, made, "id", id);
    json_set_text(arena, made, "name", name);
    json_set_text(arena, made, "type",
                  of_incident ? RF_S("Microsoft.SecurityInsights/incidents/relations")
                              : RF_S("Microsoft.SecurityInsights/bookmarks/relations"));
    if (etag != 0) json_set_text(arena, made, "etag", incident_etag(arena, etag));
    struct json_node *p = json_object_in(arena, made, "properties");
    json_set_text(arena, p, "relatedResourceId", related_id);
    json_set_text(arena, p, "relatedResourceName",
                  is_bookmark   ? bookmark
                  : is_incident ? incident
                                : related_name(call, related_id, "entities"));
    json_set_text(arena, p, "relatedResourceType",
                  is_bookmark   ? RF_S("Microsoft.SecurityInsights/bookmarks")
                  : is_incident ? RF_S("Microsoft.SecurityInsights/incidents")
                                : RF_S("Microsoft.SecurityInsights/entities"));
    rf_str kind = is_bookmark   ? RF_S("Bookmark")
                  : is_incident ? RF_S("Incident")
                                : RF_S("SecurityAlert");
    return json_set_text(arena, p, "relatedResourceKind", kind) == NULL ? NULL : made;
}

static rf_str alert_id_of(struct api_call *call, rf_str alert)
{
    return rf_arena_printf(call->arena, "%.*s" PROVIDER_PATH "/entities/%.*s",
                           RF_FMT(call->place.workspace), RF_FMT(alert));
}

/* "incident_alert": the name of a relation that nobody made. */
static rf_str own_alert(const struct incident *incident, rf_str name)
{
    rf_str prefix = json_text_at(incident->body, "name");
    if (name.len <= prefix.len + 1 || name.ptr[prefix.len] != '_' ||
        !rf_str_eq_nocase(rf_slice(name, 0, prefix.len), prefix))
        return (rf_str){NULL, 0};
    rf_str alert = rf_slice(name, prefix.len + 1, name.len);
    return incident_has_text(json_at(incident->body, "_.alerts"), alert) ? alert
                                                                         : (rf_str){NULL, 0};
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind load(struct api_call *call, rf_str incident, rf_str name,
                         struct state_object *object, struct json_node **out, struct rf_err *err)
{
    rf_str key = incident_child_key(&call->place, incident, name, call->arena);
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    enum rf_kind kind = key.len > STATE_KEY_BYTES_MAX
                            ? RF_NOT_FOUND
                            : state_get(call->txn, SPACE_RELATION, key, call->arena, object, err);
    if (kind == RF_NOT_FOUND)
        return RF_FAIL(err, RF_NOT_FOUND, "NotFound", "The relation '%.*s' was not found.",
                       (int)RF_MIN(name.len, (size_t)100), (const char *)name.ptr);
    RF_TRY(kind);
    return json_parse(object->body, call->arena, out, err);
}

static enum rf_kind add_own(struct api_call *call, const struct incident *incident,
                            const struct json_node *told, struct json_node *list,
                            struct rf_err *err)
{
    const struct json_node *alerts = json_at(incident->body, "_.alerts");
    rf_str owner = json_text_at(incident->body, "id"), guid = json_text_at(incident->body, "name");
    const struct json_node *at = alerts == NULL ? NULL : alerts->first;
    for (; at != NULL; at = at->next) {
        rf_str id = alert_id_of(call, at->text);
        rf_str name = rf_arena_printf(call->arena, "%.*s_%.*s", RF_FMT(guid), RF_FMT(at->text));
        if (id.ptr == NULL || name.ptr == NULL) return rf_fail_memory(err, call->arena);
        if (incident_has_text(told, id)) continue;
        if (json_append(list, relation_document(call, owner, name, id, 0)) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

enum rf_kind incident_relations(struct api_call *call, struct rf_err *err)
{
    struct incident incident;
    struct state_list found;
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    struct json_node *told = json_new(call->arena, JSON_T_ARRAY);
    RF_TRY(api_incident(call, &incident, err));
    rf_str owner = json_text_at(incident.body, "id");
    struct state_scan scan = {.space = SPACE_RELATION};
    scan.prefix = incident_child_key(&call->place, json_text_at(incident.body, "name"), RF_S(""),
                                     call->arena);
    if (list == NULL || told == NULL || scan.prefix.ptr == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(state_list(call->txn, &scan, call->arena, &found, err));
    for (uint32_t i = 0; i < found.count; i++) {
        struct json_node *body;
        RF_TRY(json_parse(found.items[i].body, call->arena, &body, err));
        rf_str related = json_text_at(body, "related");
        struct json_node *made = relation_document(call, owner, json_text_at(body, "name"), related,
                                                   found.items[i].etag);
        if (json_append(list, made) == NULL || !incident_add_text(told, related, call->arena))
            return rf_fail_memory(err, call->arena);
    }
    RF_TRY(add_own(call, &incident, told, list, err));
    return api_answer_list(call, list, err);
}

enum rf_kind incident_relation_get(struct api_call *call, struct rf_err *err)
{
    struct incident incident;
    struct state_object object;
    struct json_node *body;
    rf_str name = request_variable(call->request, "relation");
    RF_TRY(api_incident(call, &incident, err));
    rf_str owner = json_text_at(incident.body, "id"), alert = own_alert(&incident, name);
    if (alert.len > 0)
        return api_answer(call, 200,
                          relation_document(call, owner, name, alert_id_of(call, alert), 0), err);
    RF_TRY(load(call, json_text_at(incident.body, "name"), name, &object, &body, err));
    return api_answer(call, 200,
                      relation_document(call, owner, json_text_at(body, "name"),
                                        json_text_at(body, "related"), object.etag),
                      err);
}

/* ---- writing ----------------------------------------------------------------------------------------------------------------- */

/* What hangs on it: the incident's lists, and what the bookmark or alert knows of the incident. */
static enum rf_kind link_to(struct api_call *call, struct incident *incident, rf_str related_id,
                            rf_str relation, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    rf_str bookmark = related_name(call, related_id, "bookmarks");
    rf_str alert_id = related_name(call, related_id, "entities");
    struct json_node *own = incident_private(incident, arena), *found;
    uint64_t etag;
    if (bookmark.len == 0 && alert_id.len == 0)
        return api_bad(err, "properties.relatedResourceId is the id of neither a bookmark nor an "
                            "alert of this workspace.");
    if (alert_id.len > 0) {
        if (alert_load(call->txn, &call->place, alert_id, arena, &found, err) != RF_OK)
            return api_bad(err, "properties.relatedResourceId: the alert was not found.");
        return alert_join(call->txn, &call->place, incident, found, call->now, arena, err);
    }
    if (bookmark_load(call, bookmark, &etag, &found, err) != RF_OK)
        return api_bad(err, "properties.relatedResourceId: the bookmark was not found.");
    struct json_node *marks = incident_list_in(own, "bookmarks", arena);
    struct json_node *info = json_object_in(arena, json_get(found, "properties"), "incidentInfo");
    const struct json_node *p = json_get(incident->body, "properties");
    json_set_text(arena, info, "incidentId", json_text_at(incident->body, "name"));
    json_set_text(arena, info, "severity", json_text_at(p, "severity"));
    json_set_text(arena, info, "title", json_text_at(p, "title"));
    json_set_text(arena, info, "relationName", relation);
    json_remove(found, RF_S("etag"));
    rf_str text = json_to_text(arena, found);
    struct state_put put = {
        .space = SPACE_BOOKMARK, .key = incident_word(&call->place, bookmark, arena), .body = text};
    if (info == NULL || text.ptr == NULL || put.key.ptr == NULL ||
        !incident_add_text(marks, json_text_at(found, "name"), arena))
        return rf_fail_memory(err, arena);
    return state_put(call->txn, &put, NULL, NULL, err);
}

enum rf_kind bookmark_leave(struct api_call *call, rf_str bookmark, struct rf_err *err)
{
    struct json_node *found;
    uint64_t etag;
    enum rf_kind kind = bookmark_load(call, bookmark, &etag, &found, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    json_remove(json_get(found, "properties"), RF_S("incidentInfo"));
    json_remove(found, RF_S("etag"));
    struct state_put put = {.space = SPACE_BOOKMARK,
                            .key = incident_word(&call->place, bookmark, call->arena),
                            .body = json_to_text(call->arena, found)};
    if (put.key.ptr == NULL || put.body.ptr == NULL) return rf_fail_memory(err, call->arena);
    return state_put(call->txn, &put, NULL, NULL, err);
}

static enum rf_kind unlink_from(struct api_call *call, struct incident *incident, rf_str related_id,
                                struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    rf_str bookmark = related_name(call, related_id, "bookmarks");
    struct json_node *own = incident_private(incident, arena);
    if (bookmark.len == 0)
        return alert_leave(call->txn, &call->place, incident,
                           related_name(call, related_id, "entities"), call->now, arena, err);
    struct json_node *marks = incident_list_in(own, "bookmarks", arena);
    if (marks == NULL) return rf_fail_memory(err, arena);
    (void)incident_drop_text(marks, bookmark);
    return bookmark_leave(call, bookmark, err);
}

static enum rf_kind save(struct api_call *call, struct incident *incident,
                         const struct json_node *before, struct rf_err *err)
{
    if (before == NULL) return rf_fail_memory(err, call->arena);
    return incident_save(call->txn, &call->place, incident, before, &call->by, call->now,
                         call->arena, err);
}

static enum rf_kind store(struct api_call *call, const struct incident *incident, rf_str name,
                          rf_str related_id, uint64_t *etag, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    rf_str guid = json_text_at(incident->body, "name");
    struct state_index index = {"related", resource_key(arena, related_id)};
    json_set_text(arena, body, "name", name);
    json_set_text(arena, body, "incident", guid);
    json_set_text(arena, body, "related", related_id);
    struct state_put put = {.space = SPACE_RELATION,
                            .key = incident_child_key(&call->place, guid, name, arena),
                            .body = json_to_text(arena, body),
                            .indexes = &index,
                            .index_count = 1};
    if (put.key.ptr == NULL || put.body.ptr == NULL || index.value.ptr == NULL)
        return rf_fail_memory(err, arena);
    return state_put(call->txn, &put, etag, NULL, err);
}

enum rf_kind relation_make(struct api_call *call, struct incident *incident, rf_str name,
                           rf_str related_id, bool *created, uint64_t *etag, struct rf_err *err)
{
    struct state_object object = {.etag = 0};
    struct json_node *there = NULL, *before = json_clone(call->arena, incident->body);
    enum rf_kind kind =
        load(call, json_text_at(incident->body, "name"), name, &object, &there, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    *created = there == NULL;
    *etag = object.etag;
    if (there != NULL && rf_str_eq_nocase(json_text_at(there, "related"), related_id)) return RF_OK;
    if (there != NULL) RF_TRY(unlink_from(call, incident, json_text_at(there, "related"), err));
    RF_TRY(link_to(call, incident, related_id, name, err));
    RF_TRY(store(call, incident, name, related_id, etag, err));
    return save(call, incident, before, err);
}

enum rf_kind relation_remove(struct api_call *call, struct incident *incident, rf_str name,
                             bool *existed, struct rf_err *err)
{
    struct state_object object;
    struct json_node *there, *before = json_clone(call->arena, incident->body);
    rf_str alert = own_alert(incident, name), related;
    *existed = true;
    if (alert.len > 0) {
        related = alert_id_of(call, alert);
    } else {
        enum rf_kind kind =
            load(call, json_text_at(incident->body, "name"), name, &object, &there, err);
        *existed = kind == RF_OK;
        if (kind == RF_NOT_FOUND) return RF_OK;
        RF_TRY(kind);
        related = json_text_at(there, "related");
        RF_TRY(state_delete(call->txn, SPACE_RELATION, object.key, err));
    }
    if (related.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(unlink_from(call, incident, related, err));
    return save(call, incident, before, err);
}

enum rf_kind relation_remove_bookmark(struct api_call *call, rf_str bookmark_id, struct rf_err *err)
{
    struct state_list found;
    struct state_scan scan = {.space = SPACE_RELATION,
                              .index = "related",
                              .value = resource_key(call->arena, bookmark_id)};
    if (scan.value.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_list(call->txn, &scan, call->arena, &found, err));
    for (uint32_t i = 0; i < found.count; i++) {
        struct json_node *body;
        struct incident incident;
        bool existed;
        RF_TRY(json_parse(found.items[i].body, call->arena, &body, err));
        RF_TRY(incident_find(call->txn, &call->place, json_text_at(body, "incident"), call->arena,
                             &incident, err));
        RF_TRY(relation_remove(call, &incident, json_text_at(body, "name"), &existed, err));
    }
    return RF_OK;
}

enum rf_kind incident_relation_put(struct api_call *call, struct rf_err *err)
{
    struct incident incident;
    struct json_node *body, *sent;
    rf_str name, related = {NULL, 0};
    bool created;
    uint64_t etag = 0;
    RF_TRY(api_check_name(call, "relation", &name, err));
    RF_TRY(api_properties(call, &body, &sent, err));
    RF_TRY(api_text(sent, "relatedResourceId", true, 1000, &related, err));
    RF_TRY(api_incident(call, &incident, err));
    RF_TRY(relation_make(call, &incident, name, related, &created, &etag, err));
    rf_str owner = json_text_at(incident.body, "id");
    return api_answer(call, created ? 201 : 200,
                      relation_document(call, owner, name, related, etag), err);
}

enum rf_kind incident_relation_delete(struct api_call *call, struct rf_err *err)
{
    struct incident incident;
    bool existed;
    RF_TRY(api_incident(call, &incident, err));
    RF_TRY(relation_remove(call, &incident, request_variable(call->request, "relation"), &existed,
                           err));
    return api_answer(call, existed ? 200 : 204, NULL, err);
}
