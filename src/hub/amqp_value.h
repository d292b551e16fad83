/* amqp_value.h - the type system of AMQP 1.0 (part 1) over bytes: a reader that gives views, a writer into an rf_buf, and the
 * sections of messages (part 3, section 3.2).
 *
 * Reading a value looks at its head and its length only; amqp_check looks at everything inside, and has been called
 * for what amqp_section_next returned. Nothing recurses, nothing is allocated, and a length that lies ends a read with false: then
 * the bytes are no AMQP (amqp:decode-error). */
#ifndef RF_HUB_AMQP_VALUE_H
#define RF_HUB_AMQP_VALUE_H

#include "base/rf.h"

enum {
    AMQP_NESTING_MAX = 32,        /* lists in maps in described values ... */
    AMQP_EMPTY_ITEMS_MAX = 65536, /* of an array whose elements take no bytes */
};

enum amqp_type {
    AMQP_NONE, /* no constructor of the standard */
    AMQP_NULL,
    AMQP_BOOLEAN,
    AMQP_UBYTE,
    AMQP_USHORT,
    AMQP_UINT,
    AMQP_ULONG,
    AMQP_BYTE,
    AMQP_SHORT,
    AMQP_INT,
    AMQP_LONG,
    AMQP_FLOAT,
    AMQP_DOUBLE,
    AMQP_DECIMAL32,
    AMQP_DECIMAL64,
    AMQP_DECIMAL128,
    AMQP_CHAR,
    AMQP_TIMESTAMP, /* milliseconds since 1970 UTC */
    AMQP_UUID,
    AMQP_BINARY,
    AMQP_STRING, /* UTF-8 */
    AMQP_SYMBOL, /* ASCII */
    AMQP_LIST,
    AMQP_MAP,
    AMQP_ARRAY,
    AMQP_DESCRIBED
};

struct amqp_value {
    enum amqp_type type;
    uint8_t constructor; /* the byte in front of it; of an array's items, that of the array */
    bool is_item;        /* of an array: `whole` has no constructor */
    uint32_t count;      /* items of a list or array; of a map keys and values together */
    union {
        uint64_t u; /* boolean (0, 1), ubyte, ushort, uint, ulong, char */
        int64_t i;  /* byte, short, int, long, timestamp */
        double real;
    };
    /* Binary, string, symbol, uuid, decimals: the content. List, map: the items' encodings. Array: the same, behind the constructor that
     * they share. Described: the encoding of the value behind the descriptor. */
    rf_str bytes;
    rf_str
        descriptor; /* of a described value: its encoding; of an array: of its items; may be empty */
    rf_str whole;   /* the value with all that belongs to it */
};

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* Takes one value off the front of `rest`; false and nothing changed: there is none, or it is cut or malformed. */
bool amqp_read(rf_str *rest, struct amqp_value *out);
/* True when `bytes` is one value, and all that is in it is well-formed: lengths, counts, UTF-8, nesting, keys with values. */
bool amqp_check(rf_str bytes);

/* The items of a list, map (key, value, key, value) or array; of any other value there are none. */
struct amqp_items {
    rf_str rest;
    uint32_t left;
    uint8_t constructor; /* of an array; else 0 */
    rf_str descriptor;
};
struct amqp_items amqp_items_of(const struct amqp_value *value);
/* False at the end; of a value that was not checked also when an item is malformed (then items->left is not 0). */
bool amqp_item(struct amqp_items *items, struct amqp_value *out);
/* The value behind the descriptor of a described one. */
bool amqp_inner(const struct amqp_value *described, struct amqp_value *out);
/* The descriptor as a number: what stands there, or, of one of the standard's names, its number; UINT64_MAX when it has none. */
uint64_t amqp_descriptor(const struct amqp_value *described);
/* The first value whose key is the symbol or string `key`. */
bool amqp_map_find(const struct amqp_value *map, rf_str key, struct amqp_value *out);

static inline bool amqp_is_text(const struct amqp_value *value) /* see value->bytes */
{
    return value->type == AMQP_STRING || value->type == AMQP_SYMBOL;
}
/* Any whole number's value; false: none, or it does not fit. */
bool amqp_as_i64(const struct amqp_value *value, int64_t *out);

/* ---- sections ---------------------------------------------------------------------------------------------------- */

enum amqp_section_code {
    AMQP_HEADER = 0x70,
    AMQP_DELIVERY_ANNOTATIONS = 0x71,
    AMQP_MESSAGE_ANNOTATIONS = 0x72,
    AMQP_PROPERTIES = 0x73,
    AMQP_APPLICATION_PROPERTIES = 0x74,
    AMQP_DATA = 0x75,
    AMQP_SEQUENCE = 0x76,
    AMQP_BODY_VALUE = 0x77,
    AMQP_FOOTER = 0x78
};
struct amqp_section {
    enum amqp_section_code code;
    struct amqp_value value; /* list, map, binary or, of AMQP_BODY_VALUE, any */
    rf_str whole;            /* descriptor included */
};
/* Takes the next section off the front of a message; false with message->len 0: that was all; else what is there is malformed,
 * no section, or not of its section's type. The order of sections is the caller's to judge. */
bool amqp_section_next(rf_str *message, struct amqp_section *out);

/* ---- writing: appends to `buf` in the shortest form; lack of memory shows in buf->failed ------------------------- */

void amqp_put_null(struct rf_buf *buf);
void amqp_put_bool(struct rf_buf *buf, bool value);
void amqp_put_ubyte(struct rf_buf *buf, uint8_t value);
void amqp_put_ushort(struct rf_buf *buf, uint16_t value);
void amqp_put_uint(struct rf_buf *buf, uint32_t value);
void amqp_put_ulong(struct rf_buf *buf, uint64_t value);
void amqp_put_short(struct rf_buf *buf, int16_t value);
void amqp_put_int(struct rf_buf *buf, int32_t value);
void amqp_put_long(struct rf_buf *buf, int64_t value);
void amqp_put_double(struct rf_buf *buf, double value);
void amqp_put_timestamp(struct rf_buf *buf, int64_t ms);
/* Lengths above 4 GiB are the caller's bug. */
void amqp_put_binary(struct rf_buf *buf, rf_str value);
void amqp_put_string(struct rf_buf *buf, rf_str value);
void amqp_put_symbol(struct rf_buf *buf, rf_str value);
void amqp_put_descriptor(struct rf_buf *buf, uint64_t code); /* the described value follows */
/* A list or map: returns where it begins; the items follow, then amqp_put_end with their count (of a map keys and values). Not for
 * arrays. May stand in each other. */
size_t amqp_put_begin(struct rf_buf *buf);
void amqp_put_end(struct rf_buf *buf, size_t start, enum amqp_type list_or_map, uint32_t count);
/* An array of binaries, strings or symbols. */
void amqp_put_array(struct rf_buf *buf, enum amqp_type type, const rf_str *items, uint32_t count);

/* ---- numbers as they lie there: most significant byte first ----------------------------------------------------- */

static inline uint16_t amqp_get_u16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t amqp_get_u32(const uint8_t *p) { return __builtin_bswap32(rf_get_u32le(p)); }
static inline uint64_t amqp_get_u64(const uint8_t *p) { return __builtin_bswap64(rf_get_u64le(p)); }
static inline void amqp_set_u32(uint8_t *p, uint32_t value)
{
    rf_put_u32le(p, __builtin_bswap32(value));
}

#endif
