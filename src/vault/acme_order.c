/* acme_order.c - an order at an outside authority, from its making to the certificate (RFC 8555, 7.4). Each step asks what the authority says now, so nothing but the
 * order's URL, the key and the records of the hook must be kept between two of them. */
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/encode.h"
#include "base/log.h"
#include "crypt/digest.h"
#include "vault/acme_client.h"

enum {
    ROUNDS_MAX = 8,              /* requests about the order in one step */
    GIVE_UP_SECONDS = 24 * 3600, /* of an order, all its steps */
    WAIT_SECONDS_MAX = 3600,
    POLL_SECONDS_MAX = 60,
    DNS_NAME_BYTES_MAX = 253
};

struct step {
    struct acme_session session;
    struct vault_call *call;
    struct cert_making *making;
    struct json_node *acme; /* of the operation */
    struct acme_names names;
    int64_t wait; /* seconds to the next step */
    bool done;
};

/* ---- names ------------------------------------------------------------------------------------------------------------------ */

static bool is_dns_name(rf_str name)
{
    bool dot = false;
    if (name.len == 0 || name.len > DNS_NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool star = c == '*' && i == 0 && name.len > 2 && name.ptr[1] == '.';
        dot |= c == '.';
        if (!rf_is_alnum(c) && c != '-' && c != '.' && !star) return false;
    }
    return dot;
}

static enum rf_kind add_name(struct rf_arena *arena, struct acme_names *out, rf_str name,
                             struct rf_err *err)
{
    if (!is_dns_name(name))
        return RF_FAIL(err, RF_INVALID, "AcmeError",
                       "an authority by ACME issues for host names: '%.*s' is none",
                       (int)RF_MIN(name.len, 100), (const char *)name.ptr);
    for (uint32_t i = 0; i < out->count; i++)
        if (rf_str_eq_nocase(out->names[i], name)) return RF_OK;
    if (out->count == ACME_NAMES_MAX)
        return RF_FAIL(err, RF_INVALID, "AcmeError", "an order has at most %d names",
                       ACME_NAMES_MAX);
    uint8_t *lower = rf_arena_alloc(arena, name.len);
    if (lower == NULL) return rf_fail_memory(err, arena);
    for (size_t i = 0; i < name.len; i++) lower[i] = rf_lower(name.ptr[i]);
    out->names[out->count++] = rf_str_make(lower, name.len);
    return RF_OK;
}

/* The common name of a subject; empty: it has none. */
static enum rf_kind common_name(rf_str subject, struct rf_arena *arena, rf_str *out,
                                struct rf_err *err)
{
    X509_NAME *name;
    const char *why;
    unsigned char *text = NULL;
    *out = (rf_str){0};
    if (subject.len == 0) return RF_OK;
    if (!vault_cert_subject(subject, &name, &why))
        return RF_FAIL(err, RF_INVALID, "AcmeError", "the policy's subject %s", why);
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    int len = at < 0 ? 0
                     : ASN1_STRING_to_UTF8(&text,
                                           X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    bool copied = len <= 0 || rf_arena_str(arena, rf_str_make(text, (size_t)len), out);
    OPENSSL_free(text);
    X509_NAME_free(name);
    return copied ? RF_OK : rf_fail_memory(err, arena);
}

enum rf_kind acme_names_of(const struct cert_policy *policy, struct rf_arena *arena,
                           struct acme_names *out, struct rf_err *err)
{
    rf_str cn;
    out->count = 0;
    for (const struct json_node *sort = policy->sans == NULL ? NULL : policy->sans->first;
         sort != NULL; sort = sort->next) {
        if (sort->type != JSON_T_ARRAY || sort->count == 0) continue;
        if (!rf_str_is(sort->name, "dns_names"))
            return RF_FAIL(err, RF_INVALID, "AcmeError",
                           "an authority by ACME issues for dns_names, not for %.*s",
                           RF_FMT(sort->name));
        for (const struct json_node *name = sort->first; name != NULL; name = name->next)
            RF_TRY(add_name(arena, out, name->text, err));
    }
    RF_TRY(common_name(policy->subject, arena, &cn, err));
    /* One that is no host name is the certificate's own ("CN=Web server"), if there are names beside it. */
    if (cn.len > 0 && (out->count == 0 || is_dns_name(cn))) RF_TRY(add_name(arena, out, cn, err));
    if (out->count > 0) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "AcmeError", "the policy names no host");
}

