/* Rows lie in chunks of BATCH_ROWS, each column of a chunk in one run of cells, so that a chunk is
 * a batch as it stands. Only the first chunk starts small and grows: most results are a few rows of
 * many columns. The bytes of strings lie packed in blocks of their own. */
#include "value/value.h"

enum {
    CHUNK_ROWS_FIRST = 64, /* what the first chunk starts with; it grows by GROWTH */
    GROWTH = 4,
    BYTES_BLOCK_FIRST = 1024, /* blocks for string bytes double from here */
    BYTES_BLOCK_MAX = 1 << 18,
    MEMO_ENTRIES_MAX = 1 << 16, /* longer dictionaries are copied per row */
};

struct column {
    uint8_t type;
    uint8_t **data;  /* per chunk: cells */
    uint8_t **nulls; /* per chunk: null bytes, or NULL while none is null */
    rf_str last;     /* the string stored last: equal neighbours share their bytes */
    /* Copies of a dictionary's entries, so that an entry's bytes are kept once: ptr NULL is not yet
     * copied. Holds for as long as batches come with the same dict_id. */
    rf_str *memo;
    uint32_t memo_cap;
    uint64_t memo_dict_id;
};

struct rows {
    struct rf_arena *arena;
    struct column *columns;
    uint32_t column_count;
    uint32_t first_cap; /* rows that fit in the first chunk */
    uint64_t count;
    size_t chunk_count, chunk_cap; /* chunks in use; length of the chunk tables */
    uint8_t *bytes_at, *bytes_end; /* free rest of the newest block of string bytes */
    size_t block_bytes;
};

struct rows *rows_new(struct rf_arena *arena, const uint8_t *types, uint32_t column_count)
{
    struct rows *rows = rf_arena_new(arena, struct rows, 1);
    if (rows == NULL) return NULL;
    rows->arena = arena;
    rows->column_count = column_count;
    rows->block_bytes = BYTES_BLOCK_FIRST;
    rows->columns = rf_arena_new(arena, struct column, column_count);
    if (rows->columns == NULL) return NULL;
    for (uint32_t c = 0; c < column_count; c++) rows->columns[c].type = types[c];
    return rows;
}

uint64_t rows_count(const struct rows *rows) { return rows->count; }

/* ---- room ------------------------------------------------------------------------------------ */

static bool grow_tables(struct rows *rows)
{
    size_t cap = rows->chunk_cap == 0 ? 4 : rows->chunk_cap * 2;
    for (uint32_t c = 0; c < rows->column_count; c++) {
        struct column *column = &rows->columns[c];
        uint8_t **data = rf_arena_new(rows->arena, uint8_t *, cap);
        uint8_t **nulls = rf_arena_new(rows->arena, uint8_t *, cap);
        if (data == NULL || nulls == NULL) return false;
        if (rows->chunk_count > 0) {
            memcpy(data, column->data, rows->chunk_count * sizeof *data);
            memcpy(nulls, column->nulls, rows->chunk_count * sizeof *nulls);
        }
        column->data = data;
        column->nulls = nulls;
    }
    rows->chunk_cap = cap;
    return true;
}

static bool add_chunk(struct rows *rows, uint32_t cap)
{
    if (rows->chunk_count == rows->chunk_cap && !grow_tables(rows)) return false;
    for (uint32_t c = 0; c < rows->column_count; c++) {
        struct column *column = &rows->columns[c];
        uint8_t *data = rf_arena_array_raw(rows->arena, cap, type_cell_bytes[column->type]);
        if (data == NULL) return false;
        column->data[rows->chunk_count] = data;
        column->nulls[rows->chunk_count] = NULL;
    }
    rows->chunk_count++;
    return true;
}

