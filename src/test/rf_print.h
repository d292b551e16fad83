/* rf_print.h - tables of KQL expressions and what they print.
 *
 *   static const struct rf_print_case cases[] = {{"bin(17, 5)", "15"}, {"toint('x')", "null"}};
 *   RF_PRINT_CHECK(cases);
 *
 * Each runs as a query of its own, `print <expression>`; an expected text that begins with a
 * type name and a colon ("int:5") checks the type as well, "error:" is met by any failure. now()
 * is 2020-01-01. */
#ifndef RF_TEST_PRINT_H
#define RF_TEST_PRINT_H

#include "kql/kql.h"
#include "value/text.h"

#include <criterion/criterion.h>

struct rf_print_case {
    const char *expression, *expected;
};

struct rf_print_sink {
    struct kql_sink sink;
    struct rf_arena *arena;
    rf_str typed, plain; /* of the last cell: "int:5" and "5" */
};

static enum rf_kind rf_print_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                   const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}

static enum rf_kind rf_print_push(struct kql_sink *sink, const struct batch *batch,
                                  struct rf_err *err)
{
    struct rf_print_sink *print = (struct rf_print_sink *)sink;
    struct value v = vec_value(&batch->columns[0], 0);
    struct rf_buf buf = rf_buf_in(print->arena);
    rf_buf_printf(&buf, "%s:", type_name((enum type)v.type));
    size_t type_bytes = buf.len;
    if (v.null)
        rf_buf_str(&buf, RF_S("null"));
    else
        text_put_value(&buf, &v);
    if (buf.failed) return rf_fail_memory(err, print->arena);
    print->typed = rf_buf_view(&buf);
    print->plain = rf_slice(print->typed, type_bytes, buf.len);
    return RF_OK;
}

static enum rf_kind rf_print_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

__attribute__((unused)) static void rf_print_check(const struct rf_print_case *c)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 24);
    struct catalog catalog = {0};
    struct kql_request request = {.catalog = &catalog, .memory_bytes = 1u << 28, .lane_count = 1};
    request.text = rf_arena_printf(&arena, "print %s", c->expression);
    request.env = (struct func_env){
        .database = RF_S("db"), .cluster = RF_S("here"), .principal = RF_S("me@here")};
    request.now_ticks = DATETIME_UNIX_EPOCH + 18262 * TICKS_PER_DAY;
    struct rf_print_sink sink = {
        .sink = {.begin = rf_print_begin, .push = rf_print_push, .end = rf_print_end},
        .arena = &arena};
    struct kql_stats stats;
    struct rf_err err = {0};
    if (kql_run(&request, &sink.sink, &stats, &err) != RF_OK) {
        cr_expect(rf_str_is(RF_S("error:"), c->expected), "%s fails: %s", c->expression, err.text);
        return;
    }
    bool same = rf_str_is(sink.plain, c->expected) || rf_str_is(sink.typed, c->expected);
    cr_expect(same, "%s is %.*s, not %s", c->expression, RF_FMT(sink.typed), c->expected);
}

#define RF_PRINT_CHECK(cases)                                                                      \
    for (size_t rf_print_i = 0; rf_print_i < RF_COUNT(cases); rf_print_i++)                        \
    rf_print_check(&(cases)[rf_print_i])

#endif
