#include "test/rf_prop.h"

#include "hub/hub_rig.h"

/* A ring whose wrapped keys are numbers; it remembers which were destroyed. */
struct ring {
    struct store_keyring ring;
    uint8_t made, destroyed;
    bool away; /* refuses to destroy */
};

static void key_of(uint8_t number, struct extent_key *key)
{
    memset(key->bytes, 100 + number, sizeof key->bytes);
    key->present = true;
}

static enum rf_kind make_key(void *ctx, uint8_t wrapped[STORE_WRAPPED_BYTES_MAX], size_t *len,
                             struct extent_key *key, struct rf_err *err)
{
    struct ring *ring = ctx;
    (void)err;
    wrapped[0] = ++ring->made;
    *len = 1;
    key_of(ring->made, key);
    return RF_OK;
}

static enum rf_kind open_key(void *ctx, rf_str wrapped, struct extent_key *key, struct rf_err *err)
{
    struct ring *ring = ctx;
    if (wrapped.len != 1 || wrapped.ptr[0] == ring->destroyed)
        return RF_FAIL(err, RF_DENIED, "KeyDestroyed", "destroyed");
    key_of(wrapped.ptr[0], key);
    return RF_OK;
}

static enum rf_kind destroy_key(void *ctx, rf_str wrapped, rf_str what, struct rf_err *err)
{
    struct ring *ring = ctx;
    cr_assert(what.len > 0);
    if (ring->away) return RF_FAIL(err, RF_AGAIN, "KeeperGone", "away");
    ring->destroyed = wrapped.ptr[0];
    return RF_OK;
}

static struct ring make_ring(void)
{
    return (struct ring){.ring = {.make = make_key, .open = open_key, .destroy = destroy_key}};
}

static enum rf_kind read_first(struct rig *rig, const char *name, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct log_frames frames;
    struct hub *hub = find_hub(rig, name);
    rf_arena_init(&arena, 1 << 20);
    enum rf_kind kind = hub_read(hub, 0, 0, 1 << 16, true, &arena, &frames, err);
    if (kind == RF_OK && frames.count == 0) kind = RF_NOT_FOUND;
    hub_unref(hub);
    return kind;
}

static void send_to(struct rig *rig, const char *name, uint32_t partition, int64_t expected)
{
    struct hub *hub = find_hub(rig, name);
    must_send(hub, partition, 1, 1, expected);
    hub_unref(hub);
}

Test(hub_key, a_new_hub_has_a_key_of_its_own)
{
    struct rig rig;
    struct rf_err err;
    struct ring ring = make_ring();
    rig_init(&rig, true);
    ring.ring.ctx = &ring;
    rig.options.keyring = &ring.ring;
    restart(&rig);
    send_to(&rig, "flow", 0, 0);
    send_to(&rig, "flow", 1, 0);
    cr_assert(ring.made == 1, "one for all partitions");
    restart(&rig);
    cr_assert(read_first(&rig, "flow", &err) == RF_OK, "%s", err.text);
    send_to(&rig, "flow", 0, 1);
    cr_assert(ring.made == 1);
    rig.options.keyring = NULL; /* the key of all opens nothing */
    restart(&rig);
    cr_assert(read_first(&rig, "flow", &err) == RF_DENIED);
    cr_assert_str_eq(err.code, "KeyNeeded");
    rig_done(&rig);
}

Test(hub_key, a_hub_of_before_stays_under_the_key_of_all)
{
    struct rig rig;
    struct rf_err err;
    struct ring ring = make_ring();
    rig_init(&rig, true);
    send_to(&rig, "flow", 0, 0);
    ring.ring.ctx = &ring;
    rig.options.keyring = &ring.ring;
    restart(&rig);
    send_to(&rig, "flow", 0, 1);
    send_to(&rig, "flow", 1, 0); /* a partition that had no files yet */
    cr_assert(ring.made == 0 && !rf_fs_exists(rig.options.fs, "/hubs/f10/key"));
    set_hub(&rig, "New", "f12", 1);
    send_to(&rig, "new", 0, 0);
    cr_assert(ring.made == 1 && rf_fs_exists(rig.options.fs, "/hubs/f12/key"));
    restart(&rig);
    cr_assert(read_first(&rig, "flow", &err) == RF_OK, "%s", err.text);
    rig_done(&rig);
}

Test(hub_key, a_deleted_hub_s_key_goes_before_its_files)
{
    struct rig rig;
    struct ring ring = make_ring();
    rig_init(&rig, true);
    ring.ring.ctx = &ring;
    rig.options.keyring = &ring.ring;
    restart(&rig);
    send_to(&rig, "flow", 0, 0);
    ring.away = true;
    hubs_drop_hub(rig.space, RF_S("flow"));
    hubs_step(rig.hubs);
    cr_assert(rf_fs_exists(rig.options.fs, "/hubs/f10/key"),
              "the files stay until the key is gone");
    ring.away = false;
    hubs_free(rig.hubs);
    struct rf_err err;
    cr_assert(hubs_new(&rig.options, &rig.hubs, &err) == RF_OK);
    cr_assert(ring.destroyed == 1 && !rf_fs_exists(rig.options.fs, "/hubs/f10"));
    rig_done(&rig);
}
