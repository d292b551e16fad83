#include "identity/graph_int.h"

/* ---- small words -------------------------------------------------------------------------------------------------------------- */

rf_str graph_context(const struct graph_call *call, const char *what)
{
    return rf_arena_printf(call->arena, "%.*s/%.*s/$metadata#%s", RF_FMT(call->request->origin),
                           RF_FMT(call->version), what);
}

enum rf_kind graph_answer_empty(struct graph_call *call, uint16_t status)
{
    call->status = status;
    call->answer = NULL;
    return RF_OK;
}

void graph_change(struct graph_call *call, const struct trail_change *change)
{
    RF_ASSERT(call->change_count < GRAPH_CHANGES_MAX);
    call->changes[call->change_count++] = *change;
}

enum rf_kind graph_text(const struct json_node *body, const char *name, size_t max, rf_str *out,
                        struct rf_err *err)
{
    const struct json_node *node = json_get(body, name);
    if (!json_is(node, JSON_T_STRING) || node->text.len == 0 || node->text.len > max)
        return graph_bad(err, "Property '%s' must be a text of 1 to %zu characters.", name, max);
    *out = node->text;
    return RF_OK;
}

struct json_node *graph_public(struct rf_arena *arena, const struct json_node *node)
{
    struct json_node *copy = json_new(arena, node->type);
    if (copy == NULL) return NULL;
    copy->text = node->text;
    for (const struct json_node *child = node->first; child != NULL; child = child->next) {
        if (child->name.len > 0 && child->name.ptr[0] == '~') continue;
        struct json_node *twin = graph_public(arena, child);
        if (twin == NULL) return NULL;
        twin->name = child->name;
        if (copy->last == NULL)
            copy->first = twin;
        else
            copy->last->next = twin;
        copy->last = twin;
        copy->count++;
    }
    return copy;
}

static const struct graph_entity *const entities[] = {&graph_application, &graph_service_principal,
                                                      &graph_user, &graph_group};

const struct graph_entity *graph_entity_of(rf_str space)
{
    for (size_t i = 0; i < RF_COUNT(entities); i++)
        if (rf_str_is(space, entities[i]->space)) return entities[i];
    return NULL;
}

