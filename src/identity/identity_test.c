#include "test/rf_prop.h"

#include "identity/bench_int.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "crypt/x509.h"
#include "net/tls.h"

#define VAULT "https://vault.azure.net/.default"
#define GRAPH_ROLES                                                                                \
    "User.ReadWrite.All Application.ReadWrite.All Group.ReadWrite.All Directory.ReadWrite.All "    \
    "AuditLog.Read.All Policy.ReadWrite.ConditionalAccess UserAuthenticationMethod.ReadWrite.All"

/* ---- tokens -------------------------------------------------------------------------------------------------------------- */

/* The claims of a token whose signature is one of ours. */
static const struct json_node *verified(struct bench *b, rf_str token)
{
    struct jwt jwt;
    struct rf_err err;
    struct keeper_jwt_key *keys;
    uint32_t count;
    bool good = false;
    cr_assert(jwt_parse(token, &b->arena, &jwt, &err) == RF_OK, "%s", err.text);
    cr_assert(keeper_jwt_keys(b->keeper, &b->arena, &keys, &count, &err) == RF_OK);
    for (uint32_t i = 0; i < count; i++) {
        struct public_key *key;
        if (!rf_str_eq(keys[i].kid, jwt.kid)) continue;
        cr_assert(public_key_of_cert(keys[i].cert, &key, &err) == RF_OK);
        good = jwt_check(&jwt, key, JWT_RS256, &err) == RF_OK;
        public_key_free(key);
    }
    cr_assert(good);
    return jwt.claims;
}

Test(identity, tokens_for_every_resource)
{
    static const struct {
        const char *scope, *audience;
    } rows[] = {
        {"https://vault.azure.net/.default", "https://vault.azure.net"},
        {"https://vault.azure.net//.default", "https://vault.azure.net/"},
        {"https://management.azure.com/.default", "https://management.azure.com"},
        {"https://management.azure.com//.default", "https://management.azure.com/"},
        {"https://management.core.windows.net//.default", "https://management.core.windows.net/"},
        {"https://eventhubs.azure.net/.default", "https://eventhubs.azure.net"},
        {"https://ns1.servicebus.windows.net/.default", "https://ns1.servicebus.windows.net"},
        {"sb://ns1.servicebus.windows.net/.default", "sb://ns1.servicebus.windows.net"},
        {"https://monitor.azure.com/.default openid", "https://monitor.azure.com"},
        {"https://api.loganalytics.io/.default", "https://api.loganalytics.io"},
        {"https://westus2.api.loganalytics.io/.default", "https://westus2.api.loganalytics.io"},
        {"https://help.kusto.windows.net/.default", "https://help.kusto.windows.net"},
        {"https://graph.microsoft.com/.default", "https://graph.microsoft.com"},
        {"00000003-0000-0000-c000-000000000000/.default", "00000003-0000-0000-c000-000000000000"},
        {"https://localhost:8443/.default", "https://localhost:8443"},
        {"https://v.vault.ringfort.localhost/.default", "https://v.vault.ringfort.localhost"},
        {"https://vault.ringfort.localhost/.default", "https://vault.ringfort.localhost"},
    };
    struct bench b;
    bench_open(&b, NULL);
    b.app = bench_app(&b, "admin", GRAPH_ROLES);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct bench_answer answer = bench_token(&b, b.app.app_id, b.app.secret, rows[i].scope);
        cr_assert(answer.status == 200, "%s: %.*s", rows[i].scope, RF_FMT(answer.text));
        int64_t expires_in, iat, exp, nbf;
        cr_assert(json_i64_at(answer.json, "expires_in", &expires_in) && expires_in == 3599);
        cr_assert(json_get(answer.json, "refresh_token") == NULL);
        rf_str text = json_text_at(answer.json, "access_token");
        const struct json_node *claims = verified(&b, text);
        cr_assert(rf_str_is(json_text_at(claims, "aud"), rows[i].audience), "%s", rows[i].scope);
        cr_assert(rf_str_is(json_text_at(claims, "iss"), BENCH_ORIGIN "/" BENCH_TENANT "/"));
        cr_assert(rf_str_is(json_text_at(claims, "tid"), BENCH_TENANT));
        cr_assert(rf_str_is(json_text_at(claims, "ver"), "1.0"));
        cr_assert(rf_str_is(json_text_at(claims, "idtyp"), "app"));
        cr_assert(rf_str_is(json_text_at(claims, "appidacr"), "1"));
        cr_assert(rf_str_eq(json_text_at(claims, "appid"), b.app.app_id));
        cr_assert(rf_str_eq(json_text_at(claims, "oid"), b.app.object_id));
        cr_assert(rf_str_eq(json_text_at(claims, "sub"), b.app.object_id));
        cr_assert(json_text_at(claims, "uti").len == UTI_BYTES);
        cr_assert(json_get(claims, "scp") == NULL);
        cr_assert(json_i64_at(claims, "iat", &iat) && json_i64_at(claims, "nbf", &nbf) &&
                  json_i64_at(claims, "exp", &exp));
        cr_assert(iat == nbf && exp - iat == 3600);
        cr_assert(rf_str_is(bench_header(&answer, "Cache-Control"), "no-store, no-cache"));
    }
    static const char *const row[] = {"\"ResultType\":\"0\"",
                                      "\"ResourceDisplayName\":\"Azure Key "
                                      "Vault\"",
                                      NULL};
    cr_assert(bench_has_row(&b, "AADServicePrincipalSignInLogs", row));
    bench_close(&b);
}

Test(identity, tokens_of_version_1_have_texts)
{
    struct bench b;
    bench_open(&b, NULL);
    b.app = bench_app(&b, "admin", GRAPH_ROLES);
    rf_str body = rf_arena_printf(&b.arena,
                                  "grant_type=client_credentials&client_id=%.*s&client_secret=%.*s"
                                  "&resource=https%%3A%%2F%%2Fmanagement.azure.com%%2F",
                                  RF_FMT(b.app.app_id), RF_FMT(b.app.secret));
    struct bench_answer answer = bench_form(&b, "/" BENCH_TENANT "/oauth2/token", body);
    cr_assert(answer.status == 200, "%.*s", RF_FMT(answer.text));
    static const char *const names[] = {"expires_in", "ext_expires_in", "expires_on", "not_before",
                                        "resource"};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        cr_assert(json_is(json_get(answer.json, names[i]), JSON_T_STRING), "%s", names[i]);
    const struct json_node *claims = verified(&b, json_text_at(answer.json, "access_token"));
    cr_assert(rf_str_is(json_text_at(claims, "aud"), "https://management.azure.com/"));
    bench_close(&b);
}

/* ---- errors ---------------------------------------------------------------------------------------------------------------- */

