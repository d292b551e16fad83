/* func_dynamic.c - JSON to dynamic and back, paths, sets. */
#include "kql/func_dynamic_int.h"
#include "value/text.h"

/* ---- JSON ------------------------------------------------------------------------------------ */

static enum rf_kind parse_json_kernel(struct func_call *call, const struct vec *args,
                                      uint32_t count, struct vec *out, struct rf_err *err)
{
    struct dyn_rows rows = dyn_rows_begin(call, out);
    for (uint32_t i = 0; i < count; i++) {
        if (!dyn_from_text(ARG_STR(&args[0], i), &rows.buf)) break;
        dyn_rows_next(&rows, i);
    }
    return dyn_rows_end(&rows, count, err);
}

static enum rf_kind same_kernel(struct func_call *call, const struct vec *args, uint32_t count,
                                struct vec *out, struct rf_err *err)
{
    (void)call, (void)err;
    for (uint32_t i = 0; i < count; i++) {
        rf_str d = arg_dyn(&args[0], i);
        OUT_STR(out)[i] = d;
        OUT_NULL(out)[i] = dyn_is_null(d);
    }
    return RF_OK;
}

static enum rf_kind to_dynamic_kernel(struct func_call *call, const struct vec *args,
                                      uint32_t count, struct vec *out, struct rf_err *err)
{
    struct dyn_rows rows = dyn_rows_begin(call, out);
    for (uint32_t i = 0; i < count; i++) {
        arg_put(&args[0], i, &rows.buf);
        dyn_rows_next(&rows, i);
    }
    return dyn_rows_end(&rows, count, err);
}

static enum rf_kind to_json_kernel(struct func_call *call, const struct vec *args, uint32_t count,
                                   struct vec *out, struct rf_err *err)
{
    struct dyn_rows rows = dyn_rows_begin(call, out);
    for (uint32_t i = 0; i < count; i++) {
        rf_str d = arg_dyn(&args[0], i);
        if (d.len != 0) dyn_put_json_sorted(d, &rows.buf);
        text_rows_next(&rows, i);
    }
    return dyn_rows_end(&rows, count, err);
}

/* ---- extract_json ---------------------------------------------------------------------------- */

/* The type that typeof(..) names, which arrives as a constant text. */
static enum rf_kind extract_json_resolve(struct func_bind *bind, struct rf_err *err)
{
    if (bind->arg_count < 3) return RF_OK;
    const struct value *type = bind->consts[2];
    rf_str name = type == NULL || type->null ? (rf_str){NULL, 0} : type->s;
    if (rf_str_starts(name, RF_S("typeof(")) && rf_str_ends(name, RF_S(")")))
        name = rf_str_trim(rf_slice(name, 7, name.len - 1));
    if (!type_parse(name, &bind->type))
        return RF_FAIL(
            err, RF_INVALID, "BadArgument",
            "extract_json() takes typeof(..) as its third argument, such as typeof(long)");
    return RF_OK;
}

/* Row `row` of the second argument as dynamic: parsed into `buf` when it is a text. Empty when the
 * text is no JSON. */
static rf_str json_argument(const struct vec *v, uint32_t row, struct rf_buf *buf)
{
    if (v->type == TYPE_DYNAMIC) {
        rf_str d = arg_dyn(v, row);
        if (dyn_tag(d) != DYN_STRING) return d;
        if (dyn_parse_json(dyn_string(d), buf, NULL) != RF_OK) return (rf_str){0};
        return dyn_done(buf);
    }
    if (dyn_parse_json(ARG_STR(v, row), buf, NULL) != RF_OK) return (rf_str){0};
    return dyn_done(buf);
}

static bool store_found(struct func_call *call, rf_str found, uint32_t row, struct vec *out)
{
    struct value value = dyn_to_value(found), converted;
    if (dyn_is_null(found)) {
        converted = value_null(call->type);
    } else if (call->type == TYPE_DYNAMIC) {
        converted = value_dyn(found);
        if (!value_copy(&converted, call->arena, &converted)) return false;
    } else if (call->type == TYPE_STRING) {
        struct rf_buf text = rf_buf_in(call->arena);
        dyn_put_text(found, &text);
        if (text.failed) return false;
        converted = value_str(rf_buf_view(&text));
    } else {
        if (value.type == TYPE_DYNAMIC)
            converted = value_null(call->type); /* an array or bag is no scalar */
        else if (!value_convert(&value, call->type, call->arena, &converted))
            return false;
    }
    vec_set(out, row, &converted);
    return true;
}

static enum rf_kind extract_json_kernel(struct func_call *call, const struct vec *args,
                                        uint32_t count, struct vec *out, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(call->arena);
    struct dyn_path path = {0};
    bool valid = false;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || ARG_STRIDE(&args[0])) valid = dyn_path_parse(ARG_STR(&args[0], i), &path);
        buf.len = 0;
        rf_str json = valid ? json_argument(&args[1], i, &buf) : (rf_str){0};
        if (buf.failed || !store_found(call, dyn_path_get(json, &path), i, out))
            return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

