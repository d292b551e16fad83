/* seal_key_certify_test.c - certificates and requests that a key signs, and those that it does not. */
#include <openssl/pem.h>

#include "test/seal_key_plan.h"

/* Bits of the last byte of a signature; what stands before stays as it was. */
static bool same_but_signature(rf_str a, rf_str b)
{
    X509 *first = read_cert(a), *second = read_cert(b);
    uint8_t *one = NULL, *two = NULL;
    bool same =
        X509_NAME_cmp(X509_get_subject_name(first), X509_get_subject_name(second)) == 0 &&
        ASN1_INTEGER_cmp(X509_get0_serialNumber(first), X509_get0_serialNumber(second)) == 0 &&
        X509_get_ext_count(first) == X509_get_ext_count(second) &&
        ASN1_TIME_compare(X509_get0_notAfter(first), X509_get0_notAfter(second)) == 0;
    for (int i = 0; same && i < X509_get_ext_count(first); i++) {
        int len = i2d_X509_EXTENSION(X509_get_ext(first, i), &one);
        same = len > 0 && len == i2d_X509_EXTENSION(X509_get_ext(second, i), &two) &&
               memcmp(one, two, (size_t)len) == 0;
        OPENSSL_free(one);
        OPENSSL_free(two);
        one = two = NULL;
    }
    X509_free(first);
    X509_free(second);
    return same;
}

/* ---- a certificate of this key ---------------------------------------------------------------------------------------- */

static const struct {
    enum seal_material material;
    uint32_t bits;
    const char *key;
    int signature;
} keys[] = {{SEAL_RSA, 2048, KEY_BILBO, NID_sha256WithRSAEncryption},
            {SEAL_RSA, 4096, KEY_SAMWISE, NID_sha256WithRSAEncryption},
            {SEAL_P256, 0, KEY_P256, NID_ecdsa_with_SHA256},
            {SEAL_P384, 0, KEY_P384, NID_ecdsa_with_SHA384},
            {SEAL_P521, 0, KEY_P521, NID_ecdsa_with_SHA512},
            {SEAL_P256K, 0, KEY_P256K, NID_ecdsa_with_SHA256}};

Test(seal_key_certify, signs_for_itself_with_each_type)
{
    struct rig rig;
    rig_init(&rig);
    for (size_t i = 0; i < RF_COUNT(keys); i++) {
        struct seal_key *key = rig_known(&rig, keys[i].material, keys[i].bits, keys[i].key);
        EVP_PKEY *own = public_half(&rig, key);
        struct plan plan = ca_plan;
        for (int round = 0; round < 2; round++) {
            rf_str asked = cert_of(&rig, &plan, own),
                   got = certify(&rig, key, SEAL_SIGN_SELF, RF_S(""), asked);
            X509 *cert = read_cert(got);
            cr_assert(X509_verify(cert, own) == 1);
            cr_assert(X509_get_signature_nid(cert) == keys[i].signature);
            cr_assert(same_but_signature(asked, got));
            X509_free(cert);
            plan.authority = NOT_CA;
        }
        EVP_PKEY_free(own);
        seal_key_free(key);
    }
    rig_done(&rig);
}

struct change {
    const char *word;
    struct plan plan;
};

Test(seal_key_certify, does_not_sign_for_itself_what_is_not_its_own)
{
    struct rig rig;
    rig_init(&rig);
    struct seal_key *key = rig_known(&rig, SEAL_P256, 0, KEY_P256),
                    *oct = rig_new(&rig, SEAL_OCT, 256);
    EVP_PKEY *own = public_half(&rig, key);
    refused(&rig, key, SEAL_SIGN_SELF, RF_S(""), cert_of(&rig, &ca_plan, stranger()),
            "public half");
    struct change changes[] = {
        {"same name", ca_plan},     {"begin before", ca_plan},  {"begin before", ca_plan},
        {"hundred years", ca_plan}, {"serial number", ca_plan}, {"serial number", ca_plan},
        {"version 3", ca_plan},     {"version 3", ca_plan},     {"twice", ca_plan}};
    changes[0].plan.issuer = "CA"; /* the same to some, another to others */
    changes[1].plan.to = changes[1].plan.from;
    changes[2].plan.from = changes[2].plan.to + 1;
    changes[3].plan.to = INT64_C(86400) * 36600;
    changes[4].plan.serial = 0;
    changes[5].plan.serial = -5;
    changes[6].plan.version = 0;
    changes[7].plan.version = 1;
    changes[8].plan.twice = true;
    for (size_t i = 0; i < RF_COUNT(changes); i++)
        refused(&rig, key, SEAL_SIGN_SELF, RF_S(""), cert_of(&rig, &changes[i].plan, own),
                changes[i].word);
    X509 *cert = planned(&ca_plan, own);
    ASN1_INTEGER *serial = X509_get_serialNumber(cert);
    uint8_t long_serial[21] = {0x12, 1, 2};
    cr_assert(ASN1_STRING_set(serial, long_serial, sizeof long_serial) == 1);
    cr_assert(X509_sign(cert, stranger(), EVP_sha256()) > 0);
    refused(&rig, key, SEAL_SIGN_SELF, RF_S(""), der_of(&rig, ASN1_ITEM_rptr(X509), cert),
            "serial number");
    X509_free(cert);
    rf_str good = cert_of(&rig, &ca_plan, own);
    refused(&rig, oct, SEAL_SIGN_SELF, RF_S(""), good, "oct");
    refused(&rig, key, (enum seal_sign)0, RF_S(""), good, "kind");
    refused(&rig, key, (enum seal_sign)6, RF_S(""), good, "kind");
    EVP_PKEY_free(own);
    seal_key_free(key);
    seal_key_free(oct);
    rig_done(&rig);
}

