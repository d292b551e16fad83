#include "kql/aggr_sketch.h"

#include "value/dyn.h"

#include <math.h>

/* ---- exact part: a set of hashes ------------------------------------------------------------------- */

static const struct {
    uint8_t p;
    uint16_t limit; /* hashes kept exactly; about as many bytes as the registers would take */
} hll_sizes[HLL_ACCURACY_MAX + 1] = {{12, 1024}, {14, 1024}, {16, 8192}, {17, 16384}, {18, 32768}};

uint8_t hll_p(int64_t accuracy)
{
    return hll_sizes[accuracy < 0 || accuracy > HLL_ACCURACY_MAX ? HLL_ACCURACY_DEFAULT : accuracy]
        .p;
}

static uint32_t hll_limit(uint8_t p)
{
    for (size_t i = 0; i <= HLL_ACCURACY_MAX; i++)
        if (hll_sizes[i].p >= p) return hll_sizes[i].limit;
    return hll_sizes[HLL_ACCURACY_MAX].limit;
}

static uint8_t *registers(const struct hll *hll) { return (uint8_t *)hll->slots; }

/* Puts `hash` into a table with room for it; false when it was there. */
static bool slots_put(uint64_t *slots, uint8_t log2, uint64_t hash)
{
    uint64_t mask = (UINT64_C(1) << log2) - 1;
    /* The upper bits choose the register when the sketch turns dense; the lower choose the slot. */
    for (uint64_t at = hash & mask;; at = (at + 1) & mask) {
        if (slots[at] == hash) return false;
        if (slots[at] == 0) {
            slots[at] = hash;
            return true;
        }
    }
}

static bool slots_grow(struct hll *hll, struct rf_arena *arena)
{
    uint8_t log2 =
        hll->slots == NULL ? 2 : (uint8_t)(hll->slots_log2 + (hll->slots_log2 < 6 ? 2 : 1));
    uint64_t *slots = rf_arena_new(arena, uint64_t, UINT64_C(1) << log2);
    if (slots == NULL) return false;
    uint64_t old = hll->slots == NULL ? 0 : UINT64_C(1) << hll->slots_log2;
    for (uint64_t i = 0; i < old; i++)
        if (hll->slots[i] != 0) slots_put(slots, log2, hll->slots[i]);
    hll->slots = slots;
    hll->slots_log2 = log2;
    return true;
}

/* ---- registers ----------------------------------------------------------------------------------------- */

