/* dcount, count_distinct, hll. */
#include "kql/aggr_array.h"
#include "kql/aggr_int.h"
#include "kql/aggr_sketch.h"
#include "kql/func_families.h"

/* ---- hashes of a batch ------------------------------------------------------------------------------- */

/* Shared by all groups of a call: the precision, and the hashes of a dictionary's entries, since the
 * same dictionary comes with many batches. */
struct distinct_call {
    uint8_t p;
    uint64_t dict_id;
    uint64_t *hashes; /* by code; 0 is not known yet */
    uint32_t hashes_cap;
};

enum { DICT_CACHED_MAX = 1 << 20, HLL_FETCH_AHEAD = 8 };

static enum rf_kind distinct_prepare(struct aggr_call *call, uint32_t accuracy_arg,
                                     struct rf_err *err)
{
    struct distinct_call *shared = rf_arena_new(call->arena, struct distinct_call, 1);
    if (shared == NULL) return rf_fail_memory(err, call->arena);
    int64_t accuracy = HLL_ACCURACY_DEFAULT;
    if (aggr_const_long(call, accuracy_arg, &accuracy) &&
        (accuracy < 0 || accuracy > HLL_ACCURACY_MAX))
        return RF_FAIL(err, RF_INVALID, "BadParameter", "%s(): accuracy must be 0 to %d, not %lld",
                       call->aggr->name, HLL_ACCURACY_MAX, (long long)accuracy);
    shared->p = hll_p(accuracy);
    call->state = shared;
    return RF_OK;
}
static enum rf_kind dcount_prepare(struct aggr_call *call, struct rf_err *err)
{
    return distinct_prepare(call, 1, err);
}
static enum rf_kind dcountif_prepare(struct aggr_call *call, struct rf_err *err)
{
    return distinct_prepare(call, 2, err);
}

static bool dict_hashes_ready(struct distinct_call *shared, const struct vec *v,
                              struct rf_arena *arena)
{
    if (shared->dict_id == v->dict_id) return true;
    if (shared->hashes_cap < v->dict_count) {
        shared->dict_id = 0;
        shared->hashes_cap = 0;
        shared->hashes = rf_arena_raw(arena, uint64_t, v->dict_count);
        if (shared->hashes == NULL) return false;
        shared->hashes_cap = v->dict_count;
    }
    memset(shared->hashes, 0, v->dict_count * sizeof *shared->hashes);
    shared->dict_id = v->dict_id;
    return true;
}

static uint64_t dict_hash(struct distinct_call *shared, const struct vec *v, uint32_t code)
{
    uint64_t *hash = &shared->hashes[code];
    if (*hash != 0) return *hash;
    struct vec entries = *v;
    entries.shape = VEC_FLAT;
    struct value cell = vec_value(&entries, code);
    *hash = v->type == TYPE_STRING ? rf_hash(cell.s.ptr, cell.s.len, 0) : value_hash(&cell);
    *hash += *hash == 0;
    return *hash;
}

/* Rows that need a look, in order: with all rows in one group a small dictionary's entry is looked at
 * once per batch, a constant once. Nulls are left out. Returns how many. */
static uint32_t rows_to_see(const struct vec *v, uint32_t count, bool one_group, uint32_t *rows)
{
    AGGR_SCRATCH uint8_t seen[BATCH_ROWS];
    uint32_t kept = 0;
    if (!one_group && v->nulls == NULL && v->type != TYPE_DYNAMIC) {
        for (uint32_t i = 0; i < count; i++) rows[i] = i;
        return count;
    }
    if (one_group && v->shape == VEC_CONST) count = RF_MIN(count, 1u);
    bool mark = one_group && v->shape == VEC_DICT && v->dict_count <= BATCH_ROWS;
    if (mark) memset(seen, 0, v->dict_count);
    for (uint32_t i = 0; i < count; i++) {
        if (mark) {
            if (seen[v->codes[i]]) continue;
            seen[v->codes[i]] = 1;
        }
        uint32_t at = vec_at(v, i);
        if (v->nulls != NULL && v->nulls[at]) continue;
        if (v->type == TYPE_DYNAMIC && dyn_is_null(((const rf_str *)v->data)[at])) continue;
        rows[kept++] = i;
    }
    return kept;
}

