/* op_simple.c - operators that change what is known of a table, not its rows: as, serialize, render,
 * invoke, consume, getschema. */
#include "kql/bind_int.h"
#include "kql/op.h"
#include "value/text.h"

/* ---- as ----------------------------------------------------------------------------------------------- */

static const char *const as_params[] = {"hint.*", NULL};

static enum rf_kind as_parse(struct parser *p, struct ast *node)
{
    rf_str *name = rf_arena_new(p->arena, rf_str, 1);
    if (name == NULL) return PARSE_NOMEM(p);
    node->body = name;
    RF_TRY(parse_params(p, as_params, node));
    return parse_name(p, name);
}

static enum rf_kind as_bind(struct binder *b, const struct ast *node, struct node *input,
                            struct node **out)
{
    struct shared *shared = shared_new(b, input);
    struct scope *s = scope_add(b, *(const rf_str *)node->body, BINDING_SHARED);
    if (shared == NULL || s == NULL) return BIND_NOMEM(b);
    s->shared = shared;
    return bind_shared_use(b, shared, out);
}

/* ---- serialize ------------------------------------------------------------------------------------------- */

/* serialize [x = expr, ...]: the order is meaningful from here on; the expressions are extend's. */
static enum rf_kind serialize_parse(struct parser *p, struct ast *node)
{
    if (parse_is(p, 0, "|") || parse_is(p, 0, ")") || parse_is(p, 0, ";") || parse_is(p, 0, "}") ||
        parse_peek(p)->kind == TOKEN_END)
        return RF_OK;
    return operator_find(RF_S("extend"))->parse(p, node);
}

static enum rf_kind serialize_bind(struct binder *b, const struct ast *node, struct node *input,
                                   struct node **out)
{
    input->serialized = true;
    if (node->body == NULL) {
        *out = input;
        return RF_OK;
    }
    return operator_find(RF_S("extend"))->bind(b, node, input, out);
}

/* ---- render ------------------------------------------------------------------------------------------------ */

/* A further name of the last parameter's list: all of them are in its value's `names`, the first one is its text as well. */
static enum rf_kind render_list(struct parser *p, struct ast *node)
{
    struct ast *value = node->param_count == 0 ? NULL : node->params[node->param_count - 1].value;
    if (value != NULL) {
        uint32_t n = value->name_count, count = n == 0 ? 2 : n + 1;
        rf_str *grown =
            rf_arena_grow(p->arena, value->names, n * sizeof *grown, count * sizeof *grown);
        if (grown == NULL) return PARSE_NOMEM(p);
        grown[0] = value->text;
        grown[count - 1] = parse_peek(p)->text;
        value->names = grown;
        value->name_count = count;
    }
    p->at++;
    return RF_OK;
}

static enum rf_kind render_parse(struct parser *p, struct ast *node)
{
    static const char *const any[] = {"*", NULL};
    rf_str *kind = rf_arena_new(p->arena, rf_str, 1);
    if (kind == NULL) return PARSE_NOMEM(p);
    node->body = kind;
    RF_TRY(parse_name(p, kind));
    if (parse_accept(p, "with")) {
        RF_TRY(parse_expect(p, "("));
        while (!parse_is(p, 0, ")")) {
            uint32_t before = p->at;
            RF_TRY(parse_params(p, any, node));
            if (p->at == before) return parse_expected(p, "property = value");
            while (parse_accept(p, ",") ||
                   parse_peek(p)->kind == TOKEN_NAME) { /* lists: ycolumns = a, b */
                if (parse_is(p, 1, "=")) break;
                if (parse_peek(p)->kind == TOKEN_NAME) RF_TRY(render_list(p, node));
            }
        }
        return parse_expect(p, ")");
    }
    return parse_params(p, any, node); /* the old form: kind=stacked title="x" */
}

static enum rf_kind render_bind(struct binder *b, const struct ast *node, struct node *input,
                                struct node **out)
{
    struct render *render = rf_arena_new(b->arena, struct render, 1);
    if (render == NULL) return BIND_NOMEM(b);
    *render = (struct render){.kind = *(const rf_str *)node->body,
                              .params = node->params,
                              .param_count = node->param_count};
    b->render = render;
    *out = input;
    return RF_OK;
}

/* ---- invoke -------------------------------------------------------------------------------------------------- */

static enum rf_kind invoke_parse(struct parser *p, struct ast *node)
{
    struct ast *call;
    RF_TRY(parse_expr(p, &call));
    if (call->kind != AST_CALL && call->kind != AST_NAME)
        return parse_fail_at(p->text, call->pos, p->err, RF_INVALID, "SyntaxError",
                             "invoke takes a function's call");
    node->body = call;
    return RF_OK;
}

static enum rf_kind invoke_bind(struct binder *b, const struct ast *node, struct node *input,
                                struct node **out)
{
    return bind_invoke(b, node->body, input, out);
}

/* ---- getschema ----------------------------------------------------------------------------------------------- */

