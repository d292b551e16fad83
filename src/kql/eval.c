#include "kql/exec.h"
#include "kql/keys.h"
#include "value/dyn.h"

/* One node of a compiled expression. */
struct step {
    const struct expr *expr;
    int slot; /* EXPR_COLUMN: position in the batch */
    struct step **args;
    struct func_call call;
    bool prepared;
    bool constant; /* no columns below and nothing volatile: `fixed` holds once known */
    bool known;
    bool by_entry; /* over a dictionary it is computed once per entry */
    struct vec fixed;
    /* The result for the last dictionary seen: entry results live in cache_arena. */
    uint64_t cache_id, seen_id, seen_rows;
    struct vec cache;
    struct rf_arena cache_arena;
    struct vec *arg_vecs, *flat_vecs;
};

struct eval {
    struct exec *exec;
    struct rf_arena *arena;
    struct step **steps;
    uint32_t count;
};

struct subquery_result {
    struct value value;
};

/* ---- sub-queries ------------------------------------------------------------------------------------ */

/* Each value once: whether it is in the array is all that is asked. */
struct array_flow {
    struct flow flow;
    struct rf_buf buf;
    struct dyn_builder array;
    struct rf_arena arena;
    struct keys *keys;
    uint32_t *ids;
};

static enum rf_kind array_push(struct flow *flow, uint32_t lane, const struct batch *batch,
                               struct rf_err *err)
{
    struct array_flow *f = (struct array_flow *)flow;
    uint32_t known = keys_count(f->keys);
    (void)lane;
    if (!keys_add(f->keys, &batch->columns[0], batch->row_count, f->ids))
        return rf_fail_memory(err, &f->arena);
    for (uint32_t i = 0; i < batch->row_count; i++) {
        if (f->ids[i] < known) continue;
        known = f->ids[i] + 1;
        struct value v = vec_value(&batch->columns[0], i);
        dyn_next(&f->array);
        dyn_put_value(&f->buf, &v);
    }
    return f->buf.failed ? rf_fail_memory(err, f->buf.arena) : RF_OK;
}

static enum rf_kind run_array(struct exec *exec, struct node *node, struct value *out,
                              struct rf_err *err)
{
    struct array_flow f = {.flow = {.push = array_push}, .buf = rf_buf_in(exec->arena)};
    enum rf_kind kind;
    rf_arena_init_shared(&f.arena, exec->budget);
    f.keys = keys_new(&f.arena, &node->schema.columns[0].type, 1);
    f.ids = rf_arena_raw(&f.arena, uint32_t, BATCH_ROWS);
    dyn_begin(&f.array, &f.buf, DYN_ARRAY);
    if (f.keys == NULL || f.ids == NULL)
        kind = rf_fail_memory(err, &f.arena);
    else
        kind = node_run_ordered(node, exec, &f.flow, err);
    dyn_end(&f.array);
    if (kind == RF_OK && f.buf.failed) kind = rf_fail_memory(err, exec->arena);
    *out = value_dyn(dyn_done(&f.buf));
    rf_arena_done(&f.arena);
    return kind;
}

struct first_flow {
    struct flow flow;
    struct exec *exec;
    struct value value;
    bool have;
};

static enum rf_kind first_push(struct flow *flow, uint32_t lane, const struct batch *batch,
                               struct rf_err *err)
{
    struct first_flow *f = (struct first_flow *)flow;
    (void)lane;
    if (f->have || batch->row_count == 0) return RF_OK;
    struct value v = vec_value(&batch->columns[0], 0);
    if (!value_copy(&v, f->exec->arena, &f->value)) return rf_fail_memory(err, f->exec->arena);
    f->have = true;
    atomic_store(&flow->done, true);
    return RF_OK;
}

