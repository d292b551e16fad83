#define _GNU_SOURCE /* MSG_NOSIGNAL, struct addrinfo */

#include "net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/tls_int.h"

enum { HOST_BYTES_MAX = 253, ADDRESSES_MAX = 16 };

struct dial {
    int fd;
    struct ssl_st *ssl; /* NULL: plain */
    bool is_broken;
    uint16_t port;
    char host[HOST_BYTES_MAX + 1];
};

/* ---- names --------------------------------------------------------------------------------------------- */

struct peers {
    struct sockaddr_storage addresses[ADDRESSES_MAX];
    socklen_t bytes[ADDRESSES_MAX];
    size_t count;
};

static void add_peer(struct peers *peers, const void *address, size_t bytes)
{
    if (peers->count == ADDRESSES_MAX || bytes > sizeof peers->addresses[0]) return;
    memcpy(&peers->addresses[peers->count], address, bytes);
    peers->bytes[peers->count++] = (socklen_t)bytes;
}

/* RFC 6761 section 6.3; a resolver that does not know *.localhost, or that asks the network about it, is common. */
static bool is_localhost(const char *host)
{
    rf_str name = rf_str_of(host);
    return rf_str_is(name, "localhost") || rf_str_ends(name, RF_S(".localhost"));
}

/* getaddrinfo works in a static program as far as the C library itself goes: /etc/hosts and DNS, but no modules that
 * nsswitch.conf names beside them. */
static enum rf_kind resolve(const struct dial *dial, const char *host, struct peers *out,
                            struct rf_err *err)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(dial->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(dial->port)};
    out->count = 0;
    if (is_localhost(host)) {
        in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        in6.sin6_addr = in6addr_loopback;
        add_peer(out, &in, sizeof in);
        add_peer(out, &in6, sizeof in6);
    } else if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
        add_peer(out, &in, sizeof in);
    } else if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
        add_peer(out, &in6, sizeof in6);
    } else {
        char port[8];
        (void)snprintf(port, sizeof port, "%u", (unsigned)dial->port);
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
        struct addrinfo *found = NULL;
        int failed = getaddrinfo(host, port, &hints, &found);
        if (failed != 0)
            return RF_FAIL(err, RF_NOT_FOUND, "UnknownHost", "%s: %s", host, gai_strerror(failed));
        for (const struct addrinfo *a = found; a != NULL; a = a->ai_next)
            add_peer(out, a->ai_addr, a->ai_addrlen);
        freeaddrinfo(found);
    }
    if (out->count > 0) return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "UnknownHost", "%s has no address", host);
}

/* Leaves the addresses that may be connected to. */
static enum rf_kind filter(const struct dial *dial, const struct egress *egress,
                           enum egress_way way, struct peers *peers, struct rf_err *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < peers->count; i++) {
        if (!egress_allows_address(egress, way, (const struct sockaddr *)&peers->addresses[i]))
            continue;
        peers->addresses[kept] = peers->addresses[i];
        peers->bytes[kept++] = peers->bytes[i];
    }
    peers->count = kept;
    if (kept > 0) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "AddressNotAllowed",
                   "%s has only addresses that are not public and that the configuration does not "
                   "name",
                   dial->host);
}

/* ---- connecting ---------------------------------------------------------------------------------------- */

static enum rf_kind timed_out(const struct dial *dial, struct rf_err *err)
{
    return RF_FAIL(err, RF_IO, "TimedOut", "%s:%u did not answer in time", dial->host,
                   (unsigned)dial->port);
}

/* The system's own time limits of a socket hold for connecting and for each wait. */
static int connect_one(const struct sockaddr *address, socklen_t bytes, int64_t timeout_usec)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    struct timeval wait = {.tv_sec = timeout_usec / RF_USEC_PER_SECOND,
                           .tv_usec = timeout_usec % RF_USEC_PER_SECOND};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0 &&
        connect(fd, address, bytes) == 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        return fd;
    }
    int error = errno == EINPROGRESS ? ETIMEDOUT : errno;
    (void)close(fd);
    errno = error;
    return -1;
}

static enum rf_kind connect_any(struct dial *dial, const struct dial_options *options,
                                struct rf_err *err)
{
    struct peers peers;
    enum egress_way way = EGRESS_INSIDE;
    int64_t timeout = options->timeout_usec > 0 ? options->timeout_usec : 30 * RF_USEC_PER_SECOND;
    if (options->egress != NULL) way = egress_way_to(options->egress, dial->host, dial->port);
    if (way == EGRESS_NONE)
        return RF_FAIL(err, RF_DENIED, "HostNotAllowed",
                       "%s:%u is not among the hosts that the configuration names", dial->host,
                       (unsigned)dial->port);
    RF_ASSERT(options->address == NULL || options->egress == NULL);
    RF_TRY(resolve(dial, options->address != NULL ? options->address : dial->host, &peers, err));
    if (options->egress != NULL) RF_TRY(filter(dial, options->egress, way, &peers, err));
    for (size_t i = 0; i < peers.count && dial->fd < 0; i++)
        dial->fd =
            connect_one((const struct sockaddr *)&peers.addresses[i], peers.bytes[i], timeout);
    if (dial->fd >= 0) return RF_OK;
    if (errno == ETIMEDOUT) return timed_out(dial, err);
    return RF_FAIL_ERRNO(err, "ConnectFailed", "%s:%u", dial->host, (unsigned)dial->port);
}

