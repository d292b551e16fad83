/* percentile and its relatives, tdigest. */
#include "kql/aggr_int.h"
#include "kql/aggr_sketch.h"
#include "kql/func_families.h"

#include "value/decimal.h"
#include "value/dyn.h"
#include "value/text.h"

#include <math.h>

/* ---- binding -------------------------------------------------------------------------------------------- */

/* Percentiles keep the type of the value but for int, which gives long, and decimal and dynamic, which
 * give real. False for what has no percentile. */
static bool percentile_type(enum type value, enum type *out)
{
    switch (value) {
    case TYPE_INT:
    case TYPE_LONG:
        *out = TYPE_LONG;
        return true;
    case TYPE_REAL:
    case TYPE_DECIMAL:
    case TYPE_DYNAMIC:
        *out = TYPE_REAL;
        return true;
    case TYPE_DATETIME:
    case TYPE_TIMESPAN:
        *out = value;
        return true;
    default:
        return false;
    }
}

static enum rf_kind bind_type(const struct func_bind *bind, enum type *type, struct rf_err *err)
{
    if (percentile_type((enum type)bind->types[0], type)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadArgument",
                   "percentiles need numbers or times, not %s; convert the value first",
                   type_name((enum type)bind->types[0]));
}

static bool const_real(const struct value *v, double *out)
{
    if (v == NULL || v->null) return false;
    if (v->type == TYPE_REAL)
        *out = v->r;
    else if (v->type == TYPE_INT || v->type == TYPE_LONG)
        *out = (double)v->i;
    else if (v->type == TYPE_DECIMAL)
        *out = decimal_to_real(&v->d);
    else
        return false;
    return *out >= 0 && *out <= 100;
}

static enum rf_kind bad_percentile(struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "BadParameter",
                   "a percentile must be a constant number from 0 to 100");
}

/* "95", "99_9": what the binder appends to the column's name. */
static rf_str percentile_suffix(double percent, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    text_put_real(&buf, percent, false);
    for (size_t i = 0; i < buf.len; i++)
        if (!rf_is_alnum(buf.ptr[i])) buf.ptr[i] = '_';
    return buf.failed ? (rf_str){NULL, 0} : rf_buf_view(&buf);
}

static enum rf_kind resolve_one(struct func_bind *bind, struct rf_err *err)
{
    double percent;
    if (!const_real(bind->consts[bind->arg_count - 1], &percent)) return bad_percentile(err);
    return bind_type(bind, &bind->type, err);
}

static enum rf_kind resolve_several(struct func_bind *bind, uint32_t first, struct rf_err *err)
{
    enum type type;
    RF_TRY(bind_type(bind, &type, err));
    if (bind->arg_count <= first) return bad_percentile(err);
    uint32_t count = bind->arg_count - first;
    rf_str *names = rf_arena_new(bind->arena, rf_str, count);
    uint8_t *types = rf_arena_new(bind->arena, uint8_t, count);
    if (names == NULL || types == NULL) return rf_fail_memory(err, bind->arena);
    for (uint32_t i = 0; i < count; i++) {
        double percent;
        if (!const_real(bind->consts[first + i], &percent)) return bad_percentile(err);
        names[i] = percentile_suffix(percent, bind->arena);
        if (names[i].ptr == NULL) return rf_fail_memory(err, bind->arena);
        types[i] = (uint8_t)type;
    }
    bind->type = type;
    bind->tuple_count = count;
    bind->tuple_names = names;
    bind->tuple_types = types;
    return RF_OK;
}
static enum rf_kind resolve_percentiles(struct func_bind *bind, struct rf_err *err)
{
    return resolve_several(bind, 1, err);
}
static enum rf_kind resolve_percentilesw(struct func_bind *bind, struct rf_err *err)
{
    return resolve_several(bind, 2, err);
}