static void check_error(struct bench *b, const struct bench_answer *answer, uint16_t status,
                        const char *error, const char *code, const char *what)
{
    cr_assert(answer->status == status, "%s: %u %.*s", what, answer->status, RF_FMT(answer->text));
    cr_assert(answer->json != NULL, "%s", what);
    cr_assert(rf_str_is(json_text_at(answer->json, "error"), error), "%s: %.*s", what,
              RF_FMT(answer->text));
    const struct json_node *codes = json_get(answer->json, "error_codes");
    cr_assert(json_is(codes, JSON_T_ARRAY) && codes->count == 1 &&
                  rf_str_is(codes->first->text, code),
              "%s: %.*s", what, RF_FMT(answer->text));
    rf_str text = json_text_at(answer->json, "error_description");
    cr_assert(rf_str_starts(text, rf_arena_printf(&b->arena, "AADSTS%s: ", code)), "%s", what);
    cr_assert(guid_is(json_text_at(answer->json, "trace_id")), "%s", what);
    cr_assert(guid_is(json_text_at(answer->json, "correlation_id")), "%s", what);
    rf_str at = json_text_at(answer->json, "timestamp");
    cr_assert(at.len == 20 && at.ptr[10] == ' ' && at.ptr[19] == 'Z', "%s", what);
    cr_assert(rf_str_starts(bench_header(answer, "Cache-Control"), RF_S("no-store")), "%s", what);
    cr_assert(rf_str_starts(bench_header(answer, "Content-Type"), RF_S("application/json")));
    /* Words that make clients ask the user again, which no other text may hold. */
    static const char *const words[] = {
        "interaction_required", "consent_required", "login_required",    "bad_token",
        "basic_action",         "message_only",     "additional_action", "ui_not_allowed"};
    for (size_t i = 0; i < RF_COUNT(words); i++)
        cr_assert(rf_str_find(text, rf_str_of(words[i]), 0) == SIZE_MAX, "%s", what);
}

Test(identity, errors_of_the_token_endpoint)
{
    /* %ID and %SECRET stand for the application's. */
    static const struct {
        const char *path, *body;
        uint16_t status;
        const char *error, *code;
    } rows[] = {
        {BENCH_TOKEN, "", 400, "invalid_request", "900144"},
        {BENCH_TOKEN, "client_id=%ID", 400, "invalid_request", "900144"},
        {BENCH_TOKEN, "grant_type=client_credentials&scope=x", 400, "invalid_request", "900144"},
        {BENCH_TOKEN, "grant_type=client_credentials&client_id=%ID&client_secret=%SECRET", 400,
         "invalid_request", "900144"},
        {BENCH_TOKEN,
         "grant_type=client_credentials&client_id=%ID&client_secret=%SECRET&resource=https://x",
         400, "invalid_request", "901002"},
        {"/" BENCH_TENANT "/oauth2/token",
         "grant_type=client_credentials&client_id=%ID&client_secret=%SECRET&scope=https://x/"
         ".default",
         400, "invalid_request", "900144"},
        {BENCH_TOKEN, "grant_type=magic&client_id=%ID", 400, "unsupported_grant_type", "70003"},
        {BENCH_TOKEN,
         "grant_type=password&client_id=%ID&client_secret=%SECRET&username=a&password=b", 400,
         "unsupported_grant_type", "70003"},
        {BENCH_TOKEN, "grant_type=authorization_code&client_id=%ID&client_secret=%SECRET&code=x",
         400, "invalid_request", "900144"},
        {"/nobody.example/oauth2/v2.0/token", "grant_type=client_credentials", 400,
         "invalid_request", "90002"},
        {"/consumers/oauth2/v2.0/token", "grant_type=client_credentials", 400, "invalid_request",
         "90002"},
        {BENCH_TOKEN,
         "grant_type=client_credentials&client_id=11111111-2222-3333-4444-555555555555&"
         "client_secret=x&scope=https%3A//vault.azure.net/.default",
         400, "unauthorized_client", "700016"},
        {BENCH_TOKEN,
         "grant_type=client_credentials&client_id=cfa8b339-82a2-471a-a3c9-0fc0be7a4093&"
         "client_secret=x&scope=https%3A//vault.azure.net/.default",
         400, "unauthorized_client", "700016"},
        {BENCH_TOKEN,
         "grant_type=client_credentials&client_id=not-a-guid&client_secret=x&scope="
         "https%3A//vault.azure.net/.default",
         400, "unauthorized_client", "700016"},
        {BENCH_TOKEN, "grant_type=client_credentials&client_id=%ID&scope=https%3A//x/.default", 401,
         "invalid_client", "7000218"},
        {BENCH_TOKEN,
         "grant_type=client_credentials&client_id=%ID&client_secret=&scope=https%3A//x/.default",
         401, "invalid_client", "7000218"},
        {BENCH_TOKEN,
         "grant_type=client_credentials&client_id=%ID&client_secret=nope&scope=https%3A//x/"
         ".default",
         401, "invalid_client", "7000215"},
        {BENCH_TOKEN,
         "grant_type=client_credentials&client_id=%ID&client_secret=%SECRET&scope=https%3A//"
         "nobody.example/.default",
         400, "invalid_resource", "500011"},
        {BENCH_TOKEN,
         "grant_type=client_credentials&client_id=%ID&client_secret=%SECRET&scope=https%3A//"
         "vault.azure.net/user_impersonation",
         400, "invalid_scope", "1002012"},
        {BENCH_TOKEN,
         "grant_type=client_credentials&client_id=%ID&client_secret=%SECRET&scope=openid", 400,
         "invalid_scope", "1002012"},
        {BENCH_TOKEN,
         "grant_type=client_credentials&client_id=%ID&client_secret=%SECRET&scope=a%22b/.default",
         400, "invalid_scope", "70011"},
        {BENCH_TOKEN,
         "grant_type=client_credentials&client_id=%ID&client_secret=%SECRET&scope=https%3A//"
         "vault.azure.net/.default+https%3A//graph.microsoft.com/.default",
         400, "invalid_scope", "28000"},
        {BENCH_TOKEN, "grant_type=client_credentials&client_id=%ID&client_id=other", 400,
         "invalid_request", "9002313"},
        {BENCH_TOKEN, "grant_type=client_credentials&client_id=%zz", 400, "invalid_request",
         "9002313"},
        {BENCH_TOKEN, "{\"grant_type\": \"client_credentials\"}", 400, "invalid_request",
         "9002313"},
        {BENCH_TOKEN,
         "grant_type=client_credentials&client_id=%ID&client_secret=%SECRET&client_assertion=x&"
         "scope=https%3A//x/.default",
         400, "invalid_request", "9002313"},
        {BENCH_TOKEN,
         "grant_type=client_credentials&client_id=%ID&client_assertion=x&scope=https%3A//x/"
         ".default",
         400, "invalid_request", "900144"},
        {BENCH_TOKEN,
         "grant_type=client_credentials&client_id=%ID&client_assertion=x&client_assertion_type=y&"
         "scope=https%3A//x/.default",
         400, "invalid_request", "9002313"},
        {BENCH_TOKEN,
         "grant_type=client_credentials&client_id=%ID&client_assertion=x.y.z&client_assertion_type="
         "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&scope=https%3A//x/"
         ".default",
         401, "invalid_client", "50027"},
    };
    struct bench b;
    bench_open(&b, NULL);
    b.app = bench_app(&b, "admin", "");
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct rf_buf body = rf_buf_in(&b.arena);
        for (const char *c = rows[i].body; *c != '\0'; c++) {
            if (strncmp(c, "%ID", 3) == 0)
                rf_buf_str(&body, b.app.app_id), c += 2;
            else if (strncmp(c, "%SECRET", 7) == 0)
                rf_buf_str(&body, b.app.secret), c += 6;
            else
                rf_buf_byte(&body, (uint8_t)*c);
        }
        struct bench_answer answer = bench_form(&b, rows[i].path, rf_buf_view(&body));
        check_error(&b, &answer, rows[i].status, rows[i].error, rows[i].code, rows[i].body);
        cr_assert(rf_str_find(answer.text, b.app.secret, 0) == SIZE_MAX);
    }
    static const char *const row[] = {"\"ResultType\":\"7000215\"", NULL};
    cr_assert(bench_has_row(&b, "AADServicePrincipalSignInLogs", row));
    cr_assert(rf_str_find(rf_buf_view(&b.rows), b.app.secret, 0) == SIZE_MAX);
    bench_close(&b);
}

