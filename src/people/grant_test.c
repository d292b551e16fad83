#include "test/rf_prop.h"

#include "test/people_rig.h"

#include "people/grant.h"
#include "people/session.h"

#define CLIENT RF_S("11111111-2222-4333-8444-555555555555")
static const struct grant grant = {.scope = RF_S("openid offline_access"), .proofs = 1};

static struct grant a_grant(void)
{
    struct grant g = grant;
    g.client = CLIENT;
    g.user = RIG_USER;
    g.sid = RF_S("5e551040-0000-4000-8000-000000000001");
    g.proved = RIG_START;
    return g;
}

/* ---- codes ------------------------------------------------------------------------------------------------------ */

static rf_str make_code(struct rig *rig)
{
    struct state_txn *txn = rig_write(rig);
    struct rf_err err;
    rf_str text;
    struct code_grant code = {.grant = a_grant(),
                              .redirect_uri = RF_S("https://app.example/cb"),
                              .challenge = RF_S("challenge"),
                              .nonce = RF_S("n")};
    cr_assert(code_make(txn, &code, RIG_START, &rig->arena, &text, &err) == RF_OK);
    rig_commit(txn);
    return text;
}

static enum rf_kind take_code(struct rig *rig, rf_str text, int64_t seconds, struct code_grant *out,
                              struct rf_err *err)
{
    struct state_txn *txn = rig_write(rig);
    enum rf_kind kind =
        code_take(txn, text, RIG_START + RIG_SECONDS(seconds), &rig->arena, out, err);
    rig_commit(txn);
    return kind;
}

Test(grant, a_code_is_taken_once)
{
    struct rig rig;
    struct code_grant out;
    struct rf_err err;
    rig_open(&rig);
    rf_str text = make_code(&rig);
    cr_assert(text.len == 64);
    cr_assert(take_code(&rig, text, 59, &out, &err) == RF_OK, "%s", err.text);
    cr_assert(rf_str_eq(out.grant.client, CLIENT) && rf_str_is(out.nonce, "n"));
    cr_assert(rf_str_is(out.redirect_uri, "https://app.example/cb"));
    rf_str family = out.family;
    cr_assert(take_code(&rig, text, 60, &out, &err) == RF_CONFLICT);
    cr_assert_str_eq(err.code, "54005");
    cr_assert(rf_str_eq(out.family, family), "what it gave can be ended");
    cr_assert(take_code(&rig, RF_S("nonsense"), 1, &out, &err) == RF_NOT_FOUND);
    rig_close(&rig);
}

Test(grant, a_code_ends)
{
    struct rig rig;
    struct code_grant out;
    struct rf_err err;
    rig_open(&rig);
    rf_str text = make_code(&rig);
    cr_assert(take_code(&rig, text, CODE_LIFE_SECONDS + 1, &out, &err) == RF_DENIED);
    cr_assert_str_eq(err.code, "70008");
    rig_close(&rig);
}

/* ---- refresh tokens ------------------------------------------------------------------------------------------------ */

static rf_str family(struct rig *rig, bool spa)
{
    struct state_txn *txn = rig_write(rig);
    struct grant g = a_grant();
    struct rf_err err;
    rf_str token;
    g.spa = spa;
    cr_assert(family_make(rig->keeper, txn, &g, RF_S("fa000000-0000-4000-8000-00000000abcd"),
                          RIG_START, &rig->arena, &token, &err) == RF_OK,
              "%s", err.text);
    rig_commit(txn);
    return token;
}

/* Redeems a token `seconds` behind the start. */
static enum rf_kind redeem(struct rig *rig, rf_str token, int64_t seconds, rf_str *next,
                           struct rf_err *err)
{
    struct state_txn *txn = rig_write(rig);
    rf_usec now = RIG_START + RIG_SECONDS(seconds);
    struct family found;
    enum rf_kind kind = family_find(rig->keeper, txn, token, now, &rig->arena, &found, err);
    if (kind == RF_CONFLICT) cr_assert(family_end(txn, found.id, err) == RF_OK);
    if (kind == RF_CONFLICT) (void)!RF_FAIL(err, RF_CONFLICT, "50173", "again");
    if (kind == RF_OK) kind = family_rotate(rig->keeper, txn, &found, now, &rig->arena, next, err);
    rig_commit(txn);
    return kind;
}

