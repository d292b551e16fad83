/* op_project_names.c - project-by-names: chooses columns by names that constants give. */
#include "kql/op.h"
#include "value/dyn.h"

struct names_body {
    struct ast **items;
    uint32_t count;
};

static enum rf_kind names_parse(struct parser *p, struct ast *node)
{
    struct names_body *body = rf_arena_new(p->arena, struct names_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    return parse_named_list(p, &body->items, &body->count);
}

struct names_output {
    struct binder *b;
    const struct schema *input;
    struct schema_builder sb;
    struct expr **exprs;
};

/* Adds the columns that the name or pattern means; one that is there already stays where it is. */
static enum rf_kind add_named(struct names_output *o, rf_str pattern)
{
    for (uint32_t i = 0; i < o->input->count; i++) {
        const struct column *c = &o->input->columns[i];
        if (!name_matches(pattern, c->name) || schema_find_id(&o->sb.schema, c->id) >= 0) continue;
        struct expr *e = expr_column(o->b, c, 0);
        if (e == NULL) return BIND_NOMEM(o->b);
        o->exprs[o->sb.schema.count] = e;
        if (!schema_add_exact(&o->sb, c->name, (enum type)c->type, c->id)) return BIND_NOMEM(o->b);
    }
    return RF_OK;
}

static enum rf_kind names_bind(struct binder *b, const struct ast *node, struct node *input,
                               struct node **out)
{
    const struct names_body *body = node->body;
    struct names_output o = {.b = b, .input = &input->schema, .sb = {.b = b}};
    o.exprs = rf_arena_new(b->arena, struct expr *, input->schema.count);
    if (o.exprs == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < body->count; i++) {
        struct expr *e;
        struct value v;
        RF_TRY(bind_scalar(b, body->items[i], NULL, &e));
        if (e->type != TYPE_STRING && e->type != TYPE_DYNAMIC)
            return bind_fail(b, body->items[i]->pos, "BadArguments",
                             "project-by-names takes texts and arrays of texts");
        RF_TRY(bind_constant(b, body->items[i], (enum type)e->type, &v));
        if (e->type == TYPE_STRING) {
            RF_TRY(add_named(&o, v.s));
            continue;
        }
        if (v.null) continue;
        if (dyn_tag(v.s) == DYN_STRING) RF_TRY(add_named(&o, dyn_string(v.s)));
        for (uint32_t k = 0; dyn_tag(v.s) == DYN_ARRAY && k < dyn_count(v.s); k++)
            RF_TRY(add_named(&o, dyn_string(dyn_item(v.s, k))));
    }
    o.sb.schema.open = input->schema.open;
    return project_node_new(b, o.exprs, &o.sb.schema, input, out);
}

const struct operator op_project_by_names = {
    .name = "project-by-names",
    .doc = "Chooses columns by constant names, which may hold '*'; unknown names are passed over.",
    .syntax = "T | project-by-names \"Name\", \"Prefix*\", dynamic([\"Name\", ...]), ...",
    .parse = names_parse,
    .bind = names_bind};
