/* signin_end.c - the end of a sign-in: consent, the session, and what the application gets. */
#include "identity/signin_step_int.h"

/* ---- the end ------------------------------------------------------------------------------------------------------------------------ */

static struct grant grant_of(const struct signin *s, rf_str scope)
{
    return (struct grant){.client = s->client->app_id,
                          .user = s->person.id,
                          .sid = s->session.sid,
                          .scope = scope,
                          .proofs = s->proofs,
                          .proved = s->proved,
                          .second_proved = s->second_proved,
                          .spa = s->authorize.redirect == REDIRECT_SPA,
                          .confidential = s->authorize.redirect == REDIRECT_WEB};
}

enum rf_kind signin_keep_session(struct signin *s, struct state_txn *txn, struct rf_err *err)
{
    if (!s->fresh && s->has_session) return RF_OK;
    bool kept = s->verdict.persistent == PERSIST_ALWAYS ||
                (s->keep && s->verdict.persistent != PERSIST_NEVER) ||
                (s->has_session && s->session.kept && !s->kept_asked);
    rf_str before = http_cookie(s->request->http, SESSION_COOKIE), cookie;
    struct session session = {.user = s->person.id,
                              .address = s->request->http->peer_address,
                              .agent = http_header(s->request->http, "User-Agent", NULL),
                              .proofs = s->proofs,
                              .proved = s->proved,
                              .second_proved = s->second_proved,
                              .kept = kept};
    session.agent.len = RF_MIN(session.agent.len, (size_t)256);
    RF_TRY(session_make(txn, &session, before, s->request->now, s->arena, &cookie, err));
    s->session = session;
    RF_TRY(risk_learn(s, txn, err));
    cookie_set(s->request, SESSION_COOKIE, cookie, kept ? SESSION_KEPT_SECONDS : -1);
    cookie_set(s->request, FLOW_COOKIE, (rf_str){0}, 0);
    return RF_OK;
}

/* Now and then whoever signs in takes away some of what is over: nobody waits for it, and what fails is tried another time. */
static void sweep_some(struct signin *s)
{
    enum { ONE_IN = 64, AT_ONCE = 200, SCRATCH_BYTES = 64 << 20 };
    uint8_t random;
    struct rf_err ignored;
    bool left;
    random_bytes(&random, 1);
    if (random % ONE_IN != 0) return;
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    rf_arena_init(&scratch, SCRATCH_BYTES);
    rf_usec now = s->request->now;
    if (state_begin_write(s->identity->options.state, &txn, &ignored) == RF_OK &&
        grants_sweep(txn, now, AT_ONCE, &scratch, &left, &ignored) == RF_OK &&
        sessions_sweep(txn, now, AT_ONCE, &scratch, &left, &ignored) == RF_OK)
        (void)!state_finish(&txn, &ignored);
}

static enum rf_kind answer_code(struct signin *s, rf_str code, struct rf_err *err)
{
    struct page_field fields[4];
    uint32_t count = 0;
    fields[count++] = (struct page_field){RF_S("code"), code};
    fields[count++] = (struct page_field){RF_S("session_state"), s->session.sid};
    if (rf_str_is(form_get(&s->authorize.form, "client_info", NULL), "1")) {
        rf_str json = rf_arena_printf(s->arena, "{\"uid\":\"%.*s\",\"utid\":\"%.*s\"}",
                                      RF_FMT(s->person.id), RF_FMT(s->identity->tenant));
        if (json.ptr == NULL) return rf_fail_memory(err, s->arena);
        fields[count++] =
            (struct page_field){RF_S("client_info"), base64url_encode(s->arena, json)};
    }
    signin_tell(s, &(struct signin_outcome){.result = "0", .text = ""});
    return authorize_answer(s->request, &s->authorize, fields, count, err);
}

