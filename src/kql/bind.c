#include "kql/bind.h"

#include <stdarg.h>
#include <stdio.h>

#include "kql/bind_int.h"
#include "kql/op.h"
#include "value/text.h"

void bind_err(struct binder *b, uint32_t pos, const char *code, const char *fmt, ...)
{
    char what[900];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    parse_err_at(b->text, pos, b->err, RF_INVALID, code, "%s", what);
}

enum rf_kind bind_steps(struct binder *b, uint32_t steps, uint32_t pos)
{
    b->step_count += steps;
    if (b->step_count <= BIND_STEPS_MAX + b->text.len) return RF_OK;
    return parse_fail_at(b->text, pos, b->err, RF_LIMIT, "QueryTooLarge",
                         "with its functions written out the query is larger than the limit");
}

enum rf_kind bind_no_room(struct binder *b)
{
    if (!b->schema_full) return rf_fail_memory(b->err, b->arena);
    return RF_FAIL(b->err, RF_LIMIT, "QueryTooLarge",
                   "a table of this query has more than %d columns", TABLE_COLUMNS_MAX);
}

enum rf_kind bind_below(struct binder *b, uint32_t depth, uint32_t pos)
{
    b->below = RF_MAX(b->below, depth);
    if (depth <= PLAN_DEPTH_MAX) return RF_OK;
    return parse_fail_at(b->text, pos, b->err, RF_LIMIT, "TooDeep",
                         "more than %d operators or calls build on one another here",
                         PLAN_DEPTH_MAX);
}

/* ---- schemas ----------------------------------------------------------------------------------- */

int schema_find(const struct schema *schema, rf_str name)
{
    for (uint32_t i = 0; i < schema->count; i++)
        if (rf_str_eq(schema->columns[i].name, name)) return (int)i;
    return -1;
}

