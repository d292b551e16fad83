/* tables_append.c - rows in: the writer of each table, commits for all who wait, and the thread that keeps house.
 *
 * Who appends puts its rows into the table's queue. The first one there takes the table's turn and commits what is in the
 * queue, its own rows and those of the others, while more of them gather. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "tables/tables_int.h"

enum { REQUEST_BYTES_MAX = 256 << 20 };

/* ---- the writer ---------------------------------------------------------------------------------------------------- */

void entry_close_writer(struct table_entry *e)
{
    if (e->writer == NULL) return;
    (void)pthread_mutex_lock(&e->lock);
    if (e->merge != NULL) table_merge_cancel(e->merge);
    while (e->merge != NULL) (void)pthread_cond_wait(&e->turn, &e->lock);
    (void)pthread_mutex_unlock(&e->lock);
    table_writer_close(e->writer);
    e->writer = NULL;
    e->writers_closed++;
    atomic_fetch_sub(&e->home->tables->writer_count, 1);
}

/* The arrival of the last commit, and how far the sources of its rows had come, is its position. */
static enum rf_kind read_position(struct table_entry *e, struct rf_arena *arena, struct rf_err *err)
{
    rf_str position;
    int64_t arrival;
    RF_TRY(table_position(e->writer, arena, &position, err));
    RF_TRY(marks_decode(position, &arrival, &e->marks, err));
    e->arrival = RF_MAX(e->arrival, arrival);
    return RF_OK;
}

static enum rf_kind open_writer(struct table_entry *e, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct tables *tables = e->home->tables;
    struct store *store;
    rf_arena_init(&arena, REQUEST_BYTES_MAX);
    const struct table_def *def = &e->def; /* nobody changes it without the turn */
    uint32_t width = writer_width(def);
    struct extent_column *columns = rf_arena_new(&arena, struct extent_column, width);
    if (columns == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t i = 0; i < width; i++) {
        const struct table_column c = writer_column(def, i);
        columns[i] = (struct extent_column){c.name, c.type};
    }
    RF_TRY(workspace_store(e->home, true, &store, err));
    RF_TRY(table_writer_open(store, e->name, columns, width, &e->writer, err));
    e->writer_columns = width;
    enum rf_kind kind = read_position(e, &arena, err);
    if (kind != RF_OK) {
        table_writer_close(e->writer);
        e->writer = NULL;
        return kind;
    }
    atomic_fetch_add(&tables->writer_count, 1);
    return RF_OK;
}

/* Views are to be opened anew. */
static void entry_changed(struct table_entry *e)
{
    (void)pthread_mutex_lock(&e->lock);
    e->version++;
    struct table_view *view = e->view;
    e->view = NULL;
    (void)pthread_mutex_unlock(&e->lock);
    if (view != NULL) view_unref(view);
}

/* Closes writers that nobody uses, so that files and memory stay within bounds. */
static void close_idle_writers(struct tables *tables, const struct table_entry *keep);

enum rf_kind entry_writer(struct table_entry *e, struct rf_err *err)
{
    if (e->writer != NULL && e->writer_columns != writer_width(&e->def)) entry_close_writer(e);
    if (e->writer == NULL) {
        if (atomic_load(&e->home->tables->writer_count) >= TABLES_WRITERS_MAX)
            close_idle_writers(e->home->tables, e);
        RF_TRY(open_writer(e, err));
        entry_changed(e);
    }
    if (table_retention(e->writer) == entry_retention(e)) return RF_OK;
    enum rf_kind kind = table_set_retention(e->writer, entry_retention(e), err);
    if (kind != RF_OK) entry_close_writer(e);
    return kind;
}

/* ---- rows as the writer wants them ------------------------------------------------------------------------------- */

/* Where each of the writer's columns is found in the caller's batches; UINT32_MAX: nowhere. */
struct row_map {
    uint32_t *places;
    uint32_t count;
    uint8_t *types;
    uint32_t time,
        stamp; /* TimeGenerated; Timestamp, its other name in some tables; UINT32_MAX: none */
};

