/* The coordinator: all groups of all namespaces, for all connections and loops. */
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "kafka/groups_int.h"

static uint32_t bucket_of(const struct hub_namespace *space, rf_str id)
{
    return (uint32_t)(rf_hash(id.ptr, id.len, (uint64_t)(uintptr_t)space) % GROUP_BUCKETS);
}

rf_usec groups_now(const struct kafka_groups *groups)
{
    return rf_clock_elapsed(groups->kafka->clock);
}

/* The service takes any text; a key of state has its limits. */
bool groups_is_id(rf_str id)
{
    return id.len > 0 && id.len <= GROUP_ID_BYTES_MAX && rf_utf8_valid(id);
}

struct group_entry *groups_find(struct kafka_groups *groups, struct hub_namespace *space, rf_str id)
{
    struct group_entry *entry = groups->buckets[bucket_of(space, id)];
    while (entry != NULL && !(entry->space == space && rf_str_eq(entry->id, id)))
        entry = entry->next;
    return entry;
}

struct group_entry *groups_make(struct kafka_groups *groups, struct hub_namespace *space, rf_str id)
{
    struct group_entry *entry = groups_find(groups, space, id);
    if (entry != NULL) return groups->is_stopping ? NULL : entry;
    if (groups->is_stopping || groups->count >= GROUPS_MAX) return NULL;
    entry = calloc(1, sizeof *entry + id.len);
    struct group *group = entry == NULL ? NULL : group_new();
    if (group == NULL) {
        free(entry);
        return NULL;
    }
    group_limit(group, &groups->memory);
    uint8_t *text = (uint8_t *)(entry + 1);
    memcpy(text, id.ptr, id.len);
    struct group_entry **bucket = &groups->buckets[bucket_of(space, id)];
    *entry = (struct group_entry){
        .space = space, .id = rf_str_make(text, id.len), .group = group, .next = *bucket};
    *bucket = entry;
    groups->count++;
    return entry;
}

void groups_forget(struct kafka_groups *groups, struct group_entry *entry)
{
    struct group_entry **link = &groups->buckets[bucket_of(entry->space, entry->id)];
    while (*link != entry) link = &(*link)->next;
    *link = entry->next;
    groups->count--;
    group_free(entry->group);
    free(entry);
}

/* ---- the lock and what is told behind it -------------------------------------------------------------------------- */

void groups_lock(struct kafka_groups *groups) { pthread_mutex_lock(&groups->lock); }

/* Writes the answers of a group's calls while the views in them hold; puts them on the list of those to be told. */
static void collect(struct group *group, struct group_call **ready)
{
    struct group_wait *wait = group_answered(group);
    while (wait != NULL) {
        struct group_wait *next = wait->next;
        struct group_call *own = (struct group_call *)wait;
        own->write(own);
        own->entry = NULL;
        own->ready = *ready;
        *ready = own;
        wait = next;
    }
}

static void tell(struct group_call *ready)
{
    while (ready != NULL) {
        struct group_call *next = ready->ready; /* its call may be gone behind this */
        kafka_call_finish(ready->call);
        ready = next;
    }
}

void groups_unlock(struct kafka_groups *groups, struct group_entry *entry)
{
    struct group_call *ready = NULL;
    if (entry != NULL) {
        collect(entry->group, &ready);
        rf_usec due = group_due(entry->group);
        if (due < groups->due) {
            groups->due = due;
            pthread_cond_signal(&groups->changed);
        }
    }
    pthread_mutex_unlock(&groups->lock);
    tell(ready);
}

/* ---- time -------------------------------------------------------------------------------------------------------------- */

/* Looks at all groups and finds out when to look again. Heartbeats put that off without a word, so a look may find nothing to do;
 * that costs less than an order of all groups that each heartbeat keeps. */
