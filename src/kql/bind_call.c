#include <stdio.h>

#include "kql/bind_int.h"
#include "value/text.h"

/* ---- signatures ------------------------------------------------------------------------------ */

static uint8_t param_type(rf_str name)
{
    enum type type;
    name = rf_str_trim(name);
    if (rf_str_is(name, "any")) return SIG_ANY;
    if (rf_str_is(name, "scalar")) return SIG_SCALAR;
    if (rf_str_is(name, "T")) return SIG_T;
    bool known = type_parse(name, &type);
    RF_ASSERT(known);
    return (uint8_t)type;
}

void signature_parse(const char *text, struct signature *out)
{
    rf_str s = rf_str_of(text);
    RF_ASSERT(s.len > 2);
    RF_ASSERT(s.ptr[0] == '(');
    struct signature sig = {0};
    size_t at = 1;
    while (s.ptr[at] != ')') {
        size_t to = at;
        while (s.ptr[to] != ',' && s.ptr[to] != ')') to++;
        rf_str param = rf_str_trim(rf_slice(s, at, to));
        bool optional = param.len > 0 && param.ptr[0] == '[';
        if (optional) param = rf_slice(param, 1, param.len - (param.ptr[param.len - 1] == ']'));
        param = rf_str_trim(param);
        if (rf_str_ends(param, RF_S("..."))) {
            sig.repeats = true;
            param = rf_slice(param, 0, param.len - 3);
            if (param.len > 0 && param.ptr[param.len - 1] == ']') param.len--;
        }
        size_t colon = rf_str_find(param, RF_S(":"), 0);
        rf_str type = colon == SIZE_MAX ? param : rf_slice(param, colon + 1, param.len);
        size_t equals =
            rf_str_find(type, RF_S("="), 0); /* "n:long=5": a default that the kernel knows */
        if (equals != SIZE_MAX) type = rf_slice(type, 0, equals);
        RF_ASSERT(sig.param_count < SIG_PARAMS_MAX);
        if (type.len > 0) {
            sig.params[sig.param_count++] = param_type(type);
            if (!optional) sig.required_count = sig.param_count;
        }
        at = s.ptr[to] == ',' ? to + 1 : to;
    }
    sig.result = param_type(rf_slice(s, at + 1, s.len));
    *out = sig;
}

static int number_rank(enum type t)
{
    return t == TYPE_INT ? 0 : t == TYPE_LONG ? 1 : t == TYPE_REAL ? 2 : t == TYPE_DECIMAL ? 3 : -1;
}

bool type_common(enum type a, enum type b, enum type *out)
{
    if (a == b) {
        *out = a;
        return true;
    }
    if (type_is_number(a) && type_is_number(b)) {
        *out = number_rank(a) > number_rank(b) ? a : b;
        return true;
    }
    if (a == TYPE_DYNAMIC || b == TYPE_DYNAMIC) {
        *out = a == TYPE_STRING || b == TYPE_STRING ? TYPE_STRING : TYPE_DYNAMIC;
        return true;
    }
    return false;
}

/* How far a conversion goes; -1 when it is none that is made without being asked for. */
static int cost(enum type from, enum type to)
{
    if (from == to) return 0;
    if (type_is_number(from) && type_is_number(to)) {
        int step = number_rank(to) - number_rank(from);
        if (from == TYPE_DECIMAL && to == TYPE_REAL) return 10; /* sqrt() and the like */
        /* A count or a level given with a fraction loses it, where nothing takes it as it is. */
        if (to == TYPE_LONG && from != TYPE_INT) return 40;
        return step > 0 ? step : -1;
    }
    /* A number that may have a fraction is read as one that keeps it. */
    if (from == TYPE_DYNAMIC) return to == TYPE_STRING ? 20 : to == TYPE_REAL ? 21 : 22;
    return -1;
}

static bool is_null_const(const struct expr *e) { return e->kind == EXPR_CONST && e->value.null; }

int signature_match(const struct signature *sig, struct expr *const *args, uint32_t arg_count,
                    enum type *common)
{
    if (arg_count < sig->required_count) return -1;
    if (arg_count > sig->param_count && !sig->repeats) return -1;
    int total = 0;
    bool have_common = false;
    for (uint32_t i = 0; i < arg_count; i++) { /* first T */
        uint8_t want = sig->params[RF_MIN(i, sig->param_count - 1)];
        enum type have = args[i]->type;
        if (want != SIG_T) continue;
        if (!have_common) {
            *common = have;
            have_common = true;
        } else if (is_null_const(args[i]) && have == TYPE_DYNAMIC) {
            continue;
        } else if (!type_common(*common, have, common)) {
            return -1;
        }
    }
    for (uint32_t i = 0; i < arg_count; i++) {
        uint8_t want = sig->params[RF_MIN(i, sig->param_count - 1)];
        if (want == SIG_ANY) {
            total += 1;
            continue;
        }
        if (want == SIG_SCALAR) {
            total += args[i]->type == TYPE_STRING ? 0 : 2;
            continue;
        }
        int c = cost(args[i]->type, want == SIG_T ? *common : (enum type)want);
        if (c < 0) return -1;
        total += c;
    }
    return total;
}

