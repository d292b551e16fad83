#include "crypt/keeper_listener.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypt/digest.h"
#include "crypt/tls_message.h"
#include "crypt/x509.h"
#include "test/vault_seal_rig.h"

/* ---- the form of what is signed ------------------------------------------------------------------------------------------ */

static size_t verify_message(uint8_t out[TLS_MESSAGE_BYTES_MAX], size_t hash)
{
    static const char context[] = "TLS 1.3, server CertificateVerify";
    memset(out, ' ', 64);
    memcpy(out + 64, context, sizeof context);
    memset(out + 64 + sizeof context, 0xa5, hash);
    return 64 + sizeof context + hash;
}

static size_t exchange_message(uint8_t out[TLS_MESSAGE_BYTES_MAX], uint8_t curve, uint8_t bytes)
{
    memset(out, 0x5a, 64);
    out[64] = 3;
    out[65] = 0;
    out[66] = curve;
    out[67] = bytes;
    memset(out + 68, 4, bytes);
    return 68u + bytes;
}

static bool fits(const uint8_t *bytes, size_t len, unsigned scheme)
{
    return tls_message_fits(rf_str_make(bytes, len), tls_scheme_find(scheme));
}

Test(tls_message, takes_what_servers_sign)
{
    uint8_t m[TLS_MESSAGE_BYTES_MAX];
    static const size_t hashes[] = {32, 48};
    for (size_t i = 0; i < 2; i++) {
        size_t len = verify_message(m, hashes[i]);
        cr_expect(fits(m, len, TLS_ECDSA_SHA256));
        cr_expect(fits(m, len, TLS_RSA_PSS_SHA256));
        cr_expect_not(fits(m, len, TLS_RSA_PKCS1_SHA256), "TLS 1.3 has no PKCS #1");
    }
    cr_expect(fits(m, exchange_message(m, 29, 32), TLS_RSA_PKCS1_SHA256));
    cr_expect(fits(m, exchange_message(m, 23, 65), TLS_ECDSA_SHA384));
    cr_expect(fits(m, exchange_message(m, 24, 97), TLS_RSA_PSS_SHA512));
}

Test(tls_message, refuses_everything_else)
{
    uint8_t m[TLS_MESSAGE_BYTES_MAX + 1];
    /* Each byte of the fixed part, and each other length. */
    size_t len = verify_message(m, 32);
    for (size_t i = 0; i < 64 + 34; i++) {
        m[i] ^= 1;
        cr_expect_not(fits(m, len, TLS_ECDSA_SHA256), "byte %zu", i);
        m[i] ^= 1;
    }
    for (size_t n = 0; n < TLS_MESSAGE_BYTES_MAX; n++) {
        (void)verify_message(m, 48);
        if (n != 64 + 34 + 32 && n != 64 + 34 + 48)
            cr_expect_not(fits(m, n, TLS_ECDSA_SHA256), "%zu", n);
    }
    /* The client's signature, which this server never gives. */
    len = verify_message(m, 32);
    memcpy(m + 64, "TLS 1.3, client", 15);
    cr_expect_not(fits(m, len, TLS_ECDSA_SHA256));
    len = exchange_message(m, 29, 32);
    for (size_t i = 64; i < 68; i++) {
        m[i] ^= 1;
        cr_expect_not(fits(m, len, TLS_ECDSA_SHA256), "byte %zu", i);
        m[i] ^= 1;
    }
    cr_expect_not(fits(m, len - 1, TLS_ECDSA_SHA256));
    cr_expect_not(fits(m, len + 1, TLS_ECDSA_SHA256));
    len = exchange_message(m, 23, 65);
    m[68] = 2;
    cr_expect_not(fits(m, len, TLS_ECDSA_SHA256), "a compressed point");
    for (unsigned n = 0; n <= 0xffff; n++)
        if (tls_scheme_find(n) != NULL) cr_expect((n >> 8 >= 4) && (n >> 8 != 2), "%x", n);
}

/* ---- a keeper --------------------------------------------------------------------------------------------------------------- */

struct bench {
    struct seal_rig r;
    struct seal_ring ring;
    struct sealed sealed;
    rf_str der;
    uint8_t leaf[LISTENER_LEAF_BYTES];
};

