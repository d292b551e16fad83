/* op_join.c - join and lookup: a hash join on equal keys. One side is kept in memory by key (build, join_table.h), the
 * other streams past it (probe), on several lanes at once. Right-handed kinds are the left-handed ones with the sides
 * changed. Where rows without a match, or those with one, go, the scan of the probe side is told what to leave out. */
#include <stddef.h>

#include "kql/bind_int.h"
#include "kql/join_table.h"

enum join_kind { JOIN_INNERUNIQUE, JOIN_INNER, JOIN_OUTER, JOIN_FULL, JOIN_SEMI, JOIN_ANTI };
enum { PROBE, BUILD };

struct join_node {
    struct node node; /* inputs[PROBE], inputs[BUILD] */
    enum join_kind kind;
    struct expr **keys[2];
    uint32_t key_count;
    bool
        build_unique; /* innerunique with the sides changed: of equal build keys the first row counts */
};

/* What one lane keeps while it probes; the table is read only then. */
struct join_lane {
    uint32_t number; /* of the lane that it pushes on */
    struct rf_arena arena;
    struct rf_arena out; /* of one batch of output */
    struct eval *eval;
    struct keys *keys; /* a reader of the table's */
    struct vec *values;
    uint32_t *ids;
    uint32_t *pair_probe; /* output rows being collected for this batch */
    uint64_t *pair_build;
    uint32_t pair_count;
    uint8_t *matched; /* full joins: by build row */
    uint8_t *seen;    /* innerunique: by key, that a probe row has passed */
    uint64_t sieve_rows, sieve_kept;
};

struct join_flow {
    struct flow flow;
    struct row_sieve sieve;
    struct exec *exec;
    const struct join_node *join;
    struct key_table *table;
    int *from_probe, *from_build; /* per output column: position on that side, or -1 */
    struct join_lane *lanes;      /* and one more for what is done behind them, on lane 0 */
    uint32_t lane_count;
};

/* ---- output ---------------------------------------------------------------------------------------------- */

/* The build side's columns for the pairs that were collected. */
static bool build_columns(const struct key_table *t, struct join_lane *l, uint32_t width,
                          struct batch *out)
{
    if (t->entries == NULL) return rows_gather(t->rows, l->pair_build, l->pair_count, &l->out, out);
    uint32_t *codes = rf_arena_raw(&l->out, uint32_t, l->pair_count);
    out->columns = rf_arena_raw(&l->out, struct vec, width);
    if (codes == NULL || out->columns == NULL) return false;
    for (uint32_t i = 0; i < l->pair_count; i++)
        codes[i] = (uint32_t)RF_MIN(l->pair_build[i], (uint64_t)t->count);
    for (uint32_t c = 0; c < width; c++) {
        out->columns[c] = t->entries[c];
        out->columns[c].codes = codes;
    }
    return true;
}

/* Passes on the pairs that were collected; `probe` is NULL for build rows alone. */
static enum rf_kind emit_pairs(struct join_flow *f, struct join_lane *l, const struct batch *probe,
                               struct flow *out, struct rf_err *err)
{
    const struct join_node *j = f->join;
    uint32_t width = j->node.schema.count, count = l->pair_count;
    if (count == 0) return RF_OK;
    rf_arena_reset(&l->out);
    struct batch batch = {.row_count = count,
                          .column_count = width,
                          .arena = &l->out,
                          .columns = rf_arena_new(&l->out, struct vec, width)},
                 built = {0};
    if (batch.columns == NULL ||
        !build_columns(f->table, l, j->node.inputs[BUILD]->schema.count, &built))
        return rf_fail_memory(err, &l->out);
    for (uint32_t c = 0; c < width; c++) {
        bool ok = true;
        if (f->from_build[c] >= 0) {
            batch.columns[c] = built.columns[f->from_build[c]];
        } else if (probe != NULL) {
            ok = vec_select(&l->out, &probe->columns[f->from_probe[c]], l->pair_probe, count,
                            &batch.columns[c]);
        } else {
            struct value v = value_null((enum type)j->node.schema.columns[c].type);
            ok = vec_const(&l->out, &v, &batch.columns[c]);
        }
        if (!ok) return rf_fail_memory(err, &l->out);
    }
    l->pair_count = 0;
    return flow_push(f->exec, out, l->number, &batch, err);
}

