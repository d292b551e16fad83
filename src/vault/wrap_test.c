#include "vault/vault_world.h"

#include "vault/store_int.h"

#define S "/secrets/"

/* The body of an unwrap. */
static const char *wrap(struct vault_world *w, const char *target, const char *body)
{
    v_expect(w, "POST", target, body, 200);
    rf_str token = json_text_at(w->answer, "token");
    cr_assert(token.len == 54);
    return rf_arena_cstr(&w->site.arena,
                         rf_arena_printf(&w->site.arena, "{\"token\":\"%.*s\"}", RF_FMT(token)));
}

static void opens_nothing(struct vault_world *w, const char *body)
{
    v_expect_error(w, "POST", "/unwrap", body, 404, "WrappingTokenNotFound", NULL);
}

Test(vault_wrap, opens_once)
{
    struct vault_world w;
    int64_t end;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"one\",\"contentType\":\"t\"}", 200);
    rf_str id = json_text_at(w.answer, "id");
    const char *body = wrap(&w, S "foo/wrap", "{\"ttl\":60}");
    cr_assert(rf_str_eq(json_text_at(w.answer, "id"), id));
    cr_assert(json_i64_at(w.answer, "expires", &end) && end == WALK_NOW + 60);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"two\"}", 200);
    v_be(&w, V_OTHER); /* without any role */
    v_expect(&w, "GET", S "foo", NULL, 403);
    v_expect(&w, "POST", "/unwrap", body, 200);
    v_expect_text(&w, "value", "one");
    v_expect_text(&w, "contentType", "t");
    cr_assert(rf_str_eq(json_text_at(w.answer, "id"), id));
    opens_nothing(&w, body);
    v_expect(&w, "POST", S "foo/wrap", "{\"ttl\":60}", 403);
    v_be(&w, NULL);
    v_expect(&w, "POST", "/unwrap", body, 401);
    v_done(&w);
}

Test(vault_wrap, ends)
{
    struct vault_world w;
    struct state_txn *txn;
    struct state_list list;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"one\"}", 200);
    const char *early = wrap(&w, S "foo/wrap", "{\"ttl\":60}");
    const char *late = wrap(&w, S "foo//wrap", "{\"ttl\":604800}");
    v_pass(&w, 59);
    const char *kept = wrap(&w, S "foo/wrap", "{\"ttl\":1}");
    v_expect(&w, "POST", "/unwrap", kept, 200);
    v_pass(&w, 1);
    opens_nothing(&w, early);
    (void)wrap(&w, S "foo/wrap", "{\"ttl\":60}");
    cr_assert(state_begin_read(w.site.state, &txn, &w.err) == RF_OK);
    struct state_scan scan = {.space = vault_wrap_space};
    cr_assert(state_list(txn, &scan, &w.site.arena, &list, &w.err) == RF_OK);
    cr_assert(list.count == 2, "the ended one was swept away");
    state_end(txn);
    v_expect(&w, "POST", "/unwrap", late, 200);
    v_done(&w);
}

Test(vault_wrap, keeps_no_token)
{
    struct vault_world w;
    struct state_txn *txn;
    struct state_list list;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"one\"}", 200);
    (void)wrap(&w, S "foo/wrap", "{\"ttl\":60}");
    rf_str token = json_text_at(w.answer, "token"), bytes;
    cr_assert(base64url_decode(&w.site.arena, token, &bytes, &w.err) == RF_OK);
    rf_str random = hex_encode(&w.site.arena, rf_slice(bytes, 8, bytes.len));
    cr_assert(state_begin_read(w.site.state, &txn, &w.err) == RF_OK);
    struct state_scan scan = {.space = vault_wrap_space};
    cr_assert(state_list(txn, &scan, &w.site.arena, &list, &w.err) == RF_OK);
    cr_assert(list.count == 1);
    cr_assert(rf_str_find(list.items[0].key, random, 0) == SIZE_MAX);
    cr_assert(rf_str_find(list.items[0].body, rf_slice(token, 12, token.len), 0) == SIZE_MAX);
    state_end(txn);
    v_done(&w);
}

