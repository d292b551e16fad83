/* table_merge.c - journal rows and small extents become large extents; old extents are dropped.
 *
 * Extents are taken in the order of their oldest row, and neighbours that fit into one are joined, so that an extent
 * covers as short a time as it can. Each step is one commit, so that a crash loses no more than that step's work.
 *
 * What a step reads never changes: extents, and the journal up to a commit. So the writer may go on while it is read and written
 * anew. Commits that the journal got meanwhile go to a new one when the step is committed. */
#include <stdlib.h>

#include "store/table_int.h"

/* An extent of these bytes or more is large enough; so are EXTENT_ROWS_MAX / 2 rows. */
enum { MERGE_LARGE_BYTES = 32 << 20, MERGE_GROUP_MAX = 1024, MERGE_GROUP_FEW = 4 };

static enum rf_kind no_memory(const struct table_writer *w, struct rf_err *err)
{
    return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to merge the table '%s'",
                   w->name);
}

/* ---- writing what is merged ---------------------------------------------------------------------------------- */

/* A step. */
struct table_merge {
    struct table_writer *w; /* what changes in it is for begin and end only */
    struct rf_arena arena;
    atomic_bool cancelled;
    struct extent_column *table_columns; /* as at the beginning */
    uint32_t table_column_count;
    /* What is merged: extents; or, when there are none, the journal up to a commit. */
    struct manifest_extent *gone;
    uint32_t gone_count;
    struct journal_part {
        uint64_t number, end, rows, sequence;
        rf_str position;
    } journal;
    /* What comes of it. */
    struct extent_writer *writer;
    const struct extent_column *columns; /* of the rows */
    uint32_t column_count;
    struct manifest_extent *extents;
    uint32_t count, cap;
};

static enum rf_kind merged_seal(struct table_merge *m, bool full, struct rf_err *err)
{
    if (m->writer == NULL || extent_writer_rows(m->writer) == 0) return RF_OK;
    if (m->count == m->cap) {
        uint32_t cap = RF_MAX(m->cap * 2, 8u);
        struct manifest_extent *grown = rf_arena_new(&m->arena, struct manifest_extent, cap);
        if (grown == NULL) return no_memory(m->w, err);
        if (m->count > 0) memcpy(grown, m->extents, m->count * sizeof *grown);
        m->extents = grown;
        m->cap = cap;
    }
    RF_TRY(table_seal(m->w, m->writer, full, &m->extents[m->count], err));
    m->count++;
    return RF_OK;
}

static enum rf_kind merged_append(struct table_merge *m, const struct batch *batch,
                                  struct rf_err *err)
{
    struct extent_options options = table_extent_options(m->w->store, m->w->key);
    if (m->writer == NULL)
        RF_TRY(extent_writer_new(&options, m->columns, m->column_count, &m->writer, err));
    if (atomic_load_explicit(&m->cancelled, memory_order_relaxed))
        return RF_FAIL(err, RF_CANCELLED, "MergeCancelled", "the merge of '%s' was cancelled",
                       m->w->name);
    bool full = extent_writer_rows(m->writer) + batch->row_count > EXTENT_ROWS_MAX ||
                extent_writer_bytes(m->writer) >= TABLE_BUFFER_BYTES;
    if (full) RF_TRY(merged_seal(m, true, err));
    return extent_append(m->writer, batch, err);
}

/* After a failure: the files that no manifest names. */
static void merged_remove(struct table_merge *m)
{
    for (uint32_t i = 0; i < m->count && !m->w->in_doubt; i++)
        (void)rf_fs_unlink(m->w->store->options.fs,
                           table_extent_path(m->w->folder, m->extents[i].number).text, NULL);
}

/* ---- reading what is merged ----------------------------------------------------------------------------------- */

