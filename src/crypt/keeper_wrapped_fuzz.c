/* Wrapped keys, as they lie in the files `key` of hubs and tables, and in the state. */
#include "crypt/keeper_vault.h"
#include "test/rf_fuzz.h"

RF_FUZZ(keeper_wrapped, text)
{
    static const uint8_t root[SEAL_KEY_BYTES] = {1};
    uint8_t key[SEAL_KEY_BYTES], wrapped[WRAPPED_KEY_BYTES];
    for (int step = SEAL_STEP_VAULT; step <= SEAL_STEP_DATA; step++) {
        struct seal_wrap wrap = {.step = (enum seal_step)step, .key = root, .about = RF_S("about")};
        wrap.generation = seal_wrapped_generation(text, wrap.step);
        (void)seal_unwrap_key(&wrap, text, key);
        /* One bit of a good one, which the first bytes name: then it opens no more. */
        wrap.generation = 3;
        memset(key, step, sizeof key);
        RF_ASSERT(seal_wrap_key(&wrap, key, wrapped));
        rf_str good = rf_str_make(wrapped, sizeof wrapped);
        RF_ASSERT(seal_wrapped_generation(good, wrap.step) == 3);
        RF_ASSERT(seal_unwrap_key(&wrap, good, key));
        if (text.len < 2) continue;
        wrapped[text.ptr[0] % WRAPPED_KEY_BYTES] ^= (uint8_t)(1 << (text.ptr[1] % 8));
        RF_ASSERT(!seal_unwrap_key(&wrap, good, key));
    }
}
