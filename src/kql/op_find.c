/* op_find.c - find: rows of many tables that meet a condition. Columns that are not asked for are packed
 * into one bag. */
#include "kql/bind_int.h"
#include "kql/op.h"
#include "kql/op_search.h"

struct find_body {
    struct ast **tables;
    uint32_t table_count;
    struct ast *predicate;
    struct find_column {
        rf_str name;
        bool typed;
        enum type type;
    } * columns; /* of project; NULL is project-smart */
    uint32_t column_count;
    bool project, pack;
    rf_str *away; /* of project-away */
    uint32_t away_count;
};

/* ---- parsing --------------------------------------------------------------------------------- */

static bool at_operator(const struct parser *p, const char *second)
{
    return parse_is(p, 0, "project") && parse_is(p, 1, "-") && parse_is(p, 2, second);
}

static enum rf_kind parse_project(struct parser *p, struct find_body *body)
{
    uint32_t cap = 0;
    do {
        if (parse_is(p, 0, "pack") && parse_is(p, 1, "(")) {
            p->at += 2;
            RF_TRY(parse_expect(p, "*"));
            RF_TRY(parse_expect(p, ")"));
            body->pack = true;
            continue;
        }
        if (body->column_count == cap) {
            struct find_column *grown = rf_arena_grow(p->arena, body->columns, cap * sizeof *grown,
                                                      (cap + 16) * sizeof *grown);
            if (grown == NULL) return PARSE_NOMEM(p);
            body->columns = grown;
            cap += 16;
        }
        struct find_column *column = &body->columns[body->column_count++];
        *column = (struct find_column){0};
        RF_TRY(parse_name(p, &column->name));
        column->typed = parse_accept(p, ":");
        if (column->typed) RF_TRY(parse_type(p, &column->type));
    } while (parse_accept(p, ","));
    return RF_OK;
}

static enum rf_kind parse_away(struct parser *p, struct find_body *body)
{
    uint32_t cap = 0;
    do {
        if (body->away_count == cap) {
            rf_str *grown = rf_arena_grow(p->arena, body->away, cap * sizeof *grown,
                                          (cap + 16) * sizeof *grown);
            if (grown == NULL) return PARSE_NOMEM(p);
            body->away = grown;
            cap += 16;
        }
        struct ast *pattern;
        RF_TRY(parse_name_pattern(p, &pattern));
        body->away[body->away_count++] = pattern->kind == AST_STAR ? RF_S("*") : pattern->text;
    } while (parse_accept(p, ","));
    return RF_OK;
}

static enum rf_kind find_parse(struct parser *p, struct ast *node)
{
    static const char *const known[] = {"withsource", "with_source", "datascope",
                                        "kind",       "hint.*",      NULL};
    struct find_body *body = rf_arena_new(p->arena, struct find_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, known, node));
    if (parse_accept(p, "in")) RF_TRY(search_parse_tables(p, &body->tables, &body->table_count));
    RF_TRY(parse_params(p, known, node));
    (void)parse_accept(p, "where");
    RF_TRY(search_parse_predicate(p, &body->predicate));
    if (at_operator(p, "smart")) {
        p->at += 3;
    } else if (parse_is(p, 0, "project") && !parse_is(p, 1, "-")) {
        p->at++;
        body->project = true;
        RF_TRY(parse_project(p, body));
    }
    if (!at_operator(p, "away")) return RF_OK;
    p->at += 3;
    return parse_away(p, body);
}

/* ---- which columns --------------------------------------------------------------------------- */

struct wanted {
    rf_str *names;
    enum type *types; /* of the first table that has it, or as the query says */
    bool *typed;
    uint32_t count;
};

static bool in_all(const struct search_tables *tables, const struct column *column)
{
    for (uint32_t t = 0; t < tables->count; t++) {
        const struct schema *schema = &tables->nodes[t]->schema;
        int at = schema_find(schema, column->name);
        if (at < 0 || schema->columns[at].type != column->type) return false;
    }
    return true;
}

static bool is_away(const struct find_body *body, rf_str name)
{
    for (uint32_t i = 0; i < body->away_count; i++)
        if (name_matches(body->away[i], name)) return true;
    return false;
}

static void want(struct wanted *w, const struct find_body *body, rf_str name, enum type type,
                 bool typed)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (rf_str_eq(w->names[i], name)) return;
    if (is_away(body, name)) return;
    w->names[w->count] = name;
    w->typed[w->count] = typed;
    w->types[w->count++] = type;
}

/* project-smart: what all tables have, then what the condition mentions. */
static void want_smart(struct wanted *w, const struct find_body *body,
                       const struct search_tables *tables)
{
    for (int mentioned = 0; mentioned < 2; mentioned++)
        for (uint32_t t = 0; t < tables->count; t++)
            for (uint32_t c = 0; c < tables->nodes[t]->schema.count; c++) {
                const struct column *column = &tables->nodes[t]->schema.columns[c];
                bool yes = mentioned ? search_mentions(body->predicate, column->name)
                                     : in_all(tables, column);
                if (yes) want(w, body, column->name, (enum type)column->type, false);
            }
}

