/* op_union.c - union: the rows of several tables, those of the first before those of the second. Rows pass through; only
 * the columns' places change. Each table is read on all lanes that there are; between two of them whoever merges lanes is
 * told, so that a lane's rows of the second do not come before another lane's rows of the first. */
#include "kql/bind_int.h"
#include "kql/op.h"

/* One input: which of its columns makes which output column. */
struct part {
    struct node *node;
    rf_str name; /* what withsource says */
    uint32_t count;
    uint32_t *ids, *outs; /* column id, index in the union's columns as they were bound */
};
struct union_node {
    struct node node;
    struct part *parts;
    uint32_t part_count;
    uint32_t bound_count;
    uint32_t
        first_id; /* of the union's own columns as they were bound: first_id, first_id + 1 ... */
    bool with_source; /* column 0 holds the part's name */
};

struct union_flow {
    struct flow flow;
    struct exec *exec;
    const struct vec *fixed; /* per output column: null, or the part's name */
    const int *slots;        /* per output column: the part's column, or -1 */
    uint32_t width;
};

static enum rf_kind union_push(struct flow *flow, uint32_t lane, const struct batch *in,
                               struct rf_err *err)
{
    struct union_flow *f = (struct union_flow *)flow;
    struct batch batch = {.row_count = in->row_count,
                          .column_count = f->width,
                          .arena = in->arena,
                          .columns = rf_arena_raw(in->arena, struct vec, f->width)};
    if (batch.columns == NULL) return rf_fail_memory(err, in->arena);
    for (uint32_t c = 0; c < f->width; c++)
        batch.columns[c] = f->slots[c] >= 0 ? in->columns[f->slots[c]] : f->fixed[c];
    return flow_push(f->exec, flow->next, lane, &batch, err);
}

/* What stays the same for all parts. Ids of the union's own columns follow one another, so an id tells its column. */
struct union_layout {
    int *positions;    /* by bound column: where it stands now, or -1 when it was dropped */
    struct vec *fixed; /* by present column: nulls */
    int *slots;        /* by present column, filled anew for each part */
    int name_at;       /* where the part's name goes, or -1 */
};

static enum rf_kind layout_init(const struct union_node *u, struct rf_arena *arena,
                                struct union_layout *l, struct rf_err *err)
{
    const struct schema *schema = &u->node.schema;
    *l = (struct union_layout){.positions = rf_arena_raw(arena, int, u->bound_count),
                               .fixed = rf_arena_new(arena, struct vec, schema->count),
                               .slots = rf_arena_raw(arena, int, schema->count),
                               .name_at = -1};
    if (l->positions == NULL || l->fixed == NULL || l->slots == NULL)
        return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < u->bound_count; i++) l->positions[i] = -1;
    for (uint32_t c = 0; c < schema->count; c++) {
        struct value v = value_null((enum type)schema->columns[c].type);
        l->positions[schema->columns[c].id - u->first_id] = (int)c;
        if (!vec_const(arena, &v, &l->fixed[c])) return rf_fail_memory(err, arena);
    }
    if (u->with_source) l->name_at = l->positions[0];
    return RF_OK;
}

/* Dropping columns kept the order of the rest, so one pass over both lists finds them. */
static void part_slots(const struct union_node *u, const struct part *part,
                       const struct union_layout *l)
{
    const struct schema *now = &part->node->schema;
    uint32_t next = 0;
    for (uint32_t c = 0; c < u->node.schema.count; c++) l->slots[c] = -1;
    for (uint32_t at = 0; at < now->count; at++) {
        uint32_t i = next;
        while (i < part->count && part->ids[i] != now->columns[at].id) i++;
        if (i == part->count) continue; /* a column that the union leaves out (kind=inner) */
        next = i + 1;
        int position = l->positions[part->outs[i]];
        if (position >= 0) l->slots[position] = (int)at;
    }
}

