/* graph_log.c - auditLogs/signIns, auditLogs/directoryAudits, identityProtection/riskDetections of Graph: rows of tables, newest first. What is asked
 * becomes a query, which makes each row's document; pages go on behind the last row's time and id. */
#include "base/json.h"
#include "identity/graph_policy_int.h"
#include "tables/ask.h"

enum { LOG_TOP_DEFAULT = 100, LOG_TOP_MAX = 1000, LOG_BYTES_MAX = 256 << 20 };

struct log_kind {
    const char *set;          /* "auditLogs/signIns" */
    const char *source;       /* the rows; NULL: sign-ins, by what is asked */
    const char *time, *order; /* the member by which it is ordered; its other name, or NULL */
    const struct filter_column *columns;
    uint32_t column_count;
    const char *shape; /* a projection to Doc, At, Key */
};

/* Graph's times have seconds. */
#define TIME_OF(column)                                                                            \
    "strcat(format_datetime(" column ", 'yyyy-MM-dd'), 'T', format_datetime(" column               \
    ", 'HH:mm:ss'), 'Z')"
#define DYN(text) "parse_json(iff(isempty(" text "), 'null', " text "))"
#define LIST(text) "parse_json(iff(isempty(" text "), '[]', " text "))"

/* ---- sign-ins ------------------------------------------------------------------------------------------------------------ */

#define PEOPLE_COLUMNS                                                                             \
    "UserDisplayName, UserPrincipalName, UserId, ServicePrincipalId = '', ServicePrincipalName = " \
    "'', AppDisplayName, ClientAppUsed, UserAgent, IsInteractive, RiskDetail, "                    \
    "RiskLevelAggregated, RiskLevelDuringSignIn, RiskState, RiskTypes = RiskEventTypes_V2, "       \
    "AuthenticationRequirement, Steps = AuthenticationDetails, UserType, "
#define COMMON_COLUMNS                                                                             \
    "TimeGenerated, Id, AppId, IPAddress, CorrelationId, ConditionalAccessStatus, "                \
    "ResourceDisplayName, ResourceIdentity, ResultType, ResultDescription, SessionId, "            \
    "UniqueTokenIdentifier"
#define APP_COLUMNS                                                                                \
    "UserDisplayName = '', UserPrincipalName = '', UserId = '', ServicePrincipalId, "              \
    "ServicePrincipalName, AppDisplayName = ServicePrincipalName, ClientAppUsed = '', UserAgent, " \
    "IsInteractive = false, RiskDetail = 'none', RiskLevelAggregated = 'none', "                   \
    "RiskLevelDuringSignIn = 'none', RiskState = 'none', RiskTypes = '', "                         \
    "AuthenticationRequirement = '', Steps = '', UserType = '', StatusText = '', DeviceText = "    \
    "'', PlaceText = '', PoliciesText = '', "

static const char interactive[] =
    "SigninLogs | project EventType = 'interactiveUser', " PEOPLE_COLUMNS
    "StatusText = tostring(Status), DeviceText = tostring(DeviceDetail), PlaceText = "
    "tostring(LocationDetails), PoliciesText = "
    "tostring(ConditionalAccessPolicies), " COMMON_COLUMNS;
static const char every_sign_in[] =
    "union (SigninLogs | project EventType = 'interactiveUser', " PEOPLE_COLUMNS
    "StatusText = tostring(Status), DeviceText = tostring(DeviceDetail), PlaceText = "
    "tostring(LocationDetails), PoliciesText = tostring(ConditionalAccessPolicies), " COMMON_COLUMNS
    "), (AADNonInteractiveUserSignInLogs | project EventType = "
    "'nonInteractiveUser', " PEOPLE_COLUMNS
    "StatusText = Status, DeviceText = DeviceDetail, PlaceText = LocationDetails, PoliciesText = "
    "ConditionalAccessPolicies, " COMMON_COLUMNS
    "), (AADServicePrincipalSignInLogs | project EventType = 'servicePrincipal', " APP_COLUMNS
        COMMON_COLUMNS
    "), (AADManagedIdentitySignInLogs | project EventType = 'managedIdentity', " APP_COLUMNS
        COMMON_COLUMNS ")";

