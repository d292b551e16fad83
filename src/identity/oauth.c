#include <stdlib.h>

#include "identity/identity_int.h"

/* Section 5 of the contract. Codes that stand in no row there come from Entra's public list. */
const struct oauth_error oauth_errors[] = {
    {"900144", 400, "invalid_request"},
    {"9002313", 400, "invalid_request"},
    {"90014", 400, "invalid_request"},
    {"90002", 400, "invalid_request"},
    {"901002", 400, "invalid_request"},
    {"700016", 400, "unauthorized_client"},
    {"7000215", 401, "invalid_client"},
    {"7000222", 401, "invalid_client"},
    {"7000218", 401, "invalid_client"},
    {"7000112", 401, "invalid_client"},
    {"50027", 401, "invalid_client"},
    {"700021", 401, "invalid_client"},
    {"700023", 401, "invalid_client"},
    {"700024", 401, "invalid_client"},
    {"700025", 401, "invalid_client"},
    {"700027", 401, "invalid_client"},
    {"700211", 401, "invalid_client"},
    {"700212", 401, "invalid_client"},
    {"700213", 401, "invalid_client"},
    {"70011", 400, "invalid_scope"},
    {"28000", 400, "invalid_scope"},
    {"1002012", 400, "invalid_scope"},
    {"500011", 400, "invalid_resource"},
    {"70003", 400, "unsupported_grant_type"},
    {"501051", 400, "invalid_grant"},
    {"50196", 429, "temporarily_unavailable"},
    {"90033", 503, "temporarily_unavailable"},
    /* of people */
    {"70000", 400, "invalid_grant"},
    {"70008", 400, "invalid_grant"},
    {"700082", 400, "invalid_grant"},
    {"700084", 400, "invalid_grant"},
    {"700005", 400, "invalid_grant"},
    {"54005", 400, "invalid_grant"},
    {"501481", 400, "invalid_grant"},
    {"50173", 400, "invalid_grant"},
    {"50013", 400, "invalid_grant"},
    {"500133", 400, "invalid_grant"},
    {"50126", 400, "invalid_grant"},
    {"50034", 400, "invalid_grant"},
    {"50053", 400, "invalid_grant"},
    {"50055", 400, "invalid_grant"},
    {"50057", 400, "invalid_grant"},
    {"65001", 400, "invalid_grant"},
    {"50076", 400, "interaction_required"},
    {"50079", 400, "interaction_required"},
    {"50074", 400, "interaction_required"},
    {"50058", 400, "interaction_required"},
    {"50105", 400, "interaction_required"},
    {"53003", 400, "interaction_required"},
    {"53000", 400, "interaction_required"},
    {"70016", 400, "authorization_pending"},
    {"70020", 400, "expired_token"},
    {"70018", 400, "bad_verification_code"},
    {"70019", 400, "authorization_declined"},
};
const uint32_t oauth_error_count = RF_COUNT(oauth_errors);

const struct oauth_error *oauth_error_of(const struct rf_err *err)
{
    for (uint32_t i = 0; i < oauth_error_count; i++)
        if (err->code != NULL && strcmp(oauth_errors[i].code, err->code) == 0)
            return &oauth_errors[i];
    /* Not of our making: the directory or the keeper is away, or a bug. Texts of such errors are not shown. */
    static const struct oauth_error away = {"90033", 503, "temporarily_unavailable"};
    static const struct oauth_error broken = {"90033", 500, "server_error"};
    return err->kind == RF_AGAIN ? &away : &broken;
}

void oauth_headers(struct request *request)
{
    struct http_response *response = request->response;
    http_set_literal(response, "Cache-Control", "no-store, no-cache");
    http_set_literal(response, "Pragma", "no-cache");
    http_set_literal(response, "Expires", "-1");
    http_set_literal(response, "X-Content-Type-Options", "nosniff");
    http_set(response, "x-ms-request-id", request->request_id);
    http_set_literal(response, "Content-Type", "application/json; charset=utf-8");
}

