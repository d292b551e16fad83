#include "identity/graph_int.h"

/* ---- one part of a batch: a request made of JSON ------------------------------------------------------------------------------------------------------------------------------------------ */

enum { BATCH_MAX = 20, BATCH_HEADERS_MAX = 16 };

struct part {
    const struct json_node *request;
    rf_str id;
    uint16_t status; /* 0: not run yet */
    struct json_node *body;
    const struct graph_call *call; /* how it was asked; NULL: it was not well formed */
};

static bool method_of(rf_str name, enum http_method *out)
{
    static const enum http_method methods[] = {HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH,
                                               HTTP_DELETE};
    for (size_t i = 0; i < RF_COUNT(methods); i++) {
        if (!rf_str_eq_nocase(name, rf_str_of(http_method_name(methods[i])))) continue;
        *out = methods[i];
        return true;
    }
    return false;
}

/* Queries in a batch are often written with blanks as they are. */
static enum rf_kind read_query(struct request *request, rf_str query, struct rf_err *err)
{
    struct form form;
    struct rf_err bad;
    uint8_t *text = rf_arena_alloc(request->arena, query.len);
    if (text == NULL) return rf_fail_memory(err, request->arena);
    for (size_t i = 0; i < query.len; i++)
        text[i] = query.ptr[i] == ' ' ? (uint8_t)'+' : query.ptr[i];
    if (form_parse(rf_str_make(text, query.len), request->arena, &form, &bad) != RF_OK)
        return graph_bad(err, "The query of a request in the batch is not well encoded.");
    struct route_variable *list = rf_arena_new(request->arena, struct route_variable, form.count);
    if (list == NULL) return rf_fail_memory(err, request->arena);
    for (uint32_t i = 0; i < form.count; i++)
        list[i] = (struct route_variable){form.fields[i].name, form.fields[i].value};
    request->parameters = list;
    request->parameter_count = form.count;
    return RF_OK;
}

static enum rf_kind read_headers(const struct graph_call *call, const struct json_node *part,
                                 struct http_request *http, struct rf_err *err)
{
    const struct json_node *headers = json_get(part, "headers");
    struct http_header *list = rf_arena_new(call->arena, struct http_header, BATCH_HEADERS_MAX);
    if (list == NULL) return rf_fail_memory(err, call->arena);
    uint32_t count = 0;
    for (const struct json_node *h = json_is(headers, JSON_T_OBJECT) ? headers->first : NULL;
         h != NULL; h = h->next) {
        if (count == BATCH_HEADERS_MAX || h->type != JSON_T_STRING)
            return graph_bad(err, "The headers of a request in the batch are not valid.");
        list[count++] = (struct http_header){.name = h->name, .value = h->text};
    }
    http->headers = list;
    http->header_count = count;
    return RF_OK;
}

/* The answer of a part is taken from its call; the response that it is given is only for headers. */
static enum rf_kind run_call(struct graph_call *call, struct part *part, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct graph_call *inner = rf_arena_new(arena, struct graph_call, 1);
    struct http_request *http = rf_arena_new(arena, struct http_request, 1);
    struct http_response *response = rf_arena_new(arena, struct http_response, 1);
    struct request *request = rf_arena_new(arena, struct request, 1);
    if (inner == NULL || http == NULL || response == NULL || request == NULL)
        return rf_fail_memory(err, arena);
    *http = *call->request->http;
    *request = *call->request;
    *response = (struct http_response){.arena = arena, .status = 200, .body = rf_buf_in(arena)};
    request->http = http;
    request->response = response;
    rf_str url = json_text_at(part->request, "url");
    size_t question = rf_str_find(url, RF_S("?"), 0);
    rf_str path = question == SIZE_MAX ? url : rf_slice(url, 0, question);
    while (rf_str_starts(path, RF_S("/"))) path = rf_slice(path, 1, path.len);
    http->query = question == SIZE_MAX ? RF_S("") : rf_slice(url, question + 1, url.len);
    if (!method_of(json_text_at(part->request, "method"), &http->method) || path.len == 0)
        return graph_bad(err, "A request in the batch has no valid method or url.");
    const struct json_node *body = json_get(part->request, "body");
    http->body = body == NULL ? RF_S("") : json_to_text(arena, body);
    RF_TRY(read_query(request, http->query, err));
    RF_TRY(read_headers(call, part->request, http, err));
    *inner = (struct graph_call){.identity = call->identity,
                                 .request = request,
                                 .arena = arena,
                                 .method = http->method,
                                 .version = call->version,
                                 .status = 200};
    inner->path = rf_arena_printf(arena, "/%.*s/%.*s", RF_FMT(call->version), RF_FMT(path));
    part->call = inner;
    RF_TRY(graph_split(inner, path, err));
    if (inner->segment_count > 0 && rf_str_is(inner->segments[0], "$batch"))
        return graph_bad(err, "A batch cannot hold a batch.");
    enum rf_kind kind = graph_run_call(inner, err);
    part->status = kind == RF_OK ? inner->status : request->fail_status;
    part->body = inner->plain.len > 0 ? json_new_text(arena, inner->plain) : inner->answer;
    return kind;
}

