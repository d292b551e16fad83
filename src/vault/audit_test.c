#include "tables/content.h"
#include "vault/types_int.h"
#include "vault/vault_world.h"

#define A_V "?api-version=2024-11-01"
#define A_ARM "https://management.azure.com/"
#define A_NEW                                                                                      \
    "{\"location\":\"local\",\"properties\":{\"tenantId\":\"" WALK_TENANT                          \
    "\",\"sku\":{\"family\":\"A\",\"name\":\"standard\"}"
#define A_PERSON "cccccccc-0000-0000-0000-000000000001"
#define A_VALUE "the-value-that-must-stay-inside"

/* All rows, in order. */
static struct rows {
    struct row {
        const char *table;
        struct json_node *body;
        rf_str text;
    } items[400];
    uint32_t count;
} rows;

static void collect(void *ctx, const char *table, rf_str row)
{
    struct walk_site *site = ctx;
    struct rf_err err;
    cr_assert(rows.count < RF_COUNT(rows.items));
    struct row *at = &rows.items[rows.count++];
    at->table = table;
    cr_assert(rf_arena_str(&site->arena, row, &at->text));
    cr_assert(json_parse(at->text, &site->arena, &at->body, &err) == RF_OK, "%.*s: %s", RF_FMT(row),
              err.text);
    cr_assert(rf_str_find(row, RF_S(A_VALUE), 0) == SIZE_MAX, "%.*s", RF_FMT(row));
    cr_assert(rf_str_find(row, RF_S("eyJ"), 0) == SIZE_MAX, "a token is in %.*s", RF_FMT(row));
}

static void r_init(struct vault_world *w)
{
    v_init(w);
    w->site.audit.row = collect;
    v_assign(w, V_OTHER, ROLE_OWNER, "/");
    rows.count = 0;
}

static void be_owner(struct vault_world *w)
{
    w->token =
        walk_bearer(&w->site, v_jwt(w, &(struct walk_token){.oid = V_OTHER, .audience = A_ARM}));
}

static const struct json_node *row_of(const char *table, const char *operation)
{
    for (uint32_t i = rows.count; i > 0; i--)
        if (strcmp(rows.items[i - 1].table, table) == 0 &&
            rf_str_is(json_text_at(rows.items[i - 1].body, "OperationName"), operation))
            return rows.items[i - 1].body;
    cr_assert(false, "no row of %s in %s", operation, table);
    return NULL;
}

static uint32_t count_of(const char *table)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rows.count; i++) count += strcmp(rows.items[i].table, table) == 0;
    return count;
}

#define has(row, column, wanted)                                                                   \
    cr_assert(rf_str_is(json_text_at(row, column), wanted), "%s: '%.*s', not '%s'", column,        \
              RF_FMT(json_text_at(row, column)), wanted)

static int64_t number(const struct json_node *row, const char *column)
{
    int64_t value = -1;
    (void)json_i64_at(row, column, &value);
    return value;
}

static bool knows(const struct table_def *table, rf_str column)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (rf_str_eq(table->columns[i].name, column)) return true;
    return false;
}

/* The tables must know every column: what they do not know is lost. */
static void check_columns(void)
{
    struct content *content;
    struct rf_err err;
    cr_assert(content_new(&content, &err) == RF_OK, "%s", err.text);
    for (uint32_t i = 0; i < rows.count; i++) {
        const struct table_def *table = content_find(content, rf_str_of(rows.items[i].table));
        cr_assert(table != NULL, "no table %s", rows.items[i].table);
        const struct json_node *m = rows.items[i].body->first;
        for (; m != NULL; m = m->next)
            cr_assert(knows(table, m->name), "%s lacks %.*s", rows.items[i].table, RF_FMT(m->name));
    }
    content_free(content);
}

