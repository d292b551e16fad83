/* op_mvexpand.c - mv-expand, mvexpand: a row for each element of a dynamic array. */
#include "kql/op_mvexpand.h"

#include "kql/op.h"
#include "value/dyn.h"
#include "value/text.h"

/* ---- parsing --------------------------------------------------------------------------------- */

static const char *const expand_params[] = {"bagexpansion", "kind", "with_itemindex", "hint.*",
                                            NULL};

enum rf_kind expand_parse(struct parser *p, struct ast *node, struct expand_body **out)
{
    struct expand_body *body = rf_arena_new(p->arena, struct expand_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    uint32_t cap = 0;
    RF_TRY(parse_params(p, expand_params, node));
    do {
        if (body->count == cap) {
            struct expand_item *grown = rf_arena_grow(p->arena, body->items, cap * sizeof *grown,
                                                      (cap * 2 + 4) * sizeof *grown);
            if (grown == NULL) return PARSE_NOMEM(p);
            body->items = grown;
            cap = cap * 2 + 4;
        }
        struct expand_item *item = &body->items[body->count];
        *item = (struct expand_item){.type = TYPE_DYNAMIC};
        RF_TRY(parse_named_expr(p, &item->expr));
        if (parse_accept(p, "to")) {
            enum type type;
            RF_TRY(parse_expect(p, "typeof"));
            RF_TRY(parse_expect(p, "("));
            RF_TRY(parse_type(p, &type));
            RF_TRY(parse_expect(p, ")"));
            item->typed = true;
            item->type = (uint8_t)type;
        }
        body->count++;
    } while (parse_accept(p, ","));
    if (parse_accept(p, "limit")) RF_TRY(parse_expr(p, &body->limit));
    *out = body;
    return RF_OK;
}

/* ---- binding --------------------------------------------------------------------------------- */

struct expand_binder {
    struct binder *b;
    struct schema_builder sb;
    struct expand_plan *plan;
};

/* Puts a column where one of that name stands, or at the end. */
static enum rf_kind expand_put(struct expand_binder *e, rf_str name, enum type type,
                               struct expand_column column)
{
    uint32_t id = bind_new_id(e->b);
    int at = schema_find(&e->sb.schema, name);
    if (at >= 0) {
        RF_ASSERT((uint32_t)at < e->sb.schema.count);
        e->sb.schema.columns[at].type = (uint8_t)type;
        e->sb.schema.columns[at].id = id;
        e->plan->columns[at] = column;
        return RF_OK;
    }
    e->plan->columns[e->sb.schema.count] = column;
    return schema_add_exact(&e->sb, name, type, id) ? RF_OK : BIND_NOMEM(e->b);
}

static enum rf_kind expand_bind_item(struct expand_binder *e, const struct expand_item *item,
                                     const struct schema *input, uint32_t index)
{
    struct binder *b = e->b;
    const struct ast *ast = item->expr->kind == AST_NAMED ? item->expr->kids[0] : item->expr;
    struct expr **array = &e->plan->arrays[index];
    if (item->expr->kind == AST_NAMED && item->expr->name_count != 1)
        return bind_fail(b, item->expr->pos, "SyntaxError", "one name is needed for each array");
    RF_TRY(bind_scalar(b, ast, input, array));
    if ((*array)->type != TYPE_DYNAMIC)
        return bind_fail(b, ast->pos, "NotDynamic",
                         "an array (dynamic) is needed to expand, this is a %s",
                         type_name((*array)->type));
    rf_str name = ast_default_name(b, item->expr);
    if (name.len == 0) name = rf_arena_printf(b->arena, "Column%u", index + 1);
    if (name.ptr == NULL) return BIND_NOMEM(b);
    return expand_put(e, name, (enum type)item->type,
                      (struct expand_column){.from = EXPAND_ITEM, .array = index});
}

static enum rf_kind expand_bind_limit(struct binder *b, const struct ast *ast, uint64_t *limit)
{
    struct value v;
    if (ast == NULL) return RF_OK;
    RF_TRY(bind_constant(b, ast, TYPE_LONG, &v));
    if (!v.null && v.i < 0)
        return bind_fail(b, ast->pos, "BadLimit", "limit needs a number of rows, 0 or more");
    if (!v.null) *limit = (uint64_t)v.i;
    return RF_OK;
}

static enum rf_kind expand_bind_mode(struct binder *b, const struct ast *node, bool *pairs)
{
    const char *names[] = {"bagexpansion", "kind"};
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        const struct ast_param *param = ast_param(node, names[i]);
        if (param == NULL) continue;
        rf_str mode = ast_param_text(node, names[i]);
        if (!rf_str_is(mode, "bag") && !rf_str_is(mode, "array"))
            return bind_fail(b, param->pos, "BadParameter", "%s is bag or array", names[i]);
        *pairs = rf_str_is(mode, "array");
    }
    return RF_OK;
}

