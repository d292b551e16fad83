#include "hub/hub_int.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "hub/kafka_store_int.h"

/* What need not be done at once: events that are too old go, keys are compacted, producers are saved, the files of deleted hubs go. */

enum { KEEP_SECONDS = 5 };
static const rf_usec COMPACT_USEC = 3600 * RF_USEC_PER_SECOND;
static const int64_t TOMBSTONE_USEC = INT64_C(24) * 3600 * RF_USEC_PER_SECOND;

static void warn(const char *what, const struct hub *hub, const struct rf_err *err)
{
    rf_log(RF_WARN, "hub.keep_failed", RF_KV_STR("what", rf_str_of(what)),
           RF_KV_STR("hub", rf_str_of(hub->name)), RF_KV_STR("error", rf_str_of(err->text)));
}

/* ---- the dead --------------------------------------------------------------------------------------------------------- */

static void forget_revoked(const struct hub *hub)
{
    struct state *state = hub->hubs->options.state;
    if (state == NULL) return;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    struct rf_err err;
    rf_str prefix = rf_arena_printf(&arena, "%s/", hub->id);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    enum rf_kind kind =
        prefix.ptr == NULL ? rf_fail_memory(&err, &arena) : state_begin_write(state, &txn, &err);
    if (kind == RF_OK) kind = state_delete_prefix(txn, "hub.revoked", prefix, NULL, &err);
    if (kind == RF_OK) kind = state_finish(&txn, &err);
    if (kind != RF_OK) warn("forget publishers", hub, &err);
}

/* A folder, the folders in it, and their files: a hub has no deeper ones. */
static enum rf_kind remove_tree(struct rf_fs *fs, const char *folder, struct rf_arena *arena,
                                uint32_t depth_left, struct rf_err *err)
{
    rf_str *names;
    size_t count;
    RF_TRY(rf_fs_list(fs, folder, arena, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        rf_str path = rf_arena_printf(arena, "%s/%.*s", folder, RF_FMT(names[i]));
        const char *text = path.ptr == NULL ? NULL : rf_arena_cstr(arena, path);
        if (text == NULL) return rf_fail_memory(err, arena);
        struct rf_fs_stat stat;
        RF_TRY(rf_fs_stat(fs, text, &stat, err));
        if (!stat.is_dir)
            RF_TRY(rf_fs_unlink(fs, text, err));
        else if (depth_left > 0)
            RF_TRY(remove_tree(fs, text, arena, depth_left - 1, err));
    }
    return rf_fs_rmdir(fs, folder, err);
}

/* The key first: copies of the files are then of no use to anybody. What fails is done at the next start. */
static enum rf_kind remove_hub(struct hubs *hubs, const char *folder, rf_str name,
                               struct rf_arena *arena, struct rf_err *err)
{
    RF_TRY(hub_key_destroy(hubs, folder, name, err));
    return remove_tree(hubs->options.fs, folder, arena, 1, err);
}

static void free_hub(struct hub *hub)
{
    uint32_t count = atomic_load(&hub->partition_count);
    for (uint32_t i = 0; i < count; i++) hub_partition_close(hub_partition_at(hub, i));
    if (hub_status_of(hub) == HUB_DELETED) {
        struct rf_fs *fs = hub->hubs->options.fs;
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 64 << 20);
        struct rf_err err;
        if (rf_fs_exists(fs, hub->folder) &&
            remove_hub(hub->hubs, hub->folder, rf_str_of(hub->name), &arena, &err) != RF_OK)
            warn("remove files", hub, &err);
        forget_revoked(hub);
    }
    for (uint32_t i = 0; i < HUB_CHUNKS_MAX; i++) free(hub->chunks[i]);
    hub_names_done(&hub->groups);
    hub_names_done(&hub->revoked);
    hub_rules_done(&hub->rules);
    (void)pthread_mutex_destroy(&hub->lock);
    (void)pthread_mutex_destroy(&hub->opening);
    (void)pthread_mutex_destroy(&hub->waking);
    free(hub->name);
    free(hub->id);
    free(hub->folder);
    free(hub);
}

void hub_bury(struct hubs *hubs)
{
    (void)pthread_mutex_lock(&hubs->work_lock);
    struct hub *dead = hubs->graveyard;
    hubs->graveyard = NULL;
    (void)pthread_mutex_unlock(&hubs->work_lock);
    while (dead != NULL) {
        struct hub *hub = dead;
        dead = hub->next;
        free_hub(hub);
    }
}

/* After a crash, or when a link held on to a deleted hub to the end. */
void hub_sweep(struct hubs *hubs)
{
    struct rf_fs *fs = hubs->options.fs;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    rf_str *names;
    size_t count;
    struct rf_err err;
    enum rf_kind kind = rf_fs_list(fs, hubs->folder, &arena, &names, &count, &err);
    for (size_t i = 0; kind == RF_OK && i < count; i++) {
        rf_str path = rf_arena_printf(&arena, "%s/%.*s", hubs->folder, RF_FMT(names[i]));
        rf_str mark = rf_arena_printf(&arena, "%s/%.*s/gone", hubs->folder, RF_FMT(names[i]));
        const char *mark_path = mark.ptr == NULL ? NULL : rf_arena_cstr(&arena, mark);
        const char *folder = path.ptr == NULL ? NULL : rf_arena_cstr(&arena, path);
        if (mark_path == NULL || folder == NULL || !rf_fs_exists(fs, mark_path)) continue;
        kind = remove_hub(hubs, folder, names[i], &arena, &err);
    }
    if (kind != RF_OK)
        rf_log(RF_WARN, "hub.gone_not_removed", RF_KV_STR("error", rf_str_of(err.text)));
}