/* Pairs probe row `row` with build rows from `at` on (row + 1; 0 is none). */
static enum rf_kind add_pairs(struct join_flow *f, struct join_lane *l, const struct batch *probe,
                              uint32_t row, uint32_t at, struct flow *out, struct rf_err *err)
{
    const uint32_t *next = f->table->next;
    for (; at != 0; at = next[at - 1]) {
        if (l->matched != NULL) l->matched[at - 1] = 1;
        l->pair_probe[l->pair_count] = row;
        l->pair_build[l->pair_count++] = at - 1;
        if (RF_LIKELY(l->pair_count < BATCH_ROWS)) continue;
        RF_TRY(emit_pairs(f, l, probe, out, err));
        if (flow_done(out)) break;
    }
    return RF_OK;
}

/* ---- probing --------------------------------------------------------------------------------------------------- */

/* The first build row of each row's key, as row + 1; 0 is none. A key with a null has none. */
static bool find_first(const struct join_flow *f, struct join_lane *l, const struct vec *values,
                       uint32_t count, uint32_t *first)
{
    const struct key_table *t = f->table;
    uint32_t key_count = f->join->key_count;
    if (!keys_find(l->keys, values, count, l->ids)) return false;
    for (uint32_t i = 0; i < count; i++)
        first[i] = l->ids[i] == KEYS_NONE ? 0 : t->first[l->ids[i]];
    if (!join_any_nulls(values, key_count)) return true;
    for (uint32_t i = 0; i < count; i++)
        if (join_key_null(values, key_count, i)) first[i] = 0;
    return true;
}

/* Rows with a match, or those without. */
static uint32_t choose_rows(const uint32_t *first, uint32_t count, bool matched, uint32_t *rows)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        rows[n] = i;
        n += (first[i] != 0) == matched;
    }
    return n;
}

/* Semi and anti joins give rows of the probe side as they are. */
static enum rf_kind push_chosen(struct join_flow *f, struct join_lane *l, const struct batch *in,
                                const uint32_t *first, struct rf_err *err)
{
    uint32_t width = f->join->node.schema.count,
             kept = choose_rows(first, in->row_count, f->join->kind == JOIN_SEMI, l->pair_probe);
    struct batch batch = {.row_count = kept,
                          .column_count = width,
                          .arena = in->arena,
                          .columns = rf_arena_raw(in->arena, struct vec, width)};
    if (kept == 0) return RF_OK;
    if (batch.columns == NULL) return rf_fail_memory(err, in->arena);
    for (uint32_t c = 0; c < width; c++) {
        const struct vec *v = &in->columns[f->from_probe[c]];
        if (kept == in->row_count)
            batch.columns[c] = *v;
        else if (!vec_select(in->arena, v, l->pair_probe, kept, &batch.columns[c]))
            return rf_fail_memory(err, in->arena);
    }
    return flow_push(f->exec, f->flow.next, l->number, &batch, err);
}

static enum rf_kind push_pairs(struct join_flow *f, struct join_lane *l, const struct batch *in,
                               const uint32_t *first, struct rf_err *err)
{
    bool outer = f->join->kind == JOIN_OUTER || f->join->kind == JOIN_FULL;
    for (uint32_t i = 0; i < in->row_count && !flow_done(&f->flow); i++) {
        if (first[i] != 0) {
            RF_TRY(add_pairs(f, l, in, i, first[i], f->flow.next, err));
        } else if (outer) {
            l->pair_probe[l->pair_count] = i;
            l->pair_build[l->pair_count++] = UINT64_MAX;
            if (l->pair_count == BATCH_ROWS) RF_TRY(emit_pairs(f, l, in, f->flow.next, err));
        }
    }
    return emit_pairs(f, l, in, f->flow.next, err);
}

/* Which row of a key is the first one is known only when lanes are in order: a lane passes on its first ones, with
 * the keys' numbers as a column of their own, and unique_push takes the first of those. */
