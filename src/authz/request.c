#include "authz/route.h"

#include <stdio.h>

rf_str request_variable(const struct request *request, const char *name)
{
    for (uint32_t i = 0; i < request->variable_count; i++)
        if (rf_str_is(request->variables[i].name, name)) return request->variables[i].value;
    return (rf_str){0};
}

rf_str request_parameter(const struct request *request, const char *name, bool *found)
{
    rf_str wanted = rf_str_of(name);
    for (uint32_t i = 0; i < request->parameter_count; i++) {
        if (!rf_str_eq_nocase(request->parameters[i].name, wanted)) continue;
        if (found != NULL) *found = true;
        return request->parameters[i].value;
    }
    if (found != NULL) *found = false;
    return (rf_str){0};
}

enum rf_kind request_json(struct request *request, bool may_be_empty, struct json_node **out,
                          struct rf_err *err)
{
    rf_str body = request->http->body;
    rf_str mark = RF_S("\xef\xbb\xbf"); /* .NET and PowerShell write one */
    if (rf_str_starts(body, mark)) body = rf_slice(body, mark.len, body.len);
    if (rf_str_trim(body).len == 0) {
        if (!may_be_empty)
            return RF_FAIL(err, RF_INVALID, "InvalidRequestContent",
                           "The request content was invalid: a JSON body is required.");
        *out = NULL;
        return RF_OK;
    }
    struct rf_err inner;
    enum rf_kind kind = json_parse(body, request->arena, out, &inner);
    if (kind == RF_INVALID)
        return RF_FAIL(err, RF_INVALID, "InvalidRequestContent",
                       "The request content was invalid and could not be deserialized: %s",
                       inner.text);
    if (kind != RF_OK && err != NULL) *err = inner;
    return kind;
}

enum rf_kind request_answer(struct request *request, uint16_t status, const struct json_node *body)
{
    struct http_response *response = request->response;
    response->status = status;
    http_set_literal(response, "Content-Type", "application/json; charset=utf-8");
    response->body.len = 0;
    json_print(&response->body, body);
    /* A NULL body is a document that could not be made. */
    if (body == NULL || response->body.failed) response->failed = true;
    return RF_OK;
}

enum rf_kind request_answer_empty(struct request *request, uint16_t status)
{
    request->response->status = status;
    request->response->body.len = 0;
    return RF_OK;
}

enum rf_kind request_fail(struct request *request, struct rf_err *err, uint16_t status,
                          const char *code, const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    request->fail_status = status;
    enum rf_kind kind = status == 401 || status == 403                    ? RF_DENIED
                        : status == 404                                   ? RF_NOT_FOUND
                        : status == 409 || status == 412                  ? RF_CONFLICT
                        : status == 413                                   ? RF_LIMIT
                        : status == 429 || status == 503 || status == 504 ? RF_AGAIN
                        : status >= 500                                   ? RF_IO
                                                                          : RF_INVALID;
    return rf_fail(err, kind, code, "%s", text);
}

enum rf_kind request_upgrade(struct request *request, const struct websocket_options *options,
                             void *ctx, rf_str *protocol, struct rf_err *err)
{
    enum rf_kind kind =
        websocket_upgrade(request->http, request->response, options, ctx, protocol, err);
    if (kind != RF_OK) request->fail_status = request->response->status;
    return kind;
}
