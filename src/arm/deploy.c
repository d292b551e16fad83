/* deploy.c - the routes of deployments: PUT, validate, what-if, and what is asked of those that are there. */
#include "arm/deploy_int.h"

#include "base/encode.h"

#include <stdlib.h>

/* ---- which ------------------------------------------------------------------------------------------------------------------ */

enum rf_kind arm_deployment_scope(struct request *request, rf_str *out, struct rf_err *err)
{
    rf_str scope = request_variable(request, "scope"), version;
    rf_str subscription = request_variable(request, "subscription");
    rf_str name = request_variable(request, "name");
    RF_TRY(arm_require_version(request, &version, err));
    RF_TRY(arm_types_check_version(&arm_type_deployment, version, err));
    if (subscription.len > 0) /* the paths of operations that go without the namespace */
        scope = rf_arena_printf(request->arena, "subscriptions/%.*s/resourceGroups/%.*s",
                                RF_FMT(subscription), RF_FMT(request_variable(request, "group")));
    *out = rf_arena_printf(request->arena, "%s%.*s/providers/Microsoft.Resources/deployments/%.*s",
                           scope.len > 0 ? "/" : "", RF_FMT(scope), RF_FMT(name));
    if (out->ptr == NULL) return rf_fail_memory(err, request->arena);
    struct arm_target target;
    RF_TRY(arm_target_of(request->service, *out, request->arena, &target, err));
    *out = target.id.text;
    subscription = target.id.subscription;
    return subscription.len == 0 ? RF_OK
                                 : arm_require_subscription(request->service, subscription, err);
}

static enum rf_kind target_of(struct request *request, struct arm_target *out, struct rf_err *err)
{
    rf_str id;
    RF_TRY(arm_deployment_scope(request, &id, err));
    return arm_target_of(request->service, id, request->arena, out, err);
}

static enum rf_kind not_found(const struct arm_target *target, enum rf_kind kind,
                              struct rf_err *err)
{
    if (kind != RF_NOT_FOUND || strcmp(err->code, "ResourceNotFound") != 0) return kind;
    return RF_FAIL(err, RF_NOT_FOUND, "DeploymentNotFound", "Deployment '%.*s' could not be found.",
                   RF_FMT(target->id.name));
}

static enum rf_kind load(struct request *request, const struct arm_target *target,
                         struct arm_resource *out, struct rf_err *err)
{
    struct arm_call call;
    RF_TRY(arm_call_begin(request->service, request, false, &call, err));
    enum rf_kind kind = arm_resource_load(&call, target, out, err);
    if (kind == RF_OK) kind = arm_resource_show(&call, target, out, err);
    arm_end(&call);
    return not_found(target, kind, err);
}

/* ---- reading what is sent ----------------------------------------------------------------------------------------------------- */

struct order { /* a deployment that is asked for */
    struct arm_target target;
    struct template_scope scope;
    const struct json_node *properties;
    struct json_node *template;
    rf_str mode, location;
    const struct json_node *tags; /* NULL: none */
    struct deploy_world world;
    struct template_run run;
    struct template_env *env;
    struct template_plan *plan;
};

static enum rf_kind read_body(struct request *request, struct rf_arena *arena,
                              struct json_node **out, struct rf_err *err)
{
    rf_str text;
    struct rf_err inner;
    RF_TRY(template_text_strict(request->http->body, arena, &text, err));
    if (rf_str_trim(text).len == 0)
        return RF_FAIL(err, RF_INVALID, "InvalidRequestContent",
                       "The request content was invalid: a JSON body is required.");
    enum rf_kind kind = json_parse(text, arena, out, &inner);
    if (kind == RF_INVALID)
        return RF_FAIL(err, RF_INVALID, "InvalidRequestContent",
                       "The request content was invalid and could not be deserialized: %s",
                       inner.text);
    if (kind != RF_OK) *err = inner;
    return kind;
}

