/* http_est.c - enrolment of devices over HTTPS, after EST (RFC 7030, 4.1 and 4.2; RFC 8951).
 *
 *   GET  /.well-known/est[/{namespace}]/cacerts          the authority over devices
 *   POST /.well-known/est[/{namespace}]/simpleenroll     PKCS #10; HTTP Basic: the device's name and its one-time code
 *   POST /.well-known/est[/{namespace}]/simplereenroll   PKCS #10; the TLS client shows the certificate that is to be followed
 *
 * Answers are a PKCS #7 in base64, or PEM, the authority behind the certificate, for whoever accepts "application/x-pem-file". */
#include "authz/activity.h"
#include "base/encode.h"
#include "crypt/x509.h"
#include "hub/devices_int.h"
#include "hub/http_int.h"

#define PEM_TYPE "application/x-pem-file"

bool est_is_route(const struct route *route)
{
    return route != NULL && strncmp(route->path, EST_PATH, sizeof EST_PATH - 1) == 0;
}

void est_error(struct request *request, const struct rf_err *err)
{
    struct http_response *response = request->response;
    http_set_literal(response, "Content-Type", "text/plain; charset=utf-8");
    if (request->fail_status == 401)
        http_set_literal(response, "WWW-Authenticate",
                         "Basic realm=\"devices\", charset=\"UTF-8\"");
    rf_buf_printf(&response->body, "%s: %s\n", err->code, err->text);
}

static enum rf_kind find_space(struct request *request, struct hub_namespace **out,
                               struct rf_err *err)
{
    rf_str name = request_variable(request, "namespace");
    if (name.len > 0) return hubs_namespace_named(request->service, name, out, err);
    return hub_request_space(request, out, err);
}

/* ---- answers ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind answer_pem(struct request *request, const rf_str *ders, uint32_t count,
                               struct rf_err *err)
{
    http_set_literal(request->response, "Content-Type", PEM_TYPE);
    for (uint32_t i = 0; i < count; i++) {
        rf_str pem = cert_pem(request->arena, ders[i]);
        if (pem.ptr == NULL) return rf_fail_memory(err, request->arena);
        rf_buf_str(&request->response->body, pem);
    }
    return RF_OK;
}

/* `count` certificates of which the first `asked` are what was asked for; the others made them. */
static enum rf_kind answer(struct request *request, const rf_str *ders, uint32_t asked,
                           uint32_t count, struct rf_err *err)
{
    enum { LINE_BYTES = 64 };
    rf_str der, accept = http_header(request->http, "Accept", NULL);
    if (rf_str_find(accept, RF_S(PEM_TYPE), 0) != SIZE_MAX)
        return answer_pem(request, ders, count, err);
    RF_TRY(certs_pkcs7(ders, asked, request->arena, &der, err));
    rf_str text = base64_encode(request->arena, der);
    if (text.ptr == NULL) return rf_fail_memory(err, request->arena);
    http_set_literal(request->response, "Content-Type",
                     "application/pkcs7-mime; smime-type=certs-only");
    http_set_literal(request->response, "Content-Transfer-Encoding", "base64");
    for (size_t at = 0; at < text.len; at += LINE_BYTES) {
        rf_buf_str(&request->response->body, rf_slice(text, at, RF_MIN(text.len, at + LINE_BYTES)));
        rf_buf_byte(&request->response->body, '\n');
    }
    return RF_OK;
}

enum rf_kind est_run_authority(struct request *request, struct rf_err *err)
{
    const struct hub_types *types = hub_types_of(request->service);
    if (types == NULL || types->authority.len == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "NoAuthority",
                       "This installation has no authority over devices.");
    return answer(request, &types->authority, 1, 1, err);
}

/* ---- enrolling -------------------------------------------------------------------------------------------------------- */

