/* winevent.h - Windows events as rows of SecurityEvent (channel Security) or WindowsEvent (all others).
 *
 * Taken as XML, as wevtutil, NXLog (to_xml), Fluent Bit (winevtlog, Render_Event_As_XML) and Windows itself render them: one
 * event, several behind each other, or a list in <Events>; and as JSON records of Winlogbeat, NXLog (to_json) and Fluent Bit's
 * winevtlog. Pure; any thread. */
#ifndef RF_COLLECT_WINEVENT_H
#define RF_COLLECT_WINEVENT_H

#include "base/clock.h"
#include "collect/rowset.h"

enum { WINEVENT_DATA_MAX = 256 };

struct winevent_data {
    rf_str name; /* empty: it has none */
    rf_str value;
};
struct winevent { /* texts as they stand in the event; empty: none */
    rf_str provider, event_id, version, level, task, opcode, keywords, time, record_id, activity_id;
    rf_str process_id, thread_id, channel, computer, user_id;
    rf_str message, level_name,
        raw_data; /* raw_data: the element <EventData> or <UserData>, as XML */
    struct winevent_data data[WINEVENT_DATA_MAX];
    uint32_t data_count;
};
/* Which columns SecurityEvent has. */
struct winevent_columns {
    const void *ctx;
    /* False when there is none; *is_int: its values are whole numbers. *name is spelled as the column is. */
    bool (*find)(const void *ctx, rf_str *name, bool *is_int);
};
/* All events of a text. RF_INVALID BadXml, NoEvent; RF_LIMIT. */
RF_MUST_USE enum rf_kind winevent_read_xml(rf_str text, const struct winevent_columns *columns,
                                           struct rf_arena *arena, struct rowset *rows,
                                           struct rf_err *err);
/* One record. RF_INVALID NoEvent: it has neither an event id nor a channel. */
RF_MUST_USE enum rf_kind winevent_read_json(const struct json_node *record,
                                            const struct winevent_columns *columns,
                                            struct rf_arena *arena, struct rowset *rows,
                                            struct rf_err *err);
/* winevent_row.c */
void winevent_put(const struct winevent *event, const struct winevent_columns *columns,
                  struct rf_arena *arena, struct rowset *rows);

#endif
