#include "cli/cli_yaml.h"

#include <yaml.h>

#include "cli/cli_options.h"
#include "value/text.h"

enum { YAML_DEPTH_MAX = 32, YAML_NODES_MAX = 100000 };

/* ---- YAML to a tree ------------------------------------------------------------------------------------------- */

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

struct yaml_node {
    enum node_kind kind;
    rf_str key; /* inside a map */
    rf_str text;
    uint32_t line; /* 1-based */
    bool block;    /* a text written with | or >: its first line is the next one */
    struct yaml_node *first, *last, *next; /* children; sibling */
};

struct loader {
    yaml_parser_t parser;
    struct rf_arena *arena;
    struct rf_err *err;
    struct yaml_node *open[YAML_DEPTH_MAX]; /* containers around the present place */
    uint32_t depth, node_count;
    struct yaml_node *key[YAML_DEPTH_MAX]; /* map: the key read last, or NULL */
    struct yaml_node *root;
};

/* The kind stands in the macro so that analyzers see that it is not RF_OK. */
#define fail_at(l, mark, kind, code, text) (note_at((l), (mark), (kind), (code), (text)), (kind))
static void note_at(struct loader *l, const yaml_mark_t *mark, enum rf_kind kind, const char *code,
                    const char *text)
{
    (void)RF_FAIL(l->err, kind, code, "%s", text);
    if (l->err != NULL) {
        l->err->line = (uint32_t)mark->line + 1;
        l->err->column = (uint32_t)mark->column + 1;
    }
}

/* Puts a node where the document stands. Keys of maps wait for their value. */
static enum rf_kind place(struct loader *l, struct yaml_node *node, const yaml_mark_t *mark)
{
    if (l->depth == 0) {
        l->root = node;
        return RF_OK;
    }
    struct yaml_node *parent = l->open[l->depth - 1];
    if (parent->kind == NODE_MAP) {
        struct yaml_node **key = &l->key[l->depth - 1];
        if (*key == NULL) {
            if (node->kind != NODE_TEXT)
                return fail_at(l, mark, RF_INVALID, "BadYaml", "a key must be a text");
            *key = node;
            return RF_OK;
        }
        node->key = (*key)->text;
        *key = NULL;
    }
    if (parent->last == NULL)
        parent->first = node;
    else
        parent->last->next = node;
    parent->last = node;
    return RF_OK;
}

static enum rf_kind add_node(struct loader *l, const yaml_event_t *event, enum node_kind kind,
                             struct yaml_node **out)
{
    if (l->node_count++ >= YAML_NODES_MAX)
        return fail_at(l, &event->start_mark, RF_LIMIT, "YamlTooLarge",
                       "the file holds too many values for a rule");
    struct yaml_node *node = rf_arena_new(l->arena, struct yaml_node, 1);
    if (node == NULL) return rf_fail_memory(l->err, l->arena);
    node->kind = kind;
    node->line = (uint32_t)event->start_mark.line + 1;
    if (kind == NODE_TEXT) {
        rf_str text = rf_str_make(event->data.scalar.value, event->data.scalar.length);
        if (!rf_arena_str(l->arena, text, &node->text)) return rf_fail_memory(l->err, l->arena);
        node->block = event->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
                      event->data.scalar.style == YAML_FOLDED_SCALAR_STYLE;
    }
    *out = node;
    return RF_OK;
}

static enum rf_kind open_container(struct loader *l, const yaml_event_t *event, enum node_kind kind)
{
    struct yaml_node *node;
    if (l->depth == YAML_DEPTH_MAX)
        return fail_at(l, &event->start_mark, RF_LIMIT, "YamlTooDeep",
                       "values are nested more than 32 deep");
    RF_TRY(add_node(l, event, kind, &node));
    RF_TRY(place(l, node, &event->start_mark));
    l->key[l->depth] = NULL;
    l->open[l->depth++] = node;
    return RF_OK;
}

static enum rf_kind take_event(struct loader *l, const yaml_event_t *event)
{
    struct yaml_node *node;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        RF_TRY(add_node(l, event, NODE_TEXT, &node));
        return place(l, node, &event->start_mark);
    case YAML_SEQUENCE_START_EVENT:
        return open_container(l, event, NODE_LIST);
    case YAML_MAPPING_START_EVENT:
        return open_container(l, event, NODE_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        l->depth--;
        return RF_OK;
    case YAML_ALIAS_EVENT:
        return fail_at(l, &event->start_mark, RF_INVALID, "BadYaml", "aliases are not understood");
    default:
        return RF_OK;
    }
}

