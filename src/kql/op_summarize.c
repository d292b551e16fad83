/* op_summarize.c - summarize, distinct, count: text to a group node, and the binding of aggregate calls. */
#include "kql/bind_int.h"
#include "kql/op.h"
#include "value/text.h"

/* ---- aggregate calls ---------------------------------------------------------------------------------- */

/* Takes whole columns along, which keep their names. */
static bool takes_columns(const struct aggr *aggr)
{
    static const char *const names[] = {"arg_max", "arg_min",  "argmax",
                                        "argmin",  "take_any", "any"};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (strcmp(aggr->name, names[i]) == 0) return true;
    return false;
}

/* The name of column `c` of these: x of arg_max(x, y) and its old form max_x, any_x; an expression without a name is
 * max_x_arg1. */
static rf_str taken_name(struct binder *b, const char *aggr, uint32_t c, rf_str first, rf_str own)
{
    bool ranks = rf_str_starts(rf_str_of(aggr), RF_S("arg"));
    bool old = ranks ? aggr[3] != '_' : strcmp(aggr, "any") == 0;
    const char *prefix = !ranks ? "any" : aggr[strlen(aggr) - 1] == 'x' ? "max" : "min";
    if (own.len > 0 && !old) return own;
    if (!ranks)
        return own.len > 0 ? rf_arena_printf(b->arena, "any_%.*s", RF_FMT(own))
                           : rf_arena_printf(b->arena, "any_arg%u", c);
    rf_str key = rf_arena_printf(b->arena, "%s_%.*s", prefix, RF_FMT(first));
    if (c == 0) return key;
    return own.len > 0 ? rf_arena_printf(b->arena, "%.*s_%.*s", RF_FMT(key), RF_FMT(own))
                       : rf_arena_printf(b->arena, "%.*s_arg%u", RF_FMT(key), c);
}

/* 99.9 becomes 99_9. */
static rf_str percent_text(struct binder *b, const struct value *v)
{
    struct rf_buf buf = rf_buf_in(b->arena);
    text_put_value(&buf, v);
    for (size_t i = 0; i < buf.len; i++)
        if (buf.ptr[i] == '.') buf.ptr[i] = '_';
    return rf_buf_view(&buf);
}

/* Default names: function_column, percentile_column_95, or the argument's own name for arg_max and take_any. */
static bool name_columns(struct binder *b, struct aggr_use *use, rf_str *arg_names)
{
    rf_str first = use->arg_count > 0 ? arg_names[0] : RF_S("");
    use->names = rf_arena_new(b->arena, rf_str, use->column_count);
    if (use->names == NULL) return false;
    bool percentile = rf_str_starts(rf_str_of(use->aggr->name), RF_S("percentile")) &&
                      !rf_str_ends(rf_str_of(use->aggr->name), RF_S("_array"));
    for (uint32_t c = 0; c < use->column_count; c++) {
        if (takes_columns(use->aggr)) {
            use->names[c] = taken_name(b, use->aggr->name, c, first,
                                       c < use->arg_count ? arg_names[c] : RF_S(""));
        } else if (percentile) {
            uint32_t skip = use->arg_count - use->column_count;
            const struct value *p = skip + c < use->arg_count ? use->consts[skip + c] : NULL;
            use->names[c] = rf_arena_printf(b->arena, "percentile_%.*s_%.*s", RF_FMT(first),
                                            RF_FMT(p == NULL ? RF_S("") : percent_text(b, p)));
        } else {
            use->names[c] = aggr_default_name(b, use->aggr, first);
        }
        if (use->names[c].ptr == NULL) return false;
    }
    return true;
}

static bool is_key(const struct binder *b, uint32_t id)
{
    for (uint32_t i = 0; i < b->aggrs->key_count; i++)
        if (b->aggrs->key_ids[i] == id) return true;
    return false;
}