enum rf_kind signature_convert(struct binder *b, const struct signature *sig, enum type common,
                               struct expr **args, uint32_t arg_count)
{
    for (uint32_t i = 0; i < arg_count; i++) {
        uint8_t want = sig->params[RF_MIN(i, sig->param_count - 1)];
        if (want == SIG_ANY) continue;
        enum type type = want == SIG_T        ? common
                         : want == SIG_SCALAR ? TYPE_STRING
                                              : (enum type)want;
        RF_TRY(bind_cast(b, args[i], type, &args[i]));
    }
    return RF_OK;
}

/* ---- constants and casts ----------------------------------------------------------------------- */

struct expr *expr_const(struct binder *b, const struct value *v, uint32_t pos)
{
    struct expr *e = rf_arena_zalloc(b->arena, sizeof *e);
    if (e == NULL) return NULL;
    e->kind = EXPR_CONST;
    e->type = v->type;
    e->value = *v;
    e->pos = pos;
    return e;
}

struct expr *expr_column(struct binder *b, const struct column *column, uint32_t pos)
{
    struct expr *e = rf_arena_zalloc(b->arena, sizeof *e);
    if (e == NULL) return NULL;
    e->kind = EXPR_COLUMN;
    e->type = column->type;
    e->column_id = column->id;
    e->pos = pos;
    return e;
}

enum rf_kind bind_cast(struct binder *b, struct expr *expr, enum type type, struct expr **out)
{
    static const char *const casts[TYPE_COUNT] = {"tobool",    "toint",      "tolong",     "toreal",
                                                  "todecimal", "todatetime", "totimespan", "toguid",
                                                  "tostring",  "_todynamic"};
    if (expr->type == type) {
        *out = expr;
        return RF_OK;
    }
    if (expr->kind == EXPR_CONST) {
        struct value v;
        if (!value_convert(&expr->value, type, b->arena, &v)) return BIND_NOMEM(b);
        *out = expr_const(b, &v, expr->pos);
        if (*out == NULL) return BIND_NOMEM(b);
        (*out)->of_now = expr->of_now;
        return RF_OK;
    }
    if (expr->type == TYPE_INT && type == TYPE_LONG && expr->kind == EXPR_COLUMN) { /* same cells */
        struct expr *wide = rf_arena_zalloc(b->arena, sizeof *wide);
        if (wide == NULL) return BIND_NOMEM(b);
        *wide = *expr;
        wide->type = TYPE_LONG;
        *out = wide;
        return RF_OK;
    }
    return bind_call(b, expr->pos, rf_str_of(casts[type]), &expr, 1, out);
}

/* ---- calls --------------------------------------------------------------------------------------- */

static rf_str nth_function(const void *state, size_t index)
{
    (void)state;
    const struct func *f = func_at(index);
    return (f->flags & FUNC_HIDDEN) != 0 ? RF_S("") : rf_str_of(f->name);
}

static enum rf_kind fail_unknown(struct binder *b, uint32_t pos, rf_str name)
{
    rf_str near;
    if (rf_nearest(name, func_count(), nth_function, NULL, &near) != NULL)
        return bind_fail(b, pos, "UnknownFunction",
                         "there is no function '%.*s'; did you mean '%.*s'?", RF_FMT(name),
                         RF_FMT(near));
    return bind_fail(b, pos, "UnknownFunction",
                     "there is no function '%.*s'; `ringfort functions` lists them", RF_FMT(name));
}

static enum rf_kind fail_types(struct binder *b, uint32_t pos, const struct func *f,
                               struct expr *const *args, uint32_t arg_count)
{
    struct rf_buf have = rf_buf_in(b->arena), want = rf_buf_in(b->arena);
    for (uint32_t i = 0; i < arg_count; i++)
        rf_buf_printf(&have, "%s%s", i == 0 ? "" : ", ", type_name(args[i]->type));
    for (uint32_t i = 0; i < 4 && f->sigs[i].sig != NULL; i++)
        rf_buf_printf(&want, "%s%s", i == 0 ? "" : " or ", f->sigs[i].sig);
    return bind_fail(b, pos, "BadArguments", "%s cannot take (%.*s); it takes %.*s", f->name,
                     RF_FMT(rf_buf_view(&have)), RF_FMT(rf_buf_view(&want)));
}

