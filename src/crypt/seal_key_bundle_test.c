/* seal_key_bundle_test.c - key and chain as PFX and PEM: what readers find in them. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "test/seal_key_plan.h"

/* A leaf for the key, the certificate of who issued it, and that one's issuer. */
struct chain {
    struct rig rig;
    struct seal_key *key;
    EVP_PKEY *own;
    rf_str certs[3], all;
};

static void chain_init(struct chain *chain, enum seal_material material, uint32_t bits,
                       const char *hex)
{
    struct plan sub = ca_plan;
    sub.subject = "sub";
    rig_init(&chain->rig);
    chain->key = rig_known(&chain->rig, material, bits, hex);
    chain->own = public_half(&chain->rig, chain->key);
    chain->certs[0] = cert_of(&chain->rig, &leaf_plan, chain->own);
    chain->certs[1] = cert_of(&chain->rig, &sub, stranger());
    chain->certs[2] = cert_of(&chain->rig, &ca_plan, stranger());
    struct rf_buf buf = rf_buf_in(&chain->rig.arena);
    for (size_t i = 0; i < 3; i++) rf_buf_str(&buf, chain->certs[i]);
    cr_assert(!buf.failed);
    chain->all = rf_buf_view(&buf);
}

static void chain_done(struct chain *chain)
{
    EVP_PKEY_free(chain->own);
    seal_key_free(chain->key);
    rig_done(&chain->rig);
}

static rf_str bundle(struct chain *chain, bool exportable, rf_str certs, enum seal_format format)
{
    rf_str out = {0};
    enum rf_kind kind = seal_key_bundle(chain->key, exportable, certs, format, &chain->rig.arena,
                                        &out, &chain->rig.err);
    cr_assert(kind == RF_OK, "%s: %s", chain->rig.err.code, chain->rig.err.text);
    return out;
}

static PKCS12 *read_pfx(struct chain *chain, rf_str text)
{
    rf_str der;
    cr_assert(base64_decode(&chain->rig.arena, text, &der, &chain->rig.err) == RF_OK);
    const uint8_t *at = der.ptr;
    PKCS12 *pfx = d2i_PKCS12(NULL, &at, (long)der.len);
    cr_assert(pfx != NULL && at == der.ptr + der.len);
    return pfx;
}

static bool is_cert(const X509 *cert, rf_str der)
{
    uint8_t *bytes = NULL;
    int len = i2d_X509(cert, &bytes);
    bool same = len > 0 && rf_str_eq(rf_str_make(bytes, (size_t)len), der);
    OPENSSL_free(bytes);
    return same;
}

static const struct {
    enum seal_material material;
    uint32_t bits;
    const char *key;
} keys[] = {{SEAL_RSA, 2048, KEY_BILBO}, {SEAL_RSA, 4096, KEY_SAMWISE}, {SEAL_P256, 0, KEY_P256},
            {SEAL_P384, 0, KEY_P384},    {SEAL_P521, 0, KEY_P521},      {SEAL_P256K, 0, KEY_P256K}};

Test(seal_key_bundle, a_pfx_holds_key_and_chain_under_the_empty_password)
{
    for (size_t i = 0; i < RF_COUNT(keys); i++) {
        struct chain chain;
        chain_init(&chain, keys[i].material, keys[i].bits, keys[i].key);
        PKCS12 *pfx = read_pfx(&chain, bundle(&chain, true, chain.all, SEAL_PFX));
        EVP_PKEY *pkey = NULL;
        X509 *leaf = NULL;
        STACK_OF(X509) *others = NULL;
        cr_assert(PKCS12_verify_mac(pfx, "", 0) == 1);
        cr_assert(PKCS12_verify_mac(pfx, NULL, 0) == 0, "the password is empty, not absent");
        cr_assert(PKCS12_verify_mac(pfx, "x", 1) == 0);
        cr_assert(PKCS12_parse(pfx, "", &pkey, &leaf, &others) == 1);
        cr_assert(EVP_PKEY_eq(pkey, chain.own) == 1 && X509_check_private_key(leaf, pkey) == 1);
        cr_assert(is_cert(leaf, chain.certs[0]) && sk_X509_num(others) == 2);
        cr_assert(is_cert(sk_X509_value(others, 0), chain.certs[1]) &&
                  is_cert(sk_X509_value(others, 1), chain.certs[2]));
        sk_X509_pop_free(others, X509_free);
        X509_free(leaf);
        EVP_PKEY_free(pkey);
        PKCS12_free(pfx);
        chain_done(&chain);
    }
}

