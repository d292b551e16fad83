/* func_bag.c - bags: packing, merging, keys. */
#include "kql/func_dynamic_int.h"
#include "value/text.h"

static bool arg_is_bag(rf_str d) { return dyn_tag(d) == DYN_BAG; }

/* ---- packing --------------------------------------------------------------------------------- */

static enum rf_kind bag_pack_resolve(struct func_bind *bind, struct rf_err *err)
{
    if (bind->arg_count % 2 == 0) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadArgument",
                   "%s() takes keys and values in turn, but %u arguments were given",
                   bind->func->name, bind->arg_count);
}

/* A key as text: a string, or whatever else as tostring() prints it, in `scratch`. */
static rf_str key_text(const struct vec *v, uint32_t row, struct rf_buf *scratch)
{
    if (v->type == TYPE_STRING) return ARG_STR(v, row);
    scratch->len = 0;
    struct value value = vec_value(v, row);
    if (!value.null) text_put_value(scratch, &value);
    return rf_buf_view(scratch);
}

static bool is_null_or_empty(const struct vec *v, uint32_t row)
{
    if (ARG_NULL(v, row)) return true;
    if (v->type == TYPE_STRING) return ARG_STR(v, row).len == 0;
    if (v->type != TYPE_DYNAMIC) return false;
    rf_str d = ARG_STR(v, row);
    return dyn_is_null(d) || (dyn_tag(d) == DYN_STRING && dyn_string(d).len == 0);
}

static enum rf_kind pack(struct func_call *call, const struct vec *args, uint32_t count,
                         struct vec *out, struct rf_err *err, bool skip_empty)
{
    struct dyn_rows rows = dyn_rows_begin(call, out);
    struct rf_buf scratch = rf_buf_in(call->arena);
    for (uint32_t i = 0; i < count && !rows.buf.failed; i++) {
        struct dyn_builder bag;
        dyn_begin(&bag, &rows.buf, DYN_BAG);
        for (uint32_t a = 0; a + 1 < call->arg_count; a += 2) {
            if (skip_empty && is_null_or_empty(&args[a + 1], i)) continue;
            dyn_key(&bag, key_text(&args[a], i, &scratch));
            arg_put(&args[a + 1], i, &rows.buf);
        }
        dyn_bag_unique(&bag, false);
        dyn_end(&bag);
        rows.buf.failed |= scratch.failed;
        dyn_rows_next(&rows, i);
    }
    return dyn_rows_end(&rows, count, err);
}

static enum rf_kind bag_pack_kernel(struct func_call *call, const struct vec *args, uint32_t count,
                                    struct vec *out, struct rf_err *err)
{
    return pack(call, args, count, out, err, false);
}

static enum rf_kind pack_all_ignore_nulls_kernel(struct func_call *call, const struct vec *args,
                                                 uint32_t count, struct vec *out,
                                                 struct rf_err *err)
{
    return pack(call, args, count, out, err, true);
}

static enum rf_kind bag_zip_kernel(struct func_call *call, const struct vec *args, uint32_t count,
                                   struct vec *out, struct rf_err *err)
{
    struct dyn_rows rows = dyn_rows_begin(call, out);
    for (uint32_t i = 0; i < count && !rows.buf.failed; i++) {
        rf_str keys = arg_dyn(&args[0], i), values = arg_dyn(&args[1], i);
        if (dyn_tag(keys) == DYN_ARRAY) {
            struct dyn_builder bag;
            dyn_begin(&bag, &rows.buf, DYN_BAG);
            for (uint32_t k = 0; k < dyn_count(keys); k++) {
                rf_str key = dyn_item(keys, k);
                if (dyn_tag(key) != DYN_STRING) continue;
                dyn_key(&bag, dyn_string(key));
                dyn_put_encoded(&rows.buf, dyn_item(values, k));
            }
            dyn_bag_unique(&bag, false);
            dyn_end(&bag);
        }
        dyn_rows_next(&rows, i);
    }
    return dyn_rows_end(&rows, count, err);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static enum rf_kind bag_keys_kernel(struct func_call *call, const struct vec *args, uint32_t count,
                                    struct vec *out, struct rf_err *err)
{
    struct dyn_rows rows = dyn_rows_begin(call, out);
    for (uint32_t i = 0; i < count && !rows.buf.failed; i++) {
        rf_str bag = arg_dyn(&args[0], i);
        if (arg_is_bag(bag)) {
            struct dyn_builder keys;
            dyn_begin_counted(&keys, &rows.buf, DYN_ARRAY, dyn_count(bag));
            for (uint32_t k = 0; k < dyn_count(bag); k++) {
                rf_str key, value;
                dyn_entry(bag, k, &key, &value);
                dyn_next(&keys);
                dyn_put_string(&rows.buf, key);
            }
            dyn_end(&keys);
        }
        dyn_rows_next(&rows, i);
    }
    return dyn_rows_end(&rows, count, err);
}

/* A key is there also when its value is null, so looking for a value is not enough. */
static bool has_path(rf_str d, const struct dyn_path *path)
{
    struct dyn_path parent = *path;
    parent.count--;
    rf_str holder = dyn_path_get(d, &parent), key = path->steps[parent.count].key;
    int64_t index = path->steps[parent.count].index;
    return key.ptr != NULL ? dyn_get(holder, key).len != 0 : dyn_item(holder, index).len != 0;
}

static enum rf_kind bag_has_key_kernel(struct func_call *call, const struct vec *args,
                                       uint32_t count, struct vec *out, struct rf_err *err)
{
    (void)call, (void)err;
    struct dyn_path path = {0};
    bool valid = false;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || ARG_STRIDE(&args[1])) valid = dyn_path_of_key(ARG_STR(&args[1], i), &path);
        OUT_BOOL(out)[i] = valid && path.count > 0 && has_path(arg_dyn(&args[0], i), &path);
    }
    return RF_OK;
}

