#include "net/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/pool.h"
#include "net/server_int.h"

/* ---- limits ------------------------------------------------------------------------------------------ */

static void default_u32(uint32_t *limit, uint32_t otherwise)
{
    if (*limit == 0) *limit = otherwise;
}

static void default_usec(int64_t *limit, int64_t otherwise)
{
    if (*limit == 0) *limit = otherwise;
}

static struct server_limits with_defaults(struct server_limits limits)
{
    default_u32(&limits.connections_max, 50000);
    default_u32(&limits.connections_per_peer_max, 5000);
    default_u32(&limits.head_bytes_max, 64 << 10);
    default_u32(&limits.headers_max, 100);
    default_u32(&limits.target_bytes_max, 32 << 10);
    default_usec(&limits.head_usec_max, 15 * RF_USEC_PER_SECOND);
    default_usec(&limits.idle_usec_max, 120 * RF_USEC_PER_SECOND);
    default_u32(&limits.body_rate_min, 1 << 10);
    default_u32(&limits.write_rate_min, 1 << 10);
    default_u32(&limits.requests_per_connection_max, 1000000);
    if (limits.request_memory_max == 0) limits.request_memory_max = (size_t)256 << 20;
    return limits;
}

/* ---- peers --------------------------------------------------------------------------------------------- */

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

bool address_is_loopback(const uint8_t address[16])
{
    static const uint8_t six[16] = {[15] = 1};
    if (memcmp(address, mapped_prefix, sizeof mapped_prefix) == 0) return address[12] == 127;
    return memcmp(address, six, sizeof six) == 0;
}

/* Of an IPv6 address the net counts: its owner has all the addresses in it. */
static atomic_uint *peer_slot(struct server *server, const uint8_t address[16])
{
    bool is_4 = memcmp(address, mapped_prefix, sizeof mapped_prefix) == 0;
    return &server->peers[rf_hash(address, is_4 ? 16 : 8, server->seed) % PEER_SLOTS];
}

bool server_admit(struct server *server, const uint8_t address[16])
{
    atomic_uint *slot = peer_slot(server, address);
    unsigned all = atomic_fetch_add(&server->connections, 1) + 1;
    unsigned mine = atomic_fetch_add(slot, 1) + 1;
    bool mine_fit = mine <= server->limits.connections_per_peer_max || address_is_loopback(address);
    if (all <= server->limits.connections_max && mine_fit) return true;
    server_dismiss(server, address);
    return false;
}

void server_dismiss(struct server *server, const uint8_t address[16])
{
    atomic_fetch_sub(&server->connections, 1);
    atomic_fetch_sub(peer_slot(server, address), 1);
}

/* ---- life ------------------------------------------------------------------------------------------------ */

enum rf_kind server_new(const struct server_options *options, struct server **out,
                        struct rf_err *err)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a server");
    server->handler = options->handler;
    server->limits = with_defaults(options->limits);
    server->parse_limits =
        (struct http_parse_limits){.head_bytes_max = server->limits.head_bytes_max,
                                   .headers_max = server->limits.headers_max,
                                   .target_bytes_max = server->limits.target_bytes_max};
    server->clock = options->clock != NULL ? options->clock : rf_clock_real();
    server->quick_workers = options->quick_workers;
    server->heavy_workers = options->heavy_workers;
    enum rf_kind kind = RF_OK;
    if (getrandom(&server->seed, sizeof server->seed, 0) != (ssize_t)sizeof server->seed)
        kind = RF_FAIL_ERRNO(err, "RandomFailed", "random bytes");
    uint32_t loops = options->loops == 0 ? pool_processors() : options->loops;
    loops = RF_MIN(loops, (uint32_t)LOOPS_MAX);
    for (uint32_t i = 0; i < loops && kind == RF_OK; i++) {
        struct loop *loop = calloc(1, sizeof *loop);
        if (loop == NULL) {
            kind = RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "an event loop");
            break;
        }
        server->loops[server->loop_count++] = loop;
        kind = loop_init(loop, server, err);
    }
    if (kind == RF_OK)
        *out = server;
    else
        server_free(server);
    return kind;
}

