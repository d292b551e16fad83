/* Documents: where each begins, what it is, its detection. */
#include <stdio.h>

#include "base/yaml_tree.h"
#include "sigma/sigma_int.h"

/* ---- the set ----------------------------------------------------------------------------------------------------- */

struct sigma_set sigma_set_in(struct rf_arena *arena) { return (struct sigma_set){.arena = arena}; }

rf_str sigma_rule_label(const struct sigma_rule *rule)
{
    if (rule->id.len > 0) return rule->id;
    return rule->name.len > 0 ? rule->name : rule->title;
}

enum rf_kind sigma_add_problem(struct sigma_set *set, const char *path, rf_str id,
                               const struct rf_err *problem, struct rf_err *err)
{
    if (set->problem_count == set->problem_cap) {
        uint32_t cap = set->problem_cap == 0 ? 16 : set->problem_cap * 2;
        struct sigma_problem *grown = rf_arena_grow(
            set->arena, set->problems, set->problem_cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return rf_fail_memory(err, set->arena);
        set->problems = grown;
        set->problem_cap = cap;
    }
    set->problems[set->problem_count++] =
        (struct sigma_problem){.path = path, .id = id, .err = *problem};
    return RF_OK;
}

static uint64_t hash_id(rf_str id)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < id.len; i++) hash = hash * 31 + rf_lower(id.ptr[i]);
    return rf_hash_u64(hash);
}

static void put_id(struct sigma_set *set, const struct sigma_rule *rule)
{
    uint32_t mask = set->id_cap - 1, at = (uint32_t)hash_id(rule->id) & mask;
    while (set->ids[at] != 0) at = (at + 1) & mask;
    set->ids[at] = rule->number + 1;
}

struct sigma_rule *sigma_find_id(const struct sigma_set *set, rf_str id)
{
    if (set->id_cap == 0 || id.len == 0) return NULL;
    uint32_t mask = set->id_cap - 1;
    for (uint32_t at = (uint32_t)hash_id(id) & mask; set->ids[at] != 0; at = (at + 1) & mask)
        if (rf_str_eq_nocase(set->rules[set->ids[at] - 1]->id, id))
            return set->rules[set->ids[at] - 1];
    return NULL;
}

static enum rf_kind add_rule(struct sigma_set *set, struct sigma_rule *rule, struct rf_err *err)
{
    if (2 * (set->rule_count + 1) > set->id_cap) {
        set->id_cap = set->id_cap == 0 ? 256 : set->id_cap * 2;
        set->ids = rf_arena_new(set->arena, uint32_t, set->id_cap);
        if (set->ids == NULL) return rf_fail_memory(err, set->arena);
        for (uint32_t i = 0; i < set->rule_count; i++)
            if (set->rules[i]->id.len > 0) put_id(set, set->rules[i]);
    }
    if (set->rule_count == set->rule_cap) {
        uint32_t cap = set->rule_cap == 0 ? 64 : set->rule_cap * 2;
        struct sigma_rule **grown =
            rf_arena_grow(set->arena, set->rules, set->rule_cap * sizeof(struct sigma_rule *),
                          cap * sizeof(struct sigma_rule *));
        if (grown == NULL) return rf_fail_memory(err, set->arena);
        set->rules = grown;
        set->rule_cap = cap;
    }
    rule->number = set->rule_count;
    set->rules[set->rule_count++] = rule;
    if (rule->id.len > 0) put_id(set, rule);
    return RF_OK;
}

struct sigma_rule *sigma_find_rule(const struct sigma_set *set, rf_str name)
{
    struct sigma_rule *rule = sigma_find_id(set, name);
    if (rule != NULL || name.len == 0) return rule;
    for (uint32_t i = 0; i < set->rule_count; i++)
        if (rf_str_eq(set->rules[i]->name, name)) return set->rules[i];
    return NULL;
}

/* ---- nodes --------------------------------------------------------------------------------------------------------- */

