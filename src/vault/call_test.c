#include "vault/vault_world.h"

#include "test/rf_prop.h"

/* ---- the challenge ---------------------------------------------------------------------------------------------- */

#define CHALLENGE                                                                                  \
    "Bearer authorization=\"https://localhost:8443/" WALK_TENANT                                   \
    "\", resource=\"https://vault.azure.net\""

static void expect_challenge(struct vault_world *w, const char *wanted)
{
    rf_str got = walk_header(&w->last, "WWW-Authenticate");
    cr_assert(rf_str_is(got, wanted), "'%.*s', not '%s'", RF_FMT(got), wanted);
    v_expect_text(w, "error.code", "Unauthorized");
}

Test(vault_call, whatever_is_asked_for_without_a_token_gets_a_challenge, .timeout = 60)
{
    struct vault_world w;
    v_init(&w);
    v_be(&w, NULL);
    static const char *const asked[][3] = {
        {"GET", "/secrets/x/?api-version=7.4", NULL},
        {"PUT", "/secrets/bad_name", "{"},
        {"POST", "/keys/x//sign?api%2Dversion=nothing", NULL},
        {"GET", "/certificates", NULL},
        {"GET", "/nothing/here", NULL},
        {"GET", "/secrets/%zz?%zz", NULL},
        {"GET", "/secrets/../x", NULL},
        {"OPTIONS", "/SECRETS//a/b/c/d/e/f/g/h", NULL},
        {"GET", "//deletedkeys?access_token=eyJ", NULL},
        {"POST", "/rng", NULL},
    };
    for (size_t i = 0; i < RF_COUNT(asked); i++) {
        cr_assert(v_raw(&w, asked[i][0], asked[i][1], asked[i][2]) == 401, "%s %s: %u", asked[i][0],
                  asked[i][1], w.last.status);
        expect_challenge(&w, CHALLENGE);
        v_expect_text(&w, "error.message", "AKV10000: Request is missing a Bearer or PoP token.");
    }
    v_done(&w);
}

Test(vault_call, only_what_was_meant_for_a_vault_leaves_a_row_of_the_vault)
{
    struct vault_world w;
    v_init(&w);
    v_be(&w, NULL);
    cr_assert(v_raw(&w, "GET", "/favicon.ico", NULL) == 401);
    cr_assert_str_eq(w.site.last_table, "RingfortDenials");
    cr_assert(v_raw(&w, "GET", "/secrets", NULL) == 401);
    cr_assert_str_neq(w.site.last_table, "RingfortDenials");
    cr_assert(rf_str_find(w.site.last_row, RF_S("\"Authentication\""), 0) != SIZE_MAX);
    uint32_t rows = w.site.rows;
    w.host = V_NAME ".vault.azure.net";
    cr_assert(v_raw(&w, "GET", "/favicon.ico", NULL) == 401);
    cr_assert(w.site.rows > rows + 1, "all of a vault's host is the vault's");
    v_done(&w);
}

/* Its pages talk to their own origin, and have addresses that look the same. */
Test(vault_call, the_portal_reaches_vaults_by_their_names)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", "/portal/vaults/" V_NAME "/secrets/door", "{\"value\":\"7\"}", 200);
    rf_str id = json_text_at(w.answer, "id");
    cr_assert(
        rf_str_starts(id, RF_S("https://" V_NAME ".vault.ringfort.localhost:8443/secrets/door/")),
        "%.*s", RF_FMT(id));
    w.host = V_NAME ".vault.ringfort.localhost:8443";
    v_expect(&w, "GET", "/secrets/door", NULL, 200);
    v_expect_text(&w, "value", "7");
    w.host = NULL;
    v_expect(&w, "GET", "/portal/vaults/" V_NAME "/secrets/door", NULL, 200);
    v_expect_text(&w, "value", "7");
    v_expect(&w, "GET", "/portal/vaults/" V_NAME "/secrets/none", NULL, 404);
    v_expect(&w, "GET", "/portal/vaults/nobodys-vault/secrets/door", NULL, 404);
    v_expect_text(&w, "error.code", "VaultNotFound");
    static const char *const pages[] = {"/portal/vaults/" V_NAME, "/portal/vaults/" V_NAME "/",
                                        "/portal/vaults/a.b/secrets"};
    for (size_t i = 0; i < RF_COUNT(pages); i++) {
        cr_assert(v_raw(&w, "GET", pages[i], NULL) == 404, "%zu: %u", i, w.last.status);
        v_expect_text(&w, "error.code", "NotFound");
    }
    v_be(&w, NULL);
    v_header(&w, PORTAL_HEADER, "1");
    v_expect(&w, "GET", "/portal/vaults/" V_NAME "/secrets/door", NULL, 401);
    cr_assert_str_neq(w.site.last_table, "RingfortDenials");
    v_be(&w, "aaaaaaaa-0000-0000-0000-0000000000ff");
    v_expect(&w, "GET", "/portal/vaults/" V_NAME "/secrets/door", NULL, 403);
    v_done(&w);
}

