#include "store/extent_shapes.h"

#include "store/block_int.h"
#include "store/term_index.h"

/* The head repeats what the trailer says, for a person who looks at the file; nothing else reads it. */
static enum rf_kind verify_header(struct extent *e, struct rf_err *err)
{
    uint8_t header[EXTENT_HEADER_BYTES], check[16];
    RF_TRY(rf_file_pread_all(e->file, header, sizeof header, 0, err));
    extent_checksum(header, 48, check);
    bool good = memcmp(header, extent_magic, 8) == 0 &&
                memcmp(check, header + 48, sizeof check) == 0 &&
                rf_get_u32le(header + 8) == EXTENT_VERSION &&
                memcmp(header + 16, e->crypt.id, EXTENT_ID_BYTES) == 0;
    if (good) return RF_OK;
    struct extent_region region = {.bytes = EXTENT_HEADER_BYTES};
    return extent_fault(e, &region, block_corrupt(err, "the header is bad"), err);
}

/* Counts what the block's header claims: nulls, and the range of numbers. */
struct seen {
    uint32_t nulls;
    bool in_range;
};

static void look_at_page(const void *cells, const uint8_t *nulls, const struct extent_col *c,
                         const struct extent_block *b, const uint8_t *dict_nulls, uint32_t rows,
                         struct seen *seen)
{
    const int64_t *ints = cells;
    const double *reals = cells;
    const uint32_t *codes = cells;
    bool ranged = (b->flags & EXTENT_BLOCK_HAS_RANGE) != 0;
    double min, max;
    memcpy(&min, b->min, sizeof min);
    memcpy(&max, b->max, sizeof max);
    for (uint32_t i = 0; i < rows; i++) {
        bool null = c->storage == EXTENT_DICT ? dict_nulls != NULL && dict_nulls[codes[i]] != 0
                                              : nulls != NULL && nulls[i] != 0;
        seen->nulls += null;
        if (null || !ranged || c->storage != EXTENT_CELLS || c->type == TYPE_BOOL) continue;
        if (c->type == TYPE_REAL)
            seen->in_range &= reals[i] >= min && reals[i] <= max;
        else
            seen->in_range &= ints[i] >= (int64_t)rf_get_u64le(b->min) &&
                              ints[i] <= (int64_t)rf_get_u64le(b->max);
    }
}

static enum rf_kind verify_block(struct extent_pages *pages, uint32_t block,
                                 const uint8_t *dict_nulls, struct rf_err *err)
{
    struct extent *e = pages->extent;
    const struct extent_col *c = &e->columns[pages->column];
    const struct extent_block *b = &c->blocks[block];
    struct seen seen = {0, true};
    uint32_t rows;
    for (uint32_t page = 0; page * BLOCK_PAGE_ROWS < b->rows; page++) {
        RF_TRY(extent_pages_load(pages, block, page, &rows, err));
        const void *cells = pages->cells.ptr;
        const uint8_t *nulls = extent_pages_nulls(pages);
        if (c->storage == EXTENT_TEXTS)
            RF_TRY(extent_pages_texts(pages, NULL, rows, &cells, &nulls, err));
        look_at_page(cells, nulls, c, b, dict_nulls, rows, &seen);
    }
    if (seen.nulls != b->nulls)
        return extent_fault(e, &b->region, block_corrupt(err, "its header counts other nulls"),
                            err);
    if (!seen.in_range)
        return extent_fault(e, &b->region,
                            block_corrupt(err, "a value is outside the range of its header"), err);
    return RF_OK;
}

