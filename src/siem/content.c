/* content.c - what Microsoft Sentinel keeps beside rules and incidents: which types there are, and what each of them checks. */
#include "base/encode.h"
#include "siem/content_int.h"

#define BAD(err, ...) RF_FAIL(err, RF_INVALID, "BadRequest", __VA_ARGS__)

static const char *const versions[] = {"2019-01-01-preview", "2020-01-01", "2021-10-01",
                                       "2022-09-01-preview", "2023-02-01", "2024-03-01",
                                       "2024-10-01-preview", "2025-09-01", NULL};

const char *const content_kinds[] = {"AnalyticsRule",
                                     "AnalyticsRuleTemplate",
                                     "HuntingQuery",
                                     "InvestigationQuery",
                                     "Parser",
                                     "Workbook",
                                     "WorkbookTemplate",
                                     "Playbook",
                                     "PlaybookTemplate",
                                     "DataConnector",
                                     "DataType",
                                     "Watchlist",
                                     "WatchlistTemplate",
                                     "Solution",
                                     "AzureFunction",
                                     "LogicAppsCustomConnector",
                                     "AutomationRule",
                                     "SummaryRule",
                                     "ResourcesDataConnector",
                                     "Standalone",
                                     NULL};

static const char *const connector_kinds[] = {"AzureActiveDirectory",
                                              "AzureSecurityCenter",
                                              "MicrosoftCloudAppSecurity",
                                              "ThreatIntelligence",
                                              "ThreatIntelligenceTaxii",
                                              "Office365",
                                              "OfficeATP",
                                              "OfficeIRM",
                                              "Office365Project",
                                              "OfficePowerBI",
                                              "AmazonWebServicesCloudTrail",
                                              "AmazonWebServicesS3",
                                              "AzureAdvancedThreatProtection",
                                              "MicrosoftDefenderAdvancedThreatProtection",
                                              "Dynamics365",
                                              "MicrosoftThreatProtection",
                                              "MicrosoftThreatIntelligence",
                                              "GenericUI",
                                              "APIPolling",
                                              "IOT",
                                              "RestApiPoller",
                                              "Push",
                                              "GCP",
                                              "StaticUI",
                                              "PurviewAudit",
                                              "StorageAccountBlobContainer",
                                              "OAuth",
                                              "WebSocket",
                                              NULL};
static const char *const source_kinds[] = {"LocalWorkspace", "Community", "Solution",
                                           "SourceRepository", NULL};
static const char *const support_tiers[] = {"Microsoft", "Partner", "Community", NULL};
static const char *const repository_types[] = {"Github", "AzureDevOps", "DevOps", NULL};
static const char *const file_contents[] = {"BasicIndicator", "StixIndicator", "Unspecified", NULL};
static const char *const ingestion_modes[] = {"IngestOnlyIfAllAreValid", "IngestAnyValidRecords",
                                              "Unspecified", NULL};
static const char *const ueba_sources[] = {"AuditLogs", "AzureActivity", "SecurityEvent",
                                           "SigninLogs", NULL};
static const char *const entity_providers[] = {"ActiveDirectory", "AzureActiveDirectory", NULL};
static const char *const hunt_statuses[] = {
    "New", "Active", "Closed", "Backlog", "Approved", "Succeeded", "Failed", "InProgress", NULL};

/* ---- what documents must have -------------------------------------------------------------------------------------------- */

static const struct member metadata_members[] = {
    {.path = "properties.parentId", .type = MEMBER_TEXT, .required = true},
    {.path = "properties.kind", .type = MEMBER_TEXT, .required = true, .values = content_kinds},
    {.path = "properties.version", .type = MEMBER_VERSION},
    {.path = "properties.source", .type = MEMBER_OBJECT},
    {.path = "properties.source.kind", .type = MEMBER_TEXT, .values = source_kinds},
    {.path = "properties.author", .type = MEMBER_OBJECT},
    {.path = "properties.support", .type = MEMBER_OBJECT},
    {.path = "properties.support.tier", .type = MEMBER_TEXT, .values = support_tiers},
    {.path = "properties.dependencies", .type = MEMBER_OBJECT},
    {.path = "properties.categories", .type = MEMBER_OBJECT},
    {.path = NULL}};
