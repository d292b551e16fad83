/* seal_key_rsa.c - encryption with RSA (RFC 8017, sections 7.1 and 7.2).
 *
 * RSA1_5: OpenSSL 3.0 has no implicit rejection, and how long its own unpadding and its errors take is no promise. So it gives the padded bytes
 * here, and the padding is looked at in constant time: every wrong one ends in one answer after one way through the code. That an answer is
 * an error is itself what Bleichenbacher's attack needs; the API demands to tell (400), and whoever may decrypt may ask. */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "crypt/seal_key_int.h"

static bool prepare(const struct seal_key *key, struct seal_tool *tool)
{
    tool->pkey = EVP_PKEY_CTX_new(key->pkey, NULL);
    return tool->pkey != NULL && (tool->forward ? EVP_PKEY_encrypt_init(tool->pkey)
                                                : EVP_PKEY_decrypt_init(tool->pkey)) == 1;
}

bool seal_prepare_rsa15(const struct seal_key *key, struct seal_tool *tool)
{
    return prepare(key, tool) &&
           EVP_PKEY_CTX_set_rsa_padding(tool->pkey,
                                        tool->forward ? RSA_PKCS1_PADDING : RSA_NO_PADDING) == 1;
}

bool seal_prepare_oaep(const struct seal_key *key, struct seal_tool *tool)
{
    const EVP_MD *digest =
        rf_str_is(RF_S("SHA256"), tool->algorithm->primitive) ? EVP_sha256() : EVP_sha1();
    return prepare(key, tool) &&
           EVP_PKEY_CTX_set_rsa_padding(tool->pkey, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(tool->pkey, digest) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(tool->pkey, digest) == 1;
}

static enum rf_kind encrypt(const struct seal_job *job, size_t padding_bytes, struct seal_used *out,
                            struct rf_err *err)
{
    rf_str value = job->use->value.len == 0 ? RF_S("") : job->use->value;
    size_t len = job->key->bytes;
    if (value.len > len - padding_bytes)
        return RF_FAIL(err, RF_INVALID, "SealInput",
                       "%s encrypts at most %zu bytes with this key, the value has %zu",
                       job->algorithm->name, len - padding_bytes, value.len);
    uint8_t *bytes = rf_arena_alloc(job->arena, len);
    if (bytes == NULL) return rf_fail_memory(err, job->arena);
    if (EVP_PKEY_encrypt(job->tool->pkey, bytes, &len, value.ptr, value.len) != 1)
        return seal_crypto_failed("encrypt", err);
    out->value = rf_str_make(bytes, len);
    return RF_OK;
}

/* Into `plain`, of the modulus's size. */
static enum rf_kind decrypt(const struct seal_job *job, uint8_t plain[SEAL_RSA_BYTES_MAX],
                            size_t *len, struct rf_err *err)
{
    rf_str value = job->use->value;
    *len = job->key->bytes;
    if (value.len != *len) return seal_undecryptable(err);
    if (EVP_PKEY_decrypt(job->tool->pkey, plain, len, value.ptr, value.len) == 1) return RF_OK;
    return seal_lacks_memory() ? seal_crypto_failed("decrypt", err) : seal_undecryptable(err);
}

static enum rf_kind keep(const struct seal_job *job, const uint8_t *plain, size_t len,
                         struct seal_used *out, struct rf_err *err)
{
    return rf_arena_str(job->arena, rf_str_make(plain, len), &out->value)
               ? RF_OK
               : rf_fail_memory(err, job->arena);
}

enum rf_kind seal_run_oaep(const struct seal_job *job, struct seal_used *out, struct rf_err *err)
{
    uint8_t plain[SEAL_RSA_BYTES_MAX];
    size_t len;
    if (job->tool->forward) return encrypt(job, 2 * job->algorithm->digest_bytes + 2, out, err);
    enum rf_kind kind = decrypt(job, plain, &len, err);
    if (kind == RF_OK) kind = keep(job, plain, len, out, err);
    OPENSSL_cleanse(plain, sizeof plain);
    return kind;
}

/* All ones when a == b, a and b below 2^31; without a branch. */
static uint32_t mask_equal(uint32_t a, uint32_t b)
{
    uint32_t x = seal_opaque(a ^ b);
    return 0u - (((x - 1) & ~x) >> 31);
}

/* All ones when a < b, both below 2^31. */
static uint32_t mask_less(uint32_t a, uint32_t b) { return 0u - (seal_opaque(a - b) >> 31); }

/* 00 02, at least 8 bytes that are not 0, 00, the plaintext: where it begins; 0 when it is not so. */
static uint32_t unpad_pkcs1(const uint8_t *padded, uint32_t len)
{
    enum { FIRST = 2, PADDING_BYTES_MIN = 8 };
    uint32_t looking = ~0u, zero_at = 0;
    for (uint32_t i = FIRST; i < len; i++) {
        uint32_t hit = mask_equal(padded[i], 0) & looking;
        zero_at |= i & hit;
        looking &= ~hit;
    }
    uint32_t good = mask_equal(padded[0], 0) & mask_equal(padded[1], 2) & ~looking &
                    ~mask_less(zero_at, FIRST + PADDING_BYTES_MIN);
    return (zero_at + 1) & good;
}

enum rf_kind seal_run_rsa15(const struct seal_job *job, struct seal_used *out, struct rf_err *err)
{
    enum { PKCS1_BYTES = 11 };
    uint8_t padded[SEAL_RSA_BYTES_MAX];
    size_t len;
    if (job->tool->forward) return encrypt(job, PKCS1_BYTES, out, err);
    enum rf_kind kind = decrypt(job, padded, &len, err);
    if (kind == RF_OK) {
        uint32_t from = unpad_pkcs1(padded, (uint32_t)len);
        kind = from == 0 ? seal_undecryptable(err) : keep(job, padded + from, len - from, out, err);
    }
    OPENSSL_cleanse(padded, sizeof padded);
    return kind;
}
