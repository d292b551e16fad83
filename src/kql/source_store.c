#include "kql/source_store.h"

#include "base/pool.h"

#include "kql/ast.h"

struct source_store {
    struct source source;
    struct store *store;
    struct rf_arena *arena;
    struct table *table; /* NULL before the first use */
    bool borrowed;       /* the table is the caller's */
    uint32_t *map;       /* of the source's columns to the table's; NULL: they are the same */
};

static enum rf_kind open_table(struct source *source, struct rf_err *err)
{
    struct source_store *s = (struct source_store *)source;
    if (s->table != NULL) return RF_OK;
    struct table *table;
    RF_TRY(table_open(s->store, source->name, &table, err));
    uint32_t count;
    const struct extent_column *columns = table_columns(table, &count);
    struct ast_column *out = rf_arena_new(s->arena, struct ast_column, count);
    if (out == NULL) {
        table_close(table);
        return rf_fail_memory(err, s->arena);
    }
    for (uint32_t i = 0; i < count; i++)
        out[i] = (struct ast_column){.name = columns[i].name, .type = columns[i].type};
    source->columns = out;
    source->column_count = count;
    s->table = table;
    return RF_OK;
}

/* ---- scanning ------------------------------------------------------------------------------------------------ */

/* The table's column that is the source's `column`. */
static uint32_t table_column(const uint32_t *map, uint32_t column)
{
    return map == NULL ? column : map[column];
}

/* What can be read: the source's columns, then the scan's paths. */
static uint32_t item_count(const struct source *source, const struct scan *scan)
{
    return source->column_count + scan->path_count;
}

static uint32_t item_id(const struct source *source, const struct scan *scan, uint32_t item)
{
    return item < source->column_count ? scan->column_ids[item]
                                       : scan->paths[item - source->column_count].id;
}

static struct column item_column(const struct source *source, const struct scan *scan,
                                 uint32_t item)
{
    uint32_t n = source->column_count, column = item < n ? item : scan->paths[item - n].column;
    return (struct column){.name = source->columns[column].name,
                           .id = item_id(source, scan, item),
                           .type = source->columns[column].type};
}

/* A conjunct over columns that the cursor gives: `columns[i]` is the place of its input's i-th column. */
struct condition {
    struct expr *expr;
    struct schema input;
    uint32_t *columns;
    uint32_t cost;
};

struct store_scan {
    struct table *table;
    const uint32_t *map; /* as in source_store */
    const struct scan *scan;
    struct exec *exec;
    struct flow *out;
    struct extent_test *tests;
    uint32_t test_count;
    struct condition *conditions; /* the cheap ones first */
    uint32_t condition_count;
    uint32_t *
        columns; /* what the cursor reads: the wanted columns, then those of conditions and sieve only */
    struct extent_want *wants; /* the same for the cursor */
    uint32_t column_count;
    struct row_sieve *sieve;    /* NULL, or an operator's of its own */
    uint32_t *sieve_columns;    /* places */
    int64_t time_min, time_max; /* rows outside are not wanted */
    struct scan_lane *lanes;
    uint32_t lane_count;
    uint64_t row_count; /* of wanted parts */
};

/* What one worker keeps. */
struct scan_lane {
    const struct store_scan *scan;
    uint32_t lane;
    uint64_t left; /* of scan->limit */
    struct rf_arena arena, batch;
    struct eval **evals; /* by condition */
    struct table_cursor *cursor;
    struct vec *page; /* the cursor's columns, as far as they are read */
    uint32_t *read;   /* of how many rows each was read; 0: not yet */
    uint32_t row_count;
    const uint32_t *rows; /* those that are left, or NULL: all */
};

