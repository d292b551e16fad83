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

/* 1 byte: what, 2: length of the issuer's certificate, that, and what is to be signed. What is signed would be signed again. */
RF_FUZZ(seal_key_certify, text)
{
    enum { HEAD_BYTES = 3, KINDS = 6 };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_str out, again;
    rf_arena_init(&arena, 4 << 20);
    struct seal_key *key = fixed_key(&arena);
    if (text.len < HEAD_BYTES) return;
    enum seal_sign what = (enum seal_sign)(text.ptr[0] % KINDS);
    size_t end = HEAD_BYTES + (size_t)rf_get_u16le(text.ptr + 1);
    if (end > text.len) return;
    rf_str issuer = rf_slice(text, HEAD_BYTES, end);
    rf_str der = rf_slice(text, end, text.len);
    if (seal_key_certify(key, what, issuer, der, &arena, &out, NULL) != RF_OK) return;
    RF_ASSERT(out.len > 0);
    RF_ASSERT(seal_key_certify(key, what, issuer, out, &arena, &again, NULL) == RF_OK);
}
