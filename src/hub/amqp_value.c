#include "hub/amqp_value.h"

/* ---- constructors (part 1, section 1.6) -------------------------------------------------------------------------- */

static const uint8_t types[256] = {
    [0x00] = AMQP_DESCRIBED, [0x40] = AMQP_NULL,      [0x41] = AMQP_BOOLEAN,
    [0x42] = AMQP_BOOLEAN,   [0x43] = AMQP_UINT,      [0x44] = AMQP_ULONG,
    [0x45] = AMQP_LIST,      [0x50] = AMQP_UBYTE,     [0x51] = AMQP_BYTE,
    [0x52] = AMQP_UINT,      [0x53] = AMQP_ULONG,     [0x54] = AMQP_INT,
    [0x55] = AMQP_LONG,      [0x56] = AMQP_BOOLEAN,   [0x60] = AMQP_USHORT,
    [0x61] = AMQP_SHORT,     [0x70] = AMQP_UINT,      [0x71] = AMQP_INT,
    [0x72] = AMQP_FLOAT,     [0x73] = AMQP_CHAR,      [0x74] = AMQP_DECIMAL32,
    [0x80] = AMQP_ULONG,     [0x81] = AMQP_LONG,      [0x82] = AMQP_DOUBLE,
    [0x83] = AMQP_TIMESTAMP, [0x84] = AMQP_DECIMAL64, [0x94] = AMQP_DECIMAL128,
    [0x98] = AMQP_UUID,      [0xa0] = AMQP_BINARY,    [0xa1] = AMQP_STRING,
    [0xa3] = AMQP_SYMBOL,    [0xb0] = AMQP_BINARY,    [0xb1] = AMQP_STRING,
    [0xb3] = AMQP_SYMBOL,    [0xc0] = AMQP_LIST,      [0xc1] = AMQP_MAP,
    [0xd0] = AMQP_LIST,      [0xd1] = AMQP_MAP,       [0xe0] = AMQP_ARRAY,
    [0xf0] = AMQP_ARRAY,
};

/* The upper half of a constructor tells how its content is laid out. */
static bool is_fixed(uint8_t constructor) { return constructor >= 0x40 && constructor < 0xa0; }

static size_t fixed_bytes(uint8_t constructor)
{
    static const uint8_t bytes[] = {0, 1, 2, 4, 8, 16}; /* 0x4_ .. 0x9_ */
    return bytes[(constructor >> 4) - 4];
}

/* All that is neither fixed nor described begins with a length of one byte, or of four. */
static size_t length_bytes(uint8_t constructor) { return (constructor & 0x10) != 0 ? 4 : 1; }

static uint32_t get_length(const uint8_t *p, size_t bytes)
{
    return bytes == 1 ? *p : amqp_get_u32(p);
}

/* How many bytes of `rest` the content takes; SIZE_MAX when it is cut or the constructor is none. */
static size_t content_bytes(uint8_t constructor, rf_str rest)
{
    size_t bytes;
    if (constructor == 0 || types[constructor] == AMQP_NONE) return SIZE_MAX;
    if (is_fixed(constructor)) {
        bytes = fixed_bytes(constructor);
    } else {
        size_t head = length_bytes(constructor);
        if (rest.len < head) return SIZE_MAX;
        bytes = head + (size_t)get_length(rest.ptr, head);
    }
    return bytes <= rest.len ? bytes : SIZE_MAX;
}

/* Bytes of the value at the start of `rest`, descriptors included; SIZE_MAX when there is none. A descriptor is a value and may be
 * described itself: what is still to come is counted instead of calling itself. */
static size_t value_bytes(rf_str rest)
{
    size_t at = 0;
    uint32_t pending = 1;
    while (pending > 0) {
        if (at >= rest.len) return SIZE_MAX;
        uint8_t constructor = rest.ptr[at++];
        if (constructor == 0) {
            if (++pending > AMQP_NESTING_MAX) return SIZE_MAX;
            continue;
        }
        size_t bytes = content_bytes(constructor, rf_slice(rest, at, rest.len));
        if (bytes == SIZE_MAX) return SIZE_MAX;
        at += bytes;
        pending--;
    }
    return at;
}

/* ---- contents ----------------------------------------------------------------------------------------------------- */

static double real_of(uint8_t constructor, const uint8_t *p)
{
    if (constructor == 0x72) {
        float real32;
        uint32_t bits = amqp_get_u32(p);
        memcpy(&real32, &bits, sizeof real32);
        return (double)real32;
    }
    double real64;
    uint64_t bits = amqp_get_u64(p);
    memcpy(&real64, &bits, sizeof real64);
    return real64;
}