/* ---- treepath -------------------------------------------------------------------------------- */

struct tree_frame {
    rf_str list;
    uint32_t next;
    size_t path_bytes; /* of the path to the list itself */
};

/* Adds the path unless it was there, as it is after the first element of an array. */
static void note_path(struct dyn_builder *paths, struct dyn_set *seen, rf_str path)
{
    struct rf_buf encoded = rf_buf_in(seen->arena);
    dyn_put_string(&encoded, path);
    if (encoded.failed || !dyn_set_add(seen, dyn_done(&encoded))) {
        paths->buf->failed |= encoded.failed;
        return;
    }
    dyn_next(paths);
    dyn_put_encoded(paths->buf, dyn_done(&encoded));
}

/* Number of values inside `d`, itself counted. */
static uint64_t count_values(rf_str d)
{
    struct tree_frame frames[DYN_DEPTH_MAX + 1];
    uint32_t depth = 0;
    uint64_t count = 1;
    frames[depth++] = (struct tree_frame){d, 0, 0};
    while (depth > 0) {
        struct tree_frame *top = &frames[depth - 1];
        if (top->next == dyn_count(top->list)) {
            depth--;
            continue;
        }
        rf_str key, value;
        if (dyn_tag(top->list) == DYN_BAG)
            dyn_entry(top->list, top->next, &key, &value);
        else
            value = dyn_item(top->list, top->next);
        top->next++;
        count++;
        if (depth <= DYN_DEPTH_MAX) frames[depth++] = (struct tree_frame){value, 0, 0};
    }
    return count;
}

/* Steps to the next value of the list on top and appends its step to `path`. */
static rf_str next_value(struct tree_frame *top, struct rf_buf *path)
{
    path->len = top->path_bytes;
    uint32_t index = top->next++;
    if (dyn_tag(top->list) == DYN_ARRAY) {
        rf_buf_str(path, RF_S("[0]")); /* stands for any element */
        return dyn_item(top->list, index);
    }
    rf_str key, value;
    dyn_entry(top->list, index, &key, &value);
    rf_buf_str(path, RF_S("['"));
    rf_buf_str(path, key);
    rf_buf_str(path, RF_S("']"));
    return value;
}

static void put_tree_paths(struct func_call *call, rf_str d, struct rf_buf *buf)
{
    struct rf_buf path = rf_buf_in(call->arena);
    struct dyn_set seen;
    if (!dyn_set_init(&seen, call->arena, count_values(d))) {
        buf->failed = true;
        return;
    }
    struct dyn_builder paths;
    dyn_begin(&paths, buf, DYN_ARRAY);
    struct tree_frame frames[DYN_DEPTH_MAX + 1];
    uint32_t depth = 0;
    frames[depth++] = (struct tree_frame){d, 0, 0};
    while (depth > 0 && !buf->failed) {
        struct tree_frame *top = &frames[depth - 1];
        if (top->next == dyn_count(top->list)) {
            depth--;
            continue;
        }
        rf_str value = next_value(top, &path);
        buf->failed |= path.failed;
        note_path(&paths, &seen, rf_buf_view(&path));
        if (depth <= DYN_DEPTH_MAX) frames[depth++] = (struct tree_frame){value, 0, path.len};
    }
    dyn_end(&paths);
}

static enum rf_kind treepath_kernel(struct func_call *call, const struct vec *args, uint32_t count,
                                    struct vec *out, struct rf_err *err)
{
    struct dyn_rows rows = dyn_rows_begin(call, out);
    for (uint32_t i = 0; i < count; i++) {
        rf_str d = arg_dyn(&args[0], i);
        if (!dyn_is_null(d)) put_tree_paths(call, d, &rows.buf);
        dyn_rows_next(&rows, i);
    }
    return dyn_rows_end(&rows, count, err);
}

/* ---- sets ------------------------------------------------------------------------------------ */

static void put_array(struct rf_buf *buf, const rf_str *items, uint32_t count)
{
    struct dyn_builder array;
    dyn_begin_counted(&array, buf, DYN_ARRAY, count);
    for (uint32_t i = 0; i < count; i++) {
        dyn_next(&array);
        dyn_put_encoded(buf, items[i]);
    }
    dyn_end(&array);
}

static bool set_of_array(struct dyn_set *set, struct rf_arena *arena, rf_str array)
{
    if (!dyn_set_init(set, arena, dyn_count(array))) return false;
    for (uint32_t i = 0; i < dyn_count(array); i++) (void)dyn_set_add(set, dyn_item(array, i));
    return true;
}