static enum rf_kind push_first_of_lane(struct join_flow *f, struct join_lane *l,
                                       const struct batch *in, const uint32_t *first,
                                       struct rf_err *err)
{
    uint32_t kept = 0, width = in->column_count,
             *rows = rf_arena_raw(in->arena, uint32_t, in->row_count);
    struct batch batch = {.column_count = width + 1,
                          .arena = in->arena,
                          .columns = rf_arena_raw(in->arena, struct vec, width + 1)};
    if (rows == NULL || batch.columns == NULL) return rf_fail_memory(err, in->arena);
    for (uint32_t i = 0; i < in->row_count; i++) {
        if (first[i] == 0 || l->seen[l->ids[i]] != 0) continue;
        l->seen[l->ids[i]] = 1;
        l->ids[kept] = l->ids[i];
        rows[kept++] = i;
    }
    if (kept == 0) return RF_OK;
    for (uint32_t c = 0; c < width; c++)
        if (!vec_select(in->arena, &in->columns[c], rows, kept, &batch.columns[c]))
            return rf_fail_memory(err, in->arena);
    if (!vec_flat(in->arena, TYPE_LONG, kept, &batch.columns[width]))
        return rf_fail_memory(err, in->arena);
    int64_t *ids = (int64_t *)(uintptr_t)batch.columns[width].data;
    for (uint32_t i = 0; i < kept; i++) ids[i] = l->ids[i];
    batch.row_count = kept;
    return flow_push(f->exec, f->flow.next, l->number, &batch, err);
}

static enum rf_kind join_push(struct flow *flow, uint32_t number, const struct batch *in,
                              struct rf_err *err)
{
    struct join_flow *f = (struct join_flow *)flow;
    struct join_lane *l = &f->lanes[number];
    uint32_t *first = rf_arena_raw(in->arena, uint32_t, in->row_count);
    if (first == NULL) return rf_fail_memory(err, in->arena);
    RF_TRY(eval_run(l->eval, in, l->values, err));
    if (!find_first(f, l, l->values, in->row_count, first)) return rf_fail_memory(err, &l->arena);
    switch (f->join->kind) {
    case JOIN_SEMI:
    case JOIN_ANTI:
        return push_chosen(f, l, in, first, err);
    case JOIN_INNERUNIQUE:
        return push_first_of_lane(f, l, in, first, err);
    default:
        return push_pairs(f, l, in, first, err);
    }
}

/* ---- what is only right in order --------------------------------------------------------------------------- */

/* Behind the lanes of an innerunique join: the probe side's columns and the keys' numbers. */
struct unique_flow {
    struct flow flow;
    struct join_flow *join;
    uint8_t *seen; /* by key */
};

static enum rf_kind unique_push(struct flow *flow, uint32_t lane, const struct batch *in,
                                struct rf_err *err)
{
    struct unique_flow *u = (struct unique_flow *)flow;
    struct join_flow *f = u->join;
    const struct vec *ids = &in->columns[in->column_count - 1];
    struct join_lane *l = &f->lanes[f->lane_count];
    (void)lane;
    for (uint32_t i = 0; i < in->row_count && !flow_done(flow); i++) {
        uint32_t key = (uint32_t)vec_i64(ids, i);
        if (u->seen[key] != 0) continue;
        u->seen[key] = 1;
        RF_TRY(add_pairs(f, l, in, i, f->table->first[key], flow->next, err));
    }
    return emit_pairs(f, l, in, flow->next, err);
}

/* Build rows that no lane met. */
static enum rf_kind emit_unmatched(struct join_flow *f, struct flow *out, struct rf_err *err)
{
    struct join_lane *l = &f->lanes[0];
    for (uint32_t i = 0; i < f->table->count && !flow_done(out); i++) {
        bool met = false;
        for (uint32_t n = 0; n < f->lane_count; n++) met = met || f->lanes[n].matched[i] != 0;
        if (met) continue;
        l->pair_probe[l->pair_count] = 0;
        l->pair_build[l->pair_count++] = i;
        if (l->pair_count == BATCH_ROWS) RF_TRY(emit_pairs(f, l, NULL, out, err));
    }
    return emit_pairs(f, l, NULL, out, err);
}

/* ---- the sieve: probe rows that a scan need not read further ------------------------------------------------ */

enum { SIEVE_TRIAL_ROWS = 16 * BATCH_ROWS };

static struct join_flow *of_sieve(struct row_sieve *sieve)
{
    return (struct join_flow *)((char *)sieve - offsetof(struct join_flow, sieve));
}

/* Looking each key up twice pays only when most rows are left out. */
static bool sieve_ready(struct row_sieve *sieve, uint32_t lane)
{
    const struct join_lane *l = &of_sieve(sieve)->lanes[lane];
    return l->sieve_rows < SIEVE_TRIAL_ROWS || l->sieve_kept < l->sieve_rows / 2;
}

static enum rf_kind sieve_keep(struct row_sieve *sieve, uint32_t lane, const struct vec *columns,
                               uint32_t row_count, uint32_t *rows, uint32_t *kept,
                               struct rf_err *err)
{
    struct join_flow *f = of_sieve(sieve);
    struct join_lane *l = &f->lanes[lane];
    if (!find_first(f, l, columns, row_count, l->pair_probe)) return rf_fail_memory(err, &l->arena);
    *kept = choose_rows(l->pair_probe, row_count, f->join->kind != JOIN_ANTI, rows);
    l->sieve_rows += row_count;
    l->sieve_kept += *kept;
    return RF_OK;
}

