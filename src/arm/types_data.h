/* types_data.h - the namespaces and types of Azure that are kept as generic resources.
 *
 * From the public references of the resource providers; versions are the oldest and the newest that clients in use ask for
 * (any date from the oldest on is accepted). A service that registers a type takes its place here. */
#ifndef RF_ARM_TYPES_DATA_H
#define RF_ARM_TYPES_DATA_H

#include "arm/arm.h"

struct known_namespace {
    const char *name;
    const char *const *versions; /* of its types that are not in arm_known_types */
    bool closed; /* arm_known_types has all its top-level types: others are refused */
};
extern const struct known_namespace arm_known_namespaces[];
extern const uint32_t arm_known_namespace_count;

extern const struct arm_type arm_known_types[];
extern const uint32_t arm_known_type_count;

#endif
