/* types_rules.c - authorization rules of namespaces and hubs as ARM resources. Their keys are in no document (types_keys.c).
 *
 * RootManageSharedAccessKey comes with its namespace and is there without being stored. */
#include "base/log.h"
#include "hub/types_doc.h"

static const char root_rule[] = "RootManageSharedAccessKey";

static bool is_root(const struct entity *e)
{
    return e->hub.len == 0 && rf_str_eq_nocase(e->leaf, rf_str_of(root_rule));
}

static const struct {
    const char *name;
    unsigned right;
} right_names[] = {{"Listen", RIGHT_LISTEN}, {"Manage", RIGHT_MANAGE}, {"Send", RIGHT_SEND}};

static unsigned right_of(rf_str name)
{
    for (size_t i = 0; i < RF_COUNT(right_names); i++)
        if (rf_str_eq_nocase(name, rf_str_of(right_names[i].name))) return right_names[i].right;
    return 0;
}

static unsigned rights_in(const struct json_node *body)
{
    unsigned rights = 0;
    const struct json_node *list = json_at(body, "properties.rights");
    if (!json_is(list, JSON_T_ARRAY)) return 0;
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        if (item->type == JSON_T_STRING) rights |= right_of(item->text);
    return rights;
}

static struct json_node *rights_list(struct rf_arena *arena, unsigned rights)
{
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    for (size_t i = 0; i < RF_COUNT(right_names); i++)
        if ((rights & right_names[i].right) != 0)
            json_append(list, json_new_text(arena, rf_str_of(right_names[i].name)));
    return list;
}

static enum rf_kind check_rights(const struct json_node *body, struct rf_err *err)
{
    const struct json_node *list = json_at(body, "properties.rights");
    if (!json_is(list, JSON_T_ARRAY) || list->count == 0)
        return BAD_ENTITY(err, "'rights' must name at least one of Send, Listen and Manage.");
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        if (item->type != JSON_T_STRING || right_of(item->text) == 0)
            return BAD_ENTITY(err, "'rights' may name Send, Listen and Manage only.");
    unsigned rights = rights_in(body), all = RIGHT_SEND | RIGHT_LISTEN | RIGHT_MANAGE;
    if ((rights & RIGHT_MANAGE) != 0 && rights != all)
        return BAD_ENTITY(err, "Manage permission should also include Send and Listen.");
    return RF_OK;
}

enum rf_kind hub_rule_make_keys(struct arm_call *call, rf_str place, struct rf_err *err)
{
    struct hub_keys keys = {{hub_key_random(call->arena), hub_key_random(call->arena)}};
    if (keys.texts[0].ptr == NULL || keys.texts[1].ptr == NULL)
        return rf_fail_memory(err, call->arena);
    enum rf_kind kind = hub_keys_store(call->ctx, call->txn, place, &keys, call->arena, err);
    hub_keys_wipe(&keys);
    return kind;
}

rf_str hub_root_place(struct rf_arena *arena, rf_str space)
{
    return hub_key_place(arena, space, (rf_str){0}, rf_str_of(root_rule));
}

static enum rf_kind put_rule(struct arm_call *call, struct arm_resource *resource,
                             const struct arm_resource *before, struct rf_err *err)
{
    struct entity e = entity_of(resource);
    RF_TRY(entity_name_check(e.leaf, 60, err));
    RF_TRY(check_rights(resource->body, err));
    struct json_node *properties = json_object_in(call->arena, resource->body, "properties");
    if (json_set(call->arena, properties, RF_S("rights"),
                 rights_list(call->arena, rights_in(resource->body))) == NULL)
        return rf_fail_memory(err, call->arena);
    if (before != NULL || is_root(&e)) return RF_OK; /* its keys are there */
    uint32_t others;
    RF_TRY(entity_count(call, resource, &others, err));
    if (others + (e.hub.len == 0 ? 1 : 0) >= HUB_RULES_MAX)
        return RF_FAIL(err, RF_DENIED, "Forbidden",
                       "There are %d authorization rules already, which is the most.",
                       HUB_RULES_MAX);
    rf_str place = hub_key_place(call->arena, e.space, e.hub, e.leaf);
    return place.ptr == NULL ? rf_fail_memory(err, call->arena)
                             : hub_rule_make_keys(call, place, err);
}

