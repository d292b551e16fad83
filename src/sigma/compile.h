/* compile.h - rules as KQL for the tables of a layout.
 *
 * The query finds the events that the direct run finds (match.h), as far as columns allow: a column of type string does not
 * tell a missing value from an empty one, so that null, '' and exists look for emptiness there.
 *
 * Texts compare without case by =~, in~, contains, startswith, endswith; patterns with inner wildcards become regular
 * expressions. What a table may lack is read through column_ifexists, so that the query binds whichever columns there are. Every
 * test gives true or false, never null, so that `not` means what Sigma means. */
#ifndef RF_SIGMA_COMPILE_H
#define RF_SIGMA_COMPILE_H

#include "sigma/layout.h"

struct compile_options {
    const struct layout *layout; /* NULL: the first that has the rule's log source */
    const char *table;           /* NULL: that of the layout */
};
struct compiled {
    rf_str query;
    const struct layout *layout;
    rf_str table;
};

/* Compiles a rule or a correlation. Allocates in `arena`.
 * Errors: RF_NOT_FOUND NoSuchEvents (the layout has no such log source), RF_INVALID NotCompilable (what KQL cannot say), and
 * lack of memory. */
RF_MUST_USE enum rf_kind sigma_compile(const struct sigma_rule *rule,
                                       const struct compile_options *options,
                                       struct rf_arena *arena, struct compiled *out,
                                       struct rf_err *err);

#endif
