/* kql.h - a whole request: text in, result tables out. What the command line and the services call. */
#ifndef RF_KQL_H
#define RF_KQL_H

#include "kql/bind.h"
#include "kql/row_literals.h"

struct kql_request {
    rf_str text;
    const struct catalog *catalog;
    size_t memory_bytes; /* budget of the whole request; 0: KQL_MEMORY_DEFAULT */
    uint32_t lane_count; /* workers; 0: one */
    int64_t now_ticks;   /* what now() says; 0: the present time */
    bool has_timespan;   /* limits every table with a TimeGenerated column to [from, to) */
    int64_t from_ticks, to_ticks;
    bool has_ingested; /* limits every table that knows when its rows arrived to (after, until] */
    int64_t after_ticks, until_ticks;
    struct func_env env;
    uint32_t batch_rows;    /* 0: BATCH_ROWS */
    uint32_t shortcuts_off; /* enum shortcut; for tests */
    const atomic_bool
        *cancelled; /* NULL, or set by another thread to end the query with QueryCancelled */
};
#define KQL_MEMORY_DEFAULT ((size_t)4 << 30)

/* Receives results. Calls come from one thread: begin, push ..., end for each table in turn. */
struct kql_sink {
    /* `schema` lives until the request ends; render is NULL when the query has no render. */
    enum rf_kind (*begin)(struct kql_sink *sink, rf_str name, const struct schema *schema,
                          const struct render *render, struct rf_err *err);
    enum rf_kind (*push)(struct kql_sink *sink, const struct batch *batch, struct rf_err *err);
    enum rf_kind (*end)(struct kql_sink *sink, struct rf_err *err);
    /* NULL, or told before the first begin what the request and its `set` statements ask for: the last of a name counts. */
    void (*options)(struct kql_sink *sink, const struct set_option *options, uint32_t count);
    bool enough; /* set by push: no more rows of this table are wanted, and that is no error */
};
struct kql_stats {
    uint64_t rows_scanned, bytes_scanned, memory_peak_bytes;
    struct rf_err warning; /* code is NULL when there is none */
};

/* Parses, binds, optimises and runs. Errors carry line and column where the text is at fault. */
RF_MUST_USE enum rf_kind kql_run(const struct kql_request *request, struct kql_sink *sink,
                                 struct kql_stats *stats, struct rf_err *err);
/* What is known of a query's first result without running it. */
struct kql_shape {
    struct schema schema; /* names and types; in the arena of the call */
    bool open;            /* the columns depend on data */
    bool by_rows; /* each row of the one table leads to its own rows, whatever the others are */
    /* What such a row must hold. None when it calls a stored function, whose text may change. */
    struct row_literals literals;
};
/* Parses and binds only. */
RF_MUST_USE enum rf_kind kql_lint(const struct kql_request *request, struct rf_arena *arena,
                                  struct kql_shape *out, struct rf_err *err);
/* The plan as text for --explain. */
RF_MUST_USE enum rf_kind kql_explain(const struct kql_request *request, struct rf_arena *arena,
                                     rf_str *out, struct rf_err *err);

#endif
