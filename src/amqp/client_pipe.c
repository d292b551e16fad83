#include "amqp/client_pipe.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "net/websocket.h"

enum {
    HEAD_BYTES_MAX = 14, /* of a client's frame: its mask included */
    MASK_BYTES = 4,
    PIECE_BYTES = 64 << 10, /* of a frame: masked and sent at once */
    ANSWER_BYTES_MAX = 4096,
};

/* A server's frame under way: its head is collected, then its bytes are counted down. */
struct ws_frame {
    uint8_t head[WEBSOCKET_HEAD_BYTES_MAX];
    size_t head_len;
    uint64_t left;
    bool is_control;
    uint8_t control[WEBSOCKET_CONTROL_BYTES_MAX];
    size_t control_len;
};

struct pipe {
    struct dial *dial;
    struct tls_context *tls;
    bool is_websocket;
    struct ws_frame in;
    uint8_t piece[HEAD_BYTES_MAX + PIECE_BYTES];
};

/* ---- frames ----------------------------------------------------------------------------------------------------- */

static enum dial_io ws_write(struct pipe *pipe, enum websocket_opcode opcode, rf_str bytes)
{
    do {
        rf_str now = rf_slice(bytes, 0, RF_MIN((size_t)PIECE_BYTES, bytes.len));
        size_t head = websocket_write_head(opcode, true, now.len, pipe->piece);
        uint8_t *mask = pipe->piece + head, *to = mask + MASK_BYTES;
        pipe->piece[1] |= 0x80;
        random_bytes(mask, MASK_BYTES);
        for (size_t i = 0; i < now.len; i++) to[i] = (uint8_t)now.ptr[i] ^ mask[i % MASK_BYTES];
        enum dial_io io =
            dial_write(pipe->dial, rf_str_make(pipe->piece, head + MASK_BYTES + now.len));
        if (io != DIAL_OK) return io;
        bytes = rf_slice(bytes, now.len, bytes.len);
    } while (bytes.len > 0);
    return DIAL_OK;
}

/* How many bytes the head has, as far as it is known. */
static size_t head_need(const struct ws_frame *in)
{
    if (in->head_len < 2) return 2;
    uint8_t size = in->head[1] & 0x7f;
    return size == 127 ? 10 : size == 126 ? 4 : 2;
}

static bool head_read(struct ws_frame *in)
{
    uint8_t opcode = in->head[0] & 0x0f;
    if (in->head[1] & 0x80 || in->head[0] & 0x70) return false; /* no mask, no extensions */
    in->left = in->head[1] & 0x7f;
    if (in->left >= 126) {
        size_t len = in->head_len - 2;
        in->left = 0;
        for (size_t i = 0; i < len; i++) in->left = in->left << 8 | in->head[2 + i];
    }
    in->is_control = (opcode & 8) != 0;
    in->control_len = 0;
    return opcode != WEBSOCKET_TEXT && !(in->is_control && in->left > sizeof in->control);
}

static enum dial_io end_control(struct pipe *pipe)
{
    struct ws_frame *in = &pipe->in;
    uint8_t opcode = in->head[0] & 0x0f;
    if (opcode == WEBSOCKET_CLOSE) return DIAL_EOF;
    if (opcode != WEBSOCKET_PING) return DIAL_OK;
    return ws_write(pipe, WEBSOCKET_PONG, rf_str_make(in->control, in->control_len));
}

/* Leaves of the `len` bytes at `bytes` those that are data, at its start. */
static enum dial_io ws_strip(struct pipe *pipe, uint8_t *bytes, size_t len, size_t *data)
{
    struct ws_frame *in = &pipe->in;
    size_t at = 0;
    while (at < len) {
        if (in->head_len < head_need(in)) {
            in->head[in->head_len++] = bytes[at++];
            if (in->head_len < head_need(in)) continue;
            if (!head_read(in)) return DIAL_BROKEN;
        }
        size_t now = (size_t)RF_MIN((uint64_t)(len - at), in->left);
        if (in->is_control) {
            memcpy(in->control + in->control_len, bytes + at, now);
            in->control_len += now;
        } else {
            memmove(bytes + *data, bytes + at, now);
            *data += now;
        }
        at += now;
        in->left -= now;
        if (in->left > 0) continue;
        enum dial_io io = in->is_control ? end_control(pipe) : DIAL_OK;
        in->head_len = 0;
        if (io != DIAL_OK) return io;
    }
    return DIAL_OK;
}

enum dial_io pipe_write(struct pipe *pipe, rf_str bytes)
{
    return pipe->is_websocket ? ws_write(pipe, WEBSOCKET_BINARY, bytes)
                              : dial_write(pipe->dial, bytes);
}

enum dial_io pipe_read(struct pipe *pipe, uint8_t *out, size_t cap, size_t *got)
{
    if (!pipe->is_websocket) return dial_read(pipe->dial, out, cap, got);
    *got = 0;
    do {
        size_t raw = 0;
        enum dial_io io = dial_read(pipe->dial, out, cap, &raw);
        if (io == DIAL_OK) io = ws_strip(pipe, out, raw, got);
        if (io != DIAL_OK) return io;
    } while (*got == 0);
    return DIAL_OK;
}

