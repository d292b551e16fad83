/* Opening an extent: trailer, footer, and the regions that cursors ask for. */
#include "store/extent_int.h"

#include "store/block_int.h"
#include "store/extent_shapes.h"
#include "value/dyn.h"

#include <stdlib.h>

enum { TAIL_BYTES = 64 << 10 }; /* read at once on opening: the footer of most extents */

/* ---- regions ------------------------------------------------------------------------------------------------- */

struct extent_region extent_region_at(const uint8_t *bytes)
{
    struct extent_region region = {.offset = rf_get_u64le(bytes), .bytes = rf_get_u32le(bytes + 8)};
    memcpy(region.check, bytes + 12, sizeof region.check);
    return region;
}

bool extent_region_inside(const struct extent *e, const struct extent_region *region)
{
    uint64_t tag = e->crypt.on ? EXTENT_TAG_BYTES : 0;
    return region->offset >= EXTENT_HEADER_BYTES && region->offset <= e->file_bytes &&
           region->bytes <= e->file_bytes - region->offset &&
           region->bytes <= EXTENT_REGION_BYTES_MAX && region->bytes >= tag;
}

static enum rf_kind corrupt(struct extent *e, uint64_t from, uint64_t to, const char *what,
                            struct rf_err *err)
{
    return RF_FAIL(err, RF_CORRUPT, "ExtentCorrupt", "%s, bytes %llu to %llu: %s", e->path,
                   (unsigned long long)from, (unsigned long long)to, what);
}

enum rf_kind extent_fault(struct extent *e, const struct extent_region *region, enum rf_kind kind,
                          struct rf_err *err)
{
    /* What another region was at fault for names that one already. */
    if (kind != RF_CORRUPT || err == NULL || strcmp(err->code, "BlockCorrupt") != 0) return kind;
    char what[256];
    memcpy(what, err->text, sizeof what - 1);
    what[sizeof what - 1] = 0;
    return corrupt(e, region->offset, region->offset + region->bytes, what, err);
}

static enum rf_kind check_region(struct extent *e, const struct extent_region *region,
                                 uint8_t *bytes, rf_str *out, struct rf_err *err)
{
    uint64_t to = region->offset + region->bytes;
    uint8_t check[16];
    size_t len = region->bytes;
    extent_checksum(bytes, len, check);
    if (memcmp(check, region->check, sizeof check) != 0)
        return corrupt(e, region->offset, to, "the checksum is wrong", err);
    if (e->crypt.on) {
        len -= EXTENT_TAG_BYTES;
        if (!extent_crypt_open(&e->crypt, region->offset, bytes, len))
            return corrupt(e, region->offset, to, "it does not decrypt", err);
    }
    *out = rf_str_make(bytes, len);
    return RF_OK;
}

enum rf_kind extent_read_region(struct extent *e, const struct extent_region *region,
                                struct block_buf *buf, rf_str *out, struct rf_err *err)
{
    buf->len = 0;
    if (!extent_region_inside(e, region))
        return corrupt(e, region->offset, region->offset + region->bytes,
                       "it lies outside the file", err);
    if (!block_buf_reserve(buf, region->bytes)) return block_no_memory(err, buf->budget);
    RF_TRY(rf_file_pread_all(e->file, buf->ptr, region->bytes, region->offset, err));
    buf->len = region->bytes;
    return check_region(e, region, buf->ptr, out, err);
}

/* ---- footer -------------------------------------------------------------------------------------------------- */

static bool region_take(struct extent *e, struct block_reader *r, struct extent_region *out)
{
    const uint8_t *bytes = block_take(r, EXTENT_REGION_BYTES);
    if (bytes == NULL) return false;
    *out = extent_region_at(bytes);
    return extent_region_inside(e, out);
}

static bool storage_fits(enum type type, enum extent_storage storage, bool inner)
{
    if (storage >= EXTENT_STORAGES) return false;
    if (storage == EXTENT_SHAPES) return type == TYPE_DYNAMIC && !inner;
    return extent_is_texts(type) == (storage != EXTENT_CELLS);
}

