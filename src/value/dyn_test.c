#include "value/dyn.h"

#include "test/rf_prop.h"
#include "value/decimal.h"
#include "value/text.h"

#include <math.h>

static rf_str parsed(struct rf_arena *arena, const char *json)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct rf_err err = {0};
    cr_assert_eq(dyn_parse_json(rf_str_of(json), &buf, &err), RF_OK, "%s: %s", json, err.text);
    cr_assert(dyn_valid(dyn_done(&buf)), "%s", json);
    return dyn_done(&buf);
}

static rf_str encoded(struct rf_arena *arena, struct value v)
{
    struct rf_buf buf = rf_buf_in(arena);
    dyn_put_value(&buf, &v);
    cr_assert(dyn_valid(dyn_done(&buf)));
    return dyn_done(&buf);
}

static rf_str printed(struct rf_arena *arena, rf_str d)
{
    struct rf_buf buf = rf_buf_in(arena);
    dyn_put_json(d, &buf);
    cr_assert(!buf.failed);
    return rf_buf_view(&buf);
}

#define ARENA(name)                                                                                \
    RF_CLEANUP(rf_arena_done) struct rf_arena name;                                                \
    rf_arena_init(&name, 1u << 28)

Test(dyn, json_comes_back)
{
    static const struct {
        const char *json, *back; /* back NULL: the same */
    } cases[] = {
        {"null", NULL},
        {"[true,false]", NULL},
        {"[0,-1,9223372036854775807,-9223372036854775808]", NULL},
        {"[1.5,2.0,0.001,1.10,1e3,1E+2,-0,-0.0,0.1,123456.789012,5e-324,1e400]", NULL},
        {"[18446744073709551615,123456789012345678901234567890,0.1000000000000000055]", NULL},
        {"\"a\\u00e9\\\"\\n\"", "\"a\xc3\xa9\\\"\\n\""},
        {" { \"b\" : 1 , \"a\" : [ { } , [ ] ] } ", "{\"b\":1,\"a\":[{},[]]}"},
        {"{\"a\":1,\"b\":2,\"a\":[3]}", "{\"a\":[3],\"b\":2}"},
        {"{\"\":1,\"\":2}", "{\"\":2}"},
        {"[{\"a\":1,\"a\":{\"x\":1,\"x\":2},\"c\":0}]", "[{\"a\":{\"x\":2},\"c\":0}]"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        ARENA(arena);
        rf_str back = printed(&arena, parsed(&arena, cases[i].json));
        const char *want = cases[i].back != NULL ? cases[i].back : cases[i].json;
        cr_assert(rf_str_is(back, want), "%s gave %.*s", cases[i].json, RF_FMT(back));
    }
}

Test(dyn, number_tags)
{
    static const struct {
        const char *json;
        enum dyn_tag tag;
    } cases[] = {
        {"1", DYN_LONG},
        {"-5", DYN_LONG},
        {"1.5", DYN_REAL},
        {"2.0", DYN_REAL},
        {"52.4712", DYN_REAL},
        {"0.001", DYN_REAL},
        {"1.10", DYN_NUMTEXT},
        {"1e3", DYN_NUMTEXT},
        {"9223372036854775808", DYN_NUMTEXT},
        {"0.30000000000000004", DYN_REAL},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        ARENA(arena);
        cr_assert_eq(dyn_tag(parsed(&arena, cases[i].json)), cases[i].tag, "%s", cases[i].json);
    }
}

Test(dyn, walks)
{
    ARENA(arena);
    rf_str d = parsed(&arena, "{\"a\":{\"b\":[10,20,30]},\"c\":\"text\",\"n\":null}");
    rf_str list = dyn_get(dyn_get(d, RF_S("a")), RF_S("b"));
    cr_assert_eq(dyn_count(list), 3);
    cr_assert_eq(dyn_i64(dyn_item(list, 0)), 10);
    cr_assert_eq(dyn_i64(dyn_item(list, -1)), 30);
    cr_assert_eq(dyn_item(list, 3).len, 0);
    cr_assert_eq(dyn_item(list, -4).len, 0);
    cr_assert_eq(dyn_item(list, INT64_MIN).len, 0);
    cr_assert_eq(dyn_get(list, RF_S("a")).len, 0);
    cr_assert_eq(dyn_get(d, RF_S("x")).len, 0);
    cr_assert(dyn_is_null(dyn_get(d, RF_S("n"))) && dyn_get(d, RF_S("n")).len == 1);
    cr_assert(rf_str_is(dyn_string(dyn_get(d, RF_S("c"))), "text"));
    cr_assert_str_eq(dyn_type_name(d), "dictionary");
    cr_assert_str_eq(dyn_type_name(list), "array");
    cr_assert_str_eq(dyn_type_name((rf_str){0}), "null");
    cr_assert_eq(dyn_to_value(dyn_item(list, 1)).type, TYPE_LONG);
    cr_assert(dyn_to_value((rf_str){0}).null);
}

Test(dyn, bad_json_leaves_the_buffer_alone)
{
    ARENA(arena);
    struct rf_buf buf = rf_buf_in(&arena);
    struct rf_err err;
    dyn_put_long(&buf, 7);
    cr_assert_eq(dyn_parse_json(RF_S("{\"a\":[1,2"), &buf, &err), RF_INVALID);
    cr_assert_str_eq(err.code, "BadJson");
    cr_assert_eq(dyn_parse_json(RF_S("1 2"), &buf, &err), RF_INVALID);
    cr_assert_eq(buf.len, 9);
    buf.len = 0;
    cr_assert(dyn_from_text(RF_S("{a"), &buf));
    cr_assert(rf_str_is(dyn_string(dyn_done(&buf)), "{a"));
    buf.len = 0;
    cr_assert(dyn_from_text(RF_S(""), &buf) && dyn_is_null(dyn_done(&buf)));
}

Test(dyn, memory_runs_out)
{
    rf_str text = RF_S("[1,2,3,{\"a\":\"bcdefghijklmnopqrstuvwxyz\",\"a\":2}]");
    for (size_t limit = 0; limit < 4096; limit += 16) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, limit);
        struct rf_buf buf = rf_buf_in(&arena);
        struct rf_err err;
        enum rf_kind kind = dyn_parse_json(text, &buf, &err);
        cr_assert(kind == RF_OK || kind == RF_LIMIT);
        if (kind == RF_OK) cr_assert(dyn_valid(dyn_done(&buf)));
        cr_assert_eq(dyn_from_text(text, &buf), kind == RF_OK && !buf.failed);
    }
}