static enum rf_kind finish_app(struct signin *s, rf_str granted, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    rf_str code;
    RF_TRY(state_begin_write(s->identity->options.state, &txn, err));
    RF_TRY(signin_keep_session(s, txn, err));
    struct code_grant grant = {.grant = grant_of(s, granted),
                               .redirect_uri = s->authorize.redirect_uri,
                               .challenge = s->authorize.challenge,
                               .nonce = s->authorize.nonce,
                               .told_auth_time =
                                   s->authorize.max_age >= 0 || s->authorize.prompt_login};
    /* What was asked for, with the resource's names: the code is told later what exactly it is for. */
    grant.grant.scope = form_get(&s->authorize.form, "scope", NULL);
    RF_TRY(code_make(txn, &grant, s->request->now, s->arena, &code, err));
    RF_TRY(state_finish(&txn, err));
    sweep_some(s);
    return answer_code(s, code, err);
}

enum rf_kind signin_finish_device(struct signin *s, bool approved, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    rf_str scope = s->device.grant.scope;
    RF_TRY(state_begin_write(s->identity->options.state, &txn, err));
    RF_TRY(signin_keep_session(s, txn, err));
    if (approved) s->device.grant = grant_of(s, scope);
    s->device.state = approved ? DEVICE_APPROVED : DEVICE_DECLINED;
    RF_TRY(device_decide(txn, &s->device, s->arena, err));
    RF_TRY(state_finish(&txn, err));
    signin_tell(
        s, &(struct signin_outcome){.result = approved ? "0" : "70019",
                                    .text = approved ? "" : "The user has declined the request."});
    struct page page = {.kind = PAGE_DONE, .error = approved ? PAGE_NO_ERROR : PAGE_E_DEVICE_CODE};
    return signin_page(s, &page, err);
}

/* ---- consent -------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind show_consent(struct signin *s, rf_str missing, struct rf_err *err)
{
    rf_str items[32];
    uint32_t count = 0;
    for (size_t at = 0; at < missing.len && count < RF_COUNT(items);) {
        size_t end = RF_MIN(rf_str_find(missing, RF_S(" "), at), missing.len);
        if (end > at) items[count++] = rf_slice(missing, at, end);
        at = end + 1;
    }
    struct page page = {.kind = PAGE_CONSENT, .items = items, .item_count = count};
    return signin_show(s, STEP_CONSENT, &page, err);
}

/* Keeps what the person has just agreed to. */
static enum rf_kind agree(struct signin *s, rf_str missing, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(s->identity->options.state, &txn, err));
    RF_TRY(scopes_agree(s->identity, txn, s->client, s->person.id, signin_scopes(s), missing,
                        s->arena, err));
    return state_finish(&txn, err);
}

static enum rf_kind look_at_consent(struct signin *s, rf_str *granted, rf_str *missing,
                                    struct rf_err *err)
{
    IDENTITY_TXN txn = NULL;
    RF_TRY(state_begin_read(s->identity->options.state, &txn, err));
    return scopes_consent(s->identity, txn, s->client, s->person.id, signin_scopes(s), s->arena,
                          granted, missing, err);
}

enum rf_kind signin_end(struct signin *s, struct rf_err *err)
{
    rf_str granted, missing;
    RF_TRY(look_at_consent(s, &granted, &missing, err));
    bool asked_for = s->what == FOR_APP && s->authorize.prompt_consent && !s->agreed;
    if (s->agreed && missing.len > 0) {
        RF_TRY(agree(s, missing, err));
        RF_TRY(look_at_consent(s, &granted, &missing, err));
    } else if (missing.len > 0 || asked_for) {
        static const char text[] = "The user or administrator has not consented to use the "
                                   "application. Send an interactive authorization request.";
        if (signin_is_silent(s))
            return signin_answer_silently(s, "consent_required", "65001", text, err);
        if (scope_needs_admin(signin_scopes(s), missing))
            return signin_refuse(
                s, "90094", "The application asks for rights that only an administrator can grant.",
                err);
        return show_consent(s, missing.len > 0 ? missing : granted, err);
    }
    return s->what == FOR_APP ? finish_app(s, granted, err) : signin_finish_device(s, true, err);
}
