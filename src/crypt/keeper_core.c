/* keeper_core.c - answers requests. What arrives is from a process that may have been taken over: each verb has its own
 * check and its own rate, and a message that breaks the rules ends the connection. */
#define _GNU_SOURCE
#include "crypt/keeper_serve.h"

#include <errno.h>
#include <fcntl.h>
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
#include "crypt/keeper_int.h"
#include "crypt/secret.h"

enum { THREADS_MAX = 16, JWT_LIFE_SECONDS_MAX = 25 * 3600, REFUSALS_PER_SECOND = 10 };

struct bucket {
    _Atomic int64_t window; /* which second */
    _Atomic uint32_t used;
};

struct keeper_core {
    struct rf_secret memory; /* where this lies */
    struct keeper_keys keys;
    struct rf_clock *clock;
    struct bucket rates[KEEPER_VERB_END], refusals;
};

/* OpenSSL 3 takes a tenth of a signature's time to set one up, so a thread keeps what it made. */
struct signer {
    EVP_PKEY *key; /* counted, so that no other comes to lie at its address; NULL: none */
    EVP_PKEY_CTX *ctx;
};

/* What a thread needs to answer; kept from request to request. */
struct desk {
    struct keeper_core *core;
    int fd;
    uint8_t inbox[KEEPER_MESSAGE_BYTES_MAX + 1], outbox[KEEPER_MESSAGE_BYTES_MAX];
    uint8_t secret[KEEPER_SECRET_BYTES]; /* of the answer; wiped after it */
    struct rf_arena arena;
    struct signer tls, jwt;
};

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

/* The host of "https://host[:port]/..." */
static bool issuer_host(rf_str issuer, rf_str *host)
{
    if (!rf_str_starts(issuer, RF_S("https://"))) return false;
    rf_str rest = rf_slice(issuer, 8, issuer.len);
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

/* What a captured server could gain from a signature is bounded here: only tokens of this authority, of bounded life. The
 * input is read as the strict reader of tokens reads it, so that both see the same. */
static enum rf_kind check_claims(struct desk *desk, rf_str input, const struct keeper_jwt_own *own,
                                 struct rf_err *err)
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
    if (!issuer_host(json_text_at(jwt.claims, "iss"), &host) ||
        !keeper_keys_name_host(&desk->core->keys, host))
        return bad_input("has another issuer", err);
    int64_t exp, now = rf_clock_now(desk->core->clock) / RF_USEC_PER_SECOND;
    if (!json_i64_at(jwt.claims, "exp", &exp) || exp > now + JWT_LIFE_SECONDS_MAX)
        return bad_input("has no end within 25 hours", err);
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
    enum rf_kind kind = check_claims(desk, input, own, err);
    if (kind == RF_OK) EVP_PKEY_up_ref(key);
    pthread_rwlock_unlock(&keys->lock);
    if (kind != RF_OK) return kind;
    digest_sha256(input, digest);
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
};

/* Takes one of the `per_second` of this second. Two threads that meet at its turn may let a few more through. */
static bool within(struct bucket *bucket, struct rf_clock *clock, uint32_t per_second)
{
    int64_t second = rf_clock_elapsed(clock) / RF_USEC_PER_SECOND;
    if (atomic_exchange(&bucket->window, second) != second) atomic_store(&bucket->used, 0);
    return atomic_fetch_add(&bucket->used, 1) < per_second;
}

/* Refused requests leave a line, but a flood of them must not fill the disk. */
static void audit_refusal(struct keeper_core *core, const char *verb, const struct rf_err *err)
{
    char detail[128];
    if (err->kind == RF_LIMIT || !within(&core->refusals, core->clock, REFUSALS_PER_SECOND)) return;
    (void)snprintf(detail, sizeof detail, "%s %s", verb, err->code);
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
    if (within(&core->rates[counted], core->clock, verbs[request->verb].per_second))
        answer->kind = verbs[request->verb].handle(desk, request, answer, &err);
    else
        answer->kind = RF_FAIL(&err, RF_LIMIT, "TooManyRequests", "%s: at most %u a second",
                               keeper_verb_name(request->verb), verbs[request->verb].per_second);
    if (answer->kind == RF_OK) return;
    audit_refusal(core, keeper_verb_name(request->verb), &err);
    /* err goes out of scope. */
    answer->code = rf_str_of(err.code);
    if (!rf_arena_str(&desk->arena, rf_str_of(err.text), &answer->text)) answer->text = (rf_str){0};
}

