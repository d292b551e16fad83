/* hubs.c - GET /portal/api/hubs/{namespace}/{hub}: what a hub does now; .../events: a look at its events, and sending a test event. The hubs' own
 * endpoints take signatures and tokens of their audience only; these take the portal's session, and need the same data actions. */
#include "base/encode.h"
#include "hub/event.h"
#include "portal/portal_int.h"

enum {
    EVENTS_DEFAULT = 50,
    EVENTS_MAX = 500,
    LOOKED_AT_MAX = 20000, /* events of one look with a filter */
    READ_BYTES = 2 << 20,
    LOOK_BYTES_MAX = 32 << 20,
    FILTER_BYTES_MAX = 200,
    LAST_SECONDS = 5,
    LAST_MINUTE = 60
};

static void unref_cleanup(struct hub **hub) { hub_unref(*hub); }

static enum rf_kind find(struct request *request, struct portal_hub *out, struct rf_err *err)
{
    return portal_hub_find(request, request_variable(request, "namespace"),
                           request_variable(request, "hub"), out, err);
}

/* A hub that is not there is looked for with the rights at the subscription: strangers do not learn which there are. */
static enum rf_kind need(struct request *request, const char *action, bool is_data,
                         struct route_need *out, struct rf_err *err)
{
    struct portal_hub found;
    *out = (struct route_need){.action = rf_str_of(action), .is_data = is_data};
    enum rf_kind kind = find(request, &found, err);
    if (kind == RF_OK) {
        hub_unref(found.hub);
        out->scope = found.id;
    } else if (kind == RF_NOT_FOUND) {
        out->scope = portal_subscription(request->site, request->arena);
        kind = out->scope.ptr == NULL ? rf_fail_memory(err, request->arena) : RF_OK;
    }
    return kind;
}

enum rf_kind hubs_need_read(struct request *request, struct route_need *out, struct rf_err *err)
{
    return need(request, PORTAL_HUB_READ, false, out, err);
}

enum rf_kind hubs_need_listen(struct request *request, struct route_need *out, struct rf_err *err)
{
    return need(request, "Microsoft.EventHub/namespaces/messages/receive/action", true, out, err);
}

enum rf_kind hubs_need_send(struct request *request, struct route_need *out, struct rf_err *err)
{
    return need(request, "Microsoft.EventHub/namespaces/messages/send/action", true, out, err);
}

/* ---- what it does --------------------------------------------------------------------------------------------------------- */

static void put_rates(struct request *request, struct json_out *out, rf_str space, rf_str hub,
                      uint32_t partition)
{
    static const struct {
        const char *name;
        uint32_t seconds;
    } spans[] = {{"now", LAST_SECONDS}, {"minute", LAST_MINUTE}};
    for (size_t i = 0; i < RF_COUNT(spans); i++) {
        struct watch_rate rate;
        if (!watch_hub_rate(portal_of(request)->watch, space, hub, partition, spans[i].seconds,
                            &rate))
            continue;
        json_begin_object(out, spans[i].name);
        portal_put_rate(out, request->arena, &rate);
        json_end_object(out);
    }
}

static enum rf_kind put_partition(struct request *request, struct json_out *out,
                                  const struct portal_hub *found, rf_str name, uint32_t partition,
                                  struct rf_err *err)
{
    struct hub_partition_info info;
    struct hub_traffic traffic;
    RF_TRY(hub_partition_info(found->hub, partition, &info, err));
    if (!hub_partition_traffic(found->hub, partition, &traffic)) traffic = (struct hub_traffic){0};
    json_begin_object(out, NULL);
    json_put_text(out, "id", rf_arena_printf(request->arena, "%u", partition));
    json_put_i64(out, "begin", info.begin);
    json_put_i64(out, "end", info.end);
    json_put_i64(out, "bytes", (int64_t)info.bytes);
    portal_put_time(out, request->arena, "lastEnqueued", info.last_enqueued);
    json_put_i64(out, "sentSinceStart", (int64_t)traffic.in_events);
    json_put_i64(out, "readSinceStart", (int64_t)traffic.out_events);
    put_rates(request, out, hub_namespace_name(found->space), name, partition);
    json_end_object(out);
    return RF_OK;
}

