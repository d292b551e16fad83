#include "kql/func.h"

#include "kql/bind_int.h"
#include "kql/func_families.h"

struct family {
    const struct func *items;
    const size_t *count;
};
struct aggr_family {
    const struct aggr *items;
    const size_t *count;
};

#define FAMILY_ENTRY(name) {name, &name##_count},
static const struct family families[] = {FUNC_FAMILIES(FAMILY_ENTRY)};
static const struct aggr_family aggr_families[] = {AGGR_FAMILIES(FAMILY_ENTRY)};

enum rf_kind func_go_on(const struct func_call *call, struct rf_err *err)
{
    if (call->cancelled == NULL || !atomic_load_explicit(call->cancelled, memory_order_relaxed))
        return RF_OK;
    return RF_FAIL(err, RF_CANCELLED, "QueryCancelled", "the query was cancelled");
}

const struct func *func_find(rf_str name)
{
    for (size_t f = 0; f < RF_COUNT(families); f++)
        for (size_t i = 0; i < *families[f].count; i++)
            if (rf_str_is(name, families[f].items[i].name)) return &families[f].items[i];
    return NULL;
}

size_t func_count(void)
{
    size_t n = 0;
    for (size_t f = 0; f < RF_COUNT(families); f++) n += *families[f].count;
    return n;
}

const struct func *func_at(size_t index)
{
    for (size_t f = 0; f < RF_COUNT(families); f++) {
        if (index < *families[f].count) return &families[f].items[index];
        index -= *families[f].count;
    }
    return NULL;
}

const struct aggr *aggr_find(rf_str name)
{
    for (size_t f = 0; f < RF_COUNT(aggr_families); f++)
        for (size_t i = 0; i < *aggr_families[f].count; i++)
            if (rf_str_is(name, aggr_families[f].items[i].name)) return &aggr_families[f].items[i];
    return NULL;
}

size_t aggr_count(void)
{
    size_t n = 0;
    for (size_t f = 0; f < RF_COUNT(aggr_families); f++) n += *aggr_families[f].count;
    return n;
}

const struct aggr *aggr_at(size_t index)
{
    for (size_t f = 0; f < RF_COUNT(aggr_families); f++) {
        if (index < *aggr_families[f].count) return &aggr_families[f].items[index];
        index -= *aggr_families[f].count;
    }
    return NULL;
}

enum rf_kind func_eval(rf_str name, const struct value *args, uint32_t arg_count,
                       struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    struct exec exec = {.budget = arena->budget,
                        .arena = arena,
                        .lane_count = 1,
                        .now_ticks = DATETIME_UNIX_EPOCH,
                        .batch_rows = BATCH_ROWS};
    struct binder b = {.arena = arena, .exec = &exec, .err = err, .may_run = true, .next_id = 1};
    struct expr **exprs = rf_arena_new(arena, struct expr *, arg_count), *call;
    if (exprs == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < arg_count; i++) {
        exprs[i] = expr_const(&b, &args[i], 0);
        if (exprs[i] == NULL) return rf_fail_memory(err, arena);
    }
    RF_TRY(bind_call(&b, 0, name, exprs, arg_count, &call));
    return eval_const(&exec, call, out, err);
}
