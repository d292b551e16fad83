#include "store/extent_writer.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    SLOTS_MIN = 1024,
    GIVE_UP_ROWS = 8192,         /* from here on a dictionary must pay */
    GIVE_UP_ENTRIES = 128 << 10, /* that many entries must come four times each */
    NO_CODE = -1,
    AHEAD = 8 /* rows */
};

/* ---- life cycle ---------------------------------------------------------------------------------------------- */

void writer_column_init(struct writer_column *c, struct rf_budget *budget)
{
    c->storage = extent_is_texts((enum type)c->def.type) ? EXTENT_DICT : EXTENT_CELLS;
    struct block_buf empty = block_buf_in(budget);
    c->cells = c->nulls = c->bytes = c->ends = c->source_codes = c->places = empty;
}

static void drop_slots(struct writer_column *c)
{
    free(c->slots);
    rf_budget_give(c->cells.budget, (size_t)c->slot_cap * sizeof *c->slots);
    c->slots = NULL;
    c->slot_cap = 0;
    block_buf_done(&c->source_codes);
    c->source_id = 0;
}

void writer_column_done(struct writer_column *c)
{
    drop_slots(c);
    block_buf_done(&c->cells);
    block_buf_done(&c->nulls);
    block_buf_done(&c->bytes);
    block_buf_done(&c->ends);
    block_buf_done(&c->places);
}

static void writer_reset(struct extent_writer *w)
{
    for (uint32_t i = 0; i < w->column_count; i++) {
        writer_column_done(&w->columns[i]);
        writer_column_init(&w->columns[i], w->options.budget);
    }
    w->rows = 0;
    w->sorted = true;
    w->last_time = INT64_MIN;
}

static enum rf_kind copy_columns(struct extent_writer *w, const struct extent_column *columns,
                                 uint32_t count, struct rf_err *err)
{
    w->columns = rf_arena_new(&w->arena, struct writer_column, count);
    if (w->columns == NULL) return rf_fail_memory(err, &w->arena);
    w->time_column = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        RF_ASSERT(columns[i].type < TYPE_COUNT);
        if (columns[i].name.len > UINT16_MAX)
            return RF_FAIL(err, RF_LIMIT, "ColumnNameTooLong", "a column's name has %zu bytes",
                           columns[i].name.len);
        w->columns[i].def.type = columns[i].type;
        if (!rf_arena_str(&w->arena, columns[i].name, &w->columns[i].def.name))
            return rf_fail_memory(err, &w->arena);
        writer_column_init(&w->columns[i], w->options.budget);
        w->column_count = i + 1;
        if (columns[i].type == TYPE_DATETIME && rf_str_is(columns[i].name, "TimeGenerated"))
            w->time_column = i;
    }
    return RF_OK;
}

enum rf_kind extent_writer_new(const struct extent_options *options,
                               const struct extent_column *columns, uint32_t column_count,
                               struct extent_writer **out, struct rf_err *err)
{
    struct extent_writer *w = calloc(1, sizeof *w);
    if (w == NULL) return block_no_memory(err, options->budget);
    w->options = *options;
    if (options->key != NULL) {
        w->key = *options->key;
        w->options.key = &w->key;
    }
    w->codec = (struct block_codec){.budget = options->budget, .level = options->compression_level};
    rf_arena_init_shared(&w->arena, options->budget);
    enum rf_kind kind = copy_columns(w, columns, column_count, err);
    if (kind != RF_OK) {
        extent_writer_free(w);
        return kind;
    }
    writer_reset(w);
    *out = w;
    return RF_OK;
}

void extent_writer_free(struct extent_writer *w)
{
    if (w == NULL) return;
    for (uint32_t i = 0; i < w->column_count; i++) writer_column_done(&w->columns[i]);
    block_codec_done(&w->codec);
    rf_arena_done(&w->arena);
    explicit_bzero(&w->key, sizeof w->key);
    free(w);
}

uint64_t extent_writer_rows(const struct extent_writer *w) { return w->rows; }

uint64_t extent_writer_bytes(const struct extent_writer *w)
{
    uint64_t bytes = sizeof *w;
    for (uint32_t i = 0; i < w->column_count; i++) {
        const struct writer_column *c = &w->columns[i];
        bytes += c->cells.cap + c->nulls.cap + c->bytes.cap + c->ends.cap + c->source_codes.cap;
        bytes += (uint64_t)c->slot_cap * sizeof *c->slots;
    }
    return bytes;
}