/* ---- keeping ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind save(struct step *s, struct rf_err *err)
{
    struct vault_item *item = &s->making->cert;
    item->updated = s->call->now;
    return vault_cert_put(s->call, item, err);
}

static enum rf_kind say(struct step *s, const char *what, rf_str name, struct rf_err *err)
{
    rf_str text = rf_arena_printf(s->call->arena, "%s%.*s", what, RF_FMT(name));
    struct json_node *pending = vault_cert_more(&s->making->cert, "pending");
    return text.ptr == NULL || json_set_text(s->call->arena, pending, "details", text) == NULL
               ? rf_fail_memory(err, s->call->arena)
               : RF_OK;
}

static int64_t number_at(const struct json_node *node, const char *name)
{
    int64_t n;
    return json_i64_at(node, name, &n) ? n : 0;
}

/* 1, 2, 4 ... seconds, unless the authority says how long. */
static int64_t poll_wait(struct step *s)
{
    int64_t polls = number_at(s->acme, "polls");
    (void)json_set_i64(s->call->arena, s->acme, "polls", RF_MIN(polls + 1, INT64_C(60)));
    if (s->session.retry_after > 0)
        return RF_MIN(s->session.retry_after, (int64_t)WAIT_SECONDS_MAX);
    return polls >= 6 ? POLL_SECONDS_MAX : RF_MIN((int64_t)POLL_SECONDS_MAX, INT64_C(1) << polls);
}

/* ---- the order -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind new_order(struct step *s, struct acme_reply *reply, struct rf_err *err)
{
    struct rf_arena *arena = s->call->arena;
    struct rf_buf payload = rf_buf_in(arena);
    bool dns = rf_str_is(json_text_at(s->session.issuer, "acme.challenge"), "dns-01");
    rf_buf_printf(&payload, "{\"identifiers\":[");
    for (uint32_t i = 0; i < s->names.count; i++) {
        if (s->names.names[i].ptr[0] == '*' && !dns)
            return RF_FAIL(err, RF_INVALID, "AcmeError",
                           "for %.*s the issuer needs the challenge dns-01",
                           RF_FMT(s->names.names[i]));
        rf_buf_printf(&payload, "%s{\"type\":\"dns\",\"value\":\"%.*s\"}", i == 0 ? "" : ",",
                      RF_FMT(s->names.names[i]));
    }
    rf_buf_printf(&payload, "]}");
    if (payload.failed) return rf_fail_memory(err, arena);
    RF_TRY(acme_post(&s->session, json_text_at(s->session.directory, "newOrder"),
                     rf_buf_view(&payload), false, reply, err));
    if (reply->json == NULL || !rf_str_starts(reply->location, RF_S("https://")))
        return RF_FAIL(err, RF_INVALID, "AcmeError", "the authority gives no order");
    if (json_set_text(arena, s->acme, "order", reply->location) == NULL)
        return rf_fail_memory(err, arena);
    RF_TRY(say(s, "Ordered at ", json_text_at(s->session.issuer, "acme.directory"), err));
    return save(s, err);
}

static enum rf_kind get_order(struct step *s, struct acme_reply *reply, struct rf_err *err)
{
    rf_str url = json_text_at(s->acme, "order");
    if (url.len == 0) return new_order(s, reply, err);
    enum rf_kind kind = acme_post(&s->session, url, (rf_str){0}, false, reply, err);
    if (kind == RF_NOT_FOUND) { /* forgotten there */
        json_remove(s->acme, RF_S("order"));
        return new_order(s, reply, err);
    }
    if (kind == RF_OK && reply->json == NULL)
        return RF_FAIL(err, RF_AGAIN, "AcmeUnavailable", "the authority gives no order");
    return kind;
}

