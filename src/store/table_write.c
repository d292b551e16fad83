/* table_write.c - the one writer of a table: opening, appending, committing.
 *
 * A commit of few rows is appended to the journal; one of many rows becomes extents, which a new manifest names.
 * Rows wait in the journal's form until it is known which of the two it will be; after a commit of many rows the next
 * one's go to an extent at once.
 *
 * Whatever fails, the writer is of no further use: opening the table again tells what counts. */
#include <stdlib.h>

#include "store/table_int.h"

/* A journal this large is turned into an extent by the commit that made it so. */
enum { JOURNAL_ROWS_MAX = 1 << 18, JOURNAL_BYTES_MAX = 32 << 20 };

enum rf_kind table_writer_usable(const struct table_writer *w, struct rf_err *err)
{
    if (!w->failed) return RF_OK;
    return RF_FAIL(err, RF_CONFLICT, "TableWriterFailed",
                   "an earlier write to the table '%s' failed; open it again to go on", w->name);
}

static enum rf_kind no_memory(const struct table_writer *w, struct rf_err *err)
{
    return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to write the table '%s'",
                   w->name);
}

/* Room for one more item of a malloced list. */
static bool room_for(void *list, uint32_t count, uint32_t *cap, size_t bytes_each)
{
    void *old, *grown;
    if (count < *cap) return true;
    uint32_t more = RF_MAX(*cap * 2, 16u);
    memcpy(&old, list, sizeof old);
    grown = realloc(old, more * bytes_each);
    if (grown == NULL) return false;
    memcpy(list, &grown, sizeof grown);
    *cap = more;
    return true;
}

/* ---- manifests -------------------------------------------------------------------------------------------- */

static bool copy_manifest(const struct manifest *from, struct rf_arena *arena, struct manifest *to)
{
    *to = *from;
    to->columns = rf_arena_new(arena, struct extent_column, from->column_count);
    to->extents = rf_arena_new(arena, struct manifest_extent, from->extent_count);
    to->dropped = rf_arena_new(arena, struct manifest_dropped, from->dropped_count);
    if (to->columns == NULL || to->extents == NULL || to->dropped == NULL) return false;
    for (uint32_t i = 0; i < from->column_count; i++) {
        to->columns[i].type = from->columns[i].type;
        if (!rf_arena_str(arena, from->columns[i].name, &to->columns[i].name)) return false;
    }
    if (from->extent_count > 0)
        memcpy(to->extents, from->extents, from->extent_count * sizeof *to->extents);
    if (from->dropped_count > 0)
        memcpy(to->dropped, from->dropped, from->dropped_count * sizeof *to->dropped);
    return rf_arena_str(arena, from->position, &to->position);
}

