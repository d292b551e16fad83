#include "vault/certificates_world.h"

#include <openssl/x509v3.h>

/* openssl pkcs12 -export -legacy -certpbe PBE-SHA1-RC2-40 -keypbe PBE-SHA1-RC2-128 -passout pass:hunter2 */
static const char old_pfx[] =
    "MIIDigIBAzCCA1AGCSqGSIb3DQEHAaCCA0EEggM9MIIDOTCCAi8GCSqGSIb3DQEHBqCCAiAwggIcAgEAMIIC"
    "FQYJKoZIhvcNAQcBMBwGCiqGSIb3DQEMAQYwDgQIeSdC8NZzntMCAggAgIIB6AQWaAQrhDiDwWIlFzvzpSUK"
    "1x33bQtq9IXCs9peVoqd4l0VSa4k1TkEK57whLcepk4HL5eqMIAGo9j/KETKz75YycyRygUrdT6/6bxNA6Uh"
    "IVFfKKGSXdEmBWqS9Xv2I9uNlYTOeOd01o94ndJxzUcItkXqLFgjbGCLcuO6lpbecQ+ajdUEfh7b6SbZy/gE"
    "4KijFGLB9fIWfn5yNy4PrpA3KvbTPaMQNao1ikOuNL+FgcDcEIwUOOiw6rLxkUGNjBEfn3HhNrfyKySou6wm"
    "6F/TqBN76TsU9l9XMl35eHD114uSmf40PYlgSF+7cY7k01HRz0udTXV4JeUf1WPttCiX+UmWh2jsL0s4gcEC"
    "NIIupwuXiQ8JzZBh1xqaM0nUFW8CmuX1YJHnZyTQZUSIJmD/u8DZBdZdeTdFRIAYbrSFTulbtu78QK9QdhwG"
    "59yOsjswFN2I4cKDy9chnqlKQB84lnWtUpeaiQkyziXp2bWbRaw4g5Z5iT+Bu6h0uJZ9pBIsV+fWc3LtrUeC"
    "RYaAWZHqwnuy3LSxsGZHigIOhr9a88Uaxnve9OipSYO5UU9HGFz/Ivhsc+nmkhYqyXXpVVQmg6UpJrd4dBWu"
    "oWoCsEGU2d5GQxceluy4dt2ajjCeKUooVk4FG60NMIIBAgYJKoZIhvcNAQcBoIH0BIHxMIHuMIHrBgsqhkiG"
    "9w0BDAoBAqCBtDCBsTAcBgoqhkiG9w0BDAEFMA4ECJurEwSPwn82AgIIAASBkFFMWVzkSIlJDPTN7OZs9zUp"
    "hBj90qmXeufW6w+ssKyzJmZDreAkUx4U9BtS5ptRmU66RbN6f0T5hAxXZZfpwRoyEvHPuyzZbONNQxpYniVj"
    "adJrlw6iTjMJ18IuE1L2WmljhRftNLRxVbsFNkwP9kBWzzvZjboz1qxq8+APYC1kneJub/nLQ558cggTOGba"
    "9DElMCMGCSqGSIb3DQEJFTEWBBSwNIB470UanWGrDxy+E3c2fr25RzAxMCEwCQYFKw4DAhoFAAQUqMhA55OK"
    "l0e3lIUzHZ03GSpSEbQECCpfTI/5a8adAgIIAA==";
