#include "test/rf_prop.h"

#include "identity/bench_int.h"

#define VAULT "https://vault.azure.net/.default"
#define ROLES                                                                                      \
    "User.ReadWrite.All Application.ReadWrite.All Group.ReadWrite.All Directory.ReadWrite.All "    \
    "AuditLog.Read.All Policy.ReadWrite.ConditionalAccess UserAuthenticationMethod.ReadWrite.All " \
    "AppRoleAssignment.ReadWrite.All"

static void setup(struct bench *b)
{
    bench_open(b, NULL);
    b->app = bench_app(b, "admin", ROLES);
    b->token = bench_graph_token(b, &b->app);
}

static struct bench_answer expect(struct bench *b, uint16_t status, enum http_method method,
                                  const char *path, const char *body)
{
    struct bench_answer answer = bench_graph(b, method, path, body);
    cr_assert(answer.status == status, "%s %s: %u %.*s", http_method_name(method), path,
              answer.status, RF_FMT(answer.text));
    return answer;
}

static const char *text_at(struct bench *b, const struct bench_answer *answer, const char *path)
{
    return rf_arena_cstr(&b->arena, json_text_at(answer->json, path));
}

struct made {
    const char *id, *app_id, *oid, *secret;
};

static struct made make_app(struct bench *b, const char *name)
{
    struct made made;
    struct bench_answer answer =
        expect(b, 201, HTTP_POST, "/v1.0/applications",
               bench_text(b, "{\"displayName\":\"%s\",\"signInAudience\":\"AzureADMyOrg\"}", name));
    made.id = text_at(b, &answer, "id");
    made.app_id = text_at(b, &answer, "appId");
    answer = expect(b, 201, HTTP_POST, "/v1.0/servicePrincipals",
                    bench_text(b, "{\"appId\":\"%s\"}", made.app_id));
    made.oid = text_at(b, &answer, "id");
    answer = expect(b, 200, HTTP_POST, bench_text(b, "/v1.0/applications/%s/addPassword", made.id),
                    "{\"passwordCredential\":{\"displayName\":\"test\"}}");
    made.secret = text_at(b, &answer, "secretText");
    return made;
}

static struct bench_answer ask_token(struct bench *b, const struct made *app, const char *secret,
                                     const char *scope)
{
    return bench_token(b, rf_str_of(app->app_id), rf_str_of(secret), scope);
}

Test(graph, application_with_secrets)
{
    struct bench b;
    setup(&b);
    struct made app = make_app(&b, "one");
    cr_assert(ask_token(&b, &app, app.secret, VAULT).status == 200);
    struct bench_answer answer =
        expect(&b, 200, HTTP_GET, bench_text(&b, "/v1.0/applications/%s", app.id), NULL);
    cr_assert(json_get(answer.json, "passwordCredentials")->count == 1);
    cr_assert(rf_str_find(answer.text, rf_str_of(app.secret), 0) == SIZE_MAX);
    cr_assert(rf_str_find(answer.text, RF_S("~"), 0) == SIZE_MAX, "%.*s", RF_FMT(answer.text));
    rf_str key = json_text_at(json_get(answer.json, "passwordCredentials")->first, "keyId");
    /* No trace of the secret on the disk either: neither in the database nor in its journal. */
    char command[256];
    snprintf(command, sizeof command, "cat %s/state.db* | grep -qF '%s'", b.folder, app.secret);
    cr_assert(system(command) != 0);
    answer = expect(&b, 200, HTTP_GET, bench_text(&b, "/v1.0/applications(appId='%s')", app.app_id),
                    NULL);
    cr_assert(rf_str_is(json_text_at(answer.json, "id"), app.id));
    answer = expect(&b, 200, HTTP_GET,
                    bench_text(&b, "/beta/servicePrincipals(appId='%s')", app.app_id), NULL);
    cr_assert(rf_str_is(json_text_at(answer.json, "id"), app.oid));
    expect(&b, 204, HTTP_POST, bench_text(&b, "/v1.0/applications/%s/removePassword", app.id),
           bench_text(&b, "{\"keyId\":\"%.*s\"}", RF_FMT(key)));
    cr_assert(ask_token(&b, &app, app.secret, VAULT).status == 401);
    static const char *const row[] = {
        "Update application \xe2\x80\x93 Certificates and secrets management",
        "KeyIdentifier=", "KeyDescription", NULL};
    cr_assert(bench_has_row(&b, "AuditLogs", row));
    bench_close(&b);
}

