/* events_type.c - Microsoft.EventGrid/eventSubscriptions on a vault: which of its events go to which event hub. */
#include "base/encode.h"
#include "vault/call_int.h"
#include "vault/events.h"

#define BAD_WISH(err, ...) RF_FAIL(err, RF_INVALID, "InvalidRequest", __VA_ARGS__)

enum { NAME_CHARS_MIN = 3, NAME_CHARS_MAX = 64, TTL_MINUTES_MAX = 1440, ATTEMPTS_MAX = 30 };

static const char *const versions[] = {
    "2020-06-01",         "2021-12-01",         "2022-06-15",
    "2023-06-01-preview", "2023-12-15-preview", "2024-06-01-preview",
    "2024-12-15-preview", "2025-02-15",         NULL};

static const char *const event_types[] = {
    "CertificateNewVersionCreated", "CertificateNearExpiry", "CertificateExpired",
    "KeyNewVersionCreated",         "KeyNearExpiry",         "KeyExpired",
    "SecretNewVersionCreated",      "SecretNearExpiry",      "SecretExpired",
    "VaultAccessPolicyChanged"};

/* ---- the parts of a document ------------------------------------------------------------------------------------------- */

static bool is_set(const struct json_node *node)
{
    return node != NULL && node->type != JSON_T_NULL &&
           !(node->type == JSON_T_ARRAY && node->count == 0);
}

static enum rf_kind check_name(rf_str name, struct rf_err *err)
{
    bool good = name.len >= NAME_CHARS_MIN && name.len <= NAME_CHARS_MAX;
    for (size_t i = 0; i < name.len && good; i++)
        good = rf_is_alpha(name.ptr[i]) || (name.ptr[i] >= '0' && name.ptr[i] <= '9') ||
               name.ptr[i] == '-';
    return good ? RF_OK
                : BAD_WISH(err,
                           "The name of an event subscription has %d to %d letters, digits and "
                           "hyphens.",
                           NAME_CHARS_MIN, NAME_CHARS_MAX);
}

/* What would be stored and not be kept to is refused. */
static enum rf_kind check_unknown(const struct json_node *properties, struct rf_err *err)
{
    static const char *const not_offered[] = {
        "deadLetterDestination",        "deadLetterWithResourceIdentity",
        "deliveryWithResourceIdentity", "expirationTimeUtc",
        "filter.advancedFilters",       "destination.properties.deliveryAttributeMappings"};
    for (size_t i = 0; i < RF_COUNT(not_offered); i++)
        if (is_set(json_at(properties, not_offered[i])))
            return BAD_WISH(err, "'properties.%s' is not offered here: leave it out.",
                            not_offered[i]);
    return RF_OK;
}

static bool is_event_type(const struct json_node *node)
{
    rf_str start = RF_S("Microsoft.KeyVault.");
    if (node->type != JSON_T_STRING || node->text.len < start.len ||
        !rf_str_eq_nocase(rf_slice(node->text, 0, start.len), start))
        return false;
    for (size_t i = 0; i < RF_COUNT(event_types); i++)
        if (rf_str_eq_nocase(rf_slice(node->text, start.len, node->text.len),
                             rf_str_of(event_types[i])))
            return true;
    return false;
}

