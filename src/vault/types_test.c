
#include "vault/types_int.h"
#include "vault/vault_world.h"

#define A_V "?api-version=2024-11-01"
#define A_ARM "https://management.azure.com/"
#define A_NEW                                                                                      \
    "{\"location\":\"local\",\"properties\":{\"tenantId\":\"" WALK_TENANT                          \
    "\",\"sku\":{\"family\":\"A\",\"name\":\"standard\"}"
#define A_DELETED V_SUB "/providers/Microsoft.KeyVault/locations/local/deletedVaults/"
#define A_PERSON "cccccccc-0000-0000-0000-000000000001"
#define A_POLICY(words)                                                                            \
    "{\"tenantId\":\"" WALK_TENANT "\",\"objectId\":\"" A_PERSON "\",\"permissions\":{" words "}}"

/* As whoever owns the subscription. */
static void a_init(struct vault_world *w)
{
    v_init(w);
    v_assign(w, V_OTHER, ROLE_OWNER, "/");
    w->token =
        walk_bearer(&w->site, v_jwt(w, &(struct walk_token){.oid = V_OTHER, .audience = A_ARM}));
}

Test(vault_types, a_vault_is_made_and_shown)
{
    struct vault_world w;
    a_init(&w);
    v_expect(&w, "PUT", V_VAULTS "Fresh-1" A_V, A_NEW "}}", 201);
    v_expect_text(&w, "properties.vaultUri", "https://fresh-1.vault.ringfort.localhost:8443/");
    v_expect_text(&w, "properties.provisioningState", "Succeeded");
    v_expect_text(&w, "properties.publicNetworkAccess", "Enabled");
    v_expect_text(&w, "properties.sku.name", "standard");
    cr_assert(json_bool_at(w.answer, "properties.enableRbacAuthorization", false));
    cr_assert(json_bool_at(w.answer, "properties.enableSoftDelete", false));
    cr_assert(json_at(w.answer, "properties.enablePurgeProtection") == NULL);
    int64_t days = 0;
    cr_assert(json_i64_at(w.answer, "properties.softDeleteRetentionInDays", &days) && days == 90);
    v_expect(&w, "GET", V_VAULTS "fresh-1" A_V, NULL, 200);
    v_expect_text(&w, "name", "Fresh-1");
    v_expect(&w, "GET", V_SUB "/providers/Microsoft.KeyVault/vaults" A_V, NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 2);
    v_expect(&w, "GET", V_SUB "/providers/Microsoft.KeyVault/vaults" A_V "&$top=1", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1 && json_get(w.answer, "nextLink") != NULL);
    v_expect(&w, "GET", V_GROUP "/providers/Microsoft.KeyVault/vaults?api-version=2016-10-01", NULL,
             200);
    v_expect(&w, "GET",
             V_SUB "/resources?$filter=resourceType%20eq%20'Microsoft.KeyVault/vaults'"
                   "&api-version=2015-11-01",
             NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 2);
    v_expect(&w, "GET", V_VAULTS "fresh-1/privateEndpointConnections" A_V, NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 0);
    v_expect(&w, "PUT", V_VAULTS "fresh-1/privateEndpointConnections/x" A_V, "{\"properties\":{}}",
             405);
    v_done(&w);
}

Test(vault_types, names_are_checked_and_unique)
{
    static const char *const bad[] = {
        "ab", "1abc", "-abc", "abc-", "a--b", "a_bc", "abcdefghijklmnopqrstuvwxy"};
    struct vault_world w;
    char path[300];
    a_init(&w);
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        (void)snprintf(path, sizeof path, "%s%s%s", V_VAULTS, bad[i], A_V);
        v_expect(&w, "PUT", path, A_NEW "}}", 400);
        v_expect_text(&w, "error.code", "VaultNameNotValid");
    }
    v_expect(&w, "PUT", V_SUB "/resourceGroups/other?api-version=2021-04-01",
             "{\"location\":\"local\"}", 201);
    v_expect(&w, "PUT", V_SUB "/resourceGroups/other/providers/Microsoft.KeyVault/vaults/abc" A_V,
             A_NEW "}}", 201);
    v_expect(&w, "PUT", V_VAULTS "ABC" A_V, A_NEW "}}", 409);
    v_expect_text(&w, "error.code", "VaultAlreadyExists");
    v_expect(&w, "POST", V_SUB "/providers/Microsoft.KeyVault/checkNameAvailability" A_V,
             "{\"name\":\"aBc\",\"type\":\"Microsoft.KeyVault/vaults\"}", 200);
    cr_assert(!json_bool_at(w.answer, "nameAvailable", true));
    v_expect_text(&w, "reason", "AlreadyExists");
    v_expect(&w, "POST", V_SUB "/providers/Microsoft.KeyVault/checkNameAvailability" A_V,
             "{\"name\":\"a--c\",\"type\":\"Microsoft.KeyVault/vaults\"}", 200);
    v_expect_text(&w, "reason", "AccountNameInvalid");
    v_expect(&w, "POST", V_SUB "/providers/Microsoft.KeyVault/checkNameAvailability" A_V,
             "{\"name\":\"free\",\"type\":\"Microsoft.KeyVault/vaults\"}", 200);
    cr_assert(json_bool_at(w.answer, "nameAvailable", false));
    v_done(&w);
}

