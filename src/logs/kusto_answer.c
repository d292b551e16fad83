/* kusto_answer.c - results of the Kusto endpoints: frames of version 2, tables of version 1, OneApi errors. */
#include <stdio.h>

#include "base/encode.h"
#include "logs/kusto_int.h"
#include "value/text.h"

enum { RESULTS_MAX = 1000 };

struct kusto_answer {
    struct kql_sink sink;
    struct wire wire;
    const struct request *request;
    const struct kusto_ask *ask;
    enum kusto_version version;
    struct rf_arena *arena;
    struct rf_buf *buf;
    struct json_out out;
    size_t from; /* where the answer begins in buf */
    struct rf_buf render;
    rf_str names[RESULTS_MAX];
    uint32_t result_count;
    uint64_t take_max; /* rows of a result, silently */
    bool open;
};

/* ---- columns ----------------------------------------------------------------------------------------------------- */

static const char *dotnet_name(enum type type)
{
    static const char *const names[TYPE_COUNT] = {
        [TYPE_BOOL] = "SByte",        [TYPE_INT] = "Int32",          [TYPE_LONG] = "Int64",
        [TYPE_REAL] = "Double",       [TYPE_DECIMAL] = "SqlDecimal", [TYPE_DATETIME] = "DateTime",
        [TYPE_TIMESPAN] = "TimeSpan", [TYPE_GUID] = "Guid",          [TYPE_STRING] = "String",
        [TYPE_DYNAMIC] = "Object"};
    return names[type];
}

static void put_column(struct kusto_answer *a, rf_str name, enum type type)
{
    json_begin_object(&a->out, NULL);
    json_put_text(&a->out, "ColumnName", name);
    if (a->version != KUSTO_V2) json_put_text(&a->out, "DataType", rf_str_of(dotnet_name(type)));
    json_put_text(&a->out, "ColumnType", rf_str_of(type_name(type)));
    json_end_object(&a->out);
}

