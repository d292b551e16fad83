/* group.c - action groups as resources, and the secret that each signs with. */
#include "alerts/alerts_int.h"
#include "alerts/mail.h"
#include "base/encode.h"
#include "crypt/digest.h"

static const char *const versions[] = {"2017-04-01",         "2018-03-01",         "2018-09-01",
                                       "2019-03-01",         "2019-06-01",         "2021-09-01",
                                       "2022-04-01",         "2022-06-01",         "2023-01-01",
                                       "2023-09-01-preview", "2024-10-01-preview", NULL};
enum { SHORT_NAME_CHARS_MAX = 12, RECEIVERS_MAX = 100, URL_BYTES_MAX = 2048, SALT_BYTES = 16 };

#define BAD_GROUP(err, ...) RF_FAIL(err, RF_INVALID, "BadRequest", __VA_ARGS__)

static const char *const mail_members[] = {"name", "emailAddress", NULL};
static const char *const phone_members[] = {"name", "countryCode", "phoneNumber", NULL};
static const char *const webhook_members[] = {"name", "serviceUri", NULL};
static const char *const itsm_members[] = {"name",   "workspaceId",         "connectionId",
                                           "region", "ticketConfiguration", NULL};
static const char *const runbook_members[] = {"automationAccountId", "runbookName",
                                              "webhookResourceId", NULL};
static const char *const logic_members[] = {"name", "resourceId", "callbackUrl", NULL};
static const char *const function_members[] = {"name", "functionAppResourceId", "functionName",
                                               "httpTriggerUrl", NULL};
static const char *const role_members[] = {"name", "roleId", NULL};
static const char *const hub_members[] = {"name", "eventHubNameSpace", "eventHubName",
                                          "subscriptionId", NULL};
const struct receiver_kind receiver_kinds[] = {
    {"emailReceivers", "Email", RECEIVER_MAIL, NULL, mail_members},
    {"smsReceivers", "Sms", RECEIVER_NONE, NULL, phone_members},
    {"webhookReceivers", "Webhook", RECEIVER_HTTP, "serviceUri", webhook_members},
    {"itsmReceivers", "Itsm", RECEIVER_NONE, NULL, itsm_members},
    {"azureAppPushReceivers", "AzureAppPush", RECEIVER_NONE, NULL, mail_members},
    {"automationRunbookReceivers", "AutomationRunbook", RECEIVER_HTTP, "serviceUri",
     runbook_members},
    {"voiceReceivers", "Voice", RECEIVER_NONE, NULL, phone_members},
    {"logicAppReceivers", "LogicApp", RECEIVER_HTTP, "callbackUrl", logic_members},
    {"azureFunctionReceivers", "AzureFunction", RECEIVER_HTTP, "httpTriggerUrl", function_members},
    {"armRoleReceivers", "ArmRole", RECEIVER_NONE, NULL, role_members},
    {"eventHubReceivers", "EventHub", RECEIVER_NONE, NULL, hub_members},
};
const uint32_t receiver_kind_count = RF_COUNT(receiver_kinds);

/* ---- checking ---------------------------------------------------------------------------------------------------------- */

static bool is_url(rf_str url)
{
    if (url.len > URL_BYTES_MAX ||
        (!rf_str_starts(url, RF_S("https://")) && !rf_str_starts(url, RF_S("http://"))))
        return false;
    for (size_t i = 0; i < url.len; i++)
        if (url.ptr[i] <= ' ' || url.ptr[i] >= 0x7f) return false;
    return rf_str_find(url, RF_S("://"), 0) + 3 < url.len;
}

static enum rf_kind check_receiver(const struct receiver_kind *kind, const struct json_node *node,
                                   uint32_t index, struct rf_err *err)
{
    for (const char *const *member = kind->required; *member != NULL; member++)
        if (json_text_at(node, *member).len == 0)
            return BAD_GROUP(err, "'properties.%s[%u].%s' is missing.", kind->list, index, *member);
    if (kind->way == RECEIVER_MAIL && !mail_address_is(json_text_at(node, "emailAddress")))
        return BAD_GROUP(err, "'properties.%s[%u].emailAddress' is no mail address.", kind->list,
                         index);
    if (kind->url == NULL || json_text_at(node, kind->url).len == 0) return RF_OK;
    if (is_url(json_text_at(node, kind->url))) return RF_OK;
    return BAD_GROUP(err, "'properties.%s[%u].%s' must be a URL with http or https.", kind->list,
                     index, kind->url);
}