struct sigma_node *sigma_node_new(struct sigma_reader *r, enum sigma_op op)
{
    struct sigma_node *node = rf_arena_new(r->arena, struct sigma_node, 1);
    r->node_count++;
    if (node != NULL) node->op = op;
    return node;
}

struct sigma_node *sigma_node_not(struct sigma_reader *r, struct sigma_node *child)
{
    struct sigma_node *node = child == NULL ? NULL : sigma_node_new(r, SIGMA_NOT);
    if (node != NULL) node->first = child;
    return node;
}

/* ---- a detection --------------------------------------------------------------------------------------------------- */

static enum rf_kind read_map(struct sigma_reader *r, const struct json_node *map,
                             struct sigma_node **out, struct rf_err *err)
{
    struct sigma_node *node = sigma_node_new(r, SIGMA_AND), *last = NULL;
    if (node == NULL) return rf_fail_memory(err, r->arena);
    if (map->first == NULL)
        return SIGMA_FAIL(err, map->line, RF_INVALID, "BadDetection",
                          "a search has no fields; add one or remove the search");
    for (const struct json_node *item = map->first; item != NULL; item = item->next) {
        struct sigma_node *child;
        RF_TRY(sigma_read_item(r, item->name, item, &child, err));
        sigma_node_add(node, &last, child);
    }
    *out = node;
    return RF_OK;
}

enum rf_kind sigma_read_search(struct sigma_reader *r, const struct json_node *value,
                               struct sigma_node **out, struct rf_err *err)
{
    const rf_str none = {NULL, 0};
    if (value->type == JSON_T_OBJECT) return read_map(r, value, out, err);
    if (value->type != JSON_T_ARRAY) return sigma_read_item(r, none, value, out, err);
    struct sigma_node *node = sigma_node_new(r, SIGMA_OR), *last = NULL;
    if (node == NULL) return rf_fail_memory(err, r->arena);
    if (value->first == NULL)
        return SIGMA_FAIL(err, value->line, RF_INVALID, "BadDetection",
                          "the list '%.*s' is empty; add a keyword or a map", RF_FMT(value->name));
    for (const struct json_node *v = value->first; v != NULL; v = v->next) {
        struct sigma_node *child;
        if (v->type == JSON_T_OBJECT)
            RF_TRY(read_map(r, v, &child, err));
        else
            RF_TRY(sigma_read_item(r, none, v, &child, err));
        sigma_node_add(node, &last, child);
    }
    *out = node;
    return RF_OK;
}

/* Reads every member that is no word of the language; `skip` is NULL-terminated. */
static enum rf_kind read_searches(struct sigma_reader *r, const struct json_node *detection,
                                  const char *const *skip, struct sigma_search **out,
                                  struct rf_err *err)
{
    struct sigma_search *first = NULL, **end = &first;
    for (const struct json_node *v = detection->first; v != NULL; v = v->next) {
        bool word = false;
        for (const char *const *s = skip; *s != NULL; s++) word = word || rf_str_is(v->name, *s);
        if (word) continue;
        struct sigma_search *search = rf_arena_new(r->arena, struct sigma_search, 1);
        if (search == NULL) return rf_fail_memory(err, r->arena);
        r->node_count = 0;
        search->name = v->name;
        enum rf_kind kind = sigma_read_search(r, v, &search->node, err);
        if (kind != RF_OK) {
            if (err->line == 0) err->line = v->line;
            return kind;
        }
        search->size = r->node_count;
        if (search->size > SIGMA_NODES_MAX)
            return SIGMA_FAIL(err, v->line, RF_LIMIT, "RuleTooLarge",
                              "'%.*s' makes more than %d tests; split the rule", RF_FMT(v->name),
                              SIGMA_NODES_MAX);
        *end = search;
        end = &search->next;
    }
    r->node_count = 0;
    *out = first;
    return RF_OK;
}

