/* deploy_run.c - runs deployments: threads with a queue, and one deployment from its first resource to its outputs.
 *
 * Resources are put one after another in the order of their needs; what fails takes down what needs it, and all else goes on.
 * The lock guards the queue and what requests look at while a job runs: `done` and `operations`. Nobody holds it while asking. */
#include "arm/deploy_int.h"

#include "base/encode.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* ---- one deployment -------------------------------------------------------------------------------------------------------- */

struct runner {
    struct deploy_job *job;
    struct deploy_engine *engine;
    struct template_run *run;
    struct template_plan *plan;
    struct json_node *operations; /* array */
    struct json_node *outputs;    /* ids of resources, array of {"id"} */
    struct json_node *details;    /* of errors, array */
    rf_str id;                    /* of the deployment at hand */
    bool *failed;                 /* or not tried, by resource */
    bool is_live;                 /* operations are seen by requests */
};

static struct rf_arena *arena_of(const struct runner *r) { return r->run->arena; }

/* Texts of secure parameters do not get into records, whoever put them into a message. */
static rf_str masked(const struct runner *r, rf_str text)
{
    struct rf_arena *arena = arena_of(r);
    for (const struct template_env *env = r->plan->env; env != NULL; env = env->around)
        for (uint32_t i = 0; i < env->parameter_count; i++) {
            const struct template_entry *p = &env->parameters[i];
            if (!template_is_secure(p->type) || !json_is(p->value, JSON_T_STRING)) continue;
            rf_str secret = p->value->text;
            for (size_t at; secret.len > 3 && (at = rf_str_find(text, secret, 0)) != SIZE_MAX;) {
                text = rf_arena_printf(arena, "%.*s***%.*s", (int)at, (const char *)text.ptr,
                                       RF_FMT(rf_slice(text, at + secret.len, text.len)));
                if (text.ptr == NULL) return (rf_str){0};
            }
        }
    return text;
}

static rf_str operation_id(struct rf_arena *arena, rf_str key)
{
    return rf_arena_printf(arena, "%016llX", (unsigned long long)rf_hash(key.ptr, key.len, 0x5eed));
}

static struct json_node *target_of(struct rf_arena *arena, const struct template_resource *t)
{
    struct json_node *target = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, target, "id", t->id);
    json_set_text(arena, target, "resourceType", t->type);
    return json_set_text(arena, target, "resourceName", t->name) == NULL ? NULL : target;
}

/* Appends an operation; `error` NULL: it succeeded. Requests may read what was appended before. */
static enum rf_kind note(struct runner *r, const struct template_resource *t, const char *what,
                         rf_usec begun, const char *status, struct json_node *error,
                         struct rf_err *err)
{
    struct rf_arena *arena = arena_of(r);
    struct json_node *operation = json_new(arena, JSON_T_OBJECT);
    rf_usec now = rf_clock_now(r->job->caller.arm->options.clock);
    rf_str name = operation_id(arena, t != NULL ? t->key : rf_str_of(what));
    rf_str id = rf_arena_printf(arena, "%.*s/operations/%.*s", RF_FMT(r->id), RF_FMT(name));
    rf_str duration = deploy_duration(arena, now - begun), tracking = guid_random(arena);
    if (name.ptr == NULL || id.ptr == NULL || duration.ptr == NULL || tracking.ptr == NULL)
        return rf_fail_memory(err, arena);
    json_set_text(arena, operation, "id", id);
    json_set_text(arena, operation, "operationId", name);
    struct json_node *properties = json_object_in(arena, operation, "properties");
    json_set_text(arena, properties, "provisioningOperation", rf_str_of(what));
    json_set_text(arena, properties, "provisioningState",
                  error == NULL ? RF_S("Succeeded") : RF_S("Failed"));
    json_set_text(arena, properties, "timestamp", time_iso(arena, now));
    json_set_text(arena, properties, "duration", duration);
    json_set_text(arena, properties, "trackingId", tracking);
    json_set_text(arena, properties, "statusCode", rf_str_of(status));
    if (error != NULL) {
        struct json_node *message = json_object_in(arena, properties, "statusMessage");
        json_set_text(arena, message, "status", RF_S("Failed"));
        json_set(arena, message, RF_S("error"), json_clone(arena, error));
    }
    if (t != NULL) json_set(arena, properties, RF_S("targetResource"), target_of(arena, t));
    if (properties == NULL) return rf_fail_memory(err, arena);
    if (r->is_live) pthread_mutex_lock(&r->engine->lock);
    bool done = json_append(r->operations, operation) != NULL;
    if (r->is_live) pthread_mutex_unlock(&r->engine->lock);
    return done ? RF_OK : rf_fail_memory(err, arena);
}

