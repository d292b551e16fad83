/* acme_client_test.c - what is read of an authority's answers, and of a policy; what an issuer is told. */
#include "crypt/digest.h"
#include "vault/acme_client.h"
#include "vault/certificates_world.h"

#define NOW INT64_C(1769860800) /* Sat, 31 Jan 2026 12:00:00 GMT */

Test(acme_client, retry_after_is_a_number_or_a_date)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {{"", 0},
                 {"0", 0},
                 {"7", 7},
                 {"86401", 86400},
                 {"99999999999999999999", 86400},
                 {"-1", 0},
                 {"1.5", 0},
                 {"soon", 0},
                 {"Sat, 31 Jan 2026 12:00:30 GMT", 30},
                 {"Sat, 31 Jan 2026 11:00:00 GMT", 0},
                 {"Sat, 31 Xxx 2026 12:00:30 GMT", 0},
                 {"Sat, 31 anF 2026 12:00:30 GMT", 0},
                 {"Tue, 31 Jan 2045 12:00:30 GMT", 86400},
                 {"Sat, 31 Jan 2026 12:00:30 GMT and more text behind it", 0}};
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        cr_expect(acme_retry_after(rf_str_of(cases[i].text), NOW) == cases[i].seconds, "%s: %lld",
                  cases[i].text, (long long)acme_retry_after(rf_str_of(cases[i].text), NOW));
}

Test(acme_client, a_problem_is_one_clean_line)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"{}", "error"},
        {"{\"type\":\"urn:ietf:params:acme:error:caa\"}", "caa"},
        {"{\"type\":\"about:blank\",\"detail\":\"a\\nb\\u001b[1m\"}", "about:blank: a b [1m"},
        {"{\"type\":7,\"detail\":[]}", "error"},
        {"{\"type\":\"urn:ietf:params:acme:error:rejectedIdentifier\",\"detail\":\"no\","
         "\"subproblems\":[{"
         "\"type\":\"urn:ietf:params:acme:error:dns\",\"detail\":\"x\",\"identifier\":{\"type\":"
         "\"dns\","
         "\"value\":\"a.org\"}},{\"detail\":\"y\"}]}",
         "rejectedIdentifier: no; a.org: dns: x; error: y"}};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct json_node *node;
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        cr_assert(json_parse(rf_str_of(cases[i].json), &arena, &node, NULL) == RF_OK);
        rf_str text = acme_problem_text(&arena, node);
        cr_expect(rf_str_is(text, cases[i].text), "%.*s", RF_FMT(text));
    }
    cr_expect(rf_str_is(acme_problem_text(&arena, NULL), "error"));
    /* A long one is cut between characters. */
    struct rf_buf buf = rf_buf_in(&arena);
    rf_buf_printf(&buf, "{\"detail\":\"");
    for (int i = 0; i < 1000; i++) rf_buf_printf(&buf, "\xc3\xa9");
    rf_buf_printf(&buf, "\"}");
    cr_assert(json_parse(rf_buf_view(&buf), &arena, &node, NULL) == RF_OK);
    rf_str text = acme_problem_text(&arena, node);
    cr_expect(text.len > 700 && text.len <= 801 && rf_utf8_valid(text));
}

static enum rf_kind names(struct rf_arena *arena, const char *subject, const char *sans,
                          struct acme_names *out, struct rf_err *err)
{
    struct json_node *node;
    struct cert_policy policy = {.subject = rf_str_of(subject)};
    cr_assert(json_parse(rf_str_of(sans), arena, &node, NULL) == RF_OK);
    policy.sans = node;
    return acme_names_of(&policy, arena, out, err);
}