/* Of each kind: cut, longer, of another kind, too long. */
Test(seal_key_certify, refuses_der_that_is_cut_longer_or_of_another_kind)
{
    struct rig rig;
    rig_init(&rig);
    struct seal_key *key = rig_known(&rig, SEAL_P256, 0, KEY_P256);
    EVP_PKEY *own = public_half(&rig, key);
    rf_str cert = cert_of(&rig, &ca_plan, own);
    uint8_t *longer = rf_arena_zalloc(&rig.arena, 60000);
    memcpy(longer, cert.ptr, cert.len);
    for (enum seal_sign what = SEAL_SIGN_SELF; what <= SEAL_SIGN_OCSP; what++) {
        for (size_t len = 0; len < cert.len; len += 1 + len / 8)
            refused(&rig, key, what, cert, rf_slice(cert, 0, len), "DER");
        refused(&rig, key, what, cert, rf_str_make(longer, cert.len + 1), "DER");
        refused(&rig, key, what, cert, rf_str_make(longer, 60000), "DER");
        if (what == SEAL_SIGN_REQUEST || what == SEAL_SIGN_OCSP)
            refused(&rig, key, what, cert, cert, "DER");
        if (what <= SEAL_SIGN_REQUEST) continue;
        refused(&rig, key, what, RF_S(""), cert, "issuer");
        refused(&rig, key, what, rf_str_make(longer, cert.len + 1), cert, "issuer");
    }
    EVP_PKEY_free(own);
    seal_key_free(key);
    rig_done(&rig);
}

/* ---- requests ----------------------------------------------------------------------------------------------------------- */

static rf_str request_of(struct rig *rig, EVP_PKEY *key, long version)
{
    X509_REQ *request = X509_REQ_new();
    X509_NAME *name = name_of("leaf");
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(id, (const uint8_t *)"01234567890123456789", 20);
    sk_X509_EXTENSION_push(extensions, X509V3_EXT_i2d(NID_subject_key_identifier, 0, id));
    cr_assert(X509_REQ_set_version(request, version) == 1 &&
              X509_REQ_set_subject_name(request, name) == 1 &&
              X509_REQ_set_pubkey(request, key) == 1 &&
              X509_REQ_add_extensions(request, extensions) == 1 &&
              X509_REQ_sign(request, stranger(), EVP_sha256()) > 0);
    rf_str der = der_of(rig, ASN1_ITEM_rptr(X509_REQ), request);
    ASN1_OCTET_STRING_free(id);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_NAME_free(name);
    X509_REQ_free(request);
    return der;
}

Test(seal_key_certify, signs_requests_for_its_own_key)
{
    struct rig rig;
    rig_init(&rig);
    for (size_t i = 0; i < RF_COUNT(keys); i++) {
        struct seal_key *key = rig_known(&rig, keys[i].material, keys[i].bits, keys[i].key);
        EVP_PKEY *own = public_half(&rig, key);
        rf_str got = certify(&rig, key, SEAL_SIGN_REQUEST, RF_S(""), request_of(&rig, own, 0));
        const uint8_t *at = got.ptr;
        X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)got.len);
        cr_assert(request != NULL && X509_REQ_verify(request, own) == 1);
        cr_assert(X509_REQ_get_signature_nid(request) == keys[i].signature);
        STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
        cr_assert(sk_X509_EXTENSION_num(extensions) == 1);
        sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
        X509_REQ_free(request);
        refused(&rig, key, SEAL_SIGN_REQUEST, RF_S(""), request_of(&rig, stranger(), 0),
                "public half");
        refused(&rig, key, SEAL_SIGN_REQUEST, RF_S(""), request_of(&rig, own, 2), "version 1");
        EVP_PKEY_free(own);
        seal_key_free(key);
    }
    rig_done(&rig);
}