Test(vault_audit, a_secret_leaves_a_row_in_either_table)
{
    struct vault_world w;
    r_init(&w);
    v_header(&w, "User-Agent", "client/1.0");
    v_header(&w, "x-ms-client-request-id", "01234567-0000-0000-0000-00000000abcd");
    v_expect(&w, "PUT", "/secrets/Foo?x=hidden", "{\"value\":\"" A_VALUE "\"}", 200);
    cr_assert(rows.count == 2);
    v_expect(&w, "GET", "/secrets/Foo", NULL, 200);
    cr_assert(rows.count == 4);
    const struct json_node *row = row_of("AzureDiagnostics", "SecretSet");
    has(row, "ResourceProvider", "MICROSOFT.KEYVAULT");
    has(row, "ResourceType", "VAULTS");
    has(row, "Resource", "KV1");
    has(row, "ResourceGroup", "RG");
    has(row, "Category", "AuditEvent");
    has(row, "ResultType", "Success");
    has(row, "ResultSignature", "OK");
    has(row, "OperationVersion", "7.6");
    has(row, "CallerIPAddress", "192.0.2.1");
    has(row, "CorrelationId", "01234567-0000-0000-0000-00000000abcd");
    has(row, "clientInfo_s", "client/1.0");
    has(row, "requestUri_s", "https://localhost:8443/secrets/Foo?api-version=7.6");
    has(row, "identity_claim_http_schemas_microsoft_com_identity_claims_objectidentifier_g",
        V_ADMIN);
    has(row, "identity_claim_appid_g", V_APP);
    cr_assert(number(row, "httpStatusCode_d") == 200 && number(row, "DurationMs") == 0);
    cr_assert(json_bool_at(row, "isRbacAuthorized_b", false));
    cr_assert(json_bool_at(row, "secretProperties_attributes_enabled_b", false));
    cr_assert(
        rf_str_starts(json_text_at(row, "id_s"), RF_S("https://localhost:8443/secrets/Foo/")));
    cr_assert(json_text_at(row, "id_s").len == strlen("https://localhost:8443/secrets/Foo/") + 32);
    row = row_of("AZKVAuditLogs", "SecretGet");
    has(row, "ResultType", "Success");
    has(row, "CallerIpAddress", "192.0.2.1");
    has(row, "Identity.claim.appid", V_APP);
    has(row, "_SubscriptionId", "99999999-0000-0000-0000-000000000001");
    cr_assert(rf_str_is(json_text_at(row, "_ResourceId"),
                        "/subscriptions/99999999-0000-0000-0000-000000000001/resourcegroups/rg/"
                        "providers/microsoft.keyvault/vaults/kv1"));
    cr_assert(number(row, "HttpStatusCode") == 200);
    cr_assert(json_bool_at(row, "IsRbacAuthorized", false));
    cr_assert(json_at(row, "SecretProperties.attributes") != NULL);
    check_columns();
    v_done(&w);
}

Test(vault_audit, who_is_refused_leaves_one_too)
{
    struct vault_world w;
    r_init(&w);
    v_expect(&w, "PUT", "/secrets/s", "{\"value\":\"" A_VALUE "\"}", 200);
    v_be(&w, NULL);
    v_expect(&w, "GET", "/secrets/s", NULL, 401);
    const struct json_node *row = row_of("AzureDiagnostics", "Authentication");
    has(row, "ResultType", "Failed");
    has(row, "ResultSignature", "Unauthorized");
    cr_assert(number(row, "httpStatusCode_d") == 401);
    cr_assert(json_at(row, "identity_claim_appid_g") == NULL);
    v_be(&w, "aaaaaaaa-0000-0000-0000-000000000008");
    v_expect(&w, "GET", "/secrets/s", NULL, 403);
    row = row_of("AZKVAuditLogs", "SecretGet");
    has(row, "ResultType", "Failed");
    has(row, "ResultSignature", "Forbidden");
    has(row, "Identity.claim.upn", "walker@ringfort.localhost");
    cr_assert(!json_bool_at(row, "IsRbacAuthorized", true));
    cr_assert(json_text_at(row, "ResultDescription").len > 0);
    row = row_of("AzureDiagnostics", "SecretGet");
    has(row, "identity_claim_http_schemas_xmlsoap_org_ws_2005_05_identity_claims_upn_s",
        "walker@ringfort.localhost");
    v_be(&w, V_ADMIN);
    v_expect(&w, "GET", "/secrets/none", NULL, 404);
    row = row_of("AzureDiagnostics", "SecretGet");
    has(row, "ResultSignature", "Not Found");
    has(row, "id_s", "https://localhost:8443/secrets/none");
    v_expect(&w, "DELETE", "/secrets/s", NULL, 200);
    v_expect(&w, "DELETE", "/deletedsecrets/s", NULL, 204);
    row = row_of("AzureDiagnostics", "SecretPurge");
    has(row, "ResultType", "Success");
    has(row, "ResultSignature", "No Content");
    cr_assert(rf_str_starts(json_text_at(row, "id_s"), RF_S("https://localhost:8443/secrets/s")));
    cr_assert(count_of("AZKVAuditLogs") == count_of("AzureDiagnostics"));
    check_columns();
    v_done(&w);
}

