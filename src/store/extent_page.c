#include "store/extent_int.h"

#include "store/block_int.h"

enum { NONE = UINT32_MAX };

void extent_pages_init(struct extent_pages *pages, struct extent *e, uint32_t column,
                       struct block_codec *codec, struct rf_budget *budget)
{
    struct block_buf empty = block_buf_in(budget);
    *pages = (struct extent_pages){.extent = e,
                                   .column = column,
                                   .codec = codec,
                                   .block = NONE,
                                   .page = NONE,
                                   .chunk = NONE,
                                   .stored = empty,
                                   .memory = empty,
                                   .null_memory = empty,
                                   .chunk_stored = empty,
                                   .texts = block_texts_in(budget),
                                   .items = empty,
                                   .cells = empty,
                                   .page_nulls = empty};
}

void extent_pages_done(struct extent_pages *pages)
{
    struct block_buf *bufs[] = {&pages->stored,       &pages->memory, &pages->null_memory,
                                &pages->chunk_stored, &pages->items,  &pages->cells,
                                &pages->page_nulls};
    for (size_t i = 0; i < RF_COUNT(bufs); i++) block_buf_done(bufs[i]);
    block_texts_done(&pages->texts);
}

static const struct extent_col *column_of(const struct extent_pages *pages)
{
    return &pages->extent->columns[pages->column];
}

/* ---- blocks --------------------------------------------------------------------------------------------------- */

static enum rf_kind open_block(struct extent_pages *pages, uint32_t block, rf_str bytes,
                               struct rf_err *err)
{
    const struct extent_col *c = column_of(pages);
    uint32_t rows = c->blocks[block].rows;
    struct block_reader r = {bytes, 0, false};
    uint32_t null_bytes = block_take_u32(&r);
    rf_str nulls = block_take_str(&r, null_bytes);
    if (r.failed) return block_corrupt(err, "a block is cut short");
    bool nulls_wanted = c->storage == EXTENT_CELLS && c->blocks[block].nulls > 0;
    if ((null_bytes > 0) != nulls_wanted)
        return block_corrupt(err, "a block's nulls are not as its header says");
    pages->has_nulls = null_bytes > 0;
    if (pages->has_nulls)
        RF_TRY(block_ints_open(&pages->nulls, nulls, rows, &pages->null_memory, err));
    rf_str data = rf_slice(bytes, r.at, bytes.len);
    if (c->storage == EXTENT_TEXTS) {
        RF_TRY(extent_list_open(pages->extent, &pages->list, data, rows, err));
        /* A page must not lie in two chunks. */
        if (pages->list.chunk_items % BLOCK_PAGE_ROWS != 0)
            return block_corrupt(err, "a list has a bad head");
        return RF_OK;
    }
    if (c->type == TYPE_REAL)
        return block_reals_open(pages->codec, &pages->reals, data, rows, &pages->memory, err);
    return block_ints_open(&pages->ints, data, rows, &pages->memory, err);
}

static enum rf_kind load_block(struct extent_pages *pages, uint32_t block, struct rf_err *err)
{
    const struct extent_region *region = &column_of(pages)->blocks[block].region;
    rf_str bytes;
    pages->block = pages->page = pages->chunk = NONE;
    RF_TRY(extent_read_region(pages->extent, region, &pages->stored, &bytes, err));
    RF_TRY(extent_fault(pages->extent, region, open_block(pages, block, bytes, err), err));
    pages->block = block;
    return RF_OK;
}

/* ---- cells ------------------------------------------------------------------------------------------------------ */

RF_CLONES static bool in_range(const int64_t *v, uint32_t count, int64_t min, int64_t max)
{
    uint32_t bad = 0;
    for (uint32_t i = 0; i < count; i++) bad |= (uint32_t)(v[i] < min) | (uint32_t)(v[i] > max);
    return bad == 0;
}

static enum rf_kind check_ints(uint8_t type, const int64_t *cells, uint32_t count,
                               struct rf_err *err)
{
    bool good = type == TYPE_INT        ? in_range(cells, count, INT32_MIN, INT32_MAX)
                : type == TYPE_DATETIME ? in_range(cells, count, 0, DATETIME_MAX)
                                        : true;
    return good ? RF_OK : block_corrupt(err, "a value is not of its column's type");
}

