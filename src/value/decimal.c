/* decimal.c - a decimal is sign * coefficient / 10^scale, packed into 128 bits:
 *
 *   lo             bits 0..63 of the coefficient
 *   hi bits 0..48  bits 64..112 of the coefficient, which is below 10^34
 *   hi bits 49..55 scale, 0..34
 *   hi bit 63      sign; never set for zero
 *
 * A cell of zero bytes is the number 0. The scale is kept as written, so 1.10 prints as 1.10; equal
 * numbers of different scale compare and hash alike. */
#include "value/decimal.h"
#include "value/text_int.h"

#include <math.h>

typedef text_u128 u128;

enum { DIGITS_MAX = 34, SCALE_MAX = 34, DIVISION_SCALE_MAX = 28, HI_BITS = 49 };

/* 10^k for k in 0..38. */
static u128 power(int k)
{
    u128 p = 1;
    for (; k >= 19; k -= 19) p *= UINT64_C(10000000000000000000);
    uint64_t rest = 1;
    while (k-- > 0) rest *= 10;
    return p * rest;
}

struct parts {
    u128 coefficient;
    int scale;
    bool negative;
};

static struct parts unpack(const struct decimal *d)
{
    return (struct parts){
        .coefficient = (u128)(d->hi & ((UINT64_C(1) << HI_BITS) - 1)) << 64 | d->lo,
        .scale = (int)(d->hi >> HI_BITS & 0x7f),
        .negative = d->hi >> 63 != 0,
    };
}

/* x / 10^digits, rounded half to even; `sticky` says that something nonzero was cut off x
 * before. */
static u128 cut_digits(u128 x, int digits, bool sticky)
{
    if (digits <= 0) return x;
    if (digits > 38) return 0;
    u128 unit = power(digits), rest = x % unit, half = unit / 2;
    x /= unit;
    if (rest > half || (rest == half && (sticky || (x & 1) != 0))) x++;
    return x;
}

static int digit_count(u128 x)
{
    int count = 0;
    for (; x >= UINT64_C(10000000000000000000); x /= UINT64_C(10000000000000000000)) count += 19;
    for (uint64_t rest = (uint64_t)x; rest != 0; rest /= 10) count++;
    return count;
}

/* Rounds to what fits and packs; false when there are too many digits before the point. */
static bool pack(struct parts p, bool sticky, struct decimal *out)
{
    int surplus = digit_count(p.coefficient) - DIGITS_MAX;
    if (p.scale - surplus > SCALE_MAX) surplus = p.scale - SCALE_MAX;
    if (surplus > 0) {
        if (surplus > p.scale) return false;
        p.coefficient = cut_digits(p.coefficient, surplus, sticky);
        p.scale -= surplus;
        if (p.coefficient == power(DIGITS_MAX)) { /* rounded up to one digit more */
            if (p.scale == 0) return false;
            p.coefficient /= 10;
            p.scale--;
        }
    }
    if (p.scale < 0) {
        if (-p.scale > DIGITS_MAX)
            return p.coefficient == 0 ? pack((struct parts){0}, false, out) : false;
        if (digit_count(p.coefficient) - p.scale > DIGITS_MAX) return false;
        p.coefficient *= power(-p.scale);
        p.scale = 0;
    }
    bool negative = p.negative && p.coefficient != 0;
    out->lo = (uint64_t)p.coefficient;
    out->hi =
        (uint64_t)(p.coefficient >> 64) | (uint64_t)p.scale << HI_BITS | (uint64_t)negative << 63;
    return true;
}

/* ---- to and from other numbers --------------------------------------------------------------- */

struct decimal decimal_from_i64(int64_t i)
{
    uint64_t magnitude = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    return (struct decimal){.lo = magnitude, .hi = (uint64_t)(i < 0) << 63};
}

bool decimal_from_real(double r, struct decimal *out)
{
    if (!isfinite(r)) return false;
    uint8_t text[TEXT_REAL_BYTES];
    size_t len = text_real_digits(text, r, false);
    return text_to_decimal(rf_str_make(text, len), out);
}

bool decimal_to_i64(const struct decimal *d, int64_t *out)
{
    struct parts p = unpack(d);
    u128 whole = p.coefficient / power(p.scale);
    if (whole > (uint64_t)INT64_MAX + p.negative) return false;
    *out = (int64_t)(p.negative ? 0 - (uint64_t)whole : (uint64_t)whole);
    return true;
}

int decimal_sign(const struct decimal *d)
{
    struct parts p = unpack(d);
    return p.coefficient == 0 ? 0 : p.negative ? -1 : 1;
}

struct decimal decimal_neg(struct decimal d)
{
    if (decimal_sign(&d) != 0) d.hi ^= UINT64_C(1) << 63;
    return d;
}

/* ---- comparison ------------------------------------------------------------------------------ */

struct u256 {
    u128 hi, lo;
};

