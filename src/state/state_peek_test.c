#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "state/state.h"
#include "test/rf_prop.h"

struct stage {
    char folder[64], path[96];
    struct state *state;
    struct rf_arena arena;
    struct rf_err err;
};

static void stage_init(struct stage *s)
{
    *s = (struct stage){.folder = "/tmp/ringfort_peek_XXXXXX"};
    cr_assert(mkdtemp(s->folder) != NULL);
    (void)snprintf(s->path, sizeof s->path, "%s/state.db", s->folder);
    rf_arena_init(&s->arena, 64 << 20);
    struct state_options options = {.path = s->path};
    cr_assert(state_open(&options, &s->state, &s->err) == RF_OK, "%s", s->err.text);
}

static void stage_done(struct stage *s)
{
    char command[128];
    state_close(s->state);
    rf_arena_done(&s->arena);
    (void)snprintf(command, sizeof command, "rm -rf %s", s->folder);
    cr_assert(system(command) == 0);
}

static void put(struct stage *s, const char *space, rf_str key, rf_str body)
{
    struct state_txn *txn = NULL;
    cr_assert(state_begin_write(s->state, &txn, &s->err) == RF_OK);
    struct state_put put = {.space = space, .key = key, .body = body};
    cr_assert(state_put(txn, &put, NULL, NULL, &s->err) == RF_OK);
    cr_assert(state_commit(txn, &s->err) == RF_OK, "%s", s->err.text);
}

/* As state_get of a transaction of its own has it, twice: what was kept is the same as what was read. */
static void expect_same(struct stage *s, const char *space, rf_str key)
{
    struct state_txn *txn = NULL;
    struct state_object wanted, got;
    cr_assert(state_begin_read(s->state, &txn, &s->err) == RF_OK);
    enum rf_kind kind = state_get(txn, space, key, &s->arena, &wanted, &s->err);
    state_end(txn);
    for (int i = 0; i < 2; i++) {
        cr_assert(state_peek(s->state, space, key, &s->arena, &got, &s->err) == kind);
        if (kind != RF_OK) continue;
        cr_expect(rf_str_eq(got.key, wanted.key) && rf_str_eq(got.body, wanted.body) &&
                  got.etag == wanted.etag && got.created_usec == wanted.created_usec &&
                  got.changed_usec == wanted.changed_usec);
    }
}

Test(state_peek, what_is_written_is_seen_at_once)
{
    struct stage s;
    struct state_txn *txn = NULL;
    struct state_object got;
    stage_init(&s);
    expect_same(&s, "a", RF_S("key"));
    put(&s, "a", RF_S("key"), RF_S("one"));
    expect_same(&s, "a", RF_S("key"));
    put(&s, "a", RF_S("key"), RF_S("two, which is longer"));
    put(&s, "ak", RF_S("ey"), RF_S("the same letters elsewhere"));
    expect_same(&s, "a", RF_S("key"));
    expect_same(&s, "ak", RF_S("ey"));
    /* What is not committed is not seen, also behind a rollback. */
    cr_assert(state_begin_write(s.state, &txn, &s.err) == RF_OK);
    struct state_put three = {.space = "a", .key = RF_S("key"), .body = RF_S("three")};
    cr_assert(state_put(txn, &three, NULL, NULL, &s.err) == RF_OK);
    expect_same(&s, "a", RF_S("key"));
    state_end(txn);
    expect_same(&s, "a", RF_S("key"));
    cr_assert(state_peek(s.state, "a", RF_S("key"), &s.arena, &got, &s.err) == RF_OK);
    cr_expect(rf_str_is(got.body, "two, which is longer"));
    cr_assert(state_begin_write(s.state, &txn, &s.err) == RF_OK);
    cr_assert(state_delete(txn, "a", RF_S("key"), &s.err) == RF_OK);
    cr_assert(state_commit(txn, &s.err) == RF_OK);
    expect_same(&s, "a", RF_S("key"));
    stage_done(&s);
}

/* More objects than are kept, bodies that are too large to be, in any order. */
RF_PROP(state_peek_is_state_get, 3)
{
    static uint8_t large[40000];
    struct stage s;
    stage_init(&s);
    for (int i = 0; i < 600; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%u", (unsigned)rf_test_below(prng, 6000));
        const char *space = rf_test_bool(prng) ? "one" : "two";
        if (rf_test_one_in(prng, 8))
            put(&s, space, rf_str_of(key),
                rf_str_make(large,
                            rf_test_one_in(prng, 9) ? sizeof large : rf_test_below(prng, 500)));
        expect_same(&s, space, rf_str_of(key));
    }
    stage_done(&s);
}

/* ---- threads ------------------------------------------------------------------------------------------------------- */

struct reader {
    struct stage *stage;
    atomic_uint_fast64_t *written; /* the newest number whose commit has returned */
    atomic_bool *over;
    const char *wrong;
    pthread_t thread;
};

static void *read_on(void *ctx)
{
    struct reader *r = ctx;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct state_object got;
    struct rf_err err;
    rf_arena_init(&arena, 1 << 20);
    while (!atomic_load(r->over) && r->wrong == NULL) {
        rf_arena_reset(&arena);
        uint64_t least = atomic_load(r->written);
        if (state_peek(r->stage->state, "n", RF_S("n"), &arena, &got, &err) != RF_OK)
            r->wrong = "cannot read";
        else if (strtoull(rf_arena_cstr(&arena, got.body), NULL, 10) < least)
            r->wrong = "something older than what was committed";
    }
    return NULL;
}

Test(state_peek, nothing_older_than_a_commit_is_seen)
{
    enum { READERS = 4, WRITES = 150 };
    struct stage s;
    struct reader readers[READERS];
    atomic_uint_fast64_t written = 0;
    atomic_bool over = false;
    stage_init(&s);
    put(&s, "n", RF_S("n"), RF_S("0"));
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.stage = &s, .written = &written, .over = &over};
        cr_assert(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]) == 0);
    }
    for (uint64_t i = 1; i <= WRITES; i++) {
        put(&s, "n", RF_S("n"), rf_arena_printf(&s.arena, "%llu", (unsigned long long)i));
        atomic_store(&written, i);
    }
    atomic_store(&over, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        cr_expect(readers[i].wrong == NULL, "%s", readers[i].wrong);
    }
    stage_done(&s);
}
