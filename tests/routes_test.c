/* Every route of the whole program: who may call it, and what is left of a refusal. */
#include "test/rf_prop.h"

#include "authz/route_walk.h"

#include <pthread.h>
#include <sys/socket.h>

#include "acme/acme.h"
#include "alerts/alerts.h"
#include "arm/arm.h"
#include "collect/collect.h"
#include "crypt/keeper.h"
#include "crypt/keeper_serve.h"
#include "identity/identity.h"
#include "logs/logs.h"
#include "net/event_stream.h"
#include "portal/portal.h"
#include "siem/siem.h"
#include "vault/authority.h"
#include "vault/vault.h"

enum { SERVICES_MAX = 32 };

/* The services as the program puts them together, with the keeper in a thread. */
struct house {
    struct walk_site walk;
    char folder[64];
    struct keeper_core *core;
    struct keeper *keeper;
    int served;
    pthread_t thread;
    struct extent_key key;
    struct tables *tables;
    struct identity *identity;
    struct arm *arm;
    struct vaults *vaults;
    struct acme *acme;
    struct logs *logs;
    struct collect *collect;
    struct siem *siem;
    struct alerts *alerts;
    struct portal *portal;
    const struct service *services[SERVICES_MAX];
    uint32_t service_count;
    const char *rule; /* its immutable id */
};

static void *serve_keeper(void *ctx)
{
    struct house *house = ctx;
    struct rf_err err;
    (void)!keeper_core_serve(house->core, house->served, &err);
    return NULL;
}

static const char *path_in(struct house *house, const char *name)
{
    return rf_arena_cstr(&house->walk.arena,
                         rf_arena_printf(&house->walk.arena, "%s/%s", house->folder, name));
}

static void open_keeper(struct house *house)
{
    int pair[2];
    struct rf_err err;
    struct keeper_core_options options = {.folder = path_in(house, "keeper"),
                                          .domain = RF_S("ringfort.localhost"),
                                          .clock = &house->walk.clock.clock};
    cr_assert(keeper_core_new(&options, &house->core, &err) == RF_OK, "%s", err.text);
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    house->served = pair[1];
    cr_assert(pthread_create(&house->thread, NULL, serve_keeper, house) == 0);
    cr_assert(keeper_connect(pair[0], &house->keeper, &err) == RF_OK, "%s", err.text);
}

static void add_services(struct house *house, const struct service *const *services, uint32_t count)
{
    cr_assert(house->service_count + count <= SERVICES_MAX);
    for (uint32_t i = 0; i < count; i++) house->services[house->service_count++] = services[i];
}

