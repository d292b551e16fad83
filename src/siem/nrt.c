/* nrt.c - near-real-time rules: each workspace's commits are followed, and rules look at what has just been committed.
 *
 * A rule whose query treats each row by itself looks at every commit of its table as it comes. After an alert about all rows of
 * a run it rests for a minute and looks at what came meanwhile in one run, so that it raises no more alerts than a run a minute
 * would; one with an alert for each row rests when it has raised as many within a minute as a run may. Other rules, which compare or count rows, look at each minute of arrivals once it is over. Where a rule has come to is a place for
 * each table it reads: in memory, stored with its alerts, and for all rules together every few seconds. A run that is repeated
 * after a crash sees rows that raised nothing before. */
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "siem/engine_int.h"
#include "siem/nrt_match.h"

enum { NRT_BYTES = 1 << 30 };
#define GATHER_USEC (20 * RF_USEC_PER_MS) /* commits within it are looked at together */
#define WINDOW_TICKS (60 * TICKS_PER_SECOND)
#define STANDSTILL_USEC                                                                            \
    (120 * RF_USEC_PER_SECOND) /* as long as it takes to see that arrivals stand still */
#define FAILURE_PAUSE_USEC (30 * RF_USEC_PER_SECOND)

/* A rule as its follower sees it. */
struct nrt_rule {
    struct nrt_rule *next;
    struct engine_rule *rule;
    struct rf_arena arena; /* of the position */
    struct position position;
    rf_usec not_before; /* elapsed: it rests, or failed for the moment */
    rf_usec looked;     /* elapsed: when it looked at rows last */
    bool moved;         /* its places are not stored yet */
    uint32_t number;    /* in its table's matcher */
    rf_usec minute;     /* elapsed: since when its alerts are counted */
    uint32_t minute_alerts;
};

/* A table, and what its rows are looked for once for all rules that treat each row by itself. */
struct nrt_table {
    struct nrt_table *next;
    rf_str name; /* the first rule's */
    struct nrt_matcher *matcher;
};

struct nrt {
    struct nrt *next;
    struct engine *engine;
    struct rf_arena arena;
    struct place place;
    struct tables_feed *feed;
    struct nrt_rule *rules;
    struct nrt_table *tables;
    pthread_t thread;
    bool started;
    atomic_bool changed, stopping;
    rf_usec stored; /* elapsed: when places were stored last */
};

/* ---- the rules of a workspace ---------------------------------------------------------------------------------------- */

static void nrt_rule_free(struct nrt_rule *r)
{
    engine_rule_unref(r->rule);
    rf_arena_done(&r->arena);
    free(r);
}

static rf_usec rest_of(const struct rule *rule)
{
    rf_usec suppression = rule->suppression_ticks / TICKS_PER_MICROSECOND;
    return rule->suppression ? RF_MAX(RULE_NRT_QUIET_USEC, suppression) : RULE_NRT_QUIET_USEC;
}

/* The position tells the end of a rest by the clock, for restarts; somebody may set that, so the rest is counted by elapsed time, and is
 * never longer than rests are. */
static void rest(struct nrt *nrt, struct nrt_rule *r)
{
    struct rf_clock *clock = nrt->engine->options.clock;
    rf_usec left = RF_MIN(r->position.quiet_until - rf_clock_now(clock), rest_of(&r->rule->rule));
    if (left > 0) r->not_before = rf_clock_elapsed(clock) + left;
}

static enum rf_kind load(struct nrt *nrt, struct nrt_rule *r, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(nrt->engine->options.state, &txn, err));
    RF_TRY(position_get(txn, r->rule->key, &r->arena, &r->position, err));
    int64_t settled;
    RF_TRY(tables_settled(nrt->engine->options.tables, nrt->place.guid, &settled, err));
    /* A new rule begins where its creation found the tables. */
    int64_t from = r->position.next_ticks == 0 ? settled : r->position.next_ticks;
    rf_usec now = rf_clock_now(nrt->engine->options.clock);
    if (r->rule->rule.start_usec <= now) from = RF_MIN(from, settled); /* the clock was set back */
    for (uint32_t i = 0; i < r->rule->table_count; i++)
        if (position_place(&r->position, r->rule->tables[i]) == NULL &&
            !position_set_place(&r->position, r->rule->tables[i], from, &r->arena))
            return rf_fail_memory(err, &r->arena);
    if (r->position.settled_ticks == 0) r->position.settled_ticks = from;
    r->looked = rf_clock_elapsed(nrt->engine->options.clock);
    rest(nrt, r);
    return RF_OK;
}