static enum rf_kind run_subquery(struct exec *exec, struct expr *e, struct rf_err *err)
{
    if (e->result != NULL) return RF_OK;
    struct subquery_result *result = rf_arena_zalloc(exec->arena, sizeof *result);
    if (result == NULL) return rf_fail_memory(err, exec->arena);
    uint32_t lanes = exec->lane_count;
    exec->lane_count = 1; /* these sinks keep one state */
    enum rf_kind kind;
    if (e->as_array) {
        kind = run_array(exec, e->subquery, &result->value, err);
    } else {
        struct first_flow flow = {
            .flow = {.push = first_push}, .exec = exec, .value = value_null(e->type)};
        kind = node_run(e->subquery, exec, &flow.flow, err);
        result->value = flow.value;
    }
    exec->lane_count = lanes;
    if (kind == RF_OK) e->result = result;
    return kind;
}

/* ---- compiling ---------------------------------------------------------------------------------------- */

static enum rf_kind compile(struct eval *ev, const struct expr *e, const struct schema *input,
                            struct step **out, struct rf_err *err)
{
    struct step *s = rf_arena_zalloc(ev->arena, sizeof *s);
    if (s == NULL) return rf_fail_memory(err, ev->arena);
    s->expr = e;
    switch (e->kind) {
    case EXPR_CONST:
        s->constant = s->known = true;
        if (!vec_const(ev->arena, &e->value, &s->fixed)) return rf_fail_memory(err, ev->arena);
        break;
    case EXPR_COLUMN:
        s->slot = input == NULL ? -1 : schema_find_id(input, e->column_id);
        RF_ASSERT(s->slot >= 0);
        break;
    case EXPR_SUBQUERY: {
        struct expr *mutable_expr = (struct expr *)(uintptr_t)
            e; /* the result is kept in the plan, set before any worker starts */
        RF_TRY(run_subquery(ev->exec, mutable_expr, err));
        s->constant = s->known = true;
        if (!vec_const(ev->arena, &e->result->value, &s->fixed))
            return rf_fail_memory(err, ev->arena);
        break;
    }
    case EXPR_CALL: {
        uint32_t n = e->arg_count;
        s->args = rf_arena_new(ev->arena, struct step *, n);
        s->arg_vecs = rf_arena_new(ev->arena, struct vec, n);
        s->flat_vecs = rf_arena_new(ev->arena, struct vec, n);
        if (s->args == NULL || s->arg_vecs == NULL || s->flat_vecs == NULL)
            return rf_fail_memory(err, ev->arena);
        s->constant = (e->func->flags & FUNC_VOLATILE) == 0;
        s->by_entry = s->constant && exec_takes(ev->exec, SHORTCUT_DICTIONARY);
        for (uint32_t i = 0; i < n; i++) {
            RF_TRY(compile(ev, e->args[i], input, &s->args[i], err));
            s->constant = s->constant && s->args[i]->constant;
        }
        rf_arena_init_shared(&s->cache_arena, ev->exec->budget);
        s->call = (struct func_call){.func = e->func,
                                     .arg_count = n,
                                     .type = (enum type)e->type,
                                     .query_arena = ev->arena,
                                     .now_ticks = ev->exec->now_ticks,
                                     .env = &ev->exec->env,
                                     .cancelled = ev->exec->cancelled};
        break;
    }
    }
    *out = s;
    return RF_OK;
}

enum rf_kind eval_new(struct exec *exec, struct rf_arena *arena, struct expr *const *exprs,
                      uint32_t count, const struct schema *input, struct eval **out,
                      struct rf_err *err)
{
    struct eval *ev = rf_arena_zalloc(arena, sizeof *ev);
    if (ev == NULL) return rf_fail_memory(err, arena);
    *ev = (struct eval){.exec = exec,
                        .arena = arena,
                        .count = count,
                        .steps = rf_arena_new(arena, struct step *, count)};
    if (ev->steps == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < count; i++) RF_TRY(compile(ev, exprs[i], input, &ev->steps[i], err));
    *out = ev;
    return RF_OK;
}

/* ---- running ------------------------------------------------------------------------------------------- */

