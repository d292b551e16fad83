#include "kql/aggr_sketch.h"
#include "kql/aggr_test_util.h"

#include <math.h>

static struct vec longs(const int64_t *data)
{
    return (struct vec){.type = TYPE_LONG, .shape = VEC_FLAT, .data = data};
}

/* percentilesw(value, weight, 50, 75, 99.9), the documentation's latency buckets. */
Test(percentile, weighs)
{
    const int64_t buckets[] = {10, 20, 30, 40, 50}, weights[] = {8, 6, 3, 1, 0};
    struct value constants[5] = {{0}, {0}, value_long(50), value_long(75), value_real(99.9)};
    struct vec args[5] = {longs(buckets), longs(weights)};
    const uint8_t types[] = {TYPE_LONG, TYPE_LONG, TYPE_LONG, TYPE_LONG, TYPE_REAL};
    for (int i = 2; i < 5; i++)
        args[i] = (struct vec){.type = types[i], .shape = VEC_CONST, .data = &constants[i].i};
    struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 1 << 20);
    const struct value *consts[] = {NULL, NULL, &constants[2], &constants[3], &constants[4]};
    struct aggr_call call = {.aggr = aggr_find(RF_S("percentilesw")),
                             .arg_count = 5,
                             .arg_types = types,
                             .consts = consts,
                             .type = TYPE_LONG,
                             .arena = &arena};
    uint8_t *state = rf_arena_zalloc(&arena, call.aggr->state_bytes);
    cr_assert(call.aggr->prepare(&call, &err) == RF_OK);
    cr_assert(call.aggr->update(&call, args, 5, NULL, state, &err) == RF_OK);
    const int64_t expected[] = {20, 20, 40};
    for (uint32_t c = 0; c < 3; c++) {
        struct value v;
        cr_assert(call.aggr->emit(&call, state, c, &arena, &v, &err) == RF_OK);
        cr_expect(v.type == TYPE_LONG && v.i == expected[c], "column %u: %ld", c, (long)v.i);
    }
    rf_arena_done(&arena);
}

Test(percentile, binds_names_and_types)
{
    struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 1 << 20);
    struct value p95 = value_long(95), p999 = value_real(99.9), bad = value_real(101);
    const struct value *consts[] = {NULL, &p95, &p999};
    const uint8_t types[] = {TYPE_INT, TYPE_LONG, TYPE_REAL};
    struct func_bind bind = {.arg_count = 3, .types = types, .consts = consts, .arena = &arena};
    const struct aggr *aggr = aggr_find(RF_S("percentiles"));
    cr_assert(aggr->resolve(&bind, &err) == RF_OK);
    cr_expect(bind.tuple_count == 2 && bind.tuple_types[0] == TYPE_LONG);
    cr_expect(rf_str_is(bind.tuple_names[0], "95") && rf_str_is(bind.tuple_names[1], "99_9"));
    consts[2] = &bad;
    cr_expect(aggr->resolve(&bind, &err) == RF_INVALID);
    consts[2] = NULL;
    cr_expect(aggr->resolve(&bind, &err) == RF_INVALID);
    consts[2] = &p999;
    const uint8_t texts[] = {TYPE_STRING, TYPE_LONG, TYPE_REAL};
    bind.types = texts;
    cr_expect(aggr->resolve(&bind, &err) == RF_INVALID);
    rf_arena_done(&arena);
}

/* Nearest rank by its definition, for every whole percentile of 1..n. */
Test(digest, is_the_nearest_rank_while_exact)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    for (int n = 1; n <= 200; n += 33) {
        struct digest digest = {.type = TYPE_LONG};
        for (int i = n; i >= 1; i--) cr_assert(digest_add(&digest, digest_key_i64(i), 1, &arena));
        cr_assert(digest_sort(&digest, &arena));
        for (int p = 0; p <= 100; p++) {
            int64_t rank = RF_MAX((p * n + 99) / 100, 1);
            cr_expect(digest_percentile(&digest, p).i == rank, "%d %% of %d", p, n);
        }
    }
    rf_arena_done(&arena);
}

Test(digest, orders_reals_of_all_signs)
{
    const double data[] = {0.0, -1.5, INFINITY, 3e-310, -INFINITY, 1e300, -0.0, 2};
    struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct digest digest = {.type = TYPE_REAL};
    for (size_t i = 0; i < RF_COUNT(data); i++)
        cr_assert(digest_add(&digest, digest_key_real(data[i]), 1, &arena));
    cr_assert(digest_sort(&digest, &arena));
    cr_expect(digest.count == 7, "both zeroes are one value");
    cr_expect(digest_percentile(&digest, 0).r == -INFINITY);
    cr_expect(digest_percentile(&digest, 25).r == -1.5);
    cr_expect(digest_percentile(&digest, 50).r == 0);
    cr_expect(digest_percentile(&digest, 100).r == INFINITY);
    cr_expect(digest_rank(&digest, digest_key_real(1)) == 5);
    rf_arena_done(&arena);
}

