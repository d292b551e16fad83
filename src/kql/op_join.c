/* op_join.c - join and lookup: a hash join on equal keys. One side is kept in memory by key (build), the
 * other streams past it (probe). Right-handed kinds are the left-handed ones with the sides changed. */
#include "kql/bind_int.h"
#include "kql/keys.h"
#include "kql/op.h"

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

/* Rows of the build side by their keys: each key has a chain of rows, in the order in which they came. */
struct key_table {
    struct rf_arena arena;
    struct rows *rows; /* NULL when only keys matter */
    struct keys *keys;
    uint32_t *first, *last; /* by key: row + 1, 0 is none */
    uint32_t key_cap;
    uint32_t *next;   /* by row: row + 1, 0 ends */
    uint8_t *matched; /* full joins: by row */
    uint8_t *seen;    /* innerunique: keys for which a probe row has passed */
    uint32_t count, cap;
};

struct join_flow {
    struct flow flow;
    struct exec *exec;
    const struct join_node *join;
    struct key_table *table; /* being filled, or looked into */
    struct eval *eval;
    struct vec *keys;
    uint32_t *ids;
    int *from_probe, *from_build; /* per output column: position on that side, or -1 */
    bool filling;
    uint32_t *pair_probe; /* output rows being collected for this batch */
    uint64_t *pair_build;
    uint32_t pair_count;
};

/* ---- the table ------------------------------------------------------------------------------------------- */

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

static bool key_null(const struct join_flow *f, uint32_t row)
{
    for (uint32_t k = 0; k < f->join->key_count; k++)
        if (vec_null(&f->keys[k], row)) return true;
    return false;
}