static struct nrt_rule *take_known(struct nrt_rule **list, const struct engine_rule *rule)
{
    for (struct nrt_rule **at = list; *at != NULL; at = &(*at)->next) {
        struct nrt_rule *r = *at;
        if (r->rule != rule) continue;
        *at = r->next;
        return r;
    }
    return NULL;
}

static struct nrt_rule *follow(struct nrt *nrt, struct engine_rule *rule)
{
    struct rf_err err = {0};
    struct nrt_rule *r = calloc(1, sizeof *r);
    if (r == NULL) return NULL;
    r->rule = engine_rule_ref(rule);
    rf_arena_init(&r->arena, 16 << 20);
    if (load(nrt, r, &err) == RF_OK) return r;
    rf_log(RF_WARN, "siem.rule_left_out", RF_KV_STR("rule", rule->id),
           RF_KV_STR("error", rf_str_of(err.text)));
    nrt_rule_free(r);
    return NULL;
}

static bool is_mine(const struct nrt *nrt, const struct engine_rule *rule)
{
    return rule->rule.kind == RULE_NRT && rf_str_eq(rule->place.guid, nrt->place.guid);
}

/* Wants the tables of rules that look at rows as they come. */
static void want(struct nrt *nrt)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err = {0};
    uint32_t count = 0, n = 0;
    rf_arena_init(&arena, 16 << 20);
    for (struct nrt_rule *r = nrt->rules; r != NULL; r = r->next) n += r->rule->by_rows;
    rf_str *names = rf_arena_new(&arena, rf_str, n);
    if (names == NULL) return;
    for (struct nrt_rule *r = nrt->rules; r != NULL; r = r->next)
        if (r->rule->by_rows) names[count++] = r->rule->tables[0];
    if (tables_feed_want(nrt->feed, names, count, &err) != RF_OK)
        rf_log(RF_ERROR, "siem.feed_not_made", RF_KV_STR("error", rf_str_of(err.text)));
}

static void matchers_free(struct nrt *nrt)
{
    for (struct nrt_table *t = nrt->tables, *next; t != NULL; t = next) {
        next = t->next;
        nrt_matcher_free(t->matcher);
        free(t);
    }
    nrt->tables = NULL;
}

static struct nrt_table *table_of(const struct nrt *nrt, rf_str name)
{
    struct nrt_table *t = nrt->tables;
    while (t != NULL && !rf_str_eq_nocase(t->name, name)) t = t->next;
    return t;
}

