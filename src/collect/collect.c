#include "collect/collect_int.h"

#include <stdlib.h>

#include "base/log.h"
#include "collect/sink.h"

enum { QUEUE_BYTES_DEFAULT = 64 << 20, ROWS_BYTES_MAX = 64 << 20 };
#define HEALTH_EVERY_USEC (60 * RF_USEC_PER_SECOND)

/* ---- who may send ------------------------------------------------------------------------------------------------------------- */

struct collect_sources *collect_sources(struct collect *collect)
{
    (void)pthread_mutex_lock(&collect->lock);
    struct collect_sources *sources = sources_ref(collect->sources);
    (void)pthread_mutex_unlock(&collect->lock);
    return sources;
}

static enum rf_kind read_sources(struct collect *collect, struct state_txn *txn,
                                 struct collect_sources **out, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *own = NULL;
    if (txn == NULL) {
        RF_TRY(state_begin_read(collect->options.state, &own, err));
        txn = own;
    }
    return sources_read(collect->options.arm, txn, out, err);
}

static enum rf_kind refresh(struct collect *collect, struct state_txn *txn, struct rf_err *err)
{
    struct collect_sources *made = NULL;
    (void)pthread_mutex_lock(&collect->refreshing);
    uint64_t version = state_version(collect->options.state, "resource");
    enum rf_kind kind = collect->stopped ? RF_OK : read_sources(collect, txn, &made, err);
    if (made != NULL) {
        (void)pthread_mutex_lock(&collect->lock);
        struct collect_sources *old = collect->sources;
        collect->sources = made;
        /* A transaction that was begun earlier may not see what came since. */
        if (txn == NULL) collect->version = version;
        (void)pthread_mutex_unlock(&collect->lock);
        sources_unref(old);
    }
    (void)pthread_mutex_unlock(&collect->refreshing);
    return kind;
}

void collect_refresh(struct collect *collect, struct state_txn *txn)
{
    struct rf_err err = {.code = ""};
    if (refresh(collect, txn, &err) != RF_OK)
        rf_log(RF_ERROR, "collect.refresh_failed", RF_KV_STR("error", rf_str_of(err.text)));
}

/* ---- the writer's other work ---------------------------------------------------------------------------------------------------- */

struct telling {
    struct collect *collect;
    struct collect_sources *sources;
    struct rf_arena *arena;
    rf_usec now;
};

static void put_own(struct collect *collect, rf_str workspace, const struct rowset *rows)
{
    struct sink_route route = {.workspace = workspace};
    if (!rowset_failed(rows)) (void)row_queue_put(collect->queue, &route, rows, QUEUE_DATAGRAM);
}

/* Whether a sender is expected there: then it is told each minute that the collectors run, so that silence is known from a
 * server that was down. */
static bool has_senders(const struct collect_sources *sources, rf_str workspace)
{
    bool has = false;
    for (uint32_t i = 0; i < sources->listener_count && !has; i++)
        has = rf_str_eq(sources->listeners[i].route.workspace, workspace);
    for (uint32_t i = 0; i < sources->token_count && !has; i++)
        has = rf_str_eq(sources->tokens[i].route.workspace, workspace);
    return has;
}

static void put_pulse(const struct telling *t, rf_str workspace)
{
    struct rowset rows = rowset_in(t->arena);
    health_put_pulse(&rows, t->collect->options.site->domain, t->now);
    put_own(t->collect, workspace, &rows);
}

static void emit_health(void *ctx, rf_str workspace, const struct rowset *rows)
{
    const struct telling *t = ctx;
    put_own(t->collect, workspace, rows);
    if (!has_senders(t->sources, workspace)) put_pulse(t, workspace);
}

static void tell(struct collect *collect)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ROWS_BYTES_MAX);
    struct telling t = {.collect = collect,
                        .sources = collect_sources(collect),
                        .arena = &arena,
                        .now = rf_clock_now(collect->options.clock)};
    health_rows(collect->health, t.now, &arena, emit_health, &t);
    for (uint32_t i = 0; i < t.sources->workspace_count; i++)
        if (has_senders(t.sources, t.sources->workspaces[i].guid))
            put_pulse(&t, t.sources->workspaces[i].guid);
    sources_unref(t.sources);
}