/* Distinct elements of all arrays; null arguments count as empty, all null is null. */
static bool put_union(struct func_call *call, const struct vec *args, uint32_t row,
                      struct rf_buf *buf)
{
    uint64_t count = 0;
    bool any = false;
    for (uint32_t a = 0; a < call->arg_count; a++) {
        rf_str array = arg_dyn(&args[a], row);
        count += dyn_count(array);
        any |= arg_is_array(array);
    }
    if (!any) return true;
    struct dyn_set set;
    if (!dyn_set_init(&set, call->arena, count)) return false;
    for (uint32_t a = 0; a < call->arg_count; a++) {
        rf_str array = arg_dyn(&args[a], row);
        if (!arg_is_array(array)) continue;
        for (uint32_t i = 0; i < dyn_count(array); i++) (void)dyn_set_add(&set, dyn_item(array, i));
    }
    put_array(buf, set.items, set.count);
    return true;
}

/* Distinct elements of the first array that are in the others (`keep`), or not (!keep). */
static bool put_filtered(struct func_call *call, const struct vec *args, uint32_t row, bool keep,
                         struct rf_buf *buf)
{
    rf_str first = arg_dyn(&args[0], row);
    if (!arg_is_array(first)) return true;
    struct dyn_set set, other;
    if (!set_of_array(&set, call->arena, first)) return false;
    for (uint32_t a = 1; a < call->arg_count; a++) {
        rf_str array = arg_dyn(&args[a], row);
        if (!arg_is_array(array)) {
            if (keep) return true;
            continue;
        }
        if (!set_of_array(&other, call->arena, array)) return false;
        uint32_t kept = 0;
        for (uint32_t i = 0; i < set.count; i++)
            if (dyn_set_has(&other, set.items[i]) == keep) set.items[kept++] = set.items[i];
        set.count = kept;
    }
    put_array(buf, set.items, set.count);
    return true;
}

enum set_operation { SET_UNION, SET_INTERSECT, SET_DIFFERENCE };

static enum rf_kind set_kernel(struct func_call *call, const struct vec *args, uint32_t count,
                               struct vec *out, struct rf_err *err, enum set_operation operation)
{
    struct dyn_rows rows = dyn_rows_begin(call, out);
    for (uint32_t i = 0; i < count; i++) {
        bool ok = operation == SET_UNION
                      ? put_union(call, args, i, &rows.buf)
                      : put_filtered(call, args, i, operation == SET_INTERSECT, &rows.buf);
        if (!ok) return rf_fail_memory(err, call->arena);
        dyn_rows_next(&rows, i);
    }
    return dyn_rows_end(&rows, count, err);
}

static enum rf_kind set_union_kernel(struct func_call *call, const struct vec *args, uint32_t count,
                                     struct vec *out, struct rf_err *err)
{
    return set_kernel(call, args, count, out, err, SET_UNION);
}
static enum rf_kind set_intersect_kernel(struct func_call *call, const struct vec *args,
                                         uint32_t count, struct vec *out, struct rf_err *err)
{
    return set_kernel(call, args, count, out, err, SET_INTERSECT);
}
static enum rf_kind set_difference_kernel(struct func_call *call, const struct vec *args,
                                          uint32_t count, struct vec *out, struct rf_err *err)
{
    return set_kernel(call, args, count, out, err, SET_DIFFERENCE);
}

static enum rf_kind set_has_element_kernel(struct func_call *call, const struct vec *args,
                                           uint32_t count, struct vec *out, struct rf_err *err)
{
    struct rf_buf scratch = rf_buf_in(call->arena);
    rf_str wanted = {0};
    for (uint32_t i = 0; i < count; i++) {
        if ((i == 0 || ARG_STRIDE(&args[1])) && !arg_encode(&args[1], i, &scratch, &wanted))
            return rf_fail_memory(err, call->arena);
        rf_str array = arg_dyn(&args[0], i);
        uint32_t left = arg_is_array(array) ? dyn_count(array) : 0;
        while (left > 0 && !dyn_same(dyn_item(array, left - 1), wanted)) left--;
        OUT_BOOL(out)[i] = left > 0;
    }
    return RF_OK;
}

static enum rf_kind jaccard_kernel(struct func_call *call, const struct vec *args, uint32_t count,
                                   struct vec *out, struct rf_err *err)
{
    struct dyn_rows rows = dyn_rows_begin(call, out);
    for (uint32_t i = 0; i < count; i++) {
        rf_str a = arg_dyn(&args[0], i), b = arg_dyn(&args[1], i);
        struct dyn_set x, y;
        if (arg_is_array(a) && arg_is_array(b)) {
            if (!set_of_array(&x, call->arena, a) || !set_of_array(&y, call->arena, b))
                return rf_fail_memory(err, call->arena);
            uint32_t both = 0;
            for (uint32_t k = 0; k < x.count; k++) both += dyn_set_has(&y, x.items[k]);
            dyn_put_real(&rows.buf, (double)both / ((double)x.count + y.count - both));
        }
        dyn_rows_next(&rows, i);
    }
    return dyn_rows_end(&rows, count, err);
}

