#include "kql/aggr_array.h"

#include <math.h>

/* ---- lists ----------------------------------------------------------------------------------------- */

static bool list_room(struct aggr_array *list, size_t more_bytes, struct rf_arena *arena)
{
    size_t need = (size_t)list->used_bytes + more_bytes;
    if (need > UINT32_MAX - 16) return false;
    if (need > list->cap_bytes) {
        size_t cap = RF_MAX(need, RF_MAX((size_t)list->cap_bytes * 2, (size_t)32));
        cap = RF_MIN(cap, (size_t)UINT32_MAX);
        uint8_t *bytes = rf_arena_grow(arena, list->bytes, list->cap_bytes, cap);
        if (bytes == NULL) return false;
        list->bytes = bytes;
        list->cap_bytes = (uint32_t)cap;
    }
    if (list->count == list->cap) {
        uint32_t cap = list->cap == 0 ? 4 : list->cap * 2;
        if (cap <= list->cap) return false;
        uint32_t *ends = rf_arena_grow(arena, list->ends, (size_t)list->cap * sizeof *ends,
                                       (size_t)cap * sizeof *ends);
        if (ends == NULL) return false;
        list->ends = ends;
        list->cap = cap;
    }
    return true;
}

static void list_close(struct aggr_array *list, size_t bytes)
{
    list->used_bytes += (uint32_t)bytes;
    list->ends[list->count++] = list->used_bytes;
}

/* A buffer over the free room of the list, which must suffice for what is written. */
static struct rf_buf room_buf(struct aggr_array *list, struct rf_arena *arena)
{
    return (struct rf_buf){.arena = arena,
                           .ptr = list->bytes + list->used_bytes,
                           .cap = list->cap_bytes - list->used_bytes};
}

/* An encoded scalar takes a tag and at most 16 bytes, or a tag, a length and a text. */
static size_t encoded_bound(const struct value *v)
{
    return type_is_bytes((enum type)v->type) && !v->null ? v->s.len + 5 : 17;
}

/* Writes `v` behind the last element without closing it. */
static bool list_write(struct aggr_array *list, const struct value *v, struct rf_arena *arena,
                       size_t *bytes)
{
    if (!list_room(list, encoded_bound(v), arena)) return false;
    struct rf_buf buf = room_buf(list, arena);
    uint8_t *start = buf.ptr;
    dyn_put_value(&buf, v);
    RF_ASSERT(buf.ptr == start);
    *bytes = buf.len;
    return !buf.failed;
}

bool aggr_array_add(struct aggr_array *list, const struct value *v, struct rf_arena *arena)
{
    size_t bytes;
    if (!list_write(list, v, arena, &bytes)) return false;
    list_close(list, bytes);
    return true;
}

bool aggr_array_add_encoded(struct aggr_array *list, rf_str d, struct rf_arena *arena)
{
    if (!list_room(list, d.len + 1, arena)) return false;
    struct rf_buf buf = room_buf(list, arena);
    dyn_put_encoded(&buf, d);
    list_close(list, buf.len);
    return !buf.failed;
}

bool aggr_array_append(struct aggr_array *into, const struct aggr_array *from, uint64_t limit,
                       struct rf_arena *arena)
{
    for (uint32_t i = 0; i < from->count && into->count < limit; i++)
        if (!aggr_array_add_encoded(into, aggr_array_item(from, i), arena)) return false;
    return true;
}

bool aggr_array_to_dyn(const struct aggr_array *list, enum dyn_tag tag, struct rf_arena *arena,
                       rf_str *out)
{
    size_t ends = (size_t)list->count * 4, total = ends + list->used_bytes;
    if (total > UINT32_MAX) return false;
    uint8_t *at = rf_arena_alloc(arena, 9 + total);
    if (at == NULL) return false;
    at[0] = (uint8_t)tag;
    rf_put_u32le(at + 1, list->count);
    rf_put_u32le(at + 5, (uint32_t)total);
    if (list->count > 0) {
        memcpy(at + 9, list->ends, ends);
        memcpy(at + 9 + ends, list->bytes, list->used_bytes);
    }
    *out = rf_str_make(at, 9 + total);
    return true;
}

/* ---- sets ------------------------------------------------------------------------------------------- */

static bool set_room(struct aggr_set *set, struct rf_arena *arena)
{
    uint32_t count = set->list.count;
    if (count == set->hashes_cap) {
        uint32_t cap = count == 0 ? 4 : count * 2;
        if (cap <= count) return false;
        uint32_t *hashes = rf_arena_grow(arena, set->hashes, (size_t)count * sizeof *hashes,
                                         (size_t)cap * sizeof *hashes);
        if (hashes == NULL) return false;
        set->hashes = hashes;
        set->hashes_cap = cap;
    }
    uint64_t slots_count = set->slots == NULL ? 0 : UINT64_C(1) << set->slots_log2;
    if (count + 1 <= slots_count - slots_count / 4) return true;
    uint8_t log2 = set->slots == NULL ? 3 : (uint8_t)(set->slots_log2 + 1);
    uint64_t mask = (UINT64_C(1) << log2) - 1;
    uint32_t *slots = rf_arena_new(arena, uint32_t, mask + 1);
    if (slots == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = set->hashes[i] & mask;
        while (slots[at] != 0) at = (at + 1) & mask;
        slots[at] = i + 1;
    }
    set->slots = slots;
    set->slots_log2 = log2;
    return true;
}

/* The tables have no more than 32 bits of hash to go by; both halves take part. */
static uint32_t fold_hash(uint64_t hash) { return (uint32_t)(hash ^ hash >> 32); }

