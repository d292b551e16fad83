#include "identity/graph_int.h"
#include "identity/risk_int.h"
#include "people/factor.h"
#include "people/grant.h"
#include "people/habit.h"
#include "people/password.h"
#include "people/session.h"

/* ---- properties ---------------------------------------------------------------------------------------------------------------------------------- */

static const struct graph_property properties[] = {
    {"id", P_TEXT, P_READ_ONLY},
    {"createdDateTime", P_TEXT, P_READ_ONLY},
    {"deletedDateTime", P_TEXT, P_READ_ONLY},
    {"signInSessionsValidFromDateTime", P_TEXT, P_READ_ONLY},
    {"lastPasswordChangeDateTime", P_TEXT, P_READ_ONLY},
    {"creationType", P_TEXT, P_READ_ONLY},
    {"externalUserState", P_TEXT, P_READ_ONLY},
    {"identities", P_OBJECTS, P_READ_ONLY},
    {"proxyAddresses", P_TEXTS, P_READ_ONLY},
    {"imAddresses", P_TEXTS, P_READ_ONLY},
    {"assignedLicenses", P_OBJECTS, P_READ_ONLY},
    {"assignedPlans", P_OBJECTS, P_READ_ONLY},
    {"provisionedPlans", P_OBJECTS, P_READ_ONLY},
    {"onPremisesSyncEnabled", P_TRUTH, P_READ_ONLY},
    {"accountEnabled", P_TRUTH, P_REQUIRED},
    {"displayName", P_TEXT, P_REQUIRED},
    {"mailNickname", P_TEXT, P_REQUIRED},
    {"userPrincipalName", P_TEXT, P_REQUIRED},
    {"passwordProfile", P_OBJECT, 0},
    {"passwordPolicies", P_TEXT, 0},
    {"givenName", P_TEXT, 0},
    {"surname", P_TEXT, 0},
    {"mail", P_TEXT, 0},
    {"otherMails", P_TEXTS, 0},
    {"businessPhones", P_TEXTS, 0},
    {"mobilePhone", P_TEXT, 0},
    {"faxNumber", P_TEXT, 0},
    {"jobTitle", P_TEXT, 0},
    {"department", P_TEXT, 0},
    {"companyName", P_TEXT, 0},
    {"officeLocation", P_TEXT, 0},
    {"employeeId", P_TEXT, 0},
    {"employeeType", P_TEXT, 0},
    {"employeeHireDate", P_TEXT, 0},
    {"employeeOrgData", P_OBJECT, 0},
    {"streetAddress", P_TEXT, 0},
    {"city", P_TEXT, 0},
    {"state", P_TEXT, 0},
    {"postalCode", P_TEXT, 0},
    {"country", P_TEXT, 0},
    {"usageLocation", P_TEXT, 0},
    {"preferredLanguage", P_TEXT, 0},
    {"preferredDataLocation", P_TEXT, 0},
    {"ageGroup", P_TEXT, 0},
    {"consentProvidedForMinor", P_TEXT, 0},
    {"userType", P_TEXT, 0},
    {"aboutMe", P_TEXT, 0},
    {"showInAddressList", P_TRUTH, 0},
    {"onPremisesImmutableId", P_TEXT, 0},
    {"onPremisesExtensionAttributes", P_OBJECT, 0},
    {"customSecurityAttributes", P_OBJECT, 0},
};

/* ---- what may stand in it -------------------------------------------------------------------------------------------------------------------------- */

bool graph_is_local_part(rf_str text)
{
    if (text.len == 0 || text.len > 64 || text.ptr[0] == '.' || rf_str_ends(text, RF_S(".")))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_alnum(text.ptr[i]) && strchr("'.-_!#^~", text.ptr[i]) == NULL) return false;
    return true;
}

