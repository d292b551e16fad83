/* incident_filter.h - $filter of lists of incidents (OData):
 *
 *   any  = all { "or" all }      all  = term { "and" term }      term = "not" term | "(" any ")" | compare | call
 *   compare = path ("eq" | "ne" | "gt" | "ge" | "lt" | "le") literal
 *   call    = ("contains" | "startswith" | "endswith") "(" path "," text ")" [ "eq" ("true" | "false") ]
 *   literal = 'text', a quote in it doubled | number | time | true | false | null
 *
 * Texts are compared without case, times as times. A path that is a list (properties/labels, properties/additionalData/tactics)
 * passes when one of its items does. */
#ifndef RF_SIEM_INCIDENT_FILTER_H
#define RF_SIEM_INCIDENT_FILTER_H

#include "base/clock.h"
#include "base/json_tree.h"

enum { INCIDENT_FILTER_BYTES_MAX = 8192, INCIDENT_FILTER_DEPTH_MAX = 16 };

struct incident_filter;
/* An empty text lets everything pass. RF_INVALID InvalidFilter, with the position in the text. Allocates in `arena`; texts are
 * views of `text`. */
RF_MUST_USE enum rf_kind incident_filter_parse(rf_str text, struct rf_arena *arena,
                                               struct incident_filter **out, struct rf_err *err);
bool incident_filter_passes(const struct incident_filter *filter, const struct json_node *incident);

/* What every incident that passes has, so that others need not be read. */
struct incident_bounds {
    unsigned statuses; /* bit 0 New, 1 Active, 2 Closed */
    int64_t number_least, number_most;
    rf_usec created_least; /* INT64_MIN: no bound */
};
struct incident_bounds incident_filter_bounds(const struct incident_filter *filter);

/* The value of a path in an incident, such as "properties/owner/email"; *known: an incident can have it. NULL: it has none. */
const struct json_node *incident_path(const struct json_node *incident, rf_str path, bool *known);

#endif