static enum rf_kind load_ints(struct extent_pages *pages, uint32_t page, struct rf_err *err)
{
    uint32_t count, bits[BLOCK_PAGE_ROWS];
    uint8_t type = column_of(pages)->type;
    if (type == TYPE_BOOL) {
        RF_TRY(block_codes_page(&pages->ints, page, 2, bits, &count, err));
        for (uint32_t i = 0; i < count; i++) pages->cells.ptr[i] = (uint8_t)bits[i];
        return RF_OK;
    }
    int64_t *cells = (int64_t *)(void *)pages->cells.ptr;
    RF_TRY(block_ints_page(&pages->ints, page, cells, &count, err));
    return check_ints(type, cells, count, err);
}

/* ---- texts ------------------------------------------------------------------------------------------------------ */

static enum rf_kind load_chunk(struct extent_pages *pages, uint32_t chunk,
                               const struct extent_region *region, struct rf_err *err)
{
    uint32_t from = chunk * pages->list.chunk_items;
    uint32_t count = RF_MIN(pages->list.chunk_items, pages->list.item_count - from);
    rf_str bytes;
    pages->chunk = NONE;
    RF_TRY(extent_read_region(pages->extent, region, &pages->chunk_stored, &bytes, err));
    RF_TRY(extent_fault(pages->extent, region,
                        block_texts_open(pages->codec, &pages->texts, bytes, count, err), err));
    pages->chunk = chunk;
    return RF_OK;
}

static const uint8_t *text_nulls(struct extent_pages *pages, const rf_str *items, uint32_t count)
{
    bool any = false;
    for (uint32_t i = 0; i < count; i++) any |= pages->page_nulls.ptr[i] = items[i].len == 0;
    return any ? pages->page_nulls.ptr : NULL;
}

enum rf_kind extent_pages_texts(struct extent_pages *pages, const uint32_t *rows,
                                uint32_t row_count, const void **cells, const uint8_t **nulls,
                                struct rf_err *err)
{
    enum type type = (enum type)column_of(pages)->type;
    uint32_t row = pages->page * BLOCK_PAGE_ROWS, chunk = row / pages->list.chunk_items;
    struct extent_region region =
        extent_region_at(pages->list.regions + (size_t)chunk * EXTENT_REGION_BYTES);
    rf_str *items = (rf_str *)(void *)pages->items.ptr;
    if (pages->chunk != chunk) RF_TRY(load_chunk(pages, chunk, &region, err));
    enum rf_kind kind =
        block_texts_read(&pages->texts, row % pages->list.chunk_items / BLOCK_PAGE_ROWS, rows,
                         row_count, items, err);
    if (kind == RF_OK) kind = extent_check_texts(type, items, row_count, err);
    RF_TRY(extent_fault(pages->extent, &region, kind, err));
    *cells = items;
    *nulls = type == TYPE_STRING ? NULL : text_nulls(pages, items, row_count);
    if (type_is_bytes(type)) return RF_OK;
    for (uint32_t i = 0; i < row_count; i++) {
        memset(pages->cells.ptr + (size_t)i * 16, 0, 16);
        if (items[i].len == 16) memcpy(pages->cells.ptr + (size_t)i * 16, items[i].ptr, 16);
    }
    *cells = pages->cells.ptr;
    return RF_OK;
}

/* ---- pages ------------------------------------------------------------------------------------------------------ */

static enum rf_kind load_nulls(struct extent_pages *pages, uint32_t page, struct rf_err *err)
{
    int64_t same;
    pages->page_has_nulls = false;
    if (!pages->has_nulls || (block_ints_page_constant(&pages->nulls, page, &same) && same == 0))
        return RF_OK;
    uint32_t count, bits[BLOCK_PAGE_ROWS];
    RF_TRY(block_codes_page(&pages->nulls, page, 2, bits, &count, err));
    for (uint32_t i = 0; i < count; i++) pages->page_nulls.ptr[i] = (uint8_t)bits[i];
    pages->page_has_nulls = true;
    return RF_OK;
}

