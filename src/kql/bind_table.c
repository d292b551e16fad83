#include "kql/bind_int.h"
#include "kql/op.h"

/* ---- a table bound once, read by several -------------------------------------------------------- */

struct shared_node {
    struct node node;
    struct shared *shared;
    uint32_t *inner_ids; /* of the input's columns as they were bound, parallel to node.schema */
};

static enum rf_kind shared_run(struct node *node, struct exec *exec, struct flow *out,
                               struct rf_err *err)
{
    struct shared *shared = ((struct shared_node *)node)->shared;
    if (shared->reader_count <= 1) return node_run(shared->input, exec, out, err);
    if (!shared->ran) {
        RF_TRY(node_collect(shared->input, exec, exec->arena, &shared->rows, err));
        shared->ran = true;
    }
    return rows_push(shared->rows, exec, out, err);
}

/* With one reader the columns that nobody reads are dropped below too; columns correspond by position. */
static void shared_prune(struct node *node, struct id_set *need)
{
    struct shared *shared = ((struct shared_node *)node)->shared;
    struct schema *inner = &shared->input->schema;
    if (shared->reader_count > 1 || need->binding) {
        for (uint32_t i = 0; i < inner->count; i++) id_set_add(need, inner->columns[i].id);
        if (!shared->input->pruned) node_prune(shared->input, need);
        return;
    }
    uint32_t kept = 0, count = node->schema.count;
    const uint32_t *inner_ids = ((struct shared_node *)node)->inner_ids;
    for (uint32_t i = 0; i < count; i++)
        if (id_set_has(need, node->schema.columns[i].id)) id_set_add(need, inner_ids[i]);
    node_prune(shared->input, need);
    for (uint32_t i = 0; i < count; i++) /* the same columns stay on both sides */
        if (schema_find_id(inner, inner_ids[i]) >= 0)
            node->schema.columns[kept++] = node->schema.columns[i];
    node->schema.count = kept;
    RF_ASSERT(kept == inner->count);
}

static const struct node_ops shared_ops = {
    .name = "shared", .run = shared_run, .prune = shared_prune};

struct shared *shared_new(struct binder *b, struct node *input)
{
    struct shared *shared = rf_arena_zalloc(b->arena, sizeof *shared);
    if (shared != NULL) shared->input = input;
    return shared;
}

enum rf_kind bind_shared_use(struct binder *b, struct shared *shared, struct node **out)
{
    struct shared_node *n = node_new(b, sizeof *n, &shared_ops, NULL);
    if (n == NULL) return BIND_NOMEM(b);
    n->shared = shared;
    shared->reader_count++;
    const struct schema *inner = &shared->input->schema;
    n->node.schema.columns = rf_arena_new(b->arena, struct column, inner->count);
    n->inner_ids = rf_arena_new(b->arena, uint32_t, inner->count);
    if (n->node.schema.columns == NULL || n->inner_ids == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < inner->count; i++) {
        n->inner_ids[i] = inner->columns[i].id;
        n->node.schema.columns[i] = inner->columns[i];
        n->node.schema.columns[i].id = bind_new_id(b);
    }
    n->node.schema.count = inner->count;
    n->node.schema.open = inner->open;
    n->node.depth = shared->input->depth;
    n->node.serialized = shared->input->serialized;
    *out = &n->node;
    return RF_OK;
}

enum rf_kind bind_as(struct binder *b, rf_str name, struct node *node)
{
    struct shared *shared = shared_new(b, node);
    struct scope *s = scope_add(b, name, BINDING_SHARED);
    if (shared == NULL || s == NULL) return BIND_NOMEM(b);
    s->shared = shared;
    return RF_OK;
}

/* ---- names --------------------------------------------------------------------------------------- */

static rf_str nth_source(const void *state, size_t index)
{
    const struct catalog *catalog = state;
    const struct source *source = catalog->sources[index];
    bool shown = catalog->shows == NULL || catalog->shows(catalog, source);
    return shown ? source->name : (rf_str){NULL, 0};
}

/* The kind stands in the macro so that analyzers see that it is not RF_OK. */
#define fail_unknown(b, name, pos) (note_unknown((b), (name), (pos)), RF_INVALID)
static void note_unknown(struct binder *b, rf_str name, uint32_t pos)
{
    rf_str near;
    const struct catalog *catalog = b->exec->catalog;
    if (catalog != NULL &&
        rf_nearest(name, catalog->source_count, nth_source, catalog, &near) != NULL)
        bind_err(b, pos, "UnknownTable",
                 "there is no table or function '%.*s'; did you mean '%.*s'?", RF_FMT(name),
                 RF_FMT(near));
    else
        bind_err(b, pos, "UnknownTable", "there is no table or function '%.*s'", RF_FMT(name));
}