/* Keys that are columns of the scan below can tell early. */
static bool sieve_make(struct join_flow *f, struct rf_arena *arena)
{
    const struct join_node *j = f->join;
    uint32_t *ids = rf_arena_new(arena, uint32_t, j->key_count);
    if (ids == NULL) return false;
    if (j->kind == JOIN_OUTER || j->kind == JOIN_FULL) return true;
    for (uint32_t k = 0; k < j->key_count; k++) {
        if (j->keys[PROBE][k]->kind != EXPR_COLUMN) return true;
        ids[k] = j->keys[PROBE][k]->column_id;
    }
    f->sieve = (struct row_sieve){
        .column_ids = ids, .column_count = j->key_count, .ready = sieve_ready, .keep = sieve_keep};
    return true;
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

static enum rf_kind lane_init(struct join_flow *f, struct join_lane *l, struct rf_err *err)
{
    const struct join_node *j = f->join;
    uint32_t keys = keys_count(f->table->keys);
    l->values = rf_arena_new(&l->arena, struct vec, j->key_count);
    l->ids = rf_arena_raw(&l->arena, uint32_t, BATCH_ROWS);
    l->pair_probe = rf_arena_raw(&l->arena, uint32_t, BATCH_ROWS);
    l->pair_build = rf_arena_raw(&l->arena, uint64_t, BATCH_ROWS);
    l->keys = keys_reader(f->table->keys, &l->arena);
    if (l->values == NULL || l->ids == NULL || l->pair_probe == NULL || l->pair_build == NULL ||
        l->keys == NULL)
        return rf_fail_memory(err, &l->arena);
    if (j->kind == JOIN_INNERUNIQUE &&
        (l->seen = rf_arena_new(&l->arena, uint8_t, (size_t)keys + 1)) == NULL)
        return rf_fail_memory(err, &l->arena);
    if (j->kind == JOIN_FULL &&
        (l->matched = rf_arena_new(&l->arena, uint8_t, (size_t)f->table->count + 1)) == NULL)
        return rf_fail_memory(err, &l->arena);
    return eval_new(f->exec, &l->arena, j->keys[PROBE], j->key_count,
                    &j->node.inputs[PROBE]->schema, &l->eval, err);
}

static enum rf_kind join_flow_init(struct join_flow *f, struct rf_arena *arena, struct rf_err *err)
{
    const struct join_node *j = f->join;
    uint32_t width = j->node.schema.count;
    f->from_probe = rf_arena_new(arena, int, width);
    f->from_build = rf_arena_new(arena, int, width);
    if (f->from_probe == NULL || f->from_build == NULL || !sieve_make(f, arena) ||
        (f->lanes = rf_arena_new(arena, struct join_lane, (size_t)f->lane_count + 1)) == NULL)
        return rf_fail_memory(err, arena);
    for (uint32_t c = 0; c < width; c++) {
        f->from_probe[c] =
            schema_find_id(&j->node.inputs[PROBE]->schema, j->node.schema.columns[c].id);
        f->from_build[c] =
            schema_find_id(&j->node.inputs[BUILD]->schema, j->node.schema.columns[c].id);
    }
    for (uint32_t l = 0; l <= f->lane_count; l++) {
        f->lanes[l].number = l < f->lane_count ? l : 0;
        rf_arena_init_shared(&f->lanes[l].arena, f->exec->budget);
        rf_arena_init_shared(&f->lanes[l].out, f->exec->budget);
    }
    return RF_OK;
}

static void join_flow_done(struct join_flow *f)
{
    for (uint32_t l = 0; f->lanes != NULL && l <= f->lane_count; l++) {
        eval_done(f->lanes[l].eval);
        rf_arena_done(&f->lanes[l].out);
        rf_arena_done(&f->lanes[l].arena);
    }
}

/* Runs the probe side into the join on f->lane_count lanes, which pushes to `out`. */
static enum rf_kind run_probe(void *ctx, struct flow *out, struct rf_err *err)
{
    struct join_flow *f = ctx;
    struct exec *exec = f->exec;
    struct node *input = f->join->node.inputs[PROBE], *scan = scan_below(input);
    struct row_sieve *outer = exec->sieve;
    const struct node *outer_scan = exec->sieved;
    f->flow.next = out;
    if (f->sieve.keep != NULL && scan != NULL) {
        exec->sieve = &f->sieve;
        exec->sieved = scan;
    }
    uint32_t lanes = exec->lane_count;
    exec->lane_count = f->lane_count;
    enum rf_kind kind = node_run(input, exec, &f->flow, err);
    exec->lane_count = lanes;
    exec->sieve = outer;
    exec->sieved = outer_scan;
    return kind;
}

/* Probes and gives the output to `out` on lane 0, in order. `between` is what the lanes push. */
static enum rf_kind run_probe_ordered(struct join_flow *f, const struct schema *between,
                                      struct flow *out, struct rf_err *err)
{
    if (f->lane_count == 1) return run_probe(f, out, err);
    return exec_run_ordered(f->exec, between, run_probe, f, out, err);
}

static enum rf_kind run_full(struct join_flow *f, struct flow *out, struct rf_err *err)
{
    RF_TRY(run_probe_ordered(f, &f->join->node.schema, out, err));
    return emit_unmatched(f, out, err);
}

static enum rf_kind run_unique(struct join_flow *f, struct rf_arena *arena, struct flow *out,
                               struct rf_err *err)
{
    const struct schema *probe = &f->join->node.inputs[PROBE]->schema;
    struct schema between = {.columns = rf_arena_new(arena, struct column, probe->count + 1u),
                             .count = probe->count + 1};
    struct unique_flow u = {
        .flow = {.push = unique_push, .next = out},
        .join = f,
        .seen = rf_arena_new(arena, uint8_t, (size_t)keys_count(f->table->keys) + 1)};
    if (between.columns == NULL || u.seen == NULL) return rf_fail_memory(err, arena);
    for (uint32_t c = 0; c < probe->count; c++) between.columns[c] = probe->columns[c];
    between.columns[probe->count] = (struct column){.type = TYPE_LONG};
    RF_TRY(lane_init(f, &f->lanes[f->lane_count], err));
    return run_probe_ordered(f, &between, &u.flow, err);
}

static enum rf_kind join_input(struct join_flow *f, struct rf_arena *arena, struct flow *out,
                               struct rf_err *err)
{
    const struct join_node *j = f->join;
    bool may_miss = j->kind == JOIN_OUTER || j->kind == JOIN_FULL,
         needs_match = !may_miss && j->kind != JOIN_ANTI;
    struct join_build build = {.input = j->node.inputs[BUILD],
                               .keys = j->keys[BUILD],
                               .key_count = j->key_count,
                               .keep_rows = j->kind != JOIN_SEMI && j->kind != JOIN_ANTI,
                               .unique = j->build_unique,
                               .may_miss = may_miss};
    RF_TRY(join_flow_init(f, arena, err));
    RF_TRY(join_table_fill(f->table, &build, f->exec, arena, err));
    if (f->table->count == 0 && needs_match) return RF_OK;
    RF_TRY(join_table_finish(f->table, &build, f->exec, err));
    for (uint32_t l = 0; l < f->lane_count; l++) RF_TRY(lane_init(f, &f->lanes[l], err));
    switch (f->join->kind) {
    case JOIN_FULL:
        return run_full(f, out, err);
    case JOIN_INNERUNIQUE:
        return run_unique(f, arena, out, err);
    default:
        return run_probe(f, out, err);
    }
}

static enum rf_kind join_run(struct node *node, struct exec *exec, struct flow *out,
                             struct rf_err *err)
{
    const struct join_node *j = (const struct join_node *)node;
    bool in_order = j->kind == JOIN_FULL || j->kind == JOIN_INNERUNIQUE,
         on_lanes = node_on_lanes(node->inputs[PROBE], exec);
    /* Who wants the rows on one lane gets them put in order behind the lanes; this comes back here with several. */
    if (on_lanes && !in_order && exec->lane_count == 1)
        return node_run_ordered(node, exec, out, err);
    struct rf_arena arena;
    struct key_table table = {0};
    struct join_flow f = {.flow = {.push = join_push},
                          .exec = exec,
                          .join = j,
                          .table = &table,
                          .lane_count = !on_lanes  ? 1
                                        : in_order ? exec->worker_count
                                                   : exec->lane_count};
    rf_arena_init_shared(&arena, exec->budget);
    rf_arena_init_shared(&table.arena, exec->budget);
    enum rf_kind kind = join_input(&f, &arena, out, err);
    join_flow_done(&f);
    rf_arena_done(&table.arena);
    rf_arena_done(&arena);
    return kind;
}

static void join_prune(struct node *node, struct id_set *need)
{
    struct join_node *j = (struct join_node *)node;
    for (int side = 0; side < 2; side++)
        for (uint32_t k = 0; k < j->key_count; k++) id_set_add_expr(need, j->keys[side][k]);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->schema.count; i++)
        if (id_set_has(need, node->schema.columns[i].id))
            node->schema.columns[kept++] = node->schema.columns[i];
    node->schema.count = kept;
    node_prune(node->inputs[PROBE], need);
    node_prune(node->inputs[BUILD], need);
}