struct fixed_column {
    const char *name;
    enum type type;
};
static void put_fixed_columns(struct kusto_answer *a, const struct fixed_column *columns,
                              size_t count)
{
    json_begin_array(&a->out, "Columns");
    for (size_t i = 0; i < count; i++) put_column(a, rf_str_of(columns[i].name), columns[i].type);
    json_end_array(&a->out);
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

struct fault {
    uint16_t status;
    const char *code, *type, *prefix; /* prefix: of "@message" */
    bool permanent;
};

static struct fault fault_of(const struct rf_err *err, const struct query_fault *query)
{
    if (strcmp(err->code, "ResultTooLarge") == 0)
        return (struct fault){
            200, "LimitsExceeded",
            "Kusto.Data.Exceptions.KustoServicePartialQueryFailureLimitsExceededException",
            "Query execution has exceeded the allowed limits (80DA0003): ", false};
    if (strcmp(err->code, "MemoryBudgetExceeded") == 0)
        return (struct fault){
            400, "LimitsExceeded",
            "Kusto.Data.Exceptions.KustoServicePartialQueryFailureLowMemoryConditionException",
            "Query execution lacks memory resources to complete (80DA0007): ", false};
    switch (query->status) {
    case 401:
        return (struct fault){401, "Unauthorized",
                              "Kusto.Data.Exceptions.KustoRequestDeniedException", "", true};
    case 403:
        return (struct fault){403, "Forbidden", "Kusto.Data.Exceptions.KustoRequestDeniedException",
                              "", true};
    case 404:
        return (struct fault){404, "BadRequest_EntityNotFound",
                              "Kusto.Data.Exceptions.EntityNotFoundException", "", true};
    case 409:
        return (struct fault){400, "BadRequest_EntityAlreadyExists",
                              "Kusto.Data.Exceptions.EntityAlreadyExistsException", "", true};
    case 413:
        return (struct fault){413, "BadRequest_RequestTooLarge",
                              "Kusto.Data.Exceptions.KustoBadRequestException", "", true};
    case 429:
        return (struct fault){429, "TooManyRequests",
                              "Kusto.Data.Exceptions.KustoRequestThrottledException", "", false};
    case 499:
        return (struct fault){499, "Aborted",
                              "Kusto.Data.Exceptions.KustoRequestCancelledException", "", false};
    case 503:
        return (struct fault){503, "ServiceUnavailable",
                              "Kusto.Data.Exceptions.KustoServiceException", "", false};
    case 504:
        return (struct fault){504, "Timeout", "Kusto.Data.Exceptions.KustoServiceTimeoutException",
                              "Request timed out (E_RUNAWAY_QUERY): ", false};
    case 500:
        return (struct fault){520, "Internal_ServiceError",
                              "Kusto.Data.Exceptions.KustoServiceException", "", false};
    default:
        return (struct fault){400, "General_BadRequest",
                              "Kusto.Data.Exceptions.KustoBadRequestException",
                              "Request is invalid and cannot be processed: ", true};
    }
}

/* Names that the service's own errors have already. */
static struct query_fault text_fault(const struct rf_err *err, rf_str text)
{
    if (err->kind == RF_NOT_FOUND) return (struct query_fault){.status = 404};
    if (err->kind == RF_CONFLICT) return (struct query_fault){.status = 409};
    return query_fault_of(err, text);
}

static void put_context(struct json_out *out, const struct request *request)
{
    json_begin_object(out, "@context");
    json_put_text(out, "timestamp", time_iso(out->buf->arena, request->now));
    json_put_text(out, "clientRequestId", request->client_request_id);
    json_put_text(out, "activityId", request->request_id);
    json_end_object(out);
}

static const char *inner_type(const char *inner)
{
    return strcmp(inner, "SyntaxError") == 0 ? "Kusto.Data.Exceptions.SyntaxException"
                                             : "Kusto.Data.Exceptions.SemanticException";
}

/* {"error":{...}} */
static void put_fault(struct json_out *out, const struct request *request, const struct rf_err *err,
                      const struct query_fault *query, const struct fault *fault)
{
    struct rf_arena *arena = out->buf->arena;
    bool inner = query->inner != NULL && query->number != NULL && fault->status == 400;
    const char *kind = !inner                                       ? ""
                       : strcmp(query->inner, "SyntaxError") == 0   ? "Syntax error: "
                       : strcmp(query->inner, "SemanticError") == 0 ? "Semantic error: "
                                                                    : "";
    const char *text = fault->status == 520 ? "Something went wrong on the server." : err->text;
    rf_str message =
        inner ? rf_arena_printf(arena, "%s%s%s: %s", fault->prefix, kind, query->number, text)
              : rf_arena_printf(arena, "%s%s", fault->prefix, text);
    json_begin_object(out, NULL);
    json_begin_object(out, "error");
    json_put_text(out, "code", rf_str_of(fault->code));
    json_put_text(out, "message", RF_S("Request is invalid and cannot be executed."));
    json_put_text(out, "@type", rf_str_of(fault->type));
    json_put_text(out, "@message", message);
    put_context(out, request);
    json_put_bool(out, "@permanent", fault->permanent);
    if (inner) {
        json_begin_object(out, "innererror");
        json_put_text(out, "code", rf_str_of(query->number));
        json_put_text(out, "message", RF_S("Request is invalid and cannot be executed."));
        json_put_text(out, "@type", rf_str_of(inner_type(query->inner)));
        json_put_text(out, "@message", message);
        if (err->line > 0) {
            json_put_i64(out, "line", err->line);
            json_put_i64(out, "pos", err->column > 0 ? err->column - 1 : 0);
            json_put_text(out, "token", query->token);
        }
        json_put_bool(out, "@permanent", true);
        json_end_object(out);
    }
    json_end_object(out);
    json_end_object(out);
}

uint16_t kusto_fault_put(const struct request *request, const struct rf_err *err, rf_str text,
                         struct rf_buf *buf)
{
    struct json_out out = json_out_to(buf);
    struct query_fault query = text_fault(err, text);
    struct fault fault = fault_of(err, &query);
    put_fault(&out, request, err, &query, &fault);
    return fault.status == 200 ? 400 : fault.status;
}

void kusto_set_headers(struct request *request)
{
    http_set_literal(request->response, "Content-Type", "application/json; charset=utf-8");
    http_set(request->response, "x-ms-client-request-id", request->client_request_id);
    http_set(request->response, "x-ms-activity-id", request->request_id);
}

void kusto_service_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    struct json_out out = json_out_to(&request->response->body);
    struct query_fault query = text_fault(err, (rf_str){NULL, 0});
    /* Where the dispatcher knows better: a token that is missing, a body that is too long. */
    if (status == 401 || status == 413 || err->kind == RF_DENIED) query.status = status;
    struct fault fault = fault_of(err, &query);
    kusto_set_headers(request);
    request->response->status = fault.status == 200 ? 400 : fault.status;
    put_fault(&out, request, err, &query, &fault);
}

