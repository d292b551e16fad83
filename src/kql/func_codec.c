/* func_codec.c - base64, percent encoding, punycode, compression. Hashes are in func_codec_hash.c. */
#include "kql/func_codec_int.h"

#include <zlib.h>

/* ---- base64 ------------------------------------------------------------------------------------------ */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void put_base64(struct rf_buf *buf, rf_str bytes)
{
    size_t i = 0;
    uint8_t out[4];
    for (; i + 3 <= bytes.len; i += 3) {
        uint32_t group =
            (uint32_t)bytes.ptr[i] << 16 | (uint32_t)bytes.ptr[i + 1] << 8 | bytes.ptr[i + 2];
        for (int d = 0; d < 4; d++) out[d] = (uint8_t)base64_digits[group >> (18 - 6 * d) & 63];
        rf_buf_put(buf, out, 4);
    }
    size_t rest = bytes.len - i;
    if (rest == 0) return;
    uint32_t group = (uint32_t)bytes.ptr[i] << 16;
    if (rest == 2) group |= (uint32_t)bytes.ptr[i + 1] << 8;
    out[0] = (uint8_t)base64_digits[group >> 18 & 63];
    out[1] = (uint8_t)base64_digits[group >> 12 & 63];
    out[2] = rest == 2 ? (uint8_t)base64_digits[group >> 6 & 63] : '=';
    out[3] = '=';
    rf_buf_put(buf, out, 4);
}

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Blanks are passed over; the padding must be there and nothing behind it. */
static bool take_base64(struct rf_buf *buf, rf_str text)
{
    uint32_t group = 0;
    int digits = 0, padding = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (rf_is_space(c)) continue;
        int value = base64_value(c);
        if (c == '=' && digits >= 2) {
            value = 0;
            padding++;
        } else if (value < 0 || padding > 0) {
            return false;
        }
        group = group << 6 | (uint32_t)value;
        if (++digits < 4) continue;
        const uint8_t bytes[3] = {(uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group};
        rf_buf_put(buf, bytes, 3u - (size_t)padding);
        digits = 0;
        group = 0;
        if (padding == 0) continue;
        for (i++; i < text.len; i++) /* the padding ends the text */
            if (!rf_is_space(text.ptr[i])) return false;
    }
    return digits == 0;
}

