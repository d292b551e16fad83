#include "value/dyn.h"

#include "value/decimal.h"
#include "value/dyn_int.h"

#include <math.h>
#include <stdlib.h>

/* ---- reading --------------------------------------------------------------------------------- */

uint32_t dyn_count(rf_str d) { return dyn_is_list(d) ? rf_get_u32le(d.ptr + 1) : 0; }

rf_str dyn_item(rf_str array, int64_t index)
{
    if (dyn_tag(array) != DYN_ARRAY) return (rf_str){0};
    struct dyn_list list = dyn_list_of(array);
    if (index < 0) index += list.count; /* cannot overflow: the signs differ */
    if (index < 0 || index >= (int64_t)list.count) return (rf_str){0};
    return dyn_list_item(&list, (uint32_t)index);
}

void dyn_entry(rf_str bag, uint32_t index, rf_str *key, rf_str *value)
{
    struct dyn_list list = dyn_list_of(bag);
    rf_str entry = dyn_list_item(&list, index);
    *key = dyn_entry_key(entry);
    *value = dyn_entry_value(entry);
}

rf_str dyn_get(rf_str bag, rf_str key)
{
    if (dyn_tag(bag) != DYN_BAG || key.len > UINT32_MAX) return (rf_str){0};
    struct dyn_list list = dyn_list_of(bag);
    const uint8_t *entry = list.items;
    for (uint32_t i = 0; i < list.count; i++) {
        const uint8_t *end = list.items + rf_get_u32le(list.ends + (size_t)i * 4);
        if (rf_get_u32le(entry) == key.len &&
            (key.len == 0 || memcmp(entry + DYN_KEY_HEAD_BYTES, key.ptr, key.len) == 0)) {
            const uint8_t *value = entry + DYN_KEY_HEAD_BYTES + key.len;
            return rf_str_make(value, (size_t)(end - value));
        }
        entry = end;
    }
    return (rf_str){0};
}

rf_str dyn_string(rf_str d)
{
    if (dyn_tag(d) != DYN_STRING) return (rf_str){0};
    return rf_str_make(d.ptr + 5, rf_get_u32le(d.ptr + 1));
}

int64_t dyn_i64(rf_str d)
{
    switch (dyn_tag(d)) {
    case DYN_INT:
    case DYN_LONG:
    case DYN_DATETIME:
    case DYN_TIMESPAN:
        return (int64_t)rf_get_u64le(d.ptr + 1);
    default:
        return 0;
    }
}

static double real_at(const uint8_t *p)
{
    double r;
    memcpy(&r, p, sizeof r);
    return r;
}

static struct decimal decimal_at(const uint8_t *p)
{
    return (struct decimal){.lo = rf_get_u64le(p), .hi = rf_get_u64le(p + 8)};
}

double dyn_real(rf_str d)
{
    struct decimal decimal;
    switch (dyn_tag(d)) {
    case DYN_INT:
    case DYN_LONG:
        return (double)dyn_i64(d);
    case DYN_REAL:
    case DYN_NUMTEXT:
        return real_at(d.ptr + 1);
    case DYN_DECIMAL:
        decimal = decimal_at(d.ptr + 1);
        return decimal_to_real(&decimal);
    default:
        return (double)NAN;
    }
}

struct value dyn_to_value(rf_str d)
{
    struct guid guid;
    switch (dyn_tag(d)) {
    case DYN_NULL:
        return value_null(TYPE_DYNAMIC);
    case DYN_FALSE:
        return value_bool(false);
    case DYN_TRUE:
        return value_bool(true);
    case DYN_INT:
        return value_i64(TYPE_INT, dyn_i64(d));
    case DYN_LONG:
        return value_long(dyn_i64(d));
    case DYN_REAL:
    case DYN_NUMTEXT:
        return value_real(dyn_real(d));
    case DYN_DATETIME:
        return value_i64(TYPE_DATETIME, dyn_i64(d));
    case DYN_TIMESPAN:
        return value_i64(TYPE_TIMESPAN, dyn_i64(d));
    case DYN_GUID:
        memcpy(guid.bytes, d.ptr + 1, sizeof guid.bytes);
        return value_guid(guid);
    case DYN_DECIMAL:
        return value_decimal(decimal_at(d.ptr + 1));
    case DYN_STRING:
        return value_str(dyn_string(d));
    case DYN_ARRAY:
    case DYN_BAG:
        break;
    }
    return value_dyn(d);
}

