#include "test/rf_prop.h"

#include "people/policy_int.h"

/* ---- what tests have at hand ----------------------------------------------------------------------------------------------------- */

#define ID(n) "00000000-0000-4000-8000-0000000000" n
#define USER ID("01")
#define GROUP ID("02")
#define ROLE ID("03")
#define APP ID("04")
#define OTHER ID("05")
#define PLACE ID("06")
#define LAND ID("07")
#define OFFICE ID("08")

struct desk {
    struct rf_arena arena;
    struct policy_input input;
    const struct json_node *places[3];
};

static const rf_str groups[] = {{(const uint8_t *)GROUP, sizeof GROUP - 1}};
static const rf_str roles[] = {{(const uint8_t *)ROLE, sizeof ROLE - 1}};
static const rf_str contexts[] = {{(const uint8_t *)"c1", 2}};

static struct json_node *parse(struct desk *desk, const char *text)
{
    struct json_node *node;
    struct rf_err err;
    cr_assert(json_parse(rf_str_of(text), &desk->arena, &node, &err) == RF_OK, "%s: %s", text,
              err.text);
    return node;
}

static void setup(struct desk *desk)
{
    rf_arena_init(&desk->arena, 64 << 20);
    desk->places[0] =
        parse(desk, "{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\",\"id\":\"" PLACE "\","
                    "\"displayName\":\"lab\",\"isTrusted\":false,\"ipRanges\":["
                    "{\"cidrAddress\":\"10.1.0.0/20\"},{\"cidrAddress\":\"2001:db8:1::/48\"}]}");
    desk->places[1] =
        parse(desk, "{\"@odata.type\":\"#microsoft.graph.countryNamedLocation\",\"id\":\"" LAND
                    "\",\"displayName\":\"land\",\"countriesAndRegions\":[\"CH\",\"LI\"],"
                    "\"includeUnknownCountriesAndRegions\":true}");
    desk->places[2] =
        parse(desk, "{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\",\"id\":\"" OFFICE "\","
                    "\"displayName\":\"office\",\"isTrusted\":true,\"ipRanges\":["
                    "{\"cidrAddress\":\"192.0.2.0/24\"}]}");
    desk->input = (struct policy_input){.user = RF_S(USER),
                                        .groups = groups,
                                        .roles = roles,
                                        .group_count = 1,
                                        .role_count = 1,
                                        .client_app = RF_S(OTHER),
                                        .resource_app = RF_S(APP),
                                        .contexts = contexts,
                                        .context_count = 1,
                                        .address = RF_S("203.0.113.9"),
                                        .country = RF_S("CH"),
                                        .platform = RF_S("linux"),
                                        .proofs = PROOF_PASSWORD,
                                        .proved_at = 1000 * RF_USEC_PER_SECOND,
                                        .now = 1010 * RF_USEC_PER_SECOND};
}

static struct policy_verdict run(struct desk *desk, const struct json_node *const *policies,
                                 uint32_t count)
{
    struct policy_verdict verdict;
    struct rf_err err;
    cr_assert(policy_evaluate(policies, count, desk->places, RF_COUNT(desk->places), &desk->input,
                              &desk->arena, &verdict, &err) == RF_OK);
    cr_assert(verdict.row_count == count);
    return verdict;
}

/* A policy with these conditions that asks for mfa. */
static struct json_node *with_conditions(struct desk *desk, const char *conditions)
{
    rf_str text =
        rf_arena_printf(&desk->arena,
                        "{\"displayName\":\"p\",\"state\":\"enabled\",\"conditions\":{%"
                        "s\"clientAppTypes\":[\"all\"]},"
                        "\"grantControls\":{\"operator\":\"OR\",\"builtInControls\":[\"mfa\"]}}%c",
                        conditions, 0);
    return parse(desk, (const char *)text.ptr);
}

static const char *miss(struct desk *desk, const char *conditions)
{
    const struct json_node *policy = with_conditions(desk, conditions);
    struct policy_verdict verdict = run(desk, &policy, 1);
    cr_assert((verdict.rows[0].why_not == NULL) == (verdict.rows[0].result != POLICY_NOT_APPLIED));
    return verdict.rows[0].why_not;
}

