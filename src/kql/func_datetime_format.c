/* func_datetime_format.c - format_datetime() and format_timespan(): patterns of repeated
 * letters, with everything that is no letter of the pattern language copied. */
#include "kql/func_datetime_int.h"
#include "value/text.h"
#include "value/text_rows.h"

enum { FRACTION_DIGITS = 7, COUNT_MAX = 8, PATTERN_BYTES_MAX = 512 };

/* What a pattern may ask for; `days` is all of them in a timespan, the day of the month else. */
struct moment {
    uint32_t year, month, days, hour, minute, second, fraction;
    bool date; /* letters of the calendar mean something */
};

/* x with at least `width` digits. */
static void put_padded(struct rf_buf *buf, uint32_t x, uint32_t width)
{
    uint8_t digits[10];
    uint32_t at = sizeof digits;
    do {
        digits[--at] = (uint8_t)('0' + x % 10);
        x /= 10;
    } while (x != 0);
    for (uint32_t have = sizeof digits - at; have < width; have++) rf_buf_byte(buf, '0');
    rf_buf_put(buf, digits + at, sizeof digits - at);
}

/* The first `width` digits of the fraction. Without padding trailing zeros go, and a point before
 * the digits goes when none is left. */
static void put_fraction(struct rf_buf *buf, size_t start, uint32_t fraction, uint32_t width,
                         bool pad)
{
    width = RF_MIN(width, FRACTION_DIGITS);
    for (uint32_t n = width; n < FRACTION_DIGITS; n++) fraction /= 10;
    if (!pad) {
        while (width > 0 && fraction % 10 == 0) {
            fraction /= 10;
            width--;
        }
        if (width == 0 && buf->len > start && buf->ptr[buf->len - 1] == '.') buf->len--;
        if (width == 0) return;
    }
    put_padded(buf, fraction, width);
}

static void put_year(struct rf_buf *buf, uint32_t year, uint32_t width)
{
    put_padded(buf, width <= 2 ? year % 100 : year, width);
}

/* Letters of the calendar; false when `letter` is none. */
static bool put_date_field(struct rf_buf *buf, const struct moment *m, uint8_t letter,
                           uint32_t width)
{
    switch (letter) {
    case 'y':
        put_year(buf, m->year, width);
        return true;
    case 'M':
        put_padded(buf, m->month, RF_MIN(width, 2u));
        return true;
    case 'd':
        put_padded(buf, m->days, RF_MIN(width, 2u));
        return true;
    case 'h':
        put_padded(buf, m->hour % 12 == 0 ? 12 : m->hour % 12, RF_MIN(width, 2u));
        return true;
    case 't':
        rf_buf_put(buf, m->hour < 12 ? "AM" : "PM", RF_MIN(width, 2u));
        return true;
    default:
        return false;
    }
}

/* One run of `width` equal letters. */
static void put_field(struct rf_buf *buf, size_t start, const struct moment *m, uint8_t letter,
                      uint32_t width)
{
    if (m->date && put_date_field(buf, m, letter, width)) return;
    switch (letter) {
    case 'd':
        put_padded(buf, m->days, width);
        return;
    case 'h':
    case 'H':
        put_padded(buf, m->hour, RF_MIN(width, 2u));
        return;
    case 'm':
        put_padded(buf, m->minute, RF_MIN(width, 2u));
        return;
    case 's':
        put_padded(buf, m->second, RF_MIN(width, 2u));
        return;
    case 'f':
        put_fraction(buf, start, m->fraction, width, true);
        return;
    case 'F':
        put_fraction(buf, start, m->fraction, width, false);
        return;
    default:
        for (uint32_t i = 0; i < width; i++) rf_buf_byte(buf, letter);
    }
}

static void put_pattern(struct rf_buf *buf, const struct moment *m, rf_str pattern)
{
    size_t start = buf->len;
    for (size_t at = 0; at < pattern.len;) {
        size_t from = at;
        while (at < pattern.len && pattern.ptr[at] == pattern.ptr[from] && at - from < COUNT_MAX)
            at++;
        put_field(buf, start, m, pattern.ptr[from], (uint32_t)(at - from));
    }
}

static struct moment moment_of(int64_t ticks, bool date)
{
    struct moment m = {.date = date};
    uint64_t magnitude = ticks < 0 ? 0 - (uint64_t)ticks : (uint64_t)ticks;
    uint64_t of_day = magnitude % (uint64_t)TICKS_PER_DAY;
    uint32_t second = (uint32_t)(of_day / (uint64_t)TICKS_PER_SECOND);
    m.hour = second / 3600;
    m.minute = second / 60 % 60;
    m.second = second % 60;
    m.fraction = (uint32_t)(of_day % (uint64_t)TICKS_PER_SECOND);
    if (date) {
        int year, month, day;
        date_from_ticks(ticks, &year, &month, &day);
        m.year = (uint32_t)year;
        m.month = (uint32_t)month;
        m.days = (uint32_t)day;
    } else {
        m.days = (uint32_t)(magnitude / (uint64_t)TICKS_PER_DAY);
    }
    return m;
}

static enum rf_kind format_rows(struct func_call *call, const struct vec *args, uint32_t count,
                                struct vec *out, bool date, struct rf_err *err)
{
    struct text_rows texts = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        rf_str pattern = ARG_STR(&args[1], i);
        int64_t ticks = ARG_I64(&args[0], i);
        if (pattern.len > PATTERN_BYTES_MAX) continue;
        struct moment m = moment_of(ticks, date);
        if (ticks < 0) rf_buf_byte(&texts.buf, '-');
        put_pattern(&texts.buf, &m, pattern);
        text_rows_end(&texts, i);
    }
    return text_rows_finish(&texts, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL_SHARED(format_datetime) { return format_rows(call, args, count, out, true, err); }
FUNC_KERNEL_SHARED(format_timespan) { return format_rows(call, args, count, out, false, err); }