static enum rf_kind map_column(const struct table_def *def, const struct column *c, uint32_t *hint,
                               uint32_t *at, struct rf_err *err)
{
    for (uint32_t tries = 0; tries < def->column_count; tries++) {
        uint32_t i = 1 + (*hint + tries) % def->column_count;
        const struct table_column have = writer_column(def, i);
        if (!rf_str_eq(have.name, c->name)) continue;
        if (have.type != c->type)
            return RF_FAIL(err, RF_CONFLICT, "ColumnTypeConflict",
                           "the column '%.*s' of the table '%.*s' is of type %s, not %s",
                           RF_FMT(c->name), RF_FMT(def->name), type_name((enum type)have.type),
                           type_name((enum type)c->type));
        *at = i;
        *hint = i;
        return RF_OK;
    }
    return RF_FAIL(err, RF_INVALID, "UnknownColumn", "the table '%.*s' has no column '%.*s'",
                   RF_FMT(def->name), RF_FMT(c->name));
}

static enum rf_kind map_rows(const struct table_def *def, const struct schema *schema,
                             struct rf_arena *arena, struct row_map *out, struct rf_err *err)
{
    uint32_t width = writer_width(def);
    *out = (struct row_map){.places = rf_arena_raw(arena, uint32_t, width),
                            .types = rf_arena_raw(arena, uint8_t, width),
                            .count = width,
                            .time = UINT32_MAX,
                            .stamp = UINT32_MAX};
    if (out->places == NULL || out->types == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < width; i++) {
        const struct table_column c = writer_column(def, i);
        out->places[i] = UINT32_MAX;
        out->types[i] = c.type;
        if (c.type != TYPE_DATETIME) continue;
        if (rf_str_is(c.name, "TimeGenerated")) out->time = i;
        if (def->standard && rf_str_is(c.name, "Timestamp")) out->stamp = i;
    }
    uint32_t hint = 0, at = 0;
    for (uint32_t i = 0; i < schema->count; i++) {
        RF_TRY(map_column(def, &schema->columns[i], &hint, &at, err));
        out->places[at] = i;
    }
    return RF_OK;
}

static bool is_nothing(const struct vec *v) { return v->shape == VEC_CONST && vec_null(v, 0); }

/* Puts `other` in the place of nulls, and the time of arrival where that is null too. */
static bool fill_times(struct vec *v, const struct vec *other, uint32_t count, int64_t now_ticks,
                       struct rf_arena *arena)
{
    bool any = false;
    for (uint32_t row = 0; row < count && v->nulls != NULL && !any; row++) any = vec_null(v, row);
    if (!any) return true;
    if (is_nothing(v) && is_nothing(other)) {
        struct value now = value_i64(TYPE_DATETIME, now_ticks);
        return vec_const(arena, &now, v);
    }
    int64_t *cells = rf_arena_raw(arena, int64_t, count);
    if (cells == NULL) return false;
    for (uint32_t row = 0; row < count; row++)
        cells[row] = !vec_null(v, row)       ? vec_i64(v, row)
                     : !vec_null(other, row) ? vec_i64(other, row)
                                             : now_ticks;
    *v = (struct vec){.type = TYPE_DATETIME, .shape = VEC_FLAT, .data = cells};
    return true;
}

static bool text_vec(struct rf_arena *arena, rf_str text, struct vec *out)
{
    struct value value = value_str(text);
    return vec_const(arena, &value, out);
}

static bool lay_out(const struct table_entry *e, const struct row_map *map, const struct batch *in,
                    int64_t now_ticks, struct rf_arena *arena, struct batch *out)
{
    struct vec *columns = rf_arena_raw(arena, struct vec, map->count);
    if (columns == NULL) return false;
    for (uint32_t i = 0; i < map->count; i++)
        columns[i] = map->places[i] == UINT32_MAX ? vec_nothing((enum type)map->types[i])
                                                  : in->columns[map->places[i]];
    if (!text_vec(arena, e->home->guid_text, &columns[1])) return false;
    if (!text_vec(arena, e->name, &columns[2])) return false;
    *out = (struct batch){
        .row_count = in->row_count, .column_count = map->count, .columns = columns, .arena = arena};
    if (map->time == UINT32_MAX) return true;
    struct vec nothing = vec_nothing(TYPE_DATETIME), *time = &columns[map->time];
    struct vec *stamp = map->stamp == UINT32_MAX ? &nothing : &columns[map->stamp];
    return fill_times(time, stamp, in->row_count, now_ticks, arena) &&
           (stamp == &nothing || fill_times(stamp, time, in->row_count, now_ticks, arena));
}

