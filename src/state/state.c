#include "state/state_int.h"

#include "base/fs.h"
#include "state/state_seal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Idle read connections are kept for the next reader: each has some hundred KiB of cache and its prepared statements. */
enum { IDLE_READERS_MAX = 8, SPACE_BUCKETS = 64 };

struct state_txn {
    struct state *state;
    struct state_conn *conn;
    struct state_seal seal;
    struct state_txn *next_idle;
    bool writes;
    uint64_t etag;     /* the last one given out */
    bool etag_changed; /* and not written yet */
};

/* A space that was written to. Never removed, so that readers need no lock. */
struct space {
    struct space *next;
    _Atomic uint64_t version;
    bool touched; /* by the transaction under way; belongs to the writer */
    char name[];
};

struct state {
    const struct state_engine *engine;
    struct state_options options; /* path and key are copies */
    uint8_t key[STATE_KEY_BYTES];
    const char *shown; /* in errors: a database's address may hold a password */
    struct rf_clock *clock;
    _Atomic(struct space *) spaces[SPACE_BUCKETS];

    pthread_mutex_t lock; /* of what follows; never held during I/O */
    pthread_cond_t writer_gone;
    bool writing;
    pthread_t writer_thread;
    struct state_txn writer; /* conn NULL when read_only */
    struct state_txn *idle;  /* readers */
    uint32_t idle_count, open_count;
    uint64_t
        etag_max; /* given out by this process, committed or not: an etag that was undone does not come again */

    pthread_mutex_t watch_lock; /* held while they are called */
    struct state_watch *watches;

    struct state_peeks *peeks; /* NULL: nothing is kept */
};

/* ---- opening ------------------------------------------------------------------------------------------------ */

/* The condition must not care about somebody setting the date. */
static void init_locks(struct state *state)
{
    pthread_condattr_t attr;
    bool good = pthread_mutex_init(&state->lock, NULL) == 0 && pthread_condattr_init(&attr) == 0 &&
                pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&state->writer_gone, &attr) == 0 &&
                pthread_mutex_init(&state->watch_lock, NULL) == 0;
    RF_ASSERT(good); /* they fail for wrong arguments only */
    pthread_condattr_destroy(&attr);
}

static void free_reader(struct state *state, struct state_txn *txn)
{
    state->engine->disconnect(txn->conn);
    state_seal_done(&txn->seal);
    free(txn);
}

static void free_state(struct state *state)
{
    for (struct state_txn *txn = state->idle, *next; txn != NULL; txn = next) {
        next = txn->next_idle;
        free_reader(state, txn);
    }
    /* The writer goes last: it folds the journal into the file. */
    state->engine->disconnect(state->writer.conn);
    state_seal_done(&state->writer.seal);
    explicit_bzero(state->key, sizeof state->key);
    state_peeks_free(state->peeks);
    for (size_t i = 0; i < SPACE_BUCKETS; i++) {
        for (struct space *space = state->spaces[i], *next; space != NULL; space = next) {
            next = space->next;
            free(space);
        }
    }
    pthread_cond_destroy(&state->writer_gone);
    pthread_mutex_destroy(&state->lock);
    pthread_mutex_destroy(&state->watch_lock);
    free((char *)(uintptr_t)state->options.path);
    free(state);
}

