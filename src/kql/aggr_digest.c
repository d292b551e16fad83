/* t-digest after Dunning and Ertl, merging variant: values pile up unordered; when the pile is full they become items, and
 * neighbours among those are joined as far as the scale function lets them. While there are few different values nothing is
 * joined but equals.
 *
 * Sorting would be most of the work, and once a digest is approximate most of the order would be lost again. So a full pile
 * is only counted into 2048 ranges of keys, each of which becomes one item unless it weighs more than a centroid may. */
#include "kql/aggr_sketch.h"

#include "value/decimal.h"
#include "value/dyn.h"

#include <math.h>

enum {
    DIGEST_PENDING_MAX = 1 << 14,
    DIGEST_EXACT_MAX = 1 << 13, /* different values that stay exact beyond the first pile */
    DIGEST_STORED_MAX = 2048,   /* items of a digest that becomes a dynamic value */
    DIGEST_COMPRESSION =
        1000, /* about so many centroids; the error at the median is 0.1 % of rank */
    DIGEST_RANGES_LOG2 = 11,
    DIGEST_RANGES = 1 << DIGEST_RANGES_LOG2,
    SORT_INSERTION_MAX = 48
};

/* ---- keys ----------------------------------------------------------------------------------------------- */

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

static void insertion_sort_keys(uint64_t *keys, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint64_t key = keys[i];
        uint32_t to = i;
        for (; to > 0 && keys[to - 1] > key; to--) keys[to] = keys[to - 1];
        keys[to] = key;
    }
}

