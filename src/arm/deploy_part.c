/* deploy_part.c - requests that a deployment makes for its caller, and the world as templates see it through them. */
#include "arm/deploy_int.h"

#include "base/encode.h"

/* ---- callers ------------------------------------------------------------------------------------------------------------ */

struct deploy_caller deploy_caller_of(const struct request *request)
{
    rf_str correlation = http_header(request->http, "x-ms-correlation-request-id", NULL);
    return (struct deploy_caller){.arm = request->service,
                                  .dispatcher = request->dispatcher,
                                  .principal = request->principal,
                                  .site = request->site,
                                  .authz = request->authz,
                                  .audit = request->audit,
                                  .origin = request->origin,
                                  .host = request->http->host,
                                  .peer_address = request->http->peer_address,
                                  .correlation_id =
                                      guid_is(correlation) ? correlation : request->request_id,
                                  .is_loopback = request->http->is_loopback,
                                  .gone = request->gone};
}

static bool keep_texts(struct rf_arena *arena, const rf_str *from, uint32_t count,
                       const rf_str **out)
{
    rf_str *texts = rf_arena_new(arena, rf_str, count + 1);
    if (texts == NULL) return false;
    for (uint32_t i = 0; i < count; i++)
        if (!rf_arena_str(arena, from[i], &texts[i])) return false;
    *out = texts;
    return true;
}

static bool keep_principal(const struct principal *from, struct rf_arena *arena,
                           struct principal *out)
{
    *out = *from;
    if (from->claims != NULL) {
        out->claims = json_clone(arena, from->claims);
        if (out->claims == NULL) return false;
    }
    return rf_arena_str(arena, from->object_id, &out->object_id) &&
           rf_arena_str(arena, from->app_id, &out->app_id) &&
           rf_arena_str(arena, from->display_name, &out->display_name) &&
           rf_arena_str(arena, from->user_name, &out->user_name) &&
           rf_arena_str(arena, from->audience, &out->audience) &&
           rf_arena_str(arena, from->token_id, &out->token_id) &&
           keep_texts(arena, from->groups, from->group_count, &out->groups) &&
           keep_texts(arena, from->roles, from->role_count, &out->roles);
}

enum rf_kind deploy_caller_keep(const struct deploy_caller *caller, struct rf_arena *arena,
                                struct deploy_caller *out, struct rf_err *err)
{
    struct deploy_caller copy = *caller;
    struct principal *principal = rf_arena_new(arena, struct principal, 1);
    bool done = principal != NULL && keep_principal(caller->principal, arena, principal) &&
                rf_arena_str(arena, caller->origin, &copy.origin) &&
                rf_arena_str(arena, caller->host, &copy.host) &&
                rf_arena_str(arena, caller->peer_address, &copy.peer_address) &&
                rf_arena_str(arena, caller->correlation_id, &copy.correlation_id);
    if (!done) return rf_fail_memory(err, arena);
    copy.principal = principal;
    *out = copy;
    return RF_OK;
}

/* ---- asking --------------------------------------------------------------------------------------------------------------- */

/* An id as a path: what a segment may not hold becomes %XX. */
static rf_str path_of(struct rf_arena *arena, rf_str id)
{
    struct rf_buf buf = rf_buf_in(arena);
    for (size_t at = 0; at < id.len;) {
        size_t slash = rf_str_find(id, RF_S("/"), at), end = slash == SIZE_MAX ? id.len : slash;
        rf_str part = percent_encode(arena, rf_slice(id, at, end));
        if (part.ptr == NULL && end > at) return (rf_str){0};
        rf_buf_str(&buf, part);
        if (slash != SIZE_MAX) rf_buf_byte(&buf, '/');
        at = end + 1;
    }
    return buf.failed ? (rf_str){0} : rf_buf_view(&buf);
}

