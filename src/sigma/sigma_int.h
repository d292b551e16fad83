/* sigma_int.h - what the parts of the rule reader share. */
#ifndef RF_SIGMA_INT_H
#define RF_SIGMA_INT_H

#include "base/json_tree.h"
#include "sigma/sigma.h"

/* One document that is being read. */
struct sigma_reader {
    struct sigma_set *set;
    struct rf_arena *arena;
    uint32_t node_count;
};

/* A search identifier of a detection. */
struct sigma_search {
    rf_str name;
    struct sigma_node *node;
    uint32_t size; /* nodes */
    struct sigma_search *next;
};

/* An aggregation of version 1: `| count(field) by group > 5`. */
struct sigma_aggregation {
    bool present;
    enum sigma_correlation_type type;
    rf_str field; /* empty: none */
    rf_str groups[SIGMA_GROUP_FIELDS_MAX];
    uint32_t group_count;
    struct sigma_limit limit;
};

/* A document of filters: its condition, with the searches that it names, and whom it narrows. */
struct sigma_filter {
    rf_str title, id;
    const char *path;
    uint32_t line;
    struct sigma_logsource logsource;
    bool any; /* rules: any */
    rf_str *rules;
    uint32_t rule_count;
    struct sigma_node *condition;
    struct sigma_filter *next;
};

/* The kind stands in the macro so that analyzers see that it is not RF_OK. */
#define SIGMA_FAIL(err, at_line, kind, code, ...)                                                  \
    ((void)rf_fail((err), (kind), (code), __VA_ARGS__), sigma_place((err), (at_line)), (kind))
static inline void sigma_place(struct rf_err *err, uint32_t line)
{
    if (err != NULL) err->line = line;
}

/* NULL on lack of memory. */
struct sigma_node *sigma_node_new(struct sigma_reader *r, enum sigma_op op);
struct sigma_node *sigma_node_not(struct sigma_reader *r, struct sigma_node *child);
/* Appends to AND or OR; `last` remembers the end. */
static inline void sigma_node_add(struct sigma_node *parent, struct sigma_node **last,
                                  struct sigma_node *child)
{
    if (*last == NULL)
        parent->first = child;
    else
        (*last)->next = child;
    *last = child;
}

/* One search identifier's value: a map, a list of maps, keywords. */
RF_MUST_USE enum rf_kind sigma_read_search(struct sigma_reader *r, const struct json_node *value,
                                           struct sigma_node **out, struct rf_err *err);
/* One `Field|modifier...: value` of a map. */
RF_MUST_USE enum rf_kind sigma_read_item(struct sigma_reader *r, rf_str key,
                                         const struct json_node *value, struct sigma_node **out,
                                         struct rf_err *err);
/* A condition over the searches. `line` is its place. `aggregation` is set when one stands behind a pipe. */
RF_MUST_USE enum rf_kind sigma_read_condition(struct sigma_reader *r, rf_str text, uint32_t line,
                                              const struct sigma_search *searches,
                                              struct sigma_node **out,
                                              struct sigma_aggregation *aggregation,
                                              struct rf_err *err);
/* The `correlation` of a document. */
RF_MUST_USE enum rf_kind sigma_read_correlation(struct sigma_reader *r,
                                                const struct json_node *node,
                                                struct sigma_correlation **out, struct rf_err *err);
/* "90m": a number and s, m, h, d, w, M or y. */
bool sigma_parse_timespan(rf_str text, rf_usec *out);
/* Gives the rule of that id; NULL when there is none. */
struct sigma_rule *sigma_find_id(const struct sigma_set *set, rf_str id);
/* Gives the rule of that id or name; NULL when there is none. */
struct sigma_rule *sigma_find_rule(const struct sigma_set *set, rf_str name);
/* Resolves a correlation's references: rules, groups, aliases. */
RF_MUST_USE enum rf_kind sigma_resolve(struct sigma_set *set, struct sigma_rule *rule,
                                       struct rf_err *err);
/* Applies the filters of the set to its rules. */
RF_MUST_USE enum rf_kind sigma_apply_filters(struct sigma_set *set, struct rf_err *err);

#endif
