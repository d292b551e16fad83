#include "cli/cli_cert_pair.h"

#include "test/rf_fuzz.h"

RF_FUZZ(cli_cert_pair, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    struct cert_pair pair;
    struct rf_err err;
    if (cert_pair_read(text, &arena, &pair, &err) == RF_OK)
        RF_ASSERT(pair.key.len > 0 && pair.cert.len > 0);
}
