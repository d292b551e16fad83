#include "vault/keys_world.h"

#define REACH V_SUB "/providers/Microsoft.KeyVault/reach?api-version=2023-07-01&principalId="
#define V_GROUP_ID "cccccccc-0000-0000-0000-000000000001"

static void arm(struct vault_world *w, const char *oid)
{
    struct walk_token token = {.oid = oid, .audience = "https://management.azure.com/"};
    w->token = walk_bearer(&w->site, v_jwt(w, &token));
}

static const struct json_node *reader(struct vault_world *w, const char *id)
{
    for (const struct json_node *v = json_get(w->answer, "value")->first; v != NULL; v = v->next)
        if (rf_str_is(json_text_at(v, "principalId"), id)) return v;
    return NULL;
}

static bool has(const struct json_node *node, const char *list, const char *word)
{
    const struct json_node *words = json_get(node, list);
    for (const struct json_node *n = words == NULL ? NULL : words->first; n != NULL; n = n->next)
        if (rf_str_is(n->text, word)) return true;
    return false;
}

static void deny(struct vault_world *w, const char *action, const char *oid)
{
    struct state_txn *txn;
    rf_str body = rf_arena_printf(&w->site.arena,
                                  "{\"properties\":{\"scope\":\"" V_ID
                                  "\",\"permissions\":[{\"actions\":[],\"dataActions\":"
                                  "[\"%s\"]}],\"principals\":[{\"id\":\"%s\",\"type\":\"User\"}]}}",
                                  action, oid);
    struct state_put put = {.space = "denyAssignment", .key = RF_S("d"), .body = body};
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(state_put(txn, &put, NULL, NULL, &w->err) == RF_OK);
    cr_assert(state_commit(txn, &w->err) == RF_OK);
}

Test(vault_report_readers, names_whom_roles_let_read)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", "/secrets/foo", "{\"value\":\"v\"}", 200);
    v_expect(&w, "POST", "/keys/k/create", "{\"kty\":\"RSA\"}", 200);
    v_assign(&w, V_OTHER, V_ROLE_SECRETS_USER, V_ID "/secrets/foo");
    v_assign(&w, V_GROUP_ID, V_ROLE_SECRETS_USER, V_GROUP);
    v_assign(&w, "aaaaaaaa-0000-0000-0000-000000000009", V_ROLE_READER, V_ID);
    v_expect(&w, "GET", "/secrets/foo/readers", NULL, 200);
    v_expect_text(&w, "model", "roles");
    v_expect_text(&w, "network.access", "anyAddress");
    cr_assert(json_get(w.answer, "value")->count == 3, "a reader of metadata is none");
    const struct json_node *other = reader(&w, V_OTHER), *group = reader(&w, V_GROUP_ID);
    cr_assert(other != NULL && group != NULL && reader(&w, V_ADMIN) != NULL);
    cr_assert(has(other, "actions", "get") && json_get(other, "denied") == NULL);
    cr_assert(rf_str_is(json_text_at(other, "principalType"), "ServicePrincipal"));
    const struct json_node *way = json_get(other, "via")->first;
    cr_assert(rf_str_is(json_text_at(way, "roleName"), "Key Vault Secrets User"));
    cr_assert(rf_str_is(json_text_at(way, "kind"), "roleAssignment"));
    cr_assert(rf_str_find(json_text_at(way, "scope"), RF_S("/secrets/foo"), 0) != SIZE_MAX);
    cr_assert(!json_bool_at(way, "conditional", true));
    v_expect(&w, "GET", "/keys/k/readers", NULL, 200);
    cr_assert(reader(&w, V_OTHER) == NULL);
    cr_assert(has(reader(&w, V_ADMIN), "actions", "sign"));
    deny(&w, "Microsoft.KeyVault/vaults/secrets/getSecret/action", V_OTHER);
    v_expect(&w, "GET", "/secrets/foo/readers", NULL, 200);
    other = reader(&w, V_OTHER);
    cr_assert(has(other, "denied", "get") && !has(other, "actions", "get"));
    cr_assert(has(reader(&w, V_ADMIN), "actions", "get"));
    v_done(&w);
}

