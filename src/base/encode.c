#include "base/encode.h"

#include <sys/random.h>
#include <time.h>

/* ---- base64, hex ------------------------------------------------------------------------------------------- */

static const char standard_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static rf_str encode64(struct rf_arena *arena, rf_str bytes, const char *alphabet, bool pad)
{
    size_t room;
    if (!rf_add_size(bytes.len / 3 * 4, 5, &room)) return (rf_str){0};
    uint8_t *out = rf_arena_alloc(arena, room);
    if (out == NULL) return (rf_str){0};
    size_t tail = bytes.len % 3, whole = bytes.len - tail, len = 0;
    for (size_t i = 0; i < whole; i += 3) {
        uint32_t word = (uint32_t)bytes.ptr[i] << 16 | (uint32_t)bytes.ptr[i + 1] << 8 |
                        (uint32_t)bytes.ptr[i + 2];
        out[len++] = (uint8_t)alphabet[word >> 18];
        out[len++] = (uint8_t)alphabet[word >> 12 & 63];
        out[len++] = (uint8_t)alphabet[word >> 6 & 63];
        out[len++] = (uint8_t)alphabet[word & 63];
    }
    if (tail > 0) {
        uint32_t word = (uint32_t)bytes.ptr[whole] << 16;
        if (tail > 1) word |= (uint32_t)bytes.ptr[whole + 1] << 8;
        for (size_t k = 0; k <= tail; k++)
            out[len++] = (uint8_t)alphabet[word >> (18 - 6 * k) & 63];
        for (size_t k = tail; pad && k < 3; k++) out[len++] = '=';
    }
    return (rf_str){out, len};
}

rf_str base64_encode(struct rf_arena *arena, rf_str bytes)
{
    return encode64(arena, bytes, standard_alphabet, true);
}

rf_str base64url_encode(struct rf_arena *arena, rf_str bytes)
{
    return encode64(arena, bytes, url_alphabet, false);
}

/* The digit of each character with DIGIT64 set, 0 for a foreign one. */
enum { DIGIT64 = 64 };
#define DIGITS_64                                                                                  \
    ['A'] = 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84,    \
    85, 86, 87, 88, 89, ['a'] = 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104,   \
    105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, ['0'] = 116, 117, 118, 119, 120, 121,   \
    122, 123, 124, 125
static const uint8_t standard_digits[256] = {DIGITS_64, ['+'] = 126, ['/'] = 127};
static const uint8_t url_digits[256] = {DIGITS_64, ['-'] = 126, ['_'] = 127};

static enum rf_kind bad_digit(rf_str text, const uint8_t *digits, size_t from, struct rf_err *err)
{
    while (digits[text.ptr[from]] != 0) from++;
    return RF_FAIL(err, RF_INVALID, "BadBase64", "byte %zu is not of the alphabet", from);
}

/* The last 2 or 3 characters, behind whole groups of 4. */
static enum rf_kind decode_tail(rf_str text, const uint8_t *digits, size_t at, uint8_t *bytes,
                                size_t *len, struct rf_err *err)
{
    bool long_tail = text.len - at > 2;
    uint32_t a = digits[text.ptr[at]], b = digits[text.ptr[at + 1]],
             c = long_tail ? digits[text.ptr[at + 2]] : DIGIT64;
    if ((a & b & c & DIGIT64) == 0) return bad_digit(text, digits, at, err);
    uint32_t word = (a & 63) << 12 | (b & 63) << 6 | (c & 63);
    if ((word & (long_tail ? 3u : 0x3ffu)) != 0)
        return RF_FAIL(err, RF_INVALID, "BadBase64", "the unused bits at the end are not zero");
    bytes[(*len)++] = (uint8_t)(word >> 10);
    if (long_tail) bytes[(*len)++] = (uint8_t)(word >> 2);
    return RF_OK;
}

