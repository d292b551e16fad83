/* incident_api.c - incidents as a service: routes, what every request goes through, pages. */
#include "siem/incident_api_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "authz/activity.h"
#include "base/encode.h"
#include "base/json_out.h"

/* ---- small things ---------------------------------------------------------------------------------------------------------- */

enum rf_kind api_bad(struct rf_err *err, const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return RF_FAIL(err, RF_INVALID, "BadRequest", "%s", text);
}

enum rf_kind api_text(const struct json_node *properties, const char *name, bool required,
                      size_t chars_max, rf_str *out, struct rf_err *err)
{
    const struct json_node *node = json_get(properties, name);
    if (node == NULL || node->type == JSON_T_NULL)
        return required ? api_bad(err, "properties.%s is required.", name) : RF_OK;
    if (node->type != JSON_T_STRING) return api_bad(err, "properties.%s is not a text.", name);
    if (required && rf_str_trim(node->text).len == 0)
        return api_bad(err, "properties.%s must not be empty.", name);
    if (rf_utf8_count(node->text) > chars_max)
        return api_bad(err, "properties.%s is longer than %zu characters.", name, chars_max);
    *out = node->text;
    return RF_OK;
}

enum rf_kind api_time(const struct json_node *properties, const char *name, struct rf_arena *arena,
                      rf_str *out, struct rf_err *err)
{
    const struct json_node *node = json_get(properties, name);
    rf_usec time;
    if (node == NULL || node->type == JSON_T_NULL) return RF_OK;
    if (node->type != JSON_T_STRING || !time_parse_iso(node->text, &time))
        return api_bad(err, "properties.%s is not a time such as 2024-01-31T12:00:00Z.", name);
    *out = time_iso(arena, time);
    return out->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

enum rf_kind api_check_name(const struct api_call *call, const char *variable, rf_str *out,
                            struct rf_err *err)
{
    rf_str name = request_variable(call->request, variable);
    bool good = name.len > 0 && name.len <= 128;
    for (size_t i = 0; i < name.len && good; i++)
        good = rf_is_alnum(name.ptr[i]) || name.ptr[i] == '-' || name.ptr[i] == '_' ||
               name.ptr[i] == '.';
    *out = name;
    return good ? RF_OK
                : api_bad(err,
                          "'%.*s' is not a valid name: at most 128 letters, digits, '-', '_', '.'.",
                          (int)RF_MIN(name.len, (size_t)100), (const char *)name.ptr);
}

enum rf_kind api_properties(struct api_call *call, struct json_node **body,
                            struct json_node **properties, struct rf_err *err)
{
    RF_TRY(request_json(call->request, false, body, err));
    *properties = json_get(*body, "properties");
    if (json_is(*body, JSON_T_OBJECT) && json_is(*properties, JSON_T_OBJECT)) return RF_OK;
    return api_bad(err, "The body must be an object with 'properties'.");
}

struct json_node *api_client_info(const struct api_call *call)
{
    struct rf_arena *arena = call->arena;
    const struct principal *who = call->request->principal;
    struct json_node *info = json_new(arena, JSON_T_OBJECT);
    bool is_user = who->type == PRINCIPAL_USER;
    rf_str name = who->display_name.len > 0 ? who->display_name : principal_caller(who);
    json_set_text(arena, info, "objectId", who->object_id);
    if (is_user) json_set_text(arena, info, "email", who->user_name);
    if (is_user) json_set_text(arena, info, "userPrincipalName", who->user_name);
    return json_set_text(arena, info, "name", name) == NULL ? NULL : info;
}

/* ---- etags -------------------------------------------------------------------------------------------------------------------- */

/* With its quotes or without, weak or not. */
static bool is_etag(struct api_call *call, rf_str text, uint64_t etag)
{
    rf_str own = incident_etag(call->arena, etag);
    text = rf_str_trim(text);
    if (rf_str_starts(text, RF_S("W/"))) text = rf_slice(text, 2, text.len);
    return own.ptr != NULL && etag != 0 &&
           (rf_str_eq(text, own) || rf_str_eq(text, rf_slice(own, 1, own.len - 1)));
}

enum rf_kind api_check_etag(struct api_call *call, const struct json_node *body, uint64_t etag,
                            struct rf_err *err)
{
    bool has_match, has_none;
    rf_str match = rf_str_trim(http_header(call->request->http, "If-Match", &has_match));
    rf_str none = rf_str_trim(http_header(call->request->http, "If-None-Match", &has_none));
    rf_str own = json_text_at(body, "etag");
    bool fits = !has_match || (rf_str_is(match, "*") ? etag != 0 : is_etag(call, match, etag));
    if (has_none && rf_str_is(none, "*") && etag != 0) fits = false;
    if (has_none && is_etag(call, none, etag)) fits = false;
    if (!fits)
        return request_fail(call->request, err, 412, "PreconditionFailed",
                            "The resource was changed since it was read, or is not what the "
                            "condition of the request says.");
    if (own.len == 0 || etag == 0 || is_etag(call, own, etag)) return RF_OK;
    return RF_FAIL(err, RF_CONFLICT, "Conflict",
                   "The etag of the request is not that of the resource, which somebody changed "
                   "since. Read it again.");
}

/* ---- answers -------------------------------------------------------------------------------------------------------------------- */

enum rf_kind api_answer(struct api_call *call, uint16_t status, struct json_node *body,
                        struct rf_err *err)
{
    if (body == NULL && status != 204 && status != 200) return rf_fail_memory(err, call->arena);
    call->status = status;
    call->body = body;
    return RF_OK;
}

static bool read_number(rf_str text, uint32_t *out)
{
    uint32_t number = 0;
    if (text.len == 0 || text.len > 9) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i])) return false;
        number = number * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    *out = number;
    return true;
}

