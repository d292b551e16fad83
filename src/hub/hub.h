/* hub.h - event hubs: namespaces, hubs, partitions; events in, events out. What AMQP, Kafka and HTTP stand on.
 *
 * A namespace is the resource Microsoft.EventHub/namespaces/{ns}, a hub .../eventhubs/{hub}; settings are ARM documents (hub_types.c) and
 * take effect before the answer to their PUT. Partition logs lie in DIR/hubs/{hub id}/{partition} (log.h), or, by hubs_options.kafka, in
 * an external Kafka cluster. Names are compared without case.
 *
 * Appends of many callers are written and synced as groups by a few threads of the hub's own; callers are told afterwards
 * (hub_append.done) and never wait. Reads of what came last are served from memory. Any thread, where nothing else is said.
 * Nothing here knows AMQP frames or Kafka requests. */
#ifndef RF_HUB_HUB_H
#define RF_HUB_HUB_H

#include "arm/arm.h"
#include "authz/audit.h"
#include "authz/authz.h"
#include "authz/site.h"
#include "hub/event.h"
#include "hub/kafka_store.h"
#include "store/table.h"

enum {
    HUB_NAME_BYTES_MAX = 256,
    HUB_PARTITIONS_MAX = 1024,
    HUB_PARTITIONS_DEFAULT = 4,
    HUB_GROUPS_MAX = 1000,
    HUBS_PER_NAMESPACE_MAX = 1000,
    HUB_BYTES_MAX = 1 << 20, /* of an event or batch */
};

struct hubs;
struct hub_namespace;
struct hub; /* counted */

struct hubs_options {
    struct rf_fs *fs;
    const char *folder; /* DIR/hubs */
    uint8_t key[32];    /* of what state keeps sealed, and of hubs without a key of their own */
    /* Makes each hub that has no files yet a key of its own. NULL: `key` is for all. Borrowed. */
    const struct store_keyring *keyring;
    struct rf_clock *clock;
    struct state *state;
    struct arm *arm; /* the types of Microsoft.EventHub are registered with it */
    struct authz *authz;
    const struct directory *directory; /* verifies Entra tokens */
    const struct audit *audit;         /* where refusals are told (authz/audit.h); NULL: nowhere */
    const struct site *site;
    const struct kafka_store_options *kafka; /* NULL: partitions lie in files */
    struct keeper
        *keeper;        /* holds the authority over devices (crypt/keeper.h); NULL: there is none */
    size_t cache_bytes; /* of what came last, all partitions; 0: 64 MiB */
    size_t pending_bytes; /* of appends that wait; 0: 64 MiB */
    bool by_hand;         /* no threads: hubs_step does their work */
};
RF_MUST_USE enum rf_kind hubs_new(const struct hubs_options *options, struct hubs **out,
                                  struct rf_err *err);
/* Waits for appends under way, then closes. Front ends have ended. */
void hubs_free(struct hubs *hubs);
/* How many bytes of events wait to be written, and how many may. */
void hubs_waits(const struct hubs *hubs, uint64_t *waits, uint64_t *room);
void hubs_step(struct hubs *hubs);
/* Shows the key of each hub to a sweep (crypt/rewrap.h), and stores what comes back. */
struct rewrap_sweep;
RF_MUST_USE enum rf_kind hubs_rewrap(struct hubs *hubs, struct rewrap_sweep *sweep,
                                     struct rf_err *err);
/* Grows whenever something changed that an open link depends on: hubs made, deleted, disabled, grown, keys, rights, revoked publishers. */
uint64_t hubs_version(const struct hubs *hubs);
/* Called after each change, on any thread; must not block. Before any change can happen (at start); at most 8. */
void hubs_on_change(struct hubs *hubs, void (*changed)(void *ctx), void *ctx);
/* The same, and also when somebody's roles, groups or account changed, which hubs_version counts too: for whoever holds links and requests open
 * that rely on rights. */
void hubs_on_access(struct hubs *hubs, void (*changed)(void *ctx), void *ctx);

/* The namespace that a host name (without port) means: "{ns}.{domain}", or for localhost and addresses the first namespace. Lives
 * as long as `hubs`. RF_NOT_FOUND NamespaceNotFound. */
