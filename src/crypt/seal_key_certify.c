/* seal_key_certify.c - what keys of vaults sign of X.509 (RFC 5280, RFC 2986, RFC 6960). The server builds the whole, as it knows policies; here stands what
 * a server that was taken over must not get signed: names, keys and powers that are another's. */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypt/seal_key_int.h"

enum {
    EXTENSIONS_MAX = 64,
    SERIAL_BYTES_MAX = 20, /* RFC 5280, 4.1.2.2 */
    DAYS_MAX = 36530,      /* 1200 months */
    X509_V3 = 2,
    X509_REQ_V1 = 0,
    X509_CRL_V2 = 1
};

static enum rf_kind bad(const char *what, struct rf_err *err)
{
    if (seal_lacks_memory()) return seal_crypto_failed("read what is to be signed", err);
    return RF_FAIL(err, RF_INVALID, "SealArgument", "what is to be signed %s", what);
}

static enum rf_kind bad_issuer(const char *what, struct rf_err *err)
{
    if (seal_lacks_memory()) return seal_crypto_failed("read an issuer's certificate", err);
    return RF_FAIL(err, RF_INVALID, "SealArgument", "the issuer's certificate %s", what);
}

/* The whole of `der`, or NULL. */
static void *parse(const ASN1_ITEM *item, rf_str der)
{
    const uint8_t *at = der.ptr;
    if (der.len == 0 || der.len > SEAL_MATERIAL_BYTES_MAX) return NULL;
    ASN1_VALUE *value = ASN1_item_d2i(NULL, &at, (long)der.len, item);
    if (value != NULL && at != der.ptr + der.len) {
        ASN1_item_free(value, item);
        value = NULL;
    }
    return value;
}

/* SHA-256; with the larger curves what fits them (RFC 5758, contracts/keyvault.md 6.2). */
static const EVP_MD *digest_of(const struct seal_key *key)
{
    return key->material == SEAL_P384   ? EVP_sha384()
           : key->material == SEAL_P521 ? EVP_sha512()
                                        : EVP_sha256();
}

static enum rf_kind give(const ASN1_ITEM *item, const void *value, struct rf_arena *arena,
                         rf_str *out, struct rf_err *err)
{
    uint8_t *der = NULL;
    int len = ASN1_item_i2d(value, &der, item);
    if (len <= 0) return seal_crypto_failed("write what was signed", err);
    bool fits = rf_arena_str(arena, rf_str_make(der, (size_t)len), out);
    OPENSSL_free(der);
    return fits ? RF_OK : rf_fail_memory(err, arena);
}

/* ---- what all have ------------------------------------------------------------------------------------------------------- */

static bool has_this_key(const struct seal_key *key, const X509_PUBKEY *public_key)
{
    uint8_t *der = NULL;
    int len = i2d_X509_PUBKEY(public_key, &der);
    bool same = len > 0 && seal_key_owns(key, rf_str_make(der, (size_t)len));
    OPENSSL_free(der);
    return same;
}

/* Byte for byte: verifiers differ in what else they take for the same name. */
static bool same_name(const X509_NAME *a, const X509_NAME *b)
{
    const uint8_t *first, *second;
    size_t first_len, second_len;
    return X509_NAME_get0_der(a, &first, &first_len) == 1 &&
           X509_NAME_get0_der(b, &second, &second_len) == 1 &&
           rf_str_eq(rf_str_make(first, first_len), rf_str_make(second, second_len));
}

static bool has_repeats(const STACK_OF(X509_EXTENSION) * extensions)
{
    int count = extensions == NULL ? 0 : sk_X509_EXTENSION_num(extensions);
    if (count > EXTENSIONS_MAX) return true;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            if (OBJ_cmp(X509_EXTENSION_get_object(sk_X509_EXTENSION_value(extensions, i)),
                        X509_EXTENSION_get_object(sk_X509_EXTENSION_value(extensions, j))) == 0)
                return true;
    return false;
}

