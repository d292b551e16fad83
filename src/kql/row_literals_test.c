#include "kql/row_literals.h"

#include "base/literal_set.h"
#include "kql/kql.h"
#include "kql/source_file.h"
#include "test/rf_prop.h"

/* T(A:string, B:string, N:long, D:dynamic) with random rows, and functions that a catalog stores. */
struct fixture {
    struct rf_arena arena;
    struct catalog catalog;
    struct source *sources[1];
    struct stored_function functions[1];
    struct rows *rows;
};

enum { COLUMNS = 4 };
static const uint8_t types[COLUMNS] = {TYPE_STRING, TYPE_STRING, TYPE_LONG, TYPE_DYNAMIC};

static void begin(struct fixture *f)
{
    static struct ast_column columns[COLUMNS] = {
        {.name = {(const uint8_t *)"A", 1}, .type = TYPE_STRING},
        {.name = {(const uint8_t *)"B", 1}, .type = TYPE_STRING},
        {.name = {(const uint8_t *)"N", 1}, .type = TYPE_LONG},
        {.name = {(const uint8_t *)"D", 1}, .type = TYPE_DYNAMIC}};
    rf_arena_init(&f->arena, 256 << 20);
    f->rows = rows_new(&f->arena, types, COLUMNS);
    cr_assert_not_null(f->rows);
    f->sources[0] = source_rows_new(RF_S("T"), columns, COLUMNS, f->rows, &f->arena);
    f->functions[0] = (struct stored_function){RF_S("Fun"), RF_S("() { T | where A has 'abc' }")};
    f->catalog = (struct catalog){
        .sources = f->sources, .source_count = 1, .functions = f->functions, .function_count = 1};
}

static void add_row(struct fixture *f, rf_str a, rf_str b, int64_t n)
{
    const struct value cells[COLUMNS] = {value_str(a), value_str(b), value_i64(TYPE_LONG, n),
                                         value_null(TYPE_DYNAMIC)};
    struct vec columns[COLUMNS];
    for (uint32_t c = 0; c < COLUMNS; c++) cr_assert(vec_const(&f->arena, &cells[c], &columns[c]));
    struct batch batch = {
        .row_count = 1, .column_count = COLUMNS, .columns = columns, .arena = &f->arena};
    cr_assert(rows_append(f->rows, &batch));
}

static struct row_literals literals_of(struct fixture *f, rf_str text)
{
    struct kql_request request = {.text = text, .catalog = &f->catalog};
    struct kql_shape shape;
    struct rf_err err = {0};
    cr_assert(kql_lint(&request, &f->arena, &shape, &err) == RF_OK, "%.*s: %s", RF_FMT(text),
              err.text);
    return shape.literals;
}

static rf_str shown(struct fixture *f, const struct row_literals *literals)
{
    struct rf_buf buf = rf_buf_in(&f->arena);
    for (uint32_t i = 0; i < literals->count; i++) {
        rf_str text = literals->items[i].text;
        bool number = text.ptr[0] == 1;
        if (number) text = rf_slice(text, 1, text.len - 1);
        rf_buf_printf(&buf, "%s%.*s%s", i == 0 ? "" : ",", RF_FMT(text),
                      number                      ? "#"
                      : literals->items[i].nocase ? "~"
                                                  : "");
    }
    for (uint32_t i = 0; i < literals->column_count; i++)
        rf_buf_printf(&buf, "%s%.*s", i == 0 ? " in " : ",", RF_FMT(literals->columns[i]));
    return rf_buf_view(&buf);
}

