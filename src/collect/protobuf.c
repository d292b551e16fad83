#include "collect/protobuf.h"

#include <inttypes.h>

#include "base/encode.h"
#include "value/text.h"

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct reader {
    const uint8_t *start, *at, *end;
    struct rf_arena *arena;
    struct rf_err *err;
};

static enum rf_kind bad(const struct reader *r, const char *what)
{
    return RF_FAIL(r->err, RF_INVALID, "BadProtobuf", "at byte %zu of the message: %s",
                   (size_t)(r->at - r->start), what);
}

static enum rf_kind read_varint(struct reader *r, uint64_t *out)
{
    uint64_t x = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (r->at == r->end) return bad(r, "a number is cut off");
        uint8_t byte = *r->at++;
        if (shift == 63 && byte > 1) break;
        x |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) != 0) continue;
        *out = x;
        return RF_OK;
    }
    return bad(r, "a number has more than 64 bits");
}

static enum rf_kind read_fixed(struct reader *r, size_t bytes, uint64_t *out)
{
    if ((size_t)(r->end - r->at) < bytes) return bad(r, "a number is cut off");
    *out = bytes == 8 ? rf_get_u64le(r->at) : rf_get_u32le(r->at);
    r->at += bytes;
    return RF_OK;
}

static enum rf_kind read_bytes(struct reader *r, rf_str *out)
{
    uint64_t len;
    RF_TRY(read_varint(r, &len));
    if (len > (uint64_t)(r->end - r->at)) return bad(r, "a length leads behind the end");
    *out = rf_str_make(r->at, (size_t)len);
    r->at += len;
    return RF_OK;
}

static enum wire_type wire_of(enum protobuf_kind kind)
{
    switch (kind) {
    case PROTOBUF_STRING:
    case PROTOBUF_HEX:
    case PROTOBUF_BASE64:
    case PROTOBUF_MESSAGE:
        return WIRE_BYTES;
    case PROTOBUF_FIXED32:
        return WIRE_32;
    case PROTOBUF_FIXED64:
    case PROTOBUF_SFIXED64:
    case PROTOBUF_DOUBLE:
        return WIRE_64;
    case PROTOBUF_BOOL:
    case PROTOBUF_INT:
    case PROTOBUF_UINT:
    case PROTOBUF_SINT:
        return WIRE_VARINT;
    }
    return WIRE_VARINT;
}

static enum rf_kind skip_value(struct reader *r, uint32_t wire)
{
    uint64_t number;
    rf_str bytes;
    switch (wire) {
    case WIRE_VARINT:
        return read_varint(r, &number);
    case WIRE_64:
        return read_fixed(r, 8, &number);
    case WIRE_BYTES:
        return read_bytes(r, &bytes);
    case WIRE_32:
        return read_fixed(r, 4, &number);
    default:
        return bad(r, "a field is of an unknown kind");
    }
}

static struct json_node *number_node(struct rf_arena *arena, rf_str text)
{
    struct json_node *node = text.ptr == NULL ? NULL : json_new(arena, JSON_T_NUMBER);
    if (node != NULL) node->text = text;
    return node;
}

static struct json_node *real_node(struct rf_arena *arena, uint64_t bits)
{
    double real;
    struct rf_buf buf = rf_buf_in(arena);
    memcpy(&real, &bits, sizeof real);
    text_put_real(&buf, real, true);
    if (buf.failed) return NULL;
    /* JSON has no NaN and no infinity. */
    bool finite = real - real == 0;
    return finite ? number_node(arena, rf_buf_view(&buf)) : json_new_text(arena, rf_buf_view(&buf));
}

/* NULL: memory. */
static struct json_node *scalar_node(struct rf_arena *arena, enum protobuf_kind kind, uint64_t bits)
{
    uint64_t zigzag = (bits >> 1) ^ (~(bits & 1) + 1);
    switch (kind) {
    case PROTOBUF_BOOL:
        return json_new_bool(arena, bits != 0);
    case PROTOBUF_DOUBLE:
        return real_node(arena, bits);
    case PROTOBUF_INT:
    case PROTOBUF_SFIXED64:
        return number_node(arena, rf_arena_printf(arena, "%" PRId64, (int64_t)bits));
    case PROTOBUF_SINT:
        return number_node(arena, rf_arena_printf(arena, "%" PRId64, (int64_t)zigzag));
    default:
        return number_node(arena, rf_arena_printf(arena, "%" PRIu64, bits));
    }
}

static enum rf_kind bytes_node(struct reader *r, const struct protobuf_field *field, rf_str bytes,
                               struct json_node **out)
{
    rf_str text = field->kind == PROTOBUF_HEX      ? hex_encode(r->arena, bytes)
                  : field->kind == PROTOBUF_BASE64 ? base64_encode(r->arena, bytes)
                                                   : bytes;
    if (field->kind == PROTOBUF_STRING && !rf_utf8_valid(bytes))
        return bad(r, "a text is not UTF-8");
    *out = text.ptr == NULL && text.len > 0 ? NULL : json_new_text(r->arena, text);
    return *out == NULL ? rf_fail_memory(r->err, r->arena) : RF_OK;
}

