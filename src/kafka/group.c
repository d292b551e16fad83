#include <stdlib.h>

#include "kafka/group_int.h"

const char *group_state_name(enum group_state state)
{
    static const char *const names[] = {"Empty", "PreparingRebalance", "CompletingRebalance",
                                        "Stable"};
    return names[state];
}

struct group *group_new(void)
{
    struct group *group = calloc(1, sizeof *group);
    if (group != NULL) group->answered_end = &group->answered;
    return group;
}

void group_limit(struct group *group, struct rf_budget *memory) { group->memory = memory; }

void group_free(struct group *group)
{
    if (group == NULL) return;
    for (uint32_t i = 0; i < group->member_count; i++) group_member_free(group->members[i]);
    while (group->pending_count > 0) group_remove_pending(group, 0);
    group_text_free(&group->type);
    group_text_free(&group->protocol);
    free(group->members);
    free(group->pending);
    free(group);
}

/* ---- rebalances -------------------------------------------------------------------------------------------------------- */

static int64_t rebalance_usec(const struct group *group)
{
    int64_t longest = 0;
    for (uint32_t i = 0; i < group->member_count; i++)
        longest = RF_MAX(longest, group->members[i]->rebalance_usec);
    return longest;
}

static void forget_assignments(struct group *group)
{
    for (uint32_t i = 0; i < group->member_count; i++) {
        struct group_member *member = group->members[i];
        group_discharge(member->assigned);
        member->assigned = NULL;
        member->assigned_len = 0;
        member->is_synced = false;
    }
}

static void prepare(struct group *group, rf_usec now)
{
    group->must_rebalance = false;
    for (uint32_t i = 0; i < group->member_count; i++) {
        struct group_member *member = group->members[i];
        struct group_wait *sync = member->sync;
        member->sync = NULL;
        if (sync == NULL) continue;
        member->seen = now;
        group_answer(group, sync, KAFKA_REBALANCE_IN_PROGRESS);
    }
    group->is_initial = group->state == GROUP_EMPTY;
    int64_t wait_usec = rebalance_usec(group);
    if (group->is_initial) wait_usec = RF_MIN(wait_usec, GROUP_INITIAL_MS * RF_USEC_PER_MS);
    group->deadline = now + wait_usec;
    group->state = GROUP_PREPARING;
}

static bool have_all_joined(const struct group *group)
{
    for (uint32_t i = 0; i < group->member_count; i++)
        if (group->members[i]->join == NULL) return false;
    return true;
}

/* Static members are left in the group until their session ends, because they come back under their name. */
static void remove_absent(struct group *group)
{
    for (uint32_t i = group->member_count; i-- > 0;) {
        struct group_member *member = group->members[i];
        if (member->join == NULL && member->instance_id.ptr == NULL)
            group_remove(group, member, KAFKA_UNKNOWN_MEMBER_ID);
    }
}

static bool elect(struct group *group)
{
    if (group->leader != NULL && group->leader->join != NULL) return true;
    for (uint32_t i = 0; i < group->member_count; i++) {
        if (group->members[i]->join == NULL) continue;
        group->leader = group->members[i];
        return true;
    }
    return false;
}

/* The first in the leader's order that all support; there is one, because no join is taken that shares none with all others. */
static bool choose_protocol(struct group *group)
{
    const struct group_member *leader = group->leader;
    for (uint32_t i = 0; i < leader->protocol_count; i++) {
        rf_str name = leader->protocols[i].name;
        if (!group_all_support(group, name, leader)) continue;
        rf_str copy;
        if (!group_text_copy(name, &copy)) return false;
        group_text_free(&group->protocol);
        group->protocol = copy;
        return true;
    }
    RF_ASSERT(false);
    return false;
}

static void become_empty(struct group *group, rf_usec now)
{
    group->state = GROUP_EMPTY;
    group->emptied = now;
    group->leader = NULL;
    group_text_free(&group->type);
    group_text_free(&group->protocol);
}

static void complete(struct group *group, rf_usec now)
{
    remove_absent(group);
    group->must_rebalance = false;
    group->is_initial = false;
    if (group->member_count > 0 && (!elect(group) || !choose_protocol(group))) {
        group->deadline = now + RF_MAX(rebalance_usec(group), RF_USEC_PER_SECOND);
        return; /* only absent static members are left: their sessions end, or they come back */
    }
    group->generation = group->generation == INT32_MAX ? 1 : group->generation + 1;
    forget_assignments(group);
    if (group->member_count == 0) {
        become_empty(group, now);
        return;
    }
    group->state = GROUP_COMPLETING;
    group->deadline = now + RF_MAX(rebalance_usec(group), RF_USEC_PER_SECOND);
    for (uint32_t i = 0; i < group->member_count; i++) {
        struct group_member *member = group->members[i];
        struct group_wait *join = member->join;
        member->join = NULL;
        if (join != NULL) group_answer_join(group, member, join, now);
        if (join == NULL) member->is_synced = true; /* absent: it is not waited for */
    }
}

