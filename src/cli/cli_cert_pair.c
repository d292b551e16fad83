/* cli_cert_pair.c - what a certificate's secret holds. */
#include "cli/cli_cert_pair.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <time.h>

enum { VALUE_BYTES_MAX = 1 << 20, CERTS_MAX = 32 };

struct parts {
    EVP_PKEY *key;
    X509 *certs[CERTS_MAX];
    size_t count;
};

static void parts_done(struct parts *parts)
{
    EVP_PKEY_free(parts->key);
    for (size_t i = 0; i < parts->count; i++) X509_free(parts->certs[i]);
    ERR_clear_error();
}

static enum rf_kind bad_pair(const char *why, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "BadPair", "what the vault gave is no use: %s", why);
}

/* ---- PEM ---------------------------------------------------------------------------------------------------------------- */

static int no_passphrase(char *out, int cap, int writing, void *ctx)
{
    (void)out, (void)cap, (void)writing, (void)ctx;
    return -1;
}

static void read_pem(rf_str text, struct parts *out)
{
    BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    if (bio == NULL) return;
    out->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    (void)BIO_reset(bio);
    while (out->count < CERTS_MAX) {
        X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (cert == NULL) break;
        out->certs[out->count++] = cert;
    }
    BIO_free(bio);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------ */

static bool take(BIO *bio, struct rf_arena *arena, rf_str *out)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    bool good = len > 0 && rf_arena_str(arena, rf_str_make(text, (size_t)len), out);
    if (len > 0) OPENSSL_cleanse(text, (size_t)len);
    return good;
}

static bool key_text(EVP_PKEY *key, struct rf_arena *arena, rf_str *out)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    bool good = bio != NULL &&
                PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                take(bio, arena, out);
    BIO_free(bio);
    return good;
}

/* One certificate, or all but one. */
static bool cert_text(const struct parts *parts, size_t leaf, bool others, struct rf_arena *arena,
                      rf_str *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool good = bio != NULL, any = false;
    *out = (rf_str){NULL, 0};
    for (size_t i = 0; good && i < parts->count; i++) {
        if ((i == leaf) == others) continue;
        any = true;
        good = PEM_write_bio_X509(bio, parts->certs[i]) == 1;
    }
    good = good && (!any || take(bio, arena, out));
    BIO_free(bio);
    return good;
}

static bool end_of(const X509 *cert, rf_usec *out)
{
    struct tm tm = {0};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1) return false;
    *out = (rf_usec)timegm(&tm) * RF_USEC_PER_SECOND;
    return true;
}

static enum rf_kind put_together(const struct parts *parts, struct rf_arena *arena,
                                 struct cert_pair *out, struct rf_err *err)
{
    struct cert_pair pair = {.not_after = 0};
    size_t leaf = 0;
    if (parts->key == NULL)
        return bad_pair("it holds no key; the certificate's policy says that the key is not "
                        "exportable, or it is no certificate's secret",
                        err);
    if (parts->count == 0) return bad_pair("it holds no certificate", err);
    while (leaf < parts->count && X509_check_private_key(parts->certs[leaf], parts->key) != 1)
        leaf++;
    if (leaf == parts->count) return bad_pair("its key fits none of its certificates", err);
    if (!end_of(parts->certs[leaf], &pair.not_after))
        return bad_pair("its certificate has no end", err);
    if (!key_text(parts->key, arena, &pair.key) ||
        !cert_text(parts, leaf, false, arena, &pair.cert) ||
        !cert_text(parts, leaf, true, arena, &pair.chain))
        return rf_fail_memory(err, arena);
    *out = pair;
    return RF_OK;
}

enum rf_kind cert_pair_read(rf_str value, struct rf_arena *arena, struct cert_pair *out,
                            struct rf_err *err)
{
    struct parts parts = {.key = NULL};
    if (value.len > VALUE_BYTES_MAX) return bad_pair("it is too large", err);
    read_pem(value, &parts);
    enum rf_kind kind = put_together(&parts, arena, out, err);
    parts_done(&parts);
    return kind;
}