static const struct member onboarding_members[] = {
    {.path = "properties.customerManagedKey", .type = MEMBER_TRUTH}, {.path = NULL}};
static const struct member connector_members[] = {
    {.path = "kind", .type = MEMBER_TEXT, .required = true, .values = connector_kinds},
    {.path = "properties", .type = MEMBER_OBJECT},
    {.path = "properties.dataTypes", .type = MEMBER_OBJECT},
    {.path = NULL}};
static const struct member definition_members[] = {
    {.path = "kind", .type = MEMBER_TEXT, .required = true},
    {.path = "properties", .type = MEMBER_OBJECT, .required = true},
    {.path = "properties.connectorUiConfig", .type = MEMBER_OBJECT, .required = true},
    {.path = NULL}};
static const struct member import_members[] = {
    {.path = "properties.ingestionMode",
     .type = MEMBER_TEXT,
     .required = true,
     .values = ingestion_modes},
    {.path = "properties.contentType",
     .type = MEMBER_TEXT,
     .required = true,
     .values = file_contents},
    {.path = "properties.importFile", .type = MEMBER_OBJECT, .required = true},
    {.path = "properties.source", .type = MEMBER_TEXT, .required = true},
    {.path = NULL}};
static const struct member control_members[] = {
    {.path = "properties.displayName", .type = MEMBER_TEXT, .required = true},
    {.path = "properties.repoType",
     .type = MEMBER_TEXT,
     .required = true,
     .values = repository_types},
    {.path = "properties.contentTypes", .type = MEMBER_LIST, .required = true},
    {.path = "properties.repository", .type = MEMBER_OBJECT, .required = true},
    {.path = NULL}};
static const struct member hunt_members[] = {
    {.path = "properties.displayName", .type = MEMBER_TEXT, .required = true},
    {.path = "properties.description", .type = MEMBER_TEXT, .required = true},
    {.path = "properties.status", .type = MEMBER_TEXT, .values = hunt_statuses},
    {.path = "properties.labels", .type = MEMBER_LIST},
    {.path = NULL}};
static const struct member anomaly_members[] = {
    {.path = "kind", .type = MEMBER_TEXT, .required = true},
    {.path = "properties.displayName", .type = MEMBER_TEXT, .required = true},
    {.path = "properties.enabled", .type = MEMBER_TRUTH, .required = true},
    {.path = "properties.frequency", .type = MEMBER_TEXT, .required = true},
    {.path = "properties.settingsStatus", .type = MEMBER_TEXT, .required = true},
    {.path = "properties.isDefaultSettings", .type = MEMBER_TRUTH, .required = true},
    {.path = NULL}};
static const struct member ueba_members[] = {{.path = "properties.dataSources",
                                              .type = MEMBER_LIST,
                                              .required = true,
                                              .values = ueba_sources},
                                             {.path = NULL}};
static const struct member entity_members[] = {
    {.path = "properties.entityProviders", .type = MEMBER_LIST, .values = entity_providers},
    {.path = NULL}};
static const struct member no_members[] = {{.path = NULL}};

/* ---- one type after another ------------------------------------------------------------------------------------------------ */

static enum rf_kind check(struct arm_call *call, const struct arm_resource *resource,
                          const struct member *members, struct rf_err *err)
{
    rf_str workspace;
    RF_TRY(content_workspace(call, resource->id, &workspace, err));
    return content_check(resource->body, members, err);
}

static enum rf_kind keep_kind(const struct arm_resource *resource,
                              const struct arm_resource *before, struct rf_err *err)
{
    if (before == NULL ||
        rf_str_eq_nocase(json_text_at(resource->body, "kind"), json_text_at(before->body, "kind")))
        return RF_OK;
    return RF_FAIL(err, RF_CONFLICT, "Conflict", "The kind of a resource cannot change.");
}