/* Numbers the rules of the table of rule `first` in `list`, and makes their matcher. */
static enum rf_kind match_table(struct nrt *nrt, const struct nrt_rule *first,
                                struct engine_rule **list, struct rf_err *err)
{
    uint32_t count = 0;
    struct nrt_table *t = calloc(1, sizeof *t);
    if (t == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a table");
    t->name = first->rule->tables[0];
    t->next = nrt->tables;
    nrt->tables = t;
    for (struct nrt_rule *r = nrt->rules; r != NULL; r = r->next) {
        if (!r->rule->by_rows || !rf_str_eq_nocase(r->rule->tables[0], t->name)) continue;
        r->number = count;
        list[count++] = r->rule;
    }
    return nrt_matcher_new(list, count, &t->matcher, err);
}

/* Without a matcher, for lack of memory, each rule of a table runs. */
static void match_tables(struct nrt *nrt)
{
    struct rf_err err = {0};
    size_t count = 1;
    matchers_free(nrt);
    for (struct nrt_rule *r = nrt->rules; r != NULL; r = r->next) count++;
    struct engine_rule **list = calloc(count, sizeof(struct engine_rule *));
    for (struct nrt_rule *r = nrt->rules; r != NULL && list != NULL; r = r->next) {
        if (!r->rule->by_rows || table_of(nrt, r->rule->tables[0]) != NULL) continue;
        if (match_table(nrt, r, list, &err) == RF_OK) continue;
        rf_log(RF_WARN, "siem.matcher_not_made", RF_KV_STR("table", r->rule->tables[0]),
               RF_KV_STR("error", rf_str_of(err.text)));
    }
    free(list);
}

static bool store_places(struct nrt *nrt);

static void refresh(struct nrt *nrt)
{
    struct engine *engine = nrt->engine;
    struct nrt_rule *known = nrt->rules, *fresh = NULL;
    (void)store_places(nrt);
    (void)pthread_mutex_lock(&engine->lock);
    while (engine->reloading && !engine->stopping)
        (void)pthread_cond_wait(&engine->due, &engine->lock);
    uint32_t count = 0;
    for (struct engine_rule *rule = engine->rules; rule != NULL; rule = rule->next)
        count += is_mine(nrt, rule);
    struct engine_rule **list = calloc(count == 0 ? 1 : count, sizeof(struct engine_rule *));
    uint32_t n = 0;
    for (struct engine_rule *rule = engine->rules; rule != NULL && list != NULL; rule = rule->next)
        if (is_mine(nrt, rule)) list[n++] = engine_rule_ref(rule);
    (void)pthread_mutex_unlock(&engine->lock);
    if (list == NULL) return;
    for (uint32_t i = 0; i < n; i++) {
        struct nrt_rule *r = take_known(&known, list[i]);
        if (r == NULL) r = follow(nrt, list[i]);
        engine_rule_unref(list[i]);
        if (r == NULL) continue;
        r->next = fresh;
        fresh = r;
    }
    free(list);
    for (struct nrt_rule *r = known, *next; r != NULL; r = next) {
        next = r->next;
        nrt_rule_free(r);
    }
    nrt->rules = fresh;
    match_tables(nrt);
    want(nrt);
}

/* ---- running one rule ------------------------------------------------------------------------------------------------ */

/* The run's arena goes with it; what the position keeps is copied. */
static enum rf_kind keep_position(struct nrt_rule *r, const struct position *position)
{
    struct rf_arena fresh;
    struct position copy = *position;
    rf_arena_init(&fresh, 16 << 20);
    copy.shown = (struct shown){0};
    copy.places = NULL;
    copy.place_count = 0;
    for (uint32_t i = 0; i < position->place_count; i++)
        if (!position_set_place(&copy, position->places[i].table, position->places[i].ticks,
                                &fresh)) {
            rf_arena_done(&fresh);
            return RF_LIMIT;
        }
    rf_arena_done(&r->arena);
    r->arena = fresh;
    r->arena.budget = &r->arena.own; /* not that of `fresh`, which is gone */
    r->position = copy;
    return RF_OK;
}

static void failed(struct nrt *nrt, struct nrt_rule *r, struct run_end *end)
{
    struct engine *engine = nrt->engine;
    end->for_good = end->kind == RF_INVALID || end->kind == RF_NOT_FOUND;
    r->not_before = rf_clock_elapsed(engine->options.clock) + FAILURE_PAUSE_USEC;
    if (!end->for_good) return;
    r->position.failures++;
    r->moved = true;
    if (r->position.failures >= RULE_FAILURES_MAX) health_disable(engine, r->rule, &end->err);
}

/* Whether it rests behind a run that found `rows`. */
static bool shall_rest(const struct nrt *nrt, struct nrt_rule *r, uint64_t rows)
{
    const struct rule *rule = &r->rule->rule;
    if (!r->rule->by_rows || rule->suppression || !rule->alert_per_result)
        return r->rule->by_rows || rule->suppression;
    rf_usec now = rf_clock_elapsed(nrt->engine->options.clock);
    if (now - r->minute >= RULE_NRT_QUIET_USEC) r->minute = now, r->minute_alerts = 0;
    r->minute_alerts += (uint32_t)RF_MIN(rows, (uint64_t)ALERTS_PER_RUN_MAX);
    return r->minute_alerts >= ALERTS_PER_RUN_MAX;
}

static enum rf_kind run_with(struct nrt *nrt, struct run *run, struct nrt_rule *r, rf_str table,
                             int64_t until, struct run_end *end)
{
    struct engine *engine = nrt->engine;
    struct answer answer;
    struct rf_err *err = &end->err;
    RF_TRY(run_ask(run, &answer, err));
    end->row_count = rows_count(answer.rows);
    bool triggers = rule_triggers(&r->rule->rule, end->row_count);
    run->position.failures = 0;
    if (table.len == 0) {
        run->position.settled_ticks = until;
    } else if (!position_set_place(&run->position, table, until, run->arena)) {
        return rf_fail_memory(err, run->arena);
    }
    if (!triggers) return RF_OK;
    if (shall_rest(nrt, r, end->row_count))
        run->position.quiet_until = rf_clock_now(engine->options.clock) + rest_of(&r->rule->rule);
    run->position.next_ticks = until;
    return run_commit(run, &answer, true, &end->alert_count, err);
}

/* Looks at arrivals in (after, until], in `view` when it shows just these, else in the store. `table` empty: all that the query
 * names. */
static void look(struct nrt *nrt, struct nrt_rule *r, struct ask_view *view, rf_str table,
                 int64_t after, int64_t until)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct engine *engine = nrt->engine;
    rf_usec begun = rf_clock_elapsed(engine->options.clock);
    struct run_end end = {0};
    struct run run = {.engine = engine,
                      .rule = r->rule,
                      .view = view,
                      .from_ticks = after,
                      .to_ticks = until,
                      .position = r->position};
    rf_arena_init(&arena, NRT_BYTES);
    run.arena = &arena;
    run.run_id = rf_arena_printf(&arena, "%.*s/%lld", RF_FMT(table), (long long)until);
    run.ask = (struct ask){.text = r->rule->rule.query,
                           .now_ticks = ticks_of(rf_clock_now(engine->options.clock)),
                           .has_ingested = view == NULL,
                           .after_ticks = after,
                           .until_ticks = until};
    end.kind = run_with(nrt, &run, r, table, until, &end);
    end.duration = rf_clock_elapsed(engine->options.clock) - begun;
    bool rests = run.position.quiet_until != r->position.quiet_until;
    r->looked = rf_clock_elapsed(engine->options.clock);
    if (end.kind == RF_OK && keep_position(r, &run.position) == RF_OK) {
        if (rests) rest(nrt, r);
        r->moved = end.alert_count == 0;
    } else if (end.kind != RF_OK) {
        failed(nrt, r, &end);
    }
    if (end.kind != RF_OK || end.alert_count > 0) health_run(engine, r->rule, &end, after, until);
}

