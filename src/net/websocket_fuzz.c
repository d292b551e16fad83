/* Any bytes as a client's frames. Frames come out whole and within limits, and a message of text is UTF-8. */
#include "net/websocket.h"

#include <stdlib.h>

#include "test/rf_fuzz.h"

enum { MESSAGE_BYTES_MAX = 1000 };

RF_FUZZ(websocket, text)
{
    uint8_t *bytes = malloc(text.len + 1); /* the reader undoes masks in place */
    uint8_t message[MESSAGE_BYTES_MAX];
    size_t message_bytes = 0, used;
    bool is_text = false;
    struct websocket_reader reader = {.message_bytes_max = MESSAGE_BYTES_MAX};
    struct websocket_frame frame;
    if (bytes == NULL) return;
    if (text.len > 0) memcpy(bytes, text.ptr, text.len);
    for (size_t at = 0; at < text.len; at += used) {
        enum websocket_step step =
            websocket_read(&reader, bytes + at, text.len - at, &used, &frame);
        if (step == WEBSOCKET_MORE) RF_ASSERT(used > text.len - at);
        if (step == WEBSOCKET_FAILED) RF_ASSERT(used >= WEBSOCKET_PROTOCOL_ERROR);
        if (step != WEBSOCKET_FRAME) break;
        RF_ASSERT(used <= text.len - at);
        if (frame.opcode >= WEBSOCKET_CLOSE) {
            RF_ASSERT(frame.is_last && frame.payload.len <= WEBSOCKET_CONTROL_BYTES_MAX);
            continue;
        }
        if (frame.opcode != WEBSOCKET_CONTINUATION) is_text = frame.opcode == WEBSOCKET_TEXT;
        RF_ASSERT(frame.payload.len <= MESSAGE_BYTES_MAX - message_bytes);
        memcpy(message + message_bytes, frame.payload.ptr, frame.payload.len);
        message_bytes += frame.payload.len;
        if (!frame.is_last) continue;
        if (is_text) RF_ASSERT(rf_utf8_valid(rf_str_make(message, message_bytes)));
        message_bytes = 0;
    }
    free(bytes);
}
