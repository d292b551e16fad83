/* row_literals.h - texts of which a row of a table must hold one, or a query gives no row for it. Who has many queries looks
 * for the texts of all of them at once (base/literal_set.h) and runs those whose texts occur.
 *
 * Known of queries that treat each row by itself (node_by_rows) from their conditions: text operators, equality and lists of
 * constants, regular expressions, also of columns that were renamed. Whole numbers of columns of whole numbers are texts of the
 * form that row_literal_number writes. What is not surely needed is not told. */
#ifndef RF_ROW_LITERALS_H
#define RF_ROW_LITERALS_H

#include "kql/plan.h"

enum { ROW_LITERALS_MAX = 1000, ROW_LITERAL_BYTES_MIN = 3, ROW_NUMBER_BYTES = 24 };

struct row_literal {
    rf_str text;
    bool nocase; /* as `contains` ignores case */
};
struct row_literals {
    const struct row_literal *items; /* count 0: nothing is known, the query must be run */
    uint32_t count;
    const rf_str *columns; /* of the table: one of the texts is in one of these */
    uint32_t column_count;
    uint32_t table_columns; /* that the table had: with others the query may mean something else */
};

/* What rows of the table must hold to lead to rows of `node`. All in `arena`; false: no memory. */
RF_MUST_USE bool node_row_literals(const struct node *node, struct rf_arena *arena,
                                   struct row_literals *out);

/* How a whole number of a column is written for the search: no other number's text is part of it. */
rf_str row_literal_number(int64_t number, uint8_t out[ROW_NUMBER_BYTES]);

#endif