/* Names are unique in the whole group, as receivers are found by them. */
static enum rf_kind check_name(const struct json_node *properties, const struct json_node *asked,
                               struct rf_err *err)
{
    rf_str name = json_text_at(asked, "name");
    for (uint32_t k = 0; k < receiver_kind_count; k++) {
        const struct json_node *list = json_get(properties, receiver_kinds[k].list);
        if (!json_is(list, JSON_T_ARRAY)) continue;
        for (const struct json_node *r = list->first; r != NULL; r = r->next)
            if (r != asked && name.len > 0 && rf_str_eq_nocase(json_text_at(r, "name"), name))
                return BAD_GROUP(err, "Two receivers are named '%.*s'; names must differ.",
                                 (int)RF_MIN(name.len, 100), (const char *)name.ptr);
    }
    return RF_OK;
}

enum rf_kind receivers_check(const struct json_node *properties, struct rf_err *err)
{
    uint32_t all = 0;
    for (uint32_t k = 0; k < receiver_kind_count; k++) {
        const struct json_node *list = json_get(properties, receiver_kinds[k].list);
        uint32_t index = 0;
        if (list == NULL || list->type == JSON_T_NULL) continue;
        if (list->type != JSON_T_ARRAY)
            return BAD_GROUP(err, "'properties.%s' must be a list.", receiver_kinds[k].list);
        all += list->count;
        if (all > RECEIVERS_MAX)
            return BAD_GROUP(err, "A group has at most %d receivers.", RECEIVERS_MAX);
        for (const struct json_node *r = list->first; r != NULL; r = r->next) {
            RF_TRY(check_receiver(&receiver_kinds[k], r, index++, err));
            RF_TRY(check_name(properties, r, err));
        }
    }
    return RF_OK;
}

/* ---- the secret -------------------------------------------------------------------------------------------------------- */

/* The secret itself is nowhere: it is made of the key of the tables and a salt of the group. */
static void make_secret(struct alerts *alerts, rf_str group_key, rf_str salt,
                        struct rf_arena *arena, uint8_t out[32])
{
    uint8_t key[SHA256_BYTES];
    const struct extent_key *root = tables_key(alerts->options.tables);
    rf_str bytes = root == NULL ? RF_S("") : rf_str_make(root->bytes, sizeof root->bytes);
    digest_hmac_sha256(bytes, RF_S("ringfort webhook signing"), key);
    rf_str text = rf_arena_printf(arena, "%.*s|%.*s", RF_FMT(salt), RF_FMT(group_key));
    digest_hmac_sha256(rf_str_make(key, sizeof key), text, out);
    explicit_bzero(key, sizeof key);
}

static enum rf_kind put_salt(struct state_txn *txn, rf_str group_key, struct rf_arena *arena,
                             rf_str *salt, struct rf_err *err)
{
    uint8_t bytes[SALT_BYTES];
    random_bytes(bytes, sizeof bytes);
    *salt = hex_encode(arena, rf_str_make(bytes, sizeof bytes));
    rf_str body = rf_arena_printf(arena, "{\"salt\":\"%.*s\"}", RF_FMT(*salt));
    if (salt->ptr == NULL || body.ptr == NULL) return rf_fail_memory(err, arena);
    const struct state_put put = {.space = GROUP_SPACE, .key = group_key, .body = body};
    return state_put(txn, &put, NULL, NULL, err);
}

enum rf_kind group_secret(struct alerts *alerts, struct state_txn *txn, rf_str group_key,
                          struct rf_arena *arena, uint8_t out[32], bool *found, struct rf_err *err)
{
    struct state_object object;
    struct json_node *body;
    enum rf_kind kind = state_get(txn, GROUP_SPACE, group_key, arena, &object, err);
    *found = kind == RF_OK;
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    RF_TRY(json_parse(object.body, arena, &body, err));
    make_secret(alerts, group_key, json_text_at(body, "salt"), arena, out);
    return RF_OK;
}

static enum rf_kind rotate_secret(struct arm_call *call, struct arm_resource *resource,
                                  struct rf_err *err)
{
    struct alerts *alerts = call->ctx;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    uint8_t secret[32];
    rf_str salt;
    /* An action has a read transaction. */
    RF_TRY(state_begin_write(alerts->options.state, &txn, err));
    RF_TRY(put_salt(txn, resource->key, call->arena, &salt, err));
    RF_TRY(state_finish(&txn, err));
    make_secret(alerts, resource->key, salt, call->arena, secret);
    rf_str text = base64_encode(call->arena, rf_str_make(secret, sizeof secret));
    explicit_bzero(secret, sizeof secret);
    struct json_node *body = json_new(call->arena, JSON_T_OBJECT);
    if (text.ptr == NULL ||
        json_set_text(call->arena, body, "signingSecret",
                      rf_arena_printf(call->arena, "whsec_%.*s", RF_FMT(text))) == NULL)
        return rf_fail_memory(err, call->arena);
    http_set_literal(call->request->response, "Cache-Control", "no-store");
    return request_answer(call->request, 200, body);
}

