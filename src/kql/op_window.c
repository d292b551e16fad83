/* op_window.c - serialize, and the functions that look at other rows: prev, next, row_number, row_cumsum,
 * row_rank_dense, row_rank_min, row_window_session. The binder moves such calls into a node below the
 * operator that holds them; that node sees all rows in order. */
#include "kql/bind_int.h"
#include "kql/op.h"
#include "value/decimal.h"

enum window_kind {
    WINDOW_PREV,
    WINDOW_NEXT,
    WINDOW_NUMBER,
    WINDOW_CUMSUM,
    WINDOW_RANK_DENSE,
    WINDOW_RANK_MIN,
    WINDOW_SESSION
};

static const struct {
    const char *name;
    enum window_kind kind;
    uint32_t min_args, max_args;
} window_names[] = {
    {"prev", WINDOW_PREV, 1, 3},
    {"next", WINDOW_NEXT, 1, 3},
    {"row_number", WINDOW_NUMBER, 0, 2},
    {"row_cumsum", WINDOW_CUMSUM, 1, 2},
    {"row_rank_dense", WINDOW_RANK_DENSE, 1, 2},
    {"row_rank", WINDOW_RANK_DENSE, 1, 2},
    {"row_rank_min", WINDOW_RANK_MIN, 1, 2},
    {"row_window_session", WINDOW_SESSION, 3, 4},
};

struct window_use {
    enum window_kind kind;
    struct expr *args[4];
    uint32_t arg_count;
    struct column column;
};
struct window_list {
    struct window_list *outer;
    struct window_use *items;
    uint32_t count, cap;
};

struct window_list *bind_windows_begin(struct binder *b)
{
    struct window_list *list = rf_arena_zalloc(b->arena, sizeof *list);
    if (list == NULL) return NULL;
    list->outer = b->windows;
    b->windows = list;
    return list;
}

static enum type window_type(enum window_kind kind, struct expr *const *args)
{
    switch (kind) {
    case WINDOW_PREV:
    case WINDOW_NEXT:
        RF_ASSERT(args[0] != NULL);
        return (enum type)args[0]->type;
    case WINDOW_CUMSUM:
        RF_ASSERT(args[0] != NULL);
        return (enum type)args[0]->type;
    case WINDOW_SESSION:
        return TYPE_DATETIME;
    default:
        return TYPE_LONG;
    }
}

/* What the `i`-th argument must be; TYPE_COUNT: anything. */
static enum type wanted_type(enum window_kind kind, uint32_t i)
{
    static const uint8_t wanted[][4] = {
        [WINDOW_PREV] = {TYPE_COUNT, TYPE_LONG, TYPE_COUNT},
        [WINDOW_NEXT] = {TYPE_COUNT, TYPE_LONG, TYPE_COUNT},
        [WINDOW_NUMBER] = {TYPE_LONG, TYPE_BOOL},
        [WINDOW_CUMSUM] = {TYPE_COUNT, TYPE_BOOL},
        [WINDOW_RANK_DENSE] = {TYPE_COUNT, TYPE_BOOL},
        [WINDOW_RANK_MIN] = {TYPE_COUNT, TYPE_BOOL},
        [WINDOW_SESSION] = {TYPE_DATETIME, TYPE_TIMESPAN, TYPE_TIMESPAN, TYPE_BOOL},
    };
    return (enum type)wanted[kind][i];
}

/* Rows are computed from cells as they lie, so each argument has its type from here on. */
static enum rf_kind convert_arg(struct binder *b, const struct ast *ast, enum window_kind kind,
                                uint32_t i, struct expr **arg)
{
    enum type have = (enum type)(*arg)->type, want = wanted_type(kind, i);
    if (kind == WINDOW_CUMSUM && i == 0) {
        if (type_is_number(have) || have == TYPE_TIMESPAN) return RF_OK;
        return bind_fail(b, ast->kids[i]->pos, "BadArguments",
                         "row_cumsum adds numbers or timespans, this is a %s", type_name(have));
    }
    if (want == TYPE_COUNT || have == want) return RF_OK;
    bool null = (*arg)->kind == EXPR_CONST && (*arg)->value.null;
    if (null || have == TYPE_DYNAMIC || (want == TYPE_LONG && have == TYPE_INT))
        return bind_cast(b, *arg, want, arg);
    return bind_fail(b, ast->kids[i]->pos, "BadArguments",
                     "argument %u of %.*s must be a %s, this is a %s", i + 1, RF_FMT(ast->text),
                     type_name(want), type_name(have));
}