/* Keeps the present manifest open, so that its readers can be asked for after it was replaced. */
static enum rf_kind retire_manifest(struct table_writer *w, const char *path, struct rf_err *err)
{
    struct rf_file *file;
    if (!room_for(&w->retired, w->retired_count, &w->retired_cap, sizeof(struct rf_file *)))
        return no_memory(w, err);
    enum rf_kind kind = rf_fs_open(w->store->options.fs, path, RF_OPEN_READ, &file, err);
    if (kind == RF_OK) w->retired[w->retired_count++] = file;
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

enum rf_kind table_manifest_replace(struct table_writer *w, struct manifest *next,
                                    struct rf_err *err)
{
    struct table_path path = table_file(w->folder, "manifest");
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_arena kept;
    struct manifest copy;
    rf_arena_init_shared(&arena, w->store->options.budget);
    rf_arena_init_shared(&kept, w->store->options.budget);
    next->generation = w->m.generation + 1;
    next->next_number = w->next_number;
    struct rf_buf buf = rf_buf_in(&arena);
    manifest_encode(next, &buf);
    enum rf_kind kind = RF_OK;
    if (buf.failed || !copy_manifest(next, &kept, &copy))
        kind = no_memory(w, err);
    else if (buf.len > MANIFEST_BYTES_MAX)
        kind = RF_FAIL(err, RF_LIMIT, "TooManyExtents", "the table '%s' has too many extents",
                       w->name);
    else
        kind = retire_manifest(w, path.text, err);
    if (kind != RF_OK) {
        rf_arena_done(&kept);
        return kind;
    }
    w->in_doubt = true;
    kind = rf_fs_replace(w->store->options.fs, path.text, rf_buf_view(&buf), err);
    if (kind != RF_OK) {
        rf_arena_done(&kept);
        return kind;
    }
    w->in_doubt = false;
    rf_arena_done(&w->arena);
    w->arena = kept;
    w->m = copy;
    return RF_OK;
}

bool table_drop_file(struct table_writer *w, struct manifest *next, enum manifest_file file,
                     uint64_t number, struct rf_arena *arena)
{
    struct manifest_dropped *list =
        rf_arena_new(arena, struct manifest_dropped, (size_t)next->dropped_count + 1);
    if (list == NULL) return false;
    if (next->dropped_count > 0) memcpy(list, next->dropped, next->dropped_count * sizeof *list);
    list[next->dropped_count] = (struct manifest_dropped){
        .number = number, .since = rf_clock_now(store_clock(w->store)), .file = file};
    next->dropped = list;
    next->dropped_count++;
    return true;
}

static struct table_path dropped_path(const struct table_writer *w,
                                      const struct manifest_dropped *d)
{
    return d->file == MANIFEST_EXTENT_FILE ? table_extent_path(w->folder, d->number)
                                           : table_journal_path(w->folder, d->number);
}

/* Whoever still reads by a retired manifest holds a shared lock on it. */
static void forget_unread_manifests(struct table_writer *w)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < w->retired_count; i++) {
        if (rf_file_lock(w->retired[i], false, NULL) == RF_OK)
            rf_file_close(w->retired[i]);
        else
            w->retired[kept++] = w->retired[i];
    }
    w->retired_count = kept;
}

void table_purge(struct table_writer *w)
{
    forget_unread_manifests(w);
    rf_usec now = rf_clock_now(store_clock(w->store));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < w->m.dropped_count; i++) {
        struct manifest_dropped *d = &w->m.dropped[i];
        /* Readers by manifests that an earlier writer replaced cannot be asked for. */
        bool unread = !d->inherited && w->retired_count == 0;
        bool old = now - d->since >= TABLE_GRACE_USEC;
        bool gone = (unread || old) &&
                    rf_fs_unlink(w->store->options.fs, dropped_path(w, d).text, NULL) == RF_OK;
        if (!gone) gone = !rf_fs_exists(w->store->options.fs, dropped_path(w, d).text);
        if (!gone) w->m.dropped[kept++] = *d;
    }
    w->m.dropped_count = kept;
}

/* ---- opening ------------------------------------------------------------------------------------------------ */

static enum rf_kind lock_table(struct table_writer *w, struct rf_err *err)
{
    struct rf_fs *fs = w->store->options.fs;
    struct table_path path = table_file(w->folder, "writer.lock");
    RF_TRY(rf_fs_mkdirs(fs, w->folder, err));
    RF_TRY(rf_fs_open(fs, path.text, RF_OPEN_READ | RF_OPEN_WRITE | RF_OPEN_CREATE, &w->lock, err));
    enum rf_kind kind = rf_file_lock(w->lock, false, err);
    if (kind != RF_CONFLICT) return kind;
    return RF_FAIL(err, RF_CONFLICT, "TableLocked",
                   "another process is writing to the table '%s' of %s", w->name, w->store->folder);
}

