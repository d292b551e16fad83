/* hub_lag.c - how far consumer groups are behind. Known is what groups of Kafka have committed: state space "kafka_offset", as kafka/offsets.c keeps it
 * (key NAMESPACE \n GROUP \n HUB ID \n PARTITION, body {"offset","at"}, index "hub"). Who reads by AMQP keeps his positions himself. */
#include "base/encode.h"
#include "portal/portal_int.h"

enum { OFFSETS_MAX = 20000 };

static rf_str take_part(rf_str *key)
{
    size_t end = RF_MIN(rf_str_find(*key, RF_S("\n"), 0), key->len);
    rf_str part = rf_slice(*key, 0, end);
    *key = rf_slice(*key, RF_MIN(end + 1, key->len), key->len);
    return part;
}

/* Numbers that are retained and not read; false: the partition has not been looked at since the start. */
static bool lag_of(struct hub *hub, uint32_t partition, int64_t committed, int64_t *lag)
{
    struct hub_traffic traffic;
    if (!hub_partition_traffic(hub, partition, &traffic)) return false;
    if (!traffic.is_known) {
        struct hub_partition_info info;
        if (hub_partition_info(hub, partition, &info, NULL) != RF_OK) return false;
        traffic.begin = info.begin;
        traffic.end = info.end;
    }
    *lag = RF_MAX(traffic.end - RF_MAX(committed, traffic.begin), (int64_t)0);
    return true;
}

static struct hub_lag *find(struct hub_lag *items, uint32_t count, rf_str group)
{
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq(items[i].group, group)) return &items[i];
    return NULL;
}

static enum rf_kind read_offset(struct request *request, const struct portal_hub *found,
                                const struct state_object *object, struct hub_lag *items,
                                uint32_t *count, struct rf_err *err)
{
    rf_str key = object->key, group;
    struct json_node *body;
    int64_t committed = 0, at = 0, lag;
    uint32_t partition = 0;
    (void)take_part(&key);
    RF_TRY(percent_decode(request->arena, take_part(&key), false, &group, err));
    (void)take_part(&key);
    for (size_t i = 0; i < key.len; i++)
        partition = partition * 10 + (uint32_t)(key.ptr[i] - '0'); /* ten digits of ours */
    RF_TRY(json_parse(object->body, request->arena, &body, err));
    (void)json_i64_at(body, "offset", &committed);
    (void)json_i64_at(body, "at", &at);
    if (!lag_of(found->hub, partition, committed, &lag)) return RF_OK;
    struct hub_lag *item = find(items, *count, group);
    if (item == NULL) {
        item = &items[(*count)++];
        *item = (struct hub_lag){.group = group};
    }
    item->lag += lag;
    item->partitions++;
    item->at = RF_MAX(item->at, at);
    return RF_OK;
}

enum rf_kind hub_lag_list(struct request *request, const struct portal_hub *found,
                          struct hub_lag **out, uint32_t *count, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct hub_facts facts;
    struct state_list list;
    hub_facts(found->hub, &facts);
    const struct state_scan scan = {
        .space = "kafka_offset", .index = "hub", .value = facts.id, .limit = OFFSETS_MAX};
    RF_TRY(state_begin_read(portal_of(request)->options.state, &txn, err));
    RF_TRY(state_list(txn, &scan, request->arena, &list, err));
    *count = 0;
    *out = rf_arena_new(request->arena, struct hub_lag, (size_t)list.count + 1);
    if (*out == NULL) return rf_fail_memory(err, request->arena);
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(read_offset(request, found, &list.items[i], *out, count, err));
    return RF_OK;
}

enum rf_kind hub_lag_slowest(struct request *request, const struct portal_hub *found,
                             struct hub_lag *out, struct rf_err *err)
{
    struct hub_lag *items;
    uint32_t count;
    RF_TRY(hub_lag_list(request, found, &items, &count, err));
    *out = (struct hub_lag){.lag = 0};
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || items[i].lag > out->lag) *out = items[i];
    return RF_OK;
}
