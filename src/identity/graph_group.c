#include "identity/graph_int.h"

/* ---- directory objects and links between them ---------------------------------------------------------------------------------------------------- */

enum rf_kind graph_object(struct graph_call *call, rf_str id, const struct graph_entity **entity,
                          struct json_node **out, struct rf_err *err)
{
    static const struct graph_entity *const kinds[] = {
        &graph_user, &graph_group, &graph_service_principal, &graph_application};
    for (size_t i = 0; guid_is(id) && i < RF_COUNT(kinds); i++) {
        enum rf_kind kind = object_get(call->txn, kinds[i]->space, id, call->arena, out, err);
        if (kind == RF_NOT_FOUND) continue;
        *entity = kinds[i];
        return kind;
    }
    return graph_not_found(id, err);
}

/* ".../directoryObjects/{id}", ".../users/{id}", ".../directoryObjects('id')": what counts is the id at the end. */
enum rf_kind graph_reference(struct graph_call *call, rf_str url,
                             const struct graph_entity **entity, struct json_node **out,
                             struct rf_err *err)
{
    while (rf_str_ends(url, RF_S("/")) || rf_str_ends(url, RF_S(")")) ||
           rf_str_ends(url, RF_S("'")))
        url.len--;
    if (url.len < GUID_TEXT_BYTES)
        return graph_bad(err, "Invalid URL format specified in @odata.id.");
    rf_str id = rf_slice(url, url.len - GUID_TEXT_BYTES, url.len);
    bool separated =
        url.len > GUID_TEXT_BYTES && strchr("/'", url.ptr[url.len - GUID_TEXT_BYTES - 1]) != NULL;
    if (!guid_is(id) || !separated)
        return graph_bad(err, "Invalid URL format specified in @odata.id.");
    return graph_object(call, id, entity, out, err);
}

static enum rf_kind items_of(struct graph_call *call, const rf_str *ids, uint32_t count,
                             struct graph_items *out, struct rf_err *err)
{
    *out = (struct graph_items){.context = "directoryObjects"};
    out->docs = rf_arena_new(call->arena, struct json_node *, count);
    out->entities = rf_arena_new(call->arena, const struct graph_entity *, count);
    if (out->docs == NULL || out->entities == NULL) return graph_memory(call, err);
    for (uint32_t i = 0; i < count; i++) {
        enum rf_kind kind =
            graph_object(call, ids[i], &out->entities[out->count], &out->docs[out->count], err);
        if (kind == RF_NOT_FOUND) continue;
        RF_TRY(kind);
        out->count++;
    }
    return RF_OK;
}

enum rf_kind graph_link_items(struct graph_call *call, const char *space, rf_str object,
                              rf_str member, struct graph_items *out, struct rf_err *err)
{
    struct link_list links;
    RF_TRY(link_list(call->txn, space, object, member, call->arena, &links, err));
    rf_str *ids = rf_arena_new(call->arena, rf_str, links.count);
    if (ids == NULL) return graph_memory(call, err);
    for (uint32_t i = 0; i < links.count; i++)
        ids[i] = object.len > 0 ? links.items[i].member : links.items[i].object;
    return items_of(call, ids, links.count, out, err);
}

enum rf_kind graph_expand_items(struct graph_call *call, struct json_node *shown, const char *name,
                                const struct graph_items *items, struct rf_err *err)
{
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    if (list == NULL) return graph_memory(call, err);
    for (uint32_t i = 0; i < items->count; i++) {
        struct json_node *item;
        const struct graph_entity *entity = items->entities == NULL ? NULL : items->entities[i];
        RF_TRY(graph_show(call, entity, items->docs[i], true, &item, err));
        json_append(list, item);
    }
    return json_set(call->arena, shown, rf_str_of(name), list) == NULL ? graph_memory(call, err)
                                                                       : RF_OK;
}

/* ---- properties of groups ---------------------------------------------------------------------------------------------------------------------------- */

