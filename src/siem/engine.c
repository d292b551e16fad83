/* engine.c - the list of rules and who runs which of them when. */
#include "siem/engine_int.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/pool.h"
#include "siem/outbox_int.h"

enum { RULE_BYTES_MAX = 4 << 20, LIST_BYTES_MAX = 256 << 20 };
#define RULE_DELAY_USEC (30 * RF_USEC_PER_SECOND)
#define HOUSE_USEC RF_USEC_PER_SECOND
#define EXPIRE_USEC (3600 * RF_USEC_PER_SECOND)
#define RETRY_USEC_MAX (600 * RF_USEC_PER_SECOND)

static const char rule_type[] = "Microsoft.SecurityInsights/alertRules";

/* ---- rules -------------------------------------------------------------------------------------------------------------- */

struct engine_rule *engine_rule_ref(struct engine_rule *rule)
{
    atomic_fetch_add(&rule->refs, 1);
    return rule;
}

void engine_rule_unref(struct engine_rule *rule)
{
    if (rule == NULL || atomic_fetch_sub(&rule->refs, 1) != 1) return;
    rf_arena_done(&rule->arena);
    free(rule);
}

/* The workspace below which the rule stands. */
static enum rf_kind find_place(struct engine *engine, struct state_txn *txn, rf_str rule_id,
                               struct rf_arena *arena, struct place *out, struct rf_err *err)
{
    struct resource_id id, scope;
    struct arm_resource workspace;
    RF_TRY(resource_id_parse(rule_id, arena, &id, err));
    RF_TRY(resource_id_parse(id.scope, arena, &scope, err));
    RF_TRY(arm_get(engine->options.arm, txn, id.scope, arena, &workspace, err));
    *out = (struct place){.id = workspace.id,
                          .name = scope.name,
                          .subscription = scope.subscription,
                          .group = scope.group,
                          .guid = json_text_at(workspace.body, "properties.customerId")};
    if (out->guid.len > 0) return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "WorkspaceNotFound", "%.*s is no workspace",
                   RF_FMT(id.scope));
}

void engine_look_at_query(struct engine *engine, struct engine_rule *rule, struct ask_view *view,
                          struct rf_arena *arena)
{
    struct answer answer;
    struct rf_err err = {0};
    struct ask ask = {.text = rule->rule.query,
                      .now_ticks = ticks_of(rf_clock_now(engine->options.clock)),
                      .memory_bytes = RULE_MEMORY_BYTES};
    if (ask_check(view, &ask, arena, &answer, &err) != RF_OK) return;
    rule->looked_at = true;
    rule->by_rows = answer.by_rows;
    if (rule->rule.kind != RULE_NRT)
        return; /* of others, the tables are known when they have run */
    rule->literals = answer.literals;
    rule->tables = answer.tables;
    rule->table_count = answer.table_count;
}

/* What a near-real-time rule reads, before it is followed. */
static void look_at_nrt(struct engine *engine, struct engine_rule *rule)
{
    struct ask_view *view;
    struct rf_err err = {0};
    if (ask_open(engine->options.tables, rule->place.guid, rule->place.name, NULL, 0, &view,
                 &err) != RF_OK)
        return;
    engine_look_at_query(engine, rule, view, &rule->arena);
    ask_close(view);
}

static enum rf_kind fill_rule(struct engine *engine, struct state_txn *txn,
                              const struct arm_resource *resource, struct engine_rule *rule,
                              struct rf_err *err)
{
    struct rf_arena *arena = &rule->arena;
    struct json_node *body = json_clone(arena, resource->body);
    struct position position;
    if (body == NULL || !rf_arena_str(arena, resource->id, &rule->id) ||
        !rf_arena_str(arena, resource->key, &rule->key))
        return rf_fail_memory(err, arena);
    rf_str name = rf_slice(rule->id, rule->id.len - resource->name.len, rule->id.len);
    RF_TRY(rule_parse(body, name, arena, &rule->rule, err));
    RF_TRY(find_place(engine, txn, rule->id, arena, &rule->place, err));
    RF_TRY(position_get(txn, rule->key, arena, &position, err));
    rule->etag = resource->etag;
    rule->next_ticks = position.next_ticks;
    if (rule->next_ticks != 0) return RF_OK;
    rf_usec first = rf_clock_now(engine->options.clock);
    rule->next_ticks = ticks_of(RF_MAX(first, rule->rule.start_usec));
    return RF_OK;
}

