/* engine.c - the list of rules, who runs which of them when, and the threads of the senders. */
#include <stdlib.h>
#include <time.h>

#include "alerts/alerts_int.h"
#include "base/log.h"

enum { RULE_BYTES_MAX = 1 << 20, LIST_BYTES_MAX = 256 << 20, RUN_BYTES = 1 << 30 };
#define RUN_USEC_MAX (300 * RF_USEC_PER_SECOND)
#define RETRY_USEC_MAX (300 * RF_USEC_PER_SECOND)
#define RULE_DELAY_USEC (5 * RF_USEC_PER_SECOND)
#define SWEEP_USEC (3600 * RF_USEC_PER_SECOND)

struct rule_item {
    struct rule_item *next;
    atomic_uint refs;
    struct rf_arena arena; /* of all texts */
    struct log_rule rule;
    rf_str id, key;
    uint64_t etag;
    struct place place;
    atomic_bool cancelled;
    /* Under alerts.lock. */
    bool gone, running;
    int64_t next_ticks;
    rf_usec retry_at, began; /* elapsed */
    uint32_t tries;
};

static void item_unref(struct rule_item *item)
{
    if (item == NULL || atomic_fetch_sub(&item->refs, 1) != 1) return;
    rf_arena_done(&item->arena);
    free(item);
}

