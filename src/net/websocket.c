#include "net/websocket.h"

#include <openssl/evp.h>

#include "base/encode.h"
#include "net/http_parse.h"

/* ---- opening -------------------------------------------------------------------------------------- */

bool websocket_is_asked(const struct http_request *request)
{
    return http_list_has(http_header(request, "Connection", NULL), "upgrade") &&
           http_list_has(http_header(request, "Upgrade", NULL), "websocket");
}

/* Proves that the server knows what it answers (section 4.2.2). SHA-1 is no defence here, and needs to be none. */
static bool set_accept(struct http_response *response, rf_str key)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned int bytes = 0;
    rf_str text =
        rf_arena_printf(response->arena, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", RF_FMT(key));
    if (text.ptr == NULL || EVP_Digest(text.ptr, text.len, digest, &bytes, EVP_sha1(), NULL) != 1)
        return false;
    http_set(response, "Sec-WebSocket-Accept",
             base64_encode(response->arena, rf_str_make(digest, bytes)));
    return !response->failed;
}

/* The value of a header that must be there once; empty: it is not, or more than once. */
static rf_str only_header(const struct http_request *request, const char *name)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < request->header_count; i++)
        if (rf_str_eq_nocase(request->headers[i].name, rf_str_of(name))) count++;
    return count == 1 ? http_header(request, name, NULL) : (rf_str){NULL, 0};
}

static bool has_body(const struct http_request *request)
{
    bool is_chunked, has_length;
    (void)http_header(request, "Transfer-Encoding", &is_chunked);
    rf_str length = http_header(request, "Content-Length", &has_length);
    return is_chunked || (has_length && !rf_str_is(length, "0"));
}

enum rf_kind websocket_accept(const struct http_request *request, struct http_response *response,
                              struct rf_err *err)
{
    enum { KEY_BYTES = 16, KEY_CHARS = 24 };
    rf_str key = only_header(request, "Sec-WebSocket-Key"), bytes;
    struct rf_err why;
    response->status = 400;
    if (request->method != HTTP_GET || request->is_1_0 || !websocket_is_asked(request) ||
        has_body(request))
        return RF_FAIL(err, RF_INVALID, "BadUpgrade", "this is no request for WebSocket");
    if (!rf_str_is(only_header(request, "Sec-WebSocket-Version"), "13")) {
        response->status = 426;
        http_set_literal(response, "Upgrade", "websocket");
        http_set_literal(response, "Sec-WebSocket-Version", "13");
        return RF_FAIL(err, RF_INVALID, "BadUpgrade", "only version 13 of WebSocket is spoken");
    }
    if (key.len != KEY_CHARS || base64_decode(response->arena, key, &bytes, &why) != RF_OK ||
        bytes.len != KEY_BYTES)
        return RF_FAIL(err, RF_INVALID, "BadUpgrade", "Sec-WebSocket-Key is malformed");
    if (!set_accept(response, key)) return rf_fail_memory(err, response->arena);
    http_set_literal(response, "Upgrade", "websocket");
    response->status = 101;
    return RF_OK;
}

/* ---- reading -------------------------------------------------------------------------------------- */

/* A frame's head (section 5.2).
 *
 *   0  FIN 1 bit, reserved 3 bits, opcode 4 bits
 *   1  MASK 1 bit, length 7 bits: up to 125, or 126 and u16 follows, or 127 and u64 follows, big endian
 *      mask 4 bytes */
struct head {
    uint8_t opcode;
    bool is_last;
    size_t bytes; /* mask included */
    uint64_t payload_bytes;
    uint8_t mask[4];
};

static bool is_control(uint8_t opcode) { return opcode >= WEBSOCKET_CLOSE; }

static enum websocket_step fail(size_t *used, uint16_t code)
{
    *used = code;
    return WEBSOCKET_FAILED;
}

static uint64_t get_big_endian(const uint8_t *p, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++) number = number << 8 | p[i];
    return number;
}

/* A length must be written in its shortest form, so that a frame has one writing only. */
static bool parse_length(const uint8_t *bytes, size_t extra, struct head *out)
{
    out->payload_bytes = extra == 0 ? bytes[1] & 0x7fu : get_big_endian(bytes + 2, extra);
    if (extra == 2) return out->payload_bytes > 125;
    if (extra == 8) return out->payload_bytes > UINT16_MAX && out->payload_bytes <= INT64_MAX;
    return true;
}

static bool is_known(uint8_t opcode)
{
    return opcode <= WEBSOCKET_BINARY || (opcode >= WEBSOCKET_CLOSE && opcode <= WEBSOCKET_PONG);
}

/* May this frame come now? Fragments of a message follow each other; control frames may stand between (section 5.4). */
static bool is_in_order(const struct websocket_reader *reader, const struct head *head)
{
    if (is_control(head->opcode))
        return head->is_last && head->payload_bytes <= WEBSOCKET_CONTROL_BYTES_MAX;
    return (head->opcode == WEBSOCKET_CONTINUATION) == reader->in_message;
}

