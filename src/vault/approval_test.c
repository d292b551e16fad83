#include "vault/approval_int.h"

#include "vault/keys_world.h"

#define ASKER V_OTHER
#define FIRST "aaaaaaaa-0000-0000-0000-000000000011"
#define SECOND "aaaaaaaa-0000-0000-0000-000000000013"
#define TEAM "cccccccc-0000-0000-0000-000000000001"
#define GLASS(approvers)                                                                           \
    "\"enableRbacAuthorization\":true,\"breakGlass\":{\"approvers\":[" approvers                   \
    "],\"needed\":2,\"maxMinutes\":60}"
#define TWO "\"" FIRST "\",\"" SECOND "\""
#define ASK                                                                                        \
    "{\"scope\":\"/secrets/Foo\",\"actions\":[\"get\"],\"reason\":\"ticket 7\",\"minutes\":30}"

/* A vault with break-glass, a secret in it, and a request of somebody who may nothing. */
static const char *begin(struct vault_world *w, const char *glass)
{
    v_init(w);
    v_expect(w, "PUT", "/secrets/foo", "{\"value\":\"planted\"}", 200);
    v_expect(w, "PUT", "/secrets/bar", "{\"value\":\"other\"}", 200);
    v_vault(w, V_NAME, glass);
    v_be(w, ASKER);
    v_expect(w, "GET", "/secrets/foo", NULL, 403);
    v_expect(w, "POST", "/access-requests", ASK, 201);
    v_expect_text(w, "state", "pending");
    return rf_arena_cstr(&w->site.arena, json_text_at(w->answer, "id"));
}

static const char *at(struct vault_world *w, const char *id, const char *step)
{
    return k_text(&w->site.arena, "/access-requests/%s/%s", id, step);
}

static void approve(struct vault_world *w, const char *who, const char *id, int status)
{
    v_be(w, who);
    v_expect(w, "POST", at(w, id, "approve"), NULL, status);
}

static void asker_gets(struct vault_world *w, int status)
{
    v_be(w, ASKER);
    v_expect(w, "GET", "/secrets/foo", NULL, status);
}

Test(vault_approval, takes_two_and_ends)
{
    struct vault_world w;
    const char *id = begin(&w, GLASS(TWO));
    approve(&w, FIRST, id, 200);
    v_expect_text(&w, "state", "pending");
    asker_gets(&w, 403);
    approve(&w, FIRST, id, 409);
    approve(&w, ASKER, id, 403);
    asker_gets(&w, 403);
    approve(&w, SECOND, id, 200);
    v_expect_text(&w, "state", "approved");
    asker_gets(&w, 200);
    v_expect_text(&w, "value", "planted");
    /* The row says by what. */
    cr_assert(strcmp(w.site.last_table, "AzureDiagnostics") == 0);
    cr_assert(rf_str_find(w.site.last_row, rf_str_of(id), 0) != SIZE_MAX, "%.*s",
              RF_FMT(w.site.last_row));
    /* That and nothing else. */
    v_expect(&w, "GET", "/secrets/bar", NULL, 403);
    v_expect(&w, "PUT", "/secrets/foo", "{\"value\":\"x\"}", 403);
    v_expect(&w, "DELETE", "/secrets/foo", NULL, 403);
    v_expect(&w, "GET", "/secrets", NULL, 403);
    v_expect(&w, "POST", "/secrets/foo/backup", NULL, 403);
    v_be(&w, "aaaaaaaa-0000-0000-0000-000000000009");
    v_expect(&w, "GET", "/secrets/foo", NULL, 403);
    v_expect(&w, "GET", k_text(&w.site.arena, "/access-requests/%s", id), NULL, 404);
    v_pass(&w, 30 * 60 - 1);
    asker_gets(&w, 200);
    v_pass(&w, 1);
    asker_gets(&w, 403);
    v_expect(&w, "GET", k_text(&w.site.arena, "/access-requests/%s", id), NULL, 200);
    v_expect_text(&w, "state", "ended");
    cr_assert(json_get(w.answer, "uses")->count == 2);
    cr_assert(rf_str_is(json_text_at(json_get(w.answer, "uses")->first, "operation"), "SecretGet"));
    v_done(&w);
}

Test(vault_approval, gives_no_way_to_keep_it)
{
    struct vault_world w;
    const char *id = begin(&w, GLASS(TWO));
    approve(&w, FIRST, id, 200);
    approve(&w, SECOND, id, 200);
    v_be(&w, ASKER);
    v_expect(&w, "GET", "/secrets/foo", NULL, 200);
    rf_str version = json_text_at(w.answer, "id");
    version = rf_slice(version, version.len - 32, version.len);
    v_expect(&w, "POST", k_text(&w.site.arena, "/secrets/foo/%.*s/wrap", RF_FMT(version)),
             "{\"ttl\":600}", 403);
    v_be(&w, FIRST);
    v_expect(&w, "POST", at(&w, id, "revoke"), NULL, 200);
    asker_gets(&w, 403);
    v_done(&w);
}

