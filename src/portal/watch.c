#include "portal/watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/encode.h"
#include "base/json_out.h"
#include "base/log.h"

enum {
    TICK_BYTES_MAX = 64 << 20, /* of an arena that lives for one look */
    PARTITIONS_MAX = 64,       /* of a hub that are told one by one */
    HUBS_TURN = 10,            /* seconds between two looks at which hubs there are */
    RATE_SECONDS = 5
};
#define MINUTE_USEC (60 * RF_USEC_PER_SECOND)

/* Counts as they stood at a second. */
struct counts {
    uint64_t in_events, in_bytes, out_events, out_bytes;
};
struct ring {
    struct counts at[WATCH_SECONDS];
};
struct watched_hub {
    rf_str space, hub; /* malloced in one, behind the struct's rings */
    uint32_t partition_count;
    uint64_t since;     /* the tick of its first counts */
    struct ring *rings; /* of all, then of each partition */
    bool is_there;
};
struct open_incident {
    rf_str key;
    uint64_t etag;
};

struct watch {
    struct watch_options options;
    pthread_mutex_t lock; /* of all that follows but what only the thread uses */
    pthread_cond_t wake;
    pthread_t thread;
    bool has_thread, stopping, is_watching;
    int followers;
    struct state_watch changes;
    atomic_bool is_changed; /* some incident was written */

    uint64_t ticks; /* looks so far; the newest is at (ticks - 1) % WATCH_SECONDS */
    rf_usec tick_at[WATCH_SECONDS];
    uint64_t rows[WATCH_SECONDS];
    rf_usec newest_row;
    int64_t minutes[WATCH_MINUTES]; /* by minute since 1970 % WATCH_MINUTES; -1: not known */
    int64_t minute;                 /* the last one with a number */

    rf_str pulse; /* malloced */
    uint64_t pulse_number;
    rf_str incidents[WATCH_INCIDENTS]; /* malloced; number n at (n - 1) % WATCH_INCIDENTS */
    uint64_t incident_number;

    struct watched_hub *hubs;
    uint32_t hub_count;

    /* The thread's own. */
    struct rf_arena open_arena[2];
    int open_turn;
    struct open_incident *open;
    uint32_t open_count;
    bool has_open;
};

static bool keep(rf_str *place, rf_str text)
{
    uint8_t *copy = malloc(text.len + 1);
    if (copy == NULL) return false;
    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    free((uint8_t *)(uintptr_t)place->ptr);
    *place = rf_str_make(copy, text.len);
    return true;
}