static uint64_t unsigned_of(rf_str content)
{
    switch (content.len) {
    case 1:
        return content.ptr[0];
    case 2:
        return amqp_get_u16(content.ptr);
    case 4:
        return amqp_get_u32(content.ptr);
    case 8:
        return amqp_get_u64(content.ptr);
    default:
        return 0;
    }
}

static int64_t signed_of(rf_str content)
{
    switch (content.len) {
    case 1:
        return (int8_t)content.ptr[0];
    case 2:
        return (int16_t)amqp_get_u16(content.ptr);
    case 4:
        return (int32_t)amqp_get_u32(content.ptr);
    default:
        return (int64_t)amqp_get_u64(content.ptr);
    }
}

static bool read_fixed(struct amqp_value *out)
{
    rf_str content = out->bytes;
    switch (out->type) {
    case AMQP_BOOLEAN:
        out->u = content.len == 0 ? out->constructor == 0x41 : content.ptr[0];
        return out->u <= 1;
    case AMQP_CHAR:
        out->u = unsigned_of(content);
        return out->u <= 0x10ffff;
    case AMQP_BYTE:
    case AMQP_SHORT:
    case AMQP_INT:
    case AMQP_LONG:
    case AMQP_TIMESTAMP:
        out->i = signed_of(content);
        return true;
    case AMQP_FLOAT:
    case AMQP_DOUBLE:
        out->real = real_of(out->constructor, content.ptr);
        return true;
    case AMQP_UBYTE:
    case AMQP_USHORT:
    case AMQP_UINT:
    case AMQP_ULONG:
        out->u = unsigned_of(content);
        return true;
    default: /* null, list0, decimals, uuid */
        return true;
    }
}

/* The constructor that an array's items share, and the descriptor in front of it. Descriptors of descriptors are not taken here:
 * nobody sends them, and an item of such an array could not be shown as a value. */
static bool read_array_head(struct amqp_value *out)
{
    rf_str rest = out->bytes;
    out->descriptor = (rf_str){NULL, 0};
    if (rest.len == 0) return out->count == 0; /* some leave an empty array's constructor out */
    if (rest.ptr[0] == 0) {
        size_t bytes = value_bytes(rf_slice(rest, 1, rest.len));
        if (bytes == SIZE_MAX || 1 + bytes >= rest.len) return false;
        out->descriptor = rf_slice(rest, 1, 1 + bytes);
        rest = rf_slice(rest, 1 + bytes, rest.len);
    }
    uint8_t constructor = rest.ptr[0];
    if (constructor == 0 || types[constructor] == AMQP_NONE) return false;
    out->bytes = rf_slice(rest, 1, rest.len);
    if (is_fixed(constructor) && fixed_bytes(constructor) == 0)
        return out->count <= AMQP_EMPTY_ITEMS_MAX && out->bytes.len == 0;
    return out->count <= out->bytes.len;
}

/* A list, map or array: the length covers the count. Each item of a list takes a byte at least, so a count that lies is seen here. */
static bool read_compound(struct amqp_value *out, size_t head)
{
    if (out->bytes.len < head) return false;
    out->count = get_length(out->bytes.ptr, head);
    out->bytes = rf_slice(out->bytes, head, out->bytes.len);
    if (out->type == AMQP_ARRAY) return read_array_head(out);
    return out->count <= out->bytes.len && (out->type != AMQP_MAP || out->count % 2 == 0);
}

static bool read_content(uint8_t constructor, rf_str *rest, struct amqp_value *out)
{
    size_t bytes = content_bytes(constructor, *rest);
    if (bytes == SIZE_MAX) return false;
    *out = (struct amqp_value){.type = (enum amqp_type)types[constructor],
                               .constructor = constructor,
                               .bytes = rf_slice(*rest, 0, bytes),
                               .whole = rf_slice(*rest, 0, bytes)};
    if (is_fixed(constructor)) {
        if (!read_fixed(out)) return false;
    } else {
        size_t head = length_bytes(constructor);
        out->bytes = rf_slice(out->bytes, head, bytes);
        if (constructor >= 0xc0 && !read_compound(out, head)) return false;
    }
    *rest = rf_slice(*rest, bytes, rest->len);
    return true;
}

static bool read_described(rf_str *rest, struct amqp_value *out)
{
    size_t bytes = value_bytes(*rest);
    if (bytes == SIZE_MAX) return false;
    rf_str whole = rf_slice(*rest, 0, bytes);
    size_t descriptor = value_bytes(rf_slice(whole, 1, bytes));
    *out = (struct amqp_value){.type = AMQP_DESCRIBED,
                               .descriptor = rf_slice(whole, 1, 1 + descriptor),
                               .bytes = rf_slice(whole, 1 + descriptor, bytes),
                               .whole = whole};
    *rest = rf_slice(*rest, bytes, rest->len);
    return true;
}

