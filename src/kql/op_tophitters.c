/* op_tophitters.c - top-hitters: the most frequent values, or those with the greatest sum of a weight. */
#include "kql/op.h"

struct hitters_body {
    struct ast *limit, *of, *weight;
};

static enum rf_kind hitters_parse(struct parser *p, struct ast *node)
{
    struct hitters_body *body = rf_arena_new(p->arena, struct hitters_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_expr(p, &body->limit));
    RF_TRY(parse_expect(p, "of"));
    RF_TRY(parse_named_expr(p, &body->of));
    if (!parse_accept(p, "by")) return RF_OK;
    return parse_expr(p, &body->weight);
}

/* Counted exactly: the groups fit into memory or the query's budget says so. */
static enum rf_kind hitters_bind(struct binder *b, const struct ast *node, struct node *input,
                                 struct node **out)
{
    struct hitters_body body = *(const struct hitters_body *)node->body;
    struct value limit;
    struct ast call = {.kind = AST_CALL, .pos = node->pos, .end = node->end, .text = RF_S("count")};
    struct ast named = {.kind = AST_NAMED, .pos = node->pos, .end = node->end, .name_count = 1};
    struct ast *kid = &call, *item = &named;
    RF_TRY(bind_constant(b, body.limit, TYPE_LONG, &limit));
    if (limit.null || limit.i < 0)
        return bind_fail(b, body.limit->pos, "BadLimit", "top-hitters needs a number of values");
    const struct ast *what = body.weight == NULL ? body.of : body.weight;
    if (body.weight != NULL) {
        call.text = RF_S("sum");
        call.kids = &body.weight;
        call.kid_count = 1;
    }
    rf_str name = rf_arena_printf(b->arena, "approximate_%.*s_%.*s", RF_FMT(call.text),
                                  RF_FMT(ast_default_name(b, what)));
    if (name.ptr == NULL) return BIND_NOMEM(b);
    named.names = &name;
    named.kids = &kid;
    named.kid_count = 1;
    RF_TRY(summarize_node_new(b, &item, 1, &body.of, 1, input, &input));
    struct sort_key *key = rf_arena_new(b->arena, struct sort_key, 1);
    if (key == NULL) return BIND_NOMEM(b);
    key->expr = expr_column(b, &input->schema.columns[1], node->pos);
    if (key->expr == NULL) return BIND_NOMEM(b);
    key->descending = true;
    return sort_node_new(b, key, 1, (uint64_t)limit.i, input, out);
}

const struct operator op_top_hitters = {
    .name = "top-hitters",
    .doc = "The N most frequent values, or those with the greatest sum of a weight.",
    .syntax = "T | top-hitters N of Expression [by Weight]",
    .parse = hitters_parse,
    .bind = hitters_bind};