static void tick(struct kafka_groups *groups, struct group_call **ready)
{
    rf_usec now = groups_now(groups), due = INT64_MAX;
    rf_usec idle_usec_max = GROUP_IDLE_SECONDS * RF_USEC_PER_SECOND;
    for (uint32_t i = 0; i < GROUP_BUCKETS; i++) {
        for (struct group_entry *entry = groups->buckets[i], *next; entry != NULL; entry = next) {
            next = entry->next;
            if (group_due(entry->group) <= now) group_tick(entry->group, now);
            collect(entry->group, ready);
            struct group_view view = group_view(entry->group);
            rf_usec forget = view.emptied + idle_usec_max;
            if (group_is_idle(entry->group) && forget <= now) {
                groups_forget(groups, entry);
                continue;
            }
            due = RF_MIN(due, group_due(entry->group));
            if (group_is_idle(entry->group)) due = RF_MIN(due, forget);
        }
    }
    groups->due = due;
}

static void wait_until(struct kafka_groups *groups, rf_usec due)
{
    struct timespec until;
    rf_usec left = due - groups_now(groups);
    if (due == INT64_MAX) {
        pthread_cond_wait(&groups->changed, &groups->lock);
        return;
    }
    if (left <= 0) return;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += left / RF_USEC_PER_SECOND;
    until.tv_nsec += left % RF_USEC_PER_SECOND * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&groups->changed, &groups->lock, &until);
}

static void *run_timer(void *ctx)
{
    struct kafka_groups *groups = ctx;
    pthread_mutex_lock(&groups->lock);
    while (!groups->is_stopping) {
        struct group_call *ready = NULL;
        if (groups->due > groups_now(groups)) {
            wait_until(groups, groups->due);
            continue;
        }
        tick(groups, &ready);
        pthread_mutex_unlock(&groups->lock);
        tell(ready);
        pthread_mutex_lock(&groups->lock);
    }
    pthread_mutex_unlock(&groups->lock);
    return NULL;
}

/* ---- its life ---------------------------------------------------------------------------------------------------------- */

static void hubs_have_changed(void *ctx) { offsets_sweep(ctx); }

enum rf_kind kafka_groups_new(struct kafka *kafka, struct kafka_groups **out, struct rf_err *err)
{
    struct kafka_groups *groups = calloc(1, sizeof *groups);
    if (groups == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for Kafka");
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&groups->lock, NULL);
    pthread_cond_init(&groups->changed, &attr);
    pthread_condattr_destroy(&attr);
    groups->kafka = kafka;
    rf_budget_init(&groups->memory, GROUPS_BYTES_MAX);
    groups->due = INT64_MAX;
    *out = groups; /* kafka_groups_free ends what was begun */
    RF_TRY(offsets_start(groups, err));
    if (pthread_create(&groups->thread, NULL, run_timer, groups) != 0)
        return RF_FAIL(err, RF_LIMIT, "ThreadFailed", "no thread for Kafka's groups");
    groups->has_thread = true;
    hubs_on_change(kafka->hubs, hubs_have_changed, groups);
    offsets_sweep(groups); /* of hubs that went while the program was not there to see it */
    return RF_OK;
}

static void shut_all(struct kafka_groups *groups, struct group_call **ready)
{
    for (uint32_t i = 0; i < GROUP_BUCKETS; i++) {
        while (groups->buckets[i] != NULL) {
            struct group *group = groups->buckets[i]->group;
            group_shut(group, KAFKA_COORDINATOR_NOT_AVAILABLE, groups_now(groups));
            collect(group, ready);
            groups_forget(groups, groups->buckets[i]);
        }
    }
}

void kafka_groups_stop(struct kafka_groups *groups)
{
    struct group_call *ready = NULL;
    if (groups == NULL) return;
    pthread_mutex_lock(&groups->lock);
    groups->is_stopping = true;
    shut_all(groups, &ready);
    pthread_cond_signal(&groups->changed);
    pthread_mutex_unlock(&groups->lock);
    tell(ready);
    if (groups->has_thread) pthread_join(groups->thread, NULL);
    groups->has_thread = false;
    offsets_stop(groups);
}

void kafka_groups_free(struct kafka_groups *groups)
{
    if (groups == NULL) return;
    kafka_groups_stop(groups);
    pthread_mutex_destroy(&groups->lock);
    pthread_cond_destroy(&groups->changed);
    pthread_mutex_destroy(&groups->queue.lock);
    pthread_cond_destroy(&groups->queue.changed);
    free(groups);
}
