/* signin_first.c - the page behind an administrator's link: a name, a password, then a second factor, which can wait; and the person is signed in. */
#include "identity/admin_int.h"

#include "identity/access_policy_int.h"
#include "identity/graph_int.h"
#include "identity/signin_step_int.h"
#include "people/passkey.h"

#define PORTAL_PATH "/portal/"
#define NEW_LINK_COMMAND "ringfort admin link --data DIR"

/* ---- the page ---------------------------------------------------------------------------------------------------------- */

struct first {
    struct identity *identity;
    struct request *request;
    struct rf_arena *arena;
    rf_str code;
    struct admin_link link;
    struct json_node *user; /* whose account it renews; NULL: there will be a new one */
    rf_str name, display_name;
};

static enum rf_kind show(struct first *f, enum page_error error, rf_str detail)
{
    const struct page_field code = {RF_S("code"), f->code};
    struct page page = {.kind = PAGE_FIRST,
                        .language = signin_language(f->request, NULL),
                        .error = error,
                        .detail = detail,
                        .action = RF_S("/signin/first"),
                        .fields = &code,
                        .field_count = 1,
                        .organisation = f->identity->domain,
                        .user_name = f->name,
                        .display_name = f->display_name,
                        .is_renewed = f->user != NULL};
    signin_headers(f->request, (rf_str){0}, NULL, 0);
    return signin_write_page(f->request, &page, 200);
}

static enum rf_kind show_over(struct first *f)
{
    struct page page = {.kind = PAGE_FIRST_OVER,
                        .language = signin_language(f->request, NULL),
                        .detail = RF_S(NEW_LINK_COMMAND),
                        .organisation = f->identity->domain};
    signin_headers(f->request, (rf_str){0}, NULL, 0);
    return signin_write_page(f->request, &page, 410);
}

/* RF_NOT_FOUND: it is over, also when the account that it was for is gone. */
static enum rf_kind load(struct first *f, struct state_txn *txn, struct rf_err *err)
{
    RF_TRY(admin_link_find(txn, f->code, f->request->now, f->arena, &f->link, err));
    if (f->link.user.len == 0) return RF_OK;
    RF_TRY(object_get(txn, "user", f->link.user, f->arena, &f->user, err));
    f->name = json_text_at(f->user, "userPrincipalName");
    f->display_name = json_text_at(f->user, "displayName");
    return RF_OK;
}

static enum rf_kind look(struct first *f, struct rf_err *err)
{
    IDENTITY_TXN txn = NULL;
    RF_TRY(state_begin_read(f->identity->options.state, &txn, err));
    return load(f, txn, err);
}

enum rf_kind first_page(struct request *request, struct rf_err *err)
{
    struct first f = {.identity = identity_of(request),
                      .request = request,
                      .arena = request->arena,
                      .code = request_parameter(request, "code", NULL)};
    enum rf_kind kind = look(&f, err);
    if (kind == RF_NOT_FOUND) return show_over(&f);
    RF_TRY(kind);
    if (f.user == NULL) {
        f.name = rf_arena_printf(f.arena, "admin@%.*s", RF_FMT(f.identity->domain));
        if (f.name.ptr == NULL) return rf_fail_memory(err, f.arena);
    }
    return show(&f, PAGE_NO_ERROR, (rf_str){0});
}

/* ---- the account --------------------------------------------------------------------------------------------------------- */

static bool name_is_good(const struct first *f)
{
    size_t at = rf_str_find(f->name, RF_S("@"), 0);
    return at != SIZE_MAX && graph_is_local_part(rf_slice(f->name, 0, at)) &&
           rf_str_eq_nocase(rf_slice(f->name, at + 1, f->name.len), f->identity->domain);
}

