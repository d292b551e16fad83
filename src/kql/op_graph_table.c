/* op_graph_table.c - graph-to-table and graph-mark-components. */
#include "kql/bind_int.h"
#include "kql/op.h"
#include "kql/op_graph.h"

/* ---- nodes or edges as a table --------------------------------------------------------------- */

struct rows_of_graph {
    struct node node; /* schema: the properties, then the key, or both ends' keys */
    struct graph_node *graph;
    bool edges;
};

static struct value graph_cell(const struct rows_of_graph *n, const struct graph *g, uint32_t index,
                               uint32_t column)
{
    uint32_t properties = n->edges ? n->graph->edge_columns : n->graph->node_columns;
    if (!n->edges) return column < properties ? graph_node_value(g, index, column) : g->keys[index];
    if (column < properties) return graph_edge_value(g, index, column);
    return g->keys[column == properties ? g->from[index] : g->to[index]];
}

static enum rf_kind push_rows(const struct rows_of_graph *n, const struct graph *g,
                              struct exec *exec, struct flow *out, struct rf_err *err)
{
    const struct schema *schema = &n->node.schema;
    uint32_t total = n->edges ? g->edge_count : g->node_count;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    for (uint32_t from = 0; from < total && !flow_done(out); from += BATCH_ROWS) {
        uint32_t count = RF_MIN(total - from, (uint32_t)BATCH_ROWS);
        rf_arena_reset(&arena);
        struct batch batch = {.row_count = count,
                              .column_count = schema->count,
                              .arena = &arena,
                              .columns = rf_arena_new(&arena, struct vec, schema->count)};
        if (batch.columns == NULL) return rf_fail_memory(err, &arena);
        for (uint32_t c = 0; c < schema->count; c++) {
            struct vec *v = &batch.columns[c];
            if (!vec_flat(&arena, (enum type)schema->columns[c].type, count, v) ||
                vec_need_nulls(&arena, v, count) == NULL)
                return rf_fail_memory(err, &arena);
            for (uint32_t i = 0; i < count; i++) {
                struct value x = graph_cell(n, g, from + i, c);
                vec_set(v, i, &x);
            }
        }
        RF_TRY(flow_push(exec, out, 0, &batch, err));
    }
    return RF_OK;
}

static enum rf_kind rows_of_graph_run(struct node *node, struct exec *exec, struct flow *out,
                                      struct rf_err *err)
{
    const struct rows_of_graph *n = (const struct rows_of_graph *)node;
    struct graph g;
    enum rf_kind kind = graph_load(n->graph, exec, &g, err);
    if (kind == RF_OK) kind = push_rows(n, &g, exec, out, err);
    graph_done(&g);
    return kind;
}

static const struct node_ops rows_of_graph_ops = {.name = "graph-rows", .run = rows_of_graph_run};

static enum rf_kind hash_of(struct binder *b, const struct column *column, struct expr **out)
{
    struct expr *key = expr_column(b, column, 0);
    if (key == NULL) return BIND_NOMEM(b);
    return bind_call(b, 0, RF_S("hash"), &key, 1, out);
}