static void join_explain(const struct node *node, struct rf_buf *buf)
{
    static const char *const kinds[] = {"innerunique", "inner", "outer",
                                        "fullouter",   "semi",  "anti"};
    const struct join_node *j = (const struct join_node *)node;
    rf_buf_printf(buf, "%s on", kinds[j->kind]);
    for (uint32_t k = 0; k < j->key_count; k++) {
        rf_buf_byte(buf, ' ');
        expr_explain(j->keys[PROBE][k], buf);
        rf_buf_printf(buf, " == ");
        expr_explain(j->keys[BUILD][k], buf);
    }
}

static const struct node_ops join_ops = {
    .name = "join", .run = join_run, .prune = join_prune, .explain = join_explain};

/* ---- text to node -------------------------------------------------------------------------------------------------- */

struct join_body {
    struct ast *right;
    struct ast **conditions;
    uint32_t count;
};

static const char *const join_params[] = {"kind", "hint.*", "withsource", NULL};

static enum rf_kind join_parse(struct parser *p, struct ast *node)
{
    struct join_body *body = rf_arena_new(p->arena, struct join_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, join_params, node));
    RF_TRY(parse_table(p, &body->right));
    RF_TRY(parse_params(p, join_params, node));
    if (!parse_accept(p, "on") && !parse_accept(p, "where"))
        return parse_expected(p, "'on' and the columns to join by");
    do {
        struct ast *condition;
        RF_TRY(parse_expr(p, &condition));
        if (!ast_list_add(p, &body->conditions, &body->count, condition)) return PARSE_NOMEM(p);
    } while (parse_accept(p, ","));
    return RF_OK;
}

