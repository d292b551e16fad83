#include <arpa/inet.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/encode.h"
#include "net/inflate.h"
#include "net/stream_int.h"

/* ---- memory ------------------------------------------------------------------------------------ */

void exchange_init(struct exchange *x)
{
    *x = (struct exchange){.item = {.run = exchange_run, .back = conn_answered}};
    atomic_init(&x->gone, false);
}

/* Heads carry tokens, and small bodies are where client secrets come. A large body is telemetry, which is not worth the time. */
enum { WIPE_BYTES_MAX = 64 << 10 };

void exchange_done(struct exchange *x)
{
    if (x->upgrade != NULL) upgrade_drop(x->upgrade);
    /* The copy is in the arena, which made it writable. */
    if (x->head_copy.len > 0)
        explicit_bzero((uint8_t *)(uintptr_t)x->head_copy.ptr, x->head_copy.len);
    if (x->body_bytes > 0) explicit_bzero(x->body, RF_MIN(x->body_bytes, (size_t)WIPE_BYTES_MAX));
    free(x->body);
    rf_arena_done(&x->arena);
}

bool exchange_body_room(struct exchange *x, size_t more, struct http_refusal *why)
{
    enum { FIRST_BYTES = 4096 };
    size_t need;
    if (!rf_add_size(x->body_bytes, more, &need) || need > x->plan.body_bytes_max) {
        *why = (struct http_refusal){413, "the body is too long"};
        return false;
    }
    if (need <= x->body_cap) return true;
    size_t cap = RF_MAX(x->body_cap * 2, (size_t)FIRST_BYTES);
    cap = RF_MAX(RF_MIN(cap, x->plan.body_bytes_max), need);
    /* A length is only a claim until the bytes are there, so memory follows the bytes. */
    uint8_t *grown = realloc(x->body, cap);
    if (grown == NULL) {
        *why = (struct http_refusal){503, "memory is used up"};
        return false;
    }
    x->body = grown;
    x->body_cap = cap;
    return true;
}

/* ---- the body ------------------------------------------------------------------------------------ */

static bool decode_body(struct exchange *x, struct http_refusal *why)
{
    struct http_request *request = &x->head.request;
    request->body_sent_bytes = x->body_bytes;
    if (x->head.coding != HTTP_IDENTITY && x->body_bytes > 0) {
        uint8_t *plain;
        size_t bytes;
        if (!http_inflate(rf_str_make(x->body, x->body_bytes), x->head.coding,
                          x->plan.body_bytes_max, &plain, &bytes, why))
            return false;
        free(x->body);
        x->body = plain;
        x->body_bytes = x->body_cap = bytes;
    }
    request->body = rf_str_make(x->body, x->body_bytes);
    return true;
}

/* ---- the answer --------------------------------------------------------------------------------- */