static enum rf_kind check_name(rf_str name, struct rf_err *err)
{
    bool good = name.len <= DEPLOY_NAME_MAX;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (!rf_is_alnum(c) && c < 0x80 && strchr("-_.()", c) == NULL) good = false;
    }
    if (good) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidDeploymentName",
                   "The deployment name '%.*s' is invalid: it has 1 to %d letters, digits and "
                   "'-', '_', '.', '(', ')'.",
                   (int)RF_MIN(name.len, 120), (const char *)name.ptr, DEPLOY_NAME_MAX);
}

static enum rf_kind check_mode(struct order *order, struct rf_err *err)
{
    rf_str mode = template_member_text(order->properties, "mode");
    bool complete = rf_str_eq_nocase(mode, RF_S("Complete"));
    if (mode.len > 0 && !complete && !rf_str_eq_nocase(mode, RF_S("Incremental")))
        return RF_FAIL(err, RF_INVALID, "InvalidRequestContent",
                       "The mode '%.*s' is none of Incremental and Complete.",
                       (int)RF_MIN(mode.len, 60), (const char *)mode.ptr);
    if (complete && order->scope.place != TEMPLATE_AT_GROUP)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplateDeployment",
                       "The mode Complete is only for deployments to resource groups.");
    order->mode = complete ? RF_S("Complete") : RF_S("Incremental");
    return RF_OK;
}

/* A template spec is a resource here, so a link to one can be followed; nothing is fetched from elsewhere. */
static enum rf_kind read_link(struct order *order, const struct json_node *link, struct rf_err *err)
{
    rf_str id = template_member_text(link, "id"), uri = template_member_text(link, "uri");
    struct json_node *spec;
    if (id.len == 0)
        return RF_FAIL(err, RF_INVALID, "InvalidContentLink",
                       "Unable to download deployment content from '%.*s'. Nothing is fetched from "
                       "elsewhere here: put the template into 'template', or name a template spec "
                       "version by 'id'.",
                       (int)RF_MIN(uri.len, 300), (const char *)uri.ptr);
    RF_TRY(order->run.world.get(order->run.world.ctx, id, (rf_str){0}, &spec, err));
    order->template = json_at(spec, "properties.mainTemplate");
    if (order->template != NULL) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidContentLink",
                   "'%.*s' is no version of a template spec.", (int)RF_MIN(id.len, 300),
                   (const char *)id.ptr);
}

static enum rf_kind read_template(struct order *order, struct rf_err *err)
{
    const struct json_node *properties = order->properties;
    const struct json_node *link = template_member(properties, "templateLink");
    if (json_is(template_member(properties, "parametersLink"), JSON_T_OBJECT))
        return RF_FAIL(err, RF_INVALID, "InvalidContentLink",
                       "Nothing is fetched from elsewhere here: put the parameters into "
                       "'parameters' instead of a parametersLink.");
    if (json_is(template_member(properties, "onErrorDeployment"), JSON_T_OBJECT))
        return RF_FAIL(err, RF_INVALID, "OnErrorDeploymentNotSupported",
                       "onErrorDeployment is not offered: secure parameters of earlier deployments "
                       "are not kept. Deploy the earlier template again.");
    order->template = template_member(properties, "template");
    if (json_is(link, JSON_T_OBJECT) && order->template == NULL) return read_link(order, link, err);
    if (json_is(order->template, JSON_T_OBJECT)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                   "Deployment template validation failed: 'The template is missing or not an "
                   "object'.");
}

static struct json_node *deployer_of(const struct deploy_caller *caller, struct rf_arena *arena)
{
    struct json_node *deployer = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, deployer, "objectId", caller->principal->object_id);
    json_set_text(arena, deployer, "tenantId", caller->site->tenant_id);
    json_set_text(arena, deployer, "userPrincipalName", caller->principal->user_name);
    return deployer;
}

