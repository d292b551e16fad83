#include "vault/call_int.h"

#include "base/log.h"
#include "vault/approval_int.h"
#include "vault/database_int.h"
#include "vault/report_int.h"

enum { BODY_BYTES_MAX = 1 << 20 };

/* ---- a request as a call ---------------------------------------------------------------------------------------- */

/* What came to the portal's way to a vault goes on as if it had come to the vault's own host. False: no memory. */
static bool take_portal_way(struct request *request)
{
    rf_str vault, rest;
    if (!vault_portal_way(request->http, &vault, &rest)) return true;
    struct http_request *http = rf_arena_new(request->arena, struct http_request, 1);
    rf_str host = rf_arena_printf(request->arena, "%.*s.vault.%.*s:%u", RF_FMT(vault),
                                  RF_FMT(request->site->domain), request->site->port);
    if (http == NULL || host.ptr == NULL) return false;
    *http = *request->http;
    http->host = host;
    http->path = rest;
    request->http = http;
    return true;
}

struct vault_call *vault_call_new(struct request *request)
{
    struct vault_call *call = rf_arena_new(request->arena, struct vault_call, 1);
    if (!take_portal_way(request)) return NULL;
    rf_str base =
        rf_arena_printf(request->arena, "%s://%.*s", request->http->is_tls ? "https" : "http",
                        RF_FMT(request->http->host));
    if (call == NULL || base.ptr == NULL) return NULL;
    *call = (struct vault_call){.vaults = request->service,
                                .request = request,
                                .arena = request->arena,
                                .base = base,
                                .token = request->token,
                                .now = request->now / RF_USEC_PER_SECOND};
    return call;
}

enum rf_kind vault_call_place(struct vault_call *call, struct rf_err *err)
{
    rf_str vault = {0}, domain;
    (void)site_vault_host(call->request->http->host, &vault, &domain);
    return vault_place_find(call->vaults, NULL, vault, call->arena, &call->place, err);
}

static enum rf_kind read_api(struct vault_call *call, struct rf_err *err)
{
    bool there;
    rf_str text = request_parameter(call->request, "api-version", &there);
    if (!there || text.len == 0) return vault_bad(call, err, "api-version must be specified");
    call->api = vault_api_of(text);
    if (call->api != VAULT_API_OTHER) return RF_OK;
    return vault_bad(call, err,
                     "The specified version (%.*s) is not recognized. Consider using 7.6 or "
                     "2025-07-01.",
                     (int)RF_MIN(text.len, 64), (const char *)text.ptr);
}

static void set_allow(struct vault_call *call, unsigned methods)
{
    struct rf_buf buf = rf_buf_in(call->arena);
    for (unsigned m = 0; m < HTTP_METHOD_COUNT; m++)
        if (methods & 1u << m)
            rf_buf_printf(&buf, "%s%s", buf.len == 0 ? "" : ", ",
                          http_method_name((enum http_method)m));
    http_set(call->request->response, "Allow", rf_buf_view(&buf));
}

static enum rf_kind find_operation(struct vault_call *call, struct rf_err *err)
{
    const struct vault_table tables[] = {
        {vault_secret_operations, vault_secret_operation_count},
        {vault_key_operations, vault_key_operation_count},
        {vault_certificate_operations, vault_certificate_operation_count},
        {vault_approval_operations, vault_approval_operation_count},
        {vault_database_operations, vault_database_operation_count}};
    const struct http_request *http = call->request->http;
    struct vault_match match;
    RF_TRY(vault_match_path(tables, RF_COUNT(tables), http->method, http->path, call->arena, &match,
                            err));
    if (match.operation == NULL && match.methods != 0) {
        set_allow(call, match.methods);
        return vault_fail(call, err, 405, "MethodNotAllowed", NULL,
                          "The HTTP method %s is not supported here.",
                          http_method_name(http->method));
    }
    if (match.operation == NULL)
        return vault_fail(call, err, 404, "NotFound", NULL, "The resource was not found.");
    call->operation = match.operation;
    call->name = match.name;
    call->version = match.version;
    call->sub = match.sub;
    return RF_OK;
}

/* ---- the route -------------------------------------------------------------------------------------------------- */

/* All that comes before the body. It says by itself who may, as a vault has roles or policies, and either of two actions may do. */
static enum rf_kind resolve(struct request *request, struct route_need *need, struct rf_err *err)
{
    struct vault_call *call = vault_call_new(request);
    if (call == NULL) return rf_fail_memory(err, request->arena);
    request->prepared = call;
    RF_TRY(vault_call_place(call, err));
    RF_TRY(vault_check_network(call, err));
    RF_TRY(read_api(call, err));
    RF_TRY(find_operation(call, err));
    RF_TRY(vault_check_access(call, need, err));
    need->is_open_to_members = true;
    return RF_OK;
}

static enum rf_kind run_operation(struct vault_call *call, struct rf_err *err)
{
    struct json_node *body;
    bool reads = (call->operation->flags & VAULT_NO_BODY) == 0;
    bool is_large = (call->operation->flags & VAULT_LARGE_BODY) != 0;
    if (!is_large && call->request->http->body.len > BODY_BYTES_MAX)
        return vault_fail(call, err, 413, "RequestEntityTooLarge", NULL,
                          "The body of this request may have %d bytes.", BODY_BYTES_MAX);
    RF_TRY(
        vault_read_body(reads ? call->request->http->body : (rf_str){0}, call->arena, &body, err));
    call->body = body;
    return call->operation->run(call, err);
}

static enum rf_kind run(struct request *request, struct rf_err *err)
{
    struct vault_call *call = request->prepared;
    vault_set_headers(request, &call->place);
    enum rf_kind kind = run_operation(call, err);
    /* A full disk is nothing that the request could make smaller. */
    if (kind == RF_LIMIT && err->code != NULL && strcmp(err->code, "DiskFull") == 0)
        request->fail_status = 503;
    RF_TRY(kind);
    kind = vault_audit(call, request->response->status, NULL, err);
    if (kind == RF_OK) vault_activity_note(call);
    if (kind == RF_OK) return RF_OK;
    rf_log(RF_ERROR, "vault.audit_failed", RF_KV_STR("code", rf_str_of(err->code)),
           RF_KV_STR("text", rf_str_of(err->text)));
    return vault_fail(call, err, 503, "ServiceUnavailable", NULL,
                      "The audit log cannot be written: try again later.");
}

/* The methods are of no account: see dispatcher_add_claiming. */
const struct route vault_routes[VAULT_ROUTE_COUNT] = {
    [VAULT_ROUTE_ANY] = {.method = HTTP_GET,
                         .path = "/{path*}",
                         .access = ROUTE_RESOLVE,
                         .audiences = AUDIENCE_VAULT,
                         .resolve = resolve,
                         .run = run,
                         .lane = HTTP_QUICK,
                         .body_bytes_max = BODY_BYTES_MAX},
    [VAULT_ROUTE_RESTORE] = {.method = HTTP_POST,
                             .path = "/{collection}/restore",
                             .access = ROUTE_RESOLVE,
                             .audiences = AUDIENCE_VAULT,
                             .resolve = resolve,
                             .run = run,
                             .lane = HTTP_QUICK,
                             .body_bytes_max = VAULT_RESTORE_BODY_MAX},
};
