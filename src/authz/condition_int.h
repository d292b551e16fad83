/* condition_int.h - conditions on roles and role assignments (Azure's format, version 2.0):
 *
 *   ((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR
 *    (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals{...}))
 *
 * AND, OR, NOT, Exists and comparisons of texts, GUIDs, numbers and truth values, with the four set prefixes. Known
 * attributes: RoleDefinitionId, PrincipalId and PrincipalType of Microsoft.Authorization/roleAssignments, and the name of a
 * resource (@Resource[Microsoft.OperationalInsights/workspaces/tables:name]), taken from the scope. What compares another
 * attribute is neither true nor false, and neither is its negation; a condition holds only when it is true. */
#ifndef RF_CONDITION_INT_H
#define RF_CONDITION_INT_H

#include "authz/authz_int.h"
#include "authz/rows.h"

enum {
    CONDITION_BYTES_MAX = 8 << 10, /* Azure's limit */
    CONDITION_NODES_MAX = 1024,
    CONDITION_DEPTH_MAX = 64
};
struct condition;
/* RF_INVALID InvalidCondition, with the place; RF_LIMIT MemoryBudgetExceeded. Views of `text`. */
RF_MUST_USE enum rf_kind condition_parse(rf_str text, struct rf_arena *arena,
                                         struct condition **out, struct rf_err *err);
/* NULL, a condition that could not be read, never holds. */
bool condition_holds(const struct condition *condition, const struct condition_subject *subject);
/* For which rows it holds: comparisons of @Resource[.../tables/record:Column] stay, all else is decided. NULL: no memory. */
const struct row_access *condition_rows(const struct condition *condition,
                                        const struct condition_subject *subject,
                                        struct rf_arena *arena);

/* ---- rows.c ---- */
/* AND or OR of both; NULL when one is NULL or on lack of memory. */
const struct row_access *rows_join(struct rf_arena *arena, enum rows_kind kind,
                                   const struct row_access *a, const struct row_access *b);
const struct row_access *rows_fixed(bool all);
/* What an assignment whose role is there and whose scope covers the subject's gives. NULL: no memory. */
const struct row_access *assignment_rows(const struct assignment *assignment,
                                         const struct condition_subject *subject,
                                         struct rf_arena *arena);

#endif