/* Ends every call that changes the group: what follows from it happens here, once. */
static void settle(struct group *group, rf_usec now)
{
    bool is_running = group->state == GROUP_COMPLETING || group->state == GROUP_STABLE;
    if (group->must_rebalance && is_running) prepare(group, now);
    group->must_rebalance = false;
    if (group->state != GROUP_PREPARING) return;
    bool is_over = now >= group->deadline || group->member_count == 0;
    if (is_over || (!group->is_initial && have_all_joined(group))) complete(group, now);
}

/* ---- joins ------------------------------------------------------------------------------------------------------------- */

static bool is_small(const struct group_join *join)
{
    size_t bytes = join->member_id.len + join->instance_id.len + join->client_id.len +
                   join->client_host.len + join->protocol_type.len;
    if (join->protocol_count > GROUP_PROTOCOLS_MAX) return false;
    for (uint32_t i = 0; i < join->protocol_count; i++) {
        if (!rf_add_size(bytes, join->protocols[i].name.len, &bytes) ||
            !rf_add_size(bytes, join->protocols[i].metadata.len, &bytes))
            return false;
    }
    return bytes <= GROUP_MEMBER_BYTES_MAX;
}

/* `self`: the member that joins again, whose old protocols do not count; NULL: a new one. */
static bool suits(const struct group *group, const struct group_join *join,
                  const struct group_member *self)
{
    if (join->protocol_type.len == 0 || join->protocol_count == 0) return false;
    if (group->member_count == 0) return true;
    if (!rf_str_eq(group->type, join->protocol_type)) return false;
    for (uint32_t i = 0; i < join->protocol_count; i++)
        if (group_all_support(group, join->protocols[i].name, self)) return true;
    return false;
}

static bool grow(void **items, uint32_t count, uint32_t *cap, size_t bytes_each)
{
    if (count < *cap) return true;
    uint32_t more = *cap * 2 + 4;
    void *grown = realloc(*items, more * bytes_each);
    if (grown == NULL) return false;
    *items = grown;
    *cap = more;
    return true;
}

static enum kafka_error require_return(struct group *group, const struct group_join *join,
                                       struct group_wait *wait, rf_usec now)
{
    struct group_pending pending = {.until = now + join->session_ms * RF_USEC_PER_MS};
    if (!grow((void **)&group->pending, group->pending_count, &group->pending_cap,
              sizeof *group->pending) ||
        !group_text_copy(join->new_id, &pending.id))
        return KAFKA_COORDINATOR_NOT_AVAILABLE;
    group->pending[group->pending_count++] = pending;
    wait->member_id = join->new_id;
    return KAFKA_MEMBER_ID_REQUIRED;
}

static enum kafka_error add_member(struct group *group, const struct group_join *join, rf_str id,
                                   struct group_wait *wait, rf_usec now)
{
    struct group_member *member = calloc(1, sizeof *member);
    rf_str type = group->type;
    if (member != NULL) member->memory = group->memory;
    if (member == NULL ||
        !grow((void **)&group->members, group->member_count, &group->member_cap,
              sizeof(struct group_member *)) ||
        !group_member_set(member, join, id) ||
        (group->member_count == 0 && !group_text_copy(join->protocol_type, &type))) {
        if (member != NULL) group_member_free(member);
        return KAFKA_COORDINATOR_NOT_AVAILABLE;
    }
    if (group->member_count == 0) {
        group_text_free(&group->type);
        group->type = type;
    }
    member->seen = now;
    member->is_told = join->member_id.len > 0;
    member->join = wait;
    wait->member = member;
    group->members[group->member_count++] = member;
    if (group->state != GROUP_PREPARING) prepare(group, now);
    return KAFKA_NONE;
}

static bool same_protocols(const struct group_member *member, const struct group_join *join)
{
    if (member->protocol_count != join->protocol_count) return false;
    for (uint32_t i = 0; i < join->protocol_count; i++)
        if (!rf_str_eq(member->protocols[i].name, join->protocols[i].name) ||
            !rf_str_eq(member->protocols[i].metadata, join->protocols[i].metadata))
            return false;
    return true;
}

