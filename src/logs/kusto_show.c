/* kusto_show.c - management commands about what only the server knows: workspaces, who runs what, who may do what; mappings. */
#include <sys/sysinfo.h>

#include "base/encode.h"
#include "base/pool.h"
#include "kql/ast.h"
#include "logs/kusto_int.h"
#include "value/text.h"

#define WORKSPACES "Microsoft.OperationalInsights/workspaces"
enum { SHOW_WORKSPACES_MAX = 1000, EXTENT_CAPACITY = 1 };

static struct value text(rf_str s) { return value_str(s); }
static struct value literal(const char *s) { return command_literal(s); }
static struct value number(uint64_t n) { return command_number(n); }

/* ---- the cluster ------------------------------------------------------------------------------------------------- */

static void show_version(struct kusto_host *h, struct command_rows *out)
{
    command_rows_init(out, h->arena,
                      "BuildVersion:string, BuildTime:datetime, ServiceType:string, "
                      "ProductVersion:string, ServiceOffering:string");
    command_rows_add(out, (struct value[]){literal(COMMAND_VERSION), value_null(TYPE_DATETIME),
                                           literal("Engine"), literal("Ringfort " COMMAND_VERSION),
                                           literal("{\"Type\":\"Ringfort\"}")});
}

static void show_cluster(struct kusto_host *h, struct command_rows *out)
{
    struct sysinfo info = {0};
    (void)sysinfo(&info);
    command_rows_init(out, h->arena,
                      "NodeId:string, Address:string, Name:string, StartTime:datetime, "
                      "IsAdmin:bool, MachineTotalMemory:long, MachineAvailableMemory:long, "
                      "ProcessorCount:int, EnvironmentDescription:string");
    command_rows_add(out, (struct value[]){text(h->request->site->domain), text(h->request->origin),
                                           literal("Ringfort"), value_null(TYPE_DATETIME),
                                           value_bool(false),
                                           number((uint64_t)info.totalram * info.mem_unit),
                                           number((uint64_t)info.freeram * info.mem_unit),
                                           value_i64(TYPE_INT, pool_processors()), literal("")});
}

static enum rf_kind show_capacity(struct kusto_host *h, struct command_rows *out,
                                  struct rf_err *err)
{
    struct running *list;
    uint64_t used = 0;
    RF_TRY(running_list(h->logs->queries, h->arena, &list, err));
    for (const struct running *r = list; r != NULL; r = r->next) used++;
    command_rows_init(out, h->arena,
                      "Resource:string, Total:long, Consumed:long, Remaining:long, Origin:string");
    command_rows_add(
        out, (struct value[]){literal("Queries"), number(QUERY_RUNNING_MAX), number(used),
                              number(QUERY_RUNNING_MAX - RF_MIN(used, (uint64_t)QUERY_RUNNING_MAX)),
                              literal("of one principal")});
    command_rows_add(out, (struct value[]){literal("PurgeStorageArtifactsCleanup"),
                                           number(EXTENT_CAPACITY), number(0),
                                           number(EXTENT_CAPACITY), literal("fixed")});
    return RF_OK;
}

/* ---- databases --------------------------------------------------------------------------------------------------- */

static bool is_wanted(const struct kusto_host *h, const struct command *c,
                      const struct workspace *workspace)
{
    if (c->name_count == 0)
        return c->everywhere || rf_str_eq_nocase(workspace->guid, h->workspace.guid);
    for (uint32_t i = 0; i < c->name_count; i++)
        if (rf_str_eq_nocase(c->names[i], workspace->name) ||
            rf_str_eq_nocase(c->names[i], workspace->guid) ||
            rf_str_eq_nocase(c->names[i], workspace->id))
            return true;
    return false;
}

