/* table_merge.c - journal rows and small extents become large extents; old extents are dropped.
 *
 * Extents are taken in the order of their oldest row, and neighbours that fit into one are joined, so that an extent
 * covers as short a time as it can. Each step is one commit, so that a crash loses no more than that step's work. */
#include <stdlib.h>

#include "store/table_int.h"

/* An extent of these bytes or more is large enough; so are EXTENT_ROWS_MAX / 2 rows. */
enum { MERGE_LARGE_BYTES = 32 << 20, MERGE_GROUP_MAX = 1024 };

static enum rf_kind no_memory(const struct table_writer *w, struct rf_err *err)
{
    return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to merge the table '%s'",
                   w->name);
}

/* ---- writing what is merged ---------------------------------------------------------------------------------- */

/* Extents that come of one step. */
struct merged {
    struct table_writer *w;
    struct rf_arena *arena;
    struct extent_writer *writer;
    const struct extent_column *columns; /* of the rows */
    uint32_t column_count;
    struct manifest_extent *extents;
    uint32_t count, cap;
};

static enum rf_kind merged_seal(struct merged *m, bool full, struct rf_err *err)
{
    if (m->writer == NULL || extent_writer_rows(m->writer) == 0) return RF_OK;
    if (m->count == m->cap) {
        uint32_t cap = RF_MAX(m->cap * 2, 8u);
        struct manifest_extent *grown = rf_arena_new(m->arena, struct manifest_extent, cap);
        if (grown == NULL) return no_memory(m->w, err);
        if (m->count > 0) memcpy(grown, m->extents, m->count * sizeof *grown);
        m->extents = grown;
        m->cap = cap;
    }
    RF_TRY(table_seal(m->w, m->writer, full, &m->extents[m->count], err));
    m->count++;
    return RF_OK;
}

static enum rf_kind merged_append(struct merged *m, const struct batch *batch, struct rf_err *err)
{
    struct extent_options options = table_extent_options(m->w->store, m->w->key);
    if (m->writer == NULL)
        RF_TRY(extent_writer_new(&options, m->columns, m->column_count, &m->writer, err));
    bool full = extent_writer_rows(m->writer) + batch->row_count > EXTENT_ROWS_MAX ||
                extent_writer_bytes(m->writer) >= TABLE_BUFFER_BYTES;
    if (full) RF_TRY(merged_seal(m, true, err));
    return extent_append(m->writer, batch, err);
}

/* After a failure: the files that no manifest names. */
static void merged_remove(struct merged *m)
{
    for (uint32_t i = 0; i < m->count && !m->w->in_doubt; i++)
        (void)rf_fs_unlink(m->w->store->options.fs,
                           table_extent_path(m->w->folder, m->extents[i].number).text, NULL);
}

/* ---- reading what is merged ----------------------------------------------------------------------------------- */

static enum rf_kind add_journal(struct merged *m, struct rf_err *err)
{
    struct table_writer *w = m->w;
    struct table_path path = table_journal_path(w->folder, w->journal_number);
    struct journal_options options = table_journal_options(w->store, w->key, path.text);
    struct journal_reader *reader;
    RF_TRY(journal_reader_open(&options, journal_bytes(w->journal), &reader, err));
    enum rf_kind kind = RF_OK;
    struct vec *vecs = rf_arena_new(m->arena, struct vec, m->column_count);
    if (vecs == NULL) kind = no_memory(w, err);
    while (kind == RF_OK) {
        struct journal_batch in;
        kind =
            journal_read(reader, w->m.columns, w->m.column_count, INT64_MIN, INT64_MAX, &in, err);
        if (kind != RF_OK || in.batch.row_count == 0) break;
        for (uint32_t i = 0; i < m->column_count; i++)
            vecs[i] = table_missing((enum type)m->columns[i].type);
        for (uint32_t i = 0; i < in.batch.column_count; i++)
            vecs[in.indexes[i]] = in.batch.columns[i];
        struct batch batch = {.row_count = in.batch.row_count,
                              .column_count = m->column_count,
                              .columns = vecs,
                              .arena = in.batch.arena};
        kind = merged_append(m, &batch, err);
    }
    journal_reader_free(reader);
    return kind;
}

