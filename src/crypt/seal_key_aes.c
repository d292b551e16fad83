/* seal_key_aes.c - AES with keys of vaults: GCM (NIST SP 800-38D), CBC with and without PKCS #7 padding, key wrap (RFC 3394, RFC 5649). */
#include <stdio.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "crypt/digest.h"
#include "crypt/seal_key_int.h"

enum { BLOCK_BYTES = 16, GCM_IV_BYTES = 12, TAG_BYTES = 16, WRAP_UNIT_BYTES = 8 };

bool seal_prepare_aes(const struct seal_key *key, struct seal_tool *tool)
{
    char name[24];
    (void)snprintf(name, sizeof name, "AES-%u-%s", key->bits, tool->algorithm->primitive);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    tool->cipher = EVP_CIPHER_CTX_new();
    bool good = cipher != NULL && tool->cipher != NULL;
    if (good) {
        EVP_CIPHER_CTX_set_flags(tool->cipher, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
        good = EVP_CipherInit_ex2(tool->cipher, cipher, key->oct, NULL, tool->forward, NULL) == 1;
    }
    EVP_CIPHER_free(cipher); /* the context counts it */
    return good;
}

/* Begins anew with the key that the tool has. */
static bool begin(const struct seal_job *job, const uint8_t *iv)
{
    return EVP_CipherInit_ex2(job->tool->cipher, NULL, NULL, iv, -1, NULL) == 1;
}

static bool update(const struct seal_job *job, uint8_t *out, rf_str in, size_t *done)
{
    int len = 0;
    bool good = EVP_CipherUpdate(job->tool->cipher, out, &len, in.ptr, (int)in.len) == 1;
    *done = good ? (size_t)len : 0;
    return good;
}

/* Decryption failed half-way: what has been written of the plaintext goes. */
static enum rf_kind give_up(uint8_t *bytes, size_t len, struct rf_err *err)
{
    OPENSSL_cleanse(bytes, len);
    return seal_lacks_memory() ? seal_crypto_failed("decrypt", err) : seal_undecryptable(err);
}

/* ---- GCM ----------------------------------------------------------------------------------------------------------------- */

static bool crypt(const struct seal_job *job, const uint8_t *iv, uint8_t *bytes)
{
    const struct seal_use *use = job->use;
    size_t done;
    return begin(job, iv) && (use->aad.len == 0 || update(job, NULL, use->aad, &done)) &&
           (use->value.len == 0 ||
            (update(job, bytes, use->value, &done) && done == use->value.len));
}

static enum rf_kind gcm_encrypt(const struct seal_job *job, struct seal_used *out,
                                struct rf_err *err)
{
    rf_str value = job->use->value;
    int rest = 0;
    if (job->use->iv.len != 0)
        return RF_FAIL(err, RF_INVALID, "SealInput",
                       "%s makes its iv itself, as one that is used twice would give the key away; "
                       "leave iv out",
                       job->algorithm->name);
    uint8_t *bytes = rf_arena_alloc(job->arena, value.len + GCM_IV_BYTES + TAG_BYTES);
    if (bytes == NULL) return rf_fail_memory(err, job->arena);
    uint8_t *iv = bytes + value.len, *tag = iv + GCM_IV_BYTES;
    random_bytes(iv, GCM_IV_BYTES);
    if (!crypt(job, iv, bytes) || EVP_CipherFinal_ex(job->tool->cipher, tag, &rest) != 1 ||
        EVP_CIPHER_CTX_ctrl(job->tool->cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) != 1)
        return seal_crypto_failed("encrypt", err);
    *out = (struct seal_used){.value = rf_str_make(bytes, value.len),
                              .iv = rf_str_make(iv, GCM_IV_BYTES),
                              .tag = rf_str_make(tag, TAG_BYTES)};
    return RF_OK;
}

enum rf_kind seal_run_gcm(const struct seal_job *job, struct seal_used *out, struct rf_err *err)
{
    const struct seal_use *use = job->use;
    uint8_t tag[TAG_BYTES], nothing[BLOCK_BYTES];
    int rest = 0;
    if (job->tool->forward) return gcm_encrypt(job, out, err);
    if (use->iv.len != GCM_IV_BYTES || use->tag.len != TAG_BYTES)
        return RF_FAIL(err, RF_INVALID, "SealInput",
                       "%s decrypts with the iv of %d and the tag of %d bytes that encryption gave",
                       job->algorithm->name, GCM_IV_BYTES, TAG_BYTES);
    uint8_t *bytes = rf_arena_alloc(job->arena, use->value.len);
    if (bytes == NULL) return rf_fail_memory(err, job->arena);
    memcpy(tag, use->tag.ptr, TAG_BYTES); /* OpenSSL takes no constant */
    if (!crypt(job, use->iv.ptr, bytes) ||
        EVP_CIPHER_CTX_ctrl(job->tool->cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) != 1 ||
        EVP_CipherFinal_ex(job->tool->cipher, nothing, &rest) != 1)
        return give_up(bytes, use->value.len, err);
    out->value = rf_str_make(bytes, use->value.len);
    return RF_OK;
}

/* ---- CBC ----------------------------------------------------------------------------------------------------------------- */

/* The iv of the call, or a new one for encryption, in `iv`. */
static enum rf_kind cbc_iv(const struct seal_job *job, uint8_t iv[BLOCK_BYTES], struct rf_err *err)
{
    rf_str given = job->use->iv;
    if (given.len == BLOCK_BYTES)
        memcpy(iv, given.ptr, BLOCK_BYTES);
    else if (given.len == 0 && job->tool->forward)
        random_bytes(iv, BLOCK_BYTES);
    else
        return RF_FAIL(err, RF_INVALID, "SealInput", "%s needs an iv of %d bytes, not %zu",
                       job->algorithm->name, BLOCK_BYTES, given.len);
    return RF_OK;
}

/* Of whole blocks; padding is ours, so that OpenSSL has none to judge. */
static bool cbc(const struct seal_job *job, const uint8_t *iv, rf_str in, uint8_t *out)
{
    size_t done;
    return begin(job, iv) && EVP_CIPHER_CTX_set_padding(job->tool->cipher, 0) == 1 &&
           update(job, out, in, &done) && done == in.len;
}

static enum rf_kind cbc_encrypt(const struct seal_job *job, size_t padding_bytes,
                                struct seal_used *out, struct rf_err *err)
{
    rf_str value = job->use->value;
    size_t len = value.len + padding_bytes;
    uint8_t *bytes = rf_arena_alloc(job->arena, len + BLOCK_BYTES);
    if (bytes == NULL) return rf_fail_memory(err, job->arena);
    uint8_t *iv = bytes + len;
    RF_TRY(cbc_iv(job, iv, err));
    if (value.len > 0) memcpy(bytes, value.ptr, value.len);
    memset(bytes + value.len, (int)padding_bytes, padding_bytes);
    if (!cbc(job, iv, rf_str_make(bytes, len), bytes)) {
        OPENSSL_cleanse(bytes, len);
        return seal_crypto_failed("encrypt", err);
    }
    out->value = rf_str_make(bytes, len);
    out->iv = rf_str_make(iv, BLOCK_BYTES);
    return RF_OK;
}

static enum rf_kind cbc_decrypt(const struct seal_job *job, uint8_t **bytes, struct rf_err *err)
{
    rf_str value = job->use->value;
    uint8_t iv[BLOCK_BYTES];
    RF_TRY(cbc_iv(job, iv, err));
    if (value.len == 0 || value.len % BLOCK_BYTES != 0) return seal_undecryptable(err);
    *bytes = rf_arena_alloc(job->arena, value.len);
    if (*bytes == NULL) return rf_fail_memory(err, job->arena);
    return cbc(job, iv, value, *bytes) ? RF_OK : give_up(*bytes, value.len, err);
}

enum rf_kind seal_run_cbc(const struct seal_job *job, struct seal_used *out, struct rf_err *err)
{
    size_t len = job->use->value.len;
    uint8_t *bytes;
    if (job->tool->forward) {
        if (len == 0 || len % BLOCK_BYTES != 0)
            return RF_FAIL(err, RF_INVALID, "SealInput",
                           "%s encrypts whole blocks of %d bytes, the value has %zu; %sPAD pads",
                           job->algorithm->name, BLOCK_BYTES, len, job->algorithm->name);
        return cbc_encrypt(job, 0, out, err);
    }
    RF_TRY(cbc_decrypt(job, &bytes, err));
    out->value = rf_str_make(bytes, len);
    return RF_OK;
}

/* The number of bytes that pad the last block, 1 to 16, each of them of that value; 0 when it is not so. Looks at the whole block, and
 * branches nowhere. */
static uint32_t unpad_pkcs7(const uint8_t last[BLOCK_BYTES])
{
    uint32_t pad = last[BLOCK_BYTES - 1], wrong = 0;
    for (uint32_t i = 0; i < BLOCK_BYTES; i++) {
        uint32_t inside = 0u - (seal_opaque(i - pad) >> 31); /* all ones when i < pad */
        wrong |= inside & (last[BLOCK_BYTES - 1 - i] ^ pad);
    }
    wrong |= seal_opaque(BLOCK_BYTES - pad) >> 31; /* above 16 */
    wrong = seal_opaque(wrong);
    return pad & (0u - (((wrong - 1) & ~wrong) >> 31));
}

enum rf_kind seal_run_cbcpad(const struct seal_job *job, struct seal_used *out, struct rf_err *err)
{
    size_t len = job->use->value.len;
    uint8_t *bytes;
    if (job->tool->forward) return cbc_encrypt(job, BLOCK_BYTES - len % BLOCK_BYTES, out, err);
    RF_TRY(cbc_decrypt(job, &bytes, err));
    uint32_t pad = unpad_pkcs7(bytes + len - BLOCK_BYTES);
    if (pad == 0) {
        OPENSSL_cleanse(bytes, len);
        return seal_undecryptable(err);
    }
    out->value = rf_str_make(bytes, len - pad);
    return RF_OK;
}

/* ---- key wrap ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind run(const struct seal_job *job, size_t out_bytes, struct seal_used *out,
                        struct rf_err *err)
{
    size_t done;
    /* The padding variant writes whole units before it looks at the length within. */
    uint8_t *bytes = rf_arena_alloc(job->arena, out_bytes);
    if (bytes == NULL) return rf_fail_memory(err, job->arena);
    if (!begin(job, NULL) || !update(job, bytes, job->use->value, &done) || done > out_bytes)
        return job->tool->forward ? seal_crypto_failed("wrap", err)
                                  : give_up(bytes, out_bytes, err);
    out->value = rf_str_make(bytes, done);
    return RF_OK;
}

