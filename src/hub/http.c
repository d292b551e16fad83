/* http.c - event hubs over HTTPS: sending, revoked publishers, a look at a partition's events, and the name check of the control plane.
 *
 * The routes are open to the dispatcher because their proof is a signature as often as an Entra token: admit() checks either. */
#include "hub/http_int.h"

#include "base/encode.h"
#include "base/json_out.h"
#include "hub/types_int.h"

enum {
    SENT_BYTES_MAX = 2 * HUB_BYTES_MAX, /* JSON with escapes is longer than what it means */
    PEEK_COUNT_DEFAULT = 100,
    PEEK_COUNT_MAX = 1000,
    PEEK_BYTES = 4 << 20,
    CSR_BODY_BYTES_MAX = 32 << 10
};

/* ---- errors ------------------------------------------------------------------------------------------------------------ */

static void put_xml(struct rf_buf *buf, rf_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '<')
            rf_buf_str(buf, RF_S("&lt;"));
        else if (c == '>')
            rf_buf_str(buf, RF_S("&gt;"));
        else if (c == '&')
            rf_buf_str(buf, RF_S("&amp;"));
        else if (c == '"')
            rf_buf_str(buf, RF_S("&quot;"));
        else
            rf_buf_byte(buf, c < 0x20 ? ' ' : c);
    }
}

static void json_error(struct request *request, const struct rf_err *err)
{
    struct json_out out = json_out_to(&request->response->body);
    http_set_literal(request->response, "Content-Type", "application/json; charset=utf-8");
    json_begin_object(&out, NULL);
    json_begin_object(&out, "error");
    json_put_text(&out, "code", rf_str_of(err->code));
    json_put_text(&out, "message", rf_str_of(err->text));
    json_end_object(&out);
    json_end_object(&out);
}

/* <Error><Code>401</Code><Detail>InvalidSignature: ... TrackingId:..., Timestamp:...</Detail></Error> */
static void write_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    struct http_response *response = request->response;
    if (request->route != NULL && (request->route->audiences & AUDIENCE_ARM) != 0) {
        json_error(request, err);
        return;
    }
    if (est_is_route(request->route)) {
        est_error(request, err);
        return;
    }
    http_set_literal(response, "Content-Type", "application/xml; charset=utf-8");
    struct rf_buf *buf = &response->body;
    rf_buf_printf(buf, "<Error><Code>%u</Code><Detail>", (unsigned)status);
    put_xml(buf, rf_str_of(err->code));
    rf_buf_str(buf, RF_S(": "));
    put_xml(buf, rf_str_of(err->text));
    rf_buf_printf(buf, " TrackingId:%.*s, Timestamp:", RF_FMT(request->request_id));
    rf_buf_str(buf, time_iso(request->arena, request->now));
    rf_buf_str(buf, RF_S("</Detail></Error>"));
    if (buf->failed) response->failed = true;
}

/* ---- who asks ------------------------------------------------------------------------------------------------------------ */

static rf_str host_name(rf_str host)
{
    size_t end = host.len;
    while (end > 0 && rf_is_digit(host.ptr[end - 1])) end--;
    return end > 0 && host.ptr[end - 1] == ':' ? rf_slice(host, 0, end - 1) : host;
}

enum rf_kind hub_request_space(struct request *request, struct hub_namespace **out,
                               struct rf_err *err)
{
    struct hubs *hubs = request->service;
    return hubs_namespace(hubs, host_name(request->http->host), out, err);
}

static enum rf_kind read_grant(struct request *request, struct hub_namespace *space,
                               struct hub_grant *grant, struct rf_err *err)
{
    uint32_t count = 0;
    rf_str header = {0};
    for (uint32_t i = 0; i < request->http->header_count; i++) {
        if (!rf_str_eq_nocase(request->http->headers[i].name, RF_S("Authorization"))) continue;
        header = request->http->headers[i].value;
        count++;
    }
    if (count == 1 && header.len > 0)
        return hub_grant_header(space, header, request->arena, grant, err);
    if (count == 0 && request->http->client_certificate.len > 0)
        return hub_grant_certificate(space, request->http->client_certificate, request->arena,
                                     grant, err);
    return RF_FAIL(err, RF_DENIED, "MissingToken",
                   "The request needs one 'Authorization' header with a shared access signature "
                   "or an access token, or a device's client certificate.");
}

