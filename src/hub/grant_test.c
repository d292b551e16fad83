#include "hub/hub_world.h"

#define S(text) rf_str_of(text)

static const char *sas_code(struct hub_world *w, rf_str token, const char *path,
                            enum hub_right right)
{
    struct hub_grant grant;
    if (hub_grant_sas(w->space, token, &w->site.arena, &grant, &w->err) != RF_OK)
        return w->err.code;
    if (path != NULL && hub_grant_check(w->space, &grant, S(path), right, &w->err) != RF_OK)
        return w->err.code;
    return "ok";
}

#define expect_code(call, wanted)                                                                  \
    do {                                                                                           \
        const char *code_ = call;                                                                  \
        cr_assert(strcmp(code_, wanted) == 0, "%s: %s", code_, w.err.text);                        \
    } while (0)

/* The worked examples of the contract, section 2.1. */
Test(hub_grant, takes_the_signatures_of_the_contract)
{
    struct hub_world w;
    h_init(&w);
    rf_clock_fixed_init(&w.site.clock, INT64_C(1767225000) * RF_USEC_PER_SECOND, 0);
    expect_code(sas_code(&w,
                         RF_S("SharedAccessSignature sr=sb%3A%2F%2Flocalhost%2Ftelemetry&sig="
                              "V9s8a4zbyRWceE8pwJciAvlD95yVYNhHfT73BZWJOnE%3D&se=1767225600&"
                              "skn=RootManageSharedAccessKey"),
                         "telemetry/partitions/0", RIGHT_LISTEN),
                "ok");
    /* Lower-case escapes, another order: the text is signed as it stands. */
    expect_code(sas_code(&w,
                         RF_S("SharedAccessSignature skn=RootManageSharedAccessKey&se=1767225600&"
                              "sig=WXsvrcd8r%2BqgV2FzmUeb%2FqHf0Fmg4d3ZPe4RRO%2B1nmo%3D&"
                              "sr=sb%3a%2f%2flocalhost%2ftelemetry"),
                         "telemetry", RIGHT_SEND),
                "ok");
    h_done(&w);
}

Test(hub_grant, signatures_that_are_not_good)
{
    struct hub_world w;
    h_init(&w);
    rf_str key = RF_S(H_KEY), decoded,
           good = h_sas(&w, "sb://localhost/telemetry", H_ROOT, key, 60);
    expect_code(sas_code(&w, good, "telemetry", RIGHT_SEND), "ok");
    cr_assert(base64_decode(&w.site.arena, key, &decoded, &w.err) == RF_OK);
    uint32_t rows = w.site.rows;
    expect_code(sas_code(&w, h_sas(&w, "sb://localhost/telemetry", H_ROOT, decoded, 60), NULL, 0),
                "InvalidSignature");
    cr_assert(w.site.rows == rows + 1 && strcmp(w.site.last_table, "RingfortDenials") == 0);
    cr_assert(rf_str_find(w.site.last_row, key, 0) == SIZE_MAX);
    expect_code(sas_code(&w, h_sas(&w, "sb://localhost/telemetry", H_ROOT, key, 0), NULL, 0),
                "ExpiredToken");
    expect_code(sas_code(&w, h_sas(&w, "sb://localhost/telemetry", "nobody", key, 60), NULL, 0),
                "UnknownRule");
    expect_code(
        sas_code(&w, h_sas(&w, "sb://elsewhere.example/telemetry", H_ROOT, key, 60), NULL, 0),
        "InvalidAudience");
    expect_code(sas_code(&w, h_sas(&w, "sb:///telemetry", H_ROOT, key, 60), NULL, 0),
                "InvalidAudience");
    expect_code(sas_code(&w, RF_S("SharedAccessSignature sr=x"), NULL, 0), "InvalidSignature");
    rf_str twice = rf_arena_printf(&w.site.arena, "%.*s&se=9999999999", RF_FMT(good));
    expect_code(sas_code(&w, twice, NULL, 0), "InvalidSignature");
    h_done(&w);
}