Test(graph, expired_and_disabled)
{
    struct bench b;
    setup(&b);
    struct made app = make_app(&b, "two");
    struct bench_answer answer =
        expect(&b, 200, HTTP_POST, bench_text(&b, "/v1.0/applications/%s/addPassword", app.id),
               "{\"passwordCredential\":{\"endDateTime\":\"2026-01-31T12:00:05.500Z\"}}");
    const char *shortly = text_at(&b, &answer, "secretText");
    cr_assert(ask_token(&b, &app, shortly, VAULT).status == 200);
    rf_clock_fixed_pass(&b.clock, 10 * RF_USEC_PER_SECOND);
    answer = ask_token(&b, &app, shortly, VAULT);
    cr_assert(answer.status == 401);
    cr_assert(rf_str_find(answer.text, RF_S("AADSTS7000222"), 0) != SIZE_MAX);
    expect(&b, 204, HTTP_PATCH, bench_text(&b, "/v1.0/servicePrincipals/%s", app.oid),
           "{\"accountEnabled\":false}");
    answer = ask_token(&b, &app, app.secret, VAULT);
    cr_assert(answer.status == 401);
    cr_assert(rf_str_find(answer.text, RF_S("AADSTS7000112"), 0) != SIZE_MAX);
    /* Its tokens end at once, too. */
    struct principal who;
    rf_usec from;
    struct rf_err err;
    cr_assert(b.directory.find(b.directory.ctx, rf_str_of(app.oid), &b.arena, &who, &from, &err) ==
              RF_DENIED);
    expect(&b, 204, HTTP_DELETE, bench_text(&b, "/v1.0/applications/%s", app.id), NULL);
    cr_assert(b.directory.find(b.directory.ctx, rf_str_of(app.oid), &b.arena, &who, &from, &err) ==
              RF_NOT_FOUND);
    cr_assert(ask_token(&b, &app, app.secret, VAULT).status == 400);
    bench_close(&b);
}

Test(graph, app_roles_reach_tokens)
{
    struct bench b;
    setup(&b);
    struct bench_answer answer =
        expect(&b, 201, HTTP_POST, "/v1.0/applications",
               "{\"displayName\":\"api\",\"api\":{\"requestedAccessTokenVersion\":2},\"appRoles\":"
               "[{\"id\":\"0f8fad5b-d9cb-469f-a165-70867728950e\",\"value\":\"Data.Read\","
               "\"displayName\":\"Read\",\"description\":\"Read\",\"isEnabled\":true,"
               "\"allowedMemberTypes\":[\"Application\"]}]}");
    const char *id = text_at(&b, &answer, "id"), *app_id = text_at(&b, &answer, "appId");
    answer = expect(&b, 201, HTTP_POST, "/v1.0/servicePrincipals",
                    bench_text(&b, "{\"appId\":\"%s\"}", app_id));
    const char *oid = text_at(&b, &answer, "id");
    expect(&b, 204, HTTP_PATCH, bench_text(&b, "/v1.0/applications/%s", id),
           bench_text(&b, "{\"identifierUris\":[\"api://%s\"]}", app_id));
    struct made caller = make_app(&b, "caller");
    const char *scope = bench_text(&b, "api://%s/.default", app_id);
    for (int granted = 0; granted < 2; granted++) {
        answer = ask_token(&b, &caller, caller.secret, scope);
        cr_assert(answer.status == 200, "%.*s", RF_FMT(answer.text));
        struct jwt jwt;
        struct rf_err err;
        cr_assert(jwt_parse(json_text_at(answer.json, "access_token"), &b.arena, &jwt, &err) ==
                  RF_OK);
        cr_assert(rf_str_is(json_text_at(jwt.claims, "aud"), app_id));
        cr_assert(rf_str_is(json_text_at(jwt.claims, "ver"), "2.0"));
        cr_assert(rf_str_is(json_text_at(jwt.claims, "azp"), caller.app_id));
        cr_assert(json_get(jwt.claims, "appid") == NULL);
        const struct json_node *roles = json_get(jwt.claims, "roles");
        cr_assert((roles != NULL) == (granted == 1));
        if (granted) cr_assert(rf_str_is(roles->first->text, "Data.Read"));
        if (granted) break;
        const char *body = bench_text(&b,
                                      "{\"principalId\":\"%s\",\"resourceId\":\"%s\",\"appRoleId\":"
                                      "\"0f8fad5b-d9cb-469f-a165-70867728950e\"}",
                                      caller.oid, oid);
        const char *path =
            bench_text(&b, "/v1.0/servicePrincipals/%s/appRoleAssignments", caller.oid);
        expect(&b, 201, HTTP_POST, path, body);
        expect(&b, 400, HTTP_POST, path, body);
    }
    static const char *const row[] = {"Add app role assignment to service principal",
                                      "\"newValue\":\"\\\"Data.Read\\\"\"", NULL};
    cr_assert(bench_has_row(&b, "AuditLogs", row));
    bench_close(&b);
}

