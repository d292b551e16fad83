#include "lab/coverage.h"

#include <stdlib.h>

/* A rule over all tests. */
struct seen {
    const struct lab_rule *rule;
    uint32_t tests;
    uint64_t alerts;
    const struct lab_rule_use *use; /* of the last test that bound it, or of the last */
};

struct coverage {
    struct rf_arena *arena;
    const struct lab_result *results;
    uint32_t result_count;
    struct seen *rules;
    uint32_t rule_count, rule_cap;
};

/* ---- collecting --------------------------------------------------------------------------------------------------------- */

static struct seen *seen_of(struct coverage *c, const struct lab_rule *rule)
{
    for (uint32_t i = 0; i < c->rule_count; i++)
        if (strcmp(c->rules[i].rule->path, rule->path) == 0) return &c->rules[i];
    if (c->rule_count == c->rule_cap) {
        uint32_t cap = RF_MAX(c->rule_cap * 2, 64u);
        struct seen *rules =
            rf_arena_grow(c->arena, c->rules, c->rule_cap * sizeof *rules, cap * sizeof *rules);
        if (rules == NULL) return NULL;
        c->rules = rules;
        c->rule_cap = cap;
    }
    struct seen *seen = &c->rules[c->rule_count++];
    *seen = (struct seen){.rule = rule};
    return seen;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct seen *)a)->rule->path, ((const struct seen *)b)->rule->path);
}

static bool collect(struct coverage *c, const struct lab_rules *rules)
{
    for (uint32_t i = 0; rules != NULL && i < rules->count; i++)
        if (seen_of(c, &rules->items[i]) == NULL) return false;
    for (uint32_t r = 0; r < c->result_count; r++)
        for (uint32_t u = 0; u < c->results[r].rule_count; u++) {
            const struct lab_rule_use *use = &c->results[r].rules[u];
            struct seen *seen = seen_of(c, use->rule);
            if (seen == NULL) return false;
            seen->tests++;
            seen->alerts += use->alerts;
            if (seen->use == NULL || use->reads != NULL) seen->use = use;
        }
    if (c->rule_count > 0) qsort(c->rules, c->rule_count, sizeof *c->rules, by_path);
    return true;
}

/* ---- what it could see -------------------------------------------------------------------------------------------------- */

/* Whether a test that runs the rule has rows of the table, and a value in the column. */
static bool has_data(const struct coverage *c, const struct seen *seen, rf_str table,
                     const rf_str *column)
{
    for (uint32_t r = 0; r < c->result_count; r++) {
        const struct lab_result *result = &c->results[r];
        bool runs = false;
        for (uint32_t u = 0; u < result->rule_count; u++)
            runs |= strcmp(result->rules[u].rule->path, seen->rule->path) == 0;
        for (uint32_t d = 0; d < result->data_count && runs; d++) {
            const struct lab_table_data *data = &result->data[d];
            if (!rf_str_eq_nocase(data->table, table) || data->rows == 0) continue;
            if (column == NULL) return true;
            for (uint32_t i = 0; i < data->column_count; i++)
                if (rf_str_eq(data->columns[i], *column)) return true;
        }
    }
    return false;
}

/* The platform fills these in, or the engine writes the table. */
static bool comes_by_itself(rf_str table, rf_str column)
{
    return rf_str_is(column, "TimeGenerated") || rf_str_is(column, "TenantId") ||
           rf_str_is(column, "Type") || rf_str_is(table, "SecurityAlert") ||
           rf_str_is(table, "SecurityIncident");
}

/* What is missing; empty: nothing. *blind: so that the rule cannot fire. Of several tables one may do, as in a union, and a column
 * may be asked for beside others. */
static rf_str missing(const struct coverage *c, const struct seen *seen, bool *blind)
{
    struct rf_buf why = rf_buf_in(c->arena);
    uint32_t seen_tables = 0, empty_columns = 0;
    *blind = true;
    if (seen->use->reads == NULL) {
        rf_buf_printf(&why, "its query cannot be run: %.*s", RF_FMT(seen->use->problem));
        return rf_buf_view(&why);
    }
    for (uint32_t i = 0; i < seen->use->read_count; i++) {
        const struct lab_read *read = &seen->use->reads[i];
        bool rows = has_data(c, seen, read->table, NULL);
        uint32_t told = 0;
        seen_tables += rows || comes_by_itself(read->table, RF_S(""));
        if (!rows && !comes_by_itself(read->table, RF_S(""))) {
            rf_buf_printf(&why, "%sno rows of %.*s", why.len > 0 ? "; " : "", RF_FMT(read->table));
            continue;
        }
        for (uint32_t k = 0; k < read->column_count && rows; k++) {
            if (comes_by_itself(read->table, read->columns[k]) ||
                has_data(c, seen, read->table, &read->columns[k]))
                continue;
            empty_columns++;
            if (told++ == 0)
                rf_buf_printf(&why, "%sno value in %.*s: %.*s", why.len > 0 ? "; " : "",
                              RF_FMT(read->table), RF_FMT(read->columns[k]));
            else
                rf_buf_printf(&why, ", %.*s", RF_FMT(read->columns[k]));
        }
    }
    *blind = seen_tables == 0 || (seen->use->read_count == 1 && empty_columns > 0);
    return rf_buf_view(&why);
}

