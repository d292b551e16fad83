/* op_scan_steps.c - scan: a state machine over rows in order.
 *
 * Each step has a state: the rows that led to it, one for each step up to it, and the number of the
 * match. A row is tried against the steps from the last to the first:
 *   - when the step before has a state and the row meets the condition, that state moves here
 *     and the row becomes this step's row in it;
 *   - else, when the step itself has a state (or is the first) and the row meets the condition, the
 *     row replaces the step's row there. A first step without a state begins a new match.
 * Conditions and assignments name the present row's columns, and a state's as step.column. */
#include "kql/op.h"

enum { SCAN_STEPS_MAX = 64 };

enum scan_output { SCAN_ALL, SCAN_LAST, SCAN_NONE };
struct scan_assign {
    rf_str name;
    uint32_t pos;
    struct ast *ast;
    struct expr *expr;
    struct eval *eval;
    uint32_t column; /* of the row: the input's columns, then the declared ones */
};
struct scan_step {
    rf_str name;
    uint32_t pos;
    bool optional; /* rows may go past it */
    enum scan_output output;
    struct ast *condition;
    struct expr *expr;
    struct eval *eval;
    struct scan_assign *assigns;
    uint32_t assign_count;
};
struct scan_declared {
    rf_str name;
    uint8_t type;
    struct ast *fallback;
};
struct scan_body {
    struct scan_declared *declared;
    uint32_t declared_count;
    struct scan_step steps[SCAN_STEPS_MAX];
    uint32_t step_count;
};

/* ---- parsing --------------------------------------------------------------------------------- */

static enum rf_kind parse_declared(struct parser *p, struct scan_body *body)
{
    uint32_t cap = 0;
    RF_TRY(parse_expect(p, "("));
    while (!parse_is(p, 0, ")")) {
        if (body->declared_count == cap) {
            uint32_t more = cap * 2 + 8;
            struct scan_declared *grown =
                rf_arena_grow(p->arena, body->declared, cap * sizeof *grown, more * sizeof *grown);
            if (grown == NULL) return PARSE_NOMEM(p);
            body->declared = grown;
            cap = more;
        }
        struct scan_declared *d = &body->declared[body->declared_count++];
        enum type type;
        *d = (struct scan_declared){0};
        RF_TRY(parse_name(p, &d->name));
        RF_TRY(parse_expect(p, ":"));
        RF_TRY(parse_type(p, &type));
        d->type = (uint8_t)type;
        if (parse_accept(p, "=")) RF_TRY(parse_expr(p, &d->fallback));
        if (!parse_accept(p, ",")) break;
    }
    return parse_expect(p, ")");
}

static enum rf_kind parse_assigns(struct parser *p, struct scan_step *step)
{
    uint32_t cap = 0;
    do {
        if (step->assign_count == cap) {
            uint32_t more = cap * 2 + 4;
            struct scan_assign *grown =
                rf_arena_grow(p->arena, step->assigns, cap * sizeof *grown, more * sizeof *grown);
            if (grown == NULL) return PARSE_NOMEM(p);
            step->assigns = grown;
            cap = more;
        }
        struct scan_assign *a = &step->assigns[step->assign_count++];
        *a = (struct scan_assign){.pos = parse_peek(p)->pos};
        RF_TRY(parse_name(p, &a->name));
        RF_TRY(parse_expect(p, "="));
        RF_TRY(parse_expr(p, &a->ast));
    } while (parse_accept(p, ","));
    return RF_OK;
}

static enum rf_kind parse_step(struct parser *p, struct scan_step *step)
{
    RF_TRY(parse_expect(p, "step"));
    step->pos = parse_peek(p)->pos;
    RF_TRY(parse_name(p, &step->name));
    step->optional = parse_accept(p, "optional");
    if (parse_accept(p, "output")) {
        RF_TRY(parse_expect(p, "="));
        if (parse_accept(p, "last"))
            step->output = SCAN_LAST;
        else if (parse_accept(p, "none"))
            step->output = SCAN_NONE;
        else
            RF_TRY(parse_expect(p, "all"));
    }
    RF_TRY(parse_expect(p, ":"));
    RF_TRY(parse_expr(p, &step->condition));
    if (parse_accept(p, "=>")) RF_TRY(parse_assigns(p, step));
    return RF_OK;
}