/* An application without rights gets nothing, wherever it knocks; with one it gets what that one is for. */
Test(graph, needs_roles)
{
    static const struct {
        enum http_method method;
        const char *path, *body;
    } rows[] = {
        {HTTP_GET, "/v1.0/users", NULL},
        {HTTP_POST, "/v1.0/applications", "{\"displayName\":\"x\"}"},
        {HTTP_GET, "/v1.0/identity/conditionalAccess/policies", NULL},
        {HTTP_GET, "/v1.0/auditLogs/signIns", NULL},
        {HTTP_GET, "/v1.0/applications(appId='00000003-0000-0000-c000-000000000000')", NULL},
        {HTTP_GET, "/beta/groups", NULL},
        {HTTP_GET, "/v1.0/organization", NULL},
    };
    struct bench b;
    setup(&b);
    struct identity_app poor = bench_app(&b, "poor", "");
    struct identity_app reader = bench_app(&b, "reader", "User.Read.All");
    rf_str poor_token = bench_graph_token(&b, &poor), reader_token = bench_graph_token(&b, &reader);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct bench_answer answer =
            bench_graph_as(&b, poor_token, rows[i].method, rows[i].path, rows[i].body);
        cr_assert(answer.status == 403, "%s: %u", rows[i].path, answer.status);
        cr_assert(
            rf_str_is(json_text_at(answer.json, "error.code"), "Authorization_RequestDenied"));
        answer = bench_get(&b, rows[i].path);
        cr_assert(rows[i].method != HTTP_GET || answer.status == 401, "%s", rows[i].path);
    }
    cr_assert(bench_graph_as(&b, reader_token, HTTP_GET, "/v1.0/users", NULL).status == 200);
    cr_assert(bench_graph_as(&b, reader_token, HTTP_POST, "/v1.0/users", "{}").status == 403);
    cr_assert(bench_graph_as(&b, reader_token, HTTP_GET, "/v1.0/groups", NULL).status == 403);
    /* A batch gives no more. */
    struct bench_answer answer = bench_graph_as(
        &b, reader_token, HTTP_POST, "/v1.0/$batch",
        "{\"requests\":[{\"id\":\"1\",\"method\":\"GET\",\"url\":\"/users?$top=1\"},"
        "{\"id\":\"2\",\"method\":\"GET\",\"url\":\"/groups\"},"
        "{\"id\":\"3\",\"method\":\"GET\",\"url\":\"/users\",\"dependsOn\":[\"2\"]}]}");
    cr_assert(answer.status == 200, "%.*s", RF_FMT(answer.text));
    const struct json_node *part = json_get(answer.json, "responses")->first;
    static const int64_t statuses[] = {200, 403, 424};
    for (size_t i = 0; i < RF_COUNT(statuses); i++, part = part->next) {
        int64_t status;
        cr_assert(json_i64_at(part, "status", &status) && status == statuses[i], "%zu", i);
    }
    /* What was refused in it left its row, and only that. */
    rf_str left = rf_buf_view(&b.rows), refused = RF_S("\"Scope\":\"/v1.0/groups\"");
    size_t row = rf_str_find(left, refused, 0);
    cr_assert(row != SIZE_MAX, "%.*s", RF_FMT(left));
    cr_assert(rf_str_find(left, refused, row + 1) == SIZE_MAX);
    cr_assert(rf_str_find(left, RF_S("\"Action\":\"Group.Read.All"), 0) != SIZE_MAX);
    cr_assert(rf_str_find(left, RF_S("\"Scope\":\"/v1.0/users\""), 0) == SIZE_MAX);
    bench_close(&b);
}

