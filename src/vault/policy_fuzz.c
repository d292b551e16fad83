/* Access policies, as they come in documents: what passes the checks can be changed by words, and passes again. */
#include "test/rf_fuzz.h"
#include "vault/types_int.h"

#define TENANT "11111111-2222-3333-4444-555555555555"

RF_FUZZ(policy, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4u << 20);
    rf_str tenant = RF_S(TENANT);
    struct json_node *both, *changed;
    struct rf_err err;
    if (json_parse(text, &arena, &both, &err) != RF_OK) return;
    const struct json_node *stored = json_get(both, "stored"), *given = json_get(both, "given");
    if (vault_policies_check(stored, tenant, &err) != RF_OK ||
        vault_policies_check(given, tenant, &err) != RF_OK)
        return;
    for (int change = VAULT_POLICY_ADD; change <= VAULT_POLICY_REMOVE; change++) {
        if (vault_policies_change((enum vault_policy_change)change, stored, given, &arena, &changed,
                                  &err) != RF_OK)
            return;
        RF_ASSERT(vault_policies_check(changed, tenant, &err) == RF_OK ||
                  changed->count > VAULT_POLICIES_MAX);
        RF_ASSERT(change != VAULT_POLICY_REMOVE || changed->count <= stored->count);
    }
}