static const char *state_of(const struct coverage *c, const struct seen *seen, rf_str *why)
{
    *why = (rf_str){NULL, 0};
    if (seen->tests == 0) return "untested";
    if (seen->alerts > 0) return "fired";
    bool blind;
    *why = missing(c, seen, &blind);
    return blind ? "blind" : "silent";
}

static bool put_rule(const struct coverage *c, const struct seen *seen, struct json_node *out)
{
    struct rf_arena *arena = c->arena;
    struct json_node *rule = json_new(arena, JSON_T_OBJECT);
    rf_str why;
    const char *state = state_of(c, seen, &why);
    json_set_text(arena, rule, "rule", seen->rule->name);
    json_set_text(arena, rule, "title", seen->rule->rule.name);
    json_set_text(arena, rule, "path", rf_str_of(seen->rule->path));
    json_set_i64(arena, rule, "tests", seen->tests);
    json_set_i64(arena, rule, "alerts", (int64_t)seen->alerts);
    json_set_text(arena, rule, "state", rf_str_of(state));
    if (why.len > 0) json_set_text(arena, rule, "why", why);
    return json_append(out, rule) != NULL;
}

/* ---- techniques ----------------------------------------------------------------------------------------------------------- */

static bool has_text(const struct json_node *list, rf_str text)
{
    for (const struct json_node *n = list->first; n != NULL; n = n->next)
        if (rf_str_eq(n->text, text)) return true;
    return false;
}

static struct json_node *technique_of(struct rf_arena *arena, struct json_node *list, rf_str id)
{
    for (struct json_node *t = list->first; t != NULL; t = t->next)
        if (rf_str_eq(json_text_at(t, "technique"), id)) return t;
    struct json_node *made = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, made, "technique", id);
    json_set(arena, made, RF_S("tactics"), json_new(arena, JSON_T_ARRAY));
    json_set_i64(arena, made, "rules", 0);
    json_set_i64(arena, made, "tested", 0);
    json_set_i64(arena, made, "fired", 0);
    return json_append(list, made);
}

static void count_up(struct rf_arena *arena, struct json_node *object, const char *name)
{
    int64_t n = 0;
    (void)json_i64_at(object, name, &n);
    json_set_i64(arena, object, name, n + 1);
}

static bool put_technique(const struct coverage *c, const struct seen *seen, rf_str id,
                          struct json_node *list)
{
    struct json_node *technique = technique_of(c->arena, list, id);
    if (technique == NULL) return false;
    struct json_node *tactics = json_get(technique, "tactics");
    for (uint32_t i = 0; i < seen->rule->rule.tactic_count; i++)
        if (!has_text(tactics, seen->rule->rule.tactics[i]))
            json_append(tactics, json_new_text(c->arena, seen->rule->rule.tactics[i]));
    count_up(c->arena, technique, "rules");
    if (seen->tests > 0) count_up(c->arena, technique, "tested");
    if (seen->alerts > 0) count_up(c->arena, technique, "fired");
    return true;
}

/* A technique that the rule names only because of its sub-technique is left to that. */
static bool has_sub(const struct rule *rule, rf_str technique)
{
    for (uint32_t i = 0; i < rule->sub_technique_count; i++)
        if (rf_str_starts(rule->sub_techniques[i], technique)) return true;
    return false;
}

static bool put_techniques(const struct coverage *c, const struct seen *seen,
                           struct json_node *list)
{
    const struct rule *rule = &seen->rule->rule;
    for (uint32_t i = 0; i < rule->technique_count; i++)
        if (!has_sub(rule, rule->techniques[i]) &&
            !put_technique(c, seen, rule->techniques[i], list))
            return false;
    for (uint32_t i = 0; i < rule->sub_technique_count; i++)
        if (!put_technique(c, seen, rule->sub_techniques[i], list)) return false;
    return true;
}

static int by_technique(const void *a, const void *b)
{
    return rf_str_cmp(json_text_at(*(struct json_node *const *)a, "technique"),
                      json_text_at(*(struct json_node *const *)b, "technique"));
}

