#include "kql/keys.h"

#include "value/dyn.h"

/* Numbers of texts take 31 bits, so that two of them, or an int and one of them, fit into a word. */
#define INTERNED_MAX ((UINT32_C(1) << 31) - 2)
/* In a code map: keys_find did not meet the entry. 0 is not known yet. */
#define CODE_ABSENT UINT32_MAX
enum {
    FETCH_AHEAD = 16,         /* rows between asking for a slot and looking at it */
    DIRECT_WORDS = 1 << 16,   /* words below, such as ports, find their key without hashing, */
    DIRECT_ROWS_MIN = 1 << 15 /* once so many rows came that the table for it is worth it */
};

/* All interned types have cells of one size. */
struct cell {
    uint64_t words[2];
};
_Static_assert(sizeof(struct cell) == sizeof(rf_str) &&
                   sizeof(struct cell) == sizeof(struct guid) &&
                   sizeof(struct cell) == sizeof(struct decimal),
               "cells are copied as they are");

/* Values by number, for columns whose cells are no words. Numbers start at 1. */
struct interner {
    enum type type;
    struct cell *cells;
    uint8_t *nulls;  /* one per cell; NULL while no null has been seen */
    uint64_t *slots; /* 32 bits of the hash, by which they are placed, then the number; 0 is free */
    uint32_t count, cap;
    uint32_t null_number; /* 0: not seen */
    /* Numbers by dictionary code, valid for dict_id. */
    uint32_t *codes;
    uint32_t code_count, code_cap;
    bool has_absent;       /* entries are marked as absent, which holds */
    uint32_t absent_count; /* while the count is this one */
    uint64_t dict_id;
};

enum keys_mode {
    KEYS_INTERNED, /* one column; a key's id is the number of its value - 1 */
    KEYS_WORD, /* all columns in one word; a null is part of it, but for a single 64-bit column */
    KEYS_WORDS /* a word per column, then null masks */
};
struct word_slot {
    uint64_t word;
    uint32_t number; /* id + 1, 0 is free */
};

struct keys {
    struct rf_arena *arena;
    enum keys_mode mode;
    uint8_t *types;
    uint8_t *shifts; /* KEYS_WORD: where each column lies */
    uint32_t column_count, width;
    struct interner *interners; /* one per column; unused for words */
    uint64_t *words;            /* key id has words[id * width ..] */
    struct word_slot *word_slots;
    uint32_t *direct; /* KEYS_WORD: numbers by word, 0 is not known yet; NULL until it pays */
    uint64_t rows_seen;
    uint64_t *slots; /* KEYS_WORDS: upper half of the hash, id + 1; 0 is free */
    uint32_t count, cap, mask;
    uint32_t null_number; /* KEYS_WORD with one 64-bit column: id + 1 of the null */
    /* Of the batch, for BATCH_ROWS rows each. */
    uint64_t *row_words; /* KEYS_WORDS: column after column */
    uint64_t *row_hash;
    uint32_t *row_numbers, *row_new, *row_entries;
    uint8_t *row_missing; /* keys_find: a value that was never interned */
    uint8_t *row_null;
    /* keys_find: the rows that its first text leaves, once they are needed. */
    struct vec *kept;
    uint32_t *kept_codes, *kept_rows, *kept_ids;
};

static bool is_word(enum type t) { return t == TYPE_BOOL || t == TYPE_REAL || type_is_i64(t); }

/* Bits of a column in a packed word; null is 0 in all but the 64-bit ones. */
static uint32_t packed_bits(enum type t)
{
    return !is_word(t) ? 31 : t == TYPE_BOOL ? 2 : t == TYPE_INT ? 33 : 64;
}

static enum keys_mode choose_mode(const uint8_t *types, uint32_t column_count, uint8_t *shifts)
{
    uint32_t bits = 0;
    if (column_count == 0) return KEYS_WORDS;
    if (column_count == 1 && !is_word((enum type)types[0])) return KEYS_INTERNED;
    for (uint32_t c = 0; c < column_count; c++) {
        shifts[c] = (uint8_t)bits;
        bits += packed_bits((enum type)types[c]);
        if (bits > 64) return KEYS_WORDS;
    }
    return KEYS_WORD;
}

/* Room for what is known of the rows of one batch. */
static bool make_scratch(struct keys *k, struct rf_arena *arena)
{
    k->row_hash = rf_arena_raw(arena, uint64_t, BATCH_ROWS);
    k->row_numbers = rf_arena_raw(arena, uint32_t, BATCH_ROWS);
    k->row_new = rf_arena_raw(arena, uint32_t, BATCH_ROWS);
    k->row_entries = rf_arena_raw(arena, uint32_t, BATCH_ROWS);
    k->row_missing = rf_arena_raw(arena, uint8_t, BATCH_ROWS);
    k->row_null = rf_arena_raw(arena, uint8_t, BATCH_ROWS);
    k->row_words = rf_arena_raw(arena, uint64_t, (size_t)BATCH_ROWS * k->width);
    return k->row_hash != NULL && k->row_numbers != NULL && k->row_new != NULL &&
           k->row_entries != NULL && k->row_missing != NULL && k->row_null != NULL &&
           k->row_words != NULL;
}

