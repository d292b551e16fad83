/* access_policy_int.h - the tenant's conditional access policies, put to a sign-in (contract identity, section 10).
 *
 * Spaces: conditionalAccessPolicy, namedLocation, authenticationStrengthPolicy (the tenant's own ones), and
 *   accessSetting            key "securityDefaults" {"isEnabled"}, "emergencyAccess" {"userIds"}, "authenticationMethods"
 *   directoryRoleAssignment  principalId, roleDefinitionId (a role's template id) */
#ifndef RF_IDENTITY_ACCESS_POLICY_INT_H
#define RF_IDENTITY_ACCESS_POLICY_INT_H

#include "identity/identity_int.h"
#include "people/policy.h"

#define ROLE_GLOBAL_ADMINISTRATOR "62e90394-69f5-4237-9190-012177145e10"
#define SECURITY_DEFAULTS_ID "00000000-0000-0000-0000-000000000005"

enum { ACCESS_POLICIES_MAX = 240, ACCESS_LOCATIONS_MAX = 195, ACCESS_BYTES_MAX = 12 << 20 };

/* What policy_evaluate takes. Strengths of the tenant stand in the policies that name them; security defaults, switched on, are one
 * policy more. */
struct access_policies {
    const struct json_node **policies, **locations;
    uint32_t policy_count, location_count;
    const struct json_node *emergency; /* array of user ids; NULL: none */
    const struct json_node *methods;   /* the policy of authentication methods; NULL: as it comes */
    bool security_defaults;
};
/* The set as the transaction sees it. RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind access_load(struct state_txn *txn, struct rf_arena *arena,
                                     struct access_policies *out, struct rf_err *err);
/* The same, kept until something of it changes: the entry's value is a struct access_policies. */
RF_MUST_USE enum rf_kind identity_policies(struct identity *identity, struct memo_entry **out,
                                           struct rf_err *err);
/* Fills in groups, roles, whether the user is a guest, and whether the account is one for emergencies: named by the setting, or marked
 * with "~breakGlass" by the program itself. Nothing for service principals. */
RF_MUST_USE enum rf_kind access_person(struct state_txn *txn, const struct access_policies *set,
                                       struct rf_arena *arena, struct policy_input *input,
                                       struct rf_err *err);
/* All of it for one sign-in of a user, or of a service principal. Rows of the verdict hold id, displayName, state and controls of their
 * policies, in `arena`. Without policies nothing is read. */
RF_MUST_USE enum rf_kind access_evaluate(struct identity *identity, struct policy_input *input,
                                         struct rf_arena *arena, struct policy_verdict *out,
                                         struct rf_err *err);
/* Template ids of the directory roles that the principal has at `now`, itself or through one of the groups. */
RF_MUST_USE enum rf_kind access_roles_of(struct state_txn *txn, rf_str principal,
                                         const rf_str *groups, uint32_t group_count, rf_usec now,
                                         struct rf_arena *arena, rf_str **out, uint32_t *count,
                                         struct rf_err *err);
/* Whether users may use a method: "Fido2", "SoftwareOath", "TemporaryAccessPass", "RecoveryCode". */
RF_MUST_USE enum rf_kind access_method_enabled(struct identity *identity, const char *method,
                                               bool *enabled, struct rf_err *err);
bool access_text_in(const struct json_node *list,
                    rf_str text); /* an array of texts; case ignored */

/* ---- access_lockout.c -------------------------------------------------------------------------------------------------------- */

/* Whether somebody who may change policies can still sign in to do so: a Global Administrator, by some client from some address that the
 * tenant's locations or this request name; in a tenant without such users, a service principal with Policy.ReadWrite.ConditionalAccess. True
 * as well when there is neither. */
RF_MUST_USE enum rf_kind access_reachable(struct identity *identity, struct state_txn *txn,
                                          const struct access_policies *set, rf_str address,
                                          rf_usec now, struct rf_arena *arena, bool *reachable,
                                          struct rf_err *err);

#endif