/* The same as PEM, its line ends as JSON has them. */
#define OLD_CERT                                                                                   \
    "-----BEGIN CERTIFICATE-----\\n"                                                               \
    "MIIBizCCATGgAwIBAgIUX/0CRwplRrV4B1LR6MWLTjEVT4QwCgYIKoZIzj0EAwIw\\n"                          \
    "GjEYMBYGA1UEAwwPb2xkLmV4YW1wbGUub3JnMCAXDTI2MTEyMzA0MjM0MFoYDzIx\\n"                          \
    "MjUwNjE3MDQyMzQwWjAaMRgwFgYDVQQDDA9vbGQuZXhhbXBsZS5vcmcwWTATBgcq\\n"                          \
    "hkjOPQIBBggqhkjOPQMBBwNCAATmXRPAxmN5+tx+nk3GYxBkCpklXhf3sFnzS3RZ\\n"                          \
    "kQQrJpta8hPkqnOhfonDY6Kqoqcx/eHndWiPbASIRYPFto2Ho1MwUTAdBgNVHQ4E\\n"                          \
    "FgQUyLij8ju0LvHXlJ3Zvx2s10MtnjEwHwYDVR0jBBgwFoAUyLij8ju0LvHXlJ3Z\\n"                          \
    "vx2s10MtnjEwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEA4VUz\\n"                          \
    "G4x67CE2CwZX7aYdwiZ5XhC5eBeu17kritgVZcQCIGnFHv5ofWOC+IqxeIk2Cl58\\n"                          \
    "mz4vHM/bFSJ6ZB1pycNS\\n"                                                                      \
    "-----END CERTIFICATE-----\\n"
static const char old_pem[] = "-----BEGIN EC PRIVATE KEY-----\\n"
                              "MHcCAQEEIGIiswfofqhcTrsNSxlK+uUrD9O8Rjn3B0Zje8FTl4cPoAoGCCqGSM49\\n"
                              "AwEHoUQDQgAE5l0TwMZjefrcfp5NxmMQZAqZJV4X97BZ80t0WZEEKyabWvIT5Kpz\\n"
                              "oX6Jw2OiqqKnMf3h53Voj2wEiEWDxbaNhw==\\n"
                              "-----END EC PRIVATE KEY-----\\n" OLD_CERT;

static char *text(struct vault_world *w, const char *fmt, ...) RF_PRINTF(2, 3);
static char *text(struct vault_world *w, const char *fmt, ...)
{
    static char buf[32768];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(buf, sizeof buf, fmt, args);
    va_end(args);
    return rf_arena_cstr(&w->site.arena, rf_str_of(buf));
}

static char *b64(struct vault_world *w, rf_str bytes)
{
    return rf_arena_cstr(&w->site.arena, base64_encode(&w->site.arena, bytes));
}

/* ---- an authority of the test's own ---------------------------------------------------------------------------------- */

struct authority {
    EVP_PKEY *key;
    X509 *cert;
};

static X509 *sign(EVP_PKEY *public_key, const char *cn, const struct authority *by, int64_t end)
{
    X509 *cert = X509_new();
    X509_NAME *name = X509_NAME_new();
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)cn, -1, -1, 0);
    cr_assert(X509_set_version(cert, 2) == 1 && X509_set_subject_name(cert, name) == 1);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
    X509_set_issuer_name(cert, by->cert == NULL ? name : X509_get_subject_name(by->cert));
    ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)WALK_NOW - 1000);
    ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)end);
    X509_set_pubkey(cert, public_key);
    cr_assert(X509_sign(cert, by->key, EVP_sha256()) > 0);
    X509_NAME_free(name);
    return cert;
}

static void make_authority(struct authority *out)
{
    *out = (struct authority){.key = EVP_EC_gen("P-256")};
    out->cert = sign(out->key, "Root", out, WALK_NOW + 86400);
}

static void drop_authority(struct authority *a)
{
    EVP_PKEY_free(a->key);
    X509_free(a->cert);
}

static char *cert_b64(struct vault_world *w, X509 *cert)
{
    uint8_t *der = NULL;
    int len = i2d_X509(cert, &der);
    cr_assert(len > 0);
    char *out = b64(w, rf_str_make(der, (size_t)len));
    OPENSSL_free(der);
    return out;
}

/* The request of the operation in the last answer. */
static X509_REQ *request_of(struct vault_world *w)
{
    rf_str der;
    cr_assert(base64_decode(&w->site.arena, json_text_at(w->answer, "csr"), &der, &w->err) ==
              RF_OK);
    const uint8_t *at = der.ptr;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len);
    cr_assert(request != NULL);
    return request;
}

/* ---- merge ------------------------------------------------------------------------------------------------------------- */

#define UNKNOWN                                                                                    \
    "{\"policy\":{\"x509_props\":{\"subject\":\"CN=m\",\"sans\":{\"dns_names\":[\"m.org\"]}},"     \
    "\"issuer\":{\"name\":\"Unknown\"},\"key_props\":{\"kty\":\"EC\"}}}"

