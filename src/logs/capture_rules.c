/* capture_rules.c - which rules capture which hubs, as the documents say it. */
#include "base/json_out.h"
#include "logs/capture.h"

#define RULES_TYPE "Microsoft.Insights/dataCollectionRules"
#define ASSOCIATIONS_TYPE "Microsoft.Insights/dataCollectionRuleAssociations"
#define HUB_TYPE "Microsoft.EventHub/namespaces/eventhubs"
#define RECEIVE "Microsoft.EventHub/namespaces/messages/receive/action"
static const char import_path[] = "dataSources.dataImports.eventHub";

/* ---- when a rule is stored -------------------------------------------------------------------------------------------------- */

/* The hub's resource when the caller may receive from it; empty: there is none. */
static enum rf_kind hub_of_name(struct arm_call *call, struct logs *logs, rf_str name, rf_str *out,
                                struct rf_err *err)
{
    struct arm_resource *spaces, hub;
    uint32_t count;
    *out = (rf_str){0};
    if (name.len == 0 || rf_str_find(name, RF_S("/"), 0) != SIZE_MAX) return RF_OK;
    RF_TRY(arm_list(call->arm, call->txn, "Microsoft.EventHub/namespaces", call->arena, &spaces,
                    &count, err));
    for (uint32_t i = 0; i < count; i++) {
        rf_str id =
            rf_arena_printf(call->arena, "%.*s/eventhubs/%.*s", RF_FMT(spaces[i].id), RF_FMT(name));
        if (id.ptr == NULL) return rf_fail_memory(err, call->arena);
        if (arm_get(call->arm, call->txn, id, call->arena, &hub, NULL) != RF_OK) continue;
        if (call->principal != NULL &&
            !authz_check(logs->options.authz, call->principal, RF_S(RECEIVE), hub.id, true))
            continue;
        *out = hub.id;
        return RF_OK;
    }
    return RF_OK;
}

