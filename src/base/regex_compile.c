/* regex_compile.c - syntax tree to two programs over bytes: forward, and reversed to find starts.
 *
 * Instructions are made from the end: each node is compiled towards an instruction that is already
 * there, so that nothing needs patching but the way back of loops. The nesting of the tree is
 * bounded by REGEX_DEPTH_MAX, so plain recursion is safe here. */
#include "base/regex_int.h"

/* One place between the bytes of a UTF-8 sequence: for each set of next bytes the place behind it.
 * Place 0 is the end. Places are made after those they lead to, so numbers fall along the way. */
struct utf8_edge {
    struct regex_set set;
    uint32_t target;
};
struct utf8_place {
    uint32_t first_edge, edge_count;
    uint32_t label; /* the instruction, while the graph is written out */
};
struct utf8_graph {
    struct utf8_place *places;
    uint32_t place_count, place_cap;
    struct utf8_edge *edges;
    uint32_t edge_count, edge_cap;
    uint32_t full[3]; /* the place before 1 or 2 free continuation bytes, 0: not made yet */
};

struct compiler {
    const struct regex_tree *tree;
    struct regex_prog *prog;
    struct rf_arena *arena;     /* of the result */
    struct rf_arena *temp;      /* ends with the compilation */
    struct utf8_graph **graphs; /* per node, made when first needed */
    bool reverse;
    bool no_memory, too_large;
};

static bool failed(const struct compiler *c) { return c->no_memory || c->too_large; }

/* ---- instructions ------------------------------------------------------------------------------ */

static uint32_t emit(struct compiler *c, enum regex_op op, uint32_t out, uint32_t arg)
{
    struct regex_prog *prog = c->prog;
    if (failed(c)) return 0;
    if (prog->count == REGEX_INSTRUCTIONS_MAX) {
        c->too_large = true;
        return 0;
    }
    if (prog->count == prog->cap) {
        void *items = prog->insts;
        if (!regex_grow(c->arena, &items, &prog->cap, sizeof *prog->insts)) {
            c->no_memory = true;
            return 0;
        }
        prog->insts = items;
    }
    prog->insts[prog->count] = (struct regex_inst){.op = (uint8_t)op, .out = out, .arg = arg};
    return prog->count++;
}

/* The better of two ways; a way that cannot match is left out. */
static uint32_t emit_alt(struct compiler *c, uint32_t first, uint32_t second)
{
    if (first == 0) return second;
    if (second == 0) return first;
    return emit(c, OP_ALT, first, second);
}

static uint32_t set_number(struct compiler *c, const struct regex_set *set)
{
    struct regex_prog *prog = c->prog;
    for (uint32_t back = 1; back <= prog->set_count && back <= 128; back++)
        if (memcmp(&prog->sets[prog->set_count - back], set, sizeof *set) == 0)
            return prog->set_count - back;
    if (prog->set_count == prog->set_cap) {
        void *items = prog->sets;
        if (!regex_grow(c->arena, &items, &prog->set_cap, sizeof *prog->sets)) {
            c->no_memory = true;
            return 0;
        }
        prog->sets = items;
    }
    prog->sets[prog->set_count] = *set;
    return prog->set_count++;
}

static uint32_t emit_byte_range(struct compiler *c, uint8_t low, uint8_t high, uint32_t next)
{
    uint32_t at = emit(c, OP_BYTES, next, 0);
    if (at != 0) {
        c->prog->insts[at].low = low;
        c->prog->insts[at].high = high;
    }
    return at;
}

static uint32_t emit_set(struct compiler *c, const struct regex_set *set, uint32_t next)
{
    int low = 0, high = 255;
    while (low < 256 && !regex_set_has(set, (uint8_t)low)) low++;
    if (low == 256) return 0;
    while (!regex_set_has(set, (uint8_t)high)) high--;
    bool whole = true;
    for (int b = low; b <= high; b++) whole = whole && regex_set_has(set, (uint8_t)b);
    if (whole) return emit_byte_range(c, (uint8_t)low, (uint8_t)high, next);
    return emit(c, OP_SET, next, set_number(c, set));
}

/* ---- classes: code points to byte sequences ------------------------------------------------------- */

