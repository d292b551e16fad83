/* kusto_change.c - control commands that change something: tables and functions by way of the control plane, so that there is one
 * truth; rows by way of ingestion. */
#include "base/encode.h"
#include "kql/ast.h"
#include "logs/kusto_int.h"
#include "value/text.h"

#define WORKSPACES "Microsoft.OperationalInsights/workspaces"
enum { APPEND_BYTES_MAX = 512 << 20 };

static enum rf_kind require(struct kusto_call *call, const char *action, rf_str scope,
                            struct rf_err *err)
{
    if (scope.ptr == NULL) return rf_fail_memory(err, call->arena);
    return authz_require(call->logs->options.authz, call->request->principal, rf_str_of(action),
                         scope, false, err);
}

static rf_str table_id(struct kusto_call *call, rf_str table)
{
    return rf_arena_printf(call->arena, "%.*s/tables/%.*s", RF_FMT(call->workspace.id),
                           RF_FMT(table));
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

/* As the control plane names types; NULL: it has no such column. */
static const char *arm_type(enum type type)
{
    switch (type) {
    case TYPE_BOOL:
        return "boolean";
    case TYPE_DATETIME:
        return "dateTime";
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_REAL:
    case TYPE_GUID:
    case TYPE_STRING:
    case TYPE_DYNAMIC:
        return type_name(type);
    default:
        return NULL;
    }
}

struct columns {
    struct ast_column *items;
    uint32_t count;
};

static int find_column(const struct columns *columns, rf_str name)
{
    for (uint32_t i = 0; i < columns->count; i++)
        if (rf_str_eq_nocase(columns->items[i].name, name)) return (int)i;
    return -1;
}

/* The workspace fills these in by itself; a definition does not name them. */
static bool is_own(rf_str name)
{
    return rf_str_is(name, "TenantId") || rf_str_is(name, "Type") ||
           rf_str_is(name, "_ResourceId") || rf_str_is(name, "_SubscriptionId") ||
           rf_str_is(name, "_ItemId");
}

/* Every table of a workspace has a TimeGenerated: it is added where the command names none. */
static enum rf_kind put_table(struct kusto_call *call, rf_str name, const struct columns *columns,
                              struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    struct json_node *properties = json_object_in(arena, body, "properties");
    struct json_node *schema = json_object_in(arena, properties, "schema");
    struct json_node *list =
        json_set(arena, schema, RF_S("columns"), json_new(arena, JSON_T_ARRAY));
    json_set_text(arena, properties, "plan", RF_S("Analytics"));
    json_set_text(arena, schema, "name", name);
    bool timed = find_column(columns, RF_S("TimeGenerated")) >= 0;
    for (uint32_t i = 0; i < columns->count + !timed; i++) {
        bool added = i == columns->count;
        rf_str column = added ? RF_S("TimeGenerated") : columns->items[i].name;
        enum type type = added ? TYPE_DATETIME : (enum type)columns->items[i].type;
        if (is_own(column)) continue;
        if (arm_type(type) == NULL)
            return RF_FAIL(err, RF_INVALID, "NotSupported",
                           "a table of a workspace has no column of type %s ('%.*s')",
                           type_name(type), RF_FMT(column));
        struct json_node *item = json_append(list, json_new(arena, JSON_T_OBJECT));
        json_set_text(arena, item, "name", column);
        json_set_text(arena, item, "type", rf_str_of(arm_type(type)));
    }
    struct arm_resource made;
    bool created;
    rf_str id = table_id(call, name);
    if (id.ptr == NULL || list == NULL) return rf_fail_memory(err, arena);
    return arm_put(call->logs->options.arm, id, body, call->request->principal, arena, &made,
                   &created, err);
}

static bool table_there(struct kusto_call *call, rf_str name, struct table_def *def)
{
    return tables_find(call->logs->options.tables, call->workspace.guid, name, call->arena, def,
                       NULL) == RF_OK;
}

/* The columns of the table as it is, then those of the command that it lacks. */
static enum rf_kind merge(struct kusto_call *call, const struct table_def *def,
                          struct columns *columns, struct rf_err *err)
{
    struct columns all = {
        rf_arena_new(call->arena, struct ast_column, (size_t)def->column_count + columns->count),
        0};
    if (all.items == NULL) return rf_fail_memory(err, call->arena);
    for (uint32_t i = 0; i < def->column_count; i++)
        if (!def->columns[i].standard || rf_str_is(def->columns[i].name, "TimeGenerated"))
            all.items[all.count++] =
                (struct ast_column){.name = def->columns[i].name, .type = def->columns[i].type};
    for (uint32_t i = 0; i < columns->count; i++) {
        int at = find_column(&all, columns->items[i].name);
        if (at >= 0 && all.items[at].type != columns->items[i].type)
            return RF_FAIL(err, RF_CONFLICT, "ColumnTypeConflict",
                           "the column '%.*s' is of type %s and stays it",
                           RF_FMT(columns->items[i].name),
                           type_name((enum type)all.items[at].type));
        if (at < 0) all.items[all.count++] = columns->items[i];
    }
    *columns = all;
    return RF_OK;
}

static void table_row(struct kusto_call *call, struct kusto_rows *out)
{
    kusto_rows_init(out, call->arena,
                    "TableName:string, DatabaseName:string, Folder:string, DocString:string");
    kusto_rows_add(out,
                   (struct value[]){value_str(call->command->name), value_str(call->workspace.name),
                                    value_str(RF_S("")), value_str(RF_S(""))});
}

static enum rf_kind change_table(struct kusto_call *call, struct kusto_rows *out,
                                 struct rf_err *err)
{
    const struct kusto_command *c = call->command;
    struct columns columns = {c->columns, c->column_count};
    struct table_def def;
    rf_str name = c->name;
    RF_TRY(require(call, WORKSPACES "/tables/write", table_id(call, name), err));
    bool there = table_there(call, name, &def);
    bool merges = c->verb == KUSTO_CREATE_MERGE_TABLE || c->verb == KUSTO_ALTER_MERGE_TABLE;
    bool alters = c->verb == KUSTO_ALTER_TABLE || c->verb == KUSTO_ALTER_MERGE_TABLE;
    if (alters && !there)
        return RF_FAIL(err, RF_NOT_FOUND, "BadRequest_EntityNotFound",
                       "Table '%.*s' could not be found.", RF_FMT(name));
    if (there) name = def.name;
    if (there && (merges || alters)) RF_TRY(merge(call, &def, &columns, err));
    /* .create table of one that is there leaves it as it is. */
    if (!there || merges || alters) RF_TRY(put_table(call, name, &columns, err));
    table_row(call, out);
    return RF_OK;
}

static enum rf_kind drop_table(struct kusto_call *call, struct kusto_rows *out, struct rf_err *err)
{
    const struct kusto_command *c = call->command;
    bool existed = false;
    rf_str id = table_id(call, c->name);
    RF_TRY(require(call, WORKSPACES "/tables/delete", id, err));
    enum rf_kind kind = arm_delete(call->logs->options.arm, id, call->request->principal,
                                   call->arena, &existed, err);
    if (kind == RF_NOT_FOUND) existed = false;
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (!existed && !c->if_exists)
        return RF_FAIL(err, RF_NOT_FOUND, "BadRequest_EntityNotFound",
                       "Table '%.*s' could not be found.", RF_FMT(c->name));
    kusto_rows_init(out, call->arena,
                    "TableName:string, DatabaseName:string, Folder:string, DocString:string");
    return RF_OK;
}

/* ---- functions --------------------------------------------------------------------------------------------------- */

/* The saved search whose alias is the function's name; empty: none. */
static enum rf_kind find_function(struct kusto_call *call, rf_str name, rf_str *id,
                                  struct rf_err *err)
{
    struct state_txn *txn;
    struct arm_resource *list;
    uint32_t count;
    rf_str prefix = rf_arena_printf(call->arena, "%.*s/savedsearches/", RF_FMT(call->workspace.id));
    *id = (rf_str){NULL, 0};
    if (prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    prefix = resource_key(call->arena, prefix);
    RF_TRY(state_begin_read(call->logs->options.state, &txn, err));
    enum rf_kind kind = arm_list(call->logs->options.arm, txn, WORKSPACES "/savedSearches",
                                 call->arena, &list, &count, err);
    state_end(txn);
    RF_TRY(kind);
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_starts(list[i].key, prefix) &&
            rf_str_eq(json_text_at(list[i].body, "properties.functionAlias"), name))
            *id = list[i].id;
    return RF_OK;
}

static enum rf_kind put_function(struct kusto_call *call, rf_str id, struct rf_err *err)
{
    const struct kusto_command *c = call->command;
    struct rf_arena *arena = call->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    struct json_node *properties = json_object_in(arena, body, "properties");
    rf_str folder = kusto_property(c, "folder");
    json_set_text(arena, properties, "category", folder.len > 0 ? folder : RF_S("Functions"));
    json_set_text(arena, properties, "displayName", c->name);
    json_set_text(arena, properties, "query", rf_str_trim(c->body));
    json_set_text(arena, properties, "functionAlias", c->name);
    json_set_text(arena, properties, "functionParameters", rf_str_trim(c->parameters));
    if (json_set_i64(arena, properties, "version", 2) == NULL) return rf_fail_memory(err, arena);
    struct arm_resource made;
    bool created;
    return arm_put(call->logs->options.arm, id, body, call->request->principal, arena, &made,
                   &created, err);
}

static enum rf_kind change_function(struct kusto_call *call, struct kusto_rows *out,
                                    struct rf_err *err)
{
    const struct kusto_command *c = call->command;
    rf_str id;
    RF_TRY(require(call, WORKSPACES "/savedSearches/write", call->workspace.id, err));
    RF_TRY(find_function(call, c->name, &id, err));
    if (c->verb == KUSTO_ALTER_FUNCTION && id.len == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "BadRequest_EntityNotFound",
                       "Function '%.*s' could not be found.", RF_FMT(c->name));
    if (c->verb == KUSTO_CREATE_FUNCTION && id.len > 0 && !c->or_alter && !c->if_not_exists)
        return RF_FAIL(err, RF_CONFLICT, "EntityAlreadyExists", "Function '%.*s' already exists.",
                       RF_FMT(c->name));
    bool leave = id.len > 0 && c->if_not_exists && !c->or_alter;
    if (id.len == 0)
        id = rf_arena_printf(call->arena, "%.*s/savedSearches/%.*s", RF_FMT(call->workspace.id),
                             RF_FMT(c->name));
    if (id.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (!leave) RF_TRY(put_function(call, id, err));
    kusto_functions_init(out, call->arena);
    kusto_functions_add(out, c->name, c->parameters, rf_str_trim(c->body));
    return RF_OK;
}

static enum rf_kind drop_function(struct kusto_call *call, struct kusto_rows *out,
                                  struct rf_err *err)
{
    const struct kusto_command *c = call->command;
    rf_str id;
    RF_TRY(require(call, WORKSPACES "/savedSearches/delete", call->workspace.id, err));
    RF_TRY(find_function(call, c->name, &id, err));
    if (id.len == 0 && !c->if_exists)
        return RF_FAIL(err, RF_NOT_FOUND, "BadRequest_EntityNotFound",
                       "Function '%.*s' could not be found.", RF_FMT(c->name));
    if (id.len > 0)
        RF_TRY(arm_delete(call->logs->options.arm, id, call->request->principal, call->arena, NULL,
                          err));
    kusto_functions_init(out, call->arena);
    return RF_OK;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static void extent_row(struct kusto_call *call, struct kusto_rows *out, uint64_t count)
{
    struct guid guid = {{0}};
    (void)text_to_guid(guid_random(call->arena), &guid);
    kusto_rows_init(out, call->arena,
                    "ExtentId:guid, ItemLoaded:string, Duration:timespan, HasErrors:bool, "
                    "OperationId:guid, RowCount:long");
    kusto_rows_add(out, (struct value[]){value_guid(guid),
                                         value_str(rf_arena_printf(call->arena, "inproc:%llu rows",
                                                                   (unsigned long long)count)),
                                         value_i64(TYPE_TIMESPAN, 0), value_bool(false),
                                         value_guid(guid), value_i64(TYPE_LONG, (int64_t)count)});
}

static int64_t now_ticks(const struct kusto_call *call)
{
    return DATETIME_UNIX_EPOCH + rf_clock_now(call->logs->options.clock) * TICKS_PER_MICROSECOND;
}

static enum rf_kind ingest_inline(struct kusto_call *call, struct kusto_rows *out,
                                  struct rf_err *err)
{
    const struct kusto_command *c = call->command;
    rf_str format = kusto_property(c, "format");
    struct kusto_ingest ingest = {
        .workspace = &call->workspace,
        .table = c->name,
        .format = format.len > 0 ? format : RF_S("csv"),
        .mapping = kusto_property(c, "ingestionMappingReference"),
        .ignore_first = rf_str_eq_nocase(kusto_property(c, "ignoreFirstRecord"), RF_S("true")),
        .data = rf_str_trim(c->body),
        .now_ticks = now_ticks(call)};
    uint64_t count;
    RF_TRY(
        kusto_may_ingest(call->logs, call->request, call->arena, &call->workspace, c->name, err));
    RF_TRY(kusto_ingest(call->logs, call->request, call->arena, &ingest, &count, err));
    extent_row(call, out, count);
    return RF_OK;
}

/* Keeps the rows of a query's first result. */
struct keeper {
    struct kql_sink sink;
    struct rf_arena *arena;
    struct schema schema;
    struct rows *rows;
    uint32_t table_count;
};

static enum rf_kind keep_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                               const struct render *render, struct rf_err *err)
{
    struct keeper *k = (struct keeper *)sink;
    (void)name, (void)render;
    if (k->table_count++ > 0)
        return RF_FAIL(err, RF_INVALID, "BadRequest", "the command's query has several results");
    struct column *columns = rf_arena_new(k->arena, struct column, schema->count);
    uint8_t *types = rf_arena_new(k->arena, uint8_t, schema->count);
    if (columns == NULL || types == NULL) return rf_fail_memory(err, k->arena);
    for (uint32_t i = 0; i < schema->count; i++) {
        columns[i] = schema->columns[i];
        types[i] = schema->columns[i].type;
        if (!rf_arena_str(k->arena, columns[i].name, &columns[i].name))
            return rf_fail_memory(err, k->arena);
    }
    k->schema = (struct schema){.columns = columns, .count = schema->count};
    k->rows = rows_new(k->arena, types, schema->count);
    return k->rows == NULL ? rf_fail_memory(err, k->arena) : RF_OK;
}

static enum rf_kind keep_push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    struct keeper *k = (struct keeper *)sink;
    return rows_append(k->rows, batch) ? RF_OK : rf_fail_memory(err, k->arena);
}

static enum rf_kind keep_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static enum rf_kind append_rows(struct kusto_call *call, const struct keeper *k, uint64_t *count,
                                struct rf_err *err)
{
    *count = rows_count(k->rows);
    if (*count == 0) return RF_OK;
    uint32_t batches = (uint32_t)((*count + BATCH_ROWS - 1) / BATCH_ROWS);
    struct batch *list = rf_arena_new(k->arena, struct batch, batches);
    if (list == NULL) return rf_fail_memory(err, k->arena);
    for (uint32_t i = 0; i < batches; i++)
        if (!rows_batch(k->rows, (uint64_t)i * BATCH_ROWS, k->arena, &list[i]))
            return rf_fail_memory(err, k->arena);
    struct rows_in rows = {.schema = &k->schema,
                           .batches = list,
                           .batch_count = batches,
                           .now_ticks = now_ticks(call)};
    return tables_append(call->logs->options.tables, call->workspace.guid, call->command->name,
                         &rows, err);
}

/* A table that is there must have the query's columns; one that is not is made with them. */
static enum rf_kind prepare_table(struct kusto_call *call, const struct keeper *k,
                                  struct rf_err *err)
{
    const struct kusto_command *c = call->command;
    struct columns columns = {rf_arena_new(call->arena, struct ast_column, k->schema.count),
                              k->schema.count};
    struct table_def def;
    if (columns.items == NULL) return rf_fail_memory(err, call->arena);
    for (uint32_t i = 0; i < columns.count; i++)
        columns.items[i] = (struct ast_column){.name = k->schema.columns[i].name,
                                               .type = k->schema.columns[i].type};
    if (!table_there(call, c->name, &def)) return put_table(call, c->name, &columns, err);
    for (uint32_t i = 0; i < columns.count; i++) {
        uint32_t at = 0;
        while (at < def.column_count && !rf_str_eq(def.columns[at].name, columns.items[i].name))
            at++;
        if (at == def.column_count)
            return RF_FAIL(err, RF_INVALID, "SchemaMismatch",
                           "the query has a column '%.*s' and the table has not",
                           RF_FMT(columns.items[i].name));
        if (def.columns[at].type != columns.items[i].type)
            return RF_FAIL(err, RF_INVALID, "SchemaMismatch",
                           "the column '%.*s' is %s in the query and %s in the table",
                           RF_FMT(columns.items[i].name),
                           type_name((enum type)columns.items[i].type),
                           type_name((enum type)def.columns[at].type));
    }
    return RF_OK;
}

static enum rf_kind append(struct kusto_call *call, struct kusto_rows *out, struct rf_err *err)
{
    const struct kusto_command *c = call->command;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, APPEND_BYTES_MAX);
    struct keeper k = {.sink = {.begin = keep_begin, .push = keep_push, .end = keep_end},
                       .arena = &arena};
    struct query_want want = {.text = c->body,
                              .span = call->ask->scope,
                              .workspaces = &call->workspace,
                              .workspace_count = 1,
                              .wait_usec = call->ask->wait_usec,
                              .now_ticks = call->ask->now_ticks,
                              .target = call->request->http->path,
                              .correlation_id = call->request->request_id};
    struct query_result result;
    struct table_def def;
    uint64_t count;
    if (want.now_ticks == 0) want.now_ticks = now_ticks(call);
    RF_TRY(
        kusto_may_ingest(call->logs, call->request, call->arena, &call->workspace, c->name, err));
    bool there = table_there(call, c->name, &def);
    if (c->verb == KUSTO_SET && there)
        return RF_FAIL(err, RF_CONFLICT, "EntityAlreadyExists", "Table '%.*s' already exists.",
                       RF_FMT(c->name));
    if (!there) RF_TRY(require(call, WORKSPACES "/tables/write", table_id(call, c->name), err));
    query_run(call->logs, call->request, call->arena, &want, &k.sink, &result);
    result.row_count = k.rows == NULL ? 0 : rows_count(k.rows);
    query_audit(call->logs, call->request, call->arena, &want, &result,
                result.kind == RF_OK ? 200 : 400);
    if (result.kind != RF_OK) {
        if (err != NULL) *err = result.err;
        return result.kind;
    }
    RF_TRY(prepare_table(call, &k, err));
    RF_TRY(append_rows(call, &k, &count, err));
    extent_row(call, out, count);
    return RF_OK;
}