static const struct graph_property properties[] = {
    {"id", P_TEXT, P_READ_ONLY},
    {"createdDateTime", P_TEXT, P_READ_ONLY},
    {"deletedDateTime", P_TEXT, P_READ_ONLY},
    {"renewedDateTime", P_TEXT, P_READ_ONLY},
    {"mail", P_TEXT, P_READ_ONLY},
    {"proxyAddresses", P_TEXTS, P_READ_ONLY},
    {"securityIdentifier", P_TEXT, P_READ_ONLY},
    {"onPremisesSyncEnabled", P_TRUTH, P_READ_ONLY},
    {"displayName", P_TEXT, P_REQUIRED},
    {"mailEnabled", P_TRUTH, P_REQUIRED},
    {"mailNickname", P_TEXT, P_REQUIRED},
    {"securityEnabled", P_TRUTH, P_REQUIRED},
    {"description", P_TEXT, 0},
    {"groupTypes", P_TEXTS, 0},
    {"visibility", P_TEXT, 0},
    {"classification", P_TEXT, 0},
    {"isAssignableToRole", P_TRUTH, P_FIXED},
    {"membershipRule", P_TEXT, 0},
    {"membershipRuleProcessingState", P_TEXT, 0},
    {"preferredDataLocation", P_TEXT, 0},
    {"preferredLanguage", P_TEXT, 0},
    {"theme", P_TEXT, 0},
    {"uniqueName", P_TEXT, P_FIXED},
};

/* ---- members and owners ----------------------------------------------------------------------------------------------------------------------------------- */

static void note_link(struct graph_call *call, const char *operation,
                      const struct graph_entity *entity, const struct json_node *object,
                      const struct graph_entity *member_entity, const struct json_node *member)
{
    struct json_node *trail = json_new(call->arena, JSON_T_OBJECT);
    bool added = strncmp(operation, "Add", 3) == 0;
    json_set_text(call->arena, trail,
                  entity == &graph_group         ? "Group.ObjectID"
                  : entity == &graph_application ? "Application.ObjectID"
                                                 : "ServicePrincipal.ObjectID",
                  json_text_at(object, "id"));
    json_set_text(call->arena, trail,
                  entity == &graph_group         ? "Group.DisplayName"
                  : entity == &graph_application ? "Application.DisplayName"
                                                 : "ServicePrincipal.DisplayName",
                  json_text_at(object, "displayName"));
    graph_change(call, &(struct trail_change){.operation = operation,
                                              .verb = added ? "Assign" : "Unassign",
                                              .service = "Core Directory",
                                              .category = entity->trail_category,
                                              .type = member_entity->trail_type,
                                              .target = member,
                                              .before = added ? NULL : trail,
                                              .after = added ? trail : NULL,
                                              .other = object,
                                              .other_type = entity->trail_type});
}

/* A group must not come to hold itself through others: deciding who is in it would have no end elsewhere either. */
static enum rf_kind refuse_circle(struct graph_call *call, rf_str group, rf_str member,
                                  struct rf_err *err)
{
    rf_str *groups;
    uint32_t count;
    bool circle = rf_str_eq_nocase(group, member);
    RF_TRY(groups_of(call->txn, group, call->arena, &groups, &count, err));
    for (uint32_t i = 0; i < count; i++) circle |= rf_str_eq_nocase(groups[i], member);
    if (circle) return graph_bad(err, "A group cannot be a member of itself.");
    return RF_OK;
}

static enum rf_kind add_member(struct graph_call *call, const struct json_node *group, rf_str url,
                               bool again, struct rf_err *err)
{
    const struct graph_entity *kind;
    struct json_node *member;
    bool created;
    RF_TRY(graph_reference(call, url, &kind, &member, err));
    if (kind == &graph_application) return graph_bad(err, "An application cannot be a member.");
    rf_str group_id = json_text_at(group, "id"), id = json_text_at(member, "id");
    if (kind == &graph_group) RF_TRY(refuse_circle(call, group_id, id, err));
    RF_TRY(link_put(call->txn, "member", group_id, id, kind->space, &created, call->arena, err));
    if (!created && !again)
        return graph_bad(err, "One or more added object references already exist for the following "
                              "modified properties: 'members'.");
    if (created) note_link(call, "Add member to group", &graph_group, group, kind, member);
    return RF_OK;
}

