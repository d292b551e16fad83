/* plugin_pattern.c - basket, autocluster, diffpatterns: combinations of column values that many rows
 * share. Patterns are grown column by column while enough rows have them; of patterns that the same rows
 * have, only the longest is kept. */
#include <math.h>
#include <stdlib.h>

#include "kql/bind_int.h"
#include "kql/plugin.h"
#include "value/text.h"

enum {
    PATTERN_COLUMNS_MAX = 64,
    DIMENSIONS_DEFAULT = 5,
    PATTERNS_MAX = 1 << 14,
    CLUSTERS_MAX = 10
};
enum what { BASKET, AUTOCLUSTER, DIFFPATTERNS };

struct pattern_options {
    enum what what;
    double threshold, size_weight;
    uint32_t dimensions; /* values in a pattern at most */
    uint32_t columns;    /* of the input; behind them the side (diffpatterns: 0, 1 or null) */
    int hidden;          /* a column that is no part of patterns: the split column; -1 for none */
};

/* A pattern: a code per column, 0 is any value. */
struct pattern {
    uint32_t codes[PATTERN_COLUMNS_MAX];
    uint32_t length;
    uint64_t counts[2]; /* rows, by side */
    double score;
    bool dropped;
};

struct miner {
    struct plugin_run *run;
    const struct pattern_options *o;
    uint64_t row_count, totals[2];
    uint32_t *codes[PATTERN_COLUMNS_MAX];   /* per column, per row: from 1 on */
    uint64_t *example[PATTERN_COLUMNS_MAX]; /* a row with the code */
    uint32_t code_count[PATTERN_COLUMNS_MAX];
    uint8_t *side; /* per row; 2 is neither */
    struct pattern *patterns;
    uint32_t count;
    struct rf_err *err;
};

/* ---- values to codes ------------------------------------------------------------------------- */

static bool encode(struct miner *m, uint32_t column)
{
    struct rf_arena *arena = m->run->arena;
    uint64_t slots = 16;
    while (slots < 2 * m->row_count) slots *= 2;
    uint32_t *table = rf_arena_new(arena, uint32_t, slots);
    m->codes[column] = rf_arena_new(arena, uint32_t, m->row_count);
    m->example[column] = rf_arena_new(arena, uint64_t, m->row_count + 1);
    if (table == NULL || m->codes[column] == NULL || m->example[column] == NULL) return false;
    for (uint64_t r = 0; r < m->row_count; r++) {
        struct value v = rows_value(m->run->rows, r, column);
        uint64_t at = value_hash(&v) & (slots - 1);
        for (; table[at] != 0; at = (at + 1) & (slots - 1)) {
            struct value other = rows_value(m->run->rows, m->example[column][table[at]], column);
            if (value_same(&v, &other)) break;
        }
        if (table[at] == 0) {
            table[at] = ++m->code_count[column];
            m->example[column][table[at]] = r;
        }
        m->codes[column][r] = table[at];
    }
    return true;
}

static enum rf_kind prepare(struct miner *m)
{
    struct rf_arena *arena = m->run->arena;
    m->row_count = rows_count(m->run->rows);
    if (m->row_count >= UINT32_MAX)
        return RF_FAIL(m->err, RF_LIMIT, "TooManyRows", "too many rows to look for patterns in");
    m->side = rf_arena_new(arena, uint8_t, m->row_count);
    m->patterns = rf_arena_new(arena, struct pattern, PATTERNS_MAX);
    if (m->side == NULL || m->patterns == NULL) return rf_fail_memory(m->err, arena);
    for (uint64_t r = 0; r < m->row_count; r++) {
        struct value v = value_long(0);
        if (m->o->what == DIFFPATTERNS) v = rows_value(m->run->rows, r, m->o->columns);
        m->side[r] = v.null ? 2 : (uint8_t)v.i;
        if (!v.null) m->totals[v.i]++;
    }
    for (uint32_t c = 0; c < m->o->columns; c++)
        if ((int)c != m->o->hidden && !encode(m, c)) return rf_fail_memory(m->err, arena);
    return RF_OK;
}