static void hub_done(struct watched_hub *h)
{
    free((uint8_t *)(uintptr_t)h->space.ptr);
    free((uint8_t *)(uintptr_t)h->hub.ptr);
    free(h->rings);
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

/* The thread looks within a quarter of a second. */
void watch_note_change(struct watch *watch) { atomic_store(&watch->is_changed, true); }

static void committed(void *ctx) { watch_note_change(ctx); }

enum rf_kind watch_new(const struct watch_options *options, struct watch **out, struct rf_err *err)
{
    static const char *const spaces[] = {"siem.incident"};
    pthread_condattr_t attr;
    struct watch *w = calloc(1, sizeof *w);
    if (w == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    w->options = *options;
    w->changes = (struct state_watch){
        .spaces = spaces, .space_count = RF_COUNT(spaces), .committed = committed, .ctx = w};
    for (int i = 0; i < WATCH_MINUTES; i++) w->minutes[i] = -1;
    for (int i = 0; i < 2; i++) rf_arena_init(&w->open_arena[i], TICK_BYTES_MAX);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    *out = w;
    return RF_OK;
}

void watch_stop(struct watch *watch)
{
    if (watch == NULL) return;
    (void)pthread_mutex_lock(&watch->lock);
    watch->stopping = true;
    (void)pthread_cond_signal(&watch->wake);
    (void)pthread_mutex_unlock(&watch->lock);
    if (watch->has_thread) (void)pthread_join(watch->thread, NULL);
    if (watch->is_watching) state_unwatch(watch->options.state, &watch->changes);
    watch->has_thread = watch->is_watching = false;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL) return;
    watch_stop(watch);
    for (uint32_t i = 0; i < watch->hub_count; i++) hub_done(&watch->hubs[i]);
    free(watch->hubs);
    free((uint8_t *)(uintptr_t)watch->pulse.ptr);
    for (int i = 0; i < WATCH_INCIDENTS; i++) free((uint8_t *)(uintptr_t)watch->incidents[i].ptr);
    for (int i = 0; i < 2; i++) rf_arena_done(&watch->open_arena[i]);
    (void)pthread_mutex_destroy(&watch->lock);
    (void)pthread_cond_destroy(&watch->wake);
    free(watch);
}

void watch_follow(struct watch *watch, int change)
{
    (void)pthread_mutex_lock(&watch->lock);
    watch->followers += change;
    (void)pthread_mutex_unlock(&watch->lock);
}

/* ---- rows ------------------------------------------------------------------------------------------------------------- */

/* Minutes in which nothing was counted, because the program stood still, are not known. */
static void add_minute(struct watch *w, rf_usec now, uint64_t rows)
{
    int64_t minute = now / MINUTE_USEC;
    if (minute < w->minute) minute = w->minute; /* the clock was set back */
    for (int64_t m = RF_MAX(w->minute + 1, minute - WATCH_MINUTES + 1); m <= minute; m++)
        w->minutes[m % WATCH_MINUTES] = m == minute ? 0 : -1;
    w->minute = minute;
    w->minutes[minute % WATCH_MINUTES] += (int64_t)rows;
}

static void look_at_rows(struct watch *w, rf_usec now, rf_usec elapsed)
{
    uint64_t rows = 0;
    if (tables_rows_committed(w->options.tables, w->options.workspace_id, &rows, NULL) != RF_OK)
        return;
    (void)pthread_mutex_lock(&w->lock);
    uint64_t before = w->ticks == 0 ? 0 : w->rows[(w->ticks - 1) % WATCH_SECONDS];
    if (rows > before) w->newest_row = now;
    add_minute(w, now, rows - before);
    w->rows[w->ticks % WATCH_SECONDS] = rows;
    w->tick_at[w->ticks % WATCH_SECONDS] = elapsed;
    w->ticks++;
    (void)pthread_mutex_unlock(&w->lock);
}

/* Seconds between the newest look and that `back` looks ago, which is made to fit; 0: there is none. The lock is held. */
static double span(const struct watch *w, uint32_t *back, uint64_t since)
{
    uint64_t known = w->ticks - RF_MIN(since, w->ticks);
    if (known < 2) return 0;
    *back = (uint32_t)RF_MIN((uint64_t)RF_MIN(*back, (uint32_t)WATCH_SECONDS - 1), known - 1);
    rf_usec from = w->tick_at[(w->ticks - 1 - *back) % WATCH_SECONDS];
    return (double)(w->tick_at[(w->ticks - 1) % WATCH_SECONDS] - from) / RF_USEC_PER_SECOND;
}

rf_usec watch_minutes(struct watch *watch, int64_t out[WATCH_MINUTES])
{
    (void)pthread_mutex_lock(&watch->lock);
    int64_t now = RF_MAX(watch->minute, rf_clock_now(watch->options.clock) / MINUTE_USEC);
    int64_t first = now - WATCH_MINUTES + 1;
    for (int i = 0; i < WATCH_MINUTES; i++)
        out[i] = first + i > watch->minute || watch->minute == 0
                     ? -1
                     : watch->minutes[(first + i) % WATCH_MINUTES];
    (void)pthread_mutex_unlock(&watch->lock);
    return first * MINUTE_USEC;
}

/* ---- hubs --------------------------------------------------------------------------------------------------------------- */

static struct watched_hub *find_hub(const struct watch *w, rf_str space, rf_str hub)
{
    for (uint32_t i = 0; i < w->hub_count; i++)
        if (rf_str_eq_nocase(w->hubs[i].space, space) && rf_str_eq_nocase(w->hubs[i].hub, hub))
            return &w->hubs[i];
    return NULL;
}

/* The lock is held. */
static void add_hub(struct watch *w, rf_str space, rf_str hub, uint32_t partitions)
{
    struct watched_hub *h = find_hub(w, space, hub);
    if (h != NULL && h->partition_count == partitions) {
        h->is_there = true;
        return;
    }
    if (h == NULL && w->hub_count == WATCH_HUBS_MAX) return;
    struct watched_hub made = {.partition_count = partitions, .since = w->ticks, .is_there = true};
    made.rings =
        calloc((size_t)RF_MIN(partitions, (uint32_t)PARTITIONS_MAX) + 1, sizeof *made.rings);
    bool good = made.rings != NULL && keep(&made.space, space) && keep(&made.hub, hub);
    if (good && h == NULL) {
        struct watched_hub *more = realloc(w->hubs, (w->hub_count + 1) * sizeof *more);
        good = more != NULL;
        if (good) w->hubs = more, h = &more[w->hub_count++];
    } else if (good) {
        hub_done(h);
    }
    if (good)
        *h = made;
    else
        hub_done(&made);
}

static void look_for_hubs(struct watch *w, struct rf_arena *arena)
{
    struct hub_namespace **spaces;
    uint32_t space_count, count;
    rf_str *names;
    if (hubs_namespaces(w->options.hubs, arena, &spaces, &space_count, NULL) != RF_OK) return;
    (void)pthread_mutex_lock(&w->lock);
    for (uint32_t i = 0; i < w->hub_count; i++) w->hubs[i].is_there = false;
    for (uint32_t s = 0; s < space_count; s++) {
        if (hub_names(spaces[s], arena, &names, &count, NULL) != RF_OK) continue;
        for (uint32_t i = 0; i < count; i++) {
            struct hub *hub;
            struct hub_facts facts;
            if (hub_find(spaces[s], names[i], &hub, NULL) != RF_OK) continue;
            hub_facts(hub, &facts);
            add_hub(w, hub_namespace_name(spaces[s]), names[i], facts.partition_count);
            hub_unref(hub);
        }
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < w->hub_count; i++) {
        if (w->hubs[i].is_there)
            w->hubs[kept++] = w->hubs[i];
        else
            hub_done(&w->hubs[i]);
    }
    w->hub_count = kept;
    (void)pthread_mutex_unlock(&w->lock);
}

static void add_counts(struct counts *to, const struct hub_traffic *t)
{
    to->in_events += t->in_events;
    to->in_bytes += t->in_bytes;
    to->out_events += t->out_events;
    to->out_bytes += t->out_bytes;
}

/* Behind look_at_rows, whose tick this is. The lock is held. */
static void look_at_hub(struct watch *w, struct watched_hub *h, struct hub *hub)
{
    struct hub_traffic traffic;
    uint32_t at = (uint32_t)((w->ticks - 1) % WATCH_SECONDS);
    struct counts all = {0};
    for (uint32_t p = 0; p < h->partition_count; p++) {
        if (!hub_partition_traffic(hub, p, &traffic)) continue;
        add_counts(&all, &traffic);
        if (p >= PARTITIONS_MAX) continue;
        h->rings[1 + p].at[at] = (struct counts){0};
        add_counts(&h->rings[1 + p].at[at], &traffic);
    }
    h->rings[0].at[at] = all;
}

static void look_at_hubs(struct watch *w, struct rf_arena *arena)
{
    struct hub_namespace **spaces;
    uint32_t space_count;
    if (w->options.hubs == NULL) return;
    if (w->ticks % HUBS_TURN == 1) look_for_hubs(w, arena);
    if (hubs_namespaces(w->options.hubs, arena, &spaces, &space_count, NULL) != RF_OK) return;
    (void)pthread_mutex_lock(&w->lock);
    for (uint32_t i = 0; i < w->hub_count; i++) {
        struct watched_hub *h = &w->hubs[i];
        for (uint32_t s = 0; s < space_count; s++) {
            struct hub *hub;
            if (!rf_str_eq_nocase(hub_namespace_name(spaces[s]), h->space)) continue;
            if (hub_find(spaces[s], h->hub, &hub, NULL) != RF_OK) continue;
            look_at_hub(w, h, hub);
            hub_unref(hub);
        }
    }
    (void)pthread_mutex_unlock(&w->lock);
}

static double rate(uint64_t now, uint64_t before, double seconds)
{
    return now <= before ? 0 : (double)(now - before) / seconds;
}

bool watch_hub_rate(struct watch *watch, rf_str space, rf_str hub, uint32_t partition,
                    uint32_t seconds, struct watch_rate *out)
{
    (void)pthread_mutex_lock(&watch->lock);
    const struct watched_hub *h = find_hub(watch, space, hub);
    uint32_t back = seconds, ring = partition == UINT32_MAX ? 0 : partition + 1;
    bool is_told = h != NULL && (partition == UINT32_MAX ||
                                 partition < RF_MIN(h->partition_count, (uint32_t)PARTITIONS_MAX));
    /* The counts of the tick at which it was found are those of before. */
    double length = is_told ? span(watch, &back, h->since == 0 ? 0 : h->since - 1) : 0;
    if (length > 0) {
        uint64_t last = watch->ticks - 1;
        const struct counts *now = &h->rings[ring].at[last % WATCH_SECONDS];
        const struct counts *before = &h->rings[ring].at[(last - back) % WATCH_SECONDS];
        *out = (struct watch_rate){rate(now->in_events, before->in_events, length),
                                   rate(now->in_bytes, before->in_bytes, length),
                                   rate(now->out_events, before->out_events, length),
                                   rate(now->out_bytes, before->out_bytes, length)};
    }
    (void)pthread_mutex_unlock(&watch->lock);
    return length > 0;
}

/* ---- the pulse ----------------------------------------------------------------------------------------------------------- */

static void put_rate(struct json_out *out, struct rf_arena *arena, const char *name, double value)
{
    json_put_raw(out, name, rf_arena_printf(arena, value < 100 ? "%.1f" : "%.0f", value));
}

static void make_pulse(struct watch *w, rf_usec now, struct rf_arena *arena)
{
    struct source_facts facts;
    struct rf_err err;
    enum rf_kind kind = source_facts_read(w->options.sources, arena, &facts, &err);
    if (kind != RF_OK) {
        rf_log(RF_WARN, "portal.sources_unread", RF_KV_STR("why", rf_str_of(err.text)));
        return;
    }
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    (void)pthread_mutex_lock(&w->lock);
    uint32_t back = RATE_SECONDS;
    double seconds = span(w, &back, 0);
    uint64_t rows = w->rows[(w->ticks - 1) % WATCH_SECONDS];
    uint64_t before = w->rows[(w->ticks - 1 - back) % WATCH_SECONDS];
    rf_usec newest = RF_MAX(w->newest_row, facts.newest);
    json_begin_object(&out, NULL);
    json_put_text(&out, "time", time_iso(arena, now));
    if (seconds > 0)
        put_rate(&out, arena, "rowsPerSecond", rate(rows, before, seconds));
    else
        json_put_null(&out, "rowsPerSecond");
    json_put_i64(&out, "rowsTotal", (int64_t)(facts.rows + (rows - RF_MIN(rows, facts.committed))));
    if (newest > 0)
        json_put_text(&out, "newestRow", time_iso(arena, newest));
    else
        json_put_null(&out, "newestRow");
    json_put_i64(&out, "silent", facts.silent_count);
    json_put_i64(&out, "sources", facts.count);
    json_end_object(&out);
    if (!buf.failed && keep(&w->pulse, rf_buf_view(&buf))) w->pulse_number++;
    (void)pthread_mutex_unlock(&w->lock);
}

rf_str watch_pulse(struct watch *watch, uint64_t seen, struct rf_arena *arena, uint64_t *number)
{
    rf_str text = {NULL, 0};
    (void)pthread_mutex_lock(&watch->lock);
    if (watch->pulse_number > seen && !rf_arena_str(arena, watch->pulse, &text)) text.ptr = NULL;
    *number = watch->pulse_number;
    (void)pthread_mutex_unlock(&watch->lock);
    return text;
}

/* ---- incidents ------------------------------------------------------------------------------------------------------------- */

static void tell_incident(struct watch *w, const struct json_node *body, struct rf_arena *arena)
{
    const struct json_node *p = json_get(body, "properties");
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    int64_t number = 0;
    (void)json_i64_at(p, "incidentNumber", &number);
    json_begin_object(&out, NULL);
    json_put_i64(&out, "number", number);
    json_put_text(&out, "id", json_text_at(body, "id"));
    json_put_text(&out, "title", json_text_at(p, "title"));
    json_put_text(&out, "severity", json_text_at(p, "severity"));
    json_put_text(&out, "status", json_text_at(p, "status"));
    json_put_text(&out, "owner", json_text_at(p, "owner.userPrincipalName"));
    json_put_text(&out, "time", json_text_at(p, "lastModifiedTimeUtc"));
    json_end_object(&out);
    (void)pthread_mutex_lock(&w->lock);
    if (!buf.failed && keep(&w->incidents[w->incident_number % WATCH_INCIDENTS], rf_buf_view(&buf)))
        w->incident_number++;
    (void)pthread_mutex_unlock(&w->lock);
}

static void tell_object(struct watch *w, rf_str text, struct rf_arena *arena)
{
    struct json_node *body;
    if (json_parse(text, arena, &body, NULL) == RF_OK) tell_incident(w, body, arena);
}

static int by_key(const void *a, const void *b)
{
    return rf_str_cmp(((const struct open_incident *)a)->key,
                      ((const struct open_incident *)b)->key);
}

static const struct open_incident *find_open(const struct open_incident *list, uint32_t count,
                                             rf_str key)
{
    const struct open_incident wanted = {.key = key};
    return count == 0 ? NULL : bsearch(&wanted, list, count, sizeof wanted, by_key);
}

/* Those that are open no more: closed, which is told, or deleted. */
static void tell_closed(struct watch *w, struct state_txn *txn, const struct open_incident *now,
                        uint32_t count, struct rf_arena *arena)
{
    for (uint32_t i = 0; i < w->open_count; i++) {
        struct state_object object;
        if (find_open(now, count, w->open[i].key) != NULL) continue;
        if (state_get(txn, "siem.incident", w->open[i].key, arena, &object, NULL) == RF_OK)
            tell_object(w, object.body, arena);
    }
}

/* Compares the open incidents with those of the look before; the first look tells nothing. */
static enum rf_kind compare(struct watch *w, struct rf_arena *arena, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct rf_arena *keeping = &w->open_arena[w->open_turn ^= 1];
    rf_str open = rf_arena_printf(arena, "%.*s|open", RF_FMT(w->options.workspace_key));
    struct state_scan scan = {.space = "siem.incident", .index = "status", .value = open};
    struct state_list list;
    rf_arena_reset(keeping);
    RF_TRY(state_begin_read(w->options.state, &txn, err));
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    struct open_incident *now = rf_arena_new(keeping, struct open_incident, (size_t)list.count + 1);
    if (now == NULL) return rf_fail_memory(err, keeping);
    for (uint32_t i = 0; i < list.count; i++) {
        now[i].etag = list.items[i].etag;
        if (!rf_arena_str(keeping, list.items[i].key, &now[i].key))
            return rf_fail_memory(err, keeping);
    }
    for (uint32_t i = 0; w->has_open && i < list.count; i++) {
        const struct open_incident *was = find_open(w->open, w->open_count, now[i].key);
        if (was == NULL || was->etag != now[i].etag) tell_object(w, list.items[i].body, arena);
    }
    if (w->has_open) tell_closed(w, txn, now, list.count, arena);
    w->open = now;
    w->open_count = list.count;
    w->has_open = true;
    return RF_OK;
}

static void look_at_incidents(struct watch *w)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, TICK_BYTES_MAX);
    if (compare(w, &arena, &err) == RF_OK) return;
    w->has_open = false; /* what was kept may be gone */
    rf_log(RF_WARN, "portal.incidents_unread", RF_KV_STR("why", rf_str_of(err.text)));
}