/* The names of the table's folder and of the store's must not be lost either. */
static enum rf_kind sync_parents(const struct table_writer *w, struct rf_err *err)
{
    struct rf_fs *fs = w->store->options.fs;
    RF_TRY(rf_fs_sync_dir(fs, w->store->folder, err));
    struct table_path above;
    size_t len = strlen(w->store->folder);
    while (len > 0 && w->store->folder[len - 1] == '/') len--;
    while (len > 0 && w->store->folder[len - 1] != '/') len--;
    while (len > 1 && w->store->folder[len - 1] == '/') len--;
    if (len >= sizeof above.text) return RF_OK;
    memcpy(above.text, w->store->folder, len);
    above.text[len] = '\0';
    return rf_fs_sync_dir(fs, len == 0 ? "." : above.text, err);
}

static enum rf_kind read_manifest(struct table_writer *w, struct rf_err *err)
{
    rf_str name = rf_str_of(w->name);
    enum rf_kind kind = table_manifest_read(w->store, name, w->folder, &w->arena, &w->m, NULL, err);
    if (kind == RF_NOT_FOUND) {
        kind = table_key_make(w->store, w->folder, &w->own_key, err);
        const struct extent_key *key = w->own_key.present ? &w->own_key : w->store->options.key;
        w->m = (struct manifest){.next_number = 1, .encrypted = key != NULL};
        manifest_key_check(key, w->m.key_check);
        if (kind == RF_OK) kind = sync_parents(w, err);
    }
    if (kind != RF_OK) return kind;
    for (uint32_t i = 0; i < w->m.dropped_count; i++) w->m.dropped[i].inherited = true;
    if (!w->m.encrypted && w->store->options.key != NULL)
        return RF_FAIL(err, RF_CONFLICT, "NotEncrypted",
                       "the table '%s' was made without a key; write to it without one", w->name);
    w->next_number = w->m.next_number;
    w->sequence = w->m.sequence;
    return table_key(w->store, name, w->folder, &w->m, &w->own_key, &w->key, err);
}

static enum rf_kind check_column(const struct extent_column *column, struct rf_err *err)
{
    if (column->name.len > 0 && column->name.len <= MANIFEST_NAME_BYTES_MAX &&
        rf_utf8_valid(column->name))
        return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadColumnName", "a column's name has 1 to %d bytes of UTF-8",
                   MANIFEST_NAME_BYTES_MAX);
}

/* Makes next->columns the table's columns and the new ones of `columns` behind them, and notes where each is. */
static enum rf_kind unite_columns(struct table_writer *w, const struct extent_column *columns,
                                  uint32_t count, struct manifest *next, struct rf_arena *arena,
                                  struct rf_err *err)
{
    uint32_t total = w->m.column_count;
    struct extent_column *all = rf_arena_new(arena, struct extent_column, (size_t)total + count);
    w->columns = rf_arena_new(&w->fixed, struct extent_column, count);
    w->indexes = rf_arena_new(&w->fixed, uint32_t, count);
    if (all == NULL || w->columns == NULL || w->indexes == NULL) return no_memory(w, err);
    if (total > 0) memcpy(all, w->m.columns, total * sizeof *all);
    table_map_columns(columns, count, w->m.columns, w->m.column_count, w->indexes);
    for (uint32_t i = 0; i < count; i++) {
        RF_TRY(check_column(&columns[i], err));
        w->columns[i].type = columns[i].type;
        if (!rf_arena_str(&w->fixed, columns[i].name, &w->columns[i].name))
            return no_memory(w, err);
        if (w->indexes[i] == UINT32_MAX) {
            for (uint32_t k = w->m.column_count; k < total; k++)
                if (rf_str_eq(all[k].name, columns[i].name))
                    return RF_FAIL(err, RF_CONFLICT, "ColumnExists",
                                   "two columns are called '%.*s'", RF_FMT(columns[i].name));
            w->indexes[i] = total;
            all[total++] = w->columns[i];
            continue;
        }
        enum type is = (enum type)all[w->indexes[i]].type, given = (enum type)columns[i].type;
        if (is != given)
            return RF_FAIL(err, RF_CONFLICT, "ColumnTypeConflict",
                           "the column '%.*s' of the table '%s' is of type %s, not %s",
                           RF_FMT(columns[i].name), w->name, type_name(is), type_name(given));
    }
    if (total > MANIFEST_COLUMNS_MAX)
        return RF_FAIL(err, RF_LIMIT, "TooManyColumns",
                       "the table '%s' would have %u columns; %d are the most", w->name, total,
                       MANIFEST_COLUMNS_MAX);
    w->column_count = count;
    w->time_column = table_time_column(w->columns, count);
    next->columns = all;
    next->column_count = total;
    return RF_OK;
}