/* ---- the dictionary ------------------------------------------------------------------------------------------ */

/* Not stored: it may change at any time. */
static inline uint32_t tag_of(rf_str text)
{
    uint64_t a, b;
    if (text.len > 16) {
        uint64_t hash = XXH3_64bits(text.ptr, text.len);
        return (uint32_t)(hash ^ hash >> 32);
    }
    if (text.len >= 8) {
        a = rf_get_u64le(text.ptr);
        b = rf_get_u64le(text.ptr + text.len - 8);
    } else if (text.len >= 4) {
        a = rf_get_u32le(text.ptr);
        b = rf_get_u32le(text.ptr + text.len - 4);
    } else {
        a = text.len == 0 ? 0 : text.ptr[0] | (unsigned)text.ptr[text.len / 2] << 8;
        b = text.len == 0 ? 0 : text.ptr[text.len - 1];
    }
    unsigned __int128 product = (unsigned __int128)(a ^ UINT64_C(0x9e3779b97f4a7c15)) *
                                (b ^ text.len ^ UINT64_C(0xc2b2ae3d27d4eb4f));
    uint64_t hash = (uint64_t)product ^ (uint64_t)(product >> 64);
    return (uint32_t)(hash ^ hash >> 32);
}

static inline bool same_bytes(const uint8_t *a, const uint8_t *b, size_t len)
{
    if (len > 16 || len < 4) return memcmp(a, b, len) == 0;
    if (len < 8)
        return ((rf_get_u32le(a) ^ rf_get_u32le(b)) |
                (rf_get_u32le(a + len - 4) ^ rf_get_u32le(b + len - 4))) == 0;
    return ((rf_get_u64le(a) ^ rf_get_u64le(b)) |
            (rf_get_u64le(a + len - 8) ^ rf_get_u64le(b + len - 8))) == 0;
}

static bool grow_slots(struct writer_column *c)
{
    uint32_t cap = c->slot_cap == 0 ? SLOTS_MIN : c->slot_cap * 2;
    struct rf_budget *budget = c->cells.budget;
    size_t bytes = (size_t)cap * sizeof *c->slots;
    if (!rf_budget_take(budget, bytes)) return false;
    struct writer_slot *slots = calloc(cap, sizeof *slots);
    if (slots == NULL) {
        rf_budget_give(budget, bytes);
        return false;
    }
    for (uint32_t i = 0; i < c->slot_cap; i++) {
        if (c->slots[i].code_1 == 0) continue;
        uint32_t at = c->slots[i].tag & (cap - 1);
        while (slots[at].code_1 != 0) at = (at + 1) & (cap - 1);
        slots[at] = c->slots[i];
    }
    free(c->slots);
    rf_budget_give(budget, (size_t)c->slot_cap * sizeof *c->slots);
    c->slots = slots;
    c->slot_cap = cap;
    return true;
}

static bool put_text(struct writer_column *c, rf_str text)
{
    /* One byte more, so that there is a place even for the empty text. */
    if (!block_buf_reserve(&c->ends, 4) || !block_buf_reserve(&c->bytes, text.len + 1) ||
        !block_buf_put(&c->bytes, text.ptr, text.len))
        return false;
    return block_buf_u32(&c->ends, (uint32_t)c->bytes.len);
}

/* The text's code, which is new when the text is; NO_CODE on lack of memory. */
static int64_t code_of_tag(struct writer_column *c, rf_str text, uint32_t tag)
{
    if (writer_entries(c) >= c->slot_cap / 2 && !grow_slots(c)) return NO_CODE;
    uint32_t at = tag & (c->slot_cap - 1);
    for (; c->slots[at].code_1 != 0; at = (at + 1) & (c->slot_cap - 1)) {
        const struct writer_slot *slot = &c->slots[at];
        if (slot->tag == tag && slot->len == text.len &&
            (text.len == 0 || same_bytes(c->bytes.ptr + slot->from, text.ptr, text.len)))
            return slot->code_1 - 1;
    }
    uint32_t code = writer_entries(c), from = (uint32_t)c->bytes.len;
    if (!put_text(c, text)) return NO_CODE;
    c->slots[at] = (struct writer_slot){tag, code + 1, from, (uint32_t)text.len};
    return code;
}