Test(vault_audit, vaults_leave_rows_with_what_changed)
{
    struct vault_world w;
    r_init(&w);
    be_owner(&w);
    v_expect(&w, "PUT", V_VAULTS "watched" A_V,
             A_NEW
             ",\"enableRbacAuthorization\":false,\"networkAcls\":{\"defaultAction\":\"Deny\"}}}",
             201);
    const struct json_node *row = row_of("AzureDiagnostics", "VaultPut");
    has(row, "Resource", "WATCHED");
    has(row, "properties_networkAcls_defaultAction_s", "Deny");
    has(row, "properties_sku_Name_s", "standard");
    has(row, "id_s", "https://watched.vault.ringfort.localhost:8443/");
    cr_assert(!json_bool_at(row, "properties_enableRbacAuthorization_b", true));
    rows.count = 0;
    v_expect(&w, "PUT", V_VAULTS "watched/accessPolicies/add" A_V,
             "{\"properties\":{\"accessPolicies\":[{\"tenantId\":\"" WALK_TENANT
             "\",\"objectId\":\"" A_PERSON
             "\",\"permissions\":{\"secrets\":[\"get\",\"list\"]}}]}}",
             200);
    row = row_of("AzureDiagnostics", "VaultPatch");
    has(row, "addedAccessPolicy_ObjectId_g", A_PERSON);
    has(row, "addedAccessPolicy_Permissions_secrets_s", "[\"get\",\"list\"]");
    cr_assert(json_at(row, "removedAccessPolicy_ObjectId_g") == NULL);
    rows.count = 0;
    v_expect(
        &w, "PATCH", V_VAULTS "watched" A_V,
        "{\"properties\":{\"networkAcls\":{\"defaultAction\":\"Allow\",\"ipRules\":["
        "{\"value\":\"203.0.113.7\"},{\"value\":\"198.51.100.0/24\"}]},\"accessPolicies\":[]}}",
        200);
    cr_assert(count_of("AzureDiagnostics") == 2, "one for each address");
    row = row_of("AzureDiagnostics", "VaultPatch");
    has(row, "addedIpRule_Value_s", "198.51.100.0/24");
    has(row, "properties_networkAcls_defaultAction_s", "Allow");
    bool removed = false;
    for (uint32_t i = 0; i < rows.count; i++)
        removed |=
            rf_str_is(json_text_at(rows.items[i].body, "removedAccessPolicy_ObjectId_g"), A_PERSON);
    cr_assert(removed);
    check_columns();
    v_expect(&w, "GET", V_VAULTS "watched" A_V, NULL, 200);
    (void)row_of("AZKVAuditLogs", "VaultGet");
    rows.count = 0;
    v_expect(&w, "GET", V_GROUP "/providers/Microsoft.KeyVault/vaults" A_V, NULL, 200);
    cr_assert(rows.count == 0, "a list reads no vault");
    v_expect(&w, "DELETE", V_VAULTS "watched" A_V, NULL, 200);
    has(row_of("AzureDiagnostics", "VaultDelete"), "ResultType", "Success");
    v_expect(&w, "PUT", V_VAULTS "watched" A_V, A_NEW ",\"createMode\":\"recover\"}}", 201);
    has(row_of("AzureDiagnostics", "VaultRecover"), "Resource", "WATCHED");
    v_expect(&w, "DELETE", V_VAULTS "watched" A_V, NULL, 200);
    v_expect(&w, "POST",
             V_SUB "/providers/Microsoft.KeyVault/locations/local/deletedVaults/watched/purge" A_V,
             NULL, 200);
    row = row_of("AzureDiagnostics", "VaultPurge");
    has(row, "Resource", "WATCHED");
    has(row, "identity_claim_oid_g", V_OTHER);
    check_columns();
    /* What failed did not happen. */
    rows.count = 0;
    v_expect(&w, "PUT", V_VAULTS "w--d" A_V, A_NEW "}}", 400);
    cr_assert(count_of("AzureDiagnostics") == 0);
    v_done(&w);
}

