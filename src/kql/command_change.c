/* command_change.c - commands that make, change and remove tables and functions: the rules; what a host keeps and how is its own. */
#include "base/json.h"
#include "kql/ast.h"
#include "kql/command_int.h"
#include "value/text.h"

static struct value text(rf_str s) { return value_str(s); }

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static int find_column(const struct ast_column *columns, uint32_t count, rf_str name)
{
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq(columns[i].name, name)) return (int)i;
    return -1;
}

static enum rf_kind check_columns(const struct command_table *t, struct rf_err *err)
{
    for (uint32_t i = 1; i < t->column_count; i++)
        if (find_column(t->columns, i, t->columns[i].name) >= 0)
            return RF_FAIL(err, RF_INVALID, "SchemaMismatch", "two columns are called '%.*s'",
                           RF_FMT(t->columns[i].name));
    return RF_OK;
}

/* RF_OK with *there false when there is none. */
static enum rf_kind find(struct command_host *h, rf_str table, struct command_def *def, bool *there,
                         struct rf_err *err)
{
    enum rf_kind kind = h->ops->find(h, table, def, err);
    *there = kind == RF_OK;
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

/* The columns of the table as it is, then those of the command that it lacks. */
static enum rf_kind merge(struct command_host *h, const struct command_table *t,
                          struct command_def *def, struct rf_err *err)
{
    struct ast_column *all =
        rf_arena_new(h->arena, struct ast_column, (size_t)def->column_count + t->column_count);
    uint32_t count = def->column_count;
    if (all == NULL) return rf_fail_memory(err, h->arena);
    if (count > 0) memcpy(all, def->columns, count * sizeof *all);
    for (uint32_t i = 0; i < t->column_count; i++) {
        int at = find_column(all, count, t->columns[i].name);
        if (at >= 0 && all[at].type != t->columns[i].type)
            return RF_FAIL(err, RF_CONFLICT, "ColumnTypeConflict",
                           "the column '%.*s' is of type %s and stays it; .alter column %.*s.%.*s "
                           "type = %s changes it",
                           RF_FMT(t->columns[i].name), type_name((enum type)all[at].type),
                           RF_FMT(def->name), RF_FMT(t->columns[i].name),
                           type_name((enum type)t->columns[i].type));
        if (at < 0) all[count++] = t->columns[i];
    }
    def->columns = all;
    def->column_count = count;
    return RF_OK;
}

static void table_rows_init(struct command_host *h, struct command_rows *out)
{
    command_rows_init(out, h->arena,
                      "TableName:string, Schema:string, DatabaseName:string, Folder:string, "
                      "DocString:string");
}

static enum rf_kind add_table_row(struct command_host *h, rf_str name, struct command_rows *out,
                                  struct rf_err *err)
{
    struct command_def def;
    struct rf_buf buf = rf_buf_in(h->arena);
    struct json_out json = json_out_to(&buf);
    RF_TRY(h->ops->find(h, name, &def, err));
    json_begin_object(&json, NULL);
    json_put_text(&json, "Name", def.name);
    json_begin_array(&json, "OrderedColumns");
    for (uint32_t i = 0; i < def.column_count; i++) {
        enum type type = (enum type)def.columns[i].type;
        json_begin_object(&json, NULL);
        json_put_text(&json, "Name", def.columns[i].name);
        json_put_text(&json, "Type", rf_str_of(type_dotnet_name(type)));
        json_put_text(&json, "CslType", rf_str_of(type_name(type)));
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
    if (buf.failed) return rf_fail_memory(err, h->arena);
    command_rows_add(out,
                     (struct value[]){text(def.name), text(rf_buf_view(&buf)), text(h->database),
                                      text(def.folder), text(def.docstring)});
    return RF_OK;
}

static void put_quoted_name(struct rf_buf *buf, rf_str name)
{
    rf_buf_byte(buf, '[');
    json_put_string(buf, name);
    rf_buf_byte(buf, ']');
}

/* The table with just these columns: rows keep what is in them. */
static enum rf_kind keep_columns(struct command_host *h, rf_str table,
                                 const struct ast_column *columns, uint32_t count,
                                 struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(h->arena);
    put_quoted_name(&buf, table);
    rf_buf_str(&buf, RF_S(" | project "));
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) rf_buf_str(&buf, RF_S(", "));
        put_quoted_name(&buf, columns[i].name);
    }
    if (buf.failed) return rf_fail_memory(err, h->arena);
    return h->ops->rewrite(h, table, rf_buf_view(&buf), err);
}

