#include "identity/graph_policy_int.h"
#include "people/place.h"

/* ---- no change may shut out the last administrator -------------------------------------------------------------------------------------- */

static bool is_forced(const struct graph_call *call)
{
    bool found;
    rf_str option = graph_option(call, "$force", &found);
    rf_str header = http_header(call->request->http, "ringfort-force", NULL);
    return (found && rf_str_eq_nocase(option, RF_S("true"))) ||
           rf_str_eq_nocase(header, RF_S("true"));
}

static enum rf_kind load(struct graph_call *call, struct rf_arena *arena,
                         struct access_policies *out, struct rf_err *err)
{
    rf_arena_init(arena, ACCESS_BYTES_MAX);
    enum rf_kind kind = access_load(call->txn, arena, out, err);
    if (kind == RF_LIMIT)
        return graph_bad(err,
                         "1050: The policies and locations of the tenant take more than %d "
                         "MiB: make lists shorter, or use groups.",
                         ACCESS_BYTES_MAX >> 20);
    return kind;
}

static enum rf_kind check_way_in(struct graph_call *call, const struct access_policies *before,
                                 const struct access_policies *after, struct rf_arena *arena,
                                 struct rf_err *err)
{
    bool reachable;
    rf_str address = call->request->http->peer_address;
    rf_usec now = call->request->now;
    if (is_forced(call)) return RF_OK;
    RF_TRY(
        access_reachable(call->identity, call->txn, after, address, now, arena, &reachable, err));
    if (reachable) return RF_OK;
    /* Who was shut out before is not helped by a refusal. */
    RF_TRY(
        access_reachable(call->identity, call->txn, before, address, now, arena, &reachable, err));
    if (!reachable) return RF_OK;
    return graph_bad(err, "1051: No administrator could sign in any more to undo this: exclude one "
                          "(conditions.users.excludeUsers), name an account for emergencies "
                          "(policies/emergencyAccessPolicy), or send it with ?force=true.");
}

static enum rf_kind change(struct graph_call *call, const char *space, const struct json_node *doc,
                           rf_str deleted, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena old = {0}, new = {0};
    struct access_policies before, after;
    RF_TRY(load(call, &old, &before, err));
    if (doc != NULL)
        RF_TRY(object_put(call->txn, space, doc, call->arena, err));
    else
        RF_TRY(object_delete(call->txn, space, deleted, err));
    RF_TRY(load(call, &new, &after, err));
    return check_way_in(call, &before, &after, call->arena, err);
}

enum rf_kind graph_access_put(struct graph_call *call, const char *space,
                              const struct json_node *doc, struct rf_err *err)
{
    return change(call, space, doc, (rf_str){0}, err);
}

enum rf_kind graph_access_delete(struct graph_call *call, const char *space, rf_str id,
                                 struct rf_err *err)
{
    return change(call, space, NULL, id, err);
}

enum rf_kind graph_policy_naming(struct graph_call *call, const char *const *paths,
                                 size_t path_count, rf_str id, rf_str *out, struct rf_err *err)
{
    struct object_list list;
    *out = (rf_str){0};
    RF_TRY(object_list(call->txn, "conditionalAccessPolicy", NULL, (rf_str){0}, call->arena, &list,
                       err));
    for (uint32_t i = 0; i < list.count; i++)
        for (size_t p = 0; p < path_count; p++)
            if (access_text_in(json_at(list.items[i], paths[p]), id) ||
                rf_str_eq_nocase(json_text_at(list.items[i], paths[p]), id))
                *out = json_text_at(list.items[i], "displayName");
    return RF_OK;
}

static enum rf_kind check_room(struct graph_call *call, const char *space, uint32_t most,
                               struct rf_err *err)
{
    struct object_list list;
    RF_TRY(object_list(call->txn, space, NULL, (rf_str){0}, call->arena, &list, err));
    if (list.count < most) return RF_OK;
    return graph_bad(err, "There are %u already, and no more are possible: delete one before.",
                     most);
}

/* ---- conditional access (section 10) -------------------------------------------------------------------------------------------------------- */

static const struct graph_property policy_properties[] = {
    {"id", P_TEXT, P_READ_ONLY},
    {"createdDateTime", P_TEXT, P_READ_ONLY},
    {"deletedDateTime", P_TEXT, P_READ_ONLY},
    {"modifiedDateTime", P_TEXT, P_READ_ONLY},
    {"templateId", P_TEXT, P_READ_ONLY},
    {"partialEnablementStrategy", P_TEXT, P_READ_ONLY},
    {"displayName", P_TEXT, P_REQUIRED},
    {"state", P_TEXT, P_REQUIRED},
    {"conditions", P_OBJECT, P_REQUIRED},
    {"grantControls", P_OBJECT, 0},
    {"sessionControls", P_OBJECT, 0},
};

