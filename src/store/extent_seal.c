/* Writing an extent: order the rows, then column after column, block after block. */
#include "store/extent_seal.h"

#include <math.h>

_Static_assert(BATCH_ROWS % EXTENT_GRANULE_ROWS == 0, "a chunk is whole granules");

enum {
    CHUNK_BYTES = 256 << 10, /* of texts that are packed and unpacked as one */
    CHUNK_ITEMS_MIN = BATCH_ROWS,
    CHUNK_ITEMS_MAX = 4 * BATCH_ROWS,
    DICT_CHUNK_BYTES = 1 << 20,
    DICT_CHUNK_ITEMS_MAX = 1 << 16,
    FILTER_REGION_BYTES = 64 << 10
};

static enum rf_kind no_memory(struct seal *s, struct rf_err *err)
{
    return block_no_memory(err, s->w->options.budget);
}

/* ---- order --------------------------------------------------------------------------------------------------- */

struct row_time {
    int64_t time;
    uint32_t row;
};

/* Merges two runs that lie side by side; rows of one time keep their order. */
static void merge_runs(const struct row_time *from, size_t left, size_t middle, size_t right,
                       struct row_time *to)
{
    if (middle >= right || from[middle - 1].time <= from[middle].time) {
        memcpy(to + left, from + left, (right - left) * sizeof *to);
        return;
    }
    size_t a = left, b = middle;
    for (size_t i = left; i < right; i++) {
        bool take_a = b == right || (a < middle && from[a].time <= from[b].time);
        to[i] = take_a ? from[a++] : from[b++];
    }
}

static struct row_time *sort_rows(struct row_time *rows, struct row_time *spare, size_t count)
{
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t left = 0; left < count; left += 2 * width)
            merge_runs(rows, left, RF_MIN(left + width, count), RF_MIN(left + 2 * width, count),
                       spare);
        struct row_time *swap = rows;
        rows = spare;
        spare = swap;
    }
    return rows;
}

/* Rows without a time come first. */
static enum rf_kind order_rows(struct seal *s, struct rf_err *err)
{
    struct extent_writer *w = s->w;
    if (w->sorted || w->time_column == UINT32_MAX) return RF_OK;
    const struct writer_column *c = &w->columns[w->time_column];
    const int64_t *times = (const int64_t *)(const void *)c->cells.ptr;
    struct block_buf room = block_buf_in(w->options.budget);
    uint32_t *order = rf_arena_raw(&s->arena, uint32_t, w->rows);
    if (order == NULL || !block_buf_reserve(&room, (size_t)w->rows * 2 * sizeof(struct row_time)))
        return no_memory(s, err);
    struct row_time *rows = (struct row_time *)(void *)room.ptr;
    for (uint32_t i = 0; i < w->rows; i++)
        rows[i] = (struct row_time){writer_null(c, i) ? INT64_MIN : times[i], i};
    rows = sort_rows(rows, rows + w->rows, w->rows);
    for (uint32_t i = 0; i < w->rows; i++) order[i] = rows[i].row;
    s->order = order;
    block_buf_done(&room);
    return RF_OK;
}

static void find_time_range(struct seal *s)
{
    struct extent_writer *w = s->w;
    s->time_min = 0;
    s->time_max = -1;
    if (w->time_column == UINT32_MAX) return;
    const struct writer_column *c = &w->columns[w->time_column];
    for (uint32_t i = 0; i < w->rows; i++) {
        if (writer_null(c, i)) continue;
        int64_t time = ((const int64_t *)(const void *)c->cells.ptr)[i];
        bool first = s->time_max < s->time_min;
        s->time_min = first ? time : RF_MIN(s->time_min, time);
        s->time_max = first ? time : RF_MAX(s->time_max, time);
    }
}

/* ---- one block ----------------------------------------------------------------------------------------------- */