Test(hub_grant, a_path_opens_what_lies_below_it)
{
    static const struct {
        const char *uri, *path;
        enum hub_right right;
        const char *code;
    } cases[] = {
        {"sb://localhost/", "telemetry", RIGHT_SEND, "ok"},
        {"sb://localhost", "telemetry", RIGHT_MANAGE, "ok"},
        {"amqps://localhost:5671/Telemetry/", "telemetry/partitions/1", RIGHT_SEND, "ok"},
        {"https://ringfort.ringfort.localhost/telemetry", "telemetry", RIGHT_SEND, "ok"},
        {"http://127.0.0.1:15671/telemetry", "telemetry", RIGHT_SEND, "ok"},
        {"sb://localhost/telemetr", "telemetry", RIGHT_SEND, "Unauthorized"},
        {"sb://localhost/telemetry", "telemetry2", RIGHT_SEND, "Unauthorized"},
        {"sb://localhost/telemetry/publishers/a", "telemetry/publishers/a", RIGHT_SEND, "ok"},
        {"sb://localhost/telemetry/publishers/a", "telemetry/publishers/a2", RIGHT_SEND,
         "Unauthorized"},
        {"sb://localhost/telemetry/publishers/a", "telemetry", RIGHT_SEND, "Unauthorized"},
        {"sb://localhost/telemetry/publishers/a", "telemetry/consumergroups/$default/partitions/0",
         RIGHT_LISTEN, "Unauthorized"},
    };
    struct hub_world w;
    h_init(&w);
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        expect_code(sas_code(&w, h_sas(&w, cases[i].uri, H_ROOT, RF_S(H_KEY), 60), cases[i].path,
                             cases[i].right),
                    cases[i].code);
    h_done(&w);
}

Test(hub_grant, rules_give_their_rights_until_their_keys_change)
{
    struct hub_world w;
    struct hub_grant grant;
    h_init(&w);
    h_expect(&w, "PUT", H_HUB "/authorizationRules/send-only" H_V,
             "{\"properties\":{\"rights\":[\"Send\"]}}", 200);
    h_expect(&w, "POST", H_HUB "/authorizationRules/send-only/listKeys" H_V, NULL, 200);
    rf_str first = json_text_at(w.answer, "primaryKey"),
           second = json_text_at(w.answer, "secondaryKey");
    struct rf_arena *arena = &w.site.arena;
    cr_assert(hub_grant_key(w.space, RF_S(""), RF_S("send-only"), second, arena, &grant, &w.err) ==
              RF_OK);
    cr_assert(rf_str_is(grant.path, "telemetry"));
    cr_assert(hub_grant_key(w.space, RF_S("telemetry"), RF_S("send-only"), RF_S("x"), arena, &grant,
                            &w.err) == RF_DENIED);
    cr_assert(hub_grant_key(w.space, RF_S("telemetry"), RF_S("send-only"), RF_S(""), arena, &grant,
                            &w.err) == RF_DENIED);
    cr_assert(hub_grant_key(w.space, RF_S("telemetry"), RF_S("send-only"), first, arena, &grant,
                            &w.err) == RF_OK);
    cr_assert(hub_grant_check(w.space, &grant, RF_S("telemetry"), RIGHT_SEND, &w.err) == RF_OK);
    cr_assert(hub_grant_check(w.space, &grant, RF_S("telemetry"), RIGHT_LISTEN, &w.err) ==
              RF_DENIED);
    cr_assert(hub_grant_check(w.space, &grant, RF_S("other"), RIGHT_SEND, &w.err) == RF_DENIED);
    uint64_t version = hubs_version(w.hubs);
    h_expect(&w, "POST", H_HUB "/authorizationRules/send-only/regenerateKeys" H_V,
             "{\"keyType\":\"PrimaryKey\"}", 200);
    cr_assert(!rf_str_eq(json_text_at(w.answer, "primaryKey"), first));
    cr_assert(rf_str_eq(json_text_at(w.answer, "secondaryKey"), second));
    cr_assert(hubs_version(w.hubs) != version);
    cr_assert(hub_grant_check(w.space, &grant, RF_S("telemetry"), RIGHT_SEND, &w.err) == RF_DENIED);
    cr_assert(hub_grant_key(w.space, RF_S("telemetry"), RF_S("send-only"), first, arena, &grant,
                            &w.err) == RF_DENIED);
    h_done(&w);
}

