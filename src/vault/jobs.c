/* jobs.c - what vaults do on time: purges, rotation, renewal, events. One thread looks when the next thing is due; what a job did and when the next one
 * is due are stored together, and so is the event that tells of it (events.h), so that after a crash nothing is done twice. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/encode.h"
#include "base/log.h"
#include "vault/database_int.h"
#include "vault/events.h"
#include "vault/report_int.h"

enum {
    ARENA_BYTES_MAX = 256 << 20,
    ITEM_BYTES_MAX = 64 << 20,
    LOOK_SECONDS = 600, /* at the latest: the clock may be set */
    RETRY_SECONDS = 30, /* behind a job that failed */
    PAGE = 500          /* items looked at in one read */
};

struct vault_jobs {
    struct vaults *vaults;
    struct state_watch watch; /* events that wait */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping, woken;
    atomic_bool ends; /* the same as stopping, for who holds no lock */
};

/* ---- events ------------------------------------------------------------------------------------------------------------ */

static const char *object_type(enum seal_kind kind)
{
    return kind == SEAL_SECRET ? "Secret" : kind == SEAL_KEY ? "Key" : "Certificate";
}

static bool put_time(struct rf_arena *arena, struct json_node *out, const char *name, int64_t time)
{
    return time == SEAL_NO_TIME
               ? json_set(arena, out, rf_str_of(name), json_new(arena, JSON_T_NULL)) != NULL
               : json_set_i64(arena, out, name, time) != NULL;
}

struct told {
    const char *type, *object_type;
    rf_str vault_id, vault_name, id, name, version;
    int64_t not_before, expires;
};

static struct json_node *event_of(const struct told *told, rf_usec now, struct rf_arena *arena)
{
    struct json_node *event = json_new(arena, JSON_T_OBJECT);
    struct json_node *data = event == NULL ? NULL : json_object_in(arena, event, "data");
    bool good = data != NULL && told->id.ptr != NULL &&
                json_set_text(arena, event, "id", guid_random(arena)) != NULL &&
                json_set_text(arena, event, "topic", told->vault_id) != NULL &&
                json_set_text(arena, event, "subject", told->name) != NULL &&
                json_set_text(arena, event, "eventType", rf_str_of(told->type)) != NULL &&
                json_set_text(arena, event, "eventTime", time_iso(arena, now)) != NULL &&
                json_set_text(arena, event, "dataVersion", RF_S("1")) != NULL &&
                json_set_text(arena, event, "metadataVersion", RF_S("1")) != NULL &&
                json_set_text(arena, data, "Id", told->id) != NULL &&
                json_set_text(arena, data, "VaultName", told->vault_name) != NULL &&
                json_set_text(arena, data, "ObjectType", rf_str_of(told->object_type)) != NULL &&
                json_set_text(arena, data, "ObjectName", told->name) != NULL &&
                json_set_text(arena, data, "Version", told->version) != NULL &&
                put_time(arena, data, "NBF", told->not_before) &&
                put_time(arena, data, "EXP", told->expires);
    return good ? event : NULL;
}

static enum rf_kind publish(struct vaults *vaults, struct state_txn *txn, const struct told *told,
                            rf_usec now, struct rf_arena *arena, struct rf_err *err)
{
    const struct vaults_options *options = &vaults->options;
    if (options->publish == NULL && options->hubs == NULL) return RF_OK;
    struct json_node *event = event_of(told, now, arena);
    rf_str text = event == NULL ? (rf_str){0} : json_to_text(arena, event);
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    if (options->hubs != NULL)
        RF_TRY(vault_event_keep(txn, arena, told->vault_id, event, now, err));
    if (options->publish != NULL) options->publish(options->publish_ctx, told->vault_id, text);
    return RF_OK;
}

enum rf_kind vault_publish(struct vault_call *call, struct state_txn *txn, const char *type,
                           enum seal_kind kind, rf_str name, const struct vault_version *version,
                           struct rf_err *err)
{
    const struct told told = {
        .type = type,
        .object_type = object_type(kind),
        .vault_id = call->place.id,
        .vault_name = call->place.name,
        .id = vault_object_id(call, vault_collection(kind), name, version->version),
        .name = name,
        .version = version->version,
        .not_before = version->not_before,
        .expires = version->expires};
    return publish(call->vaults, txn, &told, call->now * RF_USEC_PER_SECOND, call->arena, err);
}

enum rf_kind vault_publish_policies(struct vaults *vaults, struct state_txn *txn,
                                    struct rf_arena *arena, rf_str vault_id, rf_str name,
                                    struct rf_err *err)
{
    const struct told told = {.type = "Microsoft.KeyVault.VaultAccessPolicyChanged",
                              .object_type = "Vault",
                              .vault_id = vault_id,
                              .vault_name = name,
                              .id = vault_id,
                              .name = name,
                              .not_before = SEAL_NO_TIME,
                              .expires = SEAL_NO_TIME};
    return publish(vaults, txn, &told, rf_clock_now(vaults->options.clock), arena, err);
}

/* ---- one round ----------------------------------------------------------------------------------------------------------- */

