/* seal_key_revoke_test.c - what an authority's key says of its certificates: revocation lists, OCSP. */
#include <openssl/ocsp.h>

#include "test/seal_key_plan.h"

/* ---- revocation lists ---------------------------------------------------------------------------------------------------- */

static rf_str crl_of(struct rig *rig, const char *issuer, long version, int64_t from, int64_t to)
{
    X509_CRL *crl = X509_CRL_new();
    X509_NAME *name = name_of(issuer);
    ASN1_TIME *time = ASN1_TIME_new();
    X509_REVOKED *revoked = X509_REVOKED_new();
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    ASN1_INTEGER_set(serial, 77);
    cr_assert(X509_CRL_set_version(crl, version) == 1 && X509_CRL_set_issuer_name(crl, name) == 1);
    ASN1_TIME_set(time, (time_t)(START + from));
    X509_CRL_set1_lastUpdate(crl, time);
    X509_REVOKED_set_revocationDate(revoked, time);
    X509_REVOKED_set_serialNumber(revoked, serial);
    X509_CRL_add0_revoked(crl, revoked);
    if (to != 0) {
        ASN1_TIME_set(time, (time_t)(START + to));
        X509_CRL_set1_nextUpdate(crl, time);
    }
    if (version == 1)
        cr_assert(X509_CRL_add1_ext_i2d(crl, NID_crl_number, serial, 0, X509V3_ADD_APPEND) == 1);
    cr_assert(X509_CRL_sign(crl, stranger(), EVP_sha256()) > 0);
    rf_str der = der_of(rig, ASN1_ITEM_rptr(X509_CRL), crl);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(time);
    X509_NAME_free(name);
    X509_CRL_free(crl);
    return der;
}

Test(seal_key_revoke, signs_revocation_lists_of_its_own)
{
    struct office office;
    struct rig *rig = &office.rig;
    office_init(&office, &ca_plan);
    rf_str got = certify(rig, office.key, SEAL_SIGN_CRL, office.ca, crl_of(rig, "ca", 1, 0, 100));
    const uint8_t *at = got.ptr;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)got.len);
    X509_REVOKED *revoked = NULL;
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    ASN1_INTEGER_set(serial, 77);
    cr_assert(crl != NULL && X509_CRL_verify(crl, office.own) == 1);
    cr_assert(X509_CRL_get0_by_serial(crl, &revoked, serial) == 1);
    cr_assert(X509_CRL_get_signature_nid(crl) == NID_ecdsa_with_SHA384);
    ASN1_INTEGER_free(serial);
    X509_CRL_free(crl);
    refused(rig, office.key, SEAL_SIGN_CRL, office.ca, crl_of(rig, "other", 1, 0, 100),
            "as its issuer");
    refused(rig, office.key, SEAL_SIGN_CRL, office.ca, crl_of(rig, "ca", 0, 0, 100), "version 2");
    refused(rig, office.key, SEAL_SIGN_CRL, office.ca, crl_of(rig, "ca", 1, 0, 0), "next one");
    refused(rig, office.key, SEAL_SIGN_CRL, office.ca, crl_of(rig, "ca", 1, 100, 50), "next one");
    struct plan no_lists = ca_plan;
    no_lists.usage = KU_KEY_CERT_SIGN;
    refused(rig, office.key, SEAL_SIGN_CRL, cert_of(rig, &no_lists, office.own),
            crl_of(rig, "ca", 1, 0, 100), "key usage");
    refused(rig, office.key, SEAL_SIGN_CRL, cert_of(rig, &leaf_plan, office.own),
            crl_of(rig, "leaf", 1, 0, 100), "authority");
    refused(rig, office.key, SEAL_SIGN_CRL, cert_of(rig, &ca_plan, stranger()),
            crl_of(rig, "ca", 1, 0, 100), "this key's");
    office_done(&office);
}