static void open_services(struct house *house)
{
    struct walk_site *walk = &house->walk;
    struct rf_err err;
    struct identity_options identity = {.state = walk->state,
                                        .authz = walk->authz,
                                        .keeper = house->keeper,
                                        .site = &walk->site,
                                        .audit = &walk->audit,
                                        .clock = &walk->clock.clock};
    struct arm_options arm = {.state = walk->state,
                              .authz = walk->authz,
                              .site = &walk->site,
                              .audit = &walk->audit,
                              .clock = &walk->clock.clock};
    struct tables_options tables = {.fs = rf_fs_real(),
                                    .folder = path_in(house, "tables"),
                                    .key = &house->key,
                                    .clock = &walk->clock.clock};
    cr_assert(identity_new(&identity, &house->identity, &err) == RF_OK, "%s", err.text);
    cr_assert(arm_new(&arm, &house->arm, &err) == RF_OK, "%s", err.text);
    cr_assert(tables_new(&tables, &house->tables, &err) == RF_OK, "%s", err.text);
    struct vaults_options vaults = {.state = walk->state,
                                    .arm = house->arm,
                                    .authz = walk->authz,
                                    .directory = &walk->directory,
                                    .site = &walk->site,
                                    .audit = &walk->audit,
                                    .keeper = house->keeper,
                                    .clock = &walk->clock.clock};
    cr_assert(vaults_new(&vaults, &house->vaults, &err) == RF_OK, "%s", err.text);
    struct acme_options acme = {.state = walk->state,
                                .site = &walk->site,
                                .clock = &walk->clock.clock,
                                .authority = {.ctx = house->vaults,
                                              .settings = authority_settings,
                                              .issue = authority_issue,
                                              .find = authority_find,
                                              .revoke = authority_revoke,
                                              .account_key = authority_account_key}};
    cr_assert(acme_new(&acme, &house->acme, &err) == RF_OK, "%s", err.text);
    struct logs_options logs = {.state = walk->state,
                                .arm = house->arm,
                                .authz = walk->authz,
                                .tables = house->tables,
                                .site = &walk->site,
                                .audit = &walk->audit,
                                .clock = &walk->clock.clock};
    cr_assert(logs_new(&logs, &house->logs, &err) == RF_OK, "%s", err.text);
    struct collect_options collect = {.state = walk->state,
                                      .arm = house->arm,
                                      .authz = walk->authz,
                                      .tables = house->tables,
                                      .site = &walk->site,
                                      .audit = &walk->audit,
                                      .clock = &walk->clock.clock};
    cr_assert(collect_new(&collect, &house->collect, &err) == RF_OK, "%s", err.text);
    struct siem_options siem = {.state = walk->state,
                                .arm = house->arm,
                                .authz = walk->authz,
                                .tables = house->tables,
                                .site = &walk->site,
                                .audit = &walk->audit,
                                .clock = &walk->clock.clock};
    cr_assert(siem_new(&siem, &house->siem, &err) == RF_OK, "%s", err.text);
    struct alerts_options alerts = {.state = walk->state,
                                    .arm = house->arm,
                                    .authz = walk->authz,
                                    .tables = house->tables,
                                    .site = &walk->site,
                                    .audit = &walk->audit,
                                    .clock = &walk->clock.clock};
    cr_assert(alerts_new(&alerts, &house->alerts, &err) == RF_OK, "%s", err.text);
    struct portal_options portal = {.state = walk->state,
                                    .arm = house->arm,
                                    .authz = walk->authz,
                                    .tables = house->tables,
                                    .site = &walk->site,
                                    .audit = &walk->audit,
                                    .clock = &walk->clock.clock};
    cr_assert(portal_new(&portal, &house->portal, &err) == RF_OK, "%s", err.text);

    uint32_t count;
    const struct service *rbac, *control = arm_service(house->arm);
    cr_assert(authz_service(walk->authz, &walk->directory, &rbac, &err) == RF_OK, "%s", err.text);
    add_services(house, &rbac, 1);
    add_services(house, &control, 1);
    control = vaults_arm_service(house->vaults);
    add_services(house, &control, 1);
    control = authority_service(house->vaults);
    add_services(house, &control, 1);
    control = acme_service(house->acme);
    add_services(house, &control, 1);
    const struct service *const *services = identity_services(house->identity, &count);
    add_services(house, services, count);
    services = logs_services(house->logs, &count);
    add_services(house, services, count);
    services = siem_services(house->siem, &count);
    add_services(house, services, count);
    services = alerts_services(house->alerts, &count);
    add_services(house, services, count);
    services = collect_services(house->collect, &count);
    add_services(house, services, count);
    control = portal_service(house->portal);
    add_services(house, &control, 1);
}

static void house_open(struct house *house)
{
    *house = (struct house){.folder = "/tmp/rf-routes-XXXXXX"};
    walk_site_init(&house->walk);
    cr_assert(mkdtemp(house->folder) != NULL);
    open_keeper(house);
    open_services(house);
}

static void house_close(struct house *house)
{
    char command[96];
    logs_free(house->logs);
    collect_stop(house->collect);
    siem_stop(house->siem);
    arm_free(house->arm);
    acme_free(house->acme);
    vaults_free(house->vaults);
    siem_free(house->siem);
    alerts_free(house->alerts);
    portal_free(house->portal);
    collect_free(house->collect);
    identity_free(house->identity);
    tables_free(house->tables);
    keeper_free(house->keeper);
    pthread_join(house->thread, NULL);
    close(house->served);
    keeper_core_free(house->core);
    walk_site_done(&house->walk);
    snprintf(command, sizeof command, "rm -rf %s", house->folder);
    cr_assert(system(command) == 0);
}

/* ---- what routes declare ------------------------------------------------------------------------------------------------ */

