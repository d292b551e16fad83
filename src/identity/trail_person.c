/* trail_person.c - rows of sign-ins of people (contract identity, section 12.1): SigninLogs, AADNonInteractiveUserSignInLogs. */
#include "identity/signin_int.h"
#include "people/agent.h"

static const char *client_app(const struct person_sign_in *what)
{
    return what->interactive ? "Browser" : "Mobile Apps and Desktop clients";
}

/* The name and system of a browser as its own header tells them; nobody's claim is believed further than a column of a row. */
static void put_device(struct json_out *out, const struct request *request)
{
    const char *system, *browser;
    agent_read(http_header(request->http, "User-Agent", NULL), &system, &browser);
    json_put_text(out, "deviceId", RF_S(""));
    json_put_text(out, "displayName", RF_S(""));
    json_put_text(out, "operatingSystem", rf_str_of(system));
    json_put_text(out, "browser", rf_str_of(browser));
    json_put_bool(out, "isCompliant", false);
    json_put_bool(out, "isManaged", false);
    json_put_text(out, "trustType", RF_S(""));
}

static void put_controls(struct json_out *out, const struct json_node *policy)
{
    const struct json_node *list = json_at(policy, "grantControls.builtInControls");
    json_begin_array(out, "enforcedGrantControls");
    for (const struct json_node *c = json_is(list, JSON_T_ARRAY) ? list->first : NULL; c != NULL;
         c = c->next) {
        uint8_t word[32];
        size_t len = RF_MIN(c->text.len, sizeof word);
        if (len == 0) continue;
        memcpy(word, c->text.ptr, len);
        word[0] = rf_upper(word[0]);
        json_put_text(out, NULL, rf_str_make(word, len));
    }
    json_end_array(out);
    json_begin_array(out, "enforcedSessionControls");
    if (json_is(json_at(policy, "sessionControls.signInFrequency"), JSON_T_OBJECT))
        json_put_text(out, NULL, RF_S("SignInFrequency"));
    if (json_is(json_at(policy, "sessionControls.persistentBrowser"), JSON_T_OBJECT))
        json_put_text(out, NULL, RF_S("PersistentBrowserSessionMode"));
    json_end_array(out);
}

static void put_policies(struct json_out *out, const struct policy_verdict *verdict)
{
    for (uint32_t i = 0; verdict != NULL && i < verdict->row_count; i++) {
        const struct policy_row *row = &verdict->rows[i];
        json_begin_object(out, NULL);
        json_put_text(out, "id", json_text_at(row->policy, "id"));
        json_put_text(out, "displayName", json_text_at(row->policy, "displayName"));
        put_controls(out, row->policy);
        json_put_text(out, "result", rf_str_of(policy_result_name(row->result)));
        if (row->why_not != NULL)
            json_put_text(out, "conditionsNotSatisfied", rf_str_of(row->why_not));
        json_end_object(out);
    }
}

static const char *access_status(const struct policy_verdict *verdict)
{
    const char *status = "notApplied";
    for (uint32_t i = 0; verdict != NULL && i < verdict->row_count; i++) {
        enum policy_result result = verdict->rows[i].result;
        if (result == POLICY_FAILURE || result == POLICY_INTERRUPTED) return "failure";
        if (result == POLICY_SUCCESS) status = "success";
    }
    return status;
}

static void put_step(struct json_out *out, const struct person_sign_in *what, rf_str at)
{
    json_begin_object(out, NULL);
    json_put_text(out, "authenticationStepDateTime", at);
    json_put_text(out, "authenticationMethod",
                  rf_str_of(what->method == NULL ? "Previously satisfied" : what->method));
    json_put_text(out, "authenticationMethodDetail", RF_S(""));
    json_put_bool(out, "succeeded", what->method == NULL || what->method_good);
    json_put_text(out, "authenticationStepResultDetail", what->description);
    json_put_text(out, "authenticationStepRequirement",
                  what->method == NULL || strcmp(what->method, "Password") == 0
                      ? RF_S("Primary authentication")
                      : RF_S("Multifactor authentication"));
    json_put_i64(out, "StatSequence", 0);
    json_end_object(out);
}

/* A member that is an object in one table and its text in the other. */
struct part {
    struct rf_buf buf;
    struct json_out out;
};

static void part_begin(struct part *part, struct rf_arena *arena)
{
    part->buf = rf_buf_in(arena);
    part->out = json_out_to(&part->buf);
}

static void put_part(struct json_out *out, const char *name, const struct part *part, bool as_text)
{
    if (as_text)
        json_put_text(out, name, rf_buf_view(&part->buf));
    else
        json_put_raw(out, name, rf_buf_view(&part->buf));
}

static void put_status(struct part *part, const struct person_sign_in *what)
{
    bool good = strcmp(what->result, "0") == 0;
    int64_t code = 0;
    for (const char *c = what->result; rf_is_digit((uint8_t)*c); c++) code = 10 * code + (*c - '0');
    json_begin_object(&part->out, NULL);
    json_put_i64(&part->out, "errorCode", code);
    if (!good) json_put_text(&part->out, "failureReason", what->description);
    json_put_text(&part->out, "additionalDetails",
                  good && proof_is_mfa(what->proofs) ? RF_S("MFA completed") : RF_S(""));
    json_end_object(&part->out);
}

