/* listen.c - syslog's sockets. A datagram or a connection is looked up among the listeners when it comes; what fits none is counted and
 * left unread. Handlers parse on the loop's thread, which takes microseconds a message, and put rows into the queue; they
 * never wait. */
#include "collect/collect_int.h"

#include <stdlib.h>

#include "base/log.h"
#include "collect/framing.h"
#include "crypt/x509.h"
#include "net/stream.h"

enum {
    PORTS_MAX = 48,
    BATCH_BYTES_MAX = 64 << 20, /* what the rows of one call may take */
    NAME_BYTES_MAX = 160,
    STREAM_BYTES_MAX = FRAMING_MESSAGE_BYTES_MAX + (256 << 10)
};
#define RETRY_USEC (50 * RF_USEC_PER_MS)
#define IDLE_USEC                                                                                  \
    (3600 * RF_USEC_PER_SECOND) /* devices keep a connection for days and say little */

struct port {
    struct collect_ports *all;
    enum collect_protocol protocol;
    uint16_t port;
};
struct collect_ports {
    struct server *server;
    atomic_uint_fast64_t
        lost; /* datagrams that the kernel had no room for, of those that are counted */
    _Atomic(struct collect *) collect; /* NULL: nothing is taken yet, or no more */
    struct port items[PORTS_MAX];
    uint32_t count;
};

void collect_ports_attach(struct collect_ports *ports, struct collect *collect)
{
    atomic_store(&ports->collect, collect);
}

static rf_str own_name(const struct collect *collect) { return collect->options.site->domain; }

/* ---- messages to rows ------------------------------------------------------------------------------------------------------ */

/* One call's rows. */
struct intake {
    struct collect *collect;
    struct health_source who;
    struct sink_route route; /* borrowed of a listener */
    struct line_source line;
    struct rf_arena arena;
    struct rowset rows;
    struct health_counts counts;
    const char *error;
};

static void intake_begin(struct intake *in, struct collect *collect, const struct zone *zone,
                         rf_str peer)
{
    rf_arena_init(&in->arena, BATCH_BYTES_MAX);
    in->collect = collect;
    in->rows = rowset_in(&in->arena);
    in->line = (struct line_source){.now = rf_clock_now(collect->options.clock),
                                    .zone = zone,
                                    .peer = peer,
                                    .collector = own_name(collect),
                                    .columns = &collect->events};
}

static void take_message(struct intake *in, rf_str message, bool is_cut)
{
    const char *problem = NULL;
    if (rf_str_trim(message).len == 0) return; /* some devices keep a connection alive so */
    line_put(&in->line, message, &in->arena, &in->rows, &problem);
    if (is_cut) problem = "the message is longer than 64 KiB and was cut, or its sender cut it off";
    if (problem != NULL) {
        in->counts.rejected++;
        in->error = problem;
        health_put_rejected(&in->rows, &in->who, problem, RF_S("Syslog"), message, in->line.now);
    }
    in->counts.bytes += message.len;
    in->counts.rows++;
}

/* False: the queue is full, and nothing is counted. */
static bool intake_put(struct intake *in, enum queue_class class)
{
    if (!rowset_failed(&in->rows) &&
        !row_queue_put(in->collect->queue, &in->route, &in->rows, class))
        return false;
    if (rowset_failed(&in->rows)) { /* what one read brings never takes that much */
        in->counts = (struct health_counts){.dropped = in->counts.rows};
        in->error = "the rows of one read took too much memory";
    }
    if (in->counts.rows + in->counts.dropped > 0)
        health_add(in->collect->health, &in->who, &in->counts, in->error, in->line.now);
    return true;
}

static void refused(struct collect *collect, enum collect_protocol protocol, rf_str peer,
                    const char *why, uint64_t count)
{
    struct health_source who = {.protocol = collect_protocol_name(protocol),
                                .source = peer,
                                .workspace = collect->options.site->workspace_id};
    health_add(collect->health, &who, &(struct health_counts){.refused = count}, why,
               rf_clock_now(collect->options.clock));
}

static struct ip6 ip_of(const uint8_t address[16])
{
    struct ip6 ip = {.prefix = 128};
    for (size_t i = 0; i < 8; i++) ip.high = ip.high << 8 | address[i];
    for (size_t i = 8; i < 16; i++) ip.low = ip.low << 8 | address[i];
    return ip;
}

