#include "kql/func_series_int.h"

#include "value/decimal.h"

#include <math.h>

/* ---- reading ------------------------------------------------------------------------------------------ */

enum rf_kind series_new(uint32_t count, struct rf_arena *arena, struct series *out,
                        struct rf_err *err)
{
    *out = (struct series){.x = rf_arena_new(arena, double, count),
                           .kind = rf_arena_new(arena, uint8_t, count),
                           .whole = rf_arena_new(arena, int64_t, count),
                           .count = count};
    if (out->x == NULL || out->kind == NULL || out->whole == NULL)
        return rf_fail_memory(err, arena);
    memset(out->kind, SERIES_REAL, count);
    return RF_OK;
}

static void read_element(struct series *s, uint32_t i, rf_str d)
{
    enum dyn_tag tag = dyn_tag(d);
    if (tag == DYN_INT || tag == DYN_LONG) {
        s->kind[i] = SERIES_WHOLE;
        s->whole[i] = dyn_i64(d);
        s->x[i] = (double)s->whole[i];
    } else if (dyn_is_number(d)) {
        s->kind[i] = SERIES_REAL;
        s->x[i] = dyn_real(d);
    } else if (tag == DYN_DATETIME || tag == DYN_TIMESPAN) {
        s->kind[i] = SERIES_REAL;
        s->x[i] = (double)dyn_i64(d);
    } else {
        s->kind[i] = SERIES_NONE;
        s->x[i] = NAN;
    }
}

static enum rf_kind read_scalar(const struct vec *v, uint32_t row, struct rf_arena *arena,
                                struct series *out, struct rf_err *err)
{
    struct series s;
    RF_TRY(series_new(1, arena, &s, err));
    s.scalar = true;
    if (type_is_i64((enum type)v->type)) {
        s.kind[0] = v->type == TYPE_INT || v->type == TYPE_LONG ? SERIES_WHOLE : SERIES_REAL;
        s.whole[0] = ARG_I64(v, row);
        s.x[0] = (double)s.whole[0];
    } else if (v->type == TYPE_REAL) {
        s.x[0] = ARG_REAL(v, row);
    } else if (v->type == TYPE_DECIMAL) {
        struct decimal d = ARG_DEC(v, row);
        s.x[0] = decimal_to_real(&d);
    } else if (v->type == TYPE_DYNAMIC && dyn_is_number(ARG_STR(v, row))) {
        read_element(&s, 0, ARG_STR(v, row));
    } else {
        return RF_OK;
    }
    *out = s;
    return RF_OK;
}

enum rf_kind series_read(const struct vec *v, uint32_t row, struct rf_arena *arena,
                         struct series *out, struct rf_err *err)
{
    *out = (struct series){0};
    if (ARG_NULL(v, row)) return RF_OK;
    if (v->type != TYPE_DYNAMIC || dyn_tag(ARG_STR(v, row)) != DYN_ARRAY)
        return read_scalar(v, row, arena, out, err);
    rf_str d = ARG_STR(v, row);
    uint32_t count = dyn_count(d);
    if (count > SERIES_COUNT_MAX) return RF_OK;
    RF_TRY(series_new(count, arena, out, err));
    for (uint32_t i = 0; i < count; i++) read_element(out, i, dyn_item(d, i));
    return RF_OK;
}