static enum rf_kind prepare(struct step *s, struct rf_err *err)
{
    s->prepared = true;
    if (s->expr->func->prepare == NULL) return RF_OK;
    struct vec empty = {0};
    for (uint32_t i = 0; i < s->call.arg_count; i++)
        s->flat_vecs[i] = s->args[i]->known ? s->args[i]->fixed : empty;
    return s->expr->func->prepare(&s->call, s->flat_vecs, err);
}

/* Null bytes by the strict rule; null cells are zeroed. */
static void mark_nulls(const struct step *s, uint32_t count, struct vec *out)
{
    uint8_t *nulls = OUT_NULL(out);
    memset(nulls, 0, count);
    bool any = false;
    for (uint32_t a = 0; a < s->call.arg_count; a++) {
        const struct vec *v = &s->flat_vecs[a];
        if (v->nulls == NULL) continue;
        if (v->shape == VEC_CONST) {
            if (v->nulls[0] == 0) continue;
            memset(nulls, 1, count);
        } else {
            for (uint32_t i = 0; i < count; i++) nulls[i] |= v->nulls[i];
        }
        any = true;
    }
    if (!any) return;
    uint8_t *data = (uint8_t *)(uintptr_t)out->data;
    size_t cell = type_cell_bytes[out->type];
    for (uint32_t i = 0; i < count; i++)
        if (nulls[i] != 0) memset(data + i * cell, 0, cell);
}

/* Calls the kernel over flat or constant arguments in s->flat_vecs. */
static enum rf_kind call_kernel(struct step *s, struct rf_arena *arena, uint32_t count,
                                struct vec *out, struct rf_err *err)
{
    if (!vec_flat(arena, (enum type)s->expr->type, count, out)) return rf_fail_memory(err, arena);
    if (vec_need_nulls(arena, out, count) == NULL) return rf_fail_memory(err, arena);
    /* A kernel that finds a null says so and leaves the cell alone; others may look at it, and it must not point anywhere. */
    if (s->expr->func->nulls == FUNC_CUSTOM || type_is_bytes((enum type)out->type))
        memset((uint8_t *)(uintptr_t)out->data, 0, count * (size_t)type_cell_bytes[out->type]);
    if (s->expr->func->nulls == FUNC_STRICT) mark_nulls(s, count, out);
    s->call.arena = arena;
    RF_TRY(s->expr->kernel(&s->call, s->flat_vecs, count, out, err));
    if (out->type == TYPE_STRING || memchr(out->nulls, 1, count) == NULL) out->nulls = NULL;
    return RF_OK;
}

/* The one argument that is a dictionary while all others are constant; -1 when it is not so. */
static int only_dictionary(const struct step *s)
{
    int found = -1;
    for (uint32_t i = 0; i < s->call.arg_count; i++) {
        if (s->arg_vecs[i].shape == VEC_CONST) continue;
        if (s->arg_vecs[i].shape != VEC_DICT || found >= 0) return -1;
        found = (int)i;
    }
    return found;
}

/* Computes once per entry instead of once per row, when that is less work. */
static enum rf_kind call_on_dictionary(struct step *s, const struct batch *batch, uint32_t arg,
                                       struct vec *out, bool *done, struct rf_err *err)
{
    const struct vec *dict = &s->arg_vecs[arg];
    *done = false;
    if (dict->dict_id != 0 && dict->dict_id == s->cache_id) {
        *out = s->cache;
    } else {
        bool keep = dict->dict_id != 0;
        if (keep && s->seen_id != dict->dict_id) {
            s->seen_id = dict->dict_id;
            s->seen_rows = 0;
        }
        s->seen_rows += batch->row_count;
        if (dict->dict_count > batch->row_count && !(keep && s->seen_rows >= dict->dict_count))
            return RF_OK;
        for (uint32_t i = 0; i < s->call.arg_count; i++) s->flat_vecs[i] = s->arg_vecs[i];
        s->flat_vecs[arg].shape = VEC_FLAT;
        s->flat_vecs[arg].codes = NULL;
        struct rf_arena *arena = batch->arena;
        if (keep) {
            arena = &s->cache_arena;
            s->cache_id = 0;
            rf_arena_reset(arena);
        }
        RF_TRY(call_kernel(s, arena, dict->dict_count, out, err));
        if (keep) {
            s->cache = *out;
            s->cache_id = dict->dict_id;
        }
    }
    out->shape = VEC_DICT;
    out->codes = dict->codes;
    out->dict_count = dict->dict_count;
    out->dict_id = dict->dict_id == 0 ? 0 : rf_hash_mix(dict->dict_id, (uint64_t)(uintptr_t)s) | 1;
    *done = true;
    return RF_OK;
}

