/* regex_dfa.c - the automaton whose states are sets of instructions, worked out as the text needs
 * them and kept in a cache of bounded size.
 *
 * A state is an ordered list of instructions, best first: those that wait for a byte or have matched.
 * What an assertion says depends on both neighbours, so where one is met, the state keeps what is
 * known of the byte before, and the list of the instructions that the bytes so far led to; what they
 * reach is worked out again, from the start, once the next byte is known. (To go on from the
 * assertions alone would enter loops a second time and change the order of preference.) A match
 * shows one byte late: entering a MATCHED state by a byte means that a match ended before it. */
#include "base/regex_int.h"

enum {
    STATE_WORD_BEFORE = 1 << 6, /* bits 0..5: assertions that hold here for sure */
    STATE_MATCHED = 1 << 7,
    STATE_ACCELERATE = 1 << 8, /* nothing is under way: skip to the prefix */
    STATE_NEED_SHIFT = 9       /* then: assertions that instructions wait for */
};

/* Transitions are state numbers times the row length, so that the inner loop need not multiply. */
#define NEXT_SPECIAL (1u << 31) /* look closer: one of the following */
#define NEXT_MATCHED (1u << 30)
#define NEXT_UNKNOWN (NEXT_SPECIAL | (NEXT_MATCHED - 1))
#define NEXT_MASK (NEXT_MATCHED - 1)
#define NEXT_FAILED UINT32_MAX /* not stored: memory or cache are used up */

enum {
    DFA_ROW_BYTES_MAX = 1 << 20,
    DFA_INSTS_MAX = 1 << 18,
    DFA_STATES_MIN = 16,
    /* A cache that fills within so few bytes a state is of no use: the other engines are faster. */
    DFA_BYTES_PER_STATE_MIN = 10,
    BYTE_END = 256 /* the "byte" behind the end of the text */
};

struct dfa_state {
    uint32_t first, count; /* in insts */
    uint32_t flags;
    uint32_t hash;
};

struct queue { /* an ordered set of instruction numbers */
    uint32_t *dense, *sparse;
    uint32_t count;
};

struct regex_dfa {
    const struct regex *re;
    const struct regex_prog *prog;
    bool reverse;
    uint32_t row_shift; /* a row has 1 << row_shift entries: one per class and one for the end */
    uint32_t *rows;
    uint32_t row_entries_cap;
    struct dfa_state *states;
    uint32_t state_count, state_cap, state_limit;
    uint32_t *insts;
    uint32_t inst_count, inst_cap;
    uint32_t *table; /* open addressing, state number + 1 */
    uint32_t table_cap;
    uint32_t starts[2][8]; /* by anchored and by what lies before; state + 1 */
    struct queue now, then;
    struct queue seeds; /* where the bytes led to, before `then` follows the ways from there */
    uint32_t queue_cap;
    uint32_t *stack;
    size_t bytes_since_flush;
    bool no_memory;
};

/* ---- memory ---------------------------------------------------------------------------------------- */

static void dfa_flush(struct regex_dfa *dfa)
{
    dfa->state_count = 0;
    dfa->inst_count = 0;
    dfa->bytes_since_flush = 0;
    memset(dfa->starts, 0, sizeof dfa->starts);
    if (dfa->table != NULL) memset(dfa->table, 0, dfa->table_cap * sizeof *dfa->table);
}