static enum rf_kind put_groups(struct request *request, struct json_out *out,
                               const struct portal_hub *found, struct rf_err *err)
{
    struct hub_lag *lags;
    rf_str *names;
    uint32_t lag_count, count;
    RF_TRY(hub_lag_list(request, found, &lags, &lag_count, err));
    RF_TRY(hub_groups(found->hub, request->arena, &names, &count, err));
    json_begin_array(out, "groups");
    for (uint32_t i = 0; i < lag_count; i++) {
        json_begin_object(out, NULL);
        json_put_text(out, "name", lags[i].group);
        json_put_i64(out, "lag", lags[i].lag);
        json_put_i64(out, "partitions", lags[i].partitions);
        portal_put_time(out, request->arena, "committed", lags[i].at);
        json_end_object(out);
    }
    for (uint32_t i = 0; i < count; i++) {
        bool is_told = false;
        for (uint32_t l = 0; l < lag_count; l++) is_told |= rf_str_eq(lags[l].group, names[i]);
        if (is_told) continue;
        json_begin_object(out, NULL);
        json_put_text(out, "name", names[i]);
        json_put_null(out, "lag"); /* its readers keep their positions themselves */
        json_end_object(out);
    }
    json_end_array(out);
    return RF_OK;
}

enum rf_kind hubs_get(struct request *request, struct rf_err *err)
{
    static const char *const statuses[] = {[HUB_ACTIVE] = "Active",
                                           [HUB_DISABLED] = "Disabled",
                                           [HUB_SEND_DISABLED] = "SendDisabled",
                                           [HUB_RECEIVE_DISABLED] = "ReceiveDisabled",
                                           [HUB_DELETED] = "Deleted"};
    struct portal_hub found;
    struct hub_facts facts;
    RF_TRY(find(request, &found, err));
    RF_CLEANUP(unref_cleanup) __attribute__((unused)) struct hub *held = found.hub;
    hub_facts(found.hub, &facts);
    rf_str space = hub_namespace_name(found.space);
    struct json_out out = json_out_to(&request->response->body);
    json_begin_object(&out, NULL);
    json_put_text(&out, "time", time_iso(request->arena, request->now));
    json_put_text(&out, "namespace", space);
    json_put_text(&out, "hub", facts.name);
    json_put_text(&out, "id", found.id);
    json_put_text(&out, "status", rf_str_of(statuses[facts.status]));
    json_put_i64(&out, "refusedSinceStart", (int64_t)hub_refused(found.hub));
    put_rates(request, &out, space, facts.name, UINT32_MAX);
    json_begin_array(&out, "partitions");
    for (uint32_t i = 0; i < facts.partition_count; i++)
        RF_TRY(put_partition(request, &out, &found, facts.name, i, err));
    json_end_array(&out);
    RF_TRY(put_groups(request, &out, &found, err));
    json_end_object(&out);
    return portal_answer(request, &out, err);
}

/* ---- a look at events -------------------------------------------------------------------------------------------------------- */

static enum rf_kind whole_number(struct request *request, const char *name, int64_t fallback,
                                 int64_t most, int64_t *out, struct rf_err *err)
{
    rf_str text = request_parameter(request, name, NULL);
    int64_t value = 0;
    *out = fallback;
    if (text.len == 0) return RF_OK;
    bool good = text.len <= 18;
    for (size_t i = 0; good && i < text.len; i++) {
        good = rf_is_digit(text.ptr[i]);
        value = value * 10 + (text.ptr[i] - '0');
    }
    if (!good || value > most)
        return RF_FAIL(err, RF_INVALID, "BadRequest",
                       "The parameter '%s' must be a whole number of at most %lld.", name,
                       (long long)most);
    *out = value;
    return RF_OK;
}

struct look {
    struct portal_hub found;
    uint32_t partition;
    int64_t from, count;
    rf_str filter;
    struct hub_partition_info info;
    int64_t next, looked;
    struct json_node *list;
};