enum rf_kind dial_open(const struct dial_options *options, struct dial **out, struct rf_err *err)
{
    size_t len = strlen(options->host);
    if (len == 0 || len > HOST_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "BadHost", "a host has 1 to %d bytes", HOST_BYTES_MAX);
    struct dial *dial = calloc(1, sizeof *dial);
    if (dial == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a connection");
    memcpy(dial->host, options->host, len + 1);
    dial->port = options->port;
    dial->fd = -1;
    (void)signal(SIGPIPE, SIG_IGN);
    enum rf_kind kind = connect_any(dial, options, err);
    if (kind == RF_OK)
        *out = dial;
    else
        dial_close(dial);
    return kind;
}

enum rf_kind dial_tls(struct dial *dial, struct tls_context *tls, bool trust_any,
                      struct rf_err *err)
{
    RF_ASSERT(dial->ssl == NULL);
    dial->ssl = tls_open_client(tls, dial->fd, dial->host);
    if (dial->ssl == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "TLS");
    if (trust_any) tls_trust_any(dial->ssl);
    errno = 0;
    enum tls_io io = tls_handshake(dial->ssl);
    if (io == TLS_OK) return RF_OK;
    dial->is_broken = true;
    if (io == TLS_AGAIN) return timed_out(dial, err);
    return RF_FAIL(err, RF_IO, "TlsFailed", "%s:%u: %s", dial->host, (unsigned)dial->port,
                   tls_why(dial->ssl));
}

/* ---- bytes --------------------------------------------------------------------------------------------- */

static enum dial_io of_tls(enum tls_io io)
{
    if (io == TLS_OK) return DIAL_OK;
    if (io == TLS_AGAIN) return DIAL_TIMED_OUT;
    return io == TLS_EOF ? DIAL_EOF : DIAL_BROKEN;
}

static enum dial_io write_some(struct dial *dial, rf_str bytes, size_t *put)
{
    if (dial->ssl != NULL) return of_tls(tls_write(dial->ssl, bytes, put));
    ssize_t sent = send(dial->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN ? DIAL_TIMED_OUT : DIAL_BROKEN;
    *put = (size_t)sent;
    return DIAL_OK;
}

enum dial_io dial_write(struct dial *dial, rf_str bytes)
{
    size_t put = 0;
    for (size_t at = 0; at < bytes.len; at += put) {
        enum dial_io io = write_some(dial, rf_slice(bytes, at, bytes.len), &put);
        dial->is_broken |= io != DIAL_OK;
        if (io != DIAL_OK) return io;
    }
    return DIAL_OK;
}

enum dial_io dial_read(struct dial *dial, void *out, size_t cap, size_t *got)
{
    if (dial->ssl != NULL) {
        enum dial_io io = of_tls(tls_read(dial->ssl, out, cap, got));
        dial->is_broken |= io != DIAL_OK;
        return io;
    }
    ssize_t bytes = recv(dial->fd, out, cap, 0);
    if (bytes == 0) return DIAL_EOF;
    if (bytes < 0) return errno == EAGAIN ? DIAL_TIMED_OUT : DIAL_BROKEN;
    *got = (size_t)bytes;
    return DIAL_OK;
}

bool dial_is_quiet(const struct dial *dial)
{
    uint8_t byte;
    /* TLS reads ahead: what has left the socket may not have been read yet. */
    if (dial->ssl != NULL && SSL_has_pending(dial->ssl) == 1) return false;
    return recv(dial->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

bool dial_is_tls(const struct dial *dial) { return dial->ssl != NULL; }

bool dial_certificate(const struct dial *dial, struct rf_arena *arena, rf_str *out)
{
    unsigned char *der = NULL;
    X509 *cert = dial->ssl == NULL ? NULL : SSL_get1_peer_certificate(dial->ssl);
    int bytes = cert == NULL ? -1 : i2d_X509(cert, &der);
    bool good = bytes > 0 && rf_arena_str(arena, rf_str_make(der, (size_t)bytes), out);
    OPENSSL_free(der);
    X509_free(cert);
    return good;
}

int dial_fd(const struct dial *dial) { return dial->fd; }

void dial_close(struct dial *dial)
{
    if (dial == NULL) return;
    if (dial->ssl != NULL && !dial->is_broken) tls_bye(dial->ssl);
    tls_close(dial->ssl);
    if (dial->fd >= 0) (void)close(dial->fd);
    free(dial);
}
