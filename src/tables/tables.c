/* tables.c - workspaces, their tables and what columns these have. */
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "tables/tables_int.h"

enum { WRITING_BYTES = 256 << 20, DEF_BYTES_MAX = 16 << 20, TABLE_COLUMNS_MAX = 2000 };
#define READING_BYTES ((size_t)1 << 30)

static enum rf_kind no_memory(struct rf_err *err)
{
    return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a table");
}

static enum rf_kind not_found(rf_str name, struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "TableNotFound", "there is no table '%.*s'",
                   (int)RF_MIN(name.len, (size_t)100), (const char *)name.ptr);
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

static uint32_t bucket_of(rf_str name)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < name.len; i++) h = (h ^ rf_lower(name.ptr[i])) * 16777619u;
    return (h ^ h >> 16) % TABLES_BUCKETS;
}

static void def_free(struct rf_arena *arena)
{
    if (arena == NULL) return;
    rf_arena_done(arena);
    free(arena);
}

static struct table_entry *entry_new(struct workspace_tables *w, rf_str name)
{
    struct table_entry *e = calloc(1, sizeof *e);
    uint8_t *copy = malloc(name.len + 1);
    if (e == NULL || copy == NULL) {
        free(e);
        free(copy);
        return NULL;
    }
    memcpy(copy, name.ptr, name.len);
    e->name = rf_str_make(copy, name.len);
    e->home = w;
    atomic_init(&e->refs, 1);
    (void)pthread_mutex_init(&e->lock, NULL);
    (void)pthread_cond_init(&e->turn, NULL);
    (void)pthread_mutex_init(&e->view_lock, NULL);
    return e;
}

void entry_unref(struct table_entry *e)
{
    if (atomic_fetch_sub(&e->refs, 1) != 1) return;
    RF_ASSERT(e->writer == NULL);
    if (e->view != NULL) view_unref(e->view);
    def_free(e->def_arena);
    marks_free(&e->marks);
    (void)pthread_mutex_destroy(&e->lock);
    (void)pthread_cond_destroy(&e->turn);
    (void)pthread_mutex_destroy(&e->view_lock);
    free((void *)(uintptr_t)e->name.ptr);
    free(e);
}

static void entry_put(struct workspace_tables *w, struct table_entry *e)
{
    uint32_t bucket = bucket_of(e->name);
    e->next = w->buckets[bucket];
    w->buckets[bucket] = e;
    w->count++;
}

/* With a reference, or NULL. */
static struct table_entry *entry_get(struct workspace_tables *w, rf_str name)
{
    (void)pthread_mutex_lock(&w->lock);
    struct table_entry *e = w->buckets[bucket_of(name)];
    while (e != NULL && !rf_str_eq_nocase(e->name, name)) e = e->next;
    if (e != NULL) atomic_fetch_add(&e->refs, 1);
    (void)pthread_mutex_unlock(&w->lock);
    return e;
}

enum rf_kind entry_find(struct tables *tables, rf_str workspace_id, rf_str name,
                        struct table_entry **out, struct rf_err *err)
{
    struct workspace_tables *w;
    RF_TRY(tables_workspace(tables, workspace_id, &w, err));
    *out = entry_get(w, name);
    return *out != NULL ? RF_OK : not_found(name, err);
}

struct table_entry **entries_of(struct workspace_tables *w, struct rf_arena *arena, uint32_t *count)
{
    (void)pthread_mutex_lock(&w->lock);
    struct table_entry **list = rf_arena_new(arena, struct table_entry *, w->count);
    *count = 0;
    for (uint32_t b = 0; b < TABLES_BUCKETS && list != NULL; b++) {
        for (struct table_entry *e = w->buckets[b]; e != NULL; e = e->next) {
            atomic_fetch_add(&e->refs, 1);
            list[(*count)++] = e;
        }
    }
    (void)pthread_mutex_unlock(&w->lock);
    return list;
}

enum rf_kind entry_take_turn(struct table_entry *e, struct rf_err *err)
{
    (void)pthread_mutex_lock(&e->lock);
    while (e->busy) (void)pthread_cond_wait(&e->turn, &e->lock);
    bool dropped = e->dropped;
    if (!dropped) e->busy = true;
    (void)pthread_mutex_unlock(&e->lock);
    return dropped ? not_found(e->name, err) : RF_OK;
}