static bool queues_fit(struct regex_dfa *dfa, struct rf_arena *arena)
{
    uint32_t wanted = dfa->prog->count;
    if (wanted <= dfa->queue_cap) return true;
    wanted += wanted / 4 + 16; /* the next expression may be a bit larger */
    dfa->queue_cap = 0;
    dfa->now.dense = rf_arena_new(arena, uint32_t, wanted);
    dfa->now.sparse = rf_arena_new(arena, uint32_t, wanted);
    dfa->then.dense = rf_arena_new(arena, uint32_t, wanted);
    dfa->then.sparse = rf_arena_new(arena, uint32_t, wanted);
    dfa->seeds.dense = rf_arena_new(arena, uint32_t, wanted);
    dfa->seeds.sparse = rf_arena_new(arena, uint32_t, wanted);
    dfa->stack = rf_arena_new(arena, uint32_t, 2 * (size_t)wanted + 2);
    if (dfa->now.dense == NULL || dfa->now.sparse == NULL || dfa->then.dense == NULL ||
        dfa->then.sparse == NULL || dfa->seeds.dense == NULL || dfa->seeds.sparse == NULL ||
        dfa->stack == NULL)
        return false;
    dfa->queue_cap = wanted;
    return true;
}

/* The automaton of this expression and direction, emptied if it served another. NULL: no memory. */
static struct regex_dfa *dfa_get(const struct regex *re, struct regex_scratch *scratch,
                                 bool reverse)
{
    if (scratch->re != re) {
        if (scratch->forward != NULL) scratch->forward->re = NULL;
        if (scratch->reverse != NULL) scratch->reverse->re = NULL;
        scratch->re = re;
    }
    struct regex_dfa **slot = reverse ? &scratch->reverse : &scratch->forward;
    if (*slot == NULL) *slot = rf_arena_zalloc(scratch->arena, sizeof **slot);
    struct regex_dfa *dfa = *slot;
    if (dfa == NULL || dfa->re == re) return dfa;
    dfa->prog = reverse ? &re->reverse : &re->forward;
    dfa->reverse = reverse;
    dfa->row_shift = 0;
    while ((1u << dfa->row_shift) < dfa->prog->class_count + 1) dfa->row_shift++;
    dfa->state_limit = DFA_ROW_BYTES_MAX / 4 >> dfa->row_shift;
    dfa->no_memory = false;
    dfa_flush(dfa);
    if (!queues_fit(dfa, scratch->arena)) return NULL;
    dfa->re = re;
    return dfa;
}

/* Room for one more state of `insts` instructions. False: the limit or the memory is reached. */
static bool dfa_reserve(struct regex_dfa *dfa, struct rf_arena *arena, uint32_t insts)
{
    if (dfa->state_count >= dfa->state_limit || dfa->inst_count + insts > DFA_INSTS_MAX)
        return false;
    dfa->no_memory = true; /* unless we get through */
    if (dfa->state_count == dfa->state_cap) {
        void *items = dfa->states;
        if (!regex_grow(arena, &items, &dfa->state_cap, sizeof *dfa->states)) return false;
        dfa->states = items;
    }
    while (((dfa->state_count + 1) << dfa->row_shift) > dfa->row_entries_cap) {
        void *items = dfa->rows;
        if (!regex_grow(arena, &items, &dfa->row_entries_cap, sizeof *dfa->rows)) return false;
        dfa->rows = items;
    }
    while (dfa->inst_count + insts > dfa->inst_cap) {
        void *items = dfa->insts;
        if (!regex_grow(arena, &items, &dfa->inst_cap, sizeof *dfa->insts)) return false;
        dfa->insts = items;
    }
    dfa->no_memory = false;
    return true;
}

/* Keeps the table at most half full. */
static bool table_fit(struct regex_dfa *dfa, struct rf_arena *arena)
{
    if ((dfa->state_count + 1) * 2 <= dfa->table_cap) return true;
    uint32_t cap = dfa->table_cap == 0 ? 64 : dfa->table_cap * 2;
    uint32_t *table = rf_arena_new(arena, uint32_t, cap);
    if (table == NULL) {
        dfa->no_memory = true;
        return false;
    }
    for (uint32_t i = 0; i < dfa->state_count; i++) {
        uint32_t at = dfa->states[i].hash & (cap - 1);
        while (table[at] != 0) at = (at + 1) & (cap - 1);
        table[at] = i + 1;
    }
    dfa->table = table;
    dfa->table_cap = cap;
    return true;
}