Test(vault_call, what_others_answer_stays_as_it_was)
{
    struct vault_world w;
    v_init(&w);
    cr_assert(v_raw(&w, "GET", "/nothing/here", NULL) == 404);
    v_expect_text(&w, "error.code", "NotFound");
    v_be(&w, NULL);
    cr_assert(v_raw(&w, "GET", V_GROUP "?api-version=2021-04-01", NULL) == 401);
    cr_assert(
        rf_str_starts(walk_header(&w.last, "WWW-Authenticate"), RF_S("Bearer authorization_uri=")));
    cr_assert(v_raw(&w, "POST", V_SUB, NULL) == 405, "%u", w.last.status);
    v_done(&w);
}

Test(vault_call, the_challenge_follows_the_host)
{
    struct vault_world w;
    v_init(&w);
    v_be(&w, NULL);
    static const struct {
        const char *host, *resource;
    } hosts[] = {
        {V_NAME ".vault.ringfort.localhost:8443", "https://vault.ringfort.localhost"},
        {"KV1.Vault.azure.net", "https://vault.azure.net"},
        {"kv1.vault.example.test:8443", "https://vault.example.test"},
        {"kv1.vault.example.test:1", "https://vault.example.test"},
    };
    for (size_t i = 0; i < RF_COUNT(hosts); i++) {
        w.host = hosts[i].host;
        cr_assert(v_raw(&w, "GET", "/subscriptions", NULL) == 401,
                  "all of the host is the vault's");
        /* Tokens are to be had at the origin: the vault's host answers for the vault only. */
        rf_str wanted = rf_arena_printf(&w.site.arena,
                                        "Bearer authorization=\"https://localhost:8443/" WALK_TENANT
                                        "\", resource=\"%s\"",
                                        hosts[i].resource);
        expect_challenge(&w, rf_arena_cstr(&w.site.arena, wanted));
    }
    w.host = "127.0.0.1:8443";
    cr_assert(v_raw(&w, "GET", "/secrets", NULL) == 401);
    expect_challenge(&w, "Bearer authorization=\"https://127.0.0.1:8443/" WALK_TENANT
                         "\", resource=\"https://vault.azure.net\"");
    static const char *const others[] = {"evil.example:8443",
                                         "x.vaults.example:8443",
                                         "vault.example.test:8443",
                                         ".vault.example.test",
                                         "kv.vault.",
                                         "a\".vault.example.test"};
    for (size_t i = 0; i < RF_COUNT(others); i++) {
        w.host = others[i];
        cr_assert(v_raw(&w, "GET", "/secrets", NULL) == 421, "%s: %u", others[i], w.last.status);
    }
    v_done(&w);
}

Test(vault_call, a_vault_is_chosen_by_the_host)
{
    struct vault_world w;
    v_init(&w);
    v_vault(&w, "other-kv", "");
    v_assign(&w, V_ADMIN, V_ROLE_ADMIN, V_VAULTS "other-kv");
    w.host = "Other-KV.vault.azure.net";
    v_expect(&w, "GET", "/secrets", NULL, 200);
    w.host = V_NAME ".vault.ringfort.localhost:8443";
    v_expect(&w, "GET", "/secrets", NULL, 200);
    v_expect_error(&w, "GET", "/nothing/here", NULL, 404, "NotFound", NULL);
    w.host = "nobody.vault.azure.net";
    v_expect_error(&w, "GET", "/secrets", NULL, 404, "VaultNotFound", NULL);
    w.site.site.vault_name = (rf_str){0};
    w.host = NULL;
    v_expect_error(&w, "GET", "/secrets", NULL, 404, "VaultNotFound", NULL);
    v_done(&w);
}

