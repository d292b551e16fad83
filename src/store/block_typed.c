/* Texts whose form is fixed, kept in binary: parsed only when printing gives the same bytes again. */
#include "store/block_int.h"

#include "value/text.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { GUID_TEXT_BYTES = 36, TIME_TEXT_BYTES = 20, HEX_INT_DIGITS = 15, TIME_DECIMALS_MAX = 7 };

/* Value of a hex digit in either case, 0x10 set for a letter; 0xff for any other byte. */
static uint8_t hex_value(uint8_t c)
{
    if (rf_is_digit(c)) return (uint8_t)(c - '0');
    uint8_t low = c | 0x20;
    return low >= 'a' && low <= 'f' ? (uint8_t)(low - 'a' + 10) : 0xff;
}

/* A digit's value, 0xff for what is none: of lower case, of upper case. */
#define DIGIT(c, a)                                                                                \
    ((c) >= '0' && (c) <= '9' ? (c) - '0' : (c) >= (a) && (c) <= (a) + 5 ? (c) - (a) + 10 : 0xff)
#define DIGITS4(c, a) DIGIT(c, a), DIGIT((c) + 1, a), DIGIT((c) + 2, a), DIGIT((c) + 3, a)
#define DIGITS16(c, a) DIGITS4(c, a), DIGITS4((c) + 4, a), DIGITS4((c) + 8, a), DIGITS4((c) + 12, a)
#define DIGITS64(c, a)                                                                             \
    DIGITS16(c, a), DIGITS16((c) + 16, a), DIGITS16((c) + 32, a), DIGITS16((c) + 48, a)
static const uint8_t digit_values[2][256] = {
    {DIGITS64(0, 'a'), DIGITS64(64, 'a'), DIGITS64(128, 'a'), DIGITS64(192, 'a')},
    {DIGITS64(0, 'A'), DIGITS64(64, 'A'), DIGITS64(128, 'A'), DIGITS64(192, 'A')}};

static inline uint8_t hex_digit(uint8_t c, bool upper) { return digit_values[upper][c]; }

static char const *digits_of(bool upper) { return upper ? "0123456789ABCDEF" : "0123456789abcdef"; }

/* The eight digits of four bytes, all at once: each half byte gets a byte of its own. */
static void print_hex8(const uint8_t *cell, bool upper, uint8_t *out)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x = rf_get_u32le(cell);
    x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
    x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
    uint64_t digits = (x >> 4 & ones * 0x0f) | (x << 8 & UINT64_C(0x0f000f000f000f00));
    digits &= ones * 0x0f;
    uint64_t letters = (digits + ones * 6) >> 4 & ones;
    rf_put_u64le(out, digits + ones * '0' + letters * (upper ? 'A' - '0' - 10 : 'a' - '0' - 10));
}

size_t block_text_cell_bytes(const struct block_text_form *form)
{
    return form->kind == BLOCK_TEXT_GUID  ? 16
           : form->kind == BLOCK_TEXT_HEX ? ((size_t)form->digits + 1) / 2
                                          : 0;
}

bool block_text_form_valid(const struct block_text_form *form)
{
    if (form->upper > 1) return false;
    switch (form->kind) {
    case BLOCK_TEXT_PLAIN:
        return form->digits == 0;
    case BLOCK_TEXT_HEX:
        return form->digits > 0 && form->digits <= BLOCK_TEXT_DIGITS_MAX;
    case BLOCK_TEXT_HEX_INT:
        return form->digits > 0 && form->digits <= HEX_INT_DIGITS;
    case BLOCK_TEXT_NUMBER:
        return form->digits <= BLOCK_TEXT_NUMBER_DIGITS;
    case BLOCK_TEXT_TIME:
        return form->digits <= TIME_DECIMALS_MAX;
    default:
        return form->kind < BLOCK_TEXT_KINDS;
    }
}

/* ---- hex digits by the sixteen -------------------------------------------------------------------------- */

