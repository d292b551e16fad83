/* graph_factor.c - what users prove themselves with, as Graph has it (contract identity, section 8: users/{}/authentication). */
#include <openssl/crypto.h>

#include "identity/graph_int.h"
#include "people/factor.h"
#include "people/passkey.h"
#include "people/password.h"

#define FACTOR_READ                                                                                \
    "UserAuthenticationMethod.Read.All UserAuthenticationMethod.ReadWrite.All " DIRECTORY_READ
#define FACTOR_WRITE "UserAuthenticationMethod.ReadWrite.All"
/* Entra's id of the one password that a user has. */
#define PASSWORD_ID "28c10230-6103-485e-b985-444c60001490"

/* ---- kinds ------------------------------------------------------------------------------------------------------------- */

static const struct kind {
    const char *kind, *segment, *type;
} kinds[] = {
    {"totp", "softwareOathMethods", "#microsoft.graph.softwareOathAuthenticationMethod"},
    {"fido2", "fido2Methods", "#microsoft.graph.fido2AuthenticationMethod"},
    {"pass", "temporaryAccessPassMethods",
     "#microsoft.graph.temporaryAccessPassAuthenticationMethod"},
    {"recovery", "recoveryCodes", "#ringfort.recoveryCodesAuthenticationMethod"},
};

static const struct kind *kind_named(const char *name)
{
    for (size_t i = 0; i < RF_COUNT(kinds); i++)
        if (strcmp(kinds[i].kind, name) == 0) return &kinds[i];
    return NULL;
}

/* The kind that stands in the route's path. */
static const struct kind *kind_of(const struct graph_call *call)
{
    rf_str path = rf_str_of(call->route->path);
    for (size_t i = 0; i < RF_COUNT(kinds); i++)
        if (rf_str_find(path, rf_str_of(kinds[i].segment), 0) != SIZE_MAX) return &kinds[i];
    return NULL;
}

static struct json_node *show_factor(struct graph_call *call, const struct factor *factor)
{
    struct json_node *shown = graph_public(call->arena, factor->body);
    const struct kind *kind = kind_named(factor->kind);
    if (shown == NULL || kind == NULL) return NULL;
    if (strcmp(factor->kind, "totp") == 0)
        json_set(call->arena, shown, RF_S("secretKey"), json_new(call->arena, JSON_T_NULL));
    if (strcmp(factor->kind, "fido2") == 0) {
        static const char *const inner[] = {"publicKey",      "algorithm", "counter",
                                            "backupEligible", "backedUp",  "format",
                                            "credentialId"};
        for (size_t i = 0; i < RF_COUNT(inner); i++) json_remove(shown, rf_str_of(inner[i]));
        json_set_text(call->arena, shown, "aaGuid", json_text_at(factor->body, "aaguid"));
        json_remove(shown, RF_S("aaguid"));
    }
    return json_set_text(call->arena, shown, "@odata.type", rf_str_of(kind->type)) == NULL ? NULL
                                                                                           : shown;
}

/* ---- the user ------------------------------------------------------------------------------------------------------------- */

static enum rf_kind user_of(struct graph_call *call, struct json_node **doc, rf_str *id,
                            struct rf_err *err)
{
    RF_TRY(graph_entity_find(call, &graph_user, 0, doc, err));
    *id = json_text_at(*doc, "id");
    return RF_OK;
}

static bool is_self(const struct graph_call *call, rf_str id)
{
    const struct principal *who = call->request->principal;
    return who != NULL && rf_str_eq_nocase(who->object_id, id);
}

static void note(struct graph_call *call, const char *by_admin, const char *by_user,
                 const char *verb, const struct json_node *doc)
{
    bool self = is_self(call, json_text_at(doc, "id"));
    graph_change(call, &(struct trail_change){.operation = self ? by_user : by_admin,
                                              .verb = verb,
                                              .service = "Authentication Methods",
                                              .category = "UserManagement",
                                              .type = "User",
                                              .target = doc});
}

static void note_added(struct graph_call *call, const struct json_node *doc)
{
    note(call, "Admin registered security info", "User registered security info", "Add", doc);
}

/* ---- lists ------------------------------------------------------------------------------------------------------------------ */

