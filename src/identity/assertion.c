#include <stdio.h>

#include "crypt/x509.h"
#include "identity/identity_int.h"

enum { SKEW_SECONDS = 300, LIFE_SECONDS_MAX = 24 * 3600 };

/* ---- once only --------------------------------------------------------------------------------------------------------- */

/* Assertions that ended long ago are forgotten a few at a time, by the writer that adds one. */
static enum rf_kind forget_old(struct state_txn *txn, rf_usec now, struct rf_arena *arena,
                               struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {.space = "assertion", .limit = 8};
    char least[16];
    snprintf(least, sizeof least, "%010lld", (long long)(now / RF_USEC_PER_SECOND) - SKEW_SECONDS);
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        if (rf_str_cmp(list.items[i].key, rf_str_of(least)) >= 0) break;
        RF_TRY(state_delete(txn, "assertion", list.items[i].key, err));
    }
    return RF_OK;
}

/* The key is unique in the state, and there is one writer at a time: of several that come at once, one succeeds. */
enum rf_kind assertion_take(struct identity *identity, rf_str client_id, rf_str jti, int64_t exp,
                            rf_usec now, struct rf_arena *arena, struct rf_err *err)
{
    uint8_t hash[SHA256_BYTES];
    rf_str name = rf_arena_printf(arena, "%.*s\n%.*s", RF_FMT(client_id), RF_FMT(jti));
    if (name.ptr == NULL) return rf_fail_memory(err, arena);
    digest_sha256(name, hash);
    rf_str hex = hex_encode(arena, rf_str_make(hash, sizeof hash));
    rf_str key = rf_arena_printf(arena, "%010lld/%.*s", (long long)exp, RF_FMT(hex));
    if (hex.ptr == NULL || key.ptr == NULL) return rf_fail_memory(err, arena);
    IDENTITY_TXN txn = NULL;
    RF_TRY(state_begin_write(identity->options.state, &txn, err));
    struct state_put put = {
        .space = "assertion", .key = key, .body = RF_S("{}"), .condition = STATE_ABSENT};
    enum rf_kind kind = state_put(txn, &put, NULL, NULL, err);
    if (kind == RF_CONFLICT)
        return RF_FAIL(err, RF_DENIED, "700025",
                       "The client assertion was used before. Each assertion is taken once.");
    RF_TRY(kind);
    RF_TRY(forget_old(txn, now, arena, err));
    struct state_txn *done = txn;
    txn = NULL;
    return state_commit(done, err);
}

/* ---- claims ------------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_times(const struct jwt *jwt, rf_usec now_usec, int64_t life_max,
                                int64_t *exp, struct rf_err *err)
{
    int64_t now = now_usec / RF_USEC_PER_SECOND, nbf = now;
    bool has_exp = json_i64_at(jwt->claims, "exp", exp);
    bool nbf_ok = json_get(jwt->claims, "nbf") == NULL || json_i64_at(jwt->claims, "nbf", &nbf);
    if (!has_exp || !nbf_ok || *exp < now - SKEW_SECONDS || nbf > now + SKEW_SECONDS ||
        *exp > now + life_max + SKEW_SECONDS)
        return RF_FAIL(err, RF_DENIED, "700024",
                       "Client assertion is not within its valid time range. The claims 'nbf' and "
                       "'exp' must enclose the current time, and 'exp' be at most 24 hours ahead.");
    return RF_OK;
}

/* The token endpoint by each of its names, or the issuer. */
static bool is_our_audience(const struct token_call *call, rf_str aud)
{
    static const char *const paths[] = {"/oauth2/v2.0/token", "/oauth2/token", "/v2.0", "/"};
    const struct identity *identity = call->identity;
    rf_str origins[] = {call->request->origin, identity->options.site->origin};
    for (size_t i = 0; i < RF_COUNT(origins); i++) {
        if (!rf_str_starts(aud, origins[i])) continue;
        rf_str rest = rf_slice(aud, origins[i].len, aud.len);
        size_t slash = rf_str_find(rest, RF_S("/"), 1);
        if (rest.len == 0 || rest.ptr[0] != '/' || slash == SIZE_MAX) continue;
        rf_str tenant = rf_slice(rest, 1, slash), path = rf_slice(rest, slash, rest.len);
        struct rf_err ignored;
        bool shared;
        if (tenant_find(identity, tenant, &shared, &ignored) != RF_OK) continue;
        if (shared && !rf_str_eq_nocase(tenant, call->tenant)) continue;
        for (size_t k = 0; k < RF_COUNT(paths); k++)
            if (rf_str_is(path, paths[k])) return true;
    }
    return false;
}

static bool audience_fits(const struct token_call *call, const struct json_node *aud)
{
    if (json_is(aud, JSON_T_STRING)) return is_our_audience(call, aud->text);
    if (!json_is(aud, JSON_T_ARRAY) || aud->count == 0) return false;
    /* All of them: an assertion that somebody else may receive too is none for us. */
    for (const struct json_node *a = aud->first; a != NULL; a = a->next)
        if (a->type != JSON_T_STRING || !is_our_audience(call, a->text)) return false;
    return true;
}