static const char *owner_operation(const struct graph_entity *entity, bool added)
{
    if (entity == &graph_group) return added ? "Add owner to group" : "Remove owner from group";
    if (entity == &graph_application)
        return added ? "Add owner to application" : "Remove owner from application";
    return added ? "Add owner to service principal" : "Remove owner from service principal";
}

static enum rf_kind add_owner(struct graph_call *call, const struct graph_entity *entity,
                              const struct json_node *object, rf_str url, struct rf_err *err)
{
    const struct graph_entity *kind;
    struct json_node *owner;
    bool created;
    RF_TRY(graph_reference(call, url, &kind, &owner, err));
    if (kind != &graph_user && kind != &graph_service_principal)
        return graph_bad(err, "Owners are users and service principals.");
    RF_TRY(link_put(call->txn, "owner", json_text_at(object, "id"), json_text_at(owner, "id"),
                    kind->space, &created, call->arena, err));
    if (!created)
        return graph_bad(err, "One or more added object references already exist for the following "
                              "modified properties: 'owners'.");
    note_link(call, owner_operation(entity, true), entity, object, kind, owner);
    return RF_OK;
}

/* "members@odata.bind" of a new group or of a PATCH: at most 20, as many as a request may note. */
enum { BIND_MAX = 20 };

static enum rf_kind bind_all(struct graph_call *call, const struct json_node *group,
                             const char *name, bool owners, struct rf_err *err)
{
    const struct json_node *list = json_get(call->body, name);
    if (list == NULL) return RF_OK;
    if (list->type != JSON_T_ARRAY || list->count > BIND_MAX)
        return graph_bad(err, "'%s' holds at most %d references.", name, BIND_MAX);
    for (const struct json_node *url = list->first; url != NULL; url = url->next) {
        if (url->type != JSON_T_STRING || call->change_count + 2 > GRAPH_CHANGES_MAX)
            return graph_bad(err, "'%s' must be a list of at most %d URLs.", name, BIND_MAX);
        if (owners)
            RF_TRY(add_owner(call, &graph_group, group, url->text, err));
        else
            RF_TRY(add_member(call, group, url->text, false, err));
    }
    return RF_OK;
}

static enum rf_kind put(struct graph_call *call, struct json_node *doc,
                        const struct json_node *before, struct rf_err *err)
{
    rf_str nick = json_text_at(doc, "mailNickname");
    for (size_t i = 0; i < nick.len; i++)
        if (nick.ptr[i] <= ' ' || nick.ptr[i] >= 0x7f ||
            strchr("@()\\[]\";:<>,", nick.ptr[i]) != NULL)
            return graph_bad(err, "Invalid value specified for property 'mailNickname' of resource "
                                  "'Group'.");
    if (nick.len > 64 || json_text_at(doc, "displayName").len > 256)
        return graph_bad(err, "A property of resource 'Group' is too long.");
    /* There is no mail here, and no rules that fill groups. */
    if (json_bool_at(doc, "mailEnabled", false))
        return graph_bad(err,
                         "The service does not support mail-enabled groups: mailEnabled must be "
                         "false.");
    if (!json_bool_at(doc, "securityEnabled", false))
        return graph_bad(err,
                         "The service supports security groups: securityEnabled must be true.");
    const struct json_node *types = json_get(doc, "groupTypes");
    if (json_is(types, JSON_T_ARRAY) && types->count > 0)
        return graph_bad(err, "The service does not support dynamic or unified groups: groupTypes "
                              "must be empty.");
    if (types == NULL &&
        json_set(call->arena, doc, RF_S("groupTypes"), json_new(call->arena, JSON_T_ARRAY)) == NULL)
        return graph_memory(call, err);
    if (before == NULL && json_get(doc, "description") == NULL)
        json_set(call->arena, doc, RF_S("description"), json_new(call->arena, JSON_T_NULL));
    uint32_t changes = call->change_count;
    RF_TRY(bind_all(call, doc, "members@odata.bind", false, err));
    RF_TRY(bind_all(call, doc, "owners@odata.bind", true, err));
    if (before != NULL && call->change_count > changes && !json_equal(doc, before))
        graph_change(call, &(struct trail_change){.operation = "Update group",
                                                  .verb = "Update",
                                                  .service = "Core Directory",
                                                  .category = "GroupManagement",
                                                  .type = "Group",
                                                  .target = doc,
                                                  .before = before,
                                                  .after = doc});
    return RF_OK;
}

