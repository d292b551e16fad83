/* content_automation.c - automation rules as resources: contracts/sentinel.md section 6 in checks. */
#include "base/encode.h"
#include "siem/content_int.h"

#define BAD(err, ...) RF_FAIL(err, RF_INVALID, "BadRequest", __VA_ARGS__)

enum {
    NAME_CHARS_MAX = 500,
    ORDER_MAX = 1000,
    CONDITIONS_MAX = 50,
    ACTIONS_MAX = 20,
    NESTED_MAX = 3
};

/* ---- words ---------------------------------------------------------------------------------------------------------------- */

static const char *const trigger_things[] = {"Incidents", "Alerts", NULL};
static const char *const trigger_events[] = {"Created", "Updated", NULL};
static const char *const operators[] = {"Equals",      "NotEquals",   "Contains",
                                        "NotContains", "StartsWith",  "NotStartsWith",
                                        "EndsWith",    "NotEndsWith", NULL};
static const char *const properties_known[] = {"IncidentTitle",
                                               "IncidentDescription",
                                               "IncidentSeverity",
                                               "IncidentStatus",
                                               "IncidentRelatedAnalyticRuleIds",
                                               "IncidentTactics",
                                               "IncidentLabel",
                                               "IncidentProviderName",
                                               "IncidentUpdatedBySource",
                                               "IncidentCustomDetailsKey",
                                               "IncidentCustomDetailsValue",
                                               "AccountAadTenantId",
                                               "AccountAadUserId",
                                               "AccountName",
                                               "AccountNTDomain",
                                               "AccountPUID",
                                               "AccountSid",
                                               "AccountObjectGuid",
                                               "AccountUPNSuffix",
                                               "AlertProductNames",
                                               "AlertAnalyticRuleIds",
                                               "AzureResourceResourceId",
                                               "AzureResourceSubscriptionId",
                                               "CloudApplicationAppId",
                                               "CloudApplicationAppName",
                                               "DNSDomainName",
                                               "FileDirectory",
                                               "FileName",
                                               "FileHashValue",
                                               "HostAzureID",
                                               "HostName",
                                               "HostNetBiosName",
                                               "HostNTDomain",
                                               "HostOSVersion",
                                               "IoTDeviceId",
                                               "IoTDeviceName",
                                               "IoTDeviceType",
                                               "IoTDeviceVendor",
                                               "IoTDeviceModel",
                                               "IoTDeviceOperatingSystem",
                                               "IPAddress",
                                               "MailboxDisplayName",
                                               "MailboxPrimaryAddress",
                                               "MailboxUPN",
                                               "MailMessageDeliveryAction",
                                               "MailMessageDeliveryLocation",
                                               "MailMessageRecipient",
                                               "MailMessageSenderIP",
                                               "MailMessageSubject",
                                               "MailMessageP1Sender",
                                               "MailMessageP2Sender",
                                               "MalwareCategory",
                                               "MalwareName",
                                               "ProcessCommandLine",
                                               "ProcessId",
                                               "RegistryKey",
                                               "RegistryValueData",
                                               "Url",
                                               NULL};
static const char *const changed_properties[] = {"IncidentSeverity", "IncidentStatus",
                                                 "IncidentOwner", NULL};
static const char *const change_types[] = {"ChangedFrom", "ChangedTo", NULL};
static const char *const changed_arrays[] = {"Alerts", "Labels", "Tactics", "Comments", NULL};
static const char *const array_changes[] = {"Added", NULL};
static const char *const array_types[] = {"CustomDetails", "CustomDetailValues", NULL};
static const char *const array_conditions[] = {"AnyItem", NULL};
static const char *const boolean_operators[] = {"And", "Or", NULL};
static const char *const severities[] = {"High", "Medium", "Low", "Informational", NULL};
static const char *const statuses[] = {"New", "Active", "Closed", NULL};
static const char *const classifications[] = {"Undetermined", "TruePositive", "BenignPositive",
                                              "FalsePositive", NULL};
static const char *const reasons[] = {"SuspiciousActivity", "SuspiciousButExpected",
                                      "IncorrectAlertLogic", "InaccurateData", NULL};