typedef enum rf_kind each_database(struct kusto_host *h, void *ctx, struct rf_err *err);
/* Those that were named and may be seen; without names the one that the request is about, or all. */
static enum rf_kind for_databases(struct kusto_host *h, const struct command *c, each_database *fn,
                                  void *ctx, struct rf_err *err)
{
    uint32_t count = 0;
    struct workspace *list = rf_arena_new(h->arena, struct workspace, SHOW_WORKSPACES_MAX);
    if (list == NULL) return rf_fail_memory(err, h->arena);
    RF_TRY(query_all_workspaces(h->logs, h->arena, list, SHOW_WORKSPACES_MAX, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        struct kusto_host one = *h;
        if (!is_wanted(h, c, &list[i])) continue;
        one.workspace = list[i];
        one.base.database = list[i].name;
        one.has_notes = false;
        one.note_count = 0;
        enum rf_kind kind = query_view_open(h->logs, h->request, h->arena, &list[i], 1,
                                            (rf_str){NULL, 0}, &one.view, err);
        one.base.catalog = &one.view.catalog;
        if (kind == RF_OK) kind = fn(&one, ctx, err);
        query_view_close(&one.view);
        if (kind != RF_OK && kind != RF_DENIED) return kind;
        /* Not being allowed is an error only where it was asked for by name. */
        if (kind == RF_DENIED && !c->everywhere) return kind;
    }
    return RF_OK;
}

struct database_list {
    struct command_rows *out;
    rf_str current; /* GUID */
};
static enum rf_kind add_database(struct kusto_host *h, void *ctx, struct rf_err *err)
{
    const struct database_list *list = ctx;
    const struct workspace *w = &h->workspace;
    (void)err;
    command_rows_add(list->out,
                     (struct value[]){text(w->name), literal(""), literal("v1.0"),
                                      value_bool(rf_str_eq_nocase(w->guid, list->current)),
                                      literal("ReadWrite"), literal(""), value_bool(false),
                                      command_guid(w->guid), literal(""), literal("")});
    return RF_OK;
}

static enum rf_kind show_databases(struct kusto_host *h, const struct command *c,
                                   struct command_rows *out, struct rf_err *err)
{
    struct database_list list = {out, h->workspace.guid};
    command_rows_init(out, h->arena, COMMAND_DATABASE_COLUMNS);
    return for_databases(h, c, add_database, &list, err);
}

static enum rf_kind put_database(struct kusto_host *h, void *ctx, struct rf_err *err)
{
    return command_put_database(&h->base, ctx, err);
}
static enum rf_kind add_schema(struct kusto_host *h, void *ctx, struct rf_err *err)
{
    return command_add_schema(&h->base, ctx, err);
}

static enum rf_kind show_all_schemas(struct kusto_host *h, const struct command *c,
                                     struct command_rows *out, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(h->arena);
    struct json_out json = json_out_to(&buf);
    bool cluster = rf_str_find(rf_str_of(c->entry->syntax), RF_S("database"), 0) == SIZE_MAX;
    if (c->verb == COMMAND_SHOW_SCHEMA) {
        command_rows_init(out, h->arena, COMMAND_SCHEMA_COLUMNS);
        return for_databases(h, c, add_schema, out, err);
    }
    json_begin_object(&json, NULL);
    json_begin_object(&json, "Databases");
    RF_TRY(for_databases(h, c, put_database, &json, err));
    json_end_object(&json);
    json_end_object(&json);
    if (buf.failed) return rf_fail_memory(err, h->arena);
    command_rows_init(out, h->arena, cluster ? "ClusterSchema:string" : "DatabaseSchema:string");
    command_rows_add(out, (struct value[]){text(rf_buf_view(&buf))});
    return RF_OK;
}

/* ---- what runs and ran ------------------------------------------------------------------------------------------- */

/* What others ask is theirs, but for who may read everything. */
static bool sees_all(const struct kusto_host *h)
{
    return authz_check(h->logs->options.authz, h->request->principal,
                       RF_S(WORKSPACES "/query/*/read"), RF_S("/"), false);
}
static bool is_mine(const struct kusto_host *h, rf_str principal_id)
{
    const struct principal *p = h->request->principal;
    return p != NULL && rf_str_eq(p->object_id, principal_id);
}

static void add_query(struct command_rows *out, const struct kusto_event *e, bool commands)
{
    struct value none = value_null(TYPE_DYNAMIC), spent = value_null(TYPE_TIMESPAN);
    struct value lasted = value_i64(TYPE_TIMESPAN, (e->ended - e->begun) * TICKS_PER_MICROSECOND);
    struct value begun = command_time(e->begun), ended = command_time(e->ended);
    struct value memory = value_null(TYPE_LONG), group = literal("default");
    if (commands)
        command_rows_add(out, (struct value[]){text(e->client_id),
                                               text(e->type),
                                               text(e->text),
                                               text(e->database),
                                               begun,
                                               ended,
                                               lasted,
                                               text(e->state),
                                               text(e->reason),
                                               command_guid(e->id),
                                               text(e->user),
                                               text(e->app),
                                               text(e->principal_id),
                                               none,
                                               spent,
                                               memory,
                                               none,
                                               none,
                                               none,
                                               group});
    else
        command_rows_add(out,
                         (struct value[]){text(e->client_id), text(e->text), text(e->database),
                                          begun, ended, lasted, text(e->state), command_guid(e->id),
                                          text(e->user), text(e->reason), spent, none, text(e->app),
                                          memory, none, text(e->principal_id), none, none, group});
}

static enum rf_kind add_running(struct kusto_host *h, struct command_rows *out, bool commands,
                                struct rf_err *err)
{
    struct running *list;
    bool all = sees_all(h);
    RF_TRY(running_list(h->logs->queries, h->arena, &list, err));
    for (const struct running *r = list; r != NULL; r = r->next) {
        struct kusto_event e = {.text = r->text,
                                .database = h->workspace.name,
                                .type = RF_S("Query"),
                                .client_id = r->id,
                                .principal_id = r->principal_id,
                                .user = r->principal_id,
                                .state = RF_S("InProgress"),
                                .begun = r->begun,
                                .ended = h->base.now};
        if (all || is_mine(h, r->principal_id)) add_query(out, &e, commands);
    }
    return RF_OK;
}

static enum rf_kind show_queries(struct kusto_host *h, const struct command *c,
                                 struct command_rows *out, struct rf_err *err)
{
    struct kusto_event *list;
    uint32_t count;
    bool all = sees_all(h),
         commands = c->verb == COMMAND_SHOW_COMMANDS || c->verb == COMMAND_SHOW_COMMANDS_QUERIES;
    command_rows_init(out, h->arena, commands ? COMMAND_EVENT_COLUMNS : COMMAND_QUERY_COLUMNS);
    if (c->verb != COMMAND_SHOW_COMMANDS) RF_TRY(add_running(h, out, commands, err));
    if (c->verb == COMMAND_SHOW_RUNNING) return RF_OK;
    RF_TRY(kusto_log_list(h->logs->kusto_log, h->arena, &list, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        if (!all && !is_mine(h, list[i].principal_id)) continue;
        if (c->verb == COMMAND_SHOW_COMMANDS && !list[i].command) continue;
        if (c->verb == COMMAND_SHOW_QUERIES && list[i].command) continue;
        add_query(out, &list[i], commands);
    }
    return RF_OK;
}

static bool names_it(const struct command *c, rf_str id)
{
    if (c->name.len > 0) return rf_str_eq_nocase(c->name, id);
    for (uint32_t i = 0; i < c->name_count; i++)
        if (rf_str_eq_nocase(c->names[i], id)) return true;
    return c->name_count == 0;
}

static enum rf_kind show_operations(struct kusto_host *h, const struct command *c,
                                    struct command_rows *out, struct rf_err *err)
{
    struct kusto_event *list;
    uint32_t count;
    bool all = sees_all(h);
    command_rows_init(out, h->arena, COMMAND_OPERATION_COLUMNS);
    RF_TRY(kusto_log_list(h->logs->kusto_log, h->arena, &list, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        const struct kusto_event *e = &list[i];
        if (!e->changes || !names_it(c, e->id) || (!all && !is_mine(h, e->principal_id))) continue;
        command_rows_add(
            out, (struct value[]){
                     text(e->id), text(e->type), literal(""), command_time(e->begun),
                     command_time(e->ended),
                     value_i64(TYPE_TIMESPAN, (e->ended - e->begun) * TICKS_PER_MICROSECOND),
                     text(e->state), text(e->reason), command_guid(e->id), value_bool(false),
                     text(e->database), text(e->principal_id), text(e->user),
                     value_null(TYPE_DATETIME)});
    }
    return RF_OK;
}

static enum rf_kind show_journal(struct kusto_host *h, struct command_rows *out, struct rf_err *err)
{
    struct kusto_event *list;
    uint32_t count;
    bool all = sees_all(h);
    command_rows_init(out, h->arena, COMMAND_JOURNAL_COLUMNS);
    RF_TRY(kusto_log_list(h->logs->kusto_log, h->arena, &list, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        const struct kusto_event *e = &list[i];
        bool other = !rf_str_eq(e->database, h->workspace.name);
        if (!e->changes || !rf_str_is(e->state, "Completed") || other) continue;
        if (!all && !is_mine(h, e->principal_id)) continue;
        command_rows_add(out,
                         (struct value[]){text(e->type), command_time(e->ended), text(e->database),
                                          literal(""), literal(""), literal(""), literal(""),
                                          literal(""), literal(""), text(e->text), text(e->user)});
    }
    return RF_OK;
}

static enum rf_kind cancel_query(struct kusto_host *h, const struct command *c,
                                 struct command_rows *out, struct rf_err *err)
{
    const struct principal *p = h->request->principal;
    rf_usec begun = 0;
    bool all = authz_check(h->logs->options.authz, p, RF_S(WORKSPACES "/write"), RF_S("/"), false);
    rf_str whose = all || p == NULL ? (rf_str){NULL, 0} : p->object_id;
    (void)err;
    bool ended = (all || p != NULL) && running_cancel(h->logs->queries, whose, c->name, &begun);
    command_rows_init(out, h->arena, "ClientRequestId:string, State:string, Reason:string");
    command_rows_add(out,
                     (struct value[]){text(c->name), literal(ended ? "Canceled" : "NotFound"),
                                      ended ? text(command_property(c, "reason"))
                                            : literal("no query of yours runs under this id")});
    return RF_OK;
}

/* ---- who may ----------------------------------------------------------------------------------------------------- */

static void show_roles(struct kusto_host *h, struct command_rows *out)
{
    static const struct {
        const char *role, *action;
    } roles[] = {{"Viewer", WORKSPACES "/query/read"},
                 {"Ingestor", WORKSPACES "/tables/write"},
                 {"Admin", WORKSPACES "/write"}};
    const struct principal *principal = h->request->principal;
    command_rows_init(out, h->arena,
                      "Role:string, PrincipalType:string, PrincipalDisplayName:"
                      "string, PrincipalObjectId:string, DatabaseName:string");
    for (size_t i = 0; i < RF_COUNT(roles) && principal != NULL; i++)
        if (authz_check(h->logs->options.authz, principal, rf_str_of(roles[i].action),
                        h->workspace.id, false))
            command_rows_add(
                out,
                (struct value[]){
                    literal(roles[i].role),
                    literal(principal->type == PRINCIPAL_USER ? "AAD User" : "AAD Application"),
                    text(principal->display_name), text(principal->object_id),
                    text(h->workspace.name)});
}

/* ---- mappings ---------------------------------------------------------------------------------------------------- */

static void add_mapping(struct command_rows *out, const struct kusto_mapping *m, rf_str database)
{
    rf_str kind = rf_str_eq_nocase(m->kind, RF_S("csv")) ? RF_S("Csv") : RF_S("Json");
    command_rows_add(out,
                     (struct value[]){text(m->name), text(kind), text(m->text),
                                      command_time(m->changed), text(database), text(m->table)});
}

static enum rf_kind show_mappings(struct kusto_host *h, const struct command *c,
                                  struct command_rows *out, struct rf_err *err)
{
    struct kusto_mapping *list;
    uint32_t count;
    command_rows_init(out, h->arena, COMMAND_MAPPING_COLUMNS);
    RF_TRY(kusto_mapping_list(h->logs, h->arena, &h->workspace, c->name, &list, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        if (c->mapping.len > 0 && !rf_str_eq(c->mapping, list[i].name)) continue;
        if (c->mapping_kind.len > 0 && !rf_str_eq_nocase(c->mapping_kind, list[i].kind)) continue;
        if (catalog_find_own(h->base.catalog, list[i].table) == NULL) continue;
        add_mapping(out, &list[i], h->workspace.name);
    }
    return RF_OK;
}

static enum rf_kind change_mapping(struct kusto_host *h, const struct command *c,
                                   struct command_rows *out, struct rf_err *err)
{
    struct command_def def;
    RF_TRY(h->base.ops->find(&h->base, c->name, &def, err));
    command_rows_init(out, h->arena, COMMAND_MAPPING_COLUMNS);
    if (c->verb == COMMAND_DROP_MAPPING)
        return kusto_mapping_drop(h->logs, h->arena, &h->workspace, def.name, c->mapping_kind,
                                  c->mapping, err);
    struct kusto_mapping mapping = {.name = c->mapping,
                                    .kind = c->mapping_kind,
                                    .table = def.name,
                                    .text = c->body,
                                    .changed = h->base.now};
    RF_TRY(kusto_mapping_put(h->logs, h->arena, &h->workspace, &mapping,
                             c->verb == COMMAND_CREATE_MAPPING && !c->or_alter,
                             c->verb == COMMAND_ALTER_MAPPING, err));
    add_mapping(out, &mapping, h->workspace.name);
    return RF_OK;
}

enum rf_kind kusto_show(struct kusto_host *h, const struct command *c, struct command_rows *out,
                        bool *known, struct rf_err *err)
{
    *known = true;
    switch (c->verb) {
    case COMMAND_SHOW_VERSION:
        show_version(h, out);
        return RF_OK;
    case COMMAND_SHOW_CLUSTER:
        show_cluster(h, out);
        return RF_OK;
    case COMMAND_SHOW_CAPACITY:
        return show_capacity(h, out, err);
    case COMMAND_SHOW_DATABASES:
    case COMMAND_SHOW_DATABASE:
        return show_databases(h, c, out, err);
    case COMMAND_SHOW_SCHEMA:
    case COMMAND_SHOW_SCHEMA_JSON:
        *known = c->everywhere || c->name_count > 0;
        return *known ? show_all_schemas(h, c, out, err) : RF_OK;
    case COMMAND_SHOW_RUNNING:
    case COMMAND_SHOW_QUERIES:
    case COMMAND_SHOW_COMMANDS:
    case COMMAND_SHOW_COMMANDS_QUERIES:
        return show_queries(h, c, out, err);
    case COMMAND_SHOW_OPERATIONS:
        return show_operations(h, c, out, err);
    case COMMAND_SHOW_JOURNAL:
        return show_journal(h, out, err);
    case COMMAND_SHOW_ROLES:
        show_roles(h, out);
        return RF_OK;
    case COMMAND_SHOW_MAPPINGS:
        return show_mappings(h, c, out, err);
    case COMMAND_CREATE_MAPPING:
    case COMMAND_ALTER_MAPPING:
    case COMMAND_DROP_MAPPING:
        return change_mapping(h, c, out, err);
    case COMMAND_CANCEL_QUERY:
        return cancel_query(h, c, out, err);
    default:
        *known = false;
        return RF_OK;
    }
}