/* ---- growing --------------------------------------------------------------------------------- */

static bool is_frequent(const struct miner *m, const uint64_t counts[2])
{
    if (m->o->what != DIFFPATTERNS)
        return (double)counts[0] >= m->o->threshold * (double)m->totals[0] && counts[0] > 0;
    double a = m->totals[0] == 0 ? 0 : (double)counts[0] / (double)m->totals[0];
    double b = m->totals[1] == 0 ? 0 : (double)counts[1] / (double)m->totals[1];
    return fmax(a, b) >= m->o->threshold;
}

static enum rf_kind grow(struct miner *m, const struct pattern *base, uint32_t column,
                         const uint32_t *rows, uint64_t row_count, struct rf_arena *scratch);

/* Extends `base` by each frequent value of one column. */
static enum rf_kind grow_column(struct miner *m, const struct pattern *base, uint32_t column,
                                const uint32_t *rows, uint64_t row_count, struct rf_arena *scratch)
{
    uint32_t codes = m->code_count[column];
    uint64_t *counts = rf_arena_new(scratch, uint64_t, 2 * ((size_t)codes + 1));
    if (counts == NULL) return rf_fail_memory(m->err, scratch);
    for (uint64_t i = 0; i < row_count; i++)
        if (m->side[rows[i]] < 2) counts[2 * m->codes[column][rows[i]] + m->side[rows[i]]]++;
    for (uint32_t code = 1; code <= codes; code++) {
        if (!is_frequent(m, &counts[2 * code])) continue;
        if (m->count == PATTERNS_MAX) return RF_OK;
        struct pattern *p = &m->patterns[m->count++];
        *p = *base;
        p->codes[column] = code;
        p->length++;
        p->counts[0] = counts[2 * code];
        p->counts[1] = counts[2 * code + 1];
        if (p->length == m->o->dimensions) continue;
        uint64_t n = 0;
        uint32_t *kept = rf_arena_raw(scratch, uint32_t, p->counts[0] + p->counts[1]);
        if (kept == NULL) return rf_fail_memory(m->err, scratch);
        for (uint64_t i = 0; i < row_count; i++)
            if (m->side[rows[i]] < 2 && m->codes[column][rows[i]] == code) kept[n++] = rows[i];
        RF_TRY(grow(m, p, column + 1, kept, n, scratch));
    }
    return RF_OK;
}

/* Recursion is as deep as a pattern is long. Each level's memory goes with its own arena. */
static enum rf_kind grow(struct miner *m, const struct pattern *base, uint32_t column,
                         const uint32_t *rows, uint64_t row_count, struct rf_arena *outer)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    (void)outer;
    rf_arena_init_shared(&scratch, m->run->exec->budget);
    for (uint32_t c = column; c < m->o->columns; c++) {
        if ((int)c == m->o->hidden) continue;
        rf_arena_reset(&scratch);
        RF_TRY(grow_column(m, base, c, rows, row_count, &scratch));
    }
    return RF_OK;
}

/* ---- choosing -------------------------------------------------------------------------------- */

static bool is_part_of(const struct miner *m, const struct pattern *a, const struct pattern *b)
{
    for (uint32_t c = 0; c < m->o->columns; c++)
        if (a->codes[c] != 0 && a->codes[c] != b->codes[c]) return false;
    return true;
}

static int pattern_cmp(const void *a, const void *b)
{
    const struct pattern *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->length != y->length) return x->length > y->length ? -1 : 1;
    return memcmp(x->codes, y->codes, sizeof x->codes);
}

static double share(const struct miner *m, const struct pattern *p, int side)
{
    return m->totals[side] == 0 ? 0 : (double)p->counts[side] / (double)m->totals[side];
}