static enum rf_kind scan_parse(struct parser *p, struct ast *node)
{
    static const char *const known[] = {"with_match_id", "hint.*", NULL};
    struct scan_body *body = rf_arena_new(p->arena, struct scan_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, known, node));
    if (parse_accept(p, "declare")) RF_TRY(parse_declared(p, body));
    RF_TRY(parse_expect(p, "with"));
    RF_TRY(parse_expect(p, "("));
    do {
        if (parse_is(p, 0, ")")) break; /* a ';' may stand behind the last step */
        if (body->step_count == SCAN_STEPS_MAX)
            return parse_fail_at(p->text, parse_peek(p)->pos, p->err, RF_LIMIT, "TooManySteps",
                                 "scan has at most %d steps", SCAN_STEPS_MAX);
        RF_TRY(parse_step(p, &body->steps[body->step_count++]));
    } while (parse_accept(p, ";"));
    if (body->step_count == 0) return parse_expected(p, "'step'");
    return parse_expect(p, ")");
}

/* ---- the node -------------------------------------------------------------------------------- */

struct scan_node {
    struct node node;            /* the row's columns, then the match's number if it has a name */
    uint32_t input_width, width; /* of the input; of a row */
    struct value *fallbacks;     /* of the declared columns */
    struct scan_step *steps;
    uint32_t step_count;
    bool with_match_id;
    /* What expressions see: column i is column places[i].column of the present row (step -1) or of a
     * step's row in the state that the row is tried with. */
    struct schema seen;
    struct scan_place {
        int step;
        uint32_t column;
    } * places;
};

struct scan_state {
    bool alive, waiting; /* waiting: output=last, and the row was not yet given out */
    int64_t match_id;
    struct value *cells; /* step_count rows */
};

struct scan_run {
    struct scan_node *node;
    struct exec *exec;
    struct rf_arena arena; /* kept rows, values that were assigned */
    struct rows *input, *output;
    struct scan_state *states;
    struct value *row; /* the present row with its assignments */
    struct vec *seen, *out_columns;
    int64_t next_match_id;
};

static const uint8_t null_byte[1] = {1};

static struct vec vec_of(const struct value *v)
{
    return (struct vec){
        .type = v->type, .shape = VEC_CONST, .data = &v->d, .nulls = v->null ? null_byte : NULL};
}

static enum rf_kind evaluate(struct scan_run *r, struct eval *eval, const struct scan_state *state,
                             struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    const struct scan_node *n = r->node;
    for (uint32_t i = 0; i < n->seen.count; i++) {
        const struct scan_place *place = &n->places[i];
        const struct value *cells = r->row;
        if (place->step >= 0) cells = state->cells + (size_t)place->step * n->width;
        r->seen[i] = vec_of(&cells[place->column]);
    }
    struct vec result;
    struct batch one = {
        .row_count = 1, .column_count = n->seen.count, .columns = r->seen, .arena = arena};
    RF_TRY(eval_run(eval, &one, &result, err));
    *out = vec_value(&result, 0);
    return RF_OK;
}

static enum rf_kind meets(struct scan_run *r, const struct scan_step *step,
                          const struct scan_state *state, struct rf_arena *arena, bool *out,
                          struct rf_err *err)
{
    struct value v;
    RF_TRY(evaluate(r, step->eval, state, arena, &v, err));
    *out = !v.null && v.b;
    return RF_OK;
}

static void clear_cells(const struct scan_node *n, struct value *cells)
{
    for (uint32_t s = 0; s < n->step_count; s++)
        for (uint32_t c = 0; c < n->width; c++) {
            struct value *cell = &cells[(size_t)s * n->width + c];
            enum type type = (enum type)n->node.schema.columns[c].type;
            if (c >= n->input_width)
                *cell = n->fallbacks[c - n->input_width];
            else
                *cell = type == TYPE_STRING ? value_str(RF_S("")) : value_null(type);
        }
}

static enum rf_kind put_out(struct scan_run *r, const struct value *cells, int64_t match_id,
                            struct rf_err *err)
{
    const struct scan_node *n = r->node;
    struct value id = value_long(match_id);
    for (uint32_t c = 0; c < n->width; c++) r->out_columns[c] = vec_of(&cells[c]);
    if (n->with_match_id) r->out_columns[n->width] = vec_of(&id);
    struct batch one = {
        .row_count = 1, .column_count = n->node.schema.count, .columns = r->out_columns};
    return rows_append(r->output, &one) ? RF_OK : rf_fail_memory(err, &r->arena);
}

/* Gives out the row that output=last kept back. */
static enum rf_kind flush(struct scan_run *r, uint32_t step, struct rf_err *err)
{
    struct scan_state *state = &r->states[step];
    if (!state->alive || !state->waiting) return RF_OK;
    state->waiting = false;
    return put_out(r, state->cells + (size_t)step * r->node->width, state->match_id, err);
}