struct join_sides {
    struct node *left, *right;
    struct expr **left_keys, **right_keys;
    uint32_t key_count, cap;
    bool *right_is_key; /* by right column: lookup leaves it out */
};

/* The side that an expression belongs to: 1 left, 2 right, 3 both or neither. */
static int side_of(const struct join_sides *s, const struct expr *e)
{
    if (e->kind == EXPR_COLUMN) return schema_find_id(&s->left->schema, e->column_id) >= 0 ? 1 : 2;
    int side = 0;
    for (uint32_t i = 0; i < e->arg_count; i++) side |= side_of(s, e->args[i]);
    return side;
}

static enum rf_kind add_key(struct binder *b, struct join_sides *s, struct expr *left,
                            struct expr *right, uint32_t pos)
{
    if (left->type != right->type) {
        enum type common;
        if (!type_common((enum type)left->type, (enum type)right->type, &common))
            return bind_fail(b, pos, "BadJoinKeys",
                             "a %s cannot equal a %s; convert one side before the join",
                             type_name((enum type)left->type), type_name((enum type)right->type));
        RF_TRY(bind_cast(b, left, common, &left));
        RF_TRY(bind_cast(b, right, common, &right));
    }
    if (s->key_count == s->cap) {
        uint32_t cap = s->cap + 8;
        s->left_keys = rf_arena_grow(b->arena, s->left_keys, s->cap * sizeof *s->left_keys,
                                     cap * sizeof *s->left_keys);
        s->right_keys = rf_arena_grow(b->arena, s->right_keys, s->cap * sizeof *s->right_keys,
                                      cap * sizeof *s->right_keys);
        if (s->left_keys == NULL || s->right_keys == NULL) return BIND_NOMEM(b);
        s->cap = cap;
    }
    s->left_keys[s->key_count] = left;
    s->right_keys[s->key_count++] = right;
    int at = right->kind == EXPR_COLUMN ? schema_find_id(&s->right->schema, right->column_id) : -1;
    if (at >= 0) s->right_is_key[at] = true;
    return RF_OK;
}

