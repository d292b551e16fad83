#include "kql/keys.h"

/* Values by number, for columns whose cells are no words. */
struct interner {
    struct value *values;
    uint64_t *hashes;
    uint32_t *slots; /* number + 1, 0 is free */
    uint32_t count, cap;
    /* Numbers + 1 by dictionary code, valid for dict_id. */
    uint32_t *codes;
    uint32_t code_cap;
    uint64_t dict_id;
};

struct keys {
    struct rf_arena *arena;
    uint8_t *types;
    uint32_t column_count, width; /* words of a key: columns, then null masks */
    struct interner *interners;   /* one per column; unused for words */
    uint64_t *words;              /* key id has words[id * width ..] */
    uint32_t *slots;              /* id + 1, 0 is free */
    uint32_t count, cap, mask;
    uint64_t *row_words; /* BATCH_ROWS per word column */
    uint64_t *row_hash;
    uint8_t *row_missing; /* keys_find: a value that was never interned */
};

static bool is_word(enum type t) { return t == TYPE_BOOL || t == TYPE_REAL || type_is_i64(t); }

struct keys *keys_new(struct rf_arena *arena, const uint8_t *types, uint32_t column_count)
{
    struct keys *k = rf_arena_zalloc(arena, sizeof *k);
    if (k == NULL || column_count > KEYS_COLUMNS_MAX) return NULL;
    k->arena = arena;
    k->column_count = column_count;
    k->width = column_count + (column_count + 63) / 64;
    k->types = rf_arena_new(arena, uint8_t, column_count);
    k->interners = rf_arena_new(arena, struct interner, column_count);
    k->row_words = rf_arena_raw(arena, uint64_t, (size_t)BATCH_ROWS * k->width);
    k->row_hash = rf_arena_raw(arena, uint64_t, BATCH_ROWS);
    k->row_missing = rf_arena_raw(arena, uint8_t, BATCH_ROWS);
    if (k->types == NULL || k->interners == NULL || k->row_words == NULL || k->row_hash == NULL ||
        k->row_missing == NULL)
        return NULL;
    if (column_count > 0) memcpy(k->types, types, column_count);
    return k;
}

uint32_t keys_count(const struct keys *k) { return k->count; }

/* ---- interning ------------------------------------------------------------------------------------ */

static bool interner_grow(struct interner *in, struct rf_arena *arena)
{
    uint32_t cap = in->cap == 0 ? 256 : in->cap * 2;
    if (cap < in->cap) return false;
    struct value *values = rf_arena_grow(arena, in->values, (size_t)in->cap * sizeof *values,
                                         (size_t)cap * sizeof *values);
    uint64_t *hashes = rf_arena_grow(arena, in->hashes, (size_t)in->cap * 8, (size_t)cap * 8);
    uint32_t *slots = rf_arena_new(arena, uint32_t, (size_t)cap * 2);
    if (values == NULL || hashes == NULL || slots == NULL) return false;
    for (uint32_t i = 0; i < in->count; i++) {
        uint32_t at = (uint32_t)hashes[i] & (cap * 2 - 1);
        while (slots[at] != 0) at = (at + 1) & (cap * 2 - 1);
        slots[at] = i + 1;
    }
    in->values = values;
    in->hashes = hashes;
    in->slots = slots;
    in->cap = cap;
    return true;
}

static uint64_t cell_hash(const struct value *v)
{
    return v->type == TYPE_STRING ? rf_hash(v->s.ptr, v->s.len, 0) : value_hash(v);
}

static bool cell_same(const struct value *a, const struct value *b)
{
    return a->type == TYPE_STRING ? rf_str_eq(a->s, b->s) : value_same(a, b);
}

