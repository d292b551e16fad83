/* op_graph_make.c - make-graph: what a graph is made of. */
#include "kql/bind_int.h"
#include "kql/op.h"
#include "kql/op_graph.h"
#include "value/dyn.h"

/* ---- the node -------------------------------------------------------------------------------- */

static enum rf_kind graph_run(struct node *node, struct exec *exec, struct flow *out,
                              struct rf_err *err)
{
    (void)node;
    (void)exec;
    (void)out;
    return RF_FAIL(err, RF_INVALID, "NotTable",
                   "a graph is no table: graph-match or graph-to-table must follow make-graph");
}

const struct node_ops graph_ops = {.name = "graph", .run = graph_run};

enum rf_kind graph_input(struct binder *b, const struct ast *node, struct node *input,
                         struct graph_node **out)
{
    if (input == NULL || input->ops != &graph_ops)
        return bind_fail(b, node->pos, "NotGraph",
                         "%.*s needs a graph before it: T | make-graph A --> B ...",
                         RF_FMT(node->text));
    *out = (struct graph_node *)input;
    return RF_OK;
}

/* ---- parsing --------------------------------------------------------------------------------- */

struct node_table {
    struct ast *table;
    rf_str key;
    uint32_t pos;
};
struct make_body {
    rf_str source, target;
    uint32_t source_pos, target_pos;
    struct node_table tables[2];
    uint32_t table_count;
    bool partitioned;
    rf_str part;
    uint32_t part_pos;
    struct ast *pipe; /* of partitioned-by */
};

static enum rf_kind parse_tables(struct parser *p, struct make_body *body)
{
    do {
        if (body->table_count == RF_COUNT(body->tables))
            return parse_expected(p, "at most two node tables");
        struct node_table *t = &body->tables[body->table_count++];
        RF_TRY(parse_table(p, &t->table));
        RF_TRY(parse_expect(p, "on"));
        t->pos = parse_peek(p)->pos;
        RF_TRY(parse_name(p, &t->key));
    } while (parse_accept(p, ","));
    return RF_OK;
}

static enum rf_kind parse_partition(struct parser *p, struct make_body *body)
{
    p->at += 3;
    body->partitioned = true;
    body->part_pos = parse_peek(p)->pos;
    RF_TRY(parse_name(p, &body->part));
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_sub_pipe(p, &body->pipe));
    return parse_expect(p, ")");
}

static enum rf_kind make_parse(struct parser *p, struct ast *node)
{
    static const char *const known[] = {"with_node_id", "hint.*", NULL};
    struct make_body *body = rf_arena_new(p->arena, struct make_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, known, node));
    body->source_pos = parse_peek(p)->pos;
    RF_TRY(parse_name(p, &body->source));
    RF_TRY(parse_expect(p, "-"));
    RF_TRY(parse_expect(p, "-"));
    RF_TRY(parse_expect(p, ">"));
    body->target_pos = parse_peek(p)->pos;
    RF_TRY(parse_name(p, &body->target));
    if (parse_accept(p, "with")) RF_TRY(parse_tables(p, body));
    RF_TRY(parse_params(p, known, node));
    if (parse_is(p, 0, "partitioned") && parse_is(p, 1, "-") && parse_is(p, 2, "by"))
        return parse_partition(p, body);
    return RF_OK;
}

/* ---- binding --------------------------------------------------------------------------------- */

/* The input's columns with these expressions behind them. */
static enum rf_kind widen(struct binder *b, struct expr **exprs, uint32_t count, struct node *input,
                          struct node **out)
{
    struct column columns[3];
    static const char *const names[3] = {"$0", "$1", "$2"};
    for (uint32_t i = 0; i < count; i++)
        columns[i] = (struct column){
            .name = rf_str_of(names[i]), .id = bind_new_id(b), .type = exprs[i]->type};
    return extend_node_new(b, exprs, columns, count, input, out);
}

static enum rf_kind bind_name(struct binder *b, rf_str name, uint32_t pos,
                              const struct schema *schema, struct expr **out)
{
    struct ast ast = {.kind = AST_NAME, .text = name, .pos = pos};
    return bind_scalar(b, &ast, schema, out);
}