static enum rf_kind check_name(struct graph_call *call, const struct json_node *doc,
                               struct rf_err *err)
{
    rf_str name = json_text_at(doc, "userPrincipalName");
    size_t at = rf_str_find(name, RF_S("@"), 0);
    rf_str domain = at == SIZE_MAX ? RF_S("") : rf_slice(name, at + 1, name.len);
    if (at == SIZE_MAX || !graph_is_local_part(rf_slice(name, 0, at)) || domain.len == 0)
        return graph_bad(err, "Property userPrincipalName is invalid.");
    if (!rf_str_eq_nocase(domain, call->identity->domain))
        return graph_bad(err,
                         "The domain portion of the userPrincipalName property is invalid. You "
                         "must use one of the verified domain names in your organization.");
    rf_str nick = json_text_at(doc, "mailNickname");
    for (size_t i = 0; i < nick.len; i++)
        if (nick.ptr[i] <= ' ' || nick.ptr[i] >= 0x7f ||
            strchr("@()\\[]\";:<>,", nick.ptr[i]) != NULL)
            return graph_bad(err, "Invalid value specified for property 'mailNickname' of resource "
                                  "'User'.");
    if (nick.len > 64 || json_text_at(doc, "displayName").len > 256)
        return graph_bad(err, "A property of resource 'User' is too long.");
    return graph_unique(call, "user", "userPrincipalName", name, json_text_at(doc, "id"), err);
}

enum rf_kind graph_user_set_password(struct graph_call *call, struct json_node *doc,
                                     rf_str password, bool must_change, struct rf_err *err)
{
    struct passwords *passwords = call->identity->passwords;
    const rf_str names[] = {json_text_at(doc, "mailNickname"), call->identity->domain};
    const struct password_rules rules = {.names = names, .name_count = RF_COUNT(names)};
    struct rf_err why;
    rf_str stored;
    enum rf_kind kind = password_accept(passwords, &rules, password, call->arena, &why);
    if (kind == RF_INVALID)
        return graph_bad(err,
                         "The specified password does not comply with password complexity "
                         "requirements. Please provide a different password. %s",
                         why.text);
    if (kind != RF_OK) {
        *err = why;
        return kind;
    }
    RF_TRY(password_make(passwords, json_text_at(doc, "id"), password, call->arena, &stored, err));
    RF_TRY(risk_password_changed(call->txn, json_text_at(doc, "id"), must_change,
                                 must_change ? "adminGeneratedTemporaryPassword"
                                             : "userPerformedSecuredPasswordReset",
                                 call->request->now, call->arena, err));
    json_remove(doc, RF_S("~verifier"));
    json_set_text(call->arena, doc, "lastPasswordChangeDateTime",
                  time_graph(call->arena, call->request->now));
    json_set_bool(call->arena, doc, "~mustChange", must_change);
    return json_set_text(call->arena, doc, "~password", stored) == NULL ? graph_memory(call, err)
                                                                        : RF_OK;
}

static enum rf_kind set_password(struct graph_call *call, struct json_node *doc,
                                 const struct json_node *profile, struct rf_err *err)
{
    const struct json_node *password = json_get(profile, "password");
    if (password == NULL || password->type == JSON_T_NULL) return RF_OK;
    if (password->type != JSON_T_STRING || !rf_utf8_valid(password->text))
        return graph_bad(err, "The password must be a text.");
    return graph_user_set_password(call, doc, password->text,
                                   json_bool_at(profile, "forceChangePasswordNextSignIn", true),
                                   err);
}

/* The next whole second: times in tokens have no fractions, and those of this second shall end too. */
static rf_str next_second(struct graph_call *call)
{
    rf_usec now = call->request->now;
    return time_graph(call->arena, now - now % RF_USEC_PER_SECOND + RF_USEC_PER_SECOND);
}

static enum rf_kind revoke(struct graph_call *call, struct json_node *doc, struct rf_err *err)
{
    rf_str at = next_second(call);
    json_set_text(call->arena, doc, "signInSessionsValidFromDateTime", at);
    return json_set_text(call->arena, doc, "~validFrom", at) == NULL ? graph_memory(call, err)
                                                                     : RF_OK;
}

