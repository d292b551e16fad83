/* types_routes.c - routes of the control plane about vaults that are no resource's own: access policies change by words, a name is free or not, and secrets
 * and keys are made outside a transaction, as the keeper has to be asked. */
#include "authz/activity.h"
#include "base/encode.h"
#include "vault/search_int.h"
#include "vault/types_int.h"

void vault_record(struct request *request, const char *action, rf_str id)
{
    const struct activity activity = {
        .action = rf_str_of(action), .resource_id = id, .status = request->response->status};
    activity_write(request, &activity);
}

/* ---- where ---------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind subscription_scope(struct request *request, rf_str *scope, struct rf_err *err)
{
    const struct vaults *vaults = request->service;
    rf_str id = request_variable(request, "subscription");
    if (!rf_str_eq_nocase(id, vaults->options.site->subscription_id))
        return RF_FAIL(err, RF_NOT_FOUND, "SubscriptionNotFound",
                       "The subscription '%.*s' could not be found.",
                       (int)RF_MIN(id.len, (size_t)100), (const char *)id.ptr);
    *scope = rf_arena_printf(request->arena, "/subscriptions/%.*s", RF_FMT(id));
    return scope->ptr == NULL ? rf_fail_memory(err, request->arena) : RF_OK;
}

/* The vault itself, for whatever is below it. */
static enum rf_kind vault_scope(struct request *request, rf_str *scope, struct rf_err *err)
{
    rf_str group = request_variable(request, "group"), name = request_variable(request, "vault");
    rf_str subscription;
    RF_TRY(subscription_scope(request, &subscription, err));
    *scope = rf_arena_printf(request->arena,
                             "%.*s/resourceGroups/%.*s/providers/Microsoft.KeyVault/vaults/%.*s",
                             RF_FMT(subscription), RF_FMT(group), RF_FMT(name));
    return scope->ptr == NULL ? rf_fail_memory(err, request->arena) : RF_OK;
}

/* ---- access policies -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_policies(struct request *request, const struct vaults *vaults,
                                  struct json_node **out, struct rf_err *err)
{
    struct json_node *body;
    RF_TRY(request_json(request, false, &body, err));
    *out = json_at(body, "properties.accessPolicies");
    if (*out == NULL)
        return BAD_VAULT(err, "'properties.accessPolicies' is missing: the list of what is to be "
                              "added, replaced or removed.");
    return vault_policies_check(*out, vaults->options.site->tenant_id, err);
}

/* Reads and writes in one transaction, so that two changes at a time both count. */
static enum rf_kind change_policies(struct request *request, struct arm_call *call, rf_str id,
                                    enum vault_policy_change change, const struct json_node *given,
                                    struct arm_resource *out, struct rf_err *err)
{
    struct vaults *vaults = request->service;
    struct arm_resource stored;
    struct json_node *list;
    RF_TRY(arm_get(vaults->options.arm, call->txn, id, call->arena, &stored, err));
    struct json_node *body = json_clone(call->arena, stored.body);
    if (body == NULL) return rf_fail_memory(err, call->arena);
    struct json_node *properties = json_object_in(call->arena, body, "properties");
    RF_TRY(vault_policies_change(change, json_get(properties, "accessPolicies"), given, call->arena,
                                 &list, err));
    if (json_set(call->arena, properties, RF_S("accessPolicies"), list) == NULL)
        return rf_fail_memory(err, call->arena);
    return arm_put_in(call, stored.id, body, out, NULL, err);
}

static enum rf_kind answer_policies(struct request *request, const struct arm_resource *resource,
                                    struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    rf_str id = rf_arena_printf(arena, "%.*s/accessPolicies/", RF_FMT(resource->id));
    json_set_text(arena, body, "id", id);
    json_set_text(arena, body, "type", RF_S("Microsoft.KeyVault/vaults/accessPolicies"));
    json_set_text(arena, body, "location", json_text_at(resource->body, "location"));
    struct json_node *properties = body == NULL ? NULL : json_object_in(arena, body, "properties");
    const struct json_node *list = json_at(resource->body, "properties.accessPolicies");
    if (id.ptr == NULL ||
        json_set(arena, properties, RF_S("accessPolicies"), json_clone(arena, list)) == NULL)
        return rf_fail_memory(err, arena);
    return request_answer(request, 200, body);
}

static enum rf_kind run_policies(struct request *request, struct rf_err *err)
{
    struct vaults *vaults = request->service;
    enum vault_policy_change change = vault_policy_change_of(request_variable(request, "kind"));
    struct json_node *given;
    struct arm_resource changed;
    struct arm_call call;
    rf_str id;
    if (change == VAULT_POLICY_OTHER)
        return BAD_VAULT(err, "Access policies are changed by add, replace or remove.");
    RF_TRY(vault_scope(request, &id, err));
    RF_TRY(read_policies(request, vaults, &given, err));
    RF_TRY(arm_begin(vaults->options.arm, request->principal, request->arena, &call, err));
    call.request = request;
    enum rf_kind kind = change_policies(request, &call, id, change, given, &changed, err);
    if (kind == RF_OK) kind = arm_commit(&call, err);
    arm_end(&call);
    RF_TRY(kind);
    RF_TRY(answer_policies(request, &changed, err));
    vault_record(request, "Microsoft.KeyVault/vaults/accessPolicies/write", changed.id);
    return RF_OK;
}

