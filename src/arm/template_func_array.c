/* template_func_array.c - arrays, and what works on arrays, objects and texts alike. */
#include "arm/template_expr.h"
#include "base/json.h"

#include <stdlib.h>

static struct rf_arena *arena_of(const struct template_call *call)
{
    return call->frame->run->arena;
}

static enum rf_kind wrong(const struct template_call *call, struct rf_err *err)
{
    return template_fail(call, err, "a value of type '%s' is not what it works on.",
                         template_type_name(call->args[0]));
}

/* ---- making ----------------------------------------------------------------------------------------------------------- */

static enum rf_kind run_create_array(const struct template_call *call, struct json_node **out,
                                     struct rf_err *err)
{
    struct json_node *array;
    RF_TRY(template_give_new(call, JSON_T_ARRAY, &array, err));
    for (uint32_t i = 0; i < call->count; i++)
        RF_TRY(template_add(call, array, call->args[i], err));
    *out = array;
    return RF_OK;
}

static enum rf_kind run_array(const struct template_call *call, struct json_node **out,
                              struct rf_err *err)
{
    if (!json_is(call->args[0], JSON_T_ARRAY)) return run_create_array(call, out, err);
    *out = call->args[0];
    return RF_OK;
}

static enum rf_kind add_items(const struct template_call *call, struct json_node *into,
                              const struct json_node *from, struct rf_err *err)
{
    for (const struct json_node *item = from->first; item != NULL; item = item->next)
        RF_TRY(template_add(call, into, item, err));
    return RF_OK;
}

static enum rf_kind concat_texts(const struct template_call *call, struct json_node **out,
                                 struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena_of(call));
    for (uint32_t i = 0; i < call->count; i++) {
        rf_str text;
        if (json_is(call->args[i], JSON_T_ARRAY) || json_is(call->args[i], JSON_T_OBJECT))
            return template_fail(call, err,
                                 "parameter %u is of type '%s': either all are arrays, or none is "
                                 "an array or an object.",
                                 i + 1, template_type_name(call->args[i]));
        RF_TRY(template_text_of(call, call->args[i], &text, err));
        rf_buf_str(&buf, text);
    }
    if (buf.failed) return rf_fail_memory(err, arena_of(call));
    return template_give_text(call, rf_buf_view(&buf), out, err);
}

static enum rf_kind run_concat(const struct template_call *call, struct json_node **out,
                               struct rf_err *err)
{
    struct json_node *array;
    if (call->count == 0 || !json_is(call->args[0], JSON_T_ARRAY))
        return concat_texts(call, out, err);
    RF_TRY(template_give_new(call, JSON_T_ARRAY, &array, err));
    for (uint32_t i = 0; i < call->count; i++) {
        RF_TRY(template_arg_is(call, i, JSON_T_ARRAY, err));
        RF_TRY(add_items(call, array, call->args[i], err));
    }
    *out = array;
    return RF_OK;
}

static enum rf_kind run_range(const struct template_call *call, struct json_node **out,
                              struct rf_err *err)
{
    int64_t start, count;
    struct json_node *array;
    RF_TRY(template_arg_int(call, 0, &start, err));
    RF_TRY(template_arg_int(call, 1, &count, err));
    if (count < 0 || count > TEMPLATE_ITEMS_MAX || start > INT32_MAX || start < INT32_MIN)
        return template_fail(call, err, "the count must be from 0 to %d.", TEMPLATE_ITEMS_MAX);
    RF_TRY(template_give_new(call, JSON_T_ARRAY, &array, err));
    for (int64_t i = 0; i < count; i++) {
        struct json_node *number;
        RF_TRY(template_give_int(call, start + i, &number, err));
        RF_TRY(template_add(call, array, number, err));
    }
    *out = array;
    return RF_OK;
}