/* A certificate for the key, signed by itself; from and to are seconds from now. */
static rf_str certificate(struct bench *b, rf_str public_key, int from, int to)
{
    const uint8_t *at = public_key.ptr;
    uint8_t *bytes = NULL;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)public_key.len), *issuer = NULL;
    X509 *cert = X509_new();
    time_t now = (time_t)(rf_clock_now(&b->r.clock.clock) / RF_USEC_PER_SECOND);
    cr_assert(key_make(KEY_P256, &issuer, &b->r.err) == RF_OK);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const uint8_t *)"siem.contoso.test", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    ASN1_TIME_set(X509_getm_notBefore(cert), now + from);
    ASN1_TIME_set(X509_getm_notAfter(cert), now + to);
    X509_set_pubkey(cert, key);
    cr_assert(X509_sign(cert, issuer, EVP_sha256()) > 0);
    int len = i2d_X509(cert, &bytes);
    rf_str out;
    cr_assert(len > 0);
    cr_assert(rf_arena_str(&b->r.arena, rf_str_make(bytes, (size_t)len), &out));
    OPENSSL_free(bytes);
    X509_free(cert);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer);
    return out;
}

/* Version `n` of item 7 of vault 1; its ids go up with n. */
static void make_version(struct bench *b, enum seal_material material, uint32_t bits, uint8_t n,
                         struct sealed *out)
{
    struct seal_head head = seal_rig_head(material, bits, n);
    head.ops = SEAL_OP_SIGN | SEAL_OP_VERIFY;
    cr_assert(seal_key_new(b->r.keeper, b->r.token, &b->ring, &head, &b->r.arena, out, &b->r.err) ==
                  RF_OK,
              "%s", b->r.err.text);
    b->ring.item_key = out->item_key;
}

static void bench_init(struct bench *b, enum seal_material material, uint32_t bits)
{
    memset(b, 0, sizeof *b);
    seal_rig_init(&b->r);
    b->ring = seal_rig_ring(&b->r, 1, 7, SEAL_KEY);
    make_version(b, material, bits, 5, &b->sealed);
    b->der = certificate(b, b->sealed.public_key, -60, 86400);
    digest_sha256(b->der, b->leaf);
}

static enum rf_kind bind_it(struct bench *b)
{
    return keeper_listener_bind(b->r.keeper, b->r.token, KEEPER_LISTENER_HTTPS, &b->ring,
                                b->sealed.version, RF_S("vault://v/siem"), &b->r.err);
}

static enum rf_kind show(struct bench *b, const struct sealed *version, rf_str der)
{
    return keeper_listener_show(b->r.keeper, KEEPER_LISTENER_HTTPS, &b->ring, version->version, der,
                                &b->r.err);
}

static enum rf_kind sign_with(struct bench *b, const uint8_t *leaf, unsigned scheme, rf_str message,
                              uint8_t out[512], size_t *len)
{
    return keeper_listener_sign(b->r.keeper, leaf, scheme, message, out, 512, len, &b->r.err);
}

static enum rf_kind sign_tls13(struct bench *b, unsigned scheme, uint8_t out[512], size_t *len)
{
    uint8_t m[TLS_MESSAGE_BYTES_MAX];
    size_t n = verify_message(m, 32);
    return sign_with(b, b->leaf, scheme, rf_str_make(m, n), out, len);
}

