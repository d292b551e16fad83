/* What a query may ask for at most: nesting, functions that multiply, long texts, broken texts, memory. Each case
 * ends in a clear error (or a result) and never in a crash, an exhausted machine or a long wait. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "kql/kql.h"
#include "kql/source_file.h"

enum {
    TEXT_BYTES_MAX = 256 << 20,
    QUERY_BYTES = 1 << 28,   /* for queries that need not run out of memory */
    BUDGET_BYTES = 48 << 20, /* for those that must */
    SECONDS_MAX = 60, /* of processor time: each takes a few at most, with sanitizers some more */
};

/* ---- running ------------------------------------------------------------------------------------------------------ */

struct counter {
    struct kql_sink sink;
    uint64_t rows, cells;
    atomic_bool *cancel; /* set when the first rows come */
};

static enum rf_kind counter_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                  const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}
static enum rf_kind counter_push(struct kql_sink *sink, const struct batch *batch,
                                 struct rf_err *err)
{
    struct counter *c = (struct counter *)sink;
    (void)err;
    c->rows += batch->row_count;
    c->cells += (uint64_t)batch->row_count * batch->column_count;
    if (c->cancel != NULL) atomic_store(c->cancel, true);
    return RF_OK;
}
static enum rf_kind counter_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static enum rf_kind run(struct kql_request *request, struct counter *counter, struct rf_err *err)
{
    struct timespec before, after;
    *counter = (struct counter){.sink = {counter_begin, counter_push, counter_end},
                                .cancel = counter->cancel};
    *err = (struct rf_err){0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    enum rf_kind kind = kql_run(request, &counter->sink, NULL, err);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    int shown = (int)RF_MIN(request->text.len, (size_t)200);
    cr_assert(after.tv_sec - before.tv_sec < SECONDS_MAX, "%.*s takes %ld s", shown,
              (const char *)request->text.ptr, (long)(after.tv_sec - before.tv_sec));
    if (kind == RF_OK) return RF_OK;
    cr_assert(err->kind == kind && err->code != NULL && err->text[0] != '\0', "%.*s", shown,
              (const char *)request->text.ptr);
    return kind;
}

static enum rf_kind run_text(rf_str text, struct rf_err *err)
{
    struct kql_request request = {.text = text, .memory_bytes = QUERY_BYTES};
    struct counter counter = {.cancel = NULL};
    return run(&request, &counter, err);
}

static void gives(rf_str text, enum rf_kind want, const char *code)
{
    struct rf_err err;
    int shown = (int)RF_MIN(text.len, (size_t)200);
    enum rf_kind kind = run_text(text, &err);
    cr_expect(kind == want && (kind == RF_OK || strcmp(err.code, code) == 0), "%.*s: %d %s", shown,
              (const char *)text.ptr, kind, kind == RF_OK ? "" : err.text);
}

/* ---- making texts ---------------------------------------------------------------------------------------------------- */

static rf_str made(struct rf_buf *buf)
{
    cr_assert(!buf->failed);
    return rf_buf_view(buf);
}

/* head, `count` times `unit`, middle, `count` times `close`, tail. */
static rf_str nested(struct rf_arena *arena, const char *const parts[5], uint32_t count)
{
    struct rf_buf buf = rf_buf_in(arena);
    rf_buf_printf(&buf, "%s", parts[0]);
    for (uint32_t i = 0; i < count; i++) rf_buf_str(&buf, rf_str_of(parts[1]));
    rf_buf_printf(&buf, "%s", parts[2]);
    for (uint32_t i = 0; i < count; i++) rf_buf_str(&buf, rf_str_of(parts[3]));
    rf_buf_printf(&buf, "%s", parts[4]);
    return made(&buf);
}

/* first; then `count` times `unit`, in which @ is the number of this line and # of the one before; last, with #. */
static void put_numbered(struct rf_buf *buf, const char *text, uint32_t number)
{
    for (; *text != '\0'; text++) {
        if (*text == '@')
            rf_buf_printf(buf, "%u", number);
        else if (*text == '#')
            rf_buf_printf(buf, "%u", number - 1);
        else
            rf_buf_byte(buf, (uint8_t)*text);
    }
}
static rf_str chained(struct rf_arena *arena, const char *const parts[3], uint32_t count)
{
    struct rf_buf buf = rf_buf_in(arena);
    put_numbered(&buf, parts[0], 0);
    for (uint32_t i = 1; i <= count; i++) put_numbered(&buf, parts[1], i);
    put_numbered(&buf, parts[2], count + 1);
    return made(&buf);
}

/* ---- nesting ------------------------------------------------------------------------------------------------------- */

static const char *const nests[][5] = {
    {"print ", "(", "1", ")", ""},
    {"print ", "-", "1", "", ""},
    {"print ", "not(", "true", ")", ""},
    {"print ", "iff(true, 1, ", "1", ")", ""},
    {"print ", "case(true, 1, ", "1", ")", ""},
    {"print ", "strcat(\"a\", ", "1", ")", ""},
    {"print x = dynamic(", "[", "", "]", ")"},
    {"print x = dynamic(", "{\"a\":", "1", "}", ")"},
    {"print x = ", "dynamic(", "1", ")", ""},
    {"print dynamic(1)", "[0", "", "]", ""},
    {"print x = dynamic(1)", ".a", "", "", ""},
    {"", "union (print 1), (", "print 1", ")", ""},
    {"print x = 1 | join (", "print x = 1 | join (", "print x = 1", ") on x", ") on x"},
    {"", "(", "print x = 1", " | take 1)", ""},
    {"print x = ", "toscalar(print x = ", "1", ")", ""},
    {"print x = 1 | where x in (", "print x = 1 | where x in (", "1", ")", ")"},
    {"let f = () { ", "let f = () { ", "1", " }; 1", " }; print 1"},
    {"print x = dynamic([1]) | mv-apply x on (", "mv-apply x on (", "take 1", ")", ")"},
    {"print x = 1 | partition by x (", "partition by x (", "take 1", ")", ")"},
    {"print x = 1 | fork (", "fork (", "take 1", ")", ")"},
    {"search ", "(", "\"x\"", ")", ""},
};

Test(limits, brackets_nest_some_hundred_deep)
{
    static const uint32_t depths[] = {1000, 100000};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, TEXT_BYTES_MAX);
    for (size_t i = 0; i < RF_COUNT(nests); i++) {
        struct rf_err err;
        enum rf_kind kind = run_text(nested(&arena, nests[i], 20), &err);
        cr_expect(kind != RF_LIMIT, "%s%s: %s", nests[i][0], nests[i][1], err.text);
        for (size_t d = 0; d < RF_COUNT(depths); d++) {
            rf_arena_reset(&arena);
            gives(nested(&arena, nests[i], depths[d]), RF_LIMIT, "TooDeep");
        }
    }
}

