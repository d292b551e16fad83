#include "state/state.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "test/rf_prop.h"

/* RF_STATE_POSTGRES=postgresql://... runs what needs no file on that database, whose schema `ringfort` is lost;
 * tests/state_postgres.sh does so. */
static const char *postgres(void) { return getenv("RF_STATE_POSTGRES"); }
/* Leaves a test that is about files. */
#define NEEDS_FILE()                                                                               \
    if (postgres() != NULL) return

struct stage {
    char folder[64], path[96];
    struct state *state;
    struct rf_clock_fixed clock;
    struct rf_arena arena;
    struct rf_err err;
    const uint8_t *key; /* NULL: bodies are in clear */
};

static void stage_open(struct stage *s)
{
    struct state_options options = {
        .path = postgres() != NULL ? postgres() : s->path, .clock = &s->clock.clock, .key = s->key};
    cr_assert(state_open(&options, &s->state, &s->err) == RF_OK, "%s", s->err.text);
}

static void stage_init(struct stage *s)
{
    *s = (struct stage){.folder = "/tmp/ringfort_state_XXXXXX"};
    cr_assert(mkdtemp(s->folder) != NULL);
    (void)snprintf(s->path, sizeof s->path, "%s/state.db", s->folder);
    rf_clock_fixed_init(&s->clock, 1000, 1);
    rf_arena_init(&s->arena, 64 << 20);
    if (postgres() != NULL)
        cr_assert(system("psql -q -d \"$RF_STATE_POSTGRES\" -c 'DROP SCHEMA IF EXISTS ringfort "
                         "CASCADE' 2>/dev/null") == 0);
    stage_open(s);
}

static void stage_done(struct stage *s)
{
    state_close(s->state);
    rf_arena_done(&s->arena);
    char command[100];
    (void)snprintf(command, sizeof command, "rm -rf %s", s->folder);
    cr_assert(system(command) == 0);
}

static const uint8_t one_key[STATE_KEY_BYTES] = "one key of thirty-two bytes ....",
                     other_key[STATE_KEY_BYTES] = "another key of 32 bytes ........";

/* Closes it, and opens it with this key. */
static void be_sealed(struct stage *s, const uint8_t *key)
{
    state_close(s->state);
    s->key = key;
    stage_open(s);
}

static struct state_txn *begin(struct stage *s, bool writes)
{
    struct state_txn *txn = NULL;
    enum rf_kind kind = writes ? state_begin_write(s->state, &txn, &s->err)
                               : state_begin_read(s->state, &txn, &s->err);
    cr_assert(kind == RF_OK, "%s", s->err.text);
    return txn;
}

static void commit(struct stage *s, struct state_txn *txn)
{
    cr_assert(state_commit(txn, &s->err) == RF_OK, "%s", s->err.text);
}

static uint64_t put(struct stage *s, struct state_txn *txn, const char *space, const char *key,
                    const char *body)
{
    uint64_t etag;
    struct state_put object = {.space = space, .key = rf_str_of(key), .body = rf_str_of(body)};
    cr_assert(state_put(txn, &object, &etag, NULL, &s->err) == RF_OK, "%s", s->err.text);
    return etag;
}

static uint64_t put_one(struct stage *s, const char *space, const char *key, const char *body)
{
    struct state_txn *txn = begin(s, true);
    uint64_t etag = put(s, txn, space, key, body);
    commit(s, txn);
    return etag;
}

/* The body, or NULL. */
static const char *body_of(struct stage *s, struct state_txn *txn, const char *space,
                           const char *key)
{
    struct state_object object;
    enum rf_kind kind = state_get(txn, space, rf_str_of(key), &s->arena, &object, &s->err);
    if (kind == RF_NOT_FOUND) return NULL;
    cr_assert(kind == RF_OK, "%s", s->err.text);
    cr_assert(rf_str_is(object.key, key));
    return rf_arena_cstr(&s->arena, object.body);
}

static bool has_body(struct stage *s, const char *space, const char *key, const char *body)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = begin(s, false);
    const char *found = body_of(s, txn, space, key);
    return found == NULL ? body == NULL : body != NULL && strcmp(found, body) == 0;
}

/* ---- against a slow, obvious model ------------------------------------------------------------------------ */

enum { MODEL_OBJECTS_MAX = 400, MODEL_KEY_BYTES_MAX = 6, MODEL_INDEXES_MAX = 3 };

static const char *const spaces[] = {"rule", "ruler", "x"};
static const char *const index_names[] = {"by", "bye"};

struct model_object {
    const char *space;
    rf_str key, body;
    struct state_index indexes[MODEL_INDEXES_MAX];
    uint32_t index_count;
    uint64_t etag;
    int64_t created, changed;
};

struct model {
    struct model_object objects[MODEL_OBJECTS_MAX]; /* in no order */
    uint32_t count;
};

static struct model_object *model_find(struct model *m, const char *space, rf_str key)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (strcmp(m->objects[i].space, space) == 0 && rf_str_eq(m->objects[i].key, key))
            return &m->objects[i];
    return NULL;
}

static bool is_listed(const struct model_object *object, const struct state_scan *scan)
{
    if (strcmp(object->space, scan->space) != 0 || !rf_str_starts(object->key, scan->prefix))
        return false;
    if (scan->after.len > 0 && rf_str_cmp(object->key, scan->after) <= 0) return false;
    if (scan->index == NULL) return true;
    for (uint32_t i = 0; i < object->index_count; i++)
        if (strcmp(object->indexes[i].name, scan->index) == 0 &&
            rf_str_eq(object->indexes[i].value, scan->value))
            return true;
    return false;
}

static int by_key(const void *a, const void *b)
{
    const struct model_object *const *left = a, *const *right = b;
    return rf_str_cmp((*left)->key, (*right)->key);
}

