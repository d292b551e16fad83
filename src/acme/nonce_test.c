#include "acme/acme_int.h"
#include "test/rf_prop.h"

static rf_str make(struct acme_nonces *nonces, char text[ACME_NONCE_CHARS + 1])
{
    acme_nonce_make(nonces, text);
    return rf_str_of(text);
}

Test(acme_nonce, a_nonce_is_good_once)
{
    struct acme_nonces *nonces, *others;
    char text[ACME_NONCE_CHARS + 1], second[ACME_NONCE_CHARS + 1];
    cr_assert(acme_nonces_new(&nonces, NULL) == RF_OK && acme_nonces_new(&others, NULL) == RF_OK);
    rf_str nonce = make(nonces, text), other = make(nonces, second);
    cr_assert(!rf_str_eq(nonce, other));
    cr_assert(!acme_nonce_take(others, nonce), "of another process");
    cr_assert(acme_nonce_take(nonces, other) && acme_nonce_take(nonces, nonce));
    cr_assert(!acme_nonce_take(nonces, nonce) && !acme_nonce_take(nonces, other));
    cr_assert(!acme_nonce_take(nonces, RF_S("")) && !acme_nonce_take(nonces, RF_S("AAAA")));
    acme_nonces_free(nonces);
    acme_nonces_free(others);
}

Test(acme_nonce, each_changed_character_is_noticed)
{
    struct acme_nonces *nonces;
    char text[ACME_NONCE_CHARS + 1];
    cr_assert(acme_nonces_new(&nonces, NULL) == RF_OK);
    acme_nonce_make(nonces, text);
    for (size_t i = 0; i < ACME_NONCE_CHARS; i++) {
        char kept = text[i];
        text[i] = kept == 'A' ? 'B' : 'A';
        cr_assert(!acme_nonce_take(nonces, rf_str_of(text)), "character %zu", i);
        text[i] = kept;
    }
    cr_assert(acme_nonce_take(nonces, rf_str_of(text)));
    acme_nonces_free(nonces);
}

Test(acme_nonce, the_window_ends_and_is_used_again)
{
    enum { WINDOW = 1 << 16 };
    struct acme_nonces *nonces;
    char old[ACME_NONCE_CHARS + 1], used[ACME_NONCE_CHARS + 1], text[ACME_NONCE_CHARS + 1];
    cr_assert(acme_nonces_new(&nonces, NULL) == RF_OK);
    acme_nonce_make(nonces, old);
    acme_nonce_make(nonces, used);
    cr_assert(acme_nonce_take(nonces, rf_str_of(used)));
    for (int i = 0; i < WINDOW - 1; i++) acme_nonce_make(nonces, text);
    cr_assert(!acme_nonce_take(nonces, rf_str_of(old)), "older than the window");
    cr_assert(!acme_nonce_take(nonces, rf_str_of(used)), "used");
    acme_nonce_make(nonces, text); /* stands where `used` stood */
    cr_assert(!acme_nonce_take(nonces, rf_str_of(used)) &&
              acme_nonce_take(nonces, rf_str_of(text)));
    acme_nonces_free(nonces);
}

Test(acme_limits, an_address_makes_so_many_accounts_within_three_hours)
{
    struct acme_limits *limits;
    int made = 0;
    cr_assert(acme_limits_new(&limits, NULL) == RF_OK);
    for (int i = 0; i < 100; i++) made += acme_limits_account(limits, RF_S("192.0.2.1"), 1000 + i);
    cr_assert(made == 20, "%d", made);
    cr_assert(acme_limits_account(limits, RF_S("192.0.2.2"), 1100));
    cr_assert(acme_limits_account(limits, RF_S("192.0.2.1"), 1000 + 3 * 3600));
    acme_limits_free(limits);
}