static enum rf_kind decode_page(struct extent_pages *pages, uint32_t page, struct rf_err *err)
{
    const struct extent_col *c = column_of(pages);
    uint32_t count;
    RF_TRY(load_nulls(pages, page, err));
    if (c->storage == EXTENT_TEXTS) return RF_OK; /* read by extent_pages_texts */
    if (c->storage == EXTENT_DICT || c->storage == EXTENT_SHAPES)
        return block_codes_page(&pages->ints, page, c->dict_count,
                                (uint32_t *)(void *)pages->cells.ptr, &count, err);
    if (c->type == TYPE_REAL)
        return block_reals_page(&pages->reals, page, (double *)(void *)pages->cells.ptr, &count,
                                err);
    return load_ints(pages, page, err);
}

static enum rf_kind reserve_page(struct extent_pages *pages, struct rf_err *err)
{
    if (!block_buf_reserve(&pages->cells, BLOCK_PAGE_ROWS * 16) ||
        !block_buf_reserve(&pages->items, BLOCK_PAGE_ROWS * sizeof(rf_str)) ||
        !block_buf_reserve(&pages->page_nulls, BLOCK_PAGE_ROWS))
        return block_no_memory(err, pages->cells.budget);
    return RF_OK;
}

/* ---- a few rows of a page ----------------------------------------------------------------------------------------- */

bool extent_pages_sparse(const struct extent_pages *pages, uint32_t block, uint32_t page,
                         uint32_t row_count)
{
    const struct extent_col *c = column_of(pages);
    bool loaded = pages->block == block && pages->page == page;
    bool ints = c->storage == EXTENT_CELLS && type_is_i64((enum type)c->type);
    return !loaded && row_count <= EXTENT_SPARSE_ROWS_MAX && (ints || c->storage == EXTENT_DICT);
}

static enum rf_kind decode_rows(struct extent_pages *pages, uint32_t page, const uint32_t *rows,
                                uint32_t count, struct rf_err *err)
{
    const struct extent_col *c = column_of(pages);
    uint32_t bits[EXTENT_SPARSE_ROWS_MAX];
    pages->page_has_nulls = pages->has_nulls;
    if (pages->has_nulls) {
        RF_TRY(block_codes_rows(&pages->nulls, page, 2, rows, count, bits, err));
        for (uint32_t i = 0; i < count; i++) pages->page_nulls.ptr[i] = (uint8_t)bits[i];
    }
    if (c->storage == EXTENT_DICT)
        return block_codes_rows(&pages->ints, page, c->dict_count, rows, count,
                                (uint32_t *)(void *)pages->cells.ptr, err);
    int64_t *cells = (int64_t *)(void *)pages->cells.ptr;
    RF_TRY(block_ints_rows(&pages->ints, page, rows, count, cells, err));
    return check_ints(c->type, cells, count, err);
}

enum rf_kind extent_pages_rows(struct extent_pages *pages, uint32_t block, uint32_t page,
                               const uint32_t *rows, uint32_t row_count, struct rf_err *err)
{
    RF_ASSERT(row_count <= EXTENT_SPARSE_ROWS_MAX);
    RF_TRY(reserve_page(pages, err));
    if (pages->block != block) RF_TRY(load_block(pages, block, err));
    pages->page = NONE;
    const struct extent_region *region = &column_of(pages)->blocks[block].region;
    return extent_fault(pages->extent, region, decode_rows(pages, page, rows, row_count, err), err);
}

/* ---- whole pages -------------------------------------------------------------------------------------------------- */

enum rf_kind extent_pages_load(struct extent_pages *pages, uint32_t block, uint32_t page,
                               uint32_t *rows, struct rf_err *err)
{
    uint32_t block_rows = column_of(pages)->blocks[block].rows;
    *rows = block_page_rows(block_rows, page);
    if (pages->block == block && pages->page == page) return RF_OK;
    RF_TRY(reserve_page(pages, err));
    if (pages->block != block) RF_TRY(load_block(pages, block, err));
    pages->page = NONE;
    const struct extent_region *region = &column_of(pages)->blocks[block].region;
    RF_TRY(extent_fault(pages->extent, region, decode_page(pages, page, err), err));
    pages->page = page;
    return RF_OK;
}