/* Few letters, so that keys meet and share prefixes; the ends of the byte range matter. */
static rf_str some_text(struct rf_prng *prng, struct rf_arena *arena, size_t cap)
{
    static const uint8_t letters[] = {0, 'a', 'A', '/', 0x7f, 0x80, 0xfe, 0xff};
    uint8_t raw[40];
    size_t len = (size_t)rf_test_below(prng, RF_MIN(cap, sizeof raw) + 1);
    for (size_t i = 0; i < len; i++) raw[i] = letters[rf_test_below(prng, RF_COUNT(letters))];
    rf_str text;
    cr_assert(rf_arena_str(arena, rf_str_make(raw, len), &text));
    return text;
}

static void check_object(const struct state_object *got, const struct model_object *want)
{
    cr_assert(rf_str_eq(got->key, want->key) && rf_str_eq(got->body, want->body));
    cr_assert(got->etag == want->etag);
    cr_assert(got->created_usec == want->created && got->changed_usec == want->changed);
}

static void check_list(struct stage *s, struct state_txn *txn, struct model *m,
                       struct rf_prng *prng)
{
    struct state_scan scan = {.space = spaces[rf_test_below(prng, RF_COUNT(spaces))],
                              .prefix = some_text(prng, &s->arena, 2)};
    if (rf_test_bool(prng)) scan.after = some_text(prng, &s->arena, MODEL_KEY_BYTES_MAX);
    if (rf_test_bool(prng)) scan.limit = (uint32_t)(1 + rf_test_below(prng, 5));
    if (rf_test_bool(prng)) {
        scan.index = index_names[rf_test_below(prng, RF_COUNT(index_names))];
        scan.value = some_text(prng, &s->arena, 1);
    }
    const struct model_object *want[MODEL_OBJECTS_MAX] = {NULL};
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->count; i++)
        if (is_listed(&m->objects[i], &scan)) want[count++] = &m->objects[i];
    qsort(want, count, sizeof *want, by_key);

    struct state_list got;
    cr_assert(state_list(txn, &scan, &s->arena, &got, &s->err) == RF_OK, "%s", s->err.text);
    cr_assert(got.more == (scan.limit != 0 && count > scan.limit));
    cr_assert(got.count == (got.more ? scan.limit : count));
    for (uint32_t i = 0; i < got.count; i++) check_object(&got.items[i], want[i]);
}

static void model_put(struct stage *s, struct state_txn *txn, struct model *m, struct rf_prng *prng,
                      uint64_t *last_etag)
{
    struct model_object object = {.space = spaces[rf_test_below(prng, RF_COUNT(spaces))],
                                  .key = some_text(prng, &s->arena, MODEL_KEY_BYTES_MAX),
                                  .body = some_text(prng, &s->arena, 40),
                                  .index_count =
                                      (uint32_t)rf_test_below(prng, MODEL_INDEXES_MAX + 1)};
    for (uint32_t i = 0; i < object.index_count; i++)
        object.indexes[i] =
            (struct state_index){.name = index_names[rf_test_below(prng, RF_COUNT(index_names))],
                                 .value = some_text(prng, &s->arena, 1)};
    struct model_object *old = model_find(m, object.space, object.key);
    struct state_put request = {.space = object.space,
                                .key = object.key,
                                .body = object.body,
                                .indexes = object.indexes,
                                .index_count = object.index_count,
                                .condition = (enum state_if)rf_test_below(prng, 4),
                                .etag = old != NULL && rf_test_bool(prng)
                                            ? old->etag
                                            : rf_test_below(prng, *last_etag + 1)};
    enum rf_kind want = RF_OK;
    if (request.condition == STATE_ABSENT && old != NULL) want = RF_CONFLICT;
    if (request.condition >= STATE_PRESENT && old == NULL) want = RF_NOT_FOUND;
    if (request.condition == STATE_ETAG && old != NULL && old->etag != request.etag)
        want = RF_CONFLICT;
    bool created;
    enum rf_kind kind = state_put(txn, &request, &object.etag, &created, &s->err);
    cr_assert(kind == want, "%d %s", kind, s->err.text);
    if (kind != RF_OK) return;
    cr_assert(created == (old == NULL));
    cr_assert(object.etag > *last_etag);
    *last_etag = object.etag;
    object.changed = s->clock.now - 1; /* the clock ticked when it was looked at */
    object.created = old != NULL ? old->created : object.changed;
    if (old == NULL) old = &m->objects[m->count++];
    *old = object;
}

static void model_delete(struct stage *s, struct state_txn *txn, struct model *m,
                         struct rf_prng *prng)
{
    const char *space = spaces[rf_test_below(prng, RF_COUNT(spaces))];
    rf_str key = some_text(prng, &s->arena, MODEL_KEY_BYTES_MAX);
    if (m->count > 0 && rf_test_bool(prng)) {
        const struct model_object *some = &m->objects[rf_test_below(prng, m->count)];
        space = some->space;
        key = some->key;
    }
    struct model_object *old = model_find(m, space, key);
    enum rf_kind kind = state_delete(txn, space, key, &s->err);
    cr_assert(kind == (old == NULL ? RF_NOT_FOUND : RF_OK));
    if (old != NULL) *old = m->objects[--m->count];
}

static void model_delete_prefix(struct stage *s, struct state_txn *txn, struct model *m,
                                struct rf_prng *prng)
{
    struct state_scan scan = {.space = spaces[rf_test_below(prng, RF_COUNT(spaces))],
                              .prefix = some_text(prng, &s->arena, 3)};
    uint64_t want = 0, count;
    for (uint32_t i = m->count; i-- > 0;) {
        if (!is_listed(&m->objects[i], &scan)) continue;
        m->objects[i] = m->objects[--m->count];
        want++;
    }
    enum rf_kind kind = state_delete_prefix(txn, scan.space, scan.prefix, &count, &s->err);
    cr_assert(kind == RF_OK, "%s", s->err.text);
    cr_assert(count == want);
}