/* Without its number, or with the key identifier of some other authority. */
static rf_str changed_crl(struct rig *rig, bool number, const char *key)
{
    rf_str der = crl_of(rig, "ca", 1, 0, 100);
    const uint8_t *at = der.ptr;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der.len);
    cr_assert(crl != NULL);
    if (!number) {
        int place = X509_CRL_get_ext_by_NID(crl, NID_crl_number, -1);
        X509_EXTENSION_free(X509_CRL_delete_ext(crl, place));
    }
    if (key != NULL) {
        AUTHORITY_KEYID *id = AUTHORITY_KEYID_new();
        X509_NAME *name = name_of(key);
        GENERAL_NAME *issuer = GENERAL_NAME_new();
        GENERAL_NAME_set0_value(issuer, GEN_DIRNAME, name);
        id->issuer = sk_GENERAL_NAME_new_null();
        sk_GENERAL_NAME_push(id->issuer, issuer);
        id->serial = ASN1_INTEGER_new();
        ASN1_INTEGER_set(id->serial, 1);
        cr_assert(X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, id, 0, 0) == 1);
        AUTHORITY_KEYID_free(id);
    }
    cr_assert(X509_CRL_sign(crl, stranger(), EVP_sha256()) > 0);
    der = der_of(rig, ASN1_ITEM_rptr(X509_CRL), crl);
    X509_CRL_free(crl);
    return der;
}

Test(seal_key_revoke, wants_a_number_and_its_own_authority_on_a_list)
{
    struct office office;
    struct rig *rig = &office.rig;
    office_init(&office, &ca_plan);
    refused(rig, office.key, SEAL_SIGN_CRL, office.ca, changed_crl(rig, false, NULL), "number");
    refused(rig, office.key, SEAL_SIGN_CRL, office.ca, changed_crl(rig, true, "other"), "number");
    (void)certify(rig, office.key, SEAL_SIGN_CRL, office.ca, changed_crl(rig, true, "ca"));
    /* Two certificates in a row are for OCSP alone. */
    uint8_t *two = rf_arena_alloc(&rig->arena, 2 * office.ca.len);
    memcpy(two, office.ca.ptr, office.ca.len);
    memcpy(two + office.ca.len, office.ca.ptr, office.ca.len);
    refused(rig, office.key, SEAL_SIGN_CRL, rf_str_make(two, 2 * office.ca.len),
            crl_of(rig, "ca", 1, 0, 100), "well-formed");
    office_done(&office);
}

/* ---- OCSP ------------------------------------------------------------------------------------------------------------------ */

/* `about`: the issuer whose certificate it speaks of; `responder`: who says so. */
static rf_str response_of(struct rig *rig, X509 *about, X509 *responder, bool by_key,
                          const EVP_MD *hash, int64_t from, int64_t to, int count)
{
    OCSP_BASICRESP *response = OCSP_BASICRESP_new();
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    ASN1_TIME *first = ASN1_GENERALIZEDTIME_set(NULL, (time_t)(START + from)),
              *next = to == 0 ? NULL : ASN1_GENERALIZEDTIME_set(NULL, (time_t)(START + to));
    ASN1_INTEGER_set(serial, 77);
    for (int i = 0; i < count; i++) {
        OCSP_CERTID *id = OCSP_cert_id_new(hash, X509_get_subject_name(about),
                                           X509_get0_pubkey_bitstr(about), serial);
        cr_assert(OCSP_basic_add1_status(response, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, first,
                                         next) != NULL);
        OCSP_CERTID_free(id);
    }
    /* Signed by a stranger in the responder's name: with his key in a copy of the certificate. */
    X509 *posing = X509_dup(responder);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY *key = stranger();
    OCSP_RESPID *id = OCSP_RESPID_new();
    cr_assert((by_key ? OCSP_RESPID_set_by_key(id, responder)
                      : OCSP_RESPID_set_by_name(id, responder)) == 1);
    X509_set_pubkey(posing, key);
    cr_assert(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              OCSP_basic_sign_ctx(response, posing, ctx, NULL,
                                  OCSP_NOCERTS | (by_key ? OCSP_RESPID_KEY : 0)) == 1);
    rf_str der = der_of(rig, ASN1_ITEM_rptr(OCSP_BASICRESP), response);
    if (by_key) { /* the hash of the stranger's key stands where that of the responder belongs */
        uint8_t theirs[20], wanted[20];
        unsigned len = 0;
        X509_pubkey_digest(posing, EVP_sha1(), theirs, &len);
        X509_pubkey_digest(responder, EVP_sha1(), wanted, &len);
        size_t at = rf_str_find(der, rf_str_make(theirs, 20), 0);
        cr_assert(at != SIZE_MAX);
        uint8_t *copy = rig_copy(rig, der);
        memcpy(copy + at, wanted, 20);
        der = rf_str_make(copy, der.len);
    }
    OCSP_RESPID_free(id);
    EVP_MD_CTX_free(ctx);
    X509_free(posing);
    ASN1_TIME_free(first);
    ASN1_TIME_free(next);
    ASN1_INTEGER_free(serial);
    OCSP_BASICRESP_free(response);
    return der;
}