static enum rf_kind prepare(struct table_entry *e, const struct rows_in *rows,
                            struct rf_arena *arena, struct append_request *out, struct rf_err *err)
{
    struct row_map map;
    (void)pthread_mutex_lock(&e->lock);
    enum rf_kind kind = map_rows(&e->def, rows->schema, arena, &map, err);
    (void)pthread_mutex_unlock(&e->lock);
    if (kind != RF_OK) return kind;
    *out = (struct append_request){.batches = rf_arena_new(arena, struct batch, rows->batch_count)};
    if (out->batches == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < rows->batch_count; i++) {
        if (rows->batches[i].row_count == 0) continue;
        if (!lay_out(e, &map, &rows->batches[i], rows->now_ticks, arena,
                     &out->batches[out->batch_count]))
            return rf_fail_memory(err, arena);
        out->row_count += rows->batches[i].row_count;
        out->batch_count++;
    }
    return RF_OK;
}

/* ---- committing ----------------------------------------------------------------------------------------------------- */

static enum rf_kind append_batch(struct table_entry *e, const struct batch *batch,
                                 const int64_t *arrival, struct rf_err *err)
{
    batch->columns[0] = (struct vec){.type = TYPE_DATETIME, .shape = VEC_CONST, .data = arrival};
    if (batch->column_count == e->writer_columns) return table_append(e->writer, batch, err);
    /* The table gained columns since the rows were laid out. */
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct batch wide = *batch;
    wide.column_count = e->writer_columns;
    wide.columns = rf_arena_raw(&arena, struct vec, e->writer_columns);
    if (wide.columns == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t i = 0; i < e->writer_columns; i++) {
        const struct table_column c = writer_column(&e->def, i);
        wide.columns[i] =
            i < batch->column_count ? batch->columns[i] : vec_nothing((enum type)c.type);
    }
    return table_append(e->writer, &wide, err);
}

/* The marks that the table has with the requests from `first` up to `end`. */
static enum rf_kind move_marks(const struct table_entry *e, const struct append_request *first,
                               const struct append_request *end, struct mark_list *out,
                               struct rf_err *err)
{
    if (!marks_copy(out, &e->marks))
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for marks");
    for (const struct append_request *r = first; r != end; r = r->next)
        for (uint32_t i = 0; i < r->mark_count; i++) RF_TRY(marks_move(out, &r->marks[i], err));
    return RF_OK;
}

static enum rf_kind commit_group(struct table_entry *e, const struct mark_list *marks,
                                 int64_t arrival, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    rf_str position = marks_encode(marks, arrival, &arena);
    if (position.ptr == NULL) return rf_fail_memory(err, &arena);
    return table_commit(e->writer, position, err);
}

/* Appends and commits the requests from `first` up to `end`. *appended says that no row was at fault: what failed then was
 * the commit, and some of its rows may be there when the table is opened again. */
static enum rf_kind write_group(struct table_entry *e, struct append_request *first,
                                const struct append_request *end, bool *appended,
                                struct rf_err *err)
{
    *appended = false;
    uint64_t rows = 0;
    RF_CLEANUP(marks_free) struct mark_list marks = {0};
    for (const struct append_request *r = first; r != end; r = r->next) rows += r->row_count;
    enum rf_kind kind = entry_writer(e, err);
    int64_t before = e->arrival, arrival = RF_MAX(tables_now(e->home->tables), before + 1);
    if (kind == RF_OK) kind = move_marks(e, first, end, &marks, err);
    if (kind == RF_OK && rows >= TABLES_BULK_ROWS) table_expect_bulk(e->writer);
    for (struct append_request *r = first; r != end && kind == RF_OK; r = r->next)
        for (uint32_t i = 0; i < r->batch_count && kind == RF_OK; i++)
            kind = append_batch(e, &r->batches[i], &arrival, err);
    *appended = kind == RF_OK;
    if (kind == RF_OK) kind = commit_group(e, &marks, arrival, err);
    e->arrival = arrival; /* also of a commit that failed: its rows may be there */
    if (kind == RF_OK) {
        struct mark_list old = e->marks;
        e->marks = marks;
        marks = old;
        feeds_note(e, first, end, before, arrival);
        activity_note(e, rows);
    } else {
        entry_close_writer(e);
    }
    return kind;
}

static void write_requests(struct table_entry *e, struct append_request *first)
{
    struct rf_err err = {0};
    bool appended;
    enum rf_kind kind = write_group(e, first, NULL, &appended, &err);
    /* The commit before stood, but what it did afterwards to its journal went wrong. */
    if (kind == RF_CONFLICT && strcmp(err.code, "TableWriterFailed") == 0)
        kind = write_group(e, first, NULL, &appended, &err);
    /* One request that is too large must not take the others with it. */
    bool alone = kind != RF_OK && !appended && first->next != NULL;
    for (struct append_request *r = first; r != NULL; r = r->next) {
        r->kind = kind;
        if (alone)
            r->kind = write_group(e, r, r->next, &appended, &r->err);
        else if (kind != RF_OK)
            r->err = err;
    }
    entry_changed(e);
}

