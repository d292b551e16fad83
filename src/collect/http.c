/* http.c - the routes of senders over HTTP. Each checks first who sends: a token of the directory with the data action
 * Microsoft.Insights/Telemetry/Write at the workspace, as the Logs Ingestion API wants it at its rule, or the secret of a
 * Ringfort.Collect/tokens resource. What is answered with success is durable. */
#include "base/encode.h"
#include "base/json.h"
#include "collect/cef.h"
#include "collect/collect_int.h"
#include "collect/hec.h"
#include "collect/otlp.h"
#include "collect/protobuf.h"
#include "collect/sink.h"

enum { BODY_BYTES_MAX = 16 << 20, CALL_BYTES_MAX = 512 << 20, SECRET_BYTES_MAX = 256 };

#define WRITE_ACTION RF_S("Microsoft.Insights/Telemetry/Write")

/* One call that was let in, and its rows. */
struct call {
    struct collect *collect;
    struct request *request;
    struct collect_sources *sources;
    rf_str workspace; /* guid */
    struct health_source who;
    struct rf_arena arena;
    struct rowset rows;
    struct health_counts counts;
    const char *problem;
    bool is_storing; /* it was understood */
};

/* ---- who sends ------------------------------------------------------------------------------------------------------------- */

/* The secret behind "Splunk ", "Bearer " or in "Basic ", or in a header of its own. */
static rf_str find_secret(struct request *request)
{
    static const char *const schemes[] = {"Splunk ", "Bearer ", "Token "};
    rf_str header = http_header(request->http, "Authorization", NULL), basic = RF_S("Basic "), text;
    rf_str own = http_header(request->http, "X-Ringfort-Token", NULL);
    if (own.len > 0) return own;
    for (size_t i = 0; i < RF_COUNT(schemes); i++) {
        rf_str scheme = rf_str_of(schemes[i]);
        if (header.len > scheme.len && rf_str_eq_nocase(rf_slice(header, 0, scheme.len), scheme))
            return rf_str_trim(rf_slice(header, scheme.len, header.len));
    }
    if (header.len <= basic.len || !rf_str_eq_nocase(rf_slice(header, 0, basic.len), basic) ||
        base64_decode(request->arena, rf_str_trim(rf_slice(header, basic.len, header.len)), &text,
                      NULL) != RF_OK)
        return (rf_str){0};
    size_t colon = rf_str_find(text, RF_S(":"), 0);
    return colon == SIZE_MAX ? RF_S("") : rf_slice(text, colon + 1, text.len);
}

/* A refusal: counted by address, and told in the shape of the service. */
static enum rf_kind refuse(struct call *call, uint16_t status, const char *code, const char *why,
                           struct rf_err *err)
{
    struct collect *collect = call->collect;
    struct health_source who = {.protocol = call->who.protocol,
                                .source = call->request->http->peer_address,
                                .workspace = collect->options.site->workspace_id};
    health_add(collect->health, &who, &(struct health_counts){.refused = 1}, why,
               call->request->now);
    if (status == 401)
        http_set_literal(call->request->response, "WWW-Authenticate", "Bearer, Splunk");
    return request_fail(call->request, err, status, code, "%s", why);
}

static enum rf_kind admit_principal(struct call *call, struct rf_err *err)
{
    struct request *request = call->request;
    bool given;
    rf_str reference = http_header(request->http, "X-Ringfort-Workspace", &given);
    if (!given) reference = request_parameter(request, "workspace", &given);
    if (!given) reference = request->site->workspace_id;
    const struct collect_workspace *workspace = sources_workspace(call->sources, reference);
    /* Whether a workspace is there is told to those who may write to it only. */
    if (workspace == NULL || !request_may(request, WRITE_ACTION, workspace->id, true))
        return refuse(
            call, 403, "AuthorizationFailed",
            "The caller may not write to this workspace: it needs the role Monitoring "
            "Metrics Publisher, and the header X-Ringfort-Workspace must name a workspace.",
            err);
    call->workspace = workspace->guid;
    call->who.source = principal_caller(request->principal);
    call->who.listener = RF_S("(directory)");
    call->who.workspace = workspace->guid;
    return RF_OK;
}

