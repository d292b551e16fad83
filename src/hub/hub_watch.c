#include "hub/hub_watch.h"

#include "hub/hub_int.h"

rf_str hub_namespace_id(const struct hub_namespace *space)
{
    struct hub_namespace_settings settings;
    hub_namespace_settings(space, &settings);
    return settings.id;
}

bool hub_partition_traffic(struct hub *hub, uint32_t partition, struct hub_traffic *out)
{
    struct hub_partition *p;
    if (hub_partition_find(hub, partition, &p, NULL) != RF_OK) return false;
    *out = (struct hub_traffic){
        .is_known = atomic_load_explicit(&p->is_known, memory_order_acquire),
        .begin = atomic_load_explicit(&p->begin, memory_order_acquire),
        .end = atomic_load_explicit(&p->end, memory_order_acquire),
        .last_enqueued = atomic_load_explicit(&p->last_enqueued, memory_order_acquire),
        .in_events = atomic_load_explicit(&p->in_events, memory_order_relaxed),
        .in_bytes = atomic_load_explicit(&p->in_bytes, memory_order_relaxed),
        .out_events = atomic_load_explicit(&p->out_events, memory_order_relaxed),
        .out_bytes = atomic_load_explicit(&p->out_bytes, memory_order_relaxed)};
    return true;
}

uint64_t hub_refused(const struct hub *hub)
{
    return atomic_load_explicit(&hub->refused, memory_order_relaxed);
}

void hub_count_in(struct hub_partition *p, const struct log_frame *frames, uint32_t count)
{
    uint64_t events = 0, bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        events += frames[i].count;
        bytes += frames[i].batch.len;
    }
    (void)atomic_fetch_add_explicit(&p->in_events, events, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&p->in_bytes, bytes, memory_order_relaxed);
}

void hub_count_out(struct hub_partition *p, int64_t from, const struct log_frames *frames)
{
    uint64_t events = 0, bytes = 0;
    for (uint32_t i = 0; i < frames->count; i++) {
        const struct log_frame *f = &frames->items[i];
        int64_t first = RF_MAX(from, f->first), end = f->first + f->count;
        if (end > first) events += (uint64_t)(end - first);
        bytes += f->batch.len;
    }
    (void)atomic_fetch_add_explicit(&p->out_events, events, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&p->out_bytes, bytes, memory_order_relaxed);
}
