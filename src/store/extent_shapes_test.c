#include "store/extent_shapes.h"

#include "base/fs_fault.h"
#include "test/rf_prop.h"

/* ---- a table of one dynamic column, and its values as they went in ------------------------------------------- */

enum { KEYS_MAX = 3 };

struct world {
    struct rf_fs_fault *fault;
    struct rf_budget budget;
    struct rf_arena arena;
    struct extent_options options;
    rf_str *values; /* empty: null */
    uint32_t count;
    uint64_t file_bytes;
};

static void world_init(struct world *w, uint32_t count)
{
    *w = (struct world){.fault = rf_fs_fault_new(1), .count = count};
    rf_budget_init(&w->budget, (size_t)1 << 30);
    rf_arena_init(&w->arena, (size_t)1 << 30);
    w->options = (struct extent_options){.fs = rf_fs_fault_fs(w->fault), .budget = &w->budget};
    w->values = rf_arena_new(&w->arena, rf_str, count);
}

static void world_done(struct world *w)
{
    rf_fs_fault_free(w->fault);
    rf_arena_done(&w->arena);
    cr_assert(atomic_load(&w->budget.used_bytes) == 0, "%zu bytes were not given back",
              atomic_load(&w->budget.used_bytes));
}

/* Times fall, so that the extent turns the rows around. */
static void seal(struct world *w)
{
    struct extent_column columns[] = {{RF_S("TimeGenerated"), TYPE_DATETIME},
                                      {RF_S("D"), TYPE_DYNAMIC}};
    struct extent_writer *writer;
    struct extent_info info;
    struct rf_err err;
    cr_assert(extent_writer_new(&w->options, columns, 2, &writer, &err) == RF_OK);
    for (uint32_t from = 0; from < w->count; from += BATCH_ROWS) {
        uint32_t n = RF_MIN((uint32_t)BATCH_ROWS, w->count - from);
        int64_t times[BATCH_ROWS];
        uint8_t nulls[BATCH_ROWS];
        for (uint32_t i = 0; i < n; i++) {
            times[i] = DATETIME_UNIX_EPOCH + (w->count - from - i);
            nulls[i] = w->values[from + i].len == 0;
        }
        struct vec vecs[] = {
            {.type = TYPE_DATETIME, .shape = VEC_FLAT, .data = times},
            {.type = TYPE_DYNAMIC, .shape = VEC_FLAT, .data = w->values + from, .nulls = nulls}};
        struct batch batch = {n, 2, vecs, NULL};
        cr_assert(extent_append(writer, &batch, &err) == RF_OK, "%s", err.text);
    }
    cr_assert(extent_seal(writer, "/e", &info, &err) == RF_OK, "%s", err.text);
    w->file_bytes = info.file_bytes;
    extent_writer_free(writer);
}

static rf_str value_of(const struct world *w, uint32_t row)
{
    return w->values[w->count - 1 - row];
}

static rf_str json(struct world *w, const char *fmt, ...) RF_PRINTF(2, 3);
static rf_str json(struct world *w, const char *fmt, ...)
{
    char text[4096];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct rf_buf buf = rf_buf_in(&w->arena);
    struct rf_err err;
    cr_assert(dyn_parse_json(rf_str_make(text, (size_t)len), &buf, &err) == RF_OK, "%s", text);
    return dyn_done(&buf);
}

/* ---- values --------------------------------------------------------------------------------------------------- */

static const char *const numbers[] = {"1e3", "1.10", "0", "-0", "-0.0", "12345678901234567890123",
                                      "0.5", "-7"};

static rf_str every_scalar(struct world *w, struct rf_prng *prng)
{
    struct rf_buf buf = rf_buf_in(&w->arena);
    struct dyn_builder bag;
    struct guid guid = {{1, 2, (uint8_t)rf_test_below(prng, 256)}};
    struct value values[] = {
        value_bool(rf_test_bool(prng)),
        value_i64(TYPE_INT, (int32_t)rf_test_u64(prng)),
        value_long(rf_test_i64(prng)),
        value_real(rf_test_real(prng)),
        value_i64(TYPE_DATETIME, (int64_t)(rf_test_u64(prng) % (uint64_t)DATETIME_MAX)),
        value_i64(TYPE_TIMESPAN, rf_test_i64(prng)),
        value_guid(guid),
        value_decimal((struct decimal){.lo = rf_test_below(prng, 9), .hi = (uint64_t)2 << 49}),
        value_str(RF_S("text")),
    };
    dyn_begin(&bag, &buf, DYN_BAG);
    for (size_t i = 0; i < RF_COUNT(values); i++) {
        char key[2] = {(char)('a' + i), 0};
        dyn_key(&bag, rf_str_of(key));
        if (rf_test_one_in(prng, 9))
            dyn_put_null(&buf);
        else
            dyn_put_value(&buf, &values[i]);
    }
    dyn_end(&bag);
    return dyn_done(&buf);
}