static enum rf_kind admit_token(struct call *call, enum collect_use use, struct rf_err *err)
{
    rf_str secret = find_secret(call->request);
    if (secret.len == 0)
        return refuse(
            call, 401, "TokenRequired",
            "Authorization is missing: a bearer token of the directory, or the secret of a "
            "Ringfort.Collect/tokens resource.",
            err);
    const struct collect_token *token =
        secret.len > SECRET_BYTES_MAX ? NULL : sources_token(call->sources, secret);
    if (token == NULL) return refuse(call, 401, "InvalidToken", "The token is not valid.", err);
    if (!token->enabled) return refuse(call, 403, "TokenDisabled", "The token is disabled.", err);
    if ((token->uses & use) == 0)
        return refuse(call, 403, "TokenUse", "The token is not for this kind of data.", err);
    call->workspace = token->workspace;
    call->who.listener = token->name;
    call->who.source = call->request->http->peer_address;
    call->who.workspace = token->workspace;
    return RF_OK;
}

static void call_done(struct call *call)
{
    sources_unref(call->sources);
    rf_arena_done(&call->arena);
}

static enum rf_kind call_begin(struct request *request, enum collect_use use, const char *protocol,
                               struct call *call, struct rf_err *err)
{
    struct collect *collect = request->service;
    *call = (struct call){.collect = collect, .request = request, .who = {.protocol = protocol}};
    rf_arena_init(&call->arena, CALL_BYTES_MAX);
    call->sources = collect_sources(collect);
    call->rows = rowset_in(&call->arena);
    enum rf_kind kind =
        request->principal != NULL ? admit_principal(call, err) : admit_token(call, use, err);
    return kind;
}

static struct line_source source_of(const struct call *call)
{
    return (struct line_source){.now = call->request->now,
                                .peer = call->request->http->peer_address,
                                .collector = call->collect->options.site->domain,
                                .columns = &call->collect->events};
}

/* ---- storing --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind busy(struct call *call, const struct rf_err *inner, struct rf_err *err)
{
    http_set_literal(call->request->response, "Retry-After", "5");
    return request_fail(call->request, err, 503, "ServiceUnavailable", "%s", inner->text);
}

static void note(struct call *call, const char *error)
{
    health_add(call->collect->health, &call->who, &call->counts, error, call->request->now);
}

/* Counts what went wrong, and says what may be tried again. */
static enum rf_kind failed(struct call *call, enum rf_kind kind, struct rf_err *err)
{
    if (kind == RF_OK || call->who.workspace.len == 0 || call->request->fail_status != 0)
        return kind;
    struct rf_err inner = *err;
    call->counts = (struct health_counts){.rejected = 1};
    note(call, inner.text);
    if (kind == RF_LIMIT && !call->is_storing)
        return request_fail(call->request, err, 413, "PayloadTooLarge",
                            "The body is too large or too deep: send less at once. %s", inner.text);
    return kind == RF_LIMIT || kind == RF_AGAIN || kind == RF_CONFLICT ? busy(call, &inner, err)
                                                                       : kind;
}

static enum rf_kind store(struct call *call, struct rf_err *err)
{
    if (rowset_failed(&call->rows)) return rf_fail_memory(err, &call->arena);
    call->is_storing = true;
    RF_TRY(sink_append_set(call->collect->options.tables, call->workspace, &call->rows,
                           call->request->now, err));
    call->counts.rows = rowset_count(&call->rows);
    call->counts.bytes = call->request->http->body.len;
    note(call, call->problem);
    return RF_OK;
}

static bool is_type(const struct request *request, const char *wanted)
{
    rf_str type = http_header(request->http, "Content-Type", NULL);
    for (size_t i = 0; i < type.len; i++)
        if (type.ptr[i] == ';') type.len = i;
    return rf_str_eq_nocase(rf_str_trim(type), rf_str_of(wanted));
}

/* ---- OTLP ------------------------------------------------------------------------------------------------------------------- */