/* ---- sets of instructions -------------------------------------------------------------------------- */

static inline bool queue_has(const struct queue *q, uint32_t inst)
{
    uint32_t at = q->sparse[inst];
    return at < q->count && q->dense[at] == inst;
}

/* Adds `inst` and all that is reached from it without a byte, in order of preference. Assertions
 * that are not among `asserts` end the way in the set. True when it reached a match. */
static bool queue_add(struct regex_dfa *dfa, struct queue *q, uint32_t inst, uint32_t asserts)
{
    const struct regex_inst *insts = dfa->prog->insts;
    uint32_t depth = 0;
    bool matched = false;
    dfa->stack[depth++] = inst;
    while (depth > 0) {
        uint32_t at = dfa->stack[--depth];
        while (at != 0 && !queue_has(q, at)) {
            q->sparse[at] = q->count;
            q->dense[q->count++] = at;
            const struct regex_inst *in = &insts[at];
            if (in->op == OP_ALT) {
                dfa->stack[depth++] = in->arg;
                at = in->out;
            } else if (in->op == OP_CAPTURE || in->op == OP_NOP) {
                at = in->out;
            } else if (in->op == OP_ASSERT && (in->arg & ~asserts) == 0) {
                at = in->out;
            } else {
                matched = matched || in->op == OP_MATCH;
                break;
            }
        }
    }
    return matched;
}

/* Empties both sets, and puts an instruction into them; see the top for why it takes two. */
static void seeds_clear(struct regex_dfa *dfa) { dfa->seeds.count = dfa->then.count = 0; }

static bool seed_add(struct regex_dfa *dfa, uint32_t inst, uint32_t asserts)
{
    if (inst == 0 || queue_has(&dfa->seeds, inst)) return false;
    dfa->seeds.sparse[inst] = dfa->seeds.count;
    dfa->seeds.dense[dfa->seeds.count++] = inst;
    return queue_add(dfa, &dfa->then, inst, asserts);
}

static int number_cmp(uint32_t a, uint32_t b) { return a < b ? -1 : a > b; }

/* Shell sort: the lists are short and nearly sorted. */
static void numbers_sort(uint32_t *items, uint32_t count)
{
    for (uint32_t gap = count / 2; gap > 0; gap /= 2) {
        for (uint32_t i = gap; i < count; i++) {
            uint32_t item = items[i], at = i;
            for (; at >= gap && number_cmp(items[at - gap], item) > 0; at -= gap)
                items[at] = items[at - gap];
            items[at] = item;
        }
    }
}

static bool state_same(const struct regex_dfa *dfa, const struct dfa_state *state, uint32_t flags,
                       const uint32_t *insts, uint32_t count)
{
    return state->flags == flags && state->count == count &&
           memcmp(dfa->insts + state->first, insts, count * sizeof *insts) == 0;
}

/* The number of the state of dfa->then and dfa->seeds; NEXT_FAILED when the cache is full.
 * Instructions behind a sure match are dropped: no match of theirs can win. */