#define EVERYBODY "\"users\":{\"includeUsers\":[\"All\"]},"
#define EVERYWHERE EVERYBODY "\"applications\":{\"includeApplications\":[\"All\"]},"

struct miss_row {
    const char *conditions, *why; /* NULL: applies */
};

static void expect_misses(struct desk *desk, const struct miss_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *why = miss(desk, rows[i].conditions);
        cr_assert(rows[i].why == NULL ? why == NULL : why != NULL && strcmp(why, rows[i].why) == 0,
                  "%s: %s", rows[i].conditions, why == NULL ? "applies" : why);
    }
}

/* ---- conditions ------------------------------------------------------------------------------------------------------------------- */

Test(policy, who_it_is_for)
{
    static const struct miss_row rows[] = {
        {"", NULL},
        {EVERYBODY, NULL},
        {"\"users\":{},", "users"},
        {"\"users\":{\"includeUsers\":[\"None\"]},", "users"},
        {"\"users\":{\"includeUsers\":[\"" USER "\"]},", NULL},
        {"\"users\":{\"includeUsers\":[\"" OTHER "\"]},", "users"},
        {"\"users\":{\"includeGroups\":[\"" GROUP "\"]},", NULL},
        {"\"users\":{\"includeRoles\":[\"" ROLE "\"]},", NULL},
        {"\"users\":{\"includeRoles\":[\"" GROUP "\"]},", "users"},
        {"\"users\":{\"includeUsers\":[\"GuestsOrExternalUsers\"]},", "users"},
        {"\"users\":{\"includeGuestsOrExternalUsers\":{\"guestOrExternalUserTypes\":"
         "\"internalGuest\"}},",
         "users"},
        {"\"users\":{\"includeUsers\":[\"All\"],\"excludeUsers\":[\"" USER "\"]},", "users"},
        {"\"users\":{\"includeUsers\":[\"" USER "\"],\"excludeGroups\":[\"" GROUP "\"]},", "users"},
        {"\"users\":{\"includeUsers\":[\"All\"],\"excludeRoles\":[\"" ROLE "\"]},", "users"},
        {"\"users\":{\"includeUsers\":[\"All\"],\"excludeUsers\":[\"GuestsOrExternalUsers\"]},",
         NULL},
        /* A policy for service principals is none for people. */
        {"\"clientApplications\":{\"includeServicePrincipals\":[\"ServicePrincipalsInMyTenant\"]},",
         "users"},
    };
    static const struct miss_row guests[] = {
        {"\"users\":{\"includeUsers\":[\"GuestsOrExternalUsers\"]},", NULL},
        {"\"users\":{\"includeUsers\":[\"All\"],\"excludeUsers\":[\"GuestsOrExternalUsers\"]},",
         "users"},
        {"\"users\":{\"includeGuestsOrExternalUsers\":{\"guestOrExternalUserTypes\":"
         "\"serviceProvider, internalGuest\"}},",
         NULL},
        {"\"users\":{\"includeGuestsOrExternalUsers\":{\"guestOrExternalUserTypes\":"
         "\"serviceProvider\"}},",
         "users"},
    };
    struct desk desk;
    setup(&desk);
    expect_misses(&desk, rows, RF_COUNT(rows));
    desk.input.guest = true;
    expect_misses(&desk, guests, RF_COUNT(guests));
    rf_arena_done(&desk.arena);
}

