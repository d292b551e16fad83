/* first_start.c - what the program itself makes in the directory: applications, the host's managed identity. */
#include "identity/identity_int.h"

/* Secrets of Graph's addPassword live two years by default; the first application's must outlive a forgotten
 * installation. */
enum { SECRET_YEARS = 100 };
#define YEAR_USEC (INT64_C(31557600) * RF_USEC_PER_SECOND)

static struct json_node *application_json(struct identity *identity, rf_str app_id, rf_str name,
                                          rf_str now, struct rf_arena *arena)
{
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, doc, "id", guid_random(arena));
    json_set_text(arena, doc, "appId", app_id);
    json_set_text(arena, doc, "displayName", name);
    json_set_text(arena, doc, "signInAudience", RF_S("AzureADMyOrg"));
    json_set_text(arena, doc, "publisherDomain", identity->domain);
    json_set_text(arena, doc, "createdDateTime", now);
    json_set(arena, doc, RF_S("identifierUris"), json_new(arena, JSON_T_ARRAY));
    json_set(arena, doc, RF_S("passwordCredentials"), json_new(arena, JSON_T_ARRAY));
    return json_set(arena, doc, RF_S("keyCredentials"), json_new(arena, JSON_T_ARRAY)) == NULL
               ? NULL
               : doc;
}

static struct json_node *principal_json(struct identity *identity, rf_str app_id, rf_str name,
                                        const char *type, rf_str now, struct rf_arena *arena)
{
    struct json_node *doc = json_new(arena, JSON_T_OBJECT), *names = json_new(arena, JSON_T_ARRAY);
    json_append(names, json_new_text(arena, app_id));
    json_set_text(arena, doc, "id", guid_random(arena));
    json_set_text(arena, doc, "appId", app_id);
    json_set_text(arena, doc, "displayName", name);
    json_set_text(arena, doc, "appDisplayName", name);
    json_set_text(arena, doc, "servicePrincipalType", rf_str_of(type));
    json_set_text(arena, doc, "appOwnerOrganizationId", identity->tenant);
    json_set_text(arena, doc, "createdDateTime", now);
    json_set_bool(arena, doc, "accountEnabled", true);
    json_set_bool(arena, doc, "appRoleAssignmentRequired", false);
    return json_set(arena, doc, RF_S("servicePrincipalNames"), names) == NULL ? NULL : doc;
}

static enum rf_kind grant(struct identity *identity, struct state_txn *txn,
                          const struct json_node *principal, rf_str role, rf_str now,
                          struct rf_arena *arena, struct rf_err *err)
{
    const char *role_id = graph_role_id(role);
    if (role_id == NULL)
        return RF_FAIL(err, RF_INVALID, "UnknownRole", "Graph has no app role %.*s", RF_FMT(role));
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, doc, "id", guid_random(arena));
    json_set_text(arena, doc, "appRoleId", rf_str_of(role_id));
    json_set_text(arena, doc, "createdDateTime", now);
    json_set_text(arena, doc, "principalDisplayName", json_text_at(principal, "displayName"));
    json_set_text(arena, doc, "principalId", json_text_at(principal, "id"));
    json_set_text(arena, doc, "principalType", RF_S("ServicePrincipal"));
    json_set_text(arena, doc, "resourceDisplayName", RF_S("Microsoft Graph"));
    if (json_set_text(arena, doc, "resourceId",
                      guid_named(arena, identity->tenant, RF_S(GRAPH_APP_ID))) == NULL)
        return rf_fail_memory(err, arena);
    return object_put(txn, "appRoleAssignment", doc, arena, err);
}

static enum rf_kind grant_all(struct identity *identity, struct state_txn *txn,
                              const struct json_node *principal, const char *roles, rf_str now,
                              struct rf_arena *arena, struct rf_err *err)
{
    rf_str text = rf_str_of(roles == NULL ? "" : roles);
    for (size_t at = 0; at < text.len;) {
        size_t end = rf_str_find(text, RF_S(" "), at);
        if (end == SIZE_MAX) end = text.len;
        rf_str role = rf_slice(text, at, end);
        if (role.len > 0) RF_TRY(grant(identity, txn, principal, role, now, arena, err));
        at = end + 1;
    }
    return RF_OK;
}

static enum rf_kind give_secret(struct identity *identity, struct json_node *application,
                                struct rf_arena *arena, rf_str *secret, struct rf_err *err)
{
    struct json_node *credential, *list = json_new(arena, JSON_T_ARRAY);
    rf_usec now = rf_clock_now(identity->options.clock);
    RF_TRY(secret_make(identity, json_text_at(application, "appId"), RF_S("bootstrap"), now,
                       now + SECRET_YEARS * YEAR_USEC, arena, &credential, secret, err));
    json_append(list, credential);
    return json_set(arena, application, RF_S("passwordCredentials"), list) == NULL
               ? rf_fail_memory(err, arena)
               : RF_OK;
}