static enum rf_kind verify_terms(struct extent *e, const struct extent_col *c,
                                 struct rf_budget *budget, uint64_t *blocks_read,
                                 struct rf_err *err)
{
    struct block_buf head = block_buf_in(budget), body = head;
    rf_str bytes, unused;
    enum rf_kind kind = extent_read_region(e, &c->terms, &head, &bytes, err);
    if (kind == RF_OK) {
        struct block_reader r = {bytes, 0, false};
        uint64_t granules = block_take_u32(&r), rows = block_take_u32(&r),
                 rows_each = block_take_u32(&r);
        (void)block_take(&r, granules);
        if (r.failed || rows_each == 0)
            kind = block_corrupt(err, "the index of terms has a bad head");
        for (uint64_t row = 0; kind == RF_OK && row < rows; row += rows_each, ++*blocks_read) {
            const uint8_t *at = block_take(&r, EXTENT_REGION_BYTES);
            if (at == NULL) kind = block_corrupt(err, "the index of terms is cut short");
            if (at == NULL) break;
            struct extent_region region = extent_region_at(at);
            kind = extent_read_region(e, &region, &body, &unused, err);
            uint64_t want = RF_MIN(rows_each, rows - row) * granules * TERM_INDEX_WORD_BYTES;
            if (kind == RF_OK && unused.len != want)
                kind = block_corrupt(err, "a part of the index of terms is cut short");
        }
        kind = extent_fault(e, &c->terms, kind, err);
    }
    block_buf_done(&head);
    block_buf_done(&body);
    return kind;
}

/* Puts every value together. */
static enum rf_kind verify_shapes_block(struct shape_view *view, const struct shape_want *want,
                                        const struct extent_block *b, uint32_t block,
                                        struct rf_arena *arena, struct rf_err *err)
{
    uint32_t nulls = 0;
    for (uint32_t page = 0; page * BLOCK_PAGE_ROWS < b->rows; page++) {
        uint32_t rows = block_page_rows(b->rows, page);
        struct vec vec;
        rf_arena_reset(arena);
        RF_TRY(shape_view_read(view, want, block, page, NULL, rows, arena, &vec, err));
        RF_TRY(extent_check_texts(TYPE_DYNAMIC, vec.data, rows, err));
        for (uint32_t i = 0; i < rows; i++) nulls += vec_null(&vec, i);
    }
    return nulls == b->nulls ? RF_OK : block_corrupt(err, "its header counts other nulls");
}

static enum rf_kind verify_shapes(struct extent *e, uint32_t column, struct block_codec *codec,
                                  uint64_t *blocks_read, struct rf_err *err)
{
    const struct extent_col *c = &e->columns[column];
    RF_CLEANUP(rf_arena_done) struct rf_arena arena, batch;
    rf_arena_init_shared(&arena, e->budget);
    rf_arena_init_shared(&batch, e->budget);
    struct shape_view *view = NULL;
    struct shape_want *want = NULL;
    enum rf_kind kind = shape_view_new(e, column, codec, &arena, &view, err);
    if (kind == RF_OK) kind = shape_want_new(view, NULL, 0, &arena, &want, err);
    ++*blocks_read; /* the set */
    for (uint32_t block = 0; block < e->block_count && kind == RF_OK; block++, ++*blocks_read) {
        const struct extent_block *b = &c->blocks[block];
        kind = extent_fault(e, &b->region, verify_shapes_block(view, want, b, block, &batch, err),
                            err);
    }
    shape_view_done(view);
    return kind;
}

static enum rf_kind verify_column(struct extent *e, uint32_t column, struct block_codec *codec,
                                  uint64_t *blocks_read, struct rf_err *err)
{
    const struct extent_col *c = &e->columns[column];
    const struct extent_dict *dict = NULL;
    if (c->storage == EXTENT_DICT) {
        RF_TRY(extent_load_dict(e, column, &dict, err));
        ++*blocks_read;
    }
    if (c->has_terms) RF_TRY(verify_terms(e, c, e->budget, blocks_read, err));
    if (c->storage == EXTENT_SHAPES) return verify_shapes(e, column, codec, blocks_read, err);
    struct extent_pages pages;
    extent_pages_init(&pages, e, column, codec, e->budget);
    enum rf_kind kind = RF_OK;
    for (uint32_t block = 0; block < e->block_count && kind == RF_OK; block++, ++*blocks_read)
        kind = verify_block(&pages, block, dict == NULL ? NULL : dict->nulls, err);
    extent_pages_done(&pages);
    return kind;
}

enum rf_kind extent_verify(struct extent *e, uint64_t *blocks_read, struct rf_err *err)
{
    struct block_codec codec = {.budget = e->budget};
    *blocks_read = 0;
    RF_TRY(verify_header(e, err));
    enum rf_kind kind = RF_OK;
    for (uint32_t i = 0; i < e->all_count && kind == RF_OK; i++)
        kind = verify_column(e, i, &codec, blocks_read, err);
    block_codec_done(&codec);
    return kind;
}