/* Sets a member, or appends to the list that it is. */
static enum rf_kind add_value(struct reader *r, struct json_node *object,
                              const struct protobuf_field *field, struct json_node *value)
{
    struct json_node *done;
    if (value == NULL) return rf_fail_memory(r->err, r->arena);
    if (field->repeated) {
        struct json_node *list = json_get(object, field->name);
        if (list == NULL)
            list = json_set(r->arena, object, rf_str_of(field->name),
                            json_new(r->arena, JSON_T_ARRAY));
        done = json_append(list, value);
    } else {
        done = json_set(r->arena, object, rf_str_of(field->name), value);
    }
    return done == NULL ? rf_fail_memory(r->err, r->arena) : RF_OK;
}

/* Numbers of a repeated field behind each other. */
static enum rf_kind read_packed(struct reader *r, struct json_node *object,
                                const struct protobuf_field *field)
{
    rf_str bytes;
    uint64_t bits;
    enum wire_type wire = wire_of(field->kind);
    RF_TRY(read_bytes(r, &bytes));
    struct reader inner = *r;
    inner.at = bytes.ptr;
    inner.end = bytes.ptr + bytes.len;
    while (inner.at < inner.end) {
        RF_TRY(wire == WIRE_VARINT ? read_varint(&inner, &bits)
                                   : read_fixed(&inner, wire == WIRE_64 ? 8 : 4, &bits));
        RF_TRY(add_value(&inner, object, field, scalar_node(r->arena, field->kind, bits)));
    }
    return RF_OK;
}

/* A message whose end is not reached. */
struct open_message {
    const struct protobuf_field *fields;
    struct json_node *object;
    const uint8_t *end;
};

static enum rf_kind open_message(struct reader *r, struct open_message *open, uint32_t *depth,
                                 const struct protobuf_field *field)
{
    rf_str bytes;
    RF_TRY(read_bytes(r, &bytes));
    if (*depth + 1 == PROTOBUF_DEPTH_MAX)
        return RF_FAIL(r->err, RF_LIMIT, "ProtobufTooDeep", "the message has more than %d levels",
                       PROTOBUF_DEPTH_MAX);
    struct json_node *object = NULL;
    /* What comes twice and is no list is merged, as the format has it. */
    if (!field->repeated) object = json_get(open[*depth].object, field->name);
    if (object == NULL) {
        object = json_new(r->arena, JSON_T_OBJECT);
        RF_TRY(add_value(r, open[*depth].object, field, object));
    }
    r->at = bytes.ptr;
    open[++*depth] = (struct open_message){field->message, object, bytes.ptr + bytes.len};
    return RF_OK;
}

static const struct protobuf_field *find_field(const struct protobuf_field *fields, uint64_t number)
{
    for (; fields->number != 0; fields++)
        if (fields->number == number) return fields;
    return NULL;
}

static enum rf_kind read_field(struct reader *r, struct open_message *open, uint32_t *depth)
{
    uint64_t tag, bits;
    rf_str bytes;
    RF_TRY(read_varint(r, &tag));
    uint32_t wire = (uint32_t)(tag & 7);
    if (tag >> 3 == 0 || tag >> 3 > (1u << 29) - 1) return bad(r, "a field has no number");
    struct json_node *object = open[*depth].object;
    const struct protobuf_field *field = find_field(open[*depth].fields, tag >> 3);
    if (field == NULL) return skip_value(r, wire);
    enum wire_type wanted = wire_of(field->kind);
    if (field->repeated && wanted != WIRE_BYTES && wire == WIRE_BYTES)
        return read_packed(r, object, field);
    if (wire != (uint32_t)wanted) return bad(r, "a field is of another kind than it should be");
    if (field->kind == PROTOBUF_MESSAGE) return open_message(r, open, depth, field);
    struct json_node *value = NULL;
    if (wanted == WIRE_BYTES) {
        RF_TRY(read_bytes(r, &bytes));
        RF_TRY(bytes_node(r, field, bytes, &value));
    } else {
        RF_TRY(wanted == WIRE_VARINT ? read_varint(r, &bits)
                                     : read_fixed(r, wanted == WIRE_64 ? 8 : 4, &bits));
        value = scalar_node(r->arena, field->kind, bits);
    }
    return add_value(r, object, field, value);
}

enum rf_kind protobuf_read(rf_str bytes, const struct protobuf_field *fields,
                           struct rf_arena *arena, struct json_node **out, struct rf_err *err)
{
    struct open_message open[PROTOBUF_DEPTH_MAX];
    struct json_node *root = json_new(arena, JSON_T_OBJECT);
    struct reader r = {bytes.ptr, bytes.ptr, bytes.ptr + bytes.len, arena, err};
    uint32_t depth = 0;
    if (root == NULL) return rf_fail_memory(err, arena);
    if (bytes.len == 0) {
        *out = root;
        return RF_OK;
    }
    open[0] = (struct open_message){fields, root, r.end};
    for (;;) {
        r.end = open[depth].end;
        if (r.at < r.end)
            RF_TRY(read_field(&r, open, &depth));
        else if (depth == 0)
            break;
        else
            depth--;
    }
    *out = root;
    return RF_OK;
}

static void put_raw_varint(struct rf_buf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) rf_buf_byte(out, (uint8_t)(value | 0x80));
    rf_buf_byte(out, (uint8_t)value);
}

void protobuf_put_varint(struct rf_buf *out, uint32_t number, uint64_t value)
{
    put_raw_varint(out, (uint64_t)number << 3 | WIRE_VARINT);
    put_raw_varint(out, value);
}

void protobuf_put_bytes(struct rf_buf *out, uint32_t number, rf_str bytes)
{
    put_raw_varint(out, (uint64_t)number << 3 | WIRE_BYTES);
    put_raw_varint(out, bytes.len);
    rf_buf_str(out, bytes);
}