static enum rf_kind decode64(struct rf_arena *arena, rf_str text, bool url, rf_str *out,
                             struct rf_err *err)
{
    const uint8_t *digits = url ? url_digits : standard_digits;
    if (!url) {
        if (text.len % 4 != 0)
            return RF_FAIL(err, RF_INVALID, "BadBase64", "the length %zu is no multiple of 4",
                           text.len);
        for (int i = 0; i < 2 && text.len > 0 && text.ptr[text.len - 1] == '='; i++) text.len--;
    }
    size_t tail = text.len % 4, whole = text.len - tail, len = 0;
    if (tail == 1)
        return RF_FAIL(err, RF_INVALID, "BadBase64", "a character stands alone at the end");
    uint8_t *bytes = rf_arena_alloc(arena, text.len / 4 * 3 + 3);
    if (bytes == NULL) return rf_fail_memory(err, arena);
    for (size_t i = 0; i < whole; i += 4) {
        uint32_t a = digits[text.ptr[i]], b = digits[text.ptr[i + 1]], c = digits[text.ptr[i + 2]],
                 d = digits[text.ptr[i + 3]];
        if (RF_UNLIKELY((a & b & c & d & DIGIT64) == 0)) return bad_digit(text, digits, i, err);
        uint32_t word = (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
        bytes[len++] = (uint8_t)(word >> 16);
        bytes[len++] = (uint8_t)(word >> 8);
        bytes[len++] = (uint8_t)word;
    }
    if (tail > 0) RF_TRY(decode_tail(text, digits, whole, bytes, &len, err));
    *out = (rf_str){bytes, len};
    return RF_OK;
}

enum rf_kind base64_decode(struct rf_arena *arena, rf_str text, rf_str *out, struct rf_err *err)
{
    return decode64(arena, text, false, out, err);
}

enum rf_kind base64url_decode(struct rf_arena *arena, rf_str text, rf_str *out, struct rf_err *err)
{
    return decode64(arena, text, true, out, err);
}

rf_str hex_encode(struct rf_arena *arena, rf_str bytes)
{
    uint8_t *out = rf_arena_array_raw(arena, bytes.len, 2);
    if (out == NULL) return (rf_str){0};
    for (size_t i = 0; i < bytes.len; i++) {
        out[2 * i] = (uint8_t) "0123456789abcdef"[bytes.ptr[i] >> 4];
        out[2 * i + 1] = (uint8_t) "0123456789abcdef"[bytes.ptr[i] & 15];
    }
    return (rf_str){out, bytes.len * 2};
}

/* 0..15, or 16 for anything else. */
static uint8_t hex_digit(uint8_t c)
{
    if (rf_is_digit(c)) return (uint8_t)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (uint8_t)(c - 'a' + 10) : 16;
}

enum rf_kind hex_decode(struct rf_arena *arena, rf_str text, rf_str *out, struct rf_err *err)
{
    if (text.len % 2 != 0)
        return RF_FAIL(err, RF_INVALID, "BadHex", "the number of digits, %zu, is odd", text.len);
    uint8_t *bytes = rf_arena_alloc(arena, text.len / 2);
    if (bytes == NULL) return rf_fail_memory(err, arena);
    for (size_t i = 0; i < text.len; i += 2) {
        uint8_t high = hex_digit(text.ptr[i]), low = hex_digit(text.ptr[i + 1]);
        if (high > 15 || low > 15)
            return RF_FAIL(err, RF_INVALID, "BadHex", "byte %zu or the next is no hex digit", i);
        bytes[i / 2] = (uint8_t)(high << 4 | low);
    }
    *out = (rf_str){bytes, text.len / 2};
    return RF_OK;
}

/* ---- percent ------------------------------------------------------------------------------------------------- */

enum rf_kind percent_decode(struct rf_arena *arena, rf_str text, bool form, rf_str *out,
                            struct rf_err *err)
{
    if (memchr(text.len > 0 ? (const void *)text.ptr : "", '%', text.len) == NULL &&
        (!form || memchr(text.len > 0 ? (const void *)text.ptr : "", '+', text.len) == NULL)) {
        if (!rf_utf8_valid(text))
            return RF_FAIL(err, RF_INVALID, "BadPercentEncoding", "the text is no UTF-8");
        *out = text;
        return RF_OK;
    }
    uint8_t *bytes = rf_arena_alloc(arena, text.len);
    if (bytes == NULL) return rf_fail_memory(err, arena);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '%') {
            uint8_t high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : 16;
            uint8_t low = i + 2 < text.len ? hex_digit(text.ptr[i + 2]) : 16;
            if (high > 15 || low > 15 || (high | low) == 0)
                return RF_FAIL(err, RF_INVALID, "BadPercentEncoding",
                               "byte %zu: a %% must come with two hex digits, not 00", i);
            c = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (form && c == '+') {
            c = ' ';
        }
        bytes[len++] = c;
    }
    if (!rf_utf8_valid(rf_str_make(bytes, len)))
        return RF_FAIL(err, RF_INVALID, "BadPercentEncoding", "the text is no UTF-8");
    *out = (rf_str){bytes, len};
    return RF_OK;
}

