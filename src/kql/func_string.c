/* func_string.c - functions that measure, cut, join and change texts. Positions count code points. */
#include "kql/func_string_int.h"

#include "base/regex_unicode.h"
#include "base/term.h"

/* ---- shared with the other families ----------------------------------------------------------------- */

bool string_item(rf_str item, struct rf_arena *arena, rf_str *out)
{
    if (dyn_tag(item) == DYN_STRING) {
        *out = dyn_string(item);
        return true;
    }
    struct rf_buf buf = rf_buf_in(arena);
    dyn_put_text(item, &buf);
    *out = rf_buf_view(&buf);
    return !buf.failed;
}

bool string_arg(const struct vec *v, uint32_t row, struct rf_arena *arena, rf_str *out)
{
    *out = (rf_str){NULL, 0};
    if (v->type == TYPE_STRING) {
        *out = ARG_STR(v, row);
        return true;
    }
    if (ARG_NULL(v, row)) return true;
    if (v->type == TYPE_DYNAMIC) return string_item(ARG_STR(v, row), arena, out);
    struct value value = vec_value(v, row);
    struct rf_buf buf = rf_buf_in(arena);
    text_put_value(&buf, &value);
    *out = rf_buf_view(&buf);
    return !buf.failed;
}

bool string_is_ascii(rf_str s)
{
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8)
        if (rf_get_u64le(s.ptr + i) & UINT64_C(0x8080808080808080)) return false;
    for (; i < s.len; i++)
        if (s.ptr[i] >= 0x80) return false;
    return true;
}

size_t string_skip(rf_str s, size_t at, uint64_t count)
{
    while (count > 0 && at < s.len) {
        if (s.ptr[at] < 0x80) {
            at++;
        } else {
            (void)rf_utf8_next(s, &at);
        }
        count--;
    }
    return at;
}

size_t string_start(rf_str s, int64_t start)
{
    if (start >= 0) return string_skip(s, 0, (uint64_t)start);
    uint64_t back = 0 - (uint64_t)start, total = rf_utf8_count(s);
    return back >= total ? 0 : string_skip(s, 0, total - back);
}

bool string_window(const struct func_call *call, const struct vec *args, uint32_t row, rf_str s,
                   struct string_window *out)
{
    int64_t start = call->arg_count > 2 ? ARG_I64(&args[2], row) : 0;
    int64_t length = call->arg_count > 3 ? ARG_I64(&args[3], row) : -1;
    int64_t occurrence = call->arg_count > 4 ? ARG_I64(&args[4], row) : 1;
    for (uint32_t i = 2; i < call->arg_count; i++)
        if (ARG_NULL(&args[i], row)) return false;
    if (length < -1 || occurrence < 0) return false;
    out->from = string_start(s, start);
    out->to = length < 0 ? s.len : string_skip(s, out->from, (uint64_t)length);
    out->occurrence = RF_MAX(occurrence, 1);
    return true;
}

/* ---- sizes -------------------------------------------------------------------------------------------- */

FUNC_KERNEL(strlen_kernel)
{
    for (uint32_t i = 0; i < count; i++)
        OUT_I64(out)[i] = (int64_t)rf_utf8_count(ARG_STR(&args[0], i));
    return RF_OK;
}

FUNC_KERNEL(string_size_kernel)
{
    for (uint32_t i = 0; i < count; i++) OUT_I64(out)[i] = (int64_t)ARG_STR(&args[0], i).len;
    return RF_OK;
}

FUNC_KERNEL(isascii_kernel)
{
    for (uint32_t i = 0; i < count; i++) OUT_BOOL(out)[i] = string_is_ascii(ARG_STR(&args[0], i));
    return RF_OK;
}

FUNC_KERNEL(isutf8_kernel)
{
    for (uint32_t i = 0; i < count; i++) OUT_BOOL(out)[i] = rf_utf8_valid(ARG_STR(&args[0], i));
    return RF_OK;
}

FUNC_KERNEL(strcmp_kernel)
{
    for (uint32_t i = 0; i < count; i++) {
        int order = rf_str_cmp(ARG_STR(&args[0], i), ARG_STR(&args[1], i));
        OUT_I64(out)[i] = order < 0 ? -1 : order > 0;
    }
    return RF_OK;
}

