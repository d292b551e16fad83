/* x509_trust.c - who issued a certificate that a client shows, for those who trust other authorities than TLS itself does. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "crypt/x509.h"

enum { ANCHORS_MAX = 64, PEM_BYTES_MAX = 1 << 20 };

/* All certificates of the text; NULL when there is none. */
static X509_STORE *read_store(rf_str pem)
{
    X509_STORE *store = X509_STORE_new();
    BIO *bio = pem.len > PEM_BYTES_MAX ? NULL : BIO_new_mem_buf(pem.ptr, (int)pem.len);
    uint32_t count = 0;
    while (store != NULL && bio != NULL && count < ANCHORS_MAX) {
        X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (cert == NULL) break;
        count += X509_STORE_add_cert(store, cert) == 1;
        X509_free(cert);
    }
    BIO_free(bio);
    if (count > 0) return store;
    X509_STORE_free(store);
    return NULL;
}

static bool verify(X509_STORE *store, X509 *cert, rf_usec now)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool good = ctx != NULL && X509_STORE_CTX_init(ctx, store, cert, NULL) == 1;
    if (good) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(param, (time_t)(now / RF_USEC_PER_SECOND));
        good = X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
               X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT) == 1 &&
               X509_verify_cert(ctx) == 1;
    }
    X509_STORE_CTX_free(ctx);
    return good;
}

bool cert_is_issued_by(rf_str der, rf_str ca_pem, rf_usec now)
{
    const uint8_t *at = der.ptr;
    X509 *cert =
        der.len == 0 || der.len > PEM_BYTES_MAX ? NULL : d2i_X509(NULL, &at, (long)der.len);
    X509_STORE *store = cert == NULL ? NULL : read_store(ca_pem);
    bool good = store != NULL && verify(store, cert, now);
    X509_STORE_free(store);
    X509_free(cert);
    ERR_clear_error();
    return good;
}
