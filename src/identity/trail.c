#include "identity/identity_int.h"

/* ---- sign-ins of applications (section 12.1) ---------------------------------------------------------------------------------- */

struct sign_in {
    struct request *request;
    rf_str app_id, correlation_id, uti;
    const struct client *client;     /* NULL: unknown */
    const struct resource *resource; /* NULL: unknown */
    const char *result;
    rf_str description;
    const char *category;
};

static void put_common(struct json_out *out, struct identity *identity, const struct sign_in *s)
{
    struct rf_arena *arena = s->request->arena;
    static const struct client nobody = {0};
    static const struct resource nothing = {0};
    const struct client *client = s->client == NULL ? &nobody : s->client;
    const struct resource *resource = s->resource == NULL ? &nothing : s->resource;
    bool good = strcmp(s->result, "0") == 0;
    rf_usec took = rf_clock_now(identity->options.clock) - s->request->now;
    rf_str at = time_iso(arena, s->request->now);
    json_put_text(out, "TimeGenerated", at);
    json_put_text(out, "CreatedDateTime", at);
    json_put_text(out, "AADTenantId", identity->tenant);
    json_put_text(out, "AppId", s->app_id);
    json_put_text(out, "Category", rf_str_of(s->category));
    json_put_text(out, "ConditionalAccessStatus", RF_S("notApplied"));
    json_put_text(out, "CorrelationId", s->correlation_id);
    json_put_i64(out, "DurationMs", RF_MAX(took, (rf_usec)0) / RF_USEC_PER_MS);
    json_put_text(out, "Id", s->request->request_id);
    json_put_text(out, "Identity", client->display_name);
    json_put_text(out, "IPAddress", s->request->http->peer_address);
    json_put_text(out, "Level", RF_S("4"));
    json_put_text(out, "OperationName", RF_S("Sign-in activity"));
    json_put_text(out, "OperationVersion", RF_S("1.0"));
    json_put_text(out, "ResourceDisplayName", resource->display_name);
    json_put_text(out, "ResourceGroup", RF_S("Microsoft.aadiam"));
    json_put_text(out, "ResourceIdentity", resource->app_id);
    json_put_text(out, "ResourceServicePrincipalId", resource->id);
    json_put_text(out, "ResultType", rf_str_of(s->result));
    json_put_text(out, "ResultSignature", good ? RF_S("SUCCESS") : RF_S("FAILURE"));
    json_put_text(out, "ResultDescription", s->description);
    json_put_text(out, "ServicePrincipalId", client->id);
    json_put_text(out, "ServicePrincipalName", client->display_name);
    json_put_text(out, "UniqueTokenIdentifier", s->uti);
}

static void send(struct identity *identity, const char *table, struct rf_buf *buf)
{
    if (!buf->failed) audit_row(identity->options.audit, table, rf_buf_view(buf));
}

void trail_sign_in(const struct token_call *call, const struct rf_err *err)
{
    /* What nobody's application asked for is no sign-in: a scan would fill the table. */
    if (call->client_id.len == 0) return;
    struct rf_buf buf = rf_buf_in(call->request->arena);
    struct json_out out = json_out_to(&buf);
    rf_str uti = call->uti;
    if (uti.len > 0) uti = base64url_encode(call->request->arena, uti);
    struct sign_in s = {.request = call->request,
                        .app_id = rf_slice(call->client_id, 0, RF_MIN(call->client_id.len, 64)),
                        .correlation_id = call->correlation_id,
                        .uti = uti,
                        .client = call->client,
                        .resource = call->resource,
                        .result = err == NULL ? "0" : oauth_error_of(err)->code,
                        .description = rf_str_of(err == NULL ? "" : err->text),
                        .category = "ServicePrincipalSignInLogs"};
    json_begin_object(&out, NULL);
    put_common(&out, call->identity, &s);
    json_put_text(&out, "ServicePrincipalCredentialKeyId", call->proof.key_id);
    json_put_text(&out, "ServicePrincipalCredentialThumbprint", call->proof.thumbprint);
    json_put_text(&out, "FederatedCredentialId", call->proof.federated_id);
    json_put_text(&out, "ClientCredentialType",
                  rf_str_of(call->proof.type == NULL ? "none" : call->proof.type));
    json_end_object(&out);
    send(call->identity, "AADServicePrincipalSignInLogs", &buf);
}

