/* signin_passkey.c - signing in with a passkey: in place of name and password, or as the second step. */
#include "identity/access_policy_int.h"
#include "identity/signin_step_int.h"
#include "people/passkey.h"

struct webauthn_party signin_party(const struct signin *s, rf_str *origin)
{
    rf_str scheme = RF_S("https://");
    *origin = s->request->origin;
    rf_str host = rf_slice(*origin, RF_MIN(scheme.len, origin->len), origin->len);
    size_t colon = RF_MIN(rf_str_find(host, RF_S(":"), 0), host.len);
    return (struct webauthn_party){
        .rp_id = rf_slice(host, 0, colon), .origins = origin, .origin_count = 1};
}

/* Of whoever signs in; nobody's yet: the browser offers those that it has for us. Whose name was typed only is told nothing of. */
static enum rf_kind ids_of(struct signin *s, struct passkey_ids *out, struct rf_err *err)
{
    *out = (struct passkey_ids){.count = 0};
    if (s->proofs == 0 || !s->has_person) return RF_OK;
    IDENTITY_TXN txn = NULL;
    RF_TRY(state_begin_read(s->identity->options.state, &txn, err));
    return passkey_ids_of(txn, s->person.id, s->arena, out, err);
}

enum rf_kind signin_make_challenge(struct signin *s, uint8_t *challenge, struct rf_err *err)
{
    random_bytes(challenge, WEBAUTHN_CHALLENGE_BYTES);
    rf_str text = base64url_encode(s->arena, rf_str_make(challenge, WEBAUTHN_CHALLENGE_BYTES));
    if (text.ptr == NULL) return rf_fail_memory(err, s->arena);
    s->extra = rf_arena_printf(s->arena, "%lld.%.*s",
                               (long long)(s->request->now / RF_USEC_PER_SECOND), RF_FMT(text));
    return s->extra.ptr == NULL ? rf_fail_memory(err, s->arena) : RF_OK;
}

enum rf_kind signin_show_passkey(struct signin *s, enum page_error error, struct rf_err *err)
{
    uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES];
    rf_str origin;
    struct passkey_ids ids;
    struct signin_ways ways = {.totp = false};
    struct webauthn_party party = signin_party(s, &origin);
    RF_TRY(signin_make_challenge(s, challenge, err));
    if (s->proofs != 0 && !s->has_person) RF_TRY(signin_load_person(s, err));
    RF_TRY(ids_of(s, &ids, err));
    if (s->proofs != 0) RF_TRY(signin_load_ways(s, &ways, err));
    struct page page = {
        .kind = PAGE_PASSKEY,
        .error = error,
        .can_code = ways.totp,
        .can_recover = ways.recovery,
        .options = webauthn_request_options(s->arena, &party, challenge, ids.items, ids.count)};
    if (page.options == NULL) return rf_fail_memory(err, s->arena);
    return signin_show(s, STEP_PASSKEY, &page, err);
}

enum { CHALLENGE_LIFE_SECONDS = 300 };

/* What the page asked with: "<seconds>.<challenge>". False when it is too old, or none. */
bool signin_read_challenge(struct signin *s, rf_str *out)
{
    struct rf_err ignored;
    int64_t at = 0, now = s->request->now / RF_USEC_PER_SECOND;
    size_t dot = rf_str_find(s->extra, RF_S("."), 0);
    if (dot == SIZE_MAX || dot > 12) return false;
    for (size_t i = 0; i < dot; i++) at = 10 * at + (s->extra.ptr[i] - '0');
    return now - at <= CHALLENGE_LIFE_SECONDS &&
           base64url_decode(s->arena, rf_slice(s->extra, dot + 1, s->extra.len), out, &ignored) ==
               RF_OK &&
           out->len == WEBAUTHN_CHALLENGE_BYTES;
}

static enum rf_kind take(struct signin *s, rf_str *owner, struct rf_err *err)
{
    struct json_node *answer;
    rf_str challenge, origin;
    struct webauthn_party party = signin_party(s, &origin);
    struct rf_err why;
    if (json_parse(form_get(&s->form, "credential", NULL), s->arena, &answer, &why) != RF_OK)
        return RF_FAIL(err, RF_DENIED, "BadAssertion", "the passkey's answer is no JSON");
    if (!signin_read_challenge(s, &challenge))
        return RF_FAIL(err, RF_DENIED, "BadAssertion", "the challenge is too old");
    bool enabled;
    RF_TRY(access_method_enabled(s->identity, "Fido2", &enabled, err));
    if (!enabled)
        return RF_FAIL(err, RF_DENIED, "BadAssertion", "passkeys are switched off in this tenant");
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(s->identity->options.state, &txn, err));
    enum rf_kind kind = challenge_take(txn, challenge, s->request->now, s->arena, err);
    if (kind == RF_CONFLICT)
        return RF_FAIL(err, RF_DENIED, "BadAssertion", "the challenge was answered before");
    RF_TRY(kind);
    RF_TRY(passkey_take(s->identity->options.keeper, txn, &party, challenge.ptr, answer,
                        s->proofs == 0 ? (rf_str){0} : s->user, s->request->now, s->arena, owner,
                        err));
    return state_finish(&txn, err);
}

enum rf_kind signin_take_passkey(struct signin *s, struct rf_err *err)
{
    rf_str owner;
    enum rf_kind kind = take(s, &owner, err);
    if (kind == RF_DENIED || kind == RF_CONFLICT) {
        if (s->proofs != 0) RF_TRY(signin_load_person(s, err));
        bool clone = kind == RF_CONFLICT;
        signin_tell(s, &(struct signin_outcome){
                           .result = clone ? "135011" : "500121",
                           .text = clone ? "The passkey's counter did not grow: there may be a "
                                           "copy of it."
                                         : "Authentication failed during strong authentication "
                                           "request.",
                           .method = "Passkey"});
        return signin_go_on(s, PAGE_E_PASSKEY, (rf_str){0}, err);
    }
    RF_TRY(kind);
    s->user = owner;
    RF_TRY(signin_load_person(s, err));
    if (!s->person.enabled) return signin_refuse(s, "50057", "The user account is disabled.", err);
    signin_note_success(s, PROOF_PASSKEY);
    s->extra = (rf_str){0};
    return signin_go_on(s, PAGE_NO_ERROR, (rf_str){0}, err);
}