bool pipe_is_quiet(const struct pipe *pipe) { return dial_is_quiet(pipe->dial); }

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/* The answer's head, up to its empty line: nothing may follow it, for the server speaks second. */
static enum rf_kind read_answer(struct pipe *pipe, struct rf_buf *text, struct rf_err *err)
{
    while (text->len < 4 || memcmp(text->ptr + text->len - 4, "\r\n\r\n", 4) != 0) {
        uint8_t byte;
        size_t got = 0;
        if (text->len == ANSWER_BYTES_MAX || dial_read(pipe->dial, &byte, 1, &got) != DIAL_OK)
            return RF_FAIL(err, RF_IO, "BadAnswer", "the server does not answer as WebSocket");
        rf_buf_byte(text, byte);
    }
    rf_str view = rf_buf_view(text);
    if (rf_str_starts(view, RF_S("HTTP/1.1 101 "))) return RF_OK;
    size_t end = rf_str_find(view, RF_S("\r"), 0);
    return RF_FAIL(err, RF_IO, "BadAnswer", "the server does not change to WebSocket: %.*s",
                   RF_FMT(rf_slice(view, 0, end)));
}

/* Whether the answer proves that it is one to this question and not a cached one (RFC 6455, section 4.2.2). */
static bool is_agreed(rf_str answer, rf_str key, struct rf_arena *arena)
{
    uint8_t hash[SHA1_BYTES];
    struct rf_buf text = rf_buf_in(arena);
    rf_buf_str(&text, key);
    rf_buf_str(&text, RF_S("258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    digest_sha1(rf_buf_view(&text), hash);
    rf_str accept = base64_encode(arena, rf_str_make(hash, sizeof hash));
    return accept.len > 0 && rf_str_find(answer, accept, 0) < answer.len &&
           rf_str_find(answer, RF_S("AMQPWSB10"), 0) < answer.len;
}

static enum rf_kind upgrade(struct pipe *pipe, const struct amqp_client_options *options,
                            struct rf_arena *arena, struct rf_err *err)
{
    uint8_t nonce[16];
    struct rf_buf text = rf_buf_in(arena);
    random_bytes(nonce, sizeof nonce);
    rf_str key = base64_encode(arena, rf_str_make(nonce, sizeof nonce));
    rf_str host = options->hostname.len > 0 ? options->hostname : rf_str_of(options->host);
    rf_buf_printf(&text,
                  "GET /$servicebus/websocket HTTP/1.1\r\nHost: %.*s:%u\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\nSec-WebSocket-Key: %.*s\r\nSec-WebSocket-Version: 13\r\n"
                  "Sec-WebSocket-Protocol: AMQPWSB10\r\n\r\n",
                  RF_FMT(host), options->port, RF_FMT(key));
    if (text.failed || key.len == 0) return rf_fail_memory(err, arena);
    if (dial_write(pipe->dial, rf_buf_view(&text)) != DIAL_OK)
        return RF_FAIL(err, RF_IO, "ConnectFailed", "the server ended the connection");
    text.len = 0;
    RF_TRY(read_answer(pipe, &text, err));
    if (!is_agreed(rf_buf_view(&text), key, arena))
        return RF_FAIL(err, RF_IO, "BadAnswer", "the server does not speak AMQP over WebSocket");
    pipe->is_websocket = true;
    return RF_OK;
}

static enum rf_kind secure(struct pipe *pipe, const struct amqp_client_options *options,
                           struct rf_err *err)
{
    RF_TRY(tls_client_new(options->ca_pem, &pipe->tls, err));
    if (options->certificate_pem.len > 0)
        RF_TRY(tls_client_prove(pipe->tls, options->certificate_pem, options->key_pem, err));
    return dial_tls(pipe->dial, pipe->tls, false, err);
}

enum rf_kind pipe_open(const struct amqp_client_options *options, struct pipe **out,
                       struct rf_err *err)
{
    const struct dial_options dial = {
        .host = options->host, .port = options->port, .timeout_usec = options->timeout_usec};
    struct rf_arena arena;
    struct pipe *pipe = calloc(1, sizeof *pipe);
    *out = NULL;
    if (pipe == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    rf_arena_init(&arena, 1 << 20);
    enum rf_kind kind = dial_open(&dial, &pipe->dial, err);
    if (kind == RF_OK && !options->is_plain) kind = secure(pipe, options, err);
    if (kind == RF_OK && options->over_websocket) kind = upgrade(pipe, options, &arena, err);
    rf_arena_done(&arena);
    if (kind == RF_OK)
        *out = pipe;
    else
        pipe_close(pipe);
    return kind;
}

void pipe_close(struct pipe *pipe)
{
    if (pipe == NULL) return;
    dial_close(pipe->dial);
    tls_free(pipe->tls);
    free(pipe);
}