static enum rf_kind make_rule(struct engine *engine, struct state_txn *txn,
                              const struct arm_resource *resource, struct engine_rule **out,
                              struct rf_err *err)
{
    struct engine_rule *rule = calloc(1, sizeof *rule);
    if (rule == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a rule");
    rf_arena_init(&rule->arena, RULE_BYTES_MAX);
    atomic_init(&rule->refs, 1);
    atomic_init(&rule->cancelled, false);
    enum rf_kind kind = fill_rule(engine, txn, resource, rule, err);
    if (kind != RF_OK) {
        engine_rule_unref(rule);
        return kind;
    }
    *out = rule;
    return RF_OK;
}

static bool is_ours(const struct arm_resource *resource)
{
    rf_str kind = json_text_at(resource->body, "kind");
    return rf_str_eq_nocase(kind, RF_S("Scheduled")) || rf_str_eq_nocase(kind, RF_S("NRT"));
}

static struct engine_rule *take_known(struct engine_rule **list,
                                      const struct arm_resource *resource)
{
    for (struct engine_rule **at = list; *at != NULL; at = &(*at)->next) {
        struct engine_rule *rule = *at;
        if (!rf_str_eq(rule->key, resource->key) || rule->etag != resource->etag) continue;
        *at = rule->next;
        return rule;
    }
    return NULL;
}

/* The enabled rules as they are stored; those that did not change are taken from `known`. */
static enum rf_kind read_rules(struct engine *engine, struct engine_rule **known,
                               struct engine_rule **out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct arm_resource *list;
    uint32_t count;
    rf_arena_init(&arena, LIST_BYTES_MAX);
    RF_TRY(state_begin_read(engine->options.state, &txn, err));
    RF_TRY(arm_list(engine->options.arm, txn, rule_type, &arena, &list, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        if (!is_ours(&list[i]) || !json_bool_at(list[i].body, "properties.enabled", false))
            continue;
        struct rf_err why = {0};
        struct engine_rule *rule = take_known(known, &list[i]);
        if (rule == NULL && make_rule(engine, txn, &list[i], &rule, &why) != RF_OK) {
            rf_log(RF_WARN, "siem.rule_left_out", RF_KV_STR("rule", list[i].id),
                   RF_KV_STR("error", rf_str_of(why.text)));
            continue;
        }
        rule->next = *out;
        *out = rule;
    }
    return RF_OK;
}

/* Reads the list anew; the caller holds the lock, which is let go meanwhile. */
static void reload(struct engine *engine)
{
    struct rf_err err = {0};
    struct engine_rule *known = engine->rules, *fresh = NULL;
    engine->dirty = false;
    engine->rules = NULL; /* nobody else reloads: dirty is false, and runners wait for the list */
    engine->reloading = true;
    (void)pthread_mutex_unlock(&engine->lock);
    enum rf_kind kind = read_rules(engine, &known, &fresh, &err);
    for (struct engine_rule *rule = fresh; rule != NULL; rule = rule->next)
        if (rule->rule.kind == RULE_NRT && !rule->looked_at) look_at_nrt(engine, rule);
    (void)pthread_mutex_lock(&engine->lock);
    engine->reloading = false;
    if (kind != RF_OK) {
        rf_log(RF_ERROR, "siem.rules_not_read", RF_KV_STR("error", rf_str_of(err.text)));
        engine->dirty = true; /* the next look tries again */
    }
    for (struct engine_rule *rule = known, *next; rule != NULL; rule = next) {
        next = rule->next;
        rule->gone = true;
        if (kind != RF_OK) { /* what was known stays */
            rule->gone = false;
            rule->next = fresh;
            fresh = rule;
            continue;
        }
        atomic_store(&rule->cancelled, true);
        engine_rule_unref(rule);
    }
    engine->rules = fresh;
    (void)pthread_cond_broadcast(&engine->due);
}

void engine_changed(struct engine *engine)
{
    (void)pthread_mutex_lock(&engine->lock);
    engine->dirty = true;
    (void)pthread_cond_broadcast(&engine->due);
    (void)pthread_mutex_unlock(&engine->lock);
}

/* ---- runners ------------------------------------------------------------------------------------------------------------ */

/* When the clock was set back, or the rule got a shorter frequency, the window that is due next would be too far ahead. The schedule
 * goes back with the clock, by whole steps, so that windows are the same as before and know what they showed; the one that
 * has just ended is run again. */
static void follow_clock(const struct engine *engine, struct engine_rule *rule)
{
    int64_t step = rule->rule.frequency_ticks;
    int64_t now = ticks_of(rf_clock_now(engine->options.clock));
    int64_t first = RF_MAX(now - step, ticks_of(rule->rule.start_usec));
    if (rule->rule.kind == RULE_NRT || rule->running) return;
    if (rule->next_ticks - first > 2 * step)
        rule->next_ticks -= (rule->next_ticks - first) / step * step;
}

/* When the rule wants to run next; INT64_MAX: it does not. */
static rf_usec wants_at(const struct engine *engine, const struct engine_rule *rule)
{
    struct rf_clock *clock = engine->options.clock;
    if (rule->running) return INT64_MAX;
    if (rule->on_demand_count > 0) return INT64_MIN;
    if (rule->rule.kind == RULE_NRT) return INT64_MAX;
    rf_usec due = usec_of(rule->next_ticks) + engine->delay;
    rf_usec pause = rule->retry_at == 0 ? 0 : rule->retry_at - rf_clock_elapsed(clock);
    return pause <= 0 ? due : RF_MAX(due, rf_clock_now(clock) + pause);
}

static struct engine_rule *pick(const struct engine *engine, rf_usec *at)
{
    struct engine_rule *best = NULL;
    *at = INT64_MAX;
    for (struct engine_rule *rule = engine->rules; rule != NULL; rule = rule->next) {
        follow_clock(engine, rule);
        rf_usec when = wants_at(engine, rule);
        if (when >= *at) continue;
        *at = when;
        best = rule;
    }
    return best;
}

static rf_usec retry_pause(uint32_t tries)
{
    rf_usec pause = RF_USEC_PER_SECOND << RF_MIN(tries, 10u);
    return RF_MIN(pause, RETRY_USEC_MAX);
}

/* Runs the rule once; the lock is let go meanwhile. */
static void run_one(struct engine *engine, struct engine_rule *rule)
{
    struct rf_clock *clock = engine->options.clock;
    bool on_demand = rule->on_demand_count > 0;
    rf_usec at = rule->on_demand[0];
    int64_t due = rule->next_ticks, next = due;
    struct run_end end;
    rule->running = true;
    rule->began = rf_clock_elapsed(clock);
    atomic_store(&rule->cancelled, false);
    (void)pthread_mutex_unlock(&engine->lock);
    if (on_demand)
        run_on_demand(engine, rule, at, &next, &end);
    else
        run_scheduled(engine, rule, due, &next, &end);
    (void)pthread_mutex_lock(&engine->lock);
    rule->running = false;
    bool again = end.kind != RF_OK && !end.for_good;
    if (again) {
        rule->retry_at = rf_clock_elapsed(clock) + retry_pause(rule->tries++);
    } else {
        rule->retry_at = 0;
        rule->tries = 0;
        rule->next_ticks = next;
    }
    if (on_demand && (!again || rule->tries > 5)) {
        rule->on_demand_count--;
        memmove(rule->on_demand, rule->on_demand + 1,
                rule->on_demand_count * sizeof rule->on_demand[0]);
    }
    /* A rule that was written meanwhile is run by its new item from what was stored. */
    if (rule->gone) engine->dirty = true;
    (void)pthread_cond_broadcast(&engine->due);
}

/* Sleeps until `at` of the clock or a change, at most a second: somebody may set the clock. */
static void wait_until(struct engine *engine, rf_usec at)
{
    rf_usec now = rf_clock_now(engine->options.clock);
    rf_usec pause = at == INT64_MAX ? RF_USEC_PER_SECOND : RF_MIN(at - now, RF_USEC_PER_SECOND);
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += RF_MAX(pause, INT64_C(1000)) * 1000 % 1000000000;
    until.tv_sec += RF_MAX(pause, INT64_C(1000)) / RF_USEC_PER_SECOND;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&engine->due, &engine->lock, &until);
}

/* Reads the list anew when it has to be, else runs what is due; the caller holds the lock. False: nothing was to be done before
 * `at`. */
static bool step(struct engine *engine, rf_usec *at)
{
    if (engine->dirty && !engine->reloading) {
        reload(engine);
        (void)pthread_mutex_unlock(&engine->lock);
        nrt_changed(engine);
        (void)pthread_mutex_lock(&engine->lock);
        return true;
    }
    struct engine_rule *rule = pick(engine, at);
    if (rule == NULL || *at > rf_clock_now(engine->options.clock)) return false;
    engine_rule_ref(rule);
    run_one(engine, rule);
    engine_rule_unref(rule);
    return true;
}

static void *runner(void *ctx)
{
    struct engine *engine = ctx;
    (void)pthread_mutex_lock(&engine->lock);
    while (!engine->stopping) {
        rf_usec at;
        if (!step(engine, &at)) wait_until(engine, at);
    }
    (void)pthread_mutex_unlock(&engine->lock);
    return NULL;
}

bool engine_step(struct engine *engine)
{
    rf_usec at;
    (void)pthread_mutex_lock(&engine->lock);
    bool did = step(engine, &at);
    (void)pthread_mutex_unlock(&engine->lock);
    return did;
}

rf_usec engine_next(struct engine *engine)
{
    rf_usec at = INT64_MIN;
    (void)pthread_mutex_lock(&engine->lock);
    if (!engine->dirty) (void)pick(engine, &at);
    (void)pthread_mutex_unlock(&engine->lock);
    return at;
}

enum rf_kind engine_run_on_demand(struct engine *engine, rf_str rule_key, rf_usec at,
                                  struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    (void)pthread_mutex_lock(&engine->lock);
    while ((engine->dirty || engine->reloading) && !engine->stopping && engine->runner_count > 0)
        (void)pthread_cond_wait(&engine->due, &engine->lock);
    struct engine_rule *rule = engine->rules;
    while (rule != NULL && !rf_str_eq(rule->key, rule_key)) rule = rule->next;
    if (rule == NULL)
        kind = RF_FAIL(err, RF_CONFLICT, "RuleNotEnabled", "the rule is not enabled");
    else if (rule->on_demand_count == RULE_ON_DEMAND_MAX)
        kind = RF_FAIL(err, RF_AGAIN, "TooManyRuns", "%d runs of this rule wait already",
                       RULE_ON_DEMAND_MAX);
    else
        rule->on_demand[rule->on_demand_count++] = at;
    (void)pthread_cond_broadcast(&engine->due);
    (void)pthread_mutex_unlock(&engine->lock);
    return kind;
}

/* ---- keeping house -------------------------------------------------------------------------------------------------- */

/* Ends runs that take too long. */
static void end_long_runs(struct engine *engine)
{
    rf_usec now = rf_clock_elapsed(engine->options.clock);
    for (struct engine_rule *rule = engine->rules; rule != NULL; rule = rule->next)
        if (rule->running && now - rule->began > RULE_RUN_USEC)
            atomic_store(&rule->cancelled, true);
}

static void flush(struct engine *engine, bool *left)
{
    struct rf_err err = {0};
    bool check = !engine->outbox_checked;
    enum rf_kind kind = outbox_flush(engine->options.state, engine->options.tables, check,
                                     ticks_of(rf_clock_now(engine->options.clock)), left, &err);
    /* What failed may be in its table none the less, or be there and not be gone from the outbox. */
    engine->outbox_checked = kind == RF_OK && !*left;
    if (kind == RF_OK) return;
    *left = true;
    rf_log(RF_ERROR, "siem.outbox_not_written", RF_KV_STR("error", rf_str_of(err.text)));
}

bool engine_settle(struct engine *engine)
{
    bool left = false;
    (void)pthread_mutex_lock(&engine->lock);
    bool filled = engine->outbox_filled;
    engine->outbox_filled = false;
    (void)pthread_mutex_unlock(&engine->lock);
    if (filled) flush(engine, &left);
    return filled;
}

/* Alerts that no incident names are kept for a while only. */
static void expire_alerts(struct engine *engine, rf_usec *looked)
{
    rf_usec now = rf_clock_elapsed(engine->options.clock);
    bool more = true;
    if (*looked != 0 && now - *looked < EXPIRE_USEC) return;
    *looked = now;
    while (more) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
        struct rf_err err = {0};
        rf_arena_init(&arena, 64 << 20);
        enum rf_kind kind = state_begin_write(engine->options.state, &txn, &err);
        if (kind == RF_OK)
            kind = incident_expire_alerts(txn, rf_clock_now(engine->options.clock), &arena, &more,
                                          &err);
        if (kind == RF_OK) kind = state_finish(&txn, &err);
        if (kind == RF_OK) continue;
        rf_log(RF_WARN, "siem.alerts_not_expired", RF_KV_STR("error", rf_str_of(err.text)));
        return;
    }
}

