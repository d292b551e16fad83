#include "store/infer.h"
#include "store/reader_stream.h"
#include "test/rf_prop.h"
#include "value/text.h"

/* Everything a text gives, as text: "name:type,..", then a line a row with '|' between cells (~ for null), then a line
 * a rejected row: "!line@offset reason". */
struct fixture {
    struct rf_budget budget;
    struct rf_arena arena;
    struct rf_buf out, rejects;
    bool no_offsets;
};

static void setup(struct fixture *f)
{
    f->no_offsets = false;
    rf_budget_init(&f->budget, (size_t)1 << 30);
    rf_arena_init_shared(&f->arena, &f->budget);
    f->out = rf_buf_in(&f->arena);
    f->rejects = rf_buf_in(&f->arena);
}

static void note(void *state, const struct reader_reject *reject)
{
    struct fixture *f = state;
    unsigned long long offset = f->no_offsets ? 0 : reject->offset;
    rf_buf_printf(&f->rejects, "!%llu@%llu %s\n", (unsigned long long)reject->line, offset,
                  reject->reason);
}

/* "a:long,b:string" */
static uint32_t parse_columns(struct rf_arena *arena, const char *spec, struct reader_column **out)
{
    struct reader_column *columns = rf_arena_new(arena, struct reader_column, 64);
    uint32_t count = 0;
    for (const char *at = spec; *at != '\0'; count++) {
        const char *colon = strchr(at, ':'), *end = strchr(at, ',');
        if (end == NULL) end = at + strlen(at);
        enum type type;
        cr_assert(type_parse(rf_str_make(colon + 1, (size_t)(end - colon) - 1), &type));
        columns[count] =
            (struct reader_column){rf_str_make(at, (size_t)(colon - at)), (uint8_t)type};
        at = *end == '\0' ? end : end + 1;
    }
    *out = columns;
    return count;
}

static void put_batch(struct fixture *f, const struct batch *batch)
{
    for (uint32_t row = 0; row < batch->row_count; row++) {
        for (uint32_t i = 0; i < batch->column_count; i++) {
            struct value v = vec_value(&batch->columns[i], row);
            if (i > 0) rf_buf_byte(&f->out, '|');
            if (v.null)
                rf_buf_byte(&f->out, '~');
            else
                text_put_value(&f->out, &v);
        }
        rf_buf_byte(&f->out, '\n');
    }
}

static const char *result(struct fixture *f)
{
    rf_buf_str(&f->out, rf_buf_view(&f->rejects));
    rf_buf_byte(&f->out, '\0');
    return (const char *)f->out.ptr;
}

/* Reads the text in pieces of `step` bytes. */
static const char *read_text(struct fixture *f, enum reader_format format, rf_str text,
                             const char *spec, size_t step, uint32_t batch_rows)
{
    struct reader_column *columns;
    struct reader_options options = {.format = format,
                                     .budget = &f->budget,
                                     .reject = note,
                                     .reject_state = f,
                                     .own_text = true,
                                     .batch_rows = batch_rows};
    options.column_count = parse_columns(&f->arena, spec, &columns);
    options.columns = columns;
    struct reader *reader;
    struct rf_err err;
    cr_assert(reader_new(&options, &reader, &err) == RF_OK);
    uint8_t *piece = malloc(text.len + 1);
    size_t rest = 0;
    for (size_t at = 0;;) {
        size_t more = RF_MIN(step, text.len - at);
        memcpy(piece + rest, text.ptr + at, more);
        at += more;
        bool last = at == text.len;
        reader_feed(reader, rf_str_make(piece, rest + more), last);
        struct batch batch;
        do {
            cr_assert(reader_next(reader, &batch, &err) == RF_OK, "%s", err.text);
            put_batch(f, &batch);
        } while (batch.row_count > 0);
        rf_str left = reader_rest(reader);
        cr_assert(memcmp(piece, text.ptr + at - more - rest, rest + more) == 0);
        if (last) break;
        memmove(piece, left.ptr, left.len);
        rest = left.len;
    }
    free(piece);
    reader_free(reader);
    return result(f);
}

struct read_case {
    enum reader_format format;
    const char *text, *columns, *expected;
};