/* A receiver that has left takes part again. */
static enum rf_kind subscribe(struct arm_call *call, struct arm_resource *resource,
                              struct rf_err *err)
{
    struct json_node *sent, *receiver = NULL;
    struct arm_resource stored;
    bool created;
    RF_TRY(request_json(call->request, false, &sent, err));
    rf_str name = json_text_at(sent, "receiverName");
    struct json_node *body = json_clone(call->arena, resource->body);
    if (body == NULL) return rf_fail_memory(err, call->arena);
    for (uint32_t k = 0; k < receiver_kind_count; k++) {
        struct json_node *list = json_get(json_get(body, "properties"), receiver_kinds[k].list);
        for (struct json_node *r = list == NULL ? NULL : list->first; r != NULL; r = r->next)
            if (name.len > 0 && rf_str_eq_nocase(json_text_at(r, "name"), name)) receiver = r;
    }
    if (receiver == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "ReceiverNotFound", "The group has no receiver '%.*s'.",
                       (int)RF_MIN(name.len, 100), (const char *)name.ptr);
    if (!rf_str_is(json_text_at(receiver, "status"), "Disabled"))
        return RF_FAIL(err, RF_CONFLICT, "ReceiverEnabled", "The receiver is enabled already.");
    if (json_set_text(call->arena, receiver, "status", RF_S("Enabled")) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(arm_put(call->arm, resource->id, body, call->principal, call->arena, &stored, &created,
                   err));
    return request_answer_empty(call->request, 200);
}

/* ---- the resource ------------------------------------------------------------------------------------------------------ */

static enum rf_kind put_group(struct arm_call *call, struct arm_resource *resource,
                              const struct arm_resource *before, struct rf_err *err)
{
    struct json_node *p = json_get(resource->body, "properties");
    struct state_object object;
    rf_str name = json_text_at(p, "groupShortName"), salt;
    size_t chars = rf_utf8_count(name);
    (void)before;
    if (!json_is(p, JSON_T_OBJECT)) return BAD_GROUP(err, "'properties' is missing.");
    if (chars == 0 || chars > SHORT_NAME_CHARS_MAX)
        return BAD_GROUP(err, "'properties.groupShortName' must have 1 to %d characters.",
                         SHORT_NAME_CHARS_MAX);
    const struct json_node *enabled = json_get(p, "enabled");
    if (enabled == NULL) json_set_bool(call->arena, p, "enabled", true);
    if (enabled != NULL && enabled->type != JSON_T_TRUE && enabled->type != JSON_T_FALSE)
        return BAD_GROUP(err, "'properties.enabled' must be true or false.");
    RF_TRY(receivers_check(p, err));
    for (uint32_t k = 0; k < receiver_kind_count; k++) {
        struct json_node *list = json_get(p, receiver_kinds[k].list);
        if (list != NULL && list->type == JSON_T_NULL) list->type = JSON_T_ARRAY;
        if (list == NULL && json_set(call->arena, p, rf_str_of(receiver_kinds[k].list),
                                     json_new(call->arena, JSON_T_ARRAY)) == NULL)
            return rf_fail_memory(err, call->arena);
        for (struct json_node *r = list == NULL ? NULL : list->first; r != NULL; r = r->next)
            if ((receiver_kinds[k].way == RECEIVER_MAIL ||
                 rf_str_is(rf_str_of(receiver_kinds[k].name), "Sms")) &&
                json_text_at(r, "status").len == 0)
                json_set_text(call->arena, r, "status", RF_S("Enabled"));
    }
    enum rf_kind kind = state_get(call->txn, GROUP_SPACE, resource->key, call->arena, &object, err);
    if (kind != RF_NOT_FOUND) return kind;
    return put_salt(call->txn, resource->key, call->arena, &salt, err);
}

static enum rf_kind remove_group(struct arm_call *call, struct arm_resource *resource,
                                 struct rf_err *err)
{
    enum rf_kind kind = state_delete(call->txn, GROUP_SPACE, resource->key, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

static const char document_members[] =
    "groupShortName enabled emailReceivers name emailAddress useCommonAlertSchema webhookReceivers "
    "serviceUri "
    "useAadAuth objectId identifierUri tenantId smsReceivers countryCode phoneNumber "
    "azureAppPushReceivers logicAppReceivers resourceId callbackUrl eventHubReceivers";

struct arm_type group_type(struct alerts *alerts)
{
    alerts->group_actions[0] = (struct arm_action){
        .name = "rotateSigningSecret", .method = HTTP_POST, .run = rotate_secret};
    alerts->group_actions[1] =
        (struct arm_action){.name = "subscribe", .method = HTTP_POST, .run = subscribe};
    return (struct arm_type){.name = GROUP_TYPE,
                             .versions = versions,
                             .members = document_members,
                             .put = put_group,
                             .remove = remove_group,
                             .flags = ARM_TRACKED | ARM_NO_STATE | ARM_STAYS,
                             .actions = alerts->group_actions,
                             .action_count = RF_COUNT(alerts->group_actions),
                             .ctx = alerts};
}
