/* Correlation rules and filters: reading them, and resolving what they refer to. */
#include "sigma/sigma_int.h"
#include "value/text.h"

static const char *const type_names[] = {
    [SIGMA_EVENT_COUNT] = "event_count",
    [SIGMA_VALUE_COUNT] = "value_count",
    [SIGMA_TEMPORAL] = "temporal",
    [SIGMA_TEMPORAL_ORDERED] = "temporal_ordered",
    [SIGMA_VALUE_SUM] = "value_sum",
    [SIGMA_VALUE_AVG] = "value_avg",
    [SIGMA_VALUE_PERCENTILE] = "value_percentile",
};

const char *sigma_correlation_name(enum sigma_correlation_type type) { return type_names[type]; }

bool sigma_limits_hold(const struct sigma_correlation *c, double number)
{
    for (uint32_t i = 0; i < c->limit_count; i++) {
        double limit = c->limits[i].number;
        bool holds = false;
        switch (c->limits[i].compare) {
        case SIGMA_LT:
            holds = number < limit;
            break;
        case SIGMA_LTE:
            holds = number <= limit;
            break;
        case SIGMA_GT:
            holds = number > limit;
            break;
        case SIGMA_GTE:
            holds = number >= limit;
            break;
        case SIGMA_EQ:
            holds = number == limit;
            break;
        case SIGMA_NEQ:
            holds = number != limit;
            break;
        }
        if (!holds) return false;
    }
    return true;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

bool sigma_parse_timespan(rf_str text, rf_usec *out)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'s', 1},         {'m', 60},         {'h', 3600},       {'d', 86400},
                 {'w', 7 * 86400}, {'M', 30 * 86400}, {'y', 365 * 86400}};
    int64_t number;
    if (text.len < 2 || text.len > 12 || !text_to_long(rf_slice(text, 0, text.len - 1), &number))
        return false;
    for (size_t i = 0; i < RF_COUNT(units); i++) {
        if (text.ptr[text.len - 1] != (uint8_t)units[i].letter) continue;
        int64_t scale = units[i].seconds * RF_USEC_PER_SECOND;
        return number > 0 && !__builtin_mul_overflow(number, scale, out);
    }
    return false;
}

static enum rf_kind read_type(const struct json_node *node, struct sigma_correlation *c,
                              struct rf_err *err)
{
    const struct json_node *type = json_get(node, "type");
    rf_str name = json_is(type, JSON_T_STRING) ? type->text : (rf_str){NULL, 0};
    for (size_t i = 0; i < RF_COUNT(type_names); i++)
        if (rf_str_is(name, type_names[i])) {
            c->type = (enum sigma_correlation_type)i;
            return RF_OK;
        }
    return SIGMA_FAIL(err, type == NULL ? node->line : type->line, RF_INVALID, "BadCorrelation",
                      "'%.*s' is no type of correlation; use event_count, value_count, temporal, "
                      "temporal_ordered, value_sum, "
                      "value_avg or value_percentile",
                      RF_FMT(name));
}

/* A text, or a list of texts. */
static enum rf_kind read_texts(struct sigma_reader *r, const struct json_node *node,
                               const char *what, rf_str **out, uint32_t *count, struct rf_err *err)
{
    *count = 0;
    *out = rf_arena_new(r->arena, rf_str, json_is(node, JSON_T_ARRAY) ? node->count : 1);
    if (*out == NULL) return rf_fail_memory(err, r->arena);
    if (node == NULL) return RF_OK;
    const struct json_node *v = node->type == JSON_T_ARRAY ? node->first : node;
    for (; v != NULL; v = node->type == JSON_T_ARRAY ? v->next : NULL) {
        if (v->type != JSON_T_STRING && v->type != JSON_T_NUMBER)
            return SIGMA_FAIL(err, v->line, RF_INVALID, "BadCorrelation",
                              "'%s' must be a list of texts", what);
        (*out)[(*count)++] = v->text;
    }
    return RF_OK;
}

static enum rf_kind read_limit(const struct json_node *v, enum sigma_compare compare,
                               struct sigma_correlation *c, struct rf_err *err)
{
    double number;
    bool scalar = v->type == JSON_T_NUMBER || v->type == JSON_T_STRING;
    if (!scalar || !text_to_real(v->text, &number))
        return SIGMA_FAIL(err, v->line, RF_INVALID, "BadCorrelation", "%.*s must be a number",
                          RF_FMT(v->name));
    c->limits[c->limit_count++] = (struct sigma_limit){compare, number};
    return RF_OK;
}