static enum rf_kind want_project(struct binder *b, struct wanted *w, const struct find_body *body,
                                 const struct search_tables *tables, uint32_t pos)
{
    for (uint32_t i = 0; i < body->column_count; i++) {
        const struct find_column *column = &body->columns[i];
        enum type type = column->type;
        bool found = column->typed;
        for (uint32_t t = 0; t < tables->count && !found; t++) {
            int at = schema_find(&tables->nodes[t]->schema, column->name);
            found = at >= 0;
            if (found) type = (enum type)tables->nodes[t]->schema.columns[at].type;
        }
        if (!found)
            return bind_fail(b, pos, "UnknownColumn", "none of the tables has the column '%.*s'",
                             RF_FMT(column->name));
        want(w, body, column->name, type, column->typed);
    }
    return RF_OK;
}

static enum rf_kind choose_columns(struct binder *b, const struct find_body *body,
                                   const struct search_tables *tables, uint32_t pos,
                                   struct wanted *out)
{
    uint32_t cap = body->column_count;
    for (uint32_t t = 0; t < tables->count; t++) cap += tables->nodes[t]->schema.count;
    struct wanted w = {.names = rf_arena_new(b->arena, rf_str, cap),
                       .types = rf_arena_new(b->arena, enum type, cap),
                       .typed = rf_arena_new(b->arena, bool, cap)};
    if (w.names == NULL || w.types == NULL || w.typed == NULL) return BIND_NOMEM(b);
    if (body->project)
        RF_TRY(want_project(b, &w, body, tables, pos));
    else
        want_smart(&w, body, tables);
    *out = w;
    return RF_OK;
}

/* ---- one table's columns --------------------------------------------------------------------- */

static bool is_wanted(const struct wanted *w, rf_str name)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (rf_str_eq(w->names[i], name)) return true;
    return false;
}

static enum rf_kind pack_rest(struct binder *b, const struct wanted *w,
                              const struct find_body *body, const struct schema *schema,
                              struct expr **out)
{
    struct expr **args = rf_arena_new(b->arena, struct expr *, 2 * (size_t)schema->count);
    if (args == NULL) return BIND_NOMEM(b);
    uint32_t n = 0;
    for (uint32_t c = 0; c < schema->count; c++) {
        struct value name = value_str(schema->columns[c].name);
        if (is_wanted(w, name.s) || is_away(body, name.s)) continue;
        args[n] = expr_const(b, &name, 0);
        args[n + 1] = expr_column(b, &schema->columns[c], 0);
        if (args[n] == NULL || args[n + 1] == NULL) return BIND_NOMEM(b);
        n += 2;
    }
    if (n > 0) return bind_call(b, 0, RF_S("bag_pack"), args, n, out);
    struct value none = value_null(TYPE_DYNAMIC);
    *out = expr_const(b, &none, 0);
    return *out == NULL ? BIND_NOMEM(b) : RF_OK;
}

static enum rf_kind project_table(struct binder *b, const struct wanted *w,
                                  const struct find_body *body, struct node *input,
                                  struct node **out)
{
    struct schema_builder sb = {.b = b};
    const struct schema *schema = &input->schema;
    struct expr **exprs = rf_arena_new(b->arena, struct expr *, w->count + 1);
    if (exprs == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < w->count; i++) {
        int at = schema_find(schema, w->names[i]);
        struct value missing = value_null(w->types[i]);
        exprs[i] = at >= 0 ? expr_column(b, &schema->columns[at], 0) : expr_const(b, &missing, 0);
        if (exprs[i] == NULL) return BIND_NOMEM(b);
        if (w->typed[i]) RF_TRY(bind_cast(b, exprs[i], w->types[i], &exprs[i]));
        if (!schema_add_exact(&sb, w->names[i], (enum type)exprs[i]->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    if ((!body->project || body->pack) && !is_away(body, RF_S("pack_"))) {
        RF_TRY(pack_rest(b, w, body, schema, &exprs[w->count]));
        if (!schema_add(&sb, RF_S("pack_"), TYPE_DYNAMIC, bind_new_id(b))) return BIND_NOMEM(b);
    }
    return project_node_new(b, exprs, &sb.schema, input, out);
}

static enum rf_kind find_bind(struct binder *b, const struct ast *node, struct node *input,
                              struct node **out)
{
    const struct find_body *body = node->body;
    struct search_tables tables = {0};
    struct wanted w = {0};
    rf_str source = ast_param_text(node, "withsource");
    if (source.len == 0) source = ast_param_text(node, "with_source");
    if (source.len == 0) source = RF_S("source_");
    RF_TRY(search_bind_tables(b, body->tables, body->table_count, input, &tables));
    RF_TRY(choose_columns(b, body, &tables, node->pos, &w));
    RF_TRY(search_filter(b, body->predicate, false, source, &tables));
    for (uint32_t t = 0; t < tables.count; t++)
        RF_TRY(project_table(b, &w, body, tables.nodes[t], &tables.nodes[t]));
    return union_tables(b, tables.nodes, tables.names, tables.count,
                        is_away(body, source) ? RF_S("") : source, out);
}

const struct operator op_find = {
    .name = "find",
    .doc =
        "Rows of many tables that meet a condition; columns not asked for go into the bag pack_.",
    .syntax = "find [withsource=Name] [in (T, Prefix*)] where Condition [project Column[:type], "
              "... [, pack(*)] | project-smart] [project-away Column, ...]",
    .source = true,
    .parse = find_parse,
    .bind = find_bind};
