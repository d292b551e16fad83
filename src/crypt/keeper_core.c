/* keeper_core.c - answers requests. What arrives is from a process that may have been taken over: each verb has its own
 * check and its own rate, and a message that breaks the rules ends the connection. */
#define _GNU_SOURCE
#include "crypt/keeper_serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/pool.h"
#include "crypt/device.h"
#include "crypt/jwt.h"
#include "crypt/keeper_vault.h"
#include "crypt/secret.h"

enum {
    THREADS_MAX = 16,
    JWT_LIFE_SECONDS_MAX = 25 * 3600,
    REFUSALS_PER_SECOND = 10,
    VAULT_TOKENS_TOLD_PER_SECOND = 200,
    TOLD_PLACES = 4096,
    BATCH_MAX = 16 /* answers that wait for one sync */
};

struct bucket {
    _Atomic int64_t window; /* which second */
    _Atomic uint32_t used;
};

struct keeper_core {
    struct rf_secret memory; /* where this lies */
    struct keeper_keys keys;
    struct keeper_vault vault;
    struct rf_clock *clock;
    struct bucket rates[KEEPER_VERB_END], refusals, vault_tokens;
    _Atomic uint64_t
        told[TOLD_PLACES]; /* whom a token for vaults was signed for, and in which minute */
};

/* OpenSSL 3 takes a tenth of a signature's time to set one up, so a thread keeps what it made. */
struct signer {
    EVP_PKEY *key; /* counted, so that no other comes to lie at its address; NULL: none */
    EVP_PKEY_CTX *ctx;
};

/* An answer that goes when its line of the audit log is on the disk. */
struct held {
    uint8_t *message;
    size_t len;
    enum keeper_verb verb;
    uint32_t id;
};

/* What a thread needs to answer; kept from request to request. */
struct desk {
    struct keeper_core *core;
    int fd;
    uint8_t inbox[KEEPER_MESSAGE_BYTES_MAX + 1], outbox[KEEPER_MESSAGE_BYTES_MAX];
    uint8_t secret[KEEPER_SECRET_BYTES]; /* of the answer; wiped after it */
    struct rf_arena arena;
    struct signer tls, jwt;
    uint64_t line; /* of the request at hand; 0: none that must be on the disk before the answer */
    struct held held[BATCH_MAX];
    uint32_t held_count;
    uint64_t held_line; /* the last one that they wait for */
};

/* Takes one of the `per_second` of this second. Two threads that meet at its turn may let a few more through. */
static bool within(struct bucket *bucket, struct rf_clock *clock, uint32_t per_second)
{
    int64_t second = rf_clock_elapsed(clock) / RF_USEC_PER_SECOND;
    if (atomic_exchange(&bucket->window, second) != second) atomic_store(&bucket->used, 0);
    return atomic_fetch_add(&bucket->used, 1) < per_second;
}

struct keeper_keys *keeper_core_keys(struct keeper_core *core) { return &core->keys; }

/* ---- verbs ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind tls_chain(struct desk *desk, const struct keeper_request *request,
                              struct keeper_answer *answer, struct rf_err *err)
{
    struct keeper_keys *keys = &desk->core->keys;
    (void)request;
    RF_TRY(keeper_keys_renew_tls(keys, err));
    pthread_rwlock_rdlock(&keys->lock);
    rf_str leaf = cert_pem(&desk->arena, keys->tls_der), ca = cert_pem(&desk->arena, keys->ca_der);
    pthread_rwlock_unlock(&keys->lock);
    if (leaf.ptr == NULL || ca.ptr == NULL) return rf_fail_memory(err, &desk->arena);
    answer->ca_pem = ca;
    answer->bytes = rf_arena_printf(&desk->arena, "%.*s%.*s", RF_FMT(leaf), RF_FMT(ca));
    return answer->bytes.ptr == NULL ? rf_fail_memory(err, &desk->arena) : RF_OK;
}

static enum rf_kind jwt_keys(struct desk *desk, const struct keeper_request *request,
                             struct keeper_answer *answer, struct rf_err *err)
{
    struct keeper_keys *keys = &desk->core->keys;
    (void)request;
    RF_TRY(keeper_keys_tick(keys, err));
    /* The lock is held no longer than copying takes: certificates of forgotten keys are freed. */
    pthread_rwlock_rdlock(&keys->lock);
    keeper_keys_list(keys, answer);
    bool copied = true;
    for (uint32_t i = 0; i < answer->key_count; i++)
        copied &= rf_arena_str(&desk->arena, answer->keys[i].kid, &answer->keys[i].kid) &&
                  rf_arena_str(&desk->arena, answer->keys[i].cert, &answer->keys[i].cert);
    pthread_rwlock_unlock(&keys->lock);
    return copied ? RF_OK : rf_fail_memory(err, &desk->arena);
}

static enum rf_kind jwt_rotate(struct desk *desk, const struct keeper_request *request,
                               struct keeper_answer *answer, struct rf_err *err)
{
    (void)answer;
    return keeper_keys_rotate(&desk->core->keys, request->emergency, err);
}

static void signer_drop(struct signer *signer)
{
    EVP_PKEY_CTX_free(signer->ctx);
    EVP_PKEY_free(signer->key);
    *signer = (struct signer){NULL, NULL};
}