/* The block's cells of `bytes` each, in order; a view when they already are. */
static const void *gather_cells(struct seal *s, const struct block_buf *cells, uint32_t from,
                                uint32_t count, size_t bytes)
{
    if (s->order == NULL) return cells->ptr + (size_t)from * bytes;
    s->cells.len = 0;
    if (!block_buf_reserve(&s->cells, (size_t)count * bytes)) return NULL;
    const uint32_t *order = s->order + from;
    if (bytes == 8) {
        int64_t *to = (int64_t *)(void *)s->cells.ptr;
        for (uint32_t i = 0; i < count; i++)
            to[i] = ((const int64_t *)(const void *)cells->ptr)[order[i]];
    } else if (bytes == 4) {
        uint32_t *to = (uint32_t *)(void *)s->cells.ptr;
        for (uint32_t i = 0; i < count; i++)
            to[i] = ((const uint32_t *)(const void *)cells->ptr)[order[i]];
    } else {
        for (uint32_t i = 0; i < count; i++) s->cells.ptr[i] = cells->ptr[order[i]];
    }
    return s->cells.ptr;
}

/* Writes the null map and leaves the null bytes in s->nulls (empty: no nulls). */
static bool put_nulls(struct seal *s, const struct writer_column *c, uint32_t from, uint32_t count,
                      struct block_stats *stats)
{
    s->nulls.len = 0;
    if (!block_buf_u32(&s->block, 0)) return false;
    if (c->nulls.len == 0) return true;
    if (!block_buf_reserve(&s->nulls, count)) return false;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t null = c->nulls.ptr[seal_row_at(s, from + i)];
        s->nulls.ptr[i] = null;
        stats->nulls += null;
    }
    if (stats->nulls == 0) return true;
    s->nulls.len = count;
    if (!block_ints_encode(&s->block, &(struct block_cells){s->nulls.ptr, 1, count})) return false;
    rf_put_u32le(s->block.ptr, (uint32_t)(s->block.len - 4));
    return true;
}

static bool null_at(const struct seal *s, uint32_t i)
{
    return s->nulls.len > 0 && s->nulls.ptr[i] != 0;
}

static void range_of_ints(const struct seal *s, const int64_t *v, uint32_t count,
                          struct block_stats *stats)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    for (uint32_t i = 0; i < count; i++) {
        if (null_at(s, i)) continue;
        min = RF_MIN(min, v[i]);
        max = RF_MAX(max, v[i]);
    }
    if (min > max) return;
    stats->flags = EXTENT_BLOCK_HAS_RANGE;
    rf_put_u64le(stats->min, (uint64_t)min);
    rf_put_u64le(stats->max, (uint64_t)max);
}

/* A nan compares with nothing, so a block that has one says nothing. */
static void range_of_reals(const struct seal *s, const double *v, uint32_t count,
                           struct block_stats *stats)
{
    double min = (double)INFINITY, max = -(double)INFINITY;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (null_at(s, i)) continue;
        if (isnan(v[i])) return;
        min = RF_MIN(min, v[i]);
        max = RF_MAX(max, v[i]);
        seen++;
    }
    if (seen == 0) return;
    stats->flags = EXTENT_BLOCK_HAS_RANGE;
    memcpy(stats->min, &min, sizeof min);
    memcpy(stats->max, &max, sizeof max);
}

static bool encode_cells(struct seal *s, const struct writer_column *c, uint32_t from,
                         uint32_t count, struct block_stats *stats)
{
    bool narrow = c->def.type == TYPE_BOOL;
    const void *cells = gather_cells(s, &c->cells, from, count, narrow ? 1 : 8);
    if (cells == NULL || !put_nulls(s, c, from, count, stats)) return false;
    if (c->def.type == TYPE_REAL) {
        range_of_reals(s, cells, count, stats);
        return block_reals_encode(&s->w->codec, &s->block, cells, count);
    }
    if (!narrow) range_of_ints(s, cells, count, stats);
    return block_ints_encode(&s->block, &(struct block_cells){cells, narrow ? 1 : 8, count});
}

/* The first 16 bytes of a text as a number that orders as they do. */
static unsigned __int128 head_of(rf_str text)
{
    uint8_t head[16];
    extent_text_head(text, head);
    return (unsigned __int128)__builtin_bswap64(rf_get_u64le(head)) << 64 |
           __builtin_bswap64(rf_get_u64le(head + 8));
}