bool amqp_read(rf_str *rest, struct amqp_value *out)
{
    if (rest->len == 0) return false;
    if (rest->ptr[0] == 0) return read_described(rest, out);
    rf_str content = rf_slice(*rest, 1, rest->len);
    if (!read_content(rest->ptr[0], &content, out)) return false;
    out->whole = rf_str_make(out->whole.ptr - 1, out->whole.len + 1);
    *rest = content;
    return true;
}

/* ---- items -------------------------------------------------------------------------------------------------------- */

struct amqp_items amqp_items_of(const struct amqp_value *value)
{
    struct amqp_items items = {.rest = value->bytes, .left = value->count};
    if (value->type != AMQP_ARRAY) return items;
    items.constructor = value->bytes.ptr[-1]; /* read_array_head has seen to it */
    items.descriptor = value->descriptor;
    return items;
}

bool amqp_item(struct amqp_items *items, struct amqp_value *out)
{
    if (items->left == 0) return false;
    if (items->constructor == 0) {
        if (!amqp_read(&items->rest, out)) return false;
    } else {
        if (!read_content(items->constructor, &items->rest, out)) return false;
        out->is_item = true;
        if (items->descriptor.len > 0) {
            out->type = AMQP_DESCRIBED;
            out->bytes = out->whole;
            out->descriptor = items->descriptor;
        }
    }
    items->left--;
    return true;
}

bool amqp_inner(const struct amqp_value *described, struct amqp_value *out)
{
    rf_str rest = described->bytes;
    if (described->type != AMQP_DESCRIBED) return false;
    if (!described->is_item) return amqp_read(&rest, out);
    if (!read_content(described->constructor, &rest, out)) return false;
    out->is_item = true;
    return true;
}

static uint64_t number_of_name(rf_str name)
{
    static const struct {
        const char *name;
        uint8_t number;
    } names[] = {
        {"amqp:open:list", 0x10},
        {"amqp:begin:list", 0x11},
        {"amqp:attach:list", 0x12},
        {"amqp:flow:list", 0x13},
        {"amqp:transfer:list", 0x14},
        {"amqp:disposition:list", 0x15},
        {"amqp:detach:list", 0x16},
        {"amqp:end:list", 0x17},
        {"amqp:close:list", 0x18},
        {"amqp:error:list", 0x1d},
        {"amqp:received:list", 0x23},
        {"amqp:accepted:list", 0x24},
        {"amqp:rejected:list", 0x25},
        {"amqp:released:list", 0x26},
        {"amqp:modified:list", 0x27},
        {"amqp:source:list", 0x28},
        {"amqp:target:list", 0x29},
        {"amqp:sasl-mechanisms:list", 0x40},
        {"amqp:sasl-init:list", 0x41},
        {"amqp:sasl-challenge:list", 0x42},
        {"amqp:sasl-response:list", 0x43},
        {"amqp:sasl-outcome:list", 0x44},
        {"amqp:header:list", 0x70},
        {"amqp:delivery-annotations:map", 0x71},
        {"amqp:message-annotations:map", 0x72},
        {"amqp:properties:list", 0x73},
        {"amqp:application-properties:map", 0x74},
        {"amqp:data:binary", 0x75},
        {"amqp:amqp-sequence:list", 0x76},
        {"amqp:amqp-value:*", 0x77},
        {"amqp:footer:map", 0x78},
    };
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (rf_str_is(name, names[i].name)) return names[i].number;
    return UINT64_MAX;
}

uint64_t amqp_descriptor(const struct amqp_value *described)
{
    struct amqp_value value;
    rf_str rest = described->descriptor;
    if (!amqp_read(&rest, &value)) return UINT64_MAX;
    if (value.type == AMQP_ULONG) return value.u;
    return value.type == AMQP_SYMBOL ? number_of_name(value.bytes) : UINT64_MAX;
}

bool amqp_map_find(const struct amqp_value *map, rf_str key, struct amqp_value *out)
{
    struct amqp_items items = amqp_items_of(map);
    struct amqp_value name, value;
    if (map->type != AMQP_MAP) return false;
    while (amqp_item(&items, &name) && amqp_item(&items, &value)) {
        if (!amqp_is_text(&name) || !rf_str_eq(name.bytes, key)) continue;
        *out = value;
        return true;
    }
    return false;
}

