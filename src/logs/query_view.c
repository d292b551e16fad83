/* query_view.c - which tables a query sees, and with which rows.
 *
 * By workspace a principal sees table T with the rows that access.h says, and asks at all when it may
 * Microsoft.OperationalInsights/workspaces/query/read at the workspace or sees some table of it.
 * By resource it sees T when it may Microsoft.Insights/logs/T/read at the resource, and asks when it may read that; where the
 * workspace requires rights of its own (workspace.own_rights), what it sees there by workspace is all it sees by resource.
 * What it may not see is not there: its name is as unknown as one that never was, so that names tell nothing. Tables are
 * looked at when a query names them; checking some hundred for each query would cost more than most queries. */
#include "logs/access.h"
#include "logs/query_int.h"

struct one_view {
    struct one_view *next; /* of those that workspace("...") opened */
    struct query_view *view;
    struct workspace workspace;
    struct catalog catalog;
    struct tables_view tables;
    rf_str resource; /* whose rows these are; empty: the workspace's */
    bool open, denied;
};

#define WORKSPACES "Microsoft.OperationalInsights/workspaces"

static bool may(const struct query_view *view, rf_str action, rf_str scope, bool is_data)
{
    if (action.ptr == NULL || scope.ptr == NULL) return false; /* no memory */
    return authz_check(view->logs->options.authz, view->request->principal, action, scope, is_data);
}

static bool by_resource(const struct one_view *one)
{
    return one->resource.len > 0 && !one->workspace.own_rights;
}

static const struct row_access *rows_seen(const struct one_view *one, rf_str table)
{
    const struct query_view *view = one->view;
    return access_rows(view->logs, view->request->principal, &one->workspace, table, view->arena);
}

static bool may_read_table(const struct one_view *one, rf_str table)
{
    if (one->denied) return false;
    if (!by_resource(one)) return rows_seen(one, table)->kind != ROWS_NONE;
    return may(
        one->view,
        rf_arena_printf(one->view->arena, "Microsoft.Insights/logs/%.*s/read", RF_FMT(table)),
        one->resource, false);
}

static bool view_shows(const struct catalog *catalog, const struct source *source)
{
    return may_read_table(catalog->ctx, source->name);
}

static enum rf_kind view_narrow(const struct catalog *catalog, const struct source *source,
                                struct binder *b, const struct schema *schema, struct expr **where)
{
    const struct one_view *one = catalog->ctx;
    if (by_resource(one)) return RF_OK;
    const struct row_access *rows = rows_seen(one, source->name);
    if (rows->kind == ROWS_ALL) return RF_OK;
    one->view->narrowed = true;
    return access_predicate(b, schema, rows, where);
}

bool query_view_narrows(const struct query_view *view, const struct source *source)
{
    const struct one_view *one = &view->views[0];
    return !by_resource(one) && rows_seen(one, source->name)->kind != ROWS_ALL;
}

static bool shows_any(const struct one_view *one)
{
    for (uint32_t i = 0; i < one->catalog.source_count; i++)
        if (may_read_table(one, one->catalog.sources[i]->name)) return true;
    return false;
}

/* "Microsoft.Compute/virtualMachines/read" for such an id. */
static enum rf_kind read_action(rf_str resource, struct rf_arena *arena, rf_str *out,
                                struct rf_err *err)
{
    struct resource_id id;
    RF_TRY(resource_id_parse(resource, arena, &id, err));
    rf_str type = id.type;
    if (type.len == 0)
        type = id.group.len > 0 ? RF_S("Microsoft.Resources/subscriptions/resourceGroups")
                                : RF_S("Microsoft.Resources/subscriptions");
    *out = rf_arena_printf(arena, "%.*s/read", RF_FMT(type));
    return out->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static enum rf_kind require_at(const struct one_view *one, rf_str action, rf_str scope,
                               struct rf_err *err)
{
    if (may(one->view, action, scope, false)) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "InsufficientAccessError",
                   "the principal may not query %.*s: it needs %.*s there", RF_FMT(scope),
                   RF_FMT(action));
}

