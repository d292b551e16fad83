#include "vault/vault_world.h"

#include "test/rf_prop.h"

#define GROUP_ID "dddddddd-0000-0000-0000-000000000001"
#define ISSUER "https://localhost:8443/" WALK_TENANT "/"

/* ---- roles, over requests --------------------------------------------------------------------------------------- */

Test(vault_access, roles_count_at_the_object_the_vault_and_above, .timeout = 60)
{
    struct vault_world w;
    v_init(&w);
    static const struct {
        const char *oid, *scope;
        int one, other, list; /* status of reading /secrets/foo, /secrets/bar, and of the list */
    } rows[] = {
        {"aaaaaaaa-0000-0000-0000-000000000011", V_ID "/secrets/foo", 404, 403, 403},
        {"aaaaaaaa-0000-0000-0000-000000000013", V_ID "/secrets/FOO", 404, 403, 403},
        {"aaaaaaaa-0000-0000-0000-000000000015", V_ID "/keys/foo", 403, 403, 403},
        {"aaaaaaaa-0000-0000-0000-000000000017", V_ID "/secrets/fo", 403, 403, 403},
        {"aaaaaaaa-0000-0000-0000-000000000019", V_ID, 404, 404, 200},
        {"aaaaaaaa-0000-0000-0000-000000000021", V_GROUP, 404, 404, 200},
        {"aaaaaaaa-0000-0000-0000-000000000023", V_SUB, 404, 404, 200},
        {"aaaaaaaa-0000-0000-0000-000000000025", "/", 404, 404, 200},
        {"aaaaaaaa-0000-0000-0000-000000000027", V_VAULTS "other", 403, 403, 403},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        v_be(&w, rows[i].oid);
        v_expect(&w, "GET", "/secrets/foo/", NULL, 403);
        v_assign(&w, rows[i].oid, V_ROLE_SECRETS_USER, rows[i].scope);
        /* At once, and before it is known whether there is such a secret. */
        v_expect(&w, "GET", "/secrets/foo/", NULL, rows[i].one);
        v_expect(&w, "GET", "/secrets/bar", NULL, rows[i].other);
        v_expect(&w, "GET", "/secrets", NULL, rows[i].list);
        v_expect(&w, "PUT", "/secrets/foo", "{\"value\":\"x\"}", 403);
        v_expect(&w, "DELETE", "/secrets/foo", NULL, 403);
    }
    v_done(&w);
}

Test(vault_access, roles_of_groups_count_and_those_of_the_control_plane_do_not)
{
    struct vault_world w;
    v_init(&w);
    v_be(&w, V_OTHER);
    v_assign(&w, V_OTHER, ROLE_OWNER, "/");
    v_expect(&w, "GET", "/secrets", NULL, 403);
    v_assign(&w, GROUP_ID, V_ROLE_SECRETS_OFFICER, V_ID);
    v_expect(&w, "GET", "/secrets", NULL, 403);
    w.site.groups[0] = RF_S(GROUP_ID);
    w.site.group_count = 1;
    v_expect(&w, "GET", "/secrets", NULL, 200);
    cr_expect(guid_is(walk_header(&w.last, "x-ms-keyvault-rbac-assignment-id")));
    w.site.group_count = 0;
    v_expect(&w, "GET", "/secrets", NULL, 403);
    cr_expect(walk_header(&w.last, "x-ms-keyvault-rbac-assignment-id").len == 0);
    v_done(&w);
}

