/* func_datetime.c - the calendar and the clock: parts of a datetime, borders of days, weeks,
 * months and years, sums and differences by named units, Unix time. Weeks begin on Sunday. */
#include "kql/func_datetime_int.h"
#include "kql/func_families.h"
#include "value/text.h"

#include <math.h>

/* ---- units by name --------------------------------------------------------------------------- */

enum unit {
    UNIT_YEAR,
    UNIT_QUARTER,
    UNIT_MONTH,
    UNIT_WEEK,
    UNIT_DAY,
    UNIT_HOUR,
    UNIT_MINUTE,
    UNIT_SECOND,
    UNIT_MILLISECOND,
    UNIT_MICROSECOND,
    UNIT_NANOSECOND,
    UNIT_DAY_OF_YEAR,
    UNIT_WEEK_OF_YEAR,
    UNIT_COUNT
};

static enum unit unit_of(rf_str name)
{
    static const char *const names[UNIT_COUNT] = {
        [UNIT_YEAR] = "year",
        [UNIT_QUARTER] = "quarter",
        [UNIT_MONTH] = "month",
        [UNIT_WEEK] = "week",
        [UNIT_DAY] = "day",
        [UNIT_HOUR] = "hour",
        [UNIT_MINUTE] = "minute",
        [UNIT_SECOND] = "second",
        [UNIT_MILLISECOND] = "millisecond",
        [UNIT_MICROSECOND] = "microsecond",
        [UNIT_NANOSECOND] = "nanosecond",
        [UNIT_DAY_OF_YEAR] = "dayofyear",
        [UNIT_WEEK_OF_YEAR] = "week_of_year",
    };
    for (unsigned i = 0; i < UNIT_COUNT; i++)
        if (rf_str_eq_nocase(name, rf_str_of(names[i]))) return (enum unit)i;
    if (rf_str_eq_nocase(name, RF_S("weekofyear"))) return UNIT_WEEK_OF_YEAR;
    return UNIT_COUNT;
}

/* Ticks of the units that always last equally long, else 0. */
static int64_t unit_ticks(enum unit unit)
{
    switch (unit) {
    case UNIT_WEEK:
        return 7 * TICKS_PER_DAY;
    case UNIT_DAY:
        return TICKS_PER_DAY;
    case UNIT_HOUR:
        return TICKS_PER_HOUR;
    case UNIT_MINUTE:
        return TICKS_PER_MINUTE;
    case UNIT_SECOND:
        return TICKS_PER_SECOND;
    case UNIT_MILLISECOND:
        return TICKS_PER_MS;
    case UNIT_MICROSECOND:
        return TICKS_PER_MICROSECOND;
    default:
        return 0;
    }
}

static int64_t months_of_unit(enum unit unit)
{
    return unit == UNIT_YEAR ? 12 : unit == UNIT_QUARTER ? 3 : unit == UNIT_MONTH ? 1 : 0;
}

/* ---- calendar -------------------------------------------------------------------------------- */

struct date {
    int year, month, day;
};

static struct date date_of(int64_t ticks)
{
    struct date d;
    date_from_ticks(ticks, &d.year, &d.month, &d.day);
    return d;
}

static int64_t months_since_0(int64_t ticks)
{
    struct date d = date_of(ticks);
    return (int64_t)d.year * 12 + d.month - 1;
}

/* Days since Sunday; 0001-01-01 was a Monday. */
static int64_t weekday(int64_t ticks) { return (ticks / TICKS_PER_DAY + 1) % 7; }

static int64_t start_of_year(int64_t year)
{
    int64_t ticks = 0;
    (void)date_to_ticks(year, 1, 1, &ticks);
    return ticks;
}

static int64_t day_of_year(int64_t ticks)
{
    return (ticks - start_of_year(date_of(ticks).year)) / TICKS_PER_DAY + 1;
}

