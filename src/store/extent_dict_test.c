#include "base/fs_fault.h"
#include "store/extent_int.h"
#include "test/rf_prop.h"
#include "value/dyn.h"

/* Rows whose columns all have dictionaries of ENTRIES values: plain texts and typed ones, cells of 16 bytes, dynamics. */
enum { COLUMNS = 5, ENTRIES = 3000, ROWS = 20 * BATCH_ROWS };
enum { TEXT, ADDRESS, SESSION, PRICE, DETAILS };

static const struct extent_column columns[COLUMNS] = {
    {RF_S("Text"), TYPE_STRING},   {RF_S("Address"), TYPE_STRING},  {RF_S("Session"), TYPE_GUID},
    {RF_S("Price"), TYPE_DECIMAL}, {RF_S("Details"), TYPE_DYNAMIC},
};

struct world {
    struct rf_fs_fault *fault;
    struct rf_budget budget;
    struct rf_arena arena;
    struct extent_options options;
    struct extent_info info;
    struct value *entries; /* COLUMNS each */
    uint32_t *rows;        /* entry of each */
};

/* `number` behind `before`, then a guid, then `after`. */
static rf_str text_in(struct world *w, struct rf_prng *prng, const char *before, unsigned number,
                      const char *after)
{
    struct rf_buf buf = rf_buf_in(&w->arena);
    unsigned long long a = rf_test_u64(prng), b = rf_test_u64(prng);
    rf_buf_printf(&buf, "%s%u%s", before, number, after);
    rf_buf_printf(&buf, "%08llx-%04llx-4%03llx-%04llx-%012llx", a >> 32, a & 0xffff,
                  a >> 16 & 0xfff, b >> 48, b & 0xffffffffffff);
    return rf_buf_view(&buf);
}

static rf_str address_in(struct world *w, unsigned number)
{
    struct rf_buf buf = rf_buf_in(&w->arena);
    rf_buf_printf(&buf, "10.%u.%u.7", number / 250, number % 250);
    return rf_buf_view(&buf);
}

static void make_entry(struct world *w, struct rf_prng *prng, unsigned number, struct value *out)
{
    struct guid guid = {{0}};
    struct rf_buf dyn = rf_buf_in(&w->arena), json = rf_buf_in(&w->arena);
    rf_str id = text_in(w, prng, "", number, "");
    rf_buf_printf(&json, "{\"os\":\"Windows 11\",\"ok\":[true,%u],\"id\":\"%.*s\"}", number,
                  RF_FMT(id));
    cr_assert(dyn_parse_json(rf_buf_view(&json), &dyn, NULL) == RF_OK);
    memcpy(guid.bytes, &number, sizeof number);
    out[TEXT] = value_str(text_in(w, prng, "svchost.exe -k netsvcs -p -s ", number, " --id="));
    out[ADDRESS] = value_str(address_in(w, number));
    out[SESSION] = number == 77 ? value_null(TYPE_GUID) : value_guid(guid);
    out[PRICE] = value_decimal((struct decimal){.lo = number, .hi = (uint64_t)2 << 49});
    out[DETAILS] = number == 78 ? value_null(TYPE_DYNAMIC) : value_dyn(dyn_done(&dyn));
}

static void world_init(struct world *w, struct rf_prng *prng)
{
    struct extent_writer *writer;
    struct rf_err err;
    *w = (struct world){.fault = rf_fs_fault_new(rf_test_u64(prng))};
    rf_budget_init(&w->budget, (size_t)1 << 30);
    rf_arena_init(&w->arena, (size_t)1 << 28);
    w->options = (struct extent_options){.fs = rf_fs_fault_fs(w->fault), .budget = &w->budget};
    w->entries = rf_arena_new(&w->arena, struct value, ENTRIES * COLUMNS);
    w->rows = rf_arena_new(&w->arena, uint32_t, ROWS);
    for (unsigned i = 0; i < ENTRIES; i++) make_entry(w, prng, i, w->entries + i * COLUMNS);
    for (uint32_t i = 0; i < ROWS; i++) w->rows[i] = (uint32_t)rf_test_below(prng, ENTRIES);
    cr_assert(extent_writer_new(&w->options, columns, COLUMNS, &writer, &err) == RF_OK);
    for (uint32_t from = 0; from < ROWS; from += BATCH_ROWS) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 26);
        struct vec vecs[COLUMNS];
        for (int k = 0; k < COLUMNS; k++) {
            cr_assert(vec_flat(&arena, (enum type)columns[k].type, BATCH_ROWS, &vecs[k]));
            (void)vec_need_nulls(&arena, &vecs[k], BATCH_ROWS);
            for (uint32_t i = 0; i < BATCH_ROWS; i++)
                vec_set(&vecs[k], i, &w->entries[w->rows[from + i] * COLUMNS + (uint32_t)k]);
        }
        struct batch batch = {BATCH_ROWS, COLUMNS, vecs, &arena};
        cr_assert(extent_append(writer, &batch, &err) == RF_OK, "%s", err.text);
    }
    cr_assert(extent_seal(writer, "/e.rfx", &w->info, &err) == RF_OK, "%s", err.text);
    extent_writer_free(writer);
}