static const struct read_case read_cases[] = {
    {READER_JSON_LINES, "{\"a\":1,\"b\":\"x\"}\n{\"b\":\"y\",\"a\":-2}\n", "a:long,b:string",
     "1|x\n-2|y\n"},
    /* order of keys, missing, unknown, null, empty rows */
    {READER_JSON_LINES, "{\"z\":[1,{\"q\":null}],\"b\":\"\"}\n\n  {}  \r\n{\"a\":null,\"b\":null}",
     "a:long,b:string", "~|\n~|\n~|\n"},
    /* a key that comes twice: the last one; in a string column of codes too */
    {READER_JSON_LINES, "{\"a\":1,\"a\":2,\"b\":\"u\",\"b\":\"v\"}\n{\"a\":3,\"a\":null}\n",
     "a:long,b:string", "2|v\n~|\n"},
    /* escapes in keys and values */
    {READER_JSON_LINES, "{\"\\u0061\":7,\"b\":\"\\ta\\n\\u00e9\\ud83d\\ude00\\/\"}\n",
     "a:long,b:string", "7|\ta\n\xc3\xa9\xf0\x9f\x98\x80/\n"},
    /* conversions */
    {READER_JSON_LINES,
     "{\"s\":1.50,\"l\":\"12\",\"r\":3,\"b\":1,\"d\":\"2020-01-02T03:04:05.5Z\",\"y\":\"x\"}\n",
     "s:string,l:long,r:real,b:bool,d:datetime,y:dynamic",
     "1.50|12|3|true|2020-01-02T03:04:05.5000000Z|x\n"},
    {READER_JSON_LINES,
     "{\"s\":true,\"l\":1.9,\"r\":\"2.5\",\"b\":\"true\",\"d\":\"no\",\"y\":{\"k\": "
     "[1,\"2\",1.10]}}\n",
     "s:string,l:long,r:real,b:bool,d:datetime,y:dynamic",
     "true|1|2.5|true|~|{\"k\":[1,\"2\",1.10]}\n"},
    {READER_JSON_LINES,
     "{\"s\":{\"a\": "
     "1},\"l\":99999999999999999999,\"i\":5000000000,\"g\":\"74be27de-1e4e-49d9-b579-"
     "fe0b331d3642\"}\n",
     "s:string,l:long,i:int,g:guid", "{\"a\": 1}|~|~|74be27de-1e4e-49d9-b579-fe0b331d3642\n"},
    {READER_JSON_LINES,
     "{\"r\":0.1}\n{\"r\":123456789.123456789}\n{\"r\":1e400}\n{\"r\":-0.0}\n{\"r\":1E-7}\n",
     "r:real", "0.1\n123456789.12345679\nInfinity\n-0\n1E-07\n"},
    /* strictness */
    {READER_JSON_LINES,
     "{\"a\":01}\n{\"a\":1,}\n{'a':1}\n{\"a\":1} "
     "x\n[1]\n{\"a\":\n{\"a\":tru}\n{\"a\":\"x\n{\"a\":5}\n",
     "a:long",
     "5\n!1@5 a number begins with 0\n!2@16 expected a key in quotes\n!3@19 expected a key in "
     "quotes\n"
     "!4@34 more text follows the object\n!5@36 a row must be a JSON object\n!6@45 the row ends "
     "where a value was expected\n"
     "!7@51 expected a value\n!8@63 the row ends inside a string\n"},
    {READER_JSON_LINES,
     "{\"a\":1,\"b\":\"\x01\"}\n{\"a\":2,\"b\":\"\\x\"}\n{\"a\":3,\"b\":\"\xff\"}\n{\"a\":4}",
     "a:long,b:string",
     "4|\n!1@12 a control character stands in a string\n!2@28 a string has an unknown "
     "escape\n!3@33 the row is not valid UTF-8\n"},
    /* a bad row leaves nothing behind */
    {READER_JSON_LINES, "{\"a\":1,\"b\":\"x\",\"c\":{}\n{\"b\":\"y\"}\n", "a:long,b:string",
     "~|y\n!1@21 the row ends inside an object\n"},
    /* more than one object a line, spread objects, arrays */
    {READER_JSON_VALUES, "[{\"a\":1},\n {\"a\":\n2}, {\"a\":3}\n]\n", "a:long", "1\n2\n3\n"},
    {READER_JSON_VALUES, "{\"a\":1}{\"a\":\n2}\n", "a:long", "1\n2\n"},
    {READER_JSON_VALUES, "[]", "a:long", ""},
    {READER_JSON_VALUES, "[{\"a\":1},", "a:long", "1\n!1@9 the array has no end\n"},
    {READER_JSON_VALUES, "[{\"a\":1},]", "a:long", "1\n!1@9 expected an object after ','\n"},
    {READER_JSON_VALUES, "[{\"a\":1}\n{\"a\":2}]", "a:long",
     "1\n!2@9 expected ',' or ']' after an object\n"},
    {READER_JSON_VALUES, "[{\"a\":1}] x", "a:long", "1\n!1@10 more text follows the array\n"},
    {READER_JSON_VALUES, "[{\"a\":{\"b\":true,\"c\":\"\\u00e9\"}}]", "a:dynamic",
     "{\"b\":true,\"c\":\"\xc3\xa9\"}\n"},
    /* CSV */
    {READER_CSV, "a,b\r\n1,x\r\n2,\"y,\"\"z\"\"\nw\"\r\n", "a:long,b:string",
     "1|x\n2|y,\"z\"\nw\n"},
    {READER_CSV,
     "\xef\xbb\xbf"
     "b,a\n x ,1\n,\n \n\"\",\"3\"",
     "a:long,b:string", "1| x \n~|\n~| \n3|\n"},
    {READER_CSV, "a,b\n1,2,3\n4,5\n", "a:long,b:long",
     "4|5\n!2@8 the row has more fields than the header\n"},
    {READER_CSV, "a,b\n\"x\"y,2\n\"z\",3\n", "a:string,b:long",
     "z|3\n!2@7 text follows a closing quote\n"},
    {READER_CSV, "a\nx\n\"y", "a:string", "x\n!3@6 a quoted field has no end\n"},
    {READER_CSV, "a,b,a\n1,2,3\n", "a:long,a1:long", "1|3\n"},
    {READER_CSV, "t,n,o\n2007-09-29T08:11:00Z,1.5,\"{\"\"k\"\":1}\"\n2007-01-01,x,plain\n",
     "t:datetime,n:real,o:dynamic",
     "2007-09-29T08:11:00.0000000Z|1.5|{\"k\":1}\n2007-01-01T00:00:00.0000000Z|~|plain\n"},
    {READER_CSV, "", "a:long", ""},
};