/* Moves the first chunk to where `cap` rows fit. */
static bool grow_first(struct rows *rows, uint32_t cap)
{
    for (uint32_t c = 0; c < rows->column_count; c++) {
        struct column *column = &rows->columns[c];
        size_t cell_bytes = type_cell_bytes[column->type];
        uint8_t *data = rf_arena_array_raw(rows->arena, cap, cell_bytes);
        if (data == NULL) return false;
        memcpy(data, column->data[0], rows->count * cell_bytes);
        if (column->nulls[0] != NULL) {
            uint8_t *nulls = rf_arena_zalloc(rows->arena, cap);
            if (nulls == NULL) return false;
            memcpy(nulls, column->nulls[0], rows->count);
            column->nulls[0] = nulls;
        }
        column->data[0] = data;
    }
    rows->first_cap = cap;
    return true;
}

/* Makes room at the end of the last chunk; *room is how many of the `wanted` rows fit there. */
static bool make_room(struct rows *rows, uint32_t wanted, uint32_t *room)
{
    uint32_t at = (uint32_t)(rows->count % BATCH_ROWS);
    if (rows->count < BATCH_ROWS) {
        uint32_t need = RF_MIN(at + wanted, (uint32_t)BATCH_ROWS);
        uint32_t cap = rows->first_cap == 0 ? CHUNK_ROWS_FIRST : rows->first_cap;
        while (cap < need) cap *= GROWTH;
        cap = RF_MIN(cap, (uint32_t)BATCH_ROWS);
        if (rows->chunk_count == 0) {
            if (!add_chunk(rows, cap)) return false;
            rows->first_cap = cap;
        } else if (cap > rows->first_cap && !grow_first(rows, cap)) {
            return false;
        }
    } else if (rows->count == rows->chunk_count * BATCH_ROWS && !add_chunk(rows, BATCH_ROWS)) {
        return false;
    }
    *room = RF_MIN(wanted, BATCH_ROWS - at);
    return true;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static bool keep_bytes(struct rows *rows, rf_str s, rf_str *out)
{
    static const uint8_t empty[1];
    if (s.len == 0) {
        *out = (rf_str){empty, 0};
        return true;
    }
    if (s.len > (size_t)(rows->bytes_end - rows->bytes_at)) {
        /* Long texts get their own allocation, so that no large rest of a block is lost. */
        if (s.len > rows->block_bytes / 4) return rf_arena_str(rows->arena, s, out);
        uint8_t *block = rf_arena_alloc(rows->arena, rows->block_bytes);
        if (block == NULL) return false;
        rows->bytes_at = block;
        rows->bytes_end = block + rows->block_bytes;
        rows->block_bytes = RF_MIN(rows->block_bytes * 2, (size_t)BYTES_BLOCK_MAX);
    }
    memcpy(rows->bytes_at, s.ptr, s.len);
    *out = (rf_str){rows->bytes_at, s.len};
    rows->bytes_at += s.len;
    return true;
}

/* Keeps `s`, or finds that it equals what was kept last. */
static bool keep_next(struct rows *rows, struct column *column, rf_str s, rf_str *out)
{
    if (column->last.ptr == NULL || !rf_str_eq(s, column->last))
        if (!keep_bytes(rows, s, &column->last)) return false;
    *out = column->last;
    return true;
}

/* True when the column's memo can serve `v`'s dictionary; it is emptied if it held another. */
static bool memo_ready(struct rows *rows, struct column *column, const struct vec *v)
{
    if (v->dict_count > (v->dict_id == 0 ? BATCH_ROWS : MEMO_ENTRIES_MAX)) return false;
    if (v->dict_id != 0 && v->dict_id == column->memo_dict_id) return true;
    column->memo_dict_id = 0;
    if (v->dict_count > column->memo_cap) {
        uint32_t cap = RF_MAX(v->dict_count, 2 * column->memo_cap);
        rf_str *memo = rf_arena_raw(rows->arena, rf_str, cap);
        if (memo == NULL) return false;
        column->memo = memo;
        column->memo_cap = cap;
    }
    memset(column->memo, 0, v->dict_count * sizeof *column->memo);
    column->memo_dict_id = v->dict_id;
    return true;
}

static bool keep_dict(struct rows *rows, struct column *column, const struct vec *v, uint32_t from,
                      uint32_t count, rf_str *to)
{
    const rf_str *entries = v->data;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t code = v->codes[from + i];
        rf_str *memo = &column->memo[code];
        if (memo->ptr == NULL) {
            bool null = v->nulls != NULL && v->nulls[code];
            if (!keep_bytes(rows, null ? (rf_str){NULL, 0} : entries[code], memo)) return false;
        }
        to[i] = *memo;
    }
    return true;
}

