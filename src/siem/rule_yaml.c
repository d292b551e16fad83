/* rule_yaml.c - the YAML of public collections to the document of the API, and what the API fills in by itself. */
#include "siem/rule.h"

#include "siem/rule_int.h"
#include "value/text.h"

/* ---- members -------------------------------------------------------------------------------------------------------- */

struct writer {
    struct rf_arena *arena;
    struct rf_err *err;
    const struct json_node *yaml;
    struct json_node *properties;
};

static enum rf_kind bad(struct writer *w, const struct json_node *at, const char *member,
                        const char *expected)
{
    (void)RF_FAIL(w->err, RF_INVALID, "BadRule", "%s: '%.*s' is not %s", member,
                  (int)RF_MIN(at->text.len, 100), (const char *)at->text.ptr, expected);
    if (w->err != NULL) w->err->line = at->line;
    return RF_INVALID;
}

/* The member; NULL when it is absent or says nothing. */
static const struct json_node *find(const struct json_node *object, const char *member)
{
    const struct json_node *node = json_get(object, member);
    if (node == NULL || node->type == JSON_T_NULL) return NULL;
    bool is_text = node->type == JSON_T_STRING;
    bool is_null = is_text && (rf_str_is(node->text, "null") || rf_str_is(node->text, "~"));
    return is_null || (is_text && rf_str_trim(node->text).len == 0) ? NULL : node;
}

/* Sets a member that keeps the line of the one that it was made of. */
static enum rf_kind put(struct writer *w, struct json_node *object, const char *name,
                        const struct json_node *from, struct json_node *value)
{
    if (json_set(w->arena, object, rf_str_of(name), value) == NULL)
        return rf_fail_memory(w->err, w->arena);
    value->line = from->line;
    return RF_OK;
}

static enum rf_kind put_text(struct writer *w, struct json_node *object, const char *name,
                             const struct json_node *from, rf_str text)
{
    return put(w, object, name, from, json_new_text(w->arena, text));
}

static enum rf_kind copy(struct writer *w, const char *from, const char *to)
{
    const struct json_node *node = find(w->yaml, from);
    if (node == NULL) return RF_OK;
    return put(w, w->properties, to, node, json_clone(w->arena, node));
}

/* A text; what YAML takes for a number or a truth value is one as it is written. */
static bool text_of(const struct json_node *node, rf_str *out)
{
    *out = node->text;
    if (node->type == JSON_T_TRUE) *out = RF_S("true");
    if (node->type == JSON_T_FALSE) *out = RF_S("false");
    return node->type != JSON_T_NULL && node->type != JSON_T_ARRAY && node->type != JSON_T_OBJECT;
}

/* ---- durations ---------------------------------------------------------------------------------------------------------- */

static void put_part(struct rf_buf *buf, int64_t ticks, int64_t unit, int64_t below, char letter)
{
    int64_t count = (below == 0 ? ticks : ticks % below) / unit;
    if (count > 0) rf_buf_printf(buf, "%lld%c", (long long)count, letter);
}

/* 5m, 1d, 1.02:00:00, PT5M: PT5M, P1D ... */
static enum rf_kind put_duration(struct writer *w, const struct json_node *from,
                                 struct json_node *object, const char *name)
{
    const struct json_node *node = find(from, name);
    rf_str text;
    int64_t ticks;
    if (node == NULL) return RF_OK;
    if (!text_of(node, &text)) return bad(w, node, name, "a duration such as 1d or PT1H");
    if (text.len > 0 && rf_upper(text.ptr[0]) == 'P') return put_text(w, object, name, node, text);
    if (!text_to_timespan(text, &ticks) || ticks < 0)
        return bad(w, node, name, "a duration such as 1d or PT1H");
    struct rf_buf buf = rf_buf_in(w->arena);
    rf_buf_byte(&buf, 'P');
    put_part(&buf, ticks, TICKS_PER_DAY, 0, 'D');
    if (ticks % TICKS_PER_DAY != 0 || ticks == 0) rf_buf_byte(&buf, 'T');
    put_part(&buf, ticks, TICKS_PER_HOUR, TICKS_PER_DAY, 'H');
    put_part(&buf, ticks, TICKS_PER_MINUTE, TICKS_PER_HOUR, 'M');
    put_part(&buf, ticks, TICKS_PER_SECOND, TICKS_PER_MINUTE, 'S');
    if (buf.len == 2 && ticks == 0) rf_buf_str(&buf, RF_S("0S"));
    if (buf.failed) return rf_fail_memory(w->err, w->arena);
    return put_text(w, object, name, node, rf_buf_view(&buf));
}