static void check_all(struct stage *s, struct state_txn *txn, struct model *m, struct rf_prng *prng)
{
    for (uint32_t i = 0; i < m->count; i++) {
        struct state_object got;
        enum rf_kind kind =
            state_get(txn, m->objects[i].space, m->objects[i].key, &s->arena, &got, &s->err);
        cr_assert(kind == RF_OK, "%s", s->err.text);
        check_object(&got, &m->objects[i]);
    }
    for (int i = 0; i < 8; i++) check_list(s, txn, m, prng);
}

RF_PROP(state_behaves_as_a_map, 60)
{
    struct stage s;
    stage_init(&s);
    struct model *kept = calloc(1, sizeof *kept), *now = calloc(1, sizeof *now);
    uint64_t last_etag = 0;
    if (rf_test_bool(prng)) be_sealed(&s, one_key);
    for (size_t round = 0; round < 1 + prng->size / 10; round++) {
        struct state_txn *txn = begin(&s, true);
        *now = *kept;
        uint64_t steps = rf_test_below(prng, 30);
        for (uint64_t i = 0; i < steps && now->count < MODEL_OBJECTS_MAX; i++) {
            uint64_t dice = rf_test_below(prng, 12);
            if (dice == 0)
                model_delete_prefix(&s, txn, now, prng);
            else if (dice < 4)
                model_delete(&s, txn, now, prng);
            else
                model_put(&s, txn, now, prng, &last_etag);
        }
        check_all(&s, txn, now, prng);
        bool keep = rf_test_bool(prng);
        if (keep) {
            commit(&s, txn);
            *kept = *now;
        } else {
            state_end(txn);
        }
        if (rf_test_one_in(prng, 8)) {
            state_close(s.state);
            stage_open(&s);
            /* What was undone may be given out again after a restart: nobody has seen it. */
            last_etag = 0;
            for (uint32_t i = 0; i < kept->count; i++)
                last_etag = RF_MAX(last_etag, kept->objects[i].etag);
        }
        txn = begin(&s, false);
        check_all(&s, txn, kept, prng);
        state_end(txn);
    }
    free(kept);
    free(now);
    stage_done(&s);
}

/* ---- etags, versions --------------------------------------------------------------------------------------- */

Test(state, etags_never_come_again)
{
    struct stage s;
    stage_init(&s);
    uint64_t first = put_one(&s, "rule", "a", "1");
    cr_assert(first > 0);
    struct state_txn *txn = begin(&s, true);
    cr_assert(state_delete(txn, "rule", RF_S("a"), &s.err) == RF_OK);
    commit(&s, txn);
    state_close(s.state);
    stage_open(&s);
    uint64_t second = put_one(&s, "other", "a", "1");
    cr_assert(second > first, "also not for another object after the highest was deleted");
    txn = begin(&s, true);
    uint64_t undone = put(&s, txn, "rule", "b", "1");
    state_end(txn);
    cr_assert(put_one(&s, "rule", "b", "2") > undone);
    stage_done(&s);
}

Test(state, versions_count_commits_by_space)
{
    struct stage s;
    stage_init(&s);
    cr_assert(state_version(s.state, "rule") == 0);
    put_one(&s, "rule", "a", "1");
    uint64_t one = state_version(s.state, "rule");
    cr_assert(one > 0 && state_version(s.state, "ruler") == 0);
    struct state_txn *txn = begin(&s, true);
    put(&s, txn, "rule", "a", "2");
    cr_assert(state_version(s.state, "rule") == one, "not before the commit");
    state_end(txn);
    cr_assert(state_version(s.state, "rule") == one, "what was undone does not count");
    put_one(&s, "ruler", "a", "1");
    cr_assert(state_version(s.state, "rule") == one);
    txn = begin(&s, true);
    cr_assert(state_delete(txn, "rule", RF_S("a"), &s.err) == RF_OK);
    commit(&s, txn);
    cr_assert(state_version(s.state, "rule") > one);
    stage_done(&s);
}

static void count_call(void *ctx) { ++*(int *)ctx; }

Test(state, watches_are_told_of_commits_to_their_spaces)
{
    struct stage s;
    int calls = 0;
    static const char *const watched[] = {"rule", "role"};
    struct state_watch watch = {
        .spaces = watched, .space_count = 2, .committed = count_call, .ctx = &calls};
    stage_init(&s);
    state_watch(s.state, &watch);
    put_one(&s, "other", "a", "1");
    cr_assert(calls == 0);
    put_one(&s, "role", "a", "1");
    cr_assert(calls == 1);
    struct state_txn *txn = begin(&s, true);
    put(&s, txn, "rule", "a", "1");
    put(&s, txn, "role", "b", "1");
    cr_assert(calls == 1, "not before the commit");
    commit(&s, txn);
    cr_assert(calls == 2, "once for both");
    txn = begin(&s, true);
    put(&s, txn, "rule", "a", "2");
    state_end(txn);
    cr_assert(calls == 2, "what was undone is not told");
    state_unwatch(s.state, &watch);
    state_unwatch(s.state, &watch);
    put_one(&s, "rule", "c", "1");
    cr_assert(calls == 2);
    stage_done(&s);
}

