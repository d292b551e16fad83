/* syslog_time.c - the times in front of syslog messages. */
#include "base/encode.h"
#include "collect/syslog.h"

struct cursor {
    rf_str text;
    size_t at;
};

static bool take_byte(struct cursor *c, uint8_t byte)
{
    if (c->at >= c->text.len || c->text.ptr[c->at] != byte) return false;
    c->at++;
    return true;
}

static bool take_number(struct cursor *c, size_t least, size_t most, int64_t *out)
{
    size_t from = c->at;
    int64_t x = 0;
    while (c->at < c->text.len && c->at - from < most && rf_is_digit(c->text.ptr[c->at]))
        x = x * 10 + (c->text.ptr[c->at++] - '0');
    *out = x;
    return c->at - from >= least && (c->at == c->text.len || !rf_is_digit(c->text.ptr[c->at]));
}

/* Digits behind a dot or a comma, in microseconds. */
static int64_t take_fraction(struct cursor *c)
{
    int64_t usec = 0, unit = 100000;
    if (c->at + 1 >= c->text.len || (c->text.ptr[c->at] != '.' && c->text.ptr[c->at] != ',') ||
        !rf_is_digit(c->text.ptr[c->at + 1]))
        return 0;
    for (c->at++; c->at < c->text.len && rf_is_digit(c->text.ptr[c->at]); c->at++, unit /= 10)
        usec += unit * (c->text.ptr[c->at] - '0');
    return usec;
}

static bool take_clock(struct cursor *c, int64_t *usec)
{
    int64_t hour, minute, second;
    if (!take_number(c, 1, 2, &hour) || !take_byte(c, ':') || !take_number(c, 2, 2, &minute) ||
        !take_byte(c, ':') || !take_number(c, 2, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60) return false;
    *usec = ((hour * 60 + minute) * 60 + RF_MIN(second, INT64_C(59))) * RF_USEC_PER_SECOND;
    *usec += take_fraction(c);
    return true;
}

static bool take_month(struct cursor *c, int64_t *month)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    if (c->text.len - c->at < 3) return false;
    for (int64_t m = 0; m < 12; m++) {
        size_t i = 0;
        while (i < 3 && rf_lower(c->text.ptr[c->at + i]) == (uint8_t)names[m * 3 + (int64_t)i]) i++;
        if (i < 3) continue;
        c->at += 3;
        *month = m + 1;
        return true;
    }
    return false;
}

static bool take_blanks(struct cursor *c)
{
    size_t from = c->at;
    while (c->at < c->text.len && c->text.ptr[c->at] == ' ') c->at++;
    return c->at > from;
}

/* A local time as UTC. */
static rf_usec of_zone(const struct zone *zone, rf_usec local)
{
    if (zone == NULL || !zone->valid) return local;
    int64_t second = local / RF_USEC_PER_SECOND - (local % RF_USEC_PER_SECOND < 0 ? 1 : 0);
    return local - zone_offset_local(zone, second) * RF_USEC_PER_SECOND;
}

/* "Z", "+02:00" or "+0200" at the cursor; else it is of the zone that was configured. */
static rf_usec with_offset(struct cursor *c, const struct zone *zone, rf_usec local)
{
    struct cursor mark = *c;
    int64_t hour, minute = 0;
    if (take_byte(c, 'Z') || take_byte(c, 'z')) return local;
    bool behind = c->at < c->text.len && c->text.ptr[c->at] == '-';
    if (!take_byte(c, '+') && !take_byte(c, '-')) return of_zone(zone, local);
    size_t from = c->at;
    if (take_number(c, 4, 4, &hour)) {
        minute = hour % 100;
        hour /= 100;
    } else {
        c->at = from;
        if (!take_number(c, 2, 2, &hour) || (take_byte(c, ':') && !take_number(c, 2, 2, &minute)))
            hour = 99;
    }
    if (hour > 18 || minute > 59) {
        *c = mark;
        return of_zone(zone, local);
    }
    int64_t ahead = (hour * 60 + minute) * 60 * RF_USEC_PER_SECOND;
    return behind ? local + ahead : local - ahead;
}

