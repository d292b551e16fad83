#include "crypt/seal_key.h"
#include "test/rf_fuzz.h"

/* The first byte says which type, the rest is the material. What loads has one public half, and undoes what it does. */
RF_FUZZ(seal_key_load, text)
{
    static const struct {
        enum seal_material material;
        uint32_t bits;
        const char *algorithm;
        size_t digest_bytes;
    } kinds[] = {{SEAL_RSA, 2048, "PS256", 32}, {SEAL_RSA, 3072, "PS256", 32},
                 {SEAL_RSA, 4096, "PS256", 32}, {SEAL_P256, 0, "ES256", 32},
                 {SEAL_P384, 0, "ES384", 48},   {SEAL_P521, 0, "ES512", 64},
                 {SEAL_P256K, 0, "ES256K", 32}, {SEAL_OCT, 128, "HS256", 32}};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    static const uint8_t digest[64] = {1, 2, 3};
    struct seal_key *key;
    struct seal_used used = {0};
    rf_str public_key;
    rf_arena_init(&arena, 1 << 20);
    if (text.len == 0) return;
    size_t i = text.ptr[0] % RF_COUNT(kinds);
    struct seal_head head = {.material = kinds[i].material, .bits = kinds[i].bits};
    if (seal_key_load(&head, rf_slice(text, 1, text.len), &key, NULL) != RF_OK) return;
    RF_ASSERT(seal_key_public(key, &arena, &public_key, NULL) == RF_OK);
    RF_ASSERT((public_key.len == 0) == (head.material == SEAL_OCT));
    struct seal_use use = {.op = SEAL_OP_SIGN,
                           .algorithm = rf_str_of(kinds[i].algorithm),
                           .value = rf_str_make(digest, kinds[i].digest_bytes)};
    RF_ASSERT(seal_key_apply(key, &use, &arena, &used, NULL) == RF_OK);
    use.op = SEAL_OP_VERIFY;
    use.signature = used.value;
    RF_ASSERT(seal_key_apply(key, &use, &arena, &used, NULL) == RF_OK);
    RF_ASSERT(used.verified);
    seal_key_free(key);
}
