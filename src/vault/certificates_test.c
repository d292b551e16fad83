#include "vault/certificates_world.h"

#include <openssl/err.h>

static int64_t number(struct vault_world *w, const char *at)
{
    int64_t out;
    cr_assert(json_i64_at(w->answer, at, &out), "no %s", at);
    return out;
}

static const char *says(const char *fmt, ...) RF_PRINTF(1, 2);
static const char *says(const char *fmt, ...)
{
    static char text[4][8192];
    static int at;
    char *out = text[at++ % 4];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(out, sizeof text[0], fmt, args);
    va_end(args);
    return out;
}

/* ---- creation -------------------------------------------------------------------------------------------------------- */

Test(vault_certificates, makes_a_self_signed_one)
{
    struct vault_world w;
    EVP_PKEY *key;
    X509 *leaf;
    STACK_OF(X509) * others;
    v_init(&w);
    c_make(&w, "foo",
           "{\"policy\":{\"x509_props\":{\"subject\":\"CN=a.example.org, O=\\\"Contoso, Ltd\\\", "
           "C=DE\",\"validity_months\":6,\"sans\":{\"dns_names\":[\"a.example.org\",\"*.b.org\"],"
           "\"emails\":[\"x@example.org\"],\"upns\":[\"u@corp\"],\"uris\":[\"https://a/b\"],"
           "\"ipAddresses\":[\"192.0.2.1\",\"2001:db8::1\"]}},\"issuer\":{\"name\":\"self\"}},"
           "\"tags\":{\"k\":\"v\"}}");
    X509 *cert = c_cert(&w);
    cr_assert(X509_verify(cert, X509_get0_pubkey(cert)) == 1, "signed by itself");
    cr_assert(X509_get_version(cert) == X509_VERSION_3 && X509_check_ca(cert) == 0);
    cr_assert(X509_get_key_usage(cert) == (KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT));
    cr_assert(X509_get_extended_key_usage(cert) == (XKU_SSL_SERVER | XKU_SSL_CLIENT));
    cr_assert(X509_check_host(cert, "x.b.org", 0, 0, NULL) == 1);
    cr_assert(X509_check_email(cert, "x@example.org", 0, 0) == 1);
    cr_assert(X509_check_ip_asc(cert, "192.0.2.1", 0) == 1);
    cr_assert(X509_check_ip_asc(cert, "2001:db8::1", 0) == 1);
    cr_assert(X509_get0_subject_key_id(cert) != NULL && X509_get0_authority_key_id(cert) != NULL);
    cr_assert(ASN1_STRING_length(X509_get0_serialNumber(cert)) == 16);
    cr_assert(EVP_PKEY_get_bits(X509_get0_pubkey(cert)) == 2048);
    cr_assert(rf_str_is(vault_cert_subject_text(&w.site.arena, X509_get_subject_name(cert)),
                        "CN=a.example.org, O=Contoso\\, Ltd, C=DE"));
    cr_assert(number(&w, "attributes.nbf") == WALK_NOW - 600);
    int64_t days = (number(&w, "attributes.exp") - number(&w, "attributes.nbf")) / 86400;
    cr_assert(days >= 181 && days <= 184, "%lld", (long long)days);
    v_expect_text(&w, "tags.k", "v");
    v_expect_text(&w, "policy.issuer.name", "Self");
    v_expect_text(&w, "policy.key_props.kty", "RSA");
    v_expect_text(&w, "policy.secret_props.contentType", "application/x-pkcs12");
    v_expect_text(&w, "policy.id", "https://localhost:8443/certificates/foo/policy");
    v_expect_text(&w, "pending.id", "https://localhost:8443/certificates/foo/pending");
    struct vault_version version = c_version(&w, SEAL_CERTIFICATE, "foo");
    v_expect_text(&w, "id",
                  says("https://localhost:8443/certificates/foo/%.*s", RF_FMT(version.version)));
    v_expect_text(&w, "kid", says("https://localhost:8443/keys/foo/%.*s", RF_FMT(version.version)));
    v_expect_text(&w, "sid",
                  says("https://localhost:8443/secrets/foo/%.*s", RF_FMT(version.version)));
    struct vault_version made = c_version(&w, SEAL_KEY, "foo");
    cr_assert(rf_str_eq(made.version, version.version) && made.managed);
    cr_assert(rf_str_is(json_text_at(made.more, "kty"), "RSA"));
    cr_assert(rf_str_is(json_text_at(made.more, "e"), "AQAB"));
    c_secret(&w, "foo", &key, &leaf, &others);
    cr_assert(X509_cmp(leaf, cert) == 0 && X509_check_private_key(cert, key) == 1);
    EVP_PKEY_free(key);
    X509_free(leaf);
    sk_X509_pop_free(others, X509_free);
    X509_free(cert);
    v_done(&w);
}

