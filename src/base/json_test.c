#include "base/json.h"
#include "test/rf_prop.h"

/* Reads all of `text` and prints the events: {[ ]} as they are, keys as k(..), others by kind. */
static enum rf_kind describe(rf_str text, bool many, struct rf_buf *out, struct rf_err *err)
{
    struct json_reader reader;
    struct json_event event;
    if (many)
        json_reader_init_many(&reader, text);
    else
        json_reader_init(&reader, text);
    for (;;) {
        RF_TRY(json_next(&reader, &event, err));
        rf_str content = {0};
        bool has_text = event.kind == JSON_KEY || event.kind == JSON_STRING;
        if (has_text) cr_assert(json_text(&event, out->arena, &content));
        switch (event.kind) {
        case JSON_END:
            return RF_OK;
        case JSON_OBJECT_BEGIN:
            rf_buf_byte(out, '{');
            break;
        case JSON_OBJECT_END:
            rf_buf_byte(out, '}');
            break;
        case JSON_ARRAY_BEGIN:
            rf_buf_byte(out, '[');
            break;
        case JSON_ARRAY_END:
            rf_buf_byte(out, ']');
            break;
        case JSON_KEY:
            rf_buf_printf(out, "k(%.*s)", RF_FMT(content));
            break;
        case JSON_STRING:
            rf_buf_printf(out, "s(%.*s)", RF_FMT(content));
            break;
        case JSON_NUMBER:
            rf_buf_printf(out, "%c(%.*s)", event.whole ? 'w' : 'n', RF_FMT(event.text));
            break;
        case JSON_TRUE:
            rf_buf_byte(out, 't');
            break;
        case JSON_FALSE:
            rf_buf_byte(out, 'f');
            break;
        case JSON_NULL:
            rf_buf_byte(out, '0');
            break;
        }
    }
}

/* A copy of its own size, so that a sanitizer sees a read past the end. */
static rf_str tight(rf_str text)
{
    uint8_t *copy = malloc(text.len + (text.len == 0));
    if (text.len != 0) memcpy(copy, text.ptr, text.len);
    return rf_str_make(copy, text.len);
}

static void free_tight(rf_str text) { free((void *)(uintptr_t)text.ptr); }

Test(json, accepts)
{
    static const struct {
        const char *text, *events;
    } cases[] = {
        {"null", "0"},
        {" true ", "t"},
        {"\t\r\n false\n", "f"},
        {"\"\"", "s()"},
        {"{}", "{}"},
        {"[ ]", "[]"},
        {"[1,-0,0.5,-1.25e+10,1E5,0e0]", "[w(1)w(-0)n(0.5)n(-1.25e+10)n(1E5)n(0e0)]"},
        {"{\"a\":1,\"b\" : [true,{\"c\":null}]}", "{k(a)w(1)k(b)[t{k(c)0}]}"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "s(\"\\/\b\f\n\r\t)"},
        {"\"\\u0041\\u00e9\\u20ac\\uD83D\\uDE00\"", "s(A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80)"},
        {"\"\\ud83d\"", "s(\xef\xbf\xbd)"},
        {"\"\\ude00x\"", "s(\xef\xbf\xbdx)"},
        {"\"\\ud83d\\ud83d\\ude00\"", "s(\xef\xbf\xbd\xf0\x9f\x98\x80)"},
        {"\"\\ud83d\\n\"", "s(\xef\xbf\xbd\n)"},
        {"{\"\\u006b\":\"a longer text than one vector \\n of sixteen bytes\"}",
         "{k(k)s(a longer text than one vector \n of sixteen bytes)}"},
        {"\"gr\xc3\xbc\xc3\x9f"
         "e \xf0\x9f\x98\x80\"",
         "s(gr\xc3\xbc\xc3\x9f"
         "e \xf0\x9f\x98\x80)"},
        {"{\"a\":1,\"a\":2}", "{k(a)w(1)k(a)w(2)}"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1u << 20);
        struct rf_buf out = rf_buf_in(&arena);
        struct rf_err err = {0};
        rf_str text = tight(rf_str_of(cases[i].text));
        cr_assert_eq(describe(text, false, &out, &err), RF_OK, "%s: %s", cases[i].text, err.text);
        cr_assert(rf_str_is(rf_buf_view(&out), cases[i].events), "%s gave %.*s", cases[i].text,
                  RF_FMT(rf_buf_view(&out)));
        free_tight(text);
    }
}