static const char *status_word(uint16_t status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "NoContent";
    case 403:
        return "Forbidden";
    case 404:
        return "NotFound";
    case 409:
        return "Conflict";
    case 412:
        return "PreconditionFailed";
    case 429:
        return "TooManyRequests";
    default:
        return status >= 500 ? "InternalServerError" : "BadRequest";
    }
}

static bool is_cancelled(const struct runner *r) { return atomic_load(&r->job->cancelled); }

/* What came of one resource. */
struct outcome {
    uint16_t status;
    struct json_node *error; /* NULL: done */
};

static enum rf_kind fail_with(struct runner *r, struct outcome *out, rf_str code, rf_str message,
                              uint16_t status, struct rf_err *err)
{
    struct rf_arena *arena = arena_of(r);
    rf_str kept_code, kept_message;
    bool kept = rf_arena_str(arena, code, &kept_code) &&
                rf_arena_str(arena, masked(r, message), &kept_message);
    out->status = status;
    out->error = kept ? deploy_error(arena, kept_code, kept_message, NULL) : NULL;
    return out->error == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static enum rf_kind fail_as(struct runner *r, struct outcome *out, const struct rf_err *why,
                            struct rf_err *err)
{
    if (why->kind == RF_LIMIT && strcmp(why->code, "MemoryBudgetExceeded") == 0) {
        *err = *why;
        return RF_LIMIT;
    }
    return fail_with(r, out, rf_str_of(why->code), rf_str_of(why->text),
                     request_status_of(why->kind), err);
}

static bool is_settled(const struct json_node *document)
{
    rf_str state = json_text_at(document, "properties.provisioningState");
    static const char *const moving[] = {"Accepted", "Creating",   "Updating",
                                         "Running",  "InProgress", "Provisioning"};
    for (uint32_t i = 0; i < RF_COUNT(moving); i++)
        if (rf_str_eq_nocase(state, rf_str_of(moving[i]))) return false;
    return true;
}

/* Lets others work for a moment, unless the deployment is cancelled. */
static void pause_job(struct runner *r)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 200000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_mutex_lock(&r->engine->lock);
    if (!is_cancelled(r)) pthread_cond_timedwait(&r->engine->ended, &r->engine->lock, &until);
    pthread_mutex_unlock(&r->engine->lock);
}

enum { SETTLE_ROUNDS = 1500, BUSY_ROUNDS = 25 };

static enum rf_kind settle(struct runner *r, const struct template_resource *t,
                           struct rf_arena *scratch, struct deploy_answer *answer,
                           struct rf_err *err)
{
    for (int round = 0; round < SETTLE_ROUNDS && answer->status < 300; round++) {
        if (answer->body != NULL && is_settled(answer->body)) return RF_OK;
        if (answer->body == NULL && answer->status != 202) return RF_OK;
        if (is_cancelled(r)) return RF_OK;
        pause_job(r);
        rf_arena_reset(scratch);
        RF_TRY(deploy_ask(&r->job->caller, HTTP_GET, t->id, (rf_str){0}, t->version, NULL, scratch,
                          answer, err));
    }
    return RF_OK;
}

static enum rf_kind ask_put(struct runner *r, const struct template_resource *t,
                            struct rf_arena *scratch, struct deploy_answer *answer,
                            struct rf_err *err)
{
    for (int round = 0;; round++) {
        rf_arena_reset(scratch);
        RF_TRY(deploy_ask(&r->job->caller, HTTP_PUT, t->id, (rf_str){0}, t->version, t->body,
                          scratch, answer, err));
        bool busy = answer->status == 503 || answer->status == 429;
        if (!busy || round == BUSY_ROUNDS || is_cancelled(r)) return RF_OK;
        pause_job(r);
    }
}

