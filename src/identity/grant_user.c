/* grant_user.c - the token endpoint for what users have granted: authorization codes, refresh tokens, device codes, on behalf of
 * (contract identity, sections 3.1, 6.4, 6.5; RFC 6749, RFC 7636, RFC 8628, RFC 9700). */
#include <openssl/crypto.h>

#include "identity/access_policy_int.h"
#include "identity/signin_int.h"

struct user_call {
    struct token_call *call;
    struct rf_arena *arena;
    struct identity *identity;
    struct grant grant;
    struct scopes scopes;
    struct person person;
    struct policy_verdict verdict;
    bool has_person, has_verdict, tell_auth_time;
    rf_str scp, nonce, refresh_token;
    const char *protocol;
};

static enum rf_kind missing(struct rf_err *err, const char *name)
{
    return RF_FAIL(err, RF_INVALID, "900144",
                   "The request body must contain the following parameter: '%s'.", name);
}

/* ---- the client --------------------------------------------------------------------------------------------------------- */

static bool has_items(const struct json_node *application, const char *path)
{
    const struct json_node *list = json_at(application, path);
    return json_is(list, JSON_T_ARRAY) && list->count > 0;
}

bool client_is_public(const struct client *client)
{
    return json_bool_at(client->application, "isFallbackPublicClient", false) ||
           has_items(client->application, "publicClient.redirectUris") ||
           has_items(client->application, "spa.redirectUris");
}

static bool has_proof(const struct token_call *call)
{
    bool assertion;
    (void)form_get(&call->form, "client_assertion", &assertion);
    return call->has_secret || assertion;
}

/* Finds the client and has it prove who it is, when it says how. */
static enum rf_kind know_client(struct token_call *call, struct rf_err *err)
{
    if (has_proof(call)) {
        RF_TRY(client_authenticate(call, err));
        if (call->unproven) RF_TRY(client_prove_secret(call, err));
    } else {
        RF_TRY(client_find(call->identity, call->client_id, &call->client_entry, err));
        call->client = call->client_entry->value;
        call->proof.strength = "0";
        call->proof.type = "none";
        if (!client_is_public(call->client))
            return RF_FAIL(err, RF_DENIED, "7000218",
                           "The request body must contain the following parameter: "
                           "'client_assertion' or 'client_secret'.");
    }
    if (!call->client->enabled)
        return RF_FAIL(err, RF_DENIED, "7000112", "Application '%.*s'(%.*s) is disabled.",
                       RF_FMT(call->client->app_id), RF_FMT(call->client->display_name));
    return RF_OK;
}

static enum rf_kind need_proof(const struct user_call *u, struct rf_err *err)
{
    if (!u->grant.confidential || has_proof(u->call)) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "7000218",
                   "The request body must contain the following parameter: 'client_assertion' or "
                   "'client_secret'.");
}

/* ---- the user -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind know_person(struct user_call *u, struct state_txn *txn, struct rf_err *err)
{
    enum rf_kind kind = person_by_id(txn, u->grant.user, u->arena, &u->person, err);
    if (kind == RF_NOT_FOUND)
        return RF_FAIL(err, RF_DENIED, "50173", "The user account was deleted.");
    RF_TRY(kind);
    u->has_person = true;
    return person_still(&u->person, u->grant.proved, err);
}

/* Policies are asked at every token (section 10, rule 7). */
static enum rf_kind ask_policies(struct user_call *u, struct rf_err *err)
{
    struct token_call *call = u->call;
    struct policy_input input = {.user = u->person.id,
                                 .client_app = call->client->app_id,
                                 .resource_app = u->scopes.resource->app_id,
                                 .client = u->grant.spa ? POLICY_BROWSER : POLICY_MOBILE_DESKTOP,
                                 .address = call->request->http->peer_address,
                                 .proofs = u->grant.proofs,
                                 .proved_at = u->grant.proved,
                                 .second_proved_at = u->grant.second_proved,
                                 .now = call->request->now};
    if (u->grant.confidential) input.client = POLICY_BROWSER;
    if (strcmp(u->protocol, "deviceCode") == 0) input.flow = "deviceCodeFlow";
    RF_TRY(access_evaluate(u->identity, &input, u->arena, &u->verdict, err));
    u->has_verdict = true;
    if (u->verdict.blocked || (u->verdict.asks & ASK_DEVICE))
        return RF_FAIL(err, RF_DENIED, "53003",
                       "Access has been blocked by Conditional Access policies. The access policy "
                       "does not allow token issuance.");
    if (u->verdict.asks != 0)
        return RF_FAIL(
            err, RF_DENIED, "50076",
            "Due to a configuration change made by your administrator, or because you "
            "moved to a new location, you must use multi-factor authentication to access "
            "'%.*s'.",
            RF_FMT(u->scopes.resource->app_id));
    return RF_OK;
}

