/* ingest.c - the Logs Ingestion API: POST /dataCollectionRules/{immutableId}/streams/{stream} (contracts/monitor-logs 1).
 *
 * A body goes from text to columns at once, through the transformation of each flow of its stream, into the flow's tables.
 * 204 says that all of it is durable. Each table takes its rows wholly or not at all. Where they go to several tables, all of
 * them are made ready before the first one is stored, so that whatever can be wrong with rows, rule or tables stores nothing. What is
 * left is that the server dies, or a disk fails, between two tables: no answer, or one with a status of 500 or above, says then that some
 * tables may have the rows, and a retry, as the clients do it, stores them there a second time: at least once. */
#include "base/json_out.h"
#include "logs/ingest_int.h"

enum { CALL_BYTES_MAX = 192 << 20, ROUTE_BODY_BYTES_MAX = 8 << 20, RECORD_BYTES_LEAST = 8 };

/* ---- reading ---------------------------------------------------------------------------------------------------------------- */

struct bad_record {
    bool any;
    uint64_t offset;
    const char *reason;
};

static void note_bad(void *state, const struct reader_reject *reject)
{
    struct bad_record *bad = state;
    if (bad->any) return;
    *bad = (struct bad_record){true, reject->offset, reject->reason};
}

/* The whole body is one list or one object; the reader would take several, one after another. */
static enum rf_kind check_frame(rf_str body, uint64_t rows, const struct bad_record *bad,
                                struct rf_err *err)
{
    if (bad->any)
        return RF_FAIL(err, RF_INVALID, "InvalidPayload",
                       "Unable to deserialize the payload. At byte %llu: %s.",
                       (unsigned long long)bad->offset, bad->reason);
    uint8_t first = body.ptr[0], last = body.ptr[body.len - 1];
    bool is_list = first == '[' && last == ']', is_object = first == '{' && last == '}';
    if (is_list || (is_object && rows == 1)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidPayload",
                   "Unable to deserialize the payload: it must be a JSON list of objects.");
}

/* Cuts at the beginning of a character. */
static rf_str cut_text(rf_str text)
{
    size_t len = INGEST_TEXT_BYTES_MAX;
    while (len > 0 && (text.ptr[len] & 0xc0) == 0x80) len--;
    return rf_slice(text, 0, len);
}

static bool cut_texts(struct vec *v, uint32_t rows, struct rf_arena *arena)
{
    if (v->type != TYPE_STRING || v->shape == VEC_CONST) return true;
    uint32_t count = v->shape == VEC_FLAT ? rows : v->dict_count;
    const rf_str *cells = v->data;
    rf_str *cut = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (RF_LIKELY(cells[i].len <= INGEST_TEXT_BYTES_MAX)) continue;
        if (cut == NULL) {
            cut = rf_arena_raw(arena, rf_str, count);
            if (cut == NULL) return false;
            memcpy(cut, cells, count * sizeof *cut);
        }
        cut[i] = cut_text(cells[i]);
    }
    if (cut != NULL) v->data = cut;
    return true;
}

static enum rf_kind read_rows(struct reader *reader, rf_str body, const struct bad_record *bad,
                              struct rf_arena *arena, struct kept_rows *out, struct rf_err *err)
{
    RF_TRY(kept_rows_read(reader, body, arena, out, err));
    RF_TRY(check_frame(body, out->row_count, bad, err));
    for (uint32_t b = 0; b < out->count; b++)
        for (uint32_t i = 0; i < out->batches[b].column_count; i++)
            if (!cut_texts(&out->batches[b].columns[i], out->batches[b].row_count, arena))
                return rf_fail_memory(err, arena);
    return RF_OK;
}

