/* Groups as people look at them (offsets.h). */
#include <stdlib.h>

#include "kafka/groups_int.h"

/* What lies in memory of a group is copied under the lock; its offsets are read from state. */
struct listing {
    struct rf_arena *arena;
    struct kafka_group_info *items;
    uint32_t count, cap;
    bool failed;
};

static rf_str keep(struct listing *list, rf_str text)
{
    rf_str copy = RF_S("");
    if (text.ptr != NULL && !rf_arena_str(list->arena, text, &copy)) list->failed = true;
    return copy;
}

static void add_members(struct listing *list, struct kafka_group_info *info,
                        const struct group *group, uint32_t count)
{
    info->members = rf_arena_new(list->arena, struct kafka_group_member, count);
    if (info->members == NULL) {
        list->failed = true;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct group_member_view member = group_member_at(group, i);
        info->members[i] =
            (struct kafka_group_member){.id = keep(list, member.id),
                                        .instance_id = keep(list, member.instance_id),
                                        .client_id = keep(list, member.client_id),
                                        .client_host = keep(list, member.client_host),
                                        .is_leader = member.is_leader};
    }
    info->member_count = count;
}

static struct kafka_group_info *add_info(struct listing *list, rf_str id)
{
    if (list->count == list->cap) {
        size_t old = list->cap * sizeof *list->items;
        list->items =
            rf_arena_grow(list->arena, list->items, old, old * 2 + 16 * sizeof *list->items);
        list->cap = list->cap * 2 + 16;
    }
    if (list->items == NULL) {
        list->failed = true;
        return NULL;
    }
    struct kafka_group_info *info = &list->items[list->count++];
    *info = (struct kafka_group_info){.id = keep(list, id),
                                      .protocol_type = RF_S(""),
                                      .protocol = RF_S(""),
                                      .state = group_state_name(GROUP_EMPTY)};
    return info;
}

static void list_memory(struct kafka_groups *groups, struct hub_namespace *space,
                        struct listing *list)
{
    groups_lock(groups);
    for (uint32_t i = 0; i < GROUP_BUCKETS; i++) {
        const struct group_entry *entry = groups->buckets[i];
        for (; entry != NULL && !list->failed; entry = entry->next) {
            struct group_view view = group_view(entry->group);
            if (entry->space != space || view.member_count == 0) continue;
            struct kafka_group_info *info = add_info(list, entry->id);
            if (info == NULL) continue;
            info->state = group_state_name(view.state);
            info->generation = view.generation;
            info->protocol_type = keep(list, view.protocol_type);
            info->protocol = keep(list, view.protocol);
            add_members(list, info, entry->group, view.member_count);
        }
    }
    groups_unlock(groups, NULL);
}

static int by_id(const void *a, const void *b)
{
    return rf_str_cmp(((const struct kafka_group_info *)a)->id,
                      ((const struct kafka_group_info *)b)->id);
}