static enum rf_kind run_flatten(const struct template_call *call, struct json_node **out,
                                struct rf_err *err)
{
    struct json_node *array;
    RF_TRY(template_arg_is(call, 0, JSON_T_ARRAY, err));
    RF_TRY(template_give_new(call, JSON_T_ARRAY, &array, err));
    for (const struct json_node *item = call->args[0]->first; item != NULL; item = item->next) {
        if (item->type == JSON_T_ARRAY)
            RF_TRY(add_items(call, array, item, err));
        else
            RF_TRY(template_add(call, array, item, err));
    }
    *out = array;
    return RF_OK;
}

/* ---- looking ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind run_length(const struct template_call *call, struct json_node **out,
                               struct rf_err *err)
{
    const struct json_node *value = call->args[0];
    if (value->type == JSON_T_STRING)
        return template_give_int(call, (int64_t)rf_utf8_count(value->text), out, err);
    if (value->type < JSON_T_ARRAY) return wrong(call, err);
    return template_give_int(call, value->count, out, err);
}

static enum rf_kind run_empty(const struct template_call *call, struct json_node **out,
                              struct rf_err *err)
{
    const struct json_node *value = call->args[0];
    bool empty = value->type == JSON_T_NULL ||
                 (value->type == JSON_T_STRING && value->text.len == 0) ||
                 (value->type >= JSON_T_ARRAY && value->count == 0);
    return template_give_bool(call, empty, out, err);
}

static const struct json_node *find_item(const struct json_node *array,
                                         const struct json_node *value, bool from_end,
                                         int64_t *index)
{
    const struct json_node *found = NULL;
    int64_t at = 0;
    *index = -1;
    for (const struct json_node *item = array->first; item != NULL; item = item->next, at++) {
        if (!template_equal(item, value)) continue;
        found = item;
        *index = at;
        if (!from_end) break;
    }
    return found;
}

static enum rf_kind run_contains(const struct template_call *call, struct json_node **out,
                                 struct rf_err *err)
{
    const struct json_node *in = call->args[0], *what = call->args[1];
    int64_t index;
    rf_str text;
    RF_TRY(template_step(call->frame->run, 1 + in->count + in->text.len / 256, err));
    if (in->type == JSON_T_ARRAY)
        return template_give_bool(call, find_item(in, what, false, &index) != NULL, out, err);
    if (in->type != JSON_T_STRING && in->type != JSON_T_OBJECT) return wrong(call, err);
    RF_TRY(template_text_of(call, what, &text, err));
    bool found = in->type == JSON_T_OBJECT ? json_get_nocase(in, text) != NULL
                                           : rf_str_find(in->text, text, 0) != SIZE_MAX;
    return template_give_bool(call, found, out, err);
}

/* Byte offset of the n-th code point, or the end. */
static size_t offset_of(rf_str text, uint64_t chars)
{
    size_t at = 0;
    while (chars-- > 0 && at < text.len) (void)rf_utf8_next(text, &at);
    return at;
}

static bool match_at(rf_str text, size_t at, rf_str word)
{
    return text.len - at >= word.len && rf_str_eq_nocase(rf_slice(text, at, at + word.len), word);
}

/* Case does not count; the index is of characters. */
static enum rf_kind text_index(const struct template_call *call, bool from_end, int64_t *index,
                               struct rf_err *err)
{
    rf_str text = call->args[0]->text, word;
    RF_TRY(template_arg_text(call, 1, &word, err));
    uint64_t steps = text.len / 64 * (1 + word.len / 64);
    RF_TRY(template_step(call->frame->run, steps, err));
    *index = -1;
    int64_t chars = 0;
    for (size_t at = 0; at <= text.len; chars++) {
        if (match_at(text, at, word)) {
            *index = chars;
            if (!from_end) return RF_OK;
        }
        if (at == text.len) break;
        (void)rf_utf8_next(text, &at);
    }
    return RF_OK;
}

