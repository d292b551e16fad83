/* rule_int.h - what the readers of rules share. */
#ifndef RF_SIEM_RULE_INT_H
#define RF_SIEM_RULE_INT_H

#include "siem/rule.h"

/* The position in a list of names that ends with NULL, ASCII case ignored; -1: none. */
int rule_find_name(const char *const *names, rf_str text);

extern const char *const rule_kind_names[];     /* by enum rule_kind */
extern const char *const rule_operator_names[]; /* by enum rule_operator */
extern const char *const rule_match_names[];    /* by enum rule_match */
extern const char *const rule_grouping_names[]; /* SingleAlert, AlertPerResult */
extern const char *const rule_detail_names[];   /* of alerts that grouping looks at */
extern const char *const rule_property_names[]; /* that alertDynamicProperties may set */

#endif
