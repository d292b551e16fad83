/* arm.c - the control plane as a service: its routes, and what each asks of the caller. */
#include "arm/arm_int.h"
#include "arm/deploy_int.h"
#include "arm/graph_int.h"

#include <stdlib.h>

/* ---- what a request needs -------------------------------------------------------------------------------------------------- */

static enum rf_kind need_generic(struct request *request, struct route_need *need,
                                 struct rf_err *err)
{
    struct arm_plan plan;
    RF_TRY(arm_shape_error(request, arm_plan_of(request, &plan, err), err));
    *need = (struct route_need){.action = plan.need, .scope = plan.scope};
    return RF_OK;
}

/* The subscription must be ours before anybody's rights on it are looked at: so Azure tells. */
static enum rf_kind scope_of(struct request *request, rf_str *out, struct rf_err *err)
{
    rf_str subscription = request_variable(request, "subscription"), version;
    rf_str group = request_variable(request, "group");
    RF_TRY(arm_require_version(request, &version, err));
    RF_TRY(arm_require_subscription(request->service, subscription, err));
    *out = group.len == 0
               ? rf_arena_printf(request->arena, "/subscriptions/%.*s", RF_FMT(subscription))
               : rf_arena_printf(request->arena, "/subscriptions/%.*s/resourceGroups/%.*s",
                                 RF_FMT(subscription), RF_FMT(group));
    return out->ptr == NULL ? rf_fail_memory(err, request->arena) : RF_OK;
}

static enum rf_kind need_register(struct request *request, struct route_need *need,
                                  struct rf_err *err)
{
    rf_str ns;
    RF_TRY(scope_of(request, &need->scope, err));
    if (!arm_types_namespace(request->service, request_variable(request, "namespace"), &ns))
        ns = RF_S("Microsoft.Resources");
    need->action = rf_arena_printf(request->arena, "%.*s/register/action", RF_FMT(ns));
    return need->action.ptr == NULL ? rf_fail_memory(err, request->arena) : RF_OK;
}

/* ---- routes --------------------------------------------------------------------------------------------------------------------- */

#define SUB "/subscriptions/{subscription}"
#define GROUP SUB "/resourceGroups/{group}"
#define AT_SCOPE(m, p, a, r)                                                                       \
    {                                                                                              \
        .method = m, .path = p, .access = ROUTE_ACTION, .action = a, .audiences = AUDIENCE_ARM,    \
        .scope = scope_of, .run = r                                                                \
    }
#define FOR_MEMBERS(m, p, r)                                                                       \
    {                                                                                              \
        .method = m, .path = p, .access = ROUTE_MEMBER, .audiences = AUDIENCE_ARM, .run = r        \
    }
#define REGISTERING(p)                                                                             \
    {                                                                                              \
        .method = HTTP_POST, .path = p, .access = ROUTE_RESOLVE, .audiences = AUDIENCE_ARM,        \
        .resolve = need_register, .run = arm_run_provider                                          \
    }
#define GENERIC(m, p)                                                                              \
    {                                                                                              \
        .method = m, .path = p, .access = ROUTE_RESOLVE, .audiences = AUDIENCE_ARM,                \
        .resolve = need_generic, .run = arm_run_generic                                            \
    }
#define GENERIC_ALL(p)                                                                             \
    GENERIC(HTTP_GET, p), GENERIC(HTTP_HEAD, p), GENERIC(HTTP_PUT, p), GENERIC(HTTP_PATCH, p),     \
        GENERIC(HTTP_DELETE, p), GENERIC(HTTP_POST, p)
#define DEPLOYMENTS "/{scope*}/providers/Microsoft.Resources/deployments/"
#define DEPLOYMENT(m, p, a, r)                                                                     \
    {                                                                                              \
        .method = m, .path = p, .access = ROUTE_ACTION,                                            \
        .action = "Microsoft.Resources/deployments/" a, .audiences = AUDIENCE_ARM,                 \
        .scope = arm_deployment_scope, .run = r                                                    \
    }
#define TAGS_READ "Microsoft.Resources/subscriptions/tagNames/read"
#define TAGS_WRITE "Microsoft.Resources/subscriptions/tagNames/write"
#define TAGS_DELETE "Microsoft.Resources/subscriptions/tagNames/delete"