static int by_topic(const void *a, const void *b)
{
    const struct kafka_group_offset *x = a, *y = b;
    int order = rf_str_cmp(x->topic, y->topic);
    return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

/* False: the hub is not there any more. */
static bool fill_offset(struct hub_namespace *space, const struct offset_row *row,
                        struct rf_arena *arena, struct kafka_group_offset *out)
{
    struct hub *hub;
    struct rf_err err;
    struct hub_facts facts;
    struct hub_partition_info info = {0};
    if (hub_find(space, row->topic, &hub, &err) != RF_OK) return false;
    hub_facts(hub, &facts);
    rf_str topic = RF_S("");
    bool ok = rf_str_eq(facts.id, row->hub_id) && rf_arena_str(arena, facts.name, &topic) &&
              hub_partition_info(hub, row->partition, &info, &err) == RF_OK;
    hub_unref(hub);
    if (!ok) return false;
    int64_t from = RF_MAX(row->offset, info.begin);
    *out = (struct kafka_group_offset){.topic = topic,
                                       .metadata = row->metadata,
                                       .partition = row->partition,
                                       .committed = row->offset,
                                       .begin = info.begin,
                                       .end = info.end,
                                       .lag = info.end > from ? info.end - from : 0,
                                       .at = row->committed};
    return true;
}

static enum rf_kind add_offsets(struct hub_namespace *space, struct kafka_group_info *info,
                                const struct offset_row *rows, uint32_t count,
                                struct rf_arena *arena, struct rf_err *err)
{
    info->offsets = rf_arena_new(arena, struct kafka_group_offset, count);
    if (info->offsets == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < count; i++) {
        struct kafka_group_offset *offset = &info->offsets[info->offset_count];
        if (!fill_offset(space, &rows[i], arena, offset)) continue;
        info->offset_count++;
        info->lag += offset->lag;
    }
    qsort(info->offsets, info->offset_count, sizeof *info->offsets, by_topic);
    return RF_OK;
}

static struct kafka_group_info *find_info(const struct listing *list, uint32_t count, rf_str id)
{
    struct kafka_group_info wanted = {.id = id};
    if (count == 0) return NULL;
    return bsearch(&wanted, list->items, count, sizeof *list->items, by_id);
}

enum rf_kind kafka_groups_list(struct kafka *kafka, struct hub_namespace *space,
                               struct rf_arena *arena, struct kafka_group_info **out,
                               uint32_t *count, struct rf_err *err)
{
    struct listing list = {.arena = arena};
    struct offset_row *rows;
    uint32_t row_count;
    if (kafka->groups == NULL)
        return RF_FAIL(err, RF_AGAIN, "ServerBusy", "the server is about to start");
    list_memory(kafka->groups, space, &list);
    RF_TRY(offsets_read(kafka->groups, hub_namespace_name(space), (rf_str){0}, arena, &rows,
                        &row_count, err));
    if (list.failed) return rf_fail_memory(err, arena);
    uint32_t known = list.count;
    if (known > 0) qsort(list.items, known, sizeof *list.items, by_id);
    for (uint32_t i = 0, end; i < row_count; i = end) {
        for (end = i + 1; end < row_count && rf_str_eq(rows[end].group, rows[i].group);) end++;
        struct kafka_group_info *info = find_info(&list, known, rows[i].group);
        if (info == NULL) info = add_info(&list, rows[i].group);
        if (info == NULL || list.failed) return rf_fail_memory(err, arena);
        RF_TRY(add_offsets(space, info, &rows[i], end - i, arena, err));
    }
    if (list.count > 0) qsort(list.items, list.count, sizeof *list.items, by_id);
    *out = list.items;
    *count = list.count;
    return RF_OK;
}

/* ---- changes by people ------------------------------------------------------------------------------------------------- */

static enum rf_kind check_group(const struct kafka *kafka, rf_str group, struct rf_err *err)
{
    if (kafka->groups == NULL)
        return RF_FAIL(err, RF_AGAIN, "ServerBusy", "the server is about to start");
    if (!groups_is_id(group))
        return RF_FAIL(err, RF_INVALID, "BadGroupId", "a group's name has 1 to %d bytes of UTF-8",
                       GROUP_ID_BYTES_MAX);
    return RF_OK;
}

static enum rf_kind check_unused(struct kafka_groups *groups, struct hub_namespace *space,
                                 rf_str group, struct rf_err *err)
{
    groups_lock(groups);
    const struct group_entry *entry = groups_find(groups, space, group);
    uint32_t count = entry == NULL ? 0 : group_view(entry->group).member_count;
    groups_unlock(groups, NULL);
    if (count == 0) return RF_OK;
    return RF_FAIL(err, RF_CONFLICT, "GroupHasMembers",
                   "%u consumers are members of the group %.*s: stop them first", count,
                   RF_FMT(group));
}

static enum rf_kind reset_on_hub(struct kafka_groups *groups, struct hub_namespace *space,
                                 struct hub *hub, rf_str group, uint32_t partition, int64_t offset,
                                 struct rf_err *err)
{
    struct hub_facts facts;
    struct hub_partition_info info;
    hub_facts(hub, &facts);
    RF_TRY(hub_partition_info(hub, partition, &info, err));
    if (offset < info.begin || offset > info.end)
        return RF_FAIL(err, RF_INVALID, "OffsetOutOfRange",
                       "%lld is not between %lld and %lld, which the partition holds",
                       (long long)offset, (long long)info.begin, (long long)info.end);
    struct offset_entry entry = {.topic = facts.name,
                                 .hub_id = facts.id,
                                 .partition = partition,
                                 .epoch = -1,
                                 .offset = offset};
    struct offset_commit commit = {
        .space = hub_namespace_name(space), .group = group, .entries = &entry, .count = 1};
    return offsets_commit_wait(groups, &commit, err);
}

enum rf_kind kafka_group_reset(struct kafka *kafka, struct hub_namespace *space, rf_str group,
                               rf_str topic, uint32_t partition, int64_t offset, struct rf_err *err)
{
    struct hub *hub;
    RF_TRY(check_group(kafka, group, err));
    RF_TRY(check_unused(kafka->groups, space, group, err));
    RF_TRY(hub_find(space, topic, &hub, err));
    enum rf_kind kind = reset_on_hub(kafka->groups, space, hub, group, partition, offset, err);
    hub_unref(hub);
    return kind;
}

enum rf_kind kafka_group_delete(struct kafka *kafka, struct hub_namespace *space, rf_str group,
                                struct rf_err *err)
{
    RF_TRY(check_group(kafka, group, err));
    struct kafka_groups *groups = kafka->groups;
    RF_TRY(check_unused(groups, space, group, err));
    enum rf_kind kind = offsets_delete_group(groups, hub_namespace_name(space), group, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    groups_lock(groups);
    struct group_entry *entry = groups_find(groups, space, group);
    bool was_there = entry != NULL;
    if (was_there && group_is_idle(entry->group)) groups_forget(groups, entry);
    groups_unlock(groups, NULL);
    if (kind == RF_OK || was_there) return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "GroupNotFound", "there is no group %.*s", RF_FMT(group));
}
