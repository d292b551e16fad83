#include "net/http_parse.h"

/* ---- characters -------------------------------------------------------------------------------- */

enum {
    C_TOKEN = 1, /* tchar, RFC 9110 section 5.6.2 */
    C_VALUE = 2, /* field-vchar, blank or tab */
    C_TARGET =
        4, /* printable, but not '#' and '\': one is never sent, the other is a '/' to some */
    C_HOST =
        8 /* what a host and its port are written with; brackets and colons are checked apart */
};

#define T (C_TOKEN | C_VALUE | C_TARGET)
#define H (C_TOKEN | C_VALUE | C_TARGET | C_HOST)
#define P (C_VALUE | C_TARGET)
#define V C_VALUE
static const uint8_t classes[128] = {
    ['\t'] = V,
    [' '] = V,
    ['!'] = H,
    ['"'] = P,
    ['#'] = T & ~C_TARGET,
    ['$'] = H,
    ['%'] = H,
    ['&'] = H,
    ['\''] = H,
    ['('] = P | C_HOST,
    [')'] = P | C_HOST,
    ['*'] = H,
    ['+'] = H,
    [','] = P | C_HOST,
    ['-'] = H,
    ['.'] = H,
    ['/'] = P,
    ['0' ... '9'] = H,
    [':'] = P,
    [';'] = P | C_HOST,
    ['<'] = P,
    ['='] = P | C_HOST,
    ['>'] = P,
    ['?'] = P,
    ['@'] = P,
    ['A' ... 'Z'] = H,
    ['['] = P,
    ['\\'] = V,
    [']'] = P,
    ['^'] = T,
    ['_'] = H,
    ['`'] = T,
    ['a' ... 'z'] = H,
    ['{'] = P,
    ['|'] = T,
    ['}'] = P,
    ['~'] = H,
};
#undef T
#undef H
#undef P
#undef V

static bool is_class(uint8_t c, uint8_t wanted)
{
    /* Bytes above ASCII are opaque in values (obs-text) and nowhere else. */
    return c < 128 ? (classes[c] & wanted) != 0 : wanted == C_VALUE;
}

static bool all_class(rf_str text, uint8_t wanted)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_class(text.ptr[i], wanted)) return false;
    return true;
}

bool http_is_token(rf_str text) { return text.len > 0 && all_class(text, C_TOKEN); }

static rf_str trim_blanks(rf_str s)
{
    size_t from = 0, to = s.len;
    while (from < to && (s.ptr[from] == ' ' || s.ptr[from] == '\t')) from++;
    while (to > from && (s.ptr[to - 1] == ' ' || s.ptr[to - 1] == '\t')) to--;
    return rf_slice(s, from, to);
}

bool http_list_next(rf_str *list, rf_str *element)
{
    while (list->len > 0) {
        size_t comma = rf_str_find(*list, RF_S(","), 0);
        size_t end = RF_MIN(comma, list->len);
        *element = trim_blanks(rf_slice(*list, 0, end));
        *list = rf_slice(*list, RF_MIN(end + 1, list->len), list->len);
        if (element->len > 0) return true;
    }
    return false;
}

bool http_list_has(rf_str list, const char *token)
{
    rf_str element;
    while (http_list_next(&list, &element))
        if (rf_str_eq_nocase(element, rf_str_of(token))) return true;
    return false;
}

static bool refuse(struct http_refusal *why, uint16_t status, const char *text)
{
    *why = (struct http_refusal){.status = status, .why = text};
    return false;
}

/* ---- where a head ends ------------------------------------------------------------------------- */

/* The target must end within its limit, the longest method and the two blanks. */
static bool line_is_too_long(const struct http_head_scan *scan, size_t line_bytes,
                             const struct http_parse_limits *limits)
{
    enum { AROUND_TARGET_BYTES = 32 };
    return scan->lines == 0 && line_bytes > (size_t)limits->target_bytes_max + AROUND_TARGET_BYTES;
}