static void run_part(struct graph_call *call, struct part *part)
{
    struct rf_err err = {.code = "BadRequest"};
    enum rf_kind kind = run_call(call, part, &err);
    if (kind == RF_OK) return;
    if (part->status == 0) part->status = request_status_of(kind);
    if (part->call != NULL && (part->status == 401 || part->status == 403)) {
        const struct graph_route *route = part->call->route;
        request_note_denial(part->call->request, part->status, &err,
                            rf_str_of(route == NULL || route->roles == NULL ? "" : route->roles),
                            part->call->path);
    }
    bool ours = part->status == 500;
    part->body =
        graph_error_json(call->arena, call->request, ours ? "InternalServerError" : err.code,
                         ours ? "The server encountered an internal error." : err.text);
}

/* ---- the batch ----------------------------------------------------------------------------------------------------------------------------------------------------------------------------- */

static const struct part *part_by_id(const struct part *parts, uint32_t count, rf_str id)
{
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq_nocase(parts[i].id, id)) return &parts[i];
    return NULL;
}

static enum rf_kind read_parts(struct graph_call *call, struct part *parts, uint32_t *count,
                               struct rf_err *err)
{
    const struct json_node *list = json_get(call->body, "requests");
    if (!json_is(list, JSON_T_ARRAY) || list->count == 0)
        return graph_bad(err, "A batch has a list 'requests'.");
    if (list->count > BATCH_MAX)
        return RF_FAIL(err, RF_INVALID, "MaximumValueExceeded",
                       "Number of batch request steps exceeds the maximum value of %d.", BATCH_MAX);
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        const struct json_node *id = json_get(item, "id");
        rf_str text =
            json_is(id, JSON_T_STRING) || json_is(id, JSON_T_NUMBER) ? id->text : RF_S("");
        if (text.len == 0 || part_by_id(parts, *count, text) != NULL)
            return graph_bad(err, "Each request of a batch has an id of its own.");
        parts[(*count)++] = (struct part){.request = item, .id = text};
    }
    return RF_OK;
}

/* Requests run in their order, so what one depends on must stand before it. False: one of them failed. */
static bool may_run(const struct part *parts, uint32_t index, bool *known)
{
    const struct json_node *list = json_get(parts[index].request, "dependsOn");
    *known = list == NULL || list->type == JSON_T_ARRAY || list->type == JSON_T_NULL;
    for (const struct json_node *id = json_is(list, JSON_T_ARRAY) ? list->first : NULL; id != NULL;
         id = id->next) {
        const struct part *before = part_by_id(parts, index, id->text);
        if (before == NULL)
            *known = false;
        else if (before->status >= 400)
            return false;
    }
    return true;
}

static bool add_answer(struct graph_call *call, struct json_node *list, const struct part *part)
{
    struct rf_arena *arena = call->arena;
    struct json_node *answer = json_append(list, json_new(arena, JSON_T_OBJECT));
    json_set_text(arena, answer, "id", part->id);
    json_set_i64(arena, answer, "status", part->status);
    struct json_node *headers = answer == NULL ? NULL : json_object_in(arena, answer, "headers");
    json_set_text(arena, headers, "Cache-Control", RF_S("no-cache"));
    if (part->body == NULL) return headers != NULL;
    json_set_text(arena, headers, "Content-Type", RF_S("application/json"));
    return json_set(arena, answer, RF_S("body"), part->body) != NULL;
}

enum rf_kind graph_batch(struct graph_call *call, struct rf_err *err)
{
    struct part parts[BATCH_MAX];
    uint32_t count = 0;
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    struct json_node *root = json_new(call->arena, JSON_T_OBJECT);
    if (list == NULL || root == NULL) return graph_memory(call, err);
    RF_TRY(read_parts(call, parts, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        bool known, good = may_run(parts, i, &known);
        if (!known) return graph_bad(err, "dependsOn names a request that does not stand before.");
        if (good) {
            run_part(call, &parts[i]);
        } else {
            parts[i].status = 424;
            parts[i].body = graph_error_json(call->arena, call->request, "FailedDependency",
                                             "A request that this one depends on has failed.");
        }
        if (!add_answer(call, list, &parts[i])) return graph_memory(call, err);
    }
    if (json_set(call->arena, root, RF_S("responses"), list) == NULL)
        return graph_memory(call, err);
    call->answer = root;
    return RF_OK;
}
