#include <time.h>

#include "test/rf_prop.h" /* includes <criterion/criterion.h> */

#include "hub/hub_rig.h"

/* A disk on which as many syncs as are asked for take until they are let go. */
static struct {
    struct rf_fs_ops ops;
    const struct rf_fs_ops *under;
    pthread_mutex_t lock;
    pthread_cond_t changes;
    uint32_t to_hold, held;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changes = PTHREAD_COND_INITIALIZER};

static enum rf_kind slow_sync(struct rf_file *file, struct rf_err *err)
{
    (void)pthread_mutex_lock(&gate.lock);
    if (gate.to_hold > 0) {
        gate.to_hold--, gate.held++;
        (void)pthread_cond_broadcast(&gate.changes);
        while (gate.held > 0) (void)pthread_cond_wait(&gate.changes, &gate.lock);
    }
    (void)pthread_mutex_unlock(&gate.lock);
    return gate.under->sync(file, err);
}

static void make_slow(struct rf_fs *fs)
{
    gate.under = fs->ops;
    gate.ops = *fs->ops;
    gate.ops.sync = slow_sync;
    fs->ops = &gate.ops;
}

/* False: they are not there after a long time. */
static bool wait_for_held(uint32_t count)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    int failed = 0;
    (void)pthread_mutex_lock(&gate.lock);
    while (gate.held < count && failed == 0)
        failed = pthread_cond_timedwait(&gate.changes, &gate.lock, &until);
    bool all = gate.held >= count;
    (void)pthread_mutex_unlock(&gate.lock);
    return all;
}

static void let_go(void)
{
    (void)pthread_mutex_lock(&gate.lock);
    gate.held = 0;
    (void)pthread_cond_broadcast(&gate.changes);
    (void)pthread_mutex_unlock(&gate.lock);
}

Test(hub_writers, a_partition_does_not_wait_for_the_syncs_of_others)
{
    enum { SLOW = HUB_WRITERS - 1 };
    struct rig rig;
    struct rf_err err;
    struct sent sent[SLOW];
    rig_init(&rig, false);
    set_hub(&rig, "Wide", "1de", HUB_WRITERS);
    struct hub *hub = find_hub(&rig, "Wide");
    for (uint32_t p = 0; p < HUB_WRITERS; p++) must_send(hub, p, p, 1, 0); /* makes the files */

    make_slow(rf_fs_fault_fs(rig.disk));
    gate.to_hold = SLOW;
    for (uint32_t p = 0; p < SLOW; p++) {
        make(&sent[p], p, 1, NULL);
        cr_assert(hub_append(hub, p, &sent[p].append, &err) == RF_OK, "%s", err.text);
    }
    cr_assert(wait_for_held(SLOW), "each has a writer that waits");
    must_send(hub, SLOW, 7, 1, 1);
    for (uint32_t p = 0; p < SLOW; p++)
        cr_assert(atomic_load(&sent[p].done_count) == 0, "nobody is told before the sync");
    let_go();
    for (uint32_t p = 0; p < SLOW; p++) {
        while (atomic_load(&sent[p].done_count) == 0) (void)sched_yield();
        cr_assert(sent[p].append.kind_of_end == RF_OK);
        cr_assert(sent[p].append.first == 1);
        sent_done(&sent[p]);
    }
    hub_unref(hub);
    rig_done(&rig);
}
