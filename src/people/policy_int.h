/* policy_int.h - what the files of policies share. */
#ifndef RF_PEOPLE_POLICY_INT_H
#define RF_PEOPLE_POLICY_INT_H

#include "people/policy.h"

#define POLICY_ARM_APP "797f4846-ba00-4fd7-ba43-dac1f8f63013"
#define POLICY_GRAPH_APP "00000003-0000-0000-c000-000000000000"
#define POLICY_PORTAL_APP "c44b4083-3bb0-49c1-b47d-974e53cbdf3c"

/* ---- policy_place.c: named locations ----------------------------------------------------------------------------------- */

struct places {
    const struct json_node *const *items;
    uint32_t count;
};
/* "10.0.0.0/8", "2001:db8::/32". */
struct address_range {
    uint8_t bytes[16]; /* IPv4 in front */
    uint32_t bits, prefix;
};
bool address_range_read(rf_str text, struct address_range *out);
/* An address alone; IPv4 within IPv6 is IPv4, a zone behind '%' is left out. */
bool address_read(rf_str text, struct address_range *out);
bool address_range_has(const struct address_range *range, const struct address_range *address);
bool place_is_ip(const struct json_node *location);
bool place_is_country(const struct json_node *location);
/* Whether the sign-in comes from there. */
bool place_holds(const struct json_node *location, const struct policy_input *input);

/* ---- policy_rule.c: rules of device filters ------------------------------------------------------------------------------- */

enum {
    DEVICE_RULE_BYTES_MAX = 3072,
    DEVICE_RULE_DEPTH_MAX = 16,
    DEVICE_RULE_VALUES_MAX = 64 /* of one list */
};
/* Reads the rule and tells whether the device fits:
 *   device.PROPERTY -eq|-ne|-startsWith|-notStartsWith|-endsWith|-notEndsWith|-contains|-notContains "text"|true|null
 *   device.PROPERTY -in|-notIn ["a", "b"]
 * joined by -and, -or, -not (with or without the dash; not, and, or bind in this order) and parentheses. Case is ignored. A
 * property that the device lacks, and every one of a device that is not known (NULL), is null: only -ne, the -not... operators and
 * -eq null are true of it. Of a property with several values (physicalIds) one has to fit. Needs no memory.
 * RF_INVALID BadDeviceRule: names the place. */
RF_MUST_USE enum rf_kind device_rule_run(rf_str rule, const struct json_node *device, bool *fits,
                                         struct rf_err *err);

/* ---- policy_match.c: conditions ---------------------------------------------------------------------------------------------- */

/* The first condition that the sign-in does not meet, in Graph's words; NULL: the policy applies. */
const char *policy_misses(const struct json_node *policy, const struct places *places,
                          const struct policy_input *input);
bool policy_word_in(const struct json_node *list, rf_str word); /* case ignored */
/* A word of a list with commas between. */
bool policy_word_of(rf_str list, rf_str word);
bool policy_list_given(const struct json_node *object,
                       const char *path); /* neither absent nor empty */

/* ---- policy_strength.c: authentication strengths ------------------------------------------------------------------------------- */

/* What is open of the strength that a policy names: 0: it is met. */
unsigned strength_asks(const struct json_node *strength, unsigned proofs);

#endif