/* A list of conditions means any of them. */
static enum rf_kind read_conditions(struct sigma_reader *r, const struct json_node *condition,
                                    const struct sigma_search *searches, struct sigma_node **out,
                                    struct sigma_aggregation *aggregation, struct rf_err *err)
{
    if (condition->type == JSON_T_STRING)
        return sigma_read_condition(r, condition->text, condition->line, searches, out, aggregation,
                                    err);
    if (condition->type != JSON_T_ARRAY || condition->first == NULL)
        return SIGMA_FAIL(err, condition->line, RF_INVALID, "BadCondition",
                          "the condition must be a text, such as selection");
    struct sigma_node *node = sigma_node_new(r, SIGMA_OR), *last = NULL;
    if (node == NULL) return rf_fail_memory(err, r->arena);
    for (const struct json_node *v = condition->first; v != NULL; v = v->next) {
        struct sigma_node *child;
        if (v->type != JSON_T_STRING)
            return SIGMA_FAIL(err, v->line, RF_INVALID, "BadCondition",
                              "a condition of the list is no text");
        RF_TRY(sigma_read_condition(r, v->text, v->line, searches, &child, aggregation, err));
        sigma_node_add(node, &last, child);
        if (aggregation->present && condition->count > 1)
            return SIGMA_FAIL(
                err, v->line, RF_INVALID, "OldAggregation",
                "an aggregation in a list of conditions is not supported; write correlation rules");
    }
    *out = node;
    return RF_OK;
}

/* ---- a rule ---------------------------------------------------------------------------------------------------------- */

static rf_str scalar_text(const struct json_node *node)
{
    bool has = node != NULL && (node->type == JSON_T_STRING || node->type == JSON_T_NUMBER);
    return has ? node->text : (rf_str){NULL, 0};
}

static enum rf_kind lower_text(struct sigma_reader *r, const struct json_node *node, rf_str *out,
                               struct rf_err *err)
{
    rf_str text = rf_str_trim(scalar_text(node));
    uint8_t *copy = rf_arena_alloc(r->arena, text.len);
    if (copy == NULL) return rf_fail_memory(err, r->arena);
    for (size_t i = 0; i < text.len; i++) copy[i] = rf_lower(text.ptr[i]);
    *out = rf_str_make(copy, text.len);
    return RF_OK;
}

static enum rf_kind read_logsource(struct sigma_reader *r, const struct json_node *root,
                                   struct sigma_logsource *out, struct rf_err *err)
{
    const struct json_node *node = json_get(root, "logsource");
    if (!json_is(node, JSON_T_OBJECT))
        return SIGMA_FAIL(err, node == NULL ? root->line : node->line, RF_INVALID, "NoLogsource",
                          "the rule has no logsource; add one with product, category or service");
    RF_TRY(lower_text(r, json_get(node, "product"), &out->product, err));
    RF_TRY(lower_text(r, json_get(node, "category"), &out->category, err));
    RF_TRY(lower_text(r, json_get(node, "service"), &out->service, err));
    if (out->product.len + out->category.len + out->service.len > 0) return RF_OK;
    return SIGMA_FAIL(err, node->line, RF_INVALID, "NoLogsource",
                      "the logsource names neither product nor category nor service; add one");
}

static void read_names(const struct json_node *root, struct sigma_rule *rule)
{
    rf_str id = scalar_text(json_get(root, "id"));
    if (id.len > 0) rule->id = rf_str_trim(id);
    rule->name = scalar_text(json_get(root, "name"));
    rule->title = scalar_text(json_get(root, "title"));
    rule->description = scalar_text(json_get(root, "description"));
    rule->status = scalar_text(json_get(root, "status"));
    rule->level = scalar_text(json_get(root, "level"));
    rule->author = scalar_text(json_get(root, "author"));
}