static void drop_parts(struct miner *m)
{
    for (uint32_t i = 0; i < m->count && !exec_cancelled(m->run->exec); i++)
        for (uint32_t j = 0; j < m->count && !m->patterns[i].dropped; j++) {
            const struct pattern *p = &m->patterns[i], *q = &m->patterns[j];
            bool same = p->counts[0] == q->counts[0] && p->counts[1] == q->counts[1];
            if (i != j && same && q->length > p->length && is_part_of(m, p, q))
                m->patterns[i].dropped = true;
        }
}

static void score(struct miner *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        struct pattern *p = &m->patterns[i];
        double weight = m->o->size_weight;
        if (m->o->what == BASKET) p->score = (double)p->counts[0];
        if (m->o->what == DIFFPATTERNS) p->score = fabs(share(m, p, 0) - share(m, p, 1));
        if (m->o->what == AUTOCLUSTER)
            p->score = pow(share(m, p, 0), weight) *
                       pow((double)p->length / (double)m->o->columns, 1 - weight);
    }
    if (m->count > 1) qsort(m->patterns, m->count, sizeof *m->patterns, pattern_cmp);
}

static bool has_pattern(const struct miner *m, const struct pattern *p, uint64_t row)
{
    for (uint32_t c = 0; c < m->o->columns; c++)
        if (p->codes[c] != 0 && m->codes[c][row] != p->codes[c]) return false;
    return true;
}

/* Best first, each must bring rows that none before it has. */
static bool choose_clusters(struct miner *m)
{
    uint8_t *covered = rf_arena_new(m->run->arena, uint8_t, m->row_count + 1);
    uint32_t chosen = 0;
    if (covered == NULL) return false;
    for (uint32_t i = 0; i < m->count; i++) {
        struct pattern *p = &m->patterns[i];
        uint64_t fresh = 0;
        if (p->dropped || chosen == CLUSTERS_MAX) {
            p->dropped = true;
            continue;
        }
        for (uint64_t r = 0; r < m->row_count; r++)
            fresh += !covered[r] && m->side[r] < 2 && has_pattern(m, p, r);
        if (fresh * 4 < p->counts[0] + p->counts[1]) {
            p->dropped = true;
            continue;
        }
        for (uint64_t r = 0; r < m->row_count; r++)
            if (has_pattern(m, p, r)) covered[r] = 1;
        chosen++;
    }
    return true;
}

/* ---- output ---------------------------------------------------------------------------------- */

static struct value percent(double share) { return value_real(round(share * 1000) / 10); }

static enum rf_kind emit(struct miner *m, const struct pattern *p, int64_t id)
{
    struct value cells[PATTERN_COLUMNS_MAX + 8];
    uint32_t n = 0;
    double a = share(m, p, 0), b = share(m, p, 1);
    cells[n++] = value_long(id);
    cells[n++] = value_long((int64_t)p->counts[0]);
    if (m->o->what == DIFFPATTERNS) {
        cells[n++] = value_long((int64_t)p->counts[1]);
        cells[n++] = value_real(round(a * 10000) / 100);
        cells[n++] = value_real(round(b * 10000) / 100);
        cells[n++] = value_real(round(fabs(a - b) * 10000) / 100);
    } else {
        cells[n++] = percent(a);
    }
    for (uint32_t c = 0; c < m->o->columns; c++) {
        if ((int)c == m->o->hidden) continue;
        cells[n] = value_null((enum type)m->run->schema->columns[n].type);
        if (p->codes[c] != 0) cells[n] = rows_value(m->run->rows, m->example[c][p->codes[c]], c);
        n++;
    }
    return plugin_emit(m->run, cells, m->err);
}