/* Binds in the environment that the name was defined in. */
static enum rf_kind bind_in_env(struct binder *b, const struct scope *s, struct node **out)
{
    struct scope *scope = b->scope;
    rf_str text = b->text;
    bool in_stored = b->in_stored;
    b->scope = s->env;
    b->text = s->text;
    b->in_stored = in_stored || s->stored;
    enum rf_kind kind = bind_table(b, s->ast, out);
    b->scope = scope;
    b->text = text;
    b->in_stored = in_stored;
    return kind;
}

static enum rf_kind bind_time_limits(struct binder *b, struct node **node)
{
    if (!b->exec->has_timespan) return RF_OK;
    int at = schema_find(&(*node)->schema, RF_S("TimeGenerated"));
    if (at < 0 || (*node)->schema.columns[at].type != TYPE_DATETIME) return RF_OK;
    struct value from = value_i64(TYPE_DATETIME, b->exec->from_ticks),
                 to = value_i64(TYPE_DATETIME, b->exec->to_ticks);
    struct expr *low[2] = {expr_column(b, &(*node)->schema.columns[at], 0),
                           expr_const(b, &from, 0)};
    struct expr *high[2] = {NULL, expr_const(b, &to, 0)}, *both[2], *where;
    if (low[0] == NULL || low[1] == NULL || high[1] == NULL) return BIND_NOMEM(b);
    int alias = schema_find(
        &(*node)->schema,
        RF_S("Timestamp")); /* advanced hunting's name: exports carry one or the other */
    if (alias >= 0 && (*node)->schema.columns[alias].type == TYPE_DATETIME) {
        struct expr *names[2] = {low[0], expr_column(b, &(*node)->schema.columns[alias], 0)};
        if (names[1] == NULL) return BIND_NOMEM(b);
        RF_TRY(bind_call(b, 0, RF_S("coalesce"), names, 2, &low[0]));
    }
    high[0] = low[0];
    RF_TRY(bind_call(b, 0, RF_S(">="), low, 2, &both[0]));
    RF_TRY(bind_call(b, 0, RF_S("<"), high, 2, &both[1]));
    RF_TRY(bind_call(b, 0, RF_S("and"), both, 2, &where));
    return where_node_new(b, where, *node, node);
}

/* Leaves the rows of the catalog's resource. */
static enum rf_kind bind_resource(struct binder *b, const struct catalog *catalog,
                                  struct node **node)
{
    if (catalog->resource.len == 0) return RF_OK;
    int at = schema_find(&(*node)->schema, RF_S("_ResourceId"));
    if (at >= 0 && (*node)->schema.columns[at].type != TYPE_STRING) at = -1;
    struct value no = value_bool(false), id = value_str(catalog->resource), below;
    struct expr *is[2], *starts[2], *both[2], *where;
    if (at < 0) {
        where = expr_const(b, &no, 0);
        if (where == NULL) return BIND_NOMEM(b);
        return where_node_new(b, where, *node, node);
    }
    below = value_str(rf_arena_printf(b->arena, "%.*s/", RF_FMT(catalog->resource)));
    is[0] = starts[0] = expr_column(b, &(*node)->schema.columns[at], 0);
    is[1] = expr_const(b, &id, 0);
    starts[1] = expr_const(b, &below, 0);
    if (below.s.ptr == NULL || is[0] == NULL || is[1] == NULL || starts[1] == NULL)
        return BIND_NOMEM(b);
    RF_TRY(bind_call(b, 0, RF_S("=~"), is, 2, &both[0]));
    RF_TRY(bind_call(b, 0, RF_S("startswith"), starts, 2, &both[1]));
    RF_TRY(bind_call(b, 0, RF_S("or"), both, 2, &where));
    return where_node_new(b, where, *node, node);
}

static enum rf_kind bind_source(struct binder *b, const struct catalog *catalog,
                                struct source *source, struct node **out)
{
    struct expr *where = NULL;
    RF_TRY(bind_scan(b, source, out));
    if (catalog->narrow != NULL)
        RF_TRY(catalog->narrow(catalog, source, b, &(*out)->schema, &where));
    if (where != NULL) {
        RF_TRY(where_node_new(b, where, *out, out));
        RF_TRY(guard_node_new(b, *out, out));
    }
    RF_TRY(bind_time_limits(b, out));
    return bind_resource(b, catalog, out);
}