Test(vault_certificates_merge, merges_what_an_authority_signed)
{
    struct vault_world w;
    struct authority root;
    EVP_PKEY *key;
    X509 *leaf;
    STACK_OF(X509) * others;
    v_init(&w);
    make_authority(&root);
    v_expect(&w, "POST", C "foo/create", UNKNOWN, 202);
    v_expect_text(&w, "status_details",
                  "Pending certificate created. Please Perform Merge to complete the request.");
    X509_REQ *request = request_of(&w);
    EVP_PKEY *own = X509_REQ_get0_pubkey(request);
    cr_assert(X509_REQ_verify(request, own) == 1);
    STACK_OF(X509_EXTENSION) *wanted = X509_REQ_get_extensions(request);
    cr_assert(X509v3_get_ext_by_NID(wanted, NID_subject_alt_name, -1) >= 0);
    cr_assert(X509v3_get_ext_by_NID(wanted, NID_key_usage, -1) >= 0);
    cr_assert(X509v3_get_ext_by_NID(wanted, NID_ext_key_usage, -1) >= 0);
    sk_X509_EXTENSION_pop_free(wanted, X509_EXTENSION_free);
    (void)c_due(&w, "foo");
    v_expect(&w, "GET", C "foo/pending", NULL, 200);
    v_expect_text(&w, "status", "inProgress");
    EVP_PKEY *stranger = EVP_EC_gen("P-256");
    X509 *foreign = sign(stranger, "m", &root, WALK_NOW + 5000);
    X509 *expired = sign(own, "m", &root, WALK_NOW - 10);
    X509 *good = sign(own, "m", &root, WALK_NOW + 5000);
    const char *at = C "foo/pending/merge";
    v_expect_error(&w, "POST", at, "{\"x5c\":[]}", 400, "BadParameter", NULL);
    v_expect_error(&w, "POST", at, "{\"x5c\":[\"bm9uc2Vuc2U=\"]}", 400, "BadParameter", NULL);
    v_expect_error(&w, "POST", at, text(&w, "{\"x5c\":[\"%s\"]}", cert_b64(&w, foreign)), 400,
                   "BadParameter", NULL);
    v_expect_error(&w, "POST", at, text(&w, "{\"x5c\":[\"%s\"]}", cert_b64(&w, expired)), 400,
                   "BadParameter", NULL);
    v_expect_error(&w, "POST", at,
                   text(&w, "{\"x5c\":[\"%s\",\"%s\"]}", cert_b64(&w, good), cert_b64(&w, foreign)),
                   400, "BadParameter", NULL);
    v_expect(&w, "POST", at,
             text(&w, "{\"x5c\":[\"%s\",\"%s\"],\"tags\":{\"a\":\"b\"}}", cert_b64(&w, root.cert),
                  cert_b64(&w, good)),
             201);
    v_expect_text(&w, "tags.a", "b");
    cr_assert(json_bool_at(w.answer, "attributes.enabled", false));
    X509 *shown = c_cert(&w);
    cr_assert(X509_cmp(shown, good) == 0);
    c_secret(&w, "foo", &key, &leaf, &others);
    cr_assert(X509_cmp(leaf, good) == 0 && sk_X509_num(others) == 1);
    cr_assert(X509_check_private_key(leaf, key) == 1);
    v_expect_error(&w, "POST", at, text(&w, "{\"x5c\":[\"%s\"]}", cert_b64(&w, good)), 404,
                   "PendingCertificateNotFound", NULL);
    v_expect(&w, "GET", C "foo/pending", NULL, 200);
    v_expect_text(&w, "status", "completed");
    struct seal_head head;
    cr_assert(seal_head_get(c_version(&w, SEAL_KEY, "foo").sealed, &head, &w.err) == RF_OK);
    cr_assert(head.expires == WALK_NOW + 5000, "the key ends with its certificate");
    EVP_PKEY_free(key);
    EVP_PKEY_free(stranger);
    X509_free(leaf);
    X509_free(shown);
    X509_free(foreign);
    X509_free(expired);
    X509_free(good);
    X509_REQ_free(request);
    sk_X509_pop_free(others, X509_free);
    drop_authority(&root);
    v_done(&w);
}