/* Puts out the first `count` columns of `input`, behind hashes of `keys` that are asked for. */
static enum rf_kind with_ids(struct binder *b, const rf_str *names, const struct column *keys,
                             uint32_t key_count, uint32_t count, struct node *input,
                             struct node **out)
{
    struct schema_builder sb = {.b = b};
    struct expr **exprs = rf_arena_new(b->arena, struct expr *, count + key_count);
    if (exprs == NULL) return BIND_NOMEM(b);
    for (uint32_t k = 0; k < key_count; k++) {
        if (names[k].len == 0) continue;
        RF_TRY(hash_of(b, &keys[k], &exprs[sb.schema.count]));
        if (!schema_add(&sb, names[k], TYPE_LONG, bind_new_id(b))) return BIND_NOMEM(b);
    }
    for (uint32_t c = 0; c < count; c++) {
        const struct column *column = &input->schema.columns[c];
        exprs[sb.schema.count] = expr_column(b, column, 0);
        if (exprs[sb.schema.count] == NULL ||
            !schema_add(&sb, column->name, (enum type)column->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    return project_node_new(b, exprs, &sb.schema, input, out);
}

/* `ids` names the columns of hashes of the key, or of both ends' keys. */
static enum rf_kind graph_table(struct binder *b, struct graph_node *g, bool edges,
                                const rf_str *ids, struct node **out)
{
    static const char *const key_names[] = {"$0", "$1"};
    struct rows_of_graph *n = node_new(b, sizeof *n, &rows_of_graph_ops, NULL);
    struct schema_builder sb = {.b = b};
    const struct schema *schema = edges ? &g->edges : &g->nodes;
    uint32_t properties = edges ? g->edge_columns : g->node_columns, keys = edges ? 2 : 1;
    if (n == NULL) return BIND_NOMEM(b);
    n->graph = g;
    n->edges = edges;
    n->node.inputs[0] = &g->node;
    n->node.input_count = 1;
    for (uint32_t c = 0; c < properties; c++) {
        const struct column *column = &schema->columns[c];
        if (!schema_add_exact(&sb, column->name, (enum type)column->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    for (uint32_t k = 0; k < keys; k++)
        if (!schema_add_exact(&sb, rf_str_of(key_names[k]), g->key_type, bind_new_id(b)))
            return BIND_NOMEM(b);
    n->node.schema = sb.schema;
    return with_ids(b, ids, &sb.schema.columns[properties], keys, properties, &n->node, out);
}

/* ---- graph-to-table -------------------------------------------------------------------------- */

struct table_part {
    bool wanted;
    rf_str name;   /* as Name */
    rf_str ids[2]; /* with_node_id; with_source_id, with_target_id */
};
struct table_body {
    struct table_part nodes, edges;
};

static enum rf_kind parse_part(struct parser *p, struct table_body *body)
{
    static const char *const node_ids[] = {"with_node_id", NULL};
    static const char *const edge_ids[] = {"with_source_id", "with_target_id", NULL};
    struct ast params = {.kind = AST_NAME};
    bool nodes = parse_accept(p, "nodes");
    if (!nodes && !parse_accept(p, "edges")) return parse_expected(p, "nodes or edges");
    struct table_part *part = nodes ? &body->nodes : &body->edges;
    part->wanted = true;
    if (parse_accept(p, "as")) RF_TRY(parse_name(p, &part->name));
    RF_TRY(parse_params(p, nodes ? node_ids : edge_ids, &params));
    part->ids[0] = ast_param_text(&params, nodes ? "with_node_id" : "with_source_id");
    part->ids[1] = ast_param_text(&params, "with_target_id");
    return RF_OK;
}

static enum rf_kind table_parse(struct parser *p, struct ast *node)
{
    struct table_body *body = rf_arena_new(p->arena, struct table_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    /* The comma behind a parameter is taken with it. */
    do {
        RF_TRY(parse_part(p, body));
    } while (parse_accept(p, ",") || parse_is(p, 0, "nodes") || parse_is(p, 0, "edges"));
    return RF_OK;
}

static enum rf_kind table_bind(struct binder *b, const struct ast *node, struct node *input,
                               struct node **out)
{
    const struct table_body *body = node->body;
    struct graph_node *g;
    struct node *nodes = NULL, *edges = NULL;
    RF_TRY(graph_input(b, node, input, &g));
    if (body->nodes.wanted) RF_TRY(graph_table(b, g, false, body->nodes.ids, &nodes));
    if (body->edges.wanted) RF_TRY(graph_table(b, g, true, body->edges.ids, &edges));
    if (body->nodes.name.len > 0 && nodes != NULL) RF_TRY(bind_as(b, body->nodes.name, nodes));
    if (body->edges.name.len > 0 && edges != NULL) RF_TRY(bind_as(b, body->edges.name, edges));
    if (nodes != NULL && edges != NULL && (body->nodes.name.len == 0 || body->edges.name.len == 0))
        return bind_fail(b, node->pos, "BadGraph",
                         "two tables need names: graph-to-table nodes as N, edges as E");
    *out = nodes != NULL ? nodes : edges;
    return RF_OK;
}

const struct operator op_graph_to_table = {
    .name = "graph-to-table",
    .doc = "The nodes or the edges of a graph as a table.",
    .syntax = "G | graph-to-table nodes [as Name] [with_node_id=Column] | edges [as Name] "
              "[with_source_id=Column] [with_target_id=Column]",
    .parse = table_parse,
    .bind = table_bind};

/* ---- graph-mark-components ------------------------------------------------------------------- */

static enum rf_kind mark_parse(struct parser *p, struct ast *node)
{
    static const char *const known[] = {"kind", "with_component_id", "hint.*", NULL};
    return parse_params(p, known, node);
}

static enum rf_kind mark_bind(struct binder *b, const struct ast *node, struct node *input,
                              struct node **out)
{
    struct graph_node *from, *g = rf_arena_new(b->arena, struct graph_node, 1);
    struct schema_builder sb = {.b = b};
    rf_str kind = ast_param_text(node, "kind"), name = ast_param_text(node, "with_component_id");
    if (g == NULL) return BIND_NOMEM(b);
    RF_TRY(graph_input(b, node, input, &from));
    if (kind.len > 0 && !rf_str_is(kind, "weak") && !rf_str_is(kind, "strong"))
        return bind_fail(b, ast_param(node, "kind")->pos, "BadGraph", "kind is weak or strong");
    if (from->mark_count == GRAPH_MARKS_MAX)
        return bind_fail(b, node->pos, "BadGraph", "components are marked %d times already",
                         GRAPH_MARKS_MAX);
    *g = *from;
    for (uint32_t c = 0; c < from->nodes.count; c++) {
        const struct column *column = &from->nodes.columns[c];
        if (c == from->node_columns &&
            !schema_add(&sb, name.len > 0 ? name : RF_S("ComponentId"), TYPE_LONG, bind_new_id(b)))
            return BIND_NOMEM(b);
        if (!schema_add_exact(&sb, column->name, (enum type)column->type, column->id))
            return BIND_NOMEM(b);
    }
    g->nodes = sb.schema;
    g->node_columns++;
    g->mark_strong[g->mark_count++] = rf_str_is(kind, "strong");
    *out = &g->node;
    return RF_OK;
}

const struct operator op_graph_mark_components = {
    .name = "graph-mark-components",
    .doc = "Gives each node the number of its component.",
    .syntax = "G | graph-mark-components [kind=weak|strong] [with_component_id=Name]",
    .parse = mark_parse,
    .bind = mark_bind};