static enum rf_kind remove_rule(struct arm_call *call, struct arm_resource *resource,
                                struct rf_err *err)
{
    struct entity e = entity_of(resource);
    if (is_root(&e)) return RF_OK; /* goes with the namespace */
    rf_str place = hub_key_place(call->arena, e.space, e.hub, e.leaf);
    if (place.ptr == NULL) return rf_fail_memory(err, call->arena);
    enum rf_kind kind = state_delete(call->txn, "hub.key", place, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

enum rf_kind hub_rule_apply(struct hubs *hubs, struct state_txn *txn, rf_str space_name, rf_str hub,
                            rf_str name, unsigned rights, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct hub_namespace *space;
    struct hub_keys keys;
    RF_TRY(hubs_namespace_named(hubs, space_name, &space, err));
    rf_str place = hub_key_place(&arena, space_name, hub, name);
    if (place.ptr == NULL) return rf_fail_memory(err, &arena);
    RF_TRY(hub_keys_load(hubs, txn, place, &arena, &keys, err));
    struct hub_rule rule = {
        .name = name, .primary = keys.texts[0], .secondary = keys.texts[1], .rights = rights};
    enum rf_kind kind = hubs_set_rule(space, hub, &rule, err);
    hub_keys_wipe(&keys);
    return kind;
}

enum rf_kind hub_root_apply(struct hubs *hubs, struct state_txn *txn, rf_str space,
                            struct rf_err *err)
{
    return hub_rule_apply(hubs, txn, space, (rf_str){0}, rf_str_of(root_rule),
                          RIGHT_SEND | RIGHT_LISTEN | RIGHT_MANAGE, err);
}

static void changed_rule(struct arm_call *call, struct arm_resource *resource)
{
    struct entity e = entity_of(resource);
    struct hub_namespace *space;
    struct rf_err err = {.code = ""};
    enum rf_kind kind = RF_OK;
    if (resource->body != NULL)
        kind = hub_rule_apply(call->ctx, call->txn, e.space, e.hub, e.leaf,
                              rights_in(resource->body), &err);
    else if (is_root(&e))
        kind = hub_root_apply(call->ctx, call->txn, e.space, &err); /* as it was at first */
    else if (hubs_namespace_named(call->ctx, e.space, &space, &err) == RF_OK)
        hubs_drop_rule(space, e.hub, e.leaf);
    if (resource->body == NULL && kind == RF_NOT_FOUND) kind = RF_OK; /* went with its namespace */
    entity_log(kind, resource, &err);
}

/* ---- the rule that comes with a namespace ------------------------------------------------------------------------------- */

static enum rf_kind root_document(struct arm_call *call, rf_str id, struct json_node **out,
                                  struct rf_err *err)
{
    struct json_node *body = json_new(call->arena, JSON_T_OBJECT);
    unsigned all = RIGHT_SEND | RIGHT_LISTEN | RIGHT_MANAGE;
    json_set_text(call->arena, body, "id", id);
    json_set_text(call->arena, body, "name", rf_str_of(root_rule));
    json_set_text(call->arena, body, "type",
                  RF_S("Microsoft.EventHub/namespaces/authorizationRules"));
    struct json_node *properties = json_object_in(call->arena, body, "properties");
    if (json_set(call->arena, properties, RF_S("rights"), rights_list(call->arena, all)) == NULL)
        return rf_fail_memory(err, call->arena);
    *out = body;
    return RF_OK;
}

static enum rf_kind get_root(struct arm_call *call, rf_str id, struct json_node **body,
                             struct rf_err *err)
{
    struct resource_id parsed;
    struct arm_resource space;
    RF_TRY(resource_id_parse(id, call->arena, &parsed, err));
    if (!rf_str_eq_nocase(parsed.name, rf_str_of(root_rule)))
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound", "no such rule");
    RF_TRY(arm_get(call->arm, call->txn, parsed.parent, call->arena, &space, err));
    rf_str full =
        rf_arena_printf(call->arena, "%.*s/authorizationRules/%s", RF_FMT(space.id), root_rule);
    return full.ptr == NULL ? rf_fail_memory(err, call->arena)
                            : root_document(call, full, body, err);
}

static enum rf_kind list_root(struct arm_call *call, rf_str parent_id, struct json_node *out,
                              struct rf_err *err)
{
    struct json_node *body;
    if (entity_is_listed(out, rf_str_of(root_rule))) return RF_OK;
    rf_str id =
        rf_arena_printf(call->arena, "%.*s/authorizationRules/%s", RF_FMT(parent_id), root_rule);
    if (id.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(root_document(call, id, &body, err));
    json_append(out, body);
    return RF_OK;
}

/* ---- keys shown and made anew ----------------------------------------------------------------------------------------------- */

static rf_str connection_string(struct arm_call *call, const struct entity *e, rf_str key)
{
    struct hubs *hubs = call->ctx;
    const struct site *site = hubs->options.site;
    struct rf_buf buf = rf_buf_in(call->arena);
    rf_buf_printf(&buf, "Endpoint=sb://");
    rf_buf_str(&buf, hub_host_of(hubs, e->space, call->arena));
    if (site != NULL && site->amqps_port != 0 && site->amqps_port != 5671)
        rf_buf_printf(&buf, ":%u", (unsigned)site->amqps_port);
    rf_buf_printf(&buf, "/;SharedAccessKeyName=%.*s;SharedAccessKey=%.*s", RF_FMT(e->leaf),
                  RF_FMT(key));
    if (e->hub.len > 0) rf_buf_printf(&buf, ";EntityPath=%.*s", RF_FMT(e->hub));
    return buf.failed ? (rf_str){0} : rf_buf_view(&buf);
}

static enum rf_kind answer_keys(struct arm_call *call, const struct entity *e,
                                const struct hub_keys *keys, struct rf_err *err)
{
    struct json_node *answer = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(call->arena, answer, "primaryConnectionString",
                  connection_string(call, e, keys->texts[0]));
    json_set_text(call->arena, answer, "secondaryConnectionString",
                  connection_string(call, e, keys->texts[1]));
    json_set_text(call->arena, answer, "primaryKey", keys->texts[0]);
    json_set_text(call->arena, answer, "secondaryKey", keys->texts[1]);
    if (json_set_text(call->arena, answer, "keyName", e->leaf) == NULL)
        return rf_fail_memory(err, call->arena);
    http_set_literal(call->request->response, "Cache-Control", "no-store");
    return request_answer(call->request, 200, answer);
}

static enum rf_kind list_keys(struct arm_call *call, struct arm_resource *resource,
                              struct rf_err *err)
{
    struct entity e = entity_of(resource);
    struct hub_keys keys;
    rf_str place = hub_key_place(call->arena, e.space, e.hub, e.leaf);
    if (place.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(hub_keys_load(call->ctx, call->txn, place, call->arena, &keys, err));
    enum rf_kind kind = answer_keys(call, &e, &keys, err);
    hub_keys_wipe(&keys);
    return kind;
}

/* A key that somebody gives: as Azure, base64 of 32 bytes. */
static enum rf_kind check_key(rf_str key, struct rf_arena *arena, struct rf_err *err)
{
    rf_str bytes;
    if (base64_decode(arena, key, &bytes, NULL) == RF_OK && bytes.len == 32) return RF_OK;
    return BAD_ENTITY(err, "'key' must be base64 of 32 bytes; leave it out to have one made.");
}

static enum rf_kind regenerate_keys(struct arm_call *call, struct arm_resource *resource,
                                    struct rf_err *err)
{
    struct hubs *hubs = call->ctx;
    struct entity e = entity_of(resource);
    struct json_node *body;
    struct hub_keys keys;
    RF_TRY(request_json(call->request, false, &body, err));
    rf_str which = json_text_at(body, "keyType"), given = json_text_at(body, "key");
    bool second = rf_str_eq_nocase(which, RF_S("SecondaryKey"));
    if (!second && !rf_str_eq_nocase(which, RF_S("PrimaryKey")))
        return BAD_ENTITY(err, "'keyType' must be PrimaryKey or SecondaryKey.");
    if (given.len > 0) RF_TRY(check_key(given, call->arena, err));
    rf_str place = hub_key_place(call->arena, e.space, e.hub, e.leaf);
    rf_str fresh = hub_key_random(call->arena);
    /* A copy: it is wiped in the end, and the request's body may not be written to. */
    bool fits = given.len == 0 || rf_arena_str(call->arena, given, &fresh);
    if (!fits || place.ptr == NULL || fresh.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(hubs->options.state, &txn, err));
    RF_TRY(hub_keys_load(hubs, txn, place, call->arena, &keys, err));
    keys.texts[second ? HUB_KEY_SECONDARY : HUB_KEY_PRIMARY] = fresh;
    RF_TRY(hub_keys_store(hubs, txn, place, &keys, call->arena, err));
    RF_TRY(state_finish(&txn, err));
    RF_TRY(state_begin_read(hubs->options.state, &txn, err));
    RF_TRY(hub_rule_apply(hubs, txn, e.space, e.hub, e.leaf, rights_in(resource->body), err));
    enum rf_kind kind = answer_keys(call, &e, &keys, err);
    hub_keys_wipe(&keys);
    return kind;
}

static const struct arm_action rule_actions[] = {
    {.name = "listKeys", .method = HTTP_POST, .run = list_keys},
    {.name = "regenerateKeys", .method = HTTP_POST, .run = regenerate_keys},
};

struct arm_type hub_rule_type(struct hubs *hubs, bool of_hub)
{
    return (struct arm_type){
        .name = of_hub ? "Microsoft.EventHub/namespaces/eventhubs/authorizationRules"
                       : "Microsoft.EventHub/namespaces/authorizationRules",
        .versions = hub_versions,
        .members = "rights",
        .flags = ARM_PUT_200_ALWAYS | ARM_NO_STATE,
        .put = put_rule,
        .remove = remove_rule,
        .changed = changed_rule,
        .virtual_get = of_hub ? NULL : get_root,
        .virtual_list = of_hub ? NULL : list_root,
        .actions = rule_actions,
        .action_count = RF_COUNT(rule_actions),
        .ctx = hubs};
}

enum rf_kind hub_rule_keys(struct hub_namespace *space, rf_str hub, rf_str rule,
                           struct rf_arena *arena, rf_str *primary, rf_str *secondary,
                           struct rf_err *err)
{
    struct hub_rule found;
    RF_TRY(hubs_find_rule(space, hub, rule, arena, &found, err));
    *primary = found.primary;
    *secondary = found.secondary;
    return RF_OK;
}
