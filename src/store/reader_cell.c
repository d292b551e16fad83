/* One field to one cell. The common pairs of JSON type and column type are done here directly; what is rare goes
 * through value_convert, which is what to*() is. */
#include "base/digits.h"
#include "base/json.h"
#include "store/reader_int.h"
#include "value/dyn.h"
#include "value/text.h"

/* ---- ISO 8601 ------------------------------------------------------------------------------------------ */

static bool two_digits(const uint8_t *p, uint32_t *out)
{
    uint32_t a = (uint32_t)p[0] - '0', b = (uint32_t)p[1] - '0';
    *out = a * 10 + b;
    return a <= 9 && b <= 9;
}

/* Days from 0001-01-01 of a date that is known to exist. */
static int64_t days_of(uint32_t year, uint32_t month, uint32_t day)
{
    uint32_t y = year - (month <= 2), era = y / 400, of_era = y % 400;
    uint32_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 306;
}

static bool date_exists(uint32_t year, uint32_t month, uint32_t day)
{
    static const uint8_t month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year == 0 || month - 1 > 11 || day - 1 >= month_days[month - 1]) return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month != 2 || day != 29 || leap;
}

static bool iso_date(const uint8_t *p, int64_t *days)
{
    uint32_t century, year, month, day;
    if (!two_digits(p, &century) || !two_digits(p + 2, &year) || p[4] != '-' ||
        !two_digits(p + 5, &month) || p[7] != '-' || !two_digits(p + 8, &day))
        return false;
    year += century * 100;
    if (!date_exists(year, month, day)) return false;
    *days = days_of(year, month, day);
    return true;
}

/* Byte `index` of a word. */
static inline uint32_t byte_of(uint64_t word, uint32_t index)
{
    return (uint32_t)(word >> 8 * index & 0xff);
}

/* yyyy-mm-ddThh:mm:ss.fZ with one to seven digits f, or none and no point: what nearly all senders write. Eight bytes are
 * looked at in one step: what differs from zeros with the marks between them is the digits' values. */
static bool iso_usual(rf_str text, int64_t *ticks)
{
    if (text.len < 20 || text.len > 28 || text.len == 21 || text.ptr[text.len - 1] != 'Z')
        return false;
    const uint8_t *p = text.ptr;
    uint64_t date = rf_get_u64le(p) ^ UINT64_C(0x2d30302d30303030);        /* 0000-00- */
    uint64_t minute = rf_get_u64le(p + 8) ^ UINT64_C(0x30303a3030543030);  /* 00T00:00 */
    uint64_t second = (rf_get_u64le(p + 12) >> 32) ^ UINT64_C(0x2e30303a); /* :00. */
    uint64_t fraction = 0;
    if (text.len == 20)
        second &= 0xffffff;
    else /* the digits behind the point, which is the lowest byte that goes, and no others */
        fraction = rf_get_u64le(p + text.len - 9) >> 8 * (29 - text.len);
    uint32_t shift = (uint32_t)(8 * (29 - text.len));
    if (text.len > 20) fraction ^= UINT64_C(0x3030303030303030) >> shift;
    uint64_t marks = (date & UINT64_C(0xff0000ff00000000)) |
                     (minute & UINT64_C(0x0000ff0000ff0000)) | (second & UINT64_C(0xff0000ff));
    if ((digits_over(date) | digits_over(minute) | digits_over(second) | digits_over(fraction) |
         marks) != 0)
        return false;
    /* Each byte times ten and the next one. */
    date = date * 10 + (date >> 8);
    minute = minute * 10 + (minute >> 8);
    uint32_t year = byte_of(date, 0) * 100 + byte_of(date, 2), month = byte_of(date, 5);
    uint32_t day = byte_of(minute, 0), hour = byte_of(minute, 3), minutes = byte_of(minute, 6);
    uint32_t seconds = byte_of(second, 1) * 10 + byte_of(second, 2);
    if (hour > 23 || minutes > 59 || seconds > 59 || !date_exists(year, month, day)) return false;
    /* As eight digits behind the point the fraction counts tenths of a tick; the eighth is 0. */
    *ticks = days_of(year, month, day) * TICKS_PER_DAY +
             (int64_t)(hour * 3600 + minutes * 60 + seconds) * TICKS_PER_SECOND +
             (int64_t)(digits_join(fraction) / 10);
    return true;
}

