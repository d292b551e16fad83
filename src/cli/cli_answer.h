/* cli_answer.h - the answer of a server's query API, turned back into batches, so that it is printed as the answer of a query
 * that ran here. */
#ifndef RF_CLI_ANSWER_H
#define RF_CLI_ANSWER_H

#include "base/json_tree.h"
#include "kql/kql.h"

struct cli_answer {
    rf_str tables;                      /* JSON text of the array */
    const struct json_node *render;     /* NULL: none */
    const struct json_node *statistics; /* NULL: none */
    const struct json_node
        *error; /* an object with the member "error"; NULL: the result is whole */
};
/* Finds the parts of {"tables":[..],"render":..,"statistics":..,"error":..}. Views of `body`; allocates in `arena`.
 * Errors: RF_INVALID BadAnswer; RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind cli_answer_parse(rf_str body, struct rf_arena *arena,
                                          struct cli_answer *out, struct rf_err *err);
/* Pushes the tables into the sink. Cells are encoded as Azure does: long and real as numbers (NaN and infinities as texts),
 * decimal, datetime, timespan and guid as texts, dynamic as a text that holds JSON (or JSON itself).
 * Errors: RF_INVALID BadAnswer; what the sink says. */
RF_MUST_USE enum rf_kind cli_answer_push(const struct cli_answer *answer, struct kql_sink *sink,
                                         struct rf_arena *arena, struct rf_err *err);

#endif
