/* op_parsekv.c - parse-kv: named columns from texts such as "user=joe, port=22".
 *
 * Three forms: with delimiters; with a regular expression of two groups, key and value; with neither,
 * where a key is a word and its value the next word. Of equal keys the first counts. */
#include "base/regex.h"
#include "kql/op.h"
#include "value/text.h"

struct kv_body {
    struct ast *expr;
    struct ast_column *columns;
    uint32_t count;
};

static enum rf_kind kv_parse(struct parser *p, struct ast *node)
{
    static const char *const known[] = {"pair_delimiter", "kv_delimiter", "quote", "escape",
                                        "greedy",         "regex",        NULL};
    struct kv_body *body = rf_arena_new(p->arena, struct kv_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_expr(p, &body->expr));
    RF_TRY(parse_expect(p, "as"));
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_columns(p, &body->columns, &body->count));
    RF_TRY(parse_expect(p, ")"));
    if (!parse_accept(p, "with")) return RF_OK;
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_params(p, known, node));
    return parse_expect(p, ")");
}

/* ---- the node -------------------------------------------------------------------------------- */

struct kv_node {
    struct node node;
    struct expr *expr;
    const struct ast_column *keys;
    uint32_t key_count;
    rf_str pair, kv;             /* delimiters; both empty in the form without */
    uint8_t open, close, escape; /* quotes; 0: none */
    bool greedy;
    const struct regex *regex;
    int *key_at; /* beside schema.columns: which key, or -1 for one of the input's */
};

struct kv_reader {
    const struct kv_node *node;
    rf_str text;
    size_t at;
    struct rf_arena *arena; /* for texts without their escapes */
    rf_str *found;          /* text of each key; ptr NULL while it was not seen */
    bool failed;
};

static void found_pair(struct kv_reader *r, rf_str key, rf_str value)
{
    for (uint32_t i = 0; i < r->node->key_count; i++)
        if (r->found[i].ptr == NULL && rf_str_eq(r->node->keys[i].name, key))
            r->found[i] = value.ptr == NULL ? RF_S("") : value;
}

static void skip_blanks(struct kv_reader *r)
{
    while (r->at < r->text.len && rf_is_space(r->text.ptr[r->at])) r->at++;
}

static bool at_quote(const struct kv_reader *r)
{
    return r->node->open != 0 && r->at < r->text.len && r->text.ptr[r->at] == r->node->open;
}

/* The text between quotes, from the opening one on; a missing end is the end of the text. */
static rf_str read_quoted(struct kv_reader *r)
{
    const struct kv_node *n = r->node;
    size_t from = ++r->at;
    bool escaped = false;
    while (r->at < r->text.len && r->text.ptr[r->at] != n->close) {
        if (n->escape != 0 && r->text.ptr[r->at] == n->escape && r->at + 1 < r->text.len) {
            escaped = true;
            r->at++;
        }
        r->at++;
    }
    rf_str raw = rf_slice(r->text, from, RF_MIN(r->at, r->text.len));
    r->at = RF_MIN(r->at + 1, r->text.len);
    if (!escaped) return raw;
    struct rf_buf buf = rf_buf_in(r->arena);
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] == n->escape && i + 1 < raw.len) i++;
        rf_buf_byte(&buf, raw.ptr[i]);
    }
    r->failed = r->failed || buf.failed;
    return rf_buf_view(&buf);
}

static size_t find_or_end(const struct kv_reader *r, rf_str what)
{
    return RF_MIN(rf_str_find(r->text, what, r->at), r->text.len);
}

/* Goes behind the next pair delimiter, or to the end. */
static void next_pair(struct kv_reader *r)
{
    r->at = RF_MIN(find_or_end(r, r->node->pair) + r->node->pair.len, r->text.len);
}