/* The table `name` of the catalog and of those beside it. RF_NOT_FOUND: there is none, and no error is noted. */
static enum rf_kind bind_sources(struct binder *b, const struct catalog *catalog, rf_str name,
                                 struct node **out)
{
    uint32_t count = 0, beside = catalog == NULL ? 0 : catalog->beside_count;
    struct source *own = catalog_find_own(catalog, name);
    if (own != NULL && beside == 0) return bind_source(b, catalog, own, out);
    struct node **nodes = rf_arena_new(b->arena, struct node *, (size_t)beside + 1);
    rf_str *names = rf_arena_new(b->arena, rf_str, (size_t)beside + 1);
    if (nodes == NULL || names == NULL) return BIND_NOMEM(b);
    if (own != NULL) RF_TRY(bind_source(b, catalog, own, &nodes[count++]));
    for (uint32_t i = 0; i < beside; i++) {
        struct source *source = catalog_find_own(catalog->beside[i], name);
        if (source != NULL) RF_TRY(bind_source(b, catalog->beside[i], source, &nodes[count++]));
    }
    if (count == 0) return RF_NOT_FOUND;
    *out = nodes[0];
    for (uint32_t i = 0; i < count; i++) names[i] = name;
    return count == 1 ? RF_OK : union_tables(b, nodes, names, count, (rf_str){NULL, 0}, out);
}

static enum rf_kind bind_name(struct binder *b, rf_str name, uint32_t pos, bool tables_only,
                              const struct ast *call, struct node **out);

/* workspace("w").T and its like: T of the catalog that this names. Without such catalogs there is one store, so that the last
 * name counts, as it does with database("d").T. */
static enum rf_kind bind_member(struct binder *b, const struct ast *ast, struct node **out)
{
    const struct ast *call = ast->kids[0];
    const struct catalog *catalog = b->exec->catalog, *other;
    struct scope *s =
        call->kind == AST_NAME || call->kind == AST_CALL ? scope_find(b, call->text) : NULL;
    if (s != NULL && s->kind == BINDING_PATTERN)
        return bind_pattern_use(b, s, call, ast->text, out);
    if (s != NULL && s->kind == BINDING_ENTITY && call->kind == AST_NAME) call = s->ast;
    bool names = call->kind == AST_CALL &&
                 (rf_str_is(call->text, "workspace") || rf_str_is(call->text, "app") ||
                  rf_str_is(call->text, "resource"));
    if (catalog == NULL || catalog->other == NULL || !names) {
        struct ast name = {.kind = AST_NAME, .pos = ast->pos, .end = ast->end, .text = ast->text};
        return bind_name(b, ast->text, ast->pos, false, &name, out);
    }
    struct value reference;
    if (bind_is_restricted(b)) return fail_restricted(b, ast->text, ast->pos);
    if (call->kid_count != 1)
        return bind_fail(b, call->pos, "BadArguments", "%.*s() takes one name", RF_FMT(call->text));
    RF_TRY(bind_constant(b, call->kids[0], TYPE_STRING, &reference));
    struct rf_err why = {0};
    enum rf_kind kind = catalog->other(catalog, call->text, reference.s, &other, &why);
    if (kind == RF_LIMIT || kind == RF_IO || kind == RF_CORRUPT) {
        if (b->err != NULL) *b->err = why;
        return kind;
    }
    if (kind != RF_OK) return bind_fail(b, call->pos, why.code, "%s", why.text);
    kind = bind_sources(b, other, ast->text, out);
    if (kind == RF_NOT_FOUND)
        return bind_fail(b, ast->pos, "UnknownTable", "there is no table '%.*s' in %.*s('%.*s')",
                         RF_FMT(ast->text), RF_FMT(call->text), RF_FMT(reference.s));
    return kind;
}

