#include <stdlib.h>

#include "kafka/group_int.h"

static const int64_t rebalance_ms_min = 1000, rebalance_ms_max = INT64_C(24) * 3600 * 1000;

/* ---- small things ------------------------------------------------------------------------------------------------------ */

void group_text_free(rf_str *text)
{
    free((void *)(uintptr_t)text->ptr);
    *text = (rf_str){0};
}

bool group_text_copy(rf_str text, rf_str *out)
{
    uint8_t *bytes = malloc(text.len + 1);
    if (bytes == NULL) return false;
    if (text.len > 0) memcpy(bytes, text.ptr, text.len);
    *out = rf_str_make(bytes, text.len);
    return true;
}

struct group_member *group_by_id(const struct group *group, rf_str id)
{
    for (uint32_t i = 0; i < group->member_count; i++)
        if (rf_str_eq(group->members[i]->id, id)) return group->members[i];
    return NULL;
}

struct group_member *group_by_instance(const struct group *group, rf_str instance_id)
{
    if (instance_id.ptr == NULL) return NULL;
    for (uint32_t i = 0; i < group->member_count; i++) {
        struct group_member *member = group->members[i];
        if (member->instance_id.ptr != NULL && rf_str_eq(member->instance_id, instance_id))
            return member;
    }
    return NULL;
}

const struct group_protocol *group_supported(const struct group_member *member, rf_str name)
{
    for (uint32_t i = 0; i < member->protocol_count; i++)
        if (rf_str_eq(member->protocols[i].name, name)) return &member->protocols[i];
    return NULL;
}

bool group_all_support(const struct group *group, rf_str name, const struct group_member *but)
{
    for (uint32_t i = 0; i < group->member_count; i++)
        if (group->members[i] != but && group_supported(group->members[i], name) == NULL)
            return false;
    return true;
}

/* ---- answers ----------------------------------------------------------------------------------------------------------- */

void group_answer(struct group *group, struct group_wait *wait, enum kafka_error error)
{
    RF_ASSERT(!wait->is_answered);
    wait->error = error;
    wait->is_answered = true;
    wait->member = NULL;
    wait->next = NULL;
    *group->answered_end = wait;
    group->answered_end = &wait->next;
}

struct group_wait *group_answered(struct group *group)
{
    struct group_wait *first = group->answered;
    group->answered = NULL;
    group->answered_end = &group->answered;
    return first;
}

void group_fail_waits(struct group *group, struct group_member *member, enum kafka_error error)
{
    struct group_wait *waits[] = {member->join, member->sync};
    member->join = member->sync = NULL;
    for (size_t i = 0; i < RF_COUNT(waits); i++)
        if (waits[i] != NULL) group_answer(group, waits[i], error);
}

void group_answer_join(struct group *group, struct group_member *member, struct group_wait *wait,
                       rf_usec now)
{
    wait->member_id = member->id;
    wait->leader = group->leader->id;
    wait->protocol = group->protocol;
    wait->generation = group->generation;
    wait->is_leader = group->leader == member;
    member->is_told = true;
    member->seen = now;
    group_answer(group, wait, KAFKA_NONE);
}

void group_answer_sync(struct group *group, struct group_member *member, struct group_wait *wait,
                       rf_usec now)
{
    wait->assignment = rf_str_make(member->assigned, member->assigned_len);
    member->is_synced = true;
    member->seen = now;
    group_answer(group, wait, KAFKA_NONE);
}

/* ---- members ----------------------------------------------------------------------------------------------------------- */

static void put_text(uint8_t **at, rf_str text, rf_str *out)
{
    if (text.len > 0) memcpy(*at, text.ptr, text.len);
    *out = rf_str_make(text.ptr == NULL ? NULL : *at, text.len);
    *at += text.len;
}

/* One allocation with all texts of a member as it joins; bounded by check_join. */
struct charge {
    size_t bytes;
    struct rf_budget *memory;
    max_align_t block[];
};

void *group_charge(struct rf_budget *memory, size_t bytes)
{
    size_t all;
    if (!rf_add_size(bytes, sizeof(struct charge), &all)) return NULL;
    if (memory != NULL && !rf_budget_take(memory, all)) return NULL;
    struct charge *charge = malloc(all);
    if (charge == NULL) {
        if (memory != NULL) rf_budget_give(memory, all);
        return NULL;
    }
    *charge = (struct charge){.bytes = all, .memory = memory};
    return charge->block;
}

void group_discharge(void *block)
{
    if (block == NULL) return;
    struct charge *charge =
        (struct charge *)(void *)((uint8_t *)block - offsetof(struct charge, block));
    if (charge->memory != NULL) rf_budget_give(charge->memory, charge->bytes);
    free(charge);
}

bool group_member_set(struct group_member *member, const struct group_join *join, rf_str id)
{
    size_t bytes = id.len + join->instance_id.len + join->client_id.len + join->client_host.len + 1;
    for (uint32_t i = 0; i < join->protocol_count; i++)
        bytes += join->protocols[i].name.len + join->protocols[i].metadata.len;
    size_t head = join->protocol_count * sizeof *member->protocols;
    uint8_t *block = group_charge(member->memory, head + bytes);
    if (block == NULL) return false;
    struct group_protocol *protocols = (struct group_protocol *)(void *)block;
    uint8_t *at = block + head;
    put_text(&at, id, &member->id);
    put_text(&at, join->instance_id, &member->instance_id);
    put_text(&at, join->client_id, &member->client_id);
    put_text(&at, join->client_host, &member->client_host);
    for (uint32_t i = 0; i < join->protocol_count; i++) {
        put_text(&at, join->protocols[i].name, &protocols[i].name);
        put_text(&at, join->protocols[i].metadata, &protocols[i].metadata);
    }
    member->protocols = protocols;
    member->protocol_count = join->protocol_count;
    group_discharge(member->former);
    member->former = member->bytes; /* `id` may lie in them */
    member->bytes = block;
    member->session_usec = join->session_ms * RF_USEC_PER_MS;
    int64_t rebalance_ms = RF_MIN(RF_MAX(join->rebalance_ms, rebalance_ms_min), rebalance_ms_max);
    member->rebalance_usec = rebalance_ms * RF_USEC_PER_MS;
    return true;
}

void group_member_free(struct group_member *member)
{
    group_discharge(member->bytes);
    group_discharge(member->former);
    group_discharge(member->assigned);
    free(member);
}

void group_remove(struct group *group, struct group_member *member, enum kafka_error error)
{
    uint32_t at = 0;
    group_fail_waits(group, member, error);
    while (group->members[at] != member) at++;
    group->member_count--;
    for (; at < group->member_count; at++) group->members[at] = group->members[at + 1];
    if (group->leader == member) group->leader = NULL;
    group->must_rebalance = true;
    group_member_free(member);
}

void group_remove_pending(struct group *group, uint32_t at)
{
    group_text_free(&group->pending[at].id);
    group->pending[at] = group->pending[--group->pending_count];
}

bool group_take_pending(struct group *group, rf_str id)
{
    for (uint32_t i = 0; i < group->pending_count; i++) {
        if (!rf_str_eq(group->pending[i].id, id)) continue;
        group_remove_pending(group, i);
        return true;
    }
    return false;
}