static struct json_node *password_method(struct graph_call *call, const struct json_node *user)
{
    struct json_node *shown = json_new(call->arena, JSON_T_OBJECT);
    rf_str changed = json_text_at(user, "lastPasswordChangeDateTime");
    json_set_text(call->arena, shown, "@odata.type",
                  RF_S("#microsoft.graph.passwordAuthenticationMethod"));
    json_set_text(call->arena, shown, "id", RF_S(PASSWORD_ID));
    json_set(call->arena, shown, RF_S("password"), json_new(call->arena, JSON_T_NULL));
    return json_set_text(call->arena, shown, "createdDateTime",
                         changed.len > 0 ? changed : json_text_at(user, "createdDateTime")) == NULL
               ? NULL
               : shown;
}

static enum rf_kind answer_list(struct graph_call *call, struct json_node **docs, uint32_t count,
                                const char *context, struct rf_err *err)
{
    for (uint32_t i = 0; i < count; i++)
        if (docs[i] == NULL) return graph_memory(call, err);
    const struct graph_items items = {.docs = docs, .count = count, .context = context};
    return graph_list_items(call, &items, err);
}

/* All methods, or those of the kind in the path. */
static enum rf_kind list(struct graph_call *call, struct rf_err *err)
{
    struct json_node *user;
    struct factor_list factors;
    rf_str id;
    const struct kind *only = kind_of(call);
    uint32_t count = 0;
    RF_TRY(user_of(call, &user, &id, err));
    RF_TRY(factors_of(call->txn, id, call->arena, &factors, err));
    struct json_node **docs = rf_arena_new(call->arena, struct json_node *, factors.count + 1);
    if (docs == NULL) return graph_memory(call, err);
    if (only == NULL) docs[count++] = password_method(call, user);
    for (uint32_t i = 0; i < factors.count; i++)
        if (only == NULL || strcmp(factors.items[i].kind, only->kind) == 0)
            docs[count++] = show_factor(call, &factors.items[i]);
    return answer_list(call, docs, count, "users('')/authentication/methods", err);
}

static enum rf_kind list_passwords(struct graph_call *call, struct rf_err *err)
{
    struct json_node *user;
    rf_str id;
    RF_TRY(user_of(call, &user, &id, err));
    struct json_node *docs[] = {password_method(call, user)};
    return answer_list(call, docs, 1, "users('')/authentication/passwordMethods", err);
}

static enum rf_kind get(struct graph_call *call, struct rf_err *err)
{
    struct json_node *user;
    struct factor_list factors;
    rf_str id;
    const struct kind *kind = kind_of(call);
    RF_TRY(user_of(call, &user, &id, err));
    RF_TRY(factors_of(call->txn, id, call->arena, &factors, err));
    for (uint32_t i = 0; i < factors.count; i++) {
        const struct factor *factor = &factors.items[i];
        if (!rf_str_eq_nocase(factor->id, call->ids[1]) ||
            (kind != NULL && strcmp(kind->kind, factor->kind) != 0))
            continue;
        call->answer = show_factor(call, factor);
        return call->answer == NULL ? graph_memory(call, err) : RF_OK;
    }
    return graph_not_found(call->ids[1], err);
}

static enum rf_kind remove_factor(struct graph_call *call, struct rf_err *err)
{
    struct json_node *user;
    rf_str id;
    RF_TRY(user_of(call, &user, &id, err));
    enum rf_kind kind =
        factor_delete(call->txn, id, kind_of(call)->kind, call->ids[1], call->arena, err);
    if (kind == RF_NOT_FOUND) return graph_not_found(call->ids[1], err);
    RF_TRY(kind);
    note(call, "Admin deleted security info", "User deleted security info", "Delete", user);
    return graph_answer_empty(call, 204);
}

/* ---- authenticators -------------------------------------------------------------------------------------------------------- */

static rf_str optional_text(const struct graph_call *call, const char *name)
{
    rf_str text = json_text_at(call->body, name);
    return rf_slice(text, 0, RF_MIN(text.len, (size_t)256));
}

static enum rf_kind add_totp(struct graph_call *call, struct rf_err *err)
{
    struct json_node *user;
    rf_str id, method, secret, name = optional_text(call, "displayName");
    RF_TRY(user_of(call, &user, &id, err));
    enum rf_kind kind = totp_make(
        call->identity->options.keeper, call->txn, id, name.len > 0 ? name : RF_S("Authenticator"),
        optional_text(call, "secretKey"), call->request->now, call->arena, &method, &secret, err);
    if (kind == RF_INVALID) return graph_bad(err, "secretKey: 16 to 128 characters of base32.");
    RF_TRY(kind);
    struct json_node *shown = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(call->arena, shown, "@odata.type", rf_str_of(kinds[0].type));
    json_set_text(call->arena, shown, "id", method);
    json_set_text(call->arena, shown, "secretKey", secret);
    if (json_set_text(call->arena, shown, "otpauthUri",
                      totp_uri(call->arena, json_text_at(user, "userPrincipalName"), secret)) ==
        NULL)
        return graph_memory(call, err);
    note_added(call, user);
    call->status = 201;
    call->answer = shown;
    return RF_OK;
}

