/* regex_parse.c - pattern to syntax tree. One pass with a stack of its own: open groups in `frames`,
 * finished operands in `operands`. */
#include "base/regex_int.h"

struct frame {             /* an open group, or the whole pattern at the bottom */
    uint32_t flags;        /* to restore when the group closes */
    uint32_t capture;      /* its number, 0: does not capture */
    uint32_t alternatives; /* operands[alternatives..branch) are finished branches */
    uint32_t branch;       /* operands[branch..] are the items of the open one */
    size_t at;             /* of the parenthesis, for messages */
};

struct parser {
    rf_str text;
    size_t at;
    uint32_t flags;
    struct rf_arena *arena;
    struct regex_tree *tree;
    struct rf_err *err;
    struct frame frames[REGEX_DEPTH_MAX + 1];
    uint32_t depth;
    uint32_t *operands;
    uint32_t operand_count, operand_cap;
    bool quoted; /* between \Q and \E */
};

static enum rf_kind bad(struct parser *p, size_t at, const char *what)
{
    enum rf_kind kind = RF_FAIL(p->err, RF_INVALID, "BadRegex",
                                "bad regular expression at offset %zu: %s", at, what);
    uint32_t column;
    if (p->err != NULL) {
        p->err->line = 1;
        p->err->column = rf_u32(at + 1, &column) ? column : 0;
    }
    return kind;
}

static bool more(const struct parser *p) { return p->at < p->text.len; }

static bool looking_at(const struct parser *p, const char *text)
{
    rf_str want = rf_str_of(text);
    return p->text.len - p->at >= want.len && memcmp(p->text.ptr + p->at, want.ptr, want.len) == 0;
}

/* ---- tree ----------------------------------------------------------------------------------------- */

static enum rf_kind node_add(struct parser *p, struct regex_node node, uint32_t *out)
{
    struct regex_tree *tree = p->tree;
    if (tree->node_count == tree->node_cap) {
        void *items = tree->nodes;
        if (!regex_grow(p->arena, &items, &tree->node_cap, sizeof *tree->nodes))
            return rf_fail_memory(p->err, p->arena);
        tree->nodes = items;
    }
    *out = tree->node_count;
    tree->nodes[tree->node_count++] = node;
    return RF_OK;
}

static enum rf_kind operand_push(struct parser *p, uint32_t node)
{
    if (p->operand_count == p->operand_cap) {
        void *items = p->operands;
        if (!regex_grow(p->arena, &items, &p->operand_cap, sizeof *p->operands))
            return rf_fail_memory(p->err, p->arena);
        p->operands = items;
    }
    p->operands[p->operand_count++] = node;
    return RF_OK;
}

static enum rf_kind node_push(struct parser *p, struct regex_node node)
{
    uint32_t index = 0;
    RF_TRY(node_add(p, node, &index));
    return operand_push(p, index);
}

static enum rf_kind literal_push(struct parser *p, uint32_t cp)
{
    return node_push(p, (struct regex_node){.kind = NODE_LITERAL,
                                            .low = cp,
                                            .nocase = (p->flags & REGEX_NOCASE) != 0,
                                            .copies = 1});
}

static enum rf_kind assert_push(struct parser *p, enum regex_assert assert)
{
    return node_push(
        p, (struct regex_node){.kind = NODE_ASSERT, .low = assert, .nullable = true, .copies = 1});
}

