/* The same random queries asked in many ways: each shortcut of the engine switched off, one lane and several, batches of one, of
 * seven and of 2,048 rows, over rows in memory, a file, a journal, and extents with and without a journal behind them. All ways
 * must give the same rows, or all must fail.
 *
 * RF_PROP_MORE=n asks n times as many, RF_PROP_SEED=s begins with the seed s; a failure prints the seed and the query. */
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

#include "base/fs.h"
#include "base/json.h"
#include "kql/source_file.h"
#include "kql/source_store.h"
#include "test/rf_prop.h"
#include "test/rf_query.h"
#include "value/dyn.h"
#include "value/text.h"

enum {
    QUERIES = 250,
    ROWS = 160,
    ROWS_2 = 30,
    COLUMN_COUNT = 11,
    MEMORY_BYTES = 64 << 20,
    SET_UP_BYTES = 64 << 20,
    FIRST_USEC_MAX = 400000, /* of processor time: a query that takes longer is not asked again */
    RESULT_ROWS_MAX = 20000,
};

/* ---- the tables ----------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint8_t type;
} columns[COLUMN_COUNT] = {
    {"TimeGenerated", TYPE_DATETIME},
    {"b", TYPE_BOOL},
    {"i", TYPE_INT},
    {"l", TYPE_LONG},
    {"r", TYPE_REAL},
    {"d", TYPE_DECIMAL},
    {"t", TYPE_DATETIME},
    {"s", TYPE_TIMESPAN},
    {"g", TYPE_GUID},
    {"x", TYPE_STRING},
    {"y", TYPE_DYNAMIC},
};

/* Texts of cells; NULL is a null. Reals are such that sums come out alike in any order. */
static const char *const cells[TYPE_COUNT][12] = {
    [TYPE_BOOL] = {"true", "false", NULL, "true", "false", "true", "true", "true", "false", "false",
                   NULL, "true"},
    [TYPE_INT] = {"0", "-1", NULL, "2147483647", "-2147483648", "7", "7", "7", "1", "2", "3", "4"},
    [TYPE_LONG] = {"1", "-1", NULL, "9223372036854775807", "-9223372036854775808", "1", "2", "3",
                   "3", "5", "80", "0"},
    [TYPE_REAL] = {"0.5", "-0.0", NULL, "nan", "1024.25", "-inf", "1.5", "2.5", "-7.0", "12.0",
                   "100.0", "51.5"},
    [TYPE_DECIMAL] = {"0.5", "-1", NULL, "99999999999999999999.999999", "0", "0.5", "1", "2",
                      "3.25", "-2", "7", "9"},
    [TYPE_DATETIME] = {"2024-02-29T12:30:00Z", "0001-01-01", NULL, "9999-12-31T23:59:59.9999999Z",
                       "1970-01-01", "2024-03-01", "2024-03-01T01:00:00Z", "2024-02-27",
                       "2024-02-28", "2024-02-28T11:00:00Z", "2024-03-02", "2024-03-02T05:00:00Z"},
    [TYPE_TIMESPAN] = {"1.02:03:04.0000005", "-00:00:01", NULL, "10675199.02:48:05.4775807", "0",
                       "01:00:00", "02:00:00", "00:00:05", "1.00:00:00", "7.00:00:00", "00:00:00.1",
                       "-2.00:00:00"},
    [TYPE_GUID] = {"74be27de-1e4e-49d9-b579-fe0b331d3642", "00000000-0000-0000-0000-000000000000",
                   NULL, "ffffffff-ffff-ffff-ffff-ffffffffffff",
                   "74be27de-1e4e-49d9-b579-fe0b331d3642", NULL,
                   "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222",
                   NULL, NULL, NULL, "74be27de-1e4e-49d9-b579-fe0b331d3642"},
    [TYPE_STRING] = {"powershell.exe -enc AAA=", "", "10.0.0.7", "Zo\xc3\xab \xf0\x9f\x98\x80",
                     "a=1;b=\"x y\"", "{\"k\":[1,2]}", "a", "b", "powershell",
                     "A long text that holds more words than the others do", "a", "1"},
    [TYPE_DYNAMIC] = {"{\"a\":1,\"b\":[1,\"x\",null]}", "[]", NULL, "[[1,2.5],{\"c\":{}}]",
                      "\"text\"", "-7", "{\"a\":2,\"b\":{\"c\":\"x\"},\"k\":[3]}",
                      "{\"a\":1,\"k\":\"v\"}", "{\"a\":\"1\"}", "[1,2,3]",
                      "{\"b\":{\"c\":\"x\",\"d\":{\"e\":[5]}}}", "{}"},
};