enum rf_kind ingest_read(const struct rule_stream *stream, rf_str body, struct rf_budget *budget,
                         struct rf_arena *arena, struct reader **reader, struct kept_rows *out,
                         struct rf_err *err)
{
    struct bad_record bad = {0};
    rf_str mark = RF_S("\xef\xbb\xbf");
    if (rf_str_starts(body, mark)) body = rf_slice(body, mark.len, body.len);
    body = rf_str_trim(body);
    if (body.len == 0) return RF_FAIL(err, RF_INVALID, "InvalidPayload", "The payload is empty.");
    /* Copying costs far less than what the reader saves when it may write to the text. */
    if (!rf_arena_str(arena, body, &body)) return rf_fail_memory(err, arena);
    struct reader_options options = {
        .format = READER_JSON_VALUES,
        .columns = stream->columns,
        .column_count = stream->column_count,
        .dynamic_from_text = true,
        .own_text = true,
        .batch_rows = (uint32_t)RF_MIN(body.len / RECORD_BYTES_LEAST + 1, (size_t)BATCH_ROWS),
        .budget = budget,
        .reject = note_bad,
        .reject_state = &bad};
    RF_TRY(reader_new(&options, reader, err));
    enum rf_kind kind = read_rows(*reader, body, &bad, arena, out, err);
    if (kind == RF_OK) return RF_OK;
    reader_free(*reader);
    *reader = NULL;
    return kind;
}

/* ---- into a table ------------------------------------------------------------------------------------------------------------ */

struct fitting { /* a column that the table takes */
    uint32_t from;
    uint8_t type;
};

static enum rf_kind fit_columns(const struct table_def *def, const struct schema *schema,
                                struct fitting *out, uint32_t *count, struct column *columns,
                                struct rf_err *err)
{
    uint32_t hint = 0;
    *count = 0;
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct table_column *to = NULL;
        for (uint32_t k = 0; k < def->column_count && to == NULL; k++) {
            uint32_t at = (hint + k) % def->column_count;
            if (!rf_str_eq(def->columns[at].name, schema->columns[i].name)) continue;
            to = &def->columns[at];
            hint = at + 1;
        }
        if (to == NULL || to >= &def->columns[def->column_count - 2]) continue;
        if (!transform_fits((enum type)schema->columns[i].type, (enum type)to->type))
            return RF_FAIL(err, RF_INVALID, "InvalidTransformOutput",
                           "The column '%.*s' of the table '%.*s' is of type %s; %s comes.",
                           RF_FMT(to->name), RF_FMT(def->name), type_name((enum type)to->type),
                           type_name((enum type)schema->columns[i].type));
        columns[*count] = (struct column){.name = to->name, .id = *count, .type = to->type};
        out[(*count)++] = (struct fitting){i, to->type};
    }
    return RF_OK;
}

enum rf_kind ingest_fit(const struct table_def *def, const struct schema *schema,
                        const struct batch *batches, uint32_t batch_count, struct rf_arena *arena,
                        struct schema *fit_schema, struct batch **fit, struct rf_err *err)
{
    struct fitting *fits = rf_arena_new(arena, struct fitting, schema->count);
    struct column *columns = rf_arena_new(arena, struct column, schema->count);
    struct batch *made = rf_arena_new(arena, struct batch, batch_count);
    uint32_t count;
    if (fits == NULL || columns == NULL || made == NULL) return rf_fail_memory(err, arena);
    RF_TRY(fit_columns(def, schema, fits, &count, columns, err));
    for (uint32_t b = 0; b < batch_count; b++) {
        const struct batch *in = &batches[b];
        struct vec *vecs = rf_arena_raw(arena, struct vec, count);
        if (vecs == NULL) return rf_fail_memory(err, arena);
        for (uint32_t i = 0; i < count; i++)
            if (!transform_cast(&in->columns[fits[i].from], (enum type)fits[i].type, in->row_count,
                                arena, &vecs[i]))
                return rf_fail_memory(err, arena);
        made[b] = (struct batch){
            .row_count = in->row_count, .column_count = count, .columns = vecs, .arena = arena};
    }
    *fit_schema = (struct schema){.columns = columns, .count = count};
    *fit = made;
    return RF_OK;
}

/* Rows for one table of one workspace. */
struct ready_rows {
    struct ready_rows *next;
    rf_str workspace, table;
    struct schema schema;
    struct rows_in in;
};
struct ready_list {
    struct ready_rows *first, **last;
};