static enum rf_kind union_run(struct node *node, struct exec *exec, struct flow *out,
                              struct rf_err *err)
{
    struct union_node *u = (struct union_node *)node;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    struct union_layout layout;
    RF_TRY(layout_init(u, &arena, &layout, err));
    for (uint32_t i = 0; i < u->part_count && !flow_done(out); i++) {
        struct value name = value_str(u->parts[i].name);
        part_slots(u, &u->parts[i], &layout);
        if (layout.name_at >= 0 && !vec_const(&arena, &name, &layout.fixed[layout.name_at]))
            return rf_fail_memory(err, &arena);
        struct union_flow f = {.flow = {.push = union_push, .next = out},
                               .exec = exec,
                               .fixed = layout.fixed,
                               .slots = layout.slots,
                               .width = node->schema.count};
        if (i > 0 && exec->lane_count > 1) RF_TRY(flow_round_end(out, err));
        RF_TRY(node_run(u->parts[i].node, exec, &f.flow, err));
    }
    return RF_OK;
}

static void union_prune(struct node *node, struct id_set *need)
{
    struct union_node *u = (struct union_node *)node;
    for (uint32_t p = 0; p < u->part_count; p++)
        for (uint32_t i = 0; i < u->parts[p].count; i++)
            if (id_set_has(need, u->first_id + u->parts[p].outs[i]))
                id_set_add(need, u->parts[p].ids[i]);
    uint32_t kept = 0;
    for (uint32_t c = 0; c < node->schema.count; c++)
        if (id_set_has(need, node->schema.columns[c].id))
            node->schema.columns[kept++] = node->schema.columns[c];
    node->schema.count = kept;
    for (uint32_t p = 0; p < u->part_count; p++) node_prune(u->parts[p].node, need);
}

static void union_explain(const struct node *node, struct rf_buf *buf)
{
    const struct union_node *u = (const struct union_node *)node;
    rf_buf_printf(buf, "of %u tables", u->part_count);
    for (uint32_t p = 0; p < u->part_count && p < 8; p++) {
        rf_buf_byte(buf, '\n');
        node_explain(u->parts[p].node, 6, buf);
    }
}

static const struct node_ops union_ops = {
    .name = "union", .run = union_run, .prune = union_prune, .explain = union_explain};

struct member {
    struct node *node;
    rf_str name;
};
struct members {
    struct member *items;
    uint32_t count, cap;
};

