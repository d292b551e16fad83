/* kusto_show.c - control commands that show something, each as one table. */
#include <sys/sysinfo.h>

#include "base/encode.h"
#include "base/pool.h"
#include "kql/ast.h"
#include "kql/source_store.h"
#include "logs/kusto_int.h"
#include "value/text.h"

enum { SHOW_COLUMNS_MAX = 32, SHOW_WORKSPACES_MAX = 1000 };

/* ---- rows -------------------------------------------------------------------------------------------------------- */

void kusto_rows_init(struct kusto_rows *rows, struct rf_arena *arena, const char *columns)
{
    uint8_t types[SHOW_COLUMNS_MAX];
    rf_str text = rf_str_of(columns);
    *rows = (struct kusto_rows){
        .arena = arena, .columns = rf_arena_new(arena, struct ast_column, SHOW_COLUMNS_MAX)};
    if (rows->columns == NULL) {
        rows->failed = true;
        return;
    }
    for (size_t at = 0; at < text.len;) {
        size_t end = RF_MIN(rf_str_find(text, RF_S(","), at), text.len);
        rf_str pair = rf_str_trim(rf_slice(text, at, end));
        size_t colon = rf_str_find(pair, RF_S(":"), 0);
        enum type type;
        RF_ASSERT(colon != SIZE_MAX && rows->column_count < SHOW_COLUMNS_MAX);
        RF_ASSERT(type_parse(rf_slice(pair, colon + 1, pair.len), &type));
        types[rows->column_count] = (uint8_t)type;
        rows->columns[rows->column_count++] =
            (struct ast_column){.name = rf_slice(pair, 0, colon), .type = (uint8_t)type};
        at = end + 1;
    }
    rows->rows = rows_new(arena, types, rows->column_count);
    rows->failed = rows->rows == NULL;
}

void kusto_rows_add(struct kusto_rows *rows, const struct value *values)
{
    struct vec columns[SHOW_COLUMNS_MAX];
    if (rows->failed) return;
    for (uint32_t i = 0; i < rows->column_count; i++) {
        RF_ASSERT(values[i].type == rows->columns[i].type);
        rows->failed |= !vec_const(rows->arena, &values[i], &columns[i]);
    }
    struct batch batch = {.row_count = 1,
                          .column_count = rows->column_count,
                          .columns = columns,
                          .arena = rows->arena};
    if (!rows->failed) rows->failed = !rows_append(rows->rows, &batch);
}

static struct value text(rf_str s) { return value_str(s); }
static struct value literal(const char *s) { return value_str(rf_str_of(s)); }
static struct value number(uint64_t n) { return value_i64(TYPE_LONG, (int64_t)n); }
static struct value moment(rf_usec time)
{
    return value_i64(TYPE_DATETIME, DATETIME_UNIX_EPOCH + time * TICKS_PER_MICROSECOND);
}

/* ---- the cluster ------------------------------------------------------------------------------------------------- */

static enum rf_kind show_version(struct kusto_call *call, struct kusto_rows *out)
{
    kusto_rows_init(out, call->arena,
                    "BuildVersion:string, BuildTime:datetime, ServiceType:string, "
                    "ProductVersion:string, ServiceOffering:string");
    kusto_rows_add(out,
                   (struct value[]){literal("0.1.0"), value_null(TYPE_DATETIME), literal("Engine"),
                                    literal("Ringfort 0.1.0"), literal("{\"Type\":\"Ringfort\"}")});
    return RF_OK;
}

static enum rf_kind show_cluster(struct kusto_call *call, struct kusto_rows *out)
{
    struct sysinfo info = {0};
    (void)sysinfo(&info);
    kusto_rows_init(out, call->arena,
                    "NodeId:string, Address:string, Name:string, StartTime:datetime, IsAdmin:bool, "
                    "MachineTotalMemory:long, MachineAvailableMemory:long, ProcessorCount:int, "
                    "EnvironmentDescription:string");
    kusto_rows_add(out, (struct value[]){text(call->request->site->domain),
                                         text(call->request->origin), literal("Ringfort"),
                                         value_null(TYPE_DATETIME), value_bool(false),
                                         number((uint64_t)info.totalram * info.mem_unit),
                                         number((uint64_t)info.freeram * info.mem_unit),
                                         value_i64(TYPE_INT, pool_processors()), literal("")});
    return RF_OK;
}

/* ---- databases --------------------------------------------------------------------------------------------------- */