static bool verifies(rf_str public_key, bool pss, rf_str message, rf_str signature)
{
    const uint8_t *at = public_key.ptr;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)public_key.len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *with = NULL;
    bool good = EVP_DigestVerifyInit(ctx, &with, EVP_sha256(), NULL, key) == 1;
    if (pss) {
        EVP_PKEY_CTX_set_rsa_padding(with, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(with, RSA_PSS_SALTLEN_DIGEST);
    }
    good =
        good && EVP_DigestVerify(ctx, signature.ptr, signature.len, message.ptr, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return good;
}

static void expect_signs(struct bench *b, unsigned scheme, bool pss)
{
    uint8_t m[TLS_MESSAGE_BYTES_MAX], out[512];
    size_t n = verify_message(m, 32), len = 0;
    rf_str message = rf_str_make(m, n);
    cr_assert(sign_with(b, b->leaf, scheme, message, out, &len) == RF_OK, "%s", b->r.err.text);
    cr_expect(verifies(b->sealed.public_key, pss, message, rf_str_make(out, len)));
}

#define REFUSED(call, what)                                                                        \
    do {                                                                                           \
        cr_expect((call) != RF_OK);                                                                \
        cr_expect_str_eq(b.r.err.code, what);                                                      \
    } while (0)

Test(keeper_listener, signs_handshakes_when_bound)
{
    struct bench b;
    struct keeper_bound bound;
    uint8_t out[512];
    size_t len;
    bench_init(&b, SEAL_P256, 0);
    REFUSED(show(&b, &b.sealed, b.der), "NotBound");
    REFUSED(sign_tls13(&b, TLS_ECDSA_SHA256, out, &len), "KeyGone");
    cr_assert(bind_it(&b) == RF_OK, "%s", b.r.err.text);
    REFUSED(sign_tls13(&b, TLS_ECDSA_SHA256, out, &len), "KeyGone");
    cr_assert(show(&b, &b.sealed, b.der) == RF_OK, "%s", b.r.err.text);
    expect_signs(&b, TLS_ECDSA_SHA256, false);
    cr_assert(keeper_listener_get(b.r.keeper, KEEPER_LISTENER_HTTPS, &b.r.arena, &bound,
                                  &b.r.err) == RF_OK);
    cr_expect(bound.is_bound && bound.vault_id[3] == 1 && bound.item_id[3] == 7);
    cr_expect(rf_str_is(bound.label, "vault://v/siem"));
    cr_expect(bound.is_in_use && memcmp(bound.leaf, b.leaf, sizeof b.leaf) == 0);
    cr_assert(keeper_listener_get(b.r.keeper, KEEPER_LISTENER_STREAMS, &b.r.arena, &bound,
                                  &b.r.err) == RF_OK);
    cr_expect_not(bound.is_bound);
    /* The binding outlives the keeper; what was shown does not. */
    seal_rig_restart(&b.r);
    REFUSED(sign_tls13(&b, TLS_ECDSA_SHA256, out, &len), "KeyGone");
    cr_assert(show(&b, &b.sealed, b.der) == RF_OK, "%s", b.r.err.text);
    expect_signs(&b, TLS_ECDSA_SHA256, false);
    seal_rig_done(&b.r);
}

Test(keeper_listener, signs_by_rsa)
{
    struct bench b;
    uint8_t m[TLS_MESSAGE_BYTES_MAX], out[512];
    size_t len;
    bench_init(&b, SEAL_RSA, 2048);
    cr_assert(bind_it(&b) == RF_OK && show(&b, &b.sealed, b.der) == RF_OK, "%s", b.r.err.text);
    expect_signs(&b, TLS_RSA_PSS_SHA256, true);
    REFUSED(sign_tls13(&b, TLS_ECDSA_SHA256, out, &len), "SealAlgorithm");
    REFUSED(sign_tls13(&b, TLS_RSA_PKCS1_SHA256, out, &len), "NotHandshake");
    rf_str message = rf_str_make(m, exchange_message(m, 29, 32));
    cr_assert(sign_with(&b, b.leaf, TLS_RSA_PKCS1_SHA256, message, out, &len) == RF_OK);
    cr_expect(verifies(b.sealed.public_key, false, message, rf_str_make(out, len)));
    seal_rig_done(&b.r);
}

Test(keeper_listener, signs_nothing_else)
{
    struct bench b;
    uint8_t out[512], digest[32] = {1};
    size_t len;
    bench_init(&b, SEAL_P256, 0);
    cr_assert(bind_it(&b) == RF_OK && show(&b, &b.sealed, b.der) == RF_OK);
    REFUSED(sign_with(&b, b.leaf, TLS_ECDSA_SHA256, rf_str_make(digest, 32), out, &len),
            "NotHandshake");
    REFUSED(
        sign_with(&b, b.leaf, TLS_ECDSA_SHA256, RF_S("eyJhbGciOiJFUzI1NiJ9.eyJhIjoxfQ"), out, &len),
        "NotHandshake");
    REFUSED(sign_with(&b, b.leaf, TLS_ECDSA_SHA256, b.der, out, &len), "NotHandshake");
    REFUSED(sign_tls13(&b, 0x0203, out, &len), "NotHandshake");
    /* Nor by the way of the server's own certificate. */
    REFUSED(keeper_tls_sign(b.r.keeper, b.leaf, rf_str_make(digest, 32), out, sizeof out, &len,
                            &b.r.err),
            "KeyGone");
    seal_rig_done(&b.r);
}

Test(keeper_listener, is_bound_by_a_token_alone)
{
    struct bench b;
    bench_init(&b, SEAL_P256, 0);
    rf_str good = b.r.token;
    b.r.token = (rf_str){0};
    REFUSED(bind_it(&b), "SealToken");
    b.r.token = seal_rig_token(&b.r, &(struct rig_token){.from = -900, .to = -300});
    REFUSED(bind_it(&b), "SealToken");
    b.r.token = seal_rig_token(&b.r, &(struct rig_token){.audience = "https://storage.azure.com"});
    REFUSED(bind_it(&b), "SealToken");
    b.r.token = good;
    cr_assert(bind_it(&b) == RF_OK);
    REFUSED(keeper_listener_unbind(b.r.keeper, (rf_str){0}, KEEPER_LISTENER_HTTPS, &b.r.err),
            "SealToken");
    REFUSED(keeper_listener_unbind(b.r.keeper, good, KEEPER_LISTENER_STREAMS, &b.r.err),
            "NotBound");
    REFUSED(keeper_listener_bind(b.r.keeper, good, KEEPER_LISTENER_END, &b.ring, b.sealed.version,
                                 RF_S("vault://v/siem"), &b.r.err),
            "SealArgument");
    REFUSED(keeper_listener_bind(b.r.keeper, good, KEEPER_LISTENER_HTTPS, &b.ring, b.sealed.version,
                                 RF_S("two\nlines"), &b.r.err),
            "SealArgument");
    struct seal_ring other = b.ring;
    memset(other.item_id, 9, SEAL_ID_BYTES);
    REFUSED(keeper_listener_bind(b.r.keeper, good, KEEPER_LISTENER_HTTPS, &other, b.sealed.version,
                                 RF_S("vault://v/siem"), &b.r.err),
            "SealBroken");
    seal_rig_done(&b.r);
}

/* What a captured server may show. */
Test(keeper_listener, takes_versions_of_its_item_alone)
{
    struct bench b;
    struct sealed other;
    uint8_t out[512];
    size_t len;
    bench_init(&b, SEAL_P256, 0);
    cr_assert(bind_it(&b) == RF_OK);
    REFUSED(keeper_listener_show(b.r.keeper, KEEPER_LISTENER_STREAMS, &b.ring, b.sealed.version,
                                 b.der, &b.r.err),
            "NotBound");
    struct seal_ring mine = b.ring;
    b.ring = seal_rig_ring(&b.r, 1, 8, SEAL_KEY);
    make_version(&b, SEAL_P256, 0, 6, &other);
    REFUSED(show(&b, &other, certificate(&b, other.public_key, -60, 86400)), "NotBound");
    /* By the right place, which the bytes are not of. */
    memcpy(b.ring.item_id, mine.item_id, SEAL_ID_BYTES);
    REFUSED(show(&b, &other, certificate(&b, other.public_key, -60, 86400)), "SealBroken");
    b.ring = mine;
    REFUSED(show(&b, &b.sealed, certificate(&b, other.public_key, -60, 86400)), "SealArgument");
    REFUSED(show(&b, &b.sealed, certificate(&b, b.sealed.public_key, -600, -60)), "SealArgument");
    REFUSED(show(&b, &b.sealed, certificate(&b, b.sealed.public_key, 600, 900)), "SealArgument");
    REFUSED(show(&b, &b.sealed, RF_S("no certificate")), "SealArgument");
    REFUSED(sign_tls13(&b, TLS_ECDSA_SHA256, out, &len), "KeyGone");
    seal_rig_done(&b.r);
}

Test(keeper_listener, goes_on_with_the_next_version_and_not_back)
{
    struct bench b;
    struct sealed next;
    uint8_t out[512], first[LISTENER_LEAF_BYTES];
    size_t len;
    bench_init(&b, SEAL_P256, 0);
    cr_assert(bind_it(&b) == RF_OK && show(&b, &b.sealed, b.der) == RF_OK);
    memcpy(first, b.leaf, sizeof first);
    struct sealed old = b.sealed;
    rf_str old_der = b.der;
    make_version(&b, SEAL_P256, 0, 6, &next);
    b.sealed = next;
    b.der = certificate(&b, next.public_key, -60, 86400);
    digest_sha256(b.der, b.leaf);
    cr_assert(show(&b, &b.sealed, b.der) == RF_OK, "%s", b.r.err.text);
    expect_signs(&b, TLS_ECDSA_SHA256, false);
    /* Handshakes under way end by the old one, for an hour. */
    uint8_t m[TLS_MESSAGE_BYTES_MAX];
    rf_str message = rf_str_make(m, verify_message(m, 32));
    cr_expect(sign_with(&b, first, TLS_ECDSA_SHA256, message, out, &len) == RF_OK);
    REFUSED(show(&b, &old, old_der), "SealRolledBack");
    rf_clock_fixed_pass(&b.r.clock, 3601 * RF_USEC_PER_SECOND);
    REFUSED(sign_with(&b, first, TLS_ECDSA_SHA256, message, out, &len), "KeyGone");
    expect_signs(&b, TLS_ECDSA_SHA256, false);
    seal_rig_restart(&b.r);
    REFUSED(show(&b, &old, old_der), "SealRolledBack");
    seal_rig_done(&b.r);
}

Test(keeper_listener, ends_with_the_binding)
{
    struct bench b;
    uint8_t out[512];
    size_t len;
    bench_init(&b, SEAL_P256, 0);
    cr_assert(bind_it(&b) == RF_OK && show(&b, &b.sealed, b.der) == RF_OK);
    cr_assert(keeper_listener_unbind(b.r.keeper, b.r.token, KEEPER_LISTENER_HTTPS, &b.r.err) ==
              RF_OK);
    REFUSED(show(&b, &b.sealed, b.der), "NotBound");
    expect_signs(&b, TLS_ECDSA_SHA256, false);
    rf_clock_fixed_pass(&b.r.clock, (KEEPER_LISTENER_GRACE_SECONDS + 1) * RF_USEC_PER_SECOND);
    REFUSED(sign_tls13(&b, TLS_ECDSA_SHA256, out, &len), "KeyGone");
    seal_rig_restart(&b.r);
    REFUSED(show(&b, &b.sealed, b.der), "NotBound");
    seal_rig_done(&b.r);
}

/* Disabled, destroyed: what was in use goes on, as nothing better can be shown; nothing new is taken. */
Test(keeper_listener, keeps_the_last_good_one)
{
    struct bench b;
    struct seal_head head;
    struct sealed disabled;
    rf_str proof;
    bench_init(&b, SEAL_P256, 0);
    cr_assert(bind_it(&b) == RF_OK && show(&b, &b.sealed, b.der) == RF_OK);
    cr_assert(seal_head_get(b.sealed.version, &head, &b.r.err) == RF_OK);
    head.enabled = false;
    head.generation++;
    cr_assert(seal_change(b.r.keeper, b.r.token, &b.ring, b.sealed.version, &head, &b.r.arena,
                          &disabled, &b.r.err) == RF_OK);
    REFUSED(show(&b, &disabled, b.der), "SealDisabled");
    expect_signs(&b, TLS_ECDSA_SHA256, false);
    cr_expect(keeper_listener_none(b.r.keeper, KEEPER_LISTENER_HTTPS, &b.r.err) == RF_OK);
    cr_assert(seal_destroy(b.r.keeper, &b.ring, &b.r.arena, &proof, &b.r.err) == RF_OK);
    REFUSED(show(&b, &b.sealed, b.der), "SealDestroyed");
    REFUSED(bind_it(&b), "SealDestroyed");
    expect_signs(&b, TLS_ECDSA_SHA256, false);
    seal_rig_done(&b.r);
}
