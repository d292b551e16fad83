#include "daemon/first_start.h"

#include <unistd.h>

#include "base/encode.h"
#include "base/fs.h"
#include "base/log.h"

/* State space "site": key "site" holds the ids, key "administrator" the application that may do everything. */
static const char space[] = "site";

#define RESOURCE_GROUP "ringfort"
#define WORKSPACE "main"
#define VAULT "ringfort"
#define HUB_NAMESPACE "ringfort"
#define HUB "events"
#define HUB_KEY "RootManageSharedAccessKey"

/* ---- ids ------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_object(struct state *state, rf_str key, struct rf_arena *arena,
                                struct json_node **out, struct rf_err *err)
{
    struct state_txn *txn;
    struct state_object object;
    RF_TRY(state_begin_read(state, &txn, err));
    enum rf_kind kind = state_get(txn, space, key, arena, &object, err);
    state_end(txn);
    RF_TRY(kind);
    return json_parse(object.body, arena, out, err);
}

static enum rf_kind write_object(struct state_txn *txn, rf_str key, const struct json_node *body,
                                 struct rf_arena *arena, struct rf_err *err)
{
    struct state_put put = {.space = space, .key = key, .body = json_to_text(arena, body)};
    if (put.body.ptr == NULL) return rf_fail_memory(err, arena);
    return state_put(txn, &put, NULL, NULL, err);
}

static enum rf_kind make_site(struct state *state, struct rf_arena *arena, struct json_node **out,
                              struct rf_err *err)
{
    static const char *const ids[] = {"tenantId", "subscriptionId", "workspaceId"};
    struct json_node *site = json_new(arena, JSON_T_OBJECT);
    for (size_t i = 0; i < RF_COUNT(ids); i++)
        json_set_text(arena, site, ids[i], guid_random(arena));
    json_set_text(arena, site, "resourceGroup", RF_S(RESOURCE_GROUP));
    if (json_set_text(arena, site, "workspaceName", RF_S(WORKSPACE)) == NULL)
        return rf_fail_memory(err, arena);
    struct state_txn *txn;
    RF_TRY(state_begin_write(state, &txn, err));
    enum rf_kind kind = write_object(txn, RF_S("site"), site, arena, err);
    if (kind == RF_OK)
        kind = state_commit(txn, err);
    else
        state_end(txn);
    *out = site;
    return kind;
}

enum rf_kind first_start_site(struct state *state, rf_str domain, struct rf_arena *arena,
                              struct site *out, struct rf_err *err)
{
    struct json_node *node;
    enum rf_kind kind = read_object(state, RF_S("site"), arena, &node, err);
    if (kind == RF_NOT_FOUND) kind = make_site(state, arena, &node, err);
    RF_TRY(kind);
    *out = (struct site){
        .tenant_id = json_text_at(node, "tenantId"),
        .domain = domain,
        .location = RF_S("local"),
        .subscription_id = json_text_at(node, "subscriptionId"),
        .resource_group = json_text_at(node, "resourceGroup"),
        .workspace_name = json_text_at(node, "workspaceName"),
        .workspace_id = json_text_at(node, "workspaceId"),
        .vault_name = RF_S(VAULT),
    };
    if (out->tenant_id.len == 0 || out->subscription_id.len == 0 || out->workspace_id.len == 0)
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt",
                       "the installation's ids are not in its state");
    return RF_OK;
}

/* ---- the administrator ------------------------------------------------------------------------------------------- */

static const char graph_roles[] = "Application.ReadWrite.All AppRoleAssignment.ReadWrite.All "
                                  "AuditLog.Read.All Directory.ReadWrite.All "
                                  "Group.ReadWrite.All Policy.ReadWrite.ConditionalAccess "
                                  "User.ReadWrite.All UserAuthenticationMethod.ReadWrite.All";