static const char *make_user(struct bench *b, const char *name)
{
    struct bench_answer answer = expect(
        b, 201, HTTP_POST, "/v1.0/users",
        bench_text(b,
                   "{\"accountEnabled\":true,\"displayName\":\"User %s\",\"mailNickname\":\"%s\","
                   "\"userPrincipalName\":\"%s@ringfort.localhost\",\"passwordProfile\":"
                   "{\"password\":\"correct horse battery\"}}",
                   name, name, name));
    cr_assert(rf_str_find(answer.text, RF_S("correct horse"), 0) == SIZE_MAX);
    return text_at(b, &answer, "id");
}

Test(graph, users)
{
    struct bench b;
    setup(&b);
    const char *id = make_user(&b, "ann");
    struct bench_answer answer =
        expect(&b, 200, HTTP_GET, "/v1.0/users/ANN@ringfort.localhost", NULL);
    cr_assert(rf_str_is(json_text_at(answer.json, "id"), id));
    answer = expect(&b, 400, HTTP_POST, "/v1.0/users",
                    "{\"accountEnabled\":true,\"displayName\":\"x\",\"mailNickname\":\"x\","
                    "\"userPrincipalName\":\"Ann@ringfort.localhost\",\"passwordProfile\":"
                    "{\"password\":\"correct horse battery\"}}");
    cr_assert(rf_str_is(json_text_at(answer.json, "error.message"),
                        "Another object with the same value for property userPrincipalName already "
                        "exists."));
    static const char *const bad[] = {
        "{}",
        "{\"accountEnabled\":true,\"displayName\":\"x\",\"mailNickname\":\"x\","
        "\"userPrincipalName\":\"x@elsewhere.example\",\"passwordProfile\":{\"password\":"
        "\"correct horse battery\"}}",
        "{\"accountEnabled\":true,\"displayName\":\"x\",\"mailNickname\":\"x\","
        "\"userPrincipalName\":\"x@ringfort.localhost\",\"passwordProfile\":{\"password\":"
        "\"short\"}}",
        "{\"accountEnabled\":\"yes\",\"displayName\":\"x\",\"mailNickname\":\"x\","
        "\"userPrincipalName\":\"x@ringfort.localhost\",\"passwordProfile\":{\"password\":"
        "\"correct horse battery\"}}",
        "{\"accountEnabled\":true,\"displayName\":\"x\",\"mailNickname\":\"x\",\"~verifier\":\"0\","
        "\"userPrincipalName\":\"x@ringfort.localhost\",\"passwordProfile\":{\"password\":"
        "\"correct horse battery\"}}",
        "{\"accountEnabled\":true,\"displayName\":\"x\",\"mailNickname\":\"x\",\"nonsense\":1,"
        "\"userPrincipalName\":\"x@ringfort.localhost\",\"passwordProfile\":{\"password\":"
        "\"correct horse battery\"}}",
        "[]",
        "{",
    };
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        answer = expect(&b, 400, HTTP_POST, "/v1.0/users", bad[i]);
        cr_assert(rf_str_is(json_text_at(answer.json, "error.code"), "Request_BadRequest"),
                  "%zu %.*s", i, RF_FMT(answer.text));
    }
    struct principal who;
    rf_usec from = 0;
    struct rf_err err;
    expect(&b, 200, HTTP_POST, bench_text(&b, "/v1.0/users/%s/revokeSignInSessions", id), NULL);
    cr_assert(b.directory.find(b.directory.ctx, rf_str_of(id), &b.arena, &who, &from, &err) ==
              RF_OK);
    cr_assert(from > BENCH_START && who.type == PRINCIPAL_USER);
    expect(&b, 204, HTTP_PATCH, bench_text(&b, "/v1.0/users/%s", id),
           "{\"accountEnabled\":false,\"jobTitle\":\"none\"}");
    cr_assert(b.directory.find(b.directory.ctx, rf_str_of(id), &b.arena, &who, &from, &err) ==
              RF_DENIED);
    expect(&b, 204, HTTP_DELETE, bench_text(&b, "/v1.0/users/%s", id), NULL);
    answer = expect(&b, 404, HTTP_GET, bench_text(&b, "/v1.0/users/%s", id), NULL);
    cr_assert(rf_str_is(json_text_at(answer.json, "error.code"), "Request_ResourceNotFound"));
    static const char *const disabled[] = {"\"OperationName\":\"Disable account\"", "ann", NULL};
    static const char *const deleted[] = {"\"OperationName\":\"Delete user\"", "ann", NULL};
    cr_assert(bench_has_row(&b, "AuditLogs", disabled) && bench_has_row(&b, "AuditLogs", deleted));
    bench_close(&b);
}

