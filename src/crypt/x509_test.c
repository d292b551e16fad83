#include "crypt/x509.h"

#include <stdio.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <criterion/criterion.h>

#include "crypt/digest.h"

/* 2026-01-31 */
#define START_USEC (INT64_C(1769817600) * RF_USEC_PER_SECOND)
#define DAY_USEC (INT64_C(86400) * RF_USEC_PER_SECOND)

struct bench {
    struct rf_arena arena;
    EVP_PKEY *ca_key, *key;
    rf_str ca, leaf;
    struct rf_err err;
};

static void bench_init(struct bench *b)
{
    *b = (struct bench){0};
    rf_arena_init(&b->arena, 16 << 20);
    static const rf_str dns[] = {{(const uint8_t *)"a.example", 9},
                                 {(const uint8_t *)"*.b.example", 11}};
    static const rf_str ips[] = {{(const uint8_t *)"192.0.2.1", 9},
                                 {(const uint8_t *)"2001:db8::1", 11}};
    struct cert_request ca = {.subject_cn = RF_S("Test CA, \"Inc\""),
                              .not_before = START_USEC,
                              .not_after = START_USEC + 3650 * DAY_USEC,
                              .is_ca = true};
    struct cert_request leaf = {.subject_cn = RF_S("caf\xc3\xa9"),
                                .dns_names = dns,
                                .dns_count = 2,
                                .ip_texts = ips,
                                .ip_count = 2,
                                .not_before = START_USEC,
                                .not_after = START_USEC + 365 * DAY_USEC};
    cr_assert(key_make(KEY_P256, &b->ca_key, &b->err) == RF_OK);
    cr_assert(key_make(KEY_RSA_2048, &b->key, &b->err) == RF_OK);
    cr_assert(cert_make(&ca, b->ca_key, b->ca_key, (rf_str){0}, &b->arena, &b->ca, &b->err) ==
                  RF_OK,
              "%s", b->err.text);
    cr_assert(cert_make(&leaf, b->key, b->ca_key, b->ca, &b->arena, &b->leaf, &b->err) == RF_OK,
              "%s", b->err.text);
}

static void bench_done(struct bench *b)
{
    EVP_PKEY_free(b->ca_key);
    EVP_PKEY_free(b->key);
    rf_arena_done(&b->arena);
}

static X509 *parsed(rf_str der)
{
    const uint8_t *at = der.ptr;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    cr_assert(cert != NULL);
    return cert;
}

