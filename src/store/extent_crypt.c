#include "store/extent_int.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/checksum.h"

void extent_checksum(const void *bytes, size_t len, uint8_t out[16])
{
    rf_checksum(bytes, len, out);
}

/* HMAC-SHA256 of a label and the id. */
static bool derive(const struct extent_key *key, rf_str label, const uint8_t id[EXTENT_ID_BYTES],
                   uint8_t out[32])
{
    uint8_t text[64];
    RF_ASSERT(label.len + EXTENT_ID_BYTES <= sizeof text);
    memcpy(text, label.ptr, label.len);
    memcpy(text + label.len, id, EXTENT_ID_BYTES);
    unsigned got = 32;
    return HMAC(EVP_sha256(), key->bytes, sizeof key->bytes, text, label.len + EXTENT_ID_BYTES, out,
                &got) != NULL;
}

enum rf_kind extent_crypt_init(struct extent_crypt *crypt, const struct extent_key *key,
                               const uint8_t id[EXTENT_ID_BYTES], struct rf_err *err)
{
    *crypt = (struct extent_crypt){.on = key != NULL && key->present};
    memcpy(crypt->id, id, EXTENT_ID_BYTES);
    if (!crypt->on) return RF_OK;
    uint8_t check[32];
    if (!derive(key, RF_S("ringfort extent"), id, crypt->key) ||
        !derive(key, RF_S("ringfort check"), id, check))
        return RF_FAIL(err, RF_IO, "CryptoFailed", "cannot derive the key of an extent");
    memcpy(crypt->key_check, check, sizeof crypt->key_check);
    return RF_OK;
}

static void nonce_of(uint64_t offset, uint8_t nonce[12])
{
    memset(nonce, 0, 12);
    rf_put_u64le(nonce, offset);
}

bool extent_crypt_seal(const struct extent_crypt *crypt, uint64_t offset, uint8_t *bytes,
                       size_t len)
{
    uint8_t nonce[12];
    int got = 0, rest = 0;
    nonce_of(offset, nonce);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool good = ctx != NULL &&
                EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, crypt->key, nonce) == 1 &&
                EVP_EncryptUpdate(ctx, NULL, &got, crypt->id, sizeof crypt->id) == 1 &&
                EVP_EncryptUpdate(ctx, bytes, &got, bytes, (int)len) == 1 &&
                EVP_EncryptFinal_ex(ctx, bytes + got, &rest) == 1 &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, EXTENT_TAG_BYTES, bytes + len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return good && (size_t)got + (size_t)rest == len;
}

bool extent_crypt_open(const struct extent_crypt *crypt, uint64_t offset, uint8_t *bytes,
                       size_t len)
{
    uint8_t nonce[12];
    int got = 0, rest = 0;
    nonce_of(offset, nonce);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool good =
        ctx != NULL && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, crypt->key, nonce) == 1 &&
        EVP_DecryptUpdate(ctx, NULL, &got, crypt->id, sizeof crypt->id) == 1 &&
        EVP_DecryptUpdate(ctx, bytes, &got, bytes, (int)len) == 1 &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, EXTENT_TAG_BYTES, bytes + len) == 1 &&
        EVP_DecryptFinal_ex(ctx, bytes + got, &rest) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return good;
}
