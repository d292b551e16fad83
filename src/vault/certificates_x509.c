/* certificates_x509.c - certificates and requests as X.509 (RFC 5280) and PKCS #10, for the keeper to sign; and what certificates say. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "base/encode.h"
#include "vault/certificates_int.h"

enum {
    SERIAL_BYTES = 16,
    DER_BYTES_MAX = 48 << 10,
    URL_BYTES_MAX = 512,
    COORDINATE_BYTES_MAX = 66
};
#define LAST_SECOND INT64_C(253402300799) /* of 9999 */

enum rf_kind vault_cert_bad(struct rf_err *err, const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ERR_clear_error();
    return RF_FAIL(err, RF_INVALID, "BadParameter", "%s", text);
}

static enum rf_kind crypto_failed(const char *what, struct rf_err *err)
{
    ERR_clear_error();
    return RF_FAIL(err, RF_IO, "CryptoFailed", "OpenSSL could not %s", what);
}

/* ---- extensions ---------------------------------------------------------------------------------------------------------- */

typedef STACK_OF(X509_EXTENSION) extensions;

static bool add(extensions **list, int nid, void *value, bool critical)
{
    return X509V3_add1_i2d(list, nid, value, critical, X509V3_ADD_APPEND) == 1;
}

static bool add_usage(extensions **list, unsigned usage)
{
    if (usage == 0) return true;
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    bool good = bits != NULL;
    for (int i = 0; i < 9; i++)
        if (good && (usage & 1u << i) != 0) good = ASN1_BIT_STRING_set_bit(bits, i, 1) == 1;
    good = good && add(list, NID_key_usage, bits, true);
    ASN1_BIT_STRING_free(bits);
    return good;
}

static bool push_oid(EXTENDED_KEY_USAGE *list, rf_str text)
{
    char copy[160];
    if (text.len >= sizeof copy) return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    ASN1_OBJECT *object = OBJ_txt2obj(copy, 1);
    if (object != NULL && sk_ASN1_OBJECT_push(list, object) > 0) return true;
    ASN1_OBJECT_free(object);
    return false;
}

static bool add_ekus(extensions **list, const struct json_node *ekus)
{
    if (ekus == NULL || ekus->count == 0) return true;
    EXTENDED_KEY_USAGE *usages = sk_ASN1_OBJECT_new_null();
    bool good = usages != NULL;
    for (const struct json_node *item = ekus->first; good && item != NULL; item = item->next)
        good = push_oid(usages, item->text);
    good = good && add(list, NID_ext_key_usage, usages, false);
    sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);
    return good;
}

static bool add_sans(extensions **list, const struct cert_policy *policy, bool critical)
{
    const char *why = NULL;
    GENERAL_NAMES *names = vault_cert_sans(policy->sans, &why);
    if (names == NULL) return why == NULL;
    bool good = add(list, NID_subject_alt_name, names, critical);
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return good;
}

/* `length` -1: none is said. */
static bool add_constraints(extensions **list, bool is_ca, int length)
{
    BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
    bool good = constraints != NULL;
    if (good && is_ca) constraints->ca = 0xff;
    if (good && is_ca && length >= 0) {
        constraints->pathlen = ASN1_INTEGER_new();
        good = constraints->pathlen != NULL && ASN1_INTEGER_set(constraints->pathlen, length) == 1;
    }
    good = good && add(list, NID_basic_constraints, constraints, true);
    BASIC_CONSTRAINTS_free(constraints);
    return good;
}

/* What a request asks for, too. */
static bool add_common(extensions **list, const struct cert_policy *policy, bool is_authority,
                       int path_length)
{
    return add_constraints(list, policy->is_ca || is_authority, path_length) &&
           add_usage(list, policy->usage) && add_ekus(list, policy->ekus) &&
           add_sans(list, policy, policy->subject.len == 0);
}

static bool add_from_text(X509 *cert, X509V3_CTX *context, int nid, const char *text)
{
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, context, nid, text);
    bool good = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

