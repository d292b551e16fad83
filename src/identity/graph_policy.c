#include "identity/graph_int.h"

/* ---- what is not there yet --------------------------------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind not_there(struct graph_call *call, struct rf_err *err)
{
    return request_fail(call->request, err, 501, "NotImplemented",
                        "This server does not offer this part of the service yet.");
}

/* ---- conditional access (section 10): kept and checked; it cannot be switched on before it is enforced ------------------------------------------------------------------------- */

static const struct graph_property policy_properties[] = {
    {"id", P_TEXT, P_READ_ONLY},
    {"createdDateTime", P_TEXT, P_READ_ONLY},
    {"deletedDateTime", P_TEXT, P_READ_ONLY},
    {"modifiedDateTime", P_TEXT, P_READ_ONLY},
    {"templateId", P_TEXT, P_READ_ONLY},
    {"displayName", P_TEXT, P_REQUIRED},
    {"state", P_TEXT, P_REQUIRED},
    {"conditions", P_OBJECT, P_REQUIRED},
    {"grantControls", P_OBJECT, 0},
    {"sessionControls", P_OBJECT, 0},
};

struct word_list {
    const char *path; /* of an array of texts */
    const char *const *words;
};

static bool text_in(rf_str text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (rf_str_is(text, *words)) return true;
    return false;
}

static enum rf_kind check_words(const struct json_node *doc, const char *path,
                                const char *const *words, struct rf_err *err)
{
    const struct json_node *list = json_at(doc, path);
    if (list == NULL || list->type == JSON_T_NULL) return RF_OK;
    if (list->type != JSON_T_ARRAY) return graph_bad(err, "1032: %s must be a list.", path);
    for (const struct json_node *word = list->first; word != NULL; word = word->next)
        if (word->type != JSON_T_STRING || !text_in(word->text, words))
            return graph_bad(err, "1033: %s holds an unknown value.", path);
    return RF_OK;
}

/* Ids of objects, or one of a few words. */
static enum rf_kind check_ids(const struct json_node *doc, const char *path,
                              const char *const *words, struct rf_err *err)
{
    const struct json_node *list = json_at(doc, path);
    if (list == NULL || list->type == JSON_T_NULL) return RF_OK;
    if (list->type != JSON_T_ARRAY) return graph_bad(err, "1032: %s must be a list.", path);
    for (const struct json_node *id = list->first; id != NULL; id = id->next)
        if (id->type != JSON_T_STRING || !(guid_is(id->text) || text_in(id->text, words)))
            return graph_bad(err, "1033: %s holds an unknown value.", path);
    return RF_OK;
}

static enum rf_kind check_conditions(const struct json_node *doc, struct rf_err *err)
{
    static const char *const users[] = {"All", "None", "GuestsOrExternalUsers", NULL};
    static const char *const apps[] = {"All", "None", "Office365", "MicrosoftAdminPortals", NULL};
    static const char *const places[] = {"All", "AllTrusted", NULL};
    static const char *const principals[] = {"ServicePrincipalsInMyTenant", NULL};
    static const char *const nothing[] = {NULL};
    static const struct word_list ids[] = {
        {"conditions.users.includeUsers", users},
        {"conditions.users.excludeUsers", users},
        {"conditions.users.includeGroups", nothing},
        {"conditions.users.excludeGroups", nothing},
        {"conditions.users.includeRoles", nothing},
        {"conditions.users.excludeRoles", nothing},
        {"conditions.applications.includeApplications", apps},
        {"conditions.applications.excludeApplications", apps},
        {"conditions.locations.includeLocations", places},
        {"conditions.locations.excludeLocations", places},
        {"conditions.clientApplications.includeServicePrincipals", principals},
        {"conditions.clientApplications.excludeServicePrincipals", principals},
    };
    for (size_t i = 0; i < RF_COUNT(ids); i++)
        RF_TRY(check_ids(doc, ids[i].path, ids[i].words, err));
    return RF_OK;
}

