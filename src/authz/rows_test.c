#include "authz/condition_int.h"
#include "test/rf_prop.h"

#define READ "Microsoft.OperationalInsights/workspaces/tables/data/read"
#define NAME "@Resource[Microsoft.OperationalInsights/workspaces/tables:name]"
#define RECORD "@Resource[Microsoft.OperationalInsights/workspaces/tables/record:"
#define GUARD "(!(ActionMatches{'" READ "'})) OR "

static const struct condition_subject subject = {
    .action = {(const uint8_t *)READ, sizeof READ - 1},
    .is_data = true,
    .scope = {(const uint8_t *)"/subscriptions/s/providers/x/workspaces/w/tables/Syslog", 55}};

static void show(const struct row_access *rows, struct rf_buf *buf)
{
    static const char *const compares[] = {"=", "~", "^"};
    switch (rows->kind) {
    case ROWS_NONE:
    case ROWS_ALL:
        rf_buf_printf(buf, rows->kind == ROWS_ALL ? "all" : "none");
        return;
    case ROWS_AND:
    case ROWS_OR:
        rf_buf_byte(buf, '(');
        show(rows->left, buf);
        rf_buf_printf(buf, rows->kind == ROWS_AND ? " & " : " | ");
        show(rows->right, buf);
        rf_buf_byte(buf, ')');
        return;
    case ROWS_FILLED:
        rf_buf_printf(buf, "%s%.*s", rows->negated ? "no " : "some ", RF_FMT(rows->column));
        return;
    case ROWS_COMPARE:
        break;
    }
    rf_buf_printf(buf, "%.*s%s%s%s", RF_FMT(rows->column), rows->negated ? "!" : "",
                  compares[rows->compare], rows->nocase ? "i" : "");
    for (uint32_t i = 0; i < rows->value_count; i++)
        rf_buf_printf(buf, "%s%.*s", i == 0 ? "" : rows->all ? "&" : "|", RF_FMT(rows->values[i]));
}

Test(rows, what_is_left_of_a_condition)
{
    static const struct {
        const char *condition, *rows;
    } table[] = {
        {GUARD NAME " StringEquals 'Syslog'", "all"},
        {GUARD NAME " StringEquals 'syslog'", "none"},
        {GUARD NAME " ForAnyOfAllValues:StringNotEquals {'Perf', 'Event'}", "all"},
        {GUARD NAME " ForAnyOfAllValues:StringNotEquals {'Perf', 'Syslog'}", "none"},
        {RECORD "Host] StringEquals 'a'", "Host=a"},
        {RECORD "Host<$key_case_sensitive$>] StringEquals 'a'", "Host=a"},
        {GUARD "(" NAME " StringEquals 'Syslog' AND " RECORD
               "V] ForAnyOfAnyValues:StringLikeIgnoreCase {'x y', 'z'})",
         "V~ix y|z"},
        {GUARD "(" NAME " StringEquals 'Perf' AND " RECORD "V] StringEquals 'x')", "none"},
        {NAME " StringNotEquals 'Syslog' OR (" NAME " StringEquals 'Syslog' AND " RECORD
              "U] StringNotEquals 'boss')",
         "U!=boss"},
        {RECORD "A] ForAllOfAllValues:StringNotEqualsIgnoreCase {'x', 'y'}", "A!=ix&y"},
        {"!(" RECORD "A] ForAnyOfAnyValues:StringStartsWith {'x', 'y'})", "A!^x&y"},
        {"!(" RECORD "A] ForAllOfAllValues:StringNotEquals {'x', 'y'})", "A=x|y"},
        {"!(" RECORD "A] StringEquals 'x' OR " RECORD "B] StringEquals 'y')", "(B!=y & A!=x)"},
        {RECORD "A] StringEquals 'x' AND !!(" RECORD "B] StringEquals 'y')", "(B=y & A=x)"},
        {"Exists " RECORD "A]", "some A"},
        {"!(Exists " RECORD "A])", "no A"},
        {"NotExists " RECORD "A]", "no A"},
        {"'x' StringEquals 'x' AND " RECORD "A] StringEquals 'x'", "A=x"},
        /* What is not known gives no rows, negated or not. */
        {"@Principal[x:y] StringEquals 'z' OR " RECORD "A] StringEquals 'x'", "A=x"},
        {"!(@Principal[x:y] StringEquals 'z') AND " RECORD "A] StringEquals 'x'", "none"},
        {RECORD "A] StringEquals @Principal[x:y]", "none"},
        {"!(" RECORD "A] StringEquals @Principal[x:y])", "none"},
        {RECORD "A] NumericLessThan 5", "none"},
        {"!(" RECORD "A] NumericLessThan 5)", "none"},
        {"'x' StringEquals " RECORD "A]", "none"},
        {"@Request[Microsoft.OperationalInsights/workspaces/tables/record:A] StringEquals 'x'",
         "none"},
        {RECORD "] StringEquals 'x'", "none"},
    };
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1u << 20);
        struct condition *condition;
        struct rf_err err;
        cr_assert(condition_parse(rf_str_of(table[i].condition), &arena, &condition, &err) == RF_OK,
                  "%s: %s", table[i].condition, err.text);
        const struct row_access *rows = condition_rows(condition, &subject, &arena);
        struct rf_buf buf = rf_buf_in(&arena);
        cr_assert(rows != NULL);
        show(rows, &buf);
        cr_assert(rf_str_is(rf_buf_view(&buf), table[i].rows), "%s: %.*s, not %s",
                  table[i].condition, RF_FMT(rf_buf_view(&buf)), table[i].rows);
    }
}

/* Without memory there is no answer, and never a wider one. */
Test(rows, lack_of_memory_gives_nothing)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(rf_arena_done) struct rf_arena small;
    rf_arena_init(&arena, 1u << 20);
    rf_arena_init(&small, 0);
    struct condition *condition;
    cr_assert(condition_parse(RF_S(RECORD "A] StringEquals 'x' OR " RECORD "B] StringEquals 'y'"),
                              &arena, &condition, NULL) == RF_OK);
    cr_assert(condition_rows(condition, &subject, &small) == NULL);
}
