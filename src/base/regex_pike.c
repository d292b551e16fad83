/* regex_pike.c - the engines that know groups: threads side by side (Pike), and a backtracker that
 * visits each instruction at each place once; and the search that puts all engines together. */
#include "base/regex_int.h"

enum { BACKTRACK_BITS_MAX = 256 << 10, SLOTS_MAX = 2 * (REGEX_CAPTURES_MAX + 1) };

/* Slots are 2 * group for the start and 2 * group + 1 for the end. */
static uint32_t slots_of(const struct regex *re, size_t cap)
{
    return 2 * (uint32_t)RF_MIN(cap, (size_t)re->capture_count + 1);
}

static void groups_fill(const size_t *slots, uint32_t slot_count, struct regex_group *groups,
                        size_t cap)
{
    for (size_t i = 0; i < cap; i++) {
        struct regex_group group = {SIZE_MAX, SIZE_MAX};
        if (2 * i + 1 < slot_count && slots[2 * i] != SIZE_MAX && slots[2 * i + 1] != SIZE_MAX)
            group = (struct regex_group){slots[2 * i], slots[2 * i + 1]};
        groups[i] = group;
    }
}

/* ---- threads side by side -------------------------------------------------------------------------- */

struct thread_list {
    uint32_t *dense, *sparse; /* which instructions were reached, in order of preference */
    uint32_t reached;
    uint32_t *insts; /* the threads: those of them that wait for a byte or have matched */
    size_t *slots;   /* slot_count for each thread */
    uint32_t count;
    uint32_t insts_cap, slots_cap;
};

struct thread_job { /* go on at inst, or put a slot back */
    uint32_t inst;
    uint32_t slot;
    size_t value;
};

struct regex_threads {
    struct thread_list lists[2];
    uint32_t prog_cap;
    struct thread_job *stack;
    size_t now[SLOTS_MAX];  /* of the thread that is being moved */
    size_t best[SLOTS_MAX]; /* of the best match so far */
};

struct pike {
    const struct regex_prog *prog;
    struct rf_arena *arena;
    struct regex_threads *threads;
    rf_str text;
    uint32_t slot_count;
    size_t *now, *best;
    bool no_memory;
};

static bool threads_fit(struct regex_threads *threads, struct rf_arena *arena, uint32_t count)
{
    if (count <= threads->prog_cap) return true;
    threads->prog_cap = 0;
    for (int i = 0; i < 2; i++) {
        threads->lists[i].dense = rf_arena_new(arena, uint32_t, count);
        threads->lists[i].sparse = rf_arena_new(arena, uint32_t, count);
        if (threads->lists[i].dense == NULL || threads->lists[i].sparse == NULL) return false;
    }
    threads->stack = rf_arena_raw(arena, struct thread_job, 2 * (size_t)count + 2);
    if (threads->stack == NULL) return false;
    threads->prog_cap = count;
    return true;
}

static void thread_put(struct pike *pike, struct thread_list *list, uint32_t inst)
{
    while (list->count >= list->insts_cap) {
        void *items = list->insts;
        if (!regex_grow(pike->arena, &items, &list->insts_cap, sizeof *list->insts)) {
            pike->no_memory = true;
            return;
        }
        list->insts = items;
    }
    while ((size_t)(list->count + 1) * pike->slot_count > list->slots_cap) {
        void *items = list->slots;
        if (!regex_grow(pike->arena, &items, &list->slots_cap, sizeof *list->slots)) {
            pike->no_memory = true;
            return;
        }
        list->slots = items;
    }
    list->insts[list->count] = inst;
    memcpy(list->slots + (size_t)list->count * pike->slot_count, pike->now,
           pike->slot_count * sizeof *pike->now);
    list->count++;
}

