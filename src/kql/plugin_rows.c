/* plugin_rows.c - plugins that only rearrange rows: narrow, preview, schema_merge, rows_near,
 * dcount_intersect. */
#include <stdlib.h>

#include "kql/aggr_sketch.h"
#include "kql/op.h"
#include "kql/plugin.h"
#include "value/text.h"

struct fixed_column {
    const char *name;
    enum type type;
};

static enum rf_kind fixed_schema(struct binder *b, const struct fixed_column *columns,
                                 uint32_t count, struct schema *out)
{
    struct schema_builder sb = {.b = b};
    for (uint32_t i = 0; i < count; i++)
        if (!schema_add(&sb, rf_str_of(columns[i].name), columns[i].type, bind_new_id(b)))
            return BIND_NOMEM(b);
    *out = sb.schema;
    return RF_OK;
}

/* ---- narrow ---------------------------------------------------------------------------------- */

static enum rf_kind narrow_compute(struct plugin_run *run, struct rf_err *err)
{
    const struct schema *schema = run->options;
    for (uint64_t r = 0; r < rows_count(run->rows); r++)
        for (uint32_t c = 0; c < schema->count; c++) {
            struct rf_buf text = rf_buf_in(run->arena);
            struct value v = rows_value(run->rows, r, c);
            text_put_value(&text, &v);
            if (text.failed) return rf_fail_memory(err, run->arena);
            struct value cells[] = {value_long((int64_t)r), value_str(schema->columns[c].name),
                                    value_str(rf_buf_view(&text))};
            RF_TRY(plugin_emit(run, cells, err));
        }
    return RF_OK;
}

static enum rf_kind narrow_bind(struct binder *b, const struct plugin_call *call,
                                struct node *input, struct node **out)
{
    static const struct fixed_column columns[] = {
        {"Row", TYPE_LONG}, {"Column", TYPE_STRING}, {"Value", TYPE_STRING}};
    struct schema schema;
    struct schema *before = rf_arena_new(b->arena, struct schema, 1);
    (void)call;
    if (before == NULL) return BIND_NOMEM(b);
    before->count = input->schema.count;
    before->columns = rf_arena_new(b->arena, struct column, before->count);
    if (before->columns == NULL) return BIND_NOMEM(b);
    for (uint32_t c = 0; c < before->count; c++) before->columns[c] = input->schema.columns[c];
    RF_TRY(fixed_schema(b, columns, RF_COUNT(columns), &schema));
    return plugin_node_new(b, "narrow", narrow_compute, before, &schema, input, NULL, out);
}

/* ---- preview --------------------------------------------------------------------------------- */

static enum rf_kind preview_bind(struct binder *b, const struct plugin_call *call,
                                 struct node *input, struct node **out)
{
    struct value count = value_long(0);
    RF_TRY(plugin_required(b, call, 0, "NumberOfRows", TYPE_LONG, &count));
    if (count.null || count.i < 0)
        return bind_fail(b, call->ast->pos, "BadArguments", "preview takes a number of rows");
    return sort_node_new(b, NULL, 0, (uint64_t)count.i, input, out);
}

/* ---- schema_merge ---------------------------------------------------------------------------- */

struct merged {
    rf_str name, data_type, column_type;
};

/* Rows of getschema: each name once, in order of appearance; two types for one name are an error. */
static enum rf_kind merge_compute(struct plugin_run *run, struct rf_err *err)
{
    uint64_t rows = rows_count(run->rows), count = 0;
    struct merged *merged = rf_arena_new(run->arena, struct merged, rows);
    if (merged == NULL) return rf_fail_memory(err, run->arena);
    for (uint64_t r = 0; r < rows; r++) {
        struct merged m = {rows_value(run->rows, r, 0).s, rows_value(run->rows, r, 1).s,
                           rows_value(run->rows, r, 2).s};
        uint64_t at = 0;
        while (at < count && !rf_str_eq(merged[at].name, m.name)) at++;
        if (at < count && !rf_str_eq(merged[at].column_type, m.column_type))
            return RF_FAIL(err, RF_INVALID, "SchemaConflict",
                           "the column '%.*s' is a %.*s in one schema and a %.*s in another",
                           RF_FMT(m.name), RF_FMT(merged[at].column_type), RF_FMT(m.column_type));
        if (at == count) merged[count++] = m;
    }
    for (uint64_t i = 0; i < count; i++) {
        struct value cells[] = {value_str(merged[i].name), value_i64(TYPE_INT, (int64_t)i),
                                value_str(merged[i].data_type), value_str(merged[i].column_type)};
        RF_TRY(plugin_emit(run, cells, err));
    }
    return RF_OK;
}