/* Many entries and every way of finding repeats: by pairs of fingerprints, by sorting. */
Test(dyn, large_bags)
{
    static const uint32_t counts[] = {2, 5, 127, 128, 129, 500, 513, 3000};
    for (size_t c = 0; c < RF_COUNT(counts); c++) {
        ARENA(arena);
        struct rf_buf json = rf_buf_in(&arena), want = rf_buf_in(&arena);
        rf_buf_byte(&json, '{');
        rf_buf_byte(&want, '{');
        for (uint32_t i = 0; i < counts[c]; i++) {
            rf_buf_printf(&json, "%s\"key%u\":%u", i == 0 ? "" : ",", i, i);
            rf_buf_printf(&want, "%s\"key%u\":%u", i == 0 ? "" : ",", i, i == 1 ? 99 : i);
        }
        rf_buf_str(&json, RF_S(",\"key1\":99}"));
        rf_buf_str(&want, RF_S("}"));
        struct rf_buf buf = rf_buf_in(&arena);
        cr_assert_eq(dyn_parse_json(rf_buf_view(&json), &buf, NULL), RF_OK);
        cr_assert(dyn_valid(dyn_done(&buf)));
        cr_assert(rf_str_eq(printed(&arena, dyn_done(&buf)), rf_buf_view(&want)));
    }
}