/* URLs are of hosts and of names without commas. */
static bool add_urls(X509 *cert, X509V3_CTX *context, const struct cert_build *build)
{
    char text[2 * URL_BYTES_MAX + 40];
    if (build->crl_url.len == 0) return true;
    if (build->crl_url.len > URL_BYTES_MAX || build->ocsp_url.len > URL_BYTES_MAX ||
        build->issuer_url.len > URL_BYTES_MAX)
        return false;
    (void)snprintf(text, sizeof text, "URI:%.*s", RF_FMT(build->crl_url));
    if (!add_from_text(cert, context, NID_crl_distribution_points, text)) return false;
    (void)snprintf(text, sizeof text, "OCSP;URI:%.*s,caIssuers;URI:%.*s", RF_FMT(build->ocsp_url),
                   RF_FMT(build->issuer_url));
    return add_from_text(cert, context, NID_info_access, text);
}

/* ---- certificates ---------------------------------------------------------------------------------------------------------- */

void vault_cert_times(const struct cert_policy *policy, int64_t now, int64_t *not_before,
                      int64_t *not_after)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    time_t from = (time_t)(now - CERT_BACKDATE_SECONDS);
    struct tm tm;
    (void)gmtime_r(&from, &tm);
    int64_t months = tm.tm_mon + policy->months;
    tm.tm_year += (int)(months / 12);
    tm.tm_mon = (int)(months % 12);
    int year = tm.tm_year + 1900, last = days[tm.tm_mon];
    if (tm.tm_mon == 1 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) last++;
    tm.tm_mday = RF_MIN(tm.tm_mday, last);
    *not_before = (int64_t)from;
    *not_after = RF_MIN((int64_t)timegm(&tm), LAST_SECOND);
}

static bool set_serial(X509 *cert)
{
    uint8_t bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40); /* above 0, and of one length */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool good = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return good;
}

static EVP_PKEY *read_public(rf_str der)
{
    const uint8_t *at = der.ptr;
    return der.len == 0 || der.len > DER_BYTES_MAX ? NULL : d2i_PUBKEY(NULL, &at, (long)der.len);
}

X509 *vault_cert_parse(rf_str der)
{
    const uint8_t *at = der.ptr;
    if (der.len == 0 || der.len > DER_BYTES_MAX) return NULL;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    if (cert != NULL && at == der.ptr + der.len) return cert;
    X509_free(cert);
    ERR_clear_error();
    return NULL;
}

/* OpenSSL writes nothing without a signature: one by a key that is thrown away stands where the keeper's comes. */
static EVP_PKEY *throwaway(void) { return EVP_EC_gen("P-256"); }

static enum rf_kind give(const ASN1_ITEM *item, const void *value, struct rf_arena *arena,
                         rf_str *out, struct rf_err *err)
{
    uint8_t *der = NULL;
    int len = ASN1_item_i2d(value, &der, item);
    if (len <= 0) return crypto_failed("write a certificate", err);
    bool is_small = len <= DER_BYTES_MAX / 2, fits = false;
    if (is_small) fits = rf_arena_str(arena, rf_str_make(der, (size_t)len), out);
    OPENSSL_free(der);
    if (!is_small)
        return vault_cert_bad(err,
                              "By this policy a certificate would have %d bytes, at most %d are "
                              "possible: give it fewer names.",
                              len, DER_BYTES_MAX / 2);
    return fits ? RF_OK : rf_fail_memory(err, arena);
}

static bool set_names(X509 *cert, const struct cert_policy *policy, X509 *issuer)
{
    const char *why;
    X509_NAME *subject;
    if (!vault_cert_subject(policy->subject, &subject, &why)) return false;
    bool good =
        X509_set_subject_name(cert, subject) == 1 &&
        X509_set_issuer_name(cert, issuer == NULL ? subject : X509_get_subject_name(issuer)) == 1;
    X509_NAME_free(subject);
    return good;
}