static enum rf_kind add_journal(struct table_merge *m, struct rf_err *err)
{
    struct table_writer *w = m->w;
    struct table_path path = table_journal_path(w->folder, m->journal.number);
    struct journal_options options = table_journal_options(w->store, w->key, path.text);
    struct journal_reader *reader;
    RF_TRY(journal_reader_open(&options, m->journal.end, &reader, err));
    enum rf_kind kind = RF_OK;
    struct vec *vecs = rf_arena_new(&m->arena, struct vec, m->column_count);
    if (vecs == NULL) kind = no_memory(w, err);
    while (kind == RF_OK) {
        struct journal_batch in;
        kind = journal_read(reader, m->columns, m->column_count, INT64_MIN, INT64_MAX, &in, err);
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
static enum rf_kind add_rows(struct table_merge *m, struct extent *extent, struct rf_err *err)
{
    uint32_t own_count;
    const struct extent_column *own = extent_columns(extent, &own_count);
    uint32_t *map = rf_arena_new(&m->arena, uint32_t, own_count);
    uint32_t *all = rf_arena_new(&m->arena, uint32_t, own_count);
    struct vec *vecs = rf_arena_new(&m->arena, struct vec, m->column_count);
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

static enum rf_kind open_extent(const struct table_merge *m, const struct manifest_extent *e,
                                struct extent **out, struct rf_err *err)
{
    struct extent_options options = table_extent_options(m->w->store, m->w->key);
    struct table_path path = table_extent_path(m->w->folder, e->number);
    return extent_open(&options, path.text, out, err);
}

/* The table's columns that one of the extents has, in the table's order. */
static enum rf_kind find_columns(struct table_merge *m, struct rf_err *err)
{
    const struct manifest_extent *extents = m->gone;
    uint32_t table_count = m->table_column_count;
    bool *has = rf_arena_new(&m->arena, bool, table_count);
    struct extent_column *columns = rf_arena_new(&m->arena, struct extent_column, table_count);
    if (has == NULL || columns == NULL) return no_memory(m->w, err);
    for (uint32_t i = 0; i < m->gone_count; i++) {
        struct extent *extent;
        uint32_t own_count;
        RF_TRY(open_extent(m, &extents[i], &extent, err));
        const struct extent_column *own = extent_columns(extent, &own_count);
        uint32_t *map = rf_arena_new(&m->arena, uint32_t, own_count);
        bool known = map != NULL;
        if (known) table_map_columns(own, own_count, m->table_columns, table_count, map);
        for (uint32_t c = 0; known && c < own_count; c++) {
            known = map[c] != UINT32_MAX && m->table_columns[map[c]].type == own[c].type;
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
    for (uint32_t i = 0; i < table_count; i++)
        if (has[i]) columns[m->column_count++] = m->table_columns[i];
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

/* The manifest without `gone`. The array has room for `more` extents. */
static enum rf_kind leave_out(struct table_writer *w, const struct manifest_extent *gone,
                              uint32_t gone_count, uint32_t more, struct rf_arena *arena,
                              struct manifest *next, struct rf_err *err)
{
    *next = w->m;
    next->extents = rf_arena_new(arena, struct manifest_extent, (size_t)w->m.extent_count + more);
    if (next->extents == NULL) return no_memory(w, err);
    next->extent_count = 0;
    for (uint32_t i = 0; i < w->m.extent_count; i++)
        if (!listed(&w->m.extents[i], gone, gone_count))
            next->extents[next->extent_count++] = w->m.extents[i];
    for (uint32_t i = 0; i < gone_count; i++)
        if (!table_drop_file(w, next, MANIFEST_EXTENT_FILE, gone[i].number, arena))
            return no_memory(w, err);
    return RF_OK;
}

/* The journal without what was merged: *rest is NULL when nothing is left of it. */
static enum rf_kind cut_journal(struct table_merge *m, struct manifest *next,
                                struct journal_writer **rest, uint64_t *number, struct rf_err *err)
{
    struct table_writer *w = m->w;
    *rest = NULL;
    *number = 0;
    if (!table_drop_file(w, next, MANIFEST_JOURNAL_FILE, m->journal.number, &m->arena))
        return no_memory(w, err);
    if (journal_rows(w->journal) > m->journal.rows) {
        *number = w->next_number++;
        struct table_path path = table_journal_path(w->folder, *number);
        RF_TRY(journal_tail(w->journal, m->journal.end, m->journal.rows, path.text, rest, err));
    }
    next->journal = *number;
    /* A commit to an extent, meanwhile, has moved both further. */
    if (next->sequence < m->journal.sequence) {
        next->sequence = m->journal.sequence;
        next->position = m->journal.position;
    }
    return *rest == NULL ? RF_OK : rf_fs_sync_dir(w->store->options.fs, w->folder, err);
}

static enum rf_kind swap(struct table_merge *m, struct rf_err *err)
{
    struct table_writer *w = m->w;
    struct manifest next;
    struct journal_writer *rest = NULL;
    uint64_t number = 0;
    RF_TRY(leave_out(w, m->gone, m->gone_count, m->count, &m->arena, &next, err));
    for (uint32_t i = 0; i < m->count; i++) next.extents[next.extent_count++] = m->extents[i];
    if (m->gone_count > 0) return table_manifest_replace(w, &next, err);
    enum rf_kind kind = cut_journal(m, &next, &rest, &number, err);
    if (kind == RF_OK) kind = table_manifest_replace(w, &next, err);
    if (kind != RF_OK) {
        journal_writer_free(rest);
        return kind;
    }
    journal_writer_free(w->journal);
    w->journal = rest;
    w->journal_number = number;
    return RF_OK;
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
static uint32_t find_group(const struct manifest_extent *sorted, uint32_t count, bool lazily,
                           uint32_t *from)
{
    for (*from = 0; *from < count; ++*from) {
        uint64_t rows = 0, bytes = 0;
        uint32_t n = 0;
        while (*from + n < count && n < MERGE_GROUP_MAX) {
            const struct manifest_extent *e = &sorted[*from + n];
            uint64_t rows_then = rows + e->info.row_count, bytes_then = bytes + e->info.file_bytes;
            if (!is_small(e) || rows_then > EXTENT_ROWS_MAX || bytes_then > 2 * MERGE_LARGE_BYTES)
                break;
            rows = rows_then;
            bytes = bytes_then;
            n++;
        }
        bool pays = !lazily || n >= MERGE_GROUP_FEW || rows >= EXTENT_ROWS_MAX / 2 ||
                    bytes >= MERGE_LARGE_BYTES;
        if (n >= 2 && pays) return n;
    }
    return 0;
}

/* Chooses a group of small extents; m->gone_count 0: there is none. */
static enum rf_kind choose_extents(struct table_merge *m, bool lazily, struct rf_err *err)
{
    const struct table_writer *w = m->w;
    uint32_t count = w->m.extent_count, from;
    struct manifest_extent *sorted = rf_arena_new(&m->arena, struct manifest_extent, count);
    if (sorted == NULL) return no_memory(w, err);
    if (count > 0) memcpy(sorted, w->m.extents, count * sizeof *sorted);
    if (count > 1) qsort(sorted, count, sizeof *sorted, by_time);
    m->gone_count = find_group(sorted, count, lazily, &from);
    m->gone = sorted + from;
    return RF_OK;
}

static enum rf_kind choose_journal(struct table_merge *m, struct rf_err *err)
{
    struct table_writer *w = m->w;
    m->journal = (struct journal_part){.number = w->journal_number,
                                       .end = journal_bytes(w->journal),
                                       .rows = journal_rows(w->journal),
                                       .sequence = w->sequence};
    if (!rf_arena_str(&m->arena, w->position, &m->journal.position)) return no_memory(w, err);
    w->folding = true;
    return RF_OK;
}

static enum rf_kind copy_table_columns(struct table_merge *m, struct rf_err *err)
{
    const struct manifest *from = &m->w->m;
    m->table_columns = rf_arena_new(&m->arena, struct extent_column, from->column_count);
    if (m->table_columns == NULL) return no_memory(m->w, err);
    m->table_column_count = from->column_count;
    for (uint32_t i = 0; i < from->column_count; i++) {
        m->table_columns[i].type = from->columns[i].type;
        if (!rf_arena_str(&m->arena, from->columns[i].name, &m->table_columns[i].name))
            return no_memory(m->w, err);
    }
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
    if (count == 0) return RF_OK;
    struct manifest next;
    RF_TRY(leave_out(w, gone, count, 0, &arena, &next, err));
    return table_manifest_replace(w, &next, err);
}

static enum rf_kind merge_new(struct table_writer *w, struct table_merge **out, struct rf_err *err)
{
    struct table_merge *m = calloc(1, sizeof *m);
    if (m == NULL) return no_memory(w, err);
    m->w = w;
    rf_arena_init_shared(&m->arena, w->store->options.budget);
    enum rf_kind kind = copy_table_columns(m, err);
    if (kind == RF_OK)
        *out = m;
    else
        table_merge_forget(m);
    return kind;
}

static enum rf_kind begin(struct table_writer *w, bool lazily, struct table_merge **out,
                          struct rf_err *err)
{
    bool rows = w->journal != NULL && journal_rows(w->journal) > 0;
    struct table_merge *m;
    if (!rows) RF_TRY(drop_old(w, err));
    RF_TRY(merge_new(w, &m, err));
    enum rf_kind kind = rows ? choose_journal(m, err) : choose_extents(m, lazily, err);
    if (kind == RF_OK && (rows || m->gone_count > 0))
        *out = m;
    else
        table_merge_forget(m);
    return kind;
}

enum rf_kind table_merge_begin(struct table_writer *w, bool lazily, struct table_merge **out,
                               struct rf_err *err)
{
    RF_TRY(table_writer_usable(w, err));
    bool pending = w->bulk_rows > 0 || (w->journal != NULL && journal_pending_rows(w->journal) > 0);
    if (pending)
        return RF_FAIL(err, RF_CONFLICT, "UncommittedRows",
                       "rows of the table '%s' are not committed; commit before merging", w->name);
    struct table_merge *m = NULL;
    enum rf_kind kind = begin(w, lazily, &m, err);
    w->failed = kind != RF_OK;
    if (kind != RF_OK) return kind;
    if (m == NULL) table_purge(w);
    *out = m;
    return RF_OK;
}

enum rf_kind table_merge_work(struct table_merge *m, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    if (m->gone_count == 0) {
        m->columns = m->table_columns;
        m->column_count = m->table_column_count;
        kind = add_journal(m, err);
    } else {
        kind = find_columns(m, err);
    }
    for (uint32_t i = 0; i < m->gone_count && kind == RF_OK; i++) {
        struct extent *extent;
        kind = open_extent(m, &m->gone[i], &extent, err);
        if (kind != RF_OK) break;
        kind = add_rows(m, extent, err);
        extent_free(extent);
    }
    if (kind == RF_OK) kind = merged_seal(m, false, err);
    extent_writer_free(m->writer);
    m->writer = NULL;
    return kind;
}

enum rf_kind table_merge_end(struct table_merge *m, enum rf_kind kind, struct rf_err *err)
{
    struct table_writer *w = m->w;
    if (kind == RF_OK) kind = table_writer_usable(w, err);
    if (kind == RF_OK) kind = swap(m, err);
    if (kind != RF_OK) merged_remove(m);
    w->failed = kind != RF_OK;
    w->folding = false;
    if (kind == RF_OK) table_purge(w);
    table_merge_forget(m);
    return kind;
}

void table_merge_cancel(struct table_merge *m)
{
    atomic_store_explicit(&m->cancelled, true, memory_order_relaxed);
}

void table_merge_forget(struct table_merge *m)
{
    if (m == NULL) return;
    extent_writer_free(m->writer);
    rf_arena_done(&m->arena);
    free(m);
}

enum rf_kind table_fold_journal(struct table_writer *w, struct rf_err *err)
{
    struct table_merge *m;
    RF_TRY(merge_new(w, &m, err));
    enum rf_kind kind = choose_journal(m, err);
    if (kind == RF_OK) kind = table_merge_work(m, err);
    return table_merge_end(m, kind, err);
}

/* One whole step; *done: there was one. */
static enum rf_kind merge_step(struct table_writer *w, bool *done, struct rf_err *err)
{
    struct table_merge *m;
    RF_TRY(table_merge_begin(w, false, &m, err));
    *done = m != NULL;
    return m == NULL ? RF_OK : table_merge_end(m, table_merge_work(m, err), err);
}

enum rf_kind table_merge(struct table_writer *w, struct rf_err *err)
{
    for (bool more = true; more;) RF_TRY(merge_step(w, &more, err));
    return RF_OK;
}