enum rf_kind api_top(const struct request *request, uint32_t otherwise, uint32_t most,
                     uint32_t *out, struct rf_err *err)
{
    bool found;
    rf_str text = request_parameter(request, "$top", &found);
    *out = otherwise;
    if (!found || (read_number(text, out) && *out > 0 && *out <= most)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidTop", "$top '%.*s' is not a number from 1 to %u.",
                   (int)RF_MIN(text.len, (size_t)40), (const char *)text.ptr, most);
}

static rf_str next_link(struct request *request, rf_str token)
{
    struct rf_arena *arena = request->arena;
    struct rf_buf link = rf_buf_in(arena);
    rf_buf_str(&link, request->origin);
    rf_buf_str(&link, request->http->path);
    char mark = '?';
    for (uint32_t i = 0; i < request->parameter_count; i++) {
        const struct route_variable *parameter = &request->parameters[i];
        if (rf_str_eq_nocase(parameter->name, RF_S("$skipToken"))) continue;
        rf_str name = percent_encode(arena, parameter->name);
        rf_str value = percent_encode(arena, parameter->value);
        if (name.ptr == NULL || value.ptr == NULL) return (rf_str){NULL, 0};
        rf_buf_printf(&link, "%c%.*s=%.*s", mark, RF_FMT(name), RF_FMT(value));
        mark = '&';
    }
    rf_buf_printf(&link, "%c%%24skipToken=%.*s", mark, RF_FMT(token));
    return link.failed ? (rf_str){NULL, 0} : rf_buf_view(&link);
}

struct json_node *api_page(struct request *request, struct json_node *list, rf_str next)
{
    struct json_node *body = json_new(request->arena, JSON_T_OBJECT);
    if (json_set(request->arena, body, RF_S("value"), list) == NULL) return NULL;
    if (next.len == 0) return body;
    rf_str link = next_link(request, next);
    bool done = link.ptr != NULL && json_set_text(request->arena, body, "nextLink", link) != NULL;
    return done ? body : NULL;
}

enum rf_kind api_answer_list(struct api_call *call, struct json_node *list, struct rf_err *err)
{
    enum { PAGE_MAX = 1000 };
    uint32_t top, skip = 0, at = 0;
    bool found;
    rf_str token = request_parameter(call->request, "$skipToken", &found), next = {NULL, 0};
    RF_TRY(api_top(call->request, PAGE_MAX, PAGE_MAX, &top, err));
    if (found && !read_number(token, &skip))
        return RF_FAIL(err, RF_INVALID, "InvalidSkipToken",
                       "The $skipToken is not one that was given out.");
    if (list == NULL) return rf_fail_memory(err, call->arena);
    struct json_node *page = json_new(call->arena, JSON_T_ARRAY);
    for (struct json_node *item = list->first, *after; item != NULL; item = after, at++) {
        after = item->next;
        if (at < skip || at >= skip + top) continue;
        item->next = NULL;
        if (json_append(page, item) == NULL) return rf_fail_memory(err, call->arena);
    }
    if (at > skip + top) {
        next = rf_arena_printf(call->arena, "%u", skip + top);
        if (next.ptr == NULL) return rf_fail_memory(err, call->arena);
    }
    struct json_node *body = api_page(call->request, page, next);
    return body == NULL ? rf_fail_memory(err, call->arena) : api_answer(call, 200, body, err);
}

