#include <openssl/crypto.h>

#include "crypt/keeper_vault.h"

enum { FORMAT = 1, WRAP_HEAD_BYTES = 8, NONCE_AT = 8, KEY_AT = 20, TAG_AT = 52 };

/* AES-256-GCM in one go; `tag` is written or checked. Two pieces of additional data, either may be empty. */
static bool gcm(bool seals, const uint8_t key[SEAL_KEY_BYTES], const uint8_t *nonce, rf_str about,
                rf_str more, const uint8_t *from, uint8_t *to, size_t len, uint8_t *tag)
{
    int got = 0, rest = 0;
    uint8_t end[EVP_MAX_BLOCK_LENGTH];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool good =
        ctx != NULL &&
        EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce, seals ? 1 : 0) == 1 &&
        (about.len == 0 || EVP_CipherUpdate(ctx, NULL, &got, about.ptr, (int)about.len) == 1) &&
        (more.len == 0 || EVP_CipherUpdate(ctx, NULL, &got, more.ptr, (int)more.len) == 1) &&
        (len == 0 || EVP_CipherUpdate(ctx, to, &got, from, (int)len) == 1);
    if (good && !seals)
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, SEAL_TAG_BYTES, tag) == 1;
    good = good && EVP_CipherFinal_ex(ctx, end, &rest) == 1;
    if (good && seals)
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_BYTES, tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!good && !seals && len > 0) OPENSSL_cleanse(to, len);
    return good;
}

/* ---- keys around keys ------------------------------------------------------------------------------------------------- */

bool seal_wrap_key(const struct seal_wrap *wrap, const uint8_t key[SEAL_KEY_BYTES],
                   uint8_t out[WRAPPED_KEY_BYTES])
{
    memset(out, 0, WRAPPED_KEY_BYTES);
    out[0] = FORMAT;
    out[1] = (uint8_t)wrap->step;
    rf_put_u32le(out + 4, wrap->generation);
    random_bytes(out + NONCE_AT, SEAL_NONCE_BYTES);
    return gcm(true, wrap->key, out + NONCE_AT, rf_str_make(out, WRAP_HEAD_BYTES), wrap->about, key,
               out + KEY_AT, SEAL_KEY_BYTES, out + TAG_AT);
}

uint32_t seal_wrapped_generation(rf_str wrapped, enum seal_step step)
{
    if (wrapped.len != WRAPPED_KEY_BYTES || wrapped.ptr[0] != FORMAT ||
        wrapped.ptr[1] != (uint8_t)step || wrapped.ptr[2] != 0 || wrapped.ptr[3] != 0)
        return 0;
    return rf_get_u32le(wrapped.ptr + 4);
}

bool seal_unwrap_key(const struct seal_wrap *wrap, rf_str wrapped, uint8_t key[SEAL_KEY_BYTES])
{
    uint8_t copy[WRAPPED_KEY_BYTES];
    if (wrapped.len != WRAPPED_KEY_BYTES || wrapped.ptr[0] != FORMAT ||
        wrapped.ptr[1] != (uint8_t)wrap->step || wrapped.ptr[2] != 0 || wrapped.ptr[3] != 0 ||
        rf_get_u32le(wrapped.ptr + 4) != wrap->generation)
        return false;
    memcpy(copy, wrapped.ptr, sizeof copy);
    return gcm(false, wrap->key, copy + NONCE_AT, rf_str_make(copy, WRAP_HEAD_BYTES), wrap->about,
               copy + KEY_AT, key, SEAL_KEY_BYTES, copy + TAG_AT);
}

/* ---- versions ------------------------------------------------------------------------------------------------------------ */

bool seal_version(const uint8_t key[SEAL_KEY_BYTES], const uint8_t item_id[SEAL_ID_BYTES],
                  const struct seal_head *head, rf_str material, struct rf_arena *arena,
                  rf_str *out)
{
    size_t len = SEAL_HEAD_BYTES + SEAL_NONCE_BYTES + material.len + SEAL_TAG_BYTES;
    uint8_t *bytes = rf_arena_alloc(arena, len);
    if (bytes == NULL) return false;
    uint8_t *nonce = bytes + SEAL_HEAD_BYTES, *inside = nonce + SEAL_NONCE_BYTES;
    seal_head_put(head, bytes);
    random_bytes(nonce, SEAL_NONCE_BYTES);
    *out = rf_str_make(bytes, len);
    return gcm(true, key, nonce, rf_str_make(item_id, SEAL_ID_BYTES),
               rf_str_make(bytes, SEAL_HEAD_BYTES), material.ptr, inside, material.len,
               inside + material.len);
}

bool seal_open_version(const uint8_t key[SEAL_KEY_BYTES], const uint8_t item_id[SEAL_ID_BYTES],
                       rf_str sealed, struct rf_arena *arena, rf_str *material)
{
    size_t frame = SEAL_HEAD_BYTES + SEAL_NONCE_BYTES + SEAL_TAG_BYTES;
    uint8_t tag[SEAL_TAG_BYTES];
    if (sealed.len < frame) return false;
    size_t len = sealed.len - frame;
    uint8_t *bytes = rf_arena_alloc(arena, len + 1);
    if (bytes == NULL) return false;
    const uint8_t *nonce = sealed.ptr + SEAL_HEAD_BYTES, *inside = nonce + SEAL_NONCE_BYTES;
    memcpy(tag, inside + len, sizeof tag);
    *material = rf_str_make(bytes, len);
    return gcm(false, key, nonce, rf_str_make(item_id, SEAL_ID_BYTES),
               rf_str_make(sealed.ptr, SEAL_HEAD_BYTES), inside, bytes, len, tag);
}