void entry_give_turn(struct table_entry *e)
{
    (void)pthread_mutex_lock(&e->lock);
    e->busy = false;
    (void)pthread_cond_broadcast(&e->turn);
    (void)pthread_mutex_unlock(&e->lock);
}

/* ---- definitions ------------------------------------------------------------------------------------------------- */

static bool copy_columns(const struct table_def *def, struct rf_arena *arena,
                         struct table_column *to)
{
    for (uint32_t i = 0; i < def->column_count; i++) {
        to[i] = def->columns[i];
        if (!rf_arena_str(arena, def->columns[i].name, &to[i].name)) return false;
    }
    return true;
}

enum rf_kind entry_def(struct table_entry *e, struct rf_arena *arena, struct table_def *out,
                       struct rf_err *err)
{
    (void)pthread_mutex_lock(&e->lock);
    struct table_def def = e->def;
    struct table_column *columns = rf_arena_new(arena, struct table_column, def.column_count);
    bool ok = columns != NULL && rf_arena_str(arena, def.name, &def.name);
    /* Content's names live as long as the tables do. */
    if (ok && e->def_arena == NULL)
        memcpy(columns, def.columns, def.column_count * sizeof *columns);
    else if (ok)
        ok = copy_columns(&e->def, arena, columns);
    bool dropped = e->dropped;
    (void)pthread_mutex_unlock(&e->lock);
    if (!ok) return rf_fail_memory(err, arena);
    if (dropped) return not_found(e->name, err);
    def.columns = columns;
    *out = def;
    return RF_OK;
}

static const struct table_column *find_column(const struct table_column *columns, uint32_t count,
                                              rf_str name)
{
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq(columns[i].name, name)) return &columns[i];
    return NULL;
}

/* Adds what `more` has and *to lacks, which begins at to[0] and has room. */
static enum rf_kind unite(struct table_column *to, uint32_t *count, const struct table_def *more,
                          struct rf_arena *arena, struct rf_err *err)
{
    for (uint32_t i = 0; i < more->column_count; i++) {
        const struct table_column *c = &more->columns[i];
        if (rf_str_is(c->name, "TenantId") || rf_str_is(c->name, "Type")) continue;
        const struct table_column *have = find_column(to, *count, c->name);
        if (have != NULL && have->type != c->type)
            return RF_FAIL(err, RF_CONFLICT, "ColumnTypeConflict",
                           "the column '%.*s' of the table '%.*s' is of type %s, not %s",
                           RF_FMT(c->name), RF_FMT(more->name), type_name((enum type)have->type),
                           type_name((enum type)c->type));
        if (have != NULL) continue;
        struct table_column *made = &to[(*count)++];
        *made = *c;
        if (!rf_arena_str(arena, c->name, &made->name)) return rf_fail_memory(err, arena);
    }
    return RF_OK;
}

/* `was` (without columns for a new table) with what `more` adds; in `arena`. */
static enum rf_kind make_def(const struct table_def *was, const struct table_def *more,
                             struct rf_arena *arena, struct table_def *out, struct rf_err *err)
{
    static const struct table_column time[] = {
        {{(const uint8_t *)"TimeGenerated", 13}, TYPE_DATETIME, true}};
    static const struct table_def with_time = {.columns = time, .column_count = 1};
    size_t room = (size_t)was->column_count + more->column_count + 3;
    struct table_column *columns = rf_arena_new(arena, struct table_column, room);
    *out = *was;
    if (columns == NULL || !rf_arena_str(arena, was->name, &out->name))
        return rf_fail_memory(err, arena);
    uint32_t count = 0;
    RF_TRY(unite(columns, &count, was, arena, err));
    RF_TRY(unite(columns, &count, more, arena, err));
    if (find_column(columns, count, time[0].name) == NULL)
        RF_TRY(unite(columns, &count, &with_time, arena, err));
    columns[count++] = (struct table_column){RF_S("TenantId"), TYPE_STRING, true};
    columns[count++] = (struct table_column){RF_S("Type"), TYPE_STRING, true};
    if (count > TABLE_COLUMNS_MAX)
        return RF_FAIL(err, RF_LIMIT, "TooManyColumns", "a table has at most %d columns",
                       TABLE_COLUMNS_MAX);
    out->columns = columns;
    out->column_count = count;
    out->retention_ticks = more->retention_ticks;
    return RF_OK;
}

