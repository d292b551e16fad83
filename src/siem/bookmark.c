/* bookmark.c - bookmarks: what somebody found while hunting, kept to be looked at again or put into an incident. */
#include "siem/incident_api_int.h"

#include "base/encode.h"
#include "base/json_out.h"
#include "siem/entity_int.h"
#include "siem/rule_int.h"

enum { LABELS_MAX = 100, RESULT_CHARS_MAX = 1 << 20, TEXT_CHARS_MAX = 10000 };

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

enum rf_kind bookmark_load(struct api_call *call, rf_str name, uint64_t *etag,
                           struct json_node **out, struct rf_err *err)
{
    struct state_object object;
    rf_str key = incident_word(&call->place, name, call->arena);
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    enum rf_kind kind = key.len > STATE_KEY_BYTES_MAX
                            ? RF_NOT_FOUND
                            : state_get(call->txn, SPACE_BOOKMARK, key, call->arena, &object, err);
    if (kind == RF_NOT_FOUND)
        return RF_FAIL(err, RF_NOT_FOUND, "BookmarkNotFound", "The bookmark '%.*s' was not found.",
                       (int)RF_MIN(name.len, (size_t)100), (const char *)name.ptr);
    RF_TRY(kind);
    *etag = object.etag;
    RF_TRY(json_parse(object.body, call->arena, out, err));
    rf_str text = incident_etag(call->arena, object.etag);
    return json_set_text(call->arena, *out, "etag", text) == NULL ? rf_fail_memory(err, call->arena)
                                                                  : RF_OK;
}

enum rf_kind bookmark_get(struct api_call *call, struct rf_err *err)
{
    struct json_node *body;
    uint64_t etag;
    RF_TRY(bookmark_load(call, request_variable(call->request, "bookmark"), &etag, &body, err));
    return api_answer(call, 200, body, err);
}

enum rf_kind bookmark_list(struct api_call *call, struct rf_err *err)
{
    struct state_list found;
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    struct state_scan scan = {.space = SPACE_BOOKMARK,
                              .prefix = incident_word(&call->place, RF_S(""), call->arena)};
    if (list == NULL || scan.prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_list(call->txn, &scan, call->arena, &found, err));
    for (uint32_t i = 0; i < found.count; i++) {
        struct json_node *body;
        RF_TRY(json_parse(found.items[i].body, call->arena, &body, err));
        json_set_text(call->arena, body, "etag", incident_etag(call->arena, found.items[i].etag));
        if (json_append(list, body) == NULL) return rf_fail_memory(err, call->arena);
    }
    return api_answer_list(call, list, err);
}

/* ---- what a caller may set ---------------------------------------------------------------------------------------------------- */

static enum rf_kind copy_text(struct api_call *call, const struct json_node *sent, const char *name,
                              bool required, size_t chars_max, struct json_node *p,
                              struct rf_err *err)
{
    rf_str text = {NULL, 0};
    RF_TRY(api_text(sent, name, required, chars_max, &text, err));
    if (text.ptr == NULL) return RF_OK;
    return json_set_text(call->arena, p, name, text) == NULL ? rf_fail_memory(err, call->arena)
                                                             : RF_OK;
}