static void check_read(const struct read_case *c, size_t step, uint32_t batch_rows)
{
    struct fixture f;
    setup(&f);
    const char *got = read_text(&f, c->format, rf_str_of(c->text), c->columns, step, batch_rows);
    cr_expect_str_eq(got, c->expected, "in pieces of %zu: %s\n got: %s\nwant: %s", step, c->text,
                     got, c->expected);
    rf_arena_done(&f.arena);
}

Test(reader, rows_and_rejects)
{
    for (size_t i = 0; i < RF_COUNT(read_cases); i++) {
        check_read(&read_cases[i], SIZE_MAX / 2, 0);
        check_read(&read_cases[i], 1, 0);
        check_read(&read_cases[i], 7, 1);
    }
}

Test(reader, bytes_that_no_text_holds)
{
    struct fixture f;
    setup(&f);
    rf_str text = RF_S("\0\n{\"a\":1}\n{\"a\":\"\0\"}\n{\0}\n");
    cr_expect_str_eq(
        read_text(&f, READER_JSON_LINES, text, "a:long", 1000, 0),
        "1\n!1@0 a row must be a JSON object\n!3@16 a control character stands in a string\n"
        "!4@21 expected a key in quotes\n");
    rf_arena_done(&f.arena);
}

Test(reader, nests_as_deep_as_dynamic_may)
{
    for (int depth = 127; depth <= 130; depth++) {
        struct fixture f;
        setup(&f);
        struct rf_buf json = rf_buf_in(&f.arena);
        rf_buf_str(&json, RF_S("{\"a\":"));
        for (int i = 0; i < depth; i++) rf_buf_byte(&json, '[');
        for (int i = 0; i < depth; i++) rf_buf_byte(&json, ']');
        rf_buf_str(&json, RF_S("}\n"));
        const char *got =
            read_text(&f, READER_JSON_LINES, rf_buf_view(&json), "a:dynamic", 1 << 20, 0);
        cr_expect_eq(strstr(got, "nested more than 128 deep") != NULL, depth > 128, "depth %d: %s",
                     depth, got);
        rf_arena_done(&f.arena);
    }
}

/* A column of few values is a dictionary; one of ever new values is flat after a while; both say the same. */
Test(reader, dictionaries_keep_what_was_written)
{
    struct fixture f;
    setup(&f);
    enum { ROWS = 60000 };
    struct rf_buf json = rf_buf_in(&f.arena);
    for (int i = 0; i < ROWS; i++)
        rf_buf_printf(&json, "{\"few\":\"v%d\",\"many\":\"unique-%d\",\"bag\":{\"k\":%d}}\n", i % 7,
                      i, i % 3);
    atomic_uint_fast64_t ids = 0;
    struct reader_column columns[] = {
        {RF_S("few"), TYPE_STRING}, {RF_S("many"), TYPE_STRING}, {RF_S("bag"), TYPE_DYNAMIC}};
    struct reader_options options = {
        .columns = columns, .column_count = 3, .budget = &f.budget, .dict_ids = &ids};
    struct reader_stream *stream;
    struct rf_err err;
    struct reader_input input = {.memory = rf_buf_view(&json)};
    cr_assert(reader_stream_open(&input, &options, &stream, &err) == RF_OK);
    int row = 0, flat = 0, batches = 0;
    uint64_t few_id = 0;
    for (struct batch batch;;) {
        cr_assert(reader_stream_next(stream, &batch, &err) == RF_OK);
        if (batch.row_count == 0) break;
        batches++;
        flat += batch.columns[1].shape == VEC_FLAT;
        cr_assert(batch.columns[0].shape == VEC_DICT);
        cr_assert(batch.columns[0].dict_count <= 8);
        if (few_id == 0) few_id = batch.columns[0].dict_id;
        cr_assert(batch.columns[0].dict_id == few_id,
                  "a dictionary that stayed the same keeps its number");
        for (uint32_t i = 0; i < batch.row_count; i++, row++) {
            char want[32];
            snprintf(want, sizeof want, "v%d", row % 7);
            cr_assert(rf_str_is(vec_str(&batch.columns[0], i), want));
            snprintf(want, sizeof want, "unique-%d", row);
            cr_assert(rf_str_is(vec_str(&batch.columns[1], i), want));
            struct rf_arena text;
            rf_arena_init(&text, 4096);
            struct rf_buf buf = rf_buf_in(&text);
            struct value v = vec_value(&batch.columns[2], i);
            text_put_value(&buf, &v);
            snprintf(want, sizeof want, "{\"k\":%d}", row % 3);
            cr_assert(rf_str_is(rf_buf_view(&buf), want));
            rf_arena_done(&text);
        }
    }
    cr_expect(row == ROWS && flat > batches / 2);
    reader_stream_free(stream);
    rf_arena_done(&f.arena);
    cr_expect(atomic_load(&f.budget.used_bytes) == 0, "everything is given back");
}

