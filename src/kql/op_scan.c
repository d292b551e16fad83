/* op_scan.c - reading a table: asks the source for the columns that the plan needs, and tells it which
 * predicates rows must meet further up. */
#include "kql/bind_int.h"
#include "kql/op.h"

enum { SCAN_PREDICATES_MAX = 64 };

struct scan_node {
    struct node node;
    struct source *source;
    uint32_t *indexes;    /* of the node's columns in the source */
    uint32_t *column_ids; /* of all of the source's columns */
    struct scan_path *paths;
    uint32_t path_count;
    struct expr *predicates[SCAN_PREDICATES_MAX];
    uint32_t predicate_count;
    uint64_t limit;
};

static enum rf_kind scan_run(struct node *node, struct exec *exec, struct flow *out,
                             struct rf_err *err)
{
    struct scan_node *s = (struct scan_node *)node;
    struct scan scan = {.columns = s->indexes,
                        .column_count = node->schema.count,
                        .predicates = s->predicates,
                        .predicate_count = s->predicate_count,
                        .column_ids = s->column_ids,
                        .paths = s->paths,
                        .path_count = s->path_count,
                        .limit = s->limit};
    if (exec->sieved == node && exec_takes(exec, SHORTCUT_SIEVE)) scan.sieve = exec->sieve;
    return s->source->ops->scan(s->source, &scan, exec, out, err);
}

static void scan_prune(struct node *node, struct id_set *need)
{
    struct scan_node *s = (struct scan_node *)node;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->predicate_count && need->paths != NULL; i++)
        path_make_own(need->paths, node, s->predicates[i]);
    for (uint32_t i = 0; i < node->schema.count; i++) {
        if (!id_set_has(need, node->schema.columns[i].id)) continue;
        node->schema.columns[kept] = node->schema.columns[i];
        s->indexes[kept++] = s->indexes[i];
    }
    node->schema.count = kept;
}

static void scan_explain(const struct node *node, struct rf_buf *buf)
{
    const struct scan_node *s = (const struct scan_node *)node;
    rf_buf_str(buf, s->source->name);
    for (uint32_t i = 0; i < s->predicate_count; i++) {
        rf_buf_printf(buf, i == 0 ? " where " : " and ");
        expr_explain(s->predicates[i], buf);
    }
    if (s->limit != UINT64_MAX) rf_buf_printf(buf, " limit %llu", (unsigned long long)s->limit);
    for (uint32_t i = 0; i < s->path_count; i++) {
        const struct scan_path *path = &s->paths[i];
        rf_buf_printf(buf, "%s #%u = #%u", i == 0 ? " with" : ",", path->id,
                      s->column_ids[path->column]);
        for (uint32_t k = 0; k < path->key_count; k++)
            rf_buf_printf(buf, ".%.*s", RF_FMT(path->keys[k]));
    }
}

static bool same_path(const struct scan_path *path, uint32_t column, const rf_str *keys,
                      uint32_t key_count)
{
    if (path->column != column || path->key_count != key_count) return false;
    for (uint32_t i = 0; i < key_count; i++)
        if (!rf_str_eq(path->keys[i], keys[i])) return false;
    return true;
}

/* Appends a path to the scan, and its column to the node's. */
static bool add_path(struct scan_node *s, const struct scan_path *path, rf_str name,
                     struct rf_arena *arena)
{
    uint32_t n = s->path_count, count = s->node.schema.count;
    struct scan_path *paths = rf_arena_new(arena, struct scan_path, (size_t)n + 1);
    struct column *columns = rf_arena_new(arena, struct column, (size_t)count + 1);
    uint32_t *indexes = rf_arena_new(arena, uint32_t, (size_t)count + 1);
    if (paths == NULL || columns == NULL || indexes == NULL) return false;
    if (n > 0) memcpy(paths, s->paths, n * sizeof *paths);
    if (count > 0) memcpy(columns, s->node.schema.columns, count * sizeof *columns);
    if (count > 0) memcpy(indexes, s->indexes, count * sizeof *indexes);
    paths[n] = *path;
    columns[count] = (struct column){.name = name, .id = path->id, .type = TYPE_DYNAMIC};
    indexes[count] = s->source->column_count + n;
    s->paths = paths;
    s->path_count = n + 1;
    s->indexes = indexes;
    s->node.schema.columns = columns;
    s->node.schema.count = count + 1;
    return true;
}

static bool scan_path_column(struct node *node, uint32_t id, const rf_str *keys, uint32_t key_count,
                             struct path_maker *maker, struct column *out)
{
    struct scan_node *s = (struct scan_node *)node;
    uint32_t column = 0, i = 0;
    if (!s->source->ops->paths) return false;
    while (column < s->source->column_count && s->column_ids[column] != id) column++;
    if (column == s->source->column_count || s->source->columns[column].type != TYPE_DYNAMIC)
        return false;
    while (i < s->path_count && !same_path(&s->paths[i], column, keys, key_count)) i++;
    if (i == s->path_count) {
        struct scan_path path = {column, keys, key_count, *maker->next_id};
        if (path.id >= maker->end_id || i == PATH_COLUMNS_MAX) return false;
        if (!add_path(s, &path, s->source->columns[column].name, maker->arena)) return false;
        ++*maker->next_id;
    }
    *out = (struct column){
        .name = s->source->columns[column].name, .id = s->paths[i].id, .type = TYPE_DYNAMIC};
    return true;
}