static enum rf_kind copy_texts(struct api_call *call, const struct json_node *sent,
                               const char *name, struct json_node *p, struct rf_err *err)
{
    const struct json_node *from = json_get(sent, name);
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    bool is_list = json_is(from, JSON_T_ARRAY);
    if (from != NULL && from->type != JSON_T_NULL && !is_list)
        return api_bad(err, "properties.%s is not a list.", name);
    if (is_list && from->count > LABELS_MAX)
        return api_bad(err, "properties.%s has more than %d items.", name, LABELS_MAX);
    for (const struct json_node *item = is_list ? from->first : NULL; item != NULL;
         item = item->next) {
        if (item->type != JSON_T_STRING || item->text.len == 0)
            return api_bad(err, "properties.%s holds what is no text.", name);
        if (json_append(list, json_new_text(call->arena, item->text)) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    return json_set(call->arena, p, rf_str_of(name), list) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

static enum rf_kind check_attack(const struct json_node *p, struct rf_err *err)
{
    const struct json_node *tactics = json_get(p, "tactics"), *used = json_get(p, "techniques");
    bool is_sub;
    for (const struct json_node *t = tactics->first; t != NULL; t = t->next)
        if (rule_tactic_name(t->text) == NULL)
            return api_bad(err, "properties.tactics: '%.*s' is no tactic of ATT&CK.",
                           (int)RF_MIN(t->text.len, (size_t)100), (const char *)t->text.ptr);
    for (const struct json_node *t = used->first; t != NULL; t = t->next)
        if (!rule_is_technique(t->text, &is_sub))
            return api_bad(err, "properties.techniques: '%.*s' is no technique of ATT&CK.",
                           (int)RF_MIN(t->text.len, (size_t)100), (const char *)t->text.ptr);
    return RF_OK;
}

static enum rf_kind copy_mappings(struct api_call *call, const struct json_node *sent,
                                  struct json_node *p, struct rf_err *err)
{
    const struct json_node *from = json_get(sent, "entityMappings");
    if (from == NULL || from->type == JSON_T_NULL) return RF_OK;
    if (from->type != JSON_T_ARRAY) return api_bad(err, "properties.entityMappings is not a list.");
    for (const struct json_node *m = from->first; m != NULL; m = m->next) {
        const char *type = entity_type_name(json_text_at(m, "entityType"));
        const struct json_node *fields = json_get(m, "fieldMappings");
        if (type == NULL || !json_is(fields, JSON_T_ARRAY))
            return api_bad(err, "properties.entityMappings: each needs an entityType that is known "
                                "and fieldMappings.");
        for (const struct json_node *f = fields->first; f != NULL; f = f->next)
            if (entity_identifier_name(rf_str_of(type), json_text_at(f, "identifier")) == NULL)
                return api_bad(err, "properties.entityMappings: '%.*s' is no identifier of %s.",
                               (int)RF_MIN(json_text_at(f, "identifier").len, (size_t)100),
                               (const char *)json_text_at(f, "identifier").ptr, type);
    }
    struct json_node *copy = json_clone(call->arena, from);
    return json_set(call->arena, p, RF_S("entityMappings"), copy) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

static enum rf_kind apply(struct api_call *call, const struct json_node *sent, struct json_node *p,
                          struct rf_err *err)
{
    static const char *const times[] = {"eventTime", "queryStartTime", "queryEndTime"};
    RF_TRY(copy_text(call, sent, "displayName", true, 500, p, err));
    RF_TRY(copy_text(call, sent, "query", true, TEXT_CHARS_MAX, p, err));
    RF_TRY(copy_text(call, sent, "queryResult", false, RESULT_CHARS_MAX, p, err));
    RF_TRY(copy_text(call, sent, "notes", false, TEXT_CHARS_MAX, p, err));
    RF_TRY(copy_texts(call, sent, "labels", p, err));
    RF_TRY(copy_texts(call, sent, "tactics", p, err));
    RF_TRY(copy_texts(call, sent, "techniques", p, err));
    RF_TRY(check_attack(p, err));
    for (size_t i = 0; i < RF_COUNT(times); i++) {
        rf_str time = {NULL, 0};
        RF_TRY(api_time(sent, times[i], call->arena, &time, err));
        if (time.len > 0 && json_set_text(call->arena, p, times[i], time) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    return copy_mappings(call, sent, p, err);
}

/* ---- the row of HuntingBookmark ------------------------------------------------------------------------------------------------- */

static void put_time(struct json_out *out, const char *column, rf_str time)
{
    if (time.len > 0) json_put_text(out, column, time);
}

static rf_str list_text(struct rf_arena *arena, const struct json_node *list)
{
    return list == NULL ? RF_S("[]") : json_to_text(arena, list);
}

static enum rf_kind write_row(struct api_call *call, const struct json_node *body, bool is_deleted,
                              struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    const struct json_node *p = json_get(body, "properties");
    rf_str name = json_text_at(body, "name"), updated = json_text_at(p, "updated");
    struct rf_buf row = rf_buf_in(arena);
    struct json_out out = json_out_to(&row);
    json_begin_object(&out, NULL);
    json_put_text(&out, "TimeGenerated", updated);
    json_put_text(&out, "BookmarkId", name);
    json_put_text(&out, "BookmarkName", json_text_at(p, "displayName"));
    json_put_text(&out, "BookmarkType", RF_S("Hunting bookmark"));
    json_put_text(&out, "CreatedBy", json_text_at(p, "createdBy.name"));
    json_put_text(&out, "UpdatedBy", json_text_at(p, "updatedBy.name"));
    put_time(&out, "CreatedTime", json_text_at(p, "created"));
    put_time(&out, "LastUpdatedTime", updated);
    put_time(&out, "EventTime", json_text_at(p, "eventTime"));
    put_time(&out, "QueryStartTime", json_text_at(p, "queryStartTime"));
    put_time(&out, "QueryEndTime", json_text_at(p, "queryEndTime"));
    json_put_text(&out, "Notes", json_text_at(p, "notes"));
    json_put_text(&out, "QueryText", json_text_at(p, "query"));
    json_put_text(&out, "QueryResultRow", json_text_at(p, "queryResult"));
    json_put_text(&out, "Entities", list_text(arena, json_get(p, "entityMappings")));
    json_put_text(&out, "Tags", list_text(arena, json_get(p, "labels")));
    json_put_bool(&out, "SoftDeleted", is_deleted);
    json_put_text(&out, "SourceSystem", RF_S("Azure"));
    json_end_object(&out);
    rf_str id = rf_arena_printf(arena, "%.*s|%.*s", RF_FMT(name), RF_FMT(updated));
    if (row.failed || id.ptr == NULL) return rf_fail_memory(err, arena);
    return outbox_add(call->txn, call->place.workspace_id, "HuntingBookmark",
                      "strcat(BookmarkId, '|', LastUpdatedTime)", id, rf_buf_view(&row), err);
}

/* Times of change grow, whatever the clock does: rows are known by them. */
static bool stamp(struct api_call *call, struct json_node *p, const struct json_node *before)
{
    struct rf_arena *arena = call->arena;
    rf_usec last = 0;
    (void)time_parse_iso(json_text_at(before, "updated"), &last);
    rf_str time = time_iso(arena, RF_MAX(call->now, last + 1));
    if (before == NULL) json_set_text(arena, p, "created", time);
    if (before == NULL) json_set(arena, p, RF_S("createdBy"), api_client_info(call));
    return json_set_text(arena, p, "updated", time) != NULL &&
           json_set(arena, p, RF_S("updatedBy"), api_client_info(call)) != NULL;
}

/* ---- writing ---------------------------------------------------------------------------------------------------------------------- */

/* The new document; who made it when, and its incident, stay. */
static struct json_node *make(struct api_call *call, rf_str name, const struct json_node *before,
                              struct json_node *p)
{
    static const char *const kept[] = {"created", "createdBy", "incidentInfo"};
    struct rf_arena *arena = call->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    rf_str id = rf_arena_printf(arena, "%.*s" PROVIDER_PATH "/bookmarks/%.*s",
                                RF_FMT(call->place.workspace), RF_FMT(name));
    if (id.ptr == NULL) return NULL;
    json_set_text(arena, body, "id", id);
    json_set_text(arena, body, "name", name);
    json_set_text(arena, body, "type", RF_S("Microsoft.SecurityInsights/bookmarks"));
    for (size_t i = 0; i < RF_COUNT(kept); i++) {
        const struct json_node *member = json_get(before, kept[i]);
        if (member != NULL &&
            json_set(arena, p, rf_str_of(kept[i]), json_clone(arena, member)) == NULL)
            return NULL;
    }
    return json_set(arena, body, RF_S("properties"), p) == NULL ? NULL : body;
}

enum rf_kind bookmark_put(struct api_call *call, struct rf_err *err)
{
    struct json_node *sent_body, *sent, *before = NULL;
    struct json_node *p = json_new(call->arena, JSON_T_OBJECT);
    uint64_t etag = 0;
    rf_str name;
    RF_TRY(api_check_name(call, "bookmark", &name, err));
    RF_TRY(api_properties(call, &sent_body, &sent, err));
    enum rf_kind kind = bookmark_load(call, name, &etag, &before, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    bool exists = kind == RF_OK;
    RF_TRY(api_check_etag(call, sent_body, etag, err));
    RF_TRY(apply(call, sent, p, err));
    const struct json_node *old = exists ? json_get(before, "properties") : NULL;
    struct json_node *body = make(call, exists ? json_text_at(before, "name") : name, old, p);
    if (body == NULL || !stamp(call, p, old)) return rf_fail_memory(err, call->arena);
    struct state_put put = {.space = SPACE_BOOKMARK,
                            .key = incident_word(&call->place, name, call->arena),
                            .body = json_to_text(call->arena, body)};
    if (put.key.ptr == NULL || put.body.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_put(call->txn, &put, &etag, NULL, err));
    RF_TRY(write_row(call, body, false, err));
    json_set_text(call->arena, body, "etag", incident_etag(call->arena, etag));
    return api_answer(call, exists ? 200 : 201, body, err);
}

enum rf_kind bookmark_delete(struct api_call *call, struct rf_err *err)
{
    struct json_node *body;
    uint64_t etag;
    rf_str name = request_variable(call->request, "bookmark");
    enum rf_kind kind = bookmark_load(call, name, &etag, &body, err);
    if (kind == RF_NOT_FOUND) return api_answer(call, 204, NULL, err);
    RF_TRY(kind);
    RF_TRY(api_check_etag(call, NULL, etag, err));
    RF_TRY(relation_remove_bookmark(call, json_text_at(body, "id"), err));
    struct json_node *p = json_get(body, "properties");
    if (!stamp(call, p, json_clone(call->arena, p))) return rf_fail_memory(err, call->arena);
    RF_TRY(write_row(call, body, true, err));
    RF_TRY(state_delete(call->txn, SPACE_BOOKMARK, incident_word(&call->place, name, call->arena),
                        err));
    return api_answer(call, 200, NULL, err);
}

/* ---- entities of a bookmark ---------------------------------------------------------------------------------------------------------- */

/* The entities that its mappings name, as SecurityAlert.Entities has them. */
static enum rf_kind mapped_entities(struct api_call *call, const struct json_node *p,
                                    struct json_node *entities, struct json_node *keys,
                                    struct rf_err *err)
{
    static const struct entity_refs none = {.host = {NULL, 0}};
    struct rf_arena *arena = call->arena;
    const struct json_node *mappings = json_get(p, "entityMappings");
    const struct json_node *m = mappings == NULL ? NULL : mappings->first;
    for (; m != NULL; m = m->next) {
        const struct entity_type *type = entity_type_of_mapping(json_text_at(m, "entityType"));
        const struct json_node *fields = json_get(m, "fieldMappings");
        struct json_node *entity = json_new(arena, JSON_T_OBJECT);
        const struct json_node *f = fields == NULL ? NULL : fields->first;
        if (type == NULL) continue;
        for (; f != NULL; f = f->next)
            if (!entity_set(type, entity, json_text_at(f, "identifier"), json_text_at(f, "value"),
                            arena))
                return rf_fail_memory(err, arena);
        if (entity == NULL || entity->count == 0) continue;
        rf_str key = entity_key_of(type, entity, &none, arena);
        json_set_text(arena, entity, "Type", rf_str_of(type->type));
        if (key.ptr == NULL || json_append(entities, entity) == NULL ||
            json_append(keys, json_new_text(arena, key)) == NULL)
            return rf_fail_memory(err, arena);
    }
    return RF_OK;
}

enum rf_kind bookmark_expand(struct api_call *call, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *bookmark, *body = json_new(arena, JSON_T_OBJECT);
    struct json_node *entities = json_new(arena, JSON_T_ARRAY),
                     *keys = json_new(arena, JSON_T_ARRAY);
    uint64_t etag;
    RF_TRY(bookmark_load(call, request_variable(call->request, "bookmark"), &etag, &bookmark, err));
    RF_TRY(mapped_entities(call, json_get(bookmark, "properties"), entities, keys, err));
    struct entity_view view = {.entities = entities,
                               .keys = keys,
                               .workspace_id = call->place.workspace_id,
                               .scope = incident_scope(&call->place, arena)};
    struct json_node *meta = json_object_in(arena, body, "metaData");
    (void)incident_list_in(meta, "aggregations", arena);
    struct json_node *value = json_object_in(arena, body, "value");
    struct json_node *list = incident_list_in(value, "entities", arena);
    for (uint32_t i = 0; i < entities->count; i++)
        if (json_append(list, entity_to_api(&view, i, arena)) == NULL)
            return rf_fail_memory(err, arena);
    if (incident_list_in(value, "edges", arena) == NULL) return rf_fail_memory(err, arena);
    return api_answer(call, 200, body, err);
}

/* ---- relations, seen from the bookmark ------------------------------------------------------------------------------------------------- */

static enum rf_kind find_relations(struct api_call *call, struct json_node **bookmark,
                                   struct state_list *out, struct rf_err *err)
{
    uint64_t etag;
    RF_TRY(bookmark_load(call, request_variable(call->request, "bookmark"), &etag, bookmark, err));
    struct state_scan scan = {.space = SPACE_RELATION, .index = "related"};
    scan.value = resource_key(call->arena, json_text_at(*bookmark, "id"));
    if (scan.value.ptr == NULL) return rf_fail_memory(err, call->arena);
    return state_list(call->txn, &scan, call->arena, out, err);
}

static struct json_node *to_incident(struct api_call *call, const struct json_node *bookmark,
                                     const struct json_node *relation, uint64_t etag)
{
    rf_str id =
        rf_arena_printf(call->arena, "%.*s" PROVIDER_PATH "/incidents/%.*s",
                        RF_FMT(call->place.workspace), RF_FMT(json_text_at(relation, "incident")));
    if (id.ptr == NULL) return NULL;
    return relation_document(call, json_text_at(bookmark, "id"), json_text_at(relation, "name"), id,
                             etag);
}

enum rf_kind bookmark_relations(struct api_call *call, struct rf_err *err)
{
    struct json_node *bookmark, *list = json_new(call->arena, JSON_T_ARRAY);
    struct state_list found;
    RF_TRY(find_relations(call, &bookmark, &found, err));
    for (uint32_t i = 0; i < found.count; i++) {
        struct json_node *relation;
        RF_TRY(json_parse(found.items[i].body, call->arena, &relation, err));
        if (json_append(list, to_incident(call, bookmark, relation, found.items[i].etag)) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    return api_answer_list(call, list, err);
}

/* The relation in the path; *relation NULL: there is none. */
static enum rf_kind pick_relation(struct api_call *call, struct json_node **bookmark,
                                  struct json_node **relation, uint64_t *etag, struct rf_err *err)
{
    rf_str name = request_variable(call->request, "relation");
    struct state_list found;
    *relation = NULL;
    RF_TRY(find_relations(call, bookmark, &found, err));
    for (uint32_t i = 0; i < found.count && *relation == NULL; i++) {
        struct json_node *body;
        RF_TRY(json_parse(found.items[i].body, call->arena, &body, err));
        if (!rf_str_eq_nocase(json_text_at(body, "name"), name)) continue;
        *relation = body;
        *etag = found.items[i].etag;
    }
    return RF_OK;
}

enum rf_kind bookmark_relation_get(struct api_call *call, struct rf_err *err)
{
    struct json_node *bookmark, *relation;
    uint64_t etag = 0;
    RF_TRY(pick_relation(call, &bookmark, &relation, &etag, err));
    if (relation == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "NotFound", "The relation was not found.");
    return api_answer(call, 200, to_incident(call, bookmark, relation, etag), err);
}

enum rf_kind bookmark_relation_put(struct api_call *call, struct rf_err *err)
{
    struct json_node *bookmark, *body, *sent;
    struct incident incident;
    rf_str name, related = {NULL, 0};
    uint64_t etag = 0;
    bool created;
    RF_TRY(api_check_name(call, "relation", &name, err));
    RF_TRY(api_properties(call, &body, &sent, err));
    RF_TRY(api_text(sent, "relatedResourceId", true, 1000, &related, err));
    RF_TRY(bookmark_load(call, request_variable(call->request, "bookmark"), &etag, &bookmark, err));
    rf_str guid = related_name(call, related, "incidents");
    if (guid.len == 0 ||
        incident_find(call->txn, &call->place, guid, call->arena, &incident, err) != RF_OK)
        return api_bad(err, "properties.relatedResourceId is no incident of this workspace.");
    rf_str id = json_text_at(bookmark, "id");
    RF_TRY(relation_make(call, &incident, name, id, &created, &etag, err));
    return api_answer(call, created ? 201 : 200, relation_document(call, id, name, related, etag),
                      err);
}

enum rf_kind bookmark_relation_delete(struct api_call *call, struct rf_err *err)
{
    struct json_node *bookmark, *relation;
    struct incident incident;
    uint64_t etag;
    bool existed;
    RF_TRY(pick_relation(call, &bookmark, &relation, &etag, err));
    if (relation == NULL) return api_answer(call, 204, NULL, err);
    RF_TRY(incident_find(call->txn, &call->place, json_text_at(relation, "incident"), call->arena,
                         &incident, err));
    RF_TRY(relation_remove(call, &incident, json_text_at(relation, "name"), &existed, err));
    return api_answer(call, 200, NULL, err);
}