static const char *make_group(struct bench *b, const char *name)
{
    struct bench_answer answer =
        expect(b, 201, HTTP_POST, "/v1.0/groups",
               bench_text(b,
                          "{\"displayName\":\"%s\",\"mailEnabled\":false,\"mailNickname\":\"%s\","
                          "\"securityEnabled\":true}",
                          name, name));
    return text_at(b, &answer, "id");
}

static void add_member(struct bench *b, uint16_t status, const char *group, const char *member)
{
    expect(b, status, HTTP_POST, bench_text(b, "/v1.0/groups/%s/members/$ref", group),
           bench_text(b, "{\"@odata.id\":\"" BENCH_ORIGIN "/v1.0/directoryObjects/%s\"}", member));
}

Test(graph, groups_are_transitive)
{
    struct bench b;
    setup(&b);
    const char *user = make_user(&b, "ann");
    const char *inner = make_group(&b, "inner"), *outer = make_group(&b, "outer");
    add_member(&b, 204, inner, user);
    add_member(&b, 400, inner, user);
    add_member(&b, 204, outer, inner);
    add_member(&b, 400, inner, outer);
    add_member(&b, 400, inner, inner);
    struct principal who;
    rf_usec from;
    struct rf_err err;
    cr_assert(b.directory.find(b.directory.ctx, rf_str_of(user), &b.arena, &who, &from, &err) ==
              RF_OK);
    cr_assert(who.group_count == 2);
    struct bench_answer answer =
        expect(&b, 200, HTTP_GET, bench_text(&b, "/v1.0/groups/%s/transitiveMembers", outer), NULL);
    cr_assert(json_get(answer.json, "value")->count == 2, "%.*s", RF_FMT(answer.text));
    answer = expect(&b, 200, HTTP_GET, bench_text(&b, "/v1.0/users/%s/memberOf", user), NULL);
    cr_assert(json_get(answer.json, "value")->count == 1);
    cr_assert(rf_str_is(json_get(json_get(answer.json, "value")->first, "@odata.type")->text,
                        "#microsoft.graph.group"));
    answer = expect(&b, 200, HTTP_POST,
                    bench_text(&b, "/v1.0/users/%s/microsoft.graph.getMemberGroups", user),
                    "{\"securityEnabledOnly\":true}");
    cr_assert(json_get(answer.json, "value")->count == 2);
    answer =
        expect(&b, 200, HTTP_GET, bench_text(&b, "/v1.0/groups/%s?$expand=members", inner), NULL);
    cr_assert(json_get(answer.json, "members")->count == 1);
    expect(&b, 204, HTTP_DELETE, bench_text(&b, "/v1.0/groups/%s/members/%s/$ref", inner, user),
           NULL);
    cr_assert(b.directory.find(b.directory.ctx, rf_str_of(user), &b.arena, &who, &from, &err) ==
                  RF_OK &&
              who.group_count == 0);
    static const char *const row[] = {"\"OperationName\":\"Remove member from group\"", "ann",
                                      NULL};
    cr_assert(bench_has_row(&b, "AuditLogs", row));
    bench_close(&b);
}

