/* authority_routes.c - what everybody may fetch of an issuer's authorities: certificates, revocation lists, OCSP answers. No token, and no network rules of the
 * vault: who checks a certificate is nobody that the vault knows. */
#include "base/encode.h"
#include "vault/authority_int.h"
#include "vault/call_int.h"

enum {
    LIST_SECONDS = 60,
    CER_SECONDS = 3600,
    BASE64_BYTES_MAX = (OCSP_REQUEST_BYTES_MAX + 2) / 3 * 4
};
#define PATH "/pki/{vault}/{issuer}"
#define PUBLIC "what clients need to check a certificate is for everybody (RFC 5280, RFC 6960)"

static enum rf_kind answer(struct request *request, const char *type, rf_str body, int64_t max_age,
                           struct rf_err *err)
{
    struct http_response *response = request->response;
    http_set_literal(response, "Content-Type", type);
    if (max_age == 0)
        http_set_literal(response, "Cache-Control", "no-store");
    else
        http_setf(response, "Cache-Control", "public, max-age=%lld", (long long)max_age);
    rf_buf_str(&response->body, body);
    return response->body.failed ? rf_fail_memory(err, request->arena) : RF_OK;
}

/* ---- certificates, lists ------------------------------------------------------------------------------------------------------ */

static enum rf_kind no_file(struct request *request, rf_str file, struct rf_err *err)
{
    return request_fail(request, err, 404, "NotFound",
                        "There is no '%.*s' here: ask for ca.cer, intermediate.cer, crl, root.crl, "
                        "or what a certificate names.",
                        (int)RF_MIN(file.len, 64), (const char *)file.ptr);
}

/* "12" of "12.crl". */
static bool read_number(rf_str text, uint32_t *out)
{
    uint32_t number = 0;
    if (text.len == 0 || text.len > 6 || (text.ptr[0] == '0' && text.len > 1)) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i])) return false;
        number = number * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    *out = number;
    return true;
}

struct file {
    bool is_list, is_newest;
    uint32_t number;
};

static bool read_file(rf_str name, struct file *out)
{
    rf_str ends[] = {RF_S(".cer"), RF_S(".crl")};
    *out = (struct file){.is_list = rf_str_is(name, "crl") || rf_str_is(name, "root.crl")};
    out->is_newest = rf_str_is(name, "crl") || rf_str_is(name, "intermediate.cer");
    if (out->is_newest || out->is_list || rf_str_is(name, "ca.cer")) return true;
    for (size_t i = 0; i < RF_COUNT(ends); i++)
        if (rf_str_ends(name, ends[i])) {
            out->is_list = i == 1;
            return read_number(rf_slice(name, 0, name.len - ends[i].len), &out->number);
        }
    return false;
}

static enum rf_kind run_file(struct request *request, struct rf_err *err)
{
    struct vault_call call;
    struct authority authority;
    struct authority_signer signer;
    struct authority_list list;
    struct file file;
    rf_str name = request_variable(request, "file"), issuer = request_variable(request, "issuer");
    if (!read_file(name, &file)) return no_file(request, name, err);
    RF_TRY(authority_call(request->service, request_variable(request, "vault"), request->arena,
                          &call, err));
    RF_TRY(authority_load(&call, issuer, &authority, err));
    if (file.is_newest) file.number = authority.issuing.number;
    if (!file.is_list) {
        RF_TRY(authority_signer(&call, &authority, file.number, &signer, err));
        return answer(request, "application/pkix-cert", signer.der, CER_SECONDS, err);
    }
    RF_TRY(authority_crl(&call, issuer, file.number, &list, err));
    http_set(request->response, "Last-Modified",
             time_http(request->arena, list.made * RF_USEC_PER_SECOND));
    return answer(request, "application/pkix-crl", list.der, LIST_SECONDS, err);
}

