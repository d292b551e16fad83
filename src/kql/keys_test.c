#include "base/pool.h"
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
    case TYPE_GUID:
        return value_guid((struct guid){{(uint8_t)rf_test_below(prng, 5)}});
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

/* A dictionary that comes with several batches, as a table's do. */
static void fill_from(struct rf_prng *prng, struct rf_arena *arena, const struct vec *dict,
                      uint32_t count, struct vec *out)
{
    uint32_t *codes = rf_arena_new(arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) codes[i] = (uint32_t)rf_test_below(prng, dict->dict_count);
    *out = *dict;
    out->codes = codes;
}

/* Types that make one interned column, one word with and without nulls of its own, and several words. */
static const struct key_types {
    uint8_t types[COLUMNS];
    uint8_t count;
} key_types[] = {
    {{TYPE_STRING}, 1},
    {{TYPE_GUID}, 1},
    {{TYPE_LONG}, 1},
    {{TYPE_REAL}, 1},
    {{TYPE_BOOL}, 1},
    {{TYPE_DATETIME}, 1},
    {{TYPE_INT}, 1},
    {{TYPE_STRING, TYPE_STRING}, 2},
    {{TYPE_GUID, TYPE_INT}, 2},
    {{TYPE_INT, TYPE_STRING}, 2},
    {{TYPE_BOOL, TYPE_STRING, TYPE_GUID}, 3},
    {{TYPE_STRING, TYPE_LONG, TYPE_REAL}, 3},
};

struct key_batch {
    struct vec columns[COLUMNS];
    uint32_t ids[ROWS];
};

static void check_keys(const struct keys *keys, const struct key_types *t,
                       const struct key_batch *batches, uint32_t batch_count)
{
    for (uint32_t b = 0; b < batch_count; b++)
        for (uint32_t i = 0; i < ROWS; i++) {
            cr_assert(batches[b].ids[i] < keys_count(keys));
            for (uint32_t c = 0; c < t->count; c++) {
                struct value want = vec_value(&batches[b].columns[c], i),
                             got = keys_value(keys, batches[b].ids[i], c);
                cr_assert(value_same(&want, &got));
            }
        }
    for (uint32_t i = 0; i < keys_count(keys); i++) /* numbers are not given twice */
        for (uint32_t k = i + 1; k < keys_count(keys); k++) {
            bool same = true;
            for (uint32_t c = 0; c < t->count; c++) {
                struct value a = keys_value(keys, i, c), b = keys_value(keys, k, c);
                same = same && value_same(&a, &b);
            }
            cr_assert(!same);
        }
}

static void check_columns(const struct keys *keys, const struct key_types *t,
                          struct rf_arena *arena)
{
    uint32_t from = keys_count(keys) / 3, count = keys_count(keys) - from;
    for (uint32_t c = 0; c < t->count; c++) {
        struct vec v;
        cr_assert(keys_column(keys, c, from, count, arena, &v));
        for (uint32_t i = 0; i < count; i++) {
            struct value want = keys_value(keys, from + i, c), got = vec_value(&v, i);
            cr_assert(value_same(&want, &got) && want.null == got.null);
        }
    }
}

