/* incident_child.c - comments and tasks of incidents: small documents below one, of which there may be so many. */
#include "siem/incident_api_int.h"

#include "base/encode.h"
#include "siem/rule_int.h"

struct child_kind {
    const char *space, *collection, *variable;
    const char *count; /* in the incident's additionalData */
    uint32_t most;
    /* Sets the properties that a caller may set; `before` is NULL for a new one. */
    enum rf_kind (*apply)(struct api_call *call, const struct json_node *sent,
                          const struct json_node *before, struct json_node *p, struct rf_err *err);
};

/* ---- reading ------------------------------------------------------------------------------------------------------------- */

static struct json_node *show(struct api_call *call, struct json_node *body, uint64_t etag)
{
    return json_set_text(call->arena, body, "etag", incident_etag(call->arena, etag)) == NULL
               ? NULL
               : body;
}

static enum rf_kind load(struct api_call *call, const struct child_kind *kind,
                         const struct incident *incident, struct state_object *object,
                         struct json_node **out, struct rf_err *err)
{
    rf_str name = request_variable(call->request, kind->variable);
    rf_str key =
        incident_child_key(&call->place, json_text_at(incident->body, "name"), name, call->arena);
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    enum rf_kind found = state_get(call->txn, kind->space, key, call->arena, object, err);
    if (found == RF_NOT_FOUND)
        return RF_FAIL(err, RF_NOT_FOUND, "NotFound", "'%.*s' was not found among the %s.",
                       (int)RF_MIN(name.len, (size_t)100), (const char *)name.ptr,
                       kind->collection);
    RF_TRY(found);
    return json_parse(object->body, call->arena, out, err);
}

