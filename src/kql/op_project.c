/* op_project.c - extend and the project family: all are one node that computes its output columns. */

#include "kql/bind_int.h"
#include "kql/op.h"
#include "value/dyn.h"
#include "value/text.h"

struct project_node {
    struct node node;
    struct expr **exprs; /* one per output column */
};

struct project_lane {
    struct eval *eval;
    struct rf_arena arena;
};
struct project_flow {
    struct flow flow;
    struct exec *exec;
    uint32_t count;
    struct project_lane *lanes;
};

static enum rf_kind project_push(struct flow *flow, uint32_t lane, const struct batch *in,
                                 struct rf_err *err)
{
    struct project_flow *f = (struct project_flow *)flow;
    struct batch batch = {.row_count = in->row_count, .column_count = f->count, .arena = in->arena};
    batch.columns = rf_arena_raw(in->arena, struct vec, f->count);
    if (batch.columns == NULL) return rf_fail_memory(err, in->arena);
    RF_TRY(eval_run(f->lanes[lane].eval, in, batch.columns, err));
    return flow_push(f->exec, flow->next, lane, &batch, err);
}

static enum rf_kind project_run(struct node *node, struct exec *exec, struct flow *out,
                                struct rf_err *err)
{
    struct project_node *p = (struct project_node *)node;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    struct project_flow f = {
        .flow = {.push = project_push, .next = out}, .exec = exec, .count = node->schema.count};
    f.lanes = rf_arena_new(&arena, struct project_lane, exec->lane_count);
    if (f.lanes == NULL) return rf_fail_memory(err, &arena);
    enum rf_kind kind = RF_OK;
    for (uint32_t l = 0; l < exec->lane_count; l++)
        rf_arena_init_shared(&f.lanes[l].arena, exec->budget);
    for (uint32_t l = 0; l < exec->lane_count && kind == RF_OK; l++)
        kind = eval_new(exec, &f.lanes[l].arena, p->exprs, node->schema.count,
                        &node->inputs[0]->schema, &f.lanes[l].eval, err);
    if (kind == RF_OK) kind = node_run(node->inputs[0], exec, &f.flow, err);
    for (uint32_t l = 0; l < exec->lane_count; l++) {
        eval_done(f.lanes[l].eval);
        rf_arena_done(&f.lanes[l].arena);
    }
    return kind;
}

static void project_prune(struct node *node, struct id_set *need)
{
    struct project_node *p = (struct project_node *)node;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->schema.count; i++) {
        if (!id_set_has(need, node->schema.columns[i].id)) continue;
        node->schema.columns[kept] = node->schema.columns[i];
        p->exprs[kept++] = p->exprs[i];
    }
    node->schema.count = kept;
    for (uint32_t i = 0; i < kept; i++) id_set_add_expr(need, p->exprs[i]);
    node_prune(node->inputs[0], need);
}

static void project_explain(const struct node *node, struct rf_buf *buf)
{
    const struct project_node *p = (const struct project_node *)node;
    bool first = true;
    for (uint32_t i = 0; i < node->schema.count; i++) {
        if (p->exprs[i]->kind == EXPR_COLUMN) continue;
        rf_buf_printf(buf, "%s#%u = ", first ? "" : ", ", node->schema.columns[i].id);
        expr_explain(p->exprs[i], buf);
        first = false;
    }
}

static const struct expr *project_column_expr(const struct node *node, uint32_t id)
{
    int at = schema_find_id(&node->schema, id);
    return at < 0 ? NULL : ((const struct project_node *)node)->exprs[at];
}

static bool project_pass_column(struct node *node, const struct column *column,
                                struct rf_arena *arena)
{
    struct project_node *p = (struct project_node *)node;
    uint32_t n = node->schema.count;
    struct expr *pass = rf_arena_new(arena, struct expr, 1);
    struct expr **exprs = rf_arena_new(arena, struct expr *, (size_t)n + 1);
    struct column *columns = rf_arena_new(arena, struct column, (size_t)n + 1);
    if (pass == NULL || exprs == NULL || columns == NULL) return false;
    if (n > 0) memcpy(exprs, p->exprs, n * sizeof *exprs);
    if (n > 0) memcpy(columns, node->schema.columns, n * sizeof *columns);
    *pass = (struct expr){.kind = EXPR_COLUMN, .type = column->type, .column_id = column->id};
    exprs[n] = pass;
    columns[n] = *column;
    p->exprs = exprs;
    node->schema.columns = columns;
    node->schema.count = n + 1;
    return true;
}

