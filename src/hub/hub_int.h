/* hub_int.h - what the files of hub/ share: the registry that the ARM types fill, and the parts of a partition.
 *
 * The registry holds in memory what the documents of Microsoft.EventHub say. hub_types.c is the only one that reads documents: it calls
 * the functions hubs_set_... and hubs_drop_... when it loads (hub_types_start) and from the `changed` hooks of its types. Each takes effect
 * before it returns and ends with hubs_changed. Any thread; two writes of one resource never run at the same time (ARM sees to it).
 *
 * Locks, outermost first: hubs.registry, hub.lock, hub.opening, hub_partition.write, hub_partition.lock, hub.waking, hubs.cache.lock,
 * hubs.work_lock. */
#ifndef RF_HUB_HUB_INT_H
#define RF_HUB_HUB_INT_H

#include <pthread.h>

#include "base/pool.h"
#include "hub/hub_watch.h"
#include "hub/part_store.h"
#include "state/state.h"

/* ---- for the ARM types ------------------------------------------------------------------------------------------------ */

/* Registers the types of Microsoft.EventHub, reads every stored document of them and calls what stands below. hubs_new calls it, once
 * (hub_types.c). `arm` and `state` are hubs->options'. */
RF_MUST_USE enum rf_kind hub_types_start(struct hubs *hubs, struct rf_err *err);
void hub_types_stop(struct hubs *hubs); /* gives back what hub_types_start made (hubs->types) */

struct hub_namespace_settings {
    rf_str name; /* casing kept; no two resource groups may hold one of the same name */
    rf_str id;   /* of the resource, casing kept */
    bool local_auth_disabled; /* neither signatures nor keys are taken */
    bool kafka_disabled;
    bool disabled;
};
/* Makes or changes a namespace; what is passed is copied. RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind hubs_set_namespace(struct hubs *hubs,
                                            const struct hub_namespace_settings *settings,
                                            struct hub_namespace **out, struct rf_err *err);
/* Its hubs go too. The object stays, without hubs and not to be found, and comes back when the name is set again. */
void hubs_drop_namespace(struct hubs *hubs, rf_str name);
/* By name, without case; RF_NOT_FOUND NamespaceNotFound. */
RF_MUST_USE enum rf_kind hubs_namespace_named(struct hubs *hubs, rf_str name,
                                              struct hub_namespace **out, struct rf_err *err);

enum { HUB_ID_CHARS = 32 };
/* A new id for a hub that is created: random, lower-case hex and NUL. Keep it in (or beside) the document: the files are named by it, so that
 * a hub made again under the same name begins anew. */
void hub_make_id(char out[HUB_ID_CHARS + 1]);

struct hub_settings {
    rf_str name, id; /* id: of hub_make_id */
    uint32_t partition_count;
    enum hub_status status; /* not HUB_DELETED */
    rf_usec created;
    int64_t retention_usec;   /* <= 0: for ever */
    uint64_t retention_bytes; /* of each partition; 0: no bound */
    int64_t tombstone_usec;   /* how long compaction keeps tombstones; 0: a day */
    bool compacts;
    bool durable;
};
/* Makes, changes or grows a hub. With another id than that of the hub of this name, the one of before is dropped. Fewer partitions than
 * it has are a bug of the caller and are ignored. RF_LIMIT MemoryBudgetExceeded; RF_INVALID BadPartitionCount. */
RF_MUST_USE enum rf_kind hubs_set_hub(struct hub_namespace *space,
                                      const struct hub_settings *settings, struct rf_err *err);
/* Appends that wait fail with HubNotFound, waiters are woken, files go when the last reference does. */
void hubs_drop_hub(struct hub_namespace *space, rf_str name);

/* A consumer group; "$Default" needs no call. */
RF_MUST_USE enum rf_kind hubs_set_group(struct hub_namespace *space, rf_str hub, rf_str group,
                                        struct rf_err *err);
void hubs_drop_group(struct hub_namespace *space, rf_str hub, rf_str group);
/* Revoked publishers are kept in state, space "hub.revoked", by hub_revoke; sorted, in `arena`. */
RF_MUST_USE enum rf_kind hub_revoked(const struct hub *hub, struct rf_arena *arena, rf_str **names,
                                     uint32_t *count, struct rf_err *err);