/* Makes the application unless it is there; `secret` is set when it was made now. */
static enum rf_kind make_administrator(const struct first_start *start, struct rf_arena *arena,
                                       rf_str *app_id, rf_str *secret, struct rf_err *err)
{
    struct json_node *node;
    enum rf_kind kind = read_object(start->state, RF_S("administrator"), arena, &node, err);
    *secret = (rf_str){0};
    if (kind == RF_OK) {
        *app_id = json_text_at(node, "appId");
        return RF_OK;
    }
    if (kind != RF_NOT_FOUND) return kind;
    struct state_txn *txn;
    struct identity_app app;
    RF_TRY(state_begin_write(start->state, &txn, err));
    kind = identity_make_app(start->identity, txn, RF_S("Administrator"), graph_roles, arena, &app,
                             err);
    if (kind == RF_OK)
        kind = authz_assign(start->authz, txn, app.object_id, "ServicePrincipal", ROLE_OWNER,
                            RF_S("/"), err);
    /* Owner is of the control plane; what Azure keeps apart as data actions is granted by name. */
    static const char *const data_roles[] = {
        ROLE_METRICS_PUBLISHER,
        "00482a5a-887f-4fb3-b363-3b7fe8e74483", /* Key Vault Administrator */
        "f526a384-b230-433a-b45c-95f59c4a2dec", /* Azure Event Hubs Data Owner */
    };
    for (size_t i = 0; i < RF_COUNT(data_roles) && kind == RF_OK; i++)
        kind = authz_assign(start->authz, txn, app.object_id, "ServicePrincipal", data_roles[i],
                            RF_S("/"), err);
    node = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, node, "appId", app.app_id);
    if (kind == RF_OK) kind = write_object(txn, RF_S("administrator"), node, arena, err);
    if (kind != RF_OK) {
        state_end(txn);
        return kind;
    }
    RF_TRY(state_commit(txn, err));
    *app_id = app.app_id;
    *secret = app.secret;
    return RF_OK;
}

static enum rf_kind new_secret(const struct first_start *start, rf_str app_id,
                               struct rf_arena *arena, rf_str *secret, struct rf_err *err)
{
    struct state_txn *txn;
    RF_TRY(state_begin_write(start->state, &txn, err));
    enum rf_kind kind = identity_replace_secret(start->identity, txn, app_id, arena, secret, err);
    if (kind == RF_OK) return state_commit(txn, err);
    state_end(txn);
    return kind;
}

/* ---- resources ------------------------------------------------------------------------------------------------------- */

static enum rf_kind put_absent(const struct first_start *start, rf_str id, const char *body,
                               struct rf_arena *arena, struct rf_err *err)
{
    struct state_txn *txn;
    struct arm_resource resource;
    struct json_node *node;
    if (id.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_begin_read(start->state, &txn, err));
    enum rf_kind kind = arm_get(start->arm, txn, id, arena, &resource, err);
    state_end(txn);
    if (kind != RF_NOT_FOUND) return kind;
    RF_TRY(json_parse(rf_str_of(body), arena, &node, err));
    return arm_put(start->arm, id, node, NULL, arena, &resource, NULL, err);
}

/* One that was deleted and can still be recovered is not made anew. */
static enum rf_kind make_vault(const struct first_start *start, rf_str id, struct rf_arena *arena,
                               struct rf_err *err)
{
    const struct site *site = start->site;
    bool known;
    rf_str body = rf_arena_printf(
        arena,
        "{\"location\":\"%.*s\",\"properties\":{\"tenantId\":\"%.*s\",\"sku\":{\"family\":\"A\","
        "\"name\":\"standard\"},\"enableRbacAuthorization\":true,\"accessPolicies\":[]}}",
        RF_FMT(site->location), RF_FMT(site->tenant_id));
    const char *text = body.ptr == NULL ? NULL : rf_arena_cstr(arena, body);
    if (text == NULL) return rf_fail_memory(err, arena);
    RF_TRY(vaults_know(start->vaults, site->vault_name, arena, &known, err));
    return known ? RF_OK : put_absent(start, id, text, arena, err);
}