static enum rf_kind read_look(struct request *request, struct look *look, struct rf_err *err)
{
    struct hub_facts facts;
    int64_t partition;
    hub_facts(look->found.hub, &facts);
    RF_TRY(whole_number(request, "partition", 0, facts.partition_count - 1, &partition, err));
    RF_TRY(whole_number(request, "count", EVENTS_DEFAULT, EVENTS_MAX, &look->count, err));
    look->partition = (uint32_t)partition;
    look->filter = request_parameter(request, "filter", NULL);
    if (look->filter.len > FILTER_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "BadRequest", "'filter' may be %d bytes long.",
                       FILTER_BYTES_MAX);
    RF_TRY(hub_partition_info(look->found.hub, look->partition, &look->info, err));
    rf_str from = request_parameter(request, "from", NULL);
    /* The newest: as many as are asked for, at the end. With a filter more must be looked at for as many. */
    int64_t back = look->filter.len > 0 ? LOOKED_AT_MAX : look->count;
    if (from.len == 0 || rf_str_is(from, "newest"))
        look->from = look->info.end - back;
    else if (rf_str_is(from, "earliest"))
        look->from = look->info.begin;
    else
        RF_TRY(whole_number(request, "from", 0, INT64_MAX, &look->from, err));
    look->from = RF_MIN(RF_MAX(look->from, look->info.begin), look->info.end);
    return RF_OK;
}

static bool holds(rf_str text, rf_str part)
{
    for (size_t at = 0; at + part.len <= text.len; at++)
        if (rf_str_eq_nocase(rf_slice(text, at, at + part.len), part)) return true;
    return false;
}

static enum rf_kind look_at_frame(struct request *request, const struct log_frame *frame,
                                  struct look *look, struct rf_err *err)
{
    struct event_frame_reader reader;
    struct event_out event;
    struct json_node *json;
    bool more;
    RF_TRY(event_frame_open(&reader, frame, request->arena, err));
    while ((int64_t)look->list->count < look->count) {
        RF_TRY(event_frame_next(&reader, &event, &more, err));
        if (!more) break;
        if (event.number < look->from) continue;
        look->next = event.number + 1;
        look->looked++;
        RF_TRY(event_json(&event, request->arena, &json, err));
        if (look->filter.len > 0) {
            rf_str text = json_to_text(request->arena, json);
            if (text.ptr == NULL) return rf_fail_memory(err, request->arena);
            if (!holds(text, look->filter)) continue;
        }
        if (json_append(look->list, json) == NULL) return rf_fail_memory(err, request->arena);
    }
    return RF_OK;
}

static enum rf_kind read_events(struct request *request, struct look *look, struct rf_err *err)
{
    size_t bytes = 0;
    look->next = look->from;
    while ((int64_t)look->list->count < look->count && look->next < look->info.end &&
           look->looked < LOOKED_AT_MAX && bytes < LOOK_BYTES_MAX) {
        struct log_frames frames;
        int64_t start = look->next;
        RF_TRY(hub_read(look->found.hub, look->partition, start, READ_BYTES, true, request->arena,
                        &frames, err));
        for (uint32_t i = 0; i < frames.count; i++) {
            bytes += frames.items[i].batch.len;
            RF_TRY(look_at_frame(request, &frames.items[i], look, err));
        }
        if (frames.count == 0) break;
        /* Numbers that compaction took are passed over. */
        const struct log_frame *last = &frames.items[frames.count - 1];
        if ((int64_t)look->list->count < look->count)
            look->next = RF_MAX(look->next, last->first + last->count);
        if (look->next <= start) break;
    }
    return RF_OK;
}

enum rf_kind hubs_get_events(struct request *request, struct rf_err *err)
{
    struct look look = {.looked = 0};
    RF_TRY(find(request, &look.found, err));
    RF_CLEANUP(unref_cleanup) __attribute__((unused)) struct hub *held = look.found.hub;
    RF_TRY(read_look(request, &look, err));
    struct json_node *answer = json_new(request->arena, JSON_T_OBJECT);
    look.list =
        json_set(request->arena, answer, RF_S("value"), json_new(request->arena, JSON_T_ARRAY));
    if (look.list == NULL) return rf_fail_memory(err, request->arena);
    RF_TRY(read_events(request, &look, err));
    json_set_text(request->arena, answer, "partition",
                  rf_arena_printf(request->arena, "%u", look.partition));
    json_set_i64(request->arena, answer, "begin", look.info.begin);
    json_set_i64(request->arena, answer, "end", look.info.end);
    json_set_i64(request->arena, answer, "looked", look.looked);
    if (json_set_i64(request->arena, answer, "next", look.next) == NULL)
        return rf_fail_memory(err, request->arena);
    http_set_literal(request->response, "Cache-Control", "no-store");
    return request_answer(request, 200, answer);
}