Test(vault_approval, counts_only_those_who_are_approvers_still)
{
    struct vault_world w;
    const char *id = begin(&w, GLASS("\"" TEAM "\""));
    w.site.groups[0] = RF_S(TEAM);
    w.site.group_count = 1;
    approve(&w, FIRST, id, 200);
    approve(&w, SECOND, id, 200);
    v_expect_text(&w, "state", "approved");
    asker_gets(&w, 200);
    w.site.group_count = 0; /* out of the group */
    asker_gets(&w, 403);
    w.site.group_count = 1;
    asker_gets(&w, 200);
    v_vault(&w, V_NAME, GLASS("\"" FIRST "\"")); /* another list */
    asker_gets(&w, 403);
    v_vault(&w, V_NAME, "\"enableRbacAuthorization\":true"); /* none at all */
    asker_gets(&w, 403);
    v_vault(&w, V_NAME, GLASS("\"" TEAM "\""));
    asker_gets(&w, 200);
    v_done(&w);
}

Test(vault_approval, gives_way_to_a_deny_assignment)
{
    struct vault_world w;
    struct state_txn *txn;
    const char *id = begin(&w, GLASS(TWO));
    approve(&w, FIRST, id, 200);
    approve(&w, SECOND, id, 200);
    asker_gets(&w, 200);
    struct state_put put = {
        .space = "denyAssignment",
        .key = RF_S("d"),
        .body = RF_S("{\"properties\":{\"scope\":\"" V_ID "\",\"permissions\":[{\"dataActions\":["
                     "\"Microsoft.KeyVault/vaults/secrets/*\"]}],\"principals\":[{\"id\":\"" ASKER
                     "\"}]}}")};
    cr_assert(state_begin_write(w.site.state, &txn, &w.err) == RF_OK);
    cr_assert(state_put(txn, &put, NULL, NULL, &w.err) == RF_OK);
    cr_assert(state_commit(txn, &w.err) == RF_OK);
    asker_gets(&w, 403);
    v_done(&w);
}

Test(vault_approval, is_denied_expires_and_is_reviewed)
{
    struct vault_world w;
    const char *id = begin(&w, GLASS(TWO));
    v_be(&w, FIRST);
    v_expect(&w, "POST", at(&w, id, "deny"), NULL, 200);
    v_expect_text(&w, "state", "denied");
    approve(&w, SECOND, id, 409);
    asker_gets(&w, 403);
    v_expect(&w, "POST", "/access-requests", ASK, 201);
    id = rf_arena_cstr(&w.site.arena, json_text_at(w.answer, "id"));
    v_pass(&w, 86400);
    approve(&w, FIRST, id, 409);
    v_expect(&w, "GET", "/access-requests?state=expired", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    v_be(&w, ASKER);
    v_expect(&w, "POST", "/access-requests", ASK, 201);
    id = rf_arena_cstr(&w.site.arena, json_text_at(w.answer, "id"));
    approve(&w, FIRST, id, 200);
    approve(&w, SECOND, id, 200);
    v_expect(&w, "POST", at(&w, id, "review"), "{\"finding\":\"early\"}", 409);
    v_pass(&w, 31 * 60);
    v_be(&w, ASKER);
    v_expect(&w, "POST", at(&w, id, "review"), "{\"finding\":\"fine\"}", 403);
    v_be(&w, FIRST);
    v_expect(&w, "GET", "/access-requests?state=ended", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    v_expect(&w, "POST", at(&w, id, "review"), "{}", 400);
    v_expect(&w, "POST", at(&w, id, "review"), "{\"finding\":\"fine\"}", 200);
    v_expect_text(&w, "state", "reviewed");
    v_expect_text(&w, "review.finding", "fine");
    v_expect(&w, "POST", at(&w, id, "review"), "{\"finding\":\"again\"}", 409);
    v_expect(&w, "GET", "/access-requests?maxresults=2", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 2 &&
              json_text_at(w.answer, "nextLink").len > 0);
    v_done(&w);
}

Test(vault_approval, works_with_access_policies_and_keys)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "POST", "/keys/k/create", "{\"kty\":\"EC\"}", 200);
    v_vault(&w, V_NAME,
            "\"enableRbacAuthorization\":false,\"breakGlass\":{\"approvers\":[" TWO
            "],\"needed\":2,\"maxMinutes\":10}");
    v_be(&w, ASKER);
    const char *sign =
        "{\"alg\":\"ES256\",\"value\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}";
    v_expect_error(&w, "POST", "/keys/k//sign", sign, 403, "Forbidden", "AccessDenied");
    v_expect(&w, "POST", "/access-requests",
             "{\"scope\":\"/keys/k\",\"actions\":[\"sign\"],\"reason\":\"r\",\"minutes\":10}", 201);
    const char *id = rf_arena_cstr(&w.site.arena, json_text_at(w.answer, "id"));
    approve(&w, FIRST, id, 200);
    approve(&w, SECOND, id, 200);
    v_be(&w, ASKER);
    v_expect(&w, "POST", "/keys/k//sign", sign, 200);
    v_expect_error(&w, "GET", "/keys/k", NULL, 403, "Forbidden", "AccessDenied");
    v_done(&w);
}

