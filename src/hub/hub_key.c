/* hub_key.c - what a hub's segments are encrypted with: a key of its own, which lies in its folder (file `key`) wrapped by whoever can unwrap it. Hubs whose
 * partitions were there before that have none, and stay under the key of all. */
#include <stdio.h>

#include "base/log.h"
#include "crypt/rewrap.h"
#include "hub/hub_int.h"

enum { PATH_BYTES = 4096, ARENA_BYTES = 64 << 10, LIST_BYTES = 16 << 20 };

static bool key_path(const char *folder, char out[PATH_BYTES])
{
    int len = snprintf(out, PATH_BYTES, "%s/key", folder);
    return len > 0 && len < PATH_BYTES;
}

/* *wrapped is empty when there is none. */
static enum rf_kind read_wrapped(struct hubs *hubs, const char *folder, struct rf_arena *arena,
                                 rf_str *wrapped, struct rf_err *err)
{
    char path[PATH_BYTES];
    *wrapped = (rf_str){0};
    if (!key_path(folder, path))
        return RF_FAIL(err, RF_INVALID, "PathTooLong", "the folder %s is too long", folder);
    if (!rf_fs_exists(hubs->options.fs, path)) return RF_OK;
    RF_TRY(rf_fs_read_all(hubs->options.fs, path, STORE_WRAPPED_BYTES_MAX, arena, wrapped, err));
    if (wrapped->len > 0) return RF_OK;
    return RF_FAIL(err, RF_CORRUPT, "KeyDamaged", "%s is empty", path);
}

static enum rf_kind has_partitions(struct hubs *hubs, const char *folder, bool *out,
                                   struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_fs *fs = hubs->options.fs;
    rf_str *names;
    size_t count;
    *out = false;
    rf_arena_init(&arena, LIST_BYTES);
    RF_TRY(rf_fs_list(fs, folder, &arena, &names, &count, err));
    for (size_t i = 0; i < count && !*out; i++) {
        struct rf_fs_stat stat;
        rf_str path = rf_arena_printf(&arena, "%s/%.*s", folder, RF_FMT(names[i]));
        const char *text = path.ptr == NULL ? NULL : rf_arena_cstr(&arena, path);
        if (text == NULL) return rf_fail_memory(err, &arena);
        RF_TRY(rf_fs_stat(fs, text, &stat, err));
        *out = stat.is_dir;
    }
    return RF_OK;
}

/* On the disk before anything is written under it. */
static enum rf_kind make_key(struct hubs *hubs, const char *folder, struct extent_key *key,
                             struct rf_err *err)
{
    const struct store_keyring *ring = hubs->options.keyring;
    uint8_t wrapped[STORE_WRAPPED_BYTES_MAX];
    char path[PATH_BYTES];
    size_t len;
    if (!key_path(folder, path))
        return RF_FAIL(err, RF_INVALID, "PathTooLong", "the folder %s is too long", folder);
    RF_TRY(ring->make(ring->ctx, wrapped, &len, key, err));
    return rf_fs_replace(hubs->options.fs, path, rf_str_make(wrapped, len), err);
}

static enum rf_kind find_key(struct hubs *hubs, const char *folder, struct extent_key *key,
                             struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    const struct store_keyring *ring = hubs->options.keyring;
    rf_str wrapped;
    bool old;
    rf_arena_init(&arena, ARENA_BYTES);
    RF_TRY(read_wrapped(hubs, folder, &arena, &wrapped, err));
    if (wrapped.len > 0 && ring == NULL)
        return RF_FAIL(err, RF_DENIED, "KeyNeeded",
                       "%s is encrypted with a key of its own, which only its server can unwrap",
                       folder);
    if (wrapped.len > 0) return ring->open(ring->ctx, wrapped, key, err);
    if (ring == NULL) return RF_OK;
    RF_TRY(has_partitions(hubs, folder, &old, err));
    return old ? RF_OK : make_key(hubs, folder, key, err);
}

