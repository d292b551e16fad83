/* http_hec.c - Splunk's HTTP Event Collector: POST /services/collector and its fellows. */
#include "collect/hec.h"
#include "collect/http_int.h"

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
    struct line_source source = call_line_source(call);
    enum rf_kind kind = (is_raw ? hec_read_raw : hec_read_events)(
        request->http->body, &defaults, &source, &call->arena, &call->rows, &result, err);
    if (kind == RF_INVALID) {
        call->counts = (struct health_counts){.rejected = 1};
        call_note(call, err->text);
        bool names_event = result.code != HEC_NO_DATA;
        return answer_hec(request, result.code, names_event ? result.event : UINT64_MAX);
    }
    RF_TRY(kind);
    call->problem = result.problem;
    call->counts.rejected = result.problem_count;
    RF_TRY(call_store(call, err));
    return answer_hec(request, HEC_SUCCESS, UINT64_MAX);
}

static enum rf_kind run_hec(struct request *request, bool is_raw, struct rf_err *err)
{
    struct call call;
    enum rf_kind kind = call_begin(request, USE_HEC, "hec", &call, err);
    if (kind == RF_OK) kind = call_failed(&call, hec_call(&call, is_raw, err), err);
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

#define HEALTH_ROUTE(path_)                                                                        \
    {                                                                                              \
        .method = HTTP_GET, .path = path_, .access = ROUTE_OPEN,                                   \
        .why_open =                                                                                \
            "load balancers ask without a token, and it says only that the server answers",        \
        .run = run_hec_health, .lane = HTTP_QUICK                                                  \
    }
static const struct route hec_routes[] = {
    COLLECT_ROUTE(HTTP_POST, "/services/collector", run_hec_events),
    COLLECT_ROUTE(HTTP_POST, "/services/collector/event", run_hec_events),
    COLLECT_ROUTE(HTTP_POST, "/services/collector/event/1.0", run_hec_events),
    COLLECT_ROUTE(HTTP_POST, "/services/collector/raw", run_hec_raw),
    COLLECT_ROUTE(HTTP_POST, "/services/collector/raw/1.0", run_hec_raw),
    COLLECT_ROUTE(HTTP_POST, "/services/collector/ack", run_hec_ack),
    HEALTH_ROUTE("/services/collector/health"),
    HEALTH_ROUTE("/services/collector/health/1.0"),
};

void http_hec_service(struct service *service)
{
    *service = (struct service){.name = "hec",
                                .routes = hec_routes,
                                .route_count = RF_COUNT(hec_routes),
                                .error = hec_error};
}
