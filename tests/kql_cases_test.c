/* Queries with their expected result tables: each line of the files in tests/kql/cases is a case, in the form
 * {"id","query","columns":[{"name","type"}],"rows":[[..]],"ordered"}. Each runs with whole batches, and with batches of one and of
 * seven rows, where state that is kept per batch would show. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "cli/cli_format.h"
#include "value/dyn.h"

enum { FILE_BYTES_MAX = 16 << 20, CASE_BYTES_MAX = 256 << 20 };

/* The result as {"tables":[..]} text; empty when the query failed. */
static rf_str run(rf_str query, uint32_t batch_rows, struct rf_arena *arena, struct rf_err *err)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    struct cli_output output = {.file = file, .format = CLI_JSON, .width = UINT32_MAX};
    struct kql_sink *sink = cli_sink_new(&output, arena);
    struct kql_request request = {.text = query, .batch_rows = batch_rows};
    enum rf_kind kind = kql_run(&request, sink, NULL, err);
    if (kind == RF_OK) kind = cli_sink_finish(sink, err);
    cli_sink_done(sink);
    fclose(file);
    rf_str out = {NULL, 0};
    if (kind == RF_OK) (void)rf_arena_str(arena, rf_str_make(text, bytes), &out);
    free(text);
    return out;
}

static bool columns_equal(rf_str want, rf_str got)
{
    if (dyn_count(want) != dyn_count(got)) return false;
    for (uint32_t i = 0; i < dyn_count(want); i++) {
        static const char *const keys[] = {"name", "type"};
        for (size_t k = 0; k < 2; k++) {
            rf_str w = dyn_get(dyn_item(want, i), rf_str_of(keys[k]));
            if (!dyn_is_null(w) && !dyn_same(w, dyn_get(dyn_item(got, i), rf_str_of(keys[k]))))
                return false;
        }
    }
    return true;
}

/* Each expected row has a row of its own among those that came. */
static bool rows_equal(rf_str want, rf_str got, bool ordered, struct rf_arena *arena)
{
    uint32_t n = dyn_count(want);
    if (n != dyn_count(got)) return false;
    bool *taken = rf_arena_new(arena, bool, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = ordered ? i : 0;
        if (!ordered)
            while (k < n && (taken[k] || !dyn_same(dyn_item(want, i), dyn_item(got, k)))) k++;
        if (k == n || !dyn_same(dyn_item(want, i), dyn_item(got, k))) return false;
        taken[k] = true;
    }
    return true;
}

static bool run_case(rf_str line, uint32_t batch_rows)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, CASE_BYTES_MAX);
    struct rf_buf buf = rf_buf_in(&arena), result = rf_buf_in(&arena);
    struct rf_err err = {0};
    if (dyn_parse_json(line, &buf, &err) != RF_OK) {
        fprintf(stderr, "not JSON: %s\n", err.text);
        return false;
    }
    rf_str test = dyn_done(&buf), id = dyn_string(dyn_get(test, RF_S("id")));
    rf_str text = run(dyn_string(dyn_get(test, RF_S("query"))), batch_rows, &arena, &err);
    if (text.len == 0 || dyn_parse_json(text, &result, &err) != RF_OK) {
        fprintf(stderr, "%.*s (batches of %u): line %u, column %u: %s\n", RF_FMT(id), batch_rows,
                err.line, err.column, err.text);
        return false;
    }
    rf_str table = dyn_item(dyn_get(dyn_done(&result), RF_S("tables")), 0);
    bool ordered = dyn_tag(dyn_get(test, RF_S("ordered"))) == DYN_TRUE;
    bool ok =
        columns_equal(dyn_get(test, RF_S("columns")), dyn_get(table, RF_S("columns"))) &&
        rows_equal(dyn_get(test, RF_S("rows")), dyn_get(table, RF_S("rows")), ordered, &arena);
    if (!ok)
        fprintf(stderr, "%.*s (batches of %u): got %.*s\n", RF_FMT(id), batch_rows, RF_FMT(text));
    return ok;
}

Test(kql_cases, give_the_stated_tables, .timeout = 300)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, CASE_BYTES_MAX);
    rf_str *names;
    size_t count;
    struct rf_err err = {0};
    static const uint32_t batch_rows[] = {BATCH_ROWS, 1, 7};
    uint32_t cases = 0, bad = 0;
    cr_assert(rf_fs_list(rf_fs_real(), "tests/kql/cases", &arena, &names, &count, &err) == RF_OK,
              "%s", err.text);
    for (size_t i = 0; i < count; i++) {
        rf_str path = rf_arena_printf(&arena, "tests/kql/cases/%.*s", RF_FMT(names[i])), text;
        cr_assert(rf_fs_read_all(rf_fs_real(), (const char *)path.ptr, FILE_BYTES_MAX, &arena,
                                 &text, &err) == RF_OK,
                  "%s", err.text);
        for (size_t at = 0; at < text.len;) {
            size_t end = rf_str_find(text, RF_S("\n"), at);
            if (end == SIZE_MAX) end = text.len;
            rf_str line = rf_str_trim(rf_slice(text, at, end));
            at = end + 1;
            if (line.len == 0) continue;
            for (size_t b = 0; b < RF_COUNT(batch_rows); b++, cases++)
                bad += !run_case(line, batch_rows[b]);
        }
    }
    cr_assert(cases > 0);
    cr_assert(bad == 0, "%u of %u cases", bad, cases);
}
