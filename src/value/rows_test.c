#include "value/value.h"

#include "test/rf_prop.h"

enum { COLUMNS = 4, MODEL_MAX = 3 * BATCH_ROWS };
static const uint8_t column_types[COLUMNS] = {TYPE_LONG, TYPE_STRING, TYPE_BOOL, TYPE_GUID};

/* What the rows should hold: one number per row decides all its cells. */
static struct value cell(uint64_t number, uint32_t column, char text[32])
{
    struct guid guid = {{0}};
    memcpy(guid.bytes, &number, sizeof number);
    if (number % 7 == 0 && column != 1) return value_null((enum type)column_types[column]);
    switch (column) {
    case 0:
        return value_long((int64_t)number);
    case 1:
        return value_str(
            rf_str_make(text, (size_t)snprintf(text, 32, "%.*s%llu", (int)(number % 9),
                                               "xxxxxxxxxxxx", (unsigned long long)number)));
    case 2:
        return value_bool(number % 2 == 1);
    default:
        return value_guid(guid);
    }
}

static void assert_cell(uint64_t number, uint32_t column, struct value got)
{
    char text[32];
    struct value want = cell(number, column, text);
    cr_assert(want.null == got.null && value_same(&want, &got), "number %llu column %u",
              (unsigned long long)number, column);
}

/* A batch whose columns are flat, dictionaries or constants and whose row i is numbers[i]. */
static struct batch make_batch(struct rf_prng *prng, uint64_t *numbers, uint32_t count,
                               uint64_t dict_id, struct rf_arena *arena)
{
    uint64_t shape = rf_test_below(prng, 3),
             entries = shape == VEC_CONST ? 1 : 1 + rf_test_below(prng, 50);
    if (shape == VEC_FLAT) entries = count;
    uint32_t *codes = rf_arena_raw(arena, uint32_t, count);
    struct vec *columns = rf_arena_new(arena, struct vec, COLUMNS);
    cr_assert(codes != NULL && columns != NULL);
    uint64_t first = dict_id != 0 ? dict_id * 1000 : rf_test_below(prng, 1000000);
    for (uint32_t c = 0; c < COLUMNS; c++) {
        struct vec *v = &columns[c];
        cr_assert(vec_flat(arena, (enum type)column_types[c], (uint32_t)entries, v));
        cr_assert(vec_need_nulls(arena, v, (uint32_t)entries) != NULL);
        for (uint32_t e = 0; e < entries; e++) {
            char text[32];
            struct value copy, value = cell(first + e, c, text);
            cr_assert(value_copy(&value, arena, &copy));
            vec_set(v, e, &copy);
        }
        if (shape == VEC_FLAT) continue;
        v->shape = (uint8_t)shape;
        v->codes = codes;
        v->dict_count = (uint32_t)entries;
        v->dict_id = dict_id;
    }
    for (uint32_t i = 0; i < count; i++) {
        codes[i] = (uint32_t)rf_test_below(prng, entries);
        numbers[i] = first + (shape == VEC_FLAT ? i : codes[i] * (shape == VEC_DICT));
    }
    return (struct batch){.row_count = count, .column_count = COLUMNS, .columns = columns};
}