/* ---- cutting ------------------------------------------------------------------------------------------ */

FUNC_KERNEL(substring_kernel)
{
    for (uint32_t i = 0; i < count; i++) {
        rf_str s;
        if (OUT_NULL(out)[i]) continue;
        if (!string_arg(&args[0], i, call->arena, &s)) return rf_fail_memory(err, call->arena);
        size_t from = string_start(s, ARG_I64(&args[1], i)), to = s.len;
        if (call->arg_count > 2) {
            int64_t length = ARG_I64(&args[2], i);
            to = string_skip(s, from, length < 0 ? 0 : (uint64_t)length);
        }
        OUT_STR(out)[i] = rf_slice(s, from, to);
    }
    return RF_OK;
}

static void put_split(struct rf_buf *buf, rf_str s, rf_str delimiter, int64_t wanted)
{
    struct dyn_builder array;
    struct term_finder finder;
    dyn_begin(&array, buf, DYN_ARRAY);
    if (!term_finder_init(&finder, delimiter, false, buf->arena)) buf->failed = true;
    size_t from = 0;
    for (int64_t piece = 0;; piece++) {
        size_t at = delimiter.len == 0 ? SIZE_MAX : term_finder_next(&finder, s, from, NULL);
        rf_str text = rf_slice(s, from, at == SIZE_MAX ? s.len : at);
        if (wanted < 0 || piece == wanted) {
            dyn_next(&array);
            dyn_put_string(buf, text);
        }
        if (at == SIZE_MAX || piece == wanted) break;
        from = at + delimiter.len;
    }
    dyn_end(&array);
}

