/* policy_check.c - whether a policy or a named location can be enforced as it stands. What is not understood is refused: a condition that is
 * passed over would make a policy apply to others than its author meant. */
#include "base/encode.h"
#include "people/policy_int.h"

enum { LIST_MAX = 5000, RANGES_MAX = 2000, NAME_BYTES_MAX = 256 };

#define bad(err, ...) RF_FAIL((err), RF_INVALID, "Request_BadRequest", __VA_ARGS__)

static bool text_in(rf_str text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (rf_str_is(text, *words)) return true;
    return false;
}

/* Absent, null, false, "", [] and objects of such: nothing is asked. */
static bool is_empty(const struct json_node *node)
{
    if (node == NULL) return true;
    switch (node->type) {
    case JSON_T_NULL:
    case JSON_T_FALSE:
        return true;
    case JSON_T_STRING:
        return node->text.len == 0 || rf_str_is(node->text, "none");
    case JSON_T_ARRAY:
        return node->count == 0;
    case JSON_T_OBJECT:
        for (const struct json_node *m = node->first; m != NULL; m = m->next)
            if (rf_str_find(m->name, RF_S("@"), 0) == SIZE_MAX && !is_empty(m)) return false;
        return true;
    default:
        return false;
    }
}

/* ---- members ------------------------------------------------------------------------------------------------------------------ */

enum member_kind { IDS, WORDS, CONTEXTS, OBJECT, TEXT, TRUTH, NUMBER, GUESTS };
struct member {
    const char *path;
    enum member_kind kind;
    const char *const *words; /* that stand for ids, or all that there are */
};

static const char *const user_words[] = {"All", "None", "GuestsOrExternalUsers", NULL};
static const char *const app_words[] = {"All", "None", "MicrosoftAdminPortals", NULL};
static const char *const app_out_words[] = {"MicrosoftAdminPortals", NULL};
static const char *const place_words[] = {"All", "AllTrusted", NULL};
static const char *const principal_words[] = {"ServicePrincipalsInMyTenant", NULL};
static const char *const no_words[] = {NULL};
static const char *const client_words[] = {
    "all",   "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "easSupported",
    "other", NULL};
static const char *const platform_words[] = {"android", "iOS",   "windows", "windowsPhone",
                                             "macOS",   "linux", "all",     NULL};
static const char *const risk_words[] = {"low", "medium", "high", "none", NULL};
static const char *const action_words[] = {"urn:user:registersecurityinfo",
                                           "urn:user:registerdevice", NULL};
static const char *const control_words[] = {"block",
                                            "mfa",
                                            "compliantDevice",
                                            "domainJoinedDevice",
                                            "approvedApplication",
                                            "compliantApplication",
                                            "passwordChange",
                                            NULL};
static const char *const operator_words[] = {"AND", "OR", NULL};