/* [+-]hh[:]mm or [+-]hh at the end of the text, as minutes. */
static bool iso_offset(const uint8_t *p, size_t len, int64_t *minutes)
{
    uint32_t hour, minute = 0;
    if ((len != 3 && len != 5 && len != 6) || !two_digits(p + 1, &hour) || hour > 23) return false;
    if (len > 3 && !two_digits(p + len - 2, &minute)) return false;
    if ((len == 6 && p[3] != ':') || minute > 59) return false;
    *minutes = (int64_t)hour * 60 + minute;
    if (p[0] == '-') *minutes = -*minutes;
    return true;
}

bool reader_iso_datetime(rf_str text, int64_t *ticks)
{
    if (RF_LIKELY(iso_usual(text, ticks))) return true;
    const uint8_t *p = text.ptr, *end = p + text.len;
    uint32_t hour, minute, second = 0;
    int64_t days, minutes = 0;
    if (text.len < 16 || p[10] != 'T' || !two_digits(p + 11, &hour) || p[13] != ':' ||
        !two_digits(p + 14, &minute) || !iso_date(p, &days))
        return false;
    p += 16;
    int64_t fraction = 0;
    if (end - p >= 3 && *p == ':') {
        if (!two_digits(p + 1, &second)) return false;
        p += 3;
        if (end - p >= 2 && *p == '.') {
            const uint8_t *digits = ++p;
            int64_t unit = TICKS_PER_SECOND;
            for (; p < end && rf_is_digit(*p); p++) {
                unit /= 10; /* digits beyond the seventh say less than a tick */
                fraction += unit * (*p - '0');
            }
            if (p == digits) return false;
        }
    }
    if (hour > 23 || minute > 59 || second > 59) return false;
    if (p < end && *p == 'Z')
        p++;
    else if (p < end && (*p == '+' || *p == '-')) {
        if (!iso_offset(p, (size_t)(end - p), &minutes)) return false;
        p = end;
    }
    if (p != end) return false;
    int64_t t = days * TICKS_PER_DAY + (int64_t)(hour * 60 + minute) * TICKS_PER_MINUTE +
                (int64_t)second * TICKS_PER_SECOND + fraction - minutes * TICKS_PER_MINUTE;
    if (t < 0 || t > DATETIME_MAX) return false;
    *ticks = t;
    return true;
}

/* ---- cells -------------------------------------------------------------------------------------------------- */

/* Any value, which stood in the row as `text`, into a column of another type. */
static bool put_value(struct reader *reader, struct sink *sink, const struct value *v, rf_str text)
{
    struct value out;
    uint32_t row = reader->row_count;
    if (!value_convert(v, (enum type)sink->type, &reader->batch, &out)) return false;
    if (out.null) {
        sink_put_misfit(reader, sink, text);
        return true;
    }
    sink_reach(sink, row);
    sink->nulls[row] = 0;
    switch ((enum type)sink->type) {
    case TYPE_BOOL:
        sink->data[row] = out.b;
        break;
    case TYPE_REAL:
        ((double *)(void *)sink->data)[row] = out.r;
        break;
    case TYPE_DECIMAL:
        ((struct decimal *)(void *)sink->data)[row] = out.d;
        break;
    case TYPE_GUID:
        ((struct guid *)(void *)sink->data)[row] = out.g;
        break;
    case TYPE_STRING:
    case TYPE_DYNAMIC:
        ((rf_str *)(void *)sink->data)[row] = out.s;
        break;
    default:
        ((int64_t *)(void *)sink->data)[row] = out.i;
        break;
    }
    return true;
}

/* A dynamic that is not null and that the dictionary does not know, if there is one. */
static bool put_new_dynamic(struct reader *reader, struct sink *sink, rf_str raw, rf_str encoded,
                            uint32_t hash)
{
    uint32_t row = reader->row_count, code;
    if (sink->by_code) {
        switch (sink_dict_add(reader, sink, raw, &encoded, hash, &code)) {
        case SINK_ADDED:
            sink_put_code(sink, row, code);
            return true;
        case SINK_NO_MEMORY:
            return false;
        case SINK_DICT_FULL:
            break;
        }
        if (!sink_flatten(reader, sink)) return false;
    }
    rf_str kept;
    if (!rf_arena_str(&reader->batch, encoded, &kept)) return false;
    sink_put_bytes(sink, row, kept);
    return true;
}