/* ---- the answer ------------------------------------------------------------------------------------------------------------ */

static void put_seconds(struct json_out *out, const struct token_call *call, const char *name,
                        int64_t seconds)
{
    if (call->v1)
        json_put_text(out, name, rf_arena_printf(call->request->arena, "%lld", (long long)seconds));
    else
        json_put_i64(out, name, seconds);
}

/* With the resource's name in front, as clients keep their tokens by what they asked for. */
static rf_str scope_told(const struct user_call *u)
{
    struct rf_buf out = rf_buf_in(u->arena);
    bool graph = rf_str_eq_nocase(u->scopes.resource->app_id, RF_S(GRAPH_APP_ID));
    for (size_t at = 0; at < u->scp.len;) {
        size_t end = RF_MIN(rf_str_find(u->scp, RF_S(" "), at), u->scp.len);
        rf_str word = rf_slice(u->scp, at, end);
        at = end + 1;
        if (word.len == 0) continue;
        bool bare = graph || scope_has(RF_S("openid profile email offline_access"), word);
        rf_buf_printf(&out, "%s", out.len == 0 ? "" : " ");
        if (!bare) rf_buf_printf(&out, "%.*s/", RF_FMT(u->scopes.audience));
        rf_buf_str(&out, word);
    }
    if (u->scopes.all && !graph)
        rf_buf_printf(&out, "%s%.*s/.default", out.len == 0 ? "" : " ", RF_FMT(u->scopes.audience));
    return out.failed ? (rf_str){0} : rf_buf_view(&out);
}

static void put_client_info(struct json_out *out, const struct user_call *u)
{
    if (!rf_str_is(form_get(&u->call->form, "client_info", NULL), "1")) return;
    rf_str json = rf_arena_printf(u->arena, "{\"uid\":\"%.*s\",\"utid\":\"%.*s\"}",
                                  RF_FMT(u->person.id), RF_FMT(u->identity->tenant));
    if (json.ptr != NULL) json_put_text(out, "client_info", base64url_encode(u->arena, json));
}

static void write_answer(const struct user_call *u, const struct access_token *token,
                         rf_str id_token)
{
    struct token_call *call = u->call;
    struct http_response *response = call->request->response;
    response->status = 200;
    oauth_headers(call->request);
    http_set(response, "client-request-id", call->correlation_id);
    struct json_out out = json_out_to(&response->body);
    json_begin_object(&out, NULL);
    json_put_text(&out, "token_type", RF_S("Bearer"));
    json_put_text(&out, "scope", scope_told(u));
    put_seconds(&out, call, "expires_in", token->expires - token->not_before - 1);
    put_seconds(&out, call, "ext_expires_in", token->expires - token->not_before - 1);
    if (call->v1) {
        put_seconds(&out, call, "expires_on", token->expires);
        put_seconds(&out, call, "not_before", token->not_before);
        json_put_text(&out, "resource", u->scopes.audience);
    }
    json_put_text(&out, "access_token", token->text);
    if (u->refresh_token.len > 0) json_put_text(&out, "refresh_token", u->refresh_token);
    if (id_token.len > 0) json_put_text(&out, "id_token", id_token);
    put_client_info(&out, u);
    json_end_object(&out);
}

