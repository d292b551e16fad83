/* signin_context.c - what is carried from page to page of a sign-in, and cookies.
 *
 * Nothing of a sign-in that has not ended is kept here, so that strangers who ask for the page fill nothing: what was found out so far goes with the page,
 * as JSON in base64url with a MAC that only the keeper can make. The MAC is over a cookie of this browser too: what was given to one browser is of no
 * use in another, and a form that another site makes up is refused. */
#include <openssl/crypto.h>

#include "identity/signin_int.h"

enum { CONTEXT_LIFE_SECONDS = 900, COOKIE_BYTES = 43, CONTEXT_BYTES_MAX = 48 << 10 };

/* ---- cookies -------------------------------------------------------------------------------------------------------- */

void cookie_set(struct request *request, const char *name, rf_str value, int64_t max_age_seconds)
{
    struct rf_arena *arena = request->arena;
    rf_str age = max_age_seconds < 0
                     ? RF_S("")
                     : rf_arena_printf(arena, "; Max-Age=%lld", (long long)max_age_seconds);
    rf_str text = rf_arena_printf(arena, "%s=%.*s; Path=/; Secure; HttpOnly; SameSite=Lax%.*s",
                                  name, RF_FMT(value), RF_FMT(age));
    if (text.ptr == NULL)
        request->response->failed = true;
    else
        http_add(request->response, "Set-Cookie", text);
}

/* ---- the context ------------------------------------------------------------------------------------------------------- */

static enum rf_kind mac_of(struct signin *s, rf_str body, uint8_t out[KEEPER_MAC_BYTES],
                           struct rf_err *err)
{
    uint8_t hash[SHA256_BYTES];
    rf_str both = rf_arena_printf(s->arena, "%.*s:%.*s", RF_FMT(s->cookie), RF_FMT(body));
    if (both.ptr == NULL) return rf_fail_memory(err, s->arena);
    digest_sha256(
        both, hash); /* a message to the keeper has its limit, a query of an application another */
    return keeper_mac(s->identity->options.keeper, "signin", rf_str_make(hash, sizeof hash), out,
                      err);
}

static struct json_node *to_json(const struct signin *s)
{
    struct rf_arena *arena = s->arena;
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    json_set_i64(arena, doc, "for", s->what);
    json_set_i64(arena, doc, "step", s->step);
    json_set_text(arena, doc, "query", s->query);
    json_set_text(arena, doc, "tenant", s->tenant);
    json_set_text(arena, doc, "code", s->user_code);
    json_set_text(arena, doc, "typed", s->typed);
    json_set_text(arena, doc, "user", s->user);
    json_set_i64(arena, doc, "proofs", s->proofs);
    json_set_i64(arena, doc, "proved", s->proved);
    json_set_i64(arena, doc, "second", s->second_proved);
    json_set_i64(arena, doc, "begun", s->begun);
    json_set_bool(arena, doc, "keep", s->keep);
    json_set_bool(arena, doc, "asked", s->kept_asked);
    json_set_bool(arena, doc, "agreed", s->agreed);
    json_set_bool(arena, doc, "changed", s->changed);
    json_set_bool(arena, doc, "fresh", s->fresh);
    json_set_text(arena, doc, "extra", s->extra);
    return json_set_text(arena, doc, "correlation", s->correlation_id) == NULL ? NULL : doc;
}

static int64_t number_at(const struct json_node *doc, const char *name)
{
    int64_t number = 0;
    (void)json_i64_at(doc, name, &number);
    return number;
}

static void from_json(struct signin *s, const struct json_node *doc)
{
    s->what = (enum signin_for)number_at(doc, "for");
    s->step = (enum signin_step)number_at(doc, "step");
    s->query = json_text_at(doc, "query");
    s->tenant = json_text_at(doc, "tenant");
    s->user_code = json_text_at(doc, "code");
    s->typed = json_text_at(doc, "typed");
    s->user = json_text_at(doc, "user");
    s->proofs = (unsigned)number_at(doc, "proofs");
    s->proved = number_at(doc, "proved");
    s->second_proved = number_at(doc, "second");
    s->begun = number_at(doc, "begun");
    s->keep = json_bool_at(doc, "keep", false);
    s->kept_asked = json_bool_at(doc, "asked", false);
    s->agreed = json_bool_at(doc, "agreed", false);
    s->changed = json_bool_at(doc, "changed", false);
    s->fresh = json_bool_at(doc, "fresh", false);
    s->extra = json_text_at(doc, "extra");
    s->correlation_id = json_text_at(doc, "correlation");
}

