/* A request for access, and what a vault says of who may approve one: {"breakGlass":{...},"body":{...}}. */
#include "test/rf_fuzz.h"
#include "vault/approval_int.h"

RF_FUZZ(approval, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 8u << 20);
    struct json_node *node = NULL;
    int64_t minutes = 0, most = 0;
    if (vault_read_body(text, &arena, &node, NULL) != RF_OK || !json_is(node, JSON_T_OBJECT))
        return;
    bool glass = vault_break_glass_check(NULL, NULL, (rf_str){0}, node, NULL, NULL) == RF_OK;
    struct json_node *body = json_get(node, "body"), *out = json_new(&arena, JSON_T_OBJECT);
    struct request request = {.arena = &arena};
    struct vault_call call = {
        .request = &request, .arena = &arena, .body = body, .place = {.properties = node}};
    if (!json_is(body, JSON_T_OBJECT) || out == NULL) return;
    if (vault_approval_read(&call, out, NULL) != RF_OK) return;
    RF_ASSERT(json_i64_at(out, "minutes", &minutes) && minutes >= 1);
    RF_ASSERT(json_i64_at(node, "breakGlass.maxMinutes", &most) && minutes <= most);
    /* What a vault lets itself be told is a matter of hours. */
    RF_ASSERT(!glass || minutes <= 24 * 60);
    RF_ASSERT(json_get(out, "actions")->count >= 1);
    RF_ASSERT(json_to_text(&arena, out).ptr != NULL);
}