struct round {
    struct vaults *vaults;
    int64_t now, next; /* seconds; next 0: nothing waits */
    bool failed;
    struct rf_arena arena; /* of the places */
    struct vault_place *places;
    uint32_t place_count, place_cap;
};

bool vault_jobs_stopping(const struct vaults *vaults)
{
    return vaults->jobs != NULL && atomic_load(&vaults->jobs->ends);
}

static void not_before(struct round *round, int64_t time)
{
    if (time != 0 && (round->next == 0 || time < round->next)) round->next = time;
}

static void tell_failure(struct round *round, rf_str what, const struct rf_err *err)
{
    round->failed = true;
    rf_log(RF_WARN, "vault.job_failed", RF_KV_STR("item", what),
           RF_KV_STR("code", rf_str_of(err->code == NULL ? "" : err->code)),
           RF_KV_STR("why", rf_str_of(err->text)));
}

static enum rf_kind keep_place(void *ctx, const struct vault_place *place, struct rf_err *err)
{
    struct round *round = ctx;
    if (round->place_count == round->place_cap) {
        uint32_t cap = RF_MAX(round->place_cap * 2, 16u);
        struct vault_place *more = rf_arena_new(&round->arena, struct vault_place, cap);
        if (more == NULL) return rf_fail_memory(err, &round->arena);
        if (round->place_count > 0) memcpy(more, round->places, round->place_count * sizeof *more);
        round->places = more;
        round->place_cap = cap;
    }
    round->places[round->place_count++] = *place;
    return RF_OK;
}

static enum rf_kind find_places(struct round *round, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(round->vaults->options.state, &txn, err));
    return vault_places(round->vaults, txn, &round->arena, keep_place, round, err);
}

/* A call of the program itself. */
static struct vault_call call_for(const struct round *round, const struct vault_place *place,
                                  struct rf_arena *arena)
{
    const struct site *site = round->vaults->options.site;
    return (struct vault_call){.vaults = round->vaults,
                               .arena = arena,
                               .place = *place,
                               .base = rf_arena_printf(arena, "https://%.*s.vault.%.*s:%u",
                                                       RF_FMT(place->name), RF_FMT(site->domain),
                                                       site->port),
                               .body = json_new(arena, JSON_T_OBJECT),
                               .api = VAULT_API_2025,
                               .now = round->now};
}

static enum rf_kind run_item(struct vault_call *call, struct vault_item *item, struct rf_err *err)
{
    if (item->deleted != 0 || item->purging) return vault_purge_due(call, item, err);
    return item->kind == SEAL_SECRET ? vault_secret_due(call, item, err)
           : item->kind == SEAL_KEY  ? vault_key_due(call, item, err)
                                     : vault_certificate_due(call, item, err);
}

/* Does what is due of one item, in memory of its own. */
static void do_item(struct round *round, const struct vault_place *place,
                    const struct state_object *object)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct json_node *node;
    struct vault_item item;
    struct rf_err err = {0};
    rf_arena_init(&arena, ITEM_BYTES_MAX);
    struct vault_call call = call_for(round, place, &arena);
    enum rf_kind kind = json_parse(object->body, &arena, &node, &err);
    if (kind == RF_OK) kind = vault_item_of(node, &arena, &item, &err);
    if (kind != RF_OK || call.base.ptr == NULL || call.body == NULL) {
        if (kind != RF_OK) tell_failure(round, object->key, &err);
        return;
    }
    item.etag = object->etag;
    if (item.due > round->now) {
        not_before(round, item.due);
        return;
    }
    kind = run_item(&call, &item, &err);
    /* Somebody has changed it meanwhile: the next round looks again. */
    if (kind == RF_CONFLICT && strcmp(err.code, "EtagMismatch") == 0)
        not_before(round, round->now + 1);
    else if (kind != RF_OK && kind != RF_NOT_FOUND)
        tell_failure(round, object->key, &err);
    else if (kind == RF_OK && item.due != 0 && item.deleted == 0)
        not_before(round, RF_MAX(item.due, round->now + 1));
}

/* The items of a vault with something due, some at a time. */
static void do_place(struct round *round, const struct vault_place *place)
{
    uint8_t last[STATE_KEY_BYTES_MAX];
    rf_str after = {0};
    for (bool more = true; more && !vault_jobs_stopping(round->vaults);) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct state_txn *txn = NULL;
        struct state_list list = {0};
        struct rf_err err = {0};
        struct state_scan scan = {.space = vault_item_space,
                                  .index = "due",
                                  .value = place->guid,
                                  .after = after,
                                  .limit = PAGE};
        rf_arena_init(&arena, ARENA_BYTES_MAX);
        enum rf_kind kind = state_begin_read(round->vaults->options.state, &txn, &err);
        if (kind == RF_OK) kind = state_list(txn, &scan, &arena, &list, &err);
        state_end(txn);
        if (kind != RF_OK) {
            tell_failure(round, place->name, &err);
            return;
        }
        for (uint32_t i = 0; i < list.count && !vault_jobs_stopping(round->vaults); i++)
            do_item(round, place, &list.items[i]);
        more = list.more;
        if (list.count == 0) continue;
        rf_str key = list.items[list.count - 1].key;
        memcpy(last, key.ptr, key.len);
        after = rf_str_make(last, key.len);
    }
}