/* ---- serving ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind send_answer(struct desk *desk, const struct keeper_answer *answer,
                                struct rf_err *err)
{
    size_t len;
    RF_TRY(keeper_wire_put_answer(answer, desk->outbox, &len, err));
    while (send(desk->fd, desk->outbox, len, MSG_NOSIGNAL) < 0) {
        if (errno == EINTR) continue;
        return RF_FAIL(err, RF_AGAIN, "PeerGone", "the server has gone");
    }
    OPENSSL_cleanse(desk->outbox, len);
    return RF_OK;
}

/* Receives and answers one message; RF_AGAIN: the other side has closed. */
static enum rf_kind serve_one(struct desk *desk, struct rf_err *err)
{
    struct keeper_request request;
    struct keeper_answer answer;
    ssize_t got;
    do got = recv(desk->fd, desk->inbox, sizeof desk->inbox, 0);
    while (got < 0 && errno == EINTR);
    /* An empty datagram reads as an end too, and ends its sender. */
    if (got <= 0) return RF_FAIL(err, RF_AGAIN, "PeerGone", "the server has gone");
    enum rf_kind kind =
        keeper_wire_read_request(rf_str_make(desk->inbox, (size_t)got), &request, err);
    if (kind != RF_OK) {
        (void)keeper_audit_write(&desk->core->keys.audit, "protocol.error", "server", NULL);
        return kind;
    }
    answer_request(desk, &request, &answer);
    kind = send_answer(desk, &answer, err);
    OPENSSL_cleanse(desk->inbox, (size_t)got);
    OPENSSL_cleanse(desk->secret, sizeof desk->secret);
    rf_arena_reset(&desk->arena);
    return kind;
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
    rf_arena_done(&desk->arena);
    OPENSSL_cleanse(desk, sizeof *desk);
    free(desk);
}

enum rf_kind keeper_core_work(struct keeper_core *core, int fd, struct rf_err *err)
{
    struct desk *desk = desk_new(core, fd);
    if (desk == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a thread's desk");
    enum rf_kind kind = RF_OK;
    while (kind == RF_OK) kind = serve_one(desk, err);
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

enum rf_kind keeper_core_serve(struct keeper_core *core, int fd, struct rf_err *err)
{
    struct helper helpers[THREADS_MAX];
    unsigned wanted = RF_MIN(pool_processors(), (unsigned)THREADS_MAX) - 1, count = 0;
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

/* 32 random bytes, made once. A shorter file is one whose making a crash cut, unless there are keys under it. */
static enum rf_kind load_root(struct keeper_keys *keys, int folder, struct rf_err *err)
{
    struct stat status;
    int fd = -1;
    enum rf_kind kind = open_in(folder, "root.key", 0, &fd, err);
    if (kind == RF_OK && pread(fd, keys->root, sizeof keys->root, 0) != sizeof keys->root) {
        if (fstat(keys->file.fd, &status) != 0 || status.st_size > 0)
            kind = RF_FAIL(err, RF_CORRUPT, "RootKeyMissing",
                           "the keeper's root.key is missing or cut; restore it from the backup");
        else {
            random_bytes(keys->root, sizeof keys->root);
            if (pwrite(fd, keys->root, sizeof keys->root, 0) != sizeof keys->root ||
                fsync(fd) != 0 || fsync(folder) != 0)
                kind = RF_FAIL_ERRNO(err, "InputOutput", "cannot write the keeper's root.key");
        }
    }
    if (fd >= 0) close(fd);
    return kind;
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
    return keeper_keys_make(keys, options, err);
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
    if (kind == RF_OK) kind = load_root(keys, folder, err);
    if (kind == RF_OK) kind = open_files(keys, folder, options, err);
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

void keeper_core_free(struct keeper_core *core)
{
    if (core == NULL) return;
    keeper_keys_done(&core->keys);
    if (core->keys.audit.clock != NULL) keeper_audit_done(&core->keys.audit);
    if (core->keys.file.heads != NULL) keeper_heads_done(&core->keys.heads);
    if (core->keys.file.fd >= 0) close(core->keys.file.fd);
    pthread_rwlock_destroy(&core->keys.lock);
    struct rf_secret memory = core->memory;
    rf_secret_done(&memory);
}