static enum rf_kind require(struct one_view *one, struct rf_err *err)
{
    rf_str action, ask = RF_S(WORKSPACES "/query/read");
    if (one->resource.len > 0) {
        RF_TRY(read_action(one->resource, one->view->arena, &action, err));
        RF_TRY(require_at(one, action, one->resource, err));
        one->denied =
            !by_resource(one) && !may(one->view, ask, one->workspace.id, false) && !shows_any(one);
        return RF_OK;
    }
    if (may(one->view, ask, one->workspace.id, false) || shows_any(one)) return RF_OK;
    return require_at(one, ask, one->workspace.id, err);
}

static enum rf_kind one_open(struct query_view *view, const struct workspace *workspace,
                             rf_str resource, struct one_view *one, struct rf_err *err)
{
    const struct logs_options *options = &view->logs->options;
    *one = (struct one_view){.view = view, .workspace = *workspace, .resource = resource};
    RF_TRY(tables_view(options->tables, workspace->guid, view->arena, &one->tables, err));
    one->open = true;
    one->catalog = one->tables.catalog;
    one->catalog.shows = view_shows;
    one->catalog.narrow = view_narrow;
    one->catalog.resource = resource;
    one->catalog.ctx = one;
    return require(one, err);
}

/* workspace("name"), app("name"), resource("id") in a query. */
static enum rf_kind view_other(const struct catalog *catalog, rf_str kind, rf_str name,
                               const struct catalog **out, struct rf_err *err)
{
    struct query_view *view = ((const struct one_view *)catalog->ctx)->view;
    struct workspace workspace;
    rf_str resource = {NULL, 0};
    enum rf_kind found = workspace_find(view->logs, name, view->arena, &workspace, err);
    if (found == RF_NOT_FOUND && rf_str_is(kind, "resource") && name.len > 0 &&
        name.ptr[0] == '/') {
        workspace = view->workspaces[0];
        resource = name;
        found = RF_OK;
    }
    RF_TRY(found);
    for (struct one_view *one = view->others; one != NULL; one = one->next) {
        if (!rf_str_eq(one->workspace.guid, workspace.guid)) continue;
        if (!rf_str_eq_nocase(one->resource, resource)) continue;
        *out = &one->catalog;
        return RF_OK;
    }
    struct one_view *one = rf_arena_zalloc(view->arena, sizeof *one);
    if (one == NULL) return rf_fail_memory(err, view->arena);
    enum rf_kind opened = one_open(view, &workspace, resource, one, err);
    one->next = view->others;
    view->others = one; /* also after an error: close releases what it holds */
    RF_TRY(opened);
    *out = &one->catalog;
    return RF_OK;
}

enum rf_kind query_view_open(struct logs *logs, const struct request *request,
                             struct rf_arena *arena, const struct workspace *workspaces,
                             uint32_t workspace_count, rf_str resource, struct query_view *out,
                             struct rf_err *err)
{
    *out = (struct query_view){.logs = logs,
                               .request = request,
                               .arena = arena,
                               .resource = resource,
                               .workspace_count = workspace_count};
    RF_ASSERT(workspace_count > 0);
    out->workspaces = rf_arena_new(arena, struct workspace, workspace_count);
    out->views = rf_arena_new(arena, struct one_view, workspace_count);
    const struct catalog **beside = rf_arena_new(arena, const struct catalog *, workspace_count);
    if (out->workspaces == NULL || out->views == NULL || beside == NULL)
        return rf_fail_memory(err, arena);
    memcpy(out->workspaces, workspaces, workspace_count * sizeof *workspaces);
    uint32_t denied = 0;
    for (uint32_t i = 0; i < workspace_count; i++) {
        RF_TRY(one_open(out, &workspaces[i], resource, &out->views[i], err));
        denied += out->views[i].denied;
        if (i > 0) beside[i - 1] = &out->views[i].catalog;
    }
    if (denied == workspace_count)
        return RF_FAIL(err, RF_NOT_FOUND, "WorkspaceNotFound", "there is no workspace");
    out->catalog = out->views[0].catalog;
    out->catalog.beside = beside;
    out->catalog.beside_count = workspace_count - 1;
    out->catalog.other = view_other;
    return RF_OK;
}

void query_view_close(struct query_view *view)
{
    struct tables *tables = view->logs == NULL ? NULL : view->logs->options.tables;
    for (uint32_t i = 0; i < view->workspace_count && view->views != NULL; i++)
        if (view->views[i].open) tables_release(tables, &view->views[i].tables);
    for (struct one_view *one = view->others; one != NULL; one = one->next)
        if (one->open) tables_release(tables, &one->tables);
    *view = (struct query_view){0};
}