static enum rf_kind merge_bind(struct binder *b, const struct plugin_call *call, struct node *input,
                               struct node **out)
{
    static const struct fixed_column columns[] = {{"ColumnName", TYPE_STRING},
                                                  {"ColumnOrdinal", TYPE_INT},
                                                  {"DataType", TYPE_STRING},
                                                  {"ColumnType", TYPE_STRING}};
    static const char *const names[] = {"ColumnName", "DataType", "ColumnType"};
    struct expr *exprs[RF_COUNT(names)];
    struct schema schema;
    struct node *projected;
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        struct ast name = {.kind = AST_NAME, .text = rf_str_of(names[i]), .pos = call->ast->pos};
        RF_TRY(bind_scalar(b, &name, &input->schema, &exprs[i]));
        RF_TRY(bind_cast(b, exprs[i], TYPE_STRING, &exprs[i]));
    }
    RF_TRY(plugin_columns(b, exprs, RF_COUNT(names), input, &projected));
    RF_TRY(fixed_schema(b, columns, RF_COUNT(columns), &schema));
    return plugin_node_new(b, "schema_merge", merge_compute, NULL, &schema, projected, NULL, out);
}

/* ---- rows_near ------------------------------------------------------------------------------- */

struct near_options {
    uint64_t before, after;
    uint32_t columns; /* the condition stands behind them */
};

static enum rf_kind near_compute(struct plugin_run *run, struct rf_err *err)
{
    const struct near_options *o = run->options;
    uint64_t count = rows_count(run->rows), ahead = 0, shown_to = 0;
    struct value *cells = rf_arena_new(run->arena, struct value, o->columns);
    if (cells == NULL) return rf_fail_memory(err, run->arena);
    uint64_t next_hit = UINT64_MAX;
    for (uint64_t r = 0; r < count; r++) {
        if (next_hit == UINT64_MAX || next_hit < r) { /* the first hit at or after this row */
            if (ahead < r) ahead = r;
            for (; ahead < count; ahead++) {
                struct value v = rows_value(run->rows, ahead, o->columns);
                if (!v.null && v.b != 0) break;
            }
            next_hit = ahead;
        }
        if (next_hit == r) shown_to = o->after >= count - r ? count : r + o->after + 1;
        if (!(r < shown_to || (next_hit < count && next_hit - r <= o->before))) continue;
        for (uint32_t c = 0; c < o->columns; c++) cells[c] = rows_value(run->rows, r, c);
        RF_TRY(plugin_emit(run, cells, err));
    }
    return RF_OK;
}

