#include "kql/source_file.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kql/ast.h"
#include "kql/kql.h"

/* First cell of the first row of a query, as a long. */
struct first_cell {
    struct kql_sink sink;
    bool found;
    struct value value;
};

static enum rf_kind begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                          const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}
static enum rf_kind push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    struct first_cell *first = (struct first_cell *)sink;
    (void)err;
    if (first->found || batch->row_count == 0) return RF_OK;
    first->value = vec_value(&batch->columns[0], 0);
    first->found = true;
    return RF_OK;
}
static enum rf_kind end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static int64_t ask(struct source *source, const char *query, struct rf_err *err)
{
    struct source *sources[] = {source};
    struct catalog catalog = {.sources = sources, .source_count = 1};
    struct kql_request request = {.text = rf_str_of(query), .catalog = &catalog};
    struct first_cell first = {.sink = {.begin = begin, .push = push, .end = end}};
    struct kql_stats stats;
    if (kql_run(&request, &first.sink, &stats, err) != RF_OK) return -1;
    return first.found ? first.value.i : -2;
}

static void write_file(char path[32], const char *text)
{
    strcpy(path, "/tmp/rf_source_XXXXXX");
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

Test(source_file, infers_reads_and_counts_rejects)
{
    char path[32];
    write_file(path, "{\"a\":1,\"s\":\"x\"}\n{\"a\":2,\"s\":\"y\"}\nnonsense\n{\"a\":3}\n");
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct source_file_options options = {.name = RF_S("T"), .path = path};
    struct source *source = source_file_new(&options, &arena);
    struct rf_err err;
    cr_assert(source != NULL && source->column_count == 0,
              "nothing is read before the table is used");
    cr_expect_eq(ask(source, "T | summarize sum(a)", &err), 6);
    cr_expect_eq(ask(source, "T | where s == 'y' | project a", &err), 2);
    cr_expect_eq(ask(source, "T | where isempty(s) | count", &err), 1);
    cr_expect_eq(ask(source, "T | join kind=inner T on a | count", &err), 3);
    struct source_file_rejects rejects = source_file_rejects(source);
    cr_expect(rejects.count == 1 && rejects.line == 3);
    cr_expect_str_eq(rejects.reason, "a row must be a JSON object");
    unlink(path);
    cr_expect(ask(source, "T | count", &err) == -1 && err.kind == RF_NOT_FOUND);
    rf_arena_done(&arena);
}

Test(source_file, types_may_be_given)
{
    char path[32];
    write_file(path, "a,b\n007,{\"\"k\"\":1}\n");
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct ast_column columns[] = {{.name = RF_S("a"), .type = TYPE_LONG},
                                   {.name = RF_S("missing"), .type = TYPE_DATETIME}};
    struct source_file_options options = {
        .name = RF_S("T"), .path = path, .columns = columns, .column_count = 2};
    struct source *source = source_file_new(&options, &arena);
    struct rf_err err;
    cr_expect_eq(ask(source, "T | where isnull(missing) | project a", &err), 7,
                 "a file that is no JSON and has no name is CSV");
    rf_arena_done(&arena);
    unlink(path);
}

Test(source_file, tables_without_a_file)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct ast_column columns[] = {{.name = RF_S("n"), .type = TYPE_LONG},
                                   {.name = RF_S("s"), .type = TYPE_STRING}};
    struct rf_err err;
    struct source *empty = source_empty_new(RF_S("T"), columns, 2, &arena);
    cr_expect_eq(ask(empty, "T | count", &err), 0);
    uint8_t types[] = {TYPE_LONG, TYPE_STRING};
    struct rows *rows = rows_new(&arena, types, 2);
    for (int64_t n = 0; n < 5000; n++) {
        struct vec vecs[2];
        struct value number = value_long(n),
                     text = value_str(n % 2 == 0 ? RF_S("even") : RF_S("odd"));
        cr_assert(vec_const(&arena, &number, &vecs[0]) && vec_const(&arena, &text, &vecs[1]));
        struct batch batch = {.row_count = 1, .column_count = 2, .columns = vecs, .arena = &arena};
        cr_assert(rows_append(rows, &batch));
    }
    struct source *kept = source_rows_new(RF_S("T"), columns, 2, rows, &arena);
    cr_expect_eq(ask(kept, "T | where s == 'odd' | summarize sum(n)", &err), 2500 * 2500);
    cr_expect_eq(ask(kept, "T | where s == 'even' | take 7 | count", &err), 7);
    rf_arena_done(&arena);
}
