/* events.c - events of vaults on their way to event hubs: kept until the hub has them on its disk, so that one may come twice, with the same id. */
#include "vault/events.h"

#include "base/encode.h"
#include "base/log.h"
#include "hub/hub.h"

enum {
    ARENA_BYTES_MAX = 64 << 20,
    DAY_SECONDS = 86400,
    WAIT_FIRST_SECONDS = 10,
    WAIT_MAX_SECONDS = 3600,
    PAGE = 50
};

const char *const vault_event_space = "vault.event";

/* ---- who wants it ------------------------------------------------------------------------------------------------------ */

static bool same(rf_str a, rf_str b, bool exact)
{
    return exact ? rf_str_eq(a, b) : rf_str_eq_nocase(a, b);
}

bool vault_subscription_wants(const struct json_node *properties, const struct json_node *event)
{
    rf_str type = json_text_at(event, "eventType"), subject = json_text_at(event, "subject");
    rf_str begin = json_text_at(properties, "filter.subjectBeginsWith"),
           end = json_text_at(properties, "filter.subjectEndsWith");
    bool exact = json_bool_at(properties, "filter.isSubjectCaseSensitive", false);
    const struct json_node *types = json_at(properties, "filter.includedEventTypes");
    bool found = !json_is(types, JSON_T_ARRAY) || types->count == 0;
    for (const struct json_node *n = found ? NULL : types->first; n != NULL && !found; n = n->next)
        found = rf_str_eq_nocase(n->text, type);
    return found && begin.len <= subject.len && end.len <= subject.len &&
           same(rf_slice(subject, 0, begin.len), begin, exact) &&
           same(rf_slice(subject, subject.len - end.len, subject.len), end, exact);
}

/* Event Grid sends its own schema as a list of one. */
static rf_str text_of(const struct json_node *event, bool cloud, struct rf_arena *arena)
{
    if (!cloud) {
        rf_str text = json_to_text(arena, event);
        return text.ptr == NULL ? text : rf_arena_printf(arena, "[%.*s]", RF_FMT(text));
    }
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    bool good =
        out != NULL && json_set_text(arena, out, "specversion", RF_S("1.0")) != NULL &&
        json_set_text(arena, out, "id", json_text_at(event, "id")) != NULL &&
        json_set_text(arena, out, "source", json_text_at(event, "topic")) != NULL &&
        json_set_text(arena, out, "subject", json_text_at(event, "subject")) != NULL &&
        json_set_text(arena, out, "type", json_text_at(event, "eventType")) != NULL &&
        json_set_text(arena, out, "time", json_text_at(event, "eventTime")) != NULL &&
        json_set(arena, out, RF_S("data"), json_clone(arena, json_get(event, "data"))) != NULL;
    return good ? json_to_text(arena, out) : (rf_str){0};
}