static bool set_extensions(X509 *cert, X509 *issuer, const struct cert_build *build)
{
    extensions *list = NULL;
    X509V3_CTX context;
    bool good = add_common(&list, build->policy, build->is_authority,
                           build->is_authority ? build->path_length : -1);
    for (int i = 0; good && i < sk_X509_EXTENSION_num(list); i++)
        good = X509_add_ext(cert, sk_X509_EXTENSION_value(list, i), -1) == 1;
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    X509V3_set_ctx(&context, issuer == NULL ? cert : issuer, cert, NULL, NULL, 0);
    return good && add_from_text(cert, &context, NID_subject_key_identifier, "hash") &&
           add_from_text(cert, &context, NID_authority_key_identifier, "keyid:always") &&
           add_urls(cert, &context, build) &&
           (!build->is_responder ||
            add_from_text(cert, &context, NID_id_pkix_OCSP_noCheck, "ignored"));
}

static bool fill(X509 *cert, X509 *issuer, EVP_PKEY *public_key, const struct cert_build *build)
{
    return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
           set_names(cert, build->policy, issuer) && X509_set_pubkey(cert, public_key) == 1 &&
           ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)build->not_before) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)build->not_after) != NULL &&
           set_extensions(cert, issuer, build);
}

enum rf_kind vault_cert_build(const struct cert_build *build, struct rf_arena *arena, rf_str *der,
                              struct rf_err *err)
{
    X509 *issuer = build->issuer.len == 0 ? NULL : vault_cert_parse(build->issuer);
    X509 *cert = X509_new();
    EVP_PKEY *public_key = read_public(build->public_key), *placeholder = throwaway();
    bool good = cert != NULL && public_key != NULL && placeholder != NULL &&
                (issuer != NULL || build->issuer.len == 0) &&
                fill(cert, issuer, public_key, build) &&
                X509_sign(cert, placeholder, EVP_sha256()) > 0;
    enum rf_kind kind = good ? give(ASN1_ITEM_rptr(X509), cert, arena, der, err)
                             : crypto_failed("build a certificate by this policy", err);
    X509_free(issuer);
    X509_free(cert);
    EVP_PKEY_free(public_key);
    EVP_PKEY_free(placeholder);
    return kind;
}

static bool fill_request(X509_REQ *request, EVP_PKEY *public_key, const struct cert_policy *policy)
{
    const char *why;
    X509_NAME *subject;
    extensions *list = NULL;
    if (!vault_cert_subject(policy->subject, &subject, &why)) return false;
    bool good = X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
                X509_REQ_set_subject_name(request, subject) == 1 &&
                X509_REQ_set_pubkey(request, public_key) == 1 &&
                add_common(&list, policy, false, -1) && X509_REQ_add_extensions(request, list) == 1;
    X509_NAME_free(subject);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    return good;
}

enum rf_kind vault_cert_request(const struct cert_policy *policy, rf_str public_key,
                                struct rf_arena *arena, rf_str *der, struct rf_err *err)
{
    X509_REQ *request = X509_REQ_new();
    EVP_PKEY *pkey = read_public(public_key), *placeholder = throwaway();
    bool good = request != NULL && pkey != NULL && placeholder != NULL &&
                fill_request(request, pkey, policy) &&
                X509_REQ_sign(request, placeholder, EVP_sha256()) > 0;
    enum rf_kind kind = good ? give(ASN1_ITEM_rptr(X509_REQ), request, arena, der, err)
                             : crypto_failed("build a request by this policy", err);
    X509_REQ_free(request);
    EVP_PKEY_free(pkey);
    EVP_PKEY_free(placeholder);
    return kind;
}

/* ---- what a certificate says --------------------------------------------------------------------------------------------------- */

static bool seconds_of(const ASN1_TIME *time, int64_t *out)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(time, &tm) != 1) return false;
    *out = (int64_t)timegm(&tm);
    return *out >= 0;
}

static bool public_of(X509 *cert, struct rf_arena *arena, rf_str *out)
{
    uint8_t *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    bool good = len > 0 && rf_arena_str(arena, rf_str_make(der, (size_t)len), out);
    OPENSSL_free(der);
    return good;
}

