/* table_read.c - a consistent view of a table, and cursors over its parts. */
#include <pthread.h>
#include <stdlib.h>

#include "store/table_int.h"

#include "store/extent_shapes.h"

struct part {
    const struct manifest_extent *info; /* NULL: the journal */
    struct extent *extent;              /* NULL before its first use */
    uint32_t *map; /* index in the extent of each of the table's columns; UINT32_MAX: it lacks it */
};

struct table {
    struct store *store;
    const struct extent_key *key;
    struct extent_key own_key;
    char *folder;
    struct rf_arena arena;
    struct manifest m;
    struct rf_file *held;
    bool has_journal;
    struct journal_summary journal;
    uint64_t manifest_bytes;
    struct part *parts;
    uint32_t part_count;
    pthread_mutex_t lock; /* of opening extents, and of `arena` after table_open */
};

static enum rf_kind no_memory(const struct table *t, struct rf_err *err)
{
    return rf_fail_memory(err, &t->arena);
}

/* ---- opening ------------------------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    const struct manifest_extent *x = ((const struct part *)a)->info;
    const struct manifest_extent *y = ((const struct part *)b)->info;
    if (x->info.time_min != y->info.time_min) return x->info.time_min < y->info.time_min ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static enum rf_kind make_parts(struct table *t, struct rf_err *err)
{
    t->parts = rf_arena_new(&t->arena, struct part, (size_t)t->m.extent_count + 1);
    if (t->parts == NULL) return no_memory(t, err);
    for (uint32_t i = 0; i < t->m.extent_count; i++)
        t->parts[t->part_count++].info = &t->m.extents[i];
    if (t->part_count > 1) qsort(t->parts, t->part_count, sizeof *t->parts, by_time);
    if (t->m.journal == 0) return RF_OK;
    struct table_path path = table_journal_path(t->folder, t->m.journal);
    struct journal_options options = table_journal_options(t->store, t->key, path.text);
    RF_TRY(journal_scan(&options, &t->arena, &t->journal, err));
    t->has_journal = true;
    if (t->journal.row_count > 0) t->part_count++;
    return RF_OK;
}

static enum rf_kind open_view(struct table *t, rf_str name, struct rf_err *err)
{
    RF_TRY(table_manifest_read(t->store, name, t->folder, &t->arena, &t->m, &t->held, err));
    RF_TRY(table_key(t->store, name, t->folder, &t->m, &t->own_key, &t->key, err));
    RF_TRY(rf_file_size(t->held, &t->manifest_bytes, err));
    return make_parts(t, err);
}

enum rf_kind table_open(struct store *store, rf_str name, struct table **out, struct rf_err *err)
{
    struct table_path folder;
    RF_TRY(table_folder(store, name, &folder, err));
    struct table *t = calloc(1, sizeof *t);
    if (t == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a table");
    t->store = store;
    rf_arena_init_shared(&t->arena, store->options.budget);
    (void)pthread_mutex_init(&t->lock, NULL);
    t->folder = rf_arena_cstr(&t->arena, rf_str_of(folder.text));
    enum rf_kind kind = t->folder == NULL ? no_memory(t, err) : open_view(t, name, err);
    if (kind != RF_OK) {
        table_close(t);
        return kind;
    }
    *out = t;
    return RF_OK;
}

void table_close(struct table *t)
{
    if (t == NULL) return;
    for (uint32_t i = 0; i < t->part_count; i++) extent_free(t->parts[i].extent);
    rf_file_close(t->held);
    (void)pthread_mutex_destroy(&t->lock);
    explicit_bzero(&t->own_key, sizeof t->own_key);
    rf_arena_done(&t->arena);
    free(t);
}

/* ---- facts ----------------------------------------------------------------------------------------------------- */

const struct extent_column *table_columns(const struct table *t, uint32_t *count)
{
    *count = t->m.column_count;
    return t->m.columns;
}

uint32_t table_part_count(const struct table *t) { return t->part_count; }

bool table_part_times(const struct table *t, uint32_t part, int64_t *min, int64_t *max)
{
    RF_ASSERT(part < t->part_count);
    const struct manifest_extent *e = t->parts[part].info;
    *min = e != NULL ? e->info.time_min : t->journal.times.min;
    *max = e != NULL ? e->info.time_max : t->journal.times.max;
    return *min <= *max;
}

uint64_t table_part_rows(const struct table *t, uint32_t part)
{
    RF_ASSERT(part < t->part_count);
    const struct manifest_extent *e = t->parts[part].info;
    return e != NULL ? e->info.row_count : t->journal.row_count;
}