static enum rf_kind read_limits(struct sigma_reader *r, const struct json_node *node,
                                struct sigma_correlation *c, struct rf_err *err)
{
    static const char *const names[] = {
        [SIGMA_LT] = "lt",   [SIGMA_LTE] = "lte", [SIGMA_GT] = "gt",
        [SIGMA_GTE] = "gte", [SIGMA_EQ] = "eq",   [SIGMA_NEQ] = "neq"};
    const struct json_node *condition = json_get(node, "condition");
    bool temporal = c->type == SIGMA_TEMPORAL || c->type == SIGMA_TEMPORAL_ORDERED;
    if (condition == NULL && temporal) return RF_OK;
    if (!json_is(condition, JSON_T_OBJECT))
        return SIGMA_FAIL(err, condition == NULL ? node->line : condition->line, RF_INVALID,
                          "BadCorrelation", "%s needs a condition, a map such as gte: 10",
                          type_names[c->type]);
    c->limits = rf_arena_new(r->arena, struct sigma_limit, condition->count);
    if (c->limits == NULL) return rf_fail_memory(err, r->arena);
    for (const struct json_node *v = condition->first; v != NULL; v = v->next) {
        size_t i = 0;
        while (i < RF_COUNT(names) && !rf_str_is(v->name, names[i])) i++;
        if (i < RF_COUNT(names)) {
            RF_TRY(read_limit(v, (enum sigma_compare)i, c, err));
        } else if (rf_str_is(v->name, "percentile")) {
            if (!text_to_real(v->text, &c->percentile) || c->percentile < 0 || c->percentile > 100)
                return SIGMA_FAIL(err, v->line, RF_INVALID, "BadCorrelation",
                                  "percentile must be a number from 0 to 100");
        } else if (!rf_str_is(v->name, "field")) {
            return SIGMA_FAIL(err, v->line, RF_INVALID, "BadCorrelation",
                              "'%.*s' is no condition; use lt, lte, gt, gte, eq, neq and field",
                              RF_FMT(v->name));
        }
    }
    RF_TRY(read_texts(r, json_get(condition, "field"), "field", &c->values, &c->value_count, err));
    if (c->limit_count == 0)
        return SIGMA_FAIL(err, condition->line, RF_INVALID, "BadCorrelation",
                          "the condition compares with no number; add one, such as gte: 10");
    bool wants_field = !temporal && c->type != SIGMA_EVENT_COUNT;
    if (wants_field && c->value_count == 0)
        return SIGMA_FAIL(err, condition->line, RF_INVALID, "BadCorrelation",
                          "%s needs a field in its condition", type_names[c->type]);
    if (wants_field && c->type != SIGMA_VALUE_COUNT && c->value_count > 1)
        return SIGMA_FAIL(err, condition->line, RF_INVALID, "BadCorrelation", "%s takes one field",
                          type_names[c->type]);
    return RF_OK;
}

static enum rf_kind read_groups(struct sigma_reader *r, const struct json_node *node,
                                struct sigma_correlation *c, struct rf_err *err)
{
    rf_str *names;
    const struct json_node *groups = json_get(node, "group-by");
    RF_TRY(read_texts(r, groups, "group-by", &names, &c->group_count, err));
    if (c->group_count > SIGMA_GROUP_FIELDS_MAX)
        return SIGMA_FAIL(err, groups->line, RF_LIMIT, "BadCorrelation",
                          "more than %d fields in group-by", SIGMA_GROUP_FIELDS_MAX);
    c->groups = rf_arena_new(r->arena, struct sigma_group, c->group_count);
    if (c->groups == NULL) return rf_fail_memory(err, r->arena);
    for (uint32_t i = 0; i < c->group_count; i++) c->groups[i].name = names[i];
    return RF_OK;
}

