/* seal_key_bundle.c - the secret behind a certificate: key and chain as PKCS #12 (RFC 7292) or PEM (contracts/keyvault.md, 6.3). */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "crypt/seal_key_int.h"

/* An empty password protects nothing however often it is hashed: as many rounds as readers expect at least. */
enum { CHAIN_COUNT_MAX = 16, ROUNDS = 2048 };

static enum rf_kind bad(const char *what, struct rf_err *err)
{
    if (seal_lacks_memory()) return seal_crypto_failed("read certificates", err);
    return RF_FAIL(err, RF_INVALID, "SealArgument", "the chain of certificates %s", what);
}

/* ---- the chain ------------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_chain(rf_str chain, STACK_OF(X509) * certs, struct rf_err *err)
{
    const uint8_t *at = chain.ptr, *end = chain.ptr + chain.len;
    if (chain.len == 0 || chain.len > SEAL_MATERIAL_BYTES_MAX)
        return bad("is empty, or longer than 48 KiB", err);
    while (at < end) {
        if (sk_X509_num(certs) == CHAIN_COUNT_MAX) return bad("has more than 16", err);
        X509 *cert = d2i_X509(NULL, &at, end - at);
        if (cert == NULL) return bad("is not well-formed DER", err);
        if (sk_X509_push(certs, cert) <= 0) {
            X509_free(cert);
            return seal_crypto_failed("keep a certificate", err);
        }
    }
    return RF_OK;
}

static bool is_of(const struct seal_key *key, const X509 *cert)
{
    uint8_t *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    bool same = len > 0 && seal_key_owns(key, rf_str_make(der, (size_t)len));
    OPENSSL_free(der);
    return same;
}

static enum rf_kind fits(rf_str out, struct rf_err *err)
{
    if (out.len <= SEAL_MATERIAL_BYTES_MAX) return RF_OK;
    return RF_FAIL(err, RF_LIMIT, "MessageTooLarge",
                   "key and chain have %zu bytes together, of at most %d", out.len,
                   SEAL_MATERIAL_BYTES_MAX);
}

/* ---- PKCS #12 ---------------------------------------------------------------------------------------------------------------- */

/* PBES2 with AES-256 (over PBKDF2 with HMAC-SHA-256, OpenSSL's own choice) for key and certificates; a MAC over SHA-256. The password is the empty text
 * and not absent: those are two, and readers try the former first. */
static PKCS12 *make_pfx(EVP_PKEY *pkey, X509 *leaf, STACK_OF(X509) * others)
{
    enum { NO_MAC_YET = -1 };
    PKCS12 *pfx = PKCS12_create("", NULL, pkey, leaf, others, NID_aes_256_cbc, NID_aes_256_cbc,
                                ROUNDS, NO_MAC_YET, 0);
    if (pfx != NULL && PKCS12_set_mac(pfx, "", 0, NULL, 0, ROUNDS, EVP_sha256()) == 1) return pfx;
    PKCS12_free(pfx);
    return NULL;
}

static enum rf_kind give_pfx(EVP_PKEY *pkey, STACK_OF(X509) * certs, struct rf_arena *arena,
                             rf_str *out, struct rf_err *err)
{
    uint8_t *der = NULL;
    X509 *leaf = sk_X509_shift(certs);
    PKCS12 *pfx = make_pfx(pkey, leaf, certs);
    int len = pfx == NULL ? -1 : i2d_PKCS12(pfx, &der);
    PKCS12_free(pfx);
    X509_free(leaf);
    if (len <= 0) return seal_crypto_failed("make a PFX", err);
    rf_str text = base64_encode(arena, rf_str_make(der, (size_t)len));
    OPENSSL_clear_free(der, (size_t)len);
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    *out = text;
    return RF_OK;
}

/* ---- PEM ----------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind give_pem(EVP_PKEY *pkey, STACK_OF(X509) * certs, struct rf_arena *arena,
                             rf_str *out, struct rf_err *err)
{
    char *text = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    bool good = bio != NULL && (pkey == NULL || PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL,
                                                                              0, NULL, NULL) == 1);
    for (int i = 0; good && i < sk_X509_num(certs); i++)
        good = PEM_write_bio_X509(bio, sk_X509_value(certs, i)) == 1;
    long len = good ? BIO_get_mem_data(bio, &text) : 0;
    enum rf_kind kind = RF_OK;
    if (len <= 0)
        kind = seal_crypto_failed("write PEM", err);
    else if (!rf_arena_str(arena, rf_str_make(text, (size_t)len), out))
        kind = rf_fail_memory(err, arena);
    if (len > 0) OPENSSL_cleanse(text, (size_t)len);
    BIO_free(bio);
    return kind;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind bundle(struct seal_key *key, bool exportable, STACK_OF(X509) * certs,
                           enum seal_format format, struct rf_arena *arena, rf_str *out,
                           struct rf_err *err)
{
    EVP_PKEY *pkey = exportable ? key->pkey : NULL;
    rf_str made;
    if (!is_of(key, sk_X509_value(certs, 0)))
        return bad("must begin with the certificate of this key", err);
    RF_TRY(format == SEAL_PFX ? give_pfx(pkey, certs, arena, &made, err)
                              : give_pem(pkey, certs, arena, &made, err));
    RF_TRY(fits(made, err));
    *out = made;
    return RF_OK;
}

enum rf_kind seal_key_bundle(struct seal_key *key, bool exportable, rf_str chain,
                             enum seal_format format, struct rf_arena *arena, rf_str *out,
                             struct rf_err *err)
{
    seal_begin();
    if (key->pkey == NULL) return bad("needs a key of type RSA or EC, not oct", err);
    if (format != SEAL_PFX && format != SEAL_PEM)
        return RF_FAIL(err, RF_INVALID, "SealArgument", "a bundle is a PFX or PEM");
    STACK_OF(X509) *certs = sk_X509_new_null();
    if (certs == NULL) return seal_crypto_failed("keep certificates", err);
    enum rf_kind kind = read_chain(chain, certs, err);
    if (kind == RF_OK) kind = bundle(key, exportable, certs, format, arena, out, err);
    sk_X509_pop_free(certs, X509_free);
    ERR_clear_error();
    return kind;
}