static void *keep_house(void *ctx)
{
    struct engine *engine = ctx;
    bool left = true;
    uint64_t seen = 0;
    rf_usec expired = 0;
    (void)pthread_mutex_lock(&engine->lock);
    for (;;) {
        bool last = engine->stopping;
        if (!engine->outbox_filled && !last) {
            struct timespec until;
            (void)clock_gettime(CLOCK_MONOTONIC, &until);
            until.tv_sec += HOUSE_USEC / RF_USEC_PER_SECOND;
            (void)pthread_cond_timedwait(&engine->hurry, &engine->lock, &until);
        }
        engine->outbox_filled = false;
        end_long_runs(engine);
        (void)pthread_mutex_unlock(&engine->lock);
        uint64_t version = state_version(engine->options.state, OUTBOX_SPACE);
        if (version != seen || left) flush(engine, &left);
        seen = version;
        if (!last) expire_alerts(engine, &expired);
        (void)pthread_mutex_lock(&engine->lock);
        if (last) break;
    }
    (void)pthread_mutex_unlock(&engine->lock);
    return NULL;
}

void engine_outbox_filled(struct engine *engine)
{
    (void)pthread_mutex_lock(&engine->lock);
    engine->outbox_filled = true;
    (void)pthread_cond_signal(&engine->hurry);
    (void)pthread_mutex_unlock(&engine->lock);
}

