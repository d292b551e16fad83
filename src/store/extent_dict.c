/* Dictionaries of columns. One is loaded whole when pages of codes are read; a few rows need a few entries, and then only
 * the packs with these are unpacked, and only these are printed and checked. What was read once is kept either way. */
#include "store/block_int.h"
#include "store/extent_int.h"

#include <stdlib.h>

enum {
    ENTRIES_MIN = 256, /* fewer are soon loaded */
    WHOLE_FROM = 16    /* when one of so many entries is asked for, all are loaded */
};

struct extent_dict_chunk {
    struct extent_region region;
    struct block_buf stored; /* the region's bytes, until all entries are read */
    struct block_texts texts;
    enum { CHUNK_CLOSED, CHUNK_OPEN, CHUNK_READ } state;
};

static void free_chunks(struct extent_dict *dict)
{
    for (uint32_t i = 0; i < dict->chunk_count; i++) {
        block_texts_done(&dict->chunks[i].texts);
        block_buf_done(&dict->chunks[i].stored);
    }
    free(dict->chunks);
    dict->chunks = NULL;
    dict->chunk_count = 0;
}

void extent_dict_free(struct extent_dict *dict)
{
    if (dict == NULL) return;
    free_chunks(dict);
    block_buf_done(&dict->items);
    block_buf_done(&dict->cell_bytes);
    block_buf_done(&dict->null_bytes);
    block_buf_done(&dict->known);
    block_buf_done(&dict->spare);
    rf_arena_done(&dict->own);
    block_codec_done(&dict->codec);
    free(dict);
}

/* ---- opening -------------------------------------------------------------------------------------------------- */

static enum rf_kind make_chunks(struct extent *e, const struct extent_col *c,
                                struct extent_dict *dict, rf_str bytes, struct rf_err *err)
{
    struct extent_list list;
    RF_TRY(extent_list_open(e, &list, bytes, c->dict_count, err));
    dict->chunks = calloc((size_t)list.chunk_count + 1, sizeof *dict->chunks);
    if (dict->chunks == NULL) return block_no_memory(err, e->budget);
    dict->chunk_items = list.chunk_items;
    dict->chunk_count = list.chunk_count;
    for (uint32_t i = 0; i < list.chunk_count; i++)
        dict->chunks[i] = (struct extent_dict_chunk){
            .region = extent_region_at(list.regions + (size_t)i * EXTENT_REGION_BYTES),
            .stored = block_buf_in(e->budget),
            .texts = block_texts_in(e->budget)};
    return RF_OK;
}

static enum rf_kind open_dict(struct extent *e, const struct extent_col *c,
                              struct extent_dict *dict, struct rf_err *err)
{
    struct block_buf head = block_buf_in(e->budget);
    rf_str bytes = {0};
    if (!block_buf_reserve(&dict->items, (size_t)c->dict_count * sizeof(rf_str)))
        return block_no_memory(err, e->budget);
    enum rf_kind kind = extent_read_region(e, &c->dict, &head, &bytes, err);
    if (kind == RF_OK) kind = extent_fault(e, &c->dict, make_chunks(e, c, dict, bytes, err), err);
    block_buf_done(&head);
    return kind;
}

/* The column's dictionary, of which nothing may have been read yet. */
static enum rf_kind need_dict(struct extent *e, struct extent_col *c, struct rf_err *err)
{
    if (c->loaded != NULL) return RF_OK;
    struct extent_dict *dict = calloc(1, sizeof *dict);
    if (dict == NULL) return block_no_memory(err, e->budget);
    dict->items = dict->cell_bytes = dict->null_bytes = block_buf_in(e->budget);
    dict->known = dict->spare = dict->items;
    dict->codec.budget = e->budget;
    rf_arena_init_shared(&dict->own, e->budget);
    enum rf_kind kind = open_dict(e, c, dict, err);
    if (kind == RF_OK)
        c->loaded = dict;
    else
        extent_dict_free(dict);
    return kind;
}

static uint32_t chunk_entries(const struct extent_col *c, const struct extent_dict *dict,
                              uint32_t chunk)
{
    return RF_MIN(dict->chunk_items, c->dict_count - chunk * dict->chunk_items);
}

