#include <stdlib.h>

#include "net/http_parse.h"
#include "net/stream_int.h"
#include "net/websocket.h"

void websocket_state_free(struct websocket_state *ws)
{
    if (ws == NULL) return;
    free(ws->message);
    free(ws);
}

/* ---- sending ------------------------------------------------------------------------------------------------ */

void websocket_put(struct stream *stream, enum websocket_opcode opcode, rf_str payload)
{
    uint8_t head[WEBSOCKET_HEAD_BYTES_MAX];
    size_t bytes = websocket_write_head(opcode, true, payload.len, head);
    queue_put(&stream->out, rf_str_make(head, bytes));
    queue_put(&stream->out, payload);
}

/* Without memory for a control frame the connection is of no use. */
static void put_control(struct stream *stream, enum websocket_opcode opcode, rf_str payload)
{
    size_t before = queue_bytes(&stream->out);
    if (stream->ws->close_sent || stream->is_aborted) return;
    if (!queue_reserve(&stream->out, WEBSOCKET_HEAD_BYTES_MAX + payload.len)) {
        stream_break(stream, STREAM_LOST);
        return;
    }
    websocket_put(stream, opcode, payload);
    stream_queued(stream, before);
}

void websocket_put_close(struct stream *stream, uint16_t code)
{
    uint8_t big_endian[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    /* 1005 and 1006 say that no code came, and are not to be sent. */
    bool is_sayable = code != WEBSOCKET_NO_STATUS && code != WEBSOCKET_ABNORMAL && code >= 1000;
    put_control(stream, WEBSOCKET_CLOSE,
                rf_str_make(big_endian, is_sayable ? sizeof big_endian : 0));
    if (!stream->ws->close_sent) stream->code = code;
    stream->ws->close_sent = true;
}

void websocket_put_pong(struct stream *stream)
{
    struct websocket_state *ws = stream->ws;
    if (queue_bytes(&stream->out) >= stream_out_max(stream)) return; /* when there is room again */
    ws->owes_pong = false;
    put_control(stream, WEBSOCKET_PONG, rf_str_make(ws->pong, ws->pong_bytes));
}

void websocket_put_ping(struct stream *stream)
{
    stream->ws->is_pinged = true;
    put_control(stream, WEBSOCKET_PING, (rf_str){NULL, 0});
}

/* ---- receiving ------------------------------------------------------------------------------------------------ */

/* The peer broke the protocol: it is told, and nothing that it sends matters any more (section 7.1.7). */
static void fail(struct stream *stream, uint16_t code)
{
    if (!stream->is_closing) websocket_put_close(stream, code);
    stream->ws->close_received = true;
    stream_finish(stream, STREAM_BAD);
}

static void on_close_frame(struct stream *stream, uint16_t code)
{
    stream->ws->close_received = true;
    if (stream->is_closing) return; /* it answers ours */
    stream->code = code;
    stream_peer_ended(stream);
}

static void on_message(struct stream *stream, rf_str message)
{
    stream->ws->options->stream.on_message(stream, stream->state, stream->ws->reader.is_text,
                                           message);
}

/* The reader has seen to the limit. */
static bool collect(struct websocket_state *ws, rf_str piece)
{
    size_t need = ws->message_bytes + piece.len;
    if (need > ws->message_cap) {
        size_t cap = RF_MIN(RF_MAX(need, ws->message_cap * 2), ws->reader.message_bytes_max);
        uint8_t *grown = realloc(ws->message, RF_MAX(cap, (size_t)1));
        if (grown == NULL) return false;
        ws->message = grown;
        ws->message_cap = cap;
    }
    if (piece.len > 0) memcpy(ws->message + ws->message_bytes, piece.ptr, piece.len);
    ws->message_bytes = need;
    return true;
}

static void on_piece(struct stream *stream, const struct websocket_frame *frame)
{
    struct websocket_state *ws = stream->ws;
    if (ws->message_bytes == 0 && frame->is_last) {
        on_message(stream, frame->payload);
        return;
    }
    if (!collect(ws, frame->payload)) {
        stream_break(stream, STREAM_LOST);
        return;
    }
    if (!frame->is_last) return;
    on_message(stream, rf_str_make(ws->message, ws->message_bytes));
    free(ws->message);
    ws->message = NULL;
    ws->message_bytes = ws->message_cap = 0;
}

static void on_data(struct stream *stream, const struct websocket_frame *frame)
{
    if (stream->is_closing) return; /* the handler has said all that it had to say */
    if (stream->ws->options->stream.on_message != NULL)
        on_piece(stream, frame);
    else if (stream->ws->reader.is_text)
        fail(stream, WEBSOCKET_UNWANTED_KIND);
    else if (frame->payload.len > 0)
        (void)stream_hand_over(stream, frame->payload);
}

static void on_frame(struct stream *stream, const struct websocket_frame *frame)
{
    struct websocket_state *ws = stream->ws;
    switch (frame->opcode) {
    case WEBSOCKET_CLOSE:
        on_close_frame(stream, frame->close_code);
        break;
    case WEBSOCKET_PING:
        if (frame->payload.len > 0) memcpy(ws->pong, frame->payload.ptr, frame->payload.len);
        ws->pong_bytes = (uint8_t)frame->payload.len;
        ws->owes_pong = true;
        break;
    case WEBSOCKET_PONG:
        break;
    case WEBSOCKET_CONTINUATION:
    case WEBSOCKET_TEXT:
    case WEBSOCKET_BINARY:
        on_data(stream, frame);
        break;
    }
}

size_t websocket_feed(struct stream *stream, uint8_t *bytes, size_t len)
{
    struct websocket_state *ws = stream->ws;
    size_t at = 0, used;
    while (at < len && !stream->is_aborted && !ws->close_received) {
        struct websocket_frame frame;
        if (stream->is_paused && !stream->is_closing) return at;
        enum websocket_step step = websocket_read(&ws->reader, bytes + at, len - at, &used, &frame);
        if (step == WEBSOCKET_MORE) return at;
        if (step == WEBSOCKET_FAILED) {
            fail(stream, (uint16_t)used);
            break;
        }
        at += used;
        on_frame(stream, &frame);
    }
    return len; /* behind the end nothing is read */
}

/* ---- upgrades -------------------------------------------------------------------------------------------------- */

/* An origin's or a Host header's "name:port" without the port that goes without saying. */
static rf_str without_default_port(rf_str host, bool is_tls)
{
    rf_str port = is_tls ? RF_S(":443") : RF_S(":80");
    return rf_str_ends(host, port) ? rf_slice(host, 0, host.len - port.len) : host;
}

static bool is_own_origin(const struct http_request *request, rf_str origin)
{
    rf_str scheme = request->is_tls ? RF_S("https://") : RF_S("http://");
    if (origin.len <= scheme.len || !rf_str_eq_nocase(rf_slice(origin, 0, scheme.len), scheme))
        return false;
    rf_str host = rf_slice(origin, scheme.len, origin.len);
    return rf_str_eq_nocase(without_default_port(host, request->is_tls),
                            without_default_port(request->host, request->is_tls));
}

/* Browsers let any page open a WebSocket to any server, and say only which page it was (section 10.2). */
static bool is_origin_welcome(const struct http_request *request,
                              const struct websocket_options *options, void *ctx)
{
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (!rf_str_eq_nocase(request->headers[i].name, RF_S("Origin"))) continue;
        rf_str origin = request->headers[i].value;
        bool good = options->is_welcome != NULL ? options->is_welcome(ctx, request, origin)
                                                : is_own_origin(request, origin);
        if (!good) return false;
    }
    return true;
}

