#include "kql/op_found.h"

static enum rf_kind lane_init(struct found_flow *f, struct found_lane *l,
                              const struct found_ops *ops, struct rf_err *err)
{
    const struct found_node *n = f->node;
    struct expr *expr = n->expr;
    regex_scratch_init(&l->scratch, &l->arena);
    RF_TRY(ops->lane_init(n, l, err));
    return eval_new(f->exec, &l->arena, &expr, 1, &n->node.inputs[0]->schema, &l->eval, err);
}

enum rf_kind found_run(struct node *node, struct exec *exec, struct flow *out,
                       const struct found_ops *ops, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    struct found_flow f = {.flow = {.push = ops->push, .next = out},
                           .exec = exec,
                           .node = (struct found_node *)node,
                           .lane_bytes = ops->lane_bytes};
    int *slots = rf_arena_new(&arena, int, node->schema.count);
    f.lanes = rf_arena_array(&arena, exec->lane_count, ops->lane_bytes);
    if (slots == NULL || f.lanes == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t i = 0; i < node->schema.count; i++)
        slots[i] = schema_find_id(&node->inputs[0]->schema, node->schema.columns[i].id);
    f.slots = slots;
    enum rf_kind kind = RF_OK;
    for (uint32_t i = 0; i < exec->lane_count; i++)
        rf_arena_init_shared(&found_lane(&f, i)->arena, exec->budget);
    for (uint32_t i = 0; i < exec->lane_count && kind == RF_OK; i++)
        kind = lane_init(&f, found_lane(&f, i), ops, err);
    if (kind == RF_OK) kind = node_run(node->inputs[0], exec, &f.flow, err);
    for (uint32_t i = 0; i < exec->lane_count; i++) {
        eval_done(found_lane(&f, i)->eval);
        rf_arena_done(&found_lane(&f, i)->arena);
    }
    return kind;
}

struct vec *found_columns(const struct found_flow *f, const struct batch *in,
                          const struct vec *found)
{
    const struct found_node *n = f->node;
    struct vec *columns = rf_arena_new(in->arena, struct vec, n->node.schema.count);
    for (uint32_t i = 0; columns != NULL && i < n->node.schema.count; i++)
        columns[i] = n->column[i] >= 0 ? found[n->column[i]] : in->columns[f->slots[i]];
    return columns;
}

void found_prune(struct node *node, struct id_set *need)
{
    struct found_node *n = (struct found_node *)node;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->schema.count; i++) {
        if (!id_set_has(need, node->schema.columns[i].id)) continue;
        node->schema.columns[kept] = node->schema.columns[i];
        n->column[kept++] = n->column[i];
    }
    node->schema.count = kept;
    id_set_add_expr(need, n->expr);
    node_prune(node->inputs[0], need);
}

/* ---- text to node ---------------------------------------------------------------------------- */

enum rf_kind found_bind(struct binder *b, struct found_node *n, const struct ast *text,
                        uint32_t count, struct schema_builder *sb)
{
    const struct schema *input = &n->node.inputs[0]->schema;
    *sb = (struct schema_builder){.b = b};
    RF_TRY(bind_scalar(b, text, input, &n->expr));
    if (n->expr->type != TYPE_STRING) RF_TRY(bind_cast(b, n->expr, TYPE_STRING, &n->expr));
    n->column = rf_arena_new(b->arena, int, (size_t)input->count + count);
    if (n->column == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < input->count; i++) {
        const struct column *c = &input->columns[i];
        n->column[i] = -1;
        if (!schema_add_exact(sb, c->name, (enum type)c->type, c->id)) return BIND_NOMEM(b);
    }
    sb->schema.open = input->open;
    return RF_OK;
}

enum rf_kind found_bind_column(struct binder *b, struct found_node *n, struct schema_builder *sb,
                               rf_str name, enum type type, uint32_t pos, uint32_t index)
{
    int at = schema_find(&sb->schema, name);
    if (at >= 0 && n->column[at] >= 0)
        return bind_fail(b, pos, "DuplicateColumn", "the column '%.*s' occurs twice", RF_FMT(name));
    if (at < 0) {
        at = (int)sb->schema.count;
        if (!schema_add_exact(sb, name, type, bind_new_id(b))) return BIND_NOMEM(b);
    } else {
        RF_ASSERT((uint32_t)at < sb->schema.count);
        sb->schema.columns[at].type = (uint8_t)type;
        sb->schema.columns[at].id = bind_new_id(b);
    }
    n->column[at] = (int)index;
    return RF_OK;
}
