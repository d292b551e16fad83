/* keeper.c - the server's side of the keeper's socket.
 *
 * Threads that wait stand in a list. One of them reads the socket and hands answers to the others by number; when it has its
 * own, it appoints the next one. So there is no thread that only reads, and a lone caller is never woken by another. Who is to be
 * woken is told when the lock is free again, as it would only wait for it, and once: a call costs a thread two switches, and every word too many another. */
#define _GNU_SOURCE
#include "crypt/keeper.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "crypt/keeper_call_int.h"

enum {
    PATIENCE_USEC = 5000000,
    ROTATE_PATIENCE = 6,    /* times that: it makes RSA keys */
    HANDSHAKE_PATIENCE = 5, /* that divided by it: a loop with all its connections waits */
    READS_PER_PATIENCE = 20
};

/* A descriptor, closed when the last thread that uses it lets go. */
struct connection {
    int fd;
    uint32_t refs;
    bool gone, given_up;  /* given_up: a call without an answer, and nothing came since */
    rf_usec silent_since; /* calls wait, and nothing came */
};

/* A call. Slots live as long as the keeper, so that one may be signalled without the lock: at worst it serves another call by
 * then, which looks around and sleeps on. */
struct keeper_slot {
    struct keeper *keeper;
    struct keeper_slot *next; /* of those that wait, or of those that are free */
    struct connection *on;
    uint32_t id;
    int64_t patience_usec;
    bool answered, asleep;
    bool appointed; /* to read, when it wakes; keeper->reading is set for it */
    size_t request_bytes, answer_bytes;
    pthread_cond_t wake;
    uint8_t request[KEEPER_MESSAGE_BYTES_MAX], answer[KEEPER_MESSAGE_BYTES_MAX];
};

struct keeper {
    pthread_mutex_t lock; /* over all below */
    struct connection *connection;
    struct keeper_slot *waiting;
    uint32_t last_id;
    bool reading; /* one of the waiting threads reads, or is about to; only it touches `inbox` */
    int64_t patience_usec;
    keeper_hung *hung;
    void *hung_ctx;
    pthread_mutex_t slots_lock;
    struct keeper_slot *unused;
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

/* A read ends after a part of the patience, so that nobody waits for much more than all of it. */
static void limit_reads(const struct connection *connection, int64_t patience_usec)
{
    int64_t usec = RF_MAX(patience_usec / READS_PER_PATIENCE, RF_USEC_PER_MS);
    struct timeval limit = {.tv_sec = (time_t)(usec / RF_USEC_PER_SECOND),
                            .tv_usec = (suseconds_t)(usec % RF_USEC_PER_SECOND)};
    if (connection != NULL)
        (void)setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static void wake_all(struct keeper *keeper)
{
    for (struct keeper_slot *s = keeper->waiting; s != NULL; s = s->next)
        pthread_cond_signal(&s->wake);
}

static void wake(struct keeper_slot **slot) /* the lock is not held */
{
    if (*slot != NULL) pthread_cond_signal(&(*slot)->wake);
    *slot = NULL;
}

/* Appoints who is to read next, NULL: nobody. One that sleeps, as one that still sends may do so for long. */
static struct keeper_slot *next_reader(struct keeper *keeper)
{
    struct keeper_slot *s = keeper->reading ? NULL : keeper->waiting;
    while (s != NULL && (!s->asleep || s->answered)) s = s->next;
    if (s != NULL) s->appointed = keeper->reading = true;
    return s;
}

/* Of a thread that has woken, or goes: nobody reads then. */
static void resign(struct keeper *keeper, struct keeper_slot *slot)
{
    if (!slot->appointed) return;
    slot->appointed = keeper->reading = false;
}

/* ---- life ---------------------------------------------------------------------------------------------------------- */

/* They are held for less than it takes to sleep and be woken. */
static void init_locks(struct keeper *keeper)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(&keeper->lock, &attr);
    pthread_mutex_init(&keeper->slots_lock, &attr);
    pthread_mutexattr_destroy(&attr);
}

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
    limit_reads(connection, PATIENCE_USEC);
    init_locks(keeper);
    *out = keeper;
    return RF_OK;
}

