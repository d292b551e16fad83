/* text_time.c - datetime and timespan to text and back, and the calendar.
 *
 * Reading a datetime first tries the one form that machines write, YYYY-MM-DDTHH:MM:SS[.f][Z],
 * eight bytes at a time; only other texts reach the scanner of words and numbers below it. */
#include "value/text_int.h"

/* ---- calendar -------------------------------------------------------------------------------- */

enum { DAYS_PER_400_YEARS = 146097, DAYS_PER_4_YEARS = 1461, DAYS_MARCH_TO_JANUARY = 306 };

/* Years are counted from March on, so that a leap day is the last day of its year. */
void date_from_ticks(int64_t ticks, int *year, int *month, int *day)
{
    uint32_t days = ticks < 0 ? 0 : (uint32_t)((uint64_t)ticks / (uint64_t)TICKS_PER_DAY);
    uint32_t n = 4 * (days + DAYS_MARCH_TO_JANUARY) + 3;
    uint32_t century = n / DAYS_PER_400_YEARS;
    n = 4 * (n % DAYS_PER_400_YEARS / 4) + 3;
    uint32_t day_of_year = n % DAYS_PER_4_YEARS / 4;
    uint32_t m = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(100 * century + n / DAYS_PER_4_YEARS + (m >= 10));
}