/* Hashes of the chosen rows; hash[k] belongs to rows[k]. */
static bool hash_rows(struct aggr_call *call, const struct vec *v, uint32_t count,
                      const uint32_t *rows, uint32_t row_count, uint64_t *hash)
{
    struct distinct_call *shared = call->state;
    if (v->shape == VEC_DICT && v->dict_id != 0 && v->dict_count <= DICT_CACHED_MAX) {
        if (!dict_hashes_ready(shared, v, call->arena)) return false;
        for (uint32_t k = 0; k < row_count; k++) hash[k] = dict_hash(shared, v, v->codes[rows[k]]);
        return true;
    }
    if (row_count == count) {
        vec_hash(v, count, false, hash);
        return true;
    }
    if (v->shape == VEC_CONST) {
        vec_hash(v, row_count, false, hash);
        return true;
    }
    AGGR_SCRATCH uint32_t codes[BATCH_ROWS];
    for (uint32_t k = 0; k < row_count; k++) codes[k] = vec_at(v, rows[k]);
    struct vec chosen = *v;
    chosen.dict_count = v->shape == VEC_DICT ? v->dict_count : BATCH_ROWS;
    chosen.shape = VEC_DICT;
    chosen.dict_id = 0;
    chosen.codes = codes;
    vec_hash(&chosen, row_count, false, hash);
    return true;
}

/* ---- dcount and hll --------------------------------------------------------------------------------------- */

static enum rf_kind hll_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                               const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    const struct distinct_call *shared = call->state;
    AGGR_SCRATCH uint32_t rows[BATCH_ROWS];
    AGGR_SCRATCH uint64_t hash[BATCH_ROWS];
    RF_ASSERT(count <= BATCH_ROWS);
    uint32_t row_count = rows_to_see(&args[0], count, groups == NULL, rows);
    if (!hash_rows(call, &args[0], count, rows, row_count, hash))
        return rf_fail_memory(err, call->arena);
    for (uint32_t k = 0; k < row_count; k++) {
        uint32_t ahead = k + HLL_FETCH_AHEAD;
        if (ahead < row_count)
            hll_fetch(AGGR_STATE(struct hll, states, AGGR_GROUP(groups, rows[ahead])), hash[ahead]);
        struct hll *hll = AGGR_STATE(struct hll, states, AGGR_GROUP(groups, rows[k]));
        if (!hll_add(hll, shared->p, hash[k], call->arena)) return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}
AGGR_WHERE(hll_update_if, 1, hll_update)

static enum rf_kind hll_merge_states(struct aggr_call *call, uint8_t *into, const uint8_t *from,
                                     struct rf_err *err)
{
    if (!hll_merge(AGGR_STATE(struct hll, into, 0), AGGR_STATE_OF(struct hll, from), call->arena))
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind dcount_emit(struct aggr_call *call, const uint8_t *state, uint32_t column,
                                struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    (void)call, (void)column, (void)arena, (void)err;
    *out = value_long(hll_count(AGGR_STATE_OF(struct hll, state)));
    return RF_OK;
}

static enum rf_kind hll_emit(struct aggr_call *call, const uint8_t *state, uint32_t column,
                             struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    (void)call, (void)column;
    const struct hll *hll = AGGR_STATE_OF(struct hll, state);
    *out = value_null(TYPE_DYNAMIC);
    if (hll->p == 0) return RF_OK;
    rf_str d;
    if (!hll_to_dyn(hll, hll->p, arena, &d)) return rf_fail_memory(err, arena);
    *out = value_dyn(d);
    return RF_OK;
}

/* Merging stored sketches. */
static enum rf_kind hll_merge_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                                     const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    struct rf_arena scratch;
    rf_arena_init_shared(&scratch, call->arena->budget);
    bool ok = true;
    for (uint32_t i = 0; i < count && ok; i++) {
        if (vec_null(&args[0], i)) continue;
        struct hll other;
        rf_arena_reset(&scratch);
        ok = hll_from_dyn(vec_str(&args[0], i), &scratch, &other) &&
             hll_merge(AGGR_STATE(struct hll, states, AGGR_GROUP(groups, i)), &other, call->arena);
    }
    rf_arena_done(&scratch);
    return ok ? RF_OK : rf_fail_memory(err, call->arena);
}