/* ---- authorizations ----------------------------------------------------------------------------------------------------------- */

static const struct json_node *challenge_of(const struct json_node *authorization, rf_str type)
{
    const struct json_node *list = json_get(authorization, "challenges");
    for (const struct json_node *c = json_is(list, JSON_T_ARRAY) ? list->first : NULL; c != NULL;
         c = c->next)
        if (rf_str_eq(json_text_at(c, "type"), type)) return c;
    return NULL;
}

/* Why an authorization failed: the error of the challenge that was tried. */
static enum rf_kind authorization_failed(struct step *s, const struct json_node *authorization,
                                         struct rf_err *err)
{
    const struct json_node *list = json_get(authorization, "challenges"), *why = NULL;
    for (const struct json_node *c = json_is(list, JSON_T_ARRAY) ? list->first : NULL; c != NULL;
         c = c->next)
        if (json_get(c, "error") != NULL) why = json_get(c, "error");
    rf_str text = acme_problem_text(s->call->arena, why);
    if (text.ptr == NULL) return rf_fail_memory(err, s->call->arena);
    return RF_FAIL(err, RF_INVALID, "AcmeError",
                   "the authority did not find that %.*s is ours: %.*s",
                   RF_FMT(json_text_at(authorization, "identifier.value")), RF_FMT(text));
}

static bool is_token(rf_str token)
{
    for (size_t i = 0; i < token.len; i++)
        if (!rf_is_alnum(token.ptr[i]) && token.ptr[i] != '-' && token.ptr[i] != '_') return false;
    return token.len >= 16 && token.len <= 127;
}

static struct json_node *record_of(const struct step *s, rf_str name, rf_str value)
{
    const struct json_node *list = json_get(s->acme, "records");
    for (struct json_node *r = list == NULL ? NULL : list->first; r != NULL; r = r->next)
        if (rf_str_eq(json_text_at(r, "name"), name) && rf_str_eq(json_text_at(r, "value"), value))
            return r;
    return NULL;
}

/* The record is noted before it is made: one too many is removed, one that nobody knows of stays for ever. */
static enum rf_kind make_record(struct step *s, rf_str name, rf_str authorization, bool *ready,
                                struct rf_err *err)
{
    struct rf_arena *arena = s->call->arena;
    uint8_t digest[SHA256_BYTES];
    digest_sha256(authorization, digest);
    rf_str value = base64url_encode(arena, rf_str_make(digest, sizeof digest));
    rf_str record = rf_arena_printf(arena, "_acme-challenge.%.*s", RF_FMT(name));
    if (value.ptr == NULL || record.ptr == NULL) return rf_fail_memory(err, arena);
    struct json_node *noted = record_of(s, record, value);
    if (noted == NULL) {
        struct json_node *list = json_get(s->acme, "records");
        if (list == NULL)
            list = json_set(arena, s->acme, RF_S("records"), json_new(arena, JSON_T_ARRAY));
        noted = json_new(arena, JSON_T_OBJECT);
        bool good = json_set_text(arena, noted, "name", record) != NULL &&
                    json_set_text(arena, noted, "value", value) != NULL &&
                    json_append(list, noted) != NULL;
        if (!good) return rf_fail_memory(err, arena);
        RF_TRY(save(s, err));
    }
    if (json_get(noted, "at") == NULL) {
        int64_t at = s->call->now + number_at(s->session.issuer, "acme.waitSeconds");
        RF_TRY(acme_hook(&s->session, json_text_at(s->session.issuer, "acme.hook"), record, value,
                         "add", err));
        if (json_set_i64(arena, noted, "at", at) == NULL) return rf_fail_memory(err, arena);
    }
    int64_t left = number_at(noted, "at") - s->call->now;
    *ready = left <= 0;
    if (!*ready) s->wait = s->wait == 0 ? left : RF_MIN(s->wait, left);
    return RF_OK;
}

