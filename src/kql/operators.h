/* operators.h - every tabular operator: add a line here and a file op_<name>.c. */
#ifndef RF_OPERATORS_H
#define RF_OPERATORS_H

#include "kql/parse.h"

#define OPERATORS(X)                                                                               \
    X(op_where)                                                                                    \
    X(op_filter)                                                                                   \
    X(op_extend)                                                                                   \
    X(op_project)                                                                                  \
    X(op_project_away)                                                                             \
    X(op_project_keep)                                                                             \
    X(op_project_reorder)                                                                          \
    X(op_project_rename)                                                                           \
    X(op_print)                                                                                    \
    X(op_take)                                                                                     \
    X(op_limit)                                                                                    \
    X(op_range)                                                                                    \
    X(op_sort)                                                                                     \
    X(op_order)                                                                                    \
    X(op_top)                                                                                      \
    X(op_summarize)                                                                                \
    X(op_distinct)                                                                                 \
    X(op_count)                                                                                    \
    X(op_join)                                                                                     \
    X(op_lookup)                                                                                   \
    X(op_search)                                                                                   \
    X(op_find)                                                                                     \
    X(op_evaluate)                                                                                 \
    X(op_make_graph)                                                                               \
    X(op_graph_match)                                                                              \
    X(op_graph_shortest_paths)                                                                     \
    X(op_graph_to_table)                                                                           \
    X(op_graph_mark_components)                                                                    \
    X(op_union)                                                                                    \
    X(op_as)                                                                                       \
    X(op_serialize)                                                                                \
    X(op_render)                                                                                   \
    X(op_invoke)                                                                                   \
    X(op_getschema)                                                                                \
    X(op_consume)                                                                                  \
    X(op_mv_expand)                                                                                \
    X(op_mvexpand)                                                                                 \
    X(op_mv_apply)                                                                                 \
    X(op_parse)                                                                                    \
    X(op_parse_where)                                                                              \
    X(op_parse_kv)                                                                                 \
    X(op_make_series)                                                                              \
    X(op_top_hitters)                                                                              \
    X(op_sample)                                                                                   \
    X(op_sample_distinct)                                                                          \
    X(op_partition)                                                                                \
    X(op_top_nested)                                                                               \
    X(op_scan_steps)                                                                               \
    X(op_fork)                                                                                     \
    X(op_facet)                                                                                    \
    X(op_reduce)                                                                                   \
    X(op_project_by_names)                                                                         \
    X(op_macro_expand)                                                                             \
    X(op_assert_schema)

#define OPERATOR_DECLARE(name) extern const struct operator name;
OPERATORS(OPERATOR_DECLARE)
#undef OPERATOR_DECLARE

#endif
