#include "kql/aggr_int.h"

#include "value/decimal.h"
#include "value/dyn.h"
#include "value/text.h"

#include <math.h>

/* ---- filtered forms --------------------------------------------------------------------------- */

/* Rows where `predicate` is true; null counts as false. */
static uint32_t true_rows(const struct vec *predicate, uint32_t count, uint32_t *rows)
{
    uint32_t kept = 0;
    const uint8_t *cells = predicate->data, *nulls = predicate->nulls;
    if (predicate->shape == VEC_FLAT && nulls == NULL) {
        for (uint32_t i = 0; i < count; i++) {
            rows[kept] = i;
            kept += cells[i] != 0;
        }
        return kept;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = vec_at(predicate, i);
        rows[kept] = i;
        kept += cells[at] != 0 && (nulls == NULL || nulls[at] == 0);
    }
    return kept;
}

/* `v` seen through `rows`; `codes` is room for composed codes. */
static struct vec select_rows(const struct vec *v, const uint32_t *rows, uint32_t count,
                              uint32_t *codes)
{
    struct vec kept = *v;
    if (v->shape == VEC_CONST) return kept;
    kept.shape = VEC_DICT;
    kept.codes = rows;
    if (v->shape == VEC_FLAT) {
        kept.dict_count = BATCH_ROWS;
        kept.dict_id = 0;
        return kept;
    }
    for (uint32_t i = 0; i < count; i++) codes[i] = v->codes[rows[i]];
    kept.codes = codes;
    return kept;
}

enum rf_kind aggr_update_where(struct aggr_call *call, const struct vec *args, uint32_t predicate,
                               uint32_t count, const uint32_t *groups, uint8_t *states,
                               aggr_update *update, struct rf_err *err)
{
    RF_ASSERT(predicate <= AGGR_FILTERED_MAX);
    RF_ASSERT(count <= BATCH_ROWS);
    AGGR_SCRATCH uint32_t rows[BATCH_ROWS], kept_groups[BATCH_ROWS];
    AGGR_SCRATCH uint32_t codes[AGGR_FILTERED_MAX][BATCH_ROWS];
    uint32_t kept = true_rows(&args[predicate], count, rows);
    RF_ASSERT(kept <= count);
    if (kept == 0) return RF_OK;
    if (kept == count) return update(call, args, count, groups, states, err);
    struct vec views[AGGR_FILTERED_MAX];
    for (uint32_t i = 0; i < predicate; i++) views[i] = select_rows(&args[i], rows, kept, codes[i]);
    if (groups != NULL)
        for (uint32_t i = 0; i < kept; i++)
            /* true_rows wrote all that it counted: NOLINTNEXTLINE(clang-analyzer-core.uninitialized.ArraySubscript) */
            kept_groups[i] = groups[rows[i]];
    return update(call, views, kept, groups != NULL ? kept_groups : NULL, states, err);
}

/* ---- flat views --------------------------------------------------------------------------------- */

const uint8_t *aggr_nulls(const struct vec *v, uint32_t count, uint8_t *room)
{
    if (v->nulls == NULL || v->shape == VEC_FLAT) return v->nulls;
    uint8_t any = 0;
    for (uint32_t i = 0; i < count; i++) {
        room[i] = v->nulls[vec_at(v, i)];
        any |= room[i];
    }
    return any ? room : NULL;
}

/* A dynamic as a real: numbers, and times as their ticks. */
static bool dynamic_to_real(rf_str d, double *out)
{
    enum dyn_tag tag = dyn_tag(d);
    if (tag == DYN_DATETIME || tag == DYN_TIMESPAN) {
        *out = (double)dyn_i64(d);
        return true;
    }
    if (!dyn_is_number(d)) return false;
    *out = dyn_real(d);
    return true;
}

/* Types that need a look at each row: decimal, dynamic, bool and the rest, which has no number. */
static void convert_cells(const struct vec *v, uint32_t count, struct aggr_cells *cells)
{
    uint8_t any = 0;
    for (uint32_t i = 0; i < count; i++) {
        double r = 0;
        bool null = vec_null(v, i);
        if (!null && v->type == TYPE_DECIMAL) {
            struct decimal d = vec_decimal(v, i);
            r = decimal_to_real(&d);
        } else if (!null && v->type == TYPE_BOOL) {
            r = vec_bool(v, i);
        } else {
            null = null || v->type != TYPE_DYNAMIC || !dynamic_to_real(vec_str(v, i), &r);
        }
        cells->room.real[i] = r;
        cells->null_room[i] = null;
        any |= null;
    }
    cells->real = cells->room.real;
    cells->nulls = any ? cells->null_room : NULL;
}

