/* rule.c - the document of a rule to what the engine runs, with the contract's rules for documents. */
#include "siem/rule.h"

#include "base/encode.h"
#include "siem/alert.h"
#include "siem/rule_int.h"
#include "value/value.h"

enum { NAME_BYTES_MAX = 1024, LISTED_MAX = 100 };

/* ---- members ------------------------------------------------------------------------------------------------------ */

struct reader {
    struct rf_arena *arena;
    struct rf_err *err;
    struct rule *rule;
    bool strict;      /* rule_parse: required members, ranges, counts */
    bool is_schedule; /* kind Scheduled */
};

static enum rf_kind bad(struct reader *r, const struct json_node *at, const char *member,
                        const char *what)
{
    (void)RF_FAIL(r->err, RF_INVALID, "BadRequest", "properties.%s: %s", member, what);
    if (r->err != NULL && at != NULL) r->err->line = at->line;
    return RF_INVALID;
}

static enum rf_kind bad_text(struct reader *r, const struct json_node *at, const char *member,
                             rf_str text, const char *expected)
{
    (void)RF_FAIL(r->err, RF_INVALID, "BadRequest", "properties.%s: '%.*s' is not %s", member,
                  (int)RF_MIN(text.len, 100), (const char *)text.ptr, expected);
    if (r->err != NULL && at != NULL) r->err->line = at->line;
    return RF_INVALID;
}

/* The member, or NULL when it is absent or null, which is the same. `member` may be a path: only its last name is looked up. */
static enum rf_kind find(struct reader *r, const struct json_node *object, const char *member,
                         bool required, const struct json_node **out)
{
    const char *name = member;
    for (const char *c = member; *c != '\0'; c++)
        if (*c == '.') name = c + 1;
    const struct json_node *node = json_get(object, name);
    *out = json_is(node, JSON_T_NULL) ? NULL : node;
    if (*out != NULL || !required || !r->strict) return RF_OK;
    return bad(r, object, member, "it is required");
}

static enum rf_kind read_text(struct reader *r, const struct json_node *object, const char *member,
                              bool required, size_t bytes_max, rf_str *out)
{
    const struct json_node *node;
    RF_TRY(find(r, object, member, required, &node));
    if (node == NULL) return RF_OK;
    if (node->type != JSON_T_STRING) return bad(r, node, member, "a text is expected");
    *out = node->text;
    if (required && r->strict && rf_str_trim(*out).len == 0)
        return bad(r, node, member, "it must not be empty");
    if (r->strict && out->len > bytes_max) return bad(r, node, member, "it is too long");
    return RF_OK;
}

static enum rf_kind read_bool(struct reader *r, const struct json_node *object, const char *member,
                              bool required, bool *out)
{
    const struct json_node *node;
    RF_TRY(find(r, object, member, required, &node));
    if (node == NULL) return RF_OK;
    if (node->type != JSON_T_TRUE && node->type != JSON_T_FALSE)
        return bad(r, node, member, "true or false is expected");
    *out = node->type == JSON_T_TRUE;
    return RF_OK;
}

static enum rf_kind read_duration(struct reader *r, const struct json_node *object,
                                  const char *member, int64_t least, int64_t most,
                                  const char *expected, int64_t *ticks)
{
    const struct json_node *node;
    rf_usec usec;
    int64_t found;
    RF_TRY(find(r, object, member, true, &node));
    if (node == NULL) return RF_OK;
    if (node->type != JSON_T_STRING || !duration_parse_iso(node->text, &usec) ||
        __builtin_mul_overflow(usec, TICKS_PER_MICROSECOND, &found))
        return bad_text(r, node, member, node->text, "an ISO 8601 duration such as PT5M or P1D");
    if (r->strict && (found < least || found > most))
        return bad_text(r, node, member, node->text, expected);
    *ticks = found;
    return RF_OK;
}