/* ---- an authority ----------------------------------------------------------------------------------------------------------- */

Test(seal_key_certify, issues_what_verifies_under_the_authority)
{
    struct office office;
    struct rig *rig = &office.rig;
    office_init(&office, &ca_plan);
    rf_str ca = certify(rig, office.key, SEAL_SIGN_SELF, RF_S(""), office.ca);
    struct plan sub = ca_plan;
    sub.subject = "sub";
    sub.authority = 0;
    const struct plan *const plans[] = {&leaf_plan, &sub};
    for (size_t i = 0; i < RF_COUNT(plans); i++) {
        rf_str asked = cert_of(rig, plans[i], stranger()),
               got = certify(rig, office.key, SEAL_SIGN_ISSUE, ca, asked);
        X509 *issuer = read_cert(ca), *cert = read_cert(got);
        cr_assert(X509_verify(cert, office.own) == 1 && same_but_signature(asked, got));
        cr_assert(X509_get_signature_nid(cert) == NID_ecdsa_with_SHA384);
        X509_STORE *store = X509_STORE_new();
        X509_STORE_CTX *ctx = X509_STORE_CTX_new();
        X509_STORE_add_cert(store, issuer);
        cr_assert(X509_STORE_CTX_init(ctx, store, cert, NULL) == 1);
        X509_STORE_CTX_set_time(ctx, 0, START + 500);
        cr_assert(X509_verify_cert(ctx) == 1, "%s",
                  X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
        X509_STORE_CTX_free(ctx);
        X509_STORE_free(store);
        X509_free(issuer);
        X509_free(cert);
    }
    office_done(&office);
}

Test(seal_key_certify, issues_nothing_beyond_the_authority)
{
    static const uint8_t id[20] = {1};
    struct office office;
    office_init(&office, &ca_plan);
    struct change changes[] = {{"issuer's certificate as its issuer", leaf_plan},
                               {"ends later", leaf_plan},
                               {"key usage", leaf_plan},
                               {"key usage", leaf_plan},
                               {"key usage", leaf_plan},
                               {"version 3", leaf_plan},
                               {"begin before", leaf_plan},
                               {"serial", leaf_plan},
                               {"twice", leaf_plan}};
    changes[0].plan.issuer = "CA";
    changes[1].plan.to = ca_plan.to + 1;
    changes[2].plan.usage = KU_KEY_CERT_SIGN;
    changes[3].plan.usage = KU_CRL_SIGN;
    changes[4].plan.usage = KU_KEY_CERT_SIGN;
    changes[4].plan.authority = NO_CONSTRAINTS;
    changes[5].plan.version = 0;
    changes[6].plan.to = -1;
    changes[7].plan.serial = 0;
    changes[8].plan.twice = true;
    for (size_t i = 0; i < RF_COUNT(changes); i++)
        refused(&office.rig, office.key, SEAL_SIGN_ISSUE, office.ca,
                cert_of(&office.rig, &changes[i].plan, stranger()), changes[i].word);
    refused(&office.rig, office.key, SEAL_SIGN_ISSUE, office.ca,
            cert_of(&office.rig, &leaf_plan, office.own), "authority's own key");
    struct plan to_the_end = leaf_plan;
    to_the_end.to = ca_plan.to;
    (void)certify(&office.rig, office.key, SEAL_SIGN_ISSUE, office.ca,
                  cert_of(&office.rig, &to_the_end, stranger()));
    /* An authority key identifier counts only against an issuer that has one. */
    struct plan named = leaf_plan;
    named.authority_id = id;
    (void)certify(&office.rig, office.key, SEAL_SIGN_ISSUE, office.ca,
                  cert_of(&office.rig, &named, stranger()));
    X509 *ca = planned(&ca_plan, office.own);
    ASN1_OCTET_STRING *other = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(other, (const uint8_t *)"another", 7);
    cr_assert(X509_add1_ext_i2d(ca, NID_subject_key_identifier, other, 0, X509V3_ADD_APPEND) == 1);
    cr_assert(X509_sign(ca, stranger(), EVP_sha256()) > 0);
    refused(&office.rig, office.key, SEAL_SIGN_ISSUE, der_of(&office.rig, ASN1_ITEM_rptr(X509), ca),
            cert_of(&office.rig, &named, stranger()), "key identifier");
    ASN1_OCTET_STRING_free(other);
    X509_free(ca);
    office_done(&office);
}

Test(seal_key_certify, issues_only_as_an_authority_with_this_key)
{
    struct office office;
    struct rig *rig = &office.rig;
    office_init(&office, &ca_plan);
    rf_str leaf = cert_of(rig, &leaf_plan, stranger());
    refused(rig, office.key, SEAL_SIGN_ISSUE, cert_of(rig, &ca_plan, stranger()), leaf,
            "not this key's");
    struct change changes[] = {{"authority", ca_plan},
                               {"authority", ca_plan},
                               {"key usage", ca_plan},
                               {"key usage", ca_plan},
                               {"authority", ca_plan}};
    changes[0].plan.authority = NOT_CA;
    changes[1].plan.authority = NO_CONSTRAINTS;
    changes[2].plan.usage = KU_CRL_SIGN;
    changes[3].plan.usage = KU_DIGITAL_SIGNATURE;
    changes[4].plan.version = 0;
    for (size_t i = 0; i < RF_COUNT(changes); i++)
        refused(rig, office.key, SEAL_SIGN_ISSUE, cert_of(rig, &changes[i].plan, office.own), leaf,
                changes[i].word);
    struct plan no_usage = ca_plan;
    no_usage.usage = NO_USAGE;
    (void)certify(rig, office.key, SEAL_SIGN_ISSUE, cert_of(rig, &no_usage, office.own), leaf);
    office_done(&office);
}

Test(seal_key_certify, keeps_to_the_path_length)
{
    static const struct {
        int issuer, own;
        bool good;
    } cases[] = {{NO_LIMIT, NO_LIMIT, true},
                 {NO_LIMIT, 3, true},
                 {0, NO_LIMIT, false},
                 {0, 0, false},
                 {0, NOT_CA, true},
                 {1, 0, true},
                 {1, 1, false},
                 {1, NO_LIMIT, true},
                 {2, 1, true},
                 {2, 2, false}};
    struct office office;
    office_init(&office, &ca_plan);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct plan ca = ca_plan, sub = leaf_plan;
        ca.authority = cases[i].issuer;
        sub.authority = cases[i].own;
        rf_str issuer = cert_of(&office.rig, &ca, office.own),
               der = cert_of(&office.rig, &sub, stranger());
        if (cases[i].good)
            (void)certify(&office.rig, office.key, SEAL_SIGN_ISSUE, issuer, der);
        else
            refused(&office.rig, office.key, SEAL_SIGN_ISSUE, issuer, der, "path length");
    }
    office_done(&office);
}

