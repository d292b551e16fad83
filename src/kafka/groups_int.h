/* groups_int.h - what the coordinator's files share: the registry of groups behind one lock, its timer, the queue of commits.
 *
 * One lock for all groups, held for moves in memory only: answers are written into their calls under it (their views are the group's) and
 * told to the loops behind it. One thread looks after time, one after commits. */
#ifndef RF_KAFKA_GROUPS_INT_H
#define RF_KAFKA_GROUPS_INT_H

#include <pthread.h>

#include "kafka/group.h"
#include "kafka/offsets.h"

enum {
    GROUP_ID_BYTES_MAX = 1000,
    GROUPS_MAX = 20000,           /* in memory */
    GROUPS_BYTES_MAX = 256 << 20, /* of all members */
    GROUP_IDLE_SECONDS = 600, /* an empty group is forgotten after so long, its offsets are not */
    OFFSET_METADATA_BYTES_MAX = 4096,
    GROUP_BUCKETS = 4096,
};

/* A group of a namespace. */
struct group_entry {
    struct group_entry *next; /* in its bucket */
    struct hub_namespace *space;
    rf_str id; /* behind the struct */
    struct group *group;
};

/* One partition's commit. */
struct offset_entry {
    rf_str topic, hub_id, metadata;
    uint32_t partition;
    int32_t epoch;  /* -1: unknown */
    int64_t offset; /* -1: removed */
};

/* Commits that become durable together; kept by who asks until done(), which is called once, on the committer's thread. */
struct offset_commit {
    rf_str space; /* the namespace's name */
    rf_str group;
    const struct offset_entry *entries;
    uint32_t count;
    void (*done)(struct offset_commit *commit);
    enum rf_kind kind; /* the result */
    struct rf_err err;
    struct offset_commit *next; /* the queue's */
};

struct offsets_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    struct offset_commit *first, **end;
    bool has_thread, is_stopping, is_sweep_due;
};

struct kafka_groups {
    struct kafka *kafka;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool has_thread, is_stopping;
    rf_usec due; /* the timer's next look; elapsed */
    struct rf_budget memory;
    uint32_t count;
    struct group_entry *buckets[GROUP_BUCKETS];
    struct offsets_queue queue;
};

/* ---- groups.c ------------------------------------------------------------------------------------------------------ */

/* A join or sync on its way: call->own of its request. */
struct group_call {
    struct group_wait wait; /* first */
    struct kafka_call *call;
    struct kafka_groups *groups;
    struct group_entry *entry;             /* NULL: does not wait */
    void (*write)(struct group_call *own); /* the answer; under the lock */
    struct group_call *ready;              /* next of those to be told */
    struct group *group;
    rf_str asked_id; /* what the request called its member */
};

void groups_lock(struct kafka_groups *groups);
/* Behind the lock: tells the loops of what was answered. `entry`: the one that was touched, or NULL. */
void groups_unlock(struct kafka_groups *groups, struct group_entry *entry);
/* Under the lock; NULL: there is none. */
struct group_entry *groups_find(struct kafka_groups *groups, struct hub_namespace *space,
                                rf_str id);
/* The same, made when it is missing; NULL: too many, no memory, or stopping. */
struct group_entry *groups_make(struct kafka_groups *groups, struct hub_namespace *space,
                                rf_str id);
void groups_forget(struct kafka_groups *groups, struct group_entry *entry);
rf_usec groups_now(const struct kafka_groups *groups);
bool groups_is_id(rf_str id);

/* ---- offsets.c ----------------------------------------------------------------------------------------------------- */

RF_MUST_USE enum rf_kind offsets_start(struct kafka_groups *groups, struct rf_err *err);
void offsets_stop(struct kafka_groups *groups); /* behind it every commit is done */
/* Any thread, does not block. False: it stops; done() is not called. */
bool offsets_commit(struct kafka_groups *groups, struct offset_commit *commit);
/* The same and waits. */
RF_MUST_USE enum rf_kind offsets_commit_wait(struct kafka_groups *groups,
                                             struct offset_commit *commit, struct rf_err *err);
/* Has the offsets of hubs that are gone removed soon. Any thread, does not block. */
void offsets_sweep(struct kafka_groups *groups);

struct offset_row {
    rf_str group, topic, hub_id, metadata;
    uint32_t partition;
    int32_t epoch;
    int64_t offset;
    rf_usec committed; /* when */
};
/* All of a group, or of all groups when `group` is empty; sorted by group and hub. Blocks. */
RF_MUST_USE enum rf_kind offsets_read(struct kafka_groups *groups, rf_str space, rf_str group,
                                      struct rf_arena *arena, struct offset_row **rows,
                                      uint32_t *count, struct rf_err *err);
/* RF_NOT_FOUND OffsetNotFound. Blocks. */
RF_MUST_USE enum rf_kind offsets_delete_group(struct kafka_groups *groups, rf_str space,
                                              rf_str group, struct rf_err *err);

#endif
