/* line.h - one message of a device, from whatever way it came, as a row: what it holds decides on the table. Pure; any thread. */
#ifndef RF_COLLECT_LINE_H
#define RF_COLLECT_LINE_H

#include "collect/syslog.h"
#include "collect/winevent.h"

struct line_source {
    rf_usec now;
    const struct zone *zone; /* NULL: UTC */
    rf_str peer;             /* address; empty: unknown */
    rf_str collector;        /* our own name */
    rf_str host;             /* of messages that name none; empty: the peer */
    const struct winevent_columns *columns;
};
/* A row of CommonSecurityLog (CEF, LEEF), SecurityEvent or WindowsEvent (<Event ...>), else of Syslog. *problem: what is malformed in
 * it, static; the row then holds the message as it came. NULL: nothing. Lack of memory shows in rowset_failed. */
void line_put(const struct line_source *source, rf_str text, struct rf_arena *arena,
              struct rowset *rows, const char **problem);

#endif