static enum rf_kind put_resource(struct runner *r, const struct template_resource *t,
                                 struct outcome *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    struct deploy_answer answer;
    struct rf_err why = {0};
    rf_arena_init(&scratch, DEPLOY_PART_MEMORY_MAX);
    enum rf_kind kind = ask_put(r, t, &scratch, &answer, &why);
    uint16_t status = kind == RF_OK ? answer.status : 500;
    if (kind == RF_OK) kind = settle(r, t, &scratch, &answer, &why);
    if (kind != RF_OK) return fail_as(r, out, &why, err);
    if (answer.status >= 300)
        return fail_with(r, out, answer.code, answer.message, answer.status, err);
    rf_str state = json_text_at(answer.body, "properties.provisioningState");
    if (rf_str_eq_nocase(state, RF_S("Failed")) || rf_str_eq_nocase(state, RF_S("Canceled")))
        return fail_with(r, out, RF_S("ResourceDeploymentFailure"),
                         RF_S("The resource operation completed with terminal provisioning state "
                              "'Failed'."),
                         409, err);
    out->status = status;
    struct json_node *node = json_new(arena_of(r), JSON_T_OBJECT);
    rf_str id = json_text_at(answer.body, "id"), kept = {0};
    if (!rf_arena_str(arena_of(r), id.len > 0 ? id : t->id, &kept) ||
        json_set_text(arena_of(r), node, "id", kept) == NULL ||
        json_append(r->outputs, node) == NULL)
        return rf_fail_memory(err, arena_of(r));
    return RF_OK;
}

static enum rf_kind run_plan(struct runner *r, rf_str mode, struct rf_err *err);
static enum rf_kind finish_outputs(struct runner *r, struct json_node **out, struct rf_err *err);

static enum rf_kind store_nested(struct runner *n, const struct template_resource *t, rf_str mode,
                                 struct json_node *outputs, struct json_node *error,
                                 struct rf_err *err)
{
    struct rf_arena *arena = arena_of(n);
    struct json_node *properties, *ignored;
    struct arm *arm = n->job->caller.arm;
    bool created;
    RF_TRY(deploy_properties(n->run, n->plan, mode, n->job->caller.correlation_id,
                             error == NULL ? RF_S("Succeeded") : RF_S("Failed"), &properties, err));
    json_set(arena, properties, RF_S("outputResources"), n->outputs);
    if (outputs != NULL) json_set(arena, properties, RF_S("outputs"), outputs);
    if (error != NULL) json_set(arena, properties, RF_S("error"), json_clone(arena, error));
    const struct deploy_record record = {.id = t->id,
                                         .name = t->name,
                                         .location = template_member_text(t->body, "location"),
                                         .properties = properties,
                                         .template = n->plan->env->document,
                                         .operations = n->operations};
    return deploy_store(arm, n->job->caller.principal, &record, arena, &created, &ignored, err);
}

static enum rf_kind check_nested(struct runner *r, const struct template_resource *t,
                                 struct rf_err *err)
{
    if (rf_str_eq(t->key, r->job->key))
        return RF_FAIL(err, RF_CONFLICT, "DeploymentActive",
                       "The nested deployment '%.*s' has the name of the one around it.",
                       RF_FMT(t->name));
    struct json_node *scope;
    const struct template_world *world = &r->run->world;
    RF_TRY(deploy_may(&r->job->caller, HTTP_PUT, t->id, t->version, arena_of(r), err));
    if (t->target.place != TEMPLATE_AT_TENANT)
        RF_TRY(world->scope(world->ctx, t->target.id, &scope, err));
    return deploy_check_active(r->engine, t->key, err);
}

static void add_all(struct json_node *into, struct json_node *from, struct rf_arena *arena)
{
    for (const struct json_node *n = from->first; n != NULL; n = n->next)
        json_append(into, template_share(arena, n));
}