/* ---- mappings ---------------------------------------------------------------------------------------------------- */

static enum rf_kind change_mapping(struct kusto_call *call, struct kusto_rows *out,
                                   struct rf_err *err)
{
    const struct kusto_command *c = call->command;
    struct table_def def;
    RF_TRY(require(call, WORKSPACES "/tables/write", table_id(call, c->name), err));
    kusto_mappings_init(out, call->arena);
    RF_TRY(tables_find(call->logs->options.tables, call->workspace.guid, c->name, call->arena, &def,
                       err));
    if (c->verb == KUSTO_DROP_MAPPING)
        return kusto_mapping_drop(call->logs, call->arena, &call->workspace, def.name,
                                  c->mapping_kind, c->mapping, err);
    struct kusto_mapping mapping = {.name = c->mapping,
                                    .kind = c->mapping_kind,
                                    .table = def.name,
                                    .text = c->body,
                                    .changed = rf_clock_now(call->logs->options.clock)};
    RF_TRY(kusto_mapping_put(call->logs, call->arena, &call->workspace, &mapping,
                             c->verb == KUSTO_CREATE_MAPPING && !c->or_alter,
                             c->verb == KUSTO_ALTER_MAPPING, err));
    kusto_mappings_add(out, &mapping, call->workspace.name);
    return RF_OK;
}

enum rf_kind kusto_change(struct kusto_call *call, struct kusto_rows *out, struct rf_err *err)
{
    switch (call->command->verb) {
    case KUSTO_CREATE_TABLE:
    case KUSTO_CREATE_MERGE_TABLE:
    case KUSTO_ALTER_TABLE:
    case KUSTO_ALTER_MERGE_TABLE:
        return change_table(call, out, err);
    case KUSTO_DROP_TABLE:
        return drop_table(call, out, err);
    case KUSTO_CREATE_FUNCTION:
    case KUSTO_ALTER_FUNCTION:
        return change_function(call, out, err);
    case KUSTO_DROP_FUNCTION:
        return drop_function(call, out, err);
    case KUSTO_INGEST_INLINE:
        return ingest_inline(call, out, err);
    case KUSTO_APPEND:
    case KUSTO_SET:
        return append(call, out, err);
    default:
        return change_mapping(call, out, err);
    }
}