/* Every code that is thrown is in the table, and no row of it is there twice. */
Test(identity, error_table)
{
    for (uint32_t i = 0; i < oauth_error_count; i++) {
        struct rf_err err = {.kind = RF_DENIED, .code = oauth_errors[i].code};
        cr_assert(oauth_error_of(&err) == &oauth_errors[i], "%s", err.code);
        cr_assert(oauth_errors[i].status >= 400 && oauth_errors[i].error != NULL);
    }
    struct rf_err away = {.kind = RF_AGAIN, .code = "KeeperGone", .text = "details"};
    cr_assert(oauth_error_of(&away)->status == 503);
    struct rf_err broken = {.kind = RF_IO, .code = "StateFailed", .text = "details"};
    cr_assert(oauth_error_of(&broken)->status == 500);
}

Test(identity, echoes_the_request_id)
{
    struct bench b;
    bench_open(&b, NULL);
    const char *id = "0f8fad5b-d9cb-469f-a165-70867728950e";
    struct bench_answer answer =
        bench_form(&b, bench_text(&b, BENCH_TOKEN "?client-request-id=%s", id), RF_S("x=y"));
    cr_assert(rf_str_is(json_text_at(answer.json, "correlation_id"), id));
    cr_assert(rf_str_is(bench_header(&answer, "client-request-id"), id));
    bench_close(&b);
}

Test(identity, guesses_are_limited_per_application)
{
    struct bench b;
    bench_open(&b, NULL);
    struct identity_app app = bench_app(&b, "one", ""), other = bench_app(&b, "two", "");
    for (int i = 0; i < GUARD_FAILURES_MAX; i++)
        cr_assert(bench_token(&b, app.app_id, RF_S("nope"), VAULT).status == 401, "%d", i);
    struct bench_answer answer = bench_token(&b, app.app_id, app.secret, VAULT);
    check_error(&b, &answer, 429, "temporarily_unavailable", "50196", "guesses");
    cr_assert(rf_str_is(bench_header(&answer, "Retry-After"), "60"));
    cr_assert(bench_token(&b, other.app_id, other.secret, VAULT).status == 200);
    /* The owner, who is elsewhere, is not locked out. */
    struct http_header type = {RF_S("Content-Type"), RF_S("application/x-www-form-urlencoded")};
    struct bench_ask ask = {
        .method = HTTP_POST,
        .target = BENCH_TOKEN,
        .body = rf_arena_printf(&b.arena,
                                "grant_type=client_credentials&client_id=%.*s&client_secret=%.*s"
                                "&scope=https%%3A%%2F%%2Fvault.azure.net%%2F.default",
                                RF_FMT(app.app_id), RF_FMT(app.secret)),
        .headers = &type,
        .header_count = 1,
        .remote = true};
    cr_assert(bench_send(&b, &ask).status == 200);
    rf_clock_fixed_pass(&b.clock, 59 * RF_USEC_PER_SECOND);
    cr_assert(bench_token(&b, app.app_id, app.secret, VAULT).status == 429);
    rf_clock_fixed_pass(&b.clock, RF_USEC_PER_SECOND);
    cr_assert(bench_token(&b, app.app_id, app.secret, VAULT).status == 200);
    bench_close(&b);
}

Test(identity, replaced_secret_ends_the_old_one)
{
    struct bench b;
    struct rf_err err;
    struct state_txn *txn;
    rf_str secret;
    bench_open(&b, NULL);
    struct identity_app app = bench_app(&b, "one", "");
    cr_assert(bench_token(&b, app.app_id, app.secret, VAULT).status == 200);
    cr_assert(state_begin_write(b.state, &txn, &err) == RF_OK);
    cr_assert(identity_replace_secret(b.identity, txn, app.app_id, &b.arena, &secret, &err) ==
              RF_OK);
    cr_assert(state_commit(txn, &err) == RF_OK);
    cr_assert(bench_token(&b, app.app_id, app.secret, VAULT).status == 401);
    cr_assert(bench_token(&b, app.app_id, secret, VAULT).status == 200);
    bench_close(&b);
}

/* A rotated key signs the next token; the key set shows both. */
Test(identity, keys_rotate)
{
    struct bench b;
    struct rf_err err;
    struct jwt before, after;
    bench_open(&b, NULL);
    struct identity_app app = bench_app(&b, "one", "");
    struct bench_answer answer = bench_token(&b, app.app_id, app.secret, VAULT);
    cr_assert(jwt_parse(json_text_at(answer.json, "access_token"), &b.arena, &before, &err) ==
              RF_OK);
    cr_assert(keeper_jwt_rotate(b.keeper, true, &err) == RF_OK, "%s", err.text);
    answer = bench_token(&b, app.app_id, app.secret, VAULT);
    cr_assert(answer.status == 200, "%.*s", RF_FMT(answer.text));
    (void)verified(&b, json_text_at(answer.json, "access_token"));
    cr_assert(jwt_parse(json_text_at(answer.json, "access_token"), &b.arena, &after, &err) ==
              RF_OK);
    cr_assert(!rf_str_eq(before.kid, after.kid));
    answer = bench_get(&b, "/common/discovery/v2.0/keys");
    cr_assert(rf_str_find(answer.text, after.kid, 0) != SIZE_MAX);
    bench_close(&b);
}

