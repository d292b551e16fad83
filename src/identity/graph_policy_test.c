#include "test/rf_prop.h"

#include "identity/access_policy_int.h"
#include "identity/bench_int.h"

#define POLICIES "/v1.0/identity/conditionalAccess/policies"
#define PLACES "/v1.0/identity/conditionalAccess/namedLocations"
#define STRENGTHS "/v1.0/policies/authenticationStrengthPolicies"
#define ASSIGNMENTS "/v1.0/roleManagement/directory/roleAssignments"
#define EMERGENCY "/v1.0/policies/emergencyAccessPolicy"
#define DEFAULTS "/v1.0/policies/identitySecurityDefaultsEnforcementPolicy"
#define METHODS "/v1.0/policies/authenticationMethodsPolicy"
#define ROLES                                                                                      \
    "User.ReadWrite.All Group.ReadWrite.All Directory.ReadWrite.All "                              \
    "Policy.ReadWrite.ConditionalAccess Policy.ReadWrite.AuthenticationMethod "                    \
    "RoleManagement.ReadWrite.Directory"

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
    cr_assert(answer.status == status, "%s %s %s: %u %.*s", http_method_name(method), path,
              body == NULL ? "" : body, answer.status, RF_FMT(answer.text));
    return answer;
}

static const char *text_at(struct bench *b, const struct bench_answer *answer, const char *path)
{
    return rf_arena_cstr(&b->arena, json_text_at(answer->json, path));
}

static bool says(const struct bench_answer *answer, const char *text)
{
    return rf_str_find(answer->text, rf_str_of(text), 0) != SIZE_MAX;
}

static const char *create(struct bench *b, const char *path, const char *body)
{
    struct bench_answer answer = expect(b, 201, HTTP_POST, path, body);
    return text_at(b, &answer, "id");
}

static const char *make_user(struct bench *b, const char *name)
{
    return create(
        b, "/v1.0/users",
        bench_text(b,
                   "{\"accountEnabled\":true,\"displayName\":\"%s\",\"mailNickname\":\"%s\","
                   "\"userPrincipalName\":\"%s@ringfort.localhost\",\"passwordProfile\":{"
                   "\"password\":\"correct horse battery staple 9\"}}",
                   name, name, name));
}

static const char *give_role(struct bench *b, const char *principal, const char *role)
{
    return create(b, ASSIGNMENTS,
                  bench_text(b,
                             "{\"principalId\":\"%s\",\"roleDefinitionId\":\"%s\","
                             "\"directoryScopeId\":\"/\"}",
                             principal, role));
}

/* A policy for everybody and everything. */
static const char *policy(struct bench *b, const char *state, const char *conditions,
                          const char *grant)
{
    return bench_text(b,
                      "{\"displayName\":\"p\",\"state\":\"%s\",\"conditions\":{\"users\":{"
                      "\"includeUsers\":[\"All\"]},\"applications\":{\"includeApplications\":["
                      "\"All\"]},\"clientAppTypes\":[\"all\"]%s},\"grantControls\":{\"operator\":"
                      "\"OR\",%s}}",
                      state, conditions, grant);
}
#define MFA "\"builtInControls\":[\"mfa\"]"
#define BLOCK "\"builtInControls\":[\"block\"]"

static struct policy_verdict evaluate(struct bench *b, const char *user, unsigned proofs)
{
    struct policy_verdict verdict;
    struct rf_err err;
    struct policy_input input = {.user = rf_str_of(user),
                                 .client_app = RF_S("11111111-2222-4333-8444-555555555555"),
                                 .resource_app = RF_S("797f4846-ba00-4fd7-ba43-dac1f8f63013"),
                                 .address = RF_S("203.0.113.7"),
                                 .proofs = proofs,
                                 .proved_at = BENCH_START,
                                 .now = BENCH_START};
    cr_assert(access_evaluate(b->identity, &input, &b->arena, &verdict, &err) == RF_OK, "%s",
              err.text);
    return verdict;
}

