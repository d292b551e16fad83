#include "siem/position.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"

static struct state *open_state(char *folder, struct rf_arena *arena)
{
    struct state *state;
    strcpy(folder, "/tmp/rf-position-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    rf_str path = rf_arena_printf(arena, "%s/state.db", folder);
    struct state_options options = {.path = rf_arena_cstr(arena, path)};
    cr_assert_eq(state_open(&options, &state, NULL), RF_OK);
    return state;
}

static void remove_folder(const char *folder, struct rf_arena *arena)
{
    static const char *const names[] = {"state.db", "state.db-wal", "state.db-shm"};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        (void)unlink(rf_arena_cstr(arena, rf_arena_printf(arena, "%s/%s", folder, names[i])));
    (void)rmdir(folder);
}

Test(position, comes_back_as_it_was)
{
    struct rf_arena arena;
    char folder[40];
    rf_arena_init(&arena, 16 << 20);
    struct state *state = open_state(folder, &arena);
    struct position p = {.next_ticks = 638000000000000000, .settled_ticks = 5, .quiet_until = -1};
    const uint64_t keys[] = {1, UINT64_MAX};
    p.failures = 9;
    cr_assert(shown_note(&p.shown, 100, keys, 2, 9, &arena));
    cr_assert(position_set_place(&p, RF_S("SigninLogs"), 77, &arena));
    cr_assert(position_set_place(&p, RF_S("odd \"name\""), -3, &arena));
    struct state_txn *txn;
    struct position back;
    cr_assert_eq(state_begin_write(state, &txn, NULL), RF_OK);
    cr_assert_eq(position_get(txn, RF_S("/rule"), &arena, &back, NULL), RF_OK);
    cr_expect_eq(back.next_ticks, 0);
    cr_assert_eq(position_put(txn, RF_S("/rule"), &p, &arena, NULL), RF_OK);
    cr_assert_eq(state_commit(txn, NULL), RF_OK);
    cr_assert_eq(state_begin_read(state, &txn, NULL), RF_OK);
    cr_assert_eq(position_get(txn, RF_S("/rule"), &arena, &back, NULL), RF_OK);
    state_end(txn);
    cr_expect_eq(back.next_ticks, p.next_ticks);
    cr_expect_eq(back.settled_ticks, 5);
    cr_expect_eq(back.quiet_until, -1);
    cr_expect_eq(back.failures, 9);
    const struct shown_window *window = shown_find(&back.shown, 100);
    cr_assert_not_null(window);
    cr_assert_eq(window->count, 2);
    cr_expect(window->keys[0] == 1 && window->keys[1] == UINT64_MAX);
    cr_expect_null(shown_find(&back.shown, 101));
    cr_assert_not_null(position_place(&back, RF_S("signinlogs")));
    cr_expect_eq(position_place(&back, RF_S("signinlogs"))->ticks, 77);
    cr_expect_eq(position_place(&back, RF_S("odd \"name\""))->ticks, -3);
    state_close(state);
    remove_folder(folder, &arena);
    rf_arena_done(&arena);
}
