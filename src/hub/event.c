/* event.c - AMQP messages to stored records and back.
 *
 * The value of a stored record is the message from its message-annotations on, in the order of the standard:
 *
 *   [message-annotations of the user] [properties] [application-properties] [body ...] [footer]
 *
 * Nearly every message has no annotations but the server's, so the value is one slice of what came. */
#include "hub/event_int.h"

/* ---- annotations ------------------------------------------------------------------------------------------------------- */

enum server_name {
    NAME_NONE,
    NAME_OTHER, /* one that is dropped and not looked at */
    NAME_KEY,
    NAME_PRODUCER_ID,
    NAME_PRODUCER_EPOCH,
    NAME_PRODUCER_SEQUENCE
};

static enum server_name server_name(const struct amqp_value *name)
{
    static const struct {
        const char *text;
        enum server_name name;
    } names[] = {
        {"x-opt-partition-key", NAME_KEY},
        {"x-opt-sequence-number", NAME_OTHER},
        {"x-opt-offset", NAME_OTHER},
        {"x-opt-enqueued-time", NAME_OTHER},
        {"x-opt-publisher", NAME_OTHER},
        {"x-opt-kafka-key", NAME_OTHER},
        {"com.microsoft:producer-id", NAME_PRODUCER_ID},
        {"com.microsoft:producer-epoch", NAME_PRODUCER_EPOCH},
        {"com.microsoft:producer-sequence-number", NAME_PRODUCER_SEQUENCE},
    };
    if (!amqp_is_text(name)) return NAME_NONE;
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (rf_str_is(name->bytes, names[i].text)) return names[i].name;
    return NAME_NONE;
}

bool event_is_server_name(const struct amqp_value *name) { return server_name(name) != NAME_NONE; }

struct annotations {
    uint32_t user_count; /* keys that are the user's */
    uint32_t server_count;
    rf_str key;
    int64_t producer[3]; /* id, epoch, sequence */
    uint32_t producer_set;
};

static enum rf_kind take_key(const struct amqp_value *value, rf_str *out, struct rf_err *err)
{
    if (value->type == AMQP_NULL) return RF_OK;
    if (value->type != AMQP_STRING)
        return RF_FAIL(err, RF_INVALID, EVENT_NOT_ALLOWED,
                       "The annotation 'x-opt-partition-key' must be a string.");
    if (value->bytes.len > PARTITION_KEY_CHARS_MAX &&
        rf_utf8_count(value->bytes) > PARTITION_KEY_CHARS_MAX)
        return RF_FAIL(err, RF_INVALID, EVENT_NOT_ALLOWED,
                       "The partition key has more than %d characters.", PARTITION_KEY_CHARS_MAX);
    *out = value->bytes;
    return RF_OK;
}

static enum rf_kind take_producer(const struct amqp_value *value, uint32_t index,
                                  struct annotations *out, struct rf_err *err)
{
    static const int64_t max[] = {INT64_MAX, INT16_MAX, INT32_MAX};
    int64_t number;
    if (value->type == AMQP_NULL) return RF_OK;
    if (!amqp_as_i64(value, &number) || number < 0 || number > max[index])
        return RF_FAIL(err, RF_INVALID, EVENT_NOT_ALLOWED,
                       "An event's producer id, epoch and sequence number must be a long, a short "
                       "and an int that are not negative.");
    out->producer[index] = number;
    out->producer_set |= 1u << index;
    return RF_OK;
}

static enum rf_kind read_annotations(const struct amqp_value *map, struct annotations *out,
                                     struct rf_err *err)
{
    struct amqp_items items = amqp_items_of(map);
    struct amqp_value name, value;
    while (amqp_item(&items, &name) && amqp_item(&items, &value)) {
        enum server_name known = server_name(&name);
        if (known == NAME_NONE)
            out->user_count++;
        else
            out->server_count++;
        if (known == NAME_KEY) RF_TRY(take_key(&value, &out->key, err));
        if (known >= NAME_PRODUCER_ID)
            RF_TRY(take_producer(&value, known - NAME_PRODUCER_ID, out, err));
    }
    return RF_OK;
}

static void put_user_items(struct rf_buf *buf, const struct amqp_value *map)
{
    struct amqp_items items = amqp_items_of(map);
    struct amqp_value name, value;
    while (amqp_item(&items, &name) && amqp_item(&items, &value)) {
        if (server_name(&name) != NAME_NONE) continue;
        rf_buf_str(buf, name.whole);
        rf_buf_str(buf, value.whole);
    }
}

