/* Paths and bodies of requests: what comes out of them is what the rest relies on. */
#include "test/rf_fuzz.h"
#include "vault/call_int.h"

static const struct vault_operation operations[] = {
    {.method = HTTP_GET, .path = "secrets/{name}/{version}"},
    {.method = HTTP_GET, .path = "secrets/{name}/versions"},
    {.method = HTTP_GET, .path = "keys/{name}/{version}/sign"},
    {.method = HTTP_GET, .path = "certificates/issuers/{issuer}"},
    {.method = HTTP_POST, .path = "secrets/restore"},
};

RF_FUZZ(call, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4u << 20);
    const struct vault_table table = {operations, RF_COUNT(operations)};
    struct vault_match match;
    struct json_node *body = NULL;
    if (vault_match_path(&table, 1, HTTP_GET, text, &arena, &match, NULL) == RF_OK &&
        match.operation != NULL) {
        RF_ASSERT(match.name.len <= 127);
        RF_ASSERT(match.version.len == 0 || match.version.len == 32);
        for (size_t i = 0; i < match.name.len; i++)
            RF_ASSERT(rf_is_alnum(match.name.ptr[i]) || match.name.ptr[i] == '-');
    }
    if (vault_read_body(text, &arena, &body, NULL) == RF_OK)
        RF_ASSERT(json_is(body, JSON_T_OBJECT));
    size_t bar = rf_str_find(text, RF_S("|"), 0);
    if (bar != SIZE_MAX)
        (void)vault_address_in(rf_slice(text, 0, bar), rf_slice(text, bar + 1, text.len));
}
