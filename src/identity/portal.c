/* portal.c - how people come into the portal, and how its pages ask without a token of their own.
 *
 * The portal is an application of this server: it sends browsers to the authorize endpoint like any other (code, PKCE), so policies, consent rules and rows
 * of sign-ins are the same. What it gets is a family of refresh tokens, and the browser keeps its text as a cookie that scripts cannot read. With
 * that cookie a request stands for an access token of whatever audience its route asks for (struct browser_sessions): made here, signed by the keeper,
 * kept in memory until shortly before its end, and verified by the dispatcher like a token that came from outside. Whatever ends
 * families (sign-out, revocation, a changed password) ends the portal's session with the next request. */
#include <openssl/crypto.h>

#include "identity/access_policy_int.h"
#include "identity/signin_int.h"

#define FLOW "__Host-rf_portal_flow"
#define HOME "/portal/"
enum {
    SECRET_BYTES = 32,
    SECRET_TEXT = 43, /* base64url of that */
    FLOW_SECONDS = 1800,
    RETURN_BYTES_MAX = 2048,
    RENEW_SECONDS = 300 /* before a kept token ends */
};

/* ---- the application --------------------------------------------------------------------------------------------------- */

enum rf_kind portal_seed(struct identity *identity, struct state_txn *txn, struct rf_arena *arena,
                         struct rf_err *err)
{
    struct json_node *there;
    enum rf_kind kind =
        object_find(txn, "application", "appId", RF_S(PORTAL_APP_ID), arena, &there, err);
    if (kind != RF_NOT_FOUND) return kind;
    return app_put_named(identity, txn, RF_S(PORTAL_APP_ID), RF_S("Ringfort portal"), arena, err);
}

static rf_str redirect_uri(rf_str origin, struct rf_arena *arena)
{
    return rf_arena_printf(arena, "%.*s/portal/signed-in", RF_FMT(origin));
}

bool portal_redirects_to(rf_str app_id, rf_str uri, rf_str origin)
{
    rf_str tail = RF_S("/portal/signed-in");
    return rf_str_eq_nocase(app_id, RF_S(PORTAL_APP_ID)) && rf_str_starts(uri, origin) &&
           rf_str_eq(rf_slice(uri, origin.len, uri.len), tail);
}

/* ---- there ------------------------------------------------------------------------------------------------------------- */

/* Where to go behind the sign-in: a page of the portal and nothing else, or a link could lead a person who has just signed in to another site. */
static bool is_page(rf_str path)
{
    if (path.len > RETURN_BYTES_MAX || !rf_str_starts(path, RF_S(HOME))) return false;
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] <= 0x20 || path.ptr[i] >= 0x7f || path.ptr[i] == '\\') return false;
    return true;
}

static enum rf_kind send_to(struct request *request, rf_str address, struct rf_err *err)
{
    if (address.ptr == NULL) return rf_fail_memory(err, request->arena);
    signin_headers(request, (rf_str){0}, NULL, 0);
    request->response->status = 303;
    http_set(request->response, "Location", address);
    return RF_OK;
}

static rf_str random_text(struct rf_arena *arena)
{
    uint8_t bytes[SECRET_BYTES];
    random_bytes(bytes, sizeof bytes);
    rf_str text = base64url_encode(arena, rf_str_make(bytes, sizeof bytes));
    OPENSSL_cleanse(bytes, sizeof bytes);
    return text;
}

static rf_str challenge_of(rf_str verifier, struct rf_arena *arena)
{
    uint8_t hash[SHA256_BYTES];
    digest_sha256(verifier, hash);
    return base64url_encode(arena, rf_str_make(hash, sizeof hash));
}