static void add_text_extension(X509 *cert, int nid, const char *text)
{
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, NULL, nid, text);
    cr_assert(extension != NULL && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

Test(seal_key_certify, keeps_to_the_issuers_name_constraints)
{
    static const struct {
        const char *name;
        bool good;
    } cases[] = {{"DNS:a.example.com", true},
                 {"DNS:example.com", true},
                 {"DNS:example.org", false},
                 {"DNS:a.example.com,DNS:b.example.org", false}};
    struct office office;
    office_init(&office, &ca_plan);
    X509 *ca = planned(&ca_plan, office.own);
    add_text_extension(ca, NID_name_constraints, "critical,permitted;DNS:example.com");
    cr_assert(X509_sign(ca, stranger(), EVP_sha256()) > 0);
    rf_str issuer = der_of(&office.rig, ASN1_ITEM_rptr(X509), ca);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        X509 *leaf = planned(&leaf_plan, stranger());
        add_text_extension(leaf, NID_subject_alt_name, cases[i].name);
        cr_assert(X509_sign(leaf, stranger(), EVP_sha256()) > 0);
        rf_str der = der_of(&office.rig, ASN1_ITEM_rptr(X509), leaf);
        if (cases[i].good)
            (void)certify(&office.rig, office.key, SEAL_SIGN_ISSUE, issuer, der);
        else
            refused(&office.rig, office.key, SEAL_SIGN_ISSUE, issuer, der, "constraints");
        X509_free(leaf);
    }
    X509_free(ca);
    office_done(&office);
}
