#include "sigma/correlate.h"

#include <stdlib.h>

#include "value/text.h"

enum { GROUP_MARK = 0x1f };

/* One event that takes part. */
struct entry {
    uint32_t key;   /* number of its group */
    uint32_t rule;  /* position in the correlation's rules */
    uint32_t value; /* number of its value, where values are counted */
    rf_usec time;
    double number;
    uint64_t line;
};

/* Texts to numbers from 0 on. */
struct texts {
    rf_str *items;
    uint32_t *slots; /* number + 1; open addressing */
    uint32_t count, cap;
};

struct state {
    const struct sigma_rule *rule;
    const struct sigma_correlation *correlation;
    uint32_t *
        group_slots; /* [rule of the correlation * group_count + group]: UINT32_MAX for correlations */
    uint32_t *value_slots; /* [rule * value_count + value] */
    struct texts keys, values;
    struct entry *entries;
    uint32_t count, cap;
    bool done;
};

/* Who wants the matches of a rule. */
struct wanted {
    uint32_t state, position;
    struct wanted *next;
};

struct correlator {
    const struct sigma_set *set;
    struct rf_arena *arena;
    struct state *states;
    uint32_t state_count;
    struct wanted **wanted; /* by rule number */
    enum rf_kind (*fired)(void *ctx, uint32_t rule, uint64_t line, struct rf_err *err);
    void *ctx;
};

/* ---- texts ---------------------------------------------------------------------------------------------------------- */

static bool texts_grow(struct texts *t, struct rf_arena *arena)
{
    uint32_t cap = t->cap == 0 ? 64 : t->cap * 2;
    rf_str *items = rf_arena_grow(arena, t->items, t->cap * sizeof *items, cap * sizeof *items);
    uint32_t *slots = rf_arena_new(arena, uint32_t, 2 * (size_t)cap);
    if (items == NULL || slots == NULL) return false;
    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t at = (uint32_t)rf_hash(items[i].ptr, items[i].len, 0) & (2 * cap - 1);
        while (slots[at] != 0) at = (at + 1) & (2 * cap - 1);
        slots[at] = i + 1;
    }
    t->items = items;
    t->slots = slots;
    t->cap = cap;
    return true;
}

static bool texts_add(struct texts *t, rf_str text, struct rf_arena *arena, uint32_t *out)
{
    if (t->count == t->cap && !texts_grow(t, arena)) return false;
    uint32_t mask = 2 * t->cap - 1, at = (uint32_t)rf_hash(text.ptr, text.len, 0) & mask;
    for (; t->slots[at] != 0; at = (at + 1) & mask)
        if (rf_str_eq(t->items[t->slots[at] - 1], text)) {
            *out = t->slots[at] - 1;
            return true;
        }
    if (!rf_arena_str(arena, text, &t->items[t->count])) return false;
    t->slots[at] = t->count + 1;
    *out = t->count++;
    return true;
}

/* ---- making ------------------------------------------------------------------------------------------------------------ */

enum rf_kind correlator_add_fields(const struct sigma_set *set, struct matcher *matcher,
                                   struct rf_err *err)
{
    for (uint32_t i = 0; i < set->rule_count; i++) {
        const struct sigma_correlation *c = set->rules[i]->correlation;
        if (c == NULL || set->rules[i]->failed) continue;
        bool fine = true;
        for (uint32_t g = 0; g < c->group_count; g++)
            for (uint32_t r = 0; r < c->rule_count; r++)
                fine = fine && matcher_slot(matcher, c->groups[g].fields[r]) != UINT32_MAX;
        for (uint32_t v = 0; v < c->value_count; v++)
            fine = fine && matcher_slot(matcher, c->values[v]) != UINT32_MAX;
        if (!fine) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for fields");
    }
    return RF_OK;
}

