/* The requests of groups: FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup, DescribeGroups, ListGroups, DeleteGroups.
 * Source: protocol guide; contract, sections 9.2 and 9.4. */
#include <stdio.h>

#include "crypt/digest.h"
#include "kafka/groups_int.h"

enum { BROKER = 0, NO_OPERATIONS = INT32_MIN, MEMBER_ID_RANDOM_BYTES = 16 };

static const rf_str none = {(const uint8_t *)"", 0};

/* Whether who logged in may use groups, as an error. RF_AGAIN: on a worker. */
static enum rf_kind check_group(struct kafka_call *call, rf_str id, enum kafka_error *error)
{
    bool may;
    RF_TRY(kafka_require_group(call, &may));
    *error = !may ? KAFKA_GROUP_AUTHORIZATION_FAILED : KAFKA_NONE;
    if (may && !groups_is_id(id)) *error = KAFKA_INVALID_GROUP_ID;
    return RF_OK;
}

static void put_throttle(struct kafka_call *call, int16_t since)
{
    if (call->version >= since) kafka_put_i32(&call->out, 0);
}

enum kafka_outcome kafka_find_coordinator(struct kafka_call *call)
{
    struct rf_buf *out = &call->out;
    bool may;
    (void)kafka_get_string(&call->in);                     /* all keys have the same one */
    if (call->version >= 1) (void)kafka_get_i8(&call->in); /* of groups or transactions */
    if (call->in.bad) return KAFKA_BAD;
    if (kafka_require_group(call, &may) != RF_OK) return KAFKA_ON_WORKER;
    put_throttle(call, 1);
    kafka_put_i16(out, may ? KAFKA_NONE : KAFKA_GROUP_AUTHORIZATION_FAILED);
    if (call->version >= 1) kafka_put_nullable(out, (rf_str){0});
    kafka_put_i32(out, may ? BROKER : -1);
    kafka_put_string(out, may ? call->conn->host : none);
    kafka_put_i32(out, may ? call->kafka->port : -1);
    return KAFKA_DONE;
}

/* ---- JoinGroup --------------------------------------------------------------------------------------------------------- */

static void write_joined_members(struct kafka_call *call, const struct group_call *own)
{
    struct rf_buf *out = &call->out;
    uint32_t count = 0;
    if (own->wait.error == KAFKA_NONE && own->wait.is_leader)
        count = group_view(own->group).member_count;
    kafka_put_count(out, count);
    for (uint32_t i = 0; i < count; i++) {
        struct group_member_view member = group_member_at(own->group, i);
        kafka_put_string(out, member.id);
        if (call->version >= 5) kafka_put_nullable(out, member.instance_id);
        kafka_put_bytes(out, member.metadata);
    }
}

static void write_join(struct group_call *own)
{
    struct kafka_call *call = own->call;
    const struct group_wait *wait = &own->wait;
    struct rf_buf *out = &call->out;
    bool ok = wait->error == KAFKA_NONE;
    put_throttle(call, 2);
    kafka_put_i16(out, (int16_t)wait->error);
    kafka_put_i32(out, ok ? wait->generation : -1);
    kafka_put_string(out, ok ? wait->protocol : none);
    kafka_put_string(out, ok ? wait->leader : none);
    kafka_put_string(out, wait->member_id.ptr != NULL ? wait->member_id : own->asked_id);
    write_joined_members(call, own);
}

/* "{client id}-{random}", so that people recognise it in a list. */
static rf_str make_member_id(struct kafka_call *call, rf_str instance_id)
{
    uint8_t raw[MEMBER_ID_RANDOM_BYTES];
    rf_str name = instance_id.ptr != NULL ? instance_id : call->client_id;
    struct rf_buf id = rf_buf_in(&call->arena);
    random_bytes(raw, sizeof raw);
    rf_buf_str(&id, rf_slice(name, 0, RF_MIN(name.len, (size_t)255)));
    rf_buf_byte(&id, '-');
    for (size_t i = 0; i < sizeof raw; i++) rf_buf_printf(&id, "%02x", raw[i]);
    return id.failed ? none : rf_buf_view(&id);
}

static bool read_protocols(struct kafka_call *call, struct group_join *join)
{
    uint32_t count = kafka_get_count(&call->in, 6, NULL);
    struct group_protocol *protocols = rf_arena_new(&call->arena, struct group_protocol, count);
    if (protocols == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        protocols[i].name = kafka_get_string(&call->in);
        protocols[i].metadata = kafka_get_bytes(&call->in);
    }
    join->protocols = protocols;
    join->protocol_count = count;
    return !call->in.bad;
}

