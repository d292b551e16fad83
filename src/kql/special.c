#include "kql/special.h"

#include "base/rf.h"

static const struct special specials[] = {
    /* constants made of tables and names */
    {"toscalar", "The first cell of a table's first row, worked out once, before the query.",
     "toscalar(T | ...)"},
    {"materialize", "Runs a table once, however often the query reads it.",
     "let Name = materialize(T | ...)"},
    {"column_ifexists", "A column, or what stands in for it when the table has none of that name.",
     "column_ifexists(\"Name\", Default)"},
    {"column_names_of", "The names of a table's columns, as an array.", "column_names_of(T)"},
    {"pack_all", "A bag of all columns of the row, without empty ones when asked for.",
     "pack_all([ignore_null_empty])"},
    {"bag_pack_columns", "A bag of the named columns of the row.", "bag_pack_columns(Column, ...)"},
    /* tables */
    {"table", "The table of that name, which may be worked out from constants.", "table(\"Name\")"},
    {"database", "A table of a database; there is one, so that the name is not looked at.",
     "database(\"Name\").Table"},
    {"cluster", "A database of a cluster; there is one, so that the name is not looked at.",
     "cluster(\"Name\").database(\"Name\").Table"},
    {"datatable", "A table whose rows stand in the query.",
     "datatable (Name:type, ...) [Value, ...]"},
    {"externaldata", "A table that lies elsewhere; nothing outside is reached, so it has no rows.",
     "externaldata (Name:type, ...) [\"URL\"]"},
    {"inline_external_table",
     "A table that lies elsewhere, with its layout; nothing outside is reached, so it has no rows.",
     "inline_external_table (Name:type, ...) kind=storage|delta [partition by (Name:type [= "
     "Expression], ...)] [pathformat=(...)] [dataformat=Format] (\"URL\", ...) [with (...)]"},
    {"entity_group", "A group of databases or workspaces, for macro-expand.",
     "let Name = entity_group [workspace(\"a\"), workspace(\"b\")]"},
    {"totable", "The table itself.", "totable(T | ...)"},
    {"materialized_view", "A table by its name; views are not kept apart from tables.",
     "materialized_view(\"Name\")"},
    {"external_table", "A table by its name; nothing outside is reached.",
     "external_table(\"Name\")"},
    /* rows around; they need an order: sort or serialize before */
    {"prev", "A value of the row before, or of the n-th before.", "prev(Column, [n, Default])"},
    {"next", "A value of the row behind, or of the n-th behind.", "next(Column, [n, Default])"},
    {"row_number", "The row's number, beginning anew where the condition is true.",
     "row_number([First, Restart])"},
    {"row_cumsum", "The sum so far, beginning anew where the condition is true.",
     "row_cumsum(Column, [Restart])"},
    {"row_rank_dense", "How many different values came so far.",
     "row_rank_dense(Column, [Restart])"},
    {"row_rank_min", "The number of the first row with the same value.",
     "row_rank_min(Column, [Restart])"},
    {"row_window_session",
     "When the row's session began: rows that lie close to each other in time.",
     "row_window_session(Time, MaxFromFirst, MaxBetween, [Restart])"},
    /* in graph-match, graph-shortest-paths and graph-to-table */
    {"all", "True when the condition holds for every edge of a path of any length.",
     "all(Edge, Condition)"},
    {"any", "True when the condition holds for an edge of a path of any length.",
     "any(Edge, Condition)"},
    {"map", "An array of a value of each edge of a path of any length.", "map(Edge, Expression)"},
    {"inner_nodes", "The nodes within a path of any length, for all, any and map.",
     "all(inner_nodes(Edge), Condition)"},
    {"node_id", "What identifies a node, as text.", "node_id([Node])"},
    {"labels", "The labels of a node or an edge; graphs of make-graph have none.",
     "labels([Element])"},
    {"node_degree_in", "How many edges end in a node.", "node_degree_in([Node])"},
    {"node_degree_out", "How many edges begin in a node.", "node_degree_out([Node])"},
};

size_t special_count(void) { return RF_COUNT(specials); }
const struct special *special_at(size_t index) { return &specials[index]; }