static enum rf_kind init_state(struct correlator *c, struct state *s, const struct sigma_rule *rule,
                               struct matcher *matcher, struct rf_err *err)
{
    const struct sigma_correlation *k = rule->correlation;
    *s = (struct state){.rule = rule, .correlation = k};
    s->group_slots = rf_arena_new(c->arena, uint32_t, (size_t)k->rule_count * k->group_count);
    s->value_slots = rf_arena_new(c->arena, uint32_t, (size_t)k->rule_count * k->value_count);
    if (s->group_slots == NULL || s->value_slots == NULL) return rf_fail_memory(err, c->arena);
    for (uint32_t r = 0; r < k->rule_count; r++) {
        struct wanted *w = rf_arena_new(c->arena, struct wanted, 1);
        if (w == NULL) return rf_fail_memory(err, c->arena);
        *w = (struct wanted){c->state_count, r, c->wanted[k->rules[r]->number]};
        c->wanted[k->rules[r]->number] = w;
        for (uint32_t g = 0; g < k->group_count; g++)
            s->group_slots[r * k->group_count + g] = matcher_slot(matcher, k->groups[g].fields[r]);
        for (uint32_t v = 0; v < k->value_count; v++)
            s->value_slots[r * k->value_count + v] = matcher_slot(matcher, k->values[v]);
    }
    return RF_OK;
}

enum rf_kind correlator_new(const struct sigma_set *set, struct matcher *matcher,
                            struct rf_arena *arena, struct correlator **out, struct rf_err *err)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->rule_count; i++)
        count += set->rules[i]->correlation != NULL && !set->rules[i]->failed;
    *out = NULL;
    if (count == 0) return RF_OK;
    struct correlator *c = rf_arena_new(arena, struct correlator, 1);
    if (c == NULL) return rf_fail_memory(err, arena);
    *c = (struct correlator){.set = set,
                             .arena = arena,
                             .states = rf_arena_new(arena, struct state, count),
                             .wanted = rf_arena_new(arena, struct wanted *, set->rule_count)};
    if (c->states == NULL || c->wanted == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < set->rule_count; i++) {
        if (set->rules[i]->correlation == NULL || set->rules[i]->failed) continue;
        RF_TRY(init_state(c, &c->states[c->state_count], set->rules[i], matcher, err));
        c->state_count++;
    }
    *out = c;
    return RF_OK;
}

/* ---- collecting ---------------------------------------------------------------------------------------------------------- */

static bool wants_number(enum sigma_correlation_type type)
{
    return type == SIGMA_VALUE_SUM || type == SIGMA_VALUE_AVG || type == SIGMA_VALUE_PERCENTILE;
}

/* Joins texts; false, with *failed unset, when one is missing or empty. */
static bool join_texts(struct rf_buf *buf, const rf_str *texts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (texts[i].len == 0) return false;
        if (i > 0) rf_buf_byte(buf, GROUP_MARK);
        rf_buf_str(buf, texts[i]);
    }
    return true;
}