static enum rf_kind open_chunk(struct extent *e, const struct extent_col *c,
                               struct extent_dict *dict, uint32_t number, struct rf_err *err)
{
    struct extent_dict_chunk *chunk = &dict->chunks[number];
    rf_str bytes;
    if (chunk->state != CHUNK_CLOSED) return RF_OK;
    block_buf_done(&chunk->stored);
    chunk->stored = dict->spare;
    dict->spare = block_buf_in(e->budget);
    RF_TRY(extent_read_region(e, &chunk->region, &chunk->stored, &bytes, err));
    RF_TRY(extent_fault(
        e, &chunk->region,
        block_texts_open(&dict->codec, &chunk->texts, bytes, chunk_entries(c, dict, number), err),
        err));
    chunk->state = CHUNK_OPEN;
    return RF_OK;
}

/* ---- the whole dictionary --------------------------------------------------------------------------------------- */

static enum rf_kind read_chunk(struct extent *e, const struct extent_col *c,
                               struct extent_dict *dict, uint32_t number, struct rf_err *err)
{
    struct extent_dict_chunk *chunk = &dict->chunks[number];
    rf_str *items = (rf_str *)(void *)dict->items.ptr + (size_t)number * dict->chunk_items;
    if (chunk->state == CHUNK_READ) return RF_OK;
    RF_TRY(open_chunk(e, c, dict, number, err));
    enum rf_kind kind = block_texts_all(&chunk->texts, items, err);
    if (kind == RF_OK)
        kind = extent_check_texts((enum type)c->type, items, chunk_entries(c, dict, number), err);
    RF_TRY(extent_fault(e, &chunk->region, kind, err));
    /* The views need only what is unpacked and printed. */
    block_buf_done(&chunk->texts.room);
    block_buf_done(&chunk->texts.views);
    block_buf_done(&dict->spare);
    dict->spare = chunk->stored;
    chunk->stored = block_buf_in(e->budget);
    chunk->state = CHUNK_READ;
    return RF_OK;
}

static enum rf_kind note_nulls(struct extent *e, const struct extent_col *c,
                               struct extent_dict *dict, struct rf_err *err)
{
    const rf_str *items = (const rf_str *)(const void *)dict->items.ptr;
    bool any = false;
    if (c->type == TYPE_STRING) return RF_OK;
    if (!block_buf_reserve(&dict->null_bytes, c->dict_count))
        return block_no_memory(err, e->budget);
    for (uint32_t i = 0; i < c->dict_count; i++) any |= dict->null_bytes.ptr[i] = items[i].len == 0;
    dict->nulls = any ? dict->null_bytes.ptr : NULL;
    return RF_OK;
}

static void to_cell(rf_str text, uint8_t cell[16])
{
    memset(cell, 0, 16);
    if (text.len == 16) memcpy(cell, text.ptr, 16);
}

/* 16-byte cells in the place of texts. */
static enum rf_kind dict_to_cells(struct extent *e, const struct extent_col *c,
                                  struct extent_dict *dict, struct rf_err *err)
{
    const rf_str *items = (const rf_str *)(const void *)dict->items.ptr;
    if (!block_buf_reserve(&dict->cell_bytes, (size_t)c->dict_count * 16))
        return block_no_memory(err, e->budget);
    for (uint32_t i = 0; i < c->dict_count; i++)
        to_cell(items[i], dict->cell_bytes.ptr + (size_t)i * 16);
    free_chunks(dict);
    dict->cells = dict->cell_bytes.ptr;
    return RF_OK;
}

static enum rf_kind need_whole(struct extent *e, struct extent_col *c, struct rf_err *err)
{
    RF_TRY(need_dict(e, c, err));
    struct extent_dict *dict = c->loaded;
    if (dict->whole) return RF_OK;
    for (uint32_t i = 0; i < dict->chunk_count; i++) RF_TRY(read_chunk(e, c, dict, i, err));
    RF_TRY(note_nulls(e, c, dict, err));
    dict->cells = dict->items.ptr;
    if (!type_is_bytes((enum type)c->type)) RF_TRY(dict_to_cells(e, c, dict, err));
    block_buf_done(&dict->known);
    block_buf_done(&dict->spare);
    block_codec_done(&dict->codec);
    dict->whole = true;
    return RF_OK;
}

enum rf_kind extent_load_dict(struct extent *e, uint32_t column, const struct extent_dict **out,
                              struct rf_err *err)
{
    struct extent_col *c = &e->columns[column];
    pthread_mutex_lock(&e->lock);
    enum rf_kind kind = need_whole(e, c, err);
    if (kind == RF_OK) *out = c->loaded;
    pthread_mutex_unlock(&e->lock);
    return kind;
}