/* Who wants a route that anybody may call, or anybody of the tenant, names it here. */
static const char *const open_routes[] = {
    "GET /acme/{vault}/{issuer}/directory",
    "GET /acme/{vault}/{issuer}/new-nonce",
    "POST /acme/{vault}/{issuer}/new-account",
    "POST /acme/{vault}/{issuer}/acct/{account}",
    "POST /acme/{vault}/{issuer}/acct/{account}/orders",
    "POST /acme/{vault}/{issuer}/key-change",
    "POST /acme/{vault}/{issuer}/new-order",
    "POST /acme/{vault}/{issuer}/order/{order}",
    "POST /acme/{vault}/{issuer}/order/{order}/finalize",
    "POST /acme/{vault}/{issuer}/cert/{order}",
    "POST /acme/{vault}/{issuer}/authz/{order}/{n}",
    "POST /acme/{vault}/{issuer}/chall/{order}/{n}/{type}",
    "POST /acme/{vault}/{issuer}/revoke-cert",
    /* What clients need to check certificates. */
    "GET /pki/{vault}/{issuer}/{file}",
    "POST /pki/{vault}/{issuer}/ocsp",
    "GET /metadata/endpoints",
    "GET /{tenant}/v2.0/.well-known/openid-configuration",
    "GET /{tenant}/.well-known/openid-configuration",
    "GET /{tenant}/discovery/v2.0/keys",
    "GET /{tenant}/discovery/keys",
    "GET /{tenant}/discovery/instance",
    "GET /{tenant}/userrealm/{upn}",
    "POST /{tenant}/oauth2/v2.0/token",
    "POST /{tenant}/oauth2/token",
    "POST /{tenant}/oauth2/v2.0/devicecode",
    "POST /{tenant}/oauth2/devicecode",
    "GET /oidc/userinfo", /* the handler checks the token */
    "POST /oidc/userinfo",
    /* The pages on which people prove who they are. */
    "GET /{tenant}/oauth2/v2.0/authorize",
    "GET /{tenant}/oauth2/authorize",
    "POST /{tenant}/oauth2/v2.0/authorize",
    "POST /{tenant}/oauth2/authorize",
    "POST /signin/next",
    "GET /signin/first",
    "POST /signin/first",
    "GET /signin/{asset}",
    "GET /devicelogin",
    "GET /common/oauth2/deviceauth",
    "POST /devicelogin",
    "GET /{tenant}/oauth2/v2.0/logout",
    "GET /{tenant}/oauth2/logout",
    "POST /{tenant}/oauth2/v2.0/logout",
    "POST /{tenant}/oauth2/logout",
    "GET /portal/signin",
    "GET /portal/signed-in",
    "POST /portal/signout", /* what it ends is its caller's own session, known by its cookie */
    "GET /metadata/identity/oauth2/token",
    "GET /msi/token",
    "POST /api/logs", /* signed with the workspace's key */
    /* A bearer token's data action or a collector's key, which the handlers check (tests/collect_test.c). */
    "POST /v1/logs",
    "POST /v1/traces",
    "POST /v1/metrics",
    "POST /services/collector",
    "POST /services/collector/event",
    "POST /services/collector/event/1.0",
    "POST /services/collector/raw",
    "POST /services/collector/raw/1.0",
    "POST /services/collector/ack",
    "GET /services/collector/health",
    "GET /services/collector/health/1.0",
    "POST /collect/tables/{table}",
    "POST /collect/windows-events",
    "POST /collect/syslog",
    "GET /v1/rest/auth/metadata",
    /* The portal's pages and scripts, which hold no data. */
    "GET /",
    "GET /portal",
    "GET /portal/{path*}",
    "GET /portal/assets/{name}",
};
static const char *const member_routes[] = {
    /* The portal's: the caller's own, and of the rest what his rights at each part show. */
    "GET /portal/api/session",
    "PUT /portal/api/preferences",
    "GET /portal/api/live",
    "GET /portal/api/overview",
    "GET /{scope*}/providers/Microsoft.Authorization/permissions",
    "GET /subscriptions",
    "GET /tenants",
    "GET /providers",
    "GET /providers/{namespace}",
    "GET /subscriptions/{subscription}",
    "GET /subscriptions/{subscription}/resourceGroups",
    "GET /subscriptions/{subscription}/resources",
    "GET /subscriptions/{subscription}/resourceGroups/{group}/resources",
    "GET /subscriptions/{subscription}/operationresults/{operation}",
    "GET /subscriptions/{subscription}/operationstatuses/{operation}",
    "GET /subscriptions/{subscription}/whatIfResults/{operation}",
    "POST /providers/Microsoft.Resources/calculateTemplateHash",
    /* What the caller may read. */
    "POST /providers/Microsoft.ResourceGraph/resources",
    "POST /providers/Microsoft.ResourceGraph/resourcesHistory",
    "GET /providers/Microsoft.ResourceGraph/operations",
    /* Of those vaults and objects that the caller may list. */
    "GET /subscriptions/{subscription}/providers/Microsoft.KeyVault/search",
    "POST /subscriptions/{subscription}/providers/Microsoft.KeyVault/search",
    "GET /subscriptions/{subscription}/providers/Microsoft.KeyVault/expiring",
    "GET /subscriptions/{subscription}/providers/Microsoft.KeyVault/unused",
    "GET /subscriptions/{subscription}/providers/Microsoft.KeyVault/reach",
    /* Of the caller's own account; the handler checks. */
    "GET /v1.0/roleManagement/directory/roleEligibilityScheduleInstances",
    "GET /beta/roleManagement/directory/roleEligibilityScheduleInstances",
    "GET /v1.0/roleManagement/directory/roleAssignmentScheduleInstances",
    "GET /beta/roleManagement/directory/roleAssignmentScheduleInstances",
    "GET /v1.0/roleManagement/directory/roleAssignmentScheduleRequests",
    "GET /beta/roleManagement/directory/roleAssignmentScheduleRequests",
    "POST /v1.0/roleManagement/directory/roleAssignmentScheduleRequests",
    "POST /beta/roleManagement/directory/roleAssignmentScheduleRequests",
    "POST /v1.0/roleManagement/directory/roleAssignmentScheduleRequests/{id1}/cancel",
    "POST /beta/roleManagement/directory/roleAssignmentScheduleRequests/{id1}/cancel",
    "GET /v1.0/users/{id1}/ringfort.sessions",
    "GET /beta/users/{id1}/ringfort.sessions",
    "DELETE /v1.0/users/{id1}/ringfort.sessions/{id2}",
    "DELETE /beta/users/{id1}/ringfort.sessions/{id2}",
    "POST /v1.0/users/{id1}/changePassword",
    "POST /beta/users/{id1}/changePassword",
    "POST /v1.0/$batch",
    "GET /v1.0/{rest*}", /* what Graph answers to paths it does not know */
    "POST /v1.0/{rest*}",
    "PATCH /v1.0/{rest*}",
    "PUT /v1.0/{rest*}",
    "DELETE /v1.0/{rest*}",
    "POST /beta/$batch",
    "GET /beta/{rest*}",
    "POST /beta/{rest*}",
    "PATCH /beta/{rest*}",
    "PUT /beta/{rest*}",
    "DELETE /beta/{rest*}",
};

