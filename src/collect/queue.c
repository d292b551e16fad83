#include "collect/queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"

enum {
    PAUSE_MS = 200,
    BATCH_BYTES = 4 << 20, /* worth a commit at once */
    STOP_TRIES_MAX = 5,
    NAME_BYTES_MAX = 128,
    STREAM_BYTES_MAX = 256
};

struct pending {
    struct pending *next;
    char workspace[48], rule[48], stream[STREAM_BYTES_MAX], table[NAME_BYTES_MAX];
    uint8_t *bytes;
    size_t len, cap;
    uint64_t count;
};

struct row_queue {
    struct row_queue_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct pending *first;
    size_t bytes;                      /* of `first` and its fellows */
    size_t waiting[QUEUE_CLASS_COUNT]; /* the same by class */
    size_t writing[QUEUE_CLASS_COUNT]; /* of those that the writer has taken */
    bool stopping, started;
    pthread_t thread;
};

/* ---- putting -------------------------------------------------------------------------------------------------------------- */

static struct sink_route route_of(const struct pending *p)
{
    return (struct sink_route){rf_str_of(p->workspace), rf_str_of(p->rule), rf_str_of(p->stream)};
}

static struct pending *find_pending(struct row_queue *queue, const struct sink_route *route,
                                    rf_str table)
{
    for (struct pending *p = queue->first; p != NULL; p = p->next)
        if (rf_str_is(route->workspace, p->workspace) && rf_str_is(table, p->table) &&
            rf_str_is(route->rule, p->rule) && rf_str_is(route->stream, p->stream))
            return p;
    struct pending *made = calloc(1, sizeof *made);
    if (made == NULL) return NULL;
    RF_ASSERT(route->workspace.len < sizeof made->workspace);
    RF_ASSERT(route->rule.len < sizeof made->rule);
    RF_ASSERT(route->stream.len < sizeof made->stream);
    RF_ASSERT(table.len < sizeof made->table);
    memcpy(made->workspace, route->workspace.ptr, route->workspace.len);
    memcpy(made->table, table.ptr, table.len);
    if (route->rule.len > 0) memcpy(made->rule, route->rule.ptr, route->rule.len);
    if (route->stream.len > 0) memcpy(made->stream, route->stream.ptr, route->stream.len);
    made->next = queue->first;
    queue->first = made;
    return made;
}

static bool reserve(struct pending *pending, size_t more)
{
    if (pending->cap - pending->len >= more) return true;
    size_t cap = RF_MAX(pending->cap * 2, pending->len + more);
    uint8_t *grown = realloc(pending->bytes, cap);
    if (grown == NULL) return false;
    pending->bytes = grown;
    pending->cap = cap;
    return true;
}

/* Room for all first, so that either all rows are taken or none. */
static bool reserve_all(struct row_queue *queue, const struct sink_route *route,
                        const struct rowset *rows)
{
    for (uint32_t i = 0; i < rows->table_count; i++) {
        struct pending *pending = find_pending(queue, route, rows->tables[i].table);
        if (pending == NULL || !reserve(pending, rows->tables[i].lines.len)) return false;
    }
    return true;
}

bool row_queue_put(struct row_queue *queue, const struct sink_route *route,
                   const struct rowset *rows, enum queue_class class)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < rows->table_count; i++) bytes += rows->tables[i].lines.len;
    if (bytes == 0) return true;
    (void)pthread_mutex_lock(&queue->lock);
    size_t used = queue->waiting[class] + queue->writing[class];
    size_t most = queue->options.bytes_max / QUEUE_CLASS_COUNT;
    /* An empty queue takes anything, or what is larger than it would never come in. */
    bool fits = !queue->stopping && (used == 0 || (used < most && bytes <= most - used)) &&
                reserve_all(queue, route, rows);
    for (uint32_t i = 0; i < rows->table_count && fits; i++) {
        const struct rf_buf *lines = &rows->tables[i].lines;
        struct pending *pending = find_pending(queue, route, rows->tables[i].table);
        RF_ASSERT(pending != NULL); /* reserve_all made it */
        RF_ASSERT(pending->bytes != NULL);
        memcpy(pending->bytes + pending->len, lines->ptr, lines->len);
        pending->len += lines->len;
        pending->count += rows->tables[i].count;
    }
    if (fits) {
        bool wake = queue->bytes == 0 || queue->bytes + bytes >= BATCH_BYTES;
        queue->bytes += bytes;
        queue->waiting[class] += bytes;
        if (wake) (void)pthread_cond_signal(&queue->changed);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return fits;
}

/* ---- writing -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind append(const struct row_queue *queue, const struct pending *pending,
                           rf_str lines, struct rf_err *err)
{
    struct sink_route route = route_of(pending);
    return sink_append(queue->options.sink, &route, rf_str_of(pending->table), lines,
                       rf_clock_now(queue->options.clock), NULL, err);
}

/* When one row is bad the others must not go with it. */
static void append_singly(struct row_queue *queue, const struct pending *pending, rf_str rest)
{
    while (rest.len > 0) {
        struct rf_err err = {.code = ""};
        size_t end = RF_MIN(rf_str_find(rest, RF_S("\n"), 0), rest.len - 1) + 1;
        rf_str line = rf_slice(rest, 0, end);
        rest = rf_slice(rest, end, rest.len);
        if (append(queue, pending, line, &err) != RF_OK)
            queue->options.lost(queue->options.ctx, rf_str_of(pending->workspace),
                                rf_str_of(pending->table), line, &err);
    }
}

