/* collect.h - what agents send that people run already: syslog over UDP, TCP and TLS (RFC 3164, 5424, 5425, 6587) with CEF and LEEF
 * inside, OpenTelemetry (OTLP over HTTP), Splunk's HTTP Event Collector, Windows events as XML or JSON, and plain JSON.
 *
 *   Ringfort.Collect/listeners   who may send syslog to which workspace: protocol, addresses or client certificates, time zone
 *   Ringfort.Collect/tokens      keys for senders over HTTP that have no identity in the directory; kept as a digest
 *   POST /v1/logs /v1/traces /v1/metrics          OTLP in protobuf or JSON    -> OTelLogs, OTelSpans, OTelMetrics
 *   POST /services/collector[/event|/raw]         HEC                         -> HecEvents, and what syslog and Windows events give
 *   POST /collect/tables/{table}                  JSON list, object or lines  -> that table
 *   POST /collect/windows-events                  XML or JSON                 -> SecurityEvent, WindowsEvent
 *   POST /collect/syslog                          lines                       -> Syslog, CommonSecurityLog
 *
 * What is acknowledged (HTTP) is durable. Syslog acknowledges nothing: its rows wait for at most 200 ms in a bounded queue; when it is
 * full TCP is not read, and of UDP what does not fit is counted. Every minute each sender's numbers are a row of RingfortCollect; what
 * no row could be made of is in RingfortCollectRejected.
 *
 * Ports must be bound before the process gives up its rights, so collect_listen comes first and says nothing about who may send: that
 * the resources say, which may change while the server runs. Without a listener that fits, everything is refused. */
#ifndef RF_COLLECT_H
#define RF_COLLECT_H

#include "arm/arm.h"

struct server;
struct tls_context;
struct tables;

struct collect;
struct collect_ports;
struct collect_listen_options {
    const rf_str *udp, *tcp, *tls; /* ADDRESS:PORT as server_listen takes them */
    uint32_t udp_count, tcp_count, tls_count;
    struct tls_context *tls_context; /* asks clients for certificates; outlives the server */
};
/* Before server_start. *out outlives the server; it is set in either case, as some addresses may be bound when a later one fails. Errors
 * as server_listen, RF_LIMIT TooManyListeners. */
RF_MUST_USE enum rf_kind collect_listen(struct server *server,
                                        const struct collect_listen_options *options,
                                        struct collect_ports **out, struct rf_err *err);
void collect_ports_free(
    struct collect_ports *ports); /* behind server_free and collect_free; NULL is fine */
/* The port of the index-th address of a protocol ("syslog-udp", "syslog-tcp", "syslog-tls"); 0: none. */
uint16_t collect_port(const struct collect_ports *ports, const char *protocol, uint32_t index);

/* Data collection rules, which another service knows: lines of JSON as a stream of the rule with this immutable id. `stream` empty: the
 * one of the table's name. *taken false, and nothing is stored: no flow of the rule has the stream. *count (may be NULL): lines.
 * Any thread; durable when it returns. */
struct collect_rules {
    void *ctx;
    enum rf_kind (*append)(void *ctx, rf_str rule, rf_str stream, rf_str table, rf_str lines,
                           rf_usec now, bool *taken, uint64_t *count, struct rf_err *err);
};
struct collect_options {
    struct state *state;
    struct arm *arm;
    struct authz *authz;
    struct tables *tables;
    const struct site *site;
    const struct audit *audit;
    struct rf_clock *clock;
    struct collect_ports *ports; /* NULL: no syslog; nothing is taken before collect_start */
    size_t queue_bytes_max;      /* 0: 64 MiB of rows that wait */
    struct collect_rules rules;  /* append NULL: resources cannot name a rule */
};
/* Registers its types with `arm`, which must be freed first, behind collect_stop. */
RF_MUST_USE enum rf_kind collect_new(const struct collect_options *options, struct collect **out,
                                     struct rf_err *err);
/* Starts the thread that writes; syslog is taken from now on. */
RF_MUST_USE enum rf_kind collect_start(struct collect *collect, struct rf_err *err);
/* Looks at no resource any more, so that arm can be freed. The server must have stopped. NULL is fine. */
void collect_stop(struct collect *collect);
/* Writes what waits. Behind collect_stop; NULL is fine. */
void collect_free(struct collect *collect);
/* How many bytes of syslog rows wait for their commit, and how many may. */
void collect_waits(struct collect *collect, uint64_t *waits, uint64_t *room);
const struct service *const *collect_services(struct collect *collect, uint32_t *count);

#endif
