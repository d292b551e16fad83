/* graph_strength.c - authentication strengths: the three that are built in, and the tenant's own. */
#include "identity/graph_policy_int.h"

enum { STRENGTHS_MAX = 15, COMBINATIONS_MAX = 64, STRENGTH_NAME_BYTES_MAX = 256 };

static const struct {
    const char *id, *name, *description, *combinations; /* blanks between the combinations */
} built_in[] = {
    {"00000000-0000-0000-0000-000000000002", "Multifactor authentication",
     "Combinations of methods that satisfy strong authentication, such as a password and a code.",
     "fido2 temporaryAccessPassOneTime temporaryAccessPassMultiUse password,softwareOath"},
    {"00000000-0000-0000-0000-000000000003", "Passwordless MFA",
     "Passwordless methods that satisfy strong authentication.", "fido2"},
    {"00000000-0000-0000-0000-000000000004", "Phishing-resistant MFA",
     "Phishing-resistant, passwordless methods for the strongest authentication.", "fido2"},
};

/* The modes of Graph. Those that are not offered here may be allowed, and help nobody. */
static const char *const methods[] = {"password",
                                      "voice",
                                      "hardwareOath",
                                      "softwareOath",
                                      "sms",
                                      "fido2",
                                      "windowsHelloForBusiness",
                                      "microsoftAuthenticatorPush",
                                      "deviceBasedPush",
                                      "temporaryAccessPassOneTime",
                                      "temporaryAccessPassMultiUse",
                                      "email",
                                      "x509CertificateSingleFactor",
                                      "x509CertificateMultiFactor",
                                      "federatedSingleFactor",
                                      "federatedMultiFactor",
                                      "qrCodePin"};
static const char *const whole_methods[] = {"fido2",
                                            "windowsHelloForBusiness",
                                            "deviceBasedPush",
                                            "temporaryAccessPassOneTime",
                                            "temporaryAccessPassMultiUse",
                                            "x509CertificateMultiFactor",
                                            "federatedMultiFactor"};

static const struct graph_property properties[] = {
    {"id", P_TEXT, P_READ_ONLY},
    {"createdDateTime", P_TEXT, P_READ_ONLY},
    {"modifiedDateTime", P_TEXT, P_READ_ONLY},
    {"deletedDateTime", P_TEXT, P_READ_ONLY},
    {"policyType", P_TEXT, P_READ_ONLY},
    {"requirementsSatisfied", P_TEXT, P_READ_ONLY},
    {"displayName", P_TEXT, P_REQUIRED},
    {"description", P_TEXT, 0},
    {"allowedCombinations", P_TEXTS, P_REQUIRED | P_FIXED},
    {"combinationConfigurations", P_OBJECTS, 0},
};

/* ---- those that are built in --------------------------------------------------------------------------------------------------- */

static struct json_node *words_of(struct rf_arena *arena, const char *text)
{
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    rf_str words = rf_str_of(text);
    for (size_t at = 0; list != NULL && at < words.len;) {
        size_t end = rf_str_find(words, RF_S(" "), at);
        if (end == SIZE_MAX) end = words.len;
        if (json_append(list, json_new_text(arena, rf_slice(words, at, end))) == NULL) return NULL;
        at = end + 1;
    }
    return list;
}

static struct json_node *built_in_json(struct rf_arena *arena, size_t index)
{
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, doc, "id", rf_str_of(built_in[index].id));
    json_set_text(arena, doc, "displayName", rf_str_of(built_in[index].name));
    json_set_text(arena, doc, "description", rf_str_of(built_in[index].description));
    json_set_text(arena, doc, "policyType", RF_S("builtIn"));
    json_set_text(arena, doc, "requirementsSatisfied", RF_S("mfa"));
    json_set(arena, doc, RF_S("combinationConfigurations"), json_new(arena, JSON_T_ARRAY));
    return json_set(arena, doc, RF_S("allowedCombinations"),
                    words_of(arena, built_in[index].combinations)) == NULL
               ? NULL
               : doc;
}

static bool is_built_in(rf_str id, size_t *index)
{
    for (*index = 0; *index < RF_COUNT(built_in); ++*index)
        if (rf_str_eq_nocase(id, rf_str_of(built_in[*index].id))) return true;
    return false;
}