Test(vault_certificates_merge, cancels)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "POST", C "foo/create", UNKNOWN, 202);
    v_expect_error(&w, "PATCH", C "foo/pending", "{}", 400, "BadParameter", NULL);
    v_expect(&w, "PATCH", C "foo/pending", "{\"cancellation_requested\":true}", 200);
    cr_assert(json_bool_at(w.answer, "cancellation_requested", false));
    v_expect_text(&w, "status", "cancelled");
    v_expect(&w, "DELETE", C "foo/pending", NULL, 200);
    v_expect(&w, "GET", C "foo/", NULL, 200);
    v_expect(&w, "POST", C "foo/create", UNKNOWN, 202);
    v_done(&w);
}

Test(vault_certificates_merge, refuses_more_names_than_fit)
{
    struct vault_world w;
    struct rf_buf body;
    v_init(&w);
    body = rf_buf_in(&w.site.arena);
    rf_buf_printf(&body, "{\"policy\":{\"key_props\":{\"kty\":\"EC\"},\"issuer\":{\"name\":"
                         "\"Unknown\"},\"x509_props\":{\"sans\":{\"dns_names\":[");
    for (int i = 0; i < 100; i++) rf_buf_printf(&body, "%s\"%0250d\"", i == 0 ? "" : ",", i);
    rf_buf_printf(&body, "]}}}}%c", '\0');
    v_expect_error(&w, "POST", C "foo/create", (const char *)body.ptr, 400, "BadParameter", NULL);
    v_done(&w);
}

/* ---- import ---------------------------------------------------------------------------------------------------------------- */

Test(vault_certificates_import, takes_old_pfx_with_rc2)
{
    struct vault_world w;
    EVP_PKEY *key;
    X509 *leaf;
    STACK_OF(X509) * others;
    v_init(&w);
    v_expect_error(&w, "POST", C "foo/import",
                   text(&w, "{\"value\":\"%s\",\"pwd\":\"x\"}", old_pfx), 400, "BadParameter",
                   NULL);
    v_expect_error(&w, "POST", C "foo/import", text(&w, "{\"value\":\"%s\"}", old_pfx), 400,
                   "BadParameter", NULL);
    v_expect(&w, "POST", C "foo/import",
             text(&w, "{\"value\":\"%s\",\"pwd\":\"hunter2\"}", old_pfx), 200);
    v_expect_text(&w, "policy.issuer.name", "Unknown");
    v_expect_text(&w, "policy.key_props.crv", "P-256");
    v_expect_text(&w, "policy.x509_props.subject", "CN=old.example.org");
    c_secret(&w, "foo", &key, &leaf, &others);
    cr_assert(X509_check_private_key(leaf, key) == 1);
    EVP_PKEY_free(key);
    X509_free(leaf);
    sk_X509_pop_free(others, X509_free);
    v_done(&w);
}

Test(vault_certificates_import, takes_pem)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "POST", C "foo/import",
             text(&w,
                  "{\"value\":\"%s\",\"policy\":{\"key_props\":{\"exportable\":false},"
                  "\"secret_props\":{\"contentType\":\"application/x-pem-file\"}}}",
                  old_pem),
             200);
    v_expect(&w, "GET", "/secrets/foo", NULL, 200);
    v_expect_text(&w, "contentType", "application/x-pem-file");
    rf_str value = json_text_at(w.answer, "value");
    cr_assert(rf_str_find(value, RF_S("PRIVATE KEY"), 0) == SIZE_MAX, "not exportable");
    cr_assert(rf_str_find(value, RF_S("BEGIN CERTIFICATE"), 0) != SIZE_MAX);
    v_expect(&w, "POST", C "bar/import", text(&w, "{\"value\":\"%s\"}", old_pem), 200);
    v_expect(&w, "GET", "/secrets/bar", NULL, 200);
    cr_assert(rf_str_starts(json_text_at(w.answer, "value"), RF_S("-----BEGIN PRIVATE KEY")));
    v_done(&w);
}

