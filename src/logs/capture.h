/* capture.h - events of hubs into tables: data collection rules with dataSources.dataImports.eventHub.
 *
 * Which hub: the resource that the rule is associated with (dataCollectionRuleAssociations on an event hub), as in Azure; or without an
 * association the hub that eventHub.name names, when whoever stored the rule may receive from it. The reader is eventHub.consumerGroup
 * ("$Default"), the rows are those of eventHub.stream, and go through the rule's flows like those of the Logs Ingestion API.
 *
 * Each row is there once. How far a partition was read is a mark (tables/marks.h) in the same commit as the rows, for each flow and table
 * by itself; what one of two tables had stored when the server died is not stored there again.
 *
 * What the rows are:
 *   the stream declares RawData (string)   a row for each event, as in Azure: TimeGenerated (enqueued), RawData (body), Properties
 *   else                                   the body is a JSON object, a list of objects, or {"records":[...]}: a row for each object
 * In both the columns EventHub, EventPartition, EventSequenceNumber, EventEnqueuedTime, EventPartitionKey and EventProperties are
 * filled when the stream declares them and the body does not say them; TimeGenerated that is missing is when the event was enqueued.
 *
 * An event of which no row can be made goes to RingfortDeadLetter with the reason, and the next one follows. What is no event's fault (a full
 * disk, a table that was deleted) is tried again until it works. Nothing is captured of before the first retained event. */
#ifndef RF_CAPTURE_H
#define RF_CAPTURE_H

#include "hub/hub.h"
#include "logs/rules_int.h"
#include "tables/marks.h"

#define CAPTURE_SPACE "logs.capture"
#define CAPTURE_TABLE "RingfortDeadLetter"

struct captures;
/* Starts the threads; nothing without hubs. */
RF_MUST_USE enum rf_kind captures_new(struct logs *logs, struct rf_err *err);
/* Ends the threads; before arm and the hubs go. NULL is fine. */
void captures_stop(struct captures *captures);
void captures_free(struct captures *captures); /* stops too */
/* Rules, associations or hubs have changed: they are read anew, soon. NULL is fine; does not block. */
void captures_changed(struct captures *captures);
/* For tests: reads rules and captures all that there is, in this thread, when there are no others. */
void captures_run(struct captures *captures);

/* The rule's document is stored or deleted (`properties` NULL): which hub eventHub.name means, and whether the caller may read it. In
 * the write transaction of the call. */
RF_MUST_USE enum rf_kind capture_put(struct arm_call *call, struct logs *logs, rf_str rule_key,
                                     const struct json_node *properties, struct rf_err *err);

/* ---- capture_rules.c: who captures what ---------------------------------------------------------------------------------------- */

struct capture_want {
    rf_str rule; /* immutable id */
    rf_str stream, group;
    struct hub *hub; /* counted; given back by who takes the list */
};
RF_MUST_USE enum rf_kind capture_load(struct logs *logs, struct rf_arena *arena,
                                      struct capture_want **out, uint32_t *count,
                                      struct rf_err *err);

/* ---- capture_rows.c: events to rows ---------------------------------------------------------------------------------------------- */

struct capture_event {
    struct event_out event;
    rf_str body;
    const char *poison; /* why no row can be made of it; NULL: one can */
};
struct capture_rows {
    struct kept_rows rows; /* laid out as the stream's columns */
    struct reader *reader; /* owns what the rows view; NULL: none */
};
/* Marks the events of which no row can be made. `out->reader` is to be freed when the rows are no longer used. Errors: RF_LIMIT
 * MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind capture_rows_read(const struct rule_stream *stream, rf_str hub,
                                           uint32_t partition, struct capture_event *events,
                                           uint32_t count, struct rf_budget *budget,
                                           struct rf_arena *arena, struct capture_rows *out,
                                           struct rf_err *err);

#endif