Test(graph_policy, policies_are_kept_and_asked)
{
    struct bench b;
    setup(&b);
    const char *user = make_user(&b, "ada");
    cr_assert(evaluate(&b, user, PROOF_PASSWORD).row_count == 0);
    struct bench_answer answer =
        expect(&b, 201, HTTP_POST, POLICIES, policy(&b, "disabled", "", MFA));
    const char *id = text_at(&b, &answer, "id");
    const char *path = bench_text(&b, POLICIES "/%s", id);
    cr_assert(json_is(json_get(answer.json, "modifiedDateTime"), JSON_T_NULL));
    struct policy_verdict verdict = evaluate(&b, user, PROOF_PASSWORD);
    cr_assert(verdict.row_count == 1 && verdict.rows[0].result == POLICY_NOT_ENABLED);
    expect(&b, 204, HTTP_PATCH, path, "{\"state\":\"enabled\"}");
    verdict = evaluate(&b, user, PROOF_PASSWORD);
    cr_assert(verdict.asks == ASK_MFA && verdict.asked_by == verdict.rows[0].policy);
    cr_assert(rf_str_is(json_text_at(verdict.asked_by, "id"), id));
    cr_assert(rf_str_is(json_text_at(verdict.asked_by, "displayName"), "p"));
    cr_assert(evaluate(&b, user, PROOF_PASSKEY).asks == 0);
    expect(&b, 204, HTTP_PATCH, path, "{\"state\":\"enabledForReportingButNotEnforced\"}");
    verdict = evaluate(&b, user, PROOF_PASSWORD);
    cr_assert(verdict.asks == 0 && verdict.rows[0].result == POLICY_REPORT_INTERRUPTED);
    expect(&b, 400, HTTP_PATCH, path, "{\"state\":\"sometimes\"}");
    expect(&b, 400, HTTP_POST, POLICIES, policy(&b, "enabled", ",\"times\":{\"x\":1}", MFA));
    answer = expect(&b, 400, HTTP_POST, POLICIES,
                    policy(&b, "enabled",
                           ",\"devices\":{\"deviceFilter\":{\"mode\":\"include\",\"rule\":\"x\"}}",
                           MFA));
    cr_assert(says(&answer, "character 1"), "%.*s", RF_FMT(answer.text));
    answer = expect(&b, 200, HTTP_GET, POLICIES "?$filter=state%20eq%20'disabled'", NULL);
    cr_assert(json_get(answer.json, "value")->count == 0);
    answer = expect(&b, 200, HTTP_GET, POLICIES "?$filter=displayName%20eq%20'p'&$select=id", NULL);
    cr_assert(json_get(answer.json, "value")->count == 1);
    answer = expect(&b, 200, HTTP_GET, path, NULL);
    cr_assert(json_is(json_get(answer.json, "modifiedDateTime"), JSON_T_STRING));
    expect(&b, 204, HTTP_DELETE, path, NULL);
    expect(&b, 404, HTTP_GET, path, NULL);
    cr_assert(evaluate(&b, user, PROOF_PASSWORD).row_count == 0);
    static const char *const rows[][3] = {
        {"Add conditional access policy", "Conditional Access", NULL},
        {"Update conditional access policy", "\"displayName\":\"state\"", NULL},
        {"Delete conditional access policy", "Conditional Access", NULL}};
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        cr_assert(bench_has_row(&b, "AuditLogs", rows[i]), "%s", rows[i][0]);
    bench_close(&b);
}

/* Groups, roles and guests come from the directory. */
Test(graph_policy, who_somebody_is)
{
    struct bench b;
    setup(&b);
    const char *user = make_user(&b, "bob");
    const char *inner = create(&b, "/v1.0/groups",
                               "{\"displayName\":\"in\",\"mailEnabled\":false,\"mailNickname\":"
                               "\"in\",\"securityEnabled\":true}");
    const char *outer = create(&b, "/v1.0/groups",
                               "{\"displayName\":\"out\",\"mailEnabled\":false,\"mailNickname\":"
                               "\"out\",\"securityEnabled\":true}");
#define WHO(fmt, value)                                                                            \
    bench_text(&b,                                                                                 \
               "{\"displayName\":\"p\",\"state\":\"enabled\",\"conditions\":{\"users\":{" fmt      \
               "},\"applications\":{\"includeApplications\":[\"All\"]},\"clientAppTypes\":["       \
               "\"all\"]},\"grantControls\":{\"operator\":\"OR\",\"builtInControls\":[\"mfa\"]}}", \
               value)
#define REFERENCE(id)                                                                              \
    bench_text(&b, "{\"@odata.id\":\"https://localhost:8443/v1.0/directoryObjects/%s\"}", id)
    create(&b, POLICIES, WHO("\"includeGroups\":[\"%s\"]", outer));
    cr_assert(evaluate(&b, user, PROOF_PASSWORD).asks == 0);
    expect(&b, 204, HTTP_POST, bench_text(&b, "/v1.0/groups/%s/members/$ref", outer),
           REFERENCE(inner));
    expect(&b, 204, HTTP_POST, bench_text(&b, "/v1.0/groups/%s/members/$ref", inner),
           REFERENCE(user));
    cr_assert(evaluate(&b, user, PROOF_PASSWORD).asks == ASK_MFA, "through a group in a group");
    expect(&b, 204, HTTP_DELETE, bench_text(&b, "/v1.0/groups/%s/members/%s/$ref", inner, user),
           NULL);
    cr_assert(evaluate(&b, user, PROOF_PASSWORD).asks == 0);
    const char *role = "5d6b6bb7-de71-4623-b4af-96380a352509";
    create(&b, POLICIES, WHO("\"includeRoles\":[\"%s\"]", role));
    const char *given = give_role(&b, user, role);
    cr_assert(evaluate(&b, user, PROOF_PASSWORD).asks == ASK_MFA);
    expect(&b, 204, HTTP_DELETE, bench_text(&b, ASSIGNMENTS "/%s", given), NULL);
    cr_assert(evaluate(&b, user, PROOF_PASSWORD).asks == 0);
    create(&b, POLICIES, WHO("\"includeUsers\":[\"%s\"]", "GuestsOrExternalUsers"));
    cr_assert(evaluate(&b, user, PROOF_PASSWORD).asks == 0);
    expect(&b, 204, HTTP_PATCH, bench_text(&b, "/v1.0/users/%s", user), "{\"userType\":\"Guest\"}");
    cr_assert(evaluate(&b, user, PROOF_PASSWORD).asks == ASK_MFA);
    bench_close(&b);
}