enum rf_kind graph_unique(struct graph_call *call, const char *space, const char *member,
                          rf_str value, rf_str own_id, struct rf_err *err)
{
    struct json_node *there;
    enum rf_kind kind = object_find(call->txn, space, member, value, call->arena, &there, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    if (rf_str_eq_nocase(json_text_at(there, "id"), own_id)) return RF_OK;
    return graph_bad(err, "Another object with the same value for property %s already exists.",
                     member);
}

/* ---- bodies ------------------------------------------------------------------------------------------------------------------- */

static const struct graph_property *property_of(const struct graph_entity *entity, rf_str name)
{
    for (uint32_t i = 0; i < entity->property_count; i++)
        if (rf_str_is(name, entity->properties[i].name)) return &entity->properties[i];
    return NULL;
}

static bool all_of(const struct json_node *list, enum json_type type)
{
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        if (item->type != type) return false;
    return true;
}

static bool type_fits(const struct json_node *value, enum property_type type)
{
    if (value->type == JSON_T_NULL) return true;
    switch (type) {
    case P_TEXT:
        return value->type == JSON_T_STRING;
    case P_TRUTH:
        return value->type == JSON_T_TRUE || value->type == JSON_T_FALSE;
    case P_NUMBER:
        return value->type == JSON_T_NUMBER;
    case P_TEXTS:
        return value->type == JSON_T_ARRAY && all_of(value, JSON_T_STRING);
    case P_OBJECT:
        return value->type == JSON_T_OBJECT;
    case P_OBJECTS:
        return value->type == JSON_T_ARRAY && all_of(value, JSON_T_OBJECT);
    case P_ANY:
        return true;
    }
    return false;
}

/* Names with '~' are ours; nothing of theirs may bear one, at any depth. */
static bool has_our_names(const struct json_node *node)
{
    for (const struct json_node *child = node->first; child != NULL; child = child->next)
        if ((child->name.len > 0 && child->name.ptr[0] == '~') || has_our_names(child)) return true;
    return false;
}

/* PATCH of an object merges its members; arrays and plain values are replaced. */
static bool merge(struct graph_call *call, struct json_node *doc, const struct json_node *value)
{
    struct json_node *there = json_get_str(doc, value->name);
    if (value->type != JSON_T_OBJECT || !json_is(there, JSON_T_OBJECT))
        return json_set(call->arena, doc, value->name, json_clone(call->arena, value)) != NULL;
    for (const struct json_node *m = value->first; m != NULL; m = m->next)
        if (json_set(call->arena, there, m->name, json_clone(call->arena, m)) == NULL) return false;
    return true;
}

static enum rf_kind apply_member(struct graph_call *call, const struct graph_entity *entity,
                                 const struct json_node *value, struct json_node *doc,
                                 bool creating, struct rf_err *err)
{
    rf_str name = value->name;
    /* Annotations, and links that the entity reads by itself. */
    if (rf_str_find(name, RF_S("@"), 0) != SIZE_MAX) return RF_OK;
    const struct graph_property *property = property_of(entity, name);
    if (property == NULL)
        return graph_bad(err, "Invalid property '%.*s'.", (int)RF_MIN(name.len, 64),
                         (const char *)name.ptr);
    bool same = json_equal(value, json_get_str(doc, name));
    if ((property->flags & P_READ_ONLY) || (!creating && (property->flags & P_FIXED))) {
        /* Clients that send back what they have read change nothing. */
        if (same || value->type == JSON_T_NULL) return RF_OK;
        return graph_bad(err, "Property '%s' is read-only and cannot be set.", property->name);
    }
    if (!type_fits(value, property->type))
        return graph_bad(err, "Invalid value specified for property '%s' of resource '%s'.",
                         property->name, entity->trail_type);
    return merge(call, doc, value) ? RF_OK : graph_memory(call, err);
}

enum rf_kind graph_apply(struct graph_call *call, const struct graph_entity *entity,
                         const struct json_node *body, struct json_node *doc, bool creating,
                         struct rf_err *err)
{
    if (has_our_names(body)) return graph_bad(err, "Names of properties must not begin with '~'.");
    for (const struct json_node *m = body->first; m != NULL; m = m->next)
        RF_TRY(apply_member(call, entity, m, doc, creating, err));
    for (uint32_t i = 0; i < entity->property_count; i++) {
        const struct graph_property *p = &entity->properties[i];
        const struct json_node *value = json_get(doc, p->name);
        if (!(p->flags & P_REQUIRED)) continue;
        if (value == NULL || value->type == JSON_T_NULL ||
            (value->type == JSON_T_STRING && value->text.len == 0))
            return graph_bad(err, "A value is required for property '%s' of resource '%s'.",
                             p->name, entity->trail_type);
    }
    return RF_OK;
}

/* ---- finding ------------------------------------------------------------------------------------------------------------------ */

/* "appId='x'" gives the name and the value; "'x'" the value alone. False: it is a plain id. */
static bool read_key(rf_str id, rf_str *name, rf_str *value)
{
    size_t quote = rf_str_find(id, RF_S("'"), 0);
    if (quote == SIZE_MAX || id.len < quote + 2 || !rf_str_ends(id, RF_S("'"))) return false;
    *value = rf_slice(id, quote + 1, id.len - 1);
    *name = rf_str_trim(rf_slice(id, 0, quote));
    if (rf_str_ends(*name, RF_S("="))) name->len--;
    *name = rf_str_trim(*name);
    return true;
}

enum rf_kind graph_entity_find(struct graph_call *call, const struct graph_entity *entity,
                               uint32_t index, struct json_node **out, struct rf_err *err)
{
    RF_ASSERT(index < call->id_count);
    rf_str id = call->ids[index], name = {0}, value = id;
    enum rf_kind kind = RF_NOT_FOUND;
    bool keyed = read_key(id, &name, &value);
    if (keyed && name.len > 0 && !rf_str_is(name, "id")) {
        if (entity->alternate == NULL || !rf_str_is(name, entity->alternate))
            return graph_bad(err, "The key '%.*s' is none of this type.", (int)RF_MIN(name.len, 64),
                             (const char *)name.ptr);
        kind =
            object_find(call->txn, entity->space, entity->alternate, value, call->arena, out, err);
    } else if (guid_is(value)) {
        kind = object_get(call->txn, entity->space, value, call->arena, out, err);
    } else if (entity == &graph_user) {
        kind = object_find(call->txn, "user", "userPrincipalName", value, call->arena, out, err);
    }
    return kind == RF_NOT_FOUND ? graph_not_found(value, err) : kind;
}

/* ---- showing ------------------------------------------------------------------------------------------------------------------ */

enum rf_kind graph_show(struct graph_call *call, const struct graph_entity *entity,
                        const struct json_node *doc, bool typed, struct json_node **out,
                        struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *shown = json_new(arena, JSON_T_OBJECT), *copy = graph_public(arena, doc);
    if (shown == NULL || copy == NULL) return graph_memory(call, err);
    if (typed && entity != NULL)
        json_set_text(arena, shown, "@odata.type",
                      rf_arena_printf(arena, "#microsoft.graph.%s", entity->type));
    if (shown->last == NULL)
        *shown = *copy;
    else {
        shown->last->next = copy->first;
        if (copy->last != NULL) shown->last = copy->last;
        shown->count += copy->count;
    }
    if (entity != NULL && entity->show != NULL) RF_TRY(entity->show(call, shown, err));
    *out = shown;
    return RF_OK;
}

static enum rf_kind expand(struct graph_call *call, const struct graph_entity *entity,
                           struct json_node *shown, struct rf_err *err)
{
    bool found;
    rf_str list = graph_option(call, "$expand", &found);
    for (size_t at = 0; found && at < list.len;) {
        size_t end = at, depth = 0;
        while (end < list.len && (depth > 0 || list.ptr[end] != ',')) {
            depth += list.ptr[end] == '(';
            if (list.ptr[end] == ')' && depth > 0) depth--;
            end++;
        }
        rf_str name = rf_str_trim(rf_slice(list, at, end));
        at = end + 1;
        size_t open = rf_str_find(name, RF_S("("), 0);
        if (open != SIZE_MAX) name = rf_slice(name, 0, open);
        enum rf_kind kind =
            entity->expand == NULL ? RF_NOT_FOUND : entity->expand(call, shown, name, err);
        if (kind == RF_NOT_FOUND)
            return graph_bad(err,
                             "Parsing OData Select and Expand failed: Could not find a property "
                             "named '%.*s' on type 'microsoft.graph.%s'.",
                             (int)RF_MIN(name.len, 64), (const char *)name.ptr, entity->type);
        RF_TRY(kind);
    }
    return RF_OK;
}

enum rf_kind graph_answer_entity(struct graph_call *call, const struct graph_entity *entity,
                                 const struct json_node *doc, uint16_t status, struct rf_err *err)
{
    struct json_node *shown, *root = json_new(call->arena, JSON_T_OBJECT);
    char what[96];
    size_t len = strlen(entity->set);
    RF_ASSERT(len + 9 < sizeof what);
    memcpy(what, entity->set, len);
    memcpy(what + len, "/$entity", 9);
    RF_TRY(graph_show(call, entity, doc, false, &shown, err));
    RF_TRY(expand(call, entity, shown, err));
    graph_select(call, shown);
    if (json_set_text(call->arena, root, "@odata.context", graph_context(call, what)) == NULL)
        return graph_memory(call, err);
    root->last->next = shown->first;
    if (shown->last != NULL) root->last = shown->last;
    root->count += shown->count;
    call->status = status;
    call->answer = root;
    return RF_OK;
}

/* ---- the five verbs --------------------------------------------------------------------------------------------------------- */

static const char *verb_of(const char *operation)
{
    if (strncmp(operation, "Add ", 4) == 0) return "Add";
    if (strncmp(operation, "Delete ", 7) == 0 || strncmp(operation, "Remove ", 7) == 0)
        return "Delete";
    return "Update";
}

static void note(struct graph_call *call, const struct graph_entity *entity, const char *operation,
                 const struct json_node *target, const struct json_node *before,
                 const struct json_node *after)
{
    graph_change(call, &(struct trail_change){.operation = operation,
                                              .verb = verb_of(operation),
                                              .service = entity->trail_service,
                                              .category = entity->trail_category,
                                              .type = entity->trail_type,
                                              .target = target,
                                              .before = before,
                                              .after = after});
}

enum rf_kind graph_store(struct graph_call *call, const struct graph_entity *entity,
                         struct json_node *doc, const struct json_node *before,
                         const char *operation, struct rf_err *err)
{
    RF_TRY(object_put(call->txn, entity->space, doc, call->arena, err));
    if (operation != NULL) note(call, entity, operation, doc, before, doc);
    return RF_OK;
}

enum rf_kind graph_entity_list(struct graph_call *call, struct rf_err *err)
{
    return graph_list_space(call, call->route->entity, err);
}

enum rf_kind graph_entity_get(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc;
    RF_TRY(graph_entity_find(call, call->route->entity, 0, &doc, err));
    return graph_answer_entity(call, call->route->entity, doc, 200, err);
}

enum rf_kind graph_entity_create(struct graph_call *call, struct rf_err *err)
{
    const struct graph_entity *entity = call->route->entity;
    if (call->body == NULL) return graph_bad(err, "A body is required.");
    struct json_node *doc = json_new(call->arena, JSON_T_OBJECT);
    rf_str now = time_graph(call->arena, call->request->now);
    json_set_text(call->arena, doc, "id", guid_random(call->arena));
    json_set(call->arena, doc, RF_S("deletedDateTime"), json_new(call->arena, JSON_T_NULL));
    if (json_set_text(call->arena, doc, "createdDateTime", now) == NULL)
        return graph_memory(call, err);
    RF_TRY(graph_apply(call, entity, call->body, doc, true, err));
    if (entity->put != NULL) RF_TRY(entity->put(call, doc, NULL, err));
    RF_TRY(graph_store(call, entity, doc, NULL, entity->added, err));
    return graph_answer_entity(call, entity, doc, 201, err);
}

enum rf_kind graph_entity_update(struct graph_call *call, struct rf_err *err)
{
    const struct graph_entity *entity = call->route->entity;
    struct json_node *doc;
    if (call->body == NULL) return graph_bad(err, "A body is required.");
    RF_TRY(graph_entity_find(call, entity, 0, &doc, err));
    struct json_node *before = json_clone(call->arena, doc);
    if (before == NULL) return graph_memory(call, err);
    RF_TRY(graph_apply(call, entity, call->body, doc, false, err));
    uint32_t changes = call->change_count;
    if (entity->put != NULL) RF_TRY(entity->put(call, doc, before, err));
    if (!json_equal(doc, before)) {
        /* `put` may have noted something more telling than an update. */
        const char *operation = call->change_count == changes ? entity->updated : NULL;
        RF_TRY(graph_store(call, entity, doc, before, operation, err));
    }
    return graph_answer_empty(call, 204);
}

enum rf_kind graph_entity_remove(struct graph_call *call, struct rf_err *err)
{
    const struct graph_entity *entity = call->route->entity;
    struct json_node *doc;
    RF_TRY(graph_entity_find(call, entity, 0, &doc, err));
    if (entity->remove != NULL) RF_TRY(entity->remove(call, doc, err));
    RF_TRY(graph_unlink(call, json_text_at(doc, "id"), err));
    RF_TRY(object_delete(call->txn, entity->space, json_text_at(doc, "id"), err));
    note(call, entity, entity->deleted, doc, NULL, NULL);
    return graph_answer_empty(call, 204);
}

/* ---- what hangs on an object -------------------------------------------------------------------------------------------------- */

static enum rf_kind remove_links(struct graph_call *call, const char *space, rf_str id,
                                 struct rf_err *err)
{
    struct link_list links;
    rf_str low = text_lower(call->arena, id);
    rf_str prefix = rf_arena_printf(call->arena, "%.*s/", RF_FMT(low));
    if (prefix.ptr == NULL) return graph_memory(call, err);
    RF_TRY(state_delete_prefix(call->txn, space, prefix, NULL, err));
    RF_TRY(link_list(call->txn, space, (rf_str){0}, id, call->arena, &links, err));
    for (uint32_t i = 0; i < links.count; i++)
        RF_TRY(link_delete(call->txn, space, links.items[i].object, id, NULL, call->arena, err));
    return RF_OK;
}

static enum rf_kind remove_indexed(struct graph_call *call, const char *space, const char *member,
                                   rf_str id, struct rf_err *err)
{
    struct object_list list;
    RF_TRY(object_list(call->txn, space, member, id, call->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(object_delete(call->txn, space, json_text_at(list.items[i], "id"), err));
    return RF_OK;
}

enum rf_kind graph_unlink(struct graph_call *call, rf_str id, struct rf_err *err)
{
    RF_TRY(remove_links(call, "member", id, err));
    RF_TRY(remove_links(call, "owner", id, err));
    RF_TRY(remove_indexed(call, "appRoleAssignment", "principalId", id, err));
    RF_TRY(remove_indexed(call, "appRoleAssignment", "resourceId", id, err));
    RF_TRY(remove_indexed(call, "directoryRoleAssignment", "principalId", id, err));
    RF_TRY(remove_indexed(call, "roleEligibility", "principalId", id, err));
    RF_TRY(remove_indexed(call, "roleActivation", "principalId", id, err));
    RF_TRY(remove_indexed(call, "roleActivationRequest", "principalId", id, err));
    RF_TRY(remove_indexed(call, "oauth2PermissionGrant", "clientId", id, err));
    return remove_indexed(call, "oauth2PermissionGrant", "resourceId", id, err);
}
