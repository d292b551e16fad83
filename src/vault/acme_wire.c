/* acme_wire.c - requests to an ACME server (RFC 8555, 6): each signed, with a nonce that the server gave. */
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "vault/acme_client.h"

enum {
    TIMEOUT_SECONDS = 10, /* the thread does other things too */
    STEP_SECONDS_MAX = 60,
    NONCE_TRIES = 5,
    RETRY_SECONDS_MAX = 86400,
    NONCE_BYTES_MAX = 1024,
    PROBLEM_BYTES_MAX = 800,
    SUBPROBLEMS_MAX = 5
};
static const char problem_prefix[] = "urn:ietf:params:acme:error:";

/* ---- what servers say ------------------------------------------------------------------------------------------------------ */

static void put_clean(struct rf_buf *out, rf_str text)
{
    for (size_t i = 0; i < text.len && rf_buf_view(out).len < PROBLEM_BYTES_MAX; i++)
        rf_buf_byte(out, text.ptr[i] < ' ' || text.ptr[i] == 0x7f ? ' ' : text.ptr[i]);
}

static rf_str type_of(const struct json_node *problem)
{
    rf_str type = json_text_at(problem, "type"), prefix = rf_str_of(problem_prefix);
    return rf_str_starts(type, prefix) ? rf_slice(type, prefix.len, type.len) : type;
}

static void put_problem(struct rf_buf *out, const struct json_node *problem)
{
    rf_str type = type_of(problem), detail = json_text_at(problem, "detail"),
           name = json_text_at(problem, "identifier.value");
    if (name.len > 0) {
        put_clean(out, name);
        put_clean(out, RF_S(": "));
    }
    put_clean(out, type.len > 0 ? type : RF_S("error"));
    if (detail.len > 0) put_clean(out, RF_S(": "));
    put_clean(out, detail);
}

rf_str acme_problem_text(struct rf_arena *arena, const struct json_node *problem)
{
    struct rf_buf out = rf_buf_in(arena);
    const struct json_node *more = json_get(problem, "subproblems");
    put_problem(&out, problem);
    if (json_is(more, JSON_T_ARRAY)) {
        const struct json_node *sub = more->first;
        for (int i = 0; sub != NULL && i < SUBPROBLEMS_MAX; sub = sub->next, i++) {
            put_clean(&out, RF_S("; "));
            put_problem(&out, sub);
        }
    }
    /* A cut may have split a character. */
    rf_str text = rf_buf_view(&out);
    while (text.len > 0 && !rf_utf8_valid(text)) text.len--;
    return out.failed ? (rf_str){0} : text;
}

int64_t acme_retry_after(rf_str value, int64_t now)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char text[40], month[4] = "", iso[40];
    int day, year, hour, minute, second;
    int64_t seconds = 0;
    if (value.len == 0 || value.len >= sizeof text) return 0;
    memcpy(text, value.ptr, value.len);
    text[value.len] = '\0';
    bool digits = true;
    for (size_t i = 0; i < value.len; i++) {
        digits &= rf_is_digit(value.ptr[i]);
        if (digits && seconds < RETRY_SECONDS_MAX) seconds = seconds * 10 + value.ptr[i] - '0';
    }
    if (!digits) {
        rf_usec at;
        if (sscanf(text, "%*3c, %2d %3s %4d %2d:%2d:%2d GMT", &day, month, &year, &hour, &minute,
                   &second) != 6)
            return 0;
        const char *found = strlen(month) == 3 ? strstr(months, month) : NULL;
        if (found == NULL || (found - months) % 3 != 0) return 0;
        (void)snprintf(iso, sizeof iso, "%04d-%02d-%02dT%02d:%02d:%02dZ", year,
                       (int)(found - months) / 3 + 1, day, hour, minute, second);
        if (!time_parse_iso(rf_str_of(iso), &at)) return 0;
        seconds = at / RF_USEC_PER_SECOND - now;
    }
    return RF_MIN(RF_MAX(seconds, (int64_t)0), (int64_t)RETRY_SECONDS_MAX);
}