/* Finds the namespace and checks the proof for "{hub}/..." as the request's path names it. A refusal is 401, also when a right is
 * missing. */
static enum rf_kind admit(struct request *request, enum hub_right right,
                          struct hub_namespace **space, struct rf_err *err)
{
    struct hub_grant grant;
    rf_str path;
    RF_TRY(hub_request_space(request, space, err));
    enum rf_kind kind = read_grant(request, *space, &grant, err);
    if (kind == RF_OK)
        kind = percent_decode(request->arena,
                              rf_slice(request->http->path, 1, request->http->path.len), false,
                              &path, err);
    if (kind == RF_OK) {
        kind = hub_grant_check(*space, &grant, path, right, err);
        if (kind == RF_DENIED) hub_grant_refused(*space, &grant, path, err);
    }
    if (kind == RF_DENIED) request->fail_status = 401;
    return kind;
}

static void unref_cleanup(struct hub **hub) { hub_unref(*hub); }

static enum rf_kind find_hub(struct request *request, struct hub_namespace *space, struct hub **out,
                             struct rf_err *err)
{
    rf_str name = request_variable(request, "hub");
    struct rf_err inner;
    if (hub_find(space, name, out, &inner) == RF_OK) return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "NotFound",
                   "The messaging entity 'sb://%.*s/%.*s' could not be found.",
                   RF_FMT(request->http->host), (int)RF_MIN(name.len, (size_t)HUB_NAME_BYTES_MAX),
                   (const char *)name.ptr);
}

/* ---- sending ------------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_partition(const struct hub *hub, rf_str text, uint32_t *out,
                                   struct rf_err *err)
{
    struct hub_facts facts;
    uint32_t number = 0;
    hub_facts(hub, &facts);
    bool good = text.len > 0 && text.len <= 4 && (text.len == 1 || text.ptr[0] != '0');
    for (size_t i = 0; good && i < text.len; i++) {
        good = rf_is_digit(text.ptr[i]);
        number = number * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    if (!good || number >= facts.partition_count)
        return RF_FAIL(err, RF_INVALID, "ArgumentOutOfRange",
                       "'%.*s' is none of the partitions 0 to %u of '%.*s'.",
                       (int)RF_MIN(text.len, (size_t)20), (const char *)text.ptr,
                       facts.partition_count - 1, RF_FMT(facts.name));
    *out = number;
    return RF_OK;
}

/* One batch lies in one partition: the one that is named, else that of the publisher, else that of the key. */
static enum rf_kind choose_partition(struct request *request, struct hub *hub,
                                     const struct http_events *events, rf_str publisher,
                                     uint32_t *out, struct rf_err *err)
{
    rf_str named = request_variable(request, "partition");
    struct hub_facts facts;
    hub_facts(hub, &facts);
    if (named.ptr != NULL) return read_partition(hub, named, out, err);
    uint32_t chosen = UINT32_MAX;
    for (uint32_t i = 0; i < events->count; i++) {
        rf_str key = events->items[i].partition_key;
        if (key.ptr == NULL) key = publisher;
        if (key.ptr == NULL) continue;
        uint32_t partition = partition_of_key(key, facts.partition_count);
        if (chosen != UINT32_MAX && chosen != partition)
            return RF_FAIL(err, RF_INVALID, "BadRequest",
                           "The events of a batch must have the same partition key.");
        chosen = partition;
    }
    *out = chosen != UINT32_MAX ? chosen : hub_next_partition(hub);
    return RF_OK;
}

static enum rf_kind encode_batch(struct request *request, const struct http_events *events,
                                 rf_str publisher, struct rf_buf *buf, struct rf_err *err)
{
    struct batch_builder batch;
    batch_begin(&batch, buf);
    for (uint32_t i = 0; i < events->count; i++) {
        struct event_in event;
        RF_TRY(event_make(&events->items[i], request->arena, &event, err));
        event_add(&batch, request->now, &event, publisher);
    }
    if (buf->len > HUB_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "MessageTooLarge",
                       "The received message exceeds the limit of %d bytes.", HUB_BYTES_MAX);
    return batch_end(&batch, CODEC_NONE, NULL, err);
}

/* A full disk is no fault of what was sent: clients try again. */
static enum rf_kind no_room(struct request *request, struct rf_err *err)
{
    return request_fail(request, err, 503, "ServerBusy",
                        "There is no room for the event now; try again in a moment.");
}

