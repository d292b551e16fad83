/* batch.c - POST /v1/$batch: several queries in one request, run side by side, answered in their order. */
#include "base/encode.h"
#include "base/pool.h"
#include "logs/query_int.h"

enum {
    ITEMS_MAX = 100,
    SIDE_BY_SIDE = 4,
    ITEM_BYTES_MIN = 1 << 20,
    WORK_BYTES = 384 << 20, /* memory of all items' answers */
};

struct item {
    rf_str id;
    const struct json_node *node;
    uint16_t status;
    struct rf_arena arena;
    struct rf_buf body;
};
struct batch_work {
    struct logs *logs;
    const struct request *request;
    struct item *items;
    uint32_t count;
    size_t byte_limit;
};

/* ---- one item ---------------------------------------------------------------------------------------------------- */

static rf_str header_of(const struct json_node *headers, const char *name)
{
    const struct json_node *value =
        json_is(headers, JSON_T_OBJECT) ? json_get_nocase(headers, rf_str_of(name)) : NULL;
    return json_is(value, JSON_T_STRING) ? value->text : (rf_str){NULL, 0};
}

static void put_error(const struct batch_work *work, struct item *item, const char *code,
                      uint16_t status, const struct rf_err *err)
{
    struct query_fault fault = query_fault_of(err, (rf_str){NULL, 0});
    if (code != NULL) fault = (struct query_fault){.status = status, .code = code};
    struct json_out out = json_out_to(&item->body);
    item->body.len = 0;
    json_begin_object(&out, NULL);
    query_fault_put(&out, "error", &fault, err, work->request->request_id);
    json_end_object(&out);
    item->status = fault.status;
}

/* "?query=..." of an item that is asked with GET. */
static enum rf_kind read_parameters(rf_str path, struct rf_arena *arena, struct query_ask *ask,
                                    struct rf_err *err)
{
    size_t at = rf_str_find(path, RF_S("?"), 0);
    bool found = false;
    for (at = at == SIZE_MAX ? path.len : at + 1; at < path.len;) {
        size_t end = RF_MIN(rf_str_find(path, RF_S("&"), at), path.len);
        rf_str pair = rf_slice(path, at, end), name, value;
        size_t eq = RF_MIN(rf_str_find(pair, RF_S("="), 0), pair.len);
        RF_TRY(percent_decode(arena, rf_slice(pair, 0, eq), true, &name, err));
        RF_TRY(percent_decode(arena, rf_slice(pair, RF_MIN(eq + 1, pair.len), pair.len), true,
                              &value, err));
        if (rf_str_is(name, "query")) ask->query = value;
        if (rf_str_is(name, "timespan")) ask->timespan = value;
        if (rf_str_is(name, "workspaces")) ask->workspace_names = value;
        found |= rf_str_is(name, "query");
        at = end + 1;
    }
    if (found) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadRequest", "the path has no parameter 'query'");
}

static enum rf_kind read_item(const struct batch_work *work, struct item *item,
                              struct workspace *workspace, struct query_ask *ask,
                              struct rf_err *err)
{
    const struct json_node *node = item->node, *body = json_get(node, "body");
    rf_str method = json_text_at(node, "method"), path = json_text_at(node, "path");
    rf_str name = json_text_at(node, "workspace"), resource = json_text_at(node, "resource");
    rf_str bare = rf_slice(path, 0, RF_MIN(rf_str_find(path, RF_S("?"), 0), path.len));
    *ask = (struct query_ask){.prefer = header_of(json_get(node, "headers"), "prefer"),
                              .target = bare};
    if (!rf_str_eq_nocase(bare, RF_S("/query")) && !rf_str_eq_nocase(bare, RF_S("query")))
        return RF_FAIL(err, RF_NOT_FOUND, "PathNotFoundError",
                       "The requested path '%.*s' does not exist.",
                       RF_FMT(rf_slice(path, 0, RF_MIN(path.len, 200))));
    if (resource.len > 0 && name.len == 0) {
        RF_TRY(query_by_resource(work->logs, resource, &item->arena, workspace, ask, err));
    } else if (workspace_find(work->logs, name, &item->arena, workspace, err) == RF_OK) {
        ask->workspace = workspace;
    } else {
        return RF_FAIL(err, RF_INVALID, "FailedToResolveResource",
                       "The workspace '%.*s' could not be found.",
                       RF_FMT(rf_slice(name, 0, RF_MIN(name.len, 100))));
    }
    if (rf_str_eq_nocase(method, RF_S("POST"))) return query_ask_of_body(body, ask, err);
    return read_parameters(path, &item->arena, ask, err);
}