Test(vault_access, a_denial_says_who_may_not_do_what)
{
    struct vault_world w;
    v_init(&w);
    v_be(&w, V_OTHER);
    v_expect_error(&w, "GET", "/secrets/foo/", NULL, 403, "Forbidden", "ForbiddenByRbac");
    v_expect_text(&w, "error.message",
                  "Caller is not authorized to perform action on resource.\r\n"
                  "If role assignments, deny assignments or role definitions were changed "
                  "recently, please observe propagation time.\r\n"
                  "Caller: appid=" V_APP ";oid=" V_OTHER ";iss=" ISSUER "\r\n"
                  "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\n"
                  "Resource: '" V_ID "/secrets/foo'\r\n"
                  "Assignment: (not found)\r\nDenyAssignmentId: null\r\n"
                  "DecisionReason: 'DeniedWithNoValidRBAC'\r\nVault: " V_NAME
                  ";location=local\r\n");
    v_expect_error(&w, "GET", "/secrets", NULL, 403, "Forbidden", "ForbiddenByRbac");
    cr_assert(walk_body_has(&w.last, "Resource: '" V_ID "'"));
    v_done(&w);
}

/* ---- operations of this test's own ------------------------------------------------------------------------------ */

static const struct vault_operation encrypt = {.action = "keys/encrypt/action",
                                               .or_action = "keys/read",
                                               .policy = "keys encrypt get",
                                               .path = "keys/{name}/{version}/encrypt",
                                               .scope = "keys"},
                                    sign = {.action = "keys/sign/action",
                                            .policy = "keys sign",
                                            .path = "keys/{name}/{version}/sign",
                                            .scope = "keys"},
                                    contacts = {.action = "certificatecontacts/write",
                                                .policy = "certificates managecontacts",
                                                .path = "certificates/contacts"};

struct asker {
    struct vault_world *w;
    struct request request;
    struct http_request http;
    struct http_response response;
    struct principal principal;
    struct vault_call call;
};

static bool may(struct asker *a, const struct vault_operation *operation, const char *name)
{
    struct route_need need = {.action = {0}};
    struct state_txn *txn;
    struct rf_arena *arena = &a->w->site.arena;
    a->http.peer_address = RF_S("192.0.2.1");
    a->response = (struct http_response){.arena = arena, .body = rf_buf_in(arena)};
    a->request = (struct request){.http = &a->http,
                                  .response = &a->response,
                                  .arena = arena,
                                  .site = &a->w->site.site,
                                  .principal = &a->principal,
                                  .service = a->w->vaults};
    a->call = (struct vault_call){.vaults = a->w->vaults,
                                  .request = &a->request,
                                  .arena = arena,
                                  .operation = operation,
                                  .name = rf_str_of(name)};
    cr_assert(state_begin_read(a->w->site.state, &txn, &a->w->err) == RF_OK);
    cr_assert(vault_place_find(a->w->vaults, txn, (rf_str){0}, arena, &a->call.place, &a->w->err) ==
                  RF_OK,
              "%s", a->w->err.text);
    state_end(txn);
    enum rf_kind kind = vault_check_access(&a->call, &need, &a->w->err);
    cr_assert(kind == RF_OK || (kind == RF_DENIED && a->request.fail_status == 403));
    cr_assert(need.is_data && need.action.len > 0 && need.scope.len > 0);
    return kind == RF_OK;
}

Test(vault_access, either_of_two_actions_does_and_it_is_told_which)
{
    struct vault_world w;
    v_init(&w);
    struct asker a = {.w = &w, .principal = {.object_id = RF_S(V_OTHER), .app_id = RF_S(V_APP)}};
    cr_assert(!may(&a, &encrypt, "k"));
    v_assign(&w, V_OTHER, V_ROLE_READER, V_ID "/keys/k"); /* reads, and encrypts nothing */
    cr_assert(may(&a, &encrypt, "k") && a.call.by_or);
    cr_assert(!may(&a, &encrypt, "other"));
    cr_assert(!may(&a, &sign, "k") && !a.call.by_or);
    v_assign(&w, V_OTHER, V_ROLE_CRYPTO_USER, V_ID);
    cr_assert(may(&a, &encrypt, "k") && !a.call.by_or);
    cr_assert(may(&a, &sign, "k"));
    cr_assert(!may(&a, &contacts, ""));
    v_done(&w);
}