/* `to` behind `from`, by a hundred years at most. */
static bool is_span(const ASN1_TIME *from, const ASN1_TIME *to)
{
    int days, seconds;
    return ASN1_TIME_check(from) == 1 && ASN1_TIME_check(to) == 1 &&
           ASN1_TIME_diff(&days, &seconds, from, to) == 1 && days >= 0 && seconds >= 0 &&
           days + seconds > 0 && days <= DAYS_MAX;
}

static enum rf_kind check_cert(X509 *cert, struct rf_err *err)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    if (X509_get_version(cert) != X509_V3) return bad("is no certificate of version 3", err);
    if (serial->length < 1 || serial->length > SERIAL_BYTES_MAX ||
        (ASN1_STRING_type(serial) & V_ASN1_NEG) != 0 || ASN1_INTEGER_get(serial) == 0)
        return bad("needs a serial number above 0 of at most 20 bytes", err);
    if (!is_span(X509_get0_notBefore(cert), X509_get0_notAfter(cert)))
        return bad("must begin before it ends, and last a hundred years at most", err);
    if (has_repeats(X509_get0_extensions(cert)) ||
        (X509_get_extension_flags(cert) & EXFLAG_INVALID) != 0)
        return bad("has an extension twice, more than 64, or one that cannot be read", err);
    return RF_OK;
}

/* ---- certificates of this key -------------------------------------------------------------------------------------------- */

static enum rf_kind sign_self(struct seal_key *key, X509 *cert, struct rf_err *err)
{
    RF_TRY(check_cert(cert, err));
    if (!has_this_key(key, X509_get_X509_PUBKEY(cert)))
        return bad("must carry the public half of the key that signs it", err);
    if (!same_name(X509_get_subject_name(cert), X509_get_issuer_name(cert)))
        return bad("must have the same name as subject and issuer", err);
    if (X509_sign(cert, key->pkey, digest_of(key)) <= 0) return seal_crypto_failed("sign", err);
    return RF_OK;
}

static enum rf_kind sign_request(struct seal_key *key, X509_REQ *request, struct rf_err *err)
{
    if (X509_REQ_get_version(request) != X509_REQ_V1) return bad("is no request of version 1", err);
    if (!has_this_key(key, X509_REQ_get_X509_PUBKEY(request)))
        return bad("must carry the public half of the key that signs it", err);
    if (X509_REQ_sign(request, key->pkey, digest_of(key)) <= 0)
        return seal_crypto_failed("sign", err);
    return RF_OK;
}

/* ---- what an authority signs ---------------------------------------------------------------------------------------------- */

static enum rf_kind check_issuer(struct seal_key *key, X509 *issuer, uint32_t usage,
                                 struct rf_err *err)
{
    uint32_t flags = X509_get_extension_flags(issuer);
    if ((flags & EXFLAG_INVALID) != 0) return bad_issuer("has extensions that cannot be read", err);
    if (!has_this_key(key, X509_get_X509_PUBKEY(issuer)))
        return bad_issuer("is not this key's", err);
    if (X509_get_version(issuer) != X509_V3 || (flags & EXFLAG_CA) == 0)
        return bad_issuer("is not that of an authority (basic constraints: CA)", err);
    /* All bits are set when there is no such extension. */
    if ((X509_get_key_usage(issuer) & usage) == 0)
        return bad_issuer("does not have the key usage for this", err);
    return RF_OK;
}