/* PBES2 with AES-256-CBC over PBKDF2 with HMAC-SHA-256. */
static void check_encryption(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object;
    const void *value;
    int type;
    X509_ALGOR_get0(&object, &type, &value, algorithm);
    cr_assert(OBJ_obj2nid(object) == NID_pbes2 && type == V_ASN1_SEQUENCE);
    PBE2PARAM *pbe = ASN1_item_unpack(value, ASN1_ITEM_rptr(PBE2PARAM));
    cr_assert(pbe != NULL && OBJ_obj2nid(pbe->encryption->algorithm) == NID_aes_256_cbc);
    cr_assert(OBJ_obj2nid(pbe->keyfunc->algorithm) == NID_id_pbkdf2);
    PBKDF2PARAM *kdf =
        ASN1_item_unpack(pbe->keyfunc->parameter->value.sequence, ASN1_ITEM_rptr(PBKDF2PARAM));
    cr_assert(kdf != NULL && kdf->prf != NULL &&
              OBJ_obj2nid(kdf->prf->algorithm) == NID_hmacWithSHA256);
    PBKDF2PARAM_free(kdf);
    PBE2PARAM_free(pbe);
}

static void check_leaf_id(const PKCS12_SAFEBAG *bag, bool wanted)
{
    const ASN1_TYPE *id = PKCS12_SAFEBAG_get0_attr(bag, NID_localKeyID);
    cr_assert((id != NULL) == wanted);
}

Test(seal_key_bundle, a_pfx_is_encrypted_and_marked_as_readers_expect)
{
    struct chain chain;
    chain_init(&chain, SEAL_P256, 0, KEY_P256);
    PKCS12 *pfx = read_pfx(&chain, bundle(&chain, true, chain.all, SEAL_PFX));
    const X509_ALGOR *mac = NULL;
    const ASN1_OBJECT *object;
    PKCS12_get0_mac(NULL, &mac, NULL, NULL, pfx);
    X509_ALGOR_get0(&object, NULL, NULL, mac);
    cr_assert(OBJ_obj2nid(object) == NID_sha256);
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(pfx);
    cr_assert(sk_PKCS7_num(safes) == 2);
    PKCS7 *certs = sk_PKCS7_value(safes, 0), *key = sk_PKCS7_value(safes, 1);
    cr_assert(OBJ_obj2nid(certs->type) == NID_pkcs7_encrypted &&
              OBJ_obj2nid(key->type) == NID_pkcs7_data);
    check_encryption(certs->d.encrypted->enc_data->algorithm);
    STACK_OF(PKCS12_SAFEBAG) *bags = PKCS12_unpack_p7encdata(certs, "", 0);
    cr_assert(sk_PKCS12_SAFEBAG_num(bags) == 3);
    for (int i = 0; i < 3; i++) {
        X509 *cert = PKCS12_SAFEBAG_get1_cert(sk_PKCS12_SAFEBAG_value(bags, i));
        cr_assert(is_cert(cert, chain.certs[i]), "the leaf comes first");
        check_leaf_id(sk_PKCS12_SAFEBAG_value(bags, i), i == 0);
        X509_free(cert);
    }
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    bags = PKCS12_unpack_p7data(key);
    cr_assert(sk_PKCS12_SAFEBAG_num(bags) == 1);
    const PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, 0);
    cr_assert(PKCS12_SAFEBAG_get_nid(bag) == NID_pkcs8ShroudedKeyBag);
    check_leaf_id(bag, true);
    const X509_ALGOR *algorithm;
    X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, NULL);
    check_encryption(algorithm);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    sk_PKCS7_pop_free(safes, PKCS7_free);
    PKCS12_free(pfx);
    chain_done(&chain);
}