/* Which of the twelve: columns go round at different speeds, so that pairs differ; wide columns hold something of their own. */
static struct value cell_value(uint32_t table, uint32_t row, uint32_t column,
                               struct rf_arena *arena)
{
    uint8_t type = columns[column].type;
    if (column == 0)
        return value_i64(TYPE_DATETIME,
                         DATETIME_UNIX_EPOCH + 19780 * TICKS_PER_DAY + row * TICKS_PER_HOUR);
    uint32_t pick = (uint32_t)(rf_hash_mix(column * 7 + table, row) % 12);
    if (type == TYPE_STRING && row % 5 == 4)
        return value_str(rf_arena_printf(arena, "host%u.example a=%u", row, row % 7));
    if (type == TYPE_LONG && row % 3 == 1) return value_long(row);
    struct value cell = value_null((enum type)type);
    if (cells[type][pick] == NULL) return cell;
    if (type == TYPE_DYNAMIC) {
        struct rf_buf buf = rf_buf_in(arena);
        cr_assert(dyn_parse_json(rf_str_of(cells[type][pick]), &buf, NULL) == RF_OK);
        return value_dyn(dyn_done(&buf));
    }
    struct value text = value_str(rf_str_of(cells[type][pick]));
    cr_assert(value_convert(&text, (enum type)type, arena, &cell) && !cell.null);
    return cell;
}

static void make_batch(uint32_t table, uint32_t from, uint32_t count, struct rf_arena *arena,
                       struct batch *out)
{
    struct vec *vecs = rf_arena_new(arena, struct vec, COLUMN_COUNT);
    for (uint32_t c = 0; c < COLUMN_COUNT; c++) {
        cr_assert(vec_flat(arena, (enum type)columns[c].type, count, &vecs[c]));
        cr_assert(vec_need_nulls(arena, &vecs[c], count) != NULL);
        for (uint32_t i = 0; i < count; i++) {
            struct value cell = cell_value(table, from + i, c, arena);
            vec_set(&vecs[c], i, &cell);
        }
    }
    *out = (struct batch){
        .row_count = count, .column_count = COLUMN_COUNT, .columns = vecs, .arena = arena};
}

enum place { IN_MEMORY, IN_FILE, IN_JOURNAL, IN_EXTENT, IN_BOTH, PLACE_COUNT };

static const char *const place_names[PLACE_COUNT] = {"memory", "a file", "the journal", "an extent",
                                                     "extents and journal"};

struct world {
    struct rf_arena arena;
    struct rf_budget budget;
    char folder[32];
    struct ast_column columns[COLUMN_COUNT];
    struct store *stores[PLACE_COUNT];
    struct source *sources[PLACE_COUNT][3];
    struct catalog catalogs[PLACE_COUNT];
    struct stored_function function;
    atomic_bool cancelled;
};
static struct world world;

static void on_timer(int signal)
{
    (void)signal;
    atomic_store(&world.cancelled, true);
}

static void commit(struct table_writer *w, uint32_t table, uint32_t from, uint32_t to, bool merge)
{
    struct batch batch;
    struct table_merge *work = NULL;
    if (from == to) return;
    make_batch(table, from, to - from, &world.arena, &batch);
    cr_assert(table_append(w, &batch, NULL) == RF_OK);
    cr_assert(table_commit(w, RF_S(""), NULL) == RF_OK);
    if (!merge) return;
    cr_assert(table_merge_begin(w, true, &work, NULL) == RF_OK);
    if (work != NULL) cr_assert(table_merge_end(work, table_merge_work(work, NULL), NULL) == RF_OK);
}

static void make_store_table(enum place place, uint32_t table, const char *name, uint32_t rows)
{
    struct extent_column own[COLUMN_COUNT] = {0};
    struct table_writer *w;
    struct rf_err err;
    for (uint32_t c = 0; c < COLUMN_COUNT; c++) {
        own[c].name = rf_str_of(columns[c].name);
        own[c].type = columns[c].type;
    }
    cr_assert(table_writer_open(world.stores[place], rf_str_of(name), own, COLUMN_COUNT, &w,
                                &err) == RF_OK,
              "%s", err.text);
    uint32_t first = place == IN_EXTENT ? rows : place == IN_BOTH ? rows / 3 : 0;
    uint32_t second = place == IN_BOTH ? 2 * rows / 3 : first;
    commit(w, table, 0, first, true);
    commit(w, table, first, second, true);
    commit(w, table, second, second + (rows - second) / 2, false);
    commit(w, table, second + (rows - second) / 2, rows, false);
    table_writer_close(w);
}