/* As the strictest clients do: Python 3.13, Go. */
Test(x509, what_is_made_verifies_strictly)
{
    struct bench b;
    bench_init(&b);
    X509 *ca = parsed(b.ca), *leaf = parsed(b.leaf);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX_init(ctx, store, leaf, NULL);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set_time(param, (time_t)(START_USEC / RF_USEC_PER_SECOND) + 60);
    cr_expect(X509_verify_cert(ctx) == 1, "%s",
              X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    cr_expect(X509_check_host(leaf, "a.example", 0, 0, NULL) == 1);
    cr_expect(X509_check_host(leaf, "x.b.example", 0, 0, NULL) == 1);
    cr_expect(X509_check_host(leaf, "b.example", 0, 0, NULL) == 0);
    cr_expect(X509_check_host(leaf, "caf\xc3\xa9", 0, 0, NULL) == 0, "the CN is no host name");
    cr_expect(X509_check_ip_asc(leaf, "192.0.2.1", 0) == 1);
    cr_expect(X509_check_ip_asc(leaf, "2001:db8::1", 0) == 1);
    cr_expect(X509_check_ca(ca) == 1 && X509_check_ca(leaf) == 0);
    cr_expect(X509_get_pathlen(ca) == 0);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(ca);
    X509_free(leaf);
    bench_done(&b);
}

Test(x509, der_and_pem_read_alike)
{
    struct bench b;
    struct cert_info der, pem;
    uint8_t sha1[SHA1_BYTES], sha256[SHA256_BYTES];
    bench_init(&b);
    rf_str text = cert_pem(&b.arena, b.leaf);
    rf_str two = rf_arena_printf(&b.arena, "before\n%.*s%.*s", RF_FMT(text),
                                 RF_FMT(cert_pem(&b.arena, b.ca)));
    cr_assert(cert_read(b.leaf, &b.arena, &der, &b.err) == RF_OK, "%s", b.err.text);
    cr_assert(cert_read(two, &b.arena, &pem, &b.err) == RF_OK, "%s", b.err.text);
    cr_expect(rf_str_eq(der.der, b.leaf) && rf_str_eq(pem.der, b.leaf),
              "the first one in the text");
    digest_sha1(b.leaf, sha1);
    digest_sha256(b.leaf, sha256);
    cr_expect(memcmp(der.sha1, sha1, 20) == 0 && memcmp(pem.sha256, sha256, 32) == 0);
    cr_expect(der.not_before == START_USEC && der.not_after == START_USEC + 365 * DAY_USEC);
    cr_expect(rf_str_is(der.subject, "CN=caf\xc3\xa9"), "%.*s", RF_FMT(der.subject));
    cr_expect(rf_str_is(der.issuer, "CN=Test CA\\, \\\"Inc\\\""), "%.*s", RF_FMT(der.issuer));
    /* OpenSSL reads our PEM, so other programs do. */
    BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    cr_expect(cert != NULL);
    X509_free(cert);
    BIO_free(bio);
    bench_done(&b);
}

Test(x509, what_is_no_certificate_is_refused)
{
    struct bench b;
    struct cert_info info = {.not_before = 7};
    bench_init(&b);
    uint8_t *longer = rf_arena_alloc(&b.arena, b.leaf.len + 1);
    memcpy(longer, b.leaf.ptr, b.leaf.len);
    longer[b.leaf.len] = 0;
    static uint8_t large[70000] = {0x30};
    const rf_str refused[] = {
        (rf_str){0},
        RF_S("x"),
        RF_S("0"),
        RF_S("-----BEGIN CERTIFICATE-----"),
        RF_S("-----BEGIN CERTIFICATE----------END CERTIFICATE-----"),
        RF_S("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----"),
        RF_S("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"),
        RF_S("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----"),
        rf_slice(b.leaf, 0, b.leaf.len - 1),
        rf_str_make(longer, b.leaf.len + 1),
        rf_str_make(large, sizeof large),
    };
    for (size_t i = 0; i < RF_COUNT(refused); i++) {
        cr_expect(cert_read(refused[i], &b.arena, &info, &b.err) == RF_INVALID, "%zu", i);
        cr_expect_str_eq(b.err.code, "BadCertificate");
    }
    cr_expect(info.not_before == 7, "a failure leaves the result alone");
    bench_done(&b);
}

/* The signature covers every byte before it; a turned bit is either no certificate or one that the authority did not sign. */
Test(x509, turned_bits_do_not_verify)
{
    struct bench b;
    bench_init(&b);
    uint8_t *copy = rf_arena_alloc(&b.arena, b.leaf.len);
    for (size_t bit = 0; bit < b.leaf.len * 8; bit += 13) {
        memcpy(copy, b.leaf.ptr, b.leaf.len);
        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        const uint8_t *at = copy;
        struct cert_info info;
        if (cert_read(rf_str_make(copy, b.leaf.len), &b.arena, &info, NULL) != RF_OK) continue;
        X509 *cert = d2i_X509(NULL, &at, (long)b.leaf.len);
        cr_expect(X509_verify(cert, b.ca_key) != 1, "bit %zu", bit);
        X509_free(cert);
    }
    bench_done(&b);
}

Test(x509, names_that_are_none_are_refused)
{
    struct bench b;
    rf_str der, long_cn;
    bench_init(&b);
    static const char *const dns[] = {"",    "a b",        "a,DNS:evil.example", "a\nb",
                                      "x/y", "a*.example", "\xc3\xa9.example"};
    struct cert_request request = {
        .subject_cn = RF_S("x"), .not_before = START_USEC, .not_after = START_USEC + DAY_USEC};
    rf_str name;
    for (size_t i = 0; i < RF_COUNT(dns); i++) {
        name = rf_str_of(dns[i]);
        request.dns_names = &name;
        request.dns_count = 1;
        cr_expect(cert_make(&request, b.ca_key, b.ca_key, b.ca, &b.arena, &der, &b.err) ==
                      RF_INVALID,
                  "%s", dns[i]);
        cr_expect_str_eq(b.err.code, "BadName");
    }
    request.dns_count = 0;
    static const char *const ips[] = {"", "1.2.3", "1.2.3.4.5", "::g", "localhost"};
    for (size_t i = 0; i < RF_COUNT(ips); i++) {
        name = rf_str_of(ips[i]);
        request.ip_texts = &name;
        request.ip_count = 1;
        cr_expect(cert_make(&request, b.ca_key, b.ca_key, b.ca, &b.arena, &der, &b.err) ==
                      RF_INVALID,
                  "%s", ips[i]);
    }
    request.ip_count = 0;
    long_cn = rf_arena_printf(&b.arena, "%065d", 0);
    request.subject_cn = long_cn;
    cr_expect(cert_make(&request, b.ca_key, b.ca_key, b.ca, &b.arena, &der, &b.err) == RF_INVALID);
    request.subject_cn = RF_S("\xff");
    cr_expect(cert_make(&request, b.ca_key, b.ca_key, b.ca, &b.arena, &der, &b.err) == RF_INVALID);
    bench_done(&b);
}