static enum rf_kind new_reader(struct state *state, struct state_txn **out, struct rf_err *err)
{
    struct state_txn *txn = calloc(1, sizeof *txn);
    if (txn == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a reader");
    enum rf_kind kind = state_seal_init(&txn->seal, state->options.key, err);
    if (kind == RF_OK) kind = state->engine->connect(&state->options, false, &txn->conn, err);
    if (kind != RF_OK) {
        state_seal_done(&txn->seal);
        free(txn);
        return kind;
    }
    txn->state = state;
    *out = txn;
    return RF_OK;
}

static enum rf_kind seal_what_is_there(struct state *state, struct rf_err *err);

/* NULL: this program was built without it. */
static const struct state_engine *engine_of(const char *path)
{
    bool url = strncmp(path, "postgresql://", 13) == 0 || strncmp(path, "postgres://", 11) == 0;
    return url ? state_postgres : &state_sqlite;
}

enum rf_kind state_open(const struct state_options *options, struct state **out, struct rf_err *err)
{
    const struct state_engine *engine = engine_of(options->path);
    if (engine == NULL)
        return RF_FAIL(err, RF_INVALID, "StateUnsupported",
                       "this ringfort was built without PostgreSQL (-Dpostgresql=enabled)");
    struct state *state = calloc(1, sizeof *state);
    char *path = strdup(options->path);
    if (state == NULL || path == NULL) {
        free(state);
        free(path);
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for the state");
    }
    init_locks(state);
    state->engine = engine;
    state->options = *options;
    state->options.path = path;
    if (options->key != NULL)
        state->options.key = memcpy(state->key, options->key, sizeof state->key);
    state->shown = engine == &state_sqlite ? path : "PostgreSQL";
    state->clock = options->clock != NULL ? options->clock : rf_clock_real();
    state->writer.state = state;
    state->writer.writes = true;
    /* What others write is not seen: PostgreSQL has several writers, and whoever only reads another one. */
    if (engine == &state_sqlite && !options->read_only) state->peeks = state_peeks_new();
    enum rf_kind kind;
    if (options->read_only) {
        /* A file that cannot be read shows now, not at the first question. */
        kind = new_reader(state, &state->idle, err);
        state->idle_count = state->idle != NULL;
    } else {
        kind = state_seal_init(&state->writer.seal, state->options.key, err);
        if (kind == RF_OK)
            kind = state->engine->connect(&state->options, true, &state->writer.conn, err);
        if (kind == RF_OK && options->key != NULL) kind = seal_what_is_there(state, err);
    }
    if (kind != RF_OK) {
        free_state(state);
        return kind;
    }
    *out = state;
    return RF_OK;
}

void state_close(struct state *state)
{
    if (state == NULL) return;
    RF_ASSERT(!state->writing);
    RF_ASSERT(state->open_count == 0);
    free_state(state);
}

/* ---- transactions -------------------------------------------------------------------------------------------- */

static void put_back(struct state *state, struct state_txn *txn, bool reuse)
{
    (void)pthread_mutex_lock(&state->lock);
    state->open_count--;
    bool keep = reuse && state->idle_count < IDLE_READERS_MAX;
    if (keep) {
        txn->next_idle = state->idle;
        state->idle = txn;
        state->idle_count++;
    }
    (void)pthread_mutex_unlock(&state->lock);
    if (!keep) free_reader(state, txn);
}

enum rf_kind state_begin_read(struct state *state, struct state_txn **out, struct rf_err *err)
{
    (void)pthread_mutex_lock(&state->lock);
    struct state_txn *txn = state->idle;
    if (txn != NULL) {
        state->idle = txn->next_idle;
        state->idle_count--;
    }
    (void)pthread_mutex_unlock(&state->lock);
    if (txn == NULL) RF_TRY(new_reader(state, &txn, err));

    (void)pthread_mutex_lock(&state->lock);
    state->open_count++;
    (void)pthread_mutex_unlock(&state->lock);
    enum rf_kind kind = state->engine->begin(txn->conn, err);
    if (kind != RF_OK) {
        put_back(state, txn, false);
        return kind;
    }
    *out = txn;
    return RF_OK;
}

/* The writer's place belongs to the caller afterwards, unless the time was up. */
static enum rf_kind wait_for_place(struct state *state, struct rf_err *err)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += STATE_WAIT_SECONDS;
    (void)pthread_mutex_lock(&state->lock);
    /* It would wait for itself. */
    RF_ASSERT(!state->writing || !pthread_equal(state->writer_thread, pthread_self()));
    int waited = 0;
    while (state->writing && waited == 0)
        waited = pthread_cond_timedwait(&state->writer_gone, &state->lock, &until);
    bool mine = !state->writing;
    if (mine) {
        state->writing = true;
        state->writer_thread = pthread_self();
    }
    (void)pthread_mutex_unlock(&state->lock);
    if (mine) return RF_OK;
    return RF_FAIL(err, RF_AGAIN, "StateBusy", "%s: another write did not end within %d s",
                   state->shown, STATE_WAIT_SECONDS);
}