static void put_head(uint8_t out[16], unsigned __int128 head)
{
    rf_put_u64le(out, __builtin_bswap64((uint64_t)(head >> 64)));
    rf_put_u64le(out + 8, __builtin_bswap64((uint64_t)head));
}

struct text_range {
    unsigned __int128 min, max; /* heads */
    bool some;
};

static void widen_range(struct text_range *range, const rf_str *items, const uint8_t *used,
                        uint32_t count)
{
    if (!range->some) *range = (struct text_range){.min = ~(unsigned __int128)0};
    for (uint32_t i = 0; i < count; i++) {
        if (used != NULL && used[i] == 0) continue;
        unsigned __int128 head = head_of(items[i]);
        range->min = RF_MIN(range->min, head);
        range->max = RF_MAX(range->max, head);
        range->some = true;
    }
}

static void put_range(const struct text_range *range, struct block_stats *stats)
{
    if (!range->some) return;
    put_head(stats->min, range->min);
    put_head(stats->max, range->max);
    stats->flags = EXTENT_BLOCK_HAS_RANGE;
}

/* The range is that of the entries which the block uses. */
static bool range_of_codes(struct seal *s, const struct writer_column *c, const uint32_t *codes,
                           uint32_t count, struct block_stats *stats)
{
    uint32_t entries = writer_entries(c);
    if (c->def.type != TYPE_STRING) {
        uint32_t null_code = 0;
        while (null_code < entries && writer_entry(c, null_code).len > 0) null_code++;
        for (uint32_t i = 0; i < count; i++) stats->nulls += codes[i] == null_code;
        return true;
    }
    size_t views = (size_t)entries * sizeof(rf_str);
    s->items.len = 0;
    if (!block_buf_reserve(&s->items, views + entries)) return false;
    rf_str *items = (rf_str *)(void *)s->items.ptr;
    uint8_t *used = s->items.ptr + views;
    memset(used, 0, entries);
    for (uint32_t i = 0; i < count; i++) used[codes[i]] = 1;
    for (uint32_t i = 0; i < entries; i++) items[i] = writer_entry(c, i);
    struct text_range range = {0};
    widen_range(&range, items, used, entries);
    put_range(&range, stats);
    return true;
}

static bool encode_codes(struct seal *s, const struct writer_column *c, uint32_t from,
                         uint32_t count, struct block_stats *stats)
{
    const uint32_t *codes = gather_cells(s, &c->cells, from, count, 4);
    if (codes == NULL || !range_of_codes(s, c, codes, count, stats)) return false;
    return block_buf_u32(&s->block, 0) &&
           block_ints_encode(&s->block, &(struct block_cells){codes, 4, count});
}

/* ---- lists of texts -------------------------------------------------------------------------------------------- */

static uint32_t chunk_items_for(uint64_t bytes, uint32_t count, uint32_t chunk_bytes, uint32_t most)
{
    uint64_t each = count == 0 ? 0 : bytes / count;
    uint32_t items = CHUNK_ITEMS_MIN;
    while (items < most && items * 2 * each <= chunk_bytes) items *= 2;
    return items;
}

static bool put_list_head(struct block_buf *out, uint32_t count, uint32_t chunk_items)
{
    uint32_t chunks = count / chunk_items + (count % chunk_items != 0);
    return block_buf_u32(out, chunk_items) && block_buf_u32(out, chunks);
}

/* Writes the chunks and appends them to the list. */
static enum rf_kind put_chunks(struct seal *s, struct block_buf *out, const rf_str *items,
                               uint32_t count, uint32_t chunk_items, struct rf_err *err)
{
    for (uint32_t i = 0; i < count; i += chunk_items) {
        struct extent_region region;
        s->chunk.len = 0;
        if (!block_texts_encode(&s->w->codec, &s->chunk, items + i, RF_MIN(chunk_items, count - i)))
            return no_memory(s, err);
        RF_TRY(extent_file_region(&s->file, &s->chunk, &region, err));
        if (!extent_put_region(out, &region)) return no_memory(s, err);
    }
    return RF_OK;
}

