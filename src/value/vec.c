#include "value/value.h"

#include "value/decimal.h"
#include "value/dyn.h"

#include <math.h>

/* ---- making ---------------------------------------------------------------------------------- */

struct value vec_value(const struct vec *v, uint32_t row)
{
    struct value value = {.type = v->type};
    uint32_t at = vec_at(v, row);
    value.null = v->nulls != NULL && v->nulls[at] != 0;
    /* All members of the union start at the same address, so one copy serves every type. */
    size_t bytes = type_cell_bytes[v->type];
    memcpy(&value.d, (const uint8_t *)v->data + at * bytes, bytes);
    return value;
}

bool vec_const(struct rf_arena *arena, const struct value *value, struct vec *out)
{
    struct value *copy = rf_arena_new(arena, struct value, 1);
    uint8_t *null = value->null ? rf_arena_alloc(arena, 1) : NULL;
    if (copy == NULL || (value->null && null == NULL)) return false;
    if (!value_copy(value, arena, copy)) return false;
    if (null != NULL) *null = 1;
    *out = (struct vec){.type = value->type, .shape = VEC_CONST, .data = &copy->d, .nulls = null};
    return true;
}

bool vec_flat(struct rf_arena *arena, enum type type, uint32_t count, struct vec *out)
{
    void *data = rf_arena_array_raw(arena, count, type_cell_bytes[type]);
    if (data == NULL) return false;
    *out = (struct vec){.type = (uint8_t)type, .shape = VEC_FLAT, .data = data};
    return true;
}

/* The vector's maker owns what it points to; the const in struct vec is for its readers. */
static uint8_t *owned(const void *bytes) { return (uint8_t *)(uintptr_t)bytes; }

uint8_t *vec_need_nulls(struct rf_arena *arena, struct vec *v, uint32_t count)
{
    if (v->nulls == NULL) v->nulls = rf_arena_zalloc(arena, count);
    return owned(v->nulls);
}

void vec_set(struct vec *v, uint32_t row, const struct value *value)
{
    RF_ASSERT(v->shape == VEC_FLAT);
    RF_ASSERT(v->nulls != NULL || !value->null);
    size_t bytes = type_cell_bytes[v->type];
    uint8_t *cell = owned(v->data) + row * bytes;
    if (v->nulls != NULL) owned(v->nulls)[row] = value->null;
    if (value->null)
        memset(cell, 0, bytes);
    else
        memcpy(cell, &value->d, bytes);
}

/* ---- reshaping ------------------------------------------------------------------------------- */

struct cell16 {
    uint64_t half[2];
};

/* Copies cells `from[codes[i]]`; codes NULL means cell 0 each time. One loop per cell width, so
 * that each is a plain load and store. */
#define GATHER(cell_type)                                                                          \
    do {                                                                                           \
        const cell_type *src = from;                                                               \
        cell_type *dst = to;                                                                       \
        if (codes != NULL)                                                                         \
            for (uint32_t i = 0; i < count; i++) dst[i] = src[codes[i]];                           \
        else                                                                                       \
            for (uint32_t i = 0; i < count; i++) dst[i] = src[0];                                  \
    } while (0)

static void gather(size_t cell_bytes, const void *from, const uint32_t *codes, uint32_t count,
                   void *to)
{
    if (cell_bytes == 1)
        GATHER(uint8_t);
    else if (cell_bytes == 8)
        GATHER(uint64_t);
    else
        GATHER(struct cell16);
}

bool vec_flatten(struct rf_arena *arena, const struct vec *v, uint32_t count, struct vec *out)
{
    if (v->shape == VEC_FLAT) {
        *out = *v;
        return true;
    }
    struct vec flat;
    if (!vec_flat(arena, (enum type)v->type, count, &flat)) return false;
    const uint32_t *codes = v->shape == VEC_DICT ? v->codes : NULL;
    gather(type_cell_bytes[v->type], v->data, codes, count, owned(flat.data));
    if (v->nulls != NULL) {
        uint8_t *nulls = rf_arena_alloc(arena, count);
        if (nulls == NULL) return false;
        gather(1, v->nulls, codes, count, nulls);
        flat.nulls = nulls;
    }
    *out = flat;
    return true;
}

bool vec_select(struct rf_arena *arena, const struct vec *v, const uint32_t *rows, uint32_t count,
                struct vec *out)
{
    if (v->shape == VEC_CONST) {
        *out = *v;
        return true;
    }
    struct vec kept = *v;
    if (v->shape == VEC_FLAT) {
        /* The row numbers themselves are the codes into the flat data. The vector does not know how
         * many rows it has, and nobody may read entries past them: the highest row bounds it. */
        uint32_t last = 0;
        for (uint32_t i = 0; i < count; i++) last = RF_MAX(last, rows[i]);
        kept.shape = VEC_DICT;
        kept.dict_count = count == 0 ? 0 : last + 1;
        kept.dict_id = 0;
        kept.codes = rows;
        *out = kept;
        return true;
    }
    uint32_t *codes = rf_arena_raw(arena, uint32_t, count);
    if (codes == NULL) return false;
    const uint32_t *old = v->codes;
    for (uint32_t i = 0; i < count; i++) codes[i] = old[rows[i]];
    kept.codes = codes;
    *out = kept;
    return true;
}

/* ---- hashing --------------------------------------------------------------------------------- */

/* Nulls of every type hash alike; so do all nans, and both zeroes, since they compare equal. */
#define HASH_NULL UINT64_C(0x9ae16a3b2f90404f)

