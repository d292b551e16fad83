/* resolve.c - names to addresses, and TXT records, by c-ares: from the resolver that the configuration names, or from the system's. A channel for each question:
 * there are few, and a resolver that changed is then asked. */
#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#include "acme/acme_int.h"
#include "net/egress.h"

enum { TRY_MS = 3000, TRIES = 3, HOST_BYTES_MAX = 256 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int initialized;
static void initialize(void) { initialized = ares_library_init(ARES_LIB_INIT_ALL); }

static enum rf_kind fail(struct rf_err *err, const char *name, int status)
{
    bool is_final = status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_EBADNAME;
    return RF_FAIL(err, is_final ? RF_NOT_FOUND : RF_AGAIN, "dns", "%s: %s", name,
                   ares_strerror(status));
}

static enum rf_kind open_channel(const struct acme_network *network, ares_channel *out,
                                 struct rf_err *err)
{
    struct ares_options options = {.timeout = TRY_MS, .tries = TRIES};
    (void)pthread_once(&once, initialize);
    int status = initialized != ARES_SUCCESS
                     ? initialized
                     : ares_init_options(out, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (status != ARES_SUCCESS) return fail(err, "the resolver", status);
    if (network->resolver.len == 0) return RF_OK;
    char servers[128];
    (void)snprintf(servers, sizeof servers, "%.*s", RF_FMT(network->resolver));
    status = ares_set_servers_ports_csv(*out, servers);
    if (status == ARES_SUCCESS) return RF_OK;
    ares_destroy(*out);
    return fail(err, servers, status);
}

/* Until the question is answered; c-ares gives up by itself. */
static void wait_for(ares_channel channel)
{
    for (;;) {
        ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
        int bits = ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
        if (bits == 0) return;
        struct pollfd polled[ARES_GETSOCK_MAXNUM];
        nfds_t count = 0;
        for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
            short events = (short)((ARES_GETSOCK_READABLE(bits, i) ? POLLIN : 0) |
                                   (ARES_GETSOCK_WRITABLE(bits, i) ? POLLOUT : 0));
            if (events != 0) polled[count++] = (struct pollfd){.fd = sockets[i], .events = events};
        }
        struct timeval most = {.tv_sec = 1}, left;
        const struct timeval *wait = ares_timeout(channel, &most, &left);
        (void)poll(polled, count, (int)(wait->tv_sec * 1000 + wait->tv_usec / 1000 + 1));
        for (nfds_t i = 0; i < count; i++)
            ares_process_fd(channel,
                            polled[i].revents & (POLLIN | POLLERR | POLLHUP) ? polled[i].fd
                                                                             : ARES_SOCKET_BAD,
                            polled[i].revents & POLLOUT ? polled[i].fd : ARES_SOCKET_BAD);
        ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* what has timed out */
    }
}

/* ---- addresses ------------------------------------------------------------------------------------------------------------------ */

static bool is_special(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        uint32_t ip = ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr);
        return ip >> 24 == 0 || ip >> 24 == 127 || ip >> 16 == 0xa9fe || ip >> 28 >= 0xe;
    }
    const struct in6_addr *ip = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(ip) || IN6_IS_ADDR_UNSPECIFIED(ip) || IN6_IS_ADDR_LINKLOCAL(ip) ||
           IN6_IS_ADDR_MULTICAST(ip) || IN6_IS_ADDR_V4MAPPED(ip) || IN6_IS_ADDR_V4COMPAT(ip);
}

static bool to_text(const struct sockaddr *address, char *out, size_t cap)
{
    if (address->sa_family == AF_INET)
        return inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr,
                         out, (socklen_t)cap) != NULL;
    return inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
                     out, (socklen_t)cap) != NULL;
}

bool acme_address_allowed(const struct acme_network *network, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN];
    if (address->sa_family != AF_INET && address->sa_family != AF_INET6) return false;
    if (!is_special(address)) return true;
    if (!to_text(address, text, sizeof text)) return false;
    for (uint32_t i = 0; i < network->address_count; i++)
        if (rf_str_is(network->addresses[i], text)) return true;
    return false;
}