enum rf_kind bind_window_call(struct binder *b, const struct ast *ast, bool *done,
                              struct expr **out)
{
    size_t w = 0;
    *done = false;
    while (w < RF_COUNT(window_names) && !rf_str_is(ast->text, window_names[w].name)) w++;
    if (w == RF_COUNT(window_names)) return RF_OK;
    *done = true;
    struct window_list *list = b->windows;
    if (list == NULL)
        return bind_fail(b, ast->pos, "WindowNotAllowed",
                         "%.*s works in extend, project and where only", RF_FMT(ast->text));
    if (ast->kid_count < window_names[w].min_args || ast->kid_count > window_names[w].max_args)
        return bind_fail(b, ast->pos, "BadArguments", "%.*s takes %u to %u arguments",
                         RF_FMT(ast->text), window_names[w].min_args, window_names[w].max_args);
    struct window_use use = {.kind = window_names[w].kind, .arg_count = ast->kid_count};
    for (uint32_t i = 0; i < ast->kid_count; i++) {
        RF_TRY(bind_expr(b, ast->kids[i], &use.args[i]));
        RF_TRY(convert_arg(b, ast, use.kind, i, &use.args[i]));
    }
    if ((use.kind == WINDOW_PREV || use.kind == WINDOW_NEXT) && use.arg_count == 3)
        RF_TRY(bind_cast(b, use.args[2], (enum type)use.args[0]->type, &use.args[2]));
    use.column = (struct column){.name = RF_S("_window"),
                                 .type = (uint8_t)window_type(use.kind, use.args),
                                 .id = bind_new_id(b)};
    if (list->count == list->cap) {
        uint32_t cap = list->cap == 0 ? 4 : list->cap * 2;
        struct window_use *grown =
            rf_arena_grow(b->arena, list->items, list->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return BIND_NOMEM(b);
        list->items = grown;
        list->cap = cap;
    }
    list->items[list->count++] = use;
    *out = expr_column(b, &use.column, ast->pos);
    return *out == NULL ? BIND_NOMEM(b) : RF_OK;
}

/* ---- the node ---------------------------------------------------------------------------------------- */

struct window_node {
    struct node node; /* input's columns, then one per use */
    struct window_use *uses;
    uint32_t use_count;
    struct expr **exprs; /* all uses' arguments in a row */
    uint32_t expr_count;
};

struct window_flow {
    struct flow flow;
    struct exec *exec;
    struct eval *eval;
    struct rf_arena arena;
    struct rows *rows, *args;
    uint32_t expr_count;
};

static enum rf_kind window_push(struct flow *flow, uint32_t lane, const struct batch *in,
                                struct rf_err *err)
{
    struct window_flow *f = (struct window_flow *)flow;
    (void)lane;
    struct batch args = {.row_count = in->row_count,
                         .column_count = f->expr_count,
                         .arena = in->arena,
                         .columns = rf_arena_raw(in->arena, struct vec, f->expr_count)};
    if (args.columns == NULL) return rf_fail_memory(err, in->arena);
    RF_TRY(eval_run(f->eval, in, args.columns, err));
    if (!rows_append(f->rows, in) || !rows_append(f->args, &args))
        return rf_fail_memory(err, &f->arena);
    return RF_OK;
}

static bool truth(const struct rows *args, uint64_t row, uint32_t column)
{
    struct value v = rows_value(args, row, column);
    return !v.null && v.b;
}

static struct value cumsum(struct value sum, const struct value *v)
{
    if (v->null) return sum;
    if (v->type == TYPE_REAL)
        sum.r += v->r;
    else if (v->type == TYPE_DECIMAL)
        (void)decimal_add(&sum.d, &v->d, &sum.d);
    else
        sum.i = (int64_t)((uint64_t)sum.i + (uint64_t)v->i);
    if (v->type == TYPE_INT) sum.i = (int32_t)(uint32_t)sum.i;
    return sum;
}

static struct value zero_of(enum type type)
{
    struct value v = {.type = (uint8_t)type};
    if (type == TYPE_DECIMAL) v.d = decimal_from_i64(0);
    return v;
}

/* Whether `value` lies more than `most` above `from`. */
static bool farther(int64_t value, int64_t from, int64_t most)
{
    int64_t distance;
    return __builtin_sub_overflow(value, from, &distance) ? value > from : distance > most;
}

/* One use over all rows; `first` is its first argument's column. */
static void window_compute(const struct window_use *use, const struct rows *args, uint32_t first,
                           uint64_t count, struct value *out)
{
    struct value sum = zero_of((enum type)use->column.type), start = {0}, last = {0};
    int64_t number = 0, rank = 0, start_number = 1;
    for (uint64_t i = 0; i < count; i++) {
        struct value v = use->arg_count > 0 ? rows_value(args, i, first) : value_long(1);
        switch (use->kind) {
        case WINDOW_PREV:
        case WINDOW_NEXT: {
            struct value offset =
                use->arg_count > 1 ? rows_value(args, i, first + 1) : value_long(1);
            int64_t at;
            bool outside = use->kind == WINDOW_PREV
                               ? __builtin_sub_overflow((int64_t)i, offset.i, &at)
                               : __builtin_add_overflow((int64_t)i, offset.i, &at);
            if (!outside && at >= 0 && (uint64_t)at < count)
                out[i] = rows_value(args, (uint64_t)at, first);
            else
                out[i] = use->arg_count > 2 ? rows_value(args, i, first + 2)
                                            : value_null((enum type)use->column.type);
            break;
        }
        case WINDOW_NUMBER:
            start_number = use->arg_count > 0 ? v.i : 1;
            number = i == 0 || (use->arg_count > 1 && truth(args, i, first + 1))
                         ? start_number
                         : (int64_t)((uint64_t)number + 1);
            out[i] = value_long(number);
            break;
        case WINDOW_CUMSUM:
            if (use->arg_count > 1 && truth(args, i, first + 1))
                sum = zero_of((enum type)use->column.type);
            sum = cumsum(sum, &v);
            out[i] = sum;
            break;
        case WINDOW_RANK_DENSE:
        case WINDOW_RANK_MIN: {
            bool restart = i == 0 || (use->arg_count > 1 && truth(args, i, first + 1));
            struct value before = i == 0 ? v : rows_value(args, i - 1, first);
            number = restart ? 1 : number + 1;
            if (restart)
                rank = 1;
            else if (!value_same(&v, &before))
                rank = use->kind == WINDOW_RANK_DENSE ? rank + 1 : number;
            out[i] = value_long(rank);
            break;
        }
        case WINDOW_SESSION: {
            struct value from_first = rows_value(args, i, first + 1),
                         between = rows_value(args, i, first + 2);
            bool restart = use->arg_count > 3 && truth(args, i, first + 3);
            out[i] = v;
            if (v.null) break;
            if (i == 0 || restart || start.null || farther(v.i, start.i, from_first.i) ||
                farther(v.i, last.i, between.i))
                start = v;
            last = v;
            out[i] = start;
            break;
        }
        }
    }
}

static enum rf_kind window_emit(struct window_node *n, struct window_flow *f, struct flow *out,
                                struct rf_err *err)
{
    uint64_t count = rows_count(f->rows);
    uint32_t width = n->node.inputs[0]->schema.count, total = n->node.schema.count;
    struct value **results = rf_arena_new(&f->arena, struct value *, n->use_count);
    if (results == NULL) return rf_fail_memory(err, &f->arena);
    for (uint32_t u = 0, first = 0; u < n->use_count; first += n->uses[u].arg_count, u++) {
        results[u] = rf_arena_new(&f->arena, struct value, count);
        if (results[u] == NULL) return rf_fail_memory(err, &f->arena);
        window_compute(&n->uses[u], f->args, first, count, results[u]);
    }
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, f->exec->budget);
    for (uint64_t from = 0; from < count && !flow_done(out); from += BATCH_ROWS) {
        struct batch in, batch;
        rf_arena_reset(&arena);
        if (!rows_batch(f->rows, from, &arena, &in)) return rf_fail_memory(err, &arena);
        batch = (struct batch){.row_count = in.row_count,
                               .column_count = total,
                               .arena = &arena,
                               .columns = rf_arena_new(&arena, struct vec, total)};
        if (batch.columns == NULL) return rf_fail_memory(err, &arena);
        if (width > 0) memcpy(batch.columns, in.columns, width * sizeof *batch.columns);
        for (uint32_t u = 0; u < n->use_count; u++) {
            struct vec *v = &batch.columns[width + u];
            if (!vec_flat(&arena, (enum type)n->uses[u].column.type, in.row_count, v) ||
                vec_need_nulls(&arena, v, in.row_count) == NULL)
                return rf_fail_memory(err, &arena);
            for (uint32_t i = 0; i < in.row_count; i++) vec_set(v, i, &results[u][from + i]);
        }
        RF_TRY(flow_push(f->exec, out, 0, &batch, err));
    }
    return RF_OK;
}

