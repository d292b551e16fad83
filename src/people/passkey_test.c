/* Passkeys as they are stored: whose they are, what is kept of a sign-in, what is refused. */
#include "test/rf_prop.h"

#include "test/passkey_rig.h"
#include "test/people_rig.h"

#include "people/passkey.h"

#define OTHER RF_S("0a1b2c3d-0000-4000-8000-000000000002")

struct stage {
    struct rig rig;
    struct token token;
    rf_str origin;
    struct webauthn_party party;
    struct rf_err err;
};

static void open_stage(struct stage *s)
{
    memset(s, 0, sizeof *s);
    rig_open(&s->rig);
    token_make(&s->token, COSE_ES256);
    s->origin = RF_S(TOKEN_ORIGIN);
    s->party = (struct webauthn_party){
        .rp_id = RF_S("localhost"), .origins = &s->origin, .origin_count = 1};
}

static void close_stage(struct stage *s)
{
    EVP_PKEY_free(s->token.key);
    rig_close(&s->rig);
}

static enum rf_kind store(struct stage *s, rf_str user, uint32_t counter)
{
    struct token_answer a = token_create();
    struct webauthn_credential credential;
    rf_str id;
    a.counter = counter;
    cr_assert(webauthn_register(&s->party, a.challenge, token_answer(&s->token, &a, &s->rig.arena),
                                false, &s->rig.arena, &credential, &s->err) == RF_OK,
              "%s", s->err.text);
    struct state_txn *txn = rig_write(&s->rig);
    enum rf_kind kind =
        passkey_store(txn, user, RF_S("Key"), &credential, RIG_START, &s->rig.arena, &id, &s->err);
    rig_commit(txn);
    return kind;
}

static enum rf_kind take(struct stage *s, rf_str user, uint32_t counter, rf_str handle,
                         rf_str *owner)
{
    struct token_answer a = token_get();
    a.counter = counter;
    a.handle = handle;
    struct state_txn *txn = rig_write(&s->rig);
    enum rf_kind kind = passkey_take(s->rig.keeper, txn, &s->party, a.challenge,
                                     token_answer(&s->token, &a, &s->rig.arena), user, RIG_START,
                                     &s->rig.arena, owner, &s->err);
    rig_commit(txn);
    return kind;
}

static rf_str handle_of(struct stage *s, rf_str user)
{
    uint8_t *handle = rf_arena_new(&s->rig.arena, uint8_t, PASSKEY_HANDLE_BYTES);
    cr_assert(passkey_handle(s->rig.keeper, user, handle, &s->err) == RF_OK);
    return rf_str_make(handle, PASSKEY_HANDLE_BYTES);
}

Test(passkey, an_answer_signs_its_owner_in_once)
{
    struct stage s;
    rf_str owner = {0};
    open_stage(&s);
    cr_assert(store(&s, RIG_USER, 7) == RF_OK, "%s", s.err.text);
    cr_assert(take(&s, RIG_USER, 8, (rf_str){0}, &owner) == RF_OK, "%s", s.err.text);
    cr_assert(rf_str_eq(owner, RIG_USER));
    cr_assert(take(&s, RIG_USER, 8, (rf_str){0}, &owner) == RF_CONFLICT, "the counter was kept");
    cr_assert_str_eq(s.err.code, "CloneRisk");
    cr_assert(take(&s, RIG_USER, 9, (rf_str){0}, &owner) == RF_OK);
    close_stage(&s);
}

Test(passkey, without_a_name_the_handle_says_whose_it_is)
{
    struct stage s;
    rf_str owner = {0}, nobody = {0};
    open_stage(&s);
    cr_assert(store(&s, RIG_USER, 0) == RF_OK);
    cr_assert(take(&s, nobody, 0, handle_of(&s, RIG_USER), &owner) == RF_OK, "%s", s.err.text);
    cr_assert(rf_str_eq(owner, RIG_USER));
    cr_assert(take(&s, nobody, 0, nobody, &owner) == RF_DENIED);
    cr_assert(take(&s, nobody, 0, handle_of(&s, OTHER), &owner) == RF_DENIED);
    cr_assert(take(&s, nobody, 0, RF_S("short"), &owner) == RF_DENIED);
    cr_assert(take(&s, RIG_USER, 0, handle_of(&s, OTHER), &owner) == RF_DENIED);
    cr_assert(take(&s, OTHER, 0, handle_of(&s, RIG_USER), &owner) == RF_DENIED);
    cr_assert_str_eq(s.err.code, "BadAssertion");
    close_stage(&s);
}

Test(passkey, handles_tell_nothing_and_stay)
{
    struct stage s;
    open_stage(&s);
    rf_str one = handle_of(&s, RIG_USER), other = handle_of(&s, OTHER);
    cr_assert(!rf_str_eq(one, other));
    cr_assert(rf_str_eq(one, handle_of(&s, RF_S("0A1B2C3D-0000-4000-8000-000000000001"))));
    close_stage(&s);
}

Test(passkey, a_credential_has_one_owner)
{
    struct stage s;
    struct passkey_ids ids;
    rf_str owner;
    open_stage(&s);
    s.token.id_bytes = WEBAUTHN_ID_BYTES_MAX; /* the longest is found again too */
    cr_assert(take(&s, RIG_USER, 1, (rf_str){0}, &owner) == RF_DENIED, "nobody has it");
    cr_assert(store(&s, RIG_USER, 1) == RF_OK, "%s", s.err.text);
    cr_assert(store(&s, OTHER, 1) == RF_CONFLICT);
    cr_assert_str_eq(s.err.code, "PasskeyExists");
    cr_assert(store(&s, RIG_USER, 1) == RF_CONFLICT);
    struct state_txn *txn = rig_write(&s.rig);
    cr_assert(passkey_ids_of(txn, RIG_USER, &s.rig.arena, &ids, &s.err) == RF_OK);
    cr_assert(ids.count == 1 && rf_str_eq(ids.items[0], rf_str_make(s.token.id, s.token.id_bytes)));
    cr_assert(passkey_ids_of(txn, OTHER, &s.rig.arena, &ids, &s.err) == RF_OK && ids.count == 0);
    rig_commit(txn);
    close_stage(&s);
}