enum rf_kind seal_run_kw(const struct seal_job *job, struct seal_used *out, struct rf_err *err)
{
    enum { PLAIN_BYTES_MIN = 2 * WRAP_UNIT_BYTES };
    size_t len = job->use->value.len;
    if (!job->tool->forward) {
        if (len < PLAIN_BYTES_MIN + WRAP_UNIT_BYTES || len % WRAP_UNIT_BYTES != 0)
            return seal_undecryptable(err);
        return run(job, len, out, err);
    }
    if (len < PLAIN_BYTES_MIN || len % WRAP_UNIT_BYTES != 0)
        return RF_FAIL(err, RF_INVALID, "SealInput",
                       "%s wraps a multiple of %d bytes, at least %d; the value has %zu",
                       job->algorithm->name, WRAP_UNIT_BYTES, PLAIN_BYTES_MIN, len);
    return run(job, len + WRAP_UNIT_BYTES, out, err);
}

enum rf_kind seal_run_kwp(const struct seal_job *job, struct seal_used *out, struct rf_err *err)
{
    size_t len = job->use->value.len;
    if (!job->tool->forward) {
        if (len < 2 * WRAP_UNIT_BYTES || len % WRAP_UNIT_BYTES != 0) return seal_undecryptable(err);
        return run(job, len, out, err);
    }
    if (len == 0) return RF_FAIL(err, RF_INVALID, "SealInput", "there is nothing to wrap");
    return run(job, len + 2 * WRAP_UNIT_BYTES, out, err);
}