enum rf_kind capture_put(struct arm_call *call, struct logs *logs, rf_str rule_key,
                         const struct json_node *properties, struct rf_err *err)
{
    const struct json_node *import = json_at(properties, import_path);
    rf_str hub = {0};
    if (json_is(import, JSON_T_OBJECT))
        RF_TRY(hub_of_name(call, logs, json_text_at(import, "name"), &hub, err));
    if (hub.len == 0) {
        enum rf_kind kind = state_delete(call->txn, CAPTURE_SPACE, rule_key, NULL);
        return kind == RF_NOT_FOUND ? RF_OK : kind;
    }
    struct rf_buf text = rf_buf_in(call->arena);
    struct json_out out = json_out_to(&text);
    json_begin_object(&out, NULL);
    json_put_text(&out, "hub", hub);
    json_end_object(&out);
    if (text.failed) return rf_fail_memory(err, call->arena);
    struct state_put put = {.space = CAPTURE_SPACE, .key = rule_key, .body = rf_buf_view(&text)};
    return state_put(call->txn, &put, NULL, NULL, err);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------- */

struct loader {
    struct logs *logs;
    struct state_txn *txn;
    struct rf_arena *arena;
    struct arm_resource *associations;
    uint32_t association_count;
    struct capture_want *items;
    uint32_t count, cap;
    struct rf_err *err;
};

/* The last name of an id, and that of its parent: hub and namespace. */
static bool split_hub_id(rf_str id, struct rf_arena *arena, rf_str *space, rf_str *hub)
{
    struct resource_id parsed, above;
    if (resource_id_parse(id, arena, &parsed, NULL) != RF_OK || parsed.is_type ||
        !rf_str_eq_nocase(parsed.type, RF_S(HUB_TYPE)) ||
        resource_id_parse(parsed.parent, arena, &above, NULL) != RF_OK)
        return false;
    *space = above.name;
    *hub = parsed.name;
    return true;
}

/* A hub that is not there, or that lacks the group, is looked for again when hubs change. */
static enum rf_kind add_want(struct loader *l, const struct json_node *rule, rf_str hub_id)
{
    const struct json_node *import = json_at(json_get(rule, "properties"), import_path);
    struct capture_want want = {.rule = json_text_at(rule, "properties.immutableId"),
                                .stream = json_text_at(import, "stream"),
                                .group = json_text_at(import, "consumerGroup")};
    struct hub_namespace *names;
    rf_str space, hub;
    if (want.group.len == 0) want.group = RF_S("$Default");
    if (!split_hub_id(hub_id, l->arena, &space, &hub)) return RF_OK;
    rf_str host = rf_arena_printf(l->arena, "%.*s.%.*s", RF_FMT(space),
                                  RF_FMT(l->logs->options.site->domain));
    if (host.ptr == NULL) return rf_fail_memory(l->err, l->arena);
    if (hubs_namespace(l->logs->options.hubs, host, &names, NULL) != RF_OK ||
        hub_find(names, hub, &want.hub, NULL) != RF_OK)
        return RF_OK;
    bool known = !hub_has_group(want.hub, want.group);
    for (uint32_t i = 0; i < l->count && !known; i++)
        known = l->items[i].hub == want.hub && rf_str_eq(l->items[i].rule, want.rule);
    if (known) {
        hub_unref(want.hub);
        return RF_OK;
    }
    if (l->count == l->cap) {
        uint32_t cap = 2 * l->cap + 8;
        struct capture_want *items =
            rf_arena_grow(l->arena, l->items, l->cap * sizeof *items, cap * sizeof *items);
        if (items == NULL) {
            hub_unref(want.hub);
            return rf_fail_memory(l->err, l->arena);
        }
        l->items = items;
        l->cap = cap;
    }
    l->items[l->count++] = want;
    return RF_OK;
}

static enum rf_kind load_rule(struct loader *l, const struct arm_resource *rule)
{
    struct state_object object;
    struct json_node *body;
    bool associated = false;
    rf_str mark = RF_S("/providers/microsoft.insights/datacollectionruleassociations/");
    if (!json_is(json_at(json_get(rule->body, "properties"), import_path), JSON_T_OBJECT))
        return RF_OK;
    for (uint32_t i = 0; i < l->association_count; i++) {
        const struct arm_resource *a = &l->associations[i];
        if (!rf_str_eq_nocase(json_text_at(a->body, "properties.dataCollectionRuleId"), rule->id))
            continue;
        size_t end = rf_str_find(a->key, mark, 0);
        if (end == SIZE_MAX) continue;
        associated = true;
        RF_TRY(add_want(l, rule->body, rf_slice(a->id, 0, end)));
    }
    if (associated) return RF_OK;
    enum rf_kind kind = state_get(l->txn, CAPTURE_SPACE, rule->key, l->arena, &object, l->err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    RF_TRY(json_parse(object.body, l->arena, &body, l->err));
    return add_want(l, rule->body, json_text_at(body, "hub"));
}

enum rf_kind capture_load(struct logs *logs, struct rf_arena *arena, struct capture_want **out,
                          uint32_t *count, struct rf_err *err)
{
    struct loader l = {.logs = logs, .arena = arena, .err = err};
    struct arm_resource *rules;
    uint32_t rule_count;
    RF_TRY(state_begin_read(logs->options.state, &l.txn, err));
    enum rf_kind kind = arm_list(logs->options.arm, l.txn, ASSOCIATIONS_TYPE, arena,
                                 &l.associations, &l.association_count, err);
    if (kind == RF_OK)
        kind = arm_list(logs->options.arm, l.txn, RULES_TYPE, arena, &rules, &rule_count, err);
    for (uint32_t i = 0; kind == RF_OK && i < rule_count; i++) kind = load_rule(&l, &rules[i]);
    state_end(l.txn);
    if (kind != RF_OK) {
        for (uint32_t i = 0; i < l.count; i++) hub_unref(l.items[i].hub);
        return kind;
    }
    *out = l.items;
    *count = l.count;
    return RF_OK;
}