static void refuse_requests(const struct table_entry *e, struct append_request *first)
{
    for (struct append_request *r = first; r != NULL; r = r->next)
        r->kind = RF_FAIL(&r->err, RF_NOT_FOUND, "TableNotFound", "the table '%.*s' was deleted",
                          RF_FMT(e->name));
}

/* Takes the front of the queue and commits it; the caller holds e->lock and nobody has the turn. */
static void lead(struct table_entry *e)
{
    struct append_request *first = e->first, *last = first;
    uint64_t rows = first->row_count;
    while (last->next != NULL && rows + last->next->row_count <= TABLES_GROUP_ROWS_MAX) {
        last = last->next;
        rows += last->row_count;
    }
    e->first = last->next;
    if (e->first == NULL) e->last = NULL;
    last->next = NULL;
    e->busy = true;
    bool dropped = e->dropped;
    e->live |= !dropped;
    e->arriving = tables_now(e->home->tables);
    (void)pthread_mutex_unlock(&e->lock);
    if (dropped)
        refuse_requests(e, first);
    else
        write_requests(e, first);
    (void)pthread_mutex_lock(&e->lock);
    e->used = rf_clock_elapsed(e->home->tables->options.clock);
    for (struct append_request *r = first, *next; r != NULL; r = next) {
        next = r->next; /* once `done` is seen, r is gone */
        if (r->kind == RF_OK) e->rows_unmerged += r->row_count;
        r->done = true;
    }
    e->busy = false;
    e->arriving = 0;
    (void)pthread_cond_broadcast(&e->turn);
}

static enum rf_kind append(struct table_entry *e, struct append_request *r, struct rf_err *err)
{
    (void)pthread_mutex_lock(&e->lock);
    if (e->last == NULL)
        e->first = r;
    else
        e->last->next = r;
    e->last = r;
    while (!r->done) {
        if (e->busy)
            (void)pthread_cond_wait(&e->turn, &e->lock);
        else
            lead(e);
    }
    (void)pthread_mutex_unlock(&e->lock);
    if (r->kind != RF_OK && err != NULL) *err = r->err;
    return r->kind;
}

enum rf_kind tables_append(struct tables *tables, rf_str workspace_id, rf_str name,
                           const struct rows_in *rows, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(entry_cleanup) struct table_entry *e = NULL;
    struct append_request request;
    rf_arena_init(&arena, REQUEST_BYTES_MAX);
    RF_TRY(entry_find(tables, workspace_id, name, &e, err));
    RF_TRY(prepare(e, rows, &arena, &request, err));
    return request.row_count == 0 ? RF_OK : append(e, &request, err);
}

enum rf_kind tables_append_marked(struct tables *tables, rf_str workspace_id, rf_str name,
                                  const struct rows_in *rows, const struct table_mark *marks,
                                  uint32_t mark_count, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(entry_cleanup) struct table_entry *e = NULL;
    struct append_request request;
    rf_arena_init(&arena, REQUEST_BYTES_MAX);
    RF_TRY(entry_find(tables, workspace_id, name, &e, err));
    RF_TRY(prepare(e, rows, &arena, &request, err));
    request.marks = marks;
    request.mark_count = mark_count;
    return request.row_count == 0 && mark_count == 0 ? RF_OK : append(e, &request, err);
}

enum rf_kind tables_mark(struct tables *tables, rf_str workspace_id, rf_str name, uint64_t source,
                         uint32_t part, int64_t *next, struct rf_err *err)
{
    RF_CLEANUP(entry_cleanup) struct table_entry *e = NULL;
    RF_TRY(entry_find(tables, workspace_id, name, &e, err));
    RF_TRY(entry_take_turn(e, err));
    enum rf_kind kind = entry_writer(e, err);
    const struct table_mark *m = kind == RF_OK ? marks_find(&e->marks, source, part) : NULL;
    if (kind == RF_OK) *next = m == NULL ? -1 : m->next;
    (void)pthread_mutex_lock(&e->lock);
    e->live = true;
    (void)pthread_mutex_unlock(&e->lock);
    entry_give_turn(e);
    return kind;
}

