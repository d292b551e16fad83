#include "net/websocket.h"
#include "test/rf_prop.h" /* includes <criterion/criterion.h> */

/* ---- opening -------------------------------------------------------------------------------------- */

#define H(n, v)                                                                                    \
    {                                                                                              \
        .name = RF_S(n), .value = RF_S(v)                                                          \
    }

Test(websocket, opens)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct http_header headers[] = {H("Connection", "keep-alive, Upgrade"),
                                    H("Upgrade", "WebSocket"), H("Sec-WebSocket-Version", "13"),
                                    H("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")};
    struct http_request request = {
        .method = HTTP_GET, .headers = headers, .header_count = RF_COUNT(headers)};
    struct http_response response = {.arena = &arena};
    struct rf_err err;
    cr_assert(websocket_accept(&request, &response, &err) == RF_OK && response.status == 101);
    /* The example of RFC 6455, section 1.3. */
    cr_assert(rf_str_is(response.headers[0].value, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));

    static const struct {
        size_t header;
        const char *value;
        uint16_t status;
    } cases[] = {{0, "keep-alive", 400},
                 {1, "h2c", 400},
                 {2, "8", 426},
                 {3, "dGhlIHNhbXBsZQ==", 400},
                 {3, "", 400}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct http_header good = headers[cases[i].header];
        headers[cases[i].header].value = rf_str_of(cases[i].value);
        response = (struct http_response){.arena = &arena};
        cr_assert(websocket_accept(&request, &response, &err) == RF_INVALID);
        cr_assert(response.status == cases[i].status, "case %zu", i);
        headers[cases[i].header] = good;
    }
    request.method = HTTP_POST;
    cr_assert(websocket_accept(&request, &response, &err) == RF_INVALID);
}

/* ---- frames --------------------------------------------------------------------------------------- */

/* Reads a row of frames; returns the code that ends it, 0 when all was read, 1 when more must come. */
static size_t read_all(rf_str in, size_t max, struct rf_buf *out)
{
    uint8_t bytes[512];
    struct websocket_reader reader = {.message_bytes_max = max};
    memcpy(bytes, in.ptr, in.len);
    for (size_t at = 0; at < in.len;) {
        struct websocket_frame frame;
        size_t used;
        enum websocket_step step = websocket_read(&reader, bytes + at, in.len - at, &used, &frame);
        if (step == WEBSOCKET_FAILED) return used;
        if (step == WEBSOCKET_MORE) return 1;
        rf_buf_printf(out, "%x%s:", (unsigned)frame.opcode, frame.is_last ? "." : "");
        rf_buf_str(out, frame.payload);
        rf_buf_byte(out, '|');
        at += used;
    }
    return 0;
}

#define M "\x01\x02\x03\x04" /* a mask */
#define ABC "\x60\x60\x60"   /* "abc" under it */
#define EURO1 "\xe3\x80"     /* half of a euro sign */
#define EURO2 "\xad"         /* its end, at the start of a frame */

Test(websocket, reads_frames)
{
    static const struct {
        rf_str in;
        size_t code;
        const char *out;
    } cases[] = {
        {{(const uint8_t *)"\x81\x83" M ABC, 9}, 0, "1.:abc|"},
        {{(const uint8_t *)"\x82\x80" M, 6}, 0, "2.:|"},
        {{(const uint8_t *)"\x01\x83" M ABC "\x89\x80" M "\x80\x83" M ABC, 24},
         0,
         "1:abc|9.:|0.:abc|"},
        {{(const uint8_t *)"\x01\x82" M EURO1 "\x80\x81" M EURO2, 15}, 0, "1:\xe2\x82|0.:\xac|"},
        {{(const uint8_t *)"\x01\x82" M EURO1 "\x80\x80" M, 14}, 1007, "1:\xe2\x82|"},
        {{(const uint8_t *)"\x01\x82" M EURO1 "\x80\x83" M ABC, 17}, 1007, "1:\xe2\x82|"},
        {{(const uint8_t *)"\x81\x82" M EURO1, 8}, 1007, ""},
        {{(const uint8_t *)"\x82\x82" M EURO1, 8}, 0, "2.:\xe2\x82|"},
        {{(const uint8_t *)"\x88\x80" M, 6}, 0, "8.:|"},
        {{(const uint8_t *)"\x88\x82" M "\x02\xea", 8}, 0, "8.:\x03\xe8|"},
        {{(const uint8_t *)"\x88\x81" M "\x02", 7}, 1002, ""},
        {{(const uint8_t *)"\x88\x82" M "\x02\xef", 8}, 1002, ""}, /* 1005 is never sent */
        {{(const uint8_t *)"\x88\x83" M "\x02\xea\xfc", 9}, 1007, ""},
        {{(const uint8_t *)"\x81\x03" ABC, 5}, 1002, ""}, /* not masked */
        {{(const uint8_t *)"\xc1\x80" M, 6}, 1002, ""},   /* reserved bits */
        {{(const uint8_t *)"\x83\x80" M, 6}, 1002, ""},   /* reserved opcodes */
        {{(const uint8_t *)"\x8b\x80" M, 6}, 1002, ""},
        {{(const uint8_t *)"\x80\x80" M, 6}, 1002, ""}, /* nothing to continue */
        {{(const uint8_t *)"\x01\x80" M "\x81\x80" M, 12}, 1002, "1:|"},
        {{(const uint8_t *)"\x09\x80" M, 6}, 1002, ""},         /* a control frame in parts */
        {{(const uint8_t *)"\x89\xfe\x00\x7e" M, 8}, 1002, ""}, /* or too long */
        {{(const uint8_t *)"\x82\xfe\x00\x7d" M, 8}, 1002, ""}, /* a length that could be shorter */
        {{(const uint8_t *)"\x82\xff\0\0\0\0\0\0\xff\xff" M, 14}, 1002, ""},
        {{(const uint8_t *)"\x82\xff\x80\0\0\0\0\1\0\0" M, 14}, 1002, ""},
        {{(const uint8_t *)"\x82\xfe\x01\x01" M, 8}, 1009, ""},
        {{(const uint8_t *)"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" M, 14}, 1009, ""},
        {{(const uint8_t *)"\x82\xfe\x01\x00" M, 8}, 1, ""},
        {{(const uint8_t *)"\x81", 1}, 1, ""},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_buf out = rf_buf_in(&arena);
        size_t code = read_all(cases[i].in, 256, &out);
        cr_assert(code == cases[i].code, "case %zu: %zu", i, code);
        cr_assert(rf_str_is(rf_buf_view(&out), cases[i].out), "case %zu: %.*s", i,
                  RF_FMT(rf_buf_view(&out)));
    }
}