static enum rf_kind near_bind(struct binder *b, const struct plugin_call *call, struct node *input,
                              struct node **out)
{
    struct near_options *o = rf_arena_new(b->arena, struct near_options, 1);
    struct expr *condition;
    struct value before = value_long(0), after = value_null(TYPE_LONG);
    struct schema_builder sb = {.b = b};
    struct node *wide;
    if (o == NULL) return BIND_NOMEM(b);
    RF_TRY(plugin_scalar(b, call, 0, "Condition", input, &condition));
    RF_TRY(bind_cast(b, condition, TYPE_BOOL, &condition));
    RF_TRY(plugin_required(b, call, 1, "NumRows", TYPE_LONG, &before));
    RF_TRY(plugin_constant(b, call, 2, "RowsAfter", TYPE_LONG, &after));
    if (after.null) after = before;
    if (before.null || before.i < 0 || after.i < 0)
        return bind_fail(b, call->ast->pos, "BadArguments", "rows_near takes numbers of rows");
    *o = (struct near_options){(uint64_t)before.i, (uint64_t)after.i, input->schema.count};
    for (uint32_t c = 0; c < input->schema.count; c++) {
        const struct column *column = &input->schema.columns[c];
        if (!schema_add_exact(&sb, column->name, (enum type)column->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    sb.schema.open = input->schema.open;
    struct column key = {.name = RF_S("_near"), .id = bind_new_id(b), .type = TYPE_BOOL};
    RF_TRY(extend_node_new(b, &condition, &key, 1, input, &wide));
    RF_TRY(plugin_node_new(b, "rows_near", near_compute, o, &sb.schema, wide, NULL, out));
    (*out)->serialized = true;
    return RF_OK;
}

/* ---- dcount_intersect ------------------------------------------------------------------------- */

enum { INTERSECT_MAX = 8 }; /* the estimate looks at every subset */

static int hash_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The hashes of a set that is still exact, in order; NULL on lack of memory. */
static uint64_t *sorted_hashes(const struct hll *set, struct rf_arena *arena)
{
    uint64_t *hashes = rf_arena_new(arena, uint64_t, (size_t)set->count + 1);
    uint32_t n = 0;
    if (hashes == NULL) return NULL;
    for (uint64_t i = 0; set->count > 0 && i < UINT64_C(1) << set->slots_log2 && n < set->count;
         i++)
        if (set->slots[i] != 0) hashes[n++] = set->slots[i];
    qsort(hashes, n, sizeof *hashes, hash_cmp);
    return hashes;
}

/* Keeps of the common hashes those that are in `set` too. */
static bool intersect_exact(uint64_t **common, uint32_t *count, const struct hll *set,
                            struct rf_arena *arena)
{
    uint64_t *hashes = sorted_hashes(set, arena);
    if (hashes == NULL) return false;
    if (*common == NULL) {
        *common = hashes;
        *count = set->count;
        return true;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++) {
        uint64_t hash = (*common)[i];
        if (bsearch(&hash, hashes, set->count, sizeof hash, hash_cmp) != NULL)
            (*common)[kept++] = hash;
    }
    *count = kept;
    return true;
}

/* By inclusion and exclusion over the unions, which sketches can count. */
static bool intersect_estimate(const struct hll *sets, uint32_t count, struct rf_arena *arena,
                               int64_t *out)
{
    int64_t sum = 0;
    for (uint32_t subset = 1; subset < 1u << count; subset++) {
        struct hll merged = {0};
        uint32_t members = 0;
        for (uint32_t s = 0; s < count; s++) {
            if ((subset >> s & 1) == 0) continue;
            members++;
            if (!hll_merge(&merged, &sets[s], arena)) return false;
        }
        sum += members % 2 == 1 ? hll_count(&merged) : -hll_count(&merged);
    }
    *out = sum < 0 ? 0 : sum;
    return true;
}

static enum rf_kind intersect_row(struct plugin_run *run, uint64_t row, struct rf_err *err)
{
    struct hll sets[INTERSECT_MAX] = {0};
    struct value cells[INTERSECT_MAX];
    uint64_t *common = NULL;
    uint32_t common_count = 0;
    bool exact = true, ok = true;
    for (uint32_t s = 0; s < run->schema->count; s++) {
        struct value v = rows_value(run->rows, row, s);
        int64_t n = 0;
        if (!v.null) ok = hll_from_dyn(v.s, run->arena, &sets[s]);
        exact = exact && !sets[s].dense;
        if (ok && exact) {
            ok = intersect_exact(&common, &common_count, &sets[s], run->arena);
            n = common_count;
        } else if (ok) {
            ok = intersect_estimate(sets, s + 1, run->arena, &n);
        }
        if (!ok) return rf_fail_memory(err, run->arena);
        cells[s] = value_long(n);
    }
    return plugin_emit(run, cells, err);
}

static enum rf_kind intersect_compute(struct plugin_run *run, struct rf_err *err)
{
    for (uint64_t r = 0; r < rows_count(run->rows); r++) RF_TRY(intersect_row(run, r, err));
    return RF_OK;
}

static enum rf_kind intersect_bind(struct binder *b, const struct plugin_call *call,
                                   struct node *input, struct node **out)
{
    struct expr *exprs[INTERSECT_MAX];
    struct schema_builder sb = {.b = b};
    struct node *projected;
    uint32_t count = call->ast->kid_count;
    if (count < 2 || count > INTERSECT_MAX)
        return bind_fail(b, call->ast->pos, "BadArguments",
                         "dcount_intersect takes 2 to %d hll values", INTERSECT_MAX);
    for (uint32_t i = 0; i < count; i++) {
        RF_TRY(plugin_scalar(b, call, i, "hll", input, &exprs[i]));
        RF_TRY(bind_cast(b, exprs[i], TYPE_DYNAMIC, &exprs[i]));
        rf_str name = rf_arena_printf(b->arena, "s%u", i);
        if (name.ptr == NULL || !schema_add(&sb, name, TYPE_LONG, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    RF_TRY(plugin_columns(b, exprs, count, input, &projected));
    return plugin_node_new(b, "dcount_intersect", intersect_compute, NULL, &sb.schema, projected,
                           NULL, out);
}

const struct plugin plugins_rows[] = {
    {.name = "narrow",
     .doc = "Each cell becomes a row: its row's number, its column's name and its text.",
     .syntax = "T | evaluate narrow()",
     .bind = narrow_bind},
    {.name = "preview",
     .doc = "The first rows.",
     .syntax = "T | evaluate preview(NumberOfRows)",
     .bind = preview_bind},
    {.name = "schema_merge",
     .doc = "Unites schemas that getschema gave; a column with two types is an error.",
     .syntax = "T | evaluate schema_merge()",
     .bind = merge_bind},
    {.name = "rows_near",
     .doc = "Rows that meet a condition with their neighbours in the order of the rows.",
     .syntax = "T | evaluate rows_near(Condition, NumRows [, RowsAfter])",
     .bind = near_bind},
    {.name = "dcount_intersect",
     .doc = "s0 counts the first hll's values, s1 those also in the second, and so on.",
     .syntax = "T | evaluate dcount_intersect(Hll, Hll, ...)",
     .bind = intersect_bind},
    {0},
};