/* A nested deployment runs here and now, and leaves its own record. */
static enum rf_kind put_nested(struct runner *r, struct template_resource *t, struct outcome *out,
                               struct rf_err *err)
{
    struct rf_arena *arena = arena_of(r);
    struct rf_err why = {0};
    struct json_node *outputs = NULL;
    enum rf_kind kind = check_nested(r, t, &why);
    if (kind == RF_OK) {
        r->run->is_runtime = false; /* names and conditions of the nested one do not ask */
        kind = template_expand_nested(r->run, r->plan, t, &why);
        r->run->is_runtime = true;
    }
    if (kind != RF_OK) return fail_as(r, out, &why, err);
    rf_str mode = template_member_text(json_get(t->body, "properties"), "mode");
    if (mode.len == 0) mode = RF_S("Incremental");
    struct runner nested = {.job = r->job,
                            .engine = r->engine,
                            .run = r->run,
                            .plan = t->nested,
                            .operations = json_new(arena, JSON_T_ARRAY),
                            .outputs = json_new(arena, JSON_T_ARRAY),
                            .details = json_new(arena, JSON_T_ARRAY),
                            .id = t->id,
                            .failed = rf_arena_new(arena, bool, t->nested->count + 1)};
    if (nested.operations == NULL || nested.outputs == NULL || nested.details == NULL ||
        nested.failed == NULL)
        return rf_fail_memory(err, arena);
    RF_TRY(run_plan(&nested, mode, err));
    if (nested.details->count == 0 && !is_cancelled(r))
        RF_TRY(finish_outputs(&nested, &outputs, err));
    out->status = 201;
    if (nested.details->count > 0 || is_cancelled(r)) {
        out->status = 409;
        out->error = deploy_error(
            arena, is_cancelled(r) ? RF_S("DeploymentCanceled") : RF_S("DeploymentFailed"),
            RF_S("At least one resource deployment operation failed. Please list deployment "
                 "operations for details."),
            nested.details);
        if (out->error == NULL) return rf_fail_memory(err, arena);
    }
    RF_TRY(store_nested(&nested, t, mode, outputs, out->error, err));
    add_all(r->outputs, nested.outputs, arena);
    return RF_OK;
}

static enum rf_kind run_resource(struct runner *r, struct template_resource *t, struct rf_err *err)
{
    struct outcome outcome = {0};
    struct rf_err why = {0};
    rf_usec begun = rf_clock_now(r->job->caller.arm->options.clock);
    enum rf_kind kind = template_fill(r->run, r->plan, t, &why);
    if (kind != RF_OK)
        RF_TRY(fail_as(r, &outcome, &why, err));
    else if (t->is_deployment)
        RF_TRY(put_nested(r, t, &outcome, err));
    else
        RF_TRY(put_resource(r, t, &outcome, err));
    r->failed[t - r->plan->resources] = outcome.error != NULL;
    if (outcome.error != NULL) {
        struct json_node *detail = json_clone(arena_of(r), outcome.error);
        json_set_text(arena_of(r), detail, "target", t->id);
        if (json_append(r->details, detail) == NULL) return rf_fail_memory(err, arena_of(r));
    }
    return note(r, t, "Create", begun, status_word(outcome.status), outcome.error, err);
}

static bool needs_failed(const struct runner *r, uint32_t at)
{
    for (uint32_t n = 0; n < r->plan->count; n++)
        if (r->failed[n] && template_needs(r->plan, at, n)) return true;
    return false;
}

/* ---- mode Complete ------------------------------------------------------------------------------------------------------------ */

static bool is_planned(const struct template_plan *plan, rf_str group, rf_str key)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct template_resource *t = &plan->resources[i];
        if (t->is_skipped) continue;
        if (rf_str_eq(t->key, key)) return true;
        if (t->nested != NULL && is_planned(t->nested, group, key)) return true;
    }
    return false;
}