/* `rsa` takes PKCS #1 padding over SHA-256. */
static bool signer_set(struct signer *signer, EVP_PKEY *key, bool rsa)
{
    if (signer->key == key) return true;
    signer_drop(signer);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool good = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1;
    if (rsa)
        good = good && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
               EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1;
    if (good && EVP_PKEY_up_ref(key) == 1) {
        *signer = (struct signer){key, ctx};
        return true;
    }
    EVP_PKEY_CTX_free(ctx);
    return false;
}

/* Signs a digest. */
static enum rf_kind sign(struct desk *desk, struct signer *signer, EVP_PKEY *key, rf_str digest,
                         rf_str *out, struct rf_err *err)
{
    size_t len = (size_t)EVP_PKEY_get_size(key);
    uint8_t *bytes = rf_arena_alloc(&desk->arena, len);
    bool good = bytes != NULL && signer_set(signer, key, signer == &desk->jwt) &&
                EVP_PKEY_sign(signer->ctx, bytes, &len, digest.ptr, digest.len) == 1;
    ERR_clear_error();
    if (!good) {
        signer_drop(signer);
        return RF_FAIL(err, RF_IO, "CryptoFailed", "cannot sign");
    }
    *out = rf_str_make(bytes, len);
    return RF_OK;
}

static enum rf_kind tls_sign(struct desk *desk, const struct keeper_request *request,
                             struct keeper_answer *answer, struct rf_err *err)
{
    size_t len = request->bytes.len;
    if (len < KEEPER_DIGEST_BYTES_MIN || len > KEEPER_DIGEST_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "BadDigest", "a digest of %zu bytes cannot be signed", len);
    return sign(desk, &desk->tls, desk->core->keys.tls, request->bytes, &answer->bytes, err);
}

static enum rf_kind bad_input(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_DENIED, "BadSigningInput", "a token is not signed that %s", what);
}

bool keeper_url_host(rf_str url, rf_str *host)
{
    if (!rf_str_starts(url, RF_S("https://"))) return false;
    rf_str rest = rf_slice(url, 8, url.len);
    size_t slash = rf_str_find(rest, RF_S("/"), 0);
    if (slash == SIZE_MAX) return false;
    rest = rf_slice(rest, 0, slash);
    if (rest.len > 0 && rest.ptr[0] == '[') {
        size_t end = rf_str_find(rest, RF_S("]"), 0);
        if (end == SIZE_MAX) return false;
        *host = rf_slice(rest, 1, end);
    } else {
        size_t colon = rf_str_find(rest, RF_S(":"), 0);
        *host = rf_slice(rest, 0, colon == SIZE_MAX ? rest.len : colon);
    }
    return host->len > 0;
}

/* Whom a token for vaults is made for: the server's word alone says so, and the log keeps it. */
struct vault_claims {
    bool are; /* for vaults */
    struct keeper_who who;
    char sub[KEEPER_WHO_BYTES];
};

/* What a captured server could gain from a signature is bounded here: only tokens of this authority, of bounded life. The
 * input is read as the strict reader of tokens reads it, so that both see the same. */
static enum rf_kind check_claims(struct desk *desk, rf_str input, const struct keeper_jwt_own *own,
                                 struct vault_claims *vaults, struct rf_err *err)
{
    struct jwt jwt;
    rf_str whole = jwt_assemble(&desk->arena, input, RF_S("-")), host;
    if (whole.ptr == NULL) return rf_fail_memory(err, &desk->arena);
    enum rf_kind kind = jwt_parse(whole, &desk->arena, &jwt, err);
    if (kind == RF_LIMIT) return kind;
    if (kind != RF_OK) return bad_input("cannot be read", err);
    if (jwt.alg != JWT_RS256) return bad_input("is not RS256", err);
    if (!rf_str_eq(jwt.kid, own->kid))
        return bad_input("names another key than the signing one", err);
    if (!keeper_url_host(json_text_at(jwt.claims, "iss"), &host) ||
        !keeper_keys_name_host(&desk->core->keys, host))
        return bad_input("has another issuer", err);
    int64_t exp, now = rf_clock_now(desk->core->clock) / RF_USEC_PER_SECOND;
    if (!json_i64_at(jwt.claims, "exp", &exp) || exp > now + JWT_LIFE_SECONDS_MAX)
        return bad_input("has no end within 25 hours", err);
    vaults->are = keeper_is_for_vaults(&desk->core->keys, json_text_at(jwt.claims, "aud"));
    rf_str app = json_text_at(jwt.claims, "appid");
    keeper_who_word(json_text_at(jwt.claims, "oid"), vaults->who.oid);
    keeper_who_word(app.len > 0 ? app : json_text_at(jwt.claims, "azp"), vaults->who.app);
    keeper_who_word(json_text_at(jwt.claims, "sub"), vaults->sub);
    return RF_OK;
}