/* It takes part in the rebalance under way, or in one that begins with it. */
static enum kafka_error take_part(struct group *group, struct group_member *member,
                                  const struct group_join *join, rf_str id, struct group_wait *wait,
                                  rf_usec now)
{
    if (!group_member_set(member, join, id)) return KAFKA_COORDINATOR_NOT_AVAILABLE;
    group_fail_waits(group, member, KAFKA_REBALANCE_IN_PROGRESS);
    member->seen = now;
    member->join = wait;
    wait->member = member;
    if (group->state != GROUP_PREPARING) prepare(group, now);
    return KAFKA_NONE;
}

/* A member whose answer was lost asks again: the same answer, as long as nothing has changed. The leader of a stable group that joins again
 * wants a new assignment. */
static enum kafka_error join_again(struct group *group, struct group_member *member,
                                   const struct group_join *join, struct group_wait *wait,
                                   rf_usec now)
{
    bool repeats = same_protocols(member, join) && member->sync == NULL &&
                   (group->state == GROUP_COMPLETING ||
                    (group->state == GROUP_STABLE && group->leader != member));
    if (!repeats) return take_part(group, member, join, member->id, wait, now);
    group_answer_join(group, member, wait, now);
    return KAFKA_NONE;
}

/* A static member has been restarted: it takes its predecessor's place under a new id. While the group is stable and it asks for
 * what it had, nobody has to notice; a leader is not told that it leads then, because there is nothing to assign. */
static enum kafka_error replace(struct group *group, struct group_member *member,
                                const struct group_join *join, struct group_wait *wait, rf_usec now)
{
    const struct group_protocol *before = NULL, *after = NULL;
    if (group->state == GROUP_STABLE) before = group_supported(member, group->protocol);
    for (uint32_t i = 0; before != NULL && i < join->protocol_count; i++)
        if (rf_str_eq(join->protocols[i].name, group->protocol)) after = &join->protocols[i];
    bool is_quiet = after != NULL && rf_str_eq(before->metadata, after->metadata);
    rf_str former = member->id;
    group_fail_waits(group, member, KAFKA_FENCED_INSTANCE_ID);
    member->is_told = false;
    if (!is_quiet) return take_part(group, member, join, join->new_id, wait, now);
    if (!group_member_set(member, join, join->new_id)) return KAFKA_COORDINATOR_NOT_AVAILABLE;
    group_answer_join(group, member, wait, now);
    if (wait->is_leader) wait->leader = former; /* lies in member->former */
    wait->is_leader = false;
    return KAFKA_NONE;
}

static enum kafka_error check_join(const struct group *group, const struct group_join *join,
                                   const struct group_member *self)
{
    if (join->session_ms < GROUP_SESSION_MS_MIN || join->session_ms > GROUP_SESSION_MS_MAX)
        return KAFKA_INVALID_SESSION_TIMEOUT;
    if (!is_small(join)) return KAFKA_INVALID_REQUEST;
    if (!suits(group, join, self)) return KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    bool is_new = self == NULL && join->member_id.len == 0;
    if (is_new && group->member_count + group->pending_count >= GROUP_MEMBERS_MAX)
        return KAFKA_GROUP_MAX_SIZE_REACHED;
    return KAFKA_NONE;
}

static enum kafka_error find_member(const struct group *group, const struct group_who *who,
                                    struct group_member **out)
{
    struct group_member *member = group_by_instance(group, who->instance_id);
    if (who->instance_id.ptr == NULL)
        member = group_by_id(group, who->member_id);
    else if (member != NULL && !rf_str_eq(member->id, who->member_id))
        return KAFKA_FENCED_INSTANCE_ID;
    if (member == NULL) return KAFKA_UNKNOWN_MEMBER_ID;
    *out = member;
    return KAFKA_NONE;
}

static enum kafka_error try_join(struct group *group, const struct group_join *join,
                                 struct group_wait *wait, rf_usec now)
{
    struct group_member *member = NULL;
    struct group_who who = {.member_id = join->member_id, .instance_id = join->instance_id};
    enum kafka_error found = KAFKA_NONE;
    if (join->member_id.len > 0)
        found = find_member(group, &who, &member);
    else
        member = group_by_instance(group, join->instance_id);
    enum kafka_error error = check_join(group, join, member);
    if (error != KAFKA_NONE) return error;
    if (join->member_id.len == 0) {
        if (member != NULL) return replace(group, member, join, wait, now);
        if (join->must_return && join->instance_id.ptr == NULL)
            return require_return(group, join, wait, now);
        return add_member(group, join, join->new_id, wait, now);
    }
    if (found == KAFKA_UNKNOWN_MEMBER_ID && group_take_pending(group, join->member_id))
        return add_member(group, join, join->member_id, wait, now);
    if (found != KAFKA_NONE) return found;
    return join_again(group, member, join, wait, now);
}

