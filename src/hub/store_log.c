/* store_log.c - a partition in files of this machine: log.h behind part_store.h. */
#include <stdlib.h>

#include "hub/part_store.h"

struct log_store {
    struct part_store base; /* first */
    struct log *log;
};

static struct log *log_of(const struct part_store *store)
{
    return ((const struct log_store *)store)->log;
}

static void close_log(struct part_store *store)
{
    log_close(log_of(store));
    free(store);
}

static void info_of_log(const struct part_store *store, struct log_info *out)
{
    log_info(log_of(store), out);
}

static int64_t next_of_log(const struct part_store *store) { return log_next(log_of(store)); }

static enum rf_kind append_to_log(struct part_store *store, struct log_frame *frames,
                                  uint32_t count, bool durable, struct rf_err *err)
{
    struct log *log = log_of(store);
    RF_TRY(log_write(log, frames, count, err));
    return log_sync(log, durable, err);
}

static enum rf_kind read_log(struct part_store *store, int64_t from, size_t bytes_max,
                             struct rf_arena *arena, struct log_frames *out, struct rf_err *err)
{
    return log_read(log_of(store), from, bytes_max, arena, out, err);
}

static enum rf_kind find_time_in_log(struct part_store *store, rf_usec time, int64_t *out,
                                     struct rf_err *err)
{
    return log_find_time(log_of(store), time, out, err);
}

static enum rf_kind cut_log(struct part_store *store, int64_t number, struct rf_err *err)
{
    return log_cut_front(log_of(store), number, err);
}

static enum rf_kind retain_log(struct part_store *store, rf_usec before, uint64_t bytes_max,
                               struct rf_err *err)
{
    return log_retain(log_of(store), before, bytes_max, err);
}

static enum rf_kind compact_log(struct part_store *store, rf_usec tombstones_before,
                                struct rf_err *err)
{
    return log_compact(log_of(store), tombstones_before, err);
}

static const struct store_ops log_ops = {
    .close = close_log,
    .info = info_of_log,
    .next = next_of_log,
    .append = append_to_log,
    .read = read_log,
    .find_time = find_time_in_log,
    .cut_front = cut_log,
    .retain = retain_log,
    .compact = compact_log,
};

enum rf_kind store_log_open(const struct log_options *options, struct part_store **out,
                            struct rf_err *err)
{
    struct log_store *store = calloc(1, sizeof *store);
    if (store == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a log");
    enum rf_kind kind = log_open(options, &store->log, err);
    if (kind != RF_OK) {
        free(store);
        return kind;
    }
    store->base.ops = &log_ops;
    *out = &store->base;
    return RF_OK;
}
