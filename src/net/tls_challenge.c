/* tls_challenge.c - an authority makes sure that a name is ours by a connection of "acme-tls/1" (RFC 8737): it is shown a certificate of the occasion, which
 * holds a digest. The certificate's key is no secret of value: it is made for the one handshake. */
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include "net/tls_int.h"

static const unsigned char protocol[] = "\x0a"
                                        "acme-tls/1";
enum {
    PROTOCOL_BYTES = sizeof protocol - 1,
    HOST_NAME = 0 /* RFC 6066, 3 */,
    NAME_BYTES_MAX = 253,
    DIGEST_BYTES = 32
};

static int mark = -1;
static void take_mark(void) { mark = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL); }

bool tls_challenge_chosen(const struct ssl_st *ssl, const unsigned char *offered, size_t bytes)
{
    return mark >= 0 && bytes == PROTOCOL_BYTES && memcmp(offered, protocol, bytes) == 0 &&
           SSL_get_ex_data(ssl, mark) != NULL;
}

/* ---- the certificate -------------------------------------------------------------------------------------------------- */

static bool add_name(X509 *cert, rf_str name)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *one = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    bool good = names != NULL && one != NULL && text != NULL &&
                ASN1_STRING_set(text, name.ptr, (int)name.len) == 1;
    if (good) {
        GENERAL_NAME_set0_value(one, GEN_DNS, text);
        text = NULL;
        good = sk_GENERAL_NAME_push(names, one) > 0;
        if (good) one = NULL;
    }
    good = good && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
    ASN1_IA5STRING_free(text);
    GENERAL_NAME_free(one);
    GENERAL_NAMES_free(names);
    return good;
}

/* acmeIdentifier: the digest as an octet string, critical. */
static bool add_digest(X509 *cert, const uint8_t digest[DIGEST_BYTES])
{
    unsigned char der[2 + DIGEST_BYTES] = {V_ASN1_OCTET_STRING, DIGEST_BYTES};
    memcpy(der + 2, digest, DIGEST_BYTES);
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = NULL;
    bool good = oid != NULL && value != NULL && ASN1_STRING_set(value, der, sizeof der) == 1;
    if (good) extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
    good = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    return good;
}

static bool fill(X509 *cert, EVP_PKEY *key, rf_str name, const uint8_t digest[DIGEST_BYTES])
{
    enum { DAY_SECONDS = 86400 };
    X509_NAME *subject = X509_get_subject_name(cert);
    return X509_set_version(cert, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_SECONDS) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(cert), DAY_SECONDS) != NULL &&
           X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
                                      (const unsigned char *)"ACME challenge", -1, -1, 0) == 1 &&
           X509_set_issuer_name(cert, subject) == 1 && X509_set_pubkey(cert, key) == 1 &&
           add_name(cert, name) && add_digest(cert, digest) &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

static bool show(SSL *ssl, rf_str name, const uint8_t digest[DIGEST_BYTES])
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    bool good = key != NULL && cert != NULL && fill(cert, key, name, digest) &&
                SSL_use_certificate(ssl, cert) == 1 && SSL_use_PrivateKey(ssl, key) == 1 &&
                SSL_clear_chain_certs(ssl) == 1 && SSL_set_ex_data(ssl, mark, ssl) == 1;
    if (good) SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    X509_free(cert);
    EVP_PKEY_free(key);
    return good;
}

/* ---- the greeting -------------------------------------------------------------------------------------------------------- */

/* The name that a greeting asks for: a list with one host name (RFC 6066, 3). */
static bool name_of(SSL *ssl, rf_str *out)
{
    const unsigned char *at;
    size_t len;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &at, &len) != 1 || len < 5)
        return false;
    size_t list = (size_t)at[0] << 8 | at[1], name = (size_t)at[3] << 8 | at[4];
    if (list != len - 2 || at[2] != HOST_NAME || name != len - 5 || name == 0 ||
        name > NAME_BYTES_MAX)
        return false;
    *out = rf_str_make(at + 5, name);
    return true;
}

static bool asks_for_challenge(SSL *ssl)
{
    const unsigned char *at;
    size_t len;
    return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &at,
                                     &len) == 1 &&
           len == 2 + PROTOCOL_BYTES && at[0] == 0 && at[1] == PROTOCOL_BYTES &&
           memcmp(at + 2, protocol, PROTOCOL_BYTES) == 0;
}

/* A name that nobody waits for goes on, and fails where protocols are chosen. */
static int on_greeting(SSL *ssl, int *alert, void *ctx)
{
    const struct tls_challenges *challenges = ctx;
    uint8_t digest[DIGEST_BYTES];
    rf_str name;
    *alert = SSL_AD_INTERNAL_ERROR;
    if (!asks_for_challenge(ssl) || !name_of(ssl, &name) ||
        !challenges->find(challenges->ctx, name, digest))
        return SSL_CLIENT_HELLO_SUCCESS;
    return show(ssl, name, digest) ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

void tls_challenges_use(struct ssl_ctx_st *ssl, struct tls_challenges *challenges)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, take_mark);
    if (challenges->find != NULL && mark >= 0)
        SSL_CTX_set_client_hello_cb(ssl, on_greeting, challenges);
}