static const struct filter_column sign_in_columns[] = {
    {"createdDateTime", "TimeGenerated", FILTER_TIME},
    {"id", "Id", FILTER_TEXT},
    {"userDisplayName", "UserDisplayName", FILTER_TEXT},
    {"userPrincipalName", "UserPrincipalName", FILTER_TEXT},
    {"userId", "UserId", FILTER_TEXT},
    {"userType", "UserType", FILTER_TEXT},
    {"appId", "AppId", FILTER_TEXT},
    {"appDisplayName", "AppDisplayName", FILTER_TEXT},
    {"servicePrincipalId", "ServicePrincipalId", FILTER_TEXT},
    {"servicePrincipalName", "ServicePrincipalName", FILTER_TEXT},
    {"ipAddress", "IPAddress", FILTER_TEXT},
    {"status/errorCode", "toint(ResultType)", FILTER_INTEGER},
    {"clientAppUsed", "ClientAppUsed", FILTER_TEXT},
    {"correlationId", "CorrelationId", FILTER_TEXT},
    {"conditionalAccessStatus", "ConditionalAccessStatus", FILTER_TEXT},
    {"isInteractive", "IsInteractive", FILTER_TRUTH},
    {"resourceDisplayName", "ResourceDisplayName", FILTER_TEXT},
    {"resourceId", "ResourceIdentity", FILTER_TEXT},
    {"riskState", "RiskState", FILTER_TEXT},
    {"riskDetail", "RiskDetail", FILTER_TEXT},
    {"riskLevelDuringSignIn", "RiskLevelDuringSignIn", FILTER_TEXT},
    {"riskLevelAggregated", "RiskLevelAggregated", FILTER_TEXT},
    {"riskEventTypes_v2", "tostring(parse_json(RiskTypes)[#])", FILTER_TEXT},
    {"signInEventTypes", "EventType", FILTER_TEXT},
    {"deviceDetail/operatingSystem", "tostring(parse_json(DeviceText).operatingSystem)",
     FILTER_TEXT},
    {"deviceDetail/browser", "tostring(parse_json(DeviceText).browser)", FILTER_TEXT},
    {"location/countryOrRegion", "tostring(parse_json(PlaceText).countryOrRegion)", FILTER_TEXT},
    {"location/city", "tostring(parse_json(PlaceText).city)", FILTER_TEXT},
    {"userAgent", "UserAgent", FILTER_TEXT},
    {"uniqueTokenIdentifier", "UniqueTokenIdentifier", FILTER_TEXT},
};

