/* op_fork.c - fork, facet: several results of one input, which is read once. The first is the
 * statement's own result; the others follow it. */
#include "kql/bind_int.h"
#include "kql/op.h"

/* ---- fork ------------------------------------------------------------------------------------ */

struct fork_branch {
    rf_str name;
    struct ast *sub;
};
struct fork_body {
    struct fork_branch *branches;
    uint32_t count;
};

static enum rf_kind fork_parse(struct parser *p, struct ast *node)
{
    struct fork_body *body = rf_arena_new(p->arena, struct fork_body, 1);
    uint32_t cap = 0;
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    do {
        if (body->count == cap) {
            uint32_t more = cap * 2 + 4;
            struct fork_branch *grown =
                rf_arena_grow(p->arena, body->branches, cap * sizeof *grown, more * sizeof *grown);
            if (grown == NULL) return PARSE_NOMEM(p);
            body->branches = grown;
            cap = more;
        }
        struct fork_branch *branch = &body->branches[body->count++];
        *branch = (struct fork_branch){0};
        if (!parse_is(p, 0, "(")) {
            RF_TRY(parse_name(p, &branch->name));
            RF_TRY(parse_expect(p, "="));
        }
        RF_TRY(parse_expect(p, "("));
        RF_TRY(parse_sub_pipe(p, &branch->sub));
        RF_TRY(parse_expect(p, ")"));
        (void)parse_accept(p, ",");
    } while (parse_is(p, 0, "(") ||
             (parse_peek(p)->kind == TOKEN_NAME && parse_is(p, 1, "=") && parse_is(p, 2, "(")));
    return RF_OK;
}

static enum rf_kind fork_bind(struct binder *b, const struct ast *node, struct node *input,
                              struct node **out)
{
    const struct fork_body *body = node->body;
    struct shared *shared = shared_new(b, input);
    if (shared == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < body->count; i++) {
        struct node *reader, *result;
        RF_TRY(bind_shared_use(b, shared, &reader));
        RF_TRY(bind_sub_pipe(b, body->branches[i].sub, reader, &result));
        if (i == 0)
            *out = result;
        else
            RF_TRY(bind_extra_result(b, body->branches[i].name, result));
    }
    return RF_OK;
}

/* ---- facet ----------------------------------------------------------------------------------- */

struct facet_body {
    struct ast **columns, *sub;
    uint32_t count;
};

static enum rf_kind facet_parse(struct parser *p, struct ast *node)
{
    struct facet_body *body = rf_arena_new(p->arena, struct facet_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_expect(p, "by"));
    RF_TRY(parse_named_list(p, &body->columns, &body->count));
    if (!parse_accept(p, "with")) return RF_OK;
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_sub_pipe(p, &body->sub));
    return parse_expect(p, ")");
}

/* summarize count_Column = count() by Column */
static enum rf_kind bind_facet(struct binder *b, struct ast *column, struct node *input,
                               struct node **out)
{
    rf_str name = rf_arena_printf(b->arena, "count_%.*s", RF_FMT(ast_default_name(b, column)));
    struct ast call = {
        .kind = AST_CALL, .pos = column->pos, .end = column->end, .text = RF_S("count")};
    struct ast *kid = &call;
    struct ast named = {.kind = AST_NAMED,
                        .pos = column->pos,
                        .end = column->end,
                        .names = &name,
                        .name_count = 1,
                        .kids = &kid,
                        .kid_count = 1};
    struct ast *item = &named;
    if (name.ptr == NULL) return BIND_NOMEM(b);
    return summarize_node_new(b, &item, 1, &column, 1, input, out);
}

static enum rf_kind facet_bind(struct binder *b, const struct ast *node, struct node *input,
                               struct node **out)
{
    const struct facet_body *body = node->body;
    struct shared *shared = shared_new(b, input);
    struct node *reader, *result;
    bool first = true;
    if (shared == NULL) return BIND_NOMEM(b);
    if (body->sub != NULL) {
        RF_TRY(bind_shared_use(b, shared, &reader));
        RF_TRY(bind_sub_pipe(b, body->sub, reader, out));
        first = false;
    }
    for (uint32_t i = 0; i < body->count; i++, first = false) {
        RF_TRY(bind_shared_use(b, shared, &reader));
        RF_TRY(bind_facet(b, body->columns[i], reader, &result));
        if (first)
            *out = result;
        else
            RF_TRY(bind_extra_result(b, RF_S(""), result));
    }
    return RF_OK;
}

const struct operator op_fork = {.name = "fork",
                                 .doc = "Several pipes over one input, a result for each.",
                                 .syntax = "T | fork [Name =] (Pipe) [Name =] (Pipe) ...",
                                 .parse = fork_parse,
                                 .bind = fork_bind};
const struct operator op_facet = {.name = "facet",
                                  .doc = "For each column a result that counts its values.",
                                  .syntax = "T | facet by Column, ... [with (Pipe)]",
                                  .parse = facet_parse,
                                  .bind = facet_bind};