void group_join(struct group *group, const struct group_join *join, struct group_wait *wait,
                rf_usec now)
{
    *wait = (struct group_wait){0};
    enum kafka_error error = try_join(group, join, wait, now);
    if (error != KAFKA_NONE) group_answer(group, wait, error);
    settle(group, now);
}

bool group_cancel(struct group *group, struct group_wait *wait, rf_usec now)
{
    struct group_member *member = wait->member;
    if (wait->is_answered) return false;
    bool is_join = member->join == wait;
    if (is_join)
        member->join = NULL;
    else
        member->sync = NULL;
    wait->member = NULL;
    member->seen = now;
    if (is_join && !member->is_told && member->instance_id.ptr == NULL)
        group_remove(group, member, KAFKA_UNKNOWN_MEMBER_ID);
    settle(group, now);
    return true;
}

/* ---- syncs ------------------------------------------------------------------------------------------------------------- */

/* The member that `who` names, when it is of this generation. */
static enum kafka_error find_current(const struct group *group, const struct group_who *who,
                                     struct group_member **out)
{
    struct group_member *member;
    enum kafka_error error = find_member(group, who, &member);
    if (error != KAFKA_NONE) return error;
    if (who->generation != group->generation) return KAFKA_ILLEGAL_GENERATION;
    *out = member;
    return KAFKA_NONE;
}

static enum kafka_error assign(struct group *group, const struct group_assignment *assignments,
                               uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!rf_add_size(bytes, assignments[i].bytes.len, &bytes)) return KAFKA_INVALID_REQUEST;
    if (bytes > GROUP_ASSIGNMENT_BYTES_MAX) return KAFKA_INVALID_REQUEST;
    for (uint32_t i = 0; i < count; i++) {
        struct group_member *member = group_by_id(group, assignments[i].member_id);
        rf_str text = assignments[i].bytes;
        if (member == NULL) continue;
        uint8_t *copy = group_charge(group->memory, text.len);
        if (copy == NULL) return KAFKA_COORDINATOR_NOT_AVAILABLE;
        if (text.len > 0) memcpy(copy, text.ptr, text.len);
        group_discharge(member->assigned);
        member->assigned = copy;
        member->assigned_len = text.len;
    }
    return KAFKA_NONE;
}

static void become_stable(struct group *group, rf_usec now)
{
    group->state = GROUP_STABLE;
    for (uint32_t i = 0; i < group->member_count; i++) {
        struct group_member *member = group->members[i];
        struct group_wait *sync = member->sync;
        member->sync = NULL;
        if (sync != NULL) group_answer_sync(group, member, sync, now);
    }
}

static enum kafka_error try_sync(struct group *group, const struct group_who *who,
                                 const struct group_assignment *assignments, uint32_t count,
                                 struct group_wait *wait, rf_usec now)
{
    struct group_member *member;
    enum kafka_error error = find_current(group, who, &member);
    if (error != KAFKA_NONE) return error;
    member->seen = now;
    if (group->state == GROUP_PREPARING) return KAFKA_REBALANCE_IN_PROGRESS;
    if (group->state == GROUP_STABLE) {
        group_answer_sync(group, member, wait, now);
        return KAFKA_NONE;
    }
    bool is_leader = member == group->leader;
    if (is_leader && (error = assign(group, assignments, count)) != KAFKA_NONE) return error;
    group_fail_waits(group, member, KAFKA_REBALANCE_IN_PROGRESS); /* an older sync of its own */
    member->sync = wait;
    member->is_synced = true;
    wait->member = member;
    if (is_leader) become_stable(group, now);
    return KAFKA_NONE;
}

void group_sync(struct group *group, const struct group_who *who,
                const struct group_assignment *assignments, uint32_t count, struct group_wait *wait,
                rf_usec now)
{
    *wait = (struct group_wait){.is_sync = true};
    enum kafka_error error = try_sync(group, who, assignments, count, wait, now);
    if (error != KAFKA_NONE) group_answer(group, wait, error);
    settle(group, now);
}

/* ---- the rest ---------------------------------------------------------------------------------------------------------- */

enum kafka_error group_heartbeat(struct group *group, const struct group_who *who, rf_usec now)
{
    struct group_member *member;
    enum kafka_error error = find_current(group, who, &member);
    if (error != KAFKA_NONE) return error;
    member->seen = now;
    return group->state == GROUP_PREPARING ? KAFKA_REBALANCE_IN_PROGRESS : KAFKA_NONE;
}