static enum rf_kind change_one(struct command_host *h, const struct command *c,
                               const struct command_table *t, struct rf_err *err)
{
    struct command_def def;
    bool there, merges = c->verb != COMMAND_CREATE_TABLE;
    bool alters = c->verb == COMMAND_ALTER_TABLE || c->verb == COMMAND_ALTER_MERGE_TABLE;
    RF_TRY(check_columns(t, err));
    RF_TRY(find(h, t->name, &def, &there, err));
    if (alters && !there) return command_no_table(t->name, err);
    /* .create table of one that is there leaves it as it is. */
    if (there && !merges) return RF_OK;
    if (!there)
        def = (struct command_def){
            .name = t->name, .columns = t->columns, .column_count = t->column_count};
    uint32_t before = there ? def.column_count : 0, kept = 0;
    for (uint32_t i = 0; i < before; i++)
        kept += find_column(t->columns, t->column_count, def.columns[i].name) >= 0;
    bool drops = c->verb == COMMAND_ALTER_TABLE && kept < before && h->ops->rewrite != NULL;
    if (there) RF_TRY(merge(h, t, &def, err));
    def.folder = command_property(c, "folder");
    def.docstring = command_property(c, "docstring");
    RF_TRY(h->ops->put(h, &def, err));
    return drops ? keep_columns(h, def.name, t->columns, t->column_count, err) : RF_OK;
}

static enum rf_kind change_tables(struct command_host *h, const struct command *c,
                                  struct command_rows *out, struct rf_err *err)
{
    if (h->ops->put == NULL) return command_not_here(c, err);
    for (uint32_t i = 0; i < c->table_count; i++) RF_TRY(change_one(h, c, &c->tables[i], err));
    table_rows_init(h, out);
    for (uint32_t i = 0; i < c->table_count; i++)
        RF_TRY(add_table_row(h, c->tables[i].name, out, err));
    return RF_OK;
}

static enum rf_kind describe_table(struct command_host *h, const struct command *c,
                                   struct command_rows *out, struct rf_err *err)
{
    struct command_def def;
    if (h->ops->put == NULL) return command_not_here(c, err);
    RF_TRY(h->ops->find(h, c->name, &def, err));
    rf_str said = c->body.ptr == NULL ? RF_S("") : c->body;
    def.folder = c->folder ? said : (rf_str){NULL, 0};
    def.docstring = c->folder ? (rf_str){NULL, 0} : said;
    RF_TRY(h->ops->put(h, &def, err));
    table_rows_init(h, out);
    return add_table_row(h, def.name, out, err);
}

static enum rf_kind rename_tables(struct command_host *h, const struct command *c,
                                  struct command_rows *out, struct rf_err *err)
{
    struct command_pair one = {.to = c->to, .from = c->name};
    const struct command_pair *given = c->pair_count > 0 ? c->pairs : &one;
    uint32_t given_count = c->pair_count > 0 ? c->pair_count : 1, count = 0;
    struct command_pair *pairs = rf_arena_new(h->arena, struct command_pair, given_count);
    if (h->ops->rename == NULL) return command_not_here(c, err);
    if (pairs == NULL) return rf_fail_memory(err, h->arena);
    for (uint32_t i = 0; i < given_count; i++) {
        struct command_def def;
        bool there;
        RF_TRY(find(h, given[i].from, &def, &there, err));
        if (!there && !given[i].if_exists) return command_no_table(given[i].from, err);
        if (there) pairs[count++] = given[i];
    }
    /* A new name is free, or becomes free by this command; none comes twice. */
    for (uint32_t i = 0; i < count; i++) {
        struct command_def def;
        bool there, leaves = false;
        RF_TRY(find(h, pairs[i].to, &def, &there, err));
        for (uint32_t k = 0; k < count; k++) {
            leaves |= rf_str_eq(pairs[k].from, pairs[i].to);
            bool twice = k < i && (rf_str_eq(pairs[k].to, pairs[i].to) ||
                                   rf_str_eq(pairs[k].from, pairs[i].from));
            if (twice)
                return RF_FAIL(err, RF_INVALID, "BadRequest", "the name '%.*s' comes twice",
                               RF_FMT(pairs[i].to));
        }
        if (there && !leaves)
            return RF_FAIL(err, RF_CONFLICT, "EntityAlreadyExists", "Table '%.*s' already exists.",
                           RF_FMT(pairs[i].to));
    }
    RF_TRY(h->ops->rename(h, pairs, count, err));
    table_rows_init(h, out);
    for (uint32_t i = 0; i < count; i++) RF_TRY(add_table_row(h, pairs[i].to, out, err));
    return RF_OK;
}