bool table_part_info(const struct table *t, uint32_t part, struct extent_info *out)
{
    RF_ASSERT(part < t->part_count);
    if (t->parts[part].info == NULL) return false;
    *out = t->parts[part].info->info;
    return true;
}

uint32_t table_part_blocks(const struct table *t, uint32_t part)
{
    if (t->parts[part].info == NULL) return 1;
    return (uint32_t)((table_part_rows(t, part) + EXTENT_BLOCK_ROWS - 1) / EXTENT_BLOCK_ROWS);
}

struct table_stats table_stats(const struct table *t)
{
    struct table_stats s = {.extent_count = t->m.extent_count,
                            .disk_bytes = t->manifest_bytes,
                            .time_max = -1,
                            .retention_ticks = t->m.retention_ticks};
    for (uint32_t i = 0; i < t->part_count; i++) {
        int64_t min, max;
        s.row_count += table_part_rows(t, i);
        if (t->parts[i].info != NULL) s.disk_bytes += t->parts[i].info->info.file_bytes;
        if (!table_part_times(t, i, &min, &max)) continue;
        bool first = s.time_max < s.time_min;
        s.time_min = first ? min : RF_MIN(s.time_min, min);
        s.time_max = first ? max : RF_MAX(s.time_max, max);
    }
    if (t->has_journal) {
        s.journal_rows = t->journal.row_count;
        s.disk_bytes += t->journal.end + t->journal.tail_bytes;
    }
    return s;
}

/* ---- parts ----------------------------------------------------------------------------------------------------- */

static void unlock(pthread_mutex_t **lock) { (void)pthread_mutex_unlock(*lock); }

static enum rf_kind open_part(struct table *t, struct part *part, struct rf_err *err)
{
    (void)pthread_mutex_lock(&t->lock);
    RF_CLEANUP(unlock) __attribute__((unused)) pthread_mutex_t *locked = &t->lock;
    if (part->extent != NULL) return RF_OK;
    struct table_path path = table_extent_path(t->folder, part->info->number);
    struct extent_options options = table_extent_options(t->store, t->key);
    struct extent *extent;
    uint32_t count;
    RF_TRY(extent_open(&options, path.text, &extent, err));
    const struct extent_column *columns = extent_columns(extent, &count);
    part->map = rf_arena_new(&t->arena, uint32_t, t->m.column_count);
    bool fits = extent_row_count(extent) == part->info->info.row_count;
    if (part->map != NULL) {
        table_map_columns(t->m.columns, t->m.column_count, columns, count, part->map);
        for (uint32_t i = 0; i < t->m.column_count; i++)
            if (part->map[i] != UINT32_MAX)
                fits &= columns[part->map[i]].type == t->m.columns[i].type;
    }
    if (part->map == NULL || !fits) {
        extent_free(extent);
        if (part->map == NULL) return no_memory(t, err);
        return RF_FAIL(err, RF_CORRUPT, "ExtentDamaged",
                       "%s: its rows or columns are not those that the manifest names", path.text);
    }
    part->extent = extent;
    return RF_OK;
}

/* ---- cursors --------------------------------------------------------------------------------------------------- */

struct table_cursor {
    struct table *table;
    struct part *part;
    struct rf_arena arena;
    struct rf_arena batch;
    struct vec *vecs;
    const struct extent_want *wants; /* by columns of the table */
    uint32_t want_count;
    uint32_t
        *slots; /* of each want in the extent's cursor; UINT32_MAX: the part lacks the column */
    struct extent_cursor *extent;
    struct journal_reader *journal;
    int64_t min, max;   /* of the time column, for the journal's records */
    uint64_t bare_rows; /* rows to give of which no column is wanted */
    bool nothing;
};

void table_cursor_free(struct table_cursor *c)
{
    if (c == NULL) return;
    extent_cursor_free(c->extent);
    journal_reader_free(c->journal);
    rf_arena_done(&c->batch);
    rf_arena_done(&c->arena);
    free(c);
}

static bool holds_empty(const struct extent_test *test)
{
    for (uint32_t i = 0; i < test->value_count; i++)
        if (test->values[i].null ||
            (test->values[i].type == TYPE_STRING && test->values[i].s.len == 0))
            return true;
    return false;
}

/* Whether a null or an empty text may pass. */
static bool missing_may_pass(const struct extent_test *test, enum type type)
{
    switch (test->kind) {
    case EXTENT_RANGE:
        return type == TYPE_STRING;
    case EXTENT_EQUALS:
    case EXTENT_CONTAINS:
        return holds_empty(test);
    case EXTENT_TERMS:
        return test->term_count == 0;
    case EXTENT_TERMS_ANY:
        return false;
    }
    return true;
}

