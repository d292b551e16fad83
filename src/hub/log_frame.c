#include "hub/log_int.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

static const uint8_t frame_magic[4] = "RFHF";
static const uint8_t check_label[16] = "ringfort checks ";

static void frame_head_put(const struct frame_head *head, uint8_t out[FRAME_SEALED_BYTES])
{
    memset(out, 0, FRAME_SEALED_BYTES);
    memcpy(out, frame_magic, sizeof frame_magic);
    rf_put_u32le(out + 4, head->batch_bytes);
    rf_put_u64le(out + 8, (uint64_t)head->first);
    rf_put_u64le(out + 16, (uint64_t)head->synced);
    rf_put_u64le(out + 24, (uint64_t)head->enqueued);
    rf_put_u32le(out + 32, head->count);
    rf_put_u32le(out + 36, head->generation);
    out[40] = head->kind;
}

bool frame_head_get(const uint8_t *p, struct frame_head *out)
{
    *out = (struct frame_head){
        .batch_bytes = rf_get_u32le(p + 4),
        .first = (int64_t)rf_get_u64le(p + 8),
        .synced = (int64_t)rf_get_u64le(p + 16),
        .enqueued = (int64_t)rf_get_u64le(p + 24),
        .count = rf_get_u32le(p + 32),
        .generation = rf_get_u32le(p + 36),
        .kind = p[40],
    };
    return memcmp(p, frame_magic, sizeof frame_magic) == 0 &&
           out->batch_bytes >= BATCH_HEAD_BYTES && out->batch_bytes <= FRAME_BATCH_BYTES_MAX &&
           out->count > 0 && out->count <= INT32_MAX && out->first >= 0 &&
           out->first <= INT64_MAX - INT32_MAX;
}

/* ---- encryption --------------------------------------------------------------------------------------- */

bool segment_key(const uint8_t key[32], struct segment *segment, uint8_t check[16])
{
    uint8_t text[16 + SEGMENT_SALT_BYTES] = "ringfort hub log", full[32];
    unsigned len = sizeof segment->key;
    memcpy(text + 16, segment->salt, SEGMENT_SALT_BYTES);
    bool good = HMAC(EVP_sha256(), key, 32, text, sizeof text, segment->key, &len) != NULL;
    memcpy(text, check_label, sizeof check_label);
    good = good && HMAC(EVP_sha256(), key, 32, text, sizeof text, full, &len) != NULL;
    if (good) memcpy(check, full, 16);
    return good;
}

EVP_CIPHER_CTX *segment_sealer(const struct segment *segment)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, segment->key, NULL) == 1)
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

/* Setting the key costs more than a small frame, so readers leave their contexts for the next ones. */
EVP_CIPHER_CTX *segment_opener(struct segment *segment)
{
    for (size_t i = 0; i < SEGMENT_SPARES; i++) {
        EVP_CIPHER_CTX *spare = atomic_exchange(&segment->spares[i], NULL);
        if (spare != NULL) return spare;
    }
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx != NULL && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, segment->key, NULL) == 1)
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

void segment_give(struct segment *segment, EVP_CIPHER_CTX *ctx)
{
    for (size_t i = 0; i < SEGMENT_SPARES && ctx != NULL; i++)
        ctx = atomic_exchange(&segment->spares[i], ctx);
    EVP_CIPHER_CTX_free(ctx);
}

static void nonce_of(uint64_t at, uint32_t generation, uint8_t nonce[12])
{
    rf_put_u64le(nonce, at);
    rf_put_u32le(nonce + 8, generation);
}

bool frame_seal(EVP_CIPHER_CTX *ctx, const struct frame_head *head, rf_str batch, uint64_t at,
                uint8_t *out)
{
    uint8_t nonce[12];
    int got = 0, rest = 0;
    uint8_t *to = out + FRAME_HEAD_BYTES;
    frame_head_put(head, out);
    nonce_of(at, head->generation, nonce);
    return EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, nonce) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &got, out, FRAME_SEALED_BYTES) == 1 &&
           EVP_EncryptUpdate(ctx, to, &got, batch.ptr, (int)batch.len) == 1 &&
           EVP_EncryptFinal_ex(ctx, to + got, &rest) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, out + FRAME_SEALED_BYTES) == 1;
}

bool frame_open(EVP_CIPHER_CTX *ctx, const struct frame_head *head, uint64_t at, uint8_t *frame)
{
    uint8_t nonce[12];
    int got = 0, rest = 0;
    uint8_t *batch = frame + FRAME_HEAD_BYTES;
    nonce_of(at, head->generation, nonce);
    return EVP_DecryptInit_ex(ctx, NULL, NULL, NULL, nonce) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &got, frame, FRAME_SEALED_BYTES) == 1 &&
           EVP_DecryptUpdate(ctx, batch, &got, batch, (int)head->batch_bytes) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, 16, frame + FRAME_SEALED_BYTES) == 1 &&
           EVP_DecryptFinal_ex(ctx, batch + got, &rest) == 1;
}