/* Puts there what the authority looks for, and says so. */
static enum rf_kind take_challenge(struct step *s, const struct json_node *authorization,
                                   struct rf_err *err)
{
    rf_str type = json_text_at(s->session.issuer, "acme.challenge"),
           name = json_text_at(authorization, "identifier.value");
    const struct json_node *challenge = challenge_of(authorization, type);
    struct acme_reply reply;
    bool ready = true;
    if (challenge == NULL)
        return RF_FAIL(err, RF_INVALID, "AcmeError", "the authority does not offer %.*s for %.*s",
                       RF_FMT(type), RF_FMT(name));
    rf_str token = json_text_at(challenge, "token"), status = json_text_at(challenge, "status");
    if (!is_token(token) || !is_dns_name(name))
        return RF_FAIL(err, RF_INVALID, "AcmeError", "the authority's challenge is malformed");
    rf_str authorized =
        rf_arena_printf(s->call->arena, "%.*s.%.*s", RF_FMT(token), RF_FMT(s->session.thumbprint));
    if (authorized.ptr == NULL) return rf_fail_memory(err, s->call->arena);
    if (rf_str_is(type, "dns-01"))
        RF_TRY(make_record(s, name, authorized, &ready, err));
    else
        RF_TRY(vault_acme_expose(s->call->vaults->acme, name, token, authorized, err));
    if (!ready || !rf_str_is(status, "pending")) return RF_OK;
    return acme_post(&s->session, json_text_at(challenge, "url"), RF_S("{}"), false, &reply, err);
}

/* Each authorization, as far as it comes. */
static enum rf_kind authorize(struct step *s, const struct json_node *order, struct rf_err *err)
{
    const struct json_node *list = json_get(order, "authorizations");
    if (!json_is(list, JSON_T_ARRAY) || list->count == 0 || list->count > ACME_NAMES_MAX)
        return RF_FAIL(err, RF_INVALID, "AcmeError", "the order has no authorizations");
    for (const struct json_node *url = list->first; url != NULL; url = url->next) {
        struct acme_reply reply;
        RF_TRY(acme_post(&s->session, url->text, (rf_str){0}, false, &reply, err));
        rf_str status = json_text_at(reply.json, "status");
        if (rf_str_is(status, "valid")) continue;
        if (!rf_str_is(status, "pending")) return authorization_failed(s, reply.json, err);
        RF_TRY(say(s, "The authority is to find that it is ours: ",
                   json_text_at(reply.json, "identifier.value"), err));
        RF_TRY(take_challenge(s, reply.json, err));
    }
    return RF_OK;
}

/* Records are of no use any more; what cannot be removed is told. */
static void clean_up(struct step *s)
{
    const struct json_node *list = json_get(s->acme, "records");
    rf_str hook = json_text_at(s->session.issuer, "acme.hook");
    for (const struct json_node *r = list == NULL ? NULL : list->first; r != NULL; r = r->next) {
        struct rf_err why = {0};
        if (s->session.client == NULL || hook.len == 0 ||
            acme_hook(&s->session, hook, json_text_at(r, "name"), json_text_at(r, "value"),
                      "remove", &why) != RF_OK)
            rf_log(RF_WARN, "vault.acme_record_left", RF_KV_STR("name", json_text_at(r, "name")),
                   RF_KV_STR("why", rf_str_of(why.text)));
    }
    json_remove(s->acme, RF_S("records"));
}

/* ---- the certificate ------------------------------------------------------------------------------------------------------------- */

