/* template_func_text.c - texts: cutting, encodings, names made of digests. */
#include "arm/template_expr.h"
#include "base/encode.h"
#include "crypt/digest.h"

#include <stdio.h>

static struct rf_arena *arena_of(const struct template_call *call)
{
    return call->frame->run->arena;
}

/* Gives what stands in the buffer. */
static enum rf_kind give_buf(const struct template_call *call, const struct rf_buf *buf,
                             struct json_node **out, struct rf_err *err)
{
    if (buf->failed) return rf_fail_memory(err, arena_of(call));
    return template_give_text(call, rf_buf_view(buf), out, err);
}

/* A text of which a null is the empty one. */
static enum rf_kind text_arg(const struct template_call *call, uint32_t index, rf_str *out,
                             struct rf_err *err)
{
    *out = RF_S("");
    if (json_is(call->args[index], JSON_T_NULL)) return RF_OK;
    return template_arg_text(call, index, out, err);
}

/* ---- case, blanks, parts ---------------------------------------------------------------------------------------------- */

static enum rf_kind fold(const struct template_call *call, uint8_t (*change)(uint8_t),
                         struct json_node **out, struct rf_err *err)
{
    rf_str text;
    RF_TRY(text_arg(call, 0, &text, err));
    uint8_t *copy = rf_arena_alloc(arena_of(call), text.len);
    if (copy == NULL) return rf_fail_memory(err, arena_of(call));
    for (size_t i = 0; i < text.len; i++) copy[i] = change(text.ptr[i]);
    return template_give_text(call, rf_str_make(copy, text.len), out, err);
}

static enum rf_kind run_to_lower(const struct template_call *call, struct json_node **out,
                                 struct rf_err *err)
{
    return fold(call, rf_lower, out, err);
}

static enum rf_kind run_to_upper(const struct template_call *call, struct json_node **out,
                                 struct rf_err *err)
{
    return fold(call, rf_upper, out, err);
}

static enum rf_kind run_trim(const struct template_call *call, struct json_node **out,
                             struct rf_err *err)
{
    rf_str text;
    RF_TRY(text_arg(call, 0, &text, err));
    return template_give_text(call, rf_str_trim(text), out, err);
}

static size_t offset_of(rf_str text, int64_t chars)
{
    size_t at = 0;
    while (chars-- > 0 && at < text.len) (void)rf_utf8_next(text, &at);
    return at;
}

static enum rf_kind run_substring(const struct template_call *call, struct json_node **out,
                                  struct rf_err *err)
{
    rf_str text;
    int64_t start = 0, chars, count;
    RF_TRY(template_arg_text(call, 0, &text, err));
    if (call->count > 1) RF_TRY(template_arg_int(call, 1, &start, err));
    chars = (int64_t)rf_utf8_count(text);
    if (start < 0 || start > chars)
        return template_fail(call, err,
                             "the index parameter must be from 0 to the length of the text. The "
                             "index parameter: '%lld', the length: '%lld'.",
                             (long long)start, (long long)chars);
    count = chars - start;
    if (call->count > 2) RF_TRY(template_arg_int(call, 2, &count, err));
    if (count < 0 || count > chars - start)
        return template_fail(call, err,
                             "the index and length parameters must refer to a location within the "
                             "string. The index parameter: '%lld', the length parameter: '%lld', "
                             "the length of the string parameter: '%lld'.",
                             (long long)start, (long long)count, (long long)chars);
    size_t from = offset_of(text, start);
    size_t to = from + offset_of(rf_slice(text, from, text.len), count);
    return template_give_text(call, rf_slice(text, from, to), out, err);
}

static enum rf_kind run_starts_with(const struct template_call *call, struct json_node **out,
                                    struct rf_err *err)
{
    rf_str text, word;
    RF_TRY(template_arg_text(call, 0, &text, err));
    RF_TRY(template_arg_text(call, 1, &word, err));
    bool found = text.len >= word.len && rf_str_eq_nocase(rf_slice(text, 0, word.len), word);
    return template_give_bool(call, found, out, err);
}