/* The journal of the writer before goes on in a new file: what that writer left unsynced is then durable, and a torn
 * tail is cut off. */
static enum rf_kind take_over_journal(struct table_writer *w, struct manifest *next,
                                      struct rf_arena *arena, struct rf_err *err)
{
    if (w->m.journal == 0) return RF_OK;
    struct table_path path = table_journal_path(w->folder, w->m.journal);
    struct journal_options from = table_journal_options(w->store, w->key, path.text);
    struct journal_summary summary;
    RF_TRY(journal_scan(&from, arena, &summary, err));
    w->recovery.journal_tail_bytes = summary.tail_bytes;
    if (!table_drop_file(w, next, MANIFEST_JOURNAL_FILE, w->m.journal, arena))
        return no_memory(w, err);
    next->journal = 0;
    if (summary.sequence > w->sequence) {
        w->sequence = next->sequence = summary.sequence;
        next->position = summary.position;
    }
    if (summary.row_count == 0) return RF_OK;
    w->journal_number = next->journal = w->next_number++;
    struct table_path to = table_journal_path(w->folder, next->journal);
    return journal_copy(&from, &summary, to.text, &w->journal, err);
}

static bool is_named(const struct manifest *m, enum manifest_file file, uint64_t number)
{
    if (file == MANIFEST_JOURNAL_FILE && m->journal == number) return true;
    for (uint32_t i = 0; i < m->dropped_count; i++)
        if (m->dropped[i].file == file && m->dropped[i].number == number) return true;
    for (uint32_t i = 0; i < m->extent_count && file == MANIFEST_EXTENT_FILE; i++)
        if (m->extents[i].number == number) return true;
    return false;
}

/* Files of commits that never came to their end. What cannot be removed now is tried again next time. */
static void remove_orphans(struct table_writer *w)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, w->store->options.budget);
    struct rf_fs *fs = w->store->options.fs;
    rf_str *names;
    size_t count;
    if (rf_fs_list(fs, w->folder, &arena, &names, &count, NULL) != RF_OK) return;
    for (size_t i = 0; i < count; i++) {
        enum manifest_file file;
        uint64_t number;
        bool ours = table_file_parse(names[i], &file, &number);
        if (!ours || is_named(&w->m, file, number)) continue;
        struct table_path path = table_file(w->folder, (const char *)names[i].ptr);
        if (rf_fs_unlink(fs, path.text, NULL) == RF_OK) w->recovery.files_removed++;
    }
}

static enum rf_kind open_writer(struct table_writer *w, const struct extent_column *columns,
                                uint32_t count, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, w->store->options.budget);
    RF_TRY(lock_table(w, err));
    RF_TRY(read_manifest(w, err));
    struct manifest next = w->m;
    RF_TRY(unite_columns(w, columns, count, &next, &arena, err));
    RF_TRY(take_over_journal(w, &next, &arena, err));
    /* Always, even when nothing is new: should the process before have died between its rename and the sync of the
     * folder, what it renamed must be durable before anything is built on it. */
    RF_TRY(table_manifest_replace(w, &next, err));
    w->position = (rf_str){NULL, 0};
    uint8_t *position = malloc(w->m.position.len + 1);
    if (position == NULL) return no_memory(w, err);
    if (w->m.position.len > 0) memcpy(position, w->m.position.ptr, w->m.position.len);
    w->position = rf_str_make(position, w->m.position.len);
    table_purge(w);
    remove_orphans(w);
    return RF_OK;
}

