#include "store/table_remove.h"

#include "store/table_int.h"

/* An extent and what is to take its place. */
struct rewrite {
    struct table_writer *w;
    const struct table_keep *keep;
    struct rf_arena *arena;
    struct extent *extent;
    const struct extent_column *columns;
    uint32_t column_count;
    struct extent_writer *writer; /* NULL: rows are only counted */
    uint64_t gone;
};

/* Where the columns of `keep` are among the extent's; UINT32_MAX: it lacks them. */
static uint32_t *places_of(const struct rewrite *r)
{
    uint32_t *places = rf_arena_new(r->arena, uint32_t, r->keep->column_count);
    for (uint32_t i = 0; places != NULL && i < r->keep->column_count; i++) {
        uint32_t at = 0;
        while (at < r->column_count && !rf_str_eq(r->columns[at].name, r->keep->columns[i])) at++;
        places[i] = at == r->column_count ? UINT32_MAX : at;
    }
    return places;
}

static enum rf_kind rows_that_stay(const struct rewrite *r, const struct batch *in,
                                   const uint32_t *places, uint32_t *rows, uint32_t *kept,
                                   struct rf_err *err)
{
    uint32_t count = r->keep->column_count;
    struct vec *vecs = rf_arena_new(in->arena, struct vec, count);
    if (vecs == NULL) return rf_fail_memory(err, in->arena);
    for (uint32_t i = 0; i < count; i++)
        vecs[i] = places[i] == UINT32_MAX ? table_missing(TYPE_STRING) : in->columns[places[i]];
    struct batch seen = {
        .row_count = in->row_count, .column_count = count, .columns = vecs, .arena = in->arena};
    RF_TRY(r->keep->rows(r->keep->ctx, &seen, rows, kept, err));
    RF_ASSERT(*kept <= in->row_count);
    return RF_OK;
}

static enum rf_kind append_kept(const struct rewrite *r, const struct batch *in,
                                const uint32_t *rows, uint32_t kept, struct rf_err *err)
{
    struct batch out = {.row_count = kept, .column_count = in->column_count, .arena = in->arena};
    out.columns = rf_arena_new(in->arena, struct vec, in->column_count);
    if (out.columns == NULL) return rf_fail_memory(err, in->arena);
    for (uint32_t i = 0; i < in->column_count; i++)
        if (!vec_select(in->arena, &in->columns[i], rows, kept, &out.columns[i]))
            return rf_fail_memory(err, in->arena);
    return extent_append(r->writer, &out, err);
}

/* One batch; *more is false at the end of the extent. */
static enum rf_kind sift_batch(struct rewrite *r, struct extent_cursor *cursor,
                               const uint32_t *places, struct rf_arena *scratch, bool *more,
                               struct rf_err *err)
{
    struct batch in;
    uint32_t kept = 0;
    rf_arena_reset(scratch);
    RF_TRY(extent_cursor_next(cursor, &in, err));
    *more = in.row_count > 0;
    if (!*more) return RF_OK;
    uint32_t *rows = rf_arena_raw(scratch, uint32_t, in.row_count);
    if (rows == NULL) return rf_fail_memory(err, scratch);
    RF_TRY(rows_that_stay(r, &in, places, rows, &kept, err));
    r->gone += in.row_count - kept;
    return r->writer == NULL || kept == 0 ? RF_OK : append_kept(r, &in, rows, kept, err);
}

/* Goes through the extent with these of its columns. */
static enum rf_kind sift(struct rewrite *r, const uint32_t *columns, uint32_t count,
                         const uint32_t *places, struct rf_err *err)
{
    struct rf_budget *budget = r->w->store->options.budget;
    struct extent_cursor *cursor;
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init_shared(&scratch, budget);
    RF_TRY(extent_cursor_new(r->extent, columns, count, NULL, 0, budget, &cursor, err));
    r->gone = 0;
    enum rf_kind kind = RF_OK;
    for (bool more = true; more && kind == RF_OK;)
        kind = sift_batch(r, cursor, places, &scratch, &more, err);
    extent_cursor_free(cursor);
    return kind;
}

static enum rf_kind count_gone(struct rewrite *r, struct rf_err *err)
{
    uint32_t count = 0, *places = places_of(r);
    uint32_t *wanted = rf_arena_new(r->arena, uint32_t, (size_t)r->keep->column_count + 1);
    if (places == NULL || wanted == NULL) return rf_fail_memory(err, r->arena);
    for (uint32_t i = 0; i < r->keep->column_count; i++) {
        if (places[i] == UINT32_MAX) continue;
        wanted[count] = places[i];
        places[i] = count++;
    }
    if (count == 0) wanted[count++] = 0; /* something that tells how many rows there are */
    return sift(r, wanted, count, places, err);
}