/* A strength is named by its id; providers name it by a link. What else stands there is computed. */
static enum rf_kind read_strength(struct graph_call *call, struct json_node *doc,
                                  struct rf_err *err)
{
    struct json_node *grant = json_get(doc, "grantControls"), *strength, *known;
    struct json_node *link = json_get(grant, "authenticationStrength@odata.bind");
    rf_str id = json_text_at(grant, "authenticationStrength.id");
    if (!json_is(grant, JSON_T_OBJECT)) return RF_OK;
    if (json_is(link, JSON_T_STRING)) {
        if (link->text.len < GUID_TEXT_BYTES)
            return graph_bad(err, "1022: authenticationStrength@odata.bind ends in an id.");
        id = rf_slice(link->text, link->text.len - GUID_TEXT_BYTES, link->text.len);
        json_remove(grant, link->name);
    } else if (!json_is(json_get(grant, "authenticationStrength"), JSON_T_OBJECT)) {
        return RF_OK;
    }
    enum rf_kind kind = graph_strength_find(call, id, &known, err);
    if (kind == RF_NOT_FOUND)
        return graph_bad(err,
                         "1022: grantControls.authenticationStrength: there is no strength "
                         "with the id '%.*s'.",
                         (int)RF_MIN(id.len, (size_t)64), (const char *)id.ptr);
    RF_TRY(kind);
    strength = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(call->arena, strength, "id", json_text_at(known, "id"));
    return json_set(call->arena, grant, RF_S("authenticationStrength"), strength) == NULL
               ? graph_memory(call, err)
               : RF_OK;
}

static enum rf_kind check_places(struct graph_call *call, const struct json_node *doc,
                                 const char *path, struct rf_err *err)
{
    const struct json_node *list = json_at(doc, path);
    struct json_node *location;
    if (!json_is(list, JSON_T_ARRAY)) return RF_OK;
    for (const struct json_node *id = list->first; id != NULL; id = id->next) {
        if (!guid_is(id->text)) continue;
        enum rf_kind kind =
            object_get(call->txn, "namedLocation", id->text, call->arena, &location, err);
        if (kind == RF_NOT_FOUND)
            return graph_bad(err, "1044: %s: there is no named location '%.*s'.", path,
                             RF_FMT(id->text));
        RF_TRY(kind);
    }
    return RF_OK;
}

