/* Handshakes by certificates whose keys sign whole messages. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "net/tls_int.h"

struct keys {
    EVP_PKEY *key; /* of sign_message */
    EVP_PKEY *own; /* of sign */
    int messages, digests;
    unsigned scheme;
    bool refuses;
    uint8_t leaf[32], message[256];
    size_t message_bytes;
};

static enum rf_kind sign_digest(void *ctx, const uint8_t *leaf, rf_str digest, uint8_t *out,
                                size_t cap, size_t *len, struct rf_err *err)
{
    struct keys *k = ctx;
    EVP_PKEY_CTX *with = EVP_PKEY_CTX_new(k->own, NULL);
    (void)leaf, (void)err;
    k->digests++;
    *len = cap;
    bool good =
        EVP_PKEY_sign_init(with) == 1 && EVP_PKEY_sign(with, out, len, digest.ptr, digest.len) == 1;
    EVP_PKEY_CTX_free(with);
    return good ? RF_OK : RF_IO;
}

static enum rf_kind sign_whole(void *ctx, const uint8_t *leaf, unsigned scheme, rf_str message,
                               uint8_t *out, size_t cap, size_t *len, struct rf_err *err)
{
    struct keys *k = ctx;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *with;
    const char *digest = (scheme & 0xff00) == 0x0800 ? (scheme == 0x0804   ? "SHA256"
                                                        : scheme == 0x0805 ? "SHA384"
                                                                           : "SHA512")
                         : scheme >> 8 == 4          ? "SHA256"
                         : scheme >> 8 == 5          ? "SHA384"
                                                     : "SHA512";
    k->messages++;
    k->scheme = scheme;
    memcpy(k->leaf, leaf, sizeof k->leaf);
    cr_assert(message.len <= sizeof k->message);
    memcpy(k->message, message.ptr, message.len);
    k->message_bytes = message.len;
    if (k->refuses) return RF_FAIL(err, RF_DENIED, "NotHandshake", "refused");
    bool good = EVP_DigestSignInit_ex(md, &with, digest, NULL, NULL, k->key, NULL) == 1;
    if (good && scheme >> 8 == 8) {
        EVP_PKEY_CTX_set_rsa_padding(with, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(with, RSA_PSS_SALTLEN_DIGEST);
    }
    *len = cap;
    good = good && EVP_DigestSign(md, out, len, message.ptr, message.len) == 1;
    EVP_MD_CTX_free(md);
    return good ? RF_OK : RF_IO;
}

static rf_str certificate(EVP_PKEY *key, struct rf_arena *arena, uint8_t digest[32])
{
    X509 *cert = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    rf_str pem;
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 3);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const uint8_t *)"a.test", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    cr_assert(X509_sign(cert, key, EVP_sha256()) > 0);
    X509_digest(cert, EVP_sha256(), digest, NULL);
    PEM_write_bio_X509(bio, cert);
    long len = BIO_get_mem_data(bio, &text);
    cr_assert(rf_arena_str(arena, rf_str_make((uint8_t *)text, (size_t)len), &pem));
    BIO_free(bio);
    X509_free(cert);
    return pem;
}

/* Both sides by turns, over a pair of sockets. */
static bool shake(struct tls_context *context, int version, const char *schemes, X509 **shown)
{
    int pair[2];
    cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    if (schemes != NULL) cr_assert(SSL_CTX_set1_sigalgs_list(ctx, schemes) == 1);
    SSL *client = SSL_new(ctx);
    SSL_set_fd(client, pair[1]);
    struct ssl_st *server = tls_open_server(context, pair[0]);
    enum tls_io answer = TLS_AGAIN;
    int result = 0;
    for (int i = 0; i < 20 && (answer == TLS_AGAIN || result != 1); i++) {
        result = SSL_connect(client);
        if (answer == TLS_AGAIN) answer = tls_handshake(server);
    }
    *shown = SSL_get1_peer_certificate(client);
    tls_close(server);
    SSL_free(client);
    SSL_CTX_free(ctx);
    close(pair[0]);
    close(pair[1]);
    return answer == TLS_OK && result == 1;
}

