#include "store/block_int.h"
#include "store/extent_int.h"

#include <stdlib.h>

struct extent_cursor {
    struct extent *extent;
    struct rf_arena arena; /* lives as long as the cursor */
    struct rf_arena batch_arena;
    struct block_codec codec;
    struct extent_pages *pages; /* the wanted columns, then those that only filters look at */
    uint32_t column_count, page_column_count;
    struct vec *vecs;
    struct extent_filters filters;
    uint32_t *filter_pages; /* per filter: index into pages */
    uint32_t block, block_to,
        page;               /* the next page to look at; backwards: block_to - 1, page - 1 */
    bool backwards, inside; /* backwards: inside a block that may pass */
    uint32_t block_from;
    uint32_t at_block, at_page; /* the current rows */
};

static uint32_t pages_of_column(struct extent_cursor *c, uint32_t column)
{
    uint32_t i = 0;
    while (i < c->page_column_count && c->pages[i].column != column) i++;
    if (i == c->page_column_count) {
        extent_pages_init(&c->pages[i], c->extent, column, &c->codec, c->arena.budget);
        c->page_column_count++;
    }
    return i;
}

static enum rf_kind set_up(struct extent_cursor *c, const uint32_t *columns, uint32_t column_count,
                           const struct extent_test *tests, uint32_t test_count, struct rf_err *err)
{
    RF_TRY(extent_filters_make(c->extent, tests, test_count, &c->arena, c->arena.budget,
                               &c->filters, err));
    uint32_t most = column_count + c->filters.count;
    c->pages = rf_arena_new(&c->arena, struct extent_pages, most);
    c->vecs = rf_arena_new(&c->arena, struct vec, column_count);
    c->filter_pages = rf_arena_new(&c->arena, uint32_t, c->filters.count);
    if (c->pages == NULL || c->vecs == NULL || c->filter_pages == NULL)
        return rf_fail_memory(err, &c->arena);
    for (uint32_t i = 0; i < column_count; i++) {
        RF_ASSERT(columns[i] < c->extent->column_count);
        extent_pages_init(&c->pages[i], c->extent, columns[i], &c->codec, c->arena.budget);
        c->page_column_count = c->column_count = i + 1;
    }
    for (uint32_t i = 0; i < c->filters.count; i++)
        c->filter_pages[i] = pages_of_column(c, c->filters.items[i].column);
    c->block_to = c->extent->block_count;
    return RF_OK;
}

enum rf_kind extent_cursor_new(struct extent *e, const uint32_t *columns, uint32_t column_count,
                               const struct extent_test *tests, uint32_t test_count,
                               struct rf_budget *budget, struct extent_cursor **out,
                               struct rf_err *err)
{
    struct extent_cursor *c = calloc(1, sizeof *c);
    if (c == NULL) return block_no_memory(err, budget);
    c->extent = e;
    c->codec = (struct block_codec){.budget = budget};
    rf_arena_init_shared(&c->arena, budget);
    rf_arena_init_shared(&c->batch_arena, budget);
    enum rf_kind kind = set_up(c, columns, column_count, tests, test_count, err);
    if (kind != RF_OK) {
        extent_cursor_free(c);
        return kind;
    }
    *out = c;
    return RF_OK;
}

void extent_cursor_free(struct extent_cursor *c)
{
    if (c == NULL) return;
    for (uint32_t i = 0; i < c->page_column_count; i++) extent_pages_done(&c->pages[i]);
    block_codec_done(&c->codec);
    rf_arena_done(&c->batch_arena);
    rf_arena_done(&c->arena);
    free(c);
}

void extent_cursor_blocks(struct extent_cursor *c, uint32_t from, uint32_t to)
{
    c->block = from;
    c->block_to = RF_MIN(to, c->extent->block_count);
    c->page = 0;
}

void extent_cursor_backwards(struct extent_cursor *c)
{
    c->backwards = true;
    c->block_from = c->block;
}

static bool block_may_pass(const struct extent_cursor *c, uint32_t block)
{
    for (uint32_t i = 0; i < c->filters.count; i++)
        if (!extent_filter_block(c->extent, &c->filters.items[i], block)) return false;
    return true;
}

static bool granule_may_pass(const struct extent_cursor *c, uint32_t block, uint32_t page)
{
    if (c->filters.granules == NULL) return true;
    uint32_t row = block * EXTENT_BLOCK_ROWS + page * BLOCK_PAGE_ROWS;
    return c->filters.granules[row / EXTENT_GRANULE_ROWS] != 0;
}