enum rf_kind portal_signin(struct request *request, struct rf_err *err)
{
    struct identity *identity = identity_of(request);
    struct rf_arena *arena = request->arena;
    rf_str to = request_parameter(request, "return", NULL);
    if (!is_page(to)) to = RF_S(HOME);
    /* Before what a person does with his own factors, or with a role for a while: everything is proved anew. */
    bool strong = rf_str_is(request_parameter(request, "strong", NULL), "1");
    rf_str verifier = random_text(arena), state = random_text(arena);
    rf_str page = base64url_encode(arena, to);
    if (verifier.ptr == NULL || state.ptr == NULL || page.ptr == NULL)
        return rf_fail_memory(err, arena);
    rf_str challenge = challenge_of(verifier, arena);
    rf_str back = percent_encode(arena, redirect_uri(request->origin, arena));
    rf_str flow =
        rf_arena_printf(arena, "%.*s.%.*s.%.*s", RF_FMT(state), RF_FMT(verifier), RF_FMT(page));
    if (challenge.ptr == NULL || back.ptr == NULL || flow.ptr == NULL)
        return rf_fail_memory(err, arena);
    cookie_set(request, FLOW, flow, FLOW_SECONDS);
    return send_to(request,
                   rf_arena_printf(arena,
                                   "/%.*s/oauth2/v2.0/authorize?client_id=" PORTAL_APP_ID
                                   "&response_type=code&redirect_uri=%.*s&scope=openid%%20profile"
                                   "%%20https%%3A%%2F%%2Fmanagement.azure.com%%2F.default&state="
                                   "%.*s&code_challenge=%.*s&code_challenge_method=S256%s",
                                   RF_FMT(identity->tenant), RF_FMT(back), RF_FMT(state),
                                   RF_FMT(challenge), strong ? "&prompt=login&amr_values=mfa" : ""),
                   err);
}

/* ---- and back ----------------------------------------------------------------------------------------------------------- */

struct flow {
    rf_str state, verifier, page;
};

static bool read_flow(const struct request *request, struct flow *out)
{
    struct rf_err ignored;
    rf_str text = http_cookie(request->http, FLOW);
    if (text.len < 2 * SECRET_TEXT + 2 || text.ptr[SECRET_TEXT] != '.' ||
        text.ptr[2 * SECRET_TEXT + 1] != '.')
        return false;
    out->state = rf_slice(text, 0, SECRET_TEXT);
    out->verifier = rf_slice(text, SECRET_TEXT + 1, 2 * SECRET_TEXT + 1);
    return base64url_decode(request->arena, rf_slice(text, 2 * SECRET_TEXT + 2, text.len),
                            &out->page, &ignored) == RF_OK &&
           is_page(out->page);
}

static enum rf_kind not_ours(struct rf_err *err)
{
    return RF_FAIL(err, RF_DENIED, "SigninExpired",
                   "This answer belongs to no sign-in that was begun here. Open the portal again.");
}

/* Takes the code and begins the session; *cookie is its text. */
static enum rf_kind begin_session(struct request *request, const struct flow *flow, rf_str text,
                                  rf_str *cookie, struct rf_err *err)
{
    struct identity *identity = identity_of(request);
    struct rf_arena *arena = request->arena;
    struct code_grant code;
    struct person person;
    rf_str uri = redirect_uri(request->origin, arena);
    rf_str challenge = challenge_of(flow->verifier, arena);
    if (uri.ptr == NULL || challenge.ptr == NULL) return rf_fail_memory(err, arena);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(identity->options.state, &txn, err));
    RF_TRY(code_take(txn, text, request->now, arena, &code, err));
    if (!rf_str_eq_nocase(code.grant.client, RF_S(PORTAL_APP_ID)) ||
        !rf_str_eq(code.redirect_uri, uri) || !rf_str_eq(code.challenge, challenge))
        return not_ours(err);
    RF_TRY(person_by_id(txn, code.grant.user, arena, &person, err));
    RF_TRY(person_still(&person, code.grant.proved, err));
    /* Twenty-four hours, like the refresh tokens of applications that live in browsers; and as the portal has no secret, the
     * token endpoint takes the cookie's text from nobody. */
    code.grant.spa = true;
    code.grant.confidential = true;
    RF_TRY(family_make(identity->options.keeper, txn, &code.grant, code.family, request->now, arena,
                       cookie, err));
    return state_finish(&txn, err);
}