struct database { /* a workspace that the caller may query */
    struct workspace workspace;
    struct query_view view;
};

static bool is_wanted(const struct kusto_call *call, const struct workspace *workspace, bool all)
{
    const struct kusto_command *c = call->command;
    if (c->name_count == 0) return all || rf_str_eq_nocase(workspace->guid, call->workspace.guid);
    for (uint32_t i = 0; i < c->name_count; i++)
        if (rf_str_eq_nocase(c->names[i], workspace->name) ||
            rf_str_eq_nocase(c->names[i], workspace->guid) ||
            rf_str_eq_nocase(c->names[i], workspace->id))
            return true;
    return false;
}

typedef enum rf_kind each_database(struct kusto_call *call, struct query_view *view, void *ctx,
                                   struct rf_err *err);
/* Those that were named and may be seen; without names the one that the request is about, or all. */
static enum rf_kind for_databases(struct kusto_call *call, bool all, each_database *fn, void *ctx,
                                  struct rf_err *err)
{
    uint32_t count = 0;
    struct workspace *list = rf_arena_new(call->arena, struct workspace, SHOW_WORKSPACES_MAX);
    if (list == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(query_all_workspaces(call->logs, call->arena, list, SHOW_WORKSPACES_MAX, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        struct query_view view;
        if (!is_wanted(call, &list[i], all)) continue;
        enum rf_kind kind = query_view_open(call->logs, call->request, call->arena, &list[i], 1,
                                            (rf_str){NULL, 0}, &view, err);
        if (kind == RF_OK) kind = fn(call, &view, ctx, err);
        query_view_close(&view);
        if (kind != RF_OK && kind != RF_DENIED) return kind;
        /* Not being allowed is an error only where it was asked for by name. */
        if (kind == RF_DENIED && !all) return kind;
    }
    return RF_OK;
}

static enum rf_kind add_database(struct kusto_call *call, struct query_view *view, void *ctx,
                                 struct rf_err *err)
{
    const struct workspace *w = &view->workspaces[0];
    struct guid guid = {{0}};
    (void)err;
    struct value id = text_to_guid(w->guid, &guid) ? value_guid(guid) : value_null(TYPE_GUID);
    bool current = rf_str_eq_nocase(w->guid, call->workspace.guid);
    kusto_rows_add(ctx, (struct value[]){text(w->name), literal(""), literal("v1.0"),
                                         value_bool(current), literal("ReadWrite"), literal(""),
                                         value_bool(false), id, literal("")});
    return RF_OK;
}

static enum rf_kind show_databases(struct kusto_call *call, bool all, struct kusto_rows *out,
                                   struct rf_err *err)
{
    kusto_rows_init(out, call->arena,
                    "DatabaseName:string, PersistentStorage:string, Version:string, "
                    "IsCurrent:bool, DatabaseAccessMode:string, PrettyName:string, "
                    "ReservedSlot1:bool, DatabaseId:guid, InTransitionTo:string");
    return for_databases(call, all, add_database, out, err);
}

/* ---- schemas ----------------------------------------------------------------------------------------------------- */

/* "a:long,b:string" */
static rf_str csl_schema(struct rf_arena *arena, const struct source *source)
{
    struct rf_buf buf = rf_buf_in(arena);
    for (uint32_t i = 0; i < source->column_count; i++) {
        if (i > 0) rf_buf_byte(&buf, ',');
        rf_buf_str(&buf, source->columns[i].name);
        rf_buf_printf(&buf, ":%s", type_name((enum type)source->columns[i].type));
    }
    return rf_buf_view(&buf);
}

static void put_column(struct json_out *out, rf_str name, enum type type)
{
    json_begin_object(out, NULL);
    json_put_text(out, "Name", name);
    json_put_text(out, "Type", rf_str_of(type_dotnet_name(type)));
    json_put_text(out, "CslType", rf_str_of(type_name(type)));
    json_end_object(out);
}

static void put_table_members(struct json_out *out, const struct source *source)
{
    json_put_text(out, "Name", source->name);
    json_put_text(out, "Folder", RF_S(""));
    json_put_text(out, "DocString", RF_S(""));
    json_begin_array(out, "OrderedColumns");
    for (uint32_t i = 0; i < source->column_count; i++)
        put_column(out, source->columns[i].name, (enum type)source->columns[i].type);
    json_end_array(out);
}

/* `name` as the key of a member, which json_out takes as a C text. */
static const char *key_of(struct rf_arena *arena, rf_str name)
{
    const char *key = rf_arena_cstr(arena, name);
    return key == NULL ? "" : key;
}

/* "a:string, b:long=1" as InputParameters. */
static void put_parameters(struct json_out *out, rf_str parameters)
{
    json_begin_array(out, "InputParameters");
    for (size_t at = 0; at < parameters.len;) {
        size_t end = at, depth = 0;
        for (; end < parameters.len && (depth > 0 || parameters.ptr[end] != ','); end++) {
            uint8_t c = parameters.ptr[end];
            depth += c == '(';
            depth -= c == ')' && depth > 0;
        }
        rf_str one = rf_str_trim(rf_slice(parameters, at, end));
        size_t colon = RF_MIN(rf_str_find(one, RF_S(":"), 0), one.len);
        size_t eq = RF_MIN(rf_str_find(one, RF_S("="), 0), one.len);
        rf_str type = rf_str_trim(rf_slice(one, RF_MIN(colon + 1, eq), eq));
        json_begin_object(out, NULL);
        json_put_text(out, "Name", rf_str_trim(rf_slice(one, 0, RF_MIN(colon, eq))));
        if (type.len > 0 && type.ptr[0] != '(') json_put_text(out, "CslType", type);
        if (eq < one.len)
            json_put_text(out, "CslDefaultValue", rf_str_trim(rf_slice(one, eq + 1, one.len)));
        json_end_object(out);
        at = end + 1;
    }
    json_end_array(out);
}

static void put_function(struct json_out *out, const struct stored_function *f)
{
    rf_str parameters, body;
    metadata_split_function(f->text, &parameters, &body);
    json_begin_object(out, key_of(out->buf->arena, f->name));
    json_put_text(out, "Name", f->name);
    put_parameters(out, parameters);
    json_put_text(out, "Body", rf_arena_printf(out->buf->arena, "{ %.*s }", RF_FMT(body)));
    json_put_text(out, "Folder", RF_S(""));
    json_put_text(out, "DocString", RF_S(""));
    json_put_text(out, "FunctionKind", RF_S("Unknown"));
    json_begin_array(out, "OutputColumns");
    json_end_array(out);
    json_end_object(out);
}

static enum rf_kind put_database(struct kusto_call *call, struct query_view *view, void *ctx,
                                 struct rf_err *err)
{
    struct json_out *out = ctx;
    const struct catalog *catalog = &view->catalog;
    const char *name = key_of(call->arena, view->workspaces[0].name);
    static const char *const empty[] = {"ExternalTables", "MaterializedViews", "EntityGroups"};
    json_begin_object(out, name);
    json_put_text(out, "Name", rf_str_of(name));
    json_begin_object(out, "Tables");
    for (uint32_t i = 0; i < catalog->source_count; i++) {
        struct source *source = catalog->sources[i];
        if (!catalog->shows(catalog, source)) continue;
        RF_TRY(source_open(source, err));
        json_begin_object(out, key_of(call->arena, source->name));
        put_table_members(out, source);
        json_end_object(out);
    }
    json_end_object(out);
    for (size_t i = 0; i < RF_COUNT(empty); i++) {
        json_begin_object(out, empty[i]);
        json_end_object(out);
    }
    json_put_i64(out, "MajorVersion", 1);
    json_put_i64(out, "MinorVersion", 1);
    json_begin_object(out, "Functions");
    for (uint32_t i = 0; i < catalog->function_count; i++)
        put_function(out, &catalog->functions[i]);
    json_end_object(out);
    json_put_text(out, "DatabaseAccessMode", RF_S("ReadWrite"));
    json_end_object(out);
    return RF_OK;
}

/* `.show databases schema` and `.show schema` mean all, `.show database schema` the request's. */
static bool means_all(const struct kusto_call *call)
{
    rf_str csl = call->ask->csl;
    for (size_t at = 0; at < csl.len && csl.ptr[at] != '|'; at++)
        if (rf_str_starts(rf_slice(csl, at, csl.len), RF_S("database")))
            return at + 8 < csl.len && csl.ptr[at + 8] == 's';
    return true;
}

static enum rf_kind show_schema_json(struct kusto_call *call, struct kusto_rows *out,
                                     struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(call->arena);
    struct json_out json = json_out_to(&buf);
    bool all = means_all(call);
    kusto_rows_init(out, call->arena,
                    rf_str_find(call->ask->csl, RF_S("database"), 0) == SIZE_MAX
                        ? "ClusterSchema:string"
                        : "DatabaseSchema:string");
    json_begin_object(&json, NULL);
    json_begin_object(&json, "Databases");
    RF_TRY(for_databases(call, all, put_database, &json, err));
    json_end_object(&json);
    json_end_object(&json);
    if (buf.failed) return rf_fail_memory(err, call->arena);
    kusto_rows_add(out, (struct value[]){text(rf_buf_view(&buf))});
    return RF_OK;
}

static enum rf_kind add_schema_rows(struct kusto_call *call, struct query_view *view, void *ctx,
                                    struct rf_err *err)
{
    const struct catalog *catalog = &view->catalog;
    rf_str database = view->workspaces[0].name;
    (void)call;
    for (uint32_t i = 0; i < catalog->source_count; i++) {
        struct source *source = catalog->sources[i];
        if (!catalog->shows(catalog, source)) continue;
        RF_TRY(source_open(source, err));
        for (uint32_t c = 0; c < source->column_count; c++)
            kusto_rows_add(
                ctx,
                (struct value[]){text(database), text(source->name), text(source->columns[c].name),
                                 literal(type_dotnet_name((enum type)source->columns[c].type)),
                                 value_bool(false), value_bool(false), literal(""), literal("v1.1"),
                                 literal(""), literal("")});
    }
    return RF_OK;
}

static enum rf_kind show_schema(struct kusto_call *call, struct kusto_rows *out, struct rf_err *err)
{
    kusto_rows_init(out, call->arena,
                    "DatabaseName:string, TableName:string, ColumnName:string, ColumnType:string, "
                    "IsDefaultTable:bool, IsDefaultColumn:bool, PrettyName:string, Version:string, "
                    "Folder:string, DocString:string");
    return for_databases(call, means_all(call), add_schema_rows, out, err);
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static bool table_wanted(const struct kusto_command *c, rf_str name)
{
    for (uint32_t i = 0; i < c->name_count; i++)
        if (rf_str_eq(c->names[i], name)) return true;
    return c->name_count == 0;
}

static void add_details(struct kusto_rows *out, const struct source *source, bool narrowed,
                        rf_str database)
{
    struct table_stats stats = {0};
    if (!narrowed) stats = tables_source_stats(source);
    bool timed = stats.time_min <= stats.time_max && stats.row_count > 0;
    kusto_rows_add(
        out, (struct value[]){
                 text(source->name), text(database), literal(""), literal(""),
                 number(stats.extent_count), value_real((double)stats.disk_bytes),
                 value_real((double)stats.disk_bytes), number(stats.row_count),
                 timed ? value_i64(TYPE_DATETIME, stats.time_min) : value_null(TYPE_DATETIME),
                 timed ? value_i64(TYPE_DATETIME, stats.time_max) : value_null(TYPE_DATETIME)});
}

static enum rf_kind show_tables(struct kusto_call *call, const struct query_view *view,
                                struct kusto_rows *out, struct rf_err *err)
{
    bool details = call->command->verb == KUSTO_SHOW_TABLES_DETAILS;
    const struct catalog *catalog = &view->catalog;
    kusto_rows_init(out, call->arena,
                    details ? "TableName:string, DatabaseName:string, Folder:string, "
                              "DocString:string, TotalExtents:long, TotalExtentSize:real, "
                              "TotalOriginalSize:real, TotalRowCount:long, "
                              "MinExtentsCreationTime:datetime, MaxExtentsCreationTime:datetime"
                            : "TableName:string, DatabaseName:string, Folder:string, "
                              "DocString:string");
    for (uint32_t i = 0; i < catalog->source_count; i++) {
        struct source *source = catalog->sources[i];
        if (!table_wanted(call->command, source->name) || !catalog->shows(catalog, source))
            continue;
        if (details) {
            RF_TRY(source_open(source, err));
            add_details(out, source, query_view_narrows(view, source), call->workspace.name);
            continue;
        }
        kusto_rows_add(out, (struct value[]){text(source->name), text(call->workspace.name),
                                             literal(""), literal("")});
    }
    return RF_OK;
}

static enum rf_kind show_table(struct kusto_call *call, const struct query_view *view,
                               struct kusto_rows *out, struct rf_err *err)
{
    enum kusto_verb verb = call->command->verb;
    struct source *source = catalog_find_own(&view->catalog, call->command->name);
    if (source == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "BadRequest_EntityNotFound",
                       "Table '%.*s' could not be found.", RF_FMT(call->command->name));
    RF_TRY(source_open(source, err));
    if (verb == KUSTO_SHOW_TABLE) {
        kusto_rows_init(out, call->arena, "AttributeName:string, AttributeType:string");
        for (uint32_t i = 0; i < source->column_count; i++)
            kusto_rows_add(out, (struct value[]){
                                    text(source->columns[i].name),
                                    literal(type_dotnet_name((enum type)source->columns[i].type))});
        return RF_OK;
    }
    rf_str schema = csl_schema(call->arena, source);
    if (verb == KUSTO_SHOW_TABLE_JSON) {
        struct rf_buf buf = rf_buf_in(call->arena);
        struct json_out json = json_out_to(&buf);
        json_begin_object(&json, NULL);
        put_table_members(&json, source);
        json_end_object(&json);
        schema = rf_buf_view(&buf);
        if (buf.failed) return rf_fail_memory(err, call->arena);
    }
    kusto_rows_init(out, call->arena,
                    "TableName:string, Schema:string, DatabaseName:string, Folder:string, "
                    "DocString:string");
    kusto_rows_add(out, (struct value[]){text(source->name), text(schema),
                                         text(call->workspace.name), literal(""), literal("")});
    return RF_OK;
}

/* ---- functions --------------------------------------------------------------------------------------------------- */

void kusto_functions_init(struct kusto_rows *out, struct rf_arena *arena)
{
    kusto_rows_init(out, arena,
                    "Name:string, Parameters:string, Body:string, Folder:string, DocString:string");
}

void kusto_functions_add(struct kusto_rows *out, rf_str name, rf_str parameters, rf_str body)
{
    rf_str shown = rf_arena_printf(out->arena, "(%.*s)", RF_FMT(parameters));
    rf_str braces = rf_arena_printf(out->arena, "{ %.*s }", RF_FMT(body));
    kusto_rows_add(
        out, (struct value[]){text(name), text(shown), text(braces), literal(""), literal("")});
}

static enum rf_kind show_functions(struct kusto_call *call, const struct query_view *view,
                                   struct kusto_rows *out, struct rf_err *err)
{
    const struct catalog *catalog = &view->catalog;
    bool one = call->command->verb == KUSTO_SHOW_FUNCTION, found = false;
    kusto_functions_init(out, call->arena);
    for (uint32_t i = 0; i < catalog->function_count; i++) {
        const struct stored_function *f = &catalog->functions[i];
        rf_str parameters, body;
        if (one && !rf_str_eq(f->name, call->command->name)) continue;
        metadata_split_function(f->text, &parameters, &body);
        kusto_functions_add(out, f->name, parameters, body);
        found = true;
    }
    if (found || !one) return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "BadRequest_EntityNotFound",
                   "Function '%.*s' could not be found.", RF_FMT(call->command->name));
}

/* ---- what runs, who may ------------------------------------------------------------------------------------------ */

static enum rf_kind show_queries(struct kusto_call *call, struct kusto_rows *out,
                                 struct rf_err *err)
{
    struct running *list;
    const struct principal *principal = call->request->principal;
    kusto_rows_init(out, call->arena,
                    "Text:string, Database:string, StartedOn:datetime, Duration:timespan, "
                    "State:string, Principal:string");
    RF_TRY(running_list(call->logs->queries, call->arena, &list, err));
    bool all = authz_check(call->logs->options.authz, principal,
                           RF_S("Microsoft.OperationalInsights/workspaces/query/*/read"), RF_S("/"),
                           false);
    rf_usec now = rf_clock_now(call->logs->options.clock);
    for (const struct running *r = list; r != NULL; r = r->next) {
        /* What others ask is theirs, but for who may read everything. */
        if (!all && (principal == NULL || !rf_str_eq(r->principal_id, principal->object_id)))
            continue;
        kusto_rows_add(out,
                       (struct value[]){text(r->text), text(call->workspace.name), moment(r->begun),
                                        value_i64(TYPE_TIMESPAN, (now - r->begun) * 10),
                                        literal("InProgress"), text(r->principal_id)});
    }
    return RF_OK;
}

static enum rf_kind show_access(struct kusto_call *call, struct kusto_rows *out)
{
    static const struct {
        const char *role, *action;
    } roles[] = {{"Viewer", "Microsoft.OperationalInsights/workspaces/query/read"},
                 {"Ingestor", "Microsoft.OperationalInsights/workspaces/tables/write"},
                 {"Admin", "Microsoft.OperationalInsights/workspaces/write"}};
    const struct principal *principal = call->request->principal;
    kusto_rows_init(out, call->arena,
                    "Role:string, PrincipalType:string, PrincipalDisplayName:"
                    "string, PrincipalObjectId:string, DatabaseName:string");
    for (size_t i = 0; i < RF_COUNT(roles) && principal != NULL; i++)
        if (authz_check(call->logs->options.authz, principal, rf_str_of(roles[i].action),
                        call->workspace.id, false))
            kusto_rows_add(out, (struct value[]){
                                    literal(roles[i].role),
                                    literal(principal->type == PRINCIPAL_USER ? "AAD User"
                                                                              : "AAD Application"),
                                    text(principal->display_name), text(principal->object_id),
                                    text(call->workspace.name)});
    return RF_OK;
}

void kusto_mappings_init(struct kusto_rows *out, struct rf_arena *arena)
{
    kusto_rows_init(out, arena,
                    "Name:string, Kind:string, Mapping:string, LastUpdatedOn:datetime, "
                    "Database:string, Table:string");
}

void kusto_mappings_add(struct kusto_rows *out, const struct kusto_mapping *m, rf_str database)
{
    rf_str kind = rf_str_eq_nocase(m->kind, RF_S("csv")) ? RF_S("Csv") : RF_S("Json");
    kusto_rows_add(out, (struct value[]){text(m->name), text(kind), text(m->text),
                                         moment(m->changed), text(database), text(m->table)});
}

static enum rf_kind show_mappings(struct kusto_call *call, const struct query_view *view,
                                  struct kusto_rows *out, struct rf_err *err)
{
    const struct kusto_command *c = call->command;
    struct kusto_mapping *list;
    uint32_t count;
    kusto_mappings_init(out, call->arena);
    RF_TRY(
        kusto_mapping_list(call->logs, call->arena, &call->workspace, c->name, &list, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        if (c->mapping.len > 0 && !rf_str_eq(c->mapping, list[i].name)) continue;
        if (c->mapping_kind.len > 0 && !rf_str_eq_nocase(c->mapping_kind, list[i].kind)) continue;
        if (catalog_find_own(&view->catalog, list[i].table) == NULL) continue;
        kusto_mappings_add(out, &list[i], call->workspace.name);
    }
    return RF_OK;
}

static enum rf_kind show_of_view(struct kusto_call *call, const struct query_view *view,
                                 struct kusto_rows *out, struct rf_err *err)
{
    switch (call->command->verb) {
    case KUSTO_SHOW_TABLES:
    case KUSTO_SHOW_TABLES_DETAILS:
        return show_tables(call, view, out, err);
    case KUSTO_SHOW_TABLE:
    case KUSTO_SHOW_TABLE_CSL:
    case KUSTO_SHOW_TABLE_JSON:
        return show_table(call, view, out, err);
    case KUSTO_SHOW_MAPPINGS:
        return show_mappings(call, view, out, err);
    default:
        return show_functions(call, view, out, err);
    }
}

enum rf_kind kusto_show(struct kusto_call *call, struct kusto_rows *out, struct rf_err *err)
{
    struct query_view view;
    switch (call->command->verb) {
    case KUSTO_SHOW_VERSION:
        return show_version(call, out);
    case KUSTO_SHOW_CLUSTER:
        return show_cluster(call, out);
    case KUSTO_SHOW_DATABASES:
        return show_databases(call, true, out, err);
    case KUSTO_SHOW_DATABASE:
        return show_databases(call, false, out, err);
    case KUSTO_SHOW_SCHEMA:
        return show_schema(call, out, err);
    case KUSTO_SHOW_SCHEMA_JSON:
        return show_schema_json(call, out, err);
    case KUSTO_SHOW_QUERIES:
        return show_queries(call, out, err);
    case KUSTO_SHOW_ACCESS:
        return show_access(call, out);
    default:
        break;
    }
    enum rf_kind kind = query_view_open(call->logs, call->request, call->arena, &call->workspace, 1,
                                        (rf_str){NULL, 0}, &view, err);
    if (kind == RF_OK) kind = show_of_view(call, &view, out, err);
    query_view_close(&view);
    return kind;
}
