/* archive.c - which hubs are captured, and the threads that do it, a partition at a time. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "hub/archive_disk.h"
#include "hub/archive_int.h"
#include "hub/types_doc.h"

enum { LOAD_BYTES_MAX = 512 << 20, TURNS_MAX = 8, PAUSE_SECONDS = 1 };
#define HUB_TYPE "Microsoft.EventHub/namespaces/eventhubs"

/* ---- partitions ------------------------------------------------------------------------------------------------------------ */

static void woken(struct hub_waiter *waiter)
{
    struct archive_part *part =
        (struct archive_part *)(void *)((uint8_t *)waiter - offsetof(struct archive_part, waiter));
    struct archives *archives = part->source->archives;
    (void)pthread_mutex_lock(&archives->lock);
    part->ready = true;
    part->waiting = false;
    (void)pthread_mutex_unlock(&archives->lock);
}

static void source_free(struct archive_source *source)
{
    for (uint32_t i = 0; i < source->part_count; i++) {
        if (source->parts[i]->waiter.hub != NULL) hub_unwait(&source->parts[i]->waiter);
        archive_window_free(source->parts[i]);
        free(source->parts[i]);
    }
    free(source->parts);
    hub_unref(source->hub);
    rf_arena_done(&source->arena);
    free(source);
}

/* Partitions that came since. */
static bool grow(struct archive_source *source)
{
    struct hub_facts facts;
    hub_facts(source->hub, &facts);
    if (facts.partition_count <= source->part_count) return true;
    struct archive_part **parts =
        realloc(source->parts, facts.partition_count * sizeof(struct archive_part *));
    if (parts == NULL) return false;
    source->parts = parts;
    while (source->part_count < facts.partition_count) {
        struct archive_part *part = calloc(1, sizeof *part);
        if (part == NULL) return false;
        part->source = source;
        part->partition = source->part_count;
        part->ready = true;
        part->waiter.woken = woken;
        source->parts[source->part_count++] = part;
    }
    return true;
}

/* ---- what is wanted ---------------------------------------------------------------------------------------------------------- */

struct want {
    struct hub *hub; /* counted */
    rf_str resource, space;
    struct archive_settings settings;
    bool has_position; /* known after sweep */
};
struct wants {
    struct want *items;
    uint32_t count;
};

static void wants_done(struct wants *wants)
{
    for (uint32_t i = 0; i < wants->count; i++) hub_unref(wants->items[i].hub);
    wants->count = 0;
}

/* A hub that is not there yet is looked for again when hubs change. */
static void add_want(struct archives *archives, const struct arm_resource *resource,
                     struct wants *wants)
{
    const struct json_node *properties = json_get(resource->body, "properties");
    struct want want = {.resource = resource->id, .space = entity_of(resource).space};
    struct hub_namespace *space;
    struct hub_facts facts;
    if (archive_settings_read(properties, &want.settings, NULL) != RF_OK) return;
    /* After a start windows may be under way that were to end when the server died. */
    if (!want.settings.enabled && (archives->swept || want.settings.account.len == 0)) return;
    if (hubs_namespace_named(archives->hubs, want.space, &space, NULL) != RF_OK ||
        hub_find(space, resource->name, &want.hub, NULL) != RF_OK)
        return;
    hub_facts(want.hub, &facts);
    want.space = hub_namespace_name(space);
    if (rf_str_eq(facts.id, json_text_at(properties, "storageId")))
        wants->items[wants->count++] = want;
    else
        hub_unref(want.hub);
}

static enum rf_kind load_wants(struct archives *archives, struct state_txn *txn,
                               struct rf_arena *arena, struct wants *out, struct rf_err *err)
{
    struct arm_resource *list;
    uint32_t count;
    RF_TRY(arm_list(archives->hubs->options.arm, txn, HUB_TYPE, arena, &list, &count, err));
    out->items = rf_arena_new(arena, struct want, (size_t)count + 1);
    if (out->items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < count; i++) add_want(archives, &list[i], out);
    return RF_OK;
}

static struct want *want_of_id(const struct wants *wants, rf_str id)
{
    for (uint32_t i = 0; i < wants->count; i++) {
        struct hub_facts facts;
        hub_facts(wants->items[i].hub, &facts);
        if (rf_str_eq(facts.id, id)) return &wants->items[i];
    }
    return NULL;
}

