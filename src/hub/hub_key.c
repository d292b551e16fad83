/* hub_key.c - what a hub's segments are encrypted with: a key of its own, which lies in its folder (file `key`) wrapped by whoever can unwrap it. Hubs whose
 * partitions were there before that have none, and stay under the key of all. */
#include <stdio.h>

#include "base/log.h"
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