/* ---- tokens ----------------------------------------------------------------------------------------------------- */

static void expect_refused(struct vault_world *w, rf_str authorization, const char *text)
{
    w->token = authorization;
    cr_assert(v_raw(w, "GET", "/secrets?api-version=7.4", NULL) == 401, "%s: %u", text,
              w->last.status);
    expect_challenge(w, CHALLENGE);
    rf_str message = json_text_at(w->answer, "error.message");
    cr_assert(rf_str_starts(message, rf_str_of(text)), "'%.*s', not '%s'", RF_FMT(message), text);
    if (authorization.len > 40) {
        rf_str tail = rf_slice(authorization, authorization.len - 20, authorization.len);
        cr_assert(rf_str_find(rf_buf_view(&w->last.body), tail, 0) == SIZE_MAX, "echoed");
    }
}

static void expect_token_refused(struct vault_world *w, rf_str token, const char *text)
{
    expect_refused(w, walk_bearer(&w->site, token), text);
}

Test(vault_call, each_fault_of_a_token_is_told_apart, .timeout = 60)
{
    struct vault_world w;
    v_init(&w);
    const char *missing = "AKV10000:", *unreadable = "AKV10001:", *signature = "AKV10046: Unable ",
               *times = "[TokenExpired] Error validating token",
               *audience = "AKV10022: Invalid audience. Expected https://vault.azure.net, found: ",
               *issuer = "AKV10032: Invalid issuer. Expected one of ",
               *other = "[BearerReadAccessTokenFailed]";
    expect_refused(&w, RF_S("Basic YTpi"), missing);
    expect_refused(&w, RF_S("Bearer "), missing);
    expect_refused(&w, RF_S("PoP x"), missing);
    static const char *const texts[] = {"x", "a.b", "a.b.c", "a.b.c.d", "..", "eyJhIjoxfQ.e30."};
    for (size_t i = 0; i < RF_COUNT(texts); i++)
        expect_token_refused(&w, rf_str_of(texts[i]), unreadable);
    struct walk_token foreign = {.audience = V_AUDIENCE};
    expect_token_refused(&w, walk_token(&w.site, &foreign), signature);
    static const char *const algorithms[] = {"none", "None", "HS256", "", "PS256", "RS512"};
    for (size_t i = 0; i < RF_COUNT(algorithms); i++) {
        foreign = (struct walk_token){.audience = V_AUDIENCE, .alg = algorithms[i]};
        expect_token_refused(&w, walk_token(&w.site, &foreign), signature);
    }
    foreign = (struct walk_token){.audience = V_AUDIENCE, .extra_header = "jku"};
    expect_token_refused(&w, walk_token(&w.site, &foreign), signature);
    expect_token_refused(&w, walk_token_hmac(&w.site), signature);
    rf_str good = v_jwt(&w, &(struct walk_token){.oid = V_ADMIN}), changed;
    cr_assert(rf_arena_str(&w.site.arena, good, &changed));
    uint8_t *byte = (uint8_t *)(uintptr_t)&changed.ptr[changed.len - 100];
    *byte = *byte == 'A' ? 'B' : 'A';
    expect_token_refused(&w, changed, signature);
    expect_token_refused(
        &w, v_jwt(&w, &(struct walk_token){.oid = V_ADMIN, .from = -7200, .to = -61}), times);
    expect_token_refused(&w, v_jwt(&w, &(struct walk_token){.oid = V_ADMIN, .from = 61}), times);
    static const char *const others[] = {
        "https://management.azure.com", "https://graph.microsoft.com",
        "https://eventhubs.azure.net", "https://localhost:8443", "https://vault.example.test"};
    for (size_t i = 0; i < RF_COUNT(others); i++) {
        expect_token_refused(
            &w, v_jwt(&w, &(struct walk_token){.oid = V_ADMIN, .audience = others[i]}), audience);
        rf_str message = json_text_at(w.answer, "error.message");
        cr_assert(rf_str_find(message, rf_str_of(others[i]), 0) != SIZE_MAX);
    }
    expect_token_refused(
        &w,
        v_jwt(&w, &(struct walk_token){.oid = V_ADMIN,
                                       .tenant = "00000000-2222-3333-4444-555555555555"}),
        issuer);
    foreign = (struct walk_token){
        .audience = V_AUDIENCE, .kid = "other", .issuer = "https://sts.windows.net/another/"};
    expect_token_refused(&w, walk_token(&w.site, &foreign), issuer);
    cr_assert(walk_body_has(&w.last, "found https://sts.windows.net/another/"));
    expect_token_refused(&w, v_jwt(&w, &(struct walk_token){.oid = V_ADMIN, .is_id = true}), other);
    w.site.disabled = true;
    expect_token_refused(&w, good, other);
    w.site.disabled = false;
    w.token = walk_bearer(&w.site, good);
    v_expect(&w, "GET", "/secrets", NULL, 200);
    v_done(&w);
}

