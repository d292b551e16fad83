/* op_parse.c - parse, parse-where: new columns from a pattern of texts, names and '*'.
 *
 * simple and relaxed: one pass over the text. The pattern covers all of it: where it neither begins nor
 * ends with '*' or a column, the text must begin or end with the pattern's text. regex: the
 * pattern becomes one regular expression, in which '*' is .* and each column a group. */
#include "kql/op_found.h"
#include "value/dyn.h"
#include "value/text.h"

enum piece_kind { PIECE_TEXT, PIECE_STAR, PIECE_COLUMN };
struct piece {
    uint8_t kind; /* enum piece_kind */
    uint8_t type; /* PIECE_COLUMN */
    rf_str text;  /* the text, or the column's name */
    uint32_t pos;
    uint32_t column; /* PIECE_COLUMN: which of the new columns */
};
struct parse_body {
    struct ast *expr;
    struct piece *pieces;
    uint32_t count;
};
enum parse_kind { PARSE_SIMPLE, PARSE_RELAXED, PARSE_REGEX };

/* ---- parsing --------------------------------------------------------------------------------- */

static enum rf_kind parse_piece(struct parser *p, struct piece *piece, bool *done)
{
    const struct token *t = parse_peek(p);
    *done = false;
    *piece = (struct piece){.pos = t->pos, .type = TYPE_STRING};
    if (t->kind == TOKEN_STRING) {
        piece->kind = PIECE_TEXT;
        piece->text = t->text;
        p->at++;
        return RF_OK;
    }
    if (parse_accept(p, "*")) {
        piece->kind = PIECE_STAR;
        return RF_OK;
    }
    if (t->kind != TOKEN_NAME && !parse_is(p, 0, "[")) {
        *done = true;
        return RF_OK;
    }
    piece->kind = PIECE_COLUMN;
    RF_TRY(parse_name(p, &piece->text));
    if (!parse_accept(p, ":")) return RF_OK;
    enum type type;
    RF_TRY(parse_type(p, &type));
    piece->type = (uint8_t)type;
    return RF_OK;
}

/* Texts that follow each other are one text. */
static enum rf_kind join_texts(struct parser *p, struct piece *into, const struct piece *next)
{
    struct rf_buf buf = rf_buf_in(p->arena);
    rf_buf_str(&buf, into->text);
    rf_buf_str(&buf, next->text);
    if (buf.failed) return PARSE_NOMEM(p);
    into->text = rf_buf_view(&buf);
    return RF_OK;
}

static enum rf_kind parse_pieces(struct parser *p, struct parse_body *body)
{
    uint32_t cap = 0;
    for (;;) {
        struct piece piece;
        bool done;
        RF_TRY(parse_piece(p, &piece, &done));
        if (done) break;
        struct piece *last = body->count == 0 ? NULL : &body->pieces[body->count - 1];
        if (last != NULL && last->kind == PIECE_TEXT && piece.kind == PIECE_TEXT) {
            RF_TRY(join_texts(p, last, &piece));
            continue;
        }
        if (last != NULL && last->kind == PIECE_STAR && piece.kind == PIECE_STAR) continue;
        if (body->count == cap) {
            uint32_t more = cap * 2 + 8;
            struct piece *grown =
                rf_arena_grow(p->arena, body->pieces, cap * sizeof *grown, more * sizeof *grown);
            if (grown == NULL) return PARSE_NOMEM(p);
            body->pieces = grown;
            cap = more;
        }
        RF_ASSERT(body->pieces != NULL);
        body->pieces[body->count++] = piece;
    }
    return body->count == 0 ? parse_expected(p, "a text, a column or '*'") : RF_OK;
}

static enum rf_kind parse_parse(struct parser *p, struct ast *node)
{
    static const char *const known[] = {"kind", "flags", "hint.*", NULL};
    struct parse_body *body = rf_arena_new(p->arena, struct parse_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, known, node));
    RF_TRY(parse_expr(p, &body->expr));
    RF_TRY(parse_expect(p, "with"));
    return parse_pieces(p, body);
}

/* ---- the node -------------------------------------------------------------------------------- */

struct parse_node {
    struct found_node base;
    const struct piece *pieces;
    uint32_t piece_count;
    uint8_t *types; /* of the new columns */
    uint32_t column_count;
    enum parse_kind kind;
    bool only_matches; /* parse-where */
    const struct regex *regex;
    uint32_t *groups; /* of each new column in `regex` */
};