Test(dyn, scalars_print)
{
    ARENA(arena);
    struct guid guid = {{0x74, 0xbe, 0x27, 0xde, 0x1e, 0x4e, 0x49, 0xd9, 0xb5, 0x79, 0xfe, 0x0b,
                         0x33, 0x1d, 0x36, 0x42}};
    const struct {
        struct value v;
        const char *json, *text, *type;
    } cases[] = {
        {value_bool(true), "true", "true", "bool"},
        {value_i64(TYPE_INT, -3), "-3", "-3", "int"},
        {value_real(2), "2.0", "2.0", "real"},
        {value_real((double)NAN), "\"NaN\"", "NaN", "real"},
        {value_real(-(double)INFINITY), "\"-Infinity\"", "-Infinity", "real"},
        {value_i64(TYPE_DATETIME, DATETIME_UNIX_EPOCH), "\"1970-01-01T00:00:00.0000000Z\"",
         "1970-01-01T00:00:00.0000000Z", "datetime"},
        {value_i64(TYPE_TIMESPAN, TICKS_PER_HOUR), "\"01:00:00\"", "01:00:00", "timespan"},
        {value_guid(guid), "\"74be27de-1e4e-49d9-b579-fe0b331d3642\"",
         "74be27de-1e4e-49d9-b579-fe0b331d3642", "guid"},
        {value_decimal(decimal_from_i64(12)), "12", "12", "decimal"},
        {value_str(RF_S("a\"b")), "\"a\\\"b\"", "a\"b", "string"},
        {value_null(TYPE_LONG), "null", "", "null"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        rf_str d = encoded(&arena, cases[i].v), json = printed(&arena, d);
        struct rf_buf text = rf_buf_in(&arena);
        dyn_put_text(d, &text);
        cr_assert(rf_str_is(json, cases[i].json), "%.*s", RF_FMT(json));
        cr_assert(rf_str_is(rf_buf_view(&text), cases[i].text), "%.*s", RF_FMT(rf_buf_view(&text)));
        cr_assert_str_eq(dyn_type_name(d), cases[i].type);
        struct value back = dyn_to_value(d);
        cr_assert(back.null == cases[i].v.null);
        if (!back.null) cr_assert(value_same(&back, &cases[i].v));
    }
}

/* Values in rising order; those of one row are equal. */
Test(dyn, order_and_hash)
{
    ARENA(arena);
    const char *rising[][3] = {
        {"null"},
        {"false"},
        {"true"},
        {"-9223372036854775808", "-9223372036854775808.0"},
        {"-1"},
        {"0", "-0.0", "0e5"},
        {"1", "1.0", "1e0"},
        {"1.5", "1.50"},
        {"9007199254740992", "9007199254740992.0"},
        {"9007199254740993"},
        {"9223372036854775807"},
        {"9223372036854775808"},
        {"\"\""},
        {"\"a\""},
        {"\"b\""},
        {"[]"},
        {"[1]", "[1.0]"},
        {"[1,2]"},
        {"[2]"},
        {"{}"},
        {"{\"a\":1}", "{\"a\":1.0}"},
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}"},
        {"{\"a\":2}"},
        {"{\"b\":0}"},
    };
    for (size_t i = 0; i < RF_COUNT(rising); i++) {
        for (size_t j = 0; j < RF_COUNT(rising); j++) {
            for (size_t k = 0; k < 9; k++) {
                if (rising[i][k / 3] == NULL || rising[j][k % 3] == NULL) continue;
                rf_str a = parsed(&arena, rising[i][k / 3]), b = parsed(&arena, rising[j][k % 3]);
                int sign = dyn_cmp(a, b);
                cr_assert_eq((sign > 0) - (sign < 0), (i > j) - (i < j), "%s %s", rising[i][k / 3],
                             rising[j][k % 3]);
                cr_assert_eq(dyn_same(a, b), i == j);
                if (i == j) cr_assert_eq(dyn_hash(a), dyn_hash(b));
            }
        }
    }
    rf_str nan = encoded(&arena, value_real((double)NAN)), one = parsed(&arena, "-1e300");
    cr_assert(dyn_cmp(nan, one) < 0 && dyn_cmp(one, nan) > 0 && dyn_same(nan, nan));
    struct decimal half;
    cr_assert(text_to_decimal(RF_S("0.50"), &half));
    rf_str decimal = encoded(&arena, value_decimal(half)), real = parsed(&arena, "0.5");
    cr_assert(dyn_same(decimal, real) && dyn_hash(decimal) == dyn_hash(real));
}

/* Bags with more entries than a comparison sorts without memory. */
Test(dyn, large_bags_compare_in_any_order)
{
    ARENA(arena);
    struct rf_buf up = rf_buf_in(&arena), down = rf_buf_in(&arena);
    struct dyn_builder a, b;
    dyn_begin(&a, &up, DYN_BAG);
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        dyn_key(&a, rf_str_of(key));
        dyn_put_long(&up, i);
    }
    dyn_end(&a);
    dyn_begin(&b, &down, DYN_BAG);
    for (int i = 99; i >= 0; i--) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        dyn_key(&b, rf_str_of(key));
        dyn_put_long(&down, i);
    }
    dyn_end(&b);
    cr_assert(dyn_same(dyn_done(&up), dyn_done(&down)));
    cr_assert_eq(dyn_hash(dyn_done(&up)), dyn_hash(dyn_done(&down)));
    struct rf_buf x = rf_buf_in(&arena), y = rf_buf_in(&arena);
    dyn_put_json_sorted(dyn_done(&up), &x);
    dyn_put_json_sorted(dyn_done(&down), &y);
    cr_assert(rf_str_eq(rf_buf_view(&x), rf_buf_view(&y)));
}

