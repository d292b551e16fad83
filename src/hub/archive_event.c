/* archive_event.c - events as records of Avro and as lines of JSON, with the fields of Azure's schema EventData. */
#include <stdlib.h>

#include "base/encode.h"
#include "base/json_out.h"
#include "hub/archive_int.h"
#include "hub/event_int.h"
#include "value/text.h"

#define SCHEMA                                                                                     \
    "{\"type\":\"record\",\"name\":\"EventData\",\"namespace\":\"Microsoft.ServiceBus."            \
    "Messaging\","                                                                                 \
    "\"fields\":[{\"name\":\"SequenceNumber\",\"type\":\"long\"},"                                 \
    "{\"name\":\"Offset\",\"type\":\"string\"},{\"name\":\"EnqueuedTimeUtc\",\"type\":\"string\"}" \
    ","                                                                                            \
    "{\"name\":\"SystemProperties\",\"type\":{\"type\":\"map\",\"values\":"                        \
    "[\"long\",\"double\",\"string\",\"bytes\"]}},"                                                \
    "{\"name\":\"Properties\",\"type\":{\"type\":\"map\",\"values\":"                              \
    "[\"long\",\"double\",\"string\",\"bytes\",\"null\"]}},"                                       \
    "{\"name\":\"Body\",\"type\":[\"null\",\"bytes\"]}]}"
const rf_str archive_schema = {(const uint8_t *)SCHEMA, sizeof SCHEMA - 1};

/* ---- what an event has ---------------------------------------------------------------------------------------------------- */

struct field {
    rf_str name;
    struct amqp_value value;
    bool is_gone; /* another one of the name comes behind it */
};
struct fields {
    struct field *items;
    uint32_t count, cap;
};

static bool fields_init(struct fields *fields, uint32_t cap, struct rf_arena *arena)
{
    *fields = (struct fields){.cap = cap};
    fields->items = rf_arena_raw(arena, struct field, cap);
    return fields->items != NULL;
}

/* Avro's strings are UTF-8, which the names of Kafka's headers need not be. */
static void add(struct fields *fields, rf_str name, const struct amqp_value *value,
                struct rf_arena *arena)
{
    if (!rf_utf8_valid(name)) name = base64_encode(arena, name);
    if (name.ptr == NULL && name.len > 0) return;
    RF_ASSERT(fields->count < fields->cap);
    fields->items[fields->count++] = (struct field){.name = name, .value = *value};
}

static void add_bytes(struct fields *fields, const char *name, enum amqp_type type, rf_str bytes)
{
    RF_ASSERT(fields->count < fields->cap);
    fields->items[fields->count++] = (struct field){
        .name = rf_str_of(name), .value = (struct amqp_value){.type = type, .bytes = bytes}};
}

static void add_map(struct fields *fields, const struct amqp_value *map, bool nulls,
                    struct rf_arena *arena)
{
    struct amqp_items items = amqp_items_of(map);
    struct amqp_value name, value;
    if (map->type != AMQP_MAP) return;
    while (amqp_item(&items, &name) && amqp_item(&items, &value)) {
        rf_str text = event_scalar_text(&name, arena);
        if (text.ptr != NULL && (nulls || value.type != AMQP_NULL))
            add(fields, text, &value, arena);
    }
}

static int by_name(const void *a, const void *b)
{
    const struct field *left = *(const struct field *const *)a;
    const struct field *right = *(const struct field *const *)b;
    int order = rf_str_cmp(left->name, right->name);
    return order != 0 ? order : (left > right) - (left < right);
}

/* A name that occurs more than once means the last one, to every reader. */
static bool only_last(struct fields *fields, struct rf_arena *arena)
{
    if (fields->count < 2) return true;
    struct field **sorted = rf_arena_raw(arena, struct field *, fields->count);
    if (sorted == NULL) return false;
    for (uint32_t i = 0; i < fields->count; i++) sorted[i] = &fields->items[i];
    qsort(sorted, fields->count, sizeof(*sorted), by_name);
    for (uint32_t i = 1; i < fields->count; i++)
        sorted[i - 1]->is_gone = rf_str_eq(sorted[i - 1]->name, sorted[i]->name);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < fields->count; i++)
        if (!fields->items[i].is_gone) fields->items[kept++] = fields->items[i];
    fields->count = kept;
    return true;
}

struct view {
    struct fields system, properties;
    rf_str body;
    bool has_body;
};

