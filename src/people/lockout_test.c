#include "test/rf_prop.h"

#include "people/lockout.h"

#define SECONDS(n) ((rf_usec)(n)*RF_USEC_PER_SECOND)

static struct lockout *made(void)
{
    struct lockout *lockout;
    struct rf_err err;
    cr_assert(lockout_new(&lockout, &err) == RF_OK);
    return lockout;
}

static uint32_t wait_of(struct lockout *l, const struct lockout_try *who, int64_t seconds)
{
    struct lockout_verdict verdict;
    lockout_look(l, who, SECONDS(seconds), &verdict);
    return verdict.wait_seconds;
}

static struct lockout_verdict fail(struct lockout *l, const struct lockout_try *who,
                                   int64_t seconds)
{
    struct lockout_verdict verdict;
    lockout_failed(l, who, SECONDS(seconds), &verdict);
    return verdict;
}

Test(lockout, ten_then_a_minute_then_longer)
{
    struct lockout *l = made();
    const struct lockout_try who = {.account = RF_S("maeve"), .address = RF_S("127.0.0.1")};
    for (int i = 0; i < 9; i++) cr_assert(fail(l, &who, 1000).wait_seconds == 0, "%d", i);
    cr_assert(fail(l, &who, 1000).wait_seconds == 60);
    cr_assert(wait_of(l, &who, 1059) == 1 && wait_of(l, &who, 1060) == 0);
    static const uint32_t then[] = {120, 240, 480, 960, 1920, 3600, 3600};
    int64_t at = 1060;
    for (size_t i = 0; i < RF_COUNT(then); i++) {
        cr_assert(fail(l, &who, at).wait_seconds == then[i], "%zu", i);
        at += then[i];
    }
    lockout_passed(l, &who);
    cr_assert(fail(l, &who, at).wait_seconds == 0, "it begins anew");
    lockout_free(l);
}

Test(lockout, strangers_do_not_lock_out_the_owner)
{
    struct lockout *l = made();
    const struct lockout_try stranger = {.account = RF_S("maeve"), .address = RF_S("127.0.0.1")},
                             owner = {.account = RF_S("maeve"),
                                      .address = RF_S("127.0.0.1"),
                                      .known_place = true};
    for (int i = 0; i < 50; i++) (void)fail(l, &stranger, 1000);
    cr_assert(wait_of(l, &stranger, 1000) > 0);
    cr_assert(wait_of(l, &owner, 1000) == 0);
    lockout_free(l);
}

Test(lockout, the_same_wrong_one_counts_once)
{
    struct lockout *l = made();
    static const uint8_t one[16] = {1}, two[16] = {2};
    struct lockout_try who = {.account = RF_S("maeve"), .address = RF_S("127.0.0.1"), .mark = one};
    for (int i = 0; i < 100; i++) cr_assert(fail(l, &who, 1000).wait_seconds == 0);
    for (int i = 0; i < 100; i++) {
        who.mark = i % 2 == 0 ? one : two;
        cr_assert(fail(l, &who, 1000).wait_seconds == 0);
    }
    lockout_free(l);
}

Test(lockout, five_wrong_codes)
{
    struct lockout *l = made();
    const struct lockout_try who = {.account = RF_S("maeve"),
                                    .address = RF_S("127.0.0.1"),
                                    .code = true},
                             password = {.account = RF_S("maeve"), .address = RF_S("127.0.0.1")};
    for (int i = 0; i < 4; i++) cr_assert(fail(l, &who, 1000).wait_seconds == 0);
    cr_assert(fail(l, &who, 1000).wait_seconds == 900);
    cr_assert(wait_of(l, &password, 1000) == 0, "a factor of its own");
    lockout_free(l);
}

Test(lockout, many_accounts_from_one_place)
{
    struct lockout *l = made();
    char name[16];
    unsigned sprays = 0;
    struct lockout_try who = {.address = RF_S("203.0.113.9")};
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "user%d", i);
        who.account = rf_str_of(name);
        sprays += fail(l, &who, 1000).spray;
    }
    cr_assert(sprays == 1, "told once");
    who.account = RF_S("somebody else");
    cr_assert(wait_of(l, &who, 1001) > 0, "the place waits");
    who.address = RF_S("203.0.113.10");
    cr_assert(wait_of(l, &who, 1001) == 0, "and no other");
    who.address = RF_S("127.0.0.1");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "other%d", i);
        who.account = rf_str_of(name);
        cr_assert(!fail(l, &who, 1000).by_address, "loopback is exempt");
    }
    lockout_free(l);
}

Test(lockout, a_flood_of_names_takes_no_memory)
{
    struct lockout *l = made();
    char name[24];
    struct lockout_try who = {.address = RF_S("127.0.0.1")};
    for (int i = 0; i < 200000; i++) {
        snprintf(name, sizeof name, "user%d", i);
        who.account = rf_str_of(name);
        cr_assert(fail(l, &who, 1000 + i / 1000).wait_seconds == 0);
    }
    lockout_free(l);
}