static bool wants_cae(const struct user_call *u)
{
    rf_str text = form_get(&u->call->form, "claims", NULL);
    return rf_str_find(text, RF_S("\"cp1\""), 0) != SIZE_MAX;
}

static enum rf_kind answer(struct user_call *u, struct rf_err *err)
{
    struct token_call *call = u->call;
    const struct user_token_request wanted = {.client = call->client,
                                              .scopes = &u->scopes,
                                              .person = &u->person,
                                              .grant = &u->grant,
                                              .scp = u->scp,
                                              .origin = call->request->origin,
                                              .address = call->request->http->peer_address,
                                              .client_strength = call->proof.strength,
                                              .nonce = u->nonce,
                                              .tell_auth_time = u->tell_auth_time,
                                              .cae = wants_cae(u),
                                              .now = call->request->now};
    struct access_token token;
    rf_str id_token = {0};
    RF_TRY(user_access_token(u->identity, &wanted, u->arena, &token, err));
    if (u->scopes.openid) RF_TRY(user_id_token(u->identity, &wanted, u->arena, &id_token, err));
    call->uti = token.uti;
    write_answer(u, &token, id_token);
    return RF_OK;
}

/* ---- life of a call ------------------------------------------------------------------------------------------------------------ */

static void begin(struct user_call *u, struct token_call *call, const char *protocol)
{
    *u = (struct user_call){.call = call,
                            .arena = call->request->arena,
                            .identity = call->identity,
                            .protocol = protocol};
}

static enum rf_kind end(struct user_call *u, enum rf_kind kind, const struct rf_err *err)
{
    const struct oauth_error *row = kind == RF_OK ? NULL : oauth_error_of(err);
    if (u->has_person || kind == RF_OK) {
        const struct person_sign_in what = {.request = u->call->request,
                                            .correlation_id = u->call->correlation_id,
                                            .uti = u->call->uti,
                                            .client = u->call->client,
                                            .resource = u->scopes.resource,
                                            .person = u->has_person ? &u->person : NULL,
                                            .result = row == NULL ? "0" : row->code,
                                            .description =
                                                row == NULL ? (rf_str){0} : rf_str_of(err->text),
                                            .proofs = u->grant.proofs,
                                            .verdict = u->has_verdict ? &u->verdict : NULL,
                                            .protocol = u->protocol,
                                            .session_id = u->grant.sid};
        trail_person(u->identity, &what);
        u->call->told = true;
    }
    memo_release(&u->scopes.entry);
    return kind;
}

static enum rf_kind know_scopes(struct user_call *u, rf_str asked, struct rf_err *err)
{
    return scopes_read(u->identity, asked, u->call->request->origin, u->arena, &u->scopes, err);
}

/* ---- authorization codes -------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_verifier(const struct code_grant *code, rf_str verifier,
                                   struct rf_arena *arena, struct rf_err *err)
{
    uint8_t hash[SHA256_BYTES];
    digest_sha256(verifier, hash);
    rf_str text = base64url_encode(arena, rf_str_make(hash, sizeof hash));
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    if (verifier.len >= 43 && verifier.len <= 128 && text.len == code->challenge.len &&
        CRYPTO_memcmp(text.ptr, code->challenge.ptr, text.len) == 0)
        return RF_OK;
    return RF_FAIL(err, RF_DENIED, "501481",
                   "The Code_Verifier does not match the code_challenge supplied in the "
                   "authorization request.");
}

static enum rf_kind check_code(struct user_call *u, const struct code_grant *code,
                               struct rf_err *err)
{
    struct token_call *call = u->call;
    if (!rf_str_eq_nocase(code->grant.client, call->client->app_id))
        return RF_FAIL(err, RF_DENIED, "70000",
                       "The authorization code was given to another application.");
    RF_TRY(need_proof(u, err));
    if (!rf_str_eq(code->redirect_uri, form_get(&call->form, "redirect_uri", NULL)))
        return RF_FAIL(err, RF_DENIED, "70000",
                       "The reply address is not that of the authorization request.");
    return check_verifier(code, form_get(&call->form, "code_verifier", NULL), u->arena, err);
}

/* What was given for a code ends when the code comes a second time (RFC 6749 section 4.1.2). */
static enum rf_kind end_family(struct user_call *u, rf_str family)
{
    struct rf_err err;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(u->identity->options.state, &txn, &err));
    RF_TRY(family_end(txn, family, &err));
    return state_finish(&txn, &err);
}