/* The row becomes the step's row in its state. */
static enum rf_kind take_row(struct scan_run *r, uint32_t index, struct rf_arena *arena,
                             struct rf_err *err)
{
    const struct scan_node *n = r->node;
    const struct scan_step *step = &n->steps[index];
    struct scan_state *state = &r->states[index];
    for (uint32_t i = 0; i < step->assign_count; i++) {
        struct value v;
        RF_TRY(evaluate(r, step->assigns[i].eval, state, arena, &v, err));
        if (!value_copy(&v, &r->arena, &r->row[step->assigns[i].column]))
            return rf_fail_memory(err, &r->arena);
    }
    memcpy(state->cells + (size_t)index * n->width, r->row, n->width * sizeof *r->row);
    state->waiting = step->output == SCAN_LAST;
    return step->output == SCAN_ALL ? put_out(r, r->row, state->match_id, err) : RF_OK;
}

/* The nearest earlier step with a state from which the row may come here; -1 when there is none. */
static int step_before(const struct scan_run *r, uint32_t index)
{
    for (uint32_t s = index; s-- > 0;) {
        if (r->states[s].alive) return (int)s;
        if (!r->node->steps[s].optional) return -1;
    }
    return -1;
}

/* A match begins at the first step, or behind it where all steps before may be left out. */
static bool is_entry(const struct scan_node *n, uint32_t index)
{
    for (uint32_t s = 0; s < index; s++)
        if (!n->steps[s].optional) return false;
    return true;
}

/* Sets the present row anew: a row may match several steps, each with its own assignments. */
static void load_row(struct scan_run *r, uint64_t number)
{
    const struct scan_node *n = r->node;
    for (uint32_t c = 0; c < n->input_width; c++) r->row[c] = rows_value(r->input, number, c);
    for (uint32_t c = n->input_width; c < n->width; c++)
        r->row[c] = n->fallbacks[c - n->input_width];
}

static enum rf_kind try_step(struct scan_run *r, uint32_t index, uint64_t number,
                             struct rf_arena *arena, struct rf_err *err)
{
    const struct scan_node *n = r->node;
    const struct scan_step *step = &n->steps[index];
    struct scan_state *state = &r->states[index];
    int before = step_before(r, index);
    bool hit = false;
    load_row(r, number);
    if (before >= 0) {
        RF_TRY(meets(r, step, &r->states[before], arena, &hit, err));
        if (hit) {
            RF_TRY(flush(r, index, err));
            RF_TRY(flush(r, (uint32_t)before, err));
            struct scan_state swap = *state;
            *state = r->states[before];
            r->states[before] = (struct scan_state){.cells = swap.cells};
            clear_cells(n, swap.cells);
            return take_row(r, index, arena, err);
        }
    }
    if (!state->alive && !is_entry(n, index)) return RF_OK;
    RF_TRY(meets(r, step, state, arena, &hit, err));
    if (!hit) return RF_OK;
    if (!state->alive) {
        state->alive = true;
        state->match_id = r->next_match_id++;
    }
    return take_row(r, index, arena, err);
}

static enum rf_kind scan_rows(struct scan_run *r, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, r->exec->budget);
    uint64_t count = rows_count(r->input);
    for (uint64_t i = 0; i < count; i++) {
        rf_arena_reset(&arena);
        if (i % BATCH_ROWS == 0 && exec_cancelled(r->exec))
            return RF_FAIL(err, RF_CANCELLED, "QueryCancelled", "the query was cancelled");
        for (uint32_t s = r->node->step_count; s-- > 0;) RF_TRY(try_step(r, s, i, &arena, err));
    }
    for (uint32_t s = r->node->step_count; s-- > 0;) RF_TRY(flush(r, s, err));
    return RF_OK;
}

static struct rows *rows_like(const struct schema *schema, struct rf_arena *arena)
{
    uint8_t *types = rf_arena_new(arena, uint8_t, schema->count);
    if (types == NULL) return NULL;
    for (uint32_t i = 0; i < schema->count; i++) types[i] = schema->columns[i].type;
    return rows_new(arena, types, schema->count);
}