static enum rf_kind make_resources(const struct first_start *start, struct rf_arena *arena,
                                   struct rf_err *err)
{
    const struct site *site = start->site;
    rf_str group = rf_arena_printf(arena, "/subscriptions/%.*s/resourceGroups/%.*s",
                                   RF_FMT(site->subscription_id), RF_FMT(site->resource_group));
    rf_str workspace = rf_arena_printf(
        arena,
        "{\"location\":\"%.*s\",\"properties\":{\"customerId\":\"%.*s\",\"retentionInDays\":30}}",
        RF_FMT(site->location), RF_FMT(site->workspace_id));
    rf_str place = rf_arena_printf(arena, "{\"location\":\"%.*s\"}", RF_FMT(site->location));
    rf_str names = rf_arena_printf(
        arena, "{\"location\":\"%.*s\",\"sku\":{\"name\":\"Standard\"},\"properties\":{}}",
        RF_FMT(site->location));
    if (group.ptr == NULL || workspace.ptr == NULL || place.ptr == NULL || names.ptr == NULL)
        return rf_fail_memory(err, arena);
#define BELOW(format) rf_arena_printf(arena, "%.*s/providers/" format, RF_FMT(group))
    RF_TRY(put_absent(start, group, (const char *)rf_arena_cstr(arena, place), arena, err));
    RF_TRY(put_absent(start, BELOW("Microsoft.OperationalInsights/workspaces/" WORKSPACE),
                      rf_arena_cstr(arena, workspace), arena, err));
    RF_TRY(make_vault(start, BELOW("Microsoft.KeyVault/vaults/" VAULT), arena, err));
    RF_TRY(put_absent(start, BELOW("Microsoft.EventHub/namespaces/" HUB_NAMESPACE),
                      rf_arena_cstr(arena, names), arena, err));
    return put_absent(
        start, BELOW("Microsoft.EventHub/namespaces/" HUB_NAMESPACE "/eventhubs/" HUB),
        "{\"properties\":{\"partitionCount\":4,\"messageRetentionInDays\":7}}", arena, err);
#undef BELOW
}

/* ---- the host ------------------------------------------------------------------------------------------------------ */

static rf_str host_id(const struct first_start *start, struct rf_arena *arena)
{
    char name[256] = "localhost";
    if (gethostname(name, sizeof name - 1) != 0 || name[0] == 0)
        memcpy(name, "localhost", sizeof "localhost");
    name[strcspn(name, ".")] = 0;
    return rf_arena_printf(
        arena,
        "/subscriptions/%.*s/resourceGroups/%.*s/providers/Microsoft.HybridCompute/machines/%s",
        RF_FMT(start->site->subscription_id), RF_FMT(start->site->resource_group), name);
}

/* The identity of this host, for what runs on it: its secret is in bootstrap.json only, as the administrator's. */
static enum rf_kind make_host_identity(const struct first_start *start,
                                       const struct json_node *before, struct rf_arena *arena,
                                       rf_str *secret, struct rf_err *err)
{
    struct json_node *node;
    struct identity_app app;
    *secret = json_text_at(before, "identity_header");
    enum rf_kind kind = read_object(start->state, RF_S("host"), arena, &node, err);
    if (kind != RF_NOT_FOUND && (kind != RF_OK || secret->len > 0)) return kind;
    rf_str id = host_id(start, arena);
    struct state_txn *txn;
    RF_TRY(put_absent(start, id, "{\"location\":\"local\",\"properties\":{}}", arena, err));
    RF_TRY(state_begin_write(start->state, &txn, err));
    kind = identity_make_managed_identity(start->identity, txn, RF_S("This host"), id, arena, &app,
                                          err);
    node = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, node, "appId", app.app_id);
    if (kind == RF_OK) kind = write_object(txn, RF_S("host"), node, arena, err);
    if (kind != RF_OK) {
        state_end(txn);
        return kind;
    }
    *secret = app.secret;
    return state_commit(txn, err);
}

/* ---- the first person ---------------------------------------------------------------------------------------------------- */

#define LINK_PATH "/signin/first?code="

/* As long as nobody administrates there is a link by which somebody begins; empty then: there is no need. One that is told already
 * and still good stays. */
