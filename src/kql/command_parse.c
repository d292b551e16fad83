/* command_parse.c - the text of a management command, by the syntax of command_table.c. Reads word by word, as data may follow that is
 * no language at all. Each entry is tried in turn; where none fits, the error is about the place that the best of them came to. */
#include <stdio.h>

#include "kql/command.h"

enum { EXPECTED_MAX = 48, WORD_SHOWN_BYTES = 40, PIECE_BYTES_MAX = 64 };

struct words {
    rf_str text;
    size_t at;
    struct rf_arena *arena;
    struct rf_err *err;
    size_t far; /* the furthest place at which something else was expected, and what */
    const char *expected[EXPECTED_MAX];
    bool literal[EXPECTED_MAX]; /* a word of the language, which may be misspelt */
    uint32_t expected_count;
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

static uint8_t peek(struct words *s)
{
    skip_blanks(s);
    return s->at < s->text.len ? s->text.ptr[s->at] : 0;
}

static bool is_word_byte(uint8_t c) { return rf_is_alnum(c) || c == '_' || c >= 0x80; }

static void note(struct words *s, const char *what, bool literal)
{
    skip_blanks(s);
    if (s->at < s->far) return;
    if (s->at > s->far) s->expected_count = 0;
    s->far = s->at;
    for (uint32_t i = 0; i < s->expected_count; i++)
        if (strcmp(s->expected[i], what) == 0) return;
    if (s->expected_count == EXPECTED_MAX) return;
    s->literal[s->expected_count] = literal;
    s->expected[s->expected_count++] = what;
}

/* `what` is a constant. */
static enum rf_kind miss(struct words *s, const char *what)
{
    note(s, what, false);
    return RF_INVALID;
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

static bool accept_sign(struct words *s, char sign)
{
    if (peek(s) != (uint8_t)sign) return false;
    s->at++;
    return true;
}

static enum rf_kind expect_sign(struct words *s, char sign)
{
    static const struct {
        char sign;
        const char *what;
    } names[] = {{'(', "'('"}, {')', "')'"}, {'[', "'['"}, {']', "']'"}, {':', "':'"},
                 {'=', "'='"}, {'{', "'{'"}, {'}', "'}'"}, {'.', "'.'"}, {',', "','"}};
    if (accept_sign(s, sign)) return RF_OK;
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (names[i].sign == sign) return miss(s, names[i].what);
    return miss(s, "a sign");
}

/* ---- texts and names --------------------------------------------------------------------------------------------- */

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

static bool at_quote(const struct words *s, size_t at)
{
    return at < s->text.len && (s->text.ptr[at] == '"' || s->text.ptr[at] == '\'');
}

/* '...', "...", with h before it a secret; @'...', in which a quote is written twice; ```...```. */
static bool at_text(struct words *s)
{
    uint8_t c = peek(s);
    if (c == 'h' || c == 'H' || c == '@')
        return at_quote(s, s->at + 1) || (c != '@' && s->at + 1 < s->text.len &&
                                          s->text.ptr[s->at + 1] == '@' && at_quote(s, s->at + 2));
    return c == '"' || c == '\'' ||
           rf_str_starts(rf_slice(s->text, s->at, s->text.len), RF_S("```"));
}

static enum rf_kind read_text(struct words *s, rf_str *out)
{
    if (!at_text(s)) return miss(s, "a text in quotes");
    rf_str rest = rf_slice(s->text, s->at, s->text.len), fence = RF_S("```");
    struct rf_buf buf = rf_buf_in(s->arena);
    size_t from = s->at;
    if (rf_str_starts(rest, fence)) {
        size_t end = rf_str_find(s->text, fence, s->at + 3);
        if (end == SIZE_MAX) return miss(s, "a text that ends");
        *out = rf_slice(s->text, s->at + 3, end);
        s->at = end + 3;
        return RF_OK;
    }
    if (rf_lower(s->text.ptr[s->at]) == 'h') s->at++;
    bool verbatim = s->text.ptr[s->at] == '@';
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
    if (at >= s->text.len || s->text.ptr[at] != quote) {
        s->at = from;
        return miss(s, "a text that ends");
    }
    if (buf.failed) return rf_fail_memory(s->err, s->arena);
    s->at = at + 1;
    *out = rf_buf_view(&buf);
    return RF_OK;
}

/* T, ['T'], ["T"], 'T', "T"; `dots`: also a-b and a.b, as databases are called. */
static enum rf_kind read_name_of(struct words *s, bool dots, rf_str *out)
{
    uint8_t c = peek(s);
    if (c == '[') {
        s->at++;
        RF_TRY(read_text(s, out));
        return expect_sign(s, ']');
    }
    if (c == '"' || c == '\'') return read_text(s, out);
    size_t end = s->at;
    while (end < s->text.len &&
           (is_word_byte(s->text.ptr[end]) ||
            (dots && end > s->at && (s->text.ptr[end] == '-' || s->text.ptr[end] == '.'))))
        end++;
    if (end == s->at) return miss(s, "a name");
    *out = rf_slice(s->text, s->at, end);
    s->at = end;
    return RF_OK;
}

static enum rf_kind read_name(struct words *s, rf_str *out) { return read_name_of(s, true, out); }

/* Makes room for one more of a list that doubles, up to `max`. */
static enum rf_kind grow(struct words *s, void *list, uint32_t count, size_t bytes_each,
                         uint32_t max)
{
    if (count == max) return miss(s, "less: the list is too long");
    if (count > 0 && (count & (count - 1)) != 0) return RF_OK;
    void *old;
    memcpy(&old, list, sizeof old);
    void *items = rf_arena_array_raw(s->arena, count == 0 ? 1 : (size_t)count * 2, bytes_each);
    if (items == NULL) return rf_fail_memory(s->err, s->arena);
    if (count > 0) memcpy(items, old, count * bytes_each);
    memcpy(list, &items, sizeof items);
    return RF_OK;
}

/* (a, b, c) */
static enum rf_kind read_names(struct words *s, struct command *c)
{
    RF_TRY(expect_sign(s, '('));
    do {
        RF_TRY(grow(s, &c->names, c->name_count, sizeof(rf_str), COMMAND_NAMES_MAX));
        RF_TRY(read_name(s, &c->names[c->name_count]));
        c->name_count++;
    } while (accept_sign(s, ','));
    return expect_sign(s, ')');
}

/* T.C, ['T'].['C'], D.T.C */
static enum rf_kind read_table_column(struct words *s, struct command *c)
{
    RF_TRY(read_name_of(s, false, &c->name));
    RF_TRY(expect_sign(s, '.'));
    RF_TRY(read_name_of(s, false, &c->column));
    if (!accept_sign(s, '.')) return RF_OK;
    c->database = c->name;
    c->name = c->column;
    return read_name_of(s, false, &c->column);
}

static enum rf_kind read_type(struct words *s, enum type *out)
{
    rf_str word = peek_word(s);
    if (!type_parse(word, out)) return miss(s, "a type");
    s->at += word.len;
    return RF_OK;
}

/* (a:long, b:string) */
static enum rf_kind read_columns(struct words *s, struct command_table *t)
{
    RF_TRY(expect_sign(s, '('));
    do {
        enum type type;
        RF_TRY(
            grow(s, &t->columns, t->column_count, sizeof(struct ast_column), COMMAND_COLUMNS_MAX));
        struct ast_column *column = &t->columns[t->column_count];
        *column = (struct ast_column){0};
        RF_TRY(read_name(s, &column->name));
        RF_TRY(expect_sign(s, ':'));
        RF_TRY(read_type(s, &type));
        column->type = (uint8_t)type;
        t->column_count++;
    } while (accept_sign(s, ','));
    return expect_sign(s, ')');
}

static enum rf_kind add_table(struct words *s, struct command *c, rf_str name)
{
    RF_TRY(grow(s, &c->tables, c->table_count, sizeof(struct command_table), COMMAND_NAMES_MAX));
    struct command_table *t = &c->tables[c->table_count];
    *t = (struct command_table){.name = name};
    RF_TRY(read_columns(s, t));
    c->table_count++;
    return RF_OK;
}

/* A (a:long), B (b:string) */
static enum rf_kind read_tables(struct words *s, struct command *c)
{
    do {
        rf_str name;
        RF_TRY(read_name(s, &name));
        RF_TRY(add_table(s, c, name));
    } while (accept_sign(s, ','));
    c->name = c->tables[0].name;
    return RF_OK;
}

/* New = Old [ifexists], ... */
static enum rf_kind read_pairs(struct words *s, struct command *c)
{
    do {
        RF_TRY(grow(s, &c->pairs, c->pair_count, sizeof(struct command_pair), COMMAND_NAMES_MAX));
        struct command_pair *pair = &c->pairs[c->pair_count];
        *pair = (struct command_pair){0};
        RF_TRY(read_name(s, &pair->to));
        RF_TRY(expect_sign(s, '='));
        RF_TRY(read_name(s, &pair->from));
        pair->if_exists = accept_word(s, "ifexists");
        c->pair_count++;
    } while (accept_sign(s, ','));
    return RF_OK;
}

/* true, 10d, 1.5, 00:10:00, x-y: up to a comma or bracket. */
static enum rf_kind read_value(struct words *s, rf_str *out)
{
    if (at_text(s)) return read_text(s, out);
    skip_blanks(s);
    size_t end = s->at;
    while (end < s->text.len && !rf_is_space(s->text.ptr[end]) && s->text.ptr[end] != ',' &&
           s->text.ptr[end] != ')' && s->text.ptr[end] != '|' && s->text.ptr[end] != ';')
        end++;
    if (end == s->at) return miss(s, "a value");
    *out = rf_slice(s->text, s->at, end);
    s->at = end;
    return RF_OK;
}

/* (docstring = "x", skipvalidation=true) */
static enum rf_kind read_properties(struct words *s, struct command *c)
{
    RF_TRY(expect_sign(s, '('));
    while (!accept_sign(s, ')')) {
        RF_TRY(grow(s, &c->properties, c->property_count, sizeof(struct command_property),
                    COMMAND_PROPERTIES_MAX));
        struct command_property *p = &c->properties[c->property_count];
        *p = (struct command_property){0};
        RF_TRY(read_name(s, &p->name));
        RF_TRY(expect_sign(s, '='));
        RF_TRY(read_value(s, &p->value));
        c->property_count++;
        if (!accept_sign(s, ',') && peek(s) != ')') return expect_sign(s, ')');
    }
    return RF_OK;
}

rf_str command_property(const struct command *c, const char *name)
{
    for (uint32_t i = 0; i < c->property_count; i++)
        if (rf_str_eq_nocase(c->properties[i].name, rf_str_of(name))) return c->properties[i].value;
    return (rf_str){NULL, 0};
}

bool command_flag(const struct command *c, const char *name)
{
    return rf_str_eq_nocase(command_property(c, name), RF_S("true"));
}

/* Behind the end of a text that begins at s->at; false: it does not end. */
static bool skip_text(struct words *s)
{
    uint8_t quote = s->text.ptr[s->at];
    bool verbatim = s->at > 0 && s->text.ptr[s->at - 1] == '@';
    size_t end = s->at + 1;
    while (end < s->text.len && s->text.ptr[end] != quote)
        end += !verbatim && s->text.ptr[end] == '\\' ? 2 : 1;
    if (end >= s->text.len) return false;
    s->at = end;
    return true;
}

/* What stands between two brackets, of which there may be more inside; texts and comments do not count. */
static enum rf_kind read_between(struct words *s, char open, char close, const char *what,
                                 rf_str *out)
{
    RF_TRY(expect_sign(s, open));
    size_t from = s->at, depth = 1;
    for (; s->at < s->text.len; s->at++) {
        uint8_t c = s->text.ptr[s->at];
        rf_str rest = rf_slice(s->text, s->at, s->text.len);
        if (c == '`' && rf_str_starts(rest, RF_S("```"))) {
            size_t end = rf_str_find(s->text, RF_S("```"), s->at + 3);
            if (end == SIZE_MAX) break;
            s->at = end + 2;
            continue;
        }
        if (c == '"' || c == '\'') {
            if (!skip_text(s)) break;
            continue;
        }
        if (rf_str_starts(rest, RF_S("//"))) {
            while (s->at < s->text.len && s->text.ptr[s->at] != '\n') s->at++;
            continue;
        }
        depth += c == (uint8_t)open;
        if (c != (uint8_t)close || --depth > 0) continue;
        *out = rf_slice(s->text, from, s->at++);
        return RF_OK;
    }
    s->at = from;
    return miss(s, what);
}

static rf_str rest_of(struct words *s)
{
    rf_str rest = rf_slice(s->text, s->at, s->text.len);
    s->at = s->text.len;
    return rest;
}

/* Data behind <| as it stands, or in square brackets. */
static enum rf_kind read_rest(struct words *s, bool data, struct command *c)
{
    if (data && peek(s) == '[')
        return read_between(s, '[', ']', "a ']' that ends the data", &c->body);
    skip_blanks(s);
    if (!rf_str_starts(rf_slice(s->text, s->at, s->text.len), RF_S("<|"))) return miss(s, "'<|'");
    s->at += 2;
    c->body = rest_of(s);
    return RF_OK;
}

/* Long texts come in several pieces. */
static enum rf_kind read_texts(struct words *s, struct command *c)
{
    struct rf_buf text = rf_buf_in(s->arena);
    do {
        rf_str part;
        RF_TRY(read_text(s, &part));
        rf_buf_str(&text, part);
    } while (at_text(s));
    if (text.failed) return rf_fail_memory(s->err, s->arena);
    c->body = rf_buf_view(&text);
    return RF_OK;
}

/* A policy as JSON, or softdelete = 10d [recoverability = enabled]: then only the time. */
static enum rf_kind read_policy(struct words *s, struct command *c)
{
    if (at_text(s)) return read_text(s, &c->body);
    if (!accept_word(s, "softdelete"))
        return miss(s, "a policy as JSON in quotes, or softdelete =");
    RF_TRY(expect_sign(s, '='));
    RF_TRY(read_value(s, &c->body));
    if (!accept_word(s, "recoverability")) return RF_OK;
    rf_str ignored;
    RF_TRY(expect_sign(s, '='));
    return read_value(s, &ignored);
}

static bool at_kind(struct words *s)
{
    rf_str word = peek_word(s);
    return rf_str_eq_nocase(word, RF_S("json")) || rf_str_eq_nocase(word, RF_S("csv"));
}

static enum rf_kind read_kind(struct words *s, struct command *c)
{
    if (!at_kind(s)) return miss(s, "json or csv");
    c->mapping_kind = peek_word(s);
    s->at += c->mapping_kind.len;
    return RF_OK;
}

/* ---- the syntax -------------------------------------------------------------------------------------------------- */

/* The next piece of an entry's syntax; brackets are pieces of their own. */
static rf_str next_piece(rf_str syntax, size_t *at)
{
    while (*at < syntax.len && syntax.ptr[*at] == ' ') *at += 1;
    size_t from = *at;
    if (from < syntax.len && (syntax.ptr[from] == '[' || syntax.ptr[from] == ']')) {
        *at = from + 1;
        return rf_slice(syntax, from, from + 1);
    }
    while (*at < syntax.len && syntax.ptr[*at] != ' ' && syntax.ptr[*at] != ']') *at += 1;
    return rf_slice(syntax, from, *at);
}

static bool piece_is(rf_str piece, const char *name)
{
    return piece.len > 2 && rf_str_is(rf_slice(piece, 1, piece.len - 1), name);
}

static enum rf_kind read_slot(struct words *s, rf_str piece, struct command *c)
{
    if (piece_is(piece, "table") || piece_is(piece, "function") || piece_is(piece, "operation"))
        return read_name(s, &c->name);
    if (piece_is(piece, "database")) return read_name(s, &c->database);
    if (piece_is(piece, "to")) return read_name(s, &c->to);
    if (piece_is(piece, "names")) return read_names(s, c);
    if (piece_is(piece, "columns")) return add_table(s, c, c->name);
    if (piece_is(piece, "tables")) return read_tables(s, c);
    if (piece_is(piece, "pairs")) return read_pairs(s, c);
    if (piece_is(piece, "table.column")) return read_table_column(s, c);
    if (piece_is(piece, "type")) return read_type(s, &c->type);
    if (piece_is(piece, "properties")) return read_properties(s, c);
    if (piece_is(piece, "kind")) return read_kind(s, c);
    if (piece_is(piece, "mapping")) return read_text(s, &c->mapping);
    if (piece_is(piece, "from")) return read_text(s, &c->from);
    if (piece_is(piece, "until")) return read_text(s, &c->until);
    if (piece_is(piece, "text")) return read_text(s, &c->body);
    if (piece_is(piece, "texts")) return read_texts(s, c);
    if (piece_is(piece, "policy")) return read_policy(s, c);
    if (piece_is(piece, "parameters"))
        return read_between(s, '(', ')', "a ')' that ends the list", &c->parameters);
    if (piece_is(piece, "block"))
        return read_between(s, '{', '}', "a '}' that ends the body", &c->body);
    if (piece_is(piece, "data")) return read_rest(s, true, c);
    if (piece_is(piece, "query")) return read_rest(s, false, c);
    RF_ASSERT(piece_is(piece, "rest"));
    c->body = rest_of(s);
    return RF_OK;
}

/* What a word of the language says by being there. */
static void take_word(rf_str word, struct command *c)
{
    c->async |= rf_str_is(word, "async");
    c->if_exists |= rf_str_is(word, "ifexists");
    c->if_not_exists |= rf_str_is(word, "ifnotexists");
    c->details |= rf_str_is(word, "details");
    c->or_alter |= rf_str_is(word, "create-or-alter");
    c->folder |= rf_str_is(word, "folder");
    c->everywhere |= rf_str_is(word, "databases") || rf_str_is(word, "cluster");
}

/* Whether the text goes on with one of the piece's words, which is taken then. */
static bool take_literal(struct words *s, rf_str piece, struct command *c)
{
    for (size_t at = 0; at < piece.len;) {
        char word[PIECE_BYTES_MAX];
        size_t end = RF_MIN(rf_str_find(piece, RF_S("|"), at), piece.len);
        rf_str one = rf_slice(piece, at, end);
        RF_ASSERT(one.len < sizeof word);
        memcpy(word, one.ptr, one.len);
        word[one.len] = '\0';
        if (is_word_byte(one.ptr[0]) ? accept_word(s, word) : accept_sign(s, word[0])) {
            take_word(one, c);
            return true;
        }
        at = end + 1;
    }
    return false;
}

static void note_literal(struct words *s, rf_str piece)
{
    for (size_t at = 0; at < piece.len;) {
        size_t end = RF_MIN(rf_str_find(piece, RF_S("|"), at), piece.len);
        rf_str one = rf_slice(piece, at, end);
        const char *word = rf_arena_cstr(s->arena, one);
        if (word != NULL) note(s, word, is_word_byte(one.ptr[0]));
        at = end + 1;
    }
}

/* Whether what may be left out is there: its first piece tells. */
static bool begins(struct words *s, rf_str piece)
{
    struct command ignored = {0};
    size_t at = s->at;
    if (piece.ptr[0] == '<') return piece_is(piece, "kind") ? at_kind(s) : peek(s) == '(';
    bool there = take_literal(s, piece, &ignored);
    s->at = at;
    if (!there && s->at >= s->far) note_literal(s, piece);
    return there;
}

static size_t behind_group(rf_str syntax, size_t at)
{
    while (at < syntax.len && syntax.ptr[at] != ']') at++;
    return RF_MIN(at + 1, syntax.len);
}

/* Behind a command that shows something an ordinary pipe may follow. */
static enum rf_kind read_end(struct words *s, struct command *c)
{
    bool shows = c->verb < COMMAND_CREATE_TABLE;
    if (shows && peek(s) == '|') {
        c->pipe = rest_of(s);
        return RF_OK;
    }
    while (accept_sign(s, ';')) continue;
    if (peek(s) == 0 && s->at >= s->text.len) return RF_OK;
    return miss(s, shows ? "'|' or the end of the command" : "the end of the command");
}

static enum rf_kind match(struct words *s, const struct command_entry *entry, struct command *c)
{
    rf_str syntax = rf_str_of(entry->syntax);
    *c = (struct command){.verb = entry->verb, .entry = entry, .text = s->text};
    c->everywhere = rf_str_starts(syntax, RF_S(".show schema"));
    for (size_t at = 1; at < syntax.len;) {
        rf_str piece = next_piece(syntax, &at);
        if (piece.len == 0 || piece.ptr[0] == ']') continue;
        if (piece.ptr[0] == '[') {
            size_t inside = at;
            if (!begins(s, next_piece(syntax, &inside))) at = behind_group(syntax, at);
            continue;
        }
        if (piece.ptr[0] == '<') {
            RF_TRY(read_slot(s, piece, c));
        } else if (!take_literal(s, piece, c)) {
            if (s->at >= s->far) note_literal(s, piece);
            return RF_INVALID;
        }
    }
    return read_end(s, c);
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static rf_str nth_expected(const void *state, size_t index)
{
    const struct words *s = state;
    return s->literal[index] ? rf_str_of(s->expected[index]) : (rf_str){NULL, 0};
}

static void put_expected(const struct words *s, struct rf_buf *buf)
{
    for (uint32_t i = 0; i < s->expected_count && buf->len < 600; i++) {
        if (i > 0) rf_buf_str(buf, i + 1 == s->expected_count ? RF_S(" or ") : RF_S(", "));
        rf_buf_str(buf, rf_str_of(s->expected[i]));
    }
}

static enum rf_kind fail_expected(struct words *s)
{
    struct rf_buf list = rf_buf_in(s->arena);
    put_expected(s, &list);
    rf_str what = rf_buf_view(&list);
    if (list.failed) return rf_fail_memory(s->err, s->arena);
    if (s->far >= s->text.len)
        return parse_fail_at(s->text, (uint32_t)s->far, s->err, RF_INVALID, "SyntaxError",
                             "expected %.*s, found the end of the command", RF_FMT(what));
    s->at = s->far;
    rf_str word = peek_word(s);
    rf_str found;
    const char *near =
        word.len == 0 ? NULL : rf_nearest(word, s->expected_count, nth_expected, s, &found);
    size_t end = s->far;
    while (end < s->text.len && end - s->far < WORD_SHOWN_BYTES && !rf_is_space(s->text.ptr[end]))
        end++;
    while (end < s->text.len && (s->text.ptr[end] & 0xc0) == 0x80) end++; /* whole characters */
    return parse_fail_at(
        s->text, (uint32_t)s->far, s->err, RF_INVALID, "SyntaxError",
        "expected %.*s, found '%.*s'%s%s%s", RF_FMT(what), RF_FMT(rf_slice(s->text, s->far, end)),
        near == NULL ? "" : "; did you mean '", near == NULL ? "" : near, near == NULL ? "" : "'?");
}

bool command_is(rf_str text, size_t *start)
{
    struct words s = {.text = text};
    skip_blanks(&s);
    if (start != NULL) *start = s.at;
    return s.at < text.len && text.ptr[s.at] == '.';
}

bool command_changes(const struct command *c)
{
    return c->verb >= COMMAND_CREATE_TABLE && c->verb != COMMAND_REFUSED;
}

enum rf_kind command_parse(rf_str text, struct rf_arena *arena, struct command *out,
                           struct rf_err *err)
{
    struct words s = {.text = text, .arena = arena, .err = err};
    if (text.len > PARSE_TEXT_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "QueryTooLong", "the command is longer than %d bytes",
                       PARSE_TEXT_BYTES_MAX);
    if (expect_sign(&s, '.') != RF_OK) return fail_expected(&s);
    size_t start = s.at;
    for (size_t i = 0; i < command_count(); i++) {
        struct command c;
        s.at = start;
        enum rf_kind kind = match(&s, command_at(i), &c);
        if (kind == RF_OK) {
            *out = c;
            return RF_OK;
        }
        if (kind != RF_INVALID) return kind;
    }
    return fail_expected(&s);
}
