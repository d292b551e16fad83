/* query_answer.c - one query of the query API: what is asked, and the answer's text. */
#include <stdio.h>

#include "base/json_out.h"
#include "kql/ast.h"
#include "logs/query_int.h"
#include "value/text.h"

enum { TABLES_MAX = 1000, QUERY_TEXT_BYTES_MAX = 4 << 20 };

/* ---- the Prefer header (RFC 7240) -------------------------------------------------------------------------------- */

struct prefer {
    int64_t wait_usec;
    bool statistics, render, data_sources;
};

static struct prefer prefer_of(rf_str text)
{
    struct prefer p = {.wait_usec = QUERY_WAIT_DEFAULT};
    for (size_t at = 0; at < text.len;) {
        size_t end = at;
        while (end < text.len && text.ptr[end] != ',' && text.ptr[end] != ';') end++;
        rf_str word = rf_str_trim(rf_slice(text, at, end));
        size_t eq = rf_str_find(word, RF_S("="), 0);
        rf_str name = rf_str_trim(rf_slice(word, 0, RF_MIN(eq, word.len)));
        rf_str value =
            eq == SIZE_MAX ? RF_S("true") : rf_str_trim(rf_slice(word, eq + 1, word.len));
        bool on = rf_str_eq_nocase(value, RF_S("true"));
        int64_t seconds;
        if (rf_str_eq_nocase(name, RF_S("wait")) && text_to_long(value, &seconds) && seconds > 0)
            p.wait_usec = RF_MIN(seconds, QUERY_WAIT_MAX / RF_USEC_PER_SECOND) * RF_USEC_PER_SECOND;
        else if (rf_str_eq_nocase(name, RF_S("include-statistics")))
            p.statistics = on;
        else if (rf_str_eq_nocase(name, RF_S("include-render")))
            p.render = on;
        else if (rf_str_eq_nocase(name, RF_S("include-dataSources")))
            p.data_sources = on;
        at = end + 1;
    }
    return p;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

struct answer {
    struct kql_sink sink;
    struct wire wire;
    struct rf_buf *buf;
    struct rf_arena *arena;
    struct prefer prefer;
    struct rf_buf render; /* as JSON, made while the query's memory is there */
    struct {
        uint64_t rows;
        size_t bytes;
    } tables[TABLES_MAX];
    uint32_t table_count;
    size_t table_from; /* wire.byte_count at the table's begin */
    bool open;         /* a table has begun and not ended */
};

static rf_str table_name(struct rf_arena *arena, rf_str name, uint32_t index)
{
    bool plain = rf_str_starts(name, RF_S("Table_")) || rf_str_is(name, "PrimaryResult");
    if (!plain) return name; /* fork names its own */
    if (index == 0) return RF_S("PrimaryResult");
    return rf_arena_printf(arena, "PrimaryResult_%u", index);
}

static enum rf_kind put_columns(struct json_out *out, const struct schema *schema)
{
    json_begin_array(out, "columns");
    for (uint32_t i = 0; i < schema->count; i++) {
        json_begin_object(out, NULL);
        json_put_text(out, "name", schema->columns[i].name);
        json_put_text(out, "type", rf_str_of(type_name((enum type)schema->columns[i].type)));
        json_end_object(out);
    }
    json_end_array(out);
    return RF_OK;
}

static enum rf_kind answer_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                 const struct render *render, struct rf_err *err)
{
    struct answer *a = (struct answer *)sink;
    struct json_out out = json_out_to(a->buf);
    if (a->table_count == TABLES_MAX)
        return RF_FAIL(err, RF_LIMIT, "QueryTooLarge", "more than %d results", TABLES_MAX);
    rf_buf_str(a->buf, a->table_count == 0 ? RF_S("{\"tables\":[") : RF_S(","));
    json_begin_object(&out, NULL);
    json_put_text(&out, "name", table_name(a->arena, name, a->table_count));
    put_columns(&out, schema);
    rf_buf_str(a->buf, RF_S(",\"rows\":["));
    if (render != NULL && a->prefer.render && a->render.len == 0)
        query_render_put(&a->render, render, false);
    if (a->buf->failed) return rf_fail_memory(err, a->arena);
    a->open = true;
    a->table_count++;
    a->table_from = a->wire.byte_count;
    return wire_table(&a->wire, schema, err);
}

static enum rf_kind answer_push(struct kql_sink *sink, const struct batch *batch,
                                struct rf_err *err)
{
    return wire_rows(&((struct answer *)sink)->wire, batch, err);
}

static void close_table(struct answer *a)
{
    if (!a->open) return;
    rf_buf_str(a->buf, RF_S("]}"));
    a->open = false;
    a->tables[a->table_count - 1].rows = a->wire.table_row_count;
    a->tables[a->table_count - 1].bytes = a->wire.byte_count - a->table_from;
}