static bool read_kafka(const struct event_out *event, struct rf_arena *arena, struct view *out)
{
    rf_str headers = event->record.headers;
    struct record_header header;
    if (!fields_init(&out->system, 1, arena) ||
        !fields_init(&out->properties, event->record.header_count, arena))
        return false;
    while (record_header_next(&headers, &header)) {
        struct amqp_value value = {.type = header.value.ptr == NULL ? AMQP_NULL : AMQP_BINARY,
                                   .bytes = header.value};
        add(&out->properties, header.name, &value, arena);
    }
    if (event->record.key.ptr != NULL)
        add_bytes(&out->system, "x-opt-kafka-key", AMQP_BINARY, event->record.key);
    out->has_body = event->record.value.ptr != NULL;
    out->body = event->record.value;
    return true;
}

static bool read_amqp(const struct event_out *event, struct rf_arena *arena, struct view *out)
{
    struct event_sections sections;
    out->has_body = true;
    /* It was checked when it came, so this is damage that the log did not see: its bytes are better than nothing. */
    if (!event_sections_read(event->record.value, &sections)) {
        sections = (struct event_sections){0};
        out->body = event->record.value;
    } else if (event_join_body(sections.body, false, arena, &out->body, NULL) != RF_OK) {
        return false;
    }
    struct amqp_items items = amqp_items_of(&sections.properties);
    struct amqp_value value;
    uint32_t annotations = amqp_items_of(&sections.annotations).left / 2;
    uint32_t properties = amqp_items_of(&sections.application).left / 2;
    if (!fields_init(&out->system, PROPERTIES_COUNT + 2 + annotations, arena) ||
        !fields_init(&out->properties, properties, arena))
        return false;
    for (uint32_t i = 0; i < PROPERTIES_COUNT && amqp_item(&items, &value); i++)
        if (value.type != AMQP_NULL)
            add(&out->system, rf_str_of(event_property_name((enum event_property)i)), &value,
                arena);
    add_map(&out->system, &sections.annotations, false, arena);
    if (event->partition_key.ptr != NULL)
        add_bytes(&out->system, "x-opt-partition-key", AMQP_STRING, event->partition_key);
    if (event->publisher.ptr != NULL)
        add_bytes(&out->system, "x-opt-publisher", AMQP_STRING, event->publisher);
    add_map(&out->properties, &sections.application, true, arena);
    return true;
}

static bool read_event(const struct event_out *event, struct rf_arena *arena, struct view *out)
{
    *out = (struct view){.has_body = false};
    bool good =
        event->kind == FRAME_KAFKA ? read_kafka(event, arena, out) : read_amqp(event, arena, out);
    return good && only_last(&out->system, arena) && only_last(&out->properties, arena);
}

/* ---- Avro --------------------------------------------------------------------------------------------------------------------- */

enum branch { BRANCH_LONG, BRANCH_DOUBLE, BRANCH_STRING, BRANCH_BYTES, BRANCH_NULL };

static void put_text(struct rf_buf *buf, rf_str text)
{
    if (text.ptr == NULL && text.len > 0) buf->failed = true;
    avro_put_long(buf, BRANCH_STRING);
    avro_put_bytes(buf, text);
}

/* A union has no truth values, times and GUIDs: they are texts, as compound values are as JSON. */
static void put_value(struct rf_buf *buf, const struct amqp_value *value, struct rf_arena *arena)
{
    struct amqp_value v = *value;
    int64_t number;
    while (v.type == AMQP_DESCRIBED && amqp_inner(&v, &v)) continue;
    switch (v.type) {
    case AMQP_NULL:
        avro_put_long(buf, BRANCH_NULL);
        break;
    case AMQP_FLOAT:
    case AMQP_DOUBLE:
        avro_put_long(buf, BRANCH_DOUBLE);
        avro_put_double(buf, v.real);
        break;
    case AMQP_BINARY:
        avro_put_long(buf, BRANCH_BYTES);
        avro_put_bytes(buf, v.bytes);
        break;
    case AMQP_DESCRIBED:
    case AMQP_LIST:
    case AMQP_MAP:
    case AMQP_ARRAY: {
        struct json_node *node = event_value_json(&v, arena);
        rf_str text = node == NULL ? (rf_str){0} : json_to_text(arena, node);
        if (text.ptr == NULL) buf->failed = true;
        put_text(buf, text);
        break;
    }
    default:
        if (!amqp_as_i64(&v, &number)) {
            put_text(buf, event_scalar_text(&v, arena));
            break;
        }
        avro_put_long(buf, BRANCH_LONG);
        avro_put_long(buf, number);
    }
}

