/* take_any, arg_max, arg_min: aggregates that keep the values of one row.
 *
 * Copying a row is what costs, so within a batch only the number of the row to keep is noted, and
 * the last one noted of each group is copied when the batch is done. */
#include "kql/aggr_collect_int.h"

#include "kql/keys.h"
#include "value/dyn.h"

struct pick {
    struct aggr_kept *values; /* one per argument; NULL until the first row */
    struct value best;        /* the first argument; may view the batch while `pending` is not 0 */
    uint32_t pending;         /* row number + 1 of a row of this batch that is to be kept */
    bool any;
    bool good; /* best is not null (take_any: nor empty) */
};
_Static_assert(sizeof(struct pick) == PICK_STATE_BYTES, "the table gives this size");

/* A single argument gives its own type; several give a column each. */
enum rf_kind aggr_pick_resolve(struct func_bind *bind, struct rf_err *err)
{
    if (bind->arg_count <= 1) return RF_OK;
    rf_str *names = rf_arena_new(bind->arena, rf_str, bind->arg_count);
    uint8_t *types = rf_arena_new(bind->arena, uint8_t, bind->arg_count);
    if (names == NULL || types == NULL) return rf_fail_memory(err, bind->arena);
    memcpy(types, bind->types, bind->arg_count);
    bind->tuple_count = bind->arg_count;
    bind->tuple_names = names; /* the operator names them after the arguments */
    bind->tuple_types = types;
    return RF_OK;
}

static bool keep_row(struct aggr_call *call, struct pick *pick, const struct vec *args,
                     uint32_t row)
{
    if (pick->values == NULL) {
        pick->values = rf_arena_new(call->arena, struct aggr_kept, call->arg_count);
        if (pick->values == NULL) return false;
    }
    for (uint32_t c = 0; c < call->arg_count; c++) {
        struct value v = vec_value(&args[c], row);
        if (!aggr_keep(&pick->values[c], &v, call->arena)) return false;
    }
    pick->best = pick->values[0].value;
    pick->pending = 0;
    return true;
}

/* Copies the rows that groups have noted; `noted` lists them, superseded ones among them. */
static enum rf_kind keep_noted(struct aggr_call *call, const struct vec *args,
                               const uint32_t *groups, uint8_t *states, const uint32_t *noted,
                               uint32_t noted_count, struct rf_err *err)
{
    for (uint32_t k = noted_count; k-- > 0;) {
        struct pick *pick = AGGR_STATE(struct pick, states, AGGR_GROUP(groups, noted[k]));
        if (pick->pending != noted[k] + 1) continue;
        if (!keep_row(call, pick, args, noted[k])) return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

static void note_row(struct pick *pick, const struct value *best, uint32_t row, bool good)
{
    pick->best = *best;
    pick->pending = row + 1;
    pick->any = true;
    pick->good = good;
}

static bool is_null(const struct value *v)
{
    return v->null || (v->type == TYPE_DYNAMIC && dyn_is_null(v->s));
}

/* ---- take_any ------------------------------------------------------------------------------------------- */

/* With one argument a value that says something is preferred, be it of a later row. */
static bool is_telling(const struct value *v, uint32_t arg_count)
{
    return arg_count > 1 || (!is_null(v) && !(v->type == TYPE_STRING && v->s.len == 0));
}

static enum rf_kind take_any(struct aggr_call *call, const struct vec *args, uint32_t value_count,
                             uint32_t count, const uint32_t *groups, uint8_t *states,
                             struct rf_err *err)
{
    AGGR_SCRATCH uint32_t noted[BATCH_ROWS];
    uint32_t noted_count = 0;
    RF_ASSERT(count <= BATCH_ROWS);
    for (uint32_t i = 0; i < count; i++) {
        struct pick *pick = AGGR_STATE(struct pick, states, AGGR_GROUP(groups, i));
        if (pick->good) {
            if (groups == NULL) break;
            continue;
        }
        struct value v = vec_value(&args[0], i);
        bool good = is_telling(&v, value_count);
        if (pick->any && !good) continue;
        note_row(pick, &v, i, good);
        noted[noted_count++] = i;
    }
    struct aggr_call values = *call;
    values.arg_count = value_count;
    return keep_noted(&values, args, groups, states, noted, noted_count, err);
}

enum rf_kind aggr_take_any_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                                  const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    return take_any(call, args, call->arg_count, count, groups, states, err);
}

static enum rf_kind take_any_first(struct aggr_call *call, const struct vec *args, uint32_t count,
                                   const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    return take_any(call, args, 1, count, groups, states, err);
}

enum rf_kind aggr_take_any_update_if(struct aggr_call *call, const struct vec *args, uint32_t count,
                                     const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    return aggr_update_where(call, args, 1, count, groups, states, take_any_first, err);
}

/* ---- arg_max, arg_min ----------------------------------------------------------------------------------- */

/* True when `v` takes the place of the best value. Of equals the first stays; a null only serves
 * until a value comes. */
static bool beats(const struct aggr_call *call, const struct pick *pick, const struct value *v,
                  bool largest)
{
    if (!pick->any) return true;
    if (is_null(v)) return false;
    if (!pick->good) return true;
    /* When batches come backwards, the first of equals comes last; but not within a batch. */
    bool equal_beats = call->backwards && pick->pending == 0;
    int order = value_cmp(v, &pick->best);
    return equal_beats && order == 0 ? true : largest ? order > 0 : order < 0;
}

/* Whole numbers and times, the usual case, compared without making values of the cells. */
static uint32_t note_i64(const struct aggr_call *call, const struct vec *v, uint32_t count,
                         const uint32_t *groups, uint8_t *states, bool largest, uint32_t *noted)
{
    const int64_t *data = v->data;
    uint32_t noted_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct pick *pick = AGGR_STATE(struct pick, states, AGGR_GROUP(groups, i));
        uint32_t at = vec_at(v, i);
        int64_t x = data[at];
        bool equal_beats = call->backwards && pick->pending == 0;
        if (pick->good && (largest ? x <= pick->best.i : x >= pick->best.i) &&
            !(equal_beats && x == pick->best.i))
            continue;
        bool null = v->nulls != NULL && v->nulls[at];
        if (null && pick->any) continue;
        struct value best = value_i64((enum type)v->type, x);
        best.null = null;
        note_row(pick, &best, i, !null);
        noted[noted_count++] = i;
    }
    return noted_count;
}