static void edge_put(struct compiler *c, struct utf8_graph *g, uint32_t first, uint8_t byte,
                     uint32_t target)
{
    for (uint32_t i = first; i < g->edge_count; i++) {
        if (g->edges[i].target != target) continue;
        g->edges[i].set.bits[byte >> 6] |= UINT64_C(1) << (byte & 63);
        return;
    }
    if (g->edge_count == g->edge_cap) {
        void *items = g->edges;
        if (!regex_grow(c->temp, &items, &g->edge_cap, sizeof *g->edges)) {
            c->no_memory = true;
            return;
        }
        g->edges = items;
    }
    struct utf8_edge edge = {.target = target};
    edge.set.bits[byte >> 6] |= UINT64_C(1) << (byte & 63);
    g->edges[g->edge_count++] = edge;
}

/* A place with edges[first..]; an equal one that exists is taken instead. */
static uint32_t place_make(struct compiler *c, struct utf8_graph *g, uint32_t first)
{
    uint32_t count = g->edge_count - first;
    for (uint32_t i = 1; i < g->place_count; i++) {
        const struct utf8_place *place = &g->places[i];
        if (place->edge_count != count) continue;
        bool same = true;
        for (uint32_t e = 0; e < count && same; e++) {
            const struct utf8_edge *a = &g->edges[place->first_edge + e], *b = &g->edges[first + e];
            same = a->target == b->target && memcmp(&a->set, &b->set, sizeof a->set) == 0;
        }
        if (!same) continue;
        g->edge_count = first;
        return i;
    }
    if (g->place_count == g->place_cap) {
        void *items = g->places;
        if (!regex_grow(c->temp, &items, &g->place_cap, sizeof *g->places)) {
            c->no_memory = true;
            return 0;
        }
        g->places = items;
    }
    g->places[g->place_count] = (struct utf8_place){.first_edge = first, .edge_count = count};
    return g->place_count++;
}

enum cover { COVER_NONE, COVER_PART, COVER_FULL };

static enum cover spans_cover(const struct regex_spans *spans, uint32_t low, uint32_t high)
{
    uint32_t from = 0, to = spans->count;
    while (from < to) { /* the first span that ends at or after low */
        uint32_t mid = (from + to) / 2;
        if (spans->items[mid].high < low) {
            from = mid + 1;
        } else {
            to = mid;
        }
    }
    if (from == spans->count || spans->items[from].low > high) return COVER_NONE;
    return spans->items[from].low <= low && spans->items[from].high >= high ? COVER_FULL
                                                                            : COVER_PART;
}

/* The place before `rest` continuation bytes of which any will do. */
static uint32_t place_full(struct compiler *c, struct utf8_graph *g, int rest)
{
    if (rest == 0) return 0;
    if (g->full[rest - 1] != 0) return g->full[rest - 1];
    uint32_t target = place_full(c, g, rest - 1), first = g->edge_count;
    for (int b = 0x80; b <= 0xBF; b++) edge_put(c, g, first, (uint8_t)b, target);
    return g->full[rest - 1] = place_make(c, g, first);
}

/* The place before the last `rest` (1..3) bytes of the code points from `base` that are in spans. A
 * full block of 3 bytes does not occur: it would be 2^18 points, which no lead byte has. */
static uint32_t place_block(struct compiler *c, struct utf8_graph *g,
                            const struct regex_spans *spans, int rest, uint32_t base)
{
    RF_ASSERT(rest >= 1);
    uint32_t size = 1u << (6 * (rest - 1));
    uint32_t targets[64];
    bool used[64];
    /* First all places behind, since their edges must not lie between ours. */
    for (uint32_t digit = 0; digit < 64; digit++) {
        uint32_t low = base + digit * size;
        enum cover cover = spans_cover(spans, low, low + size - 1);
        used[digit] = cover != COVER_NONE;
        targets[digit] = cover == COVER_NONE   ? 0
                         : cover == COVER_FULL ? place_full(c, g, rest - 1)
                                               : place_block(c, g, spans, rest - 1, low);
    }
    uint32_t first = g->edge_count;
    for (uint32_t digit = 0; digit < 64; digit++)
        if (used[digit]) edge_put(c, g, first, (uint8_t)(0x80 | digit), targets[digit]);
    return place_make(c, g, first);
}

