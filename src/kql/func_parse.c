/* func_parse.c - functions that take texts of a known form apart: URLs, paths, CSV, XML, versions,
 * command lines, user agents. */
#include "kql/func_parse_int.h"

#include "value/decimal.h"

static size_t find_byte(rf_str s, uint8_t c, size_t from)
{
    const uint8_t *at = from < s.len ? memchr(s.ptr + from, c, s.len - from) : NULL;
    return at == NULL ? SIZE_MAX : (size_t)(at - s.ptr);
}

static size_t find_last_byte(rf_str s, uint8_t c)
{
    for (size_t i = s.len; i-- > 0;)
        if (s.ptr[i] == c) return i;
    return SIZE_MAX;
}

/* Cuts `s` at `at` (SIZE_MAX: not at all) into what is before and what is behind the byte there. */
static rf_str cut(rf_str *s, size_t at)
{
    rf_str behind = {NULL, 0};
    if (at == SIZE_MAX) return behind;
    behind = rf_slice(*s, at + 1, s->len);
    *s = rf_slice(*s, 0, at);
    return behind;
}

static void put_pair(struct dyn_builder *bag, const char *key, rf_str value)
{
    dyn_key(bag, rf_str_of(key));
    dyn_put_string(bag->buf, value);
}

/* A kernel of one text that gives a dynamic. */
typedef bool put_dynamic(struct rf_buf *buf, rf_str text);

static enum rf_kind dynamic_rows(struct func_call *call, const struct vec *args, uint32_t count,
                                 struct vec *out, put_dynamic *put, struct rf_err *err)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        size_t before = rows.buf.len;
        if (put(&rows.buf, ARG_STR(&args[0], i))) {
            text_rows_end(&rows, i);
        } else {
            rows.buf.len = before;
            OUT_NULL(out)[i] = 1;
        }
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

/* ---- URLs ------------------------------------------------------------------------------------------- */

/* a=1&b=2; of equal keys the last value stays. */
static void put_query(struct rf_buf *buf, rf_str query)
{
    struct dyn_builder bag;
    dyn_begin(&bag, buf, DYN_BAG);
    while (query.len > 0) {
        rf_str rest = cut(&query, find_byte(query, '&', 0));
        rf_str value = cut(&query, find_byte(query, '=', 0));
        if (query.len > 0) {
            dyn_key(&bag, query);
            dyn_put_string(buf, value);
        }
        query = rest;
    }
    dyn_bag_unique(&bag, false);
    dyn_end(&bag);
}

static bool scheme_byte(uint8_t c) { return rf_is_alnum(c) || c == '+' || c == '-' || c == '.'; }

/* Takes "scheme:" off; the colon must be followed by a slash, or else host:port would be taken. */
static rf_str take_scheme(rf_str *url)
{
    size_t at = 0;
    while (at < url->len && scheme_byte(url->ptr[at])) at++;
    if (at == 0 || at + 1 >= url->len || url->ptr[at] != ':' || !rf_is_alpha(url->ptr[0]) ||
        url->ptr[at + 1] != '/')
        return (rf_str){NULL, 0};
    rf_str scheme = rf_slice(*url, 0, at);
    *url = rf_slice(*url, at + 1, url->len);
    return scheme;
}

/* Splits host:port; the host may be an IPv6 address in brackets. */
static rf_str take_port(rf_str *host)
{
    size_t colon = find_last_byte(*host, ':');
    if (colon == SIZE_MAX || find_byte(*host, ']', colon) != SIZE_MAX) return (rf_str){NULL, 0};
    for (size_t i = colon + 1; i < host->len; i++)
        if (!rf_is_digit(host->ptr[i])) return (rf_str){NULL, 0};
    return cut(host, colon);
}