Test(vault_types, properties_are_checked)
{
    static const char *const bad[] = {
        "\"tenantId\":\"22222222-2222-3333-4444-555555555555\"",
        "\"tenantId\":7",
        "\"sku\":\"standard\"",
        "\"sku\":{\"family\":\"A\",\"name\":\"gold\"}",
        "\"sku\":{\"family\":\"B\",\"name\":\"standard\"}",
        "\"sku\":{\"family\":\"A\"}",
        "\"softDeleteRetentionInDays\":6",
        "\"softDeleteRetentionInDays\":91",
        "\"softDeleteRetentionInDays\":\"30\"",
        "\"enableSoftDelete\":false",
        "\"enableRbacAuthorization\":\"yes\"",
        "\"createMode\":\"maybe\"",
        "\"publicNetworkAccess\":\"Sometimes\"",
        "\"networkAcls\":[]",
        "\"networkAcls\":{\"defaultAction\":\"Drop\"}",
        "\"networkAcls\":{\"bypass\":\"Everyone\"}",
        "\"networkAcls\":{\"ipRules\":[{\"value\":\"10.0.0.0/33\"}]}",
        "\"networkAcls\":{\"ipRules\":[{\"value\":\"nonsense\"}]}",
        "\"networkAcls\":{\"ipRules\":[{}]}",
        "\"networkAcls\":{\"virtualNetworkRules\":[{}]}",
        "\"accessPolicies\":{}",
        "\"accessPolicies\":[{}]",
        "\"accessPolicies\":[" A_POLICY("\"secrets\":[\"peek\"]") "]",
        "\"accessPolicies\":[" A_POLICY("\"keys\":\"get\"") "]",
        "\"accessPolicies\":[" A_POLICY("") "," A_POLICY("") "]",
        "\"accessPolicies\":[{\"tenantId\":\"" WALK_TENANT
        "\",\"objectId\":\"me\",\"permissions\":{}}]",
        "\"accessPolicies\":[{\"tenantId\":\"" WALK_TENANT "\",\"objectId\":\"" A_PERSON "\"}]",
    };
    struct vault_world w;
    char body[900];
    a_init(&w);
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        (void)snprintf(body, sizeof body, "{\"location\":\"local\",\"properties\":{%s}}", bad[i]);
        v_expect(&w, "PUT", V_VAULTS "checked" A_V, body, 400);
        v_expect_text(&w, "error.code", "BadRequest");
    }
    v_expect(&w, "GET", V_VAULTS "checked" A_V, NULL, 404);
    v_expect(&w, "PUT", V_VAULTS "checked" A_V,
             "{\"location\":\"local\",\"properties\":{\"softDeleteRetentionInDays\":7,"
             "\"SKU\":{\"family\":\"a\",\"name\":\"PREMIUM\"},\"networkAcls\":{\"ipRules\":["
             "{\"value\":\"10.0.0.0/8\"},{\"value\":\"2001:db8::1\"}]}}}",
             201);
    v_expect_text(&w, "properties.sku.name", "premium");
    v_expect_text(&w, "properties.networkAcls.defaultAction", "Allow");
    v_expect_text(&w, "properties.networkAcls.bypass", "AzureServices");
    v_expect_text(&w, "properties.tenantId", WALK_TENANT);
    v_done(&w);
}