Test(graph_policy, roles_are_given)
{
    struct bench b;
    setup(&b);
    const char *user = make_user(&b, "eve");
    const char *id = give_role(&b, user, ROLE_GLOBAL_ADMINISTRATOR);
    static const char *const added[] = {"Add member to role", "RoleManagement",
                                        "\"Role.DisplayName\",\"oldValue\":\"null\",\"newValue\":"
                                        "\"\\\"Global Administrator\\\"\"",
                                        NULL};
    static const char *const removed[] = {"Remove member from role",
                                          "\"oldValue\":\"\\\"Global Administrator\\\"\"", NULL};
    cr_assert(bench_has_row(&b, "AuditLogs", added));
    expect(&b, 400, HTTP_POST, ASSIGNMENTS,
           bench_text(&b,
                      "{\"principalId\":\"%s\",\"roleDefinitionId\":\"" ROLE_GLOBAL_ADMINISTRATOR
                      "\"}",
                      user));
    expect(&b, 404, HTTP_POST, ASSIGNMENTS,
           bench_text(&b, "{\"principalId\":\"%s\",\"roleDefinitionId\":\"%s\"}", user, user));
    expect(&b, 404, HTTP_POST, ASSIGNMENTS,
           "{\"principalId\":\"00000000-0000-4000-8000-000000000001\",\"roleDefinitionId\":"
           "\"" ROLE_GLOBAL_ADMINISTRATOR "\"}");
    expect(&b, 400, HTTP_POST, ASSIGNMENTS,
           bench_text(&b,
                      "{\"principalId\":\"%s\",\"roleDefinitionId\":\"" ROLE_GLOBAL_ADMINISTRATOR
                      "\",\"directoryScopeId\":\"/x\"}",
                      user));
    struct bench_answer answer =
        expect(&b, 200, HTTP_GET,
               bench_text(&b, ASSIGNMENTS "?$filter=principalId%%20eq%%20'%s'", user), NULL);
    cr_assert(json_get(answer.json, "value")->count == 1);
    static const char members[] =
        "/v1.0/directoryRoles/roleTemplateId='" ROLE_GLOBAL_ADMINISTRATOR "'/members";
    answer = expect(&b, 200, HTTP_GET, members, NULL);
    cr_assert(rf_str_is(json_text_at(json_get(answer.json, "value")->first, "id"), user));
    expect(&b, 204, HTTP_DELETE, bench_text(&b, "%s/%s/$ref", members, user), NULL);
    cr_assert(bench_has_row(&b, "AuditLogs", removed));
    expect(&b, 404, HTTP_DELETE, bench_text(&b, "%s/%s/$ref", members, user), NULL);
    expect(&b, 404, HTTP_GET, bench_text(&b, ASSIGNMENTS "/%s", id), NULL);
    expect(&b, 204, HTTP_POST, bench_text(&b, "%s/$ref", members),
           bench_text(&b, "{\"@odata.id\":\"https://localhost:8443/v1.0/users/%s\"}", user));
    answer = expect(&b, 200, HTTP_GET, ASSIGNMENTS, NULL);
    cr_assert(json_get(answer.json, "value")->count == 1);
    /* It goes with the user. */
    expect(&b, 204, HTTP_DELETE, bench_text(&b, "/v1.0/users/%s", user), NULL);
    answer = expect(&b, 200, HTTP_GET, ASSIGNMENTS, NULL);
    cr_assert(json_get(answer.json, "value")->count == 0);
    bench_close(&b);
}