/* ---- where a request belongs ----------------------------------------------------------------------------------------------------- */

static rf_str workspace_of(struct request *request)
{
    rf_str subscription = request_variable(request, "subscription");
    rf_str group = request_variable(request, "group");
    rf_str workspace = request_variable(request, "workspace");
    return rf_arena_printf(request->arena,
                           "/subscriptions/%.*s/resourceGroups/%.*s/providers/"
                           "Microsoft.OperationalInsights/workspaces/%.*s",
                           RF_FMT(subscription), RF_FMT(group), RF_FMT(workspace));
}

static enum rf_kind workspace_scope(struct request *request, rf_str *scope, struct rf_err *err)
{
    rf_str version = rf_str_trim(request_parameter(request, "api-version", NULL));
    if (version.len == 0)
        return RF_FAIL(err, RF_INVALID, "MissingApiVersionParameter",
                       "The api-version query parameter (?api-version=) is required for all "
                       "requests.");
    *scope = workspace_of(request);
    return scope->ptr == NULL ? rf_fail_memory(err, request->arena) : RF_OK;
}

static enum rf_kind find_place(struct api_call *call, struct rf_err *err)
{
    const struct incidents_options *options = &call->incidents->options;
    struct arm_resource workspace;
    rf_str id = workspace_of(call->request);
    if (id.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(arm_get(options->arm, call->txn, id, call->arena, &workspace, err));
    call->place = (struct incident_place){.workspace = workspace.id,
                                          .workspace_id =
                                              json_text_at(workspace.body, "properties.customerId"),
                                          .tenant_id = options->site->tenant_id,
                                          .origin = options->site->origin,
                                          .hook = options->hook};
    return RF_OK;
}

static struct incident_by who_asks(const struct principal *principal)
{
    bool is_user = principal->type == PRINCIPAL_USER;
    rf_str name = principal->user_name.len > 0      ? principal->user_name
                  : principal->display_name.len > 0 ? principal->display_name
                                                    : principal->object_id;
    return (struct incident_by){is_user ? INCIDENT_BY_USER : INCIDENT_BY_APPLICATION, name};
}

enum rf_kind api_incident(struct api_call *call, struct incident *out, struct rf_err *err)
{
    return incident_find(call->txn, &call->place, request_variable(call->request, "incident"),
                         call->arena, out, err);
}

/* ---- one request -------------------------------------------------------------------------------------------------------------------- */

/* What the caller asked for, as AzureActivity names it. */
static void record(struct request *request, uint16_t status, const struct rf_err *failure)
{
    rf_str id = request->http->path;
    if (request->http->method == HTTP_GET || request->http->method == HTTP_HEAD) return;
    if (request->route == NULL || request->route->action == NULL ||
        rf_str_ends(rf_str_of(request->route->action), RF_S("/read")))
        return;
    const struct activity activity = {.action = rf_str_of(request->route->action),
                                      .resource_id = id,
                                      .is_failure = failure != NULL,
                                      .status = status,
                                      .code = failure == NULL ? (rf_str){NULL, 0}
                                                              : rf_str_of(failure->code)};
    activity_write(request, &activity);
}

enum rf_kind api_run(struct request *request, bool writes, api_handler *handler, struct rf_err *err)
{
    struct incidents *incidents = request->service;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct api_call call = {.incidents = incidents,
                            .request = request,
                            .arena = request->arena,
                            .by = who_asks(request->principal),
                            .now = request->now,
                            .status = 500};
    if (writes)
        RF_TRY(state_begin_write(incidents->options.state, &txn, err));
    else
        RF_TRY(state_begin_read(incidents->options.state, &txn, err));
    call.txn = txn;
    RF_TRY(find_place(&call, err));
    RF_TRY(handler(&call, err));
    if (writes) RF_TRY(state_finish(&txn, err));
    record(request, call.status, NULL);
    if (call.body == NULL) return request_answer_empty(request, call.status);
    return request_answer(request, call.status, call.body);
}

static void write_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    struct http_response *response = request->response;
    if (status != 401 && status != 403 && request->principal != NULL) record(request, status, err);
    response->body.len = 0;
    http_set_literal(response, "Content-Type", "application/json; charset=utf-8");
    struct json_out out = json_out_to(&response->body);
    json_begin_object(&out, NULL);
    json_begin_object(&out, "error");
    json_put_text(&out, "code", rf_str_of(err->code));
    json_put_text(&out, "message", rf_str_of(err->text));
    json_end_object(&out);
    json_end_object(&out);
    if (response->body.failed) response->failed = true;
}