/* ---- merging --------------------------------------------------------------------------------- */

static void put_entries(struct dyn_builder *bag, rf_str from)
{
    for (uint32_t i = 0; i < dyn_count(from); i++) {
        rf_str key, value;
        dyn_entry(from, i, &key, &value);
        dyn_key(bag, key);
        dyn_put_encoded(bag->buf, value);
    }
}

/* Arguments that are no bags add nothing; null when none is a bag. */
static enum rf_kind bag_merge_kernel(struct func_call *call, const struct vec *args, uint32_t count,
                                     struct vec *out, struct rf_err *err)
{
    struct dyn_rows rows = dyn_rows_begin(call, out);
    for (uint32_t i = 0; i < count && !rows.buf.failed; i++) {
        struct dyn_builder bag;
        bool any = false;
        for (uint32_t a = 0; a < call->arg_count; a++) {
            rf_str from = arg_dyn(&args[a], i);
            if (!arg_is_bag(from)) continue;
            if (!any) dyn_begin(&bag, &rows.buf, DYN_BAG);
            any = true;
            put_entries(&bag, from);
        }
        if (any) {
            dyn_bag_unique(&bag, true);
            dyn_end(&bag);
        }
        dyn_rows_next(&rows, i);
    }
    return dyn_rows_end(&rows, count, err);
}

/* ---- changing inside ------------------------------------------------------------------------- */

/* Copies `list` with the element of one step of `path` changed. The change is made from the inside
 * out: the levels of the path are walked down first, then built up again around the new value. */
struct level {
    rf_str list; /* the container at this level; empty where the path makes a new one */
    struct dyn_builder copy;
    uint32_t next; /* entry that follows the changed one; the count when it is to be added */
    bool found;
};

static uint32_t find_key(rf_str bag, rf_str key)
{
    uint32_t count = dyn_count(bag), i = 0;
    for (rf_str name, value; i < count; i++) {
        dyn_entry(bag, i, &name, &value);
        if (rf_str_eq(name, key)) break;
    }
    return i;
}

/* Where the step leads in `list`: an index below the count, or the count. */
static uint32_t find_step(rf_str list, const struct dyn_path *path, uint32_t step)
{
    uint32_t count = dyn_count(list);
    if (path->steps[step].key.ptr != NULL)
        return arg_is_bag(list) ? find_key(list, path->steps[step].key) : count;
    int64_t index = path->steps[step].index;
    if (index < 0) index += count;
    return dyn_tag(list) == DYN_ARRAY && index >= 0 && index < (int64_t)count ? (uint32_t)index
                                                                              : count;
}

static rf_str nth_value(rf_str list, uint32_t index)
{
    rf_str key, value;
    if (!arg_is_bag(list)) return dyn_item(list, index);
    dyn_entry(list, index, &key, &value);
    return value;
}

/* Appends elements from..to-1 of the level's container to its copy. */
static void copy_elements(struct level *level, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        rf_str key, value;
        if (arg_is_bag(level->list)) {
            dyn_entry(level->list, i, &key, &value);
            dyn_key(&level->copy, key);
        } else {
            value = dyn_item(level->list, i);
            dyn_next(&level->copy);
        }
        dyn_put_encoded(level->copy.buf, value);
    }
}