enum rf_kind expand_bind(struct binder *b, const struct ast *node, const struct expand_body *body,
                         const struct schema *input, uint64_t limit, struct expand_plan *out)
{
    struct expand_binder e = {.b = b, .sb = {.b = b}, .plan = out};
    *out = (struct expand_plan){.array_count = body->count, .limit = limit};
    out->arrays = rf_arena_new(b->arena, struct expr *, body->count);
    out->columns =
        rf_arena_new(b->arena, struct expand_column, input->count + (size_t)body->count + 1);
    if (out->arrays == NULL || out->columns == NULL) return BIND_NOMEM(b);
    RF_TRY(expand_bind_mode(b, node, &out->pairs));
    RF_TRY(expand_bind_limit(b, body->limit, &out->limit));
    for (uint32_t i = 0; i < input->count; i++) {
        const struct column *c = &input->columns[i];
        if (!schema_add_exact(&e.sb, c->name, (enum type)c->type, c->id)) return BIND_NOMEM(b);
    }
    for (uint32_t i = 0; i < body->count; i++)
        RF_TRY(expand_bind_item(&e, &body->items[i], input, i));
    rf_str index = ast_param_text(node, "with_itemindex");
    if (index.len > 0)
        RF_TRY(expand_put(&e, index, TYPE_LONG, (struct expand_column){.from = EXPAND_INDEX}));
    e.sb.schema.open = input->open;
    out->schema = e.sb.schema;
    return RF_OK;
}

void expand_prune(struct expand_plan *plan, struct id_set *need)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < plan->schema.count; i++) {
        if (!id_set_has(need, plan->schema.columns[i].id)) continue;
        plan->schema.columns[kept] = plan->schema.columns[i];
        plan->columns[kept++] = plan->columns[i];
    }
    plan->schema.count = kept;
    for (uint32_t i = 0; i < plan->array_count; i++) id_set_add_expr(need, plan->arrays[i]);
}

/* ---- running --------------------------------------------------------------------------------- */

int *expand_slots(const struct expand_plan *plan, const struct schema *input,
                  struct rf_arena *arena)
{
    int *slots = rf_arena_new(arena, int, plan->schema.count);
    if (slots == NULL) return NULL;
    for (uint32_t i = 0; i < plan->schema.count; i++) {
        if (plan->columns[i].from != EXPAND_INPUT) continue;
        slots[i] = schema_find_id(input, plan->schema.columns[i].id);
        RF_ASSERT(slots[i] >= 0);
    }
    return slots;
}

static uint32_t elements_of(const struct vec *array, uint32_t row)
{
    if (vec_null(array, row)) return 1;
    rf_str d = vec_str(array, row);
    enum dyn_tag tag = dyn_tag(d);
    return tag == DYN_ARRAY || tag == DYN_BAG ? dyn_count(d) : 1;
}

uint32_t expand_row_count(const struct expand_cursor *c)
{
    uint32_t most = 0;
    for (uint32_t a = 0; a < c->plan->array_count; a++)
        most = RF_MAX(most, elements_of(&c->arrays[a], c->row));
    return (uint32_t)RF_MIN((uint64_t)most, c->plan->limit);
}

