/* types_props.c - the properties of a vault: what may be said of it, what stays, and what is filled in. */
#include "base/encode.h"
#include "vault/types_int.h"

enum { NAME_BYTES_MIN = 3, NAME_BYTES_MAX = 24, DAYS_MIN = 7, DAYS_MAX = 90 };

bool vault_name_is_good(rf_str name)
{
    bool good = name.len >= NAME_BYTES_MIN && name.len <= NAME_BYTES_MAX &&
                rf_is_alpha(name.ptr[0]) && rf_is_alnum(name.ptr[name.len - 1]);
    for (size_t i = 0; good && i < name.len; i++) {
        bool twice = i > 0 && name.ptr[i] == '-' && name.ptr[i - 1] == '-';
        good = (rf_is_alnum(name.ptr[i]) || name.ptr[i] == '-') && !twice;
    }
    return good;
}

rf_str vault_uri(const struct vaults *vaults, rf_str name, struct rf_arena *arena)
{
    const struct site *site = vaults->options.site;
    rf_str host = resource_key(arena, name);
    if (host.ptr == NULL) return (rf_str){0};
    return rf_arena_printf(arena, "https://%.*s.vault.%.*s:%u/", RF_FMT(host), RF_FMT(site->domain),
                           site->port);
}

/* ---- single ones ----------------------------------------------------------------------------------------------------------- */

static bool is_absent(const struct json_node *node)
{
    return node == NULL || node->type == JSON_T_NULL;
}

static enum rf_kind read_bool(const struct json_node *properties, const char *name, bool fallback,
                              bool *out, struct rf_err *err)
{
    const struct json_node *node = json_get(properties, name);
    *out = fallback;
    if (is_absent(node)) return RF_OK;
    *out = node->type == JSON_T_TRUE;
    if (*out || node->type == JSON_T_FALSE) return RF_OK;
    return BAD_VAULT(err, "'properties.%s' must be true or false.", name);
}

/* One of the words, spelled as they are; `fallback` when it is absent. */
static enum rf_kind read_word(struct rf_arena *arena, struct json_node *object, const char *name,
                              const char *const *words, size_t count, const char *fallback,
                              struct rf_err *err)
{
    const struct json_node *node = json_get(object, name);
    const char *word = NULL;
    if (is_absent(node)) word = fallback;
    for (size_t i = 0; word == NULL && json_is(node, JSON_T_STRING) && i < count; i++)
        if (rf_str_eq_nocase(node->text, rf_str_of(words[i]))) word = words[i];
    if (word == NULL) {
        struct rf_buf list = rf_buf_in(arena);
        for (size_t i = 0; i < count; i++)
            rf_buf_printf(&list, "%s%s", i == 0 ? "" : " or ", words[i]);
        return BAD_VAULT(err, "'properties.%s' must be %.*s.", name, RF_FMT(rf_buf_view(&list)));
    }
    return json_set_text(arena, object, name, rf_str_of(word)) == NULL ? rf_fail_memory(err, arena)
                                                                       : RF_OK;
}

