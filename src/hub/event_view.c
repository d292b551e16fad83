/* event_view.c - events as Kafka's batches, as JSON and as bodies; messages from HTTP's parts (contract, 9.5 and 11). */
#include "base/encode.h"
#include "hub/event_int.h"
#include "hub/record_int.h"
#include "value/text.h"

enum { PROPERTY_HEADERS_MAX = 7 }; /* of the section properties that Kafka is shown */

static enum rf_kind spoiled(const struct event_out *event, struct rf_err *err)
{
    return RF_FAIL(err, RF_CORRUPT, "LogCorrupt", "event %lld is no AMQP message",
                   (long long)event->number);
}

bool event_sections_read(rf_str value, struct event_sections *out)
{
    struct amqp_section section;
    *out = (struct event_sections){0};
    while (amqp_section_next(&value, &section)) {
        if (section.code == AMQP_MESSAGE_ANNOTATIONS) out->annotations = section.value;
        if (section.code == AMQP_PROPERTIES) out->properties = section.value;
        if (section.code == AMQP_APPLICATION_PROPERTIES) out->application = section.value;
        if (section.code < AMQP_DATA || section.code > AMQP_BODY_VALUE) continue;
        if (out->body.ptr == NULL)
            out->body = section.whole;
        else
            out->body.len += section.whole.len;
    }
    return value.len == 0;
}

rf_str event_scalar_text(const struct amqp_value *value, struct rf_arena *arena)
{
    switch (value->type) {
    case AMQP_STRING:
    case AMQP_SYMBOL:
    case AMQP_BINARY:
        return value->bytes;
    case AMQP_BOOLEAN:
        return value->u != 0 ? RF_S("true") : RF_S("false");
    case AMQP_UBYTE:
    case AMQP_USHORT:
    case AMQP_UINT:
    case AMQP_ULONG:
        return rf_arena_printf(arena, "%llu", (unsigned long long)value->u);
    case AMQP_BYTE:
    case AMQP_SHORT:
    case AMQP_INT:
    case AMQP_LONG:
        return rf_arena_printf(arena, "%lld", (long long)value->i);
    case AMQP_FLOAT:
    case AMQP_DOUBLE: {
        struct rf_buf buf = rf_buf_in(arena);
        text_put_real(&buf, value->real, false);
        return buf.failed ? (rf_str){0} : rf_buf_view(&buf);
    }
    case AMQP_CHAR: {
        uint8_t text[4];
        rf_str out, cp = rf_str_make(text, rf_utf8_put((uint32_t)value->u, text));
        return rf_arena_str(arena, cp, &out) ? out : (rf_str){0};
    }
    case AMQP_TIMESTAMP: {
        /* Years that a calendar does not have are shown as milliseconds. */
        static const int64_t first = -62135596800000, last = 253402300799999;
        if (value->i < first || value->i > last)
            return rf_arena_printf(arena, "%lld", (long long)value->i);
        return time_iso(arena, value->i * 1000);
    }
    case AMQP_UUID: {
        rf_str hex = hex_encode(arena, value->bytes);
        if (hex.ptr == NULL || hex.len != 32) return (rf_str){0};
        return rf_arena_printf(arena, "%.8s-%.4s-%.4s-%.4s-%.12s", (const char *)hex.ptr,
                               (const char *)hex.ptr + 8, (const char *)hex.ptr + 12,
                               (const char *)hex.ptr + 16, (const char *)hex.ptr + 20);
    }
    case AMQP_DECIMAL32:
    case AMQP_DECIMAL64:
    case AMQP_DECIMAL128:
        return hex_encode(arena, value->bytes);
    default:
        return (rf_str){0};
    }
}

/* ---- bodies ------------------------------------------------------------------------------------------------------------- */

static rf_str body_bytes(const struct amqp_section *section, bool as_kafka)
{
    const struct amqp_value *value = &section->value;
    if (section->code == AMQP_DATA) return value->bytes;
    bool is_bytes = value->type == AMQP_STRING || value->type == AMQP_BINARY;
    return section->code == AMQP_BODY_VALUE && is_bytes && !as_kafka ? value->bytes : value->whole;
}