/* ---- UDP ------------------------------------------------------------------------------------------------------------------ */

/* Datagrams of one address behind each other are one batch. */
static void take_datagrams(struct collect *collect, const struct port *port,
                           const struct datagram *list, uint32_t count)
{
    char peer[STREAM_ADDRESS_BYTES_MAX];
    const char *why;
    struct ip6 ip = ip_of(list->address);
    stream_address_text(list->address, peer);
    struct collect_sources *sources = collect_sources(collect);
    const struct collect_listener *listener = sources_listener(
        sources, SYSLOG_UDP, port->port, &ip, (rf_str){0}, false, (rf_str){0}, 0, &why);
    if (listener == NULL) {
        refused(collect, SYSLOG_UDP, rf_str_of(peer), why, count);
    } else {
        struct intake in = {.who = {.listener = listener->name,
                                    .protocol = collect_protocol_name(SYSLOG_UDP),
                                    .source = rf_str_of(peer),
                                    .workspace = listener->route.workspace},
                            .route = listener->route};
        intake_begin(&in, collect, listener->zone, rf_str_of(peer));
        for (uint32_t i = 0; i < count; i++) {
            rf_str bytes = list[i].bytes;
            while (bytes.len > 0 &&
                   (bytes.ptr[bytes.len - 1] == '\n' || bytes.ptr[bytes.len - 1] == '\0' ||
                    bytes.ptr[bytes.len - 1] == '\r'))
                bytes.len--;
            take_message(&in, bytes, list[i].is_cut);
        }
        if (!intake_put(&in, QUEUE_DATAGRAM))
            health_add(collect->health, &in.who, &(struct health_counts){.dropped = count},
                       "the queue of rows is full", in.line.now);
        rf_arena_done(&in.arena);
    }
    sources_unref(sources);
}

/* What the kernel threw away nobody can be blamed for: it is told under a listener of its own. */
static void note_lost(struct collect_ports *ports, struct collect *collect)
{
    uint64_t now = server_stats(ports->server).datagrams_lost;
    uint_fast64_t before = atomic_load(&ports->lost);
    struct health_source who = {.listener = RF_S("(kernel)"),
                                .protocol = collect_protocol_name(SYSLOG_UDP),
                                .source = RF_S("(all)"),
                                .workspace = collect->options.site->workspace_id};
    if (now > before && atomic_compare_exchange_strong(&ports->lost, &before, now))
        health_add(collect->health, &who, &(struct health_counts){.dropped = now - before},
                   "datagrams came faster than they were taken (net.core.rmem_max)",
                   rf_clock_now(collect->options.clock));
}

static uint32_t on_datagrams(void *ctx, const struct datagram *datagrams, uint32_t count)
{
    const struct port *port = ctx;
    struct collect *collect = atomic_load(&port->all->collect);
    for (uint32_t i = 0, n; i < count && collect != NULL; i += n) {
        for (n = 1; i + n < count; n++)
            if (memcmp(datagrams[i].address, datagrams[i + n].address, 16) != 0) break;
        take_datagrams(collect, port, &datagrams[i], n);
    }
    if (collect != NULL) note_lost(port->all, collect);
    return count;
}

/* ---- TCP and TLS ------------------------------------------------------------------------------------------------------------ */

struct connection {
    struct collect *collect;
    const struct port *port;
    struct framing framing;
    struct ip6 ip;
    char peer[STREAM_ADDRESS_BYTES_MAX + 1], source[NAME_BYTES_MAX];
    uint8_t *certificate;
    size_t certificate_bytes;
    bool is_trusted;
    /* What was found at the start is looked up again when resources have changed: a listener may change or go. */
    struct collect_sources *sources;
    const struct collect_listener *listener;
};

/* The common name, else the whole subject. */
static rf_str subject_name(rf_str subject)
{
    size_t at = rf_str_starts(subject, RF_S("CN=")) ? 3 : SIZE_MAX;
    if (at == SIZE_MAX) {
        at = rf_str_find(subject, RF_S(",CN="), 0);
        if (at == SIZE_MAX) return subject;
        at += 4;
    }
    size_t end = at;
    while (end < subject.len && subject.ptr[end] != ',') end += subject.ptr[end] == '\\' ? 2 : 1;
    return rf_slice(subject, at, RF_MIN(end, subject.len));
}