static enum rf_kind answer_end(struct kql_sink *sink, struct rf_err *err)
{
    struct answer *a = (struct answer *)sink;
    close_table(a);
    return a->buf->failed ? rf_fail_memory(err, a->arena) : RF_OK;
}

/* ---- render ------------------------------------------------------------------------------------------------------ */

/* The properties as the service names them, all there, null where the query gives none. */
static const struct {
    const char *name, *parameter;
    enum { RENDER_TEXT, RENDER_LIST, RENDER_NUMBER, RENDER_TRUTH } form;
} render_properties[] = {
    {"title", "title", RENDER_TEXT},       {"accumulate", "accumulate", RENDER_TRUTH},
    {"isQuerySorted", NULL, RENDER_TRUTH}, {"kind", "kind", RENDER_TEXT},
    {"annotation", NULL, RENDER_TEXT},     {"by", "by", RENDER_LIST},
    {"xColumn", "xcolumn", RENDER_TEXT},   {"yColumns", "ycolumns", RENDER_LIST},
    {"series", "series", RENDER_LIST},     {"xTitle", "xtitle", RENDER_TEXT},
    {"yTitle", "ytitle", RENDER_TEXT},     {"xAxis", "xaxis", RENDER_TEXT},
    {"yAxis", "yaxis", RENDER_TEXT},       {"legend", "legend", RENDER_TEXT},
    {"ySplit", "ysplit", RENDER_TEXT},     {"yMin", "ymin", RENDER_NUMBER},
    {"yMax", "ymax", RENDER_NUMBER},       {"anomalyColumns", "anomalycolumns", RENDER_LIST},
};

static const struct ast *render_value(const struct render *render, const char *parameter)
{
    for (uint32_t i = 0; parameter != NULL && i < render->param_count; i++)
        if (rf_str_eq_nocase(render->params[i].name, rf_str_of(parameter)))
            return render->params[i].value;
    return NULL;
}

static void put_render_text(struct json_out *out, const char *name, const struct ast *value)
{
    if (value->kind != AST_LITERAL) {
        json_put_text(out, name, value->text);
        return;
    }
    struct rf_buf text = rf_buf_in(out->buf->arena);
    text_put_value(&text, &value->value);
    json_put_text(out, name, rf_buf_view(&text));
}

static void put_render_property(struct json_out *out, const char *name, size_t i,
                                const struct ast *value)
{
    if (value == NULL) {
        if (render_properties[i].form == RENDER_TRUTH)
            json_put_bool(out, name, false);
        else if (render_properties[i].form == RENDER_NUMBER)
            json_put_text(out, name, RF_S("NaN"));
        else
            json_put_null(out, name);
        return;
    }
    if (render_properties[i].form == RENDER_TRUTH) {
        json_put_bool(out, name,
                      value->kind == AST_LITERAL && value->value.type == TYPE_BOOL &&
                          value->value.b != 0);
    } else if (render_properties[i].form == RENDER_LIST) {
        json_begin_array(out, name);
        for (uint32_t n = 0; n < value->name_count; n++) json_put_text(out, NULL, value->names[n]);
        if (value->name_count == 0) put_render_text(out, NULL, value);
        json_end_array(out);
    } else if (render_properties[i].form == RENDER_NUMBER && value->kind == AST_LITERAL &&
               type_is_number((enum type)value->value.type)) {
        struct rf_buf text = rf_buf_in(out->buf->arena);
        text_put_value(&text, &value->value);
        json_put_raw(out, name, rf_buf_view(&text));
    } else {
        put_render_text(out, name, value);
    }
}

/* The Kusto endpoints begin names with a capital letter. */
static const char *cased(const char *name, bool capital, char out[32])
{
    (void)snprintf(out, 32, "%s", name);
    if (capital) out[0] = (char)rf_upper((uint8_t)out[0]);
    return out;
}

void query_render_put(struct rf_buf *buf, const struct render *render, bool capital)
{
    char name[32];
    struct json_out out = json_out_to(buf);
    json_begin_object(&out, NULL);
    if (render == NULL)
        json_put_null(&out, cased("visualization", capital, name));
    else
        json_put_text(&out, cased("visualization", capital, name), render->kind);
    for (size_t i = 0; i < RF_COUNT(render_properties); i++) {
        const struct ast *value =
            render == NULL ? NULL : render_value(render, render_properties[i].parameter);
        put_render_property(&out, cased(render_properties[i].name, capital, name), i, value);
    }
    json_end_object(&out);
}

/* ---- statistics -------------------------------------------------------------------------------------------------- */

