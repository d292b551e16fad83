/* op.h - nodes that several operators build on. */
#ifndef RF_OP_H
#define RF_OP_H

#include "kql/bind.h"

/* Keeps the rows where `predicate` (bool) holds. Offers the predicate to the scan below. */
RF_MUST_USE enum rf_kind where_node_new(struct binder *b, struct expr *predicate,
                                        struct node *input, struct node **out);
/* op_guard.c: nothing above it learns anything of rows that `input` leaves out. */
RF_MUST_USE enum rf_kind guard_node_new(struct binder *b, struct node *input, struct node **out);
bool node_is_guard(const struct node *node);
/* True when a predicate may be met before the rows are narrowed: it tells nothing by failing. */
bool guard_passes(const struct expr *predicate);
/* Output columns exactly as given: exprs[i] makes column i of `schema`. An expression that only
 * names an input column costs nothing. */
RF_MUST_USE enum rf_kind project_node_new(struct binder *b, struct expr **exprs,
                                          const struct schema *schema, struct node *input,
                                          struct node **out);
/* The input's columns with `exprs` as further columns (schema: input's, then the new ones). */
RF_MUST_USE enum rf_kind extend_node_new(struct binder *b, struct expr **exprs,
                                         const struct column *columns, uint32_t count,
                                         struct node *input, struct node **out);
/* Rows already in memory. */
RF_MUST_USE enum rf_kind rows_node_new(struct binder *b, const struct schema *schema,
                                       struct rows *rows, struct node **out);
/* Sort keys for sort, top and others. */
struct sort_key {
    struct expr *expr;
    bool descending, nulls_first;
};
RF_MUST_USE enum rf_kind sort_node_new(struct binder *b, struct sort_key *keys, uint32_t key_count,
                                       uint64_t limit, struct node *input, struct node **out);
/* What a sort without a limit sorts; any other node itself: for those to whom the order says nothing. */
struct node *sort_skip(struct node *node);
/* Grouping with aggregates: output columns are the keys, then the aggregates' columns. */
RF_MUST_USE enum rf_kind group_node_new(struct binder *b, struct expr **keys,
                                        const struct column *key_columns, uint32_t key_count,
                                        const struct aggr_list *aggrs, struct node *input,
                                        struct node **out);
/* The rows of several tables; with_source (may be empty) names a first column that holds names[i]. */
RF_MUST_USE enum rf_kind union_tables(struct binder *b, struct node *const *nodes,
                                      const rf_str *names, uint32_t count, rf_str with_source,
                                      struct node **out);
/* The name of the table that a pipe of one input each begins with; empty when it begins with none. */
rf_str scan_name(const struct node *node);
/* summarize: a column for each key, then the items' columns, named as summarize names them. */
RF_MUST_USE enum rf_kind summarize_node_new(struct binder *b, struct ast *const *items,
                                            uint32_t item_count, struct ast *const *keys,
                                            uint32_t key_count, struct node *input,
                                            struct node **out);
/* The scan of a table from which rows come to `node` one by one, through filters and projections only; or NULL. */
struct node *scan_below(struct node *node);
/* True when the scan below will give only rows that meet the predicate: nobody needs to look again. */
bool scan_takes_predicate(struct node *node, struct expr *predicate);
/* What a scan reads, its predicates, and its source's column of an id; NULL, none and UINT32_MAX when there is no such thing. */
const struct source *scan_source(const struct node *node);
struct expr *const *scan_predicates(const struct node *scan, uint32_t *count);
uint32_t scan_column(const struct node *scan, uint32_t column_id);
/* The conditions of a where that stay with it; none of other nodes. */
struct expr *const *where_conjuncts(const struct node *node, uint32_t *count);
/* Passes a limit on to a scan, if that is what lies below. */
void scan_offer_limit(struct node *node, uint64_t limit);
/* The same for a sort below: it then keeps the best rows only. */
void sort_offer_limit(struct node *node, uint64_t limit);

/* A schema that has other columns' ids, for operators that must give several names to one input. */
rf_str ast_text(const struct binder *b, const struct ast *ast);

#endif