enum rf_kind table_writer_open(struct store *store, rf_str name,
                               const struct extent_column *columns, uint32_t column_count,
                               struct table_writer **out, struct rf_err *err)
{
    struct table_path folder;
    RF_TRY(table_folder(store, name, &folder, err));
    struct table_writer *w = calloc(1, sizeof *w);
    if (w == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a writer");
    w->store = store;
    rf_arena_init_shared(&w->arena, store->options.budget);
    rf_arena_init_shared(&w->fixed, store->options.budget);
    w->folder = strdup(folder.text);
    w->name = strndup((const char *)name.ptr, name.len);
    enum rf_kind kind =
        w->folder == NULL || w->name == NULL
            ? RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a writer")
            : open_writer(w, columns, column_count, err);
    if (kind != RF_OK) {
        w->failed = true;
        table_writer_close(w);
        return kind;
    }
    *out = w;
    return RF_OK;
}

static void remove_sealed(struct table_writer *w)
{
    for (uint32_t i = 0; i < w->sealed_count && !w->in_doubt; i++)
        (void)rf_fs_unlink(w->store->options.fs,
                           table_extent_path(w->folder, w->sealed[i].number).text, NULL);
    w->sealed_count = 0;
}

void table_writer_close(struct table_writer *w)
{
    if (w == NULL) return;
    if (w->lock != NULL) remove_sealed(w);
    if (!w->failed) table_purge(w);
    for (uint32_t i = 0; i < w->retired_count; i++) rf_file_close(w->retired[i]);
    extent_writer_free(w->extents);
    journal_writer_free(w->journal);
    rf_arena_done(&w->arena);
    rf_arena_done(&w->fixed);
    rf_file_close(w->lock);
    free((void *)(uintptr_t)w->position.ptr);
    free(w->retired);
    free(w->sealed);
    explicit_bzero(&w->own_key, sizeof w->own_key);
    free(w->folder);
    free(w->name);
    free(w);
}

struct table_recovery table_writer_recovery(const struct table_writer *w) { return w->recovery; }

enum rf_kind table_position(struct table_writer *w, struct rf_arena *arena, rf_str *out,
                            struct rf_err *err)
{
    return rf_arena_str(arena, w->position, out) ? RF_OK : rf_fail_memory(err, arena);
}

/* ---- appending ---------------------------------------------------------------------------------------------- */

enum rf_kind table_seal(struct table_writer *w, struct extent_writer *writer, bool full,
                        struct manifest_extent *out, struct rf_err *err)
{
    struct manifest_extent sealed = {.number = w->next_number++, .full = full};
    struct table_path path = table_extent_path(w->folder, sealed.number);
    RF_TRY(extent_seal(writer, path.text, &sealed.info, err));
    *out = sealed;
    return RF_OK;
}

static bool extent_is_full(const struct extent_writer *writer)
{
    return extent_writer_rows(writer) + BATCH_ROWS > EXTENT_ROWS_MAX ||
           extent_writer_bytes(writer) >= TABLE_BUFFER_BYTES;
}

static enum rf_kind seal_extents(struct table_writer *w, struct rf_err *err)
{
    if (w->extents == NULL || extent_writer_rows(w->extents) == 0) return RF_OK;
    if (!room_for(&w->sealed, w->sealed_count, &w->sealed_cap, sizeof *w->sealed))
        return no_memory(w, err);
    RF_TRY(table_seal(w, w->extents, extent_is_full(w->extents), &w->sealed[w->sealed_count], err));
    w->sealed_count++;
    return RF_OK;
}

static enum rf_kind append_bulk(struct table_writer *w, const struct batch *batch,
                                struct rf_err *err)
{
    struct extent_options options = table_extent_options(w->store, w->key);
    if (w->extents == NULL)
        RF_TRY(extent_writer_new(&options, w->columns, w->column_count, &w->extents, err));
    if (extent_is_full(w->extents)) RF_TRY(seal_extents(w, err));
    RF_TRY(extent_append(w->extents, batch, err));
    w->bulk_rows += batch->row_count;
    return RF_OK;
}

/* What waits in the journal's form goes to an extent after all. */
static enum rf_kind go_bulk(struct table_writer *w, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, w->store->options.budget);
    const struct journal_pending *p = journal_pending_first(w->journal);
    for (; p != NULL; p = journal_pending_next(p)) {
        struct journal_batch batch;
        rf_arena_reset(&arena);
        RF_TRY(journal_pending_read(w->journal, p, w->m.columns, w->m.column_count, &arena, &batch,
                                    err));
        RF_TRY(append_bulk(w, &batch.batch, err));
    }
    journal_drop_pending(w->journal);
    w->bulk = true;
    return RF_OK;
}