static bool is_stopping(struct row_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    bool stopping = queue->stopping;
    (void)pthread_mutex_unlock(&queue->lock);
    return stopping;
}

static void wait_a_while(struct row_queue *queue, int64_t ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000L;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_mutex_lock(&queue->lock);
    while (!queue->stopping && queue->bytes < BATCH_BYTES)
        if (pthread_cond_timedwait(&queue->changed, &queue->lock, &until) != 0) break;
    (void)pthread_mutex_unlock(&queue->lock);
}

/* What may get better is tried again, while the queue fills and holds the senders back. */
static void write_part(struct row_queue *queue, const struct pending *pending, rf_str lines)
{
    for (int tries = 1;; tries++) {
        struct rf_err err = {.code = ""};
        enum rf_kind kind = append(queue, pending, lines, &err);
        if (kind == RF_OK) return;
        bool may_help = kind == RF_IO || kind == RF_LIMIT || kind == RF_AGAIN;
        if (!may_help || (is_stopping(queue) && tries >= STOP_TRIES_MAX)) {
            append_singly(queue, pending, lines);
            return;
        }
        if (tries == 1)
            rf_log(RF_ERROR, "collect.write_failed", RF_KV_STR("table", rf_str_of(pending->table)),
                   RF_KV_STR("error", rf_str_of(err.text)));
        wait_a_while(queue, (int64_t)RF_MIN(tries, 25) * PAUSE_MS);
    }
}

static void write_pending(struct row_queue *queue, const struct pending *pending)
{
    rf_str rest = rf_str_make(pending->bytes, pending->len);
    struct sink_route route = route_of(pending);
    while (rest.len > 0) {
        size_t part = sink_part(&route, rest);
        write_part(queue, pending, rf_slice(rest, 0, part));
        rest = rf_slice(rest, part, rest.len);
    }
}

static struct pending *take_all(struct row_queue *queue)
{
    struct pending *list = queue->first;
    queue->first = NULL;
    queue->bytes = 0;
    for (int i = 0; i < QUEUE_CLASS_COUNT; i++) {
        queue->writing[i] = queue->waiting[i];
        queue->waiting[i] = 0;
    }
    return list;
}

static void write_all(struct row_queue *queue, struct pending *list)
{
    while (list != NULL) {
        struct pending *next = list->next;
        if (list->len > 0) write_pending(queue, list);
        free(list->bytes);
        free(list);
        list = next;
    }
    (void)pthread_mutex_lock(&queue->lock);
    memset(queue->writing, 0, sizeof queue->writing);
    (void)pthread_mutex_unlock(&queue->lock);
}

static void *run(void *ctx)
{
    struct row_queue *queue = ctx;
    for (;;) {
        wait_a_while(queue, PAUSE_MS);
        queue->options.tick(queue->options.ctx);
        (void)pthread_mutex_lock(&queue->lock);
        struct pending *list = take_all(queue);
        bool last = queue->stopping && list == NULL;
        (void)pthread_mutex_unlock(&queue->lock);
        write_all(queue, list);
        if (last) return NULL;
    }
}

/* ---- life --------------------------------------------------------------------------------------------------------------------- */

enum rf_kind row_queue_new(const struct row_queue_options *options, struct row_queue **out,
                           struct rf_err *err)
{
    struct row_queue *queue = calloc(1, sizeof *queue);
    pthread_condattr_t attr;
    if (queue == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a queue of rows");
    queue->options = *options;
    (void)pthread_mutex_init(&queue->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&queue->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    *out = queue;
    return RF_OK;
}

enum rf_kind row_queue_start(struct row_queue *queue, struct rf_err *err)
{
    queue->started = pthread_create(&queue->thread, NULL, run, queue) == 0;
    if (queue->started) return RF_OK;
    return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "no thread for collected rows");
}

void row_queue_waits(struct row_queue *queue, uint64_t *waits, uint64_t *room)
{
    *waits = 0;
    *room = queue->options.bytes_max;
    (void)pthread_mutex_lock(&queue->lock);
    for (int i = 0; i < QUEUE_CLASS_COUNT; i++) *waits += queue->waiting[i] + queue->writing[i];
    (void)pthread_mutex_unlock(&queue->lock);
}

void row_queue_free(struct row_queue *queue)
{
    if (queue == NULL) return;
    (void)pthread_mutex_lock(&queue->lock);
    queue->stopping = true;
    (void)pthread_cond_signal(&queue->changed);
    (void)pthread_mutex_unlock(&queue->lock);
    if (queue->started) (void)pthread_join(queue->thread, NULL);
    struct pending *list = take_all(queue);
    write_all(queue, list);
    (void)pthread_mutex_destroy(&queue->lock);
    (void)pthread_cond_destroy(&queue->changed);
    free(queue);
}
