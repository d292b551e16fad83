#include "kql/aggr_test_util.h"

#include "value/decimal.h"

#include <math.h>

/* Every aggregate sees the same five rows; rows 0..2 and 3..4 also come as two workers' shares. */
enum { ROWS = 5, SPLIT = 3 };
static const uint8_t nulls[ROWS] = {0, 1, 0, 0, 0};
static const int64_t numbers[ROWS] = {3, 77, 1, 2, 2};
static const double reals[ROWS] = {3.5, 77, 1, 2, 2};
static const uint8_t truth[ROWS] = {1, 1, 0, 1, 1};
static const uint8_t truth_nulls[ROWS] = {0, 0, 0, 0, 1};
static const uint32_t forward[ROWS] = {0, 1, 2, 3, 4};
static rf_str texts[ROWS];
static struct decimal decimals[ROWS];
static struct value fifty = {.type = TYPE_REAL, .r = 50};
static struct value two = {.type = TYPE_LONG, .i = 2};

static void make_data(void)
{
    const char *words[ROWS] = {"delta", "zulu", "alpha", "beta", "beta"};
    for (int i = 0; i < ROWS; i++) {
        texts[i] = rf_str_of(words[i]);
        decimals[i] = decimal_from_i64(numbers[i]);
    }
}

static struct vec column(char kind)
{
    struct vec v = {.shape = VEC_FLAT, .nulls = nulls};
    switch (kind) {
    case 'i':
        v.type = TYPE_LONG, v.data = numbers;
        break;
    case 't':
        v.type = TYPE_TIMESPAN, v.data = numbers;
        break;
    case 'd':
        v.type = TYPE_DATETIME, v.data = numbers;
        break;
    case 'r':
        v.type = TYPE_REAL, v.data = reals;
        break;
    case 's':
        v.type = TYPE_STRING, v.data = texts, v.nulls = NULL;
        break;
    case 'm':
        v.type = TYPE_DECIMAL, v.data = decimals;
        break;
    case 'b':
        v.type = TYPE_BOOL, v.data = truth, v.nulls = truth_nulls;
        break;
    case '5':
        v = (struct vec){.type = TYPE_REAL, .shape = VEC_CONST, .data = &fifty.r};
        break;
    case '2':
        v = (struct vec){.type = TYPE_LONG, .shape = VEC_CONST, .data = &two.i};
        break;
    default:
        cr_assert_fail("no column %c", kind);
    }
    return v;
}

static struct vec as_dictionary(struct vec v)
{
    if (v.shape == VEC_CONST) return v;
    v.shape = VEC_DICT;
    v.codes = forward;
    v.dict_count = ROWS;
    v.dict_id = 7;
    return v;
}

static struct vec part_of(struct vec v, uint32_t from)
{
    if (v.shape == VEC_CONST) return v;
    v.data = (const uint8_t *)v.data + from * type_cell_bytes[v.type];
    if (v.nulls != NULL) v.nulls += from;
    return v;
}

struct expectation {
    const char *aggr, *args; /* columns as column() names them */
    enum type type;
    const char *all, *none; /* result over the rows, and over no rows */
};

