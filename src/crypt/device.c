#include "crypt/device.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "crypt/x509.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 4096, EXPONENT_BITS_MAX = 32, ASN1_SEQUENCE = 0x30 };
#define USEC_PER_DAY (INT64_C(86400) * RF_USEC_PER_SECOND)
/* For clients whose clock is behind. */
#define BACKDATE_USEC (INT64_C(3600) * RF_USEC_PER_SECOND)

static enum rf_kind bad(const char *what, struct rf_err *err)
{
    ERR_clear_error();
    return RF_FAIL(err, RF_INVALID, "BadRequest", "The certificate request %s.", what);
}

static enum rf_kind failed(const char *what, struct rf_err *err)
{
    ERR_clear_error();
    return RF_FAIL(err, RF_IO, "CryptoFailed", "cannot make %s", what);
}

bool device_name_is_good(rf_str name)
{
    bool good = name.len > 0 && name.len <= DEVICE_NAME_BYTES_MAX && rf_is_alnum(name.ptr[0]) &&
                rf_is_alnum(name.ptr[name.len - 1]);
    for (size_t i = 0; good && i < name.len; i++) {
        uint8_t c = name.ptr[i];
        good = rf_is_alnum(c) || c == '.' || c == '-' || c == '_';
    }
    return good;
}

/* ---- keys ----------------------------------------------------------------------------------------------------------- */

/* What stands in front of the two coordinates of an uncompressed point: RFC 5480. Curves that are spelt out, and points of other
 * forms, would be a second way to write the same key. */
static const uint8_t p256_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
static const uint8_t p384_head[] = {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                                    0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                                    0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04};
/* rsaEncryption with NULL, behind the outer length. */
static const uint8_t rsa_oid[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                  0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};

static bool has_at(rf_str bytes, size_t at, const uint8_t *what, size_t len)
{
    return bytes.len >= at + len && memcmp(bytes.ptr + at, what, len) == 0;
}

static bool is_known_form(rf_str key)
{
    enum { P256_BYTES = 91, P384_BYTES = 120, RSA_HEAD_BYTES = 4 };
    return (key.len == P256_BYTES && has_at(key, 0, p256_head, sizeof p256_head)) ||
           (key.len == P384_BYTES && has_at(key, 0, p384_head, sizeof p384_head)) ||
           has_at(key, RSA_HEAD_BYTES, rsa_oid, sizeof rsa_oid);
}

static bool is_fit(EVP_PKEY *key)
{
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) return true;
    BIGNUM *exponent = NULL;
    int bits = EVP_PKEY_get_bits(key);
    bool good = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && bits >= RSA_BITS_MIN &&
                bits <= RSA_BITS_MAX && EVP_PKEY_get_bn_param(key, "e", &exponent) == 1 &&
                BN_is_odd(exponent) && !BN_is_one(exponent) &&
                BN_num_bits(exponent) <= EXPONENT_BITS_MAX;
    BN_free(exponent);
    return good;
}

/* Whether DER has no other way to write it. */
static bool is_canonical(EVP_PKEY *key, rf_str bytes)
{
    uint8_t *again = NULL;
    int len = i2d_PUBKEY(key, &again);
    bool same = len > 0 && rf_str_eq(rf_str_make(again, (size_t)len), bytes);
    OPENSSL_free(again);
    return same;
}

enum rf_kind device_key_read(rf_str public_key, EVP_PKEY **out, struct rf_err *err)
{
    const uint8_t *at = public_key.ptr;
    EVP_PKEY *key = NULL;
    if (public_key.len <= DEVICE_KEY_BYTES_MAX && is_known_form(public_key))
        key = d2i_PUBKEY(NULL, &at, (long)public_key.len);
    if (key == NULL || !is_fit(key) || !is_canonical(key, public_key)) {
        EVP_PKEY_free(key);
        return bad("has a key that is not taken; make one on P-256 or P-384, or of RSA with 2048 "
                   "to 4096 bits",
                   err);
    }
    ERR_clear_error();
    *out = key;
    return RF_OK;
}

/* ---- requests ------------------------------------------------------------------------------------------------------- */

/* What lies between the lines of PEM (RFC 7468), or the whole text. */
static enum rf_kind base64_part(rf_str text, rf_str *out, struct rf_err *err)
{
    static const char *const labels[] = {"CERTIFICATE REQUEST-----",
                                         "NEW CERTIFICATE REQUEST-----"};
    rf_str begin = RF_S("-----BEGIN "), end = RF_S("-----END ");
    size_t from = rf_str_find(text, begin, 0);
    *out = text;
    if (from == SIZE_MAX) return RF_OK;
    from += begin.len;
    for (size_t i = 0; i < RF_COUNT(labels); i++) {
        rf_str label = rf_str_of(labels[i]);
        if (!rf_str_starts(rf_slice(text, from, text.len), label)) continue;
        size_t to = rf_str_find(text, end, from + label.len);
        if (to == SIZE_MAX) return bad("has no END line", err);
        *out = rf_slice(text, from + label.len, to);
        return rf_str_find(text, begin, to) == SIZE_MAX
                   ? RF_OK
                   : bad("is followed by another text in PEM", err);
    }
    return bad("is a text in PEM, but no CERTIFICATE REQUEST", err);
}