/* ---- a test event --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_event(struct request *request, struct event_parts *parts,
                               int64_t *partition, struct rf_err *err)
{
    struct json_node *body;
    RF_TRY(request_json(request, false, &body, err));
    const struct json_node *content = json_get(body, "body");
    *parts = (struct event_parts){.properties = json_get(body, "properties")};
    if (content == NULL ||
        (parts->properties != NULL && !json_is(parts->properties, JSON_T_OBJECT)))
        return RF_FAIL(err, RF_INVALID, "BadRequest",
                       "An event is {\"body\": text or JSON, \"partition\"?: number, "
                       "\"partitionKey\"?: text, \"contentType\"?: text, \"properties\"?: {}}.");
    bool is_text = json_is(content, JSON_T_STRING);
    parts->body = is_text ? content->text : json_to_text(request->arena, content);
    parts->content_type = json_text_at(body, "contentType");
    if (parts->content_type.len == 0)
        parts->content_type = is_text ? (rf_str){NULL, 0} : RF_S("application/json");
    parts->partition_key = json_text_at(body, "partitionKey");
    if (parts->partition_key.len == 0) parts->partition_key = (rf_str){NULL, 0};
    *partition = -1;
    const struct json_node *named = json_get(body, "partition");
    if (named == NULL || json_is(named, JSON_T_NULL)) return RF_OK;
    if (!json_i64_at(body, "partition", partition) || *partition < 0)
        return RF_FAIL(err, RF_INVALID, "BadRequest", "'partition' must be a partition's number.");
    return RF_OK;
}

static enum rf_kind send(struct request *request, struct hub *hub, const struct event_parts *parts,
                         uint32_t partition, struct hub_append *append, struct rf_err *err)
{
    struct batch_builder batch;
    struct event_in event;
    struct rf_buf buf = rf_buf_in(request->arena);
    batch_begin(&batch, &buf);
    RF_TRY(event_make(parts, request->arena, &event, err));
    event_add(&batch, request->now, &event, (rf_str){NULL, 0});
    RF_TRY(batch_end(&batch, CODEC_NONE, NULL, err));
    *append = (struct hub_append){
        .batch = buf.ptr, .len = buf.len, .count = 1, .kind = FRAME_AMQP, .producer = {.id = -1}};
    enum rf_kind kind = hub_append_wait(hub, partition, append, err);
    if (kind != RF_LIMIT) return kind;
    return request_fail(request, err, 503, "ServerBusy",
                        "There is no room for the event now; try again in a moment.");
}

enum rf_kind hubs_post_event(struct request *request, struct rf_err *err)
{
    struct portal_hub found;
    struct hub_facts facts;
    struct event_parts parts;
    struct hub_append append;
    int64_t partition;
    RF_TRY(find(request, &found, err));
    RF_CLEANUP(unref_cleanup) __attribute__((unused)) struct hub *held = found.hub;
    RF_TRY(read_event(request, &parts, &partition, err));
    hub_facts(found.hub, &facts);
    if (partition >= facts.partition_count)
        return RF_FAIL(err, RF_INVALID, "PartitionOutOfRange", "'%.*s' has the partitions 0 to %u.",
                       RF_FMT(facts.name), facts.partition_count - 1);
    if (partition < 0)
        partition = parts.partition_key.ptr != NULL
                        ? partition_of_key(parts.partition_key, facts.partition_count)
                        : hub_next_partition(found.hub);
    RF_TRY(send(request, found.hub, &parts, (uint32_t)partition, &append, err));
    struct json_node *answer = json_new(request->arena, JSON_T_OBJECT);
    json_set_text(request->arena, answer, "partition",
                  rf_arena_printf(request->arena, "%lld", (long long)partition));
    json_set_i64(request->arena, answer, "sequenceNumber", append.first);
    if (json_set_text(request->arena, answer, "enqueuedTime",
                      time_iso(request->arena, append.enqueued)) == NULL)
        return rf_fail_memory(err, request->arena);
    return request_answer(request, 201, answer);
}