/* ---- discovery --------------------------------------------------------------------------------------------------------------- */

Test(identity, discovery)
{
    static const struct {
        const char *path, *member, *value;
    } rows[] = {
        {"/" BENCH_TENANT "/v2.0/.well-known/openid-configuration", "issuer",
         BENCH_ORIGIN "/" BENCH_TENANT "/v2.0"},
        {"/6F1A2B3C-0000-4000-8000-00000000ABCD/v2.0/.well-known/openid-configuration", "issuer",
         BENCH_ORIGIN "/" BENCH_TENANT "/v2.0"},
        {"/ringfort.localhost/v2.0/.well-known/openid-configuration", "token_endpoint",
         BENCH_ORIGIN BENCH_TOKEN},
        {"/" BENCH_TENANT "/.well-known/openid-configuration", "issuer",
         BENCH_ORIGIN "/" BENCH_TENANT "/"},
        {"/" BENCH_TENANT "/.well-known/openid-configuration", "token_endpoint",
         BENCH_ORIGIN "/" BENCH_TENANT "/oauth2/token"},
        {"/common/v2.0/.well-known/openid-configuration", "issuer",
         BENCH_ORIGIN "/{tenantid}/v2.0"},
        {"/organizations/v2.0/.well-known/openid-configuration", "jwks_uri",
         BENCH_ORIGIN "/organizations/discovery/v2.0/keys"},
        {"/common/discovery/instance?api-version=1.1&authorization_endpoint=https%3A%2F%2F"
         "localhost%3A8443%2Fx%2Foauth2%2Fv2.0%2Fauthorize",
         "tenant_discovery_endpoint",
         BENCH_ORIGIN "/" BENCH_TENANT "/v2.0/.well-known/openid-configuration"},
        {"/common/userrealm/a@ringfort.localhost?api-version=1.0", "account_type", "Managed"},
        {"/nobody.example/v2.0/.well-known/openid-configuration", "error", "invalid_tenant"},
        {"/common/discovery/instance?authorization_endpoint=https%3A%2F%2Fevil.example%2Fx",
         "error", "invalid_instance"},
    };
    struct bench b;
    bench_open(&b, NULL);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct bench_answer answer = bench_get(&b, rows[i].path);
        cr_assert(rf_str_is(json_text_at(answer.json, rows[i].member), rows[i].value), "%s: %.*s",
                  rows[i].path, RF_FMT(answer.text));
        cr_assert(answer.status == (strcmp(rows[i].member, "error") == 0 ? 400 : 200));
    }
    /* On the host that was asked; a host that is none of ours is not repeated. */
    struct bench_ask ask = {.method = HTTP_GET,
                            .target = "/" BENCH_TENANT "/v2.0/.well-known/openid-configuration",
                            .host = "ringfort.localhost:8443"};
    struct bench_answer answer = bench_send(&b, &ask);
    cr_assert(rf_str_starts(json_text_at(answer.json, "issuer"),
                            RF_S("https://ringfort.localhost:8443/")));
    ask.host = "evil.example";
    answer = bench_send(&b, &ask);
    cr_assert(rf_str_find(answer.text, RF_S("evil"), 0) == SIZE_MAX);
    answer = bench_get(&b, "/" BENCH_TENANT "/discovery/v2.0/keys");
    const struct json_node *key = json_get(answer.json, "keys")->first;
    static const char *const private[] = {"d", "p", "q", "dp", "dq", "qi", "k"};
    for (; key != NULL; key = key->next) {
        cr_assert(rf_str_is(json_text_at(key, "kty"), "RSA"));
        cr_assert(rf_str_eq(json_text_at(key, "kid"), json_text_at(key, "x5t")));
        cr_assert(json_text_at(key, "n").len >= 342 && json_get(key, "x5c")->count == 1);
        for (size_t i = 0; i < RF_COUNT(private); i++) cr_assert(json_get(key, private[i]) == NULL);
    }
    bench_close(&b);
}

/* ---- assertions ---------------------------------------------------------------------------------------------------------------- */

struct signer {
    struct evp_pkey_st *key;
    rf_str cert; /* DER */
    struct cert_info info;
};

static struct signer make_signer(struct bench *b, rf_usec from, rf_usec until)
{
    struct signer signer;
    struct rf_err err;
    cr_assert(key_make(KEY_RSA_2048, &signer.key, &err) == RF_OK, "%s", err.text);
    struct cert_request request = {
        .subject_cn = RF_S("client"), .not_before = from, .not_after = until};
    cr_assert(cert_make(&request, signer.key, signer.key, RF_S(""), &b->arena, &signer.cert,
                        &err) == RF_OK,
              "%s", err.text);
    cr_assert(cert_read(signer.cert, &b->arena, &signer.info, &err) == RF_OK);
    return signer;
}

static rf_str sign(struct bench *b, const struct signer *signer, bool pss, rf_str input)
{
    uint8_t raw[512];
    size_t len = sizeof raw;
    EVP_PKEY_CTX *key;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    cr_assert(EVP_DigestSignInit(ctx, &key, EVP_sha256(), NULL, signer->key) == 1);
    if (pss) {
        cr_assert(EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING) == 1);
        cr_assert(EVP_PKEY_CTX_set_rsa_pss_saltlen(key, RSA_PSS_SALTLEN_DIGEST) == 1);
    }
    cr_assert(EVP_DigestSign(ctx, raw, &len, input.ptr, input.len) == 1);
    EVP_MD_CTX_free(ctx);
    rf_str signature;
    cr_assert(rf_arena_str(&b->arena, rf_str_make(raw, len), &signature));
    return signature;
}

/* What an assertion says; NULL and 0: the right thing. */
struct claims {
    const char *aud, *iss, *sub, *jti;
    int64_t nbf, exp; /* seconds from now */
    bool no_exp, no_jti, rs256, wrong_key_id;
};

