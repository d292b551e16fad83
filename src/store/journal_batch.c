/* journal_batch.c
 *
 *   batch, little endian
 *   0   4  row count, 1..BATCH_ROWS
 *   4   4  column count
 *   8      columns, one after another:
 *          0  4  index of the table's column
 *          4  1  type
 *          5  1  shape: 0 flat, 1 constant, 2 dictionary
 *          6  1  1 when null bits follow
 *          7  1  bytes of a code: 1, 2 (dictionary only)
 *          8  4  entry count: rows, 1, or the dictionary's entries
 *          12    null bits of the entries, (entries + 7) / 8 bytes, when there are any
 *                entries: cells as value.h has them, or, for string and dynamic, 4 bytes length each and
 *                then the bytes of all
 *                codes of the rows, dictionary only
 *
 * A dictionary holds only entries that rows of this batch use, in the order of their first use. */
#include "store/journal.h"
#include "value/dyn.h"

enum { BATCH_HEAD_BYTES = 8, COLUMN_HEAD_BYTES = 12 };
enum { SHAPE_FLAT, SHAPE_CONST, SHAPE_DICT };

/* ---- writing -------------------------------------------------------------------------------------- */

/* Which entries of a column's data are written, in which order: NULL is 0..count-1. */
struct entries {
    const uint32_t *order;
    uint32_t count;
};

static uint32_t entry_at(const struct entries *e, uint32_t i)
{
    return e->order == NULL ? i : e->order[i];
}

static void put_nulls(const struct vec *v, const struct entries *entries, struct rf_buf *out)
{
    size_t bytes = (entries->count + 7) / 8;
    if (!rf_buf_reserve(out, bytes)) return;
    uint8_t *bits = out->ptr + out->len;
    memset(bits, 0, bytes);
    for (uint32_t i = 0; i < entries->count; i++)
        if (v->nulls[entry_at(entries, i)] != 0) bits[i / 8] |= (uint8_t)(1 << i % 8);
    out->len += bytes;
}

static void put_texts(const struct vec *v, const struct entries *entries, struct rf_buf *out)
{
    const rf_str *cells = v->data;
    if (!rf_buf_reserve(out, (size_t)entries->count * 4)) return;
    for (uint32_t i = 0; i < entries->count; i++) {
        uint32_t at = entry_at(entries, i);
        bool null = v->nulls != NULL && v->nulls[at] != 0;
        rf_put_u32le(out->ptr + out->len, null ? 0 : (uint32_t)cells[at].len);
        out->len += 4;
    }
    for (uint32_t i = 0; i < entries->count; i++) {
        uint32_t at = entry_at(entries, i);
        if (v->nulls == NULL || v->nulls[at] == 0) rf_buf_str(out, cells[at]);
    }
}

static void put_cells(const struct vec *v, const struct entries *entries, struct rf_buf *out)
{
    size_t bytes = type_cell_bytes[v->type];
    if (type_is_bytes((enum type)v->type)) {
        put_texts(v, entries, out);
        return;
    }
    if (entries->order == NULL) {
        rf_buf_put(out, v->data, entries->count * bytes);
        return;
    }
    for (uint32_t i = 0; i < entries->count; i++)
        rf_buf_put(out, (const uint8_t *)v->data + entries->order[i] * bytes, bytes);
}

/* Numbers the entries that are used. `codes` becomes the new code of each row. */
static bool compact(const struct vec *v, uint32_t rows, struct rf_arena *scratch,
                    struct entries *entries, uint16_t **codes)
{
    uint16_t *number = rf_arena_new(scratch, uint16_t, v->dict_count);
    uint32_t *order = rf_arena_raw(scratch, uint32_t, rows);
    *codes = rf_arena_raw(scratch, uint16_t, rows);
    if (number == NULL || order == NULL || *codes == NULL) return false;
    uint32_t count = 0;
    for (uint32_t row = 0; row < rows; row++) {
        uint32_t entry = v->codes[row];
        if (number[entry] == 0) {
            order[count++] = entry;
            number[entry] = (uint16_t)count; /* count is at most BATCH_ROWS */
        }
        (*codes)[row] = (uint16_t)(number[entry] - 1);
    }
    *entries = (struct entries){order, count};
    return true;
}

static void put_codes(const uint16_t *codes, uint32_t rows, uint32_t code_bytes, struct rf_buf *out)
{
    if (code_bytes == 2) {
        rf_buf_put(out, codes, rows * sizeof *codes);
        return;
    }
    if (!rf_buf_reserve(out, rows)) return;
    for (uint32_t row = 0; row < rows; row++) out->ptr[out->len++] = (uint8_t)codes[row];
}