static bool of_date(int64_t year, int64_t month, int64_t day, int64_t usec, rf_usec *out)
{
    int64_t ticks;
    if (year < 1970 || year > 9998 || !date_to_ticks(year, month, day, &ticks)) return false;
    *out = (ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND + usec;
    return true;
}

static int64_t year_of(rf_usec now)
{
    int year, month, day;
    date_from_ticks(DATETIME_UNIX_EPOCH + now * TICKS_PER_MICROSECOND, &year, &month, &day);
    return year;
}

/* Without a year: the last one that has this day and brings it into the past, or a few days ahead at most. Some clocks are ahead
 * on New Year's Eve, and messages come late. */
static bool of_last_year(int64_t month, int64_t day, int64_t usec,
                         const struct syslog_options *options, rf_usec *out)
{
    enum { YEARS_TO_LEAP_DAY = 8 };
    const rf_usec ahead = 7 * 24 * 3600 * RF_USEC_PER_SECOND;
    int64_t year = year_of(options->now) + 1;
    for (int64_t y = year; y >= year - YEARS_TO_LEAP_DAY; y--) {
        rf_usec local;
        if (!of_date(y, month, day, usec, &local)) continue;
        *out = of_zone(options->zone, local);
        if (*out <= options->now + ahead) return true;
    }
    return false;
}

/* "2003-10-11T22:14:15.003+02:00", "2003-10-11 22:14:15,003" */
static bool iso_time(struct cursor *c, const struct syslog_options *options, rf_usec *out)
{
    int64_t year, month, day, usec;
    rf_usec local;
    if (!take_number(c, 4, 4, &year) || !take_byte(c, '-') || !take_number(c, 2, 2, &month) ||
        !take_byte(c, '-') || !take_number(c, 2, 2, &day))
        return false;
    if (!take_byte(c, 'T') && !take_byte(c, 't') && !take_byte(c, ' ')) return false;
    if (!take_clock(c, &usec) || !of_date(year, month, day, usec, &local)) return false;
    *out = with_offset(c, options->zone, local);
    return true;
}

/* "1380664994.337961231" */
static bool epoch_time(struct cursor *c, rf_usec *out)
{
    int64_t second;
    size_t from = c->at;
    if (!take_number(c, 9, 10, &second)) return false;
    int64_t usec = take_fraction(c);
    if (c->at - from < 11) return false; /* a bare number is something else */
    *out = second * RF_USEC_PER_SECOND + usec;
    return true;
}

/* "Oct 11 22:14:15", "Oct 11 2003 22:14:15", "Oct 11 22:14:15 2003", "2003 Oct 11 22:14:15" */
static bool bsd_time(struct cursor *c, const struct syslog_options *options, rf_usec *out)
{
    int64_t year = 0, month, day, usec;
    rf_usec local;
    size_t from = c->at;
    if (take_number(c, 4, 4, &year) && !take_blanks(c)) return false;
    if (c->at == from || year == 0) {
        c->at = from;
        year = 0;
    }
    if (!take_month(c, &month) || !take_blanks(c) || !take_number(c, 1, 2, &day) || day == 0 ||
        !take_blanks(c))
        return false;
    struct cursor mark = *c;
    if (year == 0 && (!take_number(c, 4, 4, &year) || !take_blanks(c))) {
        *c = mark;
        year = 0;
    }
    if (!take_clock(c, &usec)) return false;
    mark = *c;
    bool behind =
        year == 0 && take_blanks(c) && take_number(c, 4, 4, &year) &&
        (c->at == c->text.len || c->text.ptr[c->at] == ' ' || c->text.ptr[c->at] == ':') &&
        year >= 1990 && year <= 2100;
    if (!behind) {
        if (mark.at != c->at) year = 0;
        *c = mark;
    }
    if (year == 0) return of_last_year(month, day, usec, options, out);
    if (!of_date(year, month, day, usec, &local)) return false;
    *out = with_offset(c, options->zone, local);
    return true;
}

bool syslog_time(rf_str text, size_t *at, const struct syslog_options *options, rf_usec *time)
{
    bool (*const forms[])(struct cursor *, const struct syslog_options *, rf_usec *) = {iso_time,
                                                                                        bsd_time};
    struct cursor c = {text, *at};
    rf_usec found = 0;
    bool fits = epoch_time(&c, &found);
    for (size_t i = 0; i < RF_COUNT(forms) && !fits; i++) {
        c.at = *at;
        fits = forms[i](&c, options, &found);
    }
    if (!fits) return false;
    *time = found;
    *at = c.at;
    return true;
}
