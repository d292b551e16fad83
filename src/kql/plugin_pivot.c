/* plugin_pivot.c - pivot: the values of a column become columns that hold an aggregate. */
#include "kql/bind_int.h"
#include "kql/op.h"
#include "kql/plugin.h"
#include "value/text.h"

enum { PIVOT_COLUMNS_MAX = 4096 };

struct pivot {
    struct binder *b;
    const struct plugin_call *call;
    struct node *input;
    struct expr *column;    /* as text */
    struct aggr_list aggrs; /* one */
    struct expr **keys;     /* row columns, then the pivot column */
    struct column *key_columns;
    uint32_t key_count;   /* row columns only */
    struct value missing; /* the aggregate of no rows */
    struct rows *rows;    /* keys, pivot, aggregate */
    rf_str *names;        /* of the new columns, sorted */
    uint32_t name_count;
    uint64_t *cells;  /* output row * name_count + name: row in `rows` + 1 */
    uint64_t *firsts; /* a row in `rows` per output row */
    uint64_t output_count;
};

/* ---- arguments ------------------------------------------------------------------------------- */

static enum rf_kind bind_aggregate_arg(struct pivot *p)
{
    static struct ast *const no_kids[1] = {NULL};
    struct ast count = {.kind = AST_CALL, .text = RF_S("count"), .pos = p->call->ast->pos};
    count.kids = (struct ast **)(uintptr_t)no_kids;
    const struct ast *arg = plugin_arg(p->call, 1, "aggregationFunction");
    struct binder *b = p->b;
    struct aggr_list *outer = b->aggrs;
    struct expr *e;
    b->aggrs = &p->aggrs;
    enum rf_kind kind = bind_scalar(b, arg == NULL ? &count : arg, &p->input->schema, &e);
    b->aggrs = outer;
    RF_TRY(kind);
    if (p->aggrs.count != 1 || e->kind != EXPR_COLUMN)
        return bind_fail(b, p->call->ast->pos, "BadArguments",
                         "pivot's second argument is one aggregation function, such as count()");
    p->aggrs.items[0].column_count = 1; /* of arg_max only the value */
    return RF_OK;
}

static bool reads_column(const struct expr *e, uint32_t id)
{
    if (e->kind == EXPR_COLUMN && e->column_id == id) return true;
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (reads_column(e->args[i], id)) return true;
    return false;
}

static bool is_aggregated(const struct pivot *p, uint32_t id)
{
    const struct aggr_use *use = &p->aggrs.items[0];
    for (uint32_t i = 0; i < use->arg_count; i++)
        if (reads_column(use->args[i], id)) return true;
    return false;
}

static enum rf_kind add_key(struct pivot *p, rf_str name, struct expr *e)
{
    p->keys[p->key_count] = e;
    p->key_columns[p->key_count++] =
        (struct column){.name = name, .id = bind_new_id(p->b), .type = e->type};
    return RF_OK;
}