static const struct {
    uint16_t status;
    const char *text;
} reasons[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

/* A phrase is optional, its blank is not (RFC 9112 section 4). */
static const char *reason(uint16_t status)
{
    for (size_t i = 0; i < RF_COUNT(reasons); i++)
        if (reasons[i].status == status) return reasons[i].text;
    return "";
}

static rf_str response_header(const struct http_response *response, const char *name, bool *found)
{
    const struct http_request view = {.headers = response->headers,
                                      .header_count = response->header_count};
    return http_header(&view, name, found);
}

/* What this file writes itself. */
static bool is_framing(rf_str name)
{
    static const char *const names[] = {"Content-Length", "Transfer-Encoding", "Connection",
                                        "Date"};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (rf_str_eq_nocase(name, rf_str_of(names[i]))) return true;
    return false;
}

static bool has_no_body(uint16_t status) { return status == 101 || status == 204 || status == 304; }

/* The handler's answer goes on as a stream (net/event_stream.h). */
static bool is_event_stream(const struct exchange *x, const struct http_response *response)
{
    return x->upgrade != NULL && x->upgrade->plain != NULL && response->status == 200 &&
           !response->failed && x->head.request.method == HTTP_GET;
}

static void write_head(struct exchange *x, struct http_response *response)
{
    struct rf_buf head = rf_buf_in(&x->arena);
    rf_usec now = rf_clock_now(x->server->clock);
    rf_buf_printf(&head, "HTTP/1.1 %u %s\r\nDate: %.*s\r\n", (unsigned)response->status,
                  reason(response->status), RF_FMT(time_http(&x->arena, now)));
    for (uint32_t i = 0; i < response->header_count; i++) {
        if (is_framing(response->headers[i].name)) continue;
        rf_buf_str(&head, response->headers[i].name);
        rf_buf_str(&head, RF_S(": "));
        rf_buf_str(&head, response->headers[i].value);
        rf_buf_str(&head, RF_S("\r\n"));
    }
    bool is_endless = is_event_stream(x, response);
    if (!has_no_body(response->status) && !is_endless)
        rf_buf_printf(&head, "Content-Length: %zu\r\n", response->body.len);
    /* An answer that names a protocol says so (RFC 9110 section 7.8). */
    bool names_protocol = response->status == 101 || response->status == 426;
    if (is_endless)
        rf_buf_str(&head, RF_S("Connection: close\r\n")); /* its end is the connection's */
    else if (response->close || names_protocol)
        rf_buf_printf(&head, "Connection: %s%s%s\r\n", names_protocol ? "Upgrade" : "",
                      response->close && names_protocol ? ", " : "",
                      response->close ? "close" : "");
    rf_buf_str(&head, RF_S("\r\n"));
    response->failed |= head.failed;
    x->out_head = rf_buf_view(&head);
}

/* Makes the bytes that are sent; when memory is used up for the answer, a bare one that needs none. */
static void finish(struct exchange *x)
{
    struct http_response *response = &x->response;
    response->failed |= response->body.failed;
    if (!x->head.keep_alive || !x->has_head) response->close = true;
    bool is_upgraded = response->status == 101 && !response->failed;
    /* A proxy that takes any answer for the change of protocol would pass on what follows unseen. */
    if (x->has_head && !is_upgraded && websocket_is_asked(&x->head.request)) response->close = true;
    if (is_upgraded || is_event_stream(x, response))
        response->close = false;
    else if (x->upgrade != NULL)
        response->close = true; /* what was agreed does not come to be */
    if (!response->failed) write_head(x, response);
    bool bare = x->has_head && x->head.request.method == HTTP_HEAD;
    x->out_body =
        bare || has_no_body(response->status) ? (rf_str){NULL, 0} : rf_buf_view(&response->body);
    if (!response->failed) return;
    response->status = 500;
    response->close = true;
    x->out_body = (rf_str){NULL, 0};
    x->out_head = RF_S("HTTP/1.1 500 Internal Server Error\r\n"
                       "Content-Length: 0\r\nConnection: close\r\n\r\n");
}

/* ---- content coding of answers -------------------------------------------------------------------- */

/* "gzip", "gzip;q=0.5", "*": accepted, unless the weight is zero (RFC 9110 section 12.5.3). */
static bool accepts_gzip(const struct http_request *request)
{
    rf_str list = http_header(request, "Accept-Encoding", NULL), element;
    while (http_list_next(&list, &element)) {
        size_t mark = RF_MIN(rf_str_find(element, RF_S(";"), 0), element.len);
        if (!rf_str_eq_nocase(rf_str_trim(rf_slice(element, 0, mark)), RF_S("gzip"))) continue;
        size_t weight = rf_str_find(element, RF_S("q="), mark);
        if (weight == SIZE_MAX) return true;
        for (size_t i = weight + 2; i < element.len; i++)
            if (element.ptr[i] >= '1' && element.ptr[i] <= '9') return true;
        return false;
    }
    return false;
}

static bool is_compressible(rf_str type)
{
    size_t mark = RF_MIN(rf_str_find(type, RF_S(";"), 0), type.len);
    type = rf_str_trim(rf_slice(type, 0, mark));
    return rf_str_starts(type, RF_S("text/")) || rf_str_ends(type, RF_S("json")) ||
           rf_str_ends(type, RF_S("xml")) || rf_str_ends(type, RF_S("javascript"));
}

/* An answer that may not be stored holds a secret: its length after compression would tell about the secret what a caller can
 * make it stand beside (the BREACH attack). */
static bool holds_secret(const struct http_response *response)
{
    return http_list_has(response_header(response, "Cache-Control", NULL), "no-store");
}

static bool wants_gzip(const struct exchange *x)
{
    enum { GZIP_BYTES_MIN = 1024 };
    bool coded;
    (void)response_header(&x->response, "Content-Encoding", &coded);
    return x->response.body.len >= GZIP_BYTES_MIN && x->response.body.len <= INT32_MAX && !coded &&
           is_compressible(response_header(&x->response, "Content-Type", NULL)) &&
           !holds_secret(&x->response) && accepts_gzip(&x->head.request);
}

/* The fastest level: JSON shrinks to about a tenth with any. */
static void gzip_body(struct exchange *x)
{
    struct rf_buf *body = &x->response.body;
    z_stream z = {.next_in = body->ptr, .avail_in = (uInt)body->len};
    if (deflateInit2(&z, 1, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return;
    uLong bound = deflateBound(&z, z.avail_in);
    uint8_t *out = rf_arena_alloc(&x->arena, bound);
    z.next_out = out;
    z.avail_out = (uInt)bound;
    bool good = out != NULL && deflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out < body->len;
    if (good) {
        *body = (struct rf_buf){.arena = &x->arena, .ptr = out, .len = z.total_out, .cap = bound};
        http_set_literal(&x->response, "Content-Encoding", "gzip");
    }
    (void)deflateEnd(&z);
    if (good) http_add(&x->response, "Vary", RF_S("Accept-Encoding"));
}

/* ---- running ------------------------------------------------------------------------------------ */

static void begin_response(struct exchange *x, uint16_t status)
{
    x->response =
        (struct http_response){.arena = &x->arena, .status = status, .body = rf_buf_in(&x->arena)};
}

void exchange_refuse(struct exchange *x, struct http_refusal why, bool close)
{
    const struct http_handler *handler = &x->server->handler;
    begin_response(x, why.status);
    server_count(&x->server->refused, 1);
    handler->refuse(handler->ctx, x->has_head ? &x->head.request : NULL, why.why, &x->response);
    if (why.status == 503) http_set_literal(&x->response, "Retry-After", "1");
    x->response.close |= close;
    finish(x);
}

/* Without an agreement nobody may claim that there is one. What was agreed and not answered so is released with the exchange. */
static void take_upgrade(struct exchange *x)
{
    x->upgrade = x->response.upgrade;
    if (x->response.status == 101 && x->upgrade == NULL) x->response.failed = true;
}

void exchange_run(struct work_item *item)
{
    struct exchange *x = (struct exchange *)item;
    struct http_refusal why;
    if (atomic_load(&x->gone)) return; /* nobody waits any more */
    if (!decode_body(x, &why)) {
        exchange_refuse(x, why, false);
        return;
    }
    begin_response(x, 200);
    x->server->handler.run(x->server->handler.ctx, &x->head.request, &x->response, &x->gone);
    take_upgrade(x);
    if (!x->response.failed && wants_gzip(x)) gzip_body(x);
    finish(x);
}