static void name_source(struct connection *c, const struct stream_peer *peer)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct cert_info info;
    rf_arena_init(&arena, 1 << 20);
    rf_str name = rf_str_of(c->peer);
    if (peer->certificate.len > 0 && cert_read(peer->certificate, &arena, &info, NULL) == RF_OK)
        name = subject_name(info.subject);
    name.len = RF_MIN(name.len, sizeof c->source - 1);
    memcpy(c->source, name.ptr, name.len);
}

/* Whose the connection is by now; NULL: nobody's, and *why. */
static const struct collect_listener *find_listener(struct connection *c, const char **why)
{
    struct collect_sources *now = collect_sources(c->collect);
    if (now == c->sources) {
        sources_unref(now);
        return c->listener;
    }
    sources_unref(c->sources);
    c->sources = now;
    c->listener =
        sources_listener(now, c->port->protocol, c->port->port, &c->ip,
                         rf_str_make(c->certificate, c->certificate_bytes), c->is_trusted,
                         rf_str_of(c->source), rf_clock_now(c->collect->options.clock), why);
    return c->listener;
}

static void free_connection(struct connection *c)
{
    sources_unref(c->sources);
    free(c->certificate);
    free(c);
}

static bool fill_connection(struct connection *c, const struct stream_peer *peer)
{
    size_t len = RF_MIN(peer->address.len, sizeof c->peer - 1);
    memcpy(c->peer, peer->address.ptr, len);
    if (!ip6_parse(rf_str_of(c->peer), &c->ip)) return false;
    c->is_trusted = peer->is_certificate_trusted;
    if (peer->certificate.len > 0) {
        c->certificate = malloc(peer->certificate.len);
        if (c->certificate == NULL) return false;
        memcpy(c->certificate, peer->certificate.ptr, peer->certificate.len);
        c->certificate_bytes = peer->certificate.len;
    }
    name_source(c, peer);
    return true;
}

static void *on_open(struct stream *stream, void *ctx, const struct stream_peer *peer)
{
    const struct port *port = ctx;
    struct collect *collect = atomic_load(&port->all->collect);
    const char *why = "the peer's address cannot be read";
    (void)stream;
    if (collect == NULL) return NULL;
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL) return NULL;
    c->collect = collect;
    c->port = port;
    if (fill_connection(c, peer) && find_listener(c, &why) != NULL) return c;
    refused(collect, port->protocol, peer->address, why, 1);
    free_connection(c);
    return NULL;
}

/* All whole messages; false when what follows cannot be made out. */
static bool take_messages(struct connection *c, struct intake *in, rf_str bytes, bool is_end,
                          size_t *used)
{
    *used = 0;
    for (;;) {
        rf_str message;
        size_t n;
        enum framing_result result =
            framing_next(&c->framing, rf_slice(bytes, *used, bytes.len), is_end, &n, &message);
        *used += n;
        if (result == FRAMING_MORE) return true;
        if (result == FRAMING_BAD) {
            take_message(in, rf_slice(bytes, *used, bytes.len), false);
            in->error = "a counted message was followed by something that is none";
            *used = bytes.len;
            return false;
        }
        take_message(in, message, result == FRAMING_CUT);
    }
}

static size_t take_bytes(struct stream *stream, struct connection *c,
                         const struct collect_listener *listener, rf_str bytes, bool is_end)
{
    size_t used;
    struct framing before = c->framing;
    struct intake in = {
        .who = {.listener = listener->name,
                .protocol = collect_protocol_name(c->port->protocol),
                /* A name that nobody vouches for is none. */
                .source = rf_str_of(listener->needs_certificate ? c->source : c->peer),
                .workspace = listener->route.workspace},
        .route = listener->route};
    intake_begin(&in, c->collect, listener->zone, rf_str_of(c->peer));
    bool good = take_messages(c, &in, bytes, is_end, &used);
    if (!intake_put(&in, QUEUE_STREAM)) {
        if (is_end) { /* nothing comes again behind the end */
            health_add(c->collect->health, &in.who,
                       &(struct health_counts){.dropped = in.counts.rows},
                       "the queue of rows was full when the connection ended", in.line.now);
        } else {
            c->framing = before;
            used = 0;
            good = true;
            stream_pause(stream);
            stream_wake_in(stream, RETRY_USEC);
        }
    }
    rf_arena_done(&in.arena);
    if (!good) stream_close(stream, 0);
    return used;
}

