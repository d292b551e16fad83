#include "hub/amqp_value.h"

/* A constructor and a number of `bytes` bytes behind it. */
static void put_fixed(struct rf_buf *buf, uint8_t constructor, uint64_t value, size_t bytes)
{
    uint8_t out[9] = {constructor};
    for (size_t i = 0; i < bytes; i++) out[1 + i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    rf_buf_put(buf, out, 1 + bytes);
}

void amqp_put_null(struct rf_buf *buf) { rf_buf_byte(buf, 0x40); }
void amqp_put_bool(struct rf_buf *buf, bool value) { rf_buf_byte(buf, value ? 0x41 : 0x42); }
void amqp_put_ubyte(struct rf_buf *buf, uint8_t value) { put_fixed(buf, 0x50, value, 1); }
void amqp_put_ushort(struct rf_buf *buf, uint16_t value) { put_fixed(buf, 0x60, value, 2); }
void amqp_put_short(struct rf_buf *buf, int16_t value) { put_fixed(buf, 0x61, (uint16_t)value, 2); }

void amqp_put_uint(struct rf_buf *buf, uint32_t value)
{
    if (value == 0)
        rf_buf_byte(buf, 0x43);
    else if (value <= UINT8_MAX)
        put_fixed(buf, 0x52, value, 1);
    else
        put_fixed(buf, 0x70, value, 4);
}

void amqp_put_ulong(struct rf_buf *buf, uint64_t value)
{
    if (value == 0)
        rf_buf_byte(buf, 0x44);
    else if (value <= UINT8_MAX)
        put_fixed(buf, 0x53, value, 1);
    else
        put_fixed(buf, 0x80, value, 8);
}

void amqp_put_int(struct rf_buf *buf, int32_t value)
{
    if (value >= INT8_MIN && value <= INT8_MAX)
        put_fixed(buf, 0x54, (uint8_t)value, 1);
    else
        put_fixed(buf, 0x71, (uint32_t)value, 4);
}

void amqp_put_long(struct rf_buf *buf, int64_t value)
{
    if (value >= INT8_MIN && value <= INT8_MAX)
        put_fixed(buf, 0x55, (uint8_t)value, 1);
    else
        put_fixed(buf, 0x81, (uint64_t)value, 8);
}

void amqp_put_double(struct rf_buf *buf, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_fixed(buf, 0x82, bits, 8);
}

void amqp_put_timestamp(struct rf_buf *buf, int64_t ms) { put_fixed(buf, 0x83, (uint64_t)ms, 8); }

/* Constructors of the long form are those of the short one and 0x10. */
static void put_variable(struct rf_buf *buf, uint8_t constructor, rf_str value)
{
    if (value.len <= UINT8_MAX)
        put_fixed(buf, constructor, value.len, 1);
    else
        put_fixed(buf, constructor | 0x10, value.len, 4);
    rf_buf_str(buf, value);
}

void amqp_put_binary(struct rf_buf *buf, rf_str value) { put_variable(buf, 0xa0, value); }
void amqp_put_string(struct rf_buf *buf, rf_str value) { put_variable(buf, 0xa1, value); }
void amqp_put_symbol(struct rf_buf *buf, rf_str value) { put_variable(buf, 0xa3, value); }

void amqp_put_descriptor(struct rf_buf *buf, uint64_t code)
{
    rf_buf_byte(buf, 0x00);
    amqp_put_ulong(buf, code);
}

enum { LONG_HEAD_BYTES = 9, SHORT_HEAD_BYTES = 3 };

/* Room for the long form; amqp_put_end moves the items to the front when the short one does. */
size_t amqp_put_begin(struct rf_buf *buf)
{
    static const uint8_t room[LONG_HEAD_BYTES] = {0};
    size_t start = buf->len;
    rf_buf_put(buf, room, sizeof room);
    return start;
}

void amqp_put_end(struct rf_buf *buf, size_t start, enum amqp_type list_or_map, uint32_t count)
{
    if (buf->failed) return;
    RF_ASSERT(start + LONG_HEAD_BYTES <= buf->len);
    uint8_t *head = buf->ptr + start;
    size_t bytes = buf->len - start - LONG_HEAD_BYTES;
    uint8_t constructor = list_or_map == AMQP_MAP ? 0xc1 : 0xc0;
    if (count == 0 && list_or_map == AMQP_LIST) {
        head[0] = 0x45;
        buf->len = start + 1;
    } else if (count <= UINT8_MAX && bytes + 1 <= UINT8_MAX) {
        head[0] = constructor;
        head[1] = (uint8_t)(bytes + 1);
        head[2] = (uint8_t)count;
        memmove(head + SHORT_HEAD_BYTES, head + LONG_HEAD_BYTES, bytes);
        buf->len = start + SHORT_HEAD_BYTES + bytes;
    } else {
        head[0] = constructor | 0x10;
        amqp_set_u32(head + 1, (uint32_t)(bytes + 4));
        amqp_set_u32(head + 5, count);
    }
}

void amqp_put_array(struct rf_buf *buf, enum amqp_type type, const rf_str *items, uint32_t count)
{
    uint8_t constructor = type == AMQP_BINARY ? 0xa0 : type == AMQP_STRING ? 0xa1 : 0xa3;
    size_t bytes = 0, longest = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += items[i].len;
        longest = RF_MAX(longest, items[i].len);
    }
    size_t head = longest <= UINT8_MAX ? 1 : 4;
    if (head == 4) constructor |= 0x10;
    bytes += head * count;
    if (count <= UINT8_MAX && bytes + 2 <= UINT8_MAX) {
        put_fixed(buf, 0xe0, bytes + 2, 1);
        rf_buf_byte(buf, (uint8_t)count);
    } else {
        uint8_t counted[4];
        put_fixed(buf, 0xf0, bytes + 5, 4);
        amqp_set_u32(counted, count);
        rf_buf_put(buf, counted, sizeof counted);
    }
    rf_buf_byte(buf, constructor);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t len[4];
        amqp_set_u32(len, (uint32_t)items[i].len);
        rf_buf_put(buf, len + 4 - head, head);
        rf_buf_str(buf, items[i]);
    }
}