enum rf_kind tables_forget_marks(struct tables *tables, rf_str workspace_id, rf_str name,
                                 uint64_t source, struct rf_err *err)
{
    RF_CLEANUP(entry_cleanup) struct table_entry *e = NULL;
    RF_TRY(entry_find(tables, workspace_id, name, &e, err));
    RF_TRY(entry_take_turn(e, err));
    enum rf_kind kind = entry_writer(e, err);
    uint32_t had = e->marks.count;
    if (kind == RF_OK) marks_drop(&e->marks, source);
    /* Durably, without waiting for rows: none may come any more. What failed is read again with the next writer. */
    if (kind == RF_OK && e->marks.count < had) {
        kind = commit_group(e, &e->marks, e->arrival, err);
        if (kind != RF_OK) entry_close_writer(e);
    }
    entry_give_turn(e);
    return kind;
}

/* ---- keeping house -------------------------------------------------------------------------------------------------- */

/* Takes the turn when nobody has it or waits for it. */
static bool try_turn(struct table_entry *e)
{
    if (pthread_mutex_trylock(&e->lock) != 0) return false;
    bool is_free = !e->busy && !e->dropped && e->first == NULL;
    if (is_free) e->busy = true;
    (void)pthread_mutex_unlock(&e->lock);
    return is_free;
}

void tables_log_failure(const char *event, rf_str table, const struct rf_err *err)
{
    const struct rf_kv values[] = {RF_KV_STR("table", table),
                                   RF_KV_STR("error", rf_str_of(err->text))};
    if (rf_log_wants(RF_WARN)) rf_log_event(RF_WARN, event, values, RF_COUNT(values));
}

/* Begins a step; e->merge is NULL when there is nothing to do. *epoch tells the writer from later ones. */
static enum rf_kind begin_merge(struct table_entry *e, uint64_t *epoch, struct rf_err *err)
{
    struct table_merge *m = NULL;
    enum rf_kind kind = entry_writer(e, err);
    if (kind == RF_OK) kind = table_merge_begin(e->writer, true, &m, err);
    if (kind != RF_OK) entry_close_writer(e);
    if (m == NULL) entry_changed(e); /* old rows may be gone, a writer may have been opened */
    *epoch = e->writers_closed;
    (void)pthread_mutex_lock(&e->lock);
    e->merge = m;
    e->live = true;
    e->merged = rf_clock_elapsed(e->home->tables->options.clock);
    e->rows_unmerged = 0; /* what comes from now on counts for the next one */
    (void)pthread_mutex_unlock(&e->lock);
    return kind;
}

/* Does what was begun, while others append. */
static enum rf_kind finish_merge(struct table_entry *e, uint64_t epoch, struct rf_err *err)
{
    struct table_merge *m = e->merge; /* none but this thread sets it */
    enum rf_kind kind = table_merge_work(m, err);
    (void)pthread_mutex_lock(&e->lock);
    e->merge = NULL;
    if (kind != RF_OK) e->rows_unmerged++; /* to be tried again */
    (void)pthread_cond_broadcast(&e->turn);
    (void)pthread_mutex_unlock(&e->lock);
    bool dropped = entry_take_turn(e, NULL) != RF_OK;
    if (dropped || e->writers_closed != epoch) {
        table_merge_forget(m);
        if (!dropped) entry_give_turn(e);
        return RF_CANCELLED;
    }
    kind = table_merge_end(m, kind, err);
    if (kind != RF_OK) entry_close_writer(e);
    entry_changed(e);
    entry_give_turn(e);
    return kind;
}

/* Joins journal and small extents, step by step. */
static void merge(struct table_entry *e)
{
    struct rf_err err = {0};
    enum rf_kind kind = RF_OK;
    for (bool more = true; more && kind == RF_OK;) {
        uint64_t epoch;
        if (!try_turn(e)) return; /* the next tick will do */
        kind = begin_merge(e, &epoch, &err);
        more = e->merge != NULL;
        entry_give_turn(e);
        if (more) kind = finish_merge(e, epoch, &err);
    }
    if (kind != RF_OK && kind != RF_CANCELLED)
        tables_log_failure("tables.merge_failed", e->name, &err);
}

