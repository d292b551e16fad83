/* user_token.c - tokens of users: access tokens for services, ID tokens for applications (contract identity, sections 4.1 and 4.2). */
#include "identity/signin_int.h"

/* ---- marks, subject ---------------------------------------------------------------------------------------------- */

static rf_str random_mark(struct rf_arena *arena, size_t bytes)
{
    uint8_t raw[32];
    RF_ASSERT(bytes <= sizeof raw);
    random_bytes(raw, bytes);
    return base64url_encode(arena, rf_str_make(raw, bytes));
}

enum rf_kind user_subject(struct identity *identity, rf_str user, rf_str app_id,
                          struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    uint8_t mac[SHA256_BYTES];
    rf_str low_user = text_lower(arena, user), low_app = text_lower(arena, app_id);
    if (low_user.ptr == NULL || low_app.ptr == NULL) return rf_fail_memory(err, arena);
    rf_str both = rf_arena_printf(arena, "%.*s:%.*s", RF_FMT(low_user), RF_FMT(low_app));
    if (both.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(keeper_mac(identity->options.keeper, "subject", both, mac, err));
    *out = base64url_encode(arena, rf_str_make(mac, sizeof mac));
    return out->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* ---- what users have --------------------------------------------------------------------------------------------- */

struct rights {
    rf_str *groups;
    uint32_t group_count;
    struct role_list roles; /* at the token's audience */
};

static bool is_for_users(const struct json_node *role)
{
    const struct json_node *types = json_get(role, "allowedMemberTypes");
    if (!json_is(types, JSON_T_ARRAY) || !json_bool_at(role, "isEnabled", true)) return false;
    for (const struct json_node *t = types->first; t != NULL; t = t->next)
        if (t->type == JSON_T_STRING && rf_str_eq_nocase(t->text, RF_S("User"))) return true;
    return false;
}

static enum rf_kind add_roles(struct state_txn *txn, rf_str principal, rf_str resource_id,
                              const struct json_node *roles, struct rf_arena *arena,
                              struct role_list *out, struct rf_err *err)
{
    struct object_list list;
    RF_TRY(object_list(txn, "appRoleAssignment", "principalId", principal, arena, &list, err));
    rf_str *grown = rf_arena_new(arena, rf_str, out->count + list.count);
    if (grown == NULL) return rf_fail_memory(err, arena);
    if (out->count > 0) memcpy(grown, out->values, out->count * sizeof *grown);
    out->values = grown;
    for (uint32_t i = 0; i < list.count; i++) {
        if (!rf_str_eq_nocase(json_text_at(list.items[i], "resourceId"), resource_id)) continue;
        const struct json_node *role =
            app_role_by_id(roles, json_text_at(list.items[i], "appRoleId"));
        rf_str value = json_text_at(role, "value");
        bool there = value.len == 0 || !is_for_users(role);
        for (uint32_t k = 0; k < out->count && !there; k++)
            there = rf_str_eq(out->values[k], value);
        if (!there) out->values[out->count++] = value;
    }
    return RF_OK;
}

static enum rf_kind load_rights(struct identity *identity, rf_str user, rf_str resource_id,
                                const struct json_node *roles, struct rf_arena *arena,
                                struct rights *out, struct rf_err *err)
{
    IDENTITY_TXN txn = NULL;
    *out = (struct rights){.group_count = 0};
    RF_TRY(state_begin_read(identity->options.state, &txn, err));
    RF_TRY(groups_of(txn, user, arena, &out->groups, &out->group_count, err));
    if (!json_is(roles, JSON_T_ARRAY) || roles->count == 0) return RF_OK;
    RF_TRY(add_roles(txn, user, resource_id, roles, arena, &out->roles, err));
    for (uint32_t i = 0; i < out->group_count; i++)
        RF_TRY(add_roles(txn, out->groups[i], resource_id, roles, arena, &out->roles, err));
    return RF_OK;
}

static bool wants_groups(const struct json_node *application)
{
    rf_str wanted = json_text_at(application, "groupMembershipClaims");
    return rf_str_find(wanted, RF_S("All"), 0) != SIZE_MAX ||
           rf_str_find(wanted, RF_S("SecurityGroup"), 0) != SIZE_MAX;
}

enum { GROUPS_IN_TOKEN_MAX = 200 };

static void put_rights(struct json_out *out, const struct rights *rights, bool groups)
{
    if (rights->roles.count > 0) {
        json_begin_array(out, "roles");
        for (uint32_t i = 0; i < rights->roles.count; i++)
            json_put_text(out, NULL, rights->roles.values[i]);
        json_end_array(out);
    }
    if (!groups) return;
    if (rights->group_count > GROUPS_IN_TOKEN_MAX) {
        json_put_bool(out, "hasgroups", true);
        return;
    }
    json_begin_array(out, "groups");
    for (uint32_t i = 0; i < rights->group_count; i++) json_put_text(out, NULL, rights->groups[i]);
    json_end_array(out);
}

/* ---- how they proved who they are ---------------------------------------------------------------------------------- */

static void put_methods(struct json_out *out, unsigned proofs)
{
    json_begin_array(out, "amr");
    if (proofs & PROOF_PASSWORD) json_put_text(out, NULL, RF_S("pwd"));
    if (proofs & (PROOF_TOTP | PROOF_RECOVERY | PROOF_PASS)) json_put_text(out, NULL, RF_S("otp"));
    if (proofs & PROOF_PASSKEY) json_put_text(out, NULL, RF_S("fido"));
    if (proofs & PROOF_CERTIFICATE) json_put_text(out, NULL, RF_S("rsa"));
    if (proof_is_mfa(proofs)) json_put_text(out, NULL, RF_S("mfa"));
    json_end_array(out);
}

static rf_str issuer_of(const struct identity *identity, rf_str origin, bool v2,
                        struct rf_arena *arena)
{
    return rf_arena_printf(arena, "%.*s/%.*s/%s", RF_FMT(origin), RF_FMT(identity->tenant),
                           v2 ? "v2.0" : "");
}

static void put_times(struct json_out *out, int64_t now, int64_t end)
{
    json_put_i64(out, "iat", now);
    json_put_i64(out, "nbf", now);
    json_put_i64(out, "exp", end);
}

static enum rf_kind sign(struct identity *identity, const struct rf_buf *claims,
                         struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    RF_CLEANUP(memo_release) struct memo_entry *entry = NULL;
    if (claims->failed) return rf_fail_memory(err, arena);
    for (int attempt = 0;; attempt++) {
        RF_TRY(signing_keys(identity, &entry, err));
        const struct signing_keys *keys = entry->value;
        rf_str body = base64url_encode(arena, rf_buf_view(claims)), signature;
        if (body.ptr == NULL) return rf_fail_memory(err, arena);
        rf_str input = rf_arena_printf(arena, "%.*s.%.*s", RF_FMT(keys->header), RF_FMT(body));
        if (input.ptr == NULL) return rf_fail_memory(err, arena);
        enum rf_kind kind =
            keeper_jwt_sign(identity->options.keeper, input, arena, &signature, err);
        if (kind == RF_OK) {
            *out = jwt_assemble(arena, input, signature);
            return out->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
        }
        /* The key that signs may have changed since it was looked up. */
        if (attempt == 1 || kind == RF_LIMIT) return kind;
        identity_keys_changed(identity);
        memo_release(&entry);
    }
}

/* ---- access tokens --------------------------------------------------------------------------------------------------- */

static void put_names(struct json_out *out, const struct person *person, bool v2)
{
    json_put_text(out, "name", person->display_name);
    rf_str family = json_text_at(person->doc, "surname"),
           given = json_text_at(person->doc, "givenName");
    if (family.len > 0) json_put_text(out, "family_name", family);
    if (given.len > 0) json_put_text(out, "given_name", given);
    if (v2) {
        json_put_text(out, "preferred_username", person->name);
    } else {
        json_put_text(out, "upn", person->name);
        json_put_text(out, "unique_name", person->name);
    }
}

static void put_access_claims(struct json_out *out, const struct identity *identity,
                              const struct user_token_request *wanted,
                              const struct access_token *token, const struct rights *rights,
                              rf_str issuer, rf_str subject, struct rf_arena *arena)
{
    const struct client *client = wanted->client;
    const struct resource *resource = wanted->scopes->resource;
    bool v2 = resource->version2;
    rf_str rh = random_mark(arena, 24);
    json_begin_object(out, NULL);
    json_put_text(out, "aud", v2 ? resource->app_id : wanted->scopes->audience);
    json_put_text(out, "iss", issuer);
    put_times(out, token->not_before, token->expires);
    json_put_text(out, "acr", RF_S("1"));
    json_put_text(out, "aio", random_mark(arena, 30));
    put_methods(out, wanted->grant->proofs);
    if (!v2) json_put_text(out, "app_displayname", client->display_name);
    json_put_text(out, v2 ? "azp" : "appid", client->app_id);
    json_put_text(out, v2 ? "azpacr" : "appidacr", rf_str_of(wanted->client_strength));
    json_put_text(out, "idtyp", RF_S("user"));
    json_put_text(out, "ipaddr", wanted->address);
    put_names(out, wanted->person, v2);
    json_put_text(out, "oid", wanted->person->id);
    json_put_text(out, "rh", rf_arena_printf(arena, "1.%.*s.", RF_FMT(rh)));
    put_rights(out, rights, false);
    json_put_text(out, "scp", wanted->scp);
    json_put_text(out, "sid", wanted->grant->sid);
    json_put_text(out, "sub", subject);
    json_put_text(out, "tid", identity->tenant);
    json_put_text(out, "uti", token->uti);
    json_put_text(out, "ver", v2 ? RF_S("2.0") : RF_S("1.0"));
    if (wanted->cae) {
        json_begin_array(out, "xms_cc");
        json_put_text(out, NULL, RF_S("cp1"));
        json_end_array(out);
    }
    json_end_object(out);
}

/* Of the scopes granted those that are the resource's: who asked for an API gets no openid in its scp; Graph's is where the openid ones live. */
static rf_str resource_scopes(const struct scopes *scopes, rf_str granted, struct rf_arena *arena)
{
    if (rf_str_eq_nocase(scopes->resource->app_id, RF_S(GRAPH_APP_ID))) return granted;
    struct rf_buf out = rf_buf_in(arena);
    for (size_t at = 0; at < granted.len;) {
        size_t end = rf_str_find(granted, RF_S(" "), at);
        if (end == SIZE_MAX) end = granted.len;
        rf_str word = rf_slice(granted, at, end);
        at = end + 1;
        if (word.len == 0 || scope_has(RF_S("openid profile email offline_access"), word)) continue;
        rf_buf_printf(&out, "%s%.*s", out.len == 0 ? "" : " ", RF_FMT(word));
    }
    return out.failed ? (rf_str){0} : rf_buf_view(&out);
}

enum rf_kind user_access_token(struct identity *identity, const struct user_token_request *request,
                               struct rf_arena *arena, struct access_token *out, struct rf_err *err)
{
    struct user_token_request wanted = *request;
    const struct resource *resource = wanted.scopes->resource;
    struct rights rights;
    rf_str subject;
    int64_t now = wanted.now / RF_USEC_PER_SECOND;
    struct access_token token = {
        .uti = random_mark(arena, 16), .not_before = now, .expires = now + TOKEN_LIFE_SECONDS};
    RF_TRY(load_rights(identity, wanted.person->id, resource->id, resource->roles, arena, &rights,
                       err));
    if (resource->assignment_required && rights.roles.count == 0)
        return RF_FAIL(err, RF_DENIED, "50105",
                       "The signed in user '%.*s' is not assigned to a role for the application "
                       "'%.*s'(%.*s).",
                       RF_FMT(wanted.person->name), RF_FMT(resource->app_id),
                       RF_FMT(resource->display_name));
    wanted.scp = resource_scopes(wanted.scopes, wanted.scp, arena);
    rf_str issuer = issuer_of(identity, wanted.origin, resource->version2, arena);
    RF_TRY(user_subject(identity, wanted.person->id, wanted.client->app_id, arena, &subject, err));
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out claims = json_out_to(&buf);
    if (issuer.ptr == NULL || wanted.scp.ptr == NULL || token.uti.ptr == NULL)
        return rf_fail_memory(err, arena);
    put_access_claims(&claims, identity, &wanted, &token, &rights, issuer, subject, arena);
    RF_TRY(sign(identity, &buf, arena, &token.text, err));
    *out = token;
    return RF_OK;
}

/* ---- ID tokens ------------------------------------------------------------------------------------------------------- */

static void put_id_claims(struct json_out *out, const struct identity *identity,
                          const struct user_token_request *wanted, const struct rights *rights,
                          rf_str issuer, rf_str subject, struct rf_arena *arena)
{
    const struct client *client = wanted->client;
    int64_t now = wanted->now / RF_USEC_PER_SECOND;
    rf_str mail = json_text_at(wanted->person->doc, "mail"), rh = random_mark(arena, 24);
    json_begin_object(out, NULL);
    json_put_text(out, "aud", client->app_id);
    json_put_text(out, "iss", issuer);
    put_times(out, now, now + TOKEN_LIFE_SECONDS);
    if (wanted->tell_auth_time)
        json_put_i64(out, "auth_time", wanted->grant->proved / RF_USEC_PER_SECOND);
    put_methods(out, wanted->grant->proofs);
    if (wanted->scopes->email)
        json_put_text(out, "email", mail.len > 0 ? mail : wanted->person->name);
    put_names(out, wanted->person, true);
    if (wanted->nonce.len > 0) json_put_text(out, "nonce", wanted->nonce);
    json_put_text(out, "oid", wanted->person->id);
    json_put_text(out, "rh", rf_arena_printf(arena, "1.%.*s.", RF_FMT(rh)));
    put_rights(out, rights, wants_groups(client->application));
    json_put_text(out, "sid", wanted->grant->sid);
    json_put_text(out, "sub", subject);
    json_put_text(out, "tid", identity->tenant);
    json_put_text(out, "uti", random_mark(arena, 16));
    json_put_text(out, "ver", RF_S("2.0"));
    json_end_object(out);
}

enum rf_kind user_id_token(struct identity *identity, const struct user_token_request *wanted,
                           struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    struct rights rights;
    rf_str subject, issuer = issuer_of(identity, wanted->origin, true, arena);
    const struct client *client = wanted->client;
    if (issuer.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(load_rights(identity, wanted->person->id, client->id,
                       app_roles_of(client->principal, client->application), arena, &rights, err));
    RF_TRY(user_subject(identity, wanted->person->id, client->app_id, arena, &subject, err));
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out claims = json_out_to(&buf);
    put_id_claims(&claims, identity, wanted, &rights, issuer, subject, arena);
    return sign(identity, &buf, arena, out, err);
}

/* ---- tokens of ours that come back -------------------------------------------------------------------------------------- */

static enum rf_kind bad_assertion(struct rf_err *err)
{
    return RF_FAIL(err, RF_DENIED, "50013",
                   "Assertion failed signature validation, or is no access token of this tenant.");
}

static enum rf_kind check_signature(struct identity *identity, const struct jwt *jwt,
                                    struct rf_arena *arena, struct rf_err *err)
{
    RF_CLEANUP(memo_release) struct memo_entry *entry = NULL;
    RF_TRY(signing_keys(identity, &entry, err));
    const struct signing_keys *keys = entry->value;
    for (uint32_t i = 0; i < keys->count; i++) {
        if (!rf_str_eq(keys->items[i].kid, jwt->kid)) continue;
        struct json_node *jwk = json_new(arena, JSON_T_OBJECT);
        struct public_key *key;
        struct rf_err ignored;
        json_set_text(arena, jwk, "kty", RF_S("RSA"));
        json_set_text(arena, jwk, "n", keys->items[i].n);
        if (json_set_text(arena, jwk, "e", keys->items[i].e) == NULL)
            return rf_fail_memory(err, arena);
        RF_TRY(public_key_of_jwk(jwk, &key, err));
        enum rf_kind kind = jwt_check(jwt, key, JWT_RS256, &ignored);
        public_key_free(key);
        return kind == RF_OK ? RF_OK : bad_assertion(err);
    }
    return bad_assertion(err);
}

enum rf_kind own_token_read(struct identity *identity, rf_str text, rf_str origin, rf_usec now,
                            struct rf_arena *arena, const struct json_node **claims,
                            struct rf_err *err)
{
    enum { LEEWAY_SECONDS = 60 };
    struct jwt jwt;
    struct rf_err ignored;
    int64_t from = INT64_MAX, until = 0, seconds = now / RF_USEC_PER_SECOND;
    if (jwt_parse(text, arena, &jwt, &ignored) != RF_OK || jwt.alg != JWT_RS256)
        return bad_assertion(err);
    RF_TRY(check_signature(identity, &jwt, arena, err));
    rf_str issuer = json_text_at(jwt.claims, "iss");
    rf_str v1 = issuer_of(identity, origin, false, arena),
           v2 = issuer_of(identity, origin, true, arena);
    if (v1.ptr == NULL || v2.ptr == NULL) return rf_fail_memory(err, arena);
    if ((!rf_str_eq(issuer, v1) && !rf_str_eq(issuer, v2)) ||
        !rf_str_eq_nocase(json_text_at(jwt.claims, "tid"), identity->tenant) ||
        !json_i64_at(jwt.claims, "nbf", &from) || !json_i64_at(jwt.claims, "exp", &until))
        return bad_assertion(err);
    if (seconds < from - LEEWAY_SECONDS || seconds >= until + LEEWAY_SECONDS)
        return RF_FAIL(err, RF_DENIED, "500133",
                       "Assertion is not within its valid time range. Ensure that the access token "
                       "is not expired before using it for user assertion.");
    *claims = jwt.claims;
    return RF_OK;
}
