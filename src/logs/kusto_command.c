/* kusto_command.c - the text of a control command (".show tables | count") to what it asks for. Reads word by word, as data may
 * follow that is no language at all. */
#include <stdio.h>

#include "kql/ast.h"
#include "kql/parse.h"
#include "logs/kusto_int.h"

enum { NAMES_MAX = 1000, COLUMNS_MAX = 1000, PROPERTIES_MAX = 100 };

struct words {
    rf_str text;
    size_t at;
    struct rf_arena *arena;
    struct rf_err *err;
};

/* ---- words ------------------------------------------------------------------------------------------------------- */

static void skip_blanks(struct words *s)
{
    for (;;) {
        while (s->at < s->text.len && rf_is_space(s->text.ptr[s->at])) s->at++;
        if (s->at + 1 >= s->text.len || s->text.ptr[s->at] != '/' || s->text.ptr[s->at + 1] != '/')
            return;
        while (s->at < s->text.len && s->text.ptr[s->at] != '\n') s->at++;
    }
}

static bool is_word_byte(uint8_t c) { return rf_is_alnum(c) || c == '_' || c >= 0x80; }

static enum rf_kind fail_expected(struct words *s, const char *what)
{
    skip_blanks(s);
    size_t end = s->at;
    while (end < s->text.len && end - s->at < 40 && !rf_is_space(s->text.ptr[end])) end++;
    if (s->at == s->text.len)
        return parse_fail_at(s->text, (uint32_t)s->at, s->err, RF_INVALID, "SyntaxError",
                             "expected %s, found the end of the command", what);
    return parse_fail_at(s->text, (uint32_t)s->at, s->err, RF_INVALID, "SyntaxError",
                         "expected %s, found '%.*s'", what, RF_FMT(rf_slice(s->text, s->at, end)));
}

/* A word may hold dashes inside: create-or-alter. */
static rf_str peek_word(struct words *s)
{
    skip_blanks(s);
    size_t end = s->at;
    while (end < s->text.len &&
           (is_word_byte(s->text.ptr[end]) || (s->text.ptr[end] == '-' && end > s->at)))
        end++;
    return rf_slice(s->text, s->at, end);
}

static bool accept_word(struct words *s, const char *word)
{
    rf_str found = peek_word(s);
    if (!rf_str_eq_nocase(found, rf_str_of(word))) return false;
    s->at += found.len;
    return true;
}

static bool accept_sign(struct words *s, const char *sign)
{
    skip_blanks(s);
    rf_str rest = rf_slice(s->text, s->at, s->text.len);
    if (!rf_str_starts(rest, rf_str_of(sign))) return false;
    s->at += strlen(sign);
    return true;
}

static enum rf_kind expect_sign(struct words *s, const char *sign)
{
    char what[16];
    if (accept_sign(s, sign)) return RF_OK;
    (void)snprintf(what, sizeof what, "'%s'", sign);
    return fail_expected(s, what);
}

static enum rf_kind expect_word(struct words *s, const char *word)
{
    return accept_word(s, word) ? RF_OK : fail_expected(s, word);
}

static size_t text_end(const struct words *s)
{
    uint8_t quote = s->text.ptr[s->at];
    size_t end = s->at + 1;
    while (end < s->text.len && s->text.ptr[end] != quote && s->text.ptr[end] != '\n')
        end += s->text.ptr[end] == '\\' ? 2 : 1;
    return RF_MIN(end, s->text.len);
}

static uint8_t unescaped(uint8_t c)
{
    return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
}