enum rf_kind event_join_body(rf_str body, bool as_kafka, struct rf_arena *arena, rf_str *out,
                             struct rf_err *err)
{
    struct amqp_section section;
    rf_str rest = body, joined = RF_S("");
    size_t total = 0;
    uint32_t count = 0;
    for (; amqp_section_next(&rest, &section); count++) {
        joined = body_bytes(&section, as_kafka);
        total += joined.len;
    }
    if (count > 1) {
        uint8_t *to = rf_arena_alloc(arena, total);
        if (to == NULL) return rf_fail_memory(err, arena);
        joined = rf_str_make(to, total);
        for (rest = body; amqp_section_next(&rest, &section);) {
            rf_str part = body_bytes(&section, as_kafka);
            if (part.len == 0) continue;
            memcpy(to, part.ptr, part.len);
            to += part.len;
        }
    }
    *out = joined;
    return RF_OK;
}

enum rf_kind event_body(const struct event_out *event, struct rf_arena *arena, rf_str *out,
                        struct rf_err *err)
{
    struct event_sections sections;
    if (event->kind == FRAME_KAFKA) {
        *out = event->record.value.ptr == NULL ? RF_S("") : event->record.value;
        return RF_OK;
    }
    if (!event_sections_read(event->record.value, &sections)) return spoiled(event, err);
    return event_join_body(sections.body, false, arena, out, err);
}

/* ---- Kafka -------------------------------------------------------------------------------------------------------------- */

static const char *const property_names[PROPERTIES_COUNT] = {
    [PROPERTY_MESSAGE_ID] = "message-id",
    [PROPERTY_USER_ID] = "user-id",
    [PROPERTY_TO] = "to",
    [PROPERTY_SUBJECT] = "subject",
    [PROPERTY_REPLY_TO] = "reply-to",
    [PROPERTY_CORRELATION_ID] = "correlation-id",
    [PROPERTY_CONTENT_TYPE] = "content-type",
    [PROPERTY_CONTENT_ENCODING] = "content-encoding",
    [PROPERTY_ABSOLUTE_EXPIRY_TIME] = "absolute-expiry-time",
    [PROPERTY_CREATION_TIME] = "creation-time",
    [PROPERTY_GROUP_ID] = "group-id",
    [PROPERTY_GROUP_SEQUENCE] = "group-sequence",
    [PROPERTY_REPLY_TO_GROUP_ID] = "reply-to-group-id",
};

const char *event_property_name(enum event_property property) { return property_names[property]; }

static bool is_kafka_property(uint32_t index)
{
    return index != PROPERTY_SUBJECT && index != PROPERTY_CORRELATION_ID &&
           index != PROPERTY_ABSOLUTE_EXPIRY_TIME && index <= PROPERTY_CREATION_TIME;
}

enum rf_kind event_kafka_headers(const struct event_sections *sections, struct rf_arena *arena,
                                 uint32_t more, struct record_header **out, uint32_t *out_count,
                                 struct rf_err *err)
{
    struct amqp_items items = amqp_items_of(&sections->application);
    struct amqp_value name, value;
    uint32_t count = 0;
    struct record_header *headers =
        rf_arena_raw(arena, struct record_header, PROPERTY_HEADERS_MAX + items.left / 2 + more);
    if (headers == NULL) return rf_fail_memory(err, arena);
    while (amqp_item(&items, &name) && amqp_item(&items, &value)) {
        rf_str text = event_scalar_text(&name, arena);
        if (text.ptr == NULL) continue; /* the standard allows strings only */
        headers[count++] = (struct record_header){.name = text, .value = value.whole};
    }
    items = amqp_items_of(&sections->properties);
    for (uint32_t i = 0; i < PROPERTIES_COUNT && amqp_item(&items, &value); i++) {
        if (!is_kafka_property(i) || value.type == AMQP_NULL) continue;
        rf_str text = event_scalar_text(&value, arena);
        if (text.ptr == NULL) continue;
        headers[count++] = (struct record_header){rf_str_of(property_names[i]), text};
    }
    *out = headers;
    *out_count = count;
    return RF_OK;
}

static enum rf_kind add_kafka(struct batch_builder *batch, const struct event_out *event,
                              struct rf_arena *arena, struct rf_err *err)
{
    struct event_sections sections;
    struct record_header *headers;
    uint32_t header_count;
    rf_str body;
    if (!event_sections_read(event->record.value, &sections)) return spoiled(event, err);
    RF_TRY(event_join_body(sections.body, true, arena, &body, err));
    RF_TRY(event_kafka_headers(&sections, arena, 0, &headers, &header_count, err));
    batch_add(batch, event->enqueued / 1000, event->partition_key, body, headers, header_count);
    return RF_OK;
}

