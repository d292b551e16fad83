#include "crypt/x509.h"
#include "identity/graph_credential_int.h"

/* ---- properties --------------------------------------------------------------------------------------------------------------- */

static const struct graph_property properties[] = {
    {"id", P_TEXT, P_READ_ONLY},
    {"appId", P_TEXT, P_READ_ONLY},
    {"createdDateTime", P_TEXT, P_READ_ONLY},
    {"deletedDateTime", P_TEXT, P_READ_ONLY},
    {"publisherDomain", P_TEXT, P_READ_ONLY},
    {"applicationTemplateId", P_TEXT, P_READ_ONLY},
    {"disabledByMicrosoftStatus", P_TEXT, P_READ_ONLY},
    {"certification", P_OBJECT, P_READ_ONLY},
    {"verifiedPublisher", P_OBJECT, P_READ_ONLY},
    {"displayName", P_TEXT, P_REQUIRED},
    {"description", P_TEXT, 0},
    {"notes", P_TEXT, 0},
    {"signInAudience", P_TEXT, 0},
    {"identifierUris", P_TEXTS, 0},
    {"web", P_OBJECT, 0},
    {"spa", P_OBJECT, 0},
    {"publicClient", P_OBJECT, 0},
    {"api", P_OBJECT, 0},
    {"appRoles", P_OBJECTS, 0},
    {"requiredResourceAccess", P_OBJECTS, 0},
    {"groupMembershipClaims", P_TEXT, 0},
    {"optionalClaims", P_OBJECT, 0},
    {"isFallbackPublicClient", P_TRUTH, 0},
    {"isDeviceOnlyAuthSupported", P_TRUTH, 0},
    {"oauth2RequirePostResponse", P_TRUTH, 0},
    {"keyCredentials", P_OBJECTS, 0},
    {"passwordCredentials", P_OBJECTS, 0},
    {"tags", P_TEXTS, 0},
    {"info", P_OBJECT, 0},
    {"addIns", P_OBJECTS, 0},
    {"parentalControlSettings", P_OBJECT, 0},
    {"samlMetadataUrl", P_TEXT, 0},
    {"serviceManagementReference", P_TEXT, 0},
    {"defaultRedirectUri", P_TEXT, 0},
    {"tokenEncryptionKeyId", P_TEXT, 0},
    {"uniqueName", P_TEXT, P_FIXED},
    {"requestSignatureVerification", P_OBJECT, 0},
    {"servicePrincipalLockConfiguration", P_OBJECT, 0},
    {"nativeAuthenticationApisEnabled", P_TEXT, 0},
    {"authenticationBehaviors", P_OBJECT, 0},
};

/* ---- what may stand in it ------------------------------------------------------------------------------------------------------- */

static bool text_in(rf_str text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (rf_str_is(text, *words)) return true;
    return false;
}

static enum rf_kind check_audience(const struct json_node *doc, struct rf_err *err)
{
    static const char *const audiences[] = {"AzureADMyOrg", "AzureADMultipleOrgs",
                                            "AzureADandPersonalMicrosoftAccount",
                                            "PersonalMicrosoftAccount", NULL};
    if (text_in(json_text_at(doc, "signInAudience"), audiences)) return RF_OK;
    return graph_bad(err, "Invalid value specified for property 'signInAudience' of resource "
                          "'Application'.");
}

/* The host of "scheme://host[:port]/..." */
static rf_str uri_host(rf_str uri, size_t scheme_bytes)
{
    size_t end = scheme_bytes;
    while (end < uri.len && uri.ptr[end] != '/' && uri.ptr[end] != ':') end++;
    return rf_slice(uri, scheme_bytes, end);
}

static bool is_under(rf_str host, rf_str domain)
{
    if (rf_str_eq_nocase(host, domain)) return domain.len > 0;
    if (host.len <= domain.len + 1 || domain.len == 0) return false;
    size_t dot = host.len - domain.len - 1;
    return host.ptr[dot] == '.' && rf_str_eq_nocase(rf_slice(host, dot + 1, host.len), domain);
}