/* One of the names; `first` its position. */
static enum rf_kind read_name(struct reader *r, const struct json_node *object, const char *member,
                              bool required, const char *const *names, int *first)
{
    const struct json_node *node;
    RF_TRY(find(r, object, member, required, &node));
    if (node == NULL) return RF_OK;
    int at = node->type == JSON_T_STRING ? rule_find_name(names, node->text) : -1;
    if (at >= 0) {
        *first = at;
        return RF_OK;
    }
    struct rf_buf all = rf_buf_in(r->arena);
    rf_buf_printf(&all, "one of %s", names[0]);
    for (uint32_t i = 1; names[i] != NULL; i++) rf_buf_printf(&all, ", %s", names[i]);
    rf_buf_byte(&all, 0);
    if (all.failed) return rf_fail_memory(r->err, r->arena);
    return bad_text(r, node, member, node->text, (const char *)all.ptr);
}

static enum rf_kind find_list(struct reader *r, const struct json_node *object, const char *member,
                              uint32_t count_max, const struct json_node **out)
{
    RF_TRY(find(r, object, member, false, out));
    if (*out == NULL) return RF_OK;
    if ((*out)->type != JSON_T_ARRAY) return bad(r, *out, member, "a list is expected");
    if (r->strict && (*out)->count > count_max)
        return bad(r, *out, member, "it has too many items");
    return RF_OK;
}

/* Whether a text of a list may be there; *name is changed to the casing of the contract. */
typedef bool name_check(rf_str *name);

static bool to_name(const char *name, rf_str *out)
{
    if (name != NULL) *out = rf_str_of(name);
    return name != NULL;
}
static bool check_tactic(rf_str *name) { return to_name(rule_tactic_name(*name), name); }
static bool check_entity(rf_str *name) { return to_name(entity_type_name(*name), name); }
static bool check_any(rf_str *name) { return name->len > 0; }

static bool check_alert_detail(rf_str *name)
{
    int at = rule_find_name(rule_detail_names, *name);
    return at >= 0 && to_name(rule_detail_names[at], name);
}

static bool check_technique(rf_str *name)
{
    bool is_sub;
    return rule_is_technique(*name, &is_sub);
}

static bool check_sub_technique(rf_str *name)
{
    bool is_sub;
    return rule_is_technique(*name, &is_sub) && is_sub;
}

static enum rf_kind read_texts(struct reader *r, const struct json_node *object, const char *member,
                               name_check *check, const char *expected, rf_str **out,
                               uint32_t *count)
{
    const struct json_node *list;
    RF_TRY(find_list(r, object, member, LISTED_MAX, &list));
    if (list == NULL || list->count == 0) return RF_OK;
    rf_str *texts = rf_arena_new(r->arena, rf_str, list->count);
    if (texts == NULL) return rf_fail_memory(r->err, r->arena);
    uint32_t n = 0;
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        if (item->type != JSON_T_STRING) return bad(r, item, member, "its items are texts");
        texts[n] = item->text;
        if (!check(&texts[n++]) && r->strict)
            return bad_text(r, item, member, item->text, expected);
    }
    *out = texts;
    *count = n;
    return RF_OK;
}

/* ---- when it runs -------------------------------------------------------------------------------------------------- */

static enum rf_kind read_schedule(struct reader *r, const struct json_node *p)
{
    struct rule *rule = r->rule;
    const char *range = "between 5 minutes (PT5M) and 14 days (P14D)";
    const int64_t least = 5 * TICKS_PER_MINUTE, most = 14 * TICKS_PER_DAY;
    const struct json_node *node;
    int op = RULE_GT;
    RF_TRY(read_duration(r, p, "queryFrequency", least, most, range, &rule->frequency_ticks));
    RF_TRY(read_duration(r, p, "queryPeriod", least, most, range, &rule->period_ticks));
    if (r->strict && rule->frequency_ticks > rule->period_ticks)
        return bad(r, json_get(p, "queryFrequency"), "queryFrequency",
                   "it must not be longer than queryPeriod, or events would be missed");
    RF_TRY(read_name(r, p, "triggerOperator", true, rule_operator_names, &op));
    rule->trigger_operator = (enum rule_operator)op;
    RF_TRY(find(r, p, "triggerThreshold", true, &node));
    if (node != NULL && !json_i64_at(p, "triggerThreshold", &rule->trigger_threshold))
        return bad(r, node, "triggerThreshold", "a whole number is expected");
    if (rule->trigger_threshold < 0 || rule->trigger_threshold > RULE_THRESHOLD_MAX)
        return bad(r, node, "triggerThreshold", "it is a number from 0 to 10000");
    RF_TRY(find(r, p, "startTimeUtc", false, &node));
    if (node != NULL &&
        (node->type != JSON_T_STRING || !time_parse_iso(node->text, &rule->start_usec)))
        return bad_text(r, node, "startTimeUtc", node->text, "an ISO 8601 time");
    return RF_OK;
}

