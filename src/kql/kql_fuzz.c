/* Any text as a query: it is bound as lint does, then run over small tables of every type with little memory
 * and little time. Nothing but an error or rows may come of it. What libFuzzer tries are mostly queries that bind (rf_query.h). */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "kql/kql.h"
#include "kql/source_file.h"
#include "test/rf_fuzz.h"
#include "test/rf_query.h"
#include "value/dyn.h"
#include "value/text.h"

enum {
    MEMORY_BYTES = 32 << 20,
    RUN_TEXT_BYTES_MAX = 4096, /* longer ones are only bound */
    RUN_USEC_MAX = 300000,     /* of processor time; the query is cancelled then */
    TABLE_ROWS = 6,
};

/* A cell text per type and row; NULL is a null. */
static const char *const cells[TYPE_COUNT][TABLE_ROWS] = {
    [TYPE_BOOL] = {"true", "false", NULL, "true", "false", "true"},
    [TYPE_INT] = {"0", "-1", NULL, "2147483647", "-2147483648", "7"},
    [TYPE_LONG] = {"1", "-1", NULL, "9223372036854775807", "-9223372036854775808", "1"},
    [TYPE_REAL] = {"0.5", "-0.0", NULL, "nan", "1e308", "-inf"},
    [TYPE_DECIMAL] = {"0.5", "-1", NULL, "99999999999999999999.999999", "0", "0.5"},
    [TYPE_DATETIME] = {"2024-02-29T12:30:00Z", "0001-01-01", NULL, "9999-12-31T23:59:59.9999999Z",
                       "1970-01-01", "2024-03-01"},
    [TYPE_TIMESPAN] = {"1.02:03:04.0000005", "-00:00:01", NULL, "10675199.02:48:05.4775807", "0",
                       "01:00:00"},
    [TYPE_GUID] = {"74be27de-1e4e-49d9-b579-fe0b331d3642", "00000000-0000-0000-0000-000000000000",
                   NULL, "ffffffff-ffff-ffff-ffff-ffffffffffff",
                   "74be27de-1e4e-49d9-b579-fe0b331d3642", NULL},
    [TYPE_STRING] = {"powershell.exe -enc AAA=", "", "10.0.0.7", "Zo\xc3\xab \xf0\x9f\x98\x80",
                     "a=1;b=\"x y\"", "{\"k\":[1,2]}"},
    [TYPE_DYNAMIC] = {"{\"a\":1,\"b\":[1,\"x\",null]}", "[]", NULL, "[[1,2.5],{\"c\":{}}]",
                      "\"text\"", "-7"},
};
static const char *const column_names[TYPE_COUNT] = {"b", "i", "l", "r", "d",
                                                     "t", "s", "g", "x", "y"};

struct tables {
    struct rf_arena arena;
    struct ast_column columns[TYPE_COUNT];
    struct source *sources[3];
    struct catalog catalog;
    struct stored_function functions[2];
};
static struct tables tables;
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;
static atomic_bool cancelled;

static void append_row(struct rows *rows, uint32_t row)
{
    struct vec columns[TYPE_COUNT];
    for (uint32_t c = 0; c < TYPE_COUNT; c++) {
        struct value text = value_null(TYPE_STRING), cell = value_null((enum type)c);
        if (cells[c][row] != NULL && c == TYPE_DYNAMIC) {
            struct rf_buf buf = rf_buf_in(&tables.arena);
            RF_ASSERT(dyn_parse_json(rf_str_of(cells[c][row]), &buf, NULL) == RF_OK);
            cell = value_dyn(dyn_done(&buf));
        } else if (cells[c][row] != NULL) {
            text = value_str(rf_str_of(cells[c][row]));
            RF_ASSERT(value_convert(&text, (enum type)c, &tables.arena, &cell));
        }
        RF_ASSERT(cells[c][row] == NULL || !cell.null);
        RF_ASSERT(vec_const(&tables.arena, &cell, &columns[c]));
    }
    struct batch batch = {
        .row_count = 1, .column_count = TYPE_COUNT, .columns = columns, .arena = &tables.arena};
    RF_ASSERT(rows_append(rows, &batch));
}

static void on_timer(int signal)
{
    (void)signal;
    atomic_store(&cancelled, true);
}