/* ExportLogsServiceResponse and its fellows: partial_success{rejected = 1, error_message = 2} = 1. */
static enum rf_kind answer_otlp(struct request *request, enum otlp_signal signal, bool is_json,
                                const struct otlp_result *result)
{
    static const char *const rejected[] = {"rejectedLogRecords", "rejectedSpans",
                                           "rejectedDataPoints"};
    struct http_response *response = request->response;
    http_set_literal(response, "Content-Type",
                     is_json ? "application/json" : "application/x-protobuf");
    bool partial = result->rejected > 0;
    if (is_json) {
        struct json_out out = json_out_to(&response->body);
        json_begin_object(&out, NULL);
        if (partial) {
            json_begin_object(&out, "partialSuccess");
            json_put_text(
                &out, rejected[signal],
                rf_arena_printf(request->arena, "%llu", (unsigned long long)result->rejected));
            json_put_text(&out, "errorMessage", rf_str_of(result->why));
            json_end_object(&out);
        }
        json_end_object(&out);
    } else if (partial) {
        struct rf_buf inner = rf_buf_in(request->arena);
        protobuf_put_varint(&inner, 1, result->rejected);
        protobuf_put_bytes(&inner, 2, rf_str_of(result->why));
        protobuf_put_bytes(&response->body, 1, rf_buf_view(&inner));
        response->failed |= inner.failed;
    }
    response->failed |= response->body.failed;
    return RF_OK;
}

static enum rf_kind otlp_call(struct call *call, enum otlp_signal signal, struct rf_err *err)
{
    struct request *request = call->request;
    bool is_json = is_type(request, "application/json");
    struct otlp_result result;
    if (!is_json && !is_type(request, "application/x-protobuf"))
        return request_fail(request, err, 415, "UnsupportedMediaType",
                            "The content type must be application/x-protobuf or application/json.");
    RF_TRY(otlp_read(signal, is_json, request->http->body, request->now, &call->arena, &call->rows,
                     &result, err));
    call->counts.rejected = result.rejected;
    call->problem = result.why;
    RF_TRY(store(call, err));
    return answer_otlp(request, signal, is_json, &result);
}

static enum rf_kind run_otlp(struct request *request, enum otlp_signal signal, struct rf_err *err)
{
    struct call call;
    enum rf_kind kind = call_begin(request, USE_OTLP, "otlp", &call, err);
    if (kind == RF_OK) kind = failed(&call, otlp_call(&call, signal, err), err);
    call_done(&call);
    return kind;
}

static enum rf_kind run_logs(struct request *request, struct rf_err *err)
{
    return run_otlp(request, OTLP_LOGS, err);
}
static enum rf_kind run_traces(struct request *request, struct rf_err *err)
{
    return run_otlp(request, OTLP_TRACES, err);
}
static enum rf_kind run_metrics(struct request *request, struct rf_err *err)
{
    return run_otlp(request, OTLP_METRICS, err);
}

/* google.rpc.Status {code = 1, message = 2}, as OTLP wants errors, in the form of the request. */
static void otlp_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    enum {
        INVALID_ARGUMENT = 3,
        PERMISSION_DENIED = 7,
        INTERNAL = 13,
        UNAVAILABLE = 14,
        UNAUTHENTICATED = 16
    };
    int64_t code = status == 401   ? UNAUTHENTICATED
                   : status == 403 ? PERMISSION_DENIED
                   : status == 503 ? UNAVAILABLE
                   : status >= 500 ? INTERNAL
                                   : INVALID_ARGUMENT;
    struct http_response *response = request->response;
    if (is_type(request, "application/x-protobuf")) {
        http_set_literal(response, "Content-Type", "application/x-protobuf");
        protobuf_put_varint(&response->body, 1, (uint64_t)code);
        protobuf_put_bytes(&response->body, 2, rf_str_of(err->text));
    } else {
        http_set_literal(response, "Content-Type", "application/json");
        struct json_out out = json_out_to(&response->body);
        json_begin_object(&out, NULL);
        json_put_i64(&out, "code", code);
        json_put_text(&out, "message", rf_str_of(err->text));
        json_end_object(&out);
    }
    response->failed |= response->body.failed;
}

/* ---- HEC -------------------------------------------------------------------------------------------------------------------- */

static const struct {
    enum hec_code code;
    uint16_t status;
    const char *text;
} hec_answers[] = {
    {HEC_SUCCESS, 200, "Success"},
    {HEC_DISABLED, 403, "Token disabled"},
    {HEC_TOKEN_REQUIRED, 401, "Token is required"},
    {HEC_BAD_AUTHORIZATION, 401, "Invalid authorization"},
    {HEC_BAD_TOKEN, 403, "Invalid token"},
    {HEC_NO_DATA, 400, "No data"},
    {HEC_BAD_FORMAT, 400, "Invalid data format"},
    {HEC_INTERNAL, 500, "Internal server error"},
    {HEC_BUSY, 503, "Server is busy"},
    {HEC_EVENT_REQUIRED, 400, "Event field is required"},
    {HEC_EVENT_BLANK, 400, "Event field cannot be blank"},
    {HEC_NO_ACK, 400, "ACK is disabled"},
    {HEC_BAD_FIELDS, 400, "Error in handling indexed fields"},
    {HEC_HEALTHY, 200, "HEC is healthy"},
};