static rf_str newest_version(const struct deploy_caller *caller, struct rf_arena *arena, rf_str id)
{
    struct arm_target target;
    struct rf_err ignored;
    rf_str version = RF_S("2025-04-01");
    if (arm_target_of(caller->arm, id, arena, &target, &ignored) != RF_OK) return version;
    for (const char *const *v = target.type->versions; v != NULL && *v != NULL; v++)
        version = rf_str_of(*v);
    return version;
}

struct part {
    struct http_request http;
    struct http_response response;
    struct request request;
    atomic_bool never_gone;
};

static enum rf_kind part_init(const struct deploy_caller *caller, enum http_method method,
                              rf_str id, rf_str action, rf_str version, rf_str body,
                              struct rf_arena *arena, struct part *part, struct rf_err *err)
{
    rf_str path = path_of(arena, id);
    if (version.len == 0) version = newest_version(caller, arena, id);
    rf_str query = rf_arena_printf(arena, "api-version=%.*s", RF_FMT(version));
    if (action.len > 0) path = rf_arena_printf(arena, "%.*s/%.*s", RF_FMT(path), RF_FMT(action));
    rf_str target = rf_arena_printf(arena, "%.*s?%.*s", RF_FMT(path), RF_FMT(query));
    if (path.ptr == NULL || query.ptr == NULL || target.ptr == NULL)
        return rf_fail_memory(err, arena);
    part->http = (struct http_request){.method = method,
                                       .target = target,
                                       .path = path,
                                       .query = query,
                                       .host = caller->host,
                                       .body = body,
                                       .body_sent_bytes = body.len,
                                       .peer_address = caller->peer_address,
                                       .is_loopback = caller->is_loopback,
                                       .is_tls = true};
    part->response =
        (struct http_response){.arena = arena, .status = 200, .body = rf_buf_in(arena)};
    atomic_init(&part->never_gone, false);
    part->request =
        (struct request){.http = &part->http,
                         .response = &part->response,
                         .arena = arena,
                         .site = caller->site,
                         .principal = caller->principal,
                         .now = rf_clock_now(caller->arm->options.clock),
                         .client_request_id = caller->correlation_id,
                         .origin = caller->origin,
                         .gone = caller->gone != NULL ? caller->gone : &part->never_gone,
                         .service = caller->arm,
                         .from = &caller->arm->service,
                         .authz = caller->authz,
                         .audit = caller->audit,
                         .dispatcher = caller->dispatcher};
    return RF_OK;
}

static void read_error(struct deploy_answer *answer)
{
    const struct json_node *error = json_get(answer->body, "error");
    if (!json_is(error, JSON_T_OBJECT)) error = answer->body;
    answer->code = json_text_at(error, "code");
    answer->message = json_text_at(error, "message");
    if (answer->code.len == 0) answer->code = RF_S("BadRequest");
}

enum rf_kind deploy_ask(const struct deploy_caller *caller, enum http_method method, rf_str id,
                        rf_str action, rf_str version, const struct json_node *body,
                        struct rf_arena *arena, struct deploy_answer *out, struct rf_err *err)
{
    struct part *part = rf_arena_new(arena, struct part, 1);
    rf_str text = body == NULL ? (rf_str){0} : json_to_text(arena, body);
    struct deploy_answer answer = {0};
    struct rf_err ignored;
    if (part == NULL || (body != NULL && text.ptr == NULL)) return rf_fail_memory(err, arena);
    RF_TRY(part_init(caller, method, id, action, version, text, arena, part, err));
    request_run_part(&part->request);
    if (part->response.failed) return rf_fail_memory(err, arena);
    rf_str answered = rf_buf_view(&part->response.body);
    answer.status = part->response.status;
    if (answered.len > 0 && json_parse(answered, arena, &answer.body, &ignored) != RF_OK)
        answer.body = NULL;
    if (answer.status >= 400) read_error(&answer);
    *out = answer;
    return RF_OK;
}