/* A key with its delimiter; what stands alone between pair delimiters is passed over. */
static bool read_key(struct kv_reader *r, rf_str *key)
{
    const struct kv_node *n = r->node;
    while (r->at < r->text.len) {
        skip_blanks(r);
        if (at_quote(r)) {
            *key = read_quoted(r);
            skip_blanks(r);
            if (rf_str_starts(rf_slice(r->text, r->at, r->text.len), n->kv)) {
                r->at += n->kv.len;
                return true;
            }
            next_pair(r);
            continue;
        }
        size_t kv = find_or_end(r, n->kv), pair = find_or_end(r, n->pair);
        if (kv == r->text.len) return false;
        if (pair < kv) {
            r->at = pair + n->pair.len;
            continue;
        }
        *key = rf_str_trim(rf_slice(r->text, r->at, kv));
        r->at = kv + n->kv.len;
        return true;
    }
    return false;
}

/* Greedy: the value goes on to the last pair delimiter before the next key's delimiter. */
static size_t greedy_end(const struct kv_reader *r)
{
    size_t kv = find_or_end(r, r->node->kv), end = r->text.len;
    if (kv == r->text.len) return end;
    for (size_t at = r->at; at < kv;) {
        size_t pair = rf_str_find(r->text, r->node->pair, at);
        if (pair == SIZE_MAX || pair >= kv) break;
        end = pair;
        at = pair + r->node->pair.len;
    }
    return end;
}

static void read_delimited(struct kv_reader *r)
{
    const struct kv_node *n = r->node;
    rf_str key;
    while (read_key(r, &key)) {
        rf_str rest = rf_slice(r->text, r->at, r->text.len);
        if (!rf_str_starts(rest, n->pair)) skip_blanks(r);
        if (at_quote(r)) {
            found_pair(r, key, read_quoted(r));
            next_pair(r);
            continue;
        }
        size_t end = n->greedy ? greedy_end(r) : find_or_end(r, n->pair);
        found_pair(r, key, rf_str_trim(rf_slice(r->text, r->at, end)));
        r->at = RF_MIN(end + n->pair.len, r->text.len);
    }
}

/* The next word: letters, digits, '_' and bytes of other alphabets; or a quoted text. */
static bool read_word(struct kv_reader *r, rf_str *word)
{
    while (r->at < r->text.len) {
        if (at_quote(r)) {
            *word = read_quoted(r);
            return true;
        }
        size_t from = r->at;
        while (r->at < r->text.len && (rf_is_alnum(r->text.ptr[r->at]) ||
                                       r->text.ptr[r->at] == '_' || r->text.ptr[r->at] >= 0x80))
            r->at++;
        if (r->at > from) {
            *word = rf_slice(r->text, from, r->at);
            return true;
        }
        r->at++;
    }
    return false;
}

static void read_words(struct kv_reader *r)
{
    rf_str key, value;
    while (read_word(r, &key)) {
        bool wanted = false;
        for (uint32_t i = 0; i < r->node->key_count && !wanted; i++)
            wanted = r->found[i].ptr == NULL && rf_str_eq(r->node->keys[i].name, key);
        if (wanted && read_word(r, &value)) found_pair(r, key, value);
    }
}

static void read_regex(struct kv_reader *r, struct regex_scratch *scratch)
{
    struct regex_group g[3];
    while (r->at <= r->text.len &&
           regex_find(r->node->regex, scratch, r->text, r->at, g, RF_COUNT(g), &r->failed)) {
        if (g[1].from != SIZE_MAX && g[2].from != SIZE_MAX)
            found_pair(r, rf_str_trim(rf_slice(r->text, g[1].from, g[1].to)),
                       rf_str_trim(rf_slice(r->text, g[2].from, g[2].to)));
        r->at = g[0].to > g[0].from ? g[0].to : g[0].to + 1;
    }
}

/* ---- batches --------------------------------------------------------------------------------- */

struct kv_lane {
    struct rf_arena arena;
    struct eval *eval;
    struct regex_scratch scratch;
    rf_str *found;
};
struct kv_flow {
    struct flow flow;
    struct exec *exec;
    const struct kv_node *node;
    const int *slots;
    struct kv_lane *lanes;
};

