#include "collect/cef.h"

#include "collect/syslog.h"
#include "value/text.h"

enum { HEADER_FIELDS = 7, LEEF_FIELDS = 5 };

bool cef_begins(rf_str text, size_t *at)
{
    size_t i = *at;
    while (i < text.len && text.ptr[i] == ' ') i++;
    rf_str rest = rf_slice(text, i, text.len);
    if (!rf_str_starts(rest, RF_S("CEF:")) && !rf_str_starts(rest, RF_S("LEEF:"))) return false;
    *at = i;
    return true;
}

/* ---- CEF ------------------------------------------------------------------------------------------------------------------- */

/* The text with \| \\ \= as the second character, \n and \r as ends of lines; any other backslash is itself. */
static bool unescape(rf_str raw, struct rf_arena *arena, rf_str *out)
{
    *out = raw;
    if (raw.len == 0 || memchr(raw.ptr, '\\', raw.len) == NULL) return true;
    struct rf_buf buf = rf_buf_in(arena);
    for (size_t i = 0; i < raw.len; i++) {
        uint8_t c = raw.ptr[i], next = i + 1 < raw.len ? raw.ptr[i + 1] : 0;
        bool escape =
            c == '\\' && (next == '\\' || next == '|' || next == '=' || next == 'n' || next == 'r');
        if (escape) {
            i++;
            c = next == 'n' ? '\n' : next == 'r' ? '\r' : next;
        }
        rf_buf_byte(&buf, c);
    }
    *out = rf_buf_view(&buf);
    return !buf.failed;
}

/* The field up to the next '|' that is not escaped; false when there is none. */
static bool take_field(rf_str text, size_t *at, rf_str *raw)
{
    size_t i = *at;
    while (i < text.len && text.ptr[i] != '|') i += text.ptr[i] == '\\' && i + 1 < text.len ? 2 : 1;
    if (i >= text.len) return false;
    *raw = rf_slice(text, *at, i);
    *at = i + 1;
    return true;
}

static bool is_key_byte(uint8_t c)
{
    return rf_is_alnum(c) || c == '_' || c == '.' || c == '-' || c == '[' || c == ']' || c == '@' ||
           c == ':';
}

/* Whether a key and its '=' begin at `at`, which is the start or behind a blank. */
static bool key_at(rf_str text, size_t at, size_t *equals)
{
    size_t i = at;
    while (i < text.len && is_key_byte(text.ptr[i])) i++;
    *equals = i;
    return i > at && i < text.len && text.ptr[i] == '=';
}

/* Values hold blanks: a value ends at the blank in front of the next key. */
static size_t value_end(rf_str text, size_t from)
{
    size_t equals;
    for (size_t i = from; i < text.len; i++) {
        if (text.ptr[i] == '\\') {
            i++;
            continue;
        }
        if (text.ptr[i] == ' ' && key_at(text, i + 1, &equals)) return i;
    }
    return text.len;
}

static enum rf_kind read_pairs(rf_str text, struct rf_arena *arena, struct cef_event *out,
                               struct rf_err *err)
{
    struct cef_pair *pairs = NULL;
    uint32_t count = 0, cap = 0;
    size_t at = 0, equals;
    while (at < text.len) {
        while (at < text.len && text.ptr[at] == ' ') at++;
        if (at >= text.len) break;
        if (count == CEF_PAIRS_MAX)
            return RF_FAIL(err, RF_LIMIT, "TooManyFields", "the event has more than %d fields",
                           CEF_PAIRS_MAX);
        if (count == cap) {
            uint32_t more = cap == 0 ? 32 : cap * 2;
            struct cef_pair *grown =
                rf_arena_grow(arena, pairs, cap * sizeof *pairs, more * sizeof *pairs);
            if (grown == NULL) return rf_fail_memory(err, arena);
            pairs = grown;
            cap = more;
        }
        struct cef_pair *pair = &pairs[count++];
        bool has_key = key_at(text, at, &equals);
        size_t from = has_key ? equals + 1 : at, end = value_end(text, from);
        *pair = (struct cef_pair){.key = has_key ? rf_slice(text, at, equals) : (rf_str){0}};
        if (!unescape(rf_str_trim(rf_slice(text, from, end)), arena, &pair->value))
            return rf_fail_memory(err, arena);
        at = end;
    }
    out->pairs = pairs;
    out->pair_count = count;
    return RF_OK;
}

static enum rf_kind parse_cef(rf_str text, struct rf_arena *arena, struct cef_event *out,
                              struct rf_err *err)
{
    rf_str raw[HEADER_FIELDS] = {{0}},
           *to[HEADER_FIELDS] = {NULL,           &out->vendor, &out->product, &out->version,
                                 &out->class_id, &out->name,   &out->severity};
    size_t at = RF_S("CEF:").len;
    for (size_t i = 0; i < HEADER_FIELDS; i++) {
        bool whole = take_field(text, &at, &raw[i]);
        /* Without an extension some leave the last bar out. */
        if (!whole && i + 1 < HEADER_FIELDS)
            return RF_FAIL(err, RF_INVALID, "BadCef",
                           "the CEF header has %zu of %d fields; each ends with '|'", i,
                           HEADER_FIELDS);
        if (!whole) {
            raw[i] = rf_slice(text, at, text.len);
            at = text.len;
        }
        if (to[i] != NULL && !unescape(rf_str_trim(raw[i]), arena, to[i]))
            return rf_fail_memory(err, arena);
    }
    rf_str version = rf_str_trim(raw[0]);
    if (version.len == 0 || !rf_is_digit(version.ptr[0]))
        return RF_FAIL(err, RF_INVALID, "BadCef", "the CEF header has no version");
    return read_pairs(rf_slice(text, at, text.len), arena, out, err);
}

