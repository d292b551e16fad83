/* OffsetCommit, OffsetFetch, OffsetDelete. Source: protocol guide; contract, sections 9.2 and 9.4. */
#include "kafka/groups_int.h"

/* ---- topics ------------------------------------------------------------------------------------------------------------ */

struct topic_ref {
    rf_str name, hub_id; /* hub_id lies as long as `hub` */
    struct hub *hub;     /* NULL: see error */
    uint32_t partition_count;
    enum kafka_error error;
};

static enum rf_kind open_topic(struct kafka_call *call, rf_str name, struct topic_ref *out)
{
    bool may;
    struct rf_err err;
    *out = (struct topic_ref){.name = name, .error = KAFKA_TOPIC_AUTHORIZATION_FAILED};
    RF_TRY(kafka_require(call, name, RIGHT_LISTEN, &may));
    if (!may) return RF_OK;
    out->error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (hub_find(call->conn->space, name, &out->hub, &err) != RF_OK) {
        out->hub = NULL;
        return RF_OK;
    }
    struct hub_facts facts;
    hub_facts(out->hub, &facts);
    out->error = KAFKA_NONE;
    out->hub_id = facts.id;
    out->name = facts.name;
    out->partition_count = facts.partition_count;
    return RF_OK;
}

static bool has_partition(const struct topic_ref *topic, int32_t index)
{
    return index >= 0 && (uint32_t)index < topic->partition_count;
}

/* ---- OffsetCommit ------------------------------------------------------------------------------------------------------ */

struct asked_partition {
    rf_str metadata;
    int32_t index, epoch;
    int64_t offset;
    enum kafka_error error;
    bool is_taken; /* it is one of the commit's entries */
};

struct asked_topic {
    rf_str name;
    struct topic_ref ref;
    struct asked_partition *partitions;
    uint32_t count;
};

/* call->own of a commit. */
struct commit_call {
    struct offset_commit commit; /* first */
    struct kafka_call *call;
    struct asked_topic *topics;
    uint32_t topic_count;
    uint32_t partition_count;
    struct group_who who;
    rf_str group;
};

static void drop_commit(struct kafka_call *call)
{
    struct commit_call *own = call->own;
    for (uint32_t i = 0; own != NULL && i < own->topic_count; i++)
        hub_unref(own->topics[i].ref.hub);
}

static bool read_partitions(struct kafka_call *call, struct asked_topic *topic)
{
    struct kafka_reader *in = &call->in;
    topic->count = kafka_get_count(in, 14, NULL);
    topic->partitions = rf_arena_new(&call->arena, struct asked_partition, topic->count);
    if (topic->partitions == NULL) return false;
    for (uint32_t i = 0; i < topic->count; i++) {
        struct asked_partition *partition = &topic->partitions[i];
        partition->index = kafka_get_i32(in);
        partition->offset = kafka_get_i64(in);
        partition->epoch = call->version >= 6 ? kafka_get_i32(in) : -1;
        partition->metadata = kafka_get_nullable(in);
    }
    return !in->bad;
}

static bool read_commit(struct kafka_call *call, struct commit_call *own)
{
    struct kafka_reader *in = &call->in;
    own->group = kafka_get_string(in);
    own->who.generation = kafka_get_i32(in);
    own->who.member_id = kafka_get_string(in);
    if (call->version >= 7) own->who.instance_id = kafka_get_nullable(in);
    if (call->version <= 4) (void)kafka_get_i64(in); /* to be kept for: for ever */
    uint32_t count = kafka_get_count(in, 6, NULL);
    own->topics = rf_arena_new(&call->arena, struct asked_topic, count);
    if (own->topics == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        own->topics[i].name = kafka_get_string(in);
        if (!read_partitions(call, &own->topics[i])) return false;
        own->partition_count += own->topics[i].count;
    }
    own->topic_count = count;
    return own->partition_count <= KAFKA_PARTITIONS_MAX;
}