static enum rf_kind expand(struct graph_call *call, struct json_node *shown, rf_str name,
                           struct rf_err *err)
{
    struct graph_items items;
    rf_str id = json_text_at(shown, "id"), none = {0};
    if (rf_str_is(name, "members")) {
        RF_TRY(graph_link_items(call, "member", id, none, &items, err));
        return graph_expand_items(call, shown, "members", &items, err);
    }
    if (rf_str_is(name, "owners")) {
        RF_TRY(graph_link_items(call, "owner", id, none, &items, err));
        return graph_expand_items(call, shown, "owners", &items, err);
    }
    if (!rf_str_is(name, "memberOf")) return RF_NOT_FOUND;
    RF_TRY(graph_link_items(call, "member", none, id, &items, err));
    return graph_expand_items(call, shown, "memberOf", &items, err);
}

const struct graph_entity graph_group = {
    .space = "group",
    .set = "groups",
    .type = "group",
    .properties = properties,
    .property_count = RF_COUNT(properties),
    .trail_type = "Group",
    .trail_category = "GroupManagement",
    .trail_service = "Core Directory",
    .added = "Add group",
    .updated = "Update group",
    .deleted = "Delete group",
    .put = put,
    .expand = expand,
};

/* ---- routes about links ------------------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind reference_of_body(struct graph_call *call, rf_str *url, struct rf_err *err)
{
    if (call->body == NULL) return graph_bad(err, "A body with @odata.id is required.");
    return graph_text(call->body, "@odata.id", 1024, url, err);
}

static enum rf_kind members_list(struct graph_call *call, struct rf_err *err)
{
    struct json_node *group;
    struct graph_items items;
    RF_TRY(graph_entity_find(call, &graph_group, 0, &group, err));
    RF_TRY(graph_link_items(call, "member", json_text_at(group, "id"), (rf_str){0}, &items, err));
    return graph_list_items(call, &items, err);
}

static enum rf_kind members_count(struct graph_call *call, struct rf_err *err)
{
    struct json_node *group;
    struct link_list links;
    RF_TRY(graph_entity_find(call, &graph_group, 0, &group, err));
    RF_TRY(link_list(call->txn, "member", json_text_at(group, "id"), (rf_str){0}, call->arena,
                     &links, err));
    call->plain = rf_arena_printf(call->arena, "%u", links.count);
    return call->plain.ptr == NULL ? graph_memory(call, err) : RF_OK;
}

static enum rf_kind members_add(struct graph_call *call, struct rf_err *err)
{
    struct json_node *group;
    rf_str url;
    RF_TRY(graph_entity_find(call, &graph_group, 0, &group, err));
    RF_TRY(reference_of_body(call, &url, err));
    RF_TRY(add_member(call, group, url, false, err));
    return graph_answer_empty(call, 204);
}

static enum rf_kind members_remove(struct graph_call *call, struct rf_err *err)
{
    struct json_node *group, *member;
    const struct graph_entity *kind;
    bool existed;
    RF_TRY(graph_entity_find(call, &graph_group, 0, &group, err));
    RF_TRY(graph_object(call, call->ids[1], &kind, &member, err));
    RF_TRY(link_delete(call->txn, "member", json_text_at(group, "id"), json_text_at(member, "id"),
                       &existed, call->arena, err));
    if (!existed) return graph_not_found(call->ids[1], err);
    note_link(call, "Remove member from group", &graph_group, group, kind, member);
    return graph_answer_empty(call, 204);
}

/* Everybody below a group, each once. */
static enum rf_kind transitive_members(struct graph_call *call, struct rf_err *err)
{
    enum { MEMBERS_MAX = 100000 };
    struct json_node *group;
    RF_TRY(graph_entity_find(call, &graph_group, 0, &group, err));
    rf_str *ids = NULL;
    uint32_t count = 0, cap = 0, looked = 0;
    for (rf_str at = json_text_at(group, "id");; at = ids[looked++]) {
        struct link_list links;
        RF_TRY(link_list(call->txn, "member", at, (rf_str){0}, call->arena, &links, err));
        for (uint32_t i = 0; i < links.count; i++) {
            bool known = rf_str_eq_nocase(links.items[i].member, json_text_at(group, "id"));
            for (uint32_t k = 0; k < count && !known; k++)
                known = rf_str_eq(ids[k], links.items[i].member);
            if (known) continue;
            if (count == MEMBERS_MAX) return graph_bad(err, "The group is too large.");
            if (count == cap) {
                uint32_t more = cap == 0 ? 64 : cap * 2;
                ids = rf_arena_grow(call->arena, ids, cap * sizeof *ids, more * sizeof *ids);
                if (ids == NULL) return graph_memory(call, err);
                cap = more;
            }
            ids[count++] = links.items[i].member;
        }
        if (looked == count) break;
    }
    struct graph_items items;
    RF_TRY(items_of(call, ids, count, &items, err));
    return graph_list_items(call, &items, err);
}