/* `event`: number of the event that is bad; UINT64_MAX: none. */
static enum rf_kind answer_hec(struct request *request, enum hec_code code, uint64_t event)
{
    struct http_response *response = request->response;
    struct json_out out = json_out_to(&response->body);
    size_t i = 0;
    while (hec_answers[i].code != code) i++;
    response->status = hec_answers[i].status;
    http_set_literal(response, "Content-Type", "application/json; charset=UTF-8");
    json_begin_object(&out, NULL);
    json_put_text(&out, "text", rf_str_of(hec_answers[i].text));
    json_put_i64(&out, "code", code);
    if (event != UINT64_MAX) json_put_i64(&out, "invalid-event-number", (int64_t)event);
    json_end_object(&out);
    response->failed |= response->body.failed;
    return RF_OK;
}

static void hec_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    static const struct {
        const char *code;
        enum hec_code as;
    } known[] = {{"TokenRequired", HEC_TOKEN_REQUIRED},
                 {"InvalidToken", HEC_BAD_TOKEN},
                 {"TokenDisabled", HEC_DISABLED},
                 {"TokenUse", HEC_BAD_TOKEN},
                 {"AuthorizationFailed", HEC_BAD_AUTHORIZATION}};
    enum hec_code code = status == 503 ? HEC_BUSY : status >= 500 ? HEC_INTERNAL : HEC_BAD_FORMAT;
    for (size_t i = 0; i < RF_COUNT(known); i++)
        if (strcmp(err->code, known[i].code) == 0) code = known[i].as;
    (void)answer_hec(request, code, UINT64_MAX);
}

static enum rf_kind hec_call(struct call *call, bool is_raw, struct rf_err *err)
{
    struct request *request = call->request;
    struct hec_result result = {.code = HEC_SUCCESS};
    struct hec_defaults defaults = {.host = request_parameter(request, "host", NULL),
                                    .source = request_parameter(request, "source", NULL),
                                    .source_type = request_parameter(request, "sourcetype", NULL),
                                    .index = request_parameter(request, "index", NULL)};
    struct line_source source = source_of(call);
    enum rf_kind kind = (is_raw ? hec_read_raw : hec_read_events)(
        request->http->body, &defaults, &source, &call->arena, &call->rows, &result, err);
    if (kind == RF_INVALID) {
        call->counts = (struct health_counts){.rejected = 1};
        note(call, err->text);
        bool names_event = result.code != HEC_NO_DATA;
        return answer_hec(request, result.code, names_event ? result.event : UINT64_MAX);
    }
    RF_TRY(kind);
    call->problem = result.problem;
    call->counts.rejected = result.problem_count;
    RF_TRY(store(call, err));
    return answer_hec(request, HEC_SUCCESS, UINT64_MAX);
}

static enum rf_kind run_hec(struct request *request, bool is_raw, struct rf_err *err)
{
    struct call call;
    enum rf_kind kind = call_begin(request, USE_HEC, "hec", &call, err);
    if (kind == RF_OK) kind = failed(&call, hec_call(&call, is_raw, err), err);
    call_done(&call);
    return kind;
}

static enum rf_kind run_hec_events(struct request *request, struct rf_err *err)
{
    return run_hec(request, false, err);
}
static enum rf_kind run_hec_raw(struct request *request, struct rf_err *err)
{
    return run_hec(request, true, err);
}
static enum rf_kind run_hec_ack(struct request *request, struct rf_err *err)
{
    struct call call;
    enum rf_kind kind = call_begin(request, USE_HEC, "hec", &call, err);
    /* Success means that the rows are durable, so there is nothing to ask for later. */
    if (kind == RF_OK) kind = answer_hec(request, HEC_NO_ACK, UINT64_MAX);
    call_done(&call);
    return kind;
}
static enum rf_kind run_hec_health(struct request *request, struct rf_err *err)
{
    (void)err;
    return answer_hec(request, HEC_HEALTHY, UINT64_MAX);
}

/* ---- plain JSON, Windows events, lines ------------------------------------------------------------------------------------------ */