/* The part of the class between low and high, as spans of its own. */
static void spans_clip(const struct regex_span *spans, uint32_t count, uint32_t low, uint32_t high,
                       struct regex_spans *out)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t from = RF_MAX(spans[i].low, low), to = RF_MIN(spans[i].high, high);
        if (from <= to) regex_spans_add(out, from, to);
    }
}

static struct utf8_graph *graph_make(struct compiler *c, const struct regex_span *spans,
                                     uint32_t count)
{
    static const struct {
        uint32_t low, high;
        uint8_t lead;
        int rest;
    } lengths[] = {
        {0x80, 0x7FF, 0xC0, 1},
        {0x800, 0xD7FF, 0xE0, 2},
        {0xE000, 0xFFFF, 0xE0, 2},
        {0x10000, UNICODE_MAX, 0xF0, 3},
    };
    struct utf8_graph *g = rf_arena_zalloc(c->temp, sizeof *g);
    struct {
        uint8_t byte;
        uint32_t target;
    } leads[64];
    uint32_t lead_count = 0;
    if (g == NULL) {
        c->no_memory = true;
        return NULL;
    }
    (void)place_make(c, g, 0); /* place 0, the end, equals no other: it is never compared */
    for (size_t i = 0; i < RF_COUNT(lengths); i++) {
        struct regex_spans part = {.arena = c->temp};
        spans_clip(spans, count, lengths[i].low, lengths[i].high, &part);
        if (part.failed) c->no_memory = true;
        int rest = lengths[i].rest;
        uint32_t size = 1u << (6 * rest);
        for (uint32_t digit = lengths[i].low / size; digit <= lengths[i].high / size; digit++) {
            enum cover cover = spans_cover(&part, digit * size, digit * size + size - 1);
            if (cover == COVER_NONE) continue;
            RF_ASSERT(lead_count < RF_COUNT(leads));
            leads[lead_count].byte = (uint8_t)(lengths[i].lead | digit);
            leads[lead_count++].target = cover == COVER_FULL && rest < 3
                                             ? place_full(c, g, rest)
                                             : place_block(c, g, &part, rest, digit * size);
        }
    }
    uint32_t first = g->edge_count;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t b = spans[i].low; b <= spans[i].high && b < 0x80; b++)
            edge_put(c, g, first, (uint8_t)b, 0);
    for (uint32_t i = 0; i < lead_count; i++) edge_put(c, g, first, leads[i].byte, leads[i].target);
    uint32_t root = place_make(c, g, first);
    /* A root equal to an inner place would not be last; it cannot be, as leads differ from
     * continuation bytes. An empty class has no edges and leads nowhere. */
    RF_ASSERT(c->no_memory || root == g->place_count - 1);
    return g;
}

/* From the end to the root: every place leads to places that are written already. */
static uint32_t graph_emit_forward(struct compiler *c, struct utf8_graph *g, uint32_t next)
{
    g->places[0].label = next;
    for (uint32_t i = 1; i < g->place_count; i++) {
        uint32_t way = 0;
        for (uint32_t e = g->places[i].edge_count; e-- > 0;) {
            const struct utf8_edge *edge = &g->edges[g->places[i].first_edge + e];
            way = emit_alt(c, emit_set(c, &edge->set, g->places[edge->target].label), way);
        }
        g->places[i].label = way;
    }
    return g->places[g->place_count - 1].label;
}

/* Against the arrows: who stands at a place reads one of the bytes that lead to it. */
static uint32_t graph_emit_reverse(struct compiler *c, struct utf8_graph *g, uint32_t next)
{
    g->places[g->place_count - 1].label = next;
    for (uint32_t i = g->place_count - 1; i-- > 0;) {
        uint32_t way = 0;
        for (uint32_t from = i + 1; from < g->place_count; from++) {
            const struct utf8_place *place = &g->places[from];
            for (uint32_t e = 0; e < place->edge_count; e++) {
                const struct utf8_edge *edge = &g->edges[place->first_edge + e];
                if (edge->target == i)
                    way = emit_alt(c, emit_set(c, &edge->set, place->label), way);
            }
        }
        g->places[i].label = way;
    }
    return g->places[0].label;
}

static uint32_t graph_emit(struct compiler *c, struct utf8_graph *g, uint32_t next)
{
    if (g == NULL || failed(c)) return 0;
    return c->reverse ? graph_emit_reverse(c, g, next) : graph_emit_forward(c, g, next);
}