Test(graph_policy, locations)
{
    struct bench b;
    setup(&b);
    const char *user = make_user(&b, "ada");
    const char *id = create(
        &b, PLACES,
        "{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\",\"displayName\":\"office\","
        "\"isTrusted\":true,\"ipRanges\":[{\"@odata.type\":\"#microsoft.graph.iPv4CidrRange\","
        "\"cidrAddress\":\"203.0.113.0/24\"}]}");
    const char *path = bench_text(&b, PLACES "/%s", id);
    expect(&b, 400, HTTP_POST, PLACES,
           "{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\",\"displayName\":\"o\","
           "\"ipRanges\":[{\"cidrAddress\":\"203.0.113.0/99\"}]}");
    expect(&b, 400, HTTP_POST, PLACES, "{\"displayName\":\"o\"}");
    expect(&b, 400, HTTP_PATCH, path,
           "{\"@odata.type\":\"#microsoft.graph.countryNamedLocation\",\"displayName\":\"x\"}");
    const char *except = bench_text(
        &b, ",\"locations\":{\"includeLocations\":[\"All\"],\"excludeLocations\":[\"%s\"]}", id);
    const char *rule = create(&b, POLICIES, policy(&b, "enabled", except, MFA));
    cr_assert(evaluate(&b, user, PROOF_PASSWORD).asks == 0);
    struct bench_answer answer = expect(&b, 400, HTTP_DELETE, path, NULL);
    cr_assert(says(&answer, "'p'"), "%.*s", RF_FMT(answer.text));
    expect(&b, 204, HTTP_PATCH, path,
           "{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\",\"ipRanges\":[{\"cidrAddress\":"
           "\"198.51.100.0/24\"}]}");
    cr_assert(evaluate(&b, user, PROOF_PASSWORD).asks == ASK_MFA);
    answer = expect(&b, 200, HTTP_GET, path, NULL);
    cr_assert(says(&answer, "198.51.100.0/24") &&
              says(&answer, "#microsoft.graph.ipNamedLocation"));
    expect(
        &b, 400, HTTP_POST, POLICIES,
        policy(&b, "enabled",
               ",\"locations\":{\"includeLocations\":[\"00000000-0000-4000-8000-000000000001\"]}",
               MFA));
    expect(&b, 204, HTTP_DELETE, bench_text(&b, POLICIES "/%s", rule), NULL);
    expect(&b, 204, HTTP_DELETE, path, NULL);
    static const char *const rows[][2] = {{"Add named location", NULL},
                                          {"Update named location", NULL},
                                          {"Delete named location", NULL}};
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        cr_assert(bench_has_row(&b, "AuditLogs", rows[i]), "%s", rows[i][0]);
    bench_close(&b);
}

