#include "hub/hub_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/log.h"
#include "crypt/digest.h"
#include "hub/kafka_store_int.h"

/* ---- one hub ---------------------------------------------------------------------------------------------------------- */

void hub_make_id(char out[HUB_ID_CHARS + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t raw[HUB_ID_CHARS / 2];
    random_bytes(raw, sizeof raw);
    for (size_t i = 0; i < sizeof raw; i++) {
        out[2 * i] = digits[raw[i] >> 4];
        out[2 * i + 1] = digits[raw[i] & 15];
    }
    out[HUB_ID_CHARS] = 0;
}

struct hub *hub_ref(struct hub *hub)
{
    (void)atomic_fetch_add_explicit(&hub->refs, 1, memory_order_relaxed);
    return hub;
}

/* Closing logs and removing files takes long, and this may be a loop's thread: the keeper does it. */
void hub_unref(struct hub *hub)
{
    if (hub == NULL) return;
    if (atomic_fetch_sub_explicit(&hub->refs, 1, memory_order_acq_rel) != 1) return;
    struct hubs *hubs = hub->hubs;
    (void)pthread_mutex_lock(&hubs->work_lock);
    hub->next = hubs->graveyard;
    hubs->graveyard = hub;
    (void)pthread_cond_signal(&hubs->maintain);
    (void)pthread_mutex_unlock(&hubs->work_lock);
}

static void init_waking(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attr;
    (void)pthread_mutexattr_init(&attr);
    (void)pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(mutex, &attr);
    (void)pthread_mutexattr_destroy(&attr);
}

static char *folder_of(const struct hubs *hubs, const char *id)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/%s", hubs->folder, id);
    return len > 0 && (size_t)len < sizeof path ? hub_text(rf_str_make(path, (size_t)len)) : NULL;
}

static struct hub *new_hub(struct hub_namespace *space, const struct hub_settings *settings)
{
    struct hub *hub = calloc(1, sizeof *hub);
    if (hub == NULL) return NULL;
    hub->name = hub_text(settings->name);
    hub->id = hub_text(settings->id);
    hub->folder = hub->id == NULL ? NULL : folder_of(space->hubs, hub->id);
    if (hub->name == NULL || hub->folder == NULL) {
        free(hub->name);
        free(hub->id);
        free(hub->folder);
        free(hub);
        return NULL;
    }
    atomic_init(&hub->refs, 1);
    hub->space = space, hub->hubs = space->hubs;
    hub->created = settings->created;
    (void)pthread_mutex_init(&hub->lock, NULL);
    (void)pthread_mutex_init(&hub->opening, NULL);
    init_waking(&hub->waking);
    return hub;
}

static bool grow(struct hub *hub, uint32_t partition_count)
{
    uint32_t count = atomic_load(&hub->partition_count);
    for (uint32_t i = count; i < partition_count; i++) {
        struct hub_partition **chunk = &hub->chunks[i / HUB_CHUNK_PARTITIONS];
        if (*chunk == NULL) *chunk = calloc(HUB_CHUNK_PARTITIONS, sizeof **chunk);
        if (*chunk == NULL) return false;
        struct hub_partition *p = hub_partition_at(hub, i);
        p->hub = hub, p->index = i;
        p->queue_end = &p->queue;
        (void)pthread_mutex_init(&p->lock, NULL);
        (void)pthread_mutex_init(&p->write, NULL);
        atomic_store_explicit(&hub->partition_count, i + 1, memory_order_release);
    }
    return true;
}

static enum rf_kind load_revoked(struct hub *hub, struct rf_err *err)
{
    struct state *state = hub->hubs->options.state;
    if (state == NULL) return RF_OK;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 256 << 20);
    rf_str prefix = rf_arena_printf(&arena, "%s/", hub->id);
    if (prefix.ptr == NULL) return rf_fail_memory(err, &arena);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(state, &txn, err));
    struct state_list list;
    RF_TRY(state_list(txn, &(struct state_scan){.space = "hub.revoked", .prefix = prefix}, &arena,
                      &list, err));
    for (uint32_t i = 0; i < list.count; i++)
        if (!hub_names_add(&hub->revoked, list.items[i].body))
            return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for publishers");
    return RF_OK;
}

static void apply(struct hub *hub, const struct hub_settings *settings)
{
    (void)pthread_mutex_lock(&hub->lock);
    hub->settings = *settings;
    hub->settings.name = rf_str_of(hub->name), hub->settings.id = rf_str_of(hub->id);
    atomic_store_explicit(&hub->status, (int)settings->status, memory_order_release);
    (void)pthread_mutex_unlock(&hub->lock);
}

/* ---- the hubs of a namespace ------------------------------------------------------------------------------------------ */