static uint32_t compile_class(struct compiler *c, uint32_t index, uint32_t next)
{
    const struct regex_node *node = &c->tree->nodes[index];
    if (c->graphs[index] == NULL)
        c->graphs[index] = graph_make(c, c->tree->spans + node->low, node->high);
    return graph_emit(c, c->graphs[index], next);
}

static uint32_t compile_literal(struct compiler *c, uint32_t index, uint32_t next)
{
    const struct regex_node *node = &c->tree->nodes[index];
    struct regex_spans spans = {.arena = c->temp};
    if (node->nocase && c->graphs[index] == NULL) {
        regex_spans_add(&spans, node->low, node->low);
        regex_spans_fold(&spans);
        if (spans.failed) c->no_memory = true;
        if (spans.count > 1) c->graphs[index] = graph_make(c, spans.items, spans.count);
    }
    if (c->graphs[index] != NULL) return graph_emit(c, c->graphs[index], next);
    uint8_t bytes[4];
    if (node->low >= 0xD800 && node->low <= 0xDFFF) return 0; /* no UTF-8 text has a surrogate */
    size_t len = rf_utf8_put(node->low, bytes);
    for (size_t i = 0; i < len; i++) {
        uint8_t b = bytes[c->reverse ? i : len - 1 - i];
        next = emit_byte_range(c, b, b, next);
    }
    return next;
}

/* ---- nodes --------------------------------------------------------------------------------------- */

static uint32_t compile(struct compiler *c, uint32_t index, uint32_t next);

static uint32_t swap_sides(uint32_t assert)
{
    switch (assert) {
    case ASSERT_BEGIN_LINE:
        return ASSERT_END_LINE;
    case ASSERT_END_LINE:
        return ASSERT_BEGIN_LINE;
    case ASSERT_BEGIN_TEXT:
        return ASSERT_END_TEXT;
    case ASSERT_END_TEXT:
        return ASSERT_BEGIN_TEXT;
    default:
        return assert;
    }
}

static uint32_t compile_concat(struct compiler *c, const struct regex_node *node, uint32_t next)
{
    const uint32_t *children = c->tree->children + node->child;
    for (uint32_t i = 0; i < node->child_count && next != 0; i++)
        next = compile(c, children[c->reverse ? i : node->child_count - 1 - i], next);
    return next;
}

static uint32_t compile_alternate(struct compiler *c, const struct regex_node *node, uint32_t next)
{
    const uint32_t *children = c->tree->children + node->child;
    uint32_t way = 0;
    for (uint32_t i = node->child_count; i-- > 0;)
        way = emit_alt(c, compile(c, children[i], next), way);
    return way;
}

static uint32_t prefer(struct compiler *c, bool first, uint32_t a, uint32_t b)
{
    return first ? emit_alt(c, a, b) : emit_alt(c, b, a);
}

/* One or more times. Returns the body; *loop is the choice behind it, to go on or to leave. */
static uint32_t compile_loop(struct compiler *c, const struct regex_node *node, uint32_t next,
                             uint32_t *loop)
{
    *loop = emit(c, OP_ALT, 0, 0);
    uint32_t body = compile(c, node->child, *loop);
    if (failed(c)) return 0;
    c->prog->insts[*loop].out = node->greedy ? body : next;
    c->prog->insts[*loop].arg = node->greedy ? next : body;
    return body;
}

static uint32_t compile_repeat(struct compiler *c, const struct regex_node *node, uint32_t next)
{
    uint32_t copies = node->low;
    if (node->high == REGEX_NO_MAX) {
        uint32_t loop, body = compile_loop(c, node, next, &loop);
        if (failed(c)) return 0;
        if (node->low > 0) {
            next = body;
            copies--;
        } else if (c->tree->nodes[node->child].nullable) {
            /* x* with an x that may be empty must try x once before it leaves: (x+)? does. */
            next = prefer(c, node->greedy, body, next);
        } else {
            next = loop;
        }
    } else {
        uint32_t leave = next;
        for (uint32_t i = node->low; i < node->high && !failed(c); i++)
            next = prefer(c, node->greedy, compile(c, node->child, next), leave);
    }
    for (uint32_t i = 0; i < copies && !failed(c); i++) next = compile(c, node->child, next);
    return next;
}

