/* Regression: one line, two lines, a polynomial. */
#include "kql/func_series_int.h"

#include <math.h>

/* A result: a bag, or a tuple of the same parts in the same order. */
struct parts {
    struct rf_buf *buf;
    struct dyn_builder dyn;
    bool bag;
};

static void parts_begin(struct parts *p, struct rf_buf *buf, bool bag)
{
    *p = (struct parts){.buf = buf, .bag = bag};
    dyn_begin(&p->dyn, buf, bag ? DYN_BAG : DYN_ARRAY);
}

/* The next part follows. */
static void put_key(struct parts *p, const char *key)
{
    if (p->bag)
        dyn_key(&p->dyn, rf_str_of(key));
    else
        dyn_next(&p->dyn);
}
static void put_real(struct parts *p, const char *key, double r)
{
    put_key(p, key);
    dyn_put_real(p->buf, r);
}
static void put_reals(struct parts *p, const char *key, const double *x, uint32_t count)
{
    put_key(p, key);
    series_put_reals(p->buf, x, count);
}

static enum rf_kind read_finite(struct series_call *sc, uint32_t row, struct series *s)
{
    RF_TRY(series_arg(sc, 0, row, s));
    if (!series_is_finite(s) || s->count == 0) *s = (struct series){0};
    return RF_OK;
}

static void draw_line(const struct series_line *line, uint32_t count, double *to)
{
    for (uint32_t i = 0; i < count; i++) to[i] = line->interception + line->slope * i;
}

/* ---- one line ------------------------------------------------------------------------------------------- */

static enum rf_kind fit_line(struct series_call *sc, uint32_t row, bool bag)
{
    struct series s;
    RF_TRY(read_finite(sc, row, &s));
    if (s.x == NULL) return series_give_null(sc, row);
    struct series_line line;
    series_fit(s.x, s.count, &line);
    struct rf_buf buf = rf_buf_in(sc->call->arena);
    struct parts p;
    parts_begin(&p, &buf, bag);
    put_real(&p, "rsquare", line.rsquare);
    put_real(&p, "slope", line.slope);
    put_real(&p, "variance", line.variance);
    put_real(&p, "rvariance", line.rvariance);
    put_real(&p, "interception", line.interception);
    draw_line(&line, s.count, s.x);
    put_reals(&p, "line_fit", s.x, s.count);
    dyn_end(&p.dyn);
    return series_give_buf(sc, row, &buf);
}

static enum rf_kind fit_line_row(struct series_call *sc, uint32_t row)
{
    return fit_line(sc, row, false);
}
SERIES_KERNEL(series_fit_line, fit_line_row)

static enum rf_kind fit_line_dynamic_row(struct series_call *sc, uint32_t row)
{
    return fit_line(sc, row, true);
}
SERIES_KERNEL(series_fit_line_dynamic, fit_line_dynamic_row)

/* ---- two lines -------------------------------------------------------------------------------------------- */

struct two_lines {
    struct series_line left, right;
    double rsquare, variance, rvariance;
    uint32_t split; /* first element of the right line */
};

/* Running sums over a segment, about a fixed middle so that squares stay small. */
struct segment {
    double count, t, x, tt, xx, tx;
};

static void segment_add(struct segment *g, double t, double x, double sign)
{
    g->count += sign;
    g->t += sign * t;
    g->x += sign * x;
    g->tt += sign * t * t;
    g->xx += sign * x * x;
    g->tx += sign * t * x;
}

/* Sum of squared distances from the segment's own line. */
static double segment_rest(const struct segment *g)
{
    double across = g->tt - g->t * g->t / g->count, squares = g->xx - g->x * g->x / g->count;
    double together = g->tx - g->t * g->x / g->count;
    return RF_MAX(across > 0 ? squares - together * together / across : squares, 0.0);
}

/* One pass over all splits: an element goes from the right segment to the left one each time. */
static uint32_t best_split(const double *x, uint32_t count)
{
    struct segment left = {0}, right = {0};
    double middle = (count - 1) / 2.0, mean = 0, best = INFINITY;
    uint32_t split = 0;
    for (uint32_t i = 0; i < count; i++) mean += x[i] / count;
    for (uint32_t i = 0; i < count; i++) segment_add(&right, i - middle, x[i] - mean, 1);
    for (uint32_t i = 0; i + 1 < count; i++) {
        segment_add(&left, i - middle, x[i] - mean, 1);
        segment_add(&right, i - middle, x[i] - mean, -1);
        double rest = segment_rest(&left) + segment_rest(&right);
        /* A lone point always fits, so a segment needs two where there are points for it. */
        bool thin = count > 3 && (i == 0 || i + 2 == count);
        if (thin || !(rest < best)) continue;
        best = rest;
        split = i + 1;
    }
    return split;
}

