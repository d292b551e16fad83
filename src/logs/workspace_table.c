/* workspace_table.c - Microsoft.OperationalInsights/workspaces/tables: custom tables, and retention, plan and further columns of
 * standard ones, which are there without being stored. */
#include "base/encode.h"
#include "logs/jobs.h"
#include "logs/search_job.h"
#include "logs/workspace_int.h"
#include "tables/content.h"

enum { COLUMN_NAME_BYTES_MAX = 45, CUSTOM_NAME_BYTES_MAX = 103, CUSTOM_COLUMNS_MAX = 500 };

static const struct {
    const char *name; /* as Azure writes it */
    enum type type;
} column_types[] = {{"string", TYPE_STRING}, {"int", TYPE_INT},
                    {"long", TYPE_LONG},     {"real", TYPE_REAL},
                    {"boolean", TYPE_BOOL},  {"dateTime", TYPE_DATETIME},
                    {"guid", TYPE_GUID},     {"dynamic", TYPE_DYNAMIC},
                    {"bool", TYPE_BOOL} /* read, never written */};

static const char *azure_type(enum type type)
{
    for (size_t i = 0; i < RF_COUNT(column_types); i++)
        if (column_types[i].type == type) return column_types[i].name;
    return type == TYPE_DECIMAL ? "real" : "string";
}

static bool read_type(rf_str text, enum type *out)
{
    for (size_t i = 0; i < RF_COUNT(column_types); i++) {
        if (!rf_str_eq_nocase(text, rf_str_of(column_types[i].name))) continue;
        *out = column_types[i].type;
        return true;
    }
    return false;
}

/* ---- rules -------------------------------------------------------------------------------------------------------------- */

static bool is_word(rf_str text, const char *more)
{
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_alnum(text.ptr[i]) && strchr(more, text.ptr[i]) == NULL) return false;
    return text.len > 0;
}

static enum rf_kind check_custom_name(rf_str name, struct rf_err *err)
{
    if (rf_str_ends(name, RF_S("_CL")) && name.len <= CUSTOM_NAME_BYTES_MAX && name.len > 3 &&
        is_word(name, "_") && rf_is_alpha(name.ptr[0]))
        return RF_OK;
    return RF_FAIL(
        err, RF_INVALID, "InvalidTableName",
        "The name '%.*s' of a custom table must begin with a letter, consist of letters, "
        "digits and '_', have at most %d characters and end in '_CL'.",
        (int)RF_MIN(name.len, (size_t)200), (const char *)name.ptr, CUSTOM_NAME_BYTES_MAX);
}

static bool is_reserved(rf_str name)
{
    static const char *const words[] = {"Type",          "TenantId",     "resource",
                                        "resourceid",    "resourcename", "resourcetype",
                                        "subscriptionid"};
    for (size_t i = 0; i < RF_COUNT(words); i++)
        if (rf_str_eq_nocase(name, rf_str_of(words[i]))) return true;
    return false;
}

static enum rf_kind check_column_name(rf_str name, struct rf_err *err)
{
    if (is_reserved(name))
        return BAD_PARAMETER(err, "The column name '%.*s' is reserved.", RF_FMT(name));
    if (name.len > 0 && name.len <= COLUMN_NAME_BYTES_MAX && rf_is_alpha(name.ptr[0]) &&
        is_word(name, "_-"))
        return RF_OK;
    return BAD_PARAMETER(
        err,
        "The column name '%.*s' must begin with a letter and consist of at most %d "
        "letters, digits, '_' and '-'.",
        (int)RF_MIN(name.len, (size_t)200), (const char *)name.ptr, COLUMN_NAME_BYTES_MAX);
}

static const struct table_column *find_column(const struct table_def *def, rf_str name)
{
    for (uint32_t i = 0; i < def->column_count; i++)
        if (rf_str_eq(def->columns[i].name, name)) return &def->columns[i];
    return NULL;
}