static const struct route routes[] = {
    {.method = HTTP_GET,
     .path = "/metadata/endpoints",
     .access = ROUTE_OPEN,
     .why_open = "clients read it to learn where to sign in",
     .audiences = AUDIENCE_ARM,
     .run = arm_run_endpoints},
    FOR_MEMBERS(HTTP_GET, "/subscriptions", arm_run_subscriptions),
    FOR_MEMBERS(HTTP_GET, "/tenants", arm_run_tenants),
    FOR_MEMBERS(HTTP_GET, "/providers", arm_run_providers),
    FOR_MEMBERS(HTTP_GET, "/providers/{namespace}", arm_run_provider),
    FOR_MEMBERS(HTTP_GET, SUB, arm_run_subscription),
    AT_SCOPE(HTTP_GET, SUB "/locations", "Microsoft.Resources/subscriptions/locations/read",
             arm_run_locations),
    AT_SCOPE(HTTP_GET, SUB "/providers", "Microsoft.Resources/subscriptions/providers/read",
             arm_run_providers),
    AT_SCOPE(HTTP_GET, SUB "/providers/{namespace}",
             "Microsoft.Resources/subscriptions/providers/read", arm_run_provider),
    AT_SCOPE(HTTP_GET, SUB "/providers/{namespace}/resourceTypes",
             "Microsoft.Resources/subscriptions/providers/read", arm_run_resource_types),
    REGISTERING(SUB "/providers/{namespace}/register"),
    REGISTERING(SUB "/providers/{namespace}/unregister"),
    FOR_MEMBERS(HTTP_GET, SUB "/resourceGroups", arm_run_groups),
    FOR_MEMBERS(HTTP_GET, SUB "/resources", arm_run_resources),
    FOR_MEMBERS(HTTP_GET, GROUP "/resources", arm_run_resources),
    AT_SCOPE(HTTP_POST, GROUP "/exportTemplate",
             "Microsoft.Resources/subscriptions/resourceGroups/exportTemplate/action",
             arm_run_export_template),
    AT_SCOPE(HTTP_POST, GROUP "/moveResources",
             "Microsoft.Resources/subscriptions/resourceGroups/moveResources/action", arm_run_move),
    AT_SCOPE(HTTP_POST, GROUP "/validateMoveResources",
             "Microsoft.Resources/subscriptions/resourceGroups/validateMoveResources/action",
             arm_run_validate_move),
    AT_SCOPE(HTTP_GET, SUB "/tagNames", TAGS_READ, arm_run_tag_names),
    AT_SCOPE(HTTP_PUT, SUB "/tagNames/{tag}", TAGS_WRITE, arm_run_tag_name),
    AT_SCOPE(HTTP_DELETE, SUB "/tagNames/{tag}", TAGS_DELETE, arm_run_tag_name),
    AT_SCOPE(HTTP_PUT, SUB "/tagNames/{tag}/tagValues/{value}", TAGS_WRITE, arm_run_tag_name),
    AT_SCOPE(HTTP_DELETE, SUB "/tagNames/{tag}/tagValues/{value}", TAGS_DELETE, arm_run_tag_name),
    FOR_MEMBERS(HTTP_GET, SUB "/operationresults/{operation}", arm_run_operation_result),
    FOR_MEMBERS(HTTP_GET, SUB "/operationstatuses/{operation}", arm_run_operation_status),
    FOR_MEMBERS(HTTP_GET, SUB "/whatIfResults/{operation}", arm_run_what_if_result),
    FOR_MEMBERS(HTTP_POST, "/providers/Microsoft.Resources/calculateTemplateHash",
                arm_run_template_hash),
    {.method = HTTP_POST,
     .path = "/providers/Microsoft.ResourceGraph/resources",
     .access = ROUTE_MEMBER,
     .audiences = AUDIENCE_ARM,
     .lane = HTTP_HEAVY,
     .run = arm_run_graph},
    FOR_MEMBERS(HTTP_POST, "/providers/Microsoft.ResourceGraph/resourcesHistory",
                arm_run_graph_history),
    FOR_MEMBERS(HTTP_GET, "/providers/Microsoft.ResourceGraph/operations",
                arm_run_graph_operations),
    DEPLOYMENT(HTTP_PUT, DEPLOYMENTS "{name}", "write", arm_run_deployment_put),
    DEPLOYMENT(HTTP_GET, DEPLOYMENTS "{name}", "read", arm_run_deployment_get),
    DEPLOYMENT(HTTP_HEAD, DEPLOYMENTS "{name}", "read", arm_run_deployment_get),
    DEPLOYMENT(HTTP_DELETE, DEPLOYMENTS "{name}", "delete", arm_run_deployment_delete),
    DEPLOYMENT(HTTP_POST, DEPLOYMENTS "{name}/validate", "validate/action",
               arm_run_deployment_validate),
    DEPLOYMENT(HTTP_POST, DEPLOYMENTS "{name}/whatIf", "whatIf/action", arm_run_deployment_what_if),
    DEPLOYMENT(HTTP_POST, DEPLOYMENTS "{name}/cancel", "cancel/action", arm_run_deployment_cancel),
    DEPLOYMENT(HTTP_POST, DEPLOYMENTS "{name}/exportTemplate", "exportTemplate/action",
               arm_run_deployment_export),
    DEPLOYMENT(HTTP_GET, DEPLOYMENTS "{name}/operations", "operations/read",
               arm_run_deployment_operations),
    DEPLOYMENT(HTTP_GET, DEPLOYMENTS "{name}/operations/{operation}", "operations/read",
               arm_run_deployment_operations),
    DEPLOYMENT(HTTP_GET, GROUP "/deployments/{name}/operations", "operations/read",
               arm_run_deployment_operations),
    DEPLOYMENT(HTTP_GET, GROUP "/deployments/{name}/operations/{operation}", "operations/read",
               arm_run_deployment_operations),
    GENERIC_ALL(SUB "/{rest*}"),
    GENERIC_ALL("/providers/{namespace}/{rest*}"),
};

/* ---- life ------------------------------------------------------------------------------------------------------------------------- */

enum rf_kind arm_new(const struct arm_options *options, struct arm **out, struct rf_err *err)
{
    struct arm *arm = calloc(1, sizeof *arm);
    if (arm == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "%zu bytes", sizeof *arm);
    arm->options = *options;
    arm->service = (struct service){.name = "arm",
                                    .ctx = arm,
                                    .routes = routes,
                                    .route_count = RF_COUNT(routes),
                                    .error = arm_write_error};
    arm->deploys = deploy_engine_new();
    enum rf_kind kind = arm_types_init(arm, err);
    if (kind == RF_OK && arm->deploys == NULL)
        kind = RF_FAIL(err, RF_LIMIT, "OutOfMemory", "the engine of deployments");
    if (kind != RF_OK) {
        arm_free(arm);
        return kind;
    }
    *out = arm;
    return RF_OK;
}

void arm_stop(struct arm *arm)
{
    deploy_engine_free(arm->deploys);
    arm->deploys = NULL;
}

void arm_free(struct arm *arm)
{
    if (arm == NULL) return;
    arm_stop(arm);
    free(arm->types);
    free(arm);
}

const struct service *arm_service(struct arm *arm) { return &arm->service; }
