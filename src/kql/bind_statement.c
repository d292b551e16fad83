/* bind_statement.c - what declare pattern, restrict access and entity groups mean for names. */
#include "kql/bind_int.h"

/* ---- restrict access: an entry of the scope with the patterns of what may be named behind it ------- */

static bool listed(const struct ast *list, rf_str name)
{
    for (uint32_t i = 0; i < list->kid_count; i++) {
        const struct ast *item = list->kids[i];
        if (item->kind == AST_STAR || name_matches(item->text, name)) return true;
    }
    return false;
}

/* Each restriction narrows those before it. */
bool bind_allows(const struct binder *b, rf_str name)
{
    for (const struct scope *s = b->scope; s != NULL; s = s->next)
        if (s->kind == BINDING_RESTRICTION && !listed(s->ast, name)) return false;
    return true;
}

bool bind_is_restricted(const struct binder *b)
{
    const struct scope *s = b->scope;
    while (s != NULL && s->kind != BINDING_RESTRICTION) s = s->next;
    return s != NULL;
}

enum rf_kind fail_restricted(struct binder *b, rf_str name, uint32_t pos)
{
    return bind_fail(b, pos, "AccessRestricted",
                     "'%.*s' is not among what `restrict access to` of this query names",
                     RF_FMT(name));
}

/* Tables of let that are not named vanish; the bodies of those that are keep what they could see. */
enum rf_kind bind_restrict(struct binder *b, const struct statement *s)
{
    struct scope *old = b->scope, *kept = NULL, **last = &kept;
    for (struct scope *from = old; from != NULL; from = from->next) {
        bool table = from->kind == BINDING_LAMBDA ? from->is_table : from->kind != BINDING_SCALAR;
        if (table && from->kind != BINDING_RESTRICTION && !listed(s->value, from->name)) continue;
        struct scope *copy = rf_arena_new(b->arena, struct scope, 1);
        if (copy == NULL) return BIND_NOMEM(b);
        *copy = *from;
        copy->next = NULL;
        *last = copy;
        last = &copy->next;
    }
    b->scope = kept;
    struct scope *mark = scope_add(b, RF_S(""), BINDING_RESTRICTION);
    if (mark == NULL) return BIND_NOMEM(b);
    mark->ast = s->value;
    return RF_OK;
}

/* ---- patterns ------------------------------------------------------------------------------------- */

enum rf_kind bind_pattern(struct binder *b, const struct statement *s)
{
    struct scope *pattern = scope_add(b, s->name, BINDING_PATTERN);
    if (pattern == NULL) return BIND_NOMEM(b);
    pattern->env = pattern->next;
    pattern->ast = s->value;
    return RF_OK;
}

/* Whether the literals that a case lists are the arguments of a call. */
static enum rf_kind case_fits(struct binder *b, const struct ast_pattern *pattern,
                              const struct ast_pattern_case *c, const struct ast *call, rf_str path,
                              bool *fits)
{
    *fits = false;
    if (c->value_count != call->kid_count) return RF_OK;
    for (uint32_t i = 0; i < c->value_count; i++) {
        enum type type =
            i < pattern->argument_count ? (enum type)pattern->arguments[i].type : TYPE_STRING;
        struct value want, have;
        RF_TRY(bind_constant(b, c->values[i], type, &want));
        RF_TRY(bind_constant(b, call->kids[i], type, &have));
        if (!value_same(&want, &have)) return RF_OK;
    }
    if (c->path == NULL) {
        *fits = path.len == 0;
        return RF_OK;
    }
    struct value want;
    RF_TRY(bind_constant(b, c->path, TYPE_STRING, &want));
    *fits = rf_str_eq(want.s, path);
    return RF_OK;
}

enum rf_kind bind_pattern_use(struct binder *b, struct scope *s, const struct ast *call,
                              rf_str path, struct node **out)
{
    const struct ast_pattern *pattern = s->ast->body;
    if (call->kind != AST_CALL || call->kid_count == 0)
        return bind_fail(b, call->pos, "BadArguments", "the pattern '%.*s' needs arguments",
                         RF_FMT(s->name));
    for (uint32_t i = 0; i < pattern->case_count; i++) {
        bool fits;
        RF_TRY(case_fits(b, pattern, &pattern->cases[i], call, path, &fits));
        if (!fits) continue;
        struct scope *body = rf_arena_new(b->arena, struct scope, 1);
        struct ast *plain = rf_arena_new(b->arena, struct ast, 1);
        if (body == NULL || plain == NULL) return BIND_NOMEM(b);
        *plain =
            (struct ast){.kind = AST_NAME, .pos = call->pos, .end = call->end, .text = s->name};
        *body = (struct scope){.name = s->name,
                               .kind = BINDING_LAMBDA,
                               .ast = pattern->cases[i].body,
                               .env = s->env,
                               .text = s->text,
                               .is_table = true,
                               .stored = s->stored};
        return bind_lambda_table(b, body, plain, NULL, out);
    }
    return bind_fail(b, call->pos, "NoPatternMatches",
                     "the pattern '%.*s' has no case for these arguments", RF_FMT(s->name));
}
