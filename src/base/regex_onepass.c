/* regex_onepass.c - groups without a search: when each byte leaves only one way to go, the way of a
 * match that starts at a known place needs one table look-up a byte.
 *
 * A node stands behind each instruction that takes a byte, and at the start. Its row says for each
 * class of bytes the node behind, the slots to note on the way and the assertions that must hold. */
#include "base/regex_int.h"

enum {
    ONEPASS_ENTRIES_MAX = 8192,
    ONEPASS_INSTS_MAX = 4096,  /* each node's walk may pass all of them */
    ONEPASS_CAPTURES_MAX = 16, /* the slots of a way are a mask of 32 bits */
    WAY_ASSERT_SHIFT = 24,
    WAY_SLOT_SHIFT = 32
};
/* Bits 0..22, node + 1; bit 23; then assertions; then slots from 2 on. */
#define WAY_NODE_MASK UINT64_C(0x7FFFFF)
#define WAY_BEHIND_MATCH                                                                           \
    UINT64_C(0x800000) /* where the node can match, that is preferred to going on */

struct regex_onepass {
    uint64_t *ways;  /* class_count a node; 0: none */
    uint64_t *match; /* per node, with node bits 1 when it can match */
    uint32_t node_count, node_cap;
};

struct walk_job {
    uint32_t inst;
    uint64_t way;
};

struct builder {
    const struct regex_prog *prog;
    struct regex_onepass *onepass;
    uint32_t *node_insts; /* the instruction where a node starts */
    uint32_t *inst_nodes; /* node + 1, 0: none yet */
    uint32_t *visited;    /* node + 1 whose walk came by last */
    struct walk_job *stack;
};

/* The number + 1 of the node that starts at `inst`; 0: there are too many. */
static uint32_t node_of(struct builder *b, uint32_t inst)
{
    struct regex_onepass *op = b->onepass;
    if (b->inst_nodes[inst] != 0) return b->inst_nodes[inst];
    if (op->node_count == op->node_cap) return 0;
    b->node_insts[op->node_count] = inst;
    return b->inst_nodes[inst] = ++op->node_count;
}

/* Enters the way of an instruction that takes a byte; false: another way has one of its bytes. */
static bool ways_put(struct builder *b, uint32_t node, const struct regex_inst *inst, uint64_t way)
{
    uint32_t target = node_of(b, inst->out);
    if (target == 0) return false;
    uint64_t *row = b->onepass->ways + (size_t)node * b->prog->class_count;
    bool done[256] = {false};
    way |= target;
    for (uint32_t c = 0; c < 256; c++) {
        bool takes = inst->op == OP_BYTES ? c >= inst->low && c <= inst->high
                                          : regex_set_has(&b->prog->sets[inst->arg], (uint8_t)c);
        uint8_t class = b->prog->classes[c];
        if (!takes || done[class]) continue;
        done[class] = true;
        if (row[class] != 0) return false;
        row[class] = way;
    }
    return true;
}

/* Follows all ways from a node to the next byte; false: two of them meet. */
static bool node_walk(struct builder *b, uint32_t node)
{
    uint32_t depth = 0;
    b->stack[depth++] = (struct walk_job){.inst = b->node_insts[node]};
    while (depth > 0) {
        struct walk_job job = b->stack[--depth];
        if (job.inst == 0) continue;
        if (b->visited[job.inst] == node + 1) return false;
        b->visited[job.inst] = node + 1;
        const struct regex_inst *inst = &b->prog->insts[job.inst];
        switch ((enum regex_op)inst->op) {
        case OP_FAIL:
            break;
        case OP_MATCH:
            if (b->onepass->match[node] != 0) return false;
            b->onepass->match[node] = job.way | 1;
            break;
        case OP_BYTES:
        case OP_SET:
            if (b->onepass->match[node] != 0) job.way |= WAY_BEHIND_MATCH;
            if (!ways_put(b, node, inst, job.way)) return false;
            break;
        case OP_ALT:
            b->stack[depth++] = (struct walk_job){inst->arg, job.way};
            b->stack[depth++] = (struct walk_job){inst->out, job.way};
            break;
        case OP_CAPTURE:
            if (inst->arg >= 2) job.way |= UINT64_C(1) << (WAY_SLOT_SHIFT + inst->arg - 2);
            b->stack[depth++] = (struct walk_job){inst->out, job.way};
            break;
        case OP_ASSERT:
            job.way |= (uint64_t)inst->arg << WAY_ASSERT_SHIFT;
            b->stack[depth++] = (struct walk_job){inst->out, job.way};
            break;
        case OP_NOP:
            b->stack[depth++] = (struct walk_job){inst->out, job.way};
            break;
        }
    }
    return true;
}