static rf_str deep(struct world *w, struct rf_prng *prng)
{
    char text[1024];
    size_t len = 0;
    uint64_t depth = rf_test_below(prng, 100) + 1;
    for (uint64_t i = 0; i < depth; i++) len += (size_t)sprintf(text + len, "{\"d\":");
    len += (size_t)sprintf(text + len, "%u", (unsigned)rf_test_below(prng, 1000));
    for (uint64_t i = 0; i < depth; i++) text[len++] = '}';
    text[len] = 0;
    return json(w, "%s", text);
}

static rf_str odd_value(struct world *w, struct rf_prng *prng)
{
    unsigned n = (unsigned)rf_test_u64(prng);
    switch (rf_test_below(prng, 8)) {
    case 0:
        return (rf_str){0};
    case 1:
        return json(w, "{\"key%u\":%u}", n, n);
    case 2:
        return deep(w, prng);
    case 3:
        return json(w, "[%u,{\"a\":[]}]", n);
    case 4:
        return json(w, "\"text %u\"", n);
    case 5:
        return json(w, "{}");
    case 6:
        return json(w, "%s", numbers[n % RF_COUNT(numbers)]);
    default:
        return every_scalar(w, prng);
    }
}

static rf_str event(struct world *w, struct rf_prng *prng, uint32_t row)
{
    unsigned n = (unsigned)rf_test_u64(prng);
    switch (rf_test_below(prng, 5)) {
    case 0:
        return json(w, "{\"id\":\"%08x-%u\",\"pid\":%u,\"user\":\"user%u\",\"ok\":%s}", n, row,
                    n % 500, n % 9, n % 3 ? "true" : "false");
    case 1:
        return json(w,
                    "{\"id\":\"%08x-%u\",\"in\":{\"user\":\"u%u\",\"empty\":{},\"list\":[%u,%s],"
                    "\"deep\":{\"x\":%u,\"y\":\"%x\"}},\"n\":%s}",
                    n, row, n % 7, n % 4, n % 2 ? "1.50" : "null", n % 70000, n,
                    numbers[n % RF_COUNT(numbers)]);
    case 2:
        return json(w, "{\"id\":\"%08x-%u\",\"pid\":%s,\"in\":%s,\"user\":\"\"}", n, row,
                    n % 5 ? "17" : "null", n % 2 ? "{\"user\":\"x\"}" : "\"no bag\"");
    case 3:
        return every_scalar(w, prng);
    default:
        return json(w, "{\"id\":\"%08x-%u\",\"real\":%u.%02u5,\"\":\"%u\"}", n, row, n % 90,
                    n % 100, n % 1000);
    }
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static const struct {
    rf_str keys[KEYS_MAX];
    uint32_t count;
} paths[] = {{{{0}}, 0},
             {{RF_S("id")}, 1},
             {{RF_S("pid")}, 1},
             {{RF_S("user")}, 1},
             {{RF_S("in")}, 1},
             {{RF_S("in"), RF_S("user")}, 2},
             {{RF_S("in"), RF_S("deep"), RF_S("x")}, 3},
             {{RF_S("in"), RF_S("deep")}, 2},
             {{RF_S("in"), RF_S("list")}, 2},
             {{RF_S("in"), RF_S("list"), RF_S("x")}, 3},
             {{RF_S("")}, 1},
             {{RF_S("n")}, 1},
             {{RF_S("d"), RF_S("d")}, 2},
             {{RF_S("a")}, 1},
             {{RF_S("real"), RF_S("x")}, 2},
             {{RF_S("missing")}, 1}};

static struct extent_cursor *open_cursor(struct world *w, struct extent *e)
{
    struct extent_want wants[RF_COUNT(paths)];
    struct extent_cursor *cursor;
    struct rf_err err;
    for (size_t i = 0; i < RF_COUNT(paths); i++)
        wants[i] = (struct extent_want){1, paths[i].keys, paths[i].count};
    cr_assert(extent_cursor_of(e, wants, RF_COUNT(paths), NULL, 0, &w->budget, &cursor, &err) ==
              RF_OK);
    return cursor;
}

static void check_vec(const struct world *w, size_t path, const struct vec *v, uint32_t from,
                      const uint32_t *rows, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = from + (rows == NULL ? i : rows[i]);
        rf_str want = shape_walk(value_of(w, row), paths[path].keys, paths[path].count);
        bool null = paths[path].count > 0 ? dyn_is_null(want) : want.len == 0;
        cr_assert(vec_null(v, i) == null, "row %u of path %zu", row, path);
        cr_assert(null || rf_str_eq(vec_str(v, i), want), "row %u of path %zu", row, path);
    }
}

