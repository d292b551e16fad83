/* websocket.h - WebSocket (RFC 6455), server's side, without extensions: how a handler of HTTP hands its connection over to a stream
 * (net/stream.h), and beneath it the opening handshake and the frames, which are pure and know no socket. */
#ifndef RF_WEBSOCKET_H
#define RF_WEBSOCKET_H

#include "net/http.h"
#include "net/stream.h"

/* ---- upgrades --------------------------------------------------------------------------------------- */

struct websocket_options {
    /* Subprotocols that are spoken, the most wanted first, NULL behind the last; NULL: none. The first that the client offers,
     * compared exactly, is agreed. */
    const char *const *protocols;
    bool needs_protocol; /* a client that offers none of them is refused (400) */
    /* Whether scripts of that origin may ask; only browsers say one. NULL: those of the origin that is asked, no others. */
    bool (*is_welcome)(void *ctx, const struct http_request *request, rf_str origin);
    size_t message_bytes_max; /* with on_message; 0: 1 MiB; more ends the stream with 1009 */
    /* With on_bytes set, binary messages are a stream of bytes whose borders do not count, and text ends the stream (1003); with
     * on_message, messages come whole. One of the two. */
    struct stream_handlers stream;
};
/* For a handler of HTTP (a route whose access has been checked): agrees to change to WebSocket. The answer is 101 then, its
 * body and most headers are the server's, and behind it the connection is a stream with `ctx`. `options` outlive the server.
 *   ctx         taken with RF_OK: on_open gets it, or on_close does (STREAM_UNOPENED) when the stream does not come to be
 *   *protocol   may be NULL; the one agreed, of `options`; empty: none
 * Errors leave `ctx` and set response->status: RF_INVALID BadUpgrade 400, or 426 with the version that is spoken; RF_DENIED
 * OriginNotAllowed 403. The connection ends behind every refusal of a request for an upgrade, whoever refuses it: a proxy that
 * took it for granted would pass on what follows unseen. For the same reason a body, and bytes that come before
 * the 101 was sent, are refused. */
RF_MUST_USE enum rf_kind websocket_upgrade(const struct http_request *request,
                                           struct http_response *response,
                                           const struct websocket_options *options, void *ctx,
                                           rf_str *protocol, struct rf_err *err);

/* ---- opening -------------------------------------------------------------------------------------- */

/* True when the request asks to change to WebSocket, well or badly. */
bool websocket_is_asked(const struct http_request *request);
/* Makes the answer 101 with Sec-WebSocket-Accept. Which origins and subprotocols are welcome is the caller's to judge.
 * RF_INVALID BadUpgrade, with response->status 400, or 426 and the version that is spoken. */
RF_MUST_USE enum rf_kind websocket_accept(const struct http_request *request,
                                          struct http_response *response, struct rf_err *err);

/* ---- frames --------------------------------------------------------------------------------------- */

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0,
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10
};
enum { /* why a connection is closed, section 7.4.1 */
       WEBSOCKET_NORMAL = 1000,
       WEBSOCKET_GOING_AWAY = 1001,
       WEBSOCKET_PROTOCOL_ERROR = 1002,
       WEBSOCKET_UNWANTED_KIND = 1003,
       WEBSOCKET_NO_STATUS = 1005, /* never sent: the peer gave none */
       WEBSOCKET_BAD_DATA = 1007,
       WEBSOCKET_ABNORMAL = 1006, /* never sent: the connection was cut */
       WEBSOCKET_POLICY = 1008,
       WEBSOCKET_TOO_BIG = 1009,
       WEBSOCKET_INTERNAL = 1011
};
enum {
    WEBSOCKET_HEAD_BYTES_MAX = 10, /* of a server's frame */
    WEBSOCKET_CONTROL_BYTES_MAX = 125,
    WEBSOCKET_NEED_MAX = 2 + 4 + WEBSOCKET_CONTROL_BYTES_MAX
};

/* Begin with zeros and the limit. */
struct websocket_reader {
    size_t message_bytes_max; /* over all frames of a message */
    size_t message_bytes;     /* of the message under way */
    uint64_t
        frame_left; /* bytes of the data frame under way that have not been read; its mask from there on */
    uint8_t mask[4];
    bool in_frame, is_last_frame;
    bool in_message, is_text;
    uint8_t tail_bytes; /* of a code point that a frame's end has cut */
    uint8_t tail[4];
};
/* A control frame, or as much of a data frame as is there. */
struct websocket_frame {
    enum websocket_opcode opcode; /* of a frame's later pieces: WEBSOCKET_CONTINUATION */
    bool is_last;                 /* its message ends with it; so do all control frames */
    rf_str payload;               /* in the bytes that were given, the mask undone */
    uint16_t close_code;          /* of WEBSOCKET_CLOSE; WEBSOCKET_NO_STATUS when there is none */
};
enum websocket_step { WEBSOCKET_MORE, WEBSOCKET_FRAME, WEBSOCKET_FAILED };
/* Reads a client's frame, or its next piece, at the start of `bytes`, whose mask is undone in place. A data frame of any length
 * is never held: a piece has at least one byte, unless the frame is empty.
 *   WEBSOCKET_MORE    *used: the bytes that must be there at least to go on; at most WEBSOCKET_NEED_MAX
 *   WEBSOCKET_FRAME   *used: the bytes that were read
 *   WEBSOCKET_FAILED  *used: the code to close with
 * Text is checked to be UTF-8, over the frames of a message. */
enum websocket_step websocket_read(struct websocket_reader *reader, uint8_t *bytes, size_t len,
                                   size_t *used, struct websocket_frame *out);
/* Writes the head of a server's frame, which is not masked; returns its bytes. The payload follows as it is. */
size_t websocket_write_head(enum websocket_opcode opcode, bool is_last, size_t payload_bytes,
                            uint8_t out[WEBSOCKET_HEAD_BYTES_MAX]);
/* Writes a close frame with `code`; returns its bytes. */
size_t websocket_write_close(uint16_t code, uint8_t out[4]);

#endif
