#include "lab/functions.h"

#include <stdio.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/yaml_tree.h"

enum { FUNCTION_FILE_BYTES_MAX = 16 << 20, FOLDER_DEPTH_MAX = 16 };

static bool known(const struct lab_functions *list, rf_str name)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (rf_str_eq(list->items[i].name, name)) return true;
    return false;
}

/* `text` is "(parameters) { body }". */
static enum rf_kind put(struct lab_functions *list, rf_str name, rf_str text, struct rf_err *err)
{
    if (text.ptr == NULL) return rf_fail_memory(err, list->arena);
    if (known(list, name)) return RF_OK;
    if (list->count == list->cap) {
        uint32_t cap = RF_MAX(list->cap * 2, 32u);
        struct stored_function *items =
            rf_arena_grow(list->arena, list->items, list->cap * sizeof *items, cap * sizeof *items);
        if (items == NULL) return rf_fail_memory(err, list->arena);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = (struct stored_function){.name = name, .text = text};
    return RF_OK;
}

static enum rf_kind put_body(struct lab_functions *list, rf_str name, rf_str parameters,
                             rf_str body, struct rf_err *err)
{
    /* The brace has a line of its own: the body may end in a comment. */
    return put(list, name,
               rf_arena_printf(list->arena, "(%.*s) {\n%.*s\n}", RF_FMT(parameters), RF_FMT(body)),
               err);
}

void lab_functions_drop(struct lab_functions *list, const char *name)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++)
        if (!rf_str_eq_nocase(list->items[i].name, rf_str_of(name)))
            list->items[kept++] = list->items[i];
    list->count = kept;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------ */

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

/* A function of which only the result is known: no rows, but the right columns. One that also returns columns of
 * its own (a watchlist's) gets them from a bag, so that the language knows that there may be more. */
static void put_result(struct rf_buf *buf, const struct json_node *function)
{
    const struct json_node *columns = json_get(function, "columns");
    const char *between = "";
    bool open = json_bool_at(function, "open", false);
    rf_buf_str(buf, RF_S("datatable("));
    for (const struct json_node *c = columns == NULL ? NULL : columns->first; c != NULL;
         c = c->next) {
        rf_buf_printf(buf, "%s", between);
        put_name(buf, json_text_at(c, "name"));
        rf_buf_printf(buf, ":%.*s", RF_FMT(json_text_at(c, "type")));
        between = ", ";
    }
    if (open) rf_buf_printf(buf, "%sfurther_columns_:dynamic", between);
    rf_buf_str(buf, RF_S(")[]"));
    if (open) rf_buf_str(buf, RF_S(" | evaluate bag_unpack(further_columns_)"));
}

/* A function that adds columns to the table that it is invoked on. */
static void put_added(struct rf_buf *buf, const struct json_node *adds, rf_str parameters)
{
    size_t colon = rf_str_find(parameters, RF_S(":"), 0);
    const char *between = " | extend ";
    rf_buf_str(buf, rf_slice(parameters, 0, RF_MIN(colon, parameters.len)));
    for (const struct json_node *a = adds->first; a != NULL; a = a->next) {
        rf_str type = json_text_at(a, "type");
        rf_buf_printf(buf, "%s", between);
        put_name(buf, json_text_at(a, "name"));
        if (rf_str_is(type, "string"))
            rf_buf_str(buf, RF_S(" = \"\""));
        else
            rf_buf_printf(buf, " = %.*s(null)", RF_FMT(type));
        between = ", ";
    }
}

static enum rf_kind add_listed(struct lab_functions *list, const struct json_node *function,
                               struct rf_err *err)
{
    rf_str name = json_text_at(function, "name"), body = json_text_at(function, "body");
    rf_str parameters = json_text_at(function, "parameters");
    const struct json_node *adds = json_get(function, "adds");
    struct rf_buf made = rf_buf_in(list->arena);
    if (body.len > 0)
        rf_buf_str(&made, body);
    else if (json_is(adds, JSON_T_ARRAY) && adds->count > 0)
        put_added(&made, adds, parameters);
    else
        put_result(&made, function);
    if (made.failed) return rf_fail_memory(err, list->arena);
    return put_body(list, name, parameters, rf_buf_view(&made), err);
}

static bool is_listed(const struct json_node *node)
{
    return json_text_at(node, "name").len > 0 &&
           (json_get(node, "body") != NULL || json_get(node, "columns") != NULL ||
            json_get(node, "adds") != NULL) &&
           json_get(node, "parameters") != NULL;
}