/* A line for each principal and minute, on the disk before the token is given; when they are too many, no token. */
static enum rf_kind tell_vault_token(struct desk *desk, const struct vault_claims *claims,
                                     struct rf_err *err)
{
    struct keeper_core *core = desk->core;
    char detail[4 * KEEPER_WHO_BYTES];
    uint8_t digest[SHA256_BYTES];
    (void)snprintf(detail, sizeof detail, "oid %s app %s sub %s", claims->who.oid, claims->who.app,
                   claims->sub);
    digest_sha256(rf_str_of(detail), digest);
    uint64_t minute = (uint64_t)(rf_clock_elapsed(core->clock) / (60 * RF_USEC_PER_SECOND)),
             mark = (rf_get_u64le(digest) & ~(uint64_t)UINT32_MAX) | (uint32_t)(minute + 1);
    _Atomic uint64_t *told = &core->told[rf_get_u32le(digest) % TOLD_PLACES];
    if (atomic_load(told) == mark) return RF_OK;
    if (!within(&core->vault_tokens, core->clock, VAULT_TOKENS_TOLD_PER_SECOND))
        return RF_FAIL(err, RF_LIMIT, "TooManyRequests",
                       "tokens for vaults: at most %d principals a second",
                       VAULT_TOKENS_TOLD_PER_SECOND);
    RF_TRY(keeper_audit_append(&core->keys.audit, "token.vault", detail, &desk->line, NULL, err));
    atomic_store(told, mark);
    return RF_OK;
}

static enum rf_kind sign_input(struct desk *desk, rf_str input, rf_str *signature,
                               struct rf_err *err)
{
    struct keeper_keys *keys = &desk->core->keys;
    uint8_t digest[SHA256_BYTES];
    RF_TRY(keeper_keys_tick(keys, err));
    pthread_rwlock_rdlock(&keys->lock);
    const struct keeper_jwt_own *own = keeper_keys_signing(keys, rf_clock_now(desk->core->clock));
    EVP_PKEY *key = own->key;
    struct vault_claims vaults;
    enum rf_kind kind = check_claims(desk, input, own, &vaults, err);
    if (kind == RF_OK) EVP_PKEY_up_ref(key);
    pthread_rwlock_unlock(&keys->lock);
    if (kind != RF_OK) return kind;
    if (vaults.are) kind = tell_vault_token(desk, &vaults, err);
    digest_sha256(input, digest);
    if (kind == RF_OK)
        kind = sign(desk, &desk->jwt, key, rf_str_make(digest, sizeof digest), signature, err);
    EVP_PKEY_free(key);
    return kind;
}

static enum rf_kind jwt_sign(struct desk *desk, const struct keeper_request *request,
                             struct keeper_answer *answer, struct rf_err *err)
{
    return sign_input(desk, request->bytes, &answer->bytes, err);
}

static bool is_purpose(rf_str purpose)
{
    for (size_t i = 0; i < purpose.len; i++) {
        uint8_t c = purpose.ptr[i];
        if (!rf_is_alnum(c) && c != '.' && c != '-' && c != '_' && c != ' ') return false;
    }
    return purpose.len > 0 && purpose.len <= KEEPER_PURPOSE_BYTES_MAX;
}

/* Into desk->secret. */
static enum rf_kind mac_of(struct desk *desk, const struct keeper_request *request,
                           struct rf_err *err)
{
    uint8_t key[KEEPER_SECRET_BYTES];
    if (!is_purpose(request->purpose))
        return RF_FAIL(err, RF_INVALID, "BadPurpose",
                       "a purpose is 1 to %d letters, digits, blanks, dots, dashes, underscores",
                       KEEPER_PURPOSE_BYTES_MAX);
    keeper_derive(&desk->core->keys, "ringfort mac 1", request->purpose, key);
    digest_hmac_sha256(rf_str_make(key, sizeof key), request->bytes, desk->secret);
    OPENSSL_cleanse(key, sizeof key);
    return RF_OK;
}

static enum rf_kind mac(struct desk *desk, const struct keeper_request *request,
                        struct keeper_answer *answer, struct rf_err *err)
{
    RF_TRY(mac_of(desk, request, err));
    answer->bytes = rf_str_make(desk->secret, sizeof desk->secret);
    return RF_OK;
}

/* Gives less than mac and jwt_sign do, which a captured server may call as well: the MAC stays here. */
static enum rf_kind jwt_sign_if(struct desk *desk, const struct keeper_request *request,
                                struct keeper_answer *answer, struct rf_err *err)
{
    RF_TRY(mac_of(desk, request, err));
    rf_str own = rf_str_make(desk->secret, sizeof desk->secret);
    answer->match = KEEPER_NO_MATCH;
    for (size_t at = 0; at < request->macs.len; at += KEEPER_MAC_BYTES)
        if (secret_equal(rf_slice(request->macs, at, at + KEEPER_MAC_BYTES), own))
            answer->match = at / KEEPER_MAC_BYTES;
    if (answer->match == KEEPER_NO_MATCH) return RF_OK;
    return sign_input(desk, request->input, &answer->bytes, err);
}

static enum rf_kind store_key(struct desk *desk, const struct keeper_request *request,
                              struct keeper_answer *answer, struct rf_err *err)
{
    (void)request;
    RF_TRY(keeper_audit_write(&desk->core->keys.audit, "key.given", "store", err));
    keeper_derive(&desk->core->keys, "ringfort store 1", (rf_str){0}, desk->secret);
    answer->bytes = rf_str_make(desk->secret, sizeof desk->secret);
    return RF_OK;
}

static enum rf_kind device_ca(struct desk *desk, const struct keeper_request *request,
                              struct keeper_answer *answer, struct rf_err *err)
{
    EVP_PKEY *key;
    (void)request;
    return keeper_keys_device_ca(&desk->core->keys, &key, &answer->bytes, err);
}

