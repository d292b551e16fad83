/* offsets.h - consumer groups of Kafka as people look at them: who reads, how far, how much is left; and setting them back.
 *
 * A group is namespace wide. What it has committed is kept per topic and partition in state, from before the answer to the commit until the
 * hub is deleted, whether or not the group has members. Members live in memory: after a restart they join anew.
 *
 * All calls block (they read state) and are safe from any thread between kafka_start and kafka_stop. */
#ifndef RF_KAFKA_OFFSETS_H
#define RF_KAFKA_OFFSETS_H

#include "kafka/kafka.h"

struct kafka_group_member {
    rf_str id, instance_id, client_id, client_host; /* instance_id empty: none */
    bool is_leader;
};
struct kafka_group_offset {
    rf_str topic, metadata;
    uint32_t partition;
    int64_t committed;  /* the next number that the group will read */
    int64_t begin, end; /* retained numbers: [begin, end) */
    int64_t lag;        /* events that are retained and not yet read */
    rf_usec at;         /* when it was committed */
};
struct kafka_group_info {
    rf_str id, protocol_type, protocol;
    const char *state;  /* Empty, PreparingRebalance, CompletingRebalance, Stable */
    int32_t generation; /* 0: nobody has joined since the start */
    struct kafka_group_member *members;
    uint32_t member_count;
    struct kafka_group_offset *offsets; /* by topic and partition */
    uint32_t offset_count;
    int64_t lag; /* of all offsets together */
};
/* All groups of the namespace that have members or offsets, sorted by id; in `arena`. RF_AGAIN ServerBusy before kafka_start. */
RF_MUST_USE enum rf_kind kafka_groups_list(struct kafka *kafka, struct hub_namespace *space,
                                           struct rf_arena *arena, struct kafka_group_info **groups,
                                           uint32_t *count, struct rf_err *err);

/* Has the group go on at `offset`; durable when it returns. RF_CONFLICT GroupHasMembers: they would overwrite it, so stop them first;
 * RF_INVALID OffsetOutOfRange (outside of begin..end), BadGroupId; RF_NOT_FOUND HubNotFound; RF_INVALID PartitionOutOfRange. */
RF_MUST_USE enum rf_kind kafka_group_reset(struct kafka *kafka, struct hub_namespace *space,
                                           rf_str group, rf_str topic, uint32_t partition,
                                           int64_t offset, struct rf_err *err);
/* Forgets the group and what it has committed. RF_CONFLICT GroupHasMembers, RF_NOT_FOUND GroupNotFound. */
RF_MUST_USE enum rf_kind kafka_group_delete(struct kafka *kafka, struct hub_namespace *space,
                                            rf_str group, struct rf_err *err);

#endif