static void leave_place(struct state *state)
{
    (void)pthread_mutex_lock(&state->lock);
    state->etag_max = state->writer.etag;
    state->writing = false;
    (void)pthread_cond_signal(&state->writer_gone);
    (void)pthread_mutex_unlock(&state->lock);
}

enum rf_kind state_begin_write(struct state *state, struct state_txn **out, struct rf_err *err)
{
    if (state->options.read_only)
        return RF_FAIL(err, RF_DENIED, "StateReadOnly", "%s was opened for reading only",
                       state->shown);
    RF_TRY(wait_for_place(state, err));
    struct state_txn *txn = &state->writer;
    txn->etag_changed = false;
    txn->etag = state->etag_max;
    uint64_t stored = 0;
    enum rf_kind kind = state->engine->begin(txn->conn, err);
    if (kind == RF_OK) {
        kind = state->engine->read_etag(txn->conn, &stored, err);
        if (kind != RF_OK) state->engine->rollback(txn->conn);
    }
    if (kind != RF_OK) {
        leave_place(state);
        return kind;
    }
    /* Another process may have written meanwhile. */
    txn->etag = RF_MAX(txn->etag, stored);
    *out = txn;
    return RF_OK;
}

static _Atomic(struct space *) *bucket_of(struct state *state, const char *name)
{
    return &state->spaces[rf_hash(name, strlen(name), 0) % SPACE_BUCKETS];
}

static struct space *find_space(_Atomic(struct space *) *bucket, const char *name)
{
    struct space *space = *bucket;
    while (space != NULL && strcmp(space->name, name) != 0) space = space->next;
    return space;
}

/* Counts the spaces that were written to, or forgets them. */
static void settle_spaces(struct state *state, bool committed)
{
    for (size_t i = 0; i < SPACE_BUCKETS; i++) {
        for (struct space *space = state->spaces[i]; space != NULL; space = space->next) {
            if (committed && space->touched) space->version++;
            space->touched = false;
        }
    }
}

void state_end(struct state_txn *txn)
{
    if (txn == NULL) return;
    struct state *state = txn->state;
    state->engine->rollback(txn->conn);
    if (!txn->writes) {
        put_back(state, txn, !txn->conn->broken);
        return;
    }
    settle_spaces(state, false);
    leave_place(state);
}

/* ---- watches ------------------------------------------------------------------------------------------------- */

void state_watch(struct state *state, struct state_watch *watch)
{
    pthread_mutex_lock(&state->watch_lock);
    watch->is_due = false;
    watch->next = state->watches;
    state->watches = watch;
    pthread_mutex_unlock(&state->watch_lock);
}

void state_unwatch(struct state *state, struct state_watch *watch)
{
    pthread_mutex_lock(&state->watch_lock);
    struct state_watch **at = &state->watches;
    while (*at != NULL && *at != watch) at = &(*at)->next;
    if (*at != NULL) *at = watch->next;
    pthread_mutex_unlock(&state->watch_lock);
}

/* By the writer, while it still knows what it has touched. */
static void mark_watches(struct state *state)
{
    pthread_mutex_lock(&state->watch_lock);
    for (struct state_watch *watch = state->watches; watch != NULL; watch = watch->next) {
        for (uint32_t i = 0; i < watch->space_count && !watch->is_due; i++) {
            const struct space *space =
                find_space(bucket_of(state, watch->spaces[i]), watch->spaces[i]);
            watch->is_due = space != NULL && space->touched;
        }
    }
    pthread_mutex_unlock(&state->watch_lock);
}

static void tell_watches(struct state *state)
{
    pthread_mutex_lock(&state->watch_lock);
    for (struct state_watch *watch = state->watches; watch != NULL; watch = watch->next) {
        if (!watch->is_due) continue;
        watch->is_due = false;
        watch->committed(watch->ctx);
    }
    pthread_mutex_unlock(&state->watch_lock);
}