static enum rf_kind run(struct step *s, const struct batch *batch, struct vec *out,
                        struct rf_err *err)
{
    if (s->known) {
        *out = s->fixed;
        return RF_OK;
    }
    if (s->expr->kind == EXPR_COLUMN) {
        RF_ASSERT((uint32_t)s->slot < batch->column_count);
        *out = batch->columns[s->slot];
        return RF_OK;
    }
    bool all_const = true;
    for (uint32_t i = 0; i < s->call.arg_count; i++) {
        RF_TRY(run(s->args[i], batch, &s->arg_vecs[i], err));
        all_const = all_const && s->arg_vecs[i].shape == VEC_CONST;
    }
    if (!s->prepared) RF_TRY(prepare(s, err));
    bool is_volatile = (s->expr->func->flags & FUNC_VOLATILE) != 0;
    if (all_const && !is_volatile) {
        struct rf_arena *arena = s->constant ? s->call.query_arena : batch->arena;
        if (s->call.arg_count > 0)
            memcpy(s->flat_vecs, s->arg_vecs, s->call.arg_count * sizeof *s->flat_vecs);
        RF_TRY(call_kernel(s, arena, 1, out, err));
        out->shape = VEC_CONST;
        if (s->constant) {
            s->fixed = *out;
            s->known = true;
        }
        return RF_OK;
    }
    int dict = s->by_entry ? only_dictionary(s) : -1;
    if (dict >= 0) {
        bool done = false;
        RF_TRY(call_on_dictionary(s, batch, (uint32_t)dict, out, &done, err));
        if (done) return RF_OK;
    }
    for (uint32_t i = 0; i < s->call.arg_count; i++) {
        if (s->arg_vecs[i].shape == VEC_CONST)
            s->flat_vecs[i] = s->arg_vecs[i];
        else if (!vec_flatten(batch->arena, &s->arg_vecs[i], batch->row_count, &s->flat_vecs[i]))
            return rf_fail_memory(err, batch->arena);
    }
    return call_kernel(s, batch->arena, batch->row_count, out, err);
}

enum rf_kind eval_run(struct eval *eval, const struct batch *batch, struct vec *results,
                      struct rf_err *err)
{
    for (uint32_t i = 0; i < eval->count; i++) {
        RF_TRY(run(eval->steps[i], batch, &results[i], err));
        results[i].type = eval->steps[i]->expr->type; /* an int column read as long */
    }
    return RF_OK;
}

static void release(struct step *s)
{
    if (s->expr->kind != EXPR_CALL) return;
    for (uint32_t i = 0; i < s->call.arg_count; i++) release(s->args[i]);
    rf_arena_done(&s->cache_arena);
}

void eval_done(struct eval *eval)
{
    for (uint32_t i = 0; eval != NULL && i < eval->count; i++) release(eval->steps[i]);
}

enum rf_kind eval_const(struct exec *exec, const struct expr *expr, struct value *out,
                        struct rf_err *err)
{
    struct expr *one = (struct expr *)(uintptr_t)expr;
    struct eval *ev;
    struct vec result;
    struct batch batch = {.row_count = 1, .arena = exec->arena};
    RF_TRY(eval_new(exec, exec->arena, &one, 1, NULL, &ev, err));
    enum rf_kind kind = eval_run(ev, &batch, &result, err);
    if (kind == RF_OK) {
        struct value v = vec_value(&result, 0);
        if (!value_copy(&v, exec->arena, out)) kind = rf_fail_memory(err, exec->arena);
    }
    eval_done(ev);
    return kind;
}