/* A text is never null: null bytes mean an empty one. */
static bool any_null(const struct vec *v, const struct entries *entries)
{
    if (v->nulls == NULL || v->type == TYPE_STRING) return false;
    for (uint32_t i = 0; i < entries->count; i++)
        if (v->nulls[entry_at(entries, i)] != 0) return true;
    return false;
}

static bool put_column(const struct vec *v, uint32_t index, uint32_t rows, struct rf_arena *scratch,
                       struct rf_buf *out)
{
    struct entries entries = {NULL, rows};
    uint16_t *codes = NULL;
    uint8_t head[COLUMN_HEAD_BYTES] = {0};
    uint32_t code_bytes = 0;
    if (v->shape == VEC_CONST) {
        entries.count = 1;
        head[5] = SHAPE_CONST;
    } else if (v->shape == VEC_DICT) {
        if (!compact(v, rows, scratch, &entries, &codes)) return false;
        code_bytes = entries.count <= 256 ? 1 : 2;
        head[5] = SHAPE_DICT;
    }
    bool nulls = any_null(v, &entries);
    rf_put_u32le(head, index);
    head[4] = v->type;
    head[6] = nulls;
    head[7] = (uint8_t)code_bytes;
    rf_put_u32le(head + 8, entries.count);
    rf_buf_put(out, head, sizeof head);
    if (nulls) put_nulls(v, &entries, out);
    put_cells(v, &entries, out);
    if (codes != NULL) put_codes(codes, rows, code_bytes, out);
    return !out->failed;
}

bool journal_batch_encode(const struct journal_batch *in, struct rf_arena *scratch,
                          struct rf_buf *out)
{
    uint8_t head[BATCH_HEAD_BYTES];
    RF_ASSERT(in->batch.row_count > 0 && in->batch.row_count <= BATCH_ROWS);
    rf_put_u32le(head, in->batch.row_count);
    rf_put_u32le(head + 4, in->batch.column_count);
    rf_buf_put(out, head, sizeof head);
    for (uint32_t i = 0; i < in->batch.column_count; i++)
        if (!put_column(&in->batch.columns[i], in->indexes[i], in->batch.row_count, scratch, out))
            return false;
    return !out->failed;
}

/* ---- reading -------------------------------------------------------------------------------------- */

struct batch_cursor {
    const uint8_t *at, *end;
    struct rf_arena *arena;
    const char *wrong; /* NULL while nothing is; lack of memory leaves it NULL */
};

static const uint8_t *take(struct batch_cursor *c, size_t len)
{
    if ((size_t)(c->end - c->at) < len) {
        c->wrong = "a column is cut";
        return NULL;
    }
    const uint8_t *at = c->at;
    c->at += len;
    return at;
}

static bool bad(struct batch_cursor *c, const char *wrong)
{
    c->wrong = wrong;
    return false;
}

static bool get_nulls(struct batch_cursor *c, uint32_t count, const uint8_t **out)
{
    const uint8_t *bits = take(c, (count + 7) / 8);
    if (bits == NULL) return false;
    uint8_t *nulls = rf_arena_raw(c->arena, uint8_t, count);
    if (nulls == NULL) return false;
    for (uint32_t i = 0; i < count; i++) nulls[i] = bits[i / 8] >> i % 8 & 1;
    *out = nulls;
    return true;
}

static bool get_texts(struct batch_cursor *c, struct vec *v, uint32_t count)
{
    const uint8_t *lengths = take(c, (size_t)count * 4);
    if (lengths == NULL) return false;
    rf_str *cells = rf_arena_raw(c->arena, rf_str, count);
    if (cells == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t len = rf_get_u32le(lengths + (size_t)i * 4);
        const uint8_t *bytes = take(c, len);
        if (bytes == NULL) return false;
        cells[i] = rf_str_make(bytes, len);
        bool null = v->nulls != NULL && v->nulls[i] != 0;
        if (v->type == TYPE_DYNAMIC && !null && !dyn_valid(cells[i]))
            return bad(c, "a dynamic value is malformed");
    }
    v->data = cells;
    return true;
}

static bool cells_in_range(const struct vec *v, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (v->nulls != NULL && v->nulls[i] != 0) continue;
        int64_t cell =
            v->type == TYPE_BOOL ? ((const uint8_t *)v->data)[i] : ((const int64_t *)v->data)[i];
        if (v->type == TYPE_BOOL && (cell < 0 || cell > 1)) return false;
        if (v->type == TYPE_INT && (cell < INT32_MIN || cell > INT32_MAX)) return false;
        if (v->type == TYPE_DATETIME && (cell < 0 || cell > DATETIME_MAX)) return false;
    }
    return true;
}

