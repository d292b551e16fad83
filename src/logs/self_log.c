/* self_log.c - rows of the platform about itself: a bounded queue, and a thread that puts what gathers there into tables. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "logs/logs.h"

enum {
    QUEUE_ROWS_MAX = 16384,
    QUEUE_BYTES_MAX = 16 << 20,
    ROW_BYTES_MAX = 1 << 20,
    BATCH_ROWS_MAX = 4096,
    TRIES_MAX = 5,
    PAUSE_MS = 100
};

struct self_row {
    struct self_row *next;
    char table[60];
    size_t len;
    uint8_t json[];
};

struct self_log {
    struct tables *tables;
    char workspace[40];
    struct rf_clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t filled, drained, hurry;
    struct self_row *first, *last;
    uint32_t count;
    size_t bytes;
    bool stopping, started;
    pthread_t thread;
};

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

static int64_t now_ticks(const struct self_log *log)
{
    return DATETIME_UNIX_EPOCH + rf_clock_now(log->clock) * TICKS_PER_MICROSECOND;
}

static enum rf_kind append(const struct self_log *log, const char *table, rf_str json,
                           struct rf_err *err)
{
    return tables_append_json(log->tables, rf_str_of(log->workspace), rf_str_of(table), json,
                              now_ticks(log), NULL, err);
}

static void report(const char *table, const struct rf_err *err)
{
    rf_log(RF_ERROR, "self_log.row_lost", RF_KV_STR("table", rf_str_of(table)),
           RF_KV_STR("error", rf_str_of(err->text)));
}

/* When one row is bad the others must not go with it. */
static void append_singly(const struct self_log *log, const char *table,
                          const struct self_row *list)
{
    for (const struct self_row *r = list; r != NULL; r = r->next) {
        struct rf_err err = {0};
        if (strcmp(r->table, table) != 0) continue;
        if (append(log, table, rf_str_make(r->json, r->len), &err) != RF_OK) report(table, &err);
    }
}

static void append_table(const struct self_log *log, const char *table, const struct self_row *list,
                         struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct rf_err err = {0};
    enum rf_kind kind = RF_IO;
    for (const struct self_row *r = list; r != NULL; r = r->next) {
        if (strcmp(r->table, table) != 0) continue;
        rf_buf_put(&buf, r->json, r->len);
        rf_buf_byte(&buf, '\n');
    }
    for (int tries = 0; tries < TRIES_MAX && kind == RF_IO && !buf.failed; tries++)
        kind = append(log, table, rf_buf_view(&buf), &err);
    if (kind == RF_OK) return;
    if (kind == RF_INVALID || buf.failed)
        append_singly(log, table, list);
    else
        report(table, &err);
}

static bool comes_before(const struct self_row *list, const struct self_row *row)
{
    for (const struct self_row *r = list; r != NULL && r != row; r = r->next)
        if (strcmp(r->table, row->table) == 0) return true;
    return false;
}

static void append_list(const struct self_log *log, struct self_row *list)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 * (size_t)QUEUE_BYTES_MAX);
    for (const struct self_row *r = list; r != NULL; r = r->next) {
        if (comes_before(list, r)) continue;
        append_table(log, r->table, list, &arena);
        rf_arena_reset(&arena);
    }
    for (struct self_row *next; list != NULL; list = next) {
        next = list->next;
        free(list);
    }
}

/* Takes what is queued, at most BATCH_ROWS_MAX rows. */
static struct self_row *take(struct self_log *log)
{
    struct self_row *first = log->first, *last = first;
    log->count--;
    log->bytes -= last->len;
    for (uint32_t n = 1; n < BATCH_ROWS_MAX && last->next != NULL; n++) {
        last = last->next;
        log->count--;
        log->bytes -= last->len;
    }
    log->first = last->next;
    if (log->first == NULL) log->last = NULL;
    last->next = NULL;
    (void)pthread_cond_broadcast(&log->drained);
    return first;
}

static bool is_pressed(const struct self_log *log)
{
    return log->stopping || log->count >= BATCH_ROWS_MAX || log->bytes >= QUEUE_BYTES_MAX / 2;
}

/* Rows come one by one; committed so, each would pay for a sync of its own. The first one after a while goes at once, the others
 * gather meanwhile. */