static bool response_verifies(rf_str der, EVP_PKEY *key)
{
    const uint8_t *at = der.ptr;
    OCSP_BASICRESP *response = d2i_OCSP_BASICRESP(NULL, &at, (long)der.len);
    cr_assert(response != NULL);
    const X509_ALGOR *algorithm = OCSP_resp_get0_tbs_sigalg(response);
    ASN1_OCTET_STRING *signature =
        (ASN1_OCTET_STRING *)(uintptr_t)OCSP_resp_get0_signature(response);
    bool good = ASN1_item_verify(ASN1_ITEM_rptr(OCSP_RESPDATA), algorithm, signature,
                                 (void *)(uintptr_t)OCSP_resp_get0_respdata(response), key) == 1;
    OCSP_BASICRESP_free(response);
    return good;
}

Test(seal_key_revoke, signs_ocsp_responses_of_its_own)
{
    struct office office;
    struct rig *rig = &office.rig;
    office_init(&office, &ca_plan);
    X509 *ca = read_cert(office.ca), *other = read_cert(cert_of(rig, &ca_plan, stranger())),
         *leaf = read_cert(cert_of(rig, &leaf_plan, office.own));
    for (int by_key = 0; by_key < 2; by_key++)
        for (int i = 0; i < 2; i++) {
            rf_str asked =
                response_of(rig, ca, ca, by_key, i == 0 ? EVP_sha1() : EVP_sha256(), 0, 100 * i, 2);
            rf_str got = certify(rig, office.key, SEAL_SIGN_OCSP, office.ca, asked);
            cr_assert(!response_verifies(asked, office.own));
            cr_assert(response_verifies(got, office.own));
            /* Responder and time are as they were asked for. */
            const uint8_t *at = got.ptr, *at_asked = asked.ptr;
            OCSP_BASICRESP *a = d2i_OCSP_BASICRESP(NULL, &at, (long)got.len),
                           *b = d2i_OCSP_BASICRESP(NULL, &at_asked, (long)asked.len);
            rf_str first = der_of(rig, ASN1_ITEM_rptr(OCSP_RESPDATA), OCSP_resp_get0_respdata(a)),
                   second = der_of(rig, ASN1_ITEM_rptr(OCSP_RESPDATA), OCSP_resp_get0_respdata(b));
            cr_assert(rf_str_eq(first, second));
            OCSP_BASICRESP_free(a);
            OCSP_BASICRESP_free(b);
        }
    const EVP_MD *sha1 = EVP_sha1();
    refused(rig, office.key, SEAL_SIGN_OCSP, office.ca,
            response_of(rig, ca, leaf, false, sha1, 0, 100, 1), "responder");
    refused(rig, office.key, SEAL_SIGN_OCSP, office.ca,
            response_of(rig, ca, other, true, sha1, 0, 100, 1), "responder");
    refused(rig, office.key, SEAL_SIGN_OCSP, office.ca,
            response_of(rig, other, ca, false, sha1, 0, 100, 1), "not the issuer's");
    refused(rig, office.key, SEAL_SIGN_OCSP, office.ca,
            response_of(rig, ca, ca, false, sha1, 100, 50, 1), "time");
    refused(rig, office.key, SEAL_SIGN_OCSP, office.ca,
            response_of(rig, ca, ca, false, sha1, 0, 100, 0), "no certificate");
    refused(rig, office.key, SEAL_SIGN_OCSP, cert_of(rig, &ca_plan, stranger()),
            response_of(rig, ca, ca, false, sha1, 0, 100, 1), "this key's");
    refused(rig, office.key, SEAL_SIGN_OCSP, cert_of(rig, &leaf_plan, office.own),
            response_of(rig, leaf, leaf, false, sha1, 0, 100, 1), "authority");
    X509_free(ca);
    X509_free(other);
    X509_free(leaf);
    office_done(&office);
}