static void note(struct graph_call *call, const char *operation, const struct json_node *doc,
                 const struct json_node *before)
{
    graph_change(call, &(struct trail_change){.operation = operation,
                                              .verb = "Update",
                                              .service = "Core Directory",
                                              .category = "UserManagement",
                                              .type = "User",
                                              .target = doc,
                                              .before = before,
                                              .after = doc});
}

static enum rf_kind take_password(struct graph_call *call, struct json_node *doc,
                                  const struct json_node *before, struct rf_err *err)
{
    struct json_node *profile = json_get(doc, "passwordProfile");
    if (profile == NULL) return RF_OK;
    const struct json_node *copy = json_clone(call->arena, profile);
    json_remove(doc, RF_S("passwordProfile"));
    if (copy == NULL) return graph_memory(call, err);
    RF_TRY(set_password(call, doc, copy, err));
    if (before == NULL || json_get(copy, "password") == NULL) return RF_OK;
    note(call, "Reset user password", doc, before);
    return revoke(call, doc, err);
}

static enum rf_kind fill_in(struct graph_call *call, struct json_node *doc, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    static const char *const texts[] = {"givenName",   "jobTitle",       "mail",
                                        "mobilePhone", "officeLocation", "preferredLanguage",
                                        "surname"};
    for (size_t i = 0; i < RF_COUNT(texts); i++)
        if (json_get(doc, texts[i]) == NULL)
            json_set(arena, doc, rf_str_of(texts[i]), json_new(arena, JSON_T_NULL));
    if (json_get(doc, "businessPhones") == NULL)
        json_set(arena, doc, RF_S("businessPhones"), json_new(arena, JSON_T_ARRAY));
    json_set_text(arena, doc, "signInSessionsValidFromDateTime",
                  time_graph(arena, call->request->now));
    if (json_text_at(doc, "userType").len == 0 &&
        json_set_text(arena, doc, "userType", RF_S("Member")) == NULL)
        return graph_memory(call, err);
    return RF_OK;
}

static enum rf_kind put(struct graph_call *call, struct json_node *doc,
                        const struct json_node *before, struct rf_err *err)
{
    if (before == NULL) {
        if (!json_is(json_at(doc, "passwordProfile.password"), JSON_T_STRING))
            return graph_bad(err, "A value is required for property 'passwordProfile' of resource "
                                  "'User'.");
        RF_TRY(fill_in(call, doc, err));
    }
    RF_TRY(check_name(call, doc, err));
    RF_TRY(take_password(call, doc, before, err));
    bool enabled = json_bool_at(doc, "accountEnabled", true);
    if (before == NULL || json_bool_at(before, "accountEnabled", true) == enabled) return RF_OK;
    note(call, enabled ? "Enable account" : "Disable account", doc, before);
    return enabled ? RF_OK : revoke(call, doc, err);
}

/* What hangs on a user goes with the user. */
static enum rf_kind remove_user(struct graph_call *call, const struct json_node *doc,
                                struct rf_err *err)
{
    rf_str id = json_text_at(doc, "id");
    RF_TRY(factors_delete(call->txn, id, call->arena, err));
    RF_TRY(habit_forget(call->txn, id, err));
    RF_TRY(object_delete(call->txn, "riskyUser", id, err));
    RF_TRY(sessions_end_of(call->txn, id, call->arena, err));
    return families_end_of(call->txn, id, call->arena, err);
}

static enum rf_kind expand(struct graph_call *call, struct json_node *shown, rf_str name,
                           struct rf_err *err)
{
    struct graph_items items;
    rf_str id = json_text_at(shown, "id");
    if (rf_str_is(name, "ownedObjects")) {
        RF_TRY(graph_link_items(call, "owner", (rf_str){0}, id, &items, err));
        return graph_expand_items(call, shown, "ownedObjects", &items, err);
    }
    if (!rf_str_is(name, "memberOf")) return RF_NOT_FOUND;
    RF_TRY(graph_link_items(call, "member", (rf_str){0}, id, &items, err));
    return graph_expand_items(call, shown, "memberOf", &items, err);
}

