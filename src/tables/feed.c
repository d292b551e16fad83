/* feed.c - rows as they are committed. Who commits copies them here, within the feed's budget; who follows takes all at once. */
#include "tables/feed.h"

#include <stdlib.h>
#include <time.h>

#include "kql/ast.h"
#include "tables/tables_int.h"

enum { FEED_BYTES = 32 << 20 };

/* One commit. */
struct feed_chunk {
    struct feed_chunk *next;
    int64_t after_ticks, until_ticks;
    struct rf_arena arena;
    struct rows *rows; /* NULL: did not fit */
    struct ast_column *columns;
    uint32_t column_count;
};

struct feed_table {
    struct feed_table *next;
    rf_str name; /* malloced behind it */
    struct feed_chunk *first, *last;
    bool wanted;
};

struct tables_feed {
    struct tables_feed *next; /* of tables->feeds */
    struct tables *tables;
    char workspace[TABLES_GUID_BYTES + 1];
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct rf_budget budget;
    struct feed_table *list;
    bool any, woken;
};

/* ---- making and wanting ------------------------------------------------------------------------------------------------ */

enum rf_kind tables_feed_new(struct tables *tables, rf_str workspace_id, size_t memory_bytes,
                             struct tables_feed **out, struct rf_err *err)
{
    struct workspace_tables *w;
    RF_TRY(tables_workspace(tables, workspace_id, &w, err));
    struct tables_feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a feed");
    pthread_condattr_t attr;
    feed->tables = tables;
    memcpy(feed->workspace, w->guid, sizeof feed->workspace);
    rf_budget_init(&feed->budget, memory_bytes == 0 ? FEED_BYTES : memory_bytes);
    (void)pthread_mutex_init(&feed->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&feed->filled, &attr);
    (void)pthread_condattr_destroy(&attr);
    (void)pthread_rwlock_wrlock(&tables->feeds_lock);
    feed->next = tables->feeds;
    tables->feeds = feed;
    (void)pthread_rwlock_unlock(&tables->feeds_lock);
    *out = feed;
    return RF_OK;
}

static void chunks_free(struct feed_chunk *chunk)
{
    while (chunk != NULL) {
        struct feed_chunk *next = chunk->next;
        rf_arena_done(&chunk->arena);
        free(chunk);
        chunk = next;
    }
}

void tables_feed_free(struct tables_feed *feed)
{
    if (feed == NULL) return;
    struct tables *tables = feed->tables;
    (void)pthread_rwlock_wrlock(&tables->feeds_lock);
    struct tables_feed **at = &tables->feeds;
    while (*at != feed) at = &(*at)->next;
    *at = feed->next;
    (void)pthread_rwlock_unlock(&tables->feeds_lock);
    for (struct feed_table *t = feed->list, *next; t != NULL; t = next) {
        next = t->next;
        chunks_free(t->first);
        free(t);
    }
    (void)pthread_mutex_destroy(&feed->lock);
    (void)pthread_cond_destroy(&feed->filled);
    free(feed);
}

static struct feed_table *find(const struct tables_feed *feed, rf_str name)
{
    struct feed_table *t = feed->list;
    while (t != NULL && !rf_str_eq_nocase(t->name, name)) t = t->next;
    return t;
}

static struct feed_table *add(struct tables_feed *feed, rf_str name)
{
    struct feed_table *t = calloc(1, sizeof *t + name.len);
    if (t == NULL) return NULL;
    memcpy(t + 1, name.ptr, name.len);
    t->name = rf_str_make(t + 1, name.len);
    t->next = feed->list;
    feed->list = t;
    return t;
}

enum rf_kind tables_feed_want(struct tables_feed *feed, const rf_str *names, uint32_t count,
                              struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    (void)pthread_mutex_lock(&feed->lock);
    for (struct feed_table *t = feed->list; t != NULL; t = t->next) t->wanted = false;
    for (uint32_t i = 0; i < count && kind == RF_OK; i++) {
        struct feed_table *t = find(feed, names[i]);
        if (t == NULL) t = add(feed, names[i]);
        if (t == NULL)
            kind = RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a feed");
        else
            t->wanted = true;
    }
    (void)pthread_mutex_unlock(&feed->lock);
    return kind;
}

/* ---- what is committed ---------------------------------------------------------------------------------------------- */

static bool copy_columns(const struct table_entry *e, struct feed_chunk *chunk)
{
    uint32_t count = e->writer_columns;
    chunk->columns = rf_arena_new(&chunk->arena, struct ast_column, count);
    if (chunk->columns == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct table_column c = writer_column(&e->def, i);
        chunk->columns[i].type = c.type;
        if (!rf_arena_str(&chunk->arena, c.name, &chunk->columns[i].name)) return false;
    }
    chunk->column_count = count;
    return true;
}