RF_PROP(rows_give_back_what_was_appended, 200)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(rf_arena_done) struct rf_arena batch_arena;
    rf_arena_init(&arena, 64 << 20);
    rf_arena_init(&batch_arena, 64 << 20);
    static uint64_t model[MODEL_MAX];
    uint64_t count = 0;
    struct rows *rows = rows_new(&arena, column_types, COLUMNS);
    cr_assert(rows != NULL);
    while (count < MODEL_MAX && !rf_test_one_in(prng, 30)) {
        uint32_t more =
            (uint32_t)rf_test_len(prng, RF_MIN((uint64_t)BATCH_ROWS, MODEL_MAX - count));
        /* A dictionary with a number keeps its entries; its number of entries may differ by shape.
         */
        struct batch batch = make_batch(prng, model + count, more, 0, &batch_arena);
        cr_assert(rows_append(rows, &batch));
        count += more;
        rf_arena_reset(&batch_arena);
    }
    cr_assert(rows_count(rows) == count);
    for (uint64_t i = 0; i < count; i++)
        for (uint32_t c = 0; c < COLUMNS; c++) assert_cell(model[i], c, rows_value(rows, i, c));

    for (uint64_t from = 0; from <= count; from += BATCH_ROWS) {
        struct batch batch;
        cr_assert(rows_batch(rows, from, &batch_arena, &batch));
        cr_assert(batch.row_count == RF_MIN(count - from, (uint64_t)BATCH_ROWS));
        for (uint32_t i = 0; i < batch.row_count; i++)
            for (uint32_t c = 0; c < COLUMNS; c++)
                assert_cell(model[from + i], c, vec_value(&batch.columns[c], i));
    }

    uint64_t numbers[100];
    struct batch batch;
    for (size_t i = 0; i < RF_COUNT(numbers); i++)
        numbers[i] =
            count == 0 || rf_test_one_in(prng, 5) ? UINT64_MAX : rf_test_below(prng, count);
    cr_assert(rows_gather(rows, numbers, RF_COUNT(numbers), &batch_arena, &batch));
    for (uint32_t i = 0; i < batch.row_count; i++) {
        for (uint32_t c = 0; c < COLUMNS; c++) {
            struct value got = vec_value(&batch.columns[c], i);
            if (numbers[i] != UINT64_MAX)
                assert_cell(model[numbers[i]], c, got);
            else
                cr_assert(column_types[c] == TYPE_STRING ? !got.null && got.s.len == 0 : got.null);
        }
    }
}

static struct vec dictionary(const rf_str *entries, const uint32_t *codes, uint32_t count,
                             uint64_t id)
{
    return (struct vec){.type = TYPE_STRING,
                        .shape = VEC_DICT,
                        .dict_count = count,
                        .dict_id = id,
                        .data = entries,
                        .codes = codes};
}

Test(rows, keep_an_entry_of_a_lasting_dictionary_once)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    const uint8_t types[] = {TYPE_STRING};
    struct rows *rows = rows_new(&arena, types, 1);
    rf_str first[] = {RF_S("one"), RF_S("two")}, second[] = {RF_S("three"), RF_S("four")};
    uint32_t codes[] = {0, 1, 0};
    struct vec columns[] = {dictionary(first, codes, 2, 7), dictionary(first, codes, 2, 7),
                            dictionary(second, codes, 2, 8)};
    for (size_t i = 0; i < RF_COUNT(columns); i++) {
        struct batch batch = {.row_count = 3, .column_count = 1, .columns = &columns[i]};
        cr_assert(rows_append(rows, &batch));
    }
    cr_assert(rows_value(rows, 0, 0).s.ptr == rows_value(rows, 5, 0).s.ptr, "the same bytes");
    cr_assert(rows_value(rows, 0, 0).s.ptr != first[0].ptr, "but copied");
    cr_assert(rf_str_is(rows_value(rows, 4, 0).s, "two") &&
              rf_str_is(rows_value(rows, 6, 0).s, "three"));
    cr_assert(rf_str_is(rows_value(rows, 7, 0).s, "four"));
}

Test(rows, without_columns_only_count)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rows *rows = rows_new(&arena, NULL, 0);
    struct batch batch = {.row_count = 2000}, out;
    cr_assert(rows_append(rows, &batch) && rows_append(rows, &batch) && rows_count(rows) == 4000);
    cr_assert(rows_batch(rows, BATCH_ROWS, &arena, &out) && out.row_count == 4000 - BATCH_ROWS);
}

Test(rows, every_lack_of_memory_is_told)
{
    /* The budget is raised until all fits; each smaller one must fail cleanly. */
    static const uint8_t types[] = {TYPE_LONG, TYPE_STRING};
    bool fits = false;
    for (size_t limit = 100; !fits; limit += 997) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        RF_CLEANUP(rf_arena_done) struct rf_arena batches;
        rf_arena_init(&arena, limit);
        rf_arena_init(&batches, 1 << 20);
        struct value number = value_long(5), text = value_str(RF_S("some text that takes room"));
        struct vec columns[2];
        cr_assert(vec_const(&batches, &number, &columns[0]) &&
                  vec_const(&batches, &text, &columns[1]));
        struct batch batch = {.row_count = 1500, .column_count = 2, .columns = columns};
        struct rows *rows = rows_new(&arena, types, 2);
        fits = rows != NULL && rows_append(rows, &batch) && rows_append(rows, &batch);
        if (fits) cr_assert(rows_value(rows, 2999, 0).i == 5);
    }
}