static bool parse_block(struct extent *e, struct block_reader *r, uint32_t block, bool inner,
                        struct extent_block *out)
{
    out->rows = inner ? block_take_u32(r) : extent_block_rows(e, block);
    if (out->rows > extent_block_rows(e, block)) return false;
    if (out->rows == 0) {
        (void)block_take(r, EXTENT_REGION_BYTES);
    } else if (!region_take(e, r, &out->region)) {
        return false;
    }
    out->nulls = block_take_u32(r);
    out->flags = block_take_u8(r);
    const uint8_t *range = block_take(r, 32);
    if (range == NULL || out->nulls > out->rows) return false;
    memcpy(out->min, range, 16);
    memcpy(out->max, range + 16, 16);
    return true;
}

/* False: bad bytes, or lack of memory when *no_memory is set. */
static bool parse_blocks(struct extent *e, struct block_reader *r, bool inner, struct extent_col *c,
                         bool *no_memory)
{
    c->blocks = rf_arena_new(&e->arena, struct extent_block, e->block_count);
    *no_memory = c->blocks == NULL;
    if (*no_memory) return false;
    for (uint32_t i = 0; i < e->block_count; i++)
        if (!parse_block(e, r, i, inner, &c->blocks[i])) return false;
    return true;
}

static bool parse_storage(struct extent *e, struct block_reader *r, bool inner,
                          struct extent_col *c)
{
    c->type = block_take_u8(r);
    c->storage = block_take_u8(r);
    if (r->failed || c->type >= TYPE_COUNT ||
        !storage_fits((enum type)c->type, (enum extent_storage)c->storage, inner))
        return false;
    if (c->storage != EXTENT_DICT && c->storage != EXTENT_SHAPES) return true;
    c->dict_count = block_take_u32(r);
    return c->dict_count <= 2 * EXTENT_ROWS_MAX && region_take(e, r, &c->dict);
}

/* The columns within column `index`; they are put behind all others. */
static bool parse_inner(struct extent *e, struct block_reader *r, uint32_t index, bool *no_memory)
{
    uint32_t count = block_take_u16(r), first = e->all_count;
    if (r->failed || count == 0 || count > SHAPE_LEAVES_MAX + 1) return false;
    struct extent_col *grown = rf_arena_grow(&e->arena, e->columns, first * sizeof *grown,
                                             ((size_t)first + count) * sizeof *grown);
    *no_memory = grown == NULL;
    if (grown == NULL) return false;
    memset(grown + first, 0, count * sizeof *grown);
    e->columns = grown;
    e->all_count = first + count;
    e->columns[index].inner = first;
    e->columns[index].inner_count = count;
    for (uint32_t i = first; i < first + count; i++)
        if (!parse_storage(e, r, true, &e->columns[i]) ||
            !parse_blocks(e, r, true, &e->columns[i], no_memory))
            return false;
    return true;
}

static bool parse_column(struct extent *e, struct block_reader *r, uint32_t index, bool *no_memory)
{
    struct extent_column *def = &e->names[index];
    rf_str name = block_take_str(r, block_take_u16(r));
    if (r->failed || !parse_storage(e, r, false, &e->columns[index])) return false;
    if (e->columns[index].storage == EXTENT_SHAPES && !parse_inner(e, r, index, no_memory))
        return false;
    struct extent_col *c = &e->columns[index];
    def->type = c->type;
    uint8_t terms = block_take_u8(r);
    c->has_terms = terms == 1;
    if (terms > 1 || (c->has_terms && !region_take(e, r, &c->terms))) return false;
    *no_memory = !rf_arena_str(&e->arena, name, &def->name);
    return !*no_memory && parse_blocks(e, r, false, c, no_memory);
}