/* The rule of version 1 with an aggregation becomes the correlation of a rule that has no name. */
static enum rf_kind correlate(struct sigma_reader *r, const struct json_node *detection,
                              struct sigma_rule *rule, const struct sigma_aggregation *a,
                              struct rf_err *err)
{
    static const rf_usec forever = INT64_C(100) * 365 * 86400 * RF_USEC_PER_SECOND;
    struct sigma_rule *inner = rf_arena_new(r->arena, struct sigma_rule, 1);
    struct sigma_correlation *c = rf_arena_new(r->arena, struct sigma_correlation, 1);
    if (inner == NULL || c == NULL) return rf_fail_memory(err, r->arena);
    *inner = *rule;
    inner->inner = true;
    inner->id = inner->name = (rf_str){NULL, 0};
    const struct json_node *frame = json_get(detection, "timeframe");
    *c = (struct sigma_correlation){
        .type = a->type,
        .rules = rf_arena_new(r->arena, struct sigma_rule *, 1),
        .names = rf_arena_new(r->arena, rf_str, 1),
        .rule_count = 1,
        .groups = rf_arena_new(r->arena, struct sigma_group, SIGMA_GROUP_FIELDS_MAX),
        .group_count = a->group_count,
        .timespan_usec = forever,
        .limits = rf_arena_new(r->arena, struct sigma_limit, 1),
        .limit_count = 1,
        .values = rf_arena_new(r->arena, rf_str, 1),
        .value_count = a->field.len > 0,
        .line = detection->line};
    if (c->rules == NULL || c->names == NULL || c->groups == NULL || c->limits == NULL ||
        c->values == NULL)
        return rf_fail_memory(err, r->arena);
    if (frame != NULL && !sigma_parse_timespan(scalar_text(frame), &c->timespan_usec))
        return SIGMA_FAIL(
            err, frame->line, RF_INVALID, "BadTimespan",
            "the timeframe '%.*s' is none; write a number and s, m, h or d, such as 15m",
            RF_FMT(scalar_text(frame)));
    c->rules[0] = inner;
    c->limits[0] = a->limit;
    c->values[0] = a->field;
    for (uint32_t i = 0; i < a->group_count; i++) c->groups[i].name = a->groups[i];
    rule->condition = NULL;
    rule->correlation = c;
    return add_rule(r->set, inner, err);
}

static enum rf_kind read_rule(struct sigma_reader *r, const struct json_node *root,
                              struct sigma_rule *rule, struct rf_err *err)
{
    static const char *const skip[] = {"condition", "timeframe", NULL};
    const struct json_node *detection = json_get(root, "detection");
    struct sigma_search *searches;
    struct sigma_aggregation aggregation = {0};
    if (!json_is(detection, JSON_T_OBJECT))
        return SIGMA_FAIL(err, detection == NULL ? root->line : detection->line, RF_INVALID,
                          "NoDetection", "the detection must be a map of searches and a condition");
    RF_TRY(read_logsource(r, root, &rule->logsource, err));
    RF_TRY(read_searches(r, detection, skip, &searches, err));
    const struct json_node *condition = json_get(detection, "condition");
    if (condition == NULL)
        return SIGMA_FAIL(err, detection->line, RF_INVALID, "NoCondition",
                          "the detection has no condition; add one, such as condition: selection");
    if (searches == NULL)
        return SIGMA_FAIL(err, detection->line, RF_INVALID, "BadDetection",
                          "the detection has no search beside its condition; add one");
    RF_TRY(read_conditions(r, condition, searches, &rule->condition, &aggregation, err));
    if (!aggregation.present) return RF_OK;
    return correlate(r, detection, rule, &aggregation, err);
}