static enum websocket_step parse_head(const struct websocket_reader *reader, const uint8_t *bytes,
                                      size_t len, struct head *out, size_t *used)
{
    enum { MIN_BYTES = 2, MASK_BYTES = 4 };
    *used = MIN_BYTES;
    if (len < MIN_BYTES) return WEBSOCKET_MORE;
    uint8_t short_length = bytes[1] & 0x7f;
    size_t extra = short_length == 127 ? 8 : short_length == 126 ? 2 : 0;
    *out = (struct head){.opcode = bytes[0] & 0x0f,
                         .is_last = (bytes[0] & 0x80) != 0,
                         .bytes = MIN_BYTES + extra + MASK_BYTES};
    bool is_masked = (bytes[1] & 0x80) != 0, is_reserved = (bytes[0] & 0x70) != 0;
    if (is_reserved || !is_masked || !is_known(out->opcode))
        return fail(used, WEBSOCKET_PROTOCOL_ERROR);
    *used = out->bytes;
    if (len < out->bytes) return WEBSOCKET_MORE;
    if (!parse_length(bytes, extra, out) || !is_in_order(reader, out))
        return fail(used, WEBSOCKET_PROTOCOL_ERROR);
    if (!is_control(out->opcode) &&
        out->payload_bytes > reader->message_bytes_max - reader->message_bytes)
        return fail(used, WEBSOCKET_TOO_BIG);
    memcpy(out->mask, bytes + out->bytes - MASK_BYTES, MASK_BYTES);
    return WEBSOCKET_FRAME;
}

/* Eight bytes at a time; then the mask is turned, so that it fits what follows. */
static void unmask(uint8_t *bytes, size_t len, uint8_t mask[4])
{
    uint8_t twice[8], turned[4];
    uint64_t word, wide;
    memcpy(twice, mask, 4);
    memcpy(twice + 4, mask, 4);
    memcpy(&wide, twice, sizeof wide);
    size_t at = 0;
    for (; at + sizeof word <= len; at += sizeof word) {
        memcpy(&word, bytes + at, sizeof word);
        word ^= wide;
        memcpy(bytes + at, &word, sizeof word);
    }
    for (; at < len; at++) bytes[at] ^= mask[at & 3];
    for (size_t i = 0; i < 4; i++) turned[i] = mask[(len + i) & 3];
    memcpy(mask, turned, 4);
}

/* How many bytes at the end of `text` begin a code point that is not whole: 0..3. */
static size_t cut_bytes(rf_str text)
{
    for (size_t back = 1; back <= RF_MIN(text.len, (size_t)3); back++) {
        uint8_t c = text.ptr[text.len - back];
        if (c < 0x80) return 0;
        if (c < 0xc0) continue; /* it follows another */
        size_t whole = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        return whole > back ? back : 0;
    }
    return 0;
}

/* Completes the code point that the last frame left; false when it cannot become one. */
static bool finish_tail(struct websocket_reader *reader, rf_str *text)
{
    while (reader->tail_bytes > 0 && text->len > 0) {
        reader->tail[reader->tail_bytes++] = text->ptr[0];
        *text = rf_slice(*text, 1, text->len);
        rf_str tail = rf_str_make(reader->tail, reader->tail_bytes);
        if (rf_utf8_valid(tail))
            reader->tail_bytes = 0;
        else if (cut_bytes(tail) != tail.len)
            return false;
    }
    return true;
}

static bool is_text(struct websocket_reader *reader, rf_str text, bool is_last)
{
    if (!finish_tail(reader, &text)) return false;
    if (reader->tail_bytes == 0) {
        size_t cut = is_last ? 0 : cut_bytes(text);
        if (!rf_utf8_valid(rf_slice(text, 0, text.len - cut))) return false;
        if (cut > 0) memcpy(reader->tail, text.ptr + text.len - cut, cut);
        reader->tail_bytes = (uint8_t)cut;
    }
    return !is_last || reader->tail_bytes == 0;
}

