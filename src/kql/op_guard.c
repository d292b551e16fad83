/* op_guard.c - what keeps rows that a query must not see out of its sight (struct catalog.narrow).
 *
 * A predicate that leaves rows out is no wall by itself: a scan meets predicates in the order that costs least, and an
 * expression over a dictionary is computed once per entry, also for entries of rows that are left out. assert(), or an
 * expression that takes more memory for one value than for another, would then tell what those rows hold. Behind a guard
 * there are flat vectors of the rows that are left, and predicates pass below it only when they can neither fail nor take
 * memory by what a row holds. */
#include "kql/bind_int.h"
#include "kql/op.h"

struct guard_flow {
    struct flow flow;
    struct exec *exec;
};

static enum rf_kind guard_push(struct flow *flow, uint32_t lane, const struct batch *in,
                               struct rf_err *err)
{
    struct guard_flow *f = (struct guard_flow *)flow;
    struct batch batch = *in;
    batch.columns = rf_arena_new(in->arena, struct vec, in->column_count);
    if (batch.columns == NULL) return rf_fail_memory(err, in->arena);
    for (uint32_t i = 0; i < in->column_count; i++) {
        batch.columns[i] = in->columns[i];
        if (in->columns[i].shape == VEC_DICT &&
            !vec_flatten(in->arena, &in->columns[i], in->row_count, &batch.columns[i]))
            return rf_fail_memory(err, in->arena);
    }
    return flow_push(f->exec, flow->next, lane, &batch, err);
}

static enum rf_kind guard_run(struct node *node, struct exec *exec, struct flow *out,
                              struct rf_err *err)
{
    struct guard_flow f = {.flow = {.push = guard_push, .next = out}, .exec = exec};
    return node_run(node->inputs[0], exec, &f.flow, err);
}

static void guard_prune(struct node *node, struct id_set *need)
{
    node_prune(node->inputs[0], need);
    node->schema = node->inputs[0]->schema;
}

static const struct node_ops guard_ops = {
    .name = "guard", .run = guard_run, .prune = guard_prune, .same_columns = true, .by_rows = true};

enum rf_kind guard_node_new(struct binder *b, struct node *input, struct node **out)
{
    struct node *n = node_new(b, sizeof *n, &guard_ops, input);
    if (n == NULL) return BIND_NOMEM(b);
    *out = n;
    return RF_OK;
}

bool node_is_guard(const struct node *node) { return node->ops == &guard_ops; }

bool guard_passes(const struct expr *predicate)
{
    static const char *const harmless[] = {"and",        "or",          "not",
                                           "==",         "!=",          "<",
                                           "<=",         ">",           ">=",
                                           "=~",         "!~",          "has",
                                           "!has",       "has_cs",      "!has_cs",
                                           "contains",   "!contains",   "contains_cs",
                                           "startswith", "!startswith", "startswith_cs",
                                           "endswith",   "!endswith",   "endswith_cs",
                                           "in",         "in~",         "!in",
                                           "!in~",       "between",     "isempty",
                                           "isnotempty", "isnull",      "isnotnull",
                                           "coalesce"};
    if (predicate->kind == EXPR_COLUMN || predicate->kind == EXPR_CONST) return true;
    bool known = false;
    for (size_t i = 0; i < RF_COUNT(harmless) && predicate->kind == EXPR_CALL && !known; i++)
        known = strcmp(predicate->func->name, harmless[i]) == 0;
    for (uint32_t i = 0; i < predicate->arg_count && known; i++)
        known = guard_passes(predicate->args[i]);
    return known;
}