/* ---- what is spelt otherwise --------------------------------------------------------------------------------------------- */

/* Descriptions of public rules stand in a pair of quotes inside the block of text. */
static enum rf_kind put_description(struct writer *w)
{
    const struct json_node *node = find(w->yaml, "description");
    rf_str text;
    if (node == NULL || !text_of(node, &text)) return RF_OK;
    text = rf_str_trim(text);
    if (text.len >= 2 && text.ptr[0] == '\'' && text.ptr[text.len - 1] == '\'')
        text = rf_str_trim(rf_slice(text, 1, text.len - 1));
    return put_text(w, w->properties, "description", node, text);
}

static enum rf_kind put_trigger(struct writer *w)
{
    static const char *const shorts[] = {"gt", "lt", "eq", "ne", NULL};
    const struct json_node *op = find(w->yaml, "triggerOperator");
    const struct json_node *threshold = find(w->yaml, "triggerThreshold");
    rf_str text;
    int64_t number;
    if (op != NULL) {
        bool is_text = text_of(op, &text);
        int at = is_text ? rule_find_name(shorts, text) : -1;
        if (at < 0 && is_text) at = rule_find_name(rule_operator_names, text);
        if (at < 0) return bad(w, op, "triggerOperator", "gt, lt, eq or ne");
        RF_TRY(
            put_text(w, w->properties, "triggerOperator", op, rf_str_of(rule_operator_names[at])));
    }
    if (threshold == NULL) return RF_OK;
    if (!text_of(threshold, &text) || !text_to_long(text, &number))
        return bad(w, threshold, "triggerThreshold", "a whole number");
    return put(w, w->properties, "triggerThreshold", threshold, json_new_i64(w->arena, number));
}

/* A list of texts, for which one text may stand. */
static enum rf_kind list_of(struct writer *w, const char *member, struct json_node **out)
{
    const struct json_node *node = find(w->yaml, member);
    *out = NULL;
    if (node == NULL) return RF_OK;
    struct json_node *list = json_new(w->arena, JSON_T_ARRAY);
    const struct json_node *item = node->type == JSON_T_ARRAY ? node->first : node;
    for (; item != NULL; item = node->type == JSON_T_ARRAY ? item->next : NULL) {
        rf_str text;
        if (item->type == JSON_T_NULL) continue;
        if (!text_of(item, &text)) return bad(w, item, member, "a text");
        struct json_node *made = json_append(list, json_new_text(w->arena, rf_str_trim(text)));
        if (made == NULL) return rf_fail_memory(w->err, w->arena);
        made->line = item->line;
    }
    if (list == NULL) return rf_fail_memory(w->err, w->arena);
    list->line = node->line;
    *out = list;
    return RF_OK;
}

static enum rf_kind put_tactics(struct writer *w)
{
    struct json_node *list;
    RF_TRY(list_of(w, "tactics", &list));
    if (list == NULL) return RF_OK;
    for (struct json_node *item = list->first; item != NULL; item = item->next) {
        const char *name = rule_tactic_name(item->text);
        if (name != NULL) item->text = rf_str_of(name); /* who stores the rule says what is none */
    }
    return put(w, w->properties, "tactics", list, list);
}

static bool has_text(const struct json_node *list, rf_str text)
{
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        if (rf_str_eq(item->text, text)) return true;
    return false;
}

