#include "base/fs_fault.h"
#include "base/input.h"
#include "test/rf_prop.h"

#include <errno.h>
#include <zlib.h>
#include <zstd.h>

static rf_str gzip(struct rf_arena *arena, rf_str text)
{
    z_stream z = {0};
    cr_assert(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t cap = deflateBound(&z, text.len) + 64;
    uint8_t *out = rf_arena_alloc(arena, cap);
    cr_assert(out != NULL);
    z.next_in = (Bytef *)(uintptr_t)text.ptr;
    z.avail_in = (uInt)text.len;
    z.next_out = out;
    z.avail_out = (uInt)cap;
    cr_assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    return rf_str_make(out, z.total_out);
}

static rf_str zstd(struct rf_arena *arena, rf_str text)
{
    size_t cap = ZSTD_compressBound(text.len);
    uint8_t *out = rf_arena_alloc(arena, cap);
    cr_assert(out != NULL);
    return rf_str_make(out, ZSTD_compress(out, cap, text.ptr, text.len, 3));
}

static rf_str joined(struct rf_arena *arena, rf_str a, rf_str b)
{
    struct rf_buf buf = rf_buf_in(arena);
    rf_buf_str(&buf, a);
    rf_buf_str(&buf, b);
    return rf_buf_view(&buf);
}

/* Reads all of it in pieces of `step` bytes. */
static enum rf_kind drain(struct input *input, size_t step, struct rf_buf *out, struct rf_err *err)
{
    for (size_t got = 1; got > 0;) {
        cr_assert(rf_buf_reserve(out, step));
        RF_TRY(input_read(input, out->ptr + out->len, step, &got, err));
        cr_assert(got <= step);
        out->len += got;
    }
    return RF_OK;
}

static enum rf_kind unpack(rf_str packed, size_t step, struct rf_buf *out, struct rf_err *err)
{
    struct input *input = NULL;
    RF_TRY(input_open_memory(packed, &input, err));
    enum rf_kind kind = drain(input, step, out, err);
    if (kind == RF_OK) cr_assert(input_offset(input) == out->len);
    if (kind == RF_OK)
        cr_assert(input_raw_offset(input) == packed.len && input_raw_bytes(input) == packed.len);
    input_free(input);
    return kind;
}

RF_PROP(input_gives_back_what_was_packed, 400)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    static uint8_t raw[2][100000];
    rf_str a = rf_test_bytes(prng, raw[0], sizeof raw[0], "abcdef\n"),
           b = rf_test_bytes(prng, raw[1], 3000, NULL);
    rf_str both = joined(&arena, a, b), packed;
    switch (rf_test_below(prng, 4)) {
    case 0:
        packed = joined(&arena, gzip(&arena, a), gzip(&arena, b));
        break;
    case 1:
        packed = joined(&arena, gzip(&arena, both),
                        rf_str_make("\0\0\0\0\0", (size_t)rf_test_below(prng, 6)));
        break;
    case 2:
        packed = joined(&arena, zstd(&arena, a), zstd(&arena, b));
        break;
    default:
        packed = both = a;
    }
    struct rf_buf out = rf_buf_in(&arena);
    struct rf_err err;
    size_t step = 1 + (size_t)rf_test_below(prng, rf_test_bool(prng) ? 100000 : 300);
    cr_assert(unpack(packed, step, &out, &err) == RF_OK, "%s", err.text);
    cr_assert(rf_str_eq(rf_buf_view(&out), both));
}

/* Any damage gives an error or the right text, never a wrong text, and what came before is a
 * prefix. */