Test(dyn, builders)
{
    ARENA(arena);
    struct rf_buf buf = rf_buf_in(&arena);
    struct dyn_builder bag, list;
    dyn_begin(&bag, &buf, DYN_BAG);
    dyn_key(&bag, RF_S("list"));
    dyn_begin_counted(&list, &buf, DYN_ARRAY, 40);
    for (int i = 0; i < 40; i++) {
        dyn_next(&list);
        dyn_put_int(&buf, i);
    }
    dyn_end(&list);
    dyn_key(&bag, RF_S("x"));
    dyn_put_bool(&buf, true);
    dyn_key(&bag, RF_S("x"));
    dyn_put_null(&buf);
    dyn_bag_unique(&bag, true);
    dyn_end(&bag);
    cr_assert(dyn_valid(dyn_done(&buf)));
    cr_assert_eq(dyn_count(dyn_done(&buf)), 2);
    cr_assert_eq(dyn_tag(dyn_get(dyn_done(&buf), RF_S("x"))), DYN_TRUE);
    cr_assert_eq(dyn_i64(dyn_item(dyn_get(dyn_done(&buf), RF_S("list")), 39)), 39);
}

Test(dyn, too_deep_a_value_becomes_null)
{
    ARENA(arena);
    rf_str inner = encoded(&arena, value_long(1));
    for (int depth = 1; depth <= DYN_DEPTH_MAX + 1; depth++) {
        struct rf_buf buf = rf_buf_in(&arena);
        struct dyn_builder list;
        dyn_begin(&list, &buf, DYN_ARRAY);
        dyn_next(&list);
        dyn_put_encoded(&buf, inner);
        dyn_end(&list);
        inner = dyn_done(&buf);
        cr_assert(dyn_valid(inner));
        cr_assert_eq(dyn_is_null(inner), depth > DYN_DEPTH_MAX);
    }
}

Test(dyn, decimals_are_valid)
{
    static const char *const texts[] = {"0",
                                        "0.00",
                                        "-1.10",
                                        "1e-34",
                                        "0.1234567890123456789012345678901234",
                                        "9999999999999999999999999999999999",
                                        "-0.9999999999999999999999999999999999"};
    for (size_t i = 0; i < RF_COUNT(texts); i++) {
        ARENA(arena);
        struct decimal decimal;
        cr_assert(text_to_decimal(rf_str_of(texts[i]), &decimal), "%s", texts[i]);
        rf_str d = encoded(&arena, value_decimal(decimal)); /* checks dyn_valid */
        uint8_t wrong[17];
        memcpy(wrong, d.ptr, d.len);
        wrong[15] = 0xff; /* the scale */
        cr_assert(!dyn_valid(rf_str_make(wrong, sizeof wrong)));
    }
}

Test(dyn, bytes_from_outside_are_checked)
{
    ARENA(arena);
    rf_str good = parsed(&arena, "{\"key\":[1,\"two\",3.10],\"b\":{\"c\":null}}");
    uint8_t copy[256];
    cr_assert(good.len < sizeof copy && !dyn_valid((rf_str){0}));
    for (size_t len = 0; len < good.len; len++)
        cr_assert(!dyn_valid(rf_slice(good, 0, len)), "cut at %zu", len);
    /* Whatever one byte is changed to, it is refused or may be walked safely. */
    for (size_t at = 0; at < good.len; at++) {
        for (unsigned change = 1; change < 256; change++) {
            memcpy(copy, good.ptr, good.len);
            copy[at] ^= (uint8_t)change;
            rf_str changed = rf_str_make(copy, good.len);
            if (!dyn_valid(changed)) continue;
            struct rf_buf buf = rf_buf_in(&arena);
            dyn_put_json(changed, &buf);
            (void)dyn_hash(changed);
        }
        rf_arena_reset(&arena);
        good = parsed(&arena, "{\"key\":[1,\"two\",3.10],\"b\":{\"c\":null}}");
    }
}
