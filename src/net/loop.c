#define _GNU_SOURCE /* accept4 */

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/server_int.h"

/* What an epoll event is about: a connection's address, or below these a small number. */
enum { EVENT_MAILBOX = LISTENERS_MAX, EVENT_SPECIAL_MAX };

enum { EVENTS_PER_TURN = 256, ACCEPTS_PER_TURN = 64, SPARE_EXCHANGES_MAX = 64 };
#define ACCEPT_PAUSE_USEC (100 * RF_USEC_PER_MS)

/* ---- timers: a heap by time. An entry may be earlier than its connection's deadline, which moves with each request; it is put right
 * when its time comes. ---------------------------------------------------------------------------- */

static void place(struct loop *loop, uint32_t slot, struct timer timer)
{
    loop->timers[slot] = timer;
    timer.conn->timer_slot = slot + 1;
}

static void sift_up(struct loop *loop, uint32_t slot, struct timer timer)
{
    while (slot > 0 && loop->timers[(slot - 1) / 2].at > timer.at) {
        place(loop, slot, loop->timers[(slot - 1) / 2]);
        slot = (slot - 1) / 2;
    }
    place(loop, slot, timer);
}

static void sift_down(struct loop *loop, uint32_t slot, struct timer timer)
{
    for (uint32_t child; (child = 2 * slot + 1) < loop->timer_count; slot = child) {
        if (child + 1 < loop->timer_count && loop->timers[child + 1].at < loop->timers[child].at)
            child++;
        if (loop->timers[child].at >= timer.at) break;
        place(loop, slot, loop->timers[child]);
    }
    place(loop, slot, timer);
}

/* Each connection has one entry at most, so room for all is made when they come and no timer can fail. */
static bool reserve_timer(struct loop *loop)
{
    if (loop->conn_count < loop->timer_cap) return true;
    uint32_t cap = loop->timer_cap == 0 ? 64 : loop->timer_cap * 2;
    struct timer *grown = realloc(loop->timers, cap * sizeof *grown);
    if (grown == NULL) return false;
    loop->timers = grown;
    loop->timer_cap = cap;
    return true;
}

void loop_set_deadline(struct conn *conn, rf_usec at)
{
    struct loop *loop = conn->loop;
    conn->deadline = at;
    if (at == 0) return;
    struct timer timer = {.at = at, .conn = conn};
    if (conn->timer_slot == 0) {
        RF_ASSERT(loop->timer_count < loop->timer_cap);
        sift_up(loop, loop->timer_count++, timer);
    } else if (loop->timers[conn->timer_slot - 1].at > at) {
        sift_up(loop, conn->timer_slot - 1, timer);
    }
}

void loop_forget_timer(struct conn *conn)
{
    struct loop *loop = conn->loop;
    if (conn->timer_slot == 0) return;
    uint32_t slot = conn->timer_slot - 1;
    conn->timer_slot = 0;
    conn->deadline = 0;
    struct timer last = loop->timers[--loop->timer_count];
    if (slot == loop->timer_count) return;
    if (slot > 0 && loop->timers[(slot - 1) / 2].at > last.at)
        sift_up(loop, slot, last);
    else
        sift_down(loop, slot, last);
}

static void expire(struct loop *loop)
{
    while (loop->timer_count > 0 && loop->timers[0].at <= loop->now) {
        struct conn *conn = loop->timers[0].conn;
        rf_usec deadline = conn->deadline;
        if (deadline > loop->now) {
            sift_down(loop, 0, (struct timer){.at = deadline, .conn = conn});
            continue;
        }
        loop_forget_timer(conn);
        if (deadline != 0) conn_expired(conn);
    }
}

/* ---- mailbox ------------------------------------------------------------------------------------- */

void loop_wake(struct loop *loop)
{
    uint64_t one = 1;
    /* It fails only when the counter is full, and then the loop is awake. */
    if (write(loop->event, &one, sizeof one) < 0) return;
}

void loop_post(struct loop *loop, struct work_item *item)
{
    struct work_item *newest = atomic_load_explicit(&loop->mailbox, memory_order_relaxed);
    do item->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&loop->mailbox, &newest, item,
                                                  memory_order_release, memory_order_relaxed));
    /* Whoever finds the box empty rings; the loop takes all at once. */
    if (newest == NULL) loop_wake(loop);
}

void loop_drain(struct loop *loop)
{
    struct work_item *item = atomic_exchange_explicit(&loop->mailbox, NULL, memory_order_acquire);
    struct work_item *oldest = NULL;
    for (struct work_item *next; item != NULL; item = next) {
        next = item->next;
        item->next = oldest;
        oldest = item;
    }
    for (struct work_item *next; oldest != NULL; oldest = next) {
        next = oldest->next;
        oldest->next = NULL;
        oldest->back(oldest);
    }
}