/* The times that the tests leave. */
static void find_times(struct store_scan *s)
{
    uint32_t count;
    const struct extent_column *columns = table_columns(s->table, &count);
    s->time_min = INT64_MIN;
    s->time_max = INT64_MAX;
    for (uint32_t i = 0; i < s->test_count; i++) {
        const struct extent_test *test = &s->tests[i];
        if (test->kind != EXTENT_RANGE || columns[test->column].type != TYPE_DATETIME ||
            !rf_str_is(columns[test->column].name, "TimeGenerated"))
            continue;
        if (!test->low.null) s->time_min = RF_MAX(s->time_min, test->low.i);
        if (!test->high.null) s->time_max = RF_MIN(s->time_max, test->high.i);
    }
}

static bool part_wanted(const struct store_scan *s, uint32_t part)
{
    int64_t min, max;
    if (!table_part_times(s->table, part, &min, &max)) return true;
    return max >= s->time_min && min <= s->time_max;
}

/* About how many of a part's rows lie in the wanted time, as if they came evenly. */
static uint64_t part_rows_likely(const struct store_scan *s, uint32_t part)
{
    int64_t min, max;
    uint64_t rows = table_part_rows(s->table, part);
    if (!part_wanted(s, part)) return 0;
    if (!table_part_times(s->table, part, &min, &max)) return rows;
    double all = (double)max - (double)min + 1;
    double wanted = (double)RF_MIN(max, s->time_max) - (double)RF_MAX(min, s->time_min) + 1;
    return RF_MIN(rows, (uint64_t)((double)rows * (wanted / all)));
}

/* ---- conditions --------------------------------------------------------------------------------------------- */

/* The place of a source's column among those that the cursor reads; adds it. */
static uint32_t place_of(struct store_scan *s, uint32_t column)
{
    uint32_t i = 0;
    while (i < s->column_count && s->columns[i] != column) i++;
    if (i == s->column_count) s->columns[s->column_count++] = column;
    return i;
}

static bool reads(const struct expr *e, uint32_t id)
{
    if (e->kind == EXPR_COLUMN) return e->column_id == id;
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (reads(e->args[i], id)) return true;
    return false;
}

/* About: what it costs to have a cell in hand. */
static uint32_t cell_cost(enum type type)
{
    return type == TYPE_DYNAMIC ? 8 : type == TYPE_STRING ? 4 : 1;
}

static bool make_condition(struct store_scan *s, const struct source *source, struct expr *e,
                           struct rf_arena *arena, struct condition *out)
{
    uint32_t n = item_count(source, s->scan);
    *out = (struct condition){.expr = e, .columns = rf_arena_new(arena, uint32_t, n)};
    out->input.columns = rf_arena_new(arena, struct column, n);
    if (out->columns == NULL || out->input.columns == NULL) return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!reads(e, item_id(source, s->scan, i))) continue;
        struct column column = item_column(source, s->scan, i);
        out->columns[out->input.count] = place_of(s, i);
        out->input.columns[out->input.count++] = column;
        out->cost += cell_cost((enum type)column.type);
    }
    return true;
}

static bool make_conditions(struct store_scan *s, const struct source *source,
                            struct rf_arena *arena)
{
    const struct scan *scan = s->scan;
    s->columns =
        rf_arena_new(arena, uint32_t, (size_t)scan->column_count + item_count(source, scan));
    s->conditions = rf_arena_new(arena, struct condition, scan->predicate_count);
    if (s->columns == NULL || s->conditions == NULL) return false;
    for (uint32_t i = 0; i < scan->column_count; i++) s->columns[i] = scan->columns[i];
    s->column_count = scan->column_count;
    for (uint32_t i = 0; i < scan->predicate_count; i++) {
        struct condition made;
        if (!make_condition(s, source, scan->predicates[i], arena, &made)) return false;
        uint32_t at = s->condition_count++;
        for (; at > 0 && s->conditions[at - 1].cost > made.cost; at--)
            s->conditions[at] = s->conditions[at - 1];
        s->conditions[at] = made;
    }
    return true;
}