static enum kafka_error check_partition(const struct asked_topic *topic,
                                        const struct asked_partition *partition)
{
    if (topic->ref.error != KAFKA_NONE) return topic->ref.error;
    if (!has_partition(&topic->ref, partition->index)) return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (partition->metadata.len > OFFSET_METADATA_BYTES_MAX || !rf_utf8_valid(partition->metadata))
        return KAFKA_OFFSET_METADATA_TOO_LARGE;
    return partition->offset < 0 ? KAFKA_INVALID_COMMIT_OFFSET_SIZE : KAFKA_NONE;
}

/* What can be kept becomes an entry; the rest has its error. */
static bool make_entries(struct commit_call *own)
{
    struct offset_entry *entries =
        rf_arena_new(&own->call->arena, struct offset_entry, own->partition_count);
    if (entries == NULL) return false;
    own->commit.entries = entries;
    for (uint32_t i = 0; i < own->topic_count; i++) {
        struct asked_topic *topic = &own->topics[i];
        for (uint32_t k = 0; k < topic->count; k++) {
            struct asked_partition *partition = &topic->partitions[k];
            partition->error = check_partition(topic, partition);
            partition->is_taken = partition->error == KAFKA_NONE;
            if (!partition->is_taken) continue;
            entries[own->commit.count++] =
                (struct offset_entry){.topic = topic->ref.name,
                                      .hub_id = topic->ref.hub_id,
                                      .metadata = partition->metadata,
                                      .partition = (uint32_t)partition->index,
                                      .epoch = partition->epoch,
                                      .offset = partition->offset};
        }
    }
    return true;
}

/* `error`: of the whole commit, for those that have none of their own. */
static void write_commit(struct commit_call *own, enum kafka_error error)
{
    struct kafka_call *call = own->call;
    struct rf_buf *out = &call->out;
    if (call->version >= 3) kafka_put_i32(out, 0);
    kafka_put_count(out, own->topic_count);
    for (uint32_t i = 0; i < own->topic_count; i++) {
        const struct asked_topic *topic = &own->topics[i];
        kafka_put_string(out, topic->name);
        kafka_put_count(out, topic->count);
        for (uint32_t k = 0; k < topic->count; k++) {
            enum kafka_error mine = topic->partitions[k].error;
            kafka_put_i32(out, topic->partitions[k].index);
            kafka_put_i16(out, (int16_t)(mine == KAFKA_NONE ? error : mine));
        }
    }
}

static enum kafka_outcome refuse_commit(struct commit_call *own, enum kafka_error error)
{
    write_commit(own, error);
    return KAFKA_DONE;
}

static void commit_is_done(struct offset_commit *commit)
{
    struct commit_call *own = (struct commit_call *)commit;
    write_commit(own, commit->kind == RF_OK ? KAFKA_NONE : KAFKA_COORDINATOR_NOT_AVAILABLE);
    kafka_call_finish(own->call);
}

static enum kafka_error may_commit(struct kafka_call *call, const struct commit_call *own)
{
    struct kafka_groups *groups = call->kafka->groups;
    const struct group_who *who = &own->who;
    groups_lock(groups);
    struct group_entry *entry = groups_find(groups, call->conn->space, own->group);
    enum kafka_error error = who->generation < 0 ? KAFKA_NONE : KAFKA_ILLEGAL_GENERATION;
    if (who->generation >= 0 && who->member_id.len > 0) error = KAFKA_UNKNOWN_MEMBER_ID;
    if (entry != NULL) error = group_may_commit(entry->group, who, groups_now(groups));
    groups_unlock(groups, entry);
    return error;
}

/* A topic's reference is released by drop_commit, which needs call->own; a handler that begins anew on a worker has none. */
static enum rf_kind open_topics(struct kafka_call *call, struct commit_call *own)
{
    for (uint32_t i = 0; i < own->topic_count; i++) {
        enum rf_kind kind = open_topic(call, own->topics[i].name, &own->topics[i].ref);
        if (kind == RF_OK) continue;
        while (i-- > 0) hub_unref(own->topics[i].ref.hub);
        return kind;
    }
    return RF_OK;
}