/* T1110.001 is the sub-technique and its technique, T1110. What is no technique stays for who stores the rule to name. */
static enum rf_kind put_techniques(struct writer *w)
{
    struct json_node *list, *techniques, *subs;
    RF_TRY(list_of(w, "relevantTechniques", &list));
    if (list == NULL) RF_TRY(list_of(w, "techniques", &list));
    if (list == NULL) return RF_OK;
    techniques = json_new(w->arena, JSON_T_ARRAY);
    subs = json_new(w->arena, JSON_T_ARRAY);
    if (techniques == NULL || subs == NULL) return rf_fail_memory(w->err, w->arena);
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        bool is_sub, is_known = rule_is_technique(item->text, &is_sub);
        rf_str main = is_known ? rf_slice(item->text, 0, 5) : item->text;
        is_sub = is_sub && is_known;
        if (is_sub && !has_text(subs, item->text) &&
            json_append(subs, json_new_text(w->arena, item->text)) == NULL)
            return rf_fail_memory(w->err, w->arena);
        if (!has_text(techniques, main) &&
            json_append(techniques, json_new_text(w->arena, main)) == NULL)
            return rf_fail_memory(w->err, w->arena);
    }
    RF_TRY(put(w, w->properties, "techniques", list, techniques));
    return subs->count == 0 ? RF_OK : put(w, w->properties, "subTechniques", list, subs);
}

static enum rf_kind put_switch(struct writer *w, const char *name, bool otherwise)
{
    const struct json_node *node = find(w->yaml, name);
    bool truth = otherwise;
    rf_str text;
    if (node != NULL && (!text_of(node, &text) || !text_to_bool(text, &truth)))
        return bad(w, node, name, "true or false");
    return put(w, w->properties, name, node == NULL ? w->yaml : node,
               json_new_bool(w->arena, truth));
}

/* A truth value in an object that was copied, where all scalars may be texts. */
static enum rf_kind settle_switch(struct writer *w, struct json_node *object, const char *name)
{
    const struct json_node *node = find(object, name);
    rf_str text;
    bool truth;
    if (node == NULL) return RF_OK;
    if (!text_of(node, &text) || !text_to_bool(text, &truth))
        return bad(w, node, name, "true or false");
    return put(w, object, name, node, json_new_bool(w->arena, truth));
}

static enum rf_kind put_suppression(struct writer *w)
{
    RF_TRY(put_switch(w, "suppressionEnabled", false));
    RF_TRY(put_duration(w, w->yaml, w->properties, "suppressionDuration"));
    if (json_get(w->properties, "suppressionDuration") != NULL) return RF_OK;
    return put_text(w, w->properties, "suppressionDuration", w->yaml, RF_S("PT5H"));
}

static enum rf_kind put_incidents(struct writer *w)
{
    static const char member[] = "incidentConfiguration";
    RF_TRY(copy(w, member, member));
    struct json_node *c = json_get(w->properties, member);
    struct json_node *g = json_get(c, "groupingConfiguration");
    if (json_is(c, JSON_T_OBJECT)) RF_TRY(settle_switch(w, c, "createIncident"));
    if (!json_is(g, JSON_T_OBJECT)) return RF_OK;
    RF_TRY(settle_switch(w, g, "enabled"));
    RF_TRY(settle_switch(w, g, "reopenClosedIncident"));
    return put_duration(w, g, g, "lookbackDuration");
}