struct keys *keys_new(struct rf_arena *arena, const uint8_t *types, uint32_t column_count)
{
    struct keys *k = rf_arena_zalloc(arena, sizeof *k);
    if (k == NULL || column_count > KEYS_COLUMNS_MAX) return NULL;
    k->arena = arena;
    k->column_count = column_count;
    k->types = rf_arena_new(arena, uint8_t, column_count);
    k->shifts = rf_arena_new(arena, uint8_t, column_count);
    k->interners = rf_arena_new(arena, struct interner, column_count);
    if (k->types == NULL || k->shifts == NULL || k->interners == NULL) return NULL;
    if (column_count > 0) memcpy(k->types, types, column_count);
    for (uint32_t c = 0; c < column_count; c++) k->interners[c].type = (enum type)types[c];
    k->mode = choose_mode(types, column_count, k->shifts);
    k->width = k->mode == KEYS_WORDS ? column_count + (column_count + 63) / 64 : 1;
    return make_scratch(k, arena) ? k : NULL;
}

struct keys *keys_reader(const struct keys *k, struct rf_arena *arena)
{
    struct keys *r = rf_arena_zalloc(arena, sizeof *r);
    if (r == NULL) return NULL;
    *r = *k;
    r->arena = arena;
    r->direct = NULL;
    r->rows_seen = 0;
    r->kept = NULL;
    r->interners = rf_arena_new(arena, struct interner, k->column_count);
    if (r->interners == NULL) return NULL;
    for (uint32_t c = 0; c < k->column_count; c++) {
        struct interner *in = &r->interners[c];
        *in = k->interners
                  [c]; /* values and slots are shared, what is learnt of dictionaries is not */
        in->codes = NULL;
        in->code_count = in->code_cap = 0;
        in->has_absent = false;
        in->dict_id = 0;
    }
    return make_scratch(r, arena) ? r : NULL;
}

uint32_t keys_count(const struct keys *k)
{
    return k->mode == KEYS_INTERNED ? k->interners[0].count : k->count;
}

/* ---- interning ------------------------------------------------------------------------------------ */

static void slot_put(uint64_t *slots, uint32_t mask, uint64_t hash, uint32_t number)
{
    uint32_t at = (uint32_t)hash & mask;
    while (slots[at] != 0) at = (at + 1) & mask;
    slots[at] = (hash & ~(uint64_t)UINT32_MAX) | number;
}

/* The interner's hashes have 32 bits, so that a slot holds all of them and the number: they serve as place and as tag. */
static uint64_t wide_hash(uint64_t hash32) { return hash32 << 32 | hash32; }

/* `expected` values come in all, as far as a dictionary tells: fewer steps of growth when they are many. */
static bool interner_grow(struct interner *in, uint32_t expected, struct rf_arena *arena)
{
    if (in->cap > INTERNED_MAX / 16) return false;
    uint32_t cap = in->cap == 0 ? 256 : in->cap * 2;
    for (int i = 0; i < 2 && in->cap > 0 && cap < expected; i++) cap *= 2;
    size_t cell_bytes = sizeof *in->cells;
    struct cell *cells = rf_arena_grow(arena, in->cells, in->cap * cell_bytes, cap * cell_bytes);
    uint64_t *slots = rf_arena_new(arena, uint64_t, (size_t)cap * 2);
    if (cells == NULL || slots == NULL) return false;
    if (in->nulls != NULL) {
        uint8_t *nulls = rf_arena_grow(arena, in->nulls, in->cap, cap);
        if (nulls == NULL) return false;
        memset(nulls + in->cap, 0, cap - in->cap);
        in->nulls = nulls;
    }
    for (size_t i = 0; i < (size_t)in->cap * 2; i++)
        if (in->slots[i] != 0)
            slot_put(slots, cap * 2 - 1, wide_hash(in->slots[i] >> 32), (uint32_t)in->slots[i]);
    in->cells = cells;
    in->slots = slots;
    in->cap = cap;
    return true;
}

static struct value cell_value(const struct interner *in, uint32_t number)
{
    if (number == in->null_number) return value_null(in->type);
    struct value v = {.type = (uint8_t)in->type};
    const struct cell *cell = &in->cells[number - 1];
    if (type_is_bytes(in->type))
        memcpy(&v.s, cell, sizeof *cell);
    else if (in->type == TYPE_GUID)
        memcpy(&v.g, cell, sizeof *cell);
    else
        memcpy(&v.d, cell, sizeof *cell);
    return v;
}

static bool cell_same(const struct interner *in, uint32_t number, const struct value *v)
{
    if (in->type == TYPE_STRING) {
        rf_str have;
        memcpy(&have, &in->cells[number - 1], sizeof have);
        return rf_str_eq(have, v->s);
    }
    struct value have = cell_value(in, number);
    return value_same(&have, v);
}

static bool is_null(const struct value *v)
{
    return v->null || (v->type == TYPE_DYNAMIC && dyn_is_null(v->s));
}

static uint64_t fold_hash(uint64_t hash) { return wide_hash((uint32_t)(hash ^ hash >> 32)); }

static uint64_t text_hash(rf_str text) { return fold_hash(rf_hash(text.ptr, text.len, 0)); }

static uint64_t cell_hash(const struct value *v)
{
    if (is_null(v)) return 0;
    return v->type == TYPE_STRING ? text_hash(v->s) : fold_hash(value_hash(v));
}

/* The number of a value that is not null; 0 when it is not there. */
static uint32_t interner_find(const struct interner *in, const struct value *v, uint64_t hash)
{
    if (in->cap == 0) return 0;
    uint32_t mask = in->cap * 2 - 1;
    for (uint32_t at = (uint32_t)hash & mask; in->slots[at] != 0; at = (at + 1) & mask)
        if (in->slots[at] >> 32 == hash >> 32 && cell_same(in, (uint32_t)in->slots[at], v))
            return (uint32_t)in->slots[at];
    return 0;
}