rf_str watch_incident(struct watch *watch, uint64_t *seen, struct rf_arena *arena, bool *missed)
{
    rf_str text = {NULL, 0};
    *missed = false;
    (void)pthread_mutex_lock(&watch->lock);
    if (watch->incident_number - *seen > WATCH_INCIDENTS) {
        *missed = true;
        *seen = watch->incident_number - WATCH_INCIDENTS;
    }
    if (watch->incident_number > *seen &&
        rf_arena_str(arena, watch->incidents[*seen % WATCH_INCIDENTS], &text))
        ++*seen;
    (void)pthread_mutex_unlock(&watch->lock);
    return text;
}

uint64_t watch_incident_number(struct watch *watch)
{
    (void)pthread_mutex_lock(&watch->lock);
    uint64_t number = watch->incident_number;
    (void)pthread_mutex_unlock(&watch->lock);
    return number;
}

/* ---- the thread ---------------------------------------------------------------------------------------------------------------- */

static bool is_followed(struct watch *w)
{
    (void)pthread_mutex_lock(&w->lock);
    bool is = w->followers > 0;
    (void)pthread_mutex_unlock(&w->lock);
    return is;
}

/* Who comes when nobody followed reads the incidents as they are: what changed before is no news. */
static void look_at_changes(struct watch *w)
{
    if (!is_followed(w)) {
        w->has_open = false;
    } else if (atomic_exchange(&w->is_changed, false) || !w->has_open) {
        look_at_incidents(w);
    }
}

