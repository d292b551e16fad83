/* group.h - one consumer group of Kafka's classic protocol, as a state machine that knows no thread, no clock and no wire.
 *
 * Members join, are told who they are, get from their leader (by way of SyncGroup) what each is to read, and send heartbeats. Joins and
 * syncs may have to wait for others: each brings a `struct group_wait`, and every call may answer any of those that wait. The
 * caller takes them from group_answered behind each call, before the next one: the views in them are the group's own.
 *
 * Protocol metadata and assignments are opaque here. Times are of one clock that never goes back. One thread at a time.
 * Source: Kafka's protocol guide; KIP-134 (initial delay), KIP-345 (static members), KIP-394 (error 79); contract, section 9.4. */
#ifndef RF_KAFKA_GROUP_H
#define RF_KAFKA_GROUP_H

#include "base/clock.h"
#include "kafka/kafka_int.h"

enum {
    GROUP_MEMBERS_MAX = 1000,
    GROUP_PROTOCOLS_MAX = 64,              /* of a member */
    GROUP_MEMBER_BYTES_MAX = 1 << 20,      /* names, protocols and metadata of a member */
    GROUP_ASSIGNMENT_BYTES_MAX = 16 << 20, /* of all members */
    GROUP_SESSION_MS_MIN = 6000,
    GROUP_SESSION_MS_MAX = 300000,
    GROUP_INITIAL_MS = 300, /* an empty group waits so long for more members */
};

enum group_state { GROUP_EMPTY, GROUP_PREPARING, GROUP_COMPLETING, GROUP_STABLE };
const char *group_state_name(enum group_state state); /* as DescribeGroups shows it */

struct group_protocol {
    rf_str name, metadata;
};

/* A join or sync. The caller keeps it until it was answered or cancelled. */
struct group_wait {
    enum kafka_error error;
    /* Of a join that went well; with KAFKA_MEMBER_ID_REQUIRED only member_id. */
    rf_str member_id, leader, protocol;
    int32_t generation;
    bool is_leader; /* gets the list of members (group_members) */
    /* Of a sync that went well. */
    rf_str assignment;
    bool is_sync;
    /* The group's own. */
    bool is_answered;
    struct group_member *member;
    struct group_wait *next;
};

struct group_join {
    rf_str member_id;   /* empty: a new member */
    rf_str instance_id; /* ptr NULL: not a static member */
    rf_str client_id, client_host;
    rf_str protocol_type;
    const struct group_protocol *protocols; /* the member's order */
    uint32_t protocol_count;
    int64_t session_ms, rebalance_ms;
    rf_str
        new_id; /* what a new member is to be called; never used before; lasts as long as the wait */
    bool must_return; /* version 4 and later: a new member is told its id and joins again with it */
};

struct group_assignment {
    rf_str member_id, bytes;
};

struct group_who {
    rf_str member_id, instance_id; /* instance_id.ptr NULL: none given */
    int32_t generation;
};

struct group;
struct group *group_new(void); /* Empty; NULL: no memory */
/* What members bring and are assigned is charged to `memory`, which outlives the group; several may share it. Before the first join. */
void group_limit(struct group *group, struct rf_budget *memory);
/* Nothing waits. NULL is fine. */
void group_free(struct group *group);

/* Each is answered by way of group_answered, at once or later, exactly once unless it is cancelled.
 * Join: 15 no memory, 23, 25, 26, 27 (the same member joins anew), 42 too large, 79, 81, 82. Sync: 22, 25, 27, 42, 82. */
void group_join(struct group *group, const struct group_join *join, struct group_wait *wait,
                rf_usec now);
void group_sync(struct group *group, const struct group_who *who,
                const struct group_assignment *assignments, uint32_t count, struct group_wait *wait,
                rf_usec now);
/* Nobody reads the answer any more. False: it was answered. A new member that cannot know its id goes at once; others are left their
 * session's time to come back. */
bool group_cancel(struct group *group, struct group_wait *wait, rf_usec now);

/* 0, 22, 25, 27 (while preparing), 82. */
enum kafka_error group_heartbeat(struct group *group, const struct group_who *who, rf_usec now);
/* 0, 25, 82. With an instance id and no member id: whoever has it. */
enum kafka_error group_leave(struct group *group, const struct group_who *who, rf_usec now);
/* Whether it may commit: 0, 22, 25, 27 (from the moment that a rebalance is due until it knows what it owns now), 82.
 * Generation -1 without a member: on an empty group only. */
enum kafka_error group_may_commit(struct group *group, const struct group_who *who, rf_usec now);

/* What time brings: silent members, ends of waiting. */
void group_tick(struct group *group, rf_usec now);
/* When group_tick has something to do; INT64_MAX: never. */
rf_usec group_due(const struct group *group);
/* Answers all that wait with `error` and removes all members. */
void group_shut(struct group *group, enum kafka_error error, rf_usec now);

/* Those that were answered since the last call, in order, linked by `next`. */
struct group_wait *group_answered(struct group *group);

struct group_member_view {
    rf_str id, instance_id, client_id, client_host;
    rf_str metadata;   /* for the protocol that was chosen */
    rf_str assignment; /* while stable */
    bool is_leader;
};
struct group_view {
    enum group_state state;
    int32_t generation;
    rf_str protocol_type, protocol, leader;
    uint32_t member_count;
    rf_usec emptied; /* since when it is empty; GROUP_EMPTY only */
};
/* Views; until the next call that changes the group. */
struct group_view group_view(const struct group *group);
struct group_member_view group_member_at(const struct group *group, uint32_t index);
bool group_is_idle(const struct group *group); /* empty, and nobody was given an id */

#endif