enum rf_kind hub_key(struct hub *hub, uint8_t out[32], struct rf_err *err)
{
    struct extent_key key = {.present = false};
    enum rf_kind kind = find_key(hub->hubs, hub->folder, &key, err);
    memcpy(out, key.present ? key.bytes : hub->hubs->options.key, sizeof key.bytes);
    explicit_bzero(&key, sizeof key);
    return kind;
}

enum rf_kind hub_key_destroy(struct hubs *hubs, const char *folder, rf_str name, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    const struct store_keyring *ring = hubs->options.keyring;
    rf_str wrapped;
    rf_arena_init(&arena, ARENA_BYTES);
    if (ring == NULL) return RF_OK;
    RF_TRY(read_wrapped(hubs, folder, &arena, &wrapped, err));
    return wrapped.len == 0 ? RF_OK : ring->destroy(ring->ctx, wrapped, name, err);
}

/* ---- after a rotation of the root ------------------------------------------------------------------------------------- */

/* Within hub->opening: nobody makes a key meanwhile. */
static enum rf_kind rewrap_held(struct hub *hub, struct rewrap_sweep *sweep, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rewrapped again;
    struct rf_err why = {0};
    char path[PATH_BYTES];
    rf_str wrapped, what = rf_str_of(hub->name);
    rf_arena_init(&arena, ARENA_BYTES);
    if (read_wrapped(hub->hubs, hub->folder, &arena, &wrapped, &why) != RF_OK) {
        rewrap_unread(sweep, what, &why);
        return RF_OK;
    }
    if (wrapped.len == 0) return RF_OK;
    RF_TRY(rewrap_show(sweep, NULL, wrapped, what, &again, err));
    if (!again.is_other) return RF_OK;
    RF_ASSERT(key_path(hub->folder, path)); /* it was read there */
    enum rf_kind kind =
        rf_fs_replace(hub->hubs->options.fs, path, rf_str_make(again.bytes, again.len), &why);
    rewrap_settle(sweep, &again, what, kind == RF_OK ? NULL : &why);
    return RF_OK;
}

/* A hub that is deleted has its key destroyed soon. */
static enum rf_kind rewrap_hub(struct hub *hub, struct rewrap_sweep *sweep, struct rf_err *err)
{
    if (hub_status_of(hub) == HUB_DELETED) return RF_OK;
    (void)pthread_mutex_lock(&hub->opening);
    enum rf_kind kind = rewrap_held(hub, sweep, err);
    (void)pthread_mutex_unlock(&hub->opening);
    return kind;
}

/* The hub behind the one of this name, counted; NULL: there is none. */
static struct hub *hub_behind(struct hub_namespace *space, const char *name)
{
    struct hub *hub = NULL;
    (void)pthread_rwlock_rdlock(&space->hubs->registry);
    for (uint32_t i = 0; i < space->count && hub == NULL; i++)
        if (name == NULL || hub_name_cmp(rf_str_of(space->items[i]->name), rf_str_of(name)) > 0)
            hub = hub_ref(space->items[i]);
    (void)pthread_rwlock_unlock(&space->hubs->registry);
    return hub;
}

enum rf_kind hubs_rewrap(struct hubs *hubs, struct rewrap_sweep *sweep, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    for (uint32_t i = 0; kind == RF_OK; i++) {
        (void)pthread_rwlock_rdlock(&hubs->registry);
        struct hub_namespace *space = i < hubs->space_count ? hubs->spaces[i] : NULL;
        (void)pthread_rwlock_unlock(&hubs->registry);
        if (space == NULL) break;
        struct hub *hub = hub_behind(space, NULL);
        while (hub != NULL) {
            kind = rewrap_hub(hub, sweep, err);
            struct hub *next = kind == RF_OK ? hub_behind(space, hub->name) : NULL;
            hub_unref(hub);
            hub = next;
        }
    }
    return kind;
}