static bool is_one_of(const rf_str *names, uint32_t count, rf_str name)
{
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq(names[i], name)) return true;
    return false;
}

/* Gives the tables that remain. */
static enum rf_kind drop_tables(struct command_host *h, const struct command *c,
                                struct command_rows *out, struct rf_err *err)
{
    const rf_str *names = c->name_count > 0 ? c->names : &c->name;
    uint32_t count = c->name_count > 0 ? c->name_count : 1;
    if (h->ops->drop == NULL) return command_not_here(c, err);
    for (uint32_t i = 0; i < count && !c->if_exists; i++) {
        struct command_def def;
        RF_TRY(h->ops->find(h, names[i], &def, err));
    }
    for (uint32_t i = 0; i < count; i++) {
        enum rf_kind kind = h->ops->drop(h, names[i], err);
        if (kind != RF_OK && (kind != RF_NOT_FOUND || !c->if_exists)) return kind;
    }
    command_rows_init(out, h->arena, "TableName:string, DatabaseName:string");
    for (uint32_t i = 0; i < h->catalog->source_count; i++) {
        const struct source *source = h->catalog->sources[i];
        if (is_one_of(names, count, source->name)) continue;
        if (h->catalog->shows != NULL && !h->catalog->shows(h->catalog, source)) continue;
        command_rows_add(out, (struct value[]){text(source->name), text(h->database)});
    }
    return RF_OK;
}

static enum rf_kind clear_table(struct command_host *h, const struct command *c,
                                struct command_rows *out, struct rf_err *err)
{
    struct command_def def;
    if (h->ops->clear == NULL) return command_not_here(c, err);
    RF_TRY(h->ops->find(h, c->name, &def, err));
    RF_TRY(h->ops->clear(h, def.name, err));
    table_rows_init(h, out);
    return add_table_row(h, def.name, out, err);
}

/* ---- columns ----------------------------------------------------------------------------------------------------- */

static enum rf_kind drop_columns(struct command_host *h, const struct command *c,
                                 struct command_rows *out, struct rf_err *err)
{
    struct command_def def;
    const rf_str *names = c->name_count > 0 ? c->names : &c->column;
    uint32_t count = c->name_count > 0 ? c->name_count : 1, kept = 0;
    if (h->ops->rewrite == NULL) return command_not_here(c, err);
    RF_TRY(h->ops->find(h, c->name, &def, err));
    for (uint32_t i = 0; i < count; i++)
        if (find_column(def.columns, def.column_count, names[i]) < 0 && !c->if_exists)
            return RF_FAIL(err, RF_NOT_FOUND, "BadRequest_EntityNotFound",
                           "Column '%.*s' could not be found.", RF_FMT(names[i]));
    struct ast_column *columns = rf_arena_new(h->arena, struct ast_column, def.column_count);
    if (columns == NULL) return rf_fail_memory(err, h->arena);
    for (uint32_t i = 0; i < def.column_count; i++)
        if (!is_one_of(names, count, def.columns[i].name)) columns[kept++] = def.columns[i];
    if (kept == 0)
        return RF_FAIL(err, RF_INVALID, "BadRequest",
                       "a table needs a column; .drop table removes it");
    if (kept < def.column_count) RF_TRY(keep_columns(h, def.name, columns, kept, err));
    table_rows_init(h, out);
    return add_table_row(h, def.name, out, err);
}

static void put_changed(const struct command *c, const struct ast_column *column,
                        struct rf_buf *buf)
{
    bool other = c->verb == COMMAND_ALTER_COLUMN && column->type != c->type;
    put_quoted_name(buf, c->verb == COMMAND_RENAME_COLUMN ? c->to : column->name);
    rf_buf_str(buf, RF_S(" = "));
    if (other) rf_buf_printf(buf, "to%s(", type_name(c->type));
    put_quoted_name(buf, column->name);
    if (other) rf_buf_byte(buf, ')');
}