static enum rf_kind page_may_pass(struct extent_cursor *c, bool *may, struct rf_err *err)
{
    uint32_t rows;
    *may = granule_may_pass(c, c->block, c->page);
    for (uint32_t i = 0; i < c->filters.count && *may; i++) {
        const struct extent_filter *f = &c->filters.items[i];
        struct extent_pages *pages = &c->pages[c->filter_pages[i]];
        if (f->kind == FILTER_TEXT) continue;
        RF_TRY(extent_pages_load(pages, c->block, c->page, &rows, err));
        *may = f->kind == FILTER_CODES
                   ? extent_filter_codes(f, (const uint32_t *)(const void *)pages->cells.ptr, rows)
                   : extent_filter_cells(f, pages->cells.ptr, rows);
    }
    return RF_OK;
}

/* Moves to the next page that may hold a row; *found is false at the end. */
static enum rf_kind seek(struct extent_cursor *c, bool *found, struct rf_err *err)
{
    *found = false;
    while (!c->filters.none && c->block < c->block_to) {
        uint32_t rows = extent_block_rows(c->extent, c->block);
        if (c->page * BLOCK_PAGE_ROWS >= rows || (c->page == 0 && !block_may_pass(c, c->block))) {
            c->block++;
            c->page = 0;
            continue;
        }
        RF_TRY(page_may_pass(c, found, err));
        if (*found) return RF_OK;
        c->page++;
    }
    return RF_OK;
}

/* The same from the end. */
static enum rf_kind seek_back(struct extent_cursor *c, bool *found, struct rf_err *err)
{
    *found = false;
    while (!c->filters.none && c->block_to > c->block_from) {
        c->block = c->block_to - 1;
        if (!c->inside && block_may_pass(c, c->block)) {
            c->inside = true;
            c->page = block_page_count(extent_block_rows(c->extent, c->block));
        }
        if (!c->inside || c->page == 0) {
            c->block_to--;
            c->inside = false;
            continue;
        }
        c->page--;
        RF_TRY(page_may_pass(c, found, err));
        if (*found) return RF_OK;
    }
    return RF_OK;
}

enum rf_kind extent_cursor_seek(struct extent_cursor *c, uint32_t *rows, struct rf_err *err)
{
    bool found;
    *rows = 0;
    rf_arena_reset(&c->batch_arena);
    RF_TRY(c->backwards ? seek_back(c, &found, err) : seek(c, &found, err));
    if (!found) return RF_OK;
    c->at_block = c->block;
    c->at_page = c->page;
    c->page += !c->backwards;
    *rows = block_page_rows(extent_block_rows(c->extent, c->at_block), c->at_page);
    return RF_OK;
}

static enum rf_kind column_texts(struct extent_pages *pages, const uint32_t *rows,
                                 uint32_t row_count, struct vec *out, struct rf_err *err)
{
    *out = (struct vec){.type = pages->extent->columns[pages->column].type, .shape = VEC_FLAT};
    return extent_pages_texts(pages, rows, row_count, &out->data, &out->nulls, err);
}

enum rf_kind extent_cursor_column(struct extent_cursor *c, uint32_t index, const uint32_t *rows,
                                  uint32_t row_count, struct vec *out, struct rf_err *err)
{
    RF_ASSERT(index < c->column_count);
    struct extent_pages *pages = &c->pages[index];
    const struct extent_col *col = &c->extent->columns[pages->column];
    uint32_t page_rows;
    bool sparse = rows != NULL && extent_pages_sparse(pages, c->at_block, c->at_page, row_count);
    if (sparse)
        RF_TRY(extent_pages_rows(pages, c->at_block, c->at_page, rows, row_count, err));
    else
        RF_TRY(extent_pages_load(pages, c->at_block, c->at_page, &page_rows, err));
    if (col->storage == EXTENT_TEXTS) return column_texts(pages, rows, row_count, out, err);
    struct vec v = {.type = col->type,
                    .shape = VEC_FLAT,
                    .data = pages->cells.ptr,
                    .nulls = extent_pages_nulls(pages)};
    if (col->storage == EXTENT_DICT) {
        const struct extent_dict *dict;
        RF_TRY(extent_load_dict(c->extent, pages->column, &dict, err));
        v.shape = VEC_DICT;
        v.codes = (const uint32_t *)(const void *)pages->cells.ptr;
        v.data = dict->cells;
        v.nulls = dict->nulls;
        v.dict_count = col->dict_count;
        v.dict_id = extent_dict_id(c->extent, pages->column);
    }
    if (rows != NULL && !sparse && !vec_select(&c->batch_arena, &v, rows, row_count, &v))
        return rf_fail_memory(err, &c->batch_arena);
    *out = v;
    return RF_OK;
}

enum rf_kind extent_cursor_next(struct extent_cursor *c, struct batch *out, struct rf_err *err)
{
    uint32_t rows;
    RF_TRY(extent_cursor_seek(c, &rows, err));
    for (uint32_t i = 0; i < c->column_count && rows > 0; i++)
        RF_TRY(extent_cursor_column(c, i, NULL, rows, &c->vecs[i], err));
    *out = (struct batch){.row_count = rows,
                          .column_count = c->column_count,
                          .columns = c->vecs,
                          .arena = &c->batch_arena};
    return RF_OK;
}