/* ---- version 2 --------------------------------------------------------------------------------------------------- */

static void frame_begin(struct kusto_answer *a, const char *type)
{
    if (a->ask->newlines && a->out.comma) {
        rf_buf_str(a->buf, RF_S(",\n"));
        a->out.comma = false;
    }
    json_begin_object(&a->out, NULL);
    json_put_text(&a->out, "FrameType", rf_str_of(type));
}

static void table_frame_begin(struct kusto_answer *a, const char *frame, uint32_t id,
                              const char *kind, rf_str name)
{
    frame_begin(a, frame);
    json_put_i64(&a->out, "TableId", id);
    json_put_text(&a->out, "TableKind", rf_str_of(kind));
    json_put_text(&a->out, "TableName", name);
}

static bool in_fragments(const struct kusto_answer *a)
{
    return a->ask->progressive || a->ask->fragments;
}

static void put_properties_frame(struct kusto_answer *a)
{
    static const struct fixed_column columns[] = {
        {"TableId", TYPE_INT}, {"Key", TYPE_STRING}, {"Value", TYPE_DYNAMIC}};
    table_frame_begin(a, "DataTable", 0, "QueryProperties", RF_S("@ExtendedProperties"));
    put_fixed_columns(a, columns, RF_COUNT(columns));
    json_begin_array(&a->out, "Rows");
    json_begin_array(&a->out, NULL);
    json_put_i64(&a->out, NULL, 1);
    json_put_text(&a->out, NULL, RF_S("Visualization"));
    json_put_text(&a->out, NULL, rf_buf_view(&a->render));
    json_end_array(&a->out);
    json_end_array(&a->out);
    json_end_object(&a->out);
}

static void v2_head(struct kusto_answer *a)
{
    json_begin_array(&a->out, NULL);
    frame_begin(a, "DataSetHeader");
    json_put_bool(&a->out, "IsProgressive", a->ask->progressive);
    json_put_text(&a->out, "Version", RF_S("v2.0"));
    json_put_bool(&a->out, "IsFragmented", in_fragments(a));
    json_put_text(&a->out, "ErrorReportingPlacement",
                  a->ask->errors_in_data ? RF_S("InData") : RF_S("EndOfDataSet"));
    json_end_object(&a->out);
    put_properties_frame(a);
}

static void v2_table(struct kusto_answer *a, rf_str name, const struct schema *schema)
{
    uint32_t id = a->result_count + 1;
    bool parts = in_fragments(a);
    table_frame_begin(a, parts ? "TableHeader" : "DataTable", id, "PrimaryResult", name);
    json_begin_array(&a->out, "Columns");
    for (uint32_t i = 0; i < schema->count; i++)
        put_column(a, schema->columns[i].name, (enum type)schema->columns[i].type);
    json_end_array(&a->out);
    if (parts) {
        json_end_object(&a->out);
        frame_begin(a, "TableFragment");
        json_put_i64(&a->out, "TableId", id);
        json_put_i64(&a->out, "FieldCount", schema->count);
        json_put_text(&a->out, "TableFragmentType", RF_S("DataAppend"));
    }
    json_begin_array(&a->out, "Rows");
}

static void v2_table_end(struct kusto_answer *a)
{
    json_end_array(&a->out);
    json_end_object(&a->out);
    if (!in_fragments(a)) return;
    if (a->ask->progressive) {
        frame_begin(a, "TableProgress");
        json_put_i64(&a->out, "TableId", a->result_count);
        json_put_i64(&a->out, "TableProgress", 100);
        json_end_object(&a->out);
    }
    frame_begin(a, "TableCompletion");
    json_put_i64(&a->out, "TableId", a->result_count);
    json_put_i64(&a->out, "RowCount", (int64_t)a->wire.table_row_count);
    json_end_object(&a->out);
}

