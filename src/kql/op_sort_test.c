#include "kql/ast.h"
#include "kql/exec.h"
#include "kql/kql.h"
#include "test/rf_prop.h"
#include "value/decimal.h"
#include "value/dyn.h"

/* A table of random rows; column 0 numbers them. Pushes them on all lanes, the last lane first. */
enum { COLUMNS = 8, KEYS_MAX = 3 };
static const struct {
    const char *name;
    enum type type;
} columns[COLUMNS] = {{"n", TYPE_LONG},    {"l", TYPE_LONG},   {"r", TYPE_REAL},
                      {"b", TYPE_BOOL},    {"s", TYPE_STRING}, {"g", TYPE_GUID},
                      {"d", TYPE_DYNAMIC}, {"m", TYPE_DECIMAL}};

struct table {
    struct source source;
    struct ast_column ast[COLUMNS];
    struct rf_arena *arena;
    struct rows *rows;
};

static enum rf_kind table_scan(struct source *source, const struct scan *scan, struct exec *exec,
                               struct flow *out, struct rf_err *err)
{
    const struct table *t = (const struct table *)source;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    uint64_t count = rows_count(t->rows), lanes = exec->lane_count;
    for (uint64_t lane = lanes; lane-- > 0;) {
        uint64_t end = count * (lane + 1) / lanes;
        for (uint64_t from = count * lane / lanes, n; from < end; from += n) {
            uint64_t numbers[BATCH_ROWS];
            struct batch all;
            struct vec picked[COLUMNS];
            n = RF_MIN(end - from, (uint64_t)BATCH_ROWS);
            for (uint64_t i = 0; i < n; i++) numbers[i] = from + i;
            rf_arena_reset(&arena);
            if (!rows_gather(t->rows, numbers, (uint32_t)n, &arena, &all))
                return rf_fail_memory(err, &arena);
            for (uint32_t c = 0; c < scan->column_count; c++)
                picked[c] = all.columns[scan->columns[c]];
            struct batch batch = {.row_count = (uint32_t)n,
                                  .column_count = scan->column_count,
                                  .columns = picked,
                                  .arena = &arena};
            RF_TRY(flow_push(exec, out, (uint32_t)lane, &batch, err));
        }
    }
    return RF_OK;
}

static const struct source_ops table_ops = {.scan = table_scan};

/* Few values of each kind, so that there are ties; among them those whose words could be taken for a null's; texts
 * that differ around the length of a word, in what follows them and in nothing but their length. */
static struct value random_cell(struct rf_prng *prng, enum type type, struct rf_arena *arena)
{
    static const int64_t longs[] = {0, 1, -1, INT64_MIN, INT64_MAX, INT64_MIN + 1, 77};
    static const double reals[] = {0.0, -0.0, 1.5, -1.5, 1e308, -1e308, __builtin_nan("")};
    if (type != TYPE_STRING && rf_test_below(prng, 5) == 0) return value_null(type);
    switch (type) {
    case TYPE_LONG:
        return value_long(rf_test_bool(prng) ? longs[rf_test_below(prng, RF_COUNT(longs))]
                                             : rf_test_between(prng, -3000, 3000));
    case TYPE_REAL:
        return value_real(rf_test_bool(prng) ? reals[rf_test_below(prng, RF_COUNT(reals))]
                                             : (double)rf_test_below(prng, 1000) / 7);
    case TYPE_BOOL:
        return value_bool(rf_test_bool(prng));
    case TYPE_GUID: {
        struct guid g = {{0}};
        if (rf_test_bool(prng)) memset(g.bytes, 0xff, sizeof g.bytes);
        g.bytes[rf_test_below(prng, 16)] ^= (uint8_t)rf_test_below(prng, 3);
        return value_guid(g);
    }
    case TYPE_STRING: {
        static const char *const heads[] = {"",         "a",          "anna.co",
                                            "anna.cos", "anna.costa", "\xff\xff"};
        rf_str head = rf_str_of(heads[rf_test_below(prng, RF_COUNT(heads))]);
        uint8_t text[64];
        size_t len = head.len, more = rf_test_below(prng, 24);
        memcpy(text, head.ptr, head.len);
        for (size_t i = 0; i < more; i++)
            text[len++] = rf_test_below(prng, 8) == 0 ? (uint8_t)rf_test_below(prng, 2) : 'x';
        rf_str out;
        cr_assert(rf_arena_str(arena, rf_str_make(text, len), &out));
        return value_str(out);
    }
    case TYPE_DECIMAL:
        return value_decimal(decimal_from_i64(rf_test_between(prng, -9, 9)));
    default: {
        struct rf_buf buf = rf_buf_in(arena);
        struct value v = value_long(rf_test_between(prng, -9, 9));
        dyn_put_value(&buf, &v);
        return value_dyn(dyn_done(&buf));
    }
    }
}

static void fill_table(struct table *t, struct rf_prng *prng, uint64_t count)
{
    uint8_t types[COLUMNS];
    for (uint32_t c = 0; c < COLUMNS; c++) {
        types[c] = (uint8_t)columns[c].type;
        t->ast[c] = (struct ast_column){.name = rf_str_of(columns[c].name), .type = types[c]};
    }
    t->source = (struct source){
        .ops = &table_ops, .name = RF_S("T"), .columns = t->ast, .column_count = COLUMNS};
    t->rows = rows_new(t->arena, types, COLUMNS);
    cr_assert(t->rows != NULL);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16u << 20);
    for (uint64_t from = 0; from < count; from += BATCH_ROWS) {
        uint32_t n = (uint32_t)RF_MIN(count - from, (uint64_t)BATCH_ROWS);
        struct vec vecs[COLUMNS];
        rf_arena_reset(&arena);
        for (uint32_t c = 0; c < COLUMNS; c++) {
            cr_assert(vec_flat(&arena, columns[c].type, n, &vecs[c]) &&
                      vec_need_nulls(&arena, &vecs[c], n) != NULL);
            for (uint32_t i = 0; i < n; i++) {
                struct value v = c == 0 ? value_long((int64_t)(from + i))
                                        : random_cell(prng, columns[c].type, &arena);
                vec_set(&vecs[c], i, &v);
            }
        }
        struct batch batch = {
            .row_count = n, .column_count = COLUMNS, .columns = vecs, .arena = &arena};
        cr_assert(rows_append(t->rows, &batch));
    }
}