/* The sieve's columns, or no sieve when one of them is not the table's. */
static bool place_sieve(struct store_scan *s, const struct source *source, struct rf_arena *arena)
{
    if (s->sieve == NULL) return true;
    s->sieve_columns = rf_arena_new(arena, uint32_t, s->sieve->column_count);
    if (s->sieve_columns == NULL) return false;
    for (uint32_t k = 0; k < s->sieve->column_count && s->sieve != NULL; k++) {
        uint32_t i = 0;
        uint32_t items = item_count(source, s->scan);
        while (i < items && item_id(source, s->scan, i) != s->sieve->column_ids[k]) i++;
        if (i == items) {
            s->sieve = NULL;
            break;
        }
        s->sieve_columns[k] = place_of(s, i);
    }
    if (s->sieve != NULL) s->sieve->backwards = s->sieve->newest_first;
    return true;
}

static bool make_wants(struct store_scan *s, const struct source *source, struct rf_arena *arena)
{
    s->wants = rf_arena_new(arena, struct extent_want, s->column_count);
    for (uint32_t i = 0; i < s->column_count && s->wants != NULL; i++) {
        if (s->columns[i] < source->column_count) {
            s->wants[i].column = table_column(s->map, s->columns[i]);
            continue;
        }
        const struct scan_path *path = &s->scan->paths[s->columns[i] - source->column_count];
        s->wants[i] =
            (struct extent_want){table_column(s->map, path->column), path->keys, path->key_count};
    }
    return s->wants != NULL;
}

/* ---- lanes -------------------------------------------------------------------------------------------------- */

static enum rf_kind make_lane(struct store_scan *s, uint32_t number, struct rf_err *err)
{
    struct scan_lane *l = &s->lanes[number];
    *l = (struct scan_lane){.scan = s, .lane = number, .left = s->scan->limit};
    rf_arena_init_shared(&l->arena, s->exec->budget);
    rf_arena_init_shared(&l->batch, s->exec->budget);
    l->evals = rf_arena_new(&l->arena, struct eval *, s->condition_count);
    l->page = rf_arena_new(&l->arena, struct vec, s->column_count);
    l->read = rf_arena_new(&l->arena, uint32_t, s->column_count);
    if (l->evals == NULL || l->page == NULL || l->read == NULL)
        return rf_fail_memory(err, &l->arena);
    for (uint32_t i = 0; i < s->condition_count; i++)
        RF_TRY(eval_new(s->exec, &l->arena, &s->conditions[i].expr, 1, &s->conditions[i].input,
                        &l->evals[i], err));
    return RF_OK;
}

static void lane_done(const struct store_scan *s, struct scan_lane *l)
{
    if (l->scan == NULL) return;
    for (uint32_t i = 0; i < s->condition_count && l->evals != NULL; i++) eval_done(l->evals[i]);
    rf_arena_done(&l->batch);
    rf_arena_done(&l->arena);
}

/* A column of the rows that are left. As these only become fewer, a column of as many rows as there are now is still good. */
static enum rf_kind lane_column(struct scan_lane *l, uint32_t place, struct vec *out,
                                struct rf_err *err)
{
    if (l->read[place] != l->row_count) {
        RF_TRY(table_cursor_column(l->cursor, place, l->rows, l->row_count, &l->page[place], err));
        l->read[place] = l->row_count;
    }
    *out = l->page[place];
    return RF_OK;
}

/* Keeps `count` of the rows that are left. */
static void keep_rows(struct scan_lane *l, uint32_t *picks, uint32_t count)
{
    if (count == l->row_count) return;
    for (uint32_t i = 0; i < count && l->rows != NULL; i++) picks[i] = l->rows[picks[i]];
    l->rows = picks;
    l->row_count = count;
}

