/* Recorded attacks with known answers: every query of ../shared/attacks/kql.jsonl over its data set. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "cli/cli_catalog.h"
#include "cli/cli_format.h"
#include "value/dyn.h"

#define ATTACKS "../shared/attacks/"

/* Keeps the rows as JSON. */
struct json_rows {
    struct kql_sink sink;
    struct rf_buf buf;
};

static enum rf_kind begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                          const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}

static enum rf_kind push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    struct rf_buf *buf = &((struct json_rows *)sink)->buf;
    (void)err;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        rf_buf_byte(buf, buf->len == 0 ? '[' : ',');
        for (uint32_t i = 0; i < batch->column_count; i++) {
            struct value v = vec_value(&batch->columns[i], row);
            rf_buf_byte(buf, i == 0 ? '[' : ',');
            cli_put_json(buf, &v);
        }
        rf_buf_byte(buf, ']');
    }
    return RF_OK;
}

static enum rf_kind end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static void check(rf_str entry, struct rf_arena *arena)
{
    rf_str dataset = dyn_string(dyn_get(entry, RF_S("dataset"))),
           query = dyn_string(dyn_get(entry, RF_S("query")));
    size_t name_len = 0; /* the query begins with the table's name */
    while (name_len < query.len && rf_is_alnum(query.ptr[name_len])) name_len++;
    rf_str file = rf_arena_printf(arena, ATTACKS "%.*s.jsonl.gz=%.*s", RF_FMT(dataset),
                                  (int)name_len, (const char *)query.ptr);
    struct cli_catalog catalog = cli_catalog_in(arena);
    struct rf_err err;
    cr_assert(cli_catalog_add_file(&catalog, (const char *)file.ptr, &err) == RF_OK, "%s",
              err.text);
    struct json_rows rows = {.sink = {begin, push, end}, .buf = rf_buf_in(arena)};
    struct kql_request request = {.text = query, .catalog = &catalog.catalog};
    struct kql_stats stats;
    cr_assert(kql_run(&request, &rows.sink, &stats, &err) == RF_OK, "%.*s: %s", RF_FMT(query),
              err.text);
    rf_buf_str(&rows.buf, rows.buf.len == 0 ? RF_S("[]") : RF_S("]"));
    struct rf_buf want = rf_buf_in(arena);
    dyn_put_json(dyn_get(entry, RF_S("rows")), &want);
    cr_expect(rf_str_eq(rf_buf_view(&rows.buf), rf_buf_view(&want)), "%.*s\n got: %.*s\nwant: %.*s",
              RF_FMT(query), RF_FMT(rf_buf_view(&rows.buf)), RF_FMT(rf_buf_view(&want)));
}

Test(cli_attacks, answers_are_known)
{
    struct rf_arena arena;
    rf_arena_init(&arena, (size_t)1 << 30);
    if (!rf_fs_exists(rf_fs_real(), ATTACKS "kql.jsonl"))
        cr_skip_test("../shared/attacks is not here");
    rf_str text;
    struct rf_err err;
    cr_assert(rf_fs_read_all(rf_fs_real(), ATTACKS "kql.jsonl", 1 << 20, &arena, &text, &err) ==
              RF_OK);
    for (size_t from = 0; from < text.len;) {
        const uint8_t *line_end = memchr(text.ptr + from, '\n', text.len - from);
        size_t to = line_end == NULL ? text.len : (size_t)(line_end - text.ptr);
        struct rf_buf entry = rf_buf_in(&arena);
        cr_assert(dyn_parse_json(rf_slice(text, from, to), &entry, &err) == RF_OK, "%s", err.text);
        check(dyn_done(&entry), &arena);
        from = to + 1;
    }
    rf_arena_done(&arena);
}