/* {key: value} or [key, value] of one entry. */
static rf_str bag_element(rf_str bag, uint32_t index, bool pairs, struct rf_buf *buf)
{
    struct dyn_builder builder;
    rf_str key, value;
    struct rf_buf one = rf_buf_in(buf->arena);
    dyn_entry(bag, index, &key, &value);
    if (!rf_buf_reserve(&one, key.len + value.len + 64)) buf->failed = true;
    dyn_begin_counted(&builder, &one, pairs ? DYN_ARRAY : DYN_BAG, pairs ? 2 : 1);
    if (pairs) {
        dyn_next(&builder);
        dyn_put_string(&one, key);
        dyn_next(&builder);
    } else {
        dyn_key(&builder, key);
    }
    dyn_put_encoded(&one, value);
    dyn_end(&builder);
    if (one.failed) buf->failed = true;
    return dyn_done(&one);
}

/* Element `index`, empty where there is none. Views of the input but for bags' entries. */
static rf_str element(const struct expand_plan *plan, rf_str d, uint32_t index, struct rf_buf *buf)
{
    static const rf_str none = {NULL, 0};
    switch (dyn_tag(d)) {
    case DYN_ARRAY:
        return index < dyn_count(d) ? dyn_item(d, index) : none;
    case DYN_BAG:
        return index < dyn_count(d) ? bag_element(d, index, plan->pairs, buf) : none;
    default:
        return index == 0 ? d : none;
    }
}

static rf_str element_text(rf_str d, struct rf_arena *arena, bool *failed)
{
    if (dyn_is_null(d)) return RF_S("");
    if (dyn_tag(d) == DYN_STRING) return dyn_string(d);
    struct rf_buf text = rf_buf_in(arena);
    dyn_put_text(d, &text);
    *failed = *failed || text.failed;
    return rf_buf_view(&text);
}

/* A cast, no parsing: numbers become other numbers; what does not fit is null. */
static struct value element_value(rf_str d, enum type type, struct rf_arena *arena, bool *failed)
{
    struct value v = dyn_to_value(d), out;
    if (dyn_is_null(d) || v.null) return value_null(type);
    if (v.type == type) return v;
    if (!type_is_number((enum type)v.type) || !type_is_number(type)) return value_null(type);
    if (value_convert(&v, type, arena, &out)) return out;
    *failed = true;
    return value_null(type);
}

/* The column of an array's elements: row i is element items[i] of row rows[i]. */
static bool make_items(const struct expand_cursor *c, uint32_t column, const uint32_t *rows,
                       const uint32_t *items, uint32_t count, struct rf_arena *arena,
                       struct vec *out)
{
    enum type type = (enum type)c->plan->schema.columns[column].type;
    const struct vec *array = &c->arrays[c->plan->columns[column].array];
    struct rf_buf buf = rf_buf_in(arena);
    bool failed = false;
    if (!vec_flat(arena, type, count, out)) return false;
    uint8_t *nulls = vec_need_nulls(arena, out, count);
    if (nulls == NULL) return false;
    rf_str *texts = type_is_bytes(type) ? (rf_str *)(uintptr_t)out->data : NULL;
    for (uint32_t i = 0; i < count; i++) {
        rf_str d = {NULL, 0};
        if (!vec_null(array, rows[i]))
            d = element(c->plan, vec_str(array, rows[i]), items[i], &buf);
        if (type == TYPE_DYNAMIC) {
            texts[i] = d;
            nulls[i] = dyn_is_null(d);
        } else if (type == TYPE_STRING) {
            texts[i] = element_text(d, arena, &failed);
        } else {
            struct value v = element_value(d, type, arena, &failed);
            vec_set(out, i, &v);
        }
    }
    return !failed && !buf.failed;
}

static bool make_index(const uint32_t *items, uint32_t count, struct rf_arena *arena,
                       struct vec *out)
{
    if (!vec_flat(arena, TYPE_LONG, count, out)) return false;
    int64_t *cells = (int64_t *)(uintptr_t)out->data;
    for (uint32_t i = 0; i < count; i++) cells[i] = items[i];
    return true;
}