static bool keep_rows(struct rows *rows, struct column *column, const struct vec *v, uint32_t from,
                      uint32_t count, rf_str *to)
{
    for (uint32_t i = 0; i < count; i++) {
        bool null = vec_null(v, from + i);
        if (!keep_next(rows, column, null ? (rf_str){NULL, 0} : vec_str(v, from + i), &to[i]))
            return false;
    }
    return true;
}

/* ---- appending ------------------------------------------------------------------------------- */

struct cell16 {
    uint64_t half[2];
};

#define COPY_CELLS(cell_type)                                                                      \
    do {                                                                                           \
        const cell_type *src = v->data;                                                            \
        cell_type *dst = to;                                                                       \
        if (v->shape == VEC_DICT)                                                                  \
            for (uint32_t i = 0; i < count; i++) dst[i] = src[v->codes[from + i]];                 \
        else if (v->shape == VEC_CONST)                                                            \
            for (uint32_t i = 0; i < count; i++) dst[i] = src[0];                                  \
        else                                                                                       \
            memcpy(dst, src + from, count * sizeof *dst);                                          \
    } while (0)

static void copy_cells(const struct vec *v, uint32_t from, uint32_t count, void *to)
{
    switch (type_cell_bytes[v->type]) {
    case 1:
        COPY_CELLS(uint8_t);
        break;
    case 8:
        COPY_CELLS(uint64_t);
        break;
    default:
        COPY_CELLS(struct cell16);
    }
}

static bool copy_nulls(struct rows *rows, struct column *column, const struct vec *v, uint32_t from,
                       uint32_t count)
{
    size_t chunk = rows->chunk_count - 1;
    uint32_t at = (uint32_t)(rows->count % BATCH_ROWS);
    if (v->nulls == NULL && column->nulls[chunk] == NULL) return true;
    if (column->nulls[chunk] == NULL) {
        uint32_t cap = chunk == 0 ? rows->first_cap : BATCH_ROWS;
        column->nulls[chunk] = rf_arena_zalloc(rows->arena, cap);
        if (column->nulls[chunk] == NULL) return false;
    }
    uint8_t *to = column->nulls[chunk] + at;
    if (v->nulls == NULL)
        memset(to, 0, count);
    else
        for (uint32_t i = 0; i < count; i++) to[i] = v->nulls[vec_at(v, from + i)] != 0;
    return true;
}

static bool append_column(struct rows *rows, struct column *column, const struct vec *v,
                          uint32_t from, uint32_t count)
{
    RF_ASSERT(v->type == column->type);
    size_t cell_bytes = type_cell_bytes[v->type];
    uint8_t *cells = column->data[rows->chunk_count - 1];
    void *to = cells + rows->count % BATCH_ROWS * cell_bytes;
    if (!copy_nulls(rows, column, v, from, count)) return false;
    if (!type_is_bytes((enum type)v->type)) {
        copy_cells(v, from, count, to);
        return true;
    }
    /* The parts of a batch that is split over chunks each start a memo anew; that is rare and
     * right. */
    if (v->shape == VEC_DICT && memo_ready(rows, column, v))
        return keep_dict(rows, column, v, from, count, to);
    return keep_rows(rows, column, v, from, count, to);
}

