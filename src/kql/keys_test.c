#include "kql/keys.h"
#include "test/rf_prop.h"

enum { ROWS = 300, COLUMNS = 3 };

/* Small ranges, so that keys repeat; every shape of vectors. */
static struct value random_value(struct rf_prng *prng, enum type type)
{
    static const char *const texts[] = {"", "a", "b", "ab", "Zo\xc3\xab"};
    static const double reals[] = {0.0, -0.0, 1.5, -1.5};
    if ((uint32_t)rf_test_below(prng, 8) == 0) return value_null(type);
    switch (type) {
    case TYPE_STRING:
        return value_str(rf_str_of(texts[(uint32_t)rf_test_below(prng, RF_COUNT(texts))]));
    case TYPE_REAL:
        return value_real(reals[(uint32_t)rf_test_below(prng, RF_COUNT(reals))]);
    case TYPE_BOOL:
        return value_bool((uint32_t)rf_test_below(prng, 2) == 1);
    default:
        return value_i64(type, (int64_t)(uint32_t)rf_test_below(prng, 5) - 2);
    }
}

static void fill(struct rf_prng *prng, struct rf_arena *arena, enum type type, uint32_t count,
                 struct vec *out)
{
    uint32_t entries =
        (uint32_t)rf_test_below(prng, 2) == 0 ? count : 1 + (uint32_t)rf_test_below(prng, 6);
    cr_assert(vec_flat(arena, type, entries, out) && vec_need_nulls(arena, out, entries) != NULL);
    for (uint32_t i = 0; i < entries; i++) {
        struct value v = random_value(prng, type);
        vec_set(out, i, &v);
    }
    if (entries == count) return;
    uint32_t *codes = rf_arena_new(arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) codes[i] = (uint32_t)rf_test_below(prng, entries);
    out->shape = VEC_DICT;
    out->codes = codes;
    out->dict_count = entries;
}

/* Equal numbers exactly where all columns are the same, and each number gives its key back. */
RF_PROP(keys_number_equal_rows_alike, 300)
{
    static const uint8_t types[COLUMNS] = {TYPE_STRING, TYPE_LONG, TYPE_REAL};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64u << 20);
    struct keys *keys = keys_new(&arena, types, COLUMNS),
                *merged = keys_new(&arena, types, COLUMNS);
    struct vec batches[2][COLUMNS];
    uint32_t ids[2][ROWS], found[ROWS], map[2 * ROWS];
    for (int b = 0; b < 2; b++) {
        for (int c = 0; c < COLUMNS; c++)
            fill(prng, &arena, (enum type)types[c], ROWS, &batches[b][c]);
        cr_assert(keys_add(keys, batches[b], ROWS, ids[b]));
    }
    for (int b = 0; b < 2; b++)
        for (uint32_t i = 0; i < ROWS; i++) {
            cr_assert(ids[b][i] < keys_count(keys));
            for (int c = 0; c < COLUMNS; c++) {
                struct value want = vec_value(&batches[b][c], i),
                             got = keys_value(keys, ids[b][i], (uint32_t)c);
                cr_assert(value_same(&want, &got));
            }
        }
    for (uint32_t i = 0; i < keys_count(keys); i++) /* numbers are not given twice */
        for (uint32_t k = i + 1; k < keys_count(keys); k++) {
            bool same = true;
            for (uint32_t c = 0; c < COLUMNS; c++) {
                struct value a = keys_value(keys, i, c), b = keys_value(keys, k, c);
                same = same && value_same(&a, &b);
            }
            cr_assert(!same);
        }
    cr_assert(keys_find(keys, batches[0], ROWS, found) && memcmp(found, ids[0], sizeof found) == 0);
    cr_assert(keys_merge(merged, keys, map) && keys_count(merged) == keys_count(keys));
    for (uint32_t i = 0; i < keys_count(keys); i++) cr_assert(map[i] == i);
}

Test(keys, find_adds_nothing)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    static const uint8_t types[] = {TYPE_STRING};
    struct keys *keys = keys_new(&arena, types, 1);
    struct value a = value_str(RF_S("a")), b = value_str(RF_S("b"));
    struct vec va, vb;
    uint32_t id;
    cr_assert(vec_const(&arena, &a, &va) && vec_const(&arena, &b, &vb));
    cr_assert(keys_add(keys, &va, 1, &id) && id == 0);
    cr_assert(keys_find(keys, &vb, 1, &id) && id == KEYS_NONE && keys_count(keys) == 1);
    cr_assert(keys_add(keys, &vb, 1, &id) && id == 1);
    cr_assert(keys_find(keys, &vb, 1, &id) && id == 1);
}