static bool get_cells(struct batch_cursor *c, struct vec *v, uint32_t count)
{
    if (type_is_bytes((enum type)v->type)) return get_texts(c, v, count);
    size_t bytes = type_cell_bytes[v->type] * (size_t)count;
    const uint8_t *raw = take(c, bytes);
    if (raw == NULL) return false;
    void *cells = rf_arena_alloc(c->arena, bytes); /* for alignment */
    if (cells == NULL) return false;
    memcpy(cells, raw, bytes);
    v->data = cells;
    bool ranged = v->type == TYPE_BOOL || v->type == TYPE_INT || v->type == TYPE_DATETIME;
    return !ranged || cells_in_range(v, count) || bad(c, "a value is out of its type's range");
}

static bool get_codes(struct batch_cursor *c, struct vec *v, uint32_t rows, uint32_t code_bytes)
{
    if (code_bytes != 1 && code_bytes != 2) return bad(c, "a dictionary has no codes");
    const uint8_t *raw = take(c, (size_t)rows * code_bytes);
    if (raw == NULL) return false;
    uint32_t *codes = rf_arena_raw(c->arena, uint32_t, rows);
    if (codes == NULL) return false;
    for (uint32_t i = 0; i < rows; i++) {
        codes[i] = code_bytes == 1 ? raw[i] : rf_get_u16le(raw + (size_t)i * 2);
        if (codes[i] >= v->dict_count) return bad(c, "a code is outside its dictionary");
    }
    v->codes = codes;
    return true;
}

static bool get_column(struct batch_cursor *c, const struct extent_column *columns,
                       uint32_t column_count, uint32_t rows, struct vec *v, uint32_t *index)
{
    static const uint8_t shapes[] = {VEC_FLAT, VEC_CONST, VEC_DICT};
    const uint8_t *head = take(c, COLUMN_HEAD_BYTES);
    if (head == NULL) return false;
    *index = rf_get_u32le(head);
    uint32_t count = rf_get_u32le(head + 8);
    if (*index >= column_count || columns[*index].type != head[4])
        return bad(c, "a column is none of the table's");
    if (head[5] > SHAPE_DICT || head[6] > 1) return bad(c, "a column has an unknown shape");
    bool fits = head[5] == SHAPE_FLAT    ? count == rows
                : head[5] == SHAPE_CONST ? count == 1
                                         : count >= 1 && count <= rows;
    if (!fits) return bad(c, "a column has too few or too many entries");
    *v = (struct vec){.type = head[4], .shape = shapes[head[5]]};
    if (head[5] == SHAPE_DICT) v->dict_count = count;
    if (head[6] != 0 && !get_nulls(c, count, &v->nulls)) return false;
    if (!get_cells(c, v, count)) return false;
    return head[5] != SHAPE_DICT || get_codes(c, v, rows, head[7]);
}

enum rf_kind journal_batch_decode(rf_str bytes, const struct extent_column *columns,
                                  uint32_t column_count, struct rf_arena *arena,
                                  struct journal_batch *out, struct rf_err *err)
{
    struct batch_cursor c = {bytes.ptr, bytes.ptr + bytes.len, arena, NULL};
    const uint8_t *head = take(&c, BATCH_HEAD_BYTES);
    if (head == NULL) return RF_FAIL(err, RF_CORRUPT, "JournalDamaged", "a batch is cut");
    uint32_t rows = rf_get_u32le(head), count = rf_get_u32le(head + 4);
    if (rows == 0 || rows > BATCH_ROWS || count > column_count)
        return RF_FAIL(err, RF_CORRUPT, "JournalDamaged", "a batch has too many rows or columns");
    struct vec *vecs = rf_arena_new(arena, struct vec, count);
    uint32_t *indexes = rf_arena_new(arena, uint32_t, count);
    if (vecs == NULL || indexes == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < count; i++) {
        if (get_column(&c, columns, column_count, rows, &vecs[i], &indexes[i])) continue;
        if (c.wrong == NULL) return rf_fail_memory(err, arena);
        return RF_FAIL(err, RF_CORRUPT, "JournalDamaged", "%s", c.wrong);
    }
    if (c.at != c.end)
        return RF_FAIL(err, RF_CORRUPT, "JournalDamaged", "bytes follow a batch's last column");
    *out = (struct journal_batch){
        {.row_count = rows, .column_count = count, .columns = vecs, .arena = arena}, indexes};
    return RF_OK;
}