/* The side that $left.a and $right.b name; 0 for anything else. */
static int named_side(const struct ast *ast)
{
    while (ast->kind == AST_MEMBER || ast->kind == AST_INDEX) ast = ast->kids[0];
    if (ast->kind != AST_NAME) return 0;
    return rf_str_is(ast->text, "$left") ? 1 : rf_str_is(ast->text, "$right") ? 2 : 0;
}

static enum rf_kind bind_condition(struct binder *b, struct join_sides *s, const struct ast *ast)
{
    if (ast->kind == AST_BINARY && rf_str_is(ast->text, "and")) {
        RF_TRY(bind_condition(b, s, ast->kids[0]));
        return bind_condition(b, s, ast->kids[1]);
    }
    struct expr *x, *y;
    if (ast->kind == AST_NAME) {
        RF_TRY(bind_scalar(b, ast, &s->left->schema, &x));
        RF_TRY(bind_scalar(b, ast, &s->right->schema, &y));
        return add_key(b, s, x, y, ast->pos);
    }
    if (ast->kind != AST_BINARY || !rf_str_is(ast->text, "=="))
        return bind_fail(b, ast->pos, "BadJoinCondition",
                         "a join's condition is a column of both sides, or $left.a == $right.b");
    struct row_scope rows = b->rows;
    b->rows.left = &s->left->schema;
    b->rows.right = &s->right->schema;
    enum rf_kind kind =
        bind_scalar(b, ast->kids[0], ast->kids[0]->kind == AST_NAME ? &s->left->schema : NULL, &x);
    if (kind == RF_OK)
        kind = bind_scalar(b, ast->kids[1],
                           ast->kids[1]->kind == AST_NAME ? &s->right->schema : NULL, &y);
    b->rows = rows;
    RF_TRY(kind);
    int sx = side_of(s, x), sy = side_of(s, y);
    if (sx == 0) sx = named_side(ast->kids[0]); /* a column of an open schema is a constant null */
    if (sy == 0) sy = named_side(ast->kids[1]);
    if (sx == 0) sx = 3 - sy;
    if (sy == 0) sy = 3 - sx;
    if (sx == 1 && sy == 2) return add_key(b, s, x, y, ast->pos);
    if (sx == 2 && sy == 1) return add_key(b, s, y, x, ast->pos);
    return bind_fail(b, ast->pos, "BadJoinCondition",
                     "one side of == must be of $left, the other of $right");
}

struct kind_name {
    const char *name;
    enum join_kind kind;
    bool swap, left_columns, right_columns;
};
static const struct kind_name kinds[] = {
    {"innerunique", JOIN_INNERUNIQUE, false, true, true},
    {"inner", JOIN_INNER, false, true, true},
    {"leftouter", JOIN_OUTER, false, true, true},
    {"rightouter", JOIN_OUTER, true, true, true},
    {"fullouter", JOIN_FULL, false, true, true},
    {"leftsemi", JOIN_SEMI, false, true, false},
    {"semi", JOIN_SEMI, false, true, false},
    {"rightsemi", JOIN_SEMI, true, false, true},
    {"leftanti", JOIN_ANTI, false, true, false},
    {"anti", JOIN_ANTI, false, true, false},
    {"leftantisemi", JOIN_ANTI, false, true, false},
    {"rightanti", JOIN_ANTI, true, false, true},
    {"rightantisemi", JOIN_ANTI, true, false, true},
};

static enum rf_kind find_kind(struct binder *b, const struct ast *node, const char *fallback,
                              const struct kind_name **out)
{
    rf_str text = ast_param_text(node, "kind");
    if (text.len == 0) text = rf_str_of(fallback);
    for (size_t i = 0; i < RF_COUNT(kinds); i++)
        if (rf_str_eq_nocase(text, rf_str_of(kinds[i].name))) {
            *out = &kinds[i];
            return RF_OK;
        }
    return bind_fail(b, ast_param(node, "kind")->pos, "BadJoinKind",
                     "there is no join kind '%.*s'; kinds are innerunique, inner, leftouter, "
                     "rightouter, fullouter, leftsemi, rightsemi, leftanti, rightanti",
                     RF_FMT(text));
}

/* A right column's name: with a number behind it when the left has that name, and then one that neither side uses. */
static rf_str free_name(struct binder *b, const struct schema *so_far, const struct schema *right,
                        rf_str name)
{
    if (schema_find(so_far, name) < 0) return name;
    for (uint32_t n = 1;; n++) {
        rf_str numbered = rf_arena_printf(b->arena, "%.*s%u", RF_FMT(name), n);
        if (numbered.ptr == NULL ||
            (schema_find(so_far, numbered) < 0 && schema_find(right, numbered) < 0))
            return numbered.ptr == NULL ? name : numbered;
    }
}

