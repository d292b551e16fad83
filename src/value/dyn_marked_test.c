#include "value/dyn_marked.h"

#include "test/rf_prop.h"

struct fixture {
    struct rf_arena arena;
    struct rf_buf marked, plain;
    struct dyn_marked *reader;
    struct dyn_shape shape;
    uint32_t *items;
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){0};
    rf_arena_init(&f->arena, 64 << 20);
    f->marked = rf_buf_in(&f->arena);
    f->plain = rf_buf_in(&f->arena);
    f->reader = dyn_marked_new(&f->arena);
    f->items = rf_arena_raw(&f->arena, uint32_t, JSON_MARKS_ROOM);
    cr_assert(f->reader != NULL && f->items != NULL);
}

/* Reads `json` as the rest of a line; whether it was taken. What is taken is what dyn_parse_json makes of it, byte for
 * byte. */
static bool taken(struct fixture *f, rf_str json)
{
    uint8_t *line = rf_arena_zalloc(&f->arena, json.len + 4 + 64);
    line[0] = line[1] = '"';
    if (json.len > 0) memcpy(line + 2, json.ptr, json.len);
    memcpy(line + 2 + json.len, ",\n", 2);
    struct json_marks marks = {.items = f->items};
    json_marks_find(&marks, line, line + json.len + 4);
    if (marks.end == marks.base || !marks.utf8) return false;
    f->marked.len = f->plain.len = 0;
    const uint32_t *mark = marks.items + 2;
    const uint8_t *end = dyn_read_marked(f->reader, &marks, line + 2, &mark, &f->shape, &f->marked);
    if (end == NULL) {
        cr_assert(f->marked.len == 0 && mark == marks.items + 2);
        return false;
    }
    rf_str text = rf_str_make(line + 2, (size_t)(end - line) - 2);
    cr_assert(dyn_parse_json(text, &f->plain, NULL) == RF_OK, "%.*s", RF_FMT(text));
    cr_assert(rf_str_eq(dyn_done(&f->marked), dyn_done(&f->plain)), "%.*s", RF_FMT(text));
    cr_assert(mark == marks.items + marks.count || marks.base + *mark >= end);
    return text.len == json.len;
}

Test(dyn_marked, values)
{
    static const char *const good[] = {
        "{}",
        "[]",
        "[1,-2,300,12345678,123456789,1234567890123456,12345678901234567]",
        "[0,-0,0.5,-0.5,1.10,3.84487,1e3,1E-2,12.5e1,0.0001]",
        "[123456789.12345678,99999999999999999999]",
        "[true,false,null,\"\",\"short\",\"a text that is longer than thirty-two bytes are\"]",
        "{\"a\":1,\"b\":{\"c\":[{\"d\":\"e\"},{},[]]},\"\":null}",
        "{\"a\": 1, \"b\": [ 1, 2 ] }",
        "[\"C:\\\\Windows\",\"\\u00e9\\n\"]",
        "{\"a\":1,\"b\":2,\"a\":3}",
        "{\"k1\":1,\"k1\":{\"k2\":2}}",
        "[9223372036854775807,-9223372036854775808,9223372036854775808]"};
    static const char *const bad[] = {"{",
                                      "[",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "[1,]",
                                      "{\"a\":1,}",
                                      "[01]",
                                      "[1.]",
                                      "[.5]",
                                      "[-]",
                                      "[1e]",
                                      "[tru]",
                                      "[fals]",
                                      "[falsy]",
                                      "{a:1}",
                                      "{1:1}",
                                      "[1}",
                                      "{\"a\":1]",
                                      "[\"\\x\"]",
                                      "[1 2]",
                                      "[\"a\" \"b\"]",
                                      "[+1]",
                                      "[nul]",
                                      "{,}",
                                      "[\t1\t2]",
                                      "{\\n\":1,\\n\":2}"};
    struct fixture f;
    setup(&f);
    for (int round = 0; round < 3; round++) { /* other lists were seen before each */
        for (size_t i = 0; i < RF_COUNT(good); i++)
            cr_assert(taken(&f, rf_str_of(good[i])), "%s", good[i]);
        for (size_t i = 0; i < RF_COUNT(bad); i++)
            cr_assert(!taken(&f, rf_str_of(bad[i])), "%s", bad[i]);
    }
    rf_arena_done(&f.arena);
}

/* As deep as the other reader goes, and no deeper; with many entries, and many keys that are equal. */
Test(dyn_marked, limits)
{
    struct fixture f;
    setup(&f);
    struct rf_buf text = rf_buf_in(&f.arena);
    for (int depth = 127; depth <= 129; depth++) {
        text.len = 0;
        for (int i = 0; i < depth; i++) rf_buf_byte(&text, '[');
        for (int i = 0; i < depth; i++) rf_buf_byte(&text, ']');
        cr_assert_eq(taken(&f, rf_buf_view(&text)), depth <= 128);
    }
    text.len = 0;
    rf_buf_str(&text, RF_S("{\"list\":["));
    for (int i = 0; i < 2000; i++) rf_buf_printf(&text, "%d,", i);
    rf_buf_str(&text, RF_S("0]"));
    for (int i = 0; i < 700; i++) rf_buf_printf(&text, ",\"k%d\":%d", i % 300, i);
    rf_buf_str(&text, RF_S("}"));
    cr_assert(taken(&f, rf_buf_view(&text)));
    cr_assert(taken(&f, rf_buf_view(&text)));
    rf_arena_done(&f.arena);
}

static void put_random(struct rf_prng *prng, struct rf_buf *out, uint32_t depth)
{
    static const char *const scalars[] = {
        "null", "true",      "false",      "0",
        "-7",   "12345678",  "1.25",       "1e5",
        "\"\"", "\"value\"", "\"a\\\"b\"", "\"as long as forty bytes, or longer than it\""};
    uint64_t kind = rf_test_below(prng, depth == 0 ? 1 : 3);
    if (kind == 0) {
        rf_buf_str(out, rf_str_of(scalars[rf_test_below(prng, RF_COUNT(scalars))]));
        return;
    }
    uint64_t count = rf_test_below(prng, 6);
    rf_buf_byte(out, kind == 1 ? '[' : '{');
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0) rf_buf_byte(out, ',');
        if (kind == 2) rf_buf_printf(out, "\"key%d\":", (int)rf_test_below(prng, 12));
        put_random(prng, out, depth - 1);
    }
    rf_buf_byte(out, kind == 1 ? ']' : '}');
}

/* Random values, whole and with a byte changed. */
RF_PROP(dyn_marked_agrees_with_dyn_parse_json, 3000)
{
    struct fixture f;
    setup(&f);
    for (int i = 0; i < 5; i++) {
        struct rf_buf text = rf_buf_in(&f.arena);
        rf_buf_byte(&text, '[');
        put_random(prng, &text, 4);
        rf_buf_byte(&text, ']');
        cr_assert(taken(&f, rf_buf_view(&text)), "%.*s", RF_FMT(rf_buf_view(&text)));
        static const char bytes[] = "\"\\{}[],:0.e-tx \n";
        text.ptr[rf_test_below(prng, text.len)] =
            (uint8_t)bytes[rf_test_below(prng, sizeof bytes - 1)];
        (void)taken(&f, rf_buf_view(&text));
    }
    rf_arena_done(&f.arena);
}