#if defined(__x86_64__)
/* 16 digits to 8 bytes; false when one is no hex digit of that case. */
static bool hex16_parse(const uint8_t *p, bool upper, uint8_t *out)
{
    __m128i c = _mm_loadu_si128((const __m128i *)(const void *)p);
    char a = upper ? 'A' : 'a';
    /* Moved so that the wanted range begins at -128, where one signed comparison tells. */
    __m128i digit = _mm_add_epi8(c, _mm_set1_epi8((char)(128 - '0')));
    __m128i letter = _mm_add_epi8(c, _mm_set1_epi8((char)(128 - a)));
    __m128i is_digit = _mm_cmplt_epi8(digit, _mm_set1_epi8((char)(10 - 128)));
    __m128i is_letter = _mm_cmplt_epi8(letter, _mm_set1_epi8((char)(6 - 128)));
    __m128i value =
        _mm_sub_epi8(c, _mm_or_si128(_mm_and_si128(is_digit, _mm_set1_epi8('0')),
                                     _mm_andnot_si128(is_digit, _mm_set1_epi8((char)(a - 10)))));
    /* Of each pair the first, which lies lower in memory, is the upper half of the byte. */
    __m128i pair = _mm_or_si128(_mm_slli_epi16(value, 4), _mm_srli_epi16(value, 8));
    pair = _mm_packus_epi16(_mm_and_si128(pair, _mm_set1_epi16(0xff)), _mm_setzero_si128());
    _mm_storel_epi64((__m128i *)(void *)out, pair);
    return _mm_movemask_epi8(_mm_or_si128(is_digit, is_letter)) == 0xffff;
}
#else
static bool hex16_parse(const uint8_t *p, bool upper, uint8_t *out)
{
    uint8_t bad = 0;
    for (unsigned i = 0; i < 8; i++) {
        uint8_t high = hex_digit(p[2 * i], upper), low = hex_digit(p[2 * i + 1], upper);
        bad |= high | low;
        out[i] = (uint8_t)(high << 4 | (low & 15));
    }
    return bad < 16;
}
#endif

/* ---- guid --------------------------------------------------------------------------------------------- */

static bool guid_parse(rf_str s, bool upper, uint8_t *cell)
{
    if (s.len != GUID_TEXT_BYTES) return false;
    const uint8_t *p = s.ptr;
    if (p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-') return false;
    uint8_t digits[32];
    memcpy(digits, p, 8);
    memcpy(digits + 8, p + 9, 4);
    memcpy(digits + 12, p + 14, 4);
    memcpy(digits + 16, p + 19, 4);
    memcpy(digits + 20, p + 24, 12);
    bool first = hex16_parse(digits, upper, cell),
         second = hex16_parse(digits + 16, upper, cell + 8);
    return first && second;
}

static size_t guid_print_plain(const uint8_t *cell, bool upper, uint8_t *out)
{
    uint8_t digits[32];
    for (unsigned i = 0; i < 4; i++)
        print_hex8(cell + (size_t)i * 4, upper, digits + (size_t)i * 8);
    out[8] = out[13] = out[18] = out[23] = '-';
    memcpy(out, digits, 8);
    memcpy(out + 9, digits + 8, 4);
    memcpy(out + 14, digits + 12, 4);
    memcpy(out + 19, digits + 16, 4);
    memcpy(out + 24, digits + 20, 12);
    return GUID_TEXT_BYTES;
}

#if defined(__x86_64__)
/* The same with byte shuffles: halves of bytes choose their digits, and digits their places; 0x80 leaves a place
 * free, where the line comes in. */
__attribute__((target("avx2"))) static size_t guid_print_avx2(const uint8_t *cell, bool upper,
                                                              uint8_t *out)
{
    static const uint8_t places[3][16] = {
        {0, 1, 2, 3, 4, 5, 6, 7, 0x80, 8, 9, 10, 11, 0x80, 12, 13},
        {14, 15, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
         0x80},
        {0x80, 0x80, 0x80, 0, 1, 2, 3, 0x80, 4, 5, 6, 7, 8, 9, 10, 11}};
    static const uint8_t lines[2][16] = {{[8] = '-', [13] = '-'}, {[2] = '-', [7] = '-'}};
    const __m128i digits = _mm_loadu_si128((const __m128i *)(const void *)digits_of(upper)),
                  low_half = _mm_set1_epi8(0x0f);
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)cell);
    __m128i high = _mm_shuffle_epi8(digits, _mm_and_si128(_mm_srli_epi16(bytes, 4), low_half)),
            low = _mm_shuffle_epi8(digits, _mm_and_si128(bytes, low_half)),
            first = _mm_unpacklo_epi8(high, low), second = _mm_unpackhi_epi8(high, low);