Test(vault_certificates, tells_how_far_an_operation_is)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "POST", C "foo/create", SELF(""), 202);
    v_expect_text(&w, "id", "https://localhost:8443/certificates/foo/pending");
    v_expect_text(&w, "issuer.name", "Self");
    cr_assert(json_text_at(w.answer, "request_id").len == 32);
    v_expect_error(&w, "POST", C "foo/create", SELF(""), 409, "Conflict", NULL);
    v_expect(&w, "GET", C "foo/", NULL, 200);
    cr_assert(!json_bool_at(w.answer, "attributes.enabled", true));
    cr_assert(json_get(w.answer, "cer") == NULL && json_text_at(w.answer, "sid").len > 0);
    rf_str id = json_text_at(w.answer, "id");
    v_expect(&w, "GET", C, NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 0);
    v_expect(&w, "GET", C "?includePending=true", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    cr_assert(c_due(&w, "foo"));
    cr_assert(!c_due(&w, "foo"), "nothing more to do");
    v_expect(&w, "GET", C "foo/pending", NULL, 200);
    v_expect_text(&w, "status", "completed");
    v_expect_text(&w, "target", "https://localhost:8443/certificates/foo");
    cr_assert(json_text_at(w.answer, "csr").len > 100);
    v_expect(&w, "GET", C "foo", NULL, 200);
    cr_assert(rf_str_eq(json_text_at(w.answer, "id"), id), "the version that was told before");
    v_expect_error(&w, "PATCH", C "foo/pending", "{\"cancellation_requested\":true}", 409,
                   "Conflict", NULL);
    v_expect(&w, "DELETE", C "foo/pending", NULL, 200);
    v_expect_error(&w, "GET", C "foo/pending", NULL, 404, "PendingCertificateNotFound", NULL);
    v_expect_error(&w, "GET", C "bar/pending", NULL, 404, "CertificateNotFound", NULL);
    v_done(&w);
}

