#include "hub/avro.h"

#include <zlib.h>

#include "test/rf_prop.h"

/* The specification's own examples of longs, and the ends. */
Test(avro, longs_are_zigzag_in_groups_of_seven_bits)
{
    static const struct {
        int64_t value;
        const char *bytes;
        size_t len;
    } cases[] = {
        {0, "\x00", 1},
        {-1, "\x01", 1},
        {1, "\x02", 1},
        {-2, "\x03", 1},
        {2, "\x04", 1},
        {-64, "\x7f", 1},
        {64, "\x80\x01", 2},
        {8192, "\x80\x80\x01", 3},
        {-8193, "\x81\x80\x01", 3},
        {INT64_MAX, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
        {INT64_MIN, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_buf buf = rf_buf_in(&arena);
        avro_put_long(&buf, cases[i].value);
        cr_expect(rf_str_eq(rf_buf_view(&buf), rf_str_make(cases[i].bytes, cases[i].len)), "%lld",
                  (long long)cases[i].value);
    }
}

Test(avro, doubles_and_bytes)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    struct rf_buf buf = rf_buf_in(&arena);
    avro_put_double(&buf, 1.5);
    avro_put_bytes(&buf, RF_S("foo"));
    avro_put_bytes(&buf, RF_S(""));
    cr_assert(rf_str_eq(rf_buf_view(&buf), RF_S("\0\0\0\0\0\0\xf8\x3f\x06"
                                                "foo\0")));
}

static const uint8_t marker[AVRO_MARKER_BYTES] = "0123456789abcdef";

Test(avro, a_file_as_the_specification_draws_it)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    struct rf_buf buf = rf_buf_in(&arena);
    avro_put_head(&buf, RF_S("\"long\""), AVRO_CODEC_NULL, marker);
    avro_put_block(&buf, 3, RF_S("\x02\x04\x06"), AVRO_CODEC_NULL, marker);
    cr_assert(rf_str_eq(rf_buf_view(&buf), RF_S("Obj\1\4"
                                                "\x14"
                                                "avro.codec\x08null"
                                                "\x16"
                                                "avro.schema\x0c\"long\"\0"
                                                "0123456789abcdef"
                                                "\x06\x06\x02\x04\x06"
                                                "0123456789abcdef")));
}

/* Of any bytes, also such as do not get smaller, and in buffers that hold something already. */
RF_PROP(avro_deflate_gives_the_bytes_back_within_its_bound, 300)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 8 << 20);
    size_t len = 1 + rf_test_below(prng, (uint64_t)prng->size * 2000);
    bool random = rf_test_bool(prng);
    uint8_t *raw = rf_arena_raw(&arena, uint8_t, len), *back = rf_arena_raw(&arena, uint8_t, len);
    for (size_t i = 0; i < len; i++)
        raw[i] = random ? (uint8_t)rf_test_u64(prng) : (uint8_t)(i / 9);
    struct rf_buf buf = rf_buf_in(&arena);
    rf_buf_put(&buf, "before", 6);
    avro_put_block(&buf, 1, rf_str_make(raw, len), AVRO_CODEC_DEFLATE, marker);
    cr_assert(!buf.failed && buf.len - 6 <= len + avro_block_overhead(len));
    cr_assert(buf.ptr[6] == 2, "one object");
    size_t at = 7, packed = 0;
    for (unsigned shift = 0;; shift += 7) {
        packed |= (size_t)(buf.ptr[at] & 0x7f) << shift;
        if ((buf.ptr[at++] & 0x80) == 0) break;
    }
    packed /= 2;
    cr_assert(at + packed + AVRO_MARKER_BYTES == buf.len);
    z_stream z = {.next_in = buf.ptr + at, .avail_in = (uInt)packed};
    z.next_out = back, z.avail_out = (uInt)len;
    cr_assert(inflateInit2(&z, -MAX_WBITS) == Z_OK);
    cr_assert(inflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out == len);
    (void)inflateEnd(&z);
    cr_assert(memcmp(raw, back, len) == 0);
}