static enum rf_kind add_one(struct lab_functions *list, const struct json_node *node,
                            struct rf_err *err)
{
    const struct json_node *p = json_get(node, "properties");
    rf_str alias = json_text_at(p, "functionAlias"), query = json_text_at(p, "query");
    if (alias.len > 0 && query.len > 0)
        return put_body(list, alias, json_text_at(p, "functionParameters"), query, err);
    return is_listed(node) ? add_listed(list, node, err) : RF_OK;
}

static enum rf_kind add_json(struct lab_functions *list, const struct json_node *document,
                             struct rf_err *err)
{
    const struct json_node *items = document, *resources = json_get(document, "resources");
    if (json_is(resources, JSON_T_ARRAY)) items = resources;
    if (!json_is(items, JSON_T_ARRAY)) return add_one(list, document, err);
    for (const struct json_node *item = items->first; item != NULL; item = item->next)
        RF_TRY(add_one(list, item, err));
    return RF_OK;
}

/* ---- KQL ------------------------------------------------------------------------------------------------------------ */

static bool word_at(rf_str text, size_t at, const char *word)
{
    size_t len = strlen(word);
    return at + len <= text.len && rf_str_eq_nocase(rf_slice(text, at, at + len), rf_str_of(word));
}

static size_t skip_space(rf_str text, size_t at)
{
    while (at < text.len && rf_is_space(text.ptr[at])) at++;
    return at;
}

/* The place behind the bracket that closes the one at `at`; SIZE_MAX: there is none. Quotes are looked at, comments are not: they
 * do not stand in parameter lists. */
static size_t behind_bracket(rf_str text, size_t at)
{
    uint32_t depth = 0;
    uint8_t quote = 0;
    for (; at < text.len; at++) {
        uint8_t c = text.ptr[at];
        if (quote != 0) {
            if (c == quote) quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '(') {
            depth++;
        } else if (c == ')' && --depth == 0) {
            return at + 1;
        }
    }
    return SIZE_MAX;
}

static enum rf_kind add_command(struct lab_functions *list, rf_str text, struct rf_err *err)
{
    size_t at = rf_str_find(text, RF_S("function"), 0);
    if (at == SIZE_MAX)
        return RF_FAIL(err, RF_INVALID, "BadFunction", "a command that makes no function");
    at = skip_space(text, at + 8);
    if (word_at(text, at, "ifnotexists")) at = skip_space(text, at + 11);
    if (word_at(text, at, "with")) {
        at = skip_space(text, at + 4);
        at = at < text.len && text.ptr[at] == '(' ? behind_bracket(text, at) : SIZE_MAX;
        if (at != SIZE_MAX) at = skip_space(text, at);
    }
    size_t from = at;
    while (at < text.len && (rf_is_alnum(text.ptr[at]) || text.ptr[at] == '_')) at++;
    if (at == SIZE_MAX || at == from)
        return RF_FAIL(err, RF_INVALID, "BadFunction", "the command does not name the function");
    rf_str name = rf_slice(text, from, at), rest = rf_str_trim(rf_slice(text, at, text.len));
    if (rest.len == 0 || rest.ptr[0] != '(')
        return RF_FAIL(err, RF_INVALID, "BadFunction",
                       "the function '%.*s' lacks its parameters: () when it takes none",
                       RF_FMT(name));
    return put(list, name, rest, err);
}

/* What the first line says behind "// parameters:". */
static rf_str parameters_of(rf_str text)
{
    static const char mark[] = "parameters:";
    size_t end = rf_str_find(text, RF_S("\n"), 0);
    rf_str line = rf_str_trim(rf_slice(text, 0, RF_MIN(end, text.len)));
    if (!rf_str_starts(line, RF_S("//"))) return RF_S("");
    line = rf_str_trim(rf_slice(line, 2, line.len));
    if (!word_at(line, 0, mark)) return RF_S("");
    return rf_str_trim(rf_slice(line, sizeof mark - 1, line.len));
}

static enum rf_kind add_kql(struct lab_functions *list, rf_str name, rf_str text,
                            struct rf_err *err)
{
    rf_str trimmed = rf_str_trim(text);
    size_t dot = rf_str_find(name, RF_S("."), 0);
    if (rf_str_starts(trimmed, RF_S(".create"))) return add_command(list, trimmed, err);
    return put_body(list, rf_slice(name, 0, RF_MIN(dot, name.len)), parameters_of(trimmed), text,
                    err);
}

/* ---- YAML ----------------------------------------------------------------------------------------------------------- */