static inline void registers_put(uint8_t *regs, uint8_t p, uint64_t hash)
{
    RF_ASSERT(p > 0);
    uint64_t index = hash >> (64 - p);
    /* The guard bit bounds the rank at 64 - p + 1 when all other bits are zero. */
    uint64_t rest = hash << p | UINT64_C(1) << (p - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    if (regs[index] < rank) regs[index] = rank;
}

static bool make_dense(struct hll *hll, struct rf_arena *arena)
{
    uint8_t *regs = rf_arena_zalloc(arena, (size_t)1 << hll->p);
    if (regs == NULL) return false;
    if (hll->slots != NULL)
        for (uint64_t i = 0; i < UINT64_C(1) << hll->slots_log2; i++)
            if (hll->slots[i] != 0) registers_put(regs, hll->p, hll->slots[i]);
    hll->slots = (uint64_t *)(void *)regs;
    hll->count = 0;
    hll->dense = true;
    return true;
}

bool hll_add(struct hll *hll, uint8_t p, uint64_t hash, struct rf_arena *arena)
{
    if (hll->p == 0) hll->p = p;
    if (hll->dense) {
        registers_put(registers(hll), hll->p, hash);
        return true;
    }
    hash += hash == 0; /* 0 marks a free slot */
    uint64_t cap = hll->slots == NULL ? 0 : UINT64_C(1) << hll->slots_log2;
    if ((hll->slots == NULL || hll->count + 1 > cap - cap / 4) && !slots_grow(hll, arena))
        return false;
    hll->count += slots_put(hll->slots, hll->slots_log2, hash);
    if (hll->count <= hll_limit(hll->p)) return true;
    return make_dense(hll, arena);
}

/* Register `index` of a sketch of precision `from`, with its rank, in one of lower precision `to`: the
 * index bits that are dropped become the first bits of the rest. */
static void registers_fold(uint8_t *regs, uint8_t to, uint8_t from, uint64_t index, uint8_t rank)
{
    if (rank == 0) return;
    uint8_t dropped = (uint8_t)(from - to);
    uint64_t low = index & ((UINT64_C(1) << dropped) - 1);
    uint8_t folded =
        low == 0 ? (uint8_t)(rank + dropped) : (uint8_t)(dropped - (63 - __builtin_clzll(low)));
    uint8_t *reg = &regs[index >> dropped];
    if (*reg < folded) *reg = folded;
}

static bool lower_precision(struct hll *hll, uint8_t p, struct rf_arena *arena)
{
    if (!hll->dense) {
        hll->p = p;
        return hll->count <= hll_limit(p) || make_dense(hll, arena);
    }
    uint8_t *regs = rf_arena_zalloc(arena, (size_t)1 << p);
    if (regs == NULL) return false;
    for (uint64_t i = 0; i < UINT64_C(1) << hll->p; i++)
        registers_fold(regs, p, hll->p, i, registers(hll)[i]);
    hll->slots = (uint64_t *)(void *)regs;
    hll->p = p;
    return true;
}

RF_CLONES static void registers_max(uint8_t *restrict regs, const uint8_t *restrict others,
                                    size_t count)
{
    for (size_t i = 0; i < count; i++) regs[i] = RF_MAX(regs[i], others[i]);
}

bool hll_merge(struct hll *into, const struct hll *from, struct rf_arena *arena)
{
    if (from->p == 0) return true;
    if (into->p == 0) into->p = from->p;
    if (into->p > from->p && !lower_precision(into, from->p, arena)) return false;
    if (!from->dense) {
        if (from->slots == NULL) return true;
        for (uint64_t i = 0; i < UINT64_C(1) << from->slots_log2; i++)
            if (from->slots[i] != 0 && !hll_add(into, into->p, from->slots[i], arena)) return false;
        return true;
    }
    if (!into->dense && !make_dense(into, arena)) return false;
    uint8_t *regs = registers(into);
    const uint8_t *others = registers(from);
    if (into->p == from->p) {
        registers_max(regs, others, (size_t)1 << into->p);
        return true;
    }
    for (uint64_t i = 0; i < UINT64_C(1) << from->p; i++)
        registers_fold(regs, into->p, from->p, i, others[i]);
    return true;
}

/* ---- estimate --------------------------------------------------------------------------------------------- */

/* Ertl's estimator ("New cardinality estimation algorithms for HyperLogLog sketches", 2017): without
 * bias from empty to full registers, so no tables of corrections and no switch to linear counting. */
static double ertl_sigma(double x)
{
    double y = 1, z = x, before;
    if (x >= 1) return INFINITY;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z > before);
    return z;
}

static double ertl_tau(double x)
{
    double y = 1, z = 1 - x, before;
    if (x <= 0 || x >= 1) return 0;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z < before);
    return z / 3;
}

int64_t hll_count(const struct hll *hll)
{
    if (!hll->dense) return hll->count;
    uint32_t histogram[66] = {0}, parts[4][66] = {{0}};
    uint8_t last = (uint8_t)(64 - hll->p + 1);
    /* Four counts of each rank, since neighbours often have the same and would wait for each other. */
    for (uint64_t i = 0; i < UINT64_C(1) << hll->p; i += 4)
        for (uint32_t k = 0; k < 4; k++) parts[k][registers(hll)[i + k]]++;
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t rank = 0; rank < RF_COUNT(histogram); rank++)
            histogram[rank] += parts[k][rank];
    double m = (double)(UINT64_C(1) << hll->p);
    double z = m * ertl_tau(1 - histogram[last] / m);
    for (uint8_t rank = (uint8_t)(last - 1); rank >= 1; rank--) z = 0.5 * (z + histogram[rank]);
    z += m * ertl_sigma(histogram[0] / m);
    double estimate = m * m / (2 * M_LN2 * z);
    return estimate < 9e18 ? (int64_t)llround(estimate) : INT64_MAX;
}