static uint32_t compile(struct compiler *c, uint32_t index, uint32_t next)
{
    const struct regex_node *node = &c->tree->nodes[index];
    if (failed(c)) return 0;
    switch ((enum regex_kind)node->kind) {
    case NODE_EMPTY:
        return next;
    case NODE_FAIL:
        return 0;
    case NODE_LITERAL:
        return compile_literal(c, index, next);
    case NODE_CLASS:
        return compile_class(c, index, next);
    case NODE_ASSERT:
        return emit(c, OP_ASSERT, next, c->reverse ? swap_sides(node->low) : node->low);
    case NODE_GROUP:
        if (node->low == 0 || c->reverse) return compile(c, node->child, next);
        next = emit(c, OP_CAPTURE, next, 2 * node->low + 1);
        next = compile(c, node->child, next);
        return next == 0 ? 0 : emit(c, OP_CAPTURE, next, 2 * node->low);
    case NODE_CONCAT:
        return compile_concat(c, node, next);
    case NODE_ALTERNATE:
        return compile_alternate(c, node, next);
    case NODE_REPEAT:
        return compile_repeat(c, node, next);
    }
    return 0;
}

/* ---- programs ------------------------------------------------------------------------------------- */

/* Splits every class of bytes by membership in a set. */
static void classes_split(struct regex_prog *prog, const struct regex_set *set)
{
    uint8_t moved[256]; /* the new class of those inside, by old class */
    bool inside[256] = {false}, outside[256] = {false};
    for (int b = 0; b < 256; b++) {
        bool *seen = regex_set_has(set, (uint8_t)b) ? inside : outside;
        seen[prog->classes[b]] = true;
    }
    uint32_t count = prog->class_count;
    for (uint32_t class = 0; class < count; class ++) {
        moved[class] = (uint8_t) class;
        if (inside[class] && outside[class]) moved[class] = (uint8_t)prog->class_count++;
    }
    for (int b = 0; b < 256; b++)
        if (regex_set_has(set, (uint8_t)b)) prog->classes[b] = moved[prog->classes[b]];
}

static void set_add_range(struct regex_set *set, uint8_t low, uint8_t high)
{
    for (int b = low; b <= high; b++) set->bits[b >> 6] |= UINT64_C(1) << (b & 63);
}

static void classes_make(struct regex_prog *prog)
{
    /* Ranges only cut between bytes: the cuts are collected, and number the classes. */
    bool cut[257] = {false};
    for (uint32_t i = 0; i < prog->count; i++) {
        const struct regex_inst *inst = &prog->insts[i];
        if (inst->op == OP_ASSERT) prog->asserts |= inst->arg;
        if (inst->op != OP_BYTES) continue;
        cut[inst->low] = true;
        cut[inst->high + 1] = true;
    }
    prog->class_count = 1;
    for (int b = 1; b < 256; b++) {
        if (cut[b]) prog->class_count++;
        prog->classes[b] = (uint8_t)(prog->class_count - 1);
    }
    for (uint32_t i = 0; i < prog->set_count; i++) classes_split(prog, &prog->sets[i]);
    struct regex_set set = {{0}};
    if (prog->asserts & (ASSERT_BEGIN_LINE | ASSERT_END_LINE)) {
        set_add_range(&set, '\n', '\n');
        classes_split(prog, &set);
    }
    if (prog->asserts & (ASSERT_WORD | ASSERT_NOT_WORD)) {
        set = (struct regex_set){{0}};
        for (int b = 0; b < 128; b++)
            if (regex_word_byte((uint8_t)b)) set_add_range(&set, (uint8_t)b, (uint8_t)b);
        classes_split(prog, &set);
    }
}

