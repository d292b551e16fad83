/* sources.h - who may send: what the resources say, as a snapshot in memory that loops can look at without waiting. */
#ifndef RF_COLLECT_SOURCES_H
#define RF_COLLECT_SOURCES_H

#include "arm/arm.h"
#include "collect/sink.h"
#include "crypt/digest.h"
#include "kql/func_ip.h"
#include "value/zone.h"

enum collect_protocol { SYSLOG_UDP, SYSLOG_TCP, SYSLOG_TLS, PROTOCOL_COUNT };
const char *collect_protocol_name(enum collect_protocol protocol);
bool collect_protocol_of(rf_str name, enum collect_protocol *out);

struct collect_workspace {
    rf_str guid, id, name; /* guid in lower case */
};
struct collect_listener {
    rf_str id, name;
    enum collect_protocol protocol;
    uint16_t port; /* 0: any of the protocol */
    const struct ip6_range *networks;
    const uint32_t *prefixes; /* of the networks: the narrowest wins */
    uint32_t network_count;
    struct sink_route route;
    const struct zone *zone; /* NULL: UTC */
    bool needs_certificate;
    rf_str anchors_pem; /* empty: what the server's own TLS trusts */
    const rf_str *subjects;
    uint32_t subject_count; /* 0: any */
};
enum collect_use { /* what a token may be used for */
                   USE_HEC = 1,
                   USE_OTLP = 2,
                   USE_TABLES = 4,
                   USE_WINDOWS = 8,
                   USE_SYSLOG = 16,
                   USE_ALL = 31
};
struct collect_token {
    rf_str id, name;
    uint8_t digest[SHA256_BYTES];
    unsigned uses;
    bool enabled;
    struct sink_route route;
};
struct collect_sources {
    atomic_uint refs;
    struct rf_arena arena;
    struct collect_listener *listeners;
    struct collect_token *tokens;
    struct collect_workspace *workspaces;
    uint32_t listener_count, token_count, workspace_count;
};

enum { COLLECT_LISTENERS_MAX = 1000, COLLECT_TOKENS_MAX = 10000, COLLECT_NETWORKS_MAX = 1000 };
#define COLLECT_LISTENERS "Ringfort.Collect/listeners"
#define COLLECT_TOKENS "Ringfort.Collect/tokens"
/* state: key = lower-case id of a token's resource, body {"digest": hex of SHA-256}. */
#define COLLECT_TOKEN_SPACE "collectToken"

/* As of a transaction. Resources that say what no longer is (a workspace that was deleted) are left out. Counted for the caller. */
RF_MUST_USE enum rf_kind sources_read(struct arm *arm, struct state_txn *txn,
                                      struct collect_sources **out, struct rf_err *err);
struct collect_sources *sources_ref(struct collect_sources *sources);
void sources_unref(struct collect_sources *sources); /* NULL is fine */

/* "10.0.0.0/8", "2001:db8::/32", an address; "0.0.0.0/0" is all of IPv4. */
bool network_parse(rf_str text, struct ip6_range *out, uint32_t *prefix);
/* The listener of whom the peer is a sender: of the narrowest network with its address, the first by id. `port`: where it connected.
 * `certificate` (DER) may be empty. NULL: nobody's; *why (static) says what was missing. */
const struct collect_listener *sources_listener(const struct collect_sources *sources,
                                                enum collect_protocol protocol, uint16_t port,
                                                const struct ip6 *peer, rf_str certificate,
                                                bool is_trusted, rf_str subject, rf_usec now,
                                                const char **why);
/* NULL: none has this secret. Takes the same time for any that is wrong. */
const struct collect_token *sources_token(const struct collect_sources *sources, rf_str secret);
/* By GUID, name or id, case ignored; NULL: none. */
const struct collect_workspace *sources_workspace(const struct collect_sources *sources,
                                                  rf_str reference);

/* ---- types.c: the hooks of both types ----------------------------------------------------------------------------- */

struct collect;
/* The two types, with `collect` as their context. */
const struct arm_type *collect_types(struct collect *collect, struct arm_type types[2]);
/* A listener's document, checked: RF_INVALID InvalidParameter with what is wrong. `txn` for its workspace. Allocates in `arena`. */
RF_MUST_USE enum rf_kind listener_read(struct arm *arm, struct state_txn *txn,
                                       const struct arm_resource *resource, struct rf_arena *arena,
                                       struct collect_listener *out, struct rf_err *err);
RF_MUST_USE enum rf_kind token_read(struct arm *arm, struct state_txn *txn,
                                    const struct arm_resource *resource, struct rf_arena *arena,
                                    struct collect_token *out, struct rf_err *err);

#endif