/* ---- one text -------------------------------------------------------------------------------- */

static size_t skip_digits(rf_str s, size_t at)
{
    while (at < s.len && rf_is_digit(s.ptr[at])) at++;
    return at;
}

static size_t number_length(rf_str s, enum type type)
{
    size_t at = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+') ? 1 : 0, start = at;
    at = skip_digits(s, at);
    if (type == TYPE_INT || type == TYPE_LONG) return at > start ? at : 0;
    size_t digits = at - start;
    if (at < s.len && s.ptr[at] == '.') {
        size_t end = skip_digits(s, at + 1);
        digits += end - at - 1;
        at = end;
    }
    if (digits == 0) return 0;
    if (at < s.len && (s.ptr[at] | 0x20) == 'e') {
        size_t from = at + 1;
        if (from < s.len && (s.ptr[from] == '-' || s.ptr[from] == '+')) from++;
        size_t end = skip_digits(s, from);
        if (end > from) at = end;
    }
    return at;
}

/* How much of the text's head belongs to a column that no text ends: a number, or all up to a blank. */
static size_t head_length(rf_str s, enum type type)
{
    if (type_is_number(type)) return number_length(s, type);
    if (type_is_bytes(type)) return s.len;
    size_t at = 0;
    while (at < s.len && !rf_is_space(s.ptr[at]) && s.ptr[at] != ',' && s.ptr[at] != ';') at++;
    return at;
}

/* Where such a column begins when '*' stands before it. */
static size_t head_start(rf_str s, enum type type)
{
    size_t at = 0;
    if (type_is_bytes(type)) return 0;
    while (at < s.len && head_length(rf_slice(s, at, s.len), type) == 0) at++;
    return at;
}

struct matcher {
    const struct parse_node *node;
    rf_str text;
    rf_str *found;            /* text of each new column */
    size_t at;                /* behind what is matched so far */
    bool floating;            /* '*' was seen: what follows may begin anywhere */
    const struct piece *open; /* a column that began at `at` and has no end yet */
};

/* Ends the open column where its value ends by itself. */
static void close_by_type(struct matcher *m)
{
    rf_str rest = rf_slice(m->text, m->at, m->text.len);
    size_t from = m->floating ? head_start(rest, (enum type)m->open->type) : 0;
    rest = rf_slice(rest, from, rest.len);
    size_t length = head_length(rest, (enum type)m->open->type);
    m->found[m->open->column] = rf_slice(rest, 0, length);
    m->at += from + length;
    m->open = NULL;
    m->floating = false;
}

static bool match_text(struct matcher *m, rf_str text)
{
    if (m->open == NULL && !m->floating) {
        rf_str rest = rf_slice(m->text, m->at, m->text.len);
        if (!rf_str_starts(rest, text)) return false;
        m->at += text.len;
        return true;
    }
    if (m->open != NULL && m->floating) /* the '*' before a number ends where the number begins */
        m->at += head_start(rf_slice(m->text, m->at, m->text.len), (enum type)m->open->type);
    size_t at = rf_str_find(m->text, text, m->at);
    if (at == SIZE_MAX) return false;
    if (m->open != NULL) m->found[m->open->column] = rf_slice(m->text, m->at, at);
    m->open = NULL;
    m->floating = false;
    m->at = at + text.len;
    return true;
}

/* A text column before '*' goes on to the text behind the '*'; the '*' then stands for nothing. */
static void match_star(struct matcher *m)
{
    if (m->open != NULL && type_is_bytes((enum type)m->open->type)) return;
    if (m->open != NULL) close_by_type(m);
    m->floating = true;
}

static bool match_pieces(const struct parse_node *node, rf_str text, rf_str *found)
{
    struct matcher m = {.node = node, .text = text, .found = found};
    for (uint32_t i = 0; i < node->piece_count; i++) {
        const struct piece *piece = &node->pieces[i];
        switch ((enum piece_kind)piece->kind) {
        case PIECE_TEXT:
            if (!match_text(&m, piece->text)) return false;
            break;
        case PIECE_STAR:
            match_star(&m);
            break;
        case PIECE_COLUMN:
            if (m.open != NULL) close_by_type(&m);
            m.open = piece;
            break;
        }
    }
    if (m.open != NULL) {
        if (m.floating)
            close_by_type(&m);
        else
            found[m.open->column] = rf_slice(text, m.at, text.len);
        return true;
    }
    return m.floating || m.at == text.len || node->pieces[node->piece_count - 1].kind == PIECE_STAR;
}