static void world_done(struct world *w)
{
    rf_fs_fault_free(w->fault);
    rf_arena_done(&w->arena);
    cr_assert(atomic_load(&w->budget.used_bytes) == 0);
}

static struct extent *open_extent(struct world *w)
{
    struct extent *e = NULL;
    struct rf_err err;
    cr_assert(extent_open(&w->options, "/e.rfx", &e, &err) == RF_OK, "%s", err.text);
    for (int k = 0; k < COLUMNS; k++) {
        cr_assert(e->columns[k].storage == EXTENT_DICT, "column %d", k);
        cr_assert(e->columns[k].dict_count > ENTRIES * 9 / 10, "%u of column %d",
                  e->columns[k].dict_count, k);
    }
    return e;
}

static bool same_value(const struct value *a, const struct value *b)
{
    if (a->null || b->null) return a->null == b->null;
    if (type_is_bytes((enum type)a->type)) return rf_str_eq(a->s, b->s);
    if (a->type == TYPE_DECIMAL) return a->d.lo == b->d.lo && a->d.hi == b->d.hi;
    return value_same(a, b);
}

static struct vec flat_of(uint32_t column, const void *cells, const uint8_t *nulls)
{
    return (struct vec){
        .type = columns[column].type, .shape = VEC_FLAT, .data = cells, .nulls = nulls};
}

static void check_few(struct world *w, struct rf_prng *prng, struct extent *e, uint32_t few,
                      uint32_t seen[])
{
    struct extent_cursor *cursor;
    struct rf_err err;
    uint32_t rows, first = 0;
    const uint32_t all[COLUMNS] = {0, 1, 2, 3, 4};
    cr_assert(extent_cursor_new(e, all, COLUMNS, NULL, 0, &w->budget, &cursor, &err) == RF_OK);
    for (;; first += rows) {
        cr_assert(extent_cursor_seek(cursor, &rows, &err) == RF_OK);
        if (rows == 0) break;
        uint32_t wanted[EXTENT_SPARSE_ROWS_MAX], n = 0, step = rows / few;
        for (; n < few; n++) wanted[n] = n * step + (uint32_t)rf_test_below(prng, step);
        for (uint32_t k = 0; k < COLUMNS; k++) {
            struct vec v;
            cr_assert(extent_cursor_column(cursor, k, wanted, n, &v, &err) == RF_OK, "%s",
                      err.text);
            seen[v.shape]++;
            for (uint32_t i = 0; i < n; i++) {
                struct value got = vec_value(&v, i),
                             *want = &w->entries[w->rows[first + wanted[i]] * COLUMNS + k];
                cr_assert(same_value(&got, want), "row %u of column %u", wanted[i], k);
            }
        }
    }
    cr_assert(first == ROWS);
    extent_cursor_free(cursor);
}

/* One row of each page never needs the dictionary, and 64 do at once; what lies between until enough entries were read. */
RF_PROP(extent_dict_few_rows_need_few_entries, 4)
{
    struct world w;
    world_init(&w, prng);
    for (uint32_t few = 1; few <= EXTENT_SPARSE_ROWS_MAX; few *= 8) {
        struct extent *e = open_extent(&w);
        uint32_t seen[VEC_DICT + 1] = {0};
        check_few(&w, prng, e, few, seen);
        check_few(&w, prng, e, few, seen);
        cr_assert((seen[VEC_FLAT] > 0) == (few < EXTENT_SPARSE_ROWS_MAX));
        cr_assert((seen[VEC_DICT] > 0) == (few > 1), "%u rows: %u, %u", few, seen[VEC_FLAT],
                  seen[VEC_DICT]);
        extent_free(e);
    }
    world_done(&w);
}