void trail_managed(struct identity *identity, struct request *request, const struct client *client,
                   const struct resource *resource, rf_str uti, const char *result,
                   const char *description)
{
    struct rf_buf buf = rf_buf_in(request->arena);
    struct json_out out = json_out_to(&buf);
    if (uti.len > 0) uti = base64url_encode(request->arena, uti);
    struct sign_in s = {.request = request,
                        .app_id = client->app_id,
                        .correlation_id = request->client_request_id,
                        .uti = uti,
                        .client = client,
                        .resource = resource,
                        .result = result,
                        .description = rf_str_of(description),
                        .category = "ManagedIdentitySignInLogs"};
    json_begin_object(&out, NULL);
    put_common(&out, identity, &s);
    json_end_object(&out);
    send(identity, "AADManagedIdentitySignInLogs", &buf);
}

/* ---- changes of the directory (section 12.2) ---------------------------------------------------------------------------------- */

static void put_initiator(struct json_out *out, const struct request *request)
{
    const struct principal *who = request->principal;
    json_begin_object(out, "InitiatedBy");
    if (who != NULL && who->type == PRINCIPAL_USER) {
        json_begin_object(out, "user");
        json_put_text(out, "id", who->object_id);
        json_put_text(out, "displayName", who->display_name);
        json_put_text(out, "userPrincipalName", who->user_name);
        json_put_text(out, "ipAddress", request->http->peer_address);
        json_begin_array(out, "roles");
        json_end_array(out);
        json_end_object(out);
    } else if (who != NULL) {
        json_begin_object(out, "app");
        json_put_text(out, "appId", who->app_id);
        json_put_text(out, "displayName", who->display_name);
        json_put_text(out, "servicePrincipalId", who->object_id);
        json_put_null(out, "servicePrincipalName");
        json_put_text(out, "ipAddress", request->http->peer_address);
        json_end_object(out);
    }
    json_end_object(out);
}

static bool is_secret_member(rf_str name)
{
    return name.len == 0 || name.ptr[0] == '~' || rf_str_is(name, "passwordCredentials") ||
           rf_str_is(name, "keyCredentials") || rf_str_is(name, "passwordProfile");
}

/* Values are JSON texts inside of texts, quotes and all: public rules strip them. */
static void put_property(struct json_out *out, rf_str name, rf_str before, rf_str after)
{
    json_begin_object(out, NULL);
    json_put_text(out, "displayName", name);
    json_put_text(out, "oldValue", before);
    json_put_text(out, "newValue", after);
    json_end_object(out);
}

static rf_str value_text(const struct json_node *value, struct rf_arena *arena)
{
    return value == NULL ? RF_S("null") : json_to_text(arena, value);
}

/* What rules about new credentials parse: an array of "[KeyIdentifier=..,KeyType=..,KeyUsage=..,DisplayName=..]". */
static void describe_keys(const struct json_node *doc, const char *member, const char *type,
                          struct json_node *out, struct rf_arena *arena)
{
    const struct json_node *list = json_get(doc, member);
    if (!json_is(list, JSON_T_ARRAY)) return;
    for (const struct json_node *key = list->first; key != NULL; key = key->next) {
        rf_str id = json_text_at(key, "keyId"), name = json_text_at(key, "displayName");
        rf_str text = rf_arena_printf(
            arena, "[KeyIdentifier=%.*s,KeyType=%s,KeyUsage=Verify,DisplayName=%.*s]", RF_FMT(id),
            type, RF_FMT(name));
        if (text.ptr != NULL) json_append(out, json_new_text(arena, text));
    }
}

static rf_str key_descriptions(const struct json_node *doc, struct rf_arena *arena)
{
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    if (list == NULL) return RF_S("[]");
    describe_keys(doc, "keyCredentials", "AsymmetricX509Cert", list, arena);
    describe_keys(doc, "passwordCredentials", "Password", list, arena);
    return json_to_text(arena, list);
}

/* The redirect URIs as rules about them read them: [{"Address":"https://...","AddressType":0}]. */
static rf_str app_addresses(const struct json_node *doc, struct rf_arena *arena)
{
    static const char *const paths[] = {"web.redirectUris", "spa.redirectUris",
                                        "publicClient.redirectUris"};
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    if (list == NULL) return RF_S("[]");
    for (size_t i = 0; i < RF_COUNT(paths); i++) {
        const struct json_node *uris = json_at(doc, paths[i]);
        if (!json_is(uris, JSON_T_ARRAY)) continue;
        for (const struct json_node *uri = uris->first; uri != NULL; uri = uri->next) {
            struct json_node *address = json_append(list, json_new(arena, JSON_T_OBJECT));
            json_set_text(arena, address, "Address", uri->text);
            json_set_i64(arena, address, "AddressType", 0);
        }
    }
    return json_to_text(arena, list);
}