static enum rf_kind open_extent_cursor(struct table_cursor *c, const struct extent_test *tests,
                                       uint32_t test_count, struct rf_budget *budget,
                                       struct rf_err *err)
{
    struct table *t = c->table;
    RF_TRY(open_part(t, c->part, err));
    const uint32_t *map = c->part->map;
    struct extent_test *own = rf_arena_new(&c->arena, struct extent_test, test_count);
    struct extent_want *wants = rf_arena_new(&c->arena, struct extent_want, c->want_count);
    uint32_t own_count = 0, there = 0;
    c->slots = rf_arena_new(&c->arena, uint32_t, c->want_count);
    if (own == NULL || wants == NULL || c->slots == NULL) return rf_fail_memory(err, &c->arena);
    for (uint32_t i = 0; i < test_count; i++) {
        enum type type = (enum type)t->m.columns[tests[i].column].type;
        own[own_count] = tests[i];
        own[own_count].column = map[tests[i].column];
        if (own[own_count].column != UINT32_MAX)
            own_count++;
        else
            c->nothing |= !missing_may_pass(&tests[i], type);
    }
    for (uint32_t i = 0; i < c->want_count; i++) {
        c->slots[i] = UINT32_MAX;
        if (map[c->wants[i].column] == UINT32_MAX) continue;
        wants[there] = c->wants[i];
        wants[there].column = map[c->wants[i].column];
        c->slots[i] = there++;
    }
    if (c->nothing) return RF_OK;
    if (there == 0 && own_count == 0) {
        c->bare_rows = c->part->info->info.row_count;
        return RF_OK;
    }
    return extent_cursor_of(c->part->extent, wants, there, own, own_count, budget, &c->extent, err);
}

static enum rf_kind open_journal_cursor(struct table_cursor *c, const struct extent_test *tests,
                                        uint32_t test_count, struct rf_budget *budget,
                                        struct rf_err *err)
{
    struct table *t = c->table;
    int time_column = table_time_column(t->m.columns, t->m.column_count);
    for (uint32_t i = 0; i < test_count; i++) {
        if (tests[i].kind != EXTENT_RANGE || (int)tests[i].column != time_column) continue;
        if (!tests[i].low.null) c->min = RF_MAX(c->min, tests[i].low.i);
        if (!tests[i].high.null) c->max = RF_MIN(c->max, tests[i].high.i);
    }
    struct table_path path = table_journal_path(t->folder, t->m.journal);
    struct journal_options options = table_journal_options(t->store, t->key, path.text);
    options.budget = budget;
    return journal_reader_open(&options, t->journal.end, &c->journal, err);
}

static enum rf_kind open_cursor(struct table_cursor *c, const struct extent_want *wants,
                                const struct extent_test *tests, uint32_t test_count,
                                struct rf_budget *budget, struct rf_err *err)
{
    struct extent_want *kept = rf_arena_new(&c->arena, struct extent_want, c->want_count);
    c->vecs = rf_arena_new(&c->arena, struct vec, c->want_count);
    if (kept == NULL || c->vecs == NULL) return rf_fail_memory(err, &c->arena);
    for (uint32_t i = 0; i < c->want_count; i++) {
        RF_ASSERT(wants[i].column < c->table->m.column_count);
        kept[i] = wants[i];
        c->vecs[i] = table_missing((enum type)c->table->m.columns[wants[i].column].type);
    }
    c->wants = kept;
    return c->part->info != NULL ? open_extent_cursor(c, tests, test_count, budget, err)
                                 : open_journal_cursor(c, tests, test_count, budget, err);
}

enum rf_kind table_cursor_of(struct table *t, uint32_t part, const struct extent_want *wants,
                             uint32_t want_count, const struct extent_test *tests,
                             uint32_t test_count, struct rf_budget *budget,
                             struct table_cursor **out, struct rf_err *err)
{
    RF_ASSERT(part < t->part_count);
    struct table_cursor *c = calloc(1, sizeof *c);
    if (c == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a cursor");
    c->table = t;
    c->part = &t->parts[part];
    c->want_count = want_count;
    c->min = INT64_MIN;
    c->max = INT64_MAX;
    rf_arena_init_shared(&c->arena, budget);
    rf_arena_init_shared(&c->batch, budget);
    enum rf_kind kind = open_cursor(c, wants, tests, test_count, budget, err);
    if (kind != RF_OK) {
        table_cursor_free(c);
        return kind;
    }
    *out = c;
    return RF_OK;
}

enum rf_kind table_cursor_new(struct table *t, uint32_t part, const uint32_t *columns,
                              uint32_t column_count, const struct extent_test *tests,
                              uint32_t test_count, struct rf_budget *budget,
                              struct table_cursor **out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, budget);
    struct extent_want *wants = rf_arena_new(&arena, struct extent_want, column_count);
    if (wants == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t i = 0; i < column_count; i++) wants[i].column = columns[i];
    return table_cursor_of(t, part, wants, column_count, tests, test_count, budget, out, err);
}