/* Gives when the next round is worth it, in seconds since 1970. */
static int64_t run_round(struct vaults *vaults, rf_usec now)
{
    struct round round = {.vaults = vaults, .now = now / RF_USEC_PER_SECOND};
    struct rf_err err = {0};
    rf_usec next = 0;
    rf_arena_init(&round.arena, ARENA_BYTES_MAX);
    if (vault_deleted_due(vaults, now, &next, &err) != RF_OK)
        tell_failure(&round, RF_S("deleted vaults"), &err);
    not_before(&round, (next + RF_USEC_PER_SECOND - 1) / RF_USEC_PER_SECOND);
    if (find_places(&round, &err) != RF_OK) tell_failure(&round, RF_S("vaults"), &err);
    for (uint32_t i = 0; i < round.place_count && !vault_jobs_stopping(vaults); i++)
        do_place(&round, &round.places[i]);
    rf_arena_done(&round.arena);
    int64_t leases = 0;
    if (vault_leases_due(vaults, round.now, &leases, &err) != RF_OK)
        tell_failure(&round, RF_S("leases of databases"), &err);
    not_before(&round, leases);
    int64_t activity = 0;
    if (vault_activity_flush(vaults, round.now, &activity, &err) != RF_OK)
        tell_failure(&round, RF_S("uses of objects"), &err);
    not_before(&round, activity);
    vault_reports_daily(vaults, round.now);
    int64_t events = 0;
    if (vault_events_send(vaults, round.now, &events, &err) != RF_OK)
        tell_failure(&round, RF_S("events for hubs"), &err);
    not_before(&round, events);
    if (round.failed) not_before(&round, round.now + RETRY_SECONDS);
    not_before(&round, round.now + LOOK_SECONDS);
    return round.next;
}

void vaults_tick(struct vaults *vaults, rf_usec now) { (void)run_round(vaults, now); }

/* ---- the thread ------------------------------------------------------------------------------------------------------------ */

static void wait_for(struct vault_jobs *jobs, int64_t seconds)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    while (!jobs->stopping && !jobs->woken)
        if (pthread_cond_timedwait(&jobs->changed, &jobs->lock, &until) != 0) return;
}

static void *work(void *ctx)
{
    struct vault_jobs *jobs = ctx;
    struct rf_clock *clock = jobs->vaults->options.clock;
    (void)pthread_mutex_lock(&jobs->lock);
    while (!jobs->stopping) {
        jobs->woken = false;
        (void)pthread_mutex_unlock(&jobs->lock);
        rf_usec now = rf_clock_now(clock);
        int64_t next = run_round(jobs->vaults, now);
        (void)pthread_mutex_lock(&jobs->lock);
        wait_for(jobs, RF_MAX(next - rf_clock_now(clock) / RF_USEC_PER_SECOND, INT64_C(1)));
    }
    (void)pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

static void init_locks(struct vault_jobs *jobs)
{
    pthread_condattr_t attr;
    (void)pthread_mutex_init(&jobs->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&jobs->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
}

static void jobs_free(struct vault_jobs *jobs)
{
    (void)pthread_cond_destroy(&jobs->changed);
    (void)pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}

static void event_waits(void *ctx) { vault_jobs_wake(ctx); }

enum rf_kind vault_jobs_start(struct vaults *vaults, struct rf_err *err)
{
    sigset_t all, before; /* signals are for the thread that waits for them */
    struct vault_jobs *jobs = calloc(1, sizeof *jobs);
    if (jobs == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the vaults' jobs");
    jobs->vaults = vaults;
    init_locks(jobs);
    vaults->jobs = jobs;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&jobs->thread, NULL, work, jobs) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    jobs->watch = (struct state_watch){
        .spaces = &vault_event_space, .space_count = 1, .committed = event_waits, .ctx = vaults};
    if (started) {
        state_watch(vaults->options.state, &jobs->watch);
        return RF_OK;
    }
    vaults->jobs = NULL;
    jobs_free(jobs);
    return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "the thread of the vaults' jobs cannot start");
}

void vault_jobs_stop(struct vaults *vaults)
{
    struct vault_jobs *jobs = vaults->jobs;
    if (jobs == NULL) return;
    state_unwatch(vaults->options.state, &jobs->watch);
    atomic_store(&jobs->ends, true);
    (void)pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    (void)pthread_cond_signal(&jobs->changed);
    (void)pthread_mutex_unlock(&jobs->lock);
    (void)pthread_join(jobs->thread, NULL);
    vaults->jobs = NULL;
    jobs_free(jobs);
}

void vault_jobs_wake(struct vaults *vaults)
{
    struct vault_jobs *jobs = vaults->jobs;
    if (jobs == NULL) return;
    (void)pthread_mutex_lock(&jobs->lock);
    jobs->woken = true;
    (void)pthread_cond_signal(&jobs->changed);
    (void)pthread_mutex_unlock(&jobs->lock);
}