FUNC_KERNEL(split_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        int64_t wanted = -1;
        if (OUT_NULL(out)[i]) continue;
        if (call->arg_count > 2) {
            wanted = ARG_I64(&args[2], i);
            if (wanted < 0) wanted = INT64_MAX; /* no piece has a negative number */
        }
        put_split(&rows.buf, ARG_STR(&args[0], i), ARG_STR(&args[1], i), wanted);
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL(indexof_kernel)
{
    for (uint32_t i = 0; i < count; i++) {
        rf_str s, part;
        struct string_window window;
        struct term_finder finder;
        if (!string_arg(&args[0], i, call->arena, &s) ||
            !string_arg(&args[1], i, call->arena, &part) ||
            !term_finder_init(&finder, part, false, call->arena))
            return rf_fail_memory(err, call->arena);
        if (!string_window(call, args, i, s, &window)) {
            OUT_NULL(out)[i] = 1;
            continue;
        }
        rf_str part_of = rf_slice(s, 0, window.to);
        size_t at = term_finder_next(&finder, part_of, window.from, NULL);
        for (int64_t n = 1; n < window.occurrence && at != SIZE_MAX; n++)
            at = term_finder_next(&finder, part_of, at + 1, NULL);
        OUT_I64(out)[i] = at == SIZE_MAX ? -1 : (int64_t)rf_utf8_count(rf_slice(s, 0, at));
    }
    return RF_OK;
}

/* ---- joining ------------------------------------------------------------------------------------------ */

static void put_arg(struct rf_buf *buf, const struct vec *v, uint32_t row)
{
    if (v->type == TYPE_STRING) {
        rf_buf_str(buf, ARG_STR(v, row));
    } else if (!ARG_NULL(v, row)) {
        struct value value = vec_value(v, row);
        text_put_value(buf, &value);
    }
}

FUNC_KERNEL(strcat_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t a = 0; a < call->arg_count; a++) put_arg(&rows.buf, &args[a], i);
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL(strcat_delim_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t a = 1; a < call->arg_count; a++) {
            if (a > 1) rf_buf_str(&rows.buf, ARG_STR(&args[0], i));
            put_arg(&rows.buf, &args[a], i);
        }
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL(strcat_array_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        rf_str array = ARG_STR(&args[0], i);
        uint32_t items = dyn_tag(array) == DYN_ARRAY ? dyn_count(array) : 0;
        for (uint32_t item = 0; item < items; item++) {
            if (item > 0) rf_buf_str(&rows.buf, ARG_STR(&args[1], i));
            dyn_put_text(dyn_item(array, item), &rows.buf);
        }
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL(strrep_kernel)
{
    enum { TIMES_MAX = 1024 };
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        rf_str s;
        if (OUT_NULL(out)[i]) continue;
        if (!string_arg(&args[0], i, call->arena, &s)) return rf_fail_memory(err, call->arena);
        int64_t times = RF_MIN(ARG_I64(&args[1], i), TIMES_MAX);
        for (int64_t n = 0; n < times && !rows.buf.failed; n++) {
            if (n > 0 && call->arg_count > 2) rf_buf_str(&rows.buf, ARG_STR(&args[2], i));
            rf_buf_str(&rows.buf, s);
        }
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

/* ---- letters ------------------------------------------------------------------------------------------ */

static void put_point(struct rf_buf *buf, uint32_t cp)
{
    uint8_t bytes[4];
    rf_buf_put(buf, bytes, rf_utf8_put(cp, bytes));
}

/* Malformed bytes pass unchanged. */
static void put_mapped(struct rf_buf *buf, rf_str s, bool upper)
{
    for (size_t at = 0; at < s.len;) {
        size_t from = at;
        uint32_t cp = rf_utf8_next(s, &at);
        uint32_t mapped = upper ? unicode_upper(cp) : unicode_lower(cp);
        if (mapped == cp) {
            rf_buf_put(buf, s.ptr + from, at - from);
        } else {
            put_point(buf, mapped);
        }
    }
}

RF_CLONES static void ascii_map(const uint8_t *from, uint8_t *to, size_t len, uint8_t first)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t c = from[i];
        to[i] = (uint8_t)(c ^ ((uint8_t)(c - first) < 26 ? 0x20 : 0));
    }
}

static enum rf_kind case_rows(struct func_call *call, const struct vec *args, uint32_t count,
                              struct vec *out, struct rf_err *err, bool upper)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        rf_str s = ARG_STR(&args[0], i);
        if (!string_is_ascii(s)) {
            put_mapped(&rows.buf, s, upper);
        } else if (s.len > 0 && rf_buf_reserve(&rows.buf, s.len)) {
            ascii_map(s.ptr, rows.buf.ptr + rows.buf.len, s.len, upper ? 'a' : 'A');
            rows.buf.len += s.len;
        }
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL(tolower_kernel) { return case_rows(call, args, count, out, err, false); }
FUNC_KERNEL(toupper_kernel) { return case_rows(call, args, count, out, err, true); }

FUNC_KERNEL(reverse_kernel)
{
    for (uint32_t i = 0; i < count; i++) {
        rf_str s;
        if (!string_arg(&args[0], i, call->arena, &s)) return rf_fail_memory(err, call->arena);
        uint8_t *to = rf_arena_alloc(call->arena, s.len);
        if (to == NULL) return rf_fail_memory(err, call->arena);
        for (size_t at = 0; at < s.len;) {
            size_t from = at;
            (void)rf_utf8_next(s, &at);
            memcpy(to + (s.len - at), s.ptr + from, at - from);
        }
        OUT_STR(out)[i] = (rf_str){to, s.len};
    }
    return RF_OK;
}

/* Where in `list` code point `cp` stands, counted in code points; SIZE_MAX: nowhere. */
static size_t point_index(rf_str list, uint32_t cp)
{
    size_t index = 0;
    for (size_t at = 0; at < list.len; index++)
        if (rf_utf8_next(list, &at) == cp) return index;
    return SIZE_MAX;
}

static void put_translated(struct rf_buf *buf, rf_str search, rf_str replacement, rf_str source)
{
    size_t replacements = rf_utf8_count(replacement);
    for (size_t at = 0; at < source.len;) {
        size_t from = at;
        size_t index = point_index(search, rf_utf8_next(source, &at));
        if (index == SIZE_MAX) {
            rf_buf_put(buf, source.ptr + from, at - from);
        } else if (replacements > 0) { /* a list that is too short repeats its last */
            size_t place = string_skip(replacement, 0, RF_MIN(index, replacements - 1));
            put_point(buf, rf_utf8_next(replacement, &place));
        }
    }
}

FUNC_KERNEL(translate_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        put_translated(&rows.buf, ARG_STR(&args[0], i), ARG_STR(&args[1], i), ARG_STR(&args[2], i));
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL(codepoints_from_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        rf_str s = ARG_STR(&args[0], i);
        struct dyn_builder array;
        dyn_begin(&array, &rows.buf, DYN_ARRAY);
        for (size_t at = 0; at < s.len;) {
            dyn_next(&array);
            dyn_put_long(&rows.buf, rf_utf8_next(s, &at));
        }
        dyn_end(&array);
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

/* Whole numbers, and arrays of them; everything else is passed over. */
static void put_codepoints(struct rf_buf *buf, rf_str d)
{
    if (dyn_tag(d) == DYN_ARRAY) {
        for (uint32_t i = 0; i < dyn_count(d); i++) {
            rf_str item = dyn_item(d, i);
            if (dyn_tag(item) != DYN_ARRAY) put_codepoints(buf, item);
        }
    } else if (dyn_tag(d) == DYN_INT || dyn_tag(d) == DYN_LONG) {
        int64_t cp = dyn_i64(d);
        if (cp >= 0 && cp <= UNICODE_MAX) put_point(buf, (uint32_t)cp);
    }
}

FUNC_KERNEL(codepoints_to_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t a = 0; a < call->arg_count; a++) {
            const struct vec *v = &args[a];
            if (ARG_NULL(v, i)) continue;
            if (v->type == TYPE_DYNAMIC) {
                put_codepoints(&rows.buf, ARG_STR(v, i));
            } else if (v->type == TYPE_INT || v->type == TYPE_LONG) {
                int64_t cp = ARG_I64(v, i);
                if (cp >= 0 && cp <= UNICODE_MAX) put_point(&rows.buf, (uint32_t)cp);
            }
        }
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

/* ---- replacing ---------------------------------------------------------------------------------------- */

FUNC_KERNEL(replace_string_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        rf_str s = ARG_STR(&args[0], i), lookup = ARG_STR(&args[1], i);
        struct term_finder finder;
        if (!term_finder_init(&finder, lookup, false, call->arena))
            return rf_fail_memory(err, call->arena);
        size_t from = 0, at = lookup.len == 0 ? SIZE_MAX : term_finder_next(&finder, s, 0, NULL);
        if (at == SIZE_MAX) {
            OUT_STR(out)[i] = s;
            continue;
        }
        for (; at != SIZE_MAX; at = term_finder_next(&finder, s, from, NULL)) {
            rf_buf_put(&rows.buf, s.ptr + from, at - from);
            rf_buf_str(&rows.buf, ARG_STR(&args[2], i));
            from = at + lookup.len;
        }
        rf_buf_put(&rows.buf, s.ptr + from, s.len - from);
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

/* A part of the text: still the source's, or the product of an earlier pair. */
struct piece {
    rf_str text;
    bool done;
};
struct pieces {
    struct piece *items;
    uint32_t count, cap;
    struct rf_arena *arena;
};

static bool piece_add(struct pieces *pieces, rf_str text, bool done)
{
    if (text.len == 0) return true;
    if (pieces->count == pieces->cap) {
        uint32_t cap = pieces->cap == 0 ? 16 : pieces->cap * 2;
        struct piece *items = rf_arena_grow(pieces->arena, pieces->items,
                                            pieces->cap * sizeof *items, cap * sizeof *items);
        if (items == NULL || cap < pieces->cap) return false;
        pieces->items = items;
        pieces->cap = cap;
    }
    pieces->items[pieces->count++] = (struct piece){text, done};
    return true;
}

/* Cuts what no earlier pair made at each `lookup`. */
static bool pieces_replace(const struct pieces *from, struct pieces *to, rf_str lookup,
                           rf_str rewrite)
{
    struct term_finder finder;
    if (!term_finder_init(&finder, lookup, false, to->arena)) return false;
    to->count = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        struct piece piece = from->items[i];
        size_t start = 0, at = SIZE_MAX;
        if (!piece.done) at = term_finder_next(&finder, piece.text, 0, NULL);
        for (; at != SIZE_MAX; at = term_finder_next(&finder, piece.text, start, NULL)) {
            if (!piece_add(to, rf_slice(piece.text, start, at), false)) return false;
            if (!piece_add(to, rewrite, true)) return false;
            start = at + lookup.len;
        }
        if (!piece_add(to, rf_slice(piece.text, start, piece.text.len), piece.done)) return false;
    }
    return true;
}

static bool put_replaced(struct rf_buf *buf, struct rf_arena *arena, rf_str s, rf_str lookups,
                         rf_str rewrites)
{
    struct pieces a = {.arena = arena}, b = {.arena = arena};
    if (!piece_add(&a, s, false)) return false;
    for (uint32_t i = 0; i < dyn_count(lookups); i++) {
        rf_str lookup = dyn_string(dyn_item(lookups, i)), rewrite = lookup;
        /* What is no text replaces nothing, but keeps later pairs off what was found. */
        if (dyn_tag(dyn_item(rewrites, i)) == DYN_STRING)
            rewrite = dyn_string(dyn_item(rewrites, i));
        if (lookup.len == 0) continue;
        if (!pieces_replace(&a, &b, lookup, rewrite)) return false;
        struct pieces swap = a;
        a = b;
        b = swap;
    }
    for (uint32_t i = 0; i < a.count; i++) rf_buf_str(buf, a.items[i].text);
    return true;
}

FUNC_KERNEL(replace_strings_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    RF_CLEANUP(rf_arena_done) struct rf_arena temp;
    rf_arena_init_shared(&temp, call->arena->budget);
    for (uint32_t i = 0; i < count; i++) {
        rf_str lookups = ARG_STR(&args[1], i), rewrites = ARG_STR(&args[2], i);
        if (dyn_tag(lookups) != DYN_ARRAY || dyn_tag(rewrites) != DYN_ARRAY) {
            OUT_STR(out)[i] = ARG_STR(&args[0], i);
            continue;
        }
        rf_arena_reset(&temp);
        if (!put_replaced(&rows.buf, &temp, ARG_STR(&args[0], i), lookups, rewrites))
            return rf_fail_memory(err, &temp);
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

/* ---- table -------------------------------------------------------------------------------------------- */

#define SIGS(name, sig, kernel)                                                                    \
    static const struct func_overload name[] = {{sig, kernel}, {NULL, NULL}};
SIGS(strlen_sigs, "(text:string) long", strlen_kernel)
SIGS(string_size_sigs, "(text:string) long", string_size_kernel)
SIGS(isascii_sigs, "(text:scalar) bool", isascii_kernel)
SIGS(isutf8_sigs, "(text:scalar) bool", isutf8_kernel)
SIGS(strcmp_sigs, "(a:scalar, b:scalar) long", strcmp_kernel)
SIGS(substring_sigs, "(source:any, start:long, [length:long]) string", substring_kernel)
SIGS(split_sigs, "(source:scalar, delimiter:string, [index:long]) dynamic", split_kernel)
SIGS(indexof_sigs, "(source:any, part:any, [start:long], [length:long], [occurrence:long]) long",
     indexof_kernel)
SIGS(strcat_sigs, "(value:any...) string", strcat_kernel)
SIGS(strcat_delim_sigs, "(delimiter:scalar, value:any...) string", strcat_delim_kernel)
SIGS(strcat_array_sigs, "(array:dynamic, delimiter:scalar) string", strcat_array_kernel)
SIGS(strrep_sigs, "(value:any, times:long, [delimiter:scalar]) string", strrep_kernel)
SIGS(tolower_sigs, "(text:scalar) string", tolower_kernel)
SIGS(toupper_sigs, "(text:scalar) string", toupper_kernel)
SIGS(reverse_sigs, "(value:any) string", reverse_kernel)
SIGS(translate_sigs, "(search:string, replacement:string, source:string) string", translate_kernel)
SIGS(codepoints_from_sigs, "(text:scalar) dynamic", codepoints_from_kernel)
SIGS(codepoints_to_sigs, "(value:any...) string", codepoints_to_kernel)
SIGS(replace_string_sigs, "(text:string, lookup:string, rewrite:string) string",
     replace_string_kernel)
SIGS(replace_strings_sigs, "(text:string, lookups:dynamic, rewrites:dynamic) string",
     replace_strings_kernel)

const struct func func_string[] = {
    {.name = "strlen", .column = "strlen_%", .doc = "Number of code points.", .sigs = strlen_sigs},
    {.name = "string_size",
     .column = "string_size_%",
     .doc = "Number of UTF-8 bytes.",
     .sigs = string_size_sigs},
    {.name = "isascii", .doc = "True when all characters are ASCII.", .sigs = isascii_sigs},
    {.name = "isutf8", .doc = "True when the bytes are well-formed UTF-8.", .sigs = isutf8_sigs},
    {.name = "strcmp", .doc = "-1, 0 or 1 by the order of the bytes.", .sigs = strcmp_sigs},
    {.name = "substring",
     .doc = "Part of a text from code point start; a negative start counts from the end.",
     .sigs = substring_sigs},
    {.name = "split",
     .column = "%",
     .doc = "Array of the pieces between delimiters; with an index just that piece, if it exists.",
     .sigs = split_sigs},
    {.name = "indexof",
     .doc = "Position of a part, -1 when it is absent; null for a bad length or occurrence.",
     .sigs = indexof_sigs,
     .nulls = FUNC_CUSTOM},
    {.name = "strcat",
     .doc = "Joins all values as texts; a null adds nothing.",
     .sigs = strcat_sigs,
     .nulls = FUNC_CUSTOM},
    {.name = "strcat_delim",
     .doc = "Joins all values as texts with a delimiter between them.",
     .sigs = strcat_delim_sigs,
     .nulls = FUNC_CUSTOM},
    {.name = "strcat_array",
     .doc = "Joins the elements of an array; empty when it is no array.",
     .sigs = strcat_array_sigs,
     .nulls = FUNC_CUSTOM},
    {.name = "array_strcat",
     .doc = "Old name of strcat_array.",
     .sigs = strcat_array_sigs,
     .nulls = FUNC_CUSTOM,
     .flags = FUNC_HIDDEN},
    {.name = "strrep",
     .doc = "The value's text up to 1024 times, with an optional delimiter between.",
     .sigs = strrep_sigs},
    {.name = "tolower", .doc = "Lower case, letter by letter.", .sigs = tolower_sigs},
    {.name = "toupper", .doc = "Upper case, letter by letter.", .sigs = toupper_sigs},
    {.name = "reverse",
     .doc = "The code points of the value's text from last to first.",
     .sigs = reverse_sigs,
     .nulls = FUNC_CUSTOM},
    {.name = "translate",
     .doc = "Replaces each character of a list by its fellow; a shorter list repeats its last.",
     .sigs = translate_sigs},
    {.name = "unicode_codepoints_from_string",
     .doc = "Array of the code points.",
     .sigs = codepoints_from_sigs},
    {.name = "to_utf8",
     .doc = "Old name of unicode_codepoints_from_string.",
     .sigs = codepoints_from_sigs,
     .flags = FUNC_HIDDEN},
    {.name = "unicode_codepoints_to_string",
     .doc = "Text of code points and arrays of them; what is no code point is passed over.",
     .sigs = codepoints_to_sigs,
     .nulls = FUNC_CUSTOM},
    {.name = "make_string",
     .doc = "Old name of unicode_codepoints_to_string.",
     .sigs = codepoints_to_sigs,
     .nulls = FUNC_CUSTOM,
     .flags = FUNC_HIDDEN},
    {.name = "replace_string",
     .doc = "Replaces every occurrence of a plain text; an empty lookup changes nothing.",
     .sigs = replace_string_sigs},
    {.name = "replace_strings",
     .doc = "Replaces several plain texts in turn; what one made, none behind it touches.",
     .sigs = replace_strings_sigs,
     .nulls = FUNC_CUSTOM},
};
const size_t func_string_count = RF_COUNT(func_string);