struct hub *hub_in(const struct hub_namespace *space, rf_str name, uint32_t *at)
{
    uint32_t low = 0, high = space->count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int d = hub_name_cmp(rf_str_of(space->items[mid]->name), name);
        if (d == 0) {
            if (at != NULL) *at = mid;
            return space->items[mid];
        }
        if (d < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (at != NULL) *at = low;
    return NULL;
}

static bool insert(struct hub_namespace *space, struct hub *hub)
{
    if (space->count == space->cap) {
        uint32_t cap = RF_MAX(space->cap * 2, 8u);
        struct hub **items = realloc(space->items, cap * sizeof(*items));
        if (items == NULL) return false;
        space->items = items, space->cap = cap;
    }
    uint32_t at;
    RF_ASSERT(hub_in(space, rf_str_of(hub->name), &at) == NULL);
    memmove(space->items + at + 1, space->items + at, (space->count - at) * sizeof(*space->items));
    space->items[at] = hub;
    space->count++;
    return true;
}

static enum rf_kind make_hub(struct hub_namespace *space, const struct hub_settings *settings,
                             struct rf_err *err)
{
    struct hub *hub = new_hub(space, settings);
    enum rf_kind kind = RF_OK;
    if (hub == NULL || !grow(hub, settings->partition_count))
        kind = RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a hub");
    if (kind == RF_OK) kind = load_revoked(hub, err);
    if (kind == RF_OK) {
        apply(hub, settings);
        (void)pthread_rwlock_wrlock(&space->hubs->registry);
        if (!insert(space, hub))
            kind = RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a hub");
        (void)pthread_rwlock_unlock(&space->hubs->registry);
    }
    if (kind != RF_OK) hub_unref(hub);
    return kind;
}

enum rf_kind hubs_set_hub(struct hub_namespace *space, const struct hub_settings *settings,
                          struct rf_err *err)
{
    if (settings->partition_count < 1 || settings->partition_count > HUB_PARTITIONS_MAX)
        return RF_FAIL(err, RF_INVALID, "BadPartitionCount", "a hub has 1 to %d partitions",
                       HUB_PARTITIONS_MAX);
    struct hub *hub = NULL;
    struct rf_err ignored;
    enum rf_kind kind = RF_OK;
    if (hub_find(space, settings->name, &hub, &ignored) == RF_OK &&
        !rf_str_is(settings->id, hub->id)) {
        hubs_drop_hub(space, settings->name);
        hub_unref(hub);
        hub = NULL;
    }
    if (hub == NULL) {
        kind = make_hub(space, settings, err);
    } else {
        if (!grow(hub, settings->partition_count))
            kind = RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for partitions");
        apply(hub, settings);
        hub_unref(hub);
    }
    hubs_changed(space->hubs);
    return kind;
}

/* So that the files of a hub whose deletion was cut short by a crash go at the next start, and files of which nothing is known never do. */
static void mark_gone(const struct hub *hub)
{
    struct rf_fs *fs = hub->hubs->options.fs;
    char path[4096];
    struct rf_file *file = NULL;
    struct rf_err err;
    if (!rf_fs_exists(fs, hub->folder)) return;
    int len = snprintf(path, sizeof path, "%s/gone", hub->folder);
    if (len < 0 || (size_t)len >= sizeof path) return;
    if (rf_fs_open(fs, path, RF_OPEN_WRITE | RF_OPEN_CREATE, &file, &err) == RF_OK)
        rf_file_close(file);
    else
        rf_log(RF_WARN, "hub.mark_failed", RF_KV_STR("error", rf_str_of(err.text)));
}

void hubs_drop_hub(struct hub_namespace *space, rf_str name)
{
    uint32_t at;
    (void)pthread_rwlock_wrlock(&space->hubs->registry);
    struct hub *hub = hub_in(space, name, &at);
    if (hub != NULL) {
        space->count--;
        memmove(space->items + at, space->items + at + 1,
                (space->count - at) * sizeof(*space->items));
    }
    (void)pthread_rwlock_unlock(&space->hubs->registry);
    if (hub == NULL) return;
    (void)pthread_mutex_lock(&hub->lock);
    atomic_store_explicit(&hub->status, HUB_DELETED, memory_order_release);
    (void)pthread_mutex_unlock(&hub->lock);
    mark_gone(hub);
    for (uint32_t i = 0; i < atomic_load(&hub->partition_count); i++) {
        struct hub_partition *p = hub_partition_at(hub, i);
        struct part_store *store = atomic_load_explicit(&p->store, memory_order_acquire);
        if (space->hubs->kafka != NULL && store != NULL) kafka_part_stop(store);
        hub_wake(p, true);
        hub_cache_drop(p);
    }
    if (space->hubs->kafka != NULL)
        kafka_store_drop(space->hubs->kafka, rf_str_of(space->name), rf_str_of(hub->name));
    hubs_changed(space->hubs);
    hub_unref(hub);
}

enum rf_kind hub_find(struct hub_namespace *space, rf_str name, struct hub **out,
                      struct rf_err *err)
{
    (void)pthread_rwlock_rdlock(&space->hubs->registry);
    struct hub *hub = hub_in(space, name, NULL);
    if (hub != NULL) (void)hub_ref(hub);
    (void)pthread_rwlock_unlock(&space->hubs->registry);
    if (hub == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "HubNotFound", "there is no event hub %.*s",
                       RF_FMT(name));
    *out = hub;
    return RF_OK;
}

enum rf_kind hub_names(struct hub_namespace *space, struct rf_arena *arena, rf_str **names,
                       uint32_t *count, struct rf_err *err)
{
    (void)pthread_rwlock_rdlock(&space->hubs->registry);
    uint32_t n = space->count;
    rf_str *items = rf_arena_new(arena, rf_str, RF_MAX(n, 1u));
    bool fits = items != NULL;
    for (uint32_t i = 0; fits && i < n; i++)
        fits = rf_arena_str(arena, rf_str_of(space->items[i]->name), &items[i]);
    (void)pthread_rwlock_unlock(&space->hubs->registry);
    if (!fits) return rf_fail_memory(err, arena);
    *names = items, *count = n;
    return RF_OK;
}

/* ---- what is known of a hub ------------------------------------------------------------------------------------------- */

void hub_facts(const struct hub *hub, struct hub_facts *out)
{
    struct hub *h = (struct hub *)(uintptr_t)hub; /* only its lock changes */
    (void)pthread_mutex_lock(&h->lock);
    *out = (struct hub_facts){
        .name = rf_str_of(hub->name),
        .id = rf_str_of(hub->id),
        .status = hub_status_of(hub),
        .partition_count = atomic_load_explicit(&hub->partition_count, memory_order_acquire),
        .created = hub->created,
        .retention_usec = hub->settings.retention_usec,
        .retention_bytes = hub->settings.retention_bytes,
        .compacts = hub->settings.compacts,
        .durable = hub->settings.durable,
    };
    (void)pthread_mutex_unlock(&h->lock);
}

static bool has_name(const struct hub *hub, const struct hub_names *names, rf_str name)
{
    struct hub *h = (struct hub *)(uintptr_t)hub;
    uint32_t at;
    (void)pthread_mutex_lock(&h->lock);
    bool found = hub_names_find(names, name, &at);
    (void)pthread_mutex_unlock(&h->lock);
    return found;
}

bool hub_has_group(const struct hub *hub, rf_str group)
{
    return rf_str_eq_nocase(group, RF_S("$Default")) || has_name(hub, &hub->groups, group);
}

bool hub_is_revoked(const struct hub *hub, rf_str publisher)
{
    return has_name(hub, &hub->revoked, publisher);
}

static enum rf_kind copy_names(const struct hub *hub, const struct hub_names *names,
                               struct rf_arena *arena, rf_str **out, uint32_t *count,
                               struct rf_err *err)
{
    struct hub *h = (struct hub *)(uintptr_t)hub;
    (void)pthread_mutex_lock(&h->lock);
    uint32_t n = names->count;
    rf_str *items = rf_arena_new(arena, rf_str, n + 1);
    bool fits = items != NULL;
    for (uint32_t i = 0; fits && i < n; i++)
        fits = rf_arena_str(arena, rf_str_of(names->items[i]), &items[i]);
    (void)pthread_mutex_unlock(&h->lock);
    if (!fits) return rf_fail_memory(err, arena);
    *out = items, *count = n;
    return RF_OK;
}

enum rf_kind hub_groups(const struct hub *hub, struct rf_arena *arena, rf_str **names,
                        uint32_t *count, struct rf_err *err)
{
    rf_str *items;
    uint32_t n;
    RF_TRY(copy_names(hub, &hub->groups, arena, &items, &n, err)); /* has room for one more */
    uint32_t at = 0;
    while (at < n && hub_name_cmp(items[at], RF_S("$Default")) < 0) at++;
    if (at == n || !rf_str_eq_nocase(items[at], RF_S("$Default"))) {
        memmove(items + at + 1, items + at, (n - at) * sizeof *items);
        items[at] = RF_S("$Default");
        n++;
    }
    *names = items, *count = n;
    return RF_OK;
}

enum rf_kind hub_revoked(const struct hub *hub, struct rf_arena *arena, rf_str **names,
                         uint32_t *count, struct rf_err *err)
{
    return copy_names(hub, &hub->revoked, arena, names, count, err);
}

enum rf_kind hubs_set_group(struct hub_namespace *space, rf_str name, rf_str group,
                            struct rf_err *err)
{
    struct hub *hub;
    RF_TRY(hub_find(space, name, &hub, err));
    (void)pthread_mutex_lock(&hub->lock);
    bool fits = hub_names_add(&hub->groups, group);
    (void)pthread_mutex_unlock(&hub->lock);
    hub_unref(hub);
    if (!fits) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a group");
    hubs_changed(space->hubs);
    return RF_OK;
}

void hubs_drop_group(struct hub_namespace *space, rf_str name, rf_str group)
{
    struct hub *hub;
    struct rf_err err;
    if (hub_find(space, name, &hub, &err) != RF_OK) return;
    (void)pthread_mutex_lock(&hub->lock);
    hub_names_remove(&hub->groups, group);
    (void)pthread_mutex_unlock(&hub->lock);
    hub_unref(hub);
    hubs_changed(space->hubs);
}

static enum rf_kind store_revoked(const struct hub *hub, rf_str publisher, bool revoked,
                                  struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    rf_str key = rf_arena_printf(&arena, "%s/%.*s", hub->id, RF_FMT(publisher));
    if (key.ptr == NULL) return rf_fail_memory(err, &arena);
    key = resource_key(&arena, key);
    if (key.ptr == NULL) return rf_fail_memory(err, &arena);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(hub->hubs->options.state, &txn, err));
    enum rf_kind kind =
        revoked
            ? state_put(txn,
                        &(struct state_put){.space = "hub.revoked", .key = key, .body = publisher},
                        NULL, NULL, err)
            : state_delete(txn, "hub.revoked", key, err);
    if (kind != RF_OK && (revoked || kind != RF_NOT_FOUND)) return kind;
    return state_finish(&txn, err);
}