static const struct node_ops scan_ops = {.name = "scan",
                                         .run = scan_run,
                                         .prune = scan_prune,
                                         .explain = scan_explain,
                                         .path_column = scan_path_column,
                                         .by_rows = true};

rf_str scan_name(const struct node *node)
{
    while (node != NULL && node->ops != &scan_ops)
        node = node->input_count == 1 ? node->inputs[0] : NULL;
    return node == NULL ? RF_S("") : ((const struct scan_node *)node)->source->name;
}

/* Leaves the rows that arrived in the request's span. */
static enum rf_kind bind_arrival(struct binder *b, struct scan_node *s, uint32_t column)
{
    const struct exec *exec = b->exec;
    b->has_arrival = true;
    if (!exec->has_ingested) return RF_OK;
    RF_ASSERT(s->source->ops->filters);
    struct value after = value_i64(TYPE_DATETIME, exec->after_ticks),
                 until = value_i64(TYPE_DATETIME, exec->until_ticks);
    struct column arrival = {.type = TYPE_DATETIME, .id = s->column_ids[column]};
    struct expr *low[2] = {expr_column(b, &arrival, 0), expr_const(b, &after, 0)};
    struct expr *high[2] = {low[0], expr_const(b, &until, 0)};
    if (low[0] == NULL || low[1] == NULL || high[1] == NULL) return BIND_NOMEM(b);
    RF_TRY(bind_call(b, 0, RF_S(">"), low, 2, &s->predicates[0]));
    RF_TRY(bind_call(b, 0, RF_S("<="), high, 2, &s->predicates[1]));
    s->predicate_count = 2;
    return RF_OK;
}

enum rf_kind bind_scan(struct binder *b, struct source *source, struct node **out)
{
    if (source->ops->open != NULL) RF_TRY(source->ops->open(source, b->err));
    uint32_t n = source->column_count;
    struct scan_node *s = node_new(b, sizeof *s, &scan_ops, NULL);
    if (s == NULL) return BIND_NOMEM(b);
    s->source = source;
    s->limit = UINT64_MAX;
    s->indexes = rf_arena_new(b->arena, uint32_t, n);
    s->column_ids = rf_arena_new(b->arena, uint32_t, n);
    s->node.schema = (struct schema){.columns = rf_arena_new(b->arena, struct column, n)};
    if (s->indexes == NULL || s->column_ids == NULL || s->node.schema.columns == NULL)
        return BIND_NOMEM(b);
    for (uint32_t i = 0; i < n; i++) {
        const struct ast_column *column = &source->columns[i];
        s->column_ids[i] = bind_new_id(b);
        if (rf_str_is(column->name, ARRIVAL_COLUMN)) {
            RF_TRY(bind_arrival(b, s, i));
            if (!b->wants_arrival) continue;
        }
        s->indexes[s->node.schema.count] = i;
        s->node.schema.columns[s->node.schema.count++] =
            (struct column){.name = column->name, .type = column->type, .id = s->column_ids[i]};
    }
    *out = &s->node;
    return RF_OK;
}

/* Goes down through nodes that neither add nor reorder rows: column ids are unique in the query, so a predicate
 * means the same below them. */
struct node *scan_below(struct node *node)
{
    for (;;) {
        if (node->ops == &scan_ops) return node;
        if (strcmp(node->ops->name, "where") != 0 && strcmp(node->ops->name, "project") != 0)
            return NULL;
        node = node->inputs[0];
    }
}

static bool reads_only(const struct scan_node *s, const struct expr *e)
{
    if (e->kind == EXPR_COLUMN) {
        for (uint32_t i = 0; i < s->source->column_count; i++)
            if (s->column_ids[i] == e->column_id) return true;
        return false;
    }
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (!reads_only(s, e->args[i])) return false;
    return true;
}

const struct source *scan_source(const struct node *node)
{
    return node->ops == &scan_ops ? ((const struct scan_node *)node)->source : NULL;
}

struct expr *const *scan_predicates(const struct node *scan, uint32_t *count)
{
    const struct scan_node *s = (const struct scan_node *)scan;
    *count = s->predicate_count;
    return s->predicates;
}

uint32_t scan_column(const struct node *scan, uint32_t column_id)
{
    const struct scan_node *s = (const struct scan_node *)scan;
    for (uint32_t i = 0; i < s->source->column_count; i++)
        if (s->column_ids[i] == column_id) return i;
    return UINT32_MAX;
}

bool scan_takes_predicate(struct node *node, struct expr *predicate)
{
    struct node *below = node;
    while (strcmp(below->ops->name, "where") == 0 || strcmp(below->ops->name, "project") == 0)
        below = below->inputs[0];
    if (node_is_guard(below) && guard_passes(predicate)) node = below->inputs[0];
    struct scan_node *s = (struct scan_node *)scan_below(node);
    if (s == NULL || !s->source->ops->filters || s->predicate_count == SCAN_PREDICATES_MAX ||
        !reads_only(s, predicate))
        return false;
    s->predicates[s->predicate_count++] = predicate;
    return true;
}

void scan_offer_limit(struct node *node, uint64_t limit)
{
    while (strcmp(node->ops->name, "project") == 0) node = node->inputs[0];
    if (node->ops == &scan_ops) ((struct scan_node *)node)->limit = limit;
}
