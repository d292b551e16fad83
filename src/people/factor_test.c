/* Codes, recovery codes, passes. */
#include "test/rf_prop.h"

#include "test/people_rig.h"

#include "people/factor.h"

/* ---- RFC 4648, RFC 6238 -------------------------------------------------------------------------------------------- */

Test(totp, base32_of_the_rfc)
{
    static const struct {
        const char *plain, *text;
    } rows[] = {{"", ""},
                {"f", "MY"},
                {"fo", "MZXQ"},
                {"foo", "MZXW6"},
                {"foob", "MZXW6YQ"},
                {"fooba", "MZXW6YTB"},
                {"foobar", "MZXW6YTBOI"}};
    struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        rf_str text = totp_base32(&arena, rf_str_of(rows[i].plain));
        cr_assert(rf_str_is(text, rows[i].text), "%s: %.*s", rows[i].plain, RF_FMT(text));
    }
    rf_arena_done(&arena);
}

/* Appendix B of RFC 6238, its last six digits: the secret is "12345678901234567890". */
#define RFC_SECRET RF_S("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
Test(totp, codes_of_the_rfc)
{
    static const struct {
        int64_t seconds;
        const char *code;
    } rows[] = {{59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
                {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        uint64_t step = 0;
        rf_usec now = RIG_SECONDS(rows[i].seconds);
        cr_assert(totp_proves(RFC_SECRET, rf_str_of(rows[i].code), now, &step), "%s", rows[i].code);
        cr_assert(step == (uint64_t)rows[i].seconds / 30);
        cr_assert(totp_proves(RFC_SECRET, rf_str_of(rows[i].code), now + RIG_SECONDS(30), &step));
        cr_assert(!totp_proves(RFC_SECRET, rf_str_of(rows[i].code), now + RIG_SECONDS(61), &step));
    }
}

Test(totp, what_is_no_code_or_no_secret)
{
    uint64_t step;
    static const char *const codes[] = {"", "28708", "2870820", "28708a", "-87082", "0x1234"},
                             *const secrets[] = {"", "GEZDGNBVGY3TQOJ!", "1", "\xff\xff"};
    for (size_t i = 0; i < RF_COUNT(codes); i++)
        cr_assert(!totp_proves(RFC_SECRET, rf_str_of(codes[i]), RIG_SECONDS(59), &step), "%s",
                  codes[i]);
    for (size_t i = 0; i < RF_COUNT(secrets); i++)
        cr_assert(!totp_proves(rf_str_of(secrets[i]), RF_S("287082"), RIG_SECONDS(59), &step));
    cr_assert(totp_proves(RF_S("gezd gnbv gy3t qojq gezd gnbv gy3t qojq"), RF_S("287 082"),
                          RIG_SECONDS(59), &step),
              "as people type it");
}

/* ---- methods that are kept -------------------------------------------------------------------------------------------- */

static bool take(struct rig *rig, rf_str user, const char *code, int64_t seconds)
{
    struct rf_err err;
    bool fits;
    struct state_txn *txn = rig_write(rig);
    cr_assert(totp_take(rig->keeper, txn, user, rf_str_of(code), RIG_SECONDS(seconds), &rig->arena,
                        &fits, &err) == RF_OK,
              "%s", err.text);
    rig_commit(txn);
    return fits;
}

Test(factor, a_step_is_taken_once)
{
    struct rig rig;
    struct rf_err err;
    rf_str id, secret, other = RF_S("0a1b2c3d-0000-4000-8000-000000000002");
    rig_open(&rig);
    struct state_txn *txn = rig_write(&rig);
    cr_assert(totp_make(rig.keeper, txn, RIG_USER, RF_S("app"), RFC_SECRET, RIG_START, &rig.arena,
                        &id, &secret, &err) == RF_OK);
    cr_assert(rf_str_eq(secret, RFC_SECRET));
    cr_assert(totp_make(rig.keeper, txn, RIG_USER, RF_S("app"), RF_S("SHORT"), RIG_START,
                        &rig.arena, &id, &secret, &err) == RF_INVALID);
    struct factor_list list;
    cr_assert(factors_of(txn, RIG_USER, &rig.arena, &list, &err) == RF_OK && list.count == 1);
    rf_str stored = json_to_text(&rig.arena, list.items[0].body);
    cr_assert(rf_str_find(stored, RF_S("GEZDGNBV"), 0) == SIZE_MAX, "sealed");
    rig_commit(txn);
    cr_assert(!take(&rig, other, "005924", 1234567890), "another's method");
    cr_assert(take(&rig, RIG_USER, "005924", 1234567890));
    cr_assert(!take(&rig, RIG_USER, "005924", 1234567890), "each once");
    cr_assert(!take(&rig, RIG_USER, "050471", 1111111111), "none from before");
    cr_assert(take(&rig, RIG_USER, "279037", 2000000000));
    /* Another user's body in the place of one's own does not open: the key is the user's. */
    txn = rig_write(&rig);
    cr_assert(factor_put(txn, other, "totp", list.items[0].body, &rig.arena, &err) == RF_OK);
    bool fits;
    cr_assert(totp_take(rig.keeper, txn, other, RF_S("353130"), RIG_SECONDS(20000000000),
                        &rig.arena, &fits, &err) == RF_CORRUPT);
    rig_commit(txn);
    txn = rig_write(&rig);
    cr_assert(factors_delete(txn, RIG_USER, &rig.arena, &err) == RF_OK);
    cr_assert(factors_of(txn, RIG_USER, &rig.arena, &list, &err) == RF_OK && list.count == 0);
    cr_assert(factors_of(txn, other, &rig.arena, &list, &err) == RF_OK && list.count == 1);
    rig_commit(txn);
    rig_close(&rig);
}

Test(factor, recovery_codes_are_used_up)
{
    struct rig rig;
    struct rf_err err;
    rf_str codes[RECOVERY_CODES], fresh[RECOVERY_CODES];
    bool fits;
    uint32_t left;
    rig_open(&rig);
    struct state_txn *txn = rig_write(&rig);
    cr_assert(recovery_make(rig.keeper, txn, RIG_USER, RIG_START, &rig.arena, codes, &err) ==
              RF_OK);
    for (size_t i = 0; i < RECOVERY_CODES; i++) {
        cr_assert(codes[i].len == 19, "%.*s", RF_FMT(codes[i]));
        for (size_t k = 0; k < i; k++) cr_assert(!rf_str_eq(codes[i], codes[k]));
    }
    for (size_t i = 0; i < RECOVERY_CODES; i++) {
        /* As people type it. */
        rf_str typed;
        cr_assert(rf_arena_str(&rig.arena, codes[i], &typed));
        for (size_t k = 0; k < typed.len; k++) {
            uint8_t *c = (uint8_t *)(uintptr_t)typed.ptr + k;
            *c = *c == '-' ? ' ' : rf_lower(*c);
        }
        cr_assert(recovery_take(rig.keeper, txn, RIG_USER, typed, &rig.arena, &fits, &left, &err) ==
                  RF_OK);
        cr_assert(fits && left == RECOVERY_CODES - 1 - i);
        cr_assert(recovery_take(rig.keeper, txn, RIG_USER, codes[i], &rig.arena, &fits, &left,
                                &err) == RF_OK);
        cr_assert(!fits);
    }
    cr_assert(recovery_make(rig.keeper, txn, RIG_USER, RIG_START, &rig.arena, codes, &err) ==
              RF_OK);
    cr_assert(recovery_make(rig.keeper, txn, RIG_USER, RIG_START, &rig.arena, fresh, &err) ==
              RF_OK);
    cr_assert(recovery_take(rig.keeper, txn, RIG_USER, codes[0], &rig.arena, &fits, &left, &err) ==
              RF_OK);
    cr_assert(!fits, "new ones stand in place of all before");
    rig_commit(txn);
    rig_close(&rig);
}

Test(factor, a_pass_has_its_time)
{
    struct rig rig;
    struct rf_err err;
    rf_str id, text;
    bool fits;
    rig_open(&rig);
    struct state_txn *txn = rig_write(&rig);
    cr_assert(pass_make(rig.keeper, txn, RIG_USER, 9, true, RIG_START, &rig.arena, &id, &text,
                        &err) == RF_INVALID);
    cr_assert(pass_make(rig.keeper, txn, RIG_USER, 481, true, RIG_START, &rig.arena, &id, &text,
                        &err) == RF_INVALID);
    cr_assert(pass_make(rig.keeper, txn, RIG_USER, 10, false, RIG_START, &rig.arena, &id, &text,
                        &err) == RF_OK);
    static const struct {
        int64_t seconds;
        bool fits;
    } rows[] = {{-1, false}, {0, true}, {599, true}, {600, false}};
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        cr_assert(pass_take(rig.keeper, txn, RIG_USER, text,
                            RIG_START + RIG_SECONDS(rows[i].seconds), &rig.arena, &fits,
                            &err) == RF_OK);
        cr_assert(fits == rows[i].fits, "%lld", (long long)rows[i].seconds);
    }
    cr_assert(pass_make(rig.keeper, txn, RIG_USER, 10, true, RIG_START, &rig.arena, &id, &text,
                        &err) == RF_OK);
    cr_assert(pass_take(rig.keeper, txn, RIG_USER, RF_S("ABCD-EFGH-IJKL-MNOP"), RIG_START,
                        &rig.arena, &fits, &err) == RF_OK &&
              !fits);
    cr_assert(pass_take(rig.keeper, txn, RIG_USER, text, RIG_START, &rig.arena, &fits, &err) ==
                  RF_OK &&
              fits);
    cr_assert(pass_take(rig.keeper, txn, RIG_USER, text, RIG_START, &rig.arena, &fits, &err) ==
                  RF_OK &&
              !fits);
    rig_commit(txn);
    rig_close(&rig);
}