/* An authorization rule, of the namespace (`hub` empty) or a hub. */
struct hub_rule {
    rf_str name;
    rf_str primary, secondary; /* the keys' text; wiped when the rule goes */
    unsigned rights;           /* enum hub_right, or-ed */
    uint64_t
        version; /* made here: another one each time that keys or rights were set to something else */
};
enum { HUB_RULES_MAX = 12, HUB_KEY_BYTES_MAX = 256 };
RF_MUST_USE enum rf_kind hubs_set_rule(struct hub_namespace *space, rf_str hub,
                                       const struct hub_rule *rule, struct rf_err *err);
void hubs_drop_rule(struct hub_namespace *space, rf_str hub, rf_str rule);
/* Copies it into `arena` (wipe the keys when they were used). Names are compared without case. RF_NOT_FOUND UnknownRule. */
RF_MUST_USE enum rf_kind hubs_find_rule(struct hub_namespace *space, rf_str hub, rf_str rule,
                                        struct rf_arena *arena, struct hub_rule *out,
                                        struct rf_err *err);

/* The settings as they are now; the texts live as long as `hubs`. */
void hub_namespace_settings(const struct hub_namespace *space, struct hub_namespace_settings *out);
/* hubs_version grows and the listeners are told. For whatever else a link depends on (registered device authorities). */
void hubs_changed(struct hubs *hubs);
void hubs_access_changed(void *hubs); /* the same for those of hubs_on_access only */

/* ---- inside ----------------------------------------------------------------------------------------------------------- */

enum {
    HUB_CHUNK_PARTITIONS = 16, /* partitions are made in chunks, so that they never move */
    HUB_CHUNKS_MAX = HUB_PARTITIONS_MAX / HUB_CHUNK_PARTITIONS,
    /* More than processors: while one waits for the disk, or for the cluster's answers, the others' partitions go on. */
    HUB_WRITERS = 8,
    HUB_WRITERS_KAFKA = 16,
    HUB_LISTENERS_MAX = 8,
    HUB_EXPECTED_MAX = 16, /* producers of a partition whose first batch failed */
};

/* A sorted set of names, compared without case. */
struct hub_names {
    char **items;
    uint32_t count, cap;
};
bool hub_names_find(const struct hub_names *names, rf_str name, uint32_t *at);
bool hub_names_add(struct hub_names *names, rf_str name); /* false: no memory */
void hub_names_remove(struct hub_names *names, rf_str name);
void hub_names_done(struct hub_names *names);

struct hub_rule_entry {
    char name[64];
    char primary[HUB_KEY_BYTES_MAX], secondary[HUB_KEY_BYTES_MAX];
    uint16_t name_len, primary_len, secondary_len;
    unsigned rights;
    uint64_t version;
};
struct hub_rules {
    struct hub_rule_entry *items;
    uint32_t count;
};
void hub_rules_done(struct hub_rules *rules);

/* Some frames that were appended together; never changed, so that readers copy from it without a lock. */
struct cache_block {
    atomic_uint refs;
    uint32_t count;
    int64_t first, end;
    size_t bytes;
    struct hub_partition *partition;
    struct cache_block *older, *newer; /* of all partitions, in the order in which they came */
    struct log_frame frames[];         /* their batches lie behind them */
};
struct hub_cache {
    pthread_mutex_t lock;
    struct cache_block *oldest, *newest;
    size_t bytes, bytes_max;
};
/* The blocks of one partition, oldest first: a ring. */
struct cache_ring {
    struct cache_block **items;
    uint32_t head, count, cap; /* cap: a power of two or 0 */
};

struct producer_table; /* hub_producers.c */

struct hub_partition {
    struct hub *hub;
    uint32_t index;

    /* The queue of appends. `claimed`: it waits for a writer or one is at it. */
    pthread_mutex_t lock;
    struct hub_append *queue, **queue_end;
    bool claimed;
    struct hub_partition *next_ready;

    /* Held by whoever changes the producers or what is known of the log: a commit, retention, a cut. */
    pthread_mutex_t write;
    _Atomic(struct part_store *) store; /* NULL: not opened; stays open until the hub goes */
    enum rf_kind failed_kind; /* hub.opening: of the last try to open it, and what follows */
    const char *failed_code;
    rf_usec retry_at;                                 /* on the clock that never goes back */
    struct producer_table *producers;                 /* NULL: there are none */
    struct batch_producer expected[HUB_EXPECTED_MAX]; /* producers_expect */
    uint32_t expected_count;
    int64_t producers_end;   /* of a Kafka cluster, where others append too: known up to here */
    uint64_t snapshot_bytes; /* written to the log since */
    rf_usec snapshot_time;
    uint32_t
        compacted_segments; /* the keeper's: how many there were at the last compaction, and when it was */
    rf_usec compacted;