/* Texts that are values, too: parse_json gives what it cannot read as a text. */
Test(limits, nested_json_stays_a_text)
{
    static const char *const close =
        "\")) | summarize n = countif(x == \"string\") | where assert(n == 1, \"not a text\")";
    const char *const parts[] = {"print x = gettype(parse_json(\"", "[", "", "]", close};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, TEXT_BYTES_MAX);
    gives(nested(&arena, parts, 1000), RF_OK, "");
    gives(nested(&arena, parts, 100000), RF_OK, "");
}

/* ---- length ----------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *parts[3];
    uint32_t good, bad; /* 0: none */
    const char *code;
} chains[] = {
    {{"print x = 1", " | extend x = x + 1", ""}, 1000, 20000, "TooDeep"},
    {{"print x = 1", " | where x == 1", ""}, 1000, 20000, "TooDeep"},
    {{"print x = 1", " | summarize x = max(x)", ""}, 300, 20000, "TooDeep"},
    {{"print x = 1", " | union (print x = 1)", " | count"}, 300, 20000, "TooDeep"},
    {{"print x = 1", " | join (print x = 1) on x | project x", ""}, 300, 20000, "TooDeep"},
    {{"print x = 1", " + 1", ""}, 100000, 0, ""},
    {{"print r = rand() | where r", " + r", " >= 0"}, 1000, 100000, "TooDeep"},
    {{"print x = 1 | where x == 0", " or x == @", ""}, 1500, 100000, "TooDeep"},
    {{"print x = 1 | where x == 1", " and x == 1", ""}, 1500, 100000, "TooDeep"},
    {{"print x = 1 | where x in (0", ", @", ")"}, 100000, 0, ""},
    {{"print x = 1 | project c0 = x", ", c@ = x", " | count"}, 5000, 20000, "QueryTooLarge"},
    {{"print x = 1 | project x", ", x", " | count"}, 3000, 20000, "QueryTooLarge"},
    {{"print x = 1 | summarize count()", ", count()", " | count"}, 1000, 0, ""},
    {{"print 0", "; print @", ""}, 900, 20000, "QueryTooLarge"},
    {{"set a = 0;", "set a = @;", "print 1"}, 900, 20000, "QueryTooLarge"},
    {{"let a0 = 0;", "let a@ = a# + 1;", "print a#"}, 20000, 0, ""},
    {{"let a0 = rand();", "let a@ = a# + 1;", "print a#"}, 1000, 20000, "TooDeep"},
    {{"let a0 = print x = 1;", "let a@ = a# | take 1;", "a#"}, 200, 1000, "TooDeep"},
    {{"let f0 = (x:long) { x };", "let f@ = (x:long) { f#(x) + 1 };", "print f#(1)"},
     200,
     1000,
     "TooDeep"},
    {{"let f0 = () { print x = 1 };", "let f@ = () { f#() };", "f#()"}, 200, 20000, "TooDeep"},
    {{"let f0 = () { 1 };", "let f@ = () { f#() };", "print f#()"}, 200, 20000, "TooDeep"},
    {{"let a0 = toscalar(print x = 1);", "let a@ = toscalar(print x = 1 | extend x = x + a#);",
      "print a#"},
     100,
     5000,
     "TooDeep"},
    {{"print x = 1 | project case(x == 0, 0", ", x == @, 2", ", 3)"}, 1000, 20000, "TooDeep"},
    {{"print x = 1 | project strcat(x", ", x", ")"}, 20000, 0, ""},
    {{"datatable(x:long)[0", ", @", "] | count"}, 100000, 0, ""},
    {{"print x = \"a\"", " \"b\"", ""}, 100000, 0, ""},
    {{"print x = 1", "\n// @\n", ""}, 100000, 0, ""},
    {{"search \"a\"", " or \"b\"", ""}, 0, 100000, NULL},
};