static bool sort(struct rf_arena *arena, struct json_node *list)
{
    uint32_t n = 0;
    struct json_node **items = rf_arena_new(arena, struct json_node *, list->count);
    if (items == NULL) return false;
    for (struct json_node *t = list->first; t != NULL; t = t->next) items[n++] = t;
    if (n > 0) qsort((void *)items, n, sizeof *items, by_technique);
    list->first = list->last = NULL;
    list->count = 0;
    for (uint32_t i = 0; i < n; i++) {
        items[i]->next = NULL;
        json_append(list, items[i]);
    }
    return true;
}

enum rf_kind lab_coverage(const struct lab_rules *rules, const struct lab_result *results,
                          uint32_t result_count, struct rf_arena *arena, struct json_node **out,
                          struct rf_err *err)
{
    struct coverage c = {.arena = arena, .results = results, .result_count = result_count};
    struct json_node *all = json_new(arena, JSON_T_OBJECT);
    struct json_node *list = json_set(arena, all, RF_S("rules"), json_new(arena, JSON_T_ARRAY));
    struct json_node *techniques =
        json_set(arena, all, RF_S("techniques"), json_new(arena, JSON_T_ARRAY));
    bool fits = list != NULL && techniques != NULL && collect(&c, rules);
    for (uint32_t i = 0; i < c.rule_count && fits; i++)
        fits = put_rule(&c, &c.rules[i], list) && put_techniques(&c, &c.rules[i], techniques);
    if (!fits || !sort(arena, techniques)) return rf_fail_memory(err, arena);
    *out = all;
    return RF_OK;
}

/* ---- the Navigator ------------------------------------------------------------------------------------------------------ */

/* "InitialAccess" -> "initial-access" */
static rf_str tactic_of(struct rf_arena *arena, rf_str name)
{
    struct rf_buf buf = rf_buf_in(arena);
    for (size_t i = 0; i < name.len; i++) {
        bool upper = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z';
        if (upper && i > 0) rf_buf_byte(&buf, '-');
        rf_buf_byte(&buf, rf_lower(name.ptr[i]));
    }
    return rf_buf_view(&buf);
}

static struct json_node *layer_technique(struct rf_arena *arena, const struct json_node *t,
                                         rf_str tactic)
{
    int64_t rules = 0, tested = 0, fired = 0;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    (void)json_i64_at(t, "rules", &rules);
    (void)json_i64_at(t, "tested", &tested);
    (void)json_i64_at(t, "fired", &fired);
    json_set_text(arena, out, "techniqueID", json_text_at(t, "technique"));
    if (tactic.len > 0) json_set_text(arena, out, "tactic", tactic_of(arena, tactic));
    json_set_i64(arena, out, "score", rules == 0 ? 0 : fired * 100 / rules);
    json_set_text(arena, out, "comment",
                  rf_arena_printf(arena, "%lld of %lld rules fired, %lld tested", (long long)fired,
                                  (long long)rules, (long long)tested));
    json_set_bool(arena, out, "enabled", true);
    return out;
}

#define LAYER_FRAME                                                                                \
    "{\"name\":\"Ringfort rule tests\",\"versions\":{\"attack\":\"16\",\"navigator\":\"5.1.0\","   \
    "\"layer\":\"4.5\"},\"domain\":\"enterprise-attack\",\"description\":\"Share of a "            \
    "technique's rules that fired in their tests\",\"sorting\":3,\"hideDisabled\":false,"          \
    "\"gradient\":{\"colors\":[\"#ff6666\",\"#ffe766\",\"#8ec843\"],\"minValue\":0,"               \
    "\"maxValue\":100},\"techniques\":[]}"

enum rf_kind lab_navigator_layer(const struct json_node *coverage, struct rf_arena *arena,
                                 struct json_node **out, struct rf_err *err)
{
    struct json_node *layer;
    RF_TRY(json_parse(RF_S(LAYER_FRAME), arena, &layer, err));
    struct json_node *list = json_get(layer, "techniques"), *last = list;
    for (const struct json_node *t = json_get(coverage, "techniques")->first; t != NULL;
         t = t->next) {
        const struct json_node *tactics = json_get(t, "tactics");
        if (tactics->count == 0) last = json_append(list, layer_technique(arena, t, RF_S("")));
        for (const struct json_node *name = tactics->first; name != NULL; name = name->next)
            last = json_append(list, layer_technique(arena, t, name->text));
        if (last == NULL) return rf_fail_memory(err, arena);
    }
    *out = layer;
    return RF_OK;
}
