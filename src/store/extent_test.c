#include "store/extent.h"

#include "base/fs_fault.h"
#include "base/term.h"
#include "store/extent_int.h"
#include "test/rf_prop.h"
#include "value/dyn.h"

/* ---- a store in memory, and a model of what it should hold ------------------------------------------------------ */

enum { COLUMNS = 13, MODEL_ROWS_MAX = 140000 };

static const struct {
    const char *name;
    enum type type;
} columns[COLUMNS] = {{"TimeGenerated", TYPE_DATETIME},
                      {"Flag", TYPE_BOOL},
                      {"Small", TYPE_INT},
                      {"Large", TYPE_LONG},
                      {"Rtt", TYPE_REAL},
                      {"Price", TYPE_DECIMAL},
                      {"Took", TYPE_TIMESPAN},
                      {"Session", TYPE_GUID},
                      {"Computer", TYPE_STRING},
                      {"CommandLine", TYPE_STRING},
                      {"Id", TYPE_STRING},
                      {"Details", TYPE_DYNAMIC},
                      {"Properties", TYPE_DYNAMIC}};
enum {
    TIME,
    FLAG,
    SMALL,
    LARGE,
    RTT,
    PRICE,
    TOOK,
    SESSION,
    COMPUTER,
    COMMAND,
    ID,
    DETAILS,
    PROPERTIES
};

struct world {
    struct rf_fs_fault *fault;
    struct rf_budget budget;
    struct rf_arena arena;
    struct extent_key key;
    struct extent_options options;
    struct extent_column columns[COLUMNS];
    struct value *rows; /* COLUMNS each */
    uint32_t row_count;
};

static void world_init(struct world *w, struct rf_prng *prng)
{
    *w = (struct world){.fault = rf_fs_fault_new(rf_test_u64(prng))};
    rf_budget_init(&w->budget, (size_t)1 << 30);
    rf_arena_init(&w->arena, (size_t)1 << 30);
    for (unsigned i = 0; i < 32; i++) w->key.bytes[i] = (uint8_t)rf_test_u64(prng);
    w->key.present = rf_test_bool(prng);
    w->options = (struct extent_options){.fs = rf_fs_fault_fs(w->fault),
                                         .key = &w->key,
                                         .budget = &w->budget,
                                         .compression_level = (int)rf_test_below(prng, 3)};
    for (int i = 0; i < COLUMNS; i++)
        w->columns[i] =
            (struct extent_column){rf_str_of(columns[i].name), (uint8_t)columns[i].type};
}

static void world_done(struct world *w)
{
    rf_fs_fault_free(w->fault);
    rf_arena_done(&w->arena);
    cr_assert(atomic_load(&w->budget.used_bytes) == 0, "%zu bytes were not given back",
              atomic_load(&w->budget.used_bytes));
}

static rf_str text_in(struct world *w, const char *fmt, ...) RF_PRINTF(2, 3);
static rf_str text_in(struct world *w, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    rf_str out;
    cr_assert(rf_arena_str(&w->arena, rf_str_make(text, (size_t)len), &out));
    return out;
}

static rf_str dyn_in(struct world *w, rf_str json)
{
    struct rf_buf buf = rf_buf_in(&w->arena);
    cr_assert(dyn_parse_json(json, &buf, NULL) == RF_OK);
    return dyn_done(&buf);
}

static const char *const words[] = {"powershell",  "-enc",       "Mimikatz",    "svchost.exe",
                                    "C:\\Windows", "--id=",      "caf\xc3\xa9", "STRASSE",
                                    "x",           "1234",       "a_b",         "deadbeef",
                                    "_",           "Zo\xc3\x8b", "10.0.0.1",    "netsvcs"};

static rf_str guid_text(struct world *w, struct rf_prng *prng)
{
    unsigned long long a = rf_test_u64(prng), b = rf_test_u64(prng);
    return text_in(w, "%08llx-%04llx-4%03llx-%04llx-%012llx", a >> 32, a & 0xffff, a >> 16 & 0xfff,
                   b >> 48, b & 0xffffffffffff);
}

static rf_str some_text(struct world *w, struct rf_prng *prng)
{
    struct rf_buf buf = rf_buf_in(&w->arena);
    for (uint64_t n = rf_test_below(prng, 5); n > 0; n--) {
        const char *word = words[rf_test_below(prng, RF_COUNT(words))];
        rf_buf_printf(&buf, "%s%s", buf.len > 0 ? " " : "", word);
        if (rf_test_one_in(prng, 4)) rf_buf_str(&buf, guid_text(w, prng));
        if (rf_test_one_in(prng, 4))
            rf_buf_printf(&buf, "%llu", (unsigned long long)rf_test_below(prng, 70000));
    }
    return rf_buf_view(&buf);
}