/* ---- the list ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind fill_item(struct alerts *alerts, struct state_txn *txn,
                              const struct arm_resource *resource, struct rule_item *item,
                              struct rf_err *err)
{
    struct rf_arena *arena = &item->arena;
    struct json_node *body = json_clone(arena, resource->body);
    struct rule_state state;
    if (body == NULL || !rf_arena_str(arena, resource->id, &item->id) ||
        !rf_arena_str(arena, resource->key, &item->key))
        return rf_fail_memory(err, arena);
    rf_str name = rf_slice(item->id, item->id.len - resource->name.len, item->id.len);
    RF_TRY(log_rule_parse(body, name, arena, &item->rule, err));
    RF_TRY(place_of(alerts->options.arm, txn, item->rule.scope, arena, &item->place, err));
    RF_TRY(rule_state_get(txn, item->key, arena, &state, err));
    item->etag = resource->etag;
    item->next_ticks = state.next_ticks;
    if (item->next_ticks == 0) item->next_ticks = ticks_of(rf_clock_now(alerts->options.clock));
    return RF_OK;
}

static enum rf_kind make_item(struct alerts *alerts, struct state_txn *txn,
                              const struct arm_resource *resource, struct rule_item **out,
                              struct rf_err *err)
{
    struct rule_item *item = calloc(1, sizeof *item);
    if (item == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a rule");
    rf_arena_init(&item->arena, RULE_BYTES_MAX);
    atomic_init(&item->refs, 1);
    atomic_init(&item->cancelled, false);
    enum rf_kind kind = fill_item(alerts, txn, resource, item, err);
    if (kind == RF_OK)
        *out = item;
    else
        item_unref(item);
    return kind;
}

static struct rule_item *take_known(struct rule_item **list, const struct arm_resource *resource)
{
    for (struct rule_item **at = list; *at != NULL; at = &(*at)->next) {
        struct rule_item *item = *at;
        if (!rf_str_eq(item->key, resource->key) || item->etag != resource->etag) continue;
        *at = item->next;
        return item;
    }
    return NULL;
}

/* The rules that run as they are stored; those that did not change are taken from `known`. */
static enum rf_kind read_rules(struct alerts *alerts, struct rule_item **known,
                               struct rule_item **out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct arm_resource *list;
    uint32_t count;
    rf_arena_init(&arena, LIST_BYTES_MAX);
    RF_TRY(state_begin_read(alerts->options.state, &txn, err));
    RF_TRY(arm_list(alerts->options.arm, txn, RULE_TYPE, &arena, &list, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        struct rf_err why = {0};
        struct rule_item *item = take_known(known, &list[i]);
        if (item == NULL && make_item(alerts, txn, &list[i], &item, &why) != RF_OK) {
            rf_log(RF_WARN, "alerts.rule_left_out", RF_KV_STR("rule", list[i].id),
                   RF_KV_STR("error", rf_str_of(why.text)));
            continue;
        }
        item->next = *out;
        *out = item;
    }
    return RF_OK;
}

/* Reads the list anew; the caller holds the lock, which is let go meanwhile. */
static void reload(struct alerts *alerts)
{
    struct rf_err err = {0};
    struct rule_item *known = alerts->rules, *fresh = NULL;
    alerts->dirty = false;
    alerts->rules = NULL; /* nobody else reloads, and runners wait for the list */
    alerts->reloading = true;
    (void)pthread_mutex_unlock(&alerts->lock);
    enum rf_kind kind = read_rules(alerts, &known, &fresh, &err);
    (void)pthread_mutex_lock(&alerts->lock);
    alerts->reloading = false;
    if (kind != RF_OK) {
        rf_log(RF_ERROR, "alerts.rules_not_read", RF_KV_STR("error", rf_str_of(err.text)));
        alerts->dirty = true; /* the next look tries again */
    }
    for (struct rule_item *item = known, *next; item != NULL; item = next) {
        next = item->next;
        if (kind != RF_OK) { /* what was known stays */
            item->next = fresh;
            fresh = item;
            continue;
        }
        item->gone = true;
        atomic_store(&item->cancelled, true);
        item_unref(item);
    }
    alerts->rules = fresh;
    (void)pthread_cond_broadcast(&alerts->due);
}

void runners_changed(struct alerts *alerts)
{
    (void)pthread_mutex_lock(&alerts->lock);
    alerts->dirty = true;
    (void)pthread_cond_broadcast(&alerts->due);
    (void)pthread_mutex_unlock(&alerts->lock);
}

void senders_filled(struct alerts *alerts)
{
    (void)pthread_mutex_lock(&alerts->lock);
    alerts->filled = true;
    (void)pthread_cond_broadcast(&alerts->hurry);
    (void)pthread_mutex_unlock(&alerts->lock);
}

/* ---- runners ------------------------------------------------------------------------------------------------------------ */

static bool runs(const struct rule_item *item)
{
    return item->rule.enabled && item->rule.fires && !item->running && !item->gone;
}

/* When the clock was set back the schedule goes back with it, by whole steps; windows know what they met. */
static void follow_clock(const struct alerts *alerts, struct rule_item *item)
{
    int64_t step = item->rule.frequency * TICKS_PER_MICROSECOND;
    int64_t ahead = item->next_ticks - ticks_of(rf_clock_now(alerts->options.clock)) + step;
    if (ahead > 2 * step) item->next_ticks -= ahead / step * step;
}

static struct rule_item *pick(const struct alerts *alerts, rf_usec *at)
{
    struct rf_clock *clock = alerts->options.clock;
    rf_usec delay = alerts->options.rule_delay;
    struct rule_item *best = NULL;
    *at = INT64_MAX;
    for (struct rule_item *item = alerts->rules; item != NULL; item = item->next) {
        if (!runs(item)) continue;
        follow_clock(alerts, item);
        rf_usec when = usec_of(item->next_ticks) + delay;
        rf_usec pause = item->retry_at == 0 ? 0 : item->retry_at - rf_clock_elapsed(clock);
        if (pause > 0) when = RF_MAX(when, rf_clock_now(clock) + pause);
        if (when >= *at) continue;
        *at = when;
        best = item;
    }
    return best;
}

/* Ends runs that take too long. */
static void end_long_runs(struct alerts *alerts)
{
    rf_usec now = rf_clock_elapsed(alerts->options.clock);
    for (struct rule_item *item = alerts->rules; item != NULL; item = item->next)
        if (item->running && now - item->began > RUN_USEC_MAX) atomic_store(&item->cancelled, true);
}

/* Runs the rule once; the lock is let go meanwhile. */
static void run_item(struct alerts *alerts, struct rule_item *item)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_clock *clock = alerts->options.clock;
    struct rf_err err = {0};
    int64_t next = item->next_ticks;
    rf_arena_init(&arena, RUN_BYTES);
    struct rule_run run = {.alerts = alerts,
                           .rule = &item->rule,
                           .rule_id = item->id,
                           .rule_key = item->key,
                           .place = item->place,
                           .arena = &arena,
                           .to_ticks = item->next_ticks,
                           .now = rf_clock_now(clock),
                           .cancelled = &item->cancelled};
    item->running = true;
    item->began = rf_clock_elapsed(clock);
    atomic_store(&item->cancelled, false);
    (void)pthread_mutex_unlock(&alerts->lock);
    enum rf_kind kind = rule_run(&run, &next, &err);
    if (kind != RF_OK && kind != RF_CANCELLED)
        rf_log(RF_WARN, "alerts.run_put_off", RF_KV_STR("rule", item->id),
               RF_KV_STR("error", rf_str_of(err.text)));
    (void)pthread_mutex_lock(&alerts->lock);
    item->running = false;
    if (kind == RF_OK) {
        item->next_ticks = next;
        item->retry_at = 0;
        item->tries = 0;
    } else {
        rf_usec pause = RF_USEC_PER_SECOND << RF_MIN(item->tries, 9u);
        item->retry_at = rf_clock_elapsed(clock) + RF_MIN(pause, RETRY_USEC_MAX);
        item->tries++;
    }
    /* A rule that was written meanwhile is run by its new item from what was stored. */
    if (item->gone) alerts->dirty = true;
    (void)pthread_cond_broadcast(&alerts->due);
}