Test(vault_types, what_protects_is_never_taken_back)
{
    struct vault_world w;
    a_init(&w);
    v_expect(&w, "PUT", V_VAULTS "firm" A_V,
             A_NEW ",\"softDeleteRetentionInDays\":30,\"enableRbacAuthorization\":false,"
                   "\"accessPolicies\":[" A_POLICY("\"secrets\":[\"Get\"]") "]}}",
             201);
    v_expect(&w, "PATCH", V_VAULTS "firm" A_V, "{\"properties\":{\"enablePurgeProtection\":true}}",
             200);
    cr_assert(json_bool_at(w.answer, "properties.enablePurgeProtection", false));
    v_expect(&w, "PATCH", V_VAULTS "firm" A_V, "{\"properties\":{\"enablePurgeProtection\":false}}",
             400);
    v_expect(&w, "PATCH", V_VAULTS "firm" A_V,
             "{\"properties\":{\"softDeleteRetentionInDays\":31}}", 400);
    /* What a PUT leaves out of these stays. */
    v_expect(&w, "PUT", V_VAULTS "firm" A_V, A_NEW "},\"tags\":{\"a\":\"b\"}}", 200);
    cr_assert(json_bool_at(w.answer, "properties.enablePurgeProtection", false));
    cr_assert(!json_bool_at(w.answer, "properties.enableRbacAuthorization", true));
    cr_assert(json_at(w.answer, "properties.accessPolicies")->count == 1);
    int64_t days = 0;
    cr_assert(json_i64_at(w.answer, "properties.softDeleteRetentionInDays", &days) && days == 30);
    v_expect_text(&w, "tags.a", "b");
    v_done(&w);
}

