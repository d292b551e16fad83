/* certificates_read.c - keys and certificates in the forms that people have them: PFX (RFC 7292) and PEM (RFC 7468).
 *
 * What is decrypted here was encrypted with a password that its owner has sent along. Old files have RC2, which OpenSSL keeps in a module
 * that a static program cannot load; its plain functions are there, and are used for reading only. */
#define OPENSSL_SUPPRESS_DEPRECATED /* RC2_* */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rc2.h>

#include "base/encode.h"
#include "vault/certificates_int.h"

enum {
    PFX_BYTES_MAX = 256 << 10,
    KEY_BYTES_MAX = 16 << 10,
    PARTS_MAX = 64, /* bags, blocks of PEM */
    SAFES_MAX = 16,
    ROUNDS_MAX = 1000000, /* of one derivation of a key */
    ROUNDS_SUM_MAX = 3000000
};

void vault_cert_import_done(struct cert_import *import)
{
    vault_wipe(import->key);
    sk_X509_pop_free(import->certs, X509_free);
    *import = (struct cert_import){.certs = NULL};
}

/* ---- keys -------------------------------------------------------------------------------------------------------------- */

/* The one key of the whole, as PKCS #8 without attributes. */
static enum rf_kind take_key(struct cert_import *out, EVP_PKEY *pkey, struct rf_arena *arena,
                             struct rf_err *err)
{
    uint8_t *der = NULL;
    if (out->key.len > 0)
        return vault_cert_bad(err, "The specified content has more than one private key.");
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
    int len = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    PKCS8_PRIV_KEY_INFO_free(info);
    if (len <= 0) return vault_cert_bad(err, "The private key can not be read.");
    bool fits = rf_arena_str(arena, rf_str_make(der, (size_t)len), &out->key);
    OPENSSL_clear_free(der, (size_t)len);
    return fits ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind take_cert(struct cert_import *out, X509 *cert, struct rf_err *err)
{
    if (cert == NULL)
        return vault_cert_bad(err, "The specified content has a certificate that can not be read.");
    if (sk_X509_num(out->certs) < CERT_CHAIN_MAX && sk_X509_push(out->certs, cert) > 0)
        return RF_OK;
    X509_free(cert);
    return vault_cert_bad(err, "The specified content has more than %d certificates.",
                          CERT_CHAIN_MAX);
}

static enum rf_kind check_whole(struct cert_import *out, struct rf_err *err)
{
    if (out->key.len == 0)
        return vault_cert_bad(err, "The specified content has no private key: a certificate is "
                                   "imported with its key.");
    if (sk_X509_num(out->certs) == 0)
        return vault_cert_bad(err, "The specified content has no certificate.");
    return RF_OK;
}

bool vault_cert_key_kind(rf_str pkcs8, struct rf_arena *arena, enum seal_material *material,
                         uint32_t *bits, rf_str *public_key)
{
    static const struct {
        int nid;
        enum seal_material material;
    } curves[] = {{NID_X9_62_prime256v1, SEAL_P256},
                  {NID_secp384r1, SEAL_P384},
                  {NID_secp521r1, SEAL_P521},
                  {NID_secp256k1, SEAL_P256K}};
    const uint8_t *at = pkcs8.ptr;
    char group[80];
    size_t len;
    uint8_t *der = NULL;
    bool good = false;
    EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &at, (long)pkcs8.len);
    if (pkey != NULL && EVP_PKEY_is_a(pkey, "RSA")) {
        *material = SEAL_RSA;
        *bits = (uint32_t)EVP_PKEY_get_bits(pkey);
        good = *bits == 2048 || *bits == 3072 || *bits == 4096;
    } else if (pkey != NULL && EVP_PKEY_is_a(pkey, "EC") &&
               EVP_PKEY_get_group_name(pkey, group, sizeof group, &len) == 1) {
        *bits = 0;
        for (size_t i = 0; i < RF_COUNT(curves); i++)
            if (OBJ_sn2nid(group) == curves[i].nid) {
                *material = curves[i].material;
                good = true;
            }
    }
    int size = good ? i2d_PUBKEY(pkey, &der) : -1;
    good = size > 0 && rf_arena_str(arena, rf_str_make(der, (size_t)size), public_key);
    OPENSSL_free(der);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return good;
}