static rf_str make_assertion(struct bench *b, const struct signer *signer, rf_str app_id,
                             const struct claims *c)
{
    struct rf_arena *arena = &b->arena;
    int64_t now = rf_clock_now(&b->clock.clock) / RF_USEC_PER_SECOND;
    struct json_node *header = json_new(arena, JSON_T_OBJECT);
    struct json_node *claims = json_new(arena, JSON_T_OBJECT);
    rf_str id =
        c->rs256 ? rf_str_make(signer->info.sha1, 20) : rf_str_make(signer->info.sha256, 32);
    uint8_t other[32] = {0};
    if (c->wrong_key_id) id = rf_str_make(other, id.len);
    json_set_text(arena, header, "alg", c->rs256 ? RF_S("RS256") : RF_S("PS256"));
    json_set_text(arena, header, "typ", RF_S("JWT"));
    json_set_text(arena, header, c->rs256 ? "x5t" : "x5t#S256", base64url_encode(arena, id));
    json_set_text(arena, claims, "aud",
                  rf_str_of(c->aud == NULL ? BENCH_ORIGIN BENCH_TOKEN : c->aud));
    json_set_text(arena, claims, "iss", c->iss == NULL ? app_id : rf_str_of(c->iss));
    json_set_text(arena, claims, "sub", c->sub == NULL ? app_id : rf_str_of(c->sub));
    if (!c->no_jti)
        json_set_text(arena, claims, "jti",
                      c->jti == NULL ? guid_random(arena) : rf_str_of(c->jti));
    json_set_i64(arena, claims, "nbf", now + c->nbf);
    if (!c->no_exp) json_set_i64(arena, claims, "exp", now + (c->exp == 0 ? 600 : c->exp));
    rf_str input = jwt_signing_input(arena, header, claims);
    return jwt_assemble(arena, input, sign(b, signer, !c->rs256, input));
}

static rf_str assertion_body(struct rf_arena *arena, rf_str app_id, rf_str assertion)
{
    return rf_arena_printf(arena,
                           "grant_type=client_credentials&client_id=%.*s&scope=https%%3A%%2F%%2F"
                           "vault.azure.net%%2F.default&client_assertion_type=urn%%3Aietf%%3A"
                           "params%%3Aoauth%%3Aclient-assertion-type%%3Ajwt-bearer&"
                           "client_assertion=%.*s",
                           RF_FMT(app_id), RF_FMT(assertion));
}

static void register_certs(struct bench *b, const struct identity_app *app,
                           const struct signer *signers, size_t count)
{
    struct rf_buf buf = rf_buf_in(&b->arena);
    rf_buf_printf(&buf, "{\"keyCredentials\":[");
    for (size_t i = 0; i < count; i++)
        rf_buf_printf(&buf,
                      "%s{\"type\":\"AsymmetricX509Cert\",\"usage\":\"Verify\",\"key\":\"%.*s\"}",
                      i == 0 ? "" : ",", RF_FMT(base64_encode(&b->arena, signers[i].cert)));
    rf_buf_printf(&buf, "]}%c", 0);
    struct bench_answer answer = bench_graph(
        b, HTTP_PATCH, bench_text(b, "/v1.0/applications(appId='%.*s')", RF_FMT(app->app_id)),
        (const char *)buf.ptr);
    cr_assert(answer.status == 204, "%.*s", RF_FMT(answer.text));
}

#define DAY (INT64_C(86400) * RF_USEC_PER_SECOND)
Test(identity, assertions)
{
    static const struct {
        const char *name;
        struct claims claims;
        uint16_t status;
        const char *code;
    } rows[] = {
        {"PS256", {.aud = NULL}, 200, NULL},
        {"RS256", {.rs256 = true}, 200, NULL},
        {"issuer as audience", {.aud = BENCH_ORIGIN "/" BENCH_TENANT "/v2.0"}, 200, NULL},
        {"issuer of version 1", {.aud = BENCH_ORIGIN "/" BENCH_TENANT "/"}, 200, NULL},
        {"endpoint of version 1",
         {.aud = BENCH_ORIGIN "/" BENCH_TENANT "/oauth2/token"},
         200,
         NULL},
        {"tenant by name",
         {.aud = BENCH_ORIGIN "/ringfort.localhost/oauth2/v2.0/token"},
         200,
         NULL},
        {"another audience", {.aud = "https://example.test"}, 401, "700023"},
        {"another tenant", {.aud = BENCH_ORIGIN "/nobody.example/v2.0"}, 401, "700023"},
        {"part of a name",
         {.aud = BENCH_ORIGIN ".evil.example/" BENCH_TENANT "/v2.0"},
         401,
         "700023"},
        {"expired", {.nbf = -1000, .exp = -400}, 401, "700024"},
        {"not yet", {.nbf = 1000, .exp = 2000}, 401, "700024"},
        {"no end", {.no_exp = true}, 401, "700024"},
        {"too long", {.exp = 90 * 86400}, 401, "700024"},
        {"another issuer", {.iss = "11111111-2222-3333-4444-555555555555"}, 401, "700021"},
        {"another subject", {.sub = "11111111-2222-3333-4444-555555555555"}, 401, "700021"},
        {"no jti", {.no_jti = true}, 401, "50027"},
        {"unknown certificate", {.wrong_key_id = true}, 401, "700027"},
    };
    struct bench b;
    bench_open(&b, NULL);
    b.app = bench_app(&b, "admin", GRAPH_ROLES);
    b.token = bench_graph_token(&b, &b.app);
    struct identity_app app = bench_app(&b, "client", "");
    struct signer signers[] = {make_signer(&b, BENCH_START - DAY, BENCH_START + DAY),
                               make_signer(&b, BENCH_START - 2 * DAY, BENCH_START - DAY),
                               make_signer(&b, BENCH_START - DAY, BENCH_START + DAY)};
    register_certs(&b, &app, signers, 2);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        rf_str text = make_assertion(&b, &signers[0], app.app_id, &rows[i].claims);
        struct bench_answer answer =
            bench_form(&b, BENCH_TOKEN, assertion_body(&b.arena, app.app_id, text));
        cr_assert(answer.status == rows[i].status, "%s: %.*s", rows[i].name, RF_FMT(answer.text));
        if (rows[i].code != NULL) {
            check_error(&b, &answer, 401, "invalid_client", rows[i].code, rows[i].name);
        } else {
            const struct json_node *claims =
                verified(&b, json_text_at(answer.json, "access_token"));
            cr_assert(rf_str_is(json_text_at(claims, "appidacr"), "2"));
        }
    }
    /* One whose time is over, one that nobody registered, and a signature of one under the other's name. */
    for (size_t i = 1; i < RF_COUNT(signers); i++) {
        rf_str text = make_assertion(&b, &signers[i], app.app_id, &(struct claims){.nbf = 0});
        struct bench_answer answer =
            bench_form(&b, BENCH_TOKEN, assertion_body(&b.arena, app.app_id, text));
        check_error(&b, &answer, 401, "invalid_client", "700027", "certificate");
    }
    struct signer forged = signers[2];
    forged.info = signers[0].info;
    rf_str text = make_assertion(&b, &forged, app.app_id, &(struct claims){.nbf = 0});
    struct bench_answer answer =
        bench_form(&b, BENCH_TOKEN, assertion_body(&b.arena, app.app_id, text));
    check_error(&b, &answer, 401, "invalid_client", "700027", "forged");
    for (size_t i = 0; i < RF_COUNT(signers); i++) EVP_PKEY_free(signers[i].key);
    bench_close(&b);
}

