/* catalog_test.c - what a catalog gives beside plain tables: when rows arrived, and tables that a call's arguments decide. */
#include "kql/kql.h"

#include <criterion/criterion.h>

#include "kql/source_file.h"
#include "value/text.h"

struct case_catalog {
    struct rf_arena arena;
    struct catalog catalog;
    struct source *sources[1], *list;
};

static struct rows *rows_of(struct rf_arena *arena, const uint8_t *types, uint32_t width,
                            const struct value *cells, uint32_t count)
{
    struct rows *rows = rows_new(arena, types, width);
    cr_assert_not_null(rows);
    for (uint32_t r = 0; r < count; r++) {
        struct vec columns[4];
        for (uint32_t c = 0; c < width; c++)
            cr_assert(vec_const(arena, &cells[r * width + c], &columns[c]));
        struct batch batch = {
            .row_count = 1, .column_count = width, .columns = columns, .arena = arena};
        cr_assert(rows_append(rows, &batch));
    }
    return rows;
}

static enum rf_kind call(void *ctx, rf_str name, const struct value *args, uint32_t arg_count,
                         struct source **out, struct rf_err *err)
{
    struct case_catalog *c = ctx;
    if (!rf_str_is(name, "_GetList"))
        return RF_FAIL(err, RF_NOT_FOUND, "UnknownFunction", "no such function");
    if (out == NULL) return RF_OK;
    if (arg_count != 1)
        return RF_FAIL(err, RF_INVALID, "BadArguments", "_GetList takes the name of a list");
    if (!rf_str_is(args[0].s, "ports"))
        return RF_FAIL(err, RF_INVALID, "UnknownList", "there is no list '%.*s'",
                       RF_FMT(args[0].s));
    *out = c->list;
    return RF_OK;
}

static void open_case(struct case_catalog *c)
{
    static struct ast_column columns[] = {
        {.name = {(const uint8_t *)"x", 1}, .type = TYPE_LONG},
        {.name = {(const uint8_t *)ARRIVAL_COLUMN, sizeof ARRIVAL_COLUMN - 1},
         .type = TYPE_DATETIME}};
    static struct ast_column key[] = {
        {.name = {(const uint8_t *)"SearchKey", 9}, .type = TYPE_STRING}};
    const uint8_t types[] = {TYPE_LONG, TYPE_DATETIME}, text[] = {TYPE_STRING};
    const int64_t day = DATETIME_UNIX_EPOCH;
    const struct value cells[] = {value_i64(TYPE_LONG, 1), value_i64(TYPE_DATETIME, day),
                                  value_i64(TYPE_LONG, 2),
                                  value_i64(TYPE_DATETIME, day + TICKS_PER_SECOND)};
    const struct value keys[] = {value_str(RF_S("22")), value_str(RF_S("2"))};
    rf_arena_init(&c->arena, 16 << 20);
    c->sources[0] =
        source_rows_new(RF_S("T"), columns, 2, rows_of(&c->arena, types, 2, cells, 2), &c->arena);
    c->list =
        source_rows_new(RF_S("List"), key, 1, rows_of(&c->arena, text, 1, keys, 2), &c->arena);
    c->catalog =
        (struct catalog){.sources = c->sources, .source_count = 1, .call = call, .call_ctx = c};
}

struct text_sink {
    struct kql_sink sink;
    struct rf_buf *out;
    const struct schema *schema;
};

static enum rf_kind begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                          const struct render *render, struct rf_err *err)
{
    (void)name, (void)render, (void)err;
    struct text_sink *s = (struct text_sink *)sink;
    for (uint32_t i = 0; i < schema->count; i++)
        rf_buf_printf(s->out, "%s%.*s", i == 0 ? "" : ",", RF_FMT(schema->columns[i].name));
    return RF_OK;
}

