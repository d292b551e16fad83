/* Queries with their expected result tables: each line of the files in tests/kql/cases is a case, in the form
 * {"id","query","columns":[{"name","type"}],"rows":[[..]],"ordered"}. Each runs with whole batches, and with batches of one and of
 * seven rows, where state that is kept per batch would show; with several workers; and with its datatables replaced by
 * tables whose rows come on several lanes, where state that is not merged, or merged in another order, would show. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "cli/cli_format.h"
#include "kql/ast.h"
#include "value/dyn.h"

enum { FILE_BYTES_MAX = 16 << 20, CASE_BYTES_MAX = 256 << 20, TABLES_MAX = 32 };

/* ---- tables whose rows come on several lanes --------------------------------------------------------------------- */

struct spread {
    struct source source;
    struct rows *rows;
};

/* Pushes rows from..to-1. */
static enum rf_kind spread_push(const struct spread *s, const struct scan *scan, struct exec *exec,
                                struct flow *out, uint32_t lane, uint64_t from, uint64_t to,
                                struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    uint64_t *numbers = rf_arena_raw(&arena, uint64_t, to - from);
    struct vec *columns = rf_arena_raw(&arena, struct vec, scan->column_count);
    struct batch all;
    if (numbers == NULL || columns == NULL) return rf_fail_memory(err, &arena);
    for (uint64_t i = from; i < to; i++) numbers[i - from] = i;
    if (!rows_gather(s->rows, numbers, (uint32_t)(to - from), &arena, &all))
        return rf_fail_memory(err, &arena);
    for (uint32_t i = 0; i < scan->column_count; i++) columns[i] = all.columns[scan->columns[i]];
    struct batch batch = {.row_count = all.row_count,
                          .column_count = scan->column_count,
                          .columns = columns,
                          .arena = &arena};
    return flow_push(exec, out, lane, &batch, err);
}

/* Lane i has rows that stand before those of lane i + 1, but the last lane begins, and each gives a row or two at a
 * time: as unlike the order of the rows as the rules of lanes allow. */
static enum rf_kind spread_scan(struct source *source, const struct scan *scan, struct exec *exec,
                                struct flow *out, struct rf_err *err)
{
    const struct spread *s = (struct spread *)source;
    uint64_t count = rows_count(s->rows), lanes = exec->lane_count;
    for (uint64_t at = 0; at < count && !flow_done(out); at += 2) {
        for (uint64_t lane = lanes; lane-- > 0;) {
            uint64_t from = count * lane / lanes + at, end = count * (lane + 1) / lanes;
            if (from < end)
                RF_TRY(spread_push(s, scan, exec, out, (uint32_t)lane, from, RF_MIN(from + 2, end),
                                   err));
        }
    }
    return RF_OK;
}

static const struct source_ops spread_ops = {.scan = spread_scan};

/* Keeps a result. */
struct keeper {
    struct kql_sink sink;
    struct rf_arena *arena;
    struct spread *table;
};

static enum rf_kind keeper_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                 const struct render *render, struct rf_err *err)
{
    struct keeper *k = (struct keeper *)sink;
    struct spread *t = k->table;
    uint8_t *types = rf_arena_new(k->arena, uint8_t, schema->count);
    (void)name, (void)render, (void)err;
    t->source.columns = rf_arena_new(k->arena, struct ast_column, schema->count);
    t->source.column_count = schema->count;
    cr_assert(types != NULL && t->source.columns != NULL);
    for (uint32_t i = 0; i < schema->count; i++) {
        types[i] = schema->columns[i].type;
        t->source.columns[i].type = types[i];
        cr_assert(rf_arena_str(k->arena, schema->columns[i].name, &t->source.columns[i].name));
    }
    t->rows = rows_new(k->arena, types, schema->count);
    cr_assert(t->rows != NULL);
    return RF_OK;
}

static enum rf_kind keeper_push(struct kql_sink *sink, const struct batch *batch,
                                struct rf_err *err)
{
    struct keeper *k = (struct keeper *)sink;
    (void)err;
    cr_assert(rows_append(k->table->rows, batch));
    return RF_OK;
}

static enum rf_kind keeper_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

/* The end of the literal or comment at `at`, or `at` when there is none. */
static size_t skip_literal(rf_str text, size_t at)
{
    uint8_t quote = text.ptr[at];
    bool verbatim = at > 0 && text.ptr[at - 1] == '@';
    if (quote == '/' && at + 1 < text.len && text.ptr[at + 1] == '/') {
        size_t end = rf_str_find(text, RF_S("\n"), at);
        return end == SIZE_MAX ? text.len : end;
    }
    if (quote != '"' && quote != '\'') return at;
    for (at++; at < text.len && text.ptr[at] != quote; at++)
        at += text.ptr[at] == '\\' && !verbatim;
    return RF_MIN(at + 1, text.len);
}

