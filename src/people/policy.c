/* policy.c - conditional access: what the policies that apply ask for, and what is open of it. */
#include "people/policy_int.h"

enum {
    /* "Every time" is this sign-in, and not each of the requests that it takes. */
    EVERY_TIME_SECONDS = 300,
    HOUR_SECONDS = 3600
};

const char *policy_result_name(enum policy_result result)
{
    switch (result) {
    case POLICY_NOT_APPLIED:
        return "notApplied";
    case POLICY_NOT_ENABLED:
        return "notEnabled";
    case POLICY_SUCCESS:
        return "success";
    /* Logs know one word for both. */
    case POLICY_FAILURE:
    case POLICY_INTERRUPTED:
        return "failure";
    case POLICY_REPORT_SUCCESS:
        return "reportOnlySuccess";
    case POLICY_REPORT_FAILURE:
        return "reportOnlyFailure";
    case POLICY_REPORT_INTERRUPTED:
        return "reportOnlyInterrupted";
    case POLICY_REPORT_NOT_APPLIED:
        return "reportOnlyNotApplied";
    }
    return "unknown";
}

/* ---- grant controls ---------------------------------------------------------------------------------------------------------- */

static unsigned control_asks(rf_str control, const struct policy_input *input)
{
    if (rf_str_is(control, "mfa")) return proof_is_mfa(input->proofs) ? 0 : ASK_MFA;
    if (rf_str_is(control, "passwordChange"))
        return input->fresh_password ? 0 : ASK_PASSWORD_CHANGE;
    if (rf_str_is(control, "compliantDevice")) return input->device_compliant ? 0 : ASK_DEVICE;
    if (rf_str_is(control, "domainJoinedDevice")) return input->device_joined ? 0 : ASK_DEVICE;
    return ASK_DEVICE; /* approvedApplication, compliantApplication, and what nobody knows */
}

struct asked {
    unsigned all, one; /* of each control; the easiest of those that will do alone */
    bool any_met;
    uint32_t count;
};

static void note_ask(struct asked *asked, unsigned asks)
{
    static const unsigned order[] = {ASK_MFA, ASK_PASSKEY, ASK_AGAIN, ASK_PASSWORD_CHANGE,
                                     ASK_DEVICE};
    asked->count++;
    asked->all |= asks;
    if (asks == 0) asked->any_met = true;
    for (size_t i = 0; i < RF_COUNT(order); i++) {
        if (((asked->one | asks) & order[i]) == 0) continue;
        asked->one = order[i];
        return;
    }
}

static unsigned grant_asks(const struct json_node *policy, const struct policy_input *input)
{
    const struct json_node *grant = json_get(policy, "grantControls");
    const struct json_node *controls = json_get(grant, "builtInControls");
    const struct json_node *strength = json_get(grant, "authenticationStrength");
    struct asked asked = {.count = 0};
    if (json_is(controls, JSON_T_ARRAY))
        for (const struct json_node *c = controls->first; c != NULL; c = c->next)
            note_ask(&asked, control_asks(c->text, input));
    if (json_is(strength, JSON_T_OBJECT)) note_ask(&asked, strength_asks(strength, input->proofs));
    if (policy_list_given(grant, "termsOfUse") ||
        policy_list_given(grant, "customAuthenticationFactors"))
        note_ask(&asked, ASK_DEVICE);
    bool one_will_do = rf_str_eq_nocase(json_text_at(grant, "operator"), RF_S("OR"));
    if (!one_will_do) return asked.all;
    return asked.any_met ? 0 : asked.one;
}

static bool blocks(const struct json_node *policy)
{
    return policy_word_in(json_at(policy, "grantControls.builtInControls"), RF_S("block"));
}

/* ---- session controls --------------------------------------------------------------------------------------------------------- */

/* Seconds; 0: every time, -1: none. */
static int64_t frequency_of(const struct json_node *policy)
{
    const struct json_node *control = json_at(policy, "sessionControls.signInFrequency");
    int64_t value;
    if (!json_bool_at(control, "isEnabled", false)) return -1;
    if (rf_str_is(json_text_at(control, "frequencyInterval"), "everyTime")) return 0;
    if (!json_i64_at(control, "value", &value) || value <= 0 || value > 8760) return -1;
    bool days = rf_str_is(json_text_at(control, "type"), "days");
    return value * HOUR_SECONDS * (days ? 24 : 1);
}

