/* op_evaluate.c - evaluate: finds the plugin, and gives plugins a node that sees all rows at once. */
#include "kql/bind_int.h"
#include "kql/op.h"
#include "kql/plugin.h"

static const struct plugin *const plugin_tables[] = {
    plugins_bag,     plugins_pivot,    plugins_rows,   plugins_lookup, plugins_geo,
    plugins_pattern, plugins_activity, plugins_cohort, plugins_window, plugins_sequence,
    plugins_funnel,  plugins_schema,   plugins_off,
};

static const struct plugin *find_plugin(rf_str name)
{
    for (size_t t = 0; t < RF_COUNT(plugin_tables); t++)
        for (const struct plugin *p = plugin_tables[t]; p->name != NULL; p++)
            if (rf_str_is(name, p->name)) return p;
    return NULL;
}

size_t plugin_count(void)
{
    size_t count = 0;
    for (size_t t = 0; t < RF_COUNT(plugin_tables); t++)
        for (const struct plugin *p = plugin_tables[t]; p->name != NULL; p++) count++;
    return count;
}

const struct plugin *plugin_at(size_t index)
{
    for (size_t t = 0; t < RF_COUNT(plugin_tables); t++)
        for (const struct plugin *p = plugin_tables[t]; p->name != NULL; p++)
            if (index-- == 0) return p;
    return NULL;
}

/* ---- arguments ------------------------------------------------------------------------------- */

const struct ast *plugin_arg(const struct plugin_call *call, uint32_t position, const char *name)
{
    const struct ast *ast = call->ast;
    for (uint32_t i = 0; i < ast->kid_count; i++)
        if (ast->kids[i]->kind == AST_NAMED &&
            rf_str_eq_nocase(ast->kids[i]->names[0], rf_str_of(name)))
            return ast->kids[i]->kids[0];
    if (position >= ast->kid_count || ast->kids[position]->kind == AST_NAMED) return NULL;
    return ast->kids[position];
}

enum rf_kind plugin_constant(struct binder *b, const struct plugin_call *call, uint32_t position,
                             const char *name, enum type type, struct value *out)
{
    const struct ast *arg = plugin_arg(call, position, name);
    if (arg == NULL) return RF_OK;
    return bind_constant(b, arg, type, out);
}

static enum rf_kind fail_missing(struct binder *b, const struct plugin_call *call, const char *name)
{
    const struct plugin *p = find_plugin(call->ast->text);
    return bind_fail(b, call->ast->pos, "BadArguments", "%s needs %s: %s", p->name, name,
                     p->syntax);
}

enum rf_kind plugin_required(struct binder *b, const struct plugin_call *call, uint32_t position,
                             const char *name, enum type type, struct value *out)
{
    const struct ast *arg = plugin_arg(call, position, name);
    if (arg == NULL) return fail_missing(b, call, name);
    return bind_constant(b, arg, type, out);
}

enum rf_kind plugin_scalar(struct binder *b, const struct plugin_call *call, uint32_t position,
                           const char *name, const struct node *input, struct expr **out)
{
    const struct ast *arg = plugin_arg(call, position, name);
    if (arg == NULL) return fail_missing(b, call, name);
    return bind_scalar(b, arg, &input->schema, out);
}

rf_str plugin_arg_name(struct binder *b, const struct ast *arg, const char *fallback)
{
    rf_str name = ast_default_name(b, arg);
    return name.len > 0 ? name : rf_str_of(fallback);
}

/* ---- the node -------------------------------------------------------------------------------- */

struct plugin_node {
    struct node node;
    plugin_compute *compute;
    const void *options;
    struct node_ops ops; /* carries the plugin's name */
};

struct plugin_out {
    struct flow *flow;
    struct rf_arena arena; /* of the batch being filled */
    struct batch batch;
};

static bool out_begin(struct plugin_run *run)
{
    struct plugin_out *o = run->out;
    uint32_t width = run->schema->count;
    rf_arena_reset(&o->arena);
    o->batch = (struct batch){.column_count = width,
                              .arena = &o->arena,
                              .columns = rf_arena_new(&o->arena, struct vec, width)};
    if (o->batch.columns == NULL) return false;
    for (uint32_t c = 0; c < width; c++) {
        struct vec *v = &o->batch.columns[c];
        if (!vec_flat(&o->arena, (enum type)run->schema->columns[c].type, BATCH_ROWS, v) ||
            vec_need_nulls(&o->arena, v, BATCH_ROWS) == NULL)
            return false;
    }
    return true;
}

static enum rf_kind out_flush(struct plugin_run *run, struct rf_err *err)
{
    struct plugin_out *o = run->out;
    if (o->batch.row_count == 0) return RF_OK;
    RF_TRY(flow_push(run->exec, o->flow, 0, &o->batch, err));
    o->batch.row_count = 0;
    return RF_OK;
}

enum rf_kind plugin_emit(struct plugin_run *run, const struct value *cells, struct rf_err *err)
{
    struct plugin_out *o = run->out;
    if (o->batch.row_count == 0 && !out_begin(run)) return rf_fail_memory(err, &o->arena);
    for (uint32_t c = 0; c < run->schema->count; c++)
        vec_set(&o->batch.columns[c], o->batch.row_count, &cells[c]);
    return ++o->batch.row_count == BATCH_ROWS ? out_flush(run, err) : RF_OK;
}

