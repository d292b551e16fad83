/* op_reduce.c - reduce: groups texts that are alike, and shows what they have in common.
 *
 * A text is cut into words (letters, or digits) and what lies between. A word is typical when
 * at least `threshold` of all texts have it in that place; what is not typical becomes '*', and texts
 * that are then equal are one group. Texts of no group of that size go together under '*'. */
#define _GNU_SOURCE /* qsort_r */
#include <stdlib.h>

#include "kql/key_map.h"
#include "kql/op.h"

enum { REDUCE_WORDS_MAX = 256 };

struct reduce_node {
    struct node node;
    struct expr *expr;
    double threshold;
    rf_str characters; /* further characters that belong to words */
    bool source;       /* kind=source: the input's rows with their pattern */
};

struct reduce_run {
    struct flow flow;
    const struct reduce_node *node;
    struct exec *exec;
    struct rf_arena arena;
    struct eval *eval;
    struct rows *texts, *rows; /* the texts; with kind=source the rows too */
};

struct word {
    size_t from, to;
};

static bool is_other(const struct reduce_node *n, uint8_t c)
{
    if (rf_is_alnum(c) || c >= 0x80) return false;
    return n->characters.len == 0 || memchr(n->characters.ptr, c, n->characters.len) == NULL;
}

static uint32_t cut_words(const struct reduce_node *n, rf_str text, struct word *words)
{
    uint32_t count = 0;
    for (size_t at = 0; at < text.len && count < REDUCE_WORDS_MAX;) {
        size_t from = at;
        if (is_other(n, text.ptr[at])) {
            at++;
            continue;
        }
        bool digit = rf_is_digit(text.ptr[at]);
        while (at < text.len && !is_other(n, text.ptr[at]) && rf_is_digit(text.ptr[at]) == digit)
            at++;
        words[count++] = (struct word){from, at};
    }
    return count;
}

/* How many texts have each word in each place. */
static enum rf_kind count_words(struct reduce_run *r, struct key_map *map, uint32_t **counts,
                                struct rf_err *err)
{
    uint64_t count = rows_count(r->texts);
    uint32_t cap = 0;
    struct word words[REDUCE_WORDS_MAX];
    for (uint64_t i = 0; i < count; i++) {
        rf_str text = rows_value(r->texts, i, 0).s;
        uint32_t n = cut_words(r->node, text, words);
        for (uint32_t w = 0; w < n; w++) {
            struct value key[2] = {value_long(w),
                                   value_str(rf_slice(text, words[w].from, words[w].to))};
            uint32_t known = key_map_add(map, key);
            if (known == KEY_MAP_NONE) return rf_fail_memory(err, &r->arena);
            if (map->cap != cap) {
                uint32_t *grown = rf_arena_grow(&r->arena, *counts, cap * sizeof *grown,
                                                map->cap * sizeof *grown);
                if (grown == NULL) return rf_fail_memory(err, &r->arena);
                memset(grown + cap, 0, (map->cap - cap) * sizeof *grown);
                *counts = grown;
                cap = map->cap;
            }
            RF_ASSERT(*counts != NULL);
            (*counts)[known]++;
        }
    }
    return RF_OK;
}

/* The text with '*' for all that is not typical; neighbours become one '*'. */
static rf_str pattern_of(const struct reduce_run *r, rf_str text, const struct key_map *map,
                         const uint32_t *counts, struct rf_buf *buf)
{
    struct word words[REDUCE_WORDS_MAX];
    uint32_t n = cut_words(r->node, text, words);
    double count = (double)rows_count(r->texts), least = RF_MAX(r->node->threshold * count, 2);
    double most = RF_MAX(count / 2, least); /* numbers differ by nature */
    size_t at = 0;
    for (uint32_t w = 0; w < n; w++) {
        rf_str word = rf_slice(text, words[w].from, words[w].to);
        struct value key[2] = {value_long(w), value_str(word)};
        uint32_t known = key_map_find(map, key);
        RF_ASSERT(known == KEY_MAP_NONE || counts != NULL);
        rf_buf_str(buf, rf_slice(text, at, words[w].from));
        if (known != KEY_MAP_NONE && counts[known] >= (rf_is_digit(word.ptr[0]) ? most : least))
            rf_buf_str(buf, word);
        else if (buf->len == 0 || buf->ptr[buf->len - 1] != '*')
            rf_buf_byte(buf, '*');
        at = words[w].to;
    }
    rf_buf_str(buf, rf_slice(text, at, text.len));
    return rf_buf_view(buf);
}