enum rf_kind graph_member_of(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc;
    struct graph_items items;
    RF_TRY(graph_entity_find(call, call->route->entity, 0, &doc, err));
    RF_TRY(graph_link_items(call, "member", (rf_str){0}, json_text_at(doc, "id"), &items, err));
    return graph_list_items(call, &items, err);
}

static enum rf_kind all_groups(struct graph_call *call, rf_str **ids, uint32_t *count,
                               struct rf_err *err)
{
    struct json_node *doc;
    RF_TRY(graph_entity_find(call, call->route->entity, 0, &doc, err));
    return groups_of(call->txn, json_text_at(doc, "id"), call->arena, ids, count, err);
}

enum rf_kind graph_transitive_member_of(struct graph_call *call, struct rf_err *err)
{
    rf_str *ids;
    uint32_t count;
    struct graph_items items;
    RF_TRY(all_groups(call, &ids, &count, err));
    RF_TRY(items_of(call, ids, count, &items, err));
    return graph_list_items(call, &items, err);
}

static enum rf_kind answer_texts(struct graph_call *call, struct json_node *list,
                                 struct rf_err *err)
{
    struct json_node *root = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(call->arena, root, "@odata.context",
                  graph_context(call, "Collection(Edm.String)"));
    if (json_set(call->arena, root, RF_S("value"), list) == NULL) return graph_memory(call, err);
    call->answer = root;
    return RF_OK;
}

/* Every group here is a security group, so securityEnabledOnly changes nothing. */
enum rf_kind graph_member_groups(struct graph_call *call, struct rf_err *err)
{
    rf_str *ids;
    uint32_t count;
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    RF_TRY(all_groups(call, &ids, &count, err));
    for (uint32_t i = 0; i < count; i++) json_append(list, json_new_text(call->arena, ids[i]));
    return answer_texts(call, list, err);
}

enum rf_kind graph_check_groups(struct graph_call *call, struct rf_err *err)
{
    rf_str *ids;
    uint32_t count;
    const struct json_node *asked = json_get(call->body, "groupIds");
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    if (!json_is(asked, JSON_T_ARRAY) || asked->count > 20)
        return graph_bad(err, "groupIds must be a list of at most 20 ids.");
    RF_TRY(all_groups(call, &ids, &count, err));
    for (const struct json_node *id = asked->first; id != NULL; id = id->next)
        for (uint32_t i = 0; i < count; i++)
            if (id->type == JSON_T_STRING && rf_str_eq_nocase(id->text, ids[i]))
                json_append(list, json_new_text(call->arena, ids[i]));
    return answer_texts(call, list, err);
}