/* Whoever makes the server believe a token still gets nothing that is sealed. */
Test(vault_call, the_keeper_checks_tokens_itself)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", "/secrets/foo", "{\"value\":\"v\"}", 200);
    struct token_key forged = {w.site.kid, w.site.cert};
    cr_assert(dispatcher_set_keys(w.dispatcher, &forged, 1, &w.err) == RF_OK);
    struct walk_token want = {.audience = V_AUDIENCE, .oid = V_ADMIN};
    rf_str token = walk_bearer(&w.site, walk_token(&w.site, &want));
    w.token = token;
    v_expect(&w, "GET", "/secrets", NULL, 200);
    w.token = token;
    v_expect(&w, "GET", "/secrets/foo/", NULL, 401);
    expect_challenge(&w, CHALLENGE);
    cr_assert(walk_body_has(&w.last, "[BearerReadAccessTokenFailed]"));
    v_expect(&w, "PUT", "/secrets/foo", "{\"value\":\"w\"}", 401);
    v_done(&w);
}

Test(vault_call, audiences_under_which_vaults_are_known)
{
    struct vault_world w;
    v_init(&w);
    static const char *const good[] = {"https://vault.azure.net",
                                       "https://vault.azure.net/",
                                       "https://vault.ringfort.localhost",
                                       "https://vault.ringfort.localhost:8443",
                                       "https://kv1.vault.ringfort.localhost",
                                       "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"};
    for (size_t i = 0; i < RF_COUNT(good); i++) {
        w.token = walk_bearer(&w.site,
                              v_jwt(&w, &(struct walk_token){.oid = V_ADMIN, .audience = good[i]}));
        cr_assert(v_call(&w, "GET", "/secrets", NULL) == 200, "%s: %u", good[i], w.last.status);
    }
    v_done(&w);
}

/* ---- requests --------------------------------------------------------------------------------------------------- */

Test(vault_call, versions_of_the_api)
{
    struct vault_world w;
    v_init(&w);
    static const char *const good[] = {
        "7.0", "7.1",           "7.2",           "7.3",           "7.4",           "7.5",
        "7.6", "7.4-preview.1", "7.5-preview.1", "7.6-preview.1", "7.6-preview.2", "2025-07-01"};
    for (size_t i = 0; i < RF_COUNT(good); i++) {
        rf_str target = rf_arena_printf(&w.site.arena, "/secrets?%%61pi%%2Dversion=%s", good[i]);
        cr_assert(v_raw(&w, "GET", rf_arena_cstr(&w.site.arena, target), NULL) == 200, "%s",
                  good[i]);
    }
    static const char *const bad[] = {"1.0", "7", "7.60", "7.6-preview.3", "2025-07-02", "7.4%00"};
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        rf_str target = rf_arena_printf(&w.site.arena, "/secrets?api-version=%s", bad[i]);
        cr_assert(v_raw(&w, "GET", rf_arena_cstr(&w.site.arena, target), NULL) == 400, "%s",
                  bad[i]);
        v_expect_text(&w, "error.code", "BadParameter");
        cr_assert(i == 5 || walk_body_has(&w.last, bad[i]), "%s is named", bad[i]);
    }
    static const char *const none[] = {"/secrets", "/secrets?api-version=", "/secrets?x=7.4"};
    for (size_t i = 0; i < RF_COUNT(none); i++) {
        cr_assert(v_raw(&w, "GET", none[i], NULL) == 400, "%s", none[i]);
        v_expect_text(&w, "error.message", "api-version must be specified");
    }
    v_done(&w);
}

