#include "hub/hub_int.h"

#include <stdlib.h>

#include "base/log.h"
#include "hub/kafka_store_int.h"

enum { CACHE_BYTES_DEFAULT = 64 << 20, PENDING_BYTES_DEFAULT = 64 << 20 };

/* ---- life ------------------------------------------------------------------------------------------------------------- */

static enum rf_kind start_threads(struct hubs *hubs, struct rf_err *err)
{
    uint32_t wanted = hubs->kafka != NULL ? HUB_WRITERS_KAFKA : HUB_WRITERS;
    for (; hubs->writer_count < wanted; hubs->writer_count++)
        if (pthread_create(&hubs->writers[hubs->writer_count], NULL, hub_writer_main, hubs) != 0)
            return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "cannot start a writer of event hubs");
    hubs->has_keeper = pthread_create(&hubs->keeper, NULL, hub_keeper_main, hubs) == 0;
    return hubs->has_keeper
               ? RF_OK
               : RF_FAIL(err, RF_LIMIT, "ThreadLimit", "cannot start the keeper of event hubs");
}

static void init_locks(struct hubs *hubs)
{
    (void)pthread_rwlock_init(&hubs->registry, NULL);
    (void)pthread_mutex_init(&hubs->work_lock, NULL);
    (void)pthread_mutex_init(&hubs->id_lock, NULL);
    (void)pthread_mutex_init(&hubs->cache.lock, NULL);
    (void)pthread_cond_init(&hubs->work, NULL);
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&hubs->maintain, &attr);
    (void)pthread_condattr_destroy(&attr);
}

/* What a principal's rights are made of (authz/authz.h, and the directory's objects in identity/). */
static void watch_access(struct hubs *hubs)
{
    static const char *const spaces[] = {
        "roleAssignment", "roleDefinition", "denyAssignment", "servicePrincipal",
        "application",    "user",           "group",          "member"};
    if (hubs->options.state == NULL) return;
    hubs->access = (struct state_watch){.spaces = spaces,
                                        .space_count = RF_COUNT(spaces),
                                        .committed = hubs_access_changed,
                                        .ctx = hubs};
    state_watch(hubs->options.state, &hubs->access);
}

enum rf_kind hubs_new(const struct hubs_options *options, struct hubs **out, struct rf_err *err)
{
    RF_TRY(rf_fs_mkdirs(options->fs, options->folder, err));
    struct hubs *hubs = calloc(1, sizeof *hubs);
    char *folder = hub_text(rf_str_of(options->folder));
    if (hubs == NULL || folder == NULL) {
        free(hubs);
        free(folder);
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for event hubs");
    }
    hubs->options = *options;
    hubs->options.folder = hubs->folder = folder;
    if (hubs->options.cache_bytes == 0) hubs->options.cache_bytes = CACHE_BYTES_DEFAULT;
    if (hubs->options.pending_bytes == 0) hubs->options.pending_bytes = PENDING_BYTES_DEFAULT;
    hubs->cache.bytes_max = hubs->options.cache_bytes;
    hubs->ready_end = &hubs->ready;
    atomic_init(&hubs->version, 1);
    init_locks(hubs);
    if (options->by_hand) hub_sweep(hubs);
    enum rf_kind kind = RF_OK;
    hubs->options.kafka = NULL; /* the caller's */
    if (options->kafka != NULL) kind = kafka_store_new(options->kafka, hubs, &hubs->kafka, err);
    if (kind == RF_OK && options->arm != NULL) kind = hub_types_start(hubs, err);
    hubs->has_types = kind == RF_OK && options->arm != NULL;
    if (kind == RF_OK && !options->by_hand) kind = start_threads(hubs, err);
    if (kind != RF_OK) {
        hubs_free(hubs);
        return kind;
    }
    watch_access(hubs);
    *out = hubs;
    return RF_OK;
}

static void stop_threads(struct hubs *hubs)
{
    (void)pthread_mutex_lock(&hubs->work_lock);
    hubs->ends = true;
    (void)pthread_cond_broadcast(&hubs->work);
    (void)pthread_cond_broadcast(&hubs->maintain);
    (void)pthread_mutex_unlock(&hubs->work_lock);
    for (uint32_t i = 0; i < hubs->writer_count; i++) (void)pthread_join(hubs->writers[i], NULL);
    if (hubs->has_keeper) (void)pthread_join(hubs->keeper, NULL);
}