/* ---- recovery codes, passes -------------------------------------------------------------------------------------------------- */

static enum rf_kind add_codes(struct graph_call *call, struct rf_err *err)
{
    struct json_node *user, *shown = json_new(call->arena, JSON_T_OBJECT),
                            *texts = json_new(call->arena, JSON_T_ARRAY);
    rf_str id, codes[RECOVERY_CODES];
    RF_TRY(user_of(call, &user, &id, err));
    RF_TRY(recovery_make(call->identity->options.keeper, call->txn, id, call->request->now,
                         call->arena, codes, err));
    for (uint32_t i = 0; i < RECOVERY_CODES; i++)
        json_append(texts, json_new_text(call->arena, codes[i]));
    json_set_text(call->arena, shown, "@odata.type", rf_str_of(kind_named("recovery")->type));
    if (json_set(call->arena, shown, RF_S("codes"), texts) == NULL) return graph_memory(call, err);
    note_added(call, user);
    call->status = 201;
    call->answer = shown;
    return RF_OK;
}

static enum rf_kind add_pass(struct graph_call *call, struct rf_err *err)
{
    struct json_node *user;
    struct factor_list factors;
    rf_str id, method, text, start = json_text_at(call->body, "startDateTime");
    int64_t minutes = 60;
    rf_usec from = call->request->now;
    if (json_get(call->body, "lifetimeInMinutes") != NULL &&
        !json_i64_at(call->body, "lifetimeInMinutes", &minutes))
        return graph_bad(err, "lifetimeInMinutes must be a number.");
    if (start.len > 0 && !time_parse_iso(start, &from))
        return graph_bad(err, "startDateTime must be a time, as 2026-01-31T12:00:00Z.");
    RF_TRY(user_of(call, &user, &id, err));
    enum rf_kind kind = pass_make(call->identity->options.keeper, call->txn, id,
                                  (uint32_t)RF_MAX(RF_MIN(minutes, (int64_t)100000), (int64_t)0),
                                  json_bool_at(call->body, "isUsableOnce", true), from, call->arena,
                                  &method, &text, err);
    if (kind == RF_INVALID) return graph_bad(err, "lifetimeInMinutes must be 10 to 480.");
    RF_TRY(kind);
    RF_TRY(factors_of(call->txn, id, call->arena, &factors, err));
    for (uint32_t i = 0; i < factors.count; i++)
        if (rf_str_eq(factors.items[i].id, method))
            call->answer = show_factor(call, &factors.items[i]);
    if (json_set_text(call->arena, call->answer, "temporaryAccessPass", text) == NULL)
        return graph_memory(call, err);
    note_added(call, user);
    call->status = 201;
    return RF_OK;
}

/* ---- passkeys -------------------------------------------------------------------------------------------------------------------- */

static struct webauthn_party party_of(const struct graph_call *call, rf_str *origin)
{
    rf_str scheme = RF_S("https://");
    *origin = call->request->origin;
    rf_str host = rf_slice(*origin, RF_MIN(scheme.len, origin->len), origin->len);
    return (struct webauthn_party){
        .rp_id = rf_slice(host, 0, RF_MIN(rf_str_find(host, RF_S(":"), 0), host.len)),
        .origins = origin,
        .origin_count = 1};
}

enum { CHALLENGE_LIFE_SECONDS = 300 };

/* A challenge is made of the time and the keeper's MAC: 8 bytes of seconds, 24 of the MAC over them, the user and a number of ours. So nothing is kept
 * for those that never come back; and as a credential is registered once, a challenge that comes twice gives nothing. */
static enum rf_kind challenge_of(struct graph_call *call, rf_str user, int64_t seconds,
                                 uint8_t out[WEBAUTHN_CHALLENGE_BYTES], struct rf_err *err)
{
    uint8_t mac[SHA256_BYTES];
    rf_str input = rf_arena_printf(call->arena, "%lld:%.*s", (long long)seconds, RF_FMT(user));
    if (input.ptr == NULL) return graph_memory(call, err);
    RF_TRY(keeper_mac(call->identity->options.keeper, "passkey-challenge", input, mac, err));
    rf_put_u64le(out, (uint64_t)seconds);
    memcpy(out + 8, mac, WEBAUTHN_CHALLENGE_BYTES - 8);
    return RF_OK;
}