/* What the new certificate may do, under what the issuer's may. */
static enum rf_kind check_powers(X509 *cert, X509 *issuer, struct rf_err *err)
{
    uint32_t flags = X509_get_extension_flags(cert);
    long own = X509_get_pathlen(cert), room = X509_get_pathlen(issuer); /* -1: none */
    bool may_sign = (flags & EXFLAG_KUSAGE) != 0 &&
                    (X509_get_key_usage(cert) & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0;
    if ((flags & EXFLAG_CA) == 0)
        return may_sign ? bad("is no authority's, but has an authority's key usage", err) : RF_OK;
    if (room == 0) return bad("is an authority's, which the issuer's path length forbids", err);
    if (room > 0 && own >= room)
        return bad("has a path length that is not below the issuer's", err);
    return RF_OK;
}

static enum rf_kind check_constraints(X509 *cert, X509 *issuer, struct rf_err *err)
{
    int critical = -1;
    NAME_CONSTRAINTS *limits = X509_get_ext_d2i(issuer, NID_name_constraints, &critical, NULL);
    if (limits == NULL)
        return critical == -1 ? RF_OK : bad_issuer("has name constraints that cannot be read", err);
    int answer = NAME_CONSTRAINTS_check(cert, limits);
    NAME_CONSTRAINTS_free(limits);
    return answer == X509_V_OK ? RF_OK
                               : bad("has a name that the issuer's constraints forbid", err);
}

static enum rf_kind check_issued(struct seal_key *key, X509 *issuer, X509 *cert, struct rf_err *err)
{
    int days, seconds;
    RF_TRY(check_cert(cert, err));
    if (!same_name(X509_get_issuer_name(cert), X509_get_subject_name(issuer)))
        return bad("must name the subject of the issuer's certificate as its issuer", err);
    if (has_this_key(key, X509_get_X509_PUBKEY(cert)))
        return bad("carries the authority's own key", err);
    if (X509_get0_pubkey(cert) == NULL) return bad("carries a key that cannot be read", err);
    if (ASN1_TIME_diff(&days, &seconds, X509_get0_notAfter(cert), X509_get0_notAfter(issuer)) !=
            1 ||
        days < 0 || seconds < 0)
        return bad("ends later than the issuer's certificate", err);
    AUTHORITY_KEYID *named = X509_get_ext_d2i(cert, NID_authority_key_identifier, NULL, NULL);
    bool fits = named == NULL || X509_check_akid(issuer, named) == X509_V_OK;
    AUTHORITY_KEYID_free(named);
    if (!fits) return bad("has an authority key identifier that is not the issuer's", err);
    RF_TRY(check_powers(cert, issuer, err));
    return check_constraints(cert, issuer, err);
}

static enum rf_kind sign_issued(struct seal_key *key, X509 *issuer, X509 *cert, struct rf_err *err)
{
    RF_TRY(check_issuer(key, issuer, KU_KEY_CERT_SIGN, err));
    RF_TRY(check_issued(key, issuer, cert, err));
    if (X509_sign(cert, key->pkey, digest_of(key)) <= 0) return seal_crypto_failed("sign", err);
    return RF_OK;
}

/* RFC 5280, 5.2.3, 5.2.1: a number that can grow, and no other authority's key. */
static bool has_crl_extensions(X509_CRL *crl, X509 *issuer)
{
    ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
    AUTHORITY_KEYID *named = X509_CRL_get_ext_d2i(crl, NID_authority_key_identifier, NULL, NULL);
    bool good = number != NULL && (ASN1_STRING_type(number) & V_ASN1_NEG) == 0 &&
                number->length <= SERIAL_BYTES_MAX &&
                (named == NULL || X509_check_akid(issuer, named) == X509_V_OK);
    ASN1_INTEGER_free(number);
    AUTHORITY_KEYID_free(named);
    return good;
}

static enum rf_kind sign_crl(struct seal_key *key, X509 *issuer, X509_CRL *crl, struct rf_err *err)
{
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
    RF_TRY(check_issuer(key, issuer, KU_CRL_SIGN, err));
    if (X509_CRL_get_version(crl) != X509_CRL_V2)
        return bad("is no revocation list of version 2", err);
    if (!same_name(X509_CRL_get_issuer(crl), X509_get_subject_name(issuer)))
        return bad("must name the subject of the issuer's certificate as its issuer", err);
    if (next == NULL || !is_span(X509_CRL_get0_lastUpdate(crl), next))
        return bad("must say when it was made, and after that when the next one is due", err);
    if (has_repeats(X509_CRL_get0_extensions(crl))) return bad("has an extension twice", err);
    if (!has_crl_extensions(crl, issuer))
        return bad("must have a number, and no other authority's key identifier", err);
    if (X509_CRL_sign(crl, key->pkey, digest_of(key)) <= 0) return seal_crypto_failed("sign", err);
    return RF_OK;
}

/* ---- OCSP ------------------------------------------------------------------------------------------------------------------ */

/* RFC 6960, 4.2.1: the subject's name, or the SHA-1 of the public key's bits. */
static bool is_responder(OCSP_BASICRESP *response, X509 *issuer)
{
    const ASN1_OCTET_STRING *id = NULL;
    const X509_NAME *name = NULL;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (OCSP_resp_get0_id(response, &id, &name) != 1) return false;
    if (id == NULL) return name != NULL && same_name(name, X509_get_subject_name(issuer));
    return X509_pubkey_digest(issuer, EVP_sha1(), digest, &len) == 1 &&
           rf_str_eq(rf_str_make(ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id)),
                     rf_str_make(digest, len));
}