/* Arguments; '*' stands for all columns that are neither keys nor given before. */
static enum rf_kind bind_aggr_arguments(struct binder *b, const struct ast *ast,
                                        struct aggr_use *use, rf_str **names)
{
    const struct schema *schema = b->rows.schema;
    uint32_t cap = ast->kid_count + (schema == NULL ? 0 : schema->count), n = 0;
    struct aggr_list *aggrs = b->aggrs;
    use->args = rf_arena_new(b->arena, struct expr *, cap);
    rf_str *list = rf_arena_new(b->arena, rf_str, cap);
    if (use->args == NULL || list == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < ast->kid_count; i++) {
        const struct ast *kid = ast->kids[i];
        rf_str name = kid->kind == AST_NAMED ? kid->names[0] : RF_S(""); /* arg_max(x, New = y) */
        if (kid->kind == AST_NAMED) kid = kid->kids[0];
        if (kid->kind != AST_STAR) {
            list[n] = name.len > 0 ? name : ast_default_name(b, kid);
            b->aggrs = NULL; /* aggregates do not nest */
            enum rf_kind kind = bind_expr(b, kid, &use->args[n++]);
            b->aggrs = aggrs;
            RF_TRY(kind);
            continue;
        }
        for (uint32_t c = 0; schema != NULL && c < schema->count; c++) {
            bool given = is_key(b, schema->columns[c].id);
            for (uint32_t a = 0; a < n; a++)
                given = given || (use->args[a]->kind == EXPR_COLUMN &&
                                  use->args[a]->column_id == schema->columns[c].id);
            if (given) continue;
            list[n] = schema->columns[c].name;
            use->args[n] = expr_column(b, &schema->columns[c], kid->pos);
            if (use->args[n++] == NULL) return BIND_NOMEM(b);
        }
    }
    use->arg_count = n;
    *names = list;
    return RF_OK;
}

static enum rf_kind choose_signature(struct binder *b, uint32_t pos, struct aggr_use *use,
                                     enum type *type)
{
    struct signature sig, best_sig = {0};
    enum type common = TYPE_LONG, best_common = TYPE_LONG;
    int best = -1;
    for (const char *const *s = use->aggr->sigs; *s != NULL; s++) {
        signature_parse(*s, &sig);
        int c = signature_match(&sig, use->args, use->arg_count, &common);
        if (c < 0 || (best >= 0 && c >= best)) continue;
        best = c;
        best_sig = sig;
        best_common = common;
    }
    if (best < 0) {
        struct rf_buf have = rf_buf_in(b->arena);
        for (uint32_t i = 0; i < use->arg_count; i++)
            rf_buf_printf(&have, "%s%s", i == 0 ? "" : ", ", type_name(use->args[i]->type));
        return bind_fail(b, pos, "BadArguments", "%s cannot take (%.*s); it takes %s",
                         use->aggr->name, RF_FMT(rf_buf_view(&have)), use->aggr->sigs[0]);
    }
    RF_TRY(signature_convert(b, &best_sig, best_common, use->args, use->arg_count));
    *type = best_sig.result == SIG_T     ? best_common
            : best_sig.result == SIG_ANY ? TYPE_DYNAMIC
                                         : (enum type)best_sig.result;
    return RF_OK;
}

static enum rf_kind resolve_aggr(struct binder *b, uint32_t pos, struct aggr_use *use,
                                 enum type type)
{
    uint32_t n = use->arg_count;
    use->arg_types = rf_arena_new(b->arena, uint8_t, n);
    use->consts = rf_arena_new(b->arena, const struct value *, n);
    if (use->arg_types == NULL || use->consts == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < n; i++) {
        use->arg_types[i] = use->args[i]->type;
        if (use->args[i]->kind == EXPR_CONST) use->consts[i] = &use->args[i]->value;
    }
    struct func_bind bind = {.arg_count = n,
                             .types = use->arg_types,
                             .consts = use->consts,
                             .arena = b->arena,
                             .type = type};
    if (use->aggr->resolve != NULL) {
        enum rf_kind kind = use->aggr->resolve(&bind, b->err);
        if (kind != RF_OK) {
            if (b->err != NULL && b->err->line == 0)
                parse_place(b->text, pos, &b->err->line, &b->err->column);
            return kind;
        }
    }
    use->column_count = bind.tuple_count > 0 ? bind.tuple_count : 1;
    use->types = rf_arena_new(b->arena, uint8_t, use->column_count);
    if (use->types == NULL) return BIND_NOMEM(b);
    for (uint32_t c = 0; c < use->column_count; c++)
        use->types[c] = bind.tuple_count > 0 ? bind.tuple_types[c] : (uint8_t)bind.type;
    use->first_id = b->next_id;
    b->next_id += use->column_count;
    return RF_OK;
}