Test(vault_certificates, refuses_bad_policies)
{
    static const char *const cases[] = {
        "{}",
        "{\"x509_props\":{\"subject\":\"no equals sign\"}}",
        "{\"x509_props\":{\"subject\":\"CN=x\",\"validity_months\":0}}",
        "{\"x509_props\":{\"subject\":\"CN=x\",\"validity_months\":1201}}",
        "{\"x509_props\":{\"subject\":\"CN=x\"},\"key_props\":{\"kty\":\"RSA\",\"key_size\":1000}}",
        "{\"x509_props\":{\"subject\":\"CN=x\"},\"key_props\":{\"kty\":\"RSA-HSM\"}}",
        "{\"x509_props\":{\"subject\":\"CN=x\"},\"key_props\":{\"kty\":\"EC\",\"crv\":\"P-1\"}}",
        "{\"x509_props\":{\"subject\":\"CN=x\",\"ekus\":[\"not.an.oid\"]}}",
        "{\"x509_props\":{\"subject\":\"CN=x\",\"key_usage\":[\"everything\"]}}",
        "{\"x509_props\":{\"subject\":\"CN=x\",\"sans\":{\"dns_names\":[\"a b\"]}}}",
        "{\"x509_props\":{\"subject\":\"CN=x\",\"sans\":{\"ipAddresses\":[\"1.2.3\"]}}}",
        "{\"x509_props\":{\"subject\":\"CN=x\",\"sans\":{\"emails\":[\"x\"]}}}",
        "{\"x509_props\":{\"subject\":\"CN=x\"},\"issuer\":{\"name\":\"Nobody\"}}",
        "{\"x509_props\":{\"subject\":\"CN=x\"},\"secret_props\":{\"contentType\":\"text/plain\"}}",
        "{\"x509_props\":{\"subject\":\"CN=x\"},\"issuer\":{\"name\":\"Unknown\"},"
        "\"lifetime_actions\":[{\"trigger\":{\"lifetime_percentage\":80},"
        "\"action\":{\"action_type\":\"AutoRenew\"}}]}",
        "{\"x509_props\":{\"subject\":\"CN=x\"},\"lifetime_actions\":[{\"trigger\":{"
        "\"lifetime_percentage\":100},\"action\":{\"action_type\":\"AutoRenew\"}}]}",
        "{\"x509_props\":{\"subject\":\"CN=x\"},\"lifetime_actions\":[{\"trigger\":{"
        "\"days_before_expiry\":325},\"action\":{\"action_type\":\"AutoRenew\"}}]}",
        "{\"x509_props\":{\"subject\":\"CN=x\"},\"lifetime_actions\":[{\"trigger\":{"
        "\"days_before_expiry\":1,\"lifetime_percentage\":5},"
        "\"action\":{\"action_type\":\"AutoRenew\"}}]}",
    };
    struct vault_world w;
    v_init(&w);
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        v_expect_error(&w, "POST", C "foo/create", says("{\"policy\":%s}", cases[i]), 400,
                       "BadParameter", NULL);
    v_expect_error(&w, "POST", C "foo/create", "{}", 400, "BadParameter", NULL);
    v_expect_error(&w, "GET", C "foo", NULL, 404, "CertificateNotFound", NULL);
    v_done(&w);
}

/* ---- versions, changes, life ------------------------------------------------------------------------------------------------ */

Test(vault_certificates, keeps_versions_and_changes_them)
{
    struct vault_world w;
    v_init(&w);
    c_make(&w, "foo", SELF(""));
    rf_str first = c_version(&w, SEAL_CERTIFICATE, "foo").version;
    c_make(&w, "foo", SELF(""));
    rf_str second = c_version(&w, SEAL_CERTIFICATE, "foo").version;
    cr_assert(!rf_str_eq(first, second));
    v_expect(&w, "GET", C "foo/versions", NULL, 200);
    const struct json_node *list = json_get(w.answer, "value");
    cr_assert(list->count == 2 && json_text_at(list->first, "x5t").len == 27);
    cr_assert(rf_str_is(json_text_at(list->first, "subject"), "CN=a.example.org, O=Contoso"));
    cr_assert(json_at(list->first, "attributes.recoveryLevel") == NULL);
    v_expect(&w, "PATCH", says(C "foo/%.*s", RF_FMT(first)),
             "{\"attributes\":{\"enabled\":false},\"tags\":{\"t\":\"1\"}}", 200);
    cr_assert(!json_bool_at(w.answer, "attributes.enabled", true));
    v_expect_error(&w, "GET", says("/secrets/foo/%.*s", RF_FMT(first)), NULL, 403, "Forbidden",
                   "SecretDisabled");
    v_expect(&w, "GET", "/secrets/foo", NULL, 200);
    v_expect(&w, "PATCH", says(C "foo/%.*s", RF_FMT(first)), "{\"attributes\":{\"enabled\":true}}",
             200);
    v_expect(&w, "GET", says("/secrets/foo/%.*s", RF_FMT(first)), NULL, 200);
    v_expect_text(&w, "tags.t", "1");
    v_expect_error(&w, "PATCH", C "foo/", "{\"attributes\":{\"exp\":1}}", 400, "BadParameter",
                   NULL);
    v_expect(&w, "PATCH", C "foo/policy", "{\"x509_props\":{\"validity_months\":24}}", 200);
    cr_assert(number(&w, "x509_props.validity_months") == 24);
    v_expect_text(&w, "key_props.crv", "P-256");
    v_expect(&w, "PATCH", C "foo", "{\"policy\":{\"key_props\":{\"kty\":\"RSA\"}}}", 200);
    cr_assert(number(&w, "policy.key_props.key_size") == 2048);
    v_expect_error(&w, "PATCH", C "foo/policy", "{\"x509_props\":{\"subject\":\"x\"}}", 400,
                   "BadParameter", NULL);
    v_done(&w);
}

