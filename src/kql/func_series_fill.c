/* series_fill_*: missing elements replaced by their neighbours, by a constant or by a line. */
#include "kql/func_series_int.h"

#include <math.h>

/* What counts as missing: nulls (and all that is no number) unless another number is named. */
static bool is_missing(const struct series *s, uint32_t i, const struct series *placeholder)
{
    if (placeholder->x == NULL || isnan(placeholder->x[0])) return isnan(s->x[i]);
    return s->x[i] == placeholder->x[0];
}

static void copy_element(struct series *to, uint32_t at, const struct series *from,
                         uint32_t from_at)
{
    to->x[at] = from->x[from_at];
    to->kind[at] = from->kind[from_at];
    to->whole[at] = from->whole[from_at];
}

static enum rf_kind read_with_placeholder(struct series_call *sc, uint32_t row, uint32_t arg,
                                          struct series *s, struct series *placeholder)
{
    *placeholder = (struct series){0};
    RF_TRY(series_arg(sc, 0, row, s));
    if (s->scalar) *s = (struct series){0};
    if (arg < sc->call->arg_count) RF_TRY(series_arg(sc, arg, row, placeholder));
    if (!placeholder->scalar) *placeholder = (struct series){0};
    return RF_OK;
}

static enum rf_kind forward_row(struct series_call *sc, uint32_t row)
{
    struct series s, placeholder;
    RF_TRY(read_with_placeholder(sc, row, 1, &s, &placeholder));
    if (s.x == NULL) return series_give_null(sc, row);
    for (uint32_t i = 1; i < s.count; i++)
        if (is_missing(&s, i, &placeholder) && !is_missing(&s, i - 1, &placeholder))
            copy_element(&s, i, &s, i - 1);
    return series_give(sc, row, &s);
}
SERIES_KERNEL(series_fill_forward, forward_row)

static enum rf_kind backward_row(struct series_call *sc, uint32_t row)
{
    struct series s, placeholder;
    RF_TRY(read_with_placeholder(sc, row, 1, &s, &placeholder));
    if (s.x == NULL) return series_give_null(sc, row);
    for (uint32_t i = s.count; i-- > 1;)
        if (is_missing(&s, i - 1, &placeholder) && !is_missing(&s, i, &placeholder))
            copy_element(&s, i - 1, &s, i);
    return series_give(sc, row, &s);
}
SERIES_KERNEL(series_fill_backward, backward_row)

static enum rf_kind series_zero(struct series_call *sc, struct series *out)
{
    RF_TRY(series_new(1, sc->scratch, out, sc->err));
    out->scalar = true;
    out->kind[0] = SERIES_WHOLE;
    out->whole[0] = 0;
    out->x[0] = 0;
    return RF_OK;
}

static enum rf_kind const_row(struct series_call *sc, uint32_t row)
{
    struct series s, placeholder, constant;
    RF_TRY(read_with_placeholder(sc, row, 2, &s, &placeholder));
    if (sc->call->arg_count > 1)
        RF_TRY(series_arg(sc, 1, row, &constant));
    else
        RF_TRY(series_zero(sc, &constant));
    if (s.x == NULL) return series_give_null(sc, row);
    if (!constant.scalar) return series_give(sc, row, &s);
    for (uint32_t i = 0; i < s.count; i++)
        if (is_missing(&s, i, &placeholder)) copy_element(&s, i, &constant, 0);
    return series_give(sc, row, &s);
}
SERIES_KERNEL(series_fill_const, const_row)

/* Fills the gap between two known elements; whole series stay whole, cut toward zero as Kusto does. */
static void fill_gap(struct series *s, uint32_t left, uint32_t right, bool whole)
{
    double a = s->x[left], step = (s->x[right] - a) / (right - left);
    for (uint32_t i = left + 1; i < right; i++) {
        double x = a + step * (i - left);
        s->x[i] = x;
        s->kind[i] = SERIES_REAL;
        if (!whole || !(fabs(x) < 9e18)) continue;
        s->whole[i] = (int64_t)x;
        s->kind[i] = SERIES_WHOLE;
    }
}

static void fill_all(struct series *s, const struct series_call *sc, uint32_t row)
{
    bool given = sc->call->arg_count > 3;
    double constant = series_arg_real(sc, 3, row, given ? (double)NAN : 0);
    for (uint32_t i = 0; i < s->count; i++) {
        s->x[i] = constant;
        s->kind[i] = isnan(constant) ? SERIES_NONE : SERIES_REAL;
    }
}

static void fill_edges(struct series *s, uint32_t first, uint32_t last)
{
    for (uint32_t i = 0; i < first; i++) copy_element(s, i, s, first);
    for (uint32_t i = last + 1; i < s->count; i++) copy_element(s, i, s, last);
}

static enum rf_kind linear_row(struct series_call *sc, uint32_t row)
{
    struct series s, placeholder;
    RF_TRY(read_with_placeholder(sc, row, 1, &s, &placeholder));
    if (s.x == NULL) return series_give_null(sc, row);
    uint32_t known = 0, first = 0, last = 0;
    bool whole = true;
    for (uint32_t i = 0; i < s.count; i++)
        if (!is_missing(&s, i, &placeholder)) whole = whole && s.kind[i] == SERIES_WHOLE;
    /* What was filled is known from then on, so a gap ends at the next element that is not missing. */
    for (uint32_t i = 0; i < s.count; i++) {
        if (is_missing(&s, i, &placeholder)) continue;
        if (known++ == 0)
            first = i;
        else
            fill_gap(&s, last, i, whole);
        last = i;
    }
    if (known == 0)
        fill_all(&s, sc, row);
    else if (series_arg_bool(sc, 2, row, true))
        fill_edges(&s, first, last);
    return series_give(sc, row, &s);
}
SERIES_KERNEL(series_fill_linear, linear_row)
