/* text.c - whole numbers, guids and bools to text and back; any value to text; conversions between
 * types. Reals are in text_real.c, time in text_time.c, decimals in decimal.c. */
#include "value/decimal.h"
#include "value/dyn.h"
#include "value/text_int.h"

#include <math.h>

/* ---- printing -------------------------------------------------------------------------------- */

void text_put_i64(struct rf_buf *buf, int64_t i)
{
    uint8_t text[20];
    size_t at = sizeof text;
    uint64_t rest = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    while (rest >= 100) {
        at -= 2;
        text_two_digits(text + at, (uint32_t)(rest % 100));
        rest /= 100;
    }
    if (rest >= 10) {
        at -= 2;
        text_two_digits(text + at, (uint32_t)rest);
    } else {
        text[--at] = (uint8_t)('0' + rest);
    }
    if (i < 0) text[--at] = '-';
    rf_buf_put(buf, text + at, sizeof text - at);
}

static bool guid_dash_before(size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void text_put_guid(struct rf_buf *buf, const struct guid *g)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t text[36];
    size_t at = 0;
    for (size_t i = 0; i < sizeof g->bytes; i++) {
        if (guid_dash_before(i)) text[at++] = '-';
        text[at++] = (uint8_t)hex[g->bytes[i] >> 4];
        text[at++] = (uint8_t)hex[g->bytes[i] & 15];
    }
    rf_buf_put(buf, text, at);
}

void text_put_value(struct rf_buf *buf, const struct value *v)
{
    if (v->null) return;
    switch ((enum type)v->type) {
    case TYPE_BOOL:
        rf_buf_str(buf, v->b ? RF_S("true") : RF_S("false"));
        break;
    case TYPE_INT:
    case TYPE_LONG:
        text_put_i64(buf, v->i);
        break;
    case TYPE_REAL:
        text_put_real(buf, v->r, false);
        break;
    case TYPE_DECIMAL:
        text_put_decimal(buf, &v->d);
        break;
    case TYPE_DATETIME:
        text_put_datetime(buf, v->i);
        break;
    case TYPE_TIMESPAN:
        text_put_timespan(buf, v->i);
        break;
    case TYPE_GUID:
        text_put_guid(buf, &v->g);
        break;
    case TYPE_STRING:
        rf_buf_str(buf, v->s);
        break;
    case TYPE_DYNAMIC:
        dyn_put_text(v->s, buf);
        break;
    case TYPE_COUNT:
        break;
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

bool text_to_bool(rf_str s, bool *out)
{
    s = rf_str_trim(s);
    int64_t number;
    if (rf_str_eq_nocase(s, RF_S("true")))
        *out = true;
    else if (rf_str_eq_nocase(s, RF_S("false")))
        *out = false;
    else if (text_to_long(s, &number))
        *out = number != 0;
    else
        return false;
    return true;
}

static bool hex_magnitude(rf_str s, uint64_t *out)
{
    uint64_t x = 0;
    if (s.len == 0) return false;
    for (size_t i = 0; i < s.len; i++) {
        int digit = text_hex_digit(s.ptr[i]);
        if (digit < 0 || x >> 60 != 0) return false;
        x = x << 4 | (uint64_t)digit;
    }
    *out = x;
    return true;
}

static bool decimal_magnitude(rf_str s, uint64_t *out)
{
    uint64_t x = 0;
    if (s.len == 0) return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!rf_is_digit(s.ptr[i])) return false;
        if (__builtin_mul_overflow(x, 10u, &x) ||
            __builtin_add_overflow(x, (uint64_t)(s.ptr[i] - '0'), &x))
            return false;
    }
    *out = x;
    return true;
}

bool text_to_long(rf_str s, int64_t *out)
{
    s = rf_str_trim(s);
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+')) s = rf_slice(s, 1, s.len);
    uint64_t x;
    if (s.len > 2 && s.ptr[0] == '0' && (s.ptr[1] | 0x20) == 'x') {
        /* All 64 bits may be written in hex: 0xffffffffffffffff is -1. */
        if (!hex_magnitude(rf_slice(s, 2, s.len), &x)) return false;
        if (negative && x > INT64_MAX) return false;
    } else if (!decimal_magnitude(s, &x) || x > (uint64_t)INT64_MAX + negative) {
        return false;
    }
    *out = (int64_t)(negative ? 0 - x : x);
    return true;
}

bool text_to_guid(rf_str s, struct guid *out)
{
    s = rf_str_trim(s);
    if (s.len >= 2 && s.ptr[0] == '{' && s.ptr[s.len - 1] == '}') s = rf_slice(s, 1, s.len - 1);
    struct guid g;
    size_t digits = 0;
    for (size_t i = 0; i < s.len; i++) {
        /* Dashes may stand at any byte border, as Kusto has it, but not at the ends or in a row. */
        if (s.ptr[i] == '-') {
            if (digits == 0 || digits % 2 != 0 || i + 1 >= s.len || s.ptr[i + 1] == '-')
                return false;
            continue;
        }
        int digit = text_hex_digit(s.ptr[i]);
        if (digit < 0 || digits >= 32) return false;
        uint8_t *byte = &g.bytes[digits / 2];
        *byte = (uint8_t)(digits % 2 == 0 ? digit << 4 : *byte | digit);
        digits++;
    }
    if (digits != 32) return false;
    *out = g;
    return true;
}

/* ---- conversions ----------------------------------------------------------------------------- */