static enum rf_kind run_send(struct request *request, struct rf_err *err)
{
    struct hub_namespace *space;
    RF_CLEANUP(unref_cleanup) struct hub *hub = NULL;
    struct http_events events;
    uint32_t partition;
    rf_str publisher = request_variable(request, "publisher");
    RF_TRY(admit(request, RIGHT_SEND, &space, err));
    RF_TRY(find_hub(request, space, &hub, err));
    RF_TRY(http_events_read(request->http, request->arena, &events, err));
    RF_TRY(choose_partition(request, hub, &events, publisher, &partition, err));
    struct rf_buf buf = rf_buf_in(request->arena);
    RF_TRY(encode_batch(request, &events, publisher, &buf, err));
    struct hub_append append = {.batch = buf.ptr,
                                .len = buf.len,
                                .count = events.count,
                                .kind = FRAME_AMQP,
                                .producer = {.id = -1}};
    enum rf_kind kind = hub_append_wait(hub, partition, &append, err);
    if (kind == RF_LIMIT) return no_room(request, err);
    RF_TRY(kind);
    return request_answer_empty(request, 201);
}

/* ---- revoked publishers ---------------------------------------------------------------------------------------------------- */

static void put_entry(struct rf_buf *buf, rf_str name)
{
    rf_buf_str(buf, RF_S("<entry xmlns=\"http://www.w3.org/2005/Atom\"><title type=\"text\">"));
    put_xml(buf, name);
    rf_buf_str(buf, RF_S("</title><content type=\"application/xml\"><RevokedPublisherDescription "
                         "xmlns=\"http://schemas.microsoft.com/netservices/2010/10/servicebus/"
                         "connect\"><Name>"));
    put_xml(buf, name);
    rf_buf_str(buf, RF_S("</Name></RevokedPublisherDescription></content></entry>"));
}

static enum rf_kind set_revoked(struct request *request, bool revoked, struct rf_err *err)
{
    struct hub_namespace *space;
    RF_CLEANUP(unref_cleanup) struct hub *hub = NULL;
    rf_str name = request_variable(request, "publisher");
    RF_TRY(admit(request, RIGHT_MANAGE, &space, err));
    RF_TRY(find_hub(request, space, &hub, err));
    RF_TRY(hub_revoke(hub, name, revoked, err));
    if (!revoked) return request_answer_empty(request, 200);
    request->response->status = 201;
    http_set_literal(request->response, "Content-Type",
                     "application/atom+xml;type=entry;charset=utf-8");
    put_entry(&request->response->body, name);
    return RF_OK;
}

static enum rf_kind run_revoke(struct request *request, struct rf_err *err)
{
    return set_revoked(request, true, err);
}

static enum rf_kind run_restore(struct request *request, struct rf_err *err)
{
    return set_revoked(request, false, err);
}

static enum rf_kind answer_names(struct request *request, const rf_str *names, uint32_t count,
                                 struct rf_err *err)
{
    struct json_node *answer = json_new(request->arena, JSON_T_OBJECT);
    struct json_node *list =
        json_set(request->arena, answer, RF_S("value"), json_new(request->arena, JSON_T_ARRAY));
    for (uint32_t i = 0; list != NULL && i < count; i++) {
        struct json_node *item = json_append(list, json_new(request->arena, JSON_T_OBJECT));
        if (json_set_text(request->arena, item, "name", names[i]) == NULL) list = NULL;
    }
    return list == NULL ? rf_fail_memory(err, request->arena)
                        : request_answer(request, 200, answer);
}

static enum rf_kind run_list_revoked(struct request *request, struct rf_err *err)
{
    struct hub_namespace *space;
    RF_CLEANUP(unref_cleanup) struct hub *hub = NULL;
    rf_str *names, accept = http_header(request->http, "Accept", NULL);
    uint32_t count;
    RF_TRY(admit(request, RIGHT_MANAGE, &space, err));
    RF_TRY(find_hub(request, space, &hub, err));
    RF_TRY(hub_revoked(hub, request->arena, &names, &count, err));
    if (rf_str_find(accept, RF_S("application/json"), 0) != SIZE_MAX)
        return answer_names(request, names, count, err);
    struct rf_buf *buf = &request->response->body;
    http_set_literal(request->response, "Content-Type",
                     "application/atom+xml;type=feed;charset=utf-8");
    rf_buf_str(buf, RF_S("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title type=\"text\">"
                         "Revoked publishers</title>"));
    for (uint32_t i = 0; i < count; i++) put_entry(buf, names[i]);
    rf_buf_str(buf, RF_S("</feed>"));
    return RF_OK;
}

