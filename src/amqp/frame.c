#include "amqp/frame.h"

enum frame_step frame_read(rf_str bytes, size_t bytes_max, struct frame *out)
{
    if (bytes.len < 4) return FRAME_MORE;
    size_t size = amqp_get_u32(bytes.ptr);
    if (size < FRAME_HEAD_BYTES || size > bytes_max) return FRAME_BAD;
    if (bytes.len < FRAME_HEAD_BYTES) return FRAME_MORE;
    size_t offset = (size_t)bytes.ptr[4] * 4;
    if (offset < FRAME_HEAD_BYTES || offset > size) return FRAME_BAD;
    if (bytes.len < size) return FRAME_MORE;
    *out = (struct frame){.type = bytes.ptr[5],
                          .channel = amqp_get_u16(bytes.ptr + 6),
                          .body = rf_slice(bytes, offset, size),
                          .bytes = size};
    return FRAME_WHOLE;
}

/* ---- fields -------------------------------------------------------------------------------------------------------- */

bool fields_open(rf_str *body, uint64_t *code, struct fields *out)
{
    struct amqp_value list;
    rf_str rest = *body;
    /* All peers write the number in its short form, and the list behind it is then read without a look at what is in it. */
    if (rest.len > 3 && rest.ptr[0] == 0x00 && rest.ptr[1] == 0x53) {
        *code = rest.ptr[2];
        rest = rf_slice(rest, 3, rest.len);
        if (!amqp_read(&rest, &list)) return false;
    } else {
        struct amqp_value described;
        if (!amqp_read(&rest, &described) || !amqp_inner(&described, &list)) return false;
        *code = amqp_descriptor(&described);
    }
    if (list.type != AMQP_LIST) return false;
    *out = (struct fields){.rest = list.bytes, .left = list.count};
    *body = rest;
    return true;
}

/* The constructor of the next field, or that of null when there is none. */
static uint8_t next_constructor(struct fields *fields)
{
    if (fields->left == 0 || fields->is_bad) return 0x40;
    if (fields->rest.len == 0) {
        fields->is_bad = true;
        return 0x40;
    }
    fields->left--;
    return fields->rest.ptr[0];
}

static void skip_bytes(struct fields *fields, size_t bytes)
{
    if (fields->rest.len < bytes)
        fields->is_bad = true;
    else
        fields->rest = rf_slice(fields->rest, bytes, fields->rest.len);
}

/* Null, which next_constructor also says at the end, where there is nothing to take. */
static void skip_null(struct fields *fields)
{
    if (fields->rest.len > 0 && !fields->is_bad && fields->rest.ptr[0] == 0x40)
        fields->rest = rf_slice(fields->rest, 1, fields->rest.len);
}

static bool read_field(struct fields *fields, struct amqp_value *out)
{
    if (amqp_read(&fields->rest, out)) return true;
    fields->is_bad = true;
    return false;
}

uint32_t field_uint(struct fields *fields, uint32_t absent, bool *is_there)
{
    const uint8_t *p = fields->rest.ptr;
    size_t left = fields->rest.len;
    uint8_t constructor = next_constructor(fields);
    uint32_t value = absent;
    if (is_there != NULL) *is_there = constructor != 0x40;
    switch (constructor) {
    case 0x40:
        skip_null(fields);
        return absent;
    case 0x43:
        skip_bytes(fields, 1);
        return 0;
    case 0x50: /* ubyte: settle modes */
    case 0x52:
        if (left >= 2) value = p[1];
        skip_bytes(fields, 2);
        return value;
    case 0x60: /* ushort: channels */
        if (left >= 3) value = amqp_get_u16(p + 1);
        skip_bytes(fields, 3);
        return value;
    case 0x70:
        if (left >= 5) value = amqp_get_u32(p + 1);
        skip_bytes(fields, 5);
        return value;
    default:
        fields->is_bad = true;
        return absent;
    }
}

uint64_t field_ulong(struct fields *fields, uint64_t absent)
{
    struct amqp_value value;
    if (next_constructor(fields) == 0x40) {
        skip_null(fields);
        return absent;
    }
    if (!read_field(fields, &value)) return absent;
    if (value.type != AMQP_ULONG && value.type != AMQP_UINT) fields->is_bad = true;
    return value.u;
}

bool field_bool(struct fields *fields, bool absent, bool *is_there)
{
    struct amqp_value value;
    uint8_t constructor = next_constructor(fields);
    if (is_there != NULL) *is_there = constructor != 0x40;
    switch (constructor) {
    case 0x40:
        skip_null(fields);
        return absent;
    case 0x41:
    case 0x42:
        skip_bytes(fields, 1);
        return constructor == 0x41;
    default:
        if (!read_field(fields, &value)) return absent;
        if (value.type != AMQP_BOOLEAN) fields->is_bad = true;
        return value.u != 0;
    }
}

rf_str field_binary(struct fields *fields)
{
    struct amqp_value value;
    if (next_constructor(fields) == 0x40) {
        skip_null(fields);
        return (rf_str){NULL, 0};
    }
    if (!read_field(fields, &value)) return (rf_str){NULL, 0};
    if (value.type != AMQP_BINARY) fields->is_bad = true;
    return value.bytes;
}

rf_str field_text(struct fields *fields)
{
    struct amqp_value value;
    if (next_constructor(fields) == 0x40) {
        skip_null(fields);
        return (rf_str){NULL, 0};
    }
    if (!read_field(fields, &value)) return (rf_str){NULL, 0};
    if (!amqp_is_text(&value) || !rf_utf8_valid(value.bytes)) fields->is_bad = true;
    return value.bytes;
}