enum rf_kind bind_aggregate(struct binder *b, const struct ast *ast, const struct aggr *aggr,
                            struct expr **out)
{
    struct aggr_use use = {.aggr = aggr};
    struct aggr_list *list = b->aggrs;
    rf_str *names = NULL;
    enum type type = TYPE_LONG;
    RF_TRY(bind_aggr_arguments(b, ast, &use, &names));
    RF_TRY(choose_signature(b, ast->pos, &use, &type));
    RF_TRY(resolve_aggr(b, ast->pos, &use, type));
    if (!name_columns(b, &use, names)) return BIND_NOMEM(b);
    if (list->count == list->cap) {
        uint32_t cap = list->cap == 0 ? 8 : list->cap * 2;
        struct aggr_use *grown =
            rf_arena_grow(b->arena, list->items, list->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return BIND_NOMEM(b);
        list->items = grown;
        list->cap = cap;
    }
    list->items[list->count++] = use;
    struct column column = {.id = use.first_id, .type = use.types[0]};
    *out = expr_column(b, &column, ast->pos);
    return *out == NULL ? BIND_NOMEM(b) : RF_OK;
}

/* ---- summarize --------------------------------------------------------------------------------------------- */

struct summarize_body {
    struct ast **items, **keys;
    uint32_t item_count, key_count;
};

static const char *const summarize_params[] = {"hint.*", NULL};

static enum rf_kind summarize_parse(struct parser *p, struct ast *node)
{
    struct summarize_body *body = rf_arena_new(p->arena, struct summarize_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, summarize_params, node));
    if (!parse_is(p, 0, "by")) RF_TRY(parse_named_list(p, &body->items, &body->item_count));
    if (parse_accept(p, "by")) RF_TRY(parse_named_list(p, &body->keys, &body->key_count));
    return RF_OK;
}

static const struct ast *unnamed(const struct ast *ast)
{
    return ast->kind == AST_NAMED ? ast->kids[0] : ast;
}

/* Output of summarize: keys, then items, each over the group node's columns. */
struct summary {
    struct binder *b;
    struct schema_builder sb;
    struct expr **exprs;
    uint32_t cap;
};