Test(reader, a_row_that_is_too_long_is_left_out)
{
    struct fixture f;
    setup(&f);
    size_t len = (size_t)READER_ROW_BYTES_MAX + (3 << 20);
    uint8_t *text = malloc(len + 100);
    size_t at = (size_t)sprintf((char *)text, "{\"a\":1}\n{\"a\":\"");
    memset(text + at, 'x', len - at);
    at = len + (size_t)sprintf((char *)text + len, "\"}\n{\"a\":2}\n{\"a\":}\n");
    struct reader_column column = {RF_S("a"), TYPE_LONG};
    struct reader_options options = {.columns = &column,
                                     .column_count = 1,
                                     .budget = &f.budget,
                                     .reject = note,
                                     .reject_state = &f};
    struct reader_input input = {.memory = rf_str_make(text, at)};
    struct reader_stream *stream;
    struct rf_err err;
    cr_assert(reader_stream_open(&input, &options, &stream, &err) == RF_OK);
    for (struct batch batch;;) {
        cr_assert(reader_stream_next(stream, &batch, &err) == RF_OK, "%s", err.text);
        if (batch.row_count == 0) break;
        put_batch(&f, &batch);
    }
    struct reader_counts counts = reader_stream_counts(stream);
    cr_expect(counts.rows == 2 && counts.rejected == 2 && counts.bytes == at, "%llu bytes of %zu",
              (unsigned long long)counts.bytes, at);
    char want[200];
    snprintf(want, sizeof want,
             "1\n2\n!2@8 the row is longer than 64 MB\n!4@%zu expected a value\n", at - 2);
    cr_expect_str_eq(result(&f), want);
    reader_stream_free(stream);

    struct rf_budget small;
    rf_budget_init(&small, 8 << 20);
    options.budget = &small;
    cr_assert(reader_stream_open(&input, &options, &stream, &err) == RF_OK);
    struct batch batch;
    enum rf_kind kind;
    while ((kind = reader_stream_next(stream, &batch, &err)) == RF_OK && batch.row_count > 0)
        continue;
    cr_expect(kind == RF_LIMIT && strcmp(err.code, "MemoryBudgetExceeded") == 0,
              "a budget too small for the row says so");
    reader_stream_free(stream);
    free(text);
    rf_arena_done(&f.arena);
}