/* ---- LEEF ------------------------------------------------------------------------------------------------------------------ */

/* "^", "x09", "0x09"; empty is a tab. */
static uint8_t leef_delimiter(rf_str text)
{
    int64_t code;
    uint8_t hex[8] = "0x";
    if (text.len == 1) return text.ptr[0];
    if (text.len >= 2 && text.len <= 5) {
        rf_str digits = rf_slice(text, text.ptr[0] == '0' ? 1 : 0, text.len);
        if (digits.len > 1 && rf_lower(digits.ptr[0]) == 'x' && digits.len < 6) {
            memcpy(hex + 2, digits.ptr + 1, digits.len - 1);
            if (text_to_long(rf_str_make(hex, digits.len + 1), &code) && code > 0 && code < 256)
                return (uint8_t)code;
        }
    }
    return '\t';
}

static enum rf_kind leef_pairs(rf_str text, uint8_t delimiter, struct rf_arena *arena,
                               struct cef_event *out, struct rf_err *err)
{
    struct cef_pair *pairs = rf_arena_raw(arena, struct cef_pair, CEF_PAIRS_MAX);
    uint32_t count = 0;
    if (pairs == NULL) return rf_fail_memory(err, arena);
    for (size_t at = 0; at < text.len;) {
        size_t end = at;
        while (end < text.len && text.ptr[end] != delimiter) end++;
        rf_str one = rf_slice(text, at, end);
        at = end + 1;
        if (rf_str_trim(one).len == 0) continue;
        if (count == CEF_PAIRS_MAX)
            return RF_FAIL(err, RF_LIMIT, "TooManyFields", "the event has more than %d fields",
                           CEF_PAIRS_MAX);
        size_t equals = rf_str_find(one, RF_S("="), 0);
        rf_str key = equals == SIZE_MAX ? RF_S("") : rf_slice(one, 0, equals);
        rf_str value = equals == SIZE_MAX ? one : rf_slice(one, equals + 1, one.len);
        pairs[count++] = (struct cef_pair){rf_str_trim(key), rf_str_trim(value)};
    }
    out->pairs = pairs;
    out->pair_count = count;
    return RF_OK;
}

static enum rf_kind parse_leef(rf_str text, struct rf_arena *arena, struct cef_event *out,
                               struct rf_err *err)
{
    rf_str fields[LEEF_FIELDS], delimiter = {0};
    size_t at = RF_S("LEEF:").len;
    for (size_t i = 0; i < LEEF_FIELDS; i++) {
        size_t bar = rf_str_find(text, RF_S("|"), at);
        if (bar == SIZE_MAX)
            return RF_FAIL(err, RF_INVALID, "BadCef",
                           "the LEEF header has %zu of %d fields; each ends with '|'", i,
                           LEEF_FIELDS);
        fields[i] = rf_str_trim(rf_slice(text, at, bar));
        at = bar + 1;
    }
    out->is_leef = true;
    out->vendor = fields[1];
    out->product = fields[2];
    out->version = fields[3];
    out->class_id = fields[4];
    if (rf_str_starts(fields[0], RF_S("2"))) {
        size_t bar = rf_str_find(text, RF_S("|"), at);
        /* Version 2 names its delimiter; some leave it out, bar included. */
        if (bar != SIZE_MAX && bar - at <= 5) {
            delimiter = rf_slice(text, at, bar);
            at = bar + 1;
        }
    }
    return leef_pairs(rf_slice(text, at, text.len), leef_delimiter(delimiter), arena, out, err);
}

enum rf_kind cef_parse(rf_str text, struct rf_arena *arena, struct cef_event *out,
                       struct rf_err *err)
{
    struct cef_event made = {.pairs = NULL};
    text = rf_str_trim(text);
    RF_TRY(rf_str_starts(text, RF_S("LEEF:")) ? parse_leef(text, arena, &made, err)
           : rf_str_starts(text, RF_S("CEF:"))
               ? parse_cef(text, arena, &made, err)
               : RF_FAIL(err, RF_INVALID, "BadCef", "the text begins with neither CEF: nor LEEF:"));
    *out = made;
    return RF_OK;
}

/* ---- values ------------------------------------------------------------------------------------------------------------------ */

rf_str cef_get(const struct cef_event *event, const char *key)
{
    for (uint32_t i = 0; i < event->pair_count; i++)
        if (rf_str_eq_nocase(event->pairs[i].key, rf_str_of(key))) return event->pairs[i].value;
    return (rf_str){0};
}

bool cef_time(rf_str text, rf_usec *out)
{
    const double seconds_max = 2.5e11; /* the year 9999 */
    int64_t number, ticks;
    double seconds;
    size_t at = 0;
    struct syslog_options options = {.now = 0};
    text = rf_str_trim(text);
    if (text.len >= 9 && text.len <= 16 && text_to_long(text, &number) && number > 0) {
        /* Seconds, milliseconds or microseconds: by the number of digits. */
        *out = text.len <= 10   ? number * RF_USEC_PER_SECOND
               : text.len <= 13 ? number * RF_USEC_PER_MS
                                : number;
        return true;
    }
    if (text.len >= 9 && text.len <= 24 && rf_is_digit(text.ptr[8]) &&
        text_to_real(text, &seconds) && seconds > 0 && seconds < seconds_max) {
        *out = (rf_usec)(seconds * (double)RF_USEC_PER_SECOND + 0.5);
        return true;
    }
    if (text_to_datetime(text, &ticks)) {
        *out = (ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND;
        return ticks >= DATETIME_UNIX_EPOCH;
    }
    return text.len >= 19 && syslog_time(text, &at, &options, out);
}