static enum rf_kind redeem(struct user_call *u, struct rf_err *err)
{
    struct token_call *call = u->call;
    rf_str text = form_get(&call->form, "code", NULL), missing_scopes;
    struct code_grant code = {.family = {0}};
    bool has_verifier;
    if (text.len == 0) return missing(err, "code");
    (void)form_get(&call->form, "code_verifier", &has_verifier);
    if (!has_verifier) return missing(err, "code_verifier");
    {
        /* It is used up, whatever comes of it. */
        RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
        RF_TRY(state_begin_write(u->identity->options.state, &txn, err));
        enum rf_kind kind = code_take(txn, text, call->request->now, u->arena, &code, err);
        if (kind == RF_CONFLICT) {
            state_end(txn);
            txn = NULL;
            if (end_family(u, code.family) != RF_OK)
                return RF_FAIL(err, RF_AGAIN, "90033", "The directory is away.");
            return RF_CONFLICT;
        }
        RF_TRY(kind);
        RF_TRY(state_finish(&txn, err));
    }
    u->grant = code.grant;
    u->nonce = code.nonce;
    u->tell_auth_time = code.told_auth_time;
    RF_TRY(check_code(u, &code, err));
    RF_TRY(know_scopes(u, code.grant.scope, err));
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(u->identity->options.state, &txn, err));
    RF_TRY(know_person(u, txn, err));
    RF_TRY(scopes_consent(u->identity, txn, call->client, u->person.id, &u->scopes, u->arena,
                          &u->scp, &missing_scopes, err));
    if (u->scopes.offline)
        RF_TRY(family_make(u->identity->options.keeper, txn, &u->grant, code.family,
                           call->request->now, u->arena, &u->refresh_token, err));
    RF_TRY(state_finish(&txn, err));
    RF_TRY(ask_policies(u, err));
    return answer(u, err);
}

enum rf_kind grant_code(struct token_call *call, struct rf_err *err)
{
    struct user_call u;
    begin(&u, call, "authorizationCode");
    enum rf_kind kind = know_client(call, err);
    if (kind == RF_OK) kind = redeem(&u, err);
    return end(&u, kind, err);
}

/* ---- refresh tokens -------------------------------------------------------------------------------------------------------------- */

/* Finds the token's family and has it go on; nothing is told before the commit. */
static enum rf_kind rotate(struct user_call *u, rf_str token, struct rf_err *err)
{
    struct keeper *keeper = u->identity->options.keeper;
    rf_usec now = u->call->request->now;
    struct family family;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(u->identity->options.state, &txn, err));
    enum rf_kind kind = family_find(keeper, txn, token, now, u->arena, &family, err);
    if (kind == RF_CONFLICT) {
        struct rf_err failed;
        u->grant = family.grant;
        if (family_end(txn, family.id, &failed) != RF_OK || state_finish(&txn, &failed) != RF_OK)
            return RF_FAIL(err, RF_AGAIN, "90033", "The directory is away.");
        return RF_CONFLICT;
    }
    RF_TRY(kind);
    u->grant = family.grant;
    if (!rf_str_eq_nocase(u->grant.client, u->call->client->app_id))
        return RF_FAIL(err, RF_DENIED, "70000",
                       "The refresh token was given to another application.");
    RF_TRY(need_proof(u, err));
    RF_TRY(know_person(u, txn, err));
    rf_str asked = form_get(&u->call->form, "scope", NULL), missing_scopes;
    RF_TRY(know_scopes(u, asked.len > 0 ? asked : u->grant.scope, err));
    RF_TRY(scopes_consent(u->identity, txn, u->call->client, u->person.id, &u->scopes, u->arena,
                          &u->scp, &missing_scopes, err));
    if (missing_scopes.len > 0)
        return RF_FAIL(err, RF_DENIED, "65001",
                       "The user or administrator has not consented to use the application with ID "
                       "'%.*s' for this. Send an interactive authorization request.",
                       RF_FMT(u->call->client->app_id));
    RF_TRY(ask_policies(u, err));
    RF_TRY(family_rotate(keeper, txn, &family, now, u->arena, &u->refresh_token, err));
    return state_finish(&txn, err);
}

