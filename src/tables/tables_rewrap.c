/* tables_rewrap.c - keys of tables under the newest root (crypt/rewrap.h). A table is shown while its workspace defines and drops none, and with its turn, so that what is
 * stored is the key of the table that was shown. */
#include "base/encode.h"
#include "crypt/rewrap.h"
#include "tables/tables_int.h"

enum { LIST_BYTES = 64 << 20 };

/* w->defining is held. Tables that were dropped from the definitions have files, too. */
static enum rf_kind rewrap_table(struct workspace_tables *w, struct store *store, rf_str name,
                                 struct rewrap_sweep *sweep, struct rf_err *err)
{
    RF_CLEANUP(entry_cleanup) struct table_entry *e = NULL;
    enum rf_kind kind = entry_find(w->tables, w->guid_text, name, &e, err);
    if (kind == RF_NOT_FOUND) return store_rewrap_key(store, name, sweep, err);
    RF_TRY(kind);
    kind = entry_take_turn(e, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    kind = store_rewrap_key(store, name, sweep, err);
    entry_give_turn(e);
    return kind;
}

static enum rf_kind rewrap_workspace(struct tables *tables, rf_str guid, struct rewrap_sweep *sweep,
                                     struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct workspace_tables *w;
    struct store *store;
    rf_str *names;
    uint32_t count;
    rf_arena_init(&arena, LIST_BYTES);
    RF_TRY(tables_workspace(tables, guid, &w, err));
    RF_TRY(workspace_store(w, false, &store, err));
    if (store == NULL) return RF_OK;
    RF_TRY(store_tables(store, &arena, &names, &count, err));
    enum rf_kind kind = RF_OK;
    for (uint32_t i = 0; i < count && kind == RF_OK; i++) {
        (void)pthread_mutex_lock(&w->defining);
        kind = rewrap_table(w, store, names[i], sweep, err);
        (void)pthread_mutex_unlock(&w->defining);
    }
    return kind;
}

enum rf_kind tables_rewrap(struct tables *tables, struct rewrap_sweep *sweep, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_fs *fs = tables->options.fs;
    rf_str *names;
    size_t count;
    rf_arena_init(&arena, LIST_BYTES);
    if (!rf_fs_exists(fs, tables->folder)) return RF_OK;
    RF_TRY(rf_fs_list(fs, tables->folder, &arena, &names, &count, err));
    for (size_t i = 0; i < count; i++)
        if (guid_is(names[i])) RF_TRY(rewrap_workspace(tables, names[i], sweep, err));
    return RF_OK;
}
