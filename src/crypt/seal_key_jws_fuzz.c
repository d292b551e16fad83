/* seal_key_jws_fuzz.c - what a captured server may have signed as a message of ACME. */
#include "crypt/seal_key.h"
#include "test/rf_fuzz.h"

RF_FUZZ(seal_key_jws, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct seal_head head = {.material = SEAL_OCT, .bits = 128, .enabled = true, .generation = 1};
    struct seal_key *key;
    rf_str out;
    rf_arena_init(&arena, 1u << 22);
    if (seal_key_load(&head, RF_S("sixteen bytes..."), &key, NULL) != RF_OK) return;
    if (seal_key_jws(key, text, &arena, &out, NULL) == RF_OK) RF_ASSERT(out.len == 32);
    seal_key_free(key);
}