static enum rf_kind read_times(struct reader *r, const struct json_node *p)
{
    struct rule *rule = r->rule;
    if (r->is_schedule)
        RF_TRY(read_schedule(r, p));
    else
        rule->frequency_ticks = rule->period_ticks = TICKS_PER_MINUTE;
    RF_TRY(read_bool(r, p, "suppressionEnabled", true, &rule->suppression));
    return read_duration(r, p, "suppressionDuration", 5 * TICKS_PER_MINUTE, TICKS_PER_DAY,
                         "between 5 minutes (PT5M) and 24 hours (PT24H)", &rule->suppression_ticks);
}

/* ---- what it says ---------------------------------------------------------------------------------------------------- */

static enum rf_kind read_words(struct reader *r, const struct json_node *p)
{
    struct rule *rule = r->rule;
    const struct json_node *node;
    RF_TRY(read_text(r, p, "displayName", true, NAME_BYTES_MAX, &rule->name));
    RF_TRY(
        read_text(r, p, "description", false, RULE_DESCRIPTION_BYTES_MAX * 4, &rule->description));
    RF_TRY(read_bool(r, p, "enabled", true, &rule->enabled));
    RF_TRY(find(r, p, "severity", true, &node));
    if (node != NULL) {
        const char *name = node->type == JSON_T_STRING ? rule_severity_name(node->text) : NULL;
        if (name == NULL && r->strict)
            return bad_text(r, node, "severity", node->text,
                            "one of High, Medium, Low, Informational");
        rule->severity = name == NULL ? node->text : rf_str_of(name);
    }
    RF_TRY(read_texts(r, p, "tactics", check_tactic, "a tactic of ATT&CK", &rule->tactics,
                      &rule->tactic_count));
    RF_TRY(read_texts(r, p, "techniques", check_technique, "a technique such as T1110",
                      &rule->techniques, &rule->technique_count));
    return read_texts(r, p, "subTechniques", check_sub_technique,
                      "a sub-technique such as T1110.001", &rule->sub_techniques,
                      &rule->sub_technique_count);
}

static enum rf_kind read_query(struct reader *r, const struct json_node *p)
{
    const struct json_node *node = json_get(p, "query");
    if (!json_is(node, JSON_T_STRING) || rf_str_trim(node->text).len == 0)
        return bad(r, node == NULL ? p : node, "query", "a query is required");
    if (r->strict && rf_utf8_count(node->text) > RULE_QUERY_CHARS_MAX)
        return bad(r, node, "query", "it is longer than 10000 characters");
    r->rule->query = node->text;
    r->rule->query_line = node->line;
    return RF_OK;
}

/* ---- entities and details ---------------------------------------------------------------------------------------------- */