static enum rf_kind prepare_rows(struct logs *logs, const struct rule_flow *flow,
                                 const struct transformed *rows, int64_t now_ticks,
                                 struct rf_arena *arena, struct ready_list *out, struct rf_err *err)
{
    for (uint32_t w = 0; w < flow->workspace_count; w++) {
        struct table_def def;
        struct batch *batches;
        struct ready_rows *ready = rf_arena_new(arena, struct ready_rows, 1);
        if (ready == NULL) return rf_fail_memory(err, arena);
        *ready = (struct ready_rows){.workspace = flow->workspaces[w], .table = flow->table};
        RF_TRY(tables_find(logs->options.tables, ready->workspace, ready->table, arena, &def, err));
        RF_TRY(ingest_fit(&def, &rows->schema, rows->batches, rows->batch_count, arena,
                          &ready->schema, &batches, err));
        ready->in = (struct rows_in){&ready->schema, batches, rows->batch_count, now_ticks};
        *out->last = ready;
        out->last = &ready->next;
    }
    return RF_OK;
}

static enum rf_kind run_flow(struct logs *logs, const struct rule *rule,
                             const struct rule_flow *flow, const struct kept_rows *rows,
                             int64_t now_ticks, struct rf_arena *arena, struct ready_list *out,
                             struct rf_err *err)
{
    const struct rule_stream *stream = &rule->streams[flow->stream];
    struct transformed result;
    if (flow->kql.len > 0) {
        RF_TRY(transform_run(flow->kql, stream, rows, now_ticks, arena, &result, err));
        return prepare_rows(logs, flow, &result, now_ticks, arena, out, err);
    }
    struct column *columns = rf_arena_new(arena, struct column, stream->column_count);
    if (columns == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < stream->column_count; i++)
        columns[i] = (struct column){
            .name = stream->columns[i].name, .id = i, .type = stream->columns[i].type};
    result = (struct transformed){.schema = {.columns = columns, .count = stream->column_count},
                                  .batches = rows->batches,
                                  .batch_count = rows->count};
    return prepare_rows(logs, flow, &result, now_ticks, arena, out, err);
}

static enum rf_kind run_flows(struct logs *logs, const struct rule *rule, uint32_t stream,
                              const struct kept_rows *rows, int64_t now_ticks,
                              struct rf_arena *arena, struct rf_err *err)
{
    struct ready_list list = {.last = &list.first};
    for (uint32_t i = 0; i < rule->flow_count; i++)
        if (rule->flows[i].stream == stream)
            RF_TRY(run_flow(logs, rule, &rule->flows[i], rows, now_ticks, arena, &list, err));
    for (const struct ready_rows *r = list.first; r != NULL; r = r->next)
        RF_TRY(tables_append(logs->options.tables, r->workspace, r->table, &r->in, err));
    return RF_OK;
}

/* ---- rows of other senders -------------------------------------------------------------------------------------------------- */

/* The index of the stream, when a flow uses it; UINT32_MAX: none does. */
static uint32_t used_stream(const struct rule *rule, rf_str name)
{
    uint32_t index = 0;
    if (rule_find_stream(rule, name, &index) == NULL) return UINT32_MAX;
    for (uint32_t i = 0; i < rule->flow_count; i++)
        if (rule->flows[i].stream == index) return index;
    return UINT32_MAX;
}

static uint32_t stream_of_table(const struct rule *rule, rf_str stream, rf_str table,
                                struct rf_arena *arena)
{
    static const char *const prefixes[] = {"Microsoft-", "Microsoft-Table-", "Custom-",
                                           "Custom-Table-"};
    if (stream.len > 0) return used_stream(rule, stream);
    uint32_t found = UINT32_MAX;
    for (size_t i = 0; i < RF_COUNT(prefixes) && found == UINT32_MAX; i++)
        found = used_stream(rule, rf_arena_printf(arena, "%s%.*s", prefixes[i], RF_FMT(table)));
    return found;
}

/* Lines, each one object, as a list: the body of a call. */
static rf_str list_of_lines(struct rf_arena *arena, rf_str lines, uint64_t *count)
{
    struct rf_buf list = rf_buf_in(arena);
    *count = 0;
    rf_buf_byte(&list, '[');
    for (size_t from = 0; from < lines.len;) {
        size_t end = RF_MIN(rf_str_find(lines, RF_S("\n"), from), lines.len);
        rf_str line = rf_str_trim(rf_slice(lines, from, end));
        from = end + 1;
        if (line.len == 0) continue;
        if ((*count)++ > 0) rf_buf_byte(&list, ',');
        rf_buf_str(&list, line);
    }
    rf_buf_byte(&list, ']');
    return list.failed ? (rf_str){NULL, 0} : rf_buf_view(&list);
}