Test(vault_certificates, reuses_the_key_when_told_to)
{
    struct vault_world w;
    v_init(&w);
    const char *body = "{\"policy\":{\"x509_props\":{\"subject\":\"CN=a\"},\"key_props\":{"
                       "\"kty\":\"EC\",\"reuse_key\":true}}}";
    c_make(&w, "foo", body);
    X509 *one = c_cert(&w);
    rf_str first = c_version(&w, SEAL_KEY, "foo").version;
    c_make(&w, "foo", body);
    X509 *two = c_cert(&w);
    cr_assert(EVP_PKEY_eq(X509_get0_pubkey(one), X509_get0_pubkey(two)) == 1);
    cr_assert(X509_cmp(one, two) != 0);
    v_expect(&w, "PATCH", says(C "foo/%.*s", RF_FMT(first)), "{\"attributes\":{\"enabled\":false}}",
             200);
    struct seal_head head;
    cr_assert(seal_head_get(c_version(&w, SEAL_KEY, "foo").sealed, &head, &w.err) == RF_OK);
    cr_assert(head.enabled, "the second still needs it");
    v_expect(&w, "PATCH", C "foo", "{\"attributes\":{\"enabled\":false}}", 200);
    cr_assert(seal_head_get(c_version(&w, SEAL_KEY, "foo").sealed, &head, &w.err) == RF_OK);
    cr_assert(!head.enabled);
    X509_free(one);
    X509_free(two);
    v_done(&w);
}

Test(vault_certificates, takes_key_and_secret_along)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", "/secrets/own", "{\"value\":\"v\"}", 200);
    v_expect_error(&w, "POST", C "own/create", SELF(""), 409, "Conflict", NULL);
    c_make(&w, "foo", SELF(""));
    rf_str cer = json_text_at(w.answer, "cer");
    v_expect(&w, "DELETE", "/secrets/foo", NULL, 403);
    v_expect(&w, "DELETE", C "foo", NULL, 200);
    cr_assert(rf_str_eq(json_text_at(w.answer, "cer"), cer));
    v_expect(&w, "GET", "/secrets/foo", NULL, 404);
    v_expect_error(&w, "POST", C "foo/create", SELF(""), 409, "Conflict",
                   "ObjectIsDeletedButRecoverable");
    v_expect(&w, "POST", "/deletedcertificates/foo/recover", NULL, 200);
    v_expect(&w, "GET", "/secrets/foo", NULL, 200);
    cr_assert(c_due(&w, "foo") && !c_due(&w, "foo"));
    v_expect(&w, "POST", C "foo/backup", NULL, 200);
    rf_str blob = json_text_at(w.answer, "value");
    v_expect(&w, "DELETE", C "foo", NULL, 200);
    v_expect(&w, "DELETE", "/deletedcertificates/foo", NULL, 204);
    v_expect(&w, "GET", C "foo", NULL, 404);
    char *body = rf_arena_cstr(
        &w.site.arena, rf_arena_printf(&w.site.arena, "{\"value\":\"%.*s\"}", RF_FMT(blob)));
    v_expect(&w, "POST", C "restore", body, 200);
    cr_assert(rf_str_eq(json_text_at(w.answer, "cer"), cer));
    v_expect(&w, "GET", "/secrets/foo", NULL, 200);
    v_done(&w);
}