enum kafka_outcome kafka_offset_commit(struct kafka_call *call)
{
    struct commit_call *own = rf_arena_new(&call->arena, struct commit_call, 1);
    bool may;
    if (own == NULL) return KAFKA_BAD;
    own->call = call;
    if (!read_commit(call, own)) return KAFKA_BAD;
    if (kafka_require_group(call, &may) != RF_OK) return KAFKA_ON_WORKER;
    if (!may) return refuse_commit(own, KAFKA_GROUP_AUTHORIZATION_FAILED);
    if (!groups_is_id(own->group)) return refuse_commit(own, KAFKA_INVALID_GROUP_ID);
    if (open_topics(call, own) != RF_OK) return KAFKA_ON_WORKER;
    call->own = own;
    call->drop = drop_commit;
    if (!make_entries(own)) return KAFKA_BAD;
    enum kafka_error error = may_commit(call, own);
    if (error != KAFKA_NONE || own->commit.count == 0) return refuse_commit(own, error);
    own->commit.space = hub_namespace_name(call->conn->space);
    own->commit.group = own->group;
    own->commit.done = commit_is_done;
    if (!offsets_commit(call->kafka->groups, &own->commit))
        return refuse_commit(own, KAFKA_COORDINATOR_NOT_AVAILABLE);
    return KAFKA_LATER;
}

/* ---- OffsetFetch ------------------------------------------------------------------------------------------------------- */

struct fetch_state {
    struct kafka_call *call;
    const struct offset_row *rows; /* sorted by hub and partition */
    uint32_t count;
    enum kafka_error error; /* of the whole */
};