struct pattern {
    rf_str text, representative;
    int64_t count;
};

struct patterns {
    struct key_map map;
    struct pattern *items;
    uint32_t *of; /* of each text */
};

static enum rf_kind find_patterns(struct reduce_run *r, struct patterns *out, struct rf_err *err)
{
    struct key_map words = key_map_in(&r->arena, 2);
    uint32_t *counts = NULL;
    uint64_t count = rows_count(r->texts);
    RF_TRY(count_words(r, &words, &counts, err));
    *out = (struct patterns){.map = key_map_in(&r->arena, 1)};
    out->of = rf_arena_raw(&r->arena, uint32_t, count);
    out->items = rf_arena_new(&r->arena, struct pattern, count);
    if (out->of == NULL || out->items == NULL) return rf_fail_memory(err, &r->arena);
    for (uint64_t i = 0; i < count; i++) {
        struct rf_buf buf = rf_buf_in(&r->arena);
        rf_str text = rows_value(r->texts, i, 0).s;
        struct value key = value_str(pattern_of(r, text, &words, counts, &buf));
        if (buf.failed) return rf_fail_memory(err, &r->arena);
        out->of[i] = key_map_add(&out->map, &key);
        if (out->of[i] == KEY_MAP_NONE) return rf_fail_memory(err, &r->arena);
        struct pattern *p = &out->items[out->of[i]];
        if (p->count++ == 0) *p = (struct pattern){key.s, text, 1};
    }
    return RF_OK;
}

/* Small groups join '*'. */
static void merge_small(struct reduce_run *r, struct patterns *p)
{
    uint64_t count = rows_count(r->texts);
    double least = r->node->threshold * (double)count;
    uint32_t rest = KEY_MAP_NONE;
    for (uint32_t i = 0; i < p->map.count; i++)
        if (rf_str_is(p->items[i].text, "*")) rest = i;
    for (uint32_t i = 0; i < p->map.count; i++) {
        if ((double)p->items[i].count >= least || i == rest) continue;
        if (rest == KEY_MAP_NONE) {
            rest = i;
            p->items[i].text = RF_S("*");
            continue;
        }
        p->items[rest].count += p->items[i].count;
        p->items[i].count = 0;
        p->items[i].text = RF_S("*");
    }
}

static int pattern_cmp(const void *a, const void *b)
{
    const struct pattern *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return rf_str_cmp(x->text, y->text);
}

static enum rf_kind emit_patterns(struct reduce_run *r, struct patterns *p, struct flow *out,
                                  struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, r->exec->budget);
    uint32_t count = p->map.count;
    if (count > 1) qsort(p->items, count, sizeof *p->items, pattern_cmp);
    while (count > 0 && p->items[count - 1].count == 0) count--;
    for (uint32_t from = 0; from < count; from += BATCH_ROWS) {
        uint32_t n = RF_MIN(count - from, (uint32_t)BATCH_ROWS);
        struct vec columns[3];
        rf_arena_reset(&arena);
        if (!vec_flat(&arena, TYPE_STRING, n, &columns[0]) ||
            !vec_flat(&arena, TYPE_LONG, n, &columns[1]) ||
            !vec_flat(&arena, TYPE_STRING, n, &columns[2]))
            return rf_fail_memory(err, &arena);
        for (uint32_t i = 0; i < n; i++) {
            const struct pattern *pattern = &p->items[from + i];
            struct value cells[3] = {value_str(pattern->text), value_long(pattern->count),
                                     value_str(pattern->representative)};
            for (uint32_t c = 0; c < 3; c++) vec_set(&columns[c], i, &cells[c]);
        }
        struct batch batch = {
            .row_count = n, .column_count = 3, .columns = columns, .arena = &arena};
        RF_TRY(flow_push(r->exec, out, 0, &batch, err));
    }
    return RF_OK;
}