Test(policy, service_principals)
{
    static const struct miss_row rows[] = {
        {"", "workloadIdentities"},
        {EVERYWHERE, "workloadIdentities"},
        {"\"clientApplications\":{\"includeServicePrincipals\":[\"" OTHER "\"]},", NULL},
        {"\"users\":{\"includeUsers\":[\"None\"]},"
         "\"clientApplications\":{\"includeServicePrincipals\":[\"ServicePrincipalsInMyTenant\"]},",
         NULL},
        {"\"clientApplications\":{\"includeServicePrincipals\":[\"ServicePrincipalsInMyTenant\"],"
         "\"excludeServicePrincipals\":[\"" OTHER "\"]},",
         "workloadIdentities"},
        {"\"clientApplications\":{\"includeServicePrincipals\":[\"" OTHER "\"]},"
         "\"servicePrincipalRiskLevels\":[\"high\"],",
         "servicePrincipalRisk"},
        {"\"clientApplications\":{\"includeServicePrincipals\":[\"" OTHER "\"]},"
         "\"locations\":{\"includeLocations\":[\"All\"],\"excludeLocations\":[\"AllTrusted\"]},",
         NULL},
    };
    struct desk desk;
    setup(&desk);
    desk.input.user = (rf_str){0};
    desk.input.service_principal = RF_S(OTHER);
    expect_misses(&desk, rows, RF_COUNT(rows));
    rf_arena_done(&desk.arena);
}

Test(policy, what_it_is_for)
{
#define APPS(text) EVERYBODY "\"applications\":{" text "},"
    static const struct miss_row rows[] = {
        {APPS("\"includeApplications\":[\"All\"]"), NULL},
        {APPS("\"includeApplications\":[\"None\"]"), "application"},
        {APPS("\"includeApplications\":[\"" APP "\"]"), NULL},
        {APPS("\"includeApplications\":[\"" OTHER "\"]"), NULL}, /* the client */
        {APPS("\"includeApplications\":[\"" USER "\"]"), "application"},
        {APPS("\"includeApplications\":[\"All\"],\"excludeApplications\":[\"" APP "\"]"),
         "application"},
        /* An excluded client does not open another resource. */
        {APPS("\"includeApplications\":[\"All\"],\"excludeApplications\":[\"" OTHER "\"]"), NULL},
        {APPS("\"includeApplications\":[\"MicrosoftAdminPortals\"]"), "application"},
        {APPS("\"includeUserActions\":[\"urn:user:registersecurityinfo\"]"), "userActions"},
        {APPS("\"includeAuthenticationContextClassReferences\":[\"c1\",\"c2\"]"), NULL},
        {APPS("\"includeAuthenticationContextClassReferences\":[\"c2\"]"), "authenticationContext"},
    };
    static const struct miss_row portals[] = {
        {APPS("\"includeApplications\":[\"MicrosoftAdminPortals\"]"), NULL},
        {APPS("\"includeApplications\":[\"All\"],\"excludeApplications\":["
              "\"MicrosoftAdminPortals\"]"),
         "application"},
    };
    static const struct miss_row actions[] = {
        {APPS("\"includeUserActions\":[\"urn:user:registersecurityinfo\"]"), NULL},
        {APPS("\"includeUserActions\":[\"urn:user:registerdevice\"]"), "userActions"},
        {APPS("\"includeApplications\":[\"All\"]"), "userActions"},
    };
    static const struct miss_row own[] = {
        {APPS("\"includeApplications\":[\"All\"],\"excludeApplications\":[\"" OTHER "\"]"),
         "application"},
    };
    struct desk desk;
    setup(&desk);
    expect_misses(&desk, rows, RF_COUNT(rows));
    desk.input.resource_app = RF_S(POLICY_ARM_APP);
    expect_misses(&desk, portals, RF_COUNT(portals));
    desk.input.resource_app = RF_S(POLICY_GRAPH_APP);
    expect_misses(&desk, own, RF_COUNT(own));
    desk.input.user_action = RF_S("urn:user:registersecurityinfo");
    expect_misses(&desk, actions, RF_COUNT(actions));
    rf_arena_done(&desk.arena);
}