/* ---- names ------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind why_not(struct vaults *vaults, rf_str name, struct rf_arena *arena,
                            const char **reason, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_kept kept;
    bool lives, gone;
    *reason = vault_name_is_good(name) ? NULL : "AccountNameInvalid";
    if (*reason != NULL) return RF_OK;
    RF_TRY(state_begin_read(vaults->options.state, &txn, err));
    RF_TRY(vault_place_get(txn, name, arena, &kept, &lives, err));
    RF_TRY(vault_gone_get(txn, name, arena, &kept, &gone, err));
    if (lives || gone) *reason = "AlreadyExists";
    return RF_OK;
}

static enum rf_kind run_check_name(struct request *request, struct rf_err *err)
{
    struct json_node *body, *answer = json_new(request->arena, JSON_T_OBJECT);
    const char *reason;
    RF_TRY(request_json(request, false, &body, err));
    rf_str name = json_text_at(body, "name");
    RF_TRY(why_not(request->service, name, request->arena, &reason, err));
    json_set_bool(request->arena, answer, "nameAvailable", reason == NULL);
    if (reason != NULL) {
        bool taken = strcmp(reason, "AlreadyExists") == 0;
        json_set_text(request->arena, answer, "reason", rf_str_of(reason));
        json_set_text(request->arena, answer, "message",
                      taken ? RF_S("The vault name is in use already, by a vault that lives or "
                                   "one that was deleted and not purged.")
                            : RF_S("A vault's name has 3 to 24 letters, digits and single dashes; "
                                   "it begins with a letter and ends in a letter or digit."));
    }
    return answer == NULL ? rf_fail_memory(err, request->arena)
                          : request_answer(request, 200, answer);
}

/* ---- reports -------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind run_search(struct request *request, struct rf_err *err)
{
    rf_str scope;
    RF_TRY(subscription_scope(request, &scope, err));
    return vault_run_search(request, err);
}

static enum rf_kind run_expiring(struct request *request, struct rf_err *err)
{
    rf_str scope;
    RF_TRY(subscription_scope(request, &scope, err));
    return vault_run_expiring(request, err);
}

static enum rf_kind run_unused(struct request *request, struct rf_err *err)
{
    rf_str scope;
    RF_TRY(subscription_scope(request, &scope, err));
    return vault_run_unused(request, err);
}

static enum rf_kind run_reach(struct request *request, struct rf_err *err)
{
    rf_str scope;
    RF_TRY(subscription_scope(request, &scope, err));
    return vault_run_reach(request, err);
}

/* ---- routes ------------------------------------------------------------------------------------------------------------------------- */

#define SUB "/subscriptions/{subscription}"
#define VAULT SUB "/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{vault}"
#define AT_VAULT(m, p, a, r)                                                                       \
    {                                                                                              \
        .method = m, .access = ROUTE_ACTION, .path = VAULT p,                                      \
        .action = "Microsoft.KeyVault/vaults/" a, .audiences = AUDIENCE_ARM, .scope = vault_scope, \
        .run = r                                                                                   \
    }
/* Over all vaults: each tells of those, and of their objects, that the caller may list. */
#define REPORT(m, p, r)                                                                            \
    {                                                                                              \
        .method = m, .access = ROUTE_MEMBER, .path = SUB "/providers/Microsoft.KeyVault/" p,       \
        .audiences = AUDIENCE_ARM, .run = r                                                        \
    }

static const struct route routes[] = {
    {.method = HTTP_POST,
     .access = ROUTE_ACTION,
     .path = SUB "/providers/Microsoft.KeyVault/checkNameAvailability",
     .action = "Microsoft.KeyVault/checkNameAvailability/read",
     .audiences = AUDIENCE_ARM,
     .scope = subscription_scope,
     .run = run_check_name},
    REPORT(HTTP_GET, "search", run_search),
    REPORT(HTTP_POST, "search", run_search),
    REPORT(HTTP_GET, "expiring", run_expiring),
    REPORT(HTTP_GET, "unused", run_unused),
    REPORT(HTTP_GET, "reach", run_reach),
    AT_VAULT(HTTP_PUT, "/accessPolicies/{kind}", "accessPolicies/write", run_policies),
    AT_VAULT(HTTP_PUT, "/secrets/{item}", "secrets/write", vault_run_put_secret),
    AT_VAULT(HTTP_PATCH, "/secrets/{item}", "secrets/write", vault_run_put_secret),
    AT_VAULT(HTTP_PUT, "/keys/{item}", "keys/write", vault_run_put_key),
};

/* In arm's shape, with arm's record of what failed. */
static void write_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    const struct vaults *vaults = request->service;
    const struct service *arm = arm_service(vaults->options.arm);
    request->service = arm->ctx;
    request->error_details = NULL;
    arm->error(request, status, err);
}

void vault_routes_init(struct vaults *vaults, struct service *out)
{
    *out = (struct service){.name = "vault-arm",
                            .ctx = vaults,
                            .routes = routes,
                            .route_count = RF_COUNT(routes),
                            .error = write_error};
}