Test(hub_grant, connection_strings)
{
    struct hub_world w;
    struct hub_grant grant;
    h_init(&w);
    struct rf_arena *arena = &w.site.arena;
#define STRING "Endpoint=sb://localhost:5671/;SharedAccessKeyName=" H_ROOT ";SharedAccessKey=" H_KEY
    cr_assert(hub_grant_connection_string(w.space, RF_S(STRING), arena, &grant, &w.err) == RF_OK);
    cr_assert(grant.path.len == 0);
    cr_assert(hub_grant_connection_string(w.space, RF_S(STRING " ; EntityPath=Telemetry"), arena,
                                          &grant, &w.err) == RF_OK);
    cr_assert(rf_str_is(grant.path, "telemetry"));
    cr_assert(hub_grant_connection_string(w.space, RF_S(STRING ";SharedAccessKey=x"), arena, &grant,
                                          &w.err) == RF_DENIED);
    cr_assert(hub_grant_connection_string(w.space, RF_S("Endpoint=sb://localhost/"), arena, &grant,
                                          &w.err) == RF_DENIED);
    rf_str token = h_sas(&w, "sb://localhost/", H_ROOT, RF_S(H_KEY), 60);
    rf_str text = rf_arena_printf(
        arena, "Endpoint=sb://localhost/;SharedAccessSignature=%.*s;EntityPath=telemetry",
        RF_FMT(token));
    cr_assert(hub_grant_connection_string(w.space, text, arena, &grant, &w.err) == RF_OK, "%s",
              w.err.text);
    cr_assert(rf_str_is(grant.path, "telemetry") && grant.expires != INT64_MAX);
    token = h_sas(&w, "sb://localhost/other", H_ROOT, RF_S(H_KEY), 60);
    text = rf_arena_printf(
        arena, "Endpoint=sb://localhost/;SharedAccessSignature=%.*s;EntityPath=telemetry",
        RF_FMT(token));
    cr_assert(hub_grant_connection_string(w.space, text, arena, &grant, &w.err) == RF_DENIED);
    h_done(&w);
}

Test(hub_grant, entra_tokens)
{
    static const struct {
        const char *audience, *code;
    } cases[] = {{"https://eventhubs.azure.net", "ok"},
                 {"https://eventhubs.azure.net/", "ok"},
                 {"https://ringfort.ringfort.localhost", "ok"},
                 {"https://localhost", "ok"},
                 {"https://management.azure.com", "InvalidAudience"},
                 {"https://example.com", "InvalidAudience"}};
    struct hub_world w;
    struct hub_grant grant;
    h_init(&w);
    struct rf_arena *arena = &w.site.arena;
    h_assign(&w, H_SENDER, H_ROLE_DATA_SENDER, H_HUB);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        enum rf_kind kind =
            hub_grant_jwt(w.space, h_jwt(&w, H_SENDER, cases[i].audience), arena, &grant, &w.err);
        const char *code = kind == RF_OK ? "ok" : w.err.code;
        cr_assert(strcmp(code, cases[i].code) == 0, "%s: %s %s", cases[i].audience, code,
                  w.err.text);
    }
    rf_str token = h_jwt(&w, H_SENDER, "https://eventhubs.azure.net/");
    cr_assert(hub_grant_jwt(w.space, token, arena, &grant, &w.err) == RF_OK);
    cr_assert(grant.kind == GRANT_PRINCIPAL && rf_str_is(grant.name, H_SENDER));
    cr_assert(hub_grant_check(w.space, &grant, RF_S("telemetry/partitions/1"), RIGHT_SEND,
                              &w.err) == RF_OK);
    cr_assert(hub_grant_check(w.space, &grant, RF_S("telemetry"), RIGHT_LISTEN, &w.err) ==
              RF_DENIED);
    cr_assert(hub_grant_check(w.space, &grant, RF_S("telemetry2"), RIGHT_SEND, &w.err) ==
              RF_DENIED);
    cr_assert(hub_grant_jwt(w.space, walk_token_hmac(&w.site), arena, &grant, &w.err) == RF_DENIED);
    /* A control plane role gives no data. */
    rf_str owner = h_jwt(&w, H_OWNER, "https://eventhubs.azure.net/");
    cr_assert(hub_grant_jwt(w.space, owner, arena, &grant, &w.err) == RF_OK);
    cr_assert(hub_grant_check(w.space, &grant, RF_S("telemetry"), RIGHT_SEND, &w.err) == RF_DENIED);
    cr_assert(hub_grant_jwt(w.space, token, arena, &grant, &w.err) == RF_OK);
    w.site.disabled = true;
    cr_assert(hub_grant_check(w.space, &grant, RF_S("telemetry"), RIGHT_SEND, &w.err) == RF_DENIED);
    h_done(&w);
}

