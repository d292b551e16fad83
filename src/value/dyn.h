/* dyn.h - the value inside a `dynamic`: one self-contained, position-independent run of bytes, so that
 * it can be hashed, stored, sliced and walked without parsing or pointers.
 *
 *   tag (1 byte)      then
 *   DYN_NULL          -
 *   DYN_FALSE/TRUE    -
 *   DYN_INT           8 bytes, int64 (within int32)
 *   DYN_LONG          8 bytes, int64
 *   DYN_REAL          8 bytes, double
 *   DYN_NUMTEXT       8 bytes double, u32 length, text: a JSON number whose text must come back as it
 *                     went in (1.10, 1e3, more than 19 digits); compares as the double
 *   DYN_DATETIME      8 bytes ticks
 *   DYN_TIMESPAN      8 bytes ticks
 *   DYN_GUID          16 bytes
 *   DYN_DECIMAL       16 bytes
 *   DYN_STRING        u32 length, text
 *   DYN_ARRAY         u32 count, u32 total bytes of what follows, u32 end offset of each element
 *                     (from the first element), elements
 *   DYN_BAG           u32 count, u32 total bytes of what follows, u32 end offset of each entry (from
 *                     the first entry), entries: u32 key length, key, value. Order is kept; a key
 *                     occurs once (a later one replaces an earlier one's value)
 *
 * Numbers are little endian and unaligned. Depth at most DYN_DEPTH_MAX. */
#ifndef RF_DYN_H
#define RF_DYN_H

#include "value/value.h"

enum dyn_tag {
    DYN_NULL,
    DYN_FALSE,
    DYN_TRUE,
    DYN_INT,
    DYN_LONG,
    DYN_REAL,
    DYN_NUMTEXT,
    DYN_DATETIME,
    DYN_TIMESPAN,
    DYN_GUID,
    DYN_DECIMAL,
    DYN_STRING,
    DYN_ARRAY,
    DYN_BAG
};
enum { DYN_DEPTH_MAX = 128 };

/* ---- reading: every view lives as long as the bytes of `d`; `d` must be well formed ------------- */

static inline enum dyn_tag dyn_tag(rf_str d)
{
    return d.len == 0 ? DYN_NULL : (enum dyn_tag)d.ptr[0];
}
static inline bool dyn_is_null(rf_str d) { return dyn_tag(d) == DYN_NULL; }
static inline bool dyn_is_number(rf_str d)
{
    return dyn_tag(d) >= DYN_INT && dyn_tag(d) <= DYN_NUMTEXT ? true : dyn_tag(d) == DYN_DECIMAL;
}
uint32_t dyn_count(rf_str d); /* elements of an array, entries of a bag, else 0 */
/* Element `index` of an array, negative from the end; DYN_NULL (empty rf_str) when absent. */
rf_str dyn_item(rf_str array, int64_t index);
/* Entry `index` (< dyn_count) of a bag. */
void dyn_entry(rf_str bag, uint32_t index, rf_str *key, rf_str *value);
/* Value under `key`; empty rf_str when absent or `bag` is no bag. */
rf_str dyn_get(rf_str bag, rf_str key);
/* `dyn_get` along a path of keys. */
rf_str dyn_string(rf_str d); /* text of a DYN_STRING, else empty */
int64_t dyn_i64(rf_str d);   /* INT, LONG, DATETIME, TIMESPAN as stored */
double dyn_real(rf_str d);   /* any number as double; nan for others */
/* The scalar as a typed value: BOOL, INT, LONG, REAL, DATETIME ...; arrays and bags give TYPE_DYNAMIC
 * itself, null a null dynamic. */
struct value dyn_to_value(rf_str d);
/* What gettype() says: "array", "dictionary", "long", "null" ... */
const char *dyn_type_name(rf_str d);

/* Order and equality: numbers compare by value across tags, bags without regard to key order. */
int dyn_cmp(rf_str a, rf_str b);
bool dyn_same(rf_str a, rf_str b);
uint64_t dyn_hash(rf_str d); /* agrees with dyn_same */
/* Checks bytes from outside (a file): tags, lengths, depth, UTF-8. */
bool dyn_valid(rf_str d);

/* Sorts `count` indexes by `order`, keeping those that are equal in their order; `scratch` has room
 * for as many. */
