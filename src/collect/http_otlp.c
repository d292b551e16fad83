/* http_otlp.c - OpenTelemetry over HTTP: POST /v1/logs, /v1/traces, /v1/metrics. */
#include "collect/http_int.h"
#include "collect/otlp.h"
#include "collect/protobuf.h"

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
    bool is_json = request_is_type(request, "application/json");
    struct otlp_result result;
    if (!is_json && !request_is_type(request, "application/x-protobuf"))
        return request_fail(request, err, 415, "UnsupportedMediaType",
                            "The content type must be application/x-protobuf or application/json.");
    RF_TRY(otlp_read(signal, is_json, request->http->body, request->now, &call->arena, &call->rows,
                     &result, err));
    call->counts.rejected = result.rejected;
    call->problem = result.why;
    RF_TRY(call_store(call, err));
    return answer_otlp(request, signal, is_json, &result);
}

static enum rf_kind run_otlp(struct request *request, enum otlp_signal signal, struct rf_err *err)
{
    struct call call;
    enum rf_kind kind = call_begin(request, USE_OTLP, "otlp", &call, err);
    if (kind == RF_OK) kind = call_failed(&call, otlp_call(&call, signal, err), err);
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
    if (request_is_type(request, "application/x-protobuf")) {
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

static const struct route otlp_routes[] = {
    COLLECT_ROUTE(HTTP_POST, "/v1/logs", run_logs),
    COLLECT_ROUTE(HTTP_POST, "/v1/traces", run_traces),
    COLLECT_ROUTE(HTTP_POST, "/v1/metrics", run_metrics),
};

void http_otlp_service(struct service *service)
{
    *service = (struct service){.name = "otlp",
                                .routes = otlp_routes,
                                .route_count = RF_COUNT(otlp_routes),
                                .error = otlp_error};
}