static enum rf_kind run_ends_with(const struct template_call *call, struct json_node **out,
                                  struct rf_err *err)
{
    rf_str text, word;
    RF_TRY(template_arg_text(call, 0, &text, err));
    RF_TRY(template_arg_text(call, 1, &word, err));
    bool found = text.len >= word.len &&
                 rf_str_eq_nocase(rf_slice(text, text.len - word.len, text.len), word);
    return template_give_bool(call, found, out, err);
}

static enum rf_kind run_replace(const struct template_call *call, struct json_node **out,
                                struct rf_err *err)
{
    rf_str text, old, new;
    struct rf_buf buf = rf_buf_in(arena_of(call));
    RF_TRY(text_arg(call, 0, &text, err));
    RF_TRY(template_arg_text(call, 1, &old, err));
    RF_TRY(text_arg(call, 2, &new, err));
    if (old.len == 0) return template_fail(call, err, "the text to replace is empty.");
    for (size_t at = 0;;) {
        size_t found = rf_str_find(text, old, at);
        rf_buf_str(&buf, rf_slice(text, at, found == SIZE_MAX ? text.len : found));
        if (found == SIZE_MAX) break;
        rf_buf_str(&buf, new);
        if (buf.len > TEMPLATE_TEXT_BYTES_MAX) break; /* refused below */
        at = found + old.len;
    }
    return give_buf(call, &buf, out, err);
}

/* The delimiter that stands at a place; the first given wins. */
static bool delimiter_at(const struct json_node *delimiters, rf_str text, size_t at, size_t *len)
{
    const struct json_node *d = delimiters->type == JSON_T_ARRAY ? delimiters->first : delimiters;
    for (; d != NULL; d = delimiters->type == JSON_T_ARRAY ? d->next : NULL) {
        *len = d->text.len;
        if (d->type == JSON_T_STRING && *len > 0 && text.len - at >= *len &&
            memcmp(text.ptr + at, d->text.ptr, *len) == 0)
            return true;
    }
    return false;
}

static enum rf_kind add_text(const struct template_call *call, struct json_node *array, rf_str text,
                             struct rf_err *err)
{
    struct json_node *node;
    RF_TRY(template_give_text(call, text, &node, err));
    return template_add(call, array, node, err);
}

static enum rf_kind run_split(const struct template_call *call, struct json_node **out,
                              struct rf_err *err)
{
    rf_str text;
    struct json_node *parts;
    const struct json_node *delimiters = call->args[1];
    RF_TRY(text_arg(call, 0, &text, err));
    if (delimiters->type != JSON_T_ARRAY) RF_TRY(template_arg_is(call, 1, JSON_T_STRING, err));
    RF_TRY(template_give_new(call, JSON_T_ARRAY, &parts, err));
    RF_TRY(template_step(call->frame->run, text.len / 64 * (1 + delimiters->count), err));
    size_t from = 0, len;
    for (size_t at = 0; at < text.len;) {
        if (!delimiter_at(delimiters, text, at, &len)) {
            at++;
            continue;
        }
        RF_TRY(add_text(call, parts, rf_slice(text, from, at), err));
        from = at += len;
    }
    RF_TRY(add_text(call, parts, rf_slice(text, from, text.len), err));
    *out = parts;
    return RF_OK;
}

static enum rf_kind run_join(const struct template_call *call, struct json_node **out,
                             struct rf_err *err)
{
    rf_str between, text;
    struct rf_buf buf = rf_buf_in(arena_of(call));
    RF_TRY(template_arg_is(call, 0, JSON_T_ARRAY, err));
    RF_TRY(template_arg_text(call, 1, &between, err));
    for (const struct json_node *i = call->args[0]->first; i != NULL; i = i->next) {
        RF_TRY(template_step(call->frame->run, 1, err));
        RF_TRY(template_text_of(call, i, &text, err));
        if (i != call->args[0]->first) rf_buf_str(&buf, between);
        rf_buf_str(&buf, text);
    }
    return give_buf(call, &buf, out, err);
}

