#include "crypt/keeper_share.h"

#include <openssl/crypto.h>

#include "crypt/digest.h"

enum { GROUPS = 18, GROUP_CHARS = 5, DATA_CHARS = 4, FORMAT = 1, CHECKED_BYTES = 41 };
_Static_assert(GROUPS *DATA_CHARS * 5 == SHARE_BYTES * 8, "the groups hold a share");
_Static_assert(GROUPS *(GROUP_CHARS + 1) == SHARE_TEXT_BYTES, "a dash or the NUL ends each group");

/* ---- GF(2^8), without tables and branches that a secret could decide ---------------------------------------------------- */

static uint8_t times(uint8_t a, uint8_t b)
{
    unsigned product = 0, x = a;
    for (unsigned bit = 0; bit < 8; bit++) {
        product ^= x & (0U - ((b >> bit) & 1U));
        x = (x << 1) ^ (0x11bU & (0U - (x >> 7)));
    }
    return (uint8_t)product;
}

/* a^254: the inverse; 0 for 0. */
static uint8_t inverse(uint8_t a)
{
    uint8_t power = a, out = 1;
    for (int i = 0; i < 7; i++) {
        power = times(power, power);
        out = times(out, power);
    }
    return out;
}

void share_split(const uint8_t secret[SHARE_SECRET_BYTES], const uint8_t set[SHARE_SET_BYTES],
                 uint8_t threshold, uint8_t count, struct share *out)
{
    uint8_t terms[SHARE_COUNT_MAX][SHARE_SECRET_BYTES];
    RF_ASSERT(threshold >= SHARE_THRESHOLD_MIN);
    RF_ASSERT(threshold <= count);
    RF_ASSERT(count <= SHARE_COUNT_MAX);
    random_bytes(terms, sizeof terms);
    memcpy(terms[0], secret, SHARE_SECRET_BYTES);
    for (uint8_t i = 0; i < count; i++) {
        out[i] = (struct share){.threshold = threshold, .index = (uint8_t)(i + 1)};
        memcpy(out[i].set, set, SHARE_SET_BYTES);
        for (size_t at = 0; at < SHARE_SECRET_BYTES; at++) {
            uint8_t y = 0;
            for (unsigned t = threshold; t > 0; t--)
                y = (uint8_t)(times(y, out[i].index) ^ terms[t - 1][at]);
            out[i].value[at] = y;
        }
    }
    OPENSSL_cleanse(terms, sizeof terms);
}

void share_join(const struct share *shares, size_t count, uint8_t secret[SHARE_SECRET_BYTES])
{
    memset(secret, 0, SHARE_SECRET_BYTES);
    for (size_t i = 0; i < count; i++) {
        /* Lagrange at 0; indexes are no secret. */
        uint8_t weight = 1;
        for (size_t j = 0; j < count; j++) {
            if (j == i) continue;
            RF_ASSERT(shares[i].index != shares[j].index);
            weight =
                times(weight, times(shares[j].index, inverse(shares[i].index ^ shares[j].index)));
        }
        for (size_t at = 0; at < SHARE_SECRET_BYTES; at++)
            secret[at] ^= times(weight, shares[i].value[at]);
    }
}

/* ---- text ------------------------------------------------------------------------------------------------------------------ */

static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* In GF(2^5), x^5+x^2+1: the powers of x up to 3 weigh the characters, so neither a change of one nor a swap of two cancels out. */
static unsigned check_of(unsigned group, const uint8_t chars[DATA_CHARS])
{
    unsigned check = group + 1;
    for (unsigned i = 0; i < DATA_CHARS; i++) {
        unsigned x = chars[i];
        for (unsigned n = 0; n <= i; n++) x = (x << 1) ^ (0x25U & (0U - (x >> 4)));
        check ^= x;
    }
    return check & 31U;
}

static uint8_t five_bits(const uint8_t bytes[SHARE_BYTES], unsigned at)
{
    unsigned bit = at * 5, byte = bit / 8;
    unsigned two = (unsigned)bytes[byte] << 8 | (byte + 1 < SHARE_BYTES ? bytes[byte + 1] : 0U);
    return (two >> (11 - bit % 8)) & 31U;
}

static void share_check(const uint8_t bytes[SHARE_BYTES], uint8_t out[SHA256_BYTES])
{
    uint8_t text[14 + CHECKED_BYTES];
    memcpy(text, "ringfort share", 14);
    memcpy(text + 14, bytes, CHECKED_BYTES);
    digest_sha256(rf_str_make(text, sizeof text), out);
    OPENSSL_cleanse(text, sizeof text);
}