static bool match_regex(const struct parse_node *node, struct regex_scratch *scratch,
                        struct regex_group *groups, rf_str text, rf_str *found, bool *failed)
{
    size_t count = (size_t)regex_group_count(node->regex) + 1;
    if (!regex_find(node->regex, scratch, text, 0, groups, count, failed)) return false;
    for (uint32_t i = 0; i < node->column_count; i++) {
        const struct regex_group *g = &groups[node->groups[i]];
        found[i] = g->from == SIZE_MAX ? RF_S("") : rf_slice(text, g->from, g->to);
    }
    return true;
}

/* ---- batches --------------------------------------------------------------------------------- */

struct parse_lane {
    struct found_lane base;
    struct regex_group *groups;
    rf_str *found;
};

/* Writes the found texts as values of row `row`. False when one does not convert. */
static enum rf_kind set_row(const struct parse_node *n, const rf_str *found, uint32_t row,
                            struct vec *columns, struct rf_arena *arena, bool *fits,
                            struct rf_err *err)
{
    *fits = true;
    for (uint32_t i = 0; i < n->column_count; i++) {
        if (n->types[i] == TYPE_STRING) {
            ((rf_str *)(uintptr_t)columns[i].data)[row] = found[i];
            continue;
        }
        struct value text = value_str(found[i]), v;
        if (!value_convert(&text, (enum type)n->types[i], arena, &v))
            return rf_fail_memory(err, arena);
        if (v.null) *fits = false;
        vec_set(&columns[i], row, &v);
    }
    return RF_OK;
}

static void clear_row(const struct parse_node *n, uint32_t row, struct vec *columns)
{
    for (uint32_t i = 0; i < n->column_count; i++) {
        struct value none =
            n->types[i] == TYPE_STRING ? value_str(RF_S("")) : value_null((enum type)n->types[i]);
        vec_set(&columns[i], row, &none);
    }
}

static bool new_columns(const struct parse_node *n, uint32_t count, struct rf_arena *arena,
                        struct vec **out)
{
    struct vec *columns = rf_arena_new(arena, struct vec, n->column_count);
    if (columns == NULL) return false;
    for (uint32_t i = 0; i < n->column_count; i++) {
        if (!vec_flat(arena, (enum type)n->types[i], count, &columns[i])) return false;
        if (n->types[i] != TYPE_STRING && vec_need_nulls(arena, &columns[i], count) == NULL)
            return false;
    }
    *out = columns;
    return true;
}

static enum rf_kind parse_rows(const struct parse_node *n, struct parse_lane *l,
                               const struct batch *in, struct vec *columns, uint32_t *matched,
                               uint32_t *match_count, struct rf_err *err)
{
    struct vec texts;
    RF_TRY(eval_run(l->base.eval, in, &texts, err));
    for (uint32_t row = 0; row < in->row_count; row++) {
        rf_str text = vec_str(&texts, row);
        bool failed = false, fits = false;
        bool hit = n->kind == PARSE_REGEX
                       ? match_regex(n, &l->base.scratch, l->groups, text, l->found, &failed)
                       : match_pieces(n, text, l->found);
        if (failed) return rf_fail_memory(err, &l->base.arena);
        if (hit) RF_TRY(set_row(n, l->found, row, columns, in->arena, &fits, err));
        if (hit && (fits || n->kind == PARSE_RELAXED))
            matched[(*match_count)++] = row;
        else
            clear_row(n, row, columns);
    }
    return RF_OK;
}