void seal_index_granules(struct term_index_builder *terms, const struct writer_column *c,
                         const rf_str *items, uint32_t count)
{
    for (uint32_t from = 0; from < count; from += EXTENT_GRANULE_ROWS) {
        uint32_t to = RF_MIN(from + EXTENT_GRANULE_ROWS, count);
        for (uint32_t i = from; i < to; i++) {
            if (items[i].len == 0) continue;
            if (c->def.type == TYPE_STRING)
                term_index_add(terms, items[i]);
            else
                term_index_add_dynamic(terms, items[i]);
        }
        term_index_end_granule(terms);
    }
}

static rf_str text_at(const struct seal *s, const struct writer_column *c, uint32_t place)
{
    return c->host != NULL ? writer_placed(c, place) : writer_entry(c, seal_row_at(s, place));
}

static enum rf_kind encode_texts(struct seal *s, const struct writer_column *c, uint32_t from,
                                 uint32_t count, struct term_index_builder *terms,
                                 struct block_stats *stats, struct rf_err *err)
{
    s->items.len = 0;
    if (!block_buf_reserve(&s->items, (size_t)count * sizeof(rf_str)) ||
        !block_buf_u32(&s->block, 0))
        return no_memory(s, err);
    rf_str *items = (rf_str *)(void *)s->items.ptr;
    for (uint32_t i = 0; i < count; i++) items[i] = text_at(s, c, from + i);
    uint32_t texts = c->host != NULL ? (uint32_t)(c->places.len / 4) : writer_entries(c);
    uint32_t chunk_items = chunk_items_for(c->host != NULL ? c->placed_bytes : c->bytes.len, texts,
                                           CHUNK_BYTES, CHUNK_ITEMS_MAX);
    if (!put_list_head(&s->block, count, chunk_items)) return no_memory(s, err);
    /* Range, terms and chunks of some rows before those of the next: their texts fit the caches, a block's do not. */
    uint32_t step = RF_MAX(chunk_items, (uint32_t)EXTENT_GRANULE_ROWS);
    struct text_range range = {0};
    for (uint32_t at = 0; at < count; at += step) {
        uint32_t rows = RF_MIN(step, count - at);
        if (c->def.type == TYPE_STRING) widen_range(&range, items + at, NULL, rows);
        for (uint32_t i = at; i < at + rows && c->def.type != TYPE_STRING; i++)
            stats->nulls += items[i].len == 0;
        if (terms != NULL) seal_index_granules(terms, c, items + at, rows);
        RF_TRY(put_chunks(s, &s->block, items + at, rows, chunk_items, err));
    }
    put_range(&range, stats);
    return RF_OK;
}

enum rf_kind seal_dictionary(struct seal *s, const struct writer_column *c, struct rf_err *err)
{
    uint32_t entries = writer_entries(c);
    struct extent_region region;
    s->items.len = s->block.len = 0;
    if (!block_buf_reserve(&s->items, (size_t)entries * sizeof(rf_str))) return no_memory(s, err);
    rf_str *items = (rf_str *)(void *)s->items.ptr;
    for (uint32_t i = 0; i < entries; i++) items[i] = writer_entry(c, i);
    uint32_t chunk_items =
        chunk_items_for(c->bytes.len, entries, DICT_CHUNK_BYTES, DICT_CHUNK_ITEMS_MAX);
    if (!put_list_head(&s->block, entries, chunk_items)) return no_memory(s, err);
    RF_TRY(put_chunks(s, &s->block, items, entries, chunk_items, err));
    RF_TRY(extent_file_region(&s->file, &s->block, &region, err));
    if (!block_buf_u32(&s->footer, entries) || !extent_put_region(&s->footer, &region))
        return no_memory(s, err);
    return RF_OK;
}

/* ---- the index of terms ---------------------------------------------------------------------------------------- */