/* The numbers of the rows in the order in which they come. */
struct numbers {
    struct kql_sink sink;
    uint64_t *numbers, count, cap;
};

static enum rf_kind numbers_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                  const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}

static enum rf_kind numbers_push(struct kql_sink *sink, const struct batch *batch,
                                 struct rf_err *err)
{
    struct numbers *s = (struct numbers *)sink;
    (void)err;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        cr_assert(s->count < s->cap);
        s->numbers[s->count++] = (uint64_t)vec_i64(&batch->columns[0], i);
    }
    return RF_OK;
}

static enum rf_kind numbers_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

struct order {
    uint32_t column;
    bool descending, nulls_first;
};

static int rows_cmp(const struct rows *rows, const struct order *by, uint32_t count, uint64_t a,
                    uint64_t b)
{
    for (uint32_t k = 0; k < count; k++) {
        struct value x = rows_value(rows, a, by[k].column), y = rows_value(rows, b, by[k].column);
        if (x.null && y.null) continue;
        if (x.null || y.null) return x.null == by[k].nulls_first ? -1 : 1;
        int c = value_cmp(&x, &y);
        if (c != 0) return by[k].descending ? -c : c;
    }
    return a < b ? -1 : a > b;
}

/* Row after row in order, equal rows as they came, none twice: by columns and by expressions, on several lanes. */
static void check_sort(struct rf_prng *prng, uint64_t count, uint32_t lanes)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 256u << 20);
    struct table table = {.arena = &arena};
    fill_table(&table, prng, count);
    struct order by[KEYS_MAX];
    uint32_t keys = 1 + (uint32_t)rf_test_below(prng, KEYS_MAX);
    uint64_t limit = rf_test_below(prng, 3) == 0 ? rf_test_below(prng, count + 2) : UINT64_MAX;
    struct rf_buf text = rf_buf_in(&arena);
    rf_buf_printf(&text, limit == UINT64_MAX ? "T | sort by " : "T | top %llu by ",
                  (unsigned long long)limit);
    for (uint32_t k = 0; k < keys; k++) {
        by[k] = (struct order){.column = 1 + (uint32_t)rf_test_below(prng, COLUMNS - 1),
                               .descending = rf_test_bool(prng),
                               .nulls_first = rf_test_bool(prng)};
        const char *name = columns[by[k].column].name;
        rf_buf_printf(&text, k == 0 ? "" : ", ");
        /* An expression that gives the same value. */
        if (columns[by[k].column].type == TYPE_LONG && rf_test_bool(prng))
            rf_buf_printf(&text, "%s * 1", name);
        else
            rf_buf_printf(&text, "%s", name);
        rf_buf_printf(&text, " %s nulls %s", by[k].descending ? "desc" : "asc",
                      by[k].nulls_first ? "first" : "last");
    }
    struct source *sources[] = {&table.source};
    struct catalog catalog = {.sources = sources, .source_count = 1};
    struct kql_request request = {
        .text = rf_buf_view(&text), .catalog = &catalog, .lane_count = lanes};
    struct numbers s = {.sink = {.begin = numbers_begin, .push = numbers_push, .end = numbers_end},
                        .numbers = rf_arena_new(&arena, uint64_t, count),
                        .cap = count};
    uint8_t *seen = rf_arena_new(&arena, uint8_t, count);
    struct rf_err err = {0};
    cr_assert(kql_run(&request, &s.sink, NULL, &err) == RF_OK, "%s", err.text);
    cr_assert(s.count == RF_MIN(count, limit));
    for (uint64_t i = 0; i < s.count; i++) {
        cr_assert(seen[s.numbers[i]] == 0);
        seen[s.numbers[i]] = 1;
        cr_assert(i == 0 || rows_cmp(table.rows, by, keys, s.numbers[i - 1], s.numbers[i]) < 0,
                  "%.*s: row %llu stands before row %llu", RF_FMT(rf_buf_view(&text)),
                  (unsigned long long)s.numbers[i - 1], (unsigned long long)s.numbers[i]);
    }
    for (uint64_t i = 0; i < count && s.count > 0;
         i++) /* those that were left out are not better */
        cr_assert(seen[i] != 0 || rows_cmp(table.rows, by, keys, s.numbers[s.count - 1], i) < 0);
}

RF_PROP(sort_few_rows, 400)
{
    check_sort(prng, rf_test_below(prng, 60), 1 + (uint32_t)rf_test_below(prng, 4));
}

RF_PROP(sort_some_rows, 60)
{
    check_sort(prng, rf_test_below(prng, 9000), 1 + (uint32_t)rf_test_below(prng, 4));
}

/* Enough for workers to share the sorting. */
RF_PROP(sort_many_rows, 12)
{
    check_sort(prng, 30000 + rf_test_below(prng, 20000), 2 + (uint32_t)rf_test_below(prng, 2));
}