enum rf_kind graph_owners_list(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc;
    struct graph_items items;
    RF_TRY(graph_entity_find(call, call->route->entity, 0, &doc, err));
    RF_TRY(graph_link_items(call, "owner", json_text_at(doc, "id"), (rf_str){0}, &items, err));
    return graph_list_items(call, &items, err);
}

enum rf_kind graph_owned_list(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc;
    struct graph_items items;
    RF_TRY(graph_entity_find(call, call->route->entity, 0, &doc, err));
    RF_TRY(graph_link_items(call, "owner", (rf_str){0}, json_text_at(doc, "id"), &items, err));
    return graph_list_items(call, &items, err);
}

enum rf_kind graph_owners_add(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc;
    rf_str url;
    RF_TRY(graph_entity_find(call, call->route->entity, 0, &doc, err));
    RF_TRY(reference_of_body(call, &url, err));
    RF_TRY(add_owner(call, call->route->entity, doc, url, err));
    return graph_answer_empty(call, 204);
}

enum rf_kind graph_owners_remove(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc, *owner;
    const struct graph_entity *kind, *entity = call->route->entity;
    bool existed;
    RF_TRY(graph_entity_find(call, entity, 0, &doc, err));
    RF_TRY(graph_object(call, call->ids[1], &kind, &owner, err));
    RF_TRY(link_delete(call->txn, "owner", json_text_at(doc, "id"), json_text_at(owner, "id"),
                       &existed, call->arena, err));
    if (!existed) return graph_not_found(call->ids[1], err);
    note_link(call, owner_operation(entity, false), entity, doc, kind, owner);
    return graph_answer_empty(call, 204);
}

/* ---- directory objects of whatever kind -------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind object_get_one(struct graph_call *call, struct rf_err *err)
{
    const struct graph_entity *kind;
    struct json_node *doc, *shown, *root = json_new(call->arena, JSON_T_OBJECT);
    RF_TRY(graph_object(call, call->ids[0], &kind, &doc, err));
    RF_TRY(graph_show(call, kind, doc, true, &shown, err));
    graph_select(call, shown);
    if (json_set_text(call->arena, root, "@odata.context",
                      graph_context(call, "directoryObjects/$entity")) == NULL)
        return graph_memory(call, err);
    root->last->next = shown->first;
    root->last = shown->last;
    root->count += shown->count;
    call->answer = root;
    return RF_OK;
}

static bool type_wanted(const struct json_node *types, const struct graph_entity *kind)
{
    if (!json_is(types, JSON_T_ARRAY) || types->count == 0) return true;
    for (const struct json_node *t = types->first; t != NULL; t = t->next)
        if (t->type == JSON_T_STRING && (rf_str_eq_nocase(t->text, rf_str_of(kind->type)) ||
                                         rf_str_eq_nocase(t->text, RF_S("directoryObject"))))
            return true;
    return false;
}

static enum rf_kind objects_by_ids(struct graph_call *call, struct rf_err *err)
{
    const struct json_node *asked = json_get(call->body, "ids");
    if (!json_is(asked, JSON_T_ARRAY) || asked->count > 1000)
        return graph_bad(err, "ids must be a list of at most 1000 ids.");
    rf_str *ids = rf_arena_new(call->arena, rf_str, asked->count);
    uint32_t count = 0;
    if (ids == NULL) return graph_memory(call, err);
    for (const struct json_node *id = asked->first; id != NULL; id = id->next)
        if (id->type == JSON_T_STRING) ids[count++] = id->text;
    struct graph_items items;
    RF_TRY(items_of(call, ids, count, &items, err));
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    for (uint32_t i = 0; i < items.count; i++) {
        struct json_node *shown;
        if (!type_wanted(json_get(call->body, "types"), items.entities[i])) continue;
        RF_TRY(graph_show(call, items.entities[i], items.docs[i], true, &shown, err));
        json_append(list, shown);
    }
    struct json_node *root = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(call->arena, root, "@odata.context", graph_context(call, "directoryObjects"));
    if (json_set(call->arena, root, RF_S("value"), list) == NULL) return graph_memory(call, err);
    call->answer = root;
    return RF_OK;
}

static enum rf_kind object_remove_one(struct graph_call *call, struct rf_err *err)
{
    const struct graph_entity *kind;
    struct json_node *doc;
    RF_TRY(graph_object(call, call->ids[0], &kind, &doc, err));
    const struct graph_route *route = call->route;
    struct graph_route as_kind = *route;
    as_kind.entity = kind;
    call->route = &as_kind;
    enum rf_kind outcome = graph_entity_remove(call, err);
    call->route = route;
    return outcome;
}

/* ---- routes ------------------------------------------------------------------------------------------------------------------------------------------------------- */