static enum rf_kind delete_one(struct runner *r, rf_str id, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    struct deploy_answer answer;
    struct outcome outcome = {0};
    rf_usec begun = rf_clock_now(r->job->caller.arm->options.clock);
    struct resource_id parts;
    rf_arena_init(&scratch, DEPLOY_PART_MEMORY_MAX);
    RF_TRY(resource_id_parse(id, arena_of(r), &parts, err));
    struct template_resource t = {.id = id, .type = parts.type, .name = parts.name};
    t.key = resource_key(arena_of(r), id);
    if (t.key.ptr == NULL) return rf_fail_memory(err, arena_of(r));
    RF_TRY(deploy_ask(&r->job->caller, HTTP_DELETE, id, (rf_str){0}, (rf_str){0}, NULL, &scratch,
                      &answer, err));
    outcome.status = answer.status;
    if (answer.status >= 300 && answer.status != 404) {
        RF_TRY(fail_with(r, &outcome, answer.code, answer.message, answer.status, err));
        struct json_node *detail = json_clone(arena_of(r), outcome.error);
        json_set_text(arena_of(r), detail, "target", id);
        if (json_append(r->details, detail) == NULL) return rf_fail_memory(err, arena_of(r));
    }
    return note(r, &t, "Delete", begun, status_word(answer.status), outcome.error, err);
}

/* The ids of the group's resources that are not in the template; children come first. */
static enum rf_kind find_surplus(struct runner *r, const struct template_scope *scope, rf_str **out,
                                 uint32_t *count, struct rf_err *err)
{
    struct rf_arena *arena = arena_of(r);
    struct arm *arm = r->job->caller.arm;
    struct state_txn *txn;
    struct state_list list;
    struct state_scan scan = {.space = "resource", .index = "listed"};
    scan.value = resource_key(arena, scope->id);
    if (scan.value.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_begin_read(arm->options.state, &txn, err));
    enum rf_kind kind = state_list(txn, &scan, arena, &list, err);
    state_end(txn);
    RF_TRY(kind);
    rf_str *ids = rf_arena_new(arena, rf_str, list.count + 1);
    if (ids == NULL) return rf_fail_memory(err, arena);
    *count = 0;
    for (uint32_t i = list.count; i > 0; i--) {
        struct arm_resource resource;
        if (is_planned(r->plan, scope->id, list.items[i - 1].key)) continue;
        RF_TRY(arm_resource_of(&list.items[i - 1], arena, &resource, err));
        ids[(*count)++] = resource.id;
    }
    *out = ids;
    return RF_OK;
}

static enum rf_kind delete_surplus(struct runner *r, struct rf_err *err)
{
    rf_str *ids;
    uint32_t count;
    const struct template_scope *scope = &r->plan->env->target;
    if (scope->place != TEMPLATE_AT_GROUP) return RF_OK;
    RF_TRY(find_surplus(r, scope, &ids, &count, err));
    for (uint32_t i = 0; i < count && !is_cancelled(r); i++) RF_TRY(delete_one(r, ids[i], err));
    return RF_OK;
}

static enum rf_kind run_plan(struct runner *r, rf_str mode, struct rf_err *err)
{
    for (uint32_t i = 0; i < r->plan->count && !is_cancelled(r); i++) {
        uint32_t at = r->plan->order[i];
        struct template_resource *t = &r->plan->resources[at];
        if (t->is_skipped || t->is_existing) continue;
        if (needs_failed(r, at))
            r->failed[at] = true;
        else
            RF_TRY(run_resource(r, t, err));
    }
    bool clean = r->details->count == 0 && !is_cancelled(r);
    bool complete = rf_str_eq_nocase(mode, RF_S("Complete"));
    return clean && complete ? delete_surplus(r, err) : RF_OK;
}

static enum rf_kind finish_outputs(struct runner *r, struct json_node **out, struct rf_err *err)
{
    struct rf_err why = {0};
    struct outcome outcome = {0};
    rf_usec begun = rf_clock_now(r->job->caller.arm->options.clock);
    *out = NULL;
    if (template_member(r->plan->env->document, "outputs") == NULL) return RF_OK;
    if (template_outputs(r->run, r->plan, false, out, &why) != RF_OK) {
        *out = NULL;
        RF_TRY(fail_as(r, &outcome, &why, err));
        if (json_append(r->details, json_clone(arena_of(r), outcome.error)) == NULL)
            return rf_fail_memory(err, arena_of(r));
        return note(r, NULL, "EvaluateDeploymentOutput", begun, "BadRequest", outcome.error, err);
    }
    return note(r, NULL, "EvaluateDeploymentOutput", begun, "OK", NULL, err);
}

/* ---- jobs ------------------------------------------------------------------------------------------------------------------------- */