/* The caller has the turn, or nobody else knows the entry. */
static enum rf_kind entry_redefine(struct table_entry *e, const struct table_def *more,
                                   struct rf_err *err)
{
    struct rf_arena *arena = malloc(sizeof *arena);
    if (arena == NULL) return no_memory(err);
    rf_arena_init(arena, DEF_BYTES_MAX);
    struct table_def made, was = e->def;
    if (was.column_count == 0) was = (struct table_def){.name = e->name};
    enum rf_kind kind = make_def(&was, more, arena, &made, err);
    if (kind != RF_OK) {
        def_free(arena);
        return kind;
    }
    (void)pthread_mutex_lock(&e->lock);
    struct rf_arena *old = e->def_arena;
    e->def = made;
    e->def_arena = arena;
    e->version++;
    (void)pthread_mutex_unlock(&e->lock);
    def_free(old);
    return RF_OK;
}

/* Its files learn of new columns and of the retention when they are next written or asked for a column that they lack. */
static enum rf_kind redefine(struct table_entry *e, const struct table_def *more,
                             struct rf_err *err)
{
    RF_TRY(entry_take_turn(e, err));
    enum rf_kind kind = entry_redefine(e, more, err);
    entry_give_turn(e);
    return kind;
}

enum rf_kind tables_define(struct tables *tables, rf_str workspace_id, const struct table_def *def,
                           struct rf_err *err)
{
    struct workspace_tables *w;
    RF_TRY(tables_workspace(tables, workspace_id, &w, err));
    if (def->name.len == 0 || def->name.len > TABLE_NAME_BYTES_MAX || !rf_utf8_valid(def->name))
        return RF_FAIL(err, RF_INVALID, "InvalidTableName", "a table's name has 1 to %d bytes",
                       TABLE_NAME_BYTES_MAX);
    (void)pthread_mutex_lock(&w->defining);
    struct table_entry *e = entry_get(w, def->name);
    enum rf_kind kind;
    if (e != NULL) {
        kind = redefine(e, def, err);
        entry_unref(e);
    } else {
        e = entry_new(w, def->name);
        kind = e == NULL ? no_memory(err) : entry_redefine(e, def, err);
        if (kind == RF_OK) {
            (void)pthread_mutex_lock(&w->lock);
            entry_put(w, e);
            (void)pthread_mutex_unlock(&w->lock);
        } else if (e != NULL) {
            entry_unref(e);
        }
    }
    (void)pthread_mutex_unlock(&w->defining);
    return kind;
}

enum rf_kind tables_set_default_retention(struct tables *tables, rf_str workspace_id, int64_t ticks,
                                          struct rf_err *err)
{
    struct workspace_tables *w;
    RF_TRY(tables_workspace(tables, workspace_id, &w, err));
    w->retention_ticks = ticks; /* files learn of it when their writer is next asked for */
    return RF_OK;
}

enum rf_kind tables_find(struct tables *tables, rf_str workspace_id, rf_str name,
                         struct rf_arena *arena, struct table_def *out, struct rf_err *err)
{
    RF_CLEANUP(entry_cleanup) struct table_entry *e = NULL;
    RF_TRY(entry_find(tables, workspace_id, name, &e, err));
    return entry_def(e, arena, out, err);
}

static int by_name(const void *a, const void *b)
{
    return rf_str_cmp(((const struct table_def *)a)->name, ((const struct table_def *)b)->name);
}

