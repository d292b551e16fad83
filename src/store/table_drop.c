/* table_drop.c - a table goes, or gets another name. */
#include "base/fs.h"
#include "store/table_int.h"

/* While it is held, nobody writes to the table. */
static enum rf_kind take_lock(struct store *store, rf_str name, const char *folder,
                              struct rf_file **out, struct rf_err *err)
{
    struct rf_fs *fs = store->options.fs;
    RF_CLEANUP(rf_file_cleanup) struct rf_file *lock = NULL;
    if (!rf_fs_exists(fs, table_file(folder, "manifest").text))
        return RF_FAIL(err, RF_NOT_FOUND, "TableNotFound", "%s has no table '%.*s'", store->folder,
                       RF_FMT(name));
    RF_TRY(rf_fs_open(fs, table_file(folder, "writer.lock").text,
                      RF_OPEN_READ | RF_OPEN_WRITE | RF_OPEN_CREATE, &lock, err));
    enum rf_kind kind = rf_file_lock(lock, false, err);
    if (kind == RF_CONFLICT)
        return RF_FAIL(err, RF_CONFLICT, "TableLocked",
                       "another process is writing to the table '%.*s' of %s", RF_FMT(name),
                       store->folder);
    RF_TRY(kind);
    *out = lock;
    lock = NULL;
    return RF_OK;
}

enum rf_kind table_drop(struct store *store, rf_str name, struct rf_err *err)
{
    RF_CLEANUP(rf_file_cleanup) struct rf_file *lock = NULL;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_fs *fs = store->options.fs;
    struct table_path folder;
    rf_str *names;
    size_t count;
    rf_arena_init_shared(&arena, store->options.budget);
    RF_TRY(table_folder(store, name, &folder, err));
    RF_TRY(take_lock(store, name, folder.text, &lock, err));
    RF_TRY(rf_fs_unlink(fs, table_file(folder.text, "manifest").text, err));
    RF_TRY(rf_fs_sync_dir(fs, folder.text, err));
    RF_TRY(rf_fs_list(fs, folder.text, &arena, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        const char *file = rf_arena_cstr(&arena, names[i]);
        if (file == NULL) return rf_fail_memory(err, &arena);
        RF_TRY(rf_fs_unlink(fs, table_file(folder.text, file).text, err));
    }
    RF_TRY(rf_fs_rmdir(fs, folder.text, err));
    return rf_fs_sync_dir(fs, store->folder, err);
}

enum rf_kind table_rename(struct store *store, rf_str from, rf_str to, struct rf_err *err)
{
    RF_CLEANUP(rf_file_cleanup) struct rf_file *lock = NULL;
    struct rf_fs *fs = store->options.fs;
    struct table_path old, new;
    RF_TRY(table_folder(store, from, &old, err));
    RF_TRY(table_folder(store, to, &new, err));
    RF_TRY(take_lock(store, from, old.text, &lock, err));
    if (rf_fs_exists(fs, new.text))
        return RF_FAIL(err, RF_CONFLICT, "TableExists", "%s has a table '%.*s' already",
                       store->folder, RF_FMT(to));
    RF_TRY(rf_fs_rename(fs, old.text, new.text, err));
    return rf_fs_sync_dir(fs, store->folder, err);
}
