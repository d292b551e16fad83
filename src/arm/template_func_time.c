/* template_func_time.c - points in time: texts in the patterns of .NET, in UTC and the invariant culture. */
#include "arm/template_expr.h"
#include "base/encode.h"

#include <stdio.h>

static struct rf_arena *arena_of(const struct template_call *call)
{
    return call->frame->run->arena;
}

/* ---- the calendar (Gregorian, proleptic) ------------------------------------------------------------------------------- */

struct moment {
    int64_t year;
    int month, day, hour, minute, second, weekday; /* month and day from 1, weekday 0 is Sunday */
    int64_t usec;                                  /* within the second */
};
#define USEC_PER_DAY (86400 * RF_USEC_PER_SECOND)

/* Days since 1970; years are counted from March, so that the leap day is the last of one. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t in_era = year - era * 400;
    int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static struct moment moment_of(rf_usec time)
{
    int64_t days = time / USEC_PER_DAY, rest = time % USEC_PER_DAY;
    if (rest < 0) rest += USEC_PER_DAY, days--;
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    struct moment m = {.day = (int)(doy - (153 * mp + 2) / 5 + 1),
                       .month = (int)(mp < 10 ? mp + 3 : mp - 9)};
    m.year = yoe + era * 400 + (m.month <= 2);
    m.weekday = (int)(((days + 4) % 7 + 7) % 7);
    int64_t seconds = rest / RF_USEC_PER_SECOND;
    m.usec = rest % RF_USEC_PER_SECOND;
    m.hour = (int)(seconds / 3600);
    m.minute = (int)(seconds / 60 % 60);
    m.second = (int)(seconds % 60);
    return m;
}

static int month_days(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* The same day of another month, or its last one. */
static rf_usec add_months(rf_usec time, int64_t months)
{
    struct moment m = moment_of(time);
    int64_t index = m.year * 12 + m.month - 1 + months, year = index / 12, month = index % 12;
    if (month < 0) month += 12, year--;
    int day = RF_MIN(m.day, month_days(year, (int)month + 1));
    int64_t in_day = time - days_of(m.year, m.month, m.day) * USEC_PER_DAY;
    return days_of(year, month + 1, day) * USEC_PER_DAY + in_day;
}

/* ---- patterns ------------------------------------------------------------------------------------------------------------- */

static const char *const month_names[] = {"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};
static const char *const day_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};

/* The patterns that one letter stands for. */
static const char *standard(uint8_t letter)
{
    switch (letter) {
    case 'd':
        return "MM/dd/yyyy";
    case 'D':
        return "dddd, dd MMMM yyyy";
    case 'f':
        return "dddd, dd MMMM yyyy HH:mm";
    case 'F':
        return "dddd, dd MMMM yyyy HH:mm:ss";
    case 'g':
        return "MM/dd/yyyy HH:mm";
    case 'G':
        return "MM/dd/yyyy HH:mm:ss";
    case 'm':
    case 'M':
        return "MMMM dd";
    case 'o':
    case 'O':
        return "yyyy-MM-ddTHH:mm:ss.fffffffZ";
    case 'r':
    case 'R':
        return "ddd, dd MMM yyyy HH:mm:ss 'GMT'";
    case 's':
        return "yyyy-MM-ddTHH:mm:ss";
    case 't':
        return "HH:mm";
    case 'T':
        return "HH:mm:ss";
    case 'u':
        return "yyyy-MM-dd HH:mm:ssZ";
    case 'U':
        return "dddd, dd MMMM yyyy HH:mm:ss";
    case 'y':
    case 'Y':
        return "yyyy MMMM";
    default:
        return NULL;
    }
}

static void put_name(struct rf_buf *buf, const char *name, size_t count)
{
    rf_buf_put(buf, name, count == 3 ? 3 : strlen(name));
}

/* One run of the same letter; false: the letter means nothing. */
static bool put_part(struct rf_buf *buf, const struct moment *m, uint8_t letter, size_t count)
{
    int width = count > 1 ? 2 : 1;
    char fraction[8];
    switch (letter) {
    case 'y':
        rf_buf_printf(buf, "%0*lld", (int)RF_MIN(count, 5),
                      (long long)(count <= 2 ? m->year % 100 : m->year));
        return true;
    case 'M':
        if (count > 2)
            put_name(buf, month_names[m->month - 1], count);
        else
            rf_buf_printf(buf, "%0*d", width, m->month);
        return true;
    case 'd':
        if (count > 2)
            put_name(buf, day_names[m->weekday], count);
        else
            rf_buf_printf(buf, "%0*d", width, m->day);
        return true;
    case 'H':
        rf_buf_printf(buf, "%0*d", width, m->hour);
        return true;
    case 'h':
        rf_buf_printf(buf, "%0*d", width, m->hour % 12 == 0 ? 12 : m->hour % 12);
        return true;
    case 'm':
        rf_buf_printf(buf, "%0*d", width, m->minute);
        return true;
    case 's':
        rf_buf_printf(buf, "%0*d", width, m->second);
        return true;
    case 'f':
    case 'F':
        snprintf(fraction, sizeof fraction, "%06d0", (int)m->usec);
        rf_buf_put(buf, fraction, RF_MIN(count, 7));
        return true;
    case 't':
        rf_buf_put(buf, m->hour < 12 ? "AM" : "PM", RF_MIN(count, 2));
        return true;
    case 'z':
        rf_buf_printf(buf, count > 2 ? "+00:00" : "+%0*d", width, 0);
        return true;
    case 'K':
        rf_buf_byte(buf, 'Z');
        return true;
    default:
        return false;
    }
}

