/* Paths of dynamic columns become columns of the scan. The reader of D.a.b need not know where D comes from: D is followed down
 * through nodes that leave rows as they are, to the scan. The path's column is then passed on by those nodes, and the expression
 * becomes that column; where nothing else needs D, pruning drops it. */
#include "kql/exec.h"

/* A path: keys over a column. */
struct path {
    uint32_t column_id;
    rf_str keys[PATH_KEYS_MAX]; /* from the inside to the outside */
    uint32_t key_count;
};

/* parse_json(D) of a dynamic is D. */
static bool is_identity(const struct expr *e)
{
    static const char *const names[] = {"parse_json", "parsejson", "todynamic", "toobject"};
    if (e->arg_count != 1 || e->args[0]->type != TYPE_DYNAMIC) return false;
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (strcmp(e->func->name, names[i]) == 0) return true;
    return false;
}

static bool is_member(const struct expr *e)
{
    return e->arg_count == 2 && strcmp(e->func->name, "_member") == 0 &&
           e->args[1]->kind == EXPR_CONST && e->args[1]->type == TYPE_STRING &&
           !e->args[1]->value.null;
}

/* Puts what `e` asks of a column behind the keys that are there. False: it is no path. */
static bool follow(const struct expr *e, struct path *path)
{
    while (e->kind == EXPR_CALL) {
        if (is_member(e)) {
            if (path->key_count == PATH_KEYS_MAX) return false;
            path->keys[path->key_count++] = e->args[1]->value.s;
        } else if (!is_identity(e)) {
            return false;
        }
        e = e->args[0];
    }
    path->column_id = e->column_id;
    return e->kind == EXPR_COLUMN && e->type == TYPE_DYNAMIC;
}

/* The scan that the path's column comes from; follows the path through computed columns. */
static struct node *find_scan(struct node *node, struct path *path)
{
    while (node->ops->path_column == NULL) {
        if (node->pruned || node->input_count != 1) return NULL;
        if (!node->ops->same_columns) {
            const struct expr *e = node->ops->column_expr == NULL
                                       ? NULL
                                       : node->ops->column_expr(node, path->column_id);
            if (e == NULL || node->ops->pass_column == NULL || !follow(e, path)) return NULL;
        }
        node = node->inputs[0];
    }
    return node->pruned ? NULL : node;
}

/* The keys from the outside to the inside, in `arena`. */
static const rf_str *keys_of(const struct path *path, struct rf_arena *arena)
{
    rf_str *keys = rf_arena_new(arena, rf_str, path->key_count);
    for (uint32_t i = 0; keys != NULL && i < path->key_count; i++)
        keys[i] = path->keys[path->key_count - 1 - i];
    return keys;
}

static void become_column(struct expr *e, const struct column *column)
{
    e->kind = EXPR_COLUMN;
    e->column_id = column->id;
    e->arg_count = 0;
}

/* Without memory for it an expression stays what it is. */
bool path_make_column(struct path_maker *maker, struct expr *expr)
{
    struct path path = {0};
    struct column column;
    struct node *from = maker->reader->input_count == 1 ? maker->reader->inputs[0] : NULL;
    if (from == NULL || expr->kind != EXPR_CALL || !is_member(expr) || !follow(expr, &path))
        return false;
    struct node *scan = find_scan(from, &path);
    const rf_str *keys = scan == NULL ? NULL : keys_of(&path, maker->arena);
    if (keys == NULL ||
        !scan->ops->path_column(scan, path.column_id, keys, path.key_count, maker, &column))
        return false;
    /* A node between that lacks the memory to pass it on leaves it a column that only others read. */
    for (struct node *node = from; node != scan; node = node->inputs[0])
        if (!node->ops->same_columns && schema_find_id(&node->schema, column.id) < 0 &&
            !node->ops->pass_column(node, &column, maker->arena))
            return false;
    become_column(expr, &column);
    return true;
}

void path_make_own(struct path_maker *maker, struct node *scan, struct expr *expr)
{
    struct path path = {0};
    struct column column;
    if (expr->kind == EXPR_CALL && is_member(expr) && follow(expr, &path)) {
        const rf_str *keys = keys_of(&path, maker->arena);
        if (keys != NULL &&
            scan->ops->path_column(scan, path.column_id, keys, path.key_count, maker, &column)) {
            become_column(expr, &column);
            return;
        }
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) path_make_own(maker, scan, expr->args[i]);
}

bool id_set_new(const struct exec *exec, struct rf_arena *arena, uint32_t *next_id,
                struct id_set *out)
{
    uint32_t words = (*next_id + PATH_COLUMNS_MAX) / 64 + 1;
    *out = (struct id_set){.words = rf_arena_new(arena, uint64_t, words),
                           .word_count = words,
                           .paths = rf_arena_new(arena, struct path_maker, 1)};
    if (out->words == NULL || out->paths == NULL) return false;
    *out->paths = (struct path_maker){.arena = arena, .next_id = next_id, .end_id = words * 64};
    if (!exec_takes(exec, SHORTCUT_PRUNE)) memset(out->words, 0xff, words * sizeof *out->words);
    if (!exec_takes(exec, SHORTCUT_PATHS)) out->paths = NULL;
    return true;
}