static enum rf_kind meet_condition(struct scan_lane *l, uint32_t number, uint32_t *picks,
                                   struct rf_err *err)
{
    const struct condition *c = &l->scan->conditions[number];
    struct batch batch = {.row_count = l->row_count,
                          .column_count = c->input.count,
                          .columns = rf_arena_raw(&l->batch, struct vec, c->input.count),
                          .arena = &l->batch};
    struct vec met;
    if (batch.columns == NULL) return rf_fail_memory(err, &l->batch);
    for (uint32_t i = 0; i < c->input.count; i++)
        RF_TRY(lane_column(l, c->columns[i], &batch.columns[i], err));
    RF_TRY(eval_run(l->evals[number], &batch, &met, err));
    keep_rows(l, picks, vec_true_rows(&met, l->row_count, picks));
    return RF_OK;
}

static enum rf_kind pass_sieve(struct scan_lane *l, struct rf_err *err)
{
    const struct store_scan *s = l->scan;
    if (s->sieve == NULL || l->row_count == 0 || !s->sieve->ready(s->sieve, l->lane)) return RF_OK;
    uint32_t n = s->sieve->column_count, kept,
             *picks = rf_arena_raw(&l->batch, uint32_t, l->row_count);
    struct vec *columns = rf_arena_raw(&l->batch, struct vec, n);
    if (picks == NULL || columns == NULL) return rf_fail_memory(err, &l->batch);
    for (uint32_t i = 0; i < n; i++) RF_TRY(lane_column(l, s->sieve_columns[i], &columns[i], err));
    RF_TRY(s->sieve->keep(s->sieve, l->lane, columns, l->row_count, picks, &kept, err));
    keep_rows(l, picks, kept);
    return RF_OK;
}

/* Leaves the rows that meet every condition, reading only the columns that decide it. */
static enum rf_kind choose_rows(struct scan_lane *l, struct rf_err *err)
{
    const struct store_scan *s = l->scan;
    l->rows = table_cursor_rows(l->cursor, &l->row_count);
    for (uint32_t i = 0; i < s->column_count; i++) l->read[i] = 0;
    for (uint32_t i = 0; i < s->condition_count && l->row_count > 0; i++) {
        uint32_t *picks = rf_arena_raw(&l->batch, uint32_t, l->row_count);
        if (picks == NULL) return rf_fail_memory(err, &l->batch);
        RF_TRY(meet_condition(l, i, picks, err));
    }
    return pass_sieve(l, err);
}

/* About: cells as they lie in vectors; texts' bytes are left aside, as counting them would cost a walk over all rows. */
static uint64_t vec_bytes(const struct vec *v, uint32_t rows)
{
    if (v->shape == VEC_DICT) return rows * sizeof *v->codes;
    return v->shape == VEC_FLAT ? (uint64_t)rows * type_cell_bytes[v->type] : 0;
}

static enum rf_kind push_rows(struct scan_lane *l, struct rf_err *err)
{
    const struct store_scan *s = l->scan;
    struct batch batch = {.row_count = l->row_count,
                          .column_count = s->scan->column_count,
                          .columns = rf_arena_raw(&l->batch, struct vec, s->scan->column_count),
                          .arena = &l->batch};
    if (batch.columns == NULL) return rf_fail_memory(err, &l->batch);
    for (uint32_t i = 0; i < s->scan->column_count; i++)
        RF_TRY(lane_column(l, i, &batch.columns[i], err));
    l->left -= RF_MIN(l->left, (uint64_t)batch.row_count);
    return flow_push(s->exec, s->out, l->lane, &batch, err);
}

