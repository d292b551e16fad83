/* exec.h - running a plan: push-based, vectorised.
 *
 * node_run(node) pushes batches into a `flow`. A streaming operator wraps the flow it was given into its own
 * and runs its input into that; a pipeline breaker runs its input to the end into a collecting flow and
 * then pushes its own batches. Lanes: a source may push from several workers at once, each with its own
 * lane number (0..exec->lane_count-1); what a flow keeps per row must be kept per lane and merged when
 * node_run of the input has returned. A node whose `serialized` is set pushes on lane 0 only, in order.
 *
 * A pushed batch and its columns live until push returns; batch->arena may be used for results that live
 * as long. A pusher resets its arena between batches. */
#ifndef RF_EXEC_H
#define RF_EXEC_H

#include "kql/plan.h"

struct flow {
    enum rf_kind (*push)(struct flow *flow, uint32_t lane, const struct batch *batch,
                         struct rf_err *err);
    struct flow *next; /* where this one pushes to, or NULL for a sink */
    atomic_bool done;  /* set when no more rows are wanted: sources stop, nothing is an error */
    /* NULL, or told when a source that runs several lanes is done with one of them, for better or worse. Whoever wants to
     * know pushes on one lane, so those behind it are not told. */
    void (*lane_end)(struct flow *flow, uint32_t lane);
    /* NULL, or told that all rows pushed so far, on whatever lane, stand before those to come. Whoever keeps rows or groups
     * per lane puts what the lanes have behind what lane 0 has, and merges in lane order at the end as ever. */
    enum rf_kind (*round_end)(struct flow *flow, struct rf_err *err);
};
/* Tells `flow`, or the first behind it that wants to know. Whoever pushes on several lanes at once calls it at the end of each. */
void flow_lane_end(struct flow *flow, uint32_t lane);
/* Tells `flow`, or the first behind it that keeps something per lane. An operator that runs several inputs one after another
 * calls it between them, while nobody pushes. */
RF_MUST_USE enum rf_kind flow_round_end(struct flow *flow, struct rf_err *err);
/* True when `flow` or a flow behind it wants no more rows. */
bool flow_done(struct flow *flow);

struct set_option { /* set name = value */
    rf_str name;
    struct value value;
};

/* Session facts that functions may ask for (func_call.env). */
struct func_env {
    rf_str database, cluster, principal;
    const struct set_option *options;
    uint32_t option_count;
    /* What `declare query_parameters` binds: strings as they are, others as literals ("datetime(2024-01-31)") or as texts that
     * convert ("2024-01-31"). */
    const struct query_parameter {
        rf_str name, text;
    } * parameters;
    uint32_t parameter_count;
};

/* What makes a query cheaper and never changes its answer. Tests run queries with each switched off; nothing that a user says
 * does. */
enum shortcut {
    SHORTCUT_PUSHDOWN = 1 << 0, /* a scan that filters is given the conjuncts of `where` */
    SHORTCUT_TESTS = 1 << 1,    /* the store leaves out blocks by their bounds and terms */
    SHORTCUT_PRUNE = 1 << 2,    /* columns that nobody reads are not made */
    SHORTCUT_PATHS = 1 << 3,    /* paths of dynamic columns are read as columns of their own */
    SHORTCUT_SIEVE =
        1 << 4, /* top, arg_max and join tell the scan below which rows will drop out */
    SHORTCUT_LIMIT = 1 << 5,      /* take tells the scan or sort below how many rows will do */
    SHORTCUT_DICTIONARY = 1 << 6, /* functions are computed once per entry of a dictionary */
    SHORTCUT_FEW = 1 << 7,        /* a small table is read by one lane */
    SHORTCUT_COUNT = 8,
};