static const struct member members[] = {
    {"conditions", OBJECT, NULL},
    {"conditions.users", OBJECT, NULL},
    {"conditions.users.includeUsers", IDS, user_words},
    {"conditions.users.excludeUsers", IDS, user_words},
    {"conditions.users.includeGroups", IDS, no_words},
    {"conditions.users.excludeGroups", IDS, no_words},
    {"conditions.users.includeRoles", IDS, no_words},
    {"conditions.users.excludeRoles", IDS, no_words},
    {"conditions.users.includeGuestsOrExternalUsers", GUESTS, NULL},
    {"conditions.users.excludeGuestsOrExternalUsers", GUESTS, NULL},
    {"conditions.clientApplications", OBJECT, NULL},
    {"conditions.clientApplications.includeServicePrincipals", IDS, principal_words},
    {"conditions.clientApplications.excludeServicePrincipals", IDS, no_words},
    {"conditions.applications", OBJECT, NULL},
    {"conditions.applications.includeApplications", IDS, app_words},
    {"conditions.applications.excludeApplications", IDS, app_out_words},
    {"conditions.applications.includeUserActions", WORDS, action_words},
    {"conditions.applications.includeAuthenticationContextClassReferences", CONTEXTS, NULL},
    {"conditions.clientAppTypes", WORDS, client_words},
    {"conditions.locations", OBJECT, NULL},
    {"conditions.locations.includeLocations", IDS, place_words},
    {"conditions.locations.excludeLocations", IDS, place_words},
    {"conditions.platforms", OBJECT, NULL},
    {"conditions.platforms.includePlatforms", WORDS, platform_words},
    {"conditions.platforms.excludePlatforms", WORDS, platform_words},
    {"conditions.userRiskLevels", WORDS, risk_words},
    {"conditions.signInRiskLevels", WORDS, risk_words},
    {"conditions.servicePrincipalRiskLevels", WORDS, risk_words},
    {"conditions.devices", OBJECT, NULL},
    {"conditions.devices.deviceFilter", OBJECT, NULL},
    {"conditions.devices.deviceFilter.mode", TEXT, NULL},
    {"conditions.devices.deviceFilter.rule", TEXT, NULL},
    {"conditions.authenticationFlows", OBJECT, NULL},
    {"conditions.authenticationFlows.transferMethods", TEXT, NULL},
    {"grantControls", OBJECT, NULL},
    {"grantControls.operator", TEXT, NULL},
    {"grantControls.builtInControls", WORDS, control_words},
    {"grantControls.authenticationStrength", OBJECT, NULL},
    {"sessionControls", OBJECT, NULL},
    {"sessionControls.signInFrequency", OBJECT, NULL},
    {"sessionControls.signInFrequency.isEnabled", TRUTH, NULL},
    {"sessionControls.signInFrequency.type", TEXT, NULL},
    {"sessionControls.signInFrequency.value", NUMBER, NULL},
    {"sessionControls.signInFrequency.frequencyInterval", TEXT, NULL},
    {"sessionControls.signInFrequency.authenticationType", TEXT, NULL},
    {"sessionControls.persistentBrowser", OBJECT, NULL},
    {"sessionControls.persistentBrowser.isEnabled", TRUTH, NULL},
    {"sessionControls.persistentBrowser.mode", TEXT, NULL},
    {"sessionControls.disableResilienceDefaults", TRUTH, NULL},
};

/* c1 to c99. */
static bool is_context(rf_str text)
{
    return text.len >= 2 && text.len <= 3 && text.ptr[0] == 'c' && text.ptr[1] >= '1' &&
           text.ptr[1] <= '9' && (text.len == 2 || rf_is_digit(text.ptr[2]));
}

static bool item_fits(const struct member *member, const struct json_node *item)
{
    if (item->type != JSON_T_STRING) return false;
    if (member->kind == CONTEXTS) return is_context(item->text);
    return (member->kind == IDS && guid_is(item->text)) || text_in(item->text, member->words);
}

static enum rf_kind check_list(const struct member *member, const struct json_node *list,
                               struct rf_err *err)
{
    if (list->type != JSON_T_ARRAY) return bad(err, "1032: %s must be a list.", member->path);
    if (list->count > LIST_MAX)
        return bad(err, "1032: %s has more than %d entries.", member->path, LIST_MAX);
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        if (!item_fits(member, item))
            return bad(err, "1033: %s holds an unknown value: '%.*s'.", member->path,
                       (int)RF_MIN(item->text.len, (size_t)64), (const char *)item->text.ptr);
        if ((rf_str_is(item->text, "All") || rf_str_is(item->text, "None")) && list->count > 1)
            return bad(err, "1034: '%.*s' stands alone in %s.", RF_FMT(item->text), member->path);
    }
    return RF_OK;
}

