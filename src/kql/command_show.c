/* command_show.c - commands that show tables, functions and schemas of a catalog. */
#include "base/encode.h"
#include "base/json.h"
#include "kql/ast.h"
#include "kql/command_int.h"
#include "value/text.h"

static struct value text(rf_str s) { return value_str(s); }
static struct value literal(const char *s) { return command_literal(s); }

/* ---- names and columns as the language writes them --------------------------------------------------------------- */

static void put_name(struct rf_buf *buf, rf_str name)
{
    bool plain = name.len > 0 && !rf_is_digit(name.ptr[0]);
    for (size_t i = 0; i < name.len; i++) plain &= rf_is_alnum(name.ptr[i]) || name.ptr[i] == '_';
    if (plain) {
        rf_buf_str(buf, name);
        return;
    }
    rf_buf_byte(buf, '[');
    json_put_string(buf, name);
    rf_buf_byte(buf, ']');
}

rf_str command_csl(struct rf_arena *arena, const struct ast_column *columns, uint32_t count)
{
    struct rf_buf buf = rf_buf_in(arena);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) rf_buf_byte(&buf, ',');
        put_name(&buf, columns[i].name);
        rf_buf_printf(&buf, ":%s", type_name((enum type)columns[i].type));
    }
    return buf.failed ? (rf_str){NULL, 0} : rf_buf_view(&buf);
}

static void put_column(struct json_out *out, rf_str name, enum type type)
{
    json_begin_object(out, NULL);
    json_put_text(out, "Name", name);
    json_put_text(out, "Type", rf_str_of(type_dotnet_name(type)));
    json_put_text(out, "CslType", rf_str_of(type_name(type)));
    json_end_object(out);
}

static enum rf_kind describe(struct command_host *h, rf_str table, struct command_info *info,
                             struct rf_err *err)
{
    *info = (struct command_info){.folder = RF_S(""), .docstring = RF_S("")};
    return h->ops->describe == NULL ? RF_OK : h->ops->describe(h, table, info, err);
}

static enum rf_kind put_table_members(struct command_host *h, struct json_out *out,
                                      const struct source *source, struct rf_err *err)
{
    struct command_info info;
    RF_TRY(describe(h, source->name, &info, err));
    json_put_text(out, "Name", source->name);
    json_put_text(out, "Folder", info.folder);
    json_put_text(out, "DocString", info.docstring);
    json_begin_array(out, "OrderedColumns");
    for (uint32_t i = 0; i < source->column_count; i++)
        put_column(out, source->columns[i].name, (enum type)source->columns[i].type);
    json_end_array(out);
    return RF_OK;
}

/* `name` as the key of a member, which json_out takes as a C text. */
static const char *key_of(struct rf_arena *arena, rf_str name)
{
    const char *key = rf_arena_cstr(arena, name);
    return key == NULL ? "" : key;
}

/* ---- functions --------------------------------------------------------------------------------------------------- */