static const struct member rule_members[] = {
    {.path = "properties.displayName",
     .type = MEMBER_TEXT,
     .required = true,
     .most = NAME_CHARS_MAX},
    {.path = "properties.order",
     .type = MEMBER_WHOLE,
     .required = true,
     .least = 1,
     .most = ORDER_MAX},
    {.path = "properties.triggeringLogic", .type = MEMBER_OBJECT, .required = true},
    {.path = "properties.triggeringLogic.isEnabled", .type = MEMBER_TRUTH, .required = true},
    {.path = "properties.triggeringLogic.expirationTimeUtc", .type = MEMBER_TIME},
    {.path = "properties.triggeringLogic.triggersOn",
     .type = MEMBER_TEXT,
     .required = true,
     .values = trigger_things},
    {.path = "properties.triggeringLogic.triggersWhen",
     .type = MEMBER_TEXT,
     .required = true,
     .values = trigger_events},
    {.path = "properties.triggeringLogic.conditions", .type = MEMBER_LIST, .most = CONDITIONS_MAX},
    {.path = "properties.actions", .type = MEMBER_LIST, .required = true, .most = ACTIONS_MAX},
    {.path = NULL}};

/* ---- conditions -------------------------------------------------------------------------------------------------------------- */

static const struct member property_members[] = {
    {.path = "conditionProperties.propertyName",
     .type = MEMBER_TEXT,
     .required = true,
     .values = properties_known},
    {.path = "conditionProperties.operator",
     .type = MEMBER_TEXT,
     .required = true,
     .values = operators},
    {.path = "conditionProperties.propertyValues", .type = MEMBER_LIST, .required = true},
    {.path = NULL}};
static const struct member changed_members[] = {
    {.path = "conditionProperties.propertyName",
     .type = MEMBER_TEXT,
     .required = true,
     .values = changed_properties},
    {.path = "conditionProperties.changeType", .type = MEMBER_TEXT, .values = change_types},
    {.path = "conditionProperties.operator", .type = MEMBER_TEXT, .values = operators},
    {.path = "conditionProperties.propertyValues", .type = MEMBER_LIST},
    {.path = NULL}};
static const struct member array_changed_members[] = {{.path = "conditionProperties.arrayType",
                                                       .type = MEMBER_TEXT,
                                                       .required = true,
                                                       .values = changed_arrays},
                                                      {.path = "conditionProperties.changeType",
                                                       .type = MEMBER_TEXT,
                                                       .required = true,
                                                       .values = array_changes},
                                                      {.path = NULL}};
static const struct member array_members[] = {
    {.path = "conditionProperties.arrayType",
     .type = MEMBER_TEXT,
     .required = true,
     .values = array_types},
    {.path = "conditionProperties.arrayConditionType",
     .type = MEMBER_TEXT,
     .required = true,
     .values = array_conditions},
    {.path = "conditionProperties.itemConditions", .type = MEMBER_LIST, .required = true},
    {.path = NULL}};
static const struct member boolean_members[] = {{.path = "conditionProperties.operator",
                                                 .type = MEMBER_TEXT,
                                                 .required = true,
                                                 .values = boolean_operators},
                                                {.path = "conditionProperties.innerConditions",
                                                 .type = MEMBER_LIST,
                                                 .required = true,
                                                 .most = CONDITIONS_MAX},
                                                {.path = NULL}};

static const struct {
    const char *name;
    const struct member *members;
    const char *inner; /* conditions inside */
} condition_types[] = {
    {"Property", property_members, NULL},
    {"PropertyChanged", changed_members, NULL},
    {"PropertyArrayChanged", array_changed_members, NULL},
    {"PropertyArray", array_members, "conditionProperties.itemConditions"},
    {"Boolean", boolean_members, "conditionProperties.innerConditions"},
};

static enum rf_kind check_values(const struct json_node *condition, struct rf_err *err)
{
    const struct json_node *values = json_at(condition, "conditionProperties.propertyValues");
    if (!json_is(values, JSON_T_ARRAY)) return RF_OK;
    for (const struct json_node *value = values->first; value != NULL; value = value->next)
        if (value->type != JSON_T_STRING)
            return BAD(err, "'propertyValues' of a condition holds what is no text.");
    return RF_OK;
}