static const struct node_ops project_ops = {.name = "project",
                                            .run = project_run,
                                            .prune = project_prune,
                                            .explain = project_explain,
                                            .reads_paths = true,
                                            .column_expr = project_column_expr,
                                            .pass_column = project_pass_column,
                                            .by_rows = true};

enum rf_kind project_node_new(struct binder *b, struct expr **exprs, const struct schema *schema,
                              struct node *input, struct node **out)
{
    struct project_node *p = node_new(b, sizeof *p, &project_ops, input);
    if (p == NULL) return BIND_NOMEM(b);
    p->exprs = exprs;
    p->node.schema = *schema;
    *out = &p->node;
    return RF_OK;
}

/* ---- collecting output columns -------------------------------------------------------------------- */

struct output {
    struct binder *b;
    struct schema_builder sb;
    struct expr **exprs;
    uint32_t cap;
};

static enum rf_kind output_add(struct output *o, rf_str name, struct expr *e, uint32_t id,
                               bool unique)
{
    if (o->sb.schema.count == o->cap) {
        uint32_t cap = o->cap == 0 ? 16 : o->cap * 2;
        struct expr **grown =
            rf_arena_grow(o->b->arena, o->exprs, o->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return BIND_NOMEM(o->b);
        o->exprs = grown;
        o->cap = cap;
    }
    o->exprs[o->sb.schema.count] = e;
    if (!(unique ? schema_add(&o->sb, name, e->type, id)
                 : schema_add_exact(&o->sb, name, e->type, id)))
        return BIND_NOMEM(o->b);
    return RF_OK;
}

/* A column of the input under its own id, so that nothing needs renumbering. */
static enum rf_kind output_pass(struct output *o, const struct column *column, rf_str name)
{
    struct expr *e = expr_column(o->b, column, 0);
    if (e == NULL) return BIND_NOMEM(o->b);
    if (rf_str_eq(name, column->name) && schema_find_id(&o->sb.schema, column->id) < 0)
        return output_add(o, name, e, column->id, true);
    return output_add(o, name, e, bind_new_id(o->b), true);
}

/* Puts `e` where a column of that name stands, or at the end. */
static enum rf_kind output_set(struct output *o, rf_str name, struct expr *e)
{
    int at = schema_find(&o->sb.schema, name);
    if (at < 0) return output_add(o, name, e, bind_new_id(o->b), false);
    o->exprs[at] = e;
    o->sb.schema.columns[at].type = e->type;
    o->sb.schema.columns[at].id = bind_new_id(o->b);
    return RF_OK;
}

/* Element `index` of a tuple's array in its own type. */
static enum rf_kind tuple_item(struct binder *b, struct expr *tuple, uint32_t index,
                               struct expr **out)
{
    struct value at = value_long(index);
    struct expr *args[2] = {tuple, expr_const(b, &at, tuple->pos)};
    if (args[1] == NULL) return BIND_NOMEM(b);
    RF_TRY(bind_call(b, tuple->pos, RF_S("_index"), args, 2, out));
    return bind_cast(b, *out, tuple->tuple_types[index], out);
}

/* The default name of a tuple's column: function_column_suffix, as series_stats_x_min; a suffix that begins with '_'
 * stands behind the name of the argument in its place, as a_sorted, b_sorted. */
static rf_str tuple_name(struct binder *b, const struct ast *ast, const struct expr *e,
                         uint32_t index)
{
    const struct ast *call = ast->kind == AST_NAMED ? ast->kids[0] : ast;
    rf_str suffix = e->tuple_names == NULL ? (rf_str){NULL, 0} : e->tuple_names[index];
    if (suffix.ptr == NULL || call->kind != AST_CALL) return (rf_str){NULL, 0};
    bool own = suffix.len > 0 && suffix.ptr[0] == '_';
    uint32_t argument = own ? index : 0;
    rf_str column =
        argument < call->kid_count ? ast_default_name(b, call->kids[argument]) : RF_S("");
    if (own)
        return column.len == 0
                   ? (rf_str){NULL, 0}
                   : rf_arena_printf(b->arena, "%.*s%.*s", RF_FMT(column), RF_FMT(suffix));
    return rf_arena_printf(b->arena, "%s_%.*s_%.*s", e->func->name, RF_FMT(column), RF_FMT(suffix));
}

typedef enum rf_kind put_fn(struct output *o, rf_str name, struct expr *e);
static enum rf_kind output_append(struct output *o, rf_str name, struct expr *e)
{
    return output_add(o, name, e, bind_new_id(o->b), true);
}

/* One item of extend or project: name = expr, (a, b) = tuple, expr. Columns of a tuple for which there are no names
 * left have their default names. */
static enum rf_kind put_item(struct output *o, const struct ast *ast, struct expr *e,
                             const struct schema *rows, put_fn *put)
{
    struct binder *b = o->b;
    bool named = ast->kind == AST_NAMED;
    if (e->kind == EXPR_CALL && e->tuple_count > 0 &&
        !(named && ast->name_count == 1 && e->tuple_count == 1)) {
        for (uint32_t i = 0; i < e->tuple_count; i++) {
            struct expr *item;
            bool given = named && i < ast->name_count;
            rf_str name = given ? ast->names[i] : tuple_name(b, ast, e, i);
            if (named && name.ptr == NULL) break;
            RF_TRY(tuple_item(b, e, i, &item));
            if (name.ptr == NULL) name = bind_unnamed(b, ast, i, rows);
            RF_TRY(put(o, name, item));
        }
        return RF_OK;
    }
    if (named && ast->name_count > 1)
        return bind_fail(b, ast->pos, "NotATuple", "%u names are given for one value",
                         ast->name_count);
    rf_str name = ast_default_name(b, ast);
    if (name.len == 0) name = bind_unnamed(b, ast, 0, rows);
    return put(o, name, e);
}

/* ---- extend, project, print-like lists --------------------------------------------------------------- */

struct list_body {
    struct ast **items;
    uint32_t count;
};

static enum rf_kind list_parse(struct parser *p, struct ast *node)
{
    struct list_body *body = rf_arena_new(p->arena, struct list_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    return parse_named_list(p, &body->items, &body->count);
}

/* The items' expressions over *input; where they use window functions, *input becomes the node that computes these. */
static enum rf_kind bind_items(struct binder *b, const struct list_body *body, struct node **input,
                               struct expr ***out)
{
    struct schema before = (*input)->schema;
    struct expr **exprs = rf_arena_new(b->arena, struct expr *, body->count);
    if (exprs == NULL) return BIND_NOMEM(b);
    struct window_list *windows = bind_windows_begin(b);
    for (uint32_t i = 0; i < body->count; i++) {
        const struct ast *item = body->items[i];
        RF_TRY(bind_scalar(b, item->kind == AST_NAMED ? item->kids[0] : item, &before, &exprs[i]));
    }
    *out = exprs;
    return bind_windows_end(b, windows, input);
}

static enum rf_kind extend_bind(struct binder *b, const struct ast *node, struct node *input,
                                struct node **out)
{
    const struct list_body *body = node->body;
    struct output o = {.b = b, .sb = {.b = b}};
    struct schema before = input->schema;
    struct expr **exprs;
    RF_TRY(bind_items(b, body, &input, &exprs));
    for (uint32_t i = 0; i < before.count; i++)
        RF_TRY(output_pass(&o, &before.columns[i], before.columns[i].name));
    enum rf_kind kind = RF_OK;
    b->naming_rows = &before;
    for (uint32_t i = 0; i < body->count && kind == RF_OK; i++)
        kind = put_item(&o, body->items[i], exprs[i], &before, output_set);
    b->naming_rows = NULL;
    RF_TRY(kind);
    o.sb.schema.open = before.open;
    return project_node_new(b, o.exprs, &o.sb.schema, input, out);
}

static enum rf_kind project_bind(struct binder *b, const struct ast *node, struct node *input,
                                 struct node **out)
{
    const struct list_body *body = node->body;
    struct output o = {.b = b, .sb = {.b = b}};
    struct expr **exprs;
    RF_TRY(bind_items(b, body, &input, &exprs));
    for (uint32_t i = 0; i < body->count; i++) {
        const struct ast *item = body->items[i];
        if (exprs[i]->kind == EXPR_COLUMN && item->kind == AST_NAME) {
            struct column column = {
                .name = item->text, .id = exprs[i]->column_id, .type = exprs[i]->type};
            RF_TRY(output_pass(&o, &column, item->text));
            continue;
        }
        b->naming_rows = &input->schema;
        enum rf_kind kind = put_item(&o, item, exprs[i], NULL, output_append);
        b->naming_rows = NULL;
        RF_TRY(kind);
    }
    return project_node_new(b, o.exprs, &o.sb.schema, input, out);
}

enum rf_kind extend_node_new(struct binder *b, struct expr **exprs, const struct column *columns,
                             uint32_t count, struct node *input, struct node **out)
{
    struct output o = {.b = b, .sb = {.b = b}};
    for (uint32_t i = 0; i < input->schema.count; i++)
        RF_TRY(output_pass(&o, &input->schema.columns[i], input->schema.columns[i].name));
    for (uint32_t i = 0; i < count; i++)
        RF_TRY(output_add(&o, columns[i].name, exprs[i], columns[i].id, false));
    o.sb.schema.open = input->schema.open;
    return project_node_new(b, o.exprs, &o.sb.schema, input, out);
}

/* ---- project-away, project-keep, project-reorder, project-rename ------------------------------------------- */

static enum rf_kind patterns_parse(struct parser *p, struct ast *node)
{
    struct list_body *body = rf_arena_new(p->arena, struct list_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    do {
        struct ast *item;
        RF_TRY(parse_name_pattern(p, &item));
        static const char *const orders[] = {"asc", "desc", "granny-asc", "granny-desc"};
        if (parse_accept(p, "granny")) {
            RF_TRY(parse_expect(p, "-"));
            item->value =
                value_str(parse_is(p, 0, "asc") ? RF_S("granny-asc") : RF_S("granny-desc"));
            p->at++;
        }
        for (size_t i = 0; i < 2; i++)
            if (parse_accept(p, orders[i])) item->value = value_str(rf_str_of(orders[i]));
        if (!ast_list_add(p, &body->items, &body->count, item)) return PARSE_NOMEM(p);
    } while (parse_accept(p, ","));
    return RF_OK;
}

/* True when one of the patterns names the column. A plain name must exist. */
static enum rf_kind match_patterns(struct binder *b, const struct list_body *body,
                                   const struct schema *schema, bool *match)
{
    for (uint32_t i = 0; i < body->count; i++) {
        const struct ast *item = body->items[i];
        struct column *column;
        if (item->kind == AST_NAME) {
            if (bind_may_lack(b, schema) && schema_find(schema, item->text) < 0) continue;
            RF_TRY(bind_column(b, schema, item->text, item->pos, &column));
            match[column - schema->columns] = true;
            continue;
        }
        for (uint32_t c = 0; c < schema->count; c++)
            if (name_matches(item->text, schema->columns[c].name)) match[c] = true;
    }
    return RF_OK;
}

static enum rf_kind keep_columns(struct binder *b, const struct ast *node, struct node *input,
                                 bool keep, struct node **out)
{
    struct output o = {.b = b, .sb = {.b = b}};
    const struct schema *schema = &input->schema;
    bool *match = rf_arena_new(b->arena, bool, schema->count);
    if (match == NULL) return BIND_NOMEM(b);
    RF_TRY(match_patterns(b, node->body, schema, match));
    for (uint32_t i = 0; i < schema->count; i++)
        if (match[i] == keep) RF_TRY(output_pass(&o, &schema->columns[i], schema->columns[i].name));
    o.sb.schema.open = schema->open;
    return project_node_new(b, o.exprs, &o.sb.schema, input, out);
}
static enum rf_kind away_bind(struct binder *b, const struct ast *node, struct node *input,
                              struct node **out)
{
    return keep_columns(b, node, input, false, out);
}
static enum rf_kind keep_bind(struct binder *b, const struct ast *node, struct node *input,
                              struct node **out)
{
    return keep_columns(b, node, input, true, out);
}

/* granny order: runs of digits compare as numbers. */
static int granny_cmp(rf_str a, rf_str b)
{
    size_t i = 0, j = 0;
    while (i < a.len && j < b.len) {
        if (rf_is_digit(a.ptr[i]) && rf_is_digit(b.ptr[j])) {
            size_t x = i, y = j;
            while (x < a.len && rf_is_digit(a.ptr[x])) x++;
            while (y < b.len && rf_is_digit(b.ptr[y])) y++;
            int64_t m = 0, n = 0;
            if (text_to_long(rf_slice(a, i, x), &m) && text_to_long(rf_slice(b, j, y), &n) &&
                m != n)
                return m < n ? -1 : 1;
            i = x;
            j = y;
        } else {
            if (a.ptr[i] != b.ptr[j]) return a.ptr[i] < b.ptr[j] ? -1 : 1;
            i++;
            j++;
        }
    }
    return (int)(a.len - i > 0) - (int)(b.len - j > 0);
}

static void sort_names(struct column *columns, uint32_t count, rf_str order)
{
    bool granny = rf_str_starts(order, RF_S("granny")),
         descending = rf_str_ends(order, RF_S("desc"));
    for (uint32_t i = 1; i < count; i++) /* few columns: insertion keeps it stable */
        for (uint32_t j = i; j > 0; j--) {
            int c = granny ? granny_cmp(columns[j - 1].name, columns[j].name)
                           : rf_str_cmp(columns[j - 1].name, columns[j].name);
            if (descending ? c >= 0 : c <= 0) break;
            struct column swap = columns[j];
            columns[j] = columns[j - 1];
            columns[j - 1] = swap;
        }
}

static enum rf_kind reorder_bind(struct binder *b, const struct ast *node, struct node *input,
                                 struct node **out)
{
    const struct list_body *body = node->body;
    const struct schema *schema = &input->schema;
    struct output o = {.b = b, .sb = {.b = b}};
    bool *taken = rf_arena_new(b->arena, bool, schema->count);
    struct column *group = rf_arena_new(b->arena, struct column, schema->count);
    if (taken == NULL || group == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < body->count;
         i++) { /* plain names go before patterns that would take them too */
        struct column *column;
        if (body->items[i]->kind != AST_NAME) continue;
        if (!schema->open && schema_find(schema, body->items[i]->text) < 0)
            RF_TRY(bind_column(b, schema, body->items[i]->text, body->items[i]->pos, &column));
    }
    for (uint32_t i = 0; i < body->count; i++) {
        const struct ast *item = body->items[i];
        uint32_t n = 0;
        for (uint32_t c = 0; c < schema->count; c++) {
            bool hit = item->kind == AST_NAME ? rf_str_eq(item->text, schema->columns[c].name)
                                              : name_matches(item->text, schema->columns[c].name);
            for (uint32_t later = 0; later < body->count && hit && item->kind != AST_NAME; later++)
                if (body->items[later]->kind == AST_NAME &&
                    rf_str_eq(body->items[later]->text, schema->columns[c].name))
                    hit = false;
            if (!hit || taken[c]) continue;
            taken[c] = true;
            group[n++] = schema->columns[c];
        }
        if (item->value.type == TYPE_STRING && item->value.s.len > 0)
            sort_names(group, n, item->value.s);
        for (uint32_t g = 0; g < n; g++) RF_TRY(output_pass(&o, &group[g], group[g].name));
    }
    for (uint32_t c = 0; c < schema->count; c++)
        if (!taken[c]) RF_TRY(output_pass(&o, &schema->columns[c], schema->columns[c].name));
    o.sb.schema.open = schema->open;
    return project_node_new(b, o.exprs, &o.sb.schema, input, out);
}

static enum rf_kind rename_bind(struct binder *b, const struct ast *node, struct node *input,
                                struct node **out)
{
    const struct list_body *body = node->body;
    const struct schema *schema = &input->schema;
    struct output o = {.b = b, .sb = {.b = b}};
    rf_str *names = rf_arena_new(b->arena, rf_str, schema->count);
    if (names == NULL) return BIND_NOMEM(b);
    for (uint32_t c = 0; c < schema->count; c++) names[c] = schema->columns[c].name;
    for (uint32_t i = 0; i < body->count; i++) {
        const struct ast *item = body->items[i];
        struct column *column;
        if (schema->open && item->kind == AST_NAMED && schema_find(schema, item->kids[0]->text) < 0)
            continue;
        if (item->kind != AST_NAMED || item->kids[0]->kind != AST_NAME)
            return bind_fail(b, item->pos, "SyntaxError", "project-rename takes NewName = OldName");
        RF_TRY(bind_column(b, schema, item->kids[0]->text, item->kids[0]->pos, &column));
        names[column - schema->columns] = item->names[0];
    }
    for (uint32_t c = 0; c < schema->count; c++) { /* the same ids: only the names change */
        struct expr *e = expr_column(b, &schema->columns[c], 0);
        if (e == NULL) return BIND_NOMEM(b);
        RF_TRY(output_add(&o, names[c], e, schema->columns[c].id, true));
    }
    o.sb.schema.open = schema->open;
    return project_node_new(b, o.exprs, &o.sb.schema, input, out);
}

/* ---- print ---------------------------------------------------------------------------------------------------- */

static enum rf_kind print_bind(struct binder *b, const struct ast *node, struct node *input,
                               struct node **out)
{
    const struct list_body *body = node->body;
    struct output o = {.b = b, .sb = {.b = b}};
    static const struct schema none = {0};
    (void)input;
    struct rows *rows = rows_new(b->arena, NULL, 0);
    struct batch one = {.row_count = 1, .arena = b->arena};
    if (rows == NULL || !rows_append(rows, &one)) return BIND_NOMEM(b);
    struct node *single;
    RF_TRY(rows_node_new(b, &none, rows, &single));
    for (uint32_t i = 0; i < body->count; i++) {
        const struct ast *item = body->items[i];
        struct expr *e;
        RF_TRY(bind_scalar(b, item->kind == AST_NAMED ? item->kids[0] : item, &none, &e));
        if (e->kind == EXPR_CALL && e->tuple_count > 0) {
            RF_TRY(put_item(&o, item, e, NULL, output_append));
            continue;
        }
        rf_str name =
            item->kind == AST_NAMED ? item->names[0] : rf_arena_printf(b->arena, "print_%u", i);
        RF_TRY(output_append(&o, name, e));
    }
    return project_node_new(b, o.exprs, &o.sb.schema, single, out);
}

const struct operator op_extend = {
    .name = "extend",
    .doc = "Adds computed columns, or replaces columns of that name in place.",
    .syntax = "T | extend [Name =] Expression, ...",
    .parse = list_parse,
    .bind = extend_bind};
const struct operator op_project = {.name = "project",
                                    .doc =
                                        "Chooses, renames and computes the columns of the result.",
                                    .syntax = "T | project [Name =] Expression, ...",
                                    .parse = list_parse,
                                    .bind = project_bind};
const struct operator op_project_away = {.name = "project-away",
                                         .doc = "Drops columns; names may hold '*'.",
                                         .syntax = "T | project-away Name, Prefix*, ...",
                                         .parse = patterns_parse,
                                         .bind = away_bind};
const struct operator op_project_keep = {.name = "project-keep",
                                         .doc = "Keeps columns in their order; names may hold '*'.",
                                         .syntax = "T | project-keep Name, Prefix*, ...",
                                         .parse = patterns_parse,
                                         .bind = keep_bind};
const struct operator op_project_reorder = {
    .name = "project-reorder",
    .doc = "Puts the named columns first, the others behind them.",
    .syntax = "T | project-reorder Name [asc|desc|granny-asc|granny-desc], ...",
    .parse = patterns_parse,
    .bind = reorder_bind};
const struct operator op_project_rename = {.name = "project-rename",
                                           .doc = "Gives columns other names.",
                                           .syntax = "T | project-rename New = Old, ...",
                                           .parse = list_parse,
                                           .bind = rename_bind};
const struct operator op_print = {.name = "print",
                                  .doc = "One row of computed values.",
                                  .syntax = "print [Name =] Expression, ...",
                                  .source = true,
                                  .parse = list_parse,
                                  .bind = print_bind};