RF_PROP(input_notices_damage, 600)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    static uint8_t raw[20000], damaged[40000];
    rf_str text = rf_test_bytes(prng, raw, sizeof raw, "abc \n");
    bool is_gzip = rf_test_bool(prng);
    rf_str packed = is_gzip ? gzip(&arena, text) : zstd(&arena, text);
    memcpy(damaged, packed.ptr, packed.len);
    size_t len = packed.len;
    bool cut = rf_test_bool(prng);
    if (cut)
        len = 4 + (size_t)rf_test_below(prng, len - 4);
    else if (is_gzip) /* behind the header: its flags and name carry no check */
        damaged[10 + rf_test_below(prng, len - 10)] ^= (uint8_t)(1u << rf_test_below(prng, 8));
    struct rf_buf out = rf_buf_in(&arena);
    struct rf_err err;
    enum rf_kind kind =
        unpack(rf_str_make(damaged, len), 1 + (size_t)rf_test_below(prng, 5000), &out, &err);
    if (kind == RF_OK) {
        cr_assert(rf_str_eq(rf_buf_view(&out), text));
    } else {
        cr_assert(kind == RF_CORRUPT, "%s", err.text);
        cr_assert(!cut || strcmp(err.code, "TruncatedInput") == 0, "%s: %s", err.code, err.text);
        cr_assert(!cut || rf_str_starts(text, rf_buf_view(&out)));
    }
}

Test(input, tells_what_is_wrong)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_err err;
    struct {
        rf_str packed;
        const char *code;
    } cases[] = {
        {joined(&arena, gzip(&arena, RF_S("abc")), RF_S("garbage")), "BadGzip"},
        {joined(&arena, gzip(&arena, RF_S("abc")), RF_S("\x1f")), "TruncatedInput"},
        {joined(&arena, zstd(&arena, RF_S("abc")), RF_S("garbage")), "BadZstd"},
        {RF_S("\x1f\x8b"), "TruncatedInput"},
        {RF_S("\x1f\x8b\x08\xff\xff\xff"), "BadGzip"},
        {RF_S("\x28\xb5\x2f\xfd"), "TruncatedInput"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_buf out = rf_buf_in(&arena);
        cr_assert(unpack(cases[i].packed, 100, &out, &err) == RF_CORRUPT, "%zu", i);
        cr_assert(strcmp(err.code, cases[i].code) == 0, "%zu: %s %s", i, err.code, err.text);
    }
    struct rf_buf out = rf_buf_in(&arena);
    cr_assert(unpack(RF_S(""), 100, &out, &err) == RF_OK && out.len == 0);
    cr_assert(unpack(RF_S("\x1f"), 100, &out, &err) == RF_OK && out.len == 1,
              "too short for a magic");
}

Test(input, reads_files_and_passes_their_errors_on)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 8 << 20);
    struct rf_fs_fault *fault = rf_fs_fault_new(5);
    struct rf_fs *fs = rf_fs_fault_fs(fault);
    struct rf_err err;
    struct input *input = NULL;
    uint8_t *big = rf_arena_zalloc(&arena, 1 << 20);
    rf_str packed = gzip(&arena, rf_str_make(big, 1 << 20));
    cr_assert(rf_fs_replace(fs, "/a.gz", packed, &err) == RF_OK &&
              rf_fs_mkdir(fs, "/d", &err) == RF_OK);
    cr_assert(input_open(fs, "/none", &input, &err) == RF_NOT_FOUND);
    cr_assert(input_open(fs, "/d", &input, &err) == RF_INVALID &&
              strcmp(err.code, "NotAFile") == 0);
    uint64_t ops = 0;
    for (uint64_t nth = 1;; nth++) {
        struct rf_buf out = rf_buf_in(&arena);
        rf_fs_fault_fail_at(fault, nth, EIO, false);
        enum rf_kind kind = input_open(fs, "/a.gz", &input, &err);
        if (kind == RF_OK) {
            cr_assert(input_packing(input) == INPUT_GZIP && input_raw_bytes(input) == packed.len);
            kind = drain(input, 1 << 16, &out, &err);
            input_free(input);
        }
        if (kind == RF_OK) {
            cr_assert(out.len == 1 << 20 && nth > 3);
            break;
        }
        cr_assert(kind == RF_IO && ops++ < 100);
        rf_arena_reset(&arena);
    }
    rf_fs_fault_free(fault);
}