enum rf_kind grant_refresh(struct token_call *call, struct rf_err *err)
{
    struct user_call u;
    begin(&u, call, "none");
    rf_str token = form_get(&call->form, "refresh_token", NULL);
    if (token.len == 0) return missing(err, "refresh_token");
    enum rf_kind kind = know_client(call, err);
    if (kind == RF_OK) kind = rotate(&u, token, err);
    if (kind == RF_OK) kind = answer(&u, err);
    return end(&u, kind, err);
}

/* ---- device codes ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind take_device(struct user_call *u, rf_str code, struct rf_err *err)
{
    struct token_call *call = u->call;
    struct device_grant device;
    rf_str missing_scopes;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(u->identity->options.state, &txn, err));
    RF_TRY(
        device_take(txn, code, call->client->app_id, call->request->now, u->arena, &device, err));
    u->grant = device.grant;
    RF_TRY(know_scopes(u, u->grant.scope, err));
    RF_TRY(know_person(u, txn, err));
    RF_TRY(scopes_consent(u->identity, txn, call->client, u->person.id, &u->scopes, u->arena,
                          &u->scp, &missing_scopes, err));
    RF_TRY(ask_policies(u, err));
    rf_str family = guid_random(u->arena);
    if (family.ptr == NULL) return rf_fail_memory(err, u->arena);
    if (u->scopes.offline)
        RF_TRY(family_make(u->identity->options.keeper, txn, &u->grant, family, call->request->now,
                           u->arena, &u->refresh_token, err));
    return state_finish(&txn, err);
}

enum rf_kind grant_device(struct token_call *call, struct rf_err *err)
{
    struct user_call u;
    begin(&u, call, "deviceCode");
    rf_str code = form_get(&call->form, "device_code", NULL);
    if (code.len == 0) code = form_get(&call->form, "code", NULL);
    if (code.len == 0) return missing(err, "device_code");
    enum rf_kind kind = know_client(call, err);
    if (kind == RF_OK) kind = take_device(&u, code, err);
    if (kind == RF_OK) kind = answer(&u, err);
    return end(&u, kind, err);
}

/* ---- on behalf of -------------------------------------------------------------------------------------------------------------------- */

static unsigned proofs_of(const struct json_node *claims)
{
    static const struct {
        const char *word;
        unsigned proof;
    } words[] = {{"pwd", PROOF_PASSWORD},
                 {"otp", PROOF_TOTP},
                 {"fido", PROOF_PASSKEY},
                 {"rsa", PROOF_CERTIFICATE}};
    const struct json_node *list = json_get(claims, "amr");
    unsigned proofs = 0;
    if (!json_is(list, JSON_T_ARRAY)) return 0;
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        for (size_t i = 0; i < RF_COUNT(words); i++)
            if (rf_str_is(item->text, words[i].word)) proofs |= words[i].proof;
    return proofs;
}