static enum rf_kind scan_cursor(struct scan_lane *l, struct rf_err *err)
{
    const struct store_scan *s = l->scan;
    while (l->left > 0 && !flow_done(s->out)) {
        uint32_t rows;
        uint64_t bytes = 0;
        if (exec_cancelled(s->exec))
            return RF_FAIL(err, RF_CANCELLED, "QueryCancelled", "the query was cancelled");
        rf_arena_reset(&l->batch);
        RF_TRY(table_cursor_seek(l->cursor, &rows, err));
        if (rows == 0) break;
        l->row_count = rows;
        RF_TRY(choose_rows(l, err));
        if (l->row_count > 0) RF_TRY(push_rows(l, err));
        for (uint32_t i = 0; i < s->column_count; i++)
            bytes += l->read[i] > 0 ? vec_bytes(&l->page[i], rows) : 0;
        atomic_fetch_add_explicit(&s->exec->rows_scanned, rows, memory_order_relaxed);
        atomic_fetch_add_explicit(&s->exec->bytes_scanned, bytes, memory_order_relaxed);
    }
    return RF_OK;
}

static bool backwards(const struct store_scan *s)
{
    return s->sieve != NULL && s->sieve->backwards;
}

static enum rf_kind scan_part(struct scan_lane *l, uint32_t part, uint32_t from, uint32_t to,
                              struct rf_err *err)
{
    const struct store_scan *s = l->scan;
    RF_TRY(table_cursor_of(s->table, part, s->wants, s->column_count, s->tests, s->test_count,
                           s->exec->budget, &l->cursor, err));
    table_cursor_blocks(l->cursor, from, to);
    if (backwards(s)) table_cursor_backwards(l->cursor);
    enum rf_kind kind = scan_cursor(l, err);
    table_cursor_free(l->cursor);
    l->cursor = NULL;
    return kind;
}

/* The first block of a part, whose rows come after `before` others, that begins at row `row` or later. */
static uint32_t block_at(uint64_t row, uint64_t before, uint32_t blocks)
{
    if (row <= before) return 0;
    uint64_t inside = (row - before - 1) / EXTENT_BLOCK_ROWS + 1;
    return (uint32_t)RF_MIN(inside, (uint64_t)blocks);
}

/* Lanes take runs of blocks with about the same number of rows: lane i's rows stand before lane i + 1's. Backwards the first
 * lane has the last run. */
static enum rf_kind scan_blocks(const struct store_scan *s, size_t job, struct rf_err *err)
{
    struct scan_lane *l = &s->lanes[job];
    bool back = backwards(s);
    uint64_t run = back ? s->lane_count - 1 - job : job, from = s->row_count * run / s->lane_count;
    uint64_t to = run + 1 == s->lane_count ? UINT64_MAX : s->row_count * (run + 1) / s->lane_count;
    uint64_t before = back ? s->row_count : 0;
    uint32_t parts = table_part_count(s->table);
    for (uint32_t i = 0; i < parts && l->left > 0 && !flow_done(s->out); i++) {
        uint32_t part = back ? parts - 1 - i : i;
        if (!part_wanted(s, part)) continue;
        if (back) before -= table_part_rows(s->table, part);
        uint32_t blocks = table_part_blocks(s->table, part);
        uint32_t first = block_at(from, before, blocks), end = block_at(to, before, blocks);
        if (first < end) RF_TRY(scan_part(l, part, first, end, err));
        if (!back) before += table_part_rows(s->table, part);
    }
    return RF_OK;
}

static enum rf_kind scan_lane(void *ctx, size_t job, unsigned worker, struct rf_err *err)
{
    const struct store_scan *s = ctx;
    (void)worker;
    enum rf_kind kind = scan_blocks(s, job, err);
    flow_lane_end(s->out, (uint32_t)job);
    return kind;
}

