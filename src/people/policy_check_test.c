#include "test/rf_prop.h"

#include "people/policy_int.h"

#define ID "00000000-0000-4000-8000-000000000001"
#define WHO "\"users\":{\"includeUsers\":[\"All\"]}"
#define WHAT "\"applications\":{\"includeApplications\":[\"All\"]}"
#define HOW "\"clientAppTypes\":[\"all\"]"
#define MFA "\"grantControls\":{\"operator\":\"OR\",\"builtInControls\":[\"mfa\"]}"
#define NAMED(state, rest) "{\"displayName\":\"p\",\"state\":\"" state "\"," rest "}"
#define CONDITIONS(text) "\"conditions\":{" text "}"
/* Everybody, everything, and one condition more. */
#define MORE(text) NAMED("enabled", CONDITIONS(WHO "," WHAT "," HOW "," text) "," MFA)
#define USERS(text) NAMED("enabled", CONDITIONS("\"users\":{" text "}," WHAT "," HOW) "," MFA)
#define APPS(text) NAMED("enabled", CONDITIONS(WHO ",\"applications\":{" text "}," HOW) "," MFA)
#define CONTROLS(text) NAMED("enabled", CONDITIONS(WHO "," WHAT "," HOW) "," text)
#define RISKY(text)                                                                                \
    NAMED("enabled", CONDITIONS(WHO "," WHAT "," HOW ",\"userRiskLevels\":[\"high\"]") "," text)
#define GRANT(op, list) "\"grantControls\":{\"operator\":\"" op "\",\"builtInControls\":[" list "]}"
#define SESSION(text) "\"sessionControls\":{" text "}"
#define FILTER(mode, rule)                                                                         \
    "\"devices\":{\"deviceFilter\":{\"mode\":\"" mode "\",\"rule\":\"" rule "\"}}"

struct row {
    const char *json;
    const char *says; /* NULL: well formed; else what the error must name */
};

static void check_rows(const struct row *rows, size_t count,
                       enum rf_kind (*check)(const struct json_node *, struct rf_err *))
{
    for (size_t i = 0; i < count; i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 4 << 20);
        struct json_node *node;
        struct rf_err err = {.text = ""};
        cr_assert(json_parse(rf_str_of(rows[i].json), &arena, &node, &err) == RF_OK, "%s: %s",
                  rows[i].json, err.text);
        enum rf_kind kind = check(node, &err);
        cr_assert(kind == (rows[i].says == NULL ? RF_OK : RF_INVALID), "%s: %s", rows[i].json,
                  err.text);
        if (rows[i].says != NULL)
            cr_assert(strstr(err.text, rows[i].says) != NULL, "%s: %s", rows[i].json, err.text);
    }
}