/* ---- commits -------------------------------------------------------------------------------------------------------------- */

/* Tells the rules that may raise alerts for the part from those that cannot; NULL: all may. */
static const struct nrt_matcher *match_part(struct nrt *nrt, const struct feed_part *part)
{
    const struct nrt_table *table = table_of(nrt, part->table);
    if (table == NULL || table->matcher == NULL || part->source == NULL || nrt->engine->match_off)
        return NULL;
    nrt_matcher_look(table->matcher, part->source);
    return table->matcher;
}

/* As look, for rows of which is known that they give nothing. */
static void pass(struct nrt *nrt, struct nrt_rule *r, struct position_place *place, int64_t until)
{
    place->ticks = until;
    r->position.failures = 0;
    r->looked = rf_clock_elapsed(nrt->engine->options.clock);
    r->moved = true;
}

static void look_at_part(struct nrt *nrt, const struct feed_part *part, struct ask_view *view,
                         rf_usec now)
{
    const struct nrt_matcher *matcher = match_part(nrt, part);
    for (struct nrt_rule *r = nrt->rules; r != NULL; r = r->next) {
        if (!r->rule->by_rows || !rf_str_eq_nocase(r->rule->tables[0], part->table)) continue;
        if (now < r->not_before) continue;
        struct position_place *place = position_place(&r->position, part->table);
        int64_t from = place == NULL ? part->after_ticks : place->ticks;
        if (from >= part->until_ticks) continue;
        bool is_all = part->source != NULL && from >= part->after_ticks && from < part->first_ticks;
        bool told = is_all && place != NULL && matcher != NULL;
        if (told && !nrt_matcher_is_candidate(matcher, r->number))
            pass(nrt, r, place, part->until_ticks);
        else
            look(nrt, r, is_all ? view : NULL, part->table, from, part->until_ticks);
    }
}

static void look_at_parts(struct nrt *nrt, const struct feed_parts *parts, rf_usec now)
{
    struct ask_view *view;
    struct rf_err err = {0};
    if (ask_open(nrt->engine->options.tables, nrt->place.guid, nrt->place.name, parts->items,
                 parts->count, &view, &err) != RF_OK) {
        rf_log(RF_ERROR, "siem.view_not_opened", RF_KV_STR("error", rf_str_of(err.text)));
        return; /* rules see these rows in the store when their tables grow next, or at the next minute */
    }
    for (uint32_t i = 0; i < parts->count; i++) look_at_part(nrt, &parts->items[i], view, now);
    ask_close(view);
}

/* After the clock was set back arrivals go on in the smallest steps until it has come to where it was: then elapsed time tells when
 * a minute is over. */
static bool stands_still(const struct nrt_rule *r, rf_usec elapsed)
{
    return elapsed - r->looked >= STANDSTILL_USEC;
}