Test(reader, iso_datetimes)
{
    static const struct {
        const char *text, *expected; /* NULL: none */
    } cases[] = {{"2020-02-29T23:59:59.1234567Z", "2020-02-29T23:59:59.1234567Z"},
                 {"2020-12-19T06:59", "2020-12-19T06:59:00.0000000Z"},
                 {"2020-12-19T06:59:01+02:30", "2020-12-19T04:29:01.0000000Z"},
                 {"2020-12-19T06:59:01-0200", "2020-12-19T08:59:01.0000000Z"},
                 {"2020-12-19T06:59:01.123456789Z", "2020-12-19T06:59:01.1234567Z"},
                 {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0000000Z"},
                 {"9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999Z"},
                 {"0001-01-01T00:00:00+01:00", NULL},
                 {"2019-02-29T00:00:00Z", NULL},
                 {"1900-02-29T00:00:00Z", NULL},
                 {"2000-02-29T00:00:00Z", "2000-02-29T00:00:00.0000000Z"},
                 {"2020-12-19", NULL},
                 {"2020-12-19 06:59:01", NULL},
                 {"2020-13-19T06:59:01Z", NULL},
                 {"2020-12-19T24:00:00Z", NULL},
                 {"2020-12-19T06:59:01.Z", NULL},
                 {"2020-12-19T06:59:01Zx", NULL},
                 {"2020-12-19T06:5x", NULL}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int64_t ticks;
        bool got = reader_iso_datetime(rf_str_of(cases[i].text), &ticks);
        cr_expect_eq(got, cases[i].expected != NULL, "%s", cases[i].text);
        if (!got || cases[i].expected == NULL) continue;
        struct rf_arena arena;
        rf_arena_init(&arena, 4096);
        struct rf_buf buf = rf_buf_in(&arena);
        text_put_datetime(&buf, ticks);
        cr_expect(rf_str_is(rf_buf_view(&buf), cases[i].expected), "%s gives %.*s", cases[i].text,
                  RF_FMT(rf_buf_view(&buf)));
        rf_arena_done(&arena);
    }
}

/* ---- inference ------------------------------------------------------------------------------------------ */

struct infer_case {
    enum reader_format format;
    const char *text, *expected;
};

static const struct infer_case infer_cases[] = {
    {READER_JSON_LINES, "{\"a\":1,\"b\":\"x\"}\n{\"c\":true,\"a\":2}\n", "a:long,b:string,c:bool"},
    {READER_JSON_LINES, "{\"a\":1}\n{\"a\":2.5}\n", "a:real"},
    {READER_JSON_LINES, "{\"a\":9223372036854775807}\n{\"a\":-9223372036854775808}\n", "a:long"},
    {READER_JSON_LINES, "{\"a\":9223372036854775808}\n", "a:real"},
    {READER_JSON_LINES, "{\"a\":1}\n{\"a\":\"x\"}\n", "a:string"},
    {READER_JSON_LINES, "{\"a\":1}\n{\"a\":true}\n", "a:string"},
    {READER_JSON_LINES, "{\"a\":1}\n{\"a\":[]}\n", "a:dynamic"},
    {READER_JSON_LINES, "{\"a\":null}\n{\"b\":\"\"}\n", "a:string,b:string"},
    {READER_JSON_LINES, "{\"t\":\"2020-01-01T00:00:00Z\"}\n{\"t\":\"\"}\n{\"t\":null}\n",
     "t:datetime"},
    {READER_JSON_LINES, "{\"t\":\"2020-01-01T00:00:00Z\"}\n{\"t\":\"2020-01-01\"}\n", "t:string"},
    {READER_JSON_LINES, "{\"g\":\"74be27de-1e4e-49d9-b579-fe0b331d3642\"}\n", "g:string"},
    /* names that differ by case only; rows that are left out say nothing */
    {READER_JSON_LINES, "{\"ProcessId\":1,\"ProcessID\":\"2\"}\n{\"bad\":1,\"ProcessId\":\"x\"\n",
     "ProcessId:long,ProcessID:string"},
    {READER_JSON_VALUES, "[{\"a\":1},{\"b\":{}}]", "a:long,b:dynamic"},
    {READER_JSON_LINES, "", ""},
    {READER_CSV,
     "a,b,c,d,e,f,g\n1,1.5,true,2020-01-01T00:00:00Z,\"{\"\"k\"\":1}\",x,\n-2,3,False,,[],,\n",
     "a:long,b:real,c:bool,d:datetime,e:dynamic,f:string,g:string"},
    {READER_CSV, "zip,mixed,half\n007,1,{\n10,x,{}\n", "zip:string,mixed:string,half:string"},
    {READER_CSV, "a,,a\n", "a:string,Column2:string,a1:string"},
};

static const char *infer_text(struct fixture *f, const struct infer_case *c, size_t step)
{
    struct reader_options options = {.format = c->format, .budget = &f->budget};
    struct infer *infer;
    struct rf_err err;
    cr_assert(infer_new(&options, &infer, &err) == RF_OK);
    rf_str text = rf_str_of(c->text);
    for (size_t from = 0, to = 0;;) {
        to += RF_MIN(step, text.len - to);
        size_t taken;
        cr_assert(infer_feed(infer, rf_slice(text, from, to), to == text.len, &taken, &err) ==
                  RF_OK);
        from += taken;
        if (to == text.len) break;
    }
    struct reader_column *columns;
    uint32_t count;
    cr_assert(infer_columns(infer, &f->arena, &columns, &count, &err) == RF_OK);
    infer_free(infer);
    for (uint32_t i = 0; i < count; i++)
        rf_buf_printf(&f->out, "%s%.*s:%s", i == 0 ? "" : ",", RF_FMT(columns[i].name),
                      type_name((enum type)columns[i].type));
    return result(f);
}

Test(infer, types_from_all_rows)
{
    for (size_t i = 0; i < RF_COUNT(infer_cases); i++) {
        for (size_t step = 1; step < 1000; step = step * 31) {
            struct fixture f;
            setup(&f);
            const char *got = infer_text(&f, &infer_cases[i], step);
            cr_expect_str_eq(got, infer_cases[i].expected, "%s\n got: %s\nwant: %s",
                             infer_cases[i].text, got, infer_cases[i].expected);
            rf_arena_done(&f.arena);
        }
    }
}

Test(infer, a_flood_of_fields_is_an_error_not_a_death)
{
    struct fixture f;
    setup(&f);
    struct rf_buf json = rf_buf_in(&f.arena);
    for (int i = 0; i <= READER_COLUMNS_MAX; i++) rf_buf_printf(&json, "{\"k%d\":1}\n", i);
    struct reader_options options = {.format = READER_JSON_LINES, .budget = &f.budget};
    struct reader_input input = {.memory = rf_buf_view(&json)};
    struct reader_column *columns;
    uint32_t count;
    struct rf_err err;
    cr_expect(reader_infer(&input, &options, &f.arena, &columns, &count, &err) == RF_LIMIT);
    cr_expect_str_eq(err.code, "TooManyColumns");
    input.memory.len -= strlen("{\"k10000\":1}\n");
    cr_expect(reader_infer(&input, &options, &f.arena, &columns, &count, &err) == RF_OK);
    cr_expect(count == READER_COLUMNS_MAX);
    rf_arena_done(&f.arena);
}

/* ---- what a file is ---------------------------------------------------------------------------------------- */

Test(reader, guesses_the_format)
{
    static const struct {
        const char *name, *text;
        enum reader_format format;
        char delimiter;
    } cases[] = {{"x.csv", "{\"a\":1}", READER_CSV, ','},
                 {"x.TSV.gz", "", READER_CSV, '\t'},
                 {"x.jsonl", "{\"a\":1}\n{\"a\":2}\n", READER_JSON_LINES, ','},
                 {"x.json", "\n [ {\"a\":1}]", READER_JSON_VALUES, ','},
                 {"x.json", "{\n \"a\":1\n}\n", READER_JSON_VALUES, ','},
                 {"x.json", "{\"a\":1}", READER_JSON_LINES, ','},
                 {"x.jsonl", "{\"a\":\n{\"a\":2}\n", READER_JSON_LINES, ','},
                 {"", "\xef\xbb\xbf{\"a\":1}\n", READER_JSON_LINES, ','},
                 {"", "a,b\n1,2\n", READER_CSV, ','},
                 {"", "", READER_JSON_LINES, ','}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct reader_options options = {0};
        struct reader_input input = {.memory = rf_str_of(cases[i].text)};
        struct rf_err err;
        cr_assert(reader_guess_format(&input, rf_str_of(cases[i].name), &options, &err) == RF_OK);
        cr_expect(options.format == cases[i].format && options.delimiter == cases[i].delimiter,
                  "%s %s", cases[i].name, cases[i].text);
    }
}

Test(reader, names_of_tables)
{
    static const struct {
        const char *path, *name;
    } cases[] = {{"/tmp/a/SigninLogs.jsonl.gz", "SigninLogs"},
                 {"x-y z.csv", "x_y_z"},
                 {"2024.json", "_2024"},
                 {".hidden", "_hidden"}};
    struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        rf_str name = reader_table_name(rf_str_of(cases[i].path), &arena);
        cr_expect(rf_str_is(name, cases[i].name), "%s gives %.*s", cases[i].path, RF_FMT(name));
    }
    cr_expect(reader_is_table_name(RF_S("a.ndjson.zst")) && !reader_is_table_name(RF_S("a.gz")) &&
              !reader_is_table_name(RF_S("a.txt")));
    rf_arena_done(&arena);
}