static uint32_t state_make(struct regex_dfa *dfa, struct rf_arena *arena, uint32_t flags)
{
    const struct queue *q = &dfa->then;
    if (!dfa_reserve(dfa, arena, q->count) || !table_fit(dfa, arena)) return NEXT_FAILED;
    uint32_t *insts = dfa->insts + dfa->inst_count;
    uint32_t count = 0, need = 0;
    for (uint32_t i = 0; i < q->count; i++) {
        const struct regex_inst *in = &dfa->prog->insts[q->dense[i]];
        if (in->op == OP_ASSERT) need |= in->arg & ~(flags & ASSERT_ALL);
        if (in->op == OP_BYTES || in->op == OP_SET || in->op == OP_MATCH)
            insts[count++] = q->dense[i];
        if (in->op == OP_MATCH && !dfa->reverse) break;
    }
    if (need != 0) { /* every seed is in `then`, too, so there is room */
        count = dfa->seeds.count;
        memcpy(insts, dfa->seeds.dense, count * sizeof *insts);
    }
    /* Backwards the longest match is wanted, so the order means nothing and equal sets are one. */
    if (dfa->reverse) numbers_sort(insts, count);
    uint32_t keep = STATE_MATCHED | STATE_ACCELERATE;
    flags = (need == 0 ? flags & keep : flags) | need << STATE_NEED_SHIFT;
    uint32_t hash =
        (uint32_t)rf_hash(insts, count * sizeof *insts, flags & ~(uint32_t)STATE_ACCELERATE);
    uint32_t at = hash & (dfa->table_cap - 1);
    for (; dfa->table[at] != 0; at = (at + 1) & (dfa->table_cap - 1)) {
        uint32_t other = dfa->table[at] - 1;
        /* The start state is the same state with or without the mark. */
        uint32_t mark = dfa->states[other].flags & STATE_ACCELERATE;
        if (dfa->states[other].hash == hash &&
            state_same(dfa, &dfa->states[other], flags | mark, insts, count))
            return other;
    }
    uint32_t state = dfa->state_count++;
    dfa->table[at] = state + 1;
    dfa->states[state] =
        (struct dfa_state){.first = dfa->inst_count, .count = count, .flags = flags, .hash = hash};
    dfa->inst_count += count;
    uint32_t *row = dfa->rows + ((size_t)state << dfa->row_shift);
    for (uint32_t i = 0; i < 1u << dfa->row_shift; i++) row[i] = NEXT_UNKNOWN;
    return state;
}

/* ---- steps ----------------------------------------------------------------------------------------- */

static uint32_t entry_of(const struct regex_dfa *dfa, uint32_t state)
{
    const struct dfa_state *s = &dfa->states[state];
    uint32_t entry = state << dfa->row_shift;
    if (s->flags & STATE_MATCHED) entry |= NEXT_SPECIAL | NEXT_MATCHED;
    if (s->count == 0 || (s->flags & STATE_ACCELERATE)) entry |= NEXT_SPECIAL;
    return entry;
}

/* What the byte c (or BYTE_END) says about the place before it. */
static uint32_t asserts_before(int c, bool word_before)
{
    uint32_t asserts = 0;
    if (c == '\n') asserts |= ASSERT_END_LINE;
    if (c == BYTE_END) asserts |= ASSERT_END_LINE | ASSERT_END_TEXT;
    bool word = c != BYTE_END && regex_word_byte((uint8_t)c);
    return asserts | (word != word_before ? ASSERT_WORD : ASSERT_NOT_WORD);
}

static void queue_load(struct regex_dfa *dfa, const struct dfa_state *state, uint32_t asserts)
{
    dfa->now.count = 0;
    for (uint32_t i = 0; i < state->count; i++)
        (void)queue_add(dfa, &dfa->now, dfa->insts[state->first + i], asserts);
}

/* Moves every instruction of dfa->now over the byte into dfa->then. True when a match ended here. */
static bool queue_step(struct regex_dfa *dfa, int c)
{
    uint32_t after = c == '\n' ? ASSERT_BEGIN_LINE : 0;
    bool matched = false;
    seeds_clear(dfa);
    for (uint32_t i = 0; i < dfa->now.count; i++) {
        const struct regex_inst *in = &dfa->prog->insts[dfa->now.dense[i]];
        if (in->op == OP_MATCH) {
            matched = true;
            if (!dfa->reverse) break;
        } else if (c == BYTE_END) {
            continue;
        } else if (in->op == OP_BYTES
                       ? c >= in->low && c <= in->high
                       : in->op == OP_SET && regex_set_has(&dfa->prog->sets[in->arg], (uint8_t)c)) {
            /* What comes behind a sure match cannot win. */
            if (seed_add(dfa, in->out, after) && !dfa->reverse) break;
        }
    }
    return matched;
}