static enum rf_kind getschema_bind(struct binder *b, const struct ast *node, struct node *input,
                                   struct node **out)
{
    static const uint8_t types[] = {TYPE_STRING, TYPE_LONG, TYPE_STRING, TYPE_STRING};
    static const char *const names[] = {"ColumnName", "ColumnOrdinal", "DataType", "ColumnType"};
    (void)node;
    struct rows *rows = rows_new(b->arena, types, RF_COUNT(types));
    struct schema_builder sb = {.b = b};
    if (rows == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < input->schema.count; i++) {
        const struct column *c = &input->schema.columns[i];
        struct value cells[] = {value_str(c->name), value_i64(TYPE_LONG, i),
                                value_str(rf_str_of(type_dotnet_name((enum type)c->type))),
                                value_str(rf_str_of(type_name((enum type)c->type)))};
        struct vec columns[RF_COUNT(cells)];
        struct batch batch = {
            .row_count = 1, .column_count = RF_COUNT(cells), .columns = columns, .arena = b->arena};
        for (size_t k = 0; k < RF_COUNT(cells); k++)
            if (!vec_const(b->arena, &cells[k], &columns[k])) return BIND_NOMEM(b);
        if (!rows_append(rows, &batch)) return BIND_NOMEM(b);
    }
    for (size_t k = 0; k < RF_COUNT(types); k++)
        if (!schema_add(&sb, rf_str_of(names[k]), (enum type)types[k], bind_new_id(b)))
            return BIND_NOMEM(b);
    return rows_node_new(b, &sb.schema, rows, out);
}

/* ---- consume --------------------------------------------------------------------------------------------------- */

struct consume_flow {
    struct flow flow;
};
static enum rf_kind consume_push(struct flow *flow, uint32_t lane, const struct batch *batch,
                                 struct rf_err *err)
{
    (void)flow;
    (void)lane;
    (void)batch;
    (void)err;
    return RF_OK;
}
static enum rf_kind consume_run(struct node *node, struct exec *exec, struct flow *out,
                                struct rf_err *err)
{
    struct consume_flow f = {.flow = {.push = consume_push, .next = out}};
    return node_run(node->inputs[0], exec, &f.flow, err);
}
static const struct node_ops consume_ops = {.name = "consume", .run = consume_run};

static enum rf_kind consume_bind(struct binder *b, const struct ast *node, struct node *input,
                                 struct node **out)
{
    (void)node;
    *out = node_new(b, sizeof **out, &consume_ops, input);
    return *out == NULL ? BIND_NOMEM(b) : RF_OK;
}

static enum rf_kind consume_parse(struct parser *p, struct ast *node)
{
    static const char *const known[] = {"decodeblocks", NULL};
    return parse_params(p, known, node);
}

/* ---- assert-schema --------------------------------------------------------------------------------------------- */

static enum rf_kind assert_parse(struct parser *p, struct ast *node)
{
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_columns(p, &node->columns, &node->column_count));
    return parse_expect(p, ")");
}

static enum rf_kind assert_bind(struct binder *b, const struct ast *node, struct node *input,
                                struct node **out)
{
    const struct schema *have = &input->schema;
    *out = input;
    if (have->open) return RF_OK;
    if (have->count != node->column_count)
        return bind_fail(b, node->pos, "SchemaMismatch", "the table has %u columns, not %u",
                         have->count, node->column_count);
    for (uint32_t i = 0; i < have->count; i++) {
        const struct ast_column *want = &node->columns[i];
        if (rf_str_eq(want->name, have->columns[i].name) && want->type == have->columns[i].type)
            continue;
        return bind_fail(b, want->pos, "SchemaMismatch",
                         "column %u of the table is '%.*s' of type %s, not '%.*s' of type %s",
                         i + 1, RF_FMT(have->columns[i].name),
                         type_name((enum type)have->columns[i].type), RF_FMT(want->name),
                         type_name((enum type)want->type));
    }
    return RF_OK;
}

const struct operator op_assert_schema = {
    .name = "assert-schema",
    .doc = "The table itself, or an error when its columns are not these.",
    .syntax = "T | assert-schema (Name:type, ...)",
    .parse = assert_parse,
    .bind = assert_bind};

const struct operator op_as = {.name = "as",
                               .doc = "Names the table so far, for use later in the same query.",
                               .syntax = "T | as Name",
                               .parse = as_parse,
                               .bind = as_bind};
const struct operator op_serialize = {
    .name = "serialize",
    .doc = "Marks the row order as meaningful, for prev, next and row_number.",
    .syntax = "T | serialize [Name = Expression, ...]",
    .parse = serialize_parse,
    .bind = serialize_bind};
const struct operator op_render = {
    .name = "render",
    .doc = "Says how the result should be drawn; the rows stay as they are.",
    .syntax = "T | render Visualization [with (Property = Value, ...)]",
    .parse = render_parse,
    .bind = render_bind};
const struct operator op_invoke = {.name = "invoke",
                                   .doc = "Calls a function with the table as its first argument.",
                                   .syntax = "T | invoke Function(Arguments)",
                                   .parse = invoke_parse,
                                   .bind = invoke_bind};
const struct operator op_getschema = {.name = "getschema",
                                      .doc = "A row for each column: name, place, types.",
                                      .syntax = "T | getschema",
                                      .bind = getschema_bind};
const struct operator op_consume = {.name = "consume",
                                    .doc = "Reads all rows and gives none.",
                                    .syntax = "T | consume [decodeblocks=true|false]",
                                    .parse = consume_parse,
                                    .bind = consume_bind};