/* Ends a batch whose first record has the number `first`, and tells readers to go on at `next`. */
static enum rf_kind end_kafka(struct batch_builder *batch, int64_t first, int64_t next,
                              struct rf_err *err)
{
    struct batch_head head;
    struct rf_buf *buf = batch->buf;
    RF_TRY(batch_end(batch, CODEC_NONE, NULL, err));
    rf_str bytes = rf_str_make(buf->ptr + batch->start, buf->len - batch->start);
    RF_TRY(batch_read_trusted(bytes, &head, err));
    head.base_offset = first;
    head.last_offset_delta = (int32_t)(next - 1 - first);
    batch_seal(buf->ptr + batch->start, bytes.len, &head);
    return RF_OK;
}

enum rf_kind event_kafka_batch(const struct log_frame *frame, struct rf_arena *arena, rf_str *out,
                               struct rf_err *err)
{
    struct event_frame_reader reader;
    struct event_out event;
    struct batch_builder batch;
    /* Records take their pieces from `arena` too, so the batch must not grow step by step behind them. */
    struct rf_buf buf = rf_buf_in(arena);
    int64_t first = frame->first;
    bool more;
    RF_TRY(event_frame_open(&reader, frame, arena, err));
    if (!rf_buf_reserve(&buf, reader.inflated.len + reader.inflated.len / 8 + 256))
        return rf_fail_memory(err, arena);
    batch_begin(&batch, &buf);
    for (;;) {
        RF_TRY(event_frame_next(&reader, &event, &more, err));
        if (!more) break;
        /* Compaction leaves holes, which a builder's numbers have not: another batch begins behind each. */
        if (batch.count > 0 && event.number != first + batch.count) {
            RF_TRY(end_kafka(&batch, first, event.number, err));
            batch_begin(&batch, &buf);
        }
        if (batch.count == 0) first = event.number;
        RF_TRY(add_kafka(&batch, &event, arena, err));
    }
    *out = RF_S("");
    if (batch.count == 0) return RF_OK;
    RF_TRY(end_kafka(&batch, first, frame->first + frame->count, err));
    *out = rf_buf_view(&buf);
    return RF_OK;
}

/* ---- JSON --------------------------------------------------------------------------------------------------------------- */

static struct json_node *new_number(struct rf_arena *arena, rf_str text)
{
    struct json_node *node = text.ptr == NULL ? NULL : json_new(arena, JSON_T_NUMBER);
    if (node != NULL) node->text = text;
    return node;
}

static struct json_node *new_bytes(struct rf_arena *arena, rf_str bytes)
{
    if (rf_utf8_valid(bytes)) return json_new_text(arena, bytes.ptr == NULL ? RF_S("") : bytes);
    rf_str text = base64_encode(arena, bytes);
    return text.ptr == NULL ? NULL : json_new_text(arena, text);
}

static struct json_node *new_scalar(struct rf_arena *arena, const struct amqp_value *value)
{
    switch (value->type) {
    case AMQP_NULL:
        return json_new(arena, JSON_T_NULL);
    case AMQP_BOOLEAN:
        return json_new_bool(arena, value->u != 0);
    case AMQP_BINARY:
        return new_bytes(arena, value->bytes);
    case AMQP_FLOAT:
    case AMQP_DOUBLE:
        if (!__builtin_isfinite(value->real)) break;
        return new_number(arena, event_scalar_text(value, arena));
    case AMQP_UBYTE:
    case AMQP_USHORT:
    case AMQP_UINT:
    case AMQP_ULONG:
    case AMQP_BYTE:
    case AMQP_SHORT:
    case AMQP_INT:
    case AMQP_LONG:
        return new_number(arena, event_scalar_text(value, arena));
    default:
        break;
    }
    rf_str text = event_scalar_text(value, arena);
    return text.ptr == NULL ? NULL : json_new_text(arena, text);
}

static void set_item(struct rf_arena *arena, struct json_node *into, const struct amqp_value *name,
                     struct json_node *node)
{
    if (into->type == JSON_T_ARRAY)
        json_append(into, node);
    else
        json_set(arena, into, event_scalar_text(name, arena), node);
}

