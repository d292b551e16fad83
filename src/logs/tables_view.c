/* tables_view.c - what queries see: tables as sources, opened on first use, shared while nothing is committed. */
#include <stdlib.h>

#include "kql/source_store.h"
#include "logs/tables_int.h"

/* ---- views of one table -------------------------------------------------------------------------------------------- */

void view_unref(struct table_view *v)
{
    if (atomic_fetch_sub(&v->refs, 1) != 1) return;
    table_close(v->table);
    free(v);
}

void entry_forget_view(struct table_entry *e)
{
    (void)pthread_mutex_lock(&e->lock);
    struct table_view *view = e->view;
    e->view = NULL;
    (void)pthread_mutex_unlock(&e->lock);
    if (view != NULL) view_unref(view);
}

/* The kept view when it shows all; else NULL, and the version that a new one has at least. */
static struct table_view *kept_view(struct table_entry *e, uint64_t *version)
{
    (void)pthread_mutex_lock(&e->lock);
    struct table_view *view = e->view != NULL && e->view->version == e->version ? e->view : NULL;
    *version = e->version;
    if (view != NULL) {
        atomic_fetch_add(&view->refs, 1);
        view->used = rf_clock_elapsed(e->home->tables->options.clock);
    }
    (void)pthread_mutex_unlock(&e->lock);
    return view;
}

static void keep_view(struct table_entry *e, struct table_view *view)
{
    (void)pthread_mutex_lock(&e->lock);
    struct table_view *old = NULL;
    if (view->version == e->version) {
        old = e->view;
        e->view = view;
        atomic_fetch_add(&view->refs, 1);
        view->used = rf_clock_elapsed(e->home->tables->options.clock);
    }
    (void)pthread_mutex_unlock(&e->lock);
    if (old != NULL) view_unref(old);
}