static enum rf_kind check_filter(const struct json_node *filter, struct rf_err *err)
{
    static const char *const texts[] = {"subjectBeginsWith", "subjectEndsWith"};
    if (!is_set(filter)) return RF_OK;
    if (filter->type != JSON_T_OBJECT)
        return BAD_WISH(err, "'properties.filter' must be an object.");
    const struct json_node *list = json_get(filter, "includedEventTypes");
    if (is_set(list) && list->type != JSON_T_ARRAY)
        return BAD_WISH(err, "'properties.filter.includedEventTypes' must be a list.");
    for (const struct json_node *n = is_set(list) ? list->first : NULL; n != NULL; n = n->next)
        if (!is_event_type(n))
            return BAD_WISH(err,
                            "'properties.filter.includedEventTypes' has '%.*s', which is no event "
                            "of a vault (Microsoft.KeyVault.SecretNearExpiry and the like).",
                            (int)RF_MIN(n->text.len, (size_t)80), (const char *)n->text.ptr);
    for (size_t i = 0; i < RF_COUNT(texts); i++) {
        const struct json_node *text = json_get(filter, texts[i]);
        if (is_set(text) && text->type != JSON_T_STRING)
            return BAD_WISH(err, "'properties.filter.%s' must be a text.", texts[i]);
    }
    const struct json_node *exact = json_get(filter, "isSubjectCaseSensitive");
    if (is_set(exact) && exact->type != JSON_T_TRUE && exact->type != JSON_T_FALSE)
        return BAD_WISH(err, "'properties.filter.isSubjectCaseSensitive' must be true or false.");
    return RF_OK;
}

static enum rf_kind check_number(const struct json_node *policy, const char *name, int64_t most,
                                 struct rf_err *err)
{
    int64_t number;
    if (!is_set(json_get(policy, name))) return RF_OK;
    if (!json_i64_at(policy, name, &number) || number < 1 || number > most)
        return BAD_WISH(err, "'properties.retryPolicy.%s' must be a number from 1 to %lld.", name,
                        (long long)most);
    return RF_OK;
}

static enum rf_kind check_schema(struct rf_arena *arena, struct json_node *properties,
                                 struct rf_err *err)
{
    static const char *const known[] = {"EventGridSchema", "CloudEventSchemaV1_0"};
    const struct json_node *schema = json_get(properties, "eventDeliverySchema");
    rf_str wanted = is_set(schema) ? schema->text : rf_str_of(known[0]);
    for (size_t i = 0; i < RF_COUNT(known); i++)
        if ((!is_set(schema) || schema->type == JSON_T_STRING) &&
            rf_str_eq_nocase(wanted, rf_str_of(known[i])))
            return json_set_text(arena, properties, "eventDeliverySchema", rf_str_of(known[i])) !=
                           NULL
                       ? RF_OK
                       : rf_fail_memory(err, arena);
    return BAD_WISH(err, "'properties.eventDeliverySchema' must be EventGridSchema or "
                         "CloudEventSchemaV1_0.");
}

enum rf_kind vault_subscription_read(struct rf_arena *arena, rf_str name,
                                     struct json_node *properties, struct rf_err *err)
{
    if (!json_is(properties, JSON_T_OBJECT))
        return BAD_WISH(err, "'properties' must be an object with a 'destination'.");
    RF_TRY(check_name(name, err));
    RF_TRY(check_unknown(properties, err));
    RF_TRY(check_filter(json_get(properties, "filter"), err));
    RF_TRY(check_schema(arena, properties, err));
    const struct json_node *policy = json_get(properties, "retryPolicy");
    RF_TRY(check_number(policy, "eventTimeToLiveInMinutes", TTL_MINUTES_MAX, err));
    return check_number(policy, "maxDeliveryAttempts", ATTEMPTS_MAX, err);
}

/* Whoever points events at a hub must be allowed to send there, or to change the hub. */
static enum rf_kind check_right(struct arm_call *call, rf_str hub, struct rf_err *err)
{
    const struct vaults *vaults = call->ctx;
    struct authz *authz = vaults->options.authz;
    if (call->principal == NULL ||
        authz_check(authz, call->principal, RF_S("Microsoft.EventHub/namespaces/eventhubs/write"),
                    hub, false))
        return RF_OK;
    return authz_require(authz, call->principal,
                         RF_S("Microsoft.EventHub/namespaces/messages/send/action"), hub, true,
                         err);
}