static bool is_offered(const struct http_request *request, const char *protocol)
{
    for (uint32_t i = 0; i < request->header_count; i++) {
        rf_str list = request->headers[i].value, element;
        if (!rf_str_eq_nocase(request->headers[i].name, RF_S("Sec-WebSocket-Protocol"))) continue;
        while (http_list_next(&list, &element))
            if (rf_str_is(element, protocol)) return true;
    }
    return false;
}

static enum rf_kind agree(const struct http_request *request, struct http_response *response,
                          const struct websocket_options *options, rf_str *protocol,
                          struct rf_err *err)
{
    *protocol = (rf_str){NULL, 0};
    for (const char *const *p = options->protocols; p != NULL && *p != NULL; p++) {
        if (!is_offered(request, *p)) continue;
        *protocol = rf_str_of(*p);
        http_set(response, "Sec-WebSocket-Protocol", *protocol);
        return RF_OK;
    }
    if (!options->needs_protocol || options->protocols == NULL) return RF_OK;
    response->status = 400;
    return RF_FAIL(err, RF_INVALID, "BadUpgrade",
                   "Sec-WebSocket-Protocol offers nothing that is spoken here, such as %s",
                   options->protocols[0]);
}

enum rf_kind websocket_upgrade(const struct http_request *request, struct http_response *response,
                               const struct websocket_options *options, void *ctx, rf_str *protocol,
                               struct rf_err *err)
{
    const struct stream_handlers *handlers = &options->stream;
    RF_ASSERT((handlers->on_bytes != NULL) != (handlers->on_message != NULL));
    RF_ASSERT(handlers->on_open != NULL);
    RF_ASSERT(handlers->on_close != NULL);
    rf_str agreed;
    uint32_t headers = response->header_count;
    RF_TRY(websocket_accept(request, response, err));
    enum rf_kind kind = RF_OK;
    if (!is_origin_welcome(request, options, ctx)) {
        response->status = 403;
        kind = RF_FAIL(err, RF_DENIED, "OriginNotAllowed",
                       "pages of this origin may not open a WebSocket here");
    }
    if (kind == RF_OK) kind = agree(request, response, options, &agreed, err);
    if (kind != RF_OK) {
        response->header_count = headers; /* a refusal proves nothing */
        return kind;
    }
    struct http_upgrade *upgrade = rf_arena_new(response->arena, struct http_upgrade, 1);
    if (upgrade == NULL || response->failed) {
        response->status = 500;
        return rf_fail_memory(err, response->arena);
    }
    *upgrade = (struct http_upgrade){.options = options, .ctx = ctx};
    response->upgrade = upgrade;
    if (protocol != NULL) *protocol = agreed;
    return RF_OK;
}

void upgrade_drop(struct http_upgrade *upgrade)
{
    upgrade_handlers(upgrade)->on_close(upgrade->ctx, STREAM_UNOPENED, 0);
}