static bool read_join(struct kafka_call *call, rf_str *group, struct group_join *join)
{
    struct kafka_reader *in = &call->in;
    *group = kafka_get_string(in);
    join->session_ms = kafka_get_i32(in);
    join->rebalance_ms = call->version >= 1 ? kafka_get_i32(in) : join->session_ms;
    join->member_id = kafka_get_string(in);
    join->instance_id = call->version >= 5 ? kafka_get_nullable(in) : (rf_str){0};
    join->protocol_type = kafka_get_string(in);
    return read_protocols(call, join);
}

static struct group_call *new_group_call(struct kafka_call *call, rf_str asked_id,
                                         void (*write)(struct group_call *own))
{
    struct group_call *own = rf_arena_new(&call->arena, struct group_call, 1);
    if (own == NULL) return NULL;
    *own = (struct group_call){
        .call = call, .groups = call->kafka->groups, .asked_id = asked_id, .write = write};
    return own;
}

static enum kafka_outcome refuse_wait(struct group_call *own, enum kafka_error error)
{
    own->wait.error = error;
    own->write(own);
    return KAFKA_DONE;
}

/* The connection has gone while the call waited. */
static bool cancel_wait(struct kafka_call *call)
{
    struct group_call *own = call->own;
    struct kafka_groups *groups = own->groups;
    groups_lock(groups);
    struct group_entry *entry = own->entry;
    bool waited = entry != NULL && group_cancel(entry->group, &own->wait, groups_now(groups));
    groups_unlock(groups, waited ? entry : NULL);
    return waited;
}

/* From the moment that the lock is free the call may be answered and over: nothing of it is touched behind it. */
static void enter(struct group_call *own, struct group_entry *entry)
{
    own->entry = entry;
    own->group = entry->group;
    own->call->own = own;
    own->call->cancel = cancel_wait;
}

enum kafka_outcome kafka_join_group(struct kafka_call *call)
{
    struct kafka_groups *groups = call->kafka->groups;
    struct group_join join = {.client_id = call->client_id, .must_return = call->version >= 4};
    rf_str id;
    enum kafka_error error;
    if (!read_join(call, &id, &join)) return KAFKA_BAD;
    if (check_group(call, id, &error) != RF_OK) return KAFKA_ON_WORKER;
    join.client_host = rf_str_of(call->conn->peer);
    join.new_id = make_member_id(call, join.instance_id);
    struct group_call *own = new_group_call(call, join.member_id, write_join);
    if (own == NULL || join.new_id.len == 0) return KAFKA_BAD;
    if (error != KAFKA_NONE) return refuse_wait(own, error);
    groups_lock(groups);
    struct group_entry *entry = groups_make(groups, call->conn->space, id);
    if (entry == NULL) {
        groups_unlock(groups, NULL);
        return refuse_wait(own, KAFKA_COORDINATOR_NOT_AVAILABLE);
    }
    enter(own, entry);
    group_join(entry->group, &join, &own->wait, groups_now(groups));
    groups_unlock(groups, entry);
    return KAFKA_LATER;
}

/* ---- SyncGroup --------------------------------------------------------------------------------------------------------- */

static void write_sync(struct group_call *own)
{
    struct kafka_call *call = own->call;
    put_throttle(call, 1);
    kafka_put_i16(&call->out, (int16_t)own->wait.error);
    rf_str bytes = own->wait.error == KAFKA_NONE ? own->wait.assignment : none;
    kafka_put_bytes(&call->out, bytes.ptr == NULL ? none : bytes);
}

static rf_str read_who(struct kafka_call *call, struct group_who *who)
{
    rf_str group = kafka_get_string(&call->in);
    who->generation = kafka_get_i32(&call->in);
    who->member_id = kafka_get_string(&call->in);
    who->instance_id = call->version >= 3 ? kafka_get_nullable(&call->in) : (rf_str){0};
    return group;
}

enum kafka_outcome kafka_sync_group(struct kafka_call *call)
{
    struct kafka_groups *groups = call->kafka->groups;
    struct group_who who;
    enum kafka_error error;
    rf_str id = read_who(call, &who);
    uint32_t count = kafka_get_count(&call->in, 6, NULL);
    struct group_assignment *items = rf_arena_new(&call->arena, struct group_assignment, count);
    struct group_call *own = new_group_call(call, who.member_id, write_sync);
    if (items == NULL || own == NULL) return KAFKA_BAD;
    for (uint32_t i = 0; i < count; i++) {
        items[i].member_id = kafka_get_string(&call->in);
        items[i].bytes = kafka_get_bytes(&call->in);
    }
    if (call->in.bad) return KAFKA_BAD;
    if (check_group(call, id, &error) != RF_OK) return KAFKA_ON_WORKER;
    if (error != KAFKA_NONE) return refuse_wait(own, error);
    groups_lock(groups);
    struct group_entry *entry = groups_find(groups, call->conn->space, id);
    if (entry == NULL) {
        groups_unlock(groups, NULL);
        return refuse_wait(own, KAFKA_UNKNOWN_MEMBER_ID);
    }
    enter(own, entry);
    group_sync(entry->group, &who, items, count, &own->wait, groups_now(groups));
    groups_unlock(groups, entry);
    return KAFKA_LATER;
}