/* ---- PEM ------------------------------------------------------------------------------------------------------------------ */

struct block {
    char *name, *header;
    uint8_t *bytes;
    long len;
};

static void free_block(struct block *block)
{
    OPENSSL_free(block->name);
    OPENSSL_free(block->header);
    if (block->bytes != NULL) OPENSSL_clear_free(block->bytes, (size_t)block->len);
    *block = (struct block){.name = NULL};
}

static bool is_key_name(const char *name)
{
    return strcmp(name, "PRIVATE KEY") == 0 || strcmp(name, "RSA PRIVATE KEY") == 0 ||
           strcmp(name, "EC PRIVATE KEY") == 0;
}

static enum rf_kind take_block(struct cert_import *out, const struct block *block,
                               struct rf_arena *arena, struct rf_err *err)
{
    const uint8_t *at = block->bytes;
    if (strcmp(block->name, "ENCRYPTED PRIVATE KEY") == 0 || block->header[0] != '\0')
        return vault_cert_bad(err, "The private key in the PEM is encrypted: decrypt it before "
                                   "(openssl pkey), or import a PFX with its password.");
    if (strcmp(block->name, "CERTIFICATE") == 0 || strcmp(block->name, "X509 CERTIFICATE") == 0)
        return take_cert(out, vault_cert_parse(rf_str_make(block->bytes, (size_t)block->len)), err);
    if (!is_key_name(block->name)) return RF_OK; /* EC PARAMETERS and the like */
    EVP_PKEY *pkey = block->len > KEY_BYTES_MAX ? NULL : d2i_AutoPrivateKey(NULL, &at, block->len);
    if (pkey == NULL) return vault_cert_bad(err, "The private key in the PEM can not be read.");
    enum rf_kind kind = take_key(out, pkey, arena, err);
    EVP_PKEY_free(pkey);
    return kind;
}

static enum rf_kind read_blocks(BIO *bio, struct rf_arena *arena, struct cert_import *out,
                                struct rf_err *err)
{
    struct block block = {.name = NULL};
    for (int i = 0; PEM_read_bio(bio, &block.name, &block.header, &block.bytes, &block.len) == 1;
         i++) {
        enum rf_kind kind = i < PARTS_MAX ? take_block(out, &block, arena, err)
                                          : vault_cert_bad(err, "The PEM has too many parts.");
        free_block(&block);
        RF_TRY(kind);
    }
    return check_whole(out, err);
}

static enum rf_kind finish(enum rf_kind kind, struct cert_import *made, struct cert_import *out)
{
    ERR_clear_error();
    if (kind == RF_OK)
        *out = *made;
    else
        vault_cert_import_done(made);
    return kind;
}

enum rf_kind vault_cert_read_pem(rf_str text, struct rf_arena *arena, struct cert_import *out,
                                 struct rf_err *err)
{
    struct cert_import made = {.certs = sk_X509_new_null(), .format = SEAL_PEM};
    BIO *bio = text.len > INT32_MAX ? NULL : BIO_new_mem_buf(text.ptr, (int)text.len);
    enum rf_kind kind = bio == NULL || made.certs == NULL ? rf_fail_memory(err, arena)
                                                          : read_blocks(bio, arena, &made, err);
    BIO_free(bio);
    return finish(kind, &made, out);
}

/* ---- PFX: what a password is hashed with -------------------------------------------------------------------------------------- */

struct pfx {
    struct rf_arena *arena;
    struct cert_import *out;
    const char *password; /* NULL: absent, which is not the same as empty */
    int password_len;
    long rounds; /* so far */
    int bags;
};

static enum rf_kind unreadable(struct rf_err *err)
{
    return vault_cert_bad(err, "The specified PKCS#12 content can not be read.");
}

static enum rf_kind count_rounds(struct pfx *pfx, long rounds, struct rf_err *err)
{
    if (rounds < 1) return unreadable(err);
    if (rounds <= ROUNDS_MAX) pfx->rounds += rounds;
    if (rounds <= ROUNDS_MAX && pfx->rounds <= ROUNDS_SUM_MAX) return RF_OK;
    return vault_cert_bad(err,
                          "The specified PKCS#12 content hashes its password too often: at "
                          "most %d rounds at a time are possible.",
                          ROUNDS_MAX);
}