static enum rf_kind make_link(const struct first_start *start, const struct json_node *before,
                              struct rf_arena *arena, rf_str *link, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    rf_str told = json_text_at(before, "admin_link"), mark = RF_S(LINK_PATH), code = {0};
    size_t at = rf_str_find(told, mark, 0);
    bool has, good = false;
    *link = (rf_str){0};
    RF_TRY(state_begin_write(start->state, &txn, err));
    RF_TRY(identity_has_administrator(txn, arena, &has, err));
    if (has) return RF_OK;
    if (at != SIZE_MAX) code = rf_slice(told, at + mark.len, told.len);
    RF_TRY(identity_admin_link_good(start->identity, txn, code, arena, &good, err));
    if (!good) {
        RF_TRY(identity_make_admin_link(start->identity, txn, (rf_str){0}, arena, &code, err));
        RF_TRY(state_finish(&txn, err));
    }
    *link =
        rf_arena_printf(arena, "%.*s" LINK_PATH "%.*s", RF_FMT(start->site->origin), RF_FMT(code));
    return link->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* Where it is; what it is stays out of logs. */
static void tell_link(const struct first_start *start, struct rf_arena *arena)
{
    rf_log(RF_INFO, "admin.link",
           RF_KV_STR("file", rf_arena_printf(arena, "%s/bootstrap.json", start->data)),
           RF_KV_STR("member", RF_S("admin_link")),
           RF_KV_STR("what", RF_S("open it in a browser within 24 hours, once: it makes the first "
                                  "administrator")));
}

/* ---- files --------------------------------------------------------------------------------------------------------------- */

/* Modes follow from the role's umask: nobody else may read them. */
static enum rf_kind write_file(const char *data, const char *name, rf_str text,
                               struct rf_arena *arena, struct rf_err *err)
{
    const char *path = rf_arena_cstr(arena, rf_arena_printf(arena, "%s/state/%s", data, name));
    return path == NULL ? rf_fail_memory(err, arena) : rf_fs_replace(rf_fs_real(), path, text, err);
}

/* What the file holds now; NULL when it is not there or no JSON. */
static struct json_node *read_bootstrap(const char *folder, struct rf_arena *arena)
{
    enum { BYTES_MAX = 64 << 10 };
    struct json_node *node = NULL;
    rf_str text;
    const char *path =
        rf_arena_cstr(arena, rf_arena_printf(arena, "%s/state/bootstrap.json", folder));
    if (path == NULL || rf_fs_read_all(rf_fs_real(), path, BYTES_MAX, arena, &text, NULL) != RF_OK)
        return NULL;
    if (json_parse(text, arena, &node, NULL) != RF_OK) return NULL;
    return json_is(node, JSON_T_OBJECT) ? node : NULL;
}

uint16_t first_start_last_port(rf_str data, const char *member)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, (size_t)1 << 20);
    const char *folder = rf_arena_cstr(&arena, data);
    rf_str url = json_text_at(folder == NULL ? NULL : read_bootstrap(folder, &arena), member);
    uint32_t port = 0, unit = 1;
    while (url.len > 0 && rf_is_digit(url.ptr[url.len - 1]) && unit <= 10000) {
        port += unit * (uint32_t)(url.ptr[--url.len] - '0');
        unit *= 10;
    }
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* The namespace's own rule may do everything; its key changes when somebody regenerates it, and the next start tells. Without a
 * namespace, or that rule, there is none to tell. */