/* Properties, then, of nodes, which have a key, what node_degree_in(), node_degree_out() and node_id() read. */
static enum rf_kind property_schema(struct binder *b, const struct schema *input, uint32_t count,
                                    const enum type *key, struct schema *out)
{
    struct schema_builder sb = {.b = b};
    for (uint32_t c = 0; c < count; c++) {
        const struct column *column = &input->columns[c];
        if (!schema_add_exact(&sb, column->name, (enum type)column->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    if (key != NULL && (!schema_add_exact(&sb, RF_S("$in"), TYPE_LONG, bind_new_id(b)) ||
                        !schema_add_exact(&sb, RF_S("$out"), TYPE_LONG, bind_new_id(b)) ||
                        !schema_add_exact(&sb, RF_S("$id"), *key, bind_new_id(b))))
        return BIND_NOMEM(b);
    *out = sb.schema;
    return RF_OK;
}

static enum rf_kind bind_edges(struct binder *b, const struct make_body *body, struct node *input,
                               struct graph_node *g)
{
    struct expr *keys[3];
    enum type common;
    RF_TRY(bind_name(b, body->source, body->source_pos, &input->schema, &keys[0]));
    RF_TRY(bind_name(b, body->target, body->target_pos, &input->schema, &keys[1]));
    if (!type_common((enum type)keys[0]->type, (enum type)keys[1]->type, &common))
        return bind_fail(b, body->target_pos, "BadGraph", "source and target have different types");
    RF_TRY(bind_cast(b, keys[0], common, &keys[0]));
    RF_TRY(bind_cast(b, keys[1], common, &keys[1]));
    if (body->partitioned)
        RF_TRY(bind_name(b, body->part, body->part_pos, &input->schema, &keys[2]));
    g->key_type = common;
    g->edge_key = g->edge_columns = input->schema.count;
    RF_TRY(property_schema(b, &input->schema, input->schema.count, NULL, &g->edges));
    RF_TRY(widen(b, keys, body->partitioned ? 3 : 2, input, &g->node.inputs[0]));
    g->node.input_count = 1;
    return RF_OK;
}

/* Puts the key (and the part) first, so that they stay where they are in a union. */
static enum rf_kind keys_first(struct binder *b, struct expr **keys, uint32_t count,
                               struct node *input, struct node **out)
{
    static const char *const names[2] = {"$0", "$1"};
    struct schema_builder sb = {.b = b};
    struct expr **exprs = rf_arena_new(b->arena, struct expr *, input->schema.count + count);
    if (exprs == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < count; i++) {
        exprs[i] = keys[i];
        if (!schema_add_exact(&sb, rf_str_of(names[i]), (enum type)keys[i]->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    for (uint32_t c = 0; c < input->schema.count; c++) {
        const struct column *column = &input->schema.columns[c];
        exprs[count + c] = expr_column(b, column, 0);
        if (exprs[count + c] == NULL ||
            !schema_add_exact(&sb, column->name, (enum type)column->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    return project_node_new(b, exprs, &sb.schema, input, out);
}

static enum rf_kind bind_node_table(struct binder *b, const struct make_body *body,
                                    const struct node_table *t, enum type key_type,
                                    struct node **out)
{
    struct node *node;
    struct expr *keys[2];
    RF_TRY(bind_table(b, t->table, &node));
    RF_TRY(bind_name(b, t->key, t->pos, &node->schema, &keys[0]));
    enum type common;
    if (!type_common((enum type)keys[0]->type, key_type, &common))
        return bind_fail(b, t->pos, "BadGraph", "the key is a %s, the edges' ends are %s",
                         type_name((enum type)keys[0]->type), type_name(key_type));
    RF_TRY(bind_cast(b, keys[0], key_type, &keys[0]));
    if (body->partitioned)
        RF_TRY(bind_name(b, body->part, body->part_pos, &node->schema, &keys[1]));
    return keys_first(b, keys, body->partitioned ? 2 : 1, node, out);
}

static enum rf_kind bind_nodes(struct binder *b, const struct make_body *body, struct graph_node *g,
                               rf_str node_id)
{
    struct node *tables[2] = {NULL, NULL}, *all;
    rf_str names[2] = {RF_S(""), RF_S("")};
    uint32_t hidden = body->partitioned ? 2 : 1;
    g->key_property[0] = g->key_property[1] = -1;
    if (body->table_count == 0) {
        struct schema_builder sb = {.b = b};
        if (node_id.len > 0) {
            if (!schema_add_exact(&sb, node_id, g->key_type, 0)) return BIND_NOMEM(b);
            g->key_property[0] = g->key_property[1] = 0;
        }
        g->node_columns = sb.schema.count;
        return property_schema(b, &sb.schema, sb.schema.count, &g->key_type, &g->nodes);
    }
    for (uint32_t t = 0; t < body->table_count; t++)
        RF_TRY(bind_node_table(b, body, &body->tables[t], g->key_type, &tables[t]));
    all = tables[0];
    if (body->table_count > 1)
        RF_TRY(union_tables(b, tables, names, body->table_count, RF_S(""), &all));
    g->node_key = 0;
    g->node_columns = all->schema.count - hidden;
    struct schema properties = {all->schema.columns + hidden, g->node_columns, false};
    RF_TRY(property_schema(b, &properties, g->node_columns, &g->key_type, &g->nodes));
    for (int role = 0; role < 2; role++) {
        uint32_t t = RF_MIN((uint32_t)role, body->table_count - 1);
        g->key_property[role] = schema_find(&properties, body->tables[t].key);
    }
    g->node.inputs[1] = all;
    g->node.input_count = 2;
    return RF_OK;
}

/* ---- partitioned-by -------------------------------------------------------------------------- */

struct part_node {
    struct node
        node; /* inputs[0]: the edges' partition column; inputs[1]: what runs per partition */
    struct graph_part *part;
};

static enum rf_kind part_run(struct node *node, struct exec *exec, struct flow *out,
                             struct rf_err *err)
{
    struct part_node *p = (struct part_node *)node;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    struct rows *values;
    RF_TRY(node_collect(node->inputs[0], exec, &arena, &values, err));
    enum rf_kind kind = RF_OK;
    uint32_t lanes = exec->lane_count;
    exec->lane_count = 1; /* the part is shared */
    for (uint64_t r = 0; r < rows_count(values) && kind == RF_OK && !flow_done(out); r++) {
        *p->part = (struct graph_part){.active = true, .value = rows_value(values, r, 0)};
        kind = node_run(node->inputs[1], exec, out, err);
    }
    exec->lane_count = lanes;
    p->part->active = false;
    return kind;
}

static const struct node_ops part_ops = {.name = "graph-partition", .run = part_run};

static enum rf_kind bind_partition(struct binder *b, const struct make_body *body,
                                   struct graph_node *g, struct node *edges, struct node **out)
{
    struct part_node *n = node_new(b, sizeof *n, &part_ops, NULL);
    struct aggr_list none = {0};
    struct expr *key;
    if (n == NULL) return BIND_NOMEM(b);
    RF_TRY(bind_name(b, body->part, body->part_pos, &edges->schema, &key));
    struct column column = {.name = body->part, .id = bind_new_id(b), .type = key->type};
    n->part = g->part = rf_arena_new(b->arena, struct graph_part, 1);
    if (n->part == NULL) return BIND_NOMEM(b);
    RF_TRY(group_node_new(b, &key, &column, 1, &none, edges, &n->node.inputs[0]));
    RF_TRY(bind_sub_pipe(b, body->pipe, &g->node, &n->node.inputs[1]));
    if (n->node.inputs[1]->ops == &graph_ops)
        return bind_fail(b, body->part_pos, "BadGraph",
                         "partitioned-by needs a query over the graph, such as graph-match");
    n->node.input_count = 2;
    n->node.schema = n->node.inputs[1]->schema;
    *out = &n->node;
    return RF_OK;
}

static enum rf_kind make_bind(struct binder *b, const struct ast *node, struct node *input,
                              struct node **out)
{
    const struct make_body *body = node->body;
    struct graph_node *g = node_new(b, sizeof *g, &graph_ops, NULL);
    if (g == NULL) return BIND_NOMEM(b);
    if (body->partitioned) { /* read twice: for the values, then for the edges */
        struct shared *shared = shared_new(b, input);
        struct node *edges, *again;
        if (shared == NULL) return BIND_NOMEM(b);
        RF_TRY(bind_shared_use(b, shared, &edges));
        RF_TRY(bind_shared_use(b, shared, &again));
        RF_TRY(bind_edges(b, body, edges, g));
        RF_TRY(bind_nodes(b, body, g, ast_param_text(node, "with_node_id")));
        return bind_partition(b, body, g, again, out);
    }
    RF_TRY(bind_edges(b, body, input, g));
    RF_TRY(bind_nodes(b, body, g, ast_param_text(node, "with_node_id")));
    *out = &g->node;
    return RF_OK;
}

const struct operator op_make_graph = {
    .name = "make-graph",
    .doc = "Makes a graph of a table of edges and, if given, tables of nodes.",
    .syntax = "Edges | make-graph Source --> Target [with Nodes on Key [, Nodes on Key]] "
              "[with_node_id=Name] [partitioned-by Column (query)]",
    .parse = make_parse,
    .bind = make_bind};