Test(vault_report_readers, gives_pages_and_refuses_strangers)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", "/secrets/foo", "{\"value\":\"v\"}", 200);
    for (int i = 0; i < 5; i++)
        v_assign(&w, k_text(&w.site.arena, "aaaaaaaa-0000-0000-0000-0000000001%02d", i),
                 V_ROLE_SECRETS_USER, V_ID);
    const char *target = "/secrets/foo/readers?maxresults=4";
    uint32_t seen = 0, pages = 0;
    while (target != NULL) {
        v_expect(&w, "GET", target, NULL, 200);
        seen += json_get(w.answer, "value")->count;
        pages++;
        rf_str link = json_text_at(w.answer, "nextLink");
        target = link.len == 0
                     ? NULL
                     : rf_arena_cstr(&w.site.arena,
                                     rf_slice(link, strlen("https://localhost:8443"), link.len));
    }
    cr_assert(seen == 6 && pages == 2, "%u in %u", seen, pages);
    v_expect_error(&w, "GET", "/secrets/none/readers", NULL, 404, "SecretNotFound", NULL);
    v_be(&w, V_OTHER);
    v_expect_error(&w, "GET", "/secrets/foo/readers", NULL, 403, "Forbidden", "ForbiddenByRbac");
    v_done(&w);
}

Test(vault_report_readers, reads_access_policies)
{
    struct vault_world w;
    v_init(&w);
    v_vault(&w, "kv2",
            "\"enableRbacAuthorization\":false,\"networkAcls\":{\"defaultAction\":\"Deny\","
            "\"ipRules\":[{\"value\":\"192.0.2.0/24\"}]},\"accessPolicies\":["
            "{\"tenantId\":\"" WALK_TENANT "\",\"objectId\":\"" V_ADMIN "\",\"permissions\":{"
            "\"secrets\":[\"all\"]}},"
            "{\"tenantId\":\"" WALK_TENANT "\",\"objectId\":\"" V_OTHER "\",\"permissions\":{"
            "\"secrets\":[\"list\"]}}]");
    v_assign(&w, V_ADMIN, ROLE_READER, V_VAULTS "kv2");
    w.host = "kv2.vault.ringfort.localhost:8443";
    v_expect(&w, "PUT", "/secrets/foo", "{\"value\":\"v\"}", 200);
    v_expect(&w, "GET", "/secrets/foo/readers", NULL, 200);
    v_expect_text(&w, "model", "accessPolicies");
    v_expect_text(&w, "network.access", "listedAddresses");
    cr_assert(json_get(w.answer, "value")->count == 1);
    cr_assert(has(reader(&w, V_ADMIN), "actions", "get"));
    v_be(&w, V_OTHER);
    v_expect_error(&w, "GET", "/secrets/foo/readers", NULL, 403, "Forbidden", "AccessDenied");
    v_done(&w);
}

Test(vault_report_readers, tells_what_a_principal_reaches)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", "/secrets/foo", "{\"value\":\"v\"}", 200);
    v_expect(&w, "PUT", "/secrets/bar", "{\"value\":\"v\"}", 200);
    v_expect(&w, "POST", "/keys/k/create", "{\"kty\":\"RSA\"}", 200);
    v_assign(&w, V_OTHER, V_ROLE_SECRETS_USER, V_ID "/secrets/foo");
    arm(&w, V_ADMIN);
    v_expect(&w, "GET", REACH V_OTHER, NULL, 200);
    const struct json_node *value = json_get(w.answer, "value");
    cr_assert(value->count == 1 && rf_str_is(json_text_at(value->first, "name"), "foo"));
    cr_assert(has(value->first, "actions", "get"));
    v_expect(&w, "GET", REACH V_ADMIN, NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 3);
    v_expect(&w, "GET", REACH "dddddddd-0000-0000-0000-000000000001", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 0);
    v_expect_error(&w, "GET", REACH, NULL, 400, "InvalidParameter", NULL);
    arm(&w, "aaaaaaaa-0000-0000-0000-000000000009");
    v_expect(&w, "GET", REACH V_ADMIN, NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 0, "nothing of what it may not list");
    v_done(&w);
}