/* Starts a thread at `inst` and follows it to all places where a byte is wanted. */
static void thread_add(struct pike *pike, struct thread_list *list, uint32_t inst, size_t at,
                       uint32_t asserts)
{
    struct thread_job *stack = pike->threads->stack;
    uint32_t depth = 0;
    stack[depth++] = (struct thread_job){.inst = inst, .slot = UINT32_MAX};
    while (depth > 0) {
        struct thread_job job = stack[--depth];
        if (job.slot != UINT32_MAX) {
            pike->now[job.slot] = job.value;
            continue;
        }
        uint32_t i = job.inst;
        while (i != 0) {
            if (list->sparse[i] < list->reached && list->dense[list->sparse[i]] == i) break;
            list->sparse[i] = list->reached;
            list->dense[list->reached++] = i;
            const struct regex_inst *in = &pike->prog->insts[i];
            if (in->op == OP_ALT) {
                stack[depth++] = (struct thread_job){.inst = in->arg, .slot = UINT32_MAX};
                i = in->out;
            } else if (in->op == OP_CAPTURE) {
                if (in->arg < pike->slot_count) {
                    stack[depth++] =
                        (struct thread_job){.slot = in->arg, .value = pike->now[in->arg]};
                    pike->now[in->arg] = at;
                }
                i = in->out;
            } else if (in->op == OP_NOP || (in->op == OP_ASSERT && (in->arg & ~asserts) == 0)) {
                i = in->out;
            } else {
                if (in->op != OP_ASSERT && in->op != OP_FAIL) thread_put(pike, list, i);
                break;
            }
        }
    }
}

/* Moves the threads of `from` over the byte at `at` into `to`. True when one has matched: those behind
 * it are dropped. */
static bool threads_step(struct pike *pike, const struct thread_list *from, struct thread_list *to,
                         size_t at, size_t end)
{
    uint32_t asserts =
        at < end && pike->prog->asserts != 0 ? regex_asserts_at(pike->text, at + 1) : 0;
    for (uint32_t i = 0; i < from->count; i++) {
        const struct regex_inst *in = &pike->prog->insts[from->insts[i]];
        const size_t *slots = from->slots + (size_t)i * pike->slot_count;
        if (in->op == OP_MATCH) {
            if (pike->slot_count > 0) memcpy(pike->best, slots, pike->slot_count * sizeof *slots);
            return true;
        }
        if (at >= end) continue;
        uint8_t c = pike->text.ptr[at];
        bool fits = in->op == OP_BYTES ? c >= in->low && c <= in->high
                                       : regex_set_has(&pike->prog->sets[in->arg], c);
        if (!fits) continue;
        if (pike->slot_count > 0) memcpy(pike->now, slots, pike->slot_count * sizeof *slots);
        thread_add(pike, to, in->out, at + 1, asserts);
    }
    return false;
}

static void list_clear(struct thread_list *list) { list->reached = list->count = 0; }

static bool pike_search(struct pike *pike, size_t from, size_t to, bool anchored, bool any)
{
    struct thread_list *now = &pike->threads->lists[0], *then = &pike->threads->lists[1];
    bool found = false;
    list_clear(now);
    for (size_t at = from;; at++) {
        if (!found && (!anchored || at == from)) {
            for (uint32_t i = 0; i < pike->slot_count; i++) pike->now[i] = SIZE_MAX;
            thread_add(pike, now, pike->prog->start, at, regex_asserts_at(pike->text, at));
        }
        if (now->count == 0 && (found || anchored)) break;
        list_clear(then);
        if (threads_step(pike, now, then, at, to)) {
            found = true;
            if (any) break;
        }
        if (at >= to || pike->no_memory) break;
        struct thread_list *swap = now;
        now = then;
        then = swap;
    }
    return found;
}

enum regex_verdict regex_pike_run(const struct regex *re, struct regex_scratch *scratch,
                                  rf_str text, size_t from, size_t to, bool anchored,
                                  struct regex_group *groups, size_t cap)
{
    if (scratch->threads == NULL)
        scratch->threads = rf_arena_zalloc(scratch->arena, sizeof *scratch->threads);
    struct regex_threads *threads = scratch->threads;
    if (threads == NULL || !threads_fit(threads, scratch->arena, re->forward.count))
        return REGEX_GIVE_UP;
    struct pike pike = {.prog = &re->forward,
                        .arena = scratch->arena,
                        .threads = threads,
                        .text = text,
                        .slot_count = slots_of(re, cap),
                        .now = threads->now,
                        .best = threads->best};
    bool found = pike_search(&pike, from, to, anchored, cap == 0);
    if (pike.no_memory) return REGEX_GIVE_UP;
    if (found) groups_fill(pike.best, pike.slot_count, groups, cap);
    return found ? REGEX_YES : REGEX_NO;
}

/* ---- backtracking ---------------------------------------------------------------------------------- */

struct regex_backtrack {
    uint64_t *visited;
    uint32_t visited_words;
    struct backtrack_job {
        uint32_t inst; /* UINT32_MAX: put slot back */
        uint32_t slot;
        size_t value; /* the place, or what the slot held */
    } * stack;
    uint32_t stack_cap, depth;
    size_t slots[SLOTS_MAX];
};