static enum rf_kind put_filter(struct seal *s, const struct term_index *index,
                               const struct block_buf *flags, const struct block_buf *words,
                               struct rf_err *err)
{
    struct extent_region region;
    size_t row_bytes = (size_t)index->granule_count * TERM_INDEX_WORD_BYTES;
    uint32_t rows_each = (uint32_t)RF_MAX((size_t)1, FILTER_REGION_BYTES / row_bytes);
    s->block.len = 0;
    if (!block_buf_u32(&s->block, index->granule_count) ||
        !block_buf_u32(&s->block, index->row_count) || !block_buf_u32(&s->block, rows_each) ||
        !block_buf_put(&s->block, flags->ptr, flags->len))
        return no_memory(s, err);
    for (uint32_t row = 0; row < index->row_count; row += rows_each) {
        size_t from = row * row_bytes,
               bytes = RF_MIN(rows_each, index->row_count - row) * row_bytes;
        s->chunk.len = 0;
        if (!block_buf_put(&s->chunk, words->ptr + from, bytes)) return no_memory(s, err);
        RF_TRY(extent_file_region(&s->file, &s->chunk, &region, err));
        if (!extent_put_region(&s->block, &region)) return no_memory(s, err);
    }
    RF_TRY(extent_file_region(&s->file, &s->block, &region, err));
    return extent_put_region(&s->footer, &region) ? RF_OK : no_memory(s, err);
}

enum rf_kind seal_terms(struct seal *s, struct term_index_builder *terms, struct rf_err *err)
{
    struct block_buf flags = block_buf_in(s->w->options.budget), words = flags;
    struct term_index index;
    enum rf_kind kind = RF_OK;
    if (!block_buf_u8(&s->footer, 1) || !term_index_finish(terms, &index, &flags, &words))
        kind = no_memory(s, err);
    if (kind == RF_OK) kind = put_filter(s, &index, &flags, &words, err);
    block_buf_done(&flags);
    block_buf_done(&words);
    return kind;
}

/* ---- columns --------------------------------------------------------------------------------------------------- */

bool seal_block_entry(struct seal *s, const struct extent_region *region,
                      const struct block_stats *stats)
{
    return extent_put_region(&s->blocks, region) && block_buf_u32(&s->blocks, stats->nulls) &&
           block_buf_u8(&s->blocks, stats->flags) && block_buf_put(&s->blocks, stats->min, 16) &&
           block_buf_put(&s->blocks, stats->max, 16);
}

static enum rf_kind put_block(struct seal *s, const struct writer_column *c, uint32_t from,
                              uint32_t count, struct term_index_builder *terms, struct rf_err *err)
{
    struct block_stats stats = {0};
    struct extent_region region = {0};
    if (count == 0) return seal_block_entry(s, &region, &stats) ? RF_OK : no_memory(s, err);
    s->block.len = 0;
    if (c->storage == EXTENT_TEXTS) {
        RF_TRY(encode_texts(s, c, from, count, terms, &stats, err));
    } else if (!(c->storage == EXTENT_DICT ? encode_codes : encode_cells)(s, c, from, count,
                                                                          &stats)) {
        return no_memory(s, err);
    }
    RF_TRY(extent_file_region(&s->file, &s->block, &region, err));
    return seal_block_entry(s, &region, &stats) ? RF_OK : no_memory(s, err);
}

enum rf_kind seal_inner_blocks(struct seal *s, const struct writer_column *c, const uint32_t *rows,
                               struct rf_err *err)
{
    uint32_t blocks = (s->w->rows - 1) / EXTENT_BLOCK_ROWS + 1, from = 0;
    s->blocks.len = 0;
    for (uint32_t i = 0; i < blocks; i++) {
        if (!block_buf_u32(&s->blocks, rows[i])) return no_memory(s, err);
        RF_TRY(put_block(s, c, from, rows[i], NULL, err));
        from += rows[i];
    }
    return RF_OK;
}

