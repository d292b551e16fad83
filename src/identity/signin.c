/* signin.c - the steps of a sign-in: what each page brings, and which comes next.
 *
 * signin_go_on looks at what is known (who, how proved, what policies ask, what was consented to) and shows the page for the first thing that is
 * missing; the handlers of pages only add to what is known. So a page that is sent again, or twice, does no harm. */
#include <stdio.h>

#include "identity/access_policy_int.h"
#include "identity/signin_step_int.h"

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

void signin_tell(const struct signin *s, const struct signin_outcome *outcome)
{
    const struct person_sign_in row = {.request = s->request,
                                       .correlation_id = s->correlation_id,
                                       .client = s->client,
                                       .resource = s->what == FOR_APP ? s->authorize.scopes.resource
                                                                      : s->scopes.resource,
                                       .person = s->has_person ? &s->person : NULL,
                                       .typed = s->typed,
                                       .result = outcome->result,
                                       .description = rf_str_of(outcome->text),
                                       .interactive = true,
                                       .proofs = s->proofs,
                                       .method = outcome->method,
                                       .method_good = outcome->method_good,
                                       .verdict = s->has_verdict ? &s->verdict : NULL,
                                       .risk = &s->risk,
                                       .protocol = s->what == FOR_DEVICE ? "deviceCode" : "none",
                                       .session_id = s->session.sid};
    trail_person(s->identity, &row);
    if (strcmp(outcome->result, "0") == 0) risk_tell_passed(s);
}

/* ---- what is asked for anew at each request ---------------------------------------------------------------------------------- */

enum rf_kind signin_load_device(struct signin *s, struct rf_err *err)
{
    IDENTITY_TXN txn = NULL;
    RF_TRY(state_begin_read(s->identity->options.state, &txn, err));
    RF_TRY(device_find(txn, s->user_code, s->request->now, s->arena, &s->device, err));
    RF_TRY(client_find(s->identity, s->device.grant.client, &s->client_entry, err));
    s->client = s->client_entry->value;
    return scopes_read(s->identity, s->device.grant.scope, s->request->origin, s->arena, &s->scopes,
                       err);
}

static enum rf_kind load_what(struct signin *s, struct rf_err *err)
{
    if (s->what == FOR_DEVICE) return signin_load_device(s, err);
    if (s->what == FOR_FIRST) return RF_OK;
    RF_TRY(authorize_read(s->identity, s->query, s->tenant, s->request->origin, s->arena,
                          &s->authorize, err));
    s->client = s->authorize.client;
    return RF_OK;
}

void signin_done(struct signin *s)
{
    authorize_done(&s->authorize);
    memo_release(&s->scopes.entry);
    memo_release(&s->client_entry);
}

const struct scopes *signin_scopes(const struct signin *s)
{
    return s->what == FOR_APP ? &s->authorize.scopes : &s->scopes;
}

enum rf_kind signin_load_person(struct signin *s, struct rf_err *err)
{
    IDENTITY_TXN txn = NULL;
    RF_TRY(state_begin_read(s->identity->options.state, &txn, err));
    enum rf_kind kind = s->user.len > 0 ? person_by_id(txn, s->user, s->arena, &s->person, err)
                                        : person_by_name(txn, s->typed, s->arena, &s->person, err);
    s->has_person = kind == RF_OK;
    return kind;
}

/* ---- what policies say ------------------------------------------------------------------------------------------------------------ */

static rf_str platform_of(const struct request *request)
{
    static const struct {
        const char *mark, *name;
    } marks[] = {{"Windows", "windows"}, {"Android", "android"}, {"iPhone", "iOS"},
                 {"iPad", "iOS"},        {"Mac OS X", "macOS"},  {"Linux", "linux"}};
    rf_str agent = http_header(request->http, "User-Agent", NULL);
    for (size_t i = 0; i < RF_COUNT(marks); i++)
        if (rf_str_find(agent, rf_str_of(marks[i].mark), 0) != SIZE_MAX)
            return rf_str_of(marks[i].name);
    return (rf_str){0};
}