static void set_state(struct deploy_job *job, rf_str state)
{
    rf_usec now = rf_clock_now(job->caller.arm->options.clock);
    json_set_text(&job->arena, job->properties, "provisioningState", state);
    json_set_text(&job->arena, job->properties, "timestamp", time_iso(&job->arena, now));
    json_set_text(&job->arena, job->properties, "duration",
                  deploy_duration(&job->arena, now - job->begun));
}

static enum rf_kind store_job(struct deploy_job *job, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    struct json_node *ignored;
    bool created;
    const struct deploy_record record = {.id = job->id,
                                         .name = job->name,
                                         .location = job->location,
                                         .tags = job->tags,
                                         .properties = job->properties,
                                         .operations = job->operations};
    rf_arena_init(&scratch, DEPLOY_PART_MEMORY_MAX);
    return deploy_store(job->caller.arm, job->caller.principal, &record, &scratch, &created,
                        &ignored, err);
}

static enum rf_kind run_all(struct runner *r, struct rf_err *err)
{
    struct deploy_job *job = r->job;
    struct json_node *outputs = NULL, *error = NULL;
    RF_TRY(run_plan(r, job->mode, err));
    if (r->details->count == 0 && !is_cancelled(r)) RF_TRY(finish_outputs(r, &outputs, err));
    if (is_cancelled(r))
        error = deploy_error(&job->arena, RF_S("DeploymentCanceled"),
                             RF_S("The deployment was canceled."), NULL);
    else if (r->details->count > 0)
        error = deploy_error(&job->arena, RF_S("DeploymentFailed"),
                             RF_S("At least one resource deployment operation failed. Please list "
                                  "deployment operations for details. Please see "
                                  "https://aka.ms/arm-deployment-operations for usage details."),
                             r->details);
    if (outputs != NULL) json_set(&job->arena, job->properties, RF_S("outputs"), outputs);
    if (error != NULL) json_set(&job->arena, job->properties, RF_S("error"), error);
    json_set(&job->arena, job->properties, RF_S("outputResources"), r->outputs);
    set_state(job, is_cancelled(r) ? RF_S("Canceled")
                   : error != NULL ? RF_S("Failed")
                                   : RF_S("Succeeded"));
    return RF_OK;
}

void deploy_job_run(struct deploy_job *job, struct deploy_engine *engine)
{
    struct rf_err err = {0};
    struct rf_arena *arena = &job->arena;
    job->run.is_runtime = true;
    struct runner r = {.job = job,
                       .engine = engine,
                       .run = &job->run,
                       .plan = job->plan,
                       .operations = job->operations,
                       .outputs = json_new(arena, JSON_T_ARRAY),
                       .details = json_new(arena, JSON_T_ARRAY),
                       .id = job->id,
                       .failed = rf_arena_new(arena, bool, job->plan->count + 1),
                       .is_live = true};
    enum rf_kind kind = rf_fail_memory(&err, arena);
    if (r.outputs != NULL && r.details != NULL && r.failed != NULL) kind = run_all(&r, &err);
    if (kind != RF_OK) { /* the machinery itself: memory, the disk */
        struct json_node *error =
            deploy_error(arena, RF_S("InternalServerError"),
                         RF_S("The deployment ended early: memory or the disk gave out."), NULL);
        if (error != NULL) json_set(arena, job->properties, RF_S("error"), error);
        set_state(job, RF_S("Failed"));
        rf_log(RF_ERROR, "deployment.broken", RF_KV_STR("id", job->id),
               RF_KV_STR("code", rf_str_of(err.code)), RF_KV_STR("text", rf_str_of(err.text)));
    }
    job->stored = store_job(job, &err) == RF_OK;
    if (!job->stored)
        rf_log(RF_ERROR, "deployment.not_stored", RF_KV_STR("id", job->id),
               RF_KV_STR("code", rf_str_of(err.code)), RF_KV_STR("text", rf_str_of(err.text)));
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init(&scratch, DEPLOY_MEMORY_MAX);
    if (deploy_prune(job->caller.arm, job->id, &scratch, &err) != RF_OK)
        rf_log(RF_WARN, "deployment.not_pruned", RF_KV_STR("text", rf_str_of(err.text)));
}