static enum rf_kind resolve_checked(struct func_bind *bind, struct rf_err *err)
{
    enum type type;
    return bind_type(bind, &type, err);
}

/* ---- the percentiles of a call ------------------------------------------------------------------------------ */

struct percentile_call {
    uint32_t count;
    double *percents;
};

static enum rf_kind prepare_from(struct aggr_call *call, uint32_t first, struct rf_err *err)
{
    struct percentile_call *shared = rf_arena_new(call->arena, struct percentile_call, 1);
    if (shared == NULL) return rf_fail_memory(err, call->arena);
    const struct value *list = first < call->arg_count ? call->consts[first] : NULL;
    bool array =
        list != NULL && !list->null && list->type == TYPE_DYNAMIC && dyn_tag(list->s) == DYN_ARRAY;
    shared->count = array ? dyn_count(list->s) : call->arg_count - RF_MIN(call->arg_count, first);
    shared->percents = rf_arena_new(call->arena, double, shared->count);
    if (shared->percents == NULL) return rf_fail_memory(err, call->arena);
    for (uint32_t i = 0; i < shared->count; i++) {
        double *percent = &shared->percents[i];
        bool ok =
            array ? dyn_is_number(dyn_item(list->s, i)) : aggr_const_real(call, first + i, percent);
        if (ok && array) *percent = dyn_real(dyn_item(list->s, i));
        if (!ok || !(*percent >= 0 && *percent <= 100)) return bad_percentile(err);
    }
    call->state = shared;
    return RF_OK;
}
static enum rf_kind percentile_prepare(struct aggr_call *call, struct rf_err *err)
{
    return prepare_from(call, 1, err);
}
static enum rf_kind percentilew_prepare(struct aggr_call *call, struct rf_err *err)
{
    return prepare_from(call, 2, err);
}

/* ---- update ----------------------------------------------------------------------------------------------------- */

/* Keys of a batch; cells that are null or nan get any. */
RF_CLONES static void keys_of_reals(const double *cells, uint32_t count, uint64_t *keys)
{
    for (uint32_t i = 0; i < count; i++) keys[i] = digest_key_real(cells[i]);
}
RF_CLONES static void keys_of_i64(const int64_t *cells, uint32_t count, uint64_t *keys)
{
    for (uint32_t i = 0; i < count; i++) keys[i] = digest_key_i64(cells[i]);
}

/* Rows that have a value, in order; returns how many. */
static uint32_t rows_with_value(const struct aggr_cells *cells, uint32_t count, uint32_t *rows)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        rows[kept] = i;
        bool null = cells->nulls != NULL && cells->nulls[i];
        kept += !null && !(cells->real != NULL && isnan(cells->real[i]));
    }
    return kept;
}

