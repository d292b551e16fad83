/* sigma.h - Sigma rules, correlation rules and filters (specification 2.1) as a checked model.
 *
 * A file is read document by document into a sigma_set; a document that cannot be used becomes a problem of the set, which
 * names the file, the line and the remedy, and the others go on. sigma_set_finish resolves what refers to other
 * documents: correlations to rules, filters to the rules that they narrow.
 *
 * Source: github.com/SigmaHQ/sigma-specification, version 2.1.0 (rules, modifiers, correlation rules, filters). The aggregations
 * of version 1 (`selection | count() by field > 5` with a timeframe) are read as the correlations that replaced them.
 *
 * Everything lives in the arena of the set. One thread at a time while it is built; immutable after sigma_set_finish. */
#ifndef RF_SIGMA_H
#define RF_SIGMA_H

#include "base/clock.h"
#include "base/regex.h"

enum {
    SIGMA_DOCUMENT_BYTES_MAX = 1 << 20,
    SIGMA_DEPTH_MAX = 64,    /* of conditions: code may descend them */
    SIGMA_NODES_MAX = 20000, /* of one rule */
    SIGMA_PATTERN_BYTES_MAX = 16 << 10,
    SIGMA_GROUP_FIELDS_MAX = 16,
    SIGMA_CHAIN_MAX = 16 /* correlations of correlations */
};

/* ---- what a rule asks of one field ------------------------------------------------------------------------------- */

enum sigma_piece_kind {
    SIGMA_TEXT,
    SIGMA_ONE,  /* ?: any one character */
    SIGMA_MANY, /* *: any characters or none */
    SIGMA_DASH  /* windash: - / and the dashes U+2013, U+2014, U+2015 */
};
struct sigma_piece {
    enum sigma_piece_kind kind;
    rf_str text; /* of TEXT; escapes are resolved */
};
/* Covers a value from its first to its last byte. */
struct sigma_pattern {
    struct sigma_piece *pieces; /* no two TEXT and no two MANY side by side */
    uint32_t count;
    bool cased;
};

enum sigma_test {
    SIGMA_MATCHES, /* `pattern` */
    SIGMA_REGEX,   /* `re` finds a match */
    SIGMA_CIDR,    /* the value is an address in the network `text` */
    SIGMA_LESS,    /* the value is a number < `number` */
    SIGMA_LESS_EQUAL,
    SIGMA_GREATER,
    SIGMA_GREATER_EQUAL,
    SIGMA_EQUAL,   /* of a part of a time only */
    SIGMA_IS_NULL, /* missing or null */
    SIGMA_EXISTS,  /* there, be it null or empty */
    SIGMA_FIELD    /* compares with the field `text`, as `anchor` says */
};
enum sigma_anchor { SIGMA_WHOLE, SIGMA_CONTAINS, SIGMA_STARTS, SIGMA_ENDS };
/* What is taken from the value, a time, before it is compared. */
enum sigma_part {
    SIGMA_NO_PART,
    SIGMA_MINUTE,
    SIGMA_HOUR,
    SIGMA_DAY,
    SIGMA_WEEK,
    SIGMA_MONTH,
    SIGMA_YEAR
};
struct sigma_atom {
    enum sigma_test test;
    enum sigma_part part;
    enum sigma_anchor anchor;
    bool cased;   /* FIELD */
    rf_str field; /* as the rule names it; empty: a keyword, looked for in the whole event */
    rf_str text;  /* REGEX: the expression with its flags; CIDR; FIELD; numbers: as written */
    double number;
    struct sigma_pattern pattern;
    const struct regex *re;
    uint32_t line; /* in the document */
};

enum sigma_op { SIGMA_ATOM, SIGMA_AND, SIGMA_OR, SIGMA_NOT };
struct sigma_node {
    enum sigma_op op;
    const struct sigma_atom *atom;
    struct sigma_node *first,
        *next; /* children: NOT has one; AND and OR without any are true and false */
};

/* ---- documents -------------------------------------------------------------------------------------------------- */