static bool read_facts(X509 *cert, rf_str der, struct rf_arena *arena, struct cert_facts *out)
{
    uint8_t digest[SHA_DIGEST_LENGTH];
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    if (!seconds_of(X509_get0_notBefore(cert), &out->not_before) ||
        !seconds_of(X509_get0_notAfter(cert), &out->not_after))
        return false;
    (void)SHA1(der.ptr, der.len, digest);
    out->cer = base64_encode(arena, der);
    out->x5t = base64url_encode(arena, rf_str_make(digest, sizeof digest));
    out->subject = vault_cert_subject_text(arena, X509_get_subject_name(cert));
    out->serial = hex_encode(arena, rf_str_make(serial->data, (size_t)serial->length));
    return public_of(cert, arena, &out->public_key) && rf_arena_str(arena, der, &out->der) &&
           out->cer.ptr != NULL && out->x5t.ptr != NULL && out->serial.ptr != NULL;
}

enum rf_kind vault_cert_facts(rf_str der, struct rf_arena *arena, struct cert_facts *out,
                              struct rf_err *err)
{
    X509 *cert = vault_cert_parse(der);
    if (cert == NULL)
        return vault_cert_bad(err, "The specified X.509 certificate content can not be read.");
    struct cert_facts facts = {.der = {0}};
    bool good = read_facts(cert, der, arena, &facts);
    X509_free(cert);
    if (!good)
        return vault_cert_bad(err, "The specified X.509 certificate has times or a public key that "
                                   "can not be read.");
    *out = facts;
    return RF_OK;
}

/* ---- public keys as JWK ---------------------------------------------------------------------------------------------------------- */

static bool set_number(struct rf_arena *arena, struct json_node *out, const char *name,
                       const EVP_PKEY *pkey, const char *param, size_t bytes)
{
    uint8_t buf[1024];
    BIGNUM *number = NULL;
    bool good = EVP_PKEY_get_bn_param(pkey, param, &number) == 1;
    size_t len = !good ? 0 : bytes == 0 ? (size_t)BN_num_bytes(number) : bytes;
    good = good && len > 0 && len <= sizeof buf && BN_bn2binpad(number, buf, (int)len) == (int)len;
    BN_free(number);
    if (!good) return false;
    rf_str text = base64url_encode(arena, rf_str_make(buf, len));
    return text.ptr != NULL && json_set_text(arena, out, name, text) != NULL;
}

static bool set_ec(struct rf_arena *arena, struct json_node *out, const EVP_PKEY *pkey)
{
    static const struct {
        int nid;
        const char *curve;
    } curves[] = {{NID_X9_62_prime256v1, "P-256"},
                  {NID_secp384r1, "P-384"},
                  {NID_secp521r1, "P-521"},
                  {NID_secp256k1, "P-256K"}};
    char group[80];
    size_t len, bytes = (size_t)(EVP_PKEY_get_bits(pkey) + 7) / 8;
    if (EVP_PKEY_get_group_name(pkey, group, sizeof group, &len) != 1) return false;
    for (size_t i = 0; i < RF_COUNT(curves); i++)
        if (OBJ_sn2nid(group) == curves[i].nid)
            return json_set_text(arena, out, "kty", RF_S("EC")) != NULL &&
                   json_set_text(arena, out, "crv", rf_str_of(curves[i].curve)) != NULL &&
                   set_number(arena, out, "x", pkey, OSSL_PKEY_PARAM_EC_PUB_X, bytes) &&
                   set_number(arena, out, "y", pkey, OSSL_PKEY_PARAM_EC_PUB_Y, bytes);
    return false;
}

struct json_node *vault_cert_jwk(struct rf_arena *arena, rf_str public_key)
{
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    EVP_PKEY *pkey = read_public(public_key);
    bool good = false;
    if (out != NULL && pkey != NULL && EVP_PKEY_is_a(pkey, "RSA"))
        good = json_set_text(arena, out, "kty", RF_S("RSA")) != NULL &&
               set_number(arena, out, "n", pkey, OSSL_PKEY_PARAM_RSA_N, 0) &&
               set_number(arena, out, "e", pkey, OSSL_PKEY_PARAM_RSA_E, 0);
    else if (out != NULL && pkey != NULL && EVP_PKEY_is_a(pkey, "EC"))
        good = set_ec(arena, out, pkey);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return good ? out : NULL;
}