bool sink_put_encoded(struct reader *reader, struct sink *sink, rf_str raw, rf_str encoded)
{
    uint32_t hash = 0, code;
    if (sink->by_code && (code = sink_dict_find(sink, raw, &hash)) != UINT32_MAX) {
        sink_put_code(sink, reader->row_count, code);
        return true;
    }
    return put_new_dynamic(reader, sink, raw, encoded, hash);
}

/* Puts a dynamic whose text is `raw`; its encoding, when it is new, is made by encode(). */
static bool put_dynamic(struct reader *reader, struct sink *sink, rf_str raw, const void *from,
                        bool (*encode)(const void *from, struct rf_buf *buf))
{
    uint32_t hash = 0, code;
    if (sink->by_code && (code = sink_dict_find(sink, raw, &hash)) != UINT32_MAX) {
        sink_put_code(sink, reader->row_count, code);
        return true;
    }
    reader->encode.len = 0;
    if (!encode(from, &reader->encode) || reader->encode.failed) return false;
    rf_str encoded = dyn_done(&reader->encode);
    if (!dyn_is_null(encoded)) return put_new_dynamic(reader, sink, raw, encoded, hash);
    sink_put_null(sink, reader->row_count);
    return true;
}

/* ---- JSON ---------------------------------------------------------------------------------------------------- */

static bool token_text(struct reader *reader, const struct scan_token *token, rf_str *text)
{
    *text = token->text;
    if (token->kind != SCAN_ESCAPED) return true;
    uint8_t *out = rf_arena_alloc(&reader->batch, token->text.len);
    if (out == NULL) return false;
    *text = rf_str_make(out, json_unescape(token->text, out));
    return true;
}

static bool encode_json(const void *from, struct rf_buf *buf)
{
    const rf_str *json = from;
    size_t before = buf->len;
    struct rf_err err;
    enum rf_kind kind = dyn_parse_json(*json, buf, &err);
    if (kind == RF_OK) return true;
    buf->len = before; /* the scanner has checked it, so only depth or memory can be in the way */
    dyn_put_null(buf);
    return !buf->failed;
}

static bool encode_string(const void *from, struct rf_buf *buf)
{
    dyn_put_string(buf, *(const rf_str *)from);
    return !buf->failed;
}

static bool encode_text(const void *from, struct rf_buf *buf)
{
    return dyn_from_text(*(const rf_str *)from, buf);
}

static bool put_json_dynamic(struct reader *reader, struct sink *sink,
                             const struct scan_token *token)
{
    if (token->kind != SCAN_STRING && token->kind != SCAN_ESCAPED)
        return put_dynamic(reader, sink, token->text, &token->text, encode_json);
    rf_str text;
    if (!token_text(reader, token, &text)) return false;
    bool value = reader->options.dynamic_from_text && text.len > 0 &&
                 (text.ptr[0] == '{' || text.ptr[0] == '[');
    /* With its quotes the text is told apart from a number or object that looks alike. */
    rf_str quoted = rf_str_make(token->text.ptr - 1, token->text.len + 2);
    return put_dynamic(reader, sink, quoted, &text, value ? encode_text : encode_string);
}

bool sink_put_datetime(struct reader *reader, struct sink *sink, rf_str text)
{
    int64_t ticks;
    if (reader_iso_datetime(text, &ticks) || text_to_datetime(text, &ticks))
        sink_put_i64(sink, reader->row_count, ticks);
    else
        sink_put_misfit(reader, sink, text);
    return true;
}