static enum rf_kind pattern_compute(struct plugin_run *run, struct rf_err *err)
{
    struct miner *m = rf_arena_new(run->arena, struct miner, 1);
    if (m == NULL) return rf_fail_memory(err, run->arena);
    *m = (struct miner){.run = run, .o = run->options, .err = err};
    RF_TRY(prepare(m));
    uint32_t *rows = rf_arena_new(run->arena, uint32_t, m->row_count);
    if (rows == NULL) return rf_fail_memory(err, run->arena);
    for (uint64_t r = 0; r < m->row_count; r++) rows[r] = (uint32_t)r;
    struct pattern none = {0};
    RF_TRY(grow(m, &none, 0, rows, m->row_count, run->arena));
    score(m);
    drop_parts(m);
    if (m->o->what != BASKET && !choose_clusters(m)) return rf_fail_memory(err, run->arena);
    int64_t id = 0;
    for (uint32_t i = 0; i < m->count; i++)
        if (!m->patterns[i].dropped) RF_TRY(emit(m, &m->patterns[i], id++));
    return RF_OK;
}

/* ---- binding --------------------------------------------------------------------------------- */

static enum rf_kind number_arg(struct binder *b, const struct plugin_call *call, uint32_t position,
                               double low, double high, double *out)
{
    const struct ast *arg = plugin_arg(call, position, "");
    struct value v = value_null(TYPE_REAL);
    if (arg == NULL || (arg->kind == AST_LITERAL && arg->value.type == TYPE_STRING)) return RF_OK;
    RF_TRY(bind_constant(b, arg, TYPE_REAL, &v)); /* '~' stands for the default */
    if (v.null) return RF_OK;
    if (!(v.r >= low && v.r <= high))
        return bind_fail(b, arg->pos, "BadArguments", "this argument is a number from %g to %g",
                         low, high);
    *out = v.r;
    return RF_OK;
}

static enum rf_kind bind_split(struct binder *b, const struct plugin_call *call, struct node *input,
                               struct pattern_options *o, struct expr **side)
{
    struct expr *split, *args[3], *pair[2];
    struct value one = value_long(1), zero = value_long(0), other = value_null(TYPE_LONG);
    RF_TRY(plugin_scalar(b, call, 0, "SplitColumn", input, &split));
    o->hidden = split->kind == EXPR_COLUMN ? schema_find_id(&input->schema, split->column_id) : -1;
    RF_TRY(bind_cast(b, split, TYPE_STRING, &split));
    struct expr *result = expr_const(b, &other, 0);
    for (uint32_t i = 2; i > 0; i--) {
        struct value text = value_str(RF_S(""));
        RF_TRY(plugin_required(b, call, i, i == 1 ? "SplitValueA" : "SplitValueB", TYPE_STRING,
                               &text));
        pair[0] = split;
        pair[1] = expr_const(b, &text, 0);
        args[1] = expr_const(b, i == 1 ? &zero : &one, 0);
        args[2] = result;
        if (pair[1] == NULL || args[1] == NULL || result == NULL) return BIND_NOMEM(b);
        RF_TRY(bind_call(b, call->ast->pos, RF_S("=="), pair, 2, &args[0]));
        RF_TRY(bind_call(b, call->ast->pos, RF_S("iff"), args, 3, &result));
    }
    *side = result;
    return RF_OK;
}

static enum rf_kind pattern_schema(struct binder *b, const struct node *input,
                                   const struct pattern_options *o, struct schema *out)
{
    static const char *const plain[] = {"Count", "Percent"};
    static const char *const diff[] = {"CountA", "CountB", "PercentA", "PercentB", "PercentDiffAB"};
    bool is_diff = o->what == DIFFPATTERNS;
    struct schema_builder sb = {.b = b};
    bool ok = schema_add(&sb, RF_S("SegmentId"), TYPE_LONG, bind_new_id(b));
    for (size_t i = 0; ok && i < (is_diff ? RF_COUNT(diff) : RF_COUNT(plain)); i++) {
        rf_str name = rf_str_of(is_diff ? diff[i] : plain[i]);
        ok = schema_add(&sb, name, name.ptr[0] == 'C' ? TYPE_LONG : TYPE_REAL, bind_new_id(b));
    }
    for (uint32_t c = 0; ok && c < input->schema.count; c++) {
        const struct column *column = &input->schema.columns[c];
        if ((int)c != o->hidden)
            ok = schema_add(&sb, column->name, (enum type)column->type, bind_new_id(b));
    }
    sb.schema.open = input->schema.open;
    *out = sb.schema;
    return ok ? RF_OK : BIND_NOMEM(b);
}