bool amqp_as_i64(const struct amqp_value *value, int64_t *out)
{
    switch (value->type) {
    case AMQP_UBYTE:
    case AMQP_USHORT:
    case AMQP_UINT:
    case AMQP_ULONG:
        *out = (int64_t)value->u;
        return value->u <= INT64_MAX;
    case AMQP_BYTE:
    case AMQP_SHORT:
    case AMQP_INT:
    case AMQP_LONG:
        *out = value->i;
        return true;
    default:
        return false;
    }
}

/* ---- checking ------------------------------------------------------------------------------------------------------ */

static bool is_ascii(rf_str text)
{
    uint8_t any = 0;
    for (size_t i = 0; i < text.len; i++) any |= text.ptr[i];
    return any < 0x80;
}

/* Items whose bytes may be anything, and whose length alone tells that the array is right. */
static bool is_plain_array(const struct amqp_value *array)
{
    uint8_t constructor = array->bytes.ptr[-1];
    return is_fixed(constructor) && types[constructor] != AMQP_BOOLEAN &&
           types[constructor] != AMQP_CHAR && array->descriptor.len == 0;
}

/* What has been begun and is to be looked at. */
struct check {
    struct amqp_items stack[AMQP_NESTING_MAX];
    uint32_t depth;
};

static bool descend(struct check *check, struct amqp_items items)
{
    if (check->depth == AMQP_NESTING_MAX) return false;
    check->stack[check->depth++] = items;
    return true;
}

static bool check_described(struct check *check, const struct amqp_value *value)
{
    struct amqp_value inner;
    if (!value->is_item) /* descriptor and value lie behind each other */
        return descend(check, (struct amqp_items){
                                  .rest = rf_slice(value->whole, 1, value->whole.len), .left = 2});
    if (!amqp_inner(value, &inner)) return false;
    struct amqp_items items = {.rest = value->bytes, .left = 1, .constructor = value->constructor};
    return descend(check, items);
}

static bool check_one(struct check *check, const struct amqp_value *value)
{
    switch (value->type) {
    case AMQP_STRING:
        return rf_utf8_valid(value->bytes);
    case AMQP_SYMBOL:
        return is_ascii(value->bytes);
    case AMQP_LIST:
    case AMQP_MAP:
        return descend(check, amqp_items_of(value));
    case AMQP_ARRAY:
        if (value->descriptor.len > 0 &&
            !descend(check, (struct amqp_items){.rest = value->descriptor, .left = 1}))
            return false;
        if (is_plain_array(value))
            return fixed_bytes(value->bytes.ptr[-1]) * (uint64_t)value->count == value->bytes.len;
        return descend(check, amqp_items_of(value));
    case AMQP_DESCRIBED:
        return check_described(check, value);
    default:
        return true;
    }
}

bool amqp_check(rf_str bytes)
{
    struct check check;
    struct amqp_value value;
    check.stack[0] = (struct amqp_items){.rest = bytes, .left = 1};
    check.depth = 1;
    while (check.depth > 0) {
        struct amqp_items *top = &check.stack[check.depth - 1];
        if (top->left == 0) {
            if (top->rest.len > 0) return false; /* more bytes than items */
            check.depth--;
        } else if (!amqp_item(top, &value) || !check_one(&check, &value)) {
            return false;
        }
    }
    return true;
}

/* ---- sections ------------------------------------------------------------------------------------------------------ */

static bool has_type_of_section(uint64_t code, enum amqp_type type)
{
    switch (code) {
    case AMQP_HEADER:
    case AMQP_PROPERTIES:
    case AMQP_SEQUENCE:
        return type == AMQP_LIST;
    case AMQP_DELIVERY_ANNOTATIONS:
    case AMQP_MESSAGE_ANNOTATIONS:
    case AMQP_APPLICATION_PROPERTIES:
    case AMQP_FOOTER:
        return type == AMQP_MAP;
    case AMQP_DATA:
        return type == AMQP_BINARY;
    case AMQP_BODY_VALUE:
        return true;
    default:
        return false;
    }
}

bool amqp_section_next(rf_str *message, struct amqp_section *out)
{
    rf_str rest = *message;
    struct amqp_value section, value;
    if (!amqp_read(&rest, &section) || !amqp_inner(&section, &value)) return false;
    uint64_t code = amqp_descriptor(&section);
    if (!has_type_of_section(code, value.type)) return false;
    if (code != AMQP_DATA && !amqp_check(section.whole)) return false;
    *out = (struct amqp_section){
        .code = (enum amqp_section_code)code, .value = value, .whole = section.whole};
    *message = rest;
    return true;
}