Test(json, rejects_and_names_the_place)
{
    static const struct {
        const char *text;
        size_t offset;
    } cases[] = {
        {"", 0},
        {" ", 1},
        {"nul", 0},
        {"nulll", 4},
        {"True", 0},
        {"NaN", 0},
        {"01", 0},
        {"-", 1},
        {"+1", 0},
        {".5", 0},
        {"1.", 2},
        {"1.e5", 2},
        {"1e", 2},
        {"1e+", 3},
        {"0x10", 1},
        {"1 2", 2},
        {"{}{}", 2},
        {"[1,]", 3},
        {"[,1]", 1},
        {"[1 2]", 3},
        {"[", 1},
        {"[1", 2},
        {"{", 1},
        {"{\"a\"}", 4},
        {"{\"a\":}", 5},
        {"{\"a\":1,}", 7},
        {"{a:1}", 1},
        {"{'a':1}", 1},
        {"{1:2}", 1},
        {"[1}", 2},
        {"{\"a\":1]", 6},
        {"]", 0},
        {"\"abc", 4},
        {"\"a\\\"", 4},
        {"\"\\x\"", 1},
        {"\"\\u12g4\"", 1},
        {"\"\\u12", 5},
        {"\"a\tb\"", 2},
        {"\"a\x01\"", 2},
        {"\"\x80\"", 1},
        {"\"\xc0\xaf\"", 1},
        {"\"\xed\xa0\x80\"", 1},
        {"\"\xf5\x80\x80\x80\"", 1},
        {"\"\xe2\x82\"", 1},
        {"\xef\xbb\xbf{}", 0},
        {"// x\n1", 0},
        {"\xc2\xa0"
         "1",
         0},
        {"truefalse", 4},
        {"[1\"a\"]", 2},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1u << 20);
        struct rf_buf out = rf_buf_in(&arena);
        struct rf_err err = {0};
        struct json_reader reader;
        struct json_event event;
        rf_str text = tight(rf_str_of(cases[i].text));
        cr_assert_eq(describe(text, false, &out, &err), RF_INVALID, "%s", cases[i].text);
        cr_assert_str_eq(err.code, "BadJson");
        json_reader_init(&reader, text);
        while (json_next(&reader, &event, NULL) == RF_OK) continue;
        cr_assert_eq(json_offset(&reader), cases[i].offset, "%s at %zu", cases[i].text,
                     json_offset(&reader));
        free_tight(text);
    }
}

Test(json, a_stop_at_every_place_of_a_vector)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 22);
    for (size_t len = 0; len < 70; len++) {
        struct rf_buf text = rf_buf_in(&arena);
        rf_buf_byte(&text, '"');
        for (size_t i = 0; i < len; i++) rf_buf_byte(&text, (uint8_t)('a' + i % 26));
        rf_buf_str(&text,
                   RF_S("\",\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
        struct json_reader reader;
        struct json_event event;
        json_reader_init(&reader, rf_buf_view(&text));
        cr_assert_eq(json_next(&reader, &event, NULL), RF_OK); /* what follows must not disturb */
        cr_assert_eq(event.text.len, len);
        for (size_t bad = 0; bad < len; bad++) {
            static const uint8_t bytes[] = {0x00, 0x1f, '\n', 0x80, 0xff};
            for (size_t b = 0; b < RF_COUNT(bytes); b++) {
                uint8_t kept = text.ptr[1 + bad];
                text.ptr[1 + bad] = bytes[b];
                json_reader_init(&reader, rf_buf_view(&text));
                cr_assert_eq(json_next(&reader, &event, NULL), RF_INVALID, "%zu of %zu", bad, len);
                text.ptr[1 + bad] = kept;
            }
        }
    }
}

Test(json, depth_is_bounded)
{
    char text[2 * JSON_DEPTH_MAX + 3];
    for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        struct json_reader reader;
        struct rf_err err;
        json_reader_init(&reader, rf_str_make(text, (size_t)depth * 2));
        enum rf_kind kind = json_skip_value(&reader, NULL, &err);
        cr_assert_eq(kind, depth > JSON_DEPTH_MAX ? RF_LIMIT : RF_OK);
        if (kind != RF_OK) cr_assert_str_eq(err.code, "JsonTooDeep");
    }
}