/* What the query took, as QueryResourceConsumption tells it. */
static rf_str consumption(const struct kusto_answer *a, const struct query_result *result)
{
    struct rf_buf text = rf_buf_in(a->arena), span = rf_buf_in(a->arena);
    struct json_out out = json_out_to(&text);
    text_put_timespan(&span, result->cpu_usec * TICKS_PER_MICROSECOND);
    json_begin_object(&out, NULL);
    char seconds[40];
    int len =
        snprintf(seconds, sizeof seconds, "%lld.%06d", (long long)(result->duration_usec / 1000000),
                 (int)(result->duration_usec % 1000000));
    json_put_raw(&out, "ExecutionTime", rf_str_make(seconds, (size_t)len));
    json_begin_object(&out, "resource_usage");
    json_begin_object(&out, "cpu");
    json_put_text(&out, "user", rf_buf_view(&span));
    json_put_text(&out, "kernel", RF_S("00:00:00"));
    json_put_text(&out, "total cpu", rf_buf_view(&span));
    json_end_object(&out);
    json_begin_object(&out, "memory");
    json_put_i64(&out, "peak_per_node", (int64_t)result->stats.memory_peak_bytes);
    json_end_object(&out);
    json_end_object(&out);
    json_begin_object(&out, "input_dataset_statistics");
    json_begin_object(&out, "rows");
    json_put_i64(&out, "total", (int64_t)result->stats.rows_scanned);
    json_put_i64(&out, "scanned", (int64_t)result->stats.rows_scanned);
    json_end_object(&out);
    json_end_object(&out);
    json_begin_array(&out, "dataset_statistics");
    json_begin_object(&out, NULL);
    json_put_i64(&out, "table_row_count", (int64_t)a->wire.row_count);
    json_put_i64(&out, "table_size", (int64_t)a->wire.byte_count);
    json_end_object(&out);
    json_end_array(&out);
    json_end_object(&out);
    return rf_buf_view(&text);
}

struct event {
    int level;
    const char *level_name, *status_name, *event;
    int64_t status;
    rf_str payload;
};

static void put_event(struct kusto_answer *a, const struct event *e)
{
    struct json_out *out = &a->out;
    json_begin_array(out, NULL);
    json_put_text(out, NULL, time_iso(a->arena, a->request->now));
    json_put_text(out, NULL, a->request->client_request_id);
    json_put_text(out, NULL, a->request->request_id);
    json_put_text(out, NULL, a->request->request_id);
    json_put_text(out, NULL, a->request->request_id);
    json_put_i64(out, NULL, e->level);
    json_put_text(out, NULL, rf_str_of(e->level_name));
    json_put_i64(out, NULL, e->status);
    json_put_text(out, NULL, rf_str_of(e->status_name));
    json_put_i64(out, NULL, e->level == 6 ? 5 : 4);
    json_put_text(out, NULL, rf_str_of(e->event));
    json_put_text(out, NULL, e->payload);
    json_end_array(out);
}

static rf_str query_info(const struct kusto_answer *a, const struct rf_err *err)
{
    struct rf_buf text = rf_buf_in(a->arena);
    struct json_out out = json_out_to(&text);
    json_begin_object(&out, NULL);
    json_put_i64(&out, "Count", 1);
    json_put_text(&out, "Text",
                  err == NULL ? RF_S("Query completed successfully") : rf_str_of(err->text));
    json_end_object(&out);
    return rf_buf_view(&text);
}