/* Places of the set bits of four. */
static const uint32_t places_of[16][4] = {
    {0}, {0},    {1},    {0, 1},    {2},    {0, 2},    {1, 2},    {0, 1, 2},
    {3}, {0, 3}, {1, 3}, {0, 1, 3}, {2, 3}, {0, 2, 3}, {1, 2, 3}, {0, 1, 2, 3}};
static const uint8_t bits_of[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};

/* Writes the places of the ones among eight bytes of 0 or 1; eight cells are written whatever comes. */
static inline uint32_t put_ones(uint64_t bytes, uint32_t at, uint32_t *rows)
{
    uint32_t bits = (uint32_t)(bytes * UINT64_C(0x0102040810204080) >> 56), low = bits & 15,
             high = bits >> 4, n = bits_of[low];
    for (uint32_t k = 0; k < 4; k++) rows[k] = at + places_of[low][k];
    for (uint32_t k = 0; k < 4; k++) rows[n + k] = at + 4 + places_of[high][k];
    return n + bits_of[high];
}

/* `ones` are bytes of 0 or 1. Without branches, as selectivity is unknown, but for eight zeros. */
static uint32_t rows_of_ones(const uint8_t *ones, uint32_t count, uint32_t *rows)
{
    uint32_t n = 0, i = 0;
    for (; i + 8 <= count; i += 8) {
        uint64_t bytes;
        memcpy(&bytes, ones + i, 8);
        if (bytes != 0) n += put_ones(bytes, i, rows + n);
    }
    for (; i < count; i++) {
        rows[n] = i;
        n += ones[i];
    }
    return n;
}

uint32_t vec_true_rows(const struct vec *v, uint32_t count, uint32_t *rows)
{
    enum { RUN = 256 };
    const uint8_t *data = v->data, *nulls = v->nulls;
    uint8_t ones[RUN];
    uint32_t n = 0;
    if (v->shape == VEC_CONST) {
        if (data[0] == 0 || (nulls != NULL && nulls[0] != 0)) return 0;
        for (uint32_t i = 0; i < count; i++) rows[i] = i;
        return count;
    }
    if (v->shape == VEC_FLAT && nulls == NULL) return rows_of_ones(data, count, rows);
    for (uint32_t from = 0; from < count; from += RUN) {
        uint32_t run = RF_MIN(count - from, (uint32_t)RUN), found;
        if (v->shape == VEC_FLAT)
            for (uint32_t i = 0; i < run; i++)
                ones[i] = (uint8_t)(data[from + i] & ~nulls[from + i] & 1);
        else if (nulls == NULL)
            for (uint32_t i = 0; i < run; i++) ones[i] = data[v->codes[from + i]];
        else
            for (uint32_t i = 0; i < run; i++)
                ones[i] = (uint8_t)(data[v->codes[from + i]] & ~nulls[v->codes[from + i]] & 1);
        found = rows_of_ones(ones, run, rows + n);
        for (uint32_t i = 0; i < found && from > 0; i++) rows[n + i] += from;
        n += found;
    }
    return n;
}

bool batch_select(const struct batch *in, const uint32_t *rows, uint32_t count, struct batch *out)
{
    struct vec *columns = rf_arena_raw(in->arena, struct vec, in->column_count);
    if (columns == NULL) return false;
    for (uint32_t c = 0; c < in->column_count; c++)
        if (!vec_select(in->arena, &in->columns[c], rows, count, &columns[c])) return false;
    *out = (struct batch){.row_count = count,
                          .column_count = in->column_count,
                          .columns = columns,
                          .arena = in->arena};
    return true;
}