static void fit_two(double *x, uint32_t count, struct two_lines *fit)
{
    struct series_line whole;
    series_fit(x, count, &whole);
    *fit = (struct two_lines){.variance = whole.variance, .split = best_split(x, count)};
    series_fit(x, fit->split, &fit->left);
    series_fit(x + fit->split, count - fit->split, &fit->right);
    double rest = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct series_line *line = i < fit->split ? &fit->left : &fit->right;
        uint32_t from = i < fit->split ? 0 : fit->split;
        double on_line = line->interception + line->slope * (i - from);
        rest += (x[i] - on_line) * (x[i] - on_line);
        x[i] = on_line;
    }
    fit->rvariance = count > 1 ? rest / (count - 1) : 0;
    fit->rsquare = whole.variance > 0 ? 1 - fit->rvariance / whole.variance : 1;
}

/* In a bag a side is a bag of its own; in a tuple its parts follow the others. */
static void put_side(struct parts *p, const char *key, const struct series_line *line)
{
    struct parts side = {0};
    struct parts *to = p->bag ? &side : p;
    if (p->bag) {
        put_key(p, key);
        parts_begin(&side, p->buf, true);
    }
    put_real(to, "rsquare", line->rsquare);
    put_real(to, "slope", line->slope);
    put_real(to, "interception", line->interception);
    put_real(to, "variance", line->variance);
    put_real(to, "rvariance", line->rvariance);
    if (p->bag) dyn_end(&side.dyn);
}

static enum rf_kind fit_2lines(struct series_call *sc, uint32_t row, bool bag)
{
    struct series s;
    RF_TRY(read_finite(sc, row, &s));
    if (s.x == NULL) return series_give_null(sc, row);
    struct two_lines fit;
    fit_two(s.x, s.count, &fit);
    struct rf_buf buf = rf_buf_in(sc->call->arena);
    struct parts p;
    parts_begin(&p, &buf, bag);
    put_real(&p, "rsquare", fit.rsquare);
    put_key(&p, "split_idx");
    dyn_put_long(&buf, fit.split);
    put_real(&p, "variance", fit.variance);
    put_real(&p, "rvariance", fit.rvariance);
    put_reals(&p, "line_fit", s.x, s.count);
    put_side(&p, "right", &fit.right);
    put_side(&p, "left", &fit.left);
    dyn_end(&p.dyn);
    return series_give_buf(sc, row, &buf);
}

static enum rf_kind fit_2lines_row(struct series_call *sc, uint32_t row)
{
    return fit_2lines(sc, row, false);
}
SERIES_KERNEL(series_fit_2lines, fit_2lines_row)

static enum rf_kind fit_2lines_dynamic_row(struct series_call *sc, uint32_t row)
{
    return fit_2lines(sc, row, true);
}
SERIES_KERNEL(series_fit_2lines_dynamic, fit_2lines_dynamic_row)

/* ---- polynomial ------------------------------------------------------------------------------------------------ */

enum { POLY_DEGREE_MAX = 24, POLY_TERMS_MAX = POLY_DEGREE_MAX + 1 };

/* Householder QR of the matrix with rows (1, t, t^2 ...), column by column in a[], and of y beside it;
 * then back substitution. False when the columns depend on each other. */
static bool solve_least_squares(double *a, double *y, uint32_t rows, uint32_t terms, double *out)
{
    for (uint32_t k = 0; k < terms; k++) {
        double *column = a + (size_t)k * rows, norm = 0;
        for (uint32_t i = k; i < rows; i++) norm += column[i] * column[i];
        norm = sqrt(norm);
        if (norm < 1e-12) return false;
        double head = column[k] > 0 ? -norm : norm;
        column[k] -= head;
        double scale = -1 / (head * column[k]);
        for (uint32_t j = k + 1; j <= terms; j++) {
            double *other = j < terms ? a + (size_t)j * rows : y, dot = 0;
            for (uint32_t i = k; i < rows; i++) dot += column[i] * other[i];
            for (uint32_t i = k; i < rows; i++) other[i] -= dot * scale * column[i];
        }
        out[k] = head; /* the diagonal, until back substitution */
    }
    for (uint32_t k = terms; k-- > 0;) {
        double sum = y[k];
        for (uint32_t j = k + 1; j < terms; j++) sum -= a[(size_t)j * rows + k] * out[j];
        out[k] = sum / out[k];
    }
    return true;
}

/* Coefficients in t = (x - middle) / half, turned into those in x by Horner's scheme on polynomials;
 * out[k] belongs to x^k. */
