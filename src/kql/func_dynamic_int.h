/* func_dynamic_int.h - what the families of dynamics, arrays and bags share. */
#ifndef RF_FUNC_DYNAMIC_INT_H
#define RF_FUNC_DYNAMIC_INT_H

#include "kql/func_families.h"
#include "value/dyn.h"

enum { ARRAY_COUNT_MAX = 1048576 }; /* what range() and repeat() make at most */

/* ---- arguments ------------------------------------------------------------------------------- */

/* A dynamic argument; empty, which reads as null, where it is null. */
static inline rf_str arg_dyn(const struct vec *v, uint32_t row)
{
    return ARG_NULL(v, row) ? (rf_str){NULL, 0} : ARG_STR(v, row);
}
/* Any argument encoded: a view of a dynamic, else made anew in `scratch`. False on lack of
 * memory. */
bool arg_encode(const struct vec *v, uint32_t row, struct rf_buf *scratch, rf_str *out);
/* Appends any argument to `buf`. */
void arg_put(const struct vec *v, uint32_t row, struct rf_buf *buf);
static inline bool arg_is_array(rf_str d) { return dyn_tag(d) == DYN_ARRAY; }

/* ---- results --------------------------------------------------------------------------------- */

/* Dynamic results of one batch lie in one buffer, so that a row costs no allocation of its own:
 *   struct dyn_rows rows = dyn_rows_begin(call, out);
 *   for each row: write one value to &rows.buf, or nothing for null; dyn_rows_next(&rows, i);
 *   return dyn_rows_end(&rows, count, err); */
struct dyn_rows {
    struct rf_buf buf;
    struct vec *out;
    size_t start; /* of the present row in buf */
};
struct dyn_rows dyn_rows_begin(struct func_call *call, struct vec *out);
void dyn_rows_next(struct dyn_rows *rows, uint32_t row);
enum rf_kind dyn_rows_end(struct dyn_rows *rows, uint32_t count, struct rf_err *err);
/* The same for string results. */
void text_rows_next(struct dyn_rows *rows, uint32_t row);

/* ---- paths: $.a['b'][0] ---------------------------------------------------------------------- */

enum { DYN_PATH_STEPS_MAX = 64 };
struct dyn_path {
    uint32_t count;
    struct {
        rf_str key;    /* ptr NULL: `index` counts */
        int64_t index; /* negative from the end */
    } steps[DYN_PATH_STEPS_MAX];
};
/* Reads a JSON path; the keys are views of `text`. False when it is none, or one with wildcards and
 * the like, which are not supported. */
bool dyn_path_parse(rf_str text, struct dyn_path *path);
/* A key as the bag functions take it: a path when it starts with "$.", "$[", else the key
 * itself. */
bool dyn_path_of_key(rf_str key, struct dyn_path *path);
/* The value at the path; empty when there is none. */
rf_str dyn_path_get(rf_str d, const struct dyn_path *path);

/* ---- sets of encoded values ------------------------------------------------------------------ */

struct dyn_set {
    struct rf_arena *arena;
    rf_str *items;
    uint64_t *hashes;
    uint32_t *slots; /* item index + 1, 0 is free */
    uint32_t count, slot_count;
};
/* An empty set with room for `count_max` items, which are borrowed. False on lack of memory. */
bool dyn_set_init(struct dyn_set *set, struct rf_arena *arena, uint64_t count_max);
bool dyn_set_has(const struct dyn_set *set, rf_str item);
/* Adds `item`; false when it was there. */
bool dyn_set_add(struct dyn_set *set, rf_str item);

#endif