static enum rf_kind device_issue(struct desk *desk, const struct keeper_request *request,
                                 struct keeper_answer *answer, struct rf_err *err)
{
    struct device_order order = {
        .name = request->purpose, .public_key = request->bytes, .seconds = request->seconds};
    return keeper_keys_issue(&desk->core->keys, &order, &desk->arena, &answer->bytes, err);
}

static enum rf_kind vault_verb(struct desk *desk, const struct keeper_request *request,
                               struct keeper_answer *answer, struct rf_err *err)
{
    return keeper_vault_handle(&desk->core->vault, request, &desk->arena, answer, &desk->line, err);
}

static enum rf_kind data_verb(struct desk *desk, const struct keeper_request *request,
                              struct keeper_answer *answer, struct rf_err *err)
{
    return keeper_data_handle(&desk->core->vault, request, &desk->arena, answer, &desk->line, err);
}

/* While it is sealed another one answers, that knows more. */
static enum rf_kind unsealed(struct desk *desk, const struct keeper_request *request,
                             struct keeper_answer *answer, struct rf_err *err)
{
    (void)request;
    answer->fields[0] = rf_arena_printf(&desk->arena, "ok open 0 0 key");
    return answer->fields[0].ptr == NULL ? rf_fail_memory(err, &desk->arena) : RF_OK;
}

/* ---- the table -------------------------------------------------------------------------------------------------------- */

/* What is not in here is refused. The rates lie far above what a busy installation needs, and bound what a captured server
 * can have signed or derived. */
static const struct {
    enum rf_kind (*handle)(struct desk *desk, const struct keeper_request *request,
                           struct keeper_answer *answer, struct rf_err *err);
    uint32_t per_second;
    enum keeper_verb counts_as; /* 0: itself */
} verbs[KEEPER_VERB_END] = {
    [KEEPER_TLS_CHAIN] = {tls_chain, 100, 0},
    [KEEPER_JWT_KEYS] = {jwt_keys, 5000, 0},
    [KEEPER_JWT_ROTATE] = {jwt_rotate, 2, 0},
    [KEEPER_TLS_SIGN] = {tls_sign, 50000, 0},
    [KEEPER_JWT_SIGN] = {jwt_sign, 20000, 0},
    [KEEPER_MAC] = {mac, 50000, 0},
    [KEEPER_STORE_KEY] = {store_key, 5, 0},
    [KEEPER_JWT_SIGN_IF] = {jwt_sign_if, 20000, KEEPER_JWT_SIGN},
    [KEEPER_DEVICE_CA] = {device_ca, 100, 0},
    [KEEPER_DEVICE_ISSUE] = {device_issue, 200, 0},
    [KEEPER_SEAL_VAULT_NEW] = {vault_verb, 50, 0},
    [KEEPER_SEAL_PUT] = {vault_verb, 20000, 0},
    [KEEPER_SEAL_OPEN] = {vault_verb, 100000, 0},
    [KEEPER_SEAL_CHANGE] = {vault_verb, 20000, 0},
    [KEEPER_SEAL_KEY_NEW] = {vault_verb, 1000, 0},
    [KEEPER_SEAL_KEY_USE] = {vault_verb, 100000, 0},
    [KEEPER_SEAL_CERTIFY] = {vault_verb, 5000, 0},
    [KEEPER_SEAL_BUNDLE] = {vault_verb, 1000, 0},
    [KEEPER_SEAL_BACKUP_MAKE] = {vault_verb, 2000, 0},
    [KEEPER_SEAL_BACKUP_OPEN] = {vault_verb, 2000, 0},
    [KEEPER_SEAL_BACKUP_PUT] = {vault_verb, 20000, 0},
    [KEEPER_SEAL_DESTROY] = {vault_verb, 20000, 0},
    [KEEPER_SEAL_RANDOM] = {vault_verb, 5000, 0},
    [KEEPER_DATA_KEY_NEW] = {data_verb, 1000, 0},
    [KEEPER_DATA_KEY_OPEN] = {data_verb, 20000, 0},
    [KEEPER_DATA_KEY_DESTROY] = {data_verb, 1000, 0},
    [KEEPER_UNSEAL] = {unsealed, 10, 0},
};

/* Refused requests leave a line, but a flood of them must not fill the disk. */
static void audit_refusal(struct keeper_core *core, const struct keeper_request *request,
                          const struct rf_err *err)
{
    char detail[480], of[320] = "";
    if (err->kind == RF_LIMIT || !within(&core->refusals, core->clock, REFUSALS_PER_SECOND)) return;
    if (request->verb >= KEEPER_SEAL_VAULT_NEW && request->verb < KEEPER_DATA_KEY_NEW)
        keeper_vault_describe(request, of, sizeof of);
    (void)snprintf(detail, sizeof detail, "%s %s%s%s", keeper_verb_name(request->verb), err->code,
                   of[0] == '\0' ? "" : " ", of);
    (void)keeper_audit_write(&core->keys.audit, "request.refused", detail, NULL);
}