enum rf_kind sigma_read_correlation(struct sigma_reader *r, const struct json_node *node,
                                    struct sigma_correlation **out, struct rf_err *err)
{
    struct sigma_correlation *c = rf_arena_new(r->arena, struct sigma_correlation, 1);
    if (c == NULL) return rf_fail_memory(err, r->arena);
    *c = (struct sigma_correlation){.line = node->line, .percentile = 50};
    if (node->type != JSON_T_OBJECT)
        return SIGMA_FAIL(err, node->line, RF_INVALID, "BadCorrelation",
                          "the correlation must be a map with type, rules, timespan");
    RF_TRY(read_type(node, c, err));
    RF_TRY(read_texts(r, json_get(node, "rules"), "rules", &c->names, &c->rule_count, err));
    if (c->rule_count == 0)
        return SIGMA_FAIL(err, node->line, RF_INVALID, "BadCorrelation",
                          "the correlation names no rules; list their ids or names under rules");
    c->rules = rf_arena_new(r->arena, struct sigma_rule *, c->rule_count);
    if (c->rules == NULL) return rf_fail_memory(err, r->arena);
    RF_TRY(read_groups(r, node, c, err));
    const struct json_node *span = json_get(node, "timespan"),
                           *generate = json_get(node, "generate");
    if (span == NULL) span = json_get(node, "timeframe");
    if (span == NULL || !sigma_parse_timespan(span->text, &c->timespan_usec))
        return SIGMA_FAIL(
            err, span == NULL ? node->line : span->line, RF_INVALID, "BadTimespan",
            "the timespan '%.*s' is none; write a number and s, m, h or d, such as 15m",
            RF_FMT(span == NULL ? RF_S("") : span->text));
    c->generate =
        json_is(generate, JSON_T_TRUE) ||
        (json_is(generate, JSON_T_STRING) && rf_str_eq_nocase(generate->text, RF_S("true")));
    c->aliases = json_get(node, "aliases");
    RF_TRY(read_limits(r, node, c, err));
    if (c->type == SIGMA_TEMPORAL_ORDERED && !sigma_limits_hold(c, c->rule_count))
        return SIGMA_FAIL(err, node->line, RF_INVALID, "BadCorrelation",
                          "temporal_ordered asks for all of its %u rules, which its condition "
                          "refuses; leave the condition out",
                          c->rule_count);
    if (c->value_count > SIGMA_GROUP_FIELDS_MAX)
        return SIGMA_FAIL(err, node->line, RF_LIMIT, "BadCorrelation",
                          "more than %d fields in the condition", SIGMA_GROUP_FIELDS_MAX);
    *out = c;
    return RF_OK;
}

/* ---- resolving --------------------------------------------------------------------------------------------------- */

static enum rf_kind resolve_rules(struct sigma_set *set, struct sigma_correlation *c,
                                  struct rf_err *err)
{
    for (uint32_t i = 0; i < c->rule_count; i++) {
        if (c->rules[i] == NULL) c->rules[i] = sigma_find_rule(set, c->names[i]);
        if (c->rules[i] == NULL)
            return RF_FAIL(err, RF_NOT_FOUND, "UnknownRule",
                           "the correlation refers to the rule '%.*s', which was not read or has "
                           "an error; add its file "
                           "to --rules, or correct the id or name",
                           RF_FMT(c->names[i]));
        if (!c->generate) c->rules[i]->inner = true;
    }
    return RF_OK;
}

/* Where an alias leads in the events of a rule, or the name itself. */
static rf_str alias_field(const struct sigma_correlation *c, const struct sigma_rule *rule,
                          rf_str written, rf_str name)
{
    const struct json_node *alias = json_get_str(c->aliases, name);
    const struct json_node *field = json_get_str(alias, written);
    if (field == NULL && rule->name.len > 0) field = json_get_str(alias, rule->name);
    if (field == NULL && rule->id.len > 0) field = json_get_str(alias, rule->id);
    return json_is(field, JSON_T_STRING) ? field->text : name;
}

/* True when following the rules of `rule` leads back to one that is being followed. The depth is bounded. */
static bool leads_back(struct sigma_rule *rule, uint32_t depth)
{
    struct sigma_correlation *c = rule->correlation;
    if (c == NULL) return false;
    if (c->mark == 1 || depth == SIGMA_CHAIN_MAX) return true;
    if (c->mark == 2) return false;
    c->mark = 1;
    bool back = false;
    for (uint32_t i = 0; i < c->rule_count && !back; i++)
        back = c->rules[i] != NULL && leads_back(c->rules[i], depth + 1);
    c->mark = back ? 0 : 2;
    return back;
}

static bool has_group(const struct sigma_correlation *c, rf_str name)
{
    for (uint32_t g = 0; g < c->group_count; g++)
        if (rf_str_eq(c->groups[g].name, name)) return true;
    return false;
}