static bool is_listed(struct rf_arena *arena, const struct route *route, const char *const *list,
                      size_t count)
{
    rf_str name = rf_arena_printf(arena, "%s %s", http_method_name(route->method), route->path);
    for (size_t i = 0; i < count; i++)
        if (rf_str_is(name, list[i])) return true;
    return false;
}

/* "Microsoft.Resources/subscriptions/resourceGroups/read": a namespace, types, a verb; no wildcard. */
static bool is_action(rf_str action)
{
    static const char *const verbs[] = {"/read", "/write", "/delete", "/action"};
    uint32_t slashes = 0;
    bool has_verb = false;
    for (size_t i = 0; i < action.len; i++) {
        uint8_t c = action.ptr[i];
        if (c == '/') slashes++;
        if (c != '/' && c != '.' && !rf_is_alnum(c)) return false;
        if (c == '/' && (i + 1 == action.len || action.ptr[i + 1] == '/')) return false;
    }
    for (size_t i = 0; i < RF_COUNT(verbs); i++) {
        size_t len = strlen(verbs[i]);
        rf_str end = rf_slice(action, action.len < len ? 0 : action.len - len, action.len);
        has_verb |= rf_str_eq_nocase(end, rf_str_of(verbs[i])); /* AzureActivity shouts */
    }
    rf_str vendor = rf_slice(action, 0, RF_MIN(action.len, (size_t)10));
    return has_verb && slashes >= 2 && rf_str_eq_nocase(vendor, RF_S("Microsoft."));
}

