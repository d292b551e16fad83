/* op_graph_pattern.c - (a)-[e]->(b)<-[f*1..3]-(c), (b)--(d): patterns as text, and what stands around them in
 * graph-match and graph-shortest-paths. */
#include "kql/bind_int.h"
#include "kql/op.h"
#include "kql/op_graph_match.h"

static enum rf_kind add_var(struct parser *p, struct pattern *pattern, rf_str name,
                            enum pattern_kind kind, uint32_t *out)
{
    int known = pattern_find(pattern, name);
    if (known >= 0) {
        if (kind != PATTERN_NODE || pattern->vars[known].kind != PATTERN_NODE)
            return parse_expected(p, "a new name for this edge; names of edges occur once");
        *out = (uint32_t)known;
        return RF_OK;
    }
    *out = pattern->var_count++;
    pattern->vars[*out] = (struct pattern_var){.name = name, .kind = kind};
    return RF_OK;
}

static enum rf_kind parse_node(struct parser *p, struct pattern *pattern, uint32_t *out)
{
    rf_str name = {NULL, 0};
    RF_TRY(parse_expect(p, "("));
    if (!parse_is(p, 0, ")")) RF_TRY(parse_name(p, &name));
    RF_TRY(add_var(p, pattern, name, PATTERN_NODE, out));
    return parse_expect(p, ")");
}

static enum rf_kind parse_count(struct parser *p, uint32_t *out)
{
    const struct token *t = parse_peek(p);
    if (t->kind != TOKEN_LITERAL || t->value.type != TYPE_LONG || t->value.null || t->value.i < 0 ||
        t->value.i >= UINT32_MAX)
        return parse_expected(p, "a number of edges");
    *out = (uint32_t)t->value.i;
    p->at++;
    return RF_OK;
}

/* *min..max behind an edge's name. */
static enum rf_kind parse_range(struct parser *p, struct pattern_step *step)
{
    bool counted = parse_peek(p)->kind == TOKEN_LITERAL;
    step->min = 1;
    step->max = UINT32_MAX - 1;
    if (counted) RF_TRY(parse_count(p, &step->min));
    if (!parse_accept(p, "..")) {
        if (counted) step->max = step->min;
        return RF_OK;
    }
    uint32_t pos = parse_peek(p)->pos;
    if (parse_peek(p)->kind == TOKEN_LITERAL) RF_TRY(parse_count(p, &step->max));
    if (step->max >= step->min) return RF_OK;
    return parse_fail_at(p->text, pos, p->err, RF_INVALID, "BadPattern",
                         "the range of an edge's length ends before it begins");
}

/* <-[e*1..3]-, -[e]->, --, --> and the like. */
static enum rf_kind parse_edge(struct parser *p, struct pattern *pattern, struct pattern_step *step)
{
    rf_str name = {NULL, 0};
    enum pattern_kind kind = PATTERN_EDGE;
    *step = (struct pattern_step){.min = 1, .max = 1};
    bool left = parse_accept(p, "<");
    RF_TRY(parse_expect(p, "-"));
    if (parse_accept(p, "[")) {
        if (!parse_is(p, 0, "]") && !parse_is(p, 0, "*")) RF_TRY(parse_name(p, &name));
        if (parse_accept(p, "*")) {
            kind = PATTERN_PATH;
            RF_TRY(parse_range(p, step));
        }
        RF_TRY(parse_expect(p, "]"));
    }
    RF_TRY(parse_expect(p, "-"));
    bool right = parse_accept(p, ">");
    step->direction = left == right ? DIRECTION_ANY : left ? DIRECTION_LEFT : DIRECTION_RIGHT;
    return add_var(p, pattern, name, kind, &step->edge);
}

static enum rf_kind add_step(struct parser *p, struct pattern *pattern, struct pattern_step step)
{
    if (pattern->step_count == PATTERN_STEPS_MAX)
        return parse_expected(p, "the end of the pattern; it has as many edges as are possible");
    pattern->steps[pattern->step_count++] = step;
    return RF_OK;
}

static enum rf_kind parse_pattern(struct parser *p, struct pattern *out)
{
    do {
        struct pattern_step step = {.start = true};
        RF_TRY(parse_node(p, out, &step.to));
        RF_TRY(add_step(p, out, step));
        while (parse_is(p, 0, "-") || parse_is(p, 0, "<")) {
            if (out->var_count + 2 > RF_COUNT(out->vars)) break;
            RF_TRY(parse_edge(p, out, &step));
            RF_TRY(parse_node(p, out, &step.to));
            RF_TRY(add_step(p, out, step));
        }
    } while (parse_accept(p, ",") && out->var_count < RF_COUNT(out->vars));
    return RF_OK;
}

enum rf_kind match_parse_body(struct parser *p, const char *const *params, struct ast *node)
{
    struct match_body *body = rf_arena_new(p->arena, struct match_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, params, node));
    RF_TRY(parse_pattern(p, &body->pattern));
    if (parse_accept(p, "where")) RF_TRY(parse_expr(p, &body->predicate));
    RF_TRY(parse_expect(p, "project"));
    return parse_named_list(p, &body->items, &body->item_count);
}

enum rf_kind match_bind_input(struct binder *b, const struct ast *node, struct node *input,
                              const struct node_ops *ops, struct match_node **out)
{
    const struct match_body *body = node->body;
    struct match_node *m = node_new(b, sizeof *m, ops, NULL);
    if (m == NULL) return BIND_NOMEM(b);
    RF_TRY(graph_input(b, node, input, &m->graph));
    m->node.inputs[0] = input;
    m->node.input_count = 1;
    m->pattern = body->pattern;
    *out = m;
    return RF_OK;
}