void keeper_reconnect(struct keeper *keeper, int fd)
{
    struct connection *fresh = connection_new(fd);
    pthread_mutex_lock(&keeper->lock);
    limit_reads(fresh, keeper->patience_usec);
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
    limit_reads(keeper->connection, usec);
    pthread_mutex_unlock(&keeper->lock);
}

void keeper_on_hung(struct keeper *keeper, keeper_hung *hung, void *ctx)
{
    pthread_mutex_lock(&keeper->lock);
    keeper->hung = hung;
    keeper->hung_ctx = ctx;
    pthread_mutex_unlock(&keeper->lock);
}

/* The lock is held on entry, not on exit. Nobody waits for that keeper any more; one thread tells of it. */
static void give_up_and_unlock(struct keeper *keeper, struct connection *connection)
{
    bool first = connection != NULL && !connection->gone;
    keeper_hung *hung = first ? keeper->hung : NULL;
    void *ctx = keeper->hung_ctx;
    connection_end(connection);
    wake_all(keeper);
    pthread_mutex_unlock(&keeper->lock);
    if (hung != NULL) hung(ctx);
}

void keeper_give_up(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    give_up_and_unlock(keeper, keeper->connection);
}

void keeper_free(struct keeper *keeper)
{
    if (keeper == NULL) return;
    RF_ASSERT(keeper->waiting == NULL);
    connection_unref(keeper->connection);
    while (keeper->unused != NULL) {
        struct keeper_slot *slot = keeper->unused;
        keeper->unused = slot->next;
        pthread_cond_destroy(&slot->wake);
        free(slot);
    }
    pthread_mutex_destroy(&keeper->lock);
    pthread_mutex_destroy(&keeper->slots_lock);
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

/* Hands a message to the one who waits for it, and returns it; the lock is held. An answer that nobody waits for came too
 * late. */
static struct keeper_slot *deliver(struct keeper *keeper, const struct connection *from,
                                   rf_str message)
{
    uint32_t id = rf_get_u32le(message.ptr + 4);
    struct keeper_slot *s = keeper->waiting;
    while (s != NULL && (s->id != id || s->on != from || s->answered)) s = s->next;
    if (s == NULL) return NULL;
    memcpy(s->answer, message.ptr, message.len);
    s->answer_bytes = message.len;
    s->answered = true;
    return s;
}

/* Reads one message for whomever it is; it comes back without one after a part of the patience. The lock is held on entry and
 * exit, not meanwhile. *to_wake is told at the beginning, and is who got the message in the end. */
static void read_one(struct keeper *keeper, const struct keeper_slot *own,
                     struct keeper_slot **to_wake)
{
    struct connection *on = own->on;
    keeper->reading = true;
    pthread_mutex_unlock(&keeper->lock);
    wake(to_wake);
    ssize_t got = recv(on->fd, keeper->inbox, sizeof keeper->inbox, 0);
    bool ended = got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN);
    /* One that cannot be an answer: the other side is not to be trusted any more. */
    if (got > 0 && (got < KEEPER_HEADER_BYTES || got > KEEPER_MESSAGE_BYTES_MAX)) ended = true;
    pthread_mutex_lock(&keeper->lock);
    keeper->reading = false;
    if (ended) connection_end(on);
    if (got > 0) {
        on->silent_since = clock_usec();
        on->given_up = false;
    }
    if (!ended && got > 0) *to_wake = deliver(keeper, on, rf_str_make(keeper->inbox, (size_t)got));
    if (*to_wake == own) *to_wake = NULL;
    if (got > 0) OPENSSL_cleanse(keeper->inbox, RF_MIN((size_t)got, sizeof keeper->inbox));
    if (ended) wake_all(keeper);
}