static const struct expectation expectations[] = {
    {"count", "", TYPE_LONG, "5", "0"},
    {"count", "b", TYPE_LONG, "3", "0"},
    {"countif", "b", TYPE_LONG, "3", "0"},
    {"sum", "i", TYPE_LONG, "8", "0"},
    {"sum", "r", TYPE_REAL, "8.5", "0"},
    {"sum", "t", TYPE_TIMESPAN, "00:00:00.0000008", "00:00:00"},
    {"sum", "m", TYPE_DECIMAL, "8", "0"},
    {"sumif", "ib", TYPE_LONG, "5", "0"},
    {"avg", "i", TYPE_REAL, "2", "NaN"},
    {"avg", "r", TYPE_REAL, "2.125", "NaN"},
    {"avg", "t", TYPE_TIMESPAN, "00:00:00.0000002", "null"},
    {"avg", "m", TYPE_DECIMAL, "2", "null"},
    {"avgif", "ib", TYPE_REAL, "2.5", "NaN"},
    {"min", "i", TYPE_LONG, "1", "null"},
    {"max", "i", TYPE_LONG, "3", "null"},
    {"min", "r", TYPE_REAL, "1", "null"},
    {"max", "r", TYPE_REAL, "3.5", "null"},
    {"min", "s", TYPE_STRING, "alpha", ""},
    {"max", "s", TYPE_STRING, "zulu", ""},
    {"max", "m", TYPE_DECIMAL, "3", "null"},
    {"max", "d", TYPE_DATETIME, "0001-01-01T00:00:00.0000003Z", "null"},
    {"minif", "ib", TYPE_LONG, "2", "null"},
    {"maxif", "sb", TYPE_STRING, "zulu", ""},
    {"stdev", "i", TYPE_REAL, "0.816496580927726", "0"},
    {"stdevp", "i", TYPE_REAL, "0.7071067811865476", "0"},
    {"variance", "i", TYPE_REAL, "0.6666666666666666", "0"},
    {"variancep", "i", TYPE_REAL, "0.5", "0"},
    {"varianceif", "ib", TYPE_REAL, "0.5", "0"},
    {"covariance", "ii", TYPE_REAL, "0.6666666666666666", "0"},
    {"covariancep", "ii", TYPE_REAL, "0.5", "0"},
    {"covarianceif", "iib", TYPE_REAL, "0.5", "0"},
    {"binary_all_and", "i", TYPE_LONG, "0", "null"},
    {"binary_all_or", "i", TYPE_LONG, "3", "null"},
    {"binary_all_xor", "i", TYPE_LONG, "2", "null"},
    {"dcount", "i", TYPE_LONG, "3", "0"},
    {"dcount", "s2", TYPE_LONG, "4", "0"},
    {"dcountif", "sb", TYPE_LONG, "3", "0"},
    {"count_distinct", "s", TYPE_LONG, "4", "0"},
    {"count_distinct", "m", TYPE_LONG, "3", "0"},
    {"count_distinctif", "ib", TYPE_LONG, "2", "0"},
    {"percentile", "i5", TYPE_LONG, "2", "null"},
    {"percentile", "r5", TYPE_REAL, "2", "null"},
    {"percentile", "d5", TYPE_DATETIME, "0001-01-01T00:00:00.0000002Z", "null"},
    {"percentiles_array", "i5", TYPE_DYNAMIC, "[2]", "null"},
    {"percentilew", "ii5", TYPE_LONG, "2", "null"},
    {"tdigest", "i", TYPE_DYNAMIC, "[[1,0],[1,2,3],[1,2,1]]", "null"},
    {"make_list", "i", TYPE_DYNAMIC, "[3,1,2,2]", "[]"},
    {"make_list", "i2", TYPE_DYNAMIC, "[3,1]", "[]"},
    {"make_list_if", "sb", TYPE_DYNAMIC, "[\"delta\",\"zulu\",\"beta\"]", "[]"},
    {"make_list_with_nulls", "i", TYPE_DYNAMIC, "[3,null,1,2,2]", "[]"},
    {"make_set", "i", TYPE_DYNAMIC, "[3,1,2]", "[]"},
    {"make_set", "s", TYPE_DYNAMIC, "[\"delta\",\"zulu\",\"alpha\",\"beta\"]", "[]"},
    {"make_set", "s2", TYPE_DYNAMIC, "[\"delta\",\"zulu\"]", "[]"},
    {"make_set", "r", TYPE_DYNAMIC, "[3.5,1.0,2.0]", "[]"},
    {"make_set_if", "ib2", TYPE_DYNAMIC, "[3,2]", "[]"},
    {"take_any", "i", TYPE_LONG, "3", "null"},
    {"take_anyif", "sb", TYPE_STRING, "delta", ""},
    {"arg_max", "is", TYPE_LONG, "3", "null"},
    {"arg_min", "is", TYPE_LONG, "1", "null"},
    {"argmax", "si", TYPE_STRING, "zulu", ""},
};