/* Gives `v`, which is not there, the next number; its bytes are borrowed. 0 on lack of memory. */
static uint32_t interner_put(struct interner *in, const struct value *v, uint64_t hash,
                             uint32_t expected, struct rf_arena *arena)
{
    if (in->count == in->cap && !interner_grow(in, expected, arena)) return 0;
    struct cell *cell = &in->cells[in->count];
    if (type_is_bytes(in->type))
        memcpy(cell, &v->s, sizeof *cell);
    else if (in->type == TYPE_GUID)
        memcpy(cell, &v->g, sizeof *cell);
    else
        memcpy(cell, &v->d, sizeof *cell);
    slot_put(in->slots, in->cap * 2 - 1, hash, ++in->count);
    return in->count;
}

/* The null is a value like others, but stands in no slot. */
static uint32_t intern_null(struct interner *in, bool add, struct rf_arena *arena)
{
    if (in->null_number != 0 || !add) return in->null_number;
    if (in->count == in->cap && !interner_grow(in, 0, arena)) return 0;
    in->nulls = rf_arena_zalloc(arena, in->cap);
    if (in->nulls == NULL) return 0;
    in->cells[in->count] = (struct cell){{0, 0}};
    in->nulls[in->count] = 1;
    in->null_number = ++in->count;
    return in->null_number;
}

/* The value's number; 0 when it is not there and `add` is false, or on lack of memory. */
static uint32_t intern(struct interner *in, const struct value *v, uint64_t hash, bool add,
                       uint32_t expected, struct rf_arena *arena)
{
    if (is_null(v)) return intern_null(in, add, arena);
    uint32_t number = interner_find(in, v, hash);
    if (number != 0 || !add) return number;
    struct value copy;
    return value_copy(v, arena, &copy) ? interner_put(in, &copy, hash, expected, arena) : 0;
}

/* ---- texts to numbers ------------------------------------------------------------------------------- */

/* Makes room for a dictionary's codes, empty unless it is the dictionary of before. */
static bool code_map(struct interner *in, const struct vec *v, bool add, struct rf_arena *arena)
{
    if (v->dict_id != 0 && v->dict_id == in->dict_id) {
        if (!in->has_absent || (!add && in->absent_count == in->count)) return true;
        for (uint32_t i = 0; i < in->code_count; i++)
            if (in->codes[i] == CODE_ABSENT) in->codes[i] = 0;
        in->has_absent = false;
        return true;
    }
    if (v->dict_count > in->code_cap) {
        uint32_t cap = RF_MAX(v->dict_count, (uint32_t)BATCH_ROWS);
        in->codes = rf_arena_raw(arena, uint32_t, cap);
        if (in->codes == NULL) return false;
        in->code_cap = cap;
    }
    if (v->dict_count > 0) memset(in->codes, 0, (size_t)v->dict_count * sizeof *in->codes);
    in->code_count = v->dict_count;
    in->has_absent = false;
    in->dict_id = v->dict_id;
    return true;
}

static struct value entry_value(const struct vec *v, uint32_t entry)
{
    struct vec flat = *v;
    flat.shape = VEC_FLAT;
    return vec_value(&flat, entry);
}

static void fetch_slot(const struct interner *in, uint64_t hash)
{
    if (in->cap > 0) __builtin_prefetch(&in->slots[(uint32_t)hash & (in->cap * 2 - 1)]);
}

/* Hashes of dictionary entries, wherever those lie: asked for ahead, since each is met once and none is near the one before. */
static void hash_entries(const struct interner *in, const struct vec *v, const uint32_t *entries,
                         uint32_t count, uint64_t *hash)
{
    const rf_str *texts = v->data;
    if (in->type != TYPE_STRING || v->nulls != NULL) {
        for (uint32_t i = 0; i < count; i++) {
            struct value cell = entry_value(v, entries[i]);
            hash[i] = cell_hash(&cell);
            fetch_slot(in, hash[i]);
        }
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i + FETCH_AHEAD < count) __builtin_prefetch(&texts[entries[i + FETCH_AHEAD]]);
        if (i + FETCH_AHEAD / 2 < count)
            __builtin_prefetch(texts[entries[i + FETCH_AHEAD / 2]].ptr);
        hash[i] = text_hash(texts[entries[i]]);
        fetch_slot(in, hash[i]);
    }
}

/* Puts the numbers of the listed entries, once each, into the code map. */
static bool intern_entries(struct keys *k, struct interner *in, const struct vec *v,
                           const uint32_t *entries, uint32_t count, bool add)
{
    hash_entries(in, v, entries, count, k->row_hash);
    for (uint32_t i = 0; i < count; i++) {
        struct value cell = entry_value(v, entries[i]);
        uint32_t number = intern(in, &cell, k->row_hash[i], add, v->dict_count, k->arena);
        if (number == 0 && add) return false;
        in->codes[entries[i]] = number == 0 ? CODE_ABSENT : number;
        if (number != 0) continue;
        in->has_absent = true;
        in->absent_count = in->count;
    }
    return true;
}