Test(state, sizes_have_limits)
{
    NEEDS_FILE();
    struct stage s;
    stage_init(&s);
    uint8_t *big = calloc(1, STATE_BODY_BYTES_MAX + 1);
    memset(big, 0xff, STATE_KEY_BYTES_MAX + 1);
    struct state_txn *txn = begin(&s, true);
    struct state_put object = {.space = "rule",
                               .key = rf_str_make(big, STATE_KEY_BYTES_MAX),
                               .body = rf_str_make(big, STATE_BODY_BYTES_MAX)};
    cr_assert(state_put(txn, &object, NULL, NULL, &s.err) == RF_OK, "%s", s.err.text);
    object.body.len++;
    cr_assert(state_put(txn, &object, NULL, NULL, &s.err) == RF_LIMIT);
    object.body.len = 0;
    object.key.len++;
    cr_assert(state_put(txn, &object, NULL, NULL, &s.err) == RF_LIMIT);
    object.key.len = 1;
    struct state_index index = {"by", rf_str_make(big, STATE_KEY_BYTES_MAX + 1)};
    object.indexes = &index;
    object.index_count = 1;
    cr_assert(state_put(txn, &object, NULL, NULL, &s.err) == RF_LIMIT);
    cr_assert(strcmp(s.err.code, "ObjectTooLarge") == 0);
    cr_assert(state_delete(txn, "rule", rf_str_make(big, STATE_KEY_BYTES_MAX + 1), &s.err) ==
              RF_LIMIT);

    /* An arena that is too small is the caller's matter: the transaction goes on. */
    RF_CLEANUP(rf_arena_done) struct rf_arena small;
    rf_arena_init(&small, 64 << 10);
    struct state_list list;
    struct state_object got;
    struct state_scan scan = {.space = "rule", .prefix = rf_str_make(big, STATE_KEY_BYTES_MAX)};
    cr_assert(state_list(txn, &scan, &small, &list, &s.err) == RF_LIMIT);
    cr_assert(state_get(txn, "rule", scan.prefix, &small, &got, &s.err) == RF_LIMIT);
    put(&s, txn, "rule", "a", "1");
    uint64_t count;
    cr_assert(state_delete_prefix(txn, "rule", scan.prefix, &count, &s.err) == RF_OK);
    cr_assert(count == 1);
    commit(&s, txn);
    cr_assert(has_body(&s, "rule", "a", "1"));
    free(big);
    stage_done(&s);
}

/* ---- threads ------------------------------------------------------------------------------------------------ */

Test(state, readers_see_the_state_of_their_begin)
{
    struct stage s;
    stage_init(&s);
    put_one(&s, "rule", "a", "old");
    struct state_txn *early = begin(&s, false);
    struct state_txn *writer = begin(&s, true);
    put(&s, writer, "rule", "a", "new");
    cr_assert(has_body(&s, "rule", "a", "old"), "nobody sees what is not committed");
    commit(&s, writer);
    cr_assert(strcmp(body_of(&s, early, "rule", "a"), "old") == 0);
    cr_assert(has_body(&s, "rule", "a", "new"));
    put_one(&s, "rule", "b", "late");
    cr_assert(body_of(&s, early, "rule", "b") == NULL);
    state_end(early);
    stage_done(&s);
}

enum { THREADS = 4, ROUNDS = 60 };

/* Two objects that every writer raises together. */
static void *raise_both(void *argument)
{
    struct stage *s = argument;
    struct rf_err err;
    for (int i = 0; i < ROUNDS; i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        struct state_txn *txn;
        struct state_object object;
        cr_assert(state_begin_write(s->state, &txn, &err) == RF_OK);
        cr_assert(state_get(txn, "n", RF_S("a"), &arena, &object, &err) == RF_OK);
        uint64_t number = rf_get_u64le(object.body.ptr) + 1;
        uint8_t bytes[8];
        rf_put_u64le(bytes, number);
        struct state_put one = {.space = "n", .key = RF_S("a"), .body = {bytes, 8}};
        cr_assert(state_put(txn, &one, NULL, NULL, &err) == RF_OK);
        one.key = RF_S("b");
        cr_assert(state_put(txn, &one, NULL, NULL, &err) == RF_OK);
        cr_assert(state_commit(txn, &err) == RF_OK);
    }
    return NULL;
}

static void *compare_both(void *argument)
{
    struct stage *s = argument;
    struct rf_err err;
    uint64_t last = 0;
    while (last < (uint64_t)THREADS * ROUNDS) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        struct state_txn *txn;
        struct state_object a, b;
        cr_assert(state_begin_read(s->state, &txn, &err) == RF_OK, "%s", err.text);
        cr_assert(state_get(txn, "n", RF_S("a"), &arena, &a, &err) == RF_OK);
        cr_assert(state_get(txn, "n", RF_S("b"), &arena, &b, &err) == RF_OK);
        state_end(txn);
        uint64_t number = rf_get_u64le(a.body.ptr);
        cr_assert(number == rf_get_u64le(b.body.ptr) && number >= last);
        last = number;
    }
    return NULL;
}

Test(state, writers_wait_and_readers_never_see_halves)
{
    struct stage s;
    stage_init(&s);
    struct state_txn *txn = begin(&s, true);
    uint8_t zero[8] = {0};
    struct state_put one = {.space = "n", .key = RF_S("a"), .body = {zero, 8}};
    cr_assert(state_put(txn, &one, NULL, NULL, &s.err) == RF_OK);
    one.key = RF_S("b");
    cr_assert(state_put(txn, &one, NULL, NULL, &s.err) == RF_OK);
    commit(&s, txn);
    pthread_t threads[2 * THREADS];
    for (int i = 0; i < 2 * THREADS; i++)
        cr_assert(pthread_create(&threads[i], NULL, i < THREADS ? raise_both : compare_both, &s) ==
                  0);
    for (int i = 0; i < 2 * THREADS; i++) cr_assert(pthread_join(threads[i], NULL) == 0);
    cr_assert(state_version(s.state, "n") == THREADS * ROUNDS + 1);
    stage_done(&s);
}

