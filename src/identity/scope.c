#include "identity/graph_credential_int.h"
#include "identity/signin_int.h"

#define GRAPH_NAME "https://graph.microsoft.com"

/* ---- reading (section 3.3) ------------------------------------------------------------------------------------------- */

static bool next_word(rf_str text, size_t *at, rf_str *out)
{
    while (*at < text.len && text.ptr[*at] == ' ') ++*at;
    if (*at >= text.len) return false;
    size_t end = rf_str_find(text, RF_S(" "), *at);
    if (end == SIZE_MAX) end = text.len;
    *out = rf_slice(text, *at, end);
    *at = end;
    return true;
}

bool scope_has(rf_str list, rf_str name)
{
    rf_str word;
    for (size_t at = 0; next_word(list, &at, &word);)
        if (rf_str_eq_nocase(word, name)) return true;
    return false;
}

static enum rf_kind bad_scope(struct rf_err *err, rf_str scope)
{
    return RF_FAIL(
        err, RF_INVALID, "70011",
        "The provided request must include a 'scope' input parameter. The provided value "
        "for the input parameter 'scope' is not valid. The scope %.*s is not valid.",
        (int)RF_MIN(scope.len, 200), (const char *)scope.ptr);
}

/* RFC 6749 section 3.3: printable ASCII but quote and backslash. */
static bool is_scope_text(rf_str scope)
{
    for (size_t i = 0; i < scope.len; i++)
        if (scope.ptr[i] < 0x21 || scope.ptr[i] > 0x7e || scope.ptr[i] == '"' ||
            scope.ptr[i] == '\\')
            return false;
    return scope.len > 0;
}

static bool *flag_of(struct scopes *out, rf_str word)
{
    if (rf_str_is(word, "openid")) return &out->openid;
    if (rf_str_is(word, "profile")) return &out->profile;
    if (rf_str_is(word, "email")) return &out->email;
    if (rf_str_is(word, "offline_access")) return &out->offline;
    return NULL;
}

/* "https://vault.azure.net/user_impersonation" in two; a bare word is Graph's. The name of a resource may end in a slash itself. */
static void split(rf_str scope, rf_str *resource, rf_str *name)
{
    size_t slash = scope.len;
    while (slash > 0 && scope.ptr[slash - 1] != '/') slash--;
    *name = rf_slice(scope, slash, scope.len);
    *resource = slash == 0 ? RF_S(GRAPH_NAME) : rf_slice(scope, 0, slash - 1);
}

enum rf_kind scopes_read(struct identity *identity, rf_str text, rf_str origin,
                         struct rf_arena *arena, struct scopes *out, struct rf_err *err)
{
    struct scopes scopes = {.openid = false};
    struct rf_buf names = rf_buf_in(arena);
    rf_str word;
    if (text.len > 4096) return bad_scope(err, text);
    for (size_t at = 0; next_word(text, &at, &word);) {
        rf_str resource, name;
        bool *flag = flag_of(&scopes, word);
        if (flag != NULL) {
            *flag = true;
            continue;
        }
        split(word, &resource, &name);
        if (!is_scope_text(word) || resource.len == 0 || name.len == 0) return bad_scope(err, word);
        if (scopes.audience.len > 0 && !rf_str_eq_nocase(scopes.audience, resource))
            return RF_FAIL(err, RF_INVALID, "28000",
                           "Provided value for the input parameter scope is not valid because it "
                           "contains more than one resource.");
        scopes.audience = resource;
        if (rf_str_is(name, ".default"))
            scopes.all = true;
        else
            rf_buf_printf(&names, "%s%.*s", names.len == 0 ? "" : " ", RF_FMT(name));
    }
    if (!scopes.openid && scopes.audience.len == 0 && !scopes.profile && !scopes.email)
        return bad_scope(err, text);
    if (scopes.audience.len == 0) scopes.audience = RF_S(GRAPH_NAME);
    if (names.failed || !rf_arena_str(arena, rf_buf_view(&names), &scopes.names) ||
        !rf_arena_str(arena, scopes.audience, &scopes.audience))
        return rf_fail_memory(err, arena);
    RF_TRY(resource_find(identity, scopes.audience, origin, &scopes.entry, err));
    scopes.resource = scopes.entry->value;
    *out = scopes;
    return RF_OK;
}

/* ---- consent --------------------------------------------------------------------------------------------------------- */

static bool is_graph(const struct scopes *scopes)
{
    return rf_str_eq_nocase(scopes->resource->app_id, RF_S(GRAPH_APP_ID));
}

/* ARM, vaults, hubs, logs: one scope, and the user's roles say what may be done with it. */
static bool is_ruled_by_roles(const struct identity *identity, const struct scopes *scopes)
{
    return resource_is_builtin(identity, scopes->audience) && !is_graph(scopes);
}

