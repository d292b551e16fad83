/* keeper.c - the server's side of the keeper's socket.
 *
 * Threads that wait stand in a list. One of them reads the socket and hands answers to the others by number; when it has its
 * own, the next one reads. So there is no thread that only reads, and a lone caller is never woken by another. */
#define _GNU_SOURCE
#include "crypt/keeper.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "crypt/keeper_wire.h"

enum { PATIENCE_USEC = 5000000, ROTATE_PATIENCE = 6 /* times that: it makes an RSA key */ };

/* A descriptor, closed when the last thread that uses it lets go. */
struct connection {
    int fd;
    uint32_t refs;
    bool gone;
};

struct waiter {
    struct waiter *next;
    struct connection *on;
    uint32_t id;
    uint8_t *answer; /* the whole message, allocated; NULL until it is there */
    size_t answer_bytes;
    bool no_memory, asleep;
    pthread_cond_t wake;
};

struct keeper {
    pthread_mutex_t lock; /* over all below */
    struct connection *connection;
    struct waiter *waiting;
    uint32_t last_id;
    bool reading; /* one of the waiting threads reads; only it touches `inbox` */
    int64_t patience_usec;
    uint8_t inbox[KEEPER_MESSAGE_BYTES_MAX + 1];
};

static rf_usec clock_usec(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * RF_USEC_PER_SECOND + ts.tv_nsec / 1000;
}

/* ---- connections; the lock is held --------------------------------------------------------------------------------- */

static void connection_unref(struct connection *connection)
{
    if (connection == NULL || --connection->refs > 0) return;
    close(connection->fd);
    free(connection);
}

static void connection_end(struct connection *connection)
{
    if (connection == NULL || connection->gone) return;
    connection->gone = true;
    shutdown(connection->fd, SHUT_RDWR); /* wakes the thread that reads */
}

static struct connection *connection_new(int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        close(fd);
        return NULL;
    }
    *connection = (struct connection){.fd = fd, .refs = 1};
    return connection;
}

static void wake_all(struct keeper *keeper)
{
    for (struct waiter *w = keeper->waiting; w != NULL; w = w->next) pthread_cond_signal(&w->wake);
}

/* Lets somebody else read: one that sleeps, as one that still sends may do so for long. */
static void pass_on_reading(struct keeper *keeper)
{
    struct waiter *w = keeper->waiting;
    while (w != NULL && !w->asleep) w = w->next;
    if (!keeper->reading && w != NULL) pthread_cond_signal(&w->wake);
}

/* ---- life ---------------------------------------------------------------------------------------------------------- */

enum rf_kind keeper_connect(int fd, struct keeper **out, struct rf_err *err)
{
    struct keeper *keeper = calloc(1, sizeof *keeper);
    struct connection *connection = connection_new(fd);
    if (keeper == NULL || connection == NULL) {
        free(keeper);
        connection_unref(connection);
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the keeper's connection");
    }
    keeper->connection = connection;
    keeper->patience_usec = PATIENCE_USEC;
    pthread_mutex_init(&keeper->lock, NULL);
    *out = keeper;
    return RF_OK;
}

void keeper_reconnect(struct keeper *keeper, int fd)
{
    struct connection *fresh = connection_new(fd);
    pthread_mutex_lock(&keeper->lock);
    connection_end(keeper->connection);
    connection_unref(keeper->connection);
    keeper->connection = fresh; /* NULL for lack of memory: gone until the next one */
    wake_all(keeper);
    pthread_mutex_unlock(&keeper->lock);
}

void keeper_set_patience(struct keeper *keeper, int64_t usec)
{
    pthread_mutex_lock(&keeper->lock);
    keeper->patience_usec = usec;
    pthread_mutex_unlock(&keeper->lock);
}

void keeper_free(struct keeper *keeper)
{
    if (keeper == NULL) return;
    RF_ASSERT(keeper->waiting == NULL);
    connection_unref(keeper->connection);
    pthread_mutex_destroy(&keeper->lock);
    OPENSSL_cleanse(keeper->inbox, sizeof keeper->inbox);
    free(keeper);
}