static uint64_t hash_real(double r)
{
    uint64_t bits;
    if (RF_UNLIKELY(isnan(r))) return HASH_NULL - 1;
    r += 0.0; /* -0.0 becomes 0.0 */
    memcpy(&bits, &r, sizeof bits);
    return rf_hash_u64(bits);
}

static uint64_t hash_guid(const struct guid *g)
{
    return rf_hash_mix(rf_get_u64le(g->bytes), rf_get_u64le(g->bytes + 8));
}

static void hash_i64_cells(const int64_t *data, uint32_t count, uint64_t *hash)
{
    for (uint32_t i = 0; i < count; i++) hash[i] = rf_hash_u64((uint64_t)data[i]);
}

static void hash_str_cells(const rf_str *data, uint32_t count, uint64_t *hash)
{
    for (uint32_t i = 0; i < count; i++) hash[i] = rf_hash(data[i].ptr, data[i].len, 0);
}

/* Hashes the first `count` cells of data, as if they were flat and not null. */
static void hash_cells(enum type type, const void *data, uint32_t count, uint64_t *hash)
{
    switch (type) {
    case TYPE_BOOL:
        for (uint32_t i = 0; i < count; i++) hash[i] = rf_hash_u64(((const uint8_t *)data)[i]);
        break;
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_DATETIME:
    case TYPE_TIMESPAN:
        hash_i64_cells(data, count, hash);
        break;
    case TYPE_REAL:
        for (uint32_t i = 0; i < count; i++) hash[i] = hash_real(((const double *)data)[i]);
        break;
    case TYPE_DECIMAL:
        for (uint32_t i = 0; i < count; i++)
            hash[i] = decimal_hash(&((const struct decimal *)data)[i]);
        break;
    case TYPE_GUID:
        for (uint32_t i = 0; i < count; i++) hash[i] = hash_guid(&((const struct guid *)data)[i]);
        break;
    case TYPE_STRING:
        hash_str_cells(data, count, hash);
        break;
    case TYPE_DYNAMIC:
        for (uint32_t i = 0; i < count; i++) {
            rf_str d = ((const rf_str *)data)[i];
            hash[i] = dyn_is_null(d) ? HASH_NULL : dyn_hash(d);
        }
        break;
    case TYPE_COUNT:
        RF_ASSERT(type != TYPE_COUNT);
    }
}

enum { HASH_STRIDE = 256 };

/* Hashes rows from..from+count-1 (at most HASH_STRIDE) of a flat or dictionary vector. */
static void hash_part(const struct vec *v, uint32_t from, uint32_t count, uint64_t *hash)
{
    struct cell16 cells[HASH_STRIDE];
    uint8_t nulls[HASH_STRIDE];
    enum type type = (enum type)v->type;
    size_t cell_bytes = type_cell_bytes[type];
    const void *data = (const uint8_t *)v->data + from * cell_bytes;
    const uint8_t *null = v->nulls == NULL ? NULL : v->nulls + from;
    if (v->shape == VEC_DICT) {
        gather(cell_bytes, v->data, v->codes + from, count, cells);
        data = cells;
        if (v->nulls != NULL) gather(1, v->nulls, v->codes + from, count, nulls);
        if (v->nulls != NULL) null = nulls;
    }
    /* A null cell may hold anything, so a text in it must not be followed. */
    if (null != NULL && type_is_bytes(type)) {
        if (data != cells) memcpy(cells, data, count * cell_bytes);
        for (uint32_t i = 0; i < count; i++)
            if (null[i]) cells[i] = (struct cell16){{0, 0}};
        data = cells;
    }
    hash_cells(type, data, count, hash);
    if (null != NULL)
        for (uint32_t i = 0; i < count; i++) hash[i] = null[i] ? HASH_NULL : hash[i];
}

static void hash_rows(const struct vec *v, uint32_t count, bool mix, uint64_t *hash)
{
    uint64_t part[HASH_STRIDE];
    for (uint32_t from = 0; from < count; from += HASH_STRIDE) {
        uint32_t n = RF_MIN(count - from, (uint32_t)HASH_STRIDE);
        hash_part(v, from, n, mix ? part : hash + from);
        if (mix)
            for (uint32_t i = 0; i < n; i++) hash[from + i] = rf_hash_mix(hash[from + i], part[i]);
    }
}

/* A dictionary shorter than the rows: each entry is hashed once. */
static void hash_entries(const struct vec *v, uint32_t count, bool mix, uint64_t *hash)
{
    uint64_t entries[HASH_STRIDE];
    struct vec flat = *v;
    flat.shape = VEC_FLAT;
    hash_part(&flat, 0, v->dict_count, entries);
    const uint32_t *codes = v->codes;
    if (mix)
        for (uint32_t i = 0; i < count; i++) hash[i] = rf_hash_mix(hash[i], entries[codes[i]]);
    else
        for (uint32_t i = 0; i < count; i++) hash[i] = entries[codes[i]];
}

static void hash_const(const struct vec *v, uint32_t count, bool mix, uint64_t *hash)
{
    uint64_t h;
    struct vec flat = *v;
    flat.shape = VEC_FLAT;
    hash_part(&flat, 0, 1, &h);
    for (uint32_t i = 0; i < count; i++) hash[i] = mix ? rf_hash_mix(hash[i], h) : h;
}

void vec_hash(const struct vec *v, uint32_t count, bool mix, uint64_t *hash)
{
    if (count == 0) return;
    if (v->shape == VEC_CONST)
        hash_const(v, count, mix, hash);
    else if (v->shape == VEC_DICT && v->dict_count <= RF_MIN(count, (uint32_t)HASH_STRIDE))
        hash_entries(v, count, mix, hash);
    else
        hash_rows(v, count, mix, hash);
}