Test(limits, long_queries_run_or_say_what_is_too_much, .timeout = 600)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, TEXT_BYTES_MAX);
    for (size_t i = 0; i < RF_COUNT(chains); i++) {
        struct rf_err err;
        rf_arena_reset(&arena);
        if (chains[i].good > 0) gives(chained(&arena, chains[i].parts, chains[i].good), RF_OK, "");
        rf_arena_reset(&arena);
        if (chains[i].code == NULL)
            (void)run_text(chained(&arena, chains[i].parts, chains[i].bad), &err);
        else if (chains[i].bad > 0)
            gives(chained(&arena, chains[i].parts, chains[i].bad), RF_LIMIT, chains[i].code);
    }
}

/* Each line doubles what the one before stands for. */
static const char *const doublings[][3] = {
    {"let a0 = print x = 1;", "let a@ = union a#, a#;", "a#"},
    {"let a0 = print x = 1;", "let a@ = a# | union a#;", "a#"},
    {"let a0 = print x = 1;", "let a@ = a# | join a# on x;", "a#"},
    {"let f0 = () { print x = 1 };", "let f@ = () { union f#(), f#() };", "f#()"},
    {"let f0 = (x:long) { x + x };", "let f@ = (x:long) { f#(f#(x)) };",
     "print y = 1 | project f#(y)"},
    {"let f0 = (x:long) { x + x };", "let f@ = (x:long) { f#(x) + f#(x) };",
     "print y = 1 | project f#(y)"},
    {"let a0 = rand();", "let a@ = a# + a#;", "print a#"},
    {"let a0 = toscalar(print x = 1);", "let a@ = a# + a#;", "print a#"},
    {"let f0 = () { 1 };", "let f@ = () { let a = f#(); let b = f#(); a + b };", "print f#()"},
};