static void shift_back(const double *in_t, uint32_t terms, double middle, double half, double *out)
{
    for (uint32_t k = 0; k < terms; k++) out[k] = 0;
    for (uint32_t k = terms; k-- > 0;) {
        for (uint32_t j = terms; j-- > 1;) out[j] = (out[j - 1] - middle * out[j]) / half;
        out[0] = -middle * out[0] / half + in_t[k];
    }
}

static bool fit_poly(const double *x, const double *y, uint32_t count, uint32_t terms,
                     struct rf_arena *arena, double *in_x, double *fitted)
{
    double *a = rf_arena_array_raw(arena, (size_t)count * terms, sizeof *a);
    double *rest = rf_arena_raw(arena, double, count), in_t[POLY_TERMS_MAX];
    double low = INFINITY, high = -INFINITY;
    if (a == NULL || rest == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        low = RF_MIN(low, x[i]);
        high = RF_MAX(high, x[i]);
    }
    /* Powers of numbers from -1 to 1 neither overflow nor look alike as soon. */
    double middle = (low + high) / 2, half = high > low ? (high - low) / 2 : 1;
    for (uint32_t i = 0; i < count; i++) {
        double t = (x[i] - middle) / half, power = 1;
        rest[i] = y[i];
        for (uint32_t k = 0; k < terms; k++, power *= t) a[(size_t)k * count + i] = power;
    }
    bool solved = solve_least_squares(a, rest, count, terms, in_t);
    for (uint32_t i = 0; i < count; i++) {
        double t = (x[i] - middle) / half, sum = 0;
        for (uint32_t k = terms; k-- > 0 && solved;) sum = sum * t + in_t[k];
        fitted[i] = solved ? sum : (double)NAN;
    }
    if (solved)
        shift_back(in_t, terms, middle, half, in_x);
    else
        in_x[0] = NAN;
    return true;
}

static enum rf_kind give_poly(struct series_call *sc, uint32_t row, const struct series *y,
                              const double *coefficients, uint32_t terms, const double *fitted)
{
    double mean = 0, squares = 0, rest = 0, high_first[POLY_TERMS_MAX];
    for (uint32_t i = 0; i < y->count; i++) mean += y->x[i] / y->count;
    for (uint32_t i = 0; i < y->count; i++) {
        squares += (y->x[i] - mean) * (y->x[i] - mean);
        rest += (y->x[i] - fitted[i]) * (y->x[i] - fitted[i]);
    }
    for (uint32_t k = 0; k < terms; k++) high_first[k] = coefficients[terms - 1 - k];
    double less = y->count > 1 ? y->count - 1 : 1;
    struct rf_buf buf = rf_buf_in(sc->call->arena);
    struct parts p;
    parts_begin(&p, &buf, false);
    put_real(&p, "rsquare", squares > 0 ? 1 - rest / squares : 1);
    put_reals(&p, "coefficients", high_first, terms);
    put_real(&p, "variance", squares / less);
    put_real(&p, "rvariance", rest / less);
    put_reals(&p, "poly_fit", fitted, y->count);
    dyn_end(&p.dyn);
    return series_give_buf(sc, row, &buf);
}

static enum rf_kind fit_poly_row(struct series_call *sc, uint32_t row)
{
    struct series y, x;
    RF_TRY(read_finite(sc, row, &y));
    if (y.x == NULL) return series_give_null(sc, row);
    bool given = sc->call->arg_count > 1 && !ARG_NULL(&sc->args[1], row);
    if (given) {
        RF_TRY(series_arg(sc, 1, row, &x));
    } else {
        RF_TRY(series_new(y.count, sc->scratch, &x, sc->err));
        for (uint32_t i = 0; i < x.count; i++) x.x[i] = i + 1.0;
    }
    int64_t degree = series_arg_long(sc, 2, row, 1);
    if (!series_is_finite(&x) || x.count != y.count || degree < 0 || degree > POLY_DEGREE_MAX ||
        degree >= y.count)
        return series_give_null(sc, row);
    double coefficients[POLY_TERMS_MAX] = {0};
    double *fitted = rf_arena_raw(sc->scratch, double, y.count);
    uint32_t terms = (uint32_t)degree + 1;
    if (fitted == NULL || !fit_poly(x.x, y.x, y.count, terms, sc->scratch, coefficients, fitted))
        return rf_fail_memory(sc->err, sc->scratch);
    if (isnan(coefficients[0])) return series_give_null(sc, row);
    return give_poly(sc, row, &y, coefficients, terms, fitted);
}
SERIES_KERNEL(series_fit_poly, fit_poly_row)