static enum rf_kind parse_push(struct flow *flow, uint32_t lane, const struct batch *in,
                               struct rf_err *err)
{
    const struct found_flow *f = (const struct found_flow *)flow;
    const struct parse_node *n = (const struct parse_node *)f->node;
    struct parse_lane *l = (struct parse_lane *)found_lane(f, lane);
    uint32_t *matched = rf_arena_raw(in->arena, uint32_t, in->row_count), match_count = 0;
    struct batch out = {
        .row_count = in->row_count, .column_count = n->base.node.schema.count, .arena = in->arena};
    struct vec *found;
    if (matched == NULL || !new_columns(n, in->row_count, in->arena, &found))
        return rf_fail_memory(err, in->arena);
    RF_TRY(parse_rows(n, l, in, found, matched, &match_count, err));
    out.columns = found_columns(f, in, found);
    if (out.columns == NULL) return rf_fail_memory(err, in->arena);
    if (n->only_matches && match_count < in->row_count &&
        !batch_select(&out, matched, match_count, &out))
        return rf_fail_memory(err, in->arena);
    return flow_push(f->exec, flow->next, lane, &out, err);
}

static enum rf_kind parse_lane_init(const struct found_node *node, struct found_lane *lane,
                                    struct rf_err *err)
{
    const struct parse_node *n = (const struct parse_node *)node;
    struct parse_lane *l = (struct parse_lane *)lane;
    l->found = rf_arena_new(&lane->arena, rf_str, n->column_count);
    if (l->found == NULL) return rf_fail_memory(err, &lane->arena);
    if (n->regex == NULL) return RF_OK;
    l->groups = rf_arena_new(&lane->arena, struct regex_group, regex_group_count(n->regex) + 1);
    return l->groups == NULL ? rf_fail_memory(err, &lane->arena) : RF_OK;
}

static enum rf_kind parse_run(struct node *node, struct exec *exec, struct flow *out,
                              struct rf_err *err)
{
    static const struct found_ops ops = {
        .lane_bytes = sizeof(struct parse_lane), .lane_init = parse_lane_init, .push = parse_push};
    return found_run(node, exec, out, &ops, err);
}

static void parse_explain(const struct node *node, struct rf_buf *buf)
{
    const struct parse_node *n = (const struct parse_node *)node;
    expr_explain(n->base.expr, buf);
    for (uint32_t i = 0; i < n->piece_count; i++) {
        const struct piece *piece = &n->pieces[i];
        switch ((enum piece_kind)piece->kind) {
        case PIECE_TEXT:
            rf_buf_printf(buf, " \"%.*s\"", RF_FMT(piece->text));
            break;
        case PIECE_STAR:
            rf_buf_printf(buf, " *");
            break;
        case PIECE_COLUMN:
            rf_buf_printf(buf, " %.*s", RF_FMT(piece->text));
            break;
        }
    }
}

static const struct node_ops parse_ops = {.name = "parse",
                                          .run = parse_run,
                                          .prune = found_prune,
                                          .explain = parse_explain,
                                          .by_rows = true};

/* ---- text to node ---------------------------------------------------------------------------- */

/* A column is greedy as '*' is, so a text between them is looked for from the end; flags=U turns
 * both round. */
static const char *group_pattern(enum type type)
{
    switch (type) {
    case TYPE_INT:
    case TYPE_LONG:
        return "[-+]?\\d+";
    case TYPE_REAL:
    case TYPE_DECIMAL:
        return "[-+]?\\d*\\.?\\d+(?:[eE][-+]?\\d+)?";
    default:
        return ".*";
    }
}

static enum rf_kind regex_flags_of(struct binder *b, const struct ast *node, uint32_t *flags)
{
    static const struct {
        char letter;
        uint32_t flag;
    } letters[] = {
        {'i', REGEX_NOCASE}, {'m', REGEX_MULTI_LINE}, {'s', REGEX_DOT_ALL}, {'U', REGEX_UNGREEDY}};
    rf_str text = ast_param_text(node, "flags");
    *flags = 0;
    for (size_t i = 0; i < text.len; i++) {
        size_t k = 0;
        while (k < RF_COUNT(letters) && letters[k].letter != (char)text.ptr[i]) k++;
        if (k == RF_COUNT(letters))
            return bind_fail(b, ast_param(node, "flags")->pos, "BadParameter",
                             "flags are letters of U, m, s and i");
        *flags |= letters[k].flag;
    }
    return RF_OK;
}