/* A column with another name or type. */
static enum rf_kind change_column(struct command_host *h, const struct command *c,
                                  struct command_rows *out, struct rf_err *err)
{
    struct command_def def;
    struct rf_buf buf = rf_buf_in(h->arena);
    if (h->ops->rewrite == NULL) return command_not_here(c, err);
    RF_TRY(h->ops->find(h, c->name, &def, err));
    if (find_column(def.columns, def.column_count, c->column) < 0)
        return RF_FAIL(err, RF_NOT_FOUND, "BadRequest_EntityNotFound",
                       "Column '%.*s' could not be found.", RF_FMT(c->column));
    if (c->verb == COMMAND_RENAME_COLUMN && find_column(def.columns, def.column_count, c->to) >= 0)
        return RF_FAIL(err, RF_CONFLICT, "EntityAlreadyExists", "Column '%.*s' already exists.",
                       RF_FMT(c->to));
    put_quoted_name(&buf, def.name);
    rf_buf_str(&buf, RF_S(" | project "));
    for (uint32_t i = 0; i < def.column_count; i++) {
        if (i > 0) rf_buf_str(&buf, RF_S(", "));
        if (rf_str_eq(def.columns[i].name, c->column))
            put_changed(c, &def.columns[i], &buf);
        else
            put_quoted_name(&buf, def.columns[i].name);
    }
    if (buf.failed) return rf_fail_memory(err, h->arena);
    RF_TRY(h->ops->rewrite(h, def.name, rf_buf_view(&buf), err));
    table_rows_init(h, out);
    return add_table_row(h, def.name, out, err);
}

/* ---- retention --------------------------------------------------------------------------------------------------- */

static enum rf_kind read_retention(struct command_host *h, const struct command *c, int64_t *ticks,
                                   struct rf_err *err)
{
    rf_str period = rf_str_trim(c->body);
    if (period.len > 0 && period.ptr[0] == '{') {
        struct json_node *policy;
        RF_TRY(json_parse(period, h->arena, &policy, err));
        const struct json_node *node = json_get_nocase(policy, RF_S("SoftDeletePeriod"));
        period = json_is(node, JSON_T_STRING) ? node->text : (rf_str){NULL, 0};
    }
    if (text_to_timespan(period, ticks) && *ticks > 0) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadRequest",
                   "the policy needs a SoftDeletePeriod such as \"30.00:00:00\", or softdelete = "
                   "30d");
}

static enum rf_kind change_retention(struct command_host *h, const struct command *c,
                                     struct command_rows *out, struct rf_err *err)
{
    struct command_def def;
    int64_t ticks = 0;
    if (h->ops->set_retention == NULL) return command_not_here(c, err);
    RF_TRY(h->ops->find(h, c->name, &def, err));
    if (c->verb == COMMAND_ALTER_RETENTION) RF_TRY(read_retention(h, c, &ticks, err));
    RF_TRY(h->ops->set_retention(h, def.name, ticks, err));
    struct command show = *c;
    show.verb = COMMAND_SHOW_RETENTION;
    return command_show(h, &show, out, err);
}

/* ---- functions --------------------------------------------------------------------------------------------------- */

static enum rf_kind find_function(struct command_host *h, rf_str name, struct command_function *out,
                                  bool *there, struct rf_err *err)
{
    struct command_function *list;
    uint32_t count;
    *there = false;
    RF_TRY(h->ops->functions(h, &list, &count, err));
    for (uint32_t i = 0; i < count && !*there; i++) {
        *there = rf_str_eq(list[i].name, name);
        if (*there) *out = list[i];
    }
    return RF_OK;
}

/* Whether the text is one of the language; what it names may come later. */
static enum rf_kind check_function(struct command_host *h, const struct command *c,
                                   struct rf_err *err)
{
    struct query_ast query;
    struct rf_err why = {0};
    if (command_flag(c, "skipvalidation")) return RF_OK;
    rf_str text = rf_arena_printf(h->arena, "let F = (%.*s) {%.*s\n};\nprint 1",
                                  RF_FMT(c->parameters), RF_FMT(c->body));
    if (text.ptr == NULL) return rf_fail_memory(err, h->arena);
    enum rf_kind kind = parse_query(text, h->arena, &query, &why);
    if (kind == RF_OK) return RF_OK;
    return RF_FAIL(err, kind, "SyntaxError", "the function '%.*s' cannot be read: %s",
                   RF_FMT(c->name), why.text);
}