static struct value make_value(struct world *w, struct rf_prng *prng, int column, uint32_t row)
{
    uint64_t x = rf_test_u64(prng);
    enum type type = columns[column].type;
    if (type != TYPE_STRING && rf_test_one_in(prng, 20)) return value_null(type);
    struct guid guid;
    switch (column) {
    case TIME:
        return value_i64(type, DATETIME_UNIX_EPOCH + row * TICKS_PER_SECOND +
                                   (int64_t)(x % 5) * TICKS_PER_SECOND);
    case FLAG:
        return value_bool(x & 1);
    case SMALL:
        return value_i64(type, (int32_t)(x % 3 == 0 ? x >> 32 : x % 100));
    case LARGE:
        return value_long(rf_test_i64(prng));
    case RTT:
        return value_real(x % 50 == 0 ? rf_test_real(prng) : (double)(x % 100000) / 1000.0);
    case PRICE:
        return value_decimal((struct decimal){.lo = x % 1000, .hi = (uint64_t)2 << 49});
    case TOOK:
        return value_i64(type, (int64_t)(x % 1000) * TICKS_PER_MS);
    case SESSION:
        for (unsigned i = 0; i < 16; i++) guid.bytes[i] = (uint8_t)(x % 40 + i);
        return value_guid(guid);
    case COMPUTER:
        return value_str(text_in(w, "ws-%03u.contoso.com", (unsigned)(x % 50)));
    case COMMAND:
        return value_str(some_text(w, prng));
    case ID:
        return value_str(guid_text(w, prng));
    case DETAILS:
        return value_dyn(dyn_in(
            w, text_in(w, "{\"os\":\"%s\",\"ok\":%s}", words[x % 2], x % 3 ? "true" : "false")));
    default:
        return value_dyn(
            dyn_in(w, text_in(w, "{\"n\":%u,\"path\":\"a\\\\%s\",\"l\":[%u.50,null,\"t%u\"]}",
                              (unsigned)x, words[x % 2], (unsigned)(x % 7), row)));
    }
}

static void make_rows(struct world *w, struct rf_prng *prng, uint32_t count)
{
    w->row_count = count;
    w->rows = rf_arena_new(&w->arena, struct value, (size_t)count * COLUMNS);
    for (uint32_t row = 0; row < count; row++)
        for (int i = 0; i < COLUMNS; i++)
            w->rows[(size_t)row * COLUMNS + i] = make_value(w, prng, i, row);
}

/* One column of rows from..from+count-1 in a shape of its own choice. */
static void make_vec(struct world *w, struct rf_prng *prng, int column, uint32_t from,
                     uint32_t count, struct rf_arena *arena, struct vec *out)
{
    enum type type = columns[column].type;
    struct vec flat;
    cr_assert(vec_flat(arena, type, count + 1, &flat));
    (void)vec_need_nulls(arena, &flat, count + 1);
    for (uint32_t i = 0; i < count; i++)
        vec_set(&flat, i, &w->rows[(size_t)(from + i) * COLUMNS + column]);
    *out = flat;
    if (rf_test_bool(prng)) return;
    uint32_t *codes = rf_arena_raw(arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) codes[i] = i;
    out->shape = count == 1 && rf_test_bool(prng) ? VEC_CONST : VEC_DICT;
    if (out->shape == VEC_DICT) {
        out->codes = codes;
        out->dict_count = count;
    }
}

static struct extent_writer *fill(struct world *w, struct rf_prng *prng)
{
    struct extent_writer *writer;
    struct rf_err err;
    cr_assert(extent_writer_new(&w->options, w->columns, COLUMNS, &writer, &err) == RF_OK);
    for (uint32_t from = 0; from < w->row_count;) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 26);
        struct vec vecs[COLUMNS];
        uint32_t count = (uint32_t)rf_test_below(prng, BATCH_ROWS) + 1;
        count = RF_MIN(count, w->row_count - from);
        for (int i = 0; i < COLUMNS; i++) make_vec(w, prng, i, from, count, &arena, &vecs[i]);
        struct batch batch = {count, COLUMNS, vecs, &arena};
        cr_assert(extent_append(writer, &batch, &err) == RF_OK, "%s", err.text);
        from += count;
    }
    cr_assert(extent_writer_rows(writer) == w->row_count);
    return writer;
}

static int64_t time_key(const struct value *v) { return v->null ? INT64_MIN : v->i; }