static void v2_completion(struct kusto_answer *a, const struct query_result *result,
                          const struct rf_err *err)
{
    static const struct fixed_column columns[] = {
        {"Timestamp", TYPE_DATETIME},    {"ClientRequestId", TYPE_STRING},
        {"ActivityId", TYPE_GUID},       {"SubActivityId", TYPE_GUID},
        {"ParentActivityId", TYPE_GUID}, {"Level", TYPE_INT},
        {"LevelName", TYPE_STRING},      {"StatusCode", TYPE_INT},
        {"StatusCodeName", TYPE_STRING}, {"EventType", TYPE_INT},
        {"EventTypeName", TYPE_STRING},  {"Payload", TYPE_STRING}};
    table_frame_begin(a, "DataTable", a->result_count + 1, "QueryCompletionInformation",
                      RF_S("QueryCompletionInformation"));
    put_fixed_columns(a, columns, RF_COUNT(columns));
    json_begin_array(&a->out, "Rows");
    struct event info = {.level = 4,
                         .level_name = "Info",
                         .status_name = "S_OK (0)",
                         .event = "QueryInfo",
                         .payload = query_info(a, err)};
    if (err != NULL) {
        info.level = 2;
        info.level_name = "Error";
        info.status = -2133196797;
        info.status_name = "E_QUERY_RESULT_SET_TOO_LARGE (0x80DA0003)";
    }
    struct event used = {.level = 6,
                         .level_name = "Stats",
                         .status_name = "S_OK (0)",
                         .event = "QueryResourceConsumption",
                         .payload = consumption(a, result)};
    put_event(a, &info);
    put_event(a, &used);
    json_end_array(&a->out);
    json_end_object(&a->out);
}

static void put_errors(struct kusto_answer *a, const struct rf_err *err)
{
    struct query_fault query = text_fault(err, (rf_str){NULL, 0});
    struct fault fault = fault_of(err, &query);
    json_begin_array(&a->out, "OneApiErrors");
    put_fault(&a->out, a->request, err, &query, &fault);
    json_end_array(&a->out);
}

static void v2_end(struct kusto_answer *a, const struct query_result *result,
                   const struct rf_err *err)
{
    v2_completion(a, result, err);
    frame_begin(a, "DataSetCompletion");
    json_put_bool(&a->out, "HasErrors", err != NULL);
    json_put_bool(&a->out, "Cancelled", false);
    if (err != NULL) put_errors(a, err);
    json_end_object(&a->out);
    json_end_array(&a->out);
}

/* ---- version 1 --------------------------------------------------------------------------------------------------- */

static void v1_table_begin(struct kusto_answer *a, uint32_t index)
{
    json_begin_object(&a->out, NULL);
    json_put_text(&a->out, "TableName", rf_arena_printf(a->arena, "Table_%u", index));
}

static void v1_properties(struct kusto_answer *a)
{
    static const struct fixed_column columns[] = {{"Value", TYPE_STRING}};
    v1_table_begin(a, a->result_count);
    put_fixed_columns(a, columns, RF_COUNT(columns));
    json_begin_array(&a->out, "Rows");
    json_begin_array(&a->out, NULL);
    json_put_text(&a->out, NULL, rf_buf_view(&a->render));
    json_end_array(&a->out);
    json_end_array(&a->out);
    json_end_object(&a->out);
}

static void v1_status(struct kusto_answer *a, const struct query_result *result,
                      const struct rf_err *err)
{
    static const struct fixed_column columns[] = {
        {"Timestamp", TYPE_DATETIME},       {"Severity", TYPE_INT},
        {"SeverityName", TYPE_STRING},      {"StatusCode", TYPE_INT},
        {"StatusDescription", TYPE_STRING}, {"Count", TYPE_INT},
        {"RequestId", TYPE_GUID},           {"ActivityId", TYPE_GUID},
        {"SubActivityId", TYPE_GUID},       {"ClientActivityId", TYPE_STRING}};
    struct json_out *out = &a->out;
    v1_table_begin(a, a->result_count + 1);
    put_fixed_columns(a, columns, RF_COUNT(columns));
    json_begin_array(out, "Rows");
    for (int stats = 0; stats < 2; stats++) {
        json_begin_array(out, NULL);
        json_put_text(out, NULL, time_iso(a->arena, a->request->now));
        json_put_i64(out, NULL, stats ? 6 : err != NULL ? 2 : 4);
        json_put_text(out, NULL,
                      stats         ? RF_S("Stats")
                      : err != NULL ? RF_S("Error")
                                    : RF_S("Info"));
        json_put_i64(out, NULL, err != NULL && !stats ? -2133196797 : 0);
        json_put_text(out, NULL,
                      stats         ? consumption(a, result)
                      : err != NULL ? rf_str_of(err->text)
                                    : RF_S("Query completed successfully"));
        json_put_i64(out, NULL, 1);
        for (int i = 0; i < 3; i++) json_put_text(out, NULL, a->request->request_id);
        json_put_text(out, NULL, a->request->client_request_id);
        json_end_array(out);
    }
    json_end_array(out);
    json_end_object(out);
}