static void free_space(struct hub_namespace *space)
{
    for (uint32_t i = 0; i < space->count; i++) hub_unref(space->items[i]);
    hub_rules_done(&space->rules);
    free(space->items);
    free(space->name);
    free(space->id);
    free(space);
}

void hubs_free(struct hubs *hubs)
{
    if (hubs == NULL) return;
    if (hubs->options.state != NULL) state_unwatch(hubs->options.state, &hubs->access);
    stop_threads(hubs);
    if (hubs->options.by_hand) hub_writers_step(hubs);
    if (hubs->has_types) hub_types_stop(hubs);
    for (uint32_t i = 0; i < hubs->space_count; i++) {
        struct hub_namespace *space = hubs->spaces[i];
        for (uint32_t k = 0; k < space->count; k++) hub_unref(space->items[k]);
        space->count = 0;
    }
    hub_bury(hubs); /* hubs name their namespace until they go */
    for (uint32_t i = 0; i < hubs->space_count; i++) free_space(hubs->spaces[i]);
    free(hubs->spaces);
    kafka_store_free(hubs->kafka);
    while (hubs->old_texts != NULL) {
        struct hub_old_text *old = hubs->old_texts;
        hubs->old_texts = old->next;
        free(old->text);
        free(old);
    }
    (void)pthread_rwlock_destroy(&hubs->registry);
    (void)pthread_mutex_destroy(&hubs->work_lock);
    (void)pthread_mutex_destroy(&hubs->id_lock);
    (void)pthread_mutex_destroy(&hubs->cache.lock);
    (void)pthread_cond_destroy(&hubs->work);
    (void)pthread_cond_destroy(&hubs->maintain);
    free(hubs->folder);
    explicit_bzero(hubs->options.key, sizeof hubs->options.key);
    free(hubs);
}

void hubs_step(struct hubs *hubs)
{
    hub_writers_step(hubs);
    hub_keeper_step(hubs);
}

/* ---- changes ---------------------------------------------------------------------------------------------------------- */

uint64_t hubs_version(const struct hubs *hubs)
{
    return atomic_load_explicit(&hubs->version, memory_order_acquire);
}

static void add_listener(struct hubs *hubs, void (*changed)(void *ctx), void *ctx,
                         bool wants_access)
{
    RF_ASSERT(hubs->listener_count < HUB_LISTENERS_MAX);
    hubs->listeners[hubs->listener_count].changed = changed;
    hubs->listeners[hubs->listener_count].wants_access = wants_access;
    hubs->listeners[hubs->listener_count++].ctx = ctx;
}

void hubs_on_change(struct hubs *hubs, void (*changed)(void *ctx), void *ctx)
{
    add_listener(hubs, changed, ctx, false);
}

void hubs_on_access(struct hubs *hubs, void (*changed)(void *ctx), void *ctx)
{
    add_listener(hubs, changed, ctx, true);
}

void hubs_access_changed(void *ctx)
{
    struct hubs *hubs = ctx;
    (void)atomic_fetch_add_explicit(&hubs->version, 1, memory_order_release);
    for (uint32_t i = 0; i < hubs->listener_count; i++)
        if (hubs->listeners[i].wants_access) hubs->listeners[i].changed(hubs->listeners[i].ctx);
}

void hubs_changed(struct hubs *hubs)
{
    (void)atomic_fetch_add_explicit(&hubs->version, 1, memory_order_release);
    for (uint32_t i = 0; i < hubs->listener_count; i++)
        hubs->listeners[i].changed(hubs->listeners[i].ctx);
}

/* ---- namespaces ------------------------------------------------------------------------------------------------------- */

static struct hub_namespace *find_space(const struct hubs *hubs, rf_str name)
{
    for (uint32_t i = 0; i < hubs->space_count; i++)
        if (rf_str_eq_nocase(rf_str_of(hubs->spaces[i]->name), name)) return hubs->spaces[i];
    return NULL;
}

static struct hub_namespace *add_space(struct hubs *hubs, rf_str name)
{
    if (hubs->space_count == hubs->space_cap) {
        uint32_t cap = RF_MAX(hubs->space_cap * 2, 4u);
        struct hub_namespace **spaces = realloc(hubs->spaces, cap * sizeof(*spaces));
        if (spaces == NULL) return NULL;
        hubs->spaces = spaces, hubs->space_cap = cap;
    }
    struct hub_namespace *space = calloc(1, sizeof *space);
    char *copy = hub_text(name);
    if (space == NULL || copy == NULL) {
        free(space);
        free(copy);
        return NULL;
    }
    space->hubs = hubs, space->name = copy;
    hubs->spaces[hubs->space_count++] = space;
    return space;
}