struct exec {
    struct rf_budget *budget; /* of the whole query */
    struct rf_arena
        *arena; /* query memory, lane 0 / single thread only: plan-time and run-once things */
    /* Lanes that may push now: 1, or worker_count below an operator that merges lanes (grouping). A source gives lane i rows that
     * all stand before those of lane i + 1, so that merging in lane order keeps the order of rows. Between two sources that
     * push to one flow there is a flow_round_end. */
    uint32_t lane_count, worker_count;
    struct pool *pool; /* of worker_count threads; NULL: made when it is first needed */
    bool pool_busy;    /* a source uses the pool: what runs meanwhile, behind it, uses one lane */
    int64_t now_ticks;
    struct func_env env;
    const atomic_bool *cancelled; /* NULL, or set by another thread to end the query */
    const struct catalog *catalog;
    uint32_t batch_rows;    /* BATCH_ROWS, less in tests */
    uint32_t shortcuts_off; /* enum shortcut; none but in tests */
    /* Of the operator that runs now, for the scan right below it. */
    struct row_sieve *sieve;
    const struct node *sieved; /* that scan */
    bool has_timespan;         /* tables with TimeGenerated give only rows in [from, to) */
    int64_t from_ticks, to_ticks;
    bool
        has_ingested; /* tables with a column ARRIVAL_COLUMN give only rows that arrived in (after, until] */
    int64_t after_ticks, until_ticks;
    atomic_uint_fast64_t rows_scanned, bytes_scanned; /* for --stats */
    atomic_uint_fast64_t dict_count;                  /* dictionaries that operators made */
    struct rf_err *warning;                           /* NULL, or where the first warning goes */
};
/* True when the query is to end: what loops long without pushing asks. */
static inline bool exec_cancelled(const struct exec *exec)
{
    return exec->cancelled != NULL && atomic_load_explicit(exec->cancelled, memory_order_relaxed);
}
/* A vec.dict_id for a dictionary that an operator makes. */
uint64_t exec_dict_id(struct exec *exec);
static inline bool exec_takes(const struct exec *exec, enum shortcut shortcut)
{
    return (exec->shortcuts_off & shortcut) == 0;
}
/* Notes what did not stop the query but may change how its result is read. The first one is kept. */
void exec_warn(struct exec *exec, const char *code, const char *fmt, ...) RF_PRINTF(3, 4);

RF_MUST_USE enum rf_kind node_run(struct node *node, struct exec *exec, struct flow *out,
                                  struct rf_err *err);
/* Passes a batch on unless it is empty or cancelled; in pieces when it has more than exec->batch_rows rows. */
RF_MUST_USE enum rf_kind flow_push(struct exec *exec, struct flow *out, uint32_t lane,
                                   const struct batch *batch, struct rf_err *err);

/* The pool of exec->worker_count threads. */
RF_MUST_USE enum rf_kind exec_pool(struct exec *exec, struct pool **out, struct rf_err *err);

/* ---- evaluating expressions: one evaluator per lane ---------------------------------------------------- */

struct eval;
/* Prepares `count` expressions over batches laid out as `input`. Allocates in `arena` (lives as long as the
 * evaluator; its budget pays). */
RF_MUST_USE enum rf_kind eval_new(struct exec *exec, struct rf_arena *arena,
                                  struct expr *const *exprs, uint32_t count,
                                  const struct schema *input, struct eval **out,
                                  struct rf_err *err);
/* Evaluates all of them: results[i] is a view with batch->row_count rows, of any shape, living as long as
 * the batch. */
RF_MUST_USE enum rf_kind eval_run(struct eval *eval, const struct batch *batch, struct vec *results,
                                  struct rf_err *err);
/* Frees what the evaluator holds outside its arena (results kept per dictionary). NULL is fine. */
void eval_done(struct eval *eval);
/* Evaluates one that must not depend on columns. */
RF_MUST_USE enum rf_kind eval_const(struct exec *exec, const struct expr *expr, struct value *out,
                                    struct rf_err *err);
