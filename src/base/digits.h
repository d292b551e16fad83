/* digits.h - decimal digits eight at a time, in words of eight bytes with the first byte lowest. */
#ifndef RF_DIGITS_H
#define RF_DIGITS_H

#include "base/rf.h"

static const uint64_t digits_pow10[] = {1,
                                        10,
                                        100,
                                        1000,
                                        10000,
                                        100000,
                                        1000000,
                                        10000000,
                                        100000000,
                                        1000000000,
                                        10000000000,
                                        100000000000,
                                        1000000000000,
                                        10000000000000,
                                        100000000000000,
                                        1000000000000000,
                                        10000000000000000};
/* The same as doubles, which hold them exactly. */
static const double digits_pow10_real[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                           1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/* The top bit of each byte that is more than 9, exact up to the lowest such byte. */
static inline uint64_t digits_over(uint64_t values)
{
    return ((values + UINT64_C(0x7676767676767676)) | values) & UINT64_C(0x8080808080808080);
}

/* How many of the eight bytes are digits before the first that is not. */
static inline uint32_t digits_leading(uint64_t text)
{
    uint64_t over = digits_over(text ^ UINT64_C(0x3030303030303030));
    return over == 0 ? 8 : (uint32_t)__builtin_ctzll(over) / 8;
}

/* Eight bytes of 0..9 as one number: three multiplications that each join neighbours. */
static inline uint64_t digits_join(uint64_t values)
{
    values = (values * 10 + (values >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    values = (values * 100 + (values >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (values * 10000 + (values >> 32)) & UINT64_C(0xffffffff);
}

/* The number that the first `count` (1..8) bytes give, which are digits. */
static inline uint64_t digits_value(uint64_t text, uint32_t count)
{
    return digits_join((text ^ UINT64_C(0x3030303030303030)) << (64 - 8 * count));
}

/* Reads up to 16 digits; *count is 17 when there may be more. Reads up to 24 bytes from `at` on. */
static inline uint64_t digits_read(const uint8_t *at, uint32_t *count)
{
    uint64_t text = rf_get_u64le(at);
    uint32_t first = digits_leading(text);
    *count = first;
    if (RF_UNLIKELY(first == 0)) return 0;
    uint64_t value = digits_value(text, first);
    if (RF_LIKELY(first < 8)) return value;
    text = rf_get_u64le(at + 8);
    uint32_t second = digits_leading(text);
    if (second > 0) value = value * digits_pow10[second] + digits_value(text, second);
    *count = second == 8 && rf_is_digit(at[16]) ? 17 : 8 + second;
    return value;
}

#endif
