/* policy_match.c - whether a policy applies to a sign-in: each condition is what it includes without what it excludes. */
#include "people/policy_int.h"

/* ---- lists ---------------------------------------------------------------------------------------------------------------- */

bool policy_word_in(const struct json_node *list, rf_str word)
{
    if (!json_is(list, JSON_T_ARRAY) || word.len == 0) return false;
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        if (item->type == JSON_T_STRING && rf_str_eq_nocase(item->text, word)) return true;
    return false;
}

bool policy_word_of(rf_str list, rf_str word)
{
    for (size_t at = 0; at < list.len;) {
        size_t end = rf_str_find(list, RF_S(","), at);
        if (end == SIZE_MAX) end = list.len;
        if (rf_str_eq_nocase(rf_str_trim(rf_slice(list, at, end)), word)) return true;
        at = end + 1;
    }
    return false;
}

bool policy_list_given(const struct json_node *object, const char *path)
{
    const struct json_node *list = json_at(object, path);
    return json_is(list, JSON_T_ARRAY) && list->count > 0;
}

static bool list_has(const struct json_node *list, const char *word)
{
    return policy_word_in(list, rf_str_of(word));
}

static bool any_in(const struct json_node *list, const rf_str *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (policy_word_in(list, words[i])) return true;
    return false;
}

/* ---- who ------------------------------------------------------------------------------------------------------------------- */

struct who_lists {
    const char *users, *groups, *roles, *guests;
};
static const struct who_lists who_included = {"includeUsers", "includeGroups", "includeRoles",
                                              "includeGuestsOrExternalUsers"};
static const struct who_lists who_excluded = {"excludeUsers", "excludeGroups", "excludeRoles",
                                              "excludeGuestsOrExternalUsers"};

/* Guests of a directory without a federation are of these two kinds. */
static bool guest_fits(const struct json_node *guests, const struct policy_input *input)
{
    rf_str types = json_text_at(guests, "guestOrExternalUserTypes");
    return input->guest && (policy_word_of(types, RF_S("internalGuest")) ||
                            policy_word_of(types, RF_S("b2bCollaborationGuest")));
}

static bool is_among(const struct json_node *users, const struct who_lists *lists,
                     const struct policy_input *input)
{
    const struct json_node *ids = json_get(users, lists->users);
    return list_has(ids, "All") || policy_word_in(ids, input->user) ||
           (input->guest && list_has(ids, "GuestsOrExternalUsers")) ||
           any_in(json_get(users, lists->groups), input->groups, input->group_count) ||
           any_in(json_get(users, lists->roles), input->roles, input->role_count) ||
           guest_fits(json_get(users, lists->guests), input);
}

static bool is_for_principals(const struct json_node *conditions)
{
    return policy_list_given(conditions, "clientApplications.includeServicePrincipals");
}

static bool users_fit(const struct json_node *conditions, const struct policy_input *input)
{
    const struct json_node *users = json_get(conditions, "users");
    /* Absent, it is everybody, unless the policy is one for service principals. */
    if (!json_is(users, JSON_T_OBJECT)) return !is_for_principals(conditions);
    return is_among(users, &who_included, input) && !is_among(users, &who_excluded, input);
}

static bool principals_fit(const struct json_node *conditions, const struct policy_input *input)
{
    const struct json_node *apps = json_get(conditions, "clientApplications");
    const struct json_node *in = json_get(apps, "includeServicePrincipals");
    const struct json_node *out = json_get(apps, "excludeServicePrincipals");
    return (list_has(in, "ServicePrincipalsInMyTenant") ||
            policy_word_in(in, input->service_principal)) &&
           !list_has(out, "ServicePrincipalsInMyTenant") &&
           !policy_word_in(out, input->service_principal);
}

/* ---- what for --------------------------------------------------------------------------------------------------------------- */

/* MicrosoftAdminPortals: the control plane and the portal that works on it. */
static bool is_admin_portal(rf_str app)
{
    return rf_str_eq_nocase(app, RF_S(POLICY_ARM_APP)) ||
           rf_str_eq_nocase(app, RF_S(POLICY_PORTAL_APP));
}

static bool app_in(const struct json_node *list, rf_str app)
{
    return list_has(list, "All") || policy_word_in(list, app) ||
           (is_admin_portal(app) && list_has(list, "MicrosoftAdminPortals"));
}

/* Signing in to an application alone asks for Graph, or for the application itself: then the application is what the sign-in is for.
 * With any other resource an exclusion of the client must not count: whoever asks with its id would get by. */
static bool is_own_target(const struct policy_input *input)
{
    return input->resource_app.len == 0 ||
           rf_str_eq_nocase(input->resource_app, RF_S(POLICY_GRAPH_APP)) ||
           rf_str_eq_nocase(input->resource_app, input->client_app);
}

static const char *apps_miss(const struct json_node *conditions, const struct policy_input *input)
{
    const struct json_node *apps = json_get(conditions, "applications");
    if (input->user_action.len > 0) {
        bool fits = policy_word_in(json_get(apps, "includeUserActions"), input->user_action);
        return fits ? NULL : "userActions";
    }
    if (!json_is(apps, JSON_T_OBJECT)) return NULL;
    if (policy_list_given(apps, "includeUserActions")) return "userActions";
    const struct json_node *contexts =
        json_get(apps, "includeAuthenticationContextClassReferences");
    if (json_is(contexts, JSON_T_ARRAY) && contexts->count > 0)
        return any_in(contexts, input->contexts, input->context_count) ? NULL
                                                                       : "authenticationContext";
    const struct json_node *in = json_get(apps, "includeApplications");
    const struct json_node *out = json_get(apps, "excludeApplications");
    if (!app_in(in, input->resource_app) && !app_in(in, input->client_app)) return "application";
    if (app_in(out, input->resource_app)) return "application";
    return is_own_target(input) && app_in(out, input->client_app) ? "application" : NULL;
}