/* What a correlation finds has the fields of its group-by and no others. */
static enum rf_kind check_inner(const struct sigma_correlation *c, uint32_t position,
                                struct rf_err *err)
{
    const struct sigma_correlation *inner = c->rules[position]->correlation;
    for (uint32_t i = 0; inner != NULL && i < c->group_count + c->value_count; i++) {
        rf_str name =
            i < c->group_count ? c->groups[i].fields[position] : c->values[i - c->group_count];
        if (has_group(inner, name)) continue;
        return SIGMA_FAIL(err, c->line, RF_INVALID, "BadCorrelation",
                          "the correlation '%.*s' does not give the field '%.*s'; add it to its "
                          "group-by, or give it an alias",
                          RF_FMT(c->names[position]), RF_FMT(name));
    }
    return RF_OK;
}

enum rf_kind sigma_resolve(struct sigma_set *set, struct sigma_rule *rule, struct rf_err *err)
{
    struct sigma_correlation *c = rule->correlation;
    enum rf_kind kind = resolve_rules(set, c, err);
    if (kind != RF_OK) {
        err->line = c->line;
        return kind;
    }
    for (uint32_t g = 0; g < c->group_count; g++) {
        c->groups[g].fields = rf_arena_new(set->arena, rf_str, c->rule_count);
        if (c->groups[g].fields == NULL) return rf_fail_memory(err, set->arena);
        for (uint32_t i = 0; i < c->rule_count; i++)
            c->groups[g].fields[i] = alias_field(c, c->rules[i], c->names[i], c->groups[g].name);
    }
    for (uint32_t i = 0; i < c->rule_count; i++) RF_TRY(check_inner(c, i, err));
    if (leads_back(rule, 0))
        return SIGMA_FAIL(err, c->line, RF_INVALID, "CircularCorrelation",
                          "the correlation refers to itself through its rules, or is one of more "
                          "than %d; break the circle",
                          SIGMA_CHAIN_MAX);
    return RF_OK;
}

/* ---- filters ------------------------------------------------------------------------------------------------------ */

/* What the filter says of its log source the rule must say, too. */
static bool same_source(rf_str filter, rf_str rule)
{
    return filter.len == 0 || rf_str_eq(filter, rule);
}

static bool filter_meets(const struct sigma_filter *f, const struct sigma_rule *rule)
{
    const struct sigma_logsource *a = &f->logsource, *b = &rule->logsource;
    if (rule->condition == NULL || !same_source(a->product, b->product) ||
        !same_source(a->category, b->category) || !same_source(a->service, b->service))
        return false;
    for (uint32_t i = 0; i < f->rule_count; i++)
        if (rf_str_eq_nocase(f->rules[i], rule->id) ||
            (rule->name.len > 0 && rf_str_eq(f->rules[i], rule->name)))
            return true;
    return f->any;
}

/* Filters say which events do not count, and are written in two ways: `condition: not selection` (as the reference implementation
 * reads them) names the events that are left, `condition: selection` (as in the specification's example) those that are not. */
static bool says_what_is_left(const struct sigma_node *node)
{
    if (node->op == SIGMA_NOT) return true;
    if (node->op != SIGMA_AND || node->first == NULL) return false;
    for (const struct sigma_node *child = node->first; child != NULL; child = child->next)
        if (child->op != SIGMA_NOT) return false;
    return true;
}

static enum rf_kind narrow(struct sigma_reader *r, const struct sigma_filter *f,
                           struct sigma_rule *rule, struct rf_err *err)
{
    struct sigma_node *both = sigma_node_new(r, SIGMA_AND), *last = NULL,
                      *own = sigma_node_new(r, SIGMA_AND), *left = sigma_node_new(r, SIGMA_AND);
    if (both == NULL || own == NULL || left == NULL) return rf_fail_memory(err, r->arena);
    *own = *rule->condition;
    own->next = NULL;
    *left = *f->condition;
    left->next = NULL;
    if (!says_what_is_left(left)) left = sigma_node_not(r, left);
    if (left == NULL) return rf_fail_memory(err, r->arena);
    sigma_node_add(both, &last, own);
    sigma_node_add(both, &last, left);
    rule->condition = both;
    return RF_OK;
}

enum rf_kind sigma_apply_filters(struct sigma_set *set, struct rf_err *err)
{
    struct sigma_reader r = {.set = set, .arena = set->arena};
    for (const struct sigma_filter *f = set->filters; f != NULL; f = f->next)
        for (uint32_t i = 0; i < set->rule_count; i++)
            if (filter_meets(f, set->rules[i])) RF_TRY(narrow(&r, f, set->rules[i], err));
    return RF_OK;
}
