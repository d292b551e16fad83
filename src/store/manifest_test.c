#include "store/manifest.h"

#include "test/rf_prop.h"

static rf_str copy_text(struct rf_arena *arena, rf_str text)
{
    cr_assert(rf_arena_str(arena, text, &text));
    return text;
}

static struct manifest random_manifest(struct rf_prng *prng, struct rf_arena *arena)
{
    uint8_t raw[300];
    struct manifest m = {
        .generation = rf_test_u64(prng),
        .next_number = 1000 + rf_test_below(prng, 1000),
        .journal = rf_test_below(prng, 1000),
        .sequence = rf_test_u64(prng),
        .retention_ticks = (int64_t)(rf_test_u64(prng) >> 1),
        .encrypted = rf_test_bool(prng),
        .column_count = (uint32_t)rf_test_len(prng, 60),
        .extent_count = (uint32_t)rf_test_len(prng, 60),
        .dropped_count = (uint32_t)rf_test_len(prng, 10),
    };
    for (size_t i = 0; i < sizeof m.key_check; i++) m.key_check[i] = (uint8_t)rf_test_u64(prng);
    m.columns = rf_arena_new(arena, struct extent_column, m.column_count);
    m.extents = rf_arena_new(arena, struct manifest_extent, m.extent_count);
    m.dropped = rf_arena_new(arena, struct manifest_dropped, m.dropped_count);
    for (uint32_t i = 0; i < m.column_count; i++) {
        m.columns[i].name =
            rf_arena_printf(arena, "%u %.*s", i, RF_FMT(rf_test_utf8(prng, raw, sizeof raw)));
        m.columns[i].type = (uint8_t)rf_test_below(prng, TYPE_COUNT);
    }
    for (uint32_t i = 0; i < m.extent_count; i++) {
        m.extents[i] = (struct manifest_extent){.number = 1 + rf_test_below(prng, 999),
                                                .info = {rf_test_below(prng, EXTENT_ROWS_MAX),
                                                         rf_test_u64(prng),
                                                         rf_test_i64(prng),
                                                         rf_test_i64(prng),
                                                         {0}},
                                                .full = rf_test_bool(prng)};
        for (size_t k = 0; k < 32; k++) m.extents[i].info.digest[k] = (uint8_t)rf_test_u64(prng);
    }
    for (uint32_t i = 0; i < m.dropped_count; i++)
        m.dropped[i] = (struct manifest_dropped){.number = rf_test_u64(prng),
                                                 .since = rf_test_i64(prng),
                                                 .file = (enum manifest_file)rf_test_bool(prng)};
    m.position = copy_text(arena, rf_test_bytes(prng, raw, sizeof raw, NULL));
    return m;
}

RF_PROP(manifest_comes_back, 500)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    struct manifest m = random_manifest(prng, &arena), got;
    struct rf_buf buf = rf_buf_in(&arena), again = rf_buf_in(&arena);
    struct rf_err err;
    manifest_encode(&m, &buf);
    cr_assert(!buf.failed);
    rf_str bytes = rf_buf_view(&buf);
    cr_assert(manifest_decode(bytes, "m", &arena, &got, &err) == RF_OK, "%s", err.text);
    cr_assert(manifest_generation(bytes) == m.generation);
    cr_assert(got.column_count == m.column_count && got.journal == m.journal &&
              rf_str_eq(got.position, m.position));
    /* Encoding is a function of the content, so equal bytes mean that all of it came back. */
    manifest_encode(&got, &again);
    cr_assert(rf_str_eq(bytes, rf_buf_view(&again)));

    size_t cut = (size_t)rf_test_below(prng, bytes.len),
           at = (size_t)rf_test_below(prng, bytes.len);
    cr_assert(manifest_decode(rf_slice(bytes, 0, cut), "m", &arena, &got, &err) == RF_CORRUPT);
    buf.ptr[at] ^= (uint8_t)(1 << rf_test_below(prng, 8));
    cr_assert(manifest_decode(bytes, "m", &arena, &got, &err) == RF_CORRUPT, "byte %zu", at);
    cr_assert(strstr(err.text, "m: bytes 0..") != NULL);
}

Test(manifest, key_check_tells_keys_apart)
{
    struct extent_key key = {.present = true};
    uint8_t none[MANIFEST_KEY_CHECK_BYTES], one[MANIFEST_KEY_CHECK_BYTES],
        other[MANIFEST_KEY_CHECK_BYTES];
    manifest_key_check(NULL, none);
    manifest_key_check(&key, one);
    key.bytes[31] = 1;
    manifest_key_check(&key, other);
    cr_assert(memcmp(one, other, sizeof one) != 0 && memcmp(one, none, sizeof one) != 0);
}
