#include "hub/hub_int.h"

#include <stdio.h>

#include "base/log.h"
#include "hub/kafka_store_int.h"

enum { PATH_BYTES = 4096 };
static const rf_usec RETRY_USEC = RF_USEC_PER_SECOND;

void hub_partition_looked(struct hub_partition *p)
{
    struct part_store *store = atomic_load_explicit(&p->store, memory_order_acquire);
    struct log_info info;
    store_info(store, &info);
    atomic_store_explicit(&p->last_enqueued, info.last_enqueued, memory_order_release);
    atomic_store_explicit(&p->begin, info.begin, memory_order_release);
    atomic_store_explicit(&p->end, info.end, memory_order_release);
    atomic_store_explicit(&p->is_known, true, memory_order_release);
}

static void raise(_Atomic int64_t *number, int64_t least)
{
    int64_t was = atomic_load_explicit(number, memory_order_relaxed);
    while (was < least && !atomic_compare_exchange_weak_explicit(
                              number, &was, least, memory_order_release, memory_order_relaxed))
        continue;
}

void hub_partition_raise(struct hub_partition *p, int64_t end, rf_usec enqueued)
{
    raise(&p->last_enqueued, enqueued);
    raise(&p->end, end);
}

static enum rf_kind open_log(struct hub_partition *p, const char *folder, struct rf_err *err)
{
    struct log_options wanted = {.fs = p->hub->hubs->options.fs, .folder = folder};
    struct part_store *store = NULL;
    RF_TRY(hub_key(p->hub, wanted.key, err));
    enum rf_kind kind = store_log_open(&wanted, &store, err);
    explicit_bzero(wanted.key, sizeof wanted.key);
    if (kind == RF_OK) kind = producers_load(p, store, err);
    if (kind != RF_OK) {
        if (store != NULL) store->ops->close(store);
        return kind;
    }
    atomic_store_explicit(&p->store, store, memory_order_release);
    hub_partition_looked(p);
    return RF_OK;
}

/* Whoever only appends needs to know nothing of what is there. */
static enum rf_kind open_in_cluster(struct hub_partition *p, bool creates, struct rf_err *err)
{
    struct part_store *store = atomic_load_explicit(&p->store, memory_order_acquire);
    if (store == NULL) RF_TRY(kafka_part_open(p, &store, err));
    atomic_store_explicit(&p->store, store, memory_order_release);
    return creates ? RF_OK : kafka_part_look(store, err);
}

/* Opening reads the tail of the log: one that is spoiled is not read again for each who asks. */
static enum rf_kind open_held(struct hub_partition *p, const char *folder, bool creates,
                              struct rf_err *err)
{
    const struct hubs_options *options = &p->hub->hubs->options;
    rf_usec now = rf_clock_elapsed(options->clock);
    if (p->failed_kind != RF_OK && now < p->retry_at)
        return RF_FAIL(err, p->failed_kind, p->failed_code,
                       "%s/%u could not be opened; the program's log says why", p->hub->name,
                       p->index);
    bool is_remote = p->hub->hubs->kafka != NULL;
    enum rf_kind kind = creates ? rf_fs_mkdirs(options->fs, p->hub->folder, err) : RF_OK;
    if (kind == RF_OK && !is_remote && !creates && !rf_fs_exists(options->fs, folder)) {
        /* A partition without files never had an event. */
        atomic_store_explicit(&p->is_known, true, memory_order_release);
        return RF_OK;
    }
    if (kind == RF_OK)
        kind = is_remote ? open_in_cluster(p, creates, err) : open_log(p, folder, err);
    p->failed_kind = kind;
    if (kind == RF_OK) return RF_OK;
    p->failed_code = err->code;
    p->retry_at = now + RETRY_USEC;
    rf_log(RF_ERROR, "hub.open_failed", RF_KV_STR("hub", rf_str_of(p->hub->name)),
           RF_KV_U64("partition", p->index), RF_KV_STR("error", rf_str_of(err->text)));
    return kind;
}

static bool is_open(struct hub_partition *p, bool creates)
{
    if (!creates && atomic_load_explicit(&p->is_known, memory_order_acquire)) return true;
    bool has_store = atomic_load_explicit(&p->store, memory_order_acquire) != NULL;
    return has_store && (creates || p->hub->hubs->kafka == NULL);
}

enum rf_kind hub_partition_open(struct hub_partition *p, bool creates, struct rf_err *err)
{
    struct rf_err unseen;
    if (err == NULL) err = &unseen;
    if (is_open(p, creates)) return RF_OK;
    struct hub *hub = p->hub;
    char folder[PATH_BYTES];
    int len = snprintf(folder, sizeof folder, "%s/%u", hub->folder, p->index);
    if (len < 0 || (size_t)len >= sizeof folder)
        return RF_FAIL(err, RF_INVALID, "PathTooLong", "the folder %s is too long", hub->folder);
    enum rf_kind kind = RF_OK;
    (void)pthread_mutex_lock(&hub->opening);
    if (!is_open(p, creates)) kind = open_held(p, folder, creates, err);
    (void)pthread_mutex_unlock(&hub->opening);
    return kind;
}

void hub_partition_close(struct hub_partition *p)
{
    struct part_store *store = atomic_load_explicit(&p->store, memory_order_acquire);
    if (store != NULL && hub_status_of(p->hub) != HUB_DELETED) producers_save(p, true);
    if (store != NULL && p->hub->hubs->kafka != NULL) kafka_part_stop(store);
    hub_cache_drop(p);
    producers_free(p);
    if (store != NULL) store->ops->close(store);
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_mutex_destroy(&p->write);
}
