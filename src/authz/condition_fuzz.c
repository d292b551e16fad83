/* Conditions and filters of strangers: read within bounds, and judged without a crash. */
#include "authz/condition_int.h"
#include "authz/rbac_int.h"
#include "test/rf_fuzz.h"

RF_FUZZ(condition, text)
{
    static const char *const names[] = {"atScope()", "assignedTo()", "principalId", NULL};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 << 20);
    struct condition *condition;
    struct rbac_filter filter;
    struct principal principal = {.object_id = RF_S("x")};
    struct condition_subject subject = {.principal = &principal,
                                        .action = RF_S("Microsoft.Authorization/x/write"),
                                        .scope = RF_S("/subscriptions/s/tables/T"),
                                        .role_id = RF_S("r")};
    if (condition_parse(text, &arena, &condition, NULL) == RF_OK)
        (void)condition_holds(condition, &subject);
    if (rbac_filter_parse(text, names, &arena, &filter, NULL) == RF_OK)
        RF_ASSERT(filter.count <= FILTER_TERMS_MAX);
}
