/* table_copy.c - a table into another folder while it is written to.
 *
 * The manifest that is read is held, so that no file that it names goes away. Extents never change. The journal only grows: what
 * is there when it is copied ends in a whole commit or in one that is cut off, which opening the copy leaves out as after a
 * crash. A journal that a merge has replaced meanwhile is still the one that belongs to the manifest held. */
#include "base/fs.h"
#include "store/table_int.h"

enum { COPY_BYTES = 1 << 20 };

struct copy {
    struct rf_fs *fs;
    struct rf_arena *arena;
    uint8_t *buffer;
    const char *to;
    uint64_t bytes;
};

static enum rf_kind pump(struct copy *c, struct rf_file *from, struct rf_file *to,
                         struct rf_err *err)
{
    for (;;) {
        size_t got;
        RF_TRY(rf_file_read(from, c->buffer, COPY_BYTES, &got, err));
        if (got == 0) return rf_file_sync(to, err);
        RF_TRY(rf_file_write(to, c->buffer, got, err));
        c->bytes += got;
    }
}

static enum rf_kind copy_file(struct copy *c, const char *from, const char *to, struct rf_err *err)
{
    struct rf_file *in, *out;
    RF_TRY(rf_fs_open(c->fs, from, RF_OPEN_READ, &in, err));
    enum rf_kind kind =
        rf_fs_open(c->fs, to, RF_OPEN_WRITE | RF_OPEN_CREATE | RF_OPEN_EXCLUSIVE, &out, err);
    if (kind == RF_OK) {
        kind = pump(c, in, out, err);
        rf_file_close(out);
    }
    rf_file_close(in);
    return kind;
}

/* The manifest comes last: without it the folder is no table. */
static enum rf_kind copy_files(struct copy *c, const char *folder, const struct manifest *m,
                               struct rf_err *err)
{
    for (uint32_t i = 0; i < m->extent_count; i++)
        RF_TRY(copy_file(c, table_extent_path(folder, m->extents[i].number).text,
                         table_extent_path(c->to, m->extents[i].number).text, err));
    if (m->journal != 0)
        RF_TRY(copy_file(c, table_journal_path(folder, m->journal).text,
                         table_journal_path(c->to, m->journal).text, err));
    struct table_path key = table_file(folder, "key");
    if (rf_fs_exists(c->fs, key.text))
        RF_TRY(copy_file(c, key.text, table_file(c->to, "key").text, err));
    struct manifest copied = *m;
    copied.dropped_count = 0; /* those files stay where they are */
    struct rf_buf bytes = rf_buf_in(c->arena);
    manifest_encode(&copied, &bytes);
    if (bytes.failed) return rf_fail_memory(err, c->arena);
    RF_TRY(rf_fs_replace(c->fs, table_file(c->to, "manifest").text, rf_buf_view(&bytes), err));
    c->bytes += bytes.len;
    return RF_OK;
}

enum rf_kind table_copy(struct store *store, rf_str name, const char *to, uint64_t *bytes,
                        struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct table_path folder;
    struct manifest m;
    struct rf_file *held;
    rf_arena_init_shared(&arena, store->options.budget);
    RF_TRY(table_folder(store, name, &folder, err));
    struct copy c = {.fs = store->options.fs,
                     .arena = &arena,
                     .buffer = rf_arena_alloc(&arena, COPY_BYTES),
                     .to = to};
    if (c.buffer == NULL) return rf_fail_memory(err, &arena);
    enum rf_kind kind = rf_fs_mkdir(c.fs, to, err);
    if (kind != RF_OK && kind != RF_CONFLICT) return kind;
    RF_TRY(table_manifest_read(store, name, folder.text, &arena, &m, &held, err));
    kind = copy_files(&c, folder.text, &m, err);
    rf_file_close(held);
    if (kind == RF_OK) *bytes = c.bytes;
    return kind;
}