const char *dyn_type_name(rf_str d)
{
    static const char *const names[] = {
        [DYN_NULL] = "null",    [DYN_FALSE] = "bool",        [DYN_TRUE] = "bool",
        [DYN_INT] = "int",      [DYN_LONG] = "long",         [DYN_REAL] = "real",
        [DYN_NUMTEXT] = "real", [DYN_DATETIME] = "datetime", [DYN_TIMESPAN] = "timespan",
        [DYN_GUID] = "guid",    [DYN_DECIMAL] = "decimal",   [DYN_STRING] = "string",
        [DYN_ARRAY] = "array",  [DYN_BAG] = "dictionary",
    };
    return names[dyn_tag(d)];
}

/* ---- order ----------------------------------------------------------------------------------- */

/* Stable merge sort from the bottom up: no recursion, n log n also on hostile input. */
void dyn_sort(uint32_t *items, uint32_t *scratch, uint32_t count,
              int (*order)(const void *state, uint32_t a, uint32_t b), const void *state)
{
    uint32_t *from = items, *to = scratch;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t left = 0; left < count; left += 2 * width) {
            size_t middle = RF_MIN(left + width, (size_t)count), a = left, b = middle;
            size_t right = RF_MIN(left + 2 * width, (size_t)count);
            for (size_t i = left; i < right; i++) {
                bool take_a = b == right || (a < middle && order(state, from[a], from[b]) <= 0);
                to[i] = take_a ? from[a++] : from[b++];
            }
        }
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) memcpy(items, from, (size_t)count * sizeof *items);
}

/* The entries of a bag by key. Up to the size of `few` no memory is needed; a larger bag's order
 * comes from malloc, since comparing has no arena, and when there is none from a search per
 * entry. */
struct key_walk {
    struct dyn_list list;
    uint32_t *order; /* NULL: search */
    uint32_t at;     /* entries given out so far */
    rf_str last;     /* key of the last one */
    uint32_t few[2 * 32];
};

static rf_str walk_key(const struct key_walk *walk, uint32_t index)
{
    return dyn_entry_key(dyn_list_item(&walk->list, index));
}

static int order_of_keys(const void *state, uint32_t a, uint32_t b)
{
    return rf_str_cmp(walk_key(state, a), walk_key(state, b));
}

static void walk_done(struct key_walk *walk)
{
    if (walk->order != walk->few) free(walk->order);
}

static void walk_begin(struct key_walk *walk, rf_str bag)
{
    walk->list = dyn_list_of(bag);
    walk->at = 0;
    uint32_t count = walk->list.count;
    bool few = count <= RF_COUNT(walk->few) / 2;
    walk->order = few ? walk->few : malloc((size_t)count * 2 * sizeof *walk->order);
    if (walk->order == NULL) return;
    for (uint32_t i = 0; i < count; i++) walk->order[i] = i;
    dyn_sort(walk->order, walk->order + count, count, order_of_keys, walk);
}

/* Index of the entry whose key is the least above the last one. */
static uint32_t walk_search(const struct key_walk *walk)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < walk->list.count; i++) {
        if (walk->at > 0 && rf_str_cmp(walk_key(walk, i), walk->last) <= 0) continue;
        if (best == UINT32_MAX || rf_str_cmp(walk_key(walk, i), walk_key(walk, best)) < 0) best = i;
    }
    return best == UINT32_MAX ? 0 : best;
}

/* The next entry; only while walk->at < walk->list.count. */
static rf_str walk_next(struct key_walk *walk)
{
    uint32_t index = walk->order != NULL ? walk->order[walk->at] : walk_search(walk);
    walk->at++;
    rf_str entry = dyn_list_item(&walk->list, index);
    walk->last = dyn_entry_key(entry);
    return entry;
}