static void tick(void *ctx)
{
    struct collect *collect = ctx;
    struct rf_clock *clock = collect->options.clock;
    /* Workspaces come and go by the resources of others. */
    if (state_version(collect->options.state, "resource") != collect->version)
        collect_refresh(collect, NULL);
    if (rf_clock_elapsed(clock) < collect->health_due) return;
    collect->health_due = rf_clock_elapsed(clock) + HEALTH_EVERY_USEC;
    tell(collect);
}

static void lost(void *ctx, rf_str workspace, rf_str table, rf_str line, const struct rf_err *err)
{
    struct collect *collect = ctx;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    rf_usec now = rf_clock_now(collect->options.clock);
    struct health_source source = {
        .listener = RF_S("(writer)"), .protocol = "store", .source = table, .workspace = workspace};
    bool is_own = rf_str_is(table, "RingfortCollectRejected");
    struct rowset rows = rowset_in(&arena);
    struct sink_route route = {.workspace = workspace};
    if (!is_own) health_put_rejected(&rows, &source, err->text, table, line, now);
    bool kept = !is_own && !rowset_failed(&rows) &&
                row_queue_put(collect->queue, &route, &rows, QUEUE_DATAGRAM);
    health_add(collect->health, &source,
               &(struct health_counts){.rejected = kept ? 1 : 0, .dropped = kept ? 0 : 1},
               err->text, now);
    if (!kept)
        rf_log(RF_ERROR, "collect.row_lost", RF_KV_STR("table", table),
               RF_KV_STR("error", rf_str_of(err->text)));
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind fill(struct collect *collect, struct rf_err *err)
{
    const struct collect_options *options = &collect->options;
    struct row_queue_options queue = {.sink = &collect->sink,
                                      .clock = options->clock,
                                      .bytes_max = options->queue_bytes_max == 0
                                                       ? (size_t)QUEUE_BYTES_DEFAULT
                                                       : options->queue_bytes_max,
                                      .tick = tick,
                                      .lost = lost,
                                      .ctx = collect};
    collect->sink = (struct sink){.tables = options->tables, .rules = options->rules};
    collect->health = health_new();
    if (collect->health == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the collectors");
    RF_TRY(sink_event_columns(options->tables, options->site->workspace_id, &collect->arena,
                              &collect->events, err));
    RF_TRY(row_queue_new(&queue, &collect->queue, err));
    RF_TRY(arm_register(options->arm, collect_types(collect, collect->types), 2, err));
    RF_TRY(refresh(collect, NULL, err));
    collect_http_services(collect);
    return RF_OK;
}

enum rf_kind collect_new(const struct collect_options *options, struct collect **out,
                         struct rf_err *err)
{
    struct collect *collect = calloc(1, sizeof *collect);
    if (collect == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the collectors");
    collect->options = *options;
    if (collect->options.clock == NULL) collect->options.clock = rf_clock_real();
    rf_arena_init(&collect->arena, 4 << 20);
    (void)pthread_mutex_init(&collect->lock, NULL);
    (void)pthread_mutex_init(&collect->refreshing, NULL);
    enum rf_kind kind = fill(collect, err);
    if (kind != RF_OK) {
        collect_free(collect);
        return kind;
    }
    *out = collect;
    return RF_OK;
}

enum rf_kind collect_start(struct collect *collect, struct rf_err *err)
{
    collect->health_due = rf_clock_elapsed(collect->options.clock) + HEALTH_EVERY_USEC;
    RF_TRY(row_queue_start(collect->queue, err));
    if (collect->options.ports != NULL) collect_ports_attach(collect->options.ports, collect);
    return RF_OK;
}

void collect_stop(struct collect *collect)
{
    if (collect == NULL) return;
    (void)pthread_mutex_lock(&collect->refreshing);
    collect->stopped = true;
    (void)pthread_mutex_unlock(&collect->refreshing);
}

void collect_waits(struct collect *collect, uint64_t *waits, uint64_t *room)
{
    row_queue_waits(collect->queue, waits, room);
}

void collect_free(struct collect *collect)
{
    if (collect == NULL) return;
    if (collect->options.ports != NULL) collect_ports_attach(collect->options.ports, NULL);
    row_queue_free(collect->queue);
    sources_unref(collect->sources);
    health_free(collect->health);
    (void)pthread_mutex_destroy(&collect->lock);
    (void)pthread_mutex_destroy(&collect->refreshing);
    rf_arena_done(&collect->arena);
    free(collect);
}

const struct service *const *collect_services(struct collect *collect, uint32_t *count)
{
    *count = RF_COUNT(collect->service_list);
    return collect->service_list;
}