Test(grant, refresh_tokens_rotate_and_reuse_ends_them)
{
    struct rig rig;
    struct rf_err err;
    rf_str one, two, again, three, none;
    rig_open(&rig);
    one = family(&rig, false);
    cr_assert(redeem(&rig, one, 1, &two, &err) == RF_OK, "%s", err.text);
    cr_assert(!rf_str_eq(one, two));
    cr_assert(redeem(&rig, one, 1 + REFRESH_GRACE_SECONDS, &again, &err) == RF_OK, "grace");
    cr_assert(rf_str_eq(two, again), "the same successor");
    cr_assert(redeem(&rig, two, 20, &three, &err) == RF_OK);
    cr_assert(redeem(&rig, one, 21, &none, &err) == RF_CONFLICT, "two before");
    cr_assert(redeem(&rig, three, 22, &none, &err) == RF_DENIED, "all are over");
    rig_close(&rig);
}

Test(grant, the_time_of_grace_ends)
{
    struct rig rig;
    struct rf_err err;
    rf_str one, two, none;
    rig_open(&rig);
    one = family(&rig, false);
    cr_assert(redeem(&rig, one, 1, &two, &err) == RF_OK);
    cr_assert(redeem(&rig, one, 2 + REFRESH_GRACE_SECONDS, &none, &err) == RF_CONFLICT);
    cr_assert(redeem(&rig, two, 3 + REFRESH_GRACE_SECONDS, &none, &err) == RF_DENIED);
    rig_close(&rig);
}

Test(grant, refresh_tokens_are_not_to_be_guessed)
{
    struct rig rig;
    struct rf_err err;
    rf_str one, none;
    rig_open(&rig);
    one = family(&rig, false);
    for (size_t i = 0; i < one.len; i++) {
        rf_str bad;
        cr_assert(rf_arena_str(&rig.arena, one, &bad));
        ((uint8_t *)(uintptr_t)bad.ptr)[i] ^= 1;
        enum rf_kind kind = redeem(&rig, bad, 1, &none, &err);
        cr_assert(kind == RF_DENIED, "byte %zu: %s", i, err.text);
    }
    cr_assert(redeem(&rig, RF_S(""), 1, &none, &err) == RF_DENIED);
    cr_assert(redeem(&rig, RF_S("1."), 1, &none, &err) == RF_DENIED);
    cr_assert(redeem(&rig, one, 1, &none, &err) == RF_OK, "and the right one is good still");
    rig_close(&rig);
}

Test(grant, refresh_tokens_end_with_time)
{
    struct rig rig;
    struct rf_err err;
    rf_str one, none;
    rig_open(&rig);
    one = family(&rig, false);
    cr_assert(redeem(&rig, one, REFRESH_IDLE_SECONDS + 1, &none, &err) == RF_DENIED);
    cr_assert_str_eq(err.code, "700082");
    one = family(&rig, true);
    cr_assert(redeem(&rig, one, REFRESH_SPA_SECONDS + 1, &none, &err) == RF_DENIED);
    cr_assert_str_eq(err.code, "700084");
    rig_close(&rig);
}

/* ---- device codes --------------------------------------------------------------------------------------------------- */

Test(grant, a_device_waits_for_its_user)
{
    struct rig rig;
    struct rf_err err;
    struct device_grant device = {.grant = {.client = CLIENT, .scope = RF_S("openid")},
                                  .address = RF_S("192.0.2.1")},
                        found;
    rf_str code;
    rig_open(&rig);
    struct state_txn *txn = rig_write(&rig);
    cr_assert(device_make(txn, &device, RIG_START, &rig.arena, &code, &err) == RF_OK);
    cr_assert(device.user_code.len == 10 && device.user_code.ptr[4] == '-');
    cr_assert(device_take(txn, code, CLIENT, RIG_START, &rig.arena, &found, &err) == RF_AGAIN);
    cr_assert_str_eq(err.code, "70016");
    cr_assert(device_take(txn, code, RF_S("99999999-2222-4333-8444-555555555555"), RIG_START,
                          &rig.arena, &found, &err) == RF_DENIED);
    /* As people type it. */
    rf_str typed = rf_arena_printf(&rig.arena, " %.*s", RF_FMT(device.user_code));
    for (size_t i = 0; i < typed.len; i++) {
        uint8_t *c = (uint8_t *)(uintptr_t)typed.ptr + i;
        *c = *c == '-' ? ' ' : rf_lower(*c);
    }
    cr_assert(device_find(txn, typed, RIG_START, &rig.arena, &found, &err) == RF_OK, "%s",
              err.text);
    found.grant.user = RIG_USER;
    found.state = DEVICE_APPROVED;
    cr_assert(device_decide(txn, &found, &rig.arena, &err) == RF_OK);
    cr_assert(device_find(txn, typed, RIG_START, &rig.arena, &found, &err) == RF_NOT_FOUND,
              "decided once");
    cr_assert(device_take(txn, code, CLIENT, RIG_START, &rig.arena, &found, &err) == RF_OK);
    cr_assert(rf_str_eq(found.grant.user, RIG_USER));
    cr_assert(device_take(txn, code, CLIENT, RIG_START, &rig.arena, &found, &err) == RF_NOT_FOUND);
    rig_commit(txn);
    rig_close(&rig);
}