/* Works out the transition of `state` on c and stores it. On a full cache: empties it, and the
 * transition leads to the first state of the new one. */
static uint32_t transition(struct regex_dfa *dfa, struct rf_arena *arena, uint32_t state, int c)
{
    struct dfa_state from = dfa->states[state];
    uint32_t asserts = from.flags & ASSERT_ALL;
    asserts |= asserts_before(c, (from.flags & STATE_WORD_BEFORE) != 0);
    queue_load(dfa, &from, asserts);
    bool matched = queue_step(dfa, c);
    uint32_t flags = c == '\n' ? ASSERT_BEGIN_LINE : 0;
    if (c != BYTE_END && regex_word_byte((uint8_t)c)) flags |= STATE_WORD_BEFORE;
    if (matched) flags |= STATE_MATCHED;
    uint32_t next = state_make(dfa, arena, flags);
    if (next == NEXT_FAILED) {
        if (dfa->no_memory || dfa->state_count < DFA_STATES_MIN ||
            dfa->bytes_since_flush / DFA_BYTES_PER_STATE_MIN < dfa->state_count)
            return NEXT_FAILED;
        dfa_flush(dfa);
        next = state_make(dfa, arena, flags);
        return next == NEXT_FAILED ? NEXT_FAILED : entry_of(dfa, next);
    }
    uint32_t column = c == BYTE_END ? dfa->prog->class_count : dfa->prog->classes[c];
    return dfa->rows[((size_t)state << dfa->row_shift) + column] = entry_of(dfa, next);
}

/* The state to start in, before text[at] (or behind it when the automaton runs backwards). */
static uint32_t start_state(struct regex_dfa *dfa, struct rf_arena *arena, rf_str text, size_t at,
                            bool anchored)
{
    bool edge = dfa->reverse ? at == text.len : at == 0;
    uint8_t before = edge ? 0 : text.ptr[dfa->reverse ? at : at - 1];
    uint32_t flags = edge                      ? ASSERT_BEGIN_TEXT | ASSERT_BEGIN_LINE
                     : before == '\n'          ? ASSERT_BEGIN_LINE
                     : regex_word_byte(before) ? STATE_WORD_BEFORE
                                               : 0;
    uint32_t kind = edge ? 0 : before == '\n' ? 1 : regex_word_byte(before) ? 2 : 3;
    uint32_t *slot = &dfa->starts[anchored][kind];
    if (*slot != 0) return *slot - 1;
    seeds_clear(dfa);
    (void)seed_add(dfa, anchored ? dfa->prog->start : dfa->prog->start_search, flags & ASSERT_ALL);
    if (!anchored && dfa->prog->asserts == 0 && dfa->re->prefix != NULL) flags |= STATE_ACCELERATE;
    uint32_t state = state_make(dfa, arena, flags);
    if (state == NEXT_FAILED && !dfa->no_memory && dfa->state_count >= DFA_STATES_MIN) {
        dfa_flush(dfa);
        state = state_make(dfa, arena, flags);
    }
    if (state != NEXT_FAILED) *slot = state + 1;
    return state;
}

/* ---- runs ------------------------------------------------------------------------------------------ */

struct run {
    struct regex_dfa *dfa;
    struct rf_arena *arena;
    rf_str text;
    size_t at; /* forward: of the next byte; reverse: behind it */
    size_t end;
    uint32_t state; /* times the row length */
    size_t place;
    bool found, earliest, failed;
};

