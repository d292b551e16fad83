/* json.h - a strict pull reader for JSON text (RFC 8259), and the writer of one JSON string.
 *
 *   struct json_reader reader;
 *   json_reader_init(&reader, text);
 *   do RF_TRY(json_next(&reader, &event, err)); while (event.kind != JSON_END);
 *
 * Nothing is allocated: texts are views into the input. Rejected are malformed UTF-8, control
 * characters inside strings, leading zeros, trailing commas, comments, a byte order mark, more than
 * one value (unless asked for) and depth over JSON_DEPTH_MAX. An escaped lone surrogate is read as
 * U+FFFD. What to do about repeated keys is left to the caller.
 *
 * Errors: RF_INVALID BadJson, whose text names the byte offset (also json_offset), RF_LIMIT
 * JsonTooDeep. After an error only json_offset may be called. */
#ifndef RF_JSON_H
#define RF_JSON_H

#include "base/rf.h"

enum { JSON_DEPTH_MAX = 128 };

enum json_kind {
    JSON_END, /* nothing but white space is left */
    JSON_OBJECT_BEGIN,
    JSON_OBJECT_END,
    JSON_ARRAY_BEGIN,
    JSON_ARRAY_END,
    JSON_KEY, /* its value comes next */
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL
};

struct json_event {
    enum json_kind kind;
    bool escaped; /* KEY, STRING: `text` holds escapes; json_unescape resolves them */
    bool whole;   /* NUMBER: neither fraction nor exponent */
    rf_str text;  /* KEY, STRING: what stands between the quotes; NUMBER: as written */
};

struct json_reader {
    const uint8_t *start, *at, *end;
    const char *wrong; /* what json_next stumbled over */
    uint32_t depth;    /* containers that are open */
    uint8_t expect;
    bool many;
    uint64_t objects[JSON_DEPTH_MAX / 64]; /* bit d: the container at depth d is an object */
};

/* Reads the one value of `text`, which must outlive the reader and its events. */
void json_reader_init(struct json_reader *reader, rf_str text);
/* Reads value after value, such as JSON lines; JSON_END comes after the last. */
void json_reader_init_many(struct json_reader *reader, rf_str text);
RF_MUST_USE enum rf_kind json_next(struct json_reader *reader, struct json_event *event,
                                   struct rf_err *err);
/* Passes over the value that must come next (after a JSON_KEY, say), checking it as json_next
 * would. text: set to a view of the value; may be NULL. */
RF_MUST_USE enum rf_kind json_skip_value(struct json_reader *reader, rf_str *text,
                                         struct rf_err *err);
/* Passes over the rest of the innermost open container, its end included. */
RF_MUST_USE enum rf_kind json_skip_container(struct json_reader *reader, struct rf_err *err);
/* Where the reader stands, in bytes from the start of the text; after an error, where that is. */
static inline size_t json_offset(const struct json_reader *reader)
{
    return (size_t)(reader->at - reader->start);
}

/* Resolves the escapes of a text from an event into `out`, which has room for raw.len bytes;
 * returns the bytes written. The result is well-formed UTF-8. */
size_t json_unescape(rf_str raw, uint8_t *out);
/* The text of a KEY or STRING: the view itself when it has no escapes, else made in `arena`. False
 * on lack of memory. */
bool json_text(const struct json_event *event, struct rf_arena *arena, rf_str *out);
/* Value of a whole number of an event; false when it lies outside int64. */
bool json_number_i64(rf_str number, int64_t *out);

/* Appends `s` as one JSON string with quotes and escapes; malformed UTF-8 becomes U+FFFD. */
void json_put_string(struct rf_buf *buf, rf_str s);

#endif