/* A line feed at `at`. True when it ends the head. */
static bool end_line(struct http_head_scan *scan, size_t at)
{
    bool empty = at - scan->line_start == 1;
    scan->line_start = at + 1;
    if (empty && scan->began) return true;
    if (!empty) {
        scan->began = true;
        scan->lines++;
    }
    return false;
}

enum http_step http_head_scan(struct http_head_scan *scan, rf_str bytes,
                              const struct http_parse_limits *limits, size_t *from, size_t *to,
                              struct http_refusal *why)
{
    RF_ASSERT(scan->at <= bytes.len);
    while (scan->at < bytes.len) {
        size_t at = scan->at++;
        uint8_t c = bytes.ptr[at];
        bool after_cr = at > scan->line_start && bytes.ptr[at - 1] == '\r';
        if (at >= limits->head_bytes_max)
            return refuse(why, 431, "the request's head is too long"), HTTP_REFUSED;
        if (after_cr != (c == '\n'))
            return refuse(why, 400, "a line must end in CR LF"), HTTP_REFUSED;
        if (c == '\n') {
            if (end_line(scan, at)) {
                *from = bytes.ptr[0] == '\r' ? 2 : 0;
                *to = at + 1;
                return HTTP_DONE;
            }
            if (!scan->began && at > 1)
                return refuse(why, 400, "empty lines stand before the request"), HTTP_REFUSED;
        } else if (c != '\r' && !is_class(c, C_VALUE)) {
            return refuse(why, 400, "a control character in the head"), HTTP_REFUSED;
        } else if (line_is_too_long(scan, at - scan->line_start, limits)) {
            return refuse(why, 414, "the request's target is too long"), HTTP_REFUSED;
        }
    }
    return HTTP_MORE;
}

/* ---- the request line -------------------------------------------------------------------------- */

static bool parse_method(rf_str text, enum http_method *out, struct http_refusal *why)
{
    if (!http_is_token(text)) return refuse(why, 400, "the request line has no method");
    for (int i = 0; i < HTTP_METHOD_COUNT; i++) {
        if (!rf_str_is(text, http_method_name((enum http_method)i))) continue;
        *out = (enum http_method)i;
        return true;
    }
    return refuse(why, 501, "the method is not known");
}

static bool parse_version(rf_str text, bool *is_1_0, struct http_refusal *why)
{
    if (text.len != 8 || !rf_str_starts(text, RF_S("HTTP/")) || !rf_is_digit(text.ptr[5]) ||
        text.ptr[6] != '.' || !rf_is_digit(text.ptr[7]))
        return refuse(why, 400, "the request line does not end in a version");
    *is_1_0 = rf_str_is(text, "HTTP/1.0");
    if (!*is_1_0 && !rf_str_is(text, "HTTP/1.1"))
        return refuse(why, 505, "only HTTP/1.1 and HTTP/1.0 are spoken");
    return true;
}

/* A port is up to five digits, and may be left out behind its colon (RFC 3986 section 3.2.3). */
static bool is_port(rf_str text)
{
    if (text.len > 5) return false;
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_digit(text.ptr[i])) return false;
    return true;
}

static bool is_ip_literal(rf_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (!rf_is_alnum(c) && c != ':' && c != '.') return false;
    }
    return text.len > 1;
}

/* uri-host [ ":" port ], the host not empty (RFC 9110 section 7.2). */
static bool is_host(rf_str text)
{
    if (text.len > 0 && text.ptr[0] == '[') {
        size_t end = rf_str_find(text, RF_S("]"), 0);
        if (end == SIZE_MAX || !is_ip_literal(rf_slice(text, 1, end))) return false;
        rf_str rest = rf_slice(text, end + 1, text.len);
        return rest.len == 0 || (rest.ptr[0] == ':' && is_port(rf_slice(rest, 1, rest.len)));
    }
    size_t colon = RF_MIN(rf_str_find(text, RF_S(":"), 0), text.len);
    rf_str port = rf_slice(text, RF_MIN(colon + 1, text.len), text.len);
    return colon > 0 && all_class(rf_slice(text, 0, colon), C_HOST) && is_port(port);
}