static bool copy_rows(struct table_entry *e, const struct append_request *first,
                      const struct append_request *end, struct feed_chunk *chunk)
{
    struct rf_arena *arena = &chunk->arena;
    uint32_t count = e->writer_columns;
    uint8_t *types = rf_arena_new(arena, uint8_t, count);
    struct vec *columns = rf_arena_new(arena, struct vec, count);
    if (types == NULL || columns == NULL || !copy_columns(e, chunk)) return false;
    for (uint32_t i = 0; i < count; i++) types[i] = chunk->columns[i].type;
    struct value arrival = value_i64(TYPE_DATETIME, chunk->until_ticks);
    struct vec arrivals;
    struct rows *rows = rows_new(arena, types, count);
    if (rows == NULL || !vec_const(arena, &arrival, &arrivals)) return false;
    for (const struct append_request *r = first; r != end; r = r->next)
        for (uint32_t b = 0; b < r->batch_count; b++) {
            const struct batch *in = &r->batches[b];
            for (uint32_t i = 0; i < count; i++)
                columns[i] =
                    i < in->column_count ? in->columns[i] : vec_nothing((enum type)types[i]);
            columns[0] = arrivals;
            struct batch batch = {.row_count = in->row_count,
                                  .column_count = count,
                                  .columns = columns,
                                  .arena = arena};
            if (!rows_append(rows, &batch)) return false;
        }
    chunk->rows = rows;
    return true;
}

static void note(struct tables_feed *feed, struct table_entry *e,
                 const struct append_request *first, const struct append_request *end,
                 int64_t after, int64_t until)
{
    struct feed_chunk *chunk = calloc(1, sizeof *chunk);
    if (chunk == NULL)
        return; /* the range that comes next begins behind this one: who follows sees the gap */
    chunk->after_ticks = after;
    chunk->until_ticks = until;
    rf_arena_init_shared(&chunk->arena, &feed->budget);
    if (!copy_rows(e, first, end, chunk)) {
        chunk->rows = NULL;
        rf_arena_done(&chunk->arena);
        rf_arena_init_shared(&chunk->arena, &feed->budget);
    }
    (void)pthread_mutex_lock(&feed->lock);
    struct feed_table *t = find(feed, e->name); /* tables are never taken from the list */
    if (t->last == NULL)
        t->first = chunk;
    else
        t->last->next = chunk;
    t->last = chunk;
    feed->any = true;
    (void)pthread_cond_signal(&feed->filled);
    (void)pthread_mutex_unlock(&feed->lock);
}

void feeds_note(struct table_entry *e, const struct append_request *first,
                const struct append_request *end, int64_t after, int64_t until)
{
    struct tables *tables = e->home->tables;
    (void)pthread_rwlock_rdlock(&tables->feeds_lock);
    for (struct tables_feed *feed = tables->feeds; feed != NULL; feed = feed->next) {
        if (strcmp(feed->workspace, e->home->guid) != 0) continue;
        (void)pthread_mutex_lock(&feed->lock);
        struct feed_table *t = find(feed, e->name);
        bool wanted = t != NULL && t->wanted;
        (void)pthread_mutex_unlock(&feed->lock);
        if (wanted) note(feed, e, first, end, after, until);
    }
    (void)pthread_rwlock_unlock(&tables->feeds_lock);
}

/* ---- taking ------------------------------------------------------------------------------------------------------------ */

struct part_source {
    struct source source;
    const struct feed_chunk *first;
};

static enum rf_kind push_chunk(const struct feed_chunk *chunk, const struct source *source,
                               const struct scan *scan, struct exec *exec, struct rf_arena *arena,
                               struct flow *out, struct rf_err *err)
{
    uint64_t end = rows_count(chunk->rows);
    for (uint64_t from = 0; from < end && !flow_done(out); from += BATCH_ROWS) {
        rf_arena_reset(arena);
        struct batch all;
        struct vec *columns = rf_arena_new(arena, struct vec, scan->column_count);
        if (columns == NULL || !rows_batch(chunk->rows, from, arena, &all))
            return rf_fail_memory(err, arena);
        for (uint32_t i = 0; i < scan->column_count; i++) {
            uint32_t c = scan->columns[i]; /* columns that came since stand at the end */
            columns[i] = c < all.column_count ? all.columns[c]
                                              : vec_nothing((enum type)source->columns[c].type);
        }
        struct batch batch = {.row_count = all.row_count,
                              .column_count = scan->column_count,
                              .columns = columns,
                              .arena = arena};
        RF_TRY(flow_push(exec, out, 0, &batch, err));
    }
    return RF_OK;
}