void command_split_function(rf_str text, rf_str *parameters, rf_str *body)
{
    size_t depth = 0, at = 0;
    for (; at < text.len; at++) {
        uint8_t c = text.ptr[at];
        if (c == '"' || c == '\'') { /* a default value may hold brackets */
            size_t end = at + 1;
            while (end < text.len && text.ptr[end] != c) end += text.ptr[end] == '\\' ? 2 : 1;
            at = RF_MIN(end, text.len - 1);
        }
        depth += c == '(';
        if (c == ')' && --depth == 0) break;
        if (c == ')' && depth == SIZE_MAX) break;
    }
    size_t open = rf_str_find(text, RF_S("("), 0), brace = rf_str_find(text, RF_S("{"), at);
    *parameters = open < at && at < text.len ? rf_slice(text, open + 1, at) : (rf_str){NULL, 0};
    *body = text;
    if (brace == SIZE_MAX) return;
    size_t end = text.len;
    while (end > brace && text.ptr[end - 1] != '}') end--;
    *body = rf_str_trim(rf_slice(text, brace + 1, RF_MAX(end, brace + 2) - 1));
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

static void put_function(struct json_out *out, const struct command_function *f)
{
    json_begin_object(out, key_of(out->buf->arena, f->name));
    json_put_text(out, "Name", f->name);
    put_parameters(out, f->parameters);
    json_put_text(out, "Body", rf_arena_printf(out->buf->arena, "{ %.*s }", RF_FMT(f->body)));
    json_put_text(out, "Folder", f->folder);
    json_put_text(out, "DocString", f->docstring);
    json_put_text(out, "FunctionKind", RF_S("Unknown"));
    json_begin_array(out, "OutputColumns");
    json_end_array(out);
    json_end_object(out);
}

/* Those of the host, or else what the catalog has. */
static enum rf_kind list_functions(struct command_host *h, struct command_function **out,
                                   uint32_t *count, struct rf_err *err)
{
    if (h->ops->functions != NULL) return h->ops->functions(h, out, count, err);
    const struct catalog *catalog = h->catalog;
    *count = catalog->function_count;
    *out = rf_arena_new(h->arena, struct command_function, catalog->function_count);
    if (*out == NULL) return rf_fail_memory(err, h->arena);
    for (uint32_t i = 0; i < *count; i++) {
        struct command_function *f = &(*out)[i];
        *f = (struct command_function){
            .name = catalog->functions[i].name, .folder = RF_S(""), .docstring = RF_S("")};
        command_split_function(catalog->functions[i].text, &f->parameters, &f->body);
    }
    return RF_OK;
}

void command_functions_init(struct command_rows *out, struct rf_arena *arena)
{
    command_rows_init(
        out, arena, "Name:string, Parameters:string, Body:string, Folder:string, DocString:string");
}

void command_functions_add(struct command_rows *out, const struct command_function *f)
{
    rf_str shown = rf_arena_printf(out->arena, "(%.*s)", RF_FMT(f->parameters));
    rf_str braces = rf_arena_printf(out->arena, "{ %.*s }", RF_FMT(f->body));
    command_rows_add(out, (struct value[]){text(f->name), text(shown), text(braces),
                                           text(f->folder), text(f->docstring)});
}

static enum rf_kind show_functions(struct command_host *h, const struct command *c,
                                   struct command_rows *out, struct rf_err *err)
{
    bool one = c->verb == COMMAND_SHOW_FUNCTION, found = false;
    struct command_function *list;
    uint32_t count;
    RF_TRY(list_functions(h, &list, &count, err));
    command_functions_init(out, h->arena);
    for (uint32_t i = 0; i < count; i++) {
        if (one && !rf_str_eq(list[i].name, c->name)) continue;
        command_functions_add(out, &list[i]);
        found = true;
    }
    return found || !one ? RF_OK : command_no_function(c->name, err);
}

/* ---- schemas ----------------------------------------------------------------------------------------------------- */

static bool shown(const struct command_host *h, const struct source *source)
{
    return h->catalog->shows == NULL || h->catalog->shows(h->catalog, source);
}

enum rf_kind command_put_database(struct command_host *h, struct json_out *out, struct rf_err *err)
{
    const struct catalog *catalog = h->catalog;
    const char *name = key_of(h->arena, h->database);
    static const char *const empty[] = {"ExternalTables", "MaterializedViews", "EntityGroups"};
    struct command_function *functions;
    uint32_t function_count;
    json_begin_object(out, name);
    json_put_text(out, "Name", rf_str_of(name));
    json_begin_object(out, "Tables");
    for (uint32_t i = 0; i < catalog->source_count; i++) {
        struct source *source = catalog->sources[i];
        if (!shown(h, source)) continue;
        RF_TRY(source_open(source, err));
        json_begin_object(out, key_of(h->arena, source->name));
        RF_TRY(put_table_members(h, out, source, err));
        json_end_object(out);
    }
    json_end_object(out);
    for (size_t i = 0; i < RF_COUNT(empty); i++) {
        json_begin_object(out, empty[i]);
        json_end_object(out);
    }
    json_put_i64(out, "MajorVersion", 1);
    json_put_i64(out, "MinorVersion", 1);
    RF_TRY(list_functions(h, &functions, &function_count, err));
    json_begin_object(out, "Functions");
    for (uint32_t i = 0; i < function_count; i++) put_function(out, &functions[i]);
    json_end_object(out);
    json_put_text(out, "DatabaseAccessMode", RF_S("ReadWrite"));
    json_end_object(out);
    return RF_OK;
}

enum rf_kind command_add_schema(struct command_host *h, struct command_rows *out,
                                struct rf_err *err)
{
    const struct catalog *catalog = h->catalog;
    for (uint32_t i = 0; i < catalog->source_count; i++) {
        struct source *source = catalog->sources[i];
        struct command_info info;
        if (!shown(h, source)) continue;
        RF_TRY(source_open(source, err));
        RF_TRY(describe(h, source->name, &info, err));
        for (uint32_t c = 0; c < source->column_count; c++)
            command_rows_add(
                out, (struct value[]){text(h->database), text(source->name),
                                      text(source->columns[c].name),
                                      literal(type_dotnet_name((enum type)source->columns[c].type)),
                                      value_bool(false), value_bool(false), literal(""),
                                      literal("v1.1"), text(info.folder), text(info.docstring)});
    }
    return RF_OK;
}

static void put_with(struct rf_buf *buf, rf_str folder, rf_str docstring)
{
    if (folder.len == 0 && docstring.len == 0) return;
    rf_buf_str(buf, RF_S(" with (folder="));
    json_put_string(buf, folder);
    rf_buf_str(buf, RF_S(", docstring="));
    json_put_string(buf, docstring);
    rf_buf_str(buf, RF_S(")"));
}

/* Commands that make tables and functions like these. */
static enum rf_kind show_script(struct command_host *h, struct command_rows *out,
                                struct rf_err *err)
{
    const struct catalog *catalog = h->catalog;
    struct command_function *functions;
    uint32_t function_count;
    command_rows_init(out, h->arena, "DatabaseSchemaScript:string");
    for (uint32_t i = 0; i < catalog->source_count; i++) {
        struct source *source = catalog->sources[i];
        struct command_info info;
        struct rf_buf buf = rf_buf_in(h->arena);
        if (!shown(h, source)) continue;
        RF_TRY(source_open(source, err));
        RF_TRY(describe(h, source->name, &info, err));
        rf_buf_str(&buf, RF_S(".create-merge table "));
        put_name(&buf, source->name);
        rf_buf_printf(&buf, " (%.*s)",
                      RF_FMT(command_csl(h->arena, source->columns, source->column_count)));
        put_with(&buf, info.folder, info.docstring);
        if (buf.failed) return rf_fail_memory(err, h->arena);
        command_rows_add(out, (struct value[]){text(rf_buf_view(&buf))});
    }
    RF_TRY(list_functions(h, &functions, &function_count, err));
    for (uint32_t i = 0; i < function_count; i++) {
        struct rf_buf buf = rf_buf_in(h->arena);
        rf_buf_str(&buf, RF_S(".create-or-alter function"));
        put_with(&buf, functions[i].folder, functions[i].docstring);
        rf_buf_byte(&buf, ' ');
        put_name(&buf, functions[i].name);
        rf_buf_printf(&buf, "(%.*s) {\n%.*s\n}", RF_FMT(functions[i].parameters),
                      RF_FMT(functions[i].body));
        if (buf.failed) return rf_fail_memory(err, h->arena);
        command_rows_add(out, (struct value[]){text(rf_buf_view(&buf))});
    }
    return RF_OK;
}

static enum rf_kind show_schema_json(struct command_host *h, const struct command *c,
                                     struct command_rows *out, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(h->arena);
    struct json_out json = json_out_to(&buf);
    bool cluster = rf_str_find(rf_str_of(c->entry->syntax), RF_S("database"), 0) == SIZE_MAX;
    json_begin_object(&json, NULL);
    json_begin_object(&json, "Databases");
    RF_TRY(command_put_database(h, &json, err));
    json_end_object(&json);
    json_end_object(&json);
    if (buf.failed) return rf_fail_memory(err, h->arena);
    command_rows_init(out, h->arena, cluster ? "ClusterSchema:string" : "DatabaseSchema:string");
    command_rows_add(out, (struct value[]){text(rf_buf_view(&buf))});
    return RF_OK;
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static bool table_wanted(const struct command *c, rf_str name)
{
    if (c->name_count == 0 && c->name.len > 0) return rf_str_eq(c->name, name);
    for (uint32_t i = 0; i < c->name_count; i++)
        if (rf_str_eq(c->names[i], name)) return true;
    return c->name_count == 0;
}

/* A table that is named must be there. */
static enum rf_kind check_names(struct command_host *h, const struct command *c, struct rf_err *err)
{
    if (c->name.len > 0 && catalog_find_own(h->catalog, c->name) == NULL)
        return command_no_table(c->name, err);
    for (uint32_t i = 0; i < c->name_count; i++)
        if (catalog_find_own(h->catalog, c->names[i]) == NULL)
            return command_no_table(c->names[i], err);
    return RF_OK;
}

static rf_str retention_json(struct rf_arena *arena, int64_t ticks)
{
    struct rf_buf buf = rf_buf_in(arena);
    rf_buf_str(&buf, RF_S("{\"SoftDeletePeriod\":\""));
    if (ticks > 0)
        text_put_timespan(&buf, ticks);
    else
        rf_buf_str(&buf, RF_S("36500.00:00:00"));
    rf_buf_str(&buf, RF_S("\",\"Recoverability\":\"Disabled\"}"));
    return buf.failed ? (rf_str){NULL, 0} : rf_buf_view(&buf);
}

static void add_details(struct command_host *h, struct command_rows *out,
                        const struct source *source, const struct command_info *info)
{
    const struct table_stats *s = &info->stats;
    bool timed = s->time_min <= s->time_max && s->row_count > 0;
    struct value extents = command_number(s->extent_count), rows = command_number(s->row_count);
    struct value bytes = value_real((double)s->disk_bytes);
    command_rows_add(
        out,
        (struct value[]){text(source->name),
                         text(h->database),
                         text(info->folder),
                         text(info->docstring),
                         extents,
                         bytes,
                         bytes,
                         rows,
                         extents,
                         bytes,
                         bytes,
                         rows,
                         literal(""),
                         text(retention_json(h->arena, s->retention_ticks)),
                         literal(""),
                         literal(""),
                         literal(""),
                         literal(""),
                         literal(""),
                         timed ? value_i64(TYPE_DATETIME, s->time_min) : value_null(TYPE_DATETIME),
                         timed ? value_i64(TYPE_DATETIME, s->time_max) : value_null(TYPE_DATETIME),
                         literal(""),
                         literal("")});
}

enum rf_kind command_show_tables(struct command_host *h, const struct command *c,
                                 struct command_rows *out, struct rf_err *err)
{
    bool details = c->verb == COMMAND_SHOW_TABLES_DETAILS;
    const struct catalog *catalog = h->catalog;
    command_rows_init(out, h->arena,
                      details ? "TableName:string, DatabaseName:string, Folder:string, "
                                "DocString:string, TotalExtents:long, TotalExtentSize:real, "
                                "TotalOriginalSize:real, TotalRowCount:long, HotExtents:long, "
                                "HotExtentSize:real, HotOriginalSize:real, HotRowCount:long, "
                                "AuthorizedPrincipals:string, RetentionPolicy:string, "
                                "CachingPolicy:string, ShardingPolicy:string, MergePolicy:string, "
                                "StreamingIngestionPolicy:string, IngestionBatchingPolicy:string, "
                                "MinExtentsCreationTime:datetime, MaxExtentsCreationTime:datetime, "
                                "RowOrderPolicy:string, TableId:string"
                              : "TableName:string, DatabaseName:string, Folder:string, "
                                "DocString:string");
    for (uint32_t i = 0; i < catalog->source_count; i++) {
        struct source *source = catalog->sources[i];
        struct command_info info;
        if (!table_wanted(c, source->name) || !shown(h, source)) continue;
        if (details) RF_TRY(source_open(source, err));
        RF_TRY(describe(h, source->name, &info, err));
        if (details)
            add_details(h, out, source, &info);
        else
            command_rows_add(out, (struct value[]){text(source->name), text(h->database),
                                                   text(info.folder), text(info.docstring)});
    }
    return RF_OK;
}

static enum rf_kind show_table(struct command_host *h, const struct command *c,
                               struct command_rows *out, struct rf_err *err)
{
    struct source *source = catalog_find_own(h->catalog, c->name);
    struct command_info info;
    if (source == NULL) return command_no_table(c->name, err);
    RF_TRY(source_open(source, err));
    if (c->verb == COMMAND_SHOW_TABLE) {
        command_rows_init(out, h->arena, "AttributeName:string, AttributeType:string");
        for (uint32_t i = 0; i < source->column_count; i++) {
            enum type type = (enum type)source->columns[i].type;
            command_rows_add(out, (struct value[]){text(source->columns[i].name),
                                                   literal(type_dotnet_name(type))});
        }
        return RF_OK;
    }
    rf_str schema = command_csl(h->arena, source->columns, source->column_count);
    if (c->verb == COMMAND_SHOW_TABLE_JSON) {
        struct rf_buf buf = rf_buf_in(h->arena);
        struct json_out json = json_out_to(&buf);
        json_begin_object(&json, NULL);
        RF_TRY(put_table_members(h, &json, source, err));
        json_end_object(&json);
        if (buf.failed) return rf_fail_memory(err, h->arena);
        schema = rf_buf_view(&buf);
    }
    RF_TRY(describe(h, source->name, &info, err));
    command_rows_init(out, h->arena,
                      "TableName:string, Schema:string, DatabaseName:string, Folder:string, "
                      "DocString:string");
    command_rows_add(out, (struct value[]){text(source->name), text(schema), text(h->database),
                                           text(info.folder), text(info.docstring)});
    return RF_OK;
}

/* An extent is known by its file's digest, whose first bytes make its identifier. */
void command_extents(rf_str database, rf_str name, const struct table *table,
                     struct command_rows *out)
{
    for (uint32_t i = 0; table != NULL && i < table_part_count(table); i++) {
        struct extent_info info = {0};
        struct guid guid = {{0}};
        int64_t min, max;
        bool sealed = table_part_info(table, i, &info),
             timed = table_part_times(table, i, &min, &max);
        if (!sealed && table_part_rows(table, i) == 0) continue;
        memcpy(&guid, info.digest, sizeof guid);
        struct value bytes = sealed ? value_real((double)info.file_bytes) : value_null(TYPE_REAL);
        command_rows_add(
            out, (struct value[]){value_guid(guid), text(database), text(name),
                                  timed ? value_i64(TYPE_DATETIME, max) : value_null(TYPE_DATETIME),
                                  bytes, bytes, bytes, value_null(TYPE_REAL),
                                  command_number(table_part_blocks(table, i)), command_number(1),
                                  literal(""), command_number(table_part_rows(table, i)),
                                  timed ? value_i64(TYPE_DATETIME, min) : value_null(TYPE_DATETIME),
                                  literal(""), literal(sealed ? "Ringfort" : "RingfortJournal"),
                                  command_number(0)});
    }
}

static enum rf_kind show_extents(struct command_host *h, const struct command *c,
                                 struct command_rows *out, struct rf_err *err)
{
    const struct catalog *catalog = h->catalog;
    if (h->ops->extents == NULL) return command_not_here(c, err);
    RF_TRY(check_names(h, c, err));
    command_rows_init(out, h->arena,
                      "ExtentId:guid, DatabaseName:string, TableName:string, "
                      "MaxCreatedOn:datetime, OriginalSize:real, ExtentSize:real, "
                      "CompressedSize:real, IndexSize:real, Blocks:long, Segments:long, "
                      "ExtentContainerId:string, RowCount:long, MinCreatedOn:datetime, "
                      "Tags:string, Kind:string, DeletedRowCount:long");
    for (uint32_t i = 0; i < catalog->source_count; i++) {
        struct source *source = catalog->sources[i];
        if (!table_wanted(c, source->name) || !shown(h, source)) continue;
        RF_TRY(source_open(source, err));
        RF_TRY(h->ops->extents(h, source, out, err));
    }
    return RF_OK;
}

static enum rf_kind show_retention(struct command_host *h, const struct command *c,
                                   struct command_rows *out, struct rf_err *err)
{
    int64_t ticks;
    if (h->ops->retention == NULL) return command_not_here(c, err);
    RF_TRY(check_names(h, c, err));
    RF_TRY(h->ops->retention(h, c->name, &ticks, err));
    command_rows_init(out, h->arena,
                      "PolicyName:string, EntityName:string, Policy:string, ChildEntities:string, "
                      "EntityType:string");
    rf_str entity =
        rf_arena_printf(h->arena, "[%.*s].[%.*s]", RF_FMT(h->database), RF_FMT(c->name));
    command_rows_add(out, (struct value[]){literal("RetentionPolicy"), text(entity),
                                           text(retention_json(h->arena, ticks)), literal(""),
                                           literal("Table")});
    return RF_OK;
}

static enum rf_kind show_none(struct command_host *h, const struct command *c,
                              struct command_rows *out)
{
    rf_str syntax = rf_str_of(c->entry->syntax);
    bool external = rf_str_find(syntax, RF_S("external"), 0) != SIZE_MAX;
    command_rows_init(out, h->arena,
                      external
                          ? "TableName:string, TableType:string, Folder:string, DocString:string, "
                            "Properties:string, ConnectionStrings:dynamic, Partitions:dynamic, "
                            "PathFormat:string"
                          : "Name:string, SourceTable:string, Query:string, Folder:string, "
                            "DocString:string");
    return RF_OK;
}

enum rf_kind command_show(struct command_host *h, const struct command *c, struct command_rows *out,
                          struct rf_err *err)
{
    switch (c->verb) {
    case COMMAND_SHOW_TABLES:
        return command_show_tables(h, c, out, err);
    case COMMAND_SHOW_TABLES_DETAILS:
        RF_TRY(check_names(h, c, err));
        return command_show_tables(h, c, out, err);
    case COMMAND_SHOW_TABLE:
    case COMMAND_SHOW_TABLE_CSL:
    case COMMAND_SHOW_TABLE_JSON:
        return show_table(h, c, out, err);
    case COMMAND_SHOW_EXTENTS:
        return show_extents(h, c, out, err);
    case COMMAND_SHOW_RETENTION:
        return show_retention(h, c, out, err);
    case COMMAND_SHOW_FUNCTIONS:
    case COMMAND_SHOW_FUNCTION:
        return show_functions(h, c, out, err);
    case COMMAND_SHOW_SCHEMA:
        command_rows_init(out, h->arena, COMMAND_SCHEMA_COLUMNS);
        return command_add_schema(h, out, err);
    case COMMAND_SHOW_SCHEMA_JSON:
        return show_schema_json(h, c, out, err);
    case COMMAND_SHOW_SCHEMA_SCRIPT:
        return show_script(h, out, err);
    case COMMAND_SHOW_PURGES:
        return command_show_purges(h, c, out, err);
    case COMMAND_SHOW_NONE:
        return show_none(h, c, out);
    default:
        return command_not_here(c, err);
    }
}