Test(graph, pages)
{
    enum { USERS = 23 };
    struct bench b;
    setup(&b);
    for (int i = 0; i < USERS; i++) make_user(&b, bench_text(&b, "u%02d", (i * 7) % USERS));
    static const char filtered[] = "/v1.0/users?%24top=4&%24filter=startswith(displayName,"
                                   "%27user%20u%27)%20and%20accountEnabled%20eq%20true";
    static const char *const starts[] = {"/v1.0/users?$top=5&$count=true",
                                         "/v1.0/users?$top=5&$orderby=displayName%20desc",
                                         filtered};
    for (size_t i = 0; i < RF_COUNT(starts); i++) {
        uint32_t seen = 0;
        rf_str last = {0};
        const char *path = starts[i];
        for (int page = 0; path != NULL && page < 20; page++) {
            struct bench_answer answer = expect(&b, 200, HTTP_GET, path, NULL);
            const struct json_node *list = json_get(answer.json, "value");
            for (const struct json_node *u = list->first; u != NULL; u = u->next, seen++) {
                rf_str name = json_text_at(u, i == 1 ? "displayName" : "id");
                if (last.len > 0)
                    cr_assert((rf_str_cmp(name, last) < 0) == (i == 1), "%s", starts[i]);
                last = name;
            }
            if (i == 0) cr_assert(rf_str_is(json_get(answer.json, "@odata.count")->text, "23"));
            const struct json_node *link = json_get(answer.json, "@odata.nextLink");
            rf_str next = link == NULL ? RF_S("") : link->text;
            size_t origin = sizeof BENCH_ORIGIN - 1;
            path = next.len == 0 ? NULL : rf_arena_cstr(&b.arena, rf_slice(next, origin, next.len));
        }
        cr_assert(seen == USERS, "%s: %u", starts[i], seen);
    }
    struct bench_answer answer =
        expect(&b, 200, HTTP_GET, "/v1.0/users?$search=%22displayName:u07%22&$select=id", NULL);
    cr_assert(json_get(answer.json, "value")->count == 1);
    cr_assert(json_get(answer.json, "value")->first->count == 1);
    answer = expect(&b, 200, HTTP_GET, "/v1.0/users/$count", NULL);
    cr_assert(rf_str_is(answer.text, "23"));
    expect(&b, 400, HTTP_GET, "/v1.0/users?$filter=nonsense%20eq%201", NULL);
    expect(&b, 400, HTTP_GET, "/v1.0/users?$top=0", NULL);
    expect(&b, 400, HTTP_GET, "/v1.0/users?$top=1000", NULL);
    expect(&b, 400, HTTP_GET, "/v1.0/users?$skiptoken=nonsense", NULL);
    expect(&b, 400, HTTP_GET, "/v1.0/nonsense", NULL);
    expect(&b, 405, HTTP_PUT, "/v1.0/users", "{}");
    bench_close(&b);
}