bool series_is_finite(const struct series *s)
{
    if (s->x == NULL || s->scalar) return false;
    for (uint32_t i = 0; i < s->count; i++)
        if (!isfinite(s->x[i])) return false;
    return true;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

static size_t put_element(uint8_t *to, const struct series *s, uint32_t i)
{
    if (s->kind[i] == SERIES_NONE) {
        to[0] = DYN_NULL;
        return 1;
    }
    to[0] = s->kind[i] == SERIES_WHOLE ? DYN_LONG : DYN_REAL;
    if (s->kind[i] == SERIES_WHOLE)
        memcpy(to + 1, &s->whole[i], 8);
    else
        memcpy(to + 1, &s->x[i], 8);
    return 9;
}

/* Written in place rather than through dyn_builder, which would move each element once more. */
bool series_encode(const struct series *s, struct rf_arena *arena, rf_str *out)
{
    size_t ends = (size_t)s->count * 4;
    uint8_t *at = rf_arena_alloc(arena, 9 + ends + (size_t)s->count * 9);
    if (at == NULL) return false;
    uint8_t *elements = at + 9 + ends;
    size_t used = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        used += put_element(elements + used, s, i);
        rf_put_u32le(at + 9 + (size_t)i * 4, (uint32_t)used);
    }
    at[0] = DYN_ARRAY;
    rf_put_u32le(at + 1, s->count);
    rf_put_u32le(at + 5, (uint32_t)(ends + used));
    *out = rf_str_make(at, 9 + ends + used);
    return true;
}

/* An array of reals, all elements of one size. */
static size_t reals_bytes(uint32_t count) { return 9 + (size_t)count * 13; }

static void write_reals(uint8_t *at, const double *x, uint32_t count)
{
    uint8_t *end = at + 9, *element = end + (size_t)count * 4;
    at[0] = DYN_ARRAY;
    rf_put_u32le(at + 1, count);
    rf_put_u32le(at + 5, (uint32_t)(reals_bytes(count) - 9));
    for (uint32_t i = 0; i < count; i++) {
        rf_put_u32le(end + (size_t)i * 4, (i + 1) * 9);
        element[(size_t)i * 9] = DYN_REAL;
        memcpy(element + (size_t)i * 9 + 1, &x[i], 8);
    }
}

bool series_encode_reals(const double *x, uint32_t count, struct rf_arena *arena, rf_str *out)
{
    uint8_t *at = rf_arena_alloc(arena, reals_bytes(count));
    if (at == NULL) return false;
    write_reals(at, x, count);
    *out = rf_str_make(at, reals_bytes(count));
    return true;
}