/* Rules that rested, failed, or missed a commit: what has come meanwhile, from the store. */
static void look_behind(struct nrt *nrt, rf_usec now, int64_t settled)
{
    for (struct nrt_rule *r = nrt->rules; r != NULL; r = r->next) {
        if (!r->rule->by_rows || now < r->not_before) continue;
        struct position_place *place = position_place(&r->position, r->rule->tables[0]);
        if (place == NULL || settled <= place->ticks) continue;
        if (settled - place->ticks < WINDOW_TICKS && !stands_still(r, now)) continue;
        look(nrt, r, NULL, r->rule->tables[0], place->ticks, settled);
    }
}

/* Rules that look at minutes. */
static void look_at_minutes(struct nrt *nrt, rf_usec now, int64_t settled)
{
    for (struct nrt_rule *r = nrt->rules; r != NULL; r = r->next) {
        if (r->rule->by_rows || now < r->not_before) continue;
        int64_t from = r->position.settled_ticks;
        if (settled <= from) continue;
        if (settled - from < WINDOW_TICKS && !stands_still(r, now)) continue;
        look(nrt, r, NULL, (rf_str){NULL, 0}, from, RF_MIN(from + WINDOW_TICKS, settled));
    }
}

/* ---- storing places ---------------------------------------------------------------------------------------------------- */

static enum rf_kind put_places(struct nrt *nrt, struct rf_arena *arena, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(nrt->engine->options.state, &txn, err));
    for (struct nrt_rule *r = nrt->rules; r != NULL; r = r->next)
        if (r->moved) RF_TRY(position_put(txn, r->rule->key, &r->position, arena, err));
    return state_finish(&txn, err);
}

static bool store_places(struct nrt *nrt)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err = {0};
    bool any = false;
    rf_arena_init(&arena, 64 << 20);
    for (struct nrt_rule *r = nrt->rules; r != NULL; r = r->next) any |= r->moved;
    nrt->stored = rf_clock_elapsed(nrt->engine->options.clock);
    if (!any) return true;
    if (put_places(nrt, &arena, &err) != RF_OK) {
        rf_log(RF_WARN, "siem.places_not_stored", RF_KV_STR("error", rf_str_of(err.text)));
        return false;
    }
    for (struct nrt_rule *r = nrt->rules; r != NULL; r = r->next) r->moved = false;
    return true;
}

/* ---- the thread -------------------------------------------------------------------------------------------------------- */

static void sleep_usec(rf_usec pause)
{
    struct timespec t = {.tv_sec = pause / RF_USEC_PER_SECOND,
                         .tv_nsec = pause % RF_USEC_PER_SECOND * 1000};
    (void)nanosleep(&t, NULL);
}

static void round_of(struct nrt *nrt)
{
    struct engine *engine = nrt->engine;
    struct feed_parts parts;
    struct rf_err err = {0};
    int64_t settled;
    bool waits = !engine->options.by_hand;
    enum rf_kind kind = tables_feed_take(nrt->feed, waits ? RF_USEC_PER_SECOND : 0, &parts, &err);
    if (kind != RF_OK) {
        rf_log(RF_ERROR, "siem.feed_failed", RF_KV_STR("error", rf_str_of(err.text)));
        if (waits) sleep_usec(RF_USEC_PER_SECOND);
        return;
    }
    rf_usec now = rf_clock_elapsed(engine->options.clock);
    if (parts.count > 0) look_at_parts(nrt, &parts, now);
    bool took = parts.count > 0;
    tables_feed_release(&parts);
    if (tables_settled(engine->options.tables, nrt->place.guid, &settled, &err) == RF_OK) {
        look_behind(nrt, now, settled);
        look_at_minutes(nrt, now, settled);
    }
    if (rf_clock_elapsed(engine->options.clock) - nrt->stored >= RULE_CHECKPOINT_USEC)
        (void)store_places(nrt);
    if (took && waits) sleep_usec(GATHER_USEC);
}

static void step(struct nrt *nrt)
{
    if (atomic_exchange(&nrt->changed, false)) refresh(nrt);
    round_of(nrt);
}

static void *run(void *ctx)
{
    struct nrt *nrt = ctx;
    while (!atomic_load(&nrt->stopping)) step(nrt);
    (void)store_places(nrt);
    return NULL;
}

/* ---- followers ---------------------------------------------------------------------------------------------------------- */