static enum rf_kind emit_source(struct reduce_run *r, struct patterns *p, struct flow *out,
                                struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, r->exec->budget);
    uint64_t count = rows_count(r->rows);
    uint32_t width = r->node->node.schema.count;
    for (uint64_t from = 0; from < count && !flow_done(out); from += BATCH_ROWS) {
        struct batch in;
        rf_arena_reset(&arena);
        if (!rows_batch(r->rows, from, &arena, &in)) return rf_fail_memory(err, &arena);
        struct batch batch = {.row_count = in.row_count, .column_count = width, .arena = &arena};
        batch.columns = rf_arena_new(&arena, struct vec, width);
        if (batch.columns == NULL ||
            !vec_flat(&arena, TYPE_STRING, in.row_count, &batch.columns[width - 1]))
            return rf_fail_memory(err, &arena);
        for (uint32_t c = 0; c + 1 < width; c++) batch.columns[c] = in.columns[c];
        for (uint32_t i = 0; i < in.row_count; i++) {
            struct value v = value_str(p->items[p->of[from + i]].text);
            vec_set(&batch.columns[width - 1], i, &v);
        }
        RF_TRY(flow_push(r->exec, out, 0, &batch, err));
    }
    return RF_OK;
}

static enum rf_kind reduce_push(struct flow *flow, uint32_t lane, const struct batch *in,
                                struct rf_err *err)
{
    struct reduce_run *r = (struct reduce_run *)flow;
    struct vec text;
    (void)lane;
    RF_TRY(eval_run(r->eval, in, &text, err));
    struct batch one = {
        .row_count = in->row_count, .column_count = 1, .columns = &text, .arena = in->arena};
    if (!rows_append(r->texts, &one) || (r->rows != NULL && !rows_append(r->rows, in)))
        return rf_fail_memory(err, &r->arena);
    return RF_OK;
}

static enum rf_kind reduce_prepare(struct reduce_run *r, struct rf_err *err)
{
    static const uint8_t text_type[1] = {TYPE_STRING};
    const struct schema *input = &r->node->node.inputs[0]->schema;
    struct expr *expr = r->node->expr;
    uint8_t *types = rf_arena_new(&r->arena, uint8_t, input->count);
    r->texts = rows_new(&r->arena, text_type, 1);
    if (types == NULL || r->texts == NULL) return rf_fail_memory(err, &r->arena);
    for (uint32_t i = 0; i < input->count; i++) types[i] = input->columns[i].type;
    if (r->node->source) {
        r->rows = rows_new(&r->arena, types, input->count);
        if (r->rows == NULL) return rf_fail_memory(err, &r->arena);
    }
    return eval_new(r->exec, &r->arena, &expr, 1, input, &r->eval, err);
}

static enum rf_kind reduce_run(struct node *node, struct exec *exec, struct flow *out,
                               struct rf_err *err)
{
    struct reduce_run r = {
        .flow = {.push = reduce_push}, .node = (struct reduce_node *)node, .exec = exec};
    struct patterns patterns;
    rf_arena_init_shared(&r.arena, exec->budget);
    uint32_t lanes = exec->lane_count;
    exec->lane_count = 1;
    enum rf_kind kind = reduce_prepare(&r, err);
    if (kind == RF_OK) kind = node_run(node->inputs[0], exec, &r.flow, err);
    exec->lane_count = lanes;
    if (kind == RF_OK) kind = find_patterns(&r, &patterns, err);
    if (kind == RF_OK) {
        merge_small(&r, &patterns);
        kind = r.node->source ? emit_source(&r, &patterns, out, err)
                              : emit_patterns(&r, &patterns, out, err);
    }
    eval_done(r.eval);
    rf_arena_done(&r.arena);
    return kind;
}