static void expect_shakes(struct keys *k, struct tls_context *context, int version,
                          const char *schemes, unsigned scheme, const uint8_t leaf[32])
{
    X509 *shown;
    uint8_t digest[32];
    int before = k->messages;
    cr_assert(shake(context, version, schemes, &shown), "%x %s", version, schemes);
    cr_assert(shown != NULL);
    X509_digest(shown, EVP_sha256(), digest, NULL);
    X509_free(shown);
    cr_expect(k->messages == before + 1);
    cr_expect(k->scheme == scheme, "%x for %s", k->scheme, schemes);
    cr_expect(memcmp(digest, leaf, 32) == 0);
    cr_expect(memcmp(k->leaf, leaf, 32) == 0);
    if (version == TLS1_3_VERSION) {
        cr_expect(k->message_bytes == 64 + 34 + 32 || k->message_bytes == 64 + 34 + 48);
        cr_expect(memcmp(k->message + 64, "TLS 1.3, server CertificateVerify", 34) == 0);
    } else {
        cr_expect(k->message[64] == 3);
    }
}

Test(tls_far, shows_certificates_of_other_keys)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct keys k = {.own = EVP_EC_gen("P-256")};
    struct tls_context *context;
    struct rf_err err;
    uint8_t leaf[32];
    X509 *shown;
    rf_arena_init(&arena, 1 << 20);
    rf_str own = certificate(k.own, &arena, leaf);
    struct tls_server_options options = {
        .chain_pem = own, .sign = sign_digest, .sign_ctx = &k, .sign_message = sign_whole};
    cr_assert(tls_server_new(&options, &context, &err) == RF_OK, "%s", err.text);
    cr_expect(shake(context, TLS1_3_VERSION, NULL, &shown));
    X509_free(shown);
    cr_expect(k.digests == 1 && k.messages == 0);

    k.key = EVP_RSA_gen(2048);
    cr_assert(tls_server_renew_far(context, certificate(k.key, &arena, leaf), &err) == RF_OK, "%s",
              err.text);
    expect_shakes(&k, context, TLS1_3_VERSION, NULL, 0x0804, leaf);
    expect_shakes(&k, context, TLS1_3_VERSION, "rsa_pss_rsae_sha512", 0x0806, leaf);
    expect_shakes(&k, context, TLS1_2_VERSION, NULL, 0x0804, leaf);
    expect_shakes(&k, context, TLS1_2_VERSION, "RSA+SHA384", 0x0501, leaf);
    k.refuses = true;
    cr_expect_not(shake(context, TLS1_3_VERSION, NULL, &shown));
    X509_free(shown);
    k.refuses = false;
    EVP_PKEY_free(k.key);

    static const struct {
        const char *curve;
        unsigned scheme;
    } curves[] = {{"P-256", 0x0403}, {"P-384", 0x0503}, {"P-521", 0x0603}};
    for (size_t i = 0; i < RF_COUNT(curves); i++) {
        k.key = EVP_EC_gen(curves[i].curve);
        cr_assert(tls_server_renew_far(context, certificate(k.key, &arena, leaf), &err) == RF_OK,
                  "%s", err.text);
        expect_shakes(&k, context, TLS1_3_VERSION, NULL, curves[i].scheme, leaf);
        EVP_PKEY_free(k.key);
    }
    cr_expect(k.digests == 1);
    /* Other keys of the process are none of the engine's. */
    k.key = NULL;
    cr_assert(tls_server_renew(context, own, &err) == RF_OK);
    cr_expect(shake(context, TLS1_3_VERSION, NULL, &shown));
    X509_free(shown);
    cr_expect(k.digests == 2);
    cr_expect(tls_server_renew_far(context, RF_S("no certificate"), &err) == RF_INVALID);
    tls_free(context);
    EVP_PKEY_free(k.own);
}
