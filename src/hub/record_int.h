/* record_int.h - big-endian numbers and varints of the record format, shared by its reader and its writers. */
#ifndef RF_HUB_RECORD_INT_H
#define RF_HUB_RECORD_INT_H

#include "hub/record.h"

/* Places in a batch's head. */
enum {
    AT_LENGTH = 8,
    AT_EPOCH = 12,
    AT_MAGIC = 16,
    AT_CRC = 17,
    AT_ATTRIBUTES = 21, /* the crc covers everything from here on */
    AT_LAST_DELTA = 23,
    AT_BASE_TIME = 27,
    AT_MAX_TIME = 35,
    AT_PRODUCER = 43,
    AT_PRODUCER_EPOCH = 51,
    AT_SEQUENCE = 53,
    AT_COUNT = 57
};
enum { ATTRIBUTE_APPEND_TIME = 8, ATTRIBUTE_TRANSACTIONAL = 16, ATTRIBUTE_CONTROL = 32 };

static inline uint16_t get_u16be(const uint8_t *p) { return __builtin_bswap16(rf_get_u16le(p)); }
static inline uint32_t get_u32be(const uint8_t *p) { return __builtin_bswap32(rf_get_u32le(p)); }
static inline uint64_t get_u64be(const uint8_t *p) { return __builtin_bswap64(rf_get_u64le(p)); }
static inline void put_u16be(uint8_t *p, uint16_t v) { rf_put_u16le(p, __builtin_bswap16(v)); }
static inline void put_u32be(uint8_t *p, uint32_t v) { rf_put_u32le(p, __builtin_bswap32(v)); }
static inline void put_u64be(uint8_t *p, uint64_t v) { rf_put_u64le(p, __builtin_bswap64(v)); }

static inline uint64_t zigzag(int64_t v) { return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0); }
static inline int64_t unzigzag(uint64_t v) { return (int64_t)(v >> 1 ^ -(v & 1)); }

static inline size_t varint_bytes(int64_t v)
{
    uint64_t bits = zigzag(v) | 1;
    return (size_t)(70 - __builtin_clzll(bits)) / 7;
}
static inline uint8_t *varint_put(uint8_t *p, int64_t v)
{
    uint64_t u = zigzag(v);
    for (; u >= 0x80; u >>= 7) *p++ = (uint8_t)(u | 0x80);
    *p++ = (uint8_t)u;
    return p;
}
/* Takes a signed varint off the front; false when it is cut or does not fit. */
bool varlong_take(rf_str *s, int64_t *out);
bool varint_take(rf_str *s, int32_t *out);

/* Without the processor's instruction. */
uint32_t crc32c_any(uint32_t crc, const void *bytes, size_t len);
/* Writes the head of a batch of `len` bytes, with its crc; the views of `head` are not looked at. */
void batch_seal(uint8_t *batch, size_t len, const struct batch_head *head);

#endif