static size_t on_bytes(struct stream *stream, void *state, rf_str bytes, bool is_end)
{
    struct connection *c = state;
    const char *why = "no listener allows this sender any more";
    const struct collect_listener *listener = find_listener(c, &why);
    if (listener != NULL) return take_bytes(stream, c, listener, bytes, is_end);
    refused(c->collect, c->port->protocol, rf_str_of(c->peer), why, 1);
    stream_close(stream, 0);
    return bytes.len;
}

static void on_wake(struct stream *stream, void *state)
{
    (void)state;
    stream_resume(stream);
}

static void on_close(void *state, enum stream_end why, uint16_t code)
{
    (void)why;
    (void)code;
    free_connection(state);
}

/* ---- ports ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind add_port(struct server *server, struct collect_ports *ports,
                             enum collect_protocol protocol, rf_str address,
                             struct tls_context *tls, struct rf_err *err)
{
    static const struct stream_handlers handlers = {.on_open = on_open,
                                                    .on_bytes = on_bytes,
                                                    .on_wake = on_wake,
                                                    .on_close = on_close,
                                                    .in_bytes_max = STREAM_BYTES_MAX,
                                                    .idle_usec_max = IDLE_USEC};
    if (ports->count == PORTS_MAX)
        return RF_FAIL(err, RF_LIMIT, "TooManyListeners", "more than %d addresses for syslog",
                       PORTS_MAX);
    struct port *port = &ports->items[ports->count];
    *port = (struct port){.all = ports, .protocol = protocol};
    struct datagram_handlers datagrams = {.on_datagrams = on_datagrams, .ctx = port};
    RF_TRY(protocol == SYSLOG_UDP
               ? server_listen_datagrams(server, address, &datagrams, &port->port, err)
               : server_listen_stream(server, address, tls, &handlers, port, &port->port, err));
    ports->count++;
    rf_log(RF_INFO, "collect.listening",
           RF_KV_STR("protocol", rf_str_of(collect_protocol_name(protocol))),
           RF_KV_STR("address", address), RF_KV_U64("port", port->port));
    return RF_OK;
}

static enum rf_kind add_ports(struct server *server, const struct collect_listen_options *options,
                              struct collect_ports *ports, struct rf_err *err)
{
    for (uint32_t i = 0; i < options->udp_count; i++)
        RF_TRY(add_port(server, ports, SYSLOG_UDP, options->udp[i], NULL, err));
    for (uint32_t i = 0; i < options->tcp_count; i++)
        RF_TRY(add_port(server, ports, SYSLOG_TCP, options->tcp[i], NULL, err));
    for (uint32_t i = 0; i < options->tls_count; i++) {
        RF_ASSERT(options->tls_context != NULL);
        RF_TRY(add_port(server, ports, SYSLOG_TLS, options->tls[i], options->tls_context, err));
    }
    return RF_OK;
}

enum rf_kind collect_listen(struct server *server, const struct collect_listen_options *options,
                            struct collect_ports **out, struct rf_err *err)
{
    struct collect_ports *ports = calloc(1, sizeof *ports);
    if (ports == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "listeners");
    ports->server = server;
    enum rf_kind kind = add_ports(server, options, ports, err);
    /* What was bound before a failure has handlers whose context must stay: the caller frees the server first. */
    *out = ports;
    return kind;
}

void collect_ports_free(struct collect_ports *ports) { free(ports); }

uint16_t collect_port(const struct collect_ports *ports, const char *protocol, uint32_t index)
{
    enum collect_protocol wanted;
    if (!collect_protocol_of(rf_str_of(protocol), &wanted)) return 0;
    for (uint32_t i = 0; i < ports->count; i++)
        if (ports->items[i].protocol == wanted && index-- == 0) return ports->items[i].port;
    return 0;
}