/* Takes operands[from..] off and puts one node in their place. */
static enum rf_kind reduce(struct parser *p, uint32_t from, enum regex_kind kind)
{
    uint32_t count = p->operand_count - from;
    if (count == 1) return RF_OK;
    if (count == 0)
        return node_push(p, (struct regex_node){.kind = NODE_EMPTY, .nullable = true, .copies = 1});
    struct regex_tree *tree = p->tree;
    struct regex_node node = {.kind = (uint8_t)kind,
                              .nullable = kind == NODE_CONCAT,
                              .copies = 1,
                              .child = tree->children_count,
                              .child_count = count};
    for (uint32_t i = from; i < p->operand_count; i++) {
        if (tree->children_count == tree->children_cap) {
            void *items = tree->children;
            if (!regex_grow(p->arena, &items, &tree->children_cap, sizeof *tree->children))
                return rf_fail_memory(p->err, p->arena);
            tree->children = items;
        }
        const struct regex_node *child = &tree->nodes[p->operands[i]];
        node.copies = RF_MAX(node.copies, child->copies);
        if (kind == NODE_CONCAT) {
            node.nullable = node.nullable && child->nullable;
        } else {
            node.nullable = node.nullable || child->nullable;
        }
        tree->children[tree->children_count++] = p->operands[i];
    }
    p->operand_count = from;
    return node_push(p, node);
}

static enum rf_kind spans_push(struct parser *p, struct regex_spans *spans)
{
    if (spans->failed) return rf_fail_memory(p->err, p->arena);
    struct regex_tree *tree = p->tree;
    if (spans->count == 0) return node_push(p, (struct regex_node){.kind = NODE_FAIL, .copies = 1});
    /* [.] and [+] are written to quote: a literal serves the search for literals. */
    if (spans->count == 1 && spans->items[0].low == spans->items[0].high)
        return node_push(
            p, (struct regex_node){.kind = NODE_LITERAL, .low = spans->items[0].low, .copies = 1});
    uint32_t first = tree->span_count;
    for (uint32_t i = 0; i < spans->count; i++) {
        if (tree->span_count == tree->span_cap) {
            void *items = tree->spans;
            if (!regex_grow(p->arena, &items, &tree->span_cap, sizeof *tree->spans))
                return rf_fail_memory(p->err, p->arena);
            tree->spans = items;
        }
        tree->spans[tree->span_count++] = spans->items[i];
    }
    return node_push(p, (struct regex_node){
                            .kind = NODE_CLASS, .low = first, .high = spans->count, .copies = 1});
}

/* ---- characters ------------------------------------------------------------------------------------ */