/* The message again with the user's annotations only: what is stored stays one slice. */
static enum rf_kind strip_annotations(const struct amqp_value *map, uint32_t user_count,
                                      struct event_in *event, struct rf_arena *arena,
                                      struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    rf_str *const parts[] = {&event->properties, &event->application, &event->body, &event->footer};
    size_t at[RF_COUNT(parts)];
    amqp_put_descriptor(&buf, AMQP_MESSAGE_ANNOTATIONS);
    size_t start = amqp_put_begin(&buf);
    put_user_items(&buf, map);
    amqp_put_end(&buf, start, AMQP_MAP, 2 * user_count);
    size_t head = buf.len;
    for (size_t i = 0; i < RF_COUNT(parts); i++) {
        at[i] = buf.len;
        rf_buf_str(&buf, *parts[i]);
    }
    if (buf.failed) return rf_fail_memory(err, arena);
    event->annotations = rf_str_make(buf.ptr, head);
    for (size_t i = 0; i < RF_COUNT(parts); i++)
        if (parts[i]->ptr != NULL) parts[i]->ptr = buf.ptr + at[i];
    return RF_OK;
}

/* ---- messages ---------------------------------------------------------------------------------------------------------- */

static bool is_body(enum amqp_section_code code)
{
    return code >= AMQP_DATA && code <= AMQP_BODY_VALUE;
}

/* Sections come in the standard's order, each once; only data and sequences are repeated, and never mixed. */
static bool may_follow(enum amqp_section_code code, enum amqp_section_code before)
{
    if (code == before) return code == AMQP_DATA || code == AMQP_SEQUENCE;
    return code > before && !(is_body(code) && is_body(before));
}

static enum rf_kind bad_message(struct rf_err *err, const char *what)
{
    return RF_FAIL(err, RF_INVALID, EVENT_DECODE_ERROR, "The message cannot be decoded: %s.", what);
}

static void extend(rf_str *slice, rf_str section)
{
    if (slice->ptr == NULL)
        *slice = section;
    else
        slice->len += section.len; /* neighbours */
}

enum rf_kind event_read_amqp(rf_str message, struct rf_arena *arena, struct event_in *out,
                             struct rf_err *err)
{
    struct event_in event = {.producer = {.id = -1, .epoch = -1, .sequence = -1}};
    struct amqp_section section;
    struct amqp_value map = {.type = AMQP_NONE};
    struct annotations annotations = {0};
    enum amqp_section_code before = (enum amqp_section_code)0;
    if (message.len == 0) return bad_message(err, "it is empty");
    while (amqp_section_next(&message, &section)) {
        if (!may_follow(section.code, before))
            return bad_message(err, "its sections are out of order");
        before = section.code;
        switch (section.code) {
        case AMQP_MESSAGE_ANNOTATIONS:
            map = section.value;
            event.annotations = section.whole;
            break;
        case AMQP_PROPERTIES:
            event.properties = section.whole;
            break;
        case AMQP_APPLICATION_PROPERTIES:
            event.application = section.whole;
            break;
        case AMQP_FOOTER:
            event.footer = section.whole;
            break;
        default:
            if (is_body(section.code)) extend(&event.body, section.whole);
        }
    }
    if (message.len > 0) return bad_message(err, "a section is malformed");
    if (map.type == AMQP_MAP) {
        RF_TRY(read_annotations(&map, &annotations, err));
        event.partition_key = annotations.key;
        event.has_producer = annotations.producer_set == 7;
        if (event.has_producer)
            event.producer = (struct batch_producer){.id = annotations.producer[0],
                                                     .epoch = (int16_t)annotations.producer[1],
                                                     .sequence = (int32_t)annotations.producer[2]};
        if (annotations.user_count == 0)
            event.annotations = (rf_str){0};
        else if (annotations.server_count > 0)
            RF_TRY(strip_annotations(&map, annotations.user_count, &event, arena, err));
    }
    *out = event;
    return RF_OK;
}