/* ---- a look at events -------------------------------------------------------------------------------------------------------- */

static enum rf_kind whole_number(struct request *request, const char *name, int64_t fallback,
                                 int64_t *out, struct rf_err *err)
{
    bool found;
    rf_str text = request_parameter(request, name, &found);
    int64_t value = 0;
    *out = fallback;
    if (!found || text.len == 0) return RF_OK;
    bool good = text.len <= 18;
    for (size_t i = 0; good && i < text.len; i++) {
        good = rf_is_digit(text.ptr[i]);
        value = value * 10 + (text.ptr[i] - '0');
    }
    if (!good) return RF_FAIL(err, RF_INVALID, "BadRequest", "'%s' must be a whole number.", name);
    *out = value;
    return RF_OK;
}

static enum rf_kind put_frame(struct request *request, const struct log_frame *frame, int64_t from,
                              uint32_t count_max, struct json_node *list, int64_t *next,
                              struct rf_err *err)
{
    struct event_frame_reader reader;
    struct event_out event;
    struct json_node *json;
    bool more;
    RF_TRY(event_frame_open(&reader, frame, request->arena, err));
    while (list->count < count_max) {
        RF_TRY(event_frame_next(&reader, &event, &more, err));
        if (!more) break;
        *next = event.number + 1;
        if (event.number < from) continue;
        RF_TRY(event_json(&event, request->arena, &json, err));
        if (json_append(list, json) == NULL) return rf_fail_memory(err, request->arena);
    }
    return RF_OK;
}

static enum rf_kind run_peek(struct request *request, struct rf_err *err)
{
    struct hub_namespace *space;
    RF_CLEANUP(unref_cleanup) struct hub *hub = NULL;
    struct hub_partition_info info;
    struct log_frames frames = {.count = 0};
    uint32_t partition;
    int64_t from, count;
    RF_TRY(admit(request, RIGHT_LISTEN, &space, err));
    RF_TRY(find_hub(request, space, &hub, err));
    RF_TRY(read_partition(hub, request_variable(request, "partition"), &partition, err));
    RF_TRY(hub_partition_info(hub, partition, &info, err));
    RF_TRY(whole_number(request, "from", info.begin, &from, err));
    RF_TRY(whole_number(request, "count", PEEK_COUNT_DEFAULT, &count, err));
    from = RF_MAX(from, info.begin);
    uint32_t count_max = (uint32_t)RF_MIN(count, (int64_t)PEEK_COUNT_MAX);
    struct json_node *answer = json_new(request->arena, JSON_T_OBJECT);
    struct json_node *list =
        json_set(request->arena, answer, RF_S("value"), json_new(request->arena, JSON_T_ARRAY));
    if (list == NULL) return rf_fail_memory(err, request->arena);
    int64_t next = from;
    while (list->count < count_max && next < info.end) {
        int64_t start = next;
        RF_TRY(hub_read(hub, partition, start, PEEK_BYTES, true, request->arena, &frames, err));
        for (uint32_t i = 0; i < frames.count && list->count < count_max; i++)
            RF_TRY(put_frame(request, &frames.items[i], from, count_max, list, &next, err));
        if (frames.count == 0 || next <= start) break;
    }
    json_set_i64(request->arena, answer, "begin", info.begin);
    json_set_i64(request->arena, answer, "end", info.end);
    if (json_set_i64(request->arena, answer, "next", next) == NULL)
        return rf_fail_memory(err, request->arena);
    return request_answer(request, 200, answer);
}

/* ---- whether a name is free ---------------------------------------------------------------------------------------------------- */

static enum rf_kind subscription_scope(struct request *request, rf_str *scope, struct rf_err *err)
{
    rf_str id = request_variable(request, "subscription");
    *scope = rf_arena_printf(request->arena, "/subscriptions/%.*s", RF_FMT(id));
    return scope->ptr == NULL ? rf_fail_memory(err, request->arena) : RF_OK;
}

