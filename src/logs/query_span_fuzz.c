/* Any text as a timespan: a span whose ends are times in their order, or an error. */
#include "logs/query_int.h"
#include "test/rf_fuzz.h"

RF_FUZZ(query_span, text)
{
    struct query_span span;
    struct rf_err err = {0};
    int64_t usec;
    enum rf_kind kind = query_span_parse(text, DATETIME_UNIX_EPOCH, &span, &err);
    if (kind == RF_OK && span.given) {
        RF_ASSERT(span.from_ticks >= 0 && span.from_ticks <= span.to_ticks);
        RF_ASSERT(span.to_ticks <= DATETIME_MAX);
    }
    RF_ASSERT(kind == RF_OK || strcmp(err.code, "BadTimespan") == 0);
    (void)query_duration_parse(text, &usec);
}