enum rf_kind event_read_batch(rf_str message, struct rf_arena *arena, struct event_list *out,
                              struct rf_err *err)
{
    struct event_list list = {0};
    struct amqp_section section;
    struct annotations annotations = {0};
    enum amqp_section_code before = (enum amqp_section_code)0;
    uint32_t cap = 0;
    while (amqp_section_next(&message, &section)) {
        if (!may_follow(section.code, before))
            return bad_message(err, "its sections are out of order");
        before = section.code;
        if (section.code == AMQP_MESSAGE_ANNOTATIONS)
            RF_TRY(read_annotations(&section.value, &annotations, err));
        if (!is_body(section.code)) continue;
        if (section.code != AMQP_DATA)
            return bad_message(err, "the body of a batch must be data sections");
        if (list.count == cap) {
            uint32_t more = cap == 0 ? 64 : 2 * cap;
            list.messages = rf_arena_grow(arena, list.messages, cap * sizeof *list.messages,
                                          more * sizeof *list.messages);
            if (list.messages == NULL) return rf_fail_memory(err, arena);
            cap = more;
        }
        list.messages[list.count++] = section.value.bytes;
    }
    if (message.len > 0) return bad_message(err, "a section is malformed");
    if (list.count == 0) return bad_message(err, "the batch has no events");
    list.partition_key = annotations.key;
    *out = list;
    return RF_OK;
}

/* ---- records ----------------------------------------------------------------------------------------------------------- */

static rf_str stored_value(const struct event_in *event)
{
    const rf_str parts[] = {event->annotations, event->properties, event->application, event->body,
                            event->footer};
    rf_str value = RF_S("");
    for (size_t i = 0; i < RF_COUNT(parts); i++) {
        if (parts[i].ptr == NULL) continue;
        if (value.len == 0) {
            value = parts[i];
            continue;
        }
        RF_ASSERT(parts[i].ptr == value.ptr + value.len); /* event_read_amqp, event_make */
        value.len += parts[i].len;
    }
    return value;
}

void event_add(struct batch_builder *batch, rf_usec now, const struct event_in *event,
               rf_str publisher)
{
    struct record_header header = {.name = RF_S("p"), .value = publisher};
    rf_str key = event->partition_key.ptr == NULL ? publisher : event->partition_key;
    batch_add(batch, now / 1000, key, stored_value(event), &header, publisher.ptr != NULL);
}

enum rf_kind event_frame_open(struct event_frame_reader *reader, const struct log_frame *frame,
                              struct rf_arena *arena, struct rf_err *err)
{
    reader->frame = frame;
    RF_TRY(batch_read_trusted(frame->batch, &reader->head, err));
    RF_TRY(batch_inflate(&reader->head, arena, &reader->inflated, err));
    record_reader_init(&reader->records, &reader->head, reader->inflated);
    return RF_OK;
}

enum rf_kind event_frame_next(struct event_frame_reader *reader, struct event_out *out, bool *more,
                              struct rf_err *err)
{
    reader->records.head = &reader->head; /* the reader may have been moved */
    RF_TRY(record_next(&reader->records, &out->record, more, err));
    if (!*more) return RF_OK;
    out->number = out->record.offset;
    out->enqueued = reader->frame->enqueued;
    out->kind = reader->frame->kind;
    out->partition_key = out->publisher = (rf_str){0};
    struct record_header header;
    rf_str headers = out->record.headers;
    if (out->kind != FRAME_AMQP) {
        while (record_header_next(&headers, &header))
            out->publisher = event_is_publisher_header(header.name) ? header.value : (rf_str){0};
        if (!rf_utf8_valid(out->publisher)) out->publisher = (rf_str){0}; /* it is a string */
        return RF_OK;
    }
    out->partition_key = out->record.key;
    while (record_header_next(&headers, &header))
        if (rf_str_is(header.name, "p")) out->publisher = header.value;
    return RF_OK;
}

/* ---- the message that a receiver gets ------------------------------------------------------------------------------------ */

/* The last number as an offset; "-1" of an empty partition. */
static void put_offset(struct rf_buf *buf, int64_t number)
{
    char digits[24];
    char *at = digits + sizeof digits;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0) *--at = '-';
    amqp_put_string(buf, rf_str_make(at, (size_t)(digits + sizeof digits - at)));
}

static void put_runtime(struct rf_buf *buf, const struct event_runtime *runtime)
{
    amqp_put_descriptor(buf, AMQP_DELIVERY_ANNOTATIONS);
    size_t start = amqp_put_begin(buf);
    amqp_put_symbol(buf, RF_S("last_enqueued_sequence_number"));
    amqp_put_long(buf, runtime->last_number);
    amqp_put_symbol(buf, RF_S("last_enqueued_offset"));
    put_offset(buf, runtime->last_number);
    amqp_put_symbol(buf, RF_S("last_enqueued_time_utc"));
    amqp_put_timestamp(buf, runtime->last_enqueued / 1000);
    amqp_put_symbol(buf, RF_S("runtime_info_retrieval_time_utc"));
    amqp_put_timestamp(buf, runtime->now / 1000);
    amqp_put_end(buf, start, AMQP_MAP, 8);
}