/* ---- beginning and end ---------------------------------------------------------------------------------------------- */

enum rf_kind engine_new(const struct siem_options *options, struct engine **out, struct rf_err *err)
{
    /* What comes from now on is behind what was seen, also when the clock was set back meanwhile. */
    int64_t seen;
    RF_TRY(position_last_arrival(options->state, &seen, err));
    tables_arrive_after(options->tables, seen);
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for rules");
    pthread_condattr_t attr;
    engine->options = *options;
    engine->delay = options->rule_delay == 0 ? RULE_DELAY_USEC : options->rule_delay;
    rf_usec late = options->rule_late == 0 ? RULE_LATE_USEC : options->rule_late;
    engine->late_ticks = late * TICKS_PER_MICROSECOND;
    engine->dirty = true;
    (void)pthread_mutex_init(&engine->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&engine->due, &attr);
    (void)pthread_cond_init(&engine->hurry, &attr);
    (void)pthread_condattr_destroy(&attr);
    *out = engine;
    return RF_OK;
}

enum rf_kind engine_start(struct engine *engine, struct rf_err *err)
{
    uint32_t wanted = engine->options.rule_lanes;
    if (wanted == 0) wanted = pool_processors();
    wanted = RF_MIN(wanted, (uint32_t)RUNNERS_MAX);
    engine->has_keeper = pthread_create(&engine->keeper, NULL, keep_house, engine) == 0;
    for (uint32_t i = 0; i < wanted && engine->has_keeper; i++) {
        if (pthread_create(&engine->runners[i], NULL, runner, engine) != 0) break;
        engine->runner_count++;
    }
    if (engine->runner_count > 0) return RF_OK;
    return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "no thread to run rules");
}

void engine_stop(struct engine *engine)
{
    (void)pthread_mutex_lock(&engine->lock);
    engine->stopping = true;
    for (struct engine_rule *rule = engine->rules; rule != NULL; rule = rule->next)
        atomic_store(&rule->cancelled, true);
    (void)pthread_cond_broadcast(&engine->due);
    (void)pthread_mutex_unlock(&engine->lock);
    for (uint32_t i = 0; i < engine->runner_count; i++)
        (void)pthread_join(engine->runners[i], NULL);
    engine->runner_count = 0;
    nrt_stop(engine);
    if (!engine->has_keeper) return;
    (void)pthread_mutex_lock(&engine->lock);
    (void)pthread_cond_signal(&engine->hurry);
    (void)pthread_mutex_unlock(&engine->lock);
    (void)pthread_join(engine->keeper, NULL);
    engine->has_keeper = false;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL) return;
    engine_stop(engine);
    for (struct engine_rule *rule = engine->rules, *next; rule != NULL; rule = next) {
        next = rule->next;
        engine_rule_unref(rule);
    }
    (void)pthread_mutex_destroy(&engine->lock);
    (void)pthread_cond_destroy(&engine->due);
    (void)pthread_cond_destroy(&engine->hurry);
    free(engine);
}