#define PLACE(v, row) _mm_shuffle_epi8(v, _mm_loadu_si128((const __m128i *)(const void *)(row)))
    __m128i a = _mm_or_si128(PLACE(first, places[0]),
                             _mm_loadu_si128((const __m128i *)(const void *)lines[0])),
            b = _mm_or_si128(_mm_or_si128(PLACE(first, places[1]), PLACE(second, places[2])),
                             _mm_loadu_si128((const __m128i *)(const void *)lines[1]));
#undef PLACE
    _mm_storeu_si128((__m128i *)(void *)out, a);
    _mm_storeu_si128((__m128i *)(void *)(out + 16), b);
    uint32_t rest = (uint32_t)_mm_extract_epi32(second, 3);
    memcpy(out + 32, &rest, sizeof rest);
    return GUID_TEXT_BYTES;
}
#endif

static size_t guid_print(const uint8_t *cell, bool upper, uint8_t *out)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return guid_print_avx2(cell, upper, out);
#endif
    return guid_print_plain(cell, upper, out);
}

/* ---- hex digits --------------------------------------------------------------------------------------- */

static bool hex_parse(rf_str s, const struct block_text_form *form, uint8_t *cell)
{
    if (s.len != form->digits) return false;
    uint8_t bad = 0;
    size_t whole = s.len / 16 * 16;
    for (size_t i = 0; i < whole; i += 16)
        if (!hex16_parse(s.ptr + i, form->upper, cell + i / 2)) return false;
    memset(cell + whole / 2, 0, block_text_cell_bytes(form) - whole / 2);
    for (size_t i = whole; i < s.len; i++) {
        uint8_t digit = hex_digit(s.ptr[i], form->upper);
        bad |= digit;
        cell[i / 2] |= (uint8_t)((digit & 15) << (i % 2 == 0 ? 4 : 0));
    }
    return bad < 16;
}

static size_t hex_print(const struct block_text_form *form, const uint8_t *cell, uint8_t *out)
{
    const char *digits = digits_of(form->upper);
    size_t whole = form->digits & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) print_hex8(cell + i / 2, form->upper, out + i);
    for (size_t i = whole; i < form->digits; i++)
        out[i] = (uint8_t)digits[cell[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    return form->digits;
}

static bool hex_int_parse(rf_str s, const struct block_text_form *form, int64_t *number)
{
    if (s.len != form->digits) return false;
    uint8_t bad = 0;
    uint64_t x = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t digit = hex_digit(s.ptr[i], form->upper);
        bad |= digit;
        x = x << 4 | (digit & 15);
    }
    *number = (int64_t)x;
    return bad < 16;
}

static size_t hex_int_print(const struct block_text_form *form, uint64_t x, uint8_t *out)
{
    const char *digits = digits_of(form->upper);
    for (size_t i = form->digits; i-- > 0; x >>= 4) out[i] = (uint8_t)digits[x & 15];
    return form->digits;
}

/* ---- decimal digits ------------------------------------------------------------------------------------- */

static bool number_parse(rf_str s, uint8_t width, int64_t *number)
{
    if (s.len == 0 || s.len > BLOCK_TEXT_NUMBER_DIGITS || (width != 0 && s.len != width))
        return false;
    if (width == 0 && s.len > 1 && s.ptr[0] == '0') return false;
    int64_t x = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (!rf_is_digit(s.ptr[i])) return false;
        x = x * 10 + (s.ptr[i] - '0');
    }
    *number = x;
    return true;
}

/* `width` digits, or with 0 as many as the number has (20 at most). */
static size_t number_print(uint64_t x, size_t width, uint8_t *out)
{
    uint8_t room[20];
    size_t len = 0;
    do {
        room[len++] = (uint8_t)('0' + x % 10);
        x /= 10;
    } while (x != 0);
    while (len < width) room[len++] = '0';
    if (width != 0) len = width;
    for (size_t i = 0; i < len; i++) out[i] = room[len - 1 - i];
    return len;
}

/* ---- addresses ------------------------------------------------------------------------------------------ */