/* A column as it is stored: its type as Azure writes it. */
static enum rf_kind check_column(struct arm_call *call, struct json_node *column,
                                 const struct table_def *standard, const struct table_def *now,
                                 struct rf_err *err)
{
    rf_str name = json_text_at(column, "name"), text = json_text_at(column, "type");
    enum type type = TYPE_STRING;
    RF_TRY(check_column_name(name, err));
    if (!read_type(text, &type))
        return BAD_PARAMETER(err,
                             "The type '%.*s' of the column '%.*s' is none of string, int, long, "
                             "real, boolean, dateTime, guid, dynamic.",
                             (int)RF_MIN(text.len, (size_t)100), (const char *)text.ptr,
                             RF_FMT(name));
    if (standard != NULL && !rf_str_ends(name, RF_S("_CF")))
        return BAD_PARAMETER(err,
                             "The name of a column that is added to the table '%.*s' must end "
                             "in '_CF'; '%.*s' does not.",
                             RF_FMT(standard->name), RF_FMT(name));
    const struct table_column *there = now == NULL ? NULL : find_column(now, name);
    if (there != NULL && there->type != type)
        return BAD_PARAMETER(err, "The column '%.*s' is of type %s, which cannot be changed.",
                             RF_FMT(name), azure_type((enum type)there->type));
    json_set_text(call->arena, column, "type", rf_str_of(azure_type(type)));
    return RF_OK;
}

/* With case, as KQL compares them: Windows events have ProcessId and ProcessID. */
static bool is_second(const struct json_node *columns, const struct json_node *column)
{
    for (const struct json_node *c = columns->first; c != column; c = c->next)
        if (rf_str_eq(json_text_at(c, "name"), json_text_at(column, "name"))) return true;
    return false;
}