static enum rf_kind to_der(rf_str text, struct rf_arena *arena, rf_str *der, struct rf_err *err)
{
    rf_str part;
    if (text.len > CSR_BYTES_MAX) return bad("is longer than 16 KiB", err);
    if (text.len > 0 && text.ptr[0] == ASN1_SEQUENCE) {
        *der = text;
        return RF_OK;
    }
    RF_TRY(base64_part(text, &part, err));
    uint8_t *packed = rf_arena_alloc(arena, part.len);
    size_t len = 0;
    if (packed == NULL) return rf_fail_memory(err, arena);
    for (size_t i = 0; i < part.len; i++)
        if (!rf_is_space(part.ptr[i])) packed[len++] = part.ptr[i];
    enum rf_kind kind = base64_decode(arena, rf_str_make(packed, len), der, err);
    if (kind == RF_INVALID || (kind == RF_OK && der->len == 0))
        return bad("is neither DER, PEM nor base64", err);
    return kind;
}

static bool is_known_signature(const X509_REQ *request)
{
    static const int known[] = {NID_ecdsa_with_SHA256,       NID_ecdsa_with_SHA384,
                                NID_ecdsa_with_SHA512,       NID_sha256WithRSAEncryption,
                                NID_sha384WithRSAEncryption, NID_sha512WithRSAEncryption};
    int nid = X509_REQ_get_signature_nid(request);
    for (size_t i = 0; i < RF_COUNT(known); i++)
        if (known[i] == nid) return true;
    return false;
}

static enum rf_kind key_bytes(X509_REQ *request, struct rf_arena *arena, rf_str *out,
                              struct rf_err *err)
{
    uint8_t *bytes = NULL;
    int len = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(request), &bytes);
    enum rf_kind kind = RF_OK;
    if (len <= 0 || len > DEVICE_KEY_BYTES_MAX)
        kind = bad("has no key that can be read", err);
    else if (!rf_arena_str(arena, rf_str_make(bytes, (size_t)len), out))
        kind = rf_fail_memory(err, arena);
    OPENSSL_free(bytes);
    return kind;
}

static enum rf_kind only_name(const X509_REQ *request, struct rf_arena *arena, rf_str *out,
                              struct rf_err *err)
{
    const X509_NAME *name = X509_REQ_get_subject_name(request);
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    uint8_t *text = NULL;
    *out = RF_S("");
    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0) return RF_OK;
    int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    rf_str cn = rf_str_make(text, len > 0 ? (size_t)len : 0);
    bool fits = !device_name_is_good(cn) || rf_arena_str(arena, cn, out);
    OPENSSL_free(text);
    return fits ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind read_request(X509_REQ *request, struct rf_arena *arena, struct csr *out,
                                 struct rf_err *err)
{
    EVP_PKEY *key;
    struct csr csr;
    if (!is_known_signature(request))
        return bad("is not signed with SHA-256, SHA-384 or SHA-512 by an EC or RSA key", err);
    RF_TRY(key_bytes(request, arena, &csr.public_key, err));
    RF_TRY(only_name(request, arena, &csr.common_name, err));
    RF_TRY(device_key_read(csr.public_key, &key, err));
    bool good = X509_REQ_verify(request, key) == 1;
    EVP_PKEY_free(key);
    if (!good) return bad("has a wrong signature: it was changed, or signed with another key", err);
    *out = csr;
    return RF_OK;
}

enum rf_kind csr_read(rf_str text, struct rf_arena *arena, struct csr *out, struct rf_err *err)
{
    rf_str der;
    RF_TRY(to_der(text, arena, &der, err));
    const uint8_t *at = der.ptr;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len);
    if (request == NULL) return bad("is not well-formed DER", err);
    enum rf_kind kind = at == der.ptr + der.len ? read_request(request, arena, out, err)
                                                : bad("is followed by further bytes", err);
    X509_REQ_free(request);
    ERR_clear_error();
    return kind;
}

static bool sign_request(X509_REQ *request, EVP_PKEY *key, rf_str name)
{
    X509_NAME *subject = X509_REQ_get_subject_name(request);
    return X509_REQ_set_version(request, 0) == 1 &&
           X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, name.ptr,
                                      (int)name.len, -1, 0) == 1 &&
           X509_REQ_set_pubkey(request, key) == 1 && X509_REQ_sign(request, key, EVP_sha256()) > 0;
}

/* The text of a memory BIO, which is wiped. */
static bool take_text(BIO *bio, struct rf_arena *arena, rf_str *out)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    bool fits = len > 0 && rf_arena_str(arena, rf_str_make(text, (size_t)len), out);
    if (len > 0) OPENSSL_cleanse(text, (size_t)len);
    return fits;
}

