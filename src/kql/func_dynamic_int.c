#include "kql/func_dynamic_int.h"

/* ---- arguments and results ------------------------------------------------------------------- */

void arg_put(const struct vec *v, uint32_t row, struct rf_buf *buf)
{
    if (v->type == TYPE_DYNAMIC) {
        dyn_put_encoded(buf, arg_dyn(v, row));
        return;
    }
    struct value value = vec_value(v, row);
    dyn_put_value(buf, &value);
}

bool arg_encode(const struct vec *v, uint32_t row, struct rf_buf *scratch, rf_str *out)
{
    if (v->type == TYPE_DYNAMIC) {
        *out = arg_dyn(v, row);
        return true;
    }
    scratch->len = 0;
    arg_put(v, row, scratch);
    *out = dyn_done(scratch);
    return !scratch->failed;
}

struct dyn_rows dyn_rows_begin(struct func_call *call, struct vec *out)
{
    return (struct dyn_rows){.buf = rf_buf_in(call->arena), .out = out};
}

/* The buffer may still move, so a cell gets its length now and its place at the end. */
void text_rows_next(struct dyn_rows *rows, uint32_t row)
{
    OUT_STR(rows->out)[row] = (rf_str){NULL, rows->buf.len - rows->start};
    rows->start = rows->buf.len;
}

void dyn_rows_next(struct dyn_rows *rows, uint32_t row)
{
    bool null =
        rows->buf.failed || rows->buf.len == rows->start || rows->buf.ptr[rows->start] == DYN_NULL;
    if (null) rows->buf.len = rows->start;
    OUT_NULL(rows->out)[row] = null;
    text_rows_next(rows, row);
}

enum rf_kind dyn_rows_end(struct dyn_rows *rows, uint32_t count, struct rf_err *err)
{
    if (rows->buf.failed) return rf_fail_memory(err, rows->buf.arena);
    const uint8_t *at = rows->buf.ptr;
    rf_str *cells = OUT_STR(rows->out);
    for (uint32_t i = 0; i < count; i++) {
        if (cells[i].len == 0) continue;
        cells[i].ptr = at;
        at += cells[i].len;
    }
    return RF_OK;
}

/* ---- paths ----------------------------------------------------------------------------------- */

static size_t quoted_end(rf_str text, size_t from)
{
    size_t at = from + 1;
    while (at < text.len && text.ptr[at] != text.ptr[from]) at++;
    return at;
}

/* Reads ['key'], ["key"] or [index] at *at. */
static bool bracket_step(rf_str text, size_t *at, struct dyn_path *path)
{
    size_t from = *at + 1, to;
    if (from >= text.len) return false;
    if (text.ptr[from] == '\'' || text.ptr[from] == '"') {
        to = quoted_end(text, from);
        if (to >= text.len) return false;
        path->steps[path->count].key = rf_slice(text, from + 1, to);
        to++;
    } else {
        bool negative = text.ptr[from] == '-';
        int64_t index = 0;
        for (to = from += negative; to < text.len && rf_is_digit(text.ptr[to]); to++) {
            index = index * 10 + (text.ptr[to] - '0');
            if (index > UINT32_MAX) return false;
        }
        if (to == from) return false;
        path->steps[path->count].key = (rf_str){0};
        path->steps[path->count].index = negative ? -index : index;
    }
    if (to >= text.len || text.ptr[to] != ']') return false;
    *at = to + 1;
    return true;
}

/* Reads a bare name at *at, up to the next point or bracket. */
static bool name_step(rf_str text, size_t *at, struct dyn_path *path)
{
    size_t to = *at;
    while (to < text.len && text.ptr[to] != '.' && text.ptr[to] != '[') to++;
    rf_str name = rf_slice(text, *at, to);
    if (name.len == 0 || rf_str_eq(name, RF_S("*"))) return false;
    path->steps[path->count].key = name;
    *at = to;
    return true;
}

bool dyn_path_parse(rf_str text, struct dyn_path *path)
{
    path->count = 0;
    text = rf_str_trim(text);
    if (text.len == 0 || text.ptr[0] != '$') return false;
    for (size_t at = 1; at < text.len; path->count++) {
        if (path->count == DYN_PATH_STEPS_MAX) return false;
        if (text.ptr[at] == '[') {
            if (!bracket_step(text, &at, path)) return false;
            continue;
        }
        /* "$name" without a point stands in many a published query. */
        if (text.ptr[at] == '.') at++;
        if (!name_step(text, &at, path)) return false;
    }
    return true;
}

bool dyn_path_of_key(rf_str key, struct dyn_path *path)
{
    if (key.len >= 2 && key.ptr[0] == '$' && (key.ptr[1] == '.' || key.ptr[1] == '['))
        return dyn_path_parse(key, path);
    path->count = 1;
    path->steps[0].key = key.len == 0 ? RF_S("") : key; /* a pointer, since NULL marks an index */
    return true;
}

rf_str dyn_path_get(rf_str d, const struct dyn_path *path)
{
    for (uint32_t i = 0; i < path->count && d.len != 0; i++) {
        bool by_key = path->steps[i].key.ptr != NULL;
        d = by_key ? dyn_get(d, path->steps[i].key) : dyn_item(d, path->steps[i].index);
    }
    return d;
}

/* ---- sets ------------------------------------------------------------------------------------ */

bool dyn_set_init(struct dyn_set *set, struct rf_arena *arena, uint64_t count_max)
{
    *set = (struct dyn_set){.arena = arena, .slot_count = 8};
    if (count_max > UINT32_MAX / 4) return false;
    while (set->slot_count < count_max * 2) set->slot_count *= 2;
    set->items = rf_arena_raw(arena, rf_str, count_max);
    set->hashes = rf_arena_raw(arena, uint64_t, count_max);
    set->slots = rf_arena_new(arena, uint32_t, set->slot_count);
    return set->items != NULL && set->hashes != NULL && set->slots != NULL;
}

/* The slot of `item`, or the free one where it belongs. */
static uint32_t *set_slot(const struct dyn_set *set, rf_str item, uint64_t hash)
{
    uint32_t mask = set->slot_count - 1;
    for (uint32_t slot = (uint32_t)hash & mask;; slot = (slot + 1) & mask) {
        uint32_t index = set->slots[slot];
        if (index == 0) return &set->slots[slot];
        if (set->hashes[index - 1] == hash && dyn_same(set->items[index - 1], item))
            return &set->slots[slot];
    }
}

bool dyn_set_has(const struct dyn_set *set, rf_str item)
{
    return *set_slot(set, item, dyn_hash(item)) != 0;
}

bool dyn_set_add(struct dyn_set *set, rf_str item)
{
    uint64_t hash = dyn_hash(item);
    uint32_t *slot = set_slot(set, item, hash);
    if (*slot != 0) return false;
    set->items[set->count] = item;
    set->hashes[set->count] = hash;
    *slot = ++set->count;
    return true;
}