struct racer {
    struct bench *b;
    rf_str body;
    struct rf_arena arena;
    pthread_t thread;
    uint16_t status;
};

static void *race(void *ctx)
{
    static const struct http_header headers[] = {
        BENCH_HEADER("Content-Type", "application/x-www-form-urlencoded")};
    struct racer *racer = ctx;
    struct bench_ask ask = {.method = HTTP_POST,
                            .target = BENCH_TOKEN,
                            .body = racer->body,
                            .headers = headers,
                            .header_count = 1,
                            .arena = &racer->arena};
    racer->status = bench_send(racer->b, &ask).status;
    return NULL;
}

/* Of eight that come with the same assertion at the same time one is served, and nobody later on. */
Test(identity, an_assertion_is_taken_once)
{
    enum { RACERS = 8, ROUNDS = 5 };
    struct racer racers[RACERS];
    struct bench b;
    bench_open(&b, NULL);
    b.app = bench_app(&b, "admin", GRAPH_ROLES);
    b.token = bench_graph_token(&b, &b.app);
    struct signer signer = make_signer(&b, BENCH_START - DAY, BENCH_START + DAY);
    register_certs(&b, &b.app, &signer, 1);
    for (int round = 0; round < ROUNDS; round++) {
        rf_str text = make_assertion(&b, &signer, b.app.app_id, &(struct claims){.nbf = 0});
        rf_str body = assertion_body(&b.arena, b.app.app_id, text);
        for (int i = 0; i < RACERS; i++) {
            racers[i] = (struct racer){.b = &b, .body = body};
            rf_arena_init(&racers[i].arena, 8 << 20);
            cr_assert(pthread_create(&racers[i].thread, NULL, race, &racers[i]) == 0);
        }
        int served = 0;
        for (int i = 0; i < RACERS; i++) {
            pthread_join(racers[i].thread, NULL);
            rf_arena_done(&racers[i].arena);
            cr_assert(racers[i].status == 200 || racers[i].status == 401);
            served += racers[i].status == 200;
        }
        cr_assert(served == 1, "%d", served);
        cr_assert(bench_form(&b, BENCH_TOKEN, body).status == 401);
    }
    EVP_PKEY_free(signer.key);
    bench_close(&b);
}

/* MSAL for JavaScript sends one assertion for each resource within ten minutes. */
Test(identity, an_assertion_can_be_taken_once_per_resource)
{
    struct bench b;
    bench_open(&b, &(struct identity_options){.assertion_once_per_resource = true});
    b.app = bench_app(&b, "admin", GRAPH_ROLES);
    b.token = bench_graph_token(&b, &b.app);
    struct signer signer = make_signer(&b, BENCH_START - DAY, BENCH_START + DAY);
    register_certs(&b, &b.app, &signer, 1);
    rf_str text = make_assertion(&b, &signer, b.app.app_id, &(struct claims){.nbf = 0});
    rf_str vault = assertion_body(&b.arena, b.app.app_id, text);
    rf_str graph = rf_arena_printf(&b.arena, "%.*s", RF_FMT(vault));
    size_t at = rf_str_find(graph, RF_S("vault.azure.net"), 0);
    cr_assert(at != SIZE_MAX);
    rf_str rest = rf_slice(graph, at + 15, graph.len);
    graph = rf_arena_printf(&b.arena, "%.*smonitor.azure.com%.*s", (int)at, (const char *)graph.ptr,
                            RF_FMT(rest));
    cr_assert(bench_form(&b, BENCH_TOKEN, vault).status == 200);
    cr_assert(bench_form(&b, BENCH_TOKEN, graph).status == 200);
    cr_assert(bench_form(&b, BENCH_TOKEN, vault).status == 401);
    cr_assert(bench_form(&b, BENCH_TOKEN, graph).status == 401);
    EVP_PKEY_free(signer.key);
    bench_close(&b);
}

/* ---- federated credentials ------------------------------------------------------------------------------------------------------- */

Test(identity, federation_hosts)
{
    static const rf_str allowed[] = {RF_S("issuer.example"), RF_S("*.tenant.example"),
                                     RF_S("port.example:8443")};
    static const struct {
        const char *url;
        bool may;
    } rows[] = {
        {"https://issuer.example", true},
        {"https://issuer.example/a/b", true},
        {"https://ISSUER.example/", true},
        {"http://issuer.example", false},
        {"https://issuer.example.evil.test", false},
        {"https://evil.test/issuer.example", false},
        {"https://issuer.example@evil.test", false},
        {"https://evil.test?issuer.example", false},
        {"https://issuer.example:444", false},
        {"https://a.tenant.example/x", true},
        {"https://a.b.tenant.example/x", true},
        {"https://tenant.example/x", false},
        {"https://evil.test/.tenant.example", false},
        {"https://evil.test#.tenant.example", false},
        {"https://port.example:8443/", true},
        {"https://port.example/", false},
        {"https://localhost:1", false},
        {"https://127.0.0.1", false},
        {"https://", false},
        {"", false},
    };
    struct bench b;
    bench_open(&b, &(struct identity_options){.federation_hosts = allowed,
                                              .federation_host_count = RF_COUNT(allowed)});
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        cr_assert(federation_may_fetch(b.identity->federation, rf_str_of(rows[i].url)) ==
                      rows[i].may,
                  "%s", rows[i].url);
    bench_close(&b);
}

/* An issuer on the loopback address: metadata and keys over TLS with the estate's own certificate. */
struct issuer {
    struct server *server;
    struct tls_context *tls;
    struct keeper *keeper;
    struct signer signer;
    rf_str origin, keys, metadata;
    atomic_uint asked;
};

static struct http_plan issuer_plan(void *ctx, const struct http_request *head)
{
    (void)ctx;
    (void)head;
    return (struct http_plan){.body_bytes_max = 1 << 16, .lane = HTTP_QUICK, .who = 1};
}

static void issuer_run(void *ctx, const struct http_request *request,
                       struct http_response *response, const atomic_bool *gone)
{
    struct issuer *issuer = ctx;
    (void)gone;
    atomic_fetch_add(&issuer->asked, 1);
    http_set_literal(response, "Content-Type", "application/json");
    rf_buf_str(&response->body,
               rf_str_is(request->path, "/keys") ? issuer->keys : issuer->metadata);
}