enum rf_kind portal_signed_in(struct request *request, struct rf_err *err)
{
    struct flow flow;
    rf_str cookie, state = request_parameter(request, "state", NULL);
    rf_str code = request_parameter(request, "code", NULL);
    rf_str error = request_parameter(request, "error", NULL);
    if (!read_flow(request, &flow) || state.len != flow.state.len ||
        CRYPTO_memcmp(state.ptr, flow.state.ptr, state.len) != 0)
        return not_ours(err);
    cookie_set(request, FLOW, (rf_str){0}, 0);
    if (error.len > 0) {
        rf_str text = request_parameter(request, "error_description", NULL);
        return signin_error_page(request, "SigninRefused", text.len > 0 ? text : error);
    }
    RF_TRY(begin_session(request, &flow, code, &cookie, err));
    cookie_set(request, PORTAL_COOKIE, cookie, -1);
    return send_to(request, flow.page, err);
}

static enum rf_kind end_family_of(struct identity *identity, struct request *request, rf_str cookie,
                                  struct rf_err *err)
{
    struct family family;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(identity->options.state, &txn, err));
    enum rf_kind kind = family_find(identity->options.keeper, txn, cookie, request->now,
                                    request->arena, &family, err);
    if (kind == RF_DENIED) return RF_OK; /* it is over already */
    RF_TRY(kind);
    RF_TRY(family_end(txn, family.id, err));
    return state_finish(&txn, err);
}

enum rf_kind portal_signout(struct request *request, struct rf_err *err)
{
    struct identity *identity = identity_of(request);
    bool ours;
    rf_str cookie = http_cookie(request->http, PORTAL_COOKIE);
    (void)http_header(request->http, PORTAL_HEADER, &ours);
    if (!ours)
        return request_fail(request, err, 400, "BadRequest",
                            "Only the portal signs out here: the header " PORTAL_HEADER
                            " is missing.");
    if (cookie.len > 0) RF_TRY(end_family_of(identity, request, cookie, err));
    cookie_set(request, PORTAL_COOKIE, (rf_str){0}, 0);
    struct json_node *body = json_new(request->arena, JSON_T_OBJECT);
    json_set_text(
        request->arena, body, "next",
        rf_arena_printf(request->arena, "/%.*s/oauth2/v2.0/logout", RF_FMT(identity->tenant)));
    return request_answer(request, 200, body);
}

/* ---- what a session stands for ------------------------------------------------------------------------------------------- */

static const struct audience {
    unsigned set;
    const char *name, *scp;
} audiences[] = {
    {AUDIENCE_ARM, "https://management.azure.com", "user_impersonation"},
    {AUDIENCE_GRAPH, "https://graph.microsoft.com", "Directory.AccessAsUser.All openid profile"},
    {AUDIENCE_VAULT, "https://vault.azure.net", "user_impersonation"},
    {AUDIENCE_LOGS, "https://api.loganalytics.io", "user_impersonation"},
    {AUDIENCE_INGEST, "https://monitor.azure.com", "user_impersonation"},
    {AUDIENCE_EVENTS, "https://eventhubs.azure.net", "user_impersonation"},
    {AUDIENCE_METRICS, "https://metrics.monitor.azure.com", "user_impersonation"},
};

static const struct audience *audience_of(unsigned wanted)
{
    for (size_t i = 0; i < RF_COUNT(audiences); i++)
        if (wanted & audiences[i].set) return &audiences[i];
    return NULL;
}

struct kept {
    rf_str family, token;
    int64_t expires; /* seconds */
};

static enum rf_kind session_over(struct rf_err *err)
{
    return RF_FAIL(err, RF_DENIED, "SessionOver",
                   "The portal's session is over. Sign in again at /portal/signin.");
}