/* Verbs that the contract does not have for a path: without a route they would reach the control plane, which keeps documents of
 * any type that it does not know. */
static enum rf_kind run_refused(struct request *request, struct rf_err *err)
{
    return request_fail(request, err, 405, "MethodNotAllowed",
                        "%s is not possible here: write the whole resource with PUT where it can "
                        "be written.",
                        http_method_name(request->http->method));
}

/* ---- routes ---------------------------------------------------------------------------------------------------------------------------- */

API_READ(run_list, incident_api_list)
API_READ(run_items, watchlist_items_list)
API_READ(run_item_get, watchlist_item_get)
API_WRITE(run_item_put, watchlist_item_put)
API_WRITE(run_item_delete, watchlist_item_delete)
API_READ(run_get, incident_api_get)
API_WRITE(run_put, incident_api_put)
API_WRITE(run_delete, incident_api_delete)
API_READ(run_alerts, incident_api_alerts)
API_READ(run_entities, incident_api_entities)
API_READ(run_bookmarks, incident_api_bookmarks)
API_READ(run_playbook, incident_api_playbook)
API_READ(run_comments, incident_comments)
API_READ(run_comment_get, incident_comment_get)
API_WRITE(run_comment_put, incident_comment_put)
API_WRITE(run_comment_delete, incident_comment_delete)
API_READ(run_tasks, incident_tasks)
API_READ(run_task_get, incident_task_get)
API_WRITE(run_task_put, incident_task_put)
API_WRITE(run_task_delete, incident_task_delete)
API_READ(run_relations, incident_relations)
API_READ(run_relation_get, incident_relation_get)
API_WRITE(run_relation_put, incident_relation_put)
API_WRITE(run_relation_delete, incident_relation_delete)
API_READ(run_bookmark_list, bookmark_list)
API_READ(run_bookmark_get, bookmark_get)
API_WRITE(run_bookmark_put, bookmark_put)
API_WRITE(run_bookmark_delete, bookmark_delete)
API_READ(run_bookmark_expand, bookmark_expand)
API_READ(run_bookmark_relations, bookmark_relations)
API_READ(run_bookmark_relation_get, bookmark_relation_get)
API_WRITE(run_bookmark_relation_put, bookmark_relation_put)
API_WRITE(run_bookmark_relation_delete, bookmark_relation_delete)
API_READ(run_entity_list, entity_list)
API_READ(run_entity_get, entity_get)
API_READ(run_entity_expand, entity_expand)
API_READ(run_entity_timeline, entity_timeline)
API_READ(run_entity_queries, entity_queries)
API_READ(run_entity_insights, entity_insights)
API_READ(run_entity_relations, entity_relations)
API_READ(run_entity_relation_get, entity_relation_get)

#define WORKSPACE                                                                                  \
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/"                              \
    "Microsoft.OperationalInsights/workspaces/{workspace}" PROVIDER_PATH
#define NS "Microsoft.SecurityInsights/"
#define ROUTE(m, p, a, r)                                                                          \
    {                                                                                              \
        .method = m, .path = WORKSPACE p, .access = ROUTE_ACTION, .action = NS a,                  \
        .audiences = AUDIENCE_ARM, .scope = workspace_scope, .run = r                              \
    }