struct amqp_value field_any(struct fields *fields)
{
    struct amqp_value value;
    if (next_constructor(fields) == 0x40) {
        skip_null(fields);
        return (struct amqp_value){.type = AMQP_NONE};
    }
    if (!read_field(fields, &value)) return (struct amqp_value){.type = AMQP_NONE};
    if (!amqp_check(value.whole)) fields->is_bad = true;
    return value;
}

/* A field that the server has no use for, but that must be well-formed. */
static void field_skip(struct fields *fields) { (void)field_any(fields); }

/* ---- performatives --------------------------------------------------------------------------------------------------- */

bool perf_open_read(struct fields *fields, struct perf_open *out)
{
    *out = (struct perf_open){.container = field_text(fields)};
    out->hostname = field_text(fields);
    out->frame_bytes_max = field_uint(fields, UINT32_MAX, NULL);
    out->channel_max = field_uint(fields, UINT16_MAX, NULL);
    out->idle_msec = field_uint(fields, 0, NULL);
    for (int i = 0; i < 4; i++) field_skip(fields); /* locales, capabilities */
    out->properties = field_any(fields);
    return !fields->is_bad && out->container.ptr != NULL;
}

bool perf_begin_read(struct fields *fields, struct perf_begin *out)
{
    bool has[3];
    *out = (struct perf_begin){0};
    (void)field_uint(fields, 0, &out->has_remote_channel);
    out->next_outgoing_id = field_uint(fields, 0, &has[0]);
    out->incoming_window = field_uint(fields, 0, &has[1]);
    out->outgoing_window = field_uint(fields, 0, &has[2]);
    out->handle_max = field_uint(fields, UINT32_MAX, NULL);
    for (int i = 0; i < 3; i++) field_skip(fields); /* capabilities, properties */
    return !fields->is_bad && has[0] && has[1] && has[2];
}

bool perf_attach_read(struct fields *fields, struct perf_attach *out)
{
    bool has_handle, has_role;
    *out = (struct perf_attach){.name = field_text(fields)};
    out->handle = field_uint(fields, 0, &has_handle);
    out->is_receiver = field_bool(fields, false, &has_role);
    out->sender_settles = field_uint(fields, 2, NULL);
    out->receiver_settles = field_uint(fields, 0, NULL);
    out->source = field_any(fields);
    out->target = field_any(fields);
    field_skip(fields); /* unsettled: nothing outlives a link here */
    (void)field_bool(fields, false, NULL);
    out->initial_delivery_count = field_uint(fields, 0, NULL);
    out->message_bytes_max = field_ulong(fields, 0);
    field_skip(fields);
    out->desired = field_any(fields);
    out->properties = field_any(fields);
    return !fields->is_bad && has_handle && has_role && out->name.ptr != NULL &&
           out->sender_settles <= 2 && out->receiver_settles <= 1;
}

bool perf_flow_read(struct fields *fields, struct perf_flow *out)
{
    bool has[3];
    *out = (struct perf_flow){0};
    out->next_incoming_id = field_uint(fields, 0, &out->has_next_incoming_id);
    out->incoming_window = field_uint(fields, 0, &has[0]);
    out->next_outgoing_id = field_uint(fields, 0, &has[1]);
    out->outgoing_window = field_uint(fields, 0, &has[2]);
    out->handle = field_uint(fields, 0, &out->has_handle);
    out->delivery_count = field_uint(fields, 0, &out->has_delivery_count);
    out->credit = field_uint(fields, 0, &out->has_credit);
    (void)field_uint(fields, 0, NULL); /* available */
    out->drain = field_bool(fields, false, NULL);
    out->echo = field_bool(fields, false, NULL);
    return !fields->is_bad && has[0] && has[1] && has[2];
}

bool perf_transfer_read(struct fields *fields, struct perf_transfer *out)
{
    bool has_handle;
    *out = (struct perf_transfer){0};
    out->handle = field_uint(fields, 0, &has_handle);
    out->delivery_id = field_uint(fields, 0, &out->has_delivery_id);
    rf_str tag = field_binary(fields);
    out->has_tag = tag.ptr != NULL;
    out->format = field_uint(fields, 0, NULL);
    out->is_settled = field_bool(fields, false, NULL);
    out->more = field_bool(fields, false, NULL);
    if (fields->left > 0) {
        (void)field_uint(fields, 0, NULL); /* how the receiver settles */
        field_skip(fields);                /* state */
        (void)field_bool(fields, false, NULL);
        out->is_aborted = field_bool(fields, false, NULL);
    }
    return !fields->is_bad && has_handle && tag.len <= 32;
}

bool perf_disposition_read(struct fields *fields, struct perf_disposition *out)
{
    bool has_role, has_first;
    *out = (struct perf_disposition){.is_receiver = field_bool(fields, false, &has_role)};
    out->first = field_uint(fields, 0, &has_first);
    out->last = field_uint(fields, out->first, NULL);
    out->is_settled = field_bool(fields, false, NULL);
    out->state = field_any(fields);
    return !fields->is_bad && has_role && has_first;
}

/* ---- writing --------------------------------------------------------------------------------------------------------- */

size_t frame_begin(struct rf_buf *buf, enum frame_type type, uint16_t channel)
{
    size_t start = buf->len;
    uint8_t head[FRAME_HEAD_BYTES] = {
        0, 0, 0, 0, 2, (uint8_t)type, (uint8_t)(channel >> 8), (uint8_t)channel};
    rf_buf_put(buf, head, sizeof head);
    return start;
}

size_t frame_end(struct rf_buf *buf, size_t start)
{
    if (buf->failed) return 0;
    size_t bytes = buf->len - start;
    amqp_set_u32(buf->ptr + start, (uint32_t)bytes);
    return bytes;
}