/* `depth` bounds the recursion: conditions stand in conditions NESTED_MAX deep. */
static enum rf_kind check_conditions(const struct json_node *conditions, bool only_created,
                                     uint32_t depth, struct rf_err *err)
{
    if (depth > NESTED_MAX) return BAD(err, "Conditions are nested too deep.");
    for (const struct json_node *condition = conditions == NULL ? NULL : conditions->first;
         condition != NULL; condition = condition->next) {
        rf_str type = json_text_at(condition, "conditionType");
        size_t i = 0;
        while (i < RF_COUNT(condition_types) && !rf_str_is(type, condition_types[i].name)) i++;
        if (i == RF_COUNT(condition_types))
            return BAD(err, "'conditionType' is Property, PropertyChanged, PropertyArrayChanged, "
                            "PropertyArray or Boolean.");
        bool of_change = condition_types[i].members == changed_members ||
                         condition_types[i].members == array_changed_members;
        if (of_change && only_created)
            return BAD(err,
                       "A condition '%.*s' needs a rule that triggers when incidents are "
                       "Updated.",
                       RF_FMT(type));
        RF_TRY(content_check(condition, condition_types[i].members, err));
        RF_TRY(check_values(condition, err));
        if (condition_types[i].inner != NULL)
            RF_TRY(check_conditions(json_at(condition, condition_types[i].inner), only_created,
                                    depth + 1, err));
    }
    return RF_OK;
}

/* ---- actions ------------------------------------------------------------------------------------------------------------------- */

static const struct member modify_members[] = {
    {.path = "order", .type = MEMBER_WHOLE, .required = true, .least = 1, .most = ORDER_MAX},
    {.path = "actionConfiguration", .type = MEMBER_OBJECT, .required = true},
    {.path = "actionConfiguration.severity", .type = MEMBER_TEXT, .values = severities},
    {.path = "actionConfiguration.status", .type = MEMBER_TEXT, .values = statuses},
    {.path = "actionConfiguration.classification", .type = MEMBER_TEXT, .values = classifications},
    {.path = "actionConfiguration.classificationReason", .type = MEMBER_TEXT, .values = reasons},
    {.path = "actionConfiguration.classificationComment", .type = MEMBER_TEXT},
    {.path = "actionConfiguration.owner", .type = MEMBER_OBJECT},
    {.path = "actionConfiguration.labels", .type = MEMBER_LIST},
    {.path = NULL}};
static const struct member playbook_members[] = {
    {.path = "order", .type = MEMBER_WHOLE, .required = true, .least = 1, .most = ORDER_MAX},
    {.path = "actionConfiguration.logicAppResourceId", .type = MEMBER_TEXT, .required = true},
    {.path = "actionConfiguration.tenantId", .type = MEMBER_TEXT},
    {.path = NULL}};
static const struct member task_members[] = {
    {.path = "order", .type = MEMBER_WHOLE, .required = true, .least = 1, .most = ORDER_MAX},
    {.path = "actionConfiguration.title", .type = MEMBER_TEXT, .required = true, .most = 150},
    {.path = "actionConfiguration.description", .type = MEMBER_TEXT, .most = 3000},
    {.path = NULL}};

/* The reason goes with the classification, and both with closing (contracts/sentinel.md section 3). */
static enum rf_kind check_closing(const struct json_node *action, struct rf_err *err)
{
    static const struct {
        const char *reason, *classification;
    } pairs[] = {{"SuspiciousActivity", "TruePositive"},
                 {"SuspiciousButExpected", "BenignPositive"},
                 {"IncorrectAlertLogic", "FalsePositive"},
                 {"InaccurateData", "FalsePositive"}};
    rf_str classification = json_text_at(action, "actionConfiguration.classification");
    rf_str reason = json_text_at(action, "actionConfiguration.classificationReason");
    rf_str status = json_text_at(action, "actionConfiguration.status");
    for (size_t i = 0; i < RF_COUNT(pairs) && reason.len > 0; i++)
        if (rf_str_eq_nocase(reason, rf_str_of(pairs[i].reason)) &&
            !rf_str_eq_nocase(classification, rf_str_of(pairs[i].classification)))
            return BAD(err, "The reason '%s' goes with the classification '%s'.", pairs[i].reason,
                       pairs[i].classification);
    if (rf_str_eq_nocase(status, RF_S("Closed")) && classification.len == 0)
        return BAD(err, "An action that closes incidents needs a 'classification'.");
    return RF_OK;
}