Test(graph_policy, strengths)
{
    struct bench b;
    setup(&b);
    const char *user = make_user(&b, "ada");
    struct bench_answer answer = expect(&b, 200, HTTP_GET, STRENGTHS, NULL);
    cr_assert(json_get(answer.json, "value")->count == 3);
    answer = expect(&b, 200, HTTP_GET, STRENGTHS "/00000000-0000-0000-0000-000000000004", NULL);
    cr_assert(says(&answer, "fido2") && !says(&answer, "softwareOath"));
    expect(&b, 400, HTTP_PATCH, STRENGTHS "/00000000-0000-0000-0000-000000000004",
           "{\"displayName\":\"x\"}");
    expect(&b, 400, HTTP_DELETE, STRENGTHS "/00000000-0000-0000-0000-000000000004", NULL);
    static const char *const wrong[] = {"[]",           "[\"password,magic\"]",     "[\"\"]",
                                        "[\"fido2,\"]", "[\"password,sms,voice\"]", "[7]"};
    for (size_t i = 0; i < RF_COUNT(wrong); i++)
        expect(&b, 400, HTTP_POST, STRENGTHS,
               bench_text(&b, "{\"displayName\":\"s\",\"allowedCombinations\":%s}", wrong[i]));
    answer = expect(&b, 201, HTTP_POST, STRENGTHS,
                    "{\"displayName\":\"keys\",\"description\":\"d\",\"allowedCombinations\":["
                    "\"fido2\"]}");
    cr_assert(says(&answer, "\"policyType\":\"custom\"") &&
              says(&answer, "\"requirementsSatisfied\":\"mfa\""));
    const char *id = text_at(&b, &answer, "id");
    const char *path = bench_text(&b, STRENGTHS "/%s", id);
    expect(&b, 400, HTTP_POST, POLICIES,
           policy(&b, "enabled", "",
                  "\"authenticationStrength\":{\"id\":\"00000000-0000-4000-8000-000000000001\"}"));
    answer = expect(&b, 201, HTTP_POST, POLICIES,
                    policy(&b, "enabled", "",
                           bench_text(&b,
                                      "\"authenticationStrength@odata.bind\":\"https://localhost:"
                                      "8443/v1.0/policies/authenticationStrengthPolicies/%s\"",
                                      id)));
    cr_assert(rf_str_is(json_text_at(answer.json, "grantControls.authenticationStrength.id"), id));
    cr_assert(says(&answer, "\"displayName\":\"keys\""), "%.*s", RF_FMT(answer.text));
    cr_assert(evaluate(&b, user, PROOF_PASSWORD | PROOF_TOTP).asks == ASK_PASSKEY);
    answer = expect(&b, 200, HTTP_POST, bench_text(&b, "%s/updateAllowedCombinations", path),
                    "{\"allowedCombinations\":[\"password,softwareOath\"]}");
    cr_assert(json_get(answer.json, "previousCombinations")->count == 1);
    cr_assert(evaluate(&b, user, PROOF_PASSWORD | PROOF_TOTP).asks == 0);
    cr_assert(evaluate(&b, user, PROOF_PASSWORD).asks == ASK_MFA);
    expect(&b, 400, HTTP_DELETE, path, NULL);
    expect(&b, 400, HTTP_PATCH, path, "{\"allowedCombinations\":[\"fido2\"]}");
    expect(&b, 204, HTTP_PATCH, path, "{\"displayName\":\"codes\"}");
    answer = expect(&b, 200, HTTP_GET, STRENGTHS "?$filter=policyType%20eq%20'custom'", NULL);
    cr_assert(json_get(answer.json, "value")->count == 1 && says(&answer, "codes"));
    bench_close(&b);
}

/* ---- nobody shuts out the last administrator ------------------------------------------------------------------------------------------ */

Test(graph_policy, the_last_administrator_stays)
{
    struct bench b;
    setup(&b);
    const char *block = policy(&b, "enabled", "", BLOCK);
    /* Without users that are administrators, the application is, and a policy for users does not touch it. */
    const char *id = create(&b, POLICIES, block);
    expect(&b, 204, HTTP_DELETE, bench_text(&b, POLICIES "/%s", id), NULL);
    const char *user = make_user(&b, "root"), *other = make_user(&b, "other");
    give_role(&b, user, ROLE_GLOBAL_ADMINISTRATOR);
    struct bench_answer answer = expect(&b, 400, HTTP_POST, POLICIES, block);
    cr_assert(says(&answer, "No administrator") && says(&answer, "force=true"));
    answer = expect(&b, 200, HTTP_GET, POLICIES, NULL);
    cr_assert(json_get(answer.json, "value")->count == 0, "nothing of it was kept");
    /* A device that nobody can have shuts out as well; a second factor does not, nor what is only reported. */
    expect(&b, 400, HTTP_POST, POLICIES,
           policy(&b, "enabled", "", "\"builtInControls\":[\"compliantDevice\"]"));
    create(&b, POLICIES, policy(&b, "enabled", "", MFA));
    create(&b, POLICIES, policy(&b, "enabledForReportingButNotEnforced", "", BLOCK));
    /* Other ways in: another platform, another place. */
    create(&b, POLICIES,
           policy(&b, "enabled", ",\"platforms\":{\"includePlatforms\":[\"windows\"]}", BLOCK));
    const char *place =
        create(&b, PLACES,
               "{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\",\"displayName\":\"office\","
               "\"isTrusted\":true,\"ipRanges\":[{\"cidrAddress\":\"198.51.100.0/24\"}]}");
    const char *outside =
        create(&b, POLICIES,
               policy(&b, "enabled",
                      ",\"locations\":{\"includeLocations\":[\"All\"],\"excludeLocations\":["
                      "\"AllTrusted\"]}",
                      BLOCK));
    expect(&b, 400, HTTP_PATCH, bench_text(&b, PLACES "/%s", place), "{\"isTrusted\":false}");
    expect(&b, 400, HTTP_DELETE, bench_text(&b, PLACES "/%s", place), NULL);
    expect(&b, 204, HTTP_DELETE, bench_text(&b, POLICIES "/%s", outside), NULL);
    /* A second administrator who is left out; a disabled one does not count. */
    const char *but_other = bench_text(
        &b,
        "{\"displayName\":\"q\",\"state\":\"enabled\",\"conditions\":{\"users\":{\"includeUsers\":["
        "\"All\"],\"excludeUsers\":[\"%s\"]},\"applications\":{\"includeApplications\":[\"All\"]},"
        "\"clientAppTypes\":[\"all\"]},\"grantControls\":{\"operator\":\"OR\"," BLOCK "}}",
        other);
    expect(&b, 400, HTTP_POST, POLICIES, but_other);
    give_role(&b, other, ROLE_GLOBAL_ADMINISTRATOR);
    id = create(&b, POLICIES, but_other);
    expect(&b, 204, HTTP_DELETE, bench_text(&b, POLICIES "/%s", id), NULL);
    expect(&b, 204, HTTP_PATCH, bench_text(&b, "/v1.0/users/%s", other),
           "{\"accountEnabled\":false}");
    expect(&b, 400, HTTP_POST, POLICIES, but_other);
    /* The account for emergencies. */
    expect(&b, 204, HTTP_PATCH, EMERGENCY, bench_text(&b, "{\"userIds\":[\"%s\"]}", user));
    id = create(&b, POLICIES, block);
    cr_assert(!evaluate(&b, user, PROOF_PASSWORD).blocked);
    cr_assert(evaluate(&b, other, PROOF_PASSWORD).blocked);
    expect(&b, 400, HTTP_PATCH, EMERGENCY, "{\"userIds\":[]}");
    expect(&b, 204, HTTP_PATCH, EMERGENCY "?force=true", "{\"userIds\":[]}");
    cr_assert(evaluate(&b, user, PROOF_PASSWORD).blocked);
    /* Who is shut out already is not kept from other changes. */
    expect(&b, 204, HTTP_PATCH, bench_text(&b, POLICIES "/%s", id), "{\"displayName\":\"r\"}");
    bench_close(&b);
}

