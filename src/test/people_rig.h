/* people_rig.h - for the tests of people: a state in a folder of its own, and a keeper in a thread. Tests include test/rf_prop.h before it. */
#ifndef RF_PEOPLE_RIG_H
#define RF_PEOPLE_RIG_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypt/keeper.h"
#include "crypt/keeper_serve.h"
#include "state/state.h"

/* 2026-01-31T12:00:00Z */
#define RIG_START (INT64_C(1769860800) * RF_USEC_PER_SECOND)
#define RIG_SECONDS(n) ((rf_usec)(n)*RF_USEC_PER_SECOND)
#define RIG_USER RF_S("0a1b2c3d-0000-4000-8000-000000000001")

struct rig {
    char folder[64];
    struct rf_clock_fixed clock;
    struct rf_arena arena;
    struct state *state;
    struct keeper_core *core;
    struct keeper *keeper;
    int served;
    pthread_t thread;
};

RF_TEST_HELPER void *rig_serve(void *ctx)
{
    struct rig *rig = ctx;
    struct rf_err err;
    (void)!keeper_core_serve(rig->core, rig->served, &err);
    return NULL;
}

RF_TEST_HELPER void rig_open(struct rig *rig)
{
    struct rf_err err;
    char path[96];
    int pair[2];
    memset(rig, 0, sizeof *rig);
    snprintf(rig->folder, sizeof rig->folder, "/tmp/rf-people-XXXXXX");
    cr_assert(mkdtemp(rig->folder) != NULL);
    rf_clock_fixed_init(&rig->clock, RIG_START, 0);
    rf_arena_init(&rig->arena, 256 << 20);
    snprintf(path, sizeof path, "%s/state.db", rig->folder);
    cr_assert(state_open(&(struct state_options){.path = path, .fleeting = true}, &rig->state,
                         &err) == RF_OK,
              "%s", err.text);
    snprintf(path, sizeof path, "%s/keeper", rig->folder);
    struct keeper_core_options options = {
        .folder = path, .domain = RF_S("ringfort.localhost"), .clock = &rig->clock.clock};
    cr_assert(keeper_core_new(&options, &rig->core, &err) == RF_OK, "%s", err.text);
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    rig->served = pair[1];
    cr_assert(pthread_create(&rig->thread, NULL, rig_serve, rig) == 0);
    cr_assert(keeper_connect(pair[0], &rig->keeper, &err) == RF_OK, "%s", err.text);
}

RF_TEST_HELPER void rig_close(struct rig *rig)
{
    char command[128];
    keeper_free(rig->keeper);
    pthread_join(rig->thread, NULL);
    close(rig->served);
    keeper_core_free(rig->core);
    state_close(rig->state);
    rf_arena_done(&rig->arena);
    snprintf(command, sizeof command, "rm -rf %s", rig->folder);
    cr_assert(system(command) == 0);
}

RF_TEST_HELPER struct state_txn *rig_write(struct rig *rig)
{
    struct state_txn *txn = NULL;
    struct rf_err err;
    cr_assert(state_begin_write(rig->state, &txn, &err) == RF_OK, "%s", err.text);
    return txn;
}

RF_TEST_HELPER void rig_commit(struct state_txn *txn)
{
    struct rf_err err;
    cr_assert(state_commit(txn, &err) == RF_OK, "%s", err.text);
}

#endif