/* Once, after a start: positions of hubs that are captured no more. What they had whole gets its name. */
static enum rf_kind sweep(struct archives *archives, struct state_txn *txn, struct wants *wants,
                          struct rf_arena *arena, struct rf_err *err)
{
    struct state_scan scan = {.space = "hub.archive"};
    struct state_list list;
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct archive_position position;
        rf_str key = list.items[i].key;
        size_t slash = rf_str_find(key, RF_S("/"), 0);
        struct want *want = want_of_id(wants, rf_slice(key, 0, RF_MIN(slash, key.len)));
        if (want != NULL) {
            want->has_position = true;
            continue;
        }
        if (archive_position_parse(list.items[i].body, arena, &position, NULL) == RF_OK &&
            position.whole.len > 0)
            RF_TRY(archive_publish(archives, position.account, position.whole, position.to, arena,
                                   err));
        RF_TRY(state_delete(txn, "hub.archive", key, err));
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < wants->count; i++) {
        struct want *want = &wants->items[i];
        if (want->settings.enabled || want->has_position)
            wants->items[kept++] = *want;
        else
            hub_unref(want->hub);
    }
    wants->count = kept;
    return RF_OK;
}

static enum rf_kind read_wants(struct archives *archives, struct rf_arena *arena,
                               struct wants *wants, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    if (archives->swept) {
        RF_TRY(state_begin_read(archives->state, &txn, err));
        return load_wants(archives, txn, arena, wants, err);
    }
    /* In one transaction, so that nothing is switched on between the look and the deletion. */
    RF_TRY(state_begin_write(archives->state, &txn, err));
    RF_TRY(load_wants(archives, txn, arena, wants, err));
    RF_TRY(sweep(archives, txn, wants, arena, err));
    RF_TRY(state_finish(&txn, err));
    archives->swept = true;
    return RF_OK;
}

/* ---- sources ------------------------------------------------------------------------------------------------------------------ */

static bool keep_settings(struct archive_source *s, const struct archive_settings *settings)
{
    s->settings = *settings;
    return rf_arena_str(&s->arena, settings->account, &s->settings.account) &&
           rf_arena_str(&s->arena, settings->container, &s->settings.container) &&
           rf_arena_str(&s->arena, settings->format, &s->settings.format);
}

static struct archive_source *source_new(struct archives *archives, const struct want *want)
{
    struct archive_source *s = calloc(1, sizeof *s);
    struct hub_facts facts;
    if (s == NULL) return NULL;
    s->archives = archives;
    s->hub = hub_ref(want->hub);
    hub_facts(s->hub, &facts);
    s->name = facts.name;
    s->id = facts.id;
    rf_arena_init(&s->arena, 1 << 20);
    if (rf_arena_str(&s->arena, want->resource, &s->resource) &&
        rf_arena_str(&s->arena, want->space, &s->space) && keep_settings(s, &want->settings) &&
        grow(s))
        return s;
    source_free(s);
    return NULL;
}

static bool is_wanted(const struct archive_source *s, const struct want *want)
{
    return s->hub == want->hub && rf_str_eq(s->resource, want->resource) &&
           archive_settings_equal(&s->settings, &want->settings);
}

static bool is_busy(const struct archive_source *s)
{
    for (uint32_t i = 0; i < s->part_count; i++)
        if (s->parts[i]->busy) return true;
    return false;
}

static bool is_drained(const struct archive_source *s)
{
    for (uint32_t i = 0; i < s->part_count; i++)
        if (!s->parts[i]->drained) return false;
    return true;
}