RF_MUST_USE enum rf_kind hubs_namespace(struct hubs *hubs, rf_str host, struct hub_namespace **out,
                                        struct rf_err *err);
rf_str hub_namespace_name(const struct hub_namespace *space);
struct hubs *hub_namespace_hubs(const struct hub_namespace *space);
bool hub_namespace_takes_kafka(
    const struct hub_namespace *space); /* its kafkaEnabled, as it is now */

/* RF_NOT_FOUND HubNotFound. The caller gives it back with hub_unref. A deleted hub stays readable as an object. */
RF_MUST_USE enum rf_kind hub_find(struct hub_namespace *space, rf_str name, struct hub **out,
                                  struct rf_err *err);
struct hub *hub_ref(struct hub *hub);
void hub_unref(struct hub *hub); /* NULL is fine */
/* Names as they are stored, sorted; in `arena`. */
RF_MUST_USE enum rf_kind hub_names(struct hub_namespace *space, struct rf_arena *arena,
                                   rf_str **names, uint32_t *count, struct rf_err *err);

enum hub_status { HUB_ACTIVE, HUB_DISABLED, HUB_SEND_DISABLED, HUB_RECEIVE_DISABLED, HUB_DELETED };
struct hub_facts {
    rf_str name, id; /* as stored; live as long as the reference */
    enum hub_status status;
    uint32_t partition_count;
    rf_usec created;
    int64_t retention_usec;
    uint64_t retention_bytes; /* 0: no bound */
    bool compacts;
    bool durable; /* false: acknowledged by the system's page cache ("os") */
};
void hub_facts(const struct hub *hub, struct hub_facts *out);
bool hub_has_group(const struct hub *hub, rf_str group); /* "$Default" always */
bool hub_is_revoked(const struct hub *hub, rf_str publisher);

/* What Kafka's admin calls and ARM do alike. RF_CONFLICT HubExists; RF_INVALID BadName, BadPartitionCount; RF_NOT_FOUND. */
RF_MUST_USE enum rf_kind hub_create(struct hub_namespace *space, rf_str name,
                                    uint32_t partition_count, const struct principal *by,
                                    struct rf_err *err);
RF_MUST_USE enum rf_kind hub_delete(struct hub_namespace *space, rf_str name,
                                    const struct principal *by, struct rf_err *err);
RF_MUST_USE enum rf_kind hub_grow(struct hub_namespace *space, rf_str name,
                                  uint32_t partition_count, const struct principal *by,
                                  struct rf_err *err);
/* What Kafka's AlterConfigs changes; what is not marked stays. RF_INVALID: outside what ARM allows; RF_NOT_FOUND. */
struct hub_change {
    bool has_retention, has_retention_bytes, has_policy;
    int64_t retention_usec;   /* <= 0: for ever; kept in whole hours */
    uint64_t retention_bytes; /* of each partition; 0: no bound */
    bool compacts, deletes;   /* the policy: one of them, or both */
};
RF_MUST_USE enum rf_kind hub_configure(struct hub_namespace *space, rf_str name,
                                       const struct hub_change *change, const struct principal *by,
                                       struct rf_err *err);
RF_MUST_USE enum rf_kind hub_revoke(struct hub *hub, rf_str publisher, bool revoked,
                                    struct rf_err *err);

struct hub_partition_info {
    int64_t begin, end; /* retained numbers: [begin, end) */
    rf_usec last_enqueued;
    uint64_t bytes;
};
/* RF_INVALID PartitionOutOfRange; RF_NOT_FOUND HubNotFound (deleted). The first look at a partition after a start opens its log, which
 * reads the tail of a file; later ones cost nothing. */
RF_MUST_USE enum rf_kind hub_partition_info(struct hub *hub, uint32_t partition,
                                            struct hub_partition_info *out, struct rf_err *err);
/* The next in turn, for events without key and partition. */
uint32_t hub_next_partition(struct hub *hub);