/* ---- the living ------------------------------------------------------------------------------------------------------- */

/* When a segment was closed since the last time, and each hour for the sake of tombstones: it reads all that is closed. */
static void compact(struct hub_partition *p, struct part_store *store, const struct hub_settings *s,
                    rf_usec now)
{
    struct rf_err err;
    struct log_info info;
    store_info(store, &info);
    if (info.segment_count == p->compacted_segments && now - p->compacted < COMPACT_USEC) return;
    rf_usec tombstones = now - (s->tombstone_usec > 0 ? s->tombstone_usec : TOMBSTONE_USEC);
    p->compacted = now;
    if (store->ops->compact(store, tombstones, &err) != RF_OK) warn("compaction", p->hub, &err);
    store_info(store, &info);
    p->compacted_segments = info.segment_count;
}

static void keep_log(struct hub_partition *p, const struct hub_settings *s, rf_usec now)
{
    struct rf_err err;
    struct part_store *store = atomic_load_explicit(&p->store, memory_order_acquire);
    if (store == NULL) return;
    if (p->hub->hubs->kafka != NULL) kafka_part_tend(store, now);
    producers_save(p, false); /* before their events go */
    rf_usec before = s->retention_usec > 0 ? now - s->retention_usec : INT64_MIN;
    if (store->ops->retain != NULL && (before != INT64_MIN || s->retention_bytes > 0)) {
        if (store->ops->retain(store, before, s->retention_bytes, &err) != RF_OK)
            warn("retention", p->hub, &err);
        (void)pthread_mutex_lock(&p->write); /* or the end could be set to one of before */
        hub_partition_looked(p);
        (void)pthread_mutex_unlock(&p->write);
    }
    if (s->compacts && store->ops->compact != NULL) compact(p, store, s, now);
}

/* Old events of partitions that nobody asks for must go too: a few are opened each time, so that a start with thousands of them is not
 * a storm. A Kafka cluster sees to its own. */
static void open_few(struct hub_partition *p, uint32_t *left)
{
    struct rf_err err;
    if (*left == 0 || atomic_load_explicit(&p->is_known, memory_order_acquire)) return;
    if (p->hub->hubs->kafka != NULL) return;
    if (hub_partition_open(p, false, &err) != RF_OK) warn("open", p->hub, &err);
    if (atomic_load_explicit(&p->store, memory_order_acquire) != NULL) (*left)--;
}

static void keep_hub(struct hub *hub, uint32_t *opens_left)
{
    (void)pthread_mutex_lock(&hub->lock);
    struct hub_settings settings = hub->settings;
    (void)pthread_mutex_unlock(&hub->lock);
    rf_usec now = rf_clock_now(hub->hubs->options.clock);
    uint32_t count = atomic_load_explicit(&hub->partition_count, memory_order_acquire);
    for (uint32_t i = 0; i < count && hub_status_of(hub) != HUB_DELETED; i++) {
        struct hub_partition *p = hub_partition_at(hub, i);
        open_few(p, opens_left);
        keep_log(p, &settings, now);
    }
}

/* References to all hubs of a namespace; the caller gives them back. NULL: no memory. */
static struct hub **all_hubs(struct hub_namespace *space, uint32_t *count)
{
    (void)pthread_rwlock_rdlock(&space->hubs->registry);
    struct hub **items = malloc((space->count + 1) * sizeof(*items));
    *count = items == NULL ? 0 : space->count;
    for (uint32_t i = 0; i < *count; i++) items[i] = hub_ref(space->items[i]);
    (void)pthread_rwlock_unlock(&space->hubs->registry);
    return items;
}

static struct hub_namespace *space_at(struct hubs *hubs, uint32_t index)
{
    (void)pthread_rwlock_rdlock(&hubs->registry);
    struct hub_namespace *space = index < hubs->space_count ? hubs->spaces[index] : NULL;
    (void)pthread_rwlock_unlock(&hubs->registry);
    return space;
}

void hub_keeper_step(struct hubs *hubs)
{
    enum { OPENS_PER_STEP = 4 };
    uint32_t opens_left = OPENS_PER_STEP;
    struct hub_namespace *space;
    hub_bury(hubs);
    for (uint32_t i = 0; (space = space_at(hubs, i)) != NULL; i++) {
        uint32_t count;
        struct hub **items = all_hubs(space, &count);
        for (uint32_t k = 0; k < count; k++) {
            if (!atomic_load_explicit(&hubs->ends, memory_order_acquire))
                keep_hub(items[k], &opens_left);
            hub_unref(items[k]);
        }
        free(items);
    }
}

void *hub_keeper_main(void *ctx)
{
    struct hubs *hubs = ctx;
    hub_sweep(hubs);
    (void)pthread_mutex_lock(&hubs->work_lock);
    while (!atomic_load_explicit(&hubs->ends, memory_order_acquire)) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += KEEP_SECONDS;
        int waited = 0;
        while (waited == 0 && !atomic_load_explicit(&hubs->ends, memory_order_acquire) &&
               hubs->graveyard == NULL)
            waited = pthread_cond_timedwait(&hubs->maintain, &hubs->work_lock, &until);
        bool buries = hubs->graveyard != NULL;
        (void)pthread_mutex_unlock(&hubs->work_lock);
        if (buries)
            hub_bury(hubs);
        else
            hub_keeper_step(hubs);
        (void)pthread_mutex_lock(&hubs->work_lock);
    }
    (void)pthread_mutex_unlock(&hubs->work_lock);
    return NULL;
}