static enum rf_kind keep_for(struct state_txn *txn, const struct state_object *subscription,
                             const struct json_node *document, const struct json_node *event,
                             rf_usec now, struct rf_arena *arena, struct rf_err *err)
{
    const struct json_node *properties = json_get(document, "properties");
    bool cloud = rf_str_is(json_text_at(properties, "eventDeliverySchema"), "CloudEventSchemaV1_0");
    int64_t minutes = DAY_SECONDS / 60, attempts = 0, seconds = now / RF_USEC_PER_SECOND;
    (void)json_i64_at(properties, "retryPolicy.eventTimeToLiveInMinutes", &minutes);
    (void)json_i64_at(properties, "retryPolicy.maxDeliveryAttempts", &attempts);
    rf_str id = json_text_at(event, "id"), text = text_of(event, cloud, arena),
           key = rf_arena_printf(arena, "%.*s/%020lld-%.*s", RF_FMT(subscription->key),
                                 (long long)now, RF_FMT(id));
    struct json_node *row = json_new(arena, JSON_T_OBJECT);
    bool good =
        row != NULL && text.ptr != NULL && key.ptr != NULL &&
        json_set_text(arena, row, "hub",
                      json_text_at(properties, "destination.properties.resourceId")) != NULL &&
        json_set_text(arena, row, "name", json_text_at(document, "name")) != NULL &&
        json_set_text(arena, row, "id", id) != NULL &&
        json_set_text(arena, row, "type", json_text_at(event, "eventType")) != NULL &&
        json_set_text(arena, row, "text", text) != NULL &&
        json_set_text(arena, row, "content",
                      cloud ? RF_S("application/cloudevents+json; charset=utf-8")
                            : RF_S("application/json; charset=utf-8")) != NULL &&
        json_set_i64(arena, row, "created", seconds) != NULL &&
        json_set_i64(arena, row, "ends", seconds + minutes * 60) != NULL &&
        json_set_i64(arena, row, "next", seconds) != NULL &&
        json_set_i64(arena, row, "tries", 0) != NULL &&
        json_set_i64(arena, row, "attempts", attempts) != NULL;
    rf_str body = good ? json_to_text(arena, row) : (rf_str){0};
    if (body.ptr == NULL) return rf_fail_memory(err, arena);
    const struct state_put put = {.space = vault_event_space, .key = key, .body = body};
    return state_put(txn, &put, NULL, NULL, err);
}

static enum rf_kind keep_all(struct state_txn *txn, const struct state_list *list,
                             const struct json_node *event, rf_usec now, struct rf_arena *arena,
                             struct rf_err *err)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct json_node *document;
        RF_TRY(json_parse(list->items[i].body, arena, &document, err));
        if (vault_subscription_wants(json_get(document, "properties"), event))
            RF_TRY(keep_for(txn, &list->items[i], document, event, now, arena, err));
    }
    return RF_OK;
}

enum rf_kind vault_event_keep(struct state_txn *txn, struct rf_arena *arena, rf_str vault_id,
                              const struct json_node *event, rf_usec now, struct rf_err *err)
{
    rf_str key = resource_key(arena, vault_id);
    rf_str at = rf_arena_printf(arena, "%.*s/providers/microsoft.eventgrid/eventsubscriptions",
                                RF_FMT(key));
    if (key.ptr == NULL || at.ptr == NULL) return rf_fail_memory(err, arena);
    const struct state_scan scan = {.space = "resource", .index = "collection", .value = at};
    struct state_list list = {0};
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    return keep_all(txn, &list, event, now, arena, err);
}

/* ---- sending ----------------------------------------------------------------------------------------------------------- */