static void issuer_refuse(void *ctx, const struct http_request *head, const char *why,
                          struct http_response *response)
{
    (void)ctx;
    (void)head;
    (void)why;
    (void)response;
}

static enum rf_kind issuer_sign(void *ctx, const uint8_t *leaf, rf_str digest, uint8_t *out,
                                size_t cap, size_t *len, struct rf_err *err)
{
    struct issuer *issuer = ctx;
    return keeper_tls_sign(issuer->keeper, leaf, digest, out, cap, len, err);
}

static void issuer_open(struct issuer *issuer, struct bench *b)
{
    struct rf_err err;
    rf_str chain, ca, n, e;
    uint16_t port;
    struct public_key *key;
    memset(issuer, 0, sizeof *issuer);
    issuer->keeper = b->keeper;
    issuer->signer = make_signer(b, BENCH_START - DAY, BENCH_START + DAY);
    cr_assert(public_key_of_cert(issuer->signer.cert, &key, &err) == RF_OK);
    cr_assert(public_key_rsa(key, &b->arena, &n, &e));
    public_key_free(key);
    cr_assert(keeper_tls_chain(b->keeper, &b->arena, &chain, &ca, &err) == RF_OK);
    struct tls_server_options tls = {.chain_pem = chain, .sign = issuer_sign, .sign_ctx = issuer};
    cr_assert(tls_server_new(&tls, &issuer->tls, &err) == RF_OK, "%s", err.text);
    struct server_options options = {.handler = {issuer, issuer_plan, issuer_run, issuer_refuse},
                                     .loops = 1,
                                     .quick_workers = 1,
                                     .heavy_workers = 1,
                                     .clock = rf_clock_real()};
    cr_assert(server_new(&options, &issuer->server, &err) == RF_OK, "%s", err.text);
    cr_assert(server_listen(issuer->server, RF_S("127.0.0.1:0"), issuer->tls, &port, &err) == RF_OK,
              "%s", err.text);
    issuer->origin = rf_arena_printf(&b->arena, "https://localhost:%u", port);
    issuer->metadata =
        rf_arena_printf(&b->arena, "{\"issuer\":\"%.*s\",\"jwks_uri\":\"%.*s/keys\"}",
                        RF_FMT(issuer->origin), RF_FMT(issuer->origin));
    issuer->keys = rf_arena_printf(
        &b->arena, "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"k1\",\"n\":\"%.*s\",\"e\":\"%.*s\"}]}",
        RF_FMT(base64url_encode(&b->arena, n)), RF_FMT(base64url_encode(&b->arena, e)));
    cr_assert(server_start(issuer->server, &err) == RF_OK, "%s", err.text);
}

static void issuer_close(struct issuer *issuer)
{
    server_stop(issuer->server, 0);
    server_free(issuer->server);
    tls_free(issuer->tls);
    EVP_PKEY_free(issuer->signer.key);
}

static struct bench_answer ask_federated(struct bench *b, const struct issuer *issuer,
                                         const struct signer *signer, const char *iss,
                                         const char *sub, const char *aud, int64_t exp)
{
    int64_t now = rf_clock_now(&b->clock.clock) / RF_USEC_PER_SECOND;
    struct json_node *header = json_new(&b->arena, JSON_T_OBJECT);
    struct json_node *claims = json_new(&b->arena, JSON_T_OBJECT);
    json_set_text(&b->arena, header, "alg", RF_S("RS256"));
    json_set_text(&b->arena, header, "kid", RF_S("k1"));
    json_set_text(&b->arena, claims, "iss", iss == NULL ? issuer->origin : rf_str_of(iss));
    json_set_text(&b->arena, claims, "sub", rf_str_of(sub));
    json_set_text(&b->arena, claims, "aud", rf_str_of(aud));
    json_set_i64(&b->arena, claims, "iat", now);
    json_set_i64(&b->arena, claims, "exp", now + exp);
    rf_str input = jwt_signing_input(&b->arena, header, claims);
    rf_str token = jwt_assemble(&b->arena, input, sign(b, signer, false, input));
    return bench_form(b, BENCH_TOKEN, assertion_body(&b->arena, b->app.app_id, token));
}

/* Loopback addresses are out of reach unless they are named, with their port. */
Test(identity, issuers_at_loopback_are_named_one_by_one)
{
    static const struct {
        const char *url;
        bool none, named;
    } cases[] = {
        {"https://localhost:9443", false, true},
        {"https://localhost:9443/keys", false, true},
        {"https://localhost:9444", false, false},
        {"https://localhost", false, false},
        {"https://127.0.0.1:9443", false, false},
        {"https://127.0.0.2", false, false},
        {"https://a.localhost:9443", false, false},
        {"https://[::1]:1", false, true},
        {"https://10.1.2.3", false, true},
        {"https://10.1.2.4", false, false},
        {"https://gitlab.com", true, true},
        {"http://localhost:9443", false, false},
        {"https://user@localhost:9443", false, false},
    };
    const rf_str private[] = {RF_S("localhost:9443"), RF_S("[::1]:*"), RF_S("10.1.2.3")};
    for (int named = 0; named < 2; named++) {
        struct bench b;
        bench_open(&b, &(struct identity_options){.federation_private = private,
                                                  .federation_private_count =
                                                      named == 0 ? 0 : RF_COUNT(private)});
        for (size_t i = 0; i < RF_COUNT(cases); i++)
            cr_expect(federation_may_fetch(b.identity->federation, rf_str_of(cases[i].url)) ==
                          (named == 0 ? cases[i].none : cases[i].named),
                      "%s %d", cases[i].url, named);
        bench_close(&b);
    }
}