static enum rf_kind summary_add(struct summary *s, const struct ast *ast, rf_str name,
                                struct expr *e)
{
    if (s->sb.schema.count == s->cap) {
        uint32_t cap = s->cap == 0 ? 16 : s->cap * 2;
        struct expr **grown =
            rf_arena_grow(s->b->arena, s->exprs, s->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return BIND_NOMEM(s->b);
        s->exprs = grown;
        s->cap = cap;
    }
    if (name.len == 0) name = bind_unnamed(s->b, ast, 0, NULL);
    s->exprs[s->sb.schema.count] = e;
    uint32_t id = e->kind == EXPR_COLUMN && schema_find_id(&s->sb.schema, e->column_id) < 0
                      ? e->column_id
                      : bind_new_id(s->b);
    return schema_add(&s->sb, name, (enum type)e->type, id) ? RF_OK : BIND_NOMEM(s->b);
}

static const struct aggr_use *use_of(const struct aggr_list *list, const struct expr *e)
{
    for (uint32_t i = 0; e->kind == EXPR_COLUMN && i < list->count; i++)
        if (list->items[i].first_id == e->column_id) return &list->items[i];
    return NULL;
}

/* A bare aggregate gives all its columns; anything else one. */
static enum rf_kind summary_item(struct summary *s, const struct aggr_list *list,
                                 const struct ast *ast, struct expr *e)
{
    const struct aggr_use *use = unnamed(ast)->kind == AST_CALL ? use_of(list, e) : NULL;
    if (use == NULL) {
        if (e->kind == EXPR_CALL && e->tuple_count > 0 && ast->kind != AST_NAMED)
            return summary_add(s, ast, RF_S(""), e);
        s->b->naming_aggregates = true;
        rf_str name = ast_default_name(s->b, ast);
        s->b->naming_aggregates = false;
        return summary_add(s, ast, name, e);
    }
    for (uint32_t c = 0; c < use->column_count; c++) {
        struct column column = {.id = use->first_id + c, .type = use->types[c]};
        struct expr *part = expr_column(s->b, &column, e->pos);
        if (part == NULL) return BIND_NOMEM(s->b);
        rf_str name = ast->kind == AST_NAMED && c < ast->name_count ? ast->names[c] : use->names[c];
        RF_TRY(summary_add(s, ast, name, part));
    }
    return RF_OK;
}

static enum rf_kind bind_keys(struct binder *b, struct ast *const *asts, uint32_t count,
                              const struct schema *schema, struct expr ***exprs,
                              struct column **columns, uint32_t **ids, uint32_t *id_count)
{
    *exprs = rf_arena_new(b->arena, struct expr *, count);
    *columns = rf_arena_new(b->arena, struct column, count);
    *ids = rf_arena_new(b->arena, uint32_t, count);
    if (*exprs == NULL || *columns == NULL || *ids == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < count; i++) {
        RF_TRY(bind_scalar(b, unnamed(asts[i]), schema, &(*exprs)[i]));
        struct expr *e = (*exprs)[i];
        if (e->kind == EXPR_COLUMN) (*ids)[(*id_count)++] = e->column_id;
        (*columns)[i] = (struct column){
            .name = ast_default_name(b, asts[i]), .type = e->type, .id = bind_new_id(b)};
    }
    return RF_OK;
}

enum rf_kind summarize_node_new(struct binder *b, struct ast *const *item_asts, uint32_t item_count,
                                struct ast *const *key_asts, uint32_t key_count, struct node *input,
                                struct node **out)
{
    struct expr **keys = NULL, **items = rf_arena_new(b->arena, struct expr *, item_count);
    struct column *columns = NULL;
    uint32_t *ids = NULL, id_count = 0;
    struct aggr_list list = {0}, *outer = b->aggrs;
    if (items == NULL) return BIND_NOMEM(b);
    struct window_list *windows = bind_windows_begin(b);
    struct schema before = input->schema;
    if (windows == NULL) return BIND_NOMEM(b);
    RF_TRY(bind_keys(b, key_asts, key_count, &before, &keys, &columns, &ids, &id_count));
    RF_TRY(bind_windows_end(b, windows, &input));
    list.key_ids = ids;
    list.key_count = id_count;
    b->aggrs = &list;
    enum rf_kind kind = RF_OK;
    for (uint32_t i = 0; i < item_count && kind == RF_OK; i++)
        kind = bind_scalar(b, unnamed(item_asts[i]), &before, &items[i]);
    b->aggrs = outer;
    RF_TRY(kind);
    struct node *group;
    RF_TRY(group_node_new(b, keys, columns, key_count, &list, input, &group));
    struct summary s = {.b = b, .sb = {.b = b}};
    for (uint32_t i = 0; i < key_count; i++) {
        struct expr *e = expr_column(b, &columns[i], key_asts[i]->pos);
        if (e == NULL) return BIND_NOMEM(b);
        RF_TRY(summary_add(&s, key_asts[i], columns[i].name, e));
    }
    for (uint32_t i = 0; i < item_count; i++) {
        RF_TRY(summary_item(&s, &list, item_asts[i], items[i]));
    }
    for (uint32_t i = 0; i < s.sb.schema.count;
         i++) { /* what is left of the input's columns is an error */
        struct id_set used = {.words = rf_arena_new(b->arena, uint64_t, b->next_id / 64 + 1),
                              .word_count = b->next_id / 64 + 1};
        if (used.words == NULL) return BIND_NOMEM(b);
        id_set_add_expr(&used, s.exprs[i]);
        for (uint32_t c = 0; c < input->schema.count; c++)
            if (id_set_has(&used, input->schema.columns[c].id))
                return bind_fail(b, s.exprs[i]->pos, "NotAggregated",
                                 "the column '%.*s' stands outside an aggregation function and is "
                                 "no key; put it behind 'by' or into take_any()",
                                 RF_FMT(input->schema.columns[c].name));
    }
    return project_node_new(b, s.exprs, &s.sb.schema, group, out);
}

static enum rf_kind summarize_bind(struct binder *b, const struct ast *node, struct node *input,
                                   struct node **out)
{
    const struct summarize_body *body = node->body;
    return summarize_node_new(b, body->items, body->item_count, body->keys, body->key_count, input,
                              out);
}

/* ---- distinct, count --------------------------------------------------------------------------------------------- */

static enum rf_kind distinct_parse(struct parser *p, struct ast *node)
{
    struct summarize_body *body = rf_arena_new(p->arena, struct summarize_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, summarize_params, node));
    if (parse_accept(p, "*")) return RF_OK;
    return parse_named_list(p, &body->keys, &body->key_count);
}