Test(vault_wrap, refuses)
{
    static const char *const ttls[] = {
        "{}",           "{\"ttl\":0}", "{\"ttl\":-1}", "{\"ttl\":604801}", "{\"ttl\":\"60\"}",
        "{\"ttl\":1.5}"};
    static const char *const tokens[] = {
        "{\"token\":\"\"}", "{\"token\":\"AAAA\"}",
        "{\"token\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
        "{\"token\":\"f_________AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"};
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"one\"}", 200);
    for (size_t i = 0; i < RF_COUNT(ttls); i++)
        v_expect_error(&w, "POST", S "foo/wrap", ttls[i], 400, "BadParameter", NULL);
    for (size_t i = 0; i < RF_COUNT(tokens); i++) opens_nothing(&w, tokens[i]);
    v_expect_error(&w, "POST", "/unwrap", "{}", 400, "BadParameter", NULL);
    v_expect_error(&w, "POST", "/unwrap", "{\"token\":1}", 400, "BadParameter", NULL);
    v_expect_error(&w, "POST", S "bar/wrap", "{\"ttl\":60}", 404, "SecretNotFound", NULL);
    /* Another end, or another vault: not this token. */
    const char *body = wrap(&w, S "foo/wrap", "{\"ttl\":60}");
    char *changed = rf_arena_cstr(&w.site.arena, rf_str_of(body));
    changed[strlen("{\"token\":\"")] = 'B';
    opens_nothing(&w, changed);
    v_vault(&w, "second", "\"enableRbacAuthorization\":true");
    w.host = "second.vault.ringfort.localhost:8443";
    opens_nothing(&w, body);
    w.host = NULL;
    v_expect(&w, "POST", "/unwrap", body, 200);
    v_done(&w);
}

Test(vault_wrap, heeds_what_became_of_the_secret)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"one\"}", 200);
    const char *body = wrap(&w, S "foo/wrap", "{\"ttl\":60}");
    v_expect(&w, "PATCH", S "foo", "{\"attributes\":{\"enabled\":false}}", 200);
    v_expect_error(&w, "POST", "/unwrap", body, 403, "Forbidden", "SecretDisabled");
    v_expect_error(&w, "POST", S "foo/wrap", "{\"ttl\":60}", 403, "Forbidden", "SecretDisabled");
    v_expect(&w, "PATCH", S "foo", "{\"attributes\":{\"enabled\":true}}", 200);
    v_expect(&w, "POST", S "foo/backup", NULL, 200);
    struct rf_arena *arena = &w.site.arena;
    rf_str blob =
        rf_arena_printf(arena, "{\"value\":\"%.*s\"}", RF_FMT(json_text_at(w.answer, "value")));
    v_expect(&w, "DELETE", S "foo", NULL, 200);
    opens_nothing(&w, body);
    v_expect(&w, "DELETE", "/deletedsecrets/foo", NULL, 204);
    v_expect(&w, "POST", "/secrets/restore", rf_arena_cstr(arena, blob), 200);
    opens_nothing(&w, body); /* another secret, though its name and version are the same */
    v_done(&w);
}

/* ---- two at once --------------------------------------------------------------------------------------------------------- */

enum { HANDS = 8 };
struct hand {
    struct vault_world *w;
    const char *body;
    pthread_t thread;
    int status;
};

static void *grab(void *ctx)
{
    struct hand *hand = ctx;
    struct walk_site site = {.folder = ""};
    rf_arena_init(&site.arena, (size_t)64 << 20);
    struct walk_call call = {.method = HTTP_POST,
                             .target = "/unwrap?api-version=7.4",
                             .body = hand->body,
                             .authorization = hand->w->token};
    hand->status = walk_exchange(&site, hand->w->dispatcher, &call).status;
    rf_arena_done(&site.arena);
    return NULL;
}

Test(vault_wrap, has_one_winner)
{
    struct vault_world w;
    struct hand hands[HANDS];
    v_init(&w);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"one\"}", 200);
    for (int round = 0; round < 5; round++) {
        const char *body = wrap(&w, S "foo/wrap", "{\"ttl\":60}");
        int won = 0;
        for (int i = 0; i < HANDS; i++) {
            hands[i] = (struct hand){.w = &w, .body = body};
            cr_assert(pthread_create(&hands[i].thread, NULL, grab, &hands[i]) == 0);
        }
        for (int i = 0; i < HANDS; i++) {
            pthread_join(hands[i].thread, NULL);
            cr_assert(hands[i].status == 200 || hands[i].status == 404, "%d", hands[i].status);
            won += hands[i].status == 200;
        }
        cr_assert(won == 1, "%d", won);
    }
    v_done(&w);
}