static enum rf_kind name_is_free(struct first *f, struct state_txn *txn, bool *is_free,
                                 struct rf_err *err)
{
    struct json_node *there;
    enum rf_kind kind =
        object_find(txn, "user", "userPrincipalName", f->name, f->arena, &there, err);
    *is_free = kind == RF_NOT_FOUND;
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

static enum rf_kind check_password(struct first *f, rf_str password, rf_str again,
                                   enum page_error *error, rf_str *detail, struct rf_err *err)
{
    rf_str nick = rf_slice(f->name, 0, rf_str_find(f->name, RF_S("@"), 0));
    const rf_str names[] = {nick, f->identity->domain};
    const struct password_rules rules = {.chars_min = 12, .names = names, .name_count = 2};
    struct rf_err why;
    *error = rf_str_eq(password, again) ? PAGE_NO_ERROR : PAGE_E_NOT_SAME;
    if (*error != PAGE_NO_ERROR) return RF_OK;
    enum rf_kind kind = password_accept(f->identity->passwords, &rules, password, f->arena, &why);
    if (kind == RF_INVALID) {
        *error = PAGE_E_NEW_PASSWORD;
        *detail = rf_str_of(rf_arena_cstr(f->arena, rf_str_of(why.text)));
        return RF_OK;
    }
    if (kind != RF_OK) *err = why;
    return kind;
}

/* Takes the link and makes or renews the account. *is_free false: somebody else has the name by now. RF_NOT_FOUND: the link is over. */
static enum rf_kind make_account(struct first *f, rf_str id, rf_str stored, bool *is_free,
                                 struct admin_change *change, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct json_node *doc;
    const struct admin_account account = {
        .id = id, .name = f->name, .display_name = f->display_name, .password = stored};
    *is_free = true;
    *change = (struct admin_change){.before = NULL};
    RF_TRY(state_begin_write(f->identity->options.state, &txn, err));
    RF_TRY(load(f, txn, err));
    RF_TRY(admin_link_take(txn, &f->link, err));
    if (f->user == NULL) {
        RF_TRY(name_is_free(f, txn, is_free, err));
        if (!*is_free) return RF_OK;
        RF_TRY(admin_user_json(&account, f->request->now, f->arena, &doc, err));
        RF_TRY(object_put(txn, "user", doc, f->arena, err));
    } else {
        doc = f->user;
        change->before = json_clone(f->arena, doc);
        if (change->before == NULL) return rf_fail_memory(err, f->arena);
        RF_TRY(admin_renew(txn, doc, stored, f->request->now, f->arena, err));
    }
    RF_TRY(admin_give_rights(f->identity, txn, id, f->arena, err));
    change->after = doc;
    return state_finish(&txn, err);
}

static enum rf_kind begin_signed_in(struct first *f, rf_str user, struct rf_err *err)
{
    struct signin s = {.identity = f->identity,
                       .request = f->request,
                       .arena = f->arena,
                       .what = FOR_FIRST,
                       .user = user,
                       .typed = f->name,
                       .begun = f->request->now,
                       .correlation_id = correlation_of(f->request)};
    RF_TRY(signin_load_person(&s, err));
    signin_note_success(&s, PROOF_PASSWORD);
    enum rf_kind kind = signin_go_on(&s, PAGE_NO_ERROR, (rf_str){0}, err);
    signin_done(&s);
    return kind;
}

static enum rf_kind take(struct first *f, const struct form *form, struct rf_err *err)
{
    enum page_error error;
    rf_str detail = {0}, stored, password = form_get(form, "newPassword", NULL);
    struct admin_change change;
    bool is_free = true;
    RF_TRY(look(f, err));
    if (f->user == NULL) {
        f->name = text_lower(f->arena, rf_str_trim(form_get(form, "loginfmt", NULL)));
        f->display_name = rf_str_trim(form_get(form, "displayName", NULL));
        if (f->name.len > 0 && rf_str_find(f->name, RF_S("@"), 0) == SIZE_MAX)
            f->name = rf_arena_printf(f->arena, "%.*s@%.*s", RF_FMT(f->name),
                                      RF_FMT(f->identity->domain));
        if (f->name.len == 0) return show(f, PAGE_E_USER_EMPTY, detail);
        if (!name_is_good(f)) return show(f, PAGE_E_NAME, detail);
        if (f->display_name.len == 0)
            f->display_name = rf_slice(f->name, 0, rf_str_find(f->name, RF_S("@"), 0));
        if (f->display_name.len > 256) f->display_name.len = 0;
        if (f->display_name.len == 0) return show(f, PAGE_E_ERROR, detail);
    }
    RF_TRY(check_password(f, password, form_get(form, "confirmNewPassword", NULL), &error, &detail,
                          err));
    if (error != PAGE_NO_ERROR) return show(f, error, detail);
    rf_str id = f->user != NULL ? json_text_at(f->user, "id") : guid_random(f->arena);
    if (id.ptr == NULL) return rf_fail_memory(err, f->arena);
    RF_TRY(password_make(f->identity->passwords, id, password, f->arena, &stored, err));
    RF_TRY(make_account(f, id, stored, &is_free, &change, err));
    if (!is_free) return show(f, PAGE_E_NAME, detail);
    admin_tell(f->identity, f->request, &change);
    return begin_signed_in(f, id, err);
}

enum rf_kind first_taken(struct request *request, struct rf_err *err)
{
    struct first f = {
        .identity = identity_of(request), .request = request, .arena = request->arena};
    struct form form;
    RF_TRY(form_parse(request->http->body, request->arena, &form, err));
    f.code = form_get(&form, "code", NULL);
    enum rf_kind kind = take(&f, &form, err);
    if (kind == RF_NOT_FOUND) return show_over(&f);
    if (kind == RF_AGAIN && err->code != NULL && strcmp(err->code, "PasswordsBusy") == 0) {
        http_set_literal(request->response, "Retry-After", "1");
        return request_fail(request, err, 503, "PasswordsBusy", "Too many sign-ins at one time.");
    }
    return kind;
}

/* ---- a second factor ------------------------------------------------------------------------------------------------------- */

static enum rf_kind finish(struct signin *s, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(s->identity->options.state, &txn, err));
    RF_TRY(signin_keep_session(s, txn, err));
    RF_TRY(state_finish(&txn, err));
    signin_tell(s, &(struct signin_outcome){
                       .result = "0", .text = "", .method = "Password", .method_good = true});
    signin_headers(s->request, (rf_str){0}, NULL, 0);
    s->request->response->status = 303;
    s->request->response->body.len = 0;
    http_set_literal(s->request->response, "Location", PORTAL_PATH);
    return RF_OK;
}

