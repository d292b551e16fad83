#include "hub/record_int.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

/* A nibble at a time: the table is small enough to read and check, and only processors of before 2008 come here. */
static uint32_t crc_any(uint32_t crc, const uint8_t *p, size_t len)
{
    static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                       0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                       0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                       0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t crc, const uint8_t *p,
                                                            size_t len)
{
    uint64_t wide = crc;
    for (; len >= 8; p += 8, len -= 8) wide = _mm_crc32_u64(wide, rf_get_u64le(p));
    crc = (uint32_t)wide;
    for (; len > 0; p++, len--) crc = _mm_crc32_u8(crc, *p);
    return crc;
}

static uint32_t crc_best(uint32_t crc, const uint8_t *p, size_t len)
{
    return (__builtin_cpu_supports("sse4.2") ? crc_sse42 : crc_any)(crc, p, len);
}
#else
static uint32_t crc_best(uint32_t crc, const uint8_t *p, size_t len)
{
    return crc_any(crc, p, len);
}
#endif

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len) { return ~crc_best(~crc, bytes, len); }

uint32_t crc32c_any(uint32_t crc, const void *bytes, size_t len)
{
    return ~crc_any(~crc, bytes, len);
}
