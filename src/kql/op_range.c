/* op_range.c - range Name from A to B step C: numbers or times in even steps. */
#include "kql/bind_int.h"
#include "kql/op.h"

struct range_body {
    rf_str name;
    struct ast *from, *to, *step;
};
struct range_node {
    struct node node;
    struct value from, to, step;
};

static enum rf_kind range_run(struct node *node, struct exec *exec, struct flow *out,
                              struct rf_err *err)
{
    struct range_node *r = (struct range_node *)node;
    bool real = r->from.type == TYPE_REAL;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    struct vec column;
    if (r->from.null || r->to.null || r->step.null) return RF_OK;
    if (real ? r->step.r == 0 : r->step.i == 0) return RF_OK;
    if (!vec_flat(&arena, (enum type)r->from.type, BATCH_ROWS, &column))
        return rf_fail_memory(err, &arena);
    int64_t at = r->from.i;
    bool more = true;
    for (uint64_t n = 0; more && !flow_done(out);) {
        struct rf_arena batch_arena;
        uint32_t rows = 0;
        for (; rows < BATCH_ROWS && more; rows++) {
            if (real) {
                double x = r->from.r + (double)n * r->step.r;
                if (r->step.r > 0 ? x > r->to.r : x < r->to.r) break;
                OUT_REAL(&column)[rows] = x;
                n++;
            } else {
                if (r->step.i > 0 ? at > r->to.i : at < r->to.i) break;
                OUT_I64(&column)[rows] = at;
                more = !__builtin_add_overflow(at, r->step.i, &at);
            }
        }
        more = more && rows == BATCH_ROWS;
        rf_arena_init_shared(&batch_arena, exec->budget);
        struct vec view = column;
        struct batch batch = {.row_count = rows,
                              .column_count = node->schema.count,
                              .columns = &view,
                              .arena = &batch_arena};
        enum rf_kind kind = flow_push(exec, out, 0, &batch, err);
        rf_arena_done(&batch_arena);
        RF_TRY(kind);
    }
    return RF_OK;
}

static const struct node_ops range_ops = {.name = "range", .run = range_run};

static enum rf_kind range_parse(struct parser *p, struct ast *node)
{
    struct range_body *body = rf_arena_new(p->arena, struct range_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_name(p, &body->name));
    RF_TRY(parse_expect(p, "from"));
    RF_TRY(parse_expr(p, &body->from));
    RF_TRY(parse_expect(p, "to"));
    RF_TRY(parse_expr(p, &body->to));
    if (!parse_accept(p, "step")) return RF_OK;
    return parse_expr(p, &body->step);
}

/* The type of an expression without columns. */
static enum rf_kind constant_type(struct binder *b, const struct ast *ast, enum type *out)
{
    struct expr *e;
    RF_TRY(bind_scalar(b, ast, NULL, &e));
    *out = (enum type)e->type;
    return RF_OK;
}

static enum rf_kind range_bind(struct binder *b, const struct ast *node, struct node *input,
                               struct node **out)
{
    const struct range_body *body = node->body;
    (void)input;
    enum type from, to, step = TYPE_LONG, type;
    RF_TRY(constant_type(b, body->from, &from));
    RF_TRY(constant_type(b, body->to, &to));
    if (body->step != NULL)
        RF_TRY(constant_type(b, body->step, &step));
    else if (from == TYPE_DATETIME || from == TYPE_TIMESPAN)
        step = TYPE_TIMESPAN;
    if (!type_common(from, to, &type))
        return bind_fail(b, node->pos, "BadRange",
                         "range goes from %s to %s; both must be of one type", type_name(from),
                         type_name(to));
    bool time = type == TYPE_DATETIME || type == TYPE_TIMESPAN;
    if (time != (step == TYPE_TIMESPAN) || (!time && !type_is_number(step) && step != TYPE_DYNAMIC))
        return bind_fail(b, node->pos, "BadRange", "a range of %s needs a step of %s",
                         type_name(type), time ? "timespan" : "number");
    if (!time && (step == TYPE_REAL || type == TYPE_DECIMAL)) type = TYPE_REAL;
    struct range_node *r = node_new(b, sizeof *r, &range_ops, NULL);
    struct schema_builder sb = {.b = b};
    if (r == NULL || !schema_add(&sb, body->name, type, bind_new_id(b))) return BIND_NOMEM(b);
    r->node.schema = sb.schema;
    r->node.serialized = true;
    RF_TRY(bind_constant(b, body->from, type, &r->from));
    RF_TRY(bind_constant(b, body->to, type, &r->to));
    r->step = type == TYPE_TIMESPAN || type == TYPE_DATETIME
                  ? value_i64(TYPE_TIMESPAN, TICKS_PER_HOUR)
              : type == TYPE_REAL ? value_real(1)
                                  : value_long(1);
    if (body->step != NULL)
        RF_TRY(bind_constant(b, body->step, time ? TYPE_TIMESPAN : type, &r->step));
    *out = &r->node;
    return RF_OK;
}

const struct operator op_range = {.name = "range",
                                  .doc = "A column of values in even steps, both ends included.",
                                  .syntax = "range Name from Start to End step Step",
                                  .source = true,
                                  .parse = range_parse,
                                  .bind = range_bind};