Test(identity, federated_credentials)
{
#define EXCHANGE "api://AzureADTokenExchange"
#define SUBJECT "repo:contoso/x:ref:refs/heads/main"
    struct bench b;
    struct issuer issuer;
    const rf_str private[] = {RF_S("localhost:*"), RF_S("127.0.0.1:*")};
    bench_open(&b, &(struct identity_options){.federation_private = private,
                                              .federation_private_count = RF_COUNT(private)});
    b.app = bench_app(&b, "admin", GRAPH_ROLES);
    b.token = bench_graph_token(&b, &b.app);
    issuer_open(&issuer, &b);
    const char *path = bench_text(
        &b, "/v1.0/applications(appId='%.*s')/federatedIdentityCredentials", RF_FMT(b.app.app_id));
    const char *body = bench_text(&b,
                                  "{\"name\":\"ci\",\"issuer\":\"%.*s\",\"subject\":\"" SUBJECT
                                  "\",\"audiences\":[\"" EXCHANGE "\"]}",
                                  RF_FMT(issuer.origin));
    cr_assert(bench_graph(&b, HTTP_POST, path, body).status == 201);
    cr_assert(bench_graph(&b, HTTP_POST, path, body).status == 400);
    struct bench_answer answer =
        ask_federated(&b, &issuer, &issuer.signer, NULL, SUBJECT, EXCHANGE, 300);
    cr_assert(answer.status == 200, "%.*s", RF_FMT(answer.text));
    cr_assert(rf_str_is(
        json_text_at(verified(&b, json_text_at(answer.json, "access_token")), "appidacr"), "2"));
    /* The same again: such tokens are shown until they end, and keys are fetched once. */
    answer = ask_federated(&b, &issuer, &issuer.signer, NULL, SUBJECT, EXCHANGE, 300);
    cr_assert(answer.status == 200 && atomic_load(&issuer.asked) == 2);
    static const struct {
        const char *iss, *sub, *aud, *code;
        int64_t exp;
    } rows[] = {
        {NULL, "repo:contoso/y", EXCHANGE, "700213", 300},
        {NULL, SUBJECT, "other", "700212", 300},
        {"https://localhost:1", SUBJECT, EXCHANGE, "700211", 300},
        {NULL, SUBJECT, EXCHANGE, "700024", -3600},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        answer = ask_federated(&b, &issuer, &issuer.signer, rows[i].iss, rows[i].sub, rows[i].aud,
                               rows[i].exp);
        check_error(&b, &answer, 401, "invalid_client", rows[i].code, rows[i].code);
    }
    struct signer stranger = make_signer(&b, BENCH_START - DAY, BENCH_START + DAY);
    answer = ask_federated(&b, &issuer, &stranger, NULL, SUBJECT, EXCHANGE, 300);
    check_error(&b, &answer, 401, "invalid_client", "700027", "stranger");
    EVP_PKEY_free(stranger.key);
    cr_assert(atomic_load(&issuer.asked) == 2);
    issuer_close(&issuer);
    bench_close(&b);
}

/* ---- managed identity -------------------------------------------------------------------------------------------------------------- */

Test(identity, managed_identity)
{
    struct bench b;
    struct rf_err err;
    struct state_txn *txn;
    struct identity_app host;
    static const char path[] =
        "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net";
    bench_open(&b, NULL);
    cr_assert(bench_get(&b, path).status == 400);
    cr_assert(state_begin_write(b.state, &txn, &err) == RF_OK);
    cr_assert(identity_make_managed_identity(b.identity, txn, RF_S("host"),
                                             RF_S("/subscriptions/s/host"), &b.arena, &host,
                                             &err) == RF_OK);
    cr_assert(state_commit(txn, &err) == RF_OK);
    struct http_header right = {.name = RF_S("X-IDENTITY-HEADER"), .value = host.secret};
    struct http_header wrong = {.name = RF_S("X-IDENTITY-HEADER"), .value = RF_S("wrong")};
    struct http_header passed[] = {right, BENCH_HEADER("X-Forwarded-For", "198.51.100.1")};
    struct bench_ask ask = {
        .method = HTTP_GET, .target = path, .headers = &right, .header_count = 1};
    struct bench_answer answer = bench_send(&b, &ask);
    cr_assert(answer.status == 200, "%.*s", RF_FMT(answer.text));
    const struct json_node *claims = verified(&b, json_text_at(answer.json, "access_token"));
    cr_assert(rf_str_is(json_text_at(claims, "xms_mirid"), "/subscriptions/s/host"));
    cr_assert(rf_str_is(json_text_at(claims, "idtyp"), "app"));
    cr_assert(json_is(json_get(answer.json, "expires_on"), JSON_T_STRING));
    ask.headers = &wrong;
    cr_assert(bench_send(&b, &ask).status == 401);
    ask.header_count = 0;
    cr_assert(bench_send(&b, &ask).status == 401);
    ask.headers = passed;
    ask.header_count = 2;
    cr_assert(bench_send(&b, &ask).status == 403);
    ask.header_count = 1;
    ask.remote = true;
    cr_assert(bench_send(&b, &ask).status == 403);
    ask.remote = false;
    ask.target = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x";
    ask.header_count = 0;
    cr_assert(bench_send(&b, &ask).status == 400);
    /* The header is no client secret, and nobody signs in as the host at the token endpoint. */
    cr_assert(bench_token(&b, host.app_id, host.secret, VAULT).status == 401);
    static const char *const row[] = {"\"ResultType\":\"0\"", "ManagedIdentitySignInLogs", NULL};
    cr_assert(bench_has_row(&b, "AADManagedIdentitySignInLogs", row));
    bench_close(&b);
}

/* ---- the directory ------------------------------------------------------------------------------------------------------------------ */

Test(identity, directory_knows_what_changed)
{
    struct bench b;
    struct rf_err err;
    struct principal who;
    rf_usec from;
    bench_open(&b, NULL);
    struct identity_app app = bench_app(&b, "one", "");
    struct directory directory = b.directory;
    cr_assert(directory.find(directory.ctx, app.object_id, &b.arena, &who, &from, &err) == RF_OK);
    cr_assert(who.type == PRINCIPAL_SERVICE && rf_str_is(who.display_name, "one") && from == 0);
    cr_assert(rf_str_eq(who.app_id, app.app_id));
    cr_assert(directory.find(directory.ctx, RF_S("11111111-2222-3333-4444-555555555555"), &b.arena,
                             &who, &from, &err) == RF_NOT_FOUND);
    cr_assert(strcmp(err.code, "PrincipalNotFound") == 0);
    cr_assert(directory.find(directory.ctx, RF_S("x"), &b.arena, &who, &from, &err) ==
              RF_NOT_FOUND);
    bench_close(&b);
}

/* Property: what a form holds is found again, whatever its bytes. */
RF_PROP(form_gives_back_what_was_encoded, 500)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_buf buf = rf_buf_in(&arena);
    rf_str values[8];
    uint32_t count = 1 + (uint32_t)rf_test_below(prng, RF_COUNT(values));
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *raw = rf_arena_alloc(&arena, 64);
        values[i] = rf_test_utf8(prng, raw, 64);
        for (size_t k = 0; k < values[i].len; k++)
            if (raw[k] == 0) raw[k] = 'z';
        rf_buf_printf(&buf, "%sf%u=%.*s", i == 0 ? "" : "&", i,
                      RF_FMT(percent_encode(&arena, values[i])));
    }
    struct form form;
    struct rf_err err;
    cr_assert(form_parse(rf_buf_view(&buf), &arena, &form, &err) == RF_OK, "%s", err.text);
    cr_assert(form.count == count);
    for (uint32_t i = 0; i < count; i++) cr_assert(rf_str_eq(form.fields[i].value, values[i]));
}