static enum rf_kind read_field(struct reader *r, const struct json_node *item, rf_str type,
                               struct rule_field *out)
{
    const char *member = "entityMappings.fieldMappings";
    rf_str identifier = json_text_at(item, "identifier");
    out->column = json_text_at(item, "columnName");
    if (identifier.len == 0 || out->column.len == 0)
        return bad(r, item, member, "each needs an identifier and a columnName");
    const char *name = entity_identifier_name(type, identifier);
    if (name == NULL && r->strict) {
        (void)RF_FAIL(r->err, RF_INVALID, "BadRequest",
                      "properties.%s: '%.*s' is no identifier of %.*s", member,
                      (int)RF_MIN(identifier.len, 100), (const char *)identifier.ptr, RF_FMT(type));
        if (r->err != NULL) r->err->line = item->line;
        return RF_INVALID;
    }
    out->identifier = name == NULL ? identifier : rf_str_of(name);
    return RF_OK;
}

static enum rf_kind read_entity(struct reader *r, const struct json_node *item,
                                struct rule_entity *out)
{
    rf_str type = json_text_at(item, "entityType");
    const char *name = entity_type_name(type);
    const struct json_node *fields = json_get(item, "fieldMappings");
    if (name == NULL && r->strict)
        return bad_text(r, item, "entityMappings.entityType", type,
                        "a type of entity such as Account, Host or IP");
    if (!json_is(fields, JSON_T_ARRAY) || fields->count == 0)
        return bad(r, item, "entityMappings.fieldMappings", "at least one is required");
    if (r->strict && fields->count > RULE_FIELDS_MAX)
        return bad(r, fields, "entityMappings.fieldMappings",
                   "there are more than 3 of one entity");
    *out = (struct rule_entity){.type = name == NULL ? type : rf_str_of(name)};
    out->fields = rf_arena_new(r->arena, struct rule_field, fields->count);
    if (out->fields == NULL) return rf_fail_memory(r->err, r->arena);
    for (const struct json_node *f = fields->first; f != NULL; f = f->next)
        RF_TRY(read_field(r, f, out->type, &out->fields[out->field_count++]));
    return RF_OK;
}

static enum rf_kind read_entities(struct reader *r, const struct json_node *p)
{
    struct rule *rule = r->rule;
    const struct json_node *list;
    RF_TRY(find_list(r, p, "entityMappings", RULE_ENTITIES_MAX, &list));
    if (list != NULL) {
        rule->entities = rf_arena_new(r->arena, struct rule_entity, list->count);
        if (rule->entities == NULL) return rf_fail_memory(r->err, r->arena);
        for (const struct json_node *item = list->first; item != NULL; item = item->next)
            RF_TRY(read_entity(r, item, &rule->entities[rule->entity_count++]));
    }
    RF_TRY(find_list(r, p, "sentinelEntitiesMappings", RULE_ENTITIES_MAX, &list));
    if (list == NULL) return RF_OK;
    rule->sentinel_entity_columns = rf_arena_new(r->arena, rf_str, list->count);
    if (rule->sentinel_entity_columns == NULL) return rf_fail_memory(r->err, r->arena);
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        rf_str column = json_text_at(item, "columnName");
        if (column.len == 0)
            return bad(r, item, "sentinelEntitiesMappings", "each needs a columnName");
        rule->sentinel_entity_columns[rule->sentinel_entity_count++] = column;
    }
    return RF_OK;
}

static enum rf_kind read_details(struct reader *r, const struct json_node *p)
{
    struct rule *rule = r->rule;
    const struct json_node *map;
    RF_TRY(find(r, p, "customDetails", false, &map));
    if (map == NULL) return RF_OK;
    if (map->type != JSON_T_OBJECT)
        return bad(r, map, "customDetails", "an object of names and columns is expected");
    if (r->strict && map->count > RULE_DETAILS_MAX)
        return bad(r, map, "customDetails", "there are more than 20");
    rule->details = rf_arena_new(r->arena, struct rule_detail, map->count);
    if (rule->details == NULL) return rf_fail_memory(r->err, r->arena);
    for (const struct json_node *item = map->first; item != NULL; item = item->next) {
        if (item->type != JSON_T_STRING || item->text.len == 0 || item->name.len == 0)
            return bad(r, item, "customDetails", "each is a name and the name of a column");
        rule->details[rule->detail_count++] = (struct rule_detail){item->name, item->text};
    }
    return RF_OK;
}