static void write_file(const char *path, uint32_t table, uint32_t rows)
{
    FILE *file = fopen(path, "w");
    cr_assert(file != NULL);
    for (uint32_t row = 0; row < rows; row++) {
        struct rf_buf line = rf_buf_in(&world.arena), text = rf_buf_in(&world.arena);
        for (uint32_t c = 0; c < COLUMN_COUNT; c++) {
            struct value cell = cell_value(table, row, c, &world.arena);
            rf_buf_printf(&line, "%s\"%s\":", c == 0 ? "{" : ",", columns[c].name);
            text.len = 0;
            if (!cell.null) text_put_value(&text, &cell);
            if (cell.null)
                rf_buf_str(&line, RF_S("null"));
            else if (cell.type == TYPE_DYNAMIC && dyn_tag(cell.s) != DYN_STRING)
                rf_buf_str(&line, rf_buf_view(&text));
            else
                json_put_string(&line, rf_buf_view(&text));
        }
        fprintf(file, "%.*s}\n", RF_FMT(rf_buf_view(&line)));
    }
    fclose(file);
}

static struct source *make_source(enum place place, uint32_t table, const char *name, uint32_t rows)
{
    uint8_t types[COLUMN_COUNT];
    struct rf_arena *arena = &world.arena;
    if (place == IN_MEMORY) {
        for (uint32_t c = 0; c < COLUMN_COUNT; c++) types[c] = columns[c].type;
        struct rows *kept = rows_new(arena, types, COLUMN_COUNT);
        struct batch batch;
        make_batch(table, 0, rows, arena, &batch);
        cr_assert(rows_append(kept, &batch));
        return source_rows_new(rf_str_of(name), world.columns, COLUMN_COUNT, kept, arena);
    }
    if (place == IN_FILE) {
        rf_str path = rf_arena_printf(arena, "%s/%s.jsonl", world.folder, name);
        struct source_file_options options = {.name = rf_str_of(name),
                                              .path = (const char *)path.ptr,
                                              .columns = world.columns,
                                              .column_count = COLUMN_COUNT};
        write_file(options.path, table, rows);
        return source_file_new(&options, arena);
    }
    make_store_table(place, table, name, rows);
    return source_store_new(world.stores[place], rf_str_of(name), arena);
}

static void make_place(enum place place)
{
    struct source **sources = world.sources[place];
    if (place > IN_FILE) {
        rf_str folder = rf_arena_printf(&world.arena, "%s/store%d", world.folder, (int)place);
        struct store_options options = {.fs = rf_fs_real(),
                                        .folder = (const char *)folder.ptr,
                                        .budget = &world.budget,
                                        .writer = true};
        cr_assert(store_open(&options, &world.stores[place], NULL) == RF_OK);
    }
    sources[0] = make_source(place, 0, "T", ROWS);
    sources[1] = make_source(place, 1, "T2", ROWS_2);
    sources[2] = source_empty_new(RF_S("E"), world.columns, COLUMN_COUNT, &world.arena);
    world.catalogs[place] = (struct catalog){
        .sources = sources, .source_count = 3, .functions = &world.function, .function_count = 1};
}

static void make_world(void)
{
    strcpy(world.folder, "/tmp/rf_ways_XXXXXX");
    cr_assert(mkdtemp(world.folder) != NULL);
    rf_budget_init(&world.budget, SET_UP_BYTES);
    rf_arena_init(&world.arena, SET_UP_BYTES);
    world.function = (struct stored_function){
        .name = RF_S("F"), .text = RF_S("(n:long = 2, q:(*)) { q | where l > n }")};
    for (uint32_t c = 0; c < COLUMN_COUNT; c++)
        world.columns[c] =
            (struct ast_column){.name = rf_str_of(columns[c].name), .type = columns[c].type};
    for (int place = 0; place < PLACE_COUNT; place++) make_place((enum place)place);
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    cr_assert(sigaction(SIGVTALRM, &action, NULL) == 0);
}

static void done_world(void)
{
    for (int place = 0; place < PLACE_COUNT; place++) {
        for (int i = 0; i < 3; i++) source_store_close(world.sources[place][i]);
        if (world.stores[place] != NULL) store_close(world.stores[place]);
    }
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", world.folder);
    cr_assert(system(command) == 0);
    rf_arena_done(&world.arena);
}

