#include "kql/aggr_test_util.h"

/* Feeds JSON values as one batch of dynamics to an aggregate of one argument and checks the result. */
static void expect_of_json(const char *aggr, const char *const *json, uint32_t count,
                           const char *expected)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    rf_str cells[16];
    for (uint32_t i = 0; i < count; i++) cells[i] = run_json(json[i], &arena);
    struct vec v = {.type = TYPE_DYNAMIC, .shape = VEC_FLAT, .data = cells};
    struct aggr_run run, other;
    run_open(&run, aggr, TYPE_DYNAMIC, &v, 1, NULL);
    run_open(&other, aggr, TYPE_DYNAMIC, &v, 1, NULL);
    run_add(&run, &v, count / 2, NULL);
    v.data = cells + count / 2;
    run_add(&other, &v, count - count / 2, NULL);
    run_merge(&run, &other);
    rf_str got = run_text(&run, 0, 0);
    cr_expect(rf_str_is(got, expected), "%s: got %.*s, expected %s", aggr, RF_FMT(got), expected);
    run_close(&other);
    run_close(&run);
    rf_arena_done(&arena);
}
#define EXPECT(aggr, expected, ...)                                                                \
    do {                                                                                           \
        static const char *const values[] = {__VA_ARGS__};                                         \
        expect_of_json(aggr, values, RF_COUNT(values), expected);                                  \
    } while (0)

Test(make_set, takes_arrays_apart)
{
    EXPECT("make_set", "[\"A1\",\"A2\",\"A3\",\"C1\",\"C2\"]", "[\"A1\",\"A2\",\"A3\"]",
           "[\"A2\",\"C1\"]", "[\"C2\",\"A3\"]", "[\"C2\",\"A1\"]");
    EXPECT("make_set", "[1,{\"b\":1,\"a\":[2]},\"x\",[]]", "1", "1.0", "null",
           "{\"b\":1,\"a\":[2]}", "{\"a\":[2],\"b\":1}", "[null,\"x\",[]]", "[]");
}

Test(make_list, keeps_arrays_and_leaves_out_nulls)
{
    EXPECT("make_list", "[[1,2],{\"a\":null},3]", "[1,2]", "null", "{\"a\":null}", "3");
    EXPECT("make_list_with_nulls", "[null,1]", "null", "1");
}

Test(make_bag, joins_entries_and_skips_other_values)
{
    EXPECT("make_bag", "{\"a\":1,\"b\":null,\"c\":{\"d\":2}}", "{\"a\":1,\"b\":null}", "[1]", "7",
           "{\"a\":9,\"c\":{\"d\":2}}");
    EXPECT("make_bag", "{}", "null", "1");
}

Test(buildschema, admits_all_values)
{
    EXPECT("buildschema",
           "{\"x\":[\"long\",\"string\"],\"y\":[\"double\",{\"w\":\"string\"}],"
           "\"z\":{\"`indexer`\":[\"long\",\"string\"]},\"t\":{\"`indexer`\":\"string\"}}",
           "{\"x\":1, \"y\":3.5}", "{\"x\":\"somevalue\", \"z\":[1, 2, 3]}",
           "{\"y\":{\"w\":\"zzz\"}, \"t\":[\"aa\", \"bb\"], \"z\":[\"foo\"]}");
    EXPECT("buildschema", "[\"bool\",{\"a\":\"null\"},{\"`indexer`\":\"null\"}]", "true",
           "{\"a\":null}", "[]");
    EXPECT("buildschema", "null", "null", "null");
}

Test(make_list, is_cut_at_its_limit)
{
    static int64_t numbers[BATCH_ROWS];
    for (int i = 0; i < BATCH_ROWS; i++) numbers[i] = i;
    struct vec v = {.type = TYPE_LONG, .shape = VEC_FLAT, .data = numbers};
    static const struct {
        const char *aggr;
        uint32_t count;
    } old[] = {{"makelist", 128},
               {"makeset", 128},
               {"make_list", 3 * BATCH_ROWS},
               {"make_set", BATCH_ROWS}};
    for (size_t i = 0; i < RF_COUNT(old); i++) {
        struct aggr_run run;
        run_open(&run, old[i].aggr, TYPE_DYNAMIC, &v, 1, NULL);
        for (int batch = 0; batch < 3; batch++) run_add(&run, &v, BATCH_ROWS, NULL);
        struct value list = run_value(&run, 0, 0);
        cr_expect(dyn_count(list.s) == old[i].count && dyn_valid(list.s), "%s", old[i].aggr);
        run_close(&run);
    }
}

/* ---- rows picked ------------------------------------------------------------------------------------- */

enum { FRUITS = 6 };
static const uint32_t fruit_groups[FRUITS] = {0, 0, 1, 1, 2, 2};
static const int64_t versions[FRUITS] = {1, 0, 0, 0, 1, 2};
static const uint8_t version_nulls[FRUITS] = {0, 1, 1, 1, 0, 0};