static struct journal_times batch_times(const struct table_writer *w, const struct batch *batch)
{
    struct journal_times times = {0, -1};
    if (w->time_column < 0) return times;
    const struct vec *v = &batch->columns[w->time_column];
    for (uint32_t row = 0; row < batch->row_count; row++) {
        if (vec_null(v, row)) continue;
        int64_t at = vec_i64(v, row);
        bool first = times.max < times.min;
        times.min = first ? at : RF_MIN(times.min, at);
        times.max = first ? at : RF_MAX(times.max, at);
    }
    return times;
}

static enum rf_kind need_journal(struct table_writer *w, struct rf_err *err)
{
    if (w->journal != NULL) return RF_OK;
    w->journal_number = w->next_number++;
    struct table_path path = table_journal_path(w->folder, w->journal_number);
    struct journal_options options = table_journal_options(w->store, w->key, path.text);
    return journal_writer_new(&options, &w->journal, err);
}

static enum rf_kind append(struct table_writer *w, const struct batch *batch, struct rf_err *err)
{
    if (w->bulk) return append_bulk(w, batch, err);
    RF_TRY(need_journal(w, err));
    struct journal_batch rows = {*batch, w->indexes};
    RF_TRY(journal_put(w->journal, &rows, batch_times(w, batch), err));
    bool large = journal_pending_rows(w->journal) >= TABLE_BULK_ROWS ||
                 journal_pending_plain_bytes(w->journal) >= TABLE_BULK_BYTES ||
                 journal_pending_bytes(w->journal) >= TABLE_BULK_BYTES / 2;
    return large ? go_bulk(w, err) : RF_OK;
}

enum rf_kind table_append(struct table_writer *w, const struct batch *batch, struct rf_err *err)
{
    RF_TRY(table_writer_usable(w, err));
    RF_ASSERT(batch->column_count == w->column_count);
    RF_ASSERT(batch->row_count <= BATCH_ROWS);
    for (uint32_t i = 0; i < w->column_count; i++)
        RF_ASSERT(batch->columns[i].type == w->columns[i].type);
    if (batch->row_count == 0) return RF_OK;
    enum rf_kind kind = append(w, batch, err);
    w->failed = kind != RF_OK;
    return kind;
}

void table_expect_bulk(struct table_writer *w)
{
    if (w->journal == NULL || journal_pending_rows(w->journal) == 0) w->bulk = true;
}

bool table_wants_commit(const struct table_writer *w)
{
    return w->sealed_count > 0 || (w->bulk && w->extents != NULL && extent_is_full(w->extents));
}

/* ---- committing ------------------------------------------------------------------------------------------------ */