static enum rf_kind check_destination(struct arm_call *call, const struct json_node *properties,
                                      struct rf_err *err)
{
    const struct vaults *vaults = call->ctx;
    struct resource_id id;
    struct arm_resource hub;
    rf_str wanted = json_text_at(properties, "destination.properties.resourceId");
    if (!rf_str_eq_nocase(json_text_at(properties, "destination.endpointType"), RF_S("EventHub")))
        return BAD_WISH(err, "'properties.destination.endpointType' must be EventHub.");
    if (vaults->options.hubs == NULL)
        return BAD_WISH(err, "There are no event hubs here that events could go to.");
    if (resource_id_parse(wanted, call->arena, &id, NULL) != RF_OK || id.is_type ||
        !rf_str_eq_nocase(id.type, RF_S("Microsoft.EventHub/namespaces/eventhubs")))
        return BAD_WISH(err, "'properties.destination.properties.resourceId' must be the id of an "
                             "event hub: .../Microsoft.EventHub/namespaces/NAME/eventhubs/NAME.");
    /* The right first: who has none does not learn which hubs there are. */
    RF_TRY(check_right(call, id.text, err));
    enum rf_kind kind = arm_get(call->arm, call->txn, id.text, call->arena, &hub, err);
    if (kind == RF_NOT_FOUND)
        return BAD_WISH(err,
                        "'properties.destination.properties.resourceId' names the event hub "
                        "'%.*s', which does not exist: make it first.",
                        (int)RF_MIN(id.name.len, (size_t)260), (const char *)id.name.ptr);
    return kind;
}

static enum rf_kind check_scope(struct arm_call *call, const struct arm_resource *resource,
                                rf_str *scope, struct rf_err *err)
{
    struct resource_id id, above;
    RF_TRY(resource_id_parse(resource->id, call->arena, &id, err));
    RF_TRY(resource_id_parse(id.scope, call->arena, &above, err));
    *scope = above.text;
    return rf_str_eq_nocase(above.type, RF_S("Microsoft.KeyVault/vaults"))
               ? RF_OK
               : BAD_WISH(err, "Event subscriptions stand on vaults only: "
                               ".../Microsoft.KeyVault/vaults/NAME/providers/Microsoft.EventGrid/"
                               "eventSubscriptions/NAME.");
}

/* ---- hooks ------------------------------------------------------------------------------------------------------------- */

static enum rf_kind put_subscription(struct arm_call *call, struct arm_resource *resource,
                                     const struct arm_resource *before, struct rf_err *err)
{
    struct json_node *properties = json_get(resource->body, "properties");
    rf_str scope;
    (void)before;
    RF_TRY(vault_subscription_read(call->arena, resource->name, properties, err));
    RF_TRY(check_scope(call, resource, &scope, err));
    RF_TRY(check_destination(call, properties, err));
    return json_set_text(call->arena, properties, "topic", scope) != NULL
               ? RF_OK
               : rf_fail_memory(err, call->arena);
}

/* What waits for it goes with it. */
static enum rf_kind remove_subscription(struct arm_call *call, struct arm_resource *resource,
                                        struct rf_err *err)
{
    rf_str prefix = rf_arena_printf(call->arena, "%.*s/", RF_FMT(resource->key));
    if (prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    return state_delete_prefix(call->txn, vault_event_space, prefix, NULL, err);
}

struct arm_type vault_subscription_type(struct vaults *vaults)
{
    return (struct arm_type){
        .name = "Microsoft.EventGrid/eventSubscriptions",
        .versions = versions,
        .members = "destination endpointType properties resourceId filter includedEventTypes "
                   "subjectBeginsWith subjectEndsWith isSubjectCaseSensitive advancedFilters "
                   "eventDeliverySchema labels topic retryPolicy eventTimeToLiveInMinutes "
                   "maxDeliveryAttempts deadLetterDestination deadLetterWithResourceIdentity "
                   "deliveryWithResourceIdentity deliveryAttributeMappings expirationTimeUtc "
                   "provisioningState",
        .flags = ARM_EXTENSION | ARM_STAYS,
        .put = put_subscription,
        .remove = remove_subscription,
        .ctx = vaults};
}