/* The value's number + 1; 0 when it is not there and `add` is false, or on lack of memory. */
static uint32_t intern(struct interner *in, const struct value *v, bool add, struct rf_arena *arena)
{
    uint64_t hash = cell_hash(v);
    if (in->cap > 0) {
        uint32_t mask = in->cap * 2 - 1;
        for (uint32_t at = (uint32_t)hash & mask; in->slots[at] != 0; at = (at + 1) & mask) {
            uint32_t id = in->slots[at] - 1;
            if (in->hashes[id] == hash && cell_same(&in->values[id], v)) return id + 1;
        }
    }
    if (!add) return 0;
    if (in->count == in->cap && !interner_grow(in, arena)) return 0;
    uint32_t mask = in->cap * 2 - 1, at = (uint32_t)hash & mask;
    while (in->slots[at] != 0) at = (at + 1) & mask;
    if (!value_copy(v, arena, &in->values[in->count])) return 0;
    in->hashes[in->count] = hash;
    in->slots[at] = ++in->count;
    return in->count;
}

/* ---- rows to words ---------------------------------------------------------------------------------- */

static uint64_t real_word(double r)
{
    uint64_t bits;
    if (r != r) return UINT64_C(0x7ff8000000000000);
    if (r == 0) r = 0; /* -0.0 */
    memcpy(&bits, &r, 8);
    return bits;
}

static void number_words(const struct vec *v, uint32_t count, uint64_t *out)
{
    if (v->shape == VEC_FLAT && type_is_i64((enum type)v->type)) {
        memcpy(out, v->data, (size_t)count * 8);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = vec_at(v, i);
        if (v->type == TYPE_BOOL)
            out[i] = ((const uint8_t *)v->data)[at];
        else if (v->type == TYPE_REAL)
            out[i] = real_word(((const double *)v->data)[at]);
        else
            out[i] = (uint64_t)((const int64_t *)v->data)[at];
    }
}

/* Makes room for a dictionary's codes, empty unless it is the dictionary of before. */
static bool code_map(struct interner *in, const struct vec *v, struct rf_arena *arena)
{
    if (v->dict_id != 0 && v->dict_id == in->dict_id) return true;
    if (v->dict_count > in->code_cap) {
        uint32_t cap = RF_MAX(v->dict_count, (uint32_t)BATCH_ROWS);
        in->codes = rf_arena_raw(arena, uint32_t, cap);
        if (in->codes == NULL) return false;
        in->code_cap = cap;
    }
    memset(in->codes, 0, (size_t)v->dict_count * sizeof *in->codes);
    in->dict_id = v->dict_id;
    return true;
}

/* Entries that were looked for and not found: tried again, since keys may have been added since. */
static bool text_words(struct keys *k, uint32_t column, const struct vec *v, uint32_t count,
                       bool add, uint64_t *out)
{
    struct interner *in = &k->interners[column];
    bool by_code = v->shape == VEC_DICT && (v->dict_id != 0 || v->dict_count <= count);
    if (by_code && !code_map(in, v, k->arena)) return false;
    uint32_t fixed = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (vec_null(v, i)) {
            out[i] = 0;
            continue;
        }
        uint32_t *known = by_code ? &in->codes[v->codes[i]] : v->shape == VEC_CONST ? &fixed : NULL;
        uint32_t number = known == NULL ? 0 : *known;
        if (number == 0) {
            struct value cell = vec_value(v, i);
            number = intern(in, &cell, add, k->arena);
            if (number == 0 && add) return false;
            if (number == 0) k->row_missing[i] = 1;
            if (known != NULL) *known = number;
        }
        out[i] = number;
    }
    return true;
}

static bool null_words(struct keys *k, const struct vec *columns, uint32_t count)
{
    bool any = false;
    memset(k->row_words + (size_t)BATCH_ROWS * k->column_count, 0,
           (size_t)BATCH_ROWS * (k->width - k->column_count) * 8);
    for (uint32_t c = 0; c < k->column_count; c++) {
        if (columns[c].nulls == NULL) continue;
        uint64_t *words = k->row_words + (size_t)BATCH_ROWS * c,
                 *mask = k->row_words + (size_t)BATCH_ROWS * (k->column_count + c / 64);
        for (uint32_t i = 0; i < count; i++)
            if (vec_null(&columns[c], i)) {
                words[i] = 0;
                mask[i] |= UINT64_C(1) << (c % 64);
                any = true;
            }
    }
    return any;
}