static bool add_member(struct binder *b, struct members *m, struct node *node, rf_str name)
{
    if (m->count == m->cap) {
        uint32_t cap = m->cap == 0 ? 8 : m->cap * 2;
        struct member *grown =
            rf_arena_grow(b->arena, m->items, m->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return false;
        m->items = grown;
        m->cap = cap;
    }
    m->items[m->count++] = (struct member){.node = node, .name = name};
    return true;
}

/* The output columns by name: few names have several types, so those of one name are chained. */
struct union_column {
    rf_str name;
    enum type type;
    uint32_t member_count; /* members that have it */
    uint32_t next;         /* same name, other type: index + 1 */
    bool first_of_name;
    bool settled; /* other types under its name are read as its own */
};
struct union_columns {
    struct union_column *items;
    uint32_t count;
    uint32_t *slots; /* by hash of the name: index + 1 of the first of that name */
    uint32_t mask;
};

static uint32_t *column_slot(struct union_columns *u, rf_str name)
{
    uint32_t at = (uint32_t)rf_hash(name.ptr, name.len, 0) & u->mask;
    while (u->slots[at] != 0 && !rf_str_eq(u->items[u->slots[at] - 1].name, name))
        at = (at + 1) & u->mask;
    return &u->slots[at];
}

/* Index of the output column for this name and type; made when it is new. A name that has come twice with one type before
 * another comes keeps that type: Microsoft's analyser says so, and rules that it accepts use the plain name. */
static uint32_t column_index(struct union_columns *u, rf_str name, enum type type)
{
    uint32_t *slot = column_slot(u, name), last = 0;
    for (uint32_t at = *slot; at != 0; at = u->items[at - 1].next) {
        if (u->items[at - 1].type == type) return at - 1;
        last = at;
    }
    if (last != 0 && last == *slot && u->items[last - 1].member_count > 1)
        u->items[last - 1].settled = true;
    if (last != 0 && u->items[last - 1].settled) return last - 1;
    u->items[u->count] = (struct union_column){.name = name, .type = type};
    if (last == 0)
        *slot = u->count + 1;
    else
        u->items[last - 1].next = u->count + 1;
    u->items[u->count].first_of_name = last == 0;
    return u->count++;
}

static enum rf_kind merge_schemas(struct binder *b, const struct members *m,
                                  struct union_columns *u)
{
    uint32_t cap = 16, slots = 64;
    for (uint32_t i = 0; i < m->count; i++) cap += m->items[i].node->schema.count;
    while (slots < 2 * cap) slots *= 2;
    u->items = rf_arena_raw(b->arena, struct union_column, cap);
    u->slots = rf_arena_new(b->arena, uint32_t, slots);
    u->mask = slots - 1;
    if (u->items == NULL || u->slots == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < m->count; i++) {
        const struct schema *schema = &m->items[i].node->schema;
        for (uint32_t c = 0; c < schema->count; c++)
            u->items[column_index(u, schema->columns[c].name, (enum type)schema->columns[c].type)]
                .member_count++;
    }
    return RF_OK;
}

/* A name of several types gets the type appended, and a number where a column is called like that. */
static rf_str shown_name(struct binder *b, struct union_columns *u, const struct union_column *c)
{
    if (c->first_of_name && c->next == 0) return c->name;
    rf_str typed = rf_arena_printf(b->arena, "%.*s_%s", RF_FMT(c->name), type_name(c->type)),
           name = typed;
    for (uint32_t n = 1; name.ptr != NULL && *column_slot(u, name) != 0; n++)
        name = rf_arena_printf(b->arena, "%.*s%u", RF_FMT(typed), n);
    return name;
}

/* A member with its columns in the types that the union gives them. A value that cannot be had in that type is null. */
static enum rf_kind fit_member(struct binder *b, struct union_columns *columns, struct node **node)
{
    const struct schema *schema = &(*node)->schema;
    struct schema_builder sb = {.b = b};
    bool fits = true;
    for (uint32_t c = 0; c < schema->count; c++) {
        const struct column *column = &schema->columns[c];
        uint32_t index = column_index(columns, column->name, (enum type)column->type);
        fits = fits && columns->items[index].type == (enum type)column->type;
    }
    if (fits) return RF_OK;
    struct expr **exprs = rf_arena_new(b->arena, struct expr *, schema->count);
    if (exprs == NULL) return BIND_NOMEM(b);
    for (uint32_t c = 0; c < schema->count; c++) {
        const struct column *column = &schema->columns[c];
        enum type type =
            columns->items[column_index(columns, column->name, (enum type)column->type)].type;
        exprs[c] = expr_column(b, column, 0);
        if (exprs[c] == NULL) return BIND_NOMEM(b);
        RF_TRY(bind_cast(b, exprs[c], type, &exprs[c]));
        if (!schema_add_exact(&sb, column->name, type, bind_new_id(b))) return BIND_NOMEM(b);
    }
    sb.schema.open = schema->open;
    return project_node_new(b, exprs, &sb.schema, *node, node);
}

static enum rf_kind union_node_new(struct binder *b, const struct members *m, bool inner,
                                   rf_str with_source, struct node **out)
{
    struct union_node *u = node_new(b, sizeof *u, &union_ops, NULL);
    struct union_columns columns = {0};
    struct schema_builder sb = {.b = b};
    if (u == NULL) return BIND_NOMEM(b);
    RF_TRY(merge_schemas(b, m, &columns));
    for (uint32_t i = 0; i < m->count; i++) RF_TRY(fit_member(b, &columns, &m->items[i].node));
    u->with_source = with_source.len > 0;
    u->parts = rf_arena_new(b->arena, struct part, m->count);
    u->first_id = b->next_id;
    uint32_t *out_index = rf_arena_raw(b->arena, uint32_t, columns.count + 1);
    if (u->parts == NULL || out_index == NULL) return BIND_NOMEM(b);
    if (u->with_source && !schema_add_exact(&sb, with_source, TYPE_STRING, bind_new_id(b)))
        return BIND_NOMEM(b);
    for (uint32_t first = 0; first < columns.count; first++) {
        if (!columns.items[first].first_of_name) continue;
        for (uint32_t at = first + 1; at != 0; at = columns.items[at - 1].next) {
            const struct union_column *column =
                &columns.items[at - 1]; /* those of one name side by side */
            out_index[at - 1] = UINT32_MAX;
            if (inner && column->member_count < m->count) continue;
            if (u->with_source && rf_str_eq(column->name, with_source)) continue;
            out_index[at - 1] = sb.schema.count;
            rf_str shown = shown_name(b, &columns, column);
            if (shown.ptr == NULL || !schema_add_exact(&sb, shown, column->type, bind_new_id(b)))
                return BIND_NOMEM(b);
        }
    }
    for (uint32_t i = 0; i < m->count; i++) {
        const struct schema *schema = &m->items[i].node->schema;
        struct part *part = &u->parts[i];
        *part = (struct part){.node = m->items[i].node,
                              .name = m->items[i].name,
                              .ids = rf_arena_raw(b->arena, uint32_t, schema->count),
                              .outs = rf_arena_raw(b->arena, uint32_t, schema->count)};
        if (part->ids == NULL || part->outs == NULL) return BIND_NOMEM(b);
        for (uint32_t c = 0; c < schema->count; c++) {
            uint32_t index = out_index[column_index(&columns, schema->columns[c].name,
                                                    (enum type)schema->columns[c].type)];
            if (index == UINT32_MAX) continue;
            part->ids[part->count] = schema->columns[c].id;
            part->outs[part->count++] = index;
        }
        sb.schema.open = sb.schema.open || schema->open;
    }
    u->part_count = m->count;
    u->bound_count = sb.schema.count;
    u->node.schema = sb.schema;
    *out = &u->node;
    return RF_OK;
}

enum rf_kind union_tables(struct binder *b, struct node *const *nodes, const rf_str *names,
                          uint32_t count, rf_str with_source, struct node **out)
{
    struct members m = {0};
    for (uint32_t i = 0; i < count; i++)
        if (!add_member(b, &m, nodes[i], names[i])) return BIND_NOMEM(b);
    return union_node_new(b, &m, false, with_source, out);
}

/* ---- text to node ------------------------------------------------------------------------------------ */

struct union_body {
    struct ast **tables;
    uint32_t count;
};

static const char *const union_params[] = {"kind",    "withsource", "with_source",
                                           "isfuzzy", "hint.*",     NULL};

static enum rf_kind union_parse(struct parser *p, struct ast *node)
{
    struct union_body *body = rf_arena_new(p->arena, struct union_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, union_params, node));
    do {
        struct ast *table;
        bool pattern =
            parse_is(p, 0, "*") || (parse_peek(p)->kind == TOKEN_NAME && parse_is(p, 1, "*") &&
                                    parse_peek_after(p, 1)->pos == parse_peek(p)->end);
        if (pattern)
            RF_TRY(parse_name_pattern(p, &table));
        else
            RF_TRY(parse_table(p, &table));
        if (!ast_list_add(p, &body->tables, &body->count, table)) return PARSE_NOMEM(p);
        RF_TRY(parse_params(p, union_params, node));
    } while (parse_accept(p, ","));
    return RF_OK;
}