bool regex_backtrack_fits(const struct regex *re, size_t bytes)
{
    return bytes < BACKTRACK_BITS_MAX && (bytes + 1) * re->forward.count <= BACKTRACK_BITS_MAX;
}

static bool backtrack_push(struct regex_backtrack *bt, struct rf_arena *arena,
                           struct backtrack_job job)
{
    if (bt->depth == bt->stack_cap) {
        void *items = bt->stack;
        if (!regex_grow(arena, &items, &bt->stack_cap, sizeof *bt->stack)) return false;
        bt->stack = items;
    }
    bt->stack[bt->depth++] = job;
    return true;
}

/* Tries all ways from the jobs on the stack, the best first. */
static enum regex_verdict backtrack_try(const struct regex *re, struct regex_backtrack *bt,
                                        struct rf_arena *arena, rf_str text, size_t from, size_t to,
                                        uint32_t slot_count)
{
    const struct regex_prog *prog = &re->forward;
    while (bt->depth > 0) {
        struct backtrack_job job = bt->stack[--bt->depth];
        if (job.inst == UINT32_MAX) {
            bt->slots[job.slot] = job.value;
            continue;
        }
        uint32_t i = job.inst;
        size_t at = job.value;
        while (i != 0) {
            size_t bit = (at - from) * prog->count + i;
            if (bt->visited[bit >> 6] >> (bit & 63) & 1) break;
            bt->visited[bit >> 6] |= UINT64_C(1) << (bit & 63);
            const struct regex_inst *in = &prog->insts[i];
            bool goes_on = false;
            switch ((enum regex_op)in->op) {
            case OP_MATCH:
                return REGEX_YES;
            case OP_BYTES:
                goes_on = at < to && text.ptr[at] >= in->low && text.ptr[at] <= in->high;
                at++;
                break;
            case OP_SET:
                goes_on = at < to && regex_set_has(&prog->sets[in->arg], text.ptr[at]);
                at++;
                break;
            case OP_ALT:
                job = (struct backtrack_job){.inst = in->arg, .value = at};
                if (!backtrack_push(bt, arena, job)) return REGEX_GIVE_UP;
                goes_on = true;
                break;
            case OP_CAPTURE:
                goes_on = true;
                if (in->arg >= slot_count) break;
                job = (struct backtrack_job){
                    .inst = UINT32_MAX, .slot = in->arg, .value = bt->slots[in->arg]};
                if (!backtrack_push(bt, arena, job)) return REGEX_GIVE_UP;
                bt->slots[in->arg] = at;
                break;
            case OP_ASSERT:
                goes_on = (in->arg & ~regex_asserts_at(text, at)) == 0;
                break;
            case OP_NOP:
                goes_on = true;
                break;
            case OP_FAIL:
                break;
            }
            if (!goes_on) break;
            i = in->out;
        }
    }
    return REGEX_NO;
}

enum regex_verdict regex_backtrack_run(const struct regex *re, struct regex_scratch *scratch,
                                       rf_str text, size_t from, size_t to, bool anchored,
                                       struct regex_group *groups, size_t cap)
{
    if (scratch->backtrack == NULL)
        scratch->backtrack = rf_arena_zalloc(scratch->arena, sizeof *scratch->backtrack);
    struct regex_backtrack *bt = scratch->backtrack;
    if (bt == NULL) return REGEX_GIVE_UP;
    size_t words = ((to - from + 1) * re->forward.count + 63) / 64;
    if (words > bt->visited_words) {
        uint32_t wanted = (uint32_t)RF_MIN(2 * words, (size_t)BACKTRACK_BITS_MAX / 64 + 1);
        bt->visited = rf_arena_raw(scratch->arena, uint64_t, wanted);
        bt->visited_words = bt->visited == NULL ? 0 : wanted;
        if (bt->visited == NULL) return REGEX_GIVE_UP;
    }
    memset(bt->visited, 0, words * sizeof *bt->visited);
    uint32_t slot_count = slots_of(re, cap);
    for (size_t at = from; at <= to; at++) {
        for (uint32_t i = 0; i < slot_count; i++) bt->slots[i] = SIZE_MAX;
        bt->depth = 0;
        if (!backtrack_push(bt, scratch->arena,
                            (struct backtrack_job){.inst = re->forward.start, .value = at}))
            return REGEX_GIVE_UP;
        enum regex_verdict verdict =
            backtrack_try(re, bt, scratch->arena, text, from, to, slot_count);
        if (verdict == REGEX_YES) groups_fill(bt->slots, slot_count, groups, cap);
        if (verdict != REGEX_NO || anchored) return verdict;
    }
    return REGEX_NO;
}