static enum rf_kind set_equals_kernel(struct func_call *call, const struct vec *args,
                                      uint32_t count, struct vec *out, struct rf_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        rf_str a = arg_dyn(&args[0], i), b = arg_dyn(&args[1], i);
        struct dyn_set x, y;
        OUT_BOOL(out)[i] = false;
        if (!arg_is_array(a) || !arg_is_array(b)) continue;
        if (!set_of_array(&x, call->arena, a) || !set_of_array(&y, call->arena, b))
            return rf_fail_memory(err, call->arena);
        uint32_t both = 0;
        for (uint32_t k = 0; k < x.count; k++) both += dyn_set_has(&y, x.items[k]);
        OUT_BOOL(out)[i] = both == x.count && both == y.count;
    }
    return RF_OK;
}

/* ---- the family ------------------------------------------------------------------------------ */

#define SIGS(...)                                                                                  \
    (const struct func_overload[])                                                                 \
    {                                                                                              \
        __VA_ARGS__, { NULL, NULL }                                                                \
    }
#define PARSE_SIGS                                                                                 \
    SIGS({"(text:string) dynamic", parse_json_kernel}, {"(value:dynamic) dynamic", same_kernel},   \
         {"(value:any) dynamic", to_dynamic_kernel})
#define EXTRACT_SIGS                                                                               \
    SIGS({"(path:string, json:string, [type:string]) string", extract_json_kernel},                \
         {"(path:string, json:dynamic, [type:string]) string", extract_json_kernel})

const struct func func_dynamic[] = {
    {"parse_json",
     "The value of a JSON text; a text that is no JSON becomes a string inside a dynamic.",
     PARSE_SIGS, .nulls = FUNC_CUSTOM, .column = "%"},
    {"parsejson", "Old name of parse_json().", PARSE_SIGS, .nulls = FUNC_CUSTOM,
     .flags = FUNC_HIDDEN, .column = "%"},
    {"todynamic", "The same as parse_json().", PARSE_SIGS, .nulls = FUNC_CUSTOM, .column = "%"},
    {"toobject", "Old name of parse_json().", PARSE_SIGS, .nulls = FUNC_CUSTOM,
     .flags = FUNC_HIDDEN, .column = "%"},
    {"dynamic_to_json",
     "JSON text with sorted keys, so that equal values give equal texts; null gives \"\".",
     SIGS({"(value:dynamic) string", to_json_kernel}), .nulls = FUNC_CUSTOM},
    {"extract_json",
     "The value at a path such as $.a['b'][0] of a JSON text, as text or as the type given; null "
     "when absent.",
     EXTRACT_SIGS, .nulls = FUNC_CUSTOM, .resolve = extract_json_resolve},
    {"extractjson", "Old name of extract_json().", EXTRACT_SIGS, .nulls = FUNC_CUSTOM,
     .flags = FUNC_HIDDEN, .resolve = extract_json_resolve},
    {"treepath",
     "Array of the paths to all values inside; [0] stands for the elements of an array.",
     SIGS({"(value:dynamic) dynamic", treepath_kernel}), .nulls = FUNC_CUSTOM, .column = "tree_%"},
    {"set_union", "Distinct elements of all the arrays; a null array counts as empty.",
     SIGS({"(arrays:dynamic...) dynamic", set_union_kernel}), .nulls = FUNC_CUSTOM},
    {"set_intersect", "Distinct elements that all the arrays share; null when one is no array.",
     SIGS({"(arrays:dynamic...) dynamic", set_intersect_kernel}), .nulls = FUNC_CUSTOM},
    {"set_difference", "Distinct elements of the first array that are in none of the others.",
     SIGS({"(array:dynamic, others:dynamic...) dynamic", set_difference_kernel}),
     .nulls = FUNC_CUSTOM},
    {"set_has_element", "Whether the array holds the value; false when it is no array.",
     SIGS({"(array:dynamic, value:any) bool", set_has_element_kernel}), .nulls = FUNC_CUSTOM},
    {"set_equals", "Whether two arrays have the same elements; order and repeats do not count.",
     SIGS({"(a:dynamic, b:dynamic) bool", set_equals_kernel}), .nulls = FUNC_CUSTOM},
    {"jaccard_index",
     "Size of the intersection of two arrays by that of their union, 0 to 1; nan for two empty "
     "ones.",
     SIGS({"(a:dynamic, b:dynamic) dynamic", jaccard_kernel}), .nulls = FUNC_CUSTOM},
};
const size_t func_dynamic_count = RF_COUNT(func_dynamic);