/* The application that a resource of the tenant's own is; NULL: a built-in one. */
static enum rf_kind application_of(struct state_txn *txn, const struct scopes *scopes,
                                   struct rf_arena *arena, struct json_node **out,
                                   struct rf_err *err)
{
    enum rf_kind kind =
        object_find(txn, "application", "appId", scopes->resource->app_id, arena, out, err);
    if (kind != RF_NOT_FOUND) return kind;
    *out = NULL;
    return RF_OK;
}

static const struct json_node *permission_of(const struct json_node *application, rf_str name)
{
    const struct json_node *list = json_at(application, "api.oauth2PermissionScopes");
    if (!json_is(list, JSON_T_ARRAY)) return NULL;
    for (const struct json_node *p = list->first; p != NULL; p = p->next)
        if (rf_str_eq_nocase(json_text_at(p, "value"), name) && json_bool_at(p, "isEnabled", true))
            return p;
    return NULL;
}

/* Clients that the API's own application trusts need nobody's consent. */
static bool is_preauthorized(const struct json_node *application, const struct client *client,
                             const struct json_node *permission)
{
    const struct json_node *list = json_at(application, "api.preAuthorizedApplications");
    if (!json_is(list, JSON_T_ARRAY)) return false;
    for (const struct json_node *p = list->first; p != NULL; p = p->next) {
        const struct json_node *ids = json_get(p, "delegatedPermissionIds");
        if (!rf_str_eq_nocase(json_text_at(p, "appId"), client->app_id)) continue;
        if (!json_is(ids, JSON_T_ARRAY)) return false;
        for (const struct json_node *id = ids->first; id != NULL; id = id->next)
            if (rf_str_eq_nocase(id->text, json_text_at(permission, "id"))) return true;
    }
    return false;
}

