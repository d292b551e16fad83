/* x509_make.c - keys, and certificates for them. Extensions are built as structures and never from text, so that no name can
 * smuggle in a second one. */
#include "crypt/x509.h"

#include <arpa/inet.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "crypt/digest.h"

enum { CN_BYTES_MAX = 64 /* ub-common-name, RFC 5280 appendix A */, SERIAL_BYTES = 16 };

static enum rf_kind failed(const char *what, struct rf_err *err)
{
    ERR_clear_error();
    return RF_FAIL(err, RF_IO, "CryptoFailed", "cannot make %s", what);
}

enum rf_kind key_make(enum key_kind kind, EVP_PKEY **out, struct rf_err *err)
{
    EVP_PKEY *key =
        kind == KEY_P256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(kind == KEY_RSA_2048 ? 2048u : 3072u);
    if (key == NULL) return failed("a key", err);
    *out = key;
    return RF_OK;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static bool add_name(GENERAL_NAMES *names, int type, ASN1_STRING *value)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (name == NULL || value == NULL) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name, type, value);
    if (sk_GENERAL_NAME_push(names, name) > 0) return true;
    GENERAL_NAME_free(name);
    return false;
}

static ASN1_STRING *string_of(int type, const void *bytes, size_t len)
{
    ASN1_STRING *string = ASN1_STRING_type_new(type);
    if (string != NULL && ASN1_STRING_set(string, bytes, (int)len) == 1) return string;
    ASN1_STRING_free(string);
    return NULL;
}

static bool dns_name_fits(rf_str name)
{
    if (name.len == 0 || name.len > 253) return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (!rf_is_alnum(c) && c != '-' && c != '.' && c != '_' && !(c == '*' && i == 0))
            return false;
    }
    return true;
}

/* The 4 or 16 bytes of an address; 0 when it is none. */
static size_t address_bytes(rf_str text, uint8_t out[16])
{
    char buf[INET6_ADDRSTRLEN];
    if (text.len >= sizeof buf) return 0;
    memcpy(buf, text.ptr, text.len);
    buf[text.len] = '\0';
    if (inet_pton(AF_INET, buf, out) == 1) return 4;
    return inet_pton(AF_INET6, buf, out) == 1 ? 16 : 0;
}

static enum rf_kind collect_names(const struct cert_request *request, GENERAL_NAMES *names,
                                  struct rf_err *err)
{
    for (uint32_t i = 0; i < request->dns_count; i++) {
        rf_str name = request->dns_names[i];
        if (!dns_name_fits(name))
            return RF_FAIL(err, RF_INVALID, "BadName", "\"%.*s\" is no DNS name",
                           (int)RF_MIN(name.len, 100), (const char *)name.ptr);
        if (!add_name(names, GEN_DNS, string_of(V_ASN1_IA5STRING, name.ptr, name.len)))
            return failed("a name", err);
    }
    for (uint32_t i = 0; i < request->ip_count; i++) {
        uint8_t address[16];
        rf_str text = request->ip_texts[i];
        size_t len = address_bytes(text, address);
        if (len == 0)
            return RF_FAIL(err, RF_INVALID, "BadName", "\"%.*s\" is no address",
                           (int)RF_MIN(text.len, 100), (const char *)text.ptr);
        if (!add_name(names, GEN_IPADD, string_of(V_ASN1_OCTET_STRING, address, len)))
            return failed("a name", err);
    }
    return RF_OK;
}

static enum rf_kind add_names(const struct cert_request *request, X509 *cert, struct rf_err *err)
{
    if (request->dns_count + request->ip_count == 0) return RF_OK;
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    if (names == NULL) return failed("a certificate", err);
    enum rf_kind kind = collect_names(request, names, err);
    if (kind == RF_OK &&
        X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) != 1)
        kind = failed("a certificate", err);
    GENERAL_NAMES_free(names);
    return kind;
}

/* ---- other extensions (RFC 5280 section 4.2) --------------------------------------------------------------------- */

static bool add_constraints(X509 *cert, bool is_ca)
{
    BASIC_CONSTRAINTS *value = BASIC_CONSTRAINTS_new();
    bool good = value != NULL;
    if (good) value->ca = is_ca ? 0xff : 0;
    if (good && is_ca) { /* it issues leaves only */
        value->pathlen = ASN1_INTEGER_new();
        good = value->pathlen != NULL && ASN1_INTEGER_set(value->pathlen, 0) == 1;
    }
    good =
        good && X509_add1_ext_i2d(cert, NID_basic_constraints, value, 1, X509V3_ADD_DEFAULT) == 1;
    BASIC_CONSTRAINTS_free(value);
    return good;
}