enum rf_kind signin_seal(struct signin *s, rf_str *out, struct rf_err *err)
{
    uint8_t mac[KEEPER_MAC_BYTES];
    if (s->cookie.len != COOKIE_BYTES) {
        uint8_t raw[32];
        random_bytes(raw, sizeof raw);
        s->cookie = base64url_encode(s->arena, rf_str_make(raw, sizeof raw));
        if (s->cookie.ptr == NULL) return rf_fail_memory(err, s->arena);
        cookie_set(s->request, FLOW_COOKIE, s->cookie, -1);
    }
    rf_str text = json_to_text(s->arena, to_json(s));
    if (text.ptr == NULL) return rf_fail_memory(err, s->arena);
    rf_str body = base64url_encode(s->arena, text);
    if (body.ptr == NULL) return rf_fail_memory(err, s->arena);
    RF_TRY(mac_of(s, body, mac, err));
    rf_str tail = base64url_encode(s->arena, rf_str_make(mac, sizeof mac));
    *out = rf_arena_printf(s->arena, "%.*s.%.*s", RF_FMT(body), RF_FMT(tail));
    return tail.ptr == NULL || out->ptr == NULL ? rf_fail_memory(err, s->arena) : RF_OK;
}

static enum rf_kind expired(struct rf_err *err)
{
    return RF_FAIL(err, RF_DENIED, "SigninExpired",
                   "This page was open for too long, or belongs to another sign-in. Begin anew.");
}

enum rf_kind signin_open(struct signin *s, rf_str sealed, struct rf_err *err)
{
    uint8_t mac[KEEPER_MAC_BYTES];
    rf_str told, text;
    struct rf_err ignored;
    struct json_node *doc;
    size_t dot = rf_str_find(sealed, RF_S("."), 0);
    s->cookie = http_cookie(s->request->http, FLOW_COOKIE);
    if (s->cookie.len != COOKIE_BYTES || dot == SIZE_MAX || sealed.len > CONTEXT_BYTES_MAX)
        return expired(err);
    rf_str body = rf_slice(sealed, 0, dot);
    if (base64url_decode(s->arena, rf_slice(sealed, dot + 1, sealed.len), &told, &ignored) !=
            RF_OK ||
        told.len != sizeof mac)
        return expired(err);
    RF_TRY(mac_of(s, body, mac, err));
    if (CRYPTO_memcmp(mac, told.ptr, sizeof mac) != 0) return expired(err);
    RF_TRY(base64url_decode(s->arena, body, &text, err));
    RF_TRY(json_parse(text, s->arena, &doc, err));
    from_json(s, doc);
    rf_usec age = s->request->now - s->begun;
    return age < 0 || age > (rf_usec)CONTEXT_LIFE_SECONDS * RF_USEC_PER_SECOND ? expired(err)
                                                                               : RF_OK;
}

/* ---- the session ------------------------------------------------------------------------------------------------------- */

enum rf_kind signin_load_session(struct signin *s, struct rf_err *err)
{
    rf_str cookie = http_cookie(s->request->http, SESSION_COOKIE);
    struct person person;
    struct rf_err ignored;
    if (cookie.len == 0) return RF_OK;
    bool stale = false;
    {
        IDENTITY_TXN txn = NULL;
        RF_TRY(state_begin_read(s->identity->options.state, &txn, err));
        enum rf_kind kind = session_find(txn, cookie, s->request->now, s->arena, &s->session, err);
        if (kind == RF_NOT_FOUND) return RF_OK;
        RF_TRY(kind);
        kind = person_by_id(txn, s->session.user, s->arena, &person, err);
        if (kind == RF_NOT_FOUND) return RF_OK;
        RF_TRY(kind);
        if (person_still(&person, s->session.proved, &ignored) != RF_OK) return RF_OK;
        stale = session_is_stale(&s->session, s->request->now);
    }
    s->has_session = true;
    s->session_cookie = cookie;
    if (!stale) return RF_OK;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(s->identity->options.state, &txn, err));
    RF_TRY(session_touch(txn, cookie, s->request->now, s->arena, err));
    return state_finish(&txn, err);
}