static int64_t code_of(struct writer_column *c, rf_str text)
{
    return code_of_tag(c, text, tag_of(text));
}

bool writer_to_texts(struct writer_column *c, uint32_t rows)
{
    struct block_buf bytes = block_buf_in(c->cells.budget), ends = bytes;
    const uint32_t *codes = (const uint32_t *)(const void *)c->cells.ptr;
    size_t total = 0;
    for (uint32_t i = 0; i < rows; i++) total += writer_entry(c, codes[i]).len;
    if (!block_buf_reserve(&bytes, total + 1) || !block_buf_reserve(&ends, (size_t)rows * 4)) {
        block_buf_done(&bytes);
        block_buf_done(&ends);
        return false;
    }
    for (uint32_t i = 0; i < rows; i++) {
        rf_str text = writer_entry(c, codes[i]);
        if (text.len > 0) memcpy(bytes.ptr + bytes.len, text.ptr, text.len);
        bytes.len += text.len;
        rf_put_u32le(ends.ptr + (size_t)i * 4, (uint32_t)bytes.len);
    }
    ends.len = (size_t)rows * 4;
    drop_slots(c);
    block_buf_done(&c->cells);
    block_buf_done(&c->bytes);
    block_buf_done(&c->ends);
    c->bytes = bytes;
    c->ends = ends;
    c->storage = EXTENT_TEXTS;
    return true;
}

/* Whether so many distinct values are worth their dictionary. The rows given up on early are those of columns
 * where hardly a value repeats; others are looked at again when the extent is written. */
bool writer_dictionary_pays(const struct writer_column *c, uint64_t rows)
{
    uint64_t entries = writer_entries(c);
    if (rows < GIVE_UP_ROWS) return true;
    return entries < rows - rows / 8 && (entries < GIVE_UP_ENTRIES || entries < rows / 4);
}

/* ---- taking in rows ------------------------------------------------------------------------------------------ */

/* Entry `index` of a vector of byte strings or 16-byte cells; empty when it is null. */
static rf_str source_text(const struct vec *v, uint32_t index)
{
    if (v->nulls != NULL && v->nulls[index] != 0) return (rf_str){0};
    if (type_is_bytes((enum type)v->type)) return ((const rf_str *)v->data)[index];
    return rf_str_make((const uint8_t *)v->data + (size_t)index * 16, 16);
}

static bool append_texts(struct writer_column *c, const struct vec *v, uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) bytes += source_text(v, vec_at(v, i)).len;
    if (!block_buf_reserve(&c->ends, (size_t)count * 4) || !block_buf_reserve(&c->bytes, bytes + 1))
        return false;
    uint8_t *to = c->bytes.ptr + c->bytes.len, *ends = c->ends.ptr + c->ends.len;
    for (uint32_t i = 0; i < count; i++, ends += 4) {
        rf_str text = source_text(v, vec_at(v, i));
        if (text.len > 0) memcpy(to, text.ptr, text.len);
        to += text.len;
        rf_put_u32le(ends, (uint32_t)(to - c->bytes.ptr));
    }
    c->bytes.len = (size_t)(to - c->bytes.ptr);
    c->ends.len += (size_t)count * 4;
    return true;
}

/* Hashes first, then fetches slots and entries some rows ahead: a large dictionary lies outside the caches. */
static bool codes_of_flat(struct writer_column *c, const struct vec *v, uint32_t count,
                          uint32_t *codes)
{
    uint32_t tags[BATCH_ROWS];
    RF_ASSERT(count <= BATCH_ROWS);
    for (uint32_t i = 0; i < count; i++) tags[i] = tag_of(source_text(v, i));
    for (uint32_t i = 0; i < count; i++) {
        if (i + 2 * AHEAD < count && c->slot_cap > 0)
            __builtin_prefetch(&c->slots[tags[i + 2 * AHEAD] & (c->slot_cap - 1)]);
        if (i + AHEAD < count && c->slot_cap > 0)
            __builtin_prefetch(c->bytes.ptr + c->slots[tags[i + AHEAD] & (c->slot_cap - 1)].from);
        int64_t code = code_of_tag(c, source_text(v, i), tags[i]);
        if (code == NO_CODE) return false;
        codes[i] = (uint32_t)code;
    }
    return true;
}