Test(graph_policy, force)
{
    struct bench b;
    setup(&b);
    give_role(&b, make_user(&b, "root"), ROLE_GLOBAL_ADMINISTRATOR);
    const char *block = policy(&b, "enabled", "", BLOCK);
    expect(&b, 400, HTTP_POST, POLICIES "?force=false", block);
    expect(&b, 201, HTTP_POST, POLICIES "?force=true", block);
    bench_close(&b);
    setup(&b);
    give_role(&b, make_user(&b, "root"), ROLE_GLOBAL_ADMINISTRATOR);
    rf_str bearer = rf_arena_printf(&b.arena, "Bearer %.*s", RF_FMT(b.token));
    struct http_header headers[] = {BENCH_HEADER("Content-Type", "application/json"),
                                    {.name = RF_S("Authorization"), .value = bearer},
                                    BENCH_HEADER("Ringfort-Force", "true")};
    block = policy(&b, "enabled", "", BLOCK);
    struct bench_ask ask = {.method = HTTP_POST,
                            .target = POLICIES,
                            .body = rf_str_of(block),
                            .headers = headers,
                            .header_count = 2};
    cr_assert(bench_send(&b, &ask).status == 400);
    ask.header_count = 3;
    cr_assert(bench_send(&b, &ask).status == 201);
    bench_close(&b);
}

/* Policies for applications must leave one that can change policies, where no user could. */
Test(graph_policy, the_last_application_stays)
{
    static const char body[] =
        "{\"displayName\":\"p\",\"state\":\"enabled\",\"conditions\":{\"users\":{\"includeUsers\":["
        "\"None\"]},\"clientApplications\":{\"includeServicePrincipals\":["
        "\"ServicePrincipalsInMyTenant\"]},\"applications\":{\"includeApplications\":[\"All\"]},"
        "\"clientAppTypes\":[\"all\"]},\"grantControls\":{\"operator\":\"OR\"," BLOCK "}}";
    struct bench b;
    setup(&b);
    expect(&b, 400, HTTP_POST, POLICIES, body);
    give_role(&b, make_user(&b, "root"), ROLE_GLOBAL_ADMINISTRATOR);
    expect(&b, 201, HTTP_POST, POLICIES, body);
    struct policy_verdict verdict;
    struct rf_err err;
    struct policy_input input = {.service_principal = b.app.object_id,
                                 .resource_app = RF_S(GRAPH_APP_ID)};
    cr_assert(access_evaluate(b.identity, &input, &b.arena, &verdict, &err) == RF_OK);
    cr_assert(verdict.blocked);
    bench_close(&b);
}