static rf_str header_of(const struct http_answer *answer, const char *name)
{
    for (uint32_t i = 0; i < answer->header_count; i++)
        if (rf_str_eq_nocase(answer->headers[i].name, rf_str_of(name)))
            return answer->headers[i].value;
    return (rf_str){0};
}

/* Nonces are base64url (RFC 8555, 6.5.1): others are not sent back. */
static bool is_nonce(rf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_alnum(text.ptr[i]) && text.ptr[i] != '-' && text.ptr[i] != '_') return false;
    return text.len > 0 && text.len <= NONCE_BYTES_MAX;
}

static bool is_https(rf_str url)
{
    for (size_t i = 0; i < url.len; i++)
        if (url.ptr[i] <= ' ' || url.ptr[i] >= 0x7f || url.ptr[i] == '"' || url.ptr[i] == '\\')
            return false;
    return rf_str_starts(url, RF_S("https://")) && url.len <= ACME_URL_BYTES_MAX;
}

/* ---- one exchange ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind unavailable(struct acme_session *s, const struct rf_err *why,
                                struct rf_err *err)
{
    (void)s;
    if (why->kind == RF_DENIED || why->kind == RF_INVALID)
        return RF_FAIL(err, RF_INVALID, "AcmeError",
                       "%s: %s. The operator names hosts that may be "
                       "reached in 'outbound.hosts'.",
                       why->code, why->text);
    return RF_FAIL(err, RF_AGAIN, "AcmeUnavailable", "%s: %s", why->code, why->text);
}

static enum rf_kind exchange(struct acme_session *s, const char *method, rf_str url, rf_str body,
                             struct http_answer *out, struct rf_err *err)
{
    static const struct http_header headers[] = {
        {RF_S("User-Agent"), RF_S("Ringfort-ACME/1.0")},
        {RF_S("Accept"), RF_S("application/json, application/pem-certificate-chain, */*")},
        {RF_S("Content-Type"), RF_S("application/jose+json")}};
    struct rf_err why = {0};
    if (!is_https(url))
        return RF_FAIL(err, RF_INVALID, "AcmeError",
                       "the authority names something that is no URL of https");
    s->retry_after = 0;
    if (vault_jobs_stopping(s->call->vaults))
        return RF_FAIL(err, RF_AGAIN, "AcmeStopping", "the server stops");
    if (rf_clock_elapsed(rf_clock_real()) - s->begun > STEP_SECONDS_MAX * RF_USEC_PER_SECOND)
        return RF_FAIL(err, RF_AGAIN, "AcmeUnavailable", "the authority takes too long");
    if (http_client_call(s->client, method, url, headers, body.len > 0 ? 3 : 2, body,
                         s->call->arena, out, &why) != RF_OK)
        return unavailable(s, &why, err);
    rf_str nonce = header_of(out, "Replay-Nonce");
    s->nonce = is_nonce(nonce) ? nonce : (rf_str){0};
    s->retry_after = acme_retry_after(header_of(out, "Retry-After"), s->call->now);
    return RF_OK;
}

/* What a status that is no success means. */
static enum rf_kind refused(const struct acme_session *s, uint16_t status,
                            const struct json_node *problem, struct rf_err *err)
{
    rf_str type = type_of(problem), text = acme_problem_text(s->call->arena, problem);
    if (text.ptr == NULL) return rf_fail_memory(err, s->call->arena);
    if (status == 429 || rf_str_is(type, "rateLimited"))
        return RF_FAIL(err, RF_AGAIN, "AcmeLimited", "the authority asks to wait: %.*s",
                       RF_FMT(text));
    if (status >= 500 || rf_str_is(type, "serverInternal"))
        return RF_FAIL(err, RF_AGAIN, "AcmeUnavailable", "the authority answers %u: %.*s", status,
                       RF_FMT(text));
    if (rf_str_is(type, "badNonce"))
        return RF_FAIL(err, RF_AGAIN, "AcmeNonce", "the authority takes none of its own nonces");
    if (status == 404 || status == 410 || rf_str_is(type, "accountDoesNotExist"))
        return RF_FAIL(err, RF_NOT_FOUND, "AcmeGone", "the authority answers %u: %.*s", status,
                       RF_FMT(text));
    return RF_FAIL(err, RF_INVALID, "AcmeError", "the authority answers %u: %.*s", status,
                   RF_FMT(text));
}

