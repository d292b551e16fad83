#include "collect/msgpack.h"

#include <stdio.h>

#include "test/rf_prop.h"

/* Bytes as hex digits, blanks ignored. */
static rf_str bytes_of(struct rf_arena *arena, const char *hex)
{
    struct rf_buf buf = rf_buf_in(arena);
    for (unsigned byte; *hex != '\0';) {
        if (*hex == ' ') {
            hex++;
            continue;
        }
        cr_assert(sscanf(hex, "%2x", &byte) == 1);
        rf_buf_byte(&buf, (uint8_t)byte);
        hex += 2;
    }
    /* Of just its size, so that a sanitizer sees a read behind the end. */
    rf_str bytes = {NULL, 0};
    (void)rf_arena_str(arena, rf_buf_view(&buf), &bytes);
    return bytes;
}

Test(msgpack, values_as_json)
{
    static const struct {
        const char *hex, *json;
    } tests[] = {
        {"c0", "null"},
        {"c2", "false"},
        {"c3", "true"},
        {"00", "0"},
        {"7f", "127"},
        {"e0", "-32"},
        {"ff", "-1"},
        {"ccff", "255"},
        {"cdffff", "65535"},
        {"ceffffffff", "4294967295"},
        {"cfffffffffffffffff", "18446744073709551615"},
        {"d080", "-128"},
        {"d18000", "-32768"},
        {"d280000000", "-2147483648"},
        {"d38000000000000000", "-9223372036854775808"},
        {"ca3fc00000", "1.5"},
        {"cb3ff8000000000000", "1.5"},
        {"cb4000000000000000", "2"},
        {"cb7ff8000000000000", "null"},
        {"cb7ff0000000000000", "null"},
        {"a0", "\"\""},
        {"a3616263", "\"abc\""},
        {"d903616263", "\"abc\""},
        {"da0003616263", "\"abc\""},
        {"db00000003616263", "\"abc\""},
        {"a1e4", "\"\xc3\xa4\""},   /* Latin-1 */
        {"a2c3a4", "\"\xc3\xa4\""}, /* UTF-8 */
        {"c403616263", "\"abc\""},  /* binary that is a text */
        {"c402ff00", "\"/wA=\""},   /* and that is none */
        {"c50001ff", "\"/w==\""},
        {"c60000000161", "\"a\""},
        {"90", "[]"},
        {"93010203", "[1,2,3]"},
        {"dc000101", "[1]"},
        {"dd0000000101", "[1]"},
        {"80", "{}"},
        {"82a16101a162920203", "{\"a\":1,\"b\":[2,3]}"},
        {"de0001a16181a16205", "{\"a\":{\"b\":5}}"},
        {"df00000001a16105", "{\"a\":5}"},
        {"8101c3", "{\"1\":true}"},     /* a number as key */
        {"81c40161c3", "{\"a\":true}"}, /* and binary */
        {"d6ff67748580", "\"2025-01-01T00:00:00.0000000Z\""},
        {"d7ff002dc6c067748580", "\"2025-01-01T00:00:00.0007500Z\""},
        {"c70cff0000000000000000 67748580", "\"2025-01-01T00:00:00.0000000Z\""},
        {"c70cff00000000ffffffffffffffff", "-1"},
        {"d700677485801dcd6500", "\"2025-01-01T00:00:00.5000000Z\""},
        {"d700ffffffff00000000", "-1"},
        {"d40501", "\"AQ==\""},
        {"c7030701 0203", "\"AQID\""},
        {"c70007", "\"\""},
    };
    for (size_t i = 0; i < RF_COUNT(tests); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct json_node *node;
        struct rf_err err = {.text = ""};
        size_t at = 0;
        rf_arena_init(&arena, 1 << 20);
        rf_str bytes = bytes_of(&arena, tests[i].hex);
        enum rf_kind kind = msgpack_read(bytes, &at, &arena, &node, &err);
        cr_expect(kind == RF_OK && at == bytes.len, "%s: %s", tests[i].hex, err.text);
        if (kind != RF_OK) continue;
        rf_str text = json_to_text(&arena, node);
        cr_expect(rf_str_is(text, tests[i].json), "%s: %.*s", tests[i].hex, RF_FMT(text));
    }
}

