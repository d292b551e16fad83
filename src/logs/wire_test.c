#include "logs/wire.h"

#include <math.h>
#include <stdlib.h>

#include "base/json_tree.h"
#include "test/rf_prop.h"
#include "value/decimal.h"
#include "value/dyn.h"
#include "value/text.h"

static rf_str written(struct rf_arena *arena, enum wire_form form, const struct value *v)
{
    struct rf_buf buf = rf_buf_in(arena);
    wire_value(&buf, form, v);
    cr_assert(!buf.failed);
    return rf_buf_view(&buf);
}

static struct value converted(struct rf_arena *arena, const char *text, enum type type)
{
    struct value from = value_str(rf_str_of(text)), to;
    if (type == TYPE_DYNAMIC) { /* a conversion would make a dynamic that holds the text */
        struct rf_buf buf = rf_buf_in(arena);
        cr_assert(dyn_parse_json(from.s, &buf, NULL) == RF_OK);
        return value_dyn(dyn_done(&buf));
    }
    cr_assert(value_convert(&from, type, arena, &to));
    return to;
}

Test(wire, every_type_has_its_form)
{
    static const struct {
        enum type type;
        const char *text, *logs, *kusto; /* kusto NULL: the same */
    } cases[] = {
        {TYPE_BOOL, "true", "true", NULL},
        {TYPE_BOOL, "false", "false", NULL},
        {TYPE_INT, "-7", "-7", NULL},
        {TYPE_LONG, "9223372036854775807", "9223372036854775807", NULL},
        {TYPE_LONG, "-9223372036854775808", "-9223372036854775808", NULL},
        {TYPE_REAL, "1.25", "1.25", NULL},
        {TYPE_REAL, "1", "1.0", NULL},
        {TYPE_REAL, "nan", "\"NaN\"", NULL},
        {TYPE_REAL, "+inf", "\"Infinity\"", NULL},
        {TYPE_REAL, "-inf", "\"-Infinity\"", NULL},
        {TYPE_DECIMAL, "1.5", "\"1.5\"", NULL},
        {TYPE_DATETIME, "2024-03-01T10:20:30.1234567Z", "\"2024-03-01T10:20:30.1234567Z\"", NULL},
        {TYPE_DATETIME, "2024-03-01T10:20:30.1Z", "\"2024-03-01T10:20:30.1Z\"", NULL},
        {TYPE_DATETIME, "2024-03-01T10:20:30Z", "\"2024-03-01T10:20:30Z\"", NULL},
        {TYPE_DATETIME, "2000-10-10T00:00:00Z", "\"2000-10-10T00:00:00Z\"", NULL},
        {TYPE_TIMESPAN, "1.02:03:04.005", "\"1.02:03:04.0050000\"", NULL},
        {TYPE_TIMESPAN, "-00:00:01", "\"-00:00:01\"", NULL},
        {TYPE_GUID, "12345678-1234-1234-1234-123456789ABC",
         "\"12345678-1234-1234-1234-123456789abc\"", NULL},
        {TYPE_STRING, "a\"\\\n\xc3\xab", "\"a\\\"\\\\\\n\xc3\xab\"", NULL},
        {TYPE_STRING, "", "\"\"", NULL},
        {TYPE_DYNAMIC, "{\"a\":[1,\"two\",null]}", "\"{\\\"a\\\":[1,\\\"two\\\",null]}\"",
         "{\"a\":[1,\"two\",null]}"},
        {TYPE_DYNAMIC, "[\"q\\\"\\\\\"]", "\"[\\\"q\\\\\\\"\\\\\\\\\\\"]\"", "[\"q\\\"\\\\\"]"},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct value v = converted(&arena, cases[i].text, cases[i].type);
        rf_str logs = written(&arena, WIRE_LOGS, &v), kusto = written(&arena, WIRE_KUSTO, &v);
        const char *other = cases[i].kusto == NULL ? cases[i].logs : cases[i].kusto;
        cr_assert(!v.null, "%s", cases[i].text);
        cr_assert(rf_str_is(logs, cases[i].logs), "%s: %.*s", cases[i].logs, RF_FMT(logs));
        cr_assert(rf_str_is(kusto, other), "%s: %.*s", other, RF_FMT(kusto));
    }
}