/* ---- Heartbeat, LeaveGroup --------------------------------------------------------------------------------------------- */

enum kafka_outcome kafka_heartbeat(struct kafka_call *call)
{
    struct kafka_groups *groups = call->kafka->groups;
    struct group_who who;
    enum kafka_error error;
    rf_str id = read_who(call, &who);
    if (call->in.bad) return KAFKA_BAD;
    if (check_group(call, id, &error) != RF_OK) return KAFKA_ON_WORKER;
    if (error == KAFKA_NONE) {
        groups_lock(groups);
        struct group_entry *entry = groups_find(groups, call->conn->space, id);
        error = entry == NULL ? KAFKA_UNKNOWN_MEMBER_ID
                              : group_heartbeat(entry->group, &who, groups_now(groups));
        groups_unlock(groups, entry);
    }
    put_throttle(call, 1);
    kafka_put_i16(&call->out, (int16_t)error);
    return KAFKA_DONE;
}

static enum kafka_error leave(struct kafka_call *call, rf_str id, const struct group_who *who)
{
    struct kafka_groups *groups = call->kafka->groups;
    enum kafka_error error = KAFKA_UNKNOWN_MEMBER_ID;
    groups_lock(groups);
    struct group_entry *entry = groups_find(groups, call->conn->space, id);
    if (entry != NULL) error = group_leave(entry->group, who, groups_now(groups));
    groups_unlock(groups, entry);
    return error;
}

/* Version 3 and later: several at once, each with an error of its own. */
static enum kafka_outcome leave_many(struct kafka_call *call, rf_str id, enum kafka_error error)
{
    struct kafka_reader *in = &call->in;
    uint32_t count = kafka_get_count(in, 4, NULL);
    struct kafka_reader check = *in;
    for (uint32_t i = 0; i < count; i++) {
        (void)kafka_get_string(&check);
        (void)kafka_get_nullable(&check);
    }
    if (check.bad) return KAFKA_BAD; /* before anybody has left */
    kafka_put_i32(&call->out, 0);
    kafka_put_i16(&call->out, (int16_t)error);
    kafka_put_count(&call->out, error == KAFKA_NONE ? count : 0);
    for (uint32_t i = 0; i < count && error == KAFKA_NONE; i++) {
        struct group_who who = {.member_id = kafka_get_string(in)};
        who.instance_id = kafka_get_nullable(in);
        kafka_put_string(&call->out, who.member_id);
        kafka_put_nullable(&call->out, who.instance_id);
        kafka_put_i16(&call->out, (int16_t)leave(call, id, &who));
    }
    return KAFKA_DONE;
}

enum kafka_outcome kafka_leave_group(struct kafka_call *call)
{
    enum kafka_error error;
    rf_str id = kafka_get_string(&call->in);
    struct group_who who = {0};
    if (call->version < 3) who.member_id = kafka_get_string(&call->in);
    if (call->in.bad) return KAFKA_BAD;
    if (check_group(call, id, &error) != RF_OK) return KAFKA_ON_WORKER;
    if (call->version >= 3) return leave_many(call, id, error);
    if (error == KAFKA_NONE) error = leave(call, id, &who);
    put_throttle(call, 1);
    kafka_put_i16(&call->out, (int16_t)error);
    return KAFKA_DONE;
}

/* ---- DescribeGroups, ListGroups, DeleteGroups ---------------------------------------------------------------------- */

static void write_member(struct kafka_call *call, const struct group_member_view *member)
{
    struct rf_buf *out = &call->out;
    kafka_put_string(out, member->id);
    if (call->version >= 4) kafka_put_nullable(out, member->instance_id);
    kafka_put_string(out, member->client_id);
    kafka_put_string(out, member->client_host);
    kafka_put_bytes(out, member->metadata);
    kafka_put_bytes(out, member->assignment.ptr == NULL ? none : member->assignment);
}