static bool put_url(struct rf_buf *buf, rf_str url)
{
    struct dyn_builder bag;
    url = rf_str_trim(url);
    rf_str scheme = take_scheme(&url);
    rf_str fragment = cut(&url, find_byte(url, '#', 0));
    rf_str query = cut(&url, find_byte(url, '?', 0));
    rf_str host = {NULL, 0}, path = url, user = {NULL, 0}, password = {NULL, 0}, port = {NULL, 0};
    if (url.len >= 2 && url.ptr[0] == '/' && url.ptr[1] == '/') {
        host = rf_slice(url, 2, url.len);
        size_t slash = find_byte(host, '/', 0);
        path = slash == SIZE_MAX ? RF_S("") : rf_slice(host, slash, host.len);
        if (slash != SIZE_MAX) host = rf_slice(host, 0, slash);
        size_t at = find_last_byte(host, '@');
        if (at != SIZE_MAX) {
            user = host;
            host = cut(&user, at);
            password = cut(&user, find_byte(user, ':', 0));
        }
        port = take_port(&host);
    }
    dyn_begin(&bag, buf, DYN_BAG);
    put_pair(&bag, "Scheme", scheme);
    put_pair(&bag, "Host", host);
    put_pair(&bag, "Port", port);
    put_pair(&bag, "Path", path);
    put_pair(&bag, "Username", user);
    put_pair(&bag, "Password", password);
    dyn_key(&bag, RF_S("Query Parameters"));
    put_query(buf, query);
    put_pair(&bag, "Fragment", fragment);
    dyn_end(&bag);
    return true;
}

static bool put_urlquery(struct rf_buf *buf, rf_str query)
{
    struct dyn_builder bag;
    if (query.len > 0 && query.ptr[0] == '?') query = rf_slice(query, 1, query.len);
    dyn_begin(&bag, buf, DYN_BAG);
    dyn_key(&bag, RF_S("Query Parameters"));
    put_query(buf, query);
    dyn_end(&bag);
    return true;
}

FUNC_KERNEL(parse_url_kernel) { return dynamic_rows(call, args, count, out, put_url, err); }
FUNC_KERNEL(parse_urlquery_kernel)
{
    return dynamic_rows(call, args, count, out, put_urlquery, err);
}

/* ---- paths ------------------------------------------------------------------------------------------ */

static size_t last_slash(rf_str s)
{
    for (size_t i = s.len; i-- > 0;)
        if (s.ptr[i] == '/' || s.ptr[i] == '\\') return i;
    return SIZE_MAX;
}

static bool put_path(struct rf_buf *buf, rf_str path)
{
    struct dyn_builder bag;
    rf_str scheme = {NULL, 0}, root = {NULL, 0};
    size_t at = rf_str_find(path, RF_S("://"), 0);
    if (at != SIZE_MAX) {
        scheme = rf_slice(path, 0, at);
        path = rf_slice(path, at + 3, path.len);
    }
    if (path.len >= 2 && path.ptr[1] == ':' && rf_is_alpha(path.ptr[0]))
        root = rf_slice(path, 0, 2);
    at = last_slash(path);
    rf_str file =
        at == SIZE_MAX ? rf_slice(path, root.len, path.len) : rf_slice(path, at + 1, path.len);
    rf_str directory = at == SIZE_MAX ? root : rf_slice(path, 0, at);
    size_t name_at = last_slash(directory);
    rf_str name = name_at == SIZE_MAX
                      ? rf_slice(directory, RF_MIN(root.len, directory.len), directory.len)
                      : rf_slice(directory, name_at + 1, directory.len);
    rf_str stream = cut(&file, find_byte(file, ':', 0));
    size_t dot = find_last_byte(file, '.');
    dyn_begin(&bag, buf, DYN_BAG);
    put_pair(&bag, "Scheme", scheme);
    put_pair(&bag, "RootPath", root);
    put_pair(&bag, "DirectoryPath", directory);
    put_pair(&bag, "DirectoryName", name);
    put_pair(&bag, "Filename", file);
    put_pair(&bag, "Extension", dot == SIZE_MAX ? RF_S("") : rf_slice(file, dot + 1, file.len));
    put_pair(&bag, "AlternateDataStreamName", stream);
    dyn_end(&bag);
    return true;
}

FUNC_KERNEL(parse_path_kernel) { return dynamic_rows(call, args, count, out, put_path, err); }

/* ---- CSV -------------------------------------------------------------------------------------------- */

/* Reads a quoted field at *at, which is at the opening quote; appends its text to `field`. What stands
 * between the closing quote and the next comma belongs to the field, too. */
static void csv_quoted(rf_str csv, size_t *at, struct rf_buf *field)
{
    (*at)++;
    while (*at < csv.len) {
        uint8_t c = csv.ptr[(*at)++];
        if (c != '"') {
            rf_buf_byte(field, c);
        } else if (*at < csv.len && csv.ptr[*at] == '"') {
            rf_buf_byte(field, '"');
            (*at)++;
        } else {
            return;
        }
    }
}