/* -1: none, or too large. */
static long rounds_of(const ASN1_INTEGER *number)
{
    int64_t value;
    if (number == NULL) return 1; /* the default of PKCS #12 */
    if (ASN1_INTEGER_get_int64(&value, number) != 1 || value < 1) return -1;
    return value > ROUNDS_MAX ? ROUNDS_MAX + 1 : (long)value;
}

static long pbes2_rounds(const X509_ALGOR *algorithm)
{
    long rounds = -1;
    PBE2PARAM *params = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), algorithm->parameter);
    PBKDF2PARAM *kdf = NULL;
    if (params != NULL && OBJ_obj2nid(params->keyfunc->algorithm) == NID_id_pbkdf2)
        kdf = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), params->keyfunc->parameter);
    if (kdf != NULL) rounds = rounds_of(kdf->iter);
    PBKDF2PARAM_free(kdf);
    PBE2PARAM_free(params);
    return rounds;
}

/* Bits of the RC2 key that a way to encrypt has; 0: it has another cipher. */
static int rc2_bits(int nid)
{
    return nid == NID_pbe_WithSHA1And40BitRC2_CBC    ? 40
           : nid == NID_pbe_WithSHA1And128BitRC2_CBC ? 128
                                                     : 0;
}

static enum rf_kind check_algorithm(struct pfx *pfx, const X509_ALGOR *algorithm,
                                    struct rf_err *err)
{
    int nid = OBJ_obj2nid(algorithm->algorithm);
    if (nid == NID_pbes2) return count_rounds(pfx, pbes2_rounds(algorithm), err);
    if (rc2_bits(nid) == 0 && nid != NID_pbe_WithSHA1And3_Key_TripleDES_CBC &&
        nid != NID_pbe_WithSHA1And2_Key_TripleDES_CBC)
        return vault_cert_bad(err, "The specified PKCS#12 content is encrypted in a way that is "
                                   "not supported: AES, 3DES and RC2 are.");
    PBEPARAM *params = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), algorithm->parameter);
    long rounds = params == NULL ? -1 : rounds_of(params->iter);
    PBEPARAM_free(params);
    return count_rounds(pfx, rounds, err);
}

/* ---- PFX: RC2 ------------------------------------------------------------------------------------------------------------------- */

static bool rc2_decrypt(const struct pfx *pfx, const PBEPARAM *params, int bits,
                        const ASN1_OCTET_STRING *in, uint8_t *out, size_t *out_len)
{
    uint8_t key[16], iv[RC2_BLOCK];
    RC2_KEY schedule;
    size_t len = (size_t)in->length;
    int rounds = (int)rounds_of(params->iter);
    bool good = PKCS12_key_gen_utf8(pfx->password, pfx->password_len, params->salt->data,
                                    params->salt->length, PKCS12_KEY_ID, rounds, bits / 8, key,
                                    EVP_sha1()) == 1 &&
                PKCS12_key_gen_utf8(pfx->password, pfx->password_len, params->salt->data,
                                    params->salt->length, PKCS12_IV_ID, rounds, sizeof iv, iv,
                                    EVP_sha1()) == 1;
    if (good) {
        RC2_set_key(&schedule, bits / 8, key, bits);
        RC2_cbc_encrypt(in->data, out, (long)len, &schedule, iv, RC2_DECRYPT);
        uint8_t pad = out[len - 1];
        good = pad >= 1 && pad <= RC2_BLOCK;
        for (size_t i = 0; good && i < pad; i++) good = out[len - 1 - i] == pad;
        if (good) *out_len = len - pad;
    }
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(&schedule, sizeof schedule);
    return good;
}