/* In any order, with some asked for again, before and after the whole is there. */
RF_PROP(extent_dict_entries_are_those_of_the_whole, 4)
{
    struct world w;
    struct rf_err err;
    world_init(&w, prng);
    struct extent *whole = open_extent(&w), *e = open_extent(&w);
    for (uint32_t k = 0; k < COLUMNS; k++) {
        const struct extent_dict *dict, *late = NULL;
        uint32_t n = e->columns[k].dict_count;
        cr_assert(extent_load_dict(whole, k, &dict, &err) == RF_OK);
        struct vec want = flat_of(k, dict->cells, dict->nulls);
        for (int round = 0; round < 40; round++) {
            uint32_t codes[100];
            rf_str cells[100];
            uint8_t nulls[100];
            for (int i = 0; i < 100; i++) codes[i] = (uint32_t)rf_test_below(prng, n);
            if (round == 30) cr_assert(extent_load_dict(e, k, &late, &err) == RF_OK);
            if (round < 2) cr_assert(extent_dict_by_entry(e, k, 1));
            if (round >= 30) cr_assert(!extent_dict_by_entry(e, k, 1));
            cr_assert(extent_read_entries(e, k, codes, 100, cells, nulls, &err) == RF_OK, "%s",
                      err.text);
            struct vec got = flat_of(k, cells, nulls);
            for (uint32_t i = 0; i < 100; i++) {
                struct value a = vec_value(&got, i), b = vec_value(&want, codes[i]);
                cr_assert(same_value(&a, &b), "entry %u of column %u", codes[i], k);
            }
        }
        struct vec all = flat_of(k, late->cells, late->nulls);
        for (uint32_t i = 0; i < n; i++) {
            struct value a = vec_value(&all, i), b = vec_value(&want, i);
            cr_assert(same_value(&a, &b), "entry %u of column %u", i, k);
        }
    }
    extent_free(e);
    extent_free(whole);
    world_done(&w);
}

/* What is not read may be damaged; what is read is right or told. */
RF_PROP(extent_dict_flips_are_told, 2)
{
    struct world w;
    world_init(&w, prng);
    unsigned told = 0;
    struct extent *good = open_extent(&w);
    for (int round = 0; round < 200; round++) {
        uint32_t k = (uint32_t)rf_test_below(prng, COLUMNS), codes[4];
        const struct extent_dict *dict;
        struct extent *e;
        struct rf_err err;
        rf_str cells[4];
        uint8_t nulls[4];
        cr_assert(extent_load_dict(good, k, &dict, &err) == RF_OK);
        struct vec want = flat_of(k, dict->cells, dict->nulls), got = flat_of(k, cells, nulls);
        for (int i = 0; i < 4; i++)
            codes[i] = (uint32_t)rf_test_below(prng, good->columns[k].dict_count);
        uint64_t at = rf_test_below(prng, w.info.file_bytes);
        cr_assert(rf_fs_fault_flip(w.fault, "/e.rfx", at, (unsigned)round % 8));
        enum rf_kind kind = extent_open(&w.options, "/e.rfx", &e, &err);
        if (kind == RF_OK) {
            kind = extent_read_entries(e, k, codes, 4, cells, nulls, &err);
            for (uint32_t i = 0; i < 4 && kind == RF_OK; i++) {
                struct value a = vec_value(&got, i), b = vec_value(&want, codes[i]);
                cr_assert(same_value(&a, &b));
            }
            /* A fault does not go away, and leaves what was read before alone. */
            if (kind != RF_OK)
                cr_assert(extent_load_dict(e, k, &dict, &err) == RF_CORRUPT && err.text[0] == '/');
            extent_free(e);
        }
        cr_assert(kind == RF_OK || kind == RF_CORRUPT);
        told += kind != RF_OK;
        cr_assert(rf_fs_fault_flip(w.fault, "/e.rfx", at, (unsigned)round % 8));
    }
    cr_assert(told > 10, "%u", told);
    extent_free(good);
    world_done(&w);
}