/* What withsource calls a table. */
static rf_str member_name(struct binder *b, const struct ast *ast, uint32_t index)
{
    const struct ast *last = ast;
    if (ast->kind == AST_PIPE && ast->kid_count > 1) {
        const struct ast *op = ast->kids[ast->kid_count - 1];
        if (op->kind == AST_OPERATOR && rf_str_is(op->text, "as") && op->body != NULL)
            return *(const rf_str *)op->body;
    }
    if (last->kind == AST_NAME || last->kind == AST_MEMBER) return last->text;
    return rf_arena_printf(b->arena, "union_arg%u", index);
}

static enum rf_kind add_table(struct binder *b, struct members *m, const struct ast *ast,
                              bool fuzzy, uint32_t index)
{
    struct node *node, **nodes;
    rf_str *names;
    uint32_t count;
    if (ast->kind == AST_WILDCARD || ast->kind == AST_STAR) {
        RF_TRY(bind_tables_like(b, ast->kind == AST_STAR ? RF_S("*") : ast->text, &nodes, &names,
                                &count));
        for (uint32_t i = 0; i < count; i++)
            if (!add_member(b, m, nodes[i], names[i])) return BIND_NOMEM(b);
        if (count == 0 && !fuzzy)
            return bind_fail(b, ast->pos, "UnknownTable", "no table matches '%.*s'",
                             RF_FMT(ast->text));
        return RF_OK;
    }
    struct rf_err local = {0}, *err = b->err;
    uint32_t depth = b->depth;
    bool outer_fuzzy = b->fuzzy;
    struct window_list *windows = b->windows;
    if (fuzzy) b->err = &local;
    b->fuzzy = outer_fuzzy || fuzzy;
    enum rf_kind kind = bind_table(b, ast, &node);
    b->err = err;
    b->fuzzy = outer_fuzzy;
    b->windows = windows;
    if (fuzzy && kind == RF_INVALID && strcmp(local.code, "UnknownTable") == 0) {
        b->depth = depth;
        return RF_OK; /* a table that is not there is left out */
    }
    if (fuzzy && kind != RF_OK && err != NULL) *err = local;
    RF_TRY(kind);
    return add_member(b, m, node, member_name(b, ast, index)) ? RF_OK : BIND_NOMEM(b);
}