static enum rf_kind evaluate(struct signin *s, struct rf_err *err)
{
    RF_TRY(risk_look(s, err));
    struct policy_input input = {.user = s->person.id,
                                 .client_app = s->client->app_id,
                                 .resource_app = signin_scopes(s)->resource->app_id,
                                 .client = POLICY_BROWSER,
                                 .address = s->request->http->peer_address,
                                 .platform = platform_of(s->request),
                                 .flow = s->what == FOR_DEVICE ? "deviceCodeFlow" : NULL,
                                 .proofs = s->proofs,
                                 .proved_at = s->proved,
                                 .second_proved_at = s->second_proved,
                                 .fresh_password = s->changed,
                                 .country = s->risk.place.country,
                                 .sign_in_risk = s->risk.sign_in,
                                 .user_risk = s->risk.user,
                                 .now = s->request->now};
    RF_TRY(access_evaluate(s->identity, &input, s->arena, &s->verdict, err));
    s->has_verdict = true;
    return RF_OK;
}

/* An answer for the application, when it wants to hear what stands in the way and no page. */
enum rf_kind signin_answer_silently(struct signin *s, const char *error, const char *code,
                                    const char *text, struct rf_err *err)
{
    struct rf_err why = {.kind = RF_DENIED, .code = code};
    (void)snprintf(why.text, sizeof why.text, "%s", text);
    signin_tell(s, &(struct signin_outcome){.result = code, .text = text});
    return authorize_answer_error(s->request, &s->authorize, error, &why, err);
}

bool signin_is_silent(const struct signin *s)
{
    return s->what == FOR_APP && s->authorize.prompt_none;
}

enum rf_kind signin_refuse(struct signin *s, const char *code, const char *text, struct rf_err *err)
{
    if (signin_is_silent(s)) return signin_answer_silently(s, "access_denied", code, text, err);
    signin_tell(s, &(struct signin_outcome){.result = code, .text = text});
    return signin_error_page(s->request, code, rf_str_of(text));
}

/* None is set up here but an authenticator, by who has nothing else yet: who had a method, even one that is switched off now, does not get another by
 * the password alone. */
static enum rf_kind ask_to_enroll(struct signin *s, const struct signin_ways *ways, bool strong,
                                  struct rf_err *err)
{
    bool enabled;
    signin_tell(s,
                &(struct signin_outcome){
                    .result = "50079",
                    .text = "The user is required to register for multi-factor authentication."});
    RF_TRY(access_method_enabled(s->identity, "SoftwareOath", &enabled, err));
    if (strong || ways->any || !enabled)
        return signin_refuse(s, "50074",
                             "No method of this account is one that is asked for. Ask an "
                             "administrator to register one.",
                             err);
    return signin_show_enroll(s, PAGE_NO_ERROR, err);
}

static enum rf_kind ask_second(struct signin *s, struct rf_err *err)
{
    struct signin_ways ways;
    static const char text[] =
        "Due to a configuration change made by your administrator, or because you moved to a new "
        "location, you must use multi-factor authentication to access the resource.";
    if (signin_is_silent(s))
        return signin_answer_silently(s, "interaction_required", "50076", text, err);
    RF_TRY(signin_load_ways(s, &ways, err));
    bool strong = (s->verdict.asks & ASK_PASSKEY) != 0;
    if (strong ? !ways.passkey : !ways.totp && !ways.passkey)
        return ask_to_enroll(s, &ways, strong, err);
    signin_tell(s, &(struct signin_outcome){.result = "50076", .text = text});
    return ways.totp && !strong ? signin_show_code(s, PAGE_NO_ERROR, err)
                                : signin_show_passkey(s, PAGE_NO_ERROR, err);
}

/* ---- the next page -------------------------------------------------------------------------------------------------------------------- */

static bool session_will_do(const struct signin *s)
{
    const struct authorize *a = &s->authorize;
    if (!s->has_session || s->what == FOR_DEVICE) return s->has_session;
    rf_usec age = s->request->now - s->session.proved;
    if (a->max_age >= 0 && age > a->max_age * RF_USEC_PER_SECOND) return false;
    if (form_get(&a->form, "rf_other", NULL).len > 0) return false;
    if (a->prompt_login || a->prompt_select) return false;
    return true;
}

static void adopt_session(struct signin *s)
{
    s->user = s->session.user;
    s->proofs = s->session.proofs;
    s->proved = s->session.proved;
    s->second_proved = s->session.second_proved;
}