Test(limits, functions_that_multiply_are_bounded, .timeout = 600)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, TEXT_BYTES_MAX);
    for (size_t i = 0; i < RF_COUNT(doublings); i++) {
        gives(chained(&arena, doublings[i], 3), RF_OK, "");
        gives(chained(&arena, doublings[i], 100), RF_LIMIT, "QueryTooLarge");
    }
    /* Asking whether a function gives a table must not walk through all that it calls. */
    static const char *const asked[] = {"let f0 = () { print x = 1 };",
                                        "let f@ = () { let a = f#(); let b = f#(); print 1 };",
                                        "f#()"};
    gives(chained(&arena, asked, 100), RF_OK, "");
}

Test(limits, functions_do_not_call_themselves)
{
    struct stored_function functions[] = {
        {.name = RF_S("f"), .text = RF_S("(n:long) { f(n) + 1 }")},
        {.name = RF_S("t"), .text = RF_S("() { t() | take 1 }")},
        {.name = RF_S("even"), .text = RF_S("(n:long) { odd(n - 1) }")},
        {.name = RF_S("odd"), .text = RF_S("(n:long) { even(n - 1) }")}};
    struct catalog catalog = {.functions = functions, .function_count = RF_COUNT(functions)};
    static const char *const queries[] = {"print f(1)", "t()", "t", "print even(4)",
                                          "print f(f(1))"};
    for (size_t i = 0; i < RF_COUNT(queries); i++) {
        struct kql_request request = {
            .text = rf_str_of(queries[i]), .catalog = &catalog, .memory_bytes = QUERY_BYTES};
        struct counter counter = {.cancel = NULL};
        struct rf_err err;
        cr_expect(run(&request, &counter, &err) == RF_INVALID, "%s: %s", queries[i], err.text);
    }
    gives(RF_S("let f = (n:long) { f(n - 1) }; print f(3)"), RF_INVALID, "UnknownFunction");
    gives(RF_S("let f = () { T }; let T = f(); T"), RF_INVALID, "UnknownColumn");
}

/* ---- texts ---------------------------------------------------------------------------------------------------------- */

Test(limits, long_texts)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, TEXT_BYTES_MAX);
    struct rf_buf text = rf_buf_in(&arena);
    rf_buf_printf(&text, "print x = strlen(\"");
    for (uint32_t i = 0; i < 10 << 20; i++) rf_buf_byte(&text, 'a');
    rf_buf_printf(&text, "\") | where x == 10485760 | count");
    gives(made(&text), RF_OK, "");
    for (uint32_t i = 0; i < 7 << 20; i++) rf_buf_byte(&text, ' ');
    gives(made(&text), RF_LIMIT, "QueryTooLong");
    memset(text.ptr, 0, 10 << 20);
    gives(rf_slice(made(&text), 0, 10 << 20), RF_INVALID, "UnexpectedCharacter");
    memset(text.ptr, '(', 1 << 20);
    gives(rf_slice(made(&text), 0, 1 << 20), RF_LIMIT, "TooDeep");
    memset(text.ptr, '"', 1 << 20);
    gives(rf_slice(made(&text), 0, (1 << 20) - 1), RF_INVALID, "UnterminatedString");
}