Test(policy, where_from_and_with_what)
{
#define AT(text) EVERYWHERE "\"locations\":{" text "},"
#define ON(text) EVERYWHERE "\"platforms\":{" text "},"
    static const struct {
        const char *address, *country, *conditions, *why;
    } rows[] = {
        {"203.0.113.9", "CH", AT(""), NULL},
        {"203.0.113.9", "CH", AT("\"includeLocations\":[\"All\"]"), NULL},
        {"203.0.113.9", "CH", AT("\"includeLocations\":[\"AllTrusted\"]"), "location"},
        {"192.0.2.77", "CH", AT("\"includeLocations\":[\"AllTrusted\"]"), NULL},
        {"::ffff:192.0.2.77", "CH", AT("\"includeLocations\":[\"AllTrusted\"]"), NULL},
        {"192.0.2.77", "CH",
         AT("\"includeLocations\":[\"All\"],\"excludeLocations\":[\"AllTrusted\"]"), "location"},
        {"10.1.15.255", "CH", AT("\"includeLocations\":[\"" PLACE "\"]"), NULL},
        {"10.1.16.0", "CH", AT("\"includeLocations\":[\"" PLACE "\"]"), "location"},
        {"10.0.255.255", "CH", AT("\"includeLocations\":[\"" PLACE "\"]"), "location"},
        {"2001:db8:1:ffff::1", "CH", AT("\"includeLocations\":[\"" PLACE "\"]"), NULL},
        {"2001:db8:2::1", "CH", AT("\"includeLocations\":[\"" PLACE "\"]"), "location"},
        {"2001:db8:1::1%eth0", "CH", AT("\"includeLocations\":[\"" PLACE "\"]"), NULL},
        {"nonsense", "CH", AT("\"includeLocations\":[\"" PLACE "\"]"), "location"},
        {"203.0.113.9", "ch", AT("\"includeLocations\":[\"" LAND "\"]"), NULL},
        {"203.0.113.9", "AT", AT("\"includeLocations\":[\"" LAND "\"]"), "location"},
        {"203.0.113.9", "", AT("\"includeLocations\":[\"" LAND "\"]"), NULL},
        {"10.1.0.1", "CH",
         AT("\"includeLocations\":[\"" LAND "\"],\"excludeLocations\":[\"" PLACE "\"]"),
         "location"},
        {"10.1.0.1", "CH", AT("\"includeLocations\":[\"" USER "\"]"), "location"},
        {"10.1.0.1", "CH", ON("\"includePlatforms\":[\"all\"]"), NULL},
        {"10.1.0.1", "CH", ON("\"includePlatforms\":[\"Linux\"]"), NULL},
        {"10.1.0.1", "CH", ON("\"includePlatforms\":[\"windows\"]"), "devicePlatform"},
        {"10.1.0.1", "CH", ON("\"includePlatforms\":[\"all\"],\"excludePlatforms\":[\"linux\"]"),
         "devicePlatform"},
        {"10.1.0.1", "CH", EVERYWHERE "\"userRiskLevels\":[\"high\"],", NULL},
        {"10.1.0.1", "CH", EVERYWHERE "\"userRiskLevels\":[\"low\",\"medium\"],", "userRisk"},
        {"10.1.0.1", "CH", EVERYWHERE "\"signInRiskLevels\":[\"low\"],", "signInRisk"},
        {"10.1.0.1", "CH", EVERYWHERE "\"signInRiskLevels\":[\"none\"],", NULL},
        {"10.1.0.1", "CH", EVERYWHERE "\"servicePrincipalRiskLevels\":[\"high\"],",
         "servicePrincipalRisk"},
        {"10.1.0.1", "CH",
         EVERYWHERE "\"authenticationFlows\":{\"transferMethods\":\"deviceCodeFlow\"},",
         "authenticationFlow"},
        {"10.1.0.1", "CH",
         EVERYWHERE "\"devices\":{\"deviceFilter\":{\"mode\":\"include\",\"rule\":"
                    "\"device.model -eq 'x'\"}},",
         "devices"},
        {"10.1.0.1", "CH",
         EVERYWHERE "\"devices\":{\"deviceFilter\":{\"mode\":\"exclude\",\"rule\":"
                    "\"device.model -eq 'x'\"}},",
         NULL},
    };
    struct desk desk;
    setup(&desk);
    desk.input.user_risk = RISK_HIGH;
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct miss_row row = {rows[i].conditions, rows[i].why};
        desk.input.address = rf_str_of(rows[i].address);
        desk.input.country = rf_str_of(rows[i].country);
        expect_misses(&desk, &row, 1);
    }
    desk.input.flow = "deviceCodeFlow";
    cr_assert(miss(&desk, EVERYWHERE "\"authenticationFlows\":{\"transferMethods\":"
                                     "\"authenticationTransfer, deviceCodeFlow\"},") == NULL);
    desk.input.platform = (rf_str){0};
    cr_assert(miss(&desk, ON("\"includePlatforms\":[\"all\"],\"excludePlatforms\":[\"linux\"]")) ==
              NULL);
    rf_arena_done(&desk.arena);
}