/* ---- certificates ---------------------------------------------------------------------------------------------------------- */

/* Whether the token's header names this certificate: SHA-256 or SHA-1 of it, or the latter as its key id. */
static bool names_cert(const struct jwt *jwt, const struct cert_info *cert, struct rf_arena *arena)
{
    rf_str sha256 = base64url_encode(arena, rf_str_make(cert->sha256, sizeof cert->sha256));
    rf_str sha1 = base64url_encode(arena, rf_str_make(cert->sha1, sizeof cert->sha1));
    rf_str hex = hex_encode(arena, rf_str_make(cert->sha1, sizeof cert->sha1));
    if (jwt->x5t_s256.len > 0) return rf_str_eq(jwt->x5t_s256, sha256);
    if (jwt->x5t.len > 0) return rf_str_eq(jwt->x5t, sha1);
    return jwt->kid.len > 0 && (rf_str_eq(jwt->kid, sha1) || rf_str_eq(jwt->kid, sha256) ||
                                rf_str_eq_nocase(jwt->kid, hex));
}

static enum rf_kind bad_signature(struct rf_err *err, const char *why)
{
    return RF_FAIL(err, RF_DENIED, "700027",
                   "The certificate with identifier used to sign the client assertion is not "
                   "registered on application, or the signature is wrong. [Reason - %s]",
                   why);
}

static enum rf_kind find_cert(struct token_call *call, const struct json_node *owner,
                              const struct jwt *jwt, struct cert_info *cert, bool *found,
                              struct rf_err *err)
{
    struct rf_arena *arena = call->request->arena;
    const struct json_node *list = json_get(owner, "keyCredentials");
    *found = false;
    if (!json_is(list, JSON_T_ARRAY)) return RF_OK;
    for (const struct json_node *c = list->first; c != NULL; c = c->next) {
        rf_str der;
        struct rf_err bad;
        if (base64_decode(arena, json_text_at(c, "key"), &der, &bad) != RF_OK ||
            cert_read(der, arena, cert, &bad) != RF_OK)
            return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "a registered certificate is broken");
        if (!names_cert(jwt, cert, arena)) continue;
        call->proof.key_id = json_text_at(c, "keyId");
        call->proof.thumbprint = hex_encode(arena, rf_str_make(cert->sha1, sizeof cert->sha1));
        *found = true;
        return RF_OK;
    }
    return RF_OK;
}

static enum rf_kind check_signature(struct token_call *call, const struct jwt *jwt,
                                    struct rf_err *err)
{
    struct cert_info cert;
    bool found;
    RF_TRY(find_cert(call, call->client->application, jwt, &cert, &found, err));
    if (!found) RF_TRY(find_cert(call, call->client->principal, jwt, &cert, &found, err));
    if (!found) return bad_signature(err, "The key was not found");
    if (call->request->now < cert.not_before || call->request->now >= cert.not_after)
        return bad_signature(err, "The certificate is outside its validity");
    struct public_key *key;
    struct rf_err bad;
    RF_TRY(public_key_of_cert(cert.der, &key, err));
    enum rf_kind kind = jwt_check(jwt, key, JWT_RS256 | JWT_PS256 | JWT_ES256, &bad);
    public_key_free(key);
    return kind == RF_OK ? RF_OK
                         : bad_signature(err, "The key was found, but the signature is invalid");
}

static enum rf_kind check_certificate(struct token_call *call, const struct jwt *jwt,
                                      struct rf_err *err)
{
    rf_str iss = json_text_at(jwt->claims, "iss"), sub = json_text_at(jwt->claims, "sub");
    rf_str jti = json_text_at(jwt->claims, "jti");
    int64_t exp = 0;
    RF_TRY(check_signature(call, jwt, err));
    if (!rf_str_eq_nocase(iss, call->client->app_id) ||
        !rf_str_eq_nocase(sub, call->client->app_id))
        return RF_FAIL(err, RF_DENIED, "700021",
                       "Client assertion application identifier doesn't match 'client_id' "
                       "parameter.");
    RF_TRY(check_times(jwt, call->request->now, LIFE_SECONDS_MAX, &exp, err));
    if (!audience_fits(call, json_get(jwt->claims, "aud")))
        return RF_FAIL(err, RF_DENIED, "700023",
                       "Client assertion audience claim does not match Realm issuer.");
    if (jti.len == 0 || jti.len > 512)
        return RF_FAIL(err, RF_DENIED, "50027",
                       "JWT token is invalid or malformed: the claim 'jti' is missing.");
    if (call->identity->options.assertion_once_per_resource) {
        rf_str what = form_get(&call->form, call->v1 ? "resource" : "scope", NULL);
        jti = rf_arena_printf(call->request->arena, "%.*s\n%.*s", RF_FMT(jti), RF_FMT(what));
        if (jti.ptr == NULL) return rf_fail_memory(err, call->request->arena);
    }
    return assertion_take(call->identity, call->client->app_id, jti, exp, call->request->now,
                          call->request->arena, err);
}