/* Rows of applications have no Status: it is made of what they have. */
static const char sign_in_shape[] =
    "project At = tostring(TimeGenerated), Key = Id, Doc = tostring(bag_pack('id', Id, "
    "'createdDateTime', " TIME_OF(
        "TimeGenerated") ", 'userDisplayName', UserDisplayName, "
                         "'userPrincipalName', UserPrincipalName, 'userId', UserId, "
                         "'userType', tolower(UserType), "
                         "'appId', AppId, 'appDisplayName', AppDisplayName, "
                         "'servicePrincipalId', ServicePrincipalId, "
                         "'servicePrincipalName', ServicePrincipalName, 'ipAddress', "
                         "IPAddress, 'clientAppUsed', "
                         "ClientAppUsed, 'userAgent', UserAgent, 'correlationId', "
                         "CorrelationId, "
                         "'conditionalAccessStatus', ConditionalAccessStatus, "
                         "'isInteractive', IsInteractive, "
                         "'authenticationRequirement', AuthenticationRequirement, "
                         "'authenticationDetails', " LIST(
                             "Steps") ", 'riskDetail', RiskDetail, 'riskLevelAggregated', "
                                      "RiskLevelAggregated, "
                                      "'riskLevelDuringSignIn', RiskLevelDuringSignIn, "
                                      "'riskState', RiskState, "
                                      "'riskEventTypes_v2', " LIST(
                                          "RiskTypes") ", 'resourceDisplayName', "
                                                       "ResourceDisplayName, "
                                                       "'resourceId', ResourceIdentity, "
                                                       "'sessionId', SessionId, "
                                                       "'uniqueTokenIdentifier', "
                                                       "UniqueTokenIdentifier, "
                                                       "'signInEventTypes', "
                                                       "pack_array(EventType), 'status', "
                                                       "iff(isempty(StatusText), "
                                                       "bag_pack('errorCode', "
                                                       "toint(ResultType), "
                                                       "'failureReason', "
                                                       "ResultDescription, "
                                                       "'additionalDetails', ''), "
                                                       "parse_json(StatusText)), "
                                                       "'deviceDetail', " DYN(
                                                           "DeviceText") ", "
                                                                         "'location',"
                                                                         " " DYN(
                                                                             "PlaceTex"
                                                                             "t") ", "
                                                                                  "'ap"
                                                                                  "pli"
                                                                                  "edC"
                                                                                  "ond"
                                                                                  "iti"
                                                                                  "ona"
                                                                                  "lAc"
                                                                                  "ces"
                                                                                  "sPo"
                                                                                  "lic"
                                                                                  "ies"
                                                                                  "',"
                                                                                  " " LIST(
                                                                                      "PoliciesT"
                                                                                      "ext") ")"
                                                                                             ")";

static const struct log_kind sign_ins = {.set = "auditLogs/signIns",
                                         .time = "createdDateTime",
                                         .columns = sign_in_columns,
                                         .column_count = RF_COUNT(sign_in_columns),
                                         .shape = sign_in_shape};

/* ---- changes of the directory ------------------------------------------------------------------------------------------------ */

static const struct filter_column audit_columns[] = {
    {"activityDateTime", "TimeGenerated", FILTER_TIME},
    {"id", "Id", FILTER_TEXT},
    {"activityDisplayName", "ActivityDisplayName", FILTER_TEXT},
    {"category", "Category", FILTER_TEXT},
    {"correlationId", "CorrelationId", FILTER_TEXT},
    {"result", "Result", FILTER_TEXT},
    {"resultReason", "ResultReason", FILTER_TEXT},
    {"loggedByService", "LoggedByService", FILTER_TEXT},
    {"operationType", "AADOperationType", FILTER_TEXT},
    {"initiatedBy/user/id", "tostring(InitiatedBy.user.id)", FILTER_TEXT},
    {"initiatedBy/user/displayName", "tostring(InitiatedBy.user.displayName)", FILTER_TEXT},
    {"initiatedBy/user/userPrincipalName", "tostring(InitiatedBy.user.userPrincipalName)",
     FILTER_TEXT},
    {"initiatedBy/user/ipAddress", "tostring(InitiatedBy.user.ipAddress)", FILTER_TEXT},
    {"initiatedBy/app/appId", "tostring(InitiatedBy.app.appId)", FILTER_TEXT},
    {"initiatedBy/app/displayName", "tostring(InitiatedBy.app.displayName)", FILTER_TEXT},
    {"initiatedBy/app/servicePrincipalId", "tostring(InitiatedBy.app.servicePrincipalId)",
     FILTER_TEXT},
    {"targetResources/id", "tostring(TargetResources[#].id)", FILTER_TEXT},
    {"targetResources/displayName", "tostring(TargetResources[#].displayName)", FILTER_TEXT},
    {"targetResources/type", "tostring(TargetResources[#].type)", FILTER_TEXT},
    {"targetResources/userPrincipalName", "tostring(TargetResources[#].userPrincipalName)",
     FILTER_TEXT},
};
static const char audit_shape[] =
    "project At = tostring(TimeGenerated), Key = Id, Doc = tostring(bag_pack('id', Id, 'category', "
    "Category, 'correlationId', CorrelationId, 'result', Result, 'resultReason', ResultReason, "
    "'activityDisplayName', ActivityDisplayName, 'activityDateTime', " TIME_OF(
        "TimeGenerated") ", 'loggedByService', LoggedByService, 'operationType', AADOperationType, "
                         "'initiatedBy', "
                         "bag_pack('user', InitiatedBy.user, 'app', InitiatedBy.app), "
                         "'targetResources', "
                         "TargetResources, 'additionalDetails', AdditionalDetails))";
