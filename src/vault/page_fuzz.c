/* $skiptoken: what is taken is what was given out. */
#include "test/rf_fuzz.h"
#include "vault/store_int.h"

RF_FUZZ(page, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    rf_str list = RF_S("01234567-89ab-cdef-0123-456789abcdef/secrets/live"), last;
    if (vault_skip_read(&arena, list, text, &last)) {
        RF_ASSERT(vault_name_is(last));
        RF_ASSERT(rf_str_eq(vault_skip_token(&arena, list, last), text));
    }
    rf_str name = rf_slice(text, 0, RF_MIN(text.len, (size_t)127)), back;
    rf_str token = vault_skip_token(&arena, list, name);
    if (vault_skip_read(&arena, list, token, &back)) RF_ASSERT(rf_str_eq(back, name));
}
