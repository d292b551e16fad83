/* grant.h - what a peer of a namespace may do, and by which proof: a shared access signature, a rule's key, an Entra token, a
 * device's certificate (contract, sections 2, 3.1, 9.1, 10). */
#ifndef RF_HUB_GRANT_H
#define RF_HUB_GRANT_H

#include "authz/principal.h"
#include "hub/hub.h"

enum hub_right { RIGHT_SEND = 1, RIGHT_LISTEN = 2, RIGHT_MANAGE = 4 };

/* One proof. Everything that it names lies in the arena that it was made in. */
struct hub_grant {
    enum { GRANT_RULE, GRANT_PRINCIPAL, GRANT_DEVICE } kind;
    rf_str
        path; /* lower case, no slash at either end: it opens this and what lies below; empty: the namespace */
    rf_usec expires; /* INT64_MAX: never */
    rf_str
        name; /* of the rule, the principal's object id, or the device: for the list of connections and rows */
    /* GRANT_RULE: the hub whose rule it is (empty: the namespace's), and the keys' version when it was proved. */
    rf_str rule_hub;
    uint64_t rule_version;
    struct principal *principal; /* GRANT_PRINCIPAL */
    rf_str serial;               /* GRANT_DEVICE: of the certificate (cert_info.serial) */
};

/* Each tells why not: RF_DENIED with one of the codes InvalidSignature, ExpiredToken, InvalidAudience, UnknownRule, InvalidToken, and
 * leaves a row about the refusal. Constant time where keys are compared. */
RF_MUST_USE enum rf_kind hub_grant_sas(struct hub_namespace *space, rf_str token,
                                       struct rf_arena *arena, struct hub_grant *out,
                                       struct rf_err *err);
/* A rule's name and key (SASL PLAIN); `hub` empty: looked up on the namespace. */
RF_MUST_USE enum rf_kind hub_grant_key(struct hub_namespace *space, rf_str hub, rf_str rule,
                                       rf_str key, struct rf_arena *arena, struct hub_grant *out,
                                       struct rf_err *err);
/* A connection string of either form; `EntityPath` narrows it. */
RF_MUST_USE enum rf_kind hub_grant_connection_string(struct hub_namespace *space, rf_str text,
                                                     struct rf_arena *arena, struct hub_grant *out,
                                                     struct rf_err *err);
/* An Entra access token for https://eventhubs.azure.net or the namespace's host. */
RF_MUST_USE enum rf_kind hub_grant_jwt(struct hub_namespace *space, rf_str token,
                                       struct rf_arena *arena, struct hub_grant *out,
                                       struct rf_err *err);
/* A client certificate in DER of one of the namespace's devices, or that chains to an authority registered for the namespace. The
 * device is named by its CN and may send to {hub}/publishers/{CN} of the hubs that it, or its authority, is registered for. */
RF_MUST_USE enum rf_kind hub_grant_certificate(struct hub_namespace *space, rf_str certificate,
                                               struct rf_arena *arena, struct hub_grant *out,
                                               struct rf_err *err);

/* "sb://host:port/Hub/Partitions/0" -> "hub/partitions/0"; lower case, in `arena`. False: the host is none of the namespace's. */
bool hub_path_of(const struct hub_namespace *space, rf_str uri, struct rf_arena *arena,
                 rf_str *out);

/* As it is now: not expired, the rule's keys unchanged, roles still assigned, no revoked publisher; `path` as above
 * ("hub", "hub/partitions/0", "hub/publishers/truck-7", "hub/consumergroups/$default/partitions/0"). Cheap: for each link, and again
 * when hubs_version changed. RF_DENIED Unauthorized, ExpiredToken, PublisherRevoked. */
RF_MUST_USE enum rf_kind hub_grant_check(struct hub_namespace *space, const struct hub_grant *grant,
                                         rf_str path, enum hub_right right, struct rf_err *err);
/* Whether the proof as such is still good, whatever is asked for: not expired, and of a device: its certificate not revoked. Cheap; RF_DENIED
 * ExpiredToken, PublisherRevoked. */
RF_MUST_USE enum rf_kind hub_grant_holds(struct hub_namespace *space, const struct hub_grant *grant,
                                         struct rf_err *err);
/* Leaves a row in RingfortDenials about an operation that hub_grant_check refused: for whoever turns a peer away, not for looks at what
 * he may. Any thread. */
void hub_grant_refused(struct hub_namespace *space, const struct hub_grant *grant, rf_str path,
                       const struct rf_err *why);

/* Who verifies Entra tokens; before that all of them are refused. Once, at start. */
struct dispatcher;
void hub_grant_dispatcher(struct hubs *hubs, struct dispatcher *dispatcher);

#endif