enum kafka_error group_leave(struct group *group, const struct group_who *who, rf_usec now)
{
    struct group_member *member = NULL;
    enum kafka_error error = KAFKA_NONE;
    if (who->instance_id.ptr != NULL && who->member_id.len == 0) {
        member = group_by_instance(group, who->instance_id);
        if (member == NULL) return KAFKA_UNKNOWN_MEMBER_ID;
    } else {
        error = find_member(group, who, &member);
        if (error == KAFKA_UNKNOWN_MEMBER_ID && group_take_pending(group, who->member_id))
            return KAFKA_NONE;
        if (error != KAFKA_NONE) return error;
    }
    group_remove(group, member, KAFKA_UNKNOWN_MEMBER_ID);
    settle(group, now);
    return KAFKA_NONE;
}

enum kafka_error group_may_commit(struct group *group, const struct group_who *who, rf_usec now)
{
    struct group_member *member;
    if (who->generation < 0 && who->member_id.len == 0 && who->instance_id.ptr == NULL)
        return group->member_count == 0 ? KAFKA_NONE : KAFKA_UNKNOWN_MEMBER_ID;
    enum kafka_error error = find_current(group, who, &member);
    if (error != KAFKA_NONE) return error;
    member->seen = now;
    return group->state == GROUP_STABLE ? KAFKA_NONE : KAFKA_REBALANCE_IN_PROGRESS;
}

static rf_usec session_end(const struct group_member *member)
{
    bool waits = member->join != NULL || member->sync != NULL;
    return waits ? INT64_MAX : member->seen + member->session_usec;
}

/* Members that were told of their generation and never asked what is theirs. */
static void remove_unsynced(struct group *group)
{
    for (uint32_t i = group->member_count; i-- > 0;)
        if (!group->members[i]->is_synced)
            group_remove(group, group->members[i], KAFKA_UNKNOWN_MEMBER_ID);
}

static bool waits_for_sync(const struct group *group)
{
    if (group->state != GROUP_COMPLETING && group->state != GROUP_STABLE) return false;
    for (uint32_t i = 0; i < group->member_count; i++)
        if (!group->members[i]->is_synced) return true;
    return false;
}

void group_tick(struct group *group, rf_usec now)
{
    for (uint32_t i = group->pending_count; i-- > 0;)
        if (group->pending[i].until <= now) group_remove_pending(group, i);
    for (uint32_t i = group->member_count; i-- > 0;)
        if (session_end(group->members[i]) <= now)
            group_remove(group, group->members[i], KAFKA_UNKNOWN_MEMBER_ID);
    if (waits_for_sync(group) && now >= group->deadline) remove_unsynced(group);
    settle(group, now);
}

rf_usec group_due(const struct group *group)
{
    rf_usec due = INT64_MAX;
    if (group->state == GROUP_PREPARING || waits_for_sync(group)) due = group->deadline;
    for (uint32_t i = 0; i < group->member_count; i++)
        due = RF_MIN(due, session_end(group->members[i]));
    for (uint32_t i = 0; i < group->pending_count; i++) due = RF_MIN(due, group->pending[i].until);
    return due;
}

void group_shut(struct group *group, enum kafka_error error, rf_usec now)
{
    while (group->member_count > 0)
        group_remove(group, group->members[group->member_count - 1], error);
    while (group->pending_count > 0) group_remove_pending(group, 0);
    group->must_rebalance = false;
    if (group->state != GROUP_EMPTY) become_empty(group, now);
}

struct group_view group_view(const struct group *group)
{
    return (struct group_view){.state = group->state,
                               .generation = group->generation,
                               .protocol_type = group->type,
                               .protocol = group->protocol,
                               .leader = group->leader == NULL ? RF_S("") : group->leader->id,
                               .member_count = group->member_count,
                               .emptied = group->emptied};
}

struct group_member_view group_member_at(const struct group *group, uint32_t index)
{
    const struct group_member *member = group->members[index];
    const struct group_protocol *chosen =
        group->protocol.ptr == NULL ? NULL : group_supported(member, group->protocol);
    return (struct group_member_view){.id = member->id,
                                      .instance_id = member->instance_id,
                                      .client_id = member->client_id,
                                      .client_host = member->client_host,
                                      .metadata = chosen == NULL ? RF_S("") : chosen->metadata,
                                      .assignment =
                                          group->state == GROUP_STABLE
                                              ? rf_str_make(member->assigned, member->assigned_len)
                                              : RF_S(""),
                                      .is_leader = group->leader == member};
}

bool group_is_idle(const struct group *group)
{
    return group->state == GROUP_EMPTY && group->pending_count == 0;
}