static enum rf_kind check_choices(const struct json_node *doc, struct rf_err *err)
{
    static const char *const types[] = {
        "all", "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "other", NULL};
    static const char *const platforms[] = {"android", "iOS",   "windows", "windowsPhone",
                                            "macOS",   "linux", "all",     "unknownFutureValue",
                                            NULL};
    static const char *const risks[] = {"low", "medium", "high", "hidden", "none", NULL};
    static const char *const actions[] = {"urn:user:registersecurityinfo",
                                          "urn:user:registerdevice", NULL};
    static const char *const controls[] = {"block",
                                           "mfa",
                                           "compliantDevice",
                                           "domainJoinedDevice",
                                           "approvedApplication",
                                           "compliantApplication",
                                           "passwordChange",
                                           NULL};
    static const struct word_list lists[] = {
        {"conditions.clientAppTypes", types},
        {"conditions.platforms.includePlatforms", platforms},
        {"conditions.platforms.excludePlatforms", platforms},
        {"conditions.userRiskLevels", risks},
        {"conditions.signInRiskLevels", risks},
        {"conditions.servicePrincipalRiskLevels", risks},
        {"conditions.applications.includeUserActions", actions},
        {"grantControls.builtInControls", controls},
    };
    for (size_t i = 0; i < RF_COUNT(lists); i++)
        RF_TRY(check_words(doc, lists[i].path, lists[i].words, err));
    const struct json_node *client_types = json_at(doc, "conditions.clientAppTypes");
    if (!json_is(client_types, JSON_T_ARRAY) || client_types->count == 0)
        return graph_bad(err, "1018: conditions.clientAppTypes is required.");
    return RF_OK;
}

static enum rf_kind check_grants(const struct json_node *doc, struct rf_err *err)
{
    static const char *const operators[] = {"AND", "OR", NULL};
    const struct json_node *grant = json_get(doc, "grantControls");
    const struct json_node *session = json_get(doc, "sessionControls");
    bool has_grant = json_is(grant, JSON_T_OBJECT), has_session = json_is(session, JSON_T_OBJECT);
    if (!has_grant && !has_session)
        return graph_bad(err, "1019: grantControls or sessionControls are required.");
    if (has_grant && !text_in(json_text_at(grant, "operator"), operators))
        return graph_bad(err, "1020: grantControls.operator is AND or OR.");
    const struct json_node *controls = json_get(grant, "builtInControls");
    if (!json_is(controls, JSON_T_ARRAY)) return RF_OK;
    for (const struct json_node *c = controls->first; c != NULL; c = c->next)
        if (rf_str_is(c->text, "block") && controls->count > 1)
            return graph_bad(err, "1021: block stands alone among the grant controls.");
    return RF_OK;
}

static enum rf_kind put_policy(struct graph_call *call, struct json_node *doc,
                               const struct json_node *before, struct rf_err *err)
{
    static const char *const states[] = {"enabled", "disabled", "enabledForReportingButNotEnforced",
                                         NULL};
    rf_str state = json_text_at(doc, "state"), now = time_graph(call->arena, call->request->now);
    if (!text_in(state, states))
        return graph_bad(err, "1017: state is enabled, disabled or "
                              "enabledForReportingButNotEnforced.");
    if (!rf_str_is(state, "disabled"))
        return request_fail(call->request, err, 501, "NotImplemented",
                            "This server does not evaluate conditional access yet: a policy can be "
                            "kept in state disabled only.");
    RF_TRY(check_conditions(doc, err));
    RF_TRY(check_choices(doc, err));
    RF_TRY(check_grants(doc, err));
    json_remove(doc, RF_S("deletedDateTime"));
    struct json_node *modified =
        before == NULL ? json_new(call->arena, JSON_T_NULL) : json_new_text(call->arena, now);
    return json_set(call->arena, doc, RF_S("modifiedDateTime"), modified) == NULL
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
};

/* "10.0.0.0/8", "2001:db8::/32": an address of its family and a length of prefix that it has room for. */
static bool is_cidr(rf_str text)
{
    size_t slash = rf_str_find(text, RF_S("/"), 0);
    if (slash == SIZE_MAX || slash == 0 || slash > 45 || text.len - slash - 1 > 3) return false;
    bool v6 = rf_str_find(text, RF_S(":"), 0) != SIZE_MAX;
    uint32_t bits = 0, dots = 0, part = 0, digits = 0;
    for (size_t i = slash + 1; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i])) return false;
        bits = bits * 10 + (text.ptr[i] - '0');
    }
    if (slash + 1 == text.len || bits > (v6 ? 128u : 32u)) return false;
    for (size_t i = 0; i < slash; i++) {
        uint8_t c = text.ptr[i];
        if (v6) {
            if (!rf_is_digit(c) && !((c | 0x20) >= 'a' && (c | 0x20) <= 'f') && c != ':' &&
                c != '.')
                return false;
        } else if (c == '.') {
            if (digits == 0) return false;
            dots++, part = 0, digits = 0;
        } else if (rf_is_digit(c)) {
            part = part * 10 + (c - '0');
            if (++digits > 3 || part > 255) return false;
        } else {
            return false;
        }
    }
    return v6 || (dots == 3 && digits > 0);
}

