/* operations.c - what was answered with 202: state, space "operation", key = 16 hex digits of the time and 16 random ones, so
 * that the oldest come first and go first. Only who asked for the work may ask for its outcome. */
#include "arm/arm_int.h"

#include "base/encode.h"

enum { KEPT_HOURS = 24, PURGE_AT_ONCE = 20 };

static const char space[] = "operation";

static enum rf_kind purge(struct arm_call *call, struct rf_err *err)
{
    const struct state_scan scan = {.space = space, .limit = PURGE_AT_ONCE};
    struct state_list list;
    rf_usec kept = KEPT_HOURS * 3600 * RF_USEC_PER_SECOND;
    RF_TRY(state_list(call->txn, &scan, call->arena, &list, err));
    rf_str limit = rf_arena_printf(call->arena, "%016llx", (unsigned long long)(call->now - kept));
    if (limit.ptr == NULL) return rf_fail_memory(err, call->arena);
    for (uint32_t i = 0; i < list.count && rf_str_cmp(list.items[i].key, limit) < 0; i++)
        RF_TRY(state_delete(call->txn, space, list.items[i].key, err));
    return RF_OK;
}

static void set_urls(struct request *request, rf_str subscription, rf_str key)
{
    rf_str version = request_parameter(request, "api-version", NULL);
    rf_str encoded = percent_encode(request->arena, version);
    static const struct {
        const char *header, *word;
    } urls[] = {{"Location", "operationresults"}, {"Azure-AsyncOperation", "operationstatuses"}};
    for (uint32_t i = 0; i < RF_COUNT(urls); i++)
        http_setf(request->response, urls[i].header,
                  "%.*s/subscriptions/%.*s/%s/%.*s?api-version=%.*s", RF_FMT(request->origin),
                  RF_FMT(subscription), urls[i].word, RF_FMT(key), RF_FMT(encoded));
    http_set_literal(request->response, "Retry-After", "1");
}

enum rf_kind arm_operation_record(struct arm_call *call, rf_str resource_id, struct rf_err *err)
{
    return arm_operation_record_as(call, resource_id, 200, err);
}

enum rf_kind arm_operation_record_as(struct arm_call *call, rf_str resource_id, uint16_t result,
                                     struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    rf_str guid = guid_random(arena);
    RF_TRY(purge(call, err));
    if (guid.ptr == NULL) return rf_fail_memory(err, arena);
    rf_str key = rf_arena_printf(arena, "%016llx%.*s%.*s", (unsigned long long)call->now,
                                 RF_FMT(rf_slice(guid, 0, 8)), RF_FMT(rf_slice(guid, 28, 36)));
    rf_str now = time_iso(arena, call->now);
    rf_str owner = call->principal == NULL ? RF_S("") : call->principal->object_id;
    json_set_text(arena, body, "name", key);
    json_set_text(arena, body, "status", RF_S("Succeeded"));
    json_set_i64(arena, body, "result", result);
    json_set_text(arena, body, "resourceId", resource_id);
    json_set_text(arena, body, "startTime", now);
    json_set_text(arena, body, "endTime", now);
    bool done = json_set_text(arena, body, "owner", owner) != NULL;
    rf_str text = {0};
    if (done && key.ptr != NULL && now.ptr != NULL) text = json_to_text(arena, body);
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    const struct state_put put = {
        .space = space, .key = key, .body = text, .condition = STATE_ABSENT};
    RF_TRY(state_put(call->txn, &put, NULL, NULL, err));
    if (call->request != NULL)
        set_urls(call->request, request_variable(call->request, "subscription"), key);
    return RF_OK;
}

static enum rf_kind find(struct request *request, struct json_node **out, struct rf_err *err)
{
    struct arm_call call;
    struct state_object object;
    rf_str id = request_variable(request, "operation"), version;
    RF_TRY(arm_require_version(request, &version, err));
    RF_TRY(
        arm_require_subscription(request->service, request_variable(request, "subscription"), err));
    RF_TRY(arm_call_begin(request->service, request, false, &call, err));
    enum rf_kind kind = state_get(call.txn, space, id, request->arena, &object, err);
    if (kind == RF_OK) kind = json_parse(object.body, request->arena, out, err);
    arm_end(&call);
    if (kind == RF_OK &&
        rf_str_eq_nocase(json_text_at(*out, "owner"), request->principal->object_id))
        return RF_OK;
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    return RF_FAIL(err, RF_NOT_FOUND, "OperationNotFound",
                   "There is no operation '%.*s', or it ended more than %d hours ago.",
                   (int)RF_MIN(id.len, 60), (const char *)id.ptr, KEPT_HOURS);
}

enum rf_kind arm_run_operation_result(struct request *request, struct rf_err *err)
{
    struct json_node *operation;
    int64_t result = 200;
    RF_TRY(find(request, &operation, err));
    (void)json_i64_at(operation, "result", &result);
    return request_answer_empty(request, (uint16_t)result);
}

enum rf_kind arm_run_operation_status(struct request *request, struct rf_err *err)
{
    struct json_node *operation, *body = json_new(request->arena, JSON_T_OBJECT);
    static const char *const shown[] = {"name", "status", "startTime", "endTime"};
    RF_TRY(find(request, &operation, err));
    json_set_text(request->arena, body, "id", request->http->path);
    for (uint32_t i = 0; i < RF_COUNT(shown); i++)
        json_set_text(request->arena, body, shown[i], json_text_at(operation, shown[i]));
    json_set(request->arena, body, RF_S("percentComplete"), json_new_i64(request->arena, 100));
    struct json_node *properties = json_object_in(request->arena, body, "properties");
    return properties == NULL ? rf_fail_memory(err, request->arena)
                              : request_answer(request, 200, body);
}
