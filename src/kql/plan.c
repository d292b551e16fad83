#include "kql/plan.h"

#include "value/text.h"

void id_set_add_expr(struct id_set *set, struct expr *expr)
{
    if (set->paths != NULL && set->paths->reader != NULL) (void)path_make_column(set->paths, expr);
    if (expr->kind == EXPR_COLUMN) id_set_add(set, expr->column_id);
    for (uint32_t i = 0; i < expr->arg_count; i++) id_set_add_expr(set, expr->args[i]);
}

bool node_by_rows(const struct node *node)
{
    while (node->ops->by_rows && node->input_count == 1) node = node->inputs[0];
    return node->ops->by_rows && node->input_count == 0;
}

void node_prune_all(struct node *node, struct id_set *need)
{
    for (uint32_t i = 0; i < node->input_count; i++) {
        const struct schema *schema = &node->inputs[i]->schema;
        for (uint32_t c = 0; c < schema->count; c++) id_set_add(need, schema->columns[c].id);
    }
    for (uint32_t i = 0; i < node->input_count; i++) node_prune(node->inputs[i], need);
}

void node_prune(struct node *node, struct id_set *need)
{
    struct path_maker none = {0}, *paths = need->paths == NULL ? &none : need->paths,
                      above = *paths;
    node->pruned = true;
    if (!node->ops->same_columns) paths->hidden = node->ops->reads_paths;
    paths->reader = node->ops->reads_paths && paths->hidden ? node : NULL;
    if (node->ops->prune != NULL)
        node->ops->prune(node, need);
    else
        node_prune_all(node, need);
    paths->reader = above.reader;
    paths->hidden = above.hidden;
}

void expr_explain(const struct expr *expr, struct rf_buf *buf)
{
    switch (expr->kind) {
    case EXPR_CONST:
        if (expr->type == TYPE_STRING) rf_buf_byte(buf, '"');
        text_put_value(buf, &expr->value);
        if (expr->type == TYPE_STRING) rf_buf_byte(buf, '"');
        break;
    case EXPR_COLUMN:
        rf_buf_printf(buf, "#%u", expr->column_id);
        break;
    case EXPR_CALL:
        rf_buf_printf(buf, "%s(", expr->func->name);
        for (uint32_t i = 0; i < expr->arg_count; i++) {
            if (i > 0) rf_buf_printf(buf, ", ");
            expr_explain(expr->args[i], buf);
        }
        rf_buf_byte(buf, ')');
        break;
    case EXPR_SUBQUERY:
        rf_buf_printf(buf, expr->as_array ? "(table)" : "toscalar(table)");
        break;
    }
}

void node_explain(const struct node *node, uint32_t depth, struct rf_buf *buf)
{
    rf_buf_printf(buf, "%*s%s", (int)(2 * depth), "", node->ops->name);
    if (node->ops->explain != NULL) {
        rf_buf_byte(buf, ' ');
        node->ops->explain(node, buf);
    }
    rf_buf_printf(buf, " ->");
    for (uint32_t i = 0; i < node->schema.count && i < 12; i++)
        rf_buf_printf(buf, " %.*s#%u:%s", RF_FMT(node->schema.columns[i].name),
                      node->schema.columns[i].id, type_name(node->schema.columns[i].type));
    if (node->schema.count > 12) rf_buf_printf(buf, " ... (%u columns)", node->schema.count);
    rf_buf_byte(buf, '\n');
    for (uint32_t i = 0; i < node->input_count; i++) node_explain(node->inputs[i], depth + 1, buf);
}