/* "http://host/path?query": the host replaces that of the Host header (section 3.2.2). */
static bool parse_absolute(rf_str text, struct rf_arena *arena, struct http_request *request,
                           struct http_refusal *why)
{
    size_t scheme = rf_str_find(text, RF_S("://"), 0);
    rf_str name = rf_slice(text, 0, RF_MIN(scheme, text.len));
    if (!rf_str_eq_nocase(name, RF_S("http")) && !rf_str_eq_nocase(name, RF_S("https")))
        return refuse(why, 400, "the target is neither a path nor a URL");
    size_t from = scheme + 3, to = from;
    while (to < text.len && text.ptr[to] != '/' && text.ptr[to] != '?') to++;
    request->host = rf_slice(text, from, to);
    if (!is_host(request->host)) return refuse(why, 400, "the target's host is malformed");
    rf_str rest = rf_slice(text, to, text.len);
    if (rest.len > 0 && rest.ptr[0] == '/') {
        request->target = rest;
        return true;
    }
    request->target = rf_arena_printf(arena, "/%.*s", RF_FMT(rest));
    return request->target.ptr != NULL || refuse(why, 500, "memory is used up");
}

static bool parse_target(rf_str text, const struct http_parse_limits *limits,
                         struct rf_arena *arena, struct http_request *request,
                         struct http_refusal *why)
{
    if (text.len == 0 || !all_class(text, C_TARGET))
        return refuse(why, 400, "the target is malformed");
    if (text.len > limits->target_bytes_max)
        return refuse(why, 414, "the request's target is too long");
    request->target = text;
    if (rf_str_is(text, "*")) {
        if (request->method != HTTP_OPTIONS)
            return refuse(why, 400, "the target * goes with OPTIONS only");
        request->path = RF_S("/");
        return true;
    }
    if (text.ptr[0] != '/' && !parse_absolute(text, arena, request, why)) return false;
    text = request->target;
    size_t mark = RF_MIN(rf_str_find(text, RF_S("?"), 0), text.len);
    request->path = rf_slice(text, 0, mark);
    request->query = rf_slice(text, RF_MIN(mark + 1, text.len), text.len);
    return true;
}

static bool parse_request_line(rf_str line, const struct http_parse_limits *limits,
                               struct rf_arena *arena, struct http_head *out,
                               struct http_refusal *why)
{
    size_t first = rf_str_find(line, RF_S(" "), 0);
    size_t second = first == SIZE_MAX ? first : rf_str_find(line, RF_S(" "), first + 1);
    if (second == SIZE_MAX) return refuse(why, 400, "the request line lacks a part");
    /* The version first: what another version's methods and targets look like is not ours to judge. */
    return parse_version(rf_slice(line, second + 1, line.len), &out->is_1_0, why) &&
           parse_method(rf_slice(line, 0, first), &out->request.method, why) &&
           parse_target(rf_slice(line, first + 1, second), limits, arena, &out->request, why);
}

/* ---- headers ----------------------------------------------------------------------------------- */

/* What the headers that frame a message said, to be judged together. */
struct framing {
    rf_str host;
    bool has_tab; /* around the value at hand: some readers trim it, some do not */
    bool has_host, has_coding, says_close;
};

static bool parse_length(rf_str text, struct http_head *out, struct http_refusal *why)
{
    enum { LENGTH_DIGITS_MAX = 18 }; /* fits an int64_t of any reader */
    if (out->has_length) return refuse(why, 400, "Content-Length is there twice");
    if (text.len == 0 || text.len > LENGTH_DIGITS_MAX)
        return refuse(why, 400, "Content-Length is malformed");
    uint64_t length = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i])) return refuse(why, 400, "Content-Length is malformed");
        length = length * 10 + (text.ptr[i] - (uint64_t)'0');
    }
    out->has_length = true;
    out->content_length = length;
    return true;
}

static bool take_host(struct http_head *out, struct framing *f, rf_str value,
                      struct http_refusal *why)
{
    (void)out;
    if (f->has_host) return refuse(why, 400, "Host is there twice");
    if (!is_host(value)) return refuse(why, 400, "Host is malformed");
    f->has_host = true;
    f->host = value;
    return true;
}