/* What is nested has been checked when it was stored: at most AMQP_NESTING_MAX deep, so the stack suffices. */
static bool fill(struct rf_arena *arena, struct json_node *root, const struct amqp_value *value)
{
    struct level {
        struct json_node *node;
        struct amqp_items items;
    } stack[AMQP_NESTING_MAX];
    uint32_t depth = 1;
    stack[0] = (struct level){root, amqp_items_of(value)};
    while (depth > 0) {
        struct level *level = &stack[depth - 1];
        struct amqp_value name = {.type = AMQP_NONE}, item;
        if ((level->node->type == JSON_T_OBJECT && !amqp_item(&level->items, &name)) ||
            !amqp_item(&level->items, &item)) {
            depth--;
            continue;
        }
        while (item.type == AMQP_DESCRIBED && amqp_inner(&item, &item)) continue;
        bool is_map = item.type == AMQP_MAP;
        bool is_list = item.type == AMQP_LIST || item.type == AMQP_ARRAY;
        struct json_node *node = is_map    ? json_new(arena, JSON_T_OBJECT)
                                 : is_list ? json_new(arena, JSON_T_ARRAY)
                                           : new_scalar(arena, &item);
        if (node == NULL) return false;
        set_item(arena, level->node, &name, node);
        if ((is_map || is_list) && depth < RF_COUNT(stack))
            stack[depth++] = (struct level){node, amqp_items_of(&item)};
    }
    return true;
}

struct json_node *event_value_json(const struct amqp_value *value, struct rf_arena *arena)
{
    struct amqp_value inner = *value;
    while (inner.type == AMQP_DESCRIBED && amqp_inner(&inner, &inner)) continue;
    bool is_map = inner.type == AMQP_MAP;
    if (!is_map && inner.type != AMQP_LIST && inner.type != AMQP_ARRAY)
        return new_scalar(arena, &inner);
    struct json_node *node = json_new(arena, is_map ? JSON_T_OBJECT : JSON_T_ARRAY);
    return node != NULL && fill(arena, node, &inner) ? node : NULL;
}

static bool add_map(struct rf_arena *arena, struct json_node *into, const struct amqp_value *map)
{
    return map->type != AMQP_MAP || fill(arena, into, map);
}

static bool add_properties(struct rf_arena *arena, struct json_node *event,
                           struct json_node *system, const struct amqp_value *list)
{
    struct amqp_items items = amqp_items_of(list);
    struct amqp_value value;
    for (uint32_t i = 0; i < PROPERTIES_COUNT && amqp_item(&items, &value); i++) {
        if (value.type == AMQP_NULL) continue;
        const char *name = i == PROPERTY_CONTENT_TYPE     ? "contentType"
                           : i == PROPERTY_MESSAGE_ID     ? "messageId"
                           : i == PROPERTY_CORRELATION_ID ? "correlationId"
                                                          : NULL;
        rf_str as = rf_str_of(name != NULL ? name : property_names[i]);
        struct json_node *node = new_scalar(arena, &value);
        if (json_set(arena, name != NULL ? event : system, as, node) == NULL) return false;
    }
    return true;
}

static bool add_kafka_headers(struct rf_arena *arena, struct json_node *into,
                              const struct event_out *event)
{
    struct record_header header;
    rf_str headers = event->record.headers;
    while (record_header_next(&headers, &header)) {
        if (event->publisher.ptr != NULL && event_is_publisher_header(header.name)) continue;
        struct json_node *node = header.value.ptr == NULL ? json_new(arena, JSON_T_NULL)
                                                          : new_bytes(arena, header.value);
        if (json_set(arena, into, header.name, node) == NULL) return false;
    }
    return true;
}

static bool looks_like_json(rf_str text)
{
    text = rf_str_trim(text);
    return text.len > 1 && (text.ptr[0] == '{' || text.ptr[0] == '[');
}

static bool add_body(struct rf_arena *arena, struct json_node *event, rf_str body)
{
    struct json_node *parsed;
    if (!rf_utf8_valid(body)) {
        rf_str text = base64_encode(arena, body);
        return text.ptr != NULL && json_set_text(arena, event, "bodyBase64", text) != NULL;
    }
    if (looks_like_json(body) && json_parse(body, arena, &parsed, NULL) == RF_OK)
        return json_set(arena, event, RF_S("body"), parsed) != NULL;
    return json_set_text(arena, event, "body", body) != NULL;
}

