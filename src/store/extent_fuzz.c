#include "store/extent.h"

#include "base/fs_fault.h"
#include "store/extent_int.h"
#include "test/rf_fuzz.h"
#include "value/dyn.h"

enum { FILE_BYTES_MAX = 1 << 20, COLUMNS_MAX = 64 };

/* Checksums would stop nearly every input at the door, so they are made right where they can be found. */
static void mend(uint8_t *file, size_t len, uint8_t *region)
{
    uint64_t offset = rf_get_u64le(region);
    uint32_t bytes = rf_get_u32le(region + 8);
    if (offset <= len && bytes <= len - offset) extent_checksum(file + offset, bytes, region + 12);
}

static void mend_trailer(uint8_t *file, size_t len)
{
    uint8_t *trailer = file + (len - EXTENT_TRAILER_BYTES);
    memcpy(trailer, extent_trailer_magic, 8);
    rf_put_u32le(trailer + 8, EXTENT_VERSION);
    memset(trailer + 12, 0, 28); /* not encrypted */
    mend(file, len, trailer + 40);
    extent_checksum(trailer, 80, trailer + 80);
}

/* Regions that a list or an index of terms names, from `at` of the region on. */
static void mend_inner(uint8_t *file, size_t len, const struct extent_region *region, size_t at)
{
    if (region->offset > len || region->bytes > len - region->offset) return;
    for (; at + EXTENT_REGION_BYTES <= region->bytes; at += EXTENT_REGION_BYTES)
        mend(file, len, file + region->offset + at);
}

static void mend_columns(struct extent *e, uint8_t *file, size_t len)
{
    for (uint32_t i = 0; i < e->all_count; i++) {
        struct extent_col *c = &e->columns[i];
        uint64_t granules = (e->row_count + EXTENT_GRANULE_ROWS - 1) / EXTENT_GRANULE_ROWS;
        if (c->storage == EXTENT_DICT) mend_inner(file, len, &c->dict, 8);
        if (c->has_terms) mend_inner(file, len, &c->terms, 12 + (size_t)granules);
        for (uint32_t k = 0; k < e->block_count && c->storage == EXTENT_TEXTS; k++)
            mend_inner(file, len, &c->blocks[k].region, 12);
    }
    for (uint32_t i = 0; i < e->all_count; i++) {
        struct extent_col *c = &e->columns[i];
        if (c->storage == EXTENT_DICT || c->storage == EXTENT_SHAPES)
            extent_checksum(file + c->dict.offset, c->dict.bytes, c->dict.check);
        if (c->has_terms) extent_checksum(file + c->terms.offset, c->terms.bytes, c->terms.check);
        for (uint32_t k = 0; k < e->block_count; k++) {
            struct extent_region *region = &c->blocks[k].region;
            extent_checksum(file + region->offset, region->bytes, region->check);
        }
    }
}

static void put_file(struct rf_fs *fs, const uint8_t *bytes, size_t len)
{
    struct rf_file *file;
    RF_ASSERT(rf_fs_open(fs, "/f", RF_OPEN_WRITE | RF_OPEN_CREATE, &file, NULL) == RF_OK);
    RF_ASSERT(rf_file_pwrite(file, bytes, len, 0, NULL) == RF_OK);
    rf_file_close(file);
}

static void read_rows(struct extent *e, const struct extent_test *tests, uint32_t test_count,
                      struct rf_budget *budget)
{
    static const rf_str inner[] = {{(const uint8_t *)"in", 2}, {(const uint8_t *)"x", 1}},
                        outer[] = {{(const uint8_t *)"user", 4}};
    struct extent_want wants[3 * COLUMNS_MAX];
    struct extent_cursor *cursor;
    struct batch batch;
    uint32_t count = 0;
    for (uint32_t i = 0; i < RF_MIN(e->column_count, (uint32_t)COLUMNS_MAX); i++) {
        wants[count++] = (struct extent_want){.column = i};
        if (e->columns[i].type != TYPE_DYNAMIC) continue;
        wants[count++] = (struct extent_want){i, inner, RF_COUNT(inner)};
        wants[count++] = (struct extent_want){i, outer, RF_COUNT(outer)};
    }
    if (extent_cursor_of(e, wants, count, tests, test_count, budget, &cursor, NULL) != RF_OK)
        return;
    while (extent_cursor_next(cursor, &batch, NULL) == RF_OK && batch.row_count > 0) {
        for (uint32_t i = 0; i < batch.column_count; i++) {
            for (uint32_t row = 0; row < batch.row_count; row++) {
                struct value v = vec_value(&batch.columns[i], row);
                if (!v.null) (void)value_hash(&v);
            }
        }
    }
    extent_cursor_free(cursor);
}

/* Some entries of each dictionary, before any is loaded whole. */
static void read_entries(struct extent *e)
{
    for (uint32_t i = 0; i < e->all_count; i++) {
        uint32_t count = e->columns[i].dict_count, codes[8];
        enum type type = (enum type)e->columns[i].type;
        rf_str cells[8];
        uint8_t nulls[8];
        if (e->columns[i].storage != EXTENT_DICT || count == 0) continue;
        for (uint32_t k = 0; k < 8; k++) codes[k] = (count - 1) / (k + 1);
        if (extent_read_entries(e, i, codes, 8, cells, nulls, NULL) != RF_OK) continue;
        struct vec v = {.type = type, .shape = VEC_FLAT, .data = cells, .nulls = nulls};
        for (uint32_t k = 0; k < 8; k++) {
            struct value value = vec_value(&v, k);
            if (!value.null) (void)value_hash(&value);
        }
    }
}

static void read_extent(struct extent *e, struct rf_budget *budget)
{
    static const rf_str terms[] = {{(const uint8_t *)"powershell", 10}};
    const struct value value = value_str(RF_S("powershell -enc"));
    uint64_t blocks;
    read_entries(e);
    read_rows(e, NULL, 0, budget);
    for (uint32_t i = 0; i < RF_MIN(e->column_count, (uint32_t)COLUMNS_MAX); i++) {
        struct extent_test tests[] = {
            {.column = i, .kind = EXTENT_TERMS, .terms = terms, .term_count = 1},
            {.column = i, .kind = EXTENT_CONTAINS, .values = &value, .value_count = 1},
            {.column = i, .kind = EXTENT_RANGE, .low = value_long(3), .high = {.null = true}},
        };
        for (size_t k = 0; k < RF_COUNT(tests); k++) read_rows(e, &tests[k], 1, budget);
    }
    (void)!extent_verify(e, &blocks, NULL);
}

RF_FUZZ(extent, text)
{
    if (text.len < EXTENT_TRAILER_BYTES + EXTENT_HEADER_BYTES || text.len > FILE_BYTES_MAX) return;
    struct rf_fs_fault *fault = rf_fs_fault_new(1);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, FILE_BYTES_MAX + 4096);
    uint8_t *file = rf_arena_alloc(&arena, text.len);
    struct rf_budget budget;
    rf_budget_init(&budget, 256 << 20);
    struct extent_options options = {.fs = rf_fs_fault_fs(fault), .budget = &budget};
    struct extent *e;
    RF_ASSERT(file != NULL);
    memcpy(file, text.ptr, text.len);
    mend_trailer(file, text.len);
    put_file(options.fs, file, text.len);
    if (extent_open(&options, "/f", &e, NULL) == RF_OK) {
        mend_columns(e, file, text.len);
        put_file(options.fs, file, text.len);
        read_extent(e, &budget);
        extent_free(e);
    }
    rf_fs_fault_free(fault);
    RF_ASSERT(atomic_load(&budget.used_bytes) == 0);
}