/* The model's rows as an extent orders them: by time, stable. Insertion into buckets would be quicker; the times
 * are at most four rows out of place, so this is not slow either. */
static void sort_model(struct world *w)
{
    uint32_t nulls = 0;
    struct value *sorted = rf_arena_new(&w->arena, struct value, (size_t)w->row_count * COLUMNS);
    for (uint32_t i = 0; i < w->row_count; i++)
        if (w->rows[(size_t)i * COLUMNS].null)
            memcpy(sorted + (size_t)nulls++ * COLUMNS, w->rows + (size_t)i * COLUMNS,
                   COLUMNS * sizeof *sorted);
    uint32_t count = nulls;
    for (uint32_t i = 0; i < w->row_count; i++) {
        const struct value *row = w->rows + (size_t)i * COLUMNS;
        if (row->null) continue;
        uint32_t at = count++;
        while (at > nulls && time_key(sorted + (size_t)(at - 1) * COLUMNS) > time_key(row)) at--;
        memmove(sorted + (size_t)(at + 1) * COLUMNS, sorted + (size_t)at * COLUMNS,
                (size_t)(count - 1 - at) * COLUMNS * sizeof *sorted);
        memcpy(sorted + (size_t)at * COLUMNS, row, COLUMNS * sizeof *sorted);
    }
    w->rows = sorted;
}

static bool same_value(const struct value *a, const struct value *b)
{
    if (a->null || b->null) return a->null == b->null;
    if (type_is_bytes((enum type)a->type)) return rf_str_eq(a->s, b->s);
    if (a->type == TYPE_REAL) return memcmp(&a->r, &b->r, sizeof a->r) == 0;
    if (a->type == TYPE_DECIMAL) return a->d.lo == b->d.lo && a->d.hi == b->d.hi;
    return value_same(a, b);
}