static void check(struct aggr_run *run, const struct expectation *e, uint32_t group,
                  const char *expected, const char *how)
{
    rf_str got = run_text(run, group, 0);
    cr_expect(rf_str_is(got, expected), "%s(%s) %s: got %.*s, expected %s", e->aggr, e->args, how,
              RF_FMT(got), expected);
}

static void check_all_ways(const struct expectation *e)
{
    struct vec args[RUN_ARGS_MAX], dict[RUN_ARGS_MAX], head[RUN_ARGS_MAX], tail[RUN_ARGS_MAX];
    struct value constants[RUN_ARGS_MAX] = {{0}};
    uint32_t count = (uint32_t)strlen(e->args);
    for (uint32_t i = 0; i < count; i++) {
        args[i] = column(e->args[i]);
        dict[i] = as_dictionary(args[i]);
        head[i] = args[i];
        tail[i] = part_of(args[i], SPLIT);
        constants[i] = e->args[i] == '5' ? fifty : two;
    }
    struct aggr_run run, other;
    run_open(&run, e->aggr, e->type, args, count, constants);
    check(&run, e, 0, e->none, "of nothing");
    run_add(&run, args, ROWS, NULL);
    check(&run, e, 0, e->all, "flat");
    run_close(&run);

    run_open(&run, e->aggr, e->type, args, count, constants);
    run_add(&run, dict, ROWS, NULL);
    check(&run, e, 0, e->all, "dictionary");
    run_close(&run);

    const uint32_t groups[ROWS] = {2, 2, 2, 2, 2};
    run_open(&run, e->aggr, e->type, args, count, constants);
    run_open(&other, e->aggr, e->type, args, count, constants);
    run_add(&run, head, SPLIT, groups);
    run_add(&other, tail, ROWS - SPLIT, groups);
    run_merge(&run, &other);
    check(&run, e, 2, e->all, "grouped and merged");
    check(&run, e, 1, e->none, "of an empty group");
    run_close(&other);
    run_close(&run);
}

Test(aggr, every_way_of_feeding_gives_the_same)
{
    make_data();
    for (size_t i = 0; i < RF_COUNT(expectations); i++) check_all_ways(&expectations[i]);
}

Test(aggr, long_batches_sum_alike_in_and_out_of_groups)
{
    static int64_t whole[BATCH_ROWS];
    static double real[BATCH_ROWS];
    static uint32_t groups[BATCH_ROWS];
    int64_t sum = 0;
    for (int i = 0; i < BATCH_ROWS; i++) {
        whole[i] = (i * 7919) % 1000 - 500;
        real[i] = (double)whole[i] / 4;
        sum += whole[i];
        groups[i] = 1;
    }
    struct vec v = {.type = TYPE_LONG, .shape = VEC_FLAT, .data = whole};
    struct vec r = {.type = TYPE_REAL, .shape = VEC_FLAT, .data = real};
    struct aggr_run run;
    for (uint32_t count = BATCH_ROWS - 40; count <= BATCH_ROWS; count += 8) {
        run_open(&run, "sum", TYPE_LONG, &v, 1, NULL);
        run_add(&run, &v, count, NULL);
        run_add(&run, &v, count, groups);
        cr_expect(run_value(&run, 0, 0).i == run_value(&run, 1, 0).i);
        run_close(&run);
    }
    run_open(&run, "sum", TYPE_REAL, &r, 1, NULL);
    run_add(&run, &r, BATCH_ROWS, NULL);
    cr_expect(run_value(&run, 0, 0).r == (double)sum / 4);
    run_close(&run);
}