static void v1_contents_row(struct kusto_answer *a, uint32_t ordinal, const char *kind, rf_str name)
{
    json_begin_array(&a->out, NULL);
    json_put_i64(&a->out, NULL, ordinal);
    json_put_text(&a->out, NULL, rf_str_of(kind));
    json_put_text(&a->out, NULL, name);
    json_put_text(&a->out, NULL, guid_random(a->arena));
    json_put_text(&a->out, NULL, RF_S(""));
    json_end_array(&a->out);
}

static void v1_contents(struct kusto_answer *a)
{
    static const struct fixed_column columns[] = {{"Ordinal", TYPE_LONG},
                                                  {"Kind", TYPE_STRING},
                                                  {"Name", TYPE_STRING},
                                                  {"Id", TYPE_STRING},
                                                  {"PrettyName", TYPE_STRING}};
    uint32_t n = a->result_count;
    v1_table_begin(a, n + 2);
    put_fixed_columns(a, columns, RF_COUNT(columns));
    json_begin_array(&a->out, "Rows");
    for (uint32_t i = 0; i < n; i++) v1_contents_row(a, i, "QueryResult", a->names[i]);
    v1_contents_row(a, n, "QueryProperties", RF_S("@ExtendedProperties"));
    v1_contents_row(a, n + 1, "QueryStatus", RF_S("QueryStatus"));
    json_end_array(&a->out);
    json_end_object(&a->out);
}

static void v1_end(struct kusto_answer *a, const struct query_result *result,
                   const struct rf_err *err)
{
    if (a->version == KUSTO_V1) {
        v1_properties(a);
        v1_status(a, result, err);
        v1_contents(a);
    }
    json_end_array(&a->out);
    json_end_object(&a->out);
}

/* ---- the sink ---------------------------------------------------------------------------------------------------- */

static bool option_is_true(const struct value *v)
{
    if (v->null) return false;
    return v->type == TYPE_BOOL   ? v->b != 0
           : v->type == TYPE_LONG ? v->i != 0
                                  : v->type == TYPE_STRING && rf_str_eq_nocase(v->s, RF_S("true"));
}

static bool option_number(const struct value *v, uint64_t *out)
{
    int64_t i;
    if (v->null) return false;
    if (v->type == TYPE_LONG || v->type == TYPE_INT)
        i = v->i;
    else if (v->type != TYPE_STRING || !text_to_long(v->s, &i))
        return false;
    if (i < 0) return false;
    *out = (uint64_t)i;
    return true;
}

static void answer_options(struct kql_sink *sink, const struct set_option *options, uint32_t count)
{
    struct kusto_answer *a = (struct kusto_answer *)sink;
    for (uint32_t i = 0; i < count; i++) {
        const struct value *v = &options[i].value;
        uint64_t number;
        if (rf_str_is(options[i].name, "notruncation") && option_is_true(v)) {
            a->wire.row_limit = UINT64_MAX;
            a->wire.byte_limit = KUSTO_BYTES_UNLIMITED;
        }
        if (!option_number(v, &number)) continue;
        if (rf_str_is(options[i].name, "truncationmaxrecords"))
            a->wire.row_limit = number;
        else if (rf_str_is(options[i].name, "truncationmaxsize"))
            a->wire.byte_limit = (size_t)RF_MIN(number, (uint64_t)KUSTO_BYTES_UNLIMITED);
        else if (rf_str_is(options[i].name, "query_take_max_records"))
            a->take_max = number;
    }
}