/* As radix_sort; `room` has place for all. */
static void radix_sort_keys(uint64_t *keys, uint32_t count, uint64_t *room)
{
    uint64_t *from = keys, *to = room, differ = 0;
    for (uint32_t i = 1; i < count; i++) differ |= keys[i] ^ keys[0];
    for (uint32_t shift = 0; shift < 64; shift += 8) {
        if ((differ >> shift & 255) == 0) continue;
        uint32_t starts[256] = {0}, at = 0;
        for (uint32_t i = 0; i < count; i++) starts[from[i] >> shift & 255]++;
        for (uint32_t b = 0; b < 256; b++) {
            uint32_t n = starts[b];
            starts[b] = at;
            at += n;
        }
        for (uint32_t i = 0; i < count; i++) to[starts[from[i] >> shift & 255]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != keys) memcpy(keys, from, count * sizeof *keys);
}

/* `cap` is the room behind `keys`: what is free of it saves a passing copy. */
static bool sort_keys(uint64_t *keys, uint32_t count, uint32_t cap, struct rf_arena *scratch)
{
    if (count <= SORT_INSERTION_MAX) {
        insertion_sort_keys(keys, count);
        return true;
    }
    uint64_t *room = cap - count >= count ? keys + count : rf_arena_raw(scratch, uint64_t, count);
    if (room == NULL) return false;
    radix_sort_keys(keys, count, room);
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

static bool sort_items(struct digest *digest, struct rf_arena *scratch)
{
    if (digest->sorted == digest->count) return true;
    if (digest->count <= SORT_INSERTION_MAX)
        insertion_sort(digest->items, digest->count);
    else if (!radix_sort(digest->items, digest->count, scratch))
        return false;
    join_equals(digest);
    return true;
}

/* ---- joining neighbours ------------------------------------------------------------------------------------- */

double digest_weight(const struct digest *digest)
{
    double sum = digest->pending_count;
    for (uint32_t i = 0; i < digest->count; i++) sum += digest->items[i].weight;
    return sum;
}

/* The scale function k1, as a bound on the weight of a centroid before whose middle lies `middle` of `total`: steep at both
 * ends, so that the least and the largest values stay alone. Compared in squares, which spares the root. */
static bool may_join(double weight, double middle, double total)
{
    const double step = 2 * M_PI / DIGEST_COMPRESSION;
    return weight * weight <= step * step * middle * (total - middle);
}

/* Joins neighbours of sorted items. */
static void compress(struct digest *digest)
{
    double total = digest_weight(digest), before = 0;
    uint32_t kept = 0;
    for (uint32_t i = 1; i < digest->count; i++) {
        struct digest_item *into = &digest->items[kept], *item = &digest->items[i];
        double weight = into->weight + item->weight;
        bool last = i + 1 == digest->count;
        if (!last && kept > 0 && may_join(weight, before + weight / 2, total)) {
            double a = key_place(digest, into->key), b = key_place(digest, item->key);
            into->key = place_key(digest, a + (b - a) * (item->weight / weight));
            into->weight = weight;
            continue;
        }
        before += into->weight;
        digest->items[++kept] = *item;
    }
    digest->count = kept + 1;
    digest->sorted = digest->count;
    digest->approximate = true;
}

/* ---- the pile becomes items ----------------------------------------------------------------------------------- */

static bool items_room(struct digest *digest, uint32_t more, struct rf_arena *arena)
{
    uint32_t need = digest->count + more;
    if (need <= digest->cap) return true;
    uint32_t cap = RF_MAX(need, digest->cap + digest->cap / 2);
    struct digest_item *items =
        rf_arena_grow(arena, digest->items, digest->cap * sizeof *items, cap * sizeof *items);
    if (items == NULL) return false;
    digest->items = items;
    digest->cap = cap;
    return true;
}

/* Joins `fresh` items, which stand in order behind the digest's own, with those. */
static bool merge_fresh(struct digest *digest, uint32_t fresh, struct rf_arena *scratch)
{
    uint32_t own = digest->count;
    struct digest_item *items = digest->items;
    digest->count = digest->sorted = own + fresh;
    if (own == 0 || fresh == 0 || items[own - 1].key < items[own].key) return true;
    struct digest_item *copy = rf_arena_raw(scratch, struct digest_item, fresh);
    if (copy == NULL) return false;
    memcpy(copy, items + own, fresh * sizeof *copy);
    for (uint32_t to = own + fresh; fresh > 0;)
        items[--to] =
            own > 0 && items[own - 1].key > copy[fresh - 1].key ? items[--own] : copy[--fresh];
    join_equals(digest);
    return true;
}

/* Runs of equal keys of a sorted list; `out` is NULL to count them. */
static uint32_t key_runs(const uint64_t *keys, uint32_t count, struct digest_item *out)
{
    uint32_t runs = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool again = i > 0 && keys[i] == keys[i - 1];
        runs += !again;
        if (out != NULL && again) out[runs - 1].weight++;
        if (out != NULL && !again)
            out[runs - 1] = (struct digest_item){.key = keys[i], .weight = 1};
    }
    return runs;
}

static bool flush_exact(struct digest *digest, struct rf_arena *arena, struct rf_arena *scratch)
{
    uint64_t *keys = digest->pending;
    uint32_t count = digest->pending_count;
    if (!sort_keys(keys, count, digest->pending_cap, scratch)) return false;
    uint32_t fresh = key_runs(keys, count, NULL);
    if (!items_room(digest, fresh, arena)) return false;
    key_runs(keys, count, digest->items + digest->count);
    return merge_fresh(digest, fresh, scratch);
}

/* Ranges of keys: of equal width from `low` to `high`, and one at either end for what lies outside. */
enum { RANGE_BELOW = 0, RANGE_ABOVE = DIGEST_RANGES + 1, RANGE_COUNT };
struct key_ranges {
    uint64_t low, high;
    uint32_t shift;
    uint32_t counts[RANGE_COUNT];
    uint64_t sums
        [RANGE_COUNT]; /* of what keys are above their range's first; wraps in ranges that are split */
    bool split[RANGE_COUNT];
};

static uint32_t range_of(const struct key_ranges *r, uint64_t key)
{
    uint32_t inner = (uint32_t)((key - r->low) >> r->shift) + 1;
    return key < r->low ? RANGE_BELOW : key > r->high ? RANGE_ABOVE : inner;
}

/* From the 0.2th to the 99.8th percentile of what came before: a few outliers would else leave all other keys in few ranges. */
static void place_ranges(const struct digest *digest, struct key_ranges *r)
{
    double tail = digest_weight(digest) * 0.002, sum = 0;
    uint32_t first = 0, last = digest->count - 1;
    while (first < last && (sum += digest->items[first].weight) < tail) first++;
    for (sum = 0; last > first && (sum += digest->items[last].weight) < tail;) last--;
    r->low = digest->items[first].key;
    r->high = digest->items[last].key;
    uint32_t bits = r->high == r->low ? 0 : 64 - (uint32_t)__builtin_clzll(r->high - r->low);
    r->shift = bits > DIGEST_RANGES_LOG2 ? bits - DIGEST_RANGES_LOG2 : 0;
}

static void count_ranges(const uint64_t *keys, uint32_t count, struct key_ranges *r)
{
    uint64_t mask = (UINT64_C(1) << r->shift) - 1;
    memset(r->counts, 0, sizeof r->counts);
    memset(r->sums, 0, sizeof r->sums);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t range = range_of(r, keys[i]);
        r->counts[range]++;
        r->sums[range] += (keys[i] - r->low) & mask;
    }
}