static void put_who(struct json_out *out, const struct person_sign_in *what)
{
    static const struct person nobody = {0};
    const struct person *person = what->person == NULL ? &nobody : what->person;
    rf_str name = person->name.len > 0
                      ? person->name
                      : rf_slice(what->typed, 0, RF_MIN(what->typed.len, (size_t)256));
    rf_str type = json_text_at(person->doc, "userType");
    json_put_text(out, "Identity", person->display_name.len > 0 ? person->display_name : name);
    json_put_text(out, "UserDisplayName", person->display_name);
    json_put_text(out, "UserId", person->id);
    json_put_text(out, "UserPrincipalName", name);
    json_put_text(out, "AlternateSignInName", name);
    json_put_text(out, "SignInIdentifier", name);
    json_put_text(out, "UserType", type.len > 0 ? type : RF_S("Member"));
}

/* The portal's rows say what public rules look for. */
static rf_str app_name(const struct client *client)
{
    return rf_str_eq_nocase(client->app_id, RF_S(PORTAL_APP_ID)) ? RF_S("Azure Portal")
                                                                 : client->display_name;
}

static void put_what(struct json_out *out, const struct identity *identity,
                     const struct person_sign_in *what)
{
    static const struct client no_client = {0};
    static const struct resource no_resource = {0};
    const struct client *client = what->client == NULL ? &no_client : what->client;
    const struct resource *resource = what->resource == NULL ? &no_resource : what->resource;
    json_put_text(out, "AppDisplayName", app_name(client));
    json_put_text(out, "AppId", client->app_id);
    json_put_text(out, "ResourceDisplayName", resource->display_name);
    json_put_text(out, "ResourceIdentity", resource->app_id);
    json_put_text(out, "ResourceServicePrincipalId", resource->id);
    json_put_text(out, "ResourceTenantId", identity->tenant);
    json_put_text(out, "HomeTenantId", identity->tenant);
    json_put_text(out, "ResourceGroup", RF_S("Microsoft.aadiam"));
    json_put_text(out, "ServicePrincipalId", RF_S(""));
}

/* Texts of types stand in both columns: which one a rule reads depends on its age. */
static void put_risk(struct json_out *out, const struct person_sign_in *what)
{
    static const struct risk nothing = {.count = 0};
    const struct risk *risk = what->risk == NULL ? &nothing : what->risk;
    struct rf_buf buf = rf_buf_in(what->request->arena);
    struct json_out types = json_out_to(&buf);
    bool risky = risk->sign_in != RISK_NONE;
    json_begin_array(&types, NULL);
    for (uint32_t i = 0; i < risk->count; i++)
        json_put_text(&types, NULL, rf_str_of(risk->items[i].type));
    json_end_array(&types);
    json_put_text(out, "RiskLevelDuringSignIn", rf_str_of(risk_level_name(risk->sign_in)));
    json_put_text(out, "RiskLevelAggregated",
                  rf_str_of(risk_level_name(RF_MAX(risk->sign_in, risk->user))));
    json_put_text(out, "RiskState",
                  !risky         ? RF_S("none")
                  : risk->passed ? RF_S("remediated")
                                 : RF_S("atRisk"));
    json_put_text(out, "RiskDetail",
                  risk->passed ? RF_S("userPassedMFADrivenByRiskBasedPolicy") : RF_S("none"));
    json_put_text(out, "RiskEventTypes", rf_buf_view(&buf));
    json_put_text(out, "RiskEventTypes_V2", rf_buf_view(&buf));
    json_put_bool(out, "IsRisky", risky);
}

static void put_result(struct json_out *out, const struct person_sign_in *what)
{
    bool good = strcmp(what->result, "0") == 0;
    json_put_text(out, "ResultType", rf_str_of(what->result));
    json_put_text(out, "ResultSignature", good ? RF_S("SUCCESS") : RF_S("FAILURE"));
    json_put_text(out, "ResultDescription", what->description);
    json_put_text(
        out, "AuthenticationRequirement",
        proof_is_mfa(what->proofs) ||
                (what->verdict != NULL && (what->verdict->asks & (ASK_MFA | ASK_PASSKEY)) != 0)
            ? RF_S("multiFactorAuthentication")
            : RF_S("singleFactorAuthentication"));
    json_put_text(out, "AuthenticationProtocol",
                  rf_str_of(what->protocol == NULL ? "none" : what->protocol));
    json_put_text(out, "ConditionalAccessStatus", rf_str_of(access_status(what->verdict)));
    put_risk(out, what);
}