/* A name that tokens are made out to: nobody may take one that stands for somebody else. */
static enum rf_kind check_identifier(struct graph_call *call, const struct json_node *doc,
                                     rf_str uri, struct rf_err *err)
{
    const struct identity *identity = call->identity;
    rf_str api = RF_S("api://"), https = RF_S("https://"), app_id = json_text_at(doc, "appId");
    bool good = uri.len <= 255 && !rf_str_ends(uri, RF_S("/"));
    for (size_t i = 0; i < uri.len; i++)
        good = good && uri.ptr[i] > ' ' && uri.ptr[i] != '"' && uri.ptr[i] != '\\';
    if (rf_str_starts(uri, api)) {
        rf_str host = uri_host(uri, api.len);
        /* A GUID in that place is an application's id or the tenant's. */
        good = good && host.len > 0 &&
               (!guid_is(host) || rf_str_eq_nocase(host, app_id) ||
                (rf_str_eq_nocase(host, identity->tenant) && uri.len > api.len + host.len));
    } else if (rf_str_starts(uri, https)) {
        good = good && is_under(uri_host(uri, https.len), identity->domain) &&
               !resource_is_builtin(identity, uri);
    } else {
        good = good && rf_str_starts(uri, RF_S("urn:"));
    }
    if (!good)
        return graph_bad(err,
                         "Values of identifierUris property must use a verified domain of the "
                         "organization or its subdomain: '%.*s'",
                         (int)RF_MIN(uri.len, 256), (const char *)uri.ptr);
    return graph_unique(call, "application", "identifierUris", uri, json_text_at(doc, "id"), err);
}

static enum rf_kind check_identifiers(struct graph_call *call, const struct json_node *doc,
                                      struct rf_err *err)
{
    const struct json_node *list = json_get(doc, "identifierUris");
    if (!json_is(list, JSON_T_ARRAY)) return graph_bad(err, "identifierUris must be a list.");
    if (list->count > 50) return graph_bad(err, "identifierUris has more than 50 values.");
    for (const struct json_node *uri = list->first; uri != NULL; uri = uri->next)
        RF_TRY(check_identifier(call, doc, uri->text, err));
    return RF_OK;
}

/* Section 6.1: exact texts, so no wildcards and no fragments; http only where nobody else can listen. */
static bool is_redirect(rf_str uri, bool custom)
{
    if (uri.len == 0 || uri.len > 2048) return false;
    for (size_t i = 0; i < uri.len; i++)
        if (uri.ptr[i] <= ' ' || uri.ptr[i] == '*' || uri.ptr[i] == '#' || uri.ptr[i] >= 0x7f)
            return false;
    if (rf_str_starts(uri, RF_S("https://"))) return uri_host(uri, 8).len > 0;
    if (rf_str_starts(uri, RF_S("http://"))) {
        rf_str host = uri_host(uri, 7);
        return rf_str_is(host, "localhost") || rf_str_is(host, "127.0.0.1") ||
               rf_str_starts(rf_slice(uri, 7, uri.len), RF_S("[::1]"));
    }
    static const char *const dangerous[] = {
        "javascript:", "data:", "file:", "vbscript:", "blob:", "about:"};
    for (size_t i = 0; i < RF_COUNT(dangerous); i++) {
        rf_str scheme = rf_str_of(dangerous[i]);
        if (uri.len >= scheme.len && rf_str_eq_nocase(rf_slice(uri, 0, scheme.len), scheme))
            return false;
    }
    size_t colon = rf_str_find(uri, RF_S(":"), 0);
    return custom && colon != SIZE_MAX && colon > 0 && rf_is_alpha(uri.ptr[0]);
}