/* Sleeps until `at` of the clock or a signal, at most a second: somebody may set the clock. */
static void wait_until(struct alerts *alerts, pthread_cond_t *signal, rf_usec at)
{
    rf_usec now = rf_clock_now(alerts->options.clock);
    rf_usec pause = at == INT64_MAX ? RF_USEC_PER_SECOND : RF_MIN(at - now, RF_USEC_PER_SECOND);
    struct timespec until;
    pause = RF_MAX(pause, INT64_C(1000));
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += pause * 1000 % 1000000000;
    until.tv_sec += pause / RF_USEC_PER_SECOND;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(signal, &alerts->lock, &until);
}

static void sweep(struct alerts *alerts)
{
    struct rf_err err = {0};
    rf_usec now = rf_clock_elapsed(alerts->options.clock);
    if (alerts->swept != 0 && now - alerts->swept < SWEEP_USEC) return;
    alerts->swept = now;
    (void)pthread_mutex_unlock(&alerts->lock);
    if (record_sweep(alerts->options.state, rf_clock_now(alerts->options.clock), &err) != RF_OK)
        rf_log(RF_WARN, "alerts.not_swept", RF_KV_STR("error", rf_str_of(err.text)));
    (void)pthread_mutex_lock(&alerts->lock);
}

static void *runner(void *ctx)
{
    struct alerts *alerts = ctx;
    (void)pthread_mutex_lock(&alerts->lock);
    while (!alerts->stopping) {
        rf_usec at;
        if (alerts->dirty && !alerts->reloading) {
            reload(alerts);
            continue;
        }
        end_long_runs(alerts);
        sweep(alerts);
        struct rule_item *item = pick(alerts, &at);
        if (item == NULL || at > rf_clock_now(alerts->options.clock)) {
            wait_until(alerts, &alerts->due, at);
            continue;
        }
        (void)atomic_fetch_add(&item->refs, 1);
        run_item(alerts, item);
        item_unref(item);
    }
    (void)pthread_mutex_unlock(&alerts->lock);
    return NULL;
}

/* ---- senders ------------------------------------------------------------------------------------------------------------ */

struct sender {
    struct alerts *alerts;
    uint32_t index;
};

static void *send_all(void *ctx)
{
    struct sender sender = *(struct sender *)ctx;
    struct alerts *alerts = sender.alerts;
    free(ctx);
    (void)pthread_mutex_lock(&alerts->lock);
    while (!alerts->stopping) {
        rf_usec at = INT64_MAX;
        alerts->filled = false;
        (void)pthread_mutex_unlock(&alerts->lock);
        bool sent = deliver_next(alerts, sender.index, &at);
        (void)pthread_mutex_lock(&alerts->lock);
        if (!sent && !alerts->filled && !alerts->stopping) wait_until(alerts, &alerts->hurry, at);
    }
    (void)pthread_mutex_unlock(&alerts->lock);
    return NULL;
}

static bool start_sender(struct alerts *alerts)
{
    struct sender *sender = calloc(1, sizeof *sender);
    if (sender == NULL) return false;
    *sender = (struct sender){.alerts = alerts, .index = alerts->sender_count};
    if (pthread_create(&alerts->senders[alerts->sender_count], NULL, send_all, sender) != 0) {
        free(sender);
        return false;
    }
    alerts->sender_count++;
    return true;
}

/* ---- beginning and end ---------------------------------------------------------------------------------------------- */

enum rf_kind runners_start(struct alerts *alerts, struct rf_err *err)
{
    uint32_t runners = alerts->options.runner_count, senders = alerts->options.sender_count;
    runners = runners == 0 ? 2 : RF_MIN(runners, (uint32_t)ALERTS_RUNNERS_MAX);
    senders = senders == 0 ? 4 : RF_MIN(senders, (uint32_t)ALERTS_SENDERS_MAX);
    if (alerts->options.rule_delay == 0) alerts->options.rule_delay = RULE_DELAY_USEC;
    while (alerts->sender_count < senders && start_sender(alerts)) continue;
    while (alerts->runner_count < runners &&
           pthread_create(&alerts->runners[alerts->runner_count], NULL, runner, alerts) == 0)
        alerts->runner_count++;
    if (alerts->runner_count > 0 && alerts->sender_count > 0) return RF_OK;
    return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "no thread to run alert rules");
}

void runners_stop(struct alerts *alerts)
{
    (void)pthread_mutex_lock(&alerts->lock);
    alerts->stopping = true;
    for (struct rule_item *item = alerts->rules; item != NULL; item = item->next)
        atomic_store(&item->cancelled, true);
    (void)pthread_cond_broadcast(&alerts->due);
    (void)pthread_cond_broadcast(&alerts->hurry);
    (void)pthread_mutex_unlock(&alerts->lock);
    for (uint32_t i = 0; i < alerts->runner_count; i++)
        (void)pthread_join(alerts->runners[i], NULL);
    for (uint32_t i = 0; i < alerts->sender_count; i++)
        (void)pthread_join(alerts->senders[i], NULL);
    alerts->runner_count = alerts->sender_count = 0;
    for (struct rule_item *item = alerts->rules, *next; item != NULL; item = next) {
        next = item->next;
        item_unref(item);
    }
    alerts->rules = NULL;
}
