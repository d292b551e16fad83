#include "tables/late.h"

#include "test/rf_prop.h"

Test(shown, forgets_the_windows_noted_first_and_too_many_keys)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct shown shown = {0};
    uint64_t keys[2000], count = 0;
    rf_arena_init(&arena, 16 << 20);
    for (uint32_t i = 0; i < RF_COUNT(keys); i++) keys[i] = i;
    for (int64_t to = 5; to > 0; to--)
        cr_assert(shown_note(&shown, to, keys, RF_COUNT(keys), 100, &arena));
    for (uint32_t i = 0; i < shown.count; i++) count += shown.items[i].count;
    cr_expect_leq(count, SHOWN_KEYS_MAX);
    cr_expect_not_null(shown_find(&shown, 1));
    cr_expect_null(shown_find(&shown, 5));
    cr_assert(shown_note(&shown, 100, keys, 1, 1, &arena));
    cr_expect_eq(shown.count, 1);
    cr_expect_not_null(shown_find(&shown, 100));
}

static uint32_t times(const uint64_t *keys, uint32_t count, uint64_t key)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) n += keys[i] == key;
    return n;
}

/* Of n rows with a key those are new that are more than either window showed. */
RF_PROP(shown_meter_counts, 500)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    uint64_t rows[3][30];
    uint32_t counts[3], fresh[5] = {0};
    struct shown_meter meter;
    rf_arena_init(&arena, 1 << 20);
    for (int w = 0; w < 3; w++) {
        counts[w] = (uint32_t)rf_test_below(prng, 30);
        for (uint32_t i = 0; i < counts[w]; i++) rows[w][i] = rf_test_below(prng, 5);
    }
    const struct shown_window a = {.keys = rows[0], .count = counts[0]};
    const struct shown_window b = {.keys = rows[1], .count = counts[1]};
    cr_assert(shown_meter(&a, &b, &arena, &meter));
    for (uint32_t i = 0; i < counts[2]; i++) fresh[rows[2][i]] += !shown_meet(&meter, rows[2][i]);
    for (uint64_t key = 0; key < 5; key++) {
        uint32_t shown = RF_MAX(times(rows[0], counts[0], key), times(rows[1], counts[1], key));
        uint32_t got = times(rows[2], counts[2], key);
        cr_assert_eq(fresh[key], got > shown ? got - shown : 0);
    }
}
