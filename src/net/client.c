#include "net/client.h"

#include <stdlib.h>

#include "net/dial.h"
#include "net/http_parse.h"
#include "net/inflate.h"

enum { HOST_BYTES_MAX = 253, PIECE_BYTES = 64 << 10 };

struct origin {
    bool is_tls;
    uint16_t port;
    char host[HOST_BYTES_MAX + 1]; /* without brackets and without a dot at its end; lower case */
};

struct http_client {
    struct tls_context *tls;
    int64_t timeout_usec;
    size_t answer_bytes_max;
    bool trust_loopback;
    struct origin origin; /* of the connection that is kept */
    struct dial *dial;    /* NULL: none is kept */
    const struct egress *egress;
    uint8_t piece[PIECE_BYTES];
};

/* ---- URLs ---------------------------------------------------------------------------------------- */

struct url {
    struct origin origin;
    rf_str authority; /* for Host */
    rf_str target;    /* empty: "/" */
};

static enum rf_kind bad_url(rf_str url, const char *why, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "BadUrl", "%.*s: %s", RF_FMT(url), why);
}

static bool parse_port(rf_str text, uint16_t *out)
{
    uint32_t port = 0;
    if (text.len == 0 || text.len > 5) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i])) return false;
        port = port * 10 + (text.ptr[i] - (uint32_t)'0');
    }
    *out = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX;
}

static bool is_host_byte(uint8_t c)
{
    return rf_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == ':';
}

static bool parse_authority(rf_str text, struct origin *out)
{
    size_t end; /* of the host */
    bool bracketed = text.len > 0 && text.ptr[0] == '[';
    if (bracketed)
        end = rf_str_find(text, RF_S("]"), 0);
    else
        end = RF_MIN(rf_str_find(text, RF_S(":"), 0), text.len);
    if (end == SIZE_MAX) return false;
    rf_str host = rf_slice(text, bracketed ? 1 : 0, end);
    rf_str rest = rf_slice(text, bracketed ? end + 1 : end, text.len);
    if (rest.len > 0 &&
        (rest.ptr[0] != ':' || !parse_port(rf_slice(rest, 1, rest.len), &out->port)))
        return false;
    if (host.len > 1 && host.ptr[host.len - 1] == '.') host.len--;
    if (host.len == 0 || host.len > HOST_BYTES_MAX) return false;
    for (size_t i = 0; i < host.len; i++) {
        if (!is_host_byte(host.ptr[i])) return false;
        out->host[i] = (char)rf_lower(host.ptr[i]);
    }
    return true;
}

static enum rf_kind parse_url(rf_str text, struct url *out, struct rf_err *err)
{
    *out = (struct url){.origin = {.port = 80}};
    rf_str https = RF_S("https://"), http = RF_S("http://");
    size_t from = http.len;
    if (rf_str_starts(text, https)) {
        out->origin.is_tls = true;
        out->origin.port = 443;
        from = https.len;
    } else if (!rf_str_starts(text, http)) {
        return bad_url(text, "it begins neither with https:// nor with http://", err);
    }
    size_t to = from;
    while (to < text.len && text.ptr[to] != '/' && text.ptr[to] != '?') to++;
    out->authority = rf_slice(text, from, to);
    out->target = rf_slice(text, to, text.len);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f || text.ptr[i] == '#')
            return bad_url(text, "blanks, other characters than ASCII and # have no place in it",
                           err);
    if (!parse_authority(out->authority, &out->origin))
        return bad_url(text, "its host or port is malformed", err);
    return RF_OK;
}

/* ---- connecting ------------------------------------------------------------------------------------ */

static void drop(struct http_client *client)
{
    dial_close(client->dial);
    client->dial = NULL;
}

static enum rf_kind connect_to(struct http_client *client, const struct origin *origin,
                               struct rf_err *err)
{
    const struct dial_options options = {.host = origin->host,
                                         .port = origin->port,
                                         .timeout_usec = client->timeout_usec,
                                         .egress = client->egress};
    RF_TRY(dial_open(&options, &client->dial, err));
    client->origin = *origin;
    if (!origin->is_tls) return RF_OK;
    bool trust_any = client->trust_loopback && egress_is_loopback(rf_str_of(origin->host));
    return dial_tls(client->dial, client->tls, trust_any, err);
}