/* The new extents, and the position, in one manifest. */
static enum rf_kind commit_extents(struct table_writer *w, rf_str position, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, w->store->options.budget);
    RF_TRY(seal_extents(w, err));
    struct manifest next = w->m;
    next.extents =
        rf_arena_new(&arena, struct manifest_extent, (size_t)w->m.extent_count + w->sealed_count);
    if (next.extents == NULL) return no_memory(w, err);
    if (w->m.extent_count > 0)
        memcpy(next.extents, w->m.extents, w->m.extent_count * sizeof *next.extents);
    if (w->sealed_count > 0)
        memcpy(next.extents + w->m.extent_count, w->sealed, w->sealed_count * sizeof *w->sealed);
    next.extent_count += w->sealed_count;
    next.sequence = w->sequence + 1;
    next.position = position;
    RF_TRY(table_manifest_replace(w, &next, err));
    w->sequence++;
    /* After a full extent, or many rows, more of the kind is likely. */
    w->bulk = w->bulk_rows >= TABLE_BULK_ROWS;
    for (uint32_t i = 0; i < w->sealed_count; i++) w->bulk |= w->sealed[i].full;
    w->sealed_count = 0;
    w->bulk_rows = 0;
    return RF_OK;
}

static enum rf_kind commit_journal(struct table_writer *w, rf_str position, struct rf_err *err)
{
    bool first = !journal_exists(w->journal);
    RF_TRY(journal_flush(w->journal, w->sequence + 1, position, err));
    if (first) {
        /* A journal that no manifest names yet counts for nothing. */
        struct manifest next = w->m;
        next.journal = w->journal_number;
        RF_TRY(rf_fs_sync_dir(w->store->options.fs, w->folder, err));
        RF_TRY(table_manifest_replace(w, &next, err));
    }
    w->sequence++;
    return RF_OK;
}

static enum rf_kind commit(struct table_writer *w, rf_str position, struct rf_err *err)
{
    bool rows = w->journal != NULL && journal_pending_rows(w->journal) > 0;
    if (position.len > MANIFEST_POSITION_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "PositionTooLong", "a position of %zu bytes; %d are the most",
                       position.len, MANIFEST_POSITION_BYTES_MAX);
    if (w->bulk_rows == 0 && !rows && rf_str_eq(position, w->position)) return RF_OK;
    uint8_t *copy = malloc(position.len + 1);
    if (copy == NULL) return no_memory(w, err);
    if (position.len > 0) memcpy(copy, position.ptr, position.len);
    enum rf_kind kind = rows ? commit_journal(w, position, err) : commit_extents(w, position, err);
    if (kind != RF_OK) {
        free(copy);
        return kind;
    }
    free((void *)(uintptr_t)w->position.ptr);
    w->position = rf_str_make(copy, position.len);
    return RF_OK;
}

enum rf_kind table_commit(struct table_writer *w, rf_str position, struct rf_err *err)
{
    RF_TRY(table_writer_usable(w, err));
    enum rf_kind kind = commit(w, position, err);
    w->failed = kind != RF_OK;
    if (kind != RF_OK) return kind;
    bool large = w->journal != NULL && !w->folding &&
                 (journal_rows(w->journal) >= JOURNAL_ROWS_MAX ||
                  journal_bytes(w->journal) >= JOURNAL_BYTES_MAX);
    /* The commit stands whatever becomes of this; the next call will say what went wrong. */
    if (large) w->failed = table_fold_journal(w, NULL) != RF_OK;
    if (!w->failed && w->m.dropped_count > 0) table_purge(w);
    return RF_OK;
}

enum rf_kind table_set_retention(struct table_writer *w, int64_t ticks, struct rf_err *err)
{
    RF_TRY(table_writer_usable(w, err));
    RF_ASSERT(ticks >= 0);
    struct manifest next = w->m;
    next.retention_ticks = ticks;
    enum rf_kind kind = table_manifest_replace(w, &next, err);
    w->failed = kind != RF_OK;
    return kind;
}

int64_t table_retention(const struct table_writer *w) { return w->m.retention_ticks; }
