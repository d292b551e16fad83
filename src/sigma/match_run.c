/* Running: atoms of an event, candidates, results. */
#include "sigma/match_int.h"
#include "value/text.h"

enum { CLASS_ARENA_BYTES_MAX = 1 << 30, CLASS_SLOTS = 2 * MATCH_CLASSES_MAX };

/* ---- atoms ------------------------------------------------------------------------------------------------------------ */

static struct regex_scratch *scratch_of(struct match_run *run, const struct match_atom *a)
{
    return a->scratch == MATCH_NO_SLOT ? NULL : &run->scratches[a->scratch];
}

static bool in_network(const struct match_atom *a, rf_str text)
{
    struct ip6 ip;
    return ip6_parse(rf_str_trim(text), &ip) && ip6_cmp(&a->network.from, &ip) <= 0 &&
           ip6_cmp(&ip, &a->network.to) <= 0;
}

static bool take_part(enum sigma_part part, rf_str text, double *out)
{
    int64_t ticks;
    int year, month, day;
    if (!text_to_datetime(text, &ticks)) return false;
    date_from_ticks(ticks, &year, &month, &day);
    int64_t minutes = ticks % TICKS_PER_DAY / (TICKS_PER_SECOND * 60), week;
    switch (part) {
    case SIGMA_MINUTE:
        minutes %= 60;
        *out = (double)minutes;
        return true;
    case SIGMA_HOUR:
        minutes /= 60;
        *out = (double)minutes;
        return true;
    case SIGMA_DAY:
        *out = day;
        return true;
    case SIGMA_MONTH:
        *out = month;
        return true;
    case SIGMA_YEAR:
        *out = year;
        return true;
    default: {
        /* ISO 8601: the week of the Thursday; the year 1 began on a Monday. */
        int64_t days = ticks / TICKS_PER_DAY, thursday = days - days % 7 + 3, first;
        date_from_ticks(thursday * TICKS_PER_DAY, &year, &month, &day);
        if (!date_to_ticks(year, 1, 1, &first)) return false;
        week = (thursday - first / TICKS_PER_DAY) / 7 + 1;
        *out = (double)week;
        return true;
    }
    }
}

static bool compares(const struct match_atom *a, rf_str text)
{
    double number, limit = a->atom->number;
    bool is = a->atom->part == SIGMA_NO_PART ? text_to_real(text, &number)
                                             : take_part(a->atom->part, text, &number);
    if (!is) return false;
    switch (a->atom->test) {
    case SIGMA_LESS:
        return number < limit;
    case SIGMA_LESS_EQUAL:
        return number <= limit;
    case SIGMA_GREATER:
        return number > limit;
    case SIGMA_GREATER_EQUAL:
        return number >= limit;
    default:
        return number == limit;
    }
}

static bool contains_text(struct match_run *run, const struct sigma_atom *a, rf_str text,
                          rf_str other)
{
    struct term_finder finder;
    if (a->anchor == SIGMA_WHOLE)
        return a->cased ? rf_str_eq(text, other) : term_equal_nocase(text, other);
    if (!term_finder_init(&finder, other, !a->cased, &run->reader->scratch)) {
        run->reader->failed = true;
        return false;
    }
    if (a->anchor == SIGMA_STARTS) return term_finder_starts(&finder, text);
    if (a->anchor == SIGMA_ENDS) return term_finder_ends(&finder, text);
    return term_finder_next(&finder, text, 0, NULL) != SIZE_MAX;
}

static bool same_field(struct match_run *run, const struct match_atom *a, rf_str text)
{
    const struct sigma_value *other = event_value(run->reader, a->other);
    for (; other != NULL; other = other->more)
        if (other->kind == VALUE_TEXT && contains_text(run, a->atom, text, other->text))
            return true;
    return false;
}

static bool text_holds(struct match_run *run, const struct match_atom *a, rf_str text)
{
    switch (a->atom->test) {
    case SIGMA_MATCHES:
        return pattern_matches(&a->pattern, scratch_of(run, a), text);
    case SIGMA_REGEX:
        return regex_match(a->atom->re, scratch_of(run, a), text, NULL);
    case SIGMA_CIDR:
        return in_network(a, text);
    case SIGMA_FIELD:
        return same_field(run, a, text);
    default:
        return compares(a, text);
    }
}

struct keyword {
    struct match_run *run;
    const struct match_atom *atom;
};
static bool visit_keyword(void *ctx, rf_str text)
{
    struct keyword *k = ctx;
    return text_holds(k->run, k->atom, text);
}

