#include "kql/aggr_sketch.h"
#include "kql/aggr_test_util.h"

static int64_t cells[BATCH_ROWS];

/* Feeds the numbers from..to-1, scattered, to a run. */
static void feed(struct aggr_run *run, int64_t from, int64_t to)
{
    struct vec v = {.type = TYPE_LONG, .shape = VEC_FLAT, .data = cells};
    while (from < to) {
        uint32_t count = (uint32_t)RF_MIN(to - from, (int64_t)BATCH_ROWS);
        for (uint32_t i = 0; i < count; i++) cells[i] = (from + i) * 1000003;
        run_add(run, &v, count, NULL);
        from += count;
    }
}

static void open_long(struct aggr_run *run, const char *name, int64_t accuracy)
{
    static struct value constants[2];
    constants[1] = value_long(accuracy);
    struct vec args[2] = {{.type = TYPE_LONG, .shape = VEC_FLAT},
                          {.type = TYPE_LONG, .shape = VEC_CONST, .data = &constants[1].i}};
    run_open(run, name, TYPE_LONG, args, 2, constants);
}

Test(dcount, is_exact_while_small)
{
    struct aggr_run run;
    for (int64_t n = 1; n <= 1000; n = n * 3 + 1) {
        open_long(&run, "dcount", 1);
        feed(&run, 0, n);
        feed(&run, 0, n);
        cr_expect(run_value(&run, 0, 0).i == n);
        run_close(&run);
    }
    open_long(&run, "dcount", 2);
    feed(&run, 0, 8000);
    cr_expect(run_value(&run, 0, 0).i == 8000);
    run_close(&run);
}

/* Four standard errors of each accuracy, from just beyond the exact sizes to far beyond. */
Test(dcount, stays_within_its_error)
{
    const double errors[] = {0.016, 0.008, 0.004, 0.0028, 0.002};
    const int64_t sizes[] = {1100, 5000, 40000, 70000, 300000};
    for (int accuracy = 0; accuracy <= HLL_ACCURACY_MAX; accuracy++)
        for (size_t s = 0; s < RF_COUNT(sizes); s++) {
            struct aggr_run run;
            open_long(&run, "dcount", accuracy);
            feed(&run, 0, sizes[s]);
            double got = (double)run_value(&run, 0, 0).i;
            double off = (got - (double)sizes[s]) / (double)sizes[s];
            cr_expect(off < 4 * errors[accuracy] && off > -4 * errors[accuracy],
                      "accuracy %d, %ld values: %.0f", accuracy, (long)sizes[s], got);
            run_close(&run);
        }
}

Test(dcount, merging_is_like_feeding_at_once)
{
    struct aggr_run whole, left, right;
    const int64_t borders[] = {0, 10, 900, 1500, 60000};
    for (size_t b = 0; b < RF_COUNT(borders); b++) {
        open_long(&whole, "dcount", 1);
        open_long(&left, "dcount", 1);
        open_long(&right, "dcount", 1);
        feed(&whole, 0, 60000);
        feed(&left, 0, borders[b]);
        feed(&right, borders[b] / 2, 60000);
        run_merge(&left, &right);
        cr_expect(run_value(&left, 0, 0).i == run_value(&whole, 0, 0).i);
        run_close(&right);
        run_close(&left);
        run_close(&whole);
    }
}

Test(dcount, refuses_an_unknown_accuracy)
{
    struct rf_err err;
    struct value nine = value_long(9);
    const struct value *consts[] = {NULL, &nine};
    const uint8_t types[] = {TYPE_LONG, TYPE_LONG};
    struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    struct aggr_call call = {.aggr = aggr_find(RF_S("dcount")),
                             .arg_count = 2,
                             .arg_types = types,
                             .consts = consts,
                             .arena = &arena};
    cr_expect(call.aggr->prepare(&call, &err) == RF_INVALID);
    cr_expect_str_eq(err.code, "BadParameter");
    rf_arena_done(&arena);
}

/* A dictionary that comes again in later batches keeps its hashes; another one must not find them. */
Test(dcount, tells_dictionaries_apart)
{
    const int64_t first[] = {1, 2, 3}, second[] = {11, 12, 13, 14};
    const uint32_t codes[] = {0, 2, 2, 1, 0};
    struct vec v = {.type = TYPE_LONG,
                    .shape = VEC_DICT,
                    .dict_count = 3,
                    .dict_id = 5,
                    .data = first,
                    .codes = codes};
    struct aggr_run run;
    open_long(&run, "dcount", 1);
    run_add(&run, &v, 5, NULL);
    run_add(&run, &v, 2, NULL);
    cr_expect(run_value(&run, 0, 0).i == 3);
    v.data = second;
    v.dict_count = 4;
    v.dict_id = 6;
    run_add(&run, &v, 5, NULL);
    cr_expect(run_value(&run, 0, 0).i == 6);
    run_close(&run);
}

Test(count_distinct, is_exact_for_many)
{
    struct aggr_run run;
    open_long(&run, "count_distinct", 0);
    feed(&run, 0, 100000);
    feed(&run, 50000, 120000);
    cr_expect(run_value(&run, 0, 0).i == 120000);
    run_close(&run);
}

Test(hll, survives_being_stored)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    const int64_t sizes[] = {5, 1000, 3000};
    for (size_t s = 0; s < RF_COUNT(sizes); s++) {
        struct hll hll = {0}, back;
        rf_str d;
        for (int64_t i = 0; i < sizes[s]; i++)
            cr_assert(hll_add(&hll, 14, rf_hash_u64((uint64_t)i * 77), &arena));
        cr_assert(hll_to_dyn(&hll, 14, &arena, &d));
        cr_assert(dyn_valid(d));
        cr_assert(hll_from_dyn(d, &arena, &back));
        cr_expect(hll_count(&back) == hll_count(&hll));
        cr_expect(back.dense == hll.dense);
    }
    rf_arena_done(&arena);
}

Test(hll, of_different_precision_meet_at_the_lower)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct hll fine = {0}, coarse = {0}, reference = {0};
    for (uint64_t i = 0; i < 50000; i++) {
        uint64_t hash = rf_hash_u64(i * 77);
        cr_assert(hll_add(&fine, 18, hash, &arena));
        cr_assert(hll_add(&reference, 12, hash, &arena));
    }
    cr_assert(hll_add(&coarse, 12, rf_hash_u64(77), &arena));
    cr_assert(hll_merge(&coarse, &fine, &arena));
    cr_expect(hll_count(&coarse) == hll_count(&reference));
    cr_assert(hll_merge(&fine, &reference, &arena));
    cr_expect(fine.p == 12 && hll_count(&fine) == hll_count(&reference));
    rf_arena_done(&arena);
}

Test(hll, forged_ones_do_no_harm)
{
    static const char *const forged[] = {"null",
                                         "1",
                                         "[]",
                                         "[[1024,14]]",
                                         "[[1024,3],[1],[]]",
                                         "[[1024,99],[],[]]",
                                         "[[1024,14],[],[\"AA\"]]",
                                         "[[1024,14],[],[5]]",
                                         "[[1024,14],{\"a\":1},[]]",
                                         "[[1024,14],[\"x\",1.5,null],[]]",
                                         "[[1024,\"x\"],[],[]]"};
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    for (size_t i = 0; i < RF_COUNT(forged); i++) {
        struct hll hll;
        cr_assert(hll_from_dyn(run_json(forged[i], &arena), &arena, &hll));
        cr_expect(hll_count(&hll) == 0, "%s", forged[i]);
    }
    rf_arena_done(&arena);
}
