#include "value/value.h"

#include "test/rf_prop.h"
#include "value/decimal.h"
#include "value/dyn.h"

/* A random value of a type; texts and dynamics are made in `arena`. */
static struct value random_value(struct rf_prng *prng, enum type type, struct rf_arena *arena)
{
    uint8_t raw[24];
    rf_str text = rf_test_bytes(prng, raw, sizeof raw, "ab\xc3\xbc");
    struct rf_buf buf = rf_buf_in(arena);
    struct guid guid = {{0}};
    if (type != TYPE_STRING && rf_test_one_in(prng, 6)) return value_null(type);
    switch (type) {
    case TYPE_BOOL:
        return value_bool(rf_test_bool(prng));
    case TYPE_INT:
        return value_i64(TYPE_INT, (int32_t)rf_test_i64(prng));
    case TYPE_REAL:
        return value_real(rf_test_real(prng));
    case TYPE_DECIMAL:
        return value_decimal(decimal_from_i64(rf_test_i64(prng)));
    case TYPE_GUID:
        guid.bytes[rf_test_below(prng, 16)] = (uint8_t)rf_test_u64(prng);
        return value_guid(guid);
    case TYPE_STRING:
        cr_assert(rf_arena_str(arena, text, &text));
        return value_str(text);
    case TYPE_DYNAMIC:
        if (rf_test_bool(prng))
            dyn_put_string(&buf, text);
        else
            dyn_put_long(&buf, rf_test_i64(prng));
        cr_assert(!buf.failed);
        return value_dyn(dyn_done(&buf));
    default:
        return value_i64(type, rf_test_i64(prng));
    }
}

static struct vec random_flat(struct rf_prng *prng, enum type type, uint32_t count,
                              struct rf_arena *arena)
{
    struct vec v;
    cr_assert(vec_flat(arena, type, count, &v));
    bool nulls = rf_test_bool(prng);
    if (nulls) cr_assert(vec_need_nulls(arena, &v, count) != NULL);
    for (uint32_t i = 0; i < count; i++) {
        struct value value;
        do value = random_value(prng, type, arena);
        while (value.null && !nulls);
        vec_set(&v, i, &value);
    }
    return v;
}

/* A vector of any shape with `count` rows. */
static struct vec random_vec(struct rf_prng *prng, enum type type, uint32_t count,
                             struct rf_arena *arena)
{
    struct vec out;
    uint64_t shape = rf_test_below(prng, 3);
    if (shape == VEC_FLAT) return random_flat(prng, type, count, arena);
    if (shape == VEC_CONST) {
        struct value value = random_value(prng, type, arena);
        cr_assert(vec_const(arena, &value, &out));
        return out;
    }
    uint32_t entries = 1 + (uint32_t)rf_test_len(prng, 700);
    out = random_flat(prng, type, entries, arena);
    uint32_t *codes = rf_arena_raw(arena, uint32_t, count);
    cr_assert(codes != NULL);
    for (uint32_t i = 0; i < count; i++)
        codes[i] = rf_test_one_in(prng, 3) && i > 0 ? codes[i - 1]
                                                    : (uint32_t)rf_test_below(prng, entries);
    out.shape = VEC_DICT;
    out.dict_count = entries;
    out.codes = codes;
    return out;
}

static void assert_rows_equal(const struct vec *a, const uint32_t *a_rows, const struct vec *b,
                              uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct value x = vec_value(a, a_rows == NULL ? i : a_rows[i]), y = vec_value(b, i);
        cr_assert(x.null == y.null && value_same(&x, &y), "row %u", i);
    }
}

RF_PROP(vec_flatten_select_and_hash_keep_the_values, 1000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 32 << 20);
    uint32_t count = 1 + (uint32_t)rf_test_len(prng, BATCH_ROWS - 1), kept = 0;
    struct vec v = random_vec(prng, (enum type)rf_test_below(prng, TYPE_COUNT), count, &arena);
    struct vec flat, selected, again;
    cr_assert(vec_flatten(&arena, &v, count, &flat) && flat.shape == VEC_FLAT);
    assert_rows_equal(&v, NULL, &flat, count);

    static uint32_t rows[BATCH_ROWS];
    for (uint32_t i = 0; i < count; i++)
        if (rf_test_bool(prng)) rows[kept++] = i;
    cr_assert(vec_select(&arena, &v, rows, kept, &selected));
    assert_rows_equal(&v, rows, &selected, kept);
    for (uint32_t i = 0; i < kept && selected.shape == VEC_DICT; i++)
        cr_assert(selected.codes[i] < selected.dict_count);
    cr_assert(vec_flatten(&arena, &selected, kept, &again));
    assert_rows_equal(&selected, NULL, &again, kept);

    static uint64_t hash[BATCH_ROWS], mixed[BATCH_ROWS];
    memset(hash, 0, sizeof hash);
    vec_hash(&v, count, false, hash);
    for (uint32_t i = 0; i < count; i++) mixed[i] = i;
    vec_hash(&v, count, true, mixed);
    for (uint32_t i = 0; i < count; i++) {
        struct value value = vec_value(&v, i);
        cr_assert(hash[i] == value_hash(&value), "row %u", i);
        cr_assert(mixed[i] == rf_hash_mix(i, hash[i]), "row %u", i);
    }
}

Test(vec, const_copies_its_value)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    char text[] = "abc";
    struct value value = value_str(rf_str_of(text)), null = value_null(TYPE_GUID);
    struct vec v;
    cr_assert(vec_const(&arena, &value, &v));
    text[0] = 'x';
    cr_assert(rf_str_is(vec_str(&v, 1000), "abc") && !vec_null(&v, 3));
    cr_assert(vec_const(&arena, &null, &v) && vec_null(&v, 77) && vec_value(&v, 5).null);
}

Test(vec, lack_of_memory_is_told)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1024);
    struct value one = value_long(1);
    struct vec v, flat;
    cr_assert(!vec_flat(&arena, TYPE_GUID, 2048, &v));
    cr_assert(vec_const(&arena, &one, &v) && !vec_flatten(&arena, &v, 2048, &flat));
}
