/* http_event.c - an HTTPS request as events: body, properties from headers, BrokerProperties, lists (contract, section 11). */
#include "hub/http_int.h"

enum { INTEGER_DIGITS_MAX = 19, NUMBER_BYTES_MAX = 40, PROPERTIES_MAX = 256 };

#define BAD_EVENT(err, ...) RF_FAIL(err, RF_INVALID, "BadRequest", __VA_ARGS__)

/* ---- properties ------------------------------------------------------------------------------------------------------ */

static size_t digits_at(rf_str text, size_t at)
{
    size_t end = at;
    while (end < text.len && rf_is_digit(text.ptr[end])) end++;
    return end - at;
}

/* As JSON writes numbers; with leading zeros or a plus a text is more likely a telephone number. */
static bool is_number(rf_str text)
{
    size_t at = text.len > 0 && text.ptr[0] == '-' ? 1 : 0;
    size_t whole = digits_at(text, at);
    if (whole == 0 || text.len > NUMBER_BYTES_MAX || (whole > 1 && text.ptr[at] == '0'))
        return false;
    at += whole;
    if (at == text.len) {
        struct json_node node = {.type = JSON_T_OBJECT}, number = {.type = JSON_T_NUMBER};
        int64_t value;
        if (whole > INTEGER_DIGITS_MAX) return false;
        number.name = RF_S("n"), number.text = text;
        node.first = node.last = &number, node.count = 1;
        return json_i64_at(&node, "n", &value);
    }
    if (text.ptr[at] == '.') {
        size_t fraction = digits_at(text, ++at);
        if (fraction == 0) return false;
        at += fraction;
    }
    if (at < text.len && (text.ptr[at] | 0x20) == 'e') {
        at++;
        if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-')) at++;
        size_t power = digits_at(text, at);
        if (power == 0 || power > 3) return false;
        at += power;
    }
    return at == text.len;
}

struct json_node *http_property(struct rf_arena *arena, rf_str text)
{
    if (rf_str_eq_nocase(text, RF_S("true"))) return json_new_bool(arena, true);
    if (rf_str_eq_nocase(text, RF_S("false"))) return json_new_bool(arena, false);
    if (!is_number(text)) return json_new_text(arena, text);
    struct json_node *number = json_new(arena, JSON_T_NUMBER);
    if (number != NULL) number->text = text;
    return number;
}

bool http_is_own_header(rf_str name)
{
    static const char *const names[] = {"accept",
                                        "accept-charset",
                                        "accept-encoding",
                                        "accept-language",
                                        "age",
                                        "allow",
                                        "authorization",
                                        "brokerproperties",
                                        "cache-control",
                                        "connection",
                                        "content-encoding",
                                        "content-language",
                                        "content-length",
                                        "content-location",
                                        "content-md5",
                                        "content-range",
                                        "content-type",
                                        "cookie",
                                        "date",
                                        "dnt",
                                        "expect",
                                        "expires",
                                        "forwarded",
                                        "from",
                                        "host",
                                        "http2-settings",
                                        "if-match",
                                        "if-modified-since",
                                        "if-none-match",
                                        "if-range",
                                        "if-unmodified-since",
                                        "keep-alive",
                                        "last-modified",
                                        "max-forwards",
                                        "origin",
                                        "pragma",
                                        "priority",
                                        "proxy-authorization",
                                        "proxy-connection",
                                        "range",
                                        "referer",
                                        "servicebusauthorization",
                                        "te",
                                        "trailer",
                                        "transfer-encoding",
                                        "upgrade",
                                        "upgrade-insecure-requests",
                                        "user-agent",
                                        "via",
                                        "warning"};
    static const char *const fronts[] = {"x-ms-", "sec-", "proxy-", "x-forwarded-"};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (rf_str_eq_nocase(name, rf_str_of(names[i]))) return true;
    for (size_t i = 0; i < RF_COUNT(fronts); i++) {
        rf_str front = rf_str_of(fronts[i]);
        if (name.len >= front.len && rf_str_eq_nocase(rf_slice(name, 0, front.len), front))
            return true;
    }
    return false;
}

static enum rf_kind header_properties(const struct http_request *request, struct rf_arena *arena,
                                      const struct json_node **out, struct rf_err *err)
{
    struct json_node *properties = json_new(arena, JSON_T_OBJECT);
    if (properties == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (http_is_own_header(header->name)) continue;
        if (properties->count >= PROPERTIES_MAX)
            return BAD_EVENT(err, "An event has at most %d properties.", PROPERTIES_MAX);
        if (!rf_utf8_valid(header->value))
            return BAD_EVENT(err, "The header '%.*s' is not UTF-8.", RF_FMT(header->name));
        if (json_set(arena, properties, header->name, http_property(arena, header->value)) == NULL)
            return rf_fail_memory(err, arena);
    }
    *out = properties->count == 0 ? NULL : properties;
    return RF_OK;
}

/* ---- BrokerProperties -------------------------------------------------------------------------------------------------- */