void watch_tick(struct watch *watch)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, TICK_BYTES_MAX);
    rf_usec now = rf_clock_now(watch->options.clock);
    look_at_rows(watch, now, rf_clock_elapsed(watch->options.clock));
    if (watch->ticks == 0) return; /* the workspace is not there yet */
    look_at_hubs(watch, &arena);
    look_at_changes(watch);
    if (is_followed(watch)) make_pulse(watch, now, &arena);
}

static void wait_quarter(struct watch *w, struct timespec *next)
{
    next->tv_nsec += 250000000;
    if (next->tv_nsec >= 1000000000) next->tv_sec++, next->tv_nsec -= 1000000000;
    (void)pthread_mutex_lock(&w->lock);
    while (!w->stopping)
        if (pthread_cond_timedwait(&w->wake, &w->lock, next) != 0) break;
    (void)pthread_mutex_unlock(&w->lock);
}

static bool is_stopping(struct watch *w)
{
    (void)pthread_mutex_lock(&w->lock);
    bool is = w->stopping;
    (void)pthread_mutex_unlock(&w->lock);
    return is;
}

static void *keep_watch(void *ctx)
{
    struct watch *w = ctx;
    struct timespec next;
    (void)clock_gettime(CLOCK_MONOTONIC, &next);
    for (uint32_t quarter = 0; !is_stopping(w); quarter++) {
        if (quarter % 4 == 0)
            watch_tick(w);
        else
            look_at_changes(w);
        struct timespec now;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > next.tv_sec + 1) next = now; /* a slow look is not made up for */
        wait_quarter(w, &next);
    }
    return NULL;
}

enum rf_kind watch_start(struct watch *watch, struct rf_err *err)
{
    state_watch(watch->options.state, &watch->changes);
    watch->is_watching = true;
    if (pthread_create(&watch->thread, NULL, keep_watch, watch) != 0)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no thread for the portal's watch");
    watch->has_thread = true;
    return RF_OK;
}