static enum rf_kind bind_regex(struct binder *b, const struct ast *node, struct parse_node *n)
{
    struct rf_buf pattern = rf_buf_in(b->arena);
    uint32_t flags;
    RF_TRY(regex_flags_of(b, node, &flags));
    for (uint32_t i = 0; i < n->piece_count; i++) {
        const struct piece *piece = &n->pieces[i];
        switch ((enum piece_kind)piece->kind) {
        case PIECE_TEXT:
            rf_buf_printf(&pattern, "(?:%.*s)", RF_FMT(piece->text));
            break;
        case PIECE_STAR:
            rf_buf_printf(&pattern, ".*");
            break;
        case PIECE_COLUMN:
            rf_buf_printf(&pattern, "(?P<rf_column_%u>%s)", piece->column,
                          group_pattern((enum type)piece->type));
            break;
        }
    }
    n->groups = rf_arena_new(b->arena, uint32_t, n->column_count);
    if (pattern.failed || n->groups == NULL) return BIND_NOMEM(b);
    struct rf_err err = {0};
    if (regex_compile(rf_buf_view(&pattern), flags, b->arena, &n->regex, &err) != RF_OK)
        return bind_fail(b, n->pieces[0].pos, "BadRegex", "the pattern as a regular expression: %s",
                         err.text);
    for (uint32_t i = 0; i < n->column_count; i++) {
        rf_str name = rf_arena_printf(b->arena, "rf_column_%u", i);
        if (name.ptr == NULL) return BIND_NOMEM(b);
        n->groups[i] = regex_group_find(n->regex, name);
    }
    return RF_OK;
}

static enum rf_kind bind_columns(struct binder *b, struct parse_node *n,
                                 const struct parse_body *body, struct piece *pieces)
{
    struct schema_builder sb;
    RF_TRY(found_bind(b, &n->base, body->expr, body->count, &sb));
    n->types = rf_arena_new(b->arena, uint8_t, body->count);
    if (n->types == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < body->count; i++) {
        struct piece *piece = &pieces[i];
        if (piece->kind != PIECE_COLUMN) continue;
        piece->column = n->column_count++;
        n->types[piece->column] = piece->type;
        RF_TRY(found_bind_column(b, &n->base, &sb, piece->text, (enum type)piece->type, piece->pos,
                                 piece->column));
    }
    n->base.node.schema = sb.schema;
    return RF_OK;
}

static enum rf_kind kind_of(struct binder *b, const struct ast *node, enum parse_kind *out)
{
    static const char *const names[] = {"simple", "relaxed", "regex"};
    const struct ast_param *param = ast_param(node, "kind");
    *out = PARSE_SIMPLE;
    if (param == NULL) return RF_OK;
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        if (!rf_str_is(ast_param_text(node, "kind"), names[i])) continue;
        *out = (enum parse_kind)i;
        return RF_OK;
    }
    return bind_fail(b, param->pos, "BadParameter", "kind is simple, relaxed or regex");
}

static enum rf_kind parse_bind(struct binder *b, const struct ast *node, struct node *input,
                               struct node **out)
{
    const struct parse_body *body = node->body;
    struct parse_node *n = node_new(b, sizeof *n, &parse_ops, input);
    struct piece *pieces = rf_arena_new(b->arena, struct piece, body->count);
    if (n == NULL || pieces == NULL) return BIND_NOMEM(b);
    memcpy(pieces, body->pieces, body->count * sizeof *pieces);
    n->pieces = pieces;
    n->piece_count = body->count;
    n->only_matches = rf_str_is(node->text, "parse-where");
    RF_TRY(kind_of(b, node, &n->kind));
    RF_TRY(bind_columns(b, n, body, pieces));
    if (n->kind == PARSE_REGEX) RF_TRY(bind_regex(b, node, n));
    *out = &n->base.node;
    return RF_OK;
}

const struct operator op_parse = {
    .name = "parse",
    .doc = "New columns from a text by a pattern; rows that do not match get nulls.",
    .syntax = "T | parse [kind=simple|relaxed|regex [flags=Flags]] Expression with "
              "[*] \"text\" Name[:Type] ...",
    .parse = parse_parse,
    .bind = parse_bind};
const struct operator op_parse_where = {
    .name = "parse-where",
    .doc = "parse, and drops rows that do not match.",
    .syntax = "T | parse-where [kind=simple|regex [flags=Flags]] Expression with "
              "[*] \"text\" Name[:Type] ...",
    .parse = parse_parse,
    .bind = parse_bind};