/* ---- search ---------------------------------------------------------------------------------------- */

/* Finds by threads alone, when the automaton gave up. */
static bool find_slowly(const struct regex *re, struct regex_scratch *scratch, rf_str text,
                        size_t from, struct regex_group *groups, size_t cap, bool *no_memory)
{
    enum regex_verdict verdict =
        regex_pike_run(re, scratch, text, from, text.len, re->anchored_start, groups, cap);
    if (verdict == REGEX_GIVE_UP && no_memory != NULL) *no_memory = true;
    return verdict == REGEX_YES;
}

static bool ruled_out(const struct regex *re, rf_str text, size_t from)
{
    if (re->never || (re->anchored_start && from > 0)) return true;
    /* Only for the first search of a text: later ones would read the rest of it again and again. */
    return from == 0 && re->required != NULL &&
           term_finder_next(re->required, text, 0, NULL) == SIZE_MAX;
}

bool regex_match(const struct regex *re, struct regex_scratch *scratch, rf_str text,
                 bool *no_memory)
{
    size_t place;
    if (ruled_out(re, text, 0)) return false;
    enum regex_verdict verdict =
        regex_dfa_run(re, scratch, text, 0, text.len, false, re->anchored_start, true, &place);
    if (verdict == REGEX_GIVE_UP) return find_slowly(re, scratch, text, 0, NULL, 0, no_memory);
    return verdict == REGEX_YES;
}

/* Tries the places where a match may start, one after the other. GIVE_UP when these are many and each goes far: the automaton
 * then needs less, as it reads each byte once. */
static enum regex_verdict find_by_prefix(const struct regex *re, rf_str text, size_t from,
                                         struct regex_group *groups, size_t cap)
{
    size_t steps = 0, steps_max = 4 * (text.len - from) + 256;
    for (size_t at = from; (at = term_finder_next(re->prefix, text, at, NULL)) != SIZE_MAX; at++) {
        if (regex_onepass_match(re, text, at, &steps, groups, cap)) return REGEX_YES;
        if (steps > steps_max) return REGEX_GIVE_UP;
    }
    return REGEX_NO;
}

bool regex_find(const struct regex *re, struct regex_scratch *scratch, rf_str text, size_t from,
                struct regex_group *groups, size_t cap, bool *no_memory)
{
    size_t start = 0, end = 0;
    if (from > text.len || ruled_out(re, text, from)) return false;
    if (cap > 0 && re->onepass != NULL && re->prefix != NULL && !re->anchored_start) {
        enum regex_verdict found = find_by_prefix(re, text, from, groups, cap);
        if (found != REGEX_GIVE_UP) return found == REGEX_YES;
    }
    enum regex_verdict verdict =
        regex_dfa_run(re, scratch, text, from, text.len, false, re->anchored_start, cap == 0, &end);
    if (verdict == REGEX_NO) return false;
    if (verdict == REGEX_YES && cap == 0) return true;
    if (verdict == REGEX_YES && !re->anchored_start)
        verdict = regex_dfa_run(re, scratch, text, from, end, true, true, false, &start);
    /* The two programs agree on where matches are, so NO cannot come here; the threads decide. */
    if (verdict != REGEX_YES) return find_slowly(re, scratch, text, from, groups, cap, no_memory);
    if (cap > 1 && re->onepass != NULL && regex_onepass_run(re, text, start, end, groups, cap))
        return true;
    if (cap > 1 && re->capture_count > 0) {
        verdict = regex_backtrack_fits(re, end - start)
                      ? regex_backtrack_run(re, scratch, text, start, end, true, groups, cap)
                      : regex_pike_run(re, scratch, text, start, end, true, groups, cap);
        if (verdict == REGEX_YES) return true;
        return find_slowly(re, scratch, text, from, groups, cap, no_memory);
    }
    for (size_t i = 1; i < cap; i++) groups[i] = (struct regex_group){SIZE_MAX, SIZE_MAX};
    groups[0] = (struct regex_group){start, end};
    return true;
}