static enum rf_kind check_guests(const struct member *member, const struct json_node *guests,
                                 struct rf_err *err)
{
    static const char *const known[] = {"guestOrExternalUserTypes", "externalTenants", NULL};
    if (guests->type != JSON_T_OBJECT) return bad(err, "1032: %s must be an object.", member->path);
    for (const struct json_node *m = guests->first; m != NULL; m = m->next)
        if (!text_in(m->name, known) && rf_str_find(m->name, RF_S("@"), 0) == SIZE_MAX)
            return bad(err, "1033: %s holds an unknown member.", member->path);
    rf_str kind = json_text_at(guests, "externalTenants.membershipKind");
    if (!is_empty(json_get(guests, "externalTenants")) && !rf_str_is(kind, "all"))
        return bad(err, "1033: %s.externalTenants can be 'all' only: there are no other tenants.",
                   member->path);
    if (json_text_at(guests, "guestOrExternalUserTypes").len == 0)
        return bad(err, "1033: %s.guestOrExternalUserTypes is required.", member->path);
    return RF_OK;
}

static enum rf_kind check_member(const struct member *member, const struct json_node *node,
                                 struct rf_err *err)
{
    switch (member->kind) {
    case IDS:
    case WORDS:
    case CONTEXTS:
        return check_list(member, node, err);
    case GUESTS:
        return check_guests(member, node, err);
    case OBJECT:
        if (node->type == JSON_T_OBJECT) return RF_OK;
        return bad(err, "1032: %s must be an object.", member->path);
    case TEXT:
        if (node->type == JSON_T_STRING) return RF_OK;
        return bad(err, "1032: %s must be a text.", member->path);
    case TRUTH:
        if (node->type == JSON_T_TRUE || node->type == JSON_T_FALSE) return RF_OK;
        return bad(err, "1032: %s must be true or false.", member->path);
    case NUMBER:
        if (node->type == JSON_T_NUMBER) return RF_OK;
        return bad(err, "1032: %s must be a number.", member->path);
    }
    return RF_OK;
}

/* Whether `path` is "parent.name" for a member of `name` alone. */
static bool is_child(const char *path, const char *parent, rf_str name)
{
    size_t len = strlen(parent);
    return strncmp(path, parent, len) == 0 && path[len] == '.' && rf_str_is(name, path + len + 1);
}

static enum rf_kind check_known(const struct json_node *object, const char *path,
                                struct rf_err *err)
{
    for (const struct json_node *m = object->first; m != NULL; m = m->next) {
        bool known = rf_str_find(m->name, RF_S("@"), 0) != SIZE_MAX || is_empty(m);
        for (size_t i = 0; i < RF_COUNT(members) && !known; i++)
            known = is_child(members[i].path, path, m->name);
        if (!known)
            return bad(err, "1035: %s.%.*s is not offered here: leave it out or null.", path,
                       (int)RF_MIN(m->name.len, (size_t)64), (const char *)m->name.ptr);
    }
    return RF_OK;
}

static enum rf_kind check_members(const struct json_node *policy, struct rf_err *err)
{
    for (size_t i = 0; i < RF_COUNT(members); i++) {
        const struct json_node *node = json_at(policy, members[i].path);
        if (node == NULL || node->type == JSON_T_NULL) continue;
        RF_TRY(check_member(&members[i], node, err));
        if (members[i].kind != OBJECT) continue;
        if (strcmp(members[i].path, "grantControls.authenticationStrength") == 0) continue;
        RF_TRY(check_known(node, members[i].path, err));
    }
    return RF_OK;
}

