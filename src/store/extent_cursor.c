#include "store/block_int.h"
#include "store/extent_shapes.h"

#include <stdlib.h>

/* What is read at one place. */
struct place {
    uint32_t pages; /* of the column: index into the cursor's */
    const rf_str *keys;
    uint32_t key_count; /* 0: the column itself */
    struct shape_want *want;
};

/* The texts of a column of which paths are read: they are unpacked once for all of them. */
struct whole {
    bool loaded, all;
    uint32_t row_count;
    const uint32_t *rows; /* a copy */
    struct vec vec;
};

struct extent_cursor {
    struct extent *extent;
    struct rf_arena arena; /* lives as long as the cursor */
    struct rf_arena batch_arena;
    struct block_codec codec;
    struct place *places;
    uint32_t place_count;
    struct extent_pages *pages; /* of each column that is wanted or that filters look at */
    struct shape_view **views;  /* by pages: of columns with shapes, once they were read */
    struct whole *wholes;       /* by pages */
    uint32_t page_column_count;
    struct vec *vecs;
    struct extent_filters filters;
    uint32_t *filter_pages; /* per filter: index into pages */
    uint32_t block, block_to,
        page;               /* the next page to look at; backwards: block_to - 1, page - 1 */
    bool backwards, inside; /* backwards: inside a block that may pass */
    uint32_t block_from;
    uint32_t at_block, at_page; /* the current rows */
    uint32_t *rows;             /* those of them whose granules may pass; room for a page's */
    uint32_t row_count;
    bool all_rows; /* all may */
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

static enum rf_kind set_up(struct extent_cursor *c, const struct extent_want *wants,
                           uint32_t want_count, const struct extent_test *tests,
                           uint32_t test_count, struct rf_err *err)
{
    RF_TRY(extent_filters_make(c->extent, tests, test_count, &c->arena, c->arena.budget,
                               &c->filters, err));
    uint32_t most = want_count + c->filters.count;
    c->pages = rf_arena_new(&c->arena, struct extent_pages, most);
    c->views = rf_arena_new(&c->arena, struct shape_view *, most);
    c->wholes = rf_arena_new(&c->arena, struct whole, most);
    c->places = rf_arena_new(&c->arena, struct place, want_count);
    c->vecs = rf_arena_new(&c->arena, struct vec, want_count);
    c->filter_pages = rf_arena_new(&c->arena, uint32_t, c->filters.count);
    if (c->pages == NULL || c->views == NULL || c->wholes == NULL || c->places == NULL ||
        c->vecs == NULL || c->filter_pages == NULL)
        return rf_fail_memory(err, &c->arena);
    for (uint32_t i = 0; i < want_count; i++) {
        RF_ASSERT(wants[i].column < c->extent->column_count);
        RF_ASSERT(wants[i].key_count == 0 ||
                  c->extent->columns[wants[i].column].type == TYPE_DYNAMIC);
        c->places[c->place_count++] = (struct place){.pages = pages_of_column(c, wants[i].column),
                                                     .keys = wants[i].keys,
                                                     .key_count = wants[i].key_count};
    }
    for (uint32_t i = 0; i < c->filters.count; i++)
        c->filter_pages[i] = pages_of_column(c, c->filters.items[i].column);
    c->block_to = c->extent->block_count;
    c->all_rows = c->filters.granules == NULL;
    if (c->all_rows) return RF_OK;
    c->rows = rf_arena_raw(&c->arena, uint32_t, BLOCK_PAGE_ROWS);
    return c->rows != NULL ? RF_OK : rf_fail_memory(err, &c->arena);
}

enum rf_kind extent_cursor_of(struct extent *e, const struct extent_want *wants,
                              uint32_t want_count, const struct extent_test *tests,
                              uint32_t test_count, struct rf_budget *budget,
                              struct extent_cursor **out, struct rf_err *err)
{
    struct extent_cursor *c = calloc(1, sizeof *c);
    if (c == NULL) return block_no_memory(err, budget);
    c->extent = e;
    c->codec = (struct block_codec){.budget = budget};
    rf_arena_init_shared(&c->arena, budget);
    rf_arena_init_shared(&c->batch_arena, budget);
    enum rf_kind kind = set_up(c, wants, want_count, tests, test_count, err);
    if (kind != RF_OK) {
        extent_cursor_free(c);
        return kind;
    }
    *out = c;
    return RF_OK;
}

enum rf_kind extent_cursor_new(struct extent *e, const uint32_t *columns, uint32_t column_count,
                               const struct extent_test *tests, uint32_t test_count,
                               struct rf_budget *budget, struct extent_cursor **out,
                               struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, budget);
    struct extent_want *wants = rf_arena_new(&arena, struct extent_want, column_count);
    if (wants == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t i = 0; i < column_count; i++) wants[i].column = columns[i];
    return extent_cursor_of(e, wants, column_count, tests, test_count, budget, out, err);
}