static enum rf_kind check_labels(const struct json_node *action, struct rf_err *err)
{
    const struct json_node *labels = json_at(action, "actionConfiguration.labels");
    for (const struct json_node *label = labels == NULL ? NULL : labels->first; label != NULL;
         label = label->next)
        if (json_text_at(label, "labelName").len == 0)
            return BAD(err, "A label of an action needs a 'labelName'.");
    return RF_OK;
}

static enum rf_kind check_action(const struct json_node *action, struct rf_err *err)
{
    rf_str type = json_text_at(action, "actionType");
    if (rf_str_is(type, "ModifyProperties")) {
        RF_TRY(content_check(action, modify_members, err));
        RF_TRY(check_labels(action, err));
        return check_closing(action, err);
    }
    if (rf_str_is(type, "RunPlaybook")) return content_check(action, playbook_members, err);
    if (rf_str_is(type, "AddIncidentTask")) return content_check(action, task_members, err);
    return BAD(err, "'actionType' is ModifyProperties, RunPlaybook or AddIncidentTask.");
}

static enum rf_kind check_actions(const struct json_node *properties, bool of_alerts,
                                  struct rf_err *err)
{
    const struct json_node *actions = json_get(properties, "actions");
    for (const struct json_node *action = actions->first; action != NULL; action = action->next) {
        RF_TRY(check_action(action, err));
        if (of_alerts && !rf_str_is(json_text_at(action, "actionType"), "RunPlaybook"))
            return BAD(err, "A rule that triggers on alerts can only run playbooks.");
    }
    return RF_OK;
}

/* ---- the resource --------------------------------------------------------------------------------------------------------------- */

static void set_who(struct arm_call *call, struct json_node *properties, const char *name)
{
    const struct principal *who = call->principal;
    struct json_node *by = json_new(call->arena, JSON_T_OBJECT);
    json_set(call->arena, properties, rf_str_of(name), by);
    if (who == NULL || by == NULL) return;
    json_set_text(call->arena, by, "objectId", who->object_id);
    if (who->display_name.len > 0) json_set_text(call->arena, by, "name", who->display_name);
    if (who->user_name.len == 0) return;
    json_set_text(call->arena, by, "email", who->user_name);
    json_set_text(call->arena, by, "userPrincipalName", who->user_name);
}

static enum rf_kind stamp(struct arm_call *call, struct json_node *properties,
                          const struct arm_resource *before, struct rf_err *err)
{
    rf_str now = time_iso(call->arena, call->now);
    const struct json_node *old = before == NULL ? NULL : json_get(before->body, "properties");
    rf_str created = json_text_at(old, "createdTimeUtc");
    const struct json_node *creator = json_get(old, "createdBy");
    json_set_text(call->arena, properties, "lastModifiedTimeUtc", now);
    set_who(call, properties, "lastModifiedBy");
    if (creator != NULL)
        json_set(call->arena, properties, RF_S("createdBy"), json_clone(call->arena, creator));
    else
        set_who(call, properties, "createdBy");
    if (json_set_text(call->arena, properties, "createdTimeUtc", created.len > 0 ? created : now) ==
        NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

enum rf_kind automation_put(struct arm_call *call, struct arm_resource *resource,
                            const struct arm_resource *before, struct rf_err *err)
{
    rf_str workspace;
    struct json_node *properties = json_get(resource->body, "properties");
    if (!json_is(properties, JSON_T_OBJECT))
        return BAD(err, "An automation rule needs 'properties'.");
    RF_TRY(content_workspace(call, resource->id, &workspace, err));
    RF_TRY(content_check(resource->body, rule_members, err));
    bool of_alerts =
        rf_str_eq_nocase(json_text_at(properties, "triggeringLogic.triggersOn"), RF_S("Alerts"));
    bool created =
        rf_str_eq_nocase(json_text_at(properties, "triggeringLogic.triggersWhen"), RF_S("Created"));
    if (of_alerts && !created) return BAD(err, "Alerts trigger a rule when they are Created only.");
    RF_TRY(check_conditions(json_at(properties, "triggeringLogic.conditions"), created, 0, err));
    RF_TRY(check_actions(properties, of_alerts, err));
    struct json_node *logic = json_get(properties, "triggeringLogic");
    if (json_get(logic, "conditions") == NULL)
        json_set(call->arena, logic, RF_S("conditions"), json_new(call->arena, JSON_T_ARRAY));
    return stamp(call, properties, before, err);
}