/* null, bool, numbers, datetime, timespan, guid, string, array, bag */
static int rank_of(enum dyn_tag tag)
{
    static const uint8_t ranks[] = {
        [DYN_NULL] = 0,     [DYN_FALSE] = 1,    [DYN_TRUE] = 1,    [DYN_INT] = 2,
        [DYN_LONG] = 2,     [DYN_REAL] = 2,     [DYN_NUMTEXT] = 2, [DYN_DECIMAL] = 2,
        [DYN_DATETIME] = 3, [DYN_TIMESPAN] = 4, [DYN_GUID] = 5,    [DYN_STRING] = 6,
        [DYN_ARRAY] = 7,    [DYN_BAG] = 8,
    };
    return ranks[tag];
}

static inline int sign_i64(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int sign_real(double a, double b)
{
    if (isnan(a) || isnan(b))
        return (isnan(b) != 0) - (isnan(a) != 0); /* nan lies below all others */
    return (a > b) - (a < b);
}

/* Exact, though not every int64 has a double of its own. */
static int sign_i64_real(int64_t a, double b)
{
    if (isnan(b) || b < -0x1p63) return 1;
    if (b >= 0x1p63) return -1;
    int64_t whole = (int64_t)b;
    return a != whole ? sign_i64(a, whole) : sign_real(0, b - (double)whole);
}

static inline bool is_i64_number(enum dyn_tag tag) { return tag == DYN_INT || tag == DYN_LONG; }

static int number_cmp(rf_str a, rf_str b)
{
    enum dyn_tag tag_a = dyn_tag(a), tag_b = dyn_tag(b);
    bool whole_a = is_i64_number(tag_a), whole_b = is_i64_number(tag_b);
    if (whole_a && whole_b) return sign_i64(dyn_i64(a), dyn_i64(b));
    if (tag_a == DYN_DECIMAL && (whole_b || tag_b == DYN_DECIMAL)) {
        struct decimal x = decimal_at(a.ptr + 1);
        struct decimal y = whole_b ? decimal_from_i64(dyn_i64(b)) : decimal_at(b.ptr + 1);
        return decimal_cmp(&x, &y);
    }
    if (tag_b == DYN_DECIMAL && whole_a) return -number_cmp(b, a);
    if (whole_a) return sign_i64_real(dyn_i64(a), dyn_real(b));
    if (whole_b) return -sign_i64_real(dyn_i64(b), dyn_real(a));
    return sign_real(dyn_real(a), dyn_real(b));
}

/* The three functions below recurse, no deeper than DYN_DEPTH_MAX: what is longer than that no
 * writer of dyn.h makes and dyn_valid lets nobody bring in; `depth` counts all the same. */
static int cmp_at(rf_str a, rf_str b, unsigned depth);

static int array_cmp(rf_str a, rf_str b, unsigned depth)
{
    struct dyn_list x = dyn_list_of(a), y = dyn_list_of(b);
    for (uint32_t i = 0; i < x.count && i < y.count; i++) {
        int sign = cmp_at(dyn_list_item(&x, i), dyn_list_item(&y, i), depth + 1);
        if (sign != 0) return sign;
    }
    return sign_i64(x.count, y.count);
}

static int bag_cmp(rf_str a, rf_str b, unsigned depth)
{
    struct key_walk x, y;
    walk_begin(&x, a);
    walk_begin(&y, b);
    int sign = 0;
    while (sign == 0 && x.at < x.list.count && y.at < y.list.count) {
        rf_str entry_x = walk_next(&x), entry_y = walk_next(&y);
        sign = rf_str_cmp(x.last, y.last);
        if (sign == 0) sign = cmp_at(dyn_entry_value(entry_x), dyn_entry_value(entry_y), depth + 1);
    }
    walk_done(&x);
    walk_done(&y);
    return sign != 0 ? sign : sign_i64(x.list.count, y.list.count);
}

static int cmp_at(rf_str a, rf_str b, unsigned depth)
{
    enum dyn_tag tag_a = dyn_tag(a), tag_b = dyn_tag(b);
    int sign = rank_of(tag_a) - rank_of(tag_b);
    if (sign != 0 || depth > DYN_DEPTH_MAX) return sign;
    switch (tag_a) {
    case DYN_NULL:
        return 0;
    case DYN_FALSE:
    case DYN_TRUE:
        return (int)tag_a - (int)tag_b;
    case DYN_INT:
    case DYN_LONG:
    case DYN_REAL:
    case DYN_NUMTEXT:
    case DYN_DECIMAL:
        return number_cmp(a, b);
    case DYN_DATETIME:
    case DYN_TIMESPAN:
        return sign_i64(dyn_i64(a), dyn_i64(b));
    case DYN_GUID:
        return memcmp(a.ptr + 1, b.ptr + 1, sizeof(struct guid));
    case DYN_STRING:
        return rf_str_cmp(dyn_string(a), dyn_string(b));
    case DYN_ARRAY:
        return array_cmp(a, b, depth);
    case DYN_BAG:
        return bag_cmp(a, b, depth);
    }
    return 0;
}

int dyn_cmp(rf_str a, rf_str b) { return cmp_at(a, b, 0); }

bool dyn_same(rf_str a, rf_str b)
{
    if (rf_str_eq(a, b)) return true;
    /* Texts and values of other kinds need no order to be told apart. */
    if (dyn_tag(a) == DYN_STRING || rank_of(dyn_tag(a)) != rank_of(dyn_tag(b))) return false;
    if (dyn_is_list(a) && dyn_count(a) != dyn_count(b)) return false;
    return cmp_at(a, b, 0) == 0;
}

static uint64_t real_hash(double r)
{
    if (isnan(r)) return 0x7ff8;
    if (r >= -0x1p63 && r < 0x1p63 && (double)(int64_t)r == r)
        return rf_hash_u64((uint64_t)(int64_t)r);
    uint64_t bits;
    memcpy(&bits, &r, sizeof bits);
    return rf_hash_u64(bits);
}

/* A whole number hashes as the int64 it is, whatever its tag. */
static uint64_t number_hash(rf_str d)
{
    if (is_i64_number(dyn_tag(d))) return rf_hash_u64((uint64_t)dyn_i64(d));
    if (dyn_tag(d) != DYN_DECIMAL) return real_hash(dyn_real(d));
    struct decimal decimal = decimal_at(d.ptr + 1), whole;
    int64_t i;
    if (decimal_to_i64(&decimal, &i)) {
        whole = decimal_from_i64(i);
        if (decimal_cmp(&decimal, &whole) == 0) return rf_hash_u64((uint64_t)i);
    }
    return real_hash(decimal_to_real(&decimal));
}

static uint64_t hash_at(rf_str d, unsigned depth)
{
    enum dyn_tag tag = dyn_tag(d);
    uint64_t hash = (uint64_t)rank_of(tag) << 32;
    if (depth > DYN_DEPTH_MAX) return hash;
    struct dyn_list list;
    switch (tag) {
    case DYN_NULL:
        return hash;
    case DYN_FALSE:
    case DYN_TRUE:
        return rf_hash_mix(hash, tag);
    case DYN_INT:
    case DYN_LONG:
    case DYN_REAL:
    case DYN_NUMTEXT:
    case DYN_DECIMAL:
        return rf_hash_mix(hash, number_hash(d));
    case DYN_DATETIME:
    case DYN_TIMESPAN:
        return rf_hash_mix(hash, rf_hash_u64((uint64_t)dyn_i64(d)));
    case DYN_GUID:
        return rf_hash(d.ptr + 1, sizeof(struct guid), hash);
    case DYN_STRING:
        return rf_hash(dyn_string(d).ptr, dyn_string(d).len, hash);
    case DYN_ARRAY:
        list = dyn_list_of(d);
        for (uint32_t i = 0; i < list.count; i++)
            hash = rf_hash_mix(hash, hash_at(dyn_list_item(&list, i), depth + 1));
        return hash;
    case DYN_BAG:
        list = dyn_list_of(d);
        for (uint32_t i = 0; i < list.count; i++) { /* a sum, since the order does not count */
            rf_str entry = dyn_list_item(&list, i), key = dyn_entry_key(entry);
            hash += rf_hash(key.ptr, key.len, hash_at(dyn_entry_value(entry), depth + 1));
        }
        return hash;
    }
    return hash;
}

uint64_t dyn_hash(rf_str d) { return hash_at(d, 0); }

/* ---- checking -------------------------------------------------------------------------------- */

/* The bytes that a scalar of `tag` takes, 0 for tags that tell their length themselves. */
static size_t scalar_bytes(uint8_t tag)
{
    switch (tag) {
    case DYN_NULL:
    case DYN_FALSE:
    case DYN_TRUE:
        return 1;
    case DYN_INT:
    case DYN_LONG:
    case DYN_REAL:
    case DYN_DATETIME:
    case DYN_TIMESPAN:
        return 1 + 8;
    case DYN_GUID:
    case DYN_DECIMAL:
        return 1 + 16;
    default:
        return 0;
    }
}

static bool int_valid(rf_str d)
{
    int64_t i = dyn_i64(d);
    return dyn_tag(d) != DYN_INT || (i >= INT32_MIN && i <= INT32_MAX);
}

/* Adding nothing leaves a decimal bit for bit as it is, unless it was none. */
static bool decimal_valid(rf_str d)
{
    if (dyn_tag(d) != DYN_DECIMAL) return true;
    struct decimal decimal = decimal_at(d.ptr + 1), zero = decimal_from_i64(0), sum;
    return decimal_add(&decimal, &zero, &sum) && memcmp(&sum, &decimal, sizeof sum) == 0;
}

static bool scalar_valid(rf_str d)
{
    size_t bytes = scalar_bytes(d.ptr[0]), text_at = d.ptr[0] == DYN_NUMTEXT ? 13 : 5;
    if (bytes != 0) return d.len == bytes && int_valid(d) && decimal_valid(d);
    if (d.ptr[0] != DYN_NUMTEXT && d.ptr[0] != DYN_STRING) return false;
    if (d.len < text_at || d.len - text_at != rf_get_u32le(d.ptr + text_at - 4)) return false;
    return rf_utf8_valid(rf_slice(d, text_at, d.len));
}

/* True when the header and the ends of an array or bag fit its bytes. */
static bool list_valid(rf_str d)
{
    if (d.len < DYN_HEAD_BYTES || d.len - DYN_HEAD_BYTES != rf_get_u32le(d.ptr + 5)) return false;
    struct dyn_list list = dyn_list_of(d);
    if (list.count > (d.len - DYN_HEAD_BYTES) / 4) return false;
    size_t items_bytes = d.len - DYN_HEAD_BYTES - (size_t)list.count * 4;
    uint32_t last = 0;
    for (uint32_t i = 0; i < list.count; i++) {
        uint32_t end = rf_get_u32le(list.ends + (size_t)i * 4);
        if (end <= last || end > items_bytes) return false; /* no element takes no bytes */
        last = end;
    }
    return last == items_bytes;
}

/* The value of an entry, empty when the entry is malformed. */
static rf_str entry_checked(rf_str entry)
{
    if (entry.len < DYN_KEY_HEAD_BYTES || entry.len - DYN_KEY_HEAD_BYTES <= rf_get_u32le(entry.ptr))
        return (rf_str){0};
    return rf_utf8_valid(dyn_entry_key(entry)) ? dyn_entry_value(entry) : (rf_str){0};
}

struct list_frame {
    struct dyn_list list;
    uint32_t next;
    bool bag;
};

bool dyn_valid(rf_str d)
{
    struct list_frame frames[DYN_DEPTH_MAX];
    unsigned depth = 0;
    for (;;) {
        if (d.len == 0) return false;
        if (!dyn_is_list(d)) {
            if (!scalar_valid(d)) return false;
        } else {
            if (depth == DYN_DEPTH_MAX || !list_valid(d)) return false;
            frames[depth++] = (struct list_frame){dyn_list_of(d), 0, dyn_tag(d) == DYN_BAG};
        }
        while (depth > 0 && frames[depth - 1].next == frames[depth - 1].list.count) depth--;
        if (depth == 0) return true;
        struct list_frame *top = &frames[depth - 1];
        d = dyn_list_item(&top->list, top->next++);
        if (top->bag) d = entry_checked(d);
    }
}