/* The request names all that the order does, also what only the subject had. */
static enum rf_kind extend_sans(struct step *s, struct rf_err *err)
{
    struct rf_arena *arena = s->call->arena;
    struct json_node *sans = json_new(arena, JSON_T_OBJECT), *list = json_new(arena, JSON_T_ARRAY);
    bool good = json_set(arena, sans, RF_S("dns_names"), list) != NULL;
    for (uint32_t i = 0; good && i < s->names.count; i++)
        good = json_append(list, json_new_text(arena, s->names.names[i])) != NULL;
    s->making->policy.sans = sans;
    return good ? RF_OK : rf_fail_memory(err, arena);
}

/* With the key that is kept, so that a step which is done again sends the same. */
static enum rf_kind finalize(struct step *s, rf_str url, struct acme_reply *reply,
                             struct rf_err *err)
{
    struct rf_arena *arena = s->call->arena;
    struct json_node *pending = vault_cert_more(&s->making->cert, "pending");
    rf_str csr;
    RF_TRY(extend_sans(s, err));
    bool is_new = json_get(pending, "sealed") == NULL;
    if (is_new) RF_TRY(vault_cert_make_key(s->call, s->making, err));
    RF_TRY(vault_cert_make_request(s->call, s->making, &csr, err));
    rf_str shown = base64_encode(arena, csr), sent = base64url_encode(arena, csr);
    if (shown.ptr == NULL || sent.ptr == NULL ||
        json_set_text(arena, pending, "csr", shown) == NULL)
        return rf_fail_memory(err, arena);
    if (is_new) {
        RF_TRY(vault_cert_keep_key(s->call, s->making, pending, err));
        RF_TRY(save(s, err));
    }
    rf_str payload = rf_arena_printf(arena, "{\"csr\":\"%.*s\"}", RF_FMT(sent));
    if (payload.ptr == NULL) return rf_fail_memory(err, arena);
    return acme_post(&s->session, url, payload, false, reply, err);
}

static bool read_chain(rf_str pem, STACK_OF(X509) * certs)
{
    BIO *bio = pem.len == 0 || pem.len > ACME_BODY_BYTES_MAX
                   ? NULL
                   : BIO_new_mem_buf(pem.ptr, (int)pem.len);
    bool good = bio != NULL;
    for (X509 *cert; good && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL;) {
        good = sk_X509_num(certs) < CERT_CHAIN_MAX && sk_X509_push(certs, cert) > 0;
        if (!good) X509_free(cert);
    }
    BIO_free(bio);
    ERR_clear_error();
    return good && sk_X509_num(certs) > 0;
}

static enum rf_kind check_names(const struct step *s, struct rf_err *err)
{
    X509 *leaf = vault_cert_parse(s->making->leaf);
    rf_str missing = {0};
    for (uint32_t i = 0; leaf != NULL && i < s->names.count && missing.len == 0; i++) {
        rf_str name = s->names.names[i];
        /* A wildcard stands for any label. */
        rf_str host = name.ptr[0] == '*' ? rf_arena_printf(s->call->arena, "any%.*s",
                                                           RF_FMT(rf_slice(name, 1, name.len)))
                                         : name;
        if (X509_check_host(leaf, (const char *)host.ptr, host.len, 0, NULL) != 1) missing = name;
    }
    X509_free(leaf);
    if (missing.len == 0) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "AcmeError", "the authority's certificate is not for %.*s",
                   RF_FMT(missing));
}

