#include "kafka/wire.h"
#include "test/rf_prop.h" /* includes <criterion/criterion.h> */

static struct rf_buf buf_in(struct rf_arena *arena)
{
    rf_arena_init(arena, 1u << 20);
    return rf_buf_in(arena);
}

Test(kafka_wire, what_is_put_is_got)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_buf out = buf_in(&arena);
    kafka_put_i8(&out, -2);
    kafka_put_bool(&out, true);
    kafka_put_i16(&out, -3);
    kafka_put_i32(&out, INT32_MIN);
    kafka_put_i64(&out, INT64_MAX);
    kafka_put_string(&out, RF_S("topic"));
    kafka_put_nullable(&out, (rf_str){NULL, 0});
    kafka_put_string(&out, RF_S(""));
    kafka_put_bytes(&out, RF_S("\0\1"));
    kafka_put_bytes(&out, (rf_str){NULL, 0});
    size_t at = kafka_put_later(&out);
    kafka_put_string(&out, RF_S("x"));
    kafka_set_i32(&out, at, 1);
    struct kafka_reader in = kafka_reader_of(rf_buf_view(&out));
    cr_assert(kafka_get_i8(&in) == -2 && kafka_get_bool(&in) && kafka_get_i16(&in) == -3);
    cr_assert(kafka_get_i32(&in) == INT32_MIN && kafka_get_i64(&in) == INT64_MAX);
    cr_assert(rf_str_is(kafka_get_string(&in), "topic"));
    cr_assert(kafka_get_nullable(&in).ptr == NULL);
    rf_str empty = kafka_get_string(&in);
    cr_assert(empty.ptr != NULL && empty.len == 0);
    cr_assert(rf_str_eq(kafka_get_bytes(&in), RF_S("\0\1")));
    cr_assert(kafka_get_bytes(&in).ptr == NULL);
    cr_assert(kafka_get_count(&in, 3, NULL) == 1 && rf_str_is(kafka_get_string(&in), "x"));
    cr_assert(!in.bad && in.rest.len == 0);
    (void)kafka_get_i8(&in);
    cr_assert(in.bad, "a read beyond the end");
}

Test(kafka_wire, numbers_are_big_endian)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_buf out = buf_in(&arena);
    kafka_put_i32(&out, 0x01020304);
    kafka_put_uvarint(&out, 300);
    cr_assert(rf_str_eq(rf_buf_view(&out), RF_S("\1\2\3\4\xac\2")));
}

Test(kafka_wire, refuses_lengths_that_lie)
{
    static const struct {
        rf_str bytes;
        enum { NULLABLE, STRING, BYTES, COUNT, COMPACT, TAGS } what;
    } rows[] = {
        {RF_S("\0\3ab"), NULLABLE},
        {RF_S("\xff\xfe"), NULLABLE},
        {RF_S("\xff\xff"), STRING},
        {RF_S("\0"), STRING},
        {RF_S("\x7f\xff\xff\xff"), BYTES},
        {RF_S("\0\0\0\2abc"), COUNT}, /* two of two bytes each do not fit */
        {RF_S("\xff\xff\xff\xff"), COUNT},
        {RF_S("\5ab"), COMPACT},
        {RF_S("\xff\xff\xff\xff\xff\xff"), COMPACT},
        {RF_S("\1\0\5a"), TAGS},
        {RF_S("\xff\xff\xff\xff\x0f"), TAGS},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct kafka_reader in = kafka_reader_of(rows[i].bytes);
        switch (rows[i].what) {
        case NULLABLE:
            (void)kafka_get_nullable(&in);
            break;
        case STRING:
            (void)kafka_get_string(&in);
            break;
        case BYTES:
            (void)kafka_get_bytes(&in);
            break;
        case COUNT:
            cr_assert(kafka_get_count(&in, 2, NULL) == 0);
            break;
        case COMPACT:
            (void)kafka_get_compact(&in);
            break;
        case TAGS:
            kafka_skip_tags(&in);
            break;
        }
        cr_assert(in.bad, "row %zu", i);
    }
}

Test(kafka_wire, null_arrays_where_they_may_be)
{
    bool is_null = false;
    struct kafka_reader in = kafka_reader_of(RF_S("\xff\xff\xff\xff\0\0\0\0"));
    cr_assert(kafka_get_count(&in, 4, &is_null) == 0 && is_null && !in.bad);
    cr_assert(kafka_get_count(&in, 4, &is_null) == 0 && !is_null && !in.bad);
    in = kafka_reader_of(RF_S("\0\2\1\4a"));
    cr_assert(kafka_get_compact(&in).ptr == NULL && !in.bad);
    kafka_skip_tags(&in);
    cr_assert(in.bad, "one tag, whose length is cut");
}

/* Property: no bytes make a reader pass their end, and once bad it stays bad and gives nothing. */
RF_PROP(kafka_wire_reads_stay_inside, 2000)
{
    uint8_t raw[64];
    rf_str bytes = rf_test_bytes(prng, raw, sizeof raw, "\0\1\2\3\x7f\x80\xff");
    struct kafka_reader in = kafka_reader_of(bytes);
    for (int i = 0; i < 20; i++) {
        bool was_bad = in.bad;
        rf_str text = i % 3 == 0   ? kafka_get_nullable(&in)
                      : i % 3 == 1 ? kafka_get_bytes(&in)
                                   : kafka_get_compact(&in);
        cr_assert(!was_bad || (in.bad && text.len == 0));
        cr_assert(text.len == 0 ||
                  (text.ptr >= bytes.ptr && text.ptr + text.len <= bytes.ptr + bytes.len));
    }
}