static uint32_t note_any(const struct aggr_call *call, const struct vec *v, uint32_t count,
                         const uint32_t *groups, uint8_t *states, bool largest, uint32_t *noted)
{
    uint32_t noted_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct pick *pick = AGGR_STATE(struct pick, states, AGGR_GROUP(groups, i));
        struct value x = vec_value(v, i);
        if (!beats(call, pick, &x, largest)) continue;
        note_row(pick, &x, i, !is_null(&x));
        noted[noted_count++] = i;
    }
    return noted_count;
}

static enum rf_kind arg_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                               const uint32_t *groups, uint8_t *states, bool largest,
                               struct rf_err *err)
{
    AGGR_SCRATCH uint32_t noted[BATCH_ROWS];
    RF_ASSERT(count <= BATCH_ROWS);
    uint32_t noted_count = type_is_i64((enum type)args[0].type)
                               ? note_i64(call, &args[0], count, groups, states, largest, noted)
                               : note_any(call, &args[0], count, groups, states, largest, noted);
    return keep_noted(call, args, groups, states, noted, noted_count, err);
}

enum rf_kind aggr_arg_max_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                                 const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    return arg_update(call, args, count, groups, states, true, err);
}
enum rf_kind aggr_arg_min_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                                 const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    return arg_update(call, args, count, groups, states, false, err);
}

/* Rows that are not worse than what their group has; of equals update decides. */
static uint32_t arg_useful(const struct vec *v, uint32_t count, const uint32_t *groups,
                           const uint8_t *states, bool largest, uint32_t *rows)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        rows[n] = i;
        const struct pick *pick =
            groups[i] == KEYS_NONE
                ? NULL
                : AGGR_STATE_OF(struct pick, states + (size_t)groups[i] * sizeof(struct pick));
        struct value x;
        if (pick == NULL || !pick->good)
            n++;
        else if (v->nulls == NULL && type_is_i64((enum type)v->type)) {
            int64_t cell = ((const int64_t *)v->data)[vec_at(v, i)];
            n += largest ? cell >= pick->best.i : cell <= pick->best.i;
        } else {
            x = vec_value(v, i);
            int order = is_null(&x) ? 0 : value_cmp(&x, &pick->best);
            n += largest ? order >= 0 : order <= 0;
        }
    }
    return n;
}
static uint32_t arg_max_useful(const struct vec *first, uint32_t count, const uint32_t *groups,
                               const uint8_t *states, uint32_t *rows)
{
    return arg_useful(first, count, groups, states, true, rows);
}
static uint32_t arg_min_useful(const struct vec *first, uint32_t count, const uint32_t *groups,
                               const uint8_t *states, uint32_t *rows)
{
    return arg_useful(first, count, groups, states, false, rows);
}

aggr_useful *aggr_useful_of(const struct aggr *aggr, bool *newest_first)
{
    *newest_first = aggr->update == aggr_arg_max_update;
    return aggr->update == aggr_arg_max_update   ? arg_max_useful
           : aggr->update == aggr_arg_min_update ? arg_min_useful
                                                 : NULL;
}

/* ---- merge, emit ----------------------------------------------------------------------------------------- */

/* The kept values of another worker live until the rows are emitted, so they can be taken over. */
static void take_over(struct pick *into, const struct pick *from) { *into = *from; }

enum rf_kind aggr_take_any_merge(struct aggr_call *call, uint8_t *into_state,
                                 const uint8_t *from_state, struct rf_err *err)
{
    (void)call, (void)err;
    struct pick *into = AGGR_STATE(struct pick, into_state, 0);
    const struct pick *from = AGGR_STATE_OF(struct pick, from_state);
    if (from->any && (!into->any || (!into->good && from->good))) take_over(into, from);
    return RF_OK;
}

static void arg_merge(const struct aggr_call *call, uint8_t *into_state, const uint8_t *from_state,
                      bool largest)
{
    struct pick *into = AGGR_STATE(struct pick, into_state, 0);
    const struct pick *from = AGGR_STATE_OF(struct pick, from_state);
    if (from->any && beats(call, into, &from->best, largest)) take_over(into, from);
}
enum rf_kind aggr_arg_max_merge(struct aggr_call *call, uint8_t *into, const uint8_t *from,
                                struct rf_err *err)
{
    (void)err;
    arg_merge(call, into, from, true);
    return RF_OK;
}
enum rf_kind aggr_arg_min_merge(struct aggr_call *call, uint8_t *into, const uint8_t *from,
                                struct rf_err *err)
{
    (void)err;
    arg_merge(call, into, from, false);
    return RF_OK;
}

enum rf_kind aggr_pick_emit(struct aggr_call *call, const uint8_t *state, uint32_t column,
                            struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    const struct pick *pick = AGGR_STATE_OF(struct pick, state);
    *out = value_null((enum type)call->arg_types[RF_MIN(column, call->arg_count - 1)]);
    if (pick->values == NULL || column >= call->arg_count) return RF_OK;
    if (!value_copy(&pick->values[column].value, arena, out)) return rf_fail_memory(err, arena);
    return RF_OK;
}