static bool add_usage(X509 *cert, bool is_ca)
{
    enum { DIGITAL_SIGNATURE = 0, KEY_CERT_SIGN = 5, CRL_SIGN = 6 };
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    bool good = bits != NULL;
    if (is_ca)
        good = good && ASN1_BIT_STRING_set_bit(bits, KEY_CERT_SIGN, 1) == 1 &&
               ASN1_BIT_STRING_set_bit(bits, CRL_SIGN, 1) == 1;
    else
        good = good && ASN1_BIT_STRING_set_bit(bits, DIGITAL_SIGNATURE, 1) == 1;
    good = good && X509_add1_ext_i2d(cert, NID_key_usage, bits, 1, X509V3_ADD_DEFAULT) == 1;
    ASN1_BIT_STRING_free(bits);
    return good;
}

static bool add_purpose(X509 *cert, int nid)
{
    EXTENDED_KEY_USAGE *usage = sk_ASN1_OBJECT_new_null();
    bool good = usage != NULL && sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(nid)) > 0 &&
                X509_add1_ext_i2d(cert, NID_ext_key_usage, usage, 0, X509V3_ADD_DEFAULT) == 1;
    EXTENDED_KEY_USAGE_free(usage);
    return good;
}

static bool add_entry(X509_NAME *name, int nid, rf_str text)
{
    return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, text.ptr, (int)text.len, -1, 0) ==
           1;
}

/* Takes `base`, also when it fails. */
static bool add_subtree(STACK_OF(GENERAL_SUBTREE) * *trees, GENERAL_NAME *base)
{
    GENERAL_SUBTREE *tree = base == NULL ? NULL : GENERAL_SUBTREE_new();
    if (*trees == NULL) *trees = sk_GENERAL_SUBTREE_new_null();
    if (tree == NULL || *trees == NULL) {
        GENERAL_SUBTREE_free(tree);
        GENERAL_NAME_free(base);
        return false;
    }
    GENERAL_NAME_free(tree->base);
    tree->base = base;
    if (sk_GENERAL_SUBTREE_push(*trees, tree) > 0) return true;
    GENERAL_SUBTREE_free(tree);
    return false;
}

/* All addresses: zeros under a mask of zeros. */
static GENERAL_NAME *any_address(size_t zeros)
{
    static const uint8_t nothing[32];
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value = string_of(V_ASN1_OCTET_STRING, nothing, zeros);
    if (name == NULL || value == NULL) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(value);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, GEN_IPADD, value);
    return name;
}

static GENERAL_NAME *names_of(rf_str organization)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    X509_NAME *directory = X509_NAME_new();
    if (name == NULL || directory == NULL ||
        !add_entry(directory, NID_organizationName, organization)) {
        GENERAL_NAME_free(name);
        X509_NAME_free(directory);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, GEN_DIRNAME, directory);
    return name;
}

/* DNS names are not excluded here: verifiers take a CN that looks like one for a DNS name when there is no other (RFC 6125,
 * 6.4.4), and would refuse "truck-7". That none of the certificates serves as a server's is the extended key usage's part. */
static bool add_name_constraints(X509 *cert, rf_str organization)
{
    enum { IPV4_AND_MASK = 8, IPV6_AND_MASK = 32 };
    NAME_CONSTRAINTS *value = NAME_CONSTRAINTS_new();
    bool good = value != NULL && add_subtree(&value->permittedSubtrees, names_of(organization)) &&
                add_subtree(&value->excludedSubtrees, any_address(IPV4_AND_MASK)) &&
                add_subtree(&value->excludedSubtrees, any_address(IPV6_AND_MASK)) &&
                X509_add1_ext_i2d(cert, NID_name_constraints, value, 1, X509V3_ADD_DEFAULT) == 1;
    NAME_CONSTRAINTS_free(value);
    return good;
}

/* SHA-1 of the public key's bits, RFC 5280 section 4.2.1.2 method 1: a name, not a protection. */
static ASN1_OCTET_STRING *key_id(const X509 *cert)
{
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(cert);
    uint8_t digest[SHA1_BYTES];
    if (bits == NULL) return NULL;
    digest_sha1(rf_str_make(bits->data, (size_t)bits->length), digest);
    return string_of(V_ASN1_OCTET_STRING, digest, sizeof digest);
}