enum rf_kind state_commit(struct state_txn *txn, struct rf_err *err)
{
    struct state *state = txn->state;
    if (!txn->writes) {
        state_end(txn);
        return RF_OK;
    }
    enum rf_kind kind = RF_OK;
    if (txn->conn->broken)
        kind = RF_FAIL(err, RF_IO, "StateFailed",
                       "%s: nothing was written, for a part of it failed", state->shown);
    if (kind == RF_OK && txn->etag_changed)
        kind = state->engine->write_etag(txn->conn, txn->etag, err);
    if (kind == RF_OK) kind = state->engine->commit(txn->conn, err);
    if (kind != RF_OK) {
        state_end(txn);
        return kind;
    }
    mark_watches(state);
    settle_spaces(state, true);
    leave_place(state);
    tell_watches(state);
    return RF_OK;
}

struct state_peeks *state_peeks_of(struct state *state) { return state->peeks; }

/* ---- versions of spaces --------------------------------------------------------------------------------------- */

uint64_t state_version(struct state *state, const char *name)
{
    struct space *space = find_space(bucket_of(state, name), name);
    return space == NULL ? 0 : space->version;
}

/* By the writer only. */
static enum rf_kind touch_space(struct state *state, const char *name, struct rf_err *err)
{
    _Atomic(struct space *) *bucket = bucket_of(state, name);
    struct space *space = find_space(bucket, name);
    if (space == NULL) {
        size_t bytes = strlen(name) + 1;
        space = calloc(1, sizeof *space + bytes);
        if (space == NULL)
            return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a space");
        memcpy(space->name, name, bytes);
        space->next = *bucket;
        *bucket = space;
    }
    space->touched = true;
    return RF_OK;
}

/* ---- objects --------------------------------------------------------------------------------------------------- */

static enum rf_kind usable(const struct state_txn *txn, struct rf_err *err)
{
    if (!txn->conn->broken) return RF_OK;
    return RF_FAIL(err, RF_IO, "StateFailed", "%s: the transaction failed before",
                   txn->state->shown);
}

static enum rf_kind check_bytes(const char *what, rf_str bytes, size_t bytes_max,
                                struct rf_err *err)
{
    if (bytes.len <= bytes_max) return RF_OK;
    return RF_FAIL(err, RF_LIMIT, "ObjectTooLarge", "the %s has %zu bytes, at most %zu are allowed",
                   what, bytes.len, bytes_max);
}

static enum rf_kind not_found(const char *space, rf_str key, struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "ObjectNotFound", "there is no %s '%.*s'", space,
                   RF_FMT(rf_slice(key, 0, RF_MIN(key.len, (size_t)300))));
}

enum rf_kind state_get(struct state_txn *txn, const char *space, rf_str key, struct rf_arena *arena,
                       struct state_object *out, struct rf_err *err)
{
    RF_TRY(usable(txn, err));
    struct state_object object;
    bool found;
    RF_TRY(txn->state->engine->find(txn->conn, space, key, arena, &object, &found, err));
    if (!found) return not_found(space, key, err);
    RF_TRY(state_open_body(&txn->seal, space, &object, err));
    *out = object;
    return RF_OK;
}

static enum rf_kind check_condition(const struct state_put *put, const struct state_object *now,
                                    bool found, struct rf_err *err)
{
    rf_str shown = rf_slice(put->key, 0, RF_MIN(put->key.len, (size_t)300));
    if (put->condition == STATE_ABSENT && found)
        return RF_FAIL(err, RF_CONFLICT, "ObjectExists", "%s '%.*s' is there already", put->space,
                       RF_FMT(shown));
    if (put->condition == STATE_ANY || put->condition == STATE_ABSENT) return RF_OK;
    if (!found) return not_found(put->space, put->key, err);
    if (put->condition == STATE_ETAG && now->etag != put->etag)
        return RF_FAIL(err, RF_CONFLICT, "EtagMismatch", "%s '%.*s' has changed meanwhile",
                       put->space, RF_FMT(shown));
    return RF_OK;
}

