/* tables_view.c - what queries see: tables as sources, opened on first use, shared while nothing is committed. */
#include <stdlib.h>

#include "kql/source_store.h"
#include "tables/tables_int.h"

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
    for (uint32_t i = 0; i < writer_width(def); i++) {
        rf_str name = writer_column(def, i).name;
        uint32_t tries = 0;
        while (tries < count && !rf_str_eq(columns[(at + tries) % count].name, name)) tries++;
        if (tries == count) return false;
        at = (at + tries + 1) % count;
    }
    return true;
}

/* One thread opens, the others wait for what it opened. */
enum rf_kind entry_any_view(struct table_entry *e, struct table_view **out, struct rf_err *err)
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
    RF_TRY(entry_any_view(e, out, err));
    if (has_columns(*out, def)) return RF_OK;
    view_unref(*out);
    RF_TRY(widen(e, err));
    RF_TRY(entry_any_view(e, out, err));
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
    bool used; /* opened since uses were forgotten */
};

static enum rf_kind source_of_view(struct table_source *s, struct rf_err *err)
{
    struct table_def def;
    RF_TRY(entry_def(s->entry, s->arena, &def, err));
    uint32_t count = def.column_count;
    struct ast_column *columns = rf_arena_new(s->arena, struct ast_column, (size_t)count + 1);
    if (columns == NULL) return rf_fail_memory(err, s->arena);
    for (uint32_t i = 0; i < count; i++)
        columns[i] = (struct ast_column){.name = def.columns[i].name, .type = def.columns[i].type};
    columns[count++] = (struct ast_column){.name = RF_S(ARRIVAL_COLUMN), .type = TYPE_DATETIME};
    RF_TRY(entry_view(s->entry, &def, &s->view, err));
    if (s->view->table != NULL)
        RF_TRY(source_table_new(s->view->table, s->source.name, columns, count, s->arena, &s->inner,
                                err));
    s->source.columns = columns;
    s->source.column_count = count;
    return RF_OK;
}

static enum rf_kind table_source_open(struct source *source, struct rf_err *err)
{
    struct table_source *s = (struct table_source *)source;
    s->used = true;
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
    struct tables *tables;
    rf_str workspace_id;
    struct rf_arena *arena;
};

static int by_name(const void *a, const void *b)
{
    const struct table_source *x = a, *y = b;
    return rf_str_cmp(x->source.name, y->source.name);
}

/* ---- functions --------------------------------------------------------------------------------------------------------- */

static enum rf_kind call_function(void *call_ctx, rf_str name, const struct value *args,
                                  uint32_t arg_count, struct source **out, struct rf_err *err)
{
    const struct held *held = call_ctx;
    const struct tables *tables = held->tables;
    for (uint32_t i = 0; i < tables->function_count; i++) {
        const struct table_functions *f = &tables->functions[i];
        if (f->call == NULL) continue;
        enum rf_kind kind =
            f->call(f->ctx, held->workspace_id, name, args, arg_count, held->arena, out, err);
        if (kind != RF_NOT_FOUND) return kind;
    }
    return RF_FAIL(err, RF_NOT_FOUND, "UnknownFunction", "there is no function '%.*s'",
                   RF_FMT(name));
}

static enum rf_kind list_functions(const struct held *held, struct catalog *catalog,
                                   struct rf_err *err)
{
    const struct tables *tables = held->tables;
    for (uint32_t i = 0; i < tables->function_count; i++) {
        const struct table_functions *f = &tables->functions[i];
        struct stored_function *more;
        uint32_t count, before = catalog->function_count;
        if (f->list == NULL) continue;
        RF_TRY(f->list(f->ctx, held->workspace_id, held->arena, &more, &count, err));
        if (count == 0) continue;
        struct stored_function *all =
            rf_arena_new(held->arena, struct stored_function, (size_t)before + count);
        if (all == NULL) return rf_fail_memory(err, held->arena);
        if (before > 0) memcpy(all, catalog->functions, before * sizeof *all);
        memcpy(all + before, more, count * sizeof *all);
        catalog->functions = all;
        catalog->function_count = before + count;
    }
    return RF_OK;
}

/* ---- views of all tables ------------------------------------------------------------------------------------------------ */

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
    *held = (struct held){sources, count, tables, w->guid_text, arena};
    *out = (struct tables_view){.catalog = {.sources = list,
                                            .source_count = count,
                                            .call = call_function,
                                            .call_ctx = held,
                                            .external = tables->external},
                                .held = held};
    enum rf_kind kind = list_functions(held, &out->catalog, err);
    if (kind != RF_OK) tables_release(tables, out);
    return kind;
}

void tables_set_external(struct tables *tables, const struct external *external)
{
    tables->external = external;
}

void tables_view_forget_uses(struct tables_view *view)
{
    struct held *held = view->held;
    for (uint32_t i = 0; i < held->count; i++) held->sources[i].used = false;
}

enum rf_kind tables_view_uses(const struct tables_view *view, struct rf_arena *arena,
                              rf_str **names, uint32_t *count, struct rf_err *err)
{
    const struct held *held = view->held;
    *count = 0;
    *names = rf_arena_new(arena, rf_str, held->count);
    if (*names == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < held->count; i++)
        if (held->sources[i].used &&
            !rf_arena_str(arena, held->sources[i].source.name, &(*names)[(*count)++]))
            return rf_fail_memory(err, arena);
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

const struct table *tables_source_table(const struct source *source)
{
    const struct table_source *s = (const struct table_source *)source;
    RF_ASSERT(source->ops == &table_ops);
    return s->view == NULL ? NULL : s->view->table;
}

struct table_stats tables_source_stats(const struct source *source)
{
    const struct table_source *s = (const struct table_source *)source;
    RF_ASSERT(source->ops == &table_ops);
    struct table_stats none = {0};
    return s->view == NULL || s->view->table == NULL ? none : table_stats(s->view->table);
}