static enum rf_kind store_function(struct command_host *h, const struct command *c,
                                   struct command_rows *out, struct rf_err *err)
{
    struct command_function before = {.folder = RF_S(""), .docstring = RF_S("")}, f;
    bool there;
    if (h->ops->put_function == NULL) return command_not_here(c, err);
    RF_TRY(find_function(h, c->name, &before, &there, err));
    if (c->verb == COMMAND_ALTER_FUNCTION && !there) return command_no_function(c->name, err);
    if (c->verb == COMMAND_CREATE_FUNCTION && there && !c->or_alter && !c->if_not_exists)
        return RF_FAIL(err, RF_CONFLICT, "EntityAlreadyExists", "Function '%.*s' already exists.",
                       RF_FMT(c->name));
    f = (struct command_function){.name = c->name,
                                  .parameters = rf_str_trim(c->parameters),
                                  .body = rf_str_trim(c->body),
                                  .folder = command_property(c, "folder"),
                                  .docstring = command_property(c, "docstring")};
    if (f.folder.ptr == NULL) f.folder = before.folder;
    if (f.docstring.ptr == NULL) f.docstring = before.docstring;
    bool leave = there && c->if_not_exists && !c->or_alter;
    if (leave) {
        f = before;
    } else {
        RF_TRY(check_function(h, c, err));
        RF_TRY(h->ops->put_function(h, &f, err));
    }
    command_functions_init(out, h->arena);
    command_functions_add(out, &f);
    return RF_OK;
}

static enum rf_kind describe_function(struct command_host *h, const struct command *c,
                                      struct command_rows *out, struct rf_err *err)
{
    struct command_function f;
    bool there;
    if (h->ops->put_function == NULL) return command_not_here(c, err);
    RF_TRY(find_function(h, c->name, &f, &there, err));
    if (!there) return command_no_function(c->name, err);
    if (c->folder)
        f.folder = c->body;
    else
        f.docstring = c->body;
    RF_TRY(h->ops->put_function(h, &f, err));
    command_functions_init(out, h->arena);
    command_functions_add(out, &f);
    return RF_OK;
}

static enum rf_kind drop_functions(struct command_host *h, const struct command *c,
                                   struct command_rows *out, struct rf_err *err)
{
    const rf_str *names = c->name_count > 0 ? c->names : &c->name;
    uint32_t count = c->name_count > 0 ? c->name_count : 1;
    if (h->ops->drop_function == NULL) return command_not_here(c, err);
    for (uint32_t i = 0; i < count; i++) {
        struct command_function f;
        bool there;
        RF_TRY(find_function(h, names[i], &f, &there, err));
        if (!there && !c->if_exists) return command_no_function(names[i], err);
    }
    for (uint32_t i = 0; i < count; i++) {
        enum rf_kind kind = h->ops->drop_function(h, names[i], err);
        if (kind != RF_OK && (kind != RF_NOT_FOUND || !c->if_exists)) return kind;
    }
    if (c->name_count == 0) {
        command_rows_init(out, h->arena, "Name:string");
        command_rows_add(out, (struct value[]){text(c->name)});
        return RF_OK;
    }
    struct command show = {.verb = COMMAND_SHOW_FUNCTIONS, .entry = c->entry};
    return command_show(h, &show, out, err);
}

enum rf_kind command_change(struct command_host *h, const struct command *c,
                            struct command_rows *out, struct rf_err *err)
{
    switch (c->verb) {
    case COMMAND_CREATE_TABLE:
    case COMMAND_CREATE_MERGE_TABLE:
    case COMMAND_ALTER_TABLE:
    case COMMAND_ALTER_MERGE_TABLE:
        return change_tables(h, c, out, err);
    case COMMAND_DESCRIBE_TABLE:
        return describe_table(h, c, out, err);
    case COMMAND_RENAME_TABLES:
        return rename_tables(h, c, out, err);
    case COMMAND_DROP_TABLES:
        return drop_tables(h, c, out, err);
    case COMMAND_CLEAR_TABLE:
        return clear_table(h, c, out, err);
    case COMMAND_DROP_COLUMNS:
        return drop_columns(h, c, out, err);
    case COMMAND_RENAME_COLUMN:
    case COMMAND_ALTER_COLUMN:
        return change_column(h, c, out, err);
    case COMMAND_ALTER_RETENTION:
    case COMMAND_DELETE_RETENTION:
        return change_retention(h, c, out, err);
    case COMMAND_CREATE_FUNCTION:
    case COMMAND_ALTER_FUNCTION:
        return store_function(h, c, out, err);
    case COMMAND_DESCRIBE_FUNCTION:
        return describe_function(h, c, out, err);
    case COMMAND_DROP_FUNCTIONS:
        return drop_functions(h, c, out, err);
    default:
        return command_not_here(c, err);
    }
}