typedef bool set_same(rf_str element, const void *wanted);

static bool same_text(rf_str element, const void *wanted)
{
    const rf_str *text = wanted;
    return element.len == text->len + 5 && element.ptr[0] == DYN_STRING &&
           (text->len == 0 || memcmp(element.ptr + 5, text->ptr, text->len) == 0);
}
static bool same_bytes(rf_str element, const void *wanted)
{
    return rf_str_eq(element, *(const rf_str *)wanted);
}
static bool same_dyn(rf_str element, const void *wanted)
{
    return dyn_same(element, *(const rf_str *)wanted);
}
static bool same_key(rf_str entry, const void *wanted)
{
    const rf_str *key = wanted;
    return rf_get_u32le(entry.ptr) == key->len &&
           (key->len == 0 || memcmp(entry.ptr + 4, key->ptr, key->len) == 0);
}

/* The slot of the element that is the wanted one, or the free slot where it belongs. There must be room. */
static uint32_t *set_find(const struct aggr_set *set, uint32_t hash, set_same *same,
                          const void *wanted)
{
    uint64_t mask = (UINT64_C(1) << set->slots_log2) - 1;
    for (uint64_t at = hash & mask;; at = (at + 1) & mask) {
        uint32_t index = set->slots[at];
        if (index == 0) return &set->slots[at];
        if (set->hashes[index - 1] == hash && same(aggr_array_item(&set->list, index - 1), wanted))
            return &set->slots[at];
    }
}

static void set_take(struct aggr_set *set, uint32_t *slot, uint32_t hash)
{
    set->hashes[set->list.count - 1] = hash;
    *slot = set->list.count;
}

bool aggr_set_add(struct aggr_set *set, const struct value *v, uint64_t hash64,
                  struct rf_arena *arena)
{
    uint32_t hash = fold_hash(hash64);
    if (!set_room(set, arena)) return false;
    if (v->type == TYPE_STRING) {
        uint32_t *slot = set_find(set, hash, same_text, &v->s);
        if (*slot != 0) return true;
        if (!aggr_array_add(&set->list, v, arena)) return false;
        set_take(set, slot, hash);
        return true;
    }
    /* The others are short: written behind the last element at once, they are compared as bytes.
     * Reals that compare equal must be the same bytes, too. */
    struct value plain = *v;
    size_t bytes;
    if (plain.type == TYPE_REAL) plain.r = isnan(plain.r) ? (double)NAN : plain.r + 0.0;
    if (!list_write(&set->list, &plain, arena, &bytes)) return false;
    rf_str wanted = rf_str_make(set->list.bytes + set->list.used_bytes, bytes);
    uint32_t *slot = set_find(set, hash, v->type == TYPE_DECIMAL ? same_dyn : same_bytes, &wanted);
    if (*slot != 0) return true;
    list_close(&set->list, bytes);
    set_take(set, slot, hash);
    return true;
}

bool aggr_set_add_dyn(struct aggr_set *set, rf_str d, uint64_t hash64, struct rf_arena *arena)
{
    uint32_t hash = fold_hash(hash64);
    if (!set_room(set, arena)) return false;
    uint32_t *slot = set_find(set, hash, same_dyn, &d);
    if (*slot != 0) return true;
    if (!aggr_array_add_encoded(&set->list, d, arena)) return false;
    set_take(set, slot, hash);
    return true;
}

static bool add_entry(struct aggr_set *set, rf_str key, rf_str value, uint32_t hash,
                      struct rf_arena *arena)
{
    if (!set_room(set, arena)) return false;
    uint32_t *slot = set_find(set, hash, same_key, &key);
    if (*slot != 0) return true;
    if (key.len > UINT32_MAX || !list_room(&set->list, 4 + key.len + value.len + 1, arena))
        return false;
    uint8_t *to = set->list.bytes + set->list.used_bytes;
    rf_put_u32le(to, (uint32_t)key.len);
    if (key.len > 0) memcpy(to + 4, key.ptr, key.len);
    size_t bytes = 4 + key.len;
    if (value.len > 0)
        memcpy(to + bytes, value.ptr, value.len);
    else
        to[bytes] = DYN_NULL;
    list_close(&set->list, bytes + RF_MAX(value.len, (size_t)1));
    set_take(set, slot, hash);
    return true;
}

bool aggr_set_add_entry(struct aggr_set *set, rf_str key, rf_str value, uint64_t hash,
                        struct rf_arena *arena)
{
    return add_entry(set, key, value, fold_hash(hash), arena);
}

bool aggr_set_merge(struct aggr_set *into, const struct aggr_set *from, enum aggr_set_kind kind,
                    uint64_t limit, struct rf_arena *arena)
{
    for (uint32_t i = 0; i < from->list.count && into->list.count < limit; i++) {
        rf_str item = aggr_array_item(&from->list, i);
        uint32_t hash = from->hashes[i];
        if (kind == AGGR_SET_ENTRIES) {
            size_t value = 4 + (size_t)rf_get_u32le(item.ptr);
            if (!add_entry(into, rf_slice(item, 4, value), rf_slice(item, value, item.len), hash,
                           arena))
                return false;
            continue;
        }
        if (!set_room(into, arena)) return false;
        /* Equal decimals may differ in scale. */
        bool by_value = kind == AGGR_SET_MIXED || dyn_tag(item) == DYN_DECIMAL;
        uint32_t *slot = set_find(into, hash, by_value ? same_dyn : same_bytes, &item);
        if (*slot != 0) continue;
        if (!aggr_array_add_encoded(&into->list, item, arena)) return false;
        set_take(into, slot, hash);
    }
    return true;
}