static enum rf_kind put_blocks(struct seal *s, const struct writer_column *c,
                               struct term_index_builder *terms, struct rf_err *err)
{
    const struct extent_column *def = &c->def;
    s->blocks.len = 0;
    for (uint32_t from = 0; from < s->w->rows; from += EXTENT_BLOCK_ROWS)
        RF_TRY(put_block(s, c, from, RF_MIN((uint32_t)EXTENT_BLOCK_ROWS, s->w->rows - from), terms,
                         err));
    bool good = block_buf_u16(&s->footer, (uint16_t)def->name.len) &&
                block_buf_put(&s->footer, def->name.ptr, def->name.len) &&
                block_buf_u8(&s->footer, def->type) && block_buf_u8(&s->footer, c->storage);
    if (!good) return no_memory(s, err);
    if (c->storage == EXTENT_DICT) RF_TRY(seal_dictionary(s, c, err));
    if (terms != NULL)
        RF_TRY(seal_terms(s, terms, err));
    else if (!block_buf_u8(&s->footer, 0))
        return no_memory(s, err);
    return block_buf_put(&s->footer, s->blocks.ptr, s->blocks.len) ? RF_OK : no_memory(s, err);
}

static enum rf_kind put_texts_or_shapes(struct seal *s, const struct writer_column *c,
                                        struct term_index_builder *terms, struct rf_err *err)
{
    bool done = false;
    if (c->def.type == TYPE_DYNAMIC) RF_TRY(seal_shapes(s, c, terms, &done, err));
    return done ? RF_OK : put_blocks(s, c, terms, err);
}

/* A dictionary is worth it when each entry comes twice, about. */
static enum rf_kind put_column(struct seal *s, struct writer_column *c, struct rf_err *err)
{
    if (c->storage == EXTENT_DICT && writer_entries(c) > 16 && writer_entries(c) > s->w->rows / 2)
        if (!writer_to_texts(c, s->w->rows)) return no_memory(s, err);
    bool texts =
        c->storage == EXTENT_TEXTS && type_is_bytes((enum type)c->def.type) && s->w->rows > 0;
    if (!texts) return put_blocks(s, c, NULL, err);
    if (s->w->options.no_term_index) return put_texts_or_shapes(s, c, NULL, err);
    struct term_index_builder terms;
    term_index_begin(&terms, s->w->options.budget);
    if (c->bytes.len > 0) {
        terms.memory = c->bytes.ptr;
        terms.memory_end = c->bytes.ptr + c->bytes.cap;
    }
    enum rf_kind kind = put_texts_or_shapes(s, c, &terms, err);
    term_index_done(&terms);
    return kind;
}

static enum rf_kind put_extent(struct seal *s, const char *path, struct extent_info *info,
                               struct rf_err *err)
{
    struct extent_writer *w = s->w;
    struct extent_region region;
    RF_TRY(extent_file_create(&s->file, &w->options, path, err));
    RF_TRY(order_rows(s, err));
    find_time_range(s);
    if (!block_buf_u32(&s->footer, w->column_count) || !block_buf_u32(&s->footer, w->time_column) ||
        !block_buf_u64(&s->footer, w->rows) || !block_buf_u64(&s->footer, (uint64_t)s->time_min) ||
        !block_buf_u64(&s->footer, (uint64_t)s->time_max))
        return no_memory(s, err);
    for (uint32_t i = 0; i < w->column_count; i++) RF_TRY(put_column(s, &w->columns[i], err));
    RF_TRY(extent_file_region(&s->file, &s->footer, &region, err));
    RF_TRY(extent_file_finish(&s->file, &region, info, err));
    info->row_count = w->rows;
    info->time_min = s->time_min;
    info->time_max = s->time_max;
    return RF_OK;
}

enum rf_kind writer_seal(struct extent_writer *w, const char *path, struct extent_info *info,
                         struct rf_err *err)
{
    struct block_buf empty = block_buf_in(w->options.budget);
    struct seal s = {.w = w,
                     .file = {.buffer = empty, .regions = empty},
                     .footer = empty,
                     .blocks = empty,
                     .block = empty,
                     .chunk = empty,
                     .cells = empty,
                     .items = empty,
                     .nulls = empty};
    rf_arena_init_shared(&s.arena, w->options.budget);
    enum rf_kind kind = put_extent(&s, path, info, err);
    extent_file_close(&s.file, kind == RF_OK);
    struct block_buf *bufs[] = {&s.footer, &s.blocks, &s.block, &s.chunk,
                                &s.cells,  &s.items,  &s.nulls};
    for (size_t i = 0; i < RF_COUNT(bufs); i++) block_buf_done(bufs[i]);
    rf_arena_done(&s.arena);
    return kind;
}