static enum rf_kind run_pad_left(const struct template_call *call, struct json_node **out,
                                 struct rf_err *err)
{
    rf_str text, fill = RF_S(" ");
    int64_t total;
    struct rf_buf buf = rf_buf_in(arena_of(call));
    RF_TRY(template_text_of(call, call->args[0], &text, err));
    RF_TRY(template_arg_int(call, 1, &total, err));
    if (call->count > 2) RF_TRY(template_arg_text(call, 2, &fill, err));
    if (rf_utf8_count(fill) != 1)
        return template_fail(call, err, "the padding must be one character.");
    if (total < 0 || total > TEMPLATE_ITEMS_MAX)
        return template_fail(call, err, "the total length must be from 0 to %d.",
                             TEMPLATE_ITEMS_MAX);
    for (int64_t i = (int64_t)rf_utf8_count(text); i < total; i++) rf_buf_str(&buf, fill);
    rf_buf_str(&buf, text);
    return give_buf(call, &buf, out, err);
}

/* ---- format: the composite formats of .NET, as far as texts and whole numbers go ----------------------------------------- */

static void put_grouped(struct rf_buf *buf, rf_str digits)
{
    for (size_t i = 0; i < digits.len; i++) {
        if (i > 0 && (digits.len - i) % 3 == 0) rf_buf_byte(buf, ',');
        rf_buf_byte(buf, digits.ptr[i]);
    }
}

static bool put_number(struct rf_buf *buf, int64_t number, rf_str spec)
{
    int64_t places = 0;
    uint8_t letter = spec.len == 0 ? 'G' : rf_upper(spec.ptr[0]);
    if (spec.len > 1 && !template_whole(rf_slice(spec, 1, spec.len), &places)) return false;
    if (places < 0 || places > 99) return false;
    char text[32];
    uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    bool is_hex = letter == 'X';
    int len = snprintf(text, sizeof text,
                       is_hex && spec.ptr[0] == 'x' ? "%llx"
                       : is_hex                     ? "%llX"
                                                    : "%llu",
                       (unsigned long long)(is_hex ? (uint64_t)number : size));
    rf_str digits = rf_str_make(text, (size_t)len);
    if (number < 0 && !is_hex) rf_buf_byte(buf, '-');
    switch (letter) {
    case 'G':
        rf_buf_str(buf, digits);
        return true;
    case 'D':
    case 'X':
        for (int64_t i = len; i < places; i++) rf_buf_byte(buf, '0');
        rf_buf_str(buf, digits);
        return true;
    case 'N':
    case 'F':
        if (letter == 'N')
            put_grouped(buf, digits);
        else
            rf_buf_str(buf, digits);
        if (spec.len == 1) places = 2;
        if (places > 0) rf_buf_byte(buf, '.');
        for (int64_t i = 0; i < places; i++) rf_buf_byte(buf, '0');
        return true;
    default:
        return false;
    }
}

