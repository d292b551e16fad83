/* acme_client_fuzz.c - what is read of an authority's answer: a problem, a time to wait. */
#include "test/rf_fuzz.h"
#include "vault/acme_client.h"

RF_FUZZ(acme_client, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct json_node *node;
    rf_arena_init(&arena, 1u << 22);
    int64_t wait = acme_retry_after(text, 1769860800);
    RF_ASSERT(wait >= 0 && wait <= 86400);
    if (json_parse(text, &arena, &node, NULL) != RF_OK) return;
    rf_str said = acme_problem_text(&arena, node);
    RF_ASSERT(rf_utf8_valid(said));
    for (size_t i = 0; i < said.len; i++) RF_ASSERT(said.ptr[i] >= ' ' && said.ptr[i] != 0x7f);
}