static struct rows *rows_like(struct rf_arena *arena, const struct schema *schema)
{
    uint8_t *types = rf_arena_new(arena, uint8_t, schema->count);
    if (types == NULL) return NULL;
    for (uint32_t i = 0; i < schema->count; i++) types[i] = schema->columns[i].type;
    return rows_new(arena, types, schema->count);
}

static enum rf_kind window_run(struct node *node, struct exec *exec, struct flow *out,
                               struct rf_err *err)
{
    struct window_node *n = (struct window_node *)node;
    struct window_flow f = {
        .flow = {.push = window_push}, .exec = exec, .expr_count = n->expr_count};
    uint32_t lanes = exec->lane_count;
    enum rf_kind kind = RF_OK;
    rf_arena_init_shared(&f.arena, exec->budget);
    uint8_t *types = rf_arena_new(&f.arena, uint8_t, n->expr_count);
    for (uint32_t i = 0; types != NULL && i < n->expr_count; i++) types[i] = n->exprs[i]->type;
    f.rows = rows_like(&f.arena, &node->inputs[0]->schema);
    f.args = types == NULL ? NULL : rows_new(&f.arena, types, n->expr_count);
    if (f.rows == NULL || f.args == NULL) kind = rf_fail_memory(err, &f.arena);
    exec->lane_count = 1; /* order matters */
    if (kind == RF_OK)
        kind = eval_new(exec, &f.arena, n->exprs, n->expr_count, &node->inputs[0]->schema, &f.eval,
                        err);
    if (kind == RF_OK) kind = node_run(node->inputs[0], exec, &f.flow, err);
    exec->lane_count = lanes;
    if (kind == RF_OK) kind = window_emit(n, &f, out, err);
    eval_done(f.eval);
    rf_arena_done(&f.arena);
    return kind;
}