static enum rf_kind answer_count(struct call *call)
{
    struct json_node *answer = json_new(call->request->arena, JSON_T_OBJECT);
    (void)json_set_i64(call->request->arena, answer, "rows", (int64_t)call->counts.rows);
    return request_answer(call->request, 200, answer);
}

/* Each value of a text with several, or of a list. */
static enum rf_kind each_record(struct call *call, rf_str body,
                                enum rf_kind (*take)(struct call *call, struct json_node *record,
                                                     struct rf_err *err),
                                struct rf_err *err)
{
    for (size_t at = 0;;) {
        struct json_reader reader;
        struct json_node *node;
        rf_str text;
        while (at < body.len && rf_is_space(body.ptr[at])) at++;
        if (at == body.len) return RF_OK;
        json_reader_init_many(&reader, rf_slice(body, at, body.len));
        RF_TRY(json_skip_value(&reader, &text, err));
        at = (size_t)(text.ptr + text.len - body.ptr);
        RF_TRY(json_parse(text, &call->arena, &node, err));
        struct json_node *first = node->type == JSON_T_ARRAY ? node->first : node;
        for (struct json_node *n = first, *next; n != NULL; n = next) {
            next = node->type == JSON_T_ARRAY ? n->next : NULL;
            if (n->type != JSON_T_OBJECT)
                return RF_FAIL(err, RF_INVALID, "InvalidPayload",
                               "The body must be JSON objects: a list, or one behind another.");
            RF_TRY(take(call, n, err));
        }
    }
}

/* The member that "time" names becomes TimeGenerated: "date" of Fluent Bit, "timestamp" of Vector. */
static enum rf_kind take_record(struct call *call, struct json_node *record, struct rf_err *err)
{
    rf_usec time;
    rf_str name = request_parameter(call->request, "time", NULL);
    rf_str table = request_variable(call->request, "table");
    const struct json_node *node = json_get_str(record, name);
    bool found = node != NULL && (node->type == JSON_T_STRING || node->type == JSON_T_NUMBER) &&
                 cef_time(node->text, &time);
    if (found &&
        json_set_text(&call->arena, record, "TimeGenerated", time_iso(&call->arena, time)) == NULL)
        return rf_fail_memory(err, &call->arena);
    struct json_out out = rowset_begin(&call->rows, table);
    for (const struct json_node *m = record->first; m != NULL; m = m->next) {
        char *key = rf_arena_cstr(&call->arena, m->name);
        if (key == NULL) return rf_fail_memory(err, &call->arena);
        json_put_node(&out, key, m);
    }
    rowset_end(&call->rows, &out);
    return RF_OK;
}

static enum rf_kind tables_call(struct call *call, struct rf_err *err)
{
    bool has_time;
    struct request *request = call->request;
    rf_str body = request->http->body;
    (void)request_parameter(request, "time", &has_time);
    if (rf_str_trim(body).len == 0)
        return request_fail(request, err, 400, "InvalidPayload", "The body is empty.");
    if (has_time) {
        RF_TRY(each_record(call, body, take_record, err));
        RF_TRY(store(call, err));
        return answer_count(call);
    }
    call->is_storing = true;
    RF_TRY(sink_append(call->collect->options.tables, call->workspace,
                       request_variable(request, "table"), body, request->now, &call->counts.rows,
                       err));
    call->counts.bytes = body.len;
    note(call, NULL);
    return answer_count(call);
}

static enum rf_kind take_windows(struct call *call, struct json_node *record, struct rf_err *err)
{
    return winevent_read_json(record, &call->collect->events, &call->arena, &call->rows, err);
}

static enum rf_kind windows_call(struct call *call, struct rf_err *err)
{
    rf_str body = call->request->http->body, trimmed = rf_str_trim(body);
    bool is_xml =
        rf_str_starts(trimmed, RF_S("<")) || rf_str_starts(trimmed, RF_S("\xef\xbb\xbf<"));
    RF_TRY(is_xml
               ? winevent_read_xml(trimmed, &call->collect->events, &call->arena, &call->rows, err)
               : each_record(call, body, take_windows, err));
    RF_TRY(store(call, err));
    return answer_count(call);
}

