/* signin_prove.c - passwords and codes that pages bring (contract identity, sections 11.1 to 11.3, 11.5). */
#include "identity/access_policy_int.h"
#include "identity/signin_step_int.h"

/* ---- who may try -------------------------------------------------------------------------------------------------------------------- */

static bool is_known_place(struct signin *s)
{
    IDENTITY_TXN txn = NULL;
    struct session_list list;
    struct rf_err ignored;
    if (!s->has_person || state_begin_read(s->identity->options.state, &txn, &ignored) != RF_OK ||
        sessions_of(txn, s->person.id, s->request->now, s->arena, &list, &ignored) != RF_OK)
        return false;
    for (uint32_t i = 0; i < list.count; i++)
        if (rf_str_eq(list.items[i].address, s->request->http->peer_address)) return true;
    return false;
}

static struct lockout_try attempt_of(struct signin *s, bool code)
{
    return (struct lockout_try){.account = s->has_person ? s->person.id : s->typed,
                                .address = s->request->http->peer_address,
                                .known_place = is_known_place(s),
                                .code = code};
}

static rf_usec elapsed(const struct signin *s)
{
    return rf_clock_elapsed(s->identity->options.clock);
}

/* False, and the page was answered, when this account or address has to wait. */
bool signin_may_try(struct signin *s, bool code)
{
    struct lockout_verdict verdict;
    const struct lockout_try attempt = attempt_of(s, code);
    lockout_look(s->identity->lockout, &attempt, elapsed(s), &verdict);
    return verdict.wait_seconds == 0;
}

void signin_note_failure(struct signin *s, bool code, const uint8_t *mark)
{
    struct lockout_verdict verdict;
    struct lockout_try attempt = attempt_of(s, code);
    attempt.mark = mark;
    lockout_failed(s->identity->lockout, &attempt, elapsed(s), &verdict);
    if (!verdict.spray) return;
    spray_note(s->identity->sprays, attempt.address, elapsed(s));
    risk_tell_spray(s);
}

void signin_note_success(struct signin *s, unsigned proof)
{
    const struct lockout_try attempt = attempt_of(s, proof != PROOF_PASSWORD);
    lockout_passed(s->identity->lockout, &attempt);
    /* Times of tokens are whole seconds, and so is the moment from which on they count. */
    rf_usec now =
        RF_MAX(s->request->now, RF_MIN(s->person.valid_from, s->request->now + RF_USEC_PER_SECOND));
    if (proof == PROOF_PASSWORD || proof == PROOF_PASSKEY || proof == PROOF_PASS) s->proved = now;
    if (proof != PROOF_PASSWORD) s->second_proved = now;
    s->proofs |= proof;
    s->user = s->person.id;
    s->fresh = true;
}

static enum rf_kind wrong_password(struct signin *s, rf_str password, struct rf_err *err)
{
    uint8_t mark[16];
    rf_str owner = s->has_person ? s->person.id : s->typed;
    RF_TRY(password_mark(s->identity->passwords, owner, password, s->arena, mark, err));
    signin_note_failure(s, false, mark);
    signin_tell(s,
                &(struct signin_outcome){
                    .result = s->has_person ? "50126" : "50034",
                    .text = s->has_person ? "Error validating credentials due to invalid username "
                                            "or password."
                                          : "The user account does not exist in the directory.",
                    .method = "Password"});
    return signin_go_on(s, PAGE_E_PASSWORD, (rf_str){0}, err);
}

/* Stores the password anew, as the verifier there is of an older kind. */
static enum rf_kind refresh_verifier(struct signin *s, rf_str password, struct rf_err *err)
{
    rf_str stored;
    struct json_node *doc;
    RF_TRY(password_make(s->identity->passwords, s->person.id, password, s->arena, &stored, err));
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(s->identity->options.state, &txn, err));
    RF_TRY(object_get(txn, "user", s->person.id, s->arena, &doc, err));
    json_remove(doc, RF_S("~verifier"));
    if (json_set_text(s->arena, doc, "~password", stored) == NULL)
        return rf_fail_memory(err, s->arena);
    RF_TRY(object_put(txn, "user", doc, s->arena, err));
    return state_finish(&txn, err);
}