static void count_call(void *ctx) { ++*(int *)ctx; }

Test(hub_grant, changes_of_roles_are_told_at_once)
{
    struct hub_world w;
    struct hub_grant grant;
    int access = 0, changes = 0;
    h_init(&w);
    hubs_on_access(w.hubs, count_call, &access);
    hubs_on_change(w.hubs, count_call, &changes);
    rf_str token = h_jwt(&w, H_SENDER, "https://eventhubs.azure.net/");
    cr_assert(hub_grant_jwt(w.space, token, &w.site.arena, &grant, &w.err) == RF_OK);
    uint64_t version = hubs_version(w.hubs);
    h_assign(&w, H_SENDER, H_ROLE_DATA_SENDER, H_HUB);
    cr_assert(access == 1 && hubs_version(w.hubs) > version);
    cr_assert(hub_grant_check(w.space, &grant, RF_S("telemetry"), RIGHT_SEND, &w.err) == RF_OK);
    struct state_txn *txn;
    cr_assert(state_begin_write(w.site.state, &txn, &w.err) == RF_OK);
    cr_assert(state_delete_prefix(txn, "roleAssignment", RF_S(""), NULL, &w.err) == RF_OK);
    cr_assert(access == 1);
    cr_assert(state_commit(txn, &w.err) == RF_OK);
    cr_assert(access == 2 && changes == 0);
    cr_assert(hub_grant_check(w.space, &grant, RF_S("telemetry"), RIGHT_SEND, &w.err) == RF_DENIED);
    cr_assert(hubs_set_group(w.space, RF_S("telemetry"), RF_S("g"), &w.err) == RF_OK);
    cr_assert(access == 3 && changes == 1, "what changes a hub may change rights");
    h_done(&w);
}

/* Who names no hub means the namespace's rules, and who does may be given either. */
Test(hub_grant, connection_strings_mean_rules_of_one_level)
{
    struct hub_world w;
    struct hub_grant grant;
    h_init(&w);
    struct rf_arena *arena = &w.site.arena;
    h_expect(&w, "PUT", H_HUB "/authorizationRules/tap" H_V,
             "{\"properties\":{\"rights\":[\"Listen\"]}}", 200);
    h_expect(&w, "POST", H_HUB "/authorizationRules/tap/listKeys" H_V, NULL, 200);
    rf_str text = rf_arena_printf(
        arena, "Endpoint=sb://localhost/;SharedAccessKeyName=tap;SharedAccessKey=%.*s",
        RF_FMT(json_text_at(w.answer, "primaryKey")));
    cr_assert(hub_grant_connection_string(w.space, text, arena, &grant, &w.err) == RF_DENIED);
    cr_assert(strcmp(w.err.code, "UnknownRule") == 0);
    text = rf_arena_printf(arena, "%.*s;EntityPath=Telemetry", RF_FMT(text));
    cr_assert(hub_grant_connection_string(w.space, text, arena, &grant, &w.err) == RF_OK);
    cr_assert(rf_str_is(grant.path, "telemetry") && rf_str_is(grant.rule_hub, "telemetry"));
    h_done(&w);
}

Test(hub_grant, local_authentication_can_be_switched_off)
{
    struct hub_world w;
    struct hub_grant grant;
    h_init(&w);
    rf_str token = h_sas(&w, "sb://localhost/", H_ROOT, RF_S(H_KEY), 60);
    cr_assert(hub_grant_sas(w.space, token, &w.site.arena, &grant, &w.err) == RF_OK);
    h_expect(&w, "PUT", H_NS H_V,
             "{\"location\":\"local\",\"properties\":{\"disableLocalAuth\":true}}", 200);
    cr_assert(hub_grant_check(w.space, &grant, RF_S("telemetry"), RIGHT_SEND, &w.err) == RF_DENIED);
    cr_assert(hub_grant_sas(w.space, token, &w.site.arena, &grant, &w.err) == RF_DENIED);
    h_done(&w);
}