static enum rf_kind find_hub(const struct vaults *vaults, rf_str resource_id,
                             struct rf_arena *arena, struct hub **out, struct rf_err *err)
{
    struct resource_id id, above;
    struct hub_namespace *names;
    RF_TRY(resource_id_parse(resource_id, arena, &id, err));
    RF_TRY(resource_id_parse(id.parent, arena, &above, err));
    rf_str host = rf_arena_printf(arena, "%.*s.%.*s", RF_FMT(above.name),
                                  RF_FMT(vaults->options.site->domain));
    if (host.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(hubs_namespace(vaults->options.hubs, host, &names, err));
    return hub_find(names, id.name, out, err);
}

/* As Event Grid names them. */
static struct json_node *marks_of(const struct json_node *row, struct rf_arena *arena)
{
    int64_t tries = 0;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    (void)json_i64_at(row, "tries", &tries);
    bool good =
        out != NULL && json_set_text(arena, out, "aeg-event-type", RF_S("Notification")) != NULL &&
        json_set_text(arena, out, "aeg-subscription-name", json_text_at(row, "name")) != NULL &&
        json_set_i64(arena, out, "aeg-delivery-count", tries) != NULL;
    return good ? out : NULL;
}

static enum rf_kind send_row(const struct vaults *vaults, const struct json_node *row,
                             struct rf_arena *arena, struct rf_err *err)
{
    struct event_in event;
    struct event_parts parts = {.body = json_text_at(row, "text"),
                                .content_type = json_text_at(row, "content"),
                                .message_id = json_text_at(row, "id"),
                                .properties = marks_of(row, arena)};
    struct batch_builder batch;
    struct rf_buf bytes = rf_buf_in(arena);
    struct hub *hub;
    if (parts.properties == NULL) return rf_fail_memory(err, arena);
    RF_TRY(event_make(&parts, arena, &event, err));
    batch_begin(&batch, &bytes);
    event_add(&batch, rf_clock_now(vaults->options.clock), &event, (rf_str){0});
    RF_TRY(batch_end(&batch, CODEC_NONE, NULL, err));
    if (bytes.failed) return rf_fail_memory(err, arena);
    struct hub_append append = {.batch = bytes.ptr,
                                .len = bytes.len,
                                .count = 1,
                                .kind = FRAME_AMQP,
                                .producer = {.id = -1}};
    RF_TRY(find_hub(vaults, json_text_at(row, "hub"), arena, &hub, err));
    enum rf_kind kind = hub_append_wait(hub, hub_next_partition(hub), &append, err);
    hub_unref(hub);
    return kind;
}

/* Only when it is as it was read: the subscription may have gone, or come again, meanwhile. */
static enum rf_kind write_back(struct vaults *vaults, const struct state_object *object,
                               rf_str body, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(vaults->options.state, &txn, err));
    enum rf_kind kind;
    if (body.ptr == NULL) {
        kind = state_delete(txn, vault_event_space, object->key, err);
    } else {
        const struct state_put put = {.space = vault_event_space,
                                      .key = object->key,
                                      .body = body,
                                      .condition = STATE_ETAG,
                                      .etag = object->etag};
        kind = state_put(txn, &put, NULL, NULL, err);
    }
    if (kind == RF_NOT_FOUND || kind == RF_CONFLICT) return RF_OK;
    RF_TRY(kind);
    return state_finish(&txn, err);
}

static void tell(bool drops, const struct json_node *row, int64_t tries, const struct rf_err *why)
{
    rf_str name = json_text_at(row, "name"), hub = json_text_at(row, "hub"),
           id = json_text_at(row, "id"), type = json_text_at(row, "type");
    if (drops)
        rf_log(RF_WARN, "vault.event_dropped", RF_KV_STR("subscription", name),
               RF_KV_STR("hub", hub), RF_KV_STR("event", id), RF_KV_STR("type", type),
               RF_KV_I64("tries", tries), RF_KV_STR("why", rf_str_of(why->text)));
    else
        rf_log(RF_WARN, "vault.event_waits", RF_KV_STR("subscription", name), RF_KV_STR("hub", hub),
               RF_KV_STR("event", id), RF_KV_STR("type", type), RF_KV_I64("tries", tries),
               RF_KV_STR("why", rf_str_of(why->text)));
}

static int64_t wait_after(int64_t tries)
{
    return tries > 8
               ? WAIT_MAX_SECONDS
               : RF_MIN((int64_t)WAIT_FIRST_SECONDS << (tries - 1), (int64_t)WAIT_MAX_SECONDS);
}

/* *at: when it is tried again; 0: it is done with. */
static enum rf_kind after_failure(struct vaults *vaults, const struct state_object *object,
                                  struct json_node *row, int64_t now, const struct rf_err *why,
                                  struct rf_arena *arena, int64_t *at, struct rf_err *err)
{
    int64_t tries = 0, ends = 0, attempts = 0;
    (void)json_i64_at(row, "tries", &tries);
    (void)json_i64_at(row, "ends", &ends);
    (void)json_i64_at(row, "attempts", &attempts);
    tries++;
    *at = 0;
    if (now >= ends || (attempts > 0 && tries >= attempts)) {
        tell(true, row, tries, why);
        return write_back(vaults, object, (rf_str){0}, err);
    }
    /* The last attempt is when its time ends. */
    *at = RF_MIN(now + wait_after(tries), ends);
    tell(false, row, tries, why);
    bool good = json_set_i64(arena, row, "tries", tries) != NULL &&
                json_set_i64(arena, row, "next", *at) != NULL;
    rf_str body = good ? json_to_text(arena, row) : (rf_str){0};
    return body.ptr == NULL ? rf_fail_memory(err, arena) : write_back(vaults, object, body, err);
}