/* A function of the catalog whose table depends on the call's arguments. */
static enum rf_kind bind_catalog_call(struct binder *b, const struct ast *call, rf_str name,
                                      struct node **out)
{
    const struct catalog *catalog = b->exec->catalog;
    uint32_t count = call->kind == AST_CALL ? call->kid_count : 0;
    struct value *args = rf_arena_new(b->arena, struct value, count);
    struct source *source;
    struct rf_err why = {0};
    if (args == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < count; i++) {
        const struct ast *kid = call->kids[i];
        if (kid->kind == AST_NAMED) kid = kid->kids[0];
        RF_TRY(bind_constant(b, kid, TYPE_STRING, &args[i]));
    }
    enum rf_kind kind = catalog->call(catalog->call_ctx, name, args, count, &source, &why);
    if (kind == RF_INVALID || kind == RF_NOT_FOUND)
        return bind_fail(b, call->pos, why.code, "%s", why.text);
    if (kind == RF_OK && catalog->shows != NULL && !catalog->shows(catalog, source))
        return fail_unknown(b, name, call->pos);
    if (kind == RF_OK) return bind_source(b, catalog, source, out);
    if (b->err != NULL) *b->err = why;
    return kind;
}

static enum rf_kind bind_name(struct binder *b, rf_str name, uint32_t pos, bool tables_only,
                              const struct ast *call, struct node **out)
{
    enum rf_kind kind = RF_OK;
    struct scope *s = tables_only ? NULL : function_find(b, name, &kind);
    RF_TRY(kind);
    if (s != NULL) {
        switch (s->kind) {
        case BINDING_TABLE:
            return bind_in_env(b, s, out);
        case BINDING_SHARED:
            return bind_shared_use(b, s->shared, out);
        case BINDING_LAMBDA:
            return bind_lambda_table(b, s, call, NULL, out);
        case BINDING_PATTERN:
            return bind_pattern_use(b, s, call, RF_S(""), out);
        case BINDING_SCALAR:
        case BINDING_RESTRICTION:
        case BINDING_GROUP:
        case BINDING_ENTITY:
            return bind_fail(b, pos, "NotTable", "'%.*s' is a %s; a table is needed here",
                             RF_FMT(name),
                             s->kind == BINDING_SCALAR ? "scalar" : "group or database");
        }
    }
    if (!bind_allows(b, name)) return fail_restricted(b, name, pos);
    if (!tables_only && catalog_calls(b->exec->catalog, name))
        return bind_catalog_call(b, call, name, out);
    kind = bind_sources(b, b->exec->catalog, name, out);
    return kind == RF_NOT_FOUND ? fail_unknown(b, name, pos) : kind;
}

/* The names of the tables that match, each once: those of the catalog, then those only beside it. */
static enum rf_kind tables_like(struct binder *b, rf_str pattern, rf_str **out, uint32_t *count)
{
    const struct catalog *catalog = b->exec->catalog;
    uint32_t n = 0, cap = catalog == NULL ? 0 : catalog->source_count;
    uint32_t besides = catalog == NULL ? 0 : catalog->beside_count;
    for (uint32_t i = 0; i < besides; i++) cap += catalog->beside[i]->source_count;
    rf_str *list = rf_arena_new(b->arena, rf_str, cap);
    if (list == NULL) return BIND_NOMEM(b);
    for (uint32_t k = 0; catalog != NULL && k <= besides; k++) {
        const struct catalog *in = k == 0 ? catalog : catalog->beside[k - 1];
        uint32_t before = n;
        for (uint32_t i = 0; i < in->source_count; i++) {
            rf_str name = in->sources[i]->name;
            if (!name_matches(pattern, name) || !bind_allows(b, name)) continue;
            if (in->shows != NULL && !in->shows(in, in->sources[i])) continue;
            uint32_t seen = 0;
            while (seen < before && !rf_str_eq(list[seen], name)) seen++;
            if (seen == before) list[n++] = name;
        }
    }
    *out = list;
    *count = n;
    return RF_OK;
}

enum rf_kind bind_tables_like(struct binder *b, rf_str pattern, struct node ***out, rf_str **names,
                              uint32_t *count)
{
    rf_str *tables;
    uint32_t n = 0, cap;
    RF_TRY(tables_like(b, pattern, &tables, &cap));
    uint32_t table_count = cap;
    for (struct scope *s = b->scope; s != NULL; s = s->next) cap++;
    struct node **nodes = rf_arena_new(b->arena, struct node *, cap);
    rf_str *list = rf_arena_new(b->arena, rf_str, cap);
    if (nodes == NULL || list == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < table_count; i++) {
        RF_TRY(bind_sources(b, b->exec->catalog, tables[i], &nodes[n]));
        list[n++] = tables[i];
    }
    struct ast call = {.kind = AST_NAME};
    for (struct scope *s = b->scope; s != NULL; s = s->next) {
        if (!s->view || !name_matches(pattern, s->name)) continue;
        RF_TRY(bind_lambda_table(b, s, &call, NULL, &nodes[n]));
        list[n++] = s->name;
    }
    *out = nodes;
    *names = list;
    *count = n;
    return RF_OK;
}

