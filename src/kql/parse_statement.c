/* parse_statement.c - the rarer statements: declare pattern, restrict access, alias database; and entity_group. */
#include "kql/parse_int.h"

/* ---- declare pattern P = (a:string)[b:string] { ("x").["y"] = { T }; ... } ------------------------ */

/* ("x", "y").["z"] = { body }; the last ';' may be missing. */
static enum rf_kind parse_pattern_case(struct parser *p, const struct ast_pattern *pattern,
                                       struct ast_pattern_case *c)
{
    struct ast *value;
    RF_TRY(parse_expect(p, "("));
    do {
        RF_TRY(parse_expr(p, &value));
        if (!ast_list_add(p, &c->values, &c->value_count, value)) return PARSE_NOMEM(p);
    } while (parse_accept(p, ","));
    RF_TRY(parse_expect(p, ")"));
    if (pattern->has_path) {
        (void)parse_accept(p, ".");
        RF_TRY(parse_expect(p, "["));
        RF_TRY(parse_expr(p, &c->path));
        RF_TRY(parse_expect(p, "]"));
    }
    RF_TRY(parse_expect(p, "="));
    struct ast_lambda *lambda = rf_arena_new(p->arena, struct ast_lambda, 1);
    c->body = ast_new(p, AST_LAMBDA);
    if (lambda == NULL || c->body == NULL) return PARSE_NOMEM(p);
    c->body->body = lambda;
    RF_TRY(parse_expect(p, "{"));
    RF_TRY(parse_statements(p, "}", &lambda->statements, &lambda->statement_count));
    return parse_expect(p, "}");
}

static enum rf_kind parse_pattern_cases(struct parser *p, struct ast_pattern *pattern)
{
    uint32_t cap = 0;
    RF_TRY(parse_expect(p, "{"));
    while (!parse_is(p, 0, "}")) {
        uint32_t n = pattern->case_count;
        if (n == cap) {
            struct ast_pattern_case *grown = rf_arena_grow(
                p->arena, pattern->cases, cap * sizeof *grown, (cap * 2 + 8) * sizeof *grown);
            if (grown == NULL) return PARSE_NOMEM(p);
            pattern->cases = grown;
            cap = cap * 2 + 8;
        }
        pattern->cases[n] = (struct ast_pattern_case){0};
        RF_TRY(parse_pattern_case(p, pattern, &pattern->cases[n]));
        pattern->case_count++;
        while (parse_accept(p, ";")) continue;
    }
    return parse_expect(p, "}");
}

enum rf_kind parse_pattern(struct parser *p, struct statement *s)
{
    struct ast_pattern *pattern = rf_arena_new(p->arena, struct ast_pattern, 1);
    s->kind = STATEMENT_PATTERN;
    s->value = ast_new(p, AST_STAR);
    if (pattern == NULL || s->value == NULL) return PARSE_NOMEM(p);
    s->value->body = pattern;
    p->at += 2; /* declare pattern */
    RF_TRY(parse_name(p, &s->name));
    if (!parse_accept(p, "=")) return RF_OK; /* declared only: some other program fills it in */
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_argument_list(p, &pattern->arguments, &pattern->argument_count));
    RF_TRY(parse_expect(p, ")"));
    if (parse_accept(p, "[")) {
        enum type type;
        rf_str name;
        pattern->has_path = true;
        RF_TRY(parse_name(p, &name));
        RF_TRY(parse_expect(p, ":"));
        RF_TRY(parse_type(p, &type));
        RF_TRY(parse_expect(p, "]"));
    }
    return parse_pattern_cases(p, pattern);
}

/* ---- restrict access to (T, Prefix*, database("d").*) ------------------------------------------------ */

/* What stands before the last dot is passed over: there is one store. */
static enum rf_kind parse_restricted(struct parser *p, struct ast **out)
{
    while (parse_peek(p)->kind == TOKEN_NAME && parse_is(p, 1, "(")) {
        p->at += 2;
        while (!parse_is(p, 0, ")")) {
            struct ast *passed;
            RF_TRY(parse_expr(p, &passed));
            if (!parse_accept(p, ",")) break;
        }
        RF_TRY(parse_expect(p, ")"));
        RF_TRY(parse_expect(p, "."));
    }
    return parse_name_pattern(p, out);
}

enum rf_kind parse_restrict(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_RESTRICT;
    s->value = ast_new(p, AST_CALL);
    if (s->value == NULL) return PARSE_NOMEM(p);
    p->at += 2; /* restrict access */
    RF_TRY(parse_expect(p, "to"));
    RF_TRY(parse_expect(p, "("));
    do {
        struct ast *item;
        RF_TRY(parse_restricted(p, &item));
        if (!ast_list_add(p, &s->value->kids, &s->value->kid_count, item)) return PARSE_NOMEM(p);
    } while (parse_accept(p, ","));
    return parse_expect(p, ")");
}

/* alias database d = cluster("c").database("d"): names of databases are not looked at, so neither is this. */
enum rf_kind parse_alias(struct parser *p, struct statement *s)
{
    struct ast *passed;
    s->kind = STATEMENT_NONE;
    p->at += 2; /* alias database */
    RF_TRY(parse_name(p, &s->name));
    RF_TRY(parse_expect(p, "="));
    return parse_postfix(p, &passed);
}

/* ---- entity_group [database("a"), workspace("b")] ----------------------------------------------------- */

enum rf_kind parse_entity_group(struct parser *p, struct ast **out)
{
    struct ast *group = ast_new(p, AST_CALL), *entity;
    if (group == NULL) return PARSE_NOMEM(p);
    group->text = RF_S("entity_group");
    p->at += 2; /* entity_group [ */
    do {
        RF_TRY(parse_postfix(p, &entity));
        if (!ast_list_add(p, &group->kids, &group->kid_count, entity)) return PARSE_NOMEM(p);
    } while (parse_accept(p, ","));
    RF_TRY(parse_expect(p, "]"));
    *out = group;
    return RF_OK;
}
