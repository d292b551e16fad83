/* op_partition.c - partition: runs a pipe over the rows of each value of a column.
 *
 * In round brackets the pipe starts from the partition's rows; in braces it has a source of its own and
 * the column's name stands for the partition's value. */
#include "kql/bind_int.h"
#include "kql/key_map.h"
#include "kql/op.h"
#include "kql/op_pick.h"

/* ---- a source over picked rows --------------------------------------------------------------- */

static enum rf_kind pick_run(struct node *node, struct exec *exec, struct flow *out,
                             struct rf_err *err)
{
    const struct pick_node *p = (struct pick_node *)node;
    return rows_push_order(p->rows, p->picked, p->count, exec, out, err);
}

static void pick_prune(struct node *node, struct id_set *need)
{
    struct pick_node *p = (struct pick_node *)node;
    if (p->of == NULL) return; /* the operator that keeps the rows decides on their columns */
    id_set_add(need, p->key_id);
    node_prune(p->of, need);
    node->schema = p->of->schema;
}

static const struct node_ops pick_ops = {
    .name = "picked rows", .run = pick_run, .prune = pick_prune};

struct pick_node *pick_node_new(struct binder *b, const struct node *like)
{
    struct pick_node *p = node_new(b, sizeof *p, &pick_ops, NULL);
    if (p == NULL) return NULL;
    p->node.schema = like->schema;
    p->node.serialized = like->serialized;
    return p;
}

/* ---- the node -------------------------------------------------------------------------------- */

struct partition_node {
    struct node node;
    struct node *sub;
    struct pick_node *pick; /* NULL in braces */
    uint32_t key_id;
    struct expr *value;     /* in braces: what the column's name stands for */
    struct rows *value_row; /* one cell for it */
};

struct partition_run {
    struct partition_node *node;
    struct exec *exec;
    struct rf_arena arena;
    struct rows *rows;
    struct key_map map;
    uint64_t *order, *starts; /* partition n has order[starts[n] .. starts[n + 1] - 1] */
};

static enum rf_kind split_rows(struct partition_run *r, struct rf_err *err)
{
    int key = schema_find_id(&r->node->node.inputs[0]->schema, r->node->key_id);
    RF_ASSERT(key >= 0);
    uint64_t count = rows_count(r->rows);
    uint32_t *part = rf_arena_raw(&r->arena, uint32_t, count);
    r->order = rf_arena_raw(&r->arena, uint64_t, count);
    if (part == NULL || r->order == NULL) return rf_fail_memory(err, &r->arena);
    r->map = key_map_in(&r->arena, 1);
    for (uint64_t i = 0; i < count; i++) {
        struct value v = rows_value(r->rows, i, (uint32_t)key);
        part[i] = key_map_add(&r->map, &v);
        if (part[i] == KEY_MAP_NONE) return rf_fail_memory(err, &r->arena);
    }
    r->starts = rf_arena_new(&r->arena, uint64_t, (size_t)r->map.count + 2);
    if (r->starts == NULL) return rf_fail_memory(err, &r->arena);
    for (uint64_t i = 0; i < count; i++) r->starts[part[i] + 2]++;
    for (uint32_t n = 2; n < r->map.count + 2; n++) r->starts[n] += r->starts[n - 1];
    for (uint64_t i = 0; i < count; i++) r->order[r->starts[part[i] + 1]++] = i;
    return RF_OK;
}

/* Makes the column's name stand for `key`: a new one-row table, and the constant forgets the last. */
static enum rf_kind set_value(struct partition_run *r, const struct value *key, struct rf_err *err)
{
    struct partition_node *n = r->node;
    struct vec cell;
    struct batch one = {.row_count = 1, .column_count = 1, .columns = &cell, .arena = &r->arena};
    n->value_row = rows_new(&r->arena, &key->type, 1);
    if (n->value_row == NULL || !vec_const(&r->arena, key, &cell) ||
        !rows_append(n->value_row, &one))
        return rf_fail_memory(err, &r->arena);
    n->value->result = NULL;
    return RF_OK;
}

static enum rf_kind run_parts(struct partition_run *r, struct flow *out, struct rf_err *err)
{
    struct partition_node *n = r->node;
    for (uint32_t i = 0; i < r->map.count && !flow_done(out); i++) {
        if (n->pick == NULL) {
            RF_TRY(set_value(r, &r->map.keys[i], err));
        } else {
            n->pick->rows = r->rows;
            n->pick->picked = r->order + r->starts[i];
            n->pick->count = r->starts[i + 1] - r->starts[i];
        }
        RF_TRY(node_run(n->sub, r->exec, out, err));
    }
    return RF_OK;
}