static enum rf_kind run_lanes(struct store_scan *s, struct rf_arena *arena, struct rf_err *err)
{
    struct pool *pool;
    uint64_t likely = 0;
    for (uint32_t p = 0; p < table_part_count(s->table); p++) {
        s->row_count += part_wanted(s, p) ? table_part_rows(s->table, p) : 0;
        likely += part_rows_likely(s, p);
    }
    s->lane_count = s->exec->lane_count;
    bool few = s->scan->limit != UINT64_MAX && s->condition_count == 0; /* the first rows will do */
    /* Starting a thread takes as long as reading some thousand rows. */
    few = few || (likely < 2 * EXTENT_BLOCK_ROWS && exec_takes(s->exec, SHORTCUT_FEW));
    if (few || s->exec->pool_busy) s->lane_count = 1;
    s->lanes = rf_arena_new(arena, struct scan_lane, s->lane_count);
    if (s->lanes == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < s->lane_count; i++) RF_TRY(make_lane(s, i, err));
    if (s->lane_count == 1) return scan_lane(s, 0, 0, err);
    RF_TRY(exec_pool(s->exec, &pool, err));
    s->exec->pool_busy = true;
    enum rf_kind kind = pool_run(pool, s->lane_count, scan_lane, s, err);
    s->exec->pool_busy = false;
    return kind;
}

static enum rf_kind scan_table(struct source *source, const struct scan *scan, struct exec *exec,
                               struct flow *out, struct rf_err *err)
{
    RF_TRY(open_table(source, err));
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    const struct source_store *store = (struct source_store *)source;
    struct store_scan s = {.table = store->table,
                           .map = store->map,
                           .scan = scan,
                           .exec = exec,
                           .out = out,
                           .sieve = scan->sieve};
    if (exec_takes(exec, SHORTCUT_TESTS))
        RF_TRY(source_store_tests(source, scan, &arena, &s.tests, &s.test_count, err));
    for (uint32_t i = 0; i < s.test_count; i++)
        s.tests[i].column = table_column(s.map, s.tests[i].column);
    if (!make_conditions(&s, source, &arena) || !place_sieve(&s, source, &arena) ||
        !make_wants(&s, source, &arena))
        return rf_fail_memory(err, &arena);
    find_times(&s);
    enum rf_kind kind = run_lanes(&s, &arena, err);
    for (uint32_t i = 0; i < s.lane_count && s.lanes != NULL; i++) lane_done(&s, &s.lanes[i]);
    return kind;
}

static const struct source_ops store_ops = {
    .open = open_table, .scan = scan_table, .paths = true, .filters = true};

struct source *source_store_new(struct store *store, rf_str name, struct rf_arena *arena)
{
    struct source_store *s = rf_arena_new(arena, struct source_store, 1);
    if (s == NULL) return NULL;
    s->source = (struct source){.ops = &store_ops, .name = name};
    s->store = store;
    s->arena = arena;
    return &s->source;
}

enum rf_kind source_table_new(struct table *table, rf_str name, struct ast_column *columns,
                              uint32_t column_count, struct rf_arena *arena, struct source **out,
                              struct rf_err *err)
{
    struct source_store *s = rf_arena_new(arena, struct source_store, 1);
    uint32_t *map = rf_arena_new(arena, uint32_t, column_count), count;
    if (s == NULL || map == NULL) return rf_fail_memory(err, arena);
    const struct extent_column *own = table_columns(table, &count);
    for (uint32_t i = 0, at = 0; i < column_count; i++, at++) {
        /* Mostly the next one, as both are in about the same order. */
        uint32_t tries = 0;
        for (; tries < count; tries++, at++) {
            if (at >= count) at = 0;
            if (own[at].type == columns[i].type && rf_str_eq(own[at].name, columns[i].name)) break;
        }
        if (tries == count)
            return RF_FAIL(err, RF_NOT_FOUND, "UnknownColumn",
                           "the table '%.*s' has no column '%.*s'", RF_FMT(name),
                           RF_FMT(columns[i].name));
        map[i] = at;
    }
    s->source = (struct source){
        .ops = &store_ops, .name = name, .columns = columns, .column_count = column_count};
    s->arena = arena;
    s->table = table;
    s->borrowed = true;
    s->map = map;
    *out = &s->source;
    return RF_OK;
}

void source_store_close(struct source *source)
{
    if (source->ops != &store_ops) return;
    struct source_store *s = (struct source_store *)source;
    if (!s->borrowed) table_close(s->table);
    s->table = NULL;
}