enum rf_kind server_start(struct server *server, struct rf_err *err)
{
    RF_ASSERT(server->workers == NULL);
    /* OpenSSL writes to sockets without MSG_NOSIGNAL; a peer that went away must not end the program. */
    (void)signal(SIGPIPE, SIG_IGN);
    RF_TRY(workers_new(server->quick_workers, server->heavy_workers, &server->workers, err));
    for (uint32_t i = 0; i < server->loop_count; i++) {
        RF_TRY(loop_start(server->loops[i], err));
        server->loops_started++;
    }
    return RF_OK;
}

void server_stop(struct server *server, int64_t grace_usec)
{
    atomic_store(&server->stop_at, rf_clock_elapsed(server->clock) + grace_usec);
    atomic_store(&server->stopping, true);
    for (uint32_t i = 0; i < server->loops_started; i++) loop_wake(server->loops[i]);
    for (uint32_t i = 0; i < server->loops_started; i++)
        pthread_join(server->loops[i]->thread, NULL);
    server->loops_started = 0;
    atomic_store(&server->cut, true);
    workers_free(server->workers);
    server->workers = NULL;
    for (uint32_t i = 0; i < server->loop_count; i++) loop_drain(server->loops[i]);
}

void server_free(struct server *server)
{
    if (server == NULL) return;
    server_stop(server, 0);
    for (uint32_t i = 0; i < server->loop_count; i++) {
        loop_done(server->loops[i]);
        free(server->loops[i]);
    }
    free(server);
}

struct server_stats server_stats(const struct server *server)
{
    return (struct server_stats){
        .accepted = atomic_load_explicit(&server->accepted, memory_order_relaxed),
        .requests = atomic_load_explicit(&server->requests, memory_order_relaxed),
        .refused = atomic_load_explicit(&server->refused, memory_order_relaxed),
        .bytes_in = atomic_load_explicit(&server->bytes_in, memory_order_relaxed),
        .bytes_out = atomic_load_explicit(&server->bytes_out, memory_order_relaxed),
        .datagrams = atomic_load_explicit(&server->datagrams, memory_order_relaxed),
        .datagrams_lost = atomic_load_explicit(&server->lost, memory_order_relaxed),
        .streams = atomic_load_explicit(&server->streams, memory_order_relaxed),
        .connections = atomic_load_explicit(&server->connections, memory_order_relaxed)};
}

/* ---- listening --------------------------------------------------------------------------------------------- */

struct place {
    struct sockaddr_storage address;
    socklen_t bytes;
};

static void set_port(struct place *place, uint16_t port)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    if (place->address.ss_family == AF_INET) {
        memcpy(&in, &place->address, sizeof in);
        in.sin_port = htons(port);
        memcpy(&place->address, &in, sizeof in);
    } else {
        memcpy(&in6, &place->address, sizeof in6);
        in6.sin6_port = htons(port);
        memcpy(&place->address, &in6, sizeof in6);
    }
}

static bool parse_address(rf_str text, struct place *out)
{
    char host[INET6_ADDRSTRLEN];
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    bool bracketed = text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']';
    if (bracketed) text = rf_slice(text, 1, text.len - 1);
    if (text.len >= sizeof host) return false;
    memcpy(host, text.ptr, text.len);
    host[text.len] = '\0';
    *out = (struct place){.bytes = bracketed ? sizeof in6 : sizeof in};
    if (bracketed && inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
        memcpy(&out->address, &in6, sizeof in6);
        return true;
    }
    if (bracketed || inet_pton(AF_INET, host, &in.sin_addr) != 1) return false;
    memcpy(&out->address, &in, sizeof in);
    return true;
}

static bool parse_port(rf_str text, uint16_t *out)
{
    uint32_t port = 0;
    if (text.len == 0 || text.len > 5) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i])) return false;
        port = port * 10 + (text.ptr[i] - (uint32_t)'0');
    }
    *out = (uint16_t)port;
    return port <= UINT16_MAX;
}