Test(limits, broken_texts_are_named_with_their_place)
{
    static const struct {
        const char *text, *code;
        uint32_t line, column;
    } cases[] = {
        {"", "NoQuery", 0, 0},
        {" \n\t ", "NoQuery", 0, 0},
        {"// nothing but this", "NoQuery", 0, 0},
        {";;;", "NoQuery", 0, 0},
        {"print \"abc", "UnterminatedString", 1, 7},
        {"print 1,\n 'abc", "UnterminatedString", 2, 2},
        {"print @'abc''", "UnterminatedString", 1, 7},
        {"print ```abc``", "UnterminatedString", 1, 7},
        {"print \"a\\", "UnterminatedString", 1, 7},
        {"print \"\\u12\"", "BadEscape", 1, 8},
        {"print \"\xff\"", "BadUtf8", 1, 8},
        {"print 1\n| extend \xc3\xa9 = '\xe2\x82'", "BadUtf8", 2, 15},
        {"print 0xfffffffffffffffff", "BadLiteral", 1, 7},
        {"print 99999999999999d", "BadLiteral", 1, 7},
        {"print datetime(2024-01-01", "BadLiteral", 1, 7},
        {"print 12abc", "UnknownColumn", 1, 7},
        {"print (1", "SyntaxError", 1, 9},
        {"print 1 |", "SyntaxError", 1, 10},
        {"T | ", "SyntaxError", 1, 5},
        {"print 1 # 2", "UnexpectedCharacter", 1, 9},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_err err;
        enum rf_kind kind = run_text(rf_str_of(cases[i].text), &err);
        cr_expect(kind == RF_INVALID && strcmp(err.code, cases[i].code) == 0 &&
                      err.line == cases[i].line && err.column == cases[i].column,
                  "%s: %s at %u:%u, %s", cases[i].text, kind == RF_OK ? "no error" : err.code,
                  err.line, err.column, err.text);
    }
    gives(RF_S("print 1\0"), RF_INVALID, "UnexpectedCharacter");
    gives(RF_S("print \"a\0b\" | where strlen(print_0) == 3 | summarize c = count() | extend ok = "
               "assert(c == 1, \"no\")"),
          RF_OK, "");
}

Test(limits, names_may_hold_anything)
{
    gives(RF_S("print ['a b'] = 1, [\"x'y\"] = 2, ['select'] = 3, ['\xc3\xa9\xf0\x9f\x98\x80'] = "
               "4, [''] = 5, ['a.b'] = 6, ['*'] = 7, ['%n%s'] = 8"
               " | where ['a b'] == 1 and [\"x'y\"] == 2 and ['select'] == 3 and ['%n%s'] == 8"
               " | summarize ['sum %d'] = sum(['\xc3\xa9\xf0\x9f\x98\x80']), take_any(*) by ['a "
               "b'] | project-away ['%n%s'] | sort by ['sum %d']"),
          RF_OK, "");
    gives(RF_S("print ['a\\nb'] = 1 | where ['a%sb'] == 1"), RF_INVALID, "UnknownColumn");
}

Test(limits, a_thousand_columns)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, TEXT_BYTES_MAX);
    enum { COLUMNS = 1000, ROWS = 3000 };
    static struct ast_column columns[COLUMNS];
    uint8_t types[COLUMNS];
    struct vec vecs[COLUMNS];
    for (uint32_t c = 0; c < COLUMNS; c++) {
        struct value v = value_long(c);
        columns[c] =
            (struct ast_column){.name = rf_arena_printf(&arena, "c%u", c), .type = TYPE_LONG};
        types[c] = TYPE_LONG;
        cr_assert(vec_const(&arena, &v, &vecs[c]));
    }
    struct rows *rows = rows_new(&arena, types, COLUMNS);
    struct batch batch = {
        .row_count = BATCH_ROWS, .column_count = COLUMNS, .columns = vecs, .arena = &arena};
    cr_assert(rows != NULL && rows_append(rows, &batch));
    struct source *sources[] = {source_rows_new(RF_S("T"), columns, COLUMNS, rows, &arena)};
    struct catalog catalog = {.sources = sources, .source_count = 1};
    static const char *const queries[] = {
        "T | take 5",
        "T | where c999 == 999 | distinct c1, c2",
        "T | sort by c500 asc | take 3",
        "T | union T | summarize take_any(*) by c7",
        "T | join kind=inner (T | take 1) on c1 | take 1",
        "T | take 2 | project pack_all()",
        "T | project-reorder c9* | getschema",
        "search \"999\" | take 1",
        "T | take 1 | evaluate narrow() | count",
        "T | summarize make_list(c3) by c4 | mv-expand list_c3 | take 10"};
    for (size_t i = 0; i < RF_COUNT(queries); i++) {
        struct kql_request request = {
            .text = rf_str_of(queries[i]), .catalog = &catalog, .memory_bytes = QUERY_BYTES};
        struct counter counter = {.cancel = NULL};
        struct rf_err err;
        cr_expect(run(&request, &counter, &err) == RF_OK, "%s: %s", queries[i], err.text);
        cr_expect(counter.rows > 0, "%s", queries[i]);
    }
}