/* One look per row; entries that are new are listed and interned together. */
static bool dict_numbers(struct keys *k, struct interner *in, const struct vec *v, uint32_t count,
                         bool add, uint32_t *out)
{
    const uint32_t *codes = v->codes;
    uint32_t *map = in->codes, *rows = k->row_new, *entries = k->row_entries, unknown = 0,
             listed = 0;
    for (uint32_t i = 0; i < count; i++) {
        out[i] = map[codes[i]];
        rows[unknown] = i;
        unknown += out[i] == 0;
    }
    for (uint32_t n = 0; n < unknown; n++) {
        uint32_t code = codes[rows[n]];
        entries[listed] = code;
        listed += map[code] == 0;
        map[code] = CODE_ABSENT; /* so that it is listed once */
    }
    if (listed > 0 && !intern_entries(k, in, v, entries, listed, add)) return false;
    for (uint32_t n = 0; n < unknown; n++) out[rows[n]] = map[codes[rows[n]]];
    if (add) return true;
    for (uint32_t i = 0; i < count; i++) {
        if (out[i] != CODE_ABSENT) continue;
        out[i] = 0;
        k->row_missing[i] = 1;
    }
    return true;
}

/* Hashes of texts row by row; those of a selection lie apart, so they are asked for ahead. */
static void hash_texts(const struct interner *in, const struct vec *v, uint32_t count,
                       uint64_t *hash)
{
    const rf_str *texts = v->data;
    for (uint32_t i = 0; i < count; i++) {
        if (i + FETCH_AHEAD < count) __builtin_prefetch(texts[vec_at(v, i + FETCH_AHEAD)].ptr);
        hash[i] = text_hash(texts[vec_at(v, i)]);
        fetch_slot(in, hash[i]);
    }
}

static bool plain_texts(struct keys *k, struct interner *in, const struct vec *v, uint32_t count,
                        bool add, uint32_t *out)
{
    const rf_str *texts = v->data;
    hash_texts(in, v, count, k->row_hash);
    for (uint32_t i = 0; i < count; i++) {
        struct value cell = value_str(texts[vec_at(v, i)]);
        out[i] = intern(in, &cell, k->row_hash[i], add, 0, k->arena);
        if (out[i] != 0) continue;
        if (add) return false;
        k->row_missing[i] = 1;
    }
    return true;
}