void extent_cursor_free(struct extent_cursor *c)
{
    if (c == NULL) return;
    for (uint32_t i = 0; i < c->page_column_count; i++) shape_view_done(c->views[i]);
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

/* A byte for each granule of a page: whether it may pass; and how many they are. */
static const uint8_t *granules_of_page(const struct extent_cursor *c, uint32_t block, uint32_t page,
                                       uint32_t *count)
{
    uint32_t row = block * EXTENT_BLOCK_ROWS + page * BLOCK_PAGE_ROWS,
             rows = block_page_rows(extent_block_rows(c->extent, block), page);
    *count = (rows + EXTENT_GRANULE_ROWS - 1) / EXTENT_GRANULE_ROWS;
    return c->filters.granules + row / EXTENT_GRANULE_ROWS;
}

static bool granules_may_pass(const struct extent_cursor *c, uint32_t block, uint32_t page)
{
    uint32_t count;
    if (c->filters.granules == NULL) return true;
    const uint8_t *pass = granules_of_page(c, block, page, &count);
    return memchr(pass, 1, count) != NULL;
}

/* The rows of the current page's granules that may pass. */
static void choose_rows(struct extent_cursor *c, uint32_t page_rows)
{
    uint32_t count;
    if (c->filters.granules == NULL) return;
    const uint8_t *pass = granules_of_page(c, c->at_block, c->at_page, &count);
    c->row_count = 0;
    for (uint32_t i = 0; i < page_rows; i++) {
        c->rows[c->row_count] = i;
        c->row_count += pass[i / EXTENT_GRANULE_ROWS];
    }
    c->all_rows = c->row_count == page_rows;
}

static enum rf_kind page_may_pass(struct extent_cursor *c, bool *may, struct rf_err *err)
{
    uint32_t rows;
    *may = granules_may_pass(c, c->block, c->page);
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
    for (uint32_t i = 0; i < c->page_column_count; i++) c->wholes[i].loaded = false;
    RF_TRY(c->backwards ? seek_back(c, &found, err) : seek(c, &found, err));
    if (!found) return RF_OK;
    c->at_block = c->block;
    c->at_page = c->page;
    c->page += !c->backwards;
    *rows = block_page_rows(extent_block_rows(c->extent, c->at_block), c->at_page);
    choose_rows(c, *rows);
    return RF_OK;
}

const uint32_t *extent_cursor_rows(const struct extent_cursor *c, uint32_t *row_count)
{
    if (c->all_rows) return NULL;
    *row_count = c->row_count;
    return c->rows;
}

static bool whole_is(const struct whole *w, const uint32_t *rows, uint32_t row_count)
{
    if (!w->loaded || w->all != (rows == NULL) || w->row_count != row_count) return false;
    return rows == NULL || row_count == 0 || memcmp(rows, w->rows, row_count * sizeof *rows) == 0;
}

static enum rf_kind column_texts(struct extent_cursor *c, const struct place *place,
                                 const uint32_t *rows, uint32_t row_count, struct vec *out,
                                 struct rf_err *err)
{
    struct extent_pages *pages = &c->pages[place->pages];
    struct whole *w = &c->wholes[place->pages];
    if (!whole_is(w, rows, row_count)) {
        struct vec vec = {.type = c->extent->columns[pages->column].type, .shape = VEC_FLAT};
        uint32_t *copy = rows == NULL ? NULL : rf_arena_raw(&c->batch_arena, uint32_t, row_count);
        if (rows != NULL && copy == NULL) return rf_fail_memory(err, &c->batch_arena);
        if (copy != NULL && row_count > 0) memcpy(copy, rows, row_count * sizeof *copy);
        w->loaded = false;
        RF_TRY(extent_pages_texts(pages, rows, row_count, &vec.data, &vec.nulls, err));
        *w = (struct whole){true, rows == NULL, row_count, copy, vec};
    }
    *out = w->vec;
    if (place->key_count > 0 &&
        !extent_walk(&c->batch_arena, &w->vec, row_count, place->keys, place->key_count, out))
        return rf_fail_memory(err, &c->batch_arena);
    return RF_OK;
}

/* The values of a few rows whose codes are read, or what lies under a path in them. */
static enum rf_kind column_entries(struct extent_cursor *c, const struct place *place,
                                   uint32_t row_count, struct vec *out, struct rf_err *err)
{
    struct extent_pages *pages = &c->pages[place->pages];
    struct vec v = {.type = c->extent->columns[pages->column].type,
                    .shape = VEC_FLAT,
                    .data = pages->items.ptr,
                    .nulls = pages->page_nulls.ptr};
    RF_TRY(extent_read_entries(c->extent, pages->column,
                               (const uint32_t *)(const void *)pages->cells.ptr, row_count,
                               pages->items.ptr, pages->page_nulls.ptr, err));
    if (memchr(v.nulls, 1, row_count) == NULL) v.nulls = NULL;
    if (place->key_count > 0 &&
        !extent_walk(&c->batch_arena, &v, row_count, place->keys, place->key_count, &v))
        return rf_fail_memory(err, &c->batch_arena);
    *out = v;
    return RF_OK;
}

static enum rf_kind column_shapes(struct extent_cursor *c, struct place *place,
                                  const uint32_t *rows, uint32_t row_count, struct vec *out,
                                  struct rf_err *err)
{
    struct shape_view **view = &c->views[place->pages];
    if (*view == NULL)
        RF_TRY(shape_view_new(c->extent, c->pages[place->pages].column, &c->codec, &c->arena, view,
                              err));
    if (place->want == NULL)
        RF_TRY(shape_want_new(*view, place->keys, place->key_count, &c->arena, &place->want, err));
    return shape_view_read(*view, place->want, c->at_block, c->at_page, rows, row_count,
                           &c->batch_arena, out, err);
}

enum rf_kind extent_cursor_column(struct extent_cursor *c, uint32_t index, const uint32_t *rows,
                                  uint32_t row_count, struct vec *out, struct rf_err *err)
{
    RF_ASSERT(index < c->place_count);
    struct place *place = &c->places[index];
    struct extent_pages *pages = &c->pages[place->pages];
    const struct extent_col *col = &c->extent->columns[pages->column];
    uint32_t page_rows;
    if (col->storage == EXTENT_SHAPES) return column_shapes(c, place, rows, row_count, out, err);
    bool sparse = rows != NULL && extent_pages_sparse(pages, c->at_block, c->at_page, row_count);
    if (sparse)
        RF_TRY(extent_pages_rows(pages, c->at_block, c->at_page, rows, row_count, err));
    else
        RF_TRY(extent_pages_load(pages, c->at_block, c->at_page, &page_rows, err));
    if (col->storage == EXTENT_TEXTS) return column_texts(c, place, rows, row_count, out, err);
    if (sparse && col->storage == EXTENT_DICT &&
        extent_dict_by_entry(c->extent, pages->column, row_count))
        return column_entries(c, place, row_count, out, err);
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
    if (place->key_count > 0) {
        const struct extent_path_dict *path;
        RF_TRY(
            extent_load_path(c->extent, pages->column, place->keys, place->key_count, &path, err));
        v = extent_path_vec(path, v.codes);
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
    for (uint32_t i = 0; i < c->place_count && rows > 0; i++)
        RF_TRY(extent_cursor_column(c, i, NULL, rows, &c->vecs[i], err));
    *out = (struct batch){.row_count = rows,
                          .column_count = c->place_count,
                          .columns = c->vecs,
                          .arena = &c->batch_arena};
    return RF_OK;
}