/* Names that stand for somebody else's resource are refused, and so are redirects that anybody could receive. */
Test(graph, application_names)
{
    static const struct {
        const char *body;
        uint16_t status;
    } rows[] = {
        {"{\"identifierUris\":[\"https://vault.azure.net\"]}", 400},
        {"{\"identifierUris\":[\"https://localhost:8443\"]}", 400},
        {"{\"identifierUris\":[\"https://ringfort.localhost:8443\"]}", 400},
        {"{\"identifierUris\":[\"https://x.vault.ringfort.localhost\"]}", 400},
        {"{\"identifierUris\":[\"api://00000003-0000-0000-c000-000000000000\"]}", 400},
        {"{\"identifierUris\":[\"api://contoso\"]}", 204},
        {"{\"identifierUris\":[\"https://api.ringfort.localhost/x\"]}", 204},
        {"{\"identifierUris\":[\"urn:contoso:api\"]}", 204},
        {"{\"web\":{\"redirectUris\":[\"https://app.example/cb\"]}}", 204},
        {"{\"web\":{\"redirectUris\":[\"http://localhost:3000/cb\"]}}", 204},
        {"{\"web\":{\"redirectUris\":[\"http://app.example/cb\"]}}", 400},
        {"{\"web\":{\"redirectUris\":[\"https://*.example/cb\"]}}", 400},
        {"{\"web\":{\"redirectUris\":[\"https://app.example/cb#x\"]}}", 400},
        {"{\"web\":{\"redirectUris\":[\"javascript:alert(1)\"]}}", 400},
        {"{\"publicClient\":{\"redirectUris\":[\"msal://auth\"]}}", 204},
        {"{\"publicClient\":{\"redirectUris\":[\"JavaScript:x\"]}}", 400},
        {"{\"appId\":\"00000003-0000-0000-c000-000000000000\"}", 400},
        {"{\"passwordCredentials\":[{\"secretText\":\"x\"}]}", 400},
        {"{\"keyCredentials\":[{\"type\":\"AsymmetricX509Cert\",\"usage\":\"Verify\","
         "\"key\":\"AAAA\"}]}",
         400},
        {"{\"api\":{\"requestedAccessTokenVersion\":3}}", 400},
        {"{\"displayName\":\"\"}", 400},
        {"{\"displayName\":\"renamed\"}", 204},
    };
    struct bench b;
    setup(&b);
    struct made app = make_app(&b, "names");
    const char *path = bench_text(&b, "/v1.0/applications/%s", app.id);
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        cr_assert(bench_graph(&b, HTTP_PATCH, path, rows[i].body).status == rows[i].status, "%s",
                  rows[i].body);
    struct bench_answer answer =
        expect(&b, 200, HTTP_GET, bench_text(&b, "/v1.0/servicePrincipals/%s", app.oid), NULL);
    cr_assert(rf_str_is(json_text_at(answer.json, "displayName"), "renamed"));
    static const char *const row[] = {"\"OperationName\":\"Update application\"", "AppAddress",
                                      "\\\"Address\\\":\\\"https://app.example/cb\\\"", NULL};
    cr_assert(bench_has_row(&b, "AuditLogs", row));
    make_app(&b, "other");
    answer = expect(&b, 200, HTTP_GET,
                    "/v1.0/servicePrincipals?$filter=servicePrincipalNames/any(n:n%20eq%20'urn:"
                    "contoso:api')",
                    NULL);
    cr_assert(json_get(answer.json, "value")->count == 1, "%.*s", RF_FMT(answer.text));
    /* The same name for a second application is refused. */
    answer = expect(&b, 400, HTTP_POST, "/v1.0/applications",
                    "{\"displayName\":\"x\",\"identifierUris\":[\"URN:contoso:api\"]}");
    answer = expect(&b, 400, HTTP_POST, "/v1.0/applications",
                    "{\"displayName\":\"x\",\"identifierUris\":[\"urn:contoso:API\"]}");
    cr_assert(rf_str_find(answer.text, RF_S("Another object"), 0) != SIZE_MAX);
    bench_close(&b);
}

/* Who may write applications only must not be able to give them everything. */
Test(graph, no_escalation_by_assignment)
{
    struct bench b;
    setup(&b);
    struct identity_app writer = bench_app(&b, "writer", "Application.ReadWrite.All");
    rf_str token = bench_graph_token(&b, &writer);
    rf_str graph = guid_named(&b.arena, RF_S(BENCH_TENANT), RF_S(GRAPH_APP_ID));
    const char *body = bench_text(&b,
                                  "{\"principalId\":\"%.*s\",\"resourceId\":\"%.*s\",\"appRoleId\":"
                                  "\"19dbc75e-c2e2-444c-a770-ec69d8559fc7\"}",
                                  RF_FMT(writer.object_id), RF_FMT(graph));
    const char *path =
        bench_text(&b, "/v1.0/servicePrincipals/%.*s/appRoleAssignments", RF_FMT(writer.object_id));
    cr_assert(bench_graph_as(&b, token, HTTP_POST, path, body).status == 403);
    expect(&b, 201, HTTP_POST, path, body);
    bench_close(&b);
}