Test(policy_check, policies)
{
    static const struct row rows[] = {
        {CONTROLS(MFA), NULL},
        {"[]", "object"},
        {"{\"state\":\"enabled\"}", "displayName"},
        {NAMED("on", "\"x\":1"), "state"},
        {NAMED("enabled", MFA), "conditions"},
        {NAMED("enabled", "\"conditions\":[]," MFA), "conditions"},
        {NAMED("enabled", CONDITIONS(WHO "," WHAT) "," MFA), "clientAppTypes"},
        {NAMED("enabled", CONDITIONS(WHO "," WHAT ",\"clientAppTypes\":[\"fax\"]") "," MFA), "fax"},
        {NAMED("disabled", CONDITIONS(WHAT "," HOW) "," MFA), "conditions.users"},
        {NAMED("disabled", CONDITIONS(WHO "," HOW) "," MFA), "conditions.applications"},
        {USERS(""), "conditions.users"},
        {USERS("\"includeUsers\":[]"), "conditions.users"},
        {USERS("\"includeUsers\":\"All\""), "includeUsers must be a list"},
        {USERS("\"includeUsers\":[\"bob\"]"), "'bob'"},
        {USERS("\"includeUsers\":[\"All\",\"" ID "\"]"), "alone"},
        {USERS("\"includeUsers\":[\"" ID "\",\"GuestsOrExternalUsers\"]"), NULL},
        {USERS("\"includeGroups\":[\"All\"]"), "includeGroups"},
        {USERS("\"includeRoles\":[\"" ID "\"],\"excludeUsers\":[\"" ID "\"]"), NULL},
        {USERS("\"includeGuestsOrExternalUsers\":{\"guestOrExternalUserTypes\":\"internalGuest\"}"),
         NULL},
        {USERS("\"includeGuestsOrExternalUsers\":{\"externalTenants\":{\"membershipKind\":"
               "\"all\"}}"),
         "guestOrExternalUserTypes"},
        {USERS("\"includeGuestsOrExternalUsers\":{\"guestOrExternalUserTypes\":\"internalGuest\","
               "\"externalTenants\":{\"membershipKind\":\"enumerated\"}}"),
         "externalTenants"},
        {USERS("\"includeUsers\":[\"All\"],\"includeMoons\":[\"x\"]"), "includeMoons"},
        {USERS("\"includeUsers\":[\"All\"],\"includeMoons\":null,\"a@odata.type\":\"x\""), NULL},
        {APPS(""), "conditions.applications"},
        {APPS("\"includeApplications\":[\"Office365\"]"), "Office365"},
        {APPS("\"includeApplications\":[\"MicrosoftAdminPortals\"]"), NULL},
        {APPS("\"includeUserActions\":[\"urn:user:registersecurityinfo\"]"), NULL},
        {APPS("\"includeUserActions\":[\"urn:user:dance\"]"), "urn:user:dance"},
        {APPS("\"includeAuthenticationContextClassReferences\":[\"c1\",\"c99\"]"), NULL},
        {APPS("\"includeAuthenticationContextClassReferences\":[\"c100\"]"), "c100"},
        {APPS("\"includeAuthenticationContextClassReferences\":[\"c0\"]"), "c0"},
        {APPS("\"includeApplications\":[\"All\"],\"includeUserActions\":["
              "\"urn:user:registerdevice\"]"),
         "one of these"},
        {APPS("\"includeApplications\":[\"All\"],\"applicationFilter\":{\"mode\":\"include\"}"),
         "applicationFilter"},
        {MORE("\"locations\":{\"includeLocations\":[\"All\"],\"excludeLocations\":["
              "\"AllTrusted\"]}"),
         NULL},
        {MORE("\"locations\":{\"excludeLocations\":[\"AllTrusted\"]}"), "includeLocations"},
        {MORE("\"locations\":{\"includeLocations\":[\"Moon\"]}"), "Moon"},
        {MORE("\"locations\":{\"includeLocations\":[],\"excludeLocations\":[]}"), NULL},
        {MORE("\"locations\":null"), NULL},
        {MORE("\"locations\":7"), "locations must be an object"},
        {MORE("\"platforms\":{\"includePlatforms\":[\"all\"]}"), NULL},
        {MORE("\"platforms\":{\"includePlatforms\":[\"beos\"]}"), "beos"},
        {MORE("\"platforms\":{\"excludePlatforms\":[\"linux\"]}"), "includePlatforms"},
        {MORE("\"userRiskLevels\":[\"high\"]"), NULL},
        {MORE("\"userRiskLevels\":[\"hidden\"]"), "hidden"},
        {MORE("\"insiderRiskLevels\":\"minor\""), "insiderRiskLevels"},
        {MORE("\"times\":{\"includedRanges\":[]}"), NULL},
        {MORE("\"times\":{\"includedRanges\":[1]}"), "conditions.times"},
        {MORE(FILTER("include", "device.model -eq 'x'")), NULL},
        {MORE(FILTER("maybe", "device.model -eq 'x'")), "mode"},
        {MORE(FILTER("exclude", "device.model")), "character 13"},
        {MORE("\"authenticationFlows\":{\"transferMethods\":\"deviceCodeFlow,"
              "authenticationTransfer\"}"),
         NULL},
        {MORE("\"authenticationFlows\":{\"transferMethods\":\"pigeon\"}"), "transferMethods"},
        {CONTROLS("\"x\":1"), "grantControls or sessionControls"},
        {CONTROLS(GRANT("XOR", "\"mfa\"")), "operator"},
        {CONTROLS(GRANT("OR", "")), "control"},
        {CONTROLS(GRANT("OR", "\"block\"")), NULL},
        {CONTROLS(GRANT("OR", "\"block\",\"mfa\"")), "block stands alone"},
        {CONTROLS(GRANT("OR", "\"ask nicely\"")), "ask nicely"},
        {CONTROLS(GRANT("AND", "\"mfa\",\"passwordChange\"")), "userRiskLevels"},
        {RISKY(GRANT("AND", "\"mfa\",\"passwordChange\"")), NULL},
        {RISKY(GRANT("OR", "\"mfa\",\"passwordChange\"")), "AND"},
        {RISKY(GRANT("AND", "\"passwordChange\"")), "mfa"},
        {CONTROLS("\"grantControls\":{\"operator\":\"OR\",\"authenticationStrength\":{\"id\":\"" ID
                  "\",\"displayName\":\"n\"}}"),
         NULL},
        {CONTROLS("\"grantControls\":{\"operator\":\"OR\",\"authenticationStrength\":{\"id\":"
                  "\"strong\"}}"),
         "authenticationStrength"},
        {CONTROLS("\"grantControls\":{\"operator\":\"OR\",\"builtInControls\":[\"mfa\"],"
                  "\"termsOfUse\":[\"" ID "\"]}"),
         "termsOfUse"},
        {CONTROLS("\"grantControls\":{\"operator\":\"OR\",\"builtInControls\":[\"mfa\"],"
                  "\"termsOfUse\":[],\"customAuthenticationFactors\":[]}"),
         NULL},
        {CONTROLS(
             SESSION("\"signInFrequency\":{\"isEnabled\":true,\"type\":\"hours\",\"value\":4}")),
         NULL},
        {CONTROLS(
             SESSION("\"signInFrequency\":{\"isEnabled\":true,\"type\":\"days\",\"value\":366}")),
         "1 to 365"},
        {CONTROLS(
             SESSION("\"signInFrequency\":{\"isEnabled\":true,\"type\":\"weeks\",\"value\":1}")),
         "hours or days"},
        {CONTROLS(SESSION("\"signInFrequency\":{\"isEnabled\":true,\"frequencyInterval\":"
                          "\"everyTime\",\"type\":null,\"value\":null}")),
         NULL},
        {CONTROLS(SESSION("\"signInFrequency\":{\"isEnabled\":true,\"frequencyInterval\":"
                          "\"never\"}")),
         "frequencyInterval"},
        {CONTROLS(SESSION("\"persistentBrowser\":{\"isEnabled\":true,\"mode\":\"never\"}")), NULL},
        {CONTROLS(SESSION("\"persistentBrowser\":{\"isEnabled\":true,\"mode\":\"often\"}")),
         "mode"},
        {CONTROLS(SESSION("\"cloudAppSecurity\":{\"isEnabled\":true}")), "cloudAppSecurity"},
        {CONTROLS(MFA "," SESSION("\"cloudAppSecurity\":null,\"disableResilienceDefaults\":true")),
         NULL},
        {NAMED("enabled",
               CONDITIONS("\"users\":{\"includeUsers\":[\"None\"]},\"clientApplications\":{"
                          "\"includeServicePrincipals\":[\"ServicePrincipalsInMyTenant\"]}," WHAT
                          "," HOW) "," GRANT("OR", "\"block\"")),
         NULL},
        {NAMED("enabled", CONDITIONS(WHO ",\"clientApplications\":{\"includeServicePrincipals\":["
                                         "\"ServicePrincipalsInMyTenant\"]}," WHAT
                                         "," HOW) "," GRANT("OR", "\"block\"")),
         "None"},
        {NAMED("enabled", CONDITIONS("\"clientApplications\":{\"includeServicePrincipals\":["
                                     "\"ServicePrincipalsInMyTenant\"]}," WHAT "," HOW) "," MFA),
         "only block"},
        {NAMED("enabled",
               CONDITIONS("\"users\":{\"includeUsers\":[\"None\"],\"includeRoles\":[\"" ID "\"]},"
                          "\"clientApplications\":{\"includeServicePrincipals\":[\"" ID "\"]}," WHAT
                          "," HOW) "," GRANT("OR", "\"block\"")),
         "None"},
    };
    check_rows(rows, RF_COUNT(rows), policy_check);
}