static enum rf_kind index_of(const struct template_call *call, bool from_end,
                             struct json_node **out, struct rf_err *err)
{
    int64_t index;
    if (json_is(call->args[0], JSON_T_ARRAY)) {
        RF_TRY(template_step(call->frame->run, call->args[0]->count, err));
        (void)find_item(call->args[0], call->args[1], from_end, &index);
    } else if (json_is(call->args[0], JSON_T_STRING)) {
        RF_TRY(text_index(call, from_end, &index, err));
    } else {
        return wrong(call, err);
    }
    return template_give_int(call, index, out, err);
}

static enum rf_kind run_index_of(const struct template_call *call, struct json_node **out,
                                 struct rf_err *err)
{
    return index_of(call, false, out, err);
}

static enum rf_kind run_last_index_of(const struct template_call *call, struct json_node **out,
                                      struct rf_err *err)
{
    return index_of(call, true, out, err);
}

/* The characters [from, to) of a text. */
static rf_str chars_of(rf_str text, uint64_t from, uint64_t to)
{
    size_t begin = offset_of(text, from);
    size_t end = begin + offset_of(rf_slice(text, begin, text.len), to - from);
    return rf_slice(text, begin, end);
}

static enum rf_kind items_of(const struct template_call *call, const struct json_node *array,
                             uint64_t from, uint64_t to, struct json_node **out, struct rf_err *err)
{
    struct json_node *part;
    uint64_t at = 0;
    RF_TRY(template_give_new(call, JSON_T_ARRAY, &part, err));
    RF_TRY(template_step(call->frame->run, 1 + array->count / 32, err));
    for (const struct json_node *item = array->first; item != NULL && at < to;
         item = item->next, at++)
        if (at >= from) RF_TRY(template_add(call, part, item, err));
    *out = part;
    return RF_OK;
}

static enum rf_kind part_of(const struct template_call *call, uint64_t from, uint64_t to,
                            struct json_node **out, struct rf_err *err)
{
    const struct json_node *value = call->args[0];
    if (value->type == JSON_T_ARRAY) return items_of(call, value, from, to, out, err);
    if (value->type != JSON_T_STRING) return wrong(call, err);
    return template_give_text(call, chars_of(value->text, from, to), out, err);
}

static enum rf_kind run_take(const struct template_call *call, struct json_node **out,
                             struct rf_err *err)
{
    int64_t count;
    RF_TRY(template_arg_int(call, 1, &count, err));
    return part_of(call, 0, count < 0 ? 0 : (uint64_t)count, out, err);
}

static enum rf_kind run_skip(const struct template_call *call, struct json_node **out,
                             struct rf_err *err)
{
    int64_t count;
    RF_TRY(template_arg_int(call, 1, &count, err));
    return part_of(call, count < 0 ? 0 : (uint64_t)count, UINT32_MAX, out, err);
}

static enum rf_kind run_first(const struct template_call *call, struct json_node **out,
                              struct rf_err *err)
{
    const struct json_node *value = call->args[0];
    if (value->type == JSON_T_ARRAY && value->first != NULL) {
        *out = value->first;
        return RF_OK;
    }
    if (value->type == JSON_T_ARRAY) return template_give_null(call, out, err);
    if (value->type != JSON_T_STRING) return wrong(call, err);
    return template_give_text(call, chars_of(value->text, 0, 1), out, err);
}

static enum rf_kind run_last(const struct template_call *call, struct json_node **out,
                             struct rf_err *err)
{
    const struct json_node *value = call->args[0];
    if (value->type == JSON_T_ARRAY && value->last != NULL) {
        *out = value->last;
        return RF_OK;
    }
    if (value->type == JSON_T_ARRAY) return template_give_null(call, out, err);
    if (value->type != JSON_T_STRING) return wrong(call, err);
    size_t count = rf_utf8_count(value->text);
    return template_give_text(call, chars_of(value->text, count == 0 ? 0 : count - 1, count), out,
                              err);
}