enum rf_kind hub_revoke(struct hub *hub, rf_str publisher, bool revoked, struct rf_err *err)
{
    if (publisher.len == 0 || publisher.len > HUB_NAME_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "BadName", "a publisher's name has 1 to %d bytes",
                       HUB_NAME_BYTES_MAX);
    if (hub->hubs->options.state != NULL) RF_TRY(store_revoked(hub, publisher, revoked, err));
    bool fits = true;
    (void)pthread_mutex_lock(&hub->lock);
    if (revoked)
        fits = hub_names_add(&hub->revoked, publisher);
    else
        hub_names_remove(&hub->revoked, publisher);
    (void)pthread_mutex_unlock(&hub->lock);
    if (!fits) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a publisher");
    hubs_changed(hub->hubs);
    return RF_OK;
}

/* ---- partitions ------------------------------------------------------------------------------------------------------- */

enum rf_kind hub_partition_find(struct hub *hub, uint32_t index, struct hub_partition **out,
                                struct rf_err *err)
{
    if (hub_status_of(hub) == HUB_DELETED)
        return RF_FAIL(err, RF_NOT_FOUND, "HubNotFound", "the event hub %s was deleted", hub->name);
    uint32_t count = atomic_load_explicit(&hub->partition_count, memory_order_acquire);
    if (index >= count)
        return RF_FAIL(err, RF_INVALID, "PartitionOutOfRange",
                       "%s has no partition %u; its partitions are 0 to %u", hub->name, index,
                       count - 1);
    *out = hub_partition_at(hub, index);
    if (hub->hubs->kafka != NULL)
        atomic_store_explicit(&(*out)->is_asked, true, memory_order_relaxed);
    return RF_OK;
}

enum rf_kind hub_partition_info(struct hub *hub, uint32_t partition, struct hub_partition_info *out,
                                struct rf_err *err)
{
    struct hub_partition *p;
    RF_TRY(hub_partition_find(hub, partition, &p, err));
    RF_TRY(hub_partition_open(p, false, err));
    struct part_store *store = atomic_load_explicit(&p->store, memory_order_acquire);
    struct log_info info = {0};
    if (store != NULL) store_info(store, &info);
    /* The time belongs to the end: an append is published end last. */
    int64_t end = atomic_load_explicit(&p->end, memory_order_acquire);
    int64_t begin = atomic_load_explicit(&p->begin, memory_order_acquire);
    *out = (struct hub_partition_info){.begin = RF_MIN(begin, end),
                                       .end = end,
                                       .last_enqueued = atomic_load(&p->last_enqueued),
                                       .bytes = info.bytes};
    return RF_OK;
}

uint32_t hub_next_partition(struct hub *hub)
{
    uint32_t turn = atomic_fetch_add_explicit(&hub->next_partition, 1, memory_order_relaxed);
    return turn % atomic_load_explicit(&hub->partition_count, memory_order_acquire);
}