Test(seal_key_bundle, pem_has_key_leaf_and_chain_in_order)
{
    for (size_t i = 0; i < RF_COUNT(keys); i++) {
        struct chain chain;
        chain_init(&chain, keys[i].material, keys[i].bits, keys[i].key);
        rf_str text = bundle(&chain, true, chain.all, SEAL_PEM);
        cr_assert(rf_str_starts(text, RF_S("-----BEGIN PRIVATE KEY-----\n")));
        cr_assert(rf_str_ends(text, RF_S("-----END CERTIFICATE-----\n")));
        BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
        EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        cr_assert(pkey != NULL && EVP_PKEY_eq(pkey, chain.own) == 1);
        for (size_t c = 0; c < 3; c++) {
            X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
            cr_assert(cert != NULL && is_cert(cert, chain.certs[c]));
            X509_free(cert);
        }
        cr_assert(BIO_eof(bio));
        EVP_PKEY_free(pkey);
        BIO_free(bio);
        chain_done(&chain);
    }
}

Test(seal_key_bundle, leaves_out_a_key_that_is_not_exportable)
{
    struct chain chain;
    chain_init(&chain, SEAL_RSA, 2048, KEY_BILBO);
    rf_str text = bundle(&chain, false, chain.all, SEAL_PEM);
    cr_assert(rf_str_starts(text, RF_S("-----BEGIN CERTIFICATE-----\n")));
    cr_assert(rf_str_find(text, RF_S("PRIVATE"), 0) == SIZE_MAX);
    PKCS12 *pfx = read_pfx(&chain, bundle(&chain, false, chain.all, SEAL_PFX));
    cr_assert(PKCS12_verify_mac(pfx, "", 0) == 1);
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(pfx);
    cr_assert(sk_PKCS7_num(safes) == 1);
    STACK_OF(PKCS12_SAFEBAG) *bags = PKCS12_unpack_p7encdata(sk_PKCS7_value(safes, 0), "", 0);
    cr_assert(sk_PKCS12_SAFEBAG_num(bags) == 3);
    for (int i = 0; i < 3; i++) {
        cr_assert(PKCS12_SAFEBAG_get_nid(sk_PKCS12_SAFEBAG_value(bags, i)) == NID_certBag);
        X509 *cert = PKCS12_SAFEBAG_get1_cert(sk_PKCS12_SAFEBAG_value(bags, i));
        cr_assert(is_cert(cert, chain.certs[i]));
        X509_free(cert);
    }
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    sk_PKCS7_pop_free(safes, PKCS7_free);
    PKCS12_free(pfx);
    chain_done(&chain);
}

static void not_bundled(struct chain *chain, struct seal_key *key, rf_str certs,
                        enum seal_format format)
{
    rf_str out = RF_S("untouched");
    cr_assert(seal_key_bundle(key, true, certs, format, &chain->rig.arena, &out, &chain->rig.err) ==
              RF_INVALID);
    cr_assert(strcmp(chain->rig.err.code, "SealArgument") == 0 && rf_str_is(out, "untouched"));
}

