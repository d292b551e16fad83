/* part_store.h - where the events of one partition lie: in files of this machine (store_log.c) or in a partition of a topic of a Kafka
 * cluster (kafka_store.h). The registry, the queue of appends, waiters, the cache, grants and consumer groups stand above it and
 * do not know which.
 *
 * One thread appends at a time; the others may be called by any number at the same time. Errors of the embedded store are those of log.h. */
#ifndef RF_HUB_PART_STORE_H
#define RF_HUB_PART_STORE_H

#include "hub/log.h"

struct part_store;
struct store_ops {
    void (*close)(struct part_store *store); /* nobody reads or appends */
    void (*info)(const struct part_store *store, struct log_info *out);
    /* The number that the next record gets; -1: only append knows. */
    int64_t (*next)(const struct part_store *store);
    /* Stores frames behind the last one and returns when they are acknowledged. `enqueued` does not go back. Where next() is -1 the numbers and
     * times of the frames are filled in, and what failed has the number -1: the others are stored all the same. Else all or none are. */
    enum rf_kind (*append)(struct part_store *store, struct log_frame *frames, uint32_t count,
                           bool durable, struct rf_err *err);
    /* As log_read, log_find_time, log_cut_front. May take its time. */
    enum rf_kind (*read)(struct part_store *store, int64_t from, size_t bytes_max,
                         struct rf_arena *arena, struct log_frames *out, struct rf_err *err);
    enum rf_kind (*find_time)(struct part_store *store, rf_usec time, int64_t *out,
                              struct rf_err *err);
    enum rf_kind (*cut_front)(struct part_store *store, int64_t number, struct rf_err *err);
    /* As log_retain, log_compact; NULL: the store sees to it by itself. */
    enum rf_kind (*retain)(struct part_store *store, rf_usec before, uint64_t bytes_max,
                           struct rf_err *err);
    enum rf_kind (*compact)(struct part_store *store, rf_usec tombstones_before,
                            struct rf_err *err);
};
struct part_store {
    const struct store_ops *ops;
};

/* The embedded one: log_open, log_close. */
RF_MUST_USE enum rf_kind store_log_open(const struct log_options *options, struct part_store **out,
                                        struct rf_err *err);

static inline void store_info(const struct part_store *store, struct log_info *out)
{
    store->ops->info(store, out);
}
RF_MUST_USE static inline enum rf_kind store_read(struct part_store *store, int64_t from,
                                                  size_t bytes_max, struct rf_arena *arena,
                                                  struct log_frames *out, struct rf_err *err)
{
    return store->ops->read(store, from, bytes_max, arena, out, err);
}
RF_MUST_USE static inline enum rf_kind store_find_time(struct part_store *store, rf_usec time,
                                                       int64_t *out, struct rf_err *err)
{
    return store->ops->find_time(store, time, out, err);
}

#endif