/* ---- alertDetailsOverride ------------------------------------------------------------------------------------------------ */

bool rule_format_next(rf_str format, size_t *at, size_t *from, rf_str *column)
{
    for (;;) {
        size_t open = rf_str_find(format, RF_S("{{"), *at);
        if (open == SIZE_MAX) return false;
        size_t close = rf_str_find(format, RF_S("}}"), open + 2);
        if (close == SIZE_MAX) return false;
        *at = close + 2;
        *column = rf_str_trim(rf_slice(format, open + 2, close));
        if (column->len == 0) continue;
        if (from != NULL) *from = open;
        return true;
    }
}

static enum rf_kind read_format(struct reader *r, const struct json_node *object,
                                const char *member, size_t bytes_max, rf_str *out)
{
    rf_str column, seen[RULE_FORMAT_COLUMNS_MAX];
    uint32_t count = 0;
    RF_TRY(read_text(r, object, member, false, bytes_max, out));
    for (size_t at = 0; r->strict && rule_format_next(*out, &at, NULL, &column);) {
        uint32_t i = 0;
        while (i < count && !rf_str_eq(seen[i], column)) i++;
        if (i < count) continue;
        if (count == RULE_FORMAT_COLUMNS_MAX)
            return bad(r, json_get(object, member), member, "it names more than 3 columns");
        seen[count++] = column;
    }
    return RF_OK;
}

static enum rf_kind read_override(struct reader *r, const struct json_node *p)
{
    struct rule *rule = r->rule;
    const struct json_node *o, *list;
    RF_TRY(find(r, p, "alertDetailsOverride", false, &o));
    if (o == NULL) return RF_OK;
    if (o->type != JSON_T_OBJECT) return bad(r, o, "alertDetailsOverride", "an object is expected");
    RF_TRY(read_format(r, o, "alertDisplayNameFormat", RULE_NAME_FORMAT_BYTES_MAX,
                       &rule->name_format));
    RF_TRY(read_format(r, o, "alertDescriptionFormat", RULE_DESCRIPTION_BYTES_MAX,
                       &rule->description_format));
    RF_TRY(read_text(r, o, "alertTacticsColumnName", false, NAME_BYTES_MAX, &rule->tactics_column));
    RF_TRY(
        read_text(r, o, "alertSeverityColumnName", false, NAME_BYTES_MAX, &rule->severity_column));
    RF_TRY(find_list(r, o, "alertDynamicProperties", LISTED_MAX, &list));
    if (list == NULL) return RF_OK;
    rule->properties = rf_arena_new(r->arena, struct rule_property, list->count);
    if (rule->properties == NULL) return rf_fail_memory(r->err, r->arena);
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        int at = rule_find_name(rule_property_names, json_text_at(item, "alertProperty"));
        rf_str column = json_text_at(item, "value");
        if (at < 0)
            return bad_text(r, item, "alertDetailsOverride.alertDynamicProperties",
                            json_text_at(item, "alertProperty"), "a property that may be set");
        if (column.len == 0)
            return bad(r, item, "alertDetailsOverride.alertDynamicProperties",
                       "each needs a value: the name of a column");
        rule->properties[rule->property_count++] =
            (struct rule_property){rf_str_of(rule_property_names[at]), column};
    }
    return RF_OK;
}

/* ---- incidents -------------------------------------------------------------------------------------------------------------- */

static bool is_mapped(const struct rule *rule, rf_str type)
{
    for (uint32_t i = 0; i < rule->entity_count; i++)
        if (rf_str_eq(rule->entities[i].type, type)) return true;
    return false;
}

static bool is_detail(const struct rule *rule, rf_str name)
{
    for (uint32_t i = 0; i < rule->detail_count; i++)
        if (rf_str_eq(rule->details[i].name, name)) return true;
    return false;
}