void table_cursor_blocks(struct table_cursor *c, uint32_t from, uint32_t to)
{
    if (c->extent != NULL)
        extent_cursor_blocks(c->extent, from, to);
    else if (c->journal != NULL)
        c->nothing = from > 0 || to == 0;
    else if (c->bare_rows > 0) {
        uint64_t end = RF_MIN(c->bare_rows, (uint64_t)to * EXTENT_BLOCK_ROWS);
        c->bare_rows = end - RF_MIN(end, (uint64_t)from * EXTENT_BLOCK_ROWS);
    }
}

void table_cursor_backwards(struct table_cursor *c)
{
    if (c->extent != NULL) extent_cursor_backwards(c->extent);
}

static enum rf_kind seek_journal(struct table_cursor *c, uint32_t *rows, struct rf_err *err)
{
    const struct table *t = c->table;
    struct journal_batch in;
    RF_TRY(journal_read(c->journal, t->m.columns, t->m.column_count, c->min, c->max, &in, err));
    for (uint32_t i = 0; i < c->want_count; i++) {
        uint32_t column = c->wants[i].column, at = column;
        c->vecs[i] = table_missing((enum type)t->m.columns[column].type);
        /* Records mostly hold the table's columns in the table's order. */
        bool there = at < in.batch.column_count && in.indexes[at] == at;
        for (uint32_t k = 0; k < in.batch.column_count && !there; k++)
            if (in.indexes[k] == column) {
                at = k;
                there = true;
            }
        if (there) c->vecs[i] = in.batch.columns[at];
    }
    *rows = in.batch.row_count;
    return RF_OK;
}

enum rf_kind table_cursor_seek(struct table_cursor *c, uint32_t *rows, struct rf_err *err)
{
    *rows = 0;
    rf_arena_reset(&c->batch);
    if (c->nothing) return RF_OK;
    if (c->extent != NULL) return extent_cursor_seek(c->extent, rows, err);
    if (c->journal != NULL) return seek_journal(c, rows, err);
    *rows = (uint32_t)RF_MIN(c->bare_rows, (uint64_t)BATCH_ROWS);
    c->bare_rows -= *rows;
    return RF_OK;
}

const uint32_t *table_cursor_rows(const struct table_cursor *c, uint32_t *row_count)
{
    return c->extent == NULL ? NULL : extent_cursor_rows(c->extent, row_count);
}

enum rf_kind table_cursor_column(struct table_cursor *c, uint32_t index, const uint32_t *rows,
                                 uint32_t row_count, struct vec *out, struct rf_err *err)
{
    RF_ASSERT(index < c->want_count);
    const struct extent_want *want = &c->wants[index];
    if (c->extent != NULL && c->slots[index] != UINT32_MAX)
        return extent_cursor_column(c->extent, c->slots[index], rows, row_count, out, err);
    *out = c->vecs[index];
    if (rows != NULL && !vec_select(&c->batch, &c->vecs[index], rows, row_count, out))
        return rf_fail_memory(err, &c->batch);
    if (want->key_count > 0 &&
        !extent_walk(&c->batch, out, row_count, want->keys, want->key_count, out))
        return rf_fail_memory(err, &c->batch);
    return RF_OK;
}

enum rf_kind table_cursor_next(struct table_cursor *c, struct batch *out, struct rf_err *err)
{
    uint32_t rows;
    RF_TRY(table_cursor_seek(c, &rows, err));
    struct vec *columns = rf_arena_raw(&c->batch, struct vec, c->want_count);
    if (columns == NULL) return rf_fail_memory(err, &c->batch);
    for (uint32_t i = 0; i < c->want_count && rows > 0; i++)
        RF_TRY(table_cursor_column(c, i, NULL, rows, &columns[i], err));
    *out = (struct batch){
        .row_count = rows, .column_count = c->want_count, .columns = columns, .arena = &c->batch};
    return RF_OK;
}