static enum rf_kind read_filter(struct sigma_reader *r, const struct json_node *root,
                                const char *path, uint32_t first_line, struct rf_err *err)
{
    static const char *const skip[] = {"condition", "rules", NULL};
    const struct json_node *node = json_get(root, "filter"), *rules = json_get(node, "rules"),
                           *condition = json_get(node, "condition");
    struct sigma_filter *f = rf_arena_new(r->arena, struct sigma_filter, 1);
    struct sigma_search *searches;
    struct sigma_aggregation aggregation = {0};
    if (f == NULL) return rf_fail_memory(err, r->arena);
    *f = (struct sigma_filter){.title = scalar_text(json_get(root, "title")),
                               .id = scalar_text(json_get(root, "id")),
                               .path = path,
                               .line = first_line + root->line - 1};
    if (!json_is(node, JSON_T_OBJECT))
        return SIGMA_FAIL(err, root->line, RF_INVALID, "BadFilter",
                          "the filter must be a map with rules, searches and a condition");
    RF_TRY(read_logsource(r, root, &f->logsource, err));
    if (condition == NULL)
        return SIGMA_FAIL(err, node->line, RF_INVALID, "NoCondition",
                          "the filter has no condition; add one, such as condition: selection");
    bool word = json_is(rules, JSON_T_STRING) && (rf_str_eq_nocase(rules->text, RF_S("any")) ||
                                                  rf_str_eq_nocase(rules->text, RF_S("all")));
    f->any = rules == NULL || word || (json_is(rules, JSON_T_ARRAY) && rules->count == 0);
    uint32_t room = json_is(rules, JSON_T_ARRAY) ? rules->count : 1;
    f->rules = rf_arena_new(r->arena, rf_str, room);
    if (f->rules == NULL) return rf_fail_memory(err, r->arena);
    if (json_is(rules, JSON_T_STRING) && !f->any) f->rules[f->rule_count++] = rules->text;
    if (json_is(rules, JSON_T_ARRAY))
        for (const struct json_node *v = rules->first; v != NULL; v = v->next)
            f->rules[f->rule_count++] = scalar_text(v);
    RF_TRY(read_searches(r, node, skip, &searches, err));
    RF_TRY(read_conditions(r, condition, searches, &f->condition, &aggregation, err));
    if (aggregation.present)
        return SIGMA_FAIL(err, condition->line, RF_INVALID, "BadFilter",
                          "a filter cannot aggregate; leave out what stands behind the pipe");
    f->next = r->set->filters;
    r->set->filters = f;
    return RF_OK;
}