/* Cut toward zero; false for nan and what does not fit. */
static bool real_to_long(double r, int64_t *out)
{
    if (!(r > -9223372036854777856.0 && r < 9223372036854775808.0)) return false;
    *out = (int64_t)r;
    return true;
}

static bool to_bool(const struct value *v, bool *out)
{
    switch ((enum type)v->type) {
    case TYPE_BOOL:
        *out = v->b != 0;
        return true;
    case TYPE_INT:
    case TYPE_LONG:
        *out = v->i != 0;
        return true;
    case TYPE_REAL:
        *out = v->r != 0;
        return !isnan(v->r);
    case TYPE_DECIMAL:
        *out = decimal_sign(&v->d) != 0;
        return true;
    case TYPE_STRING:
        return text_to_bool(v->s, out);
    default:
        return false;
    }
}

static bool to_long(const struct value *v, int64_t *out)
{
    switch ((enum type)v->type) {
    case TYPE_BOOL:
        *out = v->b != 0;
        return true;
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_DATETIME:
    case TYPE_TIMESPAN:
        *out = v->i;
        return true;
    case TYPE_REAL:
        return real_to_long(v->r, out);
    case TYPE_DECIMAL:
        return decimal_to_i64(&v->d, out);
    case TYPE_STRING:
        return text_to_long(v->s, out);
    default:
        return false;
    }
}

static bool to_real(const struct value *v, double *out)
{
    switch ((enum type)v->type) {
    case TYPE_BOOL:
        *out = v->b != 0;
        return true;
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_DATETIME:
    case TYPE_TIMESPAN:
        *out = (double)v->i;
        return true;
    case TYPE_REAL:
        *out = v->r;
        return true;
    case TYPE_DECIMAL:
        *out = decimal_to_real(&v->d);
        return true;
    case TYPE_STRING: {
        int64_t whole; /* for hex, which is no real otherwise */
        if (text_to_real(v->s, out)) return true;
        if (!text_to_long(v->s, &whole)) return false;
        *out = (double)whole;
        return true;
    }
    default:
        return false;
    }
}

static bool to_decimal(const struct value *v, struct decimal *out)
{
    switch ((enum type)v->type) {
    case TYPE_BOOL:
        *out = decimal_from_i64(v->b != 0);
        return true;
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_DATETIME:
    case TYPE_TIMESPAN:
        *out = decimal_from_i64(v->i);
        return true;
    case TYPE_REAL:
        return decimal_from_real(v->r, out);
    case TYPE_DECIMAL:
        *out = v->d;
        return true;
    case TYPE_STRING:
        return text_to_decimal(v->s, out);
    default:
        return false;
    }
}

/* A number counts ticks. */
static bool to_datetime(const struct value *v, int64_t *out)
{
    if (v->type == TYPE_STRING) return text_to_datetime(v->s, out);
    int64_t ticks;
    if (v->type == TYPE_BOOL || v->type == TYPE_TIMESPAN || !to_long(v, &ticks)) return false;
    if (ticks < 0 || ticks > DATETIME_MAX) return false;
    *out = ticks;
    return true;
}

static bool to_timespan(const struct value *v, int64_t *out)
{
    if (v->type == TYPE_STRING) return text_to_timespan(v->s, out);
    return v->type != TYPE_BOOL && v->type != TYPE_DATETIME && to_long(v, out);
}

static bool to_guid(const struct value *v, struct guid *out)
{
    if (v->type == TYPE_STRING) return text_to_guid(v->s, out);
    if (v->type != TYPE_GUID) return false;
    *out = v->g;
    return true;
}

/* Fills *out, which is already a null of its type, when the value fits. */
static void convert_scalar(const struct value *v, struct value *out)
{
    bool b = false, fits = false;
    switch ((enum type)out->type) {
    case TYPE_BOOL:
        fits = to_bool(v, &b);
        out->b = b;
        break;
    case TYPE_INT:
        fits = to_long(v, &out->i) && out->i >= INT32_MIN && out->i <= INT32_MAX;
        break;
    case TYPE_LONG:
        fits = to_long(v, &out->i);
        break;
    case TYPE_REAL:
        fits = to_real(v, &out->r);
        break;
    case TYPE_DECIMAL:
        fits = to_decimal(v, &out->d);
        break;
    case TYPE_DATETIME:
        fits = to_datetime(v, &out->i);
        break;
    case TYPE_TIMESPAN:
        fits = to_timespan(v, &out->i);
        break;
    case TYPE_GUID:
        fits = to_guid(v, &out->g);
        break;
    default:
        break;
    }
    out->null = !fits;
}

bool value_convert(const struct value *v, enum type type, struct rf_arena *arena, struct value *out)
{
    if (v->type == type) {
        *out = *v;
        return true;
    }
    struct value result = value_null(type);
    if (v->null) {
        *out = result;
        return true;
    }
    if (type == TYPE_STRING || type == TYPE_DYNAMIC) {
        struct rf_buf buf = rf_buf_in(arena);
        if (type == TYPE_STRING)
            text_put_value(&buf, v);
        else
            dyn_put_value(&buf, v);
        if (buf.failed) return false;
        result.s = rf_buf_view(&buf);
        result.null = false;
        *out = result;
        return true;
    }
    struct value inner = v->type == TYPE_DYNAMIC ? dyn_to_value(v->s) : *v;
    if (!inner.null && inner.type == type)
        result = inner;
    else if (!inner.null && inner.type != TYPE_DYNAMIC)
        convert_scalar(&inner, &result);
    *out = result;
    return true;
}