static enum rf_kind parse_footer(struct extent *e, rf_str bytes, const struct extent_region *region,
                                 struct rf_err *err)
{
    struct block_reader r = {bytes, 0, false};
    uint64_t to = region->offset + region->bytes;
    uint32_t columns = block_take_u32(&r);
    e->time_column = block_take_u32(&r);
    e->row_count = block_take_u64(&r);
    e->time_min = (int64_t)block_take_u64(&r);
    e->time_max = (int64_t)block_take_u64(&r);
    /* Each column takes some bytes, which bounds what is allocated for them. */
    bool good = !r.failed && e->row_count <= EXTENT_ROWS_MAX && columns <= bytes.len / 4 &&
                (e->time_column < columns || e->time_column == UINT32_MAX);
    if (!good) return corrupt(e, region->offset, to, "the footer has a bad head", err);
    e->block_count =
        (uint32_t)(e->row_count / EXTENT_BLOCK_ROWS + (e->row_count % EXTENT_BLOCK_ROWS != 0));
    e->names = rf_arena_new(&e->arena, struct extent_column, columns);
    e->columns = rf_arena_new(&e->arena, struct extent_col, columns);
    if (e->names == NULL || e->columns == NULL) return rf_fail_memory(err, &e->arena);
    e->all_count = columns;
    for (uint32_t i = 0; i < columns; i++) {
        bool no_memory = false;
        if (parse_column(e, &r, i, &no_memory)) continue;
        return no_memory ? rf_fail_memory(err, &e->arena)
                         : corrupt(e, region->offset, to, "a column of the footer is bad", err);
    }
    e->column_count = columns;
    if (r.at != bytes.len)
        return corrupt(e, region->offset, to, "the footer goes on behind its end", err);
    if (e->time_column != UINT32_MAX && e->columns[e->time_column].type != TYPE_DATETIME)
        return corrupt(e, region->offset, to, "the column of time is none", err);
    return RF_OK;
}

/* ---- opening ------------------------------------------------------------------------------------------------- */

static enum rf_kind parse_trailer(struct extent *e, const uint8_t *trailer,
                                  const struct extent_key *key, struct extent_region *footer,
                                  struct rf_err *err)
{
    uint8_t check[16];
    uint64_t at = e->file_bytes - EXTENT_TRAILER_BYTES;
    extent_checksum(trailer, 80, check);
    if (memcmp(trailer, extent_trailer_magic, 8) != 0 ||
        memcmp(check, trailer + 80, sizeof check) != 0)
        return corrupt(e, at, e->file_bytes, "it does not end as an extent does", err);
    uint32_t version = rf_get_u32le(trailer + 8), flags = rf_get_u32le(trailer + 12);
    if (version != EXTENT_VERSION || flags > EXTENT_FLAG_ENCRYPTED)
        return RF_FAIL(err, RF_INVALID, "ExtentVersion",
                       "%s is of version %u; this program reads version %d", e->path, version,
                       EXTENT_VERSION);
    bool encrypted = flags == EXTENT_FLAG_ENCRYPTED, have_key = key != NULL && key->present;
    if (encrypted && !have_key)
        return RF_FAIL(err, RF_DENIED, "KeyMissing", "%s is encrypted; give its key", e->path);
    RF_TRY(extent_crypt_init(&e->crypt, encrypted ? key : NULL, trailer + 16, err));
    if (memcmp(e->crypt.key_check, trailer + 32, EXTENT_KEY_CHECK_BYTES) != 0)
        return RF_FAIL(err, RF_DENIED, "KeyWrong", "%s is encrypted under another key", e->path);
    *footer = extent_region_at(trailer + 40);
    return RF_OK;
}

static enum rf_kind read_footer(struct extent *e, const struct extent_key *key,
                                struct block_buf *tail, struct rf_err *err)
{
    if (e->file_bytes < EXTENT_HEADER_BYTES + EXTENT_TRAILER_BYTES)
        return corrupt(e, 0, e->file_bytes, "it is too short for an extent", err);
    size_t bytes = (size_t)RF_MIN(e->file_bytes, (uint64_t)TAIL_BYTES);
    uint64_t from = e->file_bytes - bytes;
    if (!block_buf_reserve(tail, bytes)) return block_no_memory(err, e->budget);
    RF_TRY(rf_file_pread_all(e->file, tail->ptr, bytes, from, err));
    struct extent_region footer;
    rf_str text = {0};
    RF_TRY(parse_trailer(e, tail->ptr + bytes - EXTENT_TRAILER_BYTES, key, &footer, err));
    if (footer.offset < from || !extent_region_inside(e, &footer))
        RF_TRY(extent_read_region(e, &footer, tail, &text, err));
    else
        RF_TRY(check_region(e, &footer, tail->ptr + (footer.offset - from), &text, err));
    return parse_footer(e, text, &footer, err);
}