/* Fragments cannot add up to more than a message may have. */
Test(websocket, limits_messages_over_their_frames)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct rf_buf out = rf_buf_in(&arena);
    rf_str two = RF_S("\x02\x83" M ABC "\x80\x83" M ABC);
    cr_assert(read_all(two, 6, &out) == 0);
    cr_assert(read_all(two, 5, &out) == 1009);
}

Test(websocket, writes_frames)
{
    uint8_t out[WEBSOCKET_HEAD_BYTES_MAX];
    cr_assert(websocket_write_head(WEBSOCKET_TEXT, true, 125, out) == 2);
    cr_assert(memcmp(out, "\x81\x7d", 2) == 0);
    cr_assert(websocket_write_head(WEBSOCKET_BINARY, false, 126, out) == 4);
    cr_assert(memcmp(out, "\x02\x7e\x00\x7e", 4) == 0);
    cr_assert(websocket_write_head(WEBSOCKET_BINARY, true, 65536, out) == 10);
    cr_assert(memcmp(out, "\x82\x7f\0\0\0\0\0\1\0\0", 10) == 0);
    cr_assert(websocket_write_close(WEBSOCKET_NORMAL, out) == 4);
    cr_assert(memcmp(out, "\x88\x02\x03\xe8", 4) == 0);
}

/* Property: text cut into frames anywhere, code points included, reads back; so does the model that joins it first. */
RF_PROP(websocket_text_may_be_cut_anywhere, 3000)
{
    uint8_t text[64], bytes[1200];
    rf_str whole = rf_test_below(prng, 2)
                       ? rf_test_utf8(prng, text, sizeof text)
                       : rf_test_bytes(prng, text, sizeof text, "a\xe2\x82\xac\xf0\x9f");
    struct websocket_reader reader = {.message_bytes_max = 1000};
    bool failed = false, is_last = false;
    for (size_t at = 0; !is_last && !failed;) {
        size_t part = (size_t)rf_test_below(prng, 9), used;
        part = RF_MIN(part, whole.len - at);
        is_last = at + part == whole.len;
        enum websocket_opcode opcode =
            at == 0 && !reader.in_message ? WEBSOCKET_TEXT : WEBSOCKET_CONTINUATION;
        size_t head = websocket_write_head(opcode, is_last, part, bytes);
        bytes[1] |= 0x80;
        uint8_t mask[4] = {(uint8_t)rf_test_u64(prng), 2, 3, 4};
        memcpy(bytes + head, mask, 4);
        for (size_t i = 0; i < part; i++) bytes[head + 4 + i] = whole.ptr[at + i] ^ mask[i & 3];
        struct websocket_frame frame;
        enum websocket_step step = websocket_read(&reader, bytes, head + 4 + part, &used, &frame);
        failed = step == WEBSOCKET_FAILED;
        cr_assert(failed ? used == WEBSOCKET_BAD_DATA : step == WEBSOCKET_FRAME);
        if (!failed) cr_assert(rf_str_eq(frame.payload, rf_slice(whole, at, at + part)));
        at += part;
    }
    cr_assert(failed == !rf_utf8_valid(whole));
}