/* ---- renewal ------------------------------------------------------------------------------------------------------------------ */

Test(vault_certificates, renews_what_ends)
{
    struct vault_world w;
    v_init(&w);
    c_make(&w, "foo", SELF(""));
    rf_str first = c_version(&w, SEAL_CERTIFICATE, "foo").version;
    v_pass(&w, (int64_t)280 * 86400);
    cr_assert(!c_due(&w, "foo"));
    v_pass(&w, (int64_t)20 * 86400);
    cr_assert(c_due(&w, "foo"));
    struct vault_version next = c_version(&w, SEAL_CERTIFICATE, "foo");
    cr_assert(!rf_str_eq(next.version, first) && next.enabled);
    cr_assert(rf_str_eq(c_version(&w, SEAL_SECRET, "foo").version, next.version));
    cr_assert(!c_due(&w, "foo"));
    v_done(&w);
}

Test(vault_certificates, tells_contacts_and_the_end)
{
    struct vault_world w;
    v_init(&w);
    c_make(&w, "foo",
           SELF(",\"lifetime_actions\":[{\"trigger\":{\"days_before_expiry\":30},"
                "\"action\":{\"action_type\":\"EmailContacts\"}}]"));
    struct vault_version version = c_version(&w, SEAL_CERTIFICATE, "foo");
    struct vault_item item = c_item(&w, SEAL_CERTIFICATE, "foo");
    cr_assert(item.due == version.expires - 30 * 86400);
    v_pass(&w, item.due - WALK_NOW);
    cr_assert(c_due(&w, "foo"));
    item = c_item(&w, SEAL_CERTIFICATE, "foo");
    cr_assert(item.due == version.expires && json_at(item.more, "told.near") != NULL);
    v_pass(&w, 30 * 86400);
    cr_assert(c_due(&w, "foo"));
    item = c_item(&w, SEAL_CERTIFICATE, "foo");
    cr_assert(item.due == 0 && json_at(item.more, "told.expired") != NULL);
    cr_assert(rf_str_eq(item.latest, version.version));
    v_done(&w);
}

/* ---- issuers, contacts --------------------------------------------------------------------------------------------------------- */