void dyn_sort(uint32_t *items, uint32_t *scratch, uint32_t count,
              int (*order)(const void *state, uint32_t a, uint32_t b), const void *state);

/* ---- writing ----------------------------------------------------------------------------------- */

/* Scalars append one encoded value to `buf`. */
void dyn_put_null(struct rf_buf *buf);
void dyn_put_bool(struct rf_buf *buf, bool b);
void dyn_put_int(struct rf_buf *buf, int64_t i);  /* DYN_INT */
void dyn_put_long(struct rf_buf *buf, int64_t i); /* DYN_LONG */
void dyn_put_real(struct rf_buf *buf, double r);
void dyn_put_string(struct rf_buf *buf, rf_str s);
void dyn_put_value(struct rf_buf *buf,
                   const struct value *v);          /* any scalar; dynamic is copied in */
void dyn_put_encoded(struct rf_buf *buf, rf_str d); /* copies an encoded value; empty is null */

/* Arrays and bags. The builder collects end offsets beside the elements:
 *   struct dyn_builder b; dyn_begin(&b, buf, DYN_ARRAY);
 *   dyn_next(&b); dyn_put_long(buf, 1); ... dyn_end(&b);
 * For a bag call dyn_key before each value; the caller makes keys unique or uses dyn_key_replace
 * semantics through dyn_bag_unique. Builders nest: a value may itself be begun and ended. */
struct dyn_builder {
    struct rf_buf *buf;
    size_t start; /* of the tag in buf */
    uint32_t *ends;
    uint32_t count, cap;
    uint8_t tag;
};
void dyn_begin(struct dyn_builder *b, struct rf_buf *buf, enum dyn_tag tag);
void dyn_next(struct dyn_builder *b);            /* before each element of an array */
void dyn_key(struct dyn_builder *b, rf_str key); /* before each value of a bag */
void dyn_end(struct dyn_builder *b);             /* writes the header; moves the elements once */
/* Like dyn_begin where it is known how many elements will follow, exactly: nothing moves and nothing
 * is allocated beside `buf`. */
void dyn_begin_counted(struct dyn_builder *b, struct rf_buf *buf, enum dyn_tag tag, uint32_t count);
/* Before dyn_end of a bag (not counted): of equal keys the first place stays, with the last value,
 * or with the first one's if keep_first. */
void dyn_bag_unique(struct dyn_builder *b, bool keep_first);
/* A value that would nest deeper than DYN_DEPTH_MAX becomes null at its dyn_end. */

/* The finished value of a buffer that holds just one encoded value. */
static inline rf_str dyn_done(const struct rf_buf *buf) { return (rf_str){buf->ptr, buf->len}; }

/* ---- JSON -------------------------------------------------------------------------------------- */

/* Parses JSON text into `buf`. Whole numbers become LONG (or NUMTEXT beyond int64), others REAL, or
 * NUMTEXT when the shortest print differs from the text. Strict RFC 8259; a repeated key keeps the
 * last value at the first place. Errors: RF_INVALID BadJson with the byte offset, RF_LIMIT
 * JsonTooDeep, MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind dyn_parse_json(rf_str json, struct rf_buf *buf, struct rf_err *err);
/* Appends one value from a reader: the one that comes next, or the one that `first` (the event just
 * read) begins. The reader then stands behind it. Errors as above. */
struct json_reader;
struct json_event;
RF_MUST_USE enum rf_kind dyn_read_json(struct json_reader *reader, const struct json_event *first,
                                       struct rf_buf *buf, struct rf_err *err);
/* parse_json() of KQL: JSON, or else the text itself as DYN_STRING, null when it is empty; false only
 * on lack of memory. */
bool dyn_from_text(rf_str text, struct rf_buf *buf);
/* JSON text without blanks: datetime, timespan, guid print as texts; reals always carry a point or an
 * exponent (2.0); nan and infinities as texts "NaN", "Infinity", "-Infinity". */
void dyn_put_json(rf_str d, struct rf_buf *buf);
/* The same with the keys of every bag in byte order: equal bags give equal texts. */
void dyn_put_json_sorted(rf_str d, struct rf_buf *buf);
/* tostring(): like dyn_put_json but a string or other scalar at the top prints bare, null as "". */
void dyn_put_text(rf_str d, struct rf_buf *buf);
/* One JSON string with quotes and escapes. */
void json_put_string(struct rf_buf *buf, rf_str s);

#endif