static enum rf_kind check_columns(struct arm_call *call, struct json_node *schema,
                                  const struct table_def *standard, const struct table_def *now,
                                  struct rf_err *err)
{
    struct json_node *columns = json_get(schema, "columns");
    struct json_node *kept = json_new(call->arena, JSON_T_ARRAY);
    bool has_time = false;
    if (columns != NULL && columns->type != JSON_T_ARRAY && columns->type != JSON_T_NULL)
        return BAD_PARAMETER(err, "'columns' of a table's schema must be a list.");
    for (struct json_node *c = columns == NULL ? NULL : columns->first; c != NULL; c = c->next) {
        rf_str name = json_text_at(c, "name");
        /* Clients send back what they were shown. */
        if (standard != NULL && find_column(standard, name) != NULL) continue;
        RF_TRY(check_column(call, c, standard, now, err));
        if (is_second(columns, c))
            return BAD_PARAMETER(err, "The column '%.*s' comes twice.", RF_FMT(name));
        bool is_time = rf_str_is(name, "TimeGenerated");
        if (is_time && !rf_str_is(json_text_at(c, "type"), "dateTime"))
            return BAD_PARAMETER(err, "The column 'TimeGenerated' must be of type dateTime.");
        has_time |= is_time;
        if (json_append(kept, json_clone(call->arena, c)) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    if (standard == NULL && !has_time)
        return BAD_PARAMETER(err, "A table must have the column 'TimeGenerated' of type dateTime.");
    if (kept != NULL && kept->count > CUSTOM_COLUMNS_MAX)
        return BAD_PARAMETER(err, "A table has at most %d custom columns.", CUSTOM_COLUMNS_MAX);
    if (json_set(call->arena, schema, RF_S("columns"), kept) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

/* ---- retention ------------------------------------------------------------------------------------------------------------- */

/* Days that a document says, or -1: those of the workspace, or no more than the retention. */
static int64_t days_of(const struct json_node *body, const char *path)
{
    int64_t days = -1;
    return json_i64_at(body, path, &days) ? days : -1;
}

static int64_t workspace_days(const struct json_node *workspace)
{
    int64_t days = days_of(workspace, "properties.retentionInDays");
    return days < 0 ? RETENTION_DAYS_DEFAULT : days;
}

static enum rf_kind check_days(struct arm_call *call, struct json_node *properties,
                               const char *name, int64_t most, struct rf_err *err)
{
    struct json_node *given = json_get(properties, name);
    int64_t days = 0;
    (void)call;
    if (given == NULL) return RF_OK;
    if (given->type == JSON_T_NULL) {
        json_remove(properties, rf_str_of(name));
        return RF_OK;
    }
    bool fits = json_i64_at(properties, name, &days) && (days == -1 || (days >= 4 && days <= most));
    if (fits) return RF_OK;
    return BAD_PARAMETER(err, "'%s' must be -1 or 4 to %lld days.", name, (long long)most);
}

static enum rf_kind check_retention(struct arm_call *call, struct json_node *body,
                                    const struct json_node *workspace, struct rf_err *err)
{
    struct json_node *properties = json_get(body, "properties");
    RF_TRY(check_days(call, properties, "retentionInDays", RETENTION_DAYS_MAX, err));
    RF_TRY(check_days(call, properties, "totalRetentionInDays", TOTAL_DAYS_MAX, err));
    int64_t days = days_of(body, "properties.retentionInDays");
    int64_t total = days_of(body, "properties.totalRetentionInDays");
    if (days < 0) days = workspace_days(workspace);
    if (total < 0 || total >= days) return RF_OK;
    return BAD_PARAMETER(err,
                         "'totalRetentionInDays' (%lld) must not be less than "
                         "'retentionInDays' (%lld).",
                         (long long)total, (long long)days);
}

static enum rf_kind check_plan(struct arm_call *call, struct json_node *properties,
                               const struct arm_resource *before, struct rf_err *err)
{
    static const char *const plans[] = {"Analytics", "Basic", "Auxiliary"};
    rf_str plan = json_text_at(properties, "plan");
    const struct json_node *old = before == NULL ? NULL : before->body;
    rf_str was = json_text_at(old, "properties.plan");
    if (plan.len == 0) plan = was.len > 0 ? was : RF_S("Analytics");
    for (size_t i = 0; i < RF_COUNT(plans); i++) {
        rf_str known = rf_str_of(plans[i]);
        if (!rf_str_eq_nocase(plan, known)) continue;
        json_set_text(call->arena, properties, "plan", known);
        if (was.len > 0 && !rf_str_eq(was, known))
            json_set_text(call->arena, properties, "lastPlanModifiedDate",
                          time_iso(call->arena, call->now));
        return RF_OK;
    }
    return BAD_PARAMETER(err, "The plan '%.*s' is none of Analytics, Basic, Auxiliary.",
                         (int)RF_MIN(plan.len, (size_t)100), (const char *)plan.ptr);
}

/* ---- what tables learn of it -------------------------------------------------------------------------------------------------- */

static enum rf_kind columns_of(const struct json_node *body, struct rf_arena *arena,
                               struct table_def *def, struct rf_err *err)
{
    const struct json_node *columns = json_at(body, "properties.schema.columns");
    uint32_t count = columns == NULL ? 0 : columns->count, made = 0;
    struct table_column *list = rf_arena_new(arena, struct table_column, count);
    if (list == NULL) return rf_fail_memory(err, arena);
    for (const struct json_node *c = columns == NULL ? NULL : columns->first; c != NULL;
         c = c->next) {
        enum type type;
        if (!read_type(json_text_at(c, "type"), &type)) continue;
        list[made++] = (struct table_column){json_text_at(c, "name"), (uint8_t)type, false};
    }
    def->columns = list;
    def->column_count = made;
    return RF_OK;
}

enum rf_kind workspace_table_define(struct logs *logs, rf_str guid, const struct json_node *body,
                                    struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct table_def def = {.name = json_text_at(body, "name"),
                            .retention_ticks = TABLE_RETENTION_DEFAULT};
    int64_t days = days_of(body, "properties.retentionInDays");
    int64_t total = days_of(body, "properties.totalRetentionInDays");
    rf_arena_init(&arena, 1 << 20);
    RF_TRY(columns_of(body, &arena, &def, err));
    /* Rows stay queryable until their total retention is over. */
    if (RF_MAX(days, total) > 0)
        def.retention_ticks = RETENTION_TICKS(RF_MAX(days, total));
    else if (json_at(body, "properties.restoredLogs") != NULL)
        def.retention_ticks = 0; /* their rows are old */
    return tables_define(logs->options.tables, guid, &def, err);
}

static void changed_table(struct arm_call *call, struct arm_resource *resource)
{
    struct logs *logs = call->ctx;
    struct tables *tables = logs->options.tables;
    struct rf_err err;
    rf_str guid;
    if (workspace_of_child(call, resource->id, &guid, NULL, NULL) == RF_OK) {
        struct table_def reset = {.name = resource->name,
                                  .retention_ticks = TABLE_RETENTION_DEFAULT};
        enum rf_kind kind = RF_OK;
        if (resource->body != NULL)
            kind = workspace_table_define(logs, guid, resource->body, &err);
        else if (content_find(tables_content(tables), resource->name) != NULL)
            kind = tables_define(tables, guid, &reset, &err);
        else
            kind = tables_drop(tables, guid, resource->name, &err);
        if (kind != RF_OK && kind != RF_NOT_FOUND)
            tables_log_failure("tables.change_failed", resource->name, &err);
    }
    if (search_job_owns(resource->name)) jobs_wake(logs->jobs);
    rules_changed(logs);
}

/* ---- the document -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind put_table(struct arm_call *call, struct arm_resource *resource,
                              const struct arm_resource *before, struct rf_err *err)
{
    struct logs *logs = call->ctx;
    struct tables *tables = logs->options.tables;
    struct json_node *workspace, *properties;
    struct table_def now;
    rf_str guid;
    RF_TRY(workspace_of_child(call, resource->id, &guid, &workspace, err));
    properties = json_object_in(call->arena, resource->body, "properties");
    if (properties == NULL) return rf_fail_memory(err, call->arena);
    if (search_job_owns(resource->name)) {
        RF_TRY(search_job_put(call, resource, before, err));
        RF_TRY(check_plan(call, properties, before, err));
        return check_retention(call, resource->body, workspace, err);
    }
    const struct table_def *standard = content_find(tables_content(tables), resource->name);
    if (standard == NULL) RF_TRY(check_custom_name(resource->name, err));
    bool is_there = tables_find(tables, guid, resource->name, call->arena, &now, NULL) == RF_OK;
    struct json_node *given = json_get(properties, "schema");
    if (given != NULL && given->type != JSON_T_OBJECT)
        return BAD_PARAMETER(err, "'schema' must be an object.");
    struct json_node *schema = json_object_in(call->arena, properties, "schema");
    if (schema == NULL) return rf_fail_memory(err, call->arena);
    /* A write that says nothing of columns leaves them as they are. */
    struct json_node *was =
        before == NULL ? NULL : json_at(before->body, "properties.schema.columns");
    if (json_get(schema, "columns") == NULL && was != NULL)
        json_set(call->arena, schema, RF_S("columns"), json_clone(call->arena, was));
    rf_str name = json_text_at(schema, "name");
    if (name.len > 0 && !rf_str_eq_nocase(name, resource->name))
        return BAD_PARAMETER(err, "The name '%.*s' in the schema is not the table's.",
                             (int)RF_MIN(name.len, (size_t)200), (const char *)name.ptr);
    json_set_text(call->arena, schema, "name", standard != NULL ? standard->name : resource->name);
    RF_TRY(check_columns(call, schema, standard, is_there ? &now : NULL, err));
    RF_TRY(check_plan(call, properties, before, err));
    RF_TRY(check_retention(call, resource->body, workspace, err));
    static const char *const shown[] = {"archiveRetentionInDays", "retentionInDaysAsDefault",
                                        "totalRetentionInDaysAsDefault"};
    static const char *const shown_schema[] = {"standardColumns", "tableType", "tableSubType",
                                               "source", "solutions"};
    for (size_t i = 0; i < RF_COUNT(shown); i++) json_remove(properties, rf_str_of(shown[i]));
    bool is_classic = call->principal == NULL && json_get(schema, "tableSubType") != NULL;
    for (size_t i = 0; i < RF_COUNT(shown_schema); i++)
        json_remove(schema, rf_str_of(shown_schema[i]));
    if (standard == NULL && !is_there) RF_TRY(tables_clear(tables, guid, resource->name, err));
    /* Of the old Data Collector API, until somebody writes the table. */
    if (is_classic) json_set_text(call->arena, schema, "tableSubType", RF_S("Classic"));
    json_set_text(call->arena, resource->body, "name",
                  standard != NULL ? standard->name : resource->name);
    return RF_OK;
}

static struct json_node *standard_columns(struct arm_call *call, const struct table_def *def)
{
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    for (uint32_t i = 0; i < def->column_count; i++) {
        const struct table_column *c = &def->columns[i];
        struct json_node *column = json_append(list, json_new(call->arena, JSON_T_OBJECT));
        json_set_text(call->arena, column, "name", c->name);
        json_set_text(call->arena, column, "type", rf_str_of(azure_type((enum type)c->type)));
        json_set_bool(call->arena, column, "isDefaultDisplay", false);
        json_set_bool(call->arena, column, "isHidden", false);
    }
    return list;
}

static const struct table_column own_columns[] = {
    {{(const uint8_t *)"TenantId", 8}, TYPE_STRING, true},
    {{(const uint8_t *)"Type", 4}, TYPE_STRING, true}};

static void show_retention(struct arm_call *call, struct json_node *body,
                           const struct json_node *workspace)
{
    struct json_node *properties = json_get(body, "properties");
    int64_t days = days_of(body, "properties.retentionInDays");
    int64_t total = days_of(body, "properties.totalRetentionInDays");
    json_set_bool(call->arena, properties, "retentionInDaysAsDefault", days < 0);
    json_set_bool(call->arena, properties, "totalRetentionInDaysAsDefault", total < 0);
    if (days < 0) days = workspace_days(workspace);
    if (total < 0) total = days;
    json_set_i64(call->arena, properties, "retentionInDays", days);
    json_set_i64(call->arena, properties, "totalRetentionInDays", total);
    json_set_i64(call->arena, properties, "archiveRetentionInDays", total - days);
}

static enum rf_kind show_with(struct arm_call *call, struct json_node *body,
                              const struct json_node *workspace, const struct table_def *standard,
                              struct rf_err *err)
{
    struct table_def own = {.columns = own_columns, .column_count = RF_COUNT(own_columns)};
    struct json_node *properties = json_object_in(call->arena, body, "properties");
    if (properties == NULL) return rf_fail_memory(err, call->arena);
    struct json_node *schema = json_object_in(call->arena, properties, "schema");
    bool is_classic = rf_str_is(json_text_at(schema, "tableSubType"), "Classic");
    show_retention(call, body, workspace);
    json_set(call->arena, schema, RF_S("standardColumns"),
             standard_columns(call, standard != NULL ? standard : &own));
    json_set_text(call->arena, schema, "tableType",
                  standard != NULL ? RF_S("Microsoft") : RF_S("CustomLog"));
    json_set_text(call->arena, schema, "tableSubType",
                  standard != NULL ? RF_S("Any")
                  : is_classic     ? RF_S("Classic")
                                   : RF_S("DataCollectionRuleBased"));
    struct json_node *solutions = json_new(call->arena, JSON_T_ARRAY);
    json_append(solutions, json_new_text(call->arena, RF_S("LogManagement")));
    if (json_set(call->arena, schema, RF_S("solutions"), solutions) == NULL ||
        json_set_text(call->arena, properties, "provisioningState", RF_S("Succeeded")) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind show_table(struct arm_call *call, struct arm_resource *resource,
                               struct rf_err *err)
{
    struct logs *logs = call->ctx;
    struct json_node *workspace;
    rf_str guid;
    RF_TRY(workspace_of_child(call, resource->id, &guid, &workspace, err));
    RF_TRY(show_with(call, resource->body, workspace,
                     content_find(tables_content(logs->options.tables), resource->name), err));
    return search_job_owns(resource->name) ? search_job_show(call, resource, err) : RF_OK;
}

/* ---- standard tables -------------------------------------------------------------------------------------------------------------- */

static struct json_node *standard_document(struct arm_call *call, rf_str parent_id,
                                           const struct table_def *def)
{
    struct json_node *body = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(
        call->arena, body, "id",
        rf_arena_printf(call->arena, "%.*s/tables/%.*s", RF_FMT(parent_id), RF_FMT(def->name)));
    json_set_text(call->arena, body, "name", def->name);
    json_set_text(call->arena, body, "type",
                  RF_S("Microsoft.OperationalInsights/workspaces/tables"));
    struct json_node *properties = json_object_in(call->arena, body, "properties");
    json_set_text(call->arena, properties, "plan", RF_S("Analytics"));
    struct json_node *schema = json_object_in(call->arena, properties, "schema");
    json_set_text(call->arena, schema, "name", def->name);
    return json_set(call->arena, schema, RF_S("columns"), json_new(call->arena, JSON_T_ARRAY)) ==
                   NULL
               ? NULL
               : body;
}

static rf_str last_segment(rf_str id)
{
    size_t from = id.len;
    while (from > 0 && id.ptr[from - 1] != '/') from--;
    return rf_slice(id, from, id.len);
}

static enum rf_kind virtual_table(struct arm_call *call, rf_str id, struct json_node **body,
                                  struct rf_err *err)
{
    struct logs *logs = call->ctx;
    rf_str name = last_segment(id), guid;
    const struct table_def *def = content_find(tables_content(logs->options.tables), name);
    if (def == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound", "The table '%.*s' was not found.",
                       (int)RF_MIN(name.len, (size_t)200), (const char *)name.ptr);
    RF_TRY(workspace_of_child(call, id, &guid, NULL, err));
    rf_str parent = rf_slice(id, 0, id.len - name.len - RF_S("/tables/").len);
    *body = standard_document(call, parent, def);
    return *body == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
}

/* Among the stored tables of all workspaces. */
static bool is_stored(const struct arm_resource *stored, uint32_t count, rf_str home, rf_str name)
{
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq_nocase(stored[i].name, name) && rf_str_starts(stored[i].key, home))
            return true;
    return false;
}

static enum rf_kind virtual_tables(struct arm_call *call, rf_str parent_id, struct json_node *out,
                                   struct rf_err *err)
{
    struct logs *logs = call->ctx;
    struct json_node *workspace;
    rf_str guid;
    uint32_t count, stored_count;
    struct arm_resource *stored;
    RF_TRY(workspace_of_child(call, parent_id, &guid, &workspace, err));
    RF_TRY(arm_list(call->arm, call->txn, "Microsoft.OperationalInsights/workspaces/tables",
                    call->arena, &stored, &stored_count, err));
    rf_str key = resource_key(call->arena, parent_id);
    rf_str home = rf_arena_printf(call->arena, "%.*s/tables/", RF_FMT(key));
    if (key.ptr == NULL || home.ptr == NULL) return rf_fail_memory(err, call->arena);
    const struct table_def *defs = content_tables(tables_content(logs->options.tables), &count);
    for (uint32_t i = 0; i < count; i++) {
        if (is_stored(stored, stored_count, home, defs[i].name)) continue;
        struct json_node *body = standard_document(call, parent_id, &defs[i]);
        if (body == NULL) return rf_fail_memory(err, call->arena);
        RF_TRY(show_with(call, body, workspace, &defs[i], err));
        (void)json_append(out, body);
    }
    return RF_OK;
}

/* A custom table of the old kind becomes one that rules may fill, which ours are from the start. */
static enum rf_kind migrate(struct arm_call *call, struct arm_resource *resource,
                            struct rf_err *err)
{
    (void)resource, (void)err;
    return request_answer_empty(call->request, 200);
}

static enum rf_kind remove_table(struct arm_call *call, struct arm_resource *resource,
                                 struct rf_err *err)
{
    return search_job_owns(resource->name) ? search_job_remove(call, resource, err) : RF_OK;
}

static const struct arm_action table_actions[] = {
    {.name = "cancelSearch", .method = HTTP_POST, .run = search_job_cancel},
    {.name = "migrate", .method = HTTP_POST, .run = migrate},
};

static const char table_members[] =
    "schema name displayName description columns type dataTypeHint isDefaultDisplay "
    "isHidden plan retentionInDays totalRetentionInDays searchResults query limit "
    "startSearchTime endSearchTime restoredLogs startRestoreTime endRestoreTime "
    "sourceTable";

struct arm_type workspace_table_type(struct logs *logs)
{
    return (struct arm_type){.name = "Microsoft.OperationalInsights/workspaces/tables",
                             .versions = workspace_versions,
                             .members = table_members,
                             .put = put_table,
                             .remove = remove_table,
                             .changed = changed_table,
                             .show = show_table,
                             .virtual_get = virtual_table,
                             .virtual_list = virtual_tables,
                             .actions = table_actions,
                             .action_count = RF_COUNT(table_actions),
                             .ctx = logs};
}
