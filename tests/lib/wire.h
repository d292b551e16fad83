/* wire.h - what tests that attack a server share: TLS connections from 127.0.0.2, random numbers, bytes that are spoiled, the server's
 * memory. */
#ifndef RF_TEST_WIRE_H
#define RF_TEST_WIRE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/rf.h"

enum { DRAFT_BYTES_MAX = 32 << 10 };

struct wire {
    SSL_CTX *tls;
    SSL_SESSION *session; /* of the last connection */
    SSL *ssl;
    int fd;
};

static inline void wire_close(struct wire *wire)
{
    SSL_free(wire->ssl);
    if (wire->fd >= 0) close(wire->fd);
    wire->ssl = NULL;
    wire->fd = -1;
}

static inline void wire_init(struct wire *wire)
{
    *wire = (struct wire){.fd = -1, .tls = SSL_CTX_new(TLS_client_method())};
    if (wire->tls == NULL) abort();
    SSL_CTX_clear_mode(wire->tls, SSL_MODE_AUTO_RETRY); /* a read ends behind what is no answer */
}

static inline void wire_done(struct wire *wire)
{
    wire_close(wire);
    SSL_SESSION_free(wire->session);
    SSL_CTX_free(wire->tls);
}

static inline int tcp_open(uint16_t port)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0) return -1;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline bool wire_open(struct wire *wire, uint16_t port)
{
    wire_close(wire);
    wire->fd = tcp_open(port);
    if (wire->fd < 0) return false;
    wire->ssl = SSL_new(wire->tls);
    if (wire->ssl == NULL || SSL_set_fd(wire->ssl, wire->fd) != 1) abort();
    if (wire->session != NULL) (void)SSL_set_session(wire->ssl, wire->session);
    return SSL_connect(wire->ssl) == 1;
}

static inline void wire_keep_session(struct wire *wire)
{
    SSL_SESSION *session = SSL_get1_session(wire->ssl);
    if (session != NULL && SSL_SESSION_is_resumable(session)) {
        SSL_SESSION_free(wire->session);
        wire->session = session;
    } else {
        SSL_SESSION_free(session);
    }
}

static inline bool wire_send(struct wire *wire, rf_str bytes)
{
    while (bytes.len > 0) {
        int put = SSL_write(wire->ssl, bytes.ptr, (int)RF_MIN(bytes.len, (size_t)1 << 20));
        if (put <= 0) return false;
        bytes = rf_slice(bytes, (size_t)put, bytes.len);
    }
    return true;
}

/* More bytes of an answer, waiting at most so long for each piece; 0: there are none. */
static inline size_t wire_read(struct wire *wire, uint8_t *out, size_t cap, int wait_ms)
{
    struct pollfd poll_fd = {.fd = wire->fd, .events = POLLIN};
    for (;;) {
        if (SSL_pending(wire->ssl) == 0 && poll(&poll_fd, 1, wait_ms) <= 0) return 0;
        int got = SSL_read(wire->ssl, out, (int)cap);
        if (got > 0) return (size_t)got;
        /* A ticket was read, and no more is there. */
        if (SSL_get_error(wire->ssl, got) != SSL_ERROR_WANT_READ) return 0;
    }
}

static inline uint64_t next(uint64_t *random)
{
    *random += 0x9e3779b97f4a7c15u;
    return rf_hash_u64(*random);
}
static inline size_t below(uint64_t *random, size_t count) { return next(random) % count; }

struct draft {
    size_t len;
    uint8_t bytes[DRAFT_BYTES_MAX];
};

/* Puts `with` in the place of some bytes, as far as there is room. */
static inline void splice(struct draft *d, size_t at, size_t gone, rf_str with)
{
    if (at > d->len) at = d->len;
    if (gone > d->len - at) gone = d->len - at;
    if (d->len - gone + with.len > sizeof d->bytes) return;
    memmove(d->bytes + at + with.len, d->bytes + at + gone, d->len - at - gone);
    if (with.len > 0) memcpy(d->bytes + at, with.ptr, with.len);
    d->len = d->len - gone + with.len;
}

/* A line of /proc/PID/status, in KiB; 0: there is none. */
static inline unsigned long memory_kib(const char *pid, const char *name)
{
    char path[64], line[256];
    unsigned long kib = 0;
    (void)snprintf(path, sizeof path, "/proc/%s/status", pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtoul(line + strlen(name) + 1, NULL, 10);
    if (file != NULL) (void)fclose(file);
    return kib;
}

#endif