static enum rf_kind creation_options(struct graph_call *call, struct rf_err *err)
{
    struct json_node *user;
    struct passkey_ids ids;
    rf_str id, origin;
    uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES], handle[PASSKEY_HANDLE_BYTES];
    int64_t now = call->request->now / RF_USEC_PER_SECOND;
    RF_TRY(user_of(call, &user, &id, err));
    struct webauthn_party party = party_of(call, &origin);
    RF_TRY(passkey_ids_of(call->txn, id, call->arena, &ids, err));
    RF_TRY(passkey_handle(call->identity->options.keeper, id, handle, err));
    RF_TRY(challenge_of(call, id, now, challenge, err));
    struct json_node *options = webauthn_creation_options(
        call->arena, &party, rf_str_make(handle, sizeof handle),
        json_text_at(user, "userPrincipalName"), json_text_at(user, "displayName"), challenge,
        ids.items, ids.count);
    struct json_node *shown = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(call->arena, shown, "challengeTimeoutDateTime",
                  time_graph(call->arena, call->request->now + (rf_usec)CHALLENGE_LIFE_SECONDS *
                                                                   RF_USEC_PER_SECOND));
    if (json_set(call->arena, shown, RF_S("publicKey"), options) == NULL)
        return graph_memory(call, err);
    call->answer = shown;
    return RF_OK;
}

/* The challenge that the answer holds, when it is one of ours for this user and not too old. */
static enum rf_kind known_challenge(struct graph_call *call, rf_str user,
                                    const struct json_node *credential,
                                    uint8_t out[WEBAUTHN_CHALLENGE_BYTES], struct rf_err *err)
{
    rf_str text, told;
    struct json_node *data;
    struct rf_err ignored;
    int64_t now = call->request->now / RF_USEC_PER_SECOND;
    if (base64url_decode(call->arena, json_text_at(credential, "response.clientDataJSON"), &text,
                         &ignored) != RF_OK ||
        json_parse(text, call->arena, &data, &ignored) != RF_OK ||
        base64url_decode(call->arena, json_text_at(data, "challenge"), &told, &ignored) != RF_OK ||
        told.len != WEBAUTHN_CHALLENGE_BYTES)
        return graph_bad(err, "publicKeyCredential.response.clientDataJSON holds no challenge.");
    int64_t seconds = (int64_t)rf_get_u64le(told.ptr);
    if (seconds > now || now - seconds > CHALLENGE_LIFE_SECONDS)
        return graph_bad(err, "The challenge is too old: get new creationOptions.");
    RF_TRY(challenge_of(call, user, seconds, out, err));
    if (CRYPTO_memcmp(out, told.ptr, WEBAUTHN_CHALLENGE_BYTES) != 0)
        return graph_bad(err, "The challenge is not one for this user: get creationOptions first.");
    return RF_OK;
}

static enum rf_kind add_passkey(struct graph_call *call, struct rf_err *err)
{
    struct json_node *user;
    struct factor_list factors;
    struct webauthn_credential credential;
    rf_str id, origin, method, name = optional_text(call, "displayName");
    uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES];
    struct rf_err why;
    const struct json_node *answer = json_get(call->body, "publicKeyCredential");
    RF_TRY(user_of(call, &user, &id, err));
    struct webauthn_party party = party_of(call, &origin);
    if (!json_is(answer, JSON_T_OBJECT)) return graph_bad(err, "publicKeyCredential is missing.");
    RF_TRY(known_challenge(call, id, answer, challenge, err));
    enum rf_kind kind =
        webauthn_register(&party, challenge, answer, false, call->arena, &credential, &why);
    if (kind == RF_INVALID) return graph_bad(err, "publicKeyCredential: %s", why.text);
    if (kind != RF_OK) {
        *err = why;
        return kind;
    }
    kind = passkey_store(call->txn, id, name.len > 0 ? name : RF_S("Passkey"), &credential,
                         call->request->now, call->arena, &method, err);
    if (kind == RF_CONFLICT) return graph_bad(err, "This passkey is registered already.");
    RF_TRY(kind);
    RF_TRY(factors_of(call->txn, id, call->arena, &factors, err));
    for (uint32_t i = 0; i < factors.count; i++)
        if (rf_str_eq(factors.items[i].id, method))
            call->answer = show_factor(call, &factors.items[i]);
    if (call->answer == NULL) return graph_memory(call, err);
    note_added(call, user);
    call->status = 201;
    return RF_OK;
}