/* ---- answers ------------------------------------------------------------------------------------------------------ */

/* A row's line says all that two ways must agree on. */
struct answer {
    struct kql_sink sink;
    struct rf_arena arena;
    rf_str lines[RESULT_ROWS_MAX];
    uint32_t count;
    bool full;
    enum rf_kind kind;
    struct rf_err err;
};

static void add_line(struct answer *a, struct rf_buf *buf)
{
    a->full = a->full || a->count == RESULT_ROWS_MAX || buf->failed;
    if (!a->full) a->lines[a->count++] = rf_buf_view(buf);
}

static enum rf_kind answer_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                 const struct render *render, struct rf_err *err)
{
    struct answer *a = (struct answer *)sink;
    struct rf_buf buf = rf_buf_in(&a->arena);
    (void)name, (void)render, (void)err;
    rf_buf_str(&buf, RF_S("columns"));
    for (uint32_t i = 0; i < schema->count; i++)
        rf_buf_printf(&buf, " %.*s:%s", RF_FMT(schema->columns[i].name),
                      type_name(schema->columns[i].type));
    add_line(a, &buf);
    return RF_OK;
}

static void put_cell(struct rf_buf *buf, const struct value *v)
{
    if (v->null || (v->type == TYPE_DYNAMIC && dyn_is_null(v->s)))
        rf_buf_str(buf, RF_S("null"));
    else if (v->type == TYPE_REAL && isfinite(v->r))
        rf_buf_printf(buf, "%.9g", v->r == 0 ? 0.0 : v->r);
    else
        text_put_value(buf, v);
    rf_buf_byte(buf, '|');
}

static enum rf_kind answer_push(struct kql_sink *sink, const struct batch *batch,
                                struct rf_err *err)
{
    struct answer *a = (struct answer *)sink;
    (void)err;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        struct rf_buf buf = rf_buf_in(&a->arena);
        for (uint32_t c = 0; c < batch->column_count; c++) {
            struct value v = vec_value(&batch->columns[c], i);
            put_cell(&buf, &v);
        }
        add_line(a, &buf);
    }
    return RF_OK;
}

static enum rf_kind answer_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static int compare_lines(const void *x, const void *y)
{
    return rf_str_cmp(*(const rf_str *)x, *(const rf_str *)y);
}

static void ask(const struct kql_request *request, struct answer *a)
{
    rf_arena_reset(&a->arena);
    a->sink = (struct kql_sink){.begin = answer_begin, .push = answer_push, .end = answer_end};
    a->count = 0;
    a->full = false;
    a->err = (struct rf_err){0};
    a->kind = kql_run(request, &a->sink, NULL, &a->err);
    qsort(a->lines, a->count, sizeof a->lines[0], compare_lines);
}

/* What limits stopped says nothing. */
static bool is_settled(const struct answer *a)
{
    return !a->full && a->kind != RF_LIMIT && a->kind != RF_CANCELLED;
}

static bool same_answer(const struct answer *a, const struct answer *b)
{
    if ((a->kind == RF_OK) != (b->kind == RF_OK)) return false;
    if (a->kind != RF_OK) return true;
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!rf_str_eq(a->lines[i], b->lines[i])) return false;
    return true;
}

/* ---- ways ------------------------------------------------------------------------------------------------------------ */

enum { ALL_OFF = (1 << SHORTCUT_COUNT) - 1 };