/* The value as its JSON type says, into a column of whatever type. */
static bool put_json_converted(struct reader *reader, struct sink *sink,
                               const struct scan_token *token)
{
    struct value v;
    switch (token->kind) {
    case SCAN_NULL:
        sink_put_null(sink, reader->row_count);
        return true;
    case SCAN_FALSE:
    case SCAN_TRUE:
        v = value_bool(token->kind == SCAN_TRUE);
        break;
    case SCAN_WHOLE:
        v = token->exact && sink->type != TYPE_DECIMAL ? value_long(token->whole)
                                                       : value_str(token->text);
        break;
    case SCAN_NUMBER:
        v = token->exact && sink->type != TYPE_DECIMAL ? value_real(token->real)
                                                       : value_str(token->text);
        break;
    case SCAN_STRING:
    case SCAN_ESCAPED:
        v = value_str(token->text);
        if (!token_text(reader, token, &v.s)) return false;
        break;
    default:
        reader->encode.len = 0;
        if (!encode_json(&token->text, &reader->encode)) return false;
        v = value_dyn(dyn_done(&reader->encode));
    }
    return put_value(reader, sink, &v, token->text);
}

static bool put_json_real(struct reader *reader, struct sink *sink, const struct scan_token *token)
{
    double real;
    if (token->kind == SCAN_NUMBER && token->exact)
        real = token->real;
    else if (token->kind == SCAN_WHOLE && token->exact)
        real = (double)token->whole;
    else if (token->kind > SCAN_NUMBER || token->kind < SCAN_WHOLE ||
             !text_to_real(token->text, &real))
        return put_json_converted(reader, sink, token);
    sink_reach(sink, reader->row_count);
    ((double *)(void *)sink->data)[reader->row_count] = real;
    sink->nulls[reader->row_count] = 0;
    return true;
}

bool sink_put_json(struct reader *reader, struct sink *sink, const struct scan_token *token)
{
    uint32_t row = reader->row_count;
    if (RF_UNLIKELY(token->kind == SCAN_NULL)) {
        sink_put_null(sink, row);
        return true;
    }
    rf_str text;
    switch ((enum type)sink->type) {
    case TYPE_STRING:
        if (!token_text(reader, token, &text)) return false;
        sink_put_string(sink, row, text);
        return true;
    case TYPE_DYNAMIC:
        return put_json_dynamic(reader, sink, token);
    case TYPE_DATETIME:
        if (token->kind == SCAN_STRING) return sink_put_datetime(reader, sink, token->text);
        break;
    case TYPE_LONG:
        if (RF_LIKELY(token->kind == SCAN_WHOLE && token->exact)) {
            sink_put_i64(sink, row, token->whole);
            return true;
        }
        break;
    case TYPE_INT:
        if (token->kind == SCAN_WHOLE && token->exact && token->whole == (int32_t)token->whole) {
            sink_put_i64(sink, row, token->whole);
            return true;
        }
        break;
    case TYPE_REAL:
        return put_json_real(reader, sink, token);
    case TYPE_BOOL:
        if (token->kind == SCAN_TRUE || token->kind == SCAN_FALSE) {
            sink_reach(sink, row);
            sink->data[row] = token->kind == SCAN_TRUE;
            sink->nulls[row] = 0;
            return true;
        }
        break;
    default:
        break;
    }
    return put_json_converted(reader, sink, token);
}

/* ---- CSV ------------------------------------------------------------------------------------------------------ */

/* Plain decimal digits, the usual case. */
static bool short_whole(rf_str text, int64_t *out)
{
    const uint8_t *p = text.ptr, *end = p + text.len;
    bool negative = text.len > 1 && *p == '-';
    p += negative;
    if (p == end || end - p > 18) return false;
    int64_t n = 0;
    for (; p < end; p++) {
        if (!rf_is_digit(*p)) return false;
        n = n * 10 + (*p - '0');
    }
    *out = negative ? -n : n;
    return true;
}

bool sink_put_text(struct reader *reader, struct sink *sink, rf_str text)
{
    uint32_t row = reader->row_count;
    if (sink->type == TYPE_STRING) {
        sink_put_string(sink, row, text);
        return true;
    }
    if (text.len == 0) {
        sink_put_null(sink, row);
        return true;
    }
    int64_t whole;
    switch ((enum type)sink->type) {
    case TYPE_DYNAMIC:
        return put_dynamic(reader, sink, text, &text, encode_text);
    case TYPE_DATETIME:
        return sink_put_datetime(reader, sink, text);
    case TYPE_LONG:
        if (!short_whole(text, &whole)) break;
        sink_put_i64(sink, row, whole);
        return true;
    default:
        break;
    }
    struct value v = value_str(text);
    return put_value(reader, sink, &v, text);
}