/* What was encrypted, as `item`; NULL when it is none. */
static void *rc2_open(const struct pfx *pfx, const X509_ALGOR *algorithm,
                      const ASN1_OCTET_STRING *in, const ASN1_ITEM *item)
{
    void *value = NULL;
    size_t len = 0;
    if (in == NULL || in->length <= 0 || in->length % RC2_BLOCK != 0) return NULL;
    PBEPARAM *params = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), algorithm->parameter);
    uint8_t *out = OPENSSL_malloc((size_t)in->length);
    int bits = rc2_bits(OBJ_obj2nid(algorithm->algorithm));
    if (params != NULL && out != NULL && rc2_decrypt(pfx, params, bits, in, out, &len)) {
        const uint8_t *at = out;
        value = ASN1_item_d2i(NULL, &at, (long)len, item);
    }
    if (out != NULL) OPENSSL_clear_free(out, (size_t)in->length);
    PBEPARAM_free(params);
    return value;
}

/* ---- PFX: bags --------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind take_info(struct pfx *pfx, const PKCS8_PRIV_KEY_INFO *info, struct rf_err *err)
{
    EVP_PKEY *pkey = info == NULL ? NULL : EVP_PKCS82PKEY(info);
    if (pkey == NULL)
        return vault_cert_bad(err, "The private key in the PKCS#12 content can not be read.");
    enum rf_kind kind = take_key(pfx->out, pkey, pfx->arena, err);
    EVP_PKEY_free(pkey);
    return kind;
}

static enum rf_kind take_shrouded(struct pfx *pfx, const PKCS12_SAFEBAG *bag, struct rf_err *err)
{
    const X509_SIG *sealed = PKCS12_SAFEBAG_get0_pkcs8(bag);
    const X509_ALGOR *algorithm;
    const ASN1_OCTET_STRING *bytes;
    if (sealed == NULL) return unreadable(err);
    X509_SIG_get0(sealed, &algorithm, &bytes);
    if (ASN1_STRING_length(bytes) > KEY_BYTES_MAX) return unreadable(err);
    RF_TRY(check_algorithm(pfx, algorithm, err));
    PKCS8_PRIV_KEY_INFO *info =
        rc2_bits(OBJ_obj2nid(algorithm->algorithm)) != 0
            ? rc2_open(pfx, algorithm, bytes, ASN1_ITEM_rptr(PKCS8_PRIV_KEY_INFO))
            : PKCS12_decrypt_skey(bag, pfx->password, pfx->password_len);
    enum rf_kind kind = take_info(pfx, info, err);
    PKCS8_PRIV_KEY_INFO_free(info);
    return kind;
}

static enum rf_kind take_bag(struct pfx *pfx, const PKCS12_SAFEBAG *bag, struct rf_err *err)
{
    if (++pfx->bags > PARTS_MAX)
        return vault_cert_bad(err, "The specified PKCS#12 content has more than %d bags.",
                              PARTS_MAX);
    switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_keyBag:
        return take_info(pfx, PKCS12_SAFEBAG_get0_p8inf(bag), err);
    case NID_pkcs8ShroudedKeyBag:
        return take_shrouded(pfx, bag, err);
    case NID_certBag:
        if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate) return RF_OK;
        return take_cert(pfx->out, PKCS12_SAFEBAG_get1_cert(bag), err);
    case NID_safeContentsBag:
        return vault_cert_bad(err, "The specified PKCS#12 content has bags within bags.");
    default:
        return RF_OK;
    }
}

static enum rf_kind unpack(struct pfx *pfx, PKCS7 *safe, STACK_OF(PKCS12_SAFEBAG) * *bags,
                           struct rf_err *err)
{
    *bags = NULL;
    if (PKCS7_type_is_data(safe)) {
        *bags = PKCS12_unpack_p7data(safe);
    } else if (PKCS7_type_is_encrypted(safe)) {
        const PKCS7_ENC_CONTENT *content = safe->d.encrypted->enc_data;
        RF_TRY(check_algorithm(pfx, content->algorithm, err));
        *bags = rc2_bits(OBJ_obj2nid(content->algorithm->algorithm)) != 0
                    ? rc2_open(pfx, content->algorithm, content->enc_data,
                               ASN1_ITEM_rptr(PKCS12_SAFEBAGS))
                    : PKCS12_unpack_p7encdata(safe, pfx->password, pfx->password_len);
    }
    return *bags == NULL ? unreadable(err) : RF_OK;
}

static enum rf_kind take_safe(struct pfx *pfx, PKCS7 *safe, struct rf_err *err)
{
    STACK_OF(PKCS12_SAFEBAG) * bags;
    RF_TRY(unpack(pfx, safe, &bags, err));
    enum rf_kind kind = RF_OK;
    for (int i = 0; kind == RF_OK && i < sk_PKCS12_SAFEBAG_num(bags); i++)
        kind = take_bag(pfx, sk_PKCS12_SAFEBAG_value(bags, i), err);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return kind;
}

/* Empty and absent are two passwords: files without one have been made with either. */
static enum rf_kind find_password(struct pfx *pfx, PKCS12 *pkcs12, const char *password,
                                  struct rf_err *err)
{
    const ASN1_INTEGER *rounds = NULL;
    if (PKCS12_mac_present(pkcs12) != 1)
        return vault_cert_bad(err, "The specified PKCS#12 content has no MAC by its password.");
    PKCS12_get0_mac(NULL, NULL, NULL, &rounds, pkcs12);
    RF_TRY(count_rounds(pfx, rounds_of(rounds), err));
    pfx->password = password;
    pfx->password_len = (int)strlen(password);
    if (PKCS12_verify_mac(pkcs12, password, pfx->password_len) == 1) return RF_OK;
    if (password[0] == '\0' && PKCS12_verify_mac(pkcs12, NULL, 0) == 1) {
        pfx->password = NULL;
        pfx->password_len = 0;
        return RF_OK;
    }
    return vault_cert_bad(err, "The specified PKCS#12 X.509 certificate content can not be read. "
                               "Please check if certificate is in valid format and the password "
                               "is correct.");
}