static void put_frame(struct json_out *out, const struct identity *identity,
                      const struct person_sign_in *what, rf_str at)
{
    const struct request *request = what->request;
    rf_usec took = rf_clock_now(identity->options.clock) - request->now;
    json_put_text(out, "TimeGenerated", at);
    json_put_text(out, "CreatedDateTime", at);
    json_put_text(out, "AADTenantId", identity->tenant);
    json_put_text(out, "Category",
                  what->interactive ? RF_S("SignInLogs") : RF_S("NonInteractiveUserSignInLogs"));
    json_put_text(out, "OperationName", RF_S("Sign-in activity"));
    json_put_text(out, "OperationVersion", RF_S("1.0"));
    json_put_text(out, "Level", RF_S("4"));
    json_put_text(out, "Id", request->request_id);
    json_put_text(out, "OriginalRequestId", request->request_id);
    json_put_text(out, "CorrelationId", what->correlation_id);
    json_put_text(out, "IPAddress", request->http->peer_address);
    json_put_text(out, "UserAgent", http_header(request->http, "User-Agent", NULL));
    json_put_text(out, "ClientAppUsed", rf_str_of(client_app(what)));
    json_put_bool(out, "IsInteractive", what->interactive);
    json_put_i64(out, "DurationMs", RF_MAX(took, (rf_usec)0) / RF_USEC_PER_MS);
    json_put_text(out, "ProcessingTimeInMilliseconds",
                  rf_arena_printf(request->arena, "%lld",
                                  (long long)(RF_MAX(took, (rf_usec)0) / RF_USEC_PER_MS)));
    json_put_text(out, "SessionId", what->session_id);
    json_put_text(out, "TokenIssuerType", RF_S("AzureAD"));
    json_put_text(out, "UniqueTokenIdentifier",
                  what->uti.len == 0 ? what->uti : base64url_encode(request->arena, what->uti));
    json_put_text(out, "CrossTenantAccessType", RF_S("none"));
}

/* The account for emergencies is for emergencies: a rule of the program's own makes an incident of this row. Pages that ask for more are no sign-in yet. */
static void tell_break_glass(struct identity *identity, const struct person_sign_in *what)
{
    const struct person *person = what->person;
    struct request *request = what->request;
    bool good = strcmp(what->result, "0") == 0;
    static const char *const asks[] = {"50055", "50072", "50074", "50076", "50079"};
    for (size_t i = 0; i < RF_COUNT(asks); i++)
        if (strcmp(what->result, asks[i]) == 0) return;
    const struct principal who = {.type = PRINCIPAL_USER,
                                  .object_id = person->id,
                                  .display_name = person->display_name,
                                  .user_name = person->name},
                           *before = request->principal;
    rf_str app = what->client == NULL ? RF_S("Ringfort") : app_name(what->client);
    rf_str reason =
        good ? rf_arena_printf(request->arena, "Sign-in to %.*s", RF_FMT(app)) : what->description;
    request->principal = &who;
    trail_audit(identity, request,
                &(struct trail_change){.operation = good ? "Break-glass account used"
                                                         : "Break-glass account sign-in failed",
                                       .verb = "Update",
                                       .service = "Core Directory",
                                       .category = "UserManagement",
                                       .type = "User",
                                       .target = person->doc,
                                       .reason = rf_arena_cstr(request->arena, reason),
                                       .failed = !good});
    request->principal = before;
}

void trail_person(struct identity *identity, const struct person_sign_in *what)
{
    if (what->person != NULL && what->interactive &&
        json_bool_at(what->person->doc, "~breakGlass", false))
        tell_break_glass(identity, what);
    struct rf_arena *arena = what->request->arena;
    bool text = !what->interactive;
    struct part policies, device, place, status, steps;
    rf_str at = time_iso(arena, what->request->now);
    part_begin(&policies, arena);
    json_begin_array(&policies.out, NULL);
    put_policies(&policies.out, what->verdict);
    json_end_array(&policies.out);
    part_begin(&device, arena);
    json_begin_object(&device.out, NULL);
    put_device(&device.out, what->request);
    json_end_object(&device.out);
    part_begin(&place, arena);
    static const struct place nowhere = {.has_point = false};
    const struct place *where = what->risk == NULL ? &nowhere : &what->risk->place;
    risk_put_place(&place.out, where);
    part_begin(&status, arena);
    put_status(&status, what);
    part_begin(&steps, arena);
    json_begin_array(&steps.out, NULL);
    put_step(&steps.out, what, at);
    json_end_array(&steps.out);

    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    put_frame(&out, identity, what, at);
    if (where->country.len > 0) json_put_text(&out, "Location", where->country);
    put_who(&out, what);
    put_what(&out, identity, what);
    put_result(&out, what);
    put_part(&out, "ConditionalAccessPolicies", &policies, text);
    put_part(&out, "AppliedConditionalAccessPolicies", &policies, true);
    put_part(&out, "DeviceDetail", &device, text);
    put_part(&out, "LocationDetails", &place, text);
    put_part(&out, "Status", &status, text);
    put_part(&out, "AuthenticationDetails", &steps, true);
    json_end_object(&out);
    bool good = !policies.buf.failed && !device.buf.failed && !status.buf.failed &&
                !steps.buf.failed && !place.buf.failed && !buf.failed;
    if (good)
        audit_row(identity->options.audit,
                  what->interactive ? "SigninLogs" : "AADNonInteractiveUserSignInLogs",
                  rf_buf_view(&buf));
}