static enum rf_kind broker_text(const struct json_node *broker, const char *name, rf_str *out,
                                struct rf_err *err)
{
    const struct json_node *node = json_get_nocase(broker, rf_str_of(name));
    if (node == NULL || node->type == JSON_T_NULL) return RF_OK;
    if (node->type != JSON_T_STRING)
        return BAD_EVENT(err, "'%s' of BrokerProperties must be a text.", name);
    *out = node->text;
    return RF_OK;
}

static enum rf_kind read_broker(const struct json_node *broker, struct event_parts *out,
                                struct rf_err *err)
{
    if (broker == NULL || broker->type == JSON_T_NULL) return RF_OK;
    if (broker->type != JSON_T_OBJECT)
        return BAD_EVENT(err, "BrokerProperties must be a JSON object.");
    RF_TRY(broker_text(broker, "PartitionKey", &out->partition_key, err));
    RF_TRY(broker_text(broker, "MessageId", &out->message_id, err));
    RF_TRY(broker_text(broker, "CorrelationId", &out->correlation_id, err));
    RF_TRY(broker_text(broker, "ContentType", &out->content_type, err));
    if (out->partition_key.len == 0) out->partition_key = (rf_str){0};
    if (rf_utf8_count(out->partition_key) <= PARTITION_KEY_CHARS_MAX) return RF_OK;
    return BAD_EVENT(err, "The partition key has more than %d characters.",
                     PARTITION_KEY_CHARS_MAX);
}

/* ---- one event, a list of events ----------------------------------------------------------------------------------------- */

static enum rf_kind read_one(const struct http_request *request, struct rf_arena *arena,
                             struct http_events *out, struct rf_err *err)
{
    struct event_parts *event = rf_arena_new(arena, struct event_parts, 1);
    struct json_node *broker = NULL;
    if (event == NULL) return rf_fail_memory(err, arena);
    rf_str text = http_header(request, "BrokerProperties", NULL);
    if (text.len > 0 && json_parse(text, arena, &broker, NULL) != RF_OK)
        return BAD_EVENT(err, "BrokerProperties is not valid JSON.");
    bool has_type;
    rf_str type = http_header(request, "Content-Type", &has_type);
    event->body = request->body.ptr == NULL ? RF_S("") : request->body;
    if (has_type && type.len > 0) event->content_type = type;
    RF_TRY(read_broker(broker, event, err));
    if (has_type && type.len > 0) event->content_type = type;
    RF_TRY(header_properties(request, arena, &event->properties, err));
    *out = (struct http_events){.items = event, .count = 1};
    return RF_OK;
}

static enum rf_kind read_item(const struct json_node *item, struct event_parts *event,
                              struct rf_err *err)
{
    if (item->type != JSON_T_OBJECT) return BAD_EVENT(err, "An item of the batch is no object.");
    const struct json_node *body = json_get_nocase(item, RF_S("Body"));
    const struct json_node *properties = json_get_nocase(item, RF_S("UserProperties"));
    if (body != NULL && body->type != JSON_T_STRING)
        return BAD_EVENT(err, "'Body' of an item of the batch must be a text.");
    event->body = body == NULL || body->text.ptr == NULL ? RF_S("") : body->text;
    if (properties != NULL && properties->type != JSON_T_NULL) {
        if (properties->type != JSON_T_OBJECT || properties->count > PROPERTIES_MAX)
            return BAD_EVENT(err, "'UserProperties' must be an object of at most %d members.",
                             PROPERTIES_MAX);
        if (properties->count > 0) event->properties = properties;
    }
    return read_broker(json_get_nocase(item, RF_S("BrokerProperties")), event, err);
}

static enum rf_kind read_list(const struct http_request *request, struct rf_arena *arena,
                              struct http_events *out, struct rf_err *err)
{
    struct json_node *list;
    struct rf_err inner;
    if (json_parse(request->body, arena, &list, &inner) != RF_OK)
        return BAD_EVENT(err, "The batch is not valid JSON: %.200s", inner.text);
    if (list->type != JSON_T_ARRAY || list->count == 0 || list->count > HUB_HTTP_EVENTS_MAX)
        return BAD_EVENT(err, "The batch must be an array of 1 to %d events.", HUB_HTTP_EVENTS_MAX);
    struct http_events made = {.items = rf_arena_new(arena, struct event_parts, list->count)};
    if (made.items == NULL) return rf_fail_memory(err, arena);
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        RF_TRY(read_item(item, &made.items[made.count++], err));
    *out = made;
    return RF_OK;
}

static bool is_list(const struct http_request *request)
{
    rf_str type = http_header(request, "Content-Type", NULL);
    size_t end = rf_str_find(type, RF_S(";"), 0);
    if (end != SIZE_MAX) type = rf_slice(type, 0, end);
    return rf_str_eq_nocase(rf_str_trim(type), RF_S(HUB_BATCH_TYPE));
}

enum rf_kind http_events_read(const struct http_request *request, struct rf_arena *arena,
                              struct http_events *out, struct rf_err *err)
{
    return is_list(request) ? read_list(request, arena, out, err)
                            : read_one(request, arena, out, err);
}