static const struct log_kind directory_audits = {.set = "auditLogs/directoryAudits",
                                                 .source = "AuditLogs",
                                                 .time = "activityDateTime",
                                                 .columns = audit_columns,
                                                 .column_count = RF_COUNT(audit_columns),
                                                 .shape = audit_shape};

/* ---- risk ---------------------------------------------------------------------------------------------------------------- */

/* A detection that was settled has a row more: the last one counts. */
static const char risk_source[] =
    "AADUserRiskEvents | summarize arg_max(LastUpdatedDateTime, *) by Id | extend TimeGenerated = "
    "DetectedDateTime";
static const struct filter_column risk_columns[] = {
    {"detectedDateTime", "TimeGenerated", FILTER_TIME},
    {"activityDateTime", "ActivityDateTime", FILTER_TIME},
    {"lastUpdatedDateTime", "LastUpdatedDateTime", FILTER_TIME},
    {"id", "Id", FILTER_TEXT},
    {"requestId", "RequestId", FILTER_TEXT},
    {"correlationId", "CorrelationId", FILTER_TEXT},
    {"riskEventType", "RiskEventType", FILTER_TEXT},
    {"riskLevel", "RiskLevel", FILTER_TEXT},
    {"riskState", "RiskState", FILTER_TEXT},
    {"riskDetail", "RiskDetail", FILTER_TEXT},
    {"detectionTimingType", "DetectionTimingType", FILTER_TEXT},
    {"activity", "Activity", FILTER_TEXT},
    {"ipAddress", "IpAddress", FILTER_TEXT},
    {"userId", "UserId", FILTER_TEXT},
    {"userDisplayName", "UserDisplayName", FILTER_TEXT},
    {"userPrincipalName", "UserPrincipalName", FILTER_TEXT},
};
static const char risk_shape[] =
    "project At = tostring(TimeGenerated), Key = Id, Doc = tostring(bag_pack('id', Id, "
    "'requestId', RequestId, 'correlationId', CorrelationId, 'riskEventType', RiskEventType, "
    "'riskLevel', RiskLevel, 'riskState', RiskState, 'riskDetail', RiskDetail, 'source', "
    "Source, "
    "'detectionTimingType', DetectionTimingType, 'activity', Activity, 'tokenIssuerType', "
    "TokenIssuerType, 'ipAddress', IpAddress, 'location', Location, "
    "'activityDateTime', " TIME_OF("ActivityDateTime") ", 'detectedDateTime', " TIME_OF(
        "TimeGenerated") ", "
                         "'lastUpdatedDateTime', " TIME_OF(
                             "LastUpdatedDateTime") ", 'userId', UserId, "
                                                    "'userDisplayName', UserDisplayName, "
                                                    "'userPrincipalName', UserPrincipalName, "
                                                    "'additionalInfo', "
                                                    "tostring(AdditionalInfo)))";
static const struct log_kind risk_detections = {.set = "identityProtection/riskDetections",
                                                .source = risk_source,
                                                .time = "detectedDateTime",
                                                .columns = risk_columns,
                                                .column_count = RF_COUNT(risk_columns),
                                                .shape = risk_shape};

