#include "net/http_parse.h"
#include "test/rf_prop.h" /* includes <criterion/criterion.h> */

static const struct http_parse_limits roomy = {
    .head_bytes_max = 1 << 16, .headers_max = 100, .target_bytes_max = 1 << 15};

/* What scanning and parsing make of `bytes`: 0 for more, 200 for a head, else the status of the refusal. */
static uint16_t read_head(rf_str bytes, const struct http_parse_limits *limits,
                          struct rf_arena *arena, struct http_head *head, size_t *end)
{
    struct http_head_scan scan = {.at = 0};
    struct http_refusal why = {.status = 0};
    size_t from;
    enum http_step step = http_head_scan(&scan, bytes, limits, &from, end, &why);
    if (step == HTTP_MORE) return 0;
    if (step == HTTP_REFUSED) return why.status;
    bool good = http_head_parse(rf_slice(bytes, from, *end), limits, arena, head, &why);
    return good ? 200 : why.status;
}

static uint16_t status_of(const char *text, struct rf_arena *arena)
{
    struct http_head head;
    size_t end;
    return read_head(rf_str_of(text), &roomy, arena, &head, &end);
}

#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

Test(http_parse, judges_heads)
{
    static const struct {
        uint16_t status;
        const char *head;
    } cases[] = {
        {200, GET "Host: a\r\n\r\n"},
        {200, "\r\n" GET "Host: a\r\n\r\n"},
        {400, "\r\n\r\n" GET "Host: a\r\n\r\n"},
        {0, GET "Host: a\r\n"},
        {0, "GET"},
        {0, ""},
        /* lines */
        {400, "GET / HTTP/1.1\nHost: a\r\n\r\n"},
        {400, GET "Host: a\n\r\n"},
        {400, GET "Host: a\r\r\n\r\n"},
        {400, GET "Host: a\rX: b\r\n\r\n"},
        {400, GET "Host: a\r\n X: b\r\n\r\n"},
        {400, GET " Host: a\r\n\r\n"},
        {400, GET "Host: a\r\nX: a\vb\r\n\r\n"},
        {400, GET "Host: a\r\nX: a\x7f\r\n\r\n"},
        {200, GET "Host: a\r\nX: \xff\xc3\xab\tz \r\n\r\n"},
        /* the request line */
        {400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
        {400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /\r\nHost: a\r\n\r\n"},
        {400, "GET / \r\nHost: a\r\n\r\n"},
        {400, "GET / http/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.11\r\nHost: a\r\n\r\n"},
        {505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
        {505, "PRI * HTTP/2.0\r\n\r\n"},
        {501, "get / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {501, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"},
        /* targets */
        {200, "GET /a%20b?x={y}|'$filter'&[z] HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /\xc3\xab HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
        {200, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
        {200, "GET https://b/ HTTP/1.1\r\nHost: a\r\n\r\n"},
        {200, "GET HTTP://b HTTP/1.0\r\n\r\n"},
        {400, "GET HTTP://b HTTP/1.1\r\n\r\n"},
        {400, "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET http://u@b/x HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET ftp://b/x HTTP/1.1\r\nHost: a\r\n\r\n"},
        /* headers */
        {400, GET "Host : a\r\n\r\n"},
        {400, GET "Host: a\r\nX\r\n\r\n"},
        {400, GET "Host: a\r\n: x\r\n\r\n"},
        {400, GET "Host: a\r\nX y: x\r\n\r\n"},
        {400, GET "Host: a\r\nX\"y: x\r\n\r\n"},
        {200, GET "Host: a\r\nX:\r\nY:z\r\n\r\n"},
        /* Host */
        {400, GET "X: a\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\n\r\n"},
        {400, GET "Host:\r\n\r\n"},
        {400, GET "Host: a\r\nHost: a\r\n\r\n"},
        {400, GET "Host: a, b\r\n\r\n"},
        {400, GET "Host: a/b\r\n\r\n"},
        {400, GET "Host: u@a\r\n\r\n"},
        {400, GET "Host: a:b\r\n\r\n"},
        {400, GET "Host: a:123456\r\n\r\n"},
        {400, GET "Host: ::1\r\n\r\n"},
        {200, GET "Host: [::1]:8443\r\n\r\n"},
        {400, GET "Host: [::1\r\n\r\n"},
        {400, GET "Host: [::1]8\r\n\r\n"},
        {200, GET "hOST: \t kv.vault.ringfort.localhost:8443\t\r\n\r\n"},
        /* framing */
        {200, POST "Content-Length: 0\r\n\r\n"},
        {200, POST "Content-Length: 000000000000000007\r\n\r\n"},
        {400, POST "Content-Length: 0000000000000000007\r\n\r\n"},
        {400, POST "Content-Length: \r\n\r\n"},
        {400, POST "Content-Length: +1\r\n\r\n"},
        {400, POST "Content-Length: -1\r\n\r\n"},
        {400, POST "Content-Length: 1 \t2\r\n\r\n"},
        {400, POST "Content-Length: 1\t\r\n\r\n"},
        {501, POST "Transfer-Encoding:\tchunked\r\n\r\n"},
        {400, POST "Content-Length: 0x1\r\n\r\n"},
        {400, POST "Content-Length: 1, 1\r\n\r\n"},
        {400, POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"},
        {400, POST "Content-Length: 99999999999999999999\r\n\r\n"},
        {200, POST "Transfer-Encoding: chunked\r\n\r\n"},
        {200, POST "transfer-encoding:CHUNKED\r\n\r\n"},
        {501, POST "Transfer-Encoding: xchunked\r\n\r\n"},
        {501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n"},
        {501, POST "Transfer-Encoding: chunked, identity\r\n\r\n"},
        {501, POST "Transfer-Encoding: \"chunked\"\r\n\r\n"},
        {400, POST "Transfer-Encoding: \vchunked\r\n\r\n"},
        {501, POST "Transfer-Encoding:\r\n\r\n"},
        {400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"},
        {400, POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, POST "Transfer-Encoding : chunked\r\n\r\n"},
        /* others */
        {417, POST "Expect: 200-ok\r\n\r\n"},
        {200, POST "Expect: 100-Continue\r\n\r\n"},
        {415, POST "Content-Encoding: br\r\n\r\n"},
        {415, POST "Content-Encoding: gzip, gzip\r\n\r\n"},
        {415, POST "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n"},
        {200, POST "Content-Encoding: Identity\r\n\r\n"},
        {200, POST "Content-Encoding: zstd\r\n\r\n"},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        uint16_t status = status_of(cases[i].head, &arena);
        cr_assert(status == cases[i].status, "%u instead of %u for\n%s", status, cases[i].status,
                  cases[i].head);
    }
}

Test(http_parse, finds_what_a_head_says)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct http_head head;
    size_t end;
    rf_str text = RF_S("PUT https://KV.vault:1?a=b?c HTTP/1.1\r\nHost: other\r\n"
                       "Connection: x, Close\r\nContent-Length: 12\r\nContent-Encoding: x-gzip\r\n"
                       "Expect: 100-continue\r\nX-Empty:\r\nx-empty: second\r\n\r\nrest");
    cr_assert(read_head(text, &roomy, &arena, &head, &end) == 200);
    cr_assert(end == text.len - 4);
    cr_assert(head.request.method == HTTP_PUT && rf_str_is(head.request.target, "/?a=b?c"));
    cr_assert(rf_str_is(head.request.path, "/") && rf_str_is(head.request.query, "a=b?c"));
    cr_assert(rf_str_is(head.request.host, "KV.vault:1"), "the target's host replaces Host");
    cr_assert(!head.keep_alive && head.expect_continue && !head.is_chunked && !head.is_1_0);
    cr_assert(head.has_length && head.content_length == 12 && head.coding == HTTP_GZIP);
    bool found;
    cr_assert(http_header(&head.request, "X-EMPTY", &found).len == 0 && found);
    cr_assert(http_header(&head.request, "X-Missing", &found).len == 0 && !found);

    text =
        RF_S("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n");
    cr_assert(read_head(text, &roomy, &arena, &head, &end) == 200);
    cr_assert(head.is_1_0 && !head.keep_alive && !head.expect_continue && !head.has_length);
}

Test(http_parse, has_limits)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct http_head head;
    size_t end;
    rf_str text = RF_S("GET /123456789 HTTP/1.1\r\nHost: a\r\nB: b\r\n\r\n");
    struct http_parse_limits tight = {
        .head_bytes_max = (uint32_t)text.len, .headers_max = 2, .target_bytes_max = 10};
    cr_assert(read_head(text, &tight, &arena, &head, &end) == 200);
    struct http_parse_limits less = tight;
    less.head_bytes_max--;
    cr_assert(read_head(text, &less, &arena, &head, &end) == 431);
    less = tight;
    less.headers_max--;
    cr_assert(read_head(text, &less, &arena, &head, &end) == 431);
    less = tight;
    less.target_bytes_max--;
    cr_assert(read_head(text, &less, &arena, &head, &end) == 414);
    /* A target without an end is refused before it fills the head's room. */
    uint8_t endless[100];
    memset(endless, 'a', sizeof endless);
    less = (struct http_parse_limits){1 << 16, 100, 10};
    cr_assert(read_head(rf_str_make(endless, sizeof endless), &less, &arena, &head, &end) == 414);

    RF_CLEANUP(rf_arena_done) struct rf_arena small;
    rf_arena_init(&small, 0);
    cr_assert(read_head(text, &tight, &small, &head, &end) == 500);
}

Test(http_parse, reads_answers)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    static const struct {
        const char *head;
        uint16_t status;
        bool keep_alive;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 200, true},
        {"HTTP/1.1 404\r\nHost: a b\r\nExpect: x\r\n\r\n", 404, true},
        {"HTTP/1.1 503 \r\nConnection: close\r\n\r\n", 503, false},
        {"HTTP/1.0 200 OK\r\n\r\n", 200, false},
        {"HTTP/1.1 2000 OK\r\n\r\n", 0, false},
        {"HTTP/1.1 20 OK\r\n\r\n", 0, false},
        {"HTTP/1.1 999 x\r\n\r\n", 0, false},
        {"HTTP/2.0 200 OK\r\n\r\n", 0, false},
        {"ICY 200 OK\r\n\r\n", 0, false},
        {"\r\n", 0, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 0, false},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct http_head head;
        struct http_refusal why;
        bool good = http_answer_parse(rf_str_of(cases[i].head), &roomy, &arena, &head, &why);
        cr_assert(good == (cases[i].status != 0), "%s", cases[i].head);
        if (!good) continue;
        cr_assert(head.status == cases[i].status && head.keep_alive == cases[i].keep_alive, "%s",
                  cases[i].head);
    }
}

/* ---- chunks ---------------------------------------------------------------------------------------- */

/* Decodes `in`, given in pieces of at most `piece` bytes, into `out`. */
static enum http_step decode(rf_str in, size_t piece, struct rf_buf *out, size_t *used,
                             struct http_refusal *why)
{
    struct http_chunks chunks = {.left = 0};
    *used = 0;
    for (;;) {
        size_t step = 0;
        rf_str data, part = rf_slice(in, *used, RF_MIN(in.len, *used + piece));
        enum http_step result = http_chunks_read(&chunks, part, &step, &data, why);
        if (result == HTTP_REFUSED) return result;
        rf_buf_str(out, data);
        *used += step;
        if (result == HTTP_DONE || (*used == in.len && step == 0)) return result;
        if (*used == in.len) return result;
    }
}

Test(http_parse, reads_chunks)
{
    static const struct {
        enum http_step step;
        const char *in, *out;
    } cases[] = {
        {HTTP_DONE, "0\r\n\r\n", ""},
        {HTTP_DONE, "3\r\nabc\r\n0\r\n\r\n", "abc"},
        {HTTP_DONE, "3;x\r\nabc\r\nA;y=\"z;\"\r\n0123456789\r\n000\r\n\r\n", "abc0123456789"},
        {HTTP_DONE, "1\r\na\r\n0\r\nX: y\r\nZ:\r\n\r\n", "a"},
        {HTTP_DONE, "00000000000000f\r\n0123456789abcde\r\n0\r\n\r\n", "0123456789abcde"},
        {HTTP_REFUSED, "000000000000000f\r\n", ""},
        {HTTP_REFUSED, "\r\n", ""},
        {HTTP_REFUSED, ";x\r\n", ""},
        {HTTP_REFUSED, " 1\r\na", ""},
        {HTTP_REFUSED, "1 \r\na", ""},
        {HTTP_REFUSED, "0x1\r\na", ""},
        {HTTP_REFUSED, "-1\r\na", ""},
        {HTTP_REFUSED, "1\na\r\n", ""},
        {HTTP_REFUSED, "1\r\nab\r\n", "a"},
        {HTTP_REFUSED, "1\r\na\n", "a"},
        {HTTP_REFUSED, "1;x\ny\r\na\r\n", ""},
        {HTTP_REFUSED, "0\r\n folded\r\n\r\n", ""},
        {HTTP_REFUSED, "0\r\nno colon\r\n\r\n", ""},
        {HTTP_REFUSED, "0\r\nX: \x01\r\n\r\n", ""},
        {HTTP_REFUSED, "0\r\n\rX", ""},
        {HTTP_REFUSED, "3;\r\nabc\r\n", ""},
        {HTTP_REFUSED, "3;=x\r\nabc\r\n", ""},
        {HTTP_REFUSED, "3;a=\r\nabc\r\n", ""},
        {HTTP_REFUSED, "3;a=b c\r\nabc\r\n", ""},
        {HTTP_REFUSED, "3;a=\"b\"c\r\nabc\r\n", ""},
        {HTTP_REFUSED, "3;\xff\r\nabc\r\n", ""},
        {HTTP_REFUSED, "0\r\nTransfer-encoding: x\r\n\r\n", ""},
        {HTTP_REFUSED, "0\r\nX: y\r\nContent-Length: 1\r\n\r\n", ""},
        {HTTP_DONE, "0\r\nContent-Length-: 1\r\n\r\n", ""},
        {HTTP_DONE, "1;a=\"\\\"\xff\";b;c=d\r\nx\r\n0;e\r\n\r\n", "x"},
        {HTTP_MORE, "5\r\nabc", "abc"},
        {HTTP_MORE, "0\r\n", ""},
        {HTTP_MORE, "", ""},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        for (size_t piece = 1; piece <= strlen(cases[i].in) + 1; piece++) {
            struct rf_buf out = rf_buf_in(&arena);
            struct http_refusal why;
            size_t used;
            enum http_step step = decode(rf_str_of(cases[i].in), piece, &out, &used, &why);
            cr_assert(step == cases[i].step, "%s in pieces of %zu", cases[i].in, piece);
            cr_assert(rf_str_is(rf_buf_view(&out), cases[i].out), "%s", cases[i].in);
        }
}

Test(http_parse, bounds_what_chunks_bring_beside_their_data)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    static const struct {
        const char *start, *repeat;
        int count;
        uint16_t status;
    } cases[] = {
        {"1;", "x", HTTP_CHUNK_LINE_MAX, 400},
        {"", "1;xxxxxxxx\r\na\r\n", HTTP_CHUNK_EXTENSIONS_MAX / 8 + 1, 400},
        {"0\r\n", "X: yyyyyyyyyyyyyyy\r\n", HTTP_TRAILER_BYTES_MAX / 20 + 1, 431},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_buf in = rf_buf_in(&arena), out = rf_buf_in(&arena);
        struct http_refusal why;
        size_t used;
        rf_buf_str(&in, rf_str_of(cases[i].start));
        for (int n = 0; n < cases[i].count; n++) rf_buf_str(&in, rf_str_of(cases[i].repeat));
        cr_assert(decode(rf_buf_view(&in), SIZE_MAX / 2, &out, &used, &why) == HTTP_REFUSED);
        cr_assert(why.status == cases[i].status, "case %zu: %u", i, why.status);
    }
}

/* Property: a head is judged alike, and ends at the same place, whole or in pieces. */
RF_PROP(http_heads_read_alike_in_pieces, 3000)
{
    static const char *const parts[] = {
        "GET ", "POST ", "/", "/x?y", " HTTP/1.1\r\n", "\r\n", "Host: a",           "A:b",
        "\n",   "\r",    " ", "\t",   "\x01",          "\xc3", "Content-Length: 1", "Connection:"};
    struct rf_buf text;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    text = rf_buf_in(&arena);
    if (rf_test_below(prng, 2) == 0) rf_buf_str(&text, RF_S("GET / HTTP/1.1\r\nHost: a\r\n"));
    for (size_t i = rf_test_len(prng, 20); i > 0; i--)
        rf_buf_str(&text, rf_str_of(parts[rf_test_below(prng, RF_COUNT(parts))]));
    rf_buf_str(&text, RF_S("\r\n\r\n"));
    rf_str whole = rf_buf_view(&text);
    struct http_head_scan once = {.at = 0}, often = {.at = 0};
    struct http_refusal why_once = {.status = 0}, why_often = {.status = 0};
    size_t from[2] = {0}, to[2] = {0}, len = 0;
    enum http_step first = http_head_scan(&once, whole, &roomy, &from[0], &to[0], &why_once);
    enum http_step then = HTTP_MORE;
    while (then == HTTP_MORE && len < whole.len) {
        len = RF_MIN(whole.len, len + 1 + rf_test_below(prng, 4));
        then =
            http_head_scan(&often, rf_slice(whole, 0, len), &roomy, &from[1], &to[1], &why_often);
    }
    cr_assert(first == then && why_once.status == why_often.status);
    cr_assert(from[0] == from[1] && to[0] == to[1]);
}

/* Property: what is written in chunks of any sizes reads back, in pieces of any sizes, and the end is found. */
RF_PROP(http_chunks_read_back, 2000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 22);
    uint8_t raw[2000];
    rf_str body = rf_test_bytes(prng, raw, sizeof raw, NULL);
    struct rf_buf in = rf_buf_in(&arena), out = rf_buf_in(&arena);
    for (size_t at = 0; at < body.len;) {
        size_t bytes = 1 + (size_t)rf_test_below(prng, body.len - at);
        rf_buf_printf(&in, rf_test_below(prng, 2) ? "%zx%s\r\n" : "%zX%s\r\n", bytes,
                      rf_test_below(prng, 8) == 0 ? ";a=b" : "");
        rf_buf_str(&in, rf_slice(body, at, at + bytes));
        rf_buf_str(&in, RF_S("\r\n"));
        at += bytes;
    }
    rf_buf_str(&in, RF_S("0\r\n\r\n"));
    size_t end = in.len, used;
    rf_buf_str(&in, RF_S("GET / HTTP/1.1\r\n"));
    struct http_refusal why;
    size_t piece = 1 + (size_t)rf_test_below(prng, in.len);
    cr_assert(decode(rf_buf_view(&in), piece, &out, &used, &why) == HTTP_DONE);
    cr_assert(used == end && rf_str_eq(rf_buf_view(&out), body));
}

/* ---- lists and answers' headers ------------------------------------------------------------------------- */

Test(http_parse, reads_lists)
{
    cr_assert(http_list_has(RF_S("a, CLOSE ,b"), "close"));
    cr_assert(http_list_has(RF_S("close"), "close"));
    cr_assert(!http_list_has(RF_S("closed, not close"), "close"));
    cr_assert(!http_list_has(RF_S(""), "close"));
    rf_str list = RF_S(" ,, a ,\tb,"), element;
    cr_assert(http_list_next(&list, &element) && rf_str_is(element, "a"));
    cr_assert(http_list_next(&list, &element) && rf_str_is(element, "b"));
    cr_assert(!http_list_next(&list, &element));
}

Test(http_parse, answers_set_replace_and_add_headers)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct http_response response = {.arena = &arena};
    http_set_literal(&response, "ETag", "one");
    http_setf(&response, "etag", "%d", 2);
    http_add(&response, "Set-Cookie", RF_S("a\r\nb\x01"));
    http_add(&response, "Set-Cookie", RF_S("c"));
    cr_assert(response.header_count == 3 && !response.failed);
    cr_assert(rf_str_is(response.headers[0].value, "2"));
    cr_assert(rf_str_is(response.headers[1].value, "a  b "));
    for (int i = 0; i < 40; i++) http_add(&response, "X", RF_S("y"));
    cr_assert(response.header_count == 43 && !response.failed);
    char lengthy[5000];
    memset(lengthy, 'x', sizeof lengthy - 1);
    lengthy[sizeof lengthy - 1] = '\0';
    http_setf(&response, "X", "%s", lengthy);
    cr_assert(response.failed, "a value is never cut");
    RF_CLEANUP(rf_arena_done) struct rf_arena empty;
    rf_arena_init(&empty, 0);
    struct http_response poor = {.arena = &empty};
    http_set(&poor, "A", RF_S("b"));
    cr_assert(poor.failed);
}
