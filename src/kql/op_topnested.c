/* op_topnested.c - top-nested: the greatest groups, within them the greatest groups of the next level,
 * and so on.
 *
 * The rows are kept. Level by level, a summarize over the rows that are still in gives the groups; the
 * best of each parent stay, and the rows of the others leave, counted once more for `with others`. */
#define _GNU_SOURCE /* qsort_r */
#include <stdlib.h>

#include "kql/key_map.h"
#include "kql/op.h"
#include "kql/op_pick.h"

enum { NESTED_LEVELS_MAX = 64 };

struct level_body {
    struct ast *limit, *of, *others, *by;
    bool ascending;
};
struct nested_body {
    struct level_body levels[NESTED_LEVELS_MAX];
    uint32_t count;
};

/* ---- parsing --------------------------------------------------------------------------------- */

static enum rf_kind parse_level(struct parser *p, struct level_body *level)
{
    if (!parse_is(p, 0, "of")) RF_TRY(parse_expr(p, &level->limit));
    RF_TRY(parse_expect(p, "of"));
    RF_TRY(parse_named_expr(p, &level->of));
    if (parse_accept(p, "with")) {
        RF_TRY(parse_expect(p, "others"));
        RF_TRY(parse_expect(p, "="));
        RF_TRY(parse_expr(p, &level->others));
    }
    RF_TRY(parse_expect(p, "by"));
    RF_TRY(parse_named_expr(p, &level->by));
    level->ascending = parse_accept(p, "asc");
    if (!level->ascending) (void)parse_accept(p, "desc");
    return RF_OK;
}