/* One "{index[,width][:spec]}" without its braces. */
static enum rf_kind put_item(const struct template_call *call, rf_str item, struct rf_buf *out,
                             struct rf_err *err)
{
    size_t colon = rf_str_find(item, RF_S(":"), 0);
    rf_str spec = colon == SIZE_MAX ? RF_S("") : rf_slice(item, colon + 1, item.len);
    rf_str head = rf_slice(item, 0, colon == SIZE_MAX ? item.len : colon);
    size_t comma = rf_str_find(head, RF_S(","), 0);
    rf_str number = rf_slice(head, 0, comma == SIZE_MAX ? head.len : comma), text;
    int64_t index, width = 0, value;
    bool good = template_whole(rf_str_trim(number), &index);
    if (comma != SIZE_MAX)
        good = good && template_whole(rf_str_trim(rf_slice(head, comma + 1, head.len)), &width);
    if (!good || index < 0 || width < -1000 || width > 1000)
        return template_fail(call, err, "the format item '{%.*s}' is not understood.",
                             (int)RF_MIN(item.len, 60), (const char *)item.ptr);
    if (index + 1 >= call->count)
        return template_fail(call, err, "the format names argument %lld, and %u are given.",
                             (long long)index, call->count - 1);
    const struct json_node *arg = call->args[index + 1];
    struct rf_buf buf = rf_buf_in(arena_of(call));
    if (arg->type == JSON_T_NUMBER && template_whole(arg->text, &value)) {
        if (!put_number(&buf, value, spec))
            return template_fail(call, err, "the format '%.*s' of a number is not known.",
                                 (int)RF_MIN(spec.len, 60), (const char *)spec.ptr);
        text = rf_buf_view(&buf);
    } else {
        RF_TRY(template_text_of(call, arg, &text, err));
    }
    int64_t chars = (int64_t)rf_utf8_count(text);
    for (int64_t i = chars; i < width; i++) rf_buf_byte(out, ' ');
    rf_buf_str(out, text);
    for (int64_t i = chars; i < -width; i++) rf_buf_byte(out, ' ');
    return RF_OK;
}

static enum rf_kind run_format(const struct template_call *call, struct json_node **out,
                               struct rf_err *err)
{
    rf_str format;
    struct rf_buf buf = rf_buf_in(arena_of(call));
    RF_TRY(template_arg_text(call, 0, &format, err));
    for (size_t at = 0; at < format.len; at++) {
        uint8_t c = format.ptr[at];
        bool doubled = at + 1 < format.len && format.ptr[at + 1] == c;
        if ((c == '{' || c == '}') && doubled) {
            rf_buf_byte(&buf, c);
            at++;
        } else if (c == '{') {
            size_t end = rf_str_find(format, RF_S("}"), at);
            if (end == SIZE_MAX) return template_fail(call, err, "a '{' is not closed.");
            RF_TRY(put_item(call, rf_slice(format, at + 1, end), &buf, err));
            at = end;
        } else if (c == '}') {
            return template_fail(call, err, "a '}' stands alone; double it.");
        } else {
            rf_buf_byte(&buf, c);
        }
        RF_TRY(
            template_step(call->frame->run, buf.len > TEMPLATE_TEXT_BYTES_MAX ? 100000 : 0, err));
    }
    return give_buf(call, &buf, out, err);
}