struct asked {
    const struct acme_network *network;
    struct acme_addresses *out;
    int status;
    bool refused; /* some address may not be asked */
};
static void on_addresses(void *ctx, int status, int timeouts, struct ares_addrinfo *found)
{
    struct asked *asked = ctx;
    (void)timeouts;
    asked->status = status;
    for (const struct ares_addrinfo_node *n = found == NULL ? NULL : found->nodes; n != NULL;
         n = n->ai_next) {
        if (!acme_address_allowed(asked->network, n->ai_addr)) {
            asked->refused = true;
            continue;
        }
        struct acme_addresses *out = asked->out;
        if (out->count < ACME_ADDRESSES_MAX &&
            to_text(n->ai_addr, out->text[out->count], sizeof out->text[0]))
            out->count++;
    }
    if (found != NULL) ares_freeaddrinfo(found);
}

enum rf_kind acme_resolve(const struct acme_network *network, rf_str host,
                          struct acme_addresses *out, struct rf_err *err)
{
    ares_channel channel;
    char name[HOST_BYTES_MAX];
    struct ares_addrinfo_hints hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = ARES_AI_NOSORT};
    struct asked asked = {.network = network, .out = out, .status = ARES_ENOTFOUND};
    out->count = 0;
    if (host.len >= sizeof name) return fail(err, "the name", ARES_EBADNAME);
    (void)snprintf(name, sizeof name, "%.*s", RF_FMT(host));
    RF_TRY(open_channel(network, &channel, err));
    ares_getaddrinfo(channel, name, NULL, &hints, on_addresses, &asked);
    wait_for(channel);
    ares_destroy(channel);
    if (out->count > 0) return RF_OK;
    if (asked.status != ARES_SUCCESS) return fail(err, name, asked.status);
    return RF_FAIL(err, RF_DENIED, "dns",
                   "%s has only addresses that are not asked: loopback, link-local or special ones "
                   "(acme.addresses of the configuration lists exceptions)",
                   name);
}

/* ---- texts ------------------------------------------------------------------------------------------------------------------------ */

struct asked_texts {
    struct rf_arena *arena;
    struct acme_texts *out;
    int status;
};
static void on_texts(void *ctx, int status, int timeouts, unsigned char *bytes, int len)
{
    struct asked_texts *asked = ctx;
    struct ares_txt_ext *found = NULL;
    (void)timeouts;
    asked->status = status == ARES_SUCCESS ? ares_parse_txt_reply_ext(bytes, len, &found) : status;
    struct rf_buf text = rf_buf_in(asked->arena);
    for (const struct ares_txt_ext *at = found; at != NULL; at = at->next) {
        if (at->record_start) text = rf_buf_in(asked->arena);
        rf_buf_put(&text, at->txt, at->length);
        bool last = at->next == NULL || at->next->record_start;
        if (last && !text.failed && asked->out->count < RF_COUNT(asked->out->items))
            asked->out->items[asked->out->count++] = rf_buf_view(&text);
    }
    if (found != NULL) ares_free_data(found);
}

enum rf_kind acme_resolve_texts(const struct acme_network *network, rf_str name,
                                struct rf_arena *arena, struct acme_texts *out, struct rf_err *err)
{
    ares_channel channel;
    char text[HOST_BYTES_MAX + 32];
    struct asked_texts asked = {.arena = arena, .out = out, .status = ARES_ENOTFOUND};
    out->count = 0;
    if (name.len >= sizeof text) return fail(err, "the name", ARES_EBADNAME);
    (void)snprintf(text, sizeof text, "%.*s", RF_FMT(name));
    RF_TRY(open_channel(network, &channel, err));
    ares_query(channel, text, ns_c_in, ns_t_txt, on_texts, &asked);
    wait_for(channel);
    ares_destroy(channel);
    return asked.status == ARES_SUCCESS ? RF_OK : fail(err, text, asked.status);
}