static void wait_for_wake(struct keeper *keeper, struct keeper_slot *own, rf_usec deadline)
{
    struct timespec until = {.tv_sec = (time_t)(deadline / RF_USEC_PER_SECOND),
                             .tv_nsec = (long)(deadline % RF_USEC_PER_SECOND) * 1000};
    own->asleep = true;
    (void)pthread_cond_timedwait(&own->wake, &keeper->lock, &until);
    own->asleep = false;
}

static bool others_wait(const struct keeper *keeper, const struct connection *on)
{
    const struct keeper_slot *s = keeper->waiting;
    while (s != NULL && s->on != on) s = s->next;
    return s != NULL;
}

/* A call was given up: whether all of the keeper is to be. One call may be slow; nothing at all for as long as the most patient of
 * those that wait would wait is no slowness. */
static bool is_hung(const struct keeper *keeper, const struct connection *on)
{
    int64_t patience = keeper->patience_usec;
    for (const struct keeper_slot *s = keeper->waiting; s != NULL; s = s->next)
        if (s->on == on) patience = RF_MAX(patience, s->patience_usec);
    return !on->gone && clock_usec() - on->silent_since >= patience;
}

static void leave(struct keeper *keeper, const struct keeper_slot *own)
{
    struct keeper_slot **at = &keeper->waiting;
    while (*at != NULL && *at != own) at = &(*at)->next;
    RF_ASSERT(*at != NULL);
    *at = own->next;
}

/* Waits for the answer to `own`; the lock is held. */
static enum rf_kind await(struct keeper *keeper, struct keeper_slot *own, rf_usec deadline,
                          struct keeper_slot **to_wake, struct rf_err *err)
{
    while (!own->answered) {
        if (own->on->gone) return gone(err);
        if (clock_usec() >= deadline)
            return RF_FAIL(err, RF_AGAIN, "KeeperSlow",
                           "the process that holds the keys did not answer in time");
        resign(keeper, own);
        if (keeper->reading)
            wait_for_wake(keeper, own, deadline);
        else
            read_one(keeper, own, to_wake);
    }
    return RF_OK;
}

/* ---- slots --------------------------------------------------------------------------------------------------------- */

static struct keeper_slot *slot_new(struct keeper *keeper)
{
    struct keeper_slot *slot = calloc(1, sizeof *slot);
    pthread_condattr_t attr;
    if (slot == NULL) return NULL;
    slot->keeper = keeper;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&slot->wake, &attr);
    pthread_condattr_destroy(&attr);
    return slot;
}

/* There come to be as many as threads call at one time. NULL on lack of memory. */
static struct keeper_slot *slot_take(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->slots_lock);
    struct keeper_slot *slot = keeper->unused;
    if (slot != NULL) keeper->unused = slot->next;
    pthread_mutex_unlock(&keeper->slots_lock);
    return slot != NULL ? slot : slot_new(keeper);
}

static void slot_give_back(struct keeper_slot **taken)
{
    struct keeper_slot *slot = *taken;
    if (slot == NULL) return;
    OPENSSL_cleanse(slot->request, slot->request_bytes);
    OPENSSL_cleanse(slot->answer, slot->answer_bytes);
    slot->request_bytes = slot->answer_bytes = 0;
    slot->answered = false;
    pthread_mutex_lock(&slot->keeper->slots_lock);
    slot->next = slot->keeper->unused;
    slot->keeper->unused = slot;
    pthread_mutex_unlock(&slot->keeper->slots_lock);
}

/* ---- one exchange ---------------------------------------------------------------------------------------------------- */

/* Sends the slot's request and waits for the answer with its number. */
static enum rf_kind exchange(struct keeper *keeper, struct keeper_slot *own, enum keeper_verb verb,
                             struct rf_err *err)
{
    pthread_mutex_lock(&keeper->lock);
    struct connection *on = keeper->connection;
    if (on == NULL || on->gone) {
        pthread_mutex_unlock(&keeper->lock);
        return gone(err);
    }
    rf_usec now = clock_usec();
    own->patience_usec = keeper->patience_usec;
    if (verb == KEEPER_JWT_ROTATE || verb == KEEPER_SEAL_KEY_NEW)
        own->patience_usec *= ROTATE_PATIENCE;
    if (verb == KEEPER_TLS_SIGN || verb == KEEPER_LISTENER_SIGN)
        own->patience_usec /= HANDSHAKE_PATIENCE;
    rf_usec deadline = now + own->patience_usec;
    if (!on->given_up && !others_wait(keeper, on)) on->silent_since = now;
    on->refs++;
    own->on = on;
    own->id = ++keeper->last_id;
    own->next = keeper->waiting;
    keeper->waiting = own;
    pthread_mutex_unlock(&keeper->lock);