Test(vault_certificates_import, refuses_what_does_not_fit)
{
    struct vault_world w;
    v_init(&w);
    const char *cases[] = {
        text(&w, "{\"value\":\"AAAA\"}"),
        text(&w, "{\"value\":\"\"}"),
        text(&w, "{\"value\":\"%s\"}", OLD_CERT),
        text(&w,
             "{\"value\":\"-----BEGIN ENCRYPTED PRIVATE KEY-----\\nAAAA\\n"
             "-----END ENCRYPTED PRIVATE KEY-----\\n%s\"}",
             OLD_CERT),
        text(&w, "{\"value\":\"%s\",\"policy\":{\"key_props\":{\"kty\":\"RSA\"}}}", old_pem),
        text(&w, "{\"value\":\"%s\",\"policy\":{\"key_props\":{\"kty\":\"EC\",\"crv\":\"P-384\"}}}",
             old_pem),
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        v_expect_error(&w, "POST", C "foo/import", cases[i], 400, "BadParameter", NULL);
    v_expect(&w, "GET", C "foo", NULL, 404);
    v_done(&w);
}

/* A file whose MAC asks for 2^31 - 1 rounds costs nothing. */
Test(vault_certificates_import, bounds_rounds)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct cert_import out;
    struct rf_err err;
    uint8_t *der = NULL;
    rf_arena_init(&arena, 1 << 20);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct authority self = {.key = key};
    X509 *cert = sign(key, "x", &self, WALK_NOW + 1000);
    PKCS12 *pfx = PKCS12_create("", NULL, key, cert, NULL, 0, 0, 2048, 2048, 0);
    int len = i2d_PKCS12(pfx, &der);
    rf_str good = rf_str_make(der, (size_t)len);
    cr_assert(vault_cert_read_pfx(good, (rf_str){0}, &arena, &out, &err) == RF_OK);
    vault_cert_import_done(&out);
    const ASN1_INTEGER *rounds;
    PKCS12_get0_mac(NULL, NULL, NULL, &rounds, pfx);
    cr_assert(ASN1_INTEGER_set((ASN1_INTEGER *)(uintptr_t)rounds, INT32_MAX) == 1);
    OPENSSL_free(der);
    der = NULL;
    len = i2d_PKCS12(pfx, &der);
    cr_assert(vault_cert_read_pfx(rf_str_make(der, (size_t)len), (rf_str){0}, &arena, &out, &err) ==
              RF_INVALID);
    cr_assert(strstr(err.text, "too often") != NULL);
    OPENSSL_free(der);
    PKCS12_free(pfx);
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* ---- subjects ------------------------------------------------------------------------------------------------------------------ */

Test(vault_certificates_subject, reads_what_it_writes)
{
    static const struct {
        const char *in, *out; /* NULL: refused */
    } cases[] = {
        {"CN=a, O=b, C=DE", "CN=a, O=b, C=DE"},
        {"cn=a;o=b", "CN=a, O=b"},
        {"CN=\"a, b\"", "CN=a\\, b"},
        {"CN=\"say \"\"x\"\"\"", "CN=say \\\"x\\\""},
        {"CN=a\\, b", "CN=a\\, b"},
        {"CN=\\C3\\BC", "CN=\xc3\xbc"},
        {"CN=a+UID=b, O=c", "UID=b + CN=a, O=c"} /* a set has an order of its own */,
        {"2.5.4.3=a", "CN=a"},
        {"", ""},
        {"a", NULL},
        {"CN=", NULL},
        {"CN=a,", NULL},
        {"CN=\"a", NULL},
        {"CN=\"a\"b", NULL},
        {"CN=a\\", NULL},
        {"C=DEU", NULL},
        {"XX=a", NULL},
        {"CN=\\FF", NULL},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        X509_NAME *name = NULL;
        const char *why = NULL;
        bool good = vault_cert_subject(rf_str_of(cases[i].in), &name, &why);
        cr_assert(good == (cases[i].out != NULL), "%s", cases[i].in);
        if (!good) {
            cr_assert(why != NULL);
            continue;
        }
        rf_str shown = vault_cert_subject_text(&arena, name);
        cr_assert(rf_str_is(shown, cases[i].out), "%s: %.*s", cases[i].in, RF_FMT(shown));
        X509_NAME_free(name);
    }
}