static const struct node_ops reduce_ops = {.name = "reduce", .run = reduce_run};

/* ---- text to node ---------------------------------------------------------------------------- */

static enum rf_kind reduce_parse(struct parser *p, struct ast *node)
{
    static const char *const before[] = {"kind", "hint.*", NULL};
    static const char *const behind[] = {"threshold", "characters", NULL};
    struct ast *expr;
    RF_TRY(parse_params(p, before, node));
    RF_TRY(parse_expect(p, "by"));
    RF_TRY(parse_expr(p, &expr));
    node->body = expr;
    if (!parse_accept(p, "with")) return RF_OK;
    struct ast options = {0};
    RF_TRY(parse_params(p, behind, &options));
    uint32_t count = node->param_count + options.param_count;
    struct ast_param *all = rf_arena_new(p->arena, struct ast_param, count);
    if (all == NULL) return PARSE_NOMEM(p);
    for (uint32_t i = 0; i < node->param_count; i++) all[i] = node->params[i];
    for (uint32_t i = 0; i < options.param_count; i++)
        all[node->param_count + i] = options.params[i];
    node->params = all;
    node->param_count = count;
    return RF_OK;
}

static enum rf_kind reduce_schema(struct binder *b, struct reduce_node *n)
{
    const struct schema *input = &n->node.inputs[0]->schema;
    struct schema_builder sb = {.b = b};
    for (uint32_t i = 0; n->source && i < input->count; i++) {
        const struct column *c = &input->columns[i];
        if (!schema_add_exact(&sb, c->name, (enum type)c->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    if (!schema_add(&sb, RF_S("Pattern"), TYPE_STRING, bind_new_id(b))) return BIND_NOMEM(b);
    if (!n->source && (!schema_add(&sb, RF_S("Count"), TYPE_LONG, bind_new_id(b)) ||
                       !schema_add(&sb, RF_S("Representative"), TYPE_STRING, bind_new_id(b))))
        return BIND_NOMEM(b);
    sb.schema.open = n->source && input->open;
    n->node.schema = sb.schema;
    return RF_OK;
}

static enum rf_kind reduce_bind(struct binder *b, const struct ast *node, struct node *input,
                                struct node **out)
{
    struct reduce_node *n = node_new(b, sizeof *n, &reduce_ops, input);
    const struct ast *expr = node->body;
    const struct ast_param *threshold = ast_param(node, "threshold");
    struct value v = value_real(0.1);
    if (n == NULL) return BIND_NOMEM(b);
    n->source = rf_str_is(ast_param_text(node, "kind"), "source");
    n->characters = ast_param_text(node, "characters");
    if (threshold != NULL) {
        RF_TRY(bind_constant(b, threshold->value, TYPE_REAL, &v));
        if (v.null || !(v.r >= 0 && v.r <= 1))
            return bind_fail(b, threshold->pos, "BadParameter", "threshold lies between 0 and 1");
    }
    n->threshold = v.r;
    RF_TRY(bind_scalar(b, expr, &input->schema, &n->expr));
    if (n->expr->type != TYPE_STRING) RF_TRY(bind_cast(b, n->expr, TYPE_STRING, &n->expr));
    RF_TRY(reduce_schema(b, n));
    n->node.serialized = false;
    *out = &n->node;
    return RF_OK;
}

const struct operator op_reduce = {
    .name = "reduce",
    .doc =
        "Groups texts that are alike and shows the pattern, number and an example of each group.",
    .syntax = "T | reduce [kind=source] by Expression [with threshold=Share, characters=Text]",
    .parse = reduce_parse,
    .bind = reduce_bind};