static enum rf_kind put_location(struct graph_call *call, struct json_node *doc,
                                 const struct json_node *before, struct rf_err *err)
{
    const struct json_node *type = json_get(before == NULL ? call->body : before, "@odata.type");
    const struct json_node *ranges = json_get(doc, "ipRanges");
    const struct json_node *countries = json_get(doc, "countriesAndRegions");
    bool ip =
        json_is(type, JSON_T_STRING) && rf_str_is(type->text, "#microsoft.graph.ipNamedLocation");
    bool country = json_is(type, JSON_T_STRING) &&
                   rf_str_is(type->text, "#microsoft.graph.countryNamedLocation");
    if (!ip && !country)
        return graph_bad(err, "@odata.type is #microsoft.graph.ipNamedLocation or "
                              "#microsoft.graph.countryNamedLocation.");
    if (ip && (!json_is(ranges, JSON_T_ARRAY) || ranges->count == 0 || ranges->count > 2000))
        return graph_bad(err, "ipRanges must hold 1 to 2000 ranges.");
    for (const struct json_node *r = ip ? ranges->first : NULL; r != NULL; r = r->next)
        if (!is_cidr(json_text_at(r, "cidrAddress")))
            return graph_bad(err, "ipRanges holds something that is no address range.");
    if (country && (!json_is(countries, JSON_T_ARRAY) || countries->count == 0))
        return graph_bad(err, "countriesAndRegions must hold countries.");
    for (const struct json_node *c = country ? countries->first : NULL; c != NULL; c = c->next)
        if (c->text.len != 2 || !rf_is_alpha(c->text.ptr[0]) || !rf_is_alpha(c->text.ptr[1]))
            return graph_bad(err, "Countries are codes of two letters (ISO 3166).");
    json_remove(doc, RF_S("deletedDateTime"));
    json_set_text(call->arena, doc, "modifiedDateTime",
                  time_graph(call->arena, call->request->now));
    return json_set_text(call->arena, doc, "@odata.type", type->text) == NULL
               ? graph_memory(call, err)
               : RF_OK;
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
};

/* ---- what is fixed ---------------------------------------------------------------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *id, *name, *description;
} strengths[] = {
    {"00000000-0000-0000-0000-000000000002", "Multifactor authentication",
     "Combinations of methods that satisfy strong authentication, such as a password and a code."},
    {"00000000-0000-0000-0000-000000000003", "Passwordless MFA",
     "Passwordless methods that satisfy strong authentication."},
    {"00000000-0000-0000-0000-000000000004", "Phishing-resistant MFA",
     "Phishing-resistant, passwordless methods for the strongest authentication."},
};

static enum rf_kind strengths_list(struct graph_call *call, struct rf_err *err)
{
    struct json_node *docs[RF_COUNT(strengths)];
    for (size_t i = 0; i < RF_COUNT(strengths); i++) {
        docs[i] = json_new(call->arena, JSON_T_OBJECT);
        json_set_text(call->arena, docs[i], "id", rf_str_of(strengths[i].id));
        json_set_text(call->arena, docs[i], "displayName", rf_str_of(strengths[i].name));
        json_set_text(call->arena, docs[i], "description", rf_str_of(strengths[i].description));
        json_set_text(call->arena, docs[i], "policyType", RF_S("builtIn"));
        if (json_set_text(call->arena, docs[i], "requirementsSatisfied", RF_S("mfa")) == NULL)
            return graph_memory(call, err);
    }
    struct graph_items items = {.docs = docs,
                                .count = RF_COUNT(docs),
                                .context = "identity/conditionalAccess/authenticationStrength/"
                                           "policies"};
    return graph_list_items(call, &items, err);
}

static enum rf_kind security_defaults(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(
        call->arena, doc, "@odata.context",
        graph_context(call, "policies/identitySecurityDefaultsEnforcementPolicy/$entity"));
    json_set_text(call->arena, doc, "id", RF_S("00000000-0000-0000-0000-000000000005"));
    json_set_text(call->arena, doc, "displayName", RF_S("Security Defaults"));
    json_set_text(call->arena, doc, "description",
                  RF_S("Basic protections that apply to everybody. They are not enforced here."));
    if (json_set_bool(call->arena, doc, "isEnabled", false) == NULL) return graph_memory(call, err);
    call->answer = doc;
    return RF_OK;
}

/* ---- routes --------------------------------------------------------------------------------------------------------------------------------------------------------------------------- */