/* ---- conditions ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_users(const struct json_node *policy, struct rf_err *err)
{
    static const char *const lists[] = {
        "conditions.users.includeUsers", "conditions.users.includeGroups",
        "conditions.users.includeRoles", "conditions.clientApplications.includeServicePrincipals"};
    for (size_t i = 0; i < RF_COUNT(lists); i++)
        if (policy_list_given(policy, lists[i])) return RF_OK;
    if (!is_empty(json_at(policy, "conditions.users.includeGuestsOrExternalUsers"))) return RF_OK;
    return bad(err, "1036: conditions.users must include somebody: includeUsers, includeGroups or "
                    "includeRoles.");
}

static enum rf_kind check_apps(const struct json_node *policy, struct rf_err *err)
{
    uint32_t count =
        (uint32_t)policy_list_given(policy, "conditions.applications.includeApplications") +
        (uint32_t)policy_list_given(policy, "conditions.applications.includeUserActions") +
        (uint32_t)policy_list_given(
            policy, "conditions.applications.includeAuthenticationContextClassReferences");
    if (count == 1) return RF_OK;
    return bad(err, "1037: conditions.applications must include applications, user actions or "
                    "authentication contexts: one of these.");
}

static enum rf_kind check_pairs(const struct json_node *policy, struct rf_err *err)
{
    if (policy_list_given(policy, "conditions.locations.excludeLocations") &&
        !policy_list_given(policy, "conditions.locations.includeLocations"))
        return bad(err, "1038: conditions.locations.includeLocations is required when locations "
                        "are excluded.");
    if (policy_list_given(policy, "conditions.platforms.excludePlatforms") &&
        !policy_list_given(policy, "conditions.platforms.includePlatforms"))
        return bad(err, "1038: conditions.platforms.includePlatforms is required when platforms "
                        "are excluded.");
    return RF_OK;
}

static enum rf_kind check_device(const struct json_node *policy, struct rf_err *err)
{
    static const char *const modes[] = {"include", "exclude", NULL};
    const struct json_node *filter = json_at(policy, "conditions.devices.deviceFilter");
    bool ignored;
    if (!json_is(filter, JSON_T_OBJECT)) return RF_OK;
    if (!text_in(json_text_at(filter, "mode"), modes))
        return bad(err, "1039: conditions.devices.deviceFilter.mode is include or exclude.");
    return device_rule_run(json_text_at(filter, "rule"), NULL, &ignored, err);
}

static enum rf_kind check_flows(const struct json_node *policy, struct rf_err *err)
{
    static const char *const methods[] = {"deviceCodeFlow", "authenticationTransfer", "none", NULL};
    rf_str list = json_text_at(policy, "conditions.authenticationFlows.transferMethods");
    for (size_t at = 0; at < list.len;) {
        size_t end = rf_str_find(list, RF_S(","), at);
        if (end == SIZE_MAX) end = list.len;
        if (!text_in(rf_str_trim(rf_slice(list, at, end)), methods))
            return bad(err, "1040: conditions.authenticationFlows.transferMethods is "
                            "deviceCodeFlow, authenticationTransfer or both with a comma.");
        at = end + 1;
    }
    return RF_OK;
}

/* Applications have no second factor, and who is a user is no application: such a policy is of one kind, and blocks. */
static enum rf_kind check_principals(const struct json_node *policy, struct rf_err *err)
{
    const struct json_node *users = json_at(policy, "conditions.users");
    const struct json_node *included = json_get(users, "includeUsers");
    if (!policy_list_given(policy, "conditions.clientApplications.includeServicePrincipals"))
        return RF_OK;
    bool nobody = is_empty(users) || policy_word_in(included, RF_S("None"));
    if (!nobody || policy_list_given(users, "includeGroups") ||
        policy_list_given(users, "includeRoles"))
        return bad(err, "1043: a policy is for conditions.clientApplications or for users: "
                        "includeUsers must be None.");
    if (!policy_word_in(json_at(policy, "grantControls.builtInControls"), RF_S("block")))
        return bad(err, "1043: a policy for conditions.clientApplications can only block.");
    return RF_OK;
}

static enum rf_kind check_conditions(const struct json_node *policy, struct rf_err *err)
{
    if (!json_is(json_get(policy, "conditions"), JSON_T_OBJECT))
        return bad(err, "1031: conditions are required.");
    if (!policy_list_given(policy, "conditions.clientAppTypes"))
        return bad(err, "1018: conditions.clientAppTypes is required.");
    RF_TRY(check_users(policy, err));
    RF_TRY(check_principals(policy, err));
    RF_TRY(check_apps(policy, err));
    RF_TRY(check_pairs(policy, err));
    RF_TRY(check_device(policy, err));
    return check_flows(policy, err);
}