static void answer_request(struct desk *desk, const struct keeper_request *request,
                           struct keeper_answer *answer)
{
    struct keeper_core *core = desk->core;
    struct rf_err err = {0};
    enum keeper_verb counted = verbs[request->verb].counts_as;
    if (counted == 0) counted = request->verb;
    *answer = (struct keeper_answer){.verb = request->verb, .id = request->id};
    desk->line = 0;
    if (within(&core->rates[counted], core->clock, verbs[request->verb].per_second))
        answer->kind = verbs[request->verb].handle(desk, request, answer, &err);
    else
        answer->kind = RF_FAIL(&err, RF_LIMIT, "TooManyRequests", "%s: at most %u a second",
                               keeper_verb_name(request->verb), verbs[request->verb].per_second);
    if (answer->kind == RF_OK) return;
    desk->line = 0;
    audit_refusal(core, request, &err);
    /* err goes out of scope. */
    answer->code = rf_str_of(err.code);
    if (!rf_arena_str(&desk->arena, rf_str_of(err.text), &answer->text)) answer->text = (rf_str){0};
}

/* ---- serving ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind send_message(struct desk *desk, uint8_t *message, size_t len,
                                 struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    while (send(desk->fd, message, len, MSG_NOSIGNAL) < 0) {
        if (errno == EINTR) continue;
        kind = RF_FAIL(err, RF_AGAIN, "PeerGone", "the server has gone");
        break;
    }
    OPENSSL_cleanse(message, len);
    return kind;
}

/* Into the outbox; what is too long becomes an error. */
static enum rf_kind put_answer(struct desk *desk, const struct keeper_answer *answer, size_t *len,
                               struct rf_err *err)
{
    if (keeper_wire_put_answer(answer, desk->outbox, len, err) == RF_OK) return RF_OK;
    struct keeper_answer instead = {.verb = answer->verb,
                                    .id = answer->id,
                                    .kind = RF_LIMIT,
                                    .code = RF_S("MessageTooLarge"),
                                    .text = RF_S("the answer does not fit into a message")};
    return keeper_wire_put_answer(&instead, desk->outbox, len, err);
}

static enum rf_kind send_answer(struct desk *desk, const struct keeper_answer *answer,
                                struct rf_err *err)
{
    size_t len;
    RF_TRY(put_answer(desk, answer, &len, err));
    return send_message(desk, desk->outbox, len, err);
}

/* Keeps the answer until the sync; without memory the sync is made for it alone. */
static enum rf_kind hold_answer(struct desk *desk, const struct keeper_answer *answer,
                                struct rf_err *err)
{
    size_t len;
    RF_TRY(put_answer(desk, answer, &len, err));
    uint8_t *message = malloc(len);
    if (message == NULL) {
        RF_TRY(keeper_audit_sync(&desk->core->keys.audit, desk->line, err));
        return send_message(desk, desk->outbox, len, err);
    }
    memcpy(message, desk->outbox, len);
    OPENSSL_cleanse(desk->outbox, len);
    desk->held[desk->held_count++] =
        (struct held){.message = message, .len = len, .verb = answer->verb, .id = answer->id};
    desk->held_line = RF_MAX(desk->held_line, desk->line);
    return RF_OK;
}

static enum rf_kind send_unwritten(struct desk *desk, const struct held *held,
                                   const struct rf_err *why, struct rf_err *err)
{
    struct keeper_answer answer = {.verb = held->verb,
                                   .id = held->id,
                                   .kind = why->kind,
                                   .code = rf_str_of(why->code),
                                   .text = rf_str_of(why->text)};
    return send_answer(desk, &answer, err);
}

/* Nobody hears of what is not in the log. `wait`: also for another thread's sync; without it *busy says that there is one, and the
 * answers stay. */
static enum rf_kind send_held(struct desk *desk, bool wait, bool *busy, struct rf_err *err)
{
    struct keeper_audit *audit = &desk->core->keys.audit;
    struct rf_err why = {0};
    enum rf_kind kind = RF_OK;
    *busy = false;
    bool written = (wait ? keeper_audit_sync(audit, desk->held_line, &why)
                         : keeper_audit_try_sync(audit, desk->held_line, busy, &why)) == RF_OK;
    if (*busy) return RF_OK;
    for (uint32_t i = 0; i < desk->held_count; i++) {
        struct held *held = &desk->held[i];
        if (kind == RF_OK)
            kind = written ? send_message(desk, held->message, held->len, err)
                           : send_unwritten(desk, held, &why, err);
        OPENSSL_cleanse(held->message, held->len);
        free(held->message);
    }
    desk->held_count = 0;
    desk->held_line = 0;
    return kind;
}

/* Answers one message, or holds the answer. */
static enum rf_kind serve_one(struct desk *desk, size_t got, struct rf_err *err)
{
    struct keeper_request request;
    struct keeper_answer answer;
    enum rf_kind kind = keeper_wire_read_request(rf_str_make(desk->inbox, got), &request, err);
    if (kind != RF_OK) {
        (void)keeper_audit_write(&desk->core->keys.audit, "protocol.error", "server", NULL);
        return kind;
    }
    answer_request(desk, &request, &answer);
    kind = desk->line != 0 ? hold_answer(desk, &answer, err) : send_answer(desk, &answer, err);
    OPENSSL_cleanse(desk->inbox, got);
    OPENSSL_cleanse(desk->secret, sizeof desk->secret);
    for (uint32_t i = 0; i < keeper_answer_fields(answer.verb); i++)
        if (answer.kind == RF_OK && answer.fields[i].len > 0)
            OPENSSL_cleanse((uint8_t *)(uintptr_t)answer.fields[i].ptr, answer.fields[i].len);
    rf_arena_reset(&desk->arena);
    return kind;
}