static enum rf_kind part_scan(struct source *source, const struct scan *scan, struct exec *exec,
                              struct flow *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    for (const struct feed_chunk *c = ((struct part_source *)source)->first; c != NULL; c = c->next)
        RF_TRY(push_chunk(c, source, scan, exec, &arena, out, err));
    return RF_OK;
}

static const struct source_ops part_ops = {.scan = part_scan};

struct held {
    struct rf_arena arena;
    struct feed_chunk **chunks;
    uint32_t count;
};

static struct source *source_of(const struct feed_chunk *first, rf_str name, struct rf_arena *arena,
                                uint64_t *row_count)
{
    const struct feed_chunk *last = first;
    for (const struct feed_chunk *c = first; c != NULL; last = c, c = c->next) {
        if (c->rows == NULL || (c->next != NULL && c->next->after_ticks != c->until_ticks))
            return NULL;
        *row_count += rows_count(c->rows);
    }
    struct part_source *s = rf_arena_new(arena, struct part_source, 1);
    if (s == NULL) return NULL;
    *s = (struct part_source){.source = {.ops = &part_ops,
                                         .name = name,
                                         .columns = last->columns,
                                         .column_count = last->column_count},
                              .first = first};
    return &s->source;
}

/* Makes parts of what the tables have; the caller holds the lock. */
static bool take(struct tables_feed *feed, struct held *held, struct feed_parts *out)
{
    uint32_t count = 0;
    for (struct feed_table *t = feed->list; t != NULL; t = t->next) count += t->first != NULL;
    out->items = rf_arena_new(&held->arena, struct feed_part, count);
    held->chunks = rf_arena_new(&held->arena, struct feed_chunk *, count);
    if (out->items == NULL || held->chunks == NULL) return false;
    for (struct feed_table *t = feed->list; t != NULL; t = t->next) {
        if (t->first == NULL) continue;
        struct feed_part *part = &out->items[out->count++];
        *part = (struct feed_part){.table = t->name,
                                   .after_ticks = t->first->after_ticks,
                                   .first_ticks = t->first->until_ticks,
                                   .until_ticks = t->last->until_ticks};
        part->source = source_of(t->first, t->name, &held->arena, &part->row_count);
        held->chunks[held->count++] = t->first;
        t->first = t->last = NULL;
    }
    feed->any = false;
    return true;
}

enum rf_kind tables_feed_take(struct tables_feed *feed, rf_usec wait, struct feed_parts *out,
                              struct rf_err *err)
{
    struct timespec until;
    struct held *held = calloc(1, sizeof *held);
    *out = (struct feed_parts){.held = held};
    if (held == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a feed");
    rf_arena_init(&held->arena, 16 << 20);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait / RF_USEC_PER_SECOND;
    until.tv_nsec += wait % RF_USEC_PER_SECOND * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&feed->lock);
    while (!feed->any && !feed->woken)
        if (pthread_cond_timedwait(&feed->filled, &feed->lock, &until) != 0) break;
    feed->woken = false;
    bool fits = take(feed, held, out);
    (void)pthread_mutex_unlock(&feed->lock);
    if (fits) return RF_OK;
    tables_feed_release(out);
    return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a feed");
}

void tables_feed_release(struct feed_parts *parts)
{
    struct held *held = parts->held;
    if (held == NULL) return;
    for (uint32_t i = 0; i < held->count; i++) chunks_free(held->chunks[i]);
    rf_arena_done(&held->arena);
    free(held);
    *parts = (struct feed_parts){0};
}

void tables_feed_wake(struct tables_feed *feed)
{
    (void)pthread_mutex_lock(&feed->lock);
    feed->woken = true;
    (void)pthread_cond_signal(&feed->filled);
    (void)pthread_mutex_unlock(&feed->lock);
}

/* ---- where all is settled ------------------------------------------------------------------------------------------ */

enum rf_kind tables_settled(struct tables *tables, rf_str workspace_id, int64_t *ticks,
                            struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct workspace_tables *w;
    uint32_t count;
    rf_arena_init(&arena, 16 << 20);
    RF_TRY(tables_workspace(tables, workspace_id, &w, err));
    *ticks = tables_now(tables);
    struct table_entry **list = entries_of(w, &arena, &count);
    if (list == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t i = 0; i < count; i++) {
        (void)pthread_mutex_lock(&list[i]->lock);
        if (list[i]->arriving != 0) *ticks = RF_MIN(*ticks, list[i]->arriving - 1);
        (void)pthread_mutex_unlock(&list[i]->lock);
        entry_unref(list[i]);
    }
    return RF_OK;
}