static bool put_csv(struct rf_buf *buf, rf_str csv)
{
    struct dyn_builder array;
    struct rf_buf field = rf_buf_in(buf->arena);
    dyn_begin(&array, buf, DYN_ARRAY);
    for (size_t at = 0;; at++) {
        field.len = 0;
        if (at < csv.len && csv.ptr[at] == '"') csv_quoted(csv, &at, &field);
        while (at < csv.len && csv.ptr[at] != ',' && csv.ptr[at] != '\n' && csv.ptr[at] != '\r')
            rf_buf_byte(&field, csv.ptr[at++]);
        dyn_next(&array);
        dyn_put_string(buf, rf_buf_view(&field));
        if (at >= csv.len || csv.ptr[at] != ',') break; /* the first record is all that counts */
    }
    dyn_end(&array);
    buf->failed = buf->failed || field.failed;
    return true;
}

FUNC_KERNEL(parse_csv_kernel) { return dynamic_rows(call, args, count, out, put_csv, err); }

/* ---- CEF -------------------------------------------------------------------------------------------- */

static bool is_cef_key(uint8_t c)
{
    return rf_is_alnum(c) || c == '_' || c == '.' || c == '-' || c == '[' || c == ']';
}

/* Where the key begins that the '=' at `equals` ends; SIZE_MAX: there is none. A blank stands before each but the first. */
static size_t cef_key(rf_str text, size_t equals)
{
    size_t from = equals;
    while (from > 0 && is_cef_key(text.ptr[from - 1])) from--;
    bool is_key = from < equals && (from == 0 || text.ptr[from - 1] == ' ');
    return is_key ? from : SIZE_MAX;
}

/* The next '=' that is not escaped. */
static size_t cef_equals(rf_str text, size_t at)
{
    for (; at < text.len && text.ptr[at] != '='; at++)
        if (text.ptr[at] == '\\') at++;
    return RF_MIN(at, text.len);
}

/* Resolves \= \\ \| \n \r. */
static void put_cef_value(struct rf_buf *buf, rf_str raw)
{
    struct rf_buf value = rf_buf_in(buf->arena);
    raw = rf_str_trim(raw);
    for (size_t i = 0; i < raw.len; i++) {
        uint8_t c = raw.ptr[i];
        if (c == '\\' && i + 1 < raw.len) {
            c = raw.ptr[++i];
            c = c == 'n' ? '\n' : c == 'r' ? '\r' : c;
        }
        rf_buf_byte(&value, c);
    }
    dyn_put_string(buf, rf_buf_view(&value));
    buf->failed = buf->failed || value.failed;
}

/* "src=10.0.0.1 msg=a b\\=c": values may hold blanks, so one ends where the next key begins. */
static bool put_cef(struct rf_buf *buf, rf_str text)
{
    struct dyn_builder bag;
    size_t equals = cef_equals(text, 0), key = cef_key(text, equals);
    if (equals == text.len || key == SIZE_MAX) return false;
    dyn_begin(&bag, buf, DYN_BAG);
    while (equals < text.len) {
        size_t next = equals, next_key = SIZE_MAX;
        while (next < text.len && next_key == SIZE_MAX) {
            next = cef_equals(text, next + 1);
            if (next < text.len) next_key = cef_key(text, next);
        }
        size_t end = next_key == SIZE_MAX ? text.len : next_key;
        dyn_key(&bag, rf_slice(text, key, equals));
        put_cef_value(buf, rf_slice(text, equals + 1, end));
        key = next_key;
        equals = next_key == SIZE_MAX ? text.len : next;
    }
    dyn_bag_unique(&bag, false);
    dyn_end(&bag);
    return true;
}

FUNC_KERNEL(parse_cef_kernel) { return dynamic_rows(call, args, count, out, put_cef, err); }

FUNC_KERNEL(parse_xml_kernel) { return dynamic_rows(call, args, count, out, parse_xml_put, err); }

/* ---- versions --------------------------------------------------------------------------------------- */

enum { VERSION_PARTS = 4, VERSION_DIGITS = 8 };

