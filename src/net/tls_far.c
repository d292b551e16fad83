/* tls_far.c - a certificate whose key is elsewhere and signs whole messages, not digests: who has the key can then see that what it signs is a handshake.
 *
 * OpenSSL 3.0 gives the message to a provider, or to a method of an ENGINE, which is deprecated in favour of a provider: that would be a module of
 * some hundred lines for the same one call. The engine is never registered: it holds for the keys that are given it here. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/ec.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>

#include "net/tls_far.h"

enum { SIGNATURE_BYTES_MAX = 512, LEAF_BYTES = 32 };

/* What a key knows of itself; freed with it. */
struct far_key {
    tls_sign_message *sign;
    void *ctx;
    unsigned char leaf[LEAF_BYTES]; /* SHA-256 of its certificate */
};
static int far_slot = -1;
static ENGINE *far_engine;
static EVP_PKEY_METHOD *far_rsa, *far_ec;

static void far_free(void *parent, void *data, CRYPTO_EX_DATA *all, int slot, long argl, void *argp)
{
    (void)parent, (void)all, (void)slot, (void)argl, (void)argp;
    free(data);
}

/* ---- signing ------------------------------------------------------------------------------------------------------------ */

/* The scheme (RFC 8446, 4.2.3) that OpenSSL has chosen; 0: none that we give. */
static unsigned scheme_of(EVP_PKEY_CTX *ctx, int type)
{
    const EVP_MD *digest = NULL;
    int padding = 0;
    if (EVP_PKEY_CTX_get_signature_md(ctx, &digest) != 1 || digest == NULL) return 0;
    unsigned hash = EVP_MD_is_a(digest, "SHA256")   ? 4
                    : EVP_MD_is_a(digest, "SHA384") ? 5
                    : EVP_MD_is_a(digest, "SHA512") ? 6
                                                    : 0;
    if (hash == 0) return 0;
    if (type == EVP_PKEY_EC) return hash << 8 | 3;
    if (EVP_PKEY_CTX_get_rsa_padding(ctx, &padding) != 1) return 0;
    if (padding == RSA_PKCS1_PSS_PADDING) return 0x0800 | hash;
    return padding == RSA_PKCS1_PADDING ? hash << 8 | 1 : 0;
}

/* Asked for the length first, with `out` NULL. */
static int sign_message(EVP_MD_CTX *md, unsigned char *out, size_t *out_bytes,
                        const unsigned char *message, size_t message_bytes)
{
    EVP_PKEY_CTX *ctx = EVP_MD_CTX_get_pkey_ctx(md);
    EVP_PKEY *key = ctx == NULL ? NULL : EVP_PKEY_CTX_get0_pkey(ctx);
    const struct far_key *far = key == NULL ? NULL : EVP_PKEY_get_ex_data(key, far_slot);
    struct rf_err err;
    if (far == NULL) return 0;
    size_t cap = (size_t)EVP_PKEY_get_size(key), len = 0;
    if (out == NULL) {
        *out_bytes = cap;
        return 1;
    }
    unsigned scheme = scheme_of(ctx, EVP_PKEY_get_base_id(key));
    if (scheme == 0 || cap > SIGNATURE_BYTES_MAX || *out_bytes < cap ||
        far->sign(far->ctx, far->leaf, scheme, rf_str_make(message, message_bytes), out, cap, &len,
                  &err) != RF_OK ||
        len > cap)
        return 0;
    *out_bytes = len;
    return 1;
}

/* ---- the engine ---------------------------------------------------------------------------------------------------------- */

static int choose(ENGINE *engine, EVP_PKEY_METHOD **out, const int **types, int type)
{
    static const int both[] = {EVP_PKEY_RSA, EVP_PKEY_EC};
    (void)engine;
    if (out == NULL) {
        *types = both;
        return (int)RF_COUNT(both);
    }
    *out = type == EVP_PKEY_RSA ? far_rsa : type == EVP_PKEY_EC ? far_ec : NULL;
    return *out != NULL;
}

static EVP_PKEY_METHOD *method_of(int type)
{
    const EVP_PKEY_METHOD *usual = EVP_PKEY_meth_find(type);
    EVP_PKEY_METHOD *method = usual == NULL ? NULL : EVP_PKEY_meth_new(type, 0);
    if (method == NULL) return NULL;
    EVP_PKEY_meth_copy(method, usual);
    EVP_PKEY_meth_set_digestsign(method, sign_message);
    return method;
}

static void set_up(void)
{
    far_slot = EVP_PKEY_get_ex_new_index(0, NULL, NULL, NULL, far_free);
    far_rsa = method_of(EVP_PKEY_RSA);
    far_ec = method_of(EVP_PKEY_EC);
    far_engine = ENGINE_new();
    if (far_engine != NULL && ENGINE_set_id(far_engine, "ringfort") == 1)
        (void)ENGINE_set_pkey_meths(far_engine, choose);
}

/* ---- keys ------------------------------------------------------------------------------------------------------------------ */

/* A key of which only the public half is here; NULL: of another kind, or no memory. */
static EVP_PKEY *public_copy(EVP_PKEY *from)
{
    EVP_PKEY *key = EVP_PKEY_new();
    bool good = false;
    if (key != NULL && EVP_PKEY_is_a(from, "RSA") == 1) {
        const RSA *rsa = EVP_PKEY_get0_RSA(from);
        RSA *copy = rsa == NULL ? NULL : RSAPublicKey_dup(rsa);
        good = copy != NULL && EVP_PKEY_assign_RSA(key, copy) == 1;
        if (!good) RSA_free(copy);
    } else if (key != NULL && EVP_PKEY_is_a(from, "EC") == 1) {
        const EC_KEY *ec = EVP_PKEY_get0_EC_KEY(from);
        EC_KEY *copy = ec == NULL ? NULL : EC_KEY_dup(ec);
        good = copy != NULL && EVP_PKEY_assign_EC_KEY(key, copy) == 1;
        if (!good) EC_KEY_free(copy);
    }
    if (good) return key;
    EVP_PKEY_free(key);
    return NULL;
}

struct evp_pkey_st *tls_far_key(struct x509_st *leaf, tls_sign_message *sign, void *ctx)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, set_up);
    EVP_PKEY *from = X509_get0_pubkey(leaf), *key = from == NULL ? NULL : public_copy(from);
    struct far_key *far = calloc(1, sizeof *far);
    bool good = key != NULL && far != NULL && far_slot >= 0 && far_rsa != NULL && far_ec != NULL;
    if (good) {
        *far = (struct far_key){.sign = sign, .ctx = ctx};
        good = X509_digest(leaf, EVP_sha256(), far->leaf, NULL) == 1 &&
               EVP_PKEY_set_ex_data(key, far_slot, far) == 1;
    }
    if (!good) free(far); /* else it is the key's */
    good = good && EVP_PKEY_set1_engine(key, far_engine) == 1;
    if (good) return key;
    ERR_clear_error();
    EVP_PKEY_free(key);
    return NULL;
}