static enum rf_kind nested_parse(struct parser *p, struct ast *node)
{
    struct nested_body *body = rf_arena_new(p->arena, struct nested_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    for (;;) {
        if (body->count == NESTED_LEVELS_MAX)
            return parse_fail_at(p->text, parse_peek(p)->pos, p->err, RF_LIMIT, "TooManyLevels",
                                 "top-nested has at most %d levels", NESTED_LEVELS_MAX);
        RF_TRY(parse_level(p, &body->levels[body->count++]));
        if (!parse_accept(p, ",")) return RF_OK;
        if (!parse_is(p, 0, "top") || !parse_is(p, 1, "-") || !parse_is(p, 2, "nested"))
            return parse_expected(p, "'top-nested'");
        p->at += 3;
    }
}

/* ---- the node -------------------------------------------------------------------------------- */

struct nested_level {
    uint64_t limit;
    bool has_others, ascending;
    struct value others;
    uint32_t key_id;           /* column of the kept rows */
    struct node *groups;       /* keys of the levels down to this one, and the aggregate */
    struct node *others_group; /* keys of the levels above, and the aggregate */
};

struct nested_node {
    struct node node; /* a key and an aggregate for each level */
    struct pick_node *pick;
    struct nested_level *levels;
    uint32_t level_count;
};

struct group {       /* a node of the result's tree */
    uint32_t parent; /* of the level above */
    struct value key, aggregate;
    bool others;
};

struct nested_run {
    struct nested_node *node;
    struct exec *exec;
    struct rf_arena arena;
    struct rows *rows;
    uint64_t *active;   /* rows that are still in */
    uint32_t *group_of; /* their groups on the level above */
    uint64_t active_count;
    struct key_map *maps;  /* per level: parent and key to group */
    struct group **groups; /* per level, best first within a parent; groups of others behind all */
    uint32_t *group_counts;
    uint32_t **firsts; /* per level: parent p has groups firsts[p] .. firsts[p + 1] - 1 */
    uint32_t **others; /* per level: each parent's group of others, or KEY_MAP_NONE */
};

static int group_cmp(const void *x, const void *y, void *ascending)
{
    const struct group *a = x, *b = y;
    if (a->parent != b->parent) return a->parent < b->parent ? -1 : 1;
    if (a->aggregate.null || b->aggregate.null) {
        if (a->aggregate.null != b->aggregate.null) return a->aggregate.null ? 1 : -1;
    } else {
        int c = value_cmp(&a->aggregate, &b->aggregate);
        if (c != 0) return *(const bool *)ascending ? c : -c;
    }
    if (a->key.null || b->key.null) return a->key.null - b->key.null;
    return value_cmp(&a->key, &b->key); /* ties come in an order that one can rely on */
}

/* The group that the first `depth` keys of a result row lead to. */
static uint32_t find_parent(const struct nested_run *r, const struct rows *rows, uint64_t row,
                            uint32_t depth)
{
    uint32_t parent = 0;
    for (uint32_t i = 0; i < depth && parent != KEY_MAP_NONE; i++) {
        struct value pair[2] = {value_long(parent), rows_value(rows, row, i)};
        parent = key_map_find(&r->maps[i], pair);
    }
    return parent;
}

/* Keeps the first `limit` of each parent. */
static uint32_t keep_best(struct group *groups, uint32_t count, uint64_t limit)
{
    uint32_t kept = 0;
    uint64_t rank = 0;
    for (uint32_t i = 0; i < count; i++) {
        rank = i > 0 && groups[i].parent == groups[i - 1].parent ? rank + 1 : 0;
        if (rank < limit) groups[kept++] = groups[i];
    }
    return kept;
}

static enum rf_kind run_over(struct nested_run *r, struct node *node, const uint64_t *rows,
                             uint64_t count, struct rows **out, struct rf_err *err)
{
    r->node->pick->rows = r->rows;
    r->node->pick->picked = rows;
    r->node->pick->count = count;
    return node_collect(node, r->exec, &r->arena, out, err);
}

static enum rf_kind find_groups(struct nested_run *r, uint32_t depth, struct rf_err *err)
{
    struct nested_level *level = &r->node->levels[depth];
    struct rows *result;
    RF_TRY(run_over(r, level->groups, r->active, r->active_count, &result, err));
    uint64_t count = rows_count(result);
    /* Room for one row of others per parent. */
    uint64_t parents = depth == 0 ? 1 : r->group_counts[depth - 1];
    if (count + parents > UINT32_MAX / 2) return rf_fail_memory(err, &r->arena);
    struct group *groups = rf_arena_new(&r->arena, struct group, count + parents);
    if (groups == NULL) return rf_fail_memory(err, &r->arena);
    for (uint64_t i = 0; i < count; i++)
        groups[i] = (struct group){.parent = find_parent(r, result, i, depth),
                                   .key = rows_value(result, i, depth),
                                   .aggregate = rows_value(result, i, depth + 1)};
    if (count > 1) qsort_r(groups, count, sizeof *groups, group_cmp, &level->ascending);
    r->groups[depth] = groups;
    r->group_counts[depth] = keep_best(groups, (uint32_t)count, level->limit);
    r->maps[depth] = key_map_in(&r->arena, 2);
    for (uint32_t i = 0; i < r->group_counts[depth]; i++) {
        struct value pair[2] = {value_long(groups[i].parent), groups[i].key};
        if (key_map_add(&r->maps[depth], pair) == KEY_MAP_NONE)
            return rf_fail_memory(err, &r->arena);
    }
    return RF_OK;
}

/* Rows of groups that stayed go on; the others are gathered in `left`. */
static enum rf_kind split_active(struct nested_run *r, uint32_t depth, uint64_t **left,
                                 uint64_t *left_count, struct rf_err *err)
{
    int key = schema_find_id(&r->node->pick->node.schema, r->node->levels[depth].key_id);
    RF_ASSERT(key >= 0);
    uint64_t kept = 0;
    *left_count = 0;
    *left = rf_arena_raw(&r->arena, uint64_t, r->active_count);
    if (*left == NULL) return rf_fail_memory(err, &r->arena);
    for (uint64_t i = 0; i < r->active_count; i++) {
        struct value pair[2] = {value_long(r->group_of[i]),
                                rows_value(r->rows, r->active[i], (uint32_t)key)};
        uint32_t group = key_map_find(&r->maps[depth], pair);
        if (group == KEY_MAP_NONE) {
            (*left)[(*left_count)++] = r->active[i];
        } else {
            r->active[kept] = r->active[i];
            r->group_of[kept++] = group;
        }
    }
    r->active_count = kept;
    return RF_OK;
}

static enum rf_kind add_others(struct nested_run *r, uint32_t depth, const uint64_t *left,
                               uint64_t left_count, struct rf_err *err)
{
    const struct nested_level *level = &r->node->levels[depth];
    struct rows *result;
    if (!level->has_others || left_count == 0) return RF_OK;
    RF_TRY(run_over(r, level->others_group, left, left_count, &result, err));
    for (uint64_t i = 0; i < rows_count(result); i++) {
        uint32_t parent = find_parent(r, result, i, depth), at = r->group_counts[depth]++;
        r->groups[depth][at] = (struct group){.parent = parent,
                                              .key = level->others,
                                              .aggregate = rows_value(result, i, depth),
                                              .others = true};
        r->others[depth][parent] = at;
    }
    return RF_OK;
}

/* Where each parent's groups lie; they are sorted by parent. */
static enum rf_kind index_children(struct nested_run *r, uint32_t depth, struct rf_err *err)
{
    uint32_t parents = depth == 0 ? 1 : r->group_counts[depth - 1];
    uint32_t *firsts = rf_arena_new(&r->arena, uint32_t, (size_t)parents + 1);
    uint32_t *others = rf_arena_raw(&r->arena, uint32_t, parents);
    if (firsts == NULL || others == NULL) return rf_fail_memory(err, &r->arena);
    for (uint32_t i = 0; i < r->group_counts[depth]; i++) firsts[r->groups[depth][i].parent + 1]++;
    for (uint32_t i = 0; i < parents; i++) {
        firsts[i + 1] += firsts[i];
        others[i] = KEY_MAP_NONE;
    }
    r->firsts[depth] = firsts;
    r->others[depth] = others;
    return RF_OK;
}

/* ---- output: each path of the tree, parents in order ------------------------------------------- */

struct nested_output {
    struct nested_run *run;
    struct rows *rows;
    struct value *cells; /* of the path */
    struct vec *columns;
};

static enum rf_kind output_row(struct nested_output *o, uint32_t filled, struct rf_err *err)
{
    static const uint8_t null_byte[1] = {1};
    const struct schema *schema = &o->run->node->node.schema;
    for (uint32_t i = filled; i < schema->count; i++)
        o->cells[i] = schema->columns[i].type == TYPE_STRING
                          ? value_str(RF_S(""))
                          : value_null((enum type)schema->columns[i].type);
    for (uint32_t i = 0; i < schema->count; i++)
        o->columns[i] = (struct vec){.type = schema->columns[i].type,
                                     .shape = VEC_CONST,
                                     .data = &o->cells[i].d,
                                     .nulls = o->cells[i].null ? null_byte : NULL};
    struct batch one = {.row_count = 1, .column_count = schema->count, .columns = o->columns};
    return rows_append(o->rows, &one) ? RF_OK : rf_fail_memory(err, &o->run->arena);
}

static enum rf_kind output_level(struct nested_output *o, uint32_t depth, uint32_t parent,
                                 struct rf_err *err);

static enum rf_kind output_group(struct nested_output *o, uint32_t depth, uint32_t index,
                                 struct rf_err *err)
{
    const struct group *g = &o->run->groups[depth][index];
    o->cells[depth * 2] = g->key;
    o->cells[depth * 2 + 1] = g->aggregate;
    if (!g->others && depth + 1 < o->run->node->level_count)
        return output_level(o, depth + 1, index, err);
    return output_row(o, depth * 2 + 2, err);
}

/* Goes no deeper than NESTED_LEVELS_MAX. */
static enum rf_kind output_level(struct nested_output *o, uint32_t depth, uint32_t parent,
                                 struct rf_err *err)
{
    const struct nested_run *r = o->run;
    for (uint32_t i = r->firsts[depth][parent]; i < r->firsts[depth][parent + 1]; i++)
        RF_TRY(output_group(o, depth, i, err));
    uint32_t others = r->others[depth][parent];
    return others == KEY_MAP_NONE ? RF_OK : output_group(o, depth, others, err);
}

static enum rf_kind nested_emit(struct nested_run *r, struct flow *out, struct rf_err *err)
{
    const struct schema *schema = &r->node->node.schema;
    struct nested_output o = {.run = r};
    uint8_t *types = rf_arena_new(&r->arena, uint8_t, schema->count);
    o.cells = rf_arena_new(&r->arena, struct value, schema->count);
    o.columns = rf_arena_new(&r->arena, struct vec, schema->count);
    if (types == NULL || o.cells == NULL || o.columns == NULL)
        return rf_fail_memory(err, &r->arena);
    for (uint32_t i = 0; i < schema->count; i++) types[i] = schema->columns[i].type;
    o.rows = rows_new(&r->arena, types, schema->count);
    if (o.rows == NULL) return rf_fail_memory(err, &r->arena);
    RF_TRY(output_level(&o, 0, 0, err));
    return rows_push(o.rows, r->exec, out, err);
}

static enum rf_kind run_levels(struct nested_run *r, struct rf_err *err)
{
    uint32_t levels = r->node->level_count;
    r->active_count = rows_count(r->rows);
    r->active = rf_arena_raw(&r->arena, uint64_t, r->active_count);
    r->group_of = rf_arena_new(&r->arena, uint32_t, r->active_count);
    r->maps = rf_arena_new(&r->arena, struct key_map, levels);
    r->groups = rf_arena_new(&r->arena, struct group *, levels);
    r->group_counts = rf_arena_new(&r->arena, uint32_t, levels);
    r->firsts = rf_arena_new(&r->arena, uint32_t *, levels);
    r->others = rf_arena_new(&r->arena, uint32_t *, levels);
    if (r->active == NULL || r->group_of == NULL || r->maps == NULL || r->groups == NULL ||
        r->group_counts == NULL || r->firsts == NULL || r->others == NULL)
        return rf_fail_memory(err, &r->arena);
    for (uint64_t i = 0; i < r->active_count; i++) r->active[i] = i;
    for (uint32_t depth = 0; depth < levels; depth++) {
        uint64_t *left, left_count;
        RF_TRY(find_groups(r, depth, err));
        RF_TRY(index_children(r, depth, err));
        RF_TRY(split_active(r, depth, &left, &left_count, err));
        RF_TRY(add_others(r, depth, left, left_count, err));
    }
    return RF_OK;
}

static enum rf_kind nested_run(struct node *node, struct exec *exec, struct flow *out,
                               struct rf_err *err)
{
    struct nested_run r = {.node = (struct nested_node *)node, .exec = exec};
    rf_arena_init_shared(&r.arena, exec->budget);
    enum rf_kind kind = node_collect(node->inputs[0], exec, &r.arena, &r.rows, err);
    uint32_t lanes = exec->lane_count;
    exec->lane_count = 1;
    if (kind == RF_OK) kind = run_levels(&r, err);
    exec->lane_count = lanes;
    if (kind == RF_OK) kind = nested_emit(&r, out, err);
    rf_arena_done(&r.arena);
    return kind;
}

static void nested_prune(struct node *node, struct id_set *need)
{
    struct nested_node *n = (struct nested_node *)node;
    for (uint32_t i = 0; i < n->level_count; i++) {
        struct node *parts[] = {n->levels[i].groups, n->levels[i].others_group};
        id_set_add(need, n->levels[i].key_id);
        for (size_t k = 0; k < RF_COUNT(parts); k++) {
            for (uint32_t c = 0; c < parts[k]->schema.count; c++)
                id_set_add(need, parts[k]->schema.columns[c].id);
            node_prune(parts[k], need);
        }
    }
    node_prune(node->inputs[0], need);
    n->pick->node.schema = node->inputs[0]->schema;
}

static const struct node_ops nested_ops = {
    .name = "top-nested", .run = nested_run, .prune = nested_prune};

/* ---- text to node ---------------------------------------------------------------------------- */

static const struct ast *unnamed(const struct ast *ast)
{
    return ast->kind == AST_NAMED ? ast->kids[0] : ast;
}

/* The input with each level's key as a further column, which the parts then name. */
static enum rf_kind bind_keys(struct binder *b, const struct nested_body *body, struct node *input,
                              struct ast **names, struct node **out)
{
    struct expr **exprs = rf_arena_new(b->arena, struct expr *, body->count);
    struct column *columns = rf_arena_new(b->arena, struct column, body->count);
    if (exprs == NULL || columns == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < body->count; i++) {
        const struct ast *of = body->levels[i].of;
        RF_TRY(bind_scalar(b, unnamed(of), &input->schema, &exprs[i]));
        columns[i] = (struct column){.name = rf_arena_printf(b->arena, "$level%u", i),
                                     .type = exprs[i]->type,
                                     .id = bind_new_id(b)};
        names[i] = rf_arena_new(b->arena, struct ast, 1);
        if (columns[i].name.ptr == NULL || names[i] == NULL) return BIND_NOMEM(b);
        *names[i] =
            (struct ast){.kind = AST_NAME, .pos = of->pos, .end = of->end, .text = columns[i].name};
    }
    return extend_node_new(b, exprs, columns, body->count, input, out);
}

static enum rf_kind bind_level(struct binder *b, const struct level_body *body, uint32_t depth,
                               struct nested_node *n, struct ast *const *names)
{
    struct nested_level *level = &n->levels[depth];
    struct value limit = value_null(TYPE_LONG);
    level->ascending = body->ascending;
    level->limit = UINT64_MAX;
    if (body->limit != NULL) RF_TRY(bind_constant(b, body->limit, TYPE_LONG, &limit));
    if (!limit.null && limit.i < 0)
        return bind_fail(b, body->limit->pos, "BadLimit", "top-nested needs a number of values");
    if (!limit.null) level->limit = (uint64_t)limit.i;
    int key = schema_find(&n->pick->node.schema, names[depth]->text);
    RF_ASSERT(key >= 0);
    level->key_id = n->pick->node.schema.columns[key].id;
    if (body->others != NULL) {
        enum type type = (enum type)n->pick->node.schema.columns[key].type;
        level->has_others = true;
        RF_TRY(bind_constant(b, body->others, type, &level->others));
    }
    struct ast *by = body->by;
    struct node *source = &n->pick->node;
    RF_TRY(summarize_node_new(b, &by, 1, names, depth + 1, source, &level->groups));
    RF_TRY(summarize_node_new(b, &by, 1, names, depth, source, &level->others_group));
    if (level->groups->schema.count != depth + 2)
        return bind_fail(b, by->pos, "BadArguments", "the aggregation must give one column");
    return RF_OK;
}

static enum rf_kind nested_bind(struct binder *b, const struct ast *node, struct node *input,
                                struct node **out)
{
    const struct nested_body *body = node->body;
    struct nested_node *n = node_new(b, sizeof *n, &nested_ops, input);
    struct ast **names = rf_arena_new(b->arena, struct ast *, body->count);
    struct schema_builder sb = {.b = b};
    if (n == NULL || names == NULL) return BIND_NOMEM(b);
    RF_TRY(bind_keys(b, body, input, names, &n->node.inputs[0]));
    n->pick = pick_node_new(b, n->node.inputs[0]);
    n->levels = rf_arena_new(b->arena, struct nested_level, body->count);
    if (n->pick == NULL || n->levels == NULL) return BIND_NOMEM(b);
    n->level_count = body->count;
    for (uint32_t i = 0; i < body->count; i++) {
        const struct level_body *level = &body->levels[i];
        RF_TRY(bind_level(b, level, i, n, names));
        const struct schema *groups = &n->levels[i].groups->schema;
        rf_str key = ast_default_name(b, level->of), by;
        if (key.len == 0) key = rf_arena_printf(b->arena, "Column%u", i + 1);
        if (level->by->kind == AST_NAMED)
            by = level->by->names[0];
        else
            by = rf_arena_printf(b->arena, "aggregated_%.*s", RF_FMT(key));
        if (key.ptr == NULL || by.ptr == NULL ||
            !schema_add(&sb, key, (enum type)groups->columns[i].type, bind_new_id(b)) ||
            !schema_add(&sb, by, (enum type)groups->columns[i + 1].type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    n->node.schema = sb.schema;
    n->node.serialized = false;
    *out = &n->node;
    return RF_OK;
}

const struct operator op_top_nested = {
    .name = "top-nested",
    .doc = "The greatest groups by an aggregate, within each the greatest of the next level.",
    .syntax = "T | top-nested [N] of Expression [with others = Value] by Aggregation [asc|desc], "
              "top-nested ...",
    .parse = nested_parse,
    .bind = nested_bind};
