/* t-digest after Dunning and Ertl, merging variant: items pile up unordered, are sorted when the
 * array is full, and neighbours are then joined as far as the scale function lets them. Until there
 * are DIGEST_EXACT_MAX different values nothing is joined but equals. */
#include "kql/aggr_sketch.h"

#include "value/decimal.h"
#include "value/dyn.h"

#include <math.h>

enum {
    DIGEST_EXACT_MAX = 1 << 16, /* items in memory */
    DIGEST_STORED_MAX = 2048,   /* items of a digest that becomes a dynamic value */
    DIGEST_COMPRESSION =
        1000, /* about so many centroids; the error at the median is 0.1 % of rank */
    SORT_INSERTION_MAX = 48
};

/* ---- keys ----------------------------------------------------------------------------------------------- */

uint64_t digest_key_real(double r)
{
    uint64_t bits;
    r += 0.0; /* both zeroes are one value */
    memcpy(&bits, &r, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double key_to_real(uint64_t key)
{
    uint64_t bits = key >> 63 ? key ^ UINT64_C(1) << 63 : ~key;
    double r;
    memcpy(&r, &bits, sizeof r);
    return r;
}

static int64_t key_to_i64(uint64_t key) { return (int64_t)(key ^ UINT64_C(1) << 63); }

/* Position of a key on the number line, for means and for interpolation. */
static double key_place(const struct digest *digest, uint64_t key)
{
    return digest->type == TYPE_REAL ? key_to_real(key) : (double)key_to_i64(key);
}

static uint64_t place_key(const struct digest *digest, double place)
{
    if (digest->type == TYPE_REAL) return digest_key_real(place);
    if (!(place > -0x1p63)) return digest_key_i64(INT64_MIN);
    return digest_key_i64(place < 0x1p63 ? (int64_t)nearbyint(place) : INT64_MAX);
}

static struct value key_value(const struct digest *digest, uint64_t key)
{
    if (digest->type == TYPE_REAL) return value_real(key_to_real(key));
    return value_i64((enum type)digest->type, key_to_i64(key));
}

bool digest_key(const struct digest *digest, const struct value *v, uint64_t *key)
{
    if (v->null) return false;
    struct value plain = v->type == TYPE_DYNAMIC ? dyn_to_value(v->s) : *v;
    double place;
    if (plain.null) return false;
    if (type_is_i64((enum type)plain.type)) {
        *key =
            digest->type == TYPE_REAL ? digest_key_real((double)plain.i) : digest_key_i64(plain.i);
        return true;
    }
    if (plain.type == TYPE_REAL)
        place = plain.r;
    else if (plain.type == TYPE_DECIMAL)
        place = decimal_to_real(&plain.d);
    else
        return false;
    /* Between whole numbers the rank is that of the next lower one. */
    *key = place_key(digest, digest->type == TYPE_REAL ? place : floor(place));
    return !isnan(place);
}

/* ---- order ------------------------------------------------------------------------------------------------ */

static void insertion_sort(struct digest_item *items, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct digest_item item = items[i];
        uint32_t to = i;
        for (; to > 0 && items[to - 1].key > item.key; to--) items[to] = items[to - 1];
        items[to] = item;
    }
}

/* Counting sort by each byte, least first, but for bytes that all keys share. */
static bool radix_sort(struct digest_item *items, uint32_t count, struct rf_arena *arena)
{
    struct digest_item *from = items, *to = rf_arena_raw(arena, struct digest_item, count);
    uint64_t differ = 0;
    if (to == NULL) return false;
    for (uint32_t i = 1; i < count; i++) differ |= items[i].key ^ items[0].key;
    for (uint32_t shift = 0; shift < 64; shift += 8) {
        if ((differ >> shift & 255) == 0) continue;
        uint32_t starts[256] = {0}, at = 0;
        for (uint32_t i = 0; i < count; i++) starts[from[i].key >> shift & 255]++;
        for (uint32_t b = 0; b < 256; b++) {
            uint32_t n = starts[b];
            starts[b] = at;
            at += n;
        }
        for (uint32_t i = 0; i < count; i++) to[starts[from[i].key >> shift & 255]++] = from[i];
        struct digest_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) memcpy(items, from, count * sizeof *items);
    return true;
}

static void join_equals(struct digest *digest)
{
    uint32_t kept = 0;
    for (uint32_t i = 1; i < digest->count; i++) {
        if (digest->items[i].key == digest->items[kept].key)
            digest->items[kept].weight += digest->items[i].weight;
        else
            digest->items[++kept] = digest->items[i];
    }
    digest->count = digest->count == 0 ? 0 : kept + 1;
    digest->sorted = digest->count;
}

bool digest_sort(struct digest *digest, struct rf_arena *arena)
{
    if (digest->sorted == digest->count) return true;
    if (digest->count <= SORT_INSERTION_MAX)
        insertion_sort(digest->items, digest->count);
    else if (!radix_sort(digest->items, digest->count, arena))
        return false;
    join_equals(digest);
    return true;
}

/* ---- joining neighbours ------------------------------------------------------------------------------------- */

double digest_weight(const struct digest *digest)
{
    double sum = 0;
    for (uint32_t i = 0; i < digest->count; i++) sum += digest->items[i].weight;
    return sum;
}

/* The scale function k1: steep at both ends, so that the least and the largest value stay alone. */
static double scale(double q)
{
    return DIGEST_COMPRESSION / (2 * M_PI) * asin(2 * RF_MIN(RF_MAX(q, 0.0), 1.0) - 1);
}

/* Joins neighbours of sorted items. */
static void compress(struct digest *digest)
{
    double total = digest_weight(digest), before = 0;
    double start = scale(0);
    uint32_t kept = 0;
    for (uint32_t i = 1; i < digest->count; i++) {
        struct digest_item *into = &digest->items[kept], *item = &digest->items[i];
        double weight = into->weight + item->weight;
        bool last = i + 1 == digest->count;
        if (!last && kept > 0 && scale((before + weight) / total) - start <= 1) {
            double a = key_place(digest, into->key), b = key_place(digest, item->key);
            into->key = place_key(digest, a + (b - a) * (item->weight / weight));
            into->weight = weight;
            continue;
        }
        before += into->weight;
        start = scale(before / total);
        digest->items[++kept] = *item;
    }
    digest->count = kept + 1;
    digest->sorted = digest->count;
    digest->approximate = true;
}

/* ---- adding ---------------------------------------------------------------------------------------------------- */

static bool make_room(struct digest *digest, struct rf_arena *arena)
{
    if (digest->cap < DIGEST_EXACT_MAX) {
        uint32_t cap = digest->cap == 0 ? 4 : digest->cap * 2;
        struct digest_item *items =
            rf_arena_grow(arena, digest->items, digest->cap * sizeof *items, cap * sizeof *items);
        if (items == NULL) return false;
        digest->items = items;
        digest->cap = cap;
        return true;
    }
    struct rf_arena scratch;
    rf_arena_init_shared(&scratch, arena->budget);
    bool ok = digest_sort(digest, &scratch);
    rf_arena_done(&scratch);
    if (ok && (digest->approximate || digest->count > DIGEST_EXACT_MAX / 2)) compress(digest);
    return ok;
}

bool digest_add(struct digest *digest, uint64_t key, double weight, struct rf_arena *arena)
{
    if (RF_UNLIKELY(digest->count == digest->cap) && !make_room(digest, arena)) return false;
    digest->items[digest->count++] = (struct digest_item){.key = key, .weight = weight};
    return true;
}

bool digest_merge(struct digest *into, const struct digest *from, struct rf_arena *arena)
{
    if (from->count == 0) return true;
    if (into->count == 0) into->type = from->type;
    into->approximate |= from->approximate;
    for (uint32_t i = 0; i < from->count; i++) {
        uint64_t key = from->items[i].key;
        /* Digests of reals and of whole numbers meet when stored ones are merged. */
        if (into->type != from->type) key = place_key(into, key_place(from, key));
        if (!digest_add(into, key, from->items[i].weight, arena)) return false;
    }
    return true;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

/* Between the middles of two centroids the values are taken to lie evenly. */
static struct value interpolated(const struct digest *digest, double target)
{
    double before = 0;
    uint32_t i = 0;
    while (i + 1 < digest->count && before + digest->items[i].weight < target)
        before += digest->items[i++].weight;
    const struct digest_item *item = &digest->items[i];
    double middle = before + item->weight / 2;
    if (item->weight <= 1 || (target < middle && i == 0) ||
        (target >= middle && i + 1 == digest->count))
        return key_value(digest, item->key);
    const struct digest_item *left = target < middle ? item - 1 : item, *right = left + 1;
    double left_middle = target < middle ? before - left->weight / 2 : middle;
    double right_middle = left_middle + (left->weight + right->weight) / 2;
    double a = key_place(digest, left->key), b = key_place(digest, right->key);
    double part = (target - left_middle) / (right_middle - left_middle);
    return key_value(digest, place_key(digest, a + (b - a) * part));
}

struct value digest_percentile(const struct digest *digest, double percent)
{
    if (digest->count == 0) return value_null((enum type)digest->type);
    RF_ASSERT(digest->sorted == digest->count);
    if (!(percent > 0)) return key_value(digest, digest->items[0].key);
    if (percent >= 100) return key_value(digest, digest->items[digest->count - 1].key);
    /* 55 / 100.0 * 100 is a little over 55; the rank must be 55 all the same. */
    double target = percent / 100 * digest_weight(digest) * (1 - 1e-14);
    if (digest->approximate) return interpolated(digest, target);
    double sum = 0;
    for (uint32_t i = 0; i < digest->count; i++) {
        sum += digest->items[i].weight;
        if (sum >= target) return key_value(digest, digest->items[i].key);
    }
    return key_value(digest, digest->items[digest->count - 1].key);
}

double digest_rank(const struct digest *digest, uint64_t key)
{
    RF_ASSERT(digest->sorted == digest->count);
    double sum = 0;
    uint32_t i = 0;
    for (; i < digest->count && digest->items[i].key <= key; i++) sum += digest->items[i].weight;
    if (!digest->approximate || i == 0 || i == digest->count) return sum;
    /* Half of a centroid lies below its mean, the rest is spread evenly to the next mean. */
    const struct digest_item *left = &digest->items[i - 1], *right = &digest->items[i];
    double a = key_place(digest, left->key), b = key_place(digest, right->key);
    double part = b > a ? (key_place(digest, key) - a) / (b - a) : 0;
    double left_half = left->weight > 1 ? left->weight / 2 : 0;
    double right_half = right->weight > 1 ? right->weight / 2 : 0;
    return sum - left_half + part * (left_half + right_half);
}

/* ---- as dynamic ----------------------------------------------------------------------------------------------------- */

bool digest_to_dyn(struct digest *digest, struct rf_arena *arena, rf_str *out)
{
    if (!digest_sort(digest, arena)) return false;
    if (digest->count > DIGEST_STORED_MAX) compress(digest);
    struct rf_buf buf = rf_buf_in(arena);
    struct dyn_builder whole, part;
    dyn_begin(&whole, &buf, DYN_ARRAY);
    dyn_next(&whole);
    dyn_begin(&part, &buf, DYN_ARRAY);
    dyn_next(&part);
    dyn_put_long(&buf, 1);
    dyn_next(&part);
    dyn_put_long(&buf, digest->approximate);
    dyn_end(&part);
    dyn_next(&whole);
    dyn_begin(&part, &buf, DYN_ARRAY);
    for (uint32_t i = 0; i < digest->count; i++) {
        struct value v = key_value(digest, digest->items[i].key);
        dyn_next(&part);
        dyn_put_value(&buf, &v);
    }
    dyn_end(&part);
    dyn_next(&whole);
    dyn_begin(&part, &buf, DYN_ARRAY);
    for (uint32_t i = 0; i < digest->count; i++) {
        double weight = digest->items[i].weight;
        dyn_next(&part);
        dyn_put_long(&buf, weight < 0x1p63 ? (int64_t)nearbyint(weight) : INT64_MAX);
    }
    dyn_end(&part);
    dyn_end(&whole);
    *out = dyn_done(&buf);
    return !buf.failed;
}

static enum type digest_type_of(rf_str values)
{
    enum type type = TYPE_LONG;
    for (uint32_t i = 0; i < dyn_count(values); i++) {
        enum dyn_tag tag = dyn_tag(dyn_item(values, i));
        if (tag == DYN_DATETIME) return TYPE_DATETIME;
        if (tag == DYN_TIMESPAN) return TYPE_TIMESPAN;
        if (tag == DYN_REAL || tag == DYN_NUMTEXT || tag == DYN_DECIMAL) type = TYPE_REAL;
    }
    return type;
}

bool digest_from_dyn(rf_str d, struct rf_arena *arena, struct digest *out)
{
    *out = (struct digest){.type = TYPE_LONG};
    rf_str head = dyn_item(d, 0), values = dyn_item(d, 1), weights = dyn_item(d, 2);
    if (dyn_tag(d) != DYN_ARRAY || dyn_tag(head) != DYN_ARRAY || dyn_tag(values) != DYN_ARRAY)
        return true;
    out->type = (uint8_t)digest_type_of(values);
    out->approximate = dyn_real(dyn_item(head, 1)) > 0;
    for (uint32_t i = 0; i < dyn_count(values); i++) {
        struct value v = value_dyn(dyn_item(values, i));
        uint64_t key;
        double weight = dyn_real(dyn_item(weights, i));
        if (!digest_key(out, &v, &key) || !(weight > 0) || isinf(weight)) continue;
        if (!digest_add(out, key, weight, arena)) return false;
    }
    return digest_sort(out, arena);
}