/* All rows of an extent, with the merged columns. */
static enum rf_kind add_rows(struct merged *m, struct extent *extent, struct rf_err *err)
{
    uint32_t own_count;
    const struct extent_column *own = extent_columns(extent, &own_count);
    uint32_t *map = rf_arena_new(m->arena, uint32_t, own_count);
    uint32_t *all = rf_arena_new(m->arena, uint32_t, own_count);
    struct vec *vecs = rf_arena_new(m->arena, struct vec, m->column_count);
    if (map == NULL || all == NULL || vecs == NULL) return no_memory(m->w, err);
    for (uint32_t i = 0; i < own_count; i++) all[i] = i;
    for (uint32_t i = 0; i < m->column_count; i++)
        vecs[i] = table_missing((enum type)m->columns[i].type);
    table_map_columns(own, own_count, m->columns, m->column_count, map);
    struct extent_cursor *cursor;
    RF_TRY(extent_cursor_new(extent, all, own_count, NULL, 0, m->w->store->options.budget, &cursor,
                             err));
    enum rf_kind kind;
    for (;;) {
        struct batch in;
        kind = extent_cursor_next(cursor, &in, err);
        if (kind != RF_OK || in.row_count == 0) break;
        for (uint32_t i = 0; i < own_count; i++) vecs[map[i]] = in.columns[i];
        struct batch batch = {.row_count = in.row_count,
                              .column_count = m->column_count,
                              .columns = vecs,
                              .arena = in.arena};
        kind = merged_append(m, &batch, err);
        if (kind != RF_OK) break;
    }
    extent_cursor_free(cursor);
    return kind;
}

static enum rf_kind open_extent(const struct merged *m, const struct manifest_extent *e,
                                struct extent **out, struct rf_err *err)
{
    struct extent_options options = table_extent_options(m->w->store, m->w->key);
    struct table_path path = table_extent_path(m->w->folder, e->number);
    return extent_open(&options, path.text, out, err);
}

/* The table's columns that one of the extents has, in the table's order. */
static enum rf_kind find_columns(struct merged *m, const struct manifest_extent *extents,
                                 uint32_t count, struct rf_err *err)
{
    const struct manifest *manifest = &m->w->m;
    bool *has = rf_arena_new(m->arena, bool, manifest->column_count);
    struct extent_column *columns =
        rf_arena_new(m->arena, struct extent_column, manifest->column_count);
    if (has == NULL || columns == NULL) return no_memory(m->w, err);
    for (uint32_t i = 0; i < count; i++) {
        struct extent *extent;
        uint32_t own_count;
        RF_TRY(open_extent(m, &extents[i], &extent, err));
        const struct extent_column *own = extent_columns(extent, &own_count);
        uint32_t *map = rf_arena_new(m->arena, uint32_t, own_count);
        bool known = map != NULL;
        if (known)
            table_map_columns(own, own_count, manifest->columns, manifest->column_count, map);
        for (uint32_t c = 0; known && c < own_count; c++) {
            known = map[c] != UINT32_MAX && manifest->columns[map[c]].type == own[c].type;
            if (known) has[map[c]] = true;
        }
        extent_free(extent);
        if (map == NULL) return no_memory(m->w, err);
        if (!known)
            return RF_FAIL(err, RF_CORRUPT, "ExtentDamaged",
                           "%s: it has columns that the table has not",
                           table_extent_path(m->w->folder, extents[i].number).text);
    }
    m->columns = columns;
    for (uint32_t i = 0; i < manifest->column_count; i++)
        if (has[i]) columns[m->column_count++] = manifest->columns[i];
    return RF_OK;
}

/* ---- steps ----------------------------------------------------------------------------------------------------- */

static bool listed(const struct manifest_extent *e, const struct manifest_extent *list,
                   uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i].number == e->number) return true;
    return false;
}

/* The manifest without `gone` and with `added`. */
static enum rf_kind replace_extents(struct table_writer *w, const struct manifest_extent *gone,
                                    uint32_t gone_count, const struct manifest_extent *added,
                                    uint32_t added_count, bool drop_journal, struct rf_arena *arena,
                                    struct rf_err *err)
{
    struct manifest next = w->m;
    next.extents =
        rf_arena_new(arena, struct manifest_extent, (size_t)w->m.extent_count + added_count);
    if (next.extents == NULL) return no_memory(w, err);
    next.extent_count = 0;
    for (uint32_t i = 0; i < w->m.extent_count; i++)
        if (!listed(&w->m.extents[i], gone, gone_count))
            next.extents[next.extent_count++] = w->m.extents[i];
    for (uint32_t i = 0; i < added_count; i++) next.extents[next.extent_count++] = added[i];
    for (uint32_t i = 0; i < gone_count; i++)
        if (!table_drop_file(w, &next, MANIFEST_EXTENT_FILE, gone[i].number, arena))
            return no_memory(w, err);
    if (drop_journal) {
        if (!table_drop_file(w, &next, MANIFEST_JOURNAL_FILE, w->journal_number, arena))
            return no_memory(w, err);
        next.journal = 0;
        next.sequence = w->sequence;
        next.position = w->position;
    }
    return table_manifest_replace(w, &next, err);
}

static enum rf_kind fold(struct merged *m, struct rf_err *err)
{
    m->columns = m->w->m.columns;
    m->column_count = m->w->m.column_count;
    RF_TRY(add_journal(m, err));
    RF_TRY(merged_seal(m, false, err));
    return replace_extents(m->w, NULL, 0, m->extents, m->count, true, m->arena, err);
}