Test(vault_approval, refuses_what_cannot_be_asked_for)
{
    static const char *const wrong[] = {
        "{}",
        "{\"scope\":\"/secrets\",\"actions\":[\"get\"],\"reason\":\"r\",\"minutes\":1}",
        "{\"scope\":\"/secrets/a/b\",\"actions\":[\"get\"],\"reason\":\"r\",\"minutes\":1}",
        "{\"scope\":\"/issuers/a\",\"actions\":[\"get\"],\"reason\":\"r\",\"minutes\":1}",
        "{\"scope\":\"/secrets/a\",\"actions\":[\"set\"],\"reason\":\"r\",\"minutes\":1}",
        "{\"scope\":\"/secrets/a\",\"actions\":[],\"reason\":\"r\",\"minutes\":1}",
        "{\"scope\":\"/secrets/a\",\"actions\":[\"get\"],\"reason\":\" \",\"minutes\":1}",
        "{\"scope\":\"/secrets/a\",\"actions\":[\"get\"],\"reason\":\"r\",\"minutes\":61}",
        "{\"scope\":\"/secrets/a\",\"actions\":[\"get\"],\"reason\":\"r\",\"minutes\":0}"};
    struct vault_world w;
    (void)begin(&w, GLASS(TWO));
    for (size_t i = 0; i < RF_COUNT(wrong); i++)
        v_expect_error(&w, "POST", "/access-requests", wrong[i], 400, "BadParameter", NULL);
    for (int i = 0; i < 4; i++) v_expect(&w, "POST", "/access-requests", ASK, 201);
    v_expect(&w, "POST", "/access-requests", ASK, 429);
    v_vault(&w, V_NAME, "\"enableRbacAuthorization\":true");
    v_expect_error(&w, "POST", "/access-requests", ASK, 409, "Conflict", "BreakGlassOff");
    v_be(&w, NULL);
    v_expect(&w, "POST", "/access-requests", ASK, 401);
    v_done(&w);
}

Test(vault_approval, checks_what_a_vault_says)
{
    static const char *const wrong[] = {"1",
                                        "{}",
                                        "{\"approvers\":[],\"needed\":2,\"maxMinutes\":5}",
                                        "{\"approvers\":[\"x\"],\"needed\":2,\"maxMinutes\":5}",
                                        "{\"approvers\":[" TWO "],\"needed\":1,\"maxMinutes\":5}",
                                        "{\"approvers\":[" TWO "],\"needed\":2,\"maxMinutes\":0}",
                                        "{\"approvers\":[" TWO "],\"needed\":2}"};
    struct vault_world w;
    struct json_node *node, *good;
    struct principal nobody = {.object_id = RF_S(ASKER)};
    v_init(&w);
    for (size_t i = 0; i < RF_COUNT(wrong); i++) {
        rf_str text = rf_arena_printf(&w.site.arena, "{\"breakGlass\":%s}", wrong[i]);
        cr_assert(json_parse(text, &w.site.arena, &node, &w.err) == RF_OK);
        cr_assert(vault_break_glass_check(NULL, w.site.authz, RF_S(V_ID), node, NULL, &w.err) ==
                      RF_INVALID,
                  "%s", wrong[i]);
    }
    cr_assert(
        json_parse(RF_S("{\"breakGlass\":{\"approvers\":[" TWO "],\"needed\":2,\"maxMinutes\":5}}"),
                   &w.site.arena, &good, &w.err) == RF_OK);
    cr_assert(vault_break_glass_check(NULL, w.site.authz, RF_S(V_ID), good, NULL, &w.err) == RF_OK);
    cr_assert(vault_break_glass_check(&nobody, w.site.authz, RF_S(V_ID), good, NULL, &w.err) ==
                  RF_DENIED,
              "whoever may not give roles names no approvers");
    cr_assert(vault_break_glass_check(&nobody, w.site.authz, RF_S(V_ID), good, good, &w.err) ==
                  RF_OK,
              "nothing changes");
    v_done(&w);
}
