#include "people/policy_int.h"
#include "test/rf_fuzz.h"

/* Whatever is well formed can be evaluated; whatever is not can be, too: it was stored by an older program. */
RF_FUZZ(access_policy, text)
{
    static const rf_str names[] = {{(const uint8_t *)"g", 1}};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 22);
    struct json_node *doc;
    struct policy_verdict verdict;
    struct rf_err err;
    if (json_parse(text, &arena, &doc, &err) != RF_OK) return;
    const struct json_node *docs[] = {doc};
    struct policy_input input = {.user = RF_S("u"),
                                 .guest = true,
                                 .groups = names,
                                 .roles = names,
                                 .group_count = 1,
                                 .role_count = 1,
                                 .client_app = RF_S("c"),
                                 .resource_app = RF_S(POLICY_ARM_APP),
                                 .address = RF_S("10.1.2.3"),
                                 .platform = RF_S("linux"),
                                 .proofs = PROOF_PASSWORD,
                                 .now = RF_USEC_PER_SECOND};
    bool place = policy_check_location(doc, &err) == RF_OK;
    RF_ASSERT(!place || place_is_ip(doc) != place_is_country(doc));
    bool fine = policy_check(doc, &err) == RF_OK;
    for (int service = 0; service < 2; service++) {
        if (service) input.service_principal = RF_S("s"), input.user = (rf_str){0};
        RF_ASSERT(policy_evaluate(docs, 1, docs, 1, &input, &arena, &verdict, &err) == RF_OK);
        RF_ASSERT(verdict.row_count == 1);
        RF_ASSERT(!fine || policy_result_name(verdict.rows[0].result)[0] != 'u');
    }
}
