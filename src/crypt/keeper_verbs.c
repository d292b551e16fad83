/* keeper_verbs.c - the keeper's table of verbs. What arrives is from a process that may have been taken over: each verb has its own
 * check and its own rate. */
#include "crypt/keeper_desk.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "crypt/device.h"
#include "crypt/jwt.h"

enum { JWT_LIFE_SECONDS_MAX = 25 * 3600, VAULT_TOKENS_TOLD_PER_SECOND = 200 };

/* Takes one of the `per_second` of this second. Two threads that meet at its turn may let a few more through. */
static bool within(struct bucket *bucket, struct rf_clock *clock, uint32_t per_second)
{
    int64_t second = rf_clock_elapsed(clock) / RF_USEC_PER_SECOND;
    if (atomic_exchange(&bucket->window, second) != second) atomic_store(&bucket->used, 0);
    return atomic_fetch_add(&bucket->used, 1) < per_second;
}

/* ---- verbs ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind tls_chain(struct desk *desk, const struct keeper_request *request,
                              struct keeper_answer *answer, struct rf_err *err)
{
    struct keeper_keys *keys = &desk->core->keys;
    (void)request;
    RF_TRY(keeper_tls_renew(keys, false, err));
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

void keeper_signer_drop(struct signer *signer)
{
    EVP_PKEY_CTX_free(signer->ctx);
    EVP_PKEY_free(signer->key);
    *signer = (struct signer){NULL, NULL};
}

/* `rsa` takes PKCS #1 padding over SHA-256. */
static bool signer_set(struct signer *signer, EVP_PKEY *key, bool rsa)
{
    if (signer->key == key) return true;
    keeper_signer_drop(signer);
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

enum rf_kind keeper_desk_sign(struct desk *desk, struct signer *signer, EVP_PKEY *key,
                              rf_str digest, rf_str *out, struct rf_err *err)
{
    size_t len = (size_t)EVP_PKEY_get_size(key);
    uint8_t *bytes = rf_arena_alloc(&desk->arena, len);
    bool good = bytes != NULL && signer_set(signer, key, signer == &desk->jwt) &&
                EVP_PKEY_sign(signer->ctx, bytes, &len, digest.ptr, digest.len) == 1;
    ERR_clear_error();
    if (!good) {
        keeper_signer_drop(signer);
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
    EVP_PKEY *key;
    RF_TRY(keeper_tls_key(&desk->core->keys, request->input, &key, err));
    enum rf_kind kind =
        keeper_desk_sign(desk, &desk->tls, key, request->bytes, &answer->bytes, err);
    EVP_PKEY_free(key);
    return kind;
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
    _Atomic uint64_t *told = &core->told[rf_get_u32le(digest) % KEEPER_TOLD_PLACES];
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
        kind = keeper_desk_sign(desk, &desk->jwt, key, rf_str_make(digest, sizeof digest),
                                signature, err);
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
    keeper_derive_mac(&desk->core->keys, request->purpose, key);
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
    keeper_derive(&desk->core->keys, ROOT_BASE_STORE, desk->secret);
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
    return keeper_vault_handle(&desk->core->vault, request, &desk->arena, answer, &desk->line,
                               &desk->who, err);
}

static enum rf_kind data_verb(struct desk *desk, const struct keeper_request *request,
                              struct keeper_answer *answer, struct rf_err *err)
{
    return keeper_data_handle(&desk->core->vault, request, &desk->arena, answer, &desk->line, err);
}

static enum rf_kind rewrap_verb(struct desk *desk, const struct keeper_request *request,
                                struct keeper_answer *answer, struct rf_err *err)
{
    return keeper_rewrap_handle(&desk->core->vault, request, &desk->arena, answer, &desk->line,
                                err);
}

/* While it is sealed another one answers, that knows more. */
static enum rf_kind unsealed(struct desk *desk, const struct keeper_request *request,
                             struct keeper_answer *answer, struct rf_err *err)
{
    (void)request;
    answer->fields[0] = rf_arena_printf(&desk->arena, "ok open 0 0 key");
    return answer->fields[0].ptr == NULL ? rf_fail_memory(err, &desk->arena) : RF_OK;
}

/* How the keeper does: nobody else may look into this process. */
static enum rf_kind state(struct desk *desk, const struct keeper_request *request,
                          struct keeper_answer *answer, struct rf_err *err)
{
    struct rusage usage = {0};
    struct keeper_heads *heads = &desk->core->keys.heads;
    uint8_t *out = rf_arena_new(&desk->arena, uint8_t, KEEPER_STATE_BYTES);
    (void)request;
    if (out == NULL) return rf_fail_memory(err, &desk->arena);
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)pthread_mutex_lock(&heads->lock);
    struct keeper_head lines = heads->audit, keys = heads->keys;
    (void)pthread_mutex_unlock(&heads->lock);
    uint64_t cpu = ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) *
                       (uint64_t)RF_USEC_PER_SECOND +
                   (uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec;
    const uint64_t numbers[KEEPER_STATE_NUMBERS] = {(uint64_t)getpid(),
                                                    (uint64_t)desk->core->started,
                                                    cpu,
                                                    (uint64_t)usage.ru_maxrss * 1024,
                                                    lines.count,
                                                    keys.count};
    for (unsigned i = 0; i < KEEPER_STATE_NUMBERS; i++) rf_put_u64le(out + 8 * i, numbers[i]);
    memcpy(out + 8 * KEEPER_STATE_NUMBERS, lines.chain, SHA256_BYTES);
    answer->fields[0] = rf_str_make(out, KEEPER_STATE_BYTES);
    return RF_OK;
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
    [KEEPER_REWRAP] = {rewrap_verb, 20000, 0},
    [KEEPER_REWRAP_TURN] = {rewrap_verb, 50, 0},
    [KEEPER_LISTENER_BIND] = {vault_verb, 10, 0},
    [KEEPER_LISTENER_UNBIND] = {vault_verb, 10, 0},
    [KEEPER_LISTENER_GET] = {vault_verb, 100, 0},
    [KEEPER_LISTENER_SHOW] = {vault_verb, 50, 0},
    [KEEPER_LISTENER_SIGN] = {vault_verb, 50000, 0},
    [KEEPER_STATE] = {state, 20, 0},
};

/* Refused requests leave a line, which the refusal waits for. A rate that was exceeded is told in the sum of its second only. */
static void audit_refusal(struct desk *desk, const struct keeper_request *request,
                          const struct rf_err *err)
{
    struct keeper_core *core = desk->core;
    char detail[480], of[320] = "";
    if (!keeper_refusals_count(core, request->verb, err->kind != RF_LIMIT, err->code, &desk->who,
                               &desk->line))
        return;
    if ((request->verb >= KEEPER_SEAL_VAULT_NEW && request->verb < KEEPER_DATA_KEY_NEW) ||
        request->verb == KEEPER_LISTENER_BIND || request->verb == KEEPER_LISTENER_SHOW)
        keeper_vault_describe(request, &desk->who, of, sizeof of);
    (void)snprintf(detail, sizeof detail, "%s %s%s%s", keeper_verb_name(request->verb), err->code,
                   of[0] == '\0' ? "" : " ", of);
    if (keeper_audit_append(&core->keys.audit, "request.refused", detail, &desk->line, NULL,
                            NULL) != RF_OK)
        desk->line = 0;
}

void keeper_desk_answer(struct desk *desk, const struct keeper_request *request,
                        struct keeper_answer *answer)
{
    struct keeper_core *core = desk->core;
    struct rf_err err = {0};
    enum keeper_verb counted = verbs[request->verb].counts_as;
    if (counted == 0) counted = request->verb;
    *answer = (struct keeper_answer){.verb = request->verb, .id = request->id};
    desk->line = 0;
    desk->who = (struct keeper_who){.oid = "-", .app = "-"};
    keeper_refusals_settle(core, false);
    if (within(&core->rates[counted], core->clock, verbs[request->verb].per_second))
        answer->kind = verbs[request->verb].handle(desk, request, answer, &err);
    else
        answer->kind = RF_FAIL(&err, RF_LIMIT, "TooManyRequests", "%s: at most %u a second",
                               keeper_verb_name(request->verb), verbs[request->verb].per_second);
    if (answer->kind == RF_OK) return;
    desk->line = 0;
    audit_refusal(desk, request, &err);
    /* err goes out of scope. */
    answer->code = rf_str_of(err.code);
    if (!rf_arena_str(&desk->arena, rf_str_of(err.text), &answer->text)) answer->text = (rf_str){0};
}