const struct graph_entity graph_user = {
    .space = "user",
    .set = "users",
    .type = "user",
    .properties = properties,
    .property_count = RF_COUNT(properties),
    .alternate = "userPrincipalName",
    .trail_type = "User",
    .trail_category = "UserManagement",
    .trail_service = "Core Directory",
    .added = "Add user",
    .updated = "Update user",
    .deleted = "Delete user",
    .put = put,
    .remove = remove_user,
    .expand = expand,
};

/* ---- actions --------------------------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind revoke_sessions(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc;
    RF_TRY(graph_entity_find(call, &graph_user, 0, &doc, err));
    struct json_node *before = json_clone(call->arena, doc);
    if (before == NULL) return graph_memory(call, err);
    RF_TRY(revoke(call, doc, err));
    RF_TRY(graph_store(call, &graph_user, doc, before, "Update user", err));
    struct json_node *root = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(call->arena, root, "@odata.context", graph_context(call, "Edm.Boolean"));
    if (json_set_bool(call->arena, root, "value", true) == NULL) return graph_memory(call, err);
    call->answer = root;
    return RF_OK;
}

/* ---- routes ----------------------------------------------------------------------------------------------------------------------------------------------- */

#define USER &graph_user
const struct graph_route graph_user_routes[] = {
    {HTTP_GET, 0, "users", USER_READ, graph_entity_list, USER},
    {HTTP_POST, 0, "users", USER_WRITE, graph_entity_create, USER},
    {HTTP_GET, 0, "users/$count", USER_READ, graph_entity_count, USER},
    {HTTP_GET, 0, "users/{}", USER_READ, graph_entity_get, USER},
    {HTTP_PATCH, 0, "users/{}", USER_WRITE, graph_entity_update, USER},
    {HTTP_DELETE, 0, "users/{}", USER_WRITE, graph_entity_remove, USER},
    {HTTP_POST, 0, "users/{}/revokeSignInSessions", "User.RevokeSessions.All " USER_WRITE,
     revoke_sessions, USER},
    {HTTP_GET, 0, "users/{}/memberOf", USER_READ, graph_member_of, USER},
    {HTTP_GET, 0, "users/{}/transitiveMemberOf", USER_READ, graph_transitive_member_of, USER},
    {HTTP_POST, GRAPH_READS, "users/{}/getMemberGroups", USER_READ, graph_member_groups, USER},
    {HTTP_POST, GRAPH_READS, "users/{}/getMemberObjects", USER_READ, graph_member_groups, USER},
    {HTTP_POST, GRAPH_READS, "users/{}/checkMemberGroups", USER_READ, graph_check_groups, USER},
    {HTTP_GET, 0, "users/{}/ownedObjects", USER_READ, graph_owned_list, USER},
    {HTTP_GET, 0, "users/{}/appRoleAssignments", DIRECTORY_READ, graph_assignments_list, USER},
    {HTTP_POST, 0, "users/{}/appRoleAssignments",
     "AppRoleAssignment.ReadWrite.All " DIRECTORY_WRITE, graph_assignments_add, USER},
    {HTTP_GET, 0, "users/{}/appRoleAssignments/{}", DIRECTORY_READ, graph_assignments_get, USER},
    {HTTP_DELETE, 0, "users/{}/appRoleAssignments/{}",
     "AppRoleAssignment.ReadWrite.All " DIRECTORY_WRITE, graph_assignments_remove, USER},
    {HTTP_GET, 0, "users/{}/oauth2PermissionGrants", DIRECTORY_READ, graph_grants_of, USER},
    {.path = NULL},
};