static void make_tables(void)
{
    uint8_t types[TYPE_COUNT];
    rf_arena_init(&tables.arena, 1u << 20);
    for (uint32_t c = 0; c < TYPE_COUNT; c++) {
        tables.columns[c] =
            (struct ast_column){.name = rf_str_of(column_names[c]), .type = (uint8_t)c};
        types[c] = (uint8_t)c;
    }
    struct rows *rows = rows_new(&tables.arena, types, TYPE_COUNT);
    RF_ASSERT(rows != NULL);
    for (uint32_t row = 0; row < TABLE_ROWS; row++) append_row(rows, row);
    tables.sources[0] = source_rows_new(RF_S("T"), tables.columns, TYPE_COUNT, rows, &tables.arena);
    tables.sources[1] =
        source_rows_new(RF_S("T2"), tables.columns, TYPE_COUNT, rows, &tables.arena);
    tables.sources[2] = source_empty_new(RF_S("E"), tables.columns, TYPE_COUNT, &tables.arena);
    for (size_t i = 0; i < RF_COUNT(tables.sources); i++) RF_ASSERT(tables.sources[i] != NULL);
    tables.functions[0] = (struct stored_function){
        .name = RF_S("F"), .text = RF_S("(n:long = 2, q:(*)) { q | take n }")};
    tables.functions[1] =
        (struct stored_function){.name = RF_S("G"), .text = RF_S("(n:long) { G(n) + 1 }")};
    tables.catalog = (struct catalog){.sources = tables.sources,
                                      .source_count = RF_COUNT(tables.sources),
                                      .functions = tables.functions,
                                      .function_count = RF_COUNT(tables.functions)};
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    RF_ASSERT(sigaction(SIGVTALRM, &action, NULL) == 0);
}

/* Prints every cell, so that a sanitizer sees what a result points to. */
struct printer {
    struct kql_sink sink;
    struct rf_arena arena;
    uint32_t width;
};

static enum rf_kind printer_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                  const struct render *render, struct rf_err *err)
{
    struct printer *p = (struct printer *)sink;
    (void)name, (void)render, (void)err;
    p->width = schema->count;
    return RF_OK;
}

static enum rf_kind printer_push(struct kql_sink *sink, const struct batch *batch,
                                 struct rf_err *err)
{
    struct printer *p = (struct printer *)sink;
    RF_ASSERT(batch->column_count == p->width);
    RF_ASSERT(batch->row_count <= BATCH_ROWS);
    rf_arena_reset(&p->arena);
    struct rf_buf buf = rf_buf_in(&p->arena);
    for (uint32_t c = 0; c < batch->column_count; c++)
        for (uint32_t i = 0; i < batch->row_count; i++) {
            struct value v = vec_value(&batch->columns[c], i);
            if (v.type == TYPE_INT && !v.null) RF_ASSERT(v.i >= INT32_MIN && v.i <= INT32_MAX);
            if (v.type == TYPE_STRING) RF_ASSERT(v.s.len == 0 || v.s.ptr != NULL);
            if (!v.null) text_put_value(&buf, &v);
        }
    return buf.failed ? rf_fail_memory(err, &p->arena) : RF_OK;
}

static enum rf_kind printer_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static void check_error(enum rf_kind kind, const struct rf_err *err)
{
    if (kind == RF_OK) return;
    RF_ASSERT(err->kind == kind);
    RF_ASSERT(err->code != NULL);
    RF_ASSERT(err->text[0] != '\0');
}

static void set_timer(long usec)
{
    struct itimerval timer = {.it_value = {.tv_usec = usec}};
    RF_ASSERT(setitimer(ITIMER_VIRTUAL, &timer, NULL) == 0);
}

RF_FUZZ(kql, text)
{
    pthread_once(&tables_once, make_tables);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, MEMORY_BYTES);
    struct kql_request request = {.text = text,
                                  .catalog = &tables.catalog,
                                  .memory_bytes = MEMORY_BYTES,
                                  .now_ticks = DATETIME_UNIX_EPOCH,
                                  .cancelled = &cancelled};
    struct kql_shape shape;
    struct rf_err err = {0};
    atomic_store(&cancelled, false);
    set_timer(RUN_USEC_MAX);
    enum rf_kind kind = kql_lint(&request, &arena, &shape, &err);
    set_timer(0);
    atomic_store(&cancelled, false);
    check_error(kind, &err);
    if (text.len > RUN_TEXT_BYTES_MAX) return;
    err = (struct rf_err){0};
    struct printer printer = {
        .sink = {.begin = printer_begin, .push = printer_push, .end = printer_end}};
    rf_arena_init(&printer.arena, MEMORY_BYTES);
    request.batch_rows = text.len % 3 == 0 ? 0 : (uint32_t)(text.len % 5) + 1;
    request.lane_count = text.len % 7 == 0 ? 2 : 1;
    set_timer(RUN_USEC_MAX);
    kind = kql_run(&request, &printer.sink, NULL, &err);
    set_timer(0);
    rf_arena_done(&printer.arena);
    check_error(kind, &err);
}

#ifndef RF_FUZZ_REPLAY

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t len, size_t cap);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t cap, unsigned int seed);

/* Mostly another query, made of the last one or from nothing; else other bytes. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t cap, unsigned int seed)
{
    if (seed % 6 == 0) return LLVMFuzzerMutate(bytes, len, cap);
    pthread_once(&tables_once, make_tables);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, MEMORY_BYTES);
    struct rf_query query = {.state = seed, .catalog = &tables.catalog, .arena = &arena};
    rf_str text = rf_query_mutate(&query, rf_str_make(bytes, len));
    if (text.len == 0 || text.len > cap) return LLVMFuzzerMutate(bytes, len, cap);
    memcpy(bytes, text.ptr, text.len);
    return text.len;
}

#endif