/* Equal numbers exactly where all columns are the same, and each number gives its key back; merged keys are the same keys. */
RF_PROP(keys_number_equal_rows_alike, 600)
{
    enum { BATCHES = 4 };
    const struct key_types *t = &key_types[rf_test_below(prng, RF_COUNT(key_types))];
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64u << 20);
    /* The first two batches go to one lane, the others to another. */
    struct keys *lanes[2] = {keys_new(&arena, t->types, t->count),
                             keys_new(&arena, t->types, t->count)};
    struct key_batch *batches = rf_arena_new(&arena, struct key_batch, BATCHES);
    struct vec dicts[COLUMNS];
    uint32_t *map = rf_arena_new(&arena, uint32_t, BATCHES * ROWS), found[ROWS];
    for (uint32_t c = 0; c < t->count; c++) {
        do fill(prng, &arena, (enum type)t->types[c], ROWS, &dicts[c]);
        while (dicts[c].shape != VEC_DICT);
        dicts[c].dict_id = 1 + c;
    }
    for (uint32_t b = 0; b < BATCHES; b++) {
        for (uint32_t c = 0; c < t->count; c++)
            if (rf_test_below(prng, 2) == 0)
                fill(prng, &arena, (enum type)t->types[c], ROWS, &batches[b].columns[c]);
            else
                fill_from(prng, &arena, &dicts[c], ROWS, &batches[b].columns[c]);
        cr_assert(keys_find(lanes[b / 2], batches[b].columns, ROWS, found));
        cr_assert(keys_add(lanes[b / 2], batches[b].columns, ROWS, batches[b].ids));
        for (uint32_t i = 0; i < ROWS; i++)
            cr_assert(found[i] == KEYS_NONE || found[i] == batches[b].ids[i]);
        cr_assert(keys_find(lanes[b / 2], batches[b].columns, ROWS, found));
        cr_assert(memcmp(found, batches[b].ids, sizeof found) == 0);
    }
    for (uint32_t lane = 0; lane < 2; lane++) {
        check_keys(lanes[lane], t, batches + 2 * lane, 2);
        check_columns(lanes[lane], t, &arena);
    }
    struct keys *reader = keys_reader(lanes[0], &arena);
    for (uint32_t b = 0; b < BATCHES; b++) {
        uint32_t want[ROWS];
        cr_assert(keys_find(lanes[0], batches[b].columns, ROWS, want));
        cr_assert(keys_find(reader, batches[b].columns, ROWS, found));
        cr_assert(memcmp(found, want, sizeof found) == 0);
    }
    cr_assert(keys_merge(lanes[0], lanes[1], map));
    for (uint32_t b = 2; b < BATCHES; b++)
        for (uint32_t i = 0; i < ROWS; i++) batches[b].ids[i] = map[batches[b].ids[i]];
    check_keys(lanes[0], t, batches, BATCHES);
    check_columns(lanes[0], t, &arena);
    for (uint32_t b = 0; b < BATCHES; b++) {
        cr_assert(keys_find(lanes[0], batches[b].columns, ROWS, found));
        cr_assert(memcmp(found, batches[b].ids, sizeof found) == 0);
    }
    struct keys *empty = keys_new(&arena, t->types, t->count);
    cr_assert(keys_merge(empty, lanes[0], map) && keys_count(empty) == keys_count(lanes[0]));
    for (uint32_t i = 0; i < keys_count(empty); i++) cr_assert(map[i] == i);
}

/* More texts than one batch, so that tables grow while a dictionary is being learnt. */
Test(keys, many_texts)
{
    enum { TEXTS = 20000 };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64u << 20);
    static const uint8_t types[] = {TYPE_STRING};
    struct keys *keys = keys_new(&arena, types, 1);
    rf_str *texts = rf_arena_new(&arena, rf_str, TEXTS);
    uint32_t codes[1000], ids[1000];
    for (uint32_t i = 0; i < TEXTS; i++) texts[i] = rf_arena_printf(&arena, "text %u", i);
    struct vec v = {.type = TYPE_STRING,
                    .shape = VEC_DICT,
                    .dict_count = TEXTS,
                    .dict_id = 7,
                    .data = texts,
                    .codes = codes};
    for (uint32_t at = 0; at < 2 * TEXTS; at += 1000) { /* backwards, and all of them twice */
        for (uint32_t i = 0; i < 1000; i++) codes[i] = TEXTS - 1 - (at + i) % TEXTS;
        cr_assert(keys_add(keys, &v, 1000, ids));
        for (uint32_t i = 0; i < 1000; i++) cr_assert(ids[i] == (at + i) % TEXTS);
    }
    cr_assert(keys_count(keys) == TEXTS);
    struct vec flat = {.type = TYPE_STRING, .shape = VEC_FLAT, .data = texts + 500};
    cr_assert(keys_find(keys, &flat, 1000, ids));
    for (uint32_t i = 0; i < 1000; i++) cr_assert(ids[i] == TEXTS - 1 - (i + 500));
}

