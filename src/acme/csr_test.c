#include "acme/acme_int.h"
#include "crypt/x509.h"
#include "test/rf_prop.h"

#include <openssl/x509v3.h>

/* A request; `san` as OpenSSL's configuration writes it, NULL: none. */
static rf_str make(struct rf_arena *arena, const char *cn, const char *san, bool other_signer)
{
    EVP_PKEY *key, *signer;
    struct rf_err err;
    uint8_t *der = NULL;
    rf_str out;
    X509_REQ *request = X509_REQ_new();
    cr_assert(key_make(KEY_P256, &key, &err) == RF_OK &&
              key_make(KEY_P256, &signer, &err) == RF_OK);
    if (cn != NULL)
        X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "CN", MBSTRING_UTF8,
                                   (const unsigned char *)cn, -1, -1, 0);
    if (san != NULL) {
        STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
        X509_EXTENSION *one = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
        cr_assert(one != NULL, "%s", san);
        sk_X509_EXTENSION_push(list, one);
        X509_REQ_add_extensions(request, list);
        sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    }
    X509_REQ_set_pubkey(request, key);
    cr_assert(X509_REQ_sign(request, other_signer ? signer : key, EVP_sha256()) > 0);
    int len = i2d_X509_REQ(request, &der);
    cr_assert(len > 0 && rf_arena_str(arena, rf_str_make(der, (size_t)len), &out));
    OPENSSL_free(der);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    EVP_PKEY_free(signer);
    return out;
}

Test(acme_csr, names_of_the_subject_and_the_alternatives)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct acme_csr csr;
    struct rf_err err;
    rf_arena_init(&arena, 4 << 20);
    rf_str der =
        make(&arena, "Truck.test", "DNS:truck.test, DNS:WWW.truck.test, DNS:*.fleet.test", false);
    cr_assert(acme_csr_read(der, &arena, &csr, &err) == RF_OK, "%s", err.text);
    cr_assert(csr.name_count == 3 && rf_str_is(csr.names[0], "truck.test") &&
              rf_str_is(csr.names[1], "www.truck.test") && rf_str_is(csr.names[2], "*.fleet.test"));
    cr_assert(csr.public_key.len == 91); /* of P-256 */
    cr_assert(acme_csr_read(make(&arena, "a.test", NULL, false), &arena, &csr, &err) == RF_OK);
    cr_assert(csr.name_count == 1);
}

Test(acme_csr, requests_that_are_refused)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct acme_csr csr;
    struct rf_err err;
    rf_arena_init(&arena, 16 << 20);
    rf_str good = make(&arena, "a.test", "DNS:a.test", false);
    struct {
        rf_str der;
        const char *what;
    } cases[] = {{make(&arena, "a.test", NULL, true), "another signer"},
                 {make(&arena, NULL, NULL, false), "no name"},
                 {make(&arena, NULL, "IP:192.0.2.1", false), "an address"},
                 {make(&arena, NULL, "DNS:a.test, email:x@y.test", false), "an address of mail"},
                 {make(&arena, "A Truck", "DNS:a.test", false), "a common name that is none"},
                 {rf_slice(good, 0, good.len - 1), "cut off"},
                 {rf_arena_printf(&arena, "%s", ""), "nothing"},
                 {RF_S("0\x82"), "no DER"}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        cr_assert(acme_csr_read(cases[i].der, &arena, &csr, &err) == RF_INVALID, "%s",
                  cases[i].what);
        cr_assert(strcmp(err.code, "badCSR") == 0);
    }
    rf_str behind = rf_arena_printf(&arena, "%*s", (int)good.len + 1, "");
    memcpy((uint8_t *)(uintptr_t)behind.ptr, good.ptr, good.len);
    cr_assert(acme_csr_read(behind, &arena, &csr, &err) == RF_INVALID, "a byte behind it");
}
