#include "crypt/keeper_share.h"

#include "crypt/digest.h"
#include "test/rf_prop.h"

/* Every subset of `threshold` shares gives the secret, and none of fewer does. */
static void all_subsets(uint8_t threshold, uint8_t count)
{
    struct share all[SHARE_COUNT_MAX], some[SHARE_COUNT_MAX];
    uint8_t secret[SHARE_SECRET_BYTES], got[SHARE_SECRET_BYTES], set[SHARE_SET_BYTES] = "set";
    random_bytes(secret, sizeof secret);
    share_split(secret, set, threshold, count, all);
    for (unsigned mask = 1; mask < 1U << count; mask++) {
        size_t n = 0;
        for (unsigned i = 0; i < count; i++)
            if ((mask >> i & 1) != 0) some[n++] = all[i];
        share_join(some, n, got);
        cr_assert((memcmp(got, secret, sizeof got) == 0) == (n >= threshold), "%u of %u by %zu",
                  threshold, count, n);
    }
}

Test(keeper_share, every_quorum_opens_and_no_fewer)
{
    for (uint8_t count = 2; count <= 7; count++)
        for (uint8_t threshold = 2; threshold <= count; threshold++) all_subsets(threshold, count);
    all_subsets(16, 16);
    all_subsets(2, 12);
}

/* By hand: over GF(2^8) the line through (1, a) and (2, b) meets 0 at 3a/1 ... = (2a + 1b)/(1+2), so 246 a ^ 247 b (1/3 = 0xf6). */
Test(keeper_share, joins_as_the_field_says)
{
    struct share two[2] = {{.threshold = 2, .index = 1}, {.threshold = 2, .index = 2}};
    uint8_t got[SHARE_SECRET_BYTES];
    two[0].value[0] = 1;
    share_join(two, 2, got);
    cr_assert_eq(got[0], 0xf7);
    two[0].value[0] = 0;
    two[1].value[0] = 1;
    share_join(two, 2, got);
    cr_assert_eq(got[0], 0xf6);
}

static struct share some_share(struct rf_prng *prng)
{
    struct share share = {.threshold = (uint8_t)rf_test_between(prng, 2, 16),
                          .index = (uint8_t)rf_test_between(prng, 1, 16)};
    for (size_t i = 0; i < sizeof share.value; i++) share.value[i] = (uint8_t)rf_test_u64(prng);
    for (size_t i = 0; i < sizeof share.set; i++) share.set[i] = (uint8_t)rf_test_u64(prng);
    return share;
}

RF_PROP(keeper_share_text_comes_back_however_it_is_typed, 300)
{
    struct share share = some_share(prng), got;
    char text[SHARE_TEXT_BYTES], typed[3 * SHARE_TEXT_BYTES];
    size_t len = 0;
    share_text(&share, text);
    cr_assert_eq(strlen(text), SHARE_TEXT_BYTES - 1);
    for (size_t i = 0; text[i] != '\0'; i++) {
        char c = text[i];
        if (c == '-' && rf_test_bool(prng)) continue;
        if (c == '0' && rf_test_bool(prng)) c = 'o';
        if (c == '1' && rf_test_bool(prng)) c = 'l';
        if (c >= 'A' && c <= 'Z' && rf_test_bool(prng)) c = (char)(c - 'A' + 'a');
        typed[len++] = c;
        if (rf_test_bool(prng)) typed[len++] = ' ';
    }
    cr_assert(share_read(rf_str_make((uint8_t *)typed, len), &got, NULL) == RF_OK);
    cr_assert(memcmp(&got, &share, sizeof got) == 0);
}

RF_PROP(keeper_share_names_the_group_that_is_wrong, 300)
{
    static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    struct share share = some_share(prng), got;
    struct rf_err err = {0};
    char text[SHARE_TEXT_BYTES], wanted[16];
    share_text(&share, text);
    size_t group = rf_test_below(prng, 18), at = group * 6 + rf_test_below(prng, 5);
    char before = text[at];
    if (rf_test_bool(prng) && at % 6 < 4) { /* two characters swapped */
        text[at] = text[at + 1];
        text[at + 1] = before;
    } else {
        text[at] = letters[rf_test_below(prng, 32)];
    }
    if (text[at] == before) return;
    (void)snprintf(wanted, sizeof wanted, "group %zu ", group + 1);
    cr_assert(share_read(rf_str_of(text), &got, &err) == RF_INVALID);
    cr_assert_str_eq(err.code, "ShareInvalid");
    cr_assert(strstr(err.text, wanted) != NULL, "%s: %s", wanted, err.text);
}

Test(keeper_share, tells_what_is_no_share)
{
    struct share share = {.threshold = 3, .index = 2}, got;
    struct rf_err err = {0};
    char text[SHARE_TEXT_BYTES];
    share_text(&share, text);
    cr_assert(share_read(rf_str_make((uint8_t *)text, 20), &got, &err) == RF_INVALID);
    cr_assert(strstr(err.text, "ends in group 4") != NULL, "%s", err.text);
    cr_assert(share_read(rf_str_of(""), &got, &err) == RF_INVALID);
    char more[SHARE_TEXT_BYTES + 8];
    (void)snprintf(more, sizeof more, "%s-ABCDE", text);
    cr_assert(share_read(rf_str_of(more), &got, &err) == RF_INVALID);
    text[7] = '!';
    cr_assert(share_read(rf_str_of(text), &got, &err) == RF_INVALID);
    cr_assert(strstr(err.text, "group 2 ") != NULL, "%s", err.text);
    /* Groups in each other's place. */
    share_text(&share, text);
    char first[5];
    memcpy(first, text, 5);
    memcpy(text, text + 6, 5);
    memcpy(text + 6, first, 5);
    cr_assert(share_read(rf_str_of(text), &got, &err) == RF_INVALID);
    /* A share that no program made, with checks that hold. */
    share.index = 17;
    share_text(&share, text);
    cr_assert(share_read(rf_str_of(text), &got, &err) == RF_INVALID);
}
