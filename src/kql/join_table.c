/* join_table.c - the build side of a join: its rows, found by key. */
#include "kql/join_table.h"

struct fill_flow {
    struct flow flow;
    const struct join_build *build;
    struct key_table *table;
    struct eval *eval;
    struct vec *values;
    uint32_t *ids;
};

/* An enlarged copy whose new part is zero. */
static uint32_t *grow_zeroed(struct rf_arena *arena, uint32_t *old, uint32_t count, uint32_t cap)
{
    uint32_t *grown = rf_arena_grow(arena, old, (size_t)count * 4, (size_t)cap * 4);
    if (grown != NULL) memset(grown + count, 0, (size_t)(cap - count) * 4);
    return grown;
}

static bool table_reserve(struct key_table *t, uint32_t rows)
{
    if (t->count + rows > t->cap) {
        uint32_t cap = RF_MAX(t->cap * 2, t->count + rows + BATCH_ROWS);
        if (cap < t->cap || (t->next = grow_zeroed(&t->arena, t->next, t->cap, cap)) == NULL)
            return false;
        t->cap = cap;
    }
    if (keys_count(t->keys) > t->key_cap) {
        uint32_t cap = RF_MAX(t->key_cap * 2, keys_count(t->keys) + BATCH_ROWS);
        t->first = grow_zeroed(&t->arena, t->first, t->key_cap, cap);
        t->last = grow_zeroed(&t->arena, t->last, t->key_cap, cap);
        if (t->first == NULL || t->last == NULL) return false;
        t->key_cap = cap;
    }
    return true;
}

/* Adds a batch of the build side. A key with a null is kept (a full join shows its row) but never found. */
static enum rf_kind fill_push(struct flow *flow, uint32_t lane, const struct batch *in,
                              struct rf_err *err)
{
    struct fill_flow *f = (struct fill_flow *)flow;
    struct key_table *t = f->table;
    uint32_t key_count = f->build->key_count;
    (void)lane;
    RF_TRY(eval_run(f->eval, in, f->values, err));
    if (!keys_add(t->keys, f->values, in->row_count, f->ids) || !table_reserve(t, in->row_count))
        return rf_fail_memory(err, &t->arena);
    bool nulls = join_any_nulls(f->values, key_count);
    for (uint32_t i = 0; i < in->row_count; i++) {
        uint32_t key = f->ids[i], row = t->count++;
        if (nulls && join_key_null(f->values, key_count, i)) continue;
        if (f->build->unique && t->first[key] != 0) continue;
        if (t->last[key] == 0)
            t->first[key] = row + 1;
        else
            t->next[t->last[key] - 1] = row + 1;
        t->last[key] = row + 1;
    }
    if (t->rows != NULL && !rows_append(t->rows, in)) return rf_fail_memory(err, &t->arena);
    return RF_OK;
}

enum rf_kind join_table_fill(struct key_table *t, const struct join_build *build, struct exec *exec,
                             struct rf_arena *arena, struct rf_err *err)
{
    struct node *input = build->input;
    struct fill_flow f = {.flow = {.push = fill_push},
                          .build = build,
                          .table = t,
                          .values = rf_arena_new(arena, struct vec, build->key_count),
                          .ids = rf_arena_raw(arena, uint32_t, BATCH_ROWS)};
    uint8_t *types = rf_arena_new(arena, uint8_t, RF_MAX(input->schema.count, build->key_count));
    if (f.values == NULL || f.ids == NULL || types == NULL) return rf_fail_memory(err, arena);
    for (uint32_t k = 0; k < build->key_count; k++) types[k] = build->keys[k]->type;
    if ((t->keys = keys_new(&t->arena, types, build->key_count)) == NULL)
        return rf_fail_memory(err, &t->arena);
    for (uint32_t i = 0; i < input->schema.count; i++) types[i] = input->schema.columns[i].type;
    if (build->keep_rows && (t->rows = rows_new(&t->arena, types, input->schema.count)) == NULL)
        return rf_fail_memory(err, &t->arena);
    RF_TRY(eval_new(exec, arena, build->keys, build->key_count, &input->schema, &f.eval, err));
    uint32_t lanes = exec->lane_count;
    exec->lane_count = 1;
    enum rf_kind kind = node_run_ordered(input, exec, &f.flow, err);
    exec->lane_count = lanes;
    eval_done(f.eval);
    return kind;
}

enum { ENTRIES_MAX = 1 << 16 };

static bool make_entries(struct key_table *t, uint32_t column, enum type type, bool may_miss,
                         struct exec *exec)
{
    struct vec *v = &t->entries[column];
    if (!vec_flat(&t->arena, type, t->count + 1, v)) return false;
    size_t bytes = type_cell_bytes[type];
    uint8_t *cells = (uint8_t *)(uintptr_t)v->data, *nulls = NULL;
    RF_CLEANUP(rf_arena_done) struct rf_arena views;
    rf_arena_init_shared(&views, exec->budget);
    memset(cells + t->count * bytes, 0, bytes);
    for (uint32_t from = 0; from < t->count; from += BATCH_ROWS) {
        struct batch batch;
        rf_arena_reset(&views);
        if (!rows_batch(t->rows, from, &views, &batch)) return false;
        const struct vec *part = &batch.columns[column];
        memcpy(cells + from * bytes, part->data, batch.row_count * bytes);
        if (part->nulls == NULL) continue;
        if (nulls == NULL && (nulls = vec_need_nulls(&t->arena, v, t->count + 1)) == NULL)
            return false;
        memcpy(nulls + from, part->nulls, batch.row_count);
    }
    if (may_miss && type != TYPE_STRING) {
        nulls = vec_need_nulls(&t->arena, v, t->count + 1);
        if (nulls == NULL) return false;
        nulls[t->count] = 1;
    }
    v->shape = VEC_DICT;
    v->dict_count = t->count + 1;
    v->dict_id = exec_dict_id(exec);
    return true;
}

enum rf_kind join_table_finish(struct key_table *t, const struct join_build *build,
                               struct exec *exec, struct rf_err *err)
{
    const struct schema *schema = &build->input->schema;
    if (t->rows == NULL || t->count >= ENTRIES_MAX) return RF_OK;
    t->entries = rf_arena_new(&t->arena, struct vec, schema->count);
    if (t->entries == NULL) return rf_fail_memory(err, &t->arena);
    for (uint32_t c = 0; c < schema->count; c++)
        if (!make_entries(t, c, (enum type)schema->columns[c].type, build->may_miss, exec))
            return rf_fail_memory(err, &t->arena);
    return RF_OK;
}