RF_CLONES static void hash_words(const uint64_t *words, uint32_t count, bool first, uint64_t *hash)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t h = first ? 0 : hash[i];
        h = (h ^ words[i]) * 0x9e3779b97f4a7c15u;
        hash[i] = h ^ (h >> 32);
    }
}

static bool make_words(struct keys *k, const struct vec *columns, uint32_t count, bool add)
{
    for (uint32_t c = 0; c < k->column_count; c++) {
        uint64_t *words = k->row_words + (size_t)BATCH_ROWS * c;
        if (is_word((enum type)k->types[c]))
            number_words(&columns[c], count, words);
        else if (!text_words(k, c, &columns[c], count, add, words))
            return false;
    }
    bool nulls = null_words(k, columns, count);
    if (k->width == 0) memset(k->row_hash, 0, (size_t)count * 8);
    for (uint32_t c = 0; c < (nulls ? k->width : k->column_count); c++)
        hash_words(k->row_words + (size_t)BATCH_ROWS * c, count, c == 0, k->row_hash);
    return true;
}

/* ---- the table ------------------------------------------------------------------------------------------ */

static uint64_t stored_hash(const struct keys *k, uint32_t id)
{
    uint64_t h = 0;
    const uint64_t *words = k->words + (size_t)id * k->width;
    bool nulls = false;
    for (uint32_t c = k->column_count; c < k->width; c++) nulls = nulls || words[c] != 0;
    for (uint32_t c = 0; c < (nulls ? k->width : k->column_count); c++) {
        h = (h ^ words[c]) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    return h;
}

static bool table_grow(struct keys *k)
{
    uint32_t cap = k->cap == 0 ? 256 : k->cap * 2;
    if (cap < k->cap) return false;
    size_t bytes = (size_t)k->width * 8;
    uint64_t *words = rf_arena_grow(k->arena, k->words, k->cap * bytes, cap * bytes);
    uint32_t *slots = rf_arena_new(k->arena, uint32_t, (size_t)cap * 2);
    if (words == NULL || slots == NULL) return false;
    k->words = words;
    k->slots = slots;
    k->cap = cap;
    k->mask = cap * 2 - 1;
    for (uint32_t i = 0; i < k->count; i++) {
        uint32_t at = (uint32_t)stored_hash(k, i) & k->mask;
        while (slots[at] != 0) at = (at + 1) & k->mask;
        slots[at] = i + 1;
    }
    return true;
}

static bool row_equals(const struct keys *k, uint32_t row, uint32_t id)
{
    const uint64_t *words = k->words + (size_t)id * k->width;
    for (uint32_t c = 0; c < k->width; c++)
        if (words[c] != k->row_words[(size_t)BATCH_ROWS * c + row]) return false;
    return true;
}

static uint32_t row_lookup(const struct keys *k, uint32_t row, uint32_t *slot)
{
    uint32_t at = (uint32_t)k->row_hash[row] & k->mask;
    for (; k->slots[at] != 0; at = (at + 1) & k->mask)
        if (row_equals(k, row, k->slots[at] - 1)) return k->slots[at] - 1;
    *slot = at;
    return KEYS_NONE;
}

/* The hash must not see null masks when no key of the batch has nulls, but a masked key hashes with them: make_words takes all
 * words as soon as one row of the batch has a null. Rows without nulls in such a batch must hash as they do elsewhere. */
static void rehash_plain_rows(struct keys *k, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t mask = 0, h = 0;
        for (uint32_t c = k->column_count; c < k->width; c++)
            mask |= k->row_words[(size_t)BATCH_ROWS * c + i];
        if (mask != 0) continue;
        for (uint32_t c = 0; c < k->column_count; c++) {
            h = (h ^ k->row_words[(size_t)BATCH_ROWS * c + i]) * 0x9e3779b97f4a7c15u;
            h ^= h >> 32;
        }
        k->row_hash[i] = h;
    }
}