static enum rf_kind check_tenant(struct arm_call *call, struct json_node *properties,
                                 struct rf_err *err)
{
    const struct vaults *vaults = call->ctx;
    rf_str tenant = vaults->options.site->tenant_id;
    const struct json_node *given = json_get(properties, "tenantId");
    if (!is_absent(given) &&
        (given->type != JSON_T_STRING || !rf_str_eq_nocase(given->text, tenant)))
        return BAD_VAULT(err,
                         "'properties.tenantId' must be the tenant of this installation, %.*s.",
                         RF_FMT(tenant));
    return json_set_text(call->arena, properties, "tenantId", tenant) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

static enum rf_kind check_sku(struct rf_arena *arena, struct json_node *properties,
                              const struct json_node *before, struct rf_err *err)
{
    static const char *const names[] = {"standard", "premium"}, *const families[] = {"A"};
    struct json_node *sku = json_get(properties, "sku");
    if (is_absent(sku)) {
        rf_str stored = json_text_at(before, "sku.name");
        json_remove(properties, RF_S("sku"));
        sku = json_object_in(arena, properties, "sku");
        json_set_text(arena, sku, "family", RF_S("A"));
        return json_set_text(arena, sku, "name", stored.len > 0 ? stored : RF_S("standard")) == NULL
                   ? rf_fail_memory(err, arena)
                   : RF_OK;
    }
    if (sku->type != JSON_T_OBJECT)
        return BAD_VAULT(err, "'properties.sku' must be an object with 'family' and 'name'.");
    RF_TRY(read_word(arena, sku, "family", families, RF_COUNT(families), "A", err));
    return read_word(arena, sku, "name", names, RF_COUNT(names), NULL, err);
}

static enum rf_kind check_retention(struct rf_arena *arena, struct json_node *properties,
                                    const struct json_node *before, struct rf_err *err)
{
    const struct json_node *node = json_get(properties, "softDeleteRetentionInDays");
    int64_t days = DAYS_MAX, stored = DAYS_MAX;
    (void)json_i64_at(before, "softDeleteRetentionInDays", &stored);
    if (is_absent(node))
        days = stored;
    else if (!json_i64_at(properties, "softDeleteRetentionInDays", &days) || days < DAYS_MIN ||
             days > DAYS_MAX)
        return BAD_VAULT(err,
                         "'properties.softDeleteRetentionInDays' must be a number from %d to %d.",
                         DAYS_MIN, DAYS_MAX);
    if (before != NULL && days != stored)
        return BAD_VAULT(err, "The property \"softDeleteRetentionInDays\" has been set already and "
                              "it can't be modified.");
    return json_set_i64(arena, properties, "softDeleteRetentionInDays", days) == NULL
               ? rf_fail_memory(err, arena)
               : RF_OK;
}

/* What protects from loss is never taken back. */
static enum rf_kind check_protection(struct rf_arena *arena, struct json_node *properties,
                                     const struct json_node *before, struct rf_err *err)
{
    bool soft, purge, was = json_bool_at(before, "enablePurgeProtection", false);
    RF_TRY(read_bool(properties, "enableSoftDelete", true, &soft, err));
    RF_TRY(read_bool(properties, "enablePurgeProtection", was, &purge, err));
    if (!soft)
        return BAD_VAULT(err, "The property \"enableSoftDelete\" cannot be set to false: what is "
                              "deleted can always be recovered for as long as the vault says.");
    if (was && !purge)
        return BAD_VAULT(err, "The property \"enablePurgeProtection\" cannot be set to false. "
                              "Enabling the purge protection for a vault is an irreversible "
                              "action.");
    json_remove(properties, RF_S("enablePurgeProtection"));
    if (purge) json_set_bool(arena, properties, "enablePurgeProtection", true);
    return json_set_bool(arena, properties, "enableSoftDelete", true) == NULL
               ? rf_fail_memory(err, arena)
               : RF_OK;
}

/* ---- network rules ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind check_address(const struct json_node *rule, struct rf_err *err)
{
    rf_str value = json_text_at(rule, "value");
    size_t slash = rf_str_find(value, RF_S("/"), 0);
    /* An address lies in its own range if both can be read. */
    if (vault_address_in(rf_slice(value, 0, slash == SIZE_MAX ? value.len : slash), value))
        return RF_OK;
    return BAD_VAULT(err,
                     "'%.*s' in 'properties.networkAcls.ipRules' must be an address or a range "
                     "such as 203.0.113.0/24.",
                     (int)RF_MIN(value.len, (size_t)64), (const char *)value.ptr);
}

/* A list of objects, empty when it is absent. */
static enum rf_kind rule_list(struct rf_arena *arena, struct json_node *acls, const char *name,
                              struct json_node **out, struct rf_err *err)
{
    struct json_node *list = json_get(acls, name);
    if (is_absent(list))
        list = json_set(arena, acls, rf_str_of(name), json_new(arena, JSON_T_ARRAY));
    if (list == NULL) return rf_fail_memory(err, arena);
    if (list->type != JSON_T_ARRAY || list->count > VAULT_RULES_MAX)
        return BAD_VAULT(err, "'properties.networkAcls.%s' must be a list of at most %d rules.",
                         name, VAULT_RULES_MAX);
    *out = list;
    return RF_OK;
}