Test(aggr, nan_is_smallest_and_never_largest_beside_numbers)
{
    const double data[] = {1, 0.0 / 0.0, 2};
    struct vec v = {.type = TYPE_REAL, .shape = VEC_FLAT, .data = data};
    struct aggr_run run;
    run_open(&run, "max", TYPE_REAL, &v, 1, NULL);
    run_add(&run, &v, 3, NULL);
    cr_expect(run_value(&run, 0, 0).r == 2);
    run_close(&run);
    run_open(&run, "min", TYPE_REAL, &v, 1, NULL);
    run_add(&run, &v, 3, NULL);
    cr_expect(run_value(&run, 0, 0).r != run_value(&run, 0, 0).r);
    run_close(&run);
}

/* One row that beats all others, at each place; all rows in one group, in two, and without any. */
static void check_extreme(const char *aggr, enum type type, const void *cells, int64_t winner_bits)
{
    static uint32_t one[BATCH_ROWS], two_groups[BATCH_ROWS];
    enum { N = 61 };
    const struct vec v = {.type = (uint8_t)type, .shape = VEC_FLAT, .data = cells};
    for (uint32_t i = 0; i < N; i++) {
        one[i] = 1;
        two_groups[i] = i == N / 2 ? 2 : 1;
    }
    const uint32_t *ways[] = {NULL, one, two_groups};
    for (size_t way = 0; way < RF_COUNT(ways); way++) {
        struct aggr_run run;
        run_open(&run, aggr, type, &v, 1, NULL);
        run_add(&run, &v, N, ways[way]);
        struct value low = run_value(&run, way == 0 ? 0 : 1, 0), high = run_value(&run, 2, 0);
        cr_expect(low.i == winner_bits || (way == 2 && high.i == winner_bits), "%s %d", aggr,
                  (int)way);
        run_close(&run);
    }
}

Test(aggr, extremes_are_found_at_every_place)
{
    static int64_t whole[BATCH_ROWS];
    static double real[BATCH_ROWS];
    for (int at = 0; at < 61; at++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            const char *aggr = sign < 0 ? "min" : "max";
            for (int i = 0; i < 61; i++) {
                whole[i] = (i * 7919) % 1000 - 500;
                real[i] = (double)whole[i] / 4;
            }
            whole[at] = sign < 0 ? INT64_MIN + 1 : INT64_MAX;
            real[at] = sign * 1e300;
            check_extreme(aggr, TYPE_LONG, whole, whole[at]);
            check_extreme(aggr, TYPE_DATETIME, whole, whole[at]);
            check_extreme(aggr, TYPE_REAL, real, value_real(real[at]).i);
            /* A nan is the smallest of all. */
            real[(at + 17) % 61] = (double)NAN;
            check_extreme(aggr, TYPE_REAL, real, value_real(sign < 0 ? (double)NAN : real[at]).i);
        }
    }
}

Test(aggr, datetimes_do_not_overflow_the_mean)
{
    static int64_t ticks[BATCH_ROWS];
    for (int i = 0; i < BATCH_ROWS; i++) ticks[i] = DATETIME_MAX - i % 2 * 2;
    struct vec v = {.type = TYPE_DATETIME, .shape = VEC_FLAT, .data = ticks};
    struct aggr_run run;
    run_open(&run, "avg", TYPE_DATETIME, &v, 1, NULL);
    run_add(&run, &v, BATCH_ROWS, NULL);
    cr_expect(run_value(&run, 0, 0).i == DATETIME_MAX - 1);
    run_close(&run);
}

Test(aggr, variance_survives_a_large_offset)
{
    const double data[] = {1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16};
    struct vec v = {.type = TYPE_REAL, .shape = VEC_FLAT, .data = data};
    struct aggr_run run;
    run_open(&run, "variance", TYPE_REAL, &v, 1, NULL);
    run_add(&run, &v, 2, NULL);
    run_add(&run, &(struct vec){.type = TYPE_REAL, .shape = VEC_FLAT, .data = data + 2}, 2, NULL);
    cr_expect(run_value(&run, 0, 0).r == 30);
    run_close(&run);
}