/* `user`: the user's annotations, or AMQP_NONE. */
static void put_annotations(struct rf_buf *buf, const struct event_out *event,
                            const struct amqp_value *user)
{
    uint32_t count = 3;
    amqp_put_descriptor(buf, AMQP_MESSAGE_ANNOTATIONS);
    size_t start = amqp_put_begin(buf);
    amqp_put_symbol(buf, RF_S("x-opt-sequence-number"));
    amqp_put_long(buf, event->number);
    amqp_put_symbol(buf, RF_S("x-opt-offset"));
    put_offset(buf, event->number);
    amqp_put_symbol(buf, RF_S("x-opt-enqueued-time"));
    amqp_put_timestamp(buf, event->enqueued / 1000);
    if (event->partition_key.ptr != NULL) {
        amqp_put_symbol(buf, RF_S("x-opt-partition-key"));
        amqp_put_string(buf, event->partition_key);
        count++;
    }
    if (event->publisher.ptr != NULL) {
        amqp_put_symbol(buf, RF_S("x-opt-publisher"));
        amqp_put_string(buf, event->publisher);
        count++;
    }
    if (event->kind == FRAME_KAFKA && event->record.key.ptr != NULL) {
        amqp_put_symbol(buf, RF_S("x-opt-kafka-key"));
        amqp_put_binary(buf, event->record.key);
        count++;
    }
    if (user->type == AMQP_MAP) {
        rf_buf_str(buf, user->bytes);
        count += user->count / 2;
    }
    amqp_put_end(buf, start, AMQP_MAP, 2 * count);
}

/* Kafka's names of headers may be any bytes; a string is UTF-8. */
static void put_header_name(struct rf_buf *buf, rf_str name)
{
    uint8_t text[768];
    size_t len = 0;
    if (rf_utf8_valid(name)) {
        amqp_put_string(buf, name);
        return;
    }
    for (size_t at = 0; at < name.len && len + 4 <= sizeof text;)
        len += rf_utf8_put(rf_utf8_next(name, &at), text + len);
    amqp_put_string(buf, rf_str_make(text, len));
}

/* Whether a header of that name follows: the last one wins, as a map has each key once. */
static bool is_repeated(rf_str headers, rf_str name)
{
    struct record_header header;
    while (record_header_next(&headers, &header))
        if (rf_str_eq(header.name, name)) return true;
    return false;
}

enum { HEADERS_COMPARED_MAX = 256 }; /* a record with more of them is shown with its repeats */

static void put_kafka(struct rf_buf *buf, const struct record *record, bool has_publisher)
{
    rf_str headers = record->headers;
    struct record_header header;
    if (record->header_count > (has_publisher ? 1u : 0u)) {
        uint32_t count = 0;
        amqp_put_descriptor(buf, AMQP_APPLICATION_PROPERTIES);
        size_t start = amqp_put_begin(buf);
        while (record_header_next(&headers, &header)) {
            if (record->header_count <= HEADERS_COMPARED_MAX && is_repeated(headers, header.name))
                continue;
            if (has_publisher && event_is_publisher_header(header.name)) continue;
            put_header_name(buf, header.name);
            if (header.value.ptr == NULL)
                amqp_put_null(buf);
            else
                amqp_put_binary(buf, header.value);
            count++;
        }
        amqp_put_end(buf, start, AMQP_MAP, 2 * count);
    }
    amqp_put_descriptor(buf, AMQP_DATA);
    amqp_put_binary(buf, record->value);
}

void event_put_amqp(struct rf_buf *buf, const struct event_out *event,
                    const struct event_runtime *runtime)
{
    rf_str value = event->record.value;
    struct amqp_section section = {.value = {.type = AMQP_NONE}};
    if (!rf_buf_reserve(buf, value.len + event->partition_key.len + event->publisher.len + 512))
        return;
    if (runtime != NULL) put_runtime(buf, runtime);
    if (event->kind == FRAME_KAFKA) {
        put_annotations(buf, event, &section.value);
        put_kafka(buf, &event->record, event->publisher.ptr != NULL);
        return;
    }
    /* Clients may write the descriptor at length, so anything that is not certainly another section is looked at. */
    if (value.len > 2 && value.ptr[0] == 0 &&
        (value.ptr[1] != 0x53 || value.ptr[2] == AMQP_MESSAGE_ANNOTATIONS)) {
        rf_str rest = value;
        if (amqp_section_next(&rest, &section) && section.code == AMQP_MESSAGE_ANNOTATIONS)
            value = rest;
        else
            section.value.type = AMQP_NONE;
    }
    put_annotations(buf, event, &section.value);
    rf_buf_str(buf, value);
}