static enum rf_kind syslog_call(struct call *call, struct rf_err *err)
{
    rf_str body = call->request->http->body;
    struct line_source source = source_of(call);
    for (size_t from = 0; from < body.len;) {
        const char *problem = NULL;
        size_t end = RF_MIN(rf_str_find(body, RF_S("\n"), from), body.len);
        rf_str line = rf_slice(body, from, end);
        from = end + 1;
        while (line.len > 0 && line.ptr[line.len - 1] == '\r') line.len--;
        if (rf_str_trim(line).len == 0) continue;
        line_put(&source, line, &call->arena, &call->rows, &problem);
        if (problem == NULL) continue;
        call->problem = problem;
        call->counts.rejected++;
    }
    RF_TRY(store(call, err));
    return answer_count(call);
}

static enum rf_kind run_call(struct request *request, enum collect_use use, const char *protocol,
                             enum rf_kind (*run)(struct call *call, struct rf_err *err),
                             struct rf_err *err)
{
    struct call call;
    enum rf_kind kind = call_begin(request, use, protocol, &call, err);
    if (kind == RF_OK) kind = failed(&call, run(&call, err), err);
    call_done(&call);
    return kind;
}

static enum rf_kind run_tables(struct request *request, struct rf_err *err)
{
    return run_call(request, USE_TABLES, "http-json", tables_call, err);
}
static enum rf_kind run_windows(struct request *request, struct rf_err *err)
{
    return run_call(request, USE_WINDOWS, "windows-events", windows_call, err);
}
static enum rf_kind run_syslog(struct request *request, struct rf_err *err)
{
    return run_call(request, USE_SYSLOG, "syslog-http", syslog_call, err);
}

/* ---- routes ------------------------------------------------------------------------------------------------------------------- */

#define ROUTE(method_, path_, run_)                                                                \
    {                                                                                              \
        .method = method_, .path = path_, .access = ROUTE_OPEN,                                    \
        .why_open =                                                                                \
            "the handler first checks the bearer token's data action or the collector's key",      \
        .audiences =                                                                               \
            AUDIENCE_INGEST | AUDIENCE_ARM | AUDIENCE_LOGS | AUDIENCE_KUSTO | AUDIENCE_METRICS,    \
        .run = run_, .lane = HTTP_QUICK, .body_bytes_max = BODY_BYTES_MAX                          \
    }

static const struct route otlp_routes[] = {
    ROUTE(HTTP_POST, "/v1/logs", run_logs),
    ROUTE(HTTP_POST, "/v1/traces", run_traces),
    ROUTE(HTTP_POST, "/v1/metrics", run_metrics),
};
#define HEALTH_ROUTE(path_)                                                                        \
    {                                                                                              \
        .method = HTTP_GET, .path = path_, .access = ROUTE_OPEN,                                   \
        .why_open =                                                                                \
            "load balancers ask without a token, and it says only that the server answers",        \
        .run = run_hec_health, .lane = HTTP_QUICK                                                  \
    }
static const struct route hec_routes[] = {
    ROUTE(HTTP_POST, "/services/collector", run_hec_events),
    ROUTE(HTTP_POST, "/services/collector/event", run_hec_events),
    ROUTE(HTTP_POST, "/services/collector/event/1.0", run_hec_events),
    ROUTE(HTTP_POST, "/services/collector/raw", run_hec_raw),
    ROUTE(HTTP_POST, "/services/collector/raw/1.0", run_hec_raw),
    ROUTE(HTTP_POST, "/services/collector/ack", run_hec_ack),
    HEALTH_ROUTE("/services/collector/health"),
    HEALTH_ROUTE("/services/collector/health/1.0"),
};
static const struct route json_routes[] = {
    ROUTE(HTTP_POST, "/collect/tables/{table}", run_tables),
    ROUTE(HTTP_POST, "/collect/windows-events", run_windows),
    ROUTE(HTTP_POST, "/collect/syslog", run_syslog),
};

void collect_http_services(struct collect *collect)
{
    collect->services[0] = (struct service){.name = "otlp",
                                            .ctx = collect,
                                            .routes = otlp_routes,
                                            .route_count = RF_COUNT(otlp_routes),
                                            .error = otlp_error};
    collect->services[1] = (struct service){.name = "hec",
                                            .ctx = collect,
                                            .routes = hec_routes,
                                            .route_count = RF_COUNT(hec_routes),
                                            .error = hec_error};
    collect->services[2] = (struct service){.name = "collect",
                                            .ctx = collect,
                                            .routes = json_routes,
                                            .route_count = RF_COUNT(json_routes)};
    for (size_t i = 0; i < RF_COUNT(collect->services); i++)
        collect->service_list[i] = &collect->services[i];
}
