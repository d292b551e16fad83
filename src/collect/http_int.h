/* http_int.h - one call of a sender over HTTP, as the files http*.c share it. */
#ifndef RF_COLLECT_HTTP_INT_H
#define RF_COLLECT_HTTP_INT_H

#include "collect/collect_int.h"
#include "collect/sink.h"

enum { HTTP_BODY_BYTES_MAX = 16 << 20 };

/* One call that was let in, and its rows. */
struct call {
    struct collect *collect;
    struct request *request;
    struct collect_sources *sources;
    struct sink_route route;
    struct health_source who;
    struct rf_arena arena;
    struct rowset rows;
    struct health_counts counts;
    const char *problem;
    bool is_storing; /* it was understood */
};

/* Checks who sends. call_done in either case. */
RF_MUST_USE enum rf_kind call_begin(struct request *request, enum collect_use use,
                                    const char *protocol, struct call *call, struct rf_err *err);
void call_done(struct call *call);
/* Stores the rows; durable when it returns. */
RF_MUST_USE enum rf_kind call_store(struct call *call, struct rf_err *err);
/* Counts what went wrong, and says what may be tried again. */
enum rf_kind call_failed(struct call *call, enum rf_kind kind, struct rf_err *err);
/* Counts the call; `error` NULL: none. */
void call_note(struct call *call, const char *error);
/* Who sent its lines. */
struct line_source call_line_source(const struct call *call);
/* All of it, for a route whose errors and answers need nothing of their own. */
enum rf_kind call_run(struct request *request, enum collect_use use, const char *protocol,
                      enum rf_kind (*run)(struct call *call, struct rf_err *err),
                      struct rf_err *err);
/* Whether the body is of this type; parameters behind it are ignored. */
bool request_is_type(const struct request *request, const char *wanted);

/* The body of POST /collect/tables/{table}: JSON of any framing, or MessagePack. */
enum rf_kind run_tables(struct request *request, struct rf_err *err);

#define COLLECT_ROUTE(method_, path_, run_)                                                        \
    {                                                                                              \
        .method = method_, .path = path_, .access = ROUTE_OPEN,                                    \
        .why_open =                                                                                \
            "the handler first checks the bearer token's data action or the collector's key",      \
        .audiences =                                                                               \
            AUDIENCE_INGEST | AUDIENCE_ARM | AUDIENCE_LOGS | AUDIENCE_KUSTO | AUDIENCE_METRICS,    \
        .run = run_, .lane = HTTP_QUICK, .body_bytes_max = HTTP_BODY_BYTES_MAX                     \
    }

/* Fill in a service each. */
void http_otlp_service(struct service *service);
void http_hec_service(struct service *service);

/* Each object of a text with several, or of lists; http_records.c. */
RF_MUST_USE enum rf_kind call_each_record(struct call *call, rf_str body,
                                          enum rf_kind (*take)(struct call *call,
                                                               struct json_node *record,
                                                               struct rf_err *err),
                                          struct rf_err *err);
RF_MUST_USE enum rf_kind call_answer_count(struct call *call);

#endif
