/* session.c - GET /portal/api/session: who is signed in and what the pages stand on; PUT /portal/api/preferences: what this person likes.
 *
 * State space "portal.preferences": key the object id of the person in lower case, body one object. */
#include "authz/reach.h"
#include "portal/portal_int.h"

static const char space[] = "portal.preferences";
enum { PREFERENCES_BYTES_MAX = 32 << 10 };

rf_str portal_subscription(const struct site *site, struct rf_arena *arena)
{
    return rf_arena_printf(arena, "/subscriptions/%.*s", RF_FMT(site->subscription_id));
}

rf_str portal_workspace(const struct site *site, struct rf_arena *arena)
{
    return rf_arena_printf(arena,
                           "/subscriptions/%.*s/resourceGroups/%.*s/providers/"
                           "Microsoft.OperationalInsights/workspaces/%.*s",
                           RF_FMT(site->subscription_id), RF_FMT(site->resource_group),
                           RF_FMT(site->workspace_name));
}

enum rf_kind portal_answer(struct request *request, const struct json_out *out, struct rf_err *err)
{
    if (out->buf->failed) return rf_fail_memory(err, request->arena);
    http_set_literal(request->response, "Content-Type", "application/json; charset=utf-8");
    http_set_literal(request->response, "Cache-Control", "private, no-cache");
    return RF_OK;
}

/* An empty object when nothing was stored. */
static enum rf_kind read_preferences(struct state_txn *txn, rf_str key, struct rf_arena *arena,
                                     struct json_node **out, struct rf_err *err)
{
    struct state_object object;
    enum rf_kind kind = state_get(txn, space, key, arena, &object, err);
    if (kind == RF_OK) return json_parse(object.body, arena, out, err);
    if (kind != RF_NOT_FOUND) return kind;
    *out = json_new(arena, JSON_T_OBJECT);
    return *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static rf_str key_of(struct request *request)
{
    return resource_key(request->arena, request->principal->object_id);
}

static enum rf_kind load_preferences(struct request *request, struct json_node **out,
                                     struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(portal_of(request)->options.state, &txn, err));
    return read_preferences(txn, key_of(request), request->arena, out, err);
}

/* ---- the session ---------------------------------------------------------------------------------------------------- */

static void put_names(struct json_out *out, const struct request *request)
{
    const struct portal *portal = portal_of(request);
    const struct site *site = request->site;
    const struct principal *user = request->principal;
    json_begin_object(out, "user");
    json_put_text(out, "id", user->object_id);
    json_put_text(out, "name", user->display_name);
    json_put_text(out, "upn", user->user_name);
    json_end_object(out);
    json_begin_object(out, "tenant");
    json_put_text(out, "id", site->tenant_id);
    json_put_text(out, "name", site->domain);
    json_put_text(out, "domain", site->domain);
    json_end_object(out);
    json_put_text(out, "origin", request->origin);
    json_put_text(out, "subscription", site->subscription_id);
    json_put_text(out, "resourceGroup", site->resource_group);
    json_put_text(out, "location", site->location);
    json_begin_object(out, "workspace");
    json_put_text(out, "id", portal_workspace(site, request->arena));
    json_put_text(out, "name", site->workspace_name);
    json_put_text(out, "customerId", site->workspace_id);
    json_end_object(out);
    json_put_text(out, "vault", site->vault_name);
    struct hub_namespace *hubs = NULL;
    bool has_hubs = portal->options.hubs != NULL &&
                    hubs_namespace(portal->options.hubs, RF_S("localhost"), &hubs, NULL) == RF_OK;
    json_put_text(out, "hubNamespace", has_hubs ? hub_namespace_name(hubs) : RF_S(""));
    json_begin_object(out, "ports");
    json_put_i64(out, "https", site->port);
    json_put_i64(out, "amqps", site->amqps_port);
    json_put_i64(out, "kafka", site->kafka_port);
    json_put_i64(out, "syslog-udp", portal->options.syslog.udp);
    json_put_i64(out, "syslog-tcp", portal->options.syslog.tcp);
    json_put_i64(out, "syslog-tls", portal->options.syslog.tls);
    json_end_object(out);
    json_put_text(out, "version", portal->options.version);
}

enum rf_kind session_get(struct request *request, struct rf_err *err)
{
    struct json_node *preferences;
    rf_str *roles;
    uint32_t count;
    RF_TRY(load_preferences(request, &preferences, err));
    RF_TRY(authz_roles_at(request->authz, request->principal,
                          portal_subscription(request->site, request->arena), request->arena,
                          &roles, &count, err));
    struct json_out out = json_out_to(&request->response->body);
    json_begin_object(&out, NULL);
    put_names(&out, request);
    json_put_node(&out, "preferences", preferences);
    json_begin_array(&out, "roles");
    for (uint32_t i = 0; i < count; i++) json_put_text(&out, NULL, roles[i]);
    json_end_array(&out);
    json_end_object(&out);
    return portal_answer(request, &out, err);
}

/* ---- preferences ------------------------------------------------------------------------------------------------------ */

/* Top members replace those of before; null takes one away. */
static bool merge(struct json_node *stored, const struct json_node *change, struct rf_arena *arena)
{
    for (const struct json_node *m = change->first; m != NULL; m = m->next) {
        if (m->type == JSON_T_NULL)
            json_remove(stored, m->name);
        else if (json_set(arena, stored, m->name, json_clone(arena, m)) == NULL)
            return false;
    }
    return true;
}

static enum rf_kind store(struct request *request, const struct json_node *change,
                          struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct json_node *stored;
    struct state_put put = {.space = space, .key = key_of(request)};
    RF_TRY(state_begin_write(portal_of(request)->options.state, &txn, err));
    RF_TRY(read_preferences(txn, put.key, request->arena, &stored, err));
    if (!merge(stored, change, request->arena)) return rf_fail_memory(err, request->arena);
    put.body = json_to_text(request->arena, stored);
    if (put.body.ptr == NULL) return rf_fail_memory(err, request->arena);
    if (put.body.len > PREFERENCES_BYTES_MAX)
        return request_fail(request, err, 413, "PreferencesTooLarge",
                            "The preferences would be %zu bytes; a person may keep %d. Set members "
                            "that are not needed any more to null.",
                            put.body.len, PREFERENCES_BYTES_MAX);
    RF_TRY(state_put(txn, &put, NULL, NULL, err));
    RF_TRY(state_finish(&txn, err));
    return request_answer(request, 200, stored);
}

enum rf_kind session_put_preferences(struct request *request, struct rf_err *err)
{
    struct json_node *change;
    RF_TRY(request_json(request, false, &change, err));
    if (!json_is(change, JSON_T_OBJECT))
        return RF_FAIL(err, RF_INVALID, "InvalidRequestContent",
                       "The preferences must be one JSON object.");
    return store(request, change, err);
}