static enum rf_kind ask_who(struct signin *s, struct rf_err *err)
{
    if (signin_is_silent(s))
        return signin_answer_silently(s, "login_required", "50058",
                                      "A silent sign-in request was sent but no user is signed in.",
                                      err);
    if (s->what == FOR_APP && s->authorize.login_hint.len > 0 && s->typed.len == 0)
        s->typed = s->authorize.login_hint;
    return s->typed.len > 0 ? signin_show_password(s, PAGE_NO_ERROR, err)
                            : signin_show_user(s, PAGE_NO_ERROR, err);
}

static enum rf_kind start_again(struct signin *s, struct rf_err *err)
{
    if (signin_is_silent(s))
        return signin_answer_silently(s, "login_required", "50078",
                                      "The sign-in is too old for what a policy asks.", err);
    s->typed = s->person.name;
    s->user = (rf_str){0};
    s->proofs = 0;
    s->proved = s->second_proved = 0;
    return signin_show_password(s, PAGE_NO_ERROR, err);
}

/* Behind the proof: what policies ask, then whether to keep the session, then consent. */
static enum rf_kind go_on_proved(struct signin *s, struct rf_err *err)
{
    RF_TRY(evaluate(s, err));
    if (s->verdict.blocked)
        return signin_refuse(
            s, "53003",
            "Access has been blocked by Conditional Access policies. The access policy "
            "does not allow token issuance.",
            err);
    if (s->verdict.asks & ASK_DEVICE)
        return signin_refuse(s, "53000",
                             "A policy asks for a managed device, which this one is not.", err);
    if (s->verdict.asks & ASK_AGAIN) return start_again(s, err);
    if (s->person.must_change || (s->verdict.asks & ASK_PASSWORD_CHANGE)) {
        if (signin_is_silent(s))
            return signin_answer_silently(s, "interaction_required", "50055",
                                          "The password is expired.", err);
        return signin_show_change(s, PAGE_NO_ERROR, (rf_str){0}, err);
    }
    bool wanted = s->what == FOR_APP && s->authorize.wants_mfa && !proof_is_mfa(s->proofs);
    if (wanted || (s->verdict.asks & (ASK_MFA | ASK_PASSKEY))) return ask_second(s, err);
    if (s->fresh && !s->kept_asked && s->what == FOR_APP && s->verdict.persistent == PERSIST_FREE) {
        struct page page = {.kind = PAGE_KEEP};
        return signin_show(s, STEP_KEEP, &page, err);
    }
    if (s->what == FOR_DEVICE && !s->agreed) {
        struct page page = {.kind = PAGE_DEVICE_CONFIRM, .address = s->device.address};
        return signin_show(s, STEP_CONFIRM, &page, err);
    }
    return signin_end(s, err);
}

enum rf_kind signin_go_on(struct signin *s, enum page_error error, rf_str detail,
                          struct rf_err *err)
{
    if (s->what == FOR_FIRST) return signin_first_go_on(s, error, detail, err);
    if (error != PAGE_NO_ERROR) return signin_show_again(s, error, detail, err);
    if (s->proofs == 0 && session_will_do(s)) adopt_session(s);
    if (s->proofs == 0) return ask_who(s, err);
    enum rf_kind kind = signin_load_person(s, err);
    if (kind == RF_OK) kind = person_still(&s->person, s->proved, err);
    if (kind == RF_NOT_FOUND || kind == RF_DENIED)
        return signin_refuse(s, err->code, "The account was disabled, deleted or signed out.", err);
    RF_TRY(kind);
    return go_on_proved(s, err);
}

/* ---- what pages bring --------------------------------------------------------------------------------------- */

static enum rf_kind take_consent(struct signin *s, struct rf_err *err)
{
    if (rf_str_is(form_get(&s->form, "decision", NULL), "accept")) {
        s->agreed = true;
        return signin_go_on(s, PAGE_NO_ERROR, (rf_str){0}, err);
    }
    RF_TRY(signin_load_person(s, err));
    if (s->what == FOR_DEVICE) return signin_finish_device(s, false, err);
    return signin_answer_silently(s, "access_denied", "65004",
                                  "User declined to consent to access the app.", err);
}

