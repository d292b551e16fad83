/* queue.h - rows that wait for their commit, by route and table: many senders' rows become one batch. A thread writes them, at most
 * 200 ms after the first of a batch came. Bounded; any thread. */
#ifndef RF_COLLECT_QUEUE_H
#define RF_COLLECT_QUEUE_H

#include "base/clock.h"
#include "collect/sink.h"

struct row_queue;
/* Each has half of the room, so that neither a flood of datagrams nor a busy connection takes that of the other. */
enum queue_class { QUEUE_STREAM, QUEUE_DATAGRAM, QUEUE_CLASS_COUNT };
struct row_queue_options {
    const struct sink *sink;
    struct rf_clock *clock;
    size_t bytes_max;
    /* Called by the writer, about once in PAUSE when nothing else is to be done. */
    void (*tick)(void *ctx);
    /* Rows that no table takes: `line` is one row as JSON. */
    void (*lost)(void *ctx, rf_str workspace, rf_str table, rf_str line, const struct rf_err *err);
    void *ctx;
};
RF_MUST_USE enum rf_kind row_queue_new(const struct row_queue_options *options,
                                       struct row_queue **out, struct rf_err *err);
RF_MUST_USE enum rf_kind row_queue_start(struct row_queue *queue, struct rf_err *err);
/* Copies the rows. False, and nothing is taken, when they would be more than the room of their class. */
bool row_queue_put(struct row_queue *queue, const struct sink_route *route,
                   const struct rowset *rows, enum queue_class class);
/* How many bytes of rows wait or are being written, and how many may. */
void row_queue_waits(struct row_queue *queue, uint64_t *waits, uint64_t *room);
/* Writes what waits and ends; NULL is fine. */
void row_queue_free(struct row_queue *queue);

#endif