/* ---- as dynamic --------------------------------------------------------------------------------------------- */

static const char hll_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int letter_rank(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (rf_is_digit(c)) return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool hll_to_dyn(const struct hll *hll, uint8_t p, struct rf_arena *arena, rf_str *out)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct dyn_builder whole, part;
    if (hll->p != 0) p = hll->p;
    dyn_begin(&whole, &buf, DYN_ARRAY);
    dyn_next(&whole);
    dyn_begin(&part, &buf, DYN_ARRAY);
    dyn_next(&part);
    dyn_put_long(&buf, hll_limit(p));
    dyn_next(&part);
    dyn_put_long(&buf, p);
    dyn_end(&part);
    dyn_next(&whole);
    dyn_begin(&part, &buf, DYN_ARRAY);
    if (!hll->dense && hll->slots != NULL)
        for (uint64_t i = 0; i < UINT64_C(1) << hll->slots_log2; i++) {
            if (hll->slots[i] == 0) continue;
            dyn_next(&part);
            dyn_put_long(&buf, (int64_t)hll->slots[i]);
        }
    dyn_end(&part);
    dyn_next(&whole);
    dyn_begin(&part, &buf, DYN_ARRAY);
    if (hll->dense) {
        size_t bytes = (size_t)1 << p;
        uint8_t *text = rf_arena_alloc(arena, bytes);
        if (text == NULL) return false;
        for (size_t i = 0; i < bytes; i++) text[i] = (uint8_t)hll_letters[registers(hll)[i] & 63];
        dyn_next(&part);
        dyn_put_string(&buf, rf_str_make(text, bytes));
    }
    dyn_end(&part);
    dyn_end(&whole);
    *out = dyn_done(&buf);
    return !buf.failed;
}

static bool registers_from_text(rf_str text, struct rf_arena *arena, struct hll *out)
{
    if (text.len != (size_t)1 << out->p) {
        out->p = 0;
        return true;
    }
    if (!make_dense(out, arena)) return false;
    for (size_t i = 0; i < text.len; i++) {
        int rank = letter_rank(text.ptr[i]);
        /* A rank that cannot occur is cut, so that a forged sketch at worst counts wrongly. */
        registers(out)[i] = (uint8_t)(rank < 0 ? 0 : RF_MIN(rank, 64 - out->p + 1));
    }
    return true;
}

bool hll_from_dyn(rf_str d, struct rf_arena *arena, struct hll *out)
{
    *out = (struct hll){0};
    rf_str head = dyn_item(d, 0), hashes = dyn_item(d, 1), regs = dyn_item(d, 2);
    double p = dyn_count(head) == 2 ? dyn_real(dyn_item(head, 1)) : 0;
    if (dyn_tag(d) != DYN_ARRAY || dyn_tag(hashes) != DYN_ARRAY || dyn_tag(regs) != DYN_ARRAY ||
        !(p >= HLL_P_MIN && p <= HLL_P_MAX))
        return true;
    out->p = (uint8_t)p;
    if (dyn_count(regs) > 0) return registers_from_text(dyn_string(dyn_item(regs, 0)), arena, out);
    for (uint32_t i = 0; i < dyn_count(hashes); i++) {
        rf_str hash = dyn_item(hashes, i);
        if (dyn_tag(hash) != DYN_LONG && dyn_tag(hash) != DYN_INT) continue;
        if (!hll_add(out, out->p, (uint64_t)dyn_i64(hash), arena)) return false;
    }
    return true;
}