static enum rf_kind check_redirects(const struct json_node *doc, const char *platform,
                                    struct rf_err *err)
{
    const struct json_node *object = json_get(doc, platform);
    const struct json_node *list = json_get(object, "redirectUris");
    if (list == NULL || list->type == JSON_T_NULL) return RF_OK;
    if (list->type != JSON_T_ARRAY || list->count > 256)
        return graph_bad(err, "Invalid value specified for property 'redirectUris'.");
    for (const struct json_node *uri = list->first; uri != NULL; uri = uri->next)
        if (uri->type != JSON_T_STRING ||
            !is_redirect(uri->text, strcmp(platform, "publicClient") == 0))
            return graph_bad(err, "Invalid value specified for property 'redirectUris' of resource "
                                  "'Application': not an absolute https URL, or one of this host.");
    return RF_OK;
}

static enum rf_kind check_api(const struct json_node *doc, struct rf_err *err)
{
    const struct json_node *version = json_at(doc, "api.requestedAccessTokenVersion");
    int64_t number;
    if (version == NULL || version->type == JSON_T_NULL) return RF_OK;
    if (json_i64_at(doc, "api.requestedAccessTokenVersion", &number) &&
        (number == 1 || number == 2))
        return RF_OK;
    return graph_bad(err, "Invalid value specified for property 'requestedAccessTokenVersion'.");
}

static enum rf_kind check_role(const struct json_node *list, struct json_node *role,
                               struct graph_call *call, struct rf_err *err)
{
    static const char *const members[] = {"User", "Application", NULL};
    rf_str id = json_text_at(role, "id"), value = json_text_at(role, "value");
    const struct json_node *types = json_get(role, "allowedMemberTypes");
    if (!guid_is(id)) return graph_bad(err, "An app role's id must be a GUID.");
    if (json_text_at(role, "displayName").len == 0)
        return graph_bad(err, "A value is required for property 'displayName' of an app role.");
    if (!json_is(types, JSON_T_ARRAY) || types->count == 0)
        return graph_bad(err, "A value is required for property 'allowedMemberTypes'.");
    for (const struct json_node *t = types->first; t != NULL; t = t->next)
        if (t->type != JSON_T_STRING || !text_in(t->text, members))
            return graph_bad(err, "allowedMemberTypes holds User or Application.");
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] <= ' ' || value.ptr[i] >= 0x7f)
            return graph_bad(err, "An app role's value must not hold blanks.");
    if (value.len > 120 || (value.len > 0 && value.ptr[0] == '.'))
        return graph_bad(err,
                         "An app role's value has at most 120 characters and no dot in front.");
    for (const struct json_node *other = list->first; other != role; other = other->next)
        if (rf_str_eq_nocase(json_text_at(other, "id"), id) ||
            (value.len > 0 && rf_str_eq(json_text_at(other, "value"), value)))
            return graph_bad(err, "It contains duplicate value. App roles need ids and values of "
                                  "their own.");
    if (json_get(role, "isEnabled") == NULL) json_set_bool(call->arena, role, "isEnabled", true);
    return json_set_text(call->arena, role, "origin", RF_S("Application")) == NULL
               ? graph_memory(call, err)
               : RF_OK;
}

static enum rf_kind check_roles(struct graph_call *call, const struct json_node *doc,
                                struct rf_err *err)
{
    const struct json_node *list = json_get(doc, "appRoles");
    if (!json_is(list, JSON_T_ARRAY)) return graph_bad(err, "appRoles must be a list.");
    if (list->count > 1200) return graph_bad(err, "There are more than 1200 app roles.");
    for (struct json_node *role = list->first; role != NULL; role = role->next)
        RF_TRY(check_role(list, role, call, err));
    return RF_OK;
}

/* ---- defaults --------------------------------------------------------------------------------------------------------------------- */

static struct json_node *default_object(struct graph_call *call, struct json_node *doc,
                                        const char *name, const char *json)
{
    struct json_node *defaults, *there = json_object_in(call->arena, doc, name);
    struct rf_err bad;
    if (there == NULL || json_parse(rf_str_of(json), call->arena, &defaults, &bad) != RF_OK)
        return NULL;
    for (struct json_node *m = defaults->first, *next; m != NULL; m = next) {
        next = m->next;
        m->next = NULL;
        if (json_get_str(there, m->name) == NULL) json_set(call->arena, there, m->name, m);
    }
    return there;
}

