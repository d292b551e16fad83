/* The literals that a rule cannot match without. */
#include <math.h>

#include "sigma/match_int.h"

enum { NEEDED_MAX = 2000 };

/* Bytes that say little, as they stand in most values of their kind. */
static size_t common_bytes(rf_str text)
{
    static const char *const common[] = {"\\windows\\",   "\\system32\\",  "\\syswow64\\",
                                         "c:\\",          ".exe",          ".dll",
                                         "\\software\\",  "\\microsoft\\", "\\currentversion\\",
                                         "program files", "\\users\\",     "\\appdata\\",
                                         "\\local\\",     "hklm\\",        "svchost",
                                         "://",           "amazonaws.com"};
    size_t bytes = 0;
    for (size_t i = 0; i < RF_COUNT(common); i++) {
        rf_str word = rf_str_of(common[i]);
        for (size_t at = 0; at + word.len <= text.len; at++)
            if (rf_str_eq_nocase(rf_slice(text, at, at + word.len), word)) {
                bytes += word.len;
                at += word.len - 1;
            }
    }
    return bytes;
}

/* An estimate of how often the literal occurs: each byte that says something halves it. */
static double score_of(rf_str text)
{
    size_t common = RF_MIN(common_bytes(text), text.len), rare = text.len - common;
    return exp2(-(double)RF_MIN(rare, (size_t)40)) * 0.5 + exp2(-(double)text.len * 0.5) * 1e-3;
}

/* Bytes that JSON writes as they are: what is looked for in a line as it stands must be made of them. */
static bool is_plain(uint8_t c) { return c >= ' ' && c < 0x7f && strchr("\"\\/<>&'+", c) == NULL; }

/* The best run of such bytes. */
static rf_str plain_run(rf_str text)
{
    rf_str best = {NULL, 0};
    for (size_t from = 0; from < text.len;) {
        size_t to = from;
        while (to < text.len && is_plain(text.ptr[to])) to++;
        rf_str run = rf_slice(text, from, to);
        if (run.len > 0 && (best.len == 0 || score_of(run) < score_of(best))) best = run;
        from = to + 1;
    }
    return best;
}

/* Takes the text instead of what is known so far, when it is likely to be rarer. */
static void offer(struct match_atom *a, rf_str text, bool nocase)
{
    if (a->slot == MATCH_NO_SLOT) text = plain_run(text);
    double score = score_of(text);
    if (text.len == 0 || (a->needed.len > 0 && score >= a->needed_score)) return;
    a->needed = text;
    a->needed_nocase = nocase;
    a->needed_score = score;
}

void match_atom_needed(struct match_atom *a)
{
    if (a->atom->test == SIGMA_MATCHES) {
        const struct sigma_pattern *p = &a->atom->pattern;
        for (uint32_t i = 0; i < p->count; i++) offer(a, p->pieces[i].text, !p->cased);
    } else if (a->atom->test == SIGMA_REGEX) {
        size_t count;
        const struct regex_literal *literals = regex_literals(a->atom->re, &count);
        for (size_t i = 0; i < count; i++) offer(a, literals[i].text, literals[i].nocase);
    }
}

static bool of_atom(const struct match_atom *a, struct rf_arena *arena, struct needed_set *out)
{
    if (a->needed.len == 0) return true;
    struct needed *needed = rf_arena_new(arena, struct needed, 1);
    if (needed == NULL) return false;
    *needed = (struct needed){.slot = a->slot, .text = a->needed, .nocase = a->needed_nocase};
    *out = (struct needed_set){.first = needed, .score = a->needed_score, .count = 1};
    return true;
}

/* The depth of conditions is bounded, so the recursion is. */
bool match_needed(const struct matcher *m, const struct match_node *node, struct rf_arena *arena,
                  struct needed_set *out)
{
    *out = (struct needed_set){.first = NULL};
    if (node->op == SIGMA_NOT) return true;
    if (node->op == SIGMA_ATOM) return of_atom(&m->atoms[node->atom], arena, out);
    struct needed_set all = {.first = NULL};
    bool none = false;
    for (const struct match_node *child = node->first; child != NULL; child = child->next) {
        struct needed_set set;
        if (!match_needed(m, child, arena, &set)) return false;
        if (node->op == SIGMA_AND) {
            if (set.first != NULL && (out->first == NULL || set.score < out->score)) *out = set;
            continue;
        }
        none = none || set.first == NULL;
        if (none) continue;
        struct needed *last = set.first;
        while (last->next != NULL) last = last->next;
        last->next = all.first;
        all = (struct needed_set){set.first, all.score + set.score, all.count + set.count};
        none = all.count > NEEDED_MAX;
    }
    if (node->op == SIGMA_OR && !none) *out = all;
    return true;
}