/* ---- memory ------------------------------------------------------------------------------------------------------------ */

#define MILLIONS "range x from 1 to 1000000000 step 1"
#define LONG_TEXT "strcat(x, \"01234567890123456789012345678901234567890123456789\")"

static const char *const hungry[] = {
    MILLIONS " | sort by x desc",
    MILLIONS " | top 500000000 by x",
    MILLIONS " | summarize count() by x",
    MILLIONS " | summarize make_list(" LONG_TEXT ")",
    MILLIONS " | summarize make_set(" LONG_TEXT ")",
    MILLIONS " | summarize count_distinct(x)",
    MILLIONS " | distinct x",
    MILLIONS " | join kind=inner (" MILLIONS ") on x",
    MILLIONS " | join kind=fullouter (" MILLIONS ") on x",
    MILLIONS " | extend k = 1 | join kind=inner (range y from 1 to 100000 step 1 | extend k = 1) "
             "on k | sort by y",
    MILLIONS " | serialize p = prev(x, 500000000)",
    MILLIONS " | make-series count() on x from 1 to 1000000 step 1 by y = x % 1000",
    MILLIONS " | extend y = x % 10 | partition by y (sort by x)",
    MILLIONS " | as a | join (a) on x",
    MILLIONS " | top-nested of x by count()",
    "let m = materialize(" MILLIONS "); union m, m",
    "print a = range(1, 1000000, 1) | extend b = a | mv-expand a | mv-expand b | sort by tolong(a)",
    "print x = toscalar(" MILLIONS " | summarize make_list(" LONG_TEXT "))",
    MILLIONS " | where x in ((" MILLIONS "))",
    "print s = \"0123456789\" | extend s = strcat(s, s), s = strcat(s, s), s = strcat(s, s), s = "
    "strcat(s, s)"
    " | extend s = strrep(s, 1000) | extend s = strcat(s, s, s, s, s, s, s, s, s, s) | extend s = "
    "strcat(s, s, s, s, s, s, s, s, s, s)"
    " | extend s = strcat(s, s, s, s, s, s, s, s, s, s) | extend s = strcat(s, s, s, s, s, s, s, "
    "s, s, s)",
};

