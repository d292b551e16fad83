/* errors.c - the error bodies of the control plane, and the rows of AzureActivity for what was done and what failed. */
#include "arm/arm_int.h"

#include "authz/activity.h"
#include "base/json_out.h"

void arm_record(struct request *request, rf_str action, rf_str resource_id, uint16_t status)
{
    const struct activity activity = {
        .action = action, .resource_id = resource_id, .status = status};
    activity_write(request, &activity);
}

/* "\"statusMessage\":...": the text of the error as a member, as in Azure's rows. */
static rf_str status_message(struct request *request, const struct rf_err *err)
{
    struct rf_buf error = rf_buf_in(request->arena), member = rf_buf_in(request->arena);
    struct json_out out = json_out_to(&error);
    json_begin_object(&out, NULL);
    json_begin_object(&out, "error");
    json_put_text(&out, "code", rf_str_of(err->code));
    json_put_text(&out, "message", rf_str_of(err->text));
    json_end_object(&out);
    json_end_object(&out);
    out = json_out_to(&member);
    json_put_text(&out, "statusMessage", rf_buf_view(&error));
    if (member.failed || error.failed) return (rf_str){0};
    return rf_buf_view(&member);
}

static bool is_change(enum http_method method)
{
    return method == HTTP_PUT || method == HTTP_PATCH || method == HTTP_DELETE ||
           method == HTTP_POST;
}

/* What would have changed something is recorded when it failed, too. Who was not let in is on record already: the dispatcher
 * sees to that. */
static void record_failure(struct request *request, uint16_t status, const struct rf_err *err)
{
    struct arm_plan plan;
    struct rf_err ignored;
    bool refused = status == 401 || status == 403;
    /* Routes for all members of the tenant answer questions only. */
    if (request->route != NULL && request->route->access == ROUTE_MEMBER) return;
    if (refused || request->principal == NULL || !is_change(request->http->method)) return;
    if (arm_plan_read(request, &plan, &ignored) != RF_OK) return;
    const struct activity activity = {.action = plan.need,
                                      .resource_id = plan.target.id.text,
                                      .is_failure = true,
                                      .status = status,
                                      .code = rf_str_of(err->code),
                                      .more_json = status_message(request, err)};
    activity_write(request, &activity);
}

static void set_headers(struct request *request)
{
    struct http_response *response = request->response;
    http_set_literal(response, "Content-Type", "application/json; charset=utf-8");
    http_set_literal(response, "x-ms-failure-cause", "gateway");
    if (response->body.failed) response->failed = true;
}

enum rf_kind arm_answer_error(struct request *request, uint16_t status, const char *code,
                              rf_str message, rf_str target, const struct json_node *details)
{
    struct rf_err err = {.code = code};
    size_t len = RF_MIN(message.len, sizeof err.text - 1);
    memcpy(err.text, message.ptr, len);
    record_failure(request, status, &err);
    request->response->status = status;
    request->response->body.len = 0;
    struct json_out out = json_out_to(&request->response->body);
    json_begin_object(&out, NULL);
    json_begin_object(&out, "error");
    json_put_text(&out, "code", rf_str_of(code));
    json_put_text(&out, "message", message);
    if (target.len > 0) json_put_text(&out, "target", target);
    if (details != NULL) json_put_node(&out, "details", details);
    json_end_object(&out);
    json_end_object(&out);
    set_headers(request);
    return RF_OK;
}

void arm_write_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    (void)arm_answer_error(request, status, err->code, rf_str_of(err->text), (rf_str){0},
                           request->error_details);
}
