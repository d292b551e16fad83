/* Paths of dynamic columns whose values, or whose leaf's texts, have a dictionary: worked out once per entry. */
#include "store/extent_shapes.h"

#include <stdlib.h>

bool extent_walk(struct rf_arena *arena, const struct vec *whole, uint32_t count,
                 const rf_str *keys, uint32_t key_count, struct vec *out)
{
    struct vec v = *whole;
    bool by_entry = v.shape == VEC_CONST || (v.shape == VEC_DICT && v.dict_count <= count);
    uint32_t n = !by_entry ? count : v.shape == VEC_CONST ? 1 : v.dict_count;
    rf_str *cells = rf_arena_raw(arena, rf_str, n);
    uint8_t *nulls = rf_arena_raw(arena, uint8_t, n);
    if (cells == NULL || nulls == NULL) return false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = by_entry ? i : vec_at(&v, i);
        bool null = v.nulls != NULL && v.nulls[at] != 0;
        rf_str value = null ? (rf_str){0} : ((const rf_str *)v.data)[at];
        value = shape_walk(value, keys, key_count);
        nulls[i] = dyn_is_null(value);
        cells[i] = nulls[i] != 0 ? (rf_str){0} : value;
    }
    if (!by_entry) v.shape = VEC_FLAT;
    v.dict_id = 0;
    v.data = cells;
    v.nulls = nulls;
    *out = v;
    return true;
}

struct vec extent_path_vec(const struct extent_path_dict *dict, const uint32_t *codes)
{
    return (struct vec){.type = TYPE_DYNAMIC,
                        .shape = VEC_DICT,
                        .data = dict->cells.ptr,
                        .nulls = dict->nulls.ptr,
                        .codes = codes,
                        .dict_count = dict->count,
                        .dict_id = rf_hash_mix((uint64_t)(uintptr_t)dict, dict->count) | 1};
}

static void path_dict_free(struct extent_path_dict *d)
{
    block_buf_done(&d->cells);
    block_buf_done(&d->nulls);
    block_buf_done(&d->bytes);
    rf_arena_done(&d->arena);
    free(d);
}

void extent_path_dicts_free(struct extent_path_dict *first)
{
    while (first != NULL) {
        struct extent_path_dict *next = first->next;
        path_dict_free(first);
        first = next;
    }
}

/* Texts as dynamics, in d->bytes. */
static bool encode_texts(struct extent_path_dict *d, const rf_str *texts, uint32_t count)
{
    rf_str *cells = (rf_str *)(void *)d->cells.ptr;
    size_t bytes = 1;
    for (uint32_t i = 0; i < count; i++) bytes += 5 + texts[i].len;
    if (!block_buf_reserve(&d->bytes, bytes)) return false;
    uint8_t *to = d->bytes.ptr;
    for (uint32_t i = 0; i < count; i++) {
        cells[i] = rf_str_make(to, 5 + texts[i].len);
        *to = DYN_STRING;
        rf_put_u32le(to + 1, (uint32_t)texts[i].len);
        if (texts[i].len > 0) memcpy(to + 5, texts[i].ptr, texts[i].len);
        to += cells[i].len;
    }
    return true;
}

static bool fill(struct extent_path_dict *d, const struct extent_dict *dict, bool texts)
{
    uint32_t count = d->count - 1;
    const rf_str *entries = dict->cells;
    if (!block_buf_reserve(&d->cells, (size_t)d->count * sizeof(rf_str)) ||
        !block_buf_reserve(&d->nulls, d->count))
        return false;
    rf_str *cells = (rf_str *)(void *)d->cells.ptr;
    if (texts && !encode_texts(d, entries, count)) return false;
    for (uint32_t i = 0; i < count; i++) {
        rf_str value = shape_walk(texts ? cells[i] : entries[i], d->keys, d->key_count);
        d->nulls.ptr[i] = dyn_is_null(value);
        cells[i] = d->nulls.ptr[i] != 0 ? (rf_str){0} : value;
    }
    cells[count] = (rf_str){0};
    d->nulls.ptr[count] = 1;
    return true;
}

static bool copy_keys(struct extent_path_dict *d, const rf_str *keys, uint32_t count)
{
    d->keys = rf_arena_new(&d->arena, rf_str, count);
    if (d->keys == NULL) return false;
    d->key_count = count;
    for (uint32_t i = 0; i < count; i++)
        if (!rf_arena_str(&d->arena, keys[i], &d->keys[i])) return false;
    return true;
}

static enum rf_kind path_dict_new(struct extent *e, uint32_t column, const rf_str *keys,
                                  uint32_t key_count, const struct extent_dict *dict,
                                  struct extent_path_dict **out, struct rf_err *err)
{
    const struct extent_col *c = &e->columns[column];
    struct extent_path_dict *d = calloc(1, sizeof *d);
    if (d == NULL) return block_no_memory(err, e->budget);
    d->column = column;
    d->count = c->dict_count + 1;
    d->cells = d->nulls = d->bytes = block_buf_in(e->budget);
    rf_arena_init_shared(&d->arena, e->budget);
    if (!copy_keys(d, keys, key_count) || !fill(d, dict, c->type == TYPE_STRING)) {
        path_dict_free(d);
        return block_no_memory(err, e->budget);
    }
    *out = d;
    return RF_OK;
}

static bool same_path(const struct extent_path_dict *d, uint32_t column, const rf_str *keys,
                      uint32_t key_count)
{
    if (d->column != column || d->key_count != key_count) return false;
    for (uint32_t i = 0; i < key_count; i++)
        if (!rf_str_eq(d->keys[i], keys[i])) return false;
    return true;
}

enum rf_kind extent_load_path(struct extent *e, uint32_t column, const rf_str *keys,
                              uint32_t key_count, const struct extent_path_dict **out,
                              struct rf_err *err)
{
    const struct extent_dict *dict;
    enum rf_kind kind = RF_OK;
    RF_TRY(extent_load_dict(e, column, &dict, err));
    pthread_mutex_lock(&e->lock);
    struct extent_path_dict *d = e->path_dicts;
    while (d != NULL && !same_path(d, column, keys, key_count)) d = d->next;
    if (d == NULL) {
        kind = path_dict_new(e, column, keys, key_count, dict, &d, err);
        if (kind == RF_OK) {
            d->next = e->path_dicts;
            e->path_dicts = d;
        }
    }
    pthread_mutex_unlock(&e->lock);
    if (kind == RF_OK) *out = d;
    return kind;
}