/* Without named columns all those that are neither spread nor aggregated. */
static enum rf_kind bind_keys(struct pivot *p, uint32_t pivot_id)
{
    struct binder *b = p->b;
    const struct ast *ast = p->call->ast;
    const struct schema *schema = &p->input->schema;
    uint32_t cap = schema->count + ast->kid_count + 1;
    p->keys = rf_arena_new(b->arena, struct expr *, cap);
    p->key_columns = rf_arena_new(b->arena, struct column, cap);
    if (p->keys == NULL || p->key_columns == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 2; i < ast->kid_count; i++) {
        const struct ast *kid = ast->kids[i];
        const struct ast *value = kid->kind == AST_NAMED ? kid->kids[0] : kid;
        struct expr *e;
        rf_str name = plugin_arg_name(b, kid, "Column");
        RF_TRY(bind_scalar(b, value, schema, &e));
        RF_TRY(add_key(p, name, e));
    }
    for (uint32_t c = 0; c < schema->count && ast->kid_count <= 2; c++) {
        const struct column *column = &schema->columns[c];
        if (column->id == pivot_id || is_aggregated(p, column->id)) continue;
        struct expr *e = expr_column(b, column, ast->pos);
        if (e == NULL) return BIND_NOMEM(b);
        RF_TRY(add_key(p, column->name, e));
    }
    p->keys[p->key_count] = p->column;
    p->key_columns[p->key_count] =
        (struct column){.name = RF_S("pivot"), .id = bind_new_id(b), .type = TYPE_STRING};
    return RF_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

/* What a cell without rows shows: the aggregate of nothing, but null instead of not-a-number. */
static enum rf_kind find_missing(struct pivot *p)
{
    struct binder *b = p->b;
    struct node *none, *group;
    struct rows *empty, *result;
    uint8_t *types = rf_arena_new(b->arena, uint8_t, p->input->schema.count);
    if (types == NULL) return BIND_NOMEM(b);
    for (uint32_t c = 0; c < p->input->schema.count; c++)
        types[c] = p->input->schema.columns[c].type;
    empty = rows_new(b->arena, types, p->input->schema.count);
    if (empty == NULL) return BIND_NOMEM(b);
    RF_TRY(rows_node_new(b, &p->input->schema, empty, &none));
    RF_TRY(group_node_new(b, NULL, NULL, 0, &p->aggrs, none, &group));
    RF_TRY(plugin_collect(b, group, &result));
    p->missing = value_null((enum type)p->aggrs.items[0].types[0]);
    if (rows_count(result) == 1) p->missing = rows_value(result, 0, 0);
    if (p->missing.type == TYPE_REAL && !p->missing.null && p->missing.r != p->missing.r)
        p->missing = value_null(TYPE_REAL);
    return RF_OK;
}

static uint32_t find_name(const struct pivot *p, rf_str name, bool *found)
{
    uint32_t low = 0, high = p->name_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rf_str_cmp(p->names[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < p->name_count && rf_str_eq(p->names[low], name);
    return low;
}

static enum rf_kind find_names(struct pivot *p)
{
    uint64_t count = rows_count(p->rows);
    p->names = rf_arena_new(p->b->arena, rf_str, PIVOT_COLUMNS_MAX);
    if (p->names == NULL) return BIND_NOMEM(p->b);
    for (uint64_t r = 0; r < count; r++) {
        bool found;
        rf_str name = rows_value(p->rows, r, p->key_count).s;
        uint32_t at = find_name(p, name, &found);
        if (found) continue;
        if (p->name_count == PIVOT_COLUMNS_MAX)
            return RF_FAIL(p->b->err, RF_LIMIT, "TooManyColumns",
                           "pivot: more than %d values would become columns", PIVOT_COLUMNS_MAX);
        memmove(&p->names[at + 1], &p->names[at], (p->name_count - at) * sizeof *p->names);
        p->names[at] = name;
        p->name_count++;
    }
    return RF_OK;
}

static uint64_t key_hash(const struct pivot *p, uint64_t row)
{
    uint64_t hash = 0;
    for (uint32_t k = 0; k < p->key_count; k++) {
        struct value v = rows_value(p->rows, row, k);
        hash = rf_hash_mix(hash, value_hash(&v));
    }
    return hash;
}

static bool same_key(const struct pivot *p, uint64_t a, uint64_t b)
{
    for (uint32_t k = 0; k < p->key_count; k++) {
        struct value x = rows_value(p->rows, a, k), y = rows_value(p->rows, b, k);
        if (!value_same(&x, &y)) return false;
    }
    return true;
}

/* Brings the groups of equal row columns together, in order of their first appearance. */
static enum rf_kind spread(struct pivot *p)
{
    struct rf_arena *arena = p->b->arena;
    uint64_t count = rows_count(p->rows), slot_count = 16;
    size_t cells;
    while (slot_count < 2 * count) slot_count *= 2;
    uint64_t *slots = rf_arena_new(arena, uint64_t, slot_count); /* output row + 1 */
    p->firsts = rf_arena_new(arena, uint64_t, count);
    if (!rf_mul_size(count, p->name_count, &cells)) return BIND_NOMEM(p->b);
    p->cells = rf_arena_new(arena, uint64_t, cells);
    if (slots == NULL || p->firsts == NULL || p->cells == NULL) return BIND_NOMEM(p->b);
    for (uint64_t r = 0; r < count; r++) {
        uint64_t at = key_hash(p, r) & (slot_count - 1);
        while (slots[at] != 0 && !same_key(p, p->firsts[slots[at] - 1], r))
            at = (at + 1) & (slot_count - 1);
        if (slots[at] == 0) {
            p->firsts[p->output_count] = r;
            slots[at] = ++p->output_count;
        }
        bool found;
        uint32_t name = find_name(p, rows_value(p->rows, r, p->key_count).s, &found);
        p->cells[(slots[at] - 1) * p->name_count + name] = r + 1;
    }
    return RF_OK;
}

/* ---- output ---------------------------------------------------------------------------------- */

/* Where an output column comes from. */
struct pivot_source {
    bool key;
    uint32_t index; /* UINT32_MAX: a column that no row has a value for */
};

static struct value cell(const struct pivot *p, const struct pivot_source *s, uint64_t row)
{
    if (s->key) return rows_value(p->rows, p->firsts[row], s->index);
    uint64_t from = s->index == UINT32_MAX ? 0 : p->cells[row * p->name_count + s->index];
    return from == 0 ? p->missing : rows_value(p->rows, from - 1, p->key_count + 1);
}

static enum rf_kind fill(struct pivot *p, const struct schema *schema,
                         const struct pivot_source *sources, struct rows *rows)
{
    struct rf_arena *arena = p->b->arena;
    for (uint64_t from = 0; from < p->output_count; from += BATCH_ROWS) {
        uint32_t n = (uint32_t)RF_MIN(p->output_count - from, (uint64_t)BATCH_ROWS);
        struct batch batch = {.row_count = n,
                              .column_count = schema->count,
                              .columns = rf_arena_new(arena, struct vec, schema->count),
                              .arena = arena};
        if (batch.columns == NULL) return BIND_NOMEM(p->b);
        for (uint32_t c = 0; c < schema->count; c++) {
            struct vec *v = &batch.columns[c];
            enum type type = (enum type)schema->columns[c].type;
            if (!vec_flat(arena, type, n, v) || vec_need_nulls(arena, v, n) == NULL)
                return BIND_NOMEM(p->b);
            for (uint32_t i = 0; i < n; i++) {
                struct value x = cell(p, &sources[c], from + i), converted = x;
                if (x.type != type) {
                    converted = value_null(type);
                    if (!x.null && !value_convert(&x, type, arena, &converted))
                        return BIND_NOMEM(p->b);
                }
                vec_set(v, i, &converted);
            }
        }
        if (!rows_append(rows, &batch)) return BIND_NOMEM(p->b);
    }
    return RF_OK;
}

static enum rf_kind add_source(struct pivot *p, struct schema_builder *sb,
                               struct pivot_source *sources, struct pivot_source s, rf_str name,
                               enum type type)
{
    sources[sb->schema.count] = s;
    if (name.len == 0) name = RF_S("Column");
    return schema_add(sb, name, type, bind_new_id(p->b)) ? RF_OK : BIND_NOMEM(p->b);
}

static uint32_t find_key(const struct pivot *p, rf_str name)
{
    for (uint32_t k = 0; k < p->key_count; k++)
        if (rf_str_eq(p->key_columns[k].name, name)) return k;
    return UINT32_MAX;
}

static enum rf_kind choose_columns(struct pivot *p, struct schema_builder *sb,
                                   struct pivot_source *sources)
{
    const struct plugin_call *call = p->call;
    enum type type = (enum type)p->aggrs.items[0].types[0];
    for (uint32_t k = 0; k < p->key_count && (!call->has_schema || call->star); k++)
        RF_TRY(add_source(p, sb, sources, (struct pivot_source){true, k}, p->key_columns[k].name,
                          (enum type)p->key_columns[k].type));
    for (uint32_t i = 0; i < p->name_count && !call->has_schema; i++)
        RF_TRY(add_source(p, sb, sources, (struct pivot_source){false, i}, p->names[i], type));
    for (uint32_t i = 0; i < call->column_count; i++) {
        const struct ast_column *column = &call->columns[i];
        uint32_t key = find_key(p, column->name);
        bool found;
        uint32_t at = find_name(p, column->name, &found);
        struct pivot_source s = {key != UINT32_MAX, key != UINT32_MAX ? key
                                                    : found           ? at
                                                                      : UINT32_MAX};
        if (call->star && s.key) continue;
        RF_TRY(add_source(p, sb, sources, s, column->name, (enum type)column->type));
    }
    return RF_OK;
}

static enum rf_kind output(struct pivot *p, bool open, struct node **out)
{
    struct binder *b = p->b;
    struct schema_builder sb = {.b = b};
    uint32_t cap = p->key_count + p->name_count + p->call->column_count;
    struct pivot_source *sources = rf_arena_new(b->arena, struct pivot_source, cap);
    if (sources == NULL) return BIND_NOMEM(b);
    RF_TRY(choose_columns(p, &sb, sources));
    uint8_t *types = rf_arena_new(b->arena, uint8_t, cap);
    if (types == NULL) return BIND_NOMEM(b);
    for (uint32_t c = 0; c < sb.schema.count; c++) types[c] = sb.schema.columns[c].type;
    struct rows *rows = rows_new(b->arena, types, sb.schema.count);
    if (rows == NULL) return BIND_NOMEM(b);
    RF_TRY(fill(p, &sb.schema, sources, rows));
    sb.schema.open = open && !p->call->has_schema;
    return rows_node_new(b, &sb.schema, rows, out);
}

static enum rf_kind pivot_bind(struct binder *b, const struct plugin_call *call, struct node *input,
                               struct node **out)
{
    struct pivot p = {.b = b, .call = call, .input = input};
    RF_TRY(plugin_scalar(b, call, 0, "pivotColumn", input, &p.column));
    uint32_t pivot_id = p.column->kind == EXPR_COLUMN ? p.column->column_id : UINT32_MAX;
    RF_TRY(bind_cast(b, p.column, TYPE_STRING, &p.column));
    RF_TRY(bind_aggregate_arg(&p));
    RF_TRY(bind_keys(&p, pivot_id));
    p.missing = value_null((enum type)p.aggrs.items[0].types[0]);
    if (!b->may_run) return output(&p, true, out);
    struct node *group;
    RF_TRY(find_missing(&p));
    RF_TRY(group_node_new(b, p.keys, p.key_columns, p.key_count + 1, &p.aggrs, input, &group));
    RF_TRY(plugin_collect(b, group, &p.rows));
    RF_TRY(find_names(&p));
    RF_TRY(spread(&p));
    return output(&p, rows_count(p.rows) == 0, out);
}

const struct plugin plugins_pivot[] = {
    {.name = "pivot",
     .doc = "Turns the values of a column into columns that hold an aggregate.",
     .syntax = "T | evaluate pivot(Column [, Aggregate] [, RowColumn, ...]) [: (Column:type, ...)]",
     .bind = pivot_bind},
    {0},
};