static bool fill_event(const struct event_out *event, const struct event_sections *sections,
                       rf_str body, struct rf_arena *arena, struct json_node *out)
{
    struct json_node *properties = json_new(arena, JSON_T_OBJECT);
    struct json_node *system = json_new(arena, JSON_T_OBJECT);
    rf_str offset = rf_arena_printf(arena, "%lld", (long long)event->number);
    rf_str time = time_iso(arena, event->enqueued);
    if (properties == NULL || system == NULL || offset.ptr == NULL || time.ptr == NULL)
        return false;
    if (json_set_i64(arena, out, "sequenceNumber", event->number) == NULL ||
        json_set_text(arena, out, "offset", offset) == NULL ||
        json_set_text(arena, out, "enqueuedTime", time) == NULL)
        return false;
    if (event->partition_key.ptr != NULL &&
        json_set_text(arena, out, "partitionKey", event->partition_key) == NULL)
        return false;
    if (event->publisher.ptr != NULL &&
        json_set_text(arena, out, "publisher", event->publisher) == NULL)
        return false;
    if (event->kind == FRAME_KAFKA) {
        if (!add_kafka_headers(arena, properties, event)) return false;
        if (event->record.key.ptr != NULL && json_set(arena, system, RF_S("x-opt-kafka-key"),
                                                      new_bytes(arena, event->record.key)) == NULL)
            return false;
    } else if (!add_properties(arena, out, system, &sections->properties) ||
               !add_map(arena, system, &sections->annotations) ||
               !add_map(arena, properties, &sections->application)) {
        return false;
    }
    if (properties->count > 0 && json_set(arena, out, RF_S("properties"), properties) == NULL)
        return false;
    if (system->count > 0 && json_set(arena, out, RF_S("systemProperties"), system) == NULL)
        return false;
    return add_body(arena, out, body);
}

enum rf_kind event_json(const struct event_out *event, struct rf_arena *arena,
                        struct json_node **out, struct rf_err *err)
{
    struct event_sections sections = {0};
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    rf_str body = RF_S("");
    if (event->kind == FRAME_AMQP && !event_sections_read(event->record.value, &sections))
        return spoiled(event, err);
    RF_TRY(event_body(event, arena, &body, err));
    if (node == NULL || !fill_event(event, &sections, body, arena, node))
        return rf_fail_memory(err, arena);
    *out = node;
    return RF_OK;
}

/* ---- messages from HTTP --------------------------------------------------------------------------------------------------- */

static void put_number(struct rf_buf *buf, const struct json_node *node)
{
    int64_t whole;
    double real;
    if (text_to_long(node->text, &whole)) {
        if (whole >= INT32_MIN && whole <= INT32_MAX)
            amqp_put_int(buf, (int32_t)whole);
        else
            amqp_put_long(buf, whole);
    } else if (text_to_real(node->text, &real)) {
        amqp_put_double(buf, real);
    } else {
        amqp_put_string(buf, node->text);
    }
}

enum { NESTED_MAX = 16 }; /* well below AMQP_NESTING_MAX */

static void put_leaf(struct rf_buf *buf, const struct json_node *node)
{
    switch (node->type) {
    case JSON_T_FALSE:
    case JSON_T_TRUE:
        amqp_put_bool(buf, node->type == JSON_T_TRUE);
        break;
    case JSON_T_NUMBER:
        put_number(buf, node);
        break;
    case JSON_T_STRING:
        amqp_put_string(buf, node->text);
        break;
    default:
        amqp_put_null(buf);
    }
}

/* Objects become maps, arrays lists: the specification wants simple values in application properties (part 3, 3.2.5), but what a
 * client nests is better kept as it is than as a text. False: it nests too deep. */
static bool put_json(struct rf_buf *buf, const struct json_node *root)
{
    struct level {
        const struct json_node *node, *next;
        size_t start;
    } stack[NESTED_MAX];
    uint32_t depth = 0;
    const struct json_node *node = root;
    for (;;) {
        bool is_map = node->type == JSON_T_OBJECT;
        if (is_map || node->type == JSON_T_ARRAY) {
            if (depth == NESTED_MAX) return false;
            stack[depth++] = (struct level){node, node->first, amqp_put_begin(buf)};
        } else {
            put_leaf(buf, node);
        }
        while (depth > 0 && stack[depth - 1].next == NULL) {
            const struct level *level = &stack[--depth];
            bool ends_map = level->node->type == JSON_T_OBJECT;
            amqp_put_end(buf, level->start, ends_map ? AMQP_MAP : AMQP_LIST,
                         level->node->count * (ends_map ? 2 : 1));
        }
        if (depth == 0) return true;
        node = stack[depth - 1].next;
        stack[depth - 1].next = node->next;
        if (stack[depth - 1].node->type == JSON_T_OBJECT) amqp_put_string(buf, node->name);
    }
}