/* The item that stands `back` places from the end, 1-based; NULL: none. */
static enum rf_kind item_from_end(const struct template_call *call, struct json_node **out,
                                  struct rf_err *err)
{
    int64_t back;
    *out = NULL;
    RF_TRY(template_arg_is(call, 0, JSON_T_ARRAY, err));
    RF_TRY(template_arg_int(call, 1, &back, err));
    if (back < 1 || back > call->args[0]->count) return RF_OK;
    *out = call->args[0]->first;
    for (int64_t i = call->args[0]->count - back; i > 0; i--) *out = (*out)->next;
    return RF_OK;
}

static enum rf_kind run_index_from_end(const struct template_call *call, struct json_node **out,
                                       struct rf_err *err)
{
    struct json_node *item;
    RF_TRY(item_from_end(call, &item, err));
    if (item == NULL) return template_fail(call, err, "the index is out of bounds.");
    *out = item;
    return RF_OK;
}

static enum rf_kind run_try_index_from_end(const struct template_call *call, struct json_node **out,
                                           struct rf_err *err)
{
    struct json_node *item;
    RF_TRY(item_from_end(call, &item, err));
    if (item == NULL) return template_give_null(call, out, err);
    *out = item;
    return RF_OK;
}

/* Follows names and indexes as far as they lead. */
static enum rf_kind run_try_get(const struct template_call *call, struct json_node **out,
                                struct rf_err *err)
{
    struct json_node *at = call->args[0];
    for (uint32_t i = 1; i < call->count && at != NULL; i++) {
        const struct json_node *key = call->args[i];
        int64_t index;
        RF_TRY(template_step(call->frame->run, 1 + at->count / 32, err));
        if (at->type == JSON_T_OBJECT && key->type == JSON_T_STRING) {
            at = json_get_nocase(at, key->text);
        } else if (at->type == JSON_T_ARRAY && key->type == JSON_T_NUMBER &&
                   template_whole(key->text, &index) && index >= 0 && index < at->count) {
            at = at->first;
            while (index-- > 0) at = at->next;
        } else {
            at = NULL;
        }
    }
    if (at == NULL) return template_give_null(call, out, err);
    *out = at;
    return RF_OK;
}

/* ---- sets ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind union_arrays(const struct template_call *call, struct json_node *into,
                                 struct rf_err *err)
{
    for (uint32_t i = 0; i < call->count; i++) {
        RF_TRY(template_arg_is(call, i, JSON_T_ARRAY, err));
        for (const struct json_node *item = call->args[i]->first; item != NULL; item = item->next) {
            int64_t index;
            RF_TRY(template_step(call->frame->run, 1 + into->count, err));
            if (find_item(into, item, false, &index) == NULL)
                RF_TRY(template_add(call, into, item, err));
        }
    }
    return RF_OK;
}

/* Objects within objects are merged too, deeper ones with an object for each level. */
static enum rf_kind merge_into(const struct template_call *call, struct json_node *into,
                               const struct json_node *from, bool deep, struct rf_err *err)
{
    for (const struct json_node *m = from->first; m != NULL; m = m->next) {
        const struct json_node *old = json_get_nocase(into, m->name);
        rf_str name = old == NULL ? m->name : old->name;
        if (!deep || !json_is(old, JSON_T_OBJECT) || m->type != JSON_T_OBJECT) {
            RF_TRY(template_put(call, into, name, m, err));
            continue;
        }
        struct json_node *both;
        RF_TRY(template_give_new(call, JSON_T_OBJECT, &both, err));
        RF_TRY(merge_into(call, both, old, false, err));
        RF_TRY(merge_into(call, both, m, true, err));
        RF_TRY(template_put(call, into, name, both, err));
    }
    return RF_OK;
}

static enum rf_kind run_union(const struct template_call *call, struct json_node **out,
                              struct rf_err *err)
{
    struct json_node *all;
    bool arrays = json_is(call->args[0], JSON_T_ARRAY);
    RF_TRY(template_give_new(call, arrays ? JSON_T_ARRAY : JSON_T_OBJECT, &all, err));
    if (arrays) RF_TRY(union_arrays(call, all, err));
    for (uint32_t i = 0; i < call->count && !arrays; i++) {
        RF_TRY(template_arg_is(call, i, JSON_T_OBJECT, err));
        RF_TRY(merge_into(call, all, call->args[i], true, err));
    }
    *out = all;
    return RF_OK;
}