static enum rf_kind prog_make(struct compiler *c, struct regex_prog *prog, bool reverse,
                              uint32_t flags, struct rf_err *err)
{
    uint32_t first = reverse ? REGEX_ANCHOR_END : REGEX_ANCHOR_START;
    uint32_t last = reverse ? REGEX_ANCHOR_START : REGEX_ANCHOR_END;
    *prog = (struct regex_prog){0};
    c->prog = prog;
    c->reverse = reverse;
    (void)emit(c, OP_FAIL, 0, 0);
    uint32_t next = emit(c, OP_MATCH, 0, 0);
    if (!reverse) next = emit(c, OP_CAPTURE, next, 1);
    if (flags & last) next = emit(c, OP_ASSERT, next, ASSERT_END_TEXT);
    next = compile(c, c->tree->root, next);
    if (next != 0 && (flags & first)) next = emit(c, OP_ASSERT, next, ASSERT_BEGIN_TEXT);
    if (next != 0 && !reverse) next = emit(c, OP_CAPTURE, next, 0);
    prog->start = next;
    uint32_t loop = emit(c, OP_ALT, next, 0);
    uint32_t any = emit_byte_range(c, 0, 255, loop);
    if (c->no_memory) return rf_fail_memory(err, c->arena);
    if (c->too_large)
        return RF_FAIL(
            err, RF_LIMIT, "RegexTooLarge",
            "the regular expression compiles to over %d instructions; use smaller counts",
            REGEX_INSTRUCTIONS_MAX);
    prog->insts[loop].arg = any;
    prog->start_search = loop;
    classes_make(prog);
    return RF_OK;
}

/* ---- literals -------------------------------------------------------------------------------------- */

struct literals {
    const struct regex_tree *tree;
    struct rf_arena *arena;
    struct regex_literal *items;
    uint32_t count, cap;
    struct rf_buf run;
    bool run_nocase;
    bool run_wide;   /* holds bytes >= 0x80 */
    bool at_start;   /* nothing but the run has been passed yet */
    bool has_prefix; /* items[0] starts every match */
    bool failed;
};

static void run_end(struct literals *l)
{
    rf_str text = rf_buf_view(&l->run);
    struct regex_literal literal = {.nocase = l->run_nocase};
    if (text.len > 0 && !l->failed) {
        for (size_t i = 0; l->run_nocase && i < text.len; i++)
            l->run.ptr[i] = rf_lower(text.ptr[i]);
        if (l->count == l->cap) {
            void *items = l->items;
            if (!regex_grow(l->arena, &items, &l->cap, sizeof *l->items)) l->failed = true;
            l->items = items;
        }
        if (!l->failed && !rf_arena_str(l->arena, text, &literal.text)) l->failed = true;
        if (!l->failed) {
            if (l->at_start && l->count == 0) l->has_prefix = true;
            l->items[l->count++] = literal;
        }
    }
    l->at_start = false;
    l->run.len = 0;
    l->run_nocase = l->run_wide = false;
}

static void run_literal(struct literals *l, const struct regex_node *node)
{
    uint32_t cp = node->low;
    bool nocase = node->nocase && (cp < 0x80 ? rf_is_alpha((uint8_t)cp) : true);
    if (nocase && (cp >= 0x80 || rf_lower((uint8_t)cp) == 'k' || rf_lower((uint8_t)cp) == 's')) {
        /* k and s also match the Kelvin sign and the long s, which the byte search does not know. */
        run_end(l);
        return;
    }
    if ((nocase && l->run_wide) || (cp >= 0x80 && l->run_nocase)) run_end(l);
    uint8_t bytes[4];
    rf_buf_put(&l->run, bytes, rf_utf8_put(cp, bytes));
    l->run_nocase = l->run_nocase || nocase;
    l->run_wide = l->run_wide || cp >= 0x80;
}

static void literals_walk(struct literals *l, uint32_t index)
{
    const struct regex_node *node = &l->tree->nodes[index];
    switch ((enum regex_kind)node->kind) {
    case NODE_EMPTY:
    case NODE_ASSERT:
        break; /* no bytes: the run goes on */
    case NODE_LITERAL:
        run_literal(l, node);
        break;
    case NODE_GROUP:
        literals_walk(l, node->child);
        break;
    case NODE_CONCAT:
        for (uint32_t i = 0; i < node->child_count; i++)
            literals_walk(l, l->tree->children[node->child + i]);
        break;
    case NODE_REPEAT:
        if (node->low > 0) {
            if (l->run.len > 0) run_end(l);
            literals_walk(l, node->child);
        }
        run_end(l);
        break;
    case NODE_FAIL:
    case NODE_CLASS:
    case NODE_ALTERNATE:
        run_end(l);
        break;
    }
}

