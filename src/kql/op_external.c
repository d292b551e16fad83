/* op_external.c - externaldata: rows from outside. Ringfort reaches outside only where the operator allows
 * it, which this build cannot be told yet: the table is empty and the request carries a warning. */
#include "kql/bind_int.h"
#include "kql/op.h"

struct external_node {
    struct node node;
    rf_str uri;
};

static enum rf_kind external_run(struct node *node, struct exec *exec, struct flow *out,
                                 struct rf_err *err)
{
    const struct external_node *n = (const struct external_node *)node;
    (void)out;
    (void)err;
    exec_warn(exec, "ExternalDataOff", "externaldata is off, so '%.*s' gives no rows",
              RF_FMT(n->uri));
    return RF_OK;
}

static const struct node_ops external_ops = {.name = "externaldata", .run = external_run};

enum rf_kind bind_externaldata(struct binder *b, const struct ast *ast, struct node **out)
{
    struct external_node *n = node_new(b, sizeof *n, &external_ops, NULL);
    struct schema_builder sb = {.b = b};
    if (n == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < ast->column_count; i++)
        if (!schema_add(&sb, ast->columns[i].name, (enum type)ast->columns[i].type, bind_new_id(b)))
            return BIND_NOMEM(b);
    for (uint32_t i = 0; i < ast->kid_count; i++) {
        struct value v;
        RF_TRY(bind_constant(b, ast->kids[i], TYPE_STRING, &v));
        if (i == 0) n->uri = v.s;
    }
    n->node.schema = sb.schema;
    *out = &n->node;
    return RF_OK;
}
