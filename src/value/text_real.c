/* text_real.c - doubles to the shortest text that reads back, and text to the nearest double.
 *
 * Printing follows Giulietti's Schubfach: scale the value and the ends of its rounding interval
 * by a power of ten of 128 bits, then take the number with fewest digits inside. Reading
 * multiplies the first 19 digits with the same table; where the error of the table could change
 * the rounding (about one text in 2^50), strtod decides. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* strtod_l */
#endif
#include "value/text_int.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

enum { FRACTION_BITS = 52, EXPONENT_BIAS = 1075, EXPONENT_MASK = 0x7ff };
#define FRACTION_MASK ((UINT64_C(1) << FRACTION_BITS) - 1)

static uint64_t real_bits(double r)
{
    uint64_t bits;
    memcpy(&bits, &r, sizeof bits);
    return bits;
}

static double real_of_bits(uint64_t bits)
{
    double r;
    memcpy(&r, &bits, sizeof r);
    return r;
}

/* ---- printing -------------------------------------------------------------------------------- */

/* The top 64 bits of g * x / 2^128, with the lowest bit set when anything was cut: enough to
 * compare with a multiple of a quarter. */
static uint64_t scale_round_odd(struct text_pow10 g, uint64_t x)
{
    text_u128 low = (text_u128)g.lo * x;
    text_u128 high = (text_u128)g.hi * x + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* Shortest digits * 10^exp10 that reads back as the finite, positive double of `bits`. */
static uint64_t shortest_digits(uint64_t bits, int *exp10)
{
    uint64_t fraction = bits & FRACTION_MASK;
    int exponent = (int)(bits >> FRACTION_BITS & EXPONENT_MASK);
    uint64_t c = exponent != 0 ? fraction | (UINT64_C(1) << FRACTION_BITS) : fraction;
    int q = (exponent != 0 ? exponent : 1) - EXPONENT_BIAS;
    bool even = (c & 1) == 0;
    /* Below a power of two the neighbours lie twice as dense. */
    bool near_below = fraction == 0 && exponent > 1;

    int k = (q * 1262611 - (near_below ? 524031 : 0)) >> 22;
    int shift = q + text_log2_pow10(-k) + 1;
    struct text_pow10 g = text_pow10[-k - TEXT_POW10_MIN];
    uint64_t below = scale_round_odd(g, (4 * c - 2 + near_below) << shift);
    uint64_t value = scale_round_odd(g, (4 * c) << shift);
    uint64_t above = scale_round_odd(g, (4 * c + 2) << shift);
    uint64_t from = below + !even, to = above - !even;

    uint64_t s = value / 4;
    if (s >= 10) {
        uint64_t tens = s / 10;
        bool down = from <= 40 * tens, up = 40 * tens + 40 <= to;
        if (down != up) {
            *exp10 = k + 1;
            return tens + up;
        }
    }
    *exp10 = k;
    bool down = from <= 4 * s, up = 4 * s + 4 <= to;
    if (down != up) return s + up;
    uint64_t middle = 4 * s + 2;
    return s + (value > middle || (value == middle && (s & 1) != 0));
}

static size_t put_exponent(uint8_t *p, int exponent)
{
    size_t n = 0;
    p[n++] = 'E';
    p[n++] = exponent < 0 ? '-' : '+';
    uint32_t e = (uint32_t)(exponent < 0 ? -exponent : exponent);
    if (e >= 100) p[n++] = (uint8_t)('0' + e / 100);
    text_two_digits(p + n, e % 100);
    return n + 2;
}

/* Lays out `count` digits with the point after digit `point_at` (which may lie outside). */
static size_t put_plain(uint8_t *p, const uint8_t *digits, int count, int point_at, bool point)
{
    size_t n = 0;
    if (point_at <= 0) {
        p[n++] = '0';
        p[n++] = '.';
        for (int i = point_at; i < 0; i++) p[n++] = '0';
        memcpy(p + n, digits, (size_t)count);
        return n + (size_t)count;
    }
    for (int i = 0; i < point_at; i++) p[n++] = i < count ? digits[i] : '0';
    if (count > point_at) {
        p[n++] = '.';
        memcpy(p + n, digits + point_at, (size_t)(count - point_at));
        return n + (size_t)(count - point_at);
    }
    if (point) {
        p[n++] = '.';
        p[n++] = '0';
    }
    return n;
}

static size_t put_scientific(uint8_t *p, const uint8_t *digits, int count, int exponent)
{
    size_t n = 0;
    p[n++] = digits[0];
    if (count > 1) {
        p[n++] = '.';
        memcpy(p + n, digits + 1, (size_t)(count - 1));
        n += (size_t)(count - 1);
    }
    return n + put_exponent(p + n, exponent);
}

size_t text_real_digits(uint8_t *text, double r, bool point)
{
    if (!isfinite(r)) {
        rf_str name = isnan(r) ? RF_S("NaN") : r < 0 ? RF_S("-Infinity") : RF_S("Infinity");
        memcpy(text, name.ptr, name.len);
        return name.len;
    }
    size_t n = 0;
    uint64_t bits = real_bits(r);
    if (bits >> 63 != 0) text[n++] = '-';
    bits &= ~(UINT64_C(1) << 63);
    if (bits == 0) return n + put_plain(text + n, (const uint8_t *)"0", 1, 1, point);
    int exp10;
    uint64_t number = shortest_digits(bits, &exp10);
    while (number % 10 == 0) {
        number /= 10;
        exp10++;
    }
    uint8_t digits[20];
    int at = (int)sizeof digits;
    for (; number != 0; number /= 10) digits[--at] = (uint8_t)('0' + number % 10);
    int count = (int)sizeof digits - at;
    int exponent = exp10 + count - 1; /* of the first digit */
    if (exponent >= 15 || exponent < -4)
        return n + put_scientific(text + n, digits + at, count, exponent);
    return n + put_plain(text + n, digits + at, count, exponent + 1, point);
}

void text_put_real(struct rf_buf *buf, double r, bool point)
{
    uint8_t text[TEXT_REAL_BYTES];
    rf_buf_put(buf, text, text_real_digits(text, r, point));
}

/* ---- reading --------------------------------------------------------------------------------- */

struct number {
    bool negative;
    uint64_t digits; /* the first 19 significant ones */
    bool more;       /* there were others, not all zero */
    int64_t exp10;   /* value = digits * 10^exp10 */
    rf_str text;     /* without the sign: for the slow way */
};

static bool scan_exponent(rf_str s, size_t *at, int64_t *exp10)
{
    size_t i = *at + 1;
    bool negative = i < s.len && s.ptr[i] == '-';
    if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+')) i++;
    if (i >= s.len || !rf_is_digit(s.ptr[i])) return false;
    int64_t e = 0;
    for (; i < s.len && rf_is_digit(s.ptr[i]); i++)
        if (e < 100000000) e = e * 10 + (s.ptr[i] - '0');
    *exp10 += negative ? -e : e;
    *at = i;
    return true;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit on at least one side of the point. */
static bool scan_number(rf_str s, struct number *out)
{
    *out = (struct number){0};
    size_t i = 0, seen = 0;
    if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+')) out->negative = s.ptr[i++] == '-';
    out->text = rf_slice(s, i, s.len);
    bool after_point = false;
    int kept = 0;
    for (; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        if (c == '.') {
            if (after_point) return false;
            after_point = true;
            continue;
        }
        if (!rf_is_digit(c)) break;
        seen++;
        if (kept < 19) {
            out->digits = out->digits * 10 + (uint64_t)(c - '0');
            kept += out->digits != 0;
            out->exp10 -= after_point;
        } else {
            out->more |= c != '0';
            out->exp10 += !after_point;
        }
    }
    if (seen == 0) return false;
    if (i < s.len && (s.ptr[i] | 0x20) == 'e' && !scan_exponent(s, &i, &out->exp10)) return false;
    return i == s.len;
}

/* The C library's answer, which is exact. Text past the first 800 digits cannot matter except for
 * being there, so what is longer is cut and a 1 put in its place. */
static double slow_real(const struct number *n)
{
    enum { DIGITS_MAX = 800 };
    char text[DIGITS_MAX + 64];
    size_t len = 0;
    int64_t exp10 = 0;
    bool after_point = false, started = false, sticky = false;
    for (size_t i = 0; i < n->text.len; i++) {
        uint8_t c = n->text.ptr[i];
        if (c == '.') {
            after_point = true;
        } else if (!rf_is_digit(c)) {
            if (!scan_exponent(n->text, &i, &exp10)) return 0;
            break;
        } else if (started || c != '0') {
            started = true;
            if (len < DIGITS_MAX)
                text[len++] = (char)c;
            else
                sticky |= c != '0', exp10++;
            exp10 -= after_point;
        } else {
            exp10 -= after_point;
        }
    }
    if (!started) return 0;
    if (sticky) {
        text[len++] = '1';
        exp10--;
    }
    int e = exp10 > 99999 ? 99999 : exp10 < -99999 ? -99999 : (int)exp10;
    text[len++] = 'e';
    text[len++] = e < 0 ? '-' : '+';
    text_digits((uint8_t *)text + len, (uint64_t)(e < 0 ? -e : e), 5);
    text[len + 5] = '\0';
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c_locale == (locale_t)0) return NAN;
    double r = strtod_l(text, NULL, c_locale);
    freelocale(c_locale);
    return r;
}

/* digits * 10^exp10 rounded to a double's bits; false when the table is too coarse to tell.
 * digits != 0, exp10 within the table. */
static bool quick_real(uint64_t digits, int exp10, uint64_t *bits)
{
    int zeros = __builtin_clzll(digits);
    uint64_t w = digits << zeros;
    struct text_pow10 g = text_pow10[exp10 - TEXT_POW10_MIN];
    text_u128 low = (text_u128)w * g.lo;
    text_u128 high = (text_u128)w * g.hi + (uint64_t)(low >> 64);
    /* high is in 2^126 .. 2^128 and at most 2 too large: the table is rounded up by less than 1 and
     * `low` was cut. */
    int top = high >> 127 != 0;
    int exponent = text_log2_pow10(exp10) + 63 - zeros + top; /* of the leading bit */
    int cut = 128 - 53 - !top;
    if (exponent < -1022) cut += -1022 - exponent; /* subnormal: fewer bits are kept */
    if (cut > 126) return false;
    text_u128 rest = high & (((text_u128)1 << cut) - 1), half = (text_u128)1 << (cut - 1);
    if (rest <= 2 || (rest + 2 >= half && rest <= half + 2) || rest + 2 >= 2 * half) return false;
    uint64_t c = (uint64_t)(high >> cut) + (rest > half);
    /* A carry out of the fraction raises the exponent by itself; c holds the hidden bit, hence
     * -1. */
    int biased = exponent < -1022 ? 0 : exponent + 1022;
    *bits = ((uint64_t)biased << FRACTION_BITS) + c;
    if (*bits >= (uint64_t)EXPONENT_MASK << FRACTION_BITS)
        *bits = (uint64_t)EXPONENT_MASK << FRACTION_BITS;
    return true;
}

static double number_real(const struct number *n)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (n->digits == 0) return 0;
    /* Both sides are exact doubles, so one rounded operation gives the nearest. */
    if (!n->more && n->digits <= (UINT64_C(1) << 53) && n->exp10 >= -22 && n->exp10 <= 22) {
        if (n->exp10 < 0) return (double)n->digits / exact[-n->exp10];
        return (double)n->digits * exact[n->exp10];
    }
    if (n->exp10 > 310) return INFINITY;
    if (n->exp10 < -400) return n->more ? slow_real(n) : 0;
    uint64_t bits, bits_above;
    if (n->exp10 >= TEXT_POW10_MIN && quick_real(n->digits, (int)n->exp10, &bits)) {
        if (!n->more) return real_of_bits(bits);
        if (n->digits < UINT64_MAX && quick_real(n->digits + 1, (int)n->exp10, &bits_above) &&
            bits == bits_above)
            return real_of_bits(bits);
    }
    return slow_real(n);
}

static bool special_real(rf_str s, double *out)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+')) s = rf_slice(s, 1, s.len);
    if (rf_str_eq_nocase(s, RF_S("nan"))) {
        *out = NAN;
        return true;
    }
    if (!rf_str_eq_nocase(s, RF_S("inf")) && !rf_str_eq_nocase(s, RF_S("infinity"))) return false;
    *out = negative ? -INFINITY : INFINITY;
    return true;
}

bool text_to_real(rf_str s, double *out)
{
    s = rf_str_trim(s);
    struct number n;
    if (!scan_number(s, &n)) return special_real(s, out);
    double r = number_real(&n);
    *out = n.negative ? -r : r;
    return true;
}
