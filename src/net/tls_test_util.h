/* tls_test_util.h - certificates that tests make for themselves. */
#ifndef RF_TLS_TEST_H
#define RF_TLS_TEST_H

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <criterion/criterion.h>

#include "base/rf.h"

__attribute__((unused)) static EVP_PKEY *make_key(void)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}

__attribute__((unused)) static void add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    cr_assert(extension != NULL && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* Signed with its own key; it may issue others, and stand for server and client. */
__attribute__((unused)) static rf_str make_cert(EVP_PKEY *key, const char *names,
                                                struct rf_arena *arena)
{
    X509 *cert = X509_new();
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    add_extension(cert, NID_subject_alt_name, names);
    add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    cr_assert(X509_sign(cert, key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    PEM_write_bio_X509(bio, cert);
    long len = BIO_get_mem_data(bio, &text);
    rf_str pem;
    cr_assert(rf_arena_str(arena, rf_str_make(text, (size_t)len), &pem));
    BIO_free(bio);
    X509_free(cert);
    return pem;
}

#endif