static enum rf_kind add_weighted(struct aggr_call *call, const uint64_t *keys, const uint32_t *rows,
                                 uint32_t row_count, const uint32_t *groups, uint8_t *states,
                                 const struct vec *weights, enum type type, struct rf_err *err)
{
    for (uint32_t k = 0; k < row_count; k++) {
        uint32_t i = rows[k];
        if (vec_null(weights, i) || vec_i64(weights, i) <= 0) continue;
        struct digest *digest = AGGR_STATE(struct digest, states, AGGR_GROUP(groups, i));
        digest->type = (uint8_t)type;
        if (!digest_add(digest, keys[i], (double)vec_i64(weights, i), call->arena))
            return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

static enum rf_kind digest_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                                  const uint32_t *groups, uint8_t *states,
                                  const struct vec *weights, struct rf_err *err)
{
    enum type type;
    if (!percentile_type((enum type)args[0].type, &type)) return RF_OK;
    AGGR_SCRATCH struct aggr_cells cells;
    AGGR_SCRATCH uint64_t keys[BATCH_ROWS];
    AGGR_SCRATCH uint32_t rows[BATCH_ROWS];
    RF_ASSERT(count <= BATCH_ROWS);
    aggr_cells(&args[0], count, &cells);
    uint32_t row_count = rows_with_value(&cells, count, rows);
    if (cells.real != NULL)
        keys_of_reals(cells.real, count, keys);
    else
        keys_of_i64(cells.i64, count, keys);
    if (weights != NULL)
        return add_weighted(call, keys, rows, row_count, groups, states, weights, type, err);
    for (uint32_t k = 0; k < row_count; k++) {
        struct digest *digest = AGGR_STATE(struct digest, states, AGGR_GROUP(groups, rows[k]));
        if (RF_LIKELY(digest_push(digest, keys[rows[k]]))) continue;
        digest->type = (uint8_t)type; /* the first value of a group always comes here */
        if (!digest_add_keys(digest, &keys[rows[k]], 1, call->arena))
            return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

static enum rf_kind percentile_update(struct aggr_call *call, const struct vec *args,
                                      uint32_t count, const uint32_t *groups, uint8_t *states,
                                      struct rf_err *err)
{
    return digest_update(call, args, count, groups, states, NULL, err);
}
static enum rf_kind percentilew_update(struct aggr_call *call, const struct vec *args,
                                       uint32_t count, const uint32_t *groups, uint8_t *states,
                                       struct rf_err *err)
{
    return digest_update(call, args, count, groups, states, &args[1], err);
}
static enum rf_kind tdigest_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                                   const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    const struct vec *weights = call->arg_count > 1 ? &args[1] : NULL;
    return digest_update(call, args, count, groups, states, weights, err);
}

/* Merging stored digests. */
static enum rf_kind tdigest_merge_update(struct aggr_call *call, const struct vec *args,
                                         uint32_t count, const uint32_t *groups, uint8_t *states,
                                         struct rf_err *err)
{
    struct rf_arena scratch;
    rf_arena_init_shared(&scratch, call->arena->budget);
    bool ok = true;
    for (uint32_t i = 0; i < count && ok; i++) {
        if (vec_null(&args[0], i)) continue;
        struct digest other;
        rf_arena_reset(&scratch);
        ok = digest_from_dyn(vec_str(&args[0], i), &scratch, &other) &&
             digest_merge(AGGR_STATE(struct digest, states, AGGR_GROUP(groups, i)), &other,
                          call->arena);
    }
    rf_arena_done(&scratch);
    return ok ? RF_OK : rf_fail_memory(err, call->arena);
}

static enum rf_kind digest_merge_states(struct aggr_call *call, uint8_t *into, const uint8_t *from,
                                        struct rf_err *err)
{
    if (!digest_merge(AGGR_STATE(struct digest, into, 0), AGGR_STATE_OF(struct digest, from),
                      call->arena))
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

/* ---- results ------------------------------------------------------------------------------------------------------ */

/* Orders the items in place the first time that a group is asked: that changes how the state is kept,
 * not what it says, and spares a copy per column. */
static bool ordered(const uint8_t *state, struct rf_arena *arena, struct digest **out)
{
    *out = (struct digest *)(uintptr_t)state;
    return digest_sort(*out, arena);
}

static enum rf_kind percentile_emit(struct aggr_call *call, const uint8_t *state, uint32_t column,
                                    struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    const struct percentile_call *shared = call->state;
    struct digest *digest;
    enum type type = TYPE_LONG;
    percentile_type((enum type)call->arg_types[0], &type);
    *out = value_null(type);
    if (!ordered(state, arena, &digest)) return rf_fail_memory(err, arena);
    if (digest->count > 0 && column < shared->count)
        *out = digest_percentile(digest, shared->percents[column]);
    return RF_OK;
}

static enum rf_kind percentile_array_emit(struct aggr_call *call, const uint8_t *state,
                                          uint32_t column, struct rf_arena *arena,
                                          struct value *out, struct rf_err *err)
{
    (void)column;
    const struct percentile_call *shared = call->state;
    struct digest *digest;
    *out = value_null(TYPE_DYNAMIC);
    if (!ordered(state, arena, &digest)) return rf_fail_memory(err, arena);
    if (digest->count == 0) return RF_OK;
    struct rf_buf buf = rf_buf_in(arena);
    struct dyn_builder array;
    dyn_begin(&array, &buf, DYN_ARRAY);
    for (uint32_t i = 0; i < shared->count; i++) {
        struct value v = digest_percentile(digest, shared->percents[i]);
        dyn_next(&array);
        dyn_put_value(&buf, &v);
    }
    dyn_end(&array);
    if (buf.failed) return rf_fail_memory(err, arena);
    *out = value_dyn(dyn_done(&buf));
    return RF_OK;
}

static enum rf_kind tdigest_emit(struct aggr_call *call, const uint8_t *state, uint32_t column,
                                 struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    (void)call, (void)column;
    struct digest *digest;
    rf_str d;
    *out = value_null(TYPE_DYNAMIC);
    if (digest_empty(AGGR_STATE_OF(struct digest, state))) return RF_OK;
    if (!ordered(state, arena, &digest) || !digest_to_dyn(digest, arena, &d))
        return rf_fail_memory(err, arena);
    *out = value_dyn(d);
    return RF_OK;
}

/* ---- table --------------------------------------------------------------------------------------------------------- */

#define SIGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define DIGEST(name, doc, sigs, resolve, prepare, update, emit)                                    \
    {                                                                                              \
        name, doc, sigs, sizeof(struct digest), 0, resolve, prepare, update, digest_merge_states,  \
            emit                                                                                   \
    }

const struct aggr aggr_percentile[] = {
    DIGEST("percentile",
           "Smallest value with at least so many percent of the values at or below it.",
           SIGS("(value:any, percentile:real) real"), resolve_one, percentile_prepare,
           percentile_update, percentile_emit),
    DIGEST("percentiles", "Several percentiles, a column each.",
           SIGS("(value:any, percentile:real...) real"), resolve_percentiles, percentile_prepare,
           percentile_update, percentile_emit),
    DIGEST(
        "percentiles_array", "Several percentiles in one array; null without values.",
        SIGS("(value:any, percentiles:dynamic) dynamic", "(value:any, percentile:real...) dynamic"),
        resolve_checked, percentile_prepare, percentile_update, percentile_array_emit),
    DIGEST("percentilew", "percentile where each value counts as often as its weight says.",
           SIGS("(value:any, weight:long, percentile:real) real"), resolve_one, percentilew_prepare,
           percentilew_update, percentile_emit),
    DIGEST("percentilesw", "Several weighted percentiles, a column each.",
           SIGS("(value:any, weight:long, percentile:real...) real"), resolve_percentilesw,
           percentilew_prepare, percentilew_update, percentile_emit),
    DIGEST("percentilesw_array", "Several weighted percentiles in one array; null without values.",
           SIGS("(value:any, weight:long, percentiles:dynamic) dynamic",
                "(value:any, weight:long, percentile:real...) dynamic"),
           resolve_checked, percentilew_prepare, percentilew_update, percentile_array_emit),
    DIGEST("tdigest", "Sketch of the values for percentile_tdigest; null without values.",
           SIGS("(value:any, [weight:long]) dynamic"), resolve_checked, NULL, tdigest_update,
           tdigest_emit),
    DIGEST("tdigest_merge", "Joins sketches made by tdigest; what is none is passed over.",
           SIGS("(digest:dynamic) dynamic"), NULL, NULL, tdigest_merge_update, tdigest_emit),
    DIGEST("merge_tdigest", "The same as tdigest_merge.", SIGS("(digest:dynamic) dynamic"), NULL,
           NULL, tdigest_merge_update, tdigest_emit),
};
const size_t aggr_percentile_count = RF_COUNT(aggr_percentile);