Test(vault_access, access_policies)
{
    struct vault_world w;
    v_init(&w);
    struct asker a = {.w = &w, .principal = {.object_id = RF_S(V_OTHER), .app_id = RF_S(V_APP)}};
    const rf_str groups[] = {RF_S("dddddddd-0000-0000-0000-000000000009"), RF_S(GROUP_ID)};
    static const char who[] = "\"tenantId\":\"" WALK_TENANT "\",\"objectId\":\"" V_OTHER "\"";
    static const struct {
        const char *policy;
        bool encrypt, sign, contacts, by_or;
        bool in_group;
    } rows[] = {
        {"", false, false, false, false, false},
        {"%s,\"permissions\":{\"keys\":[\"sign\"]}", false, true, false, false, false},
        {"%s,\"permissions\":{\"keys\":[\"SIGN\",\"Encrypt\"]}", true, true, false, false, false},
        {"%s,\"permissions\":{\"keys\":[\"get\"]}", true, false, false, true, false},
        {"%s,\"permissions\":{\"keys\":[\"all\"]}", true, true, false, false, false},
        {"%s,\"permissions\":{\"certificates\":[\"all\"]}", false, false, true, false, false},
        {"%s,\"permissions\":{\"secrets\":[\"all\"]}", false, false, false, false, false},
        {"%s,\"permissions\":{\"certificates\":[\"ManageContacts\"]}", false, false, true, false,
         false},
        {"%s,\"permissions\":{\"keys\":[\"verify\",\"unwrapKey\"]}", false, false, false, false,
         false},
        {"%s,\"applicationId\":\"" V_APP "\",\"permissions\":{\"keys\":[\"sign\"]}", false, true,
         false, false, false},
        {"%s,\"applicationId\":\"bbbbbbbb-0000-0000-0000-00000000000f\",\"permissions\":{\"keys\":["
         "\"sign\"]}",
         false, false, false, false, false},
        {"\"tenantId\":\"" WALK_TENANT "\",\"objectId\":\"" GROUP_ID
         "\",\"permissions\":{\"keys\":[\"sign\"]}",
         false, true, false, false, true},
        {"\"tenantId\":\"" WALK_TENANT "\",\"objectId\":\"" GROUP_ID
         "\",\"permissions\":{\"keys\":[\"sign\"]}",
         false, false, false, false, false},
    };
    /* A role gives nothing where policies count. */
    v_assign(&w, V_OTHER, V_ROLE_ADMIN, V_ID);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        char entry[512] = "", properties[640];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(entry, sizeof entry, rows[i].policy, who);
#pragma GCC diagnostic pop
        (void)snprintf(properties, sizeof properties,
                       "\"enableRbacAuthorization\":false,\"accessPolicies\":[%s%s%s]",
                       entry[0] == 0 ? "" : "{", entry, entry[0] == 0 ? "" : "}");
        v_vault(&w, V_NAME, properties);
        a.principal.groups = groups;
        a.principal.group_count = rows[i].in_group ? RF_COUNT(groups) : 1;
        cr_expect(may(&a, &sign, "k") == rows[i].sign, "%zu sign", i);
        cr_expect(may(&a, &contacts, "") == rows[i].contacts, "%zu contacts", i);
        cr_expect(may(&a, &encrypt, "k") == rows[i].encrypt, "%zu encrypt", i);
        cr_expect(a.call.by_or == rows[i].by_or, "%zu", i);
    }
    v_be(&w, V_OTHER);
    v_expect_error(&w, "GET", "/secrets", NULL, 403, "Forbidden", "AccessDenied");
    cr_assert(walk_body_has(&w.last, "does not have secrets list permission on key vault "
                                     "'" V_NAME ";location=local'"));
    cr_assert(walk_body_has(&w.last, "appid=" V_APP ";oid=" V_OTHER ";iss=" ISSUER));
    v_done(&w);
}

/* ---- addresses -------------------------------------------------------------------------------------------------- */