/* More at once than are kept for later. */
Test(state, many_readers_at_once)
{
    struct stage s;
    stage_init(&s);
    put_one(&s, "rule", "a", "1");
    struct state_txn *readers[20];
    for (size_t i = 0; i < RF_COUNT(readers); i++) readers[i] = begin(&s, false);
    for (size_t i = 0; i < RF_COUNT(readers); i++) {
        cr_assert(body_of(&s, readers[i], "rule", "a") != NULL);
        state_end(readers[i]);
    }
    cr_assert(has_body(&s, "rule", "a", "1"));
    stage_done(&s);
}

Test(state, a_thread_does_not_wait_for_itself)
{
    struct stage s;
    stage_init(&s);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        (void)freopen("/dev/null", "w", stderr);
        (void)begin(&s, true);
        (void)begin(&s, true);
        _exit(0);
    }
    int status;
    cr_assert(waitpid(child, &status, 0) == child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    stage_done(&s);
}

/* ---- crashes -------------------------------------------------------------------------------------------------- */

/* Commits until it is killed and tells each etag behind its commit. */
static void commit_and_tell(struct stage *s, int pipe_end)
{
    stage_open(s);
    for (uint32_t i = 0;; i++) {
        char key[20];
        (void)snprintf(key, sizeof key, "%u", i % 50);
        struct state_txn *txn;
        struct state_put object = {
            .space = "rule", .key = rf_str_of(key), .body = RF_S("committed")};
        uint64_t told[2] = {i % 50, 0};
        if (state_begin_write(s->state, &txn, &s->err) != RF_OK) _exit(1);
        if (state_put(txn, &object, &told[1], NULL, &s->err) != RF_OK) _exit(1);
        if (state_commit(txn, &s->err) != RF_OK) _exit(1);
        if (write(pipe_end, told, sizeof told) != sizeof told) _exit(1);
    }
}

Test(state, what_was_committed_survives_a_kill)
{
    struct stage s;
    stage_init(&s);
    uint64_t etags[50] = {0}, highest = 0;
    for (int round = 0; round < 8; round++) {
        state_close(s.state);
        int ends[2];
        cr_assert(pipe(ends) == 0);
        pid_t child = fork();
        cr_assert(child >= 0);
        if (child == 0) commit_and_tell(&s, ends[1]);
        close(ends[1]);
        uint64_t told[2];
        int count = 0;
        while (count < 15 + 11 * round && read(ends[0], told, sizeof told) == sizeof told) {
            etags[told[0]] = told[1];
            cr_assert(told[1] > highest);
            highest = told[1];
            count++;
        }
        cr_assert(count == 15 + 11 * round, "the child ended by itself");
        kill(child, SIGKILL);
        cr_assert(waitpid(child, NULL, 0) == child);
        /* What it told before it died but we had not read. */
        while (read(ends[0], told, sizeof told) == sizeof told) etags[told[0]] = told[1];
        close(ends[0]);

        stage_open(&s);
        struct state_txn *txn = begin(&s, false);
        for (uint32_t i = 0; i < RF_COUNT(etags); i++) {
            if (etags[i] == 0) continue;
            char key[20];
            (void)snprintf(key, sizeof key, "%u", i);
            struct state_object object;
            enum rf_kind kind = state_get(txn, "rule", rf_str_of(key), &s.arena, &object, &s.err);
            cr_assert(kind == RF_OK, "%s", s.err.text);
            cr_assert(object.etag >= etags[i], "an acknowledged write is gone");
            highest = RF_MAX(highest, object.etag);
        }
        state_end(txn);
    }
    stage_done(&s);
}

/* ---- what goes wrong with files ---------------------------------------------------------------------------------- */

static enum rf_kind open_fails(struct stage *s, const char *path, bool read_only)
{
    struct state *state = NULL;
    struct state_options options = {.path = path, .read_only = read_only};
    enum rf_kind kind = state_open(&options, &state, &s->err);
    cr_assert(kind != RF_OK && state == NULL);
    return kind;
}

static void damage(const char *path, off_t from, size_t bytes)
{
    int fd = open(path, O_RDWR);
    cr_assert(fd >= 0);
    uint8_t noise[4096];
    memset(noise, 0xa5, sizeof noise);
    for (size_t done = 0; done < bytes; done += sizeof noise)
        cr_assert(pwrite(fd, noise, RF_MIN(sizeof noise, bytes - done), from + (off_t)done) > 0);
    close(fd);
}

static void fill(struct stage *s, int count)
{
    struct state_txn *txn = begin(s, true);
    for (int i = 0; i < count; i++) {
        char key[20];
        (void)snprintf(key, sizeof key, "%05d", i);
        put(s, txn, "rule", key, "0123456789012345678901234567890123456789");
    }
    commit(s, txn);
}

Test(state, a_damaged_file_is_told)
{
    NEEDS_FILE();
    struct stage s;
    stage_init(&s);
    fill(&s, 2000);
    state_close(s.state);
    damage(s.path, 3 * 4096, 16 * 4096);
    stage_open(&s);
    struct state_txn *txn = begin(&s, false);
    struct state_list list;
    enum rf_kind kind =
        state_list(txn, &(struct state_scan){.space = "rule"}, &s.arena, &list, &s.err);
    cr_assert(kind == RF_CORRUPT, "%s", s.err.text);
    cr_assert(strcmp(s.err.code, "StateCorrupt") == 0);
    state_end(txn);
    txn = begin(&s, true);
    struct state_put object = {.space = "rule", .key = RF_S("01000"), .body = RF_S("x")};
    kind = state_put(txn, &object, NULL, NULL, &s.err);
    cr_assert(kind == RF_CORRUPT, "%s", s.err.text);
    cr_assert(state_put(txn, &object, NULL, NULL, &s.err) == RF_IO, "it failed before");
    cr_assert(state_commit(txn, &s.err) == RF_IO);

    state_close(s.state);
    damage(s.path, 0, 4096);
    cr_assert(open_fails(&s, s.path, false) == RF_CORRUPT, "%s", s.err.text);
    cr_assert(open_fails(&s, s.path, true) == RF_CORRUPT, "%s", s.err.text);
    cr_assert(strstr(s.err.text, s.path) != NULL);
    s.state = NULL;
    stage_done(&s);
}