static enum rf_kind distinct_bind(struct binder *b, const struct ast *node, struct node *input,
                                  struct node **out)
{
    const struct summarize_body *body = node->body;
    struct aggr_list none = {0};
    struct schema_builder sb = {.b = b};
    struct expr **keys = NULL;
    struct column *columns = NULL;
    uint32_t *ids = NULL, id_count = 0, count = body->key_count;
    if (count == 0) {
        count = input->schema.count;
        keys = rf_arena_new(b->arena, struct expr *, count);
        if (keys == NULL) return BIND_NOMEM(b);
        for (uint32_t i = 0; i < count; i++) {
            keys[i] = expr_column(b, &input->schema.columns[i], node->pos);
            if (keys[i] == NULL ||
                !schema_add(&sb, input->schema.columns[i].name,
                            (enum type)input->schema.columns[i].type, bind_new_id(b)))
                return BIND_NOMEM(b);
        }
    } else {
        RF_TRY(bind_keys(b, body->keys, count, &input->schema, &keys, &columns, &ids, &id_count));
        for (uint32_t i = 0; i < count; i++) {
            rf_str name =
                columns[i].name.len > 0 ? columns[i].name : bind_unnamed(b, body->keys[i], 0, NULL);
            if (!schema_add(&sb, name, (enum type)columns[i].type, columns[i].id))
                return BIND_NOMEM(b);
        }
    }
    return group_node_new(b, keys, sb.schema.columns, count, &none, input, out);
}

static enum rf_kind count_parse(struct parser *p, struct ast *node)
{
    (void)node;
    if (!parse_accept(p, "as")) return RF_OK;
    return parse_name(p, &node->text);
}

static enum rf_kind count_bind(struct binder *b, const struct ast *node, struct node *input,
                               struct node **out)
{
    struct aggr_list list = {0}, *outer = b->aggrs;
    struct ast call = {.kind = AST_CALL, .pos = node->pos, .end = node->end, .text = RF_S("count")};
    struct expr *e;
    b->aggrs = &list;
    enum rf_kind kind = bind_aggregate(b, &call, aggr_find(RF_S("count")), &e);
    b->aggrs = outer;
    RF_TRY(kind);
    list.items[0].names[0] = rf_str_is(node->text, "count") ? RF_S("Count") : node->text;
    return group_node_new(b, NULL, NULL, 0, &list, input, out);
}

const struct operator op_summarize = {
    .name = "summarize",
    .doc = "Groups rows and computes aggregates for each group.",
    .syntax = "T | summarize [Name =] Aggregation, ... [by [Name =] Expression, ...]",
    .parse = summarize_parse,
    .bind = summarize_bind};
const struct operator op_distinct = {.name = "distinct",
                                     .doc = "The different combinations of the given columns.",
                                     .syntax = "T | distinct Column, ... | *",
                                     .parse = distinct_parse,
                                     .bind = distinct_bind};
const struct operator op_count = {.name = "count",
                                  .doc = "One row: the number of rows.",
                                  .syntax = "T | count",
                                  .parse = count_parse,
                                  .bind = count_bind};