/* What is selected must be there, or alerts would be thought alike for something that none of them has. */
static enum rf_kind check_selected(struct reader *r, const struct json_node *g)
{
    const struct rule *rule = r->rule;
    if (!r->strict || rule->match != RULE_MATCH_SELECTED) return RF_OK;
    if (rule->match_entity_count + rule->match_alert_detail_count +
            rule->match_custom_detail_count ==
        0)
        return bad(r, g, "incidentConfiguration.groupingConfiguration",
                   "matchingMethod Selected needs groupByEntities, groupByAlertDetails or "
                   "groupByCustomDetails");
    for (uint32_t i = 0; i < rule->match_entity_count; i++)
        if (!is_mapped(rule, rule->match_entities[i]) && rule->sentinel_entity_count == 0)
            return bad_text(r, json_get(g, "groupByEntities"),
                            "incidentConfiguration.groupingConfiguration.groupByEntities",
                            rule->match_entities[i], "a type that entityMappings maps");
    for (uint32_t i = 0; i < rule->match_custom_detail_count; i++)
        if (!is_detail(rule, rule->match_custom_details[i]))
            return bad_text(r, json_get(g, "groupByCustomDetails"),
                            "incidentConfiguration.groupingConfiguration.groupByCustomDetails",
                            rule->match_custom_details[i], "a name in customDetails");
    return RF_OK;
}

static enum rf_kind read_grouping(struct reader *r, const struct json_node *c)
{
    struct rule *rule = r->rule;
    const struct json_node *g;
    int match = RULE_MATCH_ALL_ENTITIES;
    RF_TRY(find(r, c, "groupingConfiguration", false, &g));
    if (g == NULL) return RF_OK;
    if (g->type != JSON_T_OBJECT)
        return bad(r, g, "incidentConfiguration.groupingConfiguration", "an object is expected");
#define IN "incidentConfiguration.groupingConfiguration."
    RF_TRY(read_bool(r, g, IN "enabled", true, &rule->group));
    RF_TRY(read_bool(r, g, IN "reopenClosedIncident", true, &rule->reopen_closed));
    RF_TRY(read_duration(r, g, IN "lookbackDuration", 5 * TICKS_PER_MINUTE, 7 * TICKS_PER_DAY,
                         "between 5 minutes (PT5M) and 7 days (P7D)", &rule->lookback_ticks));
    RF_TRY(read_name(r, g, IN "matchingMethod", true, rule_match_names, &match));
    rule->match = (enum rule_match)match;
    RF_TRY(read_texts(r, g, "groupByEntities", check_entity, "a type of entity",
                      &rule->match_entities, &rule->match_entity_count));
    RF_TRY(read_texts(r, g, "groupByAlertDetails", check_alert_detail, "DisplayName or Severity",
                      &rule->match_alert_details, &rule->match_alert_detail_count));
    RF_TRY(read_texts(r, g, "groupByCustomDetails", check_any, "a text",
                      &rule->match_custom_details, &rule->match_custom_detail_count));
#undef IN
    return check_selected(r, g);
}