static bool work_out(struct match_run *run, const struct match_atom *a)
{
    if (a->slot == MATCH_NO_SLOT) {
        struct keyword keyword = {run, a};
        return event_each_text(run->reader, visit_keyword, &keyword);
    }
    const struct sigma_value *value = event_value(run->reader, a->slot);
    if (a->atom->test == SIGMA_IS_NULL) return value->kind != VALUE_TEXT;
    if (a->atom->test == SIGMA_EXISTS) return value->kind != VALUE_MISSING;
    for (; value != NULL; value = value->more)
        if (value->kind == VALUE_TEXT && text_holds(run, a, value->text)) return true;
    return false;
}

bool match_atom_holds(struct match_run *run, uint32_t number)
{
    uint64_t memo = run->memo[number];
    if (memo >> 1 == run->stamp) return memo & 1;
    bool holds = work_out(run, &run->matcher->atoms[number]);
    run->stats.evaluated_atoms++;
    run->memo[number] = run->stamp << 1 | holds;
    return holds;
}

/* The depth of conditions is bounded, so the recursion is. */
static bool node_holds(struct match_run *run, const struct match_node *node)
{
    if (node->op == SIGMA_ATOM) return match_atom_holds(run, node->atom);
    if (node->op == SIGMA_NOT) return !node_holds(run, node->first);
    bool all = node->op == SIGMA_AND;
    for (const struct match_node *child = node->first; child != NULL; child = child->next)
        if (node_holds(run, child) != all) return !all;
    return all;
}

/* ---- an event ------------------------------------------------------------------------------------------------------------ */

static void try_rule(struct match_run *run, struct match_class *c, uint32_t index)
{
    if (index == c->rule_count || c->seen[index] == run->stamp) return;
    c->seen[index] = run->stamp;
    const struct class_rule *rule = &c->rules[index];
    run->stats.candidates++;
    if (rule->rest == NULL || node_holds(run, rule->rest))
        run->found[run->found_count++] = rule->number;
}

static bool visit_search(void *ctx, rf_str text)
{
    struct class_field *field = ctx;
    literal_set_find(field->set, text, &field->hits);
    return false;
}

static void search_field(struct match_run *run, struct match_class *c, struct class_field *field)
{
    if (field->slot == MATCH_NO_SLOT) {
        literal_set_find(field->set, event_text(run->reader), &field->hits);
        if (literal_hits_has(&field->hits, c->rule_count))
            (void)event_each_text(run->reader, visit_search, field);
    } else {
        const struct sigma_value *value = event_value(run->reader, field->slot);
        for (; value != NULL; value = value->more)
            if (value->kind == VALUE_TEXT) literal_set_find(field->set, value->text, &field->hits);
    }
    for (uint32_t i = 0; i < field->hits.count; i++) try_rule(run, c, field->hits.numbers[i]);
    literal_hits_reset(&field->hits);
}

enum rf_kind match_event(struct match_run *run, struct event_reader *reader,
                         const uint32_t **numbers, uint32_t *count, struct rf_err *err)
{
    struct match_class *c;
    run->reader = reader;
    run->stamp++;
    run->found_count = 0;
    run->stats.events++;
    RF_TRY(match_class_find(run, &c, err));
    for (uint32_t i = 0; i < c->field_count; i++) search_field(run, c, &c->fields[i]);
    for (uint32_t i = 0; i < c->always_count; i++) try_rule(run, c, c->always[i]);
    if (event_failed(reader)) return rf_fail_memory(err, &reader->scratch);
    run->stats.matches += run->found_count;
    *numbers = run->found;
    *count = run->found_count;
    return RF_OK;
}

enum rf_kind match_run_new(const struct matcher *m, struct rf_arena *arena, struct match_run **out,
                           struct rf_err *err)
{
    struct match_run *run = rf_arena_new(arena, struct match_run, 1);
    if (run == NULL) return rf_fail_memory(err, arena);
    *run =
        (struct match_run){.matcher = m,
                           .arena = arena,
                           .class_cap = CLASS_SLOTS,
                           .classes = rf_arena_new(arena, struct match_class *, CLASS_SLOTS),
                           .scratches = rf_arena_new(arena, struct regex_scratch, m->scratch_count),
                           .memo = rf_arena_new(arena, uint64_t, m->atom_count),
                           .found = rf_arena_new(arena, uint32_t, m->rule_count)};
    if (run->classes == NULL || run->scratches == NULL || run->memo == NULL || run->found == NULL)
        return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < m->scratch_count; i++) regex_scratch_init(&run->scratches[i], arena);
    rf_arena_init(&run->class_arena, CLASS_ARENA_BYTES_MAX);
    *out = run;
    return RF_OK;
}

void match_run_done(struct match_run *run)
{
    if (run != NULL) rf_arena_done(&run->class_arena);
}

struct match_stats match_run_stats(const struct match_run *run) { return run->stats; }