/* Rows where a bool vector is true (not null): fills rows[], returns how many. */
uint32_t vec_true_rows(const struct vec *v, uint32_t count, uint32_t *rows);
/* A batch of the chosen rows of `in`; `rows` is borrowed for the life of the result. */
bool batch_select(const struct batch *in, const uint32_t *rows, uint32_t count, struct batch *out);

/* ---- common sinks ------------------------------------------------------------------------------------------- */

/* Runs `node` to the end and keeps its rows in `arena`, in order. */
RF_MUST_USE enum rf_kind node_collect(struct node *node, struct exec *exec, struct rf_arena *arena,
                                      struct rows **out, struct rf_err *err);
/* True when rows of `node` come one by one from a scan, also through joins, and lanes are free to read it: rows of a lane
 * then stand before those of the next. */
bool node_on_lanes(struct node *node, const struct exec *exec);
/* Runs `run`, which pushes batches laid out as `schema` to the flow that it is given, with exec->lane_count at the number of
 * workers; they go to `out` as node_run_ordered says. For what node_on_lanes allows. */
typedef enum rf_kind ordered_run(void *ctx, struct flow *out, struct rf_err *err);
RF_MUST_USE enum rf_kind exec_run_ordered(struct exec *exec, const struct schema *schema,
                                          ordered_run *run, void *ctx, struct flow *out,
                                          struct rf_err *err);
/* Runs `node` on all lanes when node_on_lanes, else on one, and pushes to `out` on lane 0, one batch at
 * a time, in the order of rows: lane 0's at once, the others' when the lanes before them have ended. What comes before
 * its turn is kept, up to a limit at which its lane waits. */
RF_MUST_USE enum rf_kind node_run_ordered(struct node *node, struct exec *exec, struct flow *out,
                                          struct rf_err *err);
/* Pushes kept rows from..to-1 (whole columns in schema order) to `out` on lane 0. */
RF_MUST_USE enum rf_kind rows_push(const struct rows *rows, struct exec *exec, struct flow *out,
                                   struct rf_err *err);
/* Pushes kept rows in the given order (row numbers; UINT64_MAX gives nulls). */
RF_MUST_USE enum rf_kind rows_push_order(const struct rows *rows, const uint64_t *order,
                                         uint64_t count, struct exec *exec, struct flow *out,
                                         struct rf_err *err);

/* ---- tables ---------------------------------------------------------------------------------------------------- */

/* What an operator further up learns while it runs: that it will drop rows with certain values of some columns (top: those
 * beyond the worst row that it keeps; arg_max: those that come after the best of their group). A source may ask and leave
 * them out before it reads the rest of them. */
struct row_sieve {
    const uint32_t *column_ids;
    uint32_t column_count;
    bool newest_first; /* wish: pages from the last to the first, as then more rows are left out */
    bool backwards;    /* set by a source that meets the wish */
    bool (*ready)(struct row_sieve *sieve, uint32_t lane); /* false: all rows pass so far */
    /* Puts the numbers of the rows that pass into rows[], which has room for all, and how many they are into *kept. */
    enum rf_kind (*keep)(struct row_sieve *sieve, uint32_t lane, const struct vec *columns,
                         uint32_t row_count, uint32_t *rows, uint32_t *kept, struct rf_err *err);
};

/* A path of a dynamic column that a scan gives as a column of its own, a dynamic that is null where there is nothing. */
struct scan_path {
    uint32_t column; /* of the source */
    const rf_str *keys;
    uint32_t key_count;
    uint32_t id;
};

/* What a scan is asked for. `columns` are indexes into the source's schema; those behind it are paths. */
struct scan {
    const uint32_t *columns;
    uint32_t column_count;
    /* Conjuncts that rows must meet, over the ids in column_ids[i] (parallel to the SOURCE's columns): none unless
     * the source filters. They may be met in any order. */
    struct expr *const *predicates;
    uint32_t predicate_count;
    const uint32_t *column_ids;
    const struct scan_path *paths; /* none unless the source gives paths */
    uint32_t path_count;
    uint64_t limit; /* rows wanted at most, after the predicates; UINT64_MAX when unknown */
    struct row_sieve *sieve; /* NULL, or what a source may use */
};