static const struct way {
    enum place place;
    uint32_t off, lanes, batch_rows;
} ways[] = {
    {IN_MEMORY, ALL_OFF, 1, 0}, /* the others are held against this one */
    {IN_MEMORY, 0, 1, 0},
    {IN_MEMORY, 0, 4, 1},
    {IN_MEMORY, 0, 1, 7},
    {IN_FILE, 0, 1, 0},
    {IN_FILE, ALL_OFF, 4, 7},
    {IN_JOURNAL, 0, 1, 0},
    {IN_JOURNAL, ALL_OFF, 4, 1},
    {IN_EXTENT, 0, 1, 0},
    {IN_EXTENT, 0, 4, 1},
    {IN_EXTENT, ALL_OFF, 1, 0},
    {IN_EXTENT, ALL_OFF & ~SHORTCUT_PATHS, 1, 0},
    {IN_EXTENT, ALL_OFF & ~SHORTCUT_DICTIONARY, 1, 0},
    {IN_BOTH, 0, 1, 0},
    {IN_BOTH, 0, 4, 0},
    {IN_BOTH, 0, 1, 1},
    {IN_BOTH, 0, 4, 7},
    {IN_BOTH, SHORTCUT_FEW, 4, 0},
    {IN_BOTH, SHORTCUT_FEW, 2, 1},
    {IN_BOTH, SHORTCUT_FEW, 3, 7},
    {IN_BOTH, SHORTCUT_PUSHDOWN, 1, 0},
    {IN_BOTH, SHORTCUT_TESTS, 1, 0},
    {IN_BOTH, SHORTCUT_PRUNE, 1, 0},
    {IN_BOTH, SHORTCUT_PATHS, 1, 0},
    {IN_BOTH, SHORTCUT_SIEVE, 1, 0},
    {IN_BOTH, SHORTCUT_LIMIT, 1, 0},
    {IN_BOTH, SHORTCUT_DICTIONARY, 1, 0},
    {IN_BOTH, ALL_OFF, 4, 0},
};

static struct answer first, other;

static void show_difference(const struct answer *want, const struct answer *got)
{
    uint32_t i = 0;
    if (want->kind != RF_OK) fprintf(stderr, "  first: %s\n", want->err.text);
    if (got->kind != RF_OK) fprintf(stderr, "  here: %s\n", got->err.text);
    while (i < want->count && i < got->count && rf_str_eq(want->lines[i], got->lines[i])) i++;
    fprintf(stderr, "  %u and %u lines\n", want->count, got->count);
    if (i < want->count) fprintf(stderr, "  first: %.*s\n", RF_FMT(want->lines[i]));
    if (i < got->count) fprintf(stderr, "  here: %.*s\n", RF_FMT(got->lines[i]));
}

static void set_timer(long usec)
{
    struct itimerval timer = {.it_value = {.tv_usec = usec}};
    cr_assert(setitimer(ITIMER_VIRTUAL, &timer, NULL) == 0);
}

/* How many ways give another answer; *asked grows when the query could be asked. */
static uint32_t ask_all(rf_str text, uint32_t *asked)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < RF_COUNT(ways); i++) {
        const struct way *way = &ways[i];
        struct answer *answer = i == 0 ? &first : &other;
        struct kql_request request = {.text = text,
                                      .catalog = &world.catalogs[way->place],
                                      .memory_bytes = MEMORY_BYTES,
                                      .lane_count = way->lanes,
                                      .batch_rows = way->batch_rows,
                                      .shortcuts_off = way->off,
                                      .now_ticks = DATETIME_UNIX_EPOCH + 19783 * TICKS_PER_DAY,
                                      .cancelled = &world.cancelled};
        atomic_store(&world.cancelled, false);
        if (i == 0) set_timer(FIRST_USEC_MAX);
        ask(&request, answer);
        set_timer(0);
        if (i == 0 && !is_settled(answer)) return 0;
        if (i == 0) ++*asked;
        if (i == 0 || !is_settled(answer) || same_answer(&first, answer)) continue;
        fprintf(stderr, "%.*s\nover %s, %u lanes, batches of %u, without shortcuts %#x:\n",
                RF_FMT(text), place_names[way->place], way->lanes, way->batch_rows, way->off);
        show_difference(&first, answer);
        bad++;
    }
    return bad;
}

static void begin_answers(void)
{
    rf_arena_init(&first.arena, MEMORY_BYTES);
    rf_arena_init(&other.arena, MEMORY_BYTES);
}

Test(query_ways, random_queries_have_one_answer, .timeout = 36000)
{
    uint64_t seed = rf_prop_number("RF_PROP_SEED", 1),
             count = QUERIES * rf_prop_number("RF_PROP_MORE", 1);
    uint32_t bad = 0, asked = 0;
    make_world();
    begin_answers();
    for (uint64_t i = 0; i < count; i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, MEMORY_BYTES);
        struct rf_query query = {.state = seed + i,
                                 .catalog = &world.catalogs[IN_MEMORY],
                                 .arena = &arena,
                                 .repeatable = true};
        uint32_t ways_bad = ask_all(rf_query_make(&query), &asked);
        if (ways_bad > 0) fprintf(stderr, "RF_PROP_SEED=%" PRIu64 "\n\n", seed + i);
        bad += ways_bad > 0;
    }
    done_world();
    cr_assert(bad == 0, "%u queries with several answers", bad);
    cr_assert(asked > count / 2, "only %u queries could be asked", asked);
}