static const struct offset_row *find_row(const struct fetch_state *fetch, rf_str hub_id,
                                         int32_t index)
{
    for (uint32_t low = 0, high = fetch->count; low < high;) {
        uint32_t mid = low + (high - low) / 2;
        const struct offset_row *row = &fetch->rows[mid];
        int order = rf_str_cmp(row->hub_id, hub_id);
        if (order == 0)
            order = ((int64_t)row->partition > index) - ((int64_t)row->partition < index);
        if (order == 0) return row;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static void write_fetched(const struct fetch_state *fetch, int32_t index,
                          const struct offset_row *row, enum kafka_error error)
{
    struct rf_buf *out = &fetch->call->out;
    kafka_put_i32(out, index);
    kafka_put_i64(out, row == NULL ? -1 : row->offset);
    if (fetch->call->version >= 5) kafka_put_i32(out, row == NULL ? -1 : row->epoch);
    kafka_put_string(out, row == NULL ? RF_S("") : row->metadata);
    kafka_put_i16(out, (int16_t)error);
}

/* False: malformed. */
static bool fetch_asked_topic(const struct fetch_state *fetch)
{
    struct kafka_call *call = fetch->call;
    struct topic_ref topic;
    rf_str name = kafka_get_string(&call->in);
    uint32_t count = kafka_get_count(&call->in, 4, NULL);
    if (call->in.bad || open_topic(call, name, &topic) != RF_OK) return false;
    kafka_put_string(&call->out, name);
    kafka_put_count(&call->out, count);
    for (uint32_t i = 0; i < count; i++) {
        int32_t index = kafka_get_i32(&call->in);
        enum kafka_error error = fetch->error != KAFKA_NONE ? fetch->error : topic.error;
        const struct offset_row *row = NULL;
        /* A topic that is not there has no offsets: that is no error (a client asks before the hub is made). */
        if (error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION) error = KAFKA_NONE;
        if (error == KAFKA_NONE && topic.hub != NULL) row = find_row(fetch, topic.hub_id, index);
        write_fetched(fetch, index, row, error);
    }
    hub_unref(topic.hub);
    return !call->in.bad;
}

static bool is_same_hub(const struct offset_row *a, const struct offset_row *b)
{
    return rf_str_eq(a->hub_id, b->hub_id);
}

/* Everything that the group has committed and who asks may read. */
static void fetch_all(const struct fetch_state *fetch)
{
    struct kafka_call *call = fetch->call;
    size_t count_at = kafka_put_later(&call->out);
    int32_t topic_count = 0;
    for (uint32_t i = 0, end; i < fetch->count && fetch->error == KAFKA_NONE; i = end) {
        struct topic_ref topic;
        const struct offset_row *first = &fetch->rows[i];
        for (end = i + 1; end < fetch->count && is_same_hub(first, &fetch->rows[end]);) end++;
        if (open_topic(call, first->topic, &topic) != RF_OK) continue;
        bool shows = topic.hub != NULL && rf_str_eq(topic.hub_id, first->hub_id);
        if (shows) {
            topic_count++;
            kafka_put_string(&call->out, topic.name);
            kafka_put_count(&call->out, end - i);
            for (uint32_t k = i; k < end; k++)
                write_fetched(fetch, (int32_t)fetch->rows[k].partition, &fetch->rows[k],
                              KAFKA_NONE);
        }
        hub_unref(topic.hub);
    }
    kafka_set_i32(&call->out, count_at, topic_count);
}

static void read_offsets(struct fetch_state *fetch, rf_str group)
{
    struct kafka_call *call = fetch->call;
    struct offset_row *rows = NULL;
    struct rf_err err;
    bool may;
    if (kafka_require_group(call, &may) != RF_OK || !may) {
        fetch->error = KAFKA_GROUP_AUTHORIZATION_FAILED;
    } else if (!groups_is_id(group)) {
        fetch->error = KAFKA_INVALID_GROUP_ID;
    } else if (offsets_read(call->kafka->groups, hub_namespace_name(call->conn->space), group,
                            &call->arena, &rows, &fetch->count, &err) != RF_OK) {
        fetch->error = KAFKA_COORDINATOR_NOT_AVAILABLE;
    }
    fetch->rows = rows;
}

enum kafka_outcome kafka_offset_fetch(struct kafka_call *call)
{
    struct fetch_state fetch = {.call = call};
    bool is_all = false;
    if (!call->may_block) return KAFKA_ON_WORKER;
    rf_str group = kafka_get_string(&call->in);
    uint32_t count = kafka_get_count(&call->in, 6, call->version >= 2 ? &is_all : NULL);
    if (call->in.bad) return KAFKA_BAD;
    read_offsets(&fetch, group);
    if (call->version >= 3) kafka_put_i32(&call->out, 0);
    if (is_all) {
        fetch_all(&fetch);
    } else {
        kafka_put_count(&call->out, count);
        for (uint32_t i = 0; i < count; i++)
            if (!fetch_asked_topic(&fetch)) return KAFKA_BAD;
    }
    if (call->version >= 2) kafka_put_i16(&call->out, (int16_t)fetch.error);
    return KAFKA_DONE;
}

/* ---- OffsetDelete ------------------------------------------------------------------------------------------------------ */

/* Whether a consumer's metadata names the topic (ConsumerProtocolSubscription: version, topics, user data). */
static bool subscribes(rf_str metadata, rf_str topic)
{
    struct kafka_reader in = kafka_reader_of(metadata);
    (void)kafka_get_i16(&in);
    uint32_t count = kafka_get_count(&in, 2, NULL);
    for (uint32_t i = 0; i < count && !in.bad; i++)
        if (rf_str_eq_nocase(kafka_get_string(&in), topic)) return true;
    return false;
}

static enum kafka_error check_unused(struct kafka_call *call, rf_str group, rf_str topic)
{
    struct kafka_groups *groups = call->kafka->groups;
    enum kafka_error error = KAFKA_NONE;
    groups_lock(groups);
    struct group_entry *entry = groups_find(groups, call->conn->space, group);
    struct group_view view = {0};
    if (entry != NULL) view = group_view(entry->group);
    /* Other kinds of members do not say what they read. */
    if (view.member_count > 0 && !rf_str_is(view.protocol_type, "consumer"))
        error = KAFKA_NON_EMPTY_GROUP;
    for (uint32_t i = 0; i < view.member_count && error == KAFKA_NONE; i++)
        if (subscribes(group_member_at(entry->group, i).metadata, topic))
            error = KAFKA_GROUP_SUBSCRIBED_TO_TOPIC;
    groups_unlock(groups, NULL);
    return error;
}

static bool delete_topic_offsets(struct kafka_call *call, rf_str group)
{
    struct rf_err err;
    struct topic_ref topic;
    rf_str name = kafka_get_string(&call->in);
    uint32_t count = kafka_get_count(&call->in, 4, NULL);
    struct offset_entry *entries = rf_arena_new(&call->arena, struct offset_entry, count);
    if (call->in.bad || entries == NULL || open_topic(call, name, &topic) != RF_OK) return false;
    struct offset_commit commit = {
        .space = hub_namespace_name(call->conn->space), .group = group, .entries = entries};
    enum kafka_error error = topic.error;
    if (error == KAFKA_NONE) error = check_unused(call, group, topic.name);
    int32_t *indexes = rf_arena_new(&call->arena, int32_t, count);
    for (uint32_t i = 0; i < count && indexes != NULL; i++) {
        indexes[i] = kafka_get_i32(&call->in);
        if (error == KAFKA_NONE && has_partition(&topic, indexes[i]))
            entries[commit.count++] = (struct offset_entry){.topic = topic.name,
                                                            .hub_id = topic.hub_id,
                                                            .partition = (uint32_t)indexes[i],
                                                            .offset = -1};
    }
    bool ok = indexes != NULL && !call->in.bad;
    if (ok && commit.count > 0 && offsets_commit_wait(call->kafka->groups, &commit, &err) != RF_OK)
        error = KAFKA_COORDINATOR_NOT_AVAILABLE;
    kafka_put_string(&call->out, name);
    kafka_put_count(&call->out, count);
    for (uint32_t i = 0; i < count && ok; i++) {
        bool is_there = error != KAFKA_NONE || has_partition(&topic, indexes[i]);
        kafka_put_i32(&call->out, indexes[i]);
        kafka_put_i16(&call->out, (int16_t)(is_there ? error : KAFKA_UNKNOWN_TOPIC_OR_PARTITION));
    }
    hub_unref(topic.hub);
    return ok;
}

static enum kafka_error find_group(struct kafka_call *call, rf_str group)
{
    struct kafka_groups *groups = call->kafka->groups;
    struct offset_row *rows;
    struct rf_err err;
    uint32_t count;
    bool may;
    if (kafka_require_group(call, &may) != RF_OK || !may) return KAFKA_GROUP_AUTHORIZATION_FAILED;
    if (!groups_is_id(group)) return KAFKA_INVALID_GROUP_ID;
    groups_lock(groups);
    bool is_there = groups_find(groups, call->conn->space, group) != NULL;
    groups_unlock(groups, NULL);
    if (is_there) return KAFKA_NONE;
    if (offsets_read(groups, hub_namespace_name(call->conn->space), group, &call->arena, &rows,
                     &count, &err) != RF_OK)
        return KAFKA_COORDINATOR_NOT_AVAILABLE;
    return count > 0 ? KAFKA_NONE : KAFKA_GROUP_ID_NOT_FOUND;
}

enum kafka_outcome kafka_offset_delete(struct kafka_call *call)
{
    if (!call->may_block) return KAFKA_ON_WORKER;
    rf_str group = kafka_get_string(&call->in);
    uint32_t count = kafka_get_count(&call->in, 6, NULL);
    if (call->in.bad) return KAFKA_BAD;
    enum kafka_error error = find_group(call, group);
    kafka_put_i16(&call->out, (int16_t)error);
    kafka_put_i32(&call->out, 0);
    kafka_put_count(&call->out, error == KAFKA_NONE ? count : 0);
    for (uint32_t i = 0; i < count && error == KAFKA_NONE; i++)
        if (!delete_topic_offsets(call, group)) return KAFKA_BAD;
    return KAFKA_DONE;
}