/* Receives messages and answers them: those that leave lines in the audit log go together, so that one sync pays for what is
 * there. While another thread syncs this one goes on taking messages: a handshake never waits for the disk. RF_AGAIN: the other
 * side has closed. */
static enum rf_kind serve_some(struct desk *desk, struct rf_err *err)
{
    enum { PAUSE_MS = 1 };
    bool busy = false;
    do {
        struct pollfd more = {.fd = desk->fd, .events = POLLIN};
        if (busy) (void)poll(&more, 1, PAUSE_MS);
        int flags = desk->held_count > 0 ? MSG_DONTWAIT : 0;
        ssize_t got = recv(desk->fd, desk->inbox, sizeof desk->inbox, flags);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN && flags != 0) {
            RF_TRY(send_held(desk, false, &busy, err));
            continue;
        }
        /* An empty datagram reads as an end too, and ends its sender. */
        if (got <= 0) return RF_FAIL(err, RF_AGAIN, "PeerGone", "the server has gone");
        RF_TRY(serve_one(desk, (size_t)got, err));
    } while (desk->held_count > 0 && desk->held_count < BATCH_MAX);
    return desk->held_count == 0 ? RF_OK : send_held(desk, true, &busy, err);
}

static struct desk *desk_new(struct keeper_core *core, int fd)
{
    enum { DESK_MEMORY_BYTES = 1 << 20 };
    struct desk *desk = calloc(1, sizeof *desk);
    if (desk == NULL) return NULL;
    desk->core = core;
    desk->fd = fd;
    rf_arena_init(&desk->arena, DESK_MEMORY_BYTES);
    return desk;
}

static void desk_free(struct desk *desk)
{
    signer_drop(&desk->tls);
    signer_drop(&desk->jwt);
    for (uint32_t i = 0; i < desk->held_count; i++) {
        OPENSSL_cleanse(desk->held[i].message, desk->held[i].len);
        free(desk->held[i].message);
    }
    rf_arena_done(&desk->arena);
    OPENSSL_cleanse(desk, sizeof *desk);
    free(desk);
}