enum rf_kind tables_list(struct tables *tables, rf_str workspace_id, struct rf_arena *arena,
                         struct table_def **out, uint32_t *count, struct rf_err *err)
{
    struct workspace_tables *w;
    RF_TRY(tables_workspace(tables, workspace_id, &w, err));
    uint32_t entry_count, made = 0;
    struct table_entry **entries = entries_of(w, arena, &entry_count);
    if (entries == NULL) return rf_fail_memory(err, arena);
    struct table_def *list = rf_arena_new(arena, struct table_def, entry_count);
    enum rf_kind kind = list == NULL ? rf_fail_memory(err, arena) : RF_OK;
    for (uint32_t i = 0; i < entry_count; i++) {
        if (kind == RF_OK) kind = entry_def(entries[i], arena, &list[made], err);
        if (kind == RF_OK) made++;
        if (kind == RF_NOT_FOUND) kind = RF_OK; /* dropped meanwhile */
        entry_unref(entries[i]);
    }
    if (kind != RF_OK) return kind;
    if (made > 1) qsort(list, made, sizeof *list, by_name);
    *out = list;
    *count = made;
    return RF_OK;
}

/* ---- dropping ----------------------------------------------------------------------------------------------------- */

/* The manifest goes first: without it the other files count for nothing. */
static enum rf_kind remove_files(struct table_entry *e, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_fs *fs = e->home->tables->options.fs;
    struct store *store;
    const char *folder;
    rf_str *names;
    size_t count;
    rf_arena_init(&arena, 16 << 20);
    RF_TRY(workspace_store(e->home, false, &store, err));
    if (store == NULL) return RF_OK;
    RF_TRY(store_table_folder(store, e->name, &arena, &folder, err));
    if (!rf_fs_exists(fs, folder)) return RF_OK;
    const char *manifest = (const char *)rf_arena_printf(&arena, "%s/manifest%c", folder, 0).ptr;
    if (manifest == NULL) return rf_fail_memory(err, &arena);
    if (rf_fs_exists(fs, manifest)) RF_TRY(rf_fs_unlink(fs, manifest, err));
    RF_TRY(rf_fs_sync_dir(fs, folder, err));
    RF_TRY(store_destroy_key(store, e->name, err));
    RF_TRY(rf_fs_list(fs, folder, &arena, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        const char *path =
            (const char *)rf_arena_printf(&arena, "%s/%.*s%c", folder, RF_FMT(names[i]), 0).ptr;
        if (path == NULL) return rf_fail_memory(err, &arena);
        RF_TRY(rf_fs_unlink(fs, path, err));
    }
    return rf_fs_rmdir(fs, folder, err);
}

static void take_out(struct workspace_tables *w, struct table_entry *e)
{
    (void)pthread_mutex_lock(&w->lock);
    struct table_entry **at = &w->buckets[bucket_of(e->name)];
    while (*at != e) at = &(*at)->next;
    *at = e->next;
    w->count--;
    (void)pthread_mutex_unlock(&w->lock);
}

static enum rf_kind drop(struct workspace_tables *w, rf_str name, struct rf_err *err)
{
    RF_CLEANUP(entry_cleanup) struct table_entry *e = entry_get(w, name);
    if (e == NULL) return not_found(name, err);
    if (content_find(w->tables->content, name) != NULL)
        return RF_FAIL(err, RF_INVALID, "TableIsStandard",
                       "the table '%.*s' belongs to every workspace", RF_FMT(e->name));
    RF_TRY(entry_take_turn(e, err));
    entry_close_writer(e);
    entry_forget_view(e);
    enum rf_kind kind = remove_files(e, err);
    if (kind == RF_OK) {
        take_out(w, e);
        (void)pthread_mutex_lock(&e->lock);
        e->dropped = true;
        (void)pthread_mutex_unlock(&e->lock);
    }
    entry_give_turn(e);
    if (kind == RF_OK) entry_unref(e); /* the one of the bucket */
    return kind;
}

enum rf_kind tables_drop(struct tables *tables, rf_str workspace_id, rf_str name,
                         struct rf_err *err)
{
    struct workspace_tables *w;
    RF_TRY(tables_workspace(tables, workspace_id, &w, err));
    (void)pthread_mutex_lock(&w->defining);
    enum rf_kind kind = drop(w, name, err);
    (void)pthread_mutex_unlock(&w->defining);
    return kind;
}

enum rf_kind tables_clear(struct tables *tables, rf_str workspace_id, rf_str name,
                          struct rf_err *err)
{
    struct workspace_tables *w;
    enum rf_kind kind = RF_OK;
    RF_TRY(tables_workspace(tables, workspace_id, &w, err));
    (void)pthread_mutex_lock(&w->defining);
    RF_CLEANUP(entry_cleanup) struct table_entry *e = entry_get(w, name);
    if (e == NULL) {
        e = entry_new(w, name);
        kind = e == NULL ? no_memory(err) : remove_files(e, err);
    }
    (void)pthread_mutex_unlock(&w->defining);
    return kind;
}

/* Deletes the rows. A standard table stays, should there be a workspace of this id again: the first one's is fixed. */
static void end_entry(struct table_entry *e)
{
    struct rf_err err = {0};
    bool is_standard = content_find(e->home->tables->content, e->name) != NULL;
    if (entry_take_turn(e, &err) != RF_OK) return;
    entry_close_writer(e);
    entry_forget_view(e);
    if (remove_files(e, &err) != RF_OK) tables_log_failure("tables.drop_failed", e->name, &err);
    if (!is_standard) take_out(e->home, e);
    (void)pthread_mutex_lock(&e->lock);
    e->dropped = !is_standard;
    e->version++;
    (void)pthread_mutex_unlock(&e->lock);
    entry_give_turn(e);
    if (!is_standard) entry_unref(e); /* the one of the bucket */
}

enum rf_kind tables_drop_workspace(struct tables *tables, rf_str workspace_id, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct workspace_tables *w;
    uint32_t count;
    rf_arena_init(&arena, 1 << 20);
    RF_TRY(tables_workspace(tables, workspace_id, &w, err));
    (void)pthread_mutex_lock(&w->defining);
    struct table_entry **list = entries_of(w, &arena, &count);
    for (uint32_t i = 0; i < count; i++) {
        end_entry(list[i]);
        entry_unref(list[i]);
    }
    (void)pthread_mutex_unlock(&w->defining);
    if (list == NULL) return rf_fail_memory(err, &arena);
    /* When rows came meanwhile the folder stays. */
    struct rf_err ignored;
    enum rf_kind kind = rf_fs_rmdir(tables->options.fs, w->folder, &ignored);
    (void)kind;
    return RF_OK;
}

/* ---- workspaces --------------------------------------------------------------------------------------------------- */

static void workspace_free(struct workspace_tables *w)
{
    for (uint32_t b = 0; b < TABLES_BUCKETS; b++) {
        for (struct table_entry *e = w->buckets[b], *next; e != NULL; e = next) {
            next = e->next;
            entry_close_writer(e);
            entry_unref(e);
        }
    }
    store_close(w->reading);
    store_close(w->writing);
    (void)pthread_mutex_destroy(&w->lock);
    (void)pthread_mutex_destroy(&w->defining);
    free(w->folder);
    free(w);
}

static struct workspace_tables *workspace_new(struct tables *tables, const char *guid)
{
    struct workspace_tables *w = calloc(1, sizeof *w);
    if (w == NULL) return NULL;
    w->tables = tables;
    memcpy(w->guid, guid, sizeof w->guid);
    w->guid_text = rf_str_of(w->guid);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_mutex_init(&w->defining, NULL);
    uint32_t count;
    const struct table_def *standard = content_tables(tables->content, &count);
    size_t bytes = strlen(tables->folder) + TABLES_GUID_BYTES + 2;
    w->folder = malloc(bytes);
    bool ok = w->folder != NULL;
    if (ok) (void)snprintf(w->folder, bytes, "%s/%s", tables->folder, guid);
    for (uint32_t i = 0; i < count && ok; i++) {
        struct table_entry *e = entry_new(w, standard[i].name);
        ok = e != NULL;
        if (!ok) break;
        e->def = standard[i];
        entry_put(w, e);
    }
    if (ok) return w;
    workspace_free(w);
    return NULL;
}

enum rf_kind tables_workspace(struct tables *tables, rf_str workspace_id,
                              struct workspace_tables **out, struct rf_err *err)
{
    char guid[TABLES_GUID_BYTES + 1] = {0};
    if (!guid_is(workspace_id))
        return RF_FAIL(err, RF_NOT_FOUND, "WorkspaceNotFound", "there is no workspace '%.*s'",
                       (int)RF_MIN(workspace_id.len, (size_t)100), (const char *)workspace_id.ptr);
    for (size_t i = 0; i < TABLES_GUID_BYTES; i++) guid[i] = (char)rf_lower(workspace_id.ptr[i]);
    (void)pthread_mutex_lock(&tables->lock);
    struct workspace_tables *w = tables->workspaces;
    while (w != NULL && strcmp(w->guid, guid) != 0) w = w->next;
    if (w == NULL && (w = workspace_new(tables, guid)) != NULL) {
        w->next = tables->workspaces;
        tables->workspaces = w;
    }
    (void)pthread_mutex_unlock(&tables->lock);
    if (w == NULL) return no_memory(err);
    *out = w;
    return RF_OK;
}

enum rf_kind workspace_store(struct workspace_tables *w, bool writing, struct store **out,
                             struct rf_err *err)
{
    struct tables *tables = w->tables;
    struct store_options options = {.fs = tables->options.fs,
                                    .folder = w->folder,
                                    .key = tables->key.present ? &tables->key : NULL,
                                    .keyring = tables->options.keyring,
                                    .budget = writing ? &tables->writing : &tables->reading,
                                    .writer = writing,
                                    .clock = tables->options.clock};
    enum rf_kind kind = RF_OK;
    (void)pthread_mutex_lock(&w->lock);
    struct store **store = writing ? &w->writing : &w->reading;
    if (*store == NULL && (writing || rf_fs_exists(tables->options.fs, w->folder)))
        kind = store_open(&options, store, err);
    if (kind == RF_OK) *out = *store;
    (void)pthread_mutex_unlock(&w->lock);
    return kind;
}

/* ---- life --------------------------------------------------------------------------------------------------------- */

enum rf_kind tables_new(const struct tables_options *options, struct tables **out,
                        struct rf_err *err)
{
    struct tables *t = calloc(1, sizeof *t);
    if (t == NULL) return no_memory(err);
    t->options = *options;
    if (options->key != NULL) t->key = *options->key;
    t->options.key = NULL;
    if (t->options.clock == NULL) t->options.clock = rf_clock_real();
    rf_budget_init(&t->writing, options->memory_bytes == 0 ? WRITING_BYTES : options->memory_bytes);
    rf_budget_init(&t->reading, READING_BYTES);
    t->retention_checked = rf_clock_elapsed(t->options.clock);
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_rwlock_init(&t->feeds_lock, NULL);
    t->folder = strdup(options->folder);
    enum rf_kind kind = t->folder == NULL ? no_memory(err) : content_new(&t->content, err);
    if (kind == RF_OK) kind = rf_fs_mkdirs(t->options.fs, t->folder, err);
    if (kind == RF_OK && !options->by_hand) kind = tables_start(t, err);
    if (kind != RF_OK) {
        tables_free(t);
        return kind;
    }
    *out = t;
    return RF_OK;
}

void tables_free(struct tables *t)
{
    if (t == NULL) return;
    tables_stop(t);
    for (struct workspace_tables *w = t->workspaces, *next; w != NULL; w = next) {
        next = w->next;
        workspace_free(w);
    }
    content_free(t->content);
    explicit_bzero(&t->key, sizeof t->key);
    (void)pthread_mutex_destroy(&t->lock);
    (void)pthread_rwlock_destroy(&t->feeds_lock);
    free(t->folder);
    free(t);
}

const struct content *tables_content(const struct tables *tables) { return tables->content; }

const struct extent_key *tables_key(const struct tables *tables) { return &tables->key; }

void tables_arrive_after(struct tables *tables, int64_t ticks)
{
    int64_t told = atomic_load(&tables->now_ticks);
    while (told < ticks && !atomic_compare_exchange_weak(&tables->now_ticks, &told, ticks))
        continue;
}

int64_t tables_now(struct tables *tables)
{
    int64_t now = DATETIME_UNIX_EPOCH + rf_clock_now(tables->options.clock) * TICKS_PER_MICROSECOND;
    int64_t told = atomic_load(&tables->now_ticks), next;
    do {
        next = RF_MAX(now, told + 1);
    } while (!atomic_compare_exchange_weak(&tables->now_ticks, &told, next));
    return next;
}

void tables_add_functions(struct tables *tables, const struct table_functions *functions)
{
    RF_ASSERT(tables->function_count < TABLES_FUNCTIONS_MAX);
    tables->functions[tables->function_count++] = *functions;
}