/* Up to four numbers of up to eight digits; each takes eight digits of the result. */
static bool version_digits(rf_str text, uint8_t digits[VERSION_PARTS * VERSION_DIGITS])
{
    memset(digits, '0', VERSION_PARTS * VERSION_DIGITS);
    size_t at = 0;
    for (size_t part = 0; part < VERSION_PARTS; part++) {
        size_t from = at;
        while (at < text.len && rf_is_digit(text.ptr[at])) at++;
        size_t len = at - from;
        if (len == 0 || len > VERSION_DIGITS) return false;
        memcpy(digits + (part + 1) * VERSION_DIGITS - len, text.ptr + from, len);
        if (at == text.len) return true;
        if (text.ptr[at++] != '.') return false;
    }
    return false;
}

FUNC_KERNEL(parse_version_kernel)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t digits[VERSION_PARTS * VERSION_DIGITS];
        rf_str text = rf_str_trim(ARG_STR(&args[0], i));
        if (!version_digits(text, digits) ||
            !text_to_decimal(rf_str_make(digits, sizeof digits), &OUT_DEC(out)[i]))
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

/* ---- command lines ---------------------------------------------------------------------------------- */

/* The rules of CommandLineToArgvW: 2n back slashes before a quote are n of them and the quote counts;
 * 2n+1 are n and a plain quote; others are themselves; "" inside quotes is a quote. */
static void command_argument(rf_str line, size_t *at, struct rf_buf *argument)
{
    bool quoted = false;
    while (*at < line.len) {
        uint8_t c = line.ptr[*at];
        if (!quoted && (c == ' ' || c == '\t')) return;
        size_t slashes = 0;
        while (*at < line.len && line.ptr[*at] == '\\') {
            slashes++;
            (*at)++;
        }
        bool quote = *at < line.len && line.ptr[*at] == '"';
        for (size_t n = quote ? slashes / 2 : slashes; n > 0; n--) rf_buf_byte(argument, '\\');
        if (quote) {
            (*at)++;
            if (slashes % 2 == 1) {
                rf_buf_byte(argument, '"');
            } else if (quoted && *at < line.len && line.ptr[*at] == '"') {
                rf_buf_byte(argument, '"');
                (*at)++;
            } else {
                quoted = !quoted;
            }
        } else if (slashes == 0) {
            rf_buf_byte(argument, line.ptr[(*at)++]);
        }
    }
}

static void put_command_line(struct rf_buf *buf, rf_str line)
{
    struct dyn_builder array;
    struct rf_buf argument = rf_buf_in(buf->arena);
    dyn_begin(&array, buf, DYN_ARRAY);
    for (size_t at = 0;;) {
        while (at < line.len && (line.ptr[at] == ' ' || line.ptr[at] == '\t')) at++;
        if (at >= line.len) break;
        argument.len = 0;
        command_argument(line, &at, &argument);
        dyn_next(&array);
        dyn_put_string(buf, rf_buf_view(&argument));
    }
    dyn_end(&array);
    buf->failed = buf->failed || argument.failed;
}

static enum rf_kind command_line_resolve(struct func_bind *bind, struct rf_err *err)
{
    if (bind->consts[1] == NULL || rf_str_eq_nocase(bind->consts[1]->s, RF_S("windows")))
        return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadArguments",
                   "parse_command_line knows the rules of 'windows' only");
}