/* Notes the ranges that are to be sorted: the heavy ones, and those at the ends, where the least and the largest value are to
 * stay alone. Returns how many items the others make. */
static uint32_t split_ranges(uint32_t count, struct key_ranges *r)
{
    uint32_t items = 0, before = 0;
    for (uint32_t i = 0; i < RANGE_COUNT; i++) {
        uint32_t n = r->counts[i];
        bool end = before == 0 || before + n == count;
        r->split[i] = n > 1 && (end || !may_join(n, before + n / 2.0, count));
        if (i == RANGE_BELOW || i == RANGE_ABOVE) r->split[i] = n > 0;
        items += n > 0 && !r->split[i];
        before += n;
    }
    return items;
}

/* Moves the keys of split ranges to the front. */
static uint32_t take_split(uint64_t *keys, uint32_t count, const struct key_ranges *r)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t key = keys[i];
        keys[taken] = key;
        taken += r->split[range_of(r, key)];
    }
    return taken;
}

static bool flush_ranges(struct digest *digest, struct rf_arena *arena, struct rf_arena *scratch)
{
    struct key_ranges *r = rf_arena_raw(scratch, struct key_ranges, 1);
    uint64_t *keys = digest->pending;
    if (r == NULL) return false;
    place_ranges(digest, r);
    count_ranges(keys, digest->pending_count, r);
    uint32_t items = split_ranges(digest->pending_count, r);
    uint32_t split = take_split(keys, digest->pending_count, r), fresh = 0;
    if (!sort_keys(keys, split, digest->pending_cap, scratch) ||
        !items_room(digest, items + split, arena))
        return false;
    struct digest_item *out = digest->items + digest->count;
    for (uint32_t i = 0, at = 0; i < RANGE_COUNT; i++) {
        uint32_t n = r->counts[i];
        if (r->split[i]) {
            fresh += key_runs(keys + at, n, out + fresh);
            at += n;
        } else if (n > 0) {
            uint64_t key = r->low + ((uint64_t)(i - 1) << r->shift) + r->sums[i] / n;
            out[fresh++] = (struct digest_item){.key = key, .weight = n};
        }
    }
    return merge_fresh(digest, fresh, scratch);
}

static bool flush(struct digest *digest, struct rf_arena *arena)
{
    if (digest->pending_count == 0) return true;
    struct rf_arena scratch;
    rf_arena_init_shared(&scratch, arena->budget);
    bool ranges =
        digest->approximate && digest->count > 0 && digest->pending_count > SORT_INSERTION_MAX;
    bool ok = sort_items(digest, &scratch) && (ranges ? flush_ranges(digest, arena, &scratch)
                                                      : flush_exact(digest, arena, &scratch));
    digest->pending_count = 0;
    rf_arena_done(&scratch);
    return ok;
}

bool digest_sort(struct digest *digest, struct rf_arena *arena)
{
    return flush(digest, arena) && sort_items(digest, arena);
}

/* ---- adding ---------------------------------------------------------------------------------------------------- */

static bool pending_room(struct digest *digest, struct rf_arena *arena)
{
    if (digest->pending_cap < DIGEST_PENDING_MAX) {
        uint32_t cap = digest->pending_cap == 0 ? 4 : digest->pending_cap * 2;
        uint64_t *keys = rf_arena_grow(arena, digest->pending, digest->pending_cap * sizeof *keys,
                                       cap * sizeof *keys);
        if (keys == NULL) return false;
        digest->pending = keys;
        digest->pending_cap = cap;
        return true;
    }
    if (!flush(digest, arena)) return false;
    if (digest->approximate || digest->count > DIGEST_EXACT_MAX) compress(digest);
    return true;
}