static enum rf_kind run_on_rows(struct plugin_node *n, struct plugin_run *run, struct rf_err *err)
{
    struct rows *rows[2] = {NULL, NULL};
    uint32_t lanes = run->exec->lane_count;
    enum rf_kind kind = RF_OK;
    run->exec->lane_count = 1; /* rows in their order */
    for (uint32_t i = 0; i < n->node.input_count && kind == RF_OK; i++)
        kind = node_collect(n->node.inputs[i], run->exec, run->arena, &rows[i], err);
    run->exec->lane_count = lanes;
    run->rows = rows[0];
    run->lookup = rows[1];
    if (kind == RF_OK) kind = n->compute(run, err);
    return kind == RF_OK ? out_flush(run, err) : kind;
}

static enum rf_kind plugin_run(struct node *node, struct exec *exec, struct flow *out,
                               struct rf_err *err)
{
    struct plugin_node *n = (struct plugin_node *)node;
    struct rf_arena arena;
    struct plugin_out o = {.flow = out};
    rf_arena_init_shared(&arena, exec->budget);
    rf_arena_init_shared(&o.arena, exec->budget);
    struct plugin_run run = {
        .exec = exec, .arena = &arena, .options = n->options, .schema = &node->schema, .out = &o};
    enum rf_kind kind = run_on_rows(n, &run, err);
    rf_arena_done(&o.arena);
    rf_arena_done(&arena);
    return kind;
}

enum rf_kind plugin_node_new(struct binder *b, const char *name, plugin_compute *compute,
                             const void *options, const struct schema *schema, struct node *input,
                             struct node *lookup, struct node **out)
{
    struct plugin_node *n = node_new(b, sizeof *n, NULL, NULL);
    if (n == NULL) return BIND_NOMEM(b);
    n->ops = (struct node_ops){.name = name, .run = plugin_run};
    n->node.ops = &n->ops;
    n->node.schema = *schema;
    if (input != NULL) n->node.inputs[n->node.input_count++] = input;
    if (lookup != NULL) n->node.inputs[n->node.input_count++] = lookup;
    n->compute = compute;
    n->options = options;
    *out = &n->node;
    return RF_OK;
}

enum rf_kind plugin_columns(struct binder *b, struct expr **exprs, uint32_t count,
                            struct node *input, struct node **out)
{
    struct schema_builder sb = {.b = b};
    struct expr **copy = rf_arena_new(b->arena, struct expr *, count); /* the node keeps it */
    if (copy == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = exprs[i];
        rf_str name = rf_arena_printf(b->arena, "%u", i);
        if (name.ptr == NULL ||
            !schema_add_exact(&sb, name, (enum type)exprs[i]->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    return project_node_new(b, copy, &sb.schema, input, out);
}

enum rf_kind plugin_collect(struct binder *b, struct node *input, struct rows **out)
{
    uint32_t lanes = b->exec->lane_count;
    b->exec->lane_count = 1;
    enum rf_kind kind = node_collect(input, b->exec, b->arena, out, b->err);
    b->exec->lane_count = lanes;
    return kind;
}

/* ---- the operator ---------------------------------------------------------------------------- */

static enum rf_kind parse_schema(struct parser *p, struct plugin_call *call)
{
    struct ast_column *columns = NULL;
    RF_TRY(parse_expect(p, "("));
    call->has_schema = true;
    call->star = parse_accept(p, "*");
    if (!call->star || parse_accept(p, ","))
        RF_TRY(parse_columns(p, &columns, &call->column_count));
    call->columns = columns;
    return parse_expect(p, ")");
}

static enum rf_kind evaluate_parse(struct parser *p, struct ast *node)
{
    static const char *const known[] = {"hint.*", NULL};
    struct plugin_call *call = rf_arena_new(p->arena, struct plugin_call, 1);
    struct ast *ast;
    if (call == NULL) return PARSE_NOMEM(p);
    node->body = call;
    RF_TRY(parse_params(p, known, node));
    if (parse_peek(p)->kind != TOKEN_NAME || !parse_is(p, 1, "("))
        return parse_expected(p, "a plugin's call, such as bag_unpack(Column)");
    RF_TRY(parse_table(p, &ast));
    call->ast = ast;
    return parse_accept(p, ":") ? parse_schema(p, call) : RF_OK;
}

static enum rf_kind fail_unknown(struct binder *b, const struct ast *ast)
{
    struct rf_buf names = rf_buf_in(b->arena);
    for (size_t t = 0; t < RF_COUNT(plugin_tables); t++)
        for (const struct plugin *p = plugin_tables[t]; p->name != NULL; p++)
            if (plugin_tables[t] != plugins_off)
                rf_buf_printf(&names, "%s%s", names.len == 0 ? "" : ", ", p->name);
    return bind_fail(b, ast->pos, "UnknownPlugin", "there is no plugin '%.*s'; there are %.*s",
                     RF_FMT(ast->text), RF_FMT(rf_buf_view(&names)));
}

static enum rf_kind evaluate_bind(struct binder *b, const struct ast *node, struct node *input,
                                  struct node **out)
{
    const struct plugin_call *call = node->body;
    if (call->ast->kind != AST_CALL)
        return bind_fail(b, call->ast->pos, "SyntaxError", "evaluate takes a plugin's call");
    const struct plugin *plugin = find_plugin(call->ast->text);
    if (plugin == NULL) return fail_unknown(b, call->ast);
    if (input == NULL && !plugin->no_input)
        return bind_fail(b, node->pos, "NoInput", "%s needs a table before it: %s", plugin->name,
                         plugin->syntax);
    return plugin->bind(b, call, input, out);
}

const struct operator op_evaluate = {
    .name = "evaluate",
    .doc = "Runs a plugin over the table: bag_unpack, pivot, ipv4_lookup ...",
    .syntax = "[T |] evaluate Plugin(Argument, ...) [: (Column:type, ...)]",
    .source = true,
    .parse = evaluate_parse,
    .bind = evaluate_bind};