void share_text(const struct share *share, char out[SHARE_TEXT_BYTES])
{
    uint8_t bytes[SHARE_BYTES] = {FORMAT, share->threshold, share->index}, check[SHA256_BYTES];
    memcpy(bytes + 3, share->set, SHARE_SET_BYTES);
    memcpy(bytes + 9, share->value, SHARE_SECRET_BYTES);
    share_check(bytes, check);
    memcpy(bytes + CHECKED_BYTES, check, SHARE_BYTES - CHECKED_BYTES);
    for (unsigned g = 0; g < GROUPS; g++) {
        uint8_t chars[DATA_CHARS];
        char *to = out + g * (GROUP_CHARS + 1);
        for (unsigned i = 0; i < DATA_CHARS; i++) {
            chars[i] = five_bits(bytes, g * DATA_CHARS + i);
            to[i] = letters[chars[i]];
        }
        to[DATA_CHARS] = letters[check_of(g, chars)];
        to[GROUP_CHARS] = g + 1 < GROUPS ? '-' : '\0';
    }
    OPENSSL_cleanse(bytes, sizeof bytes);
}

/* 0 to 31; 32: no character of a share. Nothing is hidden from one who measures the time of typing. */
static unsigned letter_value(uint8_t c)
{
    if (c >= 'a' && c <= 'z') c = (uint8_t)(c - 'a' + 'A');
    if (c == 'O') c = '0';
    if (c == 'I' || c == 'L') c = '1';
    unsigned at = 0;
    while (at < 32 && letters[at] != (char)c) at++;
    return at;
}

static enum rf_kind bad_group(unsigned group, const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "ShareInvalid", "group %u of the share %s; look at it again",
                   group + 1, what);
}

static enum rf_kind read_chars(rf_str text, uint8_t chars[GROUPS * GROUP_CHARS], struct rf_err *err)
{
    unsigned count = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
        if (count == GROUPS * GROUP_CHARS)
            return RF_FAIL(err, RF_INVALID, "ShareInvalid", "a share has %d groups, not more",
                           GROUPS);
        unsigned value = letter_value(c);
        if (value == 32)
            return bad_group(count / GROUP_CHARS, "holds a character that no share has", err);
        chars[count++] = (uint8_t)value;
    }
    if (count < GROUPS * GROUP_CHARS)
        return RF_FAIL(err, RF_INVALID, "ShareInvalid",
                       "a share has %d groups of %d characters; here it ends in group %u", GROUPS,
                       GROUP_CHARS, count / GROUP_CHARS + 1);
    return RF_OK;
}

static enum rf_kind share_of(const uint8_t bytes[SHARE_BYTES], struct share *out,
                             struct rf_err *err)
{
    uint8_t check[SHA256_BYTES];
    share_check(bytes, check);
    if (CRYPTO_memcmp(check, bytes + CHECKED_BYTES, SHARE_BYTES - CHECKED_BYTES) != 0)
        return RF_FAIL(err, RF_INVALID, "ShareInvalid", "the share as a whole does not hold");
    if (bytes[0] != FORMAT || bytes[1] < SHARE_THRESHOLD_MIN || bytes[1] > SHARE_COUNT_MAX ||
        bytes[2] < 1 || bytes[2] > SHARE_COUNT_MAX)
        return RF_FAIL(err, RF_INVALID, "ShareInvalid", "the share is of a later version");
    *out = (struct share){.threshold = bytes[1], .index = bytes[2]};
    memcpy(out->set, bytes + 3, SHARE_SET_BYTES);
    memcpy(out->value, bytes + 9, SHARE_SECRET_BYTES);
    return RF_OK;
}

enum rf_kind share_read(rf_str text, struct share *out, struct rf_err *err)
{
    uint8_t chars[GROUPS * GROUP_CHARS], bytes[SHARE_BYTES] = {0};
    enum rf_kind kind = read_chars(text, chars, err);
    for (unsigned g = 0; kind == RF_OK && g < GROUPS; g++) {
        const uint8_t *group = chars + g * GROUP_CHARS;
        if (check_of(g, group) != group[DATA_CHARS]) kind = bad_group(g, "is mistyped", err);
        for (unsigned i = 0; kind == RF_OK && i < DATA_CHARS; i++)
            for (unsigned n = 0; n < 5; n++) {
                unsigned bit = (g * DATA_CHARS + i) * 5 + n;
                bytes[bit / 8] |= (uint8_t)(((group[i] >> (4 - n)) & 1U) << (7 - bit % 8));
            }
    }
    if (kind == RF_OK) kind = share_of(bytes, out, err);
    OPENSSL_cleanse(chars, sizeof chars);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return kind;
}