/* Makes room for the codes of a source's dictionary, keeping those that are known of the same one. */
static bool begin_source(struct writer_column *c, const struct vec *v)
{
    struct block_buf *known = &c->source_codes;
    if (v->dict_id == 0 || v->dict_id != c->source_id) known->len = 0;
    c->source_id = v->dict_id;
    size_t bytes = (size_t)v->dict_count * 4;
    if (known->len >= bytes) return true;
    if (!block_buf_reserve(known, bytes - known->len)) return false;
    memset(known->ptr + known->len, 0, bytes - known->len);
    known->len = bytes;
    return true;
}

/* Each entry of the source's dictionary is looked up once. */
static bool codes_of_dict(struct writer_column *c, const struct vec *v, uint32_t count,
                          uint32_t *codes)
{
    if (!begin_source(c, v)) return false;
    uint32_t *known = (uint32_t *)(void *)c->source_codes.ptr; /* code + 1; 0: not met */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t from = v->codes[i];
        if (known[from] == 0) {
            int64_t code = code_of(c, source_text(v, from));
            if (code == NO_CODE) return false;
            known[from] = (uint32_t)code + 1;
        }
        codes[i] = known[from] - 1;
    }
    return true;
}

static bool append_codes(struct writer_column *c, const struct vec *v, uint32_t count)
{
    if (!block_buf_reserve(&c->cells, (size_t)count * 4)) return false;
    uint32_t *codes = (uint32_t *)(void *)(c->cells.ptr + c->cells.len);
    if (v->shape == VEC_CONST) {
        int64_t code = code_of(c, source_text(v, 0));
        if (code == NO_CODE) return false;
        for (uint32_t i = 0; i < count; i++) codes[i] = (uint32_t)code;
    } else if (!(v->shape == VEC_DICT ? codes_of_dict(c, v, count, codes)
                                      : codes_of_flat(c, v, count, codes))) {
        return false;
    }
    c->cells.len += (size_t)count * 4;
    return true;
}

static int64_t cell_i64(const struct vec *v, uint32_t index)
{
    return ((const int64_t *)v->data)[index];
}

/* A null's cell repeats the one before: that costs least. */
static bool append_cells(struct writer_column *c, const struct vec *v, uint32_t count)
{
    bool narrow = v->type == TYPE_BOOL;
    size_t bytes = (size_t)count * (narrow ? 1 : 8);
    if (!block_buf_reserve(&c->cells, bytes)) return false;
    uint8_t *to8 = c->cells.ptr + c->cells.len;
    int64_t *to = (int64_t *)(void *)to8, last = 0;
    if (v->shape == VEC_FLAT && v->nulls == NULL && !narrow) {
        memcpy(to, v->data, bytes);
        c->cells.len += bytes;
        return true;
    }
    if (c->cells.len > 0) last = narrow ? to8[-1] : to[-1];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = vec_at(v, i);
        bool null = v->nulls != NULL && v->nulls[at] != 0;
        if (!null) last = narrow ? ((const uint8_t *)v->data)[at] != 0 : cell_i64(v, at);
        if (narrow)
            to8[i] = (uint8_t)last;
        else
            to[i] = last;
    }
    c->cells.len += bytes;
    return true;
}

static bool append_nulls(struct writer_column *c, const struct vec *v, uint32_t rows,
                         uint32_t count)
{
    if (c->storage != EXTENT_CELLS) return true; /* the empty text stands for null */
    bool any = c->nulls.len > 0;
    for (uint32_t i = 0; i < count && !any && v->nulls != NULL; i++)
        any = v->nulls[vec_at(v, i)] != 0;
    if (!any) return true;
    if (!block_buf_reserve(&c->nulls, (size_t)rows - c->nulls.len + count)) return false;
    memset(c->nulls.ptr + c->nulls.len, 0, (size_t)rows - c->nulls.len);
    for (uint32_t i = 0; i < count; i++)
        c->nulls.ptr[rows + i] = v->nulls != NULL && v->nulls[vec_at(v, i)] != 0;
    c->nulls.len = (size_t)rows + count;
    return true;
}