static enum rf_kind pattern_bind(struct binder *b, const struct plugin_call *call,
                                 struct node *input, enum what what, struct node **out)
{
    static const char *const names[] = {"basket", "autocluster", "diffpatterns"};
    struct pattern_options *o = rf_arena_new(b->arena, struct pattern_options, 1);
    uint32_t columns = input->schema.count;
    struct expr **exprs = rf_arena_new(b->arena, struct expr *, columns + 1);
    struct schema schema;
    struct node *projected;
    double dimensions = DIMENSIONS_DEFAULT;
    if (o == NULL || exprs == NULL) return BIND_NOMEM(b);
    if (columns > PATTERN_COLUMNS_MAX && b->may_run)
        return bind_fail(b, call->ast->pos, "TooManyColumns",
                         "%s looks at %d columns at most; project those of interest before it",
                         names[what], PATTERN_COLUMNS_MAX);
    *o = (struct pattern_options){
        .what = what, .threshold = 0.05, .size_weight = 0.5, .columns = columns, .hidden = -1};
    for (uint32_t c = 0; c < columns; c++)
        if ((exprs[c] = expr_column(b, &input->schema.columns[c], 0)) == NULL) return BIND_NOMEM(b);
    if (what == DIFFPATTERNS) {
        RF_TRY(bind_split(b, call, input, o, &exprs[columns]));
        RF_TRY(number_arg(b, call, 4, 0, 1, &o->threshold));
        RF_TRY(number_arg(b, call, 5, 1, PATTERN_COLUMNS_MAX, &dimensions));
    } else if (what == BASKET) {
        RF_TRY(number_arg(b, call, 0, 0, 1, &o->threshold));
        RF_TRY(number_arg(b, call, 2, 1, PATTERN_COLUMNS_MAX, &dimensions));
    } else {
        RF_TRY(number_arg(b, call, 0, 0, 1, &o->size_weight));
    }
    o->dimensions = (uint32_t)dimensions;
    RF_TRY(pattern_schema(b, input, o, &schema));
    RF_TRY(plugin_columns(b, exprs, columns + (what == DIFFPATTERNS), input, &projected));
    return plugin_node_new(b, names[what], pattern_compute, o, &schema, projected, NULL, out);
}

static enum rf_kind basket_bind(struct binder *b, const struct plugin_call *call,
                                struct node *input, struct node **out)
{
    return pattern_bind(b, call, input, BASKET, out);
}
static enum rf_kind cluster_bind(struct binder *b, const struct plugin_call *call,
                                 struct node *input, struct node **out)
{
    return pattern_bind(b, call, input, AUTOCLUSTER, out);
}
static enum rf_kind diff_bind(struct binder *b, const struct plugin_call *call, struct node *input,
                              struct node **out)
{
    return pattern_bind(b, call, input, DIFFPATTERNS, out);
}

const struct plugin plugins_pattern[] = {
    {.name = "basket",
     .doc = "All combinations of column values that at least a share of the rows has.",
     .syntax = "T | evaluate basket([Threshold [, '~' [, MaxDimensions]]])",
     .bind = basket_bind},
    {.name = "autocluster",
     .doc = "A few combinations of column values that describe many of the rows.",
     .syntax = "T | evaluate autocluster([SizeWeight])",
     .bind = cluster_bind},
    {.name = "diffpatterns",
     .doc = "Combinations of column values that are more frequent in one half of the rows.",
     .syntax = "T | evaluate diffpatterns(SplitColumn, SplitValueA, SplitValueB [, '~' [, "
               "Threshold [, MaxDimensions]]])",
     .bind = diff_bind},
    {0},
};