FUNC_KERNEL(parse_command_line_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        rf_str line = ARG_STR(&args[0], i);
        if (line.len == 0 || !rf_str_eq_nocase(ARG_STR(&args[1], i), RF_S("windows"))) {
            OUT_NULL(out)[i] = 1;
            continue;
        }
        put_command_line(&rows.buf, line);
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

/* ---- user agents ------------------------------------------------------------------------------------ */

static uint32_t agent_part(rf_str name)
{
    if (rf_str_eq_nocase(name, RF_S("browser"))) return AGENT_BROWSER;
    if (rf_str_eq_nocase(name, RF_S("os"))) return AGENT_OS;
    if (rf_str_eq_nocase(name, RF_S("device"))) return AGENT_DEVICE;
    return 0;
}

static uint32_t agent_parts(rf_str look_for)
{
    uint32_t parts = 0;
    if (dyn_tag(look_for) == DYN_STRING) return agent_part(dyn_string(look_for));
    for (uint32_t i = 0; i < dyn_count(look_for); i++)
        parts |= agent_part(dyn_string(dyn_item(look_for, i)));
    return parts;
}

FUNC_KERNEL(parse_user_agent_kernel)
{
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t parts = AGENT_BROWSER | AGENT_OS | AGENT_DEVICE;
        if (call->arg_count > 1 && args[1].type == TYPE_STRING)
            parts = agent_part(ARG_STR(&args[1], i));
        if (call->arg_count > 1 && args[1].type == TYPE_DYNAMIC)
            parts = agent_parts(ARG_STR(&args[1], i));
        parse_agent_put(&rows.buf, ARG_STR(&args[0], i), parts);
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

/* ---- table ------------------------------------------------------------------------------------------ */

#define SIGS(name, sig, kernel)                                                                    \
    static const struct func_overload name[] = {{sig, kernel}, {NULL, NULL}};
SIGS(parse_url_sigs, "(url:string) dynamic", parse_url_kernel)
SIGS(parse_urlquery_sigs, "(query:string) dynamic", parse_urlquery_kernel)
SIGS(parse_path_sigs, "(path:string) dynamic", parse_path_kernel)
SIGS(parse_csv_sigs, "(text:string) dynamic", parse_csv_kernel)
SIGS(parse_cef_sigs, "(extension:string) dynamic", parse_cef_kernel)
SIGS(parse_xml_sigs, "(text:string) dynamic", parse_xml_kernel)
SIGS(parse_version_sigs, "(version:string) decimal", parse_version_kernel)
SIGS(parse_command_line_sigs, "(line:scalar, rules:string) dynamic", parse_command_line_kernel)
static const struct func_overload parse_user_agent_sigs[] = {
    {"(agent:string) dynamic", parse_user_agent_kernel},
    {"(agent:string, part:string) dynamic", parse_user_agent_kernel},
    {"(agent:string, parts:dynamic) dynamic", parse_user_agent_kernel},
    {NULL, NULL},
};

const struct func func_parse[] = {
    {.name = "parse_url",
     .doc = "Bag of scheme, host, port, path, user, password, query parameters and fragment.",
     .sigs = parse_url_sigs},
    {.name = "parseurl",
     .doc = "Old name of parse_url.",
     .sigs = parse_url_sigs,
     .flags = FUNC_HIDDEN},
    {.name = "parse_urlquery",
     .doc = "Bag with the pairs of a query text under 'Query Parameters'.",
     .sigs = parse_urlquery_sigs},
    {.name = "parseurlquery",
     .doc = "Old name of parse_urlquery.",
     .sigs = parse_urlquery_sigs,
     .flags = FUNC_HIDDEN},
    {.name = "parse_path",
     .doc = "Bag of the parts of a file path of Windows or Unix.",
     .sigs = parse_path_sigs},
    {.name = "parsepath",
     .doc = "Old name of parse_path.",
     .sigs = parse_path_sigs,
     .flags = FUNC_HIDDEN},
    {.name = "parse_csv",
     .column = "%",
     .doc = "Array of the fields of the first CSV record, all of them texts.",
     .sigs = parse_csv_sigs},
    {.name = "parsecsv",
     .doc = "Old name of parse_csv.",
     .sigs = parse_csv_sigs,
     .flags = FUNC_HIDDEN},
    {.name = "parse_cef_dictionary",
     .doc =
         "Bag of the pairs of a CEF extension, key=value between blanks; null when there is none.",
     .sigs = parse_cef_sigs},
    {.name = "parse_xml",
     .column = "%",
     .doc = "XML as a dynamic: attributes @name, texts #text; null when it is no XML.",
     .sigs = parse_xml_sigs},
    {.name = "parsexml",
     .doc = "Old name of parse_xml.",
     .sigs = parse_xml_sigs,
     .flags = FUNC_HIDDEN},
    {.name = "parse_version",
     .doc =
         "A version of up to four numbers as a decimal that compares like it; null when invalid.",
     .sigs = parse_version_sigs},
    {.name = "parse_command_line",
     .doc = "Array of the arguments of a command line, by the rules of 'windows'; null when empty.",
     .sigs = parse_command_line_sigs,
     .resolve = command_line_resolve},
    {.name = "parse_user_agent",
     .doc = "Bag of what a user agent text tells of the browser, the os and the device.",
     .sigs = parse_user_agent_sigs},
};
const size_t func_parse_count = RF_COUNT(func_parse);
