/* ast.h - the syntax tree of a query, and how an operator parses its own part.
 *
 * One node type for everything: what each kind uses is said beside it. All memory is in the parser's
 * arena; all texts are views of the query text or of that arena. */
#ifndef RF_AST_H
#define RF_AST_H

#include "value/value.h"

enum ast_kind {
    AST_LITERAL,  /* value */
    AST_NAME,     /* text: a column, a let name, a table; ['quoted'] names too */
    AST_WILDCARD, /* text with '*' in it: T*, *_count; a lone '*' is AST_STAR */
    AST_STAR,
    AST_MEMBER, /* kids[0] . text */
    AST_INDEX,  /* kids[0] [ kids[1] ] */
    AST_CALL,   /* text ( kids ), an argument may be AST_NAMED, AST_STAR, AST_PIPE */
    AST_UNARY,  /* text is "-" or "+"; kids[0] */
    AST_BINARY, /* text is the operator: and or + - * / % == != < <= > >= =~ !~ : and the string ones */
    AST_BETWEEN, /* text "between" or "!between"; kids[0] between (kids[1] .. kids[2]) */
    AST_IN,      /* text in !in in~ !in~ has_any has_all; kids[0] in (kids[1..]) */
    AST_NAMED,   /* names[0..name_count-1] = kids[0]; more than one name: (a, b) = f() */
    AST_TYPEOF,  /* columns: typeof(long), typeof(a:long, b:string); a lone type has an empty name;
                    typeof(*) and typeof(*, x:int) have star set */
    AST_PIPE, /* kids[0] is a table expression, kids[1..] are AST_OPERATOR; no source (kids[0] NULL)
                    inside mv-apply, partition, fork */
    AST_OPERATOR,     /* op, body (the operator's own) */
    AST_DATATABLE,    /* columns, kids = cells in rows */
    AST_EXTERNALDATA, /* text: its first word; columns, kids = uris, params, body */
    AST_LAMBDA,       /* (params) { lets; body }: body is struct ast_lambda */
};

struct ast_column { /* name:type */
    rf_str name;
    uint8_t type;
    uint32_t pos;
};

/* name=value after an operator's name: kind=inner, hint.strategy=shuffle, withsource=T, isfuzzy=true */
struct ast_param {
    rf_str name;
    struct ast *value; /* a literal or a name */
    uint32_t pos;
};

struct ast {
    enum ast_kind kind;
    uint32_t pos, end; /* byte offsets in the query text: for errors and for default names */
    rf_str text;
    struct value value;
    struct ast **kids;
    uint32_t kid_count;
    rf_str *names;
    uint32_t name_count;
    struct ast_column *columns;
    uint32_t column_count;
    bool star;
    struct ast_param *params;
    uint32_t param_count;
    const struct operator* op;
    void *body;
};

struct ast_argument { /* a parameter of a function */
    rf_str name;
    uint8_t type;     /* scalar type when !tabular */
    bool tabular;     /* T:(*) or T:(a:long, ...) */
    bool any_columns; /* (*) */
    struct ast_column *columns;
    uint32_t column_count;
    struct ast *fallback; /* default value or NULL */
};

enum statement_kind {
    STATEMENT_LET,
    STATEMENT_SET,
    STATEMENT_PARAMETERS,
    STATEMENT_PATTERN,  /* name, value->body: struct ast_pattern */
    STATEMENT_RESTRICT, /* value->kids: names and patterns of them */
    STATEMENT_QUERY,
    STATEMENT_NONE
};

struct statement {
    enum statement_kind kind;
    uint32_t pos;
    rf_str name;       /* let, set */
    struct ast *value; /* let: expression, pipe or lambda; set: literal or NULL; query: pipe */
    struct ast_argument *arguments; /* declare query_parameters */
    uint32_t argument_count;
    bool view; /* let x = view () { .. } */
};

/* declare pattern: a body for each list of literals. */
struct ast_pattern {
    struct ast_argument *arguments;
    uint32_t argument_count;
    bool has_path;
    struct ast_pattern_case {
        struct ast **values;
        uint32_t value_count;
        struct ast *path; /* NULL when there is none */
        struct ast *body; /* AST_LAMBDA */
    } * cases;
    uint32_t case_count;
};

struct ast_lambda {
    struct ast_argument *arguments;
    uint32_t argument_count;
    struct statement *statements; /* the lets before the body; the last one is the body (QUERY) */
    uint32_t statement_count;
    bool view;
};

#endif