static void put_seconds(struct json_out *out, const char *name, int64_t usec)
{
    char text[40];
    int len = snprintf(text, sizeof text, "%lld.%06d", (long long)(usec / 1000000),
                       (int)(usec % 1000000));
    json_put_raw(out, name, rf_str_make(text, (size_t)len));
}

static void put_span(struct json_out *out, const char *name, int64_t usec)
{
    struct rf_buf text = rf_buf_in(out->buf->arena);
    text_put_timespan(&text, usec * TICKS_PER_MICROSECOND);
    json_put_text(out, name, rf_buf_view(&text));
}

static void put_resources(struct json_out *out, const struct query_result *result)
{
    json_begin_object(out, "resourceUsage");
    json_begin_object(out, "cache");
    json_begin_object(out, "memory");
    json_put_i64(out, "hits", 0);
    json_put_i64(out, "misses", 0);
    json_put_i64(out, "total", 0);
    json_end_object(out);
    json_begin_object(out, "disk");
    json_put_i64(out, "hits", 0);
    json_put_i64(out, "misses", 0);
    json_put_i64(out, "total", 0);
    json_end_object(out);
    json_end_object(out);
    json_begin_object(out, "cpu");
    put_span(out, "user", result->cpu_usec);
    put_span(out, "kernel", 0);
    put_span(out, "total cpu", result->cpu_usec);
    json_end_object(out);
    json_begin_object(out, "memory");
    json_put_i64(out, "peak_per_node", (int64_t)result->stats.memory_peak_bytes);
    json_end_object(out);
    json_end_object(out);
}

static void put_statistics(const struct answer *a, struct json_out *out,
                           const struct query_result *result)
{
    json_begin_object(out, "statistics");
    json_begin_object(out, "query");
    put_seconds(out, "executionTime", result->duration_usec);
    put_resources(out, result);
    json_begin_object(out, "inputDatasetStatistics");
    json_begin_object(out, "rows");
    json_put_i64(out, "total", (int64_t)result->stats.rows_scanned);
    json_put_i64(out, "scanned", (int64_t)result->stats.rows_scanned);
    json_end_object(out);
    json_begin_object(out, "bytes");
    json_put_i64(out, "scanned", (int64_t)result->stats.bytes_scanned);
    json_end_object(out);
    json_end_object(out);
    json_begin_array(out, "datasetStatistics");
    for (uint32_t i = 0; i < a->table_count; i++) {
        json_begin_object(out, NULL);
        json_put_i64(out, "table_row_count", (int64_t)a->tables[i].rows);
        json_put_i64(out, "table_size", (int64_t)a->tables[i].bytes);
        json_end_object(out);
    }
    json_end_array(out);
    json_end_object(out);
    json_end_object(out);
}

static void put_sources(struct json_out *out, const struct query_want *want)
{
    json_begin_array(out, "dataSources");
    for (uint32_t i = 0; i < want->workspace_count; i++) {
        json_begin_object(out, NULL);
        json_put_text(out, "resourceId", want->workspaces[i].id);
        json_put_text(out, "region", RF_S("local"));
        json_end_object(out);
    }
    json_end_array(out);
}

/* Behind the tables: the members that were asked for, the error of a partial result. */
static void finish(struct answer *a, const struct query_want *want,
                   const struct query_result *result)
{
    struct rf_buf *buf = a->buf;
    struct json_out out = {.buf = buf, .comma = true};
    close_table(a);
    rf_buf_str(buf, a->table_count == 0 ? RF_S("{\"tables\":[]") : RF_S("]"));
    if (a->prefer.statistics) put_statistics(a, &out, result);
    if (a->prefer.render) {
        if (a->render.len == 0) query_render_put(&a->render, NULL, false);
        json_put_raw(&out, "render", rf_buf_view(&a->render));
    }
    if (a->prefer.data_sources) put_sources(&out, want);
    if (result->kind != RF_OK) query_partial_put(&out, &result->err);
    rf_buf_byte(buf, '}');
}

/* ---- what is asked ----------------------------------------------------------------------------------------------- */

struct list {
    struct workspace *items;
    uint32_t count;
};

static enum rf_kind add_workspace(struct logs *logs, struct rf_arena *arena, rf_str reference,
                                  struct list *list, struct rf_err *err)
{
    struct workspace found;
    if (list->count == QUERY_WORKSPACES_MAX)
        return RF_FAIL(err, RF_INVALID, "BadRequest", "more than %d workspaces",
                       QUERY_WORKSPACES_MAX);
    RF_TRY(workspace_find(logs, reference, arena, &found, err));
    for (uint32_t i = 0; i < list->count; i++)
        if (rf_str_eq(list->items[i].guid, found.guid)) return RF_OK;
    list->items[list->count++] = found;
    return RF_OK;
}