static enum rf_kind bind_failed(rf_str text, int error, struct rf_err *err)
{
    switch (error) {
    case EADDRINUSE:
        return RF_FAIL(err, RF_CONFLICT, "AddressInUse", "%.*s is in use", RF_FMT(text));
    case EACCES:
    case EPERM:
        return RF_FAIL(err, RF_DENIED, "AddressDenied", "%.*s needs more rights", RF_FMT(text));
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return RF_FAIL(err, RF_INVALID, "BadListenAddress",
                       "%.*s is not an address of this machine", RF_FMT(text));
    default:
        errno = error;
        return RF_FAIL_ERRNO(err, "ListenFailed", "%.*s", RF_FMT(text));
    }
}

/* A socket of `type` bound to `place`; -1 with errno set. */
static int bind_one(const struct place *place, int type, bool is_shared)
{
    int fd = socket(place->address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    /* Of datagrams it would let another program take the port too. */
    if (type == SOCK_STREAM) (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (is_shared) (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int));
    if (place->address.ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
    if (bind(fd, (const struct sockaddr *)&place->address, place->bytes) == 0) return fd;
    int error = errno;
    (void)close(fd);
    errno = error;
    return -1;
}

static bool port_of(int fd, uint16_t *port)
{
    struct sockaddr_storage bound;
    socklen_t bytes = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &bytes) != 0) return false;
    struct sockaddr_in6 in6; /* the port is at the same place in both */
    _Static_assert(offsetof(struct sockaddr_in, sin_port) ==
                       offsetof(struct sockaddr_in6, sin6_port),
                   "one place for the port");
    memcpy(&in6, &bound, sizeof in6);
    *port = ntohs(in6.sin6_port);
    return true;
}

/* Sharing a port by SO_REUSEPORT would let a second server take half of the connections unseen, so it is tried first without. */
static bool is_free(struct place *place, int type, uint16_t *port)
{
    int fd = bind_one(place, type, false);
    if (fd < 0) return false;
    bool good = (type == SOCK_DGRAM || listen(fd, 1) == 0) && port_of(fd, port);
    int error = errno;
    (void)close(fd);
    errno = error;
    if (good) set_port(place, *port);
    return good;
}

/* What a listener is to be: of streams, of datagrams, or of HTTP. */
struct wish {
    struct tls_context *tls;
    const struct stream_listener *stream;
    const struct datagram_handlers *datagrams; /* NULL: connections */
};

static void drop_listeners(struct server *server, uint32_t kept)
{
    for (uint32_t i = 0; i < server->loop_count; i++) {
        struct loop *loop = server->loops[i];
        while (loop->listener_count > kept) {
            struct listener *listener = &loop->listeners[--loop->listener_count];
            if (listener->datagrams != NULL)
                datagrams_free(listener->datagrams);
            else
                (void)close(listener->fd);
        }
    }
}

/* Takes `fd`; false with errno set. */
static bool add_listener(struct server *server, struct loop *loop, int fd, const struct wish *wish)
{
    enum { BACKLOG = 4096 };
    struct listener listener = {.fd = fd, .tls = wish->tls, .stream = wish->stream};
    if (wish->datagrams == NULL && listen(fd, BACKLOG) != 0) {
        int error = errno;
        (void)close(fd);
        errno = error;
        return false;
    }
    if (wish->datagrams != NULL) {
        errno = ENOMEM;
        listener.datagrams = datagrams_new(server, fd, wish->datagrams);
        if (listener.datagrams == NULL) return false;
    }
    loop->listeners[loop->listener_count++] = listener;
    return true;
}