static bool default_list(struct graph_call *call, struct json_node *doc, const char *name)
{
    const struct json_node *there = json_get(doc, name);
    return (there != NULL && there->type != JSON_T_NULL) ||
           json_set(call->arena, doc, rf_str_of(name), json_new(call->arena, JSON_T_ARRAY)) != NULL;
}

static enum rf_kind fill_in(struct graph_call *call, struct json_node *doc, struct rf_err *err)
{
    static const char *const lists[] = {"identifierUris",
                                        "appRoles",
                                        "requiredResourceAccess",
                                        "keyCredentials",
                                        "passwordCredentials",
                                        "tags",
                                        "addIns"};
    if (json_get(doc, "appId") == NULL)
        json_set_text(call->arena, doc, "appId", guid_random(call->arena));
    if (json_text_at(doc, "signInAudience").len == 0)
        json_set_text(call->arena, doc, "signInAudience", RF_S("AzureADMyOrg"));
    json_set_text(call->arena, doc, "publisherDomain", call->identity->domain);
    bool good = true;
    for (size_t i = 0; i < RF_COUNT(lists); i++) good = good && default_list(call, doc, lists[i]);
    good = good &&
           default_object(call, doc, "api",
                          "{\"acceptMappedClaims\":null,\"knownClientApplications\":[],"
                          "\"requestedAccessTokenVersion\":null,\"oauth2PermissionScopes\":[],"
                          "\"preAuthorizedApplications\":[]}") != NULL &&
           default_object(call, doc, "web",
                          "{\"homePageUrl\":null,\"logoutUrl\":null,\"redirectUris\":[],"
                          "\"implicitGrantSettings\":{\"enableAccessTokenIssuance\":false,"
                          "\"enableIdTokenIssuance\":false},\"redirectUriSettings\":[]}") != NULL &&
           default_object(call, doc, "spa", "{\"redirectUris\":[]}") != NULL &&
           default_object(call, doc, "publicClient", "{\"redirectUris\":[]}") != NULL;
    return good ? RF_OK : graph_memory(call, err);
}