/* ---- controls ------------------------------------------------------------------------------------------------------------------- */

/* A change of password is for those whose password is in doubt, and only after a second factor: else a thief would choose the new one. */
static enum rf_kind check_password_change(const struct json_node *policy, struct rf_err *err)
{
    const struct json_node *grant = json_get(policy, "grantControls");
    const struct json_node *controls = json_get(grant, "builtInControls");
    if (!policy_word_in(controls, RF_S("passwordChange"))) return RF_OK;
    bool strong = policy_word_in(controls, RF_S("mfa")) ||
                  json_is(json_get(grant, "authenticationStrength"), JSON_T_OBJECT);
    if (!strong || !rf_str_is(json_text_at(grant, "operator"), "AND"))
        return bad(err, "1041: passwordChange needs mfa or an authentication strength with the "
                        "operator AND.");
    if (!policy_list_given(policy, "conditions.userRiskLevels"))
        return bad(err, "1042: passwordChange needs conditions.userRiskLevels.");
    return RF_OK;
}

static enum rf_kind check_grants(const struct json_node *policy, struct rf_err *err)
{
    const struct json_node *grant = json_get(policy, "grantControls");
    const struct json_node *session = json_get(policy, "sessionControls");
    if (is_empty(grant) && is_empty(session))
        return bad(err, "1019: grantControls or sessionControls are required.");
    if (!json_is(grant, JSON_T_OBJECT)) return RF_OK;
    const struct json_node *controls = json_get(grant, "builtInControls");
    const struct json_node *strength = json_get(grant, "authenticationStrength");
    bool has_strength = json_is(strength, JSON_T_OBJECT);
    if (!text_in(json_text_at(grant, "operator"), operator_words))
        return bad(err, "1020: grantControls.operator is AND or OR.");
    if (has_strength && !guid_is(json_text_at(strength, "id")))
        return bad(err, "1022: grantControls.authenticationStrength.id is the id of a strength.");
    if (policy_word_in(controls, RF_S("block")) && (controls->count > 1 || has_strength))
        return bad(err, "1021: block stands alone among the grant controls.");
    if (!has_strength && !policy_list_given(grant, "builtInControls") && is_empty(session))
        return bad(err, "1019: grantControls must hold a control.");
    return check_password_change(policy, err);
}

static enum rf_kind check_frequency(const struct json_node *policy, struct rf_err *err)
{
    static const char *const kinds[] = {"primaryAndSecondaryAuthentication",
                                        "secondaryAuthentication", NULL};
    const struct json_node *control = json_at(policy, "sessionControls.signInFrequency");
    if (!json_bool_at(control, "isEnabled", false)) return RF_OK;
    rf_str interval = json_text_at(control, "frequencyInterval"),
           type = json_text_at(control, "type");
    rf_str kind = json_text_at(control, "authenticationType");
    if (kind.len > 0 && !text_in(kind, kinds))
        return bad(err, "1023: sessionControls.signInFrequency.authenticationType is "
                        "primaryAndSecondaryAuthentication or secondaryAuthentication.");
    if (rf_str_is(interval, "everyTime")) return RF_OK;
    if (interval.len > 0 && !rf_str_is(interval, "timeBased"))
        return bad(err, "1023: sessionControls.signInFrequency.frequencyInterval is timeBased or "
                        "everyTime.");
    bool hours = rf_str_is(type, "hours");
    int64_t value, most = hours ? 8760 : 365;
    if (!hours && !rf_str_is(type, "days"))
        return bad(err, "1023: sessionControls.signInFrequency.type is hours or days.");
    if (!json_i64_at(control, "value", &value) || value < 1 || value > most)
        return bad(err, "1023: sessionControls.signInFrequency.value is 1 to %lld.",
                   (long long)most);
    return RF_OK;
}

