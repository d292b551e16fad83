/* sigma_world_test_util.h - rules and events of a test, and which rules match which lines. */
#ifndef RF_SIGMA_WORLD_TEST_UTIL_H
#define RF_SIGMA_WORLD_TEST_UTIL_H

#include "sigma/correlate.h"
#include "sigma/match.h"
#include "test/rf_prop.h" /* includes <criterion/criterion.h> */

struct world {
    struct rf_arena arena;
    struct sigma_set set;
    struct rf_buf found; /* "rule:line rule:line ", rules by their labels */
};

RF_TEST_HELPER void world_init(struct world *w, const char *rules)
{
    struct rf_err err;
    rf_arena_init(&w->arena, (size_t)1 << 30);
    w->set = sigma_set_in(&w->arena);
    cr_assert(sigma_read(&w->set, "rules.yml", 1, (rf_str){NULL, 0}, rf_str_of(rules), &err) ==
              RF_OK);
    cr_assert(sigma_set_finish(&w->set, &err) == RF_OK);
    w->found = rf_buf_in(&w->arena);
}
RF_TEST_HELPER void world_done(struct world *w) { rf_arena_done(&w->arena); }

RF_TEST_HELPER enum rf_kind world_found(void *ctx, uint32_t rule, uint64_t line, struct rf_err *err)
{
    struct world *w = ctx;
    (void)err;
    if (!w->set.rules[rule]->inner)
        rf_buf_printf(&w->found, "%.*s:%llu ", RF_FMT(sigma_rule_label(w->set.rules[rule])),
                      (unsigned long long)line);
    return RF_OK;
}

/* Runs all rules over the lines; a view of "rule:line ..." in the order of lines. */
RF_TEST_HELPER rf_str world_run(struct world *w, const char *layout, rf_str lines)
{
    struct matcher *matcher;
    struct event_reader *reader;
    struct match_run *run;
    struct correlator *correlator;
    struct rf_err err;
    uint32_t count;
    uint64_t without_time = 0;
    const struct layout *l = layout_find(rf_str_of(layout));
    cr_assert(l != NULL);
    w->found.len = 0;
    cr_assert(matcher_new(&w->set, l, &w->arena, &matcher, &err) == RF_OK, "%s", err.text);
    cr_assert(correlator_add_fields(&w->set, matcher, &err) == RF_OK);
    const rf_str *fields = matcher_fields(matcher, &count);
    cr_assert(event_reader_new(l, fields, count, &w->arena, &reader, &err) == RF_OK);
    cr_assert(match_run_new(matcher, &w->arena, &run, &err) == RF_OK);
    cr_assert(correlator_new(&w->set, matcher, &w->arena, &correlator, &err) == RF_OK);
    uint8_t *bytes = rf_arena_zalloc(&w->arena, lines.len + 64);
    if (lines.len > 0) memcpy(bytes, lines.ptr, lines.len);
    event_feed(reader, rf_str_make(bytes, lines.len), true);
    for (enum event_step step; (step = event_next(reader)) != EVENT_END;) {
        const uint32_t *numbers;
        if (step != EVENT_ONE) continue;
        cr_assert(match_event(run, reader, &numbers, &count, &err) == RF_OK);
        for (uint32_t r = 0; r < w->set.rule_count; r++) /* in the order of rules */
            for (uint32_t i = 0; i < count; i++)
                if (numbers[i] == r) (void)world_found(w, r, event_line(reader), NULL);
        if (correlator != NULL)
            cr_assert(correlator_add(correlator, reader, numbers, count, &without_time, &err) ==
                      RF_OK);
    }
    if (correlator != NULL) cr_assert(correlator_finish(correlator, world_found, w, &err) == RF_OK);
    match_run_done(run);
    event_reader_done(reader);
    return rf_buf_view(&w->found);
}

#endif