Test(vault_audit, secrets_and_keys_of_templates)
{
    struct vault_world w;
    r_init(&w);
    be_owner(&w);
    v_expect(&w, "PUT", V_ID "/secrets/Made" A_V,
             "{\"tags\":{\"a\":\"b\"},\"properties\":{\"value\":\"" A_VALUE
             "\",\"contentType\":\"text/plain\",\"attributes\":{\"exp\":1893456000}}}",
             200);
    v_expect_text(&w, "name", "Made");
    v_expect_text(&w, "properties.contentType", "text/plain");
    v_expect_text(&w, "properties.secretUri",
                  "https://kv1.vault.ringfort.localhost:8443/secrets/Made");
    cr_assert(!walk_body_has(&w.last, A_VALUE), "values go in and do not come out");
    v_expect(&w, "GET", V_ID "/secrets/made" A_V, NULL, 200);
    v_expect_text(&w, "tags.a", "b");
    cr_assert(!walk_body_has(&w.last, A_VALUE));
    v_expect(&w, "GET", V_ID "/secrets" A_V, NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    v_expect(&w, "PUT", V_ID "/secrets/a_b" A_V, "{\"properties\":{\"value\":\"x\"}}", 400);
    v_expect(&w, "PUT", V_ID "/secrets/empty" A_V, "{\"properties\":{}}", 400);
    v_expect(&w, "GET", V_ID "/secrets/none" A_V, NULL, 404);
    const struct json_node *row = row_of("AzureDiagnostics", "SecretSet");
    cr_assert(rf_str_starts(json_text_at(row, "requestUri_s"),
                            RF_S("https://kv1.vault.ringfort.localhost:8443/secrets/")));
    v_be(&w, V_ADMIN);
    v_expect(&w, "GET", "/secrets/made", NULL, 200);
    v_expect_text(&w, "value", A_VALUE);
    v_done(&w);
}

/* What a handler names as properties may be careless; the row is not. */
Test(vault_audit, material_is_left_out_of_properties)
{
    struct vault_world w;
    struct json_node *properties;
    r_init(&w);
    struct rf_arena *arena = &w.site.arena;
    cr_assert(json_parse(RF_S("{\"value\":\"" A_VALUE "\",\"k\":\"" A_VALUE "\",\"Pwd\":\"" A_VALUE
                              "\",\"type\":\"RSA\",\"tags\":{\"t\":\"" A_VALUE "\"}}"),
                         arena, &properties, &w.err) == RF_OK);
    const struct vault_row row = {.vault_id = RF_S(V_ID),
                                  .operation = "KeyCreate",
                                  .status = 200,
                                  .properties_name = "KeyProperties",
                                  .properties = properties};
    cr_assert(vault_row_write(&row, &w.site.audit, arena, &w.err) == RF_OK);
    has(row_of("AZKVAuditLogs", "KeyCreate"), "KeyProperties.type", "RSA");
    v_done(&w);
}

Test(vault_audit, long_texts_are_cut_at_a_character)
{
    rf_str text = RF_S("ab\xc3\xab"
                       "c");
    cr_assert(vault_row_cut(text, 3).len == 2);
    cr_assert(vault_row_cut(text, 4).len == 4);
    cr_assert(vault_row_cut(text, 5).len == 5);
    cr_assert(vault_row_cut(text, 0).len == 0);
}

Test(vault_audit, without_memory_there_is_no_row_and_that_is_said)
{
    struct vault_world w;
    struct rf_arena tiny;
    r_init(&w);
    rf_arena_init(&tiny, 1024);
    const struct vault_row row = {.vault_id = RF_S(V_ID), .operation = "SecretGet", .status = 200};
    cr_assert(vault_row_write(&row, &w.site.audit, &tiny, &w.err) == RF_LIMIT);
    cr_assert(rows.count == 0);
    rf_arena_done(&tiny);
    v_done(&w);
}