static enum rf_kind do_row(struct vaults *vaults, const struct state_object *object, int64_t now,
                           int64_t *at, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct json_node *row;
    struct rf_err why = {.code = ""};
    int64_t next = 0;
    rf_arena_init(&arena, ARENA_BYTES_MAX);
    *at = 0;
    enum rf_kind read = json_parse(object->body, &arena, &row, &why);
    /* It would never be sent, and all behind it would wait. */
    if (read == RF_INVALID || (read == RF_OK && !json_is(row, JSON_T_OBJECT))) {
        rf_log(RF_ERROR, "vault.event_unreadable", RF_KV_STR("key", object->key),
               RF_KV_STR("why", rf_str_of(why.text)));
        return write_back(vaults, object, (rf_str){0}, err);
    }
    if (read != RF_OK && err != NULL) *err = why;
    RF_TRY(read);
    (void)json_i64_at(row, "next", &next);
    if (next > now) {
        *at = next;
        return RF_OK;
    }
    if (send_row(vaults, row, &arena, &why) == RF_OK)
        return write_back(vaults, object, (rf_str){0}, err);
    return after_failure(vaults, object, row, now, &why, &arena, at, err);
}

/* Behind all that waits for the subscription of this key: '0' follows '/'. */
static bool skip_subscription(rf_str key, uint8_t out[STATE_KEY_BYTES_MAX], rf_str *after)
{
    size_t end = key.len;
    while (end > 0 && key.ptr[end - 1] != '/') end--;
    if (end == 0 || end > STATE_KEY_BYTES_MAX) return false;
    memcpy(out, key.ptr, end);
    out[end - 1] = '0';
    *after = rf_str_make(out, end);
    return true;
}

/* One page; *after: where the next begins. */
static enum rf_kind send_page(struct vaults *vaults, int64_t now, uint8_t last[STATE_KEY_BYTES_MAX],
                              rf_str *after, bool *more, int64_t *next, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct state_list list = {0};
    struct state_txn *txn = NULL;
    const struct state_scan scan = {.space = vault_event_space, .after = *after, .limit = PAGE};
    rf_arena_init(&arena, ARENA_BYTES_MAX);
    RF_TRY(state_begin_read(vaults->options.state, &txn, err));
    enum rf_kind kind = state_list(txn, &scan, &arena, &list, err);
    state_end(txn);
    RF_TRY(kind);
    *more = list.more;
    for (uint32_t i = 0; i < list.count && !vault_jobs_stopping(vaults); i++) {
        int64_t at;
        rf_str key = list.items[i].key;
        RF_TRY(do_row(vaults, &list.items[i], now, &at, err));
        if (at != 0 && (*next == 0 || at < *next)) *next = at;
        if (at != 0 && skip_subscription(key, last, after)) {
            *more = true; /* what is behind it in this page is read again */
            return RF_OK;
        }
        memcpy(last, key.ptr, key.len);
        *after = rf_str_make(last, key.len);
    }
    return RF_OK;
}

enum rf_kind vault_events_send(struct vaults *vaults, int64_t now, int64_t *next,
                               struct rf_err *err)
{
    uint8_t last[STATE_KEY_BYTES_MAX];
    rf_str after = {0};
    *next = 0;
    if (vaults->options.hubs == NULL) return RF_OK;
    for (bool more = true; more && !vault_jobs_stopping(vaults);)
        RF_TRY(send_page(vaults, now, last, &after, &more, next, err));
    return RF_OK;
}
