/* crud.c - the generic verbs: PUT, GET, HEAD, PATCH, DELETE and POST on any id. */
#include "arm/arm_int.h"

enum rf_kind arm_shape_error(struct request *request, enum rf_kind kind, struct rf_err *err)
{
    static const struct {
        const char *code;
        uint16_t status;
    } own[] = {{"PreconditionFailed", 412}, {"MethodNotAllowed", 405}, {"NotImplemented", 501}};
    if (kind == RF_OK || err->code == NULL) return kind;
    for (uint32_t i = 0; i < RF_COUNT(own); i++) {
        if (strcmp(err->code, own[i].code) != 0) continue;
        char text[sizeof err->text];
        memcpy(text, err->text, sizeof text);
        return request_fail(request, err, own[i].status, own[i].code, "%s", text);
    }
    return kind;
}

static void set_etag(struct request *request, uint64_t etag)
{
    if (etag != 0) http_set(request->response, "ETag", arm_etag_text(request->arena, etag));
}

static enum rf_kind answer_resource(struct request *request, struct arm_call *call,
                                    const struct arm_target *target, struct arm_resource *resource,
                                    uint16_t status, struct rf_err *err)
{
    RF_TRY(arm_resource_show(call, target, resource, err));
    set_etag(request, resource->etag);
    return request_answer(request, status, resource->body);
}

/* ---- GET, HEAD --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind run_read(struct request *request, const struct arm_plan *plan,
                             struct rf_err *err)
{
    struct arm_call call;
    struct arm_resource resource;
    RF_TRY(arm_call_begin(request->service, request, false, &call, err));
    enum rf_kind kind = arm_resource_load(&call, &plan->target, &resource, err);
    if (kind == RF_OK && request->http->method == HTTP_HEAD) {
        kind = request_answer_empty(request, 204);
    } else if (kind == RF_OK) {
        rf_str known = http_header(request->http, "If-None-Match", NULL);
        bool same = resource.etag != 0 && known.len > 0 &&
                    rf_str_eq(known, arm_etag_text(request->arena, resource.etag));
        if (same) set_etag(request, resource.etag);
        kind = same ? request_answer_empty(request, 304)
                    : answer_resource(request, &call, &plan->target, &resource, 200, err);
    }
    arm_end(&call);
    return kind;
}

/* ---- PUT, PATCH ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind show_written(struct request *request, struct arm *arm,
                                 const struct arm_target *target, struct arm_resource *resource,
                                 uint16_t status, struct rf_err *err)
{
    struct arm_call call;
    RF_TRY(arm_call_begin(arm, request, false, &call, err));
    enum rf_kind kind = answer_resource(request, &call, target, resource, status, err);
    arm_end(&call);
    return kind;
}

static uint16_t put_status(const struct arm_type *type, bool created, bool merge)
{
    if (merge || (type->flags & ARM_PUT_200_ALWAYS) != 0) return 200;
    return created || (type->flags & ARM_PUT_201_ALWAYS) != 0 ? 201 : 200;
}

static enum rf_kind run_write(struct request *request, const struct arm_plan *plan,
                              struct rf_err *err)
{
    struct arm *arm = request->service;
    const struct arm_target *target = &plan->target;
    bool merge = plan->verb == VERB_PATCH, created = false;
    struct json_node *body;
    struct arm_call call;
    struct arm_resource resource;
    RF_TRY(request_json(request, false, &body, err));
    struct arm_condition condition = arm_condition_of(request);
    RF_TRY(arm_call_begin(arm, request, true, &call, err));
    enum rf_kind kind =
        arm_resource_store(&call, target, body, merge, &condition, &resource, &created, err);
    if (kind == RF_OK) kind = arm_commit(&call, err);
    arm_end(&call);
    RF_TRY(kind);
    uint16_t status = put_status(target->type, created, merge);
    RF_TRY(show_written(request, arm, target, &resource, status, err));
    arm_record(request, plan->need, resource.id, status);
    return RF_OK;
}

/* ---- DELETE ----------------------------------------------------------------------------------------------------------------------- */

/* Deleting a group takes long in Azure, so clients expect 202 and ask again; the work is done before we answer. */
static enum rf_kind run_delete(struct request *request, const struct arm_plan *plan,
                               struct rf_err *err)
{
    const struct arm_target *target = &plan->target;
    struct arm_condition condition = arm_condition_of(request);
    struct arm_call call;
    bool existed = false, is_group = target->type == &arm_type_group;
    RF_TRY(arm_call_begin(request->service, request, true, &call, err));
    enum rf_kind kind = arm_resource_erase(&call, target, &condition, &existed, err);
    if (kind == RF_OK && is_group && !existed)
        kind = RF_FAIL(err, RF_NOT_FOUND, "ResourceGroupNotFound",
                       "Resource group '%.*s' could not be found.", RF_FMT(target->id.group));
    if (kind == RF_OK && is_group) kind = arm_operation_record(&call, target->id.text, err);
    if (kind == RF_OK) kind = arm_commit(&call, err);
    arm_end(&call);
    RF_TRY(kind);
    uint16_t status = is_group ? 202 : existed ? 200 : 204;
    arm_record(request, plan->need, target->id.text, status);
    return request_answer_empty(request, status);
}

/* ---- POST and other actions ----------------------------------------------------------------------------------------------------------- */

static enum rf_kind load_for_action(struct arm_call *call, const struct arm_plan *plan,
                                    struct arm_resource *resource, struct rf_err *err)
{
    RF_TRY(arm_resource_load(call, &plan->target, resource, err));
    bool reads = call->request->http->method == HTTP_GET;
    return reads ? RF_OK : arm_locks_check(call, plan->target.key, false, err);
}

static enum rf_kind run_action(struct request *request, const struct arm_plan *plan,
                               struct rf_err *err)
{
    const struct arm_target *target = &plan->target;
    struct arm_call call;
    struct arm_resource resource;
    if (target->id.is_type || plan->action == NULL) {
        if (!target->id.is_type) {
            RF_TRY(arm_call_begin(request->service, request, false, &call, err));
            enum rf_kind kind = load_for_action(&call, plan, &resource, err);
            arm_end(&call);
            RF_TRY(kind);
        }
        return RF_FAIL(err, RF_NOT_FOUND, "ActionNotFound",
                       "The action '%.*s' is not offered for resources of type '%s'.",
                       RF_FMT(plan->action_name), target->type->name);
    }
    RF_TRY(arm_call_begin(request->service, request, false, &call, err));
    enum rf_kind kind = load_for_action(&call, plan, &resource, err);
    struct arm_call own = arm_call_for(&call, target->type);
    if (kind == RF_OK) kind = plan->action->run(&own, &resource, err);
    arm_end(&call);
    RF_TRY(kind);
    if (request->http->method != HTTP_GET)
        arm_record(request, plan->need, target->id.text, request->response->status);
    return RF_OK;
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------------------ */

enum rf_kind arm_run_generic(struct request *request, struct rf_err *err)
{
    static enum rf_kind (*const runs[])(struct request *, const struct arm_plan *,
                                        struct rf_err *) = {
        [VERB_READ] = run_read,   [VERB_LIST] = arm_run_collection, [VERB_PUT] = run_write,
        [VERB_PATCH] = run_write, [VERB_DELETE] = run_delete,       [VERB_ACTION] = run_action,
    };
    struct arm_plan plan;
    enum rf_kind kind = arm_plan_of(request, &plan, err);
    if (kind == RF_OK)
        kind =
            plan.is_tags ? arm_run_tags(request, &plan, err) : runs[plan.verb](request, &plan, err);
    return arm_shape_error(request, kind, err);
}