Test(grant, device_codes_end)
{
    struct rig rig;
    struct rf_err err;
    struct device_grant device = {.grant = {.client = CLIENT}}, found;
    rf_str code;
    rf_usec late = RIG_START + RIG_SECONDS(DEVICE_LIFE_SECONDS + 1);
    bool left;
    rig_open(&rig);
    struct state_txn *txn = rig_write(&rig);
    cr_assert(device_make(txn, &device, RIG_START, &rig.arena, &code, &err) == RF_OK);
    cr_assert(device_find(txn, device.user_code, late, &rig.arena, &found, &err) == RF_NOT_FOUND);
    cr_assert(device_take(txn, code, CLIENT, late, &rig.arena, &found, &err) == RF_NOT_FOUND);
    cr_assert_str_eq(err.code, "70020");
    cr_assert(grants_sweep(txn, late + RIG_SECONDS(DEVICE_LIFE_SECONDS), 100, &rig.arena, &left,
                           &err) == RF_OK);
    cr_assert(device_take(txn, code, CLIENT, late, &rig.arena, &found, &err) == RF_NOT_FOUND);
    cr_assert_str_eq(err.code, "70018", "swept away");
    rig_commit(txn);
    rig_close(&rig);
}

/* ---- sessions ---------------------------------------------------------------------------------------------------------- */

Test(session, lives_and_ends)
{
    struct rig rig;
    struct rf_err err;
    struct session session = {.user = RIG_USER, .proofs = 1, .proved = RIG_START}, found;
    rf_str cookie, next;
    rig_open(&rig);
    struct state_txn *txn = rig_write(&rig);
    cr_assert(session_make(txn, &session, RF_S(""), RIG_START, &rig.arena, &cookie, &err) == RF_OK);
    cr_assert(cookie.len == SESSION_COOKIE_BYTES);
    cr_assert(session_find(txn, cookie, RIG_START, &rig.arena, &found, &err) == RF_OK);
    cr_assert(rf_str_eq(found.user, RIG_USER) && rf_str_eq(found.sid, session.sid));
    rf_usec late = RIG_START + RIG_SECONDS(SESSION_IDLE_SECONDS + 1);
    cr_assert(session_find(txn, cookie, late, &rig.arena, &found, &err) == RF_NOT_FOUND);
    cr_assert(session_touch(txn, cookie, late - RIG_SECONDS(10), &rig.arena, &err) == RF_OK);
    cr_assert(session_find(txn, cookie, late, &rig.arena, &found, &err) == RF_OK, "it was used");
    /* A step up keeps the sid, and the cookie before is worth nothing. */
    rf_str sid = session.sid;
    session.proofs = 3;
    cr_assert(session_make(txn, &session, cookie, late, &rig.arena, &next, &err) == RF_OK);
    cr_assert(rf_str_eq(session.sid, sid));
    cr_assert(session_find(txn, cookie, late, &rig.arena, &found, &err) == RF_NOT_FOUND);
    cr_assert(session_find(txn, next, late, &rig.arena, &found, &err) == RF_OK);
    /* Another user's session is not taken over. */
    session.user = RF_S("0a1b2c3d-0000-4000-8000-000000000002");
    cr_assert(session_make(txn, &session, next, late, &rig.arena, &cookie, &err) == RF_OK);
    cr_assert(!rf_str_eq(session.sid, sid));
    cr_assert(sessions_end_of(txn, RIG_USER, &rig.arena, &err) == RF_OK);
    cr_assert(session_find(txn, next, late, &rig.arena, &found, &err) == RF_NOT_FOUND);
    cr_assert(session_find(txn, cookie, late, &rig.arena, &found, &err) == RF_OK);
    rig_commit(txn);
    rig_close(&rig);
}

Test(grant, a_challenge_is_answered_once)
{
    struct rig rig;
    struct rf_err err;
    bool left;
    rig_open(&rig);
    struct state_txn *txn = rig_write(&rig);
    cr_assert(challenge_take(txn, RF_S("c"), RIG_START, &rig.arena, &err) == RF_OK);
    cr_assert(challenge_take(txn, RF_S("c"), RIG_START, &rig.arena, &err) == RF_CONFLICT);
    cr_assert(challenge_take(txn, RF_S("d"), RIG_START, &rig.arena, &err) == RF_OK);
    rf_usec late = RIG_START + RIG_SECONDS(86401);
    cr_assert(grants_sweep(txn, late, 100, &rig.arena, &left, &err) == RF_OK && !left);
    cr_assert(challenge_take(txn, RF_S("c"), late, &rig.arena, &err) == RF_OK, "swept away");
    rig_commit(txn);
    rig_close(&rig);
}