Test(policy, clients)
{
    static const char *const types[] = {"browser", "mobileAppsAndDesktopClients", "other",
                                        "exchangeActiveSync", "all"};
    struct desk desk;
    setup(&desk);
    for (int client = POLICY_BROWSER; client <= POLICY_OTHER; client++) {
        desk.input.client = (enum policy_client)client;
        for (int type = 0; type < (int)RF_COUNT(types); type++) {
            rf_str text = rf_arena_printf(
                &desk.arena,
                "{\"state\":\"enabled\",\"conditions\":{\"clientAppTypes\":[\"%s\"]}}%c",
                types[type], 0);
            const struct json_node *policy = parse(&desk, (const char *)text.ptr);
            struct policy_verdict verdict = run(&desk, &policy, 1);
            cr_assert((verdict.rows[0].why_not == NULL) == (type == client || type == 4), "%d %d",
                      client, type);
        }
    }
    rf_arena_done(&desk.arena);
}

/* ---- controls --------------------------------------------------------------------------------------------------------------------------- */

static struct json_node *with_controls(struct desk *desk, const char *state, const char *controls)
{
    rf_str text = rf_arena_printf(&desk->arena,
                                  "{\"displayName\":\"p\",\"state\":\"%s\",\"conditions\":{"
                                  "\"clientAppTypes\":[\"all\"]},%s}%c",
                                  state, controls, 0);
    return parse(desk, (const char *)text.ptr);
}

#define GRANT(op, list) "\"grantControls\":{\"operator\":\"" op "\",\"builtInControls\":[" list "]}"
#define STRENGTH(op, list, strength)                                                               \
    "\"grantControls\":{\"operator\":\"" op "\",\"builtInControls\":[" list                        \
    "],\"authenticationStrength\":{" strength "}}"
#define BUILT_IN(n) "\"id\":\"00000000-0000-0000-0000-00000000000" n "\""