static enum rf_kind check_session(const struct json_node *policy, struct rf_err *err)
{
    static const char *const modes[] = {"always", "never", NULL};
    const struct json_node *browser = json_at(policy, "sessionControls.persistentBrowser");
    RF_TRY(check_frequency(policy, err));
    if (json_bool_at(browser, "isEnabled", false) && !text_in(json_text_at(browser, "mode"), modes))
        return bad(err, "1024: sessionControls.persistentBrowser.mode is always or never.");
    return RF_OK;
}

enum rf_kind policy_check(const struct json_node *policy, struct rf_err *err)
{
    static const char *const states[] = {"enabled", "disabled", "enabledForReportingButNotEnforced",
                                         NULL};
    if (!json_is(policy, JSON_T_OBJECT)) return bad(err, "A policy is an object.");
    rf_str name = json_text_at(policy, "displayName");
    if (name.len == 0 || name.len > NAME_BYTES_MAX)
        return bad(err, "1016: displayName is a text of 1 to %d characters.", NAME_BYTES_MAX);
    if (!text_in(json_text_at(policy, "state"), states))
        return bad(err, "1017: state is enabled, disabled or enabledForReportingButNotEnforced.");
    RF_TRY(check_members(policy, err));
    RF_TRY(check_conditions(policy, err));
    RF_TRY(check_grants(policy, err));
    return check_session(policy, err);
}

/* ---- named locations --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_ranges(const struct json_node *location, struct rf_err *err)
{
    const struct json_node *ranges = json_get(location, "ipRanges");
    struct address_range range;
    if (!json_is(ranges, JSON_T_ARRAY) || ranges->count == 0 || ranges->count > RANGES_MAX)
        return bad(err, "ipRanges must hold 1 to %d ranges.", RANGES_MAX);
    for (const struct json_node *r = ranges->first; r != NULL; r = r->next) {
        rf_str cidr = json_text_at(r, "cidrAddress");
        if (!address_range_read(cidr, &range))
            return bad(err, "ipRanges holds something that is no address range: '%.*s'.",
                       (int)RF_MIN(cidr.len, (size_t)64), (const char *)cidr.ptr);
    }
    if (json_get(location, "countriesAndRegions") != NULL &&
        !is_empty(json_get(location, "countriesAndRegions")))
        return bad(err, "countriesAndRegions belong to a countryNamedLocation.");
    return RF_OK;
}

static enum rf_kind check_countries(const struct json_node *location, struct rf_err *err)
{
    const struct json_node *countries = json_get(location, "countriesAndRegions");
    rf_str method = json_text_at(location, "countryLookupMethod");
    bool unknown_too = json_bool_at(location, "includeUnknownCountriesAndRegions", false);
    if (!json_is(countries, JSON_T_ARRAY) || (countries->count == 0 && !unknown_too) ||
        countries->count > 300)
        return bad(err, "countriesAndRegions must hold 1 to 300 countries.");
    for (const struct json_node *c = countries->first; c != NULL; c = c->next)
        if (c->text.len != 2 || !rf_is_alpha(c->text.ptr[0]) || !rf_is_alpha(c->text.ptr[1]))
            return bad(err, "Countries are codes of two letters (ISO 3166).");
    if (method.len > 0 && !rf_str_is(method, "clientIpAddress"))
        return bad(err, "countryLookupMethod can be clientIpAddress only.");
    if (!is_empty(json_get(location, "ipRanges")) || json_bool_at(location, "isTrusted", false))
        return bad(err, "ipRanges and isTrusted belong to an ipNamedLocation.");
    return RF_OK;
}

enum rf_kind policy_check_location(const struct json_node *location, struct rf_err *err)
{
    rf_str name = json_text_at(location, "displayName");
    if (name.len == 0 || name.len > NAME_BYTES_MAX)
        return bad(err, "displayName is a text of 1 to %d characters.", NAME_BYTES_MAX);
    if (place_is_ip(location)) return check_ranges(location, err);
    if (place_is_country(location)) return check_countries(location, err);
    return bad(err, "@odata.type is #microsoft.graph.ipNamedLocation or "
                    "#microsoft.graph.countryNamedLocation.");
}