/* One socket for each loop; the kernel spreads connections over them. errno is set when it fails. */
static bool listen_at(struct server *server, struct place *place, const struct wish *wish,
                      uint16_t *port)
{
    uint32_t before = server->loops[0]->listener_count;
    int type = wish->datagrams == NULL ? SOCK_STREAM : SOCK_DGRAM;
    errno = EMFILE;
    if (before == LISTENERS_MAX || !is_free(place, type, port)) return false;
    for (uint32_t i = 0; i < server->loop_count; i++) {
        int fd = bind_one(place, type, true);
        if (fd >= 0 && add_listener(server, server->loops[i], fd, wish)) continue;
        int error = errno;
        drop_listeners(server, before);
        errno = error;
        return false;
    }
    return true;
}

/* Both loopback addresses with one port; that of IPv6 may be missing on this machine. */
static bool listen_localhost(struct server *server, const struct wish *wish, uint16_t *port)
{
    enum { TRIES = 16 };
    uint32_t before = server->loops[0]->listener_count;
    uint16_t wanted = *port;
    for (int i = 0; i < TRIES; i++) {
        struct place four, six;
        RF_ASSERT(parse_address(RF_S("127.0.0.1"), &four));
        RF_ASSERT(parse_address(RF_S("[::1]"), &six));
        set_port(&four, wanted);
        if (!listen_at(server, &four, wish, port)) return false;
        set_port(&six, *port);
        if (listen_at(server, &six, wish, port)) return true;
        if (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT) return true;
        int error = errno;
        drop_listeners(server, before);
        errno = error;
        if (wanted != 0) return false;
    }
    return false;
}

static enum rf_kind listen_as(struct server *server, rf_str address, const struct wish *wish,
                              uint16_t *port, struct rf_err *err)
{
    RF_ASSERT(server->workers == NULL); /* a loop's listeners are its own once it runs */
    size_t colon = address.len;
    while (colon > 0 && address.ptr[colon - 1] != ':') colon--;
    struct place place;
    uint16_t taken = 0;
    rf_str host = colon == 0 ? address : rf_slice(address, 0, colon - 1);
    bool is_localhost = rf_str_is(host, "localhost");
    if (colon == 0 || !parse_port(rf_slice(address, colon, address.len), &taken) ||
        (!is_localhost && !parse_address(host, &place)))
        return RF_FAIL(err, RF_INVALID, "BadListenAddress",
                       "%.*s is not ADDRESS:PORT; IPv6 goes in brackets", RF_FMT(address));
    if (!is_localhost) set_port(&place, taken);
    bool good = is_localhost ? listen_localhost(server, wish, &taken)
                             : listen_at(server, &place, wish, &taken);
    if (!good) return bind_failed(address, errno, err);
    *port = taken;
    return RF_OK;
}

enum rf_kind server_listen(struct server *server, rf_str address, struct tls_context *tls,
                           uint16_t *port, struct rf_err *err)
{
    return listen_as(server, address, &(struct wish){.tls = tls}, port, err);
}

enum rf_kind server_listen_stream(struct server *server, rf_str address, struct tls_context *tls,
                                  const struct stream_handlers *handlers, void *ctx, uint16_t *port,
                                  struct rf_err *err)
{
    RF_ASSERT(handlers->on_open != NULL);
    RF_ASSERT(handlers->on_bytes != NULL);
    RF_ASSERT(handlers->on_close != NULL);
    if (server->stream_listener_count == LISTENERS_MAX)
        return RF_FAIL(err, RF_LIMIT, "ListenFailed", "there are %d listeners", LISTENERS_MAX);
    struct stream_listener *stream = &server->stream_listeners[server->stream_listener_count];
    *stream = (struct stream_listener){.handlers = *handlers, .ctx = ctx};
    RF_TRY(listen_as(server, address, &(struct wish){.tls = tls, .stream = stream}, port, err));
    server->stream_listener_count++;
    return RF_OK;
}

enum rf_kind server_listen_datagrams(struct server *server, rf_str address,
                                     const struct datagram_handlers *handlers, uint16_t *port,
                                     struct rf_err *err)
{
    RF_ASSERT(handlers->on_datagrams != NULL);
    return listen_as(server, address, &(struct wish){.datagrams = handlers}, port, err);
}