/* Begins the copy of level `step` up to the changed element. False when the path cannot go on here:
 * a key in an array, an index in a bag or past the end. A scalar is replaced by a new bag. */
static bool open_level(struct level *level, rf_str list, const struct dyn_path *path, uint32_t step,
                       struct rf_buf *buf)
{
    bool by_key = path->steps[step].key.ptr != NULL;
    bool array = dyn_tag(list) == DYN_ARRAY;
    if (array ? by_key : !by_key) return false;
    if (!array && !arg_is_bag(list)) list = (rf_str){0};
    uint32_t count = dyn_count(list), at = find_step(list, path, step);
    if (array && at == count) return false;
    level->list = list;
    level->found = at < count;
    level->next = level->found ? at + 1 : count;
    dyn_begin(&level->copy, buf, array ? DYN_ARRAY : DYN_BAG);
    copy_elements(level, 0, at);
    return true;
}

/* Writes `d` with the value at the path set. Returns false, with nothing to be kept, when the path
 * does not fit `d`. */
static bool put_with_value(rf_str d, const struct dyn_path *path, rf_str new_value,
                           struct rf_buf *buf)
{
    struct level levels[DYN_PATH_STEPS_MAX];
    for (uint32_t i = 0; i < path->count; i++) {
        struct level *level = &levels[i];
        if (!open_level(level, d, path, i, buf)) return false;
        if (path->steps[i].key.ptr != NULL)
            dyn_key(&level->copy, path->steps[i].key);
        else
            dyn_next(&level->copy);
        d = level->found ? nth_value(level->list, level->next - 1) : (rf_str){0};
    }
    dyn_put_encoded(buf, new_value);
    for (uint32_t i = path->count; i > 0; i--) {
        struct level *level = &levels[i - 1];
        copy_elements(level, level->next, dyn_count(level->list));
        dyn_end(&level->copy);
    }
    return true;
}

static enum rf_kind bag_set_key_kernel(struct func_call *call, const struct vec *args,
                                       uint32_t count, struct vec *out, struct rf_err *err)
{
    struct dyn_rows rows = dyn_rows_begin(call, out);
    struct rf_buf scratch = rf_buf_in(call->arena);
    struct dyn_path path = {0};
    bool valid = false;
    for (uint32_t i = 0; i < count && !rows.buf.failed; i++) {
        if (i == 0 || ARG_STRIDE(&args[1])) valid = dyn_path_of_key(ARG_STR(&args[1], i), &path);
        rf_str bag = arg_dyn(&args[0], i), value;
        if (!arg_encode(&args[2], i, &scratch, &value)) return rf_fail_memory(err, call->arena);
        if (arg_is_bag(bag) && valid && path.count > 0 &&
            !put_with_value(bag, &path, value, &rows.buf)) {
            rows.buf.len = rows.start;
            dyn_put_encoded(&rows.buf, bag);
        }
        dyn_rows_next(&rows, i);
    }
    return dyn_rows_end(&rows, count, err);
}

/* Writes `d` without what the path leads to; false when it leads nowhere. */
static bool put_without(rf_str d, const struct dyn_path *path, struct rf_buf *buf)
{
    struct level levels[DYN_PATH_STEPS_MAX];
    uint32_t last = path->count - 1;
    for (uint32_t i = 0; i < path->count; i++) {
        struct level *level = &levels[i];
        if (find_step(d, path, i) == dyn_count(d) || !open_level(level, d, path, i, buf))
            return false;
        if (i == last) break;
        if (path->steps[i].key.ptr != NULL)
            dyn_key(&level->copy, path->steps[i].key);
        else
            dyn_next(&level->copy);
        d = nth_value(level->list, level->next - 1);
    }
    for (uint32_t i = path->count; i > 0; i--) {
        struct level *level = &levels[i - 1];
        copy_elements(level, level->next, dyn_count(level->list));
        dyn_end(&level->copy);
    }
    return true;
}

/* Writes a bag without the plain keys of `keys`; the paths among them come after. */
static void put_without_keys(rf_str bag, rf_str keys, struct rf_buf *buf)
{
    struct dyn_builder copy;
    dyn_begin(&copy, buf, DYN_BAG);
    for (uint32_t i = 0; i < dyn_count(bag); i++) {
        rf_str key, value;
        dyn_entry(bag, i, &key, &value);
        uint32_t left = dyn_count(keys);
        for (; left > 0; left--) {
            rf_str dropped = dyn_item(keys, left - 1);
            if (dyn_tag(dropped) == DYN_STRING && rf_str_eq(dyn_string(dropped), key)) break;
        }
        if (left > 0) continue;
        dyn_key(&copy, key);
        dyn_put_encoded(buf, value);
    }
    dyn_end(&copy);
}