static enum rf_kind run_init(struct order *order, const struct deploy_caller *caller,
                             struct rf_arena *arena, struct rf_err *err)
{
    order->run = (struct template_run){.arena = arena,
                                       .site = caller->site,
                                       .deployer = deployer_of(caller, arena),
                                       .now = rf_clock_now(caller->arm->options.clock)};
    return order->run.deployer == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* The place must be there, and who may write deployments there may write each resource where it is to go. */
static enum rf_kind check_rights(const struct deploy_caller *caller,
                                 const struct template_plan *plan, struct rf_arena *arena,
                                 struct json_node *details, struct rf_err *err)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct template_resource *r = &plan->resources[i];
        struct rf_err why;
        if (r->is_skipped || r->is_existing) continue;
        enum rf_kind kind = deploy_may(caller, HTTP_PUT, r->id, r->version, arena, &why);
        if (kind == RF_LIMIT) {
            *err = why;
            return kind;
        }
        if (kind != RF_OK) {
            rf_str text = rf_arena_printf(arena, "%s", why.text);
            struct json_node *detail = deploy_error(arena, rf_str_of(why.code), text, NULL);
            json_set_text(arena, detail, "target", r->id);
            if (text.ptr == NULL || json_append(details, detail) == NULL)
                return rf_fail_memory(err, arena);
        }
        if (r->nested != NULL) RF_TRY(check_rights(caller, r->nested, arena, details, err));
    }
    return RF_OK;
}

static enum rf_kind require_rights(struct request *request, const struct order *order,
                                   struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    struct json_node *details = json_new(arena, JSON_T_ARRAY);
    if (details == NULL) return rf_fail_memory(err, arena);
    RF_TRY(check_rights(order->world.caller, order->plan, arena, details, err));
    if (details->count == 0) return RF_OK;
    details =
        json_clone(arena, details); /* the ids in it are of the deployment, which goes first */
    if (details == NULL) return rf_fail_memory(err, arena);
    const struct json_node *first = details->first;
    bool denied = rf_str_is(json_text_at(first, "code"), "AuthorizationFailed");
    request->error_details = details;
    return request_fail(request, err, denied ? 403 : 400, "InvalidTemplateDeployment",
                        "Deployment failed with multiple errors: '%s%.*s: %.*s'",
                        denied ? "Authorization failed for template resource " : "",
                        (int)RF_MIN(json_text_at(first, "target").len, 300),
                        (const char *)json_text_at(first, "target").ptr,
                        (int)RF_MIN(json_text_at(first, "message").len, 500),
                        (const char *)json_text_at(first, "message").ptr);
}

static enum rf_kind expand(struct order *order, struct rf_err *err)
{
    const struct template_input input = {.scope = order->scope,
                                         .document = order->template,
                                         .parameters =
                                             template_member(order->properties, "parameters"),
                                         .name = order->target.id.name,
                                         .location = order->location};
    enum rf_kind kind = template_open(&order->run, &input, &order->env, err);
    if (kind == RF_OK) kind = template_expand(&order->run, order->env, &order->plan, err);
    if (kind == RF_INVALID && strcmp(err->code, "InvalidTemplate") == 0)
        return template_wrap(err, kind, "", (rf_str){0});
    return kind;
}

/* From the request to a plan whose writes the caller may do. order->world.caller is set; `arena` holds everything. */
static enum rf_kind prepare(struct request *request, struct rf_arena *arena, struct order *order,
                            struct rf_err *err)
{
    struct json_node *body, *scope;
    RF_TRY(target_of(request, &order->target, err));
    rf_str id, place;
    if (!rf_arena_str(arena, order->target.id.text, &id) ||
        !rf_arena_str(arena, order->target.id.scope, &place))
        return rf_fail_memory(err, arena);
    RF_TRY(arm_target_of(request->service, id, arena, &order->target, err));
    RF_TRY(check_name(order->target.id.name, err));
    RF_TRY(template_scope_of(arena, place, &order->scope, err));
    RF_TRY(run_init(order, order->world.caller, arena, err));
    order->world.arena = arena;
    order->run.world = deploy_world_of(&order->world);
    if (order->scope.place != TEMPLATE_AT_TENANT)
        RF_TRY(order->run.world.scope(order->run.world.ctx, order->scope.id, &scope, err));
    RF_TRY(read_body(request, arena, &body, err));
    order->properties = template_member(body, "properties");
    order->location = template_member_text(body, "location");
    order->tags = template_member(body, "tags");
    if (!json_is(order->tags, JSON_T_OBJECT)) order->tags = NULL;
    RF_TRY(arm_tags_check(order->tags, err));
    if (!json_is(order->properties, JSON_T_OBJECT))
        return RF_FAIL(err, RF_INVALID, "InvalidRequestContent",
                       "The request content was invalid: 'properties' is missing.");
    if (order->scope.place != TEMPLATE_AT_GROUP && order->location.len == 0)
        return RF_FAIL(err, RF_INVALID, "LocationRequired",
                       "The 'location' property must be specified for the deployment '%.*s'.",
                       RF_FMT(order->target.id.name));
    RF_TRY(check_mode(order, err));
    RF_TRY(read_template(order, err));
    RF_TRY(expand(order, err));
    return require_rights(request, order, err);
}