bool writer_column_append(struct writer_column *c, const struct vec *v, uint32_t rows,
                          uint32_t count)
{
    RF_ASSERT(v->type == c->def.type);
    if (!append_nulls(c, v, rows, count)) return false;
    if (c->storage == EXTENT_CELLS) return append_cells(c, v, count);
    if (c->storage == EXTENT_TEXTS) return append_texts(c, v, count);
    if (!append_codes(c, v, count)) return false;
    /* A column within another has its texts elsewhere. */
    if (c->host != NULL || writer_dictionary_pays(c, (uint64_t)rows + count)) return true;
    return writer_to_texts(c, rows + count);
}

/* Takes back what a batch added before it failed. Entries that no row has may stay. */
static void roll_back(struct extent_writer *w)
{
    for (uint32_t i = 0; i < w->column_count; i++) {
        struct writer_column *c = &w->columns[i];
        size_t cell_bytes = c->def.type == TYPE_BOOL ? 1 : c->storage == EXTENT_DICT ? 4 : 8;
        c->nulls.len = RF_MIN(c->nulls.len, (size_t)w->rows);
        if (c->storage != EXTENT_TEXTS) {
            c->cells.len = RF_MIN(c->cells.len, (size_t)w->rows * cell_bytes);
            continue;
        }
        c->ends.len = RF_MIN(c->ends.len, (size_t)w->rows * 4);
        c->bytes.len = w->rows == 0 ? 0 : rf_get_u32le(c->ends.ptr + c->ends.len - 4);
    }
}

/* Whether the texts of a batch keep every column's bytes within bounds. */
static bool texts_fit(const struct extent_writer *w, const struct batch *batch)
{
    for (uint32_t i = 0; i < w->column_count; i++) {
        const struct vec *v = &batch->columns[i];
        if (!type_is_bytes((enum type)v->type)) continue;
        uint64_t bytes = w->columns[i].bytes.len;
        uint32_t entries = v->shape == VEC_CONST ? 1
                           : v->shape == VEC_DICT && v->dict_count < batch->row_count
                               ? v->dict_count
                               : batch->row_count;
        bool by_row = entries == batch->row_count || w->columns[i].storage == EXTENT_TEXTS;
        for (uint32_t k = 0; k < (by_row ? batch->row_count : entries); k++)
            bytes += source_text(v, by_row ? vec_at(v, k) : k).len;
        if (bytes > WRITER_COLUMN_BYTES_MAX) return false;
    }
    return true;
}

static void note_times(struct extent_writer *w, const struct batch *batch)
{
    if (w->time_column == UINT32_MAX || !w->sorted) return;
    const struct vec *v = &batch->columns[w->time_column];
    for (uint32_t i = 0; i < batch->row_count; i++) {
        int64_t time = vec_null(v, i) ? INT64_MIN : vec_i64(v, i);
        if (time < w->last_time) w->sorted = false;
        w->last_time = time;
    }
}

enum rf_kind extent_append(struct extent_writer *w, const struct batch *batch, struct rf_err *err)
{
    RF_ASSERT(batch->column_count == w->column_count);
    if (batch->row_count > EXTENT_ROWS_MAX - w->rows)
        return RF_FAIL(err, RF_LIMIT, "ExtentFull", "an extent holds %d rows", EXTENT_ROWS_MAX);
    if (!texts_fit(w, batch))
        return RF_FAIL(err, RF_LIMIT, "ExtentFull", "a column of an extent holds %d bytes",
                       WRITER_COLUMN_BYTES_MAX);
    for (uint32_t i = 0; i < w->column_count; i++) {
        if (writer_column_append(&w->columns[i], &batch->columns[i], w->rows, batch->row_count))
            continue;
        roll_back(w);
        return block_no_memory(err, w->options.budget);
    }
    note_times(w, batch);
    w->rows += batch->row_count;
    return RF_OK;
}

/* ---- sealing ------------------------------------------------------------------------------------------------- */

enum rf_kind extent_seal(struct extent_writer *w, const char *path, struct extent_info *info,
                         struct rf_err *err)
{
    struct extent_info made;
    enum rf_kind kind = writer_seal(w, path, &made, err);
    if (kind == RF_OK) *info = made;
    writer_reset(w);
    return kind;
}