/* "User.Read.All Directory.Read.All": names of Graph's app roles. */
static bool are_roles(rf_str roles)
{
    uint32_t dots = 0;
    for (size_t i = 0; i <= roles.len; i++) {
        uint8_t c = i < roles.len ? roles.ptr[i] : ' ';
        if (c == ' ' && dots == 0) return false;
        dots = c == ' ' ? 0 : dots + (c == '.');
        if (c != ' ' && c != '.' && !rf_is_alpha(c)) return false;
    }
    return true;
}

Test(routes, forms_of_actions)
{
    cr_expect(is_action(RF_S("Microsoft.Resources/subscriptions/resourceGroups/read")));
    cr_expect(!is_action(RF_S("Microsoft.Resources/read")));
    cr_expect(!is_action(RF_S("Microsoft.Resources/*/read")));
    cr_expect(!is_action(RF_S("Microsoft.Resources//x/read")));
    cr_expect(!is_action(RF_S("Microsoft.Resources/groups/list")));
    cr_expect(!is_action(RF_S("Test/things/read")));
    cr_expect(!is_action(RF_S("")));
    cr_expect(are_roles(RF_S("User.Read.All Directory.Read.All")));
    cr_expect(!are_roles(RF_S("User.Read.All  Directory.Read.All")));
    cr_expect(!are_roles(RF_S("")));
}

Test(routes, declare_who_may_call_them, .timeout = 120)
{
    struct house house;
    house_open(&house);
    size_t open_count = 0, member_count = 0;
    for (uint32_t s = 0; s < house.service_count; s++)
        for (uint32_t i = 0; i < house.services[s]->route_count; i++) {
            const struct route *route = &house.services[s]->routes[i];
            struct rf_arena *arena = &house.walk.arena;
            rf_str action = rf_str_of(route->action == NULL ? "" : route->action);
            const char *method = http_method_name(route->method);
            bool good = true;
            switch (route->access) {
            case ROUTE_OPEN:
                open_count++;
                good = is_listed(arena, route, open_routes, RF_COUNT(open_routes)) &&
                       strlen(route->why_open) > 10;
                break;
            case ROUTE_MEMBER:
                member_count++;
                good = is_listed(arena, route, member_routes, RF_COUNT(member_routes));
                break;
            case ROUTE_ROLE:
                good = are_roles(action);
                break;
            case ROUTE_ACTION:
            case ROUTE_DATA:
                good = is_action(action);
                break;
            case ROUTE_RESOLVE: /* below, where it is asked for */
                break;
            }
            cr_expect(good, "%s %s %.*s", method, route->path, RF_FMT(action));
        }
    cr_expect(open_count == RF_COUNT(open_routes), "the list is longer than it need be");
    cr_expect(member_count == RF_COUNT(member_routes), "the list is longer than it need be");
    house_close(&house);
}

Test(routes, none_runs_for_who_may_not, .timeout = 300)
{
    struct house house;
    house_open(&house);
    uint32_t count = 0;
    for (uint32_t s = 0; s < house.service_count; s++) count += house.services[s]->route_count;
    uint32_t checked = route_walk(&house.walk, house.services, house.service_count);
    cr_assert(checked == count - RF_COUNT(open_routes), "%u of %u", checked, count);
    route_walk_claiming(&house.walk, vaults_service(house.vaults), vaults_claim,
                        "v.vault.example.test");
    house_close(&house);
}

/* ---- a stranger: of the tenant, without a right ------------------------------------------------------------------------- */

#define CANARY "canary-7f3a"
#define SUBSCRIPTION "99999999-0000-0000-0000-000000000001"
#define WORKSPACE "99999999-0000-0000-0000-000000000002"
#define STRANGER "aaaaaaaa-0000-0000-0000-000000000999"

static struct json_node *put_resource(struct house *house, const char *id, const char *body)
{
    struct rf_arena *arena = &house->walk.arena;
    struct json_node *given;
    struct arm_resource made;
    bool created;
    struct rf_err err;
    cr_assert(json_parse(rf_str_of(body), arena, &given, &err) == RF_OK, "%s", err.text);
    cr_assert(arm_put(house->arm, rf_str_of(id), given, NULL, arena, &made, &created, &err) ==
                  RF_OK,
              "%s: %s", id, err.text);
    return made.body;
}

