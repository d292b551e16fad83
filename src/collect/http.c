/* http.c - the routes of senders over HTTP. Each checks first who sends: a token of the directory with the data action
 * Microsoft.Insights/Telemetry/Write at the workspace, as the Logs Ingestion API wants it at its rule, or the secret of a
 * Ringfort.Collect/tokens resource. What is answered with success is durable. */
#include "base/encode.h"
#include "collect/http_int.h"

enum { CALL_BYTES_MAX = 512 << 20, SECRET_BYTES_MAX = 256 };

#define WRITE_ACTION RF_S("Microsoft.Insights/Telemetry/Write")

/* ---- who sends ------------------------------------------------------------------------------------------------------------- */

/* The secret behind "Splunk ", "Bearer " or in "Basic ", or in a header of its own. */
static rf_str find_secret(struct request *request)
{
    static const char *const schemes[] = {"Splunk ", "Bearer ", "Token "};
    rf_str header = http_header(request->http, "Authorization", NULL), basic = RF_S("Basic "), text;
    rf_str own = http_header(request->http, "X-Ringfort-Token", NULL);
    if (own.len > 0) return own;
    for (size_t i = 0; i < RF_COUNT(schemes); i++) {
        rf_str scheme = rf_str_of(schemes[i]);
        if (header.len > scheme.len && rf_str_eq_nocase(rf_slice(header, 0, scheme.len), scheme))
            return rf_str_trim(rf_slice(header, scheme.len, header.len));
    }
    if (header.len <= basic.len || !rf_str_eq_nocase(rf_slice(header, 0, basic.len), basic) ||
        base64_decode(request->arena, rf_str_trim(rf_slice(header, basic.len, header.len)), &text,
                      NULL) != RF_OK)
        return (rf_str){0};
    size_t colon = rf_str_find(text, RF_S(":"), 0);
    return colon == SIZE_MAX ? RF_S("") : rf_slice(text, colon + 1, text.len);
}

/* A refusal: counted by address, and told in the shape of the service. */
static enum rf_kind refuse(struct call *call, uint16_t status, const char *code, const char *why,
                           struct rf_err *err)
{
    struct collect *collect = call->collect;
    struct health_source who = {.protocol = call->who.protocol,
                                .source = call->request->http->peer_address,
                                .workspace = collect->options.site->workspace_id};
    health_add(collect->health, &who, &(struct health_counts){.refused = 1}, why,
               call->request->now);
    if (status == 401)
        http_set_literal(call->request->response, "WWW-Authenticate", "Bearer, Splunk");
    return request_fail(call->request, err, status, code, "%s", why);
}

static enum rf_kind admit_principal(struct call *call, struct rf_err *err)
{
    struct request *request = call->request;
    bool given;
    rf_str reference = http_header(request->http, "X-Ringfort-Workspace", &given);
    if (!given) reference = request_parameter(request, "workspace", &given);
    if (!given) reference = request->site->workspace_id;
    const struct collect_workspace *workspace = sources_workspace(call->sources, reference);
    /* Whether a workspace is there is told to those who may write to it only. */
    if (workspace == NULL || !request_may(request, WRITE_ACTION, workspace->id, true))
        return refuse(
            call, 403, "AuthorizationFailed",
            "The caller may not write to this workspace: it needs the role Monitoring "
            "Metrics Publisher, and the header X-Ringfort-Workspace must name a workspace.",
            err);
    call->route = (struct sink_route){.workspace = workspace->guid};
    call->who.source = principal_caller(request->principal);
    call->who.listener = RF_S("(directory)");
    call->who.workspace = workspace->guid;
    return RF_OK;
}

static enum rf_kind admit_token(struct call *call, enum collect_use use, struct rf_err *err)
{
    rf_str secret = find_secret(call->request);
    if (secret.len == 0)
        return refuse(
            call, 401, "TokenRequired",
            "Authorization is missing: a bearer token of the directory, or the secret of a "
            "Ringfort.Collect/tokens resource.",
            err);
    const struct collect_token *token =
        secret.len > SECRET_BYTES_MAX ? NULL : sources_token(call->sources, secret);
    if (token == NULL) return refuse(call, 401, "InvalidToken", "The token is not valid.", err);
    if (!token->enabled) return refuse(call, 403, "TokenDisabled", "The token is disabled.", err);
    if ((token->uses & use) == 0)
        return refuse(call, 403, "TokenUse", "The token is not for this kind of data.", err);
    call->route = token->route;
    call->who.listener = token->name;
    call->who.source = call->request->http->peer_address;
    call->who.workspace = token->route.workspace;
    return RF_OK;
}

void call_done(struct call *call)
{
    sources_unref(call->sources);
    rf_arena_done(&call->arena);
}

enum rf_kind call_begin(struct request *request, enum collect_use use, const char *protocol,
                        struct call *call, struct rf_err *err)
{
    struct collect *collect = request->service;
    *call = (struct call){.collect = collect, .request = request, .who = {.protocol = protocol}};
    rf_arena_init(&call->arena, CALL_BYTES_MAX);
    call->sources = collect_sources(collect);
    call->rows = rowset_in(&call->arena);
    enum rf_kind kind =
        request->principal != NULL ? admit_principal(call, err) : admit_token(call, use, err);
    return kind;
}