enum rf_kind logs_append_by_rule(void *ctx, rf_str immutable_id, rf_str stream, rf_str table,
                                 rf_str lines, rf_usec now, bool *taken, uint64_t *count,
                                 struct rf_err *err)
{
    struct logs *logs = ctx;
    RF_CLEANUP(rule_cleanup) struct rule *rule = NULL;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_budget budget;
    rf_budget_init(&budget, CALL_BYTES_MAX);
    rf_arena_init_shared(&arena, &budget);
    *taken = false;
    RF_TRY(rules_find(logs, immutable_id, &rule, err));
    uint32_t index = stream_of_table(rule, stream, table, &arena);
    if (index == UINT32_MAX) return RF_OK;
    uint64_t line_count;
    struct reader *reader = NULL;
    struct kept_rows rows;
    rf_str list = list_of_lines(&arena, lines, &line_count);
    if (list.ptr == NULL) return rf_fail_memory(err, &arena);
    RF_TRY(ingest_read(&rule->streams[index], list, &budget, &arena, &reader, &rows, err));
    enum rf_kind kind = run_flows(logs, rule, index, &rows,
                                  DATETIME_UNIX_EPOCH + now * TICKS_PER_MICROSECOND, &arena, err);
    reader_free(reader);
    *taken = true;
    if (count != NULL) *count = line_count;
    return kind;
}

/* ---- the call ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind resolve(struct request *request, struct route_need *need, struct rf_err *err)
{
    struct logs *logs = request->service;
    RF_CLEANUP(rule_cleanup) struct rule *rule = NULL;
    rf_str immutable_id = request_variable(request, "immutableId");
    enum rf_kind kind = rules_find(logs, immutable_id, &rule, err);
    /* A rule that was fine when it was stored no longer is: its workspace or table has gone. */
    if (kind == RF_INVALID) return request_fail(request, err, 404, "NotFound", "%s", err->text);
    if (kind == RF_NOT_FOUND)
        return request_fail(request, err, 404, "NotFound",
                            "Data collection rule with immutable Id '%.*s' not found.",
                            (int)RF_MIN(immutable_id.len, (size_t)100),
                            (const char *)immutable_id.ptr);
    if (kind != RF_OK) return kind;
    *need =
        (struct route_need){.action = RF_S("Microsoft.Insights/Telemetry/Write"), .is_data = true};
    return rf_arena_str(request->arena, rule->id, &need->scope)
               ? RF_OK
               : rf_fail_memory(err, request->arena);
}

static bool is_json(rf_str type)
{
    for (size_t i = 0; i < type.len; i++)
        if (type.ptr[i] == ';') type.len = i;
    return rf_str_eq_nocase(rf_str_trim(type), RF_S("application/json"));
}

static enum rf_kind check_call(struct request *request, struct logs *logs, struct rf_err *err)
{
    bool has_version;
    uint32_t seconds = 0;
    rf_str version = request_parameter(request, "api-version", &has_version);
    if (!has_version || version.len == 0)
        return request_fail(request, err, 400, "MissingApiVersionParameter",
                            "The api-version query parameter (?api-version=) is required for all "
                            "requests.");
    if (request->http->body.len > INGEST_BODY_BYTES_MAX)
        return request_fail(
            request, err, 413, "ContentLengthLimitExceeded",
            "Maximum allowed content length: 1048576 bytes (1 MB). Provided content "
            "length: %zu bytes.",
            request->http->body.len);
    if (!is_json(http_header(request->http, "Content-Type", NULL)))
        return request_fail(request, err, 415, "UnsupportedMediaType",
                            "The content type must be application/json.");
    if (rules_admit(logs, request_variable(request, "immutableId"), request->now, &seconds))
        return RF_OK;
    http_setf(request->response, "Retry-After", "%u", seconds);
    return request_fail(request, err, 429, "RateLimitExceeded",
                        "The rule takes %d calls in a minute; try again in %u seconds.",
                        RULE_CALLS_PER_MINUTE, seconds);
}