Test(policy, grant_controls)
{
    static const struct {
        unsigned proofs;
        const char *controls;
        unsigned asks;
    } rows[] = {
        {PROOF_PASSWORD, GRANT("OR", "\"mfa\""), ASK_MFA},
        {PROOF_PASSWORD | PROOF_TOTP, GRANT("OR", "\"mfa\""), 0},
        {PROOF_PASSWORD | PROOF_RECOVERY, GRANT("OR", "\"mfa\""), 0},
        {PROOF_TOTP | PROOF_RECOVERY, GRANT("OR", "\"mfa\""), ASK_MFA},
        {PROOF_PASSKEY, GRANT("OR", "\"mfa\""), 0},
        {PROOF_PASS, GRANT("OR", "\"mfa\""), 0},
        {PROOF_PASSWORD, GRANT("OR", "\"compliantDevice\""), ASK_DEVICE},
        {PROOF_PASSWORD, GRANT("OR", "\"mfa\",\"compliantDevice\""), ASK_MFA},
        {PROOF_PASSWORD, GRANT("OR", "\"compliantDevice\",\"mfa\""), ASK_MFA},
        {PROOF_PASSWORD, GRANT("AND", "\"mfa\",\"compliantDevice\""), ASK_MFA | ASK_DEVICE},
        {PROOF_PASSKEY, GRANT("AND", "\"mfa\",\"approvedApplication\""), ASK_DEVICE},
        {PROOF_PASSKEY, GRANT("OR", "\"mfa\",\"approvedApplication\""), 0},
        {PROOF_PASSWORD, GRANT("AND", "\"mfa\",\"passwordChange\""), ASK_MFA | ASK_PASSWORD_CHANGE},
        {PROOF_PASSWORD, STRENGTH("OR", "", BUILT_IN("2")), ASK_MFA},
        {PROOF_PASSWORD | PROOF_TOTP, STRENGTH("OR", "", BUILT_IN("2")), 0},
        {PROOF_PASSWORD | PROOF_TOTP, STRENGTH("OR", "", BUILT_IN("3")), ASK_PASSKEY},
        {PROOF_PASS, STRENGTH("OR", "", BUILT_IN("4")), ASK_PASSKEY},
        {PROOF_PASSKEY, STRENGTH("OR", "", BUILT_IN("4")), 0},
        {PROOF_PASSWORD, STRENGTH("OR", "\"mfa\"", BUILT_IN("4")), ASK_MFA},
        {PROOF_PASSWORD, STRENGTH("AND", "\"mfa\"", BUILT_IN("4")), ASK_MFA | ASK_PASSKEY},
        {PROOF_PASSWORD,
         STRENGTH("OR", "", "\"id\":\"x\",\"allowedCombinations\":[\"password,softwareOath\"]"),
         ASK_MFA},
        {PROOF_PASSWORD | PROOF_TOTP,
         STRENGTH("OR", "", "\"id\":\"x\",\"allowedCombinations\":[\"password, softwareOath\"]"),
         0},
        {PROOF_PASSKEY,
         STRENGTH("OR", "", "\"id\":\"x\",\"allowedCombinations\":[\"password,softwareOath\"]"),
         ASK_AGAIN},
        {PROOF_PASSWORD,
         STRENGTH("OR", "", "\"id\":\"x\",\"allowedCombinations\":[\"password,sms\",\"fido2\"]"),
         ASK_PASSKEY},
        {PROOF_PASSWORD,
         STRENGTH("OR", "", "\"id\":\"x\",\"allowedCombinations\":[\"windowsHelloForBusiness\"]"),
         ASK_DEVICE},
        {PROOF_PASSWORD,
         STRENGTH("OR", "",
                  "\"id\":\"x\",\"allowedCombinations\":[\"x509CertificateSingleFactor\"]"),
         ASK_DEVICE},
        {PROOF_CERTIFICATE,
         STRENGTH("OR", "",
                  "\"id\":\"x\",\"allowedCombinations\":[\"x509CertificateSingleFactor\"]"),
         0},
        {PROOF_PASSWORD,
         STRENGTH("OR", "",
                  "\"id\":\"x\",\"allowedCombinations\":[\"temporaryAccessPassOneTime\"]"),
         ASK_AGAIN},
        {PROOF_PASSKEY, STRENGTH("OR", "", "\"id\":\"x\""), ASK_DEVICE},
        {PROOF_PASSWORD, "\"grantControls\":null", 0},
    };
    struct desk desk;
    setup(&desk);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        const struct json_node *policy = with_controls(&desk, "enabled", rows[i].controls);
        desk.input.proofs = rows[i].proofs;
        struct policy_verdict verdict = run(&desk, &policy, 1);
        cr_assert(verdict.asks == rows[i].asks, "%s: %u", rows[i].controls, verdict.asks);
        cr_assert(!verdict.blocked && verdict.rows[0].asks == rows[i].asks);
        cr_assert((verdict.asked_by == policy) == (rows[i].asks != 0));
        enum policy_result result = rows[i].asks == 0           ? POLICY_SUCCESS
                                    : rows[i].asks & ASK_DEVICE ? POLICY_FAILURE
                                                                : POLICY_INTERRUPTED;
        cr_assert(verdict.rows[0].result == result, "%s", rows[i].controls);
        /* Reported only, nothing is asked. */
        policy = with_controls(&desk, "enabledForReportingButNotEnforced", rows[i].controls);
        verdict = run(&desk, &policy, 1);
        cr_assert(verdict.asks == 0 && verdict.asked_by == NULL);
        result += POLICY_REPORT_SUCCESS - POLICY_SUCCESS;
        cr_assert(verdict.rows[0].result == result && verdict.rows[0].asks == rows[i].asks);
    }
    desk.input.device_compliant = desk.input.device_joined = desk.input.fresh_password = true;
    const struct json_node *policy = with_controls(
        &desk, "enabled",
        GRANT("AND", "\"compliantDevice\",\"domainJoinedDevice\",\"passwordChange\""));
    cr_assert(run(&desk, &policy, 1).asks == 0);
    rf_arena_done(&desk.arena);
}

