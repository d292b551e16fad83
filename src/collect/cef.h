/* cef.h - events in the Common Event Format (ArcSight CEF 0 and 1, "CEF:0|vendor|product|version|class|name|severity|k=v ...") and
 * in LEEF (QRadar, 1.0 and 2.0), and their row of CommonSecurityLog. Pure; any thread. */
#ifndef RF_COLLECT_CEF_H
#define RF_COLLECT_CEF_H

#include "base/clock.h"
#include "base/json_out.h"

enum { CEF_PAIRS_MAX = 1024 };

struct cef_pair {
    rf_str key, value; /* escapes resolved */
};
struct cef_event {
    bool is_leef;
    rf_str vendor, product, version, class_id, name, severity;
    const struct cef_pair *pairs;
    uint32_t pair_count;
};
/* Whether an event begins at text[*at] or behind blanks there; *at is moved to it. */
bool cef_begins(rf_str text, size_t *at);
/* `text` begins with "CEF:" or "LEEF:". Texts are views of it or lie in `arena`. RF_INVALID BadCef (the header is not whole),
 * RF_LIMIT TooManyFields, MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind cef_parse(rf_str text, struct rf_arena *arena, struct cef_event *out,
                                   struct rf_err *err);

/* cef_columns.c: appends the members of a row of CommonSecurityLog that the event gives: header, known keys under the names and types
 * of the columns, all others as "key=value;" in AdditionalExtensions. A value that is none of its column's type, or is for a column
 * that is taken, is among the others. `arena` for what is in between. */
void cef_put_columns(const struct cef_event *event, struct rf_arena *arena, struct json_out *out);
/* Times as CEF and other senders write them: seconds (with a fraction or not), milli- or microseconds since 1970, "MMM dd yyyy HH:mm:ss[.SSS][ zone]", ISO 8601. */
bool cef_time(rf_str text, rf_usec *out);
/* The value of a key, ASCII case ignored; empty: none. */
rf_str cef_get(const struct cef_event *event, const char *key);

#endif