/* ---- passwords -------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind reset_password(struct graph_call *call, struct rf_err *err)
{
    struct json_node *user;
    rf_str id, text;
    RF_TRY(user_of(call, &user, &id, err));
    if (!rf_str_eq_nocase(call->ids[1], RF_S(PASSWORD_ID)))
        return graph_not_found(call->ids[1], err);
    RF_TRY(graph_text(call->body, "newPassword", 1024, &text, err));
    struct json_node *before = json_clone(call->arena, user);
    if (before == NULL) return graph_memory(call, err);
    RF_TRY(graph_user_set_password(call, user, text, true, err));
    RF_TRY(graph_store(call, &graph_user, user, before, "Reset password (by admin)", err));
    return graph_answer_empty(call, 202);
}

static enum rf_kind change_password(struct graph_call *call, struct rf_err *err)
{
    struct json_node *user;
    rf_str id, old, text;
    enum password_match match;
    RF_TRY(user_of(call, &user, &id, err));
    if (!is_self(call, id))
        return request_fail(call->request, err, 403, "Authorization_RequestDenied",
                            "Only the user herself changes a password with the old one.");
    RF_TRY(graph_text(call->body, "currentPassword", 1024, &old, err));
    RF_TRY(graph_text(call->body, "newPassword", 1024, &text, err));
    rf_str stored = json_text_at(user, "~password");
    if (stored.len == 0) stored = json_text_at(user, "~verifier");
    RF_TRY(password_check(call->identity->passwords, id, stored, old, call->arena, &match, err));
    if (match == PASSWORD_WRONG) return graph_bad(err, "The current password is not right.");
    struct json_node *before = json_clone(call->arena, user);
    if (before == NULL) return graph_memory(call, err);
    RF_TRY(graph_user_set_password(call, user, text, false, err));
    RF_TRY(graph_store(call, &graph_user, user, before, "Change password (self-service)", err));
    return graph_answer_empty(call, 204);
}

/* ---- routes ------------------------------------------------------------------------------------------------------------------------- */

#define BASE "users/{}/authentication/"
#define USER &graph_user
const struct graph_route graph_factor_routes[] = {
    {HTTP_GET, 0, BASE "methods", FACTOR_READ, list, USER},
    {HTTP_GET, 0, BASE "methods/{}", FACTOR_READ, get, USER},
    {HTTP_GET, 0, BASE "passwordMethods", FACTOR_READ, list_passwords, USER},
    {HTTP_POST, 0, BASE "passwordMethods/{}/resetPassword", FACTOR_WRITE, reset_password, USER},
    {HTTP_POST, 0, "users/{}/changePassword", NULL, change_password, USER},
    {HTTP_GET, 0, BASE "softwareOathMethods", FACTOR_READ, list, USER},
    {HTTP_POST, 0, BASE "softwareOathMethods", FACTOR_WRITE, add_totp, USER},
    {HTTP_GET, 0, BASE "softwareOathMethods/{}", FACTOR_READ, get, USER},
    {HTTP_DELETE, GRAPH_OWN, BASE "softwareOathMethods/{}", FACTOR_WRITE, remove_factor, USER},
    {HTTP_GET, 0, BASE "temporaryAccessPassMethods", FACTOR_READ, list, USER},
    {HTTP_POST, 0, BASE "temporaryAccessPassMethods", FACTOR_WRITE, add_pass, USER},
    {HTTP_GET, 0, BASE "temporaryAccessPassMethods/{}", FACTOR_READ, get, USER},
    {HTTP_DELETE, 0, BASE "temporaryAccessPassMethods/{}", FACTOR_WRITE, remove_factor, USER},
    {HTTP_POST, GRAPH_OWN, BASE "recoveryCodes", FACTOR_WRITE, add_codes, USER},
    {HTTP_GET, 0, BASE "fido2Methods", FACTOR_READ, list, USER},
    {HTTP_POST, GRAPH_OWN, BASE "fido2Methods", FACTOR_WRITE, add_passkey, USER},
    {HTTP_GET, GRAPH_OWN, BASE "fido2Methods/creationOptions", FACTOR_WRITE, creation_options,
     USER},
    {HTTP_GET, 0, BASE "fido2Methods/creationOptions/{}", FACTOR_WRITE, creation_options, USER},
    {HTTP_GET, 0, BASE "fido2Methods/{}", FACTOR_READ, get, USER},
    {HTTP_DELETE, GRAPH_OWN, BASE "fido2Methods/{}", FACTOR_WRITE, remove_factor, USER},
    {.path = NULL},
};