Test(vault_certificates, issues_by_an_authority_of_its_own)
{
    struct vault_world w;
    EVP_PKEY *key;
    X509 *leaf;
    STACK_OF(X509) * others;
    v_init(&w);
    v_expect(&w, "PUT", C "issuers/House", "{\"provider\":\"Ringfort-CA\"}", 200);
    const char *body = "{\"policy\":{\"x509_props\":{\"subject\":\"CN=a\",\"sans\":{\"dns_names\":["
                       "\"a.example.org\"]}},\"issuer\":{\"name\":\"house\"}}}";
    c_make(&w, "foo", body);
    c_secret(&w, "foo", &key, &leaf, &others);
    cr_assert(sk_X509_num(others) == 2, "an intermediate and the root");
    int at = X509_check_issued(sk_X509_value(others, 0), sk_X509_value(others, 0)) == X509_V_OK;
    X509 *root = sk_X509_value(others, 1 - at), *issuing = sk_X509_value(others, at);
    cr_assert(X509_check_private_key(leaf, key) == 1 && X509_check_ca(root) == 1);
    cr_assert(X509_get_pathlen(root) == 1 && X509_get_pathlen(issuing) == 0);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    cr_assert(X509_STORE_add_cert(store, root) == 1);
    cr_assert(X509_STORE_CTX_init(ctx, store, leaf, others) == 1);
    X509_STORE_CTX_set_time(ctx, 0, (time_t)WALK_NOW);
    cr_assert(X509_verify_cert(ctx) == 1, "%s",
              X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    v_expect(&w, "GET", C "issuers/House", NULL, 200);
    rf_str cer = json_text_at(w.answer, "ca.cer");
    cr_assert(cer.len > 0 && json_at(w.answer, "ca.sealed") == NULL);
    c_make(&w, "bar", body);
    v_expect(&w, "GET", C "issuers/house", NULL, 200);
    cr_assert(rf_str_eq(json_text_at(w.answer, "ca.cer"), cer), "one root for all");
    v_expect(&w, "POST", C "evil/create",
             "{\"policy\":{\"x509_props\":{\"subject\":\"CN=a\",\"basic_constraints\":{\"ca\":true}"
             "},\"key_props\":{\"kty\":\"EC\"},\"issuer\":{\"name\":\"House\"}}}",
             202);
    cr_assert(c_due(&w, "evil"));
    v_expect(&w, "GET", C "evil/pending", NULL, 200);
    v_expect_text(&w, "status", "failed");
    EVP_PKEY_free(key);
    X509_free(leaf);
    sk_X509_pop_free(others, X509_free);
    v_done(&w);
}

Test(vault_certificates, keeps_issuers_and_contacts)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", C "issuers/i1",
             "{\"provider\":\"DigiCert\",\"credentials\":{\"account_id\":\"acct\",\"pwd\":"
             "\"secret-word\"},\"org_details\":{\"id\":\"o\",\"admin_details\":[{\"email\":"
             "\"a@b\",\"first_name\":\"A\"}]}}",
             200);
    v_expect_text(&w, "id", "https://localhost:8443/certificates/issuers/i1");
    v_expect_text(&w, "credentials.account_id", "acct");
    cr_assert(json_at(w.answer, "credentials.pwd") == NULL && json_get(w.answer, "pwd") == NULL);
    v_expect(&w, "PATCH", C "issuers/I1", "{\"provider\":\"Test2\"}", 200);
    v_expect_text(&w, "provider", "Test2");
    v_expect_text(&w, "credentials.account_id", "acct");
    v_expect(&w, "GET", C "issuers", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    v_expect(&w, "POST", C "foo/create",
             "{\"policy\":{\"x509_props\":{\"subject\":\"CN=a\"},\"issuer\":{\"name\":\"i1\"}}}",
             202);
    cr_assert(c_due(&w, "foo"));
    v_expect(&w, "GET", C "foo/pending", NULL, 200);
    v_expect_text(&w, "status", "failed");
    cr_assert(json_text_at(w.answer, "error.message").len > 0);
    v_expect_error(&w, "PUT", C "issuers/Self", "{\"provider\":\"x\"}", 400, "BadParameter", NULL);
    v_expect(&w, "DELETE", C "issuers/i1", NULL, 200);
    v_expect_error(&w, "GET", C "issuers/i1", NULL, 404, "CertificateIssuerNotFound", NULL);
    v_expect_error(&w, "GET", C "contacts", NULL, 404, "ContactsNotFound", NULL);
    v_expect_error(&w, "PUT", C "contacts", "{\"contacts\":[{\"name\":\"x\"}]}", 400,
                   "BadParameter", NULL);
    v_expect(&w, "PUT", C "contacts", "{\"contacts\":[{\"email\":\"a@b\",\"name\":\"x\"}]}", 200);
    v_expect_text(&w, "id", "https://localhost:8443/certificates/contacts");
    v_expect(&w, "DELETE", C "contacts", NULL, 200);
    cr_assert(json_get(w.answer, "contacts")->count == 1);
    v_expect_error(&w, "DELETE", C "contacts", NULL, 404, "ContactsNotFound", NULL);
    v_done(&w);
}