/* A million values of a skewed distribution, in four parts that are merged. */
Test(digest, keeps_the_rank_within_a_percent)
{
    enum { PARTS = 4, EACH = 250000 };
    struct rf_arena arena;
    rf_arena_init(&arena, 256 << 20);
    struct digest all = {0}, parts[PARTS] = {{0}};
    for (uint64_t i = 0; i < (uint64_t)PARTS * EACH; i++) {
        /* The i-th of n distinct cubes, in scattered order. */
        int64_t x = (int64_t)(i * 619573 % ((uint64_t)PARTS * EACH));
        struct digest *part = &parts[i / EACH];
        part->type = TYPE_LONG;
        cr_assert(digest_add(part, digest_key_i64(x * x), 1, &arena));
    }
    for (int p = 0; p < PARTS; p++) cr_assert(digest_merge(&all, &parts[p], &arena));
    cr_assert(digest_sort(&all, &arena));
    cr_expect(all.approximate && all.count < 70000);
    double n = (double)PARTS * EACH;
    cr_expect(digest_percentile(&all, 0).i == 0);
    cr_expect(digest_percentile(&all, 100).i == (int64_t)((n - 1) * (n - 1)));
    for (double p = 1; p < 100; p += 7) {
        double rank = sqrt((double)digest_percentile(&all, p).i) / n * 100;
        cr_expect(fabs(rank - p) < 0.5, "%f %%: rank %f", p, rank);
        uint64_t key = digest_key_i64((int64_t)(n * p / 100 * n * p / 100));
        cr_expect(fabs(digest_rank(&all, key) / n * 100 - p) < 0.5);
    }
    rf_str d;
    struct digest back;
    cr_assert(digest_to_dyn(&all, &arena, &d));
    cr_assert(dyn_valid(d));
    cr_assert(digest_from_dyn(d, &arena, &back));
    cr_expect(back.count <= 2048 && digest_weight(&back) == n);
    cr_expect(fabs(sqrt((double)digest_percentile(&back, 50).i) / n - 0.5) < 0.005);
    rf_arena_done(&arena);
}

/* Few different values stay exact however many rows there are. */
Test(digest, many_equal_values_stay_exact)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct digest digest = {.type = TYPE_LONG};
    for (int i = 0; i < 500000; i++)
        cr_assert(digest_add(&digest, digest_key_i64(i % 100 < 85 ? 0 : i % 100), 1, &arena));
    cr_assert(digest_sort(&digest, &arena));
    cr_expect(!digest.approximate && digest.count == 16);
    cr_expect(digest_percentile(&digest, 85).i == 0);
    cr_expect(digest_percentile(&digest, 86).i == 85);
    cr_expect(digest_rank(&digest, digest_key_i64(0)) == 425000);
    rf_arena_done(&arena);
}

/* Beside outliers that leave nearly all values in one range of keys, and with one value that is heavy. */
Test(digest, keeps_the_rank_beside_outliers)
{
    enum { VALUES = 300000 };
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct digest digest = {.type = TYPE_REAL};
    for (uint32_t i = 0; i < VALUES; i++) {
        uint32_t x = (uint32_t)((uint64_t)i * 7919 % VALUES);
        double value = x < VALUES / 2 ? 0.1 : 1 + x / (double)VALUES;
        if (x == 0) value = -1e300;
        if (x == VALUES - 1) value = 1e300;
        cr_assert(digest_add(&digest, digest_key_real(value), 1, &arena));
    }
    cr_assert(digest_sort(&digest, &arena));
    cr_expect(digest.approximate && digest.count < 40000 && digest_weight(&digest) == VALUES);
    cr_expect(digest_percentile(&digest, 0).r == -1e300);
    cr_expect(digest_percentile(&digest, 100).r == 1e300);
    cr_expect(digest_percentile(&digest, 20).r == 0.1, "a heavy value stays what it is");
    for (double p = 51; p < 100; p += 3.5)
        cr_expect(fabs((digest_percentile(&digest, p).r - 1) * 100 - p) < 0.2, "%f", p);
    cr_expect(fabs((digest_percentile(&digest, 99.9).r - 1) * 100 - 99.9) < 0.02);
    rf_arena_done(&arena);
}

/* The first pile is exact whatever it holds; the order of arrival does not matter there. */
Test(digest, one_pile_is_exact)
{
    enum { VALUES = 16384 };
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct digest halves[2] = {{.type = TYPE_DATETIME}, {.type = TYPE_DATETIME}};
    int64_t start = INT64_C(638700000000000000);
    for (int64_t i = 0; i < VALUES; i++)
        cr_assert(digest_add(&halves[i % 2], digest_key_i64(start + i * 7919 % VALUES), 1, &arena));
    cr_assert(digest_merge(&halves[0], &halves[1], &arena));
    cr_assert(digest_sort(&halves[0], &arena));
    cr_expect(!halves[0].approximate && halves[0].count == VALUES);
    for (int p = 1; p <= 100; p++)
        cr_expect(digest_percentile(&halves[0], p).i == start + (p * VALUES + 99) / 100 - 1);
    rf_arena_done(&arena);
}

Test(digest, forged_ones_do_no_harm)
{
    static const char *const forged[] = {"null",
                                         "7",
                                         "[]",
                                         "[[7]]",
                                         "[[7],[1,2]]",
                                         "[[7],[1,2],[0,-1]]",
                                         "[[7],[\"a\",{}],[1,1]]",
                                         "[[7],{\"a\":1},[1]]",
                                         "[7,[1],[1]]"};
    struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(forged); i++) {
        struct digest digest;
        cr_assert(digest_from_dyn(run_json(forged[i], &arena), &arena, &digest));
        cr_expect(digest.count == 0, "%s", forged[i]);
    }
    struct digest kusto;
    cr_assert(digest_from_dyn(run_json("[[7],[5000,1000,0],[4,2,148]]", &arena), &arena, &kusto));
    cr_expect(digest_percentile(&kusto, 100).i == 5000 &&
              digest_rank(&kusto, digest_key_i64(999)) == 148);
    rf_arena_done(&arena);
}