static bool weighted_room(struct digest *digest, struct rf_arena *arena)
{
    if (digest->cap < 2 * DIGEST_EXACT_MAX)
        return items_room(digest, RF_MAX(digest->cap, 4u), arena);
    struct rf_arena scratch;
    rf_arena_init_shared(&scratch, arena->budget);
    bool ok = sort_items(digest, &scratch);
    rf_arena_done(&scratch);
    if (ok && (digest->approximate || digest->count > DIGEST_EXACT_MAX)) compress(digest);
    return ok;
}

bool digest_add(struct digest *digest, uint64_t key, double weight, struct rf_arena *arena)
{
    if (weight == 1) return digest_add_keys(digest, &key, 1, arena);
    if (digest->count == digest->cap && !weighted_room(digest, arena)) return false;
    digest->items[digest->count++] = (struct digest_item){.key = key, .weight = weight};
    return true;
}

bool digest_add_keys(struct digest *digest, const uint64_t *keys, uint32_t count,
                     struct rf_arena *arena)
{
    while (count > 0) {
        if (digest->pending_count == digest->pending_cap && !pending_room(digest, arena))
            return false;
        uint32_t n = RF_MIN(count, digest->pending_cap - digest->pending_count);
        memcpy(digest->pending + digest->pending_count, keys, n * sizeof *keys);
        digest->pending_count += n;
        keys += n;
        count -= n;
    }
    return true;
}

bool digest_merge(struct digest *into, const struct digest *from, struct rf_arena *arena)
{
    if (digest_empty(from)) return true;
    if (digest_empty(into)) into->type = from->type;
    into->approximate |= from->approximate;
    for (uint32_t i = 0; i < from->pending_count; i++) {
        uint64_t key = from->pending[i];
        if (into->type != from->type) key = place_key(into, key_place(from, key));
        if (!digest_push(into, key) && !digest_add_keys(into, &key, 1, arena)) return false;
    }
    for (uint32_t i = 0; i < from->count; i++) {
        uint64_t key = from->items[i].key;
        /* Digests of reals and of whole numbers meet when stored ones are merged. */
        if (into->type != from->type) key = place_key(into, key_place(from, key));
        if (!digest_add(into, key, from->items[i].weight, arena)) return false;
    }
    return true;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

/* More than joining may make: such an item is one value that came often. That holds for good, since what is added later
 * raises the bound only. */
static bool is_heavy(const struct digest_item *item, double before, double total)
{
    return item->weight > 1 && !may_join(item->weight, before + item->weight / 2, total);
}

/* Between the middles of two centroids the values are taken to lie evenly; a heavy value ends where it ends. */
static struct value interpolated(const struct digest *digest, double target)
{
    double before = 0, total = digest_weight(digest);
    uint32_t i = 0;
    while (i + 1 < digest->count && before + digest->items[i].weight < target)
        before += digest->items[i++].weight;
    const struct digest_item *item = &digest->items[i];
    double middle = before + item->weight / 2, after = before + item->weight;
    if (item->weight <= 1 || is_heavy(item, before, total) || (target < middle && i == 0) ||
        (target >= middle && i + 1 == digest->count))
        return key_value(digest, item->key);
    const struct digest_item *left = target < middle ? item - 1 : item, *right = left + 1;
    double left_middle = middle, right_middle = middle;
    if (left < item)
        left_middle =
            before - (is_heavy(left, before - left->weight, total) ? 0 : left->weight / 2);
    else
        right_middle = after + (is_heavy(right, after, total) ? 0 : right->weight / 2);
    double a = key_place(digest, left->key), b = key_place(digest, right->key);
    double part = (target - left_middle) / (right_middle - left_middle);
    return key_value(digest, place_key(digest, a + (b - a) * part));
}

struct value digest_percentile(const struct digest *digest, double percent)
{
    if (digest->count == 0) return value_null((enum type)digest->type);
    RF_ASSERT(digest->sorted == digest->count);
    RF_ASSERT(digest->pending_count == 0);
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
    RF_ASSERT(digest->pending_count == 0);
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