Test(hub_grant, revoked_publishers)
{
    struct hub_world w;
    struct hub_grant grant;
    struct hub *hub;
    h_init(&w);
    rf_str token = h_sas(&w, "sb://localhost/", H_ROOT, RF_S(H_KEY), 60);
    cr_assert(hub_grant_sas(w.space, token, &w.site.arena, &grant, &w.err) == RF_OK);
    cr_assert(hub_find(w.space, RF_S("telemetry"), &hub, &w.err) == RF_OK);
    cr_assert(hub_revoke(hub, RF_S("dev-R"), true, &w.err) == RF_OK);
    hub_unref(hub);
    cr_assert(hub_grant_check(w.space, &grant, RF_S("telemetry/publishers/dev-r"), RIGHT_SEND,
                              &w.err) == RF_DENIED);
    cr_assert(strcmp(w.err.code, "PublisherRevoked") == 0);
    cr_assert(hub_grant_check(w.space, &grant, RF_S("telemetry/publishers/dev-r2"), RIGHT_SEND,
                              &w.err) == RF_OK);
    h_done(&w);
}

Test(hub_grant, certificates_of_registered_authorities)
{
    struct hub_world w;
    struct hub_grant grant;
    EVP_PKEY *ca_key, *key;
    rf_str ca, leaf;
    h_init(&w);
    struct rf_arena *arena = &w.site.arena;
    cr_assert(key_make(KEY_P256, &ca_key, &w.err) == RF_OK);
    cr_assert(key_make(KEY_P256, &key, &w.err) == RF_OK);
    struct cert_request request = {.subject_cn = RF_S("devices"),
                                   .not_before = (WALK_NOW - 60) * RF_USEC_PER_SECOND,
                                   .not_after = (WALK_NOW + 3600) * RF_USEC_PER_SECOND,
                                   .is_ca = true};
    cr_assert(cert_make(&request, ca_key, ca_key, (rf_str){0}, arena, &ca, &w.err) == RF_OK);
    request.is_ca = false, request.subject_cn = RF_S("truck-7");
    cr_assert(cert_make(&request, key, ca_key, ca, arena, &leaf, &w.err) == RF_OK);
    cr_assert(hub_grant_certificate(w.space, leaf, arena, &grant, &w.err) == RF_DENIED);
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    struct json_node *properties = json_object_in(arena, body, "properties");
    json_set_text(arena, properties, "certificates", cert_pem(arena, ca));
    rf_str text = json_to_text(arena, body);
    h_expect(&w, "PUT", H_NS "/deviceAuthorities/fleet" H_V, rf_arena_cstr(arena, text), 200);
    if (hub_grant_certificate(w.space, leaf, arena, &grant, &w.err) != RF_OK)
        cr_assert(false, "%s", w.err.text);
    cr_assert(rf_str_is(grant.name, "truck-7") && grant.kind == GRANT_DEVICE);
    static const struct {
        const char *path;
        enum hub_right right;
        enum rf_kind kind;
    } cases[] = {{"telemetry/publishers/truck-7", RIGHT_SEND, RF_OK},
                 {"telemetry/publishers/truck-7/messages", RIGHT_SEND, RF_OK},
                 {"telemetry/publishers/truck-77", RIGHT_SEND, RF_DENIED},
                 {"telemetry", RIGHT_SEND, RF_DENIED},
                 {"telemetry/publishers/truck-7", RIGHT_LISTEN, RF_DENIED}};
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        cr_assert(hub_grant_check(w.space, &grant, S(cases[i].path), cases[i].right, &w.err) ==
                      cases[i].kind,
                  "%s", cases[i].path);
    h_expect(&w, "DELETE", H_NS "/deviceAuthorities/fleet" H_V, NULL, 200);
    cr_assert(hub_grant_check(w.space, &grant, RF_S("telemetry/publishers/truck-7"), RIGHT_SEND,
                              &w.err) == RF_DENIED);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
    h_done(&w);
}