/* A text in quotes; also @'...' and @"..." , in which a quote is written twice, and ```...```. */
static enum rf_kind read_text(struct words *s, rf_str *out)
{
    skip_blanks(s);
    rf_str rest = rf_slice(s->text, s->at, s->text.len), fence = RF_S("```");
    struct rf_buf buf = rf_buf_in(s->arena);
    if (rf_str_starts(rest, fence)) {
        size_t end = rf_str_find(s->text, fence, s->at + 3);
        if (end == SIZE_MAX) return fail_expected(s, "a text that ends");
        *out = rf_slice(s->text, s->at + 3, end);
        s->at = end + 3;
        return RF_OK;
    }
    bool verbatim =
        rest.len > 1 && rest.ptr[0] == '@' && (rest.ptr[1] == '"' || rest.ptr[1] == '\'');
    if (!verbatim && (rest.len == 0 || (rest.ptr[0] != '"' && rest.ptr[0] != '\'')))
        return fail_expected(s, "a text in quotes");
    if (verbatim) s->at++;
    uint8_t quote = s->text.ptr[s->at];
    size_t at = s->at + 1, end = verbatim ? s->text.len : text_end(s);
    for (; at < end; at++) {
        uint8_t c = s->text.ptr[at];
        if (verbatim && c == quote) {
            if (at + 1 >= end || s->text.ptr[at + 1] != quote) break;
            at++;
        } else if (!verbatim && c == '\\' && at + 1 < end) {
            c = unescaped(s->text.ptr[++at]);
        }
        rf_buf_byte(&buf, c);
    }
    if (at >= s->text.len || s->text.ptr[at] != quote) return fail_expected(s, "a text that ends");
    if (buf.failed) return rf_fail_memory(s->err, s->arena);
    s->at = at + 1;
    *out = rf_buf_view(&buf);
    return RF_OK;
}

/* T, ['T'], ["T"], 'T', "T"; also a-b and a.b, as databases are called. */
static enum rf_kind read_name(struct words *s, rf_str *out)
{
    skip_blanks(s);
    uint8_t c = s->at < s->text.len ? s->text.ptr[s->at] : 0;
    if (c == '[') {
        s->at++;
        RF_TRY(read_text(s, out));
        return expect_sign(s, "]");
    }
    if (c == '"' || c == '\'') return read_text(s, out);
    size_t end = s->at;
    while (end < s->text.len &&
           (is_word_byte(s->text.ptr[end]) ||
            (end > s->at && (s->text.ptr[end] == '-' || s->text.ptr[end] == '.'))))
        end++;
    if (end == s->at) return fail_expected(s, "a name");
    *out = rf_slice(s->text, s->at, end);
    s->at = end;
    return RF_OK;
}

static bool at_name(struct words *s)
{
    skip_blanks(s);
    uint8_t c = s->at < s->text.len ? s->text.ptr[s->at] : 0;
    return is_word_byte(c) || c == '[' || c == '"' || c == '\'';
}

/* (a, b, c) or a single name. */
static enum rf_kind read_names(struct words *s, struct kusto_command *c)
{
    bool list = accept_sign(s, "(");
    c->names = rf_arena_new(s->arena, rf_str, NAMES_MAX);
    if (c->names == NULL) return rf_fail_memory(s->err, s->arena);
    do {
        if (c->name_count == NAMES_MAX) return fail_expected(s, "fewer names");
        RF_TRY(read_name(s, &c->names[c->name_count]));
        c->name_count++;
    } while (list && accept_sign(s, ","));
    return list ? expect_sign(s, ")") : RF_OK;
}

/* (a:long, b:string) */
static enum rf_kind read_columns(struct words *s, struct kusto_command *c)
{
    RF_TRY(expect_sign(s, "("));
    c->columns = rf_arena_new(s->arena, struct ast_column, COLUMNS_MAX);
    if (c->columns == NULL) return rf_fail_memory(s->err, s->arena);
    do {
        struct ast_column *column = &c->columns[c->column_count];
        enum type type;
        if (c->column_count == COLUMNS_MAX) return fail_expected(s, "fewer columns");
        RF_TRY(read_name(s, &column->name));
        RF_TRY(expect_sign(s, ":"));
        rf_str word = peek_word(s);
        if (!type_parse(word, &type)) return fail_expected(s, "a type");
        s->at += word.len;
        column->type = (uint8_t)type;
        c->column_count++;
    } while (accept_sign(s, ","));
    return expect_sign(s, ")");
}