static enum rf_kind partition_run(struct node *node, struct exec *exec, struct flow *out,
                                  struct rf_err *err)
{
    struct partition_run r = {.node = (struct partition_node *)node, .exec = exec};
    rf_arena_init_shared(&r.arena, exec->budget);
    uint32_t lanes = exec->lane_count;
    if (node->inputs[0]->serialized) exec->lane_count = 1;
    enum rf_kind kind = node_collect(node->inputs[0], exec, &r.arena, &r.rows, err);
    exec->lane_count = 1; /* each part is small */
    if (kind == RF_OK) kind = split_rows(&r, err);
    if (kind == RF_OK) kind = run_parts(&r, out, err);
    exec->lane_count = lanes;
    rf_arena_done(&r.arena);
    return kind;
}

static void partition_prune(struct node *node, struct id_set *need)
{
    struct partition_node *n = (struct partition_node *)node;
    node_prune(n->sub, need);
    node->schema = n->sub->schema;
    if (n->pick != NULL) return; /* the pick was pruned, and the input with it */
    id_set_add(need, n->key_id);
    node_prune(node->inputs[0], need);
}

static void partition_explain(const struct node *node, struct rf_buf *buf)
{
    const struct partition_node *n = (const struct partition_node *)node;
    rf_buf_printf(buf, "by #%u\n", n->key_id);
    node_explain(n->sub, 6, buf);
}

static const struct node_ops partition_ops = {.name = "partition",
                                              .run = partition_run,
                                              .prune = partition_prune,
                                              .explain = partition_explain};

/* ---- text to node ---------------------------------------------------------------------------- */

struct partition_body {
    struct ast *key, *sub;
    bool own_source;
};

static enum rf_kind partition_parse(struct parser *p, struct ast *node)
{
    static const char *const known[] = {"hint.*", NULL};
    struct partition_body *body = rf_arena_new(p->arena, struct partition_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, known, node));
    RF_TRY(parse_expect(p, "by"));
    body->key = ast_new(p, AST_NAME);
    if (body->key == NULL) return PARSE_NOMEM(p);
    RF_TRY(parse_name(p, &body->key->text));
    RF_TRY(parse_params(p, known, node));
    if (parse_accept(p, "{")) {
        body->own_source = true;
        RF_TRY(parse_pipe(p, &body->sub));
        return parse_expect(p, "}");
    }
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_sub_pipe(p, &body->sub));
    return parse_expect(p, ")");
}

struct value_node {
    struct node node;
    const struct partition_node *partition;
};

static enum rf_kind value_run(struct node *node, struct exec *exec, struct flow *out,
                              struct rf_err *err)
{
    return rows_push(((struct value_node *)node)->partition->value_row, exec, out, err);
}

static const struct node_ops value_ops = {.name = "partition value", .run = value_run};

/* The column's name becomes toscalar() of a table that holds the partition's value. */
static enum rf_kind bind_own_source(struct binder *b, const struct partition_body *body,
                                    struct partition_node *n, const struct column *key)
{
    struct value_node *v = node_new(b, sizeof *v, &value_ops, NULL);
    struct expr *e = rf_arena_new(b->arena, struct expr, 1);
    struct schema_builder sb = {.b = b};
    if (v == NULL || e == NULL ||
        !schema_add_exact(&sb, key->name, (enum type)key->type, bind_new_id(b)))
        return BIND_NOMEM(b);
    v->node.schema = sb.schema;
    v->partition = n;
    *e = (struct expr){
        .kind = EXPR_SUBQUERY, .type = key->type, .pos = body->key->pos, .subquery = &v->node};
    n->value = e;
    struct scope *outer = b->scope, *s = scope_add(b, key->name, BINDING_SCALAR);
    if (s == NULL) return BIND_NOMEM(b);
    s->expr = e;
    enum rf_kind kind = bind_table(b, body->sub, &n->sub);
    b->scope = outer;
    return kind;
}

static enum rf_kind partition_bind(struct binder *b, const struct ast *node, struct node *input,
                                   struct node **out)
{
    const struct partition_body *body = node->body;
    struct partition_node *n = node_new(b, sizeof *n, &partition_ops, input);
    struct column *key;
    if (n == NULL) return BIND_NOMEM(b);
    RF_TRY(bind_column(b, &input->schema, body->key->text, body->key->pos, &key));
    n->key_id = key->id;
    if (body->own_source) {
        RF_TRY(bind_own_source(b, body, n, key));
    } else {
        n->pick = pick_node_new(b, input);
        if (n->pick == NULL) return BIND_NOMEM(b);
        n->pick->of = input;
        n->pick->key_id = key->id;
        RF_TRY(bind_sub_pipe(b, body->sub, &n->pick->node, &n->sub));
    }
    n->node.schema = n->sub->schema;
    n->node.serialized = false;
    *out = &n->node;
    return RF_OK;
}

const struct operator op_partition = {
    .name = "partition",
    .doc = "Runs a pipe over the rows of each value of a column and unites the results.",
    .syntax = "T | partition by Column (Pipe) | partition by Column {Table}",
    .parse = partition_parse,
    .bind = partition_bind};
