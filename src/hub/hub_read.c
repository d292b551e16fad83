#include "hub/hub_int.h"

/* ---- reads ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind not_in_memory(const struct hub_partition *p, int64_t from, struct rf_err *err)
{
    return RF_FAIL(err, RF_AGAIN, "NotInMemory", "events from %lld of %s/%u on are on disk",
                   (long long)from, p->hub->name, p->index);
}

/* The end as the log knows it: a reader of the disk may have seen a group a moment before it was published. */
static int64_t end_of(const struct hub_partition *p, int64_t from)
{
    int64_t end = atomic_load_explicit(&p->end, memory_order_acquire);
    struct part_store *store = atomic_load_explicit(&p->store, memory_order_acquire);
    if (from <= end || store == NULL) return end;
    struct log_info info;
    store_info(store, &info);
    return RF_MAX(info.end, end);
}

enum rf_kind hub_read(struct hub *hub, uint32_t partition, int64_t from, size_t bytes_max,
                      bool may_block, struct rf_arena *arena, struct log_frames *out,
                      struct rf_err *err)
{
    struct hub_partition *p;
    RF_TRY(hub_partition_find(hub, partition, &p, err));
    enum hub_status status = hub_status_of(hub);
    if (status == HUB_DISABLED || status == HUB_RECEIVE_DISABLED)
        return RF_FAIL(err, RF_DENIED, "EntityDisabled",
                       "receiving from the event hub %s is disabled", hub->name);
    if (!may_block && !atomic_load_explicit(&p->is_known, memory_order_acquire))
        return not_in_memory(p, from, err);
    if (may_block) RF_TRY(hub_partition_open(p, false, err));
    int64_t end = end_of(p, from);
    int64_t begin = atomic_load_explicit(&p->begin, memory_order_acquire);
    if (from < begin || from > end)
        return RF_FAIL(err, RF_INVALID, "OffsetOutOfRange",
                       "%s/%u holds the numbers from %lld up to %lld, not %lld", hub->name,
                       partition, (long long)begin, (long long)end, (long long)from);
    if (from == end) {
        *out = (struct log_frames){0};
        return RF_OK;
    }
    bool hit = false;
    RF_TRY(hub_cache_read(p, from, bytes_max, arena, out, &hit, err));
    if (hit) hub_count_out(p, from, out);
    if (hit) return RF_OK;
    if (!may_block) return not_in_memory(p, from, err);
    struct part_store *store = atomic_load_explicit(&p->store, memory_order_acquire);
    RF_ASSERT(store != NULL); /* something was written */
    RF_TRY(store_read(store, from, bytes_max, arena, out, err));
    hub_count_out(p, from, out);
    return RF_OK;
}

enum rf_kind hub_find_time(struct hub *hub, uint32_t partition, rf_usec time, int64_t *out,
                           struct rf_err *err)
{
    struct hub_partition *p;
    RF_TRY(hub_partition_find(hub, partition, &p, err));
    RF_TRY(hub_partition_open(p, false, err));
    struct part_store *store = atomic_load_explicit(&p->store, memory_order_acquire);
    if (store == NULL) {
        *out = atomic_load_explicit(&p->end, memory_order_acquire);
        return RF_OK;
    }
    return store_find_time(store, time, out, err);
}

enum rf_kind hub_cut_front(struct hub *hub, uint32_t partition, int64_t number, struct rf_err *err)
{
    struct hub_partition *p;
    RF_TRY(hub_partition_find(hub, partition, &p, err));
    RF_TRY(hub_partition_open(p, false, err));
    int64_t end = atomic_load_explicit(&p->end, memory_order_acquire);
    if (number < 0 || number > end)
        return RF_FAIL(err, RF_INVALID, "OffsetOutOfRange", "%s/%u ends at %lld, before %lld",
                       hub->name, partition, (long long)end, (long long)number);
    struct part_store *store = atomic_load_explicit(&p->store, memory_order_acquire);
    if (store == NULL) return RF_OK; /* empty from the start */
    producers_save(p, true);         /* their events go */
    (void)pthread_mutex_lock(&p->write);
    enum rf_kind kind = store->ops->cut_front(store, number, err);
    if (p->hub->hubs->kafka == NULL) hub_partition_looked(p);
    (void)pthread_mutex_unlock(&p->write);
    return kind;
}