/* with (docstring = "x", skipvalidation=true) */
static enum rf_kind read_properties(struct words *s, struct kusto_command *c)
{
    if (!accept_word(s, "with")) return RF_OK;
    RF_TRY(expect_sign(s, "("));
    c->properties = rf_arena_new(s->arena, struct kusto_property, PROPERTIES_MAX);
    if (c->properties == NULL) return rf_fail_memory(s->err, s->arena);
    while (!accept_sign(s, ")")) {
        struct kusto_property *p = &c->properties[c->property_count];
        if (c->property_count == PROPERTIES_MAX) return fail_expected(s, "fewer properties");
        RF_TRY(read_name(s, &p->name));
        RF_TRY(expect_sign(s, "="));
        RF_TRY(read_name(s, &p->value));
        c->property_count++;
        (void)accept_sign(s, ",");
    }
    return RF_OK;
}

rf_str kusto_property(const struct kusto_command *command, const char *name)
{
    for (uint32_t i = 0; i < command->property_count; i++)
        if (rf_str_eq_nocase(command->properties[i].name, rf_str_of(name)))
            return command->properties[i].value;
    return (rf_str){NULL, 0};
}

/* What stands between two brackets, of which there may be more inside; texts and comments do not count. */
static enum rf_kind read_between(struct words *s, char open, char close, rf_str *out)
{
    char sign[2] = {open, 0};
    RF_TRY(expect_sign(s, sign));
    size_t from = s->at, depth = 1;
    for (; s->at < s->text.len; s->at++) {
        uint8_t c = s->text.ptr[s->at];
        bool verbatim = s->at > 0 && s->text.ptr[s->at - 1] == '@';
        if (c == '"' || c == '\'') {
            size_t end = s->at + 1;
            while (end < s->text.len && s->text.ptr[end] != c)
                end += !verbatim && s->text.ptr[end] == '\\' ? 2 : 1;
            if (end >= s->text.len) break;
            s->at = end;
        } else if (c == '/' && s->at + 1 < s->text.len && s->text.ptr[s->at + 1] == '/') {
            while (s->at < s->text.len && s->text.ptr[s->at] != '\n') s->at++;
        }
        if (s->at >= s->text.len) break;
        c = s->text.ptr[s->at];
        depth += c == (uint8_t)open;
        if (c != (uint8_t)close || --depth > 0) continue;
        *out = rf_slice(s->text, from, s->at++);
        return RF_OK;
    }
    s->at = from;
    sign[0] = close;
    return fail_expected(s, open == '{' ? "a '}' that ends the body" : "a ')' that ends the list");
}

static rf_str rest_of(struct words *s)
{
    rf_str rest = rf_slice(s->text, s->at, s->text.len);
    s->at = s->text.len;
    return rest;
}

static enum rf_kind expect_end(struct words *s)
{
    skip_blanks(s);
    while (accept_sign(s, ";")) skip_blanks(s);
    return s->at == s->text.len ? RF_OK : fail_expected(s, "the end of the command");
}

/* Behind a command that shows something an ordinary pipe may follow. */
static enum rf_kind read_pipe(struct words *s, struct kusto_command *c)
{
    skip_blanks(s);
    if (s->at < s->text.len && s->text.ptr[s->at] == '|') {
        c->pipe = rest_of(s);
        return RF_OK;
    }
    return expect_end(s);
}

/* ---- .show ------------------------------------------------------------------------------------------------------- */

static enum rf_kind as_json(struct words *s, struct kusto_command *c)
{
    c->verb = KUSTO_SHOW_SCHEMA;
    if (!accept_word(s, "as")) return RF_OK;
    c->verb = KUSTO_SHOW_SCHEMA_JSON;
    return expect_word(s, "json");
}

static enum rf_kind show_database(struct words *s, struct kusto_command *c, bool many)
{
    c->verb = many ? KUSTO_SHOW_DATABASES : KUSTO_SHOW_DATABASE;
    if (accept_word(s, "schema") || accept_word(s, "cslschema")) return as_json(s, c);
    if (accept_word(s, "details") || accept_word(s, "identity") || accept_word(s, "entities") ||
        accept_word(s, "policies"))
        return RF_OK;
    if (!at_name(s) && !(many && accept_sign(s, "("))) return RF_OK;
    if (many && s->at > 0 && s->text.ptr[s->at - 1] == '(') s->at--;
    RF_TRY(read_names(s, c));
    c->name = c->names[0];
    if (accept_word(s, "schema") || accept_word(s, "cslschema")) return as_json(s, c);
    (void)(accept_word(s, "details") || accept_word(s, "identity"));
    return RF_OK;
}