static enum rf_kind ingest(struct request *request, struct logs *logs, const struct rule *rule,
                           struct rf_budget *budget, struct rf_arena *arena, struct rf_err *err)
{
    uint32_t index = 0;
    rf_str name = request_variable(request, "stream");
    const struct rule_stream *stream = rule_find_stream(rule, name, &index);
    bool is_used = false;
    for (uint32_t i = 0; i < rule->flow_count && stream != NULL; i++)
        is_used |= rule->flows[i].stream == index;
    if (!is_used)
        return request_fail(request, err, 400, "InvalidStream",
                            "Stream '%.*s' was not found in the data collection rule, or no data "
                            "flow uses it.",
                            (int)RF_MIN(name.len, (size_t)200), (const char *)name.ptr);
    struct reader *reader = NULL;
    struct kept_rows rows;
    int64_t now_ticks = DATETIME_UNIX_EPOCH + request->now * TICKS_PER_MICROSECOND;
    RF_TRY(ingest_read(stream, request->http->body, budget, arena, &reader, &rows, err));
    enum rf_kind kind = run_flows(logs, rule, index, &rows, now_ticks, arena, err);
    reader_free(reader);
    return kind;
}

/* What went wrong below, as the API says it. */
static enum rf_kind shape_failure(struct request *request, enum rf_kind kind, struct rf_err *err)
{
    if (kind == RF_OK || request->fail_status != 0) return kind;
    struct rf_err inner = *err;
    if (kind == RF_NOT_FOUND)
        return request_fail(request, err, 400, "InvalidOutputTable", "%s", inner.text);
    if (kind == RF_LIMIT || kind == RF_AGAIN || kind == RF_CONFLICT) {
        http_set_literal(request->response, "Retry-After", "5");
        return request_fail(request, err, 503, "ServiceUnavailable", "%s", inner.text);
    }
    return kind;
}

static enum rf_kind run_ingest(struct request *request, struct rf_err *err)
{
    struct logs *logs = request->service;
    RF_CLEANUP(rule_cleanup) struct rule *rule = NULL;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_budget budget;
    rf_budget_init(&budget, CALL_BYTES_MAX);
    rf_arena_init_shared(&arena, &budget);
    RF_TRY(check_call(request, logs, err));
    enum rf_kind kind = rules_find(logs, request_variable(request, "immutableId"), &rule, err);
    if (kind == RF_NOT_FOUND)
        return request_fail(request, err, 404, "NotFound", "%s", "Not found.");
    if (kind == RF_OK) kind = ingest(request, logs, rule, &budget, &arena, err);
    if (kind != RF_OK) return shape_failure(request, kind, err);
    return request_answer_empty(request, 204);
}

/* {"error":{"code","message"}}, and the code as a header too. */
static void write_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    (void)status;
    struct http_response *response = request->response;
    http_set_literal(response, "Content-Type", "application/json; charset=utf-8");
    http_set_literal(response, "x-ms-error-code", err->code);
    struct json_out out = json_out_to(&response->body);
    json_begin_object(&out, NULL);
    json_begin_object(&out, "error");
    json_put_text(&out, "code", rf_str_of(err->code));
    json_put_text(&out, "message", rf_str_of(err->text));
    json_end_object(&out);
    json_end_object(&out);
    if (response->body.failed) response->failed = true;
}

static const struct route routes[] = {
    {.method = HTTP_POST,
     .path = "/dataCollectionRules/{immutableId}/streams/{stream}",
     .access = ROUTE_RESOLVE,
     .audiences =
         AUDIENCE_INGEST | AUDIENCE_ARM | AUDIENCE_LOGS | AUDIENCE_KUSTO | AUDIENCE_METRICS,
     .resolve = resolve,
     .run = run_ingest,
     .lane = HTTP_QUICK,
     .body_bytes_max = ROUTE_BODY_BYTES_MAX},
};

const struct service *ingest_service(struct logs *logs)
{
    struct service *service = rules_service(logs->rules);
    *service = (struct service){.name = "ingestion",
                                .ctx = logs,
                                .routes = routes,
                                .route_count = RF_COUNT(routes),
                                .error = write_error};
    return service;
}