/* Without memory for the note the text is lost, not freed under a reader. */
static void keep_text(struct hubs *hubs, char *text)
{
    struct hub_old_text *old = calloc(1, sizeof *old);
    if (old == NULL) return;
    old->text = text, old->next = hubs->old_texts;
    hubs->old_texts = old;
}

enum rf_kind hubs_set_namespace(struct hubs *hubs, const struct hub_namespace_settings *settings,
                                struct hub_namespace **out, struct rf_err *err)
{
    (void)pthread_rwlock_wrlock(&hubs->registry);
    struct hub_namespace *space = find_space(hubs, settings->name);
    if (space == NULL) space = add_space(hubs, settings->name);
    bool fits = space != NULL;
    /* Others may still read the id of before: it stays for as long as the namespace has the same one, which is for ever but for a move. */
    if (fits && (space->id == NULL || !rf_str_eq(rf_str_of(space->id), settings->id))) {
        char *id = hub_text(settings->id);
        fits = id != NULL;
        if (fits) {
            if (space->id != NULL) keep_text(hubs, space->id);
            space->id = id;
        }
    }
    if (fits) {
        space->settings = *settings;
        space->settings.name = rf_str_of(space->name), space->settings.id = rf_str_of(space->id);
        space->is_there = true;
    }
    (void)pthread_rwlock_unlock(&hubs->registry);
    if (!fits) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a namespace");
    if (out != NULL) *out = space;
    hubs_changed(hubs);
    return RF_OK;
}

void hubs_drop_namespace(struct hubs *hubs, rf_str name)
{
    struct hub_namespace *space = NULL;
    struct rf_err err;
    if (hubs_namespace_named(hubs, name, &space, &err) != RF_OK) return;
    for (;;) {
        struct hub *hub = NULL;
        (void)pthread_rwlock_rdlock(&hubs->registry);
        if (space->count > 0) hub = hub_ref(space->items[space->count - 1]);
        (void)pthread_rwlock_unlock(&hubs->registry);
        if (hub == NULL) break;
        hubs_drop_hub(space, rf_str_of(hub->name));
        hub_unref(hub);
    }
    (void)pthread_rwlock_wrlock(&hubs->registry);
    space->is_there = false;
    hub_rules_done(&space->rules);
    (void)pthread_rwlock_unlock(&hubs->registry);
    hubs_changed(hubs);
}

enum rf_kind hubs_namespace_named(struct hubs *hubs, rf_str name, struct hub_namespace **out,
                                  struct rf_err *err)
{
    (void)pthread_rwlock_rdlock(&hubs->registry);
    struct hub_namespace *space = find_space(hubs, name);
    if (space != NULL && !space->is_there) space = NULL;
    (void)pthread_rwlock_unlock(&hubs->registry);
    if (space == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "NamespaceNotFound", "there is no namespace %.*s",
                       RF_FMT(name));
    *out = space;
    return RF_OK;
}

static struct hub_namespace *first_space(struct hubs *hubs)
{
    struct hub_namespace *first = NULL;
    (void)pthread_rwlock_rdlock(&hubs->registry);
    for (uint32_t i = 0; i < hubs->space_count && first == NULL; i++)
        if (hubs->spaces[i]->is_there) first = hubs->spaces[i];
    (void)pthread_rwlock_unlock(&hubs->registry);
    return first;
}

static bool is_address(rf_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        if (host.ptr[i] == ':' || host.ptr[i] == '[') return true;
        if (!rf_is_digit(host.ptr[i]) && host.ptr[i] != '.') return false;
    }
    return true;
}