static rf_str memo_key(rf_str cookie, const struct audience *audience, struct rf_arena *arena)
{
    uint8_t hash[SHA256_BYTES];
    digest_sha256(cookie, hash);
    rf_str hex = hex_encode(arena, rf_str_make(hash, sizeof hash));
    return hex.ptr == NULL ? hex
                           : rf_arena_printf(arena, "portal %.*s %u", RF_FMT(hex), audience->set);
}

/* Policies are asked at every token; what they ask for beyond what was proved sends the person to the sign-in again. */
static enum rf_kind ask_policies(struct identity *identity, struct request *request,
                                 const struct grant *grant, const struct resource *resource,
                                 struct policy_verdict *verdict, struct rf_err *err)
{
    struct policy_input input = {.user = grant->user,
                                 .client_app = RF_S(PORTAL_APP_ID),
                                 .resource_app = resource->app_id,
                                 .client = POLICY_BROWSER,
                                 .address = request->http->peer_address,
                                 .proofs = grant->proofs,
                                 .proved_at = grant->proved,
                                 .second_proved_at = grant->second_proved,
                                 .now = request->now};
    RF_TRY(access_evaluate(identity, &input, request->arena, verdict, err));
    if (verdict->blocked || verdict->asks != 0)
        return RF_FAIL(err, RF_DENIED, "SessionOver",
                       "A policy of the organisation asks for a new sign-in. Sign in again at "
                       "/portal/signin.");
    return RF_OK;
}

struct minting {
    struct identity *identity;
    struct request *request;
    const struct audience *audience;
    struct family family;
    struct person person;
    struct scopes scopes;
    struct policy_verdict verdict;
    struct memo_entry *client;
    struct access_token token;
};

static enum rf_kind know_session(struct minting *m, rf_str cookie, struct rf_err *err)
{
    struct identity *identity = m->identity;
    IDENTITY_TXN txn = NULL;
    RF_TRY(state_begin_read(identity->options.state, &txn, err));
    enum rf_kind kind = family_find(identity->options.keeper, txn, cookie, m->request->now,
                                    m->request->arena, &m->family, err);
    if (kind == RF_OK &&
        !rf_str_eq_nocase(m->family.grant.client, RF_S(PORTAL_APP_ID))) /* another one's token */
        return session_over(err);
    if (kind == RF_OK)
        kind = person_by_id(txn, m->family.grant.user, m->request->arena, &m->person, err);
    if (kind == RF_OK) kind = person_still(&m->person, m->family.grant.proved, err);
    return kind == RF_DENIED || kind == RF_NOT_FOUND || kind == RF_CONFLICT ? session_over(err)
                                                                            : kind;
}

static enum rf_kind mint(struct minting *m, struct rf_err *err)
{
    struct request *request = m->request;
    rf_str scope = rf_arena_printf(request->arena, "%s/.default", m->audience->name);
    if (scope.ptr == NULL) return rf_fail_memory(err, request->arena);
    RF_TRY(scopes_read(m->identity, scope, request->origin, request->arena, &m->scopes, err));
    RF_TRY(client_find(m->identity, RF_S(PORTAL_APP_ID), &m->client, err));
    RF_TRY(
        ask_policies(m->identity, request, &m->family.grant, m->scopes.resource, &m->verdict, err));
    const struct user_token_request wanted = {.client = m->client->value,
                                              .scopes = &m->scopes,
                                              .person = &m->person,
                                              .grant = &m->family.grant,
                                              .scp = rf_str_of(m->audience->scp),
                                              .origin = request->origin,
                                              .address = request->http->peer_address,
                                              .client_strength = "1",
                                              .now = request->now};
    return user_access_token(m->identity, &wanted, request->arena, &m->token, err);
}

