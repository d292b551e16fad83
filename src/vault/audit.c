/* audit.c - the row of each request to a vault, in AZKVAuditLogs and in AzureDiagnostics: which rules read which differs, so both have it.
 *
 * Written straight into a buffer: it stands between a secret and whoever waits for it, some 20,000 times a second. Nothing in a row is of a body but what a
 * handler names as properties, and of those only names that hold no material. */
#include "vault/audit_int.h"

#include "base/encode.h"
#include "base/json.h"

enum {
    ROW_BYTES = 3072, /* of most rows */
    AGENT_BYTES_MAX = 512,
    URI_BYTES_MAX = 2048,
    VERSION_BYTES_MAX = 40
};

rf_str vault_row_cut(rf_str text, size_t bytes_max)
{
    if (text.len <= bytes_max) return text;
    size_t len = bytes_max;
    while (len > 0 && (text.ptr[len] & 0xc0) == 0x80) len--;
    return rf_slice(text, 0, len);
}

/* ---- words ------------------------------------------------------------------------------------------------------------ */

static const char *signature_of(uint16_t status)
{
    static const struct {
        uint16_t status;
        const char *word;
    } words[] = {{200, "OK"},
                 {201, "Created"},
                 {202, "Accepted"},
                 {204, "No Content"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {409, "Conflict"},
                 {412, "Precondition Failed"},
                 {413, "Request Entity Too Large"},
                 {421, "Misdirected Request"},
                 {429, "Too Many Requests"},
                 {503, "Service Unavailable"}};
    for (size_t i = 0; i < RF_COUNT(words); i++)
        if (words[i].status == status) return words[i].word;
    return status < 300 ? "OK" : status < 500 ? "Bad Request" : "Internal Server Error";
}

/* Names of columns need no look for what is to be escaped, which is half of the work with short texts. */
static void put_name(struct json_out *out, const char *name, size_t len)
{
    if (!rf_buf_reserve(out->buf, len + 4)) return;
    if (out->comma) rf_buf_byte(out->buf, ',');
    out->comma = true;
    rf_buf_byte(out->buf, '"');
    rf_buf_put(out->buf, name, len);
    rf_buf_put(out->buf, "\":", 2);
}

static void put_text(struct json_out *out, const char *name, size_t len, rf_str text)
{
    if (text.len == 0) return;
    put_name(out, name, len);
    json_put_string(out->buf, text);
}

static void put_number(struct json_out *out, const char *name, size_t len, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    put_name(out, name, len);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    rf_buf_put(out->buf, digits + at, sizeof digits - at);
}

static void put_truth(struct json_out *out, const char *name, size_t len, bool truth)
{
    put_name(out, name, len);
    rf_buf_str(out->buf, truth ? RF_S("true") : RF_S("false"));
}

/* `name` is a literal; a text that is empty leaves its column out. */
#define PUT_TEXT(out, name, text) put_text(out, name, sizeof(name) - 1, text)
#define PUT_WORD(out, name, word) put_text(out, name, sizeof(name) - 1, rf_str_of(word))
#define PUT_NUMBER(out, name, number) put_number(out, name, sizeof(name) - 1, number)
#define PUT_BOOL(out, name, truth) put_truth(out, name, sizeof(name) - 1, truth)

/* The segment behind `word` of an ARM id. */
static rf_str part_of(rf_str id, const char *word)
{
    size_t len = strlen(word);
    for (size_t at = 0; at + len < id.len; at++) {
        if (id.ptr[at] != '/' || !rf_str_eq_nocase(rf_slice(id, at, at + len), rf_str_of(word)))
            continue;
        size_t end = rf_str_find(id, RF_S("/"), at + len);
        return rf_slice(id, at + len, end == SIZE_MAX ? id.len : end);
    }
    return (rf_str){0};
}

static rf_str last_part(rf_str id)
{
    size_t at = id.len;
    while (at > 0 && id.ptr[at - 1] != '/') at--;
    return rf_slice(id, at, id.len);
}

/* The id of a vault in both casings, and its parts; all empty without one. ARM ids are ASCII but for names of groups, which stay. */
struct place {
    rf_str lower, upper, subscription, group, name; /* subscription lower, the others upper case */
};

static rf_str same_part(rf_str part, rf_str of, rf_str in)
{
    return part.len == 0
               ? part
               : rf_slice(in, (size_t)(part.ptr - of.ptr), (size_t)(part.ptr - of.ptr) + part.len);
}

static bool place_of(rf_str id, struct rf_arena *arena, struct place *out)
{
    uint8_t *lower = rf_arena_raw(arena, uint8_t, id.len + 1);
    uint8_t *upper = rf_arena_raw(arena, uint8_t, id.len + 1);
    if (lower == NULL || upper == NULL) return false;
    for (size_t i = 0; i < id.len; i++) lower[i] = rf_lower(id.ptr[i]);
    for (size_t i = 0; i < id.len; i++) upper[i] = rf_upper(id.ptr[i]);
    *out = (struct place){.lower = rf_str_make(lower, id.len), .upper = rf_str_make(upper, id.len)};
    out->subscription = same_part(part_of(id, "/subscriptions/"), id, out->lower);
    out->group = same_part(part_of(id, "/resourceGroups/"), id, out->upper);
    out->name = last_part(out->upper);
    return true;
}

/* ---- who -------------------------------------------------------------------------------------------------------------- */

#define CLAIM_OID "http://schemas.microsoft.com/identity/claims/objectidentifier"
#define CLAIM_UPN "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
#define CLAIM_NAME "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
#define FLAT_OID "identity_claim_http_schemas_microsoft_com_identity_claims_objectidentifier_g"
#define FLAT_SCOPE "identity_claim_http_schemas_microsoft_com_identity_claims_scope_s"
#define FLAT_METHODS "identity_claim_http_schemas_microsoft_com_claims_authnmethodsreferences_s"
#define FLAT_UPN "identity_claim_http_schemas_xmlsoap_org_ws_2005_05_identity_claims_upn_s"
#define FLAT_NAME "identity_claim_http_schemas_xmlsoap_org_ws_2005_05_identity_claims_name_s"

struct caller {
    rf_str app_id, oid, upn, name, address, scope, methods;
};

static struct caller caller_of(const struct request *request)
{
    const struct principal *p = request == NULL ? NULL : request->principal;
    if (p == NULL) return (struct caller){.oid = {0}};
    const struct json_node *methods = json_get(p->claims, "amr");
    return (struct caller){.app_id = p->app_id,
                           .oid = p->object_id,
                           .upn = p->user_name,
                           .name = p->display_name,
                           .address = json_text_at(p->claims, "ipaddr"),
                           .scope = json_text_at(p->claims, "scp"),
                           .methods = json_is(methods, JSON_T_ARRAY) && methods->first != NULL
                                          ? methods->first->text
                                          : (rf_str){0}};
}

static void put_identity(struct json_out *out, const struct caller *who)
{
    if (who->oid.len == 0) return;
    json_begin_object(out, "Identity");
    json_begin_object(out, "claim");
    PUT_TEXT(out, CLAIM_OID, who->oid);
    PUT_TEXT(out, "oid", who->oid);
    PUT_TEXT(out, "appid", who->app_id);
    PUT_TEXT(out, CLAIM_UPN, who->upn);
    PUT_TEXT(out, "upn", who->upn);
    PUT_TEXT(out, CLAIM_NAME, who->name);
    PUT_TEXT(out, "ipaddr", who->address);
    json_end_object(out);
    json_end_object(out);
}

static void put_flat_identity(struct json_out *out, const struct caller *who)
{
    if (guid_is(who->app_id)) PUT_TEXT(out, "identity_claim_appid_g", who->app_id);
    PUT_TEXT(out, "identity_claim_oid_g", who->oid);
    PUT_TEXT(out, FLAT_OID, who->oid);
    PUT_TEXT(out, "identity_claim_upn_s", who->upn);
    PUT_TEXT(out, "identity_claim_unique_name_s", who->upn);
    PUT_TEXT(out, FLAT_UPN, who->upn);
    PUT_TEXT(out, FLAT_NAME, who->upn.len > 0 ? who->upn : who->name);
    PUT_TEXT(out, "identity_claim_ipaddr_s", who->address);
    PUT_TEXT(out, FLAT_SCOPE, who->scope);
    PUT_TEXT(out, FLAT_METHODS, who->methods);
}

/* ---- properties -------------------------------------------------------------------------------------------------------- */

/* What handlers name should hold no material; this is the wall behind it. */
static bool is_material(rf_str name)
{
    static const char *const names[] = {"value", "k",   "d",       "p",   "q",
                                        "dp",    "dq",  "qi",      "pwd", "password",
                                        "token", "key", "private", "tags"};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (rf_str_eq_nocase(name, rf_str_of(names[i]))) return true;
    return false;
}

static void put_properties(struct json_out *out, const struct vault_row *row)
{
    if (row->properties_name == NULL || !json_is(row->properties, JSON_T_OBJECT)) return;
    json_begin_object(out, row->properties_name);
    for (const struct json_node *m = row->properties->first; m != NULL; m = m->next) {
        if (is_material(m->name) || m->name.len >= 64) continue;
        char name[64];
        memcpy(name, m->name.ptr, m->name.len);
        name[m->name.len] = 0;
        json_put_node(out, name, m);
    }
    json_end_object(out);
}

/* As far as the table has columns for them. */
static void put_flat_properties(struct json_out *out, const struct vault_row *row)
{
    const struct json_node *enabled = json_at(row->properties, "attributes.enabled");
    bool known = json_is(enabled, JSON_T_TRUE) || json_is(enabled, JSON_T_FALSE);
    if (!known || row->properties_name == NULL) return;
    if (strcmp(row->properties_name, "SecretProperties") == 0)
        PUT_BOOL(out, "secretProperties_attributes_enabled_b", enabled->type == JSON_T_TRUE);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

static uint64_t milliseconds_of(const struct vault_row *row)
{
    return row->end > row->time ? (uint64_t)(row->end - row->time) / 1000 : 0;
}

static rf_str agent_of(const struct request *request)
{
    if (request == NULL) return RF_S("Ringfort");
    return vault_row_cut(http_header(request->http, "User-Agent", NULL), AGENT_BYTES_MAX);
}

/* What both tables have under the same names. */
static void put_common(struct json_out *out, const struct vault_row *row, const struct place *place,
                       rf_str time)
{
    PUT_TEXT(out, "TimeGenerated", time);
    PUT_WORD(out, "OperationName", row->operation);
    PUT_TEXT(out, "OperationVersion", vault_row_cut(row->api_version, VERSION_BYTES_MAX));
    PUT_WORD(out, "ResultType", row->status < 300 ? "Success" : "Failed");
    PUT_WORD(out, "ResultSignature", signature_of(row->status));
    PUT_TEXT(out, "ResultDescription", row->description);
    PUT_NUMBER(out, "DurationMs", milliseconds_of(row));
    if (row->request != NULL) PUT_TEXT(out, "CorrelationId", row->request->client_request_id);
    PUT_WORD(out, "SourceSystem", "Azure");
    PUT_TEXT(out, "_ResourceId", place->lower);
    PUT_TEXT(out, "_SubscriptionId", place->subscription);
}

static void put_audit(struct json_out *out, const struct vault_row *row, const struct caller *who,
                      const struct place *place, rf_str time)
{
    json_begin_object(out, NULL);
    put_common(out, row, place, time);
    if (row->request != NULL) PUT_TEXT(out, "CallerIpAddress", row->request->http->peer_address);
    PUT_NUMBER(out, "HttpStatusCode", row->status);
    PUT_TEXT(out, "RequestUri", row->uri);
    PUT_TEXT(out, "Id", row->id);
    PUT_TEXT(out, "ClientInfo", agent_of(row->request));
    PUT_TEXT(out, "Algorithm", row->algorithm);
    if (row->verdict != NULL) {
        PUT_BOOL(out, "IsRbacAuthorized", row->verdict->by_rbac);
        PUT_BOOL(out, "IsAccessPolicyMatch", row->verdict->by_policy);
        PUT_BOOL(out, "IsAddressAuthorized", row->verdict->address_ok);
        PUT_TEXT(out, "AppliedAssignmentId", last_part(row->verdict->assignment));
        PUT_TEXT(out, "AddressAuthorizationType", row->verdict->address_by);
    }
    put_identity(out, who);
    put_properties(out, row);
    if (row->more_audit.len > 0) rf_buf_str(out->buf, row->more_audit);
    json_end_object(out);
}

static void put_resource(struct json_out *out, const struct place *place)
{
    PUT_WORD(out, "ResourceProvider", "MICROSOFT.KEYVAULT");
    PUT_WORD(out, "ResourceType", "VAULTS");
    PUT_TEXT(out, "ResourceId", place->upper);
    PUT_TEXT(out, "Resource", place->name);
    PUT_TEXT(out, "ResourceGroup", place->group);
    PUT_TEXT(out, "SubscriptionId", place->subscription);
}

static void put_diagnostics(struct json_out *out, const struct vault_row *row,
                            const struct caller *who, const struct place *place, rf_str time)
{
    json_begin_object(out, NULL);
    put_common(out, row, place, time);
    PUT_WORD(out, "Category", "AuditEvent");
    put_resource(out, place);
    if (row->request != NULL) PUT_TEXT(out, "CallerIPAddress", row->request->http->peer_address);
    PUT_NUMBER(out, "httpStatusCode_d", row->status);
    PUT_TEXT(out, "requestUri_s", row->uri);
    PUT_TEXT(out, "id_s", row->id);
    PUT_TEXT(out, "clientInfo_s", agent_of(row->request));
    PUT_TEXT(out, "algorithm_s", row->algorithm);
    if (row->verdict != NULL) {
        PUT_BOOL(out, "isRbacAuthorized_b", row->verdict->by_rbac);
        PUT_BOOL(out, "isAccessPolicyMatch_b", row->verdict->by_policy);
        PUT_BOOL(out, "isAddressAuthorized_b", row->verdict->address_ok);
        PUT_TEXT(out, "appliedAssignmentId_g", last_part(row->verdict->assignment));
        PUT_TEXT(out, "addressAuthorizationType_s", row->verdict->address_by);
    }
    put_flat_identity(out, who);
    put_flat_properties(out, row);
    if (row->more_diagnostics.len > 0) rf_buf_str(out->buf, row->more_diagnostics);
    json_end_object(out);
}

enum rf_kind vault_row_write(const struct vault_row *row, const struct audit *audit,
                             struct rf_arena *arena, struct rf_err *err)
{
    if (audit == NULL || audit->row == NULL) return RF_OK;
    struct caller who = caller_of(row->request);
    struct rf_buf first = rf_buf_in(arena), second = rf_buf_in(arena);
    struct json_out out = json_out_to(&first);
    struct place place;
    rf_str time = time_iso(arena, row->time);
    if (time.ptr == NULL || !place_of(row->vault_id, arena, &place) ||
        !rf_buf_reserve(&first, ROW_BYTES) || !rf_buf_reserve(&second, ROW_BYTES))
        return rf_fail_memory(err, arena);
    put_audit(&out, row, &who, &place, time);
    out = json_out_to(&second);
    put_diagnostics(&out, row, &who, &place, time);
    if (first.failed || second.failed) return rf_fail_memory(err, arena);
    audit_row(audit, "AZKVAuditLogs", rf_buf_view(&first));
    audit_row(audit, "AzureDiagnostics", rf_buf_view(&second));
    return RF_OK;
}

/* ---- of a request to a vault ---------------------------------------------------------------------------------------------- */

/* "SecretProperties" for "SecretGet". */
static const char *properties_name(const char *operation)
{
    static const struct {
        const char *prefix, *name;
    } names[] = {{"CertificatePolicy", "CertificatePolicyProperties"},
                 {"CertificateIssuer", "CertificateIssuerProperties"},
                 {"CertificatePending", "CertificateRequestProperties"},
                 {"Certificate", "CertificateProperties"},
                 {"Secret", "SecretProperties"},
                 {"Database", "Properties"},
                 {"Key", "KeyProperties"}};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (strncmp(operation, names[i].prefix, strlen(names[i].prefix)) == 0) return names[i].name;
    return NULL;
}

/* "https://host/secrets/NAME/VERSION" from the operation's path: what stands before its first variable, without "deleted". */
static rf_str object_id(const struct vault_call *call)
{
    if (call->audit_id.len > 0 || call->operation == NULL) return call->audit_id;
    rf_str path = rf_str_of(call->operation->path);
    size_t end = rf_str_find(path, RF_S("/{"), 0), from = 0;
    if (rf_str_starts(path, RF_S("deleted"))) from = strlen("deleted");
    rf_str place = rf_slice(path, from, end == SIZE_MAX ? path.len : end);
    struct rf_buf buf = rf_buf_in(call->arena);
    rf_buf_printf(&buf, "%.*s/%.*s", RF_FMT(call->base), RF_FMT(place));
    if (end != SIZE_MAX && call->name.len > 0) rf_buf_printf(&buf, "/%.*s", RF_FMT(call->name));
    if (end != SIZE_MAX && call->version.len > 0)
        rf_buf_printf(&buf, "/%.*s", RF_FMT(call->version));
    return buf.failed ? (rf_str){0} : rf_buf_view(&buf);
}

/* The address as it was asked for; of the query only the version, as all else could be anything. */
static rf_str uri_of(const struct vault_call *call, rf_str version)
{
    const struct http_request *http = call->request->http;
    struct rf_buf buf = rf_buf_in(call->arena);
    if (call->base.len > 0)
        rf_buf_str(&buf, call->base);
    else
        rf_buf_printf(&buf, "https://%.*s", RF_FMT(http->host));
    rf_buf_str(&buf, vault_row_cut(http->path, URI_BYTES_MAX));
    if (version.len > 0) rf_buf_printf(&buf, "?api-version=%.*s", RF_FMT(version));
    return buf.failed ? (rf_str){0} : rf_buf_view(&buf);
}

enum { STRANGERS_PER_SECOND = 200 };

/* Whoever has no good token could fill the tables: of requests refused for that only so many a second leave rows. */
static bool within_strangers(rf_usec now)
{
    static _Atomic int64_t window;
    static _Atomic uint32_t used;
    int64_t second = now / RF_USEC_PER_SECOND;
    if (atomic_exchange(&window, second) != second) atomic_store(&used, 0);
    return atomic_fetch_add(&used, 1) < STRANGERS_PER_SECOND;
}

enum rf_kind vault_audit(struct vault_call *call, uint16_t status, const struct rf_err *why,
                         struct rf_err *err)
{
    const struct vaults_options *options = &call->vaults->options;
    struct request *request = call->request;
    if (options->audit == NULL || options->audit->row == NULL) return RF_OK;
    if (status == 401 && !within_strangers(request->now)) return RF_OK;
    rf_str version =
        vault_row_cut(request_parameter(request, "api-version", NULL), VERSION_BYTES_MAX);
    const char *operation = call->operation == NULL ? "Unknown" : call->operation->audit;
    if (status == 401) operation = "Authentication";
    const struct vault_row row = {.request = request,
                                  .time = request->now,
                                  .end = rf_clock_now(options->clock),
                                  .vault_id = call->place.id,
                                  .operation = operation,
                                  .api_version = version,
                                  .uri = uri_of(call, version),
                                  .id = object_id(call),
                                  .status = status,
                                  .description = why == NULL ? (rf_str){0} : rf_str_of(why->text),
                                  .verdict = status == 401 ? NULL : &call->verdict,
                                  .properties_name = properties_name(operation),
                                  .properties = call->audit_properties,
                                  .algorithm = call->audit_algorithm};
    return vault_row_write(&row, options->audit, call->arena, err);
}