Test(vault_call, answers_have_the_headers_of_a_vault)
{
    struct vault_world w;
    v_init(&w);
    static const char *const peers[][2] = {
        {"192.0.2.9", "conn_type=Ipv4;addr=192.0.2.9;act_addr_fam=InterNetwork;"},
        {"2001:db8::1", "conn_type=Ipv6;addr=2001:db8::1;act_addr_fam=InterNetworkV6;"}};
    for (size_t i = 0; i < RF_COUNT(peers); i++) {
        w.peer = peers[i][0];
        static const int statuses[] = {200, 404, 400, 401};
        for (size_t k = 0; k < RF_COUNT(statuses); k++) {
            if (statuses[k] == 401) v_be(&w, NULL);
            static const char *const targets[] = {"/secrets", "/secrets/none/",
                                                  "/secrets?api-version=9", "/secrets"};
            v_expect(&w, "GET", targets[k], NULL, statuses[k]);
            cr_expect(rf_str_is(walk_header(&w.last, "x-ms-keyvault-network-info"), peers[i][1]));
            cr_expect(rf_str_is(walk_header(&w.last, "x-ms-keyvault-region"), "local"));
            cr_expect(walk_header(&w.last, "x-ms-keyvault-service-version").len > 0);
            cr_expect(rf_str_is(walk_header(&w.last, "Pragma"), "no-cache"));
            cr_expect(rf_str_is(walk_header(&w.last, "Cache-Control"), "no-cache, no-store"));
            cr_expect(rf_str_is(walk_header(&w.last, "X-Content-Type-Options"), "nosniff"));
            cr_expect(
                rf_str_is(walk_header(&w.last, "Content-Type"), "application/json; charset=utf-8"));
            cr_expect(guid_is(walk_header(&w.last, "x-ms-request-id")));
        }
        v_be(&w, V_ADMIN);
    }
    v_header(&w, "x-ms-client-request-id", "11111111-0000-0000-0000-000000000001");
    v_header(&w, "x-ms-return-client-request-id", "true");
    v_expect(&w, "GET", "/secrets", NULL, 200);
    cr_expect(rf_str_is(walk_header(&w.last, "x-ms-client-request-id"),
                        "11111111-0000-0000-0000-000000000001"));
    v_done(&w);
}

Test(vault_call, methods_and_names)
{
    struct vault_world w;
    v_init(&w);
    v_expect_error(&w, "POST", "/secrets/x", "{}", 405, "MethodNotAllowed", NULL);
    rf_str allow = walk_header(&w.last, "Allow");
    cr_expect(rf_str_find(allow, RF_S("PUT"), 0) != SIZE_MAX, "%.*s", RF_FMT(allow));
    v_expect(&w, "DELETE", "/secrets", NULL, 405);
    v_expect(&w, "PUT", "/secrets/restore", "{\"value\":\"x\"}", 405);
    static const char *const bad[] = {"/secrets/bad_name/", "/secrets/a%2Fb", "/secrets/%20",
                                      "/secrets/a%zz",      "/secrets/..",    "/secrets/a.b/",
                                      "/secrets/x/short"};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        v_expect_error(&w, "GET", bad[i], NULL, 400, "BadParameter", NULL);
    v_expect_error(&w, "GET", "/secrets/x/1/2/3/4/5/6", NULL, 404, "NotFound", NULL);
    v_done(&w);
}