/* ---- a call -------------------------------------------------------------------------------------------------------- */

static enum rf_kind gone(struct rf_err *err)
{
    return RF_FAIL(err, RF_AGAIN, "KeeperGone",
                   "the process that holds the keys is being restarted");
}

/* Sends within `deadline`; the lock is not held. Datagrams go whole or not at all. */
static bool send_message(int fd, const uint8_t *bytes, size_t len, rf_usec deadline, bool *late)
{
    *late = false;
    for (;;) {
        if (send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len) return true;
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return false;
        int64_t left = deadline - clock_usec();
        struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
        *late = left <= 0;
        if (*late) return false;
        (void)poll(&poll_fd, 1, (int)(left / RF_USEC_PER_MS) + 1);
    }
}

/* Hands a message to the one who waits for it; the lock is held. An answer that nobody waits for came too late. */
static void deliver(struct keeper *keeper, const struct connection *from, rf_str message)
{
    uint32_t id = rf_get_u32le(message.ptr + 4);
    for (struct waiter *w = keeper->waiting; w != NULL; w = w->next) {
        if (w->id != id || w->on != from || w->answer != NULL) continue;
        w->answer = malloc(message.len);
        w->no_memory = w->answer == NULL;
        if (w->answer != NULL) memcpy(w->answer, message.ptr, message.len);
        w->answer_bytes = message.len;
        pthread_cond_signal(&w->wake);
        return;
    }
}

/* Reads one message, waiting at most to `deadline`. The lock is held on entry and exit, not meanwhile. */
static void read_one(struct keeper *keeper, struct connection *on, rf_usec deadline)
{
    keeper->reading = true;
    pthread_mutex_unlock(&keeper->lock);
    int64_t left = RF_MAX(deadline - clock_usec(), 0);
    struct pollfd poll_fd = {.fd = on->fd, .events = POLLIN};
    ssize_t got = -1;
    bool ended = false;
    if (poll(&poll_fd, 1, (int)(left / RF_USEC_PER_MS) + 1) > 0) {
        got = recv(on->fd, keeper->inbox, sizeof keeper->inbox, MSG_DONTWAIT);
        ended = got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN);
        /* One that cannot be an answer: the other side is not to be trusted any more. */
        if (got > 0 && (got < KEEPER_HEADER_BYTES || got > KEEPER_MESSAGE_BYTES_MAX)) ended = true;
    }
    pthread_mutex_lock(&keeper->lock);
    keeper->reading = false;
    if (ended)
        connection_end(on);
    else if (got > 0)
        deliver(keeper, on, rf_str_make(keeper->inbox, (size_t)got));
    if (got > 0) OPENSSL_cleanse(keeper->inbox, RF_MIN((size_t)got, sizeof keeper->inbox));
    if (ended) wake_all(keeper);
}

static void wait_for_wake(struct keeper *keeper, struct waiter *own, rf_usec deadline)
{
    struct timespec until = {.tv_sec = (time_t)(deadline / RF_USEC_PER_SECOND),
                             .tv_nsec = (long)(deadline % RF_USEC_PER_SECOND) * 1000};
    own->asleep = true;
    (void)pthread_cond_timedwait(&own->wake, &keeper->lock, &until);
    own->asleep = false;
}

static void leave(struct keeper *keeper, const struct waiter *own)
{
    struct waiter **at = &keeper->waiting;
    while (*at != NULL && *at != own) at = &(*at)->next;
    RF_ASSERT(*at != NULL);
    *at = own->next;
    pass_on_reading(keeper); /* the one that reads may be the one that leaves */
}

/* Waits for the answer to `own`; the lock is held. */
static enum rf_kind await(struct keeper *keeper, struct waiter *own, rf_usec deadline,
                          struct rf_err *err)
{
    while (own->answer == NULL && !own->no_memory) {
        if (own->on->gone) return gone(err);
        if (clock_usec() >= deadline)
            return RF_FAIL(err, RF_AGAIN, "KeeperSlow",
                           "the process that holds the keys did not answer in time");
        if (keeper->reading)
            wait_for_wake(keeper, own, deadline);
        else
            read_one(keeper, own->on, deadline);
    }
    if (own->no_memory)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "an answer of the keeper");
    return RF_OK;
}