/* ---- two ways to read a line ------------------------------------------------------------------------------- */

/* The same lines with a blank before each, which the quick way leaves to the other. */
static rf_str blank_before_lines(struct rf_arena *arena, rf_str text)
{
    struct rf_buf out = rf_buf_in(arena);
    for (size_t i = 0; i < text.len; i++) {
        if (i == 0 || text.ptr[i - 1] == '\n') rf_buf_byte(&out, ' ');
        rf_buf_byte(&out, text.ptr[i]);
    }
    return rf_buf_view(&out);
}

static const char all_types[] = "s:string,t:string,l:long,i:int,r:real,b:bool,d:datetime,y:dynamic,"
                                "z:dynamic,g:guid,c:decimal,n:timespan,"
                                "a_name_of_forty_bytes_that_is_quite_long:string";

/* "name:type," for each column that inference finds. */
static const char *columns_of(struct fixture *f, rf_str text)
{
    struct reader_options options = {.format = READER_JSON_LINES, .budget = &f->budget};
    struct rf_buf out = rf_buf_in(&f->arena);
    struct reader_column *columns;
    struct infer *infer;
    struct rf_err err;
    uint32_t count;
    size_t taken;
    cr_assert(infer_new(&options, &infer, &err) == RF_OK);
    cr_assert(infer_feed(infer, text, true, &taken, &err) == RF_OK);
    cr_assert(infer_columns(infer, &f->arena, &columns, &count, &err) == RF_OK);
    infer_free(infer);
    for (uint32_t i = 0; i < count; i++)
        rf_buf_printf(&out, "%.*s:%s,", RF_FMT(columns[i].name),
                      type_name((enum type)columns[i].type));
    rf_buf_byte(&out, '\0');
    return (const char *)out.ptr;
}

static void read_alike_by(rf_str text, size_t step, uint32_t batch_rows)
{
    struct fixture quick, slow;
    if (text.len == 0) return;
    setup(&quick);
    setup(&slow);
    quick.no_offsets = slow.no_offsets = true;
    rf_str blanks = blank_before_lines(&slow.arena, text);
    const char *a = read_text(&quick, READER_JSON_LINES, text, all_types, step, batch_rows);
    const char *b = read_text(&slow, READER_JSON_LINES, blanks, all_types, blanks.len, 2048);
    cr_assert_str_eq(a, b);
    cr_assert_str_eq(columns_of(&quick, text), columns_of(&slow, blanks));
    rf_arena_done(&quick.arena);
    rf_arena_done(&slow.arena);
}

static void read_alike(rf_str text, size_t step) { read_alike_by(text, step, 7); }

