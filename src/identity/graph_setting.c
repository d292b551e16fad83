/* graph_setting.c - settings of the tenant about sign-in: security defaults, accounts for emergencies, methods of authentication. */
#include "identity/graph_policy_int.h"

enum { EMERGENCY_USERS_MAX = 10 };

/* ---- what they have in common ---------------------------------------------------------------------------------------------------- */

static enum rf_kind load(struct graph_call *call, const char *key, struct json_node **out,
                         struct rf_err *err)
{
    *out = NULL;
    enum rf_kind kind =
        object_get(call->txn, "accessSetting", rf_str_of(key), call->arena, out, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

static enum rf_kind store(struct graph_call *call, struct json_node *doc,
                          const struct json_node *before, const char *name, struct rf_err *err)
{
    struct json_node *target = json_new(call->arena, JSON_T_OBJECT);
    RF_TRY(graph_access_put(call, "accessSetting", doc, err));
    json_set_text(call->arena, target, "id", json_text_at(doc, "id"));
    if (json_set_text(call->arena, target, "displayName", rf_str_of(name)) == NULL)
        return graph_memory(call, err);
    graph_change(call, &(struct trail_change){.operation = "Update policy",
                                              .verb = "Update",
                                              .service = "Conditional Access",
                                              .category = "Policy",
                                              .type = "Policy",
                                              .target = target,
                                              .before = before,
                                              .after = doc});
    return graph_answer_empty(call, 204);
}

/* No member but these may be set; what was read may come back. */
static enum rf_kind check_members(const struct json_node *body, const struct json_node *now,
                                  const char *const *names, struct rf_err *err)
{
    for (const struct json_node *m = body->first; m != NULL; m = m->next) {
        bool fine = rf_str_find(m->name, RF_S("@"), 0) != SIZE_MAX ||
                    json_equal(m, json_get_str(now, m->name));
        for (const char *const *name = names; *name != NULL; name++)
            fine = fine || rf_str_is(m->name, *name);
        if (!fine)
            return graph_bad(err, "Property '%.*s' cannot be set.",
                             (int)RF_MIN(m->name.len, (size_t)64), (const char *)m->name.ptr);
    }
    return RF_OK;
}

static enum rf_kind check_body(const struct graph_call *call, struct rf_err *err)
{
    return call->body != NULL ? RF_OK : graph_bad(err, "A body is required.");
}

/* ---- security defaults ---------------------------------------------------------------------------------------------------------------- */

#define SECURITY_DEFAULTS "policies/identitySecurityDefaultsEnforcementPolicy"

static enum rf_kind defaults_json(struct graph_call *call, struct json_node **out,
                                  struct rf_err *err)
{
    struct json_node *kept, *doc = json_new(call->arena, JSON_T_OBJECT);
    RF_TRY(load(call, "securityDefaults", &kept, err));
    json_set_text(call->arena, doc, "@odata.context",
                  graph_context(call, SECURITY_DEFAULTS "/$entity"));
    json_set_text(call->arena, doc, "id", RF_S(SECURITY_DEFAULTS_ID));
    json_set_text(call->arena, doc, "displayName", RF_S("Security Defaults"));
    json_set_text(call->arena, doc, "description",
                  RF_S("Everybody signs in with two factors, but for accounts for emergencies."));
    *out = doc;
    return json_set_bool(call->arena, doc, "isEnabled", json_bool_at(kept, "isEnabled", false)) ==
                   NULL
               ? graph_memory(call, err)
               : RF_OK;
}

static enum rf_kind get_defaults(struct graph_call *call, struct rf_err *err)
{
    return defaults_json(call, &call->answer, err);
}

static enum rf_kind check_no_policy(struct graph_call *call, struct rf_err *err)
{
    struct object_list list;
    RF_TRY(object_list(call->txn, "conditionalAccessPolicy", NULL, (rf_str){0}, call->arena, &list,
                       err));
    for (uint32_t i = 0; i < list.count; i++)
        if (rf_str_is(json_text_at(list.items[i], "state"), "enabled"))
            return graph_bad(err,
                             "Security defaults and conditional access exclude each other: "
                             "the policy '%.*s' is enabled.",
                             RF_FMT(json_text_at(list.items[i], "displayName")));
    return RF_OK;
}

static enum rf_kind patch_defaults(struct graph_call *call, struct rf_err *err)
{
    static const char *const names[] = {"isEnabled", NULL};
    struct json_node *shown, *before, *doc = json_new(call->arena, JSON_T_OBJECT);
    RF_TRY(check_body(call, err));
    RF_TRY(defaults_json(call, &shown, err));
    RF_TRY(check_members(call->body, shown, names, err));
    RF_TRY(load(call, "securityDefaults", &before, err));
    const struct json_node *wanted = json_get(call->body, "isEnabled");
    if (wanted == NULL || (wanted->type != JSON_T_TRUE && wanted->type != JSON_T_FALSE))
        return graph_bad(err, "isEnabled must be true or false.");
    bool enabled = wanted->type == JSON_T_TRUE;
    if (enabled == json_bool_at(before, "isEnabled", false)) return graph_answer_empty(call, 204);
    if (enabled) RF_TRY(check_no_policy(call, err));
    json_set_text(call->arena, doc, "id", RF_S("securityDefaults"));
    if (json_set_bool(call->arena, doc, "isEnabled", enabled) == NULL)
        return graph_memory(call, err);
    return store(call, doc, before, "Security Defaults", err);
}

/* ---- accounts for emergencies (ours: the cloud leaves it to lists of exclusions) ----------------------------------------------------------- */

#define EMERGENCY "policies/emergencyAccessPolicy"

static enum rf_kind get_emergency(struct graph_call *call, struct rf_err *err)
{
    struct json_node *kept, *doc = json_new(call->arena, JSON_T_OBJECT);
    RF_TRY(load(call, "emergencyAccess", &kept, err));
    const struct json_node *ids = json_get(kept, "userIds");
    json_set_text(call->arena, doc, "@odata.context", graph_context(call, EMERGENCY "/$entity"));
    json_set_text(call->arena, doc, "id", RF_S("emergencyAccess"));
    json_set_text(call->arena, doc, "displayName", RF_S("Emergency access"));
    call->answer = doc;
    return json_set(call->arena, doc, RF_S("userIds"),
                    ids == NULL ? json_new(call->arena, JSON_T_ARRAY)
                                : json_clone(call->arena, ids)) == NULL
               ? graph_memory(call, err)
               : RF_OK;
}

static enum rf_kind check_users(struct graph_call *call, const struct json_node *ids,
                                struct rf_err *err)
{
    if (!json_is(ids, JSON_T_ARRAY) || ids->count > EMERGENCY_USERS_MAX)
        return graph_bad(err, "userIds is a list of at most %d ids of users.", EMERGENCY_USERS_MAX);
    for (const struct json_node *id = ids->first; id != NULL; id = id->next) {
        struct json_node *user;
        if (id->type != JSON_T_STRING || !guid_is(id->text))
            return graph_bad(err, "userIds holds something that is no id.");
        enum rf_kind kind = object_get(call->txn, "user", id->text, call->arena, &user, err);
        if (kind == RF_NOT_FOUND)
            return graph_bad(err, "userIds: there is no user '%.*s'.", RF_FMT(id->text));
        RF_TRY(kind);
    }
    return RF_OK;
}

static enum rf_kind patch_emergency(struct graph_call *call, struct rf_err *err)
{
    static const char *const names[] = {"userIds", "id", "displayName", NULL};
    struct json_node *before, *doc = json_new(call->arena, JSON_T_OBJECT);
    RF_TRY(check_body(call, err));
    RF_TRY(check_members(call->body, NULL, names, err));
    RF_TRY(load(call, "emergencyAccess", &before, err));
    const struct json_node *ids = json_get(call->body, "userIds");
    RF_TRY(check_users(call, ids, err));
    json_set_text(call->arena, doc, "id", RF_S("emergencyAccess"));
    if (json_set(call->arena, doc, RF_S("userIds"), json_clone(call->arena, ids)) == NULL)
        return graph_memory(call, err);
    return store(call, doc, before, "Emergency access", err);
}

/* ---- methods of authentication ----------------------------------------------------------------------------------------------------------------- */

#define METHODS "policies/authenticationMethodsPolicy"

static const char methods_json[] =
    "{\"id\":\"authenticationMethodsPolicy\",\"displayName\":\"Authentication Methods Policy\","
    "\"description\":\"The methods by which users of the tenant may sign in.\","
    "\"policyVersion\":\"1.5\",\"policyMigrationState\":\"migrationComplete\","
    "\"authenticationMethodConfigurations\":["
    "{\"@odata.type\":\"#microsoft.graph.fido2AuthenticationMethodConfiguration\",\"id\":\"Fido2\","
    "\"state\":\"enabled\",\"isSelfServiceRegistrationAllowed\":true,"
    "\"isAttestationEnforced\":false},"
    "{\"@odata.type\":\"#microsoft.graph.softwareOathAuthenticationMethodConfiguration\","
    "\"id\":\"SoftwareOath\",\"state\":\"enabled\"},"
    "{\"@odata.type\":\"#microsoft.graph.temporaryAccessPassAuthenticationMethodConfiguration\","
    "\"id\":\"TemporaryAccessPass\",\"state\":\"enabled\",\"defaultLifetimeInMinutes\":60,"
    "\"minimumLifetimeInMinutes\":10,\"maximumLifetimeInMinutes\":480,\"isUsableOnce\":true},"
    "{\"@odata.type\":\"#ringfort.recoveryCodeAuthenticationMethodConfiguration\","
    "\"id\":\"RecoveryCode\",\"state\":\"enabled\"}]}";

/* As it was changed, or as it comes. `id` of the stored document is the setting's key. */
static enum rf_kind load_methods(struct graph_call *call, struct json_node **kept,
                                 struct json_node **out, struct rf_err *err)
{
    struct json_node *list;
    RF_TRY(load(call, "authenticationMethods", kept, err));
    RF_TRY(json_parse(rf_str_of(methods_json), call->arena, out, err));
    list = json_get(*kept, "authenticationMethodConfigurations");
    if (list == NULL) return RF_OK;
    return json_set(call->arena, *out, RF_S("authenticationMethodConfigurations"),
                    json_clone(call->arena, list)) == NULL
               ? graph_memory(call, err)
               : RF_OK;
}

static struct json_node *method_of(const struct json_node *doc, rf_str id)
{
    struct json_node *list = json_get(doc, "authenticationMethodConfigurations");
    for (struct json_node *m = list == NULL ? NULL : list->first; m != NULL; m = m->next)
        if (rf_str_eq_nocase(json_text_at(m, "id"), id)) return m;
    return NULL;
}

static enum rf_kind answer_with(struct graph_call *call, const char *context,
                                const struct json_node *doc, struct rf_err *err)
{
    struct json_node *root = json_new(call->arena, JSON_T_OBJECT);
    if (json_set_text(call->arena, root, "@odata.context", graph_context(call, context)) == NULL)
        return graph_memory(call, err);
    for (const struct json_node *m = doc->first; m != NULL; m = m->next)
        if (json_set(call->arena, root, m->name, json_clone(call->arena, m)) == NULL)
            return graph_memory(call, err);
    call->answer = root;
    return RF_OK;
}

static enum rf_kind get_methods(struct graph_call *call, struct rf_err *err)
{
    struct json_node *kept, *doc;
    RF_TRY(load_methods(call, &kept, &doc, err));
    return answer_with(call, "authenticationMethodsPolicy", doc, err);
}

static enum rf_kind list_methods(struct graph_call *call, struct rf_err *err)
{
    struct json_node *kept, *doc, *docs[8];
    uint32_t count = 0;
    RF_TRY(load_methods(call, &kept, &doc, err));
    const struct json_node *list = json_get(doc, "authenticationMethodConfigurations");
    for (struct json_node *m = list->first; m != NULL && count < RF_COUNT(docs); m = m->next)
        docs[count++] = m;
    struct graph_items items = {
        .docs = docs, .count = count, .context = METHODS "/authenticationMethodConfigurations"};
    return graph_list_items(call, &items, err);
}

static enum rf_kind get_method(struct graph_call *call, struct rf_err *err)
{
    struct json_node *kept, *doc;
    RF_TRY(load_methods(call, &kept, &doc, err));
    const struct json_node *method = method_of(doc, call->ids[0]);
    if (method == NULL) return graph_not_found(call->ids[0], err);
    return answer_with(call, METHODS "/authenticationMethodConfigurations/$entity", method, err);
}

static bool minutes_fit(const struct json_node *method)
{
    int64_t least, most, usual;
    return json_i64_at(method, "minimumLifetimeInMinutes", &least) &&
           json_i64_at(method, "maximumLifetimeInMinutes", &most) &&
           json_i64_at(method, "defaultLifetimeInMinutes", &usual) && least >= 10 && most <= 480 &&
           least <= usual && usual <= most;
}

static enum rf_kind change_member(struct graph_call *call, struct json_node *method,
                                  const struct json_node *wanted, struct rf_err *err)
{
    static const char *const open[] = {"state", "defaultLifetimeInMinutes",
                                       "minimumLifetimeInMinutes", "maximumLifetimeInMinutes",
                                       "isUsableOnce"};
    const struct json_node *now = json_get_str(method, wanted->name);
    bool known = false;
    if (json_equal(now, wanted) || rf_str_find(wanted->name, RF_S("@"), 0) != SIZE_MAX)
        return RF_OK;
    for (size_t i = 0; i < RF_COUNT(open); i++)
        known = known || (now != NULL && rf_str_is(wanted->name, open[i]));
    bool is_state = rf_str_is(wanted->name, "state");
    bool fits = known && (is_state ? rf_str_is(wanted->text, "enabled") ||
                                         rf_str_is(wanted->text, "disabled")
                          : now->type == JSON_T_NUMBER
                              ? wanted->type == JSON_T_NUMBER
                              : wanted->type == JSON_T_TRUE || wanted->type == JSON_T_FALSE);
    if (!fits)
        return graph_bad(err, "Property '%.*s' of the method '%.*s' cannot be set to this.",
                         (int)RF_MIN(wanted->name.len, (size_t)64), (const char *)wanted->name.ptr,
                         RF_FMT(json_text_at(method, "id")));
    return json_set(call->arena, method, now->name, json_clone(call->arena, wanted)) == NULL
               ? graph_memory(call, err)
               : RF_OK;
}

static enum rf_kind change_method(struct graph_call *call, struct json_node *doc, rf_str id,
                                  const struct json_node *wanted, struct rf_err *err)
{
    struct json_node *method = method_of(doc, id);
    if (method == NULL) return graph_not_found(id, err);
    for (const struct json_node *m = wanted->first; m != NULL; m = m->next)
        RF_TRY(change_member(call, method, m, err));
    if (json_get(method, "defaultLifetimeInMinutes") != NULL && !minutes_fit(method))
        return graph_bad(err, "Lifetimes of a temporary access pass are 10 to 480 minutes, the "
                              "usual one between the least and the greatest.");
    return RF_OK;
}

static enum rf_kind store_methods(struct graph_call *call, const struct json_node *before,
                                  struct json_node *doc, struct rf_err *err)
{
    struct json_node *kept = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(call->arena, kept, "id", RF_S("authenticationMethods"));
    if (json_set(call->arena, kept, RF_S("authenticationMethodConfigurations"),
                 json_clone(call->arena, json_get(doc, "authenticationMethodConfigurations"))) ==
        NULL)
        return graph_memory(call, err);
    return store(call, kept, before, "Authentication Methods Policy", err);
}

static enum rf_kind patch_methods(struct graph_call *call, struct rf_err *err)
{
    static const char *const names[] = {"authenticationMethodConfigurations", NULL};
    struct json_node *kept, *doc;
    RF_TRY(check_body(call, err));
    RF_TRY(load_methods(call, &kept, &doc, err));
    RF_TRY(check_members(call->body, doc, names, err));
    const struct json_node *list = json_get(call->body, names[0]);
    if (list != NULL && list->type != JSON_T_ARRAY)
        return graph_bad(err, "authenticationMethodConfigurations must be a list.");
    for (const struct json_node *m = list == NULL ? NULL : list->first; m != NULL; m = m->next)
        RF_TRY(change_method(call, doc, json_text_at(m, "id"), m, err));
    return store_methods(call, kept, doc, err);
}

static enum rf_kind patch_method(struct graph_call *call, struct rf_err *err)
{
    struct json_node *kept, *doc;
    RF_TRY(check_body(call, err));
    RF_TRY(load_methods(call, &kept, &doc, err));
    RF_TRY(change_method(call, doc, call->ids[0], call->body, err));
    return store_methods(call, kept, doc, err);
}

const struct graph_route graph_setting_routes[] = {
    {HTTP_GET, 0, SECURITY_DEFAULTS, POLICY_READ, get_defaults, NULL},
    {HTTP_PATCH, 0, SECURITY_DEFAULTS, POLICY_WRITE, patch_defaults, NULL},
    {HTTP_GET, 0, EMERGENCY, POLICY_READ, get_emergency, NULL},
    {HTTP_PATCH, 0, EMERGENCY, POLICY_WRITE, patch_emergency, NULL},
    {HTTP_GET, 0, METHODS, METHOD_POLICY_READ, get_methods, NULL},
    {HTTP_PATCH, 0, METHODS, METHOD_POLICY_WRITE, patch_methods, NULL},
    {HTTP_GET, 0, METHODS "/authenticationMethodConfigurations", METHOD_POLICY_READ, list_methods,
     NULL},
    {HTTP_GET, 0, METHODS "/authenticationMethodConfigurations/{}", METHOD_POLICY_READ, get_method,
     NULL},
    {HTTP_PATCH, 0, METHODS "/authenticationMethodConfigurations/{}", METHOD_POLICY_WRITE,
     patch_method, NULL},
    {.path = NULL},
};
