/* types.c - vaults as ARM resources: made with a key of their own, deleted softly, brought back. */
#include <stdlib.h>

#include "base/encode.h"
#include "base/log.h"
#include "vault/approval_int.h"
#include "vault/events.h"
#include "vault/types_int.h"

#define DAY_USEC (INT64_C(86400) * RF_USEC_PER_SECOND)

const char *const vault_versions[] = {"2015-06-01",         "2016-10-01",
                                      "2018-02-14",         "2018-02-14-preview",
                                      "2019-09-01",         "2020-04-01-preview",
                                      "2021-04-01-preview", "2021-06-01-preview",
                                      "2021-10-01",         "2021-11-01-preview",
                                      "2022-02-01-preview", "2022-07-01",
                                      "2022-11-01",         "2023-02-01",
                                      "2023-07-01",         "2023-08-01-preview",
                                      "2024-04-01",         "2024-11-01",
                                      "2024-12-01-preview", "2025-05-01",
                                      "2026-02-01",         NULL};

/* ---- making ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind fail_taken(rf_str name, struct rf_err *err)
{
    return RF_FAIL(err, RF_CONFLICT, "VaultAlreadyExists",
                   "The vault name '%.*s' is already in use. Vault names are unique in the whole "
                   "installation, whatever their casing: choose another one.",
                   RF_FMT(name));
}

/* A place whose vault is not there is one that nobody needs. */
static enum rf_kind check_place(struct arm_call *call, const struct arm_resource *resource,
                                struct rf_err *err)
{
    struct vault_kept kept;
    struct arm_resource other;
    bool found;
    RF_TRY(vault_place_get(call->txn, resource->name, call->arena, &kept, &found, err));
    if (!found) return RF_OK;
    enum rf_kind kind = arm_get(call->arm, call->txn, kept.id, call->arena, &other, err);
    if (kind == RF_NOT_FOUND)
        return vault_place_delete(call->txn, resource->name, call->arena, err);
    return kind == RF_OK ? fail_taken(resource->name, err) : kind;
}

static enum rf_kind make_vault(struct arm_call *call, struct arm_resource *resource,
                               struct rf_err *err)
{
    struct json_node *properties = json_object_in(call->arena, resource->body, "properties");
    struct vault_kept gone, kept;
    bool found;
    RF_TRY(vault_gone_get(call->txn, resource->name, call->arena, &gone, &found, err));
    if (found)
        return RF_FAIL(err, RF_CONFLICT, "ConflictError",
                       "A vault with the same name already exists in deleted state. You need to "
                       "either recover or purge existing key vault: createMode 'recover' brings "
                       "it back.");
    const struct vaults *vaults = call->ctx;
    RF_TRY(vault_properties_check(call, properties, NULL, err));
    RF_TRY(vault_break_glass_check(call->principal, vaults->options.authz, resource->id, properties,
                                   NULL, err));
    RF_TRY(vault_kept_new(call->ctx, resource->id, resource->name, call->arena, &kept, err));
    return vault_place_put(call->txn, &kept, call->arena, err);
}

/* ---- bringing back ------------------------------------------------------------------------------------------------------------- */

static bool same_place(const struct arm_resource *resource, const struct vault_kept *gone)
{
    return rf_str_eq_nocase(resource->id, gone->id) &&
           rf_str_eq(json_text_at(resource->body, "location"),
                     json_text_at(gone->document, "location"));
}