void aggr_cells(const struct vec *v, uint32_t count, struct aggr_cells *cells)
{
    RF_ASSERT(count <= BATCH_ROWS);
    cells->i64 = NULL;
    cells->real = NULL;
    if (type_is_i64((enum type)v->type)) {
        cells->i64 = v->data;
        if (v->shape != VEC_FLAT) {
            const int64_t *data = v->data;
            for (uint32_t i = 0; i < count; i++) cells->room.i64[i] = data[vec_at(v, i)];
            cells->i64 = cells->room.i64;
        }
    } else if (v->type == TYPE_REAL) {
        cells->real = v->data;
        if (v->shape != VEC_FLAT) {
            const double *data = v->data;
            for (uint32_t i = 0; i < count; i++) cells->room.real[i] = data[vec_at(v, i)];
            cells->real = cells->room.real;
        }
    } else {
        convert_cells(v, count, cells);
        return;
    }
    cells->nulls = aggr_nulls(v, count, cells->null_room);
}

void aggr_cells_real(const struct vec *v, uint32_t count, struct aggr_cells *cells)
{
    if (!type_is_i64((enum type)v->type)) {
        aggr_cells(v, count, cells);
        return;
    }
    RF_ASSERT(count <= BATCH_ROWS);
    const int64_t *data = v->data;
    for (uint32_t i = 0; i < count; i++) cells->room.real[i] = (double)data[vec_at(v, i)];
    cells->i64 = NULL;
    cells->real = cells->room.real;
    cells->nulls = aggr_nulls(v, count, cells->null_room);
}

/* ---- kept values ---------------------------------------------------------------------------------- */

bool aggr_keep(struct aggr_kept *kept, const struct value *value, struct rf_arena *arena)
{
    struct value copy = *value;
    if (type_is_bytes((enum type)value->type) && !value->null) {
        uint8_t *room = (uint8_t *)(uintptr_t)kept->value.s.ptr;
        if (kept->room_bytes < value->s.len || kept->room_bytes == 0) {
            size_t bytes = RF_MAX(value->s.len, 2 * (size_t)kept->room_bytes);
            bytes = RF_MAX(bytes, (size_t)16);
            room = rf_arena_alloc(arena, bytes);
            if (room == NULL) return false;
            kept->room_bytes = (uint32_t)RF_MIN(bytes, (size_t)UINT32_MAX);
        }
        if (value->s.len > 0) memcpy(room, value->s.ptr, value->s.len);
        copy.s.ptr = room;
    } else if (type_is_bytes((enum type)value->type)) {
        copy.s = (rf_str){kept->value.s.ptr, 0}; /* a null keeps the room */
    }
    kept->value = copy;
    kept->any = true;
    return true;
}

/* ---- constants -------------------------------------------------------------------------------------- */

bool aggr_const_real(const struct aggr_call *call, uint32_t arg, double *out)
{
    const struct value *v = arg < call->arg_count ? call->consts[arg] : NULL;
    if (v == NULL || v->null) return false;
    switch ((enum type)v->type) {
    case TYPE_INT:
    case TYPE_LONG:
        *out = (double)v->i;
        return true;
    case TYPE_REAL:
        *out = v->r;
        return !isnan(v->r);
    case TYPE_DECIMAL:
        *out = decimal_to_real(&v->d);
        return true;
    case TYPE_DYNAMIC:
        *out = dyn_real(v->s);
        return dyn_is_number(v->s) && !isnan(*out);
    case TYPE_STRING:
        return text_to_real(v->s, out) && !isnan(*out);
    default:
        return false;
    }
}

bool aggr_const_long(const struct aggr_call *call, uint32_t arg, int64_t *out)
{
    double r;
    if (!aggr_const_real(call, arg, &r) || !(r > -9.2e18 && r < 9.2e18)) return false;
    *out = (int64_t)r;
    return true;
}