/* ---- chains -------------------------------------------------------------------------------------------------------------------------- */

static int find_leaf(STACK_OF(X509) * certs, rf_str public_key, struct rf_arena *arena)
{
    rf_str own;
    for (int i = 0; i < sk_X509_num(certs); i++)
        if (public_of(sk_X509_value(certs, i), arena, &own) && rf_str_eq(own, public_key)) return i;
    return -1;
}

static bool issued(X509 *issuer, X509 *cert)
{
    if (X509_NAME_cmp(X509_get_subject_name(issuer), X509_get_issuer_name(cert)) != 0) return false;
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    return key != NULL && X509_verify(cert, key) == 1;
}

/* Each of the others has issued the one before: moves them so, and says whether all found a place. */
static bool link_chain(STACK_OF(X509) * certs)
{
    int count = sk_X509_num(certs);
    for (int at = 0; at + 1 < count; at++) {
        int next = at + 1;
        while (next < count && !issued(sk_X509_value(certs, next), sk_X509_value(certs, at)))
            next++;
        if (next == count) return false;
        X509 *found = sk_X509_delete(certs, next);
        if (sk_X509_insert(certs, found, at + 1) <= 0) {
            X509_free(found);
            return false;
        }
    }
    return true;
}

static enum rf_kind write_chain(STACK_OF(X509) * certs, struct rf_arena *arena, rf_str *chain,
                                rf_str *leaf, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    size_t first = 0;
    for (int i = 0; i < sk_X509_num(certs); i++) {
        uint8_t *der = NULL;
        int len = i2d_X509(sk_X509_value(certs, i), &der);
        if (len <= 0) return crypto_failed("write a certificate", err);
        rf_buf_put(&buf, der, (size_t)len);
        OPENSSL_free(der);
        if (i == 0) first = (size_t)len;
    }
    if (buf.failed) return rf_fail_memory(err, arena);
    if (buf.len > DER_BYTES_MAX / 2)
        return vault_cert_bad(err,
                              "The certificates have %zu bytes together, at most %d are "
                              "possible: leave roots out.",
                              buf.len, DER_BYTES_MAX / 2);
    *chain = rf_buf_view(&buf);
    *leaf = rf_slice(*chain, 0, first);
    return RF_OK;
}

enum rf_kind vault_cert_chain(STACK_OF(X509) * certs, rf_str public_key, bool keep_order,
                              struct rf_arena *arena, rf_str *chain, rf_str *leaf,
                              struct rf_err *err)
{
    int at = find_leaf(certs, public_key, arena), count = sk_X509_num(certs);
    if (at < 0)
        return vault_cert_bad(err, "The public key of the end-entity certificate in the specified "
                                   "X.509 content does not match the public part of the specified "
                                   "private key.");
    if (count > CERT_CHAIN_MAX)
        return vault_cert_bad(err,
                              "The specified X.509 content has %d certificates, at most %d "
                              "are possible.",
                              count, CERT_CHAIN_MAX);
    X509 *first = sk_X509_delete(certs, at);
    if (sk_X509_insert(certs, first, 0) <= 0) {
        X509_free(first);
        return crypto_failed("keep a certificate", err);
    }
    STACK_OF(X509) *linked = sk_X509_dup(certs);
    if (linked == NULL) return crypto_failed("keep certificates", err);
    bool good = link_chain(linked);
    enum rf_kind kind =
        good ? write_chain(keep_order ? certs : linked, arena, chain, leaf, err)
             : vault_cert_bad(err, "The chain of the specified X.509 content does not hold: each "
                                   "certificate must have issued one before it, from the end "
                                   "entity on.");
    sk_X509_free(linked);
    ERR_clear_error();
    return kind;
}