/* ---- PUT -------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind job_make(struct request *request, struct deploy_job **out, struct rf_err *err)
{
    struct deploy_job *job = calloc(1, sizeof *job);
    struct deploy_caller caller = deploy_caller_of(request);
    if (job == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a deployment");
    rf_arena_init(&job->arena, DEPLOY_MEMORY_MAX);
    enum rf_kind kind = deploy_caller_keep(&caller, &job->arena, &job->caller, err);
    if (kind != RF_OK) {
        deploy_job_free(job);
        return kind;
    }
    atomic_init(&job->cancelled, false);
    job->caller.gone = &job->cancelled;
    job->world = (struct deploy_world){.caller = &job->caller, .arena = &job->arena};
    *out = job;
    return RF_OK;
}

static enum rf_kind job_fill(struct request *request, struct deploy_job *job,
                             const struct json_node **template, struct rf_err *err)
{
    struct rf_arena *arena = &job->arena;
    struct order order = {.world = {.caller = &job->caller}};
    RF_TRY(prepare(request, arena, &order, err));
    job->run = order.run;
    job->run.world = deploy_world_of(&job->world);
    job->plan = order.plan;
    job->id = order.target.id.text;
    job->key = order.target.key;
    job->name = order.target.id.name;
    job->location = order.location;
    job->mode = order.mode;
    job->tags = order.tags;
    job->begun = order.run.now;
    job->operations = json_new(arena, JSON_T_ARRAY);
    *template = order.template;
    if (job->operations == NULL) return rf_fail_memory(err, arena);
    return deploy_properties(&job->run, job->plan, job->mode, job->caller.correlation_id,
                             RF_S("Accepted"), &job->properties, err);
}

static enum rf_kind check_lock(struct request *request, rf_str key, struct rf_err *err)
{
    struct arm_call call;
    RF_TRY(arm_call_begin(request->service, request, false, &call, err));
    enum rf_kind kind = arm_locks_check(&call, key, false, err);
    arm_end(&call);
    return kind;
}

static enum rf_kind job_enter(struct request *request, struct deploy_job *job,
                              const struct json_node *template, bool *created, struct rf_err *err)
{
    struct arm *arm = request->service;
    struct json_node *ignored, empty = {.type = JSON_T_ARRAY};
    RF_TRY(check_lock(request, job->key, err));
    RF_TRY(deploy_enter(arm->deploys, job, err));
    const struct deploy_record record = {.id = job->id,
                                         .name = job->name,
                                         .location = job->location,
                                         .tags = job->tags,
                                         .properties = job->properties,
                                         .template = template,
                                         .operations = &empty};
    enum rf_kind kind =
        deploy_store(arm, request->principal, &record, request->arena, created, &ignored, err);
    deploy_release(arm->deploys, job, kind == RF_OK);
    return kind;
}

/* "Prefer: respond-async" (RFC 7240): who asks so polls by itself. */
static bool may_wait(const struct request *request)
{
    rf_str prefer = http_header(request->http, "Prefer", NULL);
    return rf_str_find(prefer, RF_S("respond-async"), 0) == SIZE_MAX;
}

static enum rf_kind answer_now(struct request *request, const struct arm_target *target,
                               uint16_t status, struct rf_err *err)
{
    struct arm_resource resource;
    RF_TRY(load(request, target, &resource, err));
    rf_str state = json_text_at(resource.body, "properties.provisioningState");
    if (rf_str_is(state, "Accepted")) http_set_literal(request->response, "Retry-After", "1");
    return request_answer(request, status, resource.body);
}