static const struct json_node *object_of(struct rf_arena *arena, rf_str text)
{
    struct json_node *node;
    struct rf_err ignored;
    if (text.len == 0 || text.ptr[0] != '{') return NULL;
    return json_parse(text, arena, &node, &ignored) == RF_OK ? node : NULL;
}

static enum rf_kind need_nonce(struct acme_session *s, struct rf_err *err)
{
    struct http_answer answer;
    if (s->nonce.len > 0) return RF_OK;
    RF_TRY(exchange(s, "HEAD", json_text_at(s->directory, "newNonce"), (rf_str){0}, &answer, err));
    if (answer.status >= 400) return refused(s, answer.status, NULL, err);
    if (s->nonce.len > 0) return RF_OK;
    return RF_FAIL(err, RF_AGAIN, "AcmeUnavailable", "the authority gives no nonce");
}

/* A JWS, flattened (RFC 7515, 7.2.2). `header` is the whole of it. */
static enum rf_kind jws(struct acme_session *s, const char *member, rf_str header, rf_str payload,
                        rf_str *out, struct rf_err *err)
{
    struct rf_arena *arena = s->call->arena;
    rf_str head = base64url_encode(arena, header),
           body = payload.len == 0 ? RF_S("") : base64url_encode(arena, payload), signature;
    rf_str input = rf_arena_printf(arena, "%.*s.%.*s", RF_FMT(head), RF_FMT(body));
    if (header.ptr == NULL || head.ptr == NULL || body.ptr == NULL || input.ptr == NULL)
        return rf_fail_memory(err, arena);
    RF_TRY(vault_acme_sign(s->call, s->issuer, member, input, &signature, err));
    rf_str text = base64url_encode(arena, signature);
    *out = rf_arena_printf(arena,
                           "{\"protected\":\"%.*s\",\"payload\":\"%.*s\",\"signature\":\"%.*s\"}",
                           RF_FMT(head), RF_FMT(body), RF_FMT(text));
    return text.ptr == NULL || out->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static rf_str header_for(struct acme_session *s, rf_str url, bool by_key)
{
    struct rf_arena *arena = s->call->arena;
    return by_key
               ? rf_arena_printf(
                     arena, "{\"alg\":\"ES256\",\"jwk\":%.*s,\"nonce\":\"%.*s\",\"url\":\"%.*s\"}",
                     RF_FMT(s->jwk), RF_FMT(s->nonce), RF_FMT(url))
               : rf_arena_printf(
                     arena,
                     "{\"alg\":\"ES256\",\"kid\":\"%.*s\",\"nonce\":\"%.*s\",\"url\":\"%.*s\"}",
                     RF_FMT(s->account), RF_FMT(s->nonce), RF_FMT(url));
}

enum rf_kind acme_post(struct acme_session *s, rf_str url, rf_str payload, bool by_key,
                       struct acme_reply *out, struct rf_err *err)
{
    if (!is_https(url))
        return RF_FAIL(err, RF_INVALID, "AcmeError",
                       "the authority names something that is no URL of https");
    for (int tries = 1;; tries++) {
        struct http_answer answer;
        rf_str body;
        RF_TRY(need_nonce(s, err));
        RF_TRY(jws(s, "acmeAccount", header_for(s, url, by_key), payload, &body, err));
        s->nonce = (rf_str){0};
        RF_TRY(exchange(s, "POST", url, body, &answer, err));
        const struct json_node *json = object_of(s->call->arena, answer.body);
        if (answer.status < 300) {
            *out = (struct acme_reply){.status = answer.status,
                                       .body = answer.body,
                                       .location = header_of(&answer, "Location"),
                                       .json = json};
            return RF_OK;
        }
        if (rf_str_is(type_of(json), "badNonce") && tries < NONCE_TRIES) continue;
        return refused(s, answer.status, json, err);
    }
}

/* ---- account ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind store_issuer(struct acme_session *s, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_call *call = s->call;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_issuer_store(call, txn, s->issuer_name, s->issuer, &s->issuer_etag, err));
    return state_finish(&txn, err);
}

/* The authority's key for external accounts signs ours (RFC 8555, 7.3.4). */
static enum rf_kind external_account(struct acme_session *s, rf_str url, struct rf_buf *payload,
                                     struct rf_err *err)
{
    struct rf_arena *arena = s->call->arena;
    rf_str kid = json_text_at(s->issuer, "acme.eab.kid"), proof;
    if (kid.len == 0 || json_get(s->issuer, "acmeEab") == NULL) return RF_OK;
    struct json_node *header = json_new(arena, JSON_T_OBJECT);
    bool good = json_set_text(arena, header, "alg", RF_S("HS256")) != NULL &&
                json_set_text(arena, header, "kid", kid) != NULL &&
                json_set_text(arena, header, "url", url) != NULL;
    rf_str text = good ? json_to_text(arena, header) : (rf_str){0};
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(jws(s, "acmeEab", text, s->jwk, &proof, err));
    rf_buf_printf(payload, ",\"externalAccountBinding\":%.*s", RF_FMT(proof));
    return RF_OK;
}

static enum rf_kind new_account(struct acme_session *s, struct rf_err *err)
{
    struct rf_arena *arena = s->call->arena;
    struct rf_buf payload = rf_buf_in(arena);
    struct acme_reply reply;
    rf_str url = json_text_at(s->directory, "newAccount"),
           email = json_text_at(s->issuer, "acme.email");
    rf_buf_printf(&payload, "{\"termsOfServiceAgreed\":true");
    if (email.len > 0) {
        rf_str mail = rf_arena_printf(arena, "mailto:%.*s", RF_FMT(email));
        rf_buf_printf(&payload, ",\"contact\":[");
        json_print(&payload, json_new_text(arena, mail));
        rf_buf_printf(&payload, "]");
    }
    if (json_bool_at(s->directory, "meta.externalAccountRequired", false) &&
        json_text_at(s->issuer, "acme.eab.kid").len == 0)
        return RF_FAIL(err, RF_INVALID, "AcmeError",
                       "the authority wants an external account: set acme.eab of the issuer");
    RF_TRY(external_account(s, url, &payload, err));
    rf_buf_printf(&payload, "}");
    if (payload.failed) return rf_fail_memory(err, arena);
    RF_TRY(acme_post(s, url, rf_buf_view(&payload), true, &reply, err));
    if (!is_https(reply.location))
        return RF_FAIL(err, RF_INVALID, "AcmeError", "the authority names no URL for the account");
    s->account = reply.location;
    struct json_node *kept = json_get(s->issuer, "acmeAccount");
    if (json_set_text(arena, kept, "url", s->account) == NULL) return rf_fail_memory(err, arena);
    return store_issuer(s, err);
}

enum rf_kind acme_session_account(struct acme_session *s, struct rf_err *err)
{
    bool made;
    RF_TRY(vault_acme_account_key(s->call, s->issuer, &made, err));
    /* Before the authority hears of the key: else an account could be left whose key nobody has. */
    if (made) RF_TRY(store_issuer(s, err));
    RF_TRY(vault_acme_jwk(s->call, s->issuer, &s->jwk, &s->thumbprint, err));
    s->account = json_text_at(s->issuer, "acmeAccount.url");
    return s->account.len > 0 ? RF_OK : new_account(s, err);
}

enum rf_kind acme_session_forget(struct acme_session *s, struct rf_err *err)
{
    json_remove(json_get(s->issuer, "acmeAccount"), RF_S("url"));
    s->account = (rf_str){0};
    return store_issuer(s, err);
}

/* ---- the session -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind load_issuer(struct acme_session *s, rf_str name, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(s->call->vaults->options.state, &txn, err));
    enum rf_kind kind = vault_issuer_load(s->call, txn, name, &s->issuer, &s->issuer_etag, err);
    if (kind == RF_NOT_FOUND)
        return RF_FAIL(err, RF_INVALID, "AcmeError", "the issuer '%.*s' was deleted", RF_FMT(name));
    RF_TRY(kind);
    s->issuer_name = json_text_at(s->issuer, "name");
    if (json_bool_at(s->issuer, "attributes.enabled", true)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "AcmeError", "the issuer '%.*s' is disabled", RF_FMT(name));
}

static enum rf_kind open_client(struct acme_session *s, rf_str ca, struct rf_err *err)
{
    struct http_client_options options = {.ca_pem = ca,
                                          .timeout_usec = TIMEOUT_SECONDS * RF_USEC_PER_SECOND,
                                          .answer_bytes_max = ACME_BODY_BYTES_MAX,
                                          .egress = s->egress};
    return http_client_new(&options, &s->client, err);
}

static enum rf_kind read_directory(struct acme_session *s, struct rf_err *err)
{
    static const char *const members[] = {"newNonce", "newAccount", "newOrder"};
    struct http_answer answer;
    RF_TRY(
        exchange(s, "GET", json_text_at(s->issuer, "acme.directory"), (rf_str){0}, &answer, err));
    s->directory = object_of(s->call->arena, answer.body);
    if (answer.status != 200) return refused(s, answer.status, s->directory, err);
    for (size_t i = 0; i < RF_COUNT(members); i++)
        if (!is_https(json_text_at(s->directory, members[i])))
            return RF_FAIL(err, RF_INVALID, "AcmeError",
                           "the directory has no '%s': it is no directory of ACME (RFC 8555)",
                           members[i]);
    return RF_OK;
}

enum rf_kind acme_session_hook(struct vault_call *call, rf_str issuer, struct acme_session *out,
                               struct rf_err *err)
{
    *out = (struct acme_session){.call = call,
                                 .egress = vault_acme_egress(call->vaults->acme),
                                 .begun = rf_clock_elapsed(rf_clock_real())};
    RF_TRY(load_issuer(out, issuer, err));
    return open_client(out, json_text_at(out->issuer, "acme.ca"), err);
}

enum rf_kind acme_session_open(struct vault_call *call, rf_str issuer, struct acme_session *out,
                               struct rf_err *err)
{
    RF_TRY(acme_session_hook(call, issuer, out, err));
    return read_directory(out, err);
}

void acme_session_close(struct acme_session *s)
{
    if (s->client != NULL) http_client_free(s->client);
    s->client = NULL;
}

/* ---- the hook ------------------------------------------------------------------------------------------------------------------ */

enum rf_kind acme_hook(struct acme_session *s, rf_str url, rf_str name, rf_str value,
                       const char *action, struct rf_err *err)
{
    static const struct http_header headers[] = {{RF_S("User-Agent"), RF_S("Ringfort-ACME/1.0")},
                                                 {RF_S("Content-Type"), RF_S("application/json")}};
    struct rf_arena *arena = s->call->arena;
    struct http_answer answer;
    struct rf_err why = {0};
    rf_str body = rf_arena_printf(arena, "{\"name\":\"%.*s\",\"value\":\"%.*s\",\"action\":\"%s\"}",
                                  RF_FMT(name), RF_FMT(value), action);
    if (body.ptr == NULL) return rf_fail_memory(err, arena);
    s->retry_after = 0;
    if (http_client_call(s->client, "POST", url, headers, RF_COUNT(headers), body, arena, &answer,
                         &why) != RF_OK)
        return unavailable(s, &why, err);
    if (answer.status >= 200 && answer.status < 300) return RF_OK;
    return RF_FAIL(err, RF_AGAIN, "AcmeUnavailable", "the hook answers %u for %.*s", answer.status,
                   RF_FMT(name));
}