/* Deals with a transition that is not plain; the byte at hand is passed. True: the run is over. */
static bool step_special(struct run *run, uint32_t next, int c, size_t before)
{
    struct regex_dfa *dfa = run->dfa;
    if (next == NEXT_UNKNOWN) {
        next = transition(dfa, run->arena, run->state >> dfa->row_shift, c);
        if (next == NEXT_FAILED) {
            run->failed = true;
            return true;
        }
    }
    run->state = next & NEXT_MASK;
    if (!(next & NEXT_SPECIAL)) return false;
    if (next & NEXT_MATCHED) {
        run->found = true;
        run->place = before;
        if (run->earliest) return true;
    }
    const struct dfa_state *state = &dfa->states[run->state >> dfa->row_shift];
    if (state->count == 0) return true;
    if ((state->flags & STATE_ACCELERATE) && c != BYTE_END) {
        size_t found = term_finder_next(dfa->re->prefix, run->text, run->at, NULL);
        dfa->bytes_since_flush += (found == SIZE_MAX ? run->end : found) - run->at;
        run->at = found == SIZE_MAX ? run->end : found;
    }
    return false;
}

static bool run_forward(struct run *run)
{
    struct regex_dfa *dfa = run->dfa;
    const uint8_t *classes = dfa->prog->classes;
    while (run->at < run->end) {
        const uint8_t *p = run->text.ptr + run->at, *end = run->text.ptr + run->end;
        const uint32_t *rows = dfa->rows;
        uint32_t state = run->state, next = 0;
        const uint8_t *from = p;
        while (p < end) {
            next = rows[state + classes[*p++]];
            if (RF_UNLIKELY(next & NEXT_SPECIAL)) break;
            state = next;
        }
        dfa->bytes_since_flush += (size_t)(p - from);
        run->at = (size_t)(p - run->text.ptr);
        run->state = state;
        if (!(next & NEXT_SPECIAL)) break;
        if (step_special(run, next, p[-1], run->at - 1)) return true;
    }
    return false;
}

static bool run_reverse(struct run *run)
{
    struct regex_dfa *dfa = run->dfa;
    const uint8_t *classes = dfa->prog->classes;
    while (run->at > run->end) {
        uint8_t c = run->text.ptr[--run->at];
        uint32_t next = dfa->rows[run->state + classes[c]];
        dfa->bytes_since_flush++;
        if (RF_LIKELY(!(next & NEXT_SPECIAL))) {
            run->state = next;
        } else if (step_special(run, next, c, run->at + 1)) {
            return true;
        }
    }
    return false;
}

enum regex_verdict regex_dfa_run(const struct regex *re, struct regex_scratch *scratch, rf_str text,
                                 size_t from, size_t to, bool reverse, bool anchored, bool earliest,
                                 size_t *place)
{
    struct regex_dfa *dfa = dfa_get(re, scratch, reverse);
    if (dfa == NULL) return REGEX_GIVE_UP;
    struct run run = {.dfa = dfa,
                      .arena = scratch->arena,
                      .text = text,
                      .at = reverse ? to : from,
                      .end = reverse ? from : to,
                      .earliest = earliest};
    if (!reverse && !anchored && re->prefix != NULL) {
        size_t first = term_finder_next(re->prefix, text, from, NULL);
        if (first == SIZE_MAX) return REGEX_NO;
        run.at = first;
    }
    uint32_t start = start_state(dfa, scratch->arena, text, run.at, anchored);
    if (start == NEXT_FAILED) return REGEX_GIVE_UP;
    run.state = start << dfa->row_shift;
    if (dfa->states[start].count == 0) return REGEX_NO;
    bool over = reverse ? run_reverse(&run) : run_forward(&run);
    if (!over) { /* the byte behind the part that was searched, or the end, tells the last matches */
        bool edge = reverse ? run.end == 0 : run.end == text.len;
        int c = edge ? BYTE_END : text.ptr[reverse ? run.end - 1 : run.end];
        uint32_t column = edge ? dfa->prog->class_count : dfa->prog->classes[c];
        uint32_t next = dfa->rows[run.state + column];
        if (next & NEXT_SPECIAL) (void)step_special(&run, next, c, run.end);
    }
    if (run.failed) return REGEX_GIVE_UP;
    if (run.found) *place = run.place;
    return run.found ? REGEX_YES : REGEX_NO;
}
