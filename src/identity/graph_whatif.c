/* graph_whatif.c - which policies would apply to a sign-in that is described (Graph beta: conditionalAccessRoot/evaluate). */
#include "identity/graph_policy_int.h"

enum { WHAT_IF_APPS_MAX = 20 };

struct what_if {
    struct graph_call *call;
    struct policy_input input;
    const struct json_node *apps; /* NULL: one evaluation, without an application of its own */
    rf_str context;               /* one authentication context */
    bool applied_only;
};

/* ---- the question ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind read_who(struct what_if *w, struct rf_err *err)
{
    const struct json_node *who = json_get(w->call->body, "signInIdentity");
    struct json_node *there;
    rf_str user = json_text_at(who, "userId"), app = json_text_at(who, "servicePrincipalId");
    if ((user.len > 0) == (app.len > 0))
        return graph_bad(err, "signInIdentity needs a userId or a servicePrincipalId.");
    rf_str id = user.len > 0 ? user : app;
    const char *space = user.len > 0 ? "user" : "servicePrincipal";
    enum rf_kind kind = guid_is(id)
                            ? object_get(w->call->txn, space, id, w->call->arena, &there, err)
                            : RF_NOT_FOUND;
    if (kind == RF_NOT_FOUND) return graph_not_found(id, err);
    RF_TRY(kind);
    w->input.user = user.len > 0 ? json_text_at(there, "id") : user;
    w->input.service_principal = app.len > 0 ? json_text_at(there, "id") : app;
    return RF_OK;
}

static enum rf_kind read_context(struct what_if *w, struct rf_err *err)
{
    static const struct {
        const char *name, *urn;
    } actions[] = {{"registerSecurityInformation", "urn:user:registersecurityinfo"},
                   {"registerOrJoinDevices", "urn:user:registerdevice"}};
    const struct json_node *context = json_get(w->call->body, "signInContext");
    rf_str action = json_text_at(context, "userAction");
    const struct json_node *apps = json_get(context, "includeApplications");
    w->context = json_text_at(context, "authenticationContext");
    if (w->context.len > 0) {
        w->input.contexts = &w->context;
        w->input.context_count = 1;
        return RF_OK;
    }
    for (size_t i = 0; i < RF_COUNT(actions); i++)
        if (rf_str_eq_nocase(action, rf_str_of(actions[i].name)))
            w->input.user_action = rf_str_of(actions[i].urn);
    if (w->input.user_action.len > 0) return RF_OK;
    if (action.len > 0)
        return graph_bad(err, "signInContext.userAction is registerSecurityInformation or "
                              "registerOrJoinDevices.");
    if (!json_is(apps, JSON_T_ARRAY) || apps->count == 0 || apps->count > WHAT_IF_APPS_MAX)
        return graph_bad(err,
                         "signInContext needs includeApplications (1 to %d), a userAction or "
                         "an authenticationContext.",
                         WHAT_IF_APPS_MAX);
    for (const struct json_node *app = apps->first; app != NULL; app = app->next)
        if (app->type != JSON_T_STRING)
            return graph_bad(err, "signInContext.includeApplications holds texts.");
    w->apps = apps;
    return RF_OK;
}

struct word {
    const char *name;
    int value;
};

static enum rf_kind read_word(const struct json_node *conditions, const char *name,
                              const struct word *words, size_t count, int *out, struct rf_err *err)
{
    const struct json_node *node = json_get(conditions, name);
    if (node == NULL || node->type == JSON_T_NULL) return RF_OK;
    for (size_t i = 0; i < count; i++) {
        if (!rf_str_eq_nocase(node->text, rf_str_of(words[i].name))) continue;
        *out = words[i].value;
        return RF_OK;
    }
    return graph_bad(err, "signInConditions.%s holds an unknown value.", name);
}

static enum rf_kind read_levels(struct what_if *w, const struct json_node *conditions,
                                struct rf_err *err)
{
    static const struct word risks[] = {
        {"none", RISK_NONE}, {"low", RISK_LOW}, {"medium", RISK_MEDIUM}, {"high", RISK_HIGH}};
    static const struct word clients[] = {{"all", POLICY_BROWSER},
                                          {"browser", POLICY_BROWSER},
                                          {"mobileAppsAndDesktopClients", POLICY_MOBILE_DESKTOP},
                                          {"exchangeActiveSync", POLICY_OTHER},
                                          {"easSupported", POLICY_OTHER},
                                          {"other", POLICY_OTHER}};
    int client = POLICY_BROWSER, user = RISK_NONE, sign_in = RISK_NONE;
    const char *risk =
        w->input.service_principal.len > 0 ? "servicePrincipalRiskLevel" : "userRiskLevel";
    RF_TRY(read_word(conditions, "clientAppType", clients, RF_COUNT(clients), &client, err));
    RF_TRY(read_word(conditions, risk, risks, RF_COUNT(risks), &user, err));
    RF_TRY(read_word(conditions, "signInRiskLevel", risks, RF_COUNT(risks), &sign_in, err));
    w->input.client = (enum policy_client)client;
    w->input.user_risk = (enum risk_level)user;
    w->input.sign_in_risk = (enum risk_level)sign_in;
    return RF_OK;
}

static enum rf_kind read_conditions(struct what_if *w, struct rf_err *err)
{
    static const char *const flows[] = {"deviceCodeFlow", "authenticationTransfer"};
    const struct json_node *conditions = json_get(w->call->body, "signInConditions");
    rf_str flow = json_text_at(conditions, "authenticationFlow.transferMethod");
    rf_str platform = json_text_at(conditions, "devicePlatform");
    RF_TRY(read_levels(w, conditions, err));
    w->input.address = json_text_at(conditions, "ipAddress");
    w->input.country = json_text_at(conditions, "country");
    if (!rf_str_eq_nocase(platform, RF_S("all"))) w->input.platform = platform;
    w->input.device = json_get(conditions, "deviceInfo");
    w->input.device_compliant = json_bool_at(w->input.device, "isCompliant", false);
    w->input.device_joined =
        rf_str_eq_nocase(json_text_at(w->input.device, "trustType"), RF_S("ServerAD"));
    for (size_t i = 0; i < RF_COUNT(flows); i++)
        if (rf_str_eq_nocase(flow, rf_str_of(flows[i]))) w->input.flow = flows[i];
    if (flow.len > 0 && w->input.flow == NULL && !rf_str_eq_nocase(flow, RF_S("none")))
        return graph_bad(err, "signInConditions.authenticationFlow.transferMethod is "
                              "deviceCodeFlow or authenticationTransfer.");
    w->applied_only = json_bool_at(w->call->body, "appliedPoliciesOnly", false);
    return RF_OK;
}

/* ---- the answer --------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind add_result(struct what_if *w, const struct policy_row *row,
                               struct json_node *list, struct rf_err *err)
{
    struct rf_arena *arena = w->call->arena;
    bool enabled = row->result != POLICY_NOT_ENABLED;
    bool applies = enabled && row->why_not == NULL;
    if (w->applied_only && !applies) return RF_OK;
    struct json_node *shown = graph_public(arena, row->policy);
    json_set_bool(arena, shown, "policyApplies", applies);
    const char *why = applies ? "notSet" : enabled ? row->why_not : "policyNotEnabled";
    if (json_set_text(arena, shown, "analysisReasons", rf_str_of(why)) == NULL)
        return graph_memory(w->call, err);
    json_append(list, shown);
    return RF_OK;
}

/* With several applications a policy applies when it does to one of them. */
static enum rf_kind evaluate_apps(struct what_if *w, const struct access_policies *set,
                                  struct policy_verdict *out, struct rf_err *err)
{
    const struct json_node *app = w->apps == NULL ? NULL : w->apps->first;
    bool first = true;
    do {
        struct policy_verdict verdict;
        if (app != NULL) w->input.resource_app = w->input.client_app = app->text;
        RF_TRY(policy_evaluate(set->policies, set->policy_count, set->locations,
                               set->location_count, &w->input, w->call->arena, &verdict, err));
        if (first) *out = verdict;
        for (uint32_t i = 0; i < verdict.row_count; i++)
            if (verdict.rows[i].why_not == NULL) out->rows[i] = verdict.rows[i];
        first = false;
        if (app != NULL) app = app->next;
    } while (app != NULL);
    return RF_OK;
}

enum rf_kind graph_what_if(struct graph_call *call, struct rf_err *err)
{
    struct what_if w = {.call = call, .input = {.now = call->request->now}};
    struct access_policies set;
    struct policy_verdict verdict;
    struct json_node *root = json_new(call->arena, JSON_T_OBJECT);
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    if (root == NULL || list == NULL) return graph_memory(call, err);
    if (call->body == NULL) return graph_bad(err, "A body is required.");
    RF_TRY(read_who(&w, err));
    RF_TRY(read_context(&w, err));
    RF_TRY(read_conditions(&w, err));
    RF_TRY(access_load(call->txn, call->arena, &set, err));
    RF_TRY(access_person(call->txn, &set, call->arena, &w.input, err));
    RF_TRY(evaluate_apps(&w, &set, &verdict, err));
    for (uint32_t i = 0; i < verdict.row_count; i++)
        RF_TRY(add_result(&w, &verdict.rows[i], list, err));
    json_set_text(call->arena, root, "@odata.context",
                  graph_context(call, "Collection(microsoft.graph.whatIfAnalysisResult)"));
    if (json_set(call->arena, root, RF_S("value"), list) == NULL) return graph_memory(call, err);
    call->answer = root;
    return RF_OK;
}