Test(policy_check, locations)
{
#define IP(text)                                                                                   \
    "{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\",\"displayName\":\"n\"," text "}"
#define LAND(text)                                                                                 \
    "{\"@odata.type\":\"#microsoft.graph.countryNamedLocation\",\"displayName\":\"n\"," text "}"
#define RANGE(cidr) IP("\"ipRanges\":[{\"cidrAddress\":\"" cidr "\"}]")
    static const struct row rows[] = {
        {RANGE("10.0.0.0/8"), NULL},
        {RANGE("0.0.0.0/0"), NULL},
        {RANGE("10.0.0.1/32"), NULL},
        {RANGE("2001:db8::/128"), NULL},
        {RANGE("::ffff:10.0.0.0/104"), NULL},
        {RANGE("::ffff:10.0.0.0/95"), "no address range"},
        {RANGE("10.0.0.0/33"), "no address range"},
        {RANGE("2001:db8::/129"), "no address range"},
        {RANGE("10.0.0.0"), "no address range"},
        {RANGE("10.0.0.0/"), "no address range"},
        {RANGE("10.0.0.0/-1"), "no address range"},
        {RANGE("10.0.0/8"), "no address range"},
        {RANGE("fe80::1%eth0/64"), "no address range"},
        {RANGE("10.0.0.0/4294967304"), "no address range"},
        {IP("\"ipRanges\":[]"), "1 to 2000"},
        {IP("\"ipRanges\":[7]"), "no address range"},
        {IP("\"isTrusted\":true"), "1 to 2000"},
        {"{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\"}", "displayName"},
        {"{\"displayName\":\"n\"}", "@odata.type"},
        {LAND("\"countriesAndRegions\":[\"CH\"]"), NULL},
        {LAND("\"countriesAndRegions\":[],\"includeUnknownCountriesAndRegions\":true"), NULL},
        {LAND("\"countriesAndRegions\":[]"), "1 to 300"},
        {LAND("\"countriesAndRegions\":[\"Switzerland\"]"), "two letters"},
        {LAND("\"countriesAndRegions\":[\"CH\"],\"countryLookupMethod\":\"authenticatorAppGps\""),
         "countryLookupMethod"},
        {LAND("\"countriesAndRegions\":[\"CH\"],\"isTrusted\":true"), "isTrusted"},
    };
    check_rows(rows, RF_COUNT(rows), policy_check_location);
}

