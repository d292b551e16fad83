#include "test/rf_prop.h"

#include "people/cbor.h"

/* Examples of RFC 8949, appendix A, and what CTAP2 leaves out of it. */
Test(cbor, whole_items_are_passed_over)
{
    static const struct {
        rf_str bytes;
        bool good;
    } cases[] = {
        {RF_S("\x00"), true},
        {RF_S("\x18\x18"), true},
        {RF_S("\x18\x17"), false}, /* not the shortest */
        {RF_S("\x19\x00\xff"), false},
        {RF_S("\x1a\x00\x00\xff\xff"), false},
        {RF_S("\x1b\x00\x00\x00\x00\xff\xff\xff\xff"), false},
        {RF_S("\x1b\x7f\xff\xff\xff\xff\xff\xff\xff"), true},
        {RF_S("\x1b\xff\xff\xff\xff\xff\xff\xff\xff"), false}, /* above 2^63 - 1 */
        {RF_S("\x1c"), false},                                 /* reserved */
        {RF_S("\x20"), true},
        {RF_S("\x3b\x7f\xff\xff\xff\xff\xff\xff\xff"), true},
        {RF_S("\x40"), true},
        {RF_S("\x44\x01\x02\x03\x04"), true},
        {RF_S("\x44\x01\x02\x03"), false},
        {RF_S("\x5f\x41\x01\xff"), false}, /* indefinite */
        {RF_S("\x7f\x61\x61\xff"), false},
        {RF_S("\x9f\xff"), false},
        {RF_S("\xbf\xff"), false},
        {RF_S("\x61\x61"), true},
        {RF_S("\x61\xff"), false}, /* no UTF-8 */
        {RF_S("\x80"), true},
        {RF_S("\x83\x01\x02\x03"), true},
        {RF_S("\x83\x01\x02"), false},
        {RF_S("\x9b\x7f\xff\xff\xff\xff\xff\xff\xff"), false},
        {RF_S("\xbb\x7f\xff\xff\xff\xff\xff\xff\xff"), false},
        {RF_S("\xa0"), true},
        {RF_S("\xa2\x01\x02\x03\x04"), true},
        {RF_S("\xa2\x01\x02\x01\x04"), false}, /* a key twice */
        {RF_S("\xa2\x61\x61\x02\x61\x61\x04"), false},
        {RF_S("\xa1\x61\x61\xa2\x01\x02\x01\x02"), false}, /* deeper */
        {RF_S("\xa2\x01\x02\x61\x01\x04"), true},          /* 1 and "\x01" are two keys */
        {RF_S("\xa1\xa0\x01"), false},                     /* a map for a key */
        {RF_S("\xa1\x01"), false},
        {RF_S("\xc0\x00"), false}, /* tags */
        {RF_S("\xf4"), true},
        {RF_S("\xf6"), true},
        {RF_S("\xf7"), false}, /* undefined */
        {RF_S("\xf9\x00\x00"), false},
        {RF_S("\xff"), false},
        {RF_S(""), false},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        size_t at = 0;
        bool good = cbor_skip(cases[i].bytes, &at) && at == cases[i].bytes.len;
        cr_assert(good == cases[i].good, "case %zu", i);
    }
}

Test(cbor, depth_and_pairs_have_a_limit)
{
    uint8_t deep[12], wide[2 + 2 * 100];
    size_t at = 0;
    memset(deep, 0x81, sizeof deep);
    deep[8] = 0;
    cr_assert(cbor_skip(rf_str_make(deep, 9), &at) && at == 9);
    deep[8] = 0x81;
    deep[9] = 0;
    at = 0;
    cr_assert(!cbor_skip(rf_str_make(deep, 10), &at));
    for (size_t pairs = CBOR_PAIRS_MAX - 1; pairs <= CBOR_PAIRS_MAX + 1; pairs++) {
        size_t len = 0;
        wide[len++] = 0xb8;
        wide[len++] = (uint8_t)pairs;
        for (size_t i = 0; i < pairs; i++) {
            wide[len++] = (uint8_t)(i < 24 ? i : 0x20 + i - 24); /* 0 to 23, then -1 and down */
            wide[len++] = 0xf6;
        }
        at = 0;
        cr_assert(cbor_skip(rf_str_make(wide, len), &at) == (pairs <= CBOR_PAIRS_MAX));
    }
}

Test(cbor, values_are_found_by_their_keys)
{
    const rf_str map = RF_S("\xa3\x01\x02\x20\x41\x07\x61\x78\xf5");
    struct cbor_item item;
    size_t at = 99;
    cr_assert(cbor_find_int(map, 0, 1, &at) && at == 2);
    cr_assert(cbor_find_int(map, 0, -1, &at) && cbor_next(map, &at, &item));
    cr_assert(item.type == CBOR_BYTES && item.bytes.len == 1 && item.bytes.ptr[0] == 7);
    cr_assert(cbor_find_text(map, 0, "x", &at) && cbor_next(map, &at, &item));
    cr_assert(item.type == CBOR_BOOL && item.number == 1);
    cr_assert(!cbor_find_int(map, 0, 2, &at) && !cbor_find_text(map, 0, "y", &at));
    cr_assert(!cbor_find_int(RF_S("\x81\x01"), 0, 1, &at));
    cr_assert(!cbor_find_int(RF_S("\xa2\x01\x02\x01\x02"), 0, 1, &at));
    cr_assert(!cbor_find_int(RF_S("\xa2\x01\x02\x03"), 0, 1, &at), "the rest is looked at too");
}
