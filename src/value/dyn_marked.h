/* dyn_marked.h - arrays and objects in marked lines of JSON to dynamic values in one pass: what checks is what encodes. */
#ifndef RF_DYN_MARKED_H
#define RF_DYN_MARKED_H

#include "base/json_marks.h"
#include "value/dyn.h"

/* How many entries the lists of the value before had: values of one column look alike, and a list of known length is
 * written to its place at once. */
enum { DYN_SHAPE_LISTS = 32 };
struct dyn_shape {
    uint8_t counts[DYN_SHAPE_LISTS];
};

struct dyn_marked;
/* Allocates in `arena`; NULL on lack of memory. */
struct dyn_marked *dyn_marked_new(struct rf_arena *arena);

/* Appends the array or object at `at`, whose first mark is at or behind **mark; the lines are well-formed UTF-8. Returns its end, and
 * moves *mark behind it. NULL, with `buf` and *mark as they were, when it is none that is read here (malformed, nested too
 * deep, with rare escapes or blanks): dyn_parse_json then decides; or, buf->failed, on lack of memory. Reads up to 64
 * bytes behind the lines. */
const uint8_t *dyn_read_marked(struct dyn_marked *reader, const struct json_marks *marks,
                               const uint8_t *at, const uint32_t **mark, struct dyn_shape *shape,
                               struct rf_buf *buf);

#endif