static enum rf_kind list_of(struct api_call *call, const struct child_kind *kind,
                            const struct incident *incident, struct state_list *out,
                            struct rf_err *err)
{
    struct state_scan scan = {.space = kind->space};
    scan.prefix = incident_child_key(&call->place, json_text_at(incident->body, "name"), RF_S(""),
                                     call->arena);
    if (scan.prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    return state_list(call->txn, &scan, call->arena, out, err);
}

/* Newest first; there are no more than a hundred. */
static void sort(struct state_list *list)
{
    for (uint32_t i = 1; i < list->count; i++)
        for (uint32_t k = i; k > 0 && list->items[k].created_usec > list->items[k - 1].created_usec;
             k--) {
            struct state_object swap = list->items[k];
            list->items[k] = list->items[k - 1];
            list->items[k - 1] = swap;
        }
}

static enum rf_kind answer_all(struct api_call *call, const struct child_kind *kind,
                               struct rf_err *err)
{
    struct incident incident;
    struct state_list found;
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    RF_TRY(api_incident(call, &incident, err));
    RF_TRY(list_of(call, kind, &incident, &found, err));
    sort(&found);
    for (uint32_t i = 0; i < found.count; i++) {
        struct json_node *body;
        RF_TRY(json_parse(found.items[i].body, call->arena, &body, err));
        if (json_append(list, show(call, body, found.items[i].etag)) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    return api_answer_list(call, list, err);
}

static enum rf_kind answer_one(struct api_call *call, const struct child_kind *kind,
                               struct rf_err *err)
{
    struct incident incident;
    struct state_object object;
    struct json_node *body;
    RF_TRY(api_incident(call, &incident, err));
    RF_TRY(load(call, kind, &incident, &object, &body, err));
    return api_answer(call, 200, show(call, body, object.etag), err);
}

/* ---- writing --------------------------------------------------------------------------------------------------------------- */

/* The incident's change: its count, its row, its hook. */
static enum rf_kind touch(struct api_call *call, const struct child_kind *kind,
                          struct incident *incident, struct rf_err *err)
{
    struct state_list all;
    struct json_node *before = json_clone(call->arena, incident->body);
    RF_TRY(list_of(call, kind, incident, &all, err));
    struct json_node *more = json_at(incident->body, "properties.additionalData");
    if (before == NULL) return rf_fail_memory(err, call->arena);
    if (kind->count != NULL && json_set_i64(call->arena, more, kind->count, all.count) == NULL)
        return rf_fail_memory(err, call->arena);
    return incident_save(call->txn, &call->place, incident, before, &call->by, call->now,
                         call->arena, err);
}

static struct json_node *make(struct api_call *call, const struct child_kind *kind,
                              const struct incident *incident, rf_str name)
{
    struct rf_arena *arena = call->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    rf_str id = rf_arena_printf(arena, "%.*s/%s/%.*s", RF_FMT(json_text_at(incident->body, "id")),
                                kind->collection, RF_FMT(name));
    rf_str type =
        rf_arena_printf(arena, "Microsoft.SecurityInsights/incidents/%s", kind->collection);
    if (id.ptr == NULL || type.ptr == NULL) return NULL;
    json_set_text(arena, body, "id", id);
    json_set_text(arena, body, "name", name);
    json_set_text(arena, body, "type", type);
    struct json_node *p = json_object_in(arena, body, "properties");
    return json_set_text(arena, p, "createdTimeUtc", time_iso(arena, call->now)) == NULL ? NULL
                                                                                         : body;
}

static enum rf_kind check_room(struct api_call *call, const struct child_kind *kind,
                               const struct incident *incident, struct rf_err *err)
{
    struct state_list all;
    RF_TRY(list_of(call, kind, incident, &all, err));
    if (all.count < kind->most) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadRequest", "An incident has at most %u %s.", kind->most,
                   kind->collection);
}

static enum rf_kind put(struct api_call *call, const struct child_kind *kind, struct rf_err *err)
{
    struct incident incident;
    struct state_object object = {.etag = 0};
    struct json_node *sent_body, *sent, *body = NULL;
    rf_str name;
    RF_TRY(api_check_name(call, kind->variable, &name, err));
    RF_TRY(api_properties(call, &sent_body, &sent, err));
    RF_TRY(api_incident(call, &incident, err));
    enum rf_kind found = load(call, kind, &incident, &object, &body, err);
    if (found != RF_OK && found != RF_NOT_FOUND) return found;
    bool exists = found == RF_OK;
    RF_TRY(api_check_etag(call, sent_body, exists ? object.etag : 0, err));
    const struct json_node *before = exists ? json_clone(call->arena, body) : NULL;
    if (!exists) RF_TRY(check_room(call, kind, &incident, err));
    if (!exists) body = make(call, kind, &incident, name);
    if (body == NULL || (exists && before == NULL)) return rf_fail_memory(err, call->arena);
    struct json_node *p = json_get(body, "properties");
    RF_TRY(kind->apply(call, sent, before, p, err));
    json_set_text(call->arena, p, "lastModifiedTimeUtc", time_iso(call->arena, call->now));
    struct state_put put = {.space = kind->space, .body = json_to_text(call->arena, body)};
    put.key =
        incident_child_key(&call->place, json_text_at(incident.body, "name"), name, call->arena);
    if (put.body.ptr == NULL || put.key.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_put(call->txn, &put, &object.etag, NULL, err));
    RF_TRY(touch(call, kind, &incident, err));
    return api_answer(call, exists ? 200 : 201, show(call, body, object.etag), err);
}

static enum rf_kind remove_one(struct api_call *call, const struct child_kind *kind,
                               struct rf_err *err)
{
    struct incident incident;
    struct state_object object;
    struct json_node *body;
    RF_TRY(api_incident(call, &incident, err));
    enum rf_kind found = load(call, kind, &incident, &object, &body, err);
    if (found == RF_NOT_FOUND) return api_answer(call, 204, NULL, err);
    RF_TRY(found);
    RF_TRY(api_check_etag(call, NULL, object.etag, err));
    RF_TRY(state_delete(call->txn, kind->space, object.key, err));
    RF_TRY(touch(call, kind, &incident, err));
    return api_answer(call, 200, NULL, err);
}

/* ---- comments ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind apply_comment(struct api_call *call, const struct json_node *sent,
                                  const struct json_node *before, struct json_node *p,
                                  struct rf_err *err)
{
    rf_str message = {NULL, 0}, author = json_text_at(before, "properties.author.objectId");
    RF_TRY(api_text(sent, "message", true, INCIDENT_COMMENT_CHARS_MAX, &message, err));
    if (before != NULL && !rf_str_eq_nocase(author, call->request->principal->object_id))
        return request_fail(call->request, err, 403, "Forbidden",
                            "Only who wrote a comment may change it.");
    json_set_text(call->arena, p, "message", message);
    if (before != NULL) return RF_OK;
    struct json_node *info = api_client_info(call);
    return json_set(call->arena, p, RF_S("author"), info) == NULL ? rf_fail_memory(err, call->arena)
                                                                  : RF_OK;
}

static const struct child_kind comments = {.space = SPACE_COMMENT,
                                           .collection = "comments",
                                           .variable = "comment",
                                           .count = "commentsCount",
                                           .most = INCIDENT_COMMENTS_MAX,
                                           .apply = apply_comment};

enum rf_kind incident_comments(struct api_call *call, struct rf_err *err)
{
    return answer_all(call, &comments, err);
}
enum rf_kind incident_comment_get(struct api_call *call, struct rf_err *err)
{
    return answer_one(call, &comments, err);
}
enum rf_kind incident_comment_put(struct api_call *call, struct rf_err *err)
{
    return put(call, &comments, err);
}
enum rf_kind incident_comment_delete(struct api_call *call, struct rf_err *err)
{
    return remove_one(call, &comments, err);
}

/* ---- tasks ---------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind apply_task(struct api_call *call, const struct json_node *sent,
                               const struct json_node *before, struct json_node *p,
                               struct rf_err *err)
{
    static const char *const statuses[] = {"New", "Completed", NULL};
    struct rf_arena *arena = call->arena;
    rf_str title = {NULL, 0}, description = {NULL, 0}, status = {NULL, 0};
    RF_TRY(api_text(sent, "title", true, 150, &title, err));
    RF_TRY(api_text(sent, "description", false, 3000, &description, err));
    RF_TRY(api_text(sent, "status", true, 20, &status, err));
    int at = rule_find_name(statuses, status);
    if (at < 0) return api_bad(err, "properties.status is neither New nor Completed.");
    json_set_text(arena, p, "title", title);
    json_remove(p, RF_S("description"));
    if (description.len > 0) json_set_text(arena, p, "description", description);
    json_set_text(arena, p, "status", rf_str_of(statuses[at]));
    if (before == NULL) json_set(arena, p, RF_S("createdBy"), api_client_info(call));
    struct json_node *info = api_client_info(call);
    return json_set(arena, p, RF_S("lastModifiedBy"), info) == NULL ? rf_fail_memory(err, arena)
                                                                    : RF_OK;
}

static const struct child_kind tasks = {.space = SPACE_TASK,
                                        .collection = "tasks",
                                        .variable = "task",
                                        .most = INCIDENT_TASKS_MAX,
                                        .apply = apply_task};

enum rf_kind incident_tasks(struct api_call *call, struct rf_err *err)
{
    return answer_all(call, &tasks, err);
}
enum rf_kind incident_task_get(struct api_call *call, struct rf_err *err)
{
    return answer_one(call, &tasks, err);
}
enum rf_kind incident_task_put(struct api_call *call, struct rf_err *err)
{
    return put(call, &tasks, err);
}
enum rf_kind incident_task_delete(struct api_call *call, struct rf_err *err)
{
    return remove_one(call, &tasks, err);
}