bool regex_onepass_make(struct regex *re, struct rf_arena *arena, struct rf_arena *temp)
{
    const struct regex_prog *prog = &re->forward;
    uint32_t nodes_max = ONEPASS_ENTRIES_MAX / prog->class_count;
    if (re->capture_count == 0 || re->capture_count > ONEPASS_CAPTURES_MAX || re->never ||
        prog->count > ONEPASS_INSTS_MAX)
        return true;
    struct regex_onepass op = {.node_cap = RF_MIN(nodes_max, prog->count)};
    struct builder b = {.prog = prog, .onepass = &op};
    op.ways = rf_arena_new(temp, uint64_t, (size_t)op.node_cap * prog->class_count);
    op.match = rf_arena_new(temp, uint64_t, op.node_cap);
    b.node_insts = rf_arena_new(temp, uint32_t, op.node_cap);
    b.inst_nodes = rf_arena_new(temp, uint32_t, prog->count);
    b.visited = rf_arena_new(temp, uint32_t, prog->count);
    b.stack = rf_arena_raw(temp, struct walk_job, 2 * (size_t)prog->count + 2);
    if (op.ways == NULL || op.match == NULL || b.node_insts == NULL || b.inst_nodes == NULL ||
        b.visited == NULL || b.stack == NULL)
        return false;
    if (node_of(&b, prog->start) == 0) return true;
    for (uint32_t node = 0; node < op.node_count; node++)
        if (!node_walk(&b, node)) return true;
    size_t entries = (size_t)op.node_count * prog->class_count;
    struct regex_onepass *kept = rf_arena_alloc(arena, sizeof *kept);
    uint64_t *ways = rf_arena_raw(arena, uint64_t, entries + op.node_count);
    if (kept == NULL || ways == NULL) return false;
    memcpy(ways, op.ways, entries * sizeof *ways);
    memcpy(ways + entries, op.match, op.node_count * sizeof *ways);
    *kept = op;
    kept->ways = ways;
    kept->match = ways + entries;
    re->onepass = kept;
    return true;
}

/* Whether a way's assertions hold here. */
static inline bool way_open(uint64_t way, rf_str text, size_t at)
{
    uint32_t asserts = (uint32_t)(way >> WAY_ASSERT_SHIFT) & 0xFF;
    return asserts == 0 || (asserts & ~regex_asserts_at(text, at)) == 0;
}

/* Notes the place in the slots of a way; false: its assertions do not hold here. */
static inline bool way_take(uint64_t way, rf_str text, size_t at, size_t *slots)
{
    if (!way_open(way, text, at)) return false;
    for (uint32_t mask = (uint32_t)(way >> WAY_SLOT_SHIFT); mask != 0; mask &= mask - 1)
        slots[__builtin_ctz(mask)] = at;
    return true;
}

static void fill_groups(const struct regex *re, const size_t *slots, size_t from, size_t to,
                        struct regex_group *groups, size_t cap)
{
    groups[0] = (struct regex_group){from, to};
    for (size_t i = 1; i < cap; i++) {
        groups[i] = (struct regex_group){SIZE_MAX, SIZE_MAX};
        if (i > re->capture_count || slots[2 * i - 2] == SIZE_MAX || slots[2 * i - 1] == SIZE_MAX)
            continue;
        groups[i] = (struct regex_group){slots[2 * i - 2], slots[2 * i - 1]};
    }
}

bool regex_onepass_run(const struct regex *re, rf_str text, size_t from, size_t to,
                       struct regex_group *groups, size_t cap)
{
    const struct regex_onepass *op = re->onepass;
    const uint8_t *classes = re->forward.classes;
    size_t slots[2 * ONEPASS_CAPTURES_MAX], node = 0, row = re->forward.class_count;
    for (size_t i = 0; i < RF_COUNT(slots); i++) slots[i] = SIZE_MAX;
    for (size_t at = from; at < to; at++) {
        uint64_t way = op->ways[node * row + classes[text.ptr[at]]];
        if (way == 0 || ((way >> WAY_ASSERT_SHIFT) != 0 && !way_take(way, text, at, slots)))
            return false;
        node = (way & WAY_NODE_MASK) - 1;
    }
    if (op->match[node] == 0 || !way_take(op->match[node], text, to, slots)) return false;
    fill_groups(re, slots, from, to, groups, cap);
    return true;
}

bool regex_onepass_match(const struct regex *re, rf_str text, size_t from, size_t *steps,
                         struct regex_group *groups, size_t cap)
{
    const struct regex_onepass *op = re->onepass;
    const uint8_t *classes = re->forward.classes;
    size_t slots[2 * ONEPASS_CAPTURES_MAX], best[2 * ONEPASS_CAPTURES_MAX];
    size_t count = 2 * (size_t)re->capture_count, best_to = SIZE_MAX, at = from, node = 0;
    size_t row = re->forward.class_count;
    uint64_t best_match = 0;
    bool noted = true; /* slots changed since the best match */
    for (size_t i = 0; i < count; i++) slots[i] = SIZE_MAX;
    for (;; at++) {
        uint64_t match = op->match[node],
                 way = at < text.len ? op->ways[node * row + classes[text.ptr[at]]] : 0;
        if (match != 0 && way_open(match, text, at)) {
            for (size_t i = 0; noted && i < count; i++) best[i] = slots[i];
            noted = false;
            best_to = at;
            best_match = match;
            if ((way & WAY_BEHIND_MATCH) != 0) break;
        }
        if (way == 0) break;
        if ((way >> WAY_ASSERT_SHIFT) != 0) {
            if (!way_take(way, text, at, slots)) break;
            noted = true;
        }
        node = (way & WAY_NODE_MASK) - 1;
    }
    *steps += at - from + 1;
    if (best_to == SIZE_MAX) return false;
    (void)way_take(best_match, text, best_to, best);
    fill_groups(re, best, from, best_to, groups, cap);
    return true;
}