Test(json, many_values)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct rf_buf out = rf_buf_in(&arena);
    cr_assert_eq(describe(RF_S("{\"a\":1}\n2 3\n\n[]\"x\" "), true, &out, NULL), RF_OK);
    cr_assert(rf_str_is(rf_buf_view(&out), "{k(a)w(1)}w(2)w(3)[]s(x)"));
    out.len = 0;
    cr_assert_eq(describe(RF_S(""), true, &out, NULL), RF_OK);
    cr_assert_eq(describe(RF_S("1 01"), true, &out, NULL), RF_INVALID);
    cr_assert_eq(describe(RF_S("1 [1"), true, &out, NULL), RF_INVALID);
}

Test(json, skips)
{
    struct json_reader reader;
    struct json_event event;
    rf_str text;
    json_reader_init(&reader, RF_S("{\"a\": {\"x\":[1,{\"y\":\"]}\"}]} ,\"b\":[[],2,3],\"c\":7}"));
    cr_assert_eq(json_next(&reader, &event, NULL), RF_OK);
    cr_assert_eq(json_next(&reader, &event, NULL), RF_OK);
    cr_assert_eq(json_skip_value(&reader, &text, NULL), RF_OK);
    cr_assert(rf_str_is(text, "{\"x\":[1,{\"y\":\"]}\"}]}"));
    for (int i = 0; i < 3; i++) cr_assert_eq(json_next(&reader, &event, NULL), RF_OK);
    cr_assert_eq(event.kind, JSON_ARRAY_BEGIN);
    for (int i = 0; i < 3; i++) cr_assert_eq(json_skip_container(&reader, NULL), RF_OK);
    cr_assert_eq(json_next(&reader, &event, NULL), RF_OK);
    cr_assert_eq(event.kind, JSON_END);

    json_reader_init(&reader, RF_S("[1,tru]"));
    cr_assert_eq(json_skip_value(&reader, NULL, NULL), RF_INVALID, "what is skipped is checked");
}

Test(json, numbers)
{
    static const struct {
        const char *text;
        bool fits;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"7", true, 7},
        {"12345678", true, 12345678},
        {"-123456789", true, -123456789},
        {"1234567890123456", true, 1234567890123456},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"9999999999999999999", false, 0},
        {"10000000000000000000", false, 0},
        {"123456789012345678901234567890", false, 0},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int64_t value = 0;
        cr_assert_eq(json_number_i64(rf_str_of(cases[i].text), &value), cases[i].fits);
        cr_assert_eq(value, cases[i].value, "%s", cases[i].text);
    }
}

Test(json, put_string)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct rf_buf out = rf_buf_in(&arena);
    json_put_string(&out, RF_S("a\"b\\c\n\x01\x7f/\xc3\xa9"));
    json_put_string(&out, RF_S(""));
    json_put_string(&out, RF_S("x\xffy"));
    cr_assert(rf_str_is(rf_buf_view(&out),
                        "\"a\\\"b\\\\c\\n\\u0001\x7f/\xc3\xa9\"\"\"\"x\xef\xbf\xbdy\""));
}

/* Property: what json_put_string writes reads back. */
RF_PROP(json_strings_read_back, 2000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    uint8_t raw[200];
    rf_str text = rf_test_bytes(prng, raw, sizeof raw, "aB9 \"\\/\n\t\x01\x7f");
    struct rf_buf out = rf_buf_in(&arena);
    json_put_string(&out, text);
    struct json_reader reader;
    struct json_event event;
    rf_str back;
    json_reader_init(&reader, rf_buf_view(&out));
    cr_assert_eq(json_next(&reader, &event, NULL), RF_OK);
    cr_assert(json_text(&event, &arena, &back));
    cr_assert(rf_str_eq(text, back));
}