static const struct node_ops window_ops = {.name = "window", .run = window_run};

/* One node for a run of uses that do not read each other. */
static enum rf_kind window_node_new(struct binder *b, struct window_use *uses, uint32_t count,
                                    struct node **input)
{
    struct window_node *n = node_new(b, sizeof *n, &window_ops, *input);
    if (n == NULL) return BIND_NOMEM(b);
    struct schema_builder sb = {.b = b};
    n->uses = uses;
    n->use_count = count;
    for (uint32_t u = 0; u < count; u++) n->expr_count += uses[u].arg_count;
    n->exprs = rf_arena_new(b->arena, struct expr *, n->expr_count);
    if (n->exprs == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < (*input)->schema.count; i++) {
        const struct column *c = &(*input)->schema.columns[i];
        if (!schema_add_exact(&sb, c->name, (enum type)c->type, c->id)) return BIND_NOMEM(b);
    }
    for (uint32_t u = 0, e = 0; u < count; u++) {
        for (uint32_t a = 0; a < uses[u].arg_count; a++) n->exprs[e++] = uses[u].args[a];
        if (!schema_add_exact(&sb, uses[u].column.name, (enum type)uses[u].column.type,
                              uses[u].column.id))
            return BIND_NOMEM(b);
    }
    sb.schema.open = (*input)->schema.open;
    n->node.schema = sb.schema;
    *input = &n->node;
    return RF_OK;
}

static bool reads(const struct expr *e, const struct window_use *uses, uint32_t count)
{
    for (uint32_t u = 0; e->kind == EXPR_COLUMN && u < count; u++)
        if (uses[u].column.id == e->column_id) return true;
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (reads(e->args[i], uses, count)) return true;
    return false;
}

/* Inner calls were noted before the outer ones that read them: row_cumsum(x, y != prev(y)). */
enum rf_kind bind_windows_end(struct binder *b, struct window_list *list, struct node **input)
{
    if (list == NULL) return BIND_NOMEM(b);
    b->windows = list->outer;
    uint32_t from = 0;
    for (uint32_t u = 0; u < list->count; u++) {
        bool depends = false;
        for (uint32_t a = 0; a < list->items[u].arg_count; a++)
            depends = depends || reads(list->items[u].args[a], list->items + from, u - from);
        if (!depends) continue;
        RF_TRY(window_node_new(b, list->items + from, u - from, input));
        from = u;
    }
    return from < list->count ? window_node_new(b, list->items + from, list->count - from, input)
                              : RF_OK;
}
