/* owners.c - who receives from a partition with a consumer group: plain receivers, or one owner with an epoch (contract, 5.3); and which
 * epoch of an idempotent producer sends to it (4.4). */
#include <stdio.h>
#include <stdlib.h>

#include "amqp/nodes_int.h"

enum { OWNER_SLOTS = 1024 };

struct owners {
    pthread_mutex_t lock;
    struct node_link *slots[OWNER_SLOTS];
};

struct owners *owners_new(void)
{
    struct owners *owners = calloc(1, sizeof *owners);
    if (owners != NULL) (void)pthread_mutex_init(&owners->lock, NULL);
    return owners;
}

void owners_free(struct owners *owners)
{
    if (owners == NULL) return;
    pthread_mutex_destroy(&owners->lock);
    free(owners);
}

static bool is_same_place(const struct node_link *a, const struct node_link *b)
{
    return a->owner_key == b->owner_key && a->hub == b->hub && a->partition == b->partition &&
           a->is_out == b->is_out &&
           (a->is_out ? rf_str_eq_nocase(a->group, b->group) : a->producer.id == b->producer.id);
}

static rf_str shown(const struct node_link *link)
{
    return link->receiver.len > 0 ? link->receiver : RF_S("nil");
}

static void unlist(struct owners *owners, struct node_link *link)
{
    struct node_link **at = &owners->slots[link->owner_key % OWNER_SLOTS];
    while (*at != NULL && *at != link) at = &(*at)->owner_next;
    if (*at == link) *at = link->owner_next;
    link->is_owner_listed = false;
}

static void list(struct owners *owners, struct node_link *link)
{
    struct node_link **slot = &owners->slots[link->owner_key % OWNER_SLOTS];
    link->owner_next = *slot;
    *slot = link;
    link->is_owner_listed = true;
}

/* Its displaced_text is written. */
static void displace(struct owners *owners, struct node_link *old)
{
    unlist(owners, old);
    atomic_store(&old->is_displaced, true);
    peer_wake(old->peer);
}

static void displace_receiver(struct owners *owners, struct node_link *old,
                              const struct node_link *by)
{
    char epoch[24] = "none";
    if (old->has_epoch) (void)snprintf(epoch, sizeof epoch, "%lld", (long long)old->epoch);
    (void)snprintf(old->displaced_text, sizeof old->displaced_text,
                   "New receiver '%.*s' with higher epoch of '%lld' is created hence current "
                   "receiver '%.*s' with epoch '%s' is getting disconnected. If you are recreating "
                   "the receiver, make sure a higher epoch is used.",
                   (int)RF_MIN(shown(by).len, (size_t)64), (const char *)shown(by).ptr,
                   (long long)by->epoch, (int)RF_MIN(shown(old).len, (size_t)64),
                   (const char *)shown(old).ptr, epoch);
    displace(owners, old);
}

static enum rf_kind admit(struct owners *owners, struct node_link *link, struct rf_err *err)
{
    struct node_link **slot = &owners->slots[link->owner_key % OWNER_SLOTS];
    uint32_t plain = 0;
    for (const struct node_link *l = *slot; l != NULL; l = l->owner_next) {
        if (!is_same_place(l, link)) continue;
        plain += !l->has_epoch;
        if (!l->has_epoch) continue;
        if (!link->has_epoch)
            return RF_FAIL(
                err, RF_DENIED, "amqp:link:stolen",
                "At least one receiver for the endpoint is created with epoch of '%lld', "
                "and so non-epoch receiver is not allowed. Either reconnect with a "
                "higher epoch, or make sure all epoch receivers are closed or "
                "disconnected.",
                (long long)l->epoch);
        if (link->epoch < l->epoch)
            return RF_FAIL(err, RF_DENIED, "amqp:link:stolen",
                           "Receiver '%.*s' with a higher epoch '%lld' already exists. Receiver "
                           "'%.*s' with epoch %lld cannot be created. Make sure you are creating "
                           "receiver with increasing epoch value to ensure connectivity.",
                           (int)RF_MIN(shown(l).len, (size_t)64), (const char *)shown(l).ptr,
                           (long long)l->epoch, (int)RF_MIN(shown(link).len, (size_t)64),
                           (const char *)shown(link).ptr, (long long)link->epoch);
    }
    if (!link->has_epoch && plain >= PLAIN_RECEIVERS_MAX)
        return RF_FAIL(err, RF_LIMIT, "amqp:resource-limit-exceeded",
                       "Exceeded the maximum number of allowed receivers per partition in a "
                       "consumer group which is %d.",
                       PLAIN_RECEIVERS_MAX);
    for (struct node_link *l = *slot, *next; link->has_epoch && l != NULL; l = next) {
        next = l->owner_next;
        if (is_same_place(l, link)) displace_receiver(owners, l, link);
    }
    list(owners, link);
    return RF_OK;
}

static void set_key(struct node_link *link, uint64_t of)
{
    link->owner_key = rf_hash_mix(rf_hash_mix(of, (uint64_t)(uintptr_t)link->hub), link->partition);
}

enum rf_kind owners_admit(struct owners *owners, struct node_link *link, struct rf_err *err)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < link->group.len; i++)
        hash = rf_hash_mix(hash, rf_lower(link->group.ptr[i]));
    set_key(link, hash);
    pthread_mutex_lock(&owners->lock);
    enum rf_kind kind = admit(owners, link, err);
    pthread_mutex_unlock(&owners->lock);
    return kind;
}

void owners_take_over(struct owners *owners, struct node_link *link)
{
    set_key(link, (uint64_t)link->producer.id);
    pthread_mutex_lock(&owners->lock);
    for (struct node_link *l = owners->slots[link->owner_key % OWNER_SLOTS], *next; l != NULL;
         l = next) {
        next = l->owner_next;
        if (!is_same_place(l, link) || l->producer.epoch >= link->producer.epoch) continue;
        (void)snprintf(l->displaced_text, sizeof l->displaced_text,
                       "The producer %lld has been taken over with the epoch %d, which is higher "
                       "than this link's %d.",
                       (long long)link->producer.id, link->producer.epoch, l->producer.epoch);
        displace(owners, l);
    }
    list(owners, link);
    pthread_mutex_unlock(&owners->lock);
}

void owners_leave(struct owners *owners, struct node_link *link)
{
    pthread_mutex_lock(&owners->lock);
    if (link->is_owner_listed) unlist(owners, link);
    pthread_mutex_unlock(&owners->lock);
}