/* ---- encodings ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind run_base64(const struct template_call *call, struct json_node **out,
                               struct rf_err *err)
{
    rf_str text;
    RF_TRY(template_arg_text(call, 0, &text, err));
    rf_str encoded = base64_encode(arena_of(call), text);
    if (encoded.ptr == NULL) return rf_fail_memory(err, arena_of(call));
    return template_give_text(call, encoded, out, err);
}

static enum rf_kind decoded(const struct template_call *call, rf_str text, rf_str *out,
                            struct rf_err *err)
{
    struct rf_err inner;
    if (base64_decode(arena_of(call), text, out, &inner) == RF_OK && rf_utf8_valid(*out))
        return RF_OK;
    return template_fail(call, err, "the text is not base64 of a text in UTF-8.");
}

static enum rf_kind run_base64_to_string(const struct template_call *call, struct json_node **out,
                                         struct rf_err *err)
{
    rf_str text, plain;
    RF_TRY(template_arg_text(call, 0, &text, err));
    RF_TRY(decoded(call, text, &plain, err));
    return template_give_text(call, plain, out, err);
}

static enum rf_kind run_base64_to_json(const struct template_call *call, struct json_node **out,
                                       struct rf_err *err)
{
    rf_str text, plain;
    struct rf_err inner;
    RF_TRY(template_arg_text(call, 0, &text, err));
    RF_TRY(decoded(call, text, &plain, err));
    if (json_parse(plain, arena_of(call), out, &inner) == RF_OK) return RF_OK;
    return template_fail(call, err, "the text is not JSON: %s", inner.text);
}

static enum rf_kind run_data_uri(const struct template_call *call, struct json_node **out,
                                 struct rf_err *err)
{
    rf_str text;
    RF_TRY(template_text_of(call, call->args[0], &text, err));
    rf_str encoded = base64_encode(arena_of(call), text);
    rf_str uri = rf_arena_printf(arena_of(call), "data:text/plain;charset=utf8;base64,%.*s",
                                 RF_FMT(encoded));
    if (encoded.ptr == NULL || uri.ptr == NULL) return rf_fail_memory(err, arena_of(call));
    return template_give_text(call, uri, out, err);
}

static enum rf_kind run_data_uri_to_string(const struct template_call *call, struct json_node **out,
                                           struct rf_err *err)
{
    rf_str text, plain;
    struct rf_err inner;
    RF_TRY(template_arg_text(call, 0, &text, err));
    size_t comma = rf_str_find(text, RF_S(","), 0);
    if (!rf_str_starts(text, RF_S("data:")) || comma == SIZE_MAX)
        return template_fail(call, err, "the text is not a data URI.");
    rf_str data = rf_slice(text, comma + 1, text.len);
    if (rf_str_ends(rf_slice(text, 0, comma), RF_S(";base64")))
        RF_TRY(decoded(call, data, &plain, err));
    else if (percent_decode(arena_of(call), data, false, &plain, &inner) != RF_OK)
        return template_fail(call, err, "the data URI is not well encoded.");
    return template_give_text(call, plain, out, err);
}

static enum rf_kind run_uri_component(const struct template_call *call, struct json_node **out,
                                      struct rf_err *err)
{
    rf_str text;
    RF_TRY(template_arg_text(call, 0, &text, err));
    rf_str encoded = percent_encode(arena_of(call), text);
    if (encoded.ptr == NULL && text.len > 0) return rf_fail_memory(err, arena_of(call));
    return template_give_text(call, encoded, out, err);
}

static enum rf_kind run_uri_component_to_string(const struct template_call *call,
                                                struct json_node **out, struct rf_err *err)
{
    rf_str text, plain;
    struct rf_err inner;
    RF_TRY(template_arg_text(call, 0, &text, err));
    if (percent_decode(arena_of(call), text, false, &plain, &inner) != RF_OK)
        return template_fail(call, err, "the text is not well encoded: %s", inner.text);
    return template_give_text(call, plain, out, err);
}

/* What stands behind the last slash of the base gives way; a base with no slash behind its host gets one. */
static enum rf_kind run_uri(const struct template_call *call, struct json_node **out,
                            struct rf_err *err)
{
    rf_str base, relative;
    struct rf_buf buf = rf_buf_in(arena_of(call));
    RF_TRY(template_arg_text(call, 0, &base, err));
    RF_TRY(template_arg_text(call, 1, &relative, err));
    size_t scheme = rf_str_find(base, RF_S("://"), 0);
    size_t host = scheme == SIZE_MAX ? 0 : scheme + 3, end = base.len;
    bool is_rooted = relative.len > 0 && relative.ptr[0] == '/';
    if (is_rooted) {
        size_t slash = rf_str_find(base, RF_S("/"), host);
        end = slash == SIZE_MAX ? base.len : slash;
    } else {
        while (end > host && base.ptr[end - 1] != '/') end--;
        if (end == host) end = base.len;
    }
    rf_buf_str(&buf, rf_slice(base, 0, end));
    if (!is_rooted && end > 0 && base.ptr[end - 1] != '/') rf_buf_byte(&buf, '/');
    rf_buf_str(&buf, relative);
    return give_buf(call, &buf, out, err);
}

/* ---- names from digests ----------------------------------------------------------------------------------------------------- */

rf_str template_guid_of(struct rf_arena *arena, rf_str text)
{
    uint8_t d[SHA1_BYTES];
    digest_sha1(text, d);
    d[6] = (uint8_t)((d[6] & 0x0f) | 0x50);
    d[8] = (uint8_t)((d[8] & 0x3f) | 0x80);
    return rf_arena_printf(
        arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", d[0], d[1],
        d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14], d[15]);
}

