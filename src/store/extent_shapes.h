/* extent_shapes.h - reading a column that is kept by the shapes of its values, and paths of dynamic columns. */
#ifndef RF_EXTENT_SHAPES_H
#define RF_EXTENT_SHAPES_H

#include "store/extent_int.h"
#include "store/shape.h"

/* The set of a column, read once for all cursors. */
struct extent_shapes {
    struct rf_arena arena;
    struct block_buf bytes;
    struct shape_set set;
    /* [inner column][code]: whether rows with the code have a value there. */
    bool has[SHAPE_LEAVES_MAX + 1][SHAPE_COUNT_MAX + 1];
};
/* Safe from any thread. */
RF_MUST_USE enum rf_kind extent_load_shapes(struct extent *e, uint32_t column,
                                            const struct extent_shapes **out, struct rf_err *err);
void extent_shapes_free(struct extent_shapes *shapes);

/* A path's values for the entries of a dictionary of dynamics or of a leaf's texts, and one null behind them. */
struct extent_path_dict {
    struct extent_path_dict *next;
    uint32_t column;
    struct rf_arena arena;
    rf_str *keys;
    uint32_t key_count, count; /* count: with the null */
    struct block_buf cells, nulls, bytes;
};
/* Made once for all cursors; lives as long as the extent. Safe from any thread. */
RF_MUST_USE enum rf_kind extent_load_path(struct extent *e, uint32_t column, const rf_str *keys,
                                          uint32_t key_count, const struct extent_path_dict **out,
                                          struct rf_err *err);
void extent_path_dicts_free(struct extent_path_dict *first);
/* As a vector by the entries' codes. */
struct vec extent_path_vec(const struct extent_path_dict *dict, const uint32_t *codes);
/* The values of a path at each of `count` rows of `whole`. */
RF_MUST_USE bool extent_walk(struct rf_arena *arena, const struct vec *whole, uint32_t count,
                             const rf_str *keys, uint32_t key_count, struct vec *out);

/* What one cursor holds of a column with shapes. */
struct shape_view;
RF_MUST_USE enum rf_kind shape_view_new(struct extent *e, uint32_t column,
                                        struct block_codec *codec, struct rf_arena *arena,
                                        struct shape_view **out, struct rf_err *err);
void shape_view_done(struct shape_view *view); /* NULL is fine */
/* A path to read, or with no keys the whole value. */
struct shape_want {
    const rf_str *keys;
    uint32_t key_count;
    struct shape_part parts[SHAPE_COUNT_MAX];
    size_t bytes[SHAPE_COUNT_MAX]; /* shape_part_bytes */
    uint32_t
        leaf; /* the one leaf that all parts are, with a dictionary; UINT32_MAX: it is not so */
};
RF_MUST_USE enum rf_kind shape_want_new(struct shape_view *view, const rf_str *keys,
                                        uint32_t key_count, struct rf_arena *arena,
                                        struct shape_want **out, struct rf_err *err);
/* Rows of a page (numbers within it, rising; NULL: the first row_count). Allocates in `arena`; values live as long as it, those of
 * dictionaries as long as the extent. */
RF_MUST_USE enum rf_kind shape_view_read(struct shape_view *view, const struct shape_want *want,
                                         uint32_t block, uint32_t page, const uint32_t *rows,
                                         uint32_t row_count, struct rf_arena *arena,
                                         struct vec *out, struct rf_err *err);

#endif