static enum rf_kind kv_row(const struct kv_node *n, struct kv_lane *l, rf_str text, uint32_t row,
                           struct vec *columns, struct rf_arena *arena, struct rf_err *err)
{
    struct kv_reader r = {.node = n, .text = text, .arena = arena, .found = l->found};
    memset(l->found, 0, n->key_count * sizeof *l->found);
    if (n->regex != NULL)
        read_regex(&r, &l->scratch);
    else if (n->kv.len > 0)
        read_delimited(&r);
    else
        read_words(&r);
    if (r.failed) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < n->key_count; i++) {
        enum type type = (enum type)n->keys[i].type;
        struct value found = value_str(l->found[i].ptr == NULL ? RF_S("") : l->found[i]);
        struct value v = value_null(type);
        if (type == TYPE_STRING)
            v = found;
        else if (l->found[i].ptr != NULL && !value_convert(&found, type, arena, &v))
            return rf_fail_memory(err, arena);
        vec_set(&columns[i], row, &v);
    }
    return RF_OK;
}

static enum rf_kind kv_push(struct flow *flow, uint32_t lane, const struct batch *in,
                            struct rf_err *err)
{
    struct kv_flow *f = (struct kv_flow *)flow;
    const struct kv_node *n = f->node;
    struct kv_lane *l = &f->lanes[lane];
    uint32_t width = n->node.schema.count;
    struct vec texts, *found = rf_arena_new(in->arena, struct vec, n->key_count);
    struct batch out = {.row_count = in->row_count, .column_count = width, .arena = in->arena};
    out.columns = rf_arena_new(in->arena, struct vec, width);
    if (found == NULL || out.columns == NULL) return rf_fail_memory(err, in->arena);
    for (uint32_t i = 0; i < n->key_count; i++)
        if (!vec_flat(in->arena, (enum type)n->keys[i].type, in->row_count, &found[i]) ||
            vec_need_nulls(in->arena, &found[i], in->row_count) == NULL)
            return rf_fail_memory(err, in->arena);
    RF_TRY(eval_run(l->eval, in, &texts, err));
    for (uint32_t row = 0; row < in->row_count; row++)
        RF_TRY(kv_row(n, l, vec_str(&texts, row), row, found, in->arena, err));
    for (uint32_t i = 0; i < width; i++)
        out.columns[i] = n->key_at[i] >= 0 ? found[n->key_at[i]] : in->columns[f->slots[i]];
    return flow_push(f->exec, flow->next, lane, &out, err);
}

static enum rf_kind lane_init(struct kv_flow *f, struct kv_lane *l, struct rf_err *err)
{
    struct expr *expr = f->node->expr;
    l->found = rf_arena_new(&l->arena, rf_str, f->node->key_count);
    if (l->found == NULL) return rf_fail_memory(err, &l->arena);
    regex_scratch_init(&l->scratch, &l->arena);
    return eval_new(f->exec, &l->arena, &expr, 1, &f->node->node.inputs[0]->schema, &l->eval, err);
}

static enum rf_kind kv_run(struct node *node, struct exec *exec, struct flow *out,
                           struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    struct kv_flow f = {
        .flow = {.push = kv_push, .next = out}, .exec = exec, .node = (struct kv_node *)node};
    int *slots = rf_arena_new(&arena, int, node->schema.count);
    f.lanes = rf_arena_new(&arena, struct kv_lane, exec->lane_count);
    if (slots == NULL || f.lanes == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t i = 0; i < node->schema.count; i++)
        slots[i] = schema_find_id(&node->inputs[0]->schema, node->schema.columns[i].id);
    f.slots = slots;
    enum rf_kind kind = RF_OK;
    for (uint32_t i = 0; i < exec->lane_count; i++)
        rf_arena_init_shared(&f.lanes[i].arena, exec->budget);
    for (uint32_t i = 0; i < exec->lane_count && kind == RF_OK; i++)
        kind = lane_init(&f, &f.lanes[i], err);
    if (kind == RF_OK) kind = node_run(node->inputs[0], exec, &f.flow, err);
    for (uint32_t i = 0; i < exec->lane_count; i++) {
        eval_done(f.lanes[i].eval);
        rf_arena_done(&f.lanes[i].arena);
    }
    return kind;
}

static void kv_prune(struct node *node, struct id_set *need)
{
    struct kv_node *n = (struct kv_node *)node;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->schema.count; i++) {
        if (!id_set_has(need, node->schema.columns[i].id)) continue;
        node->schema.columns[kept] = node->schema.columns[i];
        n->key_at[kept++] = n->key_at[i];
    }
    node->schema.count = kept;
    id_set_add_expr(need, n->expr);
    node_prune(node->inputs[0], need);
}