/* ---- what is asked for --------------------------------------------------------------------------------------------------------- */

struct log_page {
    struct graph_call *call;
    const struct log_kind *kind;
    uint32_t top;
    bool ascending;
    struct rf_buf query;
};

static enum rf_kind read_top(struct log_page *page, struct rf_err *err)
{
    bool found;
    rf_str text = graph_option(page->call, "$top", &found);
    uint32_t top = found ? 0 : LOG_TOP_DEFAULT;
    for (size_t i = 0; found && i < text.len && top <= LOG_TOP_MAX; i++) {
        if (!rf_is_digit(text.ptr[i])) top = LOG_TOP_MAX + 1;
        if (top <= LOG_TOP_MAX) top = top * 10 + (text.ptr[i] - '0');
    }
    if (top < 1 || top > LOG_TOP_MAX)
        return graph_bad(err, "Invalid page size specified: $top must be 1 to %d.", LOG_TOP_MAX);
    page->top = top;
    return RF_OK;
}

static enum rf_kind read_order(struct log_page *page, struct rf_err *err)
{
    bool found;
    rf_str text = rf_str_trim(graph_option(page->call, "$orderby", &found));
    if (!found || text.len == 0) return RF_OK;
    size_t blank = RF_MIN(rf_str_find(text, RF_S(" "), 0), text.len);
    rf_str way = rf_str_trim(rf_slice(text, blank, text.len));
    page->ascending = !rf_str_eq_nocase(way, RF_S("desc"));
    bool good = rf_str_eq_nocase(rf_slice(text, 0, blank), rf_str_of(page->kind->time)) &&
                (way.len == 0 || !page->ascending || rf_str_eq_nocase(way, RF_S("asc")));
    return good ? RF_OK
                : graph_bad(err, "Invalid $orderby clause: it can be '%s asc' or '%s desc'.",
                            page->kind->time, page->kind->time);
}

static enum rf_kind put_source(struct log_page *page, const struct filter *filter)
{
    struct rf_buf *out = &page->query;
    if (page->kind->source != NULL)
        rf_buf_str(out, rf_str_of(page->kind->source));
    else if (filter != NULL && filter_names(filter, "signInEventTypes"))
        rf_buf_str(out, rf_str_of(every_sign_in));
    else
        rf_buf_str(out, rf_str_of(interactive));
    return RF_OK;
}

static enum rf_kind put_filter(struct log_page *page, struct rf_err *err)
{
    bool found;
    struct filter *filter = NULL;
    rf_str text = graph_option(page->call, "$filter", &found);
    if (found) RF_TRY(filter_parse(text, page->call->arena, &filter, err));
    RF_TRY(put_source(page, filter));
    if (filter == NULL) return RF_OK;
    rf_buf_str(&page->query, RF_S(" | where "));
    return filter_kql(filter, page->kind->columns, page->kind->column_count, &page->query, err);
}

/* Behind the last row of the page before: its time, and its id among those of the same time. */
static enum rf_kind put_after(struct log_page *page, struct rf_err *err)
{
    bool found;
    struct rf_err ignored;
    struct json_node *token = NULL;
    rf_str text = graph_option(page->call, "$skiptoken", &found), json;
    rf_usec time;
    if (!found) return RF_OK;
    bool good = text.len <= 1024 &&
                base64url_decode(page->call->arena, text, &json, &ignored) == RF_OK &&
                json_parse(json, page->call->arena, &token, &ignored) == RF_OK;
    rf_str at = json_text_at(token, "at"), id = json_text_at(token, "id");
    if (!good || !time_parse_iso(at, &time) || id.len > 128)
        return RF_FAIL(err, RF_INVALID, "Directory_ExpiredPageToken",
                       "The specified page token value has expired and can no longer be included "
                       "in your request.");
    const char *sign = page->ascending ? ">" : "<";
    for (size_t i = 0; i < at.len; i++)
        if (!rf_is_alnum(at.ptr[i]) && strchr(":.-", at.ptr[i]) == NULL) at.len = 0;
    rf_buf_printf(
        &page->query,
        " | where TimeGenerated %s datetime(%.*s) or (TimeGenerated == datetime(%.*s) and "
        "strcmp(Id, ",
        sign, RF_FMT(at), RF_FMT(at));
    json_put_string(&page->query, id);
    rf_buf_printf(&page->query, ") %s 0)", sign);
    return RF_OK;
}