static enum rf_kind run_shallow_merge(const struct template_call *call, struct json_node **out,
                                      struct rf_err *err)
{
    struct json_node *all;
    RF_TRY(template_arg_is(call, 0, JSON_T_ARRAY, err));
    RF_TRY(template_give_new(call, JSON_T_OBJECT, &all, err));
    for (const struct json_node *item = call->args[0]->first; item != NULL; item = item->next) {
        if (item->type != JSON_T_OBJECT)
            return template_fail(call, err, "the array must hold objects only.");
        RF_TRY(merge_into(call, all, item, false, err));
    }
    *out = all;
    return RF_OK;
}

/* Whether every argument behind the first has it. */
static enum rf_kind in_all(const struct template_call *call, const struct json_node *what,
                           bool arrays, bool *out, struct rf_err *err)
{
    *out = true;
    for (uint32_t i = 1; i < call->count && *out; i++) {
        RF_TRY(template_step(call->frame->run, 1 + call->args[i]->count, err));
        RF_TRY(template_arg_is(call, i, arrays ? JSON_T_ARRAY : JSON_T_OBJECT, err));
        int64_t index;
        const struct json_node *other = arrays ? find_item(call->args[i], what, false, &index)
                                               : json_get_nocase(call->args[i], what->name);
        *out = other != NULL && template_equal(what, other);
    }
    return RF_OK;
}

static enum rf_kind run_intersection(const struct template_call *call, struct json_node **out,
                                     struct rf_err *err)
{
    struct json_node *all;
    const struct json_node *first = call->args[0];
    bool arrays = json_is(first, JSON_T_ARRAY), keep;
    int64_t index;
    if (!arrays) RF_TRY(template_arg_is(call, 0, JSON_T_OBJECT, err));
    RF_TRY(template_give_new(call, first->type, &all, err));
    for (const struct json_node *item = first->first; item != NULL; item = item->next) {
        RF_TRY(in_all(call, item, arrays, &keep, err));
        if (!keep) continue;
        RF_TRY(template_step(call->frame->run, 1 + all->count, err));
        if (!arrays)
            RF_TRY(template_put(call, all, item->name, item, err));
        else if (find_item(all, item, false, &index) == NULL)
            RF_TRY(template_add(call, all, item, err));
    }
    *out = all;
    return RF_OK;
}

static const struct template_function functions[] = {
    {"createArray", 0, TEMPLATE_ARGS_MAX, run_create_array, 0},
    {"array", 1, 1, run_array, 0},
    {"concat", 0, TEMPLATE_ARGS_MAX, run_concat, 0},
    {"range", 2, 2, run_range, 0},
    {"flatten", 1, 1, run_flatten, 0},
    {"length", 1, 1, run_length, 0},
    {"empty", 1, 1, run_empty, 0},
    {"contains", 2, 2, run_contains, 0},
    {"indexOf", 2, 2, run_index_of, 0},
    {"lastIndexOf", 2, 2, run_last_index_of, 0},
    {"take", 2, 2, run_take, 0},
    {"skip", 2, 2, run_skip, 0},
    {"first", 1, 1, run_first, 0},
    {"last", 1, 1, run_last, 0},
    {"indexFromEnd", 2, 2, run_index_from_end, 0},
    {"tryIndexFromEnd", 2, 2, run_try_index_from_end, 0},
    {"tryGet", 2, TEMPLATE_ARGS_MAX, run_try_get, 0},
    {"union", 1, TEMPLATE_ARGS_MAX, run_union, 0},
    {"shallowMerge", 1, 1, run_shallow_merge, 0},
    {"intersection", 2, TEMPLATE_ARGS_MAX, run_intersection, 0},
};
const struct template_family template_func_array = {functions, RF_COUNT(functions)};