/* The service principal of this tenant follows its application's names. */
static enum rf_kind follow(struct graph_call *call, const struct json_node *doc, struct rf_err *err)
{
    struct json_node *principal;
    rf_str app_id = json_text_at(doc, "appId");
    enum rf_kind kind =
        object_find(call->txn, "servicePrincipal", "appId", app_id, call->arena, &principal, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    struct json_node *before = json_clone(call->arena, principal);
    RF_TRY(principal_follow(call, principal, doc, err));
    if (json_equal(before, principal)) return RF_OK;
    return object_put(call->txn, "servicePrincipal", principal, call->arena, err);
}

static enum rf_kind put(struct graph_call *call, struct json_node *doc,
                        const struct json_node *before, struct rf_err *err)
{
    RF_TRY(fill_in(call, doc, err));
    if (json_text_at(doc, "displayName").len > 256)
        return graph_bad(err, "displayName has more than 256 characters.");
    RF_TRY(check_audience(doc, err));
    RF_TRY(check_identifiers(call, doc, err));
    RF_TRY(check_redirects(doc, "web", err));
    RF_TRY(check_redirects(doc, "spa", err));
    RF_TRY(check_redirects(doc, "publicClient", err));
    RF_TRY(check_api(doc, err));
    RF_TRY(check_roles(call, doc, err));
    RF_TRY(credentials_put(call, &graph_application, doc, before, err));
    return before == NULL ? RF_OK : follow(call, doc, err);
}

static enum rf_kind remove_principal(struct graph_call *call, const struct json_node *doc,
                                     struct rf_err *err)
{
    struct json_node *principal;
    enum rf_kind kind = object_find(call->txn, "servicePrincipal", "appId",
                                    json_text_at(doc, "appId"), call->arena, &principal, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    rf_str id = json_text_at(principal, "id");
    RF_TRY(graph_unlink(call, id, err));
    RF_TRY(object_delete(call->txn, "servicePrincipal", id, err));
    graph_change(call, &(struct trail_change){.operation = "Remove service principal",
                                              .verb = "Delete",
                                              .service = "Core Directory",
                                              .category = "ApplicationManagement",
                                              .type = "ServicePrincipal",
                                              .target = principal});
    return RF_OK;
}

static enum rf_kind expand(struct graph_call *call, struct json_node *shown, rf_str name,
                           struct rf_err *err)
{
    struct graph_items items;
    if (rf_str_is(name, "federatedIdentityCredentials")) {
        struct json_node *doc;
        RF_TRY(object_get(call->txn, "application", json_text_at(shown, "id"), call->arena, &doc,
                          err));
        const struct json_node *list = json_get(doc, "~federated");
        struct json_node *copy =
            list == NULL ? json_new(call->arena, JSON_T_ARRAY) : graph_public(call->arena, list);
        return json_set(call->arena, shown, name, copy) == NULL ? graph_memory(call, err) : RF_OK;
    }
    if (!rf_str_is(name, "owners")) return RF_NOT_FOUND;
    RF_TRY(graph_link_items(call, "owner", json_text_at(shown, "id"), (rf_str){0}, &items, err));
    return graph_expand_items(call, shown, "owners", &items, err);
}

const struct graph_entity graph_application = {
    .space = "application",
    .set = "applications",
    .type = "application",
    .properties = properties,
    .property_count = RF_COUNT(properties),
    .alternate = "appId",
    .trail_type = "Application",
    .trail_category = "ApplicationManagement",
    .trail_service = "Core Directory",
    .added = "Add application",
    .updated = "Update application",
    .deleted = "Delete application",
    .put = put,
    .remove = remove_principal,
    .expand = expand,
};

/* ---- federated credentials ---------------------------------------------------------------------------------------------------------- */

enum { FEDERATED_MAX = 20, FEDERATED_TEXT_MAX = 600 };

static struct json_node *federated_list(struct graph_call *call, struct json_node *doc)
{
    struct json_node *list = json_get(doc, "~federated");
    if (list != NULL) return list;
    return json_set(call->arena, doc, RF_S("~federated"), json_new(call->arena, JSON_T_ARRAY));
}

static bool is_federated_name(rf_str name)
{
    if (name.len < 1 || name.len > 120) return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (!rf_is_alnum(c) && c != '-' && c != '_' && c != '.') return false;
    }
    return true;
}

static enum rf_kind check_federated(struct graph_call *call, const struct json_node *list,
                                    const struct json_node *doc, struct rf_err *err)
{
    static const char *const known[] = {"id",        "name",        "issuer",         "subject",
                                        "audiences", "description", "@odata.context", NULL};
    rf_str name, issuer, subject;
    const struct json_node *audiences = json_get(doc, "audiences");
    for (const struct json_node *m = doc->first; m != NULL; m = m->next)
        if (!text_in(m->name, known))
            return graph_bad(err, "Invalid property '%.*s'.", (int)RF_MIN(m->name.len, 64),
                             (const char *)m->name.ptr);
    RF_TRY(graph_text(doc, "name", 120, &name, err));
    RF_TRY(graph_text(doc, "issuer", FEDERATED_TEXT_MAX, &issuer, err));
    RF_TRY(graph_text(doc, "subject", FEDERATED_TEXT_MAX, &subject, err));
    if (!is_federated_name(name))
        return graph_bad(err, "The name of a federated credential is made of letters, digits, "
                              "dashes, dots and underscores.");
    if (!rf_str_starts(issuer, RF_S("https://")) || uri_host(issuer, 8).len == 0)
        return graph_bad(err, "The issuer must be an https URL.");
    if (!json_is(audiences, JSON_T_ARRAY) || audiences->count != 1 ||
        !json_is(audiences->first, JSON_T_STRING) || audiences->first->text.len == 0 ||
        audiences->first->text.len > FEDERATED_TEXT_MAX)
        return graph_bad(err, "A federated credential has exactly one audience.");
    for (const struct json_node *other = list->first; other != NULL; other = other->next) {
        if (rf_str_eq(json_text_at(other, "id"), json_text_at(doc, "id"))) continue;
        if (rf_str_eq(json_text_at(other, "name"), name))
            return graph_bad(err, "FederatedIdentityCredential with name %.*s already exists.",
                             RF_FMT(name));
        if (rf_str_eq(json_text_at(other, "issuer"), issuer) &&
            rf_str_eq(json_text_at(other, "subject"), subject))
            return graph_bad(err, "FederatedIdentityCredential with the same issuer and subject "
                                  "already exists.");
    }
    (void)call;
    return RF_OK;
}

static struct json_node *find_federated(const struct json_node *list, rf_str key)
{
    rf_str name = RF_S("name='");
    bool by_name = rf_str_starts(key, name) && rf_str_ends(key, RF_S("'")) && key.len > name.len;
    if (by_name) key = rf_slice(key, name.len, key.len - 1);
    for (struct json_node *c = list->first; c != NULL; c = c->next)
        if ((!by_name && rf_str_eq_nocase(json_text_at(c, "id"), key)) ||
            rf_str_eq(json_text_at(c, "name"), key))
            return c;
    return NULL;
}

/* The application and its list; with a second id, the credential too. */
struct federated {
    struct json_node *doc, *before, *list, *credential;
};

static enum rf_kind load_federated(struct graph_call *call, struct federated *out,
                                   struct rf_err *err)
{
    RF_TRY(graph_entity_find(call, &graph_application, 0, &out->doc, err));
    out->before = json_clone(call->arena, out->doc);
    out->list = federated_list(call, out->doc);
    if (out->list == NULL || out->before == NULL) return graph_memory(call, err);
    if (call->id_count < 2) return RF_OK;
    out->credential = find_federated(out->list, call->ids[1]);
    return out->credential == NULL ? graph_not_found(call->ids[1], err) : RF_OK;
}

static enum rf_kind store_federated(struct graph_call *call, const struct federated *f,
                                    struct rf_err *err)
{
    return graph_store(call, &graph_application, f->doc, f->before,
                       "Update application \xe2\x80\x93 Certificates and secrets management", err);
}

static enum rf_kind answer_federated(struct graph_call *call, const struct json_node *credential,
                                     uint16_t status, struct rf_err *err)
{
    struct json_node *root = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(call->arena, root, "@odata.context",
                  graph_context(call, "applications/federatedIdentityCredentials/$entity"));
    for (const struct json_node *m = credential->first; m != NULL; m = m->next)
        if (json_set(call->arena, root, m->name, json_clone(call->arena, m)) == NULL)
            return graph_memory(call, err);
    call->answer = root;
    call->status = status;
    return RF_OK;
}

static enum rf_kind federated_all(struct graph_call *call, struct rf_err *err)
{
    struct federated f;
    RF_TRY(load_federated(call, &f, err));
    struct graph_items items = {.count = f.list->count,
                                .context = "applications/federatedIdentityCredentials"};
    items.docs = rf_arena_new(call->arena, struct json_node *, items.count);
    if (items.docs == NULL) return graph_memory(call, err);
    uint32_t i = 0;
    for (struct json_node *c = f.list->first; c != NULL; c = c->next) items.docs[i++] = c;
    return graph_list_items(call, &items, err);
}

static enum rf_kind federated_get(struct graph_call *call, struct rf_err *err)
{
    struct federated f;
    RF_TRY(load_federated(call, &f, err));
    return answer_federated(call, f.credential, 200, err);
}

static enum rf_kind federated_add(struct graph_call *call, struct rf_err *err)
{
    struct federated f;
    if (call->body == NULL) return graph_bad(err, "A body is required.");
    RF_TRY(load_federated(call, &f, err));
    if (f.list->count >= FEDERATED_MAX)
        return graph_bad(err, "An application has at most %d federated credentials.",
                         FEDERATED_MAX);
    struct json_node *credential = json_clone(call->arena, call->body);
    if (json_set_text(call->arena, credential, "id", guid_random(call->arena)) == NULL)
        return graph_memory(call, err);
    RF_TRY(check_federated(call, f.list, credential, err));
    json_append(f.list, credential);
    RF_TRY(store_federated(call, &f, err));
    return answer_federated(call, credential, 201, err);
}

static enum rf_kind federated_update(struct graph_call *call, struct rf_err *err)
{
    struct federated f;
    if (call->body == NULL) return graph_bad(err, "A body is required.");
    RF_TRY(load_federated(call, &f, err));
    rf_str name = json_text_at(f.credential, "name");
    for (const struct json_node *m = call->body->first; m != NULL; m = m->next) {
        if (rf_str_is(m->name, "id")) continue;
        if (rf_str_is(m->name, "name") && !rf_str_eq(m->text, name))
            return graph_bad(err, "The name of a federated credential cannot be changed.");
        if (json_set(call->arena, f.credential, m->name, json_clone(call->arena, m)) == NULL)
            return graph_memory(call, err);
    }
    RF_TRY(check_federated(call, f.list, f.credential, err));
    RF_TRY(store_federated(call, &f, err));
    return graph_answer_empty(call, 204);
}

static enum rf_kind federated_remove(struct graph_call *call, struct rf_err *err)
{
    struct federated f;
    RF_TRY(load_federated(call, &f, err));
    struct json_node *rest = json_new(call->arena, JSON_T_ARRAY);
    for (struct json_node *c = f.list->first; c != NULL; c = c->next)
        if (c != f.credential) json_append(rest, json_clone(call->arena, c));
    if (json_set(call->arena, f.doc, RF_S("~federated"), rest) == NULL)
        return graph_memory(call, err);
    RF_TRY(store_federated(call, &f, err));
    return graph_answer_empty(call, 204);
}

/* ---- routes ----------------------------------------------------------------------------------------------------------------------------- */

#define APP &graph_application
const struct graph_route graph_application_routes[] = {
    {HTTP_GET, 0, "applications", APPLICATION_READ, graph_entity_list, APP},
    {HTTP_POST, 0, "applications", APPLICATION_WRITE, graph_entity_create, APP},
    {HTTP_GET, 0, "applications/$count", APPLICATION_READ, graph_entity_count, APP},
    {HTTP_GET, 0, "applications/{}", APPLICATION_READ, graph_entity_get, APP},
    {HTTP_PATCH, 0, "applications/{}", APPLICATION_WRITE, graph_entity_update, APP},
    {HTTP_DELETE, 0, "applications/{}", APPLICATION_WRITE, graph_entity_remove, APP},
    {HTTP_POST, 0, "applications/{}/addPassword", APPLICATION_WRITE, credential_add_password, APP},
    {HTTP_POST, 0, "applications/{}/removePassword", APPLICATION_WRITE, credential_remove_password,
     APP},
    {HTTP_POST, 0, "applications/{}/addKey", APPLICATION_WRITE, credential_add_key, APP},
    {HTTP_POST, 0, "applications/{}/removeKey", APPLICATION_WRITE, credential_remove_key, APP},
    {HTTP_GET, 0, "applications/{}/owners", APPLICATION_READ, graph_owners_list, APP},
    {HTTP_POST, 0, "applications/{}/owners/$ref", APPLICATION_WRITE, graph_owners_add, APP},
    {HTTP_DELETE, 0, "applications/{}/owners/{}/$ref", APPLICATION_WRITE, graph_owners_remove, APP},
    {HTTP_GET, 0, "applications/{}/federatedIdentityCredentials", APPLICATION_READ, federated_all,
     APP},
    {HTTP_POST, 0, "applications/{}/federatedIdentityCredentials", APPLICATION_WRITE, federated_add,
     APP},
    {HTTP_GET, 0, "applications/{}/federatedIdentityCredentials/{}", APPLICATION_READ,
     federated_get, APP},
    {HTTP_PATCH, 0, "applications/{}/federatedIdentityCredentials/{}", APPLICATION_WRITE,
     federated_update, APP},
    {HTTP_DELETE, 0, "applications/{}/federatedIdentityCredentials/{}", APPLICATION_WRITE,
     federated_remove, APP},
    {.path = NULL},
};