static void waiter_init(struct waiter *own)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&own->wake, &attr);
    pthread_condattr_destroy(&attr);
}

/* Sends the message and waits for the one with its number. */
static enum rf_kind exchange(struct keeper *keeper, struct waiter *own, uint8_t *message,
                             size_t len, int times, struct rf_err *err)
{
    pthread_mutex_lock(&keeper->lock);
    struct connection *on = keeper->connection;
    if (on == NULL || on->gone) {
        pthread_mutex_unlock(&keeper->lock);
        return gone(err);
    }
    rf_usec deadline = clock_usec() + times * keeper->patience_usec;
    on->refs++;
    own->on = on;
    own->id = ++keeper->last_id;
    own->next = keeper->waiting;
    keeper->waiting = own;
    pthread_mutex_unlock(&keeper->lock);

    bool late;
    rf_put_u32le(message + 4, own->id);
    bool sent = send_message(on->fd, message, len, deadline, &late);
    pthread_mutex_lock(&keeper->lock);
    if (!sent && !late) {
        connection_end(on);
        wake_all(keeper);
    }
    enum rf_kind kind = await(keeper, own, deadline, err);
    leave(keeper, own);
    connection_unref(on);
    pthread_mutex_unlock(&keeper->lock);
    return kind;
}

/* The code of a keeper's error as a static string: those that callers act on. */
static const char *static_code(rf_str code)
{
    static const char *const known[] = {"CryptoFailed", "TooManyRequests", "BadSigningInput",
                                        "BadDigest",    "BadPurpose",      "MessageTooLarge",
                                        "DiskFull",     "InputOutput",     "MemoryBudgetExceeded"};
    for (size_t i = 0; i < RF_COUNT(known); i++)
        if (rf_str_is(code, known[i])) return known[i];
    return "KeeperFailed";
}

