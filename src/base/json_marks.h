/* json_marks.h - where strings begin, end and hold escapes in lines of JSON: found 64 bytes at a time, so that
 * what parses the lines never searches for the end of a string.
 *
 * A mark is the place of a quote that begins or ends a string, or of the backslash that begins an escape. The marks of a
 * line depend on that line alone: a line with an open string or with a control character in a string ends the
 * window before it, and is left to a parser that says what is wrong with it. Nothing else is checked: a line
 * may be no JSON, and then its marks mean nothing. */
#ifndef RF_JSON_MARKS_H
#define RF_JSON_MARKS_H

#include "base/rf.h"

enum {
    JSON_MARKS_BYTES = 32 << 10,                /* of a window at most */
    JSON_MARKS_ROOM = JSON_MARKS_BYTES + 2 * 64 /* items that must have room */
};

struct json_marks {
    uint32_t *items; /* the caller's; offsets from `base`, ascending */
    uint32_t count;
    const uint8_t *base, *end; /* whole lines, the last with its line end */
    bool utf8;                 /* they are well-formed UTF-8 as a whole */
};

/* Finds the marks of as many whole lines from `from` on as fit into a window: none when the first one does not, or ends the
 * window. 64 bytes behind `end` must be readable. */
void json_marks_find(struct json_marks *marks, const uint8_t *from, const uint8_t *end);
/* The same by one of the ways that this machine knows, 0 the one that all know: they must not differ. */
uint32_t json_marks_ways(void);
void json_marks_find_by(uint32_t way, struct json_marks *marks, const uint8_t *from,
                        const uint8_t *end);

/* The same for bytes that are no lines. The last one must be a line end; it may stand in a string, which then has no end: what reads
 * the marks stops there. Two more items than marks are set, which point to it. */
void json_marks_cut(struct json_marks *marks, const uint8_t *from, const uint8_t *end);

/* Passes the string whose opening quote is the mark (*mark)[0], checking its escapes. Returns its closing quote; NULL when an
 * escape is malformed, or the string has no end. */
const uint8_t *json_marked_string(const struct json_marks *marks, const uint32_t **mark);
/* Resolves the escapes of that string, `raw`, whose marks are those from `mark` on, into `out`, which has room
 * for raw.len + 16 bytes; returns the bytes written. */
size_t json_marked_unescape(const struct json_marks *marks, const uint32_t *mark, rf_str raw,
                            uint8_t *out);

#endif