static enum rf_kind store(struct state_txn *txn, const char *space,
                          const struct state_object *object, struct rf_err *err)
{
    struct state_object sealed = *object;
    uint8_t *freed;
    RF_TRY(state_seal_body(&txn->seal, space, object, &sealed.body, &freed, err));
    enum rf_kind kind = txn->state->engine->store(txn->conn, space, &sealed, err);
    free(freed);
    return kind;
}

static enum rf_kind write_object(struct state_txn *txn, const struct state_put *put,
                                 const struct state_object *object, bool replaces,
                                 struct rf_err *err)
{
    const struct state_engine *engine = txn->state->engine;
    RF_TRY(touch_space(txn->state, put->space, err));
    RF_TRY(store(txn, put->space, object, err));
    if (replaces) RF_TRY(engine->unindex(txn->conn, put->space, put->key, err));
    for (uint32_t i = 0; i < put->index_count; i++)
        RF_TRY(engine->index(txn->conn, put->space, put->key, &put->indexes[i], err));
    return RF_OK;
}

enum rf_kind state_put(struct state_txn *txn, const struct state_put *put, uint64_t *etag,
                       bool *created, struct rf_err *err)
{
    RF_ASSERT(txn->writes);
    RF_TRY(usable(txn, err));
    RF_TRY(check_bytes("key", put->key, STATE_KEY_BYTES_MAX, err));
    RF_TRY(check_bytes("body", put->body, STATE_BODY_BYTES_MAX, err));
    for (uint32_t i = 0; i < put->index_count; i++)
        RF_TRY(check_bytes("indexed value", put->indexes[i].value, STATE_KEY_BYTES_MAX, err));

    struct state_object now;
    bool found;
    RF_TRY(txn->state->engine->find(txn->conn, put->space, put->key, NULL, &now, &found, err));
    RF_TRY(check_condition(put, &now, found, err));

    int64_t time = rf_clock_now(txn->state->clock);
    struct state_object object = {.key = put->key,
                                  .body = put->body,
                                  .etag = txn->etag + 1,
                                  .created_usec = found ? now.created_usec : time,
                                  .changed_usec = time};
    txn->etag++;
    txn->etag_changed = true;
    RF_TRY(write_object(txn, put, &object, found, err));
    if (etag != NULL) *etag = object.etag;
    if (created != NULL) *created = !found;
    return RF_OK;
}

/* ---- ranges ---------------------------------------------------------------------------------------------------- */

/* A bound that no key reaches: longer than any, and of the highest byte. */
static enum rf_kind highest(struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    uint8_t *bytes = rf_arena_alloc(arena, STATE_KEY_BYTES_MAX + 1);
    if (bytes == NULL) return rf_fail_memory(err, arena);
    memset(bytes, 0xff, STATE_KEY_BYTES_MAX + 1);
    *out = rf_str_make(bytes, STATE_KEY_BYTES_MAX + 1);
    return RF_OK;
}

/* The least text that is above every key with the prefix: its last byte that can grow grows, and what is behind it goes. */
static enum rf_kind end_of_prefix(rf_str prefix, struct rf_arena *arena, rf_str *out,
                                  struct rf_err *err)
{
    while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == 0xff) prefix.len--;
    if (prefix.len == 0) return highest(arena, out, err);
    uint8_t *bytes = rf_arena_alloc(arena, prefix.len);
    if (bytes == NULL) return rf_fail_memory(err, arena);
    memcpy(bytes, prefix.ptr, prefix.len);
    bytes[prefix.len - 1]++;
    *out = rf_str_make(bytes, prefix.len);
    return RF_OK;
}

/* The keys behind `after` begin with `after` and a zero byte. */
static enum rf_kind start_of(const struct state_scan *scan, struct rf_arena *arena, rf_str *out,
                             struct rf_err *err)
{
    *out = scan->prefix;
    if (scan->after.len == 0 || rf_str_cmp(scan->after, scan->prefix) < 0) return RF_OK;
    uint8_t *bytes = rf_arena_alloc(arena, scan->after.len + 1);
    if (bytes == NULL) return rf_fail_memory(err, arena);
    memcpy(bytes, scan->after.ptr, scan->after.len);
    bytes[scan->after.len] = 0;
    *out = rf_str_make(bytes, scan->after.len + 1);
    return RF_OK;
}