/* ---- exchanges ------------------------------------------------------------------------------------- */

struct exchange *loop_exchange(struct loop *loop)
{
    struct exchange *x = loop->spare;
    if (x != NULL) {
        loop->spare = x->next;
        loop->spare_count--;
    } else {
        x = malloc(sizeof *x);
        if (x == NULL) return NULL;
    }
    exchange_init(x);
    rf_arena_init(&x->arena, loop->server->limits.request_memory_max);
    x->item.loop = loop;
    x->server = loop->server;
    return x;
}

void loop_recycle(struct loop *loop, struct exchange *x)
{
    exchange_done(x);
    if (loop->spare_count >= SPARE_EXCHANGES_MAX) {
        free(x);
        return;
    }
    x->next = loop->spare;
    loop->spare = x;
    loop->spare_count++;
}

/* ---- accepting ---------------------------------------------------------------------------------------- */

static bool watch(struct loop *loop, int fd, uint64_t about, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = about};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void set_accepting(struct loop *loop, bool accepting)
{
    if (loop->is_accepting == accepting) return;
    loop->is_accepting = accepting;
    for (uint32_t i = 0; i < loop->listener_count; i++) {
        if (loop->listeners[i].datagrams != NULL) continue;
        if (accepting)
            (void)watch(loop, loop->listeners[i].fd, i, EPOLLIN);
        else
            (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->listeners[i].fd, NULL);
    }
}

/* A connection that is already in the queue stays readable on the listener, so without a pause the loop would spin. */
static void pause_accepting(struct loop *loop)
{
    set_accepting(loop, false);
    loop->accept_again = loop->now + ACCEPT_PAUSE_USEC;
}

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void accept_some(struct loop *loop, uint32_t about)
{
    const struct listener *listener = &loop->listeners[about];
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage peer;
        socklen_t bytes = sizeof peer;
        int fd =
            accept4(listener->fd, (struct sockaddr *)&peer, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (is_shortage(errno)) pause_accepting(loop);
            if (errno == ECONNABORTED || errno == EINTR) continue;
            return;
        }
        if (!reserve_timer(loop)) {
            (void)close(fd);
            continue;
        }
        conn_open(loop, fd, &peer, about);
    }
}

/* What comes while the handler can take no more waits in the kernel. */
static void hold_datagrams(struct loop *loop, uint32_t about)
{
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->listeners[about].fd, NULL);
    loop->listeners[about].held_until = loop->now + DATAGRAM_PAUSE_USEC;
}

static void resume_datagrams(struct loop *loop)
{
    for (uint32_t i = 0; i < loop->listener_count; i++) {
        struct listener *listener = &loop->listeners[i];
        if (listener->held_until == 0 || listener->held_until > loop->now) continue;
        listener->held_until = 0;
        if (datagrams_read(listener->datagrams))
            (void)watch(loop, listener->fd, i, EPOLLIN);
        else
            listener->held_until = loop->now + DATAGRAM_PAUSE_USEC;
    }
}

static void listener_ready(struct loop *loop, uint32_t about)
{
    struct datagrams *datagrams = loop->listeners[about].datagrams;
    if (datagrams == NULL)
        accept_some(loop, about);
    else if (!datagrams_read(datagrams))
        hold_datagrams(loop, about);
}

/* ---- turns ---------------------------------------------------------------------------------------------- */

void loop_go_on(struct conn *conn)
{
    if (conn->is_queued) return;
    conn->is_queued = true;
    conn->queued = conn->loop->queue;
    conn->loop->queue = conn;
}

static void go_on(struct loop *loop)
{
    struct conn *conn = loop->queue;
    loop->queue = NULL;
    for (struct conn *next; conn != NULL; conn = next) {
        next = conn->queued;
        conn->is_queued = false;
        if (conn->state != CONN_DEAD) conn_drive(conn);
    }
}

/* Events and lists of this turn may still have named them. */
static void bury(struct loop *loop)
{
    struct conn *conn = loop->graveyard;
    loop->graveyard = NULL;
    for (struct conn *next; conn != NULL; conn = next) {
        next = conn->next;
        if (conn->is_queued) {
            conn->next = loop->graveyard;
            loop->graveyard = conn;
        } else {
            free(conn);
        }
    }
}

static void close_listeners(struct loop *loop)
{
    for (uint32_t i = 0; i < loop->listener_count; i++) {
        if (loop->listeners[i].datagrams != NULL)
            datagrams_free(loop->listeners[i].datagrams);
        else
            (void)close(loop->listeners[i].fd);
    }
    loop->listener_count = 0;
}