/* The vault that was deleted, with what it had; of the request only its tags count. */
static enum rf_kind recover_vault(struct arm_call *call, struct arm_resource *resource,
                                  struct rf_err *err)
{
    static const char *const kept_members[] = {"properties", "tags"};
    struct vault_kept gone;
    bool found;
    RF_TRY(vault_gone_get(call->txn, resource->name, call->arena, &gone, &found, err));
    if (!found)
        return BAD_VAULT(err,
                         "A soft deleted vault with the given name does not exist. If the name "
                         "for the vault you are trying to recover is correct, this may mean "
                         "the soft deleted vault has been purged.");
    if (!same_place(resource, &gone))
        return BAD_VAULT(err, "The deleted vault can be recovered where it was only: %.*s in %.*s.",
                         RF_FMT(gone.id), RF_FMT(json_text_at(gone.document, "location")));
    if (gone.purging)
        return RF_FAIL(err, RF_CONFLICT, "ConflictError",
                       "The vault is being purged: it cannot be recovered any more.");
    for (size_t i = 0; i < RF_COUNT(kept_members); i++) {
        const struct json_node *member = json_get(gone.document, kept_members[i]);
        if (member == NULL || (i > 0 && json_get(resource->body, kept_members[i]) != NULL))
            continue;
        if (json_set(call->arena, resource->body, rf_str_of(kept_members[i]),
                     json_clone(call->arena, member)) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    gone.document = NULL;
    gone.id = resource->id;
    RF_TRY(vault_gone_delete(call->txn, resource->name, call->arena, err));
    return vault_place_put(call->txn, &gone, call->arena, err);
}

/* ---- hooks -------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind change_vault(struct arm_call *call, struct arm_resource *resource,
                                 const struct arm_resource *before, struct rf_err *err)
{
    struct json_node *properties = json_object_in(call->arena, resource->body, "properties");
    struct vault_kept kept;
    bool found;
    const struct vaults *vaults = call->ctx;
    RF_TRY(vault_properties_check(call, properties, json_get(before->body, "properties"), err));
    RF_TRY(vault_break_glass_check(call->principal, vaults->options.authz, resource->id, properties,
                                   json_get(before->body, "properties"), err));
    RF_TRY(vault_place_get(call->txn, resource->name, call->arena, &kept, &found, err));
    if (found) return RF_OK;
    /* Stored when vaults had no keys yet. */
    RF_TRY(vault_kept_new(call->ctx, resource->id, resource->name, call->arena, &kept, err));
    return vault_place_put(call->txn, &kept, call->arena, err);
}

static enum rf_kind check_mode(rf_str mode, struct rf_err *err)
{
    if (mode.len == 0 || rf_str_eq_nocase(mode, RF_S("default")) ||
        rf_str_eq_nocase(mode, RF_S("recover")))
        return RF_OK;
    return BAD_VAULT(err, "'properties.createMode' must be default or recover.");
}

/* Whether the path ends in this very vault: not in a list that it stands in, nor in what it holds. */
static bool names_vault(const struct request *request, const struct arm_resource *resource)
{
    rf_str path = request->http->path, word = RF_S("/vaults/");
    if (path.len > 0 && path.ptr[path.len - 1] == '/') path = rf_slice(path, 0, path.len - 1);
    if (path.len <= word.len + resource->name.len) return false;
    size_t name = path.len - resource->name.len;
    return rf_str_eq_nocase(rf_slice(path, name, path.len), resource->name) &&
           rf_str_eq_nocase(rf_slice(path, name - word.len, name), word);
}

static enum rf_kind put_vault(struct arm_call *call, struct arm_resource *resource,
                              const struct arm_resource *before, struct rf_err *err)
{
    struct json_node *properties = json_object_in(call->arena, resource->body, "properties");
    if (!json_is(properties, JSON_T_OBJECT))
        return BAD_VAULT(err, "'properties' must be an object.");
    rf_str mode = json_text_at(properties, "createMode");
    RF_TRY(check_mode(mode, err));
    if (before != NULL) {
        RF_TRY(change_vault(call, resource, before, err));
        bool puts = call->request == NULL || (call->request->http->method == HTTP_PUT &&
                                              names_vault(call->request, resource));
        return vault_note_change(call, resource, before, puts ? "VaultPut" : "VaultPatch", err);
    }
    if (!vault_name_is_good(resource->name))
        return RF_FAIL(err, RF_INVALID, "VaultNameNotValid",
                       "The vault name '%.*s' is invalid. A vault's name must be between 3-24 "
                       "alphanumeric characters. The name must begin with a letter, end with a "
                       "letter or digit, and not contain consecutive hyphens.",
                       (int)RF_MIN(resource->name.len, (size_t)100),
                       (const char *)resource->name.ptr);
    RF_TRY(check_place(call, resource, err));
    bool recovers = rf_str_eq_nocase(mode, RF_S("recover"));
    RF_TRY(recovers ? recover_vault(call, resource, err) : make_vault(call, resource, err));
    return vault_note_change(call, resource, NULL, recovers ? "VaultRecover" : "VaultPut", err);
}

/* Soft: what it holds stays where it is, and its name stays taken. */
static enum rf_kind remove_vault(struct arm_call *call, struct arm_resource *resource,
                                 struct rf_err *err)
{
    struct vault_kept kept;
    bool found;
    int64_t days = 90;
    RF_TRY(vault_place_get(call->txn, resource->name, call->arena, &kept, &found, err));
    if (!found || !rf_str_eq_nocase(kept.id, resource->id)) return RF_OK;
    (void)json_i64_at(resource->body, "properties.softDeleteRetentionInDays", &days);
    kept.document = resource->body;
    kept.deleted = call->now;
    kept.purge = call->now + days * DAY_USEC;
    RF_TRY(vault_place_delete(call->txn, resource->name, call->arena, err));
    RF_TRY(vault_gone_put(call->txn, &kept, call->arena, err));
    return vault_note_change(call, resource, NULL, "VaultDelete", err);
}

static void changed_vault(struct arm_call *call, struct arm_resource *resource)
{
    vault_note_write(call, resource);
}

static enum rf_kind show_vault(struct arm_call *call, struct arm_resource *resource,
                               struct rf_err *err)
{
    struct json_node *properties = json_object_in(call->arena, resource->body, "properties");
    rf_str uri = vault_uri(call->ctx, resource->name, call->arena);
    if (uri.ptr == NULL || json_set_text(call->arena, properties, "vaultUri", uri) == NULL)
        return rf_fail_memory(err, call->arena);
    bool reads = call->request != NULL && call->request->http->method == HTTP_GET;
    if (reads && names_vault(call->request, resource))
        vault_row_of(call->ctx, call->request, call->arena, resource->id, "VaultGet", NULL,
                     (rf_str){0});
    return RF_OK;
}

static struct arm_type vault_type(struct vaults *vaults)
{
    return (struct arm_type){
        .name = "Microsoft.KeyVault/vaults",
        .versions = vault_versions,
        .members = "tenantId sku family name accessPolicies objectId applicationId permissions "
                   "keys secrets "
                   "certificates storage vaultUri enabledForDeployment enabledForDiskEncryption "
                   "enabledForTemplateDeployment enableSoftDelete softDeleteRetentionInDays "
                   "enableRbacAuthorization createMode enablePurgeProtection networkAcls bypass "
                   "defaultAction ipRules value virtualNetworkRules id "
                   "ignoreMissingVnetServiceEndpoint publicNetworkAccess provisioningState",
        .flags = ARM_TRACKED | ARM_STAYS,
        .put = put_vault,
        .remove = remove_vault,
        .changed = changed_vault,
        .show = show_vault,
        .ctx = vaults};
}

/* ---- what is not offered ------------------------------------------------------------------------------------------------------- */

/* An empty list is the truth; one that would be stored and not kept to is not. */
static enum rf_kind refuse_put(struct arm_call *call, struct arm_resource *resource,
                               const struct arm_resource *before, struct rf_err *err)
{
    (void)call;
    (void)before;
    return RF_FAIL(err, RF_INVALID, "MethodNotAllowed",
                   "Resources of the type '%.*s' cannot be written here.", RF_FMT(resource->type));
}

static struct arm_type refused_type(struct vaults *vaults, const char *name)
{
    return (struct arm_type){.name = name,
                             .versions = vault_versions,
                             .flags = ARM_NO_STATE,
                             .put = refuse_put,
                             .ctx = vaults};
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------ */

enum rf_kind vault_types_register(struct vaults *vaults, struct rf_err *err)
{
    struct vault_types *types = calloc(1, sizeof *types);
    if (types == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for types");
    struct arm_type made[VAULT_TYPES_COUNT] = {
        vault_type(vaults),
        vault_deleted_list_type(vaults),
        vault_deleted_type(vaults),
        vault_secret_type(vaults),
        vault_key_type(vaults),
        vault_key_version_type(vaults),
        refused_type(vaults, "Microsoft.KeyVault/vaults/accessPolicies"),
        refused_type(vaults, "Microsoft.KeyVault/vaults/privateEndpointConnections"),
        refused_type(vaults, "Microsoft.KeyVault/vaults/privateLinkResources"),
        vault_subscription_type(vaults)};
    for (size_t i = 0; i < VAULT_TYPES_COUNT; i++) {
        if (made[i].put == NULL) made[i].put = refuse_put;
        types->types[i] = made[i];
    }
    (void)pthread_mutex_init(&types->lock, NULL);
    vaults->types = types;
    vault_routes_init(vaults, &types->service);
    RF_TRY(arm_register(vaults->options.arm, types->types, VAULT_TYPES_COUNT, err));
    /* When the keeper cannot help now, the job asks it again. */
    struct rf_err inner = {.code = ""};
    if (vault_places_complete(vaults, &inner) != RF_OK)
        rf_log(RF_WARN, "vault.keys_wait", RF_KV_STR("code", rf_str_of(inner.code)),
               RF_KV_STR("text", rf_str_of(inner.text)));
    return RF_OK;
}

void vault_types_free(struct vaults *vaults)
{
    struct vault_types *types = vaults->types;
    if (types == NULL) return;
    vault_notes_free(types);
    (void)pthread_mutex_destroy(&types->lock);
    free(types);
    vaults->types = NULL;
}

const struct service *vaults_arm_service(struct vaults *vaults) { return &vaults->types->service; }