Test(acme_client, an_order_is_for_the_hosts_of_the_policy)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct acme_names got;
    struct rf_err err;
    cr_assert(names(&arena, "CN=WWW.example.org", "{}", &got, &err) == RF_OK);
    cr_expect(got.count == 1 && rf_str_is(got.names[0], "www.example.org"));
    cr_assert(
        names(
            &arena, "CN=b.example.org, O=Contoso",
            "{\"dns_names\":[\"a.example.org\",\"B.example.org\",\"*.example.org\"],\"emails\":[]}",
            &got, &err) == RF_OK);
    cr_expect(got.count == 3 && rf_str_is(got.names[1], "b.example.org") &&
              rf_str_is(got.names[2], "*.example.org"));
    cr_assert(names(&arena, "CN=The web server", "{\"dns_names\":[\"a.example.org\"]}", &got,
                    &err) == RF_OK);
    cr_expect(got.count == 1);
    static const char *const bad[][2] = {{"CN=The web server", "{}"},
                                         {"O=Contoso", "{}"},
                                         {"", "{}"},
                                         {"", "{\"dns_names\":[\"localhost\"]}"},
                                         {"", "{\"dns_names\":[\"a.*.org\"]}"},
                                         {"", "{\"dns_names\":[\"a\\\"b.org\"]}"},
                                         {"CN=a.org", "{\"emails\":[\"a@a.org\"]}"}};
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        cr_expect(names(&arena, bad[i][0], bad[i][1], &got, &err) == RF_INVALID, "%s %s", bad[i][0],
                  bad[i][1]);
        cr_expect_str_eq(err.code, "AcmeError");
    }
}

#define DIRECTORY "\"directory\":\"https://ca.example/directory\",\"challenge\":\"http-01\""
#define ISSUER(more) "{\"provider\":\"ACME\",\"acme\":{" DIRECTORY more "}}"

Test(acme_client, an_issuer_is_checked_and_shown_without_its_keys)
{
    struct vault_world w;
    v_init(&w);
    static const char *const bad[] = {
        "{\"provider\":\"ACME\"}",
        "{\"provider\":\"ACME\",\"acme\":{}}",
        "{\"provider\":\"ACME\",\"acme\":{\"directory\":\"https://ca.example/\"}}",
        ISSUER(",\"email\":\"nobody\""),
        ISSUER(",\"email\":7"),
        ISSUER(",\"hook\":\"http://a.example/\""),
        ISSUER(",\"waitSeconds\":3601"),
        ISSUER(",\"ca\":\"-----BEGIN CERTIFICATE-----\""),
        ISSUER(",\"eab\":{\"kid\":\"k\"}"),
        ISSUER(",\"eab\":{\"secret\":\"s\"}"),
        "{\"provider\":\"ACME\",\"acme\":{\"directory\":\"https://a "
        "b/\",\"challenge\":\"http-01\"}}"};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        v_expect_error(&w, "PUT", C "issuers/Out", bad[i], 400, "BadParameter", NULL);
    v_expect(&w, "PUT", C "issuers/Out", ISSUER(",\"email\":\"ops@contoso.example\""), 200);
    v_expect_text(&w, "acme.directory", "https://ca.example/directory");
    v_expect_text(&w, "acme.email", "ops@contoso.example");
    /* A change leaves what it does not name. */
    v_expect(&w, "PATCH", C "issuers/Out",
             "{\"provider\":\"ACME\",\"acme\":{\"challenge\":\"tls-alpn-01\"}}", 200);
    v_expect_text(&w, "acme.email", "ops@contoso.example");
    v_expect_text(&w, "acme.challenge", "tls-alpn-01");
    v_done(&w);
}