Test(seal_key_bundle, refuses_chains_that_are_cut_mixed_or_not_this_keys)
{
    struct chain chain;
    chain_init(&chain, SEAL_P256, 0, KEY_P256);
    struct rig *rig = &chain.rig;
    struct seal_key *oct = rig_new(rig, SEAL_OCT, 256);
    for (enum seal_format format = SEAL_PFX; format <= SEAL_PEM; format++) {
        not_bundled(&chain, chain.key, RF_S(""), format);
        not_bundled(&chain, chain.key, chain.certs[1], format); /* another's */
        not_bundled(&chain, oct, chain.all, format);
        for (size_t len = 1; len < chain.all.len; len += 1 + len / 16)
            if (len != chain.certs[0].len && len != chain.certs[0].len + chain.certs[1].len)
                not_bundled(&chain, chain.key, rf_slice(chain.all, 0, len), format);
        uint8_t *longer = rf_arena_zalloc(&rig->arena, 60000);
        memcpy(longer, chain.all.ptr, chain.all.len);
        not_bundled(&chain, chain.key, rf_str_make(longer, chain.all.len + 1), format);
        not_bundled(&chain, chain.key, rf_str_make(longer, 60000), format);
        struct rf_buf buf = rf_buf_in(&rig->arena);
        for (int i = 0; i < 16; i++) rf_buf_str(&buf, chain.certs[0]);
        (void)bundle(&chain, true, rf_buf_view(&buf), format);
        rf_buf_str(&buf, chain.certs[1]);
        not_bundled(&chain, chain.key, rf_buf_view(&buf), format);
    }
    not_bundled(&chain, chain.key, chain.all, (enum seal_format)0);
    not_bundled(&chain, chain.key, chain.all, (enum seal_format)3);
    seal_key_free(oct);
    chain_done(&chain);
}

/* What a certificate may carry is large, and so may be what is made of many. */
Test(seal_key_bundle, tells_when_the_whole_is_longer_than_a_secret_may_be)
{
    struct chain chain;
    rf_str out;
    static uint8_t text[3800];
    chain_init(&chain, SEAL_P256, 0, KEY_P256);
    X509 *big = planned(&leaf_plan, chain.own);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(value, text, sizeof text);
    cr_assert(X509_add1_ext_i2d(big, NID_netscape_comment, value, 0, X509V3_ADD_APPEND) == 1);
    cr_assert(X509_sign(big, stranger(), EVP_sha256()) > 0);
    struct rf_buf buf = rf_buf_in(&chain.rig.arena);
    for (int i = 0; i < 11; i++) rf_buf_str(&buf, der_of(&chain.rig, ASN1_ITEM_rptr(X509), big));
    cr_assert(buf.len < SEAL_MATERIAL_BYTES_MAX);
    for (enum seal_format format = SEAL_PFX; format <= SEAL_PEM; format++)
        cr_assert(seal_key_bundle(chain.key, true, rf_buf_view(&buf), format, &chain.rig.arena,
                                  &out, &chain.rig.err) == RF_LIMIT);
    ASN1_OCTET_STRING_free(value);
    X509_free(big);
    chain_done(&chain);
}

/* The command, as people use it. */
Test(seal_key_bundle, the_openssl_command_reads_it)
{
    struct chain chain;
    rf_str der;
    char path[] = "/tmp/seal_key_bundle.XXXXXX", line[256], command[512];
    if (system("command -v openssl >/dev/null 2>&1") != 0) return;
    chain_init(&chain, SEAL_RSA, 2048, KEY_BILBO);
    cr_assert(base64_decode(&chain.rig.arena, bundle(&chain, true, chain.all, SEAL_PFX), &der,
                            &chain.rig.err) == RF_OK);
    int fd = mkstemp(path), keys_seen = 0, certs_seen = 0;
    cr_assert(fd >= 0 && write(fd, der.ptr, der.len) == (ssize_t)der.len);
    (void)snprintf(command, sizeof command, "openssl pkcs12 -in %s -passin pass: -nodes 2>&1",
                   path);
    FILE *out = popen(command, "r");
    while (fgets(line, sizeof line, out) != NULL) {
        keys_seen += strstr(line, "-----BEGIN PRIVATE KEY-----") != NULL;
        certs_seen += strstr(line, "-----BEGIN CERTIFICATE-----") != NULL;
    }
    cr_assert(pclose(out) == 0 && keys_seen == 1 && certs_seen == 3);
    close(fd);
    unlink(path);
    chain_done(&chain);
}
