/* op_macroexpand.c - macro-expand: a query once for each database or workspace of a group, and the rows of all. */
#include "kql/bind_int.h"
#include "kql/op.h"
#include "kql/parse_int.h"

struct macro_body {
    struct ast *group; /* entity_group [..], or the name of one */
    rf_str name;
    struct statement *statements;
    uint32_t statement_count;
};

static enum rf_kind macro_parse(struct parser *p, struct ast *node)
{
    static const char *const known[] = {"kind", "isfuzzy", "hint.*", NULL};
    struct macro_body *body = rf_arena_new(p->arena, struct macro_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, known, node));
    RF_TRY(parse_postfix(p, &body->group));
    RF_TRY(parse_expect(p, "as"));
    RF_TRY(parse_name(p, &body->name));
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_statements(p, ")", &body->statements, &body->statement_count));
    return parse_expect(p, ")");
}

/* The body with the name standing for one entity. */
static enum rf_kind bind_for_entity(struct binder *b, const struct macro_body *body,
                                    const struct ast *entity, uint32_t pos, struct node **out)
{
    struct scope *saved = b->scope, *s = scope_add(b, body->name, BINDING_ENTITY);
    const struct ast *query = NULL;
    enum rf_kind kind = RF_OK;
    if (s == NULL) return BIND_NOMEM(b);
    s->ast = entity;
    for (uint32_t i = 0; i < body->statement_count && kind == RF_OK; i++) {
        if (body->statements[i].kind == STATEMENT_LET) kind = bind_let(b, &body->statements[i]);
        if (body->statements[i].kind == STATEMENT_QUERY) query = body->statements[i].value;
    }
    if (kind == RF_OK)
        kind = query == NULL ? bind_fail(b, pos, "NoQuery", "the body of macro-expand has no query")
                             : bind_table(b, query, out);
    b->scope = saved;
    return kind;
}

static enum rf_kind macro_bind(struct binder *b, const struct ast *node, struct node *input,
                               struct node **out)
{
    const struct macro_body *body = node->body;
    const struct ast *group = body->group;
    if (input != NULL) return bind_fail(b, node->pos, "SyntaxError", "macro-expand begins a query");
    if (group->kind == AST_NAME) {
        const struct scope *s = scope_find(b, group->text);
        if (s == NULL || s->kind != BINDING_GROUP)
            return bind_fail(b, group->pos, "UnknownGroup",
                             "there is no entity group '%.*s'; `let %.*s = entity_group [..];` "
                             "makes one",
                             RF_FMT(group->text), RF_FMT(group->text));
        group = s->ast;
    }
    if (group->kind != AST_CALL || !rf_str_is(group->text, "entity_group"))
        return bind_fail(b, group->pos, "SyntaxError",
                         "macro-expand takes entity_group [database(..), ...] or its name");
    struct node **nodes = rf_arena_new(b->arena, struct node *, group->kid_count);
    rf_str *names = rf_arena_new(b->arena, rf_str, group->kid_count);
    if (nodes == NULL || names == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < group->kid_count; i++) {
        RF_TRY(bind_for_entity(b, body, group->kids[i], node->pos, &nodes[i]));
        names[i] = body->name;
    }
    return union_tables(b, nodes, names, group->kid_count, RF_S(""), out);
}

const struct operator op_macro_expand = {
    .name = "macro-expand",
    .doc = "Runs a query once for each database or workspace of a group and gives the rows of all.",
    .syntax = "macro-expand entity_group [workspace(\"a\"), ...] as Name (Name.T | ...)",
    .source = true,
    .parse = macro_parse,
    .bind = macro_bind};