bool schema_add_exact(struct schema_builder *sb, rf_str name, enum type type, uint32_t id)
{
    if (sb->schema.count == TABLE_COLUMNS_MAX) {
        sb->b->schema_full = true;
        return false;
    }
    if (sb->schema.count == sb->cap) {
        uint32_t cap = sb->cap == 0 ? 16 : sb->cap * 2;
        struct column *grown = rf_arena_grow(sb->b->arena, sb->schema.columns,
                                             sb->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return false;
        sb->schema.columns = grown;
        sb->cap = cap;
    }
    sb->schema.columns[sb->schema.count++] =
        (struct column){.name = name, .id = id, .type = (uint8_t)type};
    return true;
}

bool schema_add(struct schema_builder *sb, rf_str name, enum type type, uint32_t id)
{
    rf_str unique = name;
    for (uint32_t n = rf_str_eq(name, sb->last_name) ? sb->last_number + 1 : 1;
         schema_find(&sb->schema, unique) >= 0; n++) {
        sb->last_name = name;
        sb->last_number = n;
        unique = rf_arena_printf(sb->b->arena, "%.*s%u", RF_FMT(name), n);
        if (unique.ptr == NULL) return false;
    }
    return schema_add_exact(sb, unique, type, id);
}

bool name_matches(rf_str pattern, rf_str name)
{
    size_t p = 0, n = 0, star = SIZE_MAX, mark = 0;
    while (n <
           name.len) { /* on a mismatch go back to the last star and let it take one byte more */
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            mark = n;
        } else if (p < pattern.len && pattern.ptr[p] == name.ptr[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') p++;
    return p == pattern.len;
}

void *node_new(struct binder *b, size_t bytes, const struct node_ops *ops, struct node *input)
{
    struct node *node = rf_arena_zalloc(b->arena, bytes);
    if (node == NULL) return NULL;
    node->ops = ops;
    if (input != NULL) {
        node->inputs[0] = input;
        node->input_count = 1;
        node->depth = input->depth;
        node->schema = input->schema;
        node->serialized = input->serialized;
    }
    return node;
}

/* ---- scope -------------------------------------------------------------------------------------- */

struct scope *scope_find(struct binder *b, rf_str name)
{
    uint32_t looked_at = 0;
    struct scope *s = b->scope;
    for (; s != NULL && !rf_str_eq(s->name, name); s = s->next) looked_at++;
    b->step_count += looked_at / 32;
    return s;
}

struct scope *scope_add(struct binder *b, rf_str name, enum binding_kind kind)
{
    struct scope *s = rf_arena_zalloc(b->arena, sizeof *s);
    if (s == NULL) return NULL;
    s->name = name;
    s->kind = kind;
    s->env = b->scope;
    s->text = b->text;
    s->next = b->scope;
    b->scope = s;
    return s;
}

static bool lambda_is_table(struct binder *b, const struct scope *f);

static bool asks_for_arrival(rf_str text)
{
    return rf_str_find(text, RF_S("ingestion_time"), 0) != SIZE_MAX;
}

/* A stored function's text, parsed when it is first asked for. Its body sees the catalog only. */
static enum rf_kind load_stored(struct binder *b, const struct stored_function *stored,
                                struct scope **out)
{
    struct rf_buf text = rf_buf_in(b->arena);
    struct query_ast parsed;
    rf_buf_printf(&text, "let f = ");
    rf_buf_str(&text, stored->text);
    if (text.failed) return BIND_NOMEM(b);
    enum rf_kind kind = parse_query(rf_buf_view(&text), b->arena, &parsed, b->err);
    if (kind != RF_OK || parsed.statement_count == 0 || parsed.statements[0].kind != STATEMENT_LET)
        return bind_fail(b, 0, "BadFunction", "the stored function '%.*s' is not valid",
                         RF_FMT(stored->name));
    struct scope *s = rf_arena_zalloc(b->arena, sizeof *s);
    if (s == NULL) return BIND_NOMEM(b);
    *s = (struct scope){.name = stored->name,
                        .kind = BINDING_LAMBDA,
                        .ast = parsed.statements[0].value,
                        .text = rf_buf_view(&text),
                        .stored = true};
    if (s->ast->kind != AST_LAMBDA) s->kind = BINDING_TABLE;
    s->next = b->stored;
    b->stored = s;
    b->wants_arrival = b->wants_arrival || asks_for_arrival(s->text);
    if (s->kind == BINDING_LAMBDA) s->is_table = lambda_is_table(b, s);
    *out = s;
    return RF_OK;
}

struct scope *function_find(struct binder *b, rf_str name, enum rf_kind *kind)
{
    struct scope *s = scope_find(b, name);
    *kind = RF_OK;
    if (s != NULL || !bind_allows(b, name)) return s;
    for (s = b->stored; s != NULL; s = s->next)
        if (rf_str_eq(s->name, name)) return s;
    const struct catalog *catalog = b->exec->catalog;
    for (uint32_t i = 0; catalog != NULL && i < catalog->function_count; i++) {
        if (!rf_str_eq(catalog->functions[i].name, name)) continue;
        *kind = load_stored(b, &catalog->functions[i], &s);
        return s;
    }
    return NULL;
}

/* ---- is it a table? ------------------------------------------------------------------------------ */

/* Asked once for each function, where it is defined, so that asking about its callers does not go through all that
 * lies below again. */
static bool lambda_is_table(struct binder *b, const struct scope *f)
{
    const struct ast_lambda *lambda = f->ast->body;
    if (lambda->statement_count == 0) return false;
    struct scope *saved = b->scope;
    struct row_scope rows = b->rows;
    bool table = false;
    b->scope = f->env;
    b->rows = (struct row_scope){0};
    b->step_count += (uint64_t)STEPS_EXPR * lambda->statement_count;
    for (uint32_t i = 0; i < lambda->argument_count; i++) {
        struct scope *s = scope_add(b, lambda->arguments[i].name,
                                    lambda->arguments[i].tabular ? BINDING_SHARED : BINDING_SCALAR);
        if (s == NULL) break;
    }
    for (uint32_t i = 0; i < lambda->statement_count; i++) {
        const struct statement *s = &lambda->statements[i];
        if (s->kind == STATEMENT_LET) {
            bool is = s->value->kind != AST_LAMBDA && ast_is_table(b, s->value);
            struct scope *let = scope_add(b, s->name,
                                          s->value->kind == AST_LAMBDA ? BINDING_LAMBDA
                                          : is                         ? BINDING_TABLE
                                                                       : BINDING_SCALAR);
            if (let == NULL) break;
            let->ast = s->value;
            if (let->kind == BINDING_LAMBDA) let->is_table = lambda_is_table(b, let);
        } else if (s->kind == STATEMENT_QUERY) {
            table = ast_is_table(b, s->value);
        }
    }
    b->scope = saved;
    b->rows = rows;
    return table;
}

static bool name_is_table(struct binder *b, rf_str name)
{
    enum rf_kind kind;
    if (b->rows.schema != NULL && schema_find(b->rows.schema, name) >= 0) return false;
    struct scope *s = function_find(b, name, &kind);
    if (s != NULL && s->kind == BINDING_LAMBDA) return s->is_table;
    if (s != NULL) return s->kind != BINDING_SCALAR;
    return catalog_find(b->exec->catalog, name) != NULL || catalog_calls(b->exec->catalog, name);
}

bool ast_is_table(struct binder *b, const struct ast *ast)
{
    enum rf_kind kind;
    switch (ast->kind) {
    case AST_PIPE:
    case AST_DATATABLE:
    case AST_EXTERNALDATA:
        return true;
    case AST_NAME:
        return name_is_table(b, ast->text);
    case AST_CALL: {
        static const char *const tables[] = {"table",   "materialized_view", "external_table",
                                             "cluster", "database",          "workspace",
                                             "app",     "resource",          "arg",
                                             "adx"};
        struct scope *s = function_find(b, ast->text, &kind);
        if (s != NULL && s->kind == BINDING_LAMBDA) return s->is_table;
        if (s != NULL && s->kind == BINDING_PATTERN) return true;
        if (ast->body != NULL) return true;
        if (rf_str_is(ast->text, "materialize") || rf_str_is(ast->text, "totable"))
            return ast->kid_count == 1 && ast_is_table(b, ast->kids[0]);
        for (size_t i = 0; i < RF_COUNT(tables); i++)
            if (rf_str_is(ast->text, tables[i])) return true;
        return s == NULL && catalog_calls(b->exec->catalog, ast->text);
    }
    case AST_MEMBER:
        if (ast->kids[0]->kind == AST_NAME) {
            const struct scope *s = scope_find(b, ast->kids[0]->text);
            return s != NULL && s->kind == BINDING_ENTITY;
        }
        return ast->kids[0]->kind == AST_CALL && ast_is_table(b, ast->kids[0]) &&
               !rf_str_is(ast->kids[0]->text, "table");
    default:
        return false;
    }
}

/* ---- functions of let and of the catalog --------------------------------------------------------- */

static const struct ast *call_argument(const struct ast *call, const struct ast_lambda *lambda,
                                       uint32_t index, uint32_t skip)
{
    uint32_t position = skip;
    for (uint32_t i = 0; i < call->kid_count && call->kind == AST_CALL; i++) {
        const struct ast *kid = call->kids[i];
        if (kid->kind == AST_NAMED) {
            if (rf_str_eq(kid->names[0], lambda->arguments[index].name)) return kid->kids[0];
        } else if (position == index) {
            return kid;
        }
        position++; /* a named one takes a place too: f(a=1, 2) */
    }
    return NULL;
}

struct outer { /* what a function's body must not see */
    struct scope *scope;
    struct row_scope rows;
    struct aggr_list *aggrs;
    struct window_list *windows;
    rf_str text;
    struct unnamed_column *unnamed;
    uint32_t unnamed_count;
    bool in_stored;
};

static struct outer enter(struct binder *b)
{
    struct outer outer = {b->scope, b->rows,    b->aggrs,         b->windows,
                          b->text,  b->unnamed, b->unnamed_count, b->in_stored};
    b->unnamed = NULL; /* a body counts its columns for itself, anew at each call */
    b->unnamed_count = 0;
    return outer;
}
static void leave(struct binder *b, const struct outer *o)
{
    b->scope = o->scope;
    b->rows = o->rows;
    b->aggrs = o->aggrs;
    b->windows = o->windows;
    b->text = o->text;
    b->unnamed = o->unnamed;
    b->unnamed_count = o->unnamed_count;
    b->in_stored = o->in_stored;
}

/* A table argument must have the columns that the parameter declares. */
static enum rf_kind check_columns(struct binder *b, const struct ast_argument *arg,
                                  const struct node *table, uint32_t pos)
{
    for (uint32_t i = 0; i < arg->column_count; i++) {
        if (schema_find(&table->schema, arg->columns[i].name) < 0)
            return bind_fail(b, pos, "BadArguments",
                             "the table given for '%.*s' lacks the column '%.*s'",
                             RF_FMT(arg->name), RF_FMT(arg->columns[i].name));
    }
    return RF_OK;
}

/* Binds the arguments of a call in the caller's scope, then makes the function's scope. */
static enum rf_kind bind_lambda_arguments(struct binder *b, const struct scope *f,
                                          const struct ast *call, struct node *first)
{
    const struct ast_lambda *lambda = f->ast->body;
    uint32_t n = lambda->argument_count;
    struct expr **exprs = rf_arena_new(b->arena, struct expr *, n);
    struct shared **tables = rf_arena_new(b->arena, struct shared *, n);
    if (exprs == NULL || tables == NULL) return BIND_NOMEM(b);
    uint32_t skip = first != NULL ? 1 : 0;
    if (call->kind == AST_CALL && call->kid_count + skip > n)
        return bind_fail(b, call->pos, "BadArguments", "'%.*s' takes %u arguments, %u are given",
                         RF_FMT(f->name), n, call->kid_count + skip);
    for (uint32_t i = 0; i < n; i++) {
        const struct ast_argument *arg = &lambda->arguments[i];
        const struct ast *given = call_argument(call, lambda, i, skip);
        if (given == NULL && !(first != NULL && i == 0)) given = arg->fallback;
        if (given == NULL && !(first != NULL && i == 0))
            return bind_fail(b, call->pos, "BadArguments", "'%.*s' needs the argument '%.*s'",
                             RF_FMT(f->name), RF_FMT(arg->name));
        if (arg->tabular) {
            struct node *table = first;
            if (!(first != NULL && i == 0)) RF_TRY(bind_table(b, given, &table));
            RF_TRY(check_columns(b, arg, table, call->pos));
            tables[i] = shared_new(b, table);
            if (tables[i] == NULL) return BIND_NOMEM(b);
        } else {
            if (given == NULL &&
                f->stored) { /* invoke of a function of the catalog that takes no table */
                struct value none = value_null((enum type)arg->type);
                exprs[i] = expr_const(b, &none, call->pos);
                if (exprs[i] == NULL) return BIND_NOMEM(b);
                continue;
            }
            if (given == NULL)
                return bind_fail(
                    b, call->pos, "BadArguments",
                    "the first parameter of '%.*s' is no table, so it cannot be invoked",
                    RF_FMT(f->name));
            if (first != NULL && arg->type == TYPE_STRING && given->kind == AST_NAME &&
                schema_find(&first->schema, given->text) >= 0) {
                struct value name =
                    value_str(given->text); /* invoke FileProfile(SHA1): the column's name */
                exprs[i] = expr_const(b, &name, given->pos);
                if (exprs[i] == NULL) return BIND_NOMEM(b);
                continue;
            }
            RF_TRY(bind_expr(b, given, &exprs[i]));
            enum type have = exprs[i]->type;
            if (have != arg->type) RF_TRY(bind_cast(b, exprs[i], arg->type, &exprs[i]));
        }
    }
    b->scope = f->env;
    b->rows = (struct row_scope){0};
    b->aggrs = NULL;
    b->windows = NULL;
    b->text = f->text;
    b->in_stored = b->in_stored || f->stored;
    for (uint32_t i = 0; i < n; i++) {
        struct scope *s = scope_add(b, lambda->arguments[i].name,
                                    tables[i] != NULL ? BINDING_SHARED : BINDING_SCALAR);
        if (s == NULL) return BIND_NOMEM(b);
        s->expr = exprs[i];
        s->shared = tables[i];
    }
    return RF_OK;
}

static enum rf_kind fail_recursion(struct binder *b, const struct scope *f, uint32_t pos)
{
    return bind_fail(b, pos, "RecursiveFunction", "'%.*s' calls itself; functions cannot",
                     RF_FMT(f->name));
}

/* The lets of a body; *last is its closing expression. */
static enum rf_kind bind_lambda_lets(struct binder *b, const struct scope *f, uint32_t pos,
                                     const struct ast **last)
{
    const struct ast_lambda *lambda = f->ast->body;
    *last = NULL;
    for (uint32_t i = 0; i < lambda->statement_count; i++) {
        const struct statement *s = &lambda->statements[i];
        if (s->kind == STATEMENT_LET) RF_TRY(bind_let(b, s));
        if (s->kind == STATEMENT_PATTERN) RF_TRY(bind_pattern(b, s));
        if (s->kind == STATEMENT_QUERY) *last = s->value;
    }
    if (*last == NULL)
        return bind_fail(b, pos, "BadFunction", "the body of '%.*s' has no expression",
                         RF_FMT(f->name));
    return RF_OK;
}

enum rf_kind bind_lambda_scalar(struct binder *b, struct scope *f, const struct ast *call,
                                struct expr **out)
{
    if (f->busy) return fail_recursion(b, f, call->pos);
    struct outer outer = enter(b);
    const struct ast *body = NULL;
    enum rf_kind kind = bind_lambda_arguments(b, f, call, NULL);
    if (kind == RF_OK) kind = bind_lambda_lets(b, f, call->pos, &body);
    if (kind == RF_OK) {
        if (ast_is_table(b, body)) {
            leave(b, &outer);
            return bind_fail(b, call->pos, "NotScalar",
                             "'%.*s' gives a table; a scalar is needed here", RF_FMT(f->name));
        }
        f->busy = true;
        kind = bind_expr(b, body, out);
        f->busy = false;
    }
    leave(b, &outer);
    return kind;
}

enum rf_kind bind_lambda_table(struct binder *b, struct scope *f, const struct ast *call,
                               struct node *first, struct node **out)
{
    if (f->busy) return fail_recursion(b, f, call->pos);
    struct outer outer = enter(b);
    const struct ast *body = NULL;
    enum rf_kind kind = bind_lambda_arguments(b, f, call, first);
    if (kind == RF_OK) kind = bind_lambda_lets(b, f, call->pos, &body);
    if (kind == RF_OK) {
        f->busy = true;
        kind = bind_table(b, body, out);
        f->busy = false;
    }
    leave(b, &outer);
    return kind;
}

enum rf_kind bind_invoke(struct binder *b, const struct ast *call, struct node *input,
                         struct node **out)
{
    enum rf_kind kind;
    struct scope *f = function_find(b, call->text, &kind);
    RF_TRY(kind);
    if (f == NULL || f->kind != BINDING_LAMBDA)
        return bind_fail(b, call->pos, "UnknownFunction",
                         "there is no function '%.*s' that takes a table", RF_FMT(call->text));
    return bind_lambda_table(b, f, call, input, out);
}

/* ---- statements ------------------------------------------------------------------------------------- */

enum rf_kind bind_let(struct binder *b, const struct statement *s)
{
    enum binding_kind kind =
        s->value->kind == AST_LAMBDA                                              ? BINDING_LAMBDA
        : s->value->kind == AST_CALL && rf_str_is(s->value->text, "entity_group") ? BINDING_GROUP
        : ast_is_table(b, s->value)                                               ? BINDING_TABLE
                                                                                  : BINDING_SCALAR;
    struct expr *e = NULL;
    if (kind == BINDING_SCALAR) RF_TRY(bind_expr(b, s->value, &e));
    struct scope *binding = scope_add(b, s->name, kind);
    if (binding == NULL) return BIND_NOMEM(b);
    binding->ast = s->value;
    binding->expr = e;
    binding->view = s->view;
    if (kind == BINDING_LAMBDA) binding->is_table = lambda_is_table(b, binding);
    return RF_OK;
}

static const struct query_parameter *find_parameter(const struct binder *b, rf_str name)
{
    const struct func_env *env = &b->exec->env;
    for (uint32_t i = 0; i < env->parameter_count; i++)
        if (rf_str_eq(env->parameters[i].name, name)) return &env->parameters[i];
    return NULL;
}

/* A literal such as datetime(2024-01-31), -5 or dynamic([1]); nothing that computes, as the text is a caller's value. */
static enum rf_kind parameter_literal(struct binder *b, rf_str text, enum type type,
                                      struct value *out)
{
    struct rf_buf print = rf_buf_in(b->arena);
    struct query_ast parsed;
    rf_buf_str(&print, RF_S("let v = "));
    rf_buf_str(&print, text);
    if (print.failed) return BIND_NOMEM(b);
    if (parse_query(rf_buf_view(&print), b->arena, &parsed, NULL) != RF_OK ||
        parsed.statement_count != 1 || parsed.statements[0].kind != STATEMENT_LET)
        return RF_INVALID;
    const struct ast *value = parsed.statements[0].value, *inner = value;
    if (value->kind == AST_UNARY) inner = value->kids[0];
    if (inner->kind != AST_LITERAL) return RF_INVALID;
    struct rf_err *err = b->err, local;
    b->err = &local; /* the place would be one of another text */
    enum rf_kind kind = bind_constant(b, value, type, out);
    b->err = err;
    return kind == RF_LIMIT ? BIND_NOMEM(b) : kind;
}

static enum rf_kind given_parameter(struct binder *b, const struct statement *s,
                                    const struct ast_argument *arg, rf_str text, struct value *out)
{
    struct value v = value_str(text);
    enum rf_kind kind = RF_OK;
    *out = v;
    if (arg->type == TYPE_STRING) return RF_OK;
    if (!value_convert(&v, (enum type)arg->type, b->arena, out)) return BIND_NOMEM(b);
    /* Any text is a dynamic, so that a literal has to be looked for first. */
    if (out->null || arg->type == TYPE_DYNAMIC) {
        struct value literal;
        kind = parameter_literal(b, text, (enum type)arg->type, &literal);
        if (kind == RF_OK) *out = literal;
    }
    if (kind == RF_LIMIT) return kind;
    if (kind != RF_OK && arg->type != TYPE_DYNAMIC)
        return bind_fail(b, s->pos, "BadArguments", "the query parameter '%.*s' is no %s: '%.*s'",
                         RF_FMT(arg->name), type_name((enum type)arg->type),
                         RF_FMT(rf_slice(text, 0, RF_MIN(text.len, 100))));
    return RF_OK;
}

static enum rf_kind bind_parameters(struct binder *b, const struct statement *s)
{
    for (uint32_t i = 0; i < s->argument_count; i++) {
        const struct ast_argument *arg = &s->arguments[i];
        const struct query_parameter *given = find_parameter(b, arg->name);
        struct value v = value_null(arg->type);
        if (given != NULL)
            RF_TRY(given_parameter(b, s, arg, given->text, &v));
        else if (arg->fallback != NULL)
            RF_TRY(bind_constant(b, arg->fallback, arg->type, &v));
        struct scope *binding = scope_add(b, arg->name, BINDING_SCALAR);
        if (binding == NULL) return BIND_NOMEM(b);
        binding->expr = expr_const(b, &v, s->pos);
        if (binding->expr == NULL) return BIND_NOMEM(b);
        binding->expr->of_now = true; /* it may be: what it is made of was not looked at */
    }
    return RF_OK;
}

static enum rf_kind bind_set(struct binder *b, const struct statement *s)
{
    struct func_env *env = &b->exec->env;
    uint32_t count = env->option_count;
    struct set_option *options = rf_arena_new(b->arena, struct set_option, (size_t)count + 1);
    if (count >= SET_OPTIONS_MAX)
        return parse_fail_at(b->text, s->pos, b->err, RF_LIMIT, "QueryTooLarge",
                             "more than %d options are set", SET_OPTIONS_MAX);
    if (options == NULL) return BIND_NOMEM(b);
    if (count > 0) memcpy(options, env->options, count * sizeof *options);
    struct value v = value_bool(true);
    if (s->value != NULL && s->value->kind == AST_NAME)
        v = value_str(s->value->text);
    else if (s->value != NULL) {
        struct expr *e;
        RF_TRY(bind_scalar(b, s->value, NULL, &e));
        RF_TRY(eval_const(b->exec, e, &v, b->err));
    }
    if (rf_str_is(s->name, "query_now") && v.type == TYPE_DATETIME && !v.null)
        b->exec->now_ticks = v.i;
    options[count] = (struct set_option){.name = s->name, .value = v};
    env->options = options;
    env->option_count++;
    return RF_OK;
}

static enum rf_kind add_result(struct binder *b, struct bound_query *q, rf_str name,
                               struct node *node)
{
    uint32_t n = q->result_count;
    struct node **results =
        rf_arena_grow(b->arena, q->results, n * sizeof *results, (n + 1) * sizeof *results);
    rf_str *names = rf_arena_grow(b->arena, q->names, n * sizeof *names, (n + 1) * sizeof *names);
    if (results == NULL || names == NULL) return BIND_NOMEM(b);
    if (n == RESULTS_MAX)
        return RF_FAIL(b->err, RF_LIMIT, "QueryTooLarge", "the text has more than %d queries",
                       RESULTS_MAX);
    if (name.len == 0)
        name = n == 0 ? RF_S("PrimaryResult") : rf_arena_printf(b->arena, "Table_%u", n);
    if (name.ptr == NULL) return BIND_NOMEM(b);
    results[n] = node;
    names[n] = name;
    q->results = results;
    q->names = names;
    q->result_count++;
    return RF_OK;
}

enum rf_kind bind_extra_result(struct binder *b, rf_str name, struct node *node)
{
    struct extra_result *extra = rf_arena_zalloc(b->arena, sizeof *extra), **last = &b->extras;
    if (extra == NULL) return BIND_NOMEM(b);
    *extra = (struct extra_result){.name = name, .node = node};
    while (*last != NULL) last = &(*last)->next;
    *last = extra;
    return RF_OK;
}

/* A statement that ends in graph-to-table nodes as N, edges as E. */
static bool names_tables(const struct ast *ast)
{
    const struct ast *last = ast->kind == AST_PIPE ? ast->kids[ast->kid_count - 1] : NULL;
    return last != NULL && last->kind == AST_OPERATOR && rf_str_is(last->text, "graph-to-table");
}

/* Drops the column of arrivals from a result. */
static enum rf_kind bind_without_arrival(struct binder *b, struct node **node)
{
    const struct schema *have = &(*node)->schema;
    if (!b->has_arrival || schema_find(have, RF_S(ARRIVAL_COLUMN)) < 0) return RF_OK;
    struct schema_builder sb = {.b = b};
    struct expr **exprs = rf_arena_new(b->arena, struct expr *, have->count);
    if (exprs == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < have->count; i++) {
        const struct column *c = &have->columns[i];
        if (rf_str_is(c->name, ARRIVAL_COLUMN)) continue;
        exprs[sb.schema.count] = expr_column(b, c, 0);
        if (exprs[sb.schema.count] == NULL || !schema_add_exact(&sb, c->name, c->type, c->id))
            return BIND_NOMEM(b);
    }
    sb.schema.open = have->open;
    return project_node_new(b, exprs, &sb.schema, *node, node);
}

static enum rf_kind bind_results(struct binder *b, const struct statement *s, struct bound_query *q)
{
    struct node *node;
    if (!ast_is_table(b,
                      s->value)) { /* a bare scalar at the end, such as a name that is no table */
        if (s->value->kind == AST_NAME || s->value->kind == AST_MEMBER ||
            s->value->kind == AST_CALL)
            RF_TRY(bind_table(b, s->value, &node));
        return bind_fail(b, s->pos, "NotTable", "a query must be a table; `print` shows a scalar");
    }
    b->extras = NULL;
    struct scope *before = b->scope;
    b->keep_names = names_tables(s->value);
    RF_TRY(bind_table(b, s->value, &node));
    if (b->scope != before)
        return RF_OK; /* it made names for the statements behind, and no result */
    RF_TRY(bind_without_arrival(b, &node));
    RF_TRY(add_result(b, q, RF_S(""), node));
    for (const struct extra_result *extra = b->extras; extra != NULL; extra = extra->next)
        RF_TRY(add_result(b, q, extra->name, extra->node));
    return RF_OK;
}

enum rf_kind bind_query(const struct query_ast *query, struct exec *exec, struct rf_arena *arena,
                        bool may_run, struct bound_query *out, struct rf_err *err)
{
    struct binder b = {.text = query->text,
                       .arena = arena,
                       .exec = exec,
                       .err = err,
                       .wants_arrival = asks_for_arrival(query->text),
                       .may_run = may_run,
                       .next_id = 1};
    struct bound_query q = {0};
    for (uint32_t i = 0; i < query->statement_count; i++) {
        const struct statement *s = &query->statements[i];
        b.below = 0;
        switch (s->kind) {
        case STATEMENT_LET:
            RF_TRY(bind_let(&b, s));
            break;
        case STATEMENT_SET:
            RF_TRY(bind_set(&b, s));
            break;
        case STATEMENT_PARAMETERS:
            RF_TRY(bind_parameters(&b, s));
            break;
        case STATEMENT_PATTERN:
            RF_TRY(bind_pattern(&b, s));
            break;
        case STATEMENT_RESTRICT:
            RF_TRY(bind_restrict(&b, s));
            break;
        case STATEMENT_QUERY:
            RF_TRY(bind_results(&b, s, &q));
            break;
        case STATEMENT_NONE:
            break;
        }
    }
    if (q.result_count == 0)
        return RF_FAIL(err, RF_INVALID, "NoQuery",
                       "the text has no query: a table and operators, such as `T | take 10`");
    for (uint32_t r = 0; r < q.result_count; r++) {
        struct id_set need;
        if (!id_set_new(exec, arena, &b.next_id, &need)) return rf_fail_memory(err, arena);
        for (uint32_t i = 0; i < q.results[r]->schema.count; i++)
            id_set_add(&need, q.results[r]->schema.columns[i].id);
        node_prune(q.results[r], &need);
    }
    q.render = b.render;
    q.open_schema = b.open_schema;
    q.calls_stored = b.stored != NULL;
    *out = q;
    return RF_OK;
}