/* A column of this name, a datetime, is when a row arrived. Queries do not see it but by ingestion_time(). */
#define ARRIVAL_COLUMN "$IngestionTime"

/* A table that can be read. */
struct source {
    const struct source_ops *ops;
    rf_str name;
    struct ast_column *columns; /* name and type */
    uint32_t column_count;
};
struct source_ops {
    /* Optional: makes columns and column_count valid, reading the file's head or all of it when types must be
     * inferred. Called through source_open before anything looks at the columns; again is harmless. */
    enum rf_kind (*open)(struct source *source, struct rf_err *err);
    /* Pushes batches whose columns are scan->columns in that order. */
    enum rf_kind (*scan)(struct source *source, const struct scan *scan, struct exec *exec,
                         struct flow *out, struct rf_err *err);
    bool paths;   /* it gives paths */
    bool filters; /* scan pushes only rows that meet all predicates; else they are met behind it */
};

/* Whoever takes a source from the catalog to look at its columns calls this first: files are not read
 * before a query names them. */
static inline enum rf_kind source_open(struct source *source, struct rf_err *err)
{
    return source->ops->open == NULL ? RF_OK : source->ops->open(source, err);
}

/* The tables and functions that a query sees. */
struct binder;
struct catalog {
    struct source **sources;
    uint32_t source_count;
    /* Stored functions: `let`-like texts "name" -> "(params) { body }". */
    struct stored_function {
        rf_str name, text;
    } * functions;
    uint32_t function_count;
    /* Catalogs beside this one: a table's name stands for the rows of all tables that are called so. Their functions and
     * what stands beside them do not count. */
    const struct catalog *const *beside;
    uint32_t beside_count;
    /* NULL, or whether the query may see this source of the catalog; asked for each that it names. One that it may not see is
     * not there. */
    bool (*shows)(const struct catalog *catalog, const struct source *source);
    /* NULL, or narrows what the query sees of a source of the catalog that it may see: sets *where to what its rows must meet,
     * an expression over `schema`, the source's columns; leaves it alone when the query sees all of them. Rows that do not
     * meet it are as if they were not there (op_guard.c). */
    enum rf_kind (*narrow)(const struct catalog *catalog, const struct source *source,
                           struct binder *b, const struct schema *schema, struct expr **where);
    /* NULL: workspace("w").T is T; else finds the catalog that workspace("w"), app("w") or resource("w") names: `kind` is the
     * function. */
    enum rf_kind (*other)(const struct catalog *catalog, rf_str kind, rf_str name,
                          const struct catalog **out, struct rf_err *err);
    /* Empty, or the id of a resource: tables give only rows whose _ResourceId is this or begins with it and a slash, case
     * ignored; tables without that column give none. */
    rf_str resource;
    /* NULL, or the table that a call such as _GetWatchlist('alias') stands for: its columns depend on the arguments, which are
     * known while the query is bound. RF_NOT_FOUND: there is no function of this name. `out` NULL: only whether there is. */
    enum rf_kind (*call)(void *call_ctx, rf_str name, const struct value *args, uint32_t arg_count,
                         struct source **out, struct rf_err *err);
    void *call_ctx;
    const struct external *external; /* NULL, or what queries may read outside (external.h) */
    void *ctx;                       /* of the others */
};
/* The table of this name that the query may see, of the catalog itself or else of those beside it; NULL: none. */
struct source *catalog_find(const struct catalog *catalog, rf_str name);
/* The same in the catalog alone. */
struct source *catalog_find_own(const struct catalog *catalog, rf_str name);
/* Whether catalog->call knows it. */
bool catalog_calls(const struct catalog *catalog, rf_str name);

#endif