/* ---- calls ------------------------------------------------------------------------------------------ */

/* materialize(T): the place in the text and the scope say which one it is, so that two uses of a let share it. */
struct materialized {
    struct materialized *next;
    const struct ast *ast;
    struct scope *scope;
    struct shared *shared;
};

static enum rf_kind bind_materialize(struct binder *b, const struct ast *ast, struct node **out)
{
    for (struct materialized *m = b->materialized; m != NULL; m = m->next)
        if (m->ast == ast && m->scope == b->scope) return bind_shared_use(b, m->shared, out);
    struct node *input;
    if (ast->kid_count != 1)
        return bind_fail(b, ast->pos, "BadArguments", "materialize takes one table");
    struct scope *scope = b->scope;
    RF_TRY(bind_table(b, ast->kids[0], &input));
    struct materialized *m = rf_arena_zalloc(b->arena, sizeof *m);
    struct shared *shared = shared_new(b, input);
    if (m == NULL || shared == NULL) return BIND_NOMEM(b);
    *m = (struct materialized){
        .next = b->materialized, .ast = ast, .scope = scope, .shared = shared};
    b->materialized = m;
    return bind_shared_use(b, shared, out);
}

static enum rf_kind bind_table_call(struct binder *b, const struct ast *ast, struct node **out)
{
    enum rf_kind kind = RF_OK;
    struct scope *f = function_find(b, ast->text, &kind);
    RF_TRY(kind);
    if (f != NULL && f->kind == BINDING_LAMBDA) return bind_lambda_table(b, f, ast, NULL, out);
    if (f != NULL && f->kind == BINDING_PATTERN) return bind_pattern_use(b, f, ast, RF_S(""), out);
    if (rf_str_is(ast->text, "materialize")) return bind_materialize(b, ast, out);
    if (rf_str_is(ast->text, "totable") && ast->kid_count == 1)
        return bind_table(b, ast->kids[0], out);
    if (rf_str_is(ast->text, "table") || rf_str_is(ast->text, "materialized_view") ||
        rf_str_is(ast->text, "external_table")) {
        struct value name;
        if (ast->kid_count < 1)
            return bind_fail(b, ast->pos, "BadArguments", "table() takes a table's name");
        RF_TRY(bind_constant(b, ast->kids[0], TYPE_STRING, &name));
        RF_TRY(kind);
        if (catalog_find(b->exec->catalog, name.s) != NULL)
            return bind_name(b, name.s, ast->pos, true, ast, out);
        return bind_name(b, name.s, ast->pos, false, ast, out);
    }
    if (f == NULL && !bind_allows(b, ast->text)) return fail_restricted(b, ast->text, ast->pos);
    if (f == NULL && catalog_calls(b->exec->catalog, ast->text))
        return bind_catalog_call(b, ast, ast->text, out);
    return fail_unknown(b, ast->text, ast->pos);
}

static enum rf_kind bind_operators(struct binder *b, const struct ast *pipe, uint32_t from,
                                   struct node *node, struct node **out)
{
    uint32_t below = b->below;
    for (uint32_t i = from; i < pipe->kid_count; i++) {
        const struct ast *op = pipe->kids[i];
        if (node == NULL && !op->op->source)
            return bind_fail(b, op->pos, "NoInput", "'%s' needs a table before it", op->op->name);
        if (node != NULL && op->op->source &&
            (rf_str_is(op->text, "print") || rf_str_is(op->text, "range")))
            return bind_fail(b, op->pos, "SyntaxError", "'%s' begins a query; it cannot follow '|'",
                             op->op->name);
        b->below = node == NULL ? 0 : node->depth;
        RF_TRY(bind_steps(b, STEPS_TABLE, op->pos));
        RF_TRY(op->op->bind(b, op, node, &node));
        node->depth =
            b->below + 1; /* tables and sub-queries that the operator bound are below as well */
        RF_TRY(bind_below(b, node->depth, op->pos));
    }
    b->below = RF_MAX(below, node->depth);
    *out = node;
    return RF_OK;
}