static bool ipv4_parse(rf_str s, int64_t *number)
{
    uint32_t x = 0;
    size_t at = 0;
    for (int part = 0; part < 4; part++) {
        if (part > 0 && (at == s.len || s.ptr[at++] != '.')) return false;
        size_t from = at;
        uint32_t octet = 0;
        while (at < s.len && at - from < 3 && rf_is_digit(s.ptr[at]))
            octet = octet * 10 + (s.ptr[at++] - '0');
        if (at == from || octet > 255 || (s.ptr[from] == '0' && at - from > 1)) return false;
        x = x << 8 | octet;
    }
    *number = x;
    return at == s.len;
}

/* A part of an address with the point behind it, and how long it is without. */
struct octet {
    char text[4];
    uint8_t len;
};
#define OCTET(n)                                                                                   \
    {                                                                                              \
        {(char)((n) >= 100  ? '0' + (n) / 100                                                      \
                : (n) >= 10 ? '0' + (n) / 10                                                       \
                            : '0' + (n)),                                                          \
         (char)((n) >= 100  ? '0' + (n) / 10 % 10                                                  \
                : (n) >= 10 ? '0' + (n) % 10                                                       \
                            : '.'),                                                                \
         (char)((n) >= 100 ? '0' + (n) % 10 : '.'), '.'},                                          \
            (n) >= 100  ? 3                                                                        \
            : (n) >= 10 ? 2                                                                        \
                        : 1                                                                        \
    }
#define OCTETS4(n) OCTET(n), OCTET((n) + 1), OCTET((n) + 2), OCTET((n) + 3)
#define OCTETS16(n) OCTETS4(n), OCTETS4((n) + 4), OCTETS4((n) + 8), OCTETS4((n) + 12)
#define OCTETS64(n) OCTETS16(n), OCTETS16((n) + 16), OCTETS16((n) + 32), OCTETS16((n) + 48)
static const struct octet octets[256] = {OCTETS64(0), OCTETS64(64), OCTETS64(128), OCTETS64(192)};

/* Writes up to BLOCK_TEXT_IPV4_ROOM bytes. */
static size_t ipv4_print(uint32_t x, uint8_t *out)
{
    size_t len = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        const struct octet *o = &octets[x >> shift & 255];
        memcpy(out + len, o->text, 4);
        len += o->len + 1u;
    }
    return len - 1;
}

/* ---- times ---------------------------------------------------------------------------------------------- */

static bool digits_at(rf_str s, size_t at, size_t count, int64_t *out)
{
    int64_t x = 0;
    for (size_t i = at; i < at + count; i++) {
        if (!rf_is_digit(s.ptr[i])) return false;
        x = x * 10 + (s.ptr[i] - '0');
    }
    *out = x;
    return true;
}

static int64_t ticks_of_decimals(uint8_t decimals)
{
    int64_t unit = TICKS_PER_SECOND;
    while (decimals-- > 0) unit /= 10;
    return unit;
}

static bool time_parse(rf_str s, uint8_t decimals, int64_t *ticks)
{
    if (s.len != TIME_TEXT_BYTES + (decimals == 0 ? 0u : decimals + 1u)) return false;
    const uint8_t *p = s.ptr;
    if (p[4] != '-' || p[7] != '-' || p[10] != 'T' || p[13] != ':' || p[16] != ':' ||
        p[s.len - 1] != 'Z')
        return false;
    int64_t year, month, day, hour, minute, second, fraction = 0;
    bool good = digits_at(s, 0, 4, &year) && digits_at(s, 5, 2, &month) &&
                digits_at(s, 8, 2, &day) && digits_at(s, 11, 2, &hour) &&
                digits_at(s, 14, 2, &minute) && digits_at(s, 17, 2, &second);
    if (good && decimals > 0) good = p[19] == '.' && digits_at(s, 20, decimals, &fraction);
    if (!good || hour > 23 || minute > 59 || second > 59) return false;
    if (!date_to_ticks(year, month, day, ticks)) return false;
    *ticks += hour * TICKS_PER_HOUR + minute * TICKS_PER_MINUTE + second * TICKS_PER_SECOND;
    *ticks += fraction * ticks_of_decimals(decimals);
    return true;
}