static enum rf_kind open_file(struct extent *e, const struct extent_options *options,
                              const char *path, struct rf_err *err)
{
    e->path = rf_arena_cstr(&e->arena, rf_str_of(path));
    if (e->path == NULL) return rf_fail_memory(err, &e->arena);
    RF_TRY(rf_fs_open(e->fs, path, RF_OPEN_READ, &e->file, err));
    RF_TRY(rf_file_size(e->file, &e->file_bytes, err));
    if (pthread_mutex_init(&e->lock, NULL) != 0) return block_no_memory(err, e->budget);
    e->lock_ready = true;
    struct block_buf tail = block_buf_in(e->budget);
    enum rf_kind kind = read_footer(e, options->key, &tail, err);
    block_buf_done(&tail);
    return kind;
}

enum rf_kind extent_open(const struct extent_options *options, const char *path,
                         struct extent **out, struct rf_err *err)
{
    struct extent *e = calloc(1, sizeof *e);
    if (e == NULL) return block_no_memory(err, options->budget);
    e->fs = options->fs;
    e->budget = options->budget;
    rf_arena_init_shared(&e->arena, e->budget);
    enum rf_kind kind = open_file(e, options, path, err);
    if (kind != RF_OK) {
        extent_free(e);
        return kind;
    }
    *out = e;
    return RF_OK;
}

void extent_free(struct extent *e)
{
    if (e == NULL) return;
    for (uint32_t i = 0; i < e->all_count; i++) {
        extent_dict_free(e->columns[i].loaded);
        extent_shapes_free(e->columns[i].shapes);
    }
    extent_path_dicts_free(e->path_dicts);
    if (e->lock_ready) pthread_mutex_destroy(&e->lock);
    rf_file_close(e->file);
    rf_arena_done(&e->arena);
    explicit_bzero(&e->crypt, sizeof e->crypt);
    free(e);
}

uint64_t extent_row_count(const struct extent *e) { return e->row_count; }
uint32_t extent_block_count(const struct extent *e) { return e->block_count; }

const struct extent_column *extent_columns(const struct extent *e, uint32_t *count)
{
    *count = e->column_count;
    return e->names;
}

/* ---- lists of texts ------------------------------------------------------------------------------------------- */

enum rf_kind extent_list_open(struct extent *e, struct extent_list *list, rf_str bytes,
                              uint32_t item_count, struct rf_err *err)
{
    struct block_reader r = {bytes, 0, false};
    *list = (struct extent_list){.item_count = item_count};
    list->chunk_items = block_take_u32(&r);
    list->chunk_count = block_take_u32(&r);
    if (r.failed || list->chunk_items == 0 || list->chunk_items > BLOCK_COUNT_MAX)
        return block_corrupt(err, "a list has a bad head");
    if (list->chunk_count != item_count / list->chunk_items + (item_count % list->chunk_items != 0))
        return block_corrupt(err, "a list has a wrong number of chunks");
    list->regions = block_take(&r, (size_t)list->chunk_count * EXTENT_REGION_BYTES);
    if (r.failed || r.at != bytes.len) return block_corrupt(err, "a list has a wrong length");
    for (uint32_t i = 0; i < list->chunk_count; i++) {
        struct extent_region region =
            extent_region_at(list->regions + (size_t)i * EXTENT_REGION_BYTES);
        if (!extent_region_inside(e, &region))
            return block_corrupt(err, "a chunk lies outside the file");
    }
    return RF_OK;
}

/* Scale and coefficient as decimal.c makes them. */
static bool decimal_valid(const uint8_t *cell)
{
    uint64_t hi = rf_get_u64le(cell + 8);
    return (hi >> 49 & 0x7f) <= 34 && (hi >> 56 & 0x7f) == 0;
}

enum rf_kind extent_check_texts(enum type type, const rf_str *items, uint32_t count,
                                struct rf_err *err)
{
    if (type == TYPE_STRING) return RF_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].len == 0) continue; /* a null's place */
        bool good = type == TYPE_DYNAMIC ? dyn_valid(items[i]) : items[i].len == 16;
        if (good && type == TYPE_DECIMAL) good = decimal_valid(items[i].ptr);
        if (!good) return block_corrupt(err, "a value is not of its column's type");
    }
    return RF_OK;
}