    bool late;
    struct keeper_slot *to_wake = NULL, *reader;
    rf_put_u32le(own->request + 4, own->id);
    bool sent = send_message(on->fd, own->request, own->request_bytes, deadline, &late);
    pthread_mutex_lock(&keeper->lock);
    if (!sent && !late) {
        connection_end(on);
        wake_all(keeper);
    }
    enum rf_kind kind = await(keeper, own, deadline, &to_wake, err);
    bool slow = kind == RF_AGAIN && !on->gone, hung = slow && is_hung(keeper, on);
    if (slow) on->given_up = true;
    leave(keeper, own);
    resign(keeper, own);
    own->on = NULL;
    reader = next_reader(keeper); /* the one that read may be the one that leaves */
    if (hung) {
        give_up_and_unlock(keeper, on);
        pthread_mutex_lock(&keeper->lock);
    }
    connection_unref(on);
    pthread_mutex_unlock(&keeper->lock);
    wake(&to_wake);
    wake(&reader);
    return kind;
}

/* The code of a keeper's error as a static string: those that callers act on. */
static const char *static_code(rf_str code)
{
    static const char *const known[] = {"CryptoFailed",    "TooManyRequests",
                                        "BadSigningInput", "BadDigest",
                                        "BadPurpose",      "MessageTooLarge",
                                        "BadName",         "BadRequest",
                                        "DiskFull",        "InputOutput",
                                        "SealToken",       "SealBroken",
                                        "SealRolledBack",  "SealDestroyed",
                                        "SealGeneration",  "SealDisabled",
                                        "SealNotYet",      "SealExpired",
                                        "SealOperation",   "SealArgument",
                                        "SealAlgorithm",   "SealInput",
                                        "SealRate",        "NotBound",
                                        "NotHandshake",    "MemoryBudgetExceeded",
                                        "VaultSealed",     "KeyGone"};
    for (size_t i = 0; i < RF_COUNT(known); i++)
        if (rf_str_is(code, known[i])) return known[i];
    return "KeeperFailed";
}

/* Asks; `answer` holds views of `own`. */
static enum rf_kind call(struct keeper *keeper, const struct keeper_request *request,
                         struct keeper_slot *own, struct keeper_answer *answer, struct rf_err *err)
{
    if (own == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a request");
    enum rf_kind kind = keeper_wire_put_request(request, own->request, &own->request_bytes, err);
    if (kind != RF_OK) {
        own->request_bytes = sizeof own->request; /* all of it is wiped */
        return kind;
    }
    RF_TRY(exchange(keeper, own, request->verb, err));
    RF_TRY(keeper_wire_read_answer(rf_str_make(own->answer, own->answer_bytes), answer, err));
    if (answer->verb != request->verb)
        return RF_FAIL(err, RF_INVALID, "ProtocolError", "the keeper answered another question");
    if (answer->kind != RF_OK)
        return RF_FAIL(err, answer->kind, static_code(answer->code), "%.*s",
                       (int)RF_MIN(answer->text.len, 900), (const char *)answer->text.ptr);
    return RF_OK;
}

void keeper_call_end(struct keeper_slot **slot) { slot_give_back(slot); }

enum rf_kind keeper_call(struct keeper *keeper, const struct keeper_request *request,
                         struct keeper_slot **slot, struct keeper_answer *answer,
                         struct rf_err *err)
{
    *slot = slot_take(keeper);
    return call(keeper, request, *slot, answer, err);
}