static void put_field(struct rf_prng *prng, struct rf_buf *out)
{
    static const char *const names[] = {"s",
                                        "t",
                                        "l",
                                        "i",
                                        "r",
                                        "b",
                                        "d",
                                        "y",
                                        "z",
                                        "g",
                                        "c",
                                        "n",
                                        "a_name_of_forty_bytes_that_is_quite_long",
                                        "new",
                                        "\\u0073"};
    static const char *const values[] = {"null",
                                         "true",
                                         "false",
                                         "0",
                                         "-0",
                                         "7",
                                         "-12",
                                         "2147483648",
                                         "123456789012345678",
                                         "99999999999999999999",
                                         "0.5",
                                         "-0.25",
                                         "12.125",
                                         "1e3",
                                         "1.5E-7",
                                         "123456789.123456789",
                                         "\"\"",
                                         "\"x\"",
                                         "\"seven b\"",
                                         "\"eight by\"",
                                         "\"sixteen bytes ab\"",
                                         "\"a text with more than thirty-two bytes in it\"",
                                         "\"C:\\\\Windows\\\\System32\"",
                                         "\"\\u00e9\\n\\ud83d\\ude00\"",
                                         "\"\xc3\xa9\"",
                                         "\"2025-01-01T00:00:01.6360310Z\"",
                                         "\"2024-02-29T23:59:59Z\"",
                                         "\"2025-02-29T00:00:00.1Z\"",
                                         "\"2025-01-01 00:00\"",
                                         "\"1.02:03:04\"",
                                         "\"6f1c2a74-53f0-4b1e-9a55-0c5d5b8e7a10\"",
                                         "{}",
                                         "[]",
                                         "{\"k\":1}",
                                         "{\"k\":{\"l\":[1,2.5,\"x\",null]},\"m\":\"a\\\\b\"}",
                                         "[{\"id\":\"a long enough text\"},1]",
                                         "[{\"id\":\"a long enough texT\"},1]",
                                         "{\"k\":1,\"k\":2}",
                                         "{\"a\" : 1}"};
    bool blank = rf_test_one_in(prng, 4);
    rf_buf_printf(out, "\"%s\":%s%s", names[rf_test_below(prng, RF_COUNT(names))], blank ? " " : "",
                  values[rf_test_below(prng, RF_COUNT(values))]);
}

/* Lines as machines write them, some with a byte changed. */
RF_PROP(reader_reads_usual_lines_like_all_others, 3000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    struct rf_buf text = rf_buf_in(&arena);
    static const char bytes[] = "\"\\{}[],:0.e-tx \n\r\x01\xc3";
    uint64_t rows = rf_test_below(prng, 30);
    for (uint64_t row = 0; row < rows; row++) {
        uint64_t fields = rf_test_below(prng, 8);
        size_t start = text.len;
        rf_buf_byte(&text, '{');
        for (uint64_t i = 0; i < fields; i++) {
            if (i > 0) rf_buf_str(&text, rf_test_one_in(prng, 4) ? RF_S(", ") : RF_S(","));
            put_field(prng, &text);
        }
        rf_buf_str(&text, rf_test_one_in(prng, 9) ? RF_S("}\r\n") : RF_S("}\n"));
        if (rf_test_one_in(prng, 5))
            text.ptr[start + rf_test_below(prng, text.len - start)] =
                (uint8_t)bytes[rf_test_below(prng, sizeof bytes - 1)];
    }
    if (text.len > 0 && rf_test_one_in(prng, 3)) text.len--;
    size_t step = rf_test_bool(prng) ? text.len : 1 + rf_test_below(prng, 200);
    read_alike(rf_buf_view(&text), step);
}

/* An array, and the same one with blanks that only the other way of reading takes. */
static void put_array(struct rf_prng *prng, uint64_t rows, bool spoiled, struct rf_buf *usual,
                      struct rf_buf *blanks)
{
    static const char bytes[] = "\"\\{}[],:0.e-tx \n\r\x01\xc3";
    static const char *const between[] = {",", ", ", ",\n", ",\r\n  "};
    const char *comma = between[rf_test_below(prng, RF_COUNT(between))];
    uint64_t bad = spoiled ? rf_test_below(prng, rows) : rows;
    rf_buf_str(usual, RF_S("["));
    rf_buf_str(blanks, RF_S(" ["));
    for (uint64_t row = 0; row < rows; row++) {
        uint64_t fields = rf_test_below(prng, 8);
        if (row > 0) rf_buf_str(usual, rf_str_of(comma));
        if (row > 0) rf_buf_str(blanks, rf_str_of(comma));
        size_t start = usual->len;
        rf_buf_byte(usual, '{');
        for (uint64_t i = 0; i < fields; i++) {
            if (i > 0) rf_buf_str(usual, rf_test_one_in(prng, 4) ? RF_S(", ") : RF_S(","));
            put_field(prng, usual);
        }
        rf_buf_byte(usual, '}');
        if (row == bad)
            usual->ptr[start + 1 + rf_test_below(prng, usual->len - start - 1)] =
                (uint8_t)bytes[rf_test_below(prng, sizeof bytes - 1)];
        rf_str whole = rf_slice(rf_buf_view(usual), start, usual->len);
        rf_buf_str(blanks, RF_S("{  "));
        rf_buf_str(blanks, rf_slice(whole, 1, whole.len));
    }
    rf_buf_byte(usual, ']');
    rf_buf_byte(blanks, ']');
}

RF_PROP(reader_reads_usual_arrays_like_all_others, 300)
{
    struct fixture quick, slow;
    setup(&quick);
    setup(&slow);
    quick.no_offsets = slow.no_offsets = true;
    struct rf_buf usual = rf_buf_in(&quick.arena), blanks = rf_buf_in(&slow.arena);
    put_array(prng, 1 + rf_test_below(prng, 3000), rf_test_one_in(prng, 3), &usual, &blanks);
    rf_str text = rf_buf_view(&usual);
    size_t step = rf_test_bool(prng) ? text.len : 1 + rf_test_below(prng, text.len);
    const char *a = read_text(&quick, READER_JSON_VALUES, text, all_types, step, 0);
    const char *b =
        read_text(&slow, READER_JSON_VALUES, rf_buf_view(&blanks), all_types, blanks.len, 0);
    cr_assert_str_eq(a, b);
    rf_arena_done(&quick.arena);
    rf_arena_done(&slow.arena);
}