#define POLICY &policy_entity
#define LOCATION &location_entity
#define POLICY_READ "Policy.Read.All Policy.ReadWrite.ConditionalAccess"
#define POLICY_WRITE "Policy.ReadWrite.ConditionalAccess"
#define METHOD_POLICY "Policy.Read.All Policy.ReadWrite.AuthenticationMethod"
#define LOG_READ "AuditLog.Read.All"
#define METHOD_READ "UserAuthenticationMethod.Read.All UserAuthenticationMethod.ReadWrite.All"
#define METHOD_WRITE "UserAuthenticationMethod.ReadWrite.All"
const struct graph_route graph_policy_routes[] = {
    {HTTP_GET, false, "identity/conditionalAccess/policies", POLICY_READ, graph_entity_list,
     POLICY},
    {HTTP_POST, false, "identity/conditionalAccess/policies", POLICY_WRITE, graph_entity_create,
     POLICY},
    {HTTP_GET, false, "identity/conditionalAccess/policies/{}", POLICY_READ, graph_entity_get,
     POLICY},
    {HTTP_PATCH, false, "identity/conditionalAccess/policies/{}", POLICY_WRITE, graph_entity_update,
     POLICY},
    {HTTP_DELETE, false, "identity/conditionalAccess/policies/{}", POLICY_WRITE,
     graph_entity_remove, POLICY},
    {HTTP_GET, false, "identity/conditionalAccess/namedLocations", POLICY_READ, graph_entity_list,
     LOCATION},
    {HTTP_POST, false, "identity/conditionalAccess/namedLocations", POLICY_WRITE,
     graph_entity_create, LOCATION},
    {HTTP_GET, false, "identity/conditionalAccess/namedLocations/{}", POLICY_READ, graph_entity_get,
     LOCATION},
    {HTTP_PATCH, false, "identity/conditionalAccess/namedLocations/{}", POLICY_WRITE,
     graph_entity_update, LOCATION},
    {HTTP_DELETE, false, "identity/conditionalAccess/namedLocations/{}", POLICY_WRITE,
     graph_entity_remove, LOCATION},
    {HTTP_GET, false, "identity/conditionalAccess/authenticationStrength/policies", POLICY_READ,
     strengths_list, NULL},
    {HTTP_GET, false, "policies/authenticationStrengthPolicies", POLICY_READ, strengths_list, NULL},
    {HTTP_GET, false, "policies/identitySecurityDefaultsEnforcementPolicy", POLICY_READ,
     security_defaults, NULL},
    {HTTP_PATCH, true, "policies/identitySecurityDefaultsEnforcementPolicy", POLICY_WRITE,
     not_there, NULL},
    {HTTP_GET, false, "policies/authenticationMethodsPolicy", METHOD_POLICY, not_there, NULL},
    {HTTP_PATCH, true, "policies/authenticationMethodsPolicy",
     "Policy.ReadWrite.AuthenticationMethod", not_there, NULL},
    {HTTP_GET, false, "auditLogs/signIns", LOG_READ, not_there, NULL},
    {HTTP_GET, false, "auditLogs/signIns/{}", LOG_READ, not_there, NULL},
    {HTTP_GET, false, "auditLogs/directoryAudits", LOG_READ, not_there, NULL},
    {HTTP_GET, false, "auditLogs/directoryAudits/{}", LOG_READ, not_there, NULL},
    {HTTP_GET, false, "identityProtection/riskyUsers", "IdentityRiskyUser.Read.All", not_there,
     NULL},
    {HTTP_GET, false, "identityProtection/riskDetections", "IdentityRiskEvent.Read.All", not_there,
     NULL},
    {HTTP_GET, false, "users/{}/authentication/methods", METHOD_READ, not_there, NULL},
    {HTTP_GET, false, "users/{}/authentication/{}", METHOD_READ, not_there, NULL},
    {HTTP_POST, true, "users/{}/authentication/{}", METHOD_WRITE, not_there, NULL},
    {HTTP_POST, true, "roleManagement/directory/roleAssignments",
     "RoleManagement.ReadWrite.Directory", not_there, NULL},
    {.path = NULL},
};
