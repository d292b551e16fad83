/* rules_int.h - data collection rules as the ingestion path needs them: compiled, shared, and the transforms of their flows. */
#ifndef RF_RULES_INT_H
#define RF_RULES_INT_H

#include <pthread.h>

#include "logs/logs_int.h"
#include "tables/kept_rows.h"

enum {
    RULE_STREAMS_MAX = 200,
    RULE_COLUMNS_MAX = 1000,
    RULE_FLOWS_MAX = 200,
    RULE_BYTES_MAX = 16 << 20,
    TRANSFORM_BYTES_MAX = 15360, /* as Azure has it */
    RULE_CALLS_PER_MINUTE = 12000,
    IMMUTABLE_ID_BYTES = 36, /* "dcr-" and 32 hex digits */
};

struct rule_stream {
    rf_str name;
    struct reader_column *columns;
    uint32_t column_count;
};
/* One stream into one table of some workspaces. */
struct rule_flow {
    uint32_t stream;
    rf_str kql; /* empty: rows go as they come */
    rf_str table;
    rf_str *workspaces; /* GUIDs */
    uint32_t workspace_count;
};
/* Never changed once it is made. */
struct rule {
    struct rf_arena arena; /* of all below */
    atomic_uint refs;
    uint64_t generation;
    rf_str id; /* of the resource */
    struct rule_stream *streams;
    uint32_t stream_count;
    struct rule_flow *flows;
    uint32_t flow_count;
};

/* The rule as it is now; give it back with rule_unref. RF_NOT_FOUND NotFound. Any thread. */
RF_MUST_USE enum rf_kind rules_find(struct logs *logs, rf_str immutable_id, struct rule **out,
                                    struct rf_err *err);
void rule_unref(struct rule *rule);
static inline void rule_cleanup(struct rule **rule)
{
    if (*rule != NULL) rule_unref(*rule);
}
/* Counts a call; false when the rule had RULE_CALLS_PER_MINUTE in this minute, and *seconds to wait. */
bool rules_admit(struct logs *logs, rf_str immutable_id, rf_usec now, uint32_t *seconds);
/* The stream of that name, case ignored; NULL: the rule has none. */
const struct rule_stream *rule_find_stream(const struct rule *rule, rf_str name, uint32_t *index);

/* The columns that a stream declaration says: stream->name is set. RF_INVALID InvalidPayload. */
RF_MUST_USE enum rf_kind rule_read_columns(const struct json_node *declaration,
                                           struct rf_arena *arena, struct rule_stream *stream,
                                           struct rf_err *err);

/* What a document says, checked: RF_INVALID with the codes of contracts/monitor-logs section 1. Workspaces are looked up in
 * `txn`; their ids are put into the document, as texts of rule->arena. Everything is in that arena, which the caller has
 * initialised. */
RF_MUST_USE enum rf_kind rule_read(struct logs *logs, struct arm *arm, struct state_txn *txn,
                                   const struct json_node *body, struct rule *out,
                                   struct rf_err *err);

/* The service's own memory, for ingest.c. */
struct service *rules_service(struct rules *rules);

/* ---- transform.c --------------------------------------------------------------------------------------------------------- */

/* Whether the text is a transform: record by record, over `source` only. RF_INVALID InvalidTransformQuery. */
RF_MUST_USE enum rf_kind transform_check(rf_str kql, struct rf_err *err);
/* The columns that come out; in `arena`. RF_INVALID InvalidTransformQuery. */
RF_MUST_USE enum rf_kind transform_schema(rf_str kql, const struct rule_stream *stream,
                                          struct rf_arena *arena, struct schema *out,
                                          struct rf_err *err);
/* Runs it over batches laid out as the stream's columns. The rows are in `arena`. */
struct transformed {
    struct schema schema;
    struct batch *batches;
    uint32_t batch_count;
};
RF_MUST_USE enum rf_kind transform_run(rf_str kql, const struct rule_stream *stream,
                                       const struct kept_rows *rows, int64_t now_ticks,
                                       struct rf_arena *arena, struct transformed *out,
                                       struct rf_err *err);
/* How a column of type `from` gets into one of type `to`: as it is, by the widening that loses nothing, or not at all. */
bool transform_fits(enum type from, enum type to);
/* The vector as type `to`; transform_fits(v->type, to) holds. False: no memory. */
bool transform_cast(const struct vec *v, enum type to, uint32_t count, struct rf_arena *arena,
                    struct vec *out);

#endif