/* True when a table is likely to have few rows: grouped, limited, or given in the query. */
static bool likely_small(const struct node *node)
{
    static const char *const small[] = {"group", "take", "rows", "range"};
    while (strcmp(node->ops->name, "project") == 0 || strcmp(node->ops->name, "where") == 0)
        node = node->inputs[0];
    for (size_t i = 0; i < RF_COUNT(small); i++)
        if (strcmp(node->ops->name, small[i]) == 0) return true;
    return false;
}

/* An inner join keeps the smaller side in memory; which one is left does not matter for its rows. */
static void choose_sides(struct join_node *j)
{
    if (j->kind != JOIN_INNER && j->kind != JOIN_INNERUNIQUE) return;
    if (!likely_small(j->node.inputs[PROBE]) || likely_small(j->node.inputs[BUILD])) return;
    struct node *node = j->node.inputs[PROBE];
    struct expr **keys = j->keys[PROBE];
    j->node.inputs[PROBE] = j->node.inputs[BUILD];
    j->keys[PROBE] = j->keys[BUILD];
    j->node.inputs[BUILD] = node;
    j->keys[BUILD] = keys;
    j->build_unique = j->kind == JOIN_INNERUNIQUE;
    j->kind = JOIN_INNER;
}

static enum rf_kind join_build(struct binder *b, const struct ast *node, struct node *input,
                               const char *fallback, bool lookup, struct node **out)
{
    const struct join_body *body = node->body;
    const struct kind_name *kind = NULL;
    struct join_sides s = {.left = input};
    RF_TRY(find_kind(b, node, fallback, &kind));
    RF_TRY(bind_table(b, body->right, &s.right));
    s.right_is_key = rf_arena_new(b->arena, bool, s.right->schema.count);
    if (s.right_is_key == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < body->count; i++) RF_TRY(bind_condition(b, &s, body->conditions[i]));
    struct join_node *j = node_new(b, sizeof *j, &join_ops, NULL);
    struct schema_builder sb = {.b = b};
    if (j == NULL) return BIND_NOMEM(b);
    j->kind = kind->kind;
    j->key_count = s.key_count;
    j->node.inputs[kind->swap ? BUILD : PROBE] = s.left;
    j->node.inputs[kind->swap ? PROBE : BUILD] = s.right;
    j->node.input_count = 2;
    j->keys[kind->swap ? BUILD : PROBE] = s.left_keys;
    j->keys[kind->swap ? PROBE : BUILD] = s.right_keys;
    for (uint32_t i = 0; kind->left_columns && i < s.left->schema.count; i++) {
        const struct column *c = &s.left->schema.columns[i];
        if (!schema_add(&sb, c->name, (enum type)c->type, c->id)) return BIND_NOMEM(b);
    }
    for (uint32_t i = 0; kind->right_columns && i < s.right->schema.count; i++) {
        const struct column *c = &s.right->schema.columns[i];
        if (lookup && s.right_is_key[i]) continue;
        rf_str name =
            kind->left_columns ? free_name(b, &sb.schema, &s.right->schema, c->name) : c->name;
        if (!schema_add(&sb, name, (enum type)c->type, c->id)) return BIND_NOMEM(b);
    }
    sb.schema.open = (kind->left_columns && s.left->schema.open) ||
                     (kind->right_columns && s.right->schema.open);
    j->node.schema = sb.schema;
    choose_sides(j);
    *out = &j->node;
    return RF_OK;
}

static enum rf_kind join_bind(struct binder *b, const struct ast *node, struct node *input,
                              struct node **out)
{
    return join_build(b, node, input, "innerunique", false, out);
}
static enum rf_kind lookup_bind(struct binder *b, const struct ast *node, struct node *input,
                                struct node **out)
{
    return join_build(b, node, input, "leftouter", true, out);
}

const struct operator op_join = {
    .name = "join",
    .doc = "Brings together rows of two tables with equal keys.",
    .syntax = "L | join [kind=Kind] (R) on Column, ... | $left.A == $right.B, ...",
    .parse = join_parse,
    .bind = join_bind};
const struct operator op_lookup = {
    .name = "lookup",
    .doc = "Adds a small table's columns by key; the key is not repeated.",
    .syntax = "L | lookup [kind=leftouter|inner] (R) on Column, ...",
    .parse = join_parse,
    .bind = lookup_bind};