/* Sends the request; `answer` holds views of *bytes, which the caller frees with answer_done. */
static enum rf_kind call(struct keeper *keeper, const struct keeper_request *request,
                         struct waiter *own, struct keeper_answer *answer, struct rf_err *err)
{
    uint8_t *message = malloc(KEEPER_MESSAGE_BYTES_MAX);
    size_t len = 0;
    if (message == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a request");
    enum rf_kind kind = keeper_wire_put_request(request, message, &len, err);
    int times = request->verb == KEEPER_JWT_ROTATE ? ROTATE_PATIENCE : 1;
    if (kind == RF_OK) kind = exchange(keeper, own, message, len, times, err);
    OPENSSL_cleanse(message, len);
    free(message);
    if (kind != RF_OK) return kind;
    kind = keeper_wire_read_answer(rf_str_make(own->answer, own->answer_bytes), answer, err);
    if (kind == RF_OK && answer->verb != request->verb)
        kind = RF_FAIL(err, RF_INVALID, "ProtocolError", "the keeper answered another question");
    if (kind == RF_OK && answer->kind != RF_OK)
        kind = RF_FAIL(err, answer->kind, static_code(answer->code), "%.*s",
                       (int)RF_MIN(answer->text.len, 900), (const char *)answer->text.ptr);
    return kind;
}

static void answer_done(struct waiter *own)
{
    if (own->answer != NULL) OPENSSL_cleanse(own->answer, own->answer_bytes);
    free(own->answer);
    pthread_cond_destroy(&own->wake);
}

#define WAITER_HERE(name)                                                                          \
    RF_CLEANUP(answer_done) struct waiter name = {0};                                              \
    waiter_init(&name)

/* ---- the verbs ----------------------------------------------------------------------------------------------------- */

static enum rf_kind copy_into(struct rf_arena *arena, rf_str from, rf_str *out, struct rf_err *err)
{
    return rf_arena_str(arena, from, out) ? RF_OK : rf_fail_memory(err, arena);
}

enum rf_kind keeper_tls_chain(struct keeper *keeper, struct rf_arena *arena, rf_str *chain_pem,
                              rf_str *ca_pem, struct rf_err *err)
{
    WAITER_HERE(own);
    struct keeper_answer answer;
    rf_str chain;
    RF_TRY(call(keeper, &(struct keeper_request){.verb = KEEPER_TLS_CHAIN}, &own, &answer, err));
    RF_TRY(copy_into(arena, answer.bytes, &chain, err));
    RF_TRY(copy_into(arena, answer.ca_pem, ca_pem, err));
    *chain_pem = chain;
    return RF_OK;
}

enum rf_kind keeper_jwt_keys(struct keeper *keeper, struct rf_arena *arena,
                             struct keeper_jwt_key **keys, uint32_t *count, struct rf_err *err)
{
    WAITER_HERE(own);
    struct keeper_answer answer;
    RF_TRY(call(keeper, &(struct keeper_request){.verb = KEEPER_JWT_KEYS}, &own, &answer, err));
    struct keeper_jwt_key *copy = rf_arena_new(arena, struct keeper_jwt_key, answer.key_count);
    if (copy == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < answer.key_count; i++) {
        copy[i] = answer.keys[i];
        RF_TRY(copy_into(arena, answer.keys[i].kid, &copy[i].kid, err));
        RF_TRY(copy_into(arena, answer.keys[i].cert, &copy[i].cert, err));
    }
    *keys = copy;
    *count = answer.key_count;
    return RF_OK;
}

enum rf_kind keeper_jwt_rotate(struct keeper *keeper, bool emergency, struct rf_err *err)
{
    WAITER_HERE(own);
    struct keeper_answer answer;
    struct keeper_request request = {.verb = KEEPER_JWT_ROTATE, .emergency = emergency};
    return call(keeper, &request, &own, &answer, err);
}

enum rf_kind keeper_tls_sign(struct keeper *keeper, rf_str digest, uint8_t *out, size_t cap,
                             size_t *len, struct rf_err *err)
{
    WAITER_HERE(own);
    struct keeper_answer answer;
    struct keeper_request request = {.verb = KEEPER_TLS_SIGN, .bytes = digest};
    RF_TRY(call(keeper, &request, &own, &answer, err));
    if (answer.bytes.len > cap)
        return RF_FAIL(err, RF_INVALID, "ProtocolError", "the keeper's signature is too long");
    memcpy(out, answer.bytes.ptr, answer.bytes.len);
    *len = answer.bytes.len;
    return RF_OK;
}

enum rf_kind keeper_jwt_sign(struct keeper *keeper, rf_str signing_input, struct rf_arena *arena,
                             rf_str *signature, struct rf_err *err)
{
    WAITER_HERE(own);
    struct keeper_answer answer;
    struct keeper_request request = {.verb = KEEPER_JWT_SIGN, .bytes = signing_input};
    RF_TRY(call(keeper, &request, &own, &answer, err));
    return copy_into(arena, answer.bytes, signature, err);
}

/* An answer of 32 bytes. */
static enum rf_kind call_for_32(struct keeper *keeper, const struct keeper_request *request,
                                uint8_t out[32], struct rf_err *err)
{
    WAITER_HERE(own);
    struct keeper_answer answer;
    RF_TRY(call(keeper, request, &own, &answer, err));
    if (answer.bytes.len != 32)
        return RF_FAIL(err, RF_INVALID, "ProtocolError", "the keeper's answer has not 32 bytes");
    memcpy(out, answer.bytes.ptr, 32);
    return RF_OK;
}

enum rf_kind keeper_mac(struct keeper *keeper, const char *purpose, rf_str bytes, uint8_t out[32],
                        struct rf_err *err)
{
    struct keeper_request request = {
        .verb = KEEPER_MAC, .purpose = rf_str_of(purpose), .bytes = bytes};
    return call_for_32(keeper, &request, out, err);
}

enum rf_kind keeper_store_key(struct keeper *keeper, uint8_t out[32], struct rf_err *err)
{
    return call_for_32(keeper, &(struct keeper_request){.verb = KEEPER_STORE_KEY}, out, err);
}