static void write_group(struct kafka_call *call, rf_str id, enum kafka_error error,
                        const struct group *group, const char *otherwise)
{
    struct rf_buf *out = &call->out;
    struct group_view view = {.state = GROUP_EMPTY};
    if (group != NULL) view = group_view(group);
    kafka_put_i16(out, (int16_t)error);
    kafka_put_string(out, id);
    kafka_put_string(out, rf_str_of(group != NULL ? group_state_name(view.state) : otherwise));
    kafka_put_string(out, view.protocol_type);
    kafka_put_string(out, view.protocol);
    kafka_put_count(out, view.member_count);
    for (uint32_t i = 0; i < view.member_count; i++) {
        struct group_member_view member = group_member_at(group, i);
        write_member(call, &member);
    }
    if (call->version >= 3) kafka_put_i32(out, NO_OPERATIONS);
}

/* Of one that is not in memory: with offsets it is empty, without it is dead. */
static const char *state_at_rest(struct kafka_call *call, rf_str id)
{
    struct offset_row *rows;
    struct rf_err err;
    uint32_t count = 0;
    rf_str space = hub_namespace_name(call->conn->space);
    if (offsets_read(call->kafka->groups, space, id, &call->arena, &rows, &count, &err) != RF_OK)
        return "Dead";
    return count > 0 ? "Empty" : "Dead";
}

static void describe(struct kafka_call *call, rf_str id, enum kafka_error error)
{
    struct kafka_groups *groups = call->kafka->groups;
    groups_lock(groups);
    struct group_entry *entry =
        error == KAFKA_NONE ? groups_find(groups, call->conn->space, id) : NULL;
    if (entry != NULL) write_group(call, id, error, entry->group, "");
    groups_unlock(groups, NULL);
    if (entry != NULL) return;
    write_group(call, id, error, NULL, error == KAFKA_NONE ? state_at_rest(call, id) : "");
}

enum kafka_outcome kafka_describe_groups(struct kafka_call *call)
{
    enum kafka_error error;
    if (!call->may_block) return KAFKA_ON_WORKER;
    put_throttle(call, 1);
    uint32_t count = kafka_get_count(&call->in, 2, NULL);
    kafka_put_count(&call->out, count);
    for (uint32_t i = 0; i < count; i++) {
        rf_str id = kafka_get_string(&call->in);
        if (call->in.bad || check_group(call, id, &error) != RF_OK) return KAFKA_BAD;
        describe(call, id, error);
    }
    if (call->version >= 3) (void)kafka_get_bool(&call->in); /* operations: they are not told */
    return call->in.bad ? KAFKA_BAD : KAFKA_DONE;
}

enum kafka_outcome kafka_list_groups(struct kafka_call *call)
{
    struct kafka_group_info *items = NULL;
    struct rf_err err;
    uint32_t count = 0;
    bool may;
    if (!call->may_block) return KAFKA_ON_WORKER;
    if (kafka_require_group(call, &may) != RF_OK) return KAFKA_BAD;
    enum kafka_error error = may ? KAFKA_NONE : KAFKA_GROUP_AUTHORIZATION_FAILED;
    if (may && kafka_groups_list(call->kafka, call->conn->space, &call->arena, &items, &count,
                                 &err) != RF_OK)
        error = KAFKA_COORDINATOR_NOT_AVAILABLE;
    put_throttle(call, 1);
    kafka_put_i16(&call->out, (int16_t)error);
    kafka_put_count(&call->out, error == KAFKA_NONE ? count : 0);
    for (uint32_t i = 0; i < count && error == KAFKA_NONE; i++) {
        kafka_put_string(&call->out, items[i].id);
        kafka_put_string(&call->out, items[i].protocol_type);
    }
    return KAFKA_DONE;
}

static enum kafka_error delete_group(struct kafka_call *call, rf_str id)
{
    struct rf_err err;
    switch (kafka_group_delete(call->kafka, call->conn->space, id, &err)) {
    case RF_OK:
        return KAFKA_NONE;
    case RF_CONFLICT:
        return KAFKA_NON_EMPTY_GROUP;
    case RF_NOT_FOUND:
        return KAFKA_GROUP_ID_NOT_FOUND;
    case RF_INVALID:
        return KAFKA_INVALID_GROUP_ID;
    default:
        return KAFKA_COORDINATOR_NOT_AVAILABLE;
    }
}

enum kafka_outcome kafka_delete_groups(struct kafka_call *call)
{
    enum kafka_error error;
    if (!call->may_block) return KAFKA_ON_WORKER;
    uint32_t count = kafka_get_count(&call->in, 2, NULL);
    kafka_put_i32(&call->out, 0);
    kafka_put_count(&call->out, count);
    for (uint32_t i = 0; i < count; i++) {
        rf_str id = kafka_get_string(&call->in);
        if (call->in.bad || check_group(call, id, &error) != RF_OK) return KAFKA_BAD;
        if (error == KAFKA_NONE) error = delete_group(call, id);
        kafka_put_string(&call->out, id);
        kafka_put_i16(&call->out, (int16_t)error);
    }
    return KAFKA_DONE;
}