static void put_texts(struct json_out *out, const char *name, rf_str before, rf_str after)
{
    if (!rf_str_eq(before, after)) put_property(out, rf_str_of(name), before, after);
}

static void put_modified(struct json_out *out, const struct trail_change *change,
                         struct rf_arena *arena)
{
    json_begin_array(out, "modifiedProperties");
    const struct json_node *after = change->after;
    for (const struct json_node *m = after == NULL ? NULL : after->first; m != NULL; m = m->next) {
        const struct json_node *before = json_get_str(change->before, m->name);
        if (is_secret_member(m->name) || rf_str_is(m->name, "id") || json_equal(before, m))
            continue;
        put_property(out, m->name, value_text(before, arena), value_text(m, arena));
    }
    if (after != NULL) {
        put_texts(out, "KeyDescription", key_descriptions(change->before, arena),
                  key_descriptions(after, arena));
        put_texts(out, "AppAddress", app_addresses(change->before, arena),
                  app_addresses(after, arena));
    }
    json_end_array(out);
}

static void put_target(struct json_out *out, const struct json_node *target, const char *type,
                       const struct trail_change *change, struct rf_arena *arena)
{
    json_begin_object(out, NULL);
    json_put_text(out, "id", json_text_at(target, "id"));
    json_put_text(out, "displayName", json_text_at(target, "displayName"));
    json_put_text(out, "type", rf_str_of(type));
    rf_str name = json_text_at(target, "userPrincipalName");
    if (name.len > 0) json_put_text(out, "userPrincipalName", name);
    if (strcmp(type, "Group") == 0) json_put_text(out, "groupType", RF_S("azureAD"));
    if (change != NULL) {
        put_modified(out, change, arena);
    } else {
        json_begin_array(out, "modifiedProperties");
        json_end_array(out);
    }
    json_begin_array(out, "administrativeUnits");
    json_end_array(out);
    json_end_object(out);
}

void trail_audit(struct identity *identity, struct request *request,
                 const struct trail_change *change)
{
    struct rf_arena *arena = request->arena;
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    const struct principal *who = request->principal;
    rf_str at = time_iso(arena, request->now);
    json_begin_object(&out, NULL);
    json_put_text(&out, "TimeGenerated", at);
    json_put_text(&out, "ActivityDateTime", at);
    json_put_text(&out, "AADTenantId", identity->tenant);
    json_put_text(&out, "ActivityDisplayName", rf_str_of(change->operation));
    json_put_text(&out, "OperationName", rf_str_of(change->operation));
    json_put_text(&out, "AADOperationType", rf_str_of(change->verb));
    json_put_text(&out, "OperationVersion", RF_S("1.0"));
    json_put_text(&out, "Category", rf_str_of(change->category));
    json_put_text(&out, "CorrelationId", request->client_request_id);
    json_put_text(&out, "Id", guid_random(arena));
    json_put_text(&out, "Identity", who == NULL ? RF_S("") : who->display_name);
    put_initiator(&out, request);
    json_put_text(&out, "Level", RF_S("4"));
    json_put_text(&out, "LoggedByService", rf_str_of(change->service));
    json_put_text(&out, "ResourceGroup", RF_S("Microsoft.aadiam"));
    json_put_text(&out, "Result", change->failed ? RF_S("failure") : RF_S("success"));
    if (change->reason != NULL) json_put_text(&out, "ResultReason", rf_str_of(change->reason));
    json_put_text(&out, "ResultSignature", RF_S("None"));
    json_begin_array(&out, "AdditionalDetails");
    json_begin_object(&out, NULL);
    json_put_text(&out, "key", RF_S("User-Agent"));
    json_put_text(&out, "value", http_header(request->http, "user-agent", NULL));
    json_end_object(&out);
    json_end_array(&out);
    json_begin_array(&out, "TargetResources");
    put_target(&out, change->target, change->type, change, arena);
    if (change->other != NULL) put_target(&out, change->other, change->other_type, NULL, arena);
    json_end_array(&out);
    json_end_object(&out);
    send(identity, "AuditLogs", &buf);
}