static enum rf_kind answer_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                 const struct render *render, struct rf_err *err)
{
    struct kusto_answer *a = (struct kusto_answer *)sink;
    bool plain = rf_str_starts(name, RF_S("Table_")) || rf_str_is(name, "PrimaryResult");
    rf_str shown = name;
    if (plain && a->result_count == 0)
        shown = RF_S("PrimaryResult");
    else if (plain)
        shown = rf_arena_printf(a->arena, "PrimaryResult_%u", a->result_count);
    else if (!rf_arena_str(a->arena, name, &shown))
        return rf_fail_memory(err, a->arena);
    if (a->result_count == RESULTS_MAX)
        return RF_FAIL(err, RF_LIMIT, "QueryTooLarge", "more than %d results", RESULTS_MAX);
    if (a->result_count == 0) {
        query_render_put(&a->render, render, true);
        if (a->version == KUSTO_V2) {
            v2_head(a);
        } else {
            json_begin_object(&a->out, NULL);
            json_begin_array(&a->out, "Tables");
        }
    }
    if (a->version == KUSTO_V2) {
        v2_table(a, shown, schema);
    } else {
        v1_table_begin(a, a->result_count);
        json_begin_array(&a->out, "Columns");
        for (uint32_t i = 0; i < schema->count; i++)
            put_column(a, schema->columns[i].name, (enum type)schema->columns[i].type);
        json_end_array(&a->out);
        json_begin_array(&a->out, "Rows");
    }
    if (a->buf->failed) return rf_fail_memory(err, a->arena);
    a->names[a->result_count++] = shown;
    a->open = true;
    return wire_table(&a->wire, schema, err);
}

static enum rf_kind answer_push(struct kql_sink *sink, const struct batch *batch,
                                struct rf_err *err)
{
    struct kusto_answer *a = (struct kusto_answer *)sink;
    uint64_t left = a->take_max - RF_MIN(a->take_max, a->wire.table_row_count);
    struct batch some = *batch;
    if (batch->row_count >= left) {
        some.row_count = (uint32_t)left;
        sink->enough = true;
    }
    return wire_rows(&a->wire, &some, err);
}

static void close_table(struct kusto_answer *a, const struct rf_err *err)
{
    if (!a->open) return;
    a->open = false;
    a->out.comma = a->wire.table_row_count > 0;
    if (err != NULL && a->ask->errors_in_data) {
        json_begin_object(&a->out, NULL);
        put_errors(a, err);
        json_end_object(&a->out);
    }
    if (a->version == KUSTO_V2) {
        v2_table_end(a);
        return;
    }
    json_end_array(&a->out);
    json_end_object(&a->out);
}

static enum rf_kind answer_end(struct kql_sink *sink, struct rf_err *err)
{
    struct kusto_answer *a = (struct kusto_answer *)sink;
    close_table(a, NULL);
    return a->buf->failed ? rf_fail_memory(err, a->arena) : RF_OK;
}

struct kql_sink *kusto_answer_new(const struct request *request, const struct kusto_ask *ask,
                                  enum kusto_version version, struct rf_arena *arena,
                                  struct rf_buf *buf)
{
    struct kusto_answer *a = rf_arena_zalloc(arena, sizeof *a);
    if (a == NULL) return NULL;
    a->sink = (struct kql_sink){
        .begin = answer_begin, .push = answer_push, .end = answer_end, .options = answer_options};
    a->request = request;
    a->ask = ask;
    a->version = version;
    a->arena = arena;
    a->buf = buf;
    a->out = json_out_to(buf);
    a->from = buf->len;
    a->render = rf_buf_in(arena);
    a->take_max = UINT64_MAX;
    wire_init(&a->wire, WIRE_KUSTO, buf, QUERY_ROWS_MAX, KUSTO_BYTES_MAX);
    return &a->sink;
}

uint16_t kusto_answer_end(struct kql_sink *sink, struct query_result *result, rf_str text)
{
    struct kusto_answer *a = (struct kusto_answer *)sink;
    const struct rf_err *err = result->kind == RF_OK ? NULL : &result->err;
    result->row_count = a->wire.row_count;
    result->byte_count = a->wire.byte_count;
    wire_done(&a->wire);
    if (err != NULL && (a->result_count == 0 || !query_is_partial(err))) {
        a->buf->len = a->from;
        return kusto_fault_put(a->request, err, text, a->buf);
    }
    if (a->ask->no_partial_errors) err = NULL;
    close_table(a, err);
    if (a->version == KUSTO_V2)
        v2_end(a, result, err);
    else
        v1_end(a, result, err);
    return 200;
}