/* So many rows that small words get a table of their own, then words of other kinds. */
Test(keys, many_small_words)
{
    enum { KEYS = 700, ROUNDS = 120 };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64u << 20);
    static const uint8_t types[] = {TYPE_LONG};
    struct keys *keys = keys_new(&arena, types, 1);
    int64_t cells[KEYS];
    uint32_t ids[KEYS];
    struct vec v = {.type = TYPE_LONG, .shape = VEC_FLAT, .data = cells};
    for (int64_t round = 0; round < ROUNDS; round++) {
        for (int64_t i = 0; i < KEYS; i++) cells[i] = round % 3 == 2 ? -i : i * (round % 3 + 1);
        cr_assert(keys_find(keys, &v, KEYS, ids));
        for (uint32_t i = 0; i < KEYS; i++)
            cr_assert(ids[i] == KEYS_NONE || keys_value(keys, ids[i], 0).i == cells[i]);
        cr_assert(keys_add(keys, &v, KEYS, ids));
        for (uint32_t i = 0; i < KEYS; i++) cr_assert(keys_value(keys, ids[i], 0).i == cells[i]);
    }
    cr_assert(keys_count(keys) == KEYS + KEYS / 2 + KEYS - 1);
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

struct reading {
    const struct keys *keys;
    const struct vec *columns; /* of the batches, two each */
    uint32_t (*ids)[ROWS];     /* of the batches, as adding gave them */
    uint32_t batch_count;
};

static enum rf_kind read_all(void *ctx, size_t job, unsigned worker, struct rf_err *err)
{
    const struct reading *r = ctx;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16u << 20);
    struct keys *reader = keys_reader(r->keys, &arena);
    uint32_t found[ROWS];
    (void)worker;
    for (uint32_t b = 0; b < r->batch_count && reader != NULL; b++) {
        uint32_t at = (b + (uint32_t)job) % r->batch_count;
        if (!keys_find(reader, r->columns + 2 * (size_t)at, ROWS, found) ||
            memcmp(found, r->ids[at], sizeof found) != 0)
            return RF_FAIL(err, RF_INVALID, "Test", "batch %u reads otherwise", at);
    }
    return reader == NULL ? rf_fail_memory(err, &arena) : RF_OK;
}

/* Readers look side by side, each at the batches in another order. */
RF_PROP(keys_readers_run_side_by_side, 30)
{
    enum { BATCHES = 12, READERS = 4 };
    const struct key_types *t = &key_types[rf_test_below(prng, RF_COUNT(key_types))];
    if (t->count > 2) return;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64u << 20);
    struct keys *keys = keys_new(&arena, t->types, t->count);
    struct vec *columns = rf_arena_new(&arena, struct vec, 2 * BATCHES), dicts[2];
    struct reading reading = {.keys = keys,
                              .columns = columns,
                              .ids = rf_arena_alloc(&arena, sizeof(uint32_t[BATCHES][ROWS])),
                              .batch_count = BATCHES};
    for (uint32_t c = 0; c < t->count; c++) {
        do fill(prng, &arena, (enum type)t->types[c], ROWS, &dicts[c]);
        while (dicts[c].shape != VEC_DICT);
        dicts[c].dict_id = 1 + c;
    }
    for (uint32_t b = 0; b < BATCHES; b++) {
        for (uint32_t c = 0; c < t->count; c++)
            if (b % 3 == 0)
                fill(prng, &arena, (enum type)t->types[c], ROWS, &columns[2 * b + c]);
            else
                fill_from(prng, &arena, &dicts[c], ROWS, &columns[2 * b + c]);
        cr_assert(keys_add(keys, &columns[(size_t)2 * b], ROWS, reading.ids[b]));
    }
    struct pool *pool;
    struct rf_err err;
    cr_assert(pool_new(READERS, &pool, &err) == RF_OK);
    enum rf_kind kind = pool_run(pool, READERS, read_all, &reading, &err);
    pool_free(pool);
    cr_assert(kind == RF_OK, "%s", err.text);
}