enum rf_kind graph_strength_find(struct graph_call *call, rf_str id, struct json_node **out,
                                 struct rf_err *err)
{
    size_t index;
    if (is_built_in(id, &index)) {
        *out = built_in_json(call->arena, index);
        return *out == NULL ? graph_memory(call, err) : RF_OK;
    }
    if (!guid_is(id)) return graph_not_found(id, err);
    enum rf_kind kind =
        object_get(call->txn, "authenticationStrengthPolicy", id, call->arena, out, err);
    return kind == RF_NOT_FOUND ? graph_not_found(id, err) : kind;
}

/* ---- the tenant's own --------------------------------------------------------------------------------------------------------------- */

static bool is_among(rf_str text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rf_str_is(text, words[i])) return true;
    return false;
}

/* "password,softwareOath": known methods; *whole: it is two factors. */
static bool is_combination(rf_str text, bool *whole)
{
    uint32_t parts = 0;
    *whole = is_among(text, whole_methods, RF_COUNT(whole_methods));
    for (size_t at = 0; at <= text.len; parts++) {
        size_t end = rf_str_find(text, RF_S(","), at);
        if (end == SIZE_MAX) end = text.len;
        if (!is_among(rf_slice(text, at, end), methods, RF_COUNT(methods))) return false;
        at = end + 1;
    }
    *whole = *whole || parts > 1;
    return parts <= 2;
}

static enum rf_kind check_combinations(struct graph_call *call, struct json_node *doc,
                                       struct rf_err *err)
{
    const struct json_node *list = json_get(doc, "allowedCombinations");
    bool all_whole = true;
    if (!json_is(list, JSON_T_ARRAY) || list->count == 0 || list->count > COMBINATIONS_MAX)
        return graph_bad(err, "allowedCombinations must hold 1 to %d combinations.",
                         COMBINATIONS_MAX);
    for (const struct json_node *c = list->first; c != NULL; c = c->next) {
        bool whole;
        if (c->type != JSON_T_STRING || !is_combination(c->text, &whole))
            return graph_bad(err, "allowedCombinations holds an unknown value: '%.*s'.",
                             (int)RF_MIN(c->text.len, (size_t)64), (const char *)c->text.ptr);
        all_whole = all_whole && whole;
    }
    json_set_text(call->arena, doc, "policyType", RF_S("custom"));
    json_set_text(call->arena, doc, "modifiedDateTime",
                  time_graph(call->arena, call->request->now));
    return json_set_text(call->arena, doc, "requirementsSatisfied",
                         all_whole ? RF_S("mfa") : RF_S("none")) == NULL
               ? graph_memory(call, err)
               : RF_OK;
}

static enum rf_kind put(struct graph_call *call, struct json_node *doc,
                        const struct json_node *before, struct rf_err *err)
{
    struct object_list list;
    const struct json_node *configurations = json_get(doc, "combinationConfigurations");
    if (json_text_at(doc, "displayName").len > STRENGTH_NAME_BYTES_MAX)
        return graph_bad(err, "displayName is a text of 1 to %d characters.",
                         STRENGTH_NAME_BYTES_MAX);
    if (json_is(configurations, JSON_T_ARRAY) && configurations->count > 0)
        return graph_bad(err, "combinationConfigurations are not offered here.");
    RF_TRY(check_combinations(call, doc, err));
    if (before == NULL) {
        RF_TRY(object_list(call->txn, "authenticationStrengthPolicy", NULL, (rf_str){0},
                           call->arena, &list, err));
        if (list.count >= STRENGTHS_MAX)
            return graph_bad(err, "There are %d strengths already: delete one before.",
                             STRENGTHS_MAX);
    }
    return graph_access_put(call, "authenticationStrengthPolicy", doc, err);
}

static enum rf_kind remove_strength(struct graph_call *call, const struct json_node *doc,
                                    struct rf_err *err)
{
    static const char *const paths[] = {"grantControls.authenticationStrength.id"};
    rf_str policy;
    RF_TRY(graph_policy_naming(call, paths, 1, json_text_at(doc, "id"), &policy, err));
    if (policy.len == 0) return RF_OK;
    return graph_bad(err, "The policy '%.*s' asks for this strength: change that before.",
                     RF_FMT(policy));
}

static const struct graph_entity strength_entity = {
    .space = "authenticationStrengthPolicy",
    .set = "policies/authenticationStrengthPolicies",
    .type = "authenticationStrengthPolicy",
    .properties = properties,
    .property_count = RF_COUNT(properties),
    .trail_type = "Policy",
    .trail_category = "Policy",
    .trail_service = "Conditional Access",
    .added = "Add authentication strength policy",
    .updated = "Update authentication strength policy",
    .deleted = "Delete authentication strength policy",
    .put = put,
    .remove = remove_strength,
};