static enum rf_kind show_passkey(struct signin *s, enum page_error error, struct rf_err *err)
{
    uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES], handle[PASSKEY_HANDLE_BYTES];
    rf_str origin;
    const struct webauthn_party party = signin_party(s, &origin);
    struct page page = {.kind = PAGE_ENROLL_PASSKEY, .error = error, .optional = true};
    RF_TRY(signin_make_challenge(s, challenge, err));
    RF_TRY(passkey_handle(s->identity->options.keeper, s->person.id, handle, err));
    RF_TRY(access_method_enabled(s->identity, "SoftwareOath", &page.can_code, err));
    page.options =
        webauthn_creation_options(s->arena, &party, rf_str_make(handle, sizeof handle),
                                  s->person.name, s->person.display_name, challenge, NULL, 0);
    if (page.options == NULL) return rf_fail_memory(err, s->arena);
    return signin_show(s, STEP_ENROLL_PASSKEY, &page, err);
}

static enum rf_kind store_passkey(struct signin *s, const struct webauthn_credential *credential,
                                  rf_str challenge, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    rf_str id;
    RF_TRY(state_begin_write(s->identity->options.state, &txn, err));
    RF_TRY(challenge_take(txn, challenge, s->request->now, s->arena, err));
    RF_TRY(passkey_store(txn, s->person.id, RF_S("Passkey"), credential, s->request->now, s->arena,
                         &id, err));
    return state_finish(&txn, err);
}