/* ISO 8601: the week belongs to the year that its Thursday lies in. */
static int64_t iso_week(int64_t ticks)
{
    int64_t days_since_monday = ticks / TICKS_PER_DAY % 7;
    int64_t thursday = ticks + (3 - days_since_monday) * TICKS_PER_DAY;
    if (!datetime_in_range(thursday)) return 52; /* the last days of 9999 */
    return (day_of_year(thursday) - 1) / 7 + 1;
}

/* The old weekofyear(): weeks begin on Sunday, and week 1 holds the year's first Wednesday. */
static int64_t old_week(int64_t ticks)
{
    int64_t wednesday = ticks + (3 - weekday(ticks)) * TICKS_PER_DAY;
    if (!datetime_in_range(wednesday)) return ticks < TICKS_PER_DAY * 7 ? 1 : 52;
    return (day_of_year(wednesday) - 1) / 7 + 1;
}

/* ---- parts ----------------------------------------------------------------------------------- */

#define PART_KERNEL(name, expr)                                                                    \
    FUNC_KERNEL(name)                                                                              \
    {                                                                                              \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            if (OUT_NULL(out)[i]) continue; /* whose cell may hold any number */                   \
            int64_t t = ARG_I64(&args[0], i);                                                      \
            OUT_I64(out)[i] = (expr);                                                              \
        }                                                                                          \
        return RF_OK;                                                                              \
    }

PART_KERNEL(get_year, date_of(t).year)
PART_KERNEL(get_month, date_of(t).month)
PART_KERNEL(day_of_month, date_of(t).day)
PART_KERNEL(day_of_week, weekday(t) * TICKS_PER_DAY)
PART_KERNEL(get_day_of_year, day_of_year(t))
PART_KERNEL(hour_of_day, t % TICKS_PER_DAY / TICKS_PER_HOUR)
PART_KERNEL(get_iso_week, iso_week(t))
PART_KERNEL(get_old_week, old_week(t))

static bool part_of(int64_t t, enum unit unit, int64_t *out)
{
    switch (unit) {
    case UNIT_YEAR:
        *out = date_of(t).year;
        return true;
    case UNIT_QUARTER:
        *out = (date_of(t).month + 2) / 3;
        return true;
    case UNIT_MONTH:
        *out = date_of(t).month;
        return true;
    case UNIT_WEEK:
    case UNIT_WEEK_OF_YEAR:
        *out = iso_week(t);
        return true;
    case UNIT_DAY:
        *out = date_of(t).day;
        return true;
    case UNIT_DAY_OF_YEAR:
        *out = day_of_year(t);
        return true;
    case UNIT_HOUR:
        *out = t % TICKS_PER_DAY / TICKS_PER_HOUR;
        return true;
    case UNIT_MINUTE:
        *out = t % TICKS_PER_HOUR / TICKS_PER_MINUTE;
        return true;
    case UNIT_SECOND:
        *out = t % TICKS_PER_MINUTE / TICKS_PER_SECOND;
        return true;
    case UNIT_MILLISECOND:
        *out = t % TICKS_PER_SECOND / TICKS_PER_MS;
        return true;
    case UNIT_MICROSECOND:
        *out = t % TICKS_PER_SECOND / TICKS_PER_MICROSECOND;
        return true;
    case UNIT_NANOSECOND:
        *out = t % TICKS_PER_SECOND * 100;
        return true;
    case UNIT_COUNT:
        break;
    }
    return false;
}