static bool is_older(rf_usec proved, int64_t frequency_seconds, rf_usec now)
{
    int64_t seconds = frequency_seconds == 0 ? EVERY_TIME_SECONDS : frequency_seconds;
    return proved <= 0 || now - proved > seconds * RF_USEC_PER_SECOND;
}

static unsigned frequency_asks(const struct json_node *policy, const struct policy_input *input)
{
    int64_t seconds = frequency_of(policy);
    if (seconds < 0 || input->service_principal.len > 0) return 0;
    bool second_only =
        rf_str_is(json_text_at(policy, "sessionControls.signInFrequency.authenticationType"),
                  "secondaryAuthentication");
    if (!second_only && is_older(input->proved_at, seconds, input->now)) return ASK_AGAIN;
    /* Who has no second step yet is asked for one by a grant control, or by none. */
    rf_usec second = input->second_proved_at > 0 ? input->second_proved_at : input->proved_at;
    return proof_is_mfa(input->proofs) && is_older(second, seconds, input->now) ? ASK_MFA : 0;
}

static void add_session(const struct json_node *policy, struct policy_verdict *out)
{
    int64_t seconds = frequency_of(policy);
    if (seconds >= 0 && (out->frequency_seconds < 0 || seconds < out->frequency_seconds))
        out->frequency_seconds = seconds;
    const struct json_node *browser = json_at(policy, "sessionControls.persistentBrowser");
    if (!json_bool_at(browser, "isEnabled", false)) return;
    if (rf_str_is(json_text_at(browser, "mode"), "never")) out->persistent = PERSIST_NEVER;
    if (rf_str_is(json_text_at(browser, "mode"), "always") && out->persistent == PERSIST_FREE)
        out->persistent = PERSIST_ALWAYS;
}

/* ---- all together ---------------------------------------------------------------------------------------------------------------- */

static void judge(const struct json_node *policy, const struct places *places,
                  const struct policy_input *input, struct policy_row *row)
{
    rf_str state = json_text_at(policy, "state");
    bool report = rf_str_is(state, "enabledForReportingButNotEnforced");
    *row = (struct policy_row){.policy = policy, .result = POLICY_NOT_ENABLED};
    if (!report && !rf_str_is(state, "enabled")) return;
    row->why_not = policy_misses(policy, places, input);
    if (row->why_not != NULL) {
        row->result = report ? POLICY_REPORT_NOT_APPLIED : POLICY_NOT_APPLIED;
        return;
    }
    if (blocks(policy)) {
        row->result = report ? POLICY_REPORT_FAILURE : POLICY_FAILURE;
        return;
    }
    row->asks = grant_asks(policy, input) | frequency_asks(policy, input);
    if (row->asks == 0)
        row->result = report ? POLICY_REPORT_SUCCESS : POLICY_SUCCESS;
    else if (row->asks & ASK_DEVICE)
        row->result = report ? POLICY_REPORT_FAILURE : POLICY_FAILURE;
    else
        row->result = report ? POLICY_REPORT_INTERRUPTED : POLICY_INTERRUPTED;
}

static void add_row(const struct policy_row *row, struct policy_verdict *out)
{
    bool applies = row->result == POLICY_SUCCESS || row->result == POLICY_FAILURE ||
                   row->result == POLICY_INTERRUPTED;
    if (!applies) return;
    if (blocks(row->policy) && !out->blocked) {
        out->blocked = true;
        out->blocked_by = row->policy;
    }
    if (row->asks != 0 && out->asked_by == NULL) out->asked_by = row->policy;
    out->asks |= row->asks;
    add_session(row->policy, out);
}

enum rf_kind policy_evaluate(const struct json_node *const *policies, uint32_t policy_count,
                             const struct json_node *const *locations, uint32_t location_count,
                             const struct policy_input *input, struct rf_arena *arena,
                             struct policy_verdict *out, struct rf_err *err)
{
    struct places places = {.items = locations, .count = location_count};
    struct policy_verdict verdict = {.row_count = policy_count, .frequency_seconds = -1};
    verdict.rows = rf_arena_new(arena, struct policy_row, policy_count);
    if (verdict.rows == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < policy_count; i++) {
        judge(policies[i], &places, input, &verdict.rows[i]);
        add_row(&verdict.rows[i], &verdict);
    }
    *out = verdict;
    return RF_OK;
}