static void fruit_args(struct vec *args, rf_str *colors)
{
    const char *names[FRUITS] = {"Red", "Green", "Yellow", "Green", "Brown", "Green"};
    for (int i = 0; i < FRUITS; i++) colors[i] = rf_str_of(names[i]);
    args[0] =
        (struct vec){.type = TYPE_INT, .shape = VEC_FLAT, .data = versions, .nulls = version_nulls};
    args[1] = (struct vec){.type = TYPE_STRING, .shape = VEC_FLAT, .data = colors};
}

/* The documentation's example: nulls lose, and alone they give null and the values of one row. */
Test(arg_max, handles_nulls_as_documented)
{
    static const struct {
        const char *aggr, *version[3], *color[3];
    } cases[] = {
        {"arg_max", {"1", "null", "2"}, {"Red", "Yellow", "Green"}},
        {"arg_min", {"1", "null", "1"}, {"Red", "Yellow", "Brown"}},
        {"take_any", {"1", "null", "1"}, {"Red", "Yellow", "Brown"}},
    };
    rf_str colors[FRUITS];
    struct vec args[2];
    fruit_args(args, colors);
    for (size_t c = 0; c < RF_COUNT(cases); c++) {
        struct aggr_run run;
        run_open(&run, cases[c].aggr, TYPE_DYNAMIC, args, 2, NULL);
        run_add(&run, args, FRUITS, fruit_groups);
        for (uint32_t g = 0; g < 3; g++) {
            cr_expect(rf_str_is(run_text(&run, g, 0), cases[c].version[g]), "%s group %u",
                      cases[c].aggr, g);
            cr_expect(rf_str_is(run_text(&run, g, 1), cases[c].color[g]), "%s group %u",
                      cases[c].aggr, g);
        }
        cr_expect(rf_str_is(run_text(&run, 3, 1), ""));
        run_close(&run);
    }
}

Test(arg_max, of_ties_the_first_row_wins_also_over_batches)
{
    const int64_t keys[] = {5, 7, 7, 1}, rows[] = {0, 1, 2, 3};
    struct vec args[2] = {{.type = TYPE_LONG, .shape = VEC_FLAT, .data = keys},
                          {.type = TYPE_LONG, .shape = VEC_FLAT, .data = rows}};
    struct aggr_run run, other;
    run_open(&run, "arg_max", TYPE_DYNAMIC, args, 2, NULL);
    run_open(&other, "arg_max", TYPE_DYNAMIC, args, 2, NULL);
    run_add(&run, args, 4, NULL);
    const int64_t later[] = {9, 9, 9, 9};
    run_add(&other, args, 4, NULL);
    args[1].data = later;
    run_add(&run, args, 4, NULL);
    run_merge(&run, &other);
    cr_expect(run_value(&run, 0, 1).i == 1);
    run_close(&other);
    run_close(&run);
}

/* Growing keys with changing texts: the room of the old texts is used again. */
Test(arg_max, bounds_its_garbage)
{
    char text[200];
    int64_t key = 0;
    rf_str cell;
    struct vec args[2] = {{.type = TYPE_LONG, .shape = VEC_FLAT, .data = &key},
                          {.type = TYPE_STRING, .shape = VEC_FLAT, .data = &cell}};
    struct aggr_run run;
    run_open(&run, "arg_max", TYPE_DYNAMIC, args, 2, NULL);
    for (; key < 20000; key++) {
        memset(text, 'a' + (int)(key % 26), sizeof text);
        cell = rf_str_make(text, 1 + (size_t)key % sizeof text);
        run_add(&run, args, 1, NULL);
    }
    cr_expect(atomic_load(&run.arena.own.used_bytes) < (size_t)1 << 20);
    cr_expect(run_value(&run, 0, 1).s.len == 1 + 19999 % sizeof text);
    run_close(&run);
}

Test(arg_max, binds_a_column_for_each_argument)
{
    struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 1 << 16);
    const uint8_t types[] = {TYPE_DATETIME, TYPE_STRING, TYPE_LONG};
    struct func_bind bind = {.arg_count = 3, .types = types, .arena = &arena};
    cr_assert(aggr_find(RF_S("arg_max"))->resolve(&bind, &err) == RF_OK);
    cr_expect(bind.tuple_count == 3 && memcmp(bind.tuple_types, types, 3) == 0);
    bind =
        (struct func_bind){.arg_count = 1, .types = types, .type = TYPE_DATETIME, .arena = &arena};
    cr_assert(aggr_find(RF_S("take_any"))->resolve(&bind, &err) == RF_OK);
    cr_expect(bind.tuple_count == 0 && bind.type == TYPE_DATETIME);
    rf_arena_done(&arena);
}

Test(take_any, prefers_a_value_that_says_something)
{
    const rf_str texts[] = {{NULL, 0}, {NULL, 0}, RF_S("x"), RF_S("y")};
    struct vec v = {.type = TYPE_STRING, .shape = VEC_FLAT, .data = texts};
    struct aggr_run run;
    run_open(&run, "take_any", TYPE_STRING, &v, 1, NULL);
    run_add(&run, &v, 2, NULL);
    cr_expect(rf_str_is(run_text(&run, 0, 0), ""));
    run_add(&run, &v, 4, NULL);
    cr_expect(rf_str_is(run_text(&run, 0, 0), "x"));
    run_close(&run);
}