static bool take_length(struct http_head *out, struct framing *f, rf_str value,
                        struct http_refusal *why)
{
    if (f->has_tab) return refuse(why, 400, "Content-Length is malformed");
    return parse_length(value, out, why);
}

static bool take_transfer_encoding(struct http_head *out, struct framing *f, rf_str value,
                                   struct http_refusal *why)
{
    if (out->is_chunked) return refuse(why, 400, "Transfer-Encoding is there twice");
    if (f->has_tab || !rf_str_eq_nocase(value, RF_S("chunked")))
        return refuse(why, 501, "the only Transfer-Encoding is chunked");
    out->is_chunked = true;
    return true;
}

static bool take_connection(struct http_head *out, struct framing *f, rf_str value,
                            struct http_refusal *why)
{
    (void)out, (void)why;
    if (http_list_has(value, "close")) f->says_close = true;
    return true;
}

static bool take_expect(struct http_head *out, struct framing *f, rf_str value,
                        struct http_refusal *why)
{
    (void)f;
    if (!rf_str_eq_nocase(value, RF_S("100-continue")))
        return refuse(why, 417, "the only expectation is 100-continue");
    out->expect_continue = true;
    return true;
}

static bool take_content_encoding(struct http_head *out, struct framing *f, rf_str value,
                                  struct http_refusal *why)
{
    if (f->has_coding) return refuse(why, 415, "Content-Encoding is there twice");
    f->has_coding = true;
    if (rf_str_eq_nocase(value, RF_S("gzip")) || rf_str_eq_nocase(value, RF_S("x-gzip")))
        out->coding = HTTP_GZIP;
    else if (rf_str_eq_nocase(value, RF_S("deflate")))
        out->coding = HTTP_DEFLATE;
    else if (rf_str_eq_nocase(value, RF_S("zstd")))
        out->coding = HTTP_ZSTD;
    else if (value.len > 0 && !rf_str_eq_nocase(value, RF_S("identity")))
        return refuse(why, 415, "a body may be coded with gzip, deflate or zstd only");
    return true;
}

static const struct {
    const char *name;
    bool in_answers;
    bool (*take)(struct http_head *out, struct framing *f, rf_str value, struct http_refusal *why);
} takers[] = {
    {"Host", false, take_host},
    {"Content-Length", true, take_length},
    {"Transfer-Encoding", true, take_transfer_encoding},
    {"Connection", true, take_connection},
    {"Expect", false, take_expect},
    {"Content-Encoding", true, take_content_encoding},
};

static bool take_header(struct http_head *out, struct framing *f, const struct http_header *header,
                        struct http_refusal *why)
{
    for (size_t i = 0; i < RF_COUNT(takers); i++)
        if ((out->status == 0 || takers[i].in_answers) &&
            rf_str_eq_nocase(header->name, rf_str_of(takers[i].name)))
            return takers[i].take(out, f, header->value, why);
    return true;
}

static bool parse_header(rf_str line, struct http_header *out, struct framing *f,
                         struct http_refusal *why)
{
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
        return refuse(why, 400, "a header may not be folded");
    size_t colon = rf_str_find(line, RF_S(":"), 0);
    if (colon == SIZE_MAX) return refuse(why, 400, "a header has no colon");
    out->name = rf_slice(line, 0, colon);
    out->value = trim_blanks(rf_slice(line, colon + 1, line.len));
    f->has_tab = rf_str_find(line, RF_S("\t"), colon) != SIZE_MAX;
    if (!http_is_token(out->name)) return refuse(why, 400, "a header's name is malformed");
    if (!all_class(out->value, C_VALUE)) return refuse(why, 400, "a header's value is malformed");
    return true;
}

/* The next line without its CR LF; the head has one. */
static rf_str next_line(rf_str head, size_t *at)
{
    size_t end = rf_str_find(head, RF_S("\r\n"), *at);
    RF_ASSERT(end != SIZE_MAX); /* http_head_scan saw the end */
    rf_str line = rf_slice(head, *at, end);
    *at = end + 2;
    return line;
}

