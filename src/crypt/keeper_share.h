/* keeper_share.h - a secret as shares, of which a quorum gives it back (Shamir, "How to share a secret", 1979), and shares as text that people
 * type.
 *
 * Each byte is the constant of a polynomial of degree threshold - 1 over GF(2^8) (x^8+x^4+x^3+x+1) with random coefficients; share i holds
 * its value at i. Arithmetic takes the same time whatever the secret.
 *
 * Bytes of a share: 0 1 format (1), 1 1 threshold, 2 1 index (1 to 16), 3 6 set (which shares belong together), 9 32 value,
 * 41 4 first bytes of SHA-256 over "ringfort share" and the 41 before.
 * Text: 18 groups of five characters of Crockford's base32, with dashes between them: four of the bytes (20 bits) and a check over
 * GF(2^5) that finds any wrong character, two swapped ones, and groups that stand in each other's place. Read in any case, with or
 * without dashes and blanks; O is 0, I and L are 1. */
#ifndef RF_KEEPER_SHARE_H
#define RF_KEEPER_SHARE_H

#include "base/rf.h"

enum {
    SHARE_SECRET_BYTES = 32,
    SHARE_COUNT_MAX = 16,
    SHARE_THRESHOLD_MIN = 2,
    SHARE_SET_BYTES = 6,
    SHARE_BYTES = 45,
    SHARE_TEXT_BYTES = 108 /* with its NUL */
};
struct share {
    uint8_t threshold, index;
    uint8_t set[SHARE_SET_BYTES];
    uint8_t value[SHARE_SECRET_BYTES];
};
/* Cuts `secret` into `count` shares; 2 <= threshold <= count <= 16. */
void share_split(const uint8_t secret[SHARE_SECRET_BYTES], const uint8_t set[SHARE_SET_BYTES],
                 uint8_t threshold, uint8_t count, struct share *out);
/* The secret of `count` shares with different indexes: the right one when they are of one set and at least its threshold. */
void share_join(const struct share *shares, size_t count, uint8_t secret[SHARE_SECRET_BYTES]);
void share_text(const struct share *share, char out[SHARE_TEXT_BYTES]);
/* RF_INVALID ShareInvalid: names the group that is wrong, never what it holds. */
RF_MUST_USE enum rf_kind share_read(rf_str text, struct share *out, struct rf_err *err);

#endif