/* ---- count_distinct ------------------------------------------------------------------------------------------ */

static enum rf_kind count_distinct_update(struct aggr_call *call, const struct vec *args,
                                          uint32_t count, const uint32_t *groups, uint8_t *states,
                                          struct rf_err *err)
{
    AGGR_SCRATCH uint32_t rows[BATCH_ROWS];
    AGGR_SCRATCH uint64_t hash[BATCH_ROWS];
    const struct vec *v = &args[0];
    RF_ASSERT(count <= BATCH_ROWS);
    uint32_t row_count = rows_to_see(v, count, groups == NULL, rows);
    if (!hash_rows(call, v, count, rows, row_count, hash)) return rf_fail_memory(err, call->arena);
    for (uint32_t k = 0; k < row_count; k++) {
        struct aggr_set *set = AGGR_STATE(struct aggr_set, states, AGGR_GROUP(groups, rows[k]));
        struct value x = vec_value(v, rows[k]);
        bool ok = v->type == TYPE_DYNAMIC ? aggr_set_add_dyn(set, x.s, hash[k], call->arena)
                                          : aggr_set_add(set, &x, hash[k], call->arena);
        if (!ok) return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}
AGGR_WHERE(count_distinctif_update, 1, count_distinct_update)

static enum rf_kind count_distinct_merge(struct aggr_call *call, uint8_t *into, const uint8_t *from,
                                         struct rf_err *err)
{
    enum aggr_set_kind kind = call->arg_types[0] == TYPE_DYNAMIC ? AGGR_SET_MIXED : AGGR_SET_TYPED;
    if (!aggr_set_merge(AGGR_STATE(struct aggr_set, into, 0), AGGR_STATE_OF(struct aggr_set, from),
                        kind, UINT32_MAX, call->arena))
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind count_distinct_emit(struct aggr_call *call, const uint8_t *state,
                                        uint32_t column, struct rf_arena *arena, struct value *out,
                                        struct rf_err *err)
{
    (void)call, (void)column, (void)arena, (void)err;
    *out = value_long(AGGR_STATE_OF(struct aggr_set, state)->list.count);
    return RF_OK;
}

/* ---- table --------------------------------------------------------------------------------------------------- */

#define SIGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define HLL(name, doc, sigs, prepare, update, emit)                                                \
    {                                                                                              \
        name, doc, sigs, sizeof(struct hll), 0, NULL, prepare, update, hll_merge_states, emit      \
    }
#define DISTINCT(name, doc, sigs, update)                                                          \
    {                                                                                              \
        name, doc, sigs, sizeof(struct aggr_set), 0, NULL, dcount_prepare, update,                 \
            count_distinct_merge, count_distinct_emit                                              \
    }

const struct aggr aggr_distinct[] = {
    HLL("dcount",
        "Number of different values; exact while they are few, then estimated. Nulls do not count.",
        SIGS("(value:any, [accuracy:long]) long"), dcount_prepare, hll_update, dcount_emit),
    HLL("dcountif", "dcount over the rows where the predicate is true.",
        SIGS("(value:any, predicate:bool, [accuracy:long]) long"), dcountif_prepare, hll_update_if,
        dcount_emit),
    HLL("hll", "Sketch of the different values, for hll_merge and dcount_hll; null without values.",
        SIGS("(value:any, [accuracy:long]) dynamic"), dcount_prepare, hll_update, hll_emit),
    HLL("hll_if", "hll over the rows where the predicate is true.",
        SIGS("(value:any, predicate:bool, [accuracy:long]) dynamic"), dcountif_prepare,
        hll_update_if, hll_emit),
    HLL("hll_merge", "Joins sketches made by hll; what is none is passed over.",
        SIGS("(hll:dynamic) dynamic"), NULL, hll_merge_update, hll_emit),
    DISTINCT("count_distinct", "Exact number of different values. Nulls do not count.",
             SIGS("(value:any) long"), count_distinct_update),
    DISTINCT("count_distinctif", "count_distinct over the rows where the predicate is true.",
             SIGS("(value:any, predicate:bool) long"), count_distinctif_update),
};
const size_t aggr_distinct_count = RF_COUNT(aggr_distinct);
