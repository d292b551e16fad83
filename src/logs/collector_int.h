/* collector_int.h - bodies of the old Data Collector API: for collector.c, its test and its fuzz target. */
#ifndef RF_COLLECTOR_INT_H
#define RF_COLLECTOR_INT_H

#include "store/reader.h"

enum { COLLECTOR_COLUMNS_MAX = 500, COLLECTOR_NAME_BYTES_MAX = 45 };

/* The body's records, one a line, with the names that the API gives to columns: each field's name with a suffix that tells
 * its type, TimeGenerated from the field `time_field` (may be empty), _ResourceId when `resource_id` is not empty. Everything
 * in `arena`. RF_INVALID InvalidDataFormat, RF_LIMIT MemoryBudgetExceeded. */
struct collector_rows {
    struct rf_buf json;
    struct table_column *columns; /* those of the fields */
    uint32_t column_count;
    uint64_t row_count;
};
RF_MUST_USE enum rf_kind collector_translate(rf_str body, rf_str time_field, rf_str resource_id,
                                             struct rf_arena *arena, struct collector_rows *out,
                                             struct rf_err *err);

#endif
