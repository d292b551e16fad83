/* Any requests against hubs in memory: frames of a length u16 and as many bytes, one after the other, by somebody who has logged in and may
 * send and listen. There is no state, so requests about committed offsets are left out; joins and syncs wait until the end. */
#include <stdlib.h>

#include "kafka/groups_int.h"
#include "test/hub_rig.h"
#include "test/rf_fuzz.h"

enum { REQUESTS_MAX = 16 };

struct fuzz {
    struct kafka_groups groups;
    struct kafka_call *waiting[REQUESTS_MAX];
    uint32_t waiting_count;
    struct hub_rig rig;
    struct kafka kafka;
    struct kafka_conn conn;
    struct rf_clock_fixed clock;
};

static void start(struct fuzz *fuzz)
{
    rf_clock_fixed_init(&fuzz->clock, INT64_C(1700000000000000), 1);
    hub_rig_init(&fuzz->rig, NULL, &fuzz->clock.clock, true);
    hub_rig_add(&fuzz->rig, "t", 2);
    hub_rig_rule(&fuzz->rig, "", "root", "key", RIGHT_SEND | RIGHT_LISTEN);
    fuzz->kafka = (struct kafka){
        .clock = &fuzz->clock.clock, .hubs = fuzz->rig.hubs, .host = RF_S("h"), .conn_count = 1};
    rf_budget_init(&fuzz->kafka.memory, 64u << 20);
    fuzz->groups = (struct kafka_groups){.kafka = &fuzz->kafka, .due = INT64_MAX};
    rf_budget_init(&fuzz->groups.memory, 1u << 20);
    pthread_mutex_init(&fuzz->groups.lock, NULL);
    pthread_cond_init(&fuzz->groups.changed, NULL);
    fuzz->kafka.groups = &fuzz->groups;
    fuzz->waiting_count = 0;
    pthread_mutex_init(&fuzz->kafka.lock, NULL);
    struct kafka_login *login = calloc(1, sizeof *login);
    struct rf_err err;
    RF_ASSERT(login != NULL);
    atomic_init(&login->refs, 1);
    pthread_mutex_init(&login->lock, NULL);
    rf_arena_init(&login->arena, 1u << 20);
    RF_ASSERT(hub_grant_key(fuzz->rig.space, RF_S(""), RF_S("root"), RF_S("key"), &login->arena,
                            &login->grant, &err) == RF_OK);
    fuzz->conn = (struct kafka_conn){.kafka = &fuzz->kafka,
                                     .space = fuzz->rig.space,
                                     .host = fuzz->kafka.host,
                                     .login = login,
                                     .sasl = SASL_DONE};
    atomic_init(&fuzz->conn.refs, 1);
}

/* The connection has ended: who waits does so no more. */
static void end_waiting(struct fuzz *fuzz)
{
    for (uint32_t i = 0; i < fuzz->waiting_count; i++) {
        struct kafka_call *call = fuzz->waiting[i];
        if (call->cancel != NULL && call->cancel(call)) kafka_call_unref(call);
        kafka_call_unref(call);
    }
}

static void stop(struct fuzz *fuzz)
{
    end_waiting(fuzz);
    for (uint32_t i = 0; i < GROUP_BUCKETS; i++)
        while (fuzz->groups.buckets[i] != NULL)
            groups_forget(&fuzz->groups, fuzz->groups.buckets[i]);
    RF_ASSERT(atomic_load(&fuzz->groups.memory.used_bytes) == 0);
    pthread_mutex_destroy(&fuzz->groups.lock);
    pthread_cond_destroy(&fuzz->groups.changed);
    RF_ASSERT(atomic_load(&fuzz->conn.refs) == 1); /* every call has come to its end */
    kafka_login_unref(fuzz->conn.login);
    pthread_mutex_destroy(&fuzz->kafka.lock);
    RF_ASSERT(atomic_load(&fuzz->kafka.memory.used_bytes) == 0);
    hub_rig_done(&fuzz->rig);
}

static bool is_left_out(const struct kafka_api *api)
{
    static const int16_t stateful[] = {8, 9, 15, 16, 22, 42, 47};
    for (size_t i = 0; api != NULL && i < RF_COUNT(stateful); i++)
        if (api->key == stateful[i]) return true;
    return false;
}

/* Time passes between requests: waits and sessions come to their ends. */
static void pass_time(struct fuzz *fuzz, rf_usec usec)
{
    rf_clock_fixed_pass(&fuzz->clock, usec);
    for (uint32_t i = 0; i < GROUP_BUCKETS; i++) {
        groups_lock(&fuzz->groups);
        struct group_entry *entry = fuzz->groups.buckets[i];
        if (entry != NULL) group_tick(entry->group, groups_now(&fuzz->groups));
        groups_unlock(&fuzz->groups, entry);
    }
}

static void ask(struct fuzz *fuzz, rf_str bytes)
{
    struct kafka_call *call = kafka_call_new(&fuzz->conn, bytes.len);
    RF_ASSERT(call != NULL);
    memcpy(call->bytes, bytes.ptr, bytes.len);
    call->may_block = call->hurries = true;
    if (kafka_call_read_head(call) && !is_left_out(call->api)) {
        atomic_fetch_add(&call->refs, 1); /* the promise */
        enum kafka_outcome outcome = kafka_call_run(call);
        RF_ASSERT(outcome != KAFKA_ON_WORKER);
        if (outcome == KAFKA_LATER) {
            hubs_step(fuzz->rig.hubs);
            fuzz->waiting[fuzz->waiting_count++] = call;
            return;
        }
        kafka_call_unref(call);
    }
    kafka_call_unref(call);
}

RF_FUZZ(kafka, text)
{
    static struct fuzz fuzz; /* too large for the stack of some */
    struct kafka_reader in = kafka_reader_of(text);
    start(&fuzz);
    for (int i = 0; i < REQUESTS_MAX && in.rest.len > 0 && !in.bad; i++) {
        size_t len = (uint16_t)kafka_get_i16(&in);
        len = RF_MIN(len, in.rest.len);
        if (len < 8) break;
        ask(&fuzz, rf_slice(in.rest, 0, len));
        pass_time(&fuzz, RF_USEC_PER_SECOND / 4);
        in.rest = rf_slice(in.rest, len, in.rest.len);
    }
    stop(&fuzz);
}