    _Atomic int64_t begin, end;
    _Atomic rf_usec last_enqueued;
    atomic_bool is_known; /* the three above are right */
    atomic_bool
        is_asked; /* by somebody, since the Kafka store looked last (it follows what is asked for) */
    _Atomic uint64_t in_events, in_bytes, out_events, out_bytes; /* hub_watch.h */
    struct hub_waiter *waiters;                                  /* hub.waking */
    struct cache_ring cached;                                    /* hubs.cache.lock */
};

struct hub {
    atomic_uint refs;
    struct hub_namespace *space;
    struct hubs *hubs;
    char *name, *id, *folder;
    rf_usec created;
    atomic_int status; /* enum hub_status */
    _Atomic uint32_t partition_count;
    _Atomic uint32_t next_partition;
    _Atomic uint64_t refused;
    struct hub_partition *chunks[HUB_CHUNKS_MAX];

    pthread_mutex_t lock;         /* what follows */
    struct hub_settings settings; /* without its texts */
    struct hub_names groups, revoked;
    struct hub_rules rules;

    pthread_mutex_t opening;
    pthread_mutex_t waking; /* recursive: woken() may ask for the next event */
    struct hub *next;       /* in the graveyard */
};

struct hub_namespace {
    struct hubs *hubs;
    char *name, *id;
    struct hub_namespace_settings settings; /* hubs.registry, like what follows */
    bool is_there;
    struct hub **items; /* sorted by name */
    uint32_t count, cap;
    struct hub_rules rules;
};

struct hubs {
    struct hubs_options options;
    char *folder;
    void *types; /* of hub_types.c */
    struct hub_cache cache;
    struct kafka_store *kafka; /* NULL: partitions lie in files */

    pthread_rwlock_t registry;
    struct hub_namespace **spaces; /* in the order in which they were first set */
    uint32_t space_count, space_cap;
    uint64_t rule_version;
    struct hub_old_text { /* ids of namespaces that moved: somebody may still hold a view of them */
        char *text;
        struct hub_old_text *next;
    } * old_texts;
    bool has_types;

    _Atomic uint64_t version;
    struct {
        void (*changed)(void *ctx);
        void *ctx;
        bool wants_access;
    } listeners[HUB_LISTENERS_MAX];
    uint32_t listener_count;
    struct state_watch access; /* of what roles are made of; spaces NULL: there is no state */

    /* Partitions whose queue has something in it. */
    pthread_mutex_t work_lock;
    pthread_cond_t work, maintain;
    struct hub_partition *ready, **ready_end;
    struct hub *graveyard; /* hubs without references */
    atomic_bool ends;
    atomic_size_t pending_bytes;
    pthread_t writers[HUB_WRITERS_KAFKA], keeper;
    uint32_t writer_count;
    bool has_keeper;

    pthread_mutex_t id_lock; /* producer ids that were set aside in state */
    int64_t next_id, ids_end;
};

static inline struct hub_partition *hub_partition_at(const struct hub *hub, uint32_t index)
{
    return &hub->chunks[index / HUB_CHUNK_PARTITIONS][index % HUB_CHUNK_PARTITIONS];
}
static inline enum hub_status hub_status_of(const struct hub *hub)
{
    return (enum hub_status)atomic_load_explicit(&hub->status, memory_order_acquire);
}
/* RF_NOT_FOUND HubNotFound (deleted), RF_INVALID PartitionOutOfRange. */
RF_MUST_USE enum rf_kind hub_partition_find(struct hub *hub, uint32_t index,
                                            struct hub_partition **out, struct rf_err *err);
int hub_name_cmp(rf_str a, rf_str b); /* without case */
char *hub_text(rf_str text);          /* a copy with NUL; NULL: no memory */
/* The hub of this name, or NULL; the registry is held. *at (may be NULL): its place, or where it would be put. */
struct hub *hub_in(const struct hub_namespace *space, rf_str name, uint32_t *at);