Test(row_literals, what_a_row_must_hold)
{
    static const char *const cases[][2] = {
        {"T | where A has 'whoami'", "whoami~ in A"},
        {"T | where A contains_cs 'Who'", "Who in A"},
        {"T | where A == 'user' and B has 'mimikatz'", "mimikatz~ in B"},
        {"T | where A has 'curl' or B endswith 'wget.exe'", "curl~,wget.exe~ in A,B"},
        {"T | where A has 'curl' or N > 3", ""},
        {"T | where not(A has 'curl')", ""},
        {"T | where A !has 'curl'", ""},
        {"T | where A in ('Add user', 'Delete user')", "Add user,Delete user in A"},
        {"T | where A in~ ('Add user')", "Add user~ in A"},
        {"T | where A in ('Add user', 'ab')", ""},
        {"T | where A has_any ('one', 'two')", "one~,two~ in A"},
        {"T | where A has_any (dynamic(['one', 2]))", ""},
        {"T | where A has_all ('one', 'three')", "three~ in A"},
        {"T | where A matches regex @'\\\\temp\\\\[a-z]+\\.exe$'", "\\temp\\ in A"},
        {"T | where A matches regex '(a|b)c*'", ""},
        {"T | where N == 4688", "4688# in N"},
        {"T | where N in (4720, 4722)", "4720#,4722# in N"},
        {"T | where 4688 == N and B has 'net user'", "net user~ in B"},
        {"T | project-rename C = A | where C has 'whoami'", "whoami~ in A"},
        {"T | extend C = A | extend E = C | where E has 'whoami' | project E", "whoami~ in A"},
        {"T | extend C = strcat(A, 'x') | where C has 'whoami'", ""},
        {"T | extend A = B | where A has 'whoami'", "whoami~ in B"},
        {"T | extend A = tolower(A) | where A has 'whoami'", ""},
        {"T | where D.x == 'whoami'", ""},
        {"T | where tostring(D) has 'whoami'", ""},
        {"T | where A has 'whoami' | mv-expand D | where B has 'netsh.exe'", "netsh.exe~ in B"},
        {"T | parse A with * 'x' Y | where Y has 'whoami'", ""},
        {"T | where A has B", ""},
        {"let x = 'whoami'; T | where A has x", "whoami~ in A"},
        {"let f = (p:string) { T | where A has p }; f('whoami')", "whoami~ in A"},
        {"T | where A has iff(hourofday(now()) > 8, 'morning', 'evening')", ""},
        {"T | where A has iff(ago(1h) > datetime(2020-01-01), 'later', 'before')", ""},
        {"T | where A has 'whoami' | summarize count()", ""},
        {"T | where A has 'ab'", ""},
        {"T | where A in ((T | project B)) and B has 'whoami'", "whoami~ in B"},
        {"Fun | where B has 'whoami'", ""}, /* the stored text may change */
        {"T | where isnotempty(A)", ""},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct fixture f;
        begin(&f);
        struct row_literals got = literals_of(&f, rf_str_of(cases[i][0]));
        rf_str text = shown(&f, &got);
        cr_expect(rf_str_is(text, cases[i][1]), "%s gave '%.*s'", cases[i][0], RF_FMT(text));
        rf_arena_done(&f.arena);
    }
}

Test(row_literals, a_number_is_no_part_of_another)
{
    uint8_t raw[2][ROW_NUMBER_BYTES];
    rf_str long_one = row_literal_number(INT64_MIN, raw[0]),
           short_one = row_literal_number(8, raw[1]);
    cr_assert(rf_str_find(long_one, short_one, 0) == SIZE_MAX);
}

/* ---- rows that match hold one ------------------------------------------------------------------------ */

static const char *const words[] = {
    "abc", "Abcd", "bcde", "x y z", "ABC", "cab", "\xd0\x96\xd1\x83\xd0\xba"};

static void put_condition(struct rf_prng *prng, struct rf_buf *q, uint32_t depth)
{
    static const char *const ops[] = {"has", "contains",     "startswith", "endswith_cs",
                                      "==",  "=~",           "!has",       "hasprefix",
                                      "!=",  "hassuffix_cs", "contains_cs"};
    const char *word = words[rf_test_below(prng, RF_COUNT(words))];
    const char *other = words[rf_test_below(prng, RF_COUNT(words))];
    const char *column = (const char *[]){"A", "B", "C"}[rf_test_below(prng, 3)];
    switch (rf_test_below(prng, depth > 3 ? 6 : 9)) {
    case 0:
        rf_buf_printf(q, "%s in ('%s', '%s')", column, word, other);
        break;
    case 1:
        rf_buf_printf(q, "%s has_%s ('%s', '%s')", column, rf_test_bool(prng) ? "any" : "all", word,
                      other);
        break;
    case 2:
        rf_buf_printf(q, "N %s %d", rf_test_bool(prng) ? "==" : "<", (int)rf_test_below(prng, 5));
        break;
    case 3:
        rf_buf_printf(q, "%s matches regex '%s%s.*'", column, rf_test_bool(prng) ? "(?i)" : "",
                      word);
        break;
    case 4:
    case 5:
        rf_buf_printf(q, "%s %s '%s'", column, ops[rf_test_below(prng, RF_COUNT(ops))], word);
        break;
    case 6:
        rf_buf_printf(q, "not(");
        put_condition(prng, q, depth + 1);
        rf_buf_printf(q, ")");
        break;
    default:
        rf_buf_printf(q, "(");
        put_condition(prng, q, depth + 1);
        rf_buf_printf(q, rf_test_bool(prng) ? " and " : " or ");
        put_condition(prng, q, depth + 1);
        rf_buf_printf(q, ")");
        break;
    }
}