/* RFC 7617: base64 of "name:code". */
static enum rf_kind basic_login(struct request *request, rf_str *name, rf_str *code,
                                struct rf_err *err)
{
    rf_str header = http_header(request->http, "Authorization", NULL), basic = RF_S("Basic "), text;
    size_t colon = SIZE_MAX;
    if (header.len > basic.len && rf_str_eq_nocase(rf_slice(header, 0, basic.len), basic) &&
        base64_decode(request->arena, rf_str_trim(rf_slice(header, basic.len, header.len)), &text,
                      NULL) == RF_OK)
        colon = rf_str_find(text, RF_S(":"), 0);
    if (colon == SIZE_MAX)
        return RF_FAIL(err, RF_DENIED, "EnrolmentRefused",
                       "HTTP Basic is needed: the device's name and its enrolment code.");
    *name = rf_slice(text, 0, colon);
    *code = rf_slice(text, colon + 1, text.len);
    if (device_name_is_good(*name) && code->len > 0) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "EnrolmentRefused",
                   "The user of HTTP Basic must be a device's name, and its password a code.");
}

/* Refusals are told; they are 401 also when the device is not there. */
static enum rf_kind refuse(struct request *request, struct hub_namespace *space, rf_str name,
                           enum rf_kind kind, struct rf_err *err)
{
    if (kind == RF_CONFLICT) kind = err->kind = RF_DENIED;
    if (kind != RF_DENIED) return kind;
    request->fail_status = 401;
    hub_note_denial(space, "enrolment", name, (rf_str){0}, err);
    return kind;
}

/* Operators' doings leave rows of their own. */
static void note_activity(struct request *request, const struct hub_namespace *space,
                          const struct device_issued *issued, const struct device_leave *leave)
{
    struct cert_info info;
    if (cert_read(issued->der, request->arena, &info, NULL) != RF_OK) return;
    struct activity activity = {.action = leave->code.len > 0 ? RF_S(DEVICES_TYPE "/enrol/action")
                                                              : RF_S(DEVICES_TYPE "/renew/action"),
                                .resource_id = device_id(space, issued->name, request->arena),
                                .status = 200,
                                .more_json = rf_arena_printf(
                                    request->arena, "\"device\":\"%.*s\",\"serialNumber\":\"%.*s\"",
                                    RF_FMT(issued->name), RF_FMT(info.serial))};
    activity_write(request, &activity);
}

static enum rf_kind enrol(struct request *request, struct hub_namespace *space, rf_str name,
                          const struct device_leave *leave, struct rf_err *err)
{
    struct device_issued issued;
    enum rf_kind kind =
        device_enrol(space, name, request->http->body, leave, request->arena, &issued, err);
    if (kind != RF_OK) return refuse(request, space, name, kind, err);
    note_activity(request, space, &issued, leave);
    rf_str both[] = {issued.der, issued.authority};
    return answer(request, both, 1, RF_COUNT(both), err);
}

enum rf_kind est_run_enrol(struct request *request, struct rf_err *err)
{
    struct hub_namespace *space;
    struct device_leave leave = {.principal = NULL};
    rf_str name = {0};
    RF_TRY(find_space(request, &space, err));
    enum rf_kind kind = basic_login(request, &name, &leave.code, err);
    if (kind != RF_OK) return refuse(request, space, name, kind, err);
    return enrol(request, space, name, &leave, err);
}

enum rf_kind est_run_renew(struct request *request, struct rf_err *err)
{
    struct hub_namespace *space;
    struct hub_grant grant;
    struct device_leave leave = {.principal = NULL};
    RF_TRY(find_space(request, &space, err));
    if (request->http->client_certificate.len == 0) {
        (void)rf_fail(err, RF_DENIED, "EnrolmentRefused",
                      "The TLS client must show the certificate that is to be followed.");
        return refuse(request, space, (rf_str){0}, RF_DENIED, err);
    }
    enum rf_kind kind = hub_grant_certificate(space, request->http->client_certificate,
                                              request->arena, &grant, err);
    if (kind == RF_DENIED) request->fail_status = 401; /* its row is written */
    RF_TRY(kind);
    if (grant.rule_hub.len > 0) {
        (void)rf_fail(err, RF_DENIED, "EnrolmentRefused",
                      "The certificate is of another authority; have that one renew it.");
        return refuse(request, space, grant.name, RF_DENIED, err);
    }
    leave.serial = grant.serial;
    return enrol(request, space, grant.name, &leave, err);
}