static enum rf_kind run_item(void *ctx, size_t job, unsigned worker, struct rf_err *pool_err)
{
    const struct batch_work *work = ctx;
    struct item *item = &work->items[job];
    struct workspace workspace;
    struct query_ask ask;
    struct rf_err err = {0};
    uint32_t retry_seconds;
    (void)worker, (void)pool_err;
    enum rf_kind kind = read_item(work, item, &workspace, &ask, &err);
    if (kind == RF_OK)
        kind = queries_admit(work->logs->queries, work->request->principal, &retry_seconds, &err);
    if (kind == RF_OK)
        item->status = query_answer(work->logs, work->request, &item->arena, &ask, work->byte_limit,
                                    &item->body);
    else if (strcmp(err.code, "FailedToResolveResource") == 0)
        put_error(work, item, "FailedToResolveResource", 400, &err);
    else
        put_error(work, item, NULL, 0, &err);
    if (!item->body.failed) return RF_OK;
    item->body = rf_buf_in(&item->arena);
    rf_err_memory(&err, &item->arena);
    put_error(work, item, "InternalServerError", 500, &err);
    return RF_OK; /* an item's error is its own */
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static enum rf_kind fail_batch(struct rf_err *err, const char *why)
{
    return RF_FAIL(err, RF_INVALID, "BadRequest", "%s", why);
}

static enum rf_kind read_items(struct request *request, struct batch_work *work, struct rf_err *err)
{
    struct json_node *body;
    RF_TRY(request_json(request, false, &body, err));
    const struct json_node *list = json_get(body, "requests");
    if (!json_is(list, JSON_T_ARRAY)) return fail_batch(err, "the batch needs a list 'requests'");
    if (list->count == 0) return fail_batch(err, "the batch has no requests");
    if (list->count > ITEMS_MAX) return fail_batch(err, "a batch has 100 requests at most");
    work->items = rf_arena_new(request->arena, struct item, list->count);
    if (work->items == NULL) return rf_fail_memory(err, request->arena);
    for (const struct json_node *n = list->first; n != NULL; n = n->next) {
        const struct json_node *id = json_get(n, "id");
        if (!json_is(n, JSON_T_OBJECT)) return fail_batch(err, "a request must be an object");
        if (!json_is(id, JSON_T_STRING) || id->text.len == 0)
            return fail_batch(err, "each request needs an id, a text");
        if (json_text_at(n, "path").len == 0)
            return fail_batch(err, "each request needs a path, a text");
        if (json_text_at(n, "workspace").len == 0 && json_text_at(n, "resource").len == 0)
            return fail_batch(err, "each request needs a workspace, a text");
        for (uint32_t i = 0; i < work->count; i++)
            if (rf_str_eq(work->items[i].id, id->text))
                return fail_batch(err, "two requests have the same id");
        work->items[work->count++] = (struct item){.id = id->text, .node = n, .status = 500};
    }
    return RF_OK;
}

static void put_responses(struct request *request, const struct batch_work *work)
{
    struct json_out out = json_out_to(&request->response->body);
    json_begin_object(&out, NULL);
    json_begin_array(&out, "responses");
    for (uint32_t i = 0; i < work->count; i++) {
        const struct item *item = &work->items[i];
        json_begin_object(&out, NULL);
        json_put_text(&out, "id", item->id);
        json_put_i64(&out, "status", item->status);
        json_begin_object(&out, "headers");
        json_put_text(&out, "Content-Type", RF_S("application/json; charset=utf-8"));
        json_end_object(&out);
        json_put_raw(&out, "body", rf_buf_view(&item->body));
        json_end_object(&out);
    }
    json_end_array(&out);
    json_end_object(&out);
}

/* An item is refused by a thread of its own; its row is left by the request's. */
static void note_denials(struct request *request, const struct batch_work *work)
{
    for (uint32_t i = 0; i < work->count; i++) {
        const struct item *item = &work->items[i];
        struct rf_err why = {.code = "InsufficientAccessError"};
        rf_str scope = json_text_at(item->node, "resource");
        if (scope.len == 0) scope = json_text_at(item->node, "workspace");
        if (item->status != 403) continue;
        (void)rf_fail(&why, RF_DENIED, why.code, "a query of a batch was refused");
        /* No action: what was refused is rows, no action of the control plane. */
        request_note_denial(request, item->status, &why, (rf_str){0}, scope);
    }
}

static enum rf_kind run_items(struct request *request, struct batch_work *work, struct rf_err *err)
{
    struct rf_budget budget;
    struct pool *pool = NULL;
    unsigned threads = RF_MIN(RF_MIN(pool_processors(), (unsigned)SIDE_BY_SIDE), work->count);
    RF_ASSERT(work->count > 0); /* read_items refuses an empty batch */
    rf_budget_init(&budget, WORK_BYTES);
    work->byte_limit = RF_MAX((size_t)QUERY_BYTES_MAX / work->count, (size_t)ITEM_BYTES_MIN);
    for (uint32_t i = 0; i < work->count; i++) {
        rf_arena_init_shared(&work->items[i].arena, &budget);
        work->items[i].body = rf_buf_in(&work->items[i].arena);
    }
    enum rf_kind kind = threads > 1 ? pool_new(threads, &pool, err) : RF_OK;
    if (kind == RF_OK) kind = pool_run(pool, work->count, run_item, work, err);
    pool_free(pool);
    if (kind == RF_OK) note_denials(request, work);
    if (kind == RF_OK) put_responses(request, work);
    for (uint32_t i = 0; i < work->count; i++) rf_arena_done(&work->items[i].arena);
    return kind;
}

enum rf_kind batch_run(struct request *request, struct rf_err *err)
{
    struct batch_work work = {.logs = request->service, .request = request};
    RF_TRY(read_items(request, &work, err));
    RF_TRY(run_items(request, &work, err));
    http_set_literal(request->response, "Content-Type", "application/json; charset=utf-8");
    return request->response->body.failed ? rf_fail_memory(err, request->arena) : RF_OK;
}