/* ---- settings -------------------------------------------------------------------------------------------------------------------------- */

Test(graph_policy, security_defaults)
{
    struct bench b;
    setup(&b);
    const char *user = make_user(&b, "ada");
    struct bench_answer answer = expect(&b, 200, HTTP_GET, DEFAULTS, NULL);
    cr_assert(says(&answer, "\"isEnabled\":false"));
    expect(&b, 400, HTTP_PATCH, DEFAULTS, "{\"isEnabled\":\"yes\"}");
    expect(&b, 400, HTTP_PATCH, DEFAULTS, "{\"isEnabled\":true,\"moon\":1}");
    expect(&b, 204, HTTP_PATCH, DEFAULTS, "{\"isEnabled\":true}");
    answer = expect(&b, 200, HTTP_GET, DEFAULTS, NULL);
    cr_assert(says(&answer, "\"isEnabled\":true"));
    struct policy_verdict verdict = evaluate(&b, user, PROOF_PASSWORD);
    cr_assert(verdict.asks == ASK_MFA);
    cr_assert(rf_str_is(json_text_at(verdict.asked_by, "displayName"), "Security defaults"));
    expect(&b, 400, HTTP_POST, POLICIES, policy(&b, "enabled", "", MFA));
    const char *id = create(&b, POLICIES, policy(&b, "disabled", "", MFA));
    expect(&b, 204, HTTP_PATCH, DEFAULTS, "{\"isEnabled\":false}");
    cr_assert(evaluate(&b, user, PROOF_PASSWORD).asks == 0);
    expect(&b, 204, HTTP_PATCH, bench_text(&b, POLICIES "/%s", id), "{\"state\":\"enabled\"}");
    expect(&b, 400, HTTP_PATCH, DEFAULTS, "{\"isEnabled\":true}");
    bench_close(&b);
}

Test(graph_policy, methods)
{
    struct bench b;
    struct rf_err err;
    bool enabled;
    setup(&b);
#define ENABLED(name) (access_method_enabled(b.identity, name, &enabled, &err) == RF_OK && enabled)
    struct bench_answer answer = expect(&b, 200, HTTP_GET, METHODS, NULL);
    cr_assert(json_get(answer.json, "authenticationMethodConfigurations")->count == 4);
    cr_assert(ENABLED("Fido2") && ENABLED("SoftwareOath"));
    expect(&b, 204, HTTP_PATCH, METHODS "/authenticationMethodConfigurations/fido2",
           "{\"@odata.type\":\"#microsoft.graph.fido2AuthenticationMethodConfiguration\","
           "\"state\":\"disabled\"}");
    cr_assert(!ENABLED("Fido2") && ENABLED("SoftwareOath"));
    answer = expect(&b, 200, HTTP_GET, METHODS "/authenticationMethodConfigurations/Fido2", NULL);
    cr_assert(says(&answer, "\"state\":\"disabled\""));
    expect(&b, 204, HTTP_PATCH, METHODS,
           "{\"authenticationMethodConfigurations\":[{\"id\":\"TemporaryAccessPass\","
           "\"defaultLifetimeInMinutes\":30,\"isUsableOnce\":false}]}");
    answer = expect(&b, 200, HTTP_GET, METHODS "/authenticationMethodConfigurations", NULL);
    cr_assert(json_get(answer.json, "value")->count == 4);
    cr_assert(says(&answer, "\"defaultLifetimeInMinutes\":30") && says(&answer, "\"disabled\""));
    static const char *const wrong[] = {"{\"state\":\"perhaps\"}",
                                        "{\"state\":7}",
                                        "{\"moon\":true}",
                                        "{\"id\":\"x\"}",
                                        "{\"defaultLifetimeInMinutes\":500}",
                                        "{\"minimumLifetimeInMinutes\":60}",
                                        "{\"isUsableOnce\":\"no\"}"};
    for (size_t i = 0; i < RF_COUNT(wrong); i++)
        expect(&b, 400, HTTP_PATCH,
               METHODS "/authenticationMethodConfigurations/TemporaryAccessPass", wrong[i]);
    expect(&b, 404, HTTP_GET, METHODS "/authenticationMethodConfigurations/Sms", NULL);
    expect(&b, 404, HTTP_PATCH, METHODS,
           "{\"authenticationMethodConfigurations\":[{\"id\":\"Sms\"}]}");
    expect(&b, 400, HTTP_PATCH, METHODS, "{\"policyVersion\":\"2\"}");
    static const char *const row[] = {"Update policy", "Authentication Methods Policy", NULL};
    cr_assert(bench_has_row(&b, "AuditLogs", row));
    expect(&b, 400, HTTP_PATCH, EMERGENCY, "{\"userIds\":[\"nobody\"]}");
    expect(&b, 400, HTTP_PATCH, EMERGENCY,
           "{\"userIds\":[\"00000000-0000-4000-8000-000000000001\"]}");
    answer = expect(&b, 200, HTTP_GET, EMERGENCY, NULL);
    cr_assert(json_get(answer.json, "userIds")->count == 0);
    bench_close(&b);
}