#define CRUD(collection, name, action, all, get, put, remove)                                      \
    ROUTE(HTTP_GET, collection, action "/read", all),                                              \
        ROUTE(HTTP_GET, collection "/{" name "}", action "/read", get),                            \
        ROUTE(HTTP_PUT, collection "/{" name "}", action "/write", put),                           \
        ROUTE(HTTP_DELETE, collection "/{" name "}", action "/delete", remove),                    \
        ROUTE(HTTP_PATCH, collection "/{" name "}", action "/write", run_refused)
#define READ_ONLY(path, action)                                                                    \
    ROUTE(HTTP_PUT, path, action "/write", run_refused),                                           \
        ROUTE(HTTP_PATCH, path, action "/write", run_refused),                                     \
        ROUTE(HTTP_DELETE, path, action "/delete", run_refused)
#define INCIDENT "/incidents/{incident}"
#define ENTITY "/entities/{entity}"

static const struct route routes[] = {
    CRUD("/incidents", "incident", "incidents", run_list, run_get, run_put, run_delete),
    ROUTE(HTTP_POST, INCIDENT "/alerts", "incidents/read", run_alerts),
    ROUTE(HTTP_POST, INCIDENT "/entities", "incidents/read", run_entities),
    ROUTE(HTTP_POST, INCIDENT "/bookmarks", "incidents/read", run_bookmarks),
    ROUTE(HTTP_POST, INCIDENT "/runPlaybook", "incidents/runPlaybook/action", run_playbook),
    CRUD(INCIDENT "/comments", "comment", "incidents/comments", run_comments, run_comment_get,
         run_comment_put, run_comment_delete),
    CRUD(INCIDENT "/tasks", "task", "incidents/tasks", run_tasks, run_task_get, run_task_put,
         run_task_delete),
    CRUD(INCIDENT "/relations", "relation", "incidents/relations", run_relations, run_relation_get,
         run_relation_put, run_relation_delete),
    CRUD("/bookmarks", "bookmark", "bookmarks", run_bookmark_list, run_bookmark_get,
         run_bookmark_put, run_bookmark_delete),
    ROUTE(HTTP_POST, "/bookmarks/{bookmark}/expand", "bookmarks/read", run_bookmark_expand),
    CRUD("/bookmarks/{bookmark}/relations", "relation", "bookmarks/relations",
         run_bookmark_relations, run_bookmark_relation_get, run_bookmark_relation_put,
         run_bookmark_relation_delete),
    CRUD("/watchlists/{watchlist}/watchlistItems", "item", "watchlists/watchlistItems", run_items,
         run_item_get, run_item_put, run_item_delete),
    READ_ONLY(ENTITY, "entities"),
    READ_ONLY(ENTITY "/relations/{relation}", "entities/relations"),
    ROUTE(HTTP_GET, "/entities", "entities/read", run_entity_list),
    ROUTE(HTTP_GET, ENTITY, "entities/read", run_entity_get),
    ROUTE(HTTP_POST, ENTITY "/expand", "entities/read", run_entity_expand),
    ROUTE(HTTP_POST, ENTITY "/getTimeline", "entities/read", run_entity_timeline),
    ROUTE(HTTP_GET, ENTITY "/queries", "entities/read", run_entity_queries),
    ROUTE(HTTP_POST, ENTITY "/getInsights", "entities/read", run_entity_insights),
    ROUTE(HTTP_GET, ENTITY "/relations", "entities/relations/read", run_entity_relations),
    ROUTE(HTTP_GET, ENTITY "/relations/{relation}", "entities/relations/read",
          run_entity_relation_get),
};

/* ---- life -------------------------------------------------------------------------------------------------------------------------------- */

enum rf_kind incidents_new(const struct incidents_options *options, struct incidents **out,
                           struct rf_err *err)
{
    struct incidents *incidents = calloc(1, sizeof *incidents);
    if (incidents == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "incidents");
    incidents->options = *options;
    incidents->service = (struct service){.name = "incidents",
                                          .ctx = incidents,
                                          .routes = routes,
                                          .route_count = RF_COUNT(routes),
                                          .error = write_error};
    *out = incidents;
    return RF_OK;
}

void incidents_free(struct incidents *incidents) { free(incidents); }

const struct service *incidents_service(struct incidents *incidents) { return &incidents->service; }