/* Prefix by prefix: an address and its neighbour behind the last bit that counts. */
Test(policy_check, ranges_end_where_they_should)
{
    struct address_range range, address;
    for (uint32_t bits = 1; bits <= 32; bits++) {
        char text[32];
        uint32_t base = bits == 32 ? 0x0a141e28u : 0x0a141e28u & ~(UINT32_MAX >> bits);
        uint32_t last = bits == 32 ? base : base | UINT32_MAX >> bits;
        uint32_t tries[] = {base, last, last + 1, base - 1};
        snprintf(text, sizeof text, "%u.%u.%u.%u/%u", base >> 24, base >> 16 & 255, base >> 8 & 255,
                 base & 255, bits);
        cr_assert(address_range_read(rf_str_of(text), &range));
        for (int i = 0; i < 4; i++) {
            snprintf(text, sizeof text, "%u.%u.%u.%u", tries[i] >> 24, tries[i] >> 16 & 255,
                     tries[i] >> 8 & 255, tries[i] & 255);
            cr_assert(address_read(rf_str_of(text), &address));
            cr_assert(address_range_has(&range, &address) == (i < 2), "%s in /%u", text, bits);
        }
    }
    /* All of IPv4 holds no IPv6. */
    cr_assert(address_range_read(RF_S("0.0.0.0/0"), &range) && address_read(RF_S("::1"), &address));
    cr_assert(!address_range_has(&range, &address));
    cr_assert(!address_read(RF_S("1.2.3.4\0x"), &address) && !address_read(RF_S(""), &address));
}