Test(state, paths_that_do_not_work)
{
    NEEDS_FILE();
    struct stage s;
    stage_init(&s);
    cr_assert(open_fails(&s, "/no/such/folder/state.db", false) == RF_IO);
    cr_assert(strcmp(s.err.code, "StateFailed") == 0 &&
              strstr(s.err.text, "No such file or directory") != NULL);
    cr_assert(open_fails(&s, "/no/such/folder/state.db", true) == RF_IO);
    cr_assert(open_fails(&s, s.folder, false) == RF_IO, "%s", s.err.text);
    cr_assert(open_fails(&s, "/proc/state.db", false) == RF_IO, "%s", s.err.text);
    stage_done(&s);
}

Test(state, files_are_for_their_owner_only)
{
    NEEDS_FILE();
    struct stage s;
    stage_init(&s);
    put_one(&s, "rule", "a", "1");
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < RF_COUNT(ends); i++) {
        char name[120];
        (void)snprintf(name, sizeof name, "%s%s", s.path, ends[i]);
        struct stat found;
        cr_assert(stat(name, &found) == 0, "%s", name);
        cr_assert((found.st_mode & 0777) == 0600, "%s %o", name, found.st_mode);
    }
    stage_done(&s);
}

/* A file may not grow past a limit of the process: what a full disk looks like from inside. */
Test(state, no_room)
{
    NEEDS_FILE();
    struct stage s;
    stage_init(&s);
    put_one(&s, "rule", "a", "1");
    (void)signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {.rlim_cur = 400 << 10, .rlim_max = RLIM_INFINITY};
    cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    uint8_t *big = calloc(1, 1 << 20);
    struct state_txn *txn = begin(&s, true);
    struct state_put object = {
        .space = "rule", .key = RF_S("big"), .body = rf_str_make(big, 1 << 20)};
    put(&s, txn, "rule", "b", "with it");
    enum rf_kind kind = state_put(txn, &object, NULL, NULL, &s.err);
    if (kind == RF_OK)
        kind = state_commit(txn, &s.err);
    else
        state_end(txn);
    cr_assert(kind == RF_IO || kind == RF_LIMIT, "%d %s", kind, s.err.text);
    cr_assert(strstr(s.err.text, s.path) != NULL, "%s", s.err.text);
    limit.rlim_cur = RLIM_INFINITY;
    cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    cr_assert(has_body(&s, "rule", "a", "1"));
    cr_assert(has_body(&s, "rule", "b", NULL), "all or nothing");
    put_one(&s, "rule", "b", "now");
    cr_assert(has_body(&s, "rule", "b", "now"));
    free(big);
    stage_done(&s);
}

Test(state, reading_only)
{
    NEEDS_FILE();
    struct stage s;
    stage_init(&s);
    put_one(&s, "rule", "a", "1");
    struct state *reader;
    struct state_options options = {.path = s.path, .read_only = true};
    cr_assert(state_open(&options, &reader, &s.err) == RF_OK, "%s", s.err.text);
    struct state_txn *txn;
    struct state_object object;
    cr_assert(state_begin_write(reader, &txn, &s.err) == RF_DENIED);
    cr_assert(state_begin_read(reader, &txn, &s.err) == RF_OK);
    cr_assert(state_get(txn, "rule", RF_S("a"), &s.arena, &object, &s.err) == RF_OK);
    state_end(txn);
    put_one(&s, "rule", "a", "2");
    cr_assert(state_begin_read(reader, &txn, &s.err) == RF_OK);
    cr_assert(state_get(txn, "rule", RF_S("a"), &s.arena, &object, &s.err) == RF_OK);
    cr_assert(rf_str_is(object.body, "2"), "another opener's commits show");
    state_end(txn);
    state_close(reader);
    char missing[120];
    (void)snprintf(missing, sizeof missing, "%s/none.db", s.folder);
    cr_assert(open_fails(&s, missing, true) == RF_IO);
    cr_assert(access(missing, F_OK) != 0, "reading makes no file");
    stage_done(&s);
}

/* Two openers of one file, as two processes: one waits for the other and sees its etags. */
Test(state, two_openers)
{
    struct stage s;
    stage_init(&s);
    struct stage other = s;
    stage_open(&other);
    uint64_t last = 0;
    for (int i = 0; i < 20; i++) {
        uint64_t etag = put_one(i % 2 == 0 ? &s : &other, "rule", "a", "1");
        cr_assert(etag > last);
        last = etag;
    }
    state_close(other.state);
    stage_done(&s);
}

/* ---- versions of the file ------------------------------------------------------------------------------------------ */