/* Which rows and elements come next. */
static uint32_t take_elements(struct expand_cursor *c, uint32_t max, uint32_t *rows,
                              uint32_t *items)
{
    uint32_t count = 0;
    while (c->row < c->to && count < max) {
        if (c->item == 0) c->item_count = expand_row_count(c);
        uint32_t n = RF_MIN(c->item_count - c->item, max - count);
        for (uint32_t i = 0; i < n; i++) {
            rows[count + i] = c->row;
            items[count + i] = c->item + i;
        }
        count += n;
        c->item += n;
        if (c->item < c->item_count) break;
        c->item = 0;
        c->row++;
    }
    return count;
}

enum rf_kind expand_next(struct expand_cursor *c, uint32_t max, struct rf_arena *arena,
                         struct batch *out, struct rf_err *err)
{
    const struct expand_plan *plan = c->plan;
    uint32_t width = plan->schema.count;
    uint32_t *rows = rf_arena_raw(arena, uint32_t, max),
             *items = rf_arena_raw(arena, uint32_t, max);
    struct vec *columns = rf_arena_new(arena, struct vec, width);
    if (rows == NULL || items == NULL || columns == NULL) return rf_fail_memory(err, arena);
    uint32_t count = take_elements(c, max, rows, items);
    *out = (struct batch){
        .row_count = count, .column_count = width, .columns = columns, .arena = arena};
    if (count == 0) return RF_OK;
    for (uint32_t i = 0; i < width; i++) {
        bool ok = true;
        switch ((enum expand_from)plan->columns[i].from) {
        case EXPAND_INPUT:
            ok = vec_select(arena, &c->in->columns[c->slots[i]], rows, count, &columns[i]);
            break;
        case EXPAND_ITEM:
            ok = make_items(c, i, rows, items, count, arena, &columns[i]);
            break;
        case EXPAND_INDEX:
            ok = make_index(items, count, arena, &columns[i]);
            break;
        }
        if (!ok) return rf_fail_memory(err, arena);
    }
    return RF_OK;
}

/* ---- the node -------------------------------------------------------------------------------- */

struct expand_node {
    struct node node;
    struct expand_plan plan;
};
struct expand_lane {
    struct rf_arena arena, out_arena; /* evaluator; one output batch */
    struct eval *eval;
    struct vec *arrays;
};
struct expand_flow {
    struct flow flow;
    struct exec *exec;
    const struct expand_plan *plan;
    const int *slots;
    struct expand_lane *lanes;
};

static enum rf_kind expand_push(struct flow *flow, uint32_t lane, const struct batch *in,
                                struct rf_err *err)
{
    struct expand_flow *f = (struct expand_flow *)flow;
    struct expand_lane *l = &f->lanes[lane];
    struct batch out;
    RF_TRY(eval_run(l->eval, in, l->arrays, err));
    struct expand_cursor cursor = {
        .plan = f->plan, .slots = f->slots, .in = in, .arrays = l->arrays, .to = in->row_count};
    while (!flow_done(flow->next)) {
        rf_arena_reset(&l->out_arena);
        RF_TRY(expand_next(&cursor, BATCH_ROWS, &l->out_arena, &out, err));
        if (out.row_count == 0) break;
        RF_TRY(flow_push(f->exec, flow->next, lane, &out, err));
    }
    return RF_OK;
}

static enum rf_kind lane_init(struct expand_flow *f, struct expand_lane *l,
                              const struct schema *input, struct rf_err *err)
{
    const struct expand_plan *plan = f->plan;
    l->arrays = rf_arena_new(&l->arena, struct vec, plan->array_count);
    if (l->arrays == NULL) return rf_fail_memory(err, &l->arena);
    return eval_new(f->exec, &l->arena, plan->arrays, plan->array_count, input, &l->eval, err);
}

