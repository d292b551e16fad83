/* node_address.c - what an address of a hub names, and whether the peer may have a link there (contract, sections 4 and 5). */
#include "amqp/nodes_int.h"

enum rf_kind node_missing(rf_str address, struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "HubNotFound",
                   "The messaging entity '%.*s' could not be found.", RF_FMT(address));
}

enum rf_kind node_path_missing(struct job *job, rf_str path, struct rf_err *err)
{
    rf_str space = hub_namespace_name(job->peer->space);
    return node_missing(rf_arena_printf(&job->arena, "sb://%.*s/%.*s", RF_FMT(space), RF_FMT(path)),
                        err);
}

rf_str node_first_segment(rf_str path)
{
    size_t slash = rf_str_find(path, RF_S("/"), 0);
    return rf_slice(path, 0, slash == SIZE_MAX ? path.len : slash);
}

enum rf_kind node_partition(rf_str text, uint32_t count, uint32_t *out, struct rf_err *err)
{
    uint64_t number = 0;
    bool is_number = text.len > 0 && text.len < 10 && (text.len == 1 || text.ptr[0] != '0');
    for (size_t i = 0; is_number && i < text.len; i++) {
        is_number = rf_is_digit(text.ptr[i]);
        number = number * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (!is_number || number >= count)
        return RF_FAIL(err, RF_INVALID, "PartitionOutOfRange",
                       "The specified partition is invalid for an EventHub partition sender or "
                       "receiver. It should be between 0 and %u.",
                       count - 1);
    *out = (uint32_t)number;
    return RF_OK;
}

enum rf_kind node_lower_path(struct job *job, rf_str name, rf_str *out, struct rf_err *err)
{
    uint8_t *text = rf_arena_alloc(&job->arena, name.len);
    if (text == NULL) return rf_fail_memory(err, &job->arena);
    for (size_t i = 0; i < name.len; i++) text[i] = rf_lower(name.ptr[i]);
    *out = rf_str_make(text, name.len);
    return RF_OK;
}

static rf_str take_segment(rf_str *path)
{
    rf_str segment = node_first_segment(*path);
    *path = rf_slice(*path, RF_MIN(segment.len + 1, path->len), path->len);
    return segment;
}

static enum rf_kind split(struct node_link *link, rf_str address, rf_str *name, rf_str *partition,
                          struct rf_err *err)
{
    rf_str rest = address;
    if (rest.len > 0 && rest.ptr[0] == '/') rest = rf_slice(rest, 1, rest.len);
    *name = take_segment(&rest);
    *partition = (rf_str){0};
    bool good = name->len > 0;
    while (good && rest.len > 0) {
        rf_str word = take_segment(&rest), value = take_segment(&rest);
        good = value.len > 0;
        if (rf_str_eq_nocase(word, RF_S("Partitions")) && partition->ptr == NULL)
            *partition = value;
        else if (rf_str_eq_nocase(word, RF_S("ConsumerGroups")) && link->is_out &&
                 link->group.ptr == NULL && partition->ptr == NULL)
            link->group = value;
        else if (rf_str_eq_nocase(word, RF_S("Publishers")) && !link->is_out &&
                 link->publisher.ptr == NULL && partition->ptr == NULL)
            link->publisher = value;
        else
            good = false;
    }
    good = good && (!link->is_out || (link->group.ptr != NULL && partition->ptr != NULL)) &&
           (link->publisher.ptr == NULL || partition->ptr == NULL);
    return good ? RF_OK : node_missing(address, err);
}

enum rf_kind node_resolve(struct job *job, rf_str address, enum hub_right right, struct rf_err *err)
{
    struct node_link *link = job->made;
    struct hub_facts facts;
    rf_str name, partition;
    struct rf_err why;
    RF_TRY(split(link, address, &name, &partition, err));
    rf_str plain = address;
    if (plain.len > 0 && plain.ptr[0] == '/') plain = rf_slice(plain, 1, plain.len);
    RF_TRY(node_lower_path(job, plain, &link->path, err));
    if (!rf_arena_str(&link->arena, link->path, &link->path))
        return rf_fail_memory(err, &link->arena);
    RF_TRY(access_require(link->peer, link->path, right, err));
    if (hub_find(link->peer->space, name, &link->hub, &why) != RF_OK)
        return node_path_missing(job, plain, err);
    hub_facts(link->hub, &facts);
    if (facts.status == HUB_DISABLED ||
        facts.status == (link->is_out ? HUB_RECEIVE_DISABLED : HUB_SEND_DISABLED))
        return RF_FAIL(err, RF_DENIED, "EntityDisabled", "The messaging entity '%.*s' is disabled.",
                       RF_FMT(facts.name));
    if (link->is_out && !hub_has_group(link->hub, link->group))
        return node_path_missing(job, plain, err);
    if (link->publisher.ptr != NULL && hub_is_revoked(link->hub, link->publisher))
        return RF_FAIL(err, RF_DENIED, "PublisherRevoked", "The publisher '%.*s' is revoked.",
                       RF_FMT(link->publisher));
    link->partition = UINT32_MAX;
    if (partition.ptr == NULL) return RF_OK;
    return node_partition(partition, facts.partition_count, &link->partition, err);
}