static enum rf_kind show_mappings(struct words *s, struct kusto_command *c)
{
    c->verb = KUSTO_SHOW_MAPPINGS;
    rf_str word = peek_word(s);
    if (rf_str_eq_nocase(word, RF_S("json")) || rf_str_eq_nocase(word, RF_S("csv"))) {
        c->mapping_kind = word;
        s->at += word.len;
    }
    if (accept_word(s, "mappings")) return RF_OK;
    RF_TRY(expect_word(s, "mapping"));
    return read_text(s, &c->mapping);
}

static enum rf_kind show_table(struct words *s, struct kusto_command *c)
{
    RF_TRY(read_name(s, &c->name));
    c->verb = KUSTO_SHOW_TABLE;
    if (accept_word(s, "cslschema")) {
        c->verb = KUSTO_SHOW_TABLE_CSL;
    } else if (accept_word(s, "schema")) {
        c->verb = KUSTO_SHOW_TABLE_CSL;
        if (!accept_word(s, "as")) return RF_OK;
        c->verb = KUSTO_SHOW_TABLE_JSON;
        return expect_word(s, "json");
    } else if (accept_word(s, "details")) {
        c->verb = KUSTO_SHOW_TABLES_DETAILS;
        c->names = rf_arena_new(s->arena, rf_str, 1);
        if (c->names == NULL) return rf_fail_memory(s->err, s->arena);
        c->names[c->name_count++] = c->name;
    } else if (accept_word(s, "ingestion")) {
        return show_mappings(s, c);
    }
    return RF_OK;
}

static enum rf_kind show_tables(struct words *s, struct kusto_command *c)
{
    c->verb = KUSTO_SHOW_TABLES;
    skip_blanks(s);
    if (s->at < s->text.len && s->text.ptr[s->at] == '(') RF_TRY(read_names(s, c));
    if (accept_word(s, "details")) c->verb = KUSTO_SHOW_TABLES_DETAILS;
    return RF_OK;
}

static enum rf_kind parse_show(struct words *s, struct kusto_command *c)
{
    static const struct {
        const char *word;
        enum kusto_verb verb;
    } plain[] = {{"version", KUSTO_SHOW_VERSION},
                 {"cluster", KUSTO_SHOW_CLUSTER},
                 {"functions", KUSTO_SHOW_FUNCTIONS},
                 {"queries", KUSTO_SHOW_QUERIES},
                 {"running", KUSTO_SHOW_QUERIES}};
    for (size_t i = 0; i < RF_COUNT(plain); i++) {
        if (!accept_word(s, plain[i].word)) continue;
        c->verb = plain[i].verb;
        if (rf_str_is(rf_str_of(plain[i].word), "cluster")) {
            if (accept_word(s, "databases")) return show_database(s, c, true);
            (void)accept_word(s, "details");
        }
        if (rf_str_is(rf_str_of(plain[i].word), "running")) return expect_word(s, "queries");
        return RF_OK;
    }
    if (accept_word(s, "databases")) return show_database(s, c, true);
    if (accept_word(s, "database")) return show_database(s, c, false);
    if (accept_word(s, "schema")) return as_json(s, c);
    if (accept_word(s, "tables")) return show_tables(s, c);
    if (accept_word(s, "table")) return show_table(s, c);
    if (accept_word(s, "ingestion")) return show_mappings(s, c);
    if (accept_word(s, "function")) {
        c->verb = KUSTO_SHOW_FUNCTION;
        return read_name(s, &c->name);
    }
    if (accept_word(s, "principal")) {
        c->verb = KUSTO_SHOW_ACCESS;
        return accept_word(s, "access") || accept_word(s, "roles") ? RF_OK
                                                                   : fail_expected(s, "access");
    }
    return fail_expected(s, "what to show: version, cluster, databases, database, schema, tables, "
                            "table, functions, function, queries, principal, ingestion mappings");
}