/* The buttons that lead to another way; false: the page itself was sent. */
static bool take_switch(struct signin *s, struct rf_err *err, enum rf_kind *kind)
{
    rf_str to = form_get(&s->form, "switch", NULL);
    if (to.len == 0) return false;
    *kind = signin_load_person(s, err);
    bool proved = s->proofs != 0 && *kind == RF_OK;
    if (*kind != RF_OK && *kind != RF_NOT_FOUND) return true;
    if (rf_str_is(to, "passkey"))
        *kind = signin_show_passkey(s, PAGE_NO_ERROR, err);
    else if (rf_str_is(to, "pass")) {
        struct page page = {.kind = PAGE_PASS};
        *kind = signin_show(s, STEP_PASS, &page, err);
    } else if (proved && rf_str_is(to, "recovery"))
        *kind = signin_show_recovery(s, PAGE_NO_ERROR, err);
    else if (proved && rf_str_is(to, "code"))
        *kind = signin_show_code(s, PAGE_NO_ERROR, err);
    else if (!proved && rf_str_is(to, "password"))
        *kind = signin_show_password(s, PAGE_NO_ERROR, err);
    else
        *kind = signin_show_user(s, PAGE_NO_ERROR, err);
    return true;
}

static enum rf_kind take_user(struct signin *s, struct rf_err *err)
{
    s->typed = rf_str_trim(form_get(&s->form, "loginfmt", NULL));
    if (s->typed.len == 0 || s->typed.len > 256) return signin_show_user(s, PAGE_E_USER_EMPTY, err);
    return signin_show_password(s, PAGE_NO_ERROR, err);
}

static enum rf_kind take_page(struct signin *s, struct rf_err *err)
{
    enum rf_kind kind;
    if (take_switch(s, err, &kind)) return kind;
    switch (s->step) {
    case STEP_USER:
        return take_user(s, err);
    case STEP_PASSWORD:
        return signin_take_password(s, err);
    case STEP_CODE:
        return signin_take_second(s, PROOF_TOTP, "otc", PAGE_E_CODE, err);
    case STEP_RECOVERY:
        return signin_take_second(s, PROOF_RECOVERY, "recovery", PAGE_E_RECOVERY, err);
    case STEP_PASS:
        return signin_take_second(s, PROOF_PASS, "accesspass", PAGE_E_PASS, err);
    case STEP_PASSKEY:
        return signin_take_passkey(s, err);
    case STEP_CHANGE:
        return signin_take_new_password(s, err);
    case STEP_ENROLL:
        return signin_take_enrolled(s, err);
    case STEP_KEEP:
        s->kept_asked = true;
        s->keep = rf_str_is(form_get(&s->form, "keep", NULL), "yes");
        return signin_go_on(s, PAGE_NO_ERROR, (rf_str){0}, err);
    case STEP_CONFIRM:
    case STEP_CONSENT:
        return take_consent(s, err);
    default:
        return signin_show_user(s, PAGE_NO_ERROR, err);
    }
}

/* Codes and passwords that were proved so long ago are asked for again. */
enum rf_kind signin_next(struct request *request, struct rf_err *err)
{
    struct signin s = {
        .identity = identity_of(request), .request = request, .arena = request->arena};
    struct rf_err why;
    RF_TRY(form_parse(request->http->body, request->arena, &s.form, err));
    enum rf_kind kind = signin_open(&s, form_get(&s.form, "ctx", NULL), &why);
    if (kind == RF_OK) kind = load_what(&s, &why);
    if (kind != RF_OK) {
        signin_done(&s);
        if (kind != RF_DENIED && kind != RF_NOT_FOUND && kind != RF_INVALID) {
            *err = why;
            return kind;
        }
        return signin_error_page(request, why.code, rf_str_of(why.text));
    }
    kind = signin_load_session(&s, err);
    if (kind == RF_OK) kind = s.what == FOR_FIRST ? signin_first_next(&s, err) : take_page(&s, err);
    signin_done(&s);
    if (kind == RF_AGAIN && err->code != NULL && strcmp(err->code, "PasswordsBusy") == 0) {
        http_set_literal(request->response, "Retry-After", "1");
        return request_fail(request, err, 503, "PasswordsBusy", "Too many sign-ins at one time.");
    }
    return kind;
}