static struct u256 multiply(u128 a, u128 b)
{
    uint64_t a0 = (uint64_t)a, a1 = (uint64_t)(a >> 64), b0 = (uint64_t)b, b1 = (uint64_t)(b >> 64);
    u128 low = (u128)a0 * b0, left = (u128)a1 * b0, right = (u128)a0 * b1;
    u128 middle = (low >> 64) + (uint64_t)left + (uint64_t)right;
    return (struct u256){
        .hi = (u128)a1 * b1 + (left >> 64) + (right >> 64) + (middle >> 64),
        .lo = middle << 64 | (uint64_t)low,
    };
}

static int compare_magnitude(struct parts a, struct parts b)
{
    struct u256 x = multiply(a.coefficient, power(RF_MAX(b.scale - a.scale, 0)));
    struct u256 y = multiply(b.coefficient, power(RF_MAX(a.scale - b.scale, 0)));
    if (x.hi != y.hi) return x.hi < y.hi ? -1 : 1;
    return (x.lo > y.lo) - (x.lo < y.lo);
}

int decimal_cmp(const struct decimal *a, const struct decimal *b)
{
    struct parts x = unpack(a), y = unpack(b);
    if (x.negative != y.negative) return x.negative ? -1 : 1;
    int order = compare_magnitude(x, y);
    return x.negative ? -order : order;
}

static struct parts without_trailing_zeros(struct parts p)
{
    while (p.scale > 0 && p.coefficient % 10 == 0) {
        p.coefficient /= 10;
        p.scale--;
    }
    return p;
}