static enum rf_kind scan_prepare(struct scan_run *r, struct rf_err *err)
{
    struct scan_node *n = r->node;
    size_t cells = (size_t)n->step_count * n->width;
    r->states = rf_arena_new(&r->arena, struct scan_state, n->step_count);
    r->row = rf_arena_new(&r->arena, struct value, n->width);
    r->seen = rf_arena_new(&r->arena, struct vec, n->seen.count);
    r->out_columns = rf_arena_new(&r->arena, struct vec, n->node.schema.count);
    r->output = rows_like(&n->node.schema, &r->arena);
    if (r->states == NULL || r->row == NULL || r->seen == NULL || r->out_columns == NULL ||
        r->output == NULL)
        return rf_fail_memory(err, &r->arena);
    for (uint32_t s = 0; s < n->step_count; s++) {
        struct scan_step *step = &n->steps[s];
        r->states[s].cells = rf_arena_new(&r->arena, struct value, cells);
        if (r->states[s].cells == NULL) return rf_fail_memory(err, &r->arena);
        clear_cells(n, r->states[s].cells);
        RF_TRY(eval_new(r->exec, &r->arena, &step->expr, 1, &n->seen, &step->eval, err));
        for (uint32_t a = 0; a < step->assign_count; a++)
            RF_TRY(eval_new(r->exec, &r->arena, &step->assigns[a].expr, 1, &n->seen,
                            &step->assigns[a].eval, err));
    }
    return RF_OK;
}

static void scan_release(struct scan_node *n)
{
    for (uint32_t s = 0; s < n->step_count; s++) {
        struct scan_step *step = &n->steps[s];
        eval_done(step->eval);
        step->eval = NULL;
        for (uint32_t a = 0; a < step->assign_count; a++) {
            eval_done(step->assigns[a].eval);
            step->assigns[a].eval = NULL;
        }
    }
}

static enum rf_kind scan_run(struct node *node, struct exec *exec, struct flow *out,
                             struct rf_err *err)
{
    struct scan_run r = {.node = (struct scan_node *)node, .exec = exec};
    rf_arena_init_shared(&r.arena, exec->budget);
    uint32_t lanes = exec->lane_count;
    exec->lane_count = 1; /* order matters */
    enum rf_kind kind = node_collect(node->inputs[0], exec, &r.arena, &r.input, err);
    exec->lane_count = lanes;
    if (kind == RF_OK) kind = scan_prepare(&r, err);
    if (kind == RF_OK) kind = scan_rows(&r, err);
    if (kind == RF_OK) kind = rows_push(r.output, exec, out, err);
    scan_release(r.node);
    rf_arena_done(&r.arena);
    return kind;
}

static const struct node_ops scan_ops = {.name = "scan", .run = scan_run};

/* ---- text to node ---------------------------------------------------------------------------- */

static enum rf_kind bind_declared(struct binder *b, const struct scan_body *body,
                                  struct scan_node *n, struct schema_builder *sb)
{
    n->fallbacks = rf_arena_new(b->arena, struct value, body->declared_count);
    if (n->fallbacks == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < body->declared_count; i++) {
        const struct scan_declared *d = &body->declared[i];
        enum type type = (enum type)d->type;
        if (schema_find(&sb->schema, d->name) >= 0) continue; /* the input's own column serves */
        struct value *v = &n->fallbacks[sb->schema.count - n->input_width];
        *v = type == TYPE_STRING ? value_str(RF_S("")) : value_null(type);
        if (d->fallback != NULL) RF_TRY(bind_constant(b, d->fallback, type, v));
        if (!schema_add_exact(sb, d->name, type, bind_new_id(b))) return BIND_NOMEM(b);
    }
    return RF_OK;
}

/* All that expressions may name: the row's columns, and each step's as "step.column". */
static enum rf_kind all_seen(struct binder *b, struct scan_node *n, const struct schema *row,
                             struct schema *out)
{
    struct schema_builder sb = {.b = b};
    for (uint32_t c = 0; c < row->count; c++)
        if (!schema_add_exact(&sb, row->columns[c].name, (enum type)row->columns[c].type,
                              bind_new_id(b)))
            return BIND_NOMEM(b);
    for (uint32_t s = 0; s < n->step_count; s++)
        for (uint32_t c = 0; c < row->count; c++) {
            rf_str name = rf_arena_printf(b->arena, "%.*s.%.*s", RF_FMT(n->steps[s].name),
                                          RF_FMT(row->columns[c].name));
            if (name.ptr == NULL ||
                !schema_add_exact(&sb, name, (enum type)row->columns[c].type, bind_new_id(b)))
                return BIND_NOMEM(b);
        }
    sb.schema.open = row->open;
    *out = sb.schema;
    return RF_OK;
}