static enum rf_kind push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    (void)err;
    struct rf_buf *out = ((struct text_sink *)sink)->out;
    for (uint32_t r = 0; r < batch->row_count; r++) {
        rf_buf_printf(out, ";");
        for (uint32_t c = 0; c < batch->column_count; c++) {
            struct value v = vec_value(&batch->columns[c], r);
            if (c > 0) rf_buf_printf(out, ",");
            if (v.null)
                rf_buf_printf(out, "null");
            else
                text_put_value(out, &v);
        }
    }
    return RF_OK;
}

static enum rf_kind end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

/* The columns and rows as "a,b;1,2;3,4", or the error's code. */
static rf_str answer(struct case_catalog *c, const char *text)
{
    struct rf_buf out = rf_buf_in(&c->arena);
    struct text_sink sink = {.sink = {.begin = begin, .push = push, .end = end}, .out = &out};
    struct kql_request request = {
        .text = rf_str_of(text), .catalog = &c->catalog, .now_ticks = DATETIME_UNIX_EPOCH};
    struct rf_err err = {0};
    if (kql_run(&request, &sink.sink, NULL, &err) != RF_OK) return rf_str_of(err.code);
    return rf_buf_view(&out);
}

Test(catalog, arrival_is_seen_by_its_function_only)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"T", "x;1;2"},
        {"T | extend y = x", "x,y;1,1;2,2"},
        {"T | where ingestion_time() > datetime(1970-01-01)", "x;2"},
        {"T | extend at = ingestion_time() | project x, s = datetime_diff('second', at, "
         "datetime(1970-01-01))",
         "x,s;1,0;2,1"},
        {"T | where ingestion_time() < datetime(1970-01-01T00:00:01Z) | summarize n = count()",
         "n;1"},
        {"T | project x | extend lost = isnull(ingestion_time())", "x,lost;1,true;2,true"},
        {"let f = () { T | where ingestion_time() > datetime(1970-01-01) }; f | count", "Count;1"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct case_catalog c;
        open_case(&c);
        rf_str got = answer(&c, cases[i].text);
        cr_expect(rf_str_is(got, cases[i].want), "%s gave %.*s", cases[i].text, RF_FMT(got));
        rf_arena_done(&c.arena);
    }
}

Test(catalog, arguments_decide_a_table)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"_GetList('ports')", "SearchKey;22;2"},
        {"let name = 'ports'; _GetList(name) | where SearchKey == '2'", "SearchKey;2"},
        {"T | where tostring(x) in (_GetList('ports'))", "x;2"},
        {"T | where tostring(x) in ((_GetList('ports') | project SearchKey))", "x;2"},
        {"print n = toscalar(_GetList('ports') | count)", "n;2"},
        {"let _GetList = (a:string) { T }; _GetList('x') | count", "Count;2"},
        {"_GetList('none')", "UnknownList"},
        {"_GetList", "BadArguments"},
        {"_GetLost('ports')", "UnknownTable"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct case_catalog c;
        open_case(&c);
        rf_str got = answer(&c, cases[i].text);
        cr_expect(rf_str_is(got, cases[i].want), "%s gave %.*s", cases[i].text, RF_FMT(got));
        rf_arena_done(&c.arena);
    }
}

Test(catalog, rows_that_depend_on_themselves_only)
{
    static const struct {
        const char *text;
        bool want;
    } cases[] = {
        {"T", true},
        {"T | where x > 1 | extend y = x | project y", true},
        {"T | mv-expand z = dynamic([1,2])", true},
        {"T | summarize count()", false},
        {"T | sort by x", false},
        {"T | take 1", false},
        {"T | join T on x", false},
        {"union T, T", false},
        {"T | serialize n = row_number()", false},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct case_catalog c;
        struct kql_shape shape;
        struct rf_err err = {0};
        open_case(&c);
        struct kql_request request = {.text = rf_str_of(cases[i].text), .catalog = &c.catalog};
        cr_assert_eq(kql_lint(&request, &c.arena, &shape, &err), RF_OK, "%s: %s", cases[i].text,
                     err.text);
        cr_expect_eq(shape.by_rows, cases[i].want, "%s", cases[i].text);
        rf_arena_done(&c.arena);
    }
}