enum rf_kind hub_producer_state(struct hub *hub, uint32_t partition, int64_t id, int16_t *epoch,
                                int32_t *sequence, struct rf_err *err)
{
    struct hub_partition *p;
    RF_TRY(hub_partition_find(hub, partition, &p, err));
    RF_TRY(hub_partition_open(p, false, err));
    (void)pthread_mutex_lock(&p->write);
    enum rf_kind kind = RF_OK;
    if (hub->hubs->kafka != NULL)
        kind = producers_catch_up(p, atomic_load_explicit(&p->store, memory_order_acquire), err);
    if (kind == RF_OK) producers_find(p, id, epoch, sequence);
    (void)pthread_mutex_unlock(&p->write);
    return kind;
}

/* ---- waiters ---------------------------------------------------------------------------------------------------------- */

static void unlink_waiter(struct hub_waiter *waiter)
{
    *waiter->link = waiter->next;
    if (waiter->next != NULL) waiter->next->link = waiter->link;
    waiter->link = NULL, waiter->next = NULL;
}

/* True as well when it is not known whether there is something: who is woken reads, and learns it. */
static bool is_due(struct hub_partition *p, int64_t number)
{
    return hub_status_of(p->hub) == HUB_DELETED ||
           !atomic_load_explicit(&p->is_known, memory_order_acquire) ||
           atomic_load_explicit(&p->end, memory_order_acquire) > number;
}

void hub_wait(struct hub *hub, uint32_t partition, int64_t number, struct hub_waiter *waiter)
{
    struct hub_partition *p = NULL;
    waiter->hub = hub, waiter->partition = partition, waiter->number = number;
    waiter->next = NULL, waiter->link = NULL;
    if (partition < atomic_load_explicit(&hub->partition_count, memory_order_acquire))
        p = hub_partition_at(hub, partition);
    (void)pthread_mutex_lock(&hub->waking);
    bool due = p == NULL || is_due(p, number);
    if (!due) {
        waiter->next = p->waiters, waiter->link = &p->waiters;
        if (p->waiters != NULL) p->waiters->link = &waiter->next;
        p->waiters = waiter;
    }
    (void)pthread_mutex_unlock(&hub->waking);
    if (due) waiter->woken(waiter);
}

void hub_unwait(struct hub_waiter *waiter)
{
    struct hub *hub = waiter->hub;
    if (hub == NULL) return; /* it never waited */
    (void)pthread_mutex_lock(&hub->waking);
    if (waiter->link != NULL) unlink_waiter(waiter);
    (void)pthread_mutex_unlock(&hub->waking);
}

static struct hub_waiter *find_due(struct hub_partition *p, bool all)
{
    int64_t end = atomic_load_explicit(&p->end, memory_order_acquire);
    for (struct hub_waiter *w = p->waiters; w != NULL; w = w->next)
        if (all || end > w->number) return w;
    return NULL;
}

/* The list may change under woken(), which runs with the lock held so that nothing is called behind hub_unwait: one at a time, from
 * the front. Almost every waiter waits for the end, so the front is due nearly always. */
void hub_wake(struct hub_partition *p, bool all)
{
    struct hub_waiter *waiter;
    (void)pthread_mutex_lock(&p->hub->waking);
    while ((waiter = find_due(p, all)) != NULL) {
        unlink_waiter(waiter);
        waiter->woken(waiter);
    }
    (void)pthread_mutex_unlock(&p->hub->waking);
}