/* What only others may see bears the canary: where a path names a thing it must be found, so there its tags do. */
static void furnish(struct house *house)
{
    struct rf_err err;
    struct state_txn *txn;
    struct identity_app app;
    put_resource(house, "/subscriptions/" SUBSCRIPTION "/resourceGroups/rg",
                 "{\"location\":\"local\",\"tags\":{\"owner\":\"" CANARY "\"}}");
    put_resource(house, "/subscriptions/" SUBSCRIPTION "/resourceGroups/" CANARY,
                 "{\"location\":\"local\"}");
    put_resource(house,
                 "/subscriptions/" SUBSCRIPTION
                 "/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/ws",
                 "{\"location\":\"local\",\"tags\":{\"owner\":\"" CANARY
                 "\"},\"properties\":{\"customerId\":\"" WORKSPACE "\"}}");
    struct json_node *rule = put_resource(
        house,
        "/subscriptions/" SUBSCRIPTION
        "/resourceGroups/rg/providers/Microsoft.Insights/dataCollectionRules/rule",
        "{\"location\":\"local\",\"kind\":\"Direct\",\"properties\":{\"streamDeclarations\":{"
        "\"Custom-T\":{\"columns\":[{\"name\":\"TimeGenerated\",\"type\":\"datetime\"},{\"name\":"
        "\"Computer\",\"type\":\"string\"}]}},\"destinations\":{\"logAnalytics\":[{\"name\":\"ws\","
        "\"workspaceResourceId\":\"/subscriptions/" SUBSCRIPTION "/resourceGroups/rg/providers/"
        "Microsoft.OperationalInsights/workspaces/"
        "ws\"}]},\"dataFlows\":[{\"streams\":[\"Custom-T\"],"
        "\"destinations\":[\"ws\"],\"outputStream\":\"Microsoft-Syslog\"}]}}");
    house->rule = rf_arena_cstr(&house->walk.arena, json_text_at(rule, "properties.immutableId"));
    cr_assert(state_begin_write(house->walk.state, &txn, &err) == RF_OK);
    cr_assert(identity_make_app(house->identity, txn, RF_S(CANARY), "User.Read.All",
                                &house->walk.arena, &app, &err) == RF_OK,
              "%s", err.text);
    cr_assert(state_commit(txn, &err) == RF_OK, "%s", err.text);
}

/* The route's path with names of things that are there. */
static const char *real_path(struct house *house, const struct route *route)
{
    bool is_post = route->method == HTTP_POST;
    const char *rest = is_post ? "resourceGroups/rg/providers/Microsoft.OperationalInsights/"
                                 "workspaces/ws/sharedKeys"
                               : "resourceGroups/rg";
    const char *namespace = "Microsoft.OperationalInsights";
    if (strncmp(route->path, "/providers/{namespace}/{rest*}", 30) == 0) {
        namespace = "Microsoft.Management";
        rest = is_post ? "managementGroups/mg/act" : "managementGroups/mg";
    }
    const struct {
        const char *name, *value;
    } values[] = {
        {"{subscription}", SUBSCRIPTION},
        {"{subscriptionId}", SUBSCRIPTION},
        {"{group}", "rg"},
        {"{workspaceId}", WORKSPACE},
        {"{database}", "ws"},
        {"{name}", "ws"},
        {"{table}", "Heartbeat"},
        {"{immutableId}", house->rule},
        {"{stream}", "Custom-T"},
        {"{scope*}", "subscriptions/" SUBSCRIPTION "/resourceGroups/rg"},
        {"{namespace}", namespace},
        {"{rest*}", rest},
    };
    struct rf_buf buf = rf_buf_in(&house->walk.arena);
    for (const char *c = route->path; *c != '\0';) {
        const char *end = *c == '{' ? strchr(c, '}') : NULL, *value = "v";
        if (end == NULL) {
            rf_buf_byte(&buf, (uint8_t)*c++);
            continue;
        }
        for (size_t i = 0; i < RF_COUNT(values); i++)
            if (rf_str_is(rf_str_make(c, (size_t)(end - c) + 1), values[i].name))
                value = values[i].value;
        rf_buf_str(&buf, rf_str_of(value));
        c = end + 1;
    }
    rf_buf_str(&buf, RF_S("?api-version=2022-09-01&query=Heartbeat&csl=Heartbeat&db=ws"));
    rf_buf_byte(&buf, '\0');
    return (const char *)rf_buf_view(&buf).ptr;
}