static enum rf_kind union_bind(struct binder *b, const struct ast *node, struct node *input,
                               struct node **out)
{
    const struct union_body *body = node->body;
    struct members m = {0};
    bool fuzzy = rf_str_eq_nocase(ast_param_text(node, "isfuzzy"), RF_S("true")),
         inner = rf_str_eq_nocase(ast_param_text(node, "kind"), RF_S("inner"));
    rf_str with_source = ast_param_text(node, "withsource");
    if (with_source.len == 0) with_source = ast_param_text(node, "with_source");
    uint32_t index = 0;
    if (input != NULL &&
        !add_member(b, &m, input, rf_arena_printf(b->arena, "union_arg%u", index++)))
        return BIND_NOMEM(b);
    for (uint32_t i = 0; i < body->count; i++)
        RF_TRY(add_table(b, &m, body->tables[i], fuzzy, index++));
    if (m.count == 0 && !fuzzy)
        return bind_fail(b, node->pos, "UnknownTable", "none of the union's tables exists");
    RF_TRY(union_node_new(b, &m, inner, with_source, out));
    if (m.count == 0) (*out)->schema.open = true; /* whatever it names of them is null */
    return RF_OK;
}

const struct operator op_union = {
    .name = "union",
    .doc = "The rows of several tables; columns that a table lacks are empty.",
    .syntax =
        "union [kind=inner|outer] [withsource=Column] [isfuzzy=true] T, Prefix*, (query), ...",
    .source = true,
    .parse = union_parse,
    .bind = union_bind};