/* ---- OCSP ------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind answer_ocsp(struct request *request, rf_str vault, rf_str issuer, rf_str asked,
                                bool may_keep, struct rf_err *err)
{
    struct vault_call call;
    rf_str out;
    int64_t max_age;
    RF_TRY(authority_call(request->service, vault, request->arena, &call, err));
    RF_TRY(authority_ocsp(&call, issuer, asked, &out, &max_age, err));
    return answer(request, "application/ocsp-response", out, may_keep ? max_age : 0, err);
}

static enum rf_kind run_ocsp_post(struct request *request, struct rf_err *err)
{
    rf_str type = http_header(request->http, "Content-Type", NULL);
    if (!rf_str_eq_nocase(type, RF_S("application/ocsp-request")))
        return request_fail(request, err, 415, "UnsupportedMediaType",
                            "An OCSP request has the Content-Type application/ocsp-request.");
    return answer_ocsp(request, request_variable(request, "vault"),
                       request_variable(request, "issuer"), request->http->body, false, err);
}

/* "/pki/VAULT/ISSUER/ocsp/REQUEST" in parts, as sent: REQUEST is base64, in which slashes may stand, coded or not (RFC 6960, A.1). */
static bool split_ocsp(rf_str path, rf_str *vault, rf_str *issuer, rf_str *asked)
{
    rf_str parts[4] = {{0}};
    size_t at = 0;
    for (size_t i = 0; i < RF_COUNT(parts); i++) {
        size_t slash =
            at >= path.len || path.ptr[at] != '/' ? SIZE_MAX : rf_str_find(path, RF_S("/"), at + 1);
        if (slash == SIZE_MAX) return false;
        parts[i] = rf_slice(path, at + 1, slash);
        at = slash;
    }
    *vault = parts[1];
    *issuer = parts[2];
    *asked = rf_slice(path, at + 1, path.len);
    return rf_str_eq_nocase(parts[0], RF_S("pki")) && rf_str_eq_nocase(parts[3], RF_S("ocsp"));
}

int authority_ocsp_claim(void *ctx, const struct http_request *head)
{
    rf_str vault, issuer, asked, name, domain;
    (void)ctx;
    bool is_ours = head->method == HTTP_GET && !site_vault_host(head->host, &name, &domain) &&
                   split_ocsp(head->path, &vault, &issuer, &asked);
    return is_ours ? 0 : CLAIM_NONE;
}

static enum rf_kind run_ocsp_get(struct request *request, struct rf_err *err)
{
    rf_str vault, issuer, sent, text, asked = {0};
    struct rf_err ignored;
    if (!split_ocsp(request->http->path, &vault, &issuer, &sent) || sent.len > 3 * BASE64_BYTES_MAX)
        return no_file(request, RF_S("ocsp"), err);
    if (percent_decode(request->arena, sent, false, &text, &ignored) != RF_OK ||
        base64_decode(request->arena, text, &asked, &ignored) != RF_OK)
        asked = (rf_str){0}; /* answered as malformed */
    return answer_ocsp(request, vault, issuer, asked, true, err);
}

/* ---- the service ---------------------------------------------------------------------------------------------------------------------- */

static const struct route routes[] = {
    {.method = HTTP_GET,
     .path = PATH "/{file}",
     .access = ROUTE_OPEN,
     .why_open = PUBLIC,
     .run = run_file},
    {.method = HTTP_POST,
     .path = PATH "/ocsp",
     .access = ROUTE_OPEN,
     .why_open = PUBLIC,
     .run = run_ocsp_post,
     .body_bytes_max = OCSP_REQUEST_BYTES_MAX},
};

static const struct route ocsp_routes[] = {{.method = HTTP_GET,
                                            .path = PATH "/ocsp/{request*}",
                                            .access = ROUTE_OPEN,
                                            .why_open = PUBLIC,
                                            .run = run_ocsp_get}};

void vault_authority_routes_init(struct vaults *vaults)
{
    vaults->pki = (struct service){
        .name = "vault-pki", .ctx = vaults, .routes = routes, .route_count = RF_COUNT(routes)};
    vaults->ocsp = (struct service){.name = "vault-ocsp",
                                    .ctx = vaults,
                                    .routes = ocsp_routes,
                                    .route_count = RF_COUNT(ocsp_routes)};
}

const struct service *authority_service(struct vaults *vaults) { return &vaults->pki; }
const struct service *authority_ocsp_service(struct vaults *vaults) { return &vaults->ocsp; }
