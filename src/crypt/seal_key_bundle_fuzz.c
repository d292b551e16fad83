#include "base/encode.h"
#include "crypt/seal_key.h"
#include "test/rf_fuzz.h"
#include "test/seal_key_vectors.h"

static struct seal_key *fixed_key(struct rf_arena *arena)
{
    static struct seal_key *key;
    struct seal_head head = {.material = SEAL_P256};
    rf_str der;
    if (key != NULL) return key;
    RF_ASSERT(hex_decode(arena, RF_S(KEY_P256), &der, NULL) == RF_OK);
    RF_ASSERT(seal_key_load(&head, der, &key, NULL) == RF_OK);
    return key;
}

/* 1 byte: format and whether the key may leave; the chain. */
RF_FUZZ(seal_key_bundle, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_str out, der;
    rf_arena_init(&arena, 4 << 20);
    struct seal_key *key = fixed_key(&arena);
    if (text.len == 0) return;
    bool exportable = (text.ptr[0] & 1) != 0;
    enum seal_format format = (text.ptr[0] & 2) != 0 ? SEAL_PEM : SEAL_PFX;
    if (seal_key_bundle(key, exportable, rf_slice(text, 1, text.len), format, &arena, &out, NULL) !=
        RF_OK)
        return;
    RF_ASSERT(out.len <= SEAL_MATERIAL_BYTES_MAX);
    if (format == SEAL_PFX)
        RF_ASSERT(base64_decode(&arena, out, &der, NULL) == RF_OK);
    else
        RF_ASSERT((rf_str_find(out, RF_S("PRIVATE KEY"), 0) != SIZE_MAX) == exportable);
}