static rf_str stored_password(const struct signin *s)
{
    if (!s->has_person) return (rf_str){0};
    rf_str stored = json_text_at(s->person.doc, "~password");
    return stored.len > 0 ? stored : json_text_at(s->person.doc, "~verifier");
}

enum rf_kind signin_take_password(struct signin *s, struct rf_err *err)
{
    rf_str password = form_get(&s->form, "passwd", NULL);
    enum password_match match;
    enum rf_kind kind = signin_load_person(s, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (!signin_may_try(s, false)) {
        signin_tell(
            s, &(struct signin_outcome){.result = "50053",
                                        .text = "The account is locked: too many wrong passwords.",
                                        .method = "Password"});
        return signin_go_on(s, PAGE_E_PASSWORD, (rf_str){0}, err);
    }
    RF_TRY(password_check(s->identity->passwords, s->has_person ? s->person.id : s->typed,
                          stored_password(s), password, s->arena, &match, err));
    if (match == PASSWORD_WRONG || !s->has_person) return wrong_password(s, password, err);
    if (!s->person.enabled) return signin_refuse(s, "50057", "The user account is disabled.", err);
    if (match == PASSWORD_FITS_AGED) RF_TRY(refresh_verifier(s, password, err));
    RF_TRY(password_is_leaked(s->identity->passwords, password, &s->leaked, err));
    signin_note_success(s, PROOF_PASSWORD);
    return signin_go_on(s, PAGE_NO_ERROR, (rf_str){0}, err);
}

/* A code of some kind is taken in a transaction, and counts when that was committed. */
static enum rf_kind take_code(struct signin *s, unsigned proof, rf_str code, bool *fits,
                              struct rf_err *err)
{
    struct keeper *keeper = s->identity->options.keeper;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    uint32_t left;
    bool enabled;
    const char *method = proof == PROOF_TOTP       ? "SoftwareOath"
                         : proof == PROOF_RECOVERY ? "RecoveryCode"
                                                   : "TemporaryAccessPass";
    *fits = false;
    RF_TRY(access_method_enabled(s->identity, method, &enabled, err));
    if (!enabled) return RF_OK;
    RF_TRY(state_begin_write(s->identity->options.state, &txn, err));
    if (proof == PROOF_TOTP)
        RF_TRY(totp_take(keeper, txn, s->person.id, code, s->request->now, s->arena, fits, err));
    else if (proof == PROOF_RECOVERY)
        RF_TRY(recovery_take(keeper, txn, s->person.id, code, s->arena, fits, &left, err));
    else
        RF_TRY(pass_take(keeper, txn, s->person.id, code, s->request->now, s->arena, fits, err));
    return *fits ? state_finish(&txn, err) : RF_OK;
}

static const char *method_name(unsigned proof)
{
    return proof == PROOF_TOTP       ? "Software OATH token"
           : proof == PROOF_RECOVERY ? "Recovery code"
           : proof == PROOF_PASS     ? "Temporary Access Pass"
                                     : "Passkey";
}

enum rf_kind signin_take_second(struct signin *s, unsigned proof, const char *field,
                                enum page_error wrong, struct rf_err *err)
{
    bool fits = false;
    rf_str code = form_get(&s->form, field, NULL);
    enum rf_kind kind = signin_load_person(s, err);
    /* A pass stands in place of a password, for a name that may be nobody's. */
    if (kind == RF_NOT_FOUND) return signin_go_on(s, wrong, (rf_str){0}, err);
    RF_TRY(kind);
    if (!s->person.enabled) return signin_go_on(s, wrong, (rf_str){0}, err);
    if (signin_may_try(s, true)) RF_TRY(take_code(s, proof, code, &fits, err));
    if (!fits) {
        signin_note_failure(s, true, NULL);
        signin_tell(s, &(struct signin_outcome){
                           .result = "500121",
                           .text = "Authentication failed during strong authentication "
                                   "request.",
                           .method = method_name(proof)});
        return signin_go_on(s, wrong, (rf_str){0}, err);
    }
    signin_note_success(s, proof);
    return signin_go_on(s, PAGE_NO_ERROR, (rf_str){0}, err);
}

enum rf_kind signin_take_enrolled(struct signin *s, struct rf_err *err)
{
    uint64_t step;
    rf_str id, secret;
    RF_TRY(signin_load_person(s, err));
    if (!signin_may_try(s, true) ||
        !totp_proves(s->extra, form_get(&s->form, "otc", NULL), s->request->now, &step)) {
        signin_note_failure(s, true, NULL);
        return signin_go_on(s, PAGE_E_CODE, (rf_str){0}, err);
    }
    struct signin_ways ways;
    RF_TRY(signin_load_ways(s, &ways, err));
    if (ways.any) /* another page was first: whoever has the password alone adds nothing */
        return signin_go_on(s, PAGE_NO_ERROR, (rf_str){0}, err);
    {
        RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
        bool fits;
        RF_TRY(state_begin_write(s->identity->options.state, &txn, err));
        RF_TRY(totp_make(s->identity->options.keeper, txn, s->person.id, RF_S("Authenticator"),
                         s->extra, s->request->now, s->arena, &id, &secret, err));
        /* The code that proved it is used. */
        RF_TRY(totp_take(s->identity->options.keeper, txn, s->person.id,
                         form_get(&s->form, "otc", NULL), s->request->now, s->arena, &fits, err));
        RF_TRY(state_finish(&txn, err));
    }
    s->extra = (rf_str){0};
    signin_note_success(s, PROOF_TOTP);
    return signin_go_on(s, PAGE_NO_ERROR, (rf_str){0}, err);
}

static enum rf_kind store_password(struct signin *s, rf_str password, struct rf_err *err)
{
    rf_str stored;
    struct json_node *doc;
    RF_TRY(password_make(s->identity->passwords, s->person.id, password, s->arena, &stored, err));
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(s->identity->options.state, &txn, err));
    RF_TRY(object_get(txn, "user", s->person.id, s->arena, &doc, err));
    json_remove(doc, RF_S("~verifier"));
    json_set_bool(s->arena, doc, "~mustChange", false);
    json_set_text(s->arena, doc, "lastPasswordChangeDateTime",
                  time_graph(s->arena, s->request->now));
    if (json_set_text(s->arena, doc, "~password", stored) == NULL)
        return rf_fail_memory(err, s->arena);
    RF_TRY(object_put(txn, "user", doc, s->arena, err));
    RF_TRY(sessions_end_of(txn, s->person.id, s->arena, err));
    RF_TRY(families_end_of(txn, s->person.id, s->arena, err));
    RF_TRY(risk_password_changed(txn, s->person.id, proof_is_mfa(s->proofs),
                                 "userPerformedSecuredPasswordChange", s->request->now, s->arena,
                                 err));
    s->leaked = false;
    return state_finish(&txn, err);
}

