/* make_list, make_set, make_bag; the table also lists what aggr_pick.c and aggr_schema.c compute. */
#include "kql/aggr_array.h"
#include "kql/aggr_collect_int.h"
#include "kql/func_families.h"

enum { COLLECT_MAX = 1048576, COLLECT_OLD_MAX = 128 };

/* ---- limits ------------------------------------------------------------------------------------------- */

static enum rf_kind limit_prepare(struct aggr_call *call, uint32_t arg, struct rf_err *err)
{
    uint64_t *limit = rf_arena_new(call->arena, uint64_t, 1);
    if (limit == NULL) return rf_fail_memory(err, call->arena);
    *limit = call->aggr->flags & FUNC_HIDDEN ? COLLECT_OLD_MAX : COLLECT_MAX;
    int64_t wanted;
    if (aggr_const_long(call, arg, &wanted) && call->consts[arg]->type != TYPE_BOOL)
        *limit = wanted < 0 ? 0 : (uint64_t)RF_MIN(wanted, (int64_t)COLLECT_MAX);
    call->state = limit;
    return RF_OK;
}
static enum rf_kind collect_prepare(struct aggr_call *call, struct rf_err *err)
{
    return limit_prepare(call, 1, err);
}
static enum rf_kind collect_if_prepare(struct aggr_call *call, struct rf_err *err)
{
    return limit_prepare(call, 2, err);
}
static uint64_t limit_of(const struct aggr_call *call) { return *(const uint64_t *)call->state; }

static bool is_null(const struct vec *v, uint32_t row)
{
    return vec_null(v, row) || (v->type == TYPE_DYNAMIC && dyn_is_null(vec_str(v, row)));
}

/* ---- make_list ---------------------------------------------------------------------------------------- */

