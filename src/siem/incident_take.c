/* incident_take.c - what becomes of an alert: which incident it joins, or the new one that it makes.
 *
 * Alerts of a rule that belong together are alike in a text, the group: what must match, with the rule and the method in front of it.
 * An incident keeps the group of the alert that made it, an index finds the newest such incidents, and nothing else needs to
 * be compared. */
#include "siem/incident_int.h"

#include <stdlib.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "siem/rule_int.h"
#include "value/value.h"

enum { CANDIDATES_MAX = 20 };

/* ---- what must match --------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return rf_str_cmp(*(const rf_str *)a, *(const rf_str *)b);
}

static void put_texts(struct rf_buf *buf, char mark, rf_str *texts, uint32_t count)
{
    qsort(texts, count, sizeof *texts, by_text);
    for (uint32_t i = 0; i < count; i++)
        rf_buf_printf(buf, "%c%zu:%.*s", mark, texts[i].len, RF_FMT(texts[i]));
}

static bool is_selected(const struct rule *rule, rf_str type)
{
    const char *mapping = entity_mapping_of(type);
    if (rule->match == RULE_MATCH_ALL_ENTITIES) return true;
    for (uint32_t i = 0; mapping != NULL && i < rule->match_entity_count; i++)
        if (rf_str_is(rule->match_entities[i], mapping)) return true;
    return false;
}

static bool put_entities(struct rf_buf *buf, const struct rule *rule, const struct alert *alert)
{
    rf_str *keys = rf_arena_new(buf->arena, rf_str, alert->entity_count);
    uint32_t n = 0;
    if (keys == NULL) return false;
    for (uint32_t i = 0; i < alert->entity_count; i++)
        if (is_selected(rule, alert->entities[i].type)) keys[n++] = alert->entities[i].key;
    put_texts(buf, 'e', keys, n);
    return true;
}

static bool put_detail(struct rf_buf *buf, rf_str name, const struct alert *alert)
{
    const struct json_node *list = json_get_str(alert->custom_details, name);
    rf_str *values = rf_arena_new(buf->arena, rf_str, list == NULL ? 0 : list->count);
    uint32_t n = 0;
    if (values == NULL) return false;
    for (const struct json_node *v = list == NULL ? NULL : list->first; v != NULL; v = v->next)
        values[n++] = v->text;
    put_texts(buf, 'n', &name, 1);
    put_texts(buf, 'v', values, n);
    return true;
}

static bool put_selected(struct rf_buf *buf, const struct rule *rule, const struct alert *alert)
{
    for (uint32_t i = 0; i < rule->match_alert_detail_count; i++) {
        bool is_name = rf_str_is(rule->match_alert_details[i], "DisplayName");
        rf_str value = is_name ? alert->name : alert->severity;
        put_texts(buf, is_name ? 'd' : 's', &value, 1);
    }
    for (uint32_t i = 0; i < rule->match_custom_detail_count; i++)
        if (!put_detail(buf, rule->match_custom_details[i], alert)) return false;
    return true;
}

/* Empty when the rule does not group. */
static enum rf_kind group_of(const struct rule *rule, rf_str rule_id, const struct alert *alert,
                             struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    uint8_t digest[SHA256_BYTES];
    bool done = true;
    *out = (rf_str){NULL, 0};
    if (!rule->group) return RF_OK;
    rf_buf_printf(&buf, "%.*s\n%s\n", RF_FMT(rule_id), rule_match_names[rule->match]);
    if (rule->match != RULE_MATCH_ANY_ALERT) done = put_entities(&buf, rule, alert);
    if (rule->match == RULE_MATCH_SELECTED) done = done && put_selected(&buf, rule, alert);
    if (!done || buf.failed) return rf_fail_memory(err, arena);
    digest_sha256(rf_buf_view(&buf), digest);
    *out = hex_encode(arena, rf_str_make(digest, sizeof digest));
    return out->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* ---- the incident to join ------------------------------------------------------------------------------------------------- */

static bool may_join(const struct incident *incident, const struct rule *rule, rf_usec now)
{
    rf_usec created = 0;
    const struct json_node *alerts = json_at(incident->body, "_.alerts");
    bool is_closed = rf_str_is(json_text_at(incident->body, "properties.status"), "Closed");
    (void)time_parse_iso(json_text_at(incident->body, "properties.createdTimeUtc"), &created);
    return created >= now - rule->lookback_ticks / TICKS_PER_MICROSECOND &&
           (alerts == NULL || alerts->count < INCIDENT_ALERTS_MAX) &&
           (!is_closed || rule->reopen_closed);
}

/* An open one comes before a closed one that may be reopened, a newer one before an older one. */
static enum rf_kind find_open(struct state_txn *txn, const struct incident_place *place,
                              const struct rule *rule, rf_str group, rf_usec now,
                              struct rf_arena *arena, struct incident *out, bool *found,
                              struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {.space = SPACE_INCIDENT,
                              .index = "group",
                              .value = incident_word(place, group, arena),
                              .limit = CANDIDATES_MAX};
    *found = false;
    if (group.len == 0) return RF_OK;
    if (scan.value.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct incident incident;
        RF_TRY(incident_of(&list.items[i], arena, &incident, err));
        if (!may_join(&incident, rule, now)) continue;
        bool is_closed = rf_str_is(json_text_at(incident.body, "properties.status"), "Closed");
        if (is_closed && *found) continue;
        *out = incident;
        *found = true;
        if (!is_closed) return RF_OK;
    }
    return RF_OK;
}

static bool reopen(struct incident *incident, struct rf_arena *arena)
{
    struct json_node *p = json_get(incident->body, "properties");
    if (!rf_str_is(json_text_at(p, "status"), "Closed")) return true;
    json_remove(p, RF_S("classification"));
    json_remove(p, RF_S("classificationReason"));
    json_remove(p, RF_S("classificationComment"));
    return json_set_text(arena, p, "status", RF_S("Active")) != NULL;
}

static enum rf_kind join(struct state_txn *txn, const struct incident_place *place,
                         struct incident *incident, struct json_node *alert, rf_usec now,
                         struct rf_arena *arena, struct rf_err *err)
{
    const struct incident_by by = {INCIDENT_BY_GROUPING, RF_S("Alert grouping")};
    struct json_node *before = json_clone(arena, incident->body);
    if (before == NULL || !reopen(incident, arena)) return rf_fail_memory(err, arena);
    RF_TRY(alert_join(txn, place, incident, alert, now, arena, err));
    return incident_save(txn, place, incident, before, &by, now, arena, err);
}

/* ---- a new incident ----------------------------------------------------------------------------------------------------------- */

static bool describe(struct incident *incident, const struct alert *alert, rf_str rule_id,
                     rf_str rule_key, rf_str group, struct rf_arena *arena)
{
    struct json_node *p = json_get(incident->body, "properties");
    struct json_node *own = incident_private(incident, arena);
    struct json_node *rules = incident_list_in(p, "relatedAnalyticRuleIds", arena);
    if (group.len > 0 && json_set_text(arena, own, "group", group) == NULL) return false;
    return json_set_text(arena, p, "title", alert->name) != NULL &&
           json_set_text(arena, p, "description", alert->description) != NULL &&
           json_set_text(arena, p, "severity", alert->severity) != NULL &&
           incident_add_text(rules, rule_id, arena) &&
           json_set_text(arena, own, "rule", rule_key) != NULL;
}

static enum rf_kind make(struct state_txn *txn, const struct incident_place *place,
                         const struct alert *alert, rf_str rule_id, rf_str rule_key, rf_str group,
                         struct json_node *kept, rf_usec now, struct rf_arena *arena,
                         struct incident *out, struct rf_err *err)
{
    const struct incident_by by = {INCIDENT_BY_RULE, RF_S("Incident created from alert")};
    rf_str name = siem_guid(arena, RF_S("incident"), alert->id);
    if (name.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(incident_new(txn, place, name, now, arena, out, err));
    if (!describe(out, alert, rule_id, rule_key, group, arena)) return rf_fail_memory(err, arena);
    RF_TRY(alert_join(txn, place, out, kept, now, arena, err));
    return incident_save(txn, place, out, NULL, &by, now, arena, err);
}

/* ---- the alert ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind keep(const struct incident_place *place, const struct alert *alert,
                         struct rf_arena *arena, struct json_node **out, struct rf_err *err)
{
    struct json_node *body = json_new(arena, JSON_T_OBJECT), *row;
    RF_TRY(json_parse(alert->row, arena, &row, err));
    json_set(arena, body, RF_S("row"), row);
    struct json_node *keys = incident_list_in(body, "keys", arena);
    for (uint32_t i = 0; i < alert->entity_count; i++)
        if (json_append(keys, json_new_text(arena, alert->entities[i].key)) == NULL)
            return rf_fail_memory(err, arena);
    if (json_set_text(arena, body, "workspace", place->workspace) == NULL ||
        incident_list_in(body, "incidents", arena) == NULL)
        return rf_fail_memory(err, arena);
    *out = body;
    return RF_OK;
}

static enum rf_kind place_alert(struct state_txn *txn, const struct incident_place *place,
                                const struct rule *rule, rf_str rule_id, const struct alert *alert,
                                struct json_node *kept, rf_usec now, struct rf_arena *arena,
                                rf_str *incident, bool *created, struct rf_err *err)
{
    struct incident found;
    rf_str key = resource_key(arena, rule_id), group;
    bool joins;
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    if (!rule->create_incident) return alert_store(txn, place, kept, now, arena, err);
    RF_TRY(group_of(rule, key, alert, arena, &group, err));
    RF_TRY(find_open(txn, place, rule, group, now, arena, &found, &joins, err));
    if (joins)
        RF_TRY(join(txn, place, &found, kept, now, arena, err));
    else
        RF_TRY(make(txn, place, alert, rule_id, key, group, kept, now, arena, &found, err));
    *incident = json_text_at(found.body, "name");
    *created = !joins;
    return RF_OK;
}

enum rf_kind incident_take_alert(struct state_txn *txn, const struct incident_place *place,
                                 const struct rule *rule, rf_str rule_resource_id,
                                 const struct alert *alert, rf_usec now, struct rf_arena *arena,
                                 rf_str *incident, bool *created, struct rf_err *err)
{
    struct json_node *kept = NULL;
    rf_str name = RF_S("");
    bool is_new = false;
    enum rf_kind kind = alert_load(txn, place, alert->id, arena, &kept, err);
    if (kind == RF_OK) {
        const struct json_node *incidents = json_get(kept, "incidents");
        if (incidents != NULL && incidents->first != NULL) name = incidents->first->text;
    } else if (kind == RF_NOT_FOUND) {
        RF_TRY(keep(place, alert, arena, &kept, err));
        RF_TRY(place_alert(txn, place, rule, rule_resource_id, alert, kept, now, arena, &name,
                           &is_new, err));
        RF_TRY(outbox_add(txn, place->workspace_id, "SecurityAlert", "SystemAlertId", alert->id,
                          alert->row, err));
    } else {
        return kind;
    }
    if (incident != NULL) *incident = name;
    if (created != NULL) *created = is_new;
    return RF_OK;
}
