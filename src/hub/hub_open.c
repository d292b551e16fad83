#include "hub/hub_int.h"

#include <stdio.h>

#include "base/log.h"

enum { PATH_BYTES = 4096 };
static const rf_usec RETRY_USEC = RF_USEC_PER_SECOND;

void hub_partition_looked(struct hub_partition *p)
{
    struct log *log = atomic_load_explicit(&p->log, memory_order_acquire);
    struct log_info info;
    log_info(log, &info);
    atomic_store_explicit(&p->last_enqueued, info.last_enqueued, memory_order_release);
    atomic_store_explicit(&p->begin, info.begin, memory_order_release);
    atomic_store_explicit(&p->end, info.end, memory_order_release);
    atomic_store_explicit(&p->is_known, true, memory_order_release);
}

static enum rf_kind open_log(struct hub_partition *p, const char *folder, struct rf_err *err)
{
    const struct hubs_options *options = &p->hub->hubs->options;
    struct log_options wanted = {.fs = options->fs, .folder = folder};
    memcpy(wanted.key, options->key, sizeof wanted.key);
    struct log *log = NULL;
    enum rf_kind kind = log_open(&wanted, &log, err);
    explicit_bzero(wanted.key, sizeof wanted.key);
    if (kind == RF_OK) kind = producers_load(p, log, err);
    if (kind != RF_OK) {
        log_close(log);
        return kind;
    }
    atomic_store_explicit(&p->log, log, memory_order_release);
    hub_partition_looked(p);
    return RF_OK;
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
    enum rf_kind kind = creates ? rf_fs_mkdirs(options->fs, p->hub->folder, err) : RF_OK;
    if (kind == RF_OK && !creates && !rf_fs_exists(options->fs, folder)) {
        /* A partition without files never had an event. */
        atomic_store_explicit(&p->is_known, true, memory_order_release);
        return RF_OK;
    }
    if (kind == RF_OK) kind = open_log(p, folder, err);
    p->failed_kind = kind;
    if (kind == RF_OK) return RF_OK;
    p->failed_code = err->code;
    p->retry_at = now + RETRY_USEC;
    rf_log(RF_ERROR, "hub.open_failed", RF_KV_STR("hub", rf_str_of(p->hub->name)),
           RF_KV_U64("partition", p->index), RF_KV_STR("error", rf_str_of(err->text)));
    return kind;
}

enum rf_kind hub_partition_open(struct hub_partition *p, bool creates, struct rf_err *err)
{
    struct rf_err unseen;
    if (err == NULL) err = &unseen;
    if (atomic_load_explicit(&p->log, memory_order_acquire) != NULL) return RF_OK;
    if (!creates && atomic_load_explicit(&p->is_known, memory_order_acquire)) return RF_OK;
    struct hub *hub = p->hub;
    char folder[PATH_BYTES];
    int len = snprintf(folder, sizeof folder, "%s/%u", hub->folder, p->index);
    if (len < 0 || (size_t)len >= sizeof folder)
        return RF_FAIL(err, RF_INVALID, "PathTooLong", "the folder %s is too long", hub->folder);
    enum rf_kind kind = RF_OK;
    (void)pthread_mutex_lock(&hub->opening);
    if (atomic_load_explicit(&p->log, memory_order_acquire) == NULL)
        kind = open_held(p, folder, creates, err);
    (void)pthread_mutex_unlock(&hub->opening);
    return kind;
}

void hub_partition_close(struct hub_partition *p)
{
    struct log *log = atomic_load_explicit(&p->log, memory_order_acquire);
    if (log != NULL && hub_status_of(p->hub) != HUB_DELETED) producers_save(p, true);
    hub_cache_drop(p);
    producers_free(p);
    log_close(log);
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_mutex_destroy(&p->write);
}