rf_str percent_encode(struct rf_arena *arena, rf_str text)
{
    uint8_t *out = rf_arena_array_raw(arena, text.len, 3);
    if (out == NULL) return (rf_str){0};
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (rf_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
            out[len++] = c;
            continue;
        }
        out[len++] = '%';
        out[len++] = (uint8_t) "0123456789ABCDEF"[c >> 4];
        out[len++] = (uint8_t) "0123456789ABCDEF"[c & 15];
    }
    return (rf_str){out, len};
}

/* ---- GUIDs ----------------------------------------------------------------------------------------------------- */

rf_str guid_random(struct rf_arena *arena)
{
    uint8_t bytes[16];
    RF_ASSERT(getrandom(bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    uint8_t *out = rf_arena_alloc(arena, GUID_TEXT_BYTES);
    if (out == NULL) return (rf_str){0};
    size_t len = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out[len++] = '-';
        out[len++] = (uint8_t) "0123456789abcdef"[bytes[i] >> 4];
        out[len++] = (uint8_t) "0123456789abcdef"[bytes[i] & 15];
    }
    return (rf_str){out, len};
}

bool guid_is(rf_str text)
{
    if (text.len != GUID_TEXT_BYTES) return false;
    for (size_t i = 0; i < text.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text.ptr[i] != '-' : hex_digit(text.ptr[i]) > 15) return false;
    }
    return true;
}

/* ---- times -------------------------------------------------------------------------------------------------------- */

/* Seconds and microseconds of a point in time; the latter never negative. */
static time_t seconds_of(rf_usec time, int64_t *micros)
{
    int64_t seconds = time / RF_USEC_PER_SECOND;
    *micros = time % RF_USEC_PER_SECOND;
    if (*micros < 0) {
        *micros += RF_USEC_PER_SECOND;
        seconds--;
    }
    return (time_t)seconds;
}

rf_str time_iso(struct rf_arena *arena, rf_usec time)
{
    int64_t micros;
    time_t seconds = seconds_of(time, &micros);
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL) return (rf_str){0};
    return rf_arena_printf(arena, "%04d-%02d-%02dT%02d:%02d:%02d.%06d0Z", tm.tm_year + 1900,
                           tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                           (int)micros);
}