static size_t time_print(int64_t ticks, uint8_t decimals, uint8_t *out)
{
    if (ticks < 0 || ticks > DATETIME_MAX) ticks = 0;
    int year, month, day;
    date_from_ticks(ticks, &year, &month, &day);
    int64_t rest = ticks % TICKS_PER_DAY;
    out[4] = out[7] = '-';
    out[10] = 'T';
    out[13] = out[16] = ':';
    number_print((uint64_t)year, 4, out);
    number_print((uint64_t)month, 2, out + 5);
    number_print((uint64_t)day, 2, out + 8);
    number_print((uint64_t)(rest / TICKS_PER_HOUR), 2, out + 11);
    number_print((uint64_t)(rest / TICKS_PER_MINUTE % 60), 2, out + 14);
    number_print((uint64_t)(rest / TICKS_PER_SECOND % 60), 2, out + 17);
    size_t len = 19;
    if (decimals > 0) {
        out[len++] = '.';
        number_print((uint64_t)(rest % TICKS_PER_SECOND / ticks_of_decimals(decimals)), decimals,
                     out + len);
        len += decimals;
    }
    out[len++] = 'Z';
    return len;
}

/* ---- forms ---------------------------------------------------------------------------------------------- */

struct block_text_form block_text_form_of(rf_str text)
{
    size_t digits = 0, hex = 0;
    bool upper = false;
    for (size_t i = 0; i < text.len && i <= BLOCK_TEXT_DIGITS_MAX; i++) {
        digits += rf_is_digit(text.ptr[i]);
        hex += hex_value(text.ptr[i]) != 0xff;
        upper |= text.ptr[i] >= 'A' && text.ptr[i] <= 'F';
    }
    int64_t number;
    if (text.len == 0 || text.len > BLOCK_TEXT_DIGITS_MAX)
        return (struct block_text_form){.kind = BLOCK_TEXT_PLAIN};
    if (text.len == GUID_TEXT_BYTES && text.ptr[8] == '-')
        return (struct block_text_form){.kind = BLOCK_TEXT_GUID, .upper = upper};
    if (ipv4_parse(text, &number)) return (struct block_text_form){.kind = BLOCK_TEXT_IPV4};
    uint8_t decimals = text.len > TIME_TEXT_BYTES ? (uint8_t)(text.len - TIME_TEXT_BYTES - 1) : 0;
    if (text.len >= TIME_TEXT_BYTES && decimals <= TIME_DECIMALS_MAX &&
        time_parse(text, decimals, &number))
        return (struct block_text_form){.kind = BLOCK_TEXT_TIME, .digits = decimals};
    if (digits == text.len && digits <= BLOCK_TEXT_NUMBER_DIGITS)
        return (struct block_text_form){.kind = BLOCK_TEXT_NUMBER,
                                        .digits = text.ptr[0] == '0' ? (uint8_t)digits : 0};
    if (hex == text.len)
        return (struct block_text_form){.kind = hex <= HEX_INT_DIGITS ? BLOCK_TEXT_HEX_INT
                                                                      : BLOCK_TEXT_HEX,
                                        .upper = upper,
                                        .digits = (uint8_t)hex};
    return (struct block_text_form){.kind = BLOCK_TEXT_PLAIN};
}

bool block_text_parse(const struct block_text_form *form, rf_str text, int64_t *number,
                      uint8_t *cell)
{
    switch (form->kind) {
    case BLOCK_TEXT_GUID:
        return guid_parse(text, form->upper, cell);
    case BLOCK_TEXT_HEX:
        return hex_parse(text, form, cell);
    case BLOCK_TEXT_HEX_INT:
        return hex_int_parse(text, form, number);
    case BLOCK_TEXT_NUMBER:
        return number_parse(text, form->digits, number);
    case BLOCK_TEXT_IPV4:
        return ipv4_parse(text, number);
    case BLOCK_TEXT_TIME:
        return time_parse(text, form->digits, number);
    default:
        return false;
    }
}

size_t block_text_print(const struct block_text_form *form, int64_t number, const uint8_t *cell,
                        uint8_t *out)
{
    switch (form->kind) {
    case BLOCK_TEXT_GUID:
        return guid_print(cell, form->upper, out);
    case BLOCK_TEXT_HEX:
        return hex_print(form, cell, out);
    case BLOCK_TEXT_HEX_INT:
        return hex_int_print(form, (uint64_t)number, out);
    case BLOCK_TEXT_NUMBER:
        return number_print((uint64_t)number, form->digits, out);
    case BLOCK_TEXT_IPV4:
        return ipv4_print((uint32_t)number, out);
    case BLOCK_TEXT_TIME:
        return time_print(number, form->digits, out);
    default:
        return 0;
    }
}
