/* aggr_test_util.h - drives an aggregate directly, without a query around it. For tests only. */
#ifndef RF_AGGR_TEST_UTIL_H
#define RF_AGGR_TEST_UTIL_H

#include <criterion/criterion.h>

#include "kql/aggr.h"
#include "value/dyn.h"
#include "value/text.h"

enum { RUN_ARGS_MAX = 4, RUN_GROUPS = 4 };

/* One worker's share of a summarize with RUN_GROUPS groups. */
struct aggr_run {
    struct rf_arena arena;
    struct aggr_call call;
    uint8_t types[RUN_ARGS_MAX];
    const struct value *consts[RUN_ARGS_MAX];
    uint8_t *states;
};

static inline void run_open(struct aggr_run *run, const char *name, enum type type,
                            const struct vec *args, uint32_t arg_count,
                            const struct value *constants)
{
    struct rf_err err;
    const struct aggr *aggr = aggr_find(rf_str_of(name));
    cr_assert(aggr != NULL, "%s", name);
    *run = (struct aggr_run){0};
    rf_arena_init(&run->arena, (size_t)256 << 20);
    for (uint32_t i = 0; i < arg_count; i++) {
        run->types[i] = args[i].type;
        run->consts[i] = args[i].shape == VEC_CONST && constants != NULL ? &constants[i] : NULL;
    }
    run->call = (struct aggr_call){.aggr = aggr,
                                   .arg_count = arg_count,
                                   .arg_types = run->types,
                                   .consts = run->consts,
                                   .type = type,
                                   .arena = &run->arena};
    run->states = rf_arena_zalloc(&run->arena, (size_t)aggr->state_bytes * RUN_GROUPS);
    if (aggr->prepare != NULL) cr_assert(aggr->prepare(&run->call, &err) == RF_OK, "%s", err.text);
}

static inline void run_add(struct aggr_run *run, const struct vec *args, uint32_t count,
                           const uint32_t *groups)
{
    struct rf_err err;
    cr_assert(run->call.aggr->update(&run->call, args, count, groups, run->states, &err) == RF_OK);
}

static inline void run_merge(struct aggr_run *into, const struct aggr_run *from)
{
    struct rf_err err;
    size_t bytes = into->call.aggr->state_bytes;
    for (size_t g = 0; g < RUN_GROUPS; g++)
        cr_assert(into->call.aggr->merge(&into->call, into->states + g * bytes,
                                         from->states + g * bytes, &err) == RF_OK);
}

static inline struct value run_value(struct aggr_run *run, uint32_t group, uint32_t column)
{
    struct rf_err err;
    struct value v;
    const uint8_t *state = run->states + (size_t)group * run->call.aggr->state_bytes;
    cr_assert(run->call.aggr->emit(&run->call, state, column, &run->arena, &v, &err) == RF_OK);
    return v;
}

/* The result as tostring() prints it, "null" for null. */
static inline rf_str run_text(struct aggr_run *run, uint32_t group, uint32_t column)
{
    struct value v = run_value(run, group, column);
    struct rf_buf buf = rf_buf_in(&run->arena);
    if (v.null) return RF_S("null");
    text_put_value(&buf, &v);
    return rf_buf_view(&buf);
}

static inline void run_close(struct aggr_run *run) { rf_arena_done(&run->arena); }

/* The dynamic value of a JSON text. */
static inline rf_str run_json(const char *json, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    cr_assert(dyn_parse_json(rf_str_of(json), &buf, NULL) == RF_OK, "%s", json);
    return dyn_done(&buf);
}

#endif
