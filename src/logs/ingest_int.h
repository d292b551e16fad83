/* ingest_int.h - the body of an ingestion call, without HTTP: for ingest.c, its test and its fuzz target. */
#ifndef RF_INGEST_INT_H
#define RF_INGEST_INT_H

#include "logs/rules_int.h"

enum {
    INGEST_BODY_BYTES_MAX =
        (1 << 20) + (64 << 10), /* decoded: the clients count records without the commas between */
    INGEST_TEXT_BYTES_MAX = 32 << 10, /* of a field; longer ones are cut */
};

/* The records of a body as batches of the stream's columns, texts cut to size. *reader is to be freed when the rows are no
 * longer used. RF_INVALID InvalidPayload, RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind ingest_read(const struct rule_stream *stream, rf_str body,
                                     struct rf_budget *budget, struct rf_arena *arena,
                                     struct reader **reader, struct kept_rows *out,
                                     struct rf_err *err);
/* Rows laid out as `schema`, as the table takes them: columns that it has not are left out, others get its type. Allocates
 * in `arena`. RF_INVALID InvalidTransformOutput. */
RF_MUST_USE enum rf_kind ingest_fit(const struct table_def *def, const struct schema *schema,
                                    const struct batch *batches, uint32_t batch_count,
                                    struct rf_arena *arena, struct schema *fit_schema,
                                    struct batch **fit, struct rf_err *err);

#endif