Test(vault_call, the_body_is_one_strict_object)
{
    struct vault_world w;
    v_init(&w);
    static const char *const bad[] = {"{",
                                      "[]",
                                      "\"value\"",
                                      "null",
                                      "{\"value\":\"a\"}x",
                                      "{\"value\":\"a\"}{}",
                                      "{\"value\":\"a\",\"value\":\"b\"}",
                                      "{\"value\":\"\\ud800\"}",
                                      "{\"value\":\"\xff\"}"};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        v_expect_error(&w, "PUT", "/secrets/x", bad[i], 400, "BadParameter", NULL);
    v_done(&w);
}

/* ---- all that can be asked for ---------------------------------------------------------------------------------- */

static const char *path_of(struct vault_world *w, const struct vault_operation *operation)
{
    struct rf_buf buf = rf_buf_in(&w->site.arena);
    rf_buf_byte(&buf, '/');
    for (const char *c = operation->path; *c != '\0';) {
        if (*c != '{') {
            rf_buf_byte(&buf, (uint8_t)*c++);
            continue;
        }
        if (strncmp(c, "{version}", 9) != 0) rf_buf_byte(&buf, 'x');
        c = strchr(c, '}') + 1;
    }
    rf_buf_byte(&buf, '\0');
    return (const char *)rf_buf_view(&buf).ptr;
}

/* "secrets/getSecret/action", "keys/read": a type and a verb. */
static bool is_action(const char *action)
{
    static const char *const verbs[] = {"/read", "/write", "/delete", "/action"};
    bool has_verb = false;
    for (size_t i = 0; i < RF_COUNT(verbs); i++)
        has_verb |= rf_str_ends(rf_str_of(action), rf_str_of(verbs[i]));
    return has_verb && rf_is_alpha((uint8_t)action[0]) && strchr(action, ' ') == NULL &&
           strchr(action, '*') == NULL;
}

static void expect_declared(const struct vault_operation *operation)
{
    static const char *const collections[] = {"secrets ", "keys ", "certificates "};
    bool has_policy = operation->action == NULL;
    cr_expect(operation->run != NULL && operation->audit != NULL, "%s", operation->path);
    cr_expect(operation->action == NULL || is_action(operation->action), "%s", operation->path);
    cr_expect(operation->or_action == NULL || is_action(operation->or_action));
    for (size_t i = 0; i < RF_COUNT(collections) && operation->policy != NULL; i++)
        has_policy |= strncmp(operation->policy, collections[i], strlen(collections[i])) == 0;
    cr_expect(has_policy, "%s has no policy", operation->path);
}

Test(vault_call, no_operation_runs_for_who_may_not, .timeout = 60)
{
    struct vault_world w;
    v_init(&w);
    const struct vault_table tables[] = {
        {vault_secret_operations, vault_secret_operation_count},
        {vault_key_operations, vault_key_operation_count},
        {vault_certificate_operations, vault_certificate_operation_count}};
    uint32_t open = 0;
    v_vault(&w, "policies", "\"enableRbacAuthorization\":false");
    for (size_t t = 0; t < RF_COUNT(tables); t++) {
        cr_expect(tables[t].count > 0, "table %zu is empty", t);
        for (uint32_t i = 0; i < tables[t].count; i++) {
            const struct vault_operation *operation = &tables[t].items[i];
            const char *method = http_method_name(operation->method);
            expect_declared(operation);
            const char *path = path_of(&w, operation);
            w.peer = rf_arena_cstr(&w.site.arena,
                                   rf_arena_printf(&w.site.arena, "2001:db8::%zx:%x", t, i));
            v_be(&w, NULL);
            v_expect(&w, method, path, "{}", 401);
            v_be(&w, V_OTHER);
            if (operation->action == NULL) {
                open++;
                continue;
            }
            v_expect_error(&w, method, path, "{}", 403, "Forbidden", "ForbiddenByRbac");
            /* The same operation was found, and not one that looks like it. */
            rf_str action = rf_arena_printf(&w.site.arena, "vaults/%s'", operation->action);
            cr_expect(walk_body_has(&w.last, rf_arena_cstr(&w.site.arena, action)), "%s %s", method,
                      path);
            w.host = "policies.vault.azure.net";
            v_expect_error(&w, method, path, "{}", 403, "Forbidden", "AccessDenied");
            w.host = NULL;
        }
    }
    cr_expect(open == 1, "unwrap alone looks by itself who may");
    v_done(&w);
}
