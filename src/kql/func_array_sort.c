/* func_array_sort.c - array_sort_asc() and array_sort_desc(): the first array decides, the others
 * follow; several arrays give an array of the sorted ones, one per column. */
#include "kql/func_array_int.h"

/* Arrays among the arguments: all but a bool at the end. */
static uint32_t sorted_count(uint32_t arg_count, enum type last_type)
{
    return arg_count > 1 && last_type == TYPE_BOOL ? arg_count - 1 : arg_count;
}

enum rf_kind array_sort_resolve(struct func_bind *bind, struct rf_err *err)
{
    uint32_t last = bind->arg_count - 1;
    uint32_t arrays = sorted_count(bind->arg_count, (enum type)bind->types[last]);
    for (uint32_t a = 0; a < arrays; a++) {
        if (bind->types[a] == TYPE_DYNAMIC) continue;
        return RF_FAIL(err, RF_INVALID, "BadArgument",
                       "%s() takes arrays and then true or false for nulls last; argument %u is %s",
                       bind->func->name, a + 1, type_name((enum type)bind->types[a]));
    }
    if (arrays < 2) return RF_OK;
    uint8_t *types = rf_arena_new(bind->arena, uint8_t, arrays);
    rf_str *names = rf_arena_new(bind->arena, rf_str, arrays);
    if (types == NULL || names == NULL) return rf_fail_memory(err, bind->arena);
    for (uint32_t a = 0; a < arrays; a++) {
        types[a] = TYPE_DYNAMIC;
        names[a] = RF_S("_sorted"); /* behind the name of the argument */
    }
    bind->tuple_count = arrays;
    bind->tuple_names = names;
    bind->tuple_types = types;
    return RF_OK;
}

struct sort_state {
    const rf_str *items;
    bool descending, nulls_last;
};

/* Numbers and times, texts, guids, all others. */
static int sort_rank(rf_str d)
{
    switch (dyn_tag(d)) {
    case DYN_INT:
    case DYN_LONG:
    case DYN_REAL:
    case DYN_NUMTEXT:
    case DYN_DECIMAL:
    case DYN_DATETIME:
    case DYN_TIMESPAN:
        return 0;
    case DYN_STRING:
        return 1;
    case DYN_GUID:
        return 2;
    default:
        return 3;
    }
}

static int order_of_items(const void *opaque, uint32_t a, uint32_t b)
{
    const struct sort_state *state = opaque;
    rf_str x = state->items[a], y = state->items[b];
    bool null_x = dyn_is_null(x), null_y = dyn_is_null(y);
    if (null_x || null_y) return (null_x - null_y) * (state->nulls_last ? 1 : -1);
    int sign = sort_rank(x) - sort_rank(y);
    if (sign == 0) sign = dyn_cmp(x, y);
    return state->descending ? -sign : sign;
}

/* The order of the elements of `array`; NULL on lack of memory. */
static const uint32_t *sort_order(struct rf_arena *arena, rf_str array, bool descending,
                                  bool nulls_last)
{
    uint32_t count = dyn_count(array);
    rf_str *items = rf_arena_raw(arena, rf_str, count);
    uint32_t *order = rf_arena_raw(arena, uint32_t, (size_t)count * 2);
    if (items == NULL || order == NULL) return NULL;
    for (uint32_t i = 0; i < count; i++) {
        items[i] = dyn_item(array, i);
        order[i] = i;
    }
    struct sort_state state = {items, descending, nulls_last};
    dyn_sort(order, order + count, count, order_of_items, &state);
    return order;
}

/* Null when `array` has another length than the one that was sorted. */
static void put_ordered(struct rf_buf *buf, rf_str array, const uint32_t *order, uint32_t count)
{
    if (!arg_is_array(array) || dyn_count(array) != count) {
        dyn_put_null(buf);
        return;
    }
    struct dyn_builder sorted;
    dyn_begin_counted(&sorted, buf, DYN_ARRAY, count);
    for (uint32_t i = 0; i < count; i++) {
        dyn_next(&sorted);
        dyn_put_encoded(buf, dyn_item(array, order[i]));
    }
    dyn_end(&sorted);
}

static bool put_sorted(struct func_call *call, const struct vec *args, uint32_t row,
                       bool descending, struct rf_buf *buf)
{
    uint32_t last = call->arg_count - 1;
    uint32_t arrays = sorted_count(call->arg_count, (enum type)args[last].type);
    bool nulls_last = arrays > last || ARG_NULL(&args[last], row) || ARG_BOOL(&args[last], row);
    rf_str first = arg_dyn(&args[0], row);
    if (!arg_is_array(first)) return true;
    const uint32_t *order = sort_order(call->arena, first, descending, nulls_last);
    if (order == NULL) return false;
    if (arrays == 1) {
        put_ordered(buf, first, order, dyn_count(first));
        return true;
    }
    struct dyn_builder all;
    dyn_begin_counted(&all, buf, DYN_ARRAY, arrays);
    for (uint32_t a = 0; a < arrays; a++) {
        dyn_next(&all);
        put_ordered(buf, arg_dyn(&args[a], row), order, dyn_count(first));
    }
    dyn_end(&all);
    return true;
}

static enum rf_kind sort_kernel(struct func_call *call, const struct vec *args, uint32_t count,
                                struct vec *out, struct rf_err *err, bool descending)
{
    struct dyn_rows rows = dyn_rows_begin(call, out);
    for (uint32_t i = 0; i < count; i++) {
        if (!put_sorted(call, args, i, descending, &rows.buf))
            return rf_fail_memory(err, call->arena);
        dyn_rows_next(&rows, i);
    }
    return dyn_rows_end(&rows, count, err);
}

enum rf_kind array_sort_asc_kernel(struct func_call *call, const struct vec *args, uint32_t count,
                                   struct vec *out, struct rf_err *err)
{
    return sort_kernel(call, args, count, out, err, false);
}

enum rf_kind array_sort_desc_kernel(struct func_call *call, const struct vec *args, uint32_t count,
                                    struct vec *out, struct rf_err *err)
{
    return sort_kernel(call, args, count, out, err, true);
}