enum rf_kind arm_run_deployment_put(struct request *request, struct rf_err *err)
{
    struct arm *arm = request->service;
    struct deploy_job *job;
    const struct json_node *template = NULL;
    struct arm_target target;
    bool created = false;
    RF_TRY(target_of(request, &target, err));
    RF_TRY(deploy_check_active(arm->deploys, target.key, err));
    RF_TRY(job_make(request, &job, err));
    enum rf_kind kind = job_fill(request, job, &template, err);
    if (kind == RF_OK) kind = job_enter(request, job, template, &created, err);
    if (kind != RF_OK) {
        deploy_job_free(job);
        return arm_shape_error(request, kind, err);
    }
    deploy_finish(arm->deploys, job, may_wait(request));
    uint16_t status = created ? 201 : 200;
    arm_record(request, rf_str_of(request->route->action), target.id.text, status);
    return answer_now(request, &target, status, err);
}

/* ---- validate, what-if ----------------------------------------------------------------------------------------------------------- */

static bool add_ids(const struct template_plan *plan, struct rf_arena *arena,
                    struct json_node *into)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct template_resource *r = &plan->resources[i];
        if (r->is_skipped || r->is_existing) continue;
        struct json_node *node = json_new(arena, JSON_T_OBJECT);
        if (json_set_text(arena, node, "id", r->id) == NULL || json_append(into, node) == NULL)
            return false;
        if (r->nested != NULL && !add_ids(r->nested, arena, into)) return false;
    }
    return true;
}

enum rf_kind arm_run_deployment_validate(struct request *request, struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    struct deploy_caller caller = deploy_caller_of(request);
    struct order order = {.world = {.caller = &caller}};
    struct json_node *properties, *body = json_new(arena, JSON_T_OBJECT);
    struct json_node *ids = json_new(arena, JSON_T_ARRAY);
    RF_TRY(prepare(request, arena, &order, err));
    RF_TRY(deploy_properties(&order.run, order.plan, order.mode, caller.correlation_id,
                             RF_S("Succeeded"), &properties, err));
    if (body == NULL || ids == NULL || !add_ids(order.plan, arena, ids))
        return rf_fail_memory(err, arena);
    json_set(arena, properties, RF_S("validatedResources"), ids);
    json_set_text(arena, body, "id", order.target.id.text);
    json_set_text(arena, body, "name", order.target.id.name);
    json_set_text(arena, body, "type", RF_S("Microsoft.Resources/deployments"));
    if (json_set(arena, body, RF_S("properties"), properties) == NULL)
        return rf_fail_memory(err, arena);
    arm_record(request, rf_str_of(request->route->action), order.target.id.text, 200);
    return request_answer(request, 200, body);
}

/* Predictions show values that nobody has stored yet, so they stay in memory, for a while. */
static enum rf_kind keep_result(struct request *request, const struct json_node *result,
                                rf_str *out, struct rf_err *err)
{
    struct arm *arm = request->service;
    struct deploy_engine *engine = arm->deploys;
    struct deploy_result *kept = calloc(1, sizeof *kept);
    if (kept == NULL) return rf_fail_memory(err, request->arena);
    kept->ends = request->now + DEPLOY_RESULT_SECONDS * RF_USEC_PER_SECOND;
    rf_arena_init(&kept->arena, DEPLOY_PART_MEMORY_MAX);
    rf_str id = guid_random(request->arena), text = json_to_text(request->arena, result);
    bool done = id.ptr != NULL && text.ptr != NULL && rf_arena_str(&kept->arena, id, &kept->id) &&
                rf_arena_str(&kept->arena, text, &kept->text) &&
                rf_arena_str(&kept->arena, request->principal->object_id, &kept->owner);
    if (!done) {
        deploy_result_free(kept);
        return rf_fail_memory(err, request->arena);
    }
    pthread_mutex_lock(&engine->lock);
    struct deploy_result **place = &engine->results[engine->result_at++ % DEPLOY_RESULTS_MAX];
    struct deploy_result *old = *place;
    *place = kept;
    pthread_mutex_unlock(&engine->lock);
    deploy_result_free(old);
    *out = id;
    return RF_OK;
}

