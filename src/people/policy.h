/* policy.h - conditional access: which policies apply to a sign-in, and what they ask for (contract identity, section 10). Knows no HTTP and no state:
 * policies are Graph's JSON, everything else is in the input. Pure; any thread. */
#ifndef RF_POLICY_H
#define RF_POLICY_H

#include "base/clock.h"
#include "base/json_tree.h"

/* How somebody is proved, as bits. */
enum {
    PROOF_PASSWORD = 1,
    PROOF_TOTP = 2,
    PROOF_PASSKEY = 4,  /* with user verification: two factors at once, and resistant to phishing */
    PROOF_RECOVERY = 8, /* counts as a second factor */
    PROOF_PASS = 16,    /* temporary access pass: two factors at once */
    PROOF_CERTIFICATE = 32
};
bool proof_is_mfa(unsigned proofs);
enum policy_client { POLICY_BROWSER, POLICY_MOBILE_DESKTOP, POLICY_OTHER };
enum risk_level { RISK_NONE, RISK_LOW, RISK_MEDIUM, RISK_HIGH };

struct policy_input {
    /* Who: a user, or a service principal (then only policies with clientApplications count). */
    rf_str user; /* object id; empty: none */
    bool guest;
    const rf_str *groups, *roles; /* transitive; role template ids */
    uint32_t group_count, role_count;
    rf_str service_principal;
    /* What for: app ids of the client and of the resource. A policy that includes either applies; one that excludes the client alone counts
     * only where the client is what the sign-in is for: the resource is Graph, the client itself, or none. */
    rf_str client_app, resource_app;
    rf_str user_action;     /* "urn:user:registersecurityinfo"; empty: none */
    const rf_str *contexts; /* authentication contexts asked for: "c1" */
    uint32_t context_count;
    /* Where from, with what. */
    enum policy_client client;
    rf_str address;  /* text form */
    rf_str country;  /* two letters; empty: not known */
    rf_str platform; /* "windows", "linux", "android", "iOS", "macOS"; empty: not known */
    bool device_compliant, device_joined;
    const struct json_node *device; /* members for device filters; NULL: none */
    enum risk_level user_risk, sign_in_risk;
    const char *flow; /* "deviceCodeFlow", "authenticationTransfer"; NULL: none */
    /* How far they have come. */
    unsigned proofs;
    rf_usec proved_at, second_proved_at; /* 0: never */
    bool fresh_password;                 /* changed in this sign-in */
    bool is_break_glass; /* for emergencies: only a policy that blocks for risk applies to it */
    rf_usec now;
};
enum policy_result {
    POLICY_NOT_APPLIED,
    POLICY_NOT_ENABLED,
    POLICY_SUCCESS,     /* applies, and what it asks for is there */
    POLICY_FAILURE,     /* blocks */
    POLICY_INTERRUPTED, /* asks for more */
    POLICY_REPORT_SUCCESS,
    POLICY_REPORT_FAILURE,
    POLICY_REPORT_INTERRUPTED,
    POLICY_REPORT_NOT_APPLIED
};
struct policy_row {
    const struct json_node *policy;
    enum policy_result result;
    /* The condition that did not match, as Graph's what-if calls it: "users", "workloadIdentities", "application", "userActions",
     * "authenticationContext", "clientApps", "location", "devicePlatform", "signInRisk", "userRisk", "servicePrincipalRisk",
     * "devices", "authenticationFlow"; NULL: all did. */
    const char *why_not;
    unsigned asks; /* ASK_* of this policy that are open */
};
enum {
    ASK_MFA = 1,
    ASK_PASSKEY = 2,
    ASK_PASSWORD_CHANGE = 4,
    ASK_AGAIN = 8 /* sign in anew: sign-in frequency */,
    ASK_DEVICE = 16 /* cannot be had here */
};
struct policy_verdict {
    struct policy_row *rows; /* one for each policy, in order */
    uint32_t row_count;
    bool blocked;
    const struct json_node *blocked_by;
    unsigned asks;                    /* of all together; 0 and not blocked: go on */
    const struct json_node *asked_by; /* the first that asks: its displayName is told to people */
    int64_t frequency_seconds;        /* strictest; -1: none, 0: every time */
    enum { PERSIST_FREE, PERSIST_ALWAYS, PERSIST_NEVER } persistent;
};
/* `locations`: the tenant's named locations, for ids in conditions. A custom authentication strength stands in the policy with its
 * "allowedCombinations". Rows point to the policies given. "Every time" is within five minutes. Cost: each list once for each of the
 * user's groups and roles. RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind policy_evaluate(const struct json_node *const *policies,
                                         uint32_t policy_count,
                                         const struct json_node *const *locations,
                                         uint32_t location_count, const struct policy_input *input,
                                         struct rf_arena *arena, struct policy_verdict *out,
                                         struct rf_err *err);
/* Whether a policy is well formed and all that it asks is enforced here: RF_INVALID Request_BadRequest or BadDeviceRule, with the member's
 * name or the place in the text. */
RF_MUST_USE enum rf_kind policy_check(const struct json_node *policy, struct rf_err *err);
RF_MUST_USE enum rf_kind policy_check_location(const struct json_node *location,
                                               struct rf_err *err);
const char *
policy_result_name(enum policy_result result); /* "success", "reportOnlyInterrupted" ... */

#endif