Test(msgpack, what_is_malformed_names_the_byte)
{
    static const struct {
        const char *hex, *says;
    } tests[] = {
        {"", "byte 0: the body ends"},
        {"c1", "byte 0: 0xc1"},
        {"cd00", "byte 1: the body ends"},
        {"a3", "byte 1: the body ends"},
        {"a36162", "byte 1: the body ends"},
        {"dbffffffff61", "byte 5: the body ends"},
        {"93", "byte 1: a list or map has more values"},
        {"ddffffffff", "more values"},
        {"dfffffffff00", "more values"},
        {"81c0c0", "byte 2: a key must be"},
        {"819000", "a key must be"},
        {"8190c0c0", "a key must be"},
        {"d7", "the body ends"},
        {"d6ff0000", "the body ends"},
        {"c9ffffffff00", "the body ends"},
        {"81a161c1", "byte 3: 0xc1"},
    };
    for (size_t i = 0; i < RF_COUNT(tests); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct json_node *node = NULL;
        struct rf_err err = {.text = ""};
        size_t at = 0;
        rf_arena_init(&arena, 1 << 20);
        enum rf_kind kind = msgpack_read(bytes_of(&arena, tests[i].hex), &at, &arena, &node, &err);
        cr_expect(kind == RF_INVALID && strstr(err.text, tests[i].says) != NULL, "%s: %s",
                  tests[i].hex, err.text);
        cr_expect(at == 0 && node == NULL);
    }
}

Test(msgpack, depth_and_memory_have_limits)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct json_node *node;
    struct rf_err err;
    uint8_t deep[MSGPACK_DEPTH_MAX + 1];
    rf_arena_init(&arena, 1 << 20);
    memset(deep, 0x91, sizeof deep);
    deep[MSGPACK_DEPTH_MAX] = 0xc0;
    size_t at = 0;
    cr_assert(msgpack_read(rf_str_make(deep, sizeof deep), &at, &arena, &node, &err) == RF_OK);
    deep[MSGPACK_DEPTH_MAX] = 0x90;
    at = 0;
    cr_assert(msgpack_read(rf_str_make(deep, sizeof deep), &at, &arena, &node, &err) == RF_LIMIT);
    cr_assert_str_eq(err.code, "MsgpackTooDeep");
    struct rf_arena small;
    rf_arena_init(&small, 200);
    at = 0;
    cr_assert(msgpack_read(bytes_of(&arena, "93a16101a162"), &at, &small, &node, &err) == RF_LIMIT);
    rf_arena_done(&small);
}

/* "TIME {...};" of each record, TIME in microseconds or -. */
static rf_str records_of(struct rf_arena *arena, rf_str bytes, struct rf_err *err)
{
    struct rf_buf out = rf_buf_in(arena);
    struct msgpack_records records = {0};
    for (;;) {
        struct msgpack_record record;
        if (msgpack_next_record(bytes, &records, arena, &record, err) != RF_OK) {
            rf_buf_str(&out, RF_S("failed"));
            return rf_buf_view(&out);
        }
        if (record.fields == NULL) return rf_buf_view(&out);
        if (record.has_time)
            rf_buf_printf(&out, "%lld ", (long long)record.time);
        else
            rf_buf_str(&out, RF_S("- "));
        rf_buf_str(&out, json_to_text(arena, record.fields));
        rf_buf_byte(&out, ';');
    }
}