enum rf_kind arm_run_deployment_what_if(struct request *request, struct rf_err *err)
{
    struct deploy_caller caller = deploy_caller_of(request);
    struct order order = {.world = {.caller = &caller}};
    struct json_node *result;
    rf_str operation;
    RF_TRY(prepare(request, request->arena, &order, err));
    const struct json_node *settings = template_member(order.properties, "whatIfSettings");
    bool ids_only =
        rf_str_eq_nocase(template_member_text(settings, "resultFormat"), RF_S("ResourceIdOnly"));
    bool complete = rf_str_is(order.mode, "Complete");
    RF_TRY(deploy_predict(&order.run, order.plan, &caller, complete, ids_only, &result, err));
    RF_TRY(keep_result(request, result, &operation, err));
    rf_str version =
        percent_encode(request->arena, request_parameter(request, "api-version", NULL));
    http_setf(request->response, "Location",
              "%.*s/subscriptions/%.*s/whatIfResults/%.*s?api-version=%.*s",
              RF_FMT(request->origin), RF_FMT(request->site->subscription_id), RF_FMT(operation),
              RF_FMT(version));
    http_set_literal(request->response, "Retry-After", "1");
    arm_record(request, rf_str_of(request->route->action), order.target.id.text, 202);
    return request_answer_empty(request, 202);
}

enum rf_kind arm_run_what_if_result(struct request *request, struct rf_err *err)
{
    struct arm *arm = request->service;
    struct deploy_engine *engine = arm->deploys;
    rf_str id = request_variable(request, "operation"), text = {0}, version;
    bool found = false;
    RF_TRY(arm_require_version(request, &version, err));
    pthread_mutex_lock(&engine->lock);
    for (uint32_t i = 0; i < DEPLOY_RESULTS_MAX && !found; i++) {
        const struct deploy_result *r = engine->results[i];
        found = r != NULL && rf_str_eq_nocase(r->id, id) && r->ends > request->now &&
                rf_str_eq_nocase(r->owner, request->principal->object_id) &&
                rf_arena_str(request->arena, r->text, &text);
    }
    pthread_mutex_unlock(&engine->lock);
    if (!found)
        return RF_FAIL(err, RF_NOT_FOUND, "OperationNotFound",
                       "There is no such result of a what-if, or it is older than %d minutes.",
                       DEPLOY_RESULT_SECONDS / 60);
    struct json_node *body;
    RF_TRY(json_parse(text, request->arena, &body, err));
    return request_answer(request, 200, body);
}

/* ---- what is there ----------------------------------------------------------------------------------------------------------------- */

enum rf_kind arm_run_deployment_get(struct request *request, struct rf_err *err)
{
    struct arm_target target;
    struct arm_resource resource;
    RF_TRY(target_of(request, &target, err));
    RF_TRY(load(request, &target, &resource, err));
    if (request->http->method == HTTP_HEAD) return request_answer_empty(request, 204);
    return request_answer(request, 200, resource.body);
}

enum rf_kind arm_run_deployment_delete(struct request *request, struct rf_err *err)
{
    struct arm *arm = request->service;
    struct arm_target target;
    struct arm_call call;
    bool existed = false;
    RF_TRY(target_of(request, &target, err));
    RF_TRY(deploy_check_active(arm->deploys, target.key, err));
    RF_TRY(arm_call_begin(arm, request, true, &call, err));
    enum rf_kind kind = arm_resource_erase(&call, &target, NULL, &existed, err);
    if (kind == RF_OK) kind = arm_commit(&call, err);
    arm_end(&call);
    RF_TRY(arm_shape_error(request, kind, err));
    if (existed) arm_record(request, rf_str_of(request->route->action), target.id.text, 204);
    return request_answer_empty(request, 204);
}