static const struct node_ops kv_ops = {.name = "parse-kv", .run = kv_run, .prune = kv_prune};

/* ---- text to node ---------------------------------------------------------------------------- */

static enum rf_kind bind_options(struct binder *b, const struct ast *node, struct kv_node *n)
{
    const struct ast_param *regex = ast_param(node, "regex"), *quote = ast_param(node, "quote");
    rf_str quotes = ast_param_text(node, "quote"), escape = ast_param_text(node, "escape");
    n->pair = ast_param_text(node, "pair_delimiter");
    n->kv = ast_param_text(node, "kv_delimiter");
    n->greedy = rf_str_is(ast_param_text(node, "greedy"), "true");
    if (quotes.len > 2)
        return bind_fail(b, quote->pos, "BadParameter", "quote is one character, or two");
    if (quotes.len > 0) {
        n->open = quotes.ptr[0];
        n->close = quotes.ptr[quotes.len - 1];
    }
    if (escape.len > 0) n->escape = escape.ptr[0];
    if (n->kv.len > 0 && n->pair.len == 0) n->pair = RF_S(" ");
    if (n->pair.len > 0 && n->kv.len == 0) n->kv = RF_S("=");
    if (regex == NULL) return RF_OK;
    struct rf_err err = {0};
    if (regex_compile(ast_param_text(node, "regex"), 0, b->arena, &n->regex, &err) != RF_OK)
        return bind_fail(b, regex->pos, "BadRegex", "%s", err.text);
    if (regex_group_count(n->regex) != 2)
        return bind_fail(b, regex->pos, "BadRegex", "two groups are needed, the key and the value");
    return RF_OK;
}

static enum rf_kind kv_bind(struct binder *b, const struct ast *node, struct node *input,
                            struct node **out)
{
    const struct kv_body *body = node->body;
    struct kv_node *n = node_new(b, sizeof *n, &kv_ops, input);
    if (n == NULL) return BIND_NOMEM(b);
    n->keys = body->columns;
    n->key_count = body->count;
    n->key_at = rf_arena_new(b->arena, int, (size_t)input->schema.count + body->count);
    if (n->key_at == NULL) return BIND_NOMEM(b);
    RF_TRY(bind_options(b, node, n));
    RF_TRY(bind_scalar(b, body->expr, &input->schema, &n->expr));
    if (n->expr->type != TYPE_STRING) RF_TRY(bind_cast(b, n->expr, TYPE_STRING, &n->expr));
    struct schema_builder sb = {.b = b};
    for (uint32_t i = 0; i < input->schema.count; i++) {
        const struct column *c = &input->schema.columns[i];
        n->key_at[i] = -1;
        if (!schema_add_exact(&sb, c->name, (enum type)c->type, c->id)) return BIND_NOMEM(b);
    }
    for (uint32_t k = 0; k < body->count; k++) {
        const struct ast_column *key = &body->columns[k];
        int at = schema_find(&sb.schema, key->name);
        if (at < 0) {
            at = (int)sb.schema.count;
            if (!schema_add_exact(&sb, key->name, (enum type)key->type, bind_new_id(b)))
                return BIND_NOMEM(b);
        } else {
            RF_ASSERT((uint32_t)at < sb.schema.count);
            sb.schema.columns[at].type = key->type;
            sb.schema.columns[at].id = bind_new_id(b);
        }
        n->key_at[at] = (int)k;
    }
    sb.schema.open = input->schema.open;
    n->node.schema = sb.schema;
    *out = &n->node;
    return RF_OK;
}

const struct operator op_parse_kv = {
    .name = "parse-kv",
    .doc = "Columns from key-value pairs in a text; missing keys are null or empty.",
    .syntax = "T | parse-kv Expression as (Key:Type, ...) [with (pair_delimiter=..., "
              "kv_delimiter=..., quote=..., escape=..., greedy=true | regex=...)]",
    .parse = kv_parse,
    .bind = kv_bind};