rf_str correlation_of(const struct request *request)
{
    return guid_is(request->client_request_id) ? request->client_request_id : request->request_id;
}

static rf_str stamp(struct rf_arena *arena, rf_usec now)
{
    rf_str iso = time_iso(arena, now);
    if (iso.len < 19) return RF_S("");
    const char *t = (const char *)iso.ptr;
    return rf_arena_printf(arena, "%.10s %.8sZ", t, t + 11);
}

static bool is_known(const struct rf_err *err)
{
    return err->code != NULL && rf_is_digit((uint8_t)err->code[0]);
}

static void write_error(struct request *request, uint16_t status, const char *error,
                        const char *code, rf_str text, rf_str correlation_id)
{
    struct rf_arena *arena = request->arena;
    rf_str at = stamp(arena, request->now);
    struct http_response *response = request->response;
    response->status = status;
    response->body.len = 0;
    oauth_headers(request);
    http_set(response, "client-request-id", correlation_id);
    struct json_out out = json_out_to(&response->body);
    json_begin_object(&out, NULL);
    json_put_text(&out, "error", rf_str_of(error));
    json_put_text(&out, "error_description",
                  rf_arena_printf(arena,
                                  "AADSTS%s: %.*s\r\nTrace ID: %.*s\r\nCorrelation ID: %.*s\r\n"
                                  "Timestamp: %.*s",
                                  code, RF_FMT(text), RF_FMT(request->request_id),
                                  RF_FMT(correlation_id), RF_FMT(at)));
    json_begin_array(&out, "error_codes");
    json_put_i64(&out, NULL, strtoll(code, NULL, 10));
    json_end_array(&out);
    json_put_text(&out, "timestamp", at);
    json_put_text(&out, "trace_id", request->request_id);
    json_put_text(&out, "correlation_id", correlation_id);
    /* By this word libraries know that a page would help. */
    if (strcmp(code, "65001") == 0) json_put_text(&out, "suberror", RF_S("consent_required"));
    json_put_text(&out, "error_uri",
                  rf_arena_printf(arena, "%.*s/error?code=%s", RF_FMT(request->origin), code));
    json_end_object(&out);
}

void oauth_answer_error(struct request *request, rf_str correlation_id, const struct rf_err *err)
{
    const struct oauth_error *row = oauth_error_of(err);
    rf_str text = is_known(err) ? rf_str_of(err->text)
                                : RF_S("A transient error has occurred. Please try again.");
    if (row->status == 503) http_set_literal(request->response, "Retry-After", "1");
    write_error(request, row->status, row->error, row->code, text, correlation_id);
}

/* What the dispatcher refuses before a handler sees it: clients read JSON in every case. */
void oauth_service_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    if (is_known(err)) {
        oauth_answer_error(request, correlation_of(request), err);
        return;
    }
    const char *error = status >= 500   ? "server_error"
                        : status == 429 ? "temporarily_unavailable"
                                        : "invalid_request";
    const char *code = status >= 500 || status == 429 ? "90033" : "9002313";
    rf_str text = status >= 500 ? RF_S("A transient error has occurred. Please try again.")
                                : rf_str_of(err->text);
    write_error(request, status, error, code, text, correlation_of(request));
}

enum rf_kind tenant_find(const struct identity *identity, rf_str name, bool *shared,
                         struct rf_err *err)
{
    *shared =
        rf_str_eq_nocase(name, RF_S("common")) || rf_str_eq_nocase(name, RF_S("organizations"));
    if (*shared || rf_str_eq_nocase(name, identity->tenant) ||
        (identity->domain.len > 0 && rf_str_eq_nocase(name, identity->domain)))
        return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "90002",
                   "Tenant '%.*s' not found. Check to make sure you have the correct tenant ID and "
                   "are signing into the correct cloud.",
                   (int)RF_MIN(name.len, 128), (const char *)name.ptr);
}