static bool is_same(const struct origin *a, const struct origin *b)
{
    return a->is_tls == b->is_tls && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* Something to read before anything was asked is an end, or not ours to understand. */
static bool is_usable(const struct http_client *client, const struct origin *origin)
{
    return client->dial != NULL && is_same(&client->origin, origin) && dial_is_quiet(client->dial);
}

/* ---- bytes ----------------------------------------------------------------------------------------- */

static enum rf_kind io_failed(const struct http_client *client, enum dial_io io, struct rf_err *err)
{
    if (io == DIAL_TIMED_OUT)
        return RF_FAIL(err, RF_IO, "TimedOut", "%s:%u did not answer in time", client->origin.host,
                       (unsigned)client->origin.port);
    return RF_FAIL(err, RF_IO, "BadAnswer", "%s:%u ended the connection before the answer's end",
                   client->origin.host, (unsigned)client->origin.port);
}

static enum dial_io receive(struct http_client *client, rf_str *out)
{
    size_t got = 0;
    enum dial_io io = dial_read(client->dial, client->piece, sizeof client->piece, &got);
    *out = rf_str_make(client->piece, got);
    return io;
}

/* ---- one exchange ------------------------------------------------------------------------------------ */

struct call {
    struct http_client *client;
    const char *method;
    rf_str request, body;
    struct rf_arena *arena;
    struct rf_buf in; /* what came, from the head on */
    struct http_head head;
    size_t at;        /* where the body begins in `in` */
    bool is_answered; /* a byte came */
};

static bool has_header(const struct http_header *headers, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq_nocase(headers[i].name, rf_str_of(name))) return true;
    return false;
}

static bool has_control(rf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((text.ptr[i] < ' ' && text.ptr[i] != '\t') || text.ptr[i] == 0x7f) return true;
    return false;
}