static void tell(const struct minting *m)
{
    const struct person_sign_in what = {.request = m->request,
                                        .correlation_id = m->request->request_id,
                                        .uti = m->token.uti,
                                        .client = m->client->value,
                                        .resource = m->scopes.resource,
                                        .person = &m->person,
                                        .result = "0",
                                        .proofs = m->family.grant.proofs,
                                        .verdict = &m->verdict,
                                        .protocol = "none",
                                        .session_id = m->family.grant.sid};
    trail_person(m->identity, &what);
}

static enum rf_kind keep(struct minting *m, rf_str key, struct rf_err *err)
{
    RF_CLEANUP(memo_release) struct memo_entry *entry = memo_entry_new(key, 0);
    if (entry == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for a token");
    struct kept *kept = rf_arena_new(&entry->arena, struct kept, 1);
    if (kept == NULL || !rf_arena_str(&entry->arena, m->token.text, &kept->token) ||
        !rf_arena_str(&entry->arena, m->family.id, &kept->family))
        return rf_fail_memory(err, &entry->arena);
    kept->expires = m->token.expires;
    entry->value = kept;
    memo_add(m->identity->memo, entry);
    return RF_OK;
}

static enum rf_kind make_token(struct identity *identity, struct request *request, rf_str cookie,
                               rf_str key, const struct audience *audience, rf_str *token,
                               struct rf_err *err)
{
    struct minting m = {.identity = identity, .request = request, .audience = audience};
    enum rf_kind kind = know_session(&m, cookie, err);
    if (kind == RF_OK) kind = mint(&m, err);
    if (kind == RF_OK) kind = keep(&m, key, err);
    if (kind == RF_OK) {
        tell(&m);
        *token = m.token.text;
    }
    memo_release(&m.client);
    memo_release(&m.scopes.entry);
    return kind;
}

/* A kept token, as long as the session is there and the token lasts for a while. */
static enum rf_kind find_kept(struct identity *identity, struct request *request, rf_str key,
                              rf_str *token, struct rf_err *err)
{
    bool there;
    RF_CLEANUP(memo_release) struct memo_entry *entry = memo_find(identity->memo, key, 0);
    *token = (rf_str){0};
    if (entry == NULL) return RF_OK;
    const struct kept *kept = entry->value;
    if (kept->expires - RENEW_SECONDS < request->now / RF_USEC_PER_SECOND) return RF_OK;
    IDENTITY_TXN txn = NULL;
    RF_TRY(state_begin_read(identity->options.state, &txn, err));
    RF_TRY(family_is_there(txn, kept->family, request->arena, &there, err));
    if (!there) return session_over(err);
    return rf_arena_str(request->arena, kept->token, token) ? RF_OK
                                                            : rf_fail_memory(err, request->arena);
}

static enum rf_kind session_token(void *ctx, struct request *request, rf_str cookie, rf_str *token,
                                  struct rf_err *err)
{
    struct identity *identity = ctx;
    const struct audience *audience = audience_of(request->route->audiences);
    if (audience == NULL) return session_over(err);
    rf_str key = memo_key(cookie, audience, request->arena);
    if (key.ptr == NULL) return rf_fail_memory(err, request->arena);
    RF_TRY(find_kept(identity, request, key, token, err));
    if (token->len > 0) return RF_OK;
    return make_token(identity, request, cookie, key, audience, token, err);
}

static bool session_stands(void *ctx, rf_str cookie)
{
    struct identity *identity = ctx;
    struct family family;
    struct rf_err ignored;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 10);
    IDENTITY_TXN txn = NULL;
    return state_begin_read(identity->options.state, &txn, &ignored) == RF_OK &&
           family_find(identity->options.keeper, txn, cookie, rf_clock_now(identity->options.clock),
                       &arena, &family, &ignored) == RF_OK;
}

static uint64_t session_version(void *ctx)
{
    const struct identity *identity = ctx;
    return family_version(identity->options.state);
}

struct browser_sessions identity_sessions(struct identity *identity)
{
    return (struct browser_sessions){.ctx = identity,
                                     .token = session_token,
                                     .stands = session_stands,
                                     .version = session_version};
}