static enum rf_kind add_item(struct state_list *list, uint32_t *cap, struct rf_arena *arena,
                             const struct state_object *object, struct rf_err *err)
{
    if (list->count == *cap) {
        /* Doubling copies, for the texts of the objects lie in between; all in all not more than one copy each. */
        uint32_t more = *cap == 0 ? 16 : *cap * 2;
        struct state_object *items = rf_arena_raw(arena, struct state_object, more);
        if (more < *cap || items == NULL) return rf_fail_memory(err, arena);
        if (list->count > 0) memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        *cap = more;
    }
    list->items[list->count++] = *object;
    return RF_OK;
}

static enum rf_kind collect(struct state_txn *txn, const struct state_scan *scan,
                            struct rf_arena *arena, struct state_list *list, struct rf_err *err)
{
    uint32_t cap = 0;
    for (;;) {
        struct state_object object;
        bool found;
        RF_TRY(txn->state->engine->list_next(txn->conn, arena, &object, &found, err));
        if (!found) return RF_OK;
        RF_TRY(state_open_body(&txn->seal, scan->space, &object, err));
        list->more = scan->limit != 0 && list->count == scan->limit;
        if (list->more) return RF_OK;
        RF_TRY(add_item(list, &cap, arena, &object, err));
    }
}

enum rf_kind state_list(struct state_txn *txn, const struct state_scan *scan,
                        struct rf_arena *arena, struct state_list *out, struct rf_err *err)
{
    RF_TRY(usable(txn, err));
    struct state_range range = {
        .space = scan->space,
        .index = scan->index,
        .value = scan->value,
        .limit = scan->limit == UINT32_MAX || scan->limit == 0 ? 0 : scan->limit + 1};
    RF_TRY(start_of(scan, arena, &range.low, err));
    RF_TRY(end_of_prefix(scan->prefix, arena, &range.high, err));
    struct state_list list = {0};
    RF_TRY(txn->state->engine->list_begin(txn->conn, &range, err));
    enum rf_kind kind = collect(txn, scan, arena, &list, err);
    txn->state->engine->list_end(txn->conn);
    if (kind == RF_OK) *out = list;
    return kind;
}

static enum rf_kind remove_range(struct state_txn *txn, const struct state_range *range,
                                 uint64_t *count, struct rf_err *err)
{
    RF_ASSERT(txn->writes);
    RF_TRY(usable(txn, err));
    RF_TRY(touch_space(txn->state, range->space, err));
    return txn->state->engine->remove(txn->conn, range, count, err);
}

enum rf_kind state_delete(struct state_txn *txn, const char *space, rf_str key, struct rf_err *err)
{
    RF_TRY(check_bytes("key", key, STATE_KEY_BYTES_MAX, err));
    uint8_t next[STATE_KEY_BYTES_MAX + 1];
    if (key.len > 0) memcpy(next, key.ptr, key.len);
    next[key.len] = 0; /* the next key of all */
    struct state_range range = {.space = space, .low = key, .high = rf_str_make(next, key.len + 1)};
    uint64_t count = 0;
    RF_TRY(remove_range(txn, &range, &count, err));
    return count == 0 ? not_found(space, key, err) : RF_OK;
}

enum rf_kind state_delete_prefix(struct state_txn *txn, const char *space, rf_str prefix,
                                 uint64_t *count, struct rf_err *err)
{
    RF_TRY(check_bytes("prefix", prefix, STATE_KEY_BYTES_MAX, err));
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 10);
    struct state_range range = {.space = space, .low = prefix};
    RF_TRY(end_of_prefix(prefix, &arena, &range.high, err));
    uint64_t removed = 0;
    RF_TRY(remove_range(txn, &range, &removed, err));
    if (count != NULL) *count = removed;
    return RF_OK;
}

/* ---- a state that was in clear -------------------------------------------------------------------------------------- */

/* Is there when all bodies are encrypted; that it opens shows the right key. */
#define SEALED_SPACE "state"
#define SEALED_KEY RF_S("sealed")