Test(wire, nulls_are_null_but_for_strings)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (int t = 0; t < TYPE_COUNT; t++) {
        struct value v = value_null((enum type)t);
        rf_str text = written(&arena, WIRE_LOGS, &v);
        cr_assert(rf_str_is(text, t == TYPE_STRING ? "\"\"" : "null"), "%s: %.*s",
                  type_name((enum type)t), RF_FMT(text));
    }
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

struct table {
    struct rf_arena arena;
    struct column columns[3];
    struct schema schema;
    struct vec vecs[3];
    struct batch batch;
    struct rf_buf buf;
    struct wire wire;
};

/* Three columns: a number per row, a text from a dictionary of two, a dynamic that is the same everywhere. */
static void table_init(struct table *t, uint32_t rows, uint64_t row_limit, size_t byte_limit)
{
    struct rf_err err = {0};
    rf_arena_init(&t->arena, 16u << 20);
    static const enum type types[] = {TYPE_LONG, TYPE_STRING, TYPE_DYNAMIC};
    for (uint32_t i = 0; i < 3; i++)
        t->columns[i] = (struct column){.name = RF_S("c"), .id = i + 1, .type = (uint8_t)types[i]};
    t->schema = (struct schema){.columns = t->columns, .count = 3};
    int64_t *numbers = rf_arena_raw(&t->arena, int64_t, rows);
    uint32_t *codes = rf_arena_raw(&t->arena, uint32_t, rows);
    rf_str *dict = rf_arena_raw(&t->arena, rf_str, 2);
    for (uint32_t i = 0; i < rows; i++) {
        numbers[i] = i;
        codes[i] = i & 1;
    }
    dict[0] = RF_S("even");
    dict[1] = RF_S("o\"dd");
    struct value bag = converted(&t->arena, "{\"k\":1}", TYPE_DYNAMIC);
    t->vecs[0] = (struct vec){.type = TYPE_LONG, .shape = VEC_FLAT, .data = numbers};
    t->vecs[1] = (struct vec){.type = TYPE_STRING,
                              .shape = VEC_DICT,
                              .dict_count = 2,
                              .dict_id = 77,
                              .data = dict,
                              .codes = codes};
    cr_assert(vec_const(&t->arena, &bag, &t->vecs[2]));
    t->batch = (struct batch){
        .row_count = rows, .column_count = 3, .columns = t->vecs, .arena = &t->arena};
    t->buf = rf_buf_in(&t->arena);
    wire_init(&t->wire, WIRE_LOGS, &t->buf, row_limit, byte_limit);
    cr_assert(wire_table(&t->wire, &t->schema, &err) == RF_OK);
}

static void table_done(struct table *t)
{
    wire_done(&t->wire);
    rf_arena_done(&t->arena);
}

#define ROW0 "[0,\"even\",\"{\\\"k\\\":1}\"]"
#define ROW1 "[1,\"o\\\"dd\",\"{\\\"k\\\":1}\"]"
#define ROW2 "[2,\"even\",\"{\\\"k\\\":1}\"]"

Test(wire, rows_follow_one_another_over_batches)
{
    struct table t;
    struct rf_err err = {0};
    table_init(&t, 3, UINT64_MAX, 1u << 20);
    cr_assert(wire_rows(&t.wire, &t.batch, &err) == RF_OK);
    cr_assert(rf_str_is(rf_buf_view(&t.buf), ROW0 "," ROW1 "," ROW2), "%.*s",
              RF_FMT(rf_buf_view(&t.buf)));
    t.batch.row_count = 1;
    cr_assert(wire_rows(&t.wire, &t.batch, &err) == RF_OK);
    cr_assert(rf_str_is(rf_buf_view(&t.buf), ROW0 "," ROW1 "," ROW2 "," ROW0));
    cr_assert(t.wire.row_count == 4 && t.wire.table_row_count == 4);
    cr_assert(wire_table(&t.wire, &t.schema, &err) == RF_OK);
    cr_assert(t.wire.row_count == 4 && t.wire.table_row_count == 0);
    table_done(&t);
}