Test(policy, block_wins)
{
    struct desk desk;
    setup(&desk);
    const struct json_node *policies[] = {
        with_controls(&desk, "enabled", GRANT("OR", "\"mfa\"")),
        with_controls(&desk, "enabledForReportingButNotEnforced", GRANT("OR", "\"block\"")),
        with_controls(&desk, "disabled", GRANT("OR", "\"block\"")),
        with_controls(&desk, "enabled", GRANT("OR", "\"block\"")),
    };
    desk.input.proofs = PROOF_PASSKEY;
    struct policy_verdict verdict = run(&desk, policies, 3);
    cr_assert(!verdict.blocked && verdict.asks == 0);
    cr_assert(verdict.rows[1].result == POLICY_REPORT_FAILURE);
    cr_assert(verdict.rows[2].result == POLICY_NOT_ENABLED);
    verdict = run(&desk, policies, 4);
    cr_assert(verdict.blocked && verdict.blocked_by == policies[3]);
    cr_assert(verdict.rows[0].result == POLICY_SUCCESS);
    cr_assert(verdict.rows[3].result == POLICY_FAILURE);
    cr_assert(run(&desk, policies, 0).frequency_seconds == -1, "without policies nothing is asked");
    rf_arena_done(&desk.arena);
}

/* The break-glass account passes everything but a block for risk. */
Test(policy, break_glass)
{
    struct desk desk;
    setup(&desk);
    const struct json_node *policies[] = {
        with_controls(&desk, "enabled", GRANT("OR", "\"block\"")),
        with_controls(&desk, "enabled", GRANT("OR", "\"mfa\"")),
        parse(&desk, "{\"state\":\"enabled\",\"conditions\":{\"clientAppTypes\":[\"all\"],"
                     "\"userRiskLevels\":[\"high\"]}," GRANT("OR", "\"block\"") "}"),
        parse(&desk, "{\"state\":\"enabled\",\"conditions\":{\"clientAppTypes\":[\"all\"],"
                     "\"userRiskLevels\":[\"high\"]}," GRANT("OR", "\"mfa\"") "}"),
    };
    desk.input.is_break_glass = true;
    desk.input.proofs = PROOF_PASSWORD;
    struct policy_verdict verdict = run(&desk, policies, 4);
    cr_assert(!verdict.blocked && verdict.asks == 0);
    desk.input.user_risk = RISK_HIGH;
    verdict = run(&desk, policies, 4);
    cr_assert(verdict.blocked && verdict.blocked_by == policies[2] && verdict.asks == 0);
    rf_arena_done(&desk.arena);
}

#define FREQUENCY(value, type, more)                                                               \
    "\"sessionControls\":{\"signInFrequency\":{\"isEnabled\":true,\"value\":" value                \
    ",\"type\":\"" type "\"" more "}}"
#define BROWSER(mode)                                                                              \
    "\"sessionControls\":{\"persistentBrowser\":{\"isEnabled\":true,\"mode\":\"" mode "\"}}"