enum rf_kind hubs_namespace(struct hubs *hubs, rf_str host, struct hub_namespace **out,
                            struct rf_err *err)
{
    const struct site *site = hubs->options.site;
    bool is_own = is_address(host) || rf_str_eq_nocase(host, RF_S("localhost")) ||
                  (site != NULL && rf_str_eq_nocase(host, site->domain));
    if (is_own) {
        struct hub_namespace *first = first_space(hubs);
        if (first != NULL) *out = first;
        return first != NULL ? RF_OK
                             : RF_FAIL(err, RF_NOT_FOUND, "NamespaceNotFound",
                                       "there is no namespace of event hubs yet; create one first");
    }
    size_t dot = rf_str_find(host, RF_S("."), 0);
    bool is_below = site != NULL && dot != SIZE_MAX &&
                    rf_str_eq_nocase(rf_slice(host, dot + 1, host.len), site->domain);
    if (!is_below && dot != SIZE_MAX)
        return RF_FAIL(err, RF_NOT_FOUND, "NamespaceNotFound", "%.*s is no host of this server",
                       RF_FMT(host));
    return hubs_namespace_named(hubs, dot == SIZE_MAX ? host : rf_slice(host, 0, dot), out, err);
}

rf_str hub_namespace_name(const struct hub_namespace *space) { return rf_str_of(space->name); }
struct hubs *hub_namespace_hubs(const struct hub_namespace *space) { return space->hubs; }

bool hub_namespace_takes_kafka(const struct hub_namespace *space)
{
    (void)pthread_rwlock_rdlock(&space->hubs->registry);
    bool takes = !space->settings.kafka_disabled && !space->settings.disabled;
    (void)pthread_rwlock_unlock(&space->hubs->registry);
    return takes;
}

void hub_namespace_settings(const struct hub_namespace *space, struct hub_namespace_settings *out)
{
    (void)pthread_rwlock_rdlock(&space->hubs->registry);
    *out = space->settings;
    (void)pthread_rwlock_unlock(&space->hubs->registry);
}

enum rf_kind hubs_namespaces(struct hubs *hubs, struct rf_arena *arena, struct hub_namespace ***out,
                             uint32_t *count, struct rf_err *err)
{
    (void)pthread_rwlock_rdlock(&hubs->registry);
    uint32_t n = 0;
    struct hub_namespace **items =
        rf_arena_new(arena, struct hub_namespace *, RF_MAX(hubs->space_count, 1u));
    for (uint32_t i = 0; items != NULL && i < hubs->space_count; i++) {
        struct hub_namespace *space = hubs->spaces[i];
        if (!space->is_there) continue;
        uint32_t at = n++;
        for (; at > 0 && hub_name_cmp(rf_str_of(items[at - 1]->name), rf_str_of(space->name)) > 0;
             at--)
            items[at] = items[at - 1];
        items[at] = space;
    }
    (void)pthread_rwlock_unlock(&hubs->registry);
    if (items == NULL) return rf_fail_memory(err, arena);
    *out = items, *count = n;
    return RF_OK;
}

/* ---- producers' ids --------------------------------------------------------------------------------------------------- */

/* Ids are set aside in state a block at a time, so that few of them wait for a commit; what a crash leaves of a block is never given. */
static enum rf_kind take_ids(struct hubs *hubs, struct rf_err *err)
{
    enum { BLOCK = 1000, FIRST = 1000 };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(hubs->options.state, &txn, err));
    struct state_object object;
    int64_t next = FIRST;
    enum rf_kind kind = state_get(txn, "hub.counter", RF_S("producer"), &arena, &object, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (kind == RF_OK) {
        char *text = rf_arena_cstr(&arena, object.body);
        if (text == NULL) return rf_fail_memory(err, &arena);
        next = strtoll(text, NULL, 10);
        if (next < FIRST || next > INT64_MAX - BLOCK)
            return RF_FAIL(err, RF_CORRUPT, "StateCorrupt",
                           "the counter of producer ids is spoiled");
    }
    int64_t end = next + BLOCK;
    rf_str body = rf_arena_printf(&arena, "%lld", (long long)end);
    if (body.ptr == NULL) return rf_fail_memory(err, &arena);
    RF_TRY(state_put(
        txn, &(struct state_put){.space = "hub.counter", .key = RF_S("producer"), .body = body},
        NULL, NULL, err));
    RF_TRY(state_finish(&txn, err));
    hubs->next_id = next, hubs->ids_end = end;
    return RF_OK;
}

enum rf_kind hub_new_producer(struct hub_namespace *space, int64_t *id, struct rf_err *err)
{
    struct hubs *hubs = space->hubs;
    (void)pthread_mutex_lock(&hubs->id_lock);
    enum rf_kind kind = hubs->next_id < hubs->ids_end ? RF_OK : take_ids(hubs, err);
    if (kind == RF_OK) *id = hubs->next_id++;
    (void)pthread_mutex_unlock(&hubs->id_lock);
    return kind;
}