Test(wire, a_dictionary_with_another_number_is_another)
{
    struct table t;
    struct rf_err err = {0};
    rf_str other[2] = {RF_S("x"), RF_S("y")};
    table_init(&t, 1, UINT64_MAX, 1u << 20);
    cr_assert(wire_rows(&t.wire, &t.batch, &err) == RF_OK);
    t.vecs[1].data = other;
    t.vecs[1].dict_id = 78;
    cr_assert(wire_rows(&t.wire, &t.batch, &err) == RF_OK);
    t.vecs[1].dict_id = 0; /* without a number nothing is kept */
    other[0] = RF_S("z");
    cr_assert(wire_rows(&t.wire, &t.batch, &err) == RF_OK);
    cr_assert(rf_str_is(rf_buf_view(&t.buf),
                        "[0,\"even\",\"{\\\"k\\\":1}\"],[0,\"x\",\"{\\\"k\\\":1}\"],"
                        "[0,\"z\",\"{\\\"k\\\":1}\"]"));
    table_done(&t);
}

Test(wire, the_row_limit_cuts_behind_whole_rows)
{
    struct table t;
    struct rf_err err = {0};
    table_init(&t, 3, 2, 1u << 20);
    cr_assert(wire_rows(&t.wire, &t.batch, &err) == RF_LIMIT);
    cr_assert(strcmp(err.code, "ResultTooLarge") == 0);
    cr_assert(t.wire.cut == WIRE_ROWS);
    cr_assert(rf_str_is(rf_buf_view(&t.buf), ROW0 "," ROW1));
    table_done(&t);
}

Test(wire, as_many_rows_as_the_limit_says_are_whole)
{
    struct table t;
    struct rf_err err = {0};
    table_init(&t, 3, 3, 1u << 20);
    cr_assert(wire_rows(&t.wire, &t.batch, &err) == RF_OK);
    cr_assert(t.wire.cut == WIRE_WHOLE);
    table_done(&t);
}

Test(wire, the_byte_limit_cuts_behind_whole_rows)
{
    struct table t;
    struct rf_err err = {0};
    table_init(&t, 3, UINT64_MAX, sizeof(ROW0 "," ROW1) - 1);
    cr_assert(wire_rows(&t.wire, &t.batch, &err) == RF_LIMIT);
    cr_assert(t.wire.cut == WIRE_BYTES);
    cr_assert(rf_str_is(rf_buf_view(&t.buf), ROW0 "," ROW1));
    table_done(&t);
}

Test(wire, lack_of_memory_cuts_as_the_byte_limit_does)
{
    struct table t;
    struct rf_err err = {0};
    RF_CLEANUP(rf_arena_done) struct rf_arena small;
    rf_arena_init(&small, 4096);
    table_init(&t, 2000, UINT64_MAX, 1u << 20);
    t.buf = rf_buf_in(&small);
    t.batch.row_count = 10;
    enum rf_kind kind = RF_OK;
    uint64_t whole = 0;
    while (kind == RF_OK) {
        whole = t.wire.row_count;
        kind = wire_rows(&t.wire, &t.batch, &err);
    }
    cr_assert(kind == RF_LIMIT && t.wire.cut == WIRE_BYTES);
    cr_assert(t.wire.row_count == whole && whole > 0 && whole < 2000);
    cr_assert(t.buf.ptr[t.buf.len - 1] == ']' && !t.buf.failed);
    table_done(&t);
}

/* An exchange has 256 MiB: all that an answer may have must fit, its growth included. */
Test(wire, the_largest_answer_fits_into_an_exchange)
{
    struct table t;
    struct rf_err err = {0};
    RF_CLEANUP(rf_arena_done) struct rf_arena exchange;
    rf_arena_init(&exchange, (size_t)256 << 20);
    table_init(&t, 100, UINT64_MAX, 104857600);
    t.buf = rf_buf_in(&exchange);
    uint8_t *long_text = rf_arena_alloc(&t.arena, 4000);
    memset(long_text, 'x', 4000);
    struct value v = value_str(rf_str_make(long_text, 4000));
    cr_assert(vec_const(&t.arena, &v, &t.vecs[1]));
    enum rf_kind kind = RF_OK;
    while (kind == RF_OK) kind = wire_rows(&t.wire, &t.batch, &err);
    cr_assert(kind == RF_LIMIT && t.wire.cut == WIRE_BYTES);
    cr_assert(t.wire.byte_count > 104857600 - 5000, "%zu", t.wire.byte_count);
    table_done(&t);
}

