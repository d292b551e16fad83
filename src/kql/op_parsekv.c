/* op_parsekv.c - parse-kv: named columns from texts such as "user=joe, port=22".
 *
 * Three forms: with delimiters; with a regular expression of two groups, key and value; with neither,
 * where a key is a word and its value the next word. Of equal keys the first counts. */
#include "kql/op_found.h"
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
    struct found_node base;
    const struct ast_column *keys;
    uint32_t key_count;
    rf_str pair, kv;             /* delimiters; both empty in the form without */
    uint8_t open, close, escape; /* quotes; 0: none */
    bool greedy;
    const struct regex *regex;
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
    struct found_lane base;
    rf_str *found;
};

static enum rf_kind kv_row(const struct kv_node *n, struct kv_lane *l, rf_str text, uint32_t row,
                           struct vec *columns, struct rf_arena *arena, struct rf_err *err)
{
    struct kv_reader r = {.node = n, .text = text, .arena = arena, .found = l->found};
    memset(l->found, 0, n->key_count * sizeof *l->found);
    if (n->regex != NULL)
        read_regex(&r, &l->base.scratch);
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
    const struct found_flow *f = (const struct found_flow *)flow;
    const struct kv_node *n = (const struct kv_node *)f->node;
    struct kv_lane *l = (struct kv_lane *)found_lane(f, lane);
    struct vec texts, *found = rf_arena_new(in->arena, struct vec, n->key_count);
    struct batch out = {
        .row_count = in->row_count, .column_count = n->base.node.schema.count, .arena = in->arena};
    if (found == NULL) return rf_fail_memory(err, in->arena);
    for (uint32_t i = 0; i < n->key_count; i++)
        if (!vec_flat(in->arena, (enum type)n->keys[i].type, in->row_count, &found[i]) ||
            vec_need_nulls(in->arena, &found[i], in->row_count) == NULL)
            return rf_fail_memory(err, in->arena);
    RF_TRY(eval_run(l->base.eval, in, &texts, err));
    for (uint32_t row = 0; row < in->row_count; row++)
        RF_TRY(kv_row(n, l, vec_str(&texts, row), row, found, in->arena, err));
    out.columns = found_columns(f, in, found);
    if (out.columns == NULL) return rf_fail_memory(err, in->arena);
    return flow_push(f->exec, flow->next, lane, &out, err);
}

static enum rf_kind kv_lane_init(const struct found_node *node, struct found_lane *lane,
                                 struct rf_err *err)
{
    struct kv_lane *l = (struct kv_lane *)lane;
    l->found = rf_arena_new(&lane->arena, rf_str, ((const struct kv_node *)node)->key_count);
    return l->found == NULL ? rf_fail_memory(err, &lane->arena) : RF_OK;
}

static enum rf_kind kv_run(struct node *node, struct exec *exec, struct flow *out,
                           struct rf_err *err)
{
    static const struct found_ops ops = {
        .lane_bytes = sizeof(struct kv_lane), .lane_init = kv_lane_init, .push = kv_push};
    return found_run(node, exec, out, &ops, err);
}

static const struct node_ops kv_ops = {
    .name = "parse-kv", .run = kv_run, .prune = found_prune, .by_rows = true};

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
    RF_TRY(bind_options(b, node, n));
    struct schema_builder sb;
    RF_TRY(found_bind(b, &n->base, body->expr, body->count, &sb));
    for (uint32_t k = 0; k < body->count; k++) {
        const struct ast_column *key = &body->columns[k];
        RF_TRY(found_bind_column(b, &n->base, &sb, key->name, (enum type)key->type, key->pos, k));
    }
    n->base.node.schema = sb.schema;
    *out = &n->base.node;
    return RF_OK;
}

const struct operator op_parse_kv = {
    .name = "parse-kv",
    .doc = "Columns from key-value pairs in a text; missing keys are null or empty.",
    .syntax = "T | parse-kv Expression as (Key:Type, ...) [with (pair_delimiter=..., "
              "kv_delimiter=..., quote=..., escape=..., greedy=true | regex=...)]",
    .parse = kv_parse,
    .bind = kv_bind};
