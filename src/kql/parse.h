/* parse.h - query text to syntax tree: the entry point, and what operators' own parsers use.
 *
 * Limits: text PARSE_TEXT_BYTES_MAX, nesting PARSE_DEPTH_MAX; RF_LIMIT beyond. Errors name line and
 * column (1-based, columns in characters), what was found and what was expected. */
#ifndef RF_PARSE_H
#define RF_PARSE_H

#include "kql/ast.h"

enum { PARSE_TEXT_BYTES_MAX = 16 << 20, PARSE_DEPTH_MAX = 400 };

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,    /* identifier or keyword; text */
    TOKEN_STRING,  /* text is the unescaped text */
    TOKEN_LITERAL, /* number, timespan, datetime(..), guid(..), long(null) ...: value */
    TOKEN_PUNCT, /* operators and brackets; text: "|" "==" "!=" "=~" "!~" "<=" ">=" "<>" ".." "=>" "-" ... */
};

struct token {
    enum token_kind kind;
    uint32_t pos, end;
    rf_str text;
    struct value value;
};

struct parser {
    rf_str text;
    struct rf_arena *arena; /* for the tree; lives as long as the query */
    struct token *tokens;
    uint32_t token_count, at, depth;
    bool search; /* inside search and find: "column:text" is an operator */
    struct rf_err *err;
};

struct query_ast {
    rf_str text;
    struct statement *statements;
    uint32_t statement_count;
};

/* Parses a whole request: statements separated by ';'. */
RF_MUST_USE enum rf_kind parse_query(rf_str text, struct rf_arena *arena, struct query_ast *out,
                                     struct rf_err *err);

/* Line and column of a byte offset. */
void parse_place(rf_str text, uint32_t pos, uint32_t *line, uint32_t *column);
/* Fills the error with the place of `pos` in `text`, and gives `kind`. */
#define parse_fail_at(text, pos, err, kind, code, ...)                                             \
    (parse_err_at((text), (pos), (err), (kind), (code), __VA_ARGS__), (kind))
void parse_err_at(rf_str text, uint32_t pos, struct rf_err *err, enum rf_kind kind,
                  const char *code, const char *fmt, ...) RF_PRINTF(6, 7);

/* ---- for operators' parsers -------------------------------------------------------------------------- */

static inline const struct token *parse_peek(const struct parser *p) { return &p->tokens[p->at]; }
static inline const struct token *parse_peek_after(const struct parser *p, uint32_t n)
{
    return &p->tokens[RF_MIN(p->at + n, p->token_count - 1)];
}
/* True when the token `n` places ahead is this name or punctuation. */
bool parse_is(const struct parser *p, uint32_t n, const char *text);
/* Takes the next token when it is `text`. */
bool parse_accept(struct parser *p, const char *text);
/* Takes it or fails with "expected `text`". */
RF_MUST_USE enum rf_kind parse_expect(struct parser *p, const char *text);
/* Fails at the next token: "expected <what>, found <token>". */
#define parse_expected(p, what) (parse_note_expected((p), (what)), RF_INVALID)
void parse_note_expected(struct parser *p, const char *what);
/* A name (identifier or ['quoted']). */
RF_MUST_USE enum rf_kind parse_name(struct parser *p, rf_str *out);
/* A name with '*' in it, for project-away and the like: AST_NAME, AST_WILDCARD or AST_STAR. */
RF_MUST_USE enum rf_kind parse_name_pattern(struct parser *p, struct ast **out);
/* A scalar expression. */
RF_MUST_USE enum rf_kind parse_expr(struct parser *p, struct ast **out);
/* [name =] expr, or (a, b) = expr: AST_NAMED or the bare expression. */
RF_MUST_USE enum rf_kind parse_named_expr(struct parser *p, struct ast **out);
/* One or more parse_named_expr separated by commas. */
RF_MUST_USE enum rf_kind parse_named_list(struct parser *p, struct ast ***out, uint32_t *count);
/* A pipeline without brackets, up to ')' ';' or the end: AST_PIPE (or a bare source). */
RF_MUST_USE enum rf_kind parse_pipe(struct parser *p, struct ast **out);
/* '(' pipeline ')' or a bare table name/call: the right side of join, union and so on. */
RF_MUST_USE enum rf_kind parse_table(struct parser *p, struct ast **out);
/* Operators without a source, separated by '|', up to ')' or '}': for mv-apply, partition, fork. */
RF_MUST_USE enum rf_kind parse_sub_pipe(struct parser *p, struct ast **out);
/* name=value pairs: any of the names that `known` lists ("kind", "hint.*", ...; NULL ends) are taken while the
 * next tokens are name '='. */
RF_MUST_USE enum rf_kind parse_params(struct parser *p, const char *const *known, struct ast *into);
/* The value of a parameter as text ("" when absent): kind=inner gives inner. */
rf_str ast_param_text(const struct ast *node, const char *name);
const struct ast_param *ast_param(const struct ast *node, const char *name);
/* name:type, ... up to the closing bracket, which is not taken. */
RF_MUST_USE enum rf_kind parse_columns(struct parser *p, struct ast_column **out, uint32_t *count);
RF_MUST_USE enum rf_kind parse_type(struct parser *p, enum type *out);
/* A new node at the position of the next token, or NULL (memory). */
struct ast *ast_new(struct parser *p, enum ast_kind kind);
/* Appends to a list that grows in the arena (*list, *count; capacity doubles). */
bool ast_list_add(struct parser *p, struct ast ***list, uint32_t *count, struct ast *item);
#define PARSE_NOMEM(p) rf_fail_memory((p)->err, (p)->arena)

/* ---- operators ------------------------------------------------------------------------------------------ */

struct binder;
struct node;

/* A tabular operator: one file each (op_<name>.c), which parses, binds, plans and executes it. */
struct operator
{
    const char *name; /* "where", "mv-expand"; aliases are entries of their own */
    const char *doc;
    const char *syntax;
    bool source; /* may begin a pipe (print, range, union ...): bind's input is NULL then */
    bool hidden; /* an alias: works, not listed */
    /* Called after the operator's name was taken. Sets node->body (and params). NULL: nothing to parse. */
    enum rf_kind (*parse)(struct parser * p, struct ast * node);
    /* Makes the plan node over `input` (NULL never). */
    enum rf_kind (*bind)(struct binder * b, const struct ast *node, struct node *input,
                         struct node **out);
};
const struct operator* operator_find(rf_str name);
size_t operator_count(void);
const struct operator* operator_at(size_t index);

#endif
