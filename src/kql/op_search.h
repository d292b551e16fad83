/* op_search.h - what search and find share: a predicate over many tables, with words that stand for
 * "some column has this term". */
#ifndef RF_OP_SEARCH_H
#define RF_OP_SEARCH_H

#include "kql/bind.h"

struct search_tables {
    struct node **nodes;
    rf_str *names;
    uint32_t count, cap;
};

/* in (T, Prefix*, (query)): the list behind "in", brackets included. */
RF_MUST_USE enum rf_kind search_parse_tables(struct parser *p, struct ast ***tables,
                                             uint32_t *count);
/* A condition in which col:"text" is an operator and a text alone is a term. */
RF_MUST_USE enum rf_kind search_parse_predicate(struct parser *p, struct ast **out);

/* The tables of the list, or `input`, or all tables there are. */
RF_MUST_USE enum rf_kind search_bind_tables(struct binder *b, struct ast *const *list,
                                            uint32_t list_count, struct node *input,
                                            struct search_tables *out);
/* Filters each table. A column that only some of the tables have is null in the others; the column
 * called `table_column` is the table's name. Columns stay as they are. */
RF_MUST_USE enum rf_kind search_filter(struct binder *b, const struct ast *predicate,
                                       bool case_sensitive, rf_str table_column,
                                       struct search_tables *tables);
/* True when the predicate mentions a column of this name. */
bool search_mentions(const struct ast *ast, rf_str name);

#endif