/* Its windows have ended. Switched on again meanwhile, it goes on where it was. */
static enum rf_kind forget_positions(struct archives *archives, const struct archive_source *s,
                                     struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct arm_resource resource;
    struct archive_settings settings = {.enabled = false};
    RF_TRY(state_begin_write(archives->state, &txn, err));
    enum rf_kind kind =
        arm_get(archives->hubs->options.arm, txn, s->resource, &arena, &resource, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (kind == RF_OK) {
        const struct json_node *properties = json_get(resource.body, "properties");
        (void)!archive_settings_read(properties, &settings, NULL);
        if (settings.enabled && rf_str_eq(json_text_at(properties, "storageId"), s->id))
            return RF_OK;
    }
    RF_TRY(archive_positions_forget(txn, s->id, &arena, err));
    return state_finish(&txn, err);
}

enum fate { FATE_STAYS, FATE_CLOSES, FATE_GOES };

/* Of other settings a new source takes the positions over, and fills its windows anew; what is switched off has its windows ended. */
static enum fate fate_of(const struct archive_source *s, const struct wants *wants)
{
    for (uint32_t i = 0; i < wants->count; i++) {
        if (is_wanted(s, &wants->items[i])) return FATE_STAYS;
        if (s->hub == wants->items[i].hub) return FATE_GOES;
    }
    return FATE_CLOSES;
}

/* The caller holds the lock, which is given up meanwhile. */
static void remove_source(struct archives *archives, struct archive_source **at)
{
    struct archive_source *s = *at;
    s->gone = true;
    while (is_busy(s)) (void)pthread_cond_wait(&archives->changes, &archives->lock);
    *at = s->next;
    (void)pthread_mutex_unlock(&archives->lock);
    source_free(s);
    (void)pthread_mutex_lock(&archives->lock);
}

static void log_failure(const struct rf_err *err)
{
    rf_log(RF_WARN, "archive.settings_not_read", RF_KV_STR("error", rf_str_of(err->text)));
}

static void end_closed(struct archives *archives)
{
    for (struct archive_source **at = &archives->sources; *at != NULL;) {
        struct archive_source *s = *at;
        struct rf_err err = {0};
        if (!s->closing || !is_drained(s) || is_busy(s)) {
            at = &s->next;
            continue;
        }
        s->gone = true;
        (void)pthread_mutex_unlock(&archives->lock);
        enum rf_kind kind = forget_positions(archives, s, &err);
        (void)pthread_mutex_lock(&archives->lock);
        if (kind != RF_OK) {
            log_failure(&err);
            s->gone = false;
            archives->due = true;
            at = &s->next;
        } else {
            archives->due = true; /* it may have been switched on again */
            remove_source(archives, at);
        }
    }
}

static void apply(struct archives *archives, const struct wants *wants)
{
    for (struct archive_source **at = &archives->sources; *at != NULL;) {
        enum fate fate = fate_of(*at, wants);
        (*at)->closing = fate == FATE_CLOSES;
        if (fate == FATE_GOES)
            remove_source(archives, at);
        else
            at = &(*at)->next;
    }
    for (uint32_t i = 0; i < wants->count; i++) {
        struct archive_source *s = archives->sources;
        while (s != NULL && !is_wanted(s, &wants->items[i])) s = s->next;
        if (s == NULL && (s = source_new(archives, &wants->items[i])) != NULL) {
            s->next = archives->sources;
            archives->sources = s;
            s->closing = !s->settings.enabled;
        }
        if (s == NULL || !grow(s)) archives->due = true;
    }
    /* What was mended is tried at once. */
    for (struct archive_source *s = archives->sources; s != NULL; s = s->next)
        for (uint32_t i = 0; i < s->part_count; i++) {
            s->parts[i]->not_before = 0;
            s->parts[i]->ready = true;
            s->parts[i]->drained = false;
        }
}

/* By one thread at a time; the caller holds the lock. */
static void refresh(struct archives *archives)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err = {0};
    struct wants wants = {.count = 0};
    rf_arena_init(&arena, LOAD_BYTES_MAX);
    archives->refreshing = true;
    (void)pthread_mutex_unlock(&archives->lock);
    enum rf_kind kind = read_wants(archives, &arena, &wants, &err);
    (void)pthread_mutex_lock(&archives->lock);
    if (kind == RF_OK) {
        apply(archives, &wants);
    } else {
        log_failure(&err);
        archives->due = true; /* after a pause */
    }
    (void)pthread_mutex_unlock(&archives->lock);
    wants_done(&wants);
    (void)pthread_mutex_lock(&archives->lock);
    archives->refreshing = false;
    (void)pthread_cond_broadcast(&archives->changes);
}

/* ---- turns -------------------------------------------------------------------------------------------------------------------- */

/* The next one that has something to do, by turns; NULL: none has. */
static struct archive_part *next_part(struct archives *archives)
{
    rf_usec now = rf_clock_elapsed(archives->clock);
    struct archive_part *oldest = NULL;
    for (struct archive_source *s = archives->sources; s != NULL; s = s->next) {
        for (uint32_t i = 0; i < s->part_count && !s->gone; i++) {
            struct archive_part *p = s->parts[i];
            if (p->busy || p->drained) continue;
            bool due = now >= p->deadline || s->closing;
            if (now < p->not_before || (!p->ready && !due)) continue;
            if (oldest == NULL || p->turn < oldest->turn) oldest = p;
        }
    }
    return oldest;
}

/* Until there is nothing more, or others must have their turn. */
static void run_part(struct archives *archives, struct archive_part *part)
{
    bool more = true;
    part->busy = true;
    part->ready = false;
    part->turn = ++archives->turns;
    (void)pthread_mutex_unlock(&archives->lock);
    for (uint32_t i = 0; i < TURNS_MAX && more && !atomic_load(&archives->stopping); i++)
        more = archive_turn(part);
    int64_t end = part->read;
    (void)pthread_mutex_lock(&archives->lock);
    part->ready |= more;
    if (more) part->not_before = 0;
    bool wait = !part->ready && !part->waiting && !part->source->gone && !part->drained;
    part->waiting |= wait;
    (void)pthread_mutex_unlock(&archives->lock);
    if (wait) hub_wait(part->source->hub, part->partition, end, &part->waiter);
    (void)pthread_mutex_lock(&archives->lock);
    part->busy = false;
    (void)pthread_cond_broadcast(&archives->changes);
}