static void put_removed(struct func_call *call, rf_str bag, rf_str keys, struct rf_buf *buf)
{
    size_t start = buf->len;
    put_without_keys(bag, keys, buf);
    for (uint32_t k = 0; k < dyn_count(keys) && !buf->failed; k++) {
        rf_str key = dyn_string(dyn_item(keys, k));
        struct dyn_path path;
        if (key.len < 2 || key.ptr[0] != '$' || !dyn_path_of_key(key, &path) || path.count == 0)
            continue;
        struct rf_buf changed = rf_buf_in(call->arena);
        bool found = put_without(rf_slice(dyn_done(buf), start, buf->len), &path, &changed);
        buf->failed |= changed.failed;
        if (!found || buf->failed) continue;
        buf->len = start;
        dyn_put_encoded(buf, dyn_done(&changed));
    }
}

static enum rf_kind bag_remove_keys_kernel(struct func_call *call, const struct vec *args,
                                           uint32_t count, struct vec *out, struct rf_err *err)
{
    struct dyn_rows rows = dyn_rows_begin(call, out);
    for (uint32_t i = 0; i < count && !rows.buf.failed; i++) {
        rf_str bag = arg_dyn(&args[0], i), keys = arg_dyn(&args[1], i);
        if (arg_is_bag(bag)) put_removed(call, bag, keys, &rows.buf);
        dyn_rows_next(&rows, i);
    }
    return dyn_rows_end(&rows, count, err);
}

/* ---- the family ------------------------------------------------------------------------------ */

#define SIGS(...)                                                                                  \
    (const struct func_overload[])                                                                 \
    {                                                                                              \
        __VA_ARGS__, { NULL, NULL }                                                                \
    }
#define BAG_FUNC(func_name, doc_line, sig)                                                         \
    {                                                                                              \
        .name = #func_name, .doc = doc_line, .sigs = SIGS({sig, func_name##_kernel}),              \
        .nulls = FUNC_CUSTOM                                                                       \
    }
#define PACK_FUNC(func_name, doc_line, hidden, func_kernel)                                        \
    {                                                                                              \
        .name = #func_name, .doc = doc_line,                                                       \
        .sigs =                                                                                    \
            SIGS({"() dynamic", func_kernel}, {"(keys_and_values:any...) dynamic", func_kernel}),  \
        .nulls = FUNC_CUSTOM, .flags = hidden, .resolve = bag_pack_resolve                         \
    }

const struct func func_bag[] = {
    PACK_FUNC(bag_pack, "Bag of keys and values given in turn; of equal keys the last value stays.",
              0, bag_pack_kernel),
    PACK_FUNC(pack, "Old name of bag_pack().", FUNC_HIDDEN, bag_pack_kernel),
    PACK_FUNC(pack_dictionary, "Old name of bag_pack().", FUNC_HIDDEN, bag_pack_kernel),
    PACK_FUNC(pack_all_ignore_nulls,
              "What pack_all(true) means: bag_pack() without nulls and empty texts.", FUNC_HIDDEN,
              pack_all_ignore_nulls_kernel),
    BAG_FUNC(bag_zip,
             "Bag of an array of keys and one of values; missing values are null, keys that are no "
             "texts drop out.",
             "(keys:dynamic, values:dynamic) dynamic"),
    BAG_FUNC(bag_keys, "Array of the bag's own keys; null for anything that is no bag.",
             "(bag:dynamic) dynamic"),
    BAG_FUNC(bag_has_key,
             "Whether the bag holds the key, or the path such as $.a.b leads somewhere.",
             "(bag:dynamic, key:string) bool"),
    BAG_FUNC(bag_merge, "One bag of all; of equal keys the leftmost bag's value stays.",
             "(bags:dynamic...) dynamic"),
    BAG_FUNC(bag_set_key,
             "The bag with the key, or what a path such as $.a.b leads to, set to the value.",
             "(bag:dynamic, key:string, value:any) dynamic"),
    BAG_FUNC(bag_remove_keys, "The bag without the keys, or paths such as $.a.b, of the array.",
             "(bag:dynamic, keys:dynamic) dynamic"),
};
const size_t func_bag_count = RF_COUNT(func_bag);