enum rf_kind table_fold_journal(struct table_writer *w, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, w->store->options.budget);
    struct merged m = {.w = w, .arena = &arena};
    enum rf_kind kind = fold(&m, err);
    extent_writer_free(m.writer);
    if (kind != RF_OK) {
        merged_remove(&m);
        return kind;
    }
    journal_writer_free(w->journal);
    w->journal = NULL;
    return RF_OK;
}

static enum rf_kind join(struct table_writer *w, const struct manifest_extent *extents,
                         uint32_t count, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, w->store->options.budget);
    struct merged m = {.w = w, .arena = &arena};
    enum rf_kind kind = find_columns(&m, extents, count, err);
    for (uint32_t i = 0; i < count && kind == RF_OK; i++) {
        struct extent *extent;
        kind = open_extent(&m, &extents[i], &extent, err);
        if (kind != RF_OK) break;
        kind = add_rows(&m, extent, err);
        extent_free(extent);
    }
    if (kind == RF_OK) kind = merged_seal(&m, false, err);
    if (kind == RF_OK)
        kind = replace_extents(w, extents, count, m.extents, m.count, false, &arena, err);
    extent_writer_free(m.writer);
    if (kind != RF_OK) merged_remove(&m);
    return kind;
}

static int by_time(const void *a, const void *b)
{
    const struct manifest_extent *x = a, *y = b;
    if (x->info.time_min != y->info.time_min) return x->info.time_min < y->info.time_min ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static bool is_small(const struct manifest_extent *e)
{
    return !e->full && e->info.row_count < EXTENT_ROWS_MAX / 2 &&
           e->info.file_bytes < MERGE_LARGE_BYTES;
}

/* The first run of small neighbours that fit into one extent, at least two; 0: none. `sorted` is by time. */
static uint32_t find_group(const struct manifest_extent *sorted, uint32_t count, uint32_t *from)
{
    for (*from = 0; *from < count; ++*from) {
        uint64_t rows = 0, bytes = 0;
        uint32_t n = 0;
        while (*from + n < count && n < MERGE_GROUP_MAX) {
            const struct manifest_extent *e = &sorted[*from + n];
            rows += e->info.row_count;
            bytes += e->info.file_bytes;
            if (!is_small(e) || rows > EXTENT_ROWS_MAX || bytes > 2 * MERGE_LARGE_BYTES) break;
            n++;
        }
        if (n >= 2) return n;
    }
    return 0;
}

/* Joins one group of small extents; *joined is false when there is none. */
static enum rf_kind join_group(struct table_writer *w, bool *joined, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, w->store->options.budget);
    uint32_t count = w->m.extent_count, from, n;
    struct manifest_extent *sorted = rf_arena_new(&arena, struct manifest_extent, count);
    if (sorted == NULL) return no_memory(w, err);
    if (count > 0) memcpy(sorted, w->m.extents, count * sizeof *sorted);
    if (count > 1) qsort(sorted, count, sizeof *sorted, by_time);
    n = find_group(sorted, count, &from);
    *joined = n > 0;
    if (n == 0) return RF_OK;
    RF_TRY(join(w, sorted + from, n, err));
    table_purge(w);
    return RF_OK;
}

static enum rf_kind drop_old(struct table_writer *w, struct rf_err *err)
{
    if (w->m.retention_ticks == 0) return RF_OK;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, w->store->options.budget);
    int64_t now = DATETIME_UNIX_EPOCH + rf_clock_now(store_clock(w->store)) * TICKS_PER_MICROSECOND;
    int64_t oldest = now - w->m.retention_ticks;
    struct manifest_extent *gone = rf_arena_new(&arena, struct manifest_extent, w->m.extent_count);
    if (gone == NULL) return no_memory(w, err);
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->m.extent_count; i++) {
        const struct extent_info *info = &w->m.extents[i].info;
        if (info->time_max >= info->time_min && info->time_max < oldest)
            gone[count++] = w->m.extents[i];
    }
    return count == 0 ? RF_OK : replace_extents(w, gone, count, NULL, 0, false, &arena, err);
}

enum rf_kind table_merge_step(struct table_writer *w, bool *more, struct rf_err *err)
{
    RF_TRY(table_writer_usable(w, err));
    bool pending = w->bulk_rows > 0 || (w->journal != NULL && journal_pending_rows(w->journal) > 0);
    if (pending)
        return RF_FAIL(err, RF_CONFLICT, "UncommittedRows",
                       "rows of the table '%s' are not committed; commit before merging", w->name);
    bool rows = w->journal != NULL && journal_rows(w->journal) > 0;
    bool done = rows; /* something */
    enum rf_kind kind = rows ? table_fold_journal(w, err) : drop_old(w, err);
    if (kind == RF_OK && !rows) kind = join_group(w, &done, err);
    w->failed = kind != RF_OK;
    if (kind != RF_OK) return kind;
    table_purge(w);
    *more = done;
    return RF_OK;
}

enum rf_kind table_merge(struct table_writer *w, struct rf_err *err)
{
    for (bool more = true; more;) RF_TRY(table_merge_step(w, &more, err));
    return RF_OK;
}