void series_put_reals(struct rf_buf *buf, const double *x, uint32_t count)
{
    if (!rf_buf_reserve(buf, reals_bytes(count))) return;
    write_reals(buf->ptr + buf->len, x, count);
    buf->len += reals_bytes(count);
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

enum rf_kind series_rows(struct func_call *call, const struct vec *args, uint32_t count,
                         struct vec *out, series_row *fn, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init_shared(&scratch, call->arena->budget);
    struct series_call sc = {call, args, out, &scratch, err};
    for (uint32_t i = 0; i < count; i++) {
        RF_TRY(func_go_on(call, err));
        RF_TRY(fn(&sc, i));
        rf_arena_reset(&scratch);
    }
    return RF_OK;
}

static const struct vec *arg_at(const struct series_call *sc, uint32_t arg, uint32_t row)
{
    if (arg >= sc->call->arg_count || ARG_NULL(&sc->args[arg], row)) return NULL;
    return &sc->args[arg];
}

double series_arg_real(const struct series_call *sc, uint32_t arg, uint32_t row, double otherwise)
{
    const struct vec *v = arg_at(sc, arg, row);
    if (v == NULL) return otherwise;
    if (v->type == TYPE_REAL) return ARG_REAL(v, row);
    if (v->type == TYPE_DECIMAL) {
        struct decimal d = ARG_DEC(v, row);
        return decimal_to_real(&d);
    }
    if (v->type == TYPE_DYNAMIC)
        return dyn_is_number(ARG_STR(v, row)) ? dyn_real(ARG_STR(v, row)) : otherwise;
    return type_is_i64((enum type)v->type) ? (double)ARG_I64(v, row) : otherwise;
}

int64_t series_arg_long(const struct series_call *sc, uint32_t arg, uint32_t row, int64_t otherwise)
{
    double r = series_arg_real(sc, arg, row, (double)otherwise);
    return r > -9e15 && r < 9e15 ? (int64_t)r : otherwise;
}

bool series_arg_bool(const struct series_call *sc, uint32_t arg, uint32_t row, bool otherwise)
{
    const struct vec *v = arg_at(sc, arg, row);
    return v == NULL || v->type != TYPE_BOOL ? otherwise : ARG_BOOL(v, row);
}

rf_str series_arg_str(const struct series_call *sc, uint32_t arg, uint32_t row, rf_str otherwise)
{
    const struct vec *v = arg_at(sc, arg, row);
    if (v == NULL || v->type != TYPE_STRING || ARG_STR(v, row).len == 0) return otherwise;
    return ARG_STR(v, row);
}

enum rf_kind series_give_null(struct series_call *sc, uint32_t row)
{
    OUT_NULL(sc->out)[row] = 1;
    return RF_OK;
}

enum rf_kind series_give_real(struct series_call *sc, uint32_t row, double r)
{
    OUT_REAL(sc->out)[row] = r;
    return RF_OK;
}

enum rf_kind series_give(struct series_call *sc, uint32_t row, const struct series *s)
{
    if (!series_encode(s, sc->call->arena, &OUT_STR(sc->out)[row]))
        return rf_fail_memory(sc->err, sc->call->arena);
    return RF_OK;
}

enum rf_kind series_give_reals(struct series_call *sc, uint32_t row, const double *x,
                               uint32_t count)
{
    if (!series_encode_reals(x, count, sc->call->arena, &OUT_STR(sc->out)[row]))
        return rf_fail_memory(sc->err, sc->call->arena);
    return RF_OK;
}

enum rf_kind series_give_buf(struct series_call *sc, uint32_t row, const struct rf_buf *buf)
{
    if (buf->failed) return rf_fail_memory(sc->err, sc->call->arena);
    OUT_STR(sc->out)[row] = dyn_done(buf);
    return RF_OK;
}

/* ---- shared computations ---------------------------------------------------------------------------------- */

void series_fit(const double *x, uint32_t count, struct series_line *line)
{
    *line = (struct series_line){0};
    if (count == 0) return;
    double n = count, mean = 0, middle = (n - 1) / 2, across = 0, squares = 0, together = 0;
    for (uint32_t i = 0; i < count; i++) mean += x[i];
    mean /= n;
    for (uint32_t i = 0; i < count; i++) {
        double dt = i - middle, dx = x[i] - mean;
        across += dt * dt;
        squares += dx * dx;
        together += dt * dx;
    }
    line->slope = across > 0 ? together / across : 0;
    line->interception = mean - line->slope * middle;
    double rest = RF_MAX(squares - line->slope * together, 0.0);
    line->variance = count > 1 ? squares / (n - 1) : 0;
    line->rvariance = count > 1 ? rest / (n - 1) : 0;
    /* A constant series lies on its line. */
    line->rsquare = squares > 0 ? 1 - rest / squares : 1;
}

/* Quickselect (Hoare); the middle of three guards against sorted input. */
static double select_rank(double *x, uint32_t count, uint32_t rank)
{
    uint32_t lo = 0, hi = count - 1;
    while (lo < hi) {
        double a = x[lo], b = x[lo + (hi - lo) / 2], c = x[hi];
        double pivot = a < b ? (b < c ? b : RF_MAX(a, c)) : (a < c ? a : RF_MAX(b, c));
        uint32_t i = lo, j = hi;
        while (i <= j) {
            while (x[i] < pivot) i++;
            while (x[j] > pivot) j--;
            if (i > j) break;
            double swap = x[i];
            x[i] = x[j];
            x[j] = swap;
            i++;
            if (j == 0) break;
            j--;
        }
        if (rank <= j && j < hi)
            hi = j;
        else if (rank >= i)
            lo = i;
        else
            break;
    }
    return x[rank];
}

double series_median(double *x, uint32_t count)
{
    double upper = select_rank(x, count, count / 2);
    if (count % 2 == 1) return upper;
    double lower = x[0];
    for (uint32_t i = 1; i < count / 2; i++) lower = RF_MAX(lower, x[i]);
    return (lower + upper) / 2;
}