static enum rf_kind load(struct loader *l)
{
    for (;;) {
        yaml_event_t event;
        if (yaml_parser_parse(&l->parser, &event) == 0) {
            if (l->parser.error == YAML_MEMORY_ERROR)
                return RF_FAIL(l->err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to read YAML");
            return fail_at(l, &l->parser.problem_mark, RF_INVALID, "BadYaml",
                           l->parser.problem == NULL ? "this is not YAML" : l->parser.problem);
        }
        /* The first document is the rule; what follows is left aside. */
        bool end = event.type == YAML_STREAM_END_EVENT || event.type == YAML_DOCUMENT_END_EVENT;
        enum rf_kind kind = end ? RF_OK : take_event(l, &event);
        yaml_event_delete(&event);
        if (end || kind != RF_OK) return kind;
    }
}

/* ---- the tree to a rule ------------------------------------------------------------------------------------------ */

static const struct yaml_node *child(const struct yaml_node *map, const char *key)
{
    if (map == NULL || map->kind != NODE_MAP) return NULL;
    for (const struct yaml_node *n = map->first; n != NULL; n = n->next)
        if (rf_str_is(n->key, key)) return n;
    return NULL;
}

static rf_str text_of(const struct yaml_node *map, const char *key)
{
    const struct yaml_node *n = child(map, key);
    return n != NULL && n->kind == NODE_TEXT ? n->text : (rf_str){NULL, 0};
}

static uint32_t child_count(const struct yaml_node *node)
{
    uint32_t count = 0;
    for (const struct yaml_node *n = node == NULL ? NULL : node->first; n != NULL; n = n->next)
        count++;
    return count;
}

static enum rf_kind bad_field(struct rf_err *err, const struct yaml_node *node, const char *field,
                              rf_str text, const char *expected)
{
    (void)RF_FAIL(err, RF_INVALID, "BadRule", "%s: '%.*s' is not %s", field, RF_FMT(text),
                  expected);
    if (err != NULL && node != NULL) err->line = node->line;
    return RF_INVALID;
}

/* 1d, 14d, PT1H, P1D */
static enum rf_kind read_span(const struct yaml_node *root, const char *field, int64_t *ticks,
                              struct rf_err *err)
{
    const struct yaml_node *node = child(root, field);
    rf_str text = text_of(root, field);
    *ticks = 0;
    if (text.len == 0) return RF_OK;
    if (text.ptr[0] == 'P' ? cli_parse_duration(text, ticks) : text_to_timespan(text, ticks))
        return RF_OK;
    return bad_field(err, node, field, text, "a duration such as 1d or PT1H");
}

static enum rf_kind read_trigger(const struct yaml_node *root, struct cli_rule *rule,
                                 struct rf_err *err)
{
    static const struct {
        const char *name;
        enum cli_rule_operator op;
    } operators[] = {{"gt", RULE_GT},       {"GreaterThan", RULE_GT}, {"lt", RULE_LT},
                     {"LessThan", RULE_LT}, {"eq", RULE_EQ},          {"Equal", RULE_EQ},
                     {"ne", RULE_NE},       {"NotEqual", RULE_NE}};
    rf_str op = text_of(root, "triggerOperator"), threshold = text_of(root, "triggerThreshold");
    bool found = op.len == 0;
    for (size_t i = 0; i < RF_COUNT(operators) && !found; i++) {
        found = rf_str_eq_nocase(op, rf_str_of(operators[i].name));
        if (found) rule->trigger_operator = operators[i].op;
    }
    if (!found)
        return bad_field(err, child(root, "triggerOperator"), "triggerOperator", op,
                         "gt, lt, eq or ne");
    if (threshold.len > 0 && !text_to_long(threshold, &rule->trigger_threshold))
        return bad_field(err, child(root, "triggerThreshold"), "triggerThreshold", threshold,
                         "a whole number");
    return RF_OK;
}

static enum rf_kind read_texts(const struct yaml_node *list, struct rf_arena *arena, rf_str **out,
                               uint32_t *count, struct rf_err *err)
{
    *count = 0;
    if (list == NULL) return RF_OK;
    rf_str *texts = rf_arena_new(arena, rf_str, child_count(list) + 1);
    if (texts == NULL) return rf_fail_memory(err, arena);
    if (list->kind == NODE_TEXT && list->text.len > 0) texts[(*count)++] = list->text;
    for (const struct yaml_node *n = list->first; n != NULL; n = n->next)
        if (n->kind == NODE_TEXT) texts[(*count)++] = n->text;
    *out = texts;
    return RF_OK;
}

static enum rf_kind read_entities(const struct yaml_node *list, struct rf_arena *arena,
                                  struct cli_rule *rule, struct rf_err *err)
{
    if (list == NULL || list->kind != NODE_LIST) return RF_OK;
    rule->entities = rf_arena_new(arena, struct cli_rule_entity, child_count(list));
    if (rule->entities == NULL) return rf_fail_memory(err, arena);
    for (const struct yaml_node *n = list->first; n != NULL; n = n->next) {
        struct cli_rule_entity *entity = &rule->entities[rule->entity_count++];
        const struct yaml_node *fields = child(n, "fieldMappings");
        entity->type = text_of(n, "entityType");
        entity->fields = rf_arena_new(arena, struct cli_rule_field, child_count(fields));
        if (entity->fields == NULL) return rf_fail_memory(err, arena);
        for (const struct yaml_node *f = fields == NULL ? NULL : fields->first; f != NULL;
             f = f->next)
            entity->fields[entity->field_count++] =
                (struct cli_rule_field){text_of(f, "identifier"), text_of(f, "columnName")};
    }
    return RF_OK;
}

static enum rf_kind read_details(const struct yaml_node *map, struct rf_arena *arena,
                                 struct cli_rule *rule, struct rf_err *err)
{
    if (map == NULL || map->kind != NODE_MAP) return RF_OK;
    rule->details = rf_arena_new(arena, struct cli_rule_detail, child_count(map));
    if (rule->details == NULL) return rf_fail_memory(err, arena);
    for (const struct yaml_node *n = map->first; n != NULL; n = n->next)
        if (n->kind == NODE_TEXT)
            rule->details[rule->detail_count++] = (struct cli_rule_detail){n->key, n->text};
    return RF_OK;
}

static enum rf_kind read_rule(const struct yaml_node *root, struct rf_arena *arena,
                              struct cli_rule *rule, struct rf_err *err)
{
    if (root == NULL || root->kind != NODE_MAP)
        return RF_FAIL(err, RF_INVALID, "NotARule",
                       "the file is no rule: it does not hold keys and values");
    rule->id = text_of(root, "id");
    rule->name = text_of(root, "name");
    rule->description = text_of(root, "description");
    rule->kind = text_of(root, "kind");
    rule->severity = text_of(root, "severity");
    rule->enabled = !rf_str_eq_nocase(text_of(root, "enabled"), RF_S("false"));
    const struct yaml_node *query = child(root, "query");
    if (query == NULL || query->kind != NODE_TEXT || rf_str_trim(query->text).len == 0)
        return RF_FAIL(err, RF_INVALID, "NotARule", "the file is no rule: it has no query");
    rule->query = query->text;
    rule->query_line = query->line + query->block;
    RF_TRY(read_span(root, "queryFrequency", &rule->frequency_ticks, err));
    RF_TRY(read_span(root, "queryPeriod", &rule->period_ticks, err));
    RF_TRY(read_trigger(root, rule, err));
    RF_TRY(read_texts(child(root, "tactics"), arena, &rule->tactics, &rule->tactic_count, err));
    RF_TRY(read_texts(child(root, "relevantTechniques"), arena, &rule->techniques,
                      &rule->technique_count, err));
    RF_TRY(read_entities(child(root, "entityMappings"), arena, rule, err));
    return read_details(child(root, "customDetails"), arena, rule, err);
}

enum rf_kind cli_rule_parse(rf_str yaml, struct rf_arena *arena, struct cli_rule *out,
                            struct rf_err *err)
{
    struct loader *l = rf_arena_new(arena, struct loader, 1);
    if (l == NULL) return rf_fail_memory(err, arena);
    l->arena = arena;
    l->err = err;
    if (yaml_parser_initialize(&l->parser) == 0)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to read YAML");
    yaml_parser_set_input_string(&l->parser, yaml.ptr, yaml.len);
    enum rf_kind kind = load(l);
    yaml_parser_delete(&l->parser);
    if (kind != RF_OK) return kind;
    struct cli_rule rule = {0};
    RF_TRY(read_rule(l->root, arena, &rule, err));
    *out = rule;
    return RF_OK;
}