static long peak_bytes(void)
{
    struct rusage usage;
    cr_assert(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_maxrss * 1024;
}

Test(limits, more_than_the_memory_budget_is_an_error_that_names_it, .timeout = 600)
{
    long before = peak_bytes();
    for (size_t i = 0; i < RF_COUNT(hungry); i++) {
        struct kql_request request = {.text = rf_str_of(hungry[i]), .memory_bytes = BUDGET_BYTES};
        struct counter counter = {.cancel = NULL};
        struct rf_err err;
        enum rf_kind kind = run(&request, &counter, &err);
        cr_expect(kind == RF_LIMIT && strcmp(err.code, "MemoryBudgetExceeded") == 0, "%s: %s",
                  hungry[i], kind == RF_OK ? "runs" : err.text);
        if (kind == RF_OK) continue;
        char budget[32];
        snprintf(budget, sizeof budget, "%d bytes", (int)BUDGET_BYTES);
        cr_expect(strstr(err.text, budget) != NULL, "%s: %s", hungry[i], err.text);
    }
    /* A sanitizer keeps what was freed. */
#ifndef RF_NO_CLONES
    cr_expect(peak_bytes() - before < 2L * BUDGET_BYTES, "%ld bytes", peak_bytes() - before);
#else
    (void)before;
#endif
}

/* What streams needs no memory, however much it is. */
Test(limits, streams_need_little_memory)
{
    static const char *const queries[] = {
        "range x from 1 to 20000000 step 1 | where x % 2 == 0 | extend y = x * 2 | summarize "
        "sum(y)",
        "range x from 1 to 10000000 step 1 | top 10 by x",
        "range x from 1 to 3000000 step 1 | summarize count() by x % 100, dcount_bucket = bin(x, "
        "1000000)",
        "range x from 1 to 1000 step 1 | extend a = range(1, 1000, 1) | mv-expand a to "
        "typeof(long) | summarize sum(a)",
        "range x from 1 to 2000000 step 1 | sort by x desc | take 5",
    };
    for (size_t i = 0; i < RF_COUNT(queries); i++) {
        struct kql_request request = {.text = rf_str_of(queries[i]), .memory_bytes = BUDGET_BYTES};
        struct counter counter = {.cancel = NULL};
        struct rf_err err;
        cr_expect(run(&request, &counter, &err) == RF_OK, "%s: %s", queries[i], err.text);
    }
}

Test(limits, a_small_budget_fails_at_any_place)
{
    static const char *const query =
        "let f = (n:long) { n + 1 }; let t = datatable(a:string, n:long)[\"x\", 1, \"y\", 2];"
        "t | extend m = f(n), d = parse_json('{\"k\":[1,2]}') | mv-expand d.k | join "
        "kind=leftouter (t) on a"
        " | summarize make_set(a), count() by m | sort by m asc | extend r = row_number()";
    bool ran = false;
    for (size_t bytes = 1024; bytes < 1 << 22; bytes += 1024 + bytes / 16) {
        struct kql_request request = {.text = rf_str_of(query), .memory_bytes = bytes};
        struct counter counter = {.cancel = NULL};
        struct rf_err err;
        enum rf_kind kind = run(&request, &counter, &err);
        cr_assert(kind == RF_OK || strcmp(err.code, "MemoryBudgetExceeded") == 0, "%zu bytes: %s",
                  bytes, err.text);
        ran = ran || kind == RF_OK;
    }
    cr_expect(ran);
}

/* ---- cancelling -------------------------------------------------------------------------------------------------------- */

Test(limits, a_cancelled_query_ends)
{
    static const char *const queries[] = {
        MILLIONS,
        MILLIONS " | count",
        MILLIONS " | summarize sum(x)",
        MILLIONS " | where x < 0",
        MILLIONS " | sort by x",
        MILLIONS " | join kind=inner (" MILLIONS ") on x",
        "print x = toscalar(" MILLIONS " | count)",
        "print a = range(1, 1000000, 1) | mv-expand b = a | mv-expand c = a | count",
        "union (" MILLIONS "), (" MILLIONS ") | count",
    };
    for (size_t i = 0; i < RF_COUNT(queries); i++) {
        atomic_bool cancelled = true;
        struct kql_request request = {.text = rf_str_of(queries[i]), .cancelled = &cancelled};
        struct counter counter = {.cancel = NULL};
        struct rf_err err;
        enum rf_kind kind = run(&request, &counter, &err);
        cr_expect(kind == RF_CANCELLED && strcmp(err.code, "QueryCancelled") == 0, "%s: %d",
                  queries[i], kind);
        cr_expect(counter.rows == 0);
    }
    atomic_bool cancelled = false;
    struct kql_request request = {.text = RF_S(MILLIONS), .cancelled = &cancelled};
    struct counter counter = {.cancel = &cancelled};
    struct rf_err err;
    cr_expect(run(&request, &counter, &err) == RF_CANCELLED);
    cr_expect(counter.rows == BATCH_ROWS, "the batch that set the flag is the last");
}