/* ---- calls ---------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind list_strengths(struct graph_call *call, struct rf_err *err)
{
    struct object_list own;
    RF_TRY(object_list(call->txn, "authenticationStrengthPolicy", NULL, (rf_str){0}, call->arena,
                       &own, err));
    uint32_t count = RF_COUNT(built_in) + own.count;
    struct json_node **docs = rf_arena_new(call->arena, struct json_node *, count);
    if (docs == NULL) return graph_memory(call, err);
    for (uint32_t i = 0; i < RF_COUNT(built_in); i++) {
        docs[i] = built_in_json(call->arena, i);
        if (docs[i] == NULL) return graph_memory(call, err);
    }
    for (uint32_t i = 0; i < own.count; i++) docs[RF_COUNT(built_in) + i] = own.items[i];
    struct graph_items items = {
        .docs = docs, .count = count, .context = "policies/authenticationStrengthPolicies"};
    return graph_list_items(call, &items, err);
}

static enum rf_kind get_strength(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc;
    RF_TRY(graph_strength_find(call, call->ids[0], &doc, err));
    return graph_answer_entity(call, &strength_entity, doc, 200, err);
}

static enum rf_kind check_own(struct graph_call *call, struct rf_err *err)
{
    size_t index;
    if (!is_built_in(call->ids[0], &index)) return RF_OK;
    return graph_bad(err, "Strengths that are built in cannot be changed: make one of your own.");
}

static enum rf_kind update_strength(struct graph_call *call, struct rf_err *err)
{
    RF_TRY(check_own(call, err));
    return graph_entity_update(call, err);
}

static enum rf_kind delete_strength(struct graph_call *call, struct rf_err *err)
{
    RF_TRY(check_own(call, err));
    return graph_entity_remove(call, err);
}

static enum rf_kind update_combinations(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc, *answer = json_new(call->arena, JSON_T_OBJECT);
    struct json_node *wanted = json_get(call->body, "allowedCombinations");
    RF_TRY(check_own(call, err));
    RF_TRY(graph_entity_find(call, &strength_entity, 0, &doc, err));
    struct json_node *before = json_clone(call->arena, doc);
    if (before == NULL || answer == NULL) return graph_memory(call, err);
    if (!json_is(wanted, JSON_T_ARRAY)) return graph_bad(err, "allowedCombinations is required.");
    if (json_set(call->arena, doc, wanted->name, json_clone(call->arena, wanted)) == NULL)
        return graph_memory(call, err);
    RF_TRY(put(call, doc, before, err));
    RF_TRY(graph_store(call, &strength_entity, doc, before, strength_entity.updated, err));
    json_set_text(call->arena, answer, "@odata.context",
                  graph_context(call, "microsoft.graph.updateAllowedCombinationsResult"));
    json_set_text(call->arena, answer, "additionalInformation", RF_S(""));
    json_set(call->arena, answer, RF_S("currentCombinations"),
             json_clone(call->arena, json_get(doc, "allowedCombinations")));
    if (json_set(call->arena, answer, RF_S("previousCombinations"),
                 json_clone(call->arena, json_get(before, "allowedCombinations"))) == NULL)
        return graph_memory(call, err);
    call->answer = answer;
    return RF_OK;
}

#define STRENGTH &strength_entity
#define PATHS(path)                                                                                \
    {HTTP_GET, 0, path, POLICY_READ, list_strengths, STRENGTH},                                    \
        {HTTP_POST, 0, path, POLICY_WRITE, graph_entity_create, STRENGTH},                         \
        {HTTP_GET, 0, path "/{}", POLICY_READ, get_strength, STRENGTH},                            \
        {HTTP_PATCH, 0, path "/{}", POLICY_WRITE, update_strength, STRENGTH},                      \
        {HTTP_DELETE, 0, path "/{}", POLICY_WRITE, delete_strength, STRENGTH},                     \
    {                                                                                              \
        HTTP_POST, false, path "/{}/updateAllowedCombinations", POLICY_WRITE, update_combinations, \
            STRENGTH                                                                               \
    }
const struct graph_route graph_strength_routes[] = {
    PATHS("policies/authenticationStrengthPolicies"),
    PATHS("identity/conditionalAccess/authenticationStrength/policies"),
    {.path = NULL},
};