struct line_source call_line_source(const struct call *call)
{
    return (struct line_source){.now = call->request->now,
                                .peer = call->request->http->peer_address,
                                .collector = call->collect->options.site->domain,
                                .columns = &call->collect->events};
}

/* ---- storing --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind busy(struct call *call, const struct rf_err *inner, struct rf_err *err)
{
    http_set_literal(call->request->response, "Retry-After", "5");
    return request_fail(call->request, err, 503, "ServiceUnavailable", "%s", inner->text);
}

void call_note(struct call *call, const char *error)
{
    health_add(call->collect->health, &call->who, &call->counts, error, call->request->now);
}

enum rf_kind call_failed(struct call *call, enum rf_kind kind, struct rf_err *err)
{
    if (kind == RF_OK || call->who.workspace.len == 0 || call->request->fail_status != 0)
        return kind;
    struct rf_err inner = *err;
    call->counts = (struct health_counts){.rejected = 1};
    call_note(call, inner.text);
    if (kind == RF_LIMIT && !call->is_storing)
        return request_fail(call->request, err, 413, "PayloadTooLarge",
                            "The body is too large or too deep: send less at once. %s", inner.text);
    return kind == RF_LIMIT || kind == RF_AGAIN || kind == RF_CONFLICT ? busy(call, &inner, err)
                                                                       : kind;
}

enum rf_kind call_store(struct call *call, struct rf_err *err)
{
    if (rowset_failed(&call->rows)) return rf_fail_memory(err, &call->arena);
    call->is_storing = true;
    RF_TRY(
        sink_append_set(&call->collect->sink, &call->route, &call->rows, call->request->now, err));
    call->counts.rows = rowset_count(&call->rows);
    call->counts.bytes = call->request->http->body.len;
    call_note(call, call->problem);
    return RF_OK;
}

bool request_is_type(const struct request *request, const char *wanted)
{
    rf_str type = http_header(request->http, "Content-Type", NULL);
    for (size_t i = 0; i < type.len; i++)
        if (type.ptr[i] == ';') type.len = i;
    return rf_str_eq_nocase(rf_str_trim(type), rf_str_of(wanted));
}

/* ---- Windows events, lines ------------------------------------------------------------------------------------------------------ */

static enum rf_kind take_windows(struct call *call, struct json_node *record, struct rf_err *err)
{
    return winevent_read_json(record, &call->collect->events, &call->arena, &call->rows, err);
}

static enum rf_kind windows_call(struct call *call, struct rf_err *err)
{
    rf_str body = call->request->http->body, trimmed = rf_str_trim(body);
    bool is_xml =
        rf_str_starts(trimmed, RF_S("<")) || rf_str_starts(trimmed, RF_S("\xef\xbb\xbf<"));
    RF_TRY(is_xml
               ? winevent_read_xml(trimmed, &call->collect->events, &call->arena, &call->rows, err)
               : call_each_record(call, body, take_windows, err));
    RF_TRY(call_store(call, err));
    return call_answer_count(call);
}

static enum rf_kind syslog_call(struct call *call, struct rf_err *err)
{
    rf_str body = call->request->http->body;
    struct line_source source = call_line_source(call);
    for (size_t from = 0; from < body.len;) {
        const char *problem = NULL;
        size_t end = RF_MIN(rf_str_find(body, RF_S("\n"), from), body.len);
        rf_str line = rf_slice(body, from, end);
        from = end + 1;
        while (line.len > 0 && line.ptr[line.len - 1] == '\r') line.len--;
        if (rf_str_trim(line).len == 0) continue;
        line_put(&source, line, &call->arena, &call->rows, &problem);
        if (problem == NULL) continue;
        call->problem = problem;
        call->counts.rejected++;
    }
    RF_TRY(call_store(call, err));
    return call_answer_count(call);
}

enum rf_kind call_run(struct request *request, enum collect_use use, const char *protocol,
                      enum rf_kind (*run)(struct call *call, struct rf_err *err),
                      struct rf_err *err)
{
    struct call call;
    enum rf_kind kind = call_begin(request, use, protocol, &call, err);
    if (kind == RF_OK) kind = call_failed(&call, run(&call, err), err);
    call_done(&call);
    return kind;
}

static enum rf_kind run_windows(struct request *request, struct rf_err *err)
{
    return call_run(request, USE_WINDOWS, "windows-events", windows_call, err);
}
static enum rf_kind run_syslog(struct request *request, struct rf_err *err)
{
    return call_run(request, USE_SYSLOG, "syslog-http", syslog_call, err);
}

/* ---- routes ------------------------------------------------------------------------------------------------------------------- */

static const struct route json_routes[] = {
    COLLECT_ROUTE(HTTP_POST, "/collect/tables/{table}", run_tables),
    COLLECT_ROUTE(HTTP_POST, "/collect/windows-events", run_windows),
    COLLECT_ROUTE(HTTP_POST, "/collect/syslog", run_syslog),
};

void collect_http_services(struct collect *collect)
{
    http_otlp_service(&collect->services[0]);
    http_hec_service(&collect->services[1]);
    collect->services[2] = (struct service){
        .name = "collect", .routes = json_routes, .route_count = RF_COUNT(json_routes)};
    for (size_t i = 0; i < RF_COUNT(collect->services); i++) {
        collect->services[i].ctx = collect;
        collect->service_list[i] = &collect->services[i];
    }
}