static void put_text(struct rf_buf *buf, rf_str text)
{
    if (text.ptr == NULL)
        amqp_put_null(buf);
    else
        amqp_put_string(buf, text);
}

static bool is_symbol(rf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= 0x80) return false;
    return true;
}

/* The list ends behind its last field that is not null (part 1, 1.4). */
static void put_properties(struct rf_buf *buf, const struct event_parts *parts)
{
    uint32_t count = parts->content_type.ptr != NULL     ? PROPERTY_CONTENT_TYPE + 1
                     : parts->correlation_id.ptr != NULL ? PROPERTY_CORRELATION_ID + 1
                                                         : PROPERTY_MESSAGE_ID + 1;
    amqp_put_descriptor(buf, AMQP_PROPERTIES);
    size_t start = amqp_put_begin(buf);
    put_text(buf, parts->message_id);
    for (uint32_t i = 1; i < count; i++) {
        if (i == PROPERTY_CORRELATION_ID)
            put_text(buf, parts->correlation_id);
        else if (i == PROPERTY_CONTENT_TYPE)
            amqp_put_symbol(buf, parts->content_type);
        else
            amqp_put_null(buf);
    }
    amqp_put_end(buf, start, AMQP_LIST, count);
}

static rf_str part_of(const struct rf_buf *buf, size_t from, size_t to)
{
    return from == to ? (rf_str){0} : rf_str_make(buf->ptr + from, to - from);
}

enum rf_kind event_make(const struct event_parts *parts, struct rf_arena *arena,
                        struct event_in *out, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    if (parts->body.len > EVENT_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "MessageTooLarge", "An event has at most %d bytes.",
                       EVENT_BYTES_MAX);
    if (rf_utf8_count(parts->partition_key) > PARTITION_KEY_CHARS_MAX)
        return RF_FAIL(err, RF_INVALID, EVENT_NOT_ALLOWED,
                       "The partition key has more than %d characters.", PARTITION_KEY_CHARS_MAX);
    if (!is_symbol(parts->content_type))
        return RF_FAIL(err, RF_INVALID, EVENT_NOT_ALLOWED, "The content type must be ASCII.");
    if (!rf_utf8_valid(parts->message_id) || !rf_utf8_valid(parts->correlation_id) ||
        !rf_utf8_valid(parts->partition_key))
        return RF_FAIL(err, RF_INVALID, EVENT_NOT_ALLOWED, "The properties must be UTF-8.");
    if (parts->message_id.ptr != NULL || parts->correlation_id.ptr != NULL ||
        parts->content_type.ptr != NULL)
        put_properties(&buf, parts);
    size_t application = buf.len;
    if (parts->properties != NULL && parts->properties->count > 0) {
        amqp_put_descriptor(&buf, AMQP_APPLICATION_PROPERTIES);
        size_t start = amqp_put_begin(&buf);
        for (const struct json_node *node = parts->properties->first; node; node = node->next) {
            amqp_put_string(&buf, node->name);
            if (!put_json(&buf, node))
                return RF_FAIL(err, RF_INVALID, EVENT_NOT_ALLOWED,
                               "A property nests more than %d levels.", NESTED_MAX);
        }
        amqp_put_end(&buf, start, AMQP_MAP, 2 * parts->properties->count);
    }
    size_t body = buf.len;
    amqp_put_descriptor(&buf, AMQP_DATA);
    amqp_put_binary(&buf, parts->body);
    if (buf.failed) return rf_fail_memory(err, arena);
    *out = (struct event_in){.properties = part_of(&buf, 0, application),
                             .application = part_of(&buf, application, body),
                             .body = part_of(&buf, body, buf.len),
                             .partition_key = parts->partition_key,
                             .producer = {.id = -1, .epoch = -1, .sequence = -1}};
    return RF_OK;
}
