/* sink.h - where rows go: the one file of this folder that knows the tables. Any thread; may block. */
#ifndef RF_COLLECT_SINK_H
#define RF_COLLECT_SINK_H

#include "base/clock.h"
#include "collect/winevent.h"

struct tables;
/* JSON lines into a table; durable when it returns. Errors as tables_append_json. */
RF_MUST_USE enum rf_kind sink_append(struct tables *tables, rf_str workspace, rf_str table,
                                     rf_str lines, rf_usec now, uint64_t *count,
                                     struct rf_err *err);
/* All of a set, one table after another. When a later one fails the rows of the earlier ones are stored. */
RF_MUST_USE enum rf_kind sink_append_set(struct tables *tables, rf_str workspace,
                                         const struct rowset *rows, rf_usec now,
                                         struct rf_err *err);
/* The columns of SecurityEvent; in `arena`. */
RF_MUST_USE enum rf_kind sink_event_columns(struct tables *tables, rf_str workspace,
                                            struct rf_arena *arena, struct winevent_columns *out,
                                            struct rf_err *err);

#endif
