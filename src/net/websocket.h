/* websocket.h - the opening handshake and the frames of WebSocket (RFC 6455), server's side, without extensions. Pure: knows no
 * socket. The server does not hand connections over to it yet: that comes with the first service that needs it. */
#ifndef RF_WEBSOCKET_H
#define RF_WEBSOCKET_H

#include "net/http.h"

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
       WEBSOCKET_NO_STATUS = 1005, /* never sent: the peer gave none */
       WEBSOCKET_BAD_DATA = 1007,
       WEBSOCKET_TOO_BIG = 1009
};
enum { WEBSOCKET_HEAD_BYTES_MAX = 10, WEBSOCKET_CONTROL_BYTES_MAX = 125 };

/* Begin with zeros and the limit. */
struct websocket_reader {
    size_t message_bytes_max; /* over all frames of a message */
    size_t message_bytes;     /* of the message under way */
    bool in_message, is_text;
    uint8_t tail_bytes; /* of a code point that a frame's end has cut */
    uint8_t tail[4];
};
struct websocket_frame {
    enum websocket_opcode opcode;
    bool is_last;        /* of its message; control frames always are */
    rf_str payload;      /* in the bytes that were given, the mask undone */
    uint16_t close_code; /* of WEBSOCKET_CLOSE; WEBSOCKET_NO_STATUS when there is none */
};
enum websocket_step { WEBSOCKET_MORE, WEBSOCKET_FRAME, WEBSOCKET_FAILED };
/* Reads a client's frame at the start of `bytes`, whose mask is undone in place.
 *   WEBSOCKET_MORE    *used: the bytes that the frame needs in all, as far as is known
 *   WEBSOCKET_FRAME   *used: the bytes of the frame
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