rf_str template_unique_of(struct rf_arena *arena, rf_str text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    enum { UNIQUE_CHARS = 13 };
    uint8_t digest[SHA256_BYTES], *name = rf_arena_alloc(arena, UNIQUE_CHARS);
    if (name == NULL) return (rf_str){0};
    digest_sha256(text, digest);
    uint64_t bits = rf_get_u64le(digest);
    for (int i = 0; i < UNIQUE_CHARS; i++, bits >>= 5) name[i] = (uint8_t)letters[bits & 31];
    return rf_str_make(name, UNIQUE_CHARS);
}

/* All arguments as one text that other arguments do not give: with their lengths. */
static enum rf_kind digest_input(const struct template_call *call, rf_str *out, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena_of(call));
    for (uint32_t i = 0; i < call->count; i++) {
        rf_str text;
        RF_TRY(template_text_of(call, call->args[i], &text, err));
        rf_buf_printf(&buf, "%zu:%.*s", text.len, RF_FMT(text));
    }
    if (buf.failed) return rf_fail_memory(err, arena_of(call));
    *out = rf_buf_view(&buf);
    return RF_OK;
}

static enum rf_kind run_guid(const struct template_call *call, struct json_node **out,
                             struct rf_err *err)
{
    rf_str input;
    RF_TRY(digest_input(call, &input, err));
    rf_str guid = template_guid_of(arena_of(call), input);
    return guid.ptr == NULL ? rf_fail_memory(err, arena_of(call))
                            : template_give_text(call, guid, out, err);
}

static enum rf_kind run_unique_string(const struct template_call *call, struct json_node **out,
                                      struct rf_err *err)
{
    rf_str input;
    RF_TRY(digest_input(call, &input, err));
    rf_str name = template_unique_of(arena_of(call), input);
    return name.ptr == NULL ? rf_fail_memory(err, arena_of(call))
                            : template_give_text(call, name, out, err);
}

static enum rf_kind run_new_guid(const struct template_call *call, struct json_node **out,
                                 struct rf_err *err)
{
    if (!call->frame->run->in_default)
        return template_fail(call, err,
                             "the function is allowed only in the default value of a "
                             "parameter.");
    rf_str guid = guid_random(arena_of(call));
    return guid.ptr == NULL ? rf_fail_memory(err, arena_of(call))
                            : template_give_text(call, guid, out, err);
}

static const struct template_function functions[] = {
    {"toLower", 1, 1, run_to_lower, 0},
    {"toUpper", 1, 1, run_to_upper, 0},
    {"trim", 1, 1, run_trim, 0},
    {"substring", 1, 3, run_substring, 0},
    {"startsWith", 2, 2, run_starts_with, 0},
    {"endsWith", 2, 2, run_ends_with, 0},
    {"replace", 3, 3, run_replace, 0},
    {"split", 2, 2, run_split, 0},
    {"join", 2, 2, run_join, 0},
    {"padLeft", 2, 3, run_pad_left, 0},
    {"format", 1, TEMPLATE_ARGS_MAX, run_format, 0},
    {"base64", 1, 1, run_base64, 0},
    {"base64ToString", 1, 1, run_base64_to_string, 0},
    {"base64ToJson", 1, 1, run_base64_to_json, 0},
    {"dataUri", 1, 1, run_data_uri, 0},
    {"dataUriToString", 1, 1, run_data_uri_to_string, 0},
    {"uri", 2, 2, run_uri, 0},
    {"uriComponent", 1, 1, run_uri_component, 0},
    {"uriComponentToString", 1, 1, run_uri_component_to_string, 0},
    {"guid", 1, TEMPLATE_ARGS_MAX, run_guid, 0},
    {"uniqueString", 1, TEMPLATE_ARGS_MAX, run_unique_string, 0},
    {"newGuid", 0, 0, run_new_guid, 0},
};
const struct template_family template_func_text = {functions, RF_COUNT(functions)};
