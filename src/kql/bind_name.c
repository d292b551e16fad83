/* bind_name.c - the names of columns to which a query gives none. */
#include "kql/aggr.h"
#include "kql/bind_int.h"

/* Names of an aggregate's column where they differ from NAME_%: '%' stands for the first argument's name. */
static const struct {
    const char *aggr, *column;
} aggr_columns[] = {
    {"make_list", "list_%"},
    {"make_list_if", "list_%"},
    {"make_list_with_nulls", "list_%"},
    {"makelist", "list_%"},
    {"make_set", "set_%"},
    {"make_set_if", "set_%"},
    {"makeset", "set_%"},
    {"make_bag", "bag_%"},
    {"make_bag_if", "bag_%"},
    {"make_dictionary", "dictionary_%"},
    {"buildschema", "schema_%"},
    {"percentiles_array", "percentiles_%"},
    {"percentilesw_array", "percentiles_%"},
    {"tdigest_merge", "merge_tdigests_%"},
    {"merge_tdigest", "merge_tdigests_%"},
    {"take_anyif", "%"},
    {"binary_all_and", "%"},
    {"binary_all_or", "%"},
    {"binary_all_xor", "%"},
};
/* Those that take several columns along, or name theirs by constants: inside a larger expression they lend no name. */
static const char *const nameless_aggrs[] = {"percentile",
                                             "percentiles",
                                             "percentilew",
                                             "percentilesw",
                                             "percentiles_array",
                                             "percentilesw_array",
                                             "take_any",
                                             "any",
                                             "arg_max",
                                             "arg_min",
                                             "argmax",
                                             "argmin"};

static rf_str fill_in(struct binder *b, const char *pattern, rf_str first)
{
    rf_str p = rf_str_of(pattern);
    size_t at = rf_str_find(p, RF_S("%"), 0);
    if (at == SIZE_MAX) return p;
    if (p.len == 1) return first;
    return rf_arena_printf(b->arena, "%.*s%.*s%s", (int)at, pattern, RF_FMT(first),
                           pattern + at + 1);
}

rf_str aggr_default_name(struct binder *b, const struct aggr *aggr, rf_str first)
{
    for (size_t i = 0; i < RF_COUNT(aggr_columns); i++)
        if (strcmp(aggr->name, aggr_columns[i].aggr) == 0)
            return fill_in(b, aggr_columns[i].column, first);
    return rf_arena_printf(b->arena, "%s_%.*s", aggr->name, RF_FMT(first));
}

static rf_str call_name(struct binder *b, const struct ast *ast)
{
    const struct ast *argument = ast->kid_count > 0 ? ast->kids[0] : NULL;
    if (rf_str_is(ast->text, "column_ifexists") || rf_str_is(ast->text, "columnifexists")) {
        bool text = argument != NULL && argument->kind == AST_LITERAL &&
                    argument->value.type == TYPE_STRING;
        bool there = text && (b->naming_rows == NULL || b->naming_rows->open ||
                              schema_find(b->naming_rows, argument->value.s) >= 0);
        return there ? argument->value.s : RF_S("");
    }
    rf_str first = argument == NULL ? RF_S("") : ast_default_name(b, argument);
    if (rf_str_is(ast->text, "materialize")) return first;
    if ((rf_str_is(ast->text, "make_datetime") || rf_str_is(ast->text, "make_timespan")) &&
        ast->kid_count == 1)
        return first;
    const struct func *func = func_find(ast->text);
    if (b->naming_aggregates && aggr_find(ast->text) != NULL) func = NULL;
    if (func != NULL) return func->column == NULL ? RF_S("") : fill_in(b, func->column, first);
    const struct aggr *aggr = aggr_find(ast->text);
    for (size_t i = 0; aggr != NULL && i < RF_COUNT(nameless_aggrs); i++)
        if (strcmp(aggr->name, nameless_aggrs[i]) == 0) aggr = NULL;
    return aggr == NULL ? RF_S("") : aggr_default_name(b, aggr, first);
}

/* a[1] is a_1, a["k"] is a_k; any other index leaves a_. */
static rf_str index_name(struct binder *b, const struct ast *ast)
{
    rf_str base = ast_default_name(b, ast->kids[0]);
    const struct ast *index = ast->kids[1];
    rf_str key = RF_S("");
    if (index->kind == AST_LITERAL && index->value.type == TYPE_STRING)
        key = index->value.s;
    else if (index->kind == AST_LITERAL && type_is_i64(index->value.type) && index->value.i >= 0)
        key = rf_arena_printf(b->arena, "%lld", (long long)index->value.i);
    return base.len == 0 ? key : rf_arena_printf(b->arena, "%.*s_%.*s", RF_FMT(base), RF_FMT(key));
}

rf_str ast_default_name(struct binder *b, const struct ast *ast)
{
    switch (ast->kind) {
    case AST_NAME:
        return ast->text;
    case AST_NAMED:
        return ast->names[0];
    case AST_MEMBER: {
        if (ast->kids[0]->kind == AST_NAME && ast->kids[0]->text.len > 0 &&
            ast->kids[0]->text.ptr[0] == '$')
            return ast->text;
        rf_str base = ast_default_name(b, ast->kids[0]);
        return base.len == 0
                   ? ast->text
                   : rf_arena_printf(b->arena, "%.*s_%.*s", RF_FMT(base), RF_FMT(ast->text));
    }
    case AST_INDEX:
        return index_name(b, ast);
    case AST_CALL:
        return call_name(b, ast);
    default:
        return RF_S("");
    }
}

/* ---- Column1, Column2, ... ------------------------------------------------------------------------ */

struct unnamed_column {
    struct unnamed_column *next;
    const struct ast *item;
    uint32_t part;
    rf_str name;
};

rf_str bind_unnamed(struct binder *b, const struct ast *item, uint32_t part,
                    const struct schema *rows)
{
    for (const struct unnamed_column *u = b->unnamed; u != NULL; u = u->next)
        if (u->item == item && u->part == part) return u->name;
    struct unnamed_column *u = rf_arena_new(b->arena, struct unnamed_column, 1);
    if (u == NULL) return (rf_str){NULL, 0};
    *u = (struct unnamed_column){.next = b->unnamed, .item = item, .part = part};
    do u->name = rf_arena_printf(b->arena, "Column%u", ++b->unnamed_count);
    while (u->name.ptr != NULL &&
           (scope_find(b, u->name) != NULL || (rows != NULL && schema_find(rows, u->name) >= 0)));
    b->unnamed = u;
    return u->name;
}