static bool any_nulls(const struct keys *k, const struct vec *columns)
{
    for (uint32_t c = 0; c < k->column_count; c++)
        if (columns[c].nulls != NULL) return true;
    return false;
}

bool keys_add(struct keys *k, const struct vec *columns, uint32_t row_count, uint32_t *ids)
{
    RF_ASSERT(row_count <= BATCH_ROWS);
    if (!make_words(k, columns, row_count, true)) return false;
    if (any_nulls(k, columns)) rehash_plain_rows(k, row_count);
    for (uint32_t i = 0; i < row_count; i++) {
        if (i > 0 && k->row_hash[i] == k->row_hash[i - 1] &&
            row_equals(k, i, ids[i - 1])) { /* runs: times in bins */
            ids[i] = ids[i - 1];
            continue;
        }
        uint32_t slot = 0;
        if (k->count == k->cap && !table_grow(k)) return false;
        ids[i] = row_lookup(k, i, &slot);
        if (ids[i] != KEYS_NONE) continue;
        uint64_t *words = k->words + (size_t)k->count * k->width;
        for (uint32_t c = 0; c < k->width; c++) words[c] = k->row_words[(size_t)BATCH_ROWS * c + i];
        ids[i] = k->count++;
        k->slots[slot] = k->count;
    }
    return true;
}

bool keys_find(struct keys *k, const struct vec *columns, uint32_t row_count, uint32_t *ids)
{
    RF_ASSERT(row_count <= BATCH_ROWS);
    memset(k->row_missing, 0, row_count);
    if (!make_words(k, columns, row_count, false)) return false;
    if (any_nulls(k, columns)) rehash_plain_rows(k, row_count);
    for (uint32_t i = 0; i < row_count; i++) {
        uint32_t slot;
        ids[i] = k->count == 0 || k->row_missing[i] != 0 ? KEYS_NONE : row_lookup(k, i, &slot);
    }
    return true;
}

struct value keys_value(const struct keys *k, uint32_t id, uint32_t column)
{
    const uint64_t *words = k->words + (size_t)id * k->width;
    enum type type = (enum type)k->types[column];
    if ((words[k->column_count + column / 64] >> (column % 64) & 1) != 0) return value_null(type);
    if (!is_word(type)) return k->interners[column].values[words[column] - 1];
    struct value v = {.type = (uint8_t)type};
    if (type == TYPE_BOOL)
        v.b = words[column] != 0;
    else if (type == TYPE_REAL)
        memcpy(&v.r, &words[column], 8);
    else
        v.i = (int64_t)words[column];
    return v;
}

bool keys_merge(struct keys *into, const struct keys *from, uint32_t *ids)
{
    struct vec *columns = rf_arena_new(into->arena, struct vec, into->column_count);
    if (columns == NULL) return false;
    for (uint32_t c = 0; c < into->column_count; c++)
        if (!vec_flat(into->arena, (enum type)into->types[c], BATCH_ROWS, &columns[c]) ||
            vec_need_nulls(into->arena, &columns[c], BATCH_ROWS) == NULL)
            return false;
    for (uint32_t at = 0; at < from->count; at += BATCH_ROWS) {
        uint32_t n = RF_MIN(from->count - at, (uint32_t)BATCH_ROWS);
        for (uint32_t c = 0; c < into->column_count; c++)
            for (uint32_t i = 0; i < n; i++) {
                struct value v = keys_value(from, at + i, c);
                vec_set(&columns[c], i, &v);
            }
        if (!keys_add(into, columns, n, ids + at)) return false;
    }
    return true;
}
