#include "kql/aggr_sketch.h"
#include "kql/aggr_test_util.h"

static struct rf_arena arena;

static struct value call(const char *func, const struct value *args, uint32_t count)
{
    struct value out;
    struct rf_err err;
    enum rf_kind kind = func_eval(rf_str_of(func), args, count, &arena, &out, &err);
    cr_assert(kind == RF_OK, "%s: %s", func, err.text);
    return out;
}

static void expect(const char *func, const struct value *args, uint32_t count, const char *expected)
{
    struct value v = call(func, args, count);
    struct rf_buf buf = rf_buf_in(&arena);
    if (v.null)
        rf_buf_str(&buf, RF_S("null"));
    else
        text_put_value(&buf, &v);
    cr_expect(rf_str_is(rf_buf_view(&buf), expected), "%s: got %.*s, expected %s", func,
              RF_FMT(rf_buf_view(&buf)), expected);
}
#define EXPECT(func, expected, ...)                                                                \
    do {                                                                                           \
        const struct value args[] = {__VA_ARGS__};                                                 \
        expect(func, args, RF_COUNT(args), expected);                                              \
    } while (0)

static struct value hll_of(int from, int to)
{
    struct hll hll = {0};
    rf_str d;
    for (int i = from; i < to; i++) cr_assert(hll_add(&hll, 14, rf_hash_u64((uint64_t)i), &arena));
    cr_assert(hll_to_dyn(&hll, 14, &arena, &d));
    return value_dyn(d);
}

static struct value json(const char *text) { return value_dyn(run_json(text, &arena)); }

Test(sketch, hll)
{
    rf_arena_init(&arena, 64 << 20);
    EXPECT("dcount_hll", "10", hll_of(1, 11));
    struct value both[] = {hll_of(1, 11), hll_of(6, 21)};
    EXPECT("dcount_hll", "20", call("hll_merge", both, 2));
    EXPECT("dcount_hll", "null", json("[1,2]"));
    EXPECT("hll_merge", "null", json("1"), value_null(TYPE_DYNAMIC));
    rf_arena_done(&arena);
}

Test(sketch, tdigest)
{
    rf_arena_init(&arena, 64 << 20);
    struct value digest = json("[[1,0],[1,2,4,8],[1,1,1,1]]"),
                 reals = json("[[1,0],[1.5,2.5],[1,2]]");
    EXPECT("percentile_tdigest", "2", digest, value_real(50));
    EXPECT("percentile_tdigest", "8", digest, value_long(100), value_str(RF_S("long")));
    EXPECT("percentile_tdigest", "8", digest, value_long(100), value_str(RF_S("typeof(real)")));
    EXPECT("percentile_tdigest", "null", json("{}"), value_real(50));
    EXPECT("percentile_tdigest", "null", digest, value_real(101));
    EXPECT("percentile_array_tdigest", "[1,2,8]", digest, json("[0,50,100]"));
    EXPECT("percentiles_array_tdigest", "[1,4]", digest, value_long(25), value_real(75));
    EXPECT("percentile_array_tdigest", "[1.0,2.0]", digest, json("[0,50]"),
           value_str(RF_S("real")));
    EXPECT("rank_tdigest", "2", digest, value_long(3));
    EXPECT("rank_tdigest", "3", digest, value_real(4));
    EXPECT("rank_tdigest", "2", digest, value_real(3.99));
    EXPECT("percentrank_tdigest", "75", digest, value_long(4));
    EXPECT("rank_tdigest", "1", reals, value_long(2));
    EXPECT("merge_tdigest", "[[1,0],[1.0,1.5,2.0,2.5,4.0,8.0],[1,1,1,2,1,1]]", reals, digest);
    EXPECT("percentile_tdigest", "2.0", json("[[7],[1.0,2.0],[1,2]]"), value_real(50));
    rf_arena_done(&arena);
}

Test(sketch, a_type_must_be_one)
{
    struct rf_err err;
    struct value out;
    rf_arena_init(&arena, 1 << 20);
    const struct value args[] = {json("[]"), value_real(5), value_str(RF_S("nonsense"))};
    cr_expect(func_eval(RF_S("percentile_tdigest"), args, 3, &arena, &out, &err) == RF_INVALID);
    rf_arena_done(&arena);
}
