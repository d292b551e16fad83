/* functions_test.c - saved functions from files, and watchlists. */
#include "lab/functions.h"

#include "kql/kql.h"
#include "lab/watchlists.h"
#include "test/rf_prop.h"

struct stage {
    struct rf_arena arena;
    struct lab_functions functions;
    struct lab_watchlists lists;
    struct rf_err err;
};

static void open_stage(struct stage *s)
{
    memset(s, 0, sizeof *s);
    rf_arena_init(&s->arena, 64 << 20);
    s->functions.arena = s->lists.arena = &s->arena;
}

static enum rf_kind add(struct stage *s, const char *name, const char *text)
{
    return lab_functions_add_text(&s->functions, rf_str_of(name), rf_str_of(text), &s->err);
}

static enum rf_kind call(void *ctx, rf_str name, const struct value *args, uint32_t count,
                         struct source **out, struct rf_err *err)
{
    struct stage *s = ctx;
    return lab_watchlists_call(&s->lists, name, args, count, &s->arena, out, err);
}

struct one_cell {
    struct kql_sink sink;
    struct rf_arena *arena;
    rf_str text;
};
static enum rf_kind cell_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                               const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}
static enum rf_kind cell_push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    struct one_cell *c = (struct one_cell *)sink;
    (void)err;
    struct value v = vec_value(&batch->columns[0], 0);
    if (v.type == TYPE_LONG) c->text = rf_arena_printf(c->arena, "%lld", (long long)v.i);
    if (v.type == TYPE_STRING) (void)rf_arena_str(c->arena, v.s, &c->text);
    return RF_OK;
}
static enum rf_kind cell_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

/* The first cell of the answer. */
static const char *answer(struct stage *s, const char *text)
{
    const struct catalog catalog = {.functions = s->functions.items,
                                    .function_count = s->functions.count,
                                    .call = call,
                                    .call_ctx = s};
    const struct kql_request request = {.text = rf_str_of(text), .catalog = &catalog};
    struct one_cell cell = {.sink = {.begin = cell_begin, .push = cell_push, .end = cell_end},
                            .arena = &s->arena};
    struct kql_stats stats;
    cr_assert(kql_run(&request, &cell.sink, &stats, &s->err) == RF_OK, "%s: %s", text, s->err.text);
    return rf_arena_cstr(&s->arena, cell.text);
}

Test(lab_functions, forms_of_files)
{
    struct stage s;
    open_stage(&s);
    cr_assert(add(&s, "Plain.kql", "print v = 7 // the end") == RF_OK, "%s", s.err.text);
    cr_assert(add(&s, "Given.csl",
                  "// parameters: a:long, b:string=\"x\"\nprint v = strcat(b, a)") == RF_OK);
    cr_assert(
        add(&s, "any.kql",
            ".create-or-alter function with (docstring='a ) b', folder=\"f\") Made(a:long) {\n"
            "print v = a * 2 }\n") == RF_OK,
        "%s", s.err.text);
    cr_assert(add(&s, "p.yaml",
                  "ParserName: vimA\nEquivalentBuiltInParser: _Im_A\nParserParams:\n"
                  "  - Name: who\n    Type: string\n    Default: '*'\n"
                  "  - Name: n\n    Type: long\n    Default: 3\n"
                  "ParserQuery: |\n  print v = strcat(who, n)\n") == RF_OK,
              "%s", s.err.text);
    cr_assert(add(&s, "f.json",
                  "{\"resources\":[{\"properties\":{\"functionAlias\":\"Saved\","
                  "\"functionParameters\":\"a:long=5\",\"query\":\"print v = a\"}}]}") == RF_OK);
    cr_assert(add(&s, "functions.json",
                  "[{\"name\":\"Plain\",\"parameters\":\"\",\"body\":\"print v = 8\"},"
                  "{\"name\":\"Known\",\"parameters\":\"\",\"columns\":[{\"name\":\"a b\",\"type\":"
                  "\"long\"}]}]") == RF_OK);
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"Plain", "7"}, /* the first of a name counts */
        {"Given(4)", "x4"},       {"Given(4, 'y')", "y4"},
        {"Made(21)", "42"},       {"vimA()", "*3"},
        {"_Im_A(who='z')", "z3"}, {"Saved()", "5"},
        {"Known | count", "0"},   {"Known | union (print ['a b'] = 4) | project ['a b']", "4"}};
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        cr_expect_str_eq(answer(&s, cases[i].text), cases[i].want, "%s", cases[i].text);
    lab_functions_drop(&s.functions, "plain");
    cr_assert(add(&s, "Plain.kql", "print v = 9") == RF_OK);
    cr_expect_str_eq(answer(&s, "Plain"), "9");
    rf_arena_done(&s.arena);
}

Test(lab_functions, what_is_no_function)
{
    static const struct {
        const char *name, *text;
    } cases[] = {{"a.kql", ".create table T (a:long)"},
                 {"a.kql", ".create function with (a"},
                 {"a.kql", ".create-or-alter function (a:long) { print a }"},
                 {"a.kql", ".create function F { print 1 }"},
                 {"a.json", "{\"a\":"},
                 {"a.yaml", "a: [\n"}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct stage s;
        open_stage(&s);
        cr_expect(add(&s, cases[i].name, cases[i].text) == RF_INVALID, "%s", cases[i].text);
        cr_expect_eq(s.functions.count, 0);
        rf_arena_done(&s.arena);
    }
}

Test(lab_watchlists, are_read_and_asked)
{
    struct stage s;
    struct json_node *items;
    open_stage(&s);
    cr_assert(json_parse(RF_S("[{\"User\":\"ann\",\"Level\":\"9\"},{\"User\":\"Bob\"}]"), &s.arena,
                         &items, &s.err) == RF_OK);
    cr_assert(lab_watchlists_add_items(&s.lists, RF_S("Vips"), RF_S("User"), items, &s.err) ==
              RF_OK);
    cr_expect(lab_watchlists_add_items(&s.lists, RF_S("VIPS"), RF_S("User"), items, &s.err) ==
              RF_CONFLICT);
    cr_expect(lab_watchlists_add_items(&s.lists, RF_S("other"), RF_S("No"), items, &s.err) ==
              RF_INVALID);
    cr_expect_str_eq(answer(&s, "_GetWatchlist('vips') | where User == 'ann' | project Level"),
                     "9");
    cr_expect_str_eq(answer(&s, "_GetWatchlist('Vips', 'bob') | project SearchKey"), "Bob");
    cr_expect_str_eq(answer(&s, "_GetWatchlist('none') | count"), "0");
    cr_expect_str_eq(answer(&s, "_GetWatchlistAlias | project WatchlistAlias"), "Vips");
    rf_arena_done(&s.arena);
}