/* ---- from where, with what --------------------------------------------------------------------------------------------------- */

static bool client_fits(const struct json_node *conditions, const struct policy_input *input)
{
    static const char *const names[] = {"browser", "mobileAppsAndDesktopClients", "other"};
    const struct json_node *types = json_get(conditions, "clientAppTypes");
    if (!policy_list_given(conditions, "clientAppTypes")) return true;
    return list_has(types, "all") || list_has(types, names[input->client]);
}

static bool is_trusted(const struct places *places, const struct policy_input *input)
{
    for (uint32_t i = 0; i < places->count; i++)
        if (json_bool_at(places->items[i], "isTrusted", false) && place_is_ip(places->items[i]) &&
            place_holds(places->items[i], input))
            return true;
    return false;
}

static bool is_at(const struct json_node *list, const struct places *places,
                  const struct policy_input *input)
{
    if (list_has(list, "All")) return true;
    if (list_has(list, "AllTrusted") && is_trusted(places, input)) return true;
    for (uint32_t i = 0; i < places->count; i++)
        if (policy_word_in(list, json_text_at(places->items[i], "id")) &&
            place_holds(places->items[i], input))
            return true;
    return false;
}

static bool locations_fit(const struct json_node *conditions, const struct places *places,
                          const struct policy_input *input)
{
    if (!policy_list_given(conditions, "locations.includeLocations") &&
        !policy_list_given(conditions, "locations.excludeLocations"))
        return true;
    const struct json_node *locations = json_get(conditions, "locations");
    return is_at(json_get(locations, "includeLocations"), places, input) &&
           !is_at(json_get(locations, "excludeLocations"), places, input);
}

static bool platforms_fit(const struct json_node *conditions, const struct policy_input *input)
{
    if (!policy_list_given(conditions, "platforms.includePlatforms") &&
        !policy_list_given(conditions, "platforms.excludePlatforms"))
        return true;
    const struct json_node *platforms = json_get(conditions, "platforms");
    const struct json_node *in = json_get(platforms, "includePlatforms");
    const struct json_node *out = json_get(platforms, "excludePlatforms");
    return (list_has(in, "all") || policy_word_in(in, input->platform)) && !list_has(out, "all") &&
           !policy_word_in(out, input->platform);
}

static bool risk_fits(const struct json_node *conditions, const char *name, enum risk_level level)
{
    static const char *const names[] = {"none", "low", "medium", "high"};
    return !policy_list_given(conditions, name) ||
           list_has(json_get(conditions, name), names[level]);
}

static bool device_fits(const struct json_node *conditions, const struct policy_input *input)
{
    const struct json_node *filter = json_at(conditions, "devices.deviceFilter");
    struct rf_err ignored;
    bool fits;
    if (!json_is(filter, JSON_T_OBJECT)) return true;
    /* A rule that cannot be read was never stored; were it there, the policy applies to be on the safe side. */
    if (device_rule_run(json_text_at(filter, "rule"), input->device, &fits, &ignored) != RF_OK)
        return true;
    return rf_str_eq_nocase(json_text_at(filter, "mode"), RF_S("exclude")) ? !fits : fits;
}

static bool flow_fits(const struct json_node *conditions, const struct policy_input *input)
{
    rf_str methods = json_text_at(conditions, "authenticationFlows.transferMethods");
    if (methods.len == 0 || rf_str_eq_nocase(methods, RF_S("none"))) return true;
    return input->flow != NULL && policy_word_of(methods, rf_str_of(input->flow));
}

/* ---- all of them --------------------------------------------------------------------------------------------------------------- */

static const char *who_misses(const struct json_node *conditions, const struct policy_input *input)
{
    if (input->service_principal.len > 0)
        return principals_fit(conditions, input) ? NULL : "workloadIdentities";
    return users_fit(conditions, input) ? NULL : "users";
}

static const char *risk_misses(const struct json_node *conditions, const struct policy_input *input)
{
    bool person = input->service_principal.len == 0;
    if (!risk_fits(conditions, "signInRiskLevels", input->sign_in_risk)) return "signInRisk";
    if (person && !risk_fits(conditions, "userRiskLevels", input->user_risk)) return "userRisk";
    if (policy_list_given(conditions, "servicePrincipalRiskLevels") &&
        (person || !risk_fits(conditions, "servicePrincipalRiskLevels", input->user_risk)))
        return "servicePrincipalRisk";
    return NULL;
}

/* The break-glass account gets in whatever the policies say, unless one blocks it for its risk: then it is in the wrong hands. */
static bool spares_break_glass(const struct json_node *policy)
{
    return !list_has(json_at(policy, "grantControls.builtInControls"), "block") ||
           (!policy_list_given(policy, "conditions.userRiskLevels") &&
            !policy_list_given(policy, "conditions.signInRiskLevels"));
}

const char *policy_misses(const struct json_node *policy, const struct places *places,
                          const struct policy_input *input)
{
    const struct json_node *conditions = json_get(policy, "conditions");
    const char *miss = who_misses(conditions, input);
    if (miss != NULL) return miss;
    if (input->is_break_glass && spares_break_glass(policy)) return "users";
    if ((miss = apps_miss(conditions, input)) != NULL) return miss;
    if (!client_fits(conditions, input)) return "clientApps";
    if (!locations_fit(conditions, places, input)) return "location";
    if (!platforms_fit(conditions, input)) return "devicePlatform";
    if ((miss = risk_misses(conditions, input)) != NULL) return miss;
    if (!device_fits(conditions, input)) return "devices";
    return flow_fits(conditions, input) ? NULL : "authenticationFlow";
}