enum { PATTERN_BYTES_MAX = 200 };

enum rf_kind template_time_format(struct rf_arena *arena, rf_usec time, rf_str pattern, rf_str *out,
                                  struct rf_err *err)
{
    struct moment m = moment_of(time);
    struct rf_buf buf = rf_buf_in(arena);
    const char *known = pattern.len == 1 ? standard(pattern.ptr[0]) : NULL;
    if (known != NULL) pattern = rf_str_of(known);
    if (pattern.len == 0 || pattern.len > PATTERN_BYTES_MAX || (pattern.len == 1 && known == NULL))
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate", "the format '%.*s' is not known",
                       (int)RF_MIN(pattern.len, 60), (const char *)pattern.ptr);
    for (size_t at = 0; at < pattern.len;) {
        uint8_t c = pattern.ptr[at];
        size_t to = at + 1;
        if (c == '\'' || c == '"') {
            while (to < pattern.len && pattern.ptr[to] != c) rf_buf_byte(&buf, pattern.ptr[to++]);
            at = to + 1;
            continue;
        }
        while (to < pattern.len && pattern.ptr[to] == c) to++;
        if (c == '\\' && at + 1 < pattern.len) {
            rf_buf_byte(&buf, pattern.ptr[at + 1]);
            to = at + 2;
        } else if (c == '%' || put_part(&buf, &m, c, to - at)) {
            /* written */
        } else {
            rf_buf_str(&buf, rf_slice(pattern, at, to));
        }
        at = to;
    }
    if (buf.failed) return rf_fail_memory(err, arena);
    *out = rf_buf_view(&buf);
    return RF_OK;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------- */

/* ISO 8601; a blank may stand for the 'T', and what has no zone is UTC. */
static bool read_time(struct rf_arena *arena, rf_str text, rf_usec *out)
{
    enum { DATE = 10, TIME_BYTES_MAX = 60 };
    text = rf_str_trim(text);
    if (text.len < DATE || text.len > TIME_BYTES_MAX) return false;
    rf_str rest = rf_slice(text, DATE, text.len);
    bool has_time = rest.len > 1;
    bool has_zone = has_time && (rf_lower(rest.ptr[rest.len - 1]) == 'z' ||
                                 rf_str_find(rest, RF_S("+"), 0) != SIZE_MAX ||
                                 rf_str_find(rest, RF_S("-"), 0) != SIZE_MAX);
    rf_str tail = has_time ? rf_slice(rest, 1, rest.len) : RF_S("00:00:00");
    rf_str whole = rf_arena_printf(arena, "%.10sT%.*s%s", (const char *)text.ptr, RF_FMT(tail),
                                   has_zone ? "" : "Z");
    return whole.ptr != NULL && time_parse_iso(whole, out);
}

struct duration {
    int64_t months; /* signed */
    rf_usec usec;
};

/* [-]P[nY][nM][nW][nD][T[nH][nM][n[.n]S]]: months have no fixed length, so they are kept apart. */
static bool read_duration(rf_str text, struct duration *out)
{
    static const struct {
        uint8_t letter;
        bool in_time;
        int64_t months, usec;
    } units[] = {{'Y', false, 12, 0},
                 {'M', false, 1, 0},
                 {'W', false, 0, 7 * USEC_PER_DAY},
                 {'D', false, 0, USEC_PER_DAY},
                 {'H', true, 0, 3600 * RF_USEC_PER_SECOND},
                 {'M', true, 0, 60 * RF_USEC_PER_SECOND},
                 {'S', true, 0, RF_USEC_PER_SECOND}};
    bool negative = text.len > 0 && text.ptr[0] == '-', in_time = false, any = false;
    size_t at = negative;
    struct duration sum = {0, 0};
    if (at >= text.len || text.ptr[at++] != 'P') return false;
    while (at < text.len) {
        if (text.ptr[at] == 'T' && !in_time) {
            in_time = true;
            at++;
            continue;
        }
        int64_t number = 0, fraction = 0, scale = RF_USEC_PER_SECOND;
        size_t from = at;
        for (; at < text.len && rf_is_digit(text.ptr[at]); at++) {
            number = number * 10 + text.ptr[at] - '0';
            if (number > 1000000000) return false;
        }
        if (at == from) return false;
        if (at < text.len && text.ptr[at] == '.')
            for (at++; at < text.len && rf_is_digit(text.ptr[at]); at++) {
                scale /= 10;
                fraction += (text.ptr[at] - '0') * scale;
            }
        if (at == text.len) return false;
        uint8_t letter = text.ptr[at++];
        size_t unit = 0;
        while (unit < RF_COUNT(units) &&
               (units[unit].letter != letter || units[unit].in_time != in_time))
            unit++;
        if (unit == RF_COUNT(units) || number > 10000000000 / (1 + units[unit].usec / 1000000))
            return false;
        sum.months += number * units[unit].months;
        sum.usec += number * units[unit].usec + (letter == 'S' ? fraction : 0);
        any = true;
    }
    if (!any || sum.months > 120000 || sum.usec > INT64_C(4000000000000000000)) return false;
    *out = negative ? (struct duration){-sum.months, -sum.usec} : sum;
    return true;
}