enum rf_kind deploy_may(const struct deploy_caller *caller, enum http_method method, rf_str id,
                        rf_str version, struct rf_arena *arena, struct rf_err *err)
{
    struct part *part = rf_arena_new(arena, struct part, 1);
    if (part == NULL) return rf_fail_memory(err, arena);
    RF_TRY(part_init(caller, method, id, (rf_str){0}, version, (rf_str){0}, arena, part, err));
    return request_check_part(&part->request, err);
}

struct json_node *deploy_error(struct rf_arena *arena, rf_str code, rf_str message,
                               struct json_node *details)
{
    struct json_node *error = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, error, "code", code);
    json_set_text(arena, error, "message", message);
    if (details != NULL) json_set(arena, error, RF_S("details"), details);
    return error;
}

/* ---- the world ------------------------------------------------------------------------------------------------------------- */

/* Turns an answer that is an error into ours; the code must be static, so it goes into the text. */
static enum rf_kind fail_answer(const struct deploy_answer *answer, rf_str id, struct rf_err *err)
{
    enum rf_kind kind = answer->status == 404   ? RF_NOT_FOUND
                        : answer->status == 403 ? RF_DENIED
                                                : RF_INVALID;
    const char *code = answer->status == 404   ? "ResourceNotFound"
                       : answer->status == 403 ? "AuthorizationFailed"
                                               : "BadRequest";
    return RF_FAIL(err, kind, code, "%.*s (%.*s, of '%.*s')", (int)RF_MIN(answer->message.len, 600),
                   (const char *)answer->message.ptr, (int)RF_MIN(answer->code.len, 80),
                   (const char *)answer->code.ptr, (int)RF_MIN(id.len, 250), (const char *)id.ptr);
}

static enum rf_kind world_get(void *ctx, rf_str id, rf_str version, struct json_node **out,
                              struct rf_err *err)
{
    struct deploy_world *world = ctx;
    struct deploy_answer answer;
    RF_TRY(deploy_ask(world->caller, HTTP_GET, id, (rf_str){0}, version, NULL, world->arena,
                      &answer, err));
    if (answer.status >= 300 || answer.body == NULL) return fail_answer(&answer, id, err);
    *out = answer.body;
    return RF_OK;
}

static enum rf_kind world_post(void *ctx, rf_str id, rf_str action, rf_str version,
                               const struct json_node *body, struct json_node **out,
                               struct rf_err *err)
{
    struct deploy_world *world = ctx;
    struct deploy_answer answer;
    RF_TRY(deploy_ask(world->caller, HTTP_POST, id, action, version, body, world->arena, &answer,
                      err));
    if (answer.status >= 300 || answer.body == NULL) return fail_answer(&answer, id, err);
    *out = answer.body;
    return RF_OK;
}

/* What a template may know of the place it goes to needs no right of its own: who may deploy there may know it. */
static enum rf_kind world_scope(void *ctx, rf_str id, struct json_node **out, struct rf_err *err)
{
    struct deploy_world *world = ctx;
    struct state_txn *txn;
    struct arm *arm = world->caller->arm;
    struct arm_resource resource;
    RF_TRY(state_begin_read(arm->options.state, &txn, err));
    enum rf_kind kind = arm_get(arm, txn, id, world->arena, &resource, err);
    state_end(txn);
    RF_TRY(kind);
    json_remove(resource.body, RF_S("systemData"));
    *out = resource.body;
    return RF_OK;
}

static enum rf_kind world_provider(void *ctx, rf_str ns, struct json_node **out, struct rf_err *err)
{
    struct deploy_world *world = ctx;
    rf_str id = rf_arena_printf(world->arena, "/subscriptions/%.*s/providers/%.*s",
                                RF_FMT(world->caller->site->subscription_id), RF_FMT(ns));
    if (id.ptr == NULL) return rf_fail_memory(err, world->arena);
    return world_get(ctx, id, RF_S("2021-04-01"), out, err);
}

struct template_world deploy_world_of(struct deploy_world *world)
{
    return (struct template_world){.ctx = world,
                                   .get = world_get,
                                   .post = world_post,
                                   .scope = world_scope,
                                   .provider = world_provider};
}