static enum rf_kind download(struct step *s, rf_str url, struct rf_err *err)
{
    static const char *const members[] = {"keyItem", "keyKey",  "sealed",
                                          "public",  "details", "acme"};
    struct cert_making *making = s->making;
    struct json_node *pending = vault_cert_more(&making->cert, "pending");
    struct acme_reply reply;
    if (json_get(pending, "sealed") == NULL)
        return RF_FAIL(err, RF_INVALID, "AcmeError",
                       "the order has a certificate that was not asked for");
    RF_TRY(acme_post(&s->session, url, (rf_str){0}, false, &reply, err));
    STACK_OF(X509) *certs = sk_X509_new_null();
    enum rf_kind kind = RF_OK;
    if (certs == NULL || !read_chain(reply.body, certs))
        kind = RF_FAIL(err, RF_INVALID, "AcmeError",
                       "the authority gives no chain of 1 to %d certificates", CERT_CHAIN_MAX);
    if (kind == RF_OK)
        kind = vault_cert_chain(certs, making->key_public, true, s->call->arena, &making->chain,
                                &making->leaf, err);
    sk_X509_pop_free(certs, X509_free);
    RF_TRY(kind);
    RF_TRY(check_names(s, err));
    clean_up(s);
    for (size_t i = 0; i < RF_COUNT(members); i++) json_remove(pending, rf_str_of(members[i]));
    if (json_set_text(s->call->arena, pending, "status", RF_S("completed")) == NULL)
        return rf_fail_memory(err, s->call->arena);
    s->done = true;
    return vault_cert_store(s->call, making, err);
}

/* ---- a step ------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind order_failed(struct step *s, const struct json_node *order, struct rf_err *err)
{
    const struct json_node *list = json_get(order, "authorizations");
    /* An authorization says more than the order, which may say nothing. */
    for (const struct json_node *url = json_is(list, JSON_T_ARRAY) ? list->first : NULL;
         url != NULL; url = url->next) {
        struct acme_reply reply;
        struct rf_err ignored;
        if (acme_post(&s->session, url->text, (rf_str){0}, false, &reply, &ignored) == RF_OK &&
            rf_str_is(json_text_at(reply.json, "status"), "invalid"))
            return authorization_failed(s, reply.json, err);
    }
    rf_str text = acme_problem_text(s->call->arena, json_get(order, "error"));
    if (text.ptr == NULL) return rf_fail_memory(err, s->call->arena);
    return RF_FAIL(err, RF_INVALID, "AcmeError", "the authority gives the order up: %.*s",
                   RF_FMT(text));
}

static enum rf_kind advance(struct step *s, struct rf_err *err)
{
    struct acme_reply reply;
    bool finalized = false;
    RF_TRY(get_order(s, &reply, err));
    for (int round = 0; round < ROUNDS_MAX; round++) {
        rf_str status = json_text_at(reply.json, "status");
        if (rf_str_is(status, "valid"))
            return download(s, json_text_at(reply.json, "certificate"), err);
        if (rf_str_is(status, "invalid")) return order_failed(s, reply.json, err);
        if (rf_str_is(status, "pending")) RF_TRY(authorize(s, reply.json, err));
        if (!rf_str_is(status, "ready") || finalized) break;
        finalized = true;
        RF_TRY(finalize(s, json_text_at(reply.json, "finalize"), &reply, err));
    }
    if (s->wait == 0) s->wait = poll_wait(s);
    return RF_OK;
}

static enum rf_kind run(struct step *s, struct rf_err *err)
{
    RF_TRY(acme_names_of(&s->making->policy, s->call->arena, &s->names, err));
    RF_TRY(acme_session_open(s->call, s->making->policy.issuer, &s->session, err));
    enum rf_kind kind = acme_session_account(&s->session, err);
    if (kind == RF_OK) kind = advance(s, err);
    if (kind != RF_NOT_FOUND || s->session.account.len == 0) return kind;
    /* Forgotten there: made anew, with the same key, and the order too. */
    RF_TRY(acme_session_forget(&s->session, err));
    json_remove(s->acme, RF_S("order"));
    RF_TRY(acme_session_account(&s->session, err));
    return advance(s, err);
}

static bool is_transient(enum rf_kind kind, const struct rf_err *err)
{
    return kind == RF_AGAIN || kind == RF_IO ||
           (kind == RF_LIMIT && strcmp(err->code, "MemoryBudgetExceeded") != 0);
}