static enum rf_kind put_metadata(struct arm_call *call, struct arm_resource *resource,
                                 const struct arm_resource *before, struct rf_err *err)
{
    struct resource_id parent;
    (void)before;
    RF_TRY(check(call, resource, metadata_members, err));
    rf_str id = json_text_at(resource->body, "properties.parentId");
    rf_str kind = json_text_at(resource->body, "properties.kind");
    /* Published packages name themselves there: "publisher.offer". */
    if (rf_str_eq_nocase(kind, RF_S("Solution")) && id.len > 0) return RF_OK;
    if (resource_id_parse(id, call->arena, &parent, NULL) == RF_OK && id.ptr[0] == '/')
        return RF_OK;
    return BAD(err, "'properties.parentId' is not the id of a resource.");
}

static enum rf_kind put_onboarding(struct arm_call *call, struct arm_resource *resource,
                                   const struct arm_resource *before, struct rf_err *err)
{
    (void)before;
    if (!rf_str_eq_nocase(resource->name, RF_S("default")))
        return BAD(err, "The onboarding state of a workspace is called 'default'.");
    RF_TRY(check(call, resource, onboarding_members, err));
    struct json_node *properties = json_object_in(call->arena, resource->body, "properties");
    if (properties == NULL) return rf_fail_memory(err, call->arena);
    if (json_get(properties, "customerManagedKey") == NULL &&
        json_set_bool(call->arena, properties, "customerManagedKey", false) == NULL)
        return rf_fail_memory(err, call->arena);
    rf_str workspace;
    RF_TRY(content_workspace(call, resource->id, &workspace, err));
    return content_put_defaults(call, workspace, err);
}

static enum rf_kind put_setting(struct arm_call *call, struct arm_resource *resource,
                                const struct arm_resource *before, struct rf_err *err)
{
    static const struct {
        const char *name;
        const struct member *members;
        bool is_switch; /* shown as on while it is there */
    } settings[] = {{"Ueba", ueba_members, false},
                    {"EntityAnalytics", entity_members, false},
                    {"Anomalies", no_members, true},
                    {"EyesOn", no_members, true}};
    (void)before;
    for (size_t i = 0; i < RF_COUNT(settings); i++) {
        rf_str name = rf_str_of(settings[i].name);
        if (!rf_str_eq_nocase(resource->name, name)) continue;
        rf_str kind = json_text_at(resource->body, "kind");
        if (!rf_str_eq_nocase(kind, name))
            return BAD(err, "The 'kind' of the setting '%s' is '%s', too.", settings[i].name,
                       settings[i].name);
        RF_TRY(check(call, resource, settings[i].members, err));
        struct json_node *properties = json_object_in(call->arena, resource->body, "properties");
        if (settings[i].is_switch &&
            json_set_bool(call->arena, properties, "isEnabled", true) == NULL)
            return rf_fail_memory(err, call->arena);
        return RF_OK;
    }
    return BAD(err, "A setting is called Ueba, EntityAnalytics, Anomalies or EyesOn.");
}

static enum rf_kind put_connector(struct arm_call *call, struct arm_resource *resource,
                                  const struct arm_resource *before, struct rf_err *err)
{
    RF_TRY(check(call, resource, connector_members, err));
    return keep_kind(resource, before, err);
}

/* What a connector signs in with is written, never read. Trees that were parsed are of bounded depth. */
static void hide_secrets(struct json_node *node)
{
    static const char *const words[] = {"password",  "clientSecret", "apiKey",     "apiToken",
                                        "secretKey", "privateKey",   "accessToken"};
    for (struct json_node *child = node->first, *next; child != NULL; child = next) {
        bool secret = false;
        next = child->next;
        for (size_t i = 0; i < RF_COUNT(words) && child->type == JSON_T_STRING && !secret; i++)
            secret = rf_str_eq_nocase(child->name, rf_str_of(words[i]));
        if (secret)
            json_remove(node, child->name);
        else
            hide_secrets(child);
    }
}

static enum rf_kind show_connector(struct arm_call *call, struct arm_resource *resource,
                                   struct rf_err *err)
{
    struct json_node *properties = json_get(resource->body, "properties");
    (void)call, (void)err;
    if (properties != NULL) hide_secrets(properties);
    return RF_OK;
}