enum rf_kind keeper_core_work(struct keeper_core *core, int fd, struct rf_err *err)
{
    struct desk *desk = desk_new(core, fd);
    if (desk == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a thread's desk");
    enum rf_kind kind = RF_OK;
    while (kind == RF_OK) kind = serve_some(desk, err);
    /* The other threads on this descriptor end as well. */
    shutdown(fd, SHUT_RDWR);
    desk_free(desk);
    return kind == RF_AGAIN ? RF_OK : kind;
}

struct helper {
    pthread_t thread;
    struct keeper_core *core;
    int fd;
    enum rf_kind kind;
    struct rf_err err;
};

static void *help(void *ctx)
{
    struct helper *helper = ctx;
    helper->kind = keeper_core_work(helper->core, helper->fd, &helper->err);
    return NULL;
}

unsigned keeper_core_workers(void)
{
    return RF_MAX(RF_MIN(pool_processors() + 2, (unsigned)THREADS_MAX),
                  (unsigned)KEEPER_WORKERS_MIN);
}

enum rf_kind keeper_core_serve(struct keeper_core *core, int fd, struct rf_err *err)
{
    struct helper helpers[THREADS_MAX];
    unsigned wanted = RF_MIN(keeper_core_workers(), (unsigned)THREADS_MAX + 1) - 1, count = 0;
    for (; count < wanted; count++) {
        helpers[count] = (struct helper){.core = core, .fd = fd};
        /* With fewer threads it is slower, no more. */
        if (pthread_create(&helpers[count].thread, NULL, help, &helpers[count]) != 0) break;
    }
    enum rf_kind kind = keeper_core_work(core, fd, err);
    for (unsigned i = 0; i < count; i++) {
        pthread_join(helpers[i].thread, NULL);
        if (kind != RF_OK || helpers[i].kind == RF_OK) continue;
        kind = helpers[i].kind;
        if (err != NULL) *err = helpers[i].err;
    }
    return kind;
}

enum rf_kind keeper_core_prime(struct keeper_core *core, struct rf_err *err)
{
    struct desk *desk = desk_new(core, -1);
    if (desk == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a thread's desk");
    uint8_t digest[SHA256_BYTES];
    rf_str signature, bytes = rf_str_make(digest, sizeof digest);
    digest_sha256(RF_S("prime"), digest);
    const struct keeper_jwt_own *own = keeper_keys_signing(&core->keys, rf_clock_now(core->clock));
    enum rf_kind kind = sign(desk, &desk->tls, core->keys.tls, bytes, &signature, err);
    if (kind == RF_OK) kind = sign(desk, &desk->jwt, own->key, bytes, &signature, err);
    EVP_PKEY *key = NULL; /* as a rotation does */
    if (kind == RF_OK) kind = key_make(KEY_P256, &key, err);
    EVP_PKEY_free(key);
    desk_free(desk);
    return kind;
}

/* ---- life ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind open_in(int folder, const char *name, int flags, int *fd, struct rf_err *err)
{
    *fd = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    struct stat status;
    if (*fd < 0) return RF_FAIL_ERRNO(err, "InputOutput", "cannot open the keeper's %s", name);
    if (fstat(*fd, &status) != 0 || !S_ISREG(status.st_mode))
        return RF_FAIL(err, RF_INVALID, "BadFile", "the keeper's %s is no plain file", name);
    if ((status.st_mode & 077) != 0 || status.st_uid != geteuid())
        return RF_FAIL(err, RF_DENIED, "FileDenied",
                       "the keeper's %s must belong to the user that runs it and be open to nobody "
                       "else (chmod 600)",
                       name);
    return RF_OK;
}

/* Opens root.key and root.seal; without a key file, when people have opened it. */
static enum rf_kind load_root(struct keeper_keys *keys, int folder,
                              const struct keeper_core_options *options, struct rf_err *err)
{
    struct stat status;
    int key = -1, seal = -1;
    bool fresh = fstat(keys->file.fd, &status) == 0 && status.st_size == 0;
    enum rf_kind kind = open_in(folder, "root.key", 0, &key, err);
    if (kind == RF_OK) kind = open_in(folder, "root.seal", 0, &seal, err);
    if (kind != RF_OK) {
        if (key >= 0) close(key);
        if (seal >= 0) close(seal);
        return kind;
    }
    RF_TRY(root_seal_init(&keys->seal, seal, key, fresh, options->clock, err));
    if (fsync(folder) != 0)
        return RF_FAIL_ERRNO(err, "InputOutput", "cannot sync the keeper's folder");
    if (!keys->seal.open && options->unseal == NULL)
        return RF_FAIL(err, RF_AGAIN, "VaultSealed", "the root key is sealed");
    if (!keys->seal.open) RF_TRY(options->unseal(options->unseal_ctx, &keys->seal, err));
    RF_ASSERT(keys->seal.open);
    memcpy(keys->root, root_seal_key(&keys->seal, 1), sizeof keys->root);
    return RF_OK;
}

/* Who opens it by hand leaves a line, with the attempts that failed. */
static enum rf_kind tell_unsealed(struct keeper_keys *keys, struct rf_err *err)
{
    char detail[ROOT_DESCRIPTION_BYTES + 40], description[ROOT_DESCRIPTION_BYTES];
    const struct root_slot *slot = &keys->seal.slot;
    if (slot->counter == 0 || slot->locks[0].kind == ROOT_LOCK_FILE) return RF_OK;
    root_slot_describe(slot, description);
    (void)snprintf(detail, sizeof detail, "%s, %u failures", description, keys->seal.failures);
    return keeper_audit_write(&keys->audit, "root.unsealed", detail, err);
}

static enum rf_kind open_heads(struct keeper_keys *keys, int folder, struct rf_err *err)
{
    uint8_t key[KEEPER_SECRET_BYTES];
    int fd = -1;
    enum rf_kind kind = open_in(folder, "heads", 0, &fd, err);
    if (kind != RF_OK) {
        if (fd >= 0) close(fd);
        return kind;
    }
    keeper_derive(keys, "ringfort heads 1", (rf_str){0}, key);
    kind = keeper_heads_open(&keys->heads, fd, key, err);
    OPENSSL_cleanse(key, sizeof key);
    keys->file.heads = &keys->heads;
    return kind;
}

/* What the log itself shows, against its head; what is wrong becomes a line of it. `first`: there are no keys yet. */
static enum rf_kind tell_audit(struct keeper_keys *keys, const struct keeper_audit_check *check,
                               const struct keeper_head *want, bool first, struct rf_err *err)
{
    char detail[96];
    const struct keeper_head *have = &keys->audit.head;
    uint64_t lines = have->count;
    bool present = keys->heads.present;
    if (check->broken != 0) {
        (void)snprintf(detail, sizeof detail, "line %llu", (unsigned long long)check->broken);
        RF_TRY(keeper_audit_write(&keys->audit, "audit.broken", detail, err));
    }
    if (present && (lines < want->count || check->other)) {
        (void)snprintf(detail, sizeof detail, "%llu lines, %llu before%s",
                       (unsigned long long)lines, (unsigned long long)want->count,
                       check->other ? ", of which the last is another" : "");
        RF_TRY(keeper_audit_write(&keys->audit, "audit.cut", detail, err));
    }
    if (present && lines > want->count + KEEPER_AUDIT_AHEAD_MAX)
        RF_TRY(keeper_audit_write(&keys->audit, "heads.stale", "audit log", err));
    /* Before there were heads, a keeper with keys had lines. */
    if (!present && !first && (check->has_heads || lines == 0))
        RF_TRY(keeper_audit_write(&keys->audit, "heads.missing", "begun anew", err));
    if (!present && !check->has_heads)
        RF_TRY(keeper_audit_write(&keys->audit, "heads.begun", "", err));
    if (keys->heads.audit.count == have->count) return RF_OK;
    return keeper_heads_set(&keys->heads, &keys->heads.audit, have, err);
}

static enum rf_kind open_audit(struct keeper_keys *keys, int folder, struct rf_clock *clock,
                               bool first, bool *ahead, struct rf_err *err)
{
    uint8_t key[KEEPER_SECRET_BYTES];
    struct keeper_audit_check check;
    struct keeper_head want = keys->heads.audit;
    int fd = -1;
    enum rf_kind kind = open_in(folder, "audit.log", O_APPEND, &fd, err);
    if (kind != RF_OK) {
        if (fd >= 0) close(fd);
        return kind;
    }
    keeper_derive(keys, "ringfort audit 1", (rf_str){0}, key);
    kind = keeper_audit_open(&keys->audit, fd, key, &keys->heads, clock, &check, err);
    OPENSSL_cleanse(key, sizeof key);
    if (kind != RF_OK) return kind;
    *ahead = keys->audit.head.count > want.count;
    return tell_audit(keys, &check, &want, first, err);
}

/* What the file of keys shows against its head; `ahead`: the audit log is ahead of its own. */
static enum rf_kind tell_keys(struct keeper_keys *keys, bool ahead, struct rf_err *err)
{
    uint64_t have = keys->file.head.count, known = keys->heads.keys.count;
    uint64_t more = have - RF_MIN(have, known);
    if (known > 0 && more > KEEPER_KEYS_AHEAD_MAX)
        RF_TRY(keeper_audit_write(&keys->audit, "heads.stale", "keys", err));
    /* A crash tears a slot only after a file has grown. */
    if (keys->heads.torn && keys->heads.present && !ahead && more == 0)
        RF_TRY(keeper_audit_write(&keys->audit, "heads.damaged", "a slot does not hold", err));
    if (more == 0) return RF_OK;
    return keeper_heads_set(&keys->heads, &keys->heads.keys, &keys->file.head, err);
}

/* The keys come first: what opens them is the right root key, under which the other files may be written. */
static enum rf_kind open_files(struct keeper_keys *keys, int folder,
                               const struct keeper_core_options *options, struct rf_err *err)
{
    struct stat status;
    bool ahead, first = fstat(keys->file.fd, &status) == 0 && status.st_size == 0;
    RF_TRY(open_heads(keys, folder, err));
    enum rf_kind kind = keeper_keys_load(keys, options, err);
    if (kind == RF_CORRUPT && keys->heads.present &&
        open_audit(keys, folder, options->clock, first, &ahead, NULL) == RF_OK)
        (void)keeper_audit_write(&keys->audit, "keys.damaged", "not started", NULL);
    RF_TRY(kind);
    RF_TRY(open_audit(keys, folder, options->clock, first, &ahead, err));
    RF_TRY(tell_keys(keys, ahead, err));
    RF_TRY(tell_unsealed(keys, err));
    return keeper_keys_make(keys, options, err);
}

static enum rf_kind open_vault(struct keeper_core *core, int folder, struct rf_err *err)
{
    int fd = -1;
    enum rf_kind kind = open_in(folder, "vault", 0, &fd, err);
    if (kind == RF_OK) return keeper_vault_open(&core->vault, &core->keys, folder, fd, err);
    if (fd >= 0) close(fd);
    return kind;
}

static enum rf_kind open_all(struct keeper_core *core, const struct keeper_core_options *options,
                             struct rf_err *err)
{
    struct keeper_keys *keys = &core->keys;
    if (mkdir(options->folder, 0700) != 0 && errno != EEXIST)
        return RF_FAIL_ERRNO(err, "InputOutput", "cannot make %s", options->folder);
    int folder = open(options->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return RF_FAIL_ERRNO(err, "InputOutput", "cannot open %s", options->folder);
    enum rf_kind kind = open_in(folder, "keys", 0, &keys->file.fd, err);
    if (kind == RF_OK && flock(keys->file.fd, LOCK_EX | LOCK_NB) != 0)
        kind = RF_FAIL(err, RF_CONFLICT, "FileLocked", "another keeper holds %s", options->folder);
    if (kind == RF_OK) kind = load_root(keys, folder, options, err);
    if (kind == RF_OK) kind = open_files(keys, folder, options, err);
    if (kind == RF_OK) kind = open_vault(core, folder, err);
    if (kind == RF_OK && fsync(folder) != 0)
        kind = RF_FAIL_ERRNO(err, "InputOutput", "cannot sync %s", options->folder);
    close(folder);
    return kind;
}

enum rf_kind keeper_core_new(const struct keeper_core_options *options, struct keeper_core **out,
                             struct rf_err *err)
{
    struct rf_secret memory;
    RF_TRY(rf_secret_init(&memory, sizeof(struct keeper_core), true, err));
    struct keeper_core *core = (struct keeper_core *)(void *)memory.ptr;
    core->memory = memory;
    core->clock = options->clock;
    core->keys.file.fd = -1;
    core->keys.audit.fd = -1;
    core->keys.heads.fd = -1;
    pthread_rwlock_init(&core->keys.lock, NULL);
    enum rf_kind kind = open_all(core, options, err);
    if (kind != RF_OK) {
        keeper_core_free(core);
        return kind;
    }
    *out = core;
    return RF_OK;
}

struct root_talk keeper_core_talk(struct keeper_core *core)
{
    return (struct root_talk){.seal = &core->keys.seal, .audit = &core->keys.audit};
}

void keeper_core_free(struct keeper_core *core)
{
    if (core == NULL) return;
    keeper_vault_done(&core->vault);
    keeper_keys_done(&core->keys);
    if (core->keys.audit.clock != NULL) keeper_audit_done(&core->keys.audit);
    if (core->keys.file.heads != NULL) keeper_heads_done(&core->keys.heads);
    if (core->keys.file.fd >= 0) close(core->keys.file.fd);
    pthread_rwlock_destroy(&core->keys.lock);
    struct rf_secret memory = core->memory;
    rf_secret_done(&memory);
}