/* Adds a batch of the build side. A key with a null is kept (a full join shows its row) but never found. */
static bool table_fill(struct join_flow *f, const struct batch *in)
{
    struct key_table *t = f->table;
    if (!keys_add(t->keys, f->keys, in->row_count, f->ids) || !table_reserve(t, in->row_count))
        return false;
    for (uint32_t i = 0; i < in->row_count; i++) {
        uint32_t key = f->ids[i], row = t->count++;
        if (key_null(f, i)) continue;
        if (f->join->build_unique && t->first[key] != 0) continue;
        if (t->last[key] == 0)
            t->first[key] = row + 1;
        else
            t->next[t->last[key] - 1] = row + 1;
        t->last[key] = row + 1;
    }
    return t->rows == NULL || rows_append(t->rows, in);
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

static enum rf_kind emit_pairs(struct join_flow *f, const struct batch *probe, struct rf_err *err)
{
    if (f->pair_count == 0) return RF_OK;
    uint32_t width = f->join->node.schema.count;
    struct rf_arena arena; /* each output batch has its own: one input batch may give very many */
    rf_arena_init_shared(&arena, f->exec->budget);
    struct batch batch = {.row_count = f->pair_count,
                          .column_count = width,
                          .arena = &arena,
                          .columns = rf_arena_new(&arena, struct vec, width)},
                 built = {0};
    bool ok = batch.columns != NULL;
    if (ok && f->table->rows != NULL)
        ok = rows_gather(f->table->rows, f->pair_build, f->pair_count, &arena, &built);
    for (uint32_t c = 0; c < width && ok; c++) {
        if (f->from_build[c] >= 0) {
            RF_ASSERT(built.columns != NULL);
            batch.columns[c] = built.columns[f->from_build[c]];
        } else if (probe != NULL)
            ok = vec_select(&arena, &probe->columns[f->from_probe[c]], f->pair_probe, f->pair_count,
                            &batch.columns[c]);
        else {
            struct value v = value_null((enum type)f->join->node.schema.columns[c].type);
            ok = vec_const(&arena, &v, &batch.columns[c]);
        }
    }
    enum rf_kind kind =
        ok ? flow_push(f->exec, f->flow.next, 0, &batch, err) : rf_fail_memory(err, &arena);
    rf_arena_done(&arena);
    f->pair_count = 0;
    return kind;
}

static enum rf_kind add_pair(struct join_flow *f, const struct batch *probe, uint32_t row,
                             uint64_t build, struct rf_err *err)
{
    f->pair_probe[f->pair_count] = row;
    f->pair_build[f->pair_count++] = build;
    return f->pair_count == BATCH_ROWS ? emit_pairs(f, probe, err) : RF_OK;
}

static enum rf_kind probe_row(struct join_flow *f, const struct batch *in, uint32_t row,
                              struct rf_err *err)
{
    struct key_table *t = f->table;
    uint32_t key = f->ids[row], at = key == KEYS_NONE || key_null(f, row) ? 0 : t->first[key];
    switch (f->join->kind) {
    case JOIN_SEMI:
        return at != 0 ? add_pair(f, in, row, 0, err) : RF_OK;
    case JOIN_ANTI:
        return at == 0 ? add_pair(f, in, row, 0, err) : RF_OK;
    case JOIN_INNERUNIQUE:
        if (at == 0 || t->seen[key] != 0) return RF_OK;
        t->seen[key] = 1;
        break;
    case JOIN_OUTER:
    case JOIN_FULL:
        if (at == 0) return add_pair(f, in, row, UINT64_MAX, err);
        break;
    case JOIN_INNER:
        break;
    }
    for (; at != 0 && !flow_done(&f->flow); at = t->next[at - 1]) {
        if (t->matched != NULL) t->matched[at - 1] = 1;
        RF_TRY(add_pair(f, in, row, at - 1, err));
    }
    return RF_OK;
}

static enum rf_kind join_push(struct flow *flow, uint32_t lane, const struct batch *in,
                              struct rf_err *err)
{
    struct join_flow *f = (struct join_flow *)flow;
    (void)lane;
    RF_TRY(eval_run(f->eval, in, f->keys, err));
    if (f->filling) return table_fill(f, in) ? RF_OK : rf_fail_memory(err, &f->table->arena);
    if (!keys_find(f->table->keys, f->keys, in->row_count, f->ids))
        return rf_fail_memory(err, &f->table->arena);
    for (uint32_t i = 0; i < in->row_count && !flow_done(flow); i++)
        RF_TRY(probe_row(f, in, i, err));
    return emit_pairs(f, in, err);
}

static enum rf_kind fill_table(struct join_flow *f, struct key_table *t, struct rf_arena *arena,
                               struct rf_err *err)
{
    const struct join_node *j = f->join;
    struct node *input = j->node.inputs[BUILD];
    bool keep = j->kind != JOIN_SEMI && j->kind != JOIN_ANTI;
    uint8_t *types = rf_arena_new(arena, uint8_t, RF_MAX(input->schema.count, j->key_count));
    if (types == NULL) return rf_fail_memory(err, arena);
    for (uint32_t k = 0; k < j->key_count; k++) types[k] = j->keys[BUILD][k]->type;
    if ((t->keys = keys_new(&t->arena, types, j->key_count)) == NULL)
        return rf_fail_memory(err, &t->arena);
    for (uint32_t i = 0; i < input->schema.count; i++) types[i] = input->schema.columns[i].type;
    if (keep && (t->rows = rows_new(&t->arena, types, input->schema.count)) == NULL)
        return rf_fail_memory(err, &t->arena);
    struct join_flow fill = *f;
    fill.flow = (struct flow){.push = join_push};
    fill.filling = true;
    RF_TRY(eval_new(f->exec, arena, j->keys[BUILD], j->key_count, &input->schema, &fill.eval, err));
    enum rf_kind kind = node_run_ordered(input, f->exec, &fill.flow, err);
    eval_done(fill.eval);
    RF_TRY(kind);
    if (j->kind == JOIN_INNERUNIQUE &&
        (t->seen = rf_arena_new(&t->arena, uint8_t, (size_t)keys_count(t->keys) + 1)) == NULL)
        return rf_fail_memory(err, &t->arena);
    if (j->kind == JOIN_FULL &&
        (t->matched = rf_arena_new(&t->arena, uint8_t, (size_t)t->count + 1)) == NULL)
        return rf_fail_memory(err, &t->arena);
    return RF_OK;
}

static enum rf_kind emit_unmatched(struct join_flow *f, struct rf_err *err)
{
    if (f->table->matched == NULL) return RF_OK;
    for (uint32_t i = 0; i < f->table->count && !flow_done(&f->flow); i++)
        if (f->table->matched[i] == 0) RF_TRY(add_pair(f, NULL, 0, i, err));
    return emit_pairs(f, NULL, err);
}

static enum rf_kind join_flow_init(struct join_flow *f, struct rf_arena *arena, struct rf_err *err)
{
    const struct join_node *j = f->join;
    uint32_t width = j->node.schema.count;
    f->keys = rf_arena_new(arena, struct vec, j->key_count);
    f->ids = rf_arena_raw(arena, uint32_t, BATCH_ROWS);
    f->pair_probe = rf_arena_raw(arena, uint32_t, BATCH_ROWS);
    f->pair_build = rf_arena_raw(arena, uint64_t, BATCH_ROWS);
    f->from_probe = rf_arena_new(arena, int, width);
    f->from_build = rf_arena_new(arena, int, width);
    if (f->keys == NULL || f->ids == NULL || f->pair_probe == NULL || f->pair_build == NULL ||
        f->from_probe == NULL || f->from_build == NULL)
        return rf_fail_memory(err, arena);
    for (uint32_t c = 0; c < width; c++) {
        f->from_probe[c] =
            schema_find_id(&j->node.inputs[PROBE]->schema, j->node.schema.columns[c].id);
        f->from_build[c] =
            schema_find_id(&j->node.inputs[BUILD]->schema, j->node.schema.columns[c].id);
    }
    return RF_OK;
}

static enum rf_kind join_run(struct node *node, struct exec *exec, struct flow *out,
                             struct rf_err *err)
{
    struct join_node *j = (struct join_node *)node;
    struct rf_arena arena;
    struct key_table table = {0};
    rf_arena_init_shared(&arena, exec->budget);
    rf_arena_init_shared(&table.arena, exec->budget);
    struct join_flow f = {
        .flow = {.push = join_push, .next = out}, .exec = exec, .join = j, .table = &table};
    uint32_t lanes = exec->lane_count;
    exec->lane_count = 1;
    enum rf_kind kind = join_flow_init(&f, &arena, err);
    if (kind == RF_OK) kind = fill_table(&f, &table, &arena, err);
    if (kind == RF_OK)
        kind = eval_new(exec, &arena, j->keys[PROBE], j->key_count, &node->inputs[PROBE]->schema,
                        &f.eval, err);
    if (kind == RF_OK) kind = node_run_ordered(node->inputs[PROBE], exec, &f.flow, err);
    if (kind == RF_OK) kind = emit_unmatched(&f, err);
    exec->lane_count = lanes;
    eval_done(f.eval);
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
    if (sx == 0) sx = 3 - sy; /* a column of an open schema is a constant null */
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