static enum rf_kind put_definition(struct arm_call *call, struct arm_resource *resource,
                                   const struct arm_resource *before, struct rf_err *err)
{
    RF_TRY(check(call, resource, definition_members, err));
    return keep_kind(resource, before, err);
}

static enum rf_kind put_import(struct arm_call *call, struct arm_resource *resource,
                               const struct arm_resource *before, struct rf_err *err)
{
    (void)before;
    RF_TRY(check(call, resource, import_members, err));
    struct json_node *properties = json_get(resource->body, "properties");
    json_set_text(call->arena, properties, "createdTimeUTC", time_iso(call->arena, call->now));
    if (json_set_text(call->arena, properties, "state", RF_S("WaitingForUpload")) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind put_control(struct arm_call *call, struct arm_resource *resource,
                                const struct arm_resource *before, struct rf_err *err)
{
    (void)before;
    return check(call, resource, control_members, err);
}

static enum rf_kind put_hunt(struct arm_call *call, struct arm_resource *resource,
                             const struct arm_resource *before, struct rf_err *err)
{
    (void)before;
    return check(call, resource, hunt_members, err);
}

static enum rf_kind put_anomaly(struct arm_call *call, struct arm_resource *resource,
                                const struct arm_resource *before, struct rf_err *err)
{
    RF_TRY(check(call, resource, anomaly_members, err));
    if (!rf_str_eq_nocase(json_text_at(resource->body, "kind"), RF_S("Anomaly")))
        return BAD(err, "'kind' is 'Anomaly'.");
    RF_TRY(keep_kind(resource, before, err));
    struct json_node *properties = json_get(resource->body, "properties");
    if (json_set_text(call->arena, properties, "lastModifiedUtc",
                      time_iso(call->arena, call->now)) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind refuse(struct arm_call *call, struct arm_resource *resource,
                           const struct arm_resource *before, struct rf_err *err)
{
    (void)call, (void)before;
    return RF_FAIL(err, RF_INVALID, "MethodNotAllowed",
                   "'%.*s' can only be read: it comes from what the program and installed packages "
                   "offer.",
                   RF_FMT(resource->type));
}

/* ---- the types ---------------------------------------------------------------------------------------------------------------- */

enum { SHAPE = ARM_EXTENSION | ARM_BODY_ETAG | ARM_NO_STATE };

static const struct arm_type types[] = {
    {.name = CONTENT_P "alertRuleTemplates",
     .put = refuse,
     .list = rule_templates_list,
     .virtual_get = rule_templates_get,
     .flags = SHAPE},
    {.name = CONTENT_P "contentPackages",
     .put = content_put_package,
     .remove = content_remove_package,
     .changed = content_package_changed,
     .flags = SHAPE},
    {.name = CONTENT_P "contentProductPackages",
     .put = refuse,
     .list = content_products_list,
     .virtual_get = content_products_get,
     .flags = SHAPE},
    {.name = CONTENT_P "contentTemplates", .put = content_put_template, .flags = SHAPE},
    {.name = CONTENT_P "metadata", .put = put_metadata, .flags = SHAPE},
    {.name = CONTENT_P "onboardingStates", .put = put_onboarding, .flags = SHAPE | ARM_STAYS},
    {.name = CONTENT_P "settings", .put = put_setting, .flags = SHAPE | ARM_PUT_200_ALWAYS},
    {.name = CONTENT_P "dataConnectors",
     .put = put_connector,
     .show = show_connector,
     .flags = SHAPE},
    {.name = CONTENT_P "dataConnectorDefinitions", .put = put_definition, .flags = SHAPE},
    {.name = CONTENT_P "automationRules", .put = automation_put, .flags = SHAPE | ARM_STAYS},
    {.name = CONTENT_P "fileImports", .put = put_import, .flags = SHAPE | ARM_PUT_201_ALWAYS},
    {.name = CONTENT_P "sourcecontrols", .put = put_control, .flags = SHAPE},
    {.name = CONTENT_P "hunts", .put = put_hunt, .flags = SHAPE},
    {.name = CONTENT_P "securityMLAnalyticsSettings", .put = put_anomaly, .flags = SHAPE},
};

uint32_t content_types(struct siem *siem, struct arm_type *out)
{
    for (uint32_t i = 0; i < RF_COUNT(types); i++) {
        out[i] = types[i];
        out[i].versions = versions;
        out[i].ctx = siem;
    }
    return RF_COUNT(types);
}

/* ---- the first start ------------------------------------------------------------------------------------------------------------ */

/* Whoever takes the state away later finds it gone at the next start, too: so it is noted that it was made. */
enum rf_kind content_start(struct siem *siem, struct rf_err *err)
{
    const struct site *site = siem->options.site;
    struct arm_call call;
    struct arm_resource made;
    struct state_object noted;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 << 20);
    rf_str workspace = rf_arena_printf(
        &arena,
        "/subscriptions/%.*s/resourceGroups/%.*s/providers/Microsoft.OperationalInsights/"
        "workspaces/%.*s",
        RF_FMT(site->subscription_id), RF_FMT(site->resource_group), RF_FMT(site->workspace_name));
    rf_str id = rf_arena_printf(&arena, "%.*s/providers/" CONTENT_P "onboardingStates/default",
                                RF_FMT(workspace));
    rf_str key = resource_key(&arena, workspace);
    struct json_node *body = json_new(&arena, JSON_T_OBJECT);
    if (workspace.ptr == NULL || id.ptr == NULL || key.ptr == NULL || body == NULL)
        return rf_fail_memory(err, &arena);
    RF_TRY(arm_begin(siem->options.arm, NULL, &arena, &call, err));
    enum rf_kind kind = state_get(call.txn, "siem.onboarded", key, &arena, &noted, NULL);
    bool is_due = kind == RF_NOT_FOUND &&
                  arm_get(call.arm, call.txn, workspace, &arena, &made, NULL) == RF_OK;
    if (is_due) {
        const struct state_put note = {.space = "siem.onboarded", .key = key, .body = RF_S("{}")};
        kind = arm_put_in(&call, id, body, &made, NULL, err);
        if (kind == RF_OK) kind = state_put(call.txn, &note, NULL, NULL, err);
        if (kind == RF_OK) kind = arm_commit(&call, err);
    }
    arm_end(&call);
    if (is_due && kind != RF_OK) return kind;
    return content_start_defaults(siem, err);
}

/* ---- what is asked of connectors ------------------------------------------------------------------------------------------------- */

static enum rf_kind scope_of(struct request *request, rf_str *out, struct rf_err *err)
{
    rf_str scope = request_variable(request, "scope");
    *out = rf_arena_printf(request->arena, "/%.*s", RF_FMT(scope));
    return out->ptr == NULL ? rf_fail_memory(err, request->arena) : RF_OK;
}

/* Who may write connectors may connect: there is no licence to ask for. */
static enum rf_kind check_requirements(struct request *request, struct rf_err *err)
{
    struct json_node *body, *answer = json_new(request->arena, JSON_T_OBJECT);
    RF_TRY(request_json(request, false, &body, err));
    RF_TRY(content_check_word(json_get(body, "kind"), connector_kinds, "kind", err));
    json_set_text(request->arena, answer, "authorizationState", RF_S("Valid"));
    if (json_set_text(request->arena, answer, "licenseState", RF_S("Valid")) == NULL)
        return rf_fail_memory(err, request->arena);
    return request_answer(request, 200, answer);
}

static const struct route routes[] = {
    {.method = HTTP_POST,
     .path = "/{scope*}/providers/Microsoft.SecurityInsights/dataConnectorsCheckRequirements",
     .access = ROUTE_ACTION,
     .action = "Microsoft.SecurityInsights/dataConnectorsCheckRequirements/action",
     .audiences = AUDIENCE_ARM,
     .scope = scope_of,
     .run = check_requirements},
};

const struct service *content_service(struct siem *siem)
{
    static const struct service service = {
        .name = "content", .routes = routes, .route_count = RF_COUNT(routes)};
    (void)siem;
    return &service;
}