static bool is_batch(const struct route *route)
{
    return rf_str_ends(rf_str_of(route->path), RF_S("$batch"));
}

/* The action that the row of the last refusal names. */
static rf_str refused_action(struct house *house)
{
    struct json_node *row;
    struct rf_err err;
    rf_str text = house->walk.last_row;
    cr_assert(json_parse(text, &house->walk.arena, &row, &err) == RF_OK, "%.*s", RF_FMT(text));
    bool is_denial = strcmp(house->walk.last_table, "RingfortDenials") == 0;
    cr_expect(is_denial || strcmp(house->walk.last_table, "AzureActivity") == 0, "%s",
              house->walk.last_table);
    return json_text_at(row, is_denial ? "Action" : "OperationNameValue");
}

/* Calls the route with everything that it could take. */
static void ask_as_stranger(struct house *house, struct dispatcher *dispatcher,
                            const struct route *route)
{
    static const char *const bodies[] = {
        "",
        "{\"query\":\"union * | take 5\",\"csl\":\"Heartbeat\",\"db\":\"ws\"}",
        "{\"csl\":\".drop table Heartbeat\",\"db\":\"ws\"}",
        "{\"requests\":[{\"id\":\"1\",\"method\":\"GET\",\"url\":\"/servicePrincipals\"}]}",
        "{\"requests\":[{\"id\":\"1\",\"method\":\"POST\",\"path\":\"/query\",\"workspace\":"
        "\"" WORKSPACE "\",\"body\":{\"query\":\"Heartbeat\"},\"headers\":{}}]}",
    };
    struct walk_token want = {.audience = walk_audience(route->audiences, true), .oid = STRANGER};
    rf_str token = walk_bearer(&house->walk, walk_token(&house->walk, &want));
    bool was_refused = false;
    for (size_t b = 0; b < RF_COUNT(bodies); b++) {
        struct http_header json = {RF_S("Content-Type"), RF_S("application/json")};
        rf_str peer = rf_arena_printf(&house->walk.arena, "2001:db8::%x%c", house->walk.peers++, 0);
        struct walk_call call = {.method = route->method,
                                 .target = real_path(house, route),
                                 .authorization = token,
                                 .body = bodies[b],
                                 .peer = (const char *)peer.ptr,
                                 .headers = {json}};
        uint32_t rows = house->walk.rows;
        struct http_response answer = walk_exchange(&house->walk, dispatcher, &call);
        event_stream_drop(&answer);
        const char *method = http_method_name(route->method);
        rf_str text = rf_buf_view(&answer.body);
        bool may_answer = route->access == ROUTE_MEMBER || is_batch(route);
        cr_expect(answer.status >= 400 || may_answer, "%s %s: %u %.*s", method, call.target,
                  answer.status, RF_FMT(text));
        cr_expect(!walk_body_has(&answer, CANARY), "%s %s", method, call.target);
        bool is_row = house->walk.rows > rows;
        cr_expect(answer.status != 403 || is_row, "%s %s leaves no row", method, call.target);
        if (answer.status == 403 && is_row && route->access != ROUTE_ROLE) {
            rf_str action = refused_action(house);
            cr_expect(action.len == 0 || is_action(action), "%s %s: '%.*s'", method, call.target,
                      RF_FMT(action));
        }
        was_refused |=
            answer.status == 403 || (is_batch(route) && walk_body_has(&answer, "\"status\":403"));
    }
    cr_expect(was_refused || route->access == ROUTE_MEMBER, "%s %s is never refused",
              http_method_name(route->method), real_path(house, route));
}

Test(routes, a_stranger_sees_nothing, .timeout = 300)
{
    struct house house;
    struct rf_err err;
    house_open(&house);
    furnish(&house);
    struct dispatcher *dispatcher = walk_dispatcher(&house.walk);
    for (uint32_t s = 0; s < house.service_count; s++)
        cr_assert(dispatcher_add(dispatcher, house.services[s], &err) == RF_OK, "%s", err.text);
    const struct route *route;
    for (uint32_t i = 0; (route = dispatcher_route(dispatcher, i, NULL)) != NULL; i++)
        if (route->access != ROUTE_OPEN) ask_as_stranger(&house, dispatcher, route);
    dispatcher_free(dispatcher);
    house_close(&house);
}