FUNC_KERNEL(datetime_part)
{
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        if (!part_of(ARG_I64(&args[1], i), unit_of(ARG_STR(&args[0], i)), &OUT_I64(out)[i]))
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

/* ---- sums and differences -------------------------------------------------------------------- */

/* Months are added to the month; a day that it lacks becomes its last. */
static bool add_months(int64_t t, int64_t months, int64_t *out)
{
    static const int last_days[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (months < -120000 || months > 120000) return false;
    int64_t total = months_since_0(t) + months, day = date_of(t).day, ticks;
    if (total < 12) return false;
    int64_t year = total / 12, month = total % 12 + 1;
    day = RF_MIN(day, last_days[month - 1]);
    if (!date_to_ticks(year, month, day, &ticks)) {
        /* Only February 29 of a common year is left to mend. */
        if (day != 29 || !date_to_ticks(year, month, 28, &ticks)) return false;
    }
    *out = ticks + t % TICKS_PER_DAY;
    return true;
}

static bool add_units(int64_t t, int64_t amount, enum unit unit, int64_t *out)
{
    int64_t step = unit_ticks(unit), months = months_of_unit(unit), span;
    if (months > 0)
        return !__builtin_mul_overflow(amount, months, &span) && add_months(t, span, out);
    if (unit == UNIT_NANOSECOND)
        span = amount / 100;
    else if (step == 0 || __builtin_mul_overflow(amount, step, &span))
        return false;
    return !__builtin_add_overflow(t, span, out) && datetime_in_range(*out);
}

FUNC_KERNEL(datetime_add)
{
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        int64_t sum;
        if (add_units(ARG_I64(&args[2], i), ARG_I64(&args[1], i), unit_of(ARG_STR(&args[0], i)),
                      &sum))
            OUT_I64(out)[i] = sum;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

/* Borders of the unit that lie between, negative when `a` is the earlier. */
static bool borders_between(int64_t a, int64_t b, enum unit unit, int64_t *out)
{
    int64_t months = months_of_unit(unit), step = unit_ticks(unit);
    if (months > 0) {
        *out = months_since_0(a) / months - months_since_0(b) / months;
    } else if (unit == UNIT_WEEK) {
        *out =
            (a + TICKS_PER_DAY) / step - (b + TICKS_PER_DAY) / step; /* Sunday before 0001-01-01 */
    } else if (unit == UNIT_NANOSECOND) {
        return !__builtin_mul_overflow(a - b, 100, out);
    } else if (step > 0) {
        *out = a / step - b / step;
    } else {
        return false;
    }
    return true;
}

FUNC_KERNEL(datetime_diff)
{
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        if (!borders_between(ARG_I64(&args[1], i), ARG_I64(&args[2], i),
                             unit_of(ARG_STR(&args[0], i)), &OUT_I64(out)[i]))
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

FUNC_KERNEL(ago)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t t;
        if (!__builtin_sub_overflow(call->now_ticks, ARG_I64(&args[0], i), &t) &&
            datetime_in_range(t))
            OUT_I64(out)[i] = t;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

/* ---- starts and ends ------------------------------------------------------------------------- */

/* Start of the day, week, month or year that lies `offset` units from the one of t. */
static bool unit_start(int64_t t, int64_t offset, enum unit unit, int64_t *out)
{
    int64_t day = t - t % TICKS_PER_DAY, shift, months = months_of_unit(unit);
    if (months > 0) {
        struct date d = date_of(t);
        return !__builtin_mul_overflow(offset, months, &shift) &&
               date_to_ticks(d.year, unit == UNIT_YEAR ? 1 : d.month, 1, &day) &&
               add_months(day, shift, out);
    }
    if (unit == UNIT_WEEK) day -= weekday(t) * TICKS_PER_DAY;
    return !__builtin_mul_overflow(offset, unit_ticks(unit), &shift) &&
           !__builtin_add_overflow(day, shift, out);
}

static enum rf_kind start_rows(struct func_call *call, const struct vec *args, uint32_t count,
                               struct vec *out, enum unit unit)
{
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        int64_t start, offset = call->arg_count > 1 ? ARG_I64(&args[1], i) : 0;
        if (unit_start(ARG_I64(&args[0], i), offset, unit, &start) && datetime_in_range(start))
            OUT_I64(out)[i] = start;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

/* The last tick before the next unit. Year 9999 has no next one, its end is that of time. */
static bool unit_end(int64_t t, int64_t offset, enum unit unit, int64_t *out)
{
    int64_t start, months = months_of_unit(unit);
    if (!unit_start(t, offset, unit, &start)) return false;
    if (months == 0) return !__builtin_add_overflow(start, unit_ticks(unit) - 1, out);
    if (!add_months(start, months, out)) *out = DATETIME_MAX + 1;
    *out -= 1;
    return true;
}

static enum rf_kind end_rows(struct func_call *call, const struct vec *args, uint32_t count,
                             struct vec *out, enum unit unit)
{
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        int64_t end, offset = call->arg_count > 1 ? ARG_I64(&args[1], i) : 0;
        if (unit_end(ARG_I64(&args[0], i), offset, unit, &end) && datetime_in_range(end))
            OUT_I64(out)[i] = end;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

FUNC_KERNEL(start_of_day) { return start_rows(call, args, count, out, UNIT_DAY); }
FUNC_KERNEL(start_of_week) { return start_rows(call, args, count, out, UNIT_WEEK); }
FUNC_KERNEL(start_of_month) { return start_rows(call, args, count, out, UNIT_MONTH); }
FUNC_KERNEL(start_of_year_kernel) { return start_rows(call, args, count, out, UNIT_YEAR); }
FUNC_KERNEL(end_of_day) { return end_rows(call, args, count, out, UNIT_DAY); }
FUNC_KERNEL(end_of_week) { return end_rows(call, args, count, out, UNIT_WEEK); }
FUNC_KERNEL(end_of_month) { return end_rows(call, args, count, out, UNIT_MONTH); }
FUNC_KERNEL(end_of_year) { return end_rows(call, args, count, out, UNIT_YEAR); }

/* ---- making times ---------------------------------------------------------------------------- */

static int64_t whole_arg(const struct func_call *call, const struct vec *args, uint32_t arg,
                         uint32_t row, int64_t missing)
{
    return arg < call->arg_count ? ARG_I64(&args[arg], row) : missing;
}

/* Seconds 0 <= s < 60 as ticks, rounded to the nearest. */
static bool seconds_to_ticks(double seconds, int64_t *out)
{
    if (!(seconds >= 0 && seconds < 60)) return false;
    *out = llround(seconds * (double)TICKS_PER_SECOND);
    return *out < TICKS_PER_MINUTE;
}

FUNC_KERNEL(make_datetime)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t hour = whole_arg(call, args, 3, i, 0), minute = whole_arg(call, args, 4, i, 0), day,
                second = 0;
        bool fits = !OUT_NULL(out)[i] &&
                    date_to_ticks(ARG_I64(&args[0], i), whole_arg(call, args, 1, i, 1),
                                  whole_arg(call, args, 2, i, 1), &day) &&
                    hour >= 0 && hour < 24 && minute >= 0 && minute < 60 &&
                    (call->arg_count < 6 || seconds_to_ticks(ARG_REAL(&args[5], i), &second));
        if (fits)
            OUT_I64(out)[i] = day + hour * TICKS_PER_HOUR + minute * TICKS_PER_MINUTE + second;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

static bool timespan_of(int64_t days, int64_t hour, int64_t minute, double seconds, int64_t *out)
{
    int64_t second, span;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || !seconds_to_ticks(seconds, &second))
        return false;
    if (days < 0 || __builtin_mul_overflow(days, TICKS_PER_DAY, &span)) return false;
    return !__builtin_add_overflow(span, hour * TICKS_PER_HOUR + minute * TICKS_PER_MINUTE + second,
                                   out);
}

/* (hour, minute), (hour, minute, second) or (day, hour, minute, second). */
FUNC_KERNEL(make_timespan)
{
    uint32_t hour_at = call->arg_count == 4 ? 1 : 0;
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        int64_t days = hour_at == 1 ? ARG_I64(&args[0], i) : 0, span;
        double seconds = call->arg_count > 2 ? ARG_REAL(&args[hour_at + 2], i) : 0;
        if (timespan_of(days, ARG_I64(&args[hour_at], i), ARG_I64(&args[hour_at + 1], i), seconds,
                        &span))
            OUT_I64(out)[i] = span;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

FUNC_KERNEL(make_days)
{
    for (uint32_t i = 0; i < count; i++)
        if (!timespan_of(ARG_I64(&args[0], i), 0, 0, 0, &OUT_I64(out)[i])) OUT_NULL(out)[i] = 1;
    return RF_OK;
}

/* ---- Unix time ------------------------------------------------------------------------------- */

/* A count of units since 1970; nanoseconds come as 0 ticks, a hundred of them make one. */
static enum rf_kind unix_whole(const struct vec *args, uint32_t count, struct vec *out,
                               int64_t ticks)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t x = ARG_I64(&args[0], i), t;
        bool fits = ticks == 0 ? floor_to(x, 100, &t) : !__builtin_mul_overflow(x, ticks, &t);
        if (ticks == 0) t /= 100;
        if (fits && !__builtin_add_overflow(t, DATETIME_UNIX_EPOCH, &t) && datetime_in_range(t))
            OUT_I64(out)[i] = t;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

static enum rf_kind unix_real(const struct vec *args, uint32_t count, struct vec *out, double ticks)
{
    for (uint32_t i = 0; i < count; i++) {
        double t = ARG_REAL(&args[0], i) * ticks;
        /* The bound keeps llround() within 64 bits; nan fails it too. */
        bool fits = fabs(t) < 9e18;
        int64_t sum = fits ? llround(t) : 0;
        if (fits && !__builtin_add_overflow(sum, DATETIME_UNIX_EPOCH, &sum) &&
            datetime_in_range(sum))
            OUT_I64(out)[i] = sum;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

FUNC_KERNEL(unix_seconds) { return unix_whole(args, count, out, TICKS_PER_SECOND); }
FUNC_KERNEL(unix_milliseconds) { return unix_whole(args, count, out, TICKS_PER_MS); }
FUNC_KERNEL(unix_microseconds) { return unix_whole(args, count, out, TICKS_PER_MICROSECOND); }
FUNC_KERNEL(unix_nanoseconds) { return unix_whole(args, count, out, 0); }
FUNC_KERNEL(unix_seconds_real) { return unix_real(args, count, out, (double)TICKS_PER_SECOND); }
FUNC_KERNEL(unix_milliseconds_real) { return unix_real(args, count, out, (double)TICKS_PER_MS); }
FUNC_KERNEL(unix_microseconds_real)
{
    return unix_real(args, count, out, (double)TICKS_PER_MICROSECOND);
}
FUNC_KERNEL(unix_nanoseconds_real) { return unix_real(args, count, out, 0.01); }

/* ---- around ---------------------------------------------------------------------------------- */

FUNC_KERNEL(around_i64)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t x = ARG_I64(&args[0], i), center = ARG_I64(&args[1], i),
                delta = ARG_I64(&args[2], i), low, high;
        if (__builtin_sub_overflow(center, delta, &low)) low = delta > 0 ? INT64_MIN : INT64_MAX;
        if (__builtin_add_overflow(center, delta, &high)) high = delta > 0 ? INT64_MAX : INT64_MIN;
        OUT_BOOL(out)[i] = x >= low && x <= high;
    }
    return RF_OK;
}

FUNC_KERNEL(around_real)
{
    for (uint32_t i = 0; i < count; i++) {
        double x = ARG_REAL(&args[0], i), center = ARG_REAL(&args[1], i),
               delta = ARG_REAL(&args[2], i);
        OUT_BOOL(out)[i] = x >= center - delta && x <= center + delta;
    }
    return RF_OK;
}

/* ---- the table ------------------------------------------------------------------------------- */

#define SIGS(...)                                                                                  \
    (const struct func_overload[])                                                                 \
    {                                                                                              \
        __VA_ARGS__, { NULL, NULL }                                                                \
    }
#define PART(kernel) SIGS({"(date:datetime) int", kernel})
#define BORDER(kernel) SIGS({"(date:datetime, [offset:long]) datetime", kernel})
#define UNIX(whole, fraction)                                                                      \
    SIGS({"(number:long) datetime", whole}, {"(number:real) datetime", fraction})
#define BIN                                                                                        \
    SIGS({"(value:long, size:long) long", bin_i64}, {"(value:real, size:real) real", bin_real},    \
         {"(value:decimal, size:decimal) decimal", bin_decimal},                                   \
         {"(value:datetime, size:timespan) datetime", bin_i64},                                    \
         {"(value:timespan, size:timespan) timespan", bin_i64})

const struct func func_datetime[] = {
    {.name = "ago",
     .sigs = SIGS({"(span:timespan) datetime", ago}),
     .doc = "now() less the timespan."},
    {.name = "around",
     .sigs = SIGS({"(value:datetime, center:datetime, delta:timespan) bool", around_i64},
                  {"(value:timespan, center:timespan, delta:timespan) bool", around_i64},
                  {"(value:long, center:long, delta:long) bool", around_i64},
                  {"(value:real, center:real, delta:real) bool", around_real}),
     .doc = "True when the value lies at most delta from the center."},
    {.name = "bin",
     .column = "%",
     .sigs = BIN,
     .doc =
         "The multiple of the size at or below the value; null for a size that is not positive."},
    {.name = "floor",
     .column = "%",
     .sigs = BIN,
     .flags = FUNC_HIDDEN,
     .doc = "Other name of bin."},
    {.name = "bin_at",
     .column = "%",
     .sigs = SIGS({"(value:long, size:long, at:long) long", bin_at_i64},
                  {"(value:real, size:real, at:real) real", bin_at_real},
                  {"(value:decimal, size:decimal, at:decimal) decimal", bin_at_decimal},
                  {"(value:datetime, size:timespan, at:datetime) datetime", bin_at_i64},
                  {"(value:timespan, size:timespan, at:timespan) timespan", bin_at_i64}),
     .doc = "The edge at or below the value of steps that go through a given point."},
    {.name = "bin_auto",
     .column = "%",
     .sigs = SIGS({"(value:datetime) datetime", bin_auto}, {"(value:timespan) timespan", bin_auto},
                  {"(value:long) long", bin_auto}, {"(value:real) real", bin_auto}),
     .doc = "bin_at with the settings query_bin_auto_size and query_bin_auto_at; null without a "
            "size."},
    {.name = "datetime_add",
     .sigs = SIGS({"(unit:string, amount:long, date:datetime) datetime", datetime_add}),
     .doc = "The datetime moved by an amount of a named unit; a day that the month lacks becomes "
            "its last."},
    {.name = "datetime_diff",
     .sigs = SIGS({"(unit:string, later:datetime, earlier:datetime) long", datetime_diff}),
     .doc = "How many borders of a named unit lie between, negative when the first is earlier."},
    {.name = "datetime_list_timezones",
     .sigs = SIGS({"() dynamic", zone_list}),
     .doc = "Array of the names of all time zones."},
    {.name = "datetime_local_to_utc",
     .sigs = SIGS({"(date:datetime, zone:string) datetime", zone_local_to_utc}),
     .doc = "A local time of an IANA time zone as UTC; null for an unknown zone."},
    {.name = "datetime_part",
     .sigs = SIGS({"(unit:string, date:datetime) int", datetime_part}),
     .doc =
         "One part of a datetime by its name, from year to nanosecond; null for an unknown name."},
    {.name = "datepart",
     .flags = FUNC_HIDDEN,
     .sigs = SIGS({"(unit:string, date:datetime) int", datetime_part}),
     .doc = "Old name of datetime_part."},
    {.name = "datetime_utc_to_local",
     .sigs = SIGS({"(date:datetime, zone:string) datetime", zone_utc_to_local}),
     .doc = "A UTC time as local time of an IANA time zone; null for an unknown zone."},
    {.name = "dayofmonth", .sigs = PART(day_of_month), .doc = "Day of the month, 1..31."},
    {.name = "dayofweek",
     .sigs = SIGS({"(date:datetime) timespan", day_of_week}),
     .doc = "Whole days since the last Sunday, as timespan."},
    {.name = "dayofyear", .sigs = PART(get_day_of_year), .doc = "Day of the year, 1..366."},
    {.name = "endofday", .sigs = BORDER(end_of_day), .doc = "Last tick of the day, some days on."},
    {.name = "endofmonth",
     .sigs = BORDER(end_of_month),
     .doc = "Last tick of the month, some months on."},
    {.name = "endofweek",
     .sigs = BORDER(end_of_week),
     .doc = "Last tick of Saturday, some weeks on."},
    {.name = "endofyear",
     .sigs = BORDER(end_of_year),
     .doc = "Last tick of the year, some years on."},
    {.name = "format_datetime",
     .column = "%",
     .sigs = SIGS({"(date:datetime, format:string) string", format_datetime}),
     .doc = "The datetime by a pattern of y M d H h m s f F tt."},
    {.name = "format_timespan",
     .column = "%",
     .sigs = SIGS({"(span:timespan, format:string) string", format_timespan}),
     .doc = "The timespan by a pattern of d H h m s f F."},
    {.name = "getmonth",
     .sigs = PART(get_month),
     .flags = FUNC_HIDDEN,
     .doc = "Old name of monthofyear."},
    {.name = "getyear", .sigs = PART(get_year), .doc = "The year."},
    {.name = "hourofday", .sigs = PART(hour_of_day), .doc = "Hour of the day, 0..23."},
    {.name = "make_datetime",
     .sigs = SIGS({"(year:long, [month:long], [day:long], [hour:long], [minute:long], "
                   "[second:real]) datetime",
                   make_datetime}),
     .doc = "The datetime of these parts; null when there is none."},
    {.name = "make_timespan",
     .sigs = SIGS({"(day:long) timespan", make_days},
                  {"(hour:long, minute:long) timespan", make_timespan},
                  {"(hour:long, minute:long, second:real) timespan", make_timespan},
                  {"(day:long, hour:long, minute:long, second:real) timespan", make_timespan}),
     .doc = "The timespan of these parts; null when one is out of its range."},
    {.name = "monthofyear", .sigs = PART(get_month), .doc = "The month, 1..12."},
    {.name = "startofday",
     .column = "%",
     .sigs = BORDER(start_of_day),
     .doc = "Midnight at which the day began, some days on."},
    {.name = "startofmonth",
     .sigs = BORDER(start_of_month),
     .doc = "Start of the month, some months on."},
    {.name = "startofweek",
     .sigs = BORDER(start_of_week),
     .doc = "Start of Sunday, some weeks on."},
    {.name = "startofyear",
     .sigs = BORDER(start_of_year_kernel),
     .doc = "Start of the year, some years on."},
    {.name = "unixtime_microseconds_todatetime",
     .sigs = UNIX(unix_microseconds, unix_microseconds_real),
     .doc = "Datetime of a count of microseconds since 1970."},
    {.name = "unixtime_milliseconds_todatetime",
     .sigs = UNIX(unix_milliseconds, unix_milliseconds_real),
     .doc = "Datetime of a count of milliseconds since 1970."},
    {.name = "unixtime_nanoseconds_todatetime",
     .sigs = UNIX(unix_nanoseconds, unix_nanoseconds_real),
     .doc = "Datetime of a count of nanoseconds since 1970."},
    {.name = "unixtime_seconds_todatetime",
     .sigs = UNIX(unix_seconds, unix_seconds_real),
     .doc = "Datetime of a count of seconds since 1970, fractions kept."},
    {.name = "week_of_year", .sigs = PART(get_iso_week), .doc = "Week of the year by ISO 8601."},
    {.name = "weekofyear",
     .sigs = PART(get_old_week),
     .flags = FUNC_HIDDEN,
     .doc = "Week of the year that has week 1 hold the first Wednesday; week_of_year is the "
            "standard."},
};
const size_t func_datetime_count = RF_COUNT(func_datetime);