struct sigma_logsource {
    rf_str product, category, service; /* lower case; empty when not said */
};

enum sigma_correlation_type {
    SIGMA_EVENT_COUNT,
    SIGMA_VALUE_COUNT,
    SIGMA_TEMPORAL,
    SIGMA_TEMPORAL_ORDERED,
    SIGMA_VALUE_SUM,
    SIGMA_VALUE_AVG,
    SIGMA_VALUE_PERCENTILE
};
enum sigma_compare { SIGMA_LT, SIGMA_LTE, SIGMA_GT, SIGMA_GTE, SIGMA_EQ, SIGMA_NEQ };
struct sigma_limit {
    enum sigma_compare compare;
    double number;
};
/* A field of group-by: its name in the events of each rule. */
struct sigma_group {
    rf_str name;
    rf_str *fields; /* one per rule of the correlation */
};
struct sigma_rule;
struct sigma_correlation {
    enum sigma_correlation_type type;
    struct sigma_rule **rules; /* resolved by sigma_set_finish */
    rf_str *names;             /* as written */
    uint32_t rule_count;
    struct sigma_group *groups;
    uint32_t group_count;
    rf_usec timespan_usec;
    struct sigma_limit *limits; /* all must hold */
    uint32_t limit_count;
    rf_str *values; /* the fields of the condition; several count as a tuple */
    uint32_t value_count;
    double percentile;
    bool generate;
    struct json_node *aliases; /* until it is resolved */
    uint32_t line;
    uint8_t mark;
};

struct sigma_rule {
    rf_str id, name, title, description, status, level, author;
    const char *path;
    uint32_t line; /* of the document in its file, 1-based */
    struct sigma_logsource logsource;
    struct sigma_node *condition;          /* NULL: a correlation */
    struct sigma_correlation *correlation; /* NULL: a rule */
    bool inner;      /* stands only for a correlation that does not say `generate: true` */
    bool failed;     /* a problem was told */
    uint32_t number; /* in the set */
    uint64_t digest; /* of the document: the same one may be read twice */
};

struct sigma_problem {
    const char *path;
    rf_str id;         /* of the document; may be empty */
    struct rf_err err; /* its line counts in the file */
};

/* A value for a placeholder: %name% in values with the modifier expand. */
struct sigma_placeholder {
    rf_str name, value;
};

struct sigma_set {
    struct rf_arena *arena;
    struct sigma_rule **rules;
    uint32_t rule_count, rule_cap;
    struct sigma_problem *problems;
    uint32_t problem_count, problem_cap;
    struct sigma_filter *filters; /* newest first */
    uint32_t *ids;                /* rules by id: number + 1; open addressing */
    uint32_t id_cap;
    const struct sigma_placeholder *placeholders;
    uint32_t placeholder_count;
};
struct sigma_set sigma_set_in(struct rf_arena *arena);

/* Reads the documents of a YAML text. `id` (may be empty) stands for a rule's id when it has none; `path` is borrowed,
 * `first_line` is the text's first line in that file. What is wrong with a document becomes a problem. Errors: lack of memory
 * only. */
RF_MUST_USE enum rf_kind sigma_read(struct sigma_set *set, const char *path, uint32_t first_line,
                                    rf_str id, rf_str yaml, struct rf_err *err);
/* Adds what is wrong with a file as a whole. */
RF_MUST_USE enum rf_kind sigma_add_problem(struct sigma_set *set, const char *path, rf_str id,
                                           const struct rf_err *problem, struct rf_err *err);
/* Resolves references and applies the filters; call once, when all files are read. */
RF_MUST_USE enum rf_kind sigma_set_finish(struct sigma_set *set, struct rf_err *err);

/* What to call a rule in messages and results: its id, name or title. */
rf_str sigma_rule_label(const struct sigma_rule *rule);

const char *sigma_correlation_name(enum sigma_correlation_type type);
bool sigma_limits_hold(const struct sigma_correlation *correlation, double number);

#endif