/* ---- changing ---------------------------------------------------------------------------------------------------- */

static enum rf_kind parse_function(struct words *s, struct kusto_command *c)
{
    c->if_not_exists = accept_word(s, "ifnotexists");
    RF_TRY(read_properties(s, c));
    RF_TRY(read_name(s, &c->name));
    RF_TRY(read_between(s, '(', ')', &c->parameters));
    RF_TRY(read_between(s, '{', '}', &c->body));
    return expect_end(s);
}

/* table T ingestion json mapping "name" '[...]' */
static enum rf_kind parse_mapping(struct words *s, struct kusto_command *c, enum kusto_verb verb)
{
    c->verb = verb;
    rf_str word = peek_word(s);
    if (!rf_str_eq_nocase(word, RF_S("json")) && !rf_str_eq_nocase(word, RF_S("csv")))
        return fail_expected(s, "json or csv");
    c->mapping_kind = word;
    s->at += word.len;
    RF_TRY(expect_word(s, "mapping"));
    RF_TRY(read_text(s, &c->mapping));
    if (verb == KUSTO_DROP_MAPPING) return expect_end(s);
    struct rf_buf text = rf_buf_in(s->arena); /* long ones come as several texts */
    do {
        rf_str part;
        RF_TRY(read_text(s, &part));
        rf_buf_str(&text, part);
        skip_blanks(s);
    } while (s->at < s->text.len && s->text.ptr[s->at] != ';' && s->text.ptr[s->at] != 'w');
    if (text.failed) return rf_fail_memory(s->err, s->arena);
    c->body = rf_buf_view(&text);
    RF_TRY(read_properties(s, c));
    return expect_end(s);
}

static enum rf_kind command_table(struct words *s, struct kusto_command *c, enum kusto_verb verb,
                                  enum kusto_verb mapping)
{
    RF_TRY(read_name(s, &c->name));
    if (accept_word(s, "ingestion")) return parse_mapping(s, c, mapping);
    if (c->or_alter) return fail_expected(s, "ingestion ... mapping");
    c->verb = verb;
    RF_TRY(read_columns(s, c));
    RF_TRY(read_properties(s, c));
    return expect_end(s);
}

static enum rf_kind parse_create(struct words *s, struct kusto_command *c, enum kusto_verb table)
{
    if (accept_word(s, "table")) return command_table(s, c, table, KUSTO_CREATE_MAPPING);
    if (table == KUSTO_CREATE_TABLE && accept_word(s, "function")) {
        c->verb = KUSTO_CREATE_FUNCTION;
        return parse_function(s, c);
    }
    return fail_expected(s, "table or function");
}

static enum rf_kind parse_alter(struct words *s, struct kusto_command *c)
{
    if (accept_word(s, "table")) return command_table(s, c, KUSTO_ALTER_TABLE, KUSTO_ALTER_MAPPING);
    if (accept_word(s, "function")) {
        c->verb = KUSTO_ALTER_FUNCTION;
        return parse_function(s, c);
    }
    return fail_expected(s, "table or function");
}

static enum rf_kind parse_drop(struct words *s, struct kusto_command *c)
{
    if (accept_word(s, "function")) {
        c->verb = KUSTO_DROP_FUNCTION;
        RF_TRY(read_name(s, &c->name));
    } else if (accept_word(s, "table")) {
        RF_TRY(read_name(s, &c->name));
        if (accept_word(s, "ingestion")) return parse_mapping(s, c, KUSTO_DROP_MAPPING);
        c->verb = KUSTO_DROP_TABLE;
    } else {
        return fail_expected(s, "table or function");
    }
    c->if_exists = accept_word(s, "ifexists");
    return expect_end(s);
}