#define T2025 "1735689600000000"
Test(msgpack, records_as_fluent_bit_sends_them)
{
    static const struct {
        const char *hex, *records;
    } tests[] = {
        {"", ""},
        /* Until 2.0: [time, {...}], with the time as an extension, a number or a real. */
        {"92 d7006774858000000000 81a16101", T2025 " {\"a\":1};"},
        {"92 ce67748580 81a16101", T2025 " {\"a\":1};"},
        {"92 cb41d9dd2160200000 81a16101", "1735689600500000 {\"a\":1};"},
        /* Since 2.1: [[time, {metadata}], {...}]; several. */
        {"92 92d700677485800000000080 81a16101 92 92d7006774858000000000 81a16d05 81a16102",
         T2025 " {\"a\":1};" T2025 " {\"a\":2};"},
        /* A group: its marks have the seconds -1 and -2. */
        {"92 92d700ffffffff0000000080 81a17207 92 92d700677485800000000080 81a16101 "
         "92 92d700fffffffe0000000080 80",
         T2025 " {\"a\":1};"},
        /* Bare, and in lists. */
        {"81a16101 81a16102", "- {\"a\":1};- {\"a\":2};"},
        {"92 81a16101 81a16102", "- {\"a\":1};- {\"a\":2};"},
        {"91 92ce67748580 81a16101", T2025 " {\"a\":1};"},
        {"92 92ce6774858081a16101 92ce6774858081a16102", T2025 " {\"a\":1};" T2025 " {\"a\":2};"},
        {"90 81a16101", "- {\"a\":1};"},
        {"92 c0 81a16101", "- {\"a\":1};"},
        {"01", "failed"},
        {"9101", "failed"},
        {"81a16101 92ce6774858001", "- {\"a\":1};failed"},
        {"91 91 91 81a16101", "failed"},
        {"92 92d7006774", "failed"},
    };
    for (size_t i = 0; i < RF_COUNT(tests); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct rf_err err = {.text = ""};
        rf_arena_init(&arena, 1 << 20);
        rf_str got = records_of(&arena, bytes_of(&arena, tests[i].hex), &err);
        cr_expect(rf_str_is(got, tests[i].records), "%s: %.*s (%s)", tests[i].hex, RF_FMT(got),
                  err.text);
    }
}

/* Property: what a writer of the format makes of a tree is read as that tree; each part of it is refused, never read behind its end. */
static void put_random(struct rf_prng *prng, struct rf_buf *buf, struct rf_buf *json, int depth)
{
    uint64_t what = rf_test_below(prng, depth == 0 ? 4 : 6);
    uint32_t count = (uint32_t)rf_test_below(prng, 5);
    switch (what) {
    case 0: {
        int64_t number = rf_test_i64(prng);
        rf_buf_byte(buf, 0xd3);
        for (int i = 56; i >= 0; i -= 8) rf_buf_byte(buf, (uint8_t)((uint64_t)number >> i));
        rf_buf_printf(json, "%lld", (long long)number);
        break;
    }
    case 1:
        rf_buf_byte(buf, 0xc0);
        rf_buf_str(json, RF_S("null"));
        break;
    case 2:
    case 3:
        rf_buf_byte(buf, (uint8_t)(0xa0 | count));
        rf_buf_byte(json, '"');
        for (uint32_t i = 0; i < count; i++) {
            uint8_t c = (uint8_t)('a' + rf_test_below(prng, 26));
            rf_buf_byte(buf, c);
            rf_buf_byte(json, c);
        }
        rf_buf_byte(json, '"');
        break;
    default:
        rf_buf_byte(buf, (uint8_t)((what == 4 ? 0x90 : 0x80) | count));
        rf_buf_byte(json, what == 4 ? '[' : '{');
        for (uint32_t i = 0; i < count; i++) {
            if (i > 0) rf_buf_byte(json, ',');
            if (what == 5) {
                rf_buf_byte(buf, 0xa1);
                rf_buf_byte(buf, (uint8_t)('A' + i));
                rf_buf_printf(json, "\"%c\":", 'A' + (int)i);
            }
            put_random(prng, buf, json, depth - 1);
        }
        rf_buf_byte(json, what == 4 ? ']' : '}');
        break;
    }
}

RF_PROP(msgpack_reads_what_was_written, 500)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct json_node *node;
    struct rf_err err;
    rf_arena_init(&arena, 16 << 20);
    struct rf_buf buf = rf_buf_in(&arena), json = rf_buf_in(&arena);
    put_random(prng, &buf, &json, 4);
    rf_str bytes = rf_buf_view(&buf);
    size_t at = 0;
    cr_assert(msgpack_read(bytes, &at, &arena, &node, &err) == RF_OK, "%s", err.text);
    cr_assert(at == bytes.len);
    cr_assert(rf_str_eq(json_to_text(&arena, node), rf_buf_view(&json)));
    for (size_t len = 0; len < bytes.len && len < 300; len++) {
        rf_str part;
        size_t from = 0;
        cr_assert(rf_arena_str(&arena, rf_slice(bytes, 0, len), &part));
        cr_assert(msgpack_read(part, &from, &arena, &node, &err) == RF_INVALID);
    }
}