static bool parse_headers(rf_str head, size_t at, const struct http_parse_limits *limits,
                          struct rf_arena *arena, struct http_head *out, struct framing *f,
                          struct http_refusal *why)
{
    uint32_t count = 0;
    for (size_t from = at; next_line(head, &from).len > 0;) count++;
    if (count > limits->headers_max) return refuse(why, 431, "the request has too many headers");
    struct http_header *headers = rf_arena_raw(arena, struct http_header, count);
    if (headers == NULL) return refuse(why, 500, "memory is used up");
    for (uint32_t i = 0; i < count; i++)
        if (!parse_header(next_line(head, &at), &headers[i], f, why) ||
            !take_header(out, f, &headers[i], why))
            return false;
    out->request.headers = headers;
    out->request.header_count = count;
    return true;
}

/* Host is missing from nothing but HTTP/1.0 with a whole URL as its target. */
static bool judge_host(struct http_head *out, const struct framing *f, struct http_refusal *why)
{
    if (!f->has_host && (out->request.host.len == 0 || !out->is_1_0))
        return refuse(why, 400, "Host is missing");
    if (out->request.host.len == 0) out->request.host = f->host;
    return true;
}

/* What is wrong only in sum. */
static bool judge(struct http_head *out, const struct framing *f, struct http_refusal *why)
{
    if (out->is_chunked && out->is_1_0)
        return refuse(why, 400, "HTTP/1.0 has no Transfer-Encoding");
    if (out->is_chunked && out->has_length)
        return refuse(why, 400, "Content-Length stands beside Transfer-Encoding");
    out->keep_alive = !out->is_1_0 && !f->says_close;
    /* A client of HTTP/1.0 cannot mean it (RFC 9110 section 10.1.1). */
    if (out->is_1_0) out->expect_continue = false;
    return true;
}

bool http_head_parse(rf_str head, const struct http_parse_limits *limits, struct rf_arena *arena,
                     struct http_head *out, struct http_refusal *why)
{
    *out = (struct http_head){.is_1_0 = false};
    struct framing f = {.has_host = false};
    size_t at = 0;
    rf_str line = next_line(head, &at);
    return parse_request_line(line, limits, arena, out, why) &&
           parse_headers(head, at, limits, arena, out, &f, why) && judge_host(out, &f, why) &&
           judge(out, &f, why);
}

/* "HTTP/1.1 200 OK"; the phrase may be missing (section 4). */
static bool parse_status_line(rf_str line, struct http_head *out, struct http_refusal *why)
{
    enum { STATUS_AT = 9, STATUS_END = 12 };
    if (line.len < STATUS_END || line.ptr[8] != ' ' ||
        (line.len > STATUS_END && line.ptr[STATUS_END] != ' '))
        return refuse(why, 400, "the status line is malformed");
    for (size_t i = STATUS_AT; i < STATUS_END; i++) {
        if (!rf_is_digit(line.ptr[i])) return refuse(why, 400, "the status is malformed");
        out->status = (uint16_t)(out->status * 10 + (line.ptr[i] - '0'));
    }
    if (out->status < 100 || out->status > 599)
        return refuse(why, 400, "the status is not one of HTTP");
    return parse_version(rf_slice(line, 0, 8), &out->is_1_0, why);
}

bool http_answer_parse(rf_str head, const struct http_parse_limits *limits, struct rf_arena *arena,
                       struct http_head *out, struct http_refusal *why)
{
    *out = (struct http_head){.is_1_0 = false};
    struct framing f = {.has_host = false};
    size_t at = 0;
    rf_str line = next_line(head, &at);
    return parse_status_line(line, out, why) &&
           parse_headers(head, at, limits, arena, out, &f, why) && judge(out, &f, why);
}

/* ---- chunked bodies ---------------------------------------------------------------------------- */

enum chunk_state {
    CHUNK_SIZE,
    CHUNK_NAME_START, /* of an extension: ";" token [ "=" ( token / quoted-string ) ] */
    CHUNK_NAME,
    CHUNK_VALUE_START,
    CHUNK_VALUE,
    CHUNK_QUOTED,
    CHUNK_QUOTED_PAIR,
    CHUNK_QUOTED_END,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER_START,
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
    CHUNK_END
};