/* A body is announced where one is expected, even when it is empty. */
static bool announces_body(const char *method, rf_str body)
{
    return body.len > 0 || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

static enum rf_kind make_request(struct call *call, const struct url *url,
                                 const struct http_header *headers, uint32_t count,
                                 struct rf_err *err)
{
    struct rf_buf out = rf_buf_in(call->arena);
    bool is_bare = url->target.len == 0 || url->target.ptr[0] != '/';
    rf_buf_printf(&out, "%s %s%.*s HTTP/1.1\r\nHost: %.*s\r\n", call->method, is_bare ? "/" : "",
                  RF_FMT(url->target), RF_FMT(url->authority));
    for (uint32_t i = 0; i < count; i++) {
        if (!http_is_token(headers[i].name) || has_control(headers[i].value))
            return RF_FAIL(err, RF_INVALID, "BadHeader", "a header's name or value is malformed");
        rf_buf_printf(&out, "%.*s: ", RF_FMT(headers[i].name));
        rf_buf_str(&out, headers[i].value);
        rf_buf_str(&out, RF_S("\r\n"));
    }
    if (!has_header(headers, count, "Accept-Encoding"))
        rf_buf_str(&out, RF_S("Accept-Encoding: gzip\r\n"));
    if (announces_body(call->method, call->body))
        rf_buf_printf(&out, "Content-Length: %zu\r\n", call->body.len);
    rf_buf_str(&out, RF_S("\r\n"));
    call->request = rf_buf_view(&out);
    return out.failed ? rf_fail_memory(err, call->arena) : RF_OK;
}

static enum rf_kind bad_answer(const struct call *call, const char *why, struct rf_err *err)
{
    return RF_FAIL(err, RF_IO, "BadAnswer", "%s:%u: %s", call->client->origin.host,
                   (unsigned)call->client->origin.port, why);
}

static enum rf_kind receive_more(struct call *call, struct rf_err *err)
{
    rf_str piece;
    enum dial_io io = receive(call->client, &piece);
    if (io != DIAL_OK) return io_failed(call->client, io, err);
    call->is_answered = true;
    if (call->in.len + piece.len > call->client->answer_bytes_max)
        return RF_FAIL(err, RF_LIMIT, "AnswerTooLong", "more than %zu bytes",
                       call->client->answer_bytes_max);
    rf_buf_str(&call->in, piece);
    return call->in.failed ? rf_fail_memory(err, call->arena) : RF_OK;
}

/* Reads one head, at call->at. */
static enum rf_kind read_head(struct call *call, struct rf_err *err)
{
    static const struct http_parse_limits limits = {
        .head_bytes_max = 256 << 10, .headers_max = 256, .target_bytes_max = 64 << 10};
    struct http_head_scan scan = {.at = 0};
    struct http_refusal why;
    size_t from, to;
    for (;;) {
        rf_str came = rf_slice(rf_buf_view(&call->in), call->at, call->in.len);
        enum http_step step = http_head_scan(&scan, came, &limits, &from, &to, &why);
        if (step == HTTP_REFUSED) return bad_answer(call, why.why, err);
        if (step == HTTP_DONE) break;
        RF_TRY(receive_more(call, err));
    }
    /* A copy, because the buffer moves while the body comes. */
    rf_str head, all = rf_buf_view(&call->in);
    if (!rf_arena_str(call->arena, rf_slice(all, call->at + from, call->at + to), &head))
        return rf_fail_memory(err, call->arena);
    call->at += to;
    if (!http_answer_parse(head, &limits, call->arena, &call->head, &why))
        return bad_answer(call, why.why, err);
    return RF_OK;
}

/* What is said in between is not the answer (RFC 9110 section 15.2). */
static enum rf_kind read_final_head(struct call *call, struct rf_err *err)
{
    enum { INTERIM_MAX = 8 };
    for (int i = 0; i < INTERIM_MAX; i++) {
        RF_TRY(read_head(call, err));
        if (call->head.status >= 200) return RF_OK;
        if (call->head.status == 101) return bad_answer(call, "it changed the protocol", err);
    }
    return bad_answer(call, "too many interim answers", err);
}

static enum rf_kind read_chunked(struct call *call, rf_str *body, struct rf_err *err)
{
    struct http_chunks chunks = {.left = 0};
    struct rf_buf out = rf_buf_in(call->arena);
    struct http_refusal why;
    rf_str in = rf_slice(rf_buf_view(&call->in), call->at, call->in.len);
    for (;;) {
        size_t used = 0;
        rf_str data;
        enum http_step step = http_chunks_read(&chunks, in, &used, &data, &why);
        if (step == HTTP_REFUSED) return bad_answer(call, why.why, err);
        rf_buf_str(&out, data);
        if (out.failed) return rf_fail_memory(err, call->arena);
        if (out.len > call->client->answer_bytes_max)
            return RF_FAIL(err, RF_LIMIT, "AnswerTooLong", "more than %zu bytes",
                           call->client->answer_bytes_max);
        in = rf_slice(in, used, in.len);
        if (step == HTTP_DONE) break;
        if (in.len > 0) continue;
        enum dial_io io = receive(call->client, &in);
        if (io != DIAL_OK) return io_failed(call->client, io, err);
    }
    if (in.len > 0) call->head.keep_alive = false;
    *body = rf_buf_view(&out);
    return RF_OK;
}

static enum rf_kind read_sized(struct call *call, rf_str *body, struct rf_err *err)
{
    uint64_t length = call->head.content_length;
    if (length > call->client->answer_bytes_max)
        return RF_FAIL(err, RF_LIMIT, "AnswerTooLong", "more than %zu bytes",
                       call->client->answer_bytes_max);
    while (call->in.len - call->at < length) RF_TRY(receive_more(call, err));
    if (call->in.len - call->at > length) call->head.keep_alive = false;
    *body = rf_slice(rf_buf_view(&call->in), call->at, call->at + (size_t)length);
    return RF_OK;
}

/* Up to the end of the connection. TLS tells an end from a cut; plain HTTP cannot. */
static enum rf_kind read_rest(struct call *call, rf_str *body, struct rf_err *err)
{
    call->head.keep_alive = false;
    struct rf_buf out = rf_buf_in(call->arena);
    rf_buf_str(&out, rf_slice(rf_buf_view(&call->in), call->at, call->in.len));
    for (;;) {
        rf_str piece;
        enum dial_io io = receive(call->client, &piece);
        if (io == DIAL_EOF) break;
        if (io != DIAL_OK) return io_failed(call->client, io, err);
        rf_buf_str(&out, piece);
        if (out.failed) return rf_fail_memory(err, call->arena);
        if (out.len > call->client->answer_bytes_max)
            return RF_FAIL(err, RF_LIMIT, "AnswerTooLong", "more than %zu bytes",
                           call->client->answer_bytes_max);
    }
    *body = rf_buf_view(&out);
    return RF_OK;
}

static enum rf_kind read_body(struct call *call, rf_str *body, struct rf_err *err)
{
    uint16_t status = call->head.status;
    *body = (rf_str){NULL, 0};
    if (strcmp(call->method, "HEAD") == 0 || status == 204 || status == 304) return RF_OK;
    if (call->head.is_chunked) return read_chunked(call, body, err);
    if (call->head.has_length) return read_sized(call, body, err);
    return read_rest(call, body, err);
}

static enum rf_kind decode(struct call *call, rf_str *body, struct rf_err *err)
{
    if (call->head.coding == HTTP_IDENTITY || body->len == 0) return RF_OK;
    struct http_refusal why;
    uint8_t *plain;
    size_t bytes;
    if (!http_inflate(*body, call->head.coding, call->client->answer_bytes_max, &plain, &bytes,
                      &why))
        return bad_answer(call, why.why, err);
    bool copied = rf_arena_str(call->arena, rf_str_make(plain, bytes), body);
    free(plain);
    return copied ? RF_OK : rf_fail_memory(err, call->arena);
}

static enum rf_kind exchange(struct call *call, struct http_answer *out, struct rf_err *err)
{
    rf_str body;
    enum dial_io io = dial_write(call->client->dial, call->request);
    if (io == DIAL_OK) io = dial_write(call->client->dial, call->body);
    /* A server that refuses may answer and end before it has read the body: its answer says more than the cut. */
    if (io == DIAL_TIMED_OUT) return io_failed(call->client, io, err);
    RF_TRY(read_final_head(call, err));
    RF_TRY(read_body(call, &body, err));
    if (io != DIAL_OK) call->head.keep_alive = false;
    RF_TRY(decode(call, &body, err));
    *out = (struct http_answer){.status = call->head.status,
                                .headers = call->head.request.headers,
                                .header_count = call->head.request.header_count,
                                .body = body};
    return RF_OK;
}

/* Doing it twice is the same as doing it once (RFC 9110 section 9.2.2). */
static bool may_repeat(const char *method)
{
    return strcmp(method, "POST") != 0 && strcmp(method, "PATCH") != 0;
}

enum rf_kind http_client_call(struct http_client *client, const char *method, rf_str url_text,
                              const struct http_header *headers, uint32_t header_count, rf_str body,
                              struct rf_arena *arena, struct http_answer *out, struct rf_err *err)
{
    struct url url;
    struct call call = {.client = client, .method = method, .body = body, .arena = arena};
    RF_TRY(parse_url(url_text, &url, err));
    RF_TRY(make_request(&call, &url, headers, header_count, err));
    bool was_kept = is_usable(client, &url.origin);
    for (;;) {
        call.in = rf_buf_in(arena);
        call.at = 0;
        enum rf_kind kind = RF_OK;
        if (!was_kept) {
            drop(client);
            kind = connect_to(client, &url.origin, err);
        }
        if (kind == RF_OK) kind = exchange(&call, out, err);
        if (kind != RF_OK || !call.head.keep_alive) drop(client);
        /* The server may have ended a kept connection just as the request was under way. */
        if (kind != RF_IO || !was_kept || call.is_answered || !may_repeat(method)) return kind;
        was_kept = false;
    }
}

/* ---- life ---------------------------------------------------------------------------------------------- */

enum rf_kind http_client_new(const struct http_client_options *options, struct http_client **out,
                             struct rf_err *err)
{
    struct http_client *client = malloc(sizeof *client);
    if (client == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a client");
    client->dial = NULL;
    client->egress = options->egress;
    client->timeout_usec =
        options->timeout_usec > 0 ? options->timeout_usec : 30 * RF_USEC_PER_SECOND;
    client->answer_bytes_max =
        options->answer_bytes_max > 0 ? options->answer_bytes_max : (size_t)1 << 30;
    client->trust_loopback = options->trust_loopback;
    client->tls = NULL;
    enum rf_kind kind = tls_client_new(options->ca_pem, &client->tls, err);
    if (kind == RF_OK && options->certificate_pem.len > 0)
        kind = tls_client_prove(client->tls, options->certificate_pem, options->key_pem, err);
    if (kind != RF_OK) {
        tls_free(client->tls);
        free(client);
        return kind;
    }
    *out = client;
    return RF_OK;
}

void http_client_free(struct http_client *client)
{
    if (client == NULL) return;
    drop(client);
    tls_free(client->tls);
    explicit_bzero(client->piece, sizeof client->piece); /* answers may hold tokens */
    free(client);
}