static void *work(void *ctx)
{
    struct archives *archives = ctx;
    (void)pthread_mutex_lock(&archives->lock);
    while (!atomic_load(&archives->stopping)) {
        struct archive_part *part;
        if (!archives->refreshing) {
            if (archives->due) {
                archives->due = false;
                refresh(archives);
                if (!archives->due) continue;
            }
            archives->refreshing = true;
            end_closed(archives);
            archives->refreshing = false;
        }
        if ((part = next_part(archives)) != NULL) {
            run_part(archives, part);
            continue;
        }
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += PAUSE_SECONDS;
        (void)pthread_cond_timedwait(&archives->changes, &archives->lock, &until);
    }
    (void)pthread_mutex_unlock(&archives->lock);
    return NULL;
}

void archives_run(struct archives *archives)
{
    struct archive_part *part;
    (void)pthread_mutex_lock(&archives->lock);
    RF_ASSERT(archives->thread_count == 0);
    for (uint32_t round = 0; round < 2; round++) {
        if (archives->due) {
            archives->due = false;
            refresh(archives);
        }
        /* A waiter may be told a moment later, and nobody waits for more to gather. */
        for (struct archive_source *s = archives->sources; s != NULL; s = s->next)
            for (uint32_t i = 0; i < s->part_count; i++) {
                s->parts[i]->ready = true;
                s->parts[i]->not_before = 0;
            }
        while ((part = next_part(archives)) != NULL) run_part(archives, part);
        end_closed(archives);
        if (!archives->due) break;
    }
    (void)pthread_mutex_unlock(&archives->lock);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------ */

static void hubs_have_changed(void *ctx)
{
    struct archives *archives = ctx;
    (void)pthread_mutex_lock(&archives->lock);
    archives->due = true;
    (void)pthread_cond_signal(&archives->changes);
    (void)pthread_mutex_unlock(&archives->lock);
}

static enum rf_kind start_threads(struct archives *archives, struct rf_err *err)
{
    sigset_t all, before; /* signals are for the thread that waits for them */
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (archives->thread_count < ARCHIVE_THREADS &&
           pthread_create(&archives->threads[archives->thread_count], NULL, work, archives) == 0)
        archives->thread_count++;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (archives->thread_count > 0) return RF_OK;
    return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "the thread that captures events cannot start");
}

static enum rf_kind make_disks(struct archives *archives, struct rf_err *err)
{
    const struct archives_options *o = &archives->options;
    archives->disks = calloc((size_t)o->folder_count + 1, sizeof(struct rf_fs *));
    if (archives->disks == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for archives");
    for (uint32_t i = 0; i < o->folder_count; i++)
        RF_TRY(archive_disk_new(o->folders[i].folder, &archives->disks[i], err));
    if (o->fs != NULL) return RF_OK;
    RF_TRY(rf_fs_mkdirs(rf_fs_real(), o->folder, err));
    return archive_disk_new(o->folder, &archives->disks[o->folder_count], err);
}

enum rf_kind archives_new(const struct archives_options *options, struct archives **out,
                          struct rf_err *err)
{
    struct archives *archives = calloc(1, sizeof *archives);
    pthread_condattr_t attr;
    if (archives == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for archives");
    archives->options = *options;
    archives->hubs = options->hubs;
    archives->state = options->hubs->options.state;
    archives->clock = options->hubs->options.clock;
    archives->due = true;
    (void)pthread_mutex_init(&archives->lock, NULL);
    (void)pthread_mutex_init(&archives->publishing, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&archives->changes, &attr);
    (void)pthread_condattr_destroy(&attr);
    enum rf_kind kind = make_disks(archives, err);
    if (kind == RF_OK && !options->by_hand) kind = start_threads(archives, err);
    if (kind != RF_OK) {
        archives_free(archives);
        return kind;
    }
    hubs_on_change(options->hubs, hubs_have_changed, archives);
    *out = archives;
    return RF_OK;
}

void archives_stop(struct archives *archives)
{
    if (archives == NULL) return;
    atomic_store(&archives->stopping, true);
    (void)pthread_mutex_lock(&archives->lock);
    (void)pthread_cond_broadcast(&archives->changes);
    (void)pthread_mutex_unlock(&archives->lock);
    for (uint32_t i = 0; i < archives->thread_count; i++)
        (void)pthread_join(archives->threads[i], NULL);
    archives->thread_count = 0;
}

void archives_free(struct archives *archives)
{
    if (archives == NULL) return;
    archives_stop(archives);
    for (struct archive_source *s = archives->sources, *next; s != NULL; s = next) {
        next = s->next;
        source_free(s);
    }
    for (uint32_t i = 0; archives->disks != NULL && i <= archives->options.folder_count; i++)
        archive_disk_free(archives->disks[i]);
    free(archives->disks);
    (void)pthread_cond_destroy(&archives->changes);
    (void)pthread_mutex_destroy(&archives->publishing);
    (void)pthread_mutex_destroy(&archives->lock);
    free(archives);
}