/* ---- property: what is read back is what was written ------------------------------------------------------------- */

static struct value random_value(struct rf_prng *prng, enum type type, struct rf_arena *arena)
{
    static uint8_t raw[200]; /* a run of the property is one thread */
    uint8_t *kept;
    if (rf_test_one_in(prng, 6)) return value_null(type);
    switch (type) {
    case TYPE_BOOL:
        return value_bool(rf_test_bool(prng));
    case TYPE_INT:
        return value_i64(TYPE_INT, (int32_t)rf_test_i64(prng));
    case TYPE_LONG:
    case TYPE_TIMESPAN:
        return value_i64(type, rf_test_i64(prng));
    case TYPE_DATETIME:
        return value_i64(type, rf_test_between(prng, 0, DATETIME_MAX));
    case TYPE_REAL: {
        uint64_t bits = rf_test_u64(prng);
        double r;
        memcpy(&r, &bits, sizeof r);
        return value_real(r);
    }
    case TYPE_DECIMAL:
        return value_decimal(decimal_from_i64(rf_test_i64(prng)));
    case TYPE_GUID: {
        struct guid g;
        for (size_t i = 0; i < sizeof g.bytes; i++) g.bytes[i] = (uint8_t)rf_test_u64(prng);
        return value_guid(g);
    }
    default: {
        rf_str text = rf_test_bytes(prng, raw, sizeof raw, "ab \"\\\n\t\x01\xc3\xab/{}[]:");
        if (!rf_utf8_valid(text)) text = RF_S("\xf0\x9f\x98\x80");
        kept = rf_arena_alloc(arena, text.len + 1);
        if (text.len > 0) memcpy(kept, text.ptr, text.len);
        struct value v = value_str(rf_str_make(kept, text.len));
        if (type == TYPE_STRING) return v;
        struct rf_buf dyn = rf_buf_in(arena);
        dyn_put_string(&dyn, v.s);
        return value_dyn(dyn_done(&dyn));
    }
    }
}

/* The text of a JSON scalar, read as the type, is the value again. */
static void check_read_back(struct rf_arena *arena, const struct value *v, rf_str json)
{
    struct json_node *node;
    struct rf_err err = {0};
    cr_assert(json_parse(json, arena, &node, &err) == RF_OK, "%.*s", RF_FMT(json));
    if (v->null || (v->type == TYPE_DYNAMIC && dyn_is_null(v->s))) {
        cr_assert(v->type == TYPE_STRING ? node->type == JSON_T_STRING && node->text.len == 0
                                         : node->type == JSON_T_NULL);
        return;
    }
    rf_str text = node->type == JSON_T_TRUE    ? RF_S("true")
                  : node->type == JSON_T_FALSE ? RF_S("false")
                                               : node->text;
    struct value from = value_str(text), back;
    if (v->type == TYPE_DYNAMIC) {
        struct json_node *inner;
        cr_assert(json_parse(text, arena, &inner, &err) == RF_OK, "%.*s", RF_FMT(text));
        cr_assert(rf_str_eq(inner->text, dyn_string(v->s)));
        return;
    }
    if (v->type == TYPE_REAL) { /* the conversion to a real takes no nan */
        double r;
        cr_assert(text_to_real(text, &r), "%.*s", RF_FMT(text));
        cr_assert(r == v->r || (isnan(r) && isnan(v->r)), "%.*s", RF_FMT(text));
        return;
    }
    cr_assert(value_convert(&from, (enum type)v->type, arena, &back));
    cr_assert(value_same(v, &back), "%s: %.*s", type_name((enum type)v->type), RF_FMT(text));
}

RF_PROP(wire_values_read_back, 3000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    enum type type = (enum type)rf_test_below(prng, TYPE_COUNT);
    struct value v = random_value(prng, type, &arena);
    check_read_back(&arena, &v, written(&arena, WIRE_LOGS, &v));
}