/* An append under way. Its owner keeps it and `batch` until done() was called, which happens exactly once, on any thread. */
struct hub_append {
    uint8_t *batch; /* a record batch that was checked; numbered in place */
    size_t len;
    uint32_t count;
    uint8_t kind; /* enum frame_kind */
    /* Of an idempotent producer (batch head): RF_CONFLICT OutOfOrderSequence, ProducerFenced (a lower epoch). A repeat of one of the last five
     * batches is not stored again: `first` is that of then. FRAME_AMQP: events may be repeated in other batches and any time later (`first`
     * -1 when it is not known any more), and a new epoch may begin at any sequence number; Kafka's begins at 0. A producer that is not
     * known may begin anywhere. */
    struct batch_producer producer; /* id -1: none */
    void (*done)(struct hub_append *append);
    /* The result. RF_IO, RF_LIMIT DiskFull, RF_NOT_FOUND HubNotFound (deleted meanwhile). */
    enum rf_kind kind_of_end;
    struct rf_err err;
    int64_t first;
    rf_usec enqueued;
    bool repeated;
    struct hub_append *next; /* the hub's own, like what follows */
    struct hub *hub;
    uint32_t partition;
};
/* Takes it into the queue. RF_AGAIN ServerBusy: too much waits (pending_bytes); RF_INVALID PartitionOutOfRange; RF_DENIED EntityDisabled:
 * done() is not called then. */
RF_MUST_USE enum rf_kind hub_append(struct hub *hub, uint32_t partition, struct hub_append *append,
                                    struct rf_err *err);
/* The same and waits; for HTTP and capture, never on a loop. */
RF_MUST_USE enum rf_kind hub_append_wait(struct hub *hub, uint32_t partition,
                                         struct hub_append *append, struct rf_err *err);

/* Producer ids of AMQP's idempotent links and Kafka's InitProducerId: durable, never given twice. */
RF_MUST_USE enum rf_kind hub_new_producer(struct hub_namespace *space, int64_t *id,
                                          struct rf_err *err);
/* The last sequence number of a producer on a partition; -1: none; *epoch -1 when it is unknown. May wait for a write that is under
 * way. */
RF_MUST_USE enum rf_kind hub_producer_state(struct hub *hub, uint32_t partition, int64_t id,
                                            int16_t *epoch, int32_t *sequence, struct rf_err *err);

/* Frames from number `from` on (log_read). May read files: on a loop's thread ask with `may_block` false, which gives RF_AGAIN
 * NotInMemory when it would have to; then have a worker do it. */
RF_MUST_USE enum rf_kind hub_read(struct hub *hub, uint32_t partition, int64_t from,
                                  size_t bytes_max, bool may_block, struct rf_arena *arena,
                                  struct log_frames *out, struct rf_err *err);
/* The first number enqueued at `time` or later; the end when there is none. May block. */
RF_MUST_USE enum rf_kind hub_find_time(struct hub *hub, uint32_t partition, rf_usec time,
                                       int64_t *out, struct rf_err *err);
RF_MUST_USE enum rf_kind hub_cut_front(struct hub *hub, uint32_t partition, int64_t number,
                                       struct rf_err *err);

/* Waiting for events. woken() is called once, soon after the partition's end is above `number` or the hub is deleted, on any thread; it must
 * not block (post to a stream's mailbox). Called at once, in hub_wait, when that is so already. */
struct hub_waiter {
    void (*woken)(struct hub_waiter *waiter);
    struct hub_waiter *next, **link; /* the hub's own, like what follows */
    struct hub *hub;
    int64_t number;
    uint32_t partition;
};
void hub_wait(struct hub *hub, uint32_t partition, int64_t number, struct hub_waiter *waiter);
/* No call comes after it returned; fine when it was woken already. */
void hub_unwait(struct hub_waiter *waiter);

/* The keys of an authorization rule, as listKeys shows them (hub_types.c); `hub` empty: a rule of the namespace, such as
 * RootManageSharedAccessKey, which bootstrap.json names. In `arena`. RF_NOT_FOUND. */
RF_MUST_USE enum rf_kind hub_rule_keys(struct hub_namespace *space, rf_str hub, rf_str rule,
                                       struct rf_arena *arena, rf_str *primary, rf_str *secondary,
                                       struct rf_err *err);

/* Routes: POST /{hub}/messages and its kin, revokedpublishers, GET /{hub}/partitions/{id}/events (peek). */
struct service;
RF_MUST_USE enum rf_kind hub_service(struct hubs *hubs, const struct service **out,
                                     struct rf_err *err);

#endif