/* ---- federated credentials ---------------------------------------------------------------------------------------------- */

static bool text_among(const struct json_node *list, const struct json_node *wanted)
{
    if (!json_is(list, JSON_T_ARRAY) || !json_is(wanted, JSON_T_STRING)) return false;
    for (const struct json_node *t = list->first; t != NULL; t = t->next)
        if (t->type == JSON_T_STRING && rf_str_eq(t->text, wanted->text)) return true;
    return false;
}

static bool audiences_meet(const struct json_node *registered, const struct json_node *aud)
{
    if (!json_is(aud, JSON_T_ARRAY)) return text_among(registered, aud);
    for (const struct json_node *a = aud->first; a != NULL; a = a->next)
        if (text_among(registered, a)) return true;
    return false;
}

enum fit { FIT_NONE, FIT_ISSUER, FIT_SUBJECT, FIT_ALL };

/* The best among the application's credentials for this token: what the error is about if none fits wholly. */
static enum fit best_fit(const struct json_node *list, const struct jwt *jwt, rf_str *id)
{
    rf_str iss = json_text_at(jwt->claims, "iss"), sub = json_text_at(jwt->claims, "sub");
    enum fit best = FIT_NONE;
    if (!json_is(list, JSON_T_ARRAY) || iss.len == 0) return FIT_NONE;
    for (const struct json_node *c = list->first; c != NULL && best != FIT_ALL; c = c->next) {
        enum fit fit = FIT_NONE;
        if (rf_str_eq(json_text_at(c, "issuer"), iss)) fit = FIT_ISSUER;
        if (fit == FIT_ISSUER && sub.len > 0 && rf_str_eq(json_text_at(c, "subject"), sub))
            fit = FIT_SUBJECT;
        if (fit == FIT_SUBJECT &&
            audiences_meet(json_get(c, "audiences"), json_get(jwt->claims, "aud")))
            fit = FIT_ALL;
        if (fit > best) best = fit;
        if (fit == FIT_ALL) *id = json_text_at(c, "id");
    }
    return best;
}

static enum rf_kind refuse_fit(enum fit fit, const struct jwt *jwt, struct rf_err *err)
{
    rf_str iss = json_text_at(jwt->claims, "iss"), sub = json_text_at(jwt->claims, "sub");
    if (fit == FIT_NONE)
        return RF_FAIL(err, RF_DENIED, "700211",
                       "No matching federated identity record found for presented assertion issuer "
                       "'%.*s'.",
                       (int)RF_MIN(iss.len, 200), (const char *)iss.ptr);
    if (fit == FIT_ISSUER)
        return RF_FAIL(
            err, RF_DENIED, "700213",
            "No matching federated identity record found for presented assertion subject "
            "'%.*s'.",
            (int)RF_MIN(sub.len, 200), (const char *)sub.ptr);
    return RF_FAIL(err, RF_DENIED, "700212",
                   "No matching federated identity record found for presented assertion audience.");
}

static enum rf_kind check_federated(struct token_call *call, const struct jwt *jwt,
                                    struct rf_err *err)
{
    const struct json_node *list = json_get(call->client->application, "~federated");
    enum fit fit = best_fit(list, jwt, &call->proof.federated_id);
    int64_t exp;
    if (fit == FIT_NONE) return refuse_fit(fit, jwt, err);
    /* Whoever cannot sign for the issuer learns nothing of which subjects are registered. */
    RF_TRY(federation_check(call->identity->federation, json_text_at(jwt->claims, "iss"), jwt,
                            call->request->arena, err));
    if (fit != FIT_ALL) return refuse_fit(fit, jwt, err);
    /* Their tokens live as long as the issuer likes, and are shown again until they end: a workload reads them from a file. */
    return check_times(jwt, call->request->now, 366 * LIFE_SECONDS_MAX, &exp, err);
}

enum rf_kind assertion_check(struct token_call *call, rf_str text, struct rf_err *err)
{
    struct jwt jwt;
    struct rf_err bad;
    call->proof.strength = "2";
    call->proof.type = "clientAssertion";
    enum rf_kind kind = jwt_parse(text, call->request->arena, &jwt, &bad);
    if (kind == RF_LIMIT) return rf_fail_memory(err, call->request->arena);
    if (kind != RF_OK)
        return RF_FAIL(err, RF_DENIED, "50027", "JWT token is invalid or malformed: %.200s",
                       bad.text);
    rf_str iss = json_text_at(jwt.claims, "iss");
    bool named = jwt.x5t.len > 0 || jwt.x5t_s256.len > 0;
    if (named || iss.len == 0 || rf_str_eq_nocase(iss, call->client->app_id)) {
        if (best_fit(json_get(call->client->application, "~federated"), &jwt,
                     &call->proof.federated_id) == FIT_NONE)
            return check_certificate(call, &jwt, err);
    }
    call->proof.type = "federatedIdentityCredential";
    return check_federated(call, &jwt, err);
}
