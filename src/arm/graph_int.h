/* graph_int.h - Resource Graph: KQL over the resources that the caller may read (contracts/arm.md section 9). */
#ifndef RF_GRAPH_INT_H
#define RF_GRAPH_INT_H

#include "arm/arm_int.h"
#include "kql/kql.h"

/* ---- graph_tables.c: the tables, and where their rows come from --------------------------------------------------------- */

/* Which resources a query sees beside those in what it asks of: roles and policies that stand above count, too. */
enum graph_reach { GRAPH_BELOW, GRAPH_ABOVE, GRAPH_EXACT, GRAPH_AROUND };

/* What the tables of one query share. All is the request's, of its one thread. */
struct graph {
    struct arm *arm;
    struct request *request;
    rf_str
        scope; /* lower-case id of the subscription or management group that was asked; "" is the tenant */
    enum graph_reach reach;
};
/* The catalog that a query sees: every table under its name, and under the spelling that `query` has for it, as names of
 * tables are told apart without case. Allocates in `arena`, which must outlive the query, as must `graph`. */
RF_MUST_USE enum rf_kind graph_catalog(struct graph *graph, rf_str query, struct rf_arena *arena,
                                       struct catalog *out, struct rf_err *err);

/* ---- graph_cell.c: one resource as a row, and whether it is shown ---------------------------------------------------------- */

enum graph_column {
    COLUMN_ID,
    COLUMN_NAME,
    COLUMN_TYPE,
    COLUMN_TENANT,
    COLUMN_KIND,
    COLUMN_LOCATION,
    COLUMN_GROUP,
    COLUMN_SUBSCRIPTION,
    COLUMN_MANAGED_BY,
    COLUMN_SKU,
    COLUMN_PLAN,
    COLUMN_PROPERTIES,
    COLUMN_TAGS,
    COLUMN_IDENTITY,
    COLUMN_ZONES,
    COLUMN_PLACE, /* extendedLocation */
    COLUMN_COUNT
};
struct graph_column_shape {
    const char *name;
    enum type type;
};
extern const struct graph_column_shape graph_columns[COLUMN_COUNT];

/* One resource on its way into a row. */
struct graph_item {
    struct resource_id id;
    rf_str type, name; /* type: any case */
    rf_str readable;   /* who may read here may see it; empty: the id */
    const struct json_node *body;
};
/* Writes a cell of a flat vector; its bytes go to `arena`, what is needed on the way to `scratch`. */
RF_MUST_USE enum rf_kind graph_set_cell(const struct graph *graph, const struct graph_item *item,
                                        enum graph_column column, struct rf_arena *scratch,
                                        struct rf_arena *arena, struct vec *vec, uint32_t row,
                                        struct rf_err *err);
/* Whether the caller may read it. */
bool graph_may_read(const struct graph *graph, const struct graph_item *item,
                    struct rf_arena *scratch);
/* Of roles and policies: whether where it stands is asked for. What stands nowhere (built in) is everywhere. */
bool graph_reaches(const struct graph *graph, const struct graph_item *item,
                   struct rf_arena *scratch);

/* ---- graph_rows.c: one table as a source of the language ------------------------------------------------------------------ */

enum graph_rows_kind {
    GRAPH_RESOURCES,  /* what /resources shows */
    GRAPH_CONTAINERS, /* subscriptions, groups, management groups */
    GRAPH_ROLES,      /* role assignments and definitions, which authz keeps */
    GRAPH_TYPES       /* resources of some types */
};
struct graph_table {
    const char *name;
    const char *const *types; /* GRAPH_TYPES: lower case, NULL at the end; NULL for others */
    enum graph_rows_kind kind;
};
/* A scan reads state in pieces, each in a transaction of its own, so that none is open while operators run. A condition on
 * the type is looked up, not filtered. NULL on lack of memory. */
struct source *graph_source_new(struct graph *graph, const struct graph_table *table, rf_str name,
                                struct rf_arena *arena);

/* ---- graph_answer.c: rows as JSON ------------------------------------------------------------------------------------------ */

/* Writes rows `skip`.. of the first result, at most `top`, and counts all. */
struct graph_answer {
    struct kql_sink sink;
    struct rf_buf *buf;
    bool as_table;
    uint64_t skip;
    uint32_t top;
    size_t byte_limit;
    uint64_t row_count;   /* of the whole result */
    uint32_t shown_count; /* of the page */
    bool has_id;          /* a column is called id */
    struct rf_arena *arena;
    rf_str *names; /* of columns, as JSON with the colon */
    uint32_t column_count, table_count;
};
/* The answer's `data` member's value goes to `buf`; complete when kql_run gave RF_OK. */
void graph_answer_init(struct graph_answer *answer, struct rf_buf *buf, struct rf_arena *arena,
                       bool as_table, uint64_t skip, uint32_t top);

/* ---- graph.c ---------------------------------------------------------------------------------------------------------------- */

RF_MUST_USE enum rf_kind arm_run_graph(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_graph_history(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_graph_operations(struct request *request, struct rf_err *err);

#endif
