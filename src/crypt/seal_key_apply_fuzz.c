#include "base/encode.h"
#include "crypt/seal_key.h"
#include "test/rf_fuzz.h"
#include "test/seal_key_vectors.h"

enum { FIELDS = 4, HEAD_BYTES = 1 + 2 * FIELDS };

static struct seal_key *key_of(const struct seal_vector *vector, struct rf_arena *arena)
{
    static struct seal_key *keys[RF_COUNT(seal_vectors)];
    struct seal_key **key = &keys[vector - seal_vectors];
    struct seal_head head = {.material = vector->material, .bits = vector->bits};
    rf_str bytes;
    if (*key != NULL) return *key;
    RF_ASSERT(hex_decode(arena, rf_str_of(vector->key), &bytes, NULL) == RF_OK);
    RF_ASSERT(seal_key_load(&head, bytes, key, NULL) == RF_OK);
    return *key;
}

/* 1 byte: key, algorithm and operation of which known answer; 2 each: lengths of signature, iv, aad, tag; these; the value. What was encrypted can
 * be decrypted, and what was signed verifies. */
RF_FUZZ(seal_key_apply, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct seal_used used = {0}, back = {0};
    rf_str part[FIELDS];
    rf_arena_init(&arena, 4 << 20);
    if (text.len < HEAD_BYTES) return;
    const struct seal_vector *vector = &seal_vectors[text.ptr[0] % RF_COUNT(seal_vectors)];
    size_t at = HEAD_BYTES;
    for (size_t i = 0; i < FIELDS; i++) {
        size_t len = rf_get_u16le(text.ptr + 1 + 2 * i);
        if (len > text.len - at) return;
        part[i] = rf_slice(text, at, at + len);
        at += len;
    }
    struct seal_key *key = key_of(vector, &arena);
    struct seal_use use = {.op = vector->op,
                           .algorithm = rf_str_of(vector->algorithm),
                           .value = rf_slice(text, at, text.len),
                           .signature = part[0],
                           .iv = part[1],
                           .aad = part[2],
                           .tag = part[3]};
    if (seal_key_apply(key, &use, &arena, &used, NULL) != RF_OK) return;
    if ((use.op & (SEAL_OP_ENCRYPT | SEAL_OP_WRAP | SEAL_OP_SIGN)) == 0) return;
    struct seal_use undo = use;
    undo.op = (enum seal_op)(use.op << 1);
    if (use.op == SEAL_OP_SIGN) {
        undo.signature = used.value;
    } else {
        undo.value = used.value;
        undo.iv = used.iv;
        undo.tag = used.tag;
    }
    RF_ASSERT(seal_key_apply(key, &undo, &arena, &back, NULL) == RF_OK);
    RF_ASSERT(use.op == SEAL_OP_SIGN ? back.verified : rf_str_eq(back.value, use.value));
}