/* hub_open.c: makes what is known of a partition known. Its log is opened when its folder is there or `creates`; may read files. In a
 * Kafka cluster `creates` opens it without a look at it. */
RF_MUST_USE enum rf_kind hub_partition_open(struct hub_partition *p, bool creates,
                                            struct rf_err *err);
void hub_partition_close(struct hub_partition *p);
void hub_partition_looked(struct hub_partition *p); /* takes over what the log says of itself */
/* What others than the writers of this process see first: the end never goes back. Any thread. */
void hub_partition_raise(struct hub_partition *p, int64_t end, rf_usec enqueued);

/* hub_append.c */
void *hub_writer_main(void *hubs);
void hub_writers_step(struct hubs *hubs); /* writes all that waits */

/* hub_watch.c */
void hub_count_in(struct hub_partition *p, const struct log_frame *frames, uint32_t count);
void hub_count_out(struct hub_partition *p, int64_t from, const struct log_frames *frames);

/* hub_read.c: those who wait for what is there now, or all of them. */
void hub_wake(struct hub_partition *p, bool all);

/* hub_cache.c. Neither fails: what is not kept is read from the disk. */
void hub_cache_add(struct hub_partition *p, const struct log_frame *frames, uint32_t count);
void hub_cache_drop(struct hub_partition *p);
/* Frames from the one that holds `from` on; *hit false: it is not there. */
RF_MUST_USE enum rf_kind hub_cache_read(struct hub_partition *p, int64_t from, size_t bytes_max,
                                        struct rf_arena *arena, struct log_frames *out, bool *hit,
                                        struct rf_err *err);

/* hub_producers.c; hub_partition.write is held. */
enum producer_verdict { PRODUCER_NEW, PRODUCER_REPEAT, PRODUCER_GAP, PRODUCER_FENCED };
/* Looks at a batch of `count` records that begin at number `first`, and notes it when it is new. PRODUCER_REPEAT: *first is that of then,
 * -1 when that is not known any more. RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind producers_check(struct hub_partition *p, const struct hub_append *append,
                                         rf_usec now, int64_t *first, enum producer_verdict *out,
                                         struct rf_err *err);
/* Between begin and keep or undo every entry that changes is kept as it was. */
void producers_begin(struct hub_partition *p);
void producers_keep(struct hub_partition *p);
void producers_undo(struct hub_partition *p);
/* A batch could not be stored. A producer of which nothing is known may begin anywhere, but not behind it: what it has sent after it must
 * wait until this one has come again. */
void producers_expect(struct hub_partition *p, const struct batch_producer *producer);
void producers_find(const struct hub_partition *p, int64_t id, int16_t *epoch, int32_t *sequence);
/* Reads the file and replays what the log has since; at open. */
RF_MUST_USE enum rf_kind producers_load(struct hub_partition *p, struct part_store *store,
                                        struct rf_err *err);
/* Of a store with others' appends: reads what came since the last time, at most PRODUCERS_REPLAYED events. hub_partition.write is held. */
RF_MUST_USE enum rf_kind producers_catch_up(struct hub_partition *p, struct part_store *store,
                                            struct rf_err *err);
/* Between begin and keep: the numbers from `base` on were guesses. moved() tells what became of one, -1: it was not stored. */
void producers_renumber(struct hub_partition *p, int64_t base,
                        int64_t (*moved)(const void *ctx, int64_t number), const void *ctx);
/* Writes the file when that saves the next start enough work; takes hub_partition.write itself. */
void producers_save(struct hub_partition *p, bool closes);
void producers_free(struct hub_partition *p);

/* hub_keep.c */
void *hub_keeper_main(void *hubs);
void hub_keeper_step(struct hubs *hubs);
/* Removes the files of hubs that were deleted when the program ended; the keeper's first deed. */
void hub_sweep(struct hubs *hubs);
/* hub_key.c: what the segments of a hub are encrypted with, made when it has no partition yet. Within hub->opening. */
RF_MUST_USE enum rf_kind hub_key(struct hub *hub, uint8_t out[32], struct rf_err *err);
/* From now on nobody opens it any more; a hub without one is fine. */
RF_MUST_USE enum rf_kind hub_key_destroy(struct hubs *hubs, const char *folder, rf_str name,
                                         struct rf_err *err);
void hub_bury(struct hubs *hubs); /* frees hubs without references, and the files of deleted ones */

#endif