/* ParserParams: [{Name, Type, Default}]. Defaults are written without the quotes of texts. */
static void put_parameters(struct rf_buf *buf, const struct json_node *parameters)
{
    for (const struct json_node *p = parameters == NULL ? NULL : parameters->first; p != NULL;
         p = p->next) {
        const struct json_node *value = json_get(p, "Default");
        rf_str type = json_text_at(p, "Type"), text = value == NULL ? RF_S("") : value->text;
        rf_buf_printf(buf, "%s%.*s:%.*s", buf->len == 0 ? "" : ", ",
                      RF_FMT(json_text_at(p, "Name")), RF_FMT(type));
        bool quoted = text.len > 0 && (text.ptr[0] == '"' || text.ptr[0] == '\'');
        if (value == NULL || rf_str_starts(type, RF_S("table"))) continue;
        rf_buf_byte(buf, '=');
        if (rf_str_is(type, "string") && !quoted)
            json_put_string(buf, text);
        else
            rf_buf_str(buf, text);
    }
}

static enum rf_kind add_yaml(struct lab_functions *list, const struct json_node *root,
                             struct rf_err *err)
{
    static const char *const names[] = {"FunctionName", "FunctionAlias", "ParserName",
                                        "EquivalentBuiltInParser"};
    rf_str query = json_text_at(root, "ParserQuery");
    struct rf_buf parameters = rf_buf_in(list->arena);
    if (query.len == 0) query = json_text_at(root, "FunctionQuery");
    if (query.len == 0) return RF_OK;
    const struct json_node *given = json_get(root, "ParserParams");
    put_parameters(&parameters, given != NULL ? given : json_get(root, "FunctionParams"));
    if (parameters.failed) return rf_fail_memory(err, list->arena);
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        rf_str name = json_text_at(root, names[i]);
        if (name.len > 0) RF_TRY(put_body(list, name, rf_buf_view(&parameters), query, err));
    }
    return RF_OK;
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

static bool is_kql(rf_str name)
{
    return rf_str_ends(name, RF_S(".kql")) || rf_str_ends(name, RF_S(".csl"));
}
static bool is_yaml(rf_str name)
{
    return rf_str_ends(name, RF_S(".yaml")) || rf_str_ends(name, RF_S(".yml"));
}

static rf_str file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return rf_str_of(slash == NULL ? path : slash + 1);
}

enum rf_kind lab_functions_add_text(struct lab_functions *list, rf_str name, rf_str text,
                                    struct rf_err *err)
{
    struct json_node *root;
    if (is_kql(name)) return add_kql(list, name, text, err);
    if (is_yaml(name)) {
        RF_TRY(yaml_parse_texts(text, list->arena, &root, err));
        return add_yaml(list, root, err);
    }
    RF_TRY(json_parse(text, list->arena, &root, err));
    return add_json(list, root, err);
}

static enum rf_kind read_function(struct lab_functions *list, const char *path, struct rf_err *err)
{
    rf_str text;
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, FUNCTION_FILE_BYTES_MAX, list->arena, &text, err));
    return lab_functions_add_text(list, file_name(path), text, err);
}

static enum rf_kind add_file(struct lab_functions *list, const char *path, struct rf_err *err)
{
    struct rf_err why = {0};
    enum rf_kind kind = read_function(list, path, &why);
    if (kind == RF_OK) return RF_OK;
    (void)rf_fail(err, kind, why.code, "%s: %.900s", path, why.text);
    if (err != NULL) err->line = why.line;
    return kind;
}

/* Depth is bounded, so the recursion is. */
static enum rf_kind add_folder(struct lab_functions *list, const char *folder, uint32_t depth,
                               struct rf_err *err)
{
    rf_str *names;
    size_t count;
    RF_TRY(rf_fs_list(rf_fs_real(), folder, list->arena, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct rf_fs_stat stat;
        rf_str full = rf_arena_printf(list->arena, "%s/%.*s", folder, RF_FMT(names[i]));
        const char *path = (const char *)full.ptr;
        if (path == NULL) return rf_fail_memory(err, list->arena);
        if (names[i].ptr[0] == '.' || rf_fs_stat(rf_fs_real(), path, &stat, NULL) != RF_OK)
            continue;
        if (stat.is_dir && depth < FOLDER_DEPTH_MAX)
            RF_TRY(add_folder(list, path, depth + 1, err));
        else if (stat.is_file &&
                 (is_kql(names[i]) || is_yaml(names[i]) || rf_str_ends(names[i], RF_S(".json"))))
            RF_TRY(add_file(list, path, err));
    }
    return RF_OK;
}

enum rf_kind lab_functions_add(struct lab_functions *list, const char *path, struct rf_err *err)
{
    struct rf_fs_stat stat;
    RF_TRY(rf_fs_stat(rf_fs_real(), path, &stat, err));
    return stat.is_dir ? add_folder(list, path, 0, err) : add_file(list, path, err);
}