/* ---- functions ----------------------------------------------------------------------------------------------------------- */

static enum rf_kind give_time(const struct template_call *call, rf_usec time, uint32_t pattern_at,
                              const char *fallback, struct json_node **out, struct rf_err *err)
{
    rf_str pattern = rf_str_of(fallback), text;
    struct rf_err inner;
    if (call->count > pattern_at) RF_TRY(template_arg_text(call, pattern_at, &pattern, err));
    /* The years 1 to 9999, as elsewhere. */
    if (time < days_of(1, 1, 1) * USEC_PER_DAY || time >= days_of(10000, 1, 1) * USEC_PER_DAY)
        return template_fail(call, err, "the time is out of range.");
    enum rf_kind kind = template_time_format(arena_of(call), time, pattern, &text, &inner);
    if (kind == RF_LIMIT) return rf_fail_memory(err, arena_of(call));
    if (kind != RF_OK) return template_fail(call, err, "%s.", inner.text);
    return template_give_text(call, text, out, err);
}

static enum rf_kind run_utc_now(const struct template_call *call, struct json_node **out,
                                struct rf_err *err)
{
    if (!call->frame->run->in_default)
        return template_fail(call, err,
                             "the function is allowed only in the default value of a "
                             "parameter.");
    return give_time(call, call->frame->run->now, 0, "yyyyMMddTHHmmssZ", out, err);
}

static enum rf_kind time_arg(const struct template_call *call, uint32_t index, rf_usec *out,
                             struct rf_err *err)
{
    rf_str text;
    RF_TRY(template_arg_text(call, index, &text, err));
    if (read_time(arena_of(call), text, out)) return RF_OK;
    return template_fail(call, err, "'%.*s' is not a time in ISO 8601.", (int)RF_MIN(text.len, 60),
                         (const char *)text.ptr);
}

static enum rf_kind run_date_time_add(const struct template_call *call, struct json_node **out,
                                      struct rf_err *err)
{
    rf_usec time, sum;
    rf_str text;
    struct duration duration;
    RF_TRY(time_arg(call, 0, &time, err));
    RF_TRY(template_arg_text(call, 1, &text, err));
    if (!read_duration(text, &duration))
        return template_fail(call, err, "'%.*s' is not a duration in ISO 8601.",
                             (int)RF_MIN(text.len, 60), (const char *)text.ptr);
    time = add_months(time, duration.months);
    if (__builtin_add_overflow(time, duration.usec, &sum))
        return template_fail(call, err, "the time is out of range.");
    return give_time(call, sum, 2, "yyyy-MM-ddTHH:mm:ssZ", out, err);
}

static enum rf_kind run_from_epoch(const struct template_call *call, struct json_node **out,
                                   struct rf_err *err)
{
    int64_t seconds;
    rf_usec time;
    RF_TRY(template_arg_int(call, 0, &seconds, err));
    if (__builtin_mul_overflow(seconds, RF_USEC_PER_SECOND, &time))
        return template_fail(call, err, "the time is out of range.");
    return give_time(call, time, 1, "yyyy-MM-ddTHH:mm:ssZ", out, err);
}

static enum rf_kind run_to_epoch(const struct template_call *call, struct json_node **out,
                                 struct rf_err *err)
{
    rf_usec time;
    RF_TRY(time_arg(call, 0, &time, err));
    int64_t seconds = time / RF_USEC_PER_SECOND - (time % RF_USEC_PER_SECOND < 0);
    return template_give_int(call, seconds, out, err);
}

static const struct template_function functions[] = {
    {"utcNow", 0, 1, run_utc_now, 0},
    {"dateTimeAdd", 2, 3, run_date_time_add, 0},
    {"dateTimeFromEpoch", 1, 1, run_from_epoch, 0},
    {"dateTimeToEpoch", 1, 1, run_to_epoch, 0},
};
const struct template_family template_func_time = {functions, RF_COUNT(functions)};