#define GROUP &graph_group
const struct graph_route graph_group_routes[] = {
    {HTTP_GET, 0, "groups", GROUP_READ, graph_entity_list, GROUP},
    {HTTP_POST, 0, "groups", GROUP_WRITE, graph_entity_create, GROUP},
    {HTTP_GET, 0, "groups/$count", GROUP_READ, graph_entity_count, GROUP},
    {HTTP_GET, 0, "groups/{}", GROUP_READ, graph_entity_get, GROUP},
    {HTTP_PATCH, 0, "groups/{}", GROUP_WRITE, graph_entity_update, GROUP},
    {HTTP_DELETE, 0, "groups/{}", GROUP_WRITE, graph_entity_remove, GROUP},
    {HTTP_GET, 0, "groups/{}/members", MEMBER_READ, members_list, GROUP},
    {HTTP_GET, 0, "groups/{}/members/$count", MEMBER_READ, members_count, GROUP},
    {HTTP_POST, 0, "groups/{}/members/$ref", MEMBER_WRITE, members_add, GROUP},
    {HTTP_DELETE, 0, "groups/{}/members/{}/$ref", MEMBER_WRITE, members_remove, GROUP},
    {HTTP_GET, 0, "groups/{}/transitiveMembers", MEMBER_READ, transitive_members, GROUP},
    {HTTP_GET, 0, "groups/{}/memberOf", GROUP_READ, graph_member_of, GROUP},
    {HTTP_GET, 0, "groups/{}/transitiveMemberOf", GROUP_READ, graph_transitive_member_of, GROUP},
    {HTTP_POST, GRAPH_READS, "groups/{}/getMemberGroups", GROUP_READ, graph_member_groups, GROUP},
    {HTTP_POST, GRAPH_READS, "groups/{}/getMemberObjects", GROUP_READ, graph_member_groups, GROUP},
    {HTTP_POST, GRAPH_READS, "groups/{}/checkMemberGroups", GROUP_READ, graph_check_groups, GROUP},
    {HTTP_GET, 0, "groups/{}/owners", GROUP_READ, graph_owners_list, GROUP},
    {HTTP_POST, 0, "groups/{}/owners/$ref", GROUP_WRITE, graph_owners_add, GROUP},
    {HTTP_DELETE, 0, "groups/{}/owners/{}/$ref", GROUP_WRITE, graph_owners_remove, GROUP},
    {HTTP_GET, 0, "groups/{}/appRoleAssignments", GROUP_READ, graph_assignments_list, GROUP},
    {HTTP_POST, 0, "groups/{}/appRoleAssignments",
     "AppRoleAssignment.ReadWrite.All " DIRECTORY_WRITE, graph_assignments_add, GROUP},
    {HTTP_GET, 0, "groups/{}/appRoleAssignments/{}", GROUP_READ, graph_assignments_get, GROUP},
    {HTTP_DELETE, 0, "groups/{}/appRoleAssignments/{}",
     "AppRoleAssignment.ReadWrite.All " DIRECTORY_WRITE, graph_assignments_remove, GROUP},
    {HTTP_POST, GRAPH_READS, "directoryObjects/getByIds", DIRECTORY_READ, objects_by_ids, NULL},
    {HTTP_GET, 0, "directoryObjects/{}", DIRECTORY_READ, object_get_one, NULL},
    {HTTP_DELETE, 0, "directoryObjects/{}", DIRECTORY_WRITE, object_remove_one, NULL},
    {.path = NULL},
};