enum rf_kind arm_run_deployment_cancel(struct request *request, struct rf_err *err)
{
    struct arm *arm = request->service;
    struct arm_target target;
    struct arm_resource resource;
    RF_TRY(target_of(request, &target, err));
    RF_TRY(load(request, &target, &resource, err));
    if (!deploy_cancel(arm->deploys, target.key)) {
        rf_str state = json_text_at(resource.body, "properties.provisioningState");
        return RF_FAIL(err, RF_CONFLICT, "DeploymentCannotBeCancelled",
                       "The deployment '%.*s' cannot be cancelled because the provisioning state "
                       "is already terminal: '%.*s'.",
                       RF_FMT(target.id.name), RF_FMT(state));
    }
    arm_record(request, rf_str_of(request->route->action), target.id.text, 204);
    return request_answer_empty(request, 204);
}

static enum rf_kind load_side(struct request *request, const struct arm_target *target,
                              struct json_node **out, struct rf_err *err)
{
    struct arm_call call;
    struct arm_resource resource;
    RF_TRY(arm_call_begin(request->service, request, false, &call, err));
    enum rf_kind kind = arm_resource_load(&call, target, &resource, err);
    if (kind == RF_OK) kind = deploy_load_side(&call, target->key, out, err);
    arm_end(&call);
    return not_found(target, kind, err);
}

enum rf_kind arm_run_deployment_export(struct request *request, struct rf_err *err)
{
    struct arm_target target;
    struct json_node *side, *body = json_new(request->arena, JSON_T_OBJECT);
    RF_TRY(target_of(request, &target, err));
    RF_TRY(load_side(request, &target, &side, err));
    struct json_node *template = template_share(request->arena, json_get(side, "template"));
    if (template == NULL) template = json_new(request->arena, JSON_T_OBJECT);
    if (json_set(request->arena, body, RF_S("template"), template) == NULL)
        return rf_fail_memory(err, request->arena);
    return request_answer(request, 200, body);
}

enum rf_kind arm_run_deployment_operations(struct request *request, struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    struct arm *arm = request->service;
    struct arm_target target;
    struct json_node *side, *operations, *value = json_new(arena, JSON_T_ARRAY);
    rf_str wanted = request_variable(request, "operation");
    int64_t top = INT64_MAX;
    RF_TRY(target_of(request, &target, err));
    RF_TRY(load_side(request, &target, &side, err));
    RF_TRY(deploy_live_operations(arm->deploys, target.key, arena, &operations, err));
    if (operations == NULL) operations = json_get(side, "operations");
    if (!template_whole(request_parameter(request, "$top", NULL), &top)) top = INT64_MAX;
    if (value == NULL) return rf_fail_memory(err, arena);
    for (const struct json_node *o = operations == NULL ? NULL : operations->first; o != NULL;
         o = o->next) {
        if (wanted.len > 0 && rf_str_eq_nocase(json_text_at(o, "operationId"), wanted))
            return request_answer(request, 200, o);
        if (value->count < top && json_append(value, template_share(arena, o)) == NULL)
            return rf_fail_memory(err, arena);
    }
    if (wanted.len > 0)
        return RF_FAIL(err, RF_NOT_FOUND, "DeploymentOperationNotFound",
                       "The deployment '%.*s' has no operation '%.*s'.", RF_FMT(target.id.name),
                       (int)RF_MIN(wanted.len, 60), (const char *)wanted.ptr);
    return arm_list_answer(request, value, (rf_str){0}, err);
}

enum rf_kind arm_run_template_hash(struct request *request, struct rf_err *err)
{
    struct json_node *template, *body = json_new(request->arena, JSON_T_OBJECT);
    rf_str version;
    RF_TRY(arm_require_version(request, &version, err));
    RF_TRY(read_body(request, request->arena, &template, err));
    if (template->type != JSON_T_OBJECT)
        return RF_FAIL(err, RF_INVALID, "InvalidRequestContent", "The template is not an object.");
    rf_str text = json_to_text(request->arena, template);
    rf_str hash = template_hash(request->arena, template);
    if (text.ptr == NULL || hash.ptr == NULL) return rf_fail_memory(err, request->arena);
    json_set_text(request->arena, body, "minifiedTemplate", text);
    if (json_set_text(request->arena, body, "templateHash", hash) == NULL)
        return rf_fail_memory(err, request->arena);
    return request_answer(request, 200, body);
}