static enum rf_kind find_workspaces(struct logs *logs, struct rf_arena *arena,
                                    const struct query_ask *ask, struct list *list,
                                    struct rf_err *err)
{
    list->items = rf_arena_new(arena, struct workspace, QUERY_WORKSPACES_MAX);
    list->count = 0;
    if (list->items == NULL) return rf_fail_memory(err, arena);
    if (ask->workspace != NULL)
        list->items[list->count++] = *ask->workspace;
    else
        RF_TRY(query_all_workspaces(logs, arena, list->items, QUERY_WORKSPACES_MAX, &list->count,
                                    err));
    if (list->count == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "WorkspaceNotFound", "there is no workspace");
    if (json_is(ask->workspaces, JSON_T_ARRAY))
        for (const struct json_node *n = ask->workspaces->first; n != NULL; n = n->next)
            if (n->type == JSON_T_STRING)
                RF_TRY(add_workspace(logs, arena, rf_str_trim(n->text), list, err));
    for (size_t at = 0; at < ask->workspace_names.len;) {
        size_t end =
            RF_MIN(rf_str_find(ask->workspace_names, RF_S(","), at), ask->workspace_names.len);
        rf_str name = rf_str_trim(rf_slice(ask->workspace_names, at, end));
        if (name.len > 0) RF_TRY(add_workspace(logs, arena, name, list, err));
        at = end + 1;
    }
    return RF_OK;
}

static enum rf_kind make_want(struct logs *logs, const struct request *request,
                              struct rf_arena *arena, const struct query_ask *ask,
                              const struct prefer *prefer, struct query_want *want,
                              struct rf_err *err)
{
    struct list list;
    *want = (struct query_want){.text = ask->query,
                                .resource = ask->resource,
                                .wait_usec = prefer->wait_usec,
                                .target = ask->target,
                                .correlation_id = request->request_id};
    want->now_ticks =
        DATETIME_UNIX_EPOCH + rf_clock_now(logs->options.clock) * TICKS_PER_MICROSECOND;
    if (rf_str_trim(ask->query).len == 0)
        return RF_FAIL(err, RF_INVALID, "BadRequest", "the request has no query");
    if (ask->query.len > QUERY_TEXT_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "QueryTooLong", "the query is longer than %d bytes",
                       QUERY_TEXT_BYTES_MAX);
    RF_TRY(query_span_parse(ask->timespan, want->now_ticks, &want->span, err));
    RF_TRY(find_workspaces(logs, arena, ask, &list, err));
    want->workspaces = list.items;
    want->workspace_count = list.count;
    return RF_OK;
}

static uint16_t put_fault(const struct request *request, const struct rf_err *err, rf_str text,
                          struct rf_buf *buf)
{
    struct query_fault fault = query_fault_of(err, text);
    struct json_out out = json_out_to(buf);
    json_begin_object(&out, NULL);
    query_fault_put(&out, "error", &fault, err, request->request_id);
    json_end_object(&out);
    return fault.status;
}

uint16_t query_answer(struct logs *logs, const struct request *request, struct rf_arena *arena,
                      const struct query_ask *ask, size_t byte_limit, struct rf_buf *buf)
{
    struct query_want want;
    struct query_result result = {.begun = rf_clock_now(logs->options.clock)};
    struct rf_err err = {0};
    size_t from = buf->len;
    struct answer *a = rf_arena_zalloc(arena, sizeof *a);
    if (a == NULL) return put_fault(request, (rf_err_memory(&err, arena), &err), ask->query, buf);
    a->sink = (struct kql_sink){.begin = answer_begin, .push = answer_push, .end = answer_end};
    a->buf = buf;
    a->arena = arena;
    a->prefer = prefer_of(ask->prefer);
    a->render = rf_buf_in(arena);
    if (make_want(logs, request, arena, ask, &a->prefer, &want, &err) != RF_OK)
        return put_fault(request, &err, ask->query, buf);
    wire_init(&a->wire, WIRE_LOGS, buf, QUERY_ROWS_MAX, byte_limit);
    query_run(logs, request, arena, &want, &a->sink, &result);
    result.row_count = a->wire.row_count;
    result.byte_count = a->wire.byte_count;
    wire_done(&a->wire);
    uint16_t status = 200;
    if (result.kind == RF_OK || (query_is_partial(&result.err) && a->table_count > 0)) {
        finish(a, &want, &result);
    } else {
        buf->len = from;
        status = put_fault(request, &result.err, ask->query, buf);
    }
    query_audit(logs, request, arena, &want, &result, status);
    return status;
}