static enum rf_kind parse_ingest(struct words *s, struct kusto_command *c)
{
    c->verb = KUSTO_INGEST_INLINE;
    if (!accept_word(s, "inline")) {
        c->verb = KUSTO_REFUSED;
        c->body =
            RF_S(".ingest from files in the cloud is not offered: use .ingest inline, streaming "
                 "ingestion or the Logs Ingestion API");
        return RF_OK;
    }
    RF_TRY(expect_word(s, "into"));
    (void)accept_word(s, "table");
    RF_TRY(read_name(s, &c->name));
    RF_TRY(read_properties(s, c));
    skip_blanks(s);
    if (s->at < s->text.len && s->text.ptr[s->at] == '[') {
        RF_TRY(read_between(s, '[', ']', &c->body));
        return expect_end(s);
    }
    RF_TRY(expect_sign(s, "<|"));
    c->body = rest_of(s);
    return RF_OK;
}

static enum rf_kind parse_append(struct words *s, struct kusto_command *c, enum kusto_verb verb)
{
    c->verb = verb;
    (void)accept_word(s, "async");
    (void)accept_word(s, "table");
    RF_TRY(read_name(s, &c->name));
    RF_TRY(read_properties(s, c));
    RF_TRY(expect_sign(s, "<|"));
    c->body = rest_of(s);
    return RF_OK;
}

static enum rf_kind refuse(struct kusto_command *c, rf_str why)
{
    c->verb = KUSTO_REFUSED;
    c->body = why;
    return RF_OK;
}

static enum rf_kind parse_command(struct words *s, struct kusto_command *c)
{
    rf_str word = peek_word(s);
    s->at += word.len;
    if (rf_str_eq_nocase(word, RF_S("show"))) {
        RF_TRY(parse_show(s, c));
        return read_pipe(s, c);
    }
    if (rf_str_eq_nocase(word, RF_S("create"))) return parse_create(s, c, KUSTO_CREATE_TABLE);
    if (rf_str_eq_nocase(word, RF_S("create-merge")))
        return parse_create(s, c, KUSTO_CREATE_MERGE_TABLE);
    if (rf_str_eq_nocase(word, RF_S("alter-merge")))
        return parse_create(s, c, KUSTO_ALTER_MERGE_TABLE);
    if (rf_str_eq_nocase(word, RF_S("create-or-alter"))) {
        c->or_alter = true;
        return parse_create(s, c, KUSTO_CREATE_TABLE);
    }
    if (rf_str_eq_nocase(word, RF_S("alter"))) return parse_alter(s, c);
    if (rf_str_eq_nocase(word, RF_S("drop"))) return parse_drop(s, c);
    if (rf_str_eq_nocase(word, RF_S("ingest"))) return parse_ingest(s, c);
    if (rf_str_eq_nocase(word, RF_S("set-or-append")) || rf_str_eq_nocase(word, RF_S("append")))
        return parse_append(s, c, KUSTO_APPEND);
    if (rf_str_eq_nocase(word, RF_S("set"))) return parse_append(s, c, KUSTO_SET);
    if (rf_str_eq_nocase(word, RF_S("get")))
        return refuse(c, RF_S("queued ingestion, which needs cloud storage, is not offered: use "
                              "streaming ingestion or the Logs Ingestion API"));
    if (rf_str_eq_nocase(word, RF_S("export")))
        return refuse(c, RF_S("there is no .export: use a data export rule of the workspace"));
    s->at -= word.len;
    return fail_expected(s, "a command: show, create, create-merge, create-or-alter, alter, drop, "
                            "ingest, set, append, set-or-append");
}

enum rf_kind kusto_command_parse(rf_str text, struct rf_arena *arena, struct kusto_command *out,
                                 struct rf_err *err)
{
    struct words s = {.text = text, .arena = arena, .err = err};
    struct kusto_command c = {.verb = KUSTO_REFUSED};
    if (text.len > PARSE_TEXT_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "QueryTooLong", "the command is longer than %d bytes",
                       PARSE_TEXT_BYTES_MAX);
    RF_TRY(expect_sign(&s, "."));
    RF_TRY(parse_command(&s, &c));
    *out = c;
    return RF_OK;
}