/* ---- the answer -------------------------------------------------------------------------------------------------------------------- */

static rf_str next_link(const struct log_page *page, rf_str at, rf_str id)
{
    const struct request *request = page->call->request;
    struct rf_arena *arena = page->call->arena;
    struct rf_buf buf = rf_buf_in(arena);
    struct json_node *token = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, token, "at", at);
    if (json_set_text(arena, token, "id", id) == NULL) return (rf_str){0};
    rf_buf_printf(&buf, "%.*s%.*s?", RF_FMT(request->origin), RF_FMT(page->call->path));
    for (uint32_t i = 0; i < request->parameter_count; i++) {
        rf_str name = request->parameters[i].name;
        bool dollar = rf_str_starts(name, RF_S("$"));
        rf_str bare = dollar ? rf_slice(name, 1, name.len) : name;
        if (rf_str_eq_nocase(bare, RF_S("skiptoken"))) continue;
        rf_buf_printf(&buf, "%s%.*s=%.*s&", dollar ? "$" : "", RF_FMT(percent_encode(arena, bare)),
                      RF_FMT(percent_encode(arena, request->parameters[i].value)));
    }
    rf_str text = json_to_text(arena, token);
    if (text.ptr == NULL) return text;
    rf_buf_printf(&buf, "$skiptoken=%.*s", RF_FMT(base64url_encode(arena, text)));
    return buf.failed ? (rf_str){0} : rf_buf_view(&buf);
}

static enum rf_kind ask_tables(struct log_page *page, struct answer *out, struct ask_view **view,
                               struct rf_err *err)
{
    const struct identity_options *options = &page->call->identity->options;
    if (options->tables == NULL)
        return request_fail(page->call->request, err, 503, "ServiceNotAvailable",
                            "The tables of this server are not open.");
    if (page->query.failed) return graph_memory(page->call, err);
    rf_str workspace = options->site->workspace_id;
    RF_TRY(ask_open(options->tables, workspace, workspace, NULL, 0, view, err));
    const struct ask ask = {.text = rf_buf_view(&page->query),
                            .now_ticks = DATETIME_UNIX_EPOCH +
                                         page->call->request->now * TICKS_PER_MICROSECOND,
                            .memory_bytes = LOG_BYTES_MAX};
    return ask_run(*view, &ask, page->call->arena, out, err);
}

static enum rf_kind answer_page(struct log_page *page, const struct answer *answer, bool single,
                                struct rf_err *err)
{
    struct rf_arena *arena = page->call->arena;
    struct json_node *root = json_new(arena, JSON_T_OBJECT), *list = json_new(arena, JSON_T_ARRAY);
    uint64_t count = rows_count(answer->rows);
    if (root == NULL || list == NULL) return graph_memory(page->call, err);
    for (uint64_t row = 0; row < RF_MIN(count, (uint64_t)page->top); row++) {
        struct json_node *doc;
        RF_TRY(json_parse(rows_value(answer->rows, row, 2).s, arena, &doc, err));
        graph_select(page->call, doc);
        json_append(list, doc);
    }
    if (single) {
        if (list->first == NULL) return graph_not_found(page->call->ids[0], err);
        json_set_text(arena, list->first, "@odata.context",
                      rf_arena_printf(arena, "%.*s/$entity",
                                      RF_FMT(graph_context(page->call, page->kind->set))));
        page->call->answer = list->first;
        return RF_OK;
    }
    json_set_text(arena, root, "@odata.context", graph_context(page->call, page->kind->set));
    if (count > page->top) {
        rf_str at = rows_value(answer->rows, page->top - 1, 0).s,
               id = rows_value(answer->rows, page->top - 1, 1).s, link = next_link(page, at, id);
        if (link.ptr == NULL) return graph_memory(page->call, err);
        json_set_text(arena, root, "@odata.nextLink", link);
    }
    if (json_set(arena, root, RF_S("value"), list) == NULL) return graph_memory(page->call, err);
    page->call->answer = root;
    return RF_OK;
}