static int hex_value(uint8_t c)
{
    if (rf_is_digit(c)) return c - '0';
    c = rf_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool on_size(struct http_chunks *chunks, uint8_t c, struct http_refusal *why)
{
    enum { SIZE_DIGITS_MAX = 15 };
    int digit = hex_value(c);
    if (digit >= 0 && chunks->digits < SIZE_DIGITS_MAX) {
        chunks->left = chunks->left * 16 + (uint64_t)digit;
        chunks->digits++;
        return true;
    }
    if (chunks->digits == 0 || (c != ';' && c != '\r'))
        return refuse(why, 400, "a chunk's size is malformed");
    chunks->state = c == ';' ? CHUNK_NAME_START : CHUNK_SIZE_LF;
    return true;
}

/* Where a byte of an extension leads; CHUNK_END when it has no place there. */
static enum chunk_state after_extension(enum chunk_state state, uint8_t c)
{
    bool is_token = is_class(c, C_TOKEN);
    bool may_end = state == CHUNK_NAME || state == CHUNK_VALUE || state == CHUNK_QUOTED_END;
    if (may_end && c == '\r') return CHUNK_SIZE_LF;
    if (may_end && c == ';') return CHUNK_NAME_START;
    if (state == CHUNK_NAME && c == '=') return CHUNK_VALUE_START;
    if (state == CHUNK_NAME_START || state == CHUNK_NAME) return is_token ? CHUNK_NAME : CHUNK_END;
    if (state == CHUNK_VALUE_START && c == '"') return CHUNK_QUOTED;
    if (state == CHUNK_VALUE_START || state == CHUNK_VALUE)
        return is_token ? CHUNK_VALUE : CHUNK_END;
    if (!is_class(c, C_VALUE) || state == CHUNK_QUOTED_END) return CHUNK_END;
    if (state == CHUNK_QUOTED_PAIR) return CHUNK_QUOTED;
    if (c == '\\') return CHUNK_QUOTED_PAIR;
    return c == '"' ? CHUNK_QUOTED_END : CHUNK_QUOTED;
}

static bool on_extension(struct http_chunks *chunks, uint8_t c, struct http_refusal *why)
{
    enum chunk_state next = after_extension((enum chunk_state)chunks->state, c);
    if (next == CHUNK_END) return refuse(why, 400, "a chunk's extension is malformed");
    if (++chunks->extra_bytes > HTTP_CHUNK_EXTENSIONS_MAX)
        return refuse(why, 400, "the chunks have too many extensions");
    chunks->state = (uint8_t)next;
    return true;
}

/* Expects `wanted`, and goes on to `next`. */
static bool on_mark(struct http_chunks *chunks, uint8_t c, uint8_t wanted, enum chunk_state next,
                    struct http_refusal *why)
{
    if (c != wanted) return refuse(why, 400, "a chunk does not end in CR LF");
    chunks->state = (uint8_t)next;
    return true;
}

static bool on_size_line_end(struct http_chunks *chunks, uint8_t c, struct http_refusal *why)
{
    chunks->line_bytes = 0;
    chunks->digits = 0;
    return on_mark(chunks, c, '\n', chunks->left == 0 ? CHUNK_TRAILER_START : CHUNK_DATA, why);
}

static void keep_name_byte(struct http_chunks *chunks, uint8_t c)
{
    if (chunks->name_bytes < sizeof chunks->name) chunks->name[chunks->name_bytes++] = c;
}

static bool on_trailer_start(struct http_chunks *chunks, uint8_t c, struct http_refusal *why)
{
    if (c != '\r' && !is_class(c, C_TOKEN)) return refuse(why, 400, "a trailer is malformed");
    chunks->state = c == '\r' ? CHUNK_END_LF : CHUNK_TRAILER_NAME;
    chunks->name_bytes = 0;
    keep_name_byte(chunks, c);
    return true;
}

/* Trailers are dropped, but one that speaks of framing is a trick (RFC 9110 section 6.5.1). */
static bool on_trailer_colon(struct http_chunks *chunks, struct http_refusal *why)
{
    rf_str name = rf_str_make(chunks->name, chunks->name_bytes);
    if (rf_str_eq_nocase(name, RF_S("Content-Length")) ||
        rf_str_eq_nocase(name, RF_S("Transfer-Encoding")))
        return refuse(why, 400, "a trailer has no say about framing");
    chunks->state = CHUNK_TRAILER_VALUE;
    return true;
}

static bool on_trailer_name(struct http_chunks *chunks, uint8_t c, struct http_refusal *why)
{
    if (c == ':') return on_trailer_colon(chunks, why);
    if (!is_class(c, C_TOKEN)) return refuse(why, 400, "a trailer is malformed");
    keep_name_byte(chunks, c);
    return true;
}

static bool on_trailer_value(struct http_chunks *chunks, uint8_t c, struct http_refusal *why)
{
    if (c == '\r')
        chunks->state = CHUNK_TRAILER_LF;
    else if (!is_class(c, C_VALUE))
        return refuse(why, 400, "a trailer is malformed");
    return true;
}

/* One byte that is not data. */
static bool chunk_byte(struct http_chunks *chunks, uint8_t c, struct http_refusal *why)
{
    if (chunks->state <= CHUNK_SIZE_LF && ++chunks->line_bytes > HTTP_CHUNK_LINE_MAX)
        return refuse(why, 400, "a chunk's size line is too long");
    if (chunks->state >= CHUNK_TRAILER_START && ++chunks->trailer_bytes > HTTP_TRAILER_BYTES_MAX)
        return refuse(why, 431, "the trailers are too long");
    switch ((enum chunk_state)chunks->state) {
    case CHUNK_SIZE:
        return on_size(chunks, c, why);
    case CHUNK_NAME_START:
    case CHUNK_NAME:
    case CHUNK_VALUE_START:
    case CHUNK_VALUE:
    case CHUNK_QUOTED:
    case CHUNK_QUOTED_PAIR:
    case CHUNK_QUOTED_END:
        return on_extension(chunks, c, why);
    case CHUNK_SIZE_LF:
        return on_size_line_end(chunks, c, why);
    case CHUNK_DATA_CR:
        return on_mark(chunks, c, '\r', CHUNK_DATA_LF, why);
    case CHUNK_DATA_LF:
        return on_mark(chunks, c, '\n', CHUNK_SIZE, why);
    case CHUNK_TRAILER_START:
        return on_trailer_start(chunks, c, why);
    case CHUNK_TRAILER_NAME:
        return on_trailer_name(chunks, c, why);
    case CHUNK_TRAILER_VALUE:
        return on_trailer_value(chunks, c, why);
    case CHUNK_TRAILER_LF:
        return on_mark(chunks, c, '\n', CHUNK_TRAILER_START, why);
    case CHUNK_END_LF:
        return on_mark(chunks, c, '\n', CHUNK_END, why);
    case CHUNK_DATA:
    case CHUNK_END:
        break;
    }
    RF_ASSERT(chunks->state < CHUNK_DATA); /* whoever calls handles data, and stops at the end */
    return false;
}

static rf_str take_data(struct http_chunks *chunks, rf_str in, size_t at)
{
    size_t bytes = (size_t)RF_MIN(chunks->left, (uint64_t)(in.len - at));
    chunks->left -= bytes;
    if (chunks->left == 0) chunks->state = CHUNK_DATA_CR;
    return rf_slice(in, at, at + bytes);
}

enum http_step http_chunks_read(struct http_chunks *chunks, rf_str in, size_t *used, rf_str *data,
                                struct http_refusal *why)
{
    size_t at = 0;
    *data = (rf_str){NULL, 0};
    while (at < in.len && chunks->state != CHUNK_END) {
        if (chunks->state == CHUNK_DATA) {
            *data = take_data(chunks, in, at);
            *used = at + data->len;
            return HTTP_MORE;
        }
        if (!chunk_byte(chunks, in.ptr[at++], why)) return HTTP_REFUSED;
    }
    *used = at;
    return chunks->state == CHUNK_END ? HTTP_DONE : HTTP_MORE;
}
