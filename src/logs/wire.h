/* wire.h - rows of a result as JSON, as the query API and the Kusto endpoints write them.
 *
 *   type                JSON                                              null
 *   bool                true, false                                       null
 *   int, long           number with all its digits                        null
 *   real                number; "NaN", "Infinity", "-Infinity"            null
 *   decimal             "1.5"                                             null
 *   datetime            "2024-03-01T10:20:30.1234567Z", zeros cut         null
 *   timespan            "[-][d.]hh:mm:ss[.fffffff]"                       null
 *   guid                "12345678-1234-1234-1234-123456789abc"            null
 *   string              string                                            "" (there is none)
 *   dynamic             WIRE_LOGS: JSON as a string; WIRE_KUSTO: JSON     null
 *
 * Cells go from the vectors straight into the buffer. A dictionary's texts are encoded once while the same dictionary comes. */
#ifndef RF_WIRE_H
#define RF_WIRE_H

#include "kql/kql.h"

enum wire_form { WIRE_LOGS, WIRE_KUSTO };
enum wire_cut { WIRE_WHOLE, WIRE_ROWS, WIRE_BYTES }; /* which limit ended the rows */

struct wire_column;
struct wire {
    struct rf_buf *buf; /* where rows go; borrowed */
    enum wire_form form;
    uint64_t row_limit; /* of all tables together; UINT64_MAX: none */
    size_t byte_limit;  /* of the rows' text, of all tables together */
    uint64_t row_count, table_row_count;
    size_t byte_count;
    enum wire_cut cut;
    bool grown;            /* the buffer has all the room that it may need */
    struct rf_arena arena; /* of dictionaries' texts */
    struct wire_column *columns;
    uint32_t column_count;
};
/* Ends with wire_done. */
void wire_init(struct wire *wire, enum wire_form form, struct rf_buf *buf, uint64_t row_limit,
               size_t byte_limit);
void wire_done(struct wire *wire);
/* Rows of a further table come. */
RF_MUST_USE enum rf_kind wire_table(struct wire *wire, const struct schema *schema,
                                    struct rf_err *err);
/* Appends the rows as arrays, with commas between them. RF_LIMIT ResultTooLarge: the rows that fit are written, and
 * wire->cut says which limit it was (lack of memory for the buffer counts as one of bytes). */
RF_MUST_USE enum rf_kind wire_rows(struct wire *wire, const struct batch *batch,
                                   struct rf_err *err);
/* One value as JSON. */
void wire_value(struct rf_buf *buf, enum wire_form form, const struct value *v);

#endif
