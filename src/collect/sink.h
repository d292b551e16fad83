/* sink.h - where rows go: the one file of this folder that knows the tables. Any thread; may block. */
#ifndef RF_COLLECT_SINK_H
#define RF_COLLECT_SINK_H

#include "base/clock.h"
#include "collect/collect.h"
#include "collect/winevent.h"

struct tables;
struct sink {
    struct tables *tables;
    struct collect_rules rules;
};
/* Borrowed texts. Without a rule rows go into tables of the workspace. With one they go through its transformations into the tables
 * that its flows name: as the stream `stream`, or, when that is empty, each as the stream of its table ("Microsoft-Syslog", "Custom-App_CL").
 * Rows whose stream no flow of the rule has go into their tables; so do the collectors' own. */
struct sink_route {
    rf_str workspace; /* guid */
    rf_str rule;      /* immutable id; empty: none */
    rf_str stream;
};
enum { SINK_RULE_BYTES_MAX = 512 << 10 }; /* of lines for a rule in one call of sink_append */

/* JSON lines into a table; durable when it returns. *count: rows taken, before transformations. Errors as tables_append_json and those
 * of the rule; lines for a rule are at most SINK_RULE_BYTES_MAX, unless it is one line. */
RF_MUST_USE enum rf_kind sink_append(const struct sink *sink, const struct sink_route *route,
                                     rf_str table, rf_str lines, rf_usec now, uint64_t *count,
                                     struct rf_err *err);
/* How many of the bytes one call of sink_append may take. */
size_t sink_part(const struct sink_route *route, rf_str lines);
/* All of a set, one table after another. When a later one fails the rows of the earlier ones are stored. */
RF_MUST_USE enum rf_kind sink_append_set(const struct sink *sink, const struct sink_route *route,
                                         const struct rowset *rows, rf_usec now,
                                         struct rf_err *err);
/* The columns of SecurityEvent; in `arena`. */
RF_MUST_USE enum rf_kind sink_event_columns(struct tables *tables, rf_str workspace,
                                            struct rf_arena *arena, struct winevent_columns *out,
                                            struct rf_err *err);

#endif