struct counter {
    struct kql_sink sink;
    uint64_t rows;
};
static enum rf_kind count_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}
static enum rf_kind count_push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    (void)err;
    ((struct counter *)sink)->rows += batch->row_count;
    return RF_OK;
}
static enum rf_kind count_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static uint64_t count_rows(struct fixture *f, rf_str text)
{
    struct kql_request request = {.text = text, .catalog = &f->catalog};
    struct counter counter = {.sink = {count_begin, count_push, count_end}};
    struct rf_err err = {0};
    cr_assert(kql_run(&request, &counter.sink, NULL, &err) == RF_OK, "%s", err.text);
    return counter.rows;
}

static bool holds(struct fixture *f, const struct row_literals *literals, rf_str a, rf_str b,
                  int64_t n)
{
    struct literal_builder builder;
    const struct literal_set *set;
    struct literal_hits hits;
    struct rf_err err;
    uint8_t raw[ROW_NUMBER_BYTES];
    literal_builder_init(&builder, &f->arena);
    for (uint32_t i = 0; i < literals->count; i++)
        literal_builder_add(&builder, literals->items[i].text,
                            literals->items[i].nocase ? LITERAL_NOCASE : LITERAL_CASE, 0);
    cr_assert(literal_set_build(&builder, &set, &err) == RF_OK);
    cr_assert(literal_hits_init(&hits, set, &f->arena, &err) == RF_OK);
    for (uint32_t i = 0; i < literals->column_count; i++) {
        char column = (char)literals->columns[i].ptr[0];
        rf_str text = column == 'A' ? a : column == 'B' ? b : row_literal_number(n, raw);
        literal_set_find(set, text, &hits);
    }
    return hits.count > 0;
}

/* One row a run: when the query gives it, one of the literals is in it. */
RF_PROP(row_literals_are_in_rows_that_match, 3000)
{
    struct fixture f;
    uint8_t raw[2][64];
    rf_str texts[2];
    begin(&f);
    for (int i = 0; i < 2; i++) {
        size_t len = 0;
        for (uint64_t left = rf_test_below(prng, 4); left > 0; left--) {
            const char *word = words[rf_test_below(prng, RF_COUNT(words))];
            memcpy(raw[i] + len, word, strlen(word));
            len += strlen(word);
            if (rf_test_bool(prng)) raw[i][len++] = ' ';
        }
        texts[i] = rf_str_make(raw[i], len);
    }
    int64_t n = (int64_t)rf_test_below(prng, 5);
    add_row(&f, texts[0], texts[1], n);
    struct rf_buf query = rf_buf_in(&f.arena);
    rf_buf_printf(&query, "T | extend C = A | where ");
    put_condition(prng, &query, 0);
    rf_buf_printf(&query, " | project-rename E = B | project C, E, N | where ");
    rf_buf_printf(&query, rf_test_bool(prng) ? "E has 'abc' or C contains 'bcd' or E contains 'c'"
                                             : "E !has 'abc' or C contains 'cab'");
    struct row_literals literals = literals_of(&f, rf_buf_view(&query));
    if (literals.count > 0 && count_rows(&f, rf_buf_view(&query)) > 0)
        cr_assert(holds(&f, &literals, texts[0], texts[1], n), "%.*s", RF_FMT(rf_buf_view(&query)));
    rf_arena_done(&f.arena);
}
