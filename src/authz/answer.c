#include "authz/answer_int.h"

#include "base/encode.h"
#include "base/json_out.h"
#include "base/log.h"

enum { CLIENT_ID_BYTES_MAX = 128 };

/* ---- errors ---------------------------------------------------------------------------------------------- */

static void write_error(struct http_response *response, rf_str code, rf_str text)
{
    http_set_literal(response, "Content-Type", "application/json; charset=utf-8");
    response->body.len = 0;
    struct json_out out = json_out_to(&response->body);
    json_begin_object(&out, NULL);
    json_begin_object(&out, "error");
    json_put_text(&out, "code", code);
    json_put_text(&out, "message", text);
    json_end_object(&out);
    json_end_object(&out);
    if (response->body.failed) response->failed = true;
}

uint16_t request_status_of(enum rf_kind kind)
{
    switch (kind) {
    case RF_OK:
        return 200;
    case RF_INVALID:
        return 400;
    case RF_DENIED:
        return 403;
    case RF_NOT_FOUND:
        return 404;
    case RF_CONFLICT:
        return 409;
    case RF_LIMIT:
        return 413;
    case RF_AGAIN:
        return 503;
    case RF_CANCELLED:
        return 499;
    case RF_IO:
    case RF_CORRUPT:
        return 500;
    }
    return 500;
}

/* The text of a quoted string of a header: the quote and the backslash would end or escape it. */
static rf_str quotable(struct rf_arena *arena, const char *text)
{
    char *copy = rf_arena_cstr(arena, rf_str_of(text));
    if (copy == NULL) return (rf_str){0};
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '"' || *c == '\\' || (uint8_t)*c < 0x20 || (uint8_t)*c >= 0x7f) *c = '\'';
    return rf_str_of(copy);
}

static void set_challenge(struct request *request, const struct rf_err *err)
{
    rf_str why = quotable(request->arena, err->text);
    http_setf(request->response, "WWW-Authenticate",
              "Bearer authorization_uri=\"%.*s/%.*s\", error=\"invalid_token\", "
              "error_description=\"%.*s\"",
              RF_FMT(request->origin), RF_FMT(request->site->tenant_id), RF_FMT(why));
}

static bool has_header(const struct http_response *response, rf_str name)
{
    for (uint32_t i = 0; i < response->header_count; i++)
        if (rf_str_eq_nocase(response->headers[i].name, name)) return true;
    return false;
}

/* What went wrong in the house is for its log; the caller gets a number to ask about it. */
static void hide_cause(struct request *request, struct rf_err *err)
{
    rf_str route = rf_str_of(request->route == NULL ? "" : request->route->path);
    rf_log(RF_ERROR, "request.failed", RF_KV_STR("route", route),
           RF_KV_STR("code", rf_str_of(err->code == NULL ? "" : err->code)),
           RF_KV_STR("text", rf_str_of(err->text)), RF_KV_STR("request_id", request->request_id));
    (void)rf_fail(err, err->kind, "InternalServerError",
                  "The server encountered an internal error. Request id: %.*s.",
                  RF_FMT(request->request_id));
}

/* Shapes the answer of an error; `status` 0 is taken from the kind. */
void answer_error(struct request *request, uint16_t status, struct rf_err *err)
{
    if (status == 0) status = request_status_of(err->kind);
    if (status == 500) hide_cause(request, err);
    if (err->code == NULL || err->code[0] == '\0') err->code = "BadRequest";
    struct http_response *response = request->response;
    response->status = status;
    bool is_open = request->route != NULL && request->route->access == ROUTE_OPEN;
    if (status == 401 && !is_open && !has_header(response, RF_S("WWW-Authenticate")))
        set_challenge(request, err);
    if ((status == 429 || status == 503) && !has_header(response, RF_S("Retry-After")))
        http_set_literal(response, "Retry-After", "1");
    const struct service *service = request->from;
    response->body.len = 0;
    if (service != NULL && service->error != NULL)
        service->error(request, status, err);
    else
        write_error(response, rf_str_of(err->code), rf_str_of(err->text));
}

void answer_refuse(void *ctx, const struct http_request *head, const char *why,
                   struct http_response *response)
{
    (void)ctx;
    (void)head;
    const char *code = response->status == 413   ? "RequestEntityTooLarge"
                       : response->status == 408 ? "RequestTimeout"
                       : response->status == 431 ? "RequestHeaderFieldsTooLarge"
                       : response->status == 501 ? "NotImplemented"
                       : response->status >= 500 ? "ServiceUnavailable"
                                                 : "BadRequest";
    http_set_literal(response, "Cache-Control", "no-cache");
    write_error(response, rf_str_of(code), rf_str_of(why));
}

/* ---- headers --------------------------------------------------------------------------------------------- */

static bool is_echoable(rf_str id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.ptr[i] <= 0x20 || id.ptr[i] >= 0x7f) return false;
    return id.len > 0 && id.len <= CLIENT_ID_BYTES_MAX;
}

void answer_ids(struct request *request)
{
    const struct http_request *http = request->http;
    struct http_response *response = request->response;
    rf_str client = http_header(http, "client-request-id", NULL);
    rf_str ms_client = http_header(http, "x-ms-client-request-id", NULL);
    rf_str correlation = http_header(http, "x-ms-correlation-request-id", NULL);
    request->request_id = guid_random(request->arena);
    request->client_request_id = is_echoable(ms_client) ? ms_client
                                 : is_echoable(client)  ? client
                                                        : request->request_id;
    if (!guid_is(correlation)) correlation = request->request_id;
    http_set(response, "x-ms-request-id", request->request_id);
    http_set(response, "x-ms-correlation-request-id", correlation);
    if (is_echoable(client)) http_set(response, "client-request-id", client);
    rf_str wants = http_header(http, "x-ms-return-client-request-id", NULL);
    if (is_echoable(ms_client) && rf_str_eq_nocase(wants, RF_S("true")))
        http_set(response, "x-ms-client-request-id", ms_client);
}

void answer_defaults(struct request *request)
{
    struct http_response *response = request->response;
    if (!has_header(response, RF_S("Cache-Control")))
        http_set_literal(response, "Cache-Control", "no-cache");
    http_set_literal(response, "Strict-Transport-Security", "max-age=31536000; includeSubDomains");
    http_set_literal(response, "X-Content-Type-Options", "nosniff");
    if (request->route == NULL || !(request->route->audiences & AUDIENCE_ARM)) return;
    rf_str now = time_iso(request->arena, request->now);
    if (now.len < 19) return;
    http_setf(response, "x-ms-routing-request-id", "%.*s:%.19sZ:%.*s",
              RF_FMT(request->site->location), (const char *)now.ptr, RF_FMT(request->request_id));
}