/* All that was consented to for this client, user and resource. */
static enum rf_kind consented(struct state_txn *txn, const struct client *client, rf_str user,
                              rf_str resource_id, struct rf_arena *arena, rf_str *out,
                              struct rf_err *err)
{
    struct object_list list;
    struct rf_buf buf = rf_buf_in(arena);
    RF_TRY(object_list(txn, "oauth2PermissionGrant", "clientId", client->id, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        const struct json_node *doc = list.items[i];
        bool for_all = rf_str_is(json_text_at(doc, "consentType"), "AllPrincipals");
        if (!rf_str_eq_nocase(json_text_at(doc, "resourceId"), resource_id) ||
            (!for_all && !rf_str_eq_nocase(json_text_at(doc, "principalId"), user)))
            continue;
        rf_buf_printf(&buf, "%.*s ", RF_FMT(json_text_at(doc, "scope")));
    }
    if (buf.failed) return rf_fail_memory(err, arena);
    *out = rf_buf_view(&buf);
    return RF_OK;
}

struct sorting {
    const struct client *client;
    const struct json_node *application;
    rf_str have;
    struct rf_buf granted, missing;
};

static void add(struct rf_buf *list, rf_str word)
{
    rf_buf_printf(list, "%s%.*s", list->len == 0 ? "" : " ", RF_FMT(word));
}

static void sort_in(struct sorting *s, rf_str word, bool free)
{
    if (scope_has(rf_buf_view(&s->granted), word) || scope_has(rf_buf_view(&s->missing), word))
        return;
    add(free || scope_has(s->have, word) ? &s->granted : &s->missing, word);
}

static enum rf_kind sort_named(struct sorting *s, const struct scopes *scopes, struct rf_err *err)
{
    rf_str word;
    for (size_t at = 0; next_word(scopes->names, &at, &word);) {
        const struct json_node *permission = permission_of(s->application, word);
        if (s->application != NULL && permission == NULL) return bad_scope(err, word);
        sort_in(s, word, is_preauthorized(s->application, s->client, permission));
    }
    for (size_t at = 0; scopes->all && next_word(s->have, &at, &word);) {
        if (flag_of(&(struct scopes){.openid = false}, word) == NULL) sort_in(s, word, true);
    }
    return RF_OK;
}

/* Consent to who one is hangs on Graph, as Entra has it; a client needs it once. */
static enum rf_kind sort_openid(struct sorting *s, const struct scopes *scopes,
                                struct state_txn *txn, rf_str user, rf_str graph_id,
                                struct rf_arena *arena, struct rf_err *err)
{
    static const char *const names[] = {"openid", "profile", "email", "offline_access"};
    const bool wanted[] = {scopes->openid, scopes->profile, scopes->email, scopes->offline};
    rf_str of_resource = s->have;
    bool is_portal = rf_str_eq_nocase(s->client->app_id, RF_S(PORTAL_APP_ID));
    RF_TRY(consented(txn, s->client, user, graph_id, arena, &s->have, err));
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (wanted[i]) sort_in(s, rf_str_of(names[i]), is_portal);
    s->have = of_resource;
    return RF_OK;
}

static rf_str graph_id_of(const struct identity *identity, struct rf_arena *arena)
{
    return guid_named(arena, identity->tenant, RF_S(GRAPH_APP_ID));
}

enum rf_kind scopes_consent(struct identity *identity, struct state_txn *txn,
                            const struct client *client, rf_str user, const struct scopes *scopes,
                            struct rf_arena *arena, rf_str *granted, rf_str *missing,
                            struct rf_err *err)
{
    struct json_node *application;
    struct sorting s = {.client = client, .granted = rf_buf_in(arena), .missing = rf_buf_in(arena)};
    rf_str graph = graph_id_of(identity, arena);
    if (graph.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(application_of(txn, scopes, arena, &application, err));
    s.application = application;
    RF_TRY(consented(txn, client, user, scopes->resource->id, arena, &s.have, err));
    if (is_ruled_by_roles(identity, scopes)) {
        add(&s.granted, RF_S("user_impersonation"));
    } else if (rf_str_eq_nocase(scopes->resource->app_id, client->app_id)) {
        /* An application's token for itself. */
        rf_str word;
        for (size_t at = 0; next_word(scopes->names, &at, &word);) sort_in(&s, word, true);
    } else {
        RF_TRY(sort_named(&s, scopes, err));
    }
    RF_TRY(sort_openid(&s, scopes, txn, user, graph, arena, err));
    if (is_graph(scopes)) sort_in(&s, RF_S("User.Read"), true);
    if (s.granted.failed || s.missing.failed) return rf_fail_memory(err, arena);
    *granted = rf_buf_view(&s.granted);
    *missing = rf_buf_view(&s.missing);
    return RF_OK;
}

bool scope_needs_admin(const struct scopes *scopes, rf_str missing)
{
    rf_str word;
    if (!is_graph(scopes)) return false;
    for (size_t at = 0; next_word(missing, &at, &word);)
        if (rf_str_ends(word, RF_S(".All"))) return true;
    return false;
}

static enum rf_kind agree_to(struct state_txn *txn, const struct client *client, rf_str user,
                             rf_str resource_id, rf_str words, struct rf_arena *arena,
                             struct rf_err *err)
{
    struct object_list list;
    struct json_node *doc = NULL;
    if (words.len == 0) return RF_OK;
    RF_TRY(object_list(txn, "oauth2PermissionGrant", "clientId", client->id, arena, &list, err));
    for (uint32_t i = 0; i < list.count && doc == NULL; i++)
        if (rf_str_is(json_text_at(list.items[i], "consentType"), "Principal") &&
            rf_str_eq_nocase(json_text_at(list.items[i], "principalId"), user) &&
            rf_str_eq_nocase(json_text_at(list.items[i], "resourceId"), resource_id))
            doc = list.items[i];
    if (doc == NULL) {
        doc = json_new(arena, JSON_T_OBJECT);
        json_set_text(arena, doc, "id", guid_random(arena));
        json_set_text(arena, doc, "clientId", client->id);
        json_set_text(arena, doc, "consentType", RF_S("Principal"));
        json_set_text(arena, doc, "principalId", user);
        json_set_text(arena, doc, "resourceId", resource_id);
    }
    struct rf_buf all = rf_buf_in(arena);
    rf_buf_str(&all, json_text_at(doc, "scope"));
    rf_str word;
    for (size_t at = 0; next_word(words, &at, &word);)
        if (!scope_has(rf_buf_view(&all), word)) add(&all, word);
    if (all.failed || json_set_text(arena, doc, "scope", rf_buf_view(&all)) == NULL)
        return rf_fail_memory(err, arena);
    return object_put(txn, "oauth2PermissionGrant", doc, arena, err);
}

enum rf_kind scopes_agree(struct identity *identity, struct state_txn *txn,
                          const struct client *client, rf_str user, const struct scopes *scopes,
                          rf_str missing, struct rf_arena *arena, struct rf_err *err)
{
    struct rf_buf openid = rf_buf_in(arena), other = rf_buf_in(arena);
    rf_str word, graph = graph_id_of(identity, arena);
    for (size_t at = 0; next_word(missing, &at, &word);)
        add(flag_of(&(struct scopes){.openid = false}, word) != NULL ? &openid : &other, word);
    if (openid.failed || other.failed || graph.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(agree_to(txn, client, user, graph, rf_buf_view(&openid), arena, err));
    return agree_to(txn, client, user, scopes->resource->id, rf_buf_view(&other), arena, err);
}