/* ---- what if --------------------------------------------------------------------------------------------------------------------------- */

Test(graph_policy, what_if)
{
    static const char path[] = "/beta/identity/conditionalAccess/evaluate";
    struct bench b;
    setup(&b);
    const char *user = make_user(&b, "ada");
    create(&b, POLICIES,
           policy(&b, "enabled", ",\"platforms\":{\"includePlatforms\":[\"android\"]}", MFA));
    create(&b, POLICIES, policy(&b, "disabled", "", BLOCK));
    const struct {
        const char *platform, *more, *reason;
        uint32_t count;
        bool applies;
    } rows[] = {
        {"android", "", "notSet", 2, true},
        {"windows", "", "devicePlatform", 2, false},
        {"android", ",\"appliedPoliciesOnly\":true", "notSet", 1, true},
        {"windows", ",\"appliedPoliciesOnly\":true", NULL, 0, false},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct bench_answer answer = expect(
            &b, 200, HTTP_POST, path,
            bench_text(&b,
                       "{\"signInIdentity\":{\"@odata.type\":\"#microsoft.graph.userSignIn\","
                       "\"userId\":\"%s\"},\"signInContext\":{\"@odata.type\":"
                       "\"#microsoft.graph.applicationContext\",\"includeApplications\":["
                       "\"797f4846-ba00-4fd7-ba43-dac1f8f63013\"]},\"signInConditions\":{"
                       "\"devicePlatform\":\"%s\",\"clientAppType\":\"browser\",\"ipAddress\":"
                       "\"40.77.182.32\",\"country\":\"US\"}%s}",
                       user, rows[i].platform, rows[i].more));
        const struct json_node *list = json_get(answer.json, "value");
        cr_assert(list->count == rows[i].count, "%.*s", RF_FMT(answer.text));
        for (const struct json_node *p = list->first; p != NULL; p = p->next) {
            bool off = rf_str_is(json_text_at(p, "state"), "disabled");
            cr_assert(json_bool_at(p, "policyApplies", off) == (!off && rows[i].applies));
            cr_assert(rf_str_is(json_text_at(p, "analysisReasons"),
                                off ? "policyNotEnabled" : rows[i].reason),
                      "%.*s", RF_FMT(answer.text));
            cr_assert(json_is(json_get(p, "grantControls"), JSON_T_OBJECT));
        }
    }
    static const char *const wrong[] = {
        "{}",
        "{\"signInIdentity\":{\"userId\":\"%s\"}}",
        "{\"signInIdentity\":{\"userId\":\"%s\"},\"signInContext\":{\"includeApplications\":[]}}",
        "{\"signInIdentity\":{\"userId\":\"%s\"},\"signInContext\":{\"userAction\":\"dance\"}}",
        ("{\"signInIdentity\":{\"userId\":\"%s\"},\"signInContext\":{\"authenticationContext\":"
         "\"c1\"},\"signInConditions\":{\"userRiskLevel\":\"huge\"}}"),
    };
    for (size_t i = 0; i < RF_COUNT(wrong); i++) {
        rf_str text = rf_str_of(wrong[i]);
        size_t at = rf_str_find(text, RF_S("%s"), 0);
        const char *body =
            at == SIZE_MAX ? wrong[i]
                           : bench_text(&b, "%.*s%s%s", (int)at, wrong[i], user, wrong[i] + at + 2);
        expect(&b, 400, HTTP_POST, path, body);
    }
    expect(&b, 404, HTTP_POST, path,
           "{\"signInIdentity\":{\"userId\":\"00000000-0000-4000-8000-000000000001\"}}");
    struct bench_answer answer = expect(
        &b, 200, HTTP_POST, path,
        bench_text(&b,
                   "{\"signInIdentity\":{\"servicePrincipalId\":\"%.*s\"},\"signInContext\":{"
                   "\"includeApplications\":[\"All\"]}}",
                   RF_FMT(b.app.object_id)));
    cr_assert(says(&answer, "workloadIdentities"));
    bench_close(&b);
}