static const struct term_finder *finder_make(const struct regex_literal *literal,
                                             struct rf_arena *arena, bool *no_memory)
{
    struct term_finder *finder = rf_arena_alloc(arena, sizeof *finder);
    if (finder != NULL && term_finder_init(finder, literal->text, literal->nocase, arena))
        return finder;
    *no_memory = true;
    return NULL;
}

static enum rf_kind literals_make(struct regex *re, const struct regex_tree *tree,
                                  struct rf_arena *arena, struct rf_arena *temp, struct rf_err *err)
{
    struct literals l = {.tree = tree, .arena = arena, .run = rf_buf_in(temp), .at_start = true};
    literals_walk(&l, tree->root);
    run_end(&l);
    bool no_memory = l.failed || l.run.failed;
    re->literals = l.items;
    re->literal_count = l.count;
    const struct regex_literal *longest = NULL;
    for (uint32_t i = 0; i < l.count; i++)
        if (longest == NULL || l.items[i].text.len > longest->text.len) longest = &l.items[i];
    if (!no_memory && l.has_prefix && longest != NULL)
        re->prefix = finder_make(&l.items[0], arena, &no_memory);
    bool is_prefix = re->prefix != NULL && longest == &l.items[0]; /* looked for anyway */
    if (!no_memory && longest != NULL && longest->text.len > 1 && !is_prefix)
        re->required = finder_make(longest, arena, &no_memory);
    return no_memory ? rf_fail_memory(err, arena) : RF_OK;
}

/* True when every match begins with the assertion of the text's begin. */
static bool starts_anchored(const struct regex_tree *tree, uint32_t index)
{
    while (true) {
        const struct regex_node *node = &tree->nodes[index];
        if (node->kind == NODE_ASSERT) return node->low == ASSERT_BEGIN_TEXT;
        if (node->kind == NODE_CONCAT) {
            index = tree->children[node->child];
        } else if (node->kind == NODE_GROUP) {
            index = node->child;
        } else {
            return false;
        }
    }
}

static enum rf_kind compile_all(rf_str pattern, uint32_t flags, struct rf_arena *arena,
                                struct rf_arena *temp, struct regex *re, struct rf_err *err)
{
    struct regex_tree tree;
    RF_TRY(regex_parse(pattern, flags, temp, &tree, err));
    struct compiler c = {.tree = &tree, .arena = arena, .temp = temp};
    c.graphs = rf_arena_new(temp, struct utf8_graph *, tree.node_count);
    re->capture_count = tree.capture_count;
    re->names = rf_arena_new(arena, rf_str, tree.capture_count + 1);
    if (c.graphs == NULL || re->names == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 1; i <= tree.capture_count; i++)
        if (!rf_arena_str(arena, tree.names[i], &re->names[i])) return rf_fail_memory(err, arena);
    RF_TRY(prog_make(&c, &re->forward, false, flags, err));
    RF_TRY(prog_make(&c, &re->reverse, true, flags, err));
    re->never = re->forward.start == 0;
    re->anchored_start = (flags & REGEX_ANCHOR_START) || starts_anchored(&tree, tree.root);
    if (!regex_onepass_make(re, arena, temp)) return rf_fail_memory(err, arena);
    return literals_make(re, &tree, arena, temp, err);
}

enum rf_kind regex_compile(rf_str pattern, uint32_t flags, struct rf_arena *arena,
                           const struct regex **out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena temp;
    rf_arena_init_shared(&temp, arena->budget);
    struct regex *re = rf_arena_zalloc(arena, sizeof *re);
    if (re == NULL) return rf_fail_memory(err, arena);
    RF_TRY(compile_all(pattern, flags, arena, &temp, re, err));
    *out = re;
    return RF_OK;
}

uint32_t regex_group_count(const struct regex *re) { return re->capture_count; }

rf_str regex_group_name(const struct regex *re, uint32_t group)
{
    return group == 0 || group > re->capture_count ? (rf_str){NULL, 0} : re->names[group];
}

uint32_t regex_group_find(const struct regex *re, rf_str name)
{
    for (uint32_t i = 1; i <= re->capture_count; i++)
        if (name.len > 0 && rf_str_eq(re->names[i], name)) return i;
    return 0;
}

const struct regex_literal *regex_literals(const struct regex *re, size_t *count)
{
    *count = re->literal_count;
    return re->literals;
}