static enum rf_kind bind_step(struct binder *b, struct scan_node *n, struct scan_step *step,
                              const struct schema *seen, const struct schema *row)
{
    RF_TRY(bind_scalar(b, step->condition, seen, &step->expr));
    if (step->expr->type != TYPE_BOOL) RF_TRY(bind_cast(b, step->expr, TYPE_BOOL, &step->expr));
    for (uint32_t a = 0; a < step->assign_count; a++) {
        struct scan_assign *assign = &step->assigns[a];
        struct column *column;
        RF_TRY(bind_column(b, row, assign->name, assign->pos, &column));
        assign->column = (uint32_t)(column - row->columns);
        RF_ASSERT(assign->column < n->width);
        RF_TRY(bind_scalar(b, assign->ast, seen, &assign->expr));
        if (assign->expr->type != column->type)
            RF_TRY(bind_cast(b, assign->expr, (enum type)column->type, &assign->expr));
    }
    return RF_OK;
}

/* Only columns that an expression reads are shown to it. */
static enum rf_kind narrow_seen(struct binder *b, struct scan_node *n, const struct schema *all)
{
    uint32_t words = b->next_id / 64 + 1;
    struct id_set used = {.words = rf_arena_new(b->arena, uint64_t, words), .word_count = words};
    struct schema_builder sb = {.b = b};
    n->places = rf_arena_new(b->arena, struct scan_place, all->count);
    if (used.words == NULL || n->places == NULL) return BIND_NOMEM(b);
    for (uint32_t s = 0; s < n->step_count; s++) {
        id_set_add_expr(&used, n->steps[s].expr);
        for (uint32_t a = 0; a < n->steps[s].assign_count; a++)
            id_set_add_expr(&used, n->steps[s].assigns[a].expr);
    }
    for (uint32_t i = 0; i < all->count; i++) {
        const struct column *c = &all->columns[i];
        if (!id_set_has(&used, c->id)) continue;
        n->places[sb.schema.count] =
            (struct scan_place){.step = (int)(i / n->width) - 1, .column = i % n->width};
        if (!schema_add_exact(&sb, c->name, (enum type)c->type, c->id)) return BIND_NOMEM(b);
    }
    n->seen = sb.schema;
    return RF_OK;
}

/* Steps are written to while they are bound, so each use has its own. */
static enum rf_kind copy_steps(struct binder *b, const struct scan_body *body, struct scan_node *n)
{
    n->steps = rf_arena_new(b->arena, struct scan_step, body->step_count);
    if (n->steps == NULL) return BIND_NOMEM(b);
    n->step_count = body->step_count;
    for (uint32_t s = 0; s < body->step_count; s++) {
        struct scan_step *step = &n->steps[s];
        *step = body->steps[s];
        step->assigns = rf_arena_new(b->arena, struct scan_assign, step->assign_count);
        if (step->assigns == NULL) return BIND_NOMEM(b);
        for (uint32_t a = 0; a < step->assign_count; a++)
            step->assigns[a] = body->steps[s].assigns[a];
    }
    return RF_OK;
}

static enum rf_kind scan_bind(struct binder *b, const struct ast *node, struct node *input,
                              struct node **out)
{
    const struct scan_body *body = node->body;
    struct scan_node *n = node_new(b, sizeof *n, &scan_ops, input);
    struct schema_builder sb = {.b = b};
    struct schema all;
    if (n == NULL) return BIND_NOMEM(b);
    n->input_width = input->schema.count;
    for (uint32_t i = 0; i < input->schema.count; i++) {
        const struct column *c = &input->schema.columns[i];
        if (!schema_add_exact(&sb, c->name, (enum type)c->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    RF_TRY(copy_steps(b, body, n));
    RF_TRY(bind_declared(b, body, n, &sb));
    n->width = sb.schema.count;
    sb.schema.open = input->schema.open;
    RF_TRY(all_seen(b, n, &sb.schema, &all));
    for (uint32_t s = 0; s < n->step_count; s++)
        RF_TRY(bind_step(b, n, &n->steps[s], &all, &sb.schema));
    RF_TRY(narrow_seen(b, n, &all));
    rf_str id = ast_param_text(node, "with_match_id");
    n->with_match_id = id.len > 0;
    if (n->with_match_id && !schema_add(&sb, id, TYPE_LONG, bind_new_id(b))) return BIND_NOMEM(b);
    n->node.schema = sb.schema;
    n->node.serialized = true;
    *out = &n->node;
    return RF_OK;
}

const struct operator op_scan_steps = {
    .name = "scan",
    .doc = "Follows sequences of rows through steps with conditions.",
    .syntax = "T | scan [with_match_id=Name] [declare (Name:Type [= Value], ...)] with (step Name "
              "[output=all|last|none]: Condition [=> Column = Expression, ...]; ...)",
    .parse = scan_parse,
    .bind = scan_bind};