enum rf_kind app_put_named(struct identity *identity, struct state_txn *txn, rf_str app_id,
                           rf_str display_name, struct rf_arena *arena, struct rf_err *err)
{
    rf_str now = time_graph(arena, rf_clock_now(identity->options.clock));
    struct json_node *doc = application_json(identity, app_id, display_name, now, arena);
    struct json_node *principal =
        principal_json(identity, app_id, display_name, "Application", now, arena);
    if (doc == NULL || principal == NULL) return rf_fail_memory(err, arena);
    RF_TRY(object_put(txn, "application", doc, arena, err));
    return object_put(txn, "servicePrincipal", principal, arena, err);
}

enum rf_kind identity_make_app(struct identity *identity, struct state_txn *txn,
                               rf_str display_name, const char *graph_roles, struct rf_arena *arena,
                               struct identity_app *out, struct rf_err *err)
{
    struct identity_app app = {.app_id = guid_random(arena)};
    rf_str now = time_graph(arena, rf_clock_now(identity->options.clock));
    if (app.app_id.ptr == NULL || now.ptr == NULL) return rf_fail_memory(err, arena);
    struct json_node *doc = application_json(identity, app.app_id, display_name, now, arena);
    struct json_node *principal =
        principal_json(identity, app.app_id, display_name, "Application", now, arena);
    if (doc == NULL || principal == NULL) return rf_fail_memory(err, arena);
    RF_TRY(give_secret(identity, doc, arena, &app.secret, err));
    app.object_id = json_text_at(principal, "id");
    RF_TRY(object_put(txn, "application", doc, arena, err));
    RF_TRY(object_put(txn, "servicePrincipal", principal, arena, err));
    RF_TRY(grant_all(identity, txn, principal, graph_roles, now, arena, err));
    *out = app;
    return RF_OK;
}

enum rf_kind identity_replace_secret(struct identity *identity, struct state_txn *txn,
                                     rf_str app_id, struct rf_arena *arena, rf_str *secret,
                                     struct rf_err *err)
{
    struct json_node *application, *principal;
    RF_TRY(object_find(txn, "application", "appId", app_id, arena, &application, err));
    RF_TRY(give_secret(identity, application, arena, secret, err));
    RF_TRY(object_put(txn, "application", application, arena, err));
    RF_TRY(object_find(txn, "servicePrincipal", "appId", app_id, arena, &principal, err));
    if (json_get(principal, "passwordCredentials") == NULL) return RF_OK;
    json_remove(principal, RF_S("passwordCredentials"));
    return object_put(txn, "servicePrincipal", principal, arena, err);
}

/* ---- the managed identity of this host ------------------------------------------------------------------------------ */

enum rf_kind identity_make_managed_identity(struct identity *identity, struct state_txn *txn,
                                            rf_str display_name, rf_str resource_id,
                                            struct rf_arena *arena, struct identity_app *out,
                                            struct rf_err *err)
{
    struct json_node *principal;
    enum rf_kind kind = object_find(txn, "servicePrincipal", "servicePrincipalType",
                                    RF_S("ManagedIdentity"), arena, &principal, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (kind == RF_NOT_FOUND) {
        rf_str now = time_graph(arena, rf_clock_now(identity->options.clock));
        rf_str app_id = guid_random(arena);
        principal = principal_json(identity, app_id, display_name, "ManagedIdentity", now, arena);
        if (principal == NULL) return rf_fail_memory(err, arena);
    }
    struct json_node *credential, *names = json_new(arena, JSON_T_ARRAY);
    struct identity_app app = {.app_id = json_text_at(principal, "appId"),
                               .object_id = json_text_at(principal, "id")};
    RF_TRY(secret_make(identity, app.app_id, RF_S(""), 0, 0, arena, &credential, &app.secret, err));
    json_append(names, json_new_text(arena, RF_S("isExplicit=False")));
    json_append(names, json_new_text(arena, resource_id));
    json_set(arena, principal, RF_S("alternativeNames"), names);
    json_set_text(arena, principal, "~resourceId", resource_id);
    if (json_set_text(arena, principal, "~header", json_text_at(credential, "~mac")) == NULL)
        return rf_fail_memory(err, arena);
    RF_TRY(object_put(txn, "servicePrincipal", principal, arena, err));
    *out = app;
    return RF_OK;
}