/* 10, 20, 40 ... seconds, at most an hour. */
static int64_t back_off(struct step *s)
{
    int64_t tries = number_at(s->acme, "tries");
    (void)json_set_i64(s->call->arena, s->acme, "tries", RF_MIN(tries + 1, INT64_C(60)));
    if (s->session.retry_after > 0) return s->session.retry_after;
    return tries >= 9 ? WAIT_SECONDS_MAX : RF_MIN((int64_t)WAIT_SECONDS_MAX, INT64_C(10) << tries);
}

static enum rf_kind wait_after(struct step *s, enum rf_kind kind, struct rf_err *err)
{
    if (kind == RF_OK) return RF_OK;
    if (!is_transient(kind, err)) return kind;
    if (strcmp(err->code, "AcmeStopping") == 0) return RF_OK; /* the next process goes on at once */
    int64_t begun = number_at(s->acme, "begun");
    if (s->call->now - begun > GIVE_UP_SECONDS)
        return RF_FAIL(err, RF_INVALID, "AcmeError", "given up after a day: %s", err->text);
    s->wait = back_off(s);
    rf_str why = rf_arena_printf(s->call->arena, "%s", err->text);
    return say(s, "Tried again later: ", why, err);
}

enum rf_kind vault_acme_step(struct vault_call *call, struct cert_making *making,
                             struct rf_err *err)
{
    struct json_node *pending = vault_cert_more(&making->cert, "pending");
    struct step s = {
        .call = call, .making = making, .acme = json_object_in(call->arena, pending, "acme")};
    if (s.acme == NULL) return rf_fail_memory(err, call->arena);
    if (number_at(s.acme, "at") > call->now) return RF_OK;
    if (json_get(s.acme, "begun") == NULL &&
        json_set_i64(call->arena, s.acme, "begun", call->now) == NULL)
        return rf_fail_memory(err, call->arena);
    enum rf_kind kind = run(&s, err);
    bool raced = kind == RF_CONFLICT && strcmp(err->code, "EtagMismatch") == 0;
    if (!raced) kind = wait_after(&s, kind, err);
    if (kind != RF_OK && !raced) {
        clean_up(&s);
        rf_log(RF_WARN, "vault.acme_failed", RF_KV_STR("vault", call->place.name),
               RF_KV_STR("certificate", making->cert.name), RF_KV_STR("why", rf_str_of(err->text)));
    }
    acme_session_close(&s.session);
    if (kind != RF_OK || s.done) return kind;
    int64_t at = call->now + RF_MAX(s.wait, INT64_C(1));
    if (json_set_i64(call->arena, s.acme, "at", at) == NULL)
        return rf_fail_memory(err, call->arena);
    making->cert.due = at;
    return save(&s, err);
}

int64_t vault_acme_next(const struct vault_item *item)
{
    const struct json_node *pending = vault_cert_more(item, "pending");
    if (!vault_cert_in_progress(pending)) return 0;
    return number_at(json_get(pending, "acme"), "at");
}

bool vault_acme_leaves(const struct vault_item *item)
{
    const struct json_node *pending = vault_cert_more(item, "pending");
    return !vault_cert_in_progress(pending) && json_at(pending, "acme.records") != NULL;
}

enum rf_kind vault_acme_clean(struct vault_call *call, struct vault_item *item, struct rf_err *err)
{
    struct json_node *pending = vault_cert_more(item, "pending");
    struct step s = {.call = call, .acme = json_get(pending, "acme")};
    struct rf_err why;
    if (acme_session_hook(call, json_text_at(pending, "issuer"), &s.session, &why) == RF_OK)
        clean_up(&s);
    json_remove(s.acme, RF_S("records"));
    acme_session_close(&s.session);
    return vault_cert_put(call, item, err);
}
