#include "authz/activity.h"

#include "base/encode.h"
#include "base/json_out.h"
#include "base/log.h"

static rf_str fold(struct rf_arena *arena, rf_str text, uint8_t (*change)(uint8_t))
{
    uint8_t *folded = rf_arena_raw(arena, uint8_t, text.len);
    if (folded == NULL) return (rf_str){0};
    for (size_t i = 0; i < text.len; i++) folded[i] = change(text.ptr[i]);
    return rf_str_make(folded, text.len);
}

static rf_str upper(struct rf_arena *arena, rf_str text) { return fold(arena, text, rf_upper); }
static rf_str lower(struct rf_arena *arena, rf_str text) { return fold(arena, text, rf_lower); }

/* The segment behind `word` in an id: the group behind "/resourceGroups/". */
static rf_str behind(rf_str id, const char *word)
{
    rf_str wanted = rf_str_of(word);
    for (size_t at = 0; at < id.len; at++) {
        if (id.ptr[at] != '/' || id.len - at <= wanted.len) continue;
        if (!rf_str_eq_nocase(rf_slice(id, at, at + wanted.len), wanted)) continue;
        size_t from = at + wanted.len, end = rf_str_find(id, RF_S("/"), from);
        return rf_slice(id, from, end == SIZE_MAX ? id.len : end);
    }
    return (rf_str){0};
}

static const char *status_name(uint16_t status)
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
    case 400:
        return "BadRequest";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "NotFound";
    case 409:
        return "Conflict";
    case 412:
        return "PreconditionFailed";
    default:
        return status >= 500 ? "InternalServerError" : "";
    }
}

static rf_str authorization_json(struct request *request, const struct activity *activity)
{
    struct rf_buf buf = rf_buf_in(request->arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, "scope", activity->resource_id);
    json_put_text(&out, "action", activity->action);
    json_begin_object(&out, "evidence");
    if (activity->role.len > 0) json_put_text(&out, "role", activity->role);
    if (request->principal != NULL) {
        bool is_user = request->principal->type == PRINCIPAL_USER;
        json_put_text(&out, "principalId", request->principal->object_id);
        json_put_text(&out, "principalType", is_user ? RF_S("User") : RF_S("ServicePrincipal"));
    }
    json_end_object(&out);
    json_end_object(&out);
    return rf_buf_view(&buf);
}

static rf_str claims_json(struct request *request)
{
    if (request->principal == NULL || request->principal->claims == NULL) return RF_S("{}");
    return json_to_text(request->arena, request->principal->claims);
}

static rf_str http_json(struct request *request)
{
    struct rf_buf buf = rf_buf_in(request->arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, "clientRequestId", request->client_request_id);
    json_put_text(&out, "clientIpAddress", request->http->peer_address);
    json_put_text(&out, "method", rf_str_of(http_method_name(request->http->method)));
    json_end_object(&out);
    return rf_buf_view(&buf);
}

static rf_str properties_json(struct request *request, const struct activity *activity)
{
    struct rf_buf buf = rf_buf_in(request->arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, "eventCategory", RF_S("Administrative"));
    json_put_text(&out, "entity", activity->resource_id);
    json_put_text(&out, "message", activity->action);
    json_put_text(&out, "statusCode", rf_str_of(status_name(activity->status)));
    if (activity->code.len > 0) json_put_text(&out, "errorCode", activity->code);
    if (activity->more_json.len > 0) {
        rf_buf_byte(&buf, ',');
        rf_buf_str(&buf, activity->more_json);
    }
    json_end_object(&out);
    return rf_buf_view(&buf);
}

/* A column and its twin of type dynamic. */
static void put_pair(struct json_out *out, const char *name, const char *twin, rf_str json)
{
    json_put_text(out, name, json);
    json_put_raw(out, twin, json.len == 0 ? RF_S("{}") : json);
}

static void put_resource(struct json_out *out, struct request *request, rf_str id)
{
    rf_str provider = upper(request->arena, behind(id, "/providers/"));
    rf_str subscription = behind(id, "/subscriptions/");
    size_t name = id.len;
    while (name > 0 && id.ptr[name - 1] != '/') name--;
    json_put_text(out, "ResourceProvider", provider);
    json_put_text(out, "ResourceProviderValue", provider);
    json_put_text(out, "ResourceId", id);
    json_put_text(out, "_ResourceId", lower(request->arena, id));
    json_put_text(out, "Resource", rf_slice(id, name, id.len));
    json_put_text(out, "ResourceGroup", behind(id, "/resourceGroups/"));
    json_put_text(out, "SubscriptionId", subscription);
    json_put_text(out, "_SubscriptionId", lower(request->arena, subscription));
    json_put_text(out, "Hierarchy", subscription);
}

static void put_status(struct json_out *out, const struct activity *activity)
{
    rf_str status = activity->is_failure ? RF_S("Failure") : RF_S("Success");
    rf_str substatus = rf_str_of(status_name(activity->status));
    json_put_text(out, "ActivityStatus", status);
    json_put_text(out, "ActivityStatusValue", status);
    json_put_text(out, "ActivitySubstatus", substatus);
    json_put_text(out, "ActivitySubstatusValue", substatus);
    json_put_text(out, "Level", activity->is_failure ? RF_S("Error") : RF_S("Informational"));
}

static void put_caller(struct json_out *out, struct request *request)
{
    json_put_text(out, "Caller", principal_caller(request->principal));
    json_put_text(out, "CallerIpAddress", request->http->peer_address);
    json_put_text(out, "CorrelationId", request->request_id);
    json_put_text(out, "OperationId", request->request_id);
    json_put_text(out, "EventDataId", guid_random(request->arena));
}

void activity_write(struct request *request, const struct activity *activity)
{
    if (request->audit == NULL) return;
    struct rf_buf buf = rf_buf_in(request->arena);
    struct json_out out = json_out_to(&buf);
    rf_str now = time_iso(request->arena, request->now);
    bool is_named = activity->operation_name.len > 0;
    json_begin_object(&out, NULL);
    json_put_text(&out, "TimeGenerated", now);
    json_put_text(&out, "EventSubmissionTimestamp", now);
    json_put_text(&out, "OperationName", is_named ? activity->operation_name : activity->action);
    json_put_text(&out, "OperationNameValue", upper(request->arena, activity->action));
    json_put_text(&out, "Category", RF_S("Administrative"));
    json_put_text(&out, "CategoryValue", RF_S("Administrative"));
    json_put_text(&out, "SourceSystem", RF_S("Azure"));
    put_status(&out, activity);
    put_caller(&out, request);
    put_resource(&out, request, activity->resource_id);
    put_pair(&out, "Authorization", "Authorization_d", authorization_json(request, activity));
    put_pair(&out, "Claims", "Claims_d", claims_json(request));
    put_pair(&out, "Properties", "Properties_d", properties_json(request, activity));
    json_put_text(&out, "HTTPRequest", http_json(request));
    json_end_object(&out);
    if (buf.failed)
        rf_log(RF_ERROR, "audit.row_lost", RF_KV_STR("table", RF_S("AzureActivity")));
    else
        audit_row(request->audit, "AzureActivity", rf_buf_view(&buf));
}