enum rf_kind signin_take_new_password(struct signin *s, struct rf_err *err)
{
    rf_str old = form_get(&s->form, "oldPassword", NULL),
           fresh = form_get(&s->form, "newPassword", NULL),
           again = form_get(&s->form, "confirmNewPassword", NULL);
    enum password_match match;
    struct rf_err why;
    RF_TRY(signin_load_person(s, err));
    if (!signin_may_try(s, false)) return signin_go_on(s, PAGE_E_PASSWORD, (rf_str){0}, err);
    RF_TRY(password_check(s->identity->passwords, s->person.id, stored_password(s), old, s->arena,
                          &match, err));
    if (match == PASSWORD_WRONG) {
        signin_note_failure(s, false, NULL);
        return signin_go_on(s, PAGE_E_PASSWORD, (rf_str){0}, err);
    }
    if (!rf_str_eq(fresh, again)) return signin_go_on(s, PAGE_E_NOT_SAME, (rf_str){0}, err);
    const rf_str names[] = {json_text_at(s->person.doc, "mailNickname"), s->identity->domain};
    const struct password_rules rules = {.chars_min = 12, .names = names, .name_count = 2};
    enum rf_kind kind =
        rf_str_eq(old, fresh)
            ? RF_FAIL(&why, RF_INVALID, "PasswordSame",
                      "Choose another password than the last one.")
            : password_accept(s->identity->passwords, &rules, fresh, s->arena, &why);
    if (kind == RF_INVALID) return signin_go_on(s, PAGE_E_NEW_PASSWORD, rf_str_of(why.text), err);
    if (kind != RF_OK) {
        *err = why;
        return kind;
    }
    RF_TRY(store_password(s, fresh, err));
    s->changed = true;
    return signin_go_on(s, PAGE_NO_ERROR, (rf_str){0}, err);
}