static void pause_a_while(struct self_log *log)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PAUSE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!is_pressed(log))
        if (pthread_cond_timedwait(&log->hurry, &log->lock, &until) != 0) break;
}

static void *write_rows(void *ctx)
{
    struct self_log *log = ctx;
    (void)pthread_mutex_lock(&log->lock);
    for (;;) {
        while (log->first == NULL && !log->stopping)
            (void)pthread_cond_wait(&log->filled, &log->lock);
        if (log->first == NULL) break;
        struct self_row *list = take(log);
        (void)pthread_mutex_unlock(&log->lock);
        append_list(log, list);
        (void)pthread_mutex_lock(&log->lock);
        pause_a_while(log);
    }
    (void)pthread_mutex_unlock(&log->lock);
    return NULL;
}

/* ---- queueing -------------------------------------------------------------------------------------------------------------- */

static void put_row(void *ctx, const char *table, rf_str json)
{
    struct self_log *log = ctx;
    struct rf_err err = {0};
    struct self_row *row = json.len > ROW_BYTES_MAX ? NULL : malloc(sizeof *row + json.len);
    if (row == NULL) {
        (void)rf_fail(&err, RF_LIMIT, "RowTooLarge", "a row of %zu bytes", json.len);
        report(table, &err);
        return;
    }
    *row = (struct self_row){.len = json.len};
    (void)snprintf(row->table, sizeof row->table, "%s", table);
    memcpy(row->json, json.ptr, json.len);
    (void)pthread_mutex_lock(&log->lock);
    while (log->count >= QUEUE_ROWS_MAX || log->bytes >= QUEUE_BYTES_MAX)
        (void)pthread_cond_wait(&log->drained, &log->lock);
    if (log->last == NULL)
        log->first = row;
    else
        log->last->next = row;
    log->last = row;
    log->count++;
    log->bytes += row->len;
    (void)pthread_cond_signal(&log->filled);
    if (is_pressed(log)) (void)pthread_cond_signal(&log->hurry);
    (void)pthread_mutex_unlock(&log->lock);
}

/* ---- life --------------------------------------------------------------------------------------------------------------------- */

enum rf_kind self_log_new(struct tables *tables, rf_str workspace_id, struct rf_clock *clock,
                          struct self_log **out, struct rf_err *err)
{
    struct self_log *log = calloc(1, sizeof *log);
    if (log == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a queue");
    log->tables = tables;
    log->clock = clock == NULL ? rf_clock_real() : clock;
    size_t len = RF_MIN(workspace_id.len, sizeof log->workspace - 1);
    memcpy(log->workspace, workspace_id.ptr, len);
    (void)pthread_mutex_init(&log->lock, NULL);
    (void)pthread_cond_init(&log->filled, NULL);
    (void)pthread_cond_init(&log->drained, NULL);
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&log->hurry, &attr);
    (void)pthread_condattr_destroy(&attr);
    log->started = pthread_create(&log->thread, NULL, write_rows, log) == 0;
    if (!log->started) {
        self_log_free(log);
        return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "no thread for the platform's own rows");
    }
    *out = log;
    return RF_OK;
}

void self_log_waits(struct self_log *log, uint64_t *waits, uint64_t *room)
{
    (void)pthread_mutex_lock(&log->lock);
    *waits = log->bytes;
    (void)pthread_mutex_unlock(&log->lock);
    *room = QUEUE_BYTES_MAX;
}

struct audit self_log_audit(struct self_log *log)
{
    return (struct audit){.ctx = log, .row = put_row};
}

void self_log_free(struct self_log *log)
{
    if (log == NULL) return;
    (void)pthread_mutex_lock(&log->lock);
    log->stopping = true;
    (void)pthread_cond_signal(&log->filled);
    (void)pthread_cond_signal(&log->hurry);
    (void)pthread_mutex_unlock(&log->lock);
    if (log->started) (void)pthread_join(log->thread, NULL);
    (void)pthread_mutex_destroy(&log->lock);
    (void)pthread_cond_destroy(&log->filled);
    (void)pthread_cond_destroy(&log->drained);
    (void)pthread_cond_destroy(&log->hurry);
    free(log);
}
