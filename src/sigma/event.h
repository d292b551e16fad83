/* event.h - recorded events, one a line, and the values of their fields.
 *
 *   event_reader_new(layout, fields, count, &arena, &reader, err);
 *   event_feed(reader, bytes, last);
 *   while ((step = event_next(reader)) == EVENT_ONE)  value = event_value(reader, slot);
 *   event_rest(reader): bytes at the end of what was fed that belong to a line which goes on; to be fed again
 *
 * A line is split once; what no field asks for is passed over, and a value is decoded when it is first asked for. Views of
 * values hold until the next event_next. What was fed must stay until then, and 64 bytes behind it be readable.
 *
 * A field may have several values (a list): a test holds when one of them meets it. One thread a reader. */
#ifndef RF_SIGMA_EVENT_H
#define RF_SIGMA_EVENT_H

#include "sigma/layout.h"

enum { EVENT_LINE_BYTES_MAX = 64 << 20, EVENT_VALUES_MAX = 4096 /* of one field */ };

enum sigma_value_kind { VALUE_MISSING, VALUE_NULL, VALUE_TEXT };
struct sigma_value {
    enum sigma_value_kind kind;
    rf_str text; /* numbers and truth values as written */
    const struct sigma_value *more;
};

enum event_step {
    EVENT_ONE,
    EVENT_END, /* nothing is left but the rest */
    EVENT_BAD, /* a line that is no event: see event_reason */
    EVENT_NO_MEMORY
};

struct event_reader;

/* `fields` (borrowed) get the slots 0..count-1. Allocates in `arena`. */
RF_MUST_USE enum rf_kind event_reader_new(const struct layout *layout, const rf_str *fields,
                                          uint32_t count, struct rf_arena *arena,
                                          struct event_reader **out, struct rf_err *err);
void event_reader_done(struct event_reader *reader);
void event_feed(struct event_reader *reader, rf_str bytes, bool last);
size_t event_rest(const struct event_reader *reader);
enum event_step event_next(struct event_reader *reader);
/* Never NULL. On lack of memory the value is missing and event_failed says so. */
const struct sigma_value *event_value(struct event_reader *reader, uint32_t slot);
bool event_failed(const struct event_reader *reader);
uint64_t event_line(const struct event_reader *reader); /* of the present event, 1-based */
rf_str event_text(const struct event_reader *reader);   /* its line */
const char *event_reason(const struct event_reader *reader);
/* Where keywords are looked for: calls visit(ctx, text) until it gives true; gives whether it did. */
bool event_each_text(struct event_reader *reader, bool (*visit)(void *ctx, rf_str text), void *ctx);
/* The time of the present event: microseconds since 1970. False when it has none. */
bool event_time(struct event_reader *reader, rf_usec *out);

#endif