static bool plain_numbers(struct keys *k, struct interner *in, const struct vec *v, uint32_t count,
                          bool add, uint32_t *out)
{
    if (in->type == TYPE_STRING && v->nulls == NULL) return plain_texts(k, in, v, count, add, out);
    uint64_t *hash = k->row_hash;
    for (uint32_t i = 0; i < count; i++) {
        struct value cell = vec_value(v, i);
        hash[i] = cell_hash(&cell);
        fetch_slot(in, hash[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct value cell = vec_value(v, i);
        out[i] = intern(in, &cell, hash[i], add, 0, k->arena);
        if (out[i] != 0) continue;
        if (add) return false;
        k->row_missing[i] = 1;
    }
    return true;
}

static bool const_numbers(struct keys *k, struct interner *in, const struct vec *v, uint32_t count,
                          bool add, uint32_t *out)
{
    if (count == 0) return true;
    if (!plain_numbers(k, in, v, 1, add, out)) return false;
    for (uint32_t i = 1; i < count; i++) out[i] = out[0];
    if (out[0] == 0) memset(k->row_missing, 1, count);
    return true;
}

/* The number of each row's value. Rows whose value is not there get 0 and are marked as missing. */
static bool text_numbers(struct keys *k, uint32_t column, const struct vec *v, uint32_t count,
                         bool add, uint32_t *out)
{
    struct interner *in = &k->interners[column];
    if (v->shape == VEC_CONST) return const_numbers(k, in, v, count, add, out);
    if (v->shape != VEC_DICT || (v->dict_id == 0 && v->dict_count > count))
        return plain_numbers(k, in, v, count, add, out);
    return code_map(in, v, add, k->arena) && dict_numbers(k, in, v, count, add, out);
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

/* Words of a column as they lie in a packed word. */
static void pack_parts(enum type type, const struct vec *v, uint32_t count, uint64_t *words)
{
    number_words(v, count, words);
    if (type == TYPE_BOOL)
        for (uint32_t i = 0; i < count; i++) words[i] += 1;
    else if (type == TYPE_INT)
        for (uint32_t i = 0; i < count; i++) words[i] = UINT64_C(1) << 32 | (uint32_t)words[i];
    if (v->nulls == NULL) return;
    for (uint32_t i = 0; i < count; i++)
        if (vec_null(v, i)) words[i] = 0;
}

static bool pack_words(struct keys *k, const struct vec *columns, uint32_t count, bool add)
{
    uint64_t *words = k->row_words, *parts = k->row_hash;
    for (uint32_t c = 0; c < k->column_count; c++) {
        enum type type = (enum type)k->types[c];
        uint32_t shift = k->shifts[c], *numbers = k->row_numbers;
        if (is_word(type)) {
            pack_parts(type, &columns[c], count, c == 0 ? words : parts);
            for (uint32_t i = 0; i < count && c > 0; i++) words[i] |= parts[i] << shift;
            continue;
        }
        if (!text_numbers(k, c, &columns[c], count, add, numbers)) return false;
        for (uint32_t i = 0; i < count; i++)
            words[i] = (c == 0 ? 0 : words[i]) | (uint64_t)numbers[i] << shift;
    }
    return true;
}

static bool wide_words(struct keys *k, const struct vec *columns, uint32_t count, bool add)
{
    memset(k->row_words + (size_t)BATCH_ROWS * k->column_count, 0,
           (size_t)BATCH_ROWS * (k->width - k->column_count) * 8);
    for (uint32_t c = 0; c < k->column_count; c++) {
        uint64_t *words = k->row_words + (size_t)BATCH_ROWS * c,
                 *mask = k->row_words + (size_t)BATCH_ROWS * (k->column_count + c / 64);
        if (!is_word((enum type)k->types[c])) {
            if (!text_numbers(k, c, &columns[c], count, add, k->row_numbers)) return false;
            for (uint32_t i = 0; i < count; i++) words[i] = k->row_numbers[i];
            continue;
        }
        number_words(&columns[c], count, words);
        if (columns[c].nulls == NULL) continue;
        for (uint32_t i = 0; i < count; i++)
            if (vec_null(&columns[c], i)) {
                words[i] = 0;
                mask[i] |= UINT64_C(1) << (c % 64);
            }
    }
    return true;
}

static inline uint64_t hash_step(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
}

RF_CLONES static void hash_words(const uint64_t *words, uint32_t count, bool first, uint64_t *hash)
{
    for (uint32_t i = 0; i < count; i++) hash[i] = hash_step(first ? 0 : hash[i], words[i]);
}

static void hash_rows(struct keys *k, uint32_t count)
{
    uint32_t plain = k->mode == KEYS_WORD ? 1 : k->column_count;
    if (plain == 0) memset(k->row_hash, 0, (size_t)count * 8);
    for (uint32_t c = 0; c < plain; c++)
        hash_words(k->row_words + (size_t)BATCH_ROWS * c, count, c == 0, k->row_hash);
    /* A mask takes part where it is set only: a key hashes alike whatever the rows beside it hold. */
    for (uint32_t c = plain; c < k->width; c++) {
        const uint64_t *mask = k->row_words + (size_t)BATCH_ROWS * c;
        for (uint32_t i = 0; i < count; i++)
            if (mask[i] != 0) k->row_hash[i] = hash_step(k->row_hash[i], mask[i]);
    }
}

/* ---- one word per key --------------------------------------------------------------------------------- */

static bool words_grow(struct keys *k, uint32_t *cap)
{
    if (k->cap > UINT32_MAX / 8) return false;
    *cap = k->cap == 0 ? 256 : k->cap * 2;
    size_t bytes = (size_t)k->width * 8;
    uint64_t *words = rf_arena_grow(k->arena, k->words, k->cap * bytes, *cap * bytes);
    if (words == NULL) return false;
    k->words = words;
    return true;
}

static void word_put(struct word_slot *slots, uint32_t mask, uint64_t word, uint32_t number)
{
    uint32_t at = (uint32_t)hash_step(0, word) & mask;
    while (slots[at].number != 0) at = (at + 1) & mask;
    slots[at] = (struct word_slot){.word = word, .number = number};
}

static bool word_grow(struct keys *k)
{
    uint32_t cap;
    if (!words_grow(k, &cap)) return false;
    struct word_slot *slots = rf_arena_new(k->arena, struct word_slot, (size_t)cap * 2);
    if (slots == NULL) return false;
    k->word_slots = slots;
    k->cap = cap;
    k->mask = cap * 2 - 1;
    for (uint32_t i = 0; i < k->count; i++)
        if (i + 1 != k->null_number) word_put(slots, k->mask, k->words[i], i + 1);
    return true;
}

static uint32_t word_find(const struct keys *k, uint64_t word, uint64_t hash)
{
    if (k->cap == 0) return 0;
    const struct word_slot *slots = k->word_slots;
    for (uint32_t at = (uint32_t)hash & k->mask; slots[at].number != 0; at = (at + 1) & k->mask)
        if (slots[at].word == word) return slots[at].number;
    return 0;
}

/* The number of the key with this word, or of the null; 0 when it is not there and `add` is false, or on
 * lack of memory. */
static uint32_t word_number(struct keys *k, uint64_t word, bool null, uint64_t hash, bool add)
{
    uint32_t number = null ? k->null_number : word_find(k, word, hash);
    if (number != 0 || !add) return number;
    if (k->count == k->cap && !word_grow(k)) return 0;
    k->words[k->count++] = null ? 0 : word;
    if (null)
        k->null_number = k->count;
    else
        word_put(k->word_slots, k->mask, word, k->count);
    return k->count;
}

_Static_assert((uint32_t)(0 - 1) == KEYS_NONE, "number 0, which is none, less 1 is no id");

static bool words_are_small(const uint64_t *words, uint32_t count)
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < count; i++) all |= words[i];
    return all < DIRECT_WORDS;
}

static bool direct_ids(struct keys *k, uint32_t count, bool add, uint32_t *ids)
{
    const uint64_t *words = k->row_words;
    if (k->direct == NULL) k->direct = rf_arena_new(k->arena, uint32_t, DIRECT_WORDS);
    if (k->direct == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = k->direct[words[i]];
        if (RF_UNLIKELY(number == 0)) {
            number = word_number(k, words[i], false, hash_step(0, words[i]), add);
            if (number == 0 && add) return false;
            k->direct[words[i]] = number;
        }
        ids[i] = number - 1;
    }
    return true;
}

/* `nulls` are given for a single 64-bit column only: all others have their nulls in the words. */
static bool word_ids(struct keys *k, const uint8_t *nulls, uint32_t count, bool add, uint32_t *ids)
{
    const uint64_t *words = k->row_words;
    k->rows_seen += count;
    if (nulls == NULL && k->rows_seen >= DIRECT_ROWS_MIN && words_are_small(words, count))
        return direct_ids(k, count, add, ids);
    hash_rows(k, count);
    for (uint32_t i = 0; i < count; i++) {
        if (k->cap > 0 && i + FETCH_AHEAD < count)
            __builtin_prefetch(&k->word_slots[(uint32_t)k->row_hash[i + FETCH_AHEAD] & k->mask]);
        /* Runs: times in bins. */
        if (i > 0 && words[i] == words[i - 1] && (nulls == NULL || nulls[i] == nulls[i - 1])) {
            ids[i] = ids[i - 1];
            continue;
        }
        bool null = nulls != NULL && nulls[i] != 0;
        uint32_t number = word_number(k, words[i], null, k->row_hash[i], add);
        if (number == 0 && add) return false;
        ids[i] = number - 1;
    }
    return true;
}

/* Null bytes of a key of one 64-bit column; NULL when none is null. */
static const uint8_t *own_nulls(struct keys *k, const struct vec *columns, uint32_t count)
{
    bool own = k->column_count == 1 && packed_bits((enum type)k->types[0]) == 64;
    if (!own || columns[0].nulls == NULL) return NULL;
    for (uint32_t i = 0; i < count; i++) k->row_null[i] = vec_null(&columns[0], i);
    return k->row_null;
}

/* ---- several words per key ------------------------------------------------------------------------------ */

static uint64_t stored_hash(const struct keys *k, uint32_t id)
{
    uint64_t h = 0;
    const uint64_t *words = k->words + (size_t)id * k->width;
    for (uint32_t c = 0; c < k->width; c++)
        if (c < k->column_count || words[c] != 0) h = hash_step(h, words[c]);
    return h;
}

static bool wide_grow(struct keys *k)
{
    uint32_t cap;
    if (!words_grow(k, &cap)) return false;
    uint64_t *slots = rf_arena_new(k->arena, uint64_t, (size_t)cap * 2);
    if (slots == NULL) return false;
    k->slots = slots;
    k->cap = cap;
    k->mask = cap * 2 - 1;
    for (uint32_t i = 0; i < k->count; i++) slot_put(slots, k->mask, stored_hash(k, i), i + 1);
    return true;
}

static bool row_equals(const struct keys *k, uint32_t row, uint32_t id)
{
    const uint64_t *words = k->words + (size_t)id * k->width;
    for (uint32_t c = 0; c < k->width; c++)
        if (words[c] != k->row_words[(size_t)BATCH_ROWS * c + row]) return false;
    return true;
}

static uint32_t wide_find(const struct keys *k, uint32_t row)
{
    if (k->cap == 0) return KEYS_NONE;
    uint64_t hash = k->row_hash[row], slot;
    for (uint32_t at = (uint32_t)hash & k->mask; (slot = k->slots[at]) != 0;
         at = (at + 1) & k->mask)
        if (slot >> 32 == hash >> 32 && row_equals(k, row, (uint32_t)slot - 1))
            return (uint32_t)slot - 1;
    return KEYS_NONE;
}

static bool wide_ids(struct keys *k, uint32_t count, bool add, uint32_t *ids)
{
    hash_rows(k, count);
    for (uint32_t i = 0; i < count; i++) {
        if (k->cap > 0 && i + FETCH_AHEAD < count)
            __builtin_prefetch(&k->slots[(uint32_t)k->row_hash[i + FETCH_AHEAD] & k->mask]);
        if (add && i > 0 && k->row_hash[i] == k->row_hash[i - 1] && row_equals(k, i, ids[i - 1])) {
            ids[i] = ids[i - 1];
            continue;
        }
        ids[i] = wide_find(k, i);
        if (ids[i] != KEYS_NONE || !add) continue;
        if (k->count == k->cap && !wide_grow(k)) return false;
        uint64_t *words = k->words + (size_t)k->count * k->width;
        for (uint32_t c = 0; c < k->width; c++) words[c] = k->row_words[(size_t)BATCH_ROWS * c + i];
        ids[i] = k->count++;
        slot_put(k->slots, k->mask, k->row_hash[i], k->count);
    }
    return true;
}

/* ---- adding, finding -------------------------------------------------------------------------------------- */

static bool key_ids(struct keys *k, const struct vec *columns, uint32_t count, bool add,
                    uint32_t *ids)
{
    if (k->mode == KEYS_INTERNED) {
        if (!text_numbers(k, 0, &columns[0], count, add, ids)) return false;
        for (uint32_t i = 0; i < count; i++) ids[i]--;
        return true;
    }
    if (k->mode == KEYS_WORD) {
        if (!pack_words(k, columns, count, add)) return false;
        return word_ids(k, own_nulls(k, columns, count), count, add, ids);
    }
    if (!wide_words(k, columns, count, add)) return false;
    return wide_ids(k, count, add, ids);
}

bool keys_add(struct keys *k, const struct vec *columns, uint32_t row_count, uint32_t *ids)
{
    RF_ASSERT(row_count <= BATCH_ROWS);
    return key_ids(k, columns, row_count, true, ids);
}

/* Some rows of the columns. Their codes lie in k->kept_codes. */
static void narrow(struct keys *k, const struct vec *columns, const uint32_t *rows, uint32_t count,
                   struct vec *out)
{
    for (uint32_t c = 0; c < k->column_count; c++) {
        struct vec *v = &out[c];
        uint32_t *codes = k->kept_codes + (size_t)BATCH_ROWS * c;
        *v = columns[c];
        if (v->shape == VEC_CONST) continue;
        for (uint32_t i = 0; i < count; i++) codes[i] = vec_at(&columns[c], rows[i]);
        v->codes = codes;
        if (v->shape == VEC_DICT) continue;
        v->shape = VEC_DICT;
        v->dict_count = count == 0 ? 0 : rows[count - 1] + 1;
        v->dict_id = 0;
    }
}

/* Of several columns the first text tells most: where it leaves few rows, only those are looked at further. *kept is how
 * many, or row_count when that would not pay. */
static bool first_text_rows(struct keys *k, const struct vec *columns, uint32_t row_count,
                            uint32_t *rows, uint32_t *kept)
{
    uint32_t c = 0, n = 0;
    while (c < k->column_count && is_word((enum type)k->types[c])) c++;
    *kept = row_count;
    if (c == k->column_count) return true;
    if (!text_numbers(k, c, &columns[c], row_count, false, k->row_numbers)) return false;
    for (uint32_t i = 0; i < row_count; i++) {
        rows[n] = i;
        n += k->row_missing[i] == 0;
    }
    if (n <= row_count / 2) *kept = n;
    return true;
}

static bool find_ids(struct keys *k, const struct vec *columns, uint32_t row_count, uint32_t *ids)
{
    memset(k->row_missing, 0, row_count);
    if (!key_ids(k, columns, row_count, false, ids)) return false;
    for (uint32_t i = 0; i < row_count; i++)
        if (k->row_missing[i] != 0) ids[i] = KEYS_NONE;
    return true;
}

bool keys_find(struct keys *k, const struct vec *columns, uint32_t row_count, uint32_t *ids)
{
    RF_ASSERT(row_count <= BATCH_ROWS);
    if (k->column_count < 2) return find_ids(k, columns, row_count, ids);
    if (k->kept == NULL) {
        k->kept = rf_arena_new(k->arena, struct vec, k->column_count);
        k->kept_codes = rf_arena_raw(k->arena, uint32_t, (size_t)BATCH_ROWS * k->column_count);
        k->kept_rows = rf_arena_raw(k->arena, uint32_t, BATCH_ROWS);
        k->kept_ids = rf_arena_raw(k->arena, uint32_t, BATCH_ROWS);
    }
    if (k->kept == NULL || k->kept_codes == NULL || k->kept_rows == NULL || k->kept_ids == NULL)
        return false;
    uint32_t kept;
    memset(k->row_missing, 0, row_count);
    if (!first_text_rows(k, columns, row_count, k->kept_rows, &kept)) return false;
    if (kept == row_count) return find_ids(k, columns, row_count, ids);
    memset(ids, 0xff, (size_t)row_count * sizeof *ids); /* KEYS_NONE */
    if (kept == 0) return true;
    narrow(k, columns, k->kept_rows, kept, k->kept);
    if (!find_ids(k, k->kept, kept, k->kept_ids)) return false;
    for (uint32_t i = 0; i < kept; i++) ids[k->kept_rows[i]] = k->kept_ids[i];
    return true;
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

/* What a column of a key holds: the cell of a number, as a word, or the number of an interned value. */
static uint64_t key_word(const struct keys *k, uint32_t id, uint32_t column, bool *null)
{
    enum type type = (enum type)k->types[column];
    uint32_t bits = packed_bits(type);
    *null = false;
    if (k->mode == KEYS_INTERNED) return (uint64_t)id + 1;
    const uint64_t *words = k->words + (size_t)id * k->width;
    if (k->mode == KEYS_WORDS) {
        *null = (words[k->column_count + column / 64] >> (column % 64) & 1) != 0;
        return words[column];
    }
    if (bits == 64) {
        *null = id + 1 == k->null_number;
        return words[0];
    }
    uint64_t part = words[0] >> k->shifts[column] & ((UINT64_C(1) << bits) - 1);
    *null = part == 0;
    if (type == TYPE_BOOL) return part == 2;
    return type == TYPE_INT ? (uint64_t)(int32_t)(uint32_t)part : part;
}

struct value keys_value(const struct keys *k, uint32_t id, uint32_t column)
{
    enum type type = (enum type)k->types[column];
    bool null;
    uint64_t word = key_word(k, id, column, &null);
    if (!is_word(type)) return cell_value(&k->interners[column], (uint32_t)word);
    if (null) return value_null(type);
    struct value v = {.type = (uint8_t)type};
    if (type == TYPE_BOOL)
        v.b = word != 0;
    else if (type == TYPE_REAL)
        memcpy(&v.r, &word, 8);
    else
        v.i = (int64_t)word;
    return v;
}

/* The cells of a column that is no view. */
static void fill_column(const struct keys *k, uint32_t column, uint32_t from, uint32_t count,
                        void *cells, uint8_t *nulls)
{
    enum type type = (enum type)k->types[column];
    const struct interner *in = &k->interners[column];
    for (uint32_t i = 0; i < count; i++) {
        bool null;
        uint64_t word = key_word(k, from + i, column, &null);
        if (type == TYPE_BOOL)
            ((uint8_t *)cells)[i] = (uint8_t)word;
        else if (is_word(type))
            ((uint64_t *)cells)[i] = word;
        else
            ((struct cell *)cells)[i] = in->cells[word - 1];
        nulls[i] = is_word(type) ? null : word == in->null_number;
    }
}

bool keys_column(const struct keys *k, uint32_t column, uint32_t from, uint32_t count,
                 struct rf_arena *arena, struct vec *out)
{
    enum type type = (enum type)k->types[column];
    const struct interner *in = &k->interners[column];
    *out = (struct vec){.type = (uint8_t)type, .shape = VEC_FLAT};
    if (k->mode == KEYS_INTERNED) {
        out->data = in->cells + from;
        out->nulls = in->nulls == NULL ? NULL : in->nulls + from;
        return true;
    }
    void *cells = rf_arena_alloc(arena, (size_t)count * type_cell_bytes[type]);
    uint8_t *nulls = rf_arena_raw(arena, uint8_t, count);
    if (cells == NULL || nulls == NULL) return false;
    fill_column(k, column, from, count, cells, nulls);
    out->data = cells;
    if (count > 0 && memchr(nulls, 1, count) != NULL) out->nulls = nulls;
    return true;
}

/* ---- merging -------------------------------------------------------------------------------------------------- */

/* Numbers of from's values in `into`, by from's numbers. `hashes` is room for as many. */
static bool merge_interner(struct interner *into, const struct interner *from,
                           struct rf_arena *arena, uint32_t *map, uint32_t *hashes)
{
    /* Where both saw the same dictionary last, codes tell most of them. */
    bool by_code = into->dict_id != 0 && into->dict_id == from->dict_id;
    memset(map, 0, ((size_t)from->count + 1) * sizeof *map);
    if (by_code)
        for (uint32_t code = 0; code < from->code_count; code++) {
            uint32_t number = from->codes[code], other = into->codes[code];
            if (number != 0 && number != CODE_ABSENT && other != CODE_ABSENT) map[number] = other;
        }
    for (size_t i = 0; i < (size_t)from->cap * 2; i++)
        hashes[(uint32_t)from->slots[i]] = (uint32_t)(from->slots[i] >> 32);
    for (uint32_t number = 1; number <= from->count; number++) {
        if (map[number] != 0) continue;
        struct value v = cell_value(from, number);
        uint64_t hash = wide_hash(hashes[number]);
        bool null = number == from->null_number;
        uint32_t known = null ? intern_null(into, true, arena) : interner_find(into, &v, hash);
        if (known == 0 && !null) known = interner_put(into, &v, hash, from->count, arena);
        if (known == 0) return false;
        map[number] = known;
    }
    if (by_code) /* for the next to be merged */
        for (uint32_t code = 0; code < from->code_count; code++) {
            uint32_t number = from->codes[code];
            if (number != 0 && number != CODE_ABSENT) into->codes[code] = map[number];
        }
    return true;
}

/* Writes from's keys at..at+count-1 into the rows of the batch of `into`, with into's numbers of values. */
static void translate(struct keys *into, const struct keys *from, uint32_t at, uint32_t count,
                      uint32_t *const *maps)
{
    for (uint32_t w = 0; w < into->width; w++) {
        uint64_t *row_words = into->row_words + (size_t)BATCH_ROWS * w;
        for (uint32_t i = 0; i < count; i++)
            row_words[i] = from->words[(size_t)(at + i) * from->width + w];
    }
    for (uint32_t c = 0; c < into->column_count; c++) {
        bool packed = into->mode == KEYS_WORD;
        uint64_t *row_words = into->row_words + (packed ? 0 : (size_t)BATCH_ROWS * c);
        uint32_t shift = packed ? into->shifts[c] : 0;
        uint64_t mask = (uint64_t)INT32_MAX << shift;
        for (uint32_t i = 0; i < count && maps[c] != NULL; i++)
            row_words[i] =
                (row_words[i] & ~mask) | (uint64_t)maps[c][(row_words[i] & mask) >> shift] << shift;
    }
    for (uint32_t i = 0; i < count; i++) into->row_null[i] = at + i + 1 == from->null_number;
}

bool keys_merge(struct keys *into, const struct keys *from, uint32_t *ids)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init_shared(&scratch, into->arena->budget);
    uint32_t **maps = rf_arena_new(&scratch, uint32_t *, into->column_count);
    if (maps == NULL) return false;
    for (uint32_t c = 0; c < into->column_count; c++) {
        const struct interner *in = &from->interners[c];
        if (is_word((enum type)into->types[c])) continue;
        maps[c] = rf_arena_raw(&scratch, uint32_t, (size_t)in->count + 1);
        uint32_t *hashes = rf_arena_raw(&scratch, uint32_t, (size_t)in->count + 1);
        if (maps[c] == NULL || hashes == NULL ||
            !merge_interner(&into->interners[c], in, into->arena, maps[c], hashes))
            return false;
    }
    if (into->mode == KEYS_INTERNED) {
        for (uint32_t i = 0; i < from->interners[0].count; i++) ids[i] = maps[0][i + 1] - 1;
        return true;
    }
    const uint8_t *nulls = from->null_number == 0 ? NULL : into->row_null;
    for (uint32_t at = 0; at < from->count; at += BATCH_ROWS) {
        uint32_t n = RF_MIN(from->count - at, (uint32_t)BATCH_ROWS);
        translate(into, from, at, n, maps);
        if (into->mode == KEYS_WORD && !word_ids(into, nulls, n, true, ids + at)) return false;
        if (into->mode == KEYS_WORDS && !wide_ids(into, n, true, ids + at)) return false;
    }
    return true;
}