static void nrt_free(struct nrt *nrt)
{
    if (nrt == NULL) return;
    for (struct nrt_rule *r = nrt->rules, *next; r != NULL; r = next) {
        next = r->next;
        nrt_rule_free(r);
    }
    matchers_free(nrt);
    tables_feed_free(nrt->feed);
    rf_arena_done(&nrt->arena);
    free(nrt);
}

static enum rf_kind nrt_new(struct engine *engine, const struct place *place, struct nrt **out,
                            struct rf_err *err)
{
    struct nrt *nrt = calloc(1, sizeof *nrt);
    if (nrt == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to follow a workspace");
    nrt->engine = engine;
    rf_arena_init(&nrt->arena, 1 << 20);
    atomic_init(&nrt->changed, true);
    atomic_init(&nrt->stopping, false);
    bool fits = rf_arena_str(&nrt->arena, place->guid, &nrt->place.guid) &&
                rf_arena_str(&nrt->arena, place->name, &nrt->place.name);
    enum rf_kind kind = fits ? RF_OK : rf_fail_memory(err, &nrt->arena);
    if (kind == RF_OK)
        kind = tables_feed_new(engine->options.tables, nrt->place.guid, 0, &nrt->feed, err);
    if (kind == RF_OK && !engine->options.by_hand) {
        nrt->started = pthread_create(&nrt->thread, NULL, run, nrt) == 0;
        if (!nrt->started) kind = RF_FAIL(err, RF_LIMIT, "ThreadLimit", "no thread for rules");
    }
    if (kind != RF_OK) {
        nrt_free(nrt);
        return kind;
    }
    *out = nrt;
    return RF_OK;
}

static struct nrt *find(const struct engine *engine, rf_str guid)
{
    struct nrt *nrt = engine->followers;
    while (nrt != NULL && !rf_str_eq(nrt->place.guid, guid)) nrt = nrt->next;
    return nrt;
}

void nrt_changed(struct engine *engine)
{
    (void)pthread_mutex_lock(&engine->lock);
    for (struct engine_rule *rule = engine->rules; rule != NULL; rule = rule->next) {
        struct nrt *nrt;
        struct rf_err err = {0};
        if (rule->rule.kind != RULE_NRT || find(engine, rule->place.guid) != NULL) continue;
        if (nrt_new(engine, &rule->place, &nrt, &err) != RF_OK) {
            rf_log(RF_ERROR, "siem.not_followed", RF_KV_STR("workspace", rule->place.id),
                   RF_KV_STR("error", rf_str_of(err.text)));
            continue;
        }
        nrt->next = engine->followers;
        engine->followers = nrt;
    }
    for (struct nrt *nrt = engine->followers; nrt != NULL; nrt = nrt->next) {
        atomic_store(&nrt->changed, true);
        tables_feed_wake(nrt->feed);
    }
    (void)pthread_mutex_unlock(&engine->lock);
}

void nrt_stop(struct engine *engine)
{
    while (engine->followers != NULL) {
        struct nrt *nrt = engine->followers;
        engine->followers = nrt->next;
        atomic_store(&nrt->stopping, true);
        tables_feed_wake(nrt->feed);
        if (nrt->started) (void)pthread_join(nrt->thread, NULL);
        nrt_free(nrt);
    }
}

/* ---- by hand ------------------------------------------------------------------------------------------------------------ */

void nrt_step(struct engine *engine)
{
    for (struct nrt *nrt = engine->followers; nrt != NULL; nrt = nrt->next) step(nrt);
}

/* When the rule looks at the minute that comes, or at what it missed. */
static rf_usec rule_next(const struct engine *engine, struct nrt_rule *r)
{
    struct rf_clock *clock = engine->options.clock;
    int64_t seen = r->position.settled_ticks;
    if (r->rule->by_rows) {
        struct position_place *place = position_place(&r->position, r->rule->tables[0]);
        if (place == NULL) return INT64_MAX;
        seen = place->ticks;
    }
    rf_usec rests = r->not_before - rf_clock_elapsed(clock);
    return RF_MAX(usec_of(seen + WINDOW_TICKS), rf_clock_now(clock) + RF_MAX(rests, INT64_C(0)));
}

rf_usec nrt_next(struct engine *engine)
{
    rf_usec at = INT64_MAX;
    for (struct nrt *nrt = engine->followers; nrt != NULL; nrt = nrt->next)
        for (struct nrt_rule *r = nrt->rules; r != NULL; r = r->next) {
            rf_usec next = rule_next(engine, r);
            at = RF_MIN(at, next);
        }
    return at;
}