static enum rf_kind add_entry(struct correlator *c, struct state *s, const struct entry *like,
                              const rf_str *groups, const rf_str *values, struct rf_err *err)
{
    const struct sigma_correlation *k = s->correlation;
    struct entry entry = *like;
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init(&scratch, 256 << 20);
    struct rf_buf key = rf_buf_in(&scratch), value = rf_buf_in(&scratch);
    if (!join_texts(&key, groups, k->group_count)) return RF_OK;
    if (!join_texts(&value, values, k->value_count)) return RF_OK;
    if (wants_number(k->type) && !text_to_real(rf_buf_view(&value), &entry.number)) return RF_OK;
    if (key.failed || value.failed) return rf_fail_memory(err, &scratch);
    if (s->count == s->cap) {
        uint32_t cap = s->cap == 0 ? 256 : s->cap * 2;
        struct entry *grown =
            rf_arena_grow(c->arena, s->entries, s->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return rf_fail_memory(err, c->arena);
        s->entries = grown;
        s->cap = cap;
    }
    if (!texts_add(&s->keys, rf_buf_view(&key), c->arena, &entry.key) ||
        !texts_add(&s->values, rf_buf_view(&value), c->arena, &entry.value))
        return rf_fail_memory(err, c->arena);
    s->entries[s->count++] = entry;
    return RF_OK;
}

static enum rf_kind add_event(struct correlator *c, const struct wanted *w,
                              struct event_reader *reader, rf_usec time, struct rf_err *err)
{
    struct state *s = &c->states[w->state];
    const struct sigma_correlation *k = s->correlation;
    rf_str groups[SIGMA_GROUP_FIELDS_MAX], values[SIGMA_GROUP_FIELDS_MAX];
    for (uint32_t g = 0; g < k->group_count; g++)
        groups[g] = event_value(reader, s->group_slots[w->position * k->group_count + g])->text;
    for (uint32_t v = 0; v < k->value_count; v++)
        values[v] = event_value(reader, s->value_slots[w->position * k->value_count + v])->text;
    struct entry entry = {.rule = w->position, .time = time, .line = event_line(reader)};
    return add_entry(c, s, &entry, groups, values, err);
}

enum rf_kind correlator_add(struct correlator *c, struct event_reader *reader,
                            const uint32_t *numbers, uint32_t count, uint64_t *without_time,
                            struct rf_err *err)
{
    rf_usec time = 0;
    bool asked = false, has_time = false;
    for (uint32_t i = 0; i < count; i++)
        for (const struct wanted *w = c->wanted[numbers[i]]; w != NULL; w = w->next) {
            if (!asked) has_time = event_time(reader, &time);
            if (!asked && !has_time) ++*without_time;
            asked = true;
            if (has_time) RF_TRY(add_event(c, w, reader, time, err));
        }
    return event_failed(reader) ? rf_fail_memory(err, c->arena) : RF_OK;
}

/* ---- windows --------------------------------------------------------------------------------------------------------------- */

static int order(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    if (a->time != b->time) return a->time < b->time ? -1 : 1;
    if (a->rule != b->rule) return a->rule < b->rule ? -1 : 1;
    return a->line < b->line ? -1 : a->line > b->line;
}

static int order_numbers(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* What a window holds while it moves along a group. */
struct window {
    const struct sigma_correlation *k;
    const struct entry *entries;
    uint32_t from, to; /* entries in the window */
    uint32_t *counts;  /* of each value, or of each rule */
    uint32_t distinct; /* counts that are not 0 */
    long double sum;
    double *numbers; /* room for those of a window */
    rf_usec *starts; /* ordered: when the latest run of rules up to here began; -1: none */
    bool completed;  /* ordered: the last rule ends a run that is short enough */
};

static uint32_t counted(const struct window *w, const struct entry *e)
{
    return w->k->type == SIGMA_VALUE_COUNT ? e->value : e->rule;
}

static void enter(struct window *w, const struct entry *e)
{
    w->distinct += w->counts[counted(w, e)]++ == 0;
    w->sum += e->number;
    if (w->k->type != SIGMA_TEMPORAL_ORDERED) return;
    if (e->rule > 0 && w->starts[e->rule - 1] == INT64_MIN) return;
    w->starts[e->rule] = e->rule == 0 ? e->time : w->starts[e->rule - 1];
    if (e->rule + 1 == w->k->rule_count)
        w->completed = w->completed || e->time - w->starts[e->rule] <= w->k->timespan_usec;
}

static void leave(struct window *w, const struct entry *e)
{
    w->distinct -= --w->counts[counted(w, e)] == 0;
    w->sum -= e->number;
}

/* Nearest rank: the least value that at least so many percent are not above. */
static double percentile(const struct window *w)
{
    uint32_t count = w->to - w->from;
    for (uint32_t i = 0; i < count; i++) w->numbers[i] = w->entries[w->from + i].number;
    qsort(w->numbers, count, sizeof *w->numbers, order_numbers);
    double rank = w->k->percentile / 100 * count;
    uint32_t at = (uint32_t)rank;
    if ((double)at < rank) at++;
    return w->numbers[at == 0 ? 0 : at - 1];
}

static bool meets(const struct window *w)
{
    uint32_t count = w->to - w->from;
    switch (w->k->type) {
    case SIGMA_EVENT_COUNT:
        return sigma_limits_hold(w->k, count);
    case SIGMA_VALUE_COUNT:
        return sigma_limits_hold(w->k, w->distinct);
    case SIGMA_TEMPORAL:
        return w->k->limit_count > 0 ? sigma_limits_hold(w->k, w->distinct)
                                     : w->distinct == w->k->rule_count;
    case SIGMA_TEMPORAL_ORDERED:
        return w->completed;
    case SIGMA_VALUE_SUM:
        return sigma_limits_hold(w->k, (double)w->sum);
    case SIGMA_VALUE_AVG:
        return sigma_limits_hold(w->k, (double)(w->sum / count));
    default:
        return sigma_limits_hold(w->k, percentile(w));
    }
}

/* ---- firing ------------------------------------------------------------------------------------------------------------------ */

/* The value of a group-by field of a correlation that fired, by the name that the outer correlation calls it. */
static rf_str group_value(const struct state *inner, uint32_t key, rf_str name)
{
    const struct sigma_correlation *k = inner->correlation;
    rf_str rest = inner->keys.items[key];
    for (uint32_t g = 0; g < k->group_count; g++) {
        static const uint8_t mark = GROUP_MARK;
        size_t end =
            g + 1 == k->group_count ? SIZE_MAX : rf_str_find(rest, rf_str_make(&mark, 1), 0);
        size_t to = end == SIZE_MAX ? rest.len : end;
        if (rf_str_eq(k->groups[g].name, name)) return rf_slice(rest, 0, to);
        rest = rf_slice(rest, RF_MIN(to + 1, rest.len), rest.len);
    }
    return (rf_str){NULL, 0};
}

static enum rf_kind fire(struct correlator *c, const struct state *s, const struct entry *e,
                         struct rf_err *err)
{
    RF_TRY(c->fired(c->ctx, s->rule->number, e->line, err));
    for (const struct wanted *w = c->wanted[s->rule->number]; w != NULL; w = w->next) {
        struct state *outer = &c->states[w->state];
        const struct sigma_correlation *k = outer->correlation;
        rf_str groups[SIGMA_GROUP_FIELDS_MAX], values[SIGMA_GROUP_FIELDS_MAX];
        for (uint32_t g = 0; g < k->group_count; g++)
            groups[g] = group_value(s, e->key, k->groups[g].fields[w->position]);
        for (uint32_t v = 0; v < k->value_count; v++)
            values[v] = group_value(s, e->key, k->values[v]);
        struct entry entry = {.rule = w->position, .time = e->time, .line = e->line};
        RF_TRY(add_entry(c, outer, &entry, groups, values, err));
    }
    return RF_OK;
}

static void reset(struct window *w, uint32_t at)
{
    while (w->from < w->to) leave(w, &w->entries[w->from++]);
    w->from = w->to = at;
    w->sum = 0;
    for (uint32_t i = 0; i < w->k->rule_count; i++) w->starts[i] = INT64_MIN;
}

static enum rf_kind sweep(struct correlator *c, struct state *s, struct window *w,
                          struct rf_err *err)
{
    const struct entry *all = s->entries;
    bool before_met = false;
    rf_usec before = 0;
    for (uint32_t at = 0; at < s->count;) {
        const struct entry *first = &all[at];
        bool same = at > 0 && all[at - 1].key == first->key;
        if (!same) reset(w, at);
        w->completed = false;
        for (; at < s->count && all[at].key == first->key && all[at].time == first->time; at++)
            enter(w, &all[at]);
        w->to = at;
        while (first->time - all[w->from].time > w->k->timespan_usec) leave(w, &all[w->from++]);
        bool met = meets(w);
        bool goes_on = same && before_met && first->time - before <= w->k->timespan_usec;
        if (met && !goes_on) {
            const struct entry *last = &all[at - 1];
            for (const struct entry *e = first; e < &all[at]; e++)
                if (e->line > last->line) last = e;
            RF_TRY(fire(c, s, last, err));
        }
        before_met = met;
        before = first->time;
    }
    return RF_OK;
}

/* Those that it is made of come first. Chains are bounded, so the recursion is. */
static enum rf_kind finish(struct correlator *c, struct state *s, struct rf_err *err)
{
    if (s->done) return RF_OK;
    s->done = true;
    for (uint32_t r = 0; r < s->correlation->rule_count; r++)
        for (uint32_t i = 0; i < c->state_count; i++)
            if (c->states[i].rule == s->correlation->rules[r])
                RF_TRY(finish(c, &c->states[i], err));
    if (s->count == 0) return RF_OK;
    qsort(s->entries, s->count, sizeof *s->entries, order);
    struct window w = {.k = s->correlation, .entries = s->entries};
    size_t counts = RF_MAX(s->values.count, s->correlation->rule_count);
    w.counts = rf_arena_new(c->arena, uint32_t, counts);
    w.numbers = rf_arena_new(c->arena, double, s->count);
    w.starts = rf_arena_new(c->arena, rf_usec, s->correlation->rule_count);
    if (w.counts == NULL || w.numbers == NULL || w.starts == NULL)
        return rf_fail_memory(err, c->arena);
    return sweep(c, s, &w, err);
}

enum rf_kind correlator_finish(struct correlator *c,
                               enum rf_kind (*fired)(void *ctx, uint32_t rule, uint64_t line,
                                                     struct rf_err *err),
                               void *ctx, struct rf_err *err)
{
    c->fired = fired;
    c->ctx = ctx;
    for (uint32_t i = 0; i < c->state_count; i++) RF_TRY(finish(c, &c->states[i], err));
    return RF_OK;
}