/* Numbers without end, and a text that ends where a window does. */
Test(reader, arrays_that_end_anywhere)
{
    for (size_t len = (32 << 10) - 40; len < (32 << 10) + 140; len++) {
        struct fixture f;
        setup(&f);
        struct rf_buf text = rf_buf_in(&f.arena);
        rf_buf_str(&text, RF_S("[{\"l\":1},{\"y\":["));
        while (text.len < len) rf_buf_str(&text, RF_S("1,"));
        rf_buf_str(&text, RF_S("1]},{\"l\":2}]"));
        const char *rows =
            read_text(&f, READER_JSON_VALUES, rf_buf_view(&text), "l:long", text.len, 0);
        cr_assert_str_eq(rows, "1\n~\n2\n");
        rf_arena_done(&f.arena);
    }
}

/* More than a window holds, and lines that do not fit into one. */
Test(reader, windows_of_lines)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct rf_buf text = rf_buf_in(&arena);
    for (int i = 0; i < 4000; i++) {
        rf_buf_printf(&text, "{\"s\":\"user %d\",\"l\":%d,\"y\":{\"k\":[%d]}}\n", i % 300, i,
                      i % 5);
        if (i % 1000 == 500) rf_buf_str(&text, RF_S("{\"s\":\"open\n"));
        if (i % 1000 != 700) continue;
        rf_buf_str(&text, RF_S("{\"t\":\""));
        for (int k = 0; k < 40000; k++) rf_buf_byte(&text, (uint8_t)('a' + k % 26));
        rf_buf_str(&text, RF_S("\"}\n"));
    }
    read_alike(rf_buf_view(&text), text.len);
    read_alike(rf_buf_view(&text), 100000);
    rf_arena_done(&arena);
}

/* Texts that do not repeat are views of what was fed, to the end of a text that ends without a line end, or amid which a line
 * stands that is not read by its marks. */
Test(reader, last_lines_keep_their_texts)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct rf_buf text = rf_buf_in(&arena);
    for (int i = 0; i < 6000; i++)
        rf_buf_printf(&text, "{\"s\":\"user %d of many\",\"t\":\"a\\\\%d\"%s}\n", i * 7919, i,
                      i > 5500 && i % 90 == 0 ? ",\"l\":1\x01" : "");
    read_alike_by(rf_buf_view(&text), text.len, 0);
    text.len--;
    read_alike_by(rf_buf_view(&text), text.len, 0);
    read_alike_by(rf_buf_view(&text), 50000, 0);
    rf_arena_done(&arena);
}

/* A dictionary that grows keeps its number for who asks so, and otherwise gets one for each state. */
Test(reader, numbers_of_growing_dictionaries)
{
    struct fixture f;
    setup(&f);
    struct rf_buf text = rf_buf_in(&f.arena);
    for (int i = 0; i < 1000; i++) rf_buf_printf(&text, "{\"s\":\"%d\"}\n", i / 4);
    for (int grow = 0; grow < 2; grow++) {
        atomic_uint_fast64_t ids = 0;
        struct reader_column column = {RF_S("s"), TYPE_STRING};
        struct reader_options options = {.columns = &column,
                                         .column_count = 1,
                                         .budget = &f.budget,
                                         .batch_rows = 100,
                                         .dict_ids = &ids,
                                         .dicts_grow = grow == 1};
        struct reader *reader;
        struct batch batch;
        struct rf_err err;
        cr_assert(reader_new(&options, &reader, &err) == RF_OK);
        reader_feed(reader, rf_buf_view(&text), true);
        for (uint64_t row = 0, before = 0; row < 1000; row += batch.row_count) {
            cr_assert(reader_next(reader, &batch, &err) == RF_OK);
            cr_assert(batch.row_count == 100);
            const struct vec *v = &batch.columns[0];
            cr_assert(v->shape == VEC_DICT && v->dict_id != 0);
            if (before != 0) cr_assert((v->dict_id == before) == (grow == 1));
            before = v->dict_id;
            for (uint32_t i = 0; i < 100; i++) {
                char want[16];
                snprintf(want, sizeof want, "%d", (int)(row + i) / 4);
                cr_assert(rf_str_is(vec_str(v, i), want));
            }
        }
        reader_free(reader);
    }
    rf_arena_done(&f.arena);
}

/* Columns that many different texts pass through: dictionaries fill, are given up, and come again. */
Test(reader, dictionaries_come_and_go)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct rf_buf text = rf_buf_in(&arena);
    for (int i = 0; i < 60000; i++)
        rf_buf_printf(&text,
                      "{\"s\":\"\\\\user %d\",\"t\":\"%d\",\"y\":{\"k\":%d},\"z\":[\"%d\"]}\n",
                      i * 7 % 30000, i, i, i % 3000);
    read_alike(rf_buf_view(&text), text.len);
    rf_arena_done(&arena);
}
