/* keeper_post.c - answers on their way out. Those that left a line in the audit log wait until it is on the disk; whoever finds some and nobody who
 * sees to them syncs for all that are there, sends them, and looks again: so one sync pays for what came while the one before went on, however
 * many that is, and all other threads go on with requests. */
#define _GNU_SOURCE
#include "crypt/keeper_desk.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/crypto.h>

/* By then the sync is due, whatever else there is to do; and no more than these wait, as they take memory. */
enum { HELD_DUE = 64, HELD_MAX = 256, SEND_AT_ONCE = 32 };

/* An answer that goes when its line of the audit log is on the disk. */
struct held {
    struct held *next;
    uint64_t line;
    enum keeper_verb verb;
    uint32_t id;
    size_t len;
    uint8_t message[];
};

/* ---- life ----------------------------------------------------------------------------------------------------------------- */

struct keeper_post *keeper_post_enter(struct keeper_core *core, int fd)
{
    pthread_mutex_lock(&core->posts_lock);
    struct keeper_post *post = core->posts;
    while (post != NULL && post->fd != fd) post = post->next;
    if (post == NULL) {
        post = calloc(1, sizeof *post);
        if (post != NULL) {
            post->fd = fd;
            post->audit = &core->keys.audit;
            pthread_mutex_init(&post->turn, NULL);
            pthread_mutex_init(&post->lock, NULL);
            pthread_cond_init(&post->less, NULL);
            post->next = core->posts;
            core->posts = post;
        }
    }
    if (post != NULL) post->desks++;
    pthread_mutex_unlock(&core->posts_lock);
    return post;
}

static void held_free(struct held *held)
{
    OPENSSL_cleanse(held->message, held->len);
    free(held);
}

static void held_free_all(struct held *held)
{
    for (struct held *next; held != NULL; held = next) {
        next = held->next;
        held_free(held);
    }
}

void keeper_post_leave(struct keeper_core *core, struct keeper_post *post)
{
    pthread_mutex_lock(&core->posts_lock);
    bool last = --post->desks == 0;
    struct keeper_post **at = &core->posts;
    while (*at != post) at = &(*at)->next;
    if (last) *at = post->next;
    pthread_mutex_unlock(&core->posts_lock);
    if (!last) return;
    held_free_all(post->first);
    pthread_mutex_destroy(&post->turn);
    pthread_mutex_destroy(&post->lock);
    pthread_cond_destroy(&post->less);
    free(post);
}

/* ---- sending -------------------------------------------------------------------------------------------------------------- */

enum rf_kind keeper_post_send(struct keeper_post *post, uint8_t *message, size_t len,
                              struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    while (send(post->fd, message, len, MSG_NOSIGNAL) < 0) {
        if (errno == EINTR) continue;
        kind = RF_FAIL(err, RF_AGAIN, "PeerGone", "the server has gone");
        break;
    }
    OPENSSL_cleanse(message, len);
    return kind;
}

/* All of a list, several in one call. */
static enum rf_kind send_all(struct keeper_post *post, struct held *held, struct rf_err *err)
{
    while (held != NULL) {
        struct mmsghdr out[SEND_AT_ONCE];
        struct iovec parts[SEND_AT_ONCE];
        unsigned count = 0;
        for (struct held *h = held; h != NULL && count < SEND_AT_ONCE; h = h->next, count++) {
            parts[count] = (struct iovec){.iov_base = h->message, .iov_len = h->len};
            out[count] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[count], .msg_iovlen = 1}};
        }
        int sent = sendmmsg(post->fd, out, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return RF_FAIL(err, RF_AGAIN, "PeerGone", "the server has gone");
        while (sent-- > 0) held = held->next;
    }
    return RF_OK;
}

/* In place of an answer whose line could not be written. */
static enum rf_kind send_unwritten(struct keeper_post *post, const struct held *held,
                                   const struct rf_err *why, struct rf_err *err)
{
    uint8_t message[KEEPER_HEADER_BYTES + sizeof why->text + 128];
    size_t len;
    struct keeper_answer answer = {.verb = held->verb,
                                   .id = held->id,
                                   .kind = why->kind,
                                   .code = rf_str_of(why->code),
                                   .text = rf_str_of(why->text)};
    RF_TRY(keeper_wire_put_answer(&answer, message, &len, err));
    return keeper_post_send(post, message, len, err);
}

/* Nobody hears of what is not in the log. */
static enum rf_kind deliver(struct keeper_post *post, struct held *held, struct rf_err *err)
{
    struct rf_err why = {0};
    uint64_t line = 0;
    for (const struct held *h = held; h != NULL; h = h->next) line = RF_MAX(line, h->line);
    if (keeper_audit_sync(post->audit, line, &why) == RF_OK) return send_all(post, held, err);
    enum rf_kind kind = RF_OK;
    for (; held != NULL && kind == RF_OK; held = held->next)
        kind = send_unwritten(post, held, &why, err);
    return kind;
}

/* ---- holding -------------------------------------------------------------------------------------------------------------- */

enum rf_kind keeper_post_hold(struct keeper_post *post, const struct keeper_answer *answer,
                              uint64_t line, uint8_t *message, size_t len, struct rf_err *err)
{
    struct held *held = malloc(sizeof *held + len);
    if (held == NULL) { /* then the sync is made for it alone */
        RF_TRY(keeper_audit_sync(post->audit, line, err));
        return keeper_post_send(post, message, len, err);
    }
    *held = (struct held){.line = line, .verb = answer->verb, .id = answer->id, .len = len};
    memcpy(held->message, message, len);
    OPENSSL_cleanse(message, len);
    pthread_mutex_lock(&post->lock);
    if (post->first == NULL)
        post->first = held;
    else
        post->last->next = held;
    post->last = held;
    post->count++;
    pthread_mutex_unlock(&post->lock);
    return RF_OK;
}

bool keeper_post_waits(struct keeper_post *post, bool *due)
{
    pthread_mutex_lock(&post->lock);
    while (post->syncing && post->count >= HELD_MAX) pthread_cond_wait(&post->less, &post->lock);
    bool waits = post->count > 0 && !post->syncing;
    *due = waits && post->count >= HELD_DUE;
    pthread_mutex_unlock(&post->lock);
    return waits;
}

enum rf_kind keeper_post_deliver(struct keeper_post *post, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    pthread_mutex_lock(&post->lock);
    if (post->syncing || post->count == 0) {
        pthread_mutex_unlock(&post->lock);
        return RF_OK;
    }
    post->syncing = true;
    while (post->count > 0) {
        struct held *held = post->first;
        post->first = post->last = NULL;
        post->count = 0;
        pthread_cond_broadcast(&post->less);
        pthread_mutex_unlock(&post->lock);
        if (kind == RF_OK) kind = deliver(post, held, err);
        held_free_all(held);
        pthread_mutex_lock(&post->lock);
    }
    post->syncing = false;
    pthread_mutex_unlock(&post->lock);
    return kind;
}