static enum rf_kind expand_run(struct node *node, struct exec *exec, struct flow *out,
                               struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    const struct expand_plan *plan = &((struct expand_node *)node)->plan;
    const struct schema *input = &node->inputs[0]->schema;
    struct expand_flow f = {.flow = {.push = expand_push, .next = out}, .exec = exec, .plan = plan};
    f.slots = expand_slots(plan, input, &arena);
    f.lanes = rf_arena_new(&arena, struct expand_lane, exec->lane_count);
    if (f.slots == NULL || f.lanes == NULL) return rf_fail_memory(err, &arena);
    enum rf_kind kind = RF_OK;
    for (uint32_t i = 0; i < exec->lane_count; i++) {
        rf_arena_init_shared(&f.lanes[i].arena, exec->budget);
        rf_arena_init_shared(&f.lanes[i].out_arena, exec->budget);
    }
    for (uint32_t i = 0; i < exec->lane_count && kind == RF_OK; i++)
        kind = lane_init(&f, &f.lanes[i], input, err);
    if (kind == RF_OK) kind = node_run(node->inputs[0], exec, &f.flow, err);
    for (uint32_t i = 0; i < exec->lane_count; i++) {
        eval_done(f.lanes[i].eval);
        rf_arena_done(&f.lanes[i].arena);
        rf_arena_done(&f.lanes[i].out_arena);
    }
    return kind;
}

static void expand_node_prune(struct node *node, struct id_set *need)
{
    struct expand_plan *plan = &((struct expand_node *)node)->plan;
    expand_prune(plan, need);
    node->schema = plan->schema;
    node_prune(node->inputs[0], need);
}

static void expand_explain(const struct node *node, struct rf_buf *buf)
{
    const struct expand_plan *plan = &((const struct expand_node *)node)->plan;
    for (uint32_t i = 0; i < plan->array_count; i++) {
        if (i > 0) rf_buf_printf(buf, ", ");
        expr_explain(plan->arrays[i], buf);
    }
}

static const struct node_ops expand_ops = {.name = "mv-expand",
                                           .run = expand_run,
                                           .prune = expand_node_prune,
                                           .explain = expand_explain,
                                           .by_rows = true};

/* ---- text to node ---------------------------------------------------------------------------- */

static enum rf_kind mvexpand_parse(struct parser *p, struct ast *node)
{
    struct expand_body *body;
    RF_TRY(expand_parse(p, node, &body));
    node->body = body;
    return RF_OK;
}

static enum rf_kind bind_with_limit(struct binder *b, const struct ast *node, struct node *input,
                                    uint64_t limit, struct node **out)
{
    struct expand_node *e = node_new(b, sizeof *e, &expand_ops, input);
    if (e == NULL) return BIND_NOMEM(b);
    RF_TRY(expand_bind(b, node, node->body, &input->schema, limit, &e->plan));
    e->node.schema = e->plan.schema;
    *out = &e->node;
    return RF_OK;
}

static enum rf_kind mvexpand_bind(struct binder *b, const struct ast *node, struct node *input,
                                  struct node **out)
{
    return bind_with_limit(b, node, input, INT32_MAX, out);
}

static enum rf_kind mvexpand_old_bind(struct binder *b, const struct ast *node, struct node *input,
                                      struct node **out)
{
    return bind_with_limit(b, node, input, 128, out);
}

const struct operator op_mv_expand = {
    .name = "mv-expand",
    .doc = "A row for each element of a dynamic array or entry of a bag.",
    .syntax = "T | mv-expand [kind=bag|array] [with_itemindex=Name] [Name =] Array "
              "[to typeof(Type)], ... [limit N]",
    .parse = mvexpand_parse,
    .bind = mvexpand_bind};
const struct operator op_mvexpand = {.name = "mvexpand",
                                     .doc = "mv-expand with at most 128 rows for each row.",
                                     .syntax = "T | mvexpand ...",
                                     .hidden = true,
                                     .parse = mvexpand_parse,
                                     .bind = mvexpand_old_bind};