/* Whether it speaks of a certificate of this issuer. */
static bool is_of_issuer(OCSP_SINGLERESP *single, X509 *issuer)
{
    ASN1_OBJECT *digest = NULL;
    OCSP_CERTID *said = NULL, *own = NULL;
    ASN1_GENERALIZEDTIME *from = NULL, *next = NULL;
    (void)OCSP_single_get0_status(single, NULL, NULL, &from, &next);
    said = OCSP_CERTID_dup(OCSP_SINGLERESP_get0_id(single));
    if (said != NULL && OCSP_id_get0_info(NULL, &digest, NULL, NULL, said) == 1) {
        const EVP_MD *md = EVP_get_digestbyobj(digest);
        if (md != NULL)
            own = OCSP_cert_id_new(md, X509_get_subject_name(issuer),
                                   X509_get0_pubkey_bitstr(issuer), NULL);
    }
    bool fits = own != NULL && OCSP_id_issuer_cmp(own, said) == 0 && from != NULL &&
                ASN1_TIME_check(from) == 1 && (next == NULL || is_span(from, next));
    OCSP_CERTID_free(said);
    OCSP_CERTID_free(own);
    return fits;
}

/* OCSP_basic_sign would put its own time and name in (and in 3.0 leaks the old name), so what it signs is signed here; OpenSSL hands these parts of
 * its own out as constants. */
static bool sign_response(struct seal_key *key, OCSP_BASICRESP *response)
{
    X509_ALGOR *algorithm = (X509_ALGOR *)(uintptr_t)OCSP_resp_get0_tbs_sigalg(response);
    ASN1_BIT_STRING *signature = (ASN1_BIT_STRING *)(uintptr_t)OCSP_resp_get0_signature(response);
    return ASN1_item_sign(ASN1_ITEM_rptr(OCSP_RESPDATA), algorithm, NULL, signature,
                          OCSP_resp_get0_respdata(response), key->pkey, digest_of(key)) > 0;
}

/* A responder's certificate by the authority for whose certificates it answers (RFC 6960, 4.2.2.2); whose key this is. */
static enum rf_kind check_responder(struct seal_key *key, X509 *responder, X509 *issuer,
                                    struct rf_err *err)
{
    uint32_t flags = X509_get_extension_flags(responder);
    if ((flags & EXFLAG_INVALID) != 0 || !has_this_key(key, X509_get_X509_PUBKEY(responder)))
        return bad_issuer("of the responder is not this key's", err);
    if (X509_get_version(responder) != X509_V3 || (flags & EXFLAG_CA) != 0 ||
        (flags & EXFLAG_XKUSAGE) == 0 || X509_get_extended_key_usage(responder) != XKU_OCSP_SIGN)
        return bad_issuer("of the responder is not for OCSP answers alone", err);
    if ((X509_get_extension_flags(issuer) & EXFLAG_CA) == 0 ||
        !same_name(X509_get_issuer_name(responder), X509_get_subject_name(issuer)) ||
        X509_get0_pubkey(issuer) == NULL || X509_verify(responder, X509_get0_pubkey(issuer)) != 1)
        return bad_issuer("did not issue that of the responder", err);
    return RF_OK;
}