/* Codes that may be sent (section 7.4). */
static bool is_close_code(uint64_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static uint16_t check_close(struct websocket_frame *frame)
{
    rf_str payload = frame->payload;
    frame->close_code = WEBSOCKET_NO_STATUS;
    if (payload.len == 0) return 0;
    if (payload.len == 1) return WEBSOCKET_PROTOCOL_ERROR;
    uint64_t code = get_big_endian(payload.ptr, 2);
    if (!is_close_code(code)) return WEBSOCKET_PROTOCOL_ERROR;
    frame->close_code = (uint16_t)code;
    return rf_utf8_valid(rf_slice(payload, 2, payload.len)) ? 0 : WEBSOCKET_BAD_DATA;
}

static enum websocket_step read_control(const struct head *head, uint8_t *bytes, size_t len,
                                        size_t *used, struct websocket_frame *out)
{
    size_t payload_bytes = (size_t)head->payload_bytes;
    uint8_t mask[4];
    *used = head->bytes + payload_bytes;
    if (len < *used) return WEBSOCKET_MORE;
    memcpy(mask, head->mask, sizeof mask);
    unmask(bytes + head->bytes, payload_bytes, mask);
    struct websocket_frame frame = {.opcode = (enum websocket_opcode)head->opcode,
                                    .is_last = true,
                                    .payload = rf_str_make(bytes + head->bytes, payload_bytes)};
    uint16_t code = frame.opcode == WEBSOCKET_CLOSE ? check_close(&frame) : 0;
    if (code != 0) return fail(used, code);
    *out = frame;
    return WEBSOCKET_FRAME;
}

static void begin_frame(struct websocket_reader *reader, const struct head *head)
{
    if (head->opcode != WEBSOCKET_CONTINUATION) reader->is_text = head->opcode == WEBSOCKET_TEXT;
    reader->message_bytes += (size_t)head->payload_bytes; /* within message_bytes_max */
    reader->frame_left = head->payload_bytes;
    memcpy(reader->mask, head->mask, sizeof reader->mask);
    reader->in_frame = true;
    reader->is_last_frame = head->is_last;
}

/* The next piece of the data frame under way. */
static enum websocket_step read_piece(struct websocket_reader *reader, uint8_t *bytes, size_t len,
                                      size_t *used, struct websocket_frame *out)
{
    size_t piece_bytes = (size_t)RF_MIN(reader->frame_left, (uint64_t)len);
    unmask(bytes, piece_bytes, reader->mask);
    reader->frame_left -= piece_bytes;
    reader->in_frame = reader->frame_left > 0;
    out->payload = rf_str_make(bytes, piece_bytes);
    out->is_last = !reader->in_frame && reader->is_last_frame;
    if (!reader->in_frame) reader->in_message = !reader->is_last_frame;
    if (out->is_last) reader->message_bytes = 0;
    if (reader->is_text && !is_text(reader, out->payload, out->is_last))
        return fail(used, WEBSOCKET_BAD_DATA);
    *used = piece_bytes;
    return WEBSOCKET_FRAME;
}

enum websocket_step websocket_read(struct websocket_reader *reader, uint8_t *bytes, size_t len,
                                   size_t *used, struct websocket_frame *out)
{
    struct head head = {.bytes = 0};
    struct websocket_frame frame = {.opcode = WEBSOCKET_CONTINUATION};
    if (!reader->in_frame) {
        enum websocket_step step = parse_head(reader, bytes, len, &head, used);
        if (step != WEBSOCKET_FRAME) return step;
        if (is_control(head.opcode)) return read_control(&head, bytes, len, used, out);
        frame.opcode = (enum websocket_opcode)head.opcode;
    }
    *used = head.bytes + 1;
    bool is_empty = !reader->in_frame && head.payload_bytes == 0;
    if (len < *used && !is_empty) return WEBSOCKET_MORE;
    if (!reader->in_frame) begin_frame(reader, &head);
    enum websocket_step step =
        read_piece(reader, bytes + head.bytes, len - head.bytes, used, &frame);
    if (step != WEBSOCKET_FRAME) return step;
    *used += head.bytes;
    *out = frame;
    return WEBSOCKET_FRAME;
}

/* ---- writing -------------------------------------------------------------------------------------- */

static void put_big_endian(uint8_t *p, size_t width, uint64_t number)
{
    for (size_t i = 0; i < width; i++) p[i] = (uint8_t)(number >> 8 * (width - 1 - i));
}

size_t websocket_write_head(enum websocket_opcode opcode, bool is_last, size_t payload_bytes,
                            uint8_t out[WEBSOCKET_HEAD_BYTES_MAX])
{
    RF_ASSERT(!is_control((uint8_t)opcode) || payload_bytes <= WEBSOCKET_CONTROL_BYTES_MAX);
    size_t extra = payload_bytes > UINT16_MAX ? 8 : payload_bytes > 125 ? 2 : 0;
    out[0] = (uint8_t)((is_last ? 0x80u : 0u) | (uint8_t)opcode);
    out[1] = (uint8_t)(extra == 8 ? 127 : extra == 2 ? 126 : payload_bytes);
    put_big_endian(out + 2, extra, payload_bytes);
    return 2 + extra;
}

size_t websocket_write_close(uint16_t code, uint8_t out[4])
{
    uint8_t head[WEBSOCKET_HEAD_BYTES_MAX];
    size_t bytes = websocket_write_head(WEBSOCKET_CLOSE, true, 2, head);
    memcpy(out, head, bytes);
    put_big_endian(out + bytes, 2, code);
    return bytes + 2;
}