rf_str time_http(struct rf_arena *arena, rf_usec time)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t micros;
    time_t seconds = seconds_of(time, &micros);
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL) return (rf_str){0};
    return rf_arena_printf(
        arena, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + (size_t)3 * tm.tm_wday, tm.tm_mday,
        months + (size_t)3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* A number of exactly `digits` digits at *at. */
static bool take_digits(rf_str text, size_t *at, unsigned digits, int *out)
{
    int value = 0;
    for (unsigned i = 0; i < digits; i++, (*at)++) {
        if (*at >= text.len || !rf_is_digit(text.ptr[*at])) return false;
        value = value * 10 + (text.ptr[*at] - '0');
    }
    *out = value;
    return true;
}

static bool take(rf_str text, size_t *at, char c)
{
    if (*at >= text.len || rf_upper(text.ptr[*at]) != (uint8_t)c) return false;
    (*at)++;
    return true;
}

/* The fraction of a second behind a point, in microseconds; further digits count for nothing. False without a digit. */
static bool take_fraction(rf_str text, size_t *at, int64_t *micros)
{
    int64_t unit = RF_USEC_PER_SECOND / 10;
    size_t from = *at;
    for (*micros = 0; *at < text.len && rf_is_digit(text.ptr[*at]); (*at)++, unit /= 10)
        *micros += unit * (text.ptr[*at] - '0');
    return *at > from;
}

static bool take_zone(rf_str text, size_t *at, int64_t *offset_seconds)
{
    int hours, minutes;
    *offset_seconds = 0;
    if (take(text, at, 'Z')) return true;
    bool minus = take(text, at, '-');
    if (!minus && !take(text, at, '+')) return false;
    if (!take_digits(text, at, 2, &hours)) return false;
    (void)take(text, at, ':');
    if (!take_digits(text, at, 2, &minutes) || hours > 23 || minutes > 59) return false;
    *offset_seconds = (minus ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

bool time_parse_iso(rf_str text, rf_usec *out)
{
    struct tm tm = {0};
    int64_t micros = 0, offset;
    size_t at = 0;
    if (!take_digits(text, &at, 4, &tm.tm_year) || !take(text, &at, '-') ||
        !take_digits(text, &at, 2, &tm.tm_mon) || !take(text, &at, '-') ||
        !take_digits(text, &at, 2, &tm.tm_mday))
        return false;
    if (!take(text, &at, 'T') && !take(text, &at, ' ')) return false;
    if (!take_digits(text, &at, 2, &tm.tm_hour) || !take(text, &at, ':') ||
        !take_digits(text, &at, 2, &tm.tm_min))
        return false;
    if (take(text, &at, ':') && !take_digits(text, &at, 2, &tm.tm_sec)) return false;
    if (take(text, &at, '.') && !take_fraction(text, &at, &micros)) return false;
    if (!take_zone(text, &at, &offset) || at != text.len) return false;
    if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 59)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int day = tm.tm_mday;
    time_t seconds = timegm(&tm); /* moves a day that the month does not have into the next one */
    if (tm.tm_mday != day) return false;
    *out = ((int64_t)seconds - offset) * RF_USEC_PER_SECOND + micros;
    return true;
}

/* One "12.5H" of a duration. */
static bool take_part(rf_str text, size_t *at, bool time, int64_t *usec)
{
    int64_t whole = 0, fraction = 0, unit;
    size_t from = *at;
    for (; *at < text.len && rf_is_digit(text.ptr[*at]); (*at)++)
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, text.ptr[*at] - '0', &whole))
            return false;
    if (*at == from) return false;
    if ((take(text, at, '.') || take(text, at, ',')) && !take_fraction(text, at, &fraction))
        return false;
    if (time && take(text, at, 'H'))
        unit = 3600;
    else if (time && take(text, at, 'M'))
        unit = 60;
    else if (time && take(text, at, 'S'))
        unit = 1;
    else if (!time && take(text, at, 'Y'))
        unit = 365 * 86400;
    else if (!time && take(text, at, 'M'))
        unit = 30 * 86400;
    else if (!time && take(text, at, 'W'))
        unit = 7 * 86400;
    else if (!time && take(text, at, 'D'))
        unit = 86400;
    else
        return false;
    return !__builtin_mul_overflow(whole, unit * RF_USEC_PER_SECOND, &whole) &&
           !__builtin_add_overflow(whole, fraction * unit, usec);
}

bool duration_parse_iso(rf_str text, rf_usec *out)
{
    size_t at = 0;
    int64_t total = 0, part;
    bool minus = take(text, &at, '-'), time = false, any = false;
    if (!take(text, &at, 'P')) return false;
    while (at < text.len) {
        if (!time && take(text, &at, 'T')) {
            time = true;
            any = false; /* "PT" alone says nothing */
            continue;
        }
        if (!take_part(text, &at, time, &part) || __builtin_add_overflow(total, part, &total))
            return false;
        any = true;
    }
    if (!any) return false;
    *out = minus ? -total : total;
    return true;
}