static void change_file(const char *path, const char *sql)
{
    sqlite3 *db;
    cr_assert(sqlite3_open(path, &db) == SQLITE_OK);
    cr_assert(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    cr_assert(sqlite3_close(db) == SQLITE_OK);
}

Test(state, newer_and_foreign_files_are_refused)
{
    NEEDS_FILE();
    struct stage s;
    stage_init(&s);
    state_close(s.state);
    change_file(s.path, "PRAGMA user_version = 1000");
    cr_assert(open_fails(&s, s.path, false) == RF_CONFLICT);
    cr_assert(strcmp(s.err.code, "StateVersion") == 0);
    change_file(s.path, "PRAGMA user_version = -1");
    cr_assert(open_fails(&s, s.path, false) == RF_CORRUPT);
    change_file(s.path, "PRAGMA user_version = 1; DELETE FROM counter");
    stage_open(&s);
    struct state_txn *txn;
    cr_assert(state_begin_write(s.state, &txn, &s.err) == RF_CORRUPT);
    cr_assert(state_begin_read(s.state, &txn, &s.err) == RF_CORRUPT);
    state_close(s.state);
    change_file(s.path, "PRAGMA application_id = 7");
    cr_assert(open_fails(&s, s.path, false) == RF_CONFLICT);
    cr_assert(strcmp(s.err.code, "StateForeign") == 0);
    s.state = NULL;

    char foreign[120];
    (void)snprintf(foreign, sizeof foreign, "%s/foreign.db", s.folder);
    change_file(foreign, "CREATE TABLE mine(x)");
    cr_assert(open_fails(&s, foreign, false) == RF_CONFLICT);
    cr_assert(strcmp(s.err.code, "StateForeign") == 0);
    stage_done(&s);
}

/* As a program that died between creating the file and the first step leaves it. */
Test(state, an_empty_file_becomes_a_state)
{
    NEEDS_FILE();
    struct stage s;
    stage_init(&s);
    state_close(s.state);
    cr_assert(unlink(s.path) == 0);
    int fd = open(s.path, O_CREAT | O_WRONLY, 0600);
    cr_assert(fd >= 0);
    close(fd);
    cr_assert(open_fails(&s, s.path, true) == RF_CONFLICT);
    stage_open(&s);
    put_one(&s, "rule", "a", "1");
    stage_done(&s);
}

/* Files of every version that a release wrote; tests/golden/state-vN.db holds what make_golden below puts into it. */
Test(state, golden_files_open)
{
    NEEDS_FILE();
    static const char *const golden[] = {"tests/golden/state-v1.db"};
    struct stage s;
    stage_init(&s);
    for (size_t i = 0; i < RF_COUNT(golden); i++) {
        state_close(s.state);
        char command[300];
        (void)snprintf(command, sizeof command, "cp %s %s && chmod u+w %s", golden[i], s.path,
                       s.path);
        cr_assert(system(command) == 0, "%s", command);
        stage_open(&s);
        struct state_txn *txn = begin(&s, false);
        struct state_scan scan = {.space = "rule", .index = "kind", .value = RF_S("scheduled")};
        struct state_list list;
        cr_assert(state_list(txn, &scan, &s.arena, &list, &s.err) == RF_OK, "%s", s.err.text);
        cr_assert(list.count == 2);
        cr_assert(rf_str_eq(list.items[0].key, RF_S("a\0b")));
        cr_assert(rf_str_is(list.items[1].body, "{\"name\":\"Z\xc3\xbcrich\"}"));
        cr_assert(list.items[1].etag == 3 && list.items[1].created_usec == 1767225600000000 &&
                  list.items[1].changed_usec == 1767225600000001);
        cr_assert(strcmp(body_of(&s, txn, "empty", ""), "") == 0);
        state_end(txn);
        cr_assert(put_one(&s, "rule", "new", "1") == 6);
    }
    stage_done(&s);
}

/* RF_STATE_GOLDEN=FILE makes one of today's version. */
Test(state, make_golden)
{
    const char *target = getenv("RF_STATE_GOLDEN");
    if (target == NULL) return;
    struct stage s;
    stage_init(&s);
    rf_clock_fixed_init(&s.clock, 1767225600000000, 0);
    struct state_index kind = {"kind", RF_S("scheduled")};
    struct state_put object = {.space = "rule",
                               .key = RF_S("a\0b"),
                               .body = RF_S("{}"),
                               .indexes = &kind,
                               .index_count = 1};
    struct state_txn *txn = begin(&s, true);
    cr_assert(state_put(txn, &object, NULL, NULL, &s.err) == RF_OK);
    object.key = RF_S("z");
    cr_assert(state_put(txn, &object, NULL, NULL, &s.err) == RF_OK);
    rf_clock_fixed_init(&s.clock, 1767225600000001, 0);
    object.body = RF_S("{\"name\":\"Z\xc3\xbcrich\"}");
    cr_assert(state_put(txn, &object, NULL, NULL, &s.err) == RF_OK);
    put(&s, txn, "empty", "", "");
    put(&s, txn, "rule", "gone", "1");
    cr_assert(state_delete(txn, "rule", RF_S("gone"), &s.err) == RF_OK);
    commit(&s, txn);
    cr_assert(state_backup(s.state, target, &s.err) == RF_OK, "%s", s.err.text);
    stage_done(&s);
}

/* ---- with a key ---------------------------------------------------------------------------------------------------- */

/* In the files of the state, its journal too. */
static bool is_on_disk(const struct stage *s, const char *text)
{
    char command[300];
    (void)snprintf(command, sizeof command, "grep -qaF '%s' %s/*", text, s->folder);
    return system(command) == 0;
}

Test(state, bodies_of_a_state_with_a_key_are_not_on_the_disk)
{
    NEEDS_FILE();
    struct stage s;
    stage_init(&s);
    put_one(&s, "rule", "early", "{\"planted\":\"clear-as-day-1\"}");
    uint64_t etag = put_one(&s, "user", "b", "{\"planted\":\"clear-as-day-2\"}");
    put_one(&s, "rule", "gone", "{\"planted\":\"clear-as-day-3\"}");
    struct state_txn *txn = begin(&s, true);
    cr_assert(state_delete(txn, "rule", RF_S("gone"), &s.err) == RF_OK);
    commit(&s, txn);
    cr_assert(is_on_disk(&s, "clear-as-day"), "the search finds what is there");
    be_sealed(&s, one_key);
    cr_assert(has_body(&s, "rule", "early", "{\"planted\":\"clear-as-day-1\"}"));
    struct state_object object;
    txn = begin(&s, false);
    cr_assert(state_get(txn, "user", RF_S("b"), &s.arena, &object, &s.err) == RF_OK);
    cr_assert(object.etag == etag, "nobody sees a change");
    state_end(txn);
    put_one(&s, "rule", "late", "{\"planted\":\"clear-as-day-4\"}");
    put_one(&s, "empty", "e", "");
    cr_assert(!is_on_disk(&s, "clear-as-day"), "while it is open");
    be_sealed(&s, one_key);
    cr_assert(!is_on_disk(&s, "clear-as-day"));
    cr_assert(has_body(&s, "rule", "late", "{\"planted\":\"clear-as-day-4\"}"));
    cr_assert(has_body(&s, "empty", "e", ""));
    stage_done(&s);
}

Test(state, without_the_key_nothing_is_read)
{
    NEEDS_FILE();
    struct stage s;
    stage_init(&s);
    be_sealed(&s, one_key);
    put_one(&s, "rule", "a", "{}");
    be_sealed(&s, NULL);
    struct state_txn *txn = begin(&s, false);
    struct state_object object;
    struct state_list list;
    struct state_scan scan = {.space = "rule"};
    cr_assert(state_get(txn, "rule", RF_S("a"), &s.arena, &object, &s.err) == RF_DENIED);
    cr_assert_str_eq(s.err.code, "StateSealed");
    cr_assert(state_list(txn, &scan, &s.arena, &list, &s.err) == RF_DENIED);
    state_end(txn);
    state_close(s.state);
    struct state_options options = {.path = s.path, .key = other_key};
    cr_assert(state_open(&options, &s.state, &s.err) == RF_CORRUPT, "another installation's key");
    s.key = one_key;
    stage_open(&s);
    cr_assert(has_body(&s, "rule", "a", "{}"));
    stage_done(&s);
}

Test(state, sealed_bodies_stay_where_they_belong)
{
    NEEDS_FILE();
    /* Each makes one body pass for another: of another key, space, an earlier one of its own, with a bit turned, cut. */
    static const char *const changes[] = {
        "UPDATE object SET body = (SELECT body FROM object WHERE key = x'62') WHERE key = x'61'",
        "UPDATE object SET space = 'user' WHERE key = x'61'",
        "UPDATE object SET etag = etag + 100 WHERE key = x'61'",
        "UPDATE object SET body = CAST(substr(body, 1, 20) || x'00' || substr(body, 22) AS BLOB) "
        "WHERE key = "
        "x'61'",
        "UPDATE object SET body = substr(body, 1, length(body) - 1) WHERE key = x'61'",
    };
    for (size_t i = 0; i < RF_COUNT(changes); i++) {
        struct stage s;
        stage_init(&s);
        be_sealed(&s, one_key);
        put_one(&s, "rule", "a", "{\"enabled\":false}");
        put_one(&s, "rule", "b", "{\"enabled\":true}");
        state_close(s.state);
        change_file(s.path, changes[i]);
        stage_open(&s);
        struct state_txn *txn = begin(&s, false);
        struct state_object object;
        const char *space = i == 1 ? "user" : "rule";
        cr_assert(state_get(txn, space, RF_S("a"), &s.arena, &object, &s.err) == RF_CORRUPT, "%s",
                  changes[i]);
        cr_assert(state_get(txn, "rule", RF_S("b"), &s.arena, &object, &s.err) == RF_OK);
        state_end(txn);
        stage_done(&s);
    }
}

/* ---- backup ---------------------------------------------------------------------------------------------------------- */

Test(state, a_backup_is_a_state_of_its_own)
{
    NEEDS_FILE();
    struct stage s;
    stage_init(&s);
    fill(&s, 1000);
    struct state_txn *writer = begin(&s, true);
    put(&s, writer, "rule", "not yet", "1");
    char copy[120];
    (void)snprintf(copy, sizeof copy, "%s/copy.db", s.folder);
    cr_assert(state_backup(s.state, copy, &s.err) == RF_OK, "%s", s.err.text);
    commit(&s, writer);
    cr_assert(state_backup(s.state, copy, &s.err) == RF_CONFLICT, "it overwrites nothing");

    struct stat found;
    cr_assert(stat(copy, &found) == 0 && (found.st_mode & 0777) == 0600);
    struct stage other = s;
    (void)snprintf(other.path, sizeof other.path, "%s/copy.db", s.folder);
    rf_arena_init(&other.arena, 1 << 20);
    stage_open(&other);
    cr_assert(has_body(&other, "rule", "00999", "0123456789012345678901234567890123456789"));
    cr_assert(has_body(&other, "rule", "not yet", NULL));
    put_one(&other, "rule", "00999", "changed");
    cr_assert(!has_body(&s, "rule", "00999", "changed"));
    state_close(other.state);
    rf_arena_done(&other.arena);

    cr_assert(state_backup(s.state, "/no/such/folder/copy.db", &s.err) == RF_NOT_FOUND);
    struct rlimit limit = {.rlim_cur = 16 << 10, .rlim_max = RLIM_INFINITY};
    (void)signal(SIGXFSZ, SIG_IGN);
    cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    (void)snprintf(copy, sizeof copy, "%s/full.db", s.folder);
    cr_assert(state_backup(s.state, copy, &s.err) != RF_OK);
    cr_assert(access(copy, F_OK) != 0, "a copy that failed is gone");
    limit.rlim_cur = RLIM_INFINITY;
    cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    stage_done(&s);
}