/* ---- a few entries ----------------------------------------------------------------------------------------------- */

bool extent_dict_by_entry(struct extent *e, uint32_t column, uint32_t count)
{
    const struct extent_col *c = &e->columns[column];
    uint64_t limit = c->dict_count / WHOLE_FROM;
    /* Other pages are likely to ask for as many. */
    if (c->dict_count < ENTRIES_MIN || count > EXTENT_SPARSE_ROWS_MAX ||
        count * (e->row_count / BLOCK_PAGE_ROWS + 1) > limit)
        return false;
    pthread_mutex_lock(&e->lock);
    const struct extent_dict *dict = c->loaded;
    bool few = dict == NULL || (!dict->whole && dict->known_count + count <= limit);
    pthread_mutex_unlock(&e->lock);
    return few;
}

/* Makes items[code] good, unless it is. */
static enum rf_kind need_entry(struct extent *e, const struct extent_col *c,
                               struct extent_dict *dict, uint32_t code, struct rf_err *err)
{
    uint32_t number = code / dict->chunk_items;
    struct extent_dict_chunk *chunk = &dict->chunks[number];
    rf_str *item = (rf_str *)(void *)dict->items.ptr + code, text;
    if (chunk->state == CHUNK_READ || dict->known.ptr[code] != 0) return RF_OK;
    RF_TRY(open_chunk(e, c, dict, number, err));
    enum rf_kind kind = block_texts_one(&chunk->texts, code % dict->chunk_items, &text, err);
    if (kind == RF_OK) kind = extent_check_texts((enum type)c->type, &text, 1, err);
    RF_TRY(extent_fault(e, &chunk->region, kind, err));
    /* The view lives until the next entry is read. */
    if (!rf_arena_str(&dict->own, text, item)) return rf_fail_memory(err, &dict->own);
    dict->known.ptr[code] = 1;
    dict->known_count++;
    return RF_OK;
}

static enum rf_kind read_entries(struct extent *e, struct extent_col *c, const uint32_t *codes,
                                 uint32_t count, void *cells, uint8_t *nulls, struct rf_err *err)
{
    RF_TRY(need_dict(e, c, err));
    struct extent_dict *dict = c->loaded;
    bool bytes = type_is_bytes((enum type)c->type);
    if (!dict->whole && dict->known.ptr == NULL) {
        if (!block_buf_reserve(&dict->known, c->dict_count)) return block_no_memory(err, e->budget);
        memset(dict->known.ptr, 0, c->dict_count);
    }
    for (uint32_t i = 0; i < count; i++) {
        RF_ASSERT(codes[i] < c->dict_count);
        if (dict->whole) {
            memcpy((uint8_t *)cells + (size_t)i * 16,
                   (const uint8_t *)dict->cells + (size_t)codes[i] * 16, 16);
            nulls[i] = dict->nulls != NULL && dict->nulls[codes[i]] != 0;
            continue;
        }
        RF_TRY(need_entry(e, c, dict, codes[i], err));
        rf_str item = ((const rf_str *)(const void *)dict->items.ptr)[codes[i]];
        if (bytes)
            ((rf_str *)cells)[i] = item;
        else
            to_cell(item, (uint8_t *)cells + (size_t)i * 16);
        nulls[i] = c->type != TYPE_STRING && item.len == 0;
    }
    return RF_OK;
}

enum rf_kind extent_read_entries(struct extent *e, uint32_t column, const uint32_t *codes,
                                 uint32_t count, void *cells, uint8_t *nulls, struct rf_err *err)
{
    _Static_assert(sizeof(rf_str) == 16, "texts take as much room as other cells");
    pthread_mutex_lock(&e->lock);
    enum rf_kind kind = read_entries(e, &e->columns[column], codes, count, cells, nulls, err);
    pthread_mutex_unlock(&e->lock);
    return kind;
}

/* A file's name is never given to another one, while the memory of an extent may be the next one's: a merge that opens one after
 * the other would then take the texts of the first for those of the second. */
uint64_t extent_dict_id(const struct extent *e, uint32_t column)
{
    return rf_hash_mix(rf_hash(e->path, strlen(e->path), column), e->row_count) | 1;
}