/* `delegate`: the responder's certificate, when it is not the authority itself that answers. */
static enum rf_kind sign_ocsp(struct seal_key *key, X509 *issuer, X509 *delegate,
                              OCSP_BASICRESP *response, struct rf_err *err)
{
    int count = OCSP_resp_count(response);
    RF_TRY(delegate != NULL
               ? check_responder(key, delegate, issuer, err)
               : check_issuer(key, issuer, KU_KEY_CERT_SIGN | KU_CRL_SIGN | KU_DIGITAL_SIGNATURE,
                              err));
    if (!is_responder(response, delegate != NULL ? delegate : issuer))
        return bad("must name the issuer, or its key, as the responder", err);
    if (ASN1_TIME_check(OCSP_resp_get0_produced_at(response)) != 1)
        return bad("must say when it was made", err);
    if (count < 1) return bad("speaks of no certificate", err);
    for (int i = 0; i < count; i++)
        if (!is_of_issuer(OCSP_resp_get0(response, i), issuer))
            return bad("speaks of a certificate that is not the issuer's, or has no time", err);
    return sign_response(key, response) ? RF_OK : seal_crypto_failed("sign", err);
}

/* ---- the whole --------------------------------------------------------------------------------------------------------------- */

static const ASN1_ITEM *form_of(enum seal_sign what)
{
    switch (what) {
    case SEAL_SIGN_SELF:
    case SEAL_SIGN_ISSUE:
        return ASN1_ITEM_rptr(X509);
    case SEAL_SIGN_REQUEST:
        return ASN1_ITEM_rptr(X509_REQ);
    case SEAL_SIGN_CRL:
        return ASN1_ITEM_rptr(X509_CRL);
    case SEAL_SIGN_OCSP:
        return ASN1_ITEM_rptr(OCSP_BASICRESP);
    case SEAL_SIGN_JWS: /* seal_key_jws.c */
        break;
    }
    return NULL;
}

static enum rf_kind sign(struct seal_key *key, enum seal_sign what, X509 *issuer, X509 *delegate,
                         void *value, struct rf_err *err)
{
    switch (what) {
    case SEAL_SIGN_SELF:
        return sign_self(key, value, err);
    case SEAL_SIGN_REQUEST:
        return sign_request(key, value, err);
    case SEAL_SIGN_ISSUE:
        return sign_issued(key, issuer, value, err);
    case SEAL_SIGN_CRL:
        return sign_crl(key, issuer, value, err);
    case SEAL_SIGN_OCSP:
        return sign_ocsp(key, issuer, delegate, value, err);
    case SEAL_SIGN_JWS:
        break;
    }
    return bad("is of a kind that is not known", err);
}

/* One certificate, or for OCSP that of the responder and behind it the issuer's. False: it cannot be read. */
static bool read_issuers(enum seal_sign what, rf_str der, X509 **issuer, X509 **delegate)
{
    const uint8_t *at = der.ptr;
    *issuer = *delegate = NULL;
    if (what == SEAL_SIGN_SELF || what == SEAL_SIGN_REQUEST) return true;
    if (der.len == 0 || der.len > SEAL_MATERIAL_BYTES_MAX) return false;
    *issuer = d2i_X509(NULL, &at, (long)der.len);
    size_t used = *issuer == NULL ? 0 : (size_t)(at - der.ptr);
    if (*issuer == NULL || used == der.len) return *issuer != NULL;
    *delegate = *issuer;
    *issuer =
        what == SEAL_SIGN_OCSP ? parse(ASN1_ITEM_rptr(X509), rf_slice(der, used, der.len)) : NULL;
    return *issuer != NULL;
}

enum rf_kind seal_key_certify(struct seal_key *key, enum seal_sign what, rf_str issuer_der,
                              rf_str der, struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    const ASN1_ITEM *form = form_of(what);
    X509 *issuer, *delegate;
    enum rf_kind kind;
    seal_begin();
    if (form == NULL) return bad("is of a kind that is not known", err);
    if (key->pkey == NULL) return bad("needs a key of type RSA or EC, not oct", err);
    void *value = parse(form, der);
    if (!read_issuers(what, issuer_der, &issuer, &delegate))
        kind = bad_issuer("is not well-formed DER of at most 48 KiB", err);
    else if (value == NULL)
        kind = bad("is not well-formed DER of at most 48 KiB", err);
    else
        kind = sign(key, what, issuer, delegate, value, err);
    if (kind == RF_OK) kind = give(form, value, arena, out, err);
    ASN1_item_free(value, form);
    X509_free(issuer);
    X509_free(delegate);
    ERR_clear_error();
    return kind;
}