static void check(struct world *w, struct rf_prng *prng, enum extent_storage storage)
{
    struct extent *e;
    struct rf_err err;
    uint64_t blocks;
    uint32_t count, from = 0, rows[BATCH_ROWS];
    cr_assert(extent_open(&w->options, "/e", &e, &err) == RF_OK, "%s", err.text);
    cr_assert(e->columns[1].storage == storage, "%d", e->columns[1].storage);
    struct extent_cursor *cursor = open_cursor(w, e);
    for (;; from += count) {
        struct vec v;
        cr_assert(extent_cursor_seek(cursor, &count, &err) == RF_OK, "%s", err.text);
        if (count == 0) break;
        uint64_t share = rf_test_one_in(prng, 2) ? 100 : 2;
        uint32_t picked = 0;
        for (uint32_t i = 0; i < count; i++)
            if (rf_test_one_in(prng, share)) rows[picked++] = i;
        for (size_t k = 0; k < RF_COUNT(paths); k++) {
            cr_assert(extent_cursor_column(cursor, (uint32_t)k, NULL, count, &v, &err) == RF_OK,
                      "%s", err.text);
            check_vec(w, k, &v, from, NULL, count);
        }
        for (size_t k = 0; k < RF_COUNT(paths); k++) {
            cr_assert(extent_cursor_column(cursor, (uint32_t)k, rows, picked, &v, &err) == RF_OK);
            check_vec(w, k, &v, from, rows, picked);
        }
    }
    cr_assert(from == w->count);
    extent_cursor_free(cursor);
    cr_assert(extent_verify(e, &blocks, &err) == RF_OK, "%s", err.text);
    extent_free(e);
}

RF_PROP(extent_shapes_give_values_and_paths_back, 12)
{
    struct world w;
    world_init(&w, 3000 + (uint32_t)rf_test_below(prng, 6000));
    for (uint32_t i = 0; i < w.count; i++)
        w.values[i] = rf_test_one_in(prng, 6) ? odd_value(&w, prng) : event(&w, prng, i);
    seal(&w);
    check(&w, prng, EXTENT_SHAPES);
    world_done(&w);
}

/* Kinds of rows that come in runs, so that blocks differ in what they hold. */
Test(extent_shapes, of_several_blocks)
{
    struct rf_prng prng = {5, 100};
    struct world w;
    world_init(&w, 2 * EXTENT_BLOCK_ROWS + 100);
    for (uint32_t i = 0; i < w.count; i++)
        w.values[i] = i < EXTENT_BLOCK_ROWS + 777 ? json(&w, "{\"id\":\"%u\",\"pid\":%u}", i, i % 7)
                                                  : event(&w, &prng, i);
    seal(&w);
    check(&w, &prng, EXTENT_SHAPES);
    world_done(&w);
}

Test(extent_shapes, paths_of_columns_without_them)
{
    struct rf_prng prng = {6, 100};
    struct world w;
    world_init(&w, 5000);
    rf_str few[20];
    for (uint32_t i = 0; i < RF_COUNT(few); i++) few[i] = event(&w, &prng, i);
    for (uint32_t i = 0; i < w.count; i++) w.values[i] = few[rf_test_below(&prng, RF_COUNT(few))];
    seal(&w);
    check(&w, &prng, EXTENT_DICT);
    world_done(&w);

    /* Ever new keys. */
    world_init(&w, 5000);
    for (uint32_t i = 0; i < w.count; i++)
        w.values[i] = json(&w, "{\"key%u\":%u,\"in\":{\"user\":\"%u\"}}", i, i, i % 10);
    seal(&w);
    check(&w, &prng, EXTENT_TEXTS);
    world_done(&w);
}

/* Ever new keys in an inner bag make that bag a leaf. */
Test(extent_shapes, of_a_bag_that_holds_maps)
{
    struct rf_prng prng = {7, 100};
    struct world w;
    world_init(&w, 5000);
    for (uint32_t i = 0; i < w.count; i++)
        w.values[i] = json(&w, "{\"id\":\"%u\",\"pid\":%u,\"in\":{\"k%u\":1,\"user\":\"%u\"}}", i,
                           i % 9, i, i % 10);
    seal(&w);
    check(&w, &prng, EXTENT_SHAPES);
    world_done(&w);
}