/* Keys, etags and times stay: nobody is to see a change. */
static enum rf_kind seal_page(struct state_txn *txn, const char *space, rf_str *after,
                              struct rf_arena *arena, bool *more, struct rf_err *err)
{
    enum { PAGE = 200 };
    struct state_scan scan = {.space = space, .after = *after, .limit = PAGE};
    struct state_list list;
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) RF_TRY(store(txn, space, &list.items[i], err));
    *more = list.more;
    if (list.count > 0) *after = list.items[list.count - 1].key;
    return RF_OK;
}

static enum rf_kind seal_space(struct state_txn *txn, const char *space, struct rf_err *err)
{
    uint8_t last[STATE_KEY_BYTES_MAX];
    rf_str after = {0};
    enum rf_kind kind = RF_OK;
    for (bool more = true; kind == RF_OK && more;) {
        struct rf_arena arena;
        rf_arena_init(&arena, (size_t)1 << 34);
        kind = seal_page(txn, space, &after, &arena, &more, err);
        if (kind == RF_OK && after.len > 0)
            after = rf_str_make(memmove(last, after.ptr, after.len), after.len);
        rf_arena_done(&arena);
    }
    return kind;
}

static enum rf_kind seal_spaces(struct state_txn *txn, struct rf_arena *arena, struct rf_err *err)
{
    rf_str *names;
    uint32_t count;
    RF_TRY(txn->state->engine->spaces(txn->conn, arena, &names, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        const char *space = rf_arena_cstr(arena, names[i]);
        if (space == NULL) return rf_fail_memory(err, arena);
        RF_TRY(seal_space(txn, space, err));
    }
    return RF_OK;
}

static enum rf_kind seal_all(struct state *state, struct rf_arena *arena, bool *did,
                             struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_object mark;
    RF_TRY(state_begin_write(state, &txn, err));
    enum rf_kind kind = state_get(txn, SEALED_SPACE, SEALED_KEY, arena, &mark, err);
    *did = kind == RF_NOT_FOUND;
    if (kind != RF_NOT_FOUND) return kind;
    RF_TRY(seal_spaces(txn, arena, err));
    return state_finish(&txn, err);
}

static enum rf_kind put_mark(struct state *state, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_put put = {.space = SEALED_SPACE, .key = SEALED_KEY, .body = RF_S("{}")};
    RF_TRY(state_begin_write(state, &txn, err));
    RF_TRY(state_put(txn, &put, NULL, NULL, err));
    return state_finish(&txn, err);
}

/* The mark comes last: after a crash all is done again. */
static enum rf_kind seal_what_is_there(struct state *state, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    bool did;
    rf_arena_init(&arena, 16 << 20);
    RF_TRY(seal_all(state, &arena, &did, err));
    if (!did) return RF_OK;
    if (state->engine->scrub != NULL) RF_TRY(state->engine->scrub(state->writer.conn, err));
    return put_mark(state, err);
}

/* ---- backup ---------------------------------------------------------------------------------------------------- */

static enum rf_kind copy_to(struct state *state, const char *path, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(state, &txn, err));
    return state->engine->backup(txn->conn, path, err);
}

enum rf_kind state_backup(struct state *state, const char *path, struct rf_err *err)
{
    /* It holds what the state holds, so others may not read it even for a moment. */
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return rf_fs_fail(errno, "create", path, err);
    (void)close(fd);
    enum rf_kind kind = copy_to(state, path, err);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 10);
    rf_str whole = rf_str_of(path);
    size_t dir = whole.len;
    while (dir > 0 && path[dir - 1] != '/') dir--;
    const char *folder = dir == 0 ? "." : rf_arena_cstr(&arena, rf_slice(whole, 0, dir));
    if (kind == RF_OK && folder == NULL) kind = rf_fail_memory(err, &arena);
    if (kind == RF_OK) kind = rf_fs_sync_dir(rf_fs_real(), folder, err);
    if (kind != RF_OK) (void)rf_fs_unlink(rf_fs_real(), path, NULL);
    return kind;
}