static rf_str guid_of(struct vault_world *w, const char *name)
{
    struct state_txn *txn;
    struct vault_kept kept;
    bool found;
    cr_assert(state_begin_read(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(vault_place_get(txn, rf_str_of(name), &w->site.arena, &kept, &found, &w->err) ==
              RF_OK);
    state_end(txn);
    return found ? kept.guid : RF_S("");
}

Test(vault_types, deletion_is_soft_and_recovery_brings_all_back)
{
    struct vault_world w;
    a_init(&w);
    v_expect(&w, "PUT", V_VAULTS "Gone" A_V,
             A_NEW ",\"softDeleteRetentionInDays\":7},\"tags\":{\"team\":\"red\"}}", 201);
    rf_str guid = guid_of(&w, "gone");
    cr_assert(guid.len == 36);
    v_expect(&w, "DELETE", V_VAULTS "gone" A_V, NULL, 200);
    v_expect(&w, "DELETE", V_VAULTS "gone" A_V, NULL, 204);
    v_expect(&w, "GET", V_VAULTS "gone" A_V, NULL, 404);
    v_expect(&w, "GET", V_SUB "/providers/Microsoft.KeyVault/deletedVaults" A_V, NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    v_expect(&w, "GET", A_DELETED "GONE" A_V, NULL, 200);
    v_expect_text(&w, "name", "Gone");
    v_expect_text(&w, "type", "Microsoft.KeyVault/deletedVaults");
    v_expect_text(&w, "properties.vaultId", V_VAULTS "Gone");
    v_expect_text(&w, "properties.tags.team", "red");
    v_expect_text(&w, "properties.deletionDate", "2026-01-31T12:00:00.0000000Z");
    v_expect_text(&w, "properties.scheduledPurgeDate", "2026-02-07T12:00:00.0000000Z");
    v_expect(&w, "GET", A_DELETED "other" A_V, NULL, 404);
    v_expect(&w, "POST", V_SUB "/providers/Microsoft.KeyVault/checkNameAvailability" A_V,
             "{\"name\":\"gone\"}", 200);
    cr_assert(!json_bool_at(w.answer, "nameAvailable", true));
    v_expect(&w, "PUT", V_VAULTS "gone" A_V, A_NEW "}}", 409);
    v_expect_text(&w, "error.code", "ConflictError");
    cr_assert(walk_body_has(&w.last, "already exists in deleted state"));
    v_expect(&w, "PUT", V_VAULTS "never" A_V, A_NEW ",\"createMode\":\"recover\"}}", 400);
    v_expect(&w, "PUT", V_VAULTS "gone" A_V, A_NEW ",\"createMode\":\"recover\"}}", 201);
    v_expect_text(&w, "tags.team", "red");
    int64_t days = 0;
    cr_assert(json_i64_at(w.answer, "properties.softDeleteRetentionInDays", &days) && days == 7);
    cr_assert(json_at(w.answer, "properties.createMode") == NULL);
    cr_assert(rf_str_eq(guid_of(&w, "gone"), guid), "what it held is its own again");
    v_expect(&w, "GET", A_DELETED "gone" A_V, NULL, 404);
    v_done(&w);
}

Test(vault_types, a_purge_frees_the_name)
{
    struct vault_world w;
    a_init(&w);
    v_expect(&w, "PUT", V_VAULTS "kept" A_V, A_NEW ",\"enablePurgeProtection\":true}}", 201);
    v_expect(&w, "PUT", V_VAULTS "loose" A_V, A_NEW "}}", 201);
    rf_str guid = guid_of(&w, "loose");
    v_expect(&w, "DELETE", V_VAULTS "kept" A_V, NULL, 200);
    v_expect(&w, "DELETE", V_VAULTS "loose" A_V, NULL, 200);
    v_expect(&w, "POST", A_DELETED "kept/purge" A_V, NULL, 405);
    cr_assert(walk_body_has(&w.last, "purge protection"));
    v_expect(&w, "POST", A_DELETED "loose/purge" A_V, NULL, 200);
    v_expect(&w, "POST", A_DELETED "loose/purge" A_V, NULL, 404);
    v_expect(&w, "PUT", V_VAULTS "loose" A_V, A_NEW ",\"createMode\":\"recover\"}}", 400);
    v_expect(&w, "PUT", V_VAULTS "loose" A_V, A_NEW "}}", 201);
    cr_assert(!rf_str_eq(guid_of(&w, "loose"), guid), "another vault");
    v_done(&w);
}

Test(vault_types, what_is_due_is_purged)
{
    struct vault_world w;
    rf_usec next = 0, now;
    a_init(&w);
    v_expect(&w, "PUT", V_VAULTS "brief" A_V,
             A_NEW ",\"softDeleteRetentionInDays\":7,\"enablePurgeProtection\":true}}", 201);
    v_expect(&w, "PUT", V_VAULTS "later" A_V, A_NEW ",\"softDeleteRetentionInDays\":8}}", 201);
    v_expect(&w, "DELETE", V_VAULTS "brief" A_V, NULL, 200);
    v_expect(&w, "DELETE", V_VAULTS "later" A_V, NULL, 200);
    now = WALK_NOW * RF_USEC_PER_SECOND;
    cr_assert(vault_deleted_due(w.vaults, now, &next, &w.err) == RF_OK, "%s", w.err.text);
    cr_assert(next == now + 7 * INT64_C(86400) * RF_USEC_PER_SECOND);
    v_expect(&w, "GET", A_DELETED "brief" A_V, NULL, 200);
    cr_assert(vault_deleted_due(w.vaults, next, &next, &w.err) == RF_OK);
    cr_assert(next == now + 8 * INT64_C(86400) * RF_USEC_PER_SECOND);
    v_expect(&w, "GET", A_DELETED "brief" A_V, NULL, 404);
    v_expect(&w, "GET", A_DELETED "later" A_V, NULL, 200);
    cr_assert(vault_deleted_due(w.vaults, next, &next, &w.err) == RF_OK && next == 0);
    v_done(&w);
}

Test(vault_types, a_group_takes_its_vaults_along_softly)
{
    struct vault_world w;
    a_init(&w);
    v_expect(&w, "PUT", V_VAULTS "member" A_V, A_NEW "}}", 201);
    v_expect(&w, "DELETE", V_GROUP "?api-version=2021-04-01", NULL, 202);
    v_expect(&w, "GET", V_SUB "/providers/Microsoft.KeyVault/deletedVaults" A_V, NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 2);
    v_expect(&w, "GET", A_DELETED "member" A_V, NULL, 200);
    v_done(&w);
}

/* The words of the only entry, "get,list". */
static const char *words(struct vault_world *w, const char *kind)
{
    static char text[200];
    const struct json_node *list = json_at(w->answer, "properties.accessPolicies");
    text[0] = 0;
    if (list == NULL || list->first == NULL) return "(none)";
    const struct json_node *names = json_get(json_get(list->first, "permissions"), kind);
    for (const struct json_node *n = names == NULL ? NULL : names->first; n != NULL; n = n->next)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s",
                       text[0] == 0 ? "" : ",", RF_FMT(n->text));
    return text;
}

#define A_CHANGE(words) "{\"properties\":{\"accessPolicies\":[" A_POLICY(words) "]}}"

Test(vault_types, access_policies_change_by_words)
{
    struct vault_world w;
    a_init(&w);
    v_expect(&w, "PUT", V_VAULTS "words" A_V, A_NEW ",\"enableRbacAuthorization\":false}}", 201);
    v_expect(&w, "PUT", V_VAULTS "words/accessPolicies/add" A_V, A_CHANGE("\"secrets\":[\"get\"]"),
             200);
    cr_assert(strcmp(words(&w, "secrets"), "get") == 0);
    v_expect(&w, "PUT", V_VAULTS "words/accessPolicies/add" A_V,
             A_CHANGE("\"secrets\":[\"Get\",\"list\"],\"keys\":[\"sign\"]"), 200);
    cr_assert(strcmp(words(&w, "secrets"), "get,list") == 0, "%s", words(&w, "secrets"));
    cr_assert(strcmp(words(&w, "keys"), "sign") == 0);
    v_expect(&w, "PUT", V_VAULTS "words/accessPolicies/remove" A_V,
             A_CHANGE("\"secrets\":[\"get\"]"), 200);
    cr_assert(strcmp(words(&w, "secrets"), "list") == 0);
    v_expect(&w, "PUT", V_VAULTS "words/accessPolicies/replace" A_V,
             A_CHANGE("\"certificates\":[\"import\"]"), 200);
    cr_assert(strcmp(words(&w, "certificates"), "import") == 0);
    cr_assert(strcmp(words(&w, "secrets"), "") == 0);
    v_expect(&w, "PUT", V_VAULTS "words/accessPolicies/remove" A_V,
             A_CHANGE("\"certificates\":[\"all\"]"), 200);
    cr_assert(json_at(w.answer, "properties.accessPolicies")->count == 0);
    v_expect(&w, "PUT", V_VAULTS "words/accessPolicies/swap" A_V, A_CHANGE(""), 400);
    v_expect(&w, "PUT", V_VAULTS "words/accessPolicies/add" A_V, A_CHANGE("\"keys\":[\"x\"]"), 400);
    v_expect(&w, "PUT", V_VAULTS "nowhere/accessPolicies/add" A_V, A_CHANGE(""), 404);
    v_expect(&w, "GET", V_VAULTS "words" A_V, NULL, 200);
    cr_assert(json_at(w.answer, "properties.accessPolicies")->count == 0);
    v_done(&w);
}

Test(vault_types, rights_are_those_of_the_control_plane)
{
    struct vault_world w;
    a_init(&w);
    v_expect(&w, "PUT", V_VAULTS "closed" A_V, A_NEW "}}", 201);
    v_expect(&w, "DELETE", V_VAULTS "closed" A_V, NULL, 200);
    /* The administrator of a vault's contents is none of the vault. */
    w.token =
        walk_bearer(&w.site, v_jwt(&w, &(struct walk_token){.oid = V_ADMIN, .audience = A_ARM}));
    v_expect(&w, "PUT", V_VAULTS "mine" A_V, A_NEW "}}", 403);
    v_expect(&w, "POST", A_DELETED "closed/purge" A_V, NULL, 403);
    v_expect(&w, "GET", A_DELETED "closed" A_V, NULL, 403);
    v_expect(&w, "PUT", V_ID "/accessPolicies/add" A_V, A_CHANGE(""), 403);
    v_expect(&w, "PUT", V_ID "/secrets/s" A_V, "{\"properties\":{\"value\":\"v\"}}", 403);
    v_done(&w);
}

Test(vault_types, vaults_of_before_get_a_key)
{
    struct vault_world w;
    struct state_txn *txn;
    a_init(&w);
    cr_assert(state_begin_write(w.site.state, &txn, &w.err) == RF_OK);
    cr_assert(vault_place_delete(txn, RF_S(V_NAME), &w.site.arena, &w.err) == RF_OK);
    cr_assert(state_commit(txn, &w.err) == RF_OK);
    cr_assert(guid_of(&w, V_NAME).len == 0);
    v_close(&w);
    v_open(&w);
    cr_assert(guid_of(&w, V_NAME).len == 36);
    v_done(&w);
}