/* ---- a responder of its own ---------------------------------------------------------------------------------------------------- */

/* A certificate for the office's key by the stranger's authority; `usages`: "OCSPSigning", "OCSPSigning,serverAuth", NULL: none. */
static rf_str delegate_of(struct rig *rig, const struct plan *plan, EVP_PKEY *key,
                          const char *usages, EVP_PKEY *signer)
{
    X509 *cert = planned(plan, key);
    if (usages != NULL) {
        X509_EXTENSION *eku = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, usages);
        cr_assert(eku != NULL && X509_add_ext(cert, eku, -1) == 1);
        X509_EXTENSION_free(eku);
    }
    cr_assert(X509_sign(cert, signer, EVP_sha256()) > 0);
    rf_str der = der_of(rig, ASN1_ITEM_rptr(X509), cert);
    X509_free(cert);
    return der;
}

static rf_str both(struct rig *rig, rf_str first, rf_str second)
{
    uint8_t *bytes = rf_arena_alloc(&rig->arena, first.len + second.len);
    memcpy(bytes, first.ptr, first.len);
    memcpy(bytes + first.len, second.ptr, second.len);
    return rf_str_make(bytes, first.len + second.len);
}

Test(seal_key_revoke, signs_as_a_delegated_responder)
{
    struct office office;
    struct rig *rig = &office.rig;
    office_init(&office, &ca_plan);
    EVP_PKEY *another = EVP_EC_gen("P-256");
    rf_str ca_der = cert_of(rig, &ca_plan, stranger());
    rf_str good = delegate_of(rig, &leaf_plan, office.own, "OCSPSigning", stranger());
    X509 *ca = read_cert(ca_der), *delegate = read_cert(good);
    rf_str asked = response_of(rig, ca, delegate, false, EVP_sha1(), 0, 100, 2);
    rf_str got = certify(rig, office.key, SEAL_SIGN_OCSP, both(rig, good, ca_der), asked);
    cr_assert(response_verifies(got, office.own));
    struct plan other_issuer = leaf_plan, authority = leaf_plan;
    other_issuer.issuer = "other";
    authority.authority = NO_LIMIT;
    const struct {
        rf_str delegate;
        const char *word;
    } bad[] = {
        {delegate_of(rig, &leaf_plan, office.own, NULL, stranger()), "OCSP answers alone"},
        {delegate_of(rig, &leaf_plan, office.own, "OCSPSigning,serverAuth", stranger()),
         "OCSP answers alone"},
        {delegate_of(rig, &leaf_plan, office.own, "serverAuth", stranger()), "OCSP answers alone"},
        {delegate_of(rig, &authority, office.own, "OCSPSigning", stranger()), "OCSP answers alone"},
        {delegate_of(rig, &leaf_plan, another, "OCSPSigning", stranger()), "this key's"},
        {delegate_of(rig, &leaf_plan, office.own, "OCSPSigning", another), "did not issue"},
        {delegate_of(rig, &other_issuer, office.own, "OCSPSigning", stranger()), "did not issue"},
    };
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        refused(rig, office.key, SEAL_SIGN_OCSP, both(rig, bad[i].delegate, ca_der), asked,
                bad[i].word);
    /* In the authority's own name, of somebody else's certificates, behind a third certificate. */
    refused(rig, office.key, SEAL_SIGN_OCSP, both(rig, good, ca_der),
            response_of(rig, ca, ca, false, EVP_sha1(), 0, 100, 1), "responder");
    refused(rig, office.key, SEAL_SIGN_OCSP, both(rig, good, ca_der),
            response_of(rig, delegate, delegate, false, EVP_sha1(), 0, 100, 1), "not the issuer's");
    refused(rig, office.key, SEAL_SIGN_OCSP, both(rig, both(rig, good, ca_der), ca_der), asked,
            "well-formed");
    EVP_PKEY_free(another);
    X509_free(ca);
    X509_free(delegate);
    office_done(&office);
}