/* Whether rows are older than they are to be kept. */
static bool has_old_rows(struct table_entry *e)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct table_def def;
    struct table_view *view;
    rf_arena_init(&arena, REQUEST_BYTES_MAX);
    if (entry_def(e, &arena, &def, NULL) != RF_OK || def.retention_ticks == 0) return false;
    if (def.retention_ticks == TABLE_RETENTION_DEFAULT)
        def.retention_ticks = e->home->retention_ticks;
    if (def.retention_ticks == 0) return false;
    if (entry_view(e, &def, &view, NULL) != RF_OK) return false;
    bool old = false;
    if (view->table != NULL) {
        struct table_stats s = table_stats(view->table);
        int64_t now = DATETIME_UNIX_EPOCH +
                      rf_clock_now(e->home->tables->options.clock) * TICKS_PER_MICROSECOND;
        old = s.time_min <= s.time_max && s.time_min < now - def.retention_ticks;
    }
    view_unref(view);
    return old;
}

static void close_idle(struct table_entry *e)
{
    if (!try_turn(e)) return;
    entry_close_writer(e);
    (void)pthread_mutex_lock(&e->lock);
    e->live = false;
    (void)pthread_mutex_unlock(&e->lock);
    entry_give_turn(e);
}

static void keep_entry(struct table_entry *e, rf_usec now, bool retention)
{
    (void)pthread_mutex_lock(&e->lock);
    bool live = e->live, idle = now - e->used >= TABLES_IDLE_USEC;
    bool view_idle = e->view != NULL && now - e->view->used >= TABLES_IDLE_USEC;
    bool grown = e->rows_unmerged >= TABLES_MERGE_ROWS && now - e->merged >= TABLES_MERGE_USEC;
    bool rest = live && idle && e->rows_unmerged > 0;
    (void)pthread_mutex_unlock(&e->lock);
    if (grown || rest || (retention && has_old_rows(e))) merge(e);
    if (view_idle) entry_forget_view(e);
    if (live && idle) close_idle(e);
}

static struct workspace_tables *first_workspace(struct tables *tables)
{
    (void)pthread_mutex_lock(&tables->lock);
    struct workspace_tables *w = tables->workspaces; /* those behind it never change */
    (void)pthread_mutex_unlock(&tables->lock);
    return w;
}

static void close_idle_writers(struct tables *tables, const struct table_entry *keep)
{
    for (struct workspace_tables *w = first_workspace(tables); w != NULL; w = w->next) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        uint32_t count;
        rf_arena_init(&arena, 1 << 20);
        struct table_entry **list = entries_of(w, &arena, &count);
        for (uint32_t i = 0; i < count; i++) {
            if (list[i] != keep) close_idle(list[i]);
            entry_unref(list[i]);
        }
    }
}

void tables_maintain(struct tables *tables)
{
    rf_usec now = rf_clock_elapsed(tables->options.clock);
    bool retention = now - tables->retention_checked >= TABLES_RETENTION_USEC;
    if (retention) tables->retention_checked = now;
    for (struct workspace_tables *w = first_workspace(tables); w != NULL; w = w->next) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        uint32_t count;
        rf_arena_init(&arena, 1 << 20);
        struct table_entry **list = entries_of(w, &arena, &count);
        for (uint32_t i = 0; i < count; i++) {
            keep_entry(list[i], now, retention);
            entry_unref(list[i]);
        }
    }
}

static void *keep_house(void *ctx)
{
    struct tables *tables = ctx;
    (void)pthread_mutex_lock(&tables->lock);
    while (!tables->stopping) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += TABLES_TICK_USEC / RF_USEC_PER_SECOND;
        (void)pthread_cond_timedwait(&tables->wake, &tables->lock, &until);
        if (tables->stopping) break;
        (void)pthread_mutex_unlock(&tables->lock);
        tables_maintain(tables);
        (void)pthread_mutex_lock(&tables->lock);
    }
    (void)pthread_mutex_unlock(&tables->lock);
    return NULL;
}

enum rf_kind tables_start(struct tables *tables, struct rf_err *err)
{
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&tables->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    tables->has_thread = pthread_create(&tables->thread, NULL, keep_house, tables) == 0;
    if (tables->has_thread) return RF_OK;
    (void)pthread_cond_destroy(&tables->wake);
    return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "no thread to look after the tables");
}

void tables_stop(struct tables *tables)
{
    if (!tables->has_thread) return;
    (void)pthread_mutex_lock(&tables->lock);
    tables->stopping = true;
    (void)pthread_cond_signal(&tables->wake);
    (void)pthread_mutex_unlock(&tables->lock);
    (void)pthread_join(tables->thread, NULL);
    (void)pthread_cond_destroy(&tables->wake);
    tables->has_thread = false;
}
