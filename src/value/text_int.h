/* text_int.h - what the files of text.h share. */
#ifndef RF_TEXT_INT_H
#define RF_TEXT_INT_H

#include "value/text.h"

enum { TEXT_POW10_MIN = -342, TEXT_POW10_MAX = 324 };

struct text_pow10 {
    uint64_t hi, lo;
};
extern const struct text_pow10 text_pow10[TEXT_POW10_MAX - TEXT_POW10_MIN + 1];

__extension__ typedef unsigned __int128 text_u128;
__extension__ typedef __int128 text_i128;

/* floor(log2(10^k)), for k of the table. */
static inline int text_log2_pow10(int k) { return (k * 1741647) >> 19; }

enum { TEXT_REAL_BYTES = 40 };
/* text_put_real() into at least TEXT_REAL_BYTES; returns the length. */
size_t text_real_digits(uint8_t *text, double r, bool point);

/* Writes the two decimal digits of x (0..99). */
static inline void text_two_digits(uint8_t *p, uint32_t x)
{
    p[0] = (uint8_t)('0' + x / 10);
    p[1] = (uint8_t)('0' + x % 10);
}
/* Writes exactly `count` decimal digits of x, leading zeros included. */
static inline void text_digits(uint8_t *p, uint64_t x, size_t count)
{
    while (count > 0) {
        p[--count] = (uint8_t)('0' + x % 10);
        x /= 10;
    }
}
/* Value of a hex digit, or -1. */
static inline int text_hex_digit(uint8_t c)
{
    if (rf_is_digit(c)) return c - '0';
    uint8_t l = c | 0x20;
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

#endif