static bool is_leap(uint32_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

bool date_to_ticks(int64_t year, int64_t month, int64_t day, int64_t *ticks)
{
    static const uint8_t month_days[13] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return false;
    if (day > month_days[month]) return false;
    if (month == 2 && day == 29 && !is_leap((uint32_t)year)) return false;
    uint32_t y = (uint32_t)year - (month <= 2), m = (uint32_t)(month > 2 ? month - 3 : month + 9);
    uint32_t days = y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + (uint32_t)day - 1;
    *ticks = (int64_t)(days - DAYS_MARCH_TO_JANUARY) * TICKS_PER_DAY;
    return true;
}

/* ---- printing -------------------------------------------------------------------------------- */

void text_put_datetime(struct rf_buf *buf, int64_t ticks)
{
    if (!rf_buf_reserve(buf, 28)) return;
    int year, month, day;
    date_from_ticks(ticks, &year, &month, &day);
    uint64_t rest = ticks < 0 ? 0 : (uint64_t)ticks % (uint64_t)TICKS_PER_DAY;
    uint32_t second = (uint32_t)(rest / (uint64_t)TICKS_PER_SECOND);
    uint8_t *p = buf->ptr + buf->len;
    text_two_digits(p, (uint32_t)year / 100 % 100);
    text_two_digits(p + 2, (uint32_t)year % 100);
    p[4] = '-';
    text_two_digits(p + 5, (uint32_t)month);
    p[7] = '-';
    text_two_digits(p + 8, (uint32_t)day);
    p[10] = 'T';
    text_two_digits(p + 11, second / 3600);
    p[13] = ':';
    text_two_digits(p + 14, second / 60 % 60);
    p[16] = ':';
    text_two_digits(p + 17, second % 60);
    p[19] = '.';
    text_digits(p + 20, rest % (uint64_t)TICKS_PER_SECOND, 7);
    p[27] = 'Z';
    buf->len += 28;
}

void text_put_timespan(struct rf_buf *buf, int64_t ticks)
{
    uint64_t rest = ticks < 0 ? 0 - (uint64_t)ticks : (uint64_t)ticks;
    uint64_t days = rest / (uint64_t)TICKS_PER_DAY;
    rest %= (uint64_t)TICKS_PER_DAY;
    uint32_t second = (uint32_t)(rest / (uint64_t)TICKS_PER_SECOND);
    rest %= (uint64_t)TICKS_PER_SECOND;
    if (ticks < 0) rf_buf_byte(buf, '-');
    if (days > 0) {
        text_put_i64(buf, (int64_t)days);
        rf_buf_byte(buf, '.');
    }
    uint8_t text[16] = "hh:mm:ss.fffffff";
    text_two_digits(text, second / 3600);
    text_two_digits(text + 3, second / 60 % 60);
    text_two_digits(text + 6, second % 60);
    text_digits(text + 9, rest, 7);
    rf_buf_put(buf, text, rest == 0 ? 8 : sizeof text);
}

/* ---- the quick way to read a datetime -------------------------------------------------------- */

#define BYTES(a, b, c, d, e, f, g, h)                                                              \
    ((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 |              \
     (uint64_t)(e) << 32 | (uint64_t)(f) << 40 | (uint64_t)(g) << 48 | (uint64_t)(h) << 56)

/* Loads eight bytes and checks them against a picture in which '0' stands for any digit; gives a
 * byte per digit, 0..9. */
static bool load_picture(const uint8_t *p, uint64_t picture, uint64_t separators, uint64_t *out)
{
    uint64_t x = rf_get_u64le(p) ^ picture;
    *out = x;
    uint64_t over_nine = (x + UINT64_C(0x7676767676767676)) | x;
    return (x & separators) == 0 && (over_nine & UINT64_C(0x8080808080808080)) == 0;
}

static uint32_t two_at(uint64_t x, int byte)
{
    return (uint32_t)(x >> (8 * byte) & 0xff) * 10 + (uint32_t)(x >> (8 * byte + 8) & 0xff);
}

/* Reads digits of a fraction of a second; more than seven are cut. False when there is none. */
static bool read_fraction(rf_str s, size_t *at, int64_t *ticks)
{
    uint32_t fraction = 0;
    size_t from = *at, i = from;
    for (; i < s.len && rf_is_digit(s.ptr[i]); i++)
        if (i - from < 7) fraction = fraction * 10 + (uint32_t)(s.ptr[i] - '0');
    for (size_t n = i - from; n < 7; n++) fraction *= 10;
    *at = i;
    *ticks += fraction;
    return i > from;
}

/* YYYY-MM-DDTHH:MM:SS[.f][Z], T or a blank. False: try the long way. */
static bool quick_datetime(rf_str s, int64_t *out)
{
    if (s.len < 19) return false;
    uint64_t date, day, clock;
    if (!load_picture(s.ptr, BYTES('0', '0', '0', '0', '-', '0', '0', '-'),
                      BYTES(0, 0, 0, 0, 0xff, 0, 0, 0xff), &date))
        return false;
    if (!load_picture(s.ptr + 11, BYTES('0', '0', ':', '0', '0', ':', '0', '0'),
                      BYTES(0, 0, 0xff, 0, 0, 0xff, 0, 0), &clock))
        return false;
    day = (uint64_t)(s.ptr[8] - '0') | (uint64_t)(uint8_t)(s.ptr[9] - '0') << 8;
    if (!rf_is_digit(s.ptr[8]) || !rf_is_digit(s.ptr[9])) return false;
    if (s.ptr[10] != 'T' && s.ptr[10] != ' ') return false;
    uint32_t hour = two_at(clock, 0), minute = two_at(clock, 3), second = two_at(clock, 6);
    int64_t ticks;
    if (hour > 23 || minute > 59 || second > 59) return false;
    if (!date_to_ticks(two_at(date, 0) * 100 + two_at(date, 2), two_at(date, 5), two_at(day, 0),
                       &ticks))
        return false;
    ticks += (int64_t)(hour * 3600 + minute * 60 + second) * TICKS_PER_SECOND;
    size_t at = 19;
    if (at < s.len && s.ptr[at] == '.') {
        at++;
        if (!read_fraction(s, &at, &ticks)) return false;
    }
    if (at < s.len && (s.ptr[at] == 'Z')) at++;
    if (at != s.len) return false;
    *out = ticks;
    return true;
}

/* ---- the long way ---------------------------------------------------------------------------- */

struct scan {
    rf_str s;
    size_t at;
};

static uint8_t peek(const struct scan *scan)
{
    return scan->at < scan->s.len ? scan->s.ptr[scan->at] : 0;
}

static bool take(struct scan *scan, uint8_t c)
{
    if (peek(scan) != c) return false;
    scan->at++;
    return true;
}

static bool skip_blanks(struct scan *scan)
{
    size_t from = scan->at;
    while (scan->at < scan->s.len && rf_is_space(scan->s.ptr[scan->at])) scan->at++;
    return scan->at > from;
}

/* A run of digits, its value (cut off above 10^8) and their count; 0 digits when there is none. */
static size_t take_number(struct scan *scan, uint32_t *out)
{
    uint32_t x = 0;
    size_t from = scan->at;
    for (; scan->at < scan->s.len && rf_is_digit(scan->s.ptr[scan->at]); scan->at++)
        if (x < 100000000) x = x * 10 + (uint32_t)(scan->s.ptr[scan->at] - '0');
    *out = x;
    return scan->at - from;
}

static rf_str take_word(struct scan *scan)
{
    size_t from = scan->at;
    while (scan->at < scan->s.len && rf_is_alpha(scan->s.ptr[scan->at])) scan->at++;
    return rf_slice(scan->s, from, scan->at);
}

/* Index of the name that `word` is: in full or its first three letters. SIZE_MAX when none. */
static size_t name_index(rf_str word, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count && word.len >= 3; i++) {
        rf_str name = rf_str_of(names[i]);
        if (rf_str_eq_nocase(word, name)) return i;
        if (word.len == 3 && rf_str_eq_nocase(word, rf_slice(name, 0, 3))) return i;
    }
    return SIZE_MAX;
}

static bool take_month(struct scan *scan, uint32_t *month)
{
    static const char *const names[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
    size_t index = name_index(take_word(scan), names, RF_COUNT(names));
    *month = (uint32_t)index + 1;
    return index != SIZE_MAX;
}

static void skip_weekday(struct scan *scan)
{
    static const char *const names[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday"};
    size_t from = scan->at;
    if (name_index(take_word(scan), names, RF_COUNT(names)) == SIZE_MAX) {
        scan->at = from;
        return;
    }
    (void)take(scan, ',');
    skip_blanks(scan);
}

struct date {
    uint32_t year, month, day;
};

/* Two digits mean 1930..2029. */
static bool take_year(struct scan *scan, uint32_t *year)
{
    size_t digits = take_number(scan, year);
    if (digits == 2) *year += *year < 30 ? 2000 : 1900;
    return digits == 2 || digits == 4;
}

/* What follows a four-digit year: -MM[-DD], the same with slashes or, as in datetime(2025, 6, 14),
 * with commas; or nothing. */
static bool take_after_year(struct scan *scan, struct date *date)
{
    date->month = date->day = 1;
    uint8_t separator = peek(scan);
    if (separator != '-' && separator != '/' && separator != ',') return true;
    scan->at++;
    if (separator == ',') skip_blanks(scan);
    size_t digits = take_number(scan, &date->month);
    if (digits < 1 || digits > 2) return false;
    if (!take(scan, separator)) return true;
    if (separator == ',') skip_blanks(scan);
    digits = take_number(scan, &date->day);
    return digits == 1 || digits == 2;
}

/* What follows one or two digits: "/8/2014" (they were the month), " Nov 2014", "-Nov-14". */
static bool take_after_day(struct scan *scan, uint32_t first, struct date *date)
{
    uint8_t separator = peek(scan);
    if (separator == '-' || separator == '/')
        scan->at++;
    else if (!skip_blanks(scan))
        return false;
    if (rf_is_alpha(peek(scan))) {
        date->day = first;
        if (!take_month(scan, &date->month)) return false;
    } else {
        date->month = first;
        size_t digits = take_number(scan, &date->day);
        if (digits < 1 || digits > 2) return false;
    }
    if (separator == '-' || separator == '/') {
        if (!take(scan, separator)) return false;
    } else if (!skip_blanks(scan)) {
        return false;
    }
    return take_year(scan, &date->year);
}

/* "Nov 8, 2014" or, as ctime() has it, "Nov  8 15:05:02 2014": then year stays 0 for the end. */
static bool take_month_first(struct scan *scan, struct date *date)
{
    if (!take_month(scan, &date->month)) return false;
    skip_blanks(scan);
    size_t digits = take_number(scan, &date->day);
    if (digits < 1 || digits > 2) return false;
    (void)take(scan, ',');
    if (!skip_blanks(scan)) return false;
    size_t before = scan->at;
    if (take_number(scan, &date->year) == 4) return true;
    scan->at = before;
    date->year = 0;
    return true;
}

static bool take_date(struct scan *scan, struct date *date)
{
    skip_weekday(scan);
    if (rf_is_alpha(peek(scan))) return take_month_first(scan, date);
    uint32_t first;
    switch (take_number(scan, &first)) {
    case 1:
    case 2:
        return take_after_day(scan, first, date);
    case 4:
        date->year = first;
        return take_after_year(scan, date);
    case 8:
        *date = (struct date){first / 10000, first / 100 % 100, first % 100};
        return true;
    default:
        return false;
    }
}

/* "AM" or "PM" after a 12-hour time. */
static bool take_half(struct scan *scan, uint32_t *hour)
{
    size_t before = scan->at;
    skip_blanks(scan);
    rf_str word = take_word(scan);
    bool pm = rf_str_eq_nocase(word, RF_S("pm"));
    if (!pm && !rf_str_eq_nocase(word, RF_S("am"))) {
        scan->at = before;
        return true;
    }
    if (*hour < 1 || *hour > 12) return false;
    *hour = *hour % 12 + (pm ? 12 : 0);
    return true;
}

/* HH:MM[:SS[.f]] [AM|PM] */
static bool take_clock(struct scan *scan, int64_t *ticks)
{
    uint32_t hour, minute, second = 0;
    size_t digits = take_number(scan, &hour);
    if (digits < 1 || digits > 2 || !take(scan, ':')) return false;
    if (take_number(scan, &minute) != 2) return false;
    if (take(scan, ':')) {
        if (take_number(scan, &second) != 2) return false;
        if (take(scan, '.') && !read_fraction(scan->s, &scan->at, ticks)) return false;
    }
    if (!take_half(scan, &hour)) return false;
    if (hour > 23 || minute > 59 || second > 59) return false;
    *ticks += (int64_t)(hour * 3600 + minute * 60 + second) * TICKS_PER_SECOND;
    return true;
}

/* +HH, +HHMM or +HH:MM: the minutes that local time is ahead. */
static bool take_offset(struct scan *scan, int64_t *minutes)
{
    bool negative = peek(scan) == '-';
    scan->at++;
    uint32_t hour, minute = 0;
    size_t digits = take_number(scan, &hour);
    if (digits == 4) {
        minute = hour % 100;
        hour /= 100;
    } else if (digits < 1 || digits > 2) {
        return false;
    } else if (take(scan, ':') && take_number(scan, &minute) != 2) {
        return false;
    }
    if (hour > 14 || minute > 59) return false;
    *minutes = (int64_t)(hour * 60 + minute) * (negative ? -1 : 1);
    return true;
}

/* Z, a name that RFC 822 knows, or an offset; none is UTC. */
static bool take_zone(struct scan *scan, int64_t *minutes)
{
    static const struct {
        const char *name;
        int hours;
    } zones[] = {{"Z", 0},    {"GMT", 0},  {"UTC", 0},  {"UT", 0},   {"EST", -5}, {"EDT", -4},
                 {"CST", -6}, {"CDT", -5}, {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}};
    *minutes = 0;
    if (peek(scan) == '+' || peek(scan) == '-') return take_offset(scan, minutes);
    rf_str word = take_word(scan);
    if (word.len == 0) return true;
    for (size_t i = 0; i < RF_COUNT(zones); i++) {
        if (!rf_str_eq_nocase(word, rf_str_of(zones[i].name))) continue;
        *minutes = zones[i].hours * 60;
        return true;
    }
    return false;
}

/* The clock and the zone after the date; `clock` is set to ticks to add. */
static bool take_time_of_day(struct scan *scan, struct date *date, int64_t *clock)
{
    bool needs_clock = peek(scan) == 'T' || peek(scan) == 't';
    if (needs_clock) {
        scan->at++;
    } else {
        (void)take(scan, ',');
        skip_blanks(scan);
    }
    if ((needs_clock || rf_is_digit(peek(scan))) && !take_clock(scan, clock)) return false;
    skip_blanks(scan);
    int64_t minutes;
    if (!take_zone(scan, &minutes)) return false;
    *clock -= minutes * TICKS_PER_MINUTE;
    skip_blanks(scan);
    if (date->year == 0 && take_number(scan, &date->year) != 4) return false;
    return true;
}

bool text_to_datetime(rf_str s, int64_t *ticks)
{
    if (quick_datetime(s, ticks)) return true;
    struct scan scan = {.s = rf_str_trim(s)};
    if (quick_datetime(scan.s, ticks)) return true;
    struct date date = {0};
    int64_t clock = 0, day;
    if (scan.s.len == 0 || !take_date(&scan, &date)) return false;
    if (scan.at < scan.s.len && !take_time_of_day(&scan, &date, &clock)) return false;
    if (scan.at != scan.s.len || !date_to_ticks(date.year, date.month, date.day, &day))
        return false;
    day += clock;
    if (day < 0 || day > DATETIME_MAX) return false;
    *ticks = day;
    return true;
}

/* ---- timespan -------------------------------------------------------------------------------- */

/* Ticks of one unit by its name, 0 when there is no such unit. Nanoseconds come as -1: a hundred of
 * them make a tick. */
static int64_t unit_ticks(rf_str name)
{
    static const struct {
        const char *names; /* each between blanks */
        int64_t ticks;
    } units[] = {
        {" d day days ", TICKS_PER_DAY},
        {" h hr hrs hour hours ", TICKS_PER_HOUR},
        {" m min mins minute minutes ", TICKS_PER_MINUTE},
        {" s sec secs second seconds ", TICKS_PER_SECOND},
        {" ms milli millis millisec millisecond milliseconds ", TICKS_PER_MS},
        {" us micro micros microsec microsecond microseconds ", TICKS_PER_MICROSECOND},
        {" tick ticks ", 1},
        {" nano nanos nanosec nanosecond nanoseconds ", -1},
    };
    uint8_t padded[16] = {' '};
    if (name.len == 0 || name.len > sizeof padded - 2) return 0;
    for (size_t i = 0; i < name.len; i++) padded[1 + i] = rf_lower(name.ptr[i]);
    padded[1 + name.len] = ' ';
    for (size_t i = 0; i < RF_COUNT(units); i++)
        if (rf_str_find(rf_str_of(units[i].names), rf_str_make(padded, name.len + 2), 0) !=
            SIZE_MAX)
            return units[i].ticks;
    return 0;
}

/* "1.5h", "10 ms", "2": a number, then a unit; days without one. */
static bool number_and_unit(rf_str s, bool negative, int64_t *ticks)
{
    struct scan scan = {.s = s};
    uint64_t digits = 0, scale = 1;
    size_t seen = 0;
    bool after_point = false;
    for (;; scan.at++) {
        uint8_t c = peek(&scan);
        if (c == '.' && !after_point) {
            after_point = true;
            continue;
        }
        if (!rf_is_digit(c)) break;
        seen++;
        /* Digits of a fraction beyond its 18th place, or beyond what 19 can hold, are cut; whole ones must fit. */
        if (digits >= UINT64_C(1000000000000000000) || scale >= UINT64_C(1000000000000000000)) {
            if (!after_point) return false;
            continue;
        }
        digits = digits * 10 + (uint64_t)(c - '0');
        if (after_point) scale *= 10;
    }
    if (seen == 0) return false;
    skip_blanks(&scan);
    rf_str word = take_word(&scan);
    if (scan.at != s.len) return false;
    int64_t unit = word.len == 0 ? TICKS_PER_DAY : unit_ticks(word);
    if (unit == 0) return false;
    text_u128 total = unit > 0 ? (text_u128)digits * (uint64_t)unit : (text_u128)digits / 100;
    total /= scale;
    if (total > INT64_MAX) return false;
    *ticks = negative ? -(int64_t)total : (int64_t)total;
    return true;
}

/* [d.]hh:mm[:ss[.fffffff]] */
static bool days_and_clock(rf_str s, bool negative, int64_t *ticks)
{
    struct scan scan = {.s = s};
    uint32_t days = 0, hour, minute, second = 0;
    int64_t fraction = 0;
    if (take_number(&scan, &hour) == 0) return false;
    if (take(&scan, '.')) {
        days = hour;
        if (take_number(&scan, &hour) == 0) return false;
    }
    if (!take(&scan, ':') || take_number(&scan, &minute) == 0) return false;
    if (take(&scan, ':')) {
        if (take_number(&scan, &second) == 0) return false;
        if (take(&scan, '.') && !read_fraction(s, &scan.at, &fraction)) return false;
    }
    if (scan.at != s.len) return false;
    /* 10675199 days and some hours are all that 64 bits hold. */
    if (days > 10675199 || hour > 23 || minute > 59 || second > 59) return false;
    uint64_t total = (uint64_t)days * (uint64_t)TICKS_PER_DAY + (uint64_t)fraction +
                     (uint64_t)(hour * 3600 + minute * 60 + second) * (uint64_t)TICKS_PER_SECOND;
    if (total > (uint64_t)INT64_MAX + negative) return false;
    *ticks = (int64_t)(negative ? 0 - total : total);
    return true;
}

bool text_to_timespan(rf_str s, int64_t *ticks)
{
    s = rf_str_trim(s);
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+')) s = rf_slice(s, 1, s.len);
    if (s.len == 0) return false;
    if (memchr(s.ptr, ':', s.len) != NULL) return days_and_clock(s, negative, ticks);
    return number_and_unit(s, negative, ticks);
}
