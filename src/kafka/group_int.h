/* group_int.h - what the files of a group share: the group as it lies in memory, its members, its answers. */
#ifndef RF_KAFKA_GROUP_INT_H
#define RF_KAFKA_GROUP_INT_H

#include "kafka/group.h"

struct group_member {
    struct rf_budget *memory; /* the group's */
    uint8_t *bytes;           /* what the texts are views of; replaced by each join */
    rf_str id, instance_id, client_id, client_host;
    struct group_protocol *protocols;
    uint32_t protocol_count;
    int64_t session_usec, rebalance_usec;
    rf_usec seen;
    struct group_wait *join, *sync; /* NULL: does not wait */
    uint8_t *
        former; /* the bytes before a static member's last restart, which its answer may still name */
    uint8_t *assigned;
    size_t assigned_len;
    bool is_told;   /* it knows its id */
    bool is_synced; /* of this generation */
};

/* An id that was given out (error 79) and has not come back. */
struct group_pending {
    rf_str id; /* malloc'ed */
    rf_usec until;
};

struct group {
    struct rf_budget *memory; /* NULL: no bound */
    enum group_state state;
    int32_t generation;
    bool is_initial;     /* GROUP_PREPARING out of GROUP_EMPTY */
    bool must_rebalance; /* a member went */
    rf_usec deadline;    /* GROUP_PREPARING: of joins; then: of syncs */
    rf_usec emptied;
    rf_str type;                   /* protocol type; malloc'ed; kept while there are members */
    rf_str protocol;               /* malloc'ed; ptr NULL: none chosen */
    struct group_member *leader;   /* NULL: none */
    struct group_member **members; /* in the order in which they came */
    uint32_t member_count, member_cap;
    struct group_pending *pending;
    uint32_t pending_count, pending_cap;
    struct group_wait *answered, **answered_end;
};

/* ---- members (group_member.c) ---------------------------------------------------------------------------- */

bool group_text_copy(rf_str text, rf_str *out); /* malloc'ed; false: no memory */
void group_text_free(rf_str *text);             /* and empties it */

/* NULL: none. */
struct group_member *group_by_id(const struct group *group, rf_str id);
struct group_member *group_by_instance(const struct group *group, rf_str instance_id);
const struct group_protocol *group_supported(const struct group_member *member, rf_str name);
/* Memory that the budget is charged for until group_discharge; NULL: there is none. */
void *group_charge(struct rf_budget *memory, size_t bytes);
void group_discharge(void *block); /* NULL is fine */
/* Every member but `but`, which may be NULL. */
bool group_all_support(const struct group *group, rf_str name, const struct group_member *but);

/* Copies what it joins with, as `id`; the join was checked. False: no memory, nothing has changed. */
bool group_member_set(struct group_member *member, const struct group_join *join, rf_str id);
void group_member_free(struct group_member *member);
/* Its waits fail with `error`; a rebalance is due. */
void group_remove(struct group *group, struct group_member *member, enum kafka_error error);
void group_remove_pending(struct group *group, uint32_t at);
bool group_take_pending(struct group *group, rf_str id); /* false: there was none */

/* ---- answers (group_member.c) ---------------------------------------------------------------------------- */

/* The wait is the caller's again; it is not answered yet. */
void group_answer(struct group *group, struct group_wait *wait, enum kafka_error error);
void group_answer_join(struct group *group, struct group_member *member, struct group_wait *wait,
                       rf_usec now);
void group_answer_sync(struct group *group, struct group_member *member, struct group_wait *wait,
                       rf_usec now);
void group_fail_waits(struct group *group, struct group_member *member, enum kafka_error error);

#endif