static void stop_when_asked(struct loop *loop)
{
    if (!atomic_load(&loop->server->stopping)) return;
    bool too_late = loop->now >= atomic_load(&loop->server->stop_at);
    if (loop->is_stopping && !too_late) return;
    loop->is_stopping = true;
    set_accepting(loop, false);
    for (uint32_t i = 0; i < loop->listener_count; i++) /* what came before the end */
        if (loop->listeners[i].datagrams != NULL)
            (void)datagrams_read(loop->listeners[i].datagrams);
    close_listeners(loop);
    for (struct conn *conn = loop->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        if (conn->state == CONN_DEAD) continue;
        if (too_late)
            conn_kill(conn);
        else
            conn_retire(conn);
    }
}

static int wait_ms(const struct loop *loop)
{
    enum { WAIT_MS_MAX = 10000 };
    if (loop->queue != NULL || loop->graveyard != NULL) return 0;
    rf_usec until = INT64_MAX;
    if (loop->timer_count > 0) until = loop->timers[0].at;
    /* When that time has passed, only handlers that still run are waited for, and they ring. */
    rf_usec stop_at = atomic_load(&loop->server->stop_at);
    if (loop->is_stopping && loop->now < stop_at) until = RF_MIN(until, stop_at);
    if (!loop->is_accepting && !loop->is_stopping) until = RF_MIN(until, loop->accept_again);
    for (uint32_t i = 0; i < loop->listener_count; i++)
        if (loop->listeners[i].held_until != 0)
            until = RF_MIN(until, loop->listeners[i].held_until);
    if (until == INT64_MAX) return -1;
    rf_usec now = rf_clock_elapsed(loop->server->clock);
    if (until <= now) return 0;
    return (int)RF_MIN((until - now) / RF_USEC_PER_MS + 1, WAIT_MS_MAX);
}

static void on_event(struct loop *loop, const struct epoll_event *event)
{
    uint64_t about = event->data.u64;
    if (about == EVENT_MAILBOX) {
        uint64_t count;
        if (read(loop->event, &count, sizeof count) < 0) return;
    } else if (about < EVENT_MAILBOX) {
        if (about < loop->listener_count) listener_ready(loop, (uint32_t)about);
    } else {
        struct conn *conn = event->data.ptr;
        if (conn->state == CONN_DEAD) return;
        bool wholly = (event->events & (EPOLLERR | EPOLLHUP)) != 0;
        if (wholly || (event->events & EPOLLRDHUP) != 0) conn_hung_up(conn, wholly);
        if (conn->state != CONN_DEAD) conn_drive(conn);
    }
}

static void turn(struct loop *loop)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(loop->epoll, events, EVENTS_PER_TURN, wait_ms(loop));
    loop->now = rf_clock_elapsed(loop->server->clock);
    if (!loop->is_accepting && !loop->is_stopping && loop->now >= loop->accept_again)
        set_accepting(loop, true);
    for (int i = 0; i < count; i++) on_event(loop, &events[i]);
    resume_datagrams(loop);
    loop_drain(loop);
    go_on(loop);
    expire(loop);
    stop_when_asked(loop);
    bury(loop);
}

static void *loop_main(void *arg)
{
    struct loop *loop = arg;
    loop->now = rf_clock_elapsed(loop->server->clock);
    set_accepting(loop, true);
    for (uint32_t i = 0; i < loop->listener_count; i++)
        if (loop->listeners[i].datagrams != NULL)
            (void)watch(loop, loop->listeners[i].fd, i, EPOLLIN);
    while (!loop->is_stopping || loop->conn_count > 0) turn(loop);
    go_on(loop); /* one that died while it was queued is buried only when it is not */
    bury(loop);
    return NULL;
}

/* ---- life ------------------------------------------------------------------------------------------------ */

enum rf_kind loop_init(struct loop *loop, struct server *server, struct rf_err *err)
{
    loop->server = server;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll >= 0 && loop->event >= 0 && watch(loop, loop->event, EVENT_MAILBOX, EPOLLIN))
        return RF_OK;
    return RF_FAIL_ERRNO(err, "LoopFailed", "an event loop");
}

enum rf_kind loop_start(struct loop *loop, struct rf_err *err)
{
    if (pthread_create(&loop->thread, NULL, loop_main, loop) == 0) return RF_OK;
    return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "a thread for an event loop");
}

void loop_done(struct loop *loop)
{
    RF_ASSERT(loop->conn_count == 0);
    close_listeners(loop);
    if (loop->epoll >= 0) (void)close(loop->epoll);
    if (loop->event >= 0) (void)close(loop->event);
    for (struct exchange *x = loop->spare, *next; x != NULL; x = next) {
        next = x->next;
        free(x);
    }
    free(loop->timers);
}