static enum rf_kind run_check_name(struct request *request, struct rf_err *err)
{
    struct hubs *hubs = request->service;
    struct hub_namespace *space;
    struct json_node *body, *answer = json_new(request->arena, JSON_T_OBJECT);
    struct rf_err inner;
    RF_TRY(request_json(request, false, &body, err));
    rf_str name = json_text_at(body, "name");
    const char *reason = "None", *message = "";
    if (!hub_namespace_name_is_good(name)) {
        reason = "InvalidName";
        message =
            "A namespace's name has 6 to 50 letters, digits and hyphens, begins with a letter "
            "and ends with a letter or digit.";
    } else if (hubs_namespace_named(hubs, name, &space, &inner) == RF_OK) {
        reason = "NameInUse";
        message = "The specified name is not available.";
    }
    json_set_bool(request->arena, answer, "nameAvailable", message[0] == 0);
    json_set_text(request->arena, answer, "reason", rf_str_of(reason));
    if (json_set_text(request->arena, answer, "message", rf_str_of(message)) == NULL)
        return rf_fail_memory(err, request->arena);
    return request_answer(request, 200, answer);
}

/* ---- the service ------------------------------------------------------------------------------------------------------------------ */

#define BY_SIGNATURE "a shared access signature or an Entra token, which the handler checks"
#define SEND_ROUTE(route_path)                                                                     \
    {                                                                                              \
        .method = HTTP_POST, .access = ROUTE_OPEN, .path = (route_path), .why_open = BY_SIGNATURE, \
        .run = run_send, .body_bytes_max = SENT_BYTES_MAX                                          \
    }
#define OPEN_ROUTE(verb, route_path, handler)                                                      \
    {                                                                                              \
        .method = (verb), .access = ROUTE_OPEN, .path = (route_path), .why_open = BY_SIGNATURE,    \
        .run = (handler)                                                                           \
    }

#define EST_ROUTES(where)                                                                          \
    {.method = HTTP_GET,                                                                           \
     .access = ROUTE_OPEN,                                                                         \
     .path = where "/cacerts",                                                                     \
     .why_open = "the authority's certificate is public",                                          \
     .run = est_run_authority},                                                                    \
        {.method = HTTP_POST,                                                                      \
         .access = ROUTE_OPEN,                                                                     \
         .path = where "/simpleenroll",                                                            \
         .why_open = "a one-time code, which the handler checks",                                  \
         .run = est_run_enrol,                                                                     \
         .body_bytes_max = CSR_BODY_BYTES_MAX},                                                    \
    {                                                                                              \
        .method = HTTP_POST, .access = ROUTE_OPEN, .path = where "/simplereenroll",                \
        .why_open = "a device's client certificate, which the handler checks",                     \
        .run = est_run_renew, .body_bytes_max = CSR_BODY_BYTES_MAX                                 \
    }

static const struct route routes[] = {
    EST_ROUTES(EST_PATH),
    EST_ROUTES(EST_PATH "/{namespace}"),
    SEND_ROUTE("/{hub}/messages"),
    SEND_ROUTE("/{hub}/partitions/{partition}/messages"),
    SEND_ROUTE("/{hub}/publishers/{publisher}/messages"),
    OPEN_ROUTE(HTTP_GET, "/{hub}/partitions/{partition}/events", run_peek),
    OPEN_ROUTE(HTTP_GET, "/{hub}/revokedpublishers", run_list_revoked),
    OPEN_ROUTE(HTTP_PUT, "/{hub}/revokedpublishers/{publisher}", run_revoke),
    OPEN_ROUTE(HTTP_DELETE, "/{hub}/revokedpublishers/{publisher}", run_restore),
    {.method = HTTP_POST,
     .access = ROUTE_ACTION,
     .path = "/subscriptions/{subscription}/providers/Microsoft.EventHub/checkNameAvailability",
     .action = "Microsoft.EventHub/checkNameAvailability/action",
     .audiences = AUDIENCE_ARM,
     .scope = subscription_scope,
     .run = run_check_name},
};

enum rf_kind hub_service(struct hubs *hubs, const struct service **out, struct rf_err *err)
{
    struct hub_types *types = hub_types_of(hubs);
    if (types == NULL)
        return RF_FAIL(err, RF_INVALID, "NoTypes", "event hubs without a control plane");
    types->service = (struct service){.name = "hub",
                                      .ctx = hubs,
                                      .routes = routes,
                                      .route_count = RF_COUNT(routes),
                                      .error = write_error};
    *out = &types->service;
    return RF_OK;
}