Test(acme_client, the_key_of_an_external_account_is_a_secret_that_the_caller_may_read)
{
    struct vault_world w;
    v_init(&w);
    v_expect_error(&w, "PUT", C "issuers/Out",
                   ISSUER(",\"eab\":{\"kid\":\"k\",\"secret\":\"hmac\"}"), 404, "SecretNotFound",
                   NULL);
    v_expect(&w, "PUT", "/secrets/hmac", "{\"value\":\"not base64url!\"}", 200);
    v_expect_error(&w, "PUT", C "issuers/Out",
                   ISSUER(",\"eab\":{\"kid\":\"k\",\"secret\":\"hmac\"}"), 400, "BadParameter",
                   NULL);
    v_expect(&w, "PUT", "/secrets/hmac", "{\"value\":\"c2l4dGVlbiBieXRlcy4uLg\"}", 200);
    v_expect(&w, "PUT", C "issuers/Out", ISSUER(",\"eab\":{\"kid\":\"k\",\"secret\":\"hmac\"}"),
             200);
    v_expect_text(&w, "acme.eab.kid", "k");
    rf_str text = rf_buf_view(&w.last.body);
    cr_expect(rf_str_find(text, RF_S("acmeEab"), 0) == SIZE_MAX);
    cr_expect(rf_str_find(text, RF_S("c2l4dGVl"), 0) == SIZE_MAX);
    /* A certificates officer sets issuers, and reads no secrets. */
    v_assign(&w, V_OTHER, "a4417e6f-fecd-4de8-b567-7b0420556985", V_ID);
    v_be(&w, V_OTHER);
    v_expect(&w, "PUT", C "issuers/Mine", ISSUER(""), 200);
    v_expect(&w, "PUT", C "issuers/Mine", ISSUER(",\"eab\":{\"kid\":\"k\",\"secret\":\"hmac\"}"),
             403);
    v_be(&w, V_ADMIN);
    v_expect(&w, "DELETE", C "issuers/Out", NULL, 200);
    v_expect(&w, "GET", C "issuers/Out", NULL, 404);
    v_done(&w);
}

Test(acme_client, an_authority_that_may_not_be_reached_ends_the_operation)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", C "issuers/Out", ISSUER(""), 200);
    v_expect(
        &w, "POST", C "www/create",
        "{\"policy\":{\"x509_props\":{\"subject\":\"CN=www.example.org\"},\"issuer\":{\"name\":"
        "\"Out\"},\"key_props\":{\"kty\":\"EC\"}}}",
        202);
    cr_assert(c_due(&w, "www"));
    v_expect(&w, "GET", C "www/pending", NULL, 200);
    v_expect_text(&w, "status", "failed");
    v_expect_text(&w, "error.code", "AcmeError");
    cr_expect(rf_str_find(json_text_at(w.answer, "error.message"), RF_S("outbound.hosts"), 0) !=
              SIZE_MAX);
    v_done(&w);
}

Test(acme_client, what_is_exposed_is_found_for_an_hour)
{
    struct vault_world w;
    char text[VAULTS_ACME_BYTES];
    uint8_t digest[32], wanted[32];
    v_init(&w);
    struct vault_acme *acme = w.vaults->acme;
    rf_str name = RF_S("a.example.org"), token = RF_S("tokentokentoken1");
    cr_assert(!vaults_acme_http(w.vaults, token, text) && !vaults_acme_tls(w.vaults, name, digest));
    cr_assert(vault_acme_expose(acme, name, token, RF_S("tokentokentoken1.thumb"), &w.err) ==
              RF_OK);
    cr_assert(vaults_acme_http(w.vaults, token, text));
    cr_expect_str_eq(text, "tokentokentoken1.thumb");
    cr_expect(!vaults_acme_http(w.vaults, RF_S("tokentokentoken"), text));
    cr_expect(!vaults_acme_http(w.vaults, RF_S(""), text));
    digest_sha256(RF_S("tokentokentoken1.thumb"), wanted);
    cr_assert(vaults_acme_tls(w.vaults, RF_S("A.example.ORG"), digest));
    cr_expect(memcmp(digest, wanted, sizeof digest) == 0);
    cr_expect(!vaults_acme_tls(w.vaults, RF_S("b.example.org"), digest));
    v_pass(&w, 3601);
    cr_expect(!vaults_acme_http(w.vaults, token, text) && !vaults_acme_tls(w.vaults, name, digest));
    /* They are bounded. */
    for (int i = 0; i < 1000; i++) {
        rf_str other = rf_arena_printf(&w.site.arena, "token%d", i);
        cr_assert(vault_acme_expose(acme, name, other, RF_S("x"), &w.err) == RF_OK);
    }
    cr_expect(vault_acme_expose(acme, name, token, RF_S("x"), &w.err) == RF_AGAIN);
    v_done(&w);
}
