#include "identity/bench_int.h"

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
    static const char *const row[] = {"\"ResultType\":\"0\"", "\"ResourceDisplayName\":\"Azure Key "
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