/* The end of the brackets that open at `at`; SIZE_MAX when they do not. */
static size_t skip_brackets(rf_str text, size_t at)
{
    size_t depth = 0;
    while (at < text.len) {
        size_t behind = skip_literal(text, at);
        if (behind > at) {
            at = behind;
            continue;
        }
        uint8_t c = text.ptr[at++];
        depth += c == '(' || c == '[' || c == '{';
        if (c == ')' || c == ']' || c == '}') {
            if (depth == 0) return SIZE_MAX;
            if (--depth == 0) return at;
        }
        if (depth == 0 && !rf_is_space(c)) return SIZE_MAX;
    }
    return SIZE_MAX;
}

static bool keep_table(rf_str text, struct rf_arena *arena, struct spread *table)
{
    struct keeper k = {.sink = {.begin = keeper_begin, .push = keeper_push, .end = keeper_end},
                       .arena = arena,
                       .table = table};
    struct kql_request request = {.text = text};
    return kql_run(&request, &k.sink, NULL, NULL) == RF_OK;
}

/* The query with the name of a table in place of each datatable; search, which looks into all tables that there are, keeps
 * what it has. */
static rf_str spread_tables(rf_str query, struct rf_arena *arena, struct catalog *catalog)
{
    if (rf_str_find(query, RF_S("search"), 0) != SIZE_MAX) return query;
    struct rf_buf buf = rf_buf_in(arena);
    for (size_t at = 0; at < query.len;) {
        size_t behind = skip_literal(query, at), rows;
        if (behind == at && rf_str_starts(rf_slice(query, at, query.len), RF_S("datatable")) &&
            catalog->source_count < TABLES_MAX) {
            rows = skip_brackets(query, at + 9);
            behind = rows == SIZE_MAX ? SIZE_MAX : skip_brackets(query, rows);
            struct spread *table = rf_arena_new(arena, struct spread, 1);
            cr_assert(table != NULL);
            if (behind != SIZE_MAX && keep_table(rf_slice(query, at, behind), arena, table)) {
                table->source.ops = &spread_ops;
                table->source.name = rf_arena_printf(arena, "Spread%u_", catalog->source_count);
                catalog->sources[catalog->source_count++] = &table->source;
                rf_buf_str(&buf, table->source.name);
                at = behind;
                continue;
            }
            behind = at;
        }
        if (behind == at) behind++;
        rf_buf_str(&buf, rf_slice(query, at, behind));
        at = behind;
    }
    cr_assert(!buf.failed);
    return rf_buf_view(&buf);
}

/* ---- cases ----------------------------------------------------------------------------------------------------------- */

struct way { /* of running a case */
    uint32_t batch_rows, lanes;
    bool spread;
};

/* The result as {"tables":[..]} text; empty when the query failed. */
static rf_str run(rf_str query, const struct way *way, struct rf_arena *arena, struct rf_err *err)
{
    struct source *sources[TABLES_MAX];
    struct catalog catalog = {.sources = sources};
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    struct cli_output output = {.file = file, .format = CLI_JSON, .width = UINT32_MAX};
    struct kql_sink *sink = cli_sink_new(&output, arena);
    struct kql_request request = {
        .text = query, .batch_rows = way->batch_rows, .lane_count = way->lanes};
    if (way->spread) {
        request.text = spread_tables(query, arena, &catalog);
        request.catalog = &catalog;
    }
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

static bool run_case(rf_str line, const struct way *way)
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
    rf_str text = run(dyn_string(dyn_get(test, RF_S("query"))), way, &arena, &err);
    if (text.len == 0 || dyn_parse_json(text, &result, &err) != RF_OK) {
        fprintf(stderr, "%.*s (batches of %u, %u lanes%s): line %u, column %u: %s\n", RF_FMT(id),
                way->batch_rows, way->lanes, way->spread ? ", spread" : "", err.line, err.column,
                err.text);
        return false;
    }
    rf_str table = dyn_item(dyn_get(dyn_done(&result), RF_S("tables")), 0);
    bool ordered = dyn_tag(dyn_get(test, RF_S("ordered"))) == DYN_TRUE;
    bool ok =
        columns_equal(dyn_get(test, RF_S("columns")), dyn_get(table, RF_S("columns"))) &&
        rows_equal(dyn_get(test, RF_S("rows")), dyn_get(table, RF_S("rows")), ordered, &arena);
    if (!ok)
        fprintf(stderr, "%.*s (batches of %u, %u lanes%s): got %.*s\n", RF_FMT(id), way->batch_rows,
                way->lanes, way->spread ? ", spread" : "", RF_FMT(text));
    return ok;
}

Test(kql_cases, give_the_stated_tables, .timeout = 300)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, CASE_BYTES_MAX);
    rf_str *names;
    size_t count;
    struct rf_err err = {0};
    static const struct way ways[] = {
        {BATCH_ROWS, 1, false}, {1, 1, false},         {7, 1, false},
        {BATCH_ROWS, 3, false}, {BATCH_ROWS, 3, true}, {1, 4, true},
    };
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
            for (size_t w = 0; w < RF_COUNT(ways); w++, cases++) bad += !run_case(line, &ways[w]);
        }
    }
    cr_assert(cases > 0);
    cr_assert(bad == 0, "%u of %u cases", bad, cases);
}