uint64_t decimal_hash(const struct decimal *d)
{
    struct parts p = without_trailing_zeros(unpack(d));
    uint64_t sign_scale = (uint64_t)p.scale << 1 | p.negative;
    uint64_t high = rf_hash_mix((uint64_t)(p.coefficient >> 64), sign_scale);
    return rf_hash_mix((uint64_t)p.coefficient, high);
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

/* Brings both to one scale: the coarser one gains digits while it has room (below 10^37, so that a
 * sum still fits), then the finer one is rounded. */
static bool align(struct parts *a, struct parts *b)
{
    struct parts *coarse = a->scale < b->scale ? a : b, *fine = coarse == a ? b : a;
    int missing = fine->scale - coarse->scale;
    int room = 37 - digit_count(coarse->coefficient);
    int gain = coarse->coefficient == 0 ? missing : RF_MIN(missing, room);
    if (gain > 0) coarse->coefficient *= power(gain);
    coarse->scale += gain;
    fine->coefficient = cut_digits(fine->coefficient, missing - gain, false);
    fine->scale = coarse->scale;
    return gain == missing;
}

bool decimal_add(const struct decimal *a, const struct decimal *b, struct decimal *out)
{
    struct parts x = unpack(a), y = unpack(b);
    (void)align(&x, &y);
    if (x.negative == y.negative) {
        x.coefficient += y.coefficient;
    } else if (x.coefficient >= y.coefficient) {
        x.coefficient -= y.coefficient;
    } else {
        x.coefficient = y.coefficient - x.coefficient;
        x.negative = y.negative;
    }
    return pack(x, false, out);
}

bool decimal_sub(const struct decimal *a, const struct decimal *b, struct decimal *out)
{
    struct decimal minus = decimal_neg(*b);
    return decimal_add(a, &minus, out);
}

/* Divides by 10 and returns the digit that fell off. */
static uint32_t drop_digit(struct u256 *x)
{
    uint64_t words[4] = {(uint64_t)(x->hi >> 64), (uint64_t)x->hi, (uint64_t)(x->lo >> 64),
                         (uint64_t)x->lo};
    uint64_t rest = 0;
    for (size_t i = 0; i < RF_COUNT(words); i++) {
        u128 part = (u128)rest << 64 | words[i];
        words[i] = (uint64_t)(part / 10);
        rest = (uint64_t)(part % 10);
    }
    x->hi = (u128)words[0] << 64 | words[1];
    x->lo = (u128)words[2] << 64 | words[3];
    return (uint32_t)rest;
}

bool decimal_mul(const struct decimal *a, const struct decimal *b, struct decimal *out)
{
    struct parts x = unpack(a), y = unpack(b);
    struct u256 product = multiply(x.coefficient, y.coefficient);
    x.scale += y.scale;
    x.negative = x.negative != y.negative;
    /* Down to 38 digits here, with what fell off remembered; pack() rounds the rest. */
    bool sticky = false;
    while (product.hi != 0 || product.lo >= power(38)) {
        sticky |= drop_digit(&product) != 0;
        x.scale--;
    }
    if (x.scale < 0) return false;
    x.coefficient = product.lo;
    return pack(x, sticky, out);
}

bool decimal_div(const struct decimal *a, const struct decimal *b, struct decimal *out)
{
    struct parts x = unpack(a), y = unpack(b);
    if (y.coefficient == 0) return false;
    u128 quotient = x.coefficient / y.coefficient, rest = x.coefficient % y.coefficient;
    int scale = x.scale - y.scale, goal = RF_MAX(DIVISION_SCALE_MAX, RF_MAX(x.scale, y.scale));
    /* Digit by digit, as on paper, with one digit more than is kept. */
    while (rest != 0 && scale <= goal && quotient < power(DIGITS_MAX)) {
        rest *= 10;
        quotient = quotient * 10 + rest / y.coefficient;
        rest %= y.coefficient;
        scale++;
    }
    struct parts result = {quotient, scale, x.negative != y.negative};
    if (scale < 0 && rest != 0) return false;
    if (scale > goal) {
        result.coefficient = cut_digits(quotient, scale - goal, rest != 0);
        result.scale = goal;
        rest = 0;
    }
    return pack(result, rest != 0, out);
}

bool decimal_mod(const struct decimal *a, const struct decimal *b, struct decimal *out)
{
    struct parts x = unpack(a), y = unpack(b);
    if (y.coefficient == 0 || !align(&x, &y)) return false;
    x.coefficient %= y.coefficient;
    if (x.negative && x.coefficient != 0) x.coefficient = y.coefficient - x.coefficient;
    x.negative = false;
    return pack(x, false, out);
}

bool decimal_floor_to(const struct decimal *d, const struct decimal *size, struct decimal *out)
{
    struct decimal rest;
    return decimal_sign(size) > 0 && decimal_mod(d, size, &rest) && decimal_sub(d, &rest, out);
}

bool decimal_round(const struct decimal *d, int digits, struct decimal *out)
{
    struct parts p = unpack(d);
    if (digits >= p.scale) {
        *out = *d;
        return true;
    }
    /* Both bounds keep power() within range; the answer is 0 below -DIGITS_MAX anyhow. */
    int cut = p.scale - RF_MAX(digits, -DIGITS_MAX);
    if (cut > 38) {
        p.coefficient = 0;
    } else {
        u128 unit = power(cut), rest = p.coefficient % unit;
        p.coefficient = p.coefficient / unit + (rest >= unit - rest);
    }
    p.scale -= cut;
    return pack(p, false, out);
}

/* ---- text ------------------------------------------------------------------------------------ */

enum { TEXT_BYTES = 3 + DIGITS_MAX + SCALE_MAX };

/* Plain digits; a zero before the point where there would be none. Returns the length. */
static size_t put_digits(uint8_t *text, struct parts p)
{
    uint8_t digits[DIGITS_MAX + 6];
    size_t at = sizeof digits, n = 0;
    for (u128 rest = p.coefficient; rest != 0; rest /= 10)
        digits[--at] = (uint8_t)('0' + (int)(rest % 10));
    size_t count = sizeof digits - at, scale = (size_t)p.scale;
    if (p.negative) text[n++] = '-';
    if (count <= scale) {
        text[n++] = '0';
    } else {
        memcpy(text + n, digits + at, count - scale);
        n += count - scale;
        at += count - scale;
        count = scale;
    }
    if (scale == 0) return n;
    text[n++] = '.';
    for (size_t zeros = scale - count; zeros > 0; zeros--) text[n++] = '0';
    memcpy(text + n, digits + at, count);
    return n + count;
}

void text_put_decimal(struct rf_buf *buf, const struct decimal *d)
{
    uint8_t text[TEXT_BYTES];
    rf_buf_put(buf, text, put_digits(text, unpack(d)));
}

double decimal_to_real(const struct decimal *d)
{
    struct parts p = unpack(d);
    if (p.scale == 0 && p.coefficient <= UINT64_C(1) << 53)
        return p.negative ? -(double)p.coefficient : (double)p.coefficient;
    uint8_t text[TEXT_BYTES];
    double r = 0;
    RF_ASSERT(text_to_real(rf_str_make(text, put_digits(text, p)), &r));
    return r;
}

static bool read_exponent(rf_str s, size_t at, int *scale)
{
    int64_t exponent;
    if (at >= s.len || s.len - at > 12) return false;
    if (s.len - at > 2 && (s.ptr[at + 1] | 0x20) == 'x') return false; /* 1e0x2 */
    if (!text_to_long(rf_slice(s, at, s.len), &exponent)) return false;
    if (exponent < -100000 || exponent > 100000) return false;
    *scale -= (int)exponent;
    return true;
}

bool text_to_decimal(rf_str s, struct decimal *out)
{
    s = rf_str_trim(s);
    struct parts p = {0};
    size_t i = 0, seen = 0, dropped = 0;
    if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+')) p.negative = s.ptr[i++] == '-';
    bool after_point = false, sticky = false;
    for (; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        if (c == '.') {
            if (after_point) return false;
            after_point = true;
            continue;
        }
        if (!rf_is_digit(c)) break;
        seen++;
        if (p.coefficient < power(37)) {
            p.coefficient = p.coefficient * 10 + (u128)(c - '0');
            p.scale += after_point;
        } else {
            sticky |= c != '0';
            dropped += !after_point;
        }
    }
    if (seen == 0 || dropped > 0) return false; /* 38 digits before the point never fit */
    if (i < s.len && ((s.ptr[i] | 0x20) != 'e' || !read_exponent(s, i + 1, &p.scale))) return false;
    if (p.scale > 2 * SCALE_MAX + DIGITS_MAX) {
        p.coefficient = 0;
        p.scale = 0;
    }
    return pack(p, sticky, out);
}
