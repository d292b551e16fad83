#define _GNU_SOURCE /* recvmmsg, SO_RXQ_OVFL */

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/server_int.h"

/* One socket's datagrams, read many at a time. Room for the largest possible ones is address space; memory only where one was. */

enum { BATCH = 32, BYTES_DEFAULT = 65535, KERNEL_DEFAULT = 4 << 20, READS_PER_TURN = 32 };

union control { /* aligned for a control message */
    struct cmsghdr head;
    uint8_t bytes[CMSG_SPACE(sizeof(uint32_t))];
};

struct datagrams {
    struct server *server;
    struct datagram_handlers handlers;
    int fd;
    uint32_t first, count; /* of `items`: not taken from, up to */
    uint32_t lost;         /* as the kernel counts */
    struct datagram items[BATCH];
    struct mmsghdr messages[BATCH];
    struct iovec places[BATCH];
    struct sockaddr_storage peers[BATCH];
    union control controls[BATCH];
    uint8_t *bytes; /* BATCH times bytes_max */
};

struct datagrams *datagrams_new(struct server *server, int fd,
                                const struct datagram_handlers *handlers)
{
    struct datagrams *d = calloc(1, sizeof *d);
    uint32_t bytes_max = handlers->bytes_max == 0 ? BYTES_DEFAULT : handlers->bytes_max;
    uint8_t *bytes = malloc((size_t)BATCH * bytes_max);
    if (d == NULL || bytes == NULL) {
        free(bytes);
        free(d);
        (void)close(fd);
        return NULL;
    }
    d->server = server;
    d->handlers = *handlers;
    d->handlers.bytes_max = bytes_max;
    d->fd = fd;
    d->bytes = bytes;
    int kernel = (int)RF_MIN(handlers->kernel_max == 0 ? KERNEL_DEFAULT : handlers->kernel_max,
                             (uint32_t)INT32_MAX / 2);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kernel, sizeof kernel);
    (void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &(int){1}, sizeof(int));
    for (uint32_t i = 0; i < BATCH; i++) {
        d->places[i] =
            (struct iovec){.iov_base = bytes + (size_t)i * bytes_max, .iov_len = bytes_max};
    }
    return d;
}

void datagrams_free(struct datagrams *datagrams)
{
    if (datagrams == NULL) return;
    (void)close(datagrams->fd);
    free(datagrams->bytes);
    free(datagrams);
}

/* How many the kernel has thrown away so far; it tells with each that it did not. */
static void note_lost(struct datagrams *d, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        uint32_t lost;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL) continue;
        memcpy(&lost, CMSG_DATA(c), sizeof lost);
        server_count(&d->server->lost, lost - d->lost); /* it may wrap */
        d->lost = lost;
    }
}

static void take_in(struct datagrams *d, uint32_t index)
{
    struct mmsghdr *message = &d->messages[index];
    struct datagram *item = &d->items[index];
    *item = (struct datagram){.bytes = rf_str_make(d->places[index].iov_base, message->msg_len),
                              .is_cut = (message->msg_hdr.msg_flags & MSG_TRUNC) != 0};
    address_of(&d->peers[index], item->address, &item->port);
    note_lost(d, &message->msg_hdr);
    server_count(&d->server->bytes_in, message->msg_len);
}

static bool receive(struct datagrams *d)
{
    for (uint32_t i = 0; i < BATCH; i++) {
        d->messages[i].msg_hdr = (struct msghdr){.msg_name = &d->peers[i],
                                                 .msg_namelen = sizeof d->peers[i],
                                                 .msg_iov = &d->places[i],
                                                 .msg_iovlen = 1,
                                                 .msg_control = &d->controls[i],
                                                 .msg_controllen = sizeof d->controls[i]};
    }
    int count = recvmmsg(d->fd, d->messages, BATCH, MSG_DONTWAIT, NULL);
    if (count <= 0) return false;
    for (uint32_t i = 0; i < (uint32_t)count; i++) take_in(d, i);
    d->first = 0;
    d->count = (uint32_t)count;
    server_count(&d->server->datagrams, d->count);
    return true;
}

bool datagrams_read(struct datagrams *datagrams)
{
    struct datagrams *d = datagrams;
    for (int i = 0; i < READS_PER_TURN; i++) {
        if (d->first == d->count && !receive(d)) return true;
        uint32_t given = d->count - d->first;
        uint32_t taken = d->handlers.on_datagrams(d->handlers.ctx, d->items + d->first, given);
        RF_ASSERT(taken <= given);
        d->first += taken;
        if (taken < given) return false;
    }
    return true; /* level triggered: it is called again when there are more */
}