static enum rf_kind read_incidents(struct reader *r, const struct json_node *p)
{
    const struct json_node *settings, *c;
    int grouping = 0;
    RF_TRY(find(r, p, "eventGroupingSettings", false, &settings));
    if (settings != NULL)
        RF_TRY(read_name(r, settings, "eventGroupingSettings.aggregationKind", false,
                         rule_grouping_names, &grouping));
    r->rule->alert_per_result = grouping == 1;
    r->rule->create_incident = true;
    r->rule->lookback_ticks = 5 * TICKS_PER_HOUR;
    RF_TRY(find(r, p, "incidentConfiguration", false, &c));
    if (c == NULL) return RF_OK;
    if (c->type != JSON_T_OBJECT)
        return bad(r, c, "incidentConfiguration", "an object is expected");
    RF_TRY(
        read_bool(r, c, "incidentConfiguration.createIncident", true, &r->rule->create_incident));
    return read_grouping(r, c);
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_rule(const struct json_node *document, rf_str id, bool strict,
                              struct rf_arena *arena, struct rule *out, struct rf_err *err)
{
    struct rule rule = {.id = id, .enabled = true};
    struct reader reader = {.arena = arena, .err = err, .rule = &rule, .strict = strict};
    const struct json_node *p = json_get(document, "properties");
    rf_str kind = json_text_at(document, "kind");
    int at = rule_find_name(rule_kind_names, kind);
    if (at < 0)
        return RF_FAIL(err, RF_INVALID, "BadRequest",
                       "kind: '%.*s' is no kind of rule that runs a query (Scheduled, NRT)",
                       (int)RF_MIN(kind.len, 100), (const char *)kind.ptr);
    if (!json_is(p, JSON_T_OBJECT))
        return RF_FAIL(err, RF_INVALID, "BadRequest", "properties: an object is required");
    rule.kind = (enum rule_kind)at;
    reader.is_schedule = rule.kind == RULE_SCHEDULED;
    RF_TRY(read_words(&reader, p));
    RF_TRY(read_query(&reader, p));
    RF_TRY(read_times(&reader, p));
    RF_TRY(read_entities(&reader, p));
    RF_TRY(read_details(&reader, p));
    RF_TRY(read_override(&reader, p));
    RF_TRY(read_incidents(&reader, p));
    *out = rule;
    return RF_OK;
}

enum rf_kind rule_parse(const struct json_node *document, rf_str id, struct rf_arena *arena,
                        struct rule *out, struct rf_err *err)
{
    return read_rule(document, id, true, arena, out, err);
}

enum rf_kind rule_read_loose(const struct json_node *document, rf_str id, struct rf_arena *arena,
                             struct rule *out, struct rf_err *err)
{
    return read_rule(document, id, false, arena, out, err);
}

bool rule_triggers(const struct rule *rule, uint64_t row_count)
{
    uint64_t threshold = rule->trigger_threshold < 0 ? 0 : (uint64_t)rule->trigger_threshold;
    switch (rule->trigger_operator) {
    case RULE_GT:
        return row_count > threshold;
    case RULE_LT:
        return row_count < threshold;
    case RULE_EQ:
        return row_count == threshold;
    case RULE_NE:
        return row_count != threshold;
    }
    return false;
}

/* ---- columns -------------------------------------------------------------------------------------------------------------------- */

static bool format_column(rf_str format, uint32_t *number, rf_str *column)
{
    for (size_t at = 0; rule_format_next(format, &at, NULL, column);)
        if ((*number)-- == 0) return true;
    return false;
}

static bool entity_column(const struct rule *rule, uint32_t *number, rf_str *column)
{
    for (uint32_t e = 0; e < rule->entity_count; e++) {
        const struct rule_entity *entity = &rule->entities[e];
        if (*number < entity->field_count) {
            *column = entity->fields[*number].column;
            return true;
        }
        *number -= entity->field_count;
    }
    return false;
}

static bool text_column(rf_str text, uint32_t *number, rf_str *column)
{
    if (text.len == 0) return false;
    *column = text;
    return (*number)-- == 0;
}

bool rule_column(const struct rule *rule, uint32_t number, rf_str *column, const char **what)
{
    const char *ignored;
    if (what == NULL) what = &ignored;
    *what = "entityMappings";
    if (entity_column(rule, &number, column)) return true;
    *what = "sentinelEntitiesMappings";
    for (uint32_t i = 0; i < rule->sentinel_entity_count; i++)
        if (text_column(rule->sentinel_entity_columns[i], &number, column)) return true;
    *what = "customDetails";
    for (uint32_t i = 0; i < rule->detail_count; i++)
        if (text_column(rule->details[i].column, &number, column)) return true;
    *what = "alertDetailsOverride";
    if (format_column(rule->name_format, &number, column) ||
        format_column(rule->description_format, &number, column) ||
        text_column(rule->tactics_column, &number, column) ||
        text_column(rule->severity_column, &number, column))
        return true;
    for (uint32_t i = 0; i < rule->property_count; i++)
        if (text_column(rule->properties[i].column, &number, column)) return true;
    return false;
}