static enum rf_kind open_view(struct table_entry *e, uint64_t version, struct table_view **out,
                              struct rf_err *err)
{
    struct store *store;
    struct table_view *view = calloc(1, sizeof *view);
    if (view == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a view");
    atomic_init(&view->refs, 1);
    view->version = version;
    enum rf_kind kind = workspace_store(e->home, false, &store, err);
    if (kind == RF_OK && store != NULL) kind = table_open(store, e->name, &view->table, err);
    if (kind == RF_NOT_FOUND) kind = RF_OK; /* no row was ever written */
    if (kind != RF_OK) {
        view_unref(view);
        return kind;
    }
    *out = view;
    return RF_OK;
}

static bool has_columns(const struct table_view *view, const struct table_def *def)
{
    uint32_t count, at = 0;
    if (view->table == NULL) return true;
    const struct extent_column *columns = table_columns(view->table, &count);
    for (uint32_t i = 0; i < def->column_count; i++) {
        uint32_t tries = 0;
        while (tries < count &&
               !rf_str_eq(columns[(at + tries) % count].name, def->columns[i].name))
            tries++;
        if (tries == count) return false;
        at = (at + tries + 1) % count;
    }
    return true;
}

/* One thread opens, the others wait for what it opened. */
static enum rf_kind need_view(struct table_entry *e, struct table_view **out, struct rf_err *err)
{
    uint64_t version;
    struct table_view *view = kept_view(e, &version);
    if (view == NULL) {
        (void)pthread_mutex_lock(&e->view_lock);
        view = kept_view(e, &version);
        enum rf_kind kind = view == NULL ? open_view(e, version, &view, err) : RF_OK;
        if (kind == RF_OK) keep_view(e, view);
        (void)pthread_mutex_unlock(&e->view_lock);
        if (kind != RF_OK) return kind;
    }
    *out = view;
    return RF_OK;
}

/* The files of a table lack columns when its definition has grown since their last row, as that of a standard table does with
 * a newer program. */
static enum rf_kind widen(struct table_entry *e, struct rf_err *err)
{
    RF_TRY(entry_take_turn(e, err));
    entry_close_writer(e);
    enum rf_kind kind = entry_writer(e, err);
    entry_close_writer(e);
    entry_give_turn(e);
    return kind;
}

enum rf_kind entry_view(struct table_entry *e, const struct table_def *def, struct table_view **out,
                        struct rf_err *err)
{
    RF_TRY(need_view(e, out, err));
    if (has_columns(*out, def)) return RF_OK;
    view_unref(*out);
    RF_TRY(widen(e, err));
    RF_TRY(need_view(e, out, err));
    if (has_columns(*out, def)) return RF_OK;
    view_unref(*out);
    return RF_FAIL(err, RF_AGAIN, "TableChanged", "the table '%.*s' is being changed",
                   RF_FMT(e->name));
}

/* ---- sources ---------------------------------------------------------------------------------------------------------- */

struct table_source {
    struct source source;
    struct table_entry *entry;
    struct table_view *view; /* NULL before the first use */
    struct source *inner;    /* NULL: there are no rows */
    struct rf_arena *arena;
};

static enum rf_kind source_of_view(struct table_source *s, struct rf_err *err)
{
    struct table_def def;
    RF_TRY(entry_def(s->entry, s->arena, &def, err));
    struct ast_column *columns = rf_arena_new(s->arena, struct ast_column, def.column_count);
    if (columns == NULL) return rf_fail_memory(err, s->arena);
    for (uint32_t i = 0; i < def.column_count; i++)
        columns[i] = (struct ast_column){.name = def.columns[i].name, .type = def.columns[i].type};
    RF_TRY(entry_view(s->entry, &def, &s->view, err));
    if (s->view->table != NULL)
        RF_TRY(source_table_new(s->view->table, s->source.name, columns, def.column_count, s->arena,
                                &s->inner, err));
    s->source.columns = columns;
    s->source.column_count = def.column_count;
    return RF_OK;
}

static enum rf_kind table_source_open(struct source *source, struct rf_err *err)
{
    struct table_source *s = (struct table_source *)source;
    return s->view != NULL && s->source.columns != NULL ? RF_OK : source_of_view(s, err);
}

static enum rf_kind table_source_scan(struct source *source, const struct scan *scan,
                                      struct exec *exec, struct flow *out, struct rf_err *err)
{
    struct table_source *s = (struct table_source *)source;
    RF_TRY(table_source_open(source, err));
    return s->inner == NULL ? RF_OK : s->inner->ops->scan(s->inner, scan, exec, out, err);
}

static const struct source_ops table_ops = {
    .open = table_source_open, .scan = table_source_scan, .paths = true, .filters = true};

struct held {
    struct table_source *sources;
    uint32_t count;
};

static int by_name(const void *a, const void *b)
{
    const struct table_source *x = a, *y = b;
    return rf_str_cmp(x->source.name, y->source.name);
}

enum rf_kind tables_view(struct tables *tables, rf_str workspace_id, struct rf_arena *arena,
                         struct tables_view *out, struct rf_err *err)
{
    struct workspace_tables *w;
    RF_TRY(tables_workspace(tables, workspace_id, &w, err));
    uint32_t count;
    struct table_entry **entries = entries_of(w, arena, &count);
    if (entries == NULL) return rf_fail_memory(err, arena);
    struct held *held = rf_arena_new(arena, struct held, 1);
    struct table_source *sources = rf_arena_new(arena, struct table_source, count);
    struct source **list = rf_arena_new(arena, struct source *, count);
    if (held == NULL || sources == NULL || list == NULL) {
        for (uint32_t i = 0; i < count; i++) entry_unref(entries[i]);
        return rf_fail_memory(err, arena);
    }
    for (uint32_t i = 0; i < count; i++)
        sources[i] = (struct table_source){.source = {.ops = &table_ops, .name = entries[i]->name},
                                           .entry = entries[i],
                                           .arena = arena};
    if (count > 1) qsort(sources, count, sizeof *sources, by_name);
    for (uint32_t i = 0; i < count; i++) list[i] = &sources[i].source;
    *held = (struct held){sources, count};
    *out = (struct tables_view){.catalog = {.sources = list, .source_count = count}, .held = held};
    return RF_OK;
}

void tables_release(struct tables *tables, struct tables_view *view)
{
    (void)tables;
    struct held *held = view->held;
    if (held == NULL) return;
    for (uint32_t i = 0; i < held->count; i++) {
        if (held->sources[i].view != NULL) view_unref(held->sources[i].view);
        entry_unref(held->sources[i].entry);
    }
    view->held = NULL;
}

struct table_stats tables_source_stats(const struct source *source)
{
    const struct table_source *s = (const struct table_source *)source;
    RF_ASSERT(source->ops == &table_ops);
    struct table_stats none = {0};
    return s->view == NULL || s->view->table == NULL ? none : table_stats(s->view->table);
}