static enum rf_kind list_add_rows(struct aggr_call *call, const struct vec *v, uint32_t count,
                                  const uint32_t *groups, uint8_t *states, bool with_nulls,
                                  struct rf_err *err)
{
    uint64_t limit = limit_of(call);
    for (uint32_t i = 0; i < count; i++) {
        struct aggr_array *list = AGGR_STATE(struct aggr_array, states, AGGR_GROUP(groups, i));
        if (list->count >= limit || (!with_nulls && is_null(v, i))) continue;
        struct value x = vec_value(v, i);
        if (!aggr_array_add(list, &x, call->arena)) return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

static enum rf_kind list_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                                const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    return list_add_rows(call, &args[0], count, groups, states, false, err);
}
static enum rf_kind list_nulls_update(struct aggr_call *call, const struct vec *args,
                                      uint32_t count, const uint32_t *groups, uint8_t *states,
                                      struct rf_err *err)
{
    return list_add_rows(call, &args[0], count, groups, states, true, err);
}
AGGR_WHERE(list_update_if, 1, list_update)

static enum rf_kind list_merge(struct aggr_call *call, uint8_t *into, const uint8_t *from,
                               struct rf_err *err)
{
    if (!aggr_array_append(AGGR_STATE(struct aggr_array, into, 0),
                           AGGR_STATE_OF(struct aggr_array, from), limit_of(call), call->arena))
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind emit_as(const struct aggr_array *list, enum dyn_tag tag, struct rf_arena *arena,
                            struct value *out, struct rf_err *err)
{
    rf_str d;
    if (!aggr_array_to_dyn(list, tag, arena, &d)) return rf_fail_memory(err, arena);
    *out = value_dyn(d);
    return RF_OK;
}

static enum rf_kind list_emit(struct aggr_call *call, const uint8_t *state, uint32_t column,
                              struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    (void)call, (void)column;
    return emit_as(AGGR_STATE_OF(struct aggr_array, state), DYN_ARRAY, arena, out, err);
}

/* ---- make_set ------------------------------------------------------------------------------------------ */

/* Elements of an array are members themselves; what is no array is a member whole. */
static bool set_add_dynamic(struct aggr_set *set, rf_str d, uint64_t limit, struct rf_arena *arena)
{
    if (dyn_tag(d) != DYN_ARRAY)
        return set->list.count >= limit || aggr_set_add_dyn(set, d, dyn_hash(d), arena);
    uint32_t count = dyn_count(d);
    for (uint32_t i = 0; i < count && set->list.count < limit; i++) {
        rf_str item = dyn_item(d, i);
        if (!dyn_is_null(item) && !aggr_set_add_dyn(set, item, dyn_hash(item), arena)) return false;
    }
    return true;
}

static enum rf_kind set_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                               const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    const struct vec *v = &args[0];
    AGGR_SCRATCH uint64_t hash[BATCH_ROWS];
    uint64_t limit = limit_of(call);
    AGGR_SCRATCH uint8_t seen[BATCH_ROWS];
    RF_ASSERT(count <= BATCH_ROWS);
    if (groups == NULL && v->shape == VEC_CONST) count = RF_MIN(count, 1u);
    /* In one group each entry of a small dictionary is offered once per batch. */
    bool mark = groups == NULL && v->shape == VEC_DICT && v->dict_count <= BATCH_ROWS;
    bool dynamic = v->type == TYPE_DYNAMIC;
    if (mark) memset(seen, 0, v->dict_count);
    if (!dynamic && !mark) vec_hash(v, count, false, hash);
    for (uint32_t i = 0; i < count; i++) {
        if (mark) {
            if (seen[v->codes[i]]) continue;
            seen[v->codes[i]] = 1;
        }
        struct aggr_set *set = AGGR_STATE(struct aggr_set, states, AGGR_GROUP(groups, i));
        if (set->list.count >= limit || is_null(v, i)) continue;
        struct value x = vec_value(v, i);
        bool ok = dynamic ? set_add_dynamic(set, x.s, limit, call->arena)
                          : aggr_set_add(set, &x, mark ? value_hash(&x) : hash[i], call->arena);
        if (!ok) return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}
AGGR_WHERE(set_update_if, 1, set_update)

static enum rf_kind set_merge_as(struct aggr_call *call, uint8_t *into, const uint8_t *from,
                                 enum aggr_set_kind kind, struct rf_err *err)
{
    if (!aggr_set_merge(AGGR_STATE(struct aggr_set, into, 0), AGGR_STATE_OF(struct aggr_set, from),
                        kind, limit_of(call), call->arena))
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}
static enum rf_kind set_merge(struct aggr_call *call, uint8_t *into, const uint8_t *from,
                              struct rf_err *err)
{
    bool mixed = call->arg_types[0] == TYPE_DYNAMIC;
    return set_merge_as(call, into, from, mixed ? AGGR_SET_MIXED : AGGR_SET_TYPED, err);
}

static enum rf_kind set_emit(struct aggr_call *call, const uint8_t *state, uint32_t column,
                             struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    (void)call, (void)column;
    return emit_as(&AGGR_STATE_OF(struct aggr_set, state)->list, DYN_ARRAY, arena, out, err);
}

/* ---- make_bag ------------------------------------------------------------------------------------------ */

static enum rf_kind bag_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                               const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    uint64_t limit = limit_of(call);
    for (uint32_t i = 0; i < count; i++) {
        if (vec_null(&args[0], i)) continue;
        rf_str bag = vec_str(&args[0], i);
        if (dyn_tag(bag) != DYN_BAG) continue;
        struct aggr_set *set = AGGR_STATE(struct aggr_set, states, AGGR_GROUP(groups, i));
        uint32_t entries = dyn_count(bag);
        for (uint32_t k = 0; k < entries && set->list.count < limit; k++) {
            rf_str key, value;
            dyn_entry(bag, k, &key, &value);
            if (!aggr_set_add_entry(set, key, value, rf_hash(key.ptr, key.len, 0), call->arena))
                return rf_fail_memory(err, call->arena);
        }
    }
    return RF_OK;
}
AGGR_WHERE(bag_update_if, 1, bag_update)

static enum rf_kind bag_merge(struct aggr_call *call, uint8_t *into, const uint8_t *from,
                              struct rf_err *err)
{
    return set_merge_as(call, into, from, AGGR_SET_ENTRIES, err);
}

static enum rf_kind bag_emit(struct aggr_call *call, const uint8_t *state, uint32_t column,
                             struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    (void)call, (void)column;
    return emit_as(&AGGR_STATE_OF(struct aggr_set, state)->list, DYN_BAG, arena, out, err);
}

/* ---- table ---------------------------------------------------------------------------------------------- */

#define SIGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define COLLECT_SIGS SIGS("(value:any, [maxSize:long]) dynamic")
#define COLLECT_IF_SIGS SIGS("(value:any, predicate:bool, [maxSize:long]) dynamic")
#define LIST(name, doc, sigs, flags, prepare, update)                                              \
    {                                                                                              \
        name, doc, sigs, sizeof(struct aggr_array), flags, NULL, prepare, update, list_merge,      \
            list_emit                                                                              \
    }
#define SET(name, doc, sigs, flags, prepare, update)                                               \
    {                                                                                              \
        name, doc, sigs, sizeof(struct aggr_set), flags, NULL, prepare, update, set_merge,         \
            set_emit                                                                               \
    }
#define BAG(name, doc, sigs, flags, prepare, update)                                               \
    {                                                                                              \
        name, doc, sigs, sizeof(struct aggr_set), flags, NULL, prepare, update, bag_merge,         \
            bag_emit                                                                               \
    }
#define PICK(name, doc, sigs, flags, update, merge)                                                \
    {                                                                                              \
        name, doc, sigs, PICK_STATE_BYTES, flags, aggr_pick_resolve, NULL, update, merge,          \
            aggr_pick_emit                                                                         \
    }
#define PICK_IF(name, doc, flags)                                                                  \
    {                                                                                              \
        name, doc, SIGS("(value:T, predicate:bool) T"), PICK_STATE_BYTES, flags, NULL, NULL,       \
            aggr_take_any_update_if, aggr_take_any_merge, aggr_pick_emit                           \
    }

const struct aggr aggr_collect[] = {
    LIST("make_list", "Array of the values that are not null, in order of arrival.", COLLECT_SIGS,
         0, collect_prepare, list_update),
    LIST("make_list_if", "make_list over the rows where the predicate is true.", COLLECT_IF_SIGS, 0,
         collect_if_prepare, list_update_if),
    LIST("make_list_with_nulls", "Array of all values, nulls too, in order of arrival.",
         COLLECT_SIGS, 0, collect_prepare, list_nulls_update),
    LIST("makelist", "Old name of make_list; 128 values unless told otherwise.", COLLECT_SIGS,
         FUNC_HIDDEN, collect_prepare, list_update),
    SET("make_set", "Array of the different values; elements of arrays count as values.",
        COLLECT_SIGS, 0, collect_prepare, set_update),
    SET("make_set_if", "make_set over the rows where the predicate is true.", COLLECT_IF_SIGS, 0,
        collect_if_prepare, set_update_if),
    SET("makeset", "Old name of make_set; 128 values unless told otherwise.", COLLECT_SIGS,
        FUNC_HIDDEN, collect_prepare, set_update),
    BAG("make_bag", "One bag of all entries of bags; the first value of a key stays.",
        SIGS("(bag:dynamic, [maxSize:long]) dynamic"), 0, collect_prepare, bag_update),
    BAG("make_bag_if", "make_bag over the rows where the predicate is true.",
        SIGS("(bag:dynamic, predicate:bool, [maxSize:long]) dynamic"), 0, collect_if_prepare,
        bag_update_if),
    BAG("make_dictionary", "Old name of make_bag; 128 entries unless told otherwise.",
        SIGS("(bag:dynamic, [maxSize:long]) dynamic"), FUNC_HIDDEN, collect_prepare, bag_update),
    PICK("take_any", "Some value, one that is not null if there is; several come from one row.",
         SIGS("(value:T) T", "(value:any...) dynamic"), 0, aggr_take_any_update,
         aggr_take_any_merge),
    PICK_IF("take_anyif", "take_any over the rows where the predicate is true.", 0),
    PICK("any", "Old name of take_any.", SIGS("(value:T) T", "(value:any...) dynamic"), FUNC_HIDDEN,
         aggr_take_any_update, aggr_take_any_merge),
    PICK_IF("anyif", "Old name of take_anyif.", FUNC_HIDDEN),
    PICK("arg_max", "Largest first argument and the other arguments of that row.",
         SIGS("(maximized:T) T", "(maximized:any, returned:any...) dynamic"), 0,
         aggr_arg_max_update, aggr_arg_max_merge),
    PICK("arg_min", "Smallest first argument and the other arguments of that row.",
         SIGS("(minimized:T) T", "(minimized:any, returned:any...) dynamic"), 0,
         aggr_arg_min_update, aggr_arg_min_merge),
    PICK("argmax", "Old name of arg_max.",
         SIGS("(maximized:T) T", "(maximized:any, returned:any...) dynamic"), FUNC_HIDDEN,
         aggr_arg_max_update, aggr_arg_max_merge),
    PICK("argmin", "Old name of arg_min.",
         SIGS("(minimized:T) T", "(minimized:any, returned:any...) dynamic"), FUNC_HIDDEN,
         aggr_arg_min_update, aggr_arg_min_merge),
    {"buildschema", "Smallest schema that admits all values; null when there is none.",
     SIGS("(value:dynamic) dynamic"), SCHEMA_STATE_BYTES, 0, NULL, NULL, aggr_schema_update,
     aggr_schema_merge, aggr_schema_emit},
};
const size_t aggr_collect_count = RF_COUNT(aggr_collect);