Test(policy, session_controls)
{
    struct desk desk;
    setup(&desk);
    desk.input.now = 1000 * 3600 * RF_USEC_PER_SECOND;
#define HOURS(n) (desk.input.now - (rf_usec)(n)*3600 * RF_USEC_PER_SECOND)
    const struct json_node *policies[] = {
        with_controls(&desk, "enabled", FREQUENCY("4", "hours", "")),
        with_controls(&desk, "enabled", FREQUENCY("1", "days", "")),
        with_controls(&desk, "enabled", BROWSER("always")),
        with_controls(&desk, "enabled", BROWSER("never")),
        with_controls(&desk, "enabledForReportingButNotEnforced",
                      FREQUENCY("null", "hours", ",\"frequencyInterval\":\"everyTime\"")),
    };
    desk.input.proved_at = HOURS(3);
    struct policy_verdict verdict = run(&desk, policies, 5);
    cr_assert(verdict.frequency_seconds == 4 * 3600 && verdict.asks == 0);
    cr_assert(verdict.persistent == PERSIST_NEVER);
    cr_assert(verdict.rows[4].result == POLICY_REPORT_INTERRUPTED);
    cr_assert(run(&desk, policies + 1, 2).persistent == PERSIST_ALWAYS);
    cr_assert(run(&desk, policies + 1, 1).frequency_seconds == 86400);
    cr_assert(run(&desk, policies + 1, 1).persistent == PERSIST_FREE);
    desk.input.proved_at = HOURS(4);
    cr_assert(run(&desk, policies, 2).asks == 0, "four hours are within four hours");
    desk.input.proved_at = HOURS(4) - 1;
    cr_assert(run(&desk, policies, 2).asks == ASK_AGAIN);
    cr_assert(run(&desk, policies + 1, 1).asks == 0);
    /* The second step grows old, too. */
    desk.input.proved_at = HOURS(1);
    desk.input.second_proved_at = HOURS(5);
    desk.input.proofs = PROOF_PASSWORD | PROOF_TOTP;
    cr_assert(run(&desk, policies, 1).asks == ASK_MFA);
    desk.input.second_proved_at = HOURS(2);
    cr_assert(run(&desk, policies, 1).asks == 0);
    const struct json_node *second_only = with_controls(
        &desk, "enabled",
        FREQUENCY("1", "hours", ",\"authenticationType\":\"secondaryAuthentication\""));
    cr_assert(run(&desk, &second_only, 1).asks == ASK_MFA);
    desk.input.proofs = PROOF_PASSWORD;
    cr_assert(run(&desk, &second_only, 1).asks == 0);
    const struct json_node *every = with_controls(
        &desk, "enabled", FREQUENCY("null", "hours", ",\"frequencyInterval\":\"everyTime\""));
    desk.input.proved_at = desk.input.now - 300 * RF_USEC_PER_SECOND;
    verdict = run(&desk, &every, 1);
    cr_assert(verdict.frequency_seconds == 0 && verdict.asks == 0);
    desk.input.proved_at--;
    cr_assert(run(&desk, &every, 1).asks == ASK_AGAIN);
    desk.input.proved_at = 0;
    cr_assert(run(&desk, policies, 1).asks == ASK_AGAIN);
    rf_arena_done(&desk.arena);
}

Test(policy, names_of_results)
{
    static const char *const names[] = {"notApplied",
                                        "notEnabled",
                                        "success",
                                        "failure",
                                        "failure",
                                        "reportOnlySuccess",
                                        "reportOnlyFailure",
                                        "reportOnlyInterrupted",
                                        "reportOnlyNotApplied"};
    for (int i = 0; i < (int)RF_COUNT(names); i++)
        cr_assert(strcmp(policy_result_name((enum policy_result)i), names[i]) == 0);
}

Test(policy, memory_may_run_out)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena small;
    struct desk desk;
    struct policy_verdict verdict = {.row_count = 7};
    struct rf_err err;
    setup(&desk);
    const struct json_node *policy = with_conditions(&desk, "");
    rf_arena_init(&small, 8);
    cr_assert(policy_evaluate(&policy, 1, NULL, 0, &desk.input, &small, &verdict, &err) ==
              RF_LIMIT);
    cr_assert(verdict.row_count == 7, "a failure leaves `out` alone");
    rf_arena_done(&desk.arena);
}