Test(vault_access, addresses_in_ranges)
{
    static const struct {
        const char *address, *range;
        bool in;
    } rows[] = {
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.8", false},
        {"192.0.2.7", "192.0.2.0/24", true},
        {"192.0.3.7", "192.0.2.0/24", false},
        {"192.0.2.127", "192.0.2.0/25", true},
        {"192.0.2.128", "192.0.2.0/25", false},
        {"192.0.2.7", "192.0.2.9/24", true},
        {"203.0.113.1", "0.0.0.0/0", true},
        {"2001:db8::1", "0.0.0.0/0", false},
        {"192.0.2.7", "192.0.2.7/32", true},
        {"192.0.2.6", "192.0.2.7/32", false},
        {"192.0.2.6", "192.0.2.7/31", true},
        {"::ffff:192.0.2.7", "192.0.2.0/24", true},
        {"2001:db8::1", "2001:db8::/32", true},
        {"2001:db9::1", "2001:db8::/32", false},
        {"2001:db8:0:1::1", "2001:db8::/63", true},
        {"2001:db8:0:2::1", "2001:db8::/63", false},
        {"2001:db8::1", "2001:db8::1", true},
        {"192.0.2.7", "192.0.2.0/33", false},
        {"192.0.2.7", "192.0.2.0/", false},
        {"192.0.2.7", "192.0.2.0/-1", false},
        {"192.0.2.7", "192.0.2.0/4294967320", false},
        {"192.0.2.7", "192.0.2.0/2 4", false},
        {"192.0.2.7", "", false},
        {"192.0.2.7", "/0", false},
        {"192.0.2.7", "any", false},
        {"", "0.0.0.0/0", false},
        {"192.0.2.7",
         "192.0.2.7"
         "000000000000000000000000000000000000000000000000000000000000000000",
         false},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        cr_expect(vault_address_in(rf_str_of(rows[i].address), rf_str_of(rows[i].range)) ==
                      rows[i].in,
                  "%s in %s", rows[i].address, rows[i].range);
}

Test(vault_access, network_rules)
{
    struct vault_world w;
    v_init(&w);
    v_vault(&w, V_NAME,
            "\"networkAcls\":{\"bypass\":\"AzureServices\",\"defaultAction\":\"Deny\","
            "\"ipRules\":[{\"value\":\"192.0.2.128/25\"},{\"value\":\"198.51.100.7\"}],"
            "\"virtualNetworkRules\":[]}");
    static const struct {
        const char *peer;
        int status;
    } peers[] = {{"192.0.2.129", 200},
                 {"198.51.100.7", 200},
                 {"192.0.2.1", 403},
                 {"127.0.0.1", 403},
                 {"2001:db8::1", 403}};
    for (size_t i = 0; i < RF_COUNT(peers); i++) {
        w.peer = peers[i].peer;
        v_expect(&w, "GET", "/secrets", NULL, peers[i].status);
        if (peers[i].status == 200) continue;
        v_expect_text(&w, "error.code", "Forbidden");
        v_expect_text(&w, "error.innererror.code", "ForbiddenByFirewall");
        cr_assert(walk_body_has(&w.last, peers[i].peer));
        /* Whoever has no token hears nothing of the rules. */
        v_be(&w, NULL);
        v_expect(&w, "GET", "/secrets", NULL, 401);
        v_be(&w, V_ADMIN);
    }
    w.peer = NULL;
    v_vault(&w, V_NAME, "\"networkAcls\":{\"bypass\":\"None\",\"defaultAction\":\"Allow\"}");
    v_expect(&w, "GET", "/secrets", NULL, 200);
    v_vault(&w, V_NAME, "\"publicNetworkAccess\":\"Disabled\"");
    v_expect_error(&w, "GET", "/secrets", NULL, 403, "Forbidden", "ForbiddenByFirewall");
    v_vault(&w, V_NAME, "\"publicNetworkAccess\":\"Enabled\"");
    v_expect(&w, "GET", "/secrets", NULL, 200);
    v_done(&w);
}
