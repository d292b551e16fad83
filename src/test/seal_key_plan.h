/* seal_key_plan.h - what the tests of certify share: certificates made by plan and signed by a stranger, calls that must succeed or fail. */
#ifndef RF_TEST_SEAL_KEY_PLAN_H
#define RF_TEST_SEAL_KEY_PLAN_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "test/seal_key_rig.h"

/* ---- making what is to be signed ------------------------------------------------------------------------------------ */

enum { NO_CONSTRAINTS = -2, NO_LIMIT = -1, NOT_CA = -3, NO_USAGE = -1 };
/* A certificate; what is zero is left as a sound one has it. */
struct plan {
    const char *subject, *issuer;
    int64_t from, to; /* seconds behind 2026-01-31 */
    int authority;    /* path length, NO_LIMIT, NOT_CA, NO_CONSTRAINTS */
    int usage;
    long serial;
    int version;
    bool twice;                  /* an extension */
    const uint8_t *authority_id; /* 20 bytes */
};
static const struct plan ca_plan = {.subject = "ca",
                                    .issuer = "ca",
                                    .to = 1000000,
                                    .authority = NO_LIMIT,
                                    .usage = KU_KEY_CERT_SIGN | KU_CRL_SIGN,
                                    .serial = 1,
                                    .version = 2};
static const struct plan leaf_plan = {.subject = "leaf",
                                      .issuer = "ca",
                                      .to = 1000,
                                      .authority = NOT_CA,
                                      .usage = KU_DIGITAL_SIGNATURE,
                                      .serial = 2,
                                      .version = 2};

#define START INT64_C(1769817600)

static inline X509_NAME *name_of(const char *text)
{
    X509_NAME *name = X509_NAME_new();
    cr_assert(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const uint8_t *)text,
                                         -1, -1, 0) == 1);
    return name;
}

static inline void add_usage(X509 *cert, int usage)
{
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    for (int i = 0; i < 8; i++)
        if ((usage & (0x80 >> i)) != 0) cr_assert(ASN1_BIT_STRING_set_bit(bits, i, 1) == 1);
    cr_assert(X509_add1_ext_i2d(cert, NID_key_usage, bits, 1, X509V3_ADD_APPEND) == 1);
    ASN1_BIT_STRING_free(bits);
}

static inline void add_constraints(X509 *cert, int authority)
{
    BASIC_CONSTRAINTS *value = BASIC_CONSTRAINTS_new();
    value->ca = authority == NOT_CA ? 0 : 0xff;
    if (authority >= 0) {
        value->pathlen = ASN1_INTEGER_new();
        ASN1_INTEGER_set(value->pathlen, authority);
    }
    cr_assert(X509_add1_ext_i2d(cert, NID_basic_constraints, value, 1, X509V3_ADD_APPEND) == 1);
    BASIC_CONSTRAINTS_free(value);
}

static inline void add_authority_id(X509 *cert, const uint8_t id[20])
{
    AUTHORITY_KEYID *value = AUTHORITY_KEYID_new();
    value->keyid = ASN1_OCTET_STRING_new();
    cr_assert(ASN1_OCTET_STRING_set(value->keyid, id, 20) == 1);
    cr_assert(X509_add1_ext_i2d(cert, NID_authority_key_identifier, value, 0, X509V3_ADD_APPEND) ==
              1);
    AUTHORITY_KEYID_free(value);
}

static inline EVP_PKEY *stranger(void)
{
    static EVP_PKEY *key;
    if (key == NULL) key = EVP_EC_gen("P-256");
    return key;
}

static inline EVP_PKEY *public_half(struct rig *rig, const struct seal_key *key)
{
    rf_str der;
    cr_assert(seal_key_public(key, &rig->arena, &der, &rig->err) == RF_OK);
    const uint8_t *at = der.ptr;
    return d2i_PUBKEY(NULL, &at, (long)der.len);
}

static inline X509 *planned(const struct plan *plan, EVP_PKEY *subject_key)
{
    X509 *cert = X509_new();
    X509_NAME *subject = name_of(plan->subject), *issuer = name_of(plan->issuer);
    X509_set_version(cert, plan->version);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), plan->serial);
    X509_set_subject_name(cert, subject);
    X509_set_issuer_name(cert, issuer);
    ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(START + plan->from));
    ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(START + plan->to));
    cr_assert(X509_set_pubkey(cert, subject_key) == 1);
    if (plan->authority != NO_CONSTRAINTS) add_constraints(cert, plan->authority);
    if (plan->twice) add_constraints(cert, plan->authority);
    if (plan->usage != NO_USAGE) add_usage(cert, plan->usage);
    if (plan->authority_id != NULL) add_authority_id(cert, plan->authority_id);
    X509_NAME_free(subject);
    X509_NAME_free(issuer);
    return cert;
}

static inline rf_str der_of(struct rig *rig, const ASN1_ITEM *item, const void *value)
{
    uint8_t *der = NULL;
    rf_str out;
    int len = ASN1_item_i2d(value, &der, item);
    cr_assert(len > 0 && rf_arena_str(&rig->arena, rf_str_make(der, (size_t)len), &out));
    OPENSSL_free(der);
    return out;
}

/* DER, signed by a stranger. */
static inline rf_str cert_of(struct rig *rig, const struct plan *plan, EVP_PKEY *subject_key)
{
    X509 *cert = planned(plan, subject_key);
    cr_assert(X509_sign(cert, stranger(), EVP_sha256()) > 0);
    rf_str der = der_of(rig, ASN1_ITEM_rptr(X509), cert);
    X509_free(cert);
    return der;
}

static inline rf_str certify(struct rig *rig, struct seal_key *key, enum seal_sign what,
                             rf_str issuer, rf_str der)
{
    rf_str out = {0};
    enum rf_kind kind = seal_key_certify(key, what, issuer, der, &rig->arena, &out, &rig->err);
    cr_assert(kind == RF_OK, "%s: %s", rig->err.code, rig->err.text);
    return out;
}

/* Refused, with `word` in the text. */
static inline void refused(struct rig *rig, struct seal_key *key, enum seal_sign what,
                           rf_str issuer, rf_str der, const char *word)
{
    rf_str out = RF_S("untouched");
    enum rf_kind kind = seal_key_certify(key, what, issuer, der, &rig->arena, &out, &rig->err);
    cr_assert(kind == RF_INVALID && strcmp(rig->err.code, "SealArgument") == 0, "not refused: %s",
              word);
    cr_assert(strstr(rig->err.text, word) != NULL, "%s: %s", word, rig->err.text);
    cr_assert(rf_str_is(out, "untouched"));
}

static inline X509 *read_cert(rf_str der)
{
    const uint8_t *at = der.ptr;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    cr_assert(cert != NULL && at == der.ptr + der.len);
    return cert;
}

/* ---- an authority with its key and certificate ---------------------------------------------------------------------- */

struct office {
    struct rig rig;
    struct seal_key *key;
    EVP_PKEY *own;
    rf_str ca;
};

static inline void office_init(struct office *office, const struct plan *plan)
{
    rig_init(&office->rig);
    office->key = rig_known(&office->rig, SEAL_P384, 0, KEY_P384);
    office->own = public_half(&office->rig, office->key);
    office->ca = cert_of(&office->rig, plan, office->own);
}

static inline void office_done(struct office *office)
{
    EVP_PKEY_free(office->own);
    seal_key_free(office->key);
    rig_done(&office->rig);
}

#endif