/* ---- damage -------------------------------------------------------------------------------------------------------- */

/* The hash of all values, or false. */
static bool read_all(struct world *w, uint64_t *hash)
{
    struct extent *e;
    struct rf_err err;
    uint32_t count;
    *hash = 0;
    enum rf_kind kind = extent_open(&w->options, "/e", &e, &err);
    if (kind != RF_OK) return false;
    struct extent_cursor *cursor = open_cursor(w, e);
    for (;;) {
        struct vec v;
        kind = extent_cursor_seek(cursor, &count, &err);
        if (kind != RF_OK || count == 0) break;
        for (size_t k = 0; k < RF_COUNT(paths) && kind == RF_OK; k++) {
            kind = extent_cursor_column(cursor, (uint32_t)k, NULL, count, &v, &err);
            for (uint32_t i = 0; i < count && kind == RF_OK; i++) {
                struct value value = vec_value(&v, i);
                *hash = rf_hash_mix(*hash, value.null ? 0 : value_hash(&value));
            }
        }
        if (kind != RF_OK) break;
    }
    extent_cursor_free(cursor);
    extent_free(e);
    return kind == RF_OK;
}

RF_PROP(extent_shapes_tell_bit_flips, 4)
{
    struct world w;
    uint64_t good, got, told = 0;
    world_init(&w, 2500);
    for (uint32_t i = 0; i < w.count; i++)
        w.values[i] = rf_test_one_in(prng, 8) ? odd_value(&w, prng) : event(&w, prng, i);
    seal(&w);
    cr_assert(read_all(&w, &good));
    for (int i = 0; i < 80; i++) {
        uint64_t at = rf_test_below(prng, w.file_bytes);
        unsigned bit = (unsigned)rf_test_below(prng, 8);
        cr_assert(rf_fs_fault_flip(w.fault, "/e", at, bit));
        bool whole = read_all(&w, &got);
        cr_assert(!whole || got == good, "byte %llu", (unsigned long long)at);
        told += !whole;
        cr_assert(rf_fs_fault_flip(w.fault, "/e", at, bit));
    }
    cr_assert(told > 20, "most bytes count");
    world_done(&w);
}

/* ---- sets ------------------------------------------------------------------------------------------------------------- */

/* Bytes of any kind are a set or are refused, and what is a set can be used. */
RF_PROP(shape_sets_of_any_bytes, 3000)
{
    /* Two leaves; a bag of the leaf "k" and of an inner bag with the leaf "l". */
    uint8_t bytes[] = {1,   0, 2, 0, DYN_STRING, DYN_LONG, 4, 0, 1,   2, 0, 0, 0, 0, 1, 0, 0,  0,
                       'k', 1, 1, 0, 1,          0,        0, 0, 'm', 0, 1, 0, 1, 0, 0, 0, 'l'};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct shape_set set;
    size_t len = sizeof bytes;
    uint64_t changes = rf_test_below(prng, 4);
    for (uint64_t i = 0; i < changes; i++)
        bytes[rf_test_below(prng, len)] =
            (uint8_t)rf_test_below(prng, rf_test_bool(prng) ? 4 : 256);
    if (changes > 0 && rf_test_one_in(prng, 5)) len = (size_t)rf_test_below(prng, len);
    enum rf_kind kind = shape_set_parse(rf_str_make(bytes, len), &arena, &set, NULL);
    cr_assert(kind == RF_OK || changes > 0);
    for (uint32_t i = 0; kind == RF_OK && i < set.count; i++) {
        rf_str text = RF_S("t"), any = RF_S("\1"), leaves[SHAPE_LEAVES_MAX];
        int64_t number = 7;
        struct shape_part part = shape_part_of(&set, &set.shapes[i], NULL, 0);
        struct shape_cells cells[SHAPE_LEAVES_MAX] = {{0}};
        for (uint32_t k = 0; k < set.leaf_count; k++) {
            enum type type = shape_leaf_type(set.leaf_tags[k]);
            cells[k].cells = type == TYPE_STRING    ? (const void *)&text
                             : type == TYPE_DYNAMIC ? (const void *)&any
                                                    : (const void *)&number;
        }
        if (part.from == part.to) continue;
        uint8_t *to = rf_arena_alloc(&arena, shape_part_bytes(&set, &set.shapes[i], &part) +
                                                 set.leaf_count + 1);
        rf_str value =
            rf_str_make(to, (size_t)(shape_put(&set, &set.shapes[i], &part, cells, to) - to));
        cr_assert(dyn_valid(value));
        if (dyn_is_null(value)) continue;
        cr_assert(shape_match(&set, &set.shapes[i], value, false, leaves));
    }
}