/* ---- a document --------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_document(struct sigma_reader *r, const struct json_node *root,
                                  struct sigma_rule *rule, uint32_t first_line, struct rf_err *err)
{
    if (root->type != JSON_T_OBJECT)
        return SIGMA_FAIL(
            err, root->line, RF_INVALID, "NotARule",
            "the document is no map; a Sigma rule has title, logsource and detection");
    read_names(root, rule);
    if (json_get(root, "action") != NULL)
        return SIGMA_FAIL(
            err, root->line, RF_INVALID, "OldCollection",
            "'action' was dropped with Sigma 2; write each rule in a document of its own");
    if (json_get(root, "filter") != NULL) return read_filter(r, root, rule->path, first_line, err);
    const struct sigma_rule *other = sigma_find_id(r->set, rule->id);
    if (other != NULL && other->digest == rule->digest) return RF_OK;
    if (other != NULL)
        return SIGMA_FAIL(err, root->line, RF_CONFLICT, "RepeatedId",
                          "the id %.*s is also that of a rule in %s, line %u; give each its own",
                          RF_FMT(rule->id), other->path, other->line);
    if (json_get(root, "correlation") != NULL) {
        RF_TRY(sigma_read_correlation(r, json_get(root, "correlation"), &rule->correlation, err));
    } else if (json_get(root, "detection") != NULL) {
        RF_TRY(read_rule(r, root, rule, err));
    } else {
        return SIGMA_FAIL(err, root->line, RF_INVALID, "NotARule",
                          "the document has neither detection nor correlation nor filter; add one");
    }
    return add_rule(r->set, rule, err);
}

static enum rf_kind read_text(struct sigma_set *set, const char *path, uint32_t first_line,
                              rf_str id, rf_str yaml, struct rf_err *err)
{
    struct sigma_reader r = {.set = set, .arena = set->arena};
    struct sigma_rule *rule = rf_arena_new(set->arena, struct sigma_rule, 1);
    if (rule == NULL) return rf_fail_memory(err, set->arena);
    *rule = (struct sigma_rule){.path = path, .line = first_line, .id = id};
    rf_str body = rf_str_trim(yaml);
    rule->digest = rf_hash(body.ptr, body.len, 0);
    struct rf_err problem = {0};
    struct json_node *root;
    enum rf_kind kind = RF_OK;
    if (yaml.len > SIGMA_DOCUMENT_BYTES_MAX)
        kind =
            RF_FAIL(&problem, RF_LIMIT, "DocumentTooLarge",
                    "the document has more than %d KiB; split it", SIGMA_DOCUMENT_BYTES_MAX >> 10);
    if (kind == RF_OK) kind = yaml_parse(yaml, set->arena, &root, &problem);
    if (kind == RF_OK && root->type == JSON_T_NULL) return RF_OK; /* comments only */
    if (kind == RF_OK) {
        rule->line = first_line + RF_MAX(root->line, 1u) - 1;
        kind = read_document(&r, root, rule, first_line, &problem);
    }
    if (kind == RF_OK) return RF_OK;
    if (kind == RF_LIMIT && strcmp(problem.code, "MemoryBudgetExceeded") == 0) {
        *err = problem;
        return kind;
    }
    problem.line = first_line + RF_MAX(problem.line, 1u) - 1;
    return sigma_add_problem(set, path, rule->id, &problem, err);
}

/* A line `---`, alone or before a comment, begins a document; `...` ends one. */
static bool is_border(rf_str line)
{
    bool border = rf_str_starts(line, RF_S("---")) || rf_str_starts(line, RF_S("..."));
    return border && (line.len == 3 || rf_is_space(line.ptr[3]));
}

enum rf_kind sigma_read(struct sigma_set *set, const char *path, uint32_t first_line, rf_str id,
                        rf_str yaml, struct rf_err *err)
{
    size_t from = 0;
    uint32_t line = first_line, from_line = first_line;
    if (rf_str_starts(yaml, RF_S("\xef\xbb\xbf"))) from = 3;
    for (size_t at = from; at < yaml.len; line++) {
        const uint8_t *end = memchr(yaml.ptr + at, '\n', yaml.len - at);
        size_t to = end == NULL ? yaml.len : (size_t)(end - yaml.ptr) + 1;
        if (is_border(rf_slice(yaml, at, to))) {
            RF_TRY(read_text(set, path, from_line, id, rf_slice(yaml, from, at), err));
            from = at + 3; /* the document may begin on that line */
            from_line = line;
        }
        at = to;
    }
    return read_text(set, path, from_line, id, rf_slice(yaml, from, yaml.len), err);
}

static enum rf_kind finish_rule(struct sigma_set *set, struct sigma_rule *rule, struct rf_err *err)
{
    struct rf_err problem = {0};
    enum rf_kind kind = sigma_resolve(set, rule, &problem);
    if (kind == RF_OK) return RF_OK;
    if (kind == RF_LIMIT && strcmp(problem.code, "MemoryBudgetExceeded") == 0) {
        *err = problem;
        return kind;
    }
    rule->failed = true;
    problem.line = rule->line + (problem.line > 0 ? problem.line - 1 : 0);
    return sigma_add_problem(set, rule->path, rule->id, &problem, err);
}

enum rf_kind sigma_set_finish(struct sigma_set *set, struct rf_err *err)
{
    for (uint32_t i = 0; i < set->rule_count; i++)
        if (set->rules[i]->correlation != NULL) RF_TRY(finish_rule(set, set->rules[i], err));
    return sigma_apply_filters(set, err);
}