/* The assertion is an access token of a user, made for the very application that brings it. */
static enum rf_kind read_assertion(struct user_call *u, struct rf_err *err)
{
    struct token_call *call = u->call;
    const struct json_node *claims;
    int64_t issued = 0;
    rf_str text = form_get(&call->form, "assertion", NULL);
    RF_TRY(own_token_read(u->identity, text, call->request->origin, call->request->now, u->arena,
                          &claims, err));
    rf_str audience = json_text_at(claims, "aud");
    struct memo_entry *entry = NULL;
    struct rf_err ignored;
    bool ours = rf_str_eq_nocase(audience, call->client->app_id);
    if (!ours &&
        resource_find(u->identity, audience, call->request->origin, &entry, &ignored) == RF_OK) {
        const struct resource *resource = entry->value;
        ours = rf_str_eq_nocase(resource->app_id, call->client->app_id);
        memo_release(&entry);
    }
    if (!ours || !rf_str_is(json_text_at(claims, "idtyp"), "user") ||
        json_text_at(claims, "scp").len == 0)
        return RF_FAIL(err, RF_DENIED, "50013",
                       "The assertion is no access token of a user for the application '%.*s'.",
                       RF_FMT(call->client->app_id));
    (void)json_i64_at(claims, "iat", &issued);
    u->grant = (struct grant){.client = call->client->app_id,
                              .user = json_text_at(claims, "oid"),
                              .sid = json_text_at(claims, "sid"),
                              .scope = form_get(&call->form, "scope", NULL),
                              .proofs = proofs_of(claims),
                              .proved = issued * RF_USEC_PER_SECOND,
                              .second_proved = issued * RF_USEC_PER_SECOND,
                              .confidential = true};
    return RF_OK;
}

static enum rf_kind act_for(struct user_call *u, struct rf_err *err)
{
    struct token_call *call = u->call;
    rf_str missing_scopes;
    RF_TRY(read_assertion(u, err));
    RF_TRY(know_scopes(u, u->grant.scope, err));
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(u->identity->options.state, &txn, err));
    RF_TRY(know_person(u, txn, err));
    RF_TRY(scopes_consent(u->identity, txn, call->client, u->person.id, &u->scopes, u->arena,
                          &u->scp, &missing_scopes, err));
    /* Who one is and that one is away is part of what the user has agreed to for the first application. */
    rf_str word = RF_S("openid profile email offline_access");
    for (size_t at = 0; at < missing_scopes.len;) {
        size_t stop = RF_MIN(rf_str_find(missing_scopes, RF_S(" "), at), missing_scopes.len);
        rf_str name = rf_slice(missing_scopes, at, stop);
        at = stop + 1;
        if (name.len > 0 && !scope_has(word, name))
            return RF_FAIL(
                err, RF_DENIED, "65001",
                "The user or administrator has not consented to use the application with "
                "ID '%.*s' for this. Send an interactive authorization request.",
                RF_FMT(call->client->app_id));
    }
    RF_TRY(ask_policies(u, err));
    rf_str family = guid_random(u->arena);
    if (family.ptr == NULL) return rf_fail_memory(err, u->arena);
    if (u->scopes.offline)
        RF_TRY(family_make(u->identity->options.keeper, txn, &u->grant, family, call->request->now,
                           u->arena, &u->refresh_token, err));
    return state_finish(&txn, err);
}

enum rf_kind grant_behalf(struct token_call *call, struct rf_err *err)
{
    struct user_call u;
    begin(&u, call, "onBehalfOf");
    if (!rf_str_is(form_get(&call->form, "requested_token_use", NULL), "on_behalf_of"))
        return RF_FAIL(err, RF_INVALID, "900144",
                       "The request body must contain the following parameter: "
                       "'requested_token_use' with the value 'on_behalf_of'.");
    if (form_get(&call->form, "assertion", NULL).len == 0) return missing(err, "assertion");
    if (form_get(&call->form, "scope", NULL).len == 0) return missing(err, "scope");
    if (!has_proof(call))
        return RF_FAIL(err, RF_DENIED, "7000218",
                       "The request body must contain the following parameter: 'client_assertion' "
                       "or 'client_secret'.");
    enum rf_kind kind = know_client(call, err);
    if (kind == RF_OK) kind = act_for(&u, err);
    if (kind == RF_OK) kind = answer(&u, err);
    return end(&u, kind, err);
}