static enum rf_kind put_hub(const struct first_start *start, struct json_node *boot,
                            struct rf_arena *arena, struct rf_err *err)
{
    struct hub_namespace *names;
    rf_str key, other;
    enum rf_kind kind = hubs_namespace(start->hubs, RF_S("localhost"), &names, err);
    if (kind == RF_OK)
        kind = hub_rule_keys(names, (rf_str){0}, RF_S(HUB_KEY), arena, &key, &other, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    struct json_node *hub = json_object_in(arena, boot, "hub");
    json_set_text(arena, hub, "namespace", hub_namespace_name(names));
    json_set_text(arena, hub, "name", RF_S(HUB));
    json_set_text(arena, hub, "key_name", RF_S(HUB_KEY));
    return json_set_text(arena, hub, "key", key) == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static void put_address(const struct first_start *start, struct json_node *boot, const char *name,
                        uint16_t port, struct rf_arena *arena)
{
    rf_str scheme = RF_S("https://"), origin = start->site->origin;
    size_t end = origin.len;
    while (end > scheme.len && origin.ptr[end - 1] != ':') end--;
    if (port == 0 || end <= scheme.len) return;
    json_set_text(arena, boot, name,
                  rf_arena_printf(arena, "%.*s%u", (int)(end - scheme.len),
                                  (const char *)origin.ptr + scheme.len, port));
}

static enum rf_kind write_bootstrap(const struct first_start *start, rf_str app_id, rf_str secret,
                                    rf_str host_secret, rf_str link, const struct json_node *before,
                                    struct rf_arena *arena, struct rf_err *err)
{
    const struct site *site = start->site;
    struct json_node *boot = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, boot, "tenant_id", site->tenant_id);
    json_set_text(arena, boot, "client_id", app_id);
    json_set_text(arena, boot, "client_secret", secret);
    json_set_text(arena, boot, "authority", site->origin);
    json_set_text(arena, boot, "https", site->origin);
    json_set_text(arena, boot, "ca", rf_arena_printf(arena, "%s/ca.pem", start->data));
    /* Clients that check the host against the token's resource want the second, which must resolve. */
    json_set_text(arena, boot, "vault_url", site->origin);
    json_set_text(arena, boot, "vault_named_url",
                  rf_arena_printf(arena, "https://" VAULT ".vault.%.*s:%u", RF_FMT(site->domain),
                                  site->port));
    json_set_text(arena, boot, "subscription_id", site->subscription_id);
    json_set_text(arena, boot, "resource_group", site->resource_group);
    json_set_text(arena, boot, "workspace_id", site->workspace_id);
    json_set_text(arena, boot, "workspace_name", site->workspace_name);
    json_set_text(arena, boot, "location", site->location);
    json_set_text(arena, boot, "identity_endpoint",
                  rf_arena_printf(arena, "https://localhost:%u/msi/token", site->port));
    json_set_text(arena, boot, "identity_header", host_secret);
    if (link.len > 0) json_set_text(arena, boot, "admin_link", link);
    put_address(start, boot, "amqps", site->amqps_port, arena);
    put_address(start, boot, "kafka", site->kafka_port, arena);
    put_address(start, boot, "amqp", start->amqp_port, arena);
    RF_TRY(put_hub(start, boot, arena, err));
    if (before != NULL && json_equal(before, boot)) return RF_OK;
    rf_str text = json_to_text(arena, boot);
    return text.ptr == NULL ? rf_fail_memory(err, arena)
                            : write_file(start->data, "bootstrap.json", text, arena, err);
}

enum rf_kind first_start_run(const struct first_start *start, struct rf_arena *arena,
                             struct rf_err *err)
{
    rf_str app_id, secret, host_secret, link;
    RF_TRY(write_file(start->data, "ca.pem", start->ca_pem, arena, err));
    RF_TRY(make_administrator(start, arena, &app_id, &secret, err));
    RF_TRY(make_resources(start, arena, err));
    const struct json_node *before = read_bootstrap(start->data, arena);
    if (secret.len == 0 && rf_str_eq(json_text_at(before, "client_id"), app_id))
        secret = json_text_at(before, "client_secret");
    if (secret.len == 0) RF_TRY(new_secret(start, app_id, arena, &secret, err));
    RF_TRY(make_host_identity(start, before, arena, &host_secret, err));
    RF_TRY(make_link(start, before, arena, &link, err));
    RF_TRY(write_bootstrap(start, app_id, secret, host_secret, link, before, arena, err));
    if (link.len > 0) tell_link(start, arena);
    return RF_OK;
}
