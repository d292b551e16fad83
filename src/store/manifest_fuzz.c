#include "store/manifest.h"

#include <stdlib.h>
#include <xxhash.h>

#include "test/rf_fuzz.h"

enum { CHECK_BYTES = 16 };

/* Any bytes; and the same with length and checksum set right, so that what lies behind them is reached. */
RF_FUZZ(manifest, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct manifest m;
    struct rf_err err;
    (void)!manifest_decode(text, "m", &arena, &m, &err);
    (void)manifest_generation(text);
    if (text.len < 48 + CHECK_BYTES) return;
    uint8_t *copy = malloc(text.len);
    if (copy == NULL) return;
    memcpy(copy, text.ptr, text.len);
    XXH128_canonical_t check;
    rf_put_u64le(copy + 24, text.len);
    XXH128_canonicalFromHash(&check, XXH3_128bits(copy, text.len - CHECK_BYTES));
    memcpy(copy + text.len - CHECK_BYTES, check.digest, CHECK_BYTES);
    if (manifest_decode(rf_str_make(copy, text.len), "m", &arena, &m, &err) == RF_OK) {
        struct rf_buf buf = rf_buf_in(&arena);
        struct manifest again;
        manifest_encode(&m, &buf);
        RF_ASSERT(buf.failed ||
                  manifest_decode(rf_buf_view(&buf), "m", &arena, &again, &err) == RF_OK);
    }
    free(copy);
}