static enum rf_kind read_pfx(struct pfx *pfx, PKCS12 *pkcs12, const char *password,
                             struct rf_err *err)
{
    RF_TRY(find_password(pfx, pkcs12, password, err));
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(pkcs12);
    if (safes == NULL) return unreadable(err);
    enum rf_kind kind = sk_PKCS7_num(safes) > SAFES_MAX ? unreadable(err) : RF_OK;
    for (int i = 0; kind == RF_OK && i < sk_PKCS7_num(safes); i++)
        kind = take_safe(pfx, sk_PKCS7_value(safes, i), err);
    sk_PKCS7_pop_free(safes, PKCS7_free);
    return kind == RF_OK ? check_whole(pfx->out, err) : kind;
}

enum rf_kind vault_cert_read_pfx(rf_str der, rf_str password, struct rf_arena *arena,
                                 struct cert_import *out, struct rf_err *err)
{
    struct cert_import made = {.certs = sk_X509_new_null(), .format = SEAL_PFX};
    struct pfx pfx = {.arena = arena, .out = &made};
    const uint8_t *at = der.ptr;
    char *text = rf_arena_cstr(arena, password);
    PKCS12 *pkcs12 =
        der.len == 0 || der.len > PFX_BYTES_MAX ? NULL : d2i_PKCS12(NULL, &at, (long)der.len);
    enum rf_kind kind = text == NULL || made.certs == NULL ? rf_fail_memory(err, arena)
                        : pkcs12 == NULL                   ? unreadable(err)
                                                           : read_pfx(&pfx, pkcs12, text, err);
    PKCS12_free(pkcs12);
    if (text != NULL) OPENSSL_cleanse(text, password.len);
    return finish(kind, &made, out);
}

/* ---- either ----------------------------------------------------------------------------------------------------------------------------- */

enum rf_kind vault_cert_read(rf_str value, rf_str password, struct rf_arena *arena,
                             struct cert_import *out, struct rf_err *err)
{
    rf_str der;
    if (rf_str_find(value, RF_S("-----BEGIN "), 0) != SIZE_MAX)
        return vault_cert_read_pem(value, arena, out, err);
    if (base64_decode(arena, value, &der, err) != RF_OK)
        return vault_cert_bad(err, "The specified content is neither PEM nor a PFX in standard "
                                   "base64.");
    enum rf_kind kind = vault_cert_read_pfx(der, password, arena, out, err);
    vault_wipe(der);
    return kind;
}