static enum rf_kind check_network(struct rf_arena *arena, struct json_node *properties,
                                  struct rf_err *err)
{
    static const char *const bypass[] = {"AzureServices", "None"};
    static const char *const defaults[] = {"Allow", "Deny"};
    struct json_node *acls = json_get(properties, "networkAcls"), *list;
    if (is_absent(acls)) {
        json_remove(properties, RF_S("networkAcls"));
        return RF_OK;
    }
    if (acls->type != JSON_T_OBJECT)
        return BAD_VAULT(err, "'properties.networkAcls' must be an object.");
    RF_TRY(read_word(arena, acls, "bypass", bypass, RF_COUNT(bypass), "AzureServices", err));
    RF_TRY(read_word(arena, acls, "defaultAction", defaults, RF_COUNT(defaults), "Allow", err));
    RF_TRY(rule_list(arena, acls, "ipRules", &list, err));
    for (const struct json_node *rule = list->first; rule != NULL; rule = rule->next)
        RF_TRY(check_address(rule, err));
    RF_TRY(rule_list(arena, acls, "virtualNetworkRules", &list, err));
    for (const struct json_node *rule = list->first; rule != NULL; rule = rule->next)
        if (json_text_at(rule, "id").len == 0)
            return BAD_VAULT(err, "A rule in 'properties.networkAcls.virtualNetworkRules' has no "
                                  "'id'.");
    return RF_OK;
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_switches(struct rf_arena *arena, struct json_node *properties,
                                   const struct json_node *before, struct rf_err *err)
{
    static const struct {
        const char *name;
        bool fallback, stays; /* absent: as it was, not as a new one has it */
    } switches[] = {{"enabledForDeployment", false, false},
                    {"enabledForDiskEncryption", false, false},
                    {"enabledForTemplateDeployment", false, false},
                    {"enableRbacAuthorization", true, true}};
    for (size_t i = 0; i < RF_COUNT(switches); i++) {
        bool value, fallback = switches[i].fallback;
        if (switches[i].stays) fallback = json_bool_at(before, switches[i].name, fallback);
        RF_TRY(read_bool(properties, switches[i].name, fallback, &value, err));
        if (json_set_bool(arena, properties, switches[i].name, value) == NULL)
            return rf_fail_memory(err, arena);
    }
    return RF_OK;
}

/* A PUT that says nothing of the policies leaves them. */
static enum rf_kind check_policies(struct arm_call *call, struct json_node *properties,
                                   const struct json_node *before, struct rf_err *err)
{
    const struct vaults *vaults = call->ctx;
    struct json_node *list = json_get(properties, "accessPolicies");
    if (is_absent(list)) {
        const struct json_node *stored = json_get(before, "accessPolicies");
        list = json_set(call->arena, properties, RF_S("accessPolicies"),
                        stored == NULL ? json_new(call->arena, JSON_T_ARRAY)
                                       : json_clone(call->arena, stored));
        return list == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
    }
    return vault_policies_check(list, vaults->options.site->tenant_id, err);
}

enum rf_kind vault_properties_check(struct arm_call *call, struct json_node *properties,
                                    const struct json_node *before, struct rf_err *err)
{
    static const char *const access[] = {"Enabled", "Disabled"};
    struct rf_arena *arena = call->arena;
    RF_TRY(check_tenant(call, properties, err));
    RF_TRY(check_sku(arena, properties, before, err));
    RF_TRY(check_retention(arena, properties, before, err));
    RF_TRY(check_protection(arena, properties, before, err));
    RF_TRY(check_switches(arena, properties, before, err));
    RF_TRY(check_policies(call, properties, before, err));
    RF_TRY(check_network(arena, properties, err));
    RF_TRY(read_word(arena, properties, "publicNetworkAccess", access, RF_COUNT(access), "Enabled",
                     err));
    json_remove(properties, RF_S("createMode"));
    json_remove(properties, RF_S("vaultUri"));
    json_remove(properties, RF_S("hsmPoolResourceId"));
    return RF_OK;
}