FUNC_KERNEL(base64_encode_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        put_base64(&rows.buf, ARG_STR(&args[0], i));
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL(base64_decode_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        size_t from = rows.buf.len;
        bool good = take_base64(&rows.buf, ARG_STR(&args[0], i)) && !rows.buf.failed &&
                    rf_utf8_valid(rf_slice(rf_buf_view(&rows.buf), from, rows.buf.len));
        if (!good) rows.buf.len = from;
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL(base64_to_array_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    struct rf_buf bytes = rf_buf_in(call->arena);
    for (uint32_t i = 0; i < count; i++) {
        bytes.len = 0;
        if (!take_base64(&bytes, ARG_STR(&args[0], i))) {
            OUT_NULL(out)[i] = 1;
            continue;
        }
        struct dyn_builder array;
        dyn_begin(&array, &rows.buf, DYN_ARRAY);
        for (size_t b = 0; b < bytes.len; b++) {
            dyn_next(&array);
            dyn_put_long(&rows.buf, bytes.ptr[b]);
        }
        dyn_end(&array);
        text_rows_end(&rows, i);
    }
    bool good = text_rows_finish(&rows, count) && !bytes.failed;
    return good ? RF_OK : rf_fail_memory(err, call->arena);
}

/* False: an element is no byte. */
static bool array_bytes(struct rf_buf *buf, rf_str array)
{
    for (uint32_t i = 0; i < dyn_count(array); i++) {
        rf_str item = dyn_item(array, i);
        if (dyn_tag(item) != DYN_INT && dyn_tag(item) != DYN_LONG) return false;
        int64_t byte = dyn_i64(item);
        if (byte < 0 || byte > 255) return false;
        rf_buf_byte(buf, (uint8_t)byte);
    }
    return dyn_tag(array) == DYN_ARRAY;
}

FUNC_KERNEL(base64_from_array_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    struct rf_buf bytes = rf_buf_in(call->arena);
    for (uint32_t i = 0; i < count; i++) {
        bytes.len = 0;
        if (!ARG_NULL(&args[0], i) && array_bytes(&bytes, ARG_STR(&args[0], i)))
            put_base64(&rows.buf, rf_buf_view(&bytes));
        text_rows_end(&rows, i);
    }
    bool good = text_rows_finish(&rows, count) && !bytes.failed;
    return good ? RF_OK : rf_fail_memory(err, call->arena);
}

void codec_guid_swap(const uint8_t from[16], uint8_t to[16])
{
    static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    for (int i = 0; i < 16; i++) to[i] = from[order[i]];
}

FUNC_KERNEL(base64_from_guid_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t bytes[16];
        if (OUT_NULL(out)[i]) continue;
        codec_guid_swap(ARG_GUID(&args[0], i).bytes, bytes);
        put_base64(&rows.buf, rf_str_make(bytes, sizeof bytes));
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL(base64_to_guid_kernel)
{
    struct rf_buf bytes = rf_buf_in(call->arena);
    for (uint32_t i = 0; i < count; i++) {
        bytes.len = 0;
        if (take_base64(&bytes, ARG_STR(&args[0], i)) && !bytes.failed && bytes.len == 16) {
            codec_guid_swap(bytes.ptr, OUT_GUID(out)[i].bytes);
        } else {
            OUT_NULL(out)[i] = 1;
        }
    }
    return bytes.failed ? rf_fail_memory(err, call->arena) : RF_OK;
}

/* ---- percent encoding -------------------------------------------------------------------------------- */

static enum rf_kind url_encode_rows(struct func_call *call, const struct vec *args, uint32_t count,
                                    struct vec *out, const char *blank, struct rf_err *err)
{
    static const char hex[] = "0123456789abcdef";
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        rf_str s = ARG_STR(&args[0], i);
        for (size_t at = 0; at < s.len; at++) {
            uint8_t c = s.ptr[at];
            if (rf_is_alnum(c) || (c != 0 && strchr("-_.!*()", c) != NULL)) {
                rf_buf_byte(&rows.buf, c);
            } else if (c == ' ') {
                rf_buf_str(&rows.buf, rf_str_of(blank));
            } else {
                const uint8_t escape[3] = {'%', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15]};
                rf_buf_put(&rows.buf, escape, 3);
            }
        }
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL(url_encode_kernel) { return url_encode_rows(call, args, count, out, "+", err); }
FUNC_KERNEL(url_encode_component_kernel)
{
    return url_encode_rows(call, args, count, out, "%20", err);
}

static int hex_value(uint8_t c)
{
    if (rf_is_digit(c)) return c - '0';
    c = rf_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A percent sign without two hex digits stands for itself. */
static void take_percent(struct rf_buf *buf, rf_str s)
{
    for (size_t at = 0; at < s.len; at++) {
        uint8_t c = s.ptr[at];
        if (c == '%' && at + 2 < s.len && hex_value(s.ptr[at + 1]) >= 0 &&
            hex_value(s.ptr[at + 2]) >= 0) {
            c = (uint8_t)(hex_value(s.ptr[at + 1]) << 4 | hex_value(s.ptr[at + 2]));
            at += 2;
        } else if (c == '+') {
            c = ' ';
        }
        rf_buf_byte(buf, c);
    }
}

/* Puts U+FFFD where bytes are no UTF-8: texts must stay well formed. */
static void put_repaired(struct rf_buf *buf, rf_str s)
{
    for (size_t at = 0; at < s.len;) {
        uint8_t bytes[4];
        uint32_t cp = rf_utf8_next(s, &at);
        rf_buf_put(buf, bytes, rf_utf8_put(cp, bytes));
    }
}

FUNC_KERNEL(url_decode_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    struct rf_buf decoded = rf_buf_in(call->arena);
    for (uint32_t i = 0; i < count; i++) {
        decoded.len = 0;
        take_percent(&decoded, ARG_STR(&args[0], i));
        if (rf_utf8_valid(rf_buf_view(&decoded))) {
            rf_buf_str(&rows.buf, rf_buf_view(&decoded));
        } else {
            put_repaired(&rows.buf, rf_buf_view(&decoded));
        }
        text_rows_end(&rows, i);
    }
    bool good = text_rows_finish(&rows, count) && !decoded.failed;
    return good ? RF_OK : rf_fail_memory(err, call->arena);
}

/* ---- punycode (RFC 3492) ------------------------------------------------------------------------------- */

enum {
    PUNY_BASE = 36,
    PUNY_TMIN = 1,
    PUNY_TMAX = 26,
    PUNY_SKEW = 38,
    PUNY_DAMP = 700,
    PUNY_BIAS = 72,
    PUNY_FIRST = 128,
    PUNY_POINTS_MAX = 4096 /* encoding and decoding take time in the square of the length */
};

static uint32_t puny_adapt(uint32_t delta, uint32_t points, bool first)
{
    delta = first ? delta / PUNY_DAMP : delta / 2;
    delta += delta / points;
    uint32_t k = 0;
    for (; delta > (PUNY_BASE - PUNY_TMIN) * PUNY_TMAX / 2; k += PUNY_BASE)
        delta /= PUNY_BASE - PUNY_TMIN;
    return k + (PUNY_BASE - PUNY_TMIN + 1) * delta / (delta + PUNY_SKEW);
}

static uint32_t puny_threshold(uint32_t k, uint32_t bias)
{
    return k <= bias ? PUNY_TMIN : k >= bias + PUNY_TMAX ? PUNY_TMAX : k - bias;
}

static void put_puny_number(struct rf_buf *buf, uint32_t number, uint32_t bias)
{
    for (uint32_t k = PUNY_BASE;; k += PUNY_BASE) {
        uint32_t t = puny_threshold(k, bias);
        uint32_t digit = number < t ? number : t + (number - t) % (PUNY_BASE - t);
        rf_buf_byte(buf, (uint8_t)(digit < 26 ? 'a' + digit : '0' + digit - 26));
        if (number < t) return;
        number = (number - t) / (PUNY_BASE - t);
    }
}

/* RFC 3492 section 6.3. */
static bool put_punycode(struct rf_buf *buf, rf_str text)
{
    uint32_t n = PUNY_FIRST, delta = 0, bias = PUNY_BIAS, basic = 0, total = 0;
    if (!rf_utf8_valid(text) || rf_utf8_count(text) > PUNY_POINTS_MAX) return false;
    for (size_t at = 0; at < text.len; total++) {
        uint32_t cp = rf_utf8_next(text, &at);
        if (cp >= PUNY_FIRST) continue;
        rf_buf_byte(buf, (uint8_t)cp);
        basic++;
    }
    if (basic > 0) rf_buf_byte(buf, '-');
    for (uint32_t done = basic; done < total; n++) {
        uint32_t next = UINT32_MAX;
        for (size_t at = 0; at < text.len;) {
            uint32_t cp = rf_utf8_next(text, &at);
            if (cp >= n && cp < next) next = cp;
        }
        uint64_t grown = delta + (uint64_t)(next - n) * (done + 1);
        if (grown > UINT32_MAX) return false;
        delta = (uint32_t)grown;
        n = next;
        for (size_t at = 0; at < text.len;) {
            uint32_t cp = rf_utf8_next(text, &at);
            if (cp < n && ++delta == 0) return false;
            if (cp != n) continue;
            put_puny_number(buf, delta, bias);
            bias = puny_adapt(delta, done + 1, done == basic);
            delta = 0;
            done++;
        }
        if (++delta == 0) return false;
    }
    return true;
}

static int puny_digit(uint8_t c)
{
    if (rf_is_digit(c)) return c - '0' + 26;
    return rf_is_alpha(c) ? rf_lower(c) - 'a' : -1;
}

/* Reads one number; false: it is cut short or too large. */
static bool take_puny_number(rf_str text, size_t *at, uint32_t bias, uint32_t *number)
{
    uint64_t value = *number, weight = 1;
    for (uint32_t k = PUNY_BASE;; k += PUNY_BASE) {
        if (*at >= text.len) return false;
        int digit = puny_digit(text.ptr[(*at)++]);
        if (digit < 0) return false;
        value += (uint64_t)digit * weight;
        if (value > INT32_MAX) return false;
        uint32_t t = puny_threshold(k, bias);
        if ((uint32_t)digit < t) break;
        weight *= PUNY_BASE - t;
        if (weight > INT32_MAX) return false;
    }
    *number = (uint32_t)value;
    return true;
}

/* RFC 3492 section 6.2. */
static bool take_punycode(struct rf_buf *buf, rf_str text)
{
    size_t basic = text.len;
    while (basic > 0 && text.ptr[basic - 1] != '-') basic--;
    size_t at = basic; /* behind the last dash */
    if (basic > 0) basic--;
    if (text.len > PUNY_POINTS_MAX) return false;
    uint32_t *points = rf_arena_new(buf->arena, uint32_t, text.len + 1);
    if (points == NULL) {
        buf->failed = true;
        return false;
    }
    uint32_t count = 0, n = PUNY_FIRST, place = 0, bias = PUNY_BIAS;
    for (size_t i = 0; i < basic; i++) {
        if (text.ptr[i] >= 0x80) return false;
        points[count++] = text.ptr[i];
    }
    while (at < text.len) {
        uint32_t before = place;
        if (!take_puny_number(text, &at, bias, &place)) return false;
        bias = puny_adapt(place - before, count + 1, before == 0);
        n += place / (count + 1);
        place %= count + 1;
        if (n > 0x10FFFF || (n >= 0xD800 && n <= 0xDFFF)) return false;
        memmove(points + place + 1, points + place, (count - place) * sizeof *points);
        points[place++] = n;
        count++;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t bytes[4];
        rf_buf_put(buf, bytes, rf_utf8_put(points[i], bytes));
    }
    return true;
}

typedef bool put_label(struct rf_buf *buf, rf_str label);

/* Labels that are ASCII stay as they are. */
static bool put_encoded_label(struct rf_buf *buf, rf_str label)
{
    if (string_is_ascii(label)) {
        rf_buf_str(buf, label);
        return true;
    }
    rf_buf_str(buf, RF_S("xn--"));
    return put_punycode(buf, label);
}

static bool put_decoded_label(struct rf_buf *buf, rf_str label)
{
    if (label.len >= 4 && rf_str_eq_nocase(rf_slice(label, 0, 4), RF_S("xn--")))
        return take_punycode(buf, rf_slice(label, 4, label.len));
    rf_buf_str(buf, label);
    return true;
}

static bool put_domain(struct rf_buf *buf, rf_str domain, put_label *put)
{
    for (size_t from = 0; from <= domain.len;) {
        size_t dot = rf_str_find(domain, RF_S("."), from);
        size_t to = dot == SIZE_MAX ? domain.len : dot;
        if (from > 0) rf_buf_byte(buf, '.');
        if (!put(buf, rf_slice(domain, from, to))) return false;
        from = to + 1;
    }
    return true;
}

static bool put_encoded_domain(struct rf_buf *buf, rf_str s)
{
    return put_domain(buf, s, put_encoded_label);
}
static bool put_decoded_domain(struct rf_buf *buf, rf_str s)
{
    return put_domain(buf, s, put_decoded_label);
}

/* Rows of a coder that may refuse its text, which then becomes empty. */
static enum rf_kind coder_rows(struct func_call *call, const struct vec *args, uint32_t count,
                               struct vec *out, put_label *put, struct rf_err *err)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        size_t from = rows.buf.len;
        if (!put(&rows.buf, ARG_STR(&args[0], i))) rows.buf.len = from;
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL(puny_encode_kernel) { return coder_rows(call, args, count, out, put_punycode, err); }
FUNC_KERNEL(puny_decode_kernel) { return coder_rows(call, args, count, out, take_punycode, err); }
FUNC_KERNEL(domain_encode_kernel)
{
    return coder_rows(call, args, count, out, put_encoded_domain, err);
}
FUNC_KERNEL(domain_decode_kernel)
{
    return coder_rows(call, args, count, out, put_decoded_domain, err);
}

/* ---- compression ---------------------------------------------------------------------------------------- */

enum {
    ZLIB_BITS = 15,
    GZIP_BITS = 15 + 16,          /* zlib's word for a gzip header */
    UNPACKED_BYTES_MAX = 16 << 20 /* a few bytes can unpack to gigabytes */
};

/* zlib takes its memory from the call's arena, so that it counts against the budget. */
static void *zlib_alloc(void *opaque, uInt items, uInt size)
{
    return rf_arena_array_raw(opaque, items, size);
}
static void zlib_free(void *opaque, void *address)
{
    (void)opaque;
    (void)address;
}

static bool pack(struct rf_buf *buf, struct rf_arena *temp, rf_str s, int bits)
{
    z_stream z = {.zalloc = zlib_alloc, .zfree = zlib_free, .opaque = temp};
    if (s.len > UINT32_MAX / 2) return false;
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        buf->failed = true;
        return false;
    }
    uLong bound = deflateBound(&z, (uLong)s.len);
    uint8_t *packed = rf_arena_alloc(temp, bound);
    if (packed == NULL) {
        buf->failed = true;
        return false;
    }
    z.next_in = (Bytef *)(uintptr_t)s.ptr;
    z.avail_in = (uInt)s.len;
    z.next_out = packed;
    z.avail_out = (uInt)bound;
    int result = deflate(&z, Z_FINISH);
    RF_ASSERT(result == Z_STREAM_END);
    put_base64(buf, rf_str_make(packed, z.total_out));
    (void)deflateEnd(&z);
    return true;
}

static bool unpack(struct rf_buf *buf, struct rf_arena *temp, rf_str s, int bits)
{
    struct rf_buf packed = rf_buf_in(temp);
    size_t start = buf->len;
    if (!take_base64(&packed, s) || packed.failed || packed.len == 0 ||
        packed.len > UINT32_MAX / 2) {
        buf->failed = buf->failed || packed.failed;
        return false;
    }
    z_stream z = {.zalloc = zlib_alloc, .zfree = zlib_free, .opaque = temp};
    z.next_in = packed.ptr;
    z.avail_in = (uInt)packed.len;
    int result = inflateInit2(&z, bits);
    while (result == Z_OK && buf->len - start <= UNPACKED_BYTES_MAX) {
        uint8_t block[4096];
        z.next_out = block;
        z.avail_out = sizeof block;
        result = inflate(&z, Z_NO_FLUSH);
        size_t made = sizeof block - z.avail_out;
        rf_buf_put(buf, block, made);
        if (made == 0 && z.avail_in == 0) break;
    }
    (void)inflateEnd(&z);
    if (result == Z_MEM_ERROR) buf->failed = true;
    if (result != Z_STREAM_END || buf->failed) return false;
    return buf->len == start || rf_utf8_valid(rf_str_make(buf->ptr + start, buf->len - start));
}

typedef bool packer(struct rf_buf *buf, struct rf_arena *temp, rf_str s, int bits);

static enum rf_kind pack_rows(struct func_call *call, const struct vec *args, uint32_t count,
                              struct vec *out, packer *run, int bits, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena temp;
    rf_arena_init_shared(&temp, call->arena->budget);
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        size_t from = rows.buf.len;
        rf_arena_reset(&temp);
        if (!run(&rows.buf, &temp, ARG_STR(&args[0], i), bits)) rows.buf.len = from;
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL(gzip_pack_kernel) { return pack_rows(call, args, count, out, pack, GZIP_BITS, err); }
FUNC_KERNEL(gzip_unpack_kernel)
{
    return pack_rows(call, args, count, out, unpack, GZIP_BITS, err);
}
FUNC_KERNEL(zlib_pack_kernel) { return pack_rows(call, args, count, out, pack, ZLIB_BITS, err); }
FUNC_KERNEL(zlib_unpack_kernel)
{
    return pack_rows(call, args, count, out, unpack, ZLIB_BITS, err);
}

/* ---- table ------------------------------------------------------------------------------------------------ */

#define SIGS(name, sig, kernel)                                                                    \
    static const struct func_overload name[] = {{sig, kernel}, {NULL, NULL}};
SIGS(base64_encode_sigs, "(text:string) string", base64_encode_kernel)
SIGS(base64_decode_sigs, "(text:string) string", base64_decode_kernel)
SIGS(base64_to_array_sigs, "(text:string) dynamic", base64_to_array_kernel)
SIGS(base64_from_array_sigs, "(bytes:dynamic) string", base64_from_array_kernel)
SIGS(base64_from_guid_sigs, "(value:guid) string", base64_from_guid_kernel)
SIGS(base64_to_guid_sigs, "(text:string) guid", base64_to_guid_kernel)
SIGS(url_encode_sigs, "(text:string) string", url_encode_kernel)
SIGS(url_encode_component_sigs, "(text:string) string", url_encode_component_kernel)
SIGS(url_decode_sigs, "(text:string) string", url_decode_kernel)
SIGS(puny_encode_sigs, "(text:string) string", puny_encode_kernel)
SIGS(puny_decode_sigs, "(text:string) string", puny_decode_kernel)
SIGS(domain_encode_sigs, "(domain:string) string", domain_encode_kernel)
SIGS(domain_decode_sigs, "(domain:string) string", domain_decode_kernel)
SIGS(gzip_pack_sigs, "(text:string) string", gzip_pack_kernel)
SIGS(gzip_unpack_sigs, "(text:string) string", gzip_unpack_kernel)
SIGS(zlib_pack_sigs, "(text:string) string", zlib_pack_kernel)
SIGS(zlib_unpack_sigs, "(text:string) string", zlib_unpack_kernel)
SIGS(hash_sigs, "(value:any, [modulus:long]) long", codec_hash_kernel)
SIGS(hash_combine_sigs, "(hash:long...) long", codec_hash_combine_kernel)
SIGS(hash_many_sigs, "(value:any...) long", codec_hash_many_kernel)
SIGS(hash_md5_sigs, "(value:any) string", codec_md5_kernel)
SIGS(hash_sha1_sigs, "(value:any) string", codec_sha1_kernel)
SIGS(hash_sha256_sigs, "(value:any) string", codec_sha256_kernel)

const struct func func_codec[] = {
    {.name = "base64_encode_tostring",
     .doc = "Base64 of the UTF-8 bytes.",
     .sigs = base64_encode_sigs},
    {.name = "base64_encodestring",
     .doc = "Old name of base64_encode_tostring.",
     .sigs = base64_encode_sigs,
     .flags = FUNC_HIDDEN},
    {.name = "base64_decode_tostring",
     .doc = "Text of the decoded bytes; empty when they are no UTF-8 or the base64 is broken.",
     .sigs = base64_decode_sigs},
    {.name = "base64_decodestring",
     .doc = "Old name of base64_decode_tostring.",
     .sigs = base64_decode_sigs,
     .flags = FUNC_HIDDEN},
    {.name = "base64_decode_toarray",
     .doc = "Array of the decoded bytes; null when the base64 is broken.",
     .sigs = base64_to_array_sigs},
    {.name = "base64_encode_fromarray",
     .doc = "Base64 of an array of bytes; empty when an element is no byte.",
     .sigs = base64_from_array_sigs,
     .nulls = FUNC_CUSTOM},
    {.name = "base64_encode_fromguid",
     .doc = "Base64 of the 16 bytes of a guid, its first three fields little endian.",
     .sigs = base64_from_guid_sigs},
    {.name = "base64_decode_toguid",
     .doc = "The guid of 16 decoded bytes, else null.",
     .sigs = base64_to_guid_sigs},
    {.name = "url_encode",
     .doc = "Percent-encodes; a blank becomes a plus.",
     .sigs = url_encode_sigs},
    {.name = "url_encode_component",
     .doc = "Percent-encodes; a blank becomes %20.",
     .sigs = url_encode_component_sigs},
    {.name = "url_decode",
     .doc = "Resolves percent escapes and pluses; bytes that are no UTF-8 become U+FFFD.",
     .sigs = url_decode_sigs},
    {.name = "punycode_from_string",
     .doc = "Punycode of a text, without the prefix xn--; empty when it is too long.",
     .sigs = puny_encode_sigs},
    {.name = "punycode_to_string",
     .doc = "The text that punycode without a prefix stands for; empty when invalid.",
     .sigs = puny_decode_sigs},
    {.name = "punycode_domain_to_string",
     .doc = "Writes the labels of a domain name that are not ASCII as xn--...",
     .sigs = domain_encode_sigs},
    {.name = "punycode_domain_from_string",
     .doc = "Reads the xn-- labels of a domain name; empty when one is invalid.",
     .sigs = domain_decode_sigs},
    {.name = "gzip_compress_to_base64_string", .doc = "Gzip, then base64.", .sigs = gzip_pack_sigs},
    {.name = "gzip_decompress_from_base64_string",
     .doc = "Reads gzip in base64; empty when it is broken, no UTF-8 or over 16 MiB.",
     .sigs = gzip_unpack_sigs},
    {.name = "zlib_compress_to_base64_string", .doc = "Zlib, then base64.", .sigs = zlib_pack_sigs},
    {.name = "zlib_decompress_from_base64_string",
     .doc = "Reads zlib in base64; empty when it is broken, no UTF-8 or over 16 MiB.",
     .sigs = zlib_unpack_sigs},
    {.name = "hash",
     .doc = "xxHash64 of the value; with a modulus 0 to modulus - 1, null unless that is positive.",
     .sigs = hash_sigs},
    {.name = "hash_xxhash64",
     .doc = "xxHash64 of the value; with a modulus 0 to modulus - 1, null unless that is positive.",
     .sigs = hash_sigs},
    {.name = "hash_combine",
     .doc = "One hash of several hashes, in order.",
     .sigs = hash_combine_sigs},
    {.name = "hash_many", .doc = "hash_combine of the hash of each value.", .sigs = hash_many_sigs},
    {.name = "hash_md5",
     .doc = "MD5 of the value's text in lower-case hex.",
     .sigs = hash_md5_sigs},
    {.name = "hash_sha1",
     .doc = "SHA-1 of the value's text in lower-case hex.",
     .sigs = hash_sha1_sigs},
    {.name = "hash_sha256",
     .doc = "SHA-256 of the value's text in lower-case hex.",
     .sigs = hash_sha256_sigs},
};
const size_t func_codec_count = RF_COUNT(func_codec);
