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
    return member.failed || error.failed ? (rf_str){0} : rf_buf_view(&member);
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

void arm_write_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    record_failure(request, status, err);
    struct json_out out = json_out_to(&request->response->body);
    json_begin_object(&out, NULL);
    json_begin_object(&out, "error");
    json_put_text(&out, "code", rf_str_of(err->code));
    json_put_text(&out, "message", rf_str_of(err->text));
    if (request->error_details.len > 0) json_put_raw(&out, "details", request->error_details);
    json_end_object(&out);
    json_end_object(&out);
    http_set_literal(request->response, "Content-Type", "application/json; charset=utf-8");
    http_set_literal(request->response, "x-ms-failure-cause", "gateway");
    if (request->response->body.failed) request->response->failed = true;
}