/* ---- the document ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind put_query(struct writer *w)
{
    const struct json_node *node = find(w->yaml, "query");
    if (node == NULL || node->type != JSON_T_STRING || rf_str_trim(node->text).len == 0)
        return RF_FAIL(w->err, RF_INVALID, "NotARule", "the file is no rule: it has no query");
    return put_text(w, w->properties, "query", node, node->text);
}

static enum rf_kind put_name(struct writer *w)
{
    const struct json_node *node = find(w->yaml, "name");
    rf_str text;
    if (node == NULL) return RF_OK;
    if (!text_of(node, &text)) return bad(w, node, "name", "a text");
    return put_text(w, w->properties, "displayName", node, rf_str_trim(text));
}

static enum rf_kind put_all(struct writer *w, bool is_schedule)
{
    RF_TRY(put_query(w));
    RF_TRY(put_name(w));
    RF_TRY(put_description(w));
    RF_TRY(copy(w, "severity", "severity"));
    RF_TRY(put_switch(w, "enabled", true));
    if (is_schedule) {
        RF_TRY(put_duration(w, w->yaml, w->properties, "queryFrequency"));
        RF_TRY(put_duration(w, w->yaml, w->properties, "queryPeriod"));
        RF_TRY(put_trigger(w));
    }
    RF_TRY(put_suppression(w));
    RF_TRY(put_tactics(w));
    RF_TRY(put_techniques(w));
    static const char *const same[] = {"entityMappings",        "sentinelEntitiesMappings",
                                       "customDetails",         "alertDetailsOverride",
                                       "eventGroupingSettings", "alertRuleTemplateName",
                                       "startTimeUtc",          "templateVersion"};
    for (size_t i = 0; i < RF_COUNT(same); i++) RF_TRY(copy(w, same[i], same[i]));
    return put_incidents(w);
}

enum rf_kind rule_from_yaml(const struct json_node *yaml, struct rf_arena *arena,
                            struct json_node **document, rf_str *id, struct rf_err *err)
{
    if (!json_is(yaml, JSON_T_OBJECT))
        return RF_FAIL(err, RF_INVALID, "NotARule",
                       "the file is no rule: it does not hold keys and values");
    struct writer w = {.arena = arena, .err = err, .yaml = yaml};
    const struct json_node *kind = find(yaml, "kind");
    rf_str name = RF_S("Scheduled"), own = {NULL, 0};
    if (kind != NULL && !text_of(kind, &name)) return bad(&w, kind, "kind", "a text");
    int at = rule_find_name(rule_kind_names, name);
    if (kind != NULL && at < 0 && find(yaml, "query") != NULL)
        return bad(&w, kind, "kind", "Scheduled or NRT");
    struct json_node *made = json_new(arena, JSON_T_OBJECT);
    if (at >= 0) json_set_text(arena, made, "kind", rf_str_of(rule_kind_names[at]));
    w.properties = json_object_in(arena, made, "properties");
    if (w.properties == NULL) return rf_fail_memory(err, arena);
    RF_TRY(put_all(&w, at == RULE_SCHEDULED));
    const struct json_node *own_id = find(yaml, "id");
    if (own_id != NULL && !text_of(own_id, &own)) return bad(&w, own_id, "id", "a text");
    *document = made;
    if (id != NULL) *id = rf_str_trim(own);
    return RF_OK;
}

/* ---- what the API fills in ----------------------------------------------------------------------------------------------------- */

static struct json_node *absent(struct rf_arena *arena, struct json_node *object, const char *name,
                                enum json_type type)
{
    struct json_node *node = json_get(object, name);
    if (node != NULL && node->type != JSON_T_NULL) return node;
    return json_set(arena, object, rf_str_of(name), json_new(arena, type));
}

static bool default_text(struct rf_arena *arena, struct json_node *object, const char *name,
                         const char *text)
{
    if (find(object, name) != NULL) return true;
    return json_set_text(arena, object, name, rf_str_of(text)) != NULL;
}

static bool default_grouping(struct json_node *c, struct rf_arena *arena)
{
    struct json_node *g = absent(arena, c, "groupingConfiguration", JSON_T_OBJECT);
    return g != NULL && absent(arena, g, "enabled", JSON_T_FALSE) != NULL &&
           absent(arena, g, "reopenClosedIncident", JSON_T_FALSE) != NULL &&
           default_text(arena, g, "lookbackDuration", "PT5H") &&
           default_text(arena, g, "matchingMethod", "AllEntities") &&
           absent(arena, g, "groupByEntities", JSON_T_ARRAY) != NULL &&
           absent(arena, g, "groupByAlertDetails", JSON_T_ARRAY) != NULL &&
           absent(arena, g, "groupByCustomDetails", JSON_T_ARRAY) != NULL;
}

enum rf_kind rule_defaults(struct json_node *document, struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *p = json_object_in(arena, document, "properties");
    struct json_node *settings = absent(arena, p, "eventGroupingSettings", JSON_T_OBJECT);
    struct json_node *c = absent(arena, p, "incidentConfiguration", JSON_T_OBJECT);
    bool done = settings != NULL && c != NULL &&
                default_text(arena, settings, "aggregationKind", "SingleAlert") &&
                absent(arena, c, "createIncident", JSON_T_TRUE) != NULL &&
                default_grouping(c, arena) && default_text(arena, p, "description", "") &&
                absent(arena, p, "tactics", JSON_T_ARRAY) != NULL &&
                absent(arena, p, "techniques", JSON_T_ARRAY) != NULL &&
                absent(arena, p, "subTechniques", JSON_T_ARRAY) != NULL;
    return done ? RF_OK : rf_fail_memory(err, arena);
}