static const uint32_t all_columns[COLUMNS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static struct extent *open_extent(struct world *w, const char *path)
{
    struct extent *e = NULL;
    struct rf_err err;
    cr_assert(extent_open(&w->options, path, &e, &err) == RF_OK, "%s", err.text);
    return e;
}

/* ---- what goes in comes out ------------------------------------------------------------------------------------- */

static void check_whole(struct world *w, struct extent *e)
{
    struct extent_cursor *cursor;
    struct rf_err err;
    struct batch batch;
    uint64_t dict_ids[COLUMNS] = {0};
    uint32_t row = 0, count;
    const struct extent_column *names = extent_columns(e, &count);
    cr_assert(count == COLUMNS && extent_row_count(e) == w->row_count);
    for (int i = 0; i < COLUMNS; i++)
        cr_assert(rf_str_eq(names[i].name, w->columns[i].name) &&
                  names[i].type == w->columns[i].type);
    cr_assert(extent_cursor_new(e, all_columns, COLUMNS, NULL, 0, &w->budget, &cursor, &err) ==
              RF_OK);
    for (;;) {
        cr_assert(extent_cursor_next(cursor, &batch, &err) == RF_OK, "%s", err.text);
        if (batch.row_count == 0) break;
        for (uint32_t i = 0; i < batch.row_count; i++, row++) {
            for (int k = 0; k < COLUMNS; k++) {
                struct value got = vec_value(&batch.columns[k], i),
                             *want = &w->rows[(size_t)row * COLUMNS + k];
                cr_assert(same_value(&got, want), "row %u of %s", row, columns[k].name);
            }
        }
        for (int k = 0; k < COLUMNS; k++) {
            uint64_t id = batch.columns[k].shape == VEC_DICT ? batch.columns[k].dict_id : 0;
            cr_assert(dict_ids[k] == 0 || dict_ids[k] == id);
            dict_ids[k] = id;
        }
    }
    cr_assert(row == w->row_count);
    extent_cursor_free(cursor);
}

static void check_round_trip(struct rf_prng *prng, uint32_t count)
{
    struct world w;
    struct rf_err err;
    struct extent_info info;
    uint64_t blocks;
    world_init(&w, prng);
    make_rows(&w, prng, count);
    struct extent_writer *writer = fill(&w, prng);
    sort_model(&w);
    cr_assert(extent_seal(writer, "/e.rfx", &info, &err) == RF_OK, "%s", err.text);
    cr_assert(extent_writer_rows(writer) == 0 && info.row_count == count);
    extent_writer_free(writer);
    struct extent *e = open_extent(&w, "/e.rfx");
    check_whole(&w, e);
    cr_assert(extent_verify(e, &blocks, &err) == RF_OK, "%s", err.text);
    extent_free(e);
    world_done(&w);
}

/* Some rows of the page at hand, by one column after the other, against the model's from `first` on. */
static void check_few(struct world *w, struct rf_prng *prng, struct extent_cursor *cursor,
                      uint32_t first, uint32_t page_rows)
{
    static const uint32_t one_in[] = {1, 2, 40, 1000};
    uint32_t rows[BATCH_ROWS], n = 0, often = one_in[rf_test_below(prng, RF_COUNT(one_in))];
    struct rf_err err;
    for (uint32_t i = 0; i < page_rows; i++)
        if (rf_test_one_in(prng, often)) rows[n++] = i;
    if (n == 0) rows[n++] = (uint32_t)rf_test_below(prng, page_rows);
    for (uint32_t i = 0, from = (uint32_t)rf_test_below(prng, COLUMNS); i < COLUMNS; i++) {
        struct vec v;
        uint32_t k = (from + i) % COLUMNS;
        bool all = rf_test_one_in(prng, 8);
        uint32_t count = all ? page_rows : n;
        cr_assert(extent_cursor_column(cursor, k, all ? NULL : rows, count, &v, &err) == RF_OK,
                  "%s", err.text);
        for (uint32_t at = 0; at < count; at++) {
            uint32_t row = first + (all ? at : rows[at]);
            struct value got = vec_value(&v, at), *want = &w->rows[(size_t)row * COLUMNS + k];
            cr_assert(same_value(&got, want), "row %u of %s", row, columns[k].name);
        }
    }
}

/* Page after page, from either end. */
static void check_few_of_each_page(struct world *w, struct rf_prng *prng, struct extent *e,
                                   bool backwards)
{
    struct extent_cursor *cursor;
    struct rf_err err;
    uint32_t done = 0, rows;
    cr_assert(extent_cursor_new(e, all_columns, COLUMNS, NULL, 0, &w->budget, &cursor, &err) ==
              RF_OK);
    if (backwards) extent_cursor_backwards(cursor);
    for (;; done += rows) {
        cr_assert(extent_cursor_seek(cursor, &rows, &err) == RF_OK, "%s", err.text);
        if (rows == 0) break;
        cr_assert(rows <= w->row_count - done);
        cr_assert(extent_cursor_rows(cursor, &(uint32_t){0}) == NULL, "no test leaves out rows");
        uint32_t first = backwards ? w->row_count - done - rows : done;
        for (int i = 0; i < 3; i++) check_few(w, prng, cursor, first, rows);
    }
    cr_assert(done == w->row_count);
    extent_cursor_free(cursor);
}

RF_PROP(extent_few_rows_are_those_of_the_page, 20)
{
    struct world w;
    struct rf_err err;
    struct extent_info info;
    world_init(&w, prng);
    make_rows(&w, prng, (uint32_t)rf_test_len(prng, 12000) + 1);
    struct extent_writer *writer = fill(&w, prng);
    sort_model(&w);
    cr_assert(extent_seal(writer, "/e.rfx", &info, &err) == RF_OK, "%s", err.text);
    extent_writer_free(writer);
    struct extent *e = open_extent(&w, "/e.rfx");
    check_few_of_each_page(&w, prng, e, false);
    check_few_of_each_page(&w, prng, e, true);
    extent_free(e);
    world_done(&w);
}

RF_PROP(extent_rows_come_back, 40) { check_round_trip(prng, (uint32_t)rf_test_len(prng, 6000)); }

Test(extent, rows_of_several_blocks_come_back)
{
    struct rf_prng prng = {11, 100};
    check_round_trip(&prng, EXTENT_BLOCK_ROWS + 5000);
}

/* ---- tests leave out only rows that fail -------------------------------------------------------------------------- */

static bool holds_term(rf_str text, rf_str term)
{
    rf_str t;
    for (size_t at = 0; term_next(text, &at, &t);)
        if (term_equal_nocase(t, term)) return true;
    return false;
}

static bool holds_text(rf_str text, rf_str needle, bool fold)
{
    for (size_t i = 0; i + needle.len <= text.len; i++) {
        rf_str part = rf_slice(text, i, i + needle.len);
        if (fold ? rf_str_eq_nocase(part, needle) : rf_str_eq(part, needle)) return true;
    }
    return false;
}

/* What the test says, by its words. */
static bool passes(const struct extent_test *t, const struct value *v, rf_str text)
{
    switch (t->kind) {
    case EXTENT_RANGE:
        if (v->null) return false;
        if (!t->low.null && value_cmp(v, &t->low) < 0) return false;
        return t->high.null || value_cmp(v, &t->high) <= 0;
    case EXTENT_EQUALS:
        for (uint32_t i = 0; i < t->value_count && !v->null; i++)
            if (t->fold ? term_equal_nocase(v->s, t->values[i].s) : value_same(v, &t->values[i]))
                return true;
        return false;
    case EXTENT_TERMS:
        for (uint32_t i = 0; i < t->term_count; i++)
            if (!holds_term(text, t->terms[i])) return false;
        return true;
    case EXTENT_TERMS_ANY:
        for (uint32_t i = 0; i < t->term_count; i++)
            if (holds_term(text, t->terms[i])) return true;
        return false;
    default:
        return holds_text(text, t->values[0].s, t->fold);
    }
}

/* A value of the column, most often one that is there. */
static struct value probe_value(struct world *w, struct rf_prng *prng, int column)
{
    if (rf_test_one_in(prng, 8))
        return make_value(w, prng, column, (uint32_t)rf_test_below(prng, 100000));
    return w->rows[rf_test_below(prng, w->row_count) * COLUMNS + (unsigned)column];
}

static rf_str text_of_value(struct world *w, const struct value *v)
{
    if (v->null) return (rf_str){0};
    if (v->type == TYPE_STRING) return v->s;
    struct rf_buf buf = rf_buf_in(&w->arena);
    if (v->type == TYPE_DYNAMIC) dyn_put_text(v->s, &buf);
    return rf_buf_view(&buf);
}

static rf_str probe_term(struct world *w, struct rf_prng *prng, int column)
{
    struct value v = probe_value(w, prng, column);
    rf_str text = text_of_value(w, &v), term = RF_S("absent"), t, folded;
    for (size_t at = 0; term_next(text, &at, &t);)
        if (rf_test_one_in(prng, 3)) term = t;
    cr_assert(term_fold(term, &w->arena, &folded));
    return folded;
}

static struct extent_test make_test(struct world *w, struct rf_prng *prng)
{
    static const int any[] = {TIME, SMALL, LARGE, RTT, TOOK, COMPUTER, COMMAND, ID};
    static const int texts[] = {COMPUTER, COMMAND, ID, DETAILS, PROPERTIES};
    struct extent_test t = {.kind = (enum extent_test_kind)rf_test_below(prng, 5)};
    int column = any[rf_test_below(prng, RF_COUNT(any))];
    if (t.kind == EXTENT_TERMS || t.kind == EXTENT_TERMS_ANY)
        column = texts[rf_test_below(prng, RF_COUNT(texts))];
    if (t.kind == EXTENT_CONTAINS) column = texts[rf_test_below(prng, 3)];
    if (t.kind == EXTENT_EQUALS && rf_test_one_in(prng, 6)) column = SESSION;
    t.column = (uint32_t)column;
    t.fold = columns[column].type == TYPE_STRING && rf_test_bool(prng);
    t.low = rf_test_bool(prng) ? probe_value(w, prng, column) : (struct value){.null = true};
    t.high = rf_test_bool(prng) ? probe_value(w, prng, column) : (struct value){.null = true};
    t.term_count = t.value_count = (uint32_t)rf_test_below(prng, 3) + 1;
    rf_str *terms = rf_arena_new(&w->arena, rf_str, t.term_count);
    struct value *values = rf_arena_new(&w->arena, struct value, t.value_count);
    for (uint32_t i = 0; i < t.term_count; i++) {
        terms[i] = probe_term(w, prng, column);
        do values[i] = probe_value(w, prng, column);
        while (values[i].null);
    }
    if (t.kind == EXTENT_CONTAINS) {
        rf_str s = values[0].s;
        size_t from = rf_test_below(prng, s.len + 1),
               to = from + rf_test_below(prng, s.len - from + 1);
        values[0].s = rf_slice(s, from, to);
        t.value_count = 1;
    }
    t.terms = terms;
    t.values = values;
    return t;
}

/* Every row that passes all tests comes, in order, page by page and then among those rows that the index of terms leaves;
 * the rows left out are counted. */
static uint64_t check_tests(struct world *w, struct extent *e, const struct extent_test *tests,
                            uint32_t count)
{
    struct extent_cursor *cursor;
    struct rf_err err;
    struct vec vecs[COLUMNS];
    uint32_t wanted = 0, given = 0, next = 0, rows;
    static uint32_t want[MODEL_ROWS_MAX];
    for (uint32_t row = 0; row < w->row_count; row++) {
        bool good = true;
        for (uint32_t i = 0; i < count && good; i++) {
            const struct value *v = &w->rows[(size_t)row * COLUMNS + tests[i].column];
            good = passes(&tests[i], v, text_of_value(w, v));
        }
        if (good) want[wanted++] = row;
    }
    cr_assert(extent_cursor_new(e, all_columns, COLUMNS, tests, count, &w->budget, &cursor, &err) ==
                  RF_OK,
              "%s", err.text);
    for (;;) {
        cr_assert(extent_cursor_seek(cursor, &rows, &err) == RF_OK, "%s", err.text);
        if (rows == 0) break;
        const uint32_t *left = extent_cursor_rows(cursor, &rows);
        given += rows;
        for (uint32_t k = 0; k < COLUMNS; k++)
            cr_assert(extent_cursor_column(cursor, k, left, rows, &vecs[k], &err) == RF_OK, "%s",
                      err.text);
        for (uint32_t i = 0; i < rows && next < wanted; i++) {
            bool same = true;
            for (int k = 0; k < COLUMNS && same; k++) {
                struct value got = vec_value(&vecs[k], i);
                same = same_value(&got, &w->rows[(size_t)want[next] * COLUMNS + k]);
            }
            next += same;
        }
    }
    extent_cursor_free(cursor);
    cr_assert(next == wanted, "test %d on %s: %u of %u rows came", (int)tests[0].kind,
              columns[tests[0].column].name, next, wanted);
    return w->row_count - given;
}

RF_PROP(extent_tests_never_lose_a_row, 30)
{
    struct world w;
    struct rf_err err;
    struct extent_info info;
    world_init(&w, prng);
    w.options.no_term_index = rf_test_one_in(prng, 8);
    make_rows(&w, prng, (uint32_t)rf_test_len(prng, 9000) + 1);
    struct extent_writer *writer = fill(&w, prng);
    sort_model(&w);
    cr_assert(extent_seal(writer, "/e.rfx", &info, &err) == RF_OK);
    extent_writer_free(writer);
    struct extent *e = open_extent(&w, "/e.rfx");
    for (int i = 0; i < 12; i++) {
        struct extent_test tests[2] = {make_test(&w, prng), make_test(&w, prng)};
        (void)check_tests(&w, e, tests, 1 + (uint32_t)rf_test_below(prng, 2));
    }
    extent_free(e);
    world_done(&w);
}

Test(extent, tests_leave_out_what_cannot_pass)
{
    struct rf_prng prng = {5, 100};
    struct world w;
    struct rf_err err;
    struct extent_info info;
    world_init(&w, &prng);
    make_rows(&w, &prng, 10 * BATCH_ROWS);
    w.rows[(size_t)9000 * COLUMNS + COMMAND].s = RF_S("run sekurlsa::logonpasswords");
    struct extent_writer *writer = fill(&w, &prng);
    sort_model(&w);
    cr_assert(extent_seal(writer, "/e.rfx", &info, &err) == RF_OK);
    extent_writer_free(writer);
    struct extent *e = open_extent(&w, "/e.rfx");
    struct value needle = value_str(RF_S("run sekurlsa::logonpasswords")),
                 inner = value_str(RF_S("N SEKURLSA::L"));
    struct value low = value_i64(TYPE_DATETIME, DATETIME_UNIX_EPOCH + 8000 * TICKS_PER_SECOND);
    struct value high = value_i64(TYPE_DATETIME, DATETIME_UNIX_EPOCH + 8100 * TICKS_PER_SECOND);
    struct value nobody = value_str(RF_S("nobody"));
    const rf_str term = RF_S("sekurlsa");
    const struct {
        struct extent_test test;
        uint64_t given_max;
    } cases[] = {
        {{COMMAND, EXTENT_TERMS, .terms = &term, .term_count = 1}, EXTENT_GRANULE_ROWS},
        {{COMMAND, EXTENT_TERMS_ANY, .terms = &term, .term_count = 1}, EXTENT_GRANULE_ROWS},
        {{COMMAND, EXTENT_EQUALS, .values = &needle, .value_count = 1}, EXTENT_GRANULE_ROWS},
        {{COMMAND, EXTENT_CONTAINS, .values = &inner, .value_count = 1, .fold = true},
         EXTENT_GRANULE_ROWS},
        {{TIME, EXTENT_RANGE, .low = low, .high = high}, 2 * BATCH_ROWS},
        {{COMPUTER, EXTENT_EQUALS, .values = &nobody, .value_count = 1}, 0},
        {{SMALL, EXTENT_RANGE, .low = value_i64(TYPE_INT, INT64_C(1) << 40),
          .high = {.null = true}},
         0},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        uint64_t given = w.row_count - check_tests(&w, e, &cases[i].test, 1);
        cr_expect(given <= cases[i].given_max, "case %zu gives %llu rows", i,
                  (unsigned long long)given);
    }
    extent_free(e);
    world_done(&w);
}

/* ---- faults ------------------------------------------------------------------------------------------------------- */

/* Reads everything; true when it all came back as it was, false after RF_CORRUPT. */
static bool read_all(struct world *w, uint64_t *hash)
{
    struct extent *e;
    struct extent_cursor *cursor;
    struct rf_err err;
    struct batch batch = {0};
    enum rf_kind kind = extent_open(&w->options, "/e.rfx", &e, &err);
    *hash = 0;
    if (kind == RF_OK) {
        kind = extent_cursor_new(e, all_columns, COLUMNS, NULL, 0, &w->budget, &cursor, &err);
        if (kind == RF_OK) {
            do {
                kind = extent_cursor_next(cursor, &batch, &err);
                for (uint32_t i = 0; kind == RF_OK && i < batch.row_count; i++)
                    for (int k = 0; k < COLUMNS; k++) {
                        struct value v = vec_value(&batch.columns[k], i);
                        *hash = rf_hash_mix(*hash, v.null ? 1 : value_hash(&v));
                    }
            } while (kind == RF_OK && batch.row_count > 0);
            extent_cursor_free(cursor);
        }
        extent_free(e);
    }
    cr_assert(kind == RF_OK || kind == RF_CORRUPT, "%s", err.text);
    cr_assert(kind == RF_OK || strstr(err.text, "/e.rfx") != NULL, "the file is named: %s",
              err.text);
    return kind == RF_OK;
}

RF_PROP(extent_bit_flips_are_told, 8)
{
    struct world w;
    struct rf_err err;
    struct extent_info info;
    world_init(&w, prng);
    make_rows(&w, prng, 3000);
    struct extent_writer *writer = fill(&w, prng);
    cr_assert(extent_seal(writer, "/e.rfx", &info, &err) == RF_OK);
    extent_writer_free(writer);
    uint64_t good, got, told = 0;
    cr_assert(read_all(&w, &good));
    for (int i = 0; i < 60; i++) {
        uint64_t at = rf_test_below(prng, info.file_bytes);
        unsigned bit = (unsigned)rf_test_below(prng, 8);
        cr_assert(rf_fs_fault_flip(w.fault, "/e.rfx", at, bit));
        bool whole = read_all(&w, &got);
        cr_assert(!whole || got == good, "byte %llu", (unsigned long long)at);
        told += !whole;
        cr_assert(rf_fs_fault_flip(w.fault, "/e.rfx", at, bit));
    }
    cr_assert(told > 20, "most bytes count");
    world_done(&w);
}

Test(extent, verify_finds_flips_that_queries_do_not_meet)
{
    struct rf_prng prng = {9, 100};
    struct world w;
    struct rf_err err;
    struct extent_info info;
    world_init(&w, &prng);
    make_rows(&w, &prng, 3000);
    struct extent_writer *writer = fill(&w, &prng);
    cr_assert(extent_seal(writer, "/e.rfx", &info, &err) == RF_OK);
    extent_writer_free(writer);
    unsigned padding = 0;
    for (uint64_t at = 0; at < info.file_bytes; at += 97) {
        struct extent *e;
        uint64_t blocks;
        cr_assert(rf_fs_fault_flip(w.fault, "/e.rfx", at, 3));
        enum rf_kind kind = extent_open(&w.options, "/e.rfx", &e, &err);
        if (kind == RF_OK) {
            kind = extent_verify(e, &blocks, &err);
            extent_free(e);
        }
        cr_assert(kind == RF_OK || kind == RF_CORRUPT || kind == RF_DENIED);
        padding += kind == RF_OK; /* only the digest covers the bytes between regions */
        cr_assert(rf_fs_fault_flip(w.fault, "/e.rfx", at, 3));
    }
    cr_assert(padding < info.file_bytes / 97 / 20, "%u of %llu", padding,
              (unsigned long long)info.file_bytes / 97);
    world_done(&w);
}

Test(extent, needs_its_key)
{
    struct rf_prng prng = {9, 100};
    struct world w;
    struct rf_err err;
    struct extent *e;
    struct extent_info info;
    world_init(&w, &prng);
    w.key.present = true;
    make_rows(&w, &prng, 500);
    w.rows[COMMAND].s = RF_S("a secret that must not be seen");
    struct extent_writer *writer = fill(&w, &prng);
    cr_assert(extent_seal(writer, "/e.rfx", &info, &err) == RF_OK);
    rf_str bytes;
    cr_assert(rf_fs_read_all(w.options.fs, "/e.rfx", 1 << 24, &w.arena, &bytes, &err) == RF_OK);
    cr_assert(rf_str_find(bytes, RF_S("secret"), 0) == SIZE_MAX &&
              rf_str_find(bytes, RF_S("Computer"), 0) == SIZE_MAX);
    w.key.bytes[7] ^= 1;
    cr_assert(extent_open(&w.options, "/e.rfx", &e, &err) == RF_DENIED &&
              strcmp(err.code, "KeyWrong") == 0);
    w.key.present = false;
    cr_assert(extent_open(&w.options, "/e.rfx", &e, &err) == RF_DENIED &&
              strcmp(err.code, "KeyMissing") == 0);
    extent_writer_free(writer);
    world_done(&w);
}

Test(extent, every_failing_operation_of_a_seal_leaves_no_file)
{
    struct rf_prng prng = {9, 100};
    struct world w;
    struct rf_err err;
    struct extent_info info;
    world_init(&w, &prng);
    make_rows(&w, &prng, 300);
    enum rf_kind kind = RF_IO;
    for (uint64_t nth = 1; kind != RF_OK; nth++) {
        struct extent_writer *writer = fill(&w, &prng);
        rf_fs_fault_fail_at(w.fault, nth, 5, false);
        kind = extent_seal(writer, "/e.rfx", &info, &err);
        rf_fs_fault_fail_at(w.fault, 0, 0, false);
        cr_assert(kind == RF_OK || kind == RF_IO, "%s", err.text);
        cr_assert(rf_fs_exists(w.options.fs, "/e.rfx") == (kind == RF_OK));
        cr_assert(extent_writer_rows(writer) == 0);
        extent_writer_free(writer);
        cr_assert(nth < 100);
    }
    world_done(&w);
}

/* A budget that ends anywhere: an error, nothing lost, nothing leaked. */
Test(extent, lives_within_its_budget)
{
    struct rf_prng prng = {9, 100};
    struct world w;
    struct rf_err err;
    struct extent_info info;
    struct extent_writer *writer;
    world_init(&w, &prng);
    make_rows(&w, &prng, 2000);
    enum rf_kind kind = RF_LIMIT;
    for (size_t limit = 1000; kind != RF_OK; limit += limit / 8) {
        w.budget.limit_bytes = limit;
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 26);
        struct vec vecs[COLUMNS];
        for (int i = 0; i < COLUMNS; i++) make_vec(&w, &prng, i, 0, 2000, &arena, &vecs[i]);
        struct batch batch = {2000, COLUMNS, vecs, &arena};
        kind = extent_writer_new(&w.options, w.columns, COLUMNS, &writer, &err);
        if (kind != RF_OK) continue;
        kind = extent_append(writer, &batch, &err);
        cr_assert(kind == RF_OK || extent_writer_rows(writer) == 0);
        if (kind == RF_OK) kind = extent_seal(writer, "/e.rfx", &info, &err);
        cr_assert(kind == RF_OK ||
                      (kind == RF_LIMIT && strcmp(err.code, "MemoryBudgetExceeded") == 0),
                  "%s", err.text);
        extent_writer_free(writer);
        cr_assert(atomic_load(&w.budget.used_bytes) == 0);
    }
    world_done(&w);
}

Test(extent, is_full_at_its_most_rows)
{
    struct rf_budget budget;
    rf_budget_init(&budget, (size_t)1 << 30);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct extent_options options = {.fs = rf_fs_real(), .budget = &budget};
    struct extent_column column = {RF_S("n"), TYPE_LONG};
    struct extent_writer *writer;
    struct rf_err err;
    cr_assert(extent_writer_new(&options, &column, 1, &writer, &err) == RF_OK);
    struct value v = value_long(7);
    struct vec vec;
    cr_assert(vec_const(&arena, &v, &vec));
    struct batch batch = {BATCH_ROWS, 1, &vec, &arena};
    for (int i = 0; i < EXTENT_ROWS_MAX / BATCH_ROWS; i++)
        cr_assert(extent_append(writer, &batch, &err) == RF_OK);
    batch.row_count = 1;
    cr_assert(extent_append(writer, &batch, &err) == RF_LIMIT &&
              strcmp(err.code, "ExtentFull") == 0);
    cr_assert(extent_writer_rows(writer) == EXTENT_ROWS_MAX);
    extent_writer_free(writer);
}