static bool add_key_ids(X509 *cert, const X509 *issuer)
{
    ASN1_OCTET_STRING *own = key_id(cert);
    AUTHORITY_KEYID *of_issuer = AUTHORITY_KEYID_new();
    if (of_issuer != NULL) of_issuer->keyid = key_id(issuer);
    bool good =
        own != NULL && of_issuer != NULL && of_issuer->keyid != NULL &&
        X509_add1_ext_i2d(cert, NID_subject_key_identifier, own, 0, X509V3_ADD_DEFAULT) == 1 &&
        X509_add1_ext_i2d(cert, NID_authority_key_identifier, of_issuer, 0, X509V3_ADD_DEFAULT) ==
            1;
    ASN1_OCTET_STRING_free(own);
    AUTHORITY_KEYID_free(of_issuer);
    return good;
}

/* ---- the certificate ---------------------------------------------------------------------------------------------- */

static bool set_time(ASN1_TIME *out, rf_usec time)
{
    return ASN1_TIME_set(out, (time_t)(time / RF_USEC_PER_SECOND)) != NULL;
}

static bool set_serial(X509 *cert)
{
    uint8_t bytes[SERIAL_BYTES];
    random_bytes(bytes, sizeof bytes);
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40); /* positive, of one length */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool good = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return good;
}

static bool set_subject(X509 *cert, const struct cert_request *request)
{
    X509_NAME *name = X509_get_subject_name(cert);
    return (request->organization.len == 0 ||
            add_entry(name, NID_organizationName, request->organization)) &&
           add_entry(name, NID_commonName, request->subject_cn);
}

static enum rf_kind build(const struct cert_request *request, X509 *cert, EVP_PKEY *key,
                          EVP_PKEY *issuer_key, X509 *issuer, struct rf_err *err)
{
    enum { X509_V3 = 2 };
    const X509 *by = issuer == NULL ? cert : issuer;
    bool good = X509_set_version(cert, X509_V3) == 1 && set_serial(cert) &&
                set_subject(cert, request) &&
                X509_set_issuer_name(cert, X509_get_subject_name(by)) == 1 &&
                set_time(X509_getm_notBefore(cert), request->not_before) &&
                set_time(X509_getm_notAfter(cert), request->not_after) &&
                X509_set_pubkey(cert, key) == 1 && add_constraints(cert, request->is_ca) &&
                add_usage(cert, request->is_ca) && add_key_ids(cert, by);
    if (good && !request->is_ca && request->dns_count + request->ip_count > 0)
        good = add_purpose(cert, NID_server_auth);
    if (good && request->is_client) good = add_purpose(cert, NID_client_auth);
    if (good && request->constrained_to.len > 0)
        good = add_name_constraints(cert, request->constrained_to);
    if (!good) return failed("a certificate", err);
    RF_TRY(add_names(request, cert, err));
    if (X509_sign(cert, issuer_key, EVP_sha256()) <= 0) return failed("a signature", err);
    return RF_OK;
}

static enum rf_kind to_der(const X509 *cert, struct rf_arena *arena, rf_str *der,
                           struct rf_err *err)
{
    int len = i2d_X509(cert, NULL);
    if (len <= 0) return failed("a certificate", err);
    uint8_t *bytes = rf_arena_alloc(arena, (size_t)len), *at = bytes;
    if (bytes == NULL) return rf_fail_memory(err, arena);
    if (i2d_X509(cert, &at) != len) return failed("a certificate", err);
    *der = rf_str_make(bytes, (size_t)len);
    return RF_OK;
}

enum rf_kind cert_make(const struct cert_request *request, EVP_PKEY *key, EVP_PKEY *issuer_key,
                       rf_str issuer_der, struct rf_arena *arena, rf_str *der, struct rf_err *err)
{
    rf_str cn = request->subject_cn;
    if (cn.len == 0 || cn.len > CN_BYTES_MAX || !rf_utf8_valid(cn))
        return RF_FAIL(err, RF_INVALID, "BadName", "the name of a certificate has 1 to %d bytes",
                       CN_BYTES_MAX);
    X509 *issuer = NULL, *cert = X509_new();
    const uint8_t *at = issuer_der.ptr;
    enum rf_kind kind = RF_OK;
    if (issuer_der.len > 0) issuer = d2i_X509(NULL, &at, (long)issuer_der.len);
    if (cert == NULL || (issuer_der.len > 0 && issuer == NULL)) kind = failed("a certificate", err);
    if (kind == RF_OK) kind = build(request, cert, key, issuer_key, issuer, err);
    if (kind == RF_OK) kind = to_der(cert, arena, der, err);
    X509_free(cert);
    X509_free(issuer);
    return kind;
}