static enum rf_kind run(struct log_page *page, bool single, struct rf_err *err)
{
    struct ask_view *view = NULL;
    struct answer answer;
    const char *way = page->ascending ? "asc" : "desc";
    rf_buf_printf(&page->query, " | sort by TimeGenerated %s, Id %s | take %u | %s", way, way,
                  page->top + 1, page->kind->shape);
    enum rf_kind kind = ask_tables(page, &answer, &view, err);
    if (kind == RF_OK) kind = answer_page(page, &answer, single, err);
    ask_close(view);
    return kind;
}

static enum rf_kind list(struct graph_call *call, const struct log_kind *kind, struct rf_err *err)
{
    struct log_page page = {.call = call, .kind = kind, .query = rf_buf_in(call->arena)};
    RF_TRY(read_top(&page, err));
    RF_TRY(read_order(&page, err));
    RF_TRY(put_filter(&page, err));
    RF_TRY(put_after(&page, err));
    return run(&page, false, err);
}

static enum rf_kind get(struct graph_call *call, const struct log_kind *kind, struct rf_err *err)
{
    struct log_page page = {.call = call, .kind = kind, .top = 1, .query = rf_buf_in(call->arena)};
    rf_buf_str(&page.query, rf_str_of(kind->source == NULL ? every_sign_in : kind->source));
    rf_buf_str(&page.query, RF_S(" | where Id == "));
    json_put_string(&page.query, call->ids[0]);
    return run(&page, true, err);
}

static enum rf_kind list_sign_ins(struct graph_call *call, struct rf_err *err)
{
    return list(call, &sign_ins, err);
}
static enum rf_kind get_sign_in(struct graph_call *call, struct rf_err *err)
{
    return get(call, &sign_ins, err);
}
static enum rf_kind list_audits(struct graph_call *call, struct rf_err *err)
{
    return list(call, &directory_audits, err);
}
static enum rf_kind get_audit(struct graph_call *call, struct rf_err *err)
{
    return get(call, &directory_audits, err);
}

static enum rf_kind list_detections(struct graph_call *call, struct rf_err *err)
{
    return list(call, &risk_detections, err);
}
static enum rf_kind get_detection(struct graph_call *call, struct rf_err *err)
{
    return get(call, &risk_detections, err);
}

#define RISK_READ "IdentityRiskEvent.Read.All"
#define LOG_READ "AuditLog.Read.All"
const struct graph_route graph_log_routes[] = {
    {HTTP_GET, 0, "auditLogs/signIns", LOG_READ, list_sign_ins, NULL},
    {HTTP_GET, 0, "auditLogs/signIns/{}", LOG_READ, get_sign_in, NULL},
    {HTTP_GET, 0, "auditLogs/directoryAudits", LOG_READ, list_audits, NULL},
    {HTTP_GET, 0, "auditLogs/directoryAudits/{}", LOG_READ, get_audit, NULL},
    {HTTP_GET, 0, "identityProtection/riskDetections", RISK_READ, list_detections, NULL},
    {HTTP_GET, 0, "identityProtection/riskDetections/{}", RISK_READ, get_detection, NULL},
    {.path = NULL},
};