/* Evaluates a call whose arguments are all constants. */
static enum rf_kind fold(struct binder *b, struct expr *call, struct expr **out)
{
    for (uint32_t i = 0; i < call->arg_count; i++)
        if (call->args[i]->kind != EXPR_CONST) return RF_OK;
    if ((call->func->flags & FUNC_VOLATILE) != 0 || call->tuple_count != 0) return RF_OK;
    struct value v;
    RF_TRY(eval_const(b->exec, call, &v, b->err));
    *out = expr_const(b, &v, call->pos);
    if (*out == NULL) return BIND_NOMEM(b);
    (*out)->of_now = strcmp(call->func->name, "now") == 0 || strcmp(call->func->name, "ago") == 0;
    for (uint32_t i = 0; i < call->arg_count; i++) (*out)->of_now |= call->args[i]->of_now;
    return RF_OK;
}

static enum rf_kind resolve(struct binder *b, struct expr *call)
{
    struct func_bind bind = {.func = call->func,
                             .arg_count = call->arg_count,
                             .arena = b->arena,
                             .type = call->type,
                             .kernel = call->kernel};
    uint8_t *types = rf_arena_new(b->arena, uint8_t, call->arg_count);
    const struct value **consts = rf_arena_new(b->arena, const struct value *, call->arg_count);
    if (types == NULL || consts == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < call->arg_count; i++) {
        types[i] = call->args[i]->type;
        if (call->args[i]->kind == EXPR_CONST) consts[i] = &call->args[i]->value;
    }
    bind.types = types;
    bind.consts = consts;
    enum rf_kind kind = call->func->resolve(&bind, b->err);
    if (kind != RF_OK) {
        if (b->err != NULL && b->err->line == 0)
            parse_place(b->text, call->pos, &b->err->line, &b->err->column);
        return kind;
    }
    call->type = (uint8_t)bind.type;
    call->kernel = bind.kernel;
    call->tuple_count = bind.tuple_count;
    call->tuple_names = bind.tuple_names;
    call->tuple_types = bind.tuple_types;
    return RF_OK;
}

/* Whatever goes through an expression goes into its parts, and into a shared part at each of its uses. */
static enum rf_kind measure(struct binder *b, struct expr *call)
{
    uint64_t calls = 1;
    uint32_t depth = 0;
    for (uint32_t i = 0; i < call->arg_count; i++) {
        calls += call->args[i]->call_count;
        depth = RF_MAX(depth, call->args[i]->depth);
    }
    if (calls > EXPR_CALLS_MAX)
        return parse_fail_at(
            b->text, call->pos, b->err, RF_LIMIT, "QueryTooLarge",
            "this expression has more than %d calls, with its functions written out",
            EXPR_CALLS_MAX);
    call->call_count = (uint32_t)calls;
    call->depth = depth + 1;
    return bind_below(b, call->depth, call->pos);
}

enum rf_kind bind_call(struct binder *b, uint32_t pos, rf_str name, struct expr **args,
                       uint32_t arg_count, struct expr **out)
{
    const struct func *f = func_find(name);
    if (f == NULL) return fail_unknown(b, pos, name);
    struct signature sig, best_sig = {0};
    int best = -1;
    enum type common = TYPE_STRING, best_common = TYPE_STRING;
    const struct func_overload *chosen = NULL;
    for (const struct func_overload *o = f->sigs; o->sig != NULL; o++) {
        signature_parse(o->sig, &sig);
        int c = signature_match(&sig, args, arg_count, &common);
        if (c < 0 || (best >= 0 && c >= best)) continue;
        best = c;
        best_sig = sig;
        best_common = common;
        chosen = o;
    }
    if (chosen == NULL) return fail_types(b, pos, f, args, arg_count);
    struct expr *call = rf_arena_zalloc(b->arena, sizeof *call);
    struct expr **copy = rf_arena_new(b->arena, struct expr *, arg_count);
    if (call == NULL || copy == NULL) return BIND_NOMEM(b);
    if (arg_count > 0) memcpy(copy, args, arg_count * sizeof *copy);
    RF_TRY(signature_convert(b, &best_sig, best_common, copy, arg_count));
    *call = (struct expr){.kind = EXPR_CALL,
                          .pos = pos,
                          .func = f,
                          .kernel = chosen->kernel,
                          .args = copy,
                          .arg_count = arg_count};
    call->type = best_sig.result == SIG_T     ? (uint8_t)best_common
                 : best_sig.result == SIG_ANY ? TYPE_DYNAMIC
                                              : best_sig.result;
    RF_TRY(measure(b, call));
    if (f->resolve != NULL) RF_TRY(resolve(b, call));
    *out = call;
    return fold(b, call, out);
}