bool rows_append(struct rows *rows, const struct batch *batch)
{
    RF_ASSERT(batch->column_count == rows->column_count);
    for (uint32_t from = 0, count; from < batch->row_count; from += count) {
        if (!make_room(rows, batch->row_count - from, &count)) return false;
        for (uint32_t c = 0; c < rows->column_count; c++)
            if (!append_column(rows, &rows->columns[c], &batch->columns[c], from, count))
                return false;
        rows->count += count;
    }
    return true;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct value rows_value(const struct rows *rows, uint64_t row, uint32_t column)
{
    RF_ASSERT(row < rows->count);
    RF_ASSERT(column < rows->column_count);
    const struct column *from = &rows->columns[column];
    struct vec chunk = {.type = from->type,
                        .shape = VEC_FLAT,
                        .data = from->data[row / BATCH_ROWS],
                        .nulls = from->nulls[row / BATCH_ROWS]};
    return vec_value(&chunk, (uint32_t)(row % BATCH_ROWS));
}

bool rows_batch(const struct rows *rows, uint64_t from, struct rf_arena *arena, struct batch *out)
{
    RF_ASSERT(from % BATCH_ROWS == 0);
    struct vec *columns = rf_arena_new(arena, struct vec, rows->column_count);
    if (columns == NULL) return false;
    uint64_t count = from >= rows->count ? 0 : RF_MIN(rows->count - from, (uint64_t)BATCH_ROWS);
    for (uint32_t c = 0; c < rows->column_count; c++) {
        const struct column *column = &rows->columns[c];
        columns[c] = (struct vec){.type = column->type, .shape = VEC_FLAT};
        if (count == 0) continue;
        columns[c].data = column->data[from / BATCH_ROWS];
        columns[c].nulls = column->nulls[from / BATCH_ROWS];
    }
    *out = (struct batch){
        .row_count = (uint32_t)count, .column_count = rows->column_count, .columns = columns};
    return true;
}

#define GATHER_CELLS(cell_type)                                                                    \
    do {                                                                                           \
        cell_type *dst = to;                                                                       \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            if (numbers[i] == UINT64_MAX)                                                          \
                memset(&dst[i], 0, sizeof dst[i]);                                                 \
            else                                                                                   \
                memcpy(&dst[i],                                                                    \
                       column->data[numbers[i] / BATCH_ROWS] +                                     \
                           numbers[i] % BATCH_ROWS * sizeof(cell_type),                            \
                       sizeof dst[i]);                                                             \
        }                                                                                          \
    } while (0)

static void gather_cells(const struct column *column, const uint64_t *numbers, uint32_t count,
                         void *to)
{
    switch (type_cell_bytes[column->type]) {
    case 1:
        GATHER_CELLS(uint8_t);
        break;
    case 8:
        GATHER_CELLS(uint64_t);
        break;
    default:
        GATHER_CELLS(struct cell16);
    }
}

/* A missing row is null in every column but strings, which are empty. Gives whether any is null. */
static bool gather_nulls(const struct column *column, const uint64_t *numbers, uint32_t count,
                         uint8_t *to)
{
    uint8_t missing = column->type != TYPE_STRING, any = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *nulls =
            numbers[i] == UINT64_MAX ? NULL : column->nulls[numbers[i] / BATCH_ROWS];
        to[i] = numbers[i] == UINT64_MAX ? missing
                : nulls == NULL          ? 0
                                         : nulls[numbers[i] % BATCH_ROWS];
        any |= to[i];
    }
    return any != 0;
}

bool rows_gather(const struct rows *rows, const uint64_t *numbers, uint32_t count,
                 struct rf_arena *arena, struct batch *out)
{
    struct vec *columns = rf_arena_new(arena, struct vec, rows->column_count);
    if (columns == NULL) return false;
    for (uint32_t i = 0; i < count; i++)
        RF_ASSERT(numbers[i] == UINT64_MAX || numbers[i] < rows->count);
    for (uint32_t c = 0; c < rows->column_count; c++) {
        const struct column *column = &rows->columns[c];
        struct vec *v = &columns[c];
        void *cells = rf_arena_array_raw(arena, count, type_cell_bytes[column->type]);
        uint8_t *nulls = rf_arena_alloc(arena, count);
        if (cells == NULL || nulls == NULL) return false;
        gather_cells(column, numbers, count, cells);
        *v = (struct vec){.type = column->type, .shape = VEC_FLAT, .data = cells};
        if (gather_nulls(column, numbers, count, nulls)) v->nulls = nulls;
    }
    *out =
        (struct batch){.row_count = count, .column_count = rows->column_count, .columns = columns};
    return true;
}