static enum rf_kind take_passkey(struct signin *s, struct rf_err *err)
{
    rf_str origin, challenge;
    const struct webauthn_party party = signin_party(s, &origin);
    struct webauthn_credential credential;
    struct json_node *answer;
    struct signin_ways ways;
    struct rf_err why;
    RF_TRY(signin_load_ways(s, &ways, err));
    if (ways.any) return finish(s, err); /* another page was first */
    if (json_parse(form_get(&s->form, "credential", NULL), s->arena, &answer, &why) != RF_OK ||
        !signin_read_challenge(s, &challenge))
        return show_passkey(s, PAGE_E_PASSKEY, err);
    enum rf_kind kind =
        webauthn_register(&party, challenge.ptr, answer, false, s->arena, &credential, &why);
    if (kind == RF_OK) kind = store_passkey(s, &credential, challenge, &why);
    if (kind == RF_INVALID || kind == RF_CONFLICT) return show_passkey(s, PAGE_E_PASSKEY, err);
    if (kind != RF_OK) {
        *err = why;
        return kind;
    }
    signin_note_success(s, PROOF_PASSKEY);
    return signin_first_go_on(s, PAGE_NO_ERROR, (rf_str){0}, err);
}

static void tell_enrolled(struct signin *s)
{
    const struct principal who = {.type = PRINCIPAL_USER,
                                  .object_id = s->person.id,
                                  .display_name = s->person.display_name,
                                  .user_name = s->person.name},
                           *before = s->request->principal;
    s->request->principal = &who;
    trail_audit(s->identity, s->request,
                &(struct trail_change){.operation = "User registered security info",
                                       .verb = "Add",
                                       .service = "Authentication Methods",
                                       .category = "UserManagement",
                                       .type = "User",
                                       .target = s->person.doc});
    s->request->principal = before;
}

/* For the day on which the factor is lost. */
static enum rf_kind show_codes(struct signin *s, struct rf_err *err)
{
    rf_str codes[RECOVERY_CODES];
    bool enabled;
    s->extra = (rf_str){0};
    tell_enrolled(s);
    RF_TRY(access_method_enabled(s->identity, "RecoveryCode", &enabled, err));
    if (!enabled) return finish(s, err);
    {
        RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
        RF_TRY(state_begin_write(s->identity->options.state, &txn, err));
        RF_TRY(recovery_make(s->identity->options.keeper, txn, s->person.id, s->request->now,
                             s->arena, codes, err));
        RF_TRY(state_finish(&txn, err));
    }
    struct page page = {.kind = PAGE_RECOVERY_CODES, .items = codes, .item_count = RECOVERY_CODES};
    return signin_show(s, STEP_CODES_SHOWN, &page, err);
}

enum rf_kind signin_first_go_on(struct signin *s, enum page_error error, rf_str detail,
                                struct rf_err *err)
{
    bool totp, passkey;
    (void)detail;
    if (s->step == STEP_ENROLL_PASSKEY && error != PAGE_NO_ERROR)
        return show_passkey(s, error, err);
    if (error != PAGE_NO_ERROR) return signin_show_enroll(s, error, err);
    if (proof_is_mfa(s->proofs)) return show_codes(s, err);
    RF_TRY(access_method_enabled(s->identity, "SoftwareOath", &totp, err));
    if (totp) return signin_show_enroll(s, PAGE_NO_ERROR, err);
    RF_TRY(access_method_enabled(s->identity, "Fido2", &passkey, err));
    return passkey ? show_passkey(s, PAGE_NO_ERROR, err) : finish(s, err);
}

enum rf_kind signin_first_next(struct signin *s, struct rf_err *err)
{
    rf_str to = form_get(&s->form, "switch", NULL);
    enum rf_kind kind = signin_load_person(s, err);
    if (kind == RF_OK) kind = person_still(&s->person, s->proved, err);
    if (kind == RF_NOT_FOUND || kind == RF_DENIED)
        return signin_refuse(s, err->code, "The account was disabled, deleted or signed out.", err);
    RF_TRY(kind);
    if (rf_str_is(to, "later") || s->step == STEP_CODES_SHOWN) return finish(s, err);
    if (rf_str_is(to, "passkey")) return show_passkey(s, PAGE_NO_ERROR, err);
    if (rf_str_is(to, "code")) return signin_show_enroll(s, PAGE_NO_ERROR, err);
    return s->step == STEP_ENROLL_PASSKEY ? take_passkey(s, err) : signin_take_enrolled(s, err);
}