enum rf_kind csr_make(rf_str name, struct rf_arena *arena, rf_str *key_pem, rf_str *csr_pem,
                      struct rf_err *err)
{
    EVP_PKEY *key;
    if (!device_name_is_good(name))
        return RF_FAIL(err, RF_INVALID, "BadName",
                       "a device's name has 1 to %d letters, digits, '.', '-' and '_', and a "
                       "letter or digit at both ends",
                       DEVICE_NAME_BYTES_MAX);
    RF_TRY(key_make(KEY_P256, &key, err));
    X509_REQ *request = X509_REQ_new();
    BIO *first = BIO_new(BIO_s_mem()), *second = BIO_new(BIO_s_mem());
    bool good = request != NULL && first != NULL && second != NULL &&
                sign_request(request, key, name) &&
                PEM_write_bio_PKCS8PrivateKey(first, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                PEM_write_bio_X509_REQ(second, request) == 1 && take_text(first, arena, key_pem) &&
                take_text(second, arena, csr_pem);
    BIO_free(first);
    BIO_free(second);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    return good ? RF_OK : failed("a certificate request", err);
}

/* ---- the authority -------------------------------------------------------------------------------------------------- */

enum rf_kind device_authority_make(EVP_PKEY *key, rf_usec now, struct rf_arena *arena, rf_str *der,
                                   struct rf_err *err)
{
    /* Installations must not be taken for each other by who collects authorities by subject. */
    uint8_t mark[4];
    random_bytes(mark, sizeof mark);
    rf_str name = rf_arena_printf(arena, "Ringfort devices %08x", rf_get_u32le(mark));
    if (name.ptr == NULL) return rf_fail_memory(err, arena);
    struct cert_request request = {.subject_cn = name,
                                   .not_before = now - BACKDATE_USEC,
                                   .not_after = now + DEVICE_AUTHORITY_DAYS * USEC_PER_DAY,
                                   .is_ca = true,
                                   .is_client = true,
                                   .constrained_to = name};
    return cert_make(&request, key, key, (rf_str){0}, arena, der, err);
}

enum rf_kind device_certificate_make(const struct device_order *order, EVP_PKEY *authority_key,
                                     rf_str authority_der, rf_usec now, struct rf_arena *arena,
                                     rf_str *der, struct rf_err *err)
{
    struct cert_info authority;
    EVP_PKEY *key;
    int64_t most = INT64_C(86400) * DEVICE_CERTIFICATE_DAYS_MAX;
    if (!device_name_is_good(order->name))
        return RF_FAIL(err, RF_INVALID, "BadName",
                       "A device's name has 1 to %d letters, digits, '.', '-' and '_', and a "
                       "letter or digit at both ends.",
                       DEVICE_NAME_BYTES_MAX);
    if (order->seconds < 1 || order->seconds > most)
        return RF_FAIL(err, RF_INVALID, "BadRequest",
                       "A device's certificate is for at most %d days.",
                       DEVICE_CERTIFICATE_DAYS_MAX);
    RF_TRY(cert_read(authority_der, arena, &authority, err));
    RF_TRY(device_key_read(order->public_key, &key, err));
    struct cert_request request = {
        .subject_cn = order->name,
        .organization = authority.common_name,
        .not_before = now - BACKDATE_USEC,
        .not_after = RF_MIN(now + order->seconds * RF_USEC_PER_SECOND, authority.not_after),
        .is_client = true};
    enum rf_kind kind = cert_make(&request, key, authority_key, authority_der, arena, der, err);
    EVP_PKEY_free(key);
    return kind;
}

/* ---- PKCS #7 -------------------------------------------------------------------------------------------------------- */

static bool add_cert(PKCS7 *into, rf_str der)
{
    const uint8_t *at = der.ptr;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    bool good = cert != NULL && PKCS7_add_certificate(into, cert) == 1;
    X509_free(cert);
    return good;
}

enum rf_kind certs_pkcs7(const rf_str *ders, uint32_t count, struct rf_arena *arena, rf_str *out,
                         struct rf_err *err)
{
    PKCS7 *made = PKCS7_new();
    uint8_t *bytes = NULL;
    bool good = made != NULL && PKCS7_set_type(made, NID_pkcs7_signed) == 1 &&
                PKCS7_content_new(made, NID_pkcs7_data) == 1 && PKCS7_set_detached(made, 1) == 1;
    for (uint32_t i = 0; good && i < count; i++) good = add_cert(made, ders[i]);
    int len = good ? i2d_PKCS7(made, &bytes) : -1;
    PKCS7_free(made);
    if (len <= 0) return failed("a PKCS #7", err);
    bool fits = rf_arena_str(arena, rf_str_make(bytes, (size_t)len), out);
    OPENSSL_free(bytes);
    return fits ? RF_OK : rf_fail_memory(err, arena);
}