/* The manifest with `made` (NULL: nothing) in the place of `old`. */
static enum rf_kind replace(struct rewrite *r, const struct manifest_extent *old,
                            const struct manifest_extent *made, struct rf_err *err)
{
    struct table_writer *w = r->w;
    struct manifest next = w->m;
    next.extents = rf_arena_new(r->arena, struct manifest_extent, (size_t)w->m.extent_count + 1);
    if (next.extents == NULL) return rf_fail_memory(err, r->arena);
    next.extent_count = 0;
    for (uint32_t i = 0; i < w->m.extent_count; i++)
        if (w->m.extents[i].number != old->number)
            next.extents[next.extent_count++] = w->m.extents[i];
    if (made != NULL) next.extents[next.extent_count++] = *made;
    if (!table_drop_file(w, &next, MANIFEST_EXTENT_FILE, old->number, r->arena))
        return rf_fail_memory(err, r->arena);
    return table_manifest_replace(w, &next, err);
}

/* An extent's rows fit into one again. */
static enum rf_kind write_anew(struct rewrite *r, const struct manifest_extent *old,
                               struct rf_err *err)
{
    struct table_writer *w = r->w;
    struct extent_options options = table_extent_options(w->store, w->key);
    struct manifest_extent made;
    uint32_t *places = places_of(r), *all = rf_arena_new(r->arena, uint32_t, r->column_count);
    if (places == NULL || all == NULL) return rf_fail_memory(err, r->arena);
    for (uint32_t i = 0; i < r->column_count; i++) all[i] = i;
    RF_TRY(extent_writer_new(&options, r->columns, r->column_count, &r->writer, err));
    RF_TRY(sift(r, all, r->column_count, places, err));
    if (extent_writer_rows(r->writer) == 0) return replace(r, old, NULL, err);
    RF_TRY(table_seal(w, r->writer, old->full, &made, err));
    enum rf_kind kind = replace(r, old, &made, err);
    if (kind != RF_OK && !w->in_doubt)
        (void)rf_fs_unlink(w->store->options.fs, table_extent_path(w->folder, made.number).text,
                           NULL);
    return kind;
}

static enum rf_kind remove_from(struct table_writer *w, const struct manifest_extent *old,
                                const struct table_keep *keep, uint64_t *gone, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct extent_options options = table_extent_options(w->store, w->key);
    struct table_path path = table_extent_path(w->folder, old->number);
    struct rewrite r = {.w = w, .keep = keep, .arena = &arena};
    rf_arena_init_shared(&arena, w->store->options.budget);
    RF_TRY(extent_open(&options, path.text, &r.extent, err));
    r.columns = extent_columns(r.extent, &r.column_count);
    enum rf_kind kind = count_gone(&r, err);
    if (kind == RF_OK && r.gone > 0) kind = write_anew(&r, old, err);
    extent_free(r.extent);
    extent_writer_free(r.writer);
    *gone = r.gone;
    return kind;
}

/* Extents that the removal itself wrote are looked through once more, as those are that a merge wrote meanwhile. */
static enum rf_kind next_extent(struct table_writer *w, const struct table_keep *keep,
                                struct table_removal *removal, struct rf_err *err)
{
    const struct manifest_extent *next = NULL;
    for (uint32_t i = 0; i < w->m.extent_count; i++)
        if (w->m.extents[i].number >= removal->next &&
            (next == NULL || w->m.extents[i].number < next->number))
            next = &w->m.extents[i];
    removal->more = next != NULL;
    if (next == NULL) return RF_OK;
    struct manifest_extent old = *next; /* the manifest is replaced */
    uint64_t gone = 0;
    RF_TRY(remove_from(w, &old, keep, &gone, err));
    removal->next = old.number + 1;
    removal->row_count += gone;
    return RF_OK;
}

enum rf_kind table_remove_step(struct table_writer *w, const struct table_keep *keep,
                               struct table_removal *removal, struct rf_err *err)
{
    RF_TRY(table_writer_usable(w, err));
    if (w->bulk_rows > 0 || (w->journal != NULL && journal_pending_rows(w->journal) > 0))
        return RF_FAIL(err, RF_CONFLICT, "UncommittedRows",
                       "rows of the table '%s' are not committed; commit before removing", w->name);
    bool journal = w->journal != NULL && journal_rows(w->journal) > 0;
    enum rf_kind kind = journal ? table_fold_journal(w, err) : next_extent(w, keep, removal, err);
    w->failed = kind != RF_OK;
    if (kind != RF_OK) return kind;
    table_purge(w);
    return RF_OK;
}