static enum rf_kind check_defaults(struct graph_call *call, const struct json_node *doc,
                                   struct rf_err *err)
{
    struct json_node *defaults;
    if (!rf_str_is(json_text_at(doc, "state"), "enabled")) return RF_OK;
    enum rf_kind kind = object_get(call->txn, "accessSetting", RF_S("securityDefaults"),
                                   call->arena, &defaults, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    if (!json_bool_at(defaults, "isEnabled", false)) return RF_OK;
    return graph_bad(err, "1007: Security Defaults is enabled in the tenant. You must disable "
                          "Security defaults before enabling a Conditional Access policy.");
}

static enum rf_kind put_policy(struct graph_call *call, struct json_node *doc,
                               const struct json_node *before, struct rf_err *err)
{
    RF_TRY(read_strength(call, doc, err));
    RF_TRY(policy_check(doc, err));
    RF_TRY(check_places(call, doc, "conditions.locations.includeLocations", err));
    RF_TRY(check_places(call, doc, "conditions.locations.excludeLocations", err));
    RF_TRY(check_defaults(call, doc, err));
    if (before == NULL)
        RF_TRY(check_room(call, "conditionalAccessPolicy", ACCESS_POLICIES_MAX, err));
    json_remove(doc, RF_S("deletedDateTime"));
    rf_str now = time_graph(call->arena, call->request->now);
    struct json_node *modified =
        before == NULL ? json_new(call->arena, JSON_T_NULL) : json_new_text(call->arena, now);
    if (json_set(call->arena, doc, RF_S("modifiedDateTime"), modified) == NULL)
        return graph_memory(call, err);
    return graph_access_put(call, "conditionalAccessPolicy", doc, err);
}

/* Readers see the strength whole. */
static enum rf_kind show_policy(struct graph_call *call, struct json_node *shown,
                                struct rf_err *err)
{
    struct json_node *grant = json_get(shown, "grantControls"), *strength;
    rf_str id = json_text_at(grant, "authenticationStrength.id");
    if (id.len == 0 || graph_strength_find(call, id, &strength, err) != RF_OK) return RF_OK;
    return json_set(call->arena, grant, RF_S("authenticationStrength"), strength) == NULL
               ? graph_memory(call, err)
               : RF_OK;
}

static const struct graph_entity policy_entity = {
    .space = "conditionalAccessPolicy",
    .set = "identity/conditionalAccess/policies",
    .type = "conditionalAccessPolicy",
    .properties = policy_properties,
    .property_count = RF_COUNT(policy_properties),
    .trail_type = "Policy",
    .trail_category = "Policy",
    .trail_service = "Conditional Access",
    .added = "Add conditional access policy",
    .updated = "Update conditional access policy",
    .deleted = "Delete conditional access policy",
    .put = put_policy,
    .show = show_policy,
};

/* ---- named locations ------------------------------------------------------------------------------------------------------------------------------------------------------------ */

static const struct graph_property location_properties[] = {
    {"id", P_TEXT, P_READ_ONLY},
    {"createdDateTime", P_TEXT, P_READ_ONLY},
    {"deletedDateTime", P_TEXT, P_READ_ONLY},
    {"modifiedDateTime", P_TEXT, P_READ_ONLY},
    {"displayName", P_TEXT, P_REQUIRED},
    {"isTrusted", P_TRUTH, 0},
    {"ipRanges", P_OBJECTS, 0},
    {"countriesAndRegions", P_TEXTS, 0},
    {"countryLookupMethod", P_TEXT, 0},
    {"includeUnknownCountriesAndRegions", P_TRUTH, 0},
    {"countryOrRegion", P_TEXT, 0},
    {"city", P_TEXT, 0},
    {"geoCoordinates", P_OBJECT, 0},
};

static enum rf_kind put_location(struct graph_call *call, struct json_node *doc,
                                 const struct json_node *before, struct rf_err *err)
{
    const struct json_node *asked = json_get(call->body, "@odata.type");
    const struct json_node *type = before == NULL ? asked : json_get(before, "@odata.type");
    if (!json_is(type, JSON_T_STRING))
        return graph_bad(err, "@odata.type is #microsoft.graph.ipNamedLocation or "
                              "#microsoft.graph.countryNamedLocation.");
    if (asked != NULL && !json_equal(asked, type))
        return graph_bad(err, "@odata.type of a named location cannot be changed: make another.");
    if (before == NULL) RF_TRY(check_room(call, "namedLocation", ACCESS_LOCATIONS_MAX, err));
    json_remove(doc, RF_S("deletedDateTime"));
    json_set_text(call->arena, doc, "modifiedDateTime",
                  time_graph(call->arena, call->request->now));
    if (json_set_text(call->arena, doc, "@odata.type", type->text) == NULL)
        return graph_memory(call, err);
    RF_TRY(policy_check_location(doc, err));
    RF_TRY(place_check(doc, err));
    return graph_access_put(call, "namedLocation", doc, err);
}

static enum rf_kind remove_location(struct graph_call *call, const struct json_node *doc,
                                    struct rf_err *err)
{
    static const char *const paths[] = {"conditions.locations.includeLocations",
                                        "conditions.locations.excludeLocations"};
    rf_str id = json_text_at(doc, "id"), policy;
    RF_TRY(graph_policy_naming(call, paths, RF_COUNT(paths), id, &policy, err));
    if (policy.len > 0)
        return graph_bad(err,
                         "1044: The policy '%.*s' names this location: take it out of there "
                         "before.",
                         RF_FMT(policy));
    return graph_access_delete(call, "namedLocation", id, err);
}

static const struct graph_entity location_entity = {
    .space = "namedLocation",
    .set = "identity/conditionalAccess/namedLocations",
    .type = "namedLocation",
    .properties = location_properties,
    .property_count = RF_COUNT(location_properties),
    .trail_type = "Policy",
    .trail_category = "Policy",
    .trail_service = "Conditional Access",
    .added = "Add named location",
    .updated = "Update named location",
    .deleted = "Delete named location",
    .put = put_location,
    .remove = remove_location,
};

/* ---- routes --------------------------------------------------------------------------------------------------------------------------------------------------------------------------- */

#define POLICY &policy_entity
#define LOCATION &location_entity
const struct graph_route graph_policy_routes[] = {
    {HTTP_GET, 0, "identity/conditionalAccess/policies", POLICY_READ, graph_entity_list, POLICY},
    {HTTP_POST, 0, "identity/conditionalAccess/policies", POLICY_WRITE, graph_entity_create,
     POLICY},
    {HTTP_GET, 0, "identity/conditionalAccess/policies/{}", POLICY_READ, graph_entity_get, POLICY},
    {HTTP_PATCH, 0, "identity/conditionalAccess/policies/{}", POLICY_WRITE, graph_entity_update,
     POLICY},
    {HTTP_DELETE, 0, "identity/conditionalAccess/policies/{}", POLICY_WRITE, graph_entity_remove,
     POLICY},
    {HTTP_GET, 0, "identity/conditionalAccess/namedLocations", POLICY_READ, graph_entity_list,
     LOCATION},
    {HTTP_POST, 0, "identity/conditionalAccess/namedLocations", POLICY_WRITE, graph_entity_create,
     LOCATION},
    {HTTP_GET, 0, "identity/conditionalAccess/namedLocations/{}", POLICY_READ, graph_entity_get,
     LOCATION},
    {HTTP_PATCH, 0, "identity/conditionalAccess/namedLocations/{}", POLICY_WRITE,
     graph_entity_update, LOCATION},
    {HTTP_DELETE, 0, "identity/conditionalAccess/namedLocations/{}", POLICY_WRITE,
     graph_entity_remove, LOCATION},
    {HTTP_POST, GRAPH_READS, "identity/conditionalAccess/evaluate", POLICY_READ, graph_what_if,
     NULL},
    {.path = NULL},
};