static void put_map(struct rf_buf *buf, const struct fields *fields, struct rf_arena *arena)
{
    if (fields->count > 0) avro_put_long(buf, fields->count);
    for (uint32_t i = 0; i < fields->count; i++) {
        avro_put_bytes(buf, fields->items[i].name);
        put_value(buf, &fields->items[i].value, arena);
    }
    avro_put_long(buf, 0);
}

/* "1/31/2026 9:05:00 PM": M/d/yyyy h:mm:ss tt */
static rf_str us_time(rf_usec time, struct rf_arena *arena)
{
    int year, month, day;
    int64_t ticks = DATETIME_UNIX_EPOCH + time * TICKS_PER_MICROSECOND;
    date_from_ticks(ticks, &year, &month, &day);
    int second = (int)(ticks % TICKS_PER_DAY / TICKS_PER_SECOND), hour = second / 3600;
    return rf_arena_printf(arena, "%d/%d/%d %d:%02d:%02d %s", month, day, year,
                           hour % 12 == 0 ? 12 : hour % 12, second / 60 % 60, second % 60,
                           hour < 12 ? "AM" : "PM");
}

static void put_avro(struct rf_buf *buf, const struct event_out *event, const struct view *view,
                     struct rf_arena *arena)
{
    rf_str offset = rf_arena_printf(arena, "%lld", (long long)event->number);
    rf_str time = us_time(event->enqueued, arena);
    if (offset.ptr == NULL || time.ptr == NULL) {
        buf->failed = true;
        return;
    }
    avro_put_long(buf, event->number);
    avro_put_bytes(buf, offset);
    avro_put_bytes(buf, time);
    put_map(buf, &view->system, arena);
    put_map(buf, &view->properties, arena);
    avro_put_long(buf, view->has_body);
    if (view->has_body) avro_put_bytes(buf, view->body);
}

/* ---- JSON --------------------------------------------------------------------------------------------------------------------- */

static void put_object(struct json_out *out, const char *name, const struct fields *fields,
                       struct rf_arena *arena)
{
    struct json_node *object = json_new(arena, JSON_T_OBJECT);
    for (uint32_t i = 0; i < fields->count && object != NULL; i++) {
        struct json_node *value = event_value_json(&fields->items[i].value, arena);
        if (value == NULL) {
            object = NULL;
            break;
        }
        /* Each name occurs once: json_set need not look for it, which takes long where there are thousands. */
        value->name = fields->items[i].name;
        if (object->last == NULL)
            object->first = value;
        else
            object->last->next = value;
        object->last = value;
        object->count++;
    }
    if (object == NULL)
        out->buf->failed = true;
    else
        json_put_node(out, name, object);
}

static void put_body(struct json_out *out, const struct view *view, struct rf_arena *arena)
{
    if (!view->has_body) {
        json_put_null(out, "Body");
    } else if (rf_utf8_valid(view->body)) {
        json_put_text(out, "Body", view->body);
    } else {
        rf_str text = base64_encode(arena, view->body);
        if (text.ptr == NULL) out->buf->failed = true;
        json_put_text(out, "Body", text);
        json_put_text(out, "BodyEncoding", RF_S("base64"));
    }
}

static void put_line(struct rf_buf *buf, const struct event_out *event, const struct view *view,
                     struct rf_arena *arena)
{
    struct json_out out = json_out_to(buf);
    rf_str offset = rf_arena_printf(arena, "%lld", (long long)event->number);
    rf_str time = time_iso(arena, event->enqueued);
    if (offset.ptr == NULL || time.ptr == NULL) {
        buf->failed = true;
        return;
    }
    json_begin_object(&out, NULL);
    json_put_i64(&out, "SequenceNumber", event->number);
    json_put_text(&out, "Offset", offset);
    json_put_text(&out, "EnqueuedTimeUtc", time);
    put_object(&out, "SystemProperties", &view->system, arena);
    put_object(&out, "Properties", &view->properties, arena);
    put_body(&out, view, arena);
    json_end_object(&out);
    rf_buf_byte(buf, '\n');
}

void archive_put_event(struct rf_buf *buf, const struct event_out *event,
                       enum archive_encoding encoding, struct rf_arena *scratch)
{
    struct view view;
    if (!read_event(event, scratch, &view))
        buf->failed = true;
    else if (encoding == ARCHIVE_JSON_LINES)
        put_line(buf, event, &view, scratch);
    else
        put_avro(buf, event, &view, scratch);
}
