/* keeper_core.c - serves: takes messages and sends answers. A message that breaks the rules ends the connection. */
#define _GNU_SOURCE
#include "crypt/keeper_desk.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/crypto.h>

#include "base/pool.h"

enum { THREADS_MAX = 16 };

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
    if (desk->line != 0)
        return keeper_post_hold(desk->post, answer, desk->line, desk->outbox, len, err);
    return keeper_post_send(desk->post, desk->outbox, len, err);
}

static void wipe_work(struct desk *desk, size_t got, const struct keeper_answer *answer)
{
    OPENSSL_cleanse(desk->inbox, got);
    OPENSSL_cleanse(desk->secret, sizeof desk->secret);
    for (uint32_t i = 0; i < keeper_answer_fields(answer->verb); i++)
        if (answer->kind == RF_OK && answer->fields[i].len > 0)
            OPENSSL_cleanse((uint8_t *)(uintptr_t)answer->fields[i].ptr, answer->fields[i].len);
    rf_arena_reset(&desk->arena);
}

/* Whether a request is done within some hundred microseconds, and waits for nothing: the rest of them may then wait for it. */
static bool is_short(const struct keeper_request *request)
{
    rf_str algorithm = request->fields[1 + KEEPER_RING_FIELDS + 2];
    switch (request->verb) {
    case KEEPER_TLS_SIGN:
    case KEEPER_MAC:
    case KEEPER_SEAL_OPEN:
    case KEEPER_SEAL_CHANGE:
    case KEEPER_SEAL_RANDOM:
        return true;
    case KEEPER_SEAL_KEY_USE: /* not RSA, nor the larger curves */
        return rf_str_is(algorithm, "ES256") || rf_str_starts(algorithm, RF_S("A")) ||
               rf_str_starts(algorithm, RF_S("HS"));
    default:
        return false;
    }
}

static ssize_t take(struct desk *desk, int flags)
{
    ssize_t got;
    do got = recv(desk->post->fd, desk->inbox, sizeof desk->inbox, flags);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Receives a message; the turn is held. *none: none is there just now, and answers wait for the disk. *row counts those that were there at once. */
static enum rf_kind receive(struct desk *desk, size_t *len, uint32_t *row, bool *none,
                            struct rf_err *err)
{
    bool due, waits = keeper_post_waits(desk->post, &due);
    *none = due;
    if (due) return RF_OK;
    bool looks = waits || *row > 0;
    ssize_t got = looks ? take(desk, MSG_DONTWAIT) : -1;
    if (looks && got < 0 && errno == EAGAIN) {
        *none = waits;
        if (waits) return RF_OK;
        looks = false;
    }
    if (!looks) {
        *row = 0;
        got = take(desk, 0);
    }
    ++*row;
    /* An empty datagram reads as an end too, and ends its sender. */
    if (got <= 0) return RF_FAIL(err, RF_AGAIN, "PeerGone", "the server has gone");
    *len = (size_t)got;
    return RF_OK;
}

static enum rf_kind handle(struct desk *desk, const struct keeper_request *request, size_t len,
                           struct rf_err *err)
{
    struct keeper_answer answer;
    keeper_desk_answer(desk, request, &answer);
    enum rf_kind kind = send_answer(desk, &answer, err);
    wipe_work(desk, len, &answer);
    return kind;
}

static enum rf_kind read_request(struct desk *desk, size_t len, struct keeper_request *out,
                                 struct rf_err *err)
{
    enum rf_kind kind = keeper_wire_read_request(rf_str_make(desk->inbox, len), out, err);
    if (kind != RF_OK)
        (void)keeper_audit_write(&desk->core->keys.audit, "protocol.error", "server", NULL);
    return kind;
}

/* Has the turn, and keeps it while what comes is short: to wake another thread costs as much as a short request. It goes on to the next thread with a
 * long request, with a sync, and when so many wait that two have enough to do. RF_AGAIN: the other side has closed. */
static enum rf_kind serve_some(struct desk *desk, struct rf_err *err)
{
    enum { IN_A_ROW_MAX = 16 };
    struct keeper_post *post = desk->post;
    struct keeper_request request;
    enum rf_kind kind = RF_OK;
    size_t len = 0;
    uint32_t row = 0;
    bool none = false, passes = false;
    pthread_mutex_lock(&post->turn);
    while (kind == RF_OK && !passes) {
        kind = receive(desk, &len, &row, &none, err);
        if (kind != RF_OK || none) break;
        kind = read_request(desk, len, &request, err);
        if (kind != RF_OK) break;
        passes = !is_short(&request) || row >= IN_A_ROW_MAX;
        if (passes) pthread_mutex_unlock(&post->turn);
        kind = handle(desk, &request, len, err);
    }
    if (!passes) pthread_mutex_unlock(&post->turn);
    if (kind != RF_OK) return kind;
    return keeper_post_deliver(post, err);
}

static struct desk *desk_new(struct keeper_core *core)
{
    enum { DESK_MEMORY_BYTES = 1 << 20 };
    struct desk *desk = calloc(1, sizeof *desk);
    if (desk == NULL) return NULL;
    desk->core = core;
    rf_arena_init(&desk->arena, DESK_MEMORY_BYTES);
    return desk;
}

static void desk_free(struct desk *desk)
{
    keeper_signer_drop(&desk->tls);
    keeper_signer_drop(&desk->jwt);
    rf_arena_done(&desk->arena);
    OPENSSL_cleanse(desk, sizeof *desk);
    free(desk);
}

enum rf_kind keeper_core_work(struct keeper_core *core, int fd, struct rf_err *err)
{
    struct desk *desk = desk_new(core);
    struct keeper_post *post = desk == NULL ? NULL : keeper_post_enter(core, fd);
    if (post == NULL) {
        free(desk);
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a thread's desk");
    }
    desk->post = post;
    enum rf_kind kind = RF_OK;
    while (kind == RF_OK) kind = serve_some(desk, err);
    /* The other threads on this descriptor end as well. */
    shutdown(fd, SHUT_RDWR);
    keeper_post_leave(core, post);
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
    struct desk *desk = desk_new(core);
    if (desk == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a thread's desk");
    uint8_t digest[SHA256_BYTES];
    rf_str signature, bytes = rf_str_make(digest, sizeof digest);
    digest_sha256(RF_S("prime"), digest);
    const struct keeper_jwt_own *own = keeper_keys_signing(&core->keys, rf_clock_now(core->clock));
    enum rf_kind kind = keeper_desk_sign(desk, &desk->tls, core->keys.tls, bytes, &signature, err);
    if (kind == RF_OK) kind = keeper_desk_sign(desk, &desk->jwt, own->key, bytes, &signature, err);
    EVP_PKEY *key = NULL; /* as a rotation does */
    if (kind == RF_OK) kind = key_make(KEY_P256, &key, err);
    EVP_PKEY_free(key);
    desk_free(desk);
    return kind;
}