static int hex_value(uint8_t c)
{
    if (rf_is_digit(c)) return c - '0';
    c = rf_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to `digits_max` hex digits; with braces any number of them. */
static enum rf_kind hex_escape(struct parser *p, size_t from, int digits, uint32_t *out)
{
    bool braces = more(p) && p->text.ptr[p->at] == '{';
    uint32_t cp = 0;
    int count = 0;
    if (braces) p->at++;
    while (more(p) && (braces || count < digits) && hex_value(p->text.ptr[p->at]) >= 0) {
        cp = cp * 16 + (uint32_t)hex_value(p->text.ptr[p->at++]);
        if (cp > UNICODE_MAX) return bad(p, from, "the code point is too large");
        count++;
    }
    if (braces && (!more(p) || p->text.ptr[p->at++] != '}'))
        return bad(p, from, "a closing brace is missing");
    if (count == 0 || (!braces && count < digits)) return bad(p, from, "hex digits are missing");
    *out = cp;
    return RF_OK;
}

/* A back slash and one character that stands for one code point; p->at is behind the back slash. */
static enum rf_kind escaped_char(struct parser *p, uint32_t *out)
{
    size_t from = p->at - 1;
    if (!more(p)) return bad(p, from, "nothing follows the back slash");
    uint8_t c = p->text.ptr[p->at];
    if (c >= 0x80) return bad(p, from, "unknown escape");
    p->at++;
    if (!regex_word_byte(c) || c == '_') {
        *out = c;
        return RF_OK;
    }
    switch (c) {
    case 'a':
        *out = 7;
        return RF_OK;
    case 'f':
        *out = '\f';
        return RF_OK;
    case 'n':
        *out = '\n';
        return RF_OK;
    case 'r':
        *out = '\r';
        return RF_OK;
    case 't':
        *out = '\t';
        return RF_OK;
    case 'v':
        *out = '\v';
        return RF_OK;
    case 'x':
        return hex_escape(p, from, 2, out);
    case 'u':
        return hex_escape(p, from, 4, out);
    case 'U':
        return hex_escape(p, from, 8, out);
    default:
        break;
    }
    if (c < '0' || c > '7')
        return bad(p, from,
                   rf_is_digit(c) ? "back-references are not supported" : "unknown escape");
    uint32_t cp = c - '0';
    int digits = 1;
    while (digits < 3 && more(p) && p->text.ptr[p->at] >= '0' && p->text.ptr[p->at] <= '7') {
        cp = cp * 8 + (p->text.ptr[p->at++] - '0');
        digits++;
    }
    if (c != '0' && digits == 1) return bad(p, from, "back-references are not supported");
    *out = cp;
    return RF_OK;
}

static uint32_t plain_char(struct parser *p) { return rf_utf8_next(p->text, &p->at); }

/* ---- classes --------------------------------------------------------------------------------------- */

static const struct named_class {
    const char *name;
    uint8_t spans[5][2]; /* {0, 0} ends, after the first */
} posix_classes[] = {
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
    {"ascii", {{0, 127}}},
    {"blank", {{'\t', '\t'}, {' ', ' '}}},
    {"cntrl", {{0, 31}, {127, 127}}},
    {"digit", {{'0', '9'}}},
    {"graph", {{'!', '~'}}},
    {"lower", {{'a', 'z'}}},
    {"print", {{' ', '~'}}},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
    {"space", {{'\t', '\r'}, {' ', ' '}}},
    {"upper", {{'A', 'Z'}}},
    {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
};
static const struct named_class digit_class = {"d", {{'0', '9'}}};
static const struct named_class space_class = {"s", {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}};
static const struct named_class word_class = {"w",
                                              {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}};

/* Adds `from` to `to`, folded and complemented as wanted. */
static void spans_merge(struct parser *p, struct regex_spans *to, struct regex_spans *from,
                        bool negate)
{
    if (p->flags & REGEX_NOCASE) regex_spans_fold(from);
    if (negate) regex_spans_negate(from);
    for (uint32_t i = 0; i < from->count; i++)
        regex_spans_add(to, from->items[i].low, from->items[i].high);
    to->failed = to->failed || from->failed;
}

static void add_named(struct parser *p, struct regex_spans *spans, const struct named_class *class,
                      bool negate)
{
    struct regex_spans own = {.arena = p->arena};
    for (size_t i = 0; i < RF_COUNT(class->spans); i++) {
        if (i > 0 && class->spans[i][1] == 0) break;
        regex_spans_add(&own, class->spans[i][0], class->spans[i][1]);
    }
    spans_merge(p, spans, &own, negate);
}

/* \d \pL and their kin at p->at, which is at the back slash. *found false: it is none of them. */
static enum rf_kind perl_class(struct parser *p, struct regex_spans *spans, bool *found)
{
    *found = false;
    if (p->text.len - p->at < 2) return RF_OK;
    uint8_t c = p->text.ptr[p->at + 1];
    const struct named_class *class = rf_lower(c) == 'd'   ? &digit_class
                                      : rf_lower(c) == 's' ? &space_class
                                      : rf_lower(c) == 'w' ? &word_class
                                                           : NULL;
    if (class != NULL) {
        add_named(p, spans, class, c < 'a');
        p->at += 2;
        *found = true;
        return RF_OK;
    }
    if (rf_lower(c) != 'p') return RF_OK;
    size_t from = p->at;
    bool negate = c == 'P';
    p->at += 2;
    if (!more(p)) return bad(p, from, "the name of the class is missing");
    rf_str name;
    if (p->text.ptr[p->at] == '{') {
        size_t to = ++p->at;
        while (to < p->text.len && p->text.ptr[to] != '}') to++;
        if (to == p->text.len) return bad(p, from, "a closing brace is missing");
        name = rf_slice(p->text, p->at, to);
        p->at = to + 1;
    } else {
        size_t start = p->at;
        (void)plain_char(p);
        name = rf_slice(p->text, start, p->at);
    }
    if (name.len > 0 && name.ptr[0] == '^') {
        negate = !negate;
        name = rf_slice(name, 1, name.len);
    }
    struct regex_spans own = {.arena = p->arena};
    if (!regex_spans_add_unicode(&own, name)) return bad(p, from, "unknown Unicode class");
    spans_merge(p, spans, &own, negate);
    *found = true;
    return RF_OK;
}

/* [:alpha:] inside a class. */
static enum rf_kind posix_class(struct parser *p, struct regex_spans *spans, bool *found)
{
    *found = false;
    if (!looking_at(p, "[:")) return RF_OK;
    size_t end = rf_str_find(p->text, RF_S(":]"), p->at + 2);
    if (end == SIZE_MAX) return RF_OK;
    rf_str name = rf_slice(p->text, p->at + 2, end);
    bool negate = name.len > 0 && name.ptr[0] == '^';
    if (negate) name = rf_slice(name, 1, name.len);
    for (size_t i = 0; i < RF_COUNT(posix_classes); i++) {
        if (!rf_str_is(name, posix_classes[i].name)) continue;
        add_named(p, spans, &posix_classes[i], negate);
        p->at = end + 2;
        *found = true;
        return RF_OK;
    }
    return bad(p, p->at, "unknown class between [: and :]");
}

static enum rf_kind class_char(struct parser *p, size_t open, uint32_t *out)
{
    if (!more(p)) return bad(p, open, "a closing ] is missing");
    if (p->text.ptr[p->at] != '\\') {
        *out = plain_char(p);
        return RF_OK;
    }
    p->at++;
    return escaped_char(p, out);
}

static void skip_blanks(struct parser *p, bool comments)
{
    if (!(p->flags & REGEX_VERBOSE)) return;
    while (more(p)) {
        uint8_t c = p->text.ptr[p->at];
        if (comments && c == '#') {
            while (more(p) && p->text.ptr[p->at] != '\n') p->at++;
        } else if (rf_is_space(c)) {
            p->at++;
        } else {
            return;
        }
    }
}

static enum rf_kind class_items(struct parser *p, size_t open, struct regex_spans *spans)
{
    for (bool first = true;; first = false) {
        skip_blanks(p, false);
        if (!more(p)) return bad(p, open, "a closing ] is missing");
        if (p->text.ptr[p->at] == ']' && !first) break;
        bool found;
        RF_TRY(posix_class(p, spans, &found));
        if (found) continue;
        if (p->text.ptr[p->at] == '\\') RF_TRY(perl_class(p, spans, &found));
        if (found) continue;
        size_t from = p->at;
        uint32_t low = 0, high;
        RF_TRY(class_char(p, open, &low));
        high = low;
        skip_blanks(p, false);
        if (p->text.len - p->at >= 2 && p->text.ptr[p->at] == '-' &&
            p->text.ptr[p->at + 1] != ']') {
            p->at++;
            skip_blanks(p, false);
            RF_TRY(class_char(p, open, &high));
            if (high < low) return bad(p, from, "the range ends before it starts");
        }
        regex_spans_add(spans, low, high);
    }
    p->at++;
    return RF_OK;
}

static enum rf_kind parse_class(struct parser *p)
{
    size_t open = p->at++;
    bool negate = more(p) && p->text.ptr[p->at] == '^';
    if (negate) p->at++;
    struct regex_spans spans = {.arena = p->arena};
    RF_TRY(class_items(p, open, &spans));
    regex_spans_normalize(&spans);
    if (p->flags & REGEX_NOCASE) regex_spans_fold(&spans);
    if (negate) regex_spans_negate(&spans);
    return spans_push(p, &spans);
}

static enum rf_kind parse_dot(struct parser *p)
{
    struct regex_spans spans = {.arena = p->arena};
    p->at++;
    if (p->flags & REGEX_DOT_ALL) {
        regex_spans_add(&spans, 0, UNICODE_MAX);
    } else {
        regex_spans_add(&spans, 0, '\n' - 1);
        regex_spans_add(&spans, '\n' + 1, UNICODE_MAX);
    }
    return spans_push(p, &spans);
}

/* ---- groups ---------------------------------------------------------------------------------------- */

static enum rf_kind group_open(struct parser *p, size_t at, uint32_t flags, uint32_t capture)
{
    if (p->depth == REGEX_DEPTH_MAX) return bad(p, at, "groups are nested too deep");
    p->depth++;
    p->frames[p->depth] = (struct frame){.flags = p->flags,
                                         .capture = capture,
                                         .alternatives = p->operand_count,
                                         .branch = p->operand_count,
                                         .at = at};
    p->flags = flags;
    return RF_OK;
}

static enum rf_kind capture_open(struct parser *p, size_t at, rf_str name)
{
    if (p->tree->capture_count == REGEX_CAPTURES_MAX) return bad(p, at, "too many groups");
    for (uint32_t i = 1; name.len > 0 && i <= p->tree->capture_count; i++)
        if (rf_str_eq(p->tree->names[i], name)) return bad(p, at, "the group name occurs twice");
    uint32_t capture = ++p->tree->capture_count;
    p->tree->names[capture] = name;
    return group_open(p, at, p->flags, capture);
}

static enum rf_kind named_open(struct parser *p, size_t at)
{
    size_t from = p->at;
    while (more(p) && regex_word_byte(p->text.ptr[p->at])) p->at++;
    rf_str name = rf_slice(p->text, from, p->at);
    if (name.len == 0 || !more(p) || p->text.ptr[p->at] != '>') return bad(p, at, "bad group name");
    p->at++;
    return capture_open(p, at, name);
}

static uint32_t flag_of(uint8_t c)
{
    switch (c) {
    case 'i':
        return REGEX_NOCASE;
    case 'm':
        return REGEX_MULTI_LINE;
    case 's':
        return REGEX_DOT_ALL;
    case 'U':
        return REGEX_UNGREEDY;
    case 'x':
        return REGEX_VERBOSE;
    default:
        return 0;
    }
}

/* Behind "(?": flags, then ) for the rest of the group or : for a group of their own. */
static enum rf_kind flags_open(struct parser *p, size_t at)
{
    uint32_t flags = p->flags;
    bool negative = false, seen = false;
    while (more(p)) {
        uint8_t c = p->text.ptr[p->at++];
        if (c == ':' || c == ')') {
            if (negative && !seen) break;
            if (c == ':') return group_open(p, at, flags, 0);
            p->flags = flags;
            return RF_OK;
        }
        if (c == '-' && !negative) {
            negative = true;
            seen = false;
            continue;
        }
        if (flag_of(c) == 0 && (c != 'u' || negative)) break; /* (?u) is what we do anyway */
        seen = true;
        flags = negative ? flags & ~flag_of(c) : flags | flag_of(c);
    }
    return bad(p, at, "unknown kind of group or flag");
}

static enum rf_kind parse_group(struct parser *p)
{
    size_t at = p->at++;
    if (!looking_at(p, "?")) return capture_open(p, at, (rf_str){NULL, 0});
    if (looking_at(p, "?=") || looking_at(p, "?!") || looking_at(p, "?<=") || looking_at(p, "?<!"))
        return bad(p, at, "look-around is not supported");
    if (looking_at(p, "?P<") || looking_at(p, "?<")) {
        p->at += looking_at(p, "?<") ? 2 : 3;
        return named_open(p, at);
    }
    if (looking_at(p, "?P=")) return bad(p, at, "back-references are not supported");
    if (looking_at(p, "?>")) return bad(p, at, "atomic groups are not supported");
    p->at++;
    return flags_open(p, at);
}

static enum rf_kind end_branch(struct parser *p)
{
    struct frame *frame = &p->frames[p->depth];
    RF_TRY(reduce(p, frame->branch, NODE_CONCAT));
    frame->branch = p->operand_count;
    return RF_OK;
}

/* Leaves one operand: the group's. */
static enum rf_kind end_group(struct parser *p)
{
    RF_TRY(end_branch(p));
    struct frame frame = p->frames[p->depth];
    RF_TRY(reduce(p, frame.alternatives, NODE_ALTERNATE));
    p->flags = frame.flags;
    uint32_t inner = p->operands[--p->operand_count];
    const struct regex_node *node = &p->tree->nodes[inner];
    return node_push(p, (struct regex_node){.kind = NODE_GROUP,
                                            .low = frame.capture,
                                            .child = inner,
                                            .nullable = node->nullable,
                                            .copies = node->copies});
}

/* ---- repeats --------------------------------------------------------------------------------------- */

static bool number(const struct parser *p, size_t *at, uint32_t *out)
{
    size_t from = *at;
    uint32_t value = 0;
    while (*at < p->text.len && rf_is_digit(p->text.ptr[*at])) {
        value = value > 100000 ? value : value * 10 + (p->text.ptr[*at] - '0');
        (*at)++;
    }
    *out = value;
    /* RE2 takes {01} for plain text; so do we. */
    return *at > from && !(p->text.ptr[from] == '0' && *at - from > 1);
}

/* {n}, {n,} or {n,m} at p->at; anything else is plain text and gives false. */
static bool counts(struct parser *p, uint32_t *low, uint32_t *high)
{
    size_t at = p->at + 1;
    if (!number(p, &at, low) || at >= p->text.len) return false;
    *high = *low;
    if (p->text.ptr[at] == ',') {
        at++;
        *high = REGEX_NO_MAX;
        if (at < p->text.len && p->text.ptr[at] != '}' && !number(p, &at, high)) return false;
    }
    if (at >= p->text.len || p->text.ptr[at] != '}') return false;
    p->at = at + 1;
    return true;
}

/* True when a repeat starts at p->at; moves behind it without the lazy mark. */
static bool repeat_mark(struct parser *p, uint32_t *low, uint32_t *high)
{
    if (!more(p)) return false;
    *high = REGEX_NO_MAX;
    switch (p->text.ptr[p->at]) {
    case '*':
        *low = 0;
        break;
    case '+':
        *low = 1;
        break;
    case '?':
        *low = 0;
        *high = 1;
        break;
    case '{':
        return counts(p, low, high);
    default:
        return false;
    }
    p->at++;
    return true;
}

static enum rf_kind parse_repeat(struct parser *p, bool *found)
{
    size_t at = p->at;
    uint32_t low, high;
    *found = repeat_mark(p, &low, &high);
    if (!*found) return RF_OK;
    if (p->operand_count == p->frames[p->depth].branch)
        return bad(p, at, "nothing stands before the repeat");
    if (low > REGEX_REPEAT_MAX || (high != REGEX_NO_MAX && (high > REGEX_REPEAT_MAX || high < low)))
        return bad(p, at, "bad counts of the repeat (at most 1000, in order)");
    bool lazy = more(p) && p->text.ptr[p->at] == '?';
    if (lazy) p->at++;
    uint32_t child = p->operands[--p->operand_count];
    const struct regex_node *node = &p->tree->nodes[child];
    uint32_t times = RF_MAX(low, high == REGEX_NO_MAX ? 1 : high);
    uint32_t copies = node->copies * RF_MAX(times, 1u);
    if (copies > REGEX_REPEAT_MAX) return bad(p, at, "nested repeats multiply to more than 1000");
    RF_TRY(node_push(p, (struct regex_node){.kind = NODE_REPEAT,
                                            .low = low,
                                            .high = high,
                                            .child = child,
                                            .greedy = lazy == ((p->flags & REGEX_UNGREEDY) != 0),
                                            .nullable = low == 0 || node->nullable,
                                            .copies = copies}));
    size_t behind = p->at;
    skip_blanks(p, true);
    size_t again = p->at;
    if (repeat_mark(p, &low, &high)) return bad(p, again, "a repeat follows a repeat");
    p->at = behind;
    return RF_OK;
}

/* ---- the whole ------------------------------------------------------------------------------------- */

static enum rf_kind parse_escape(struct parser *p)
{
    if (looking_at(p, "\\Q")) {
        p->at += 2;
        p->quoted = true;
        return RF_OK;
    }
    if (looking_at(p, "\\E")) { /* closes nothing: RE2 lets it pass */
        p->at += 2;
        return RF_OK;
    }
    static const struct {
        const char *text;
        enum regex_assert assert;
    } asserts[] = {
        {"\\A", ASSERT_BEGIN_TEXT},
        {"\\z", ASSERT_END_TEXT},
        {"\\b", ASSERT_WORD},
        {"\\B", ASSERT_NOT_WORD},
    };
    for (size_t i = 0; i < RF_COUNT(asserts); i++) {
        if (!looking_at(p, asserts[i].text)) continue;
        p->at += 2;
        return assert_push(p, asserts[i].assert);
    }
    struct regex_spans spans = {.arena = p->arena};
    bool found;
    RF_TRY(perl_class(p, &spans, &found));
    if (found) {
        regex_spans_normalize(&spans);
        return spans_push(p, &spans);
    }
    uint32_t cp;
    p->at++;
    RF_TRY(escaped_char(p, &cp));
    return literal_push(p, cp);
}

static enum rf_kind parse_item(struct parser *p)
{
    bool multi_line = (p->flags & REGEX_MULTI_LINE) != 0;
    bool found;
    switch (p->text.ptr[p->at]) {
    case '(':
        return parse_group(p);
    case ')':
        if (p->depth == 0) return bad(p, p->at, "the parenthesis closes nothing");
        p->at++;
        RF_TRY(end_group(p));
        p->depth--;
        return RF_OK;
    case '|':
        p->at++;
        return end_branch(p);
    case '[':
        return parse_class(p);
    case '.':
        return parse_dot(p);
    case '\\':
        return parse_escape(p);
    case '^':
        p->at++;
        return assert_push(p, multi_line ? ASSERT_BEGIN_LINE : ASSERT_BEGIN_TEXT);
    case '$':
        p->at++;
        return assert_push(p, multi_line ? ASSERT_END_LINE : ASSERT_END_TEXT);
    case '*':
    case '+':
    case '?':
    case '{':
        RF_TRY(parse_repeat(p, &found));
        if (found) return RF_OK;
        break;
    default:
        break;
    }
    return literal_push(p, plain_char(p));
}

static enum rf_kind parse_quoted(struct parser *p)
{
    if (looking_at(p, "\\E")) {
        p->quoted = false;
        p->at += 2;
        return RF_OK;
    }
    return literal_push(p, plain_char(p));
}

enum rf_kind regex_parse(rf_str pattern, uint32_t flags, struct rf_arena *arena,
                         struct regex_tree *tree, struct rf_err *err)
{
    *tree = (struct regex_tree){0};
    struct parser *p = rf_arena_zalloc(arena, sizeof *p);
    if (p == NULL) return rf_fail_memory(err, arena);
    p->text = pattern;
    p->flags = flags;
    p->arena = arena;
    p->tree = tree;
    p->err = err;
    if (pattern.len > REGEX_PATTERN_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "RegexTooLarge", "the regular expression has over %d bytes",
                       REGEX_PATTERN_BYTES_MAX);
    if (!rf_utf8_valid(pattern)) return bad(p, 0, "it is not UTF-8");
    while (true) {
        if (!p->quoted) skip_blanks(p, true);
        if (!more(p)) break;
        RF_TRY(p->quoted ? parse_quoted(p) : parse_item(p));
    }
    if (p->depth > 0) return bad(p, p->frames[p->depth].at, "a closing parenthesis is missing");
    RF_TRY(end_group(p));
    tree->root = p->operands[0];
    return RF_OK;
}