/* A scalar's surroundings do not reach into a table. */
enum rf_kind bind_table(struct binder *b, const struct ast *ast, struct node **out)
{
    struct row_scope rows = b->rows;
    struct aggr_list *aggrs = b->aggrs;
    struct window_list *windows = b->windows;
    struct scope *scope = b->scope;
    bool keep_names = b->keep_names;
    b->keep_names = false;
    if (++b->depth > TABLE_DEPTH_MAX)
        return parse_fail_at(b->text, ast->pos, b->err, RF_LIMIT, "TooDeep",
                             "tables nest deeper than %d levels, functions' bodies included",
                             TABLE_DEPTH_MAX);
    RF_TRY(bind_steps(b, STEPS_TABLE, ast->pos));
    b->rows = (struct row_scope){0};
    b->aggrs = NULL;
    b->windows = NULL;
    enum rf_kind kind;
    struct node *node = NULL;
    switch (ast->kind) {
    case AST_NAME:
        kind = bind_name(b, ast->text, ast->pos, false, ast, out);
        break;
    case AST_MEMBER:
        kind = bind_member(b, ast, out);
        break;
    case AST_CALL:
        kind = bind_table_call(b, ast, out);
        break;
    case AST_DATATABLE:
        kind = bind_datatable(b, ast, out);
        break;
    case AST_EXTERNALDATA:
        kind = bind_externaldata(b, ast, out);
        break;
    case AST_PIPE:
        kind = ast->kids[0] == NULL ? RF_OK : bind_table(b, ast->kids[0], &node);
        if (kind == RF_OK) kind = bind_operators(b, ast, 1, node, out);
        break;
    default:
        kind = bind_fail(b, ast->pos, "NotTable", "a table is needed here");
        break;
    }
    if (kind == RF_OK) kind = bind_below(b, (*out)->depth, ast->pos);
    b->depth--;
    b->rows = rows;
    b->aggrs = aggrs;
    b->windows = windows;
    if (!keep_names) b->scope = scope; /* names of `as` end with the pipe that they stand in */
    return kind;
}

enum rf_kind bind_sub_pipe(struct binder *b, const struct ast *pipe, struct node *input,
                           struct node **out)
{
    RF_ASSERT(pipe->kind == AST_PIPE);
    struct row_scope rows = b->rows;
    b->rows = (struct row_scope){0};
    enum rf_kind kind = bind_operators(b, pipe, 1, input, out);
    b->rows = rows;
    return kind;
}

/* ---- datatable ---------------------------------------------------------------------------------------- */

struct rows_node {
    struct node node;
    struct rows *rows;
};

static enum rf_kind rows_run(struct node *node, struct exec *exec, struct flow *out,
                             struct rf_err *err)
{
    return rows_push(((struct rows_node *)node)->rows, exec, out, err);
}

static const struct node_ops rows_ops = {.name = "rows", .run = rows_run};

enum rf_kind rows_node_new(struct binder *b, const struct schema *schema, struct rows *rows,
                           struct node **out)
{
    struct rows_node *n = node_new(b, sizeof *n, &rows_ops, NULL);
    if (n == NULL) return BIND_NOMEM(b);
    n->rows = rows;
    n->node.schema = *schema;
    *out = &n->node;
    return RF_OK;
}

enum rf_kind bind_datatable(struct binder *b, const struct ast *ast, struct node **out)
{
    uint32_t width = ast->column_count;
    struct schema_builder sb = {.b = b};
    if (width == 0)
        return bind_fail(b, ast->pos, "NoColumns",
                         "a datatable needs columns: datatable(name:type, ...) [...]");
    if (ast->kid_count % width != 0)
        return bind_fail(b, ast->pos, "BadDatatable", "%u values do not fill rows of %u columns",
                         ast->kid_count, width);
    uint8_t *types = rf_arena_new(b->arena, uint8_t, width);
    struct vec *columns = rf_arena_new(b->arena, struct vec, width);
    if (types == NULL || columns == NULL) return BIND_NOMEM(b);
    for (uint32_t c = 0; c < width; c++) {
        types[c] = ast->columns[c].type;
        if (!schema_add(&sb, ast->columns[c].name, types[c], bind_new_id(b))) return BIND_NOMEM(b);
    }
    struct rows *rows = rows_new(b->arena, types, width);
    if (rows == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < ast->kid_count; i += width) {
        struct batch batch = {
            .row_count = 1, .column_count = width, .columns = columns, .arena = b->arena};
        for (uint32_t c = 0; c < width; c++) {
            struct value v;
            RF_TRY(bind_constant(b, ast->kids[i + c], types[c], &v));
            if (!vec_const(b->arena, &v, &columns[c])) return BIND_NOMEM(b);
        }
        if (!rows_append(rows, &batch)) return BIND_NOMEM(b);
    }
    return rows_node_new(b, &sb.schema, rows, out);
}
