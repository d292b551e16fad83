#include "vault/keys_world.h"

#define HI "\"value\":\"aGVsbG8\"" /* hello */
#define D32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

static const char *create(struct vault_world *w, const char *name, const char *body)
{
    v_expect(w, "POST", k_text(&w->site.arena, K "%s/create", name), body, 200);
    return k_version(w);
}

static rf_str answered(struct vault_world *w, const char *at)
{
    rf_str text = json_text_at(w->answer, at);
    cr_assert(text.len > 0, "no %s", at);
    return text;
}

Test(vault_keys_use, signs_and_verifies)
{
    struct vault_world w;
    v_init(&w);
    const char *version = create(&w, "k", "{\"kty\":\"EC\"}");
    v_expect(&w, "POST", K "k//sign", "{\"alg\":\"ES256\",\"value\":\"" D32 "=\"}", 200);
    cr_assert(rf_str_is(json_text_at(w.answer, "kid"),
                        k_text(&w.site.arena, "https://localhost:8443/keys/k/%s", version)));
    cr_assert(k_bytes(&w, "value").len == 64);
    rf_str signature = answered(&w, "value");
    const char *body =
        k_text(&w.site.arena, "{\"alg\":\"ES256\",\"digest\":\"" D32 "\",\"value\":\"%.*s\"}",
               RF_FMT(signature));
    v_expect(&w, "POST", K "k/verify", body, 200);
    cr_assert(json_bool_at(w.answer, "value", false) && json_get(w.answer, "kid") == NULL);
    body = k_text(&w.site.arena,
                  "{\"alg\":\"ES256\",\"digest\":\"BBECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\","
                  "\"value\":\"%.*s\"}",
                  RF_FMT(signature));
    v_expect(&w, "POST", K "k//verify", body, 200);
    cr_assert(json_is(json_get(w.answer, "value"), JSON_T_FALSE));
    v_expect(&w, "POST", K "k//verify", "{\"alg\":\"ES256\",\"digest\":\"" D32 "\",\"value\":\"\"}",
             200);
    cr_assert(json_is(json_get(w.answer, "value"), JSON_T_FALSE));
    body = k_text(&w.site.arena, "{\"alg\":\"ES256\",\"digest\":\"AAAA\",\"value\":\"%.*s\"}",
                  RF_FMT(signature));
    v_expect_error(&w, "POST", K "k//verify", body, 400, "BadParameter", NULL);
    v_done(&w);
}

Test(vault_keys_use, uses_the_version_that_is_named)
{
    struct vault_world w;
    v_init(&w);
    const char *first = create(&w, "k", "{\"kty\":\"oct\"}");
    const char *second = create(&w, "k", "{\"kty\":\"oct\"}");
    const char *sign = "{\"alg\":\"HS256\"," HI "}";
    v_expect(&w, "POST", k_text(&w.site.arena, K "k/%s/sign", first), sign, 200);
    rf_str mac = answered(&w, "value");
    cr_assert(rf_str_ends(json_text_at(w.answer, "kid"), rf_str_of(first)));
    v_expect(&w, "POST", K "k//sign", sign, 200);
    cr_assert(rf_str_ends(json_text_at(w.answer, "kid"), rf_str_of(second)));
    cr_assert(!rf_str_eq(answered(&w, "value"), mac), "another key");
    v_expect_error(&w, "POST", K "k/00000000000000000000000000000000/sign", sign, 404,
                   "KeyNotFound", NULL);
    v_expect_error(&w, "POST", K "none//sign", sign, 404, "KeyNotFound", NULL);
    v_done(&w);
}

Test(vault_keys_use, encrypts_with_aes)
{
    struct vault_world w;
    v_init(&w);
    (void)create(&w, "k", "{\"kty\":\"oct\"}");
    v_expect(&w, "POST", K "k//encrypt", "{\"alg\":\"A256GCM\"," HI ",\"aad\":\"_-8=\"}", 200);
    cr_assert(k_bytes(&w, "iv").len == 12 && k_bytes(&w, "tag").len == 16);
    v_expect_text(&w, "aad", "_-8");
    const char *back = k_text(
        &w.site.arena, "{\"alg\":\"A256GCM\",\"value\":\"%.*s\",\"iv\":\"%.*s\",\"tag\":\"%.*s\"",
        RF_FMT(answered(&w, "value")), RF_FMT(answered(&w, "iv")), RF_FMT(answered(&w, "tag")));
    v_expect(&w, "POST", K "k//decrypt", k_text(&w.site.arena, "%s,\"aad\":\"/+8\"}", back), 200);
    v_expect_text(&w, "value", "aGVsbG8");
    v_expect_error(&w, "POST", K "k//decrypt", k_text(&w.site.arena, "%s}", back), 400,
                   "BadParameter", NULL);
    v_expect_error(&w, "POST", K "k//encrypt",
                   "{\"alg\":\"A256GCM\"," HI ",\"iv\":\"AAAAAAAAAAAAAAAA\"}", 400, "BadParameter",
                   NULL);
    v_expect_error(&w, "POST", K "k//encrypt", "{\"alg\":\"A128GCM\"," HI "}", 400, "BadParameter",
                   NULL);
    v_expect(&w, "POST", K "k//encrypt", "{\"alg\":\"A256CBCPAD\"," HI "}", 200);
    cr_assert(k_bytes(&w, "iv").len == 16 && json_get(w.answer, "tag") == NULL);
    back = k_text(&w.site.arena, "{\"alg\":\"A256CBCPAD\",\"value\":\"%.*s\",\"iv\":\"%.*s\"}",
                  RF_FMT(answered(&w, "value")), RF_FMT(answered(&w, "iv")));
    v_expect(&w, "POST", K "k//decrypt", back, 200);
    v_expect_text(&w, "value", "aGVsbG8");
    v_expect(&w, "POST", K "k//wrapkey", "{\"alg\":\"A256KW\",\"value\":\"" D32 "\"}", 200);
    back = k_text(&w.site.arena, "{\"alg\":\"A256KW\",\"value\":\"%.*s\"}",
                  RF_FMT(answered(&w, "value")));
    v_expect(&w, "POST", K "k//unwrapkey", back, 200);
    v_expect_text(&w, "value", D32);
    v_done(&w);
}

Test(vault_keys_use, encrypts_with_rsa)
{
    static const char *const algorithms[] = {"RSA1_5", "RSA-OAEP", "RSA-OAEP-256"};
    struct vault_world w;
    v_init(&w);
    (void)create(&w, "k", "{\"kty\":\"RSA\"}");
    for (size_t i = 0; i < RF_COUNT(algorithms); i++) {
        v_expect(&w, "POST", K "k//encrypt",
                 k_text(&w.site.arena, "{\"alg\":\"%s\"," HI "}", algorithms[i]), 200);
        const char *back = k_text(&w.site.arena, "{\"alg\":\"%s\",\"value\":\"%.*s\"}",
                                  algorithms[i], RF_FMT(answered(&w, "value")));
        v_expect(&w, "POST", K "k//decrypt", back, 200);
        v_expect_text(&w, "value", "aGVsbG8");
        v_expect(&w, "POST", K "k//unwrapkey", back, 200);
    }
    v_expect_error(&w, "POST", K "k//decrypt", "{\"alg\":\"RSA-OAEP\"," HI "}", 400, "BadParameter",
                   NULL);
    v_done(&w);
}

Test(vault_keys_use, checks_what_it_is_given)
{
    static const struct {
        const char *operation, *body;
    } cases[] = {{"sign", "{}"},
                 {"sign", "{\"alg\":\"HS256\"}"},
                 {"sign", "{" HI "}"},
                 {"sign", "{\"alg\":5," HI "}"},
                 {"sign", "{\"alg\":\"none\"," HI "}"},
                 {"sign", "{\"alg\":\"hs256\"," HI "}"},
                 {"sign", "{\"alg\":\"RS256\",\"value\":\"" D32 "\"}"},
                 {"sign", "{\"alg\":\"HS256\",\"value\":\"!!\"}"},
                 {"sign", "{\"alg\":\"HS256\",\"value\":null}"},
                 {"sign", "{\"alg\":\"HS256\",\"value\":7}"},
                 {"verify", "{\"alg\":\"HS256\"," HI "}"},
                 {"verify", "{\"alg\":\"HS256\",\"digest\":\"AA\"}"},
                 {"decrypt", "{\"alg\":\"A256GCM\"," HI "}"},
                 {"decrypt", "{\"alg\":\"A256GCM\"," HI ",\"iv\":1}"},
                 {"encrypt", "{\"alg\":\"A256CBC\"," HI "}"},
                 {"wrapkey", "{\"alg\":\"A256KW\"," HI "}"},
                 {"encrypt", "[]"}};
    struct vault_world w;
    v_init(&w);
    (void)create(&w, "k", "{\"kty\":\"oct\"}");
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        v_expect_error(&w, "POST", k_text(&w.site.arena, K "k//%s", cases[i].operation),
                       cases[i].body, 400, "BadParameter", NULL);
    v_done(&w);
}

static const char sign_256[] = "{\"alg\":\"HS256\"," HI "}";

Test(vault_keys_use, heeds_what_a_key_is_for)
{
    struct vault_world w;
    v_init(&w);
    (void)create(&w, "k", "{\"kty\":\"oct\"}");
    v_expect(&w, "POST", K "k//sign", sign_256, 200);
    rf_str mac = answered(&w, "value");
    const char *verify =
        k_text(&w.site.arena, "{\"alg\":\"HS256\",\"digest\":\"aGVsbG8\",\"value\":\"%.*s\"}",
               RF_FMT(mac));
    v_expect(&w, "PATCH", K "k/", "{\"key_ops\":[\"verify\"]}", 200);
    v_expect_error(&w, "POST", K "k//sign", sign_256, 403, "Forbidden", "KeyOperationForbidden");
    v_expect(&w, "POST", K "k//verify", verify, 200);
    v_expect(&w, "PATCH", K "k/", "{\"key_ops\":[\"sign\",\"verify\"]}", 200);
    v_expect(&w, "PATCH", K "k/",
             k_text(&w.site.arena, "{\"attributes\":{\"nbf\":%lld}}", (long long)WALK_NOW + 100),
             200);
    v_expect_error(&w, "POST", K "k//sign", sign_256, 403, "Forbidden", "KeyNotYetValid");
    v_expect(&w, "POST", K "k//verify", verify, 200);
    v_pass(&w, 100);
    v_expect(&w, "POST", K "k//sign", sign_256, 200);
    v_expect(&w, "PATCH", K "k/",
             k_text(&w.site.arena, "{\"attributes\":{\"exp\":%lld}}", (long long)WALK_NOW + 200),
             200);
    v_pass(&w, 100);
    v_expect_error(&w, "POST", K "k//sign", sign_256, 403, "Forbidden", "KeyExpired");
    v_expect(&w, "POST", K "k//verify", verify, 200);
    cr_assert(json_bool_at(w.answer, "value", false));
    v_expect(&w, "PATCH", K "k/", "{\"attributes\":{\"enabled\":false}}", 200);
    v_expect_error(&w, "POST", K "k//verify", verify, 403, "Forbidden", "KeyDisabled");
    v_expect(&w, "GET", K "k/", NULL, 200);
    v_done(&w);
}

/* Who may read keys may use their public halves; a symmetric key has none. */
Test(vault_keys_use, lets_readers_use_public_halves)
{
    struct vault_world w;
    v_init(&w);
    (void)create(&w, "rsa", "{\"kty\":\"RSA\"}");
    (void)create(&w, "oct", "{\"kty\":\"oct\"}");
    v_assign(&w, V_OTHER, V_ROLE_READER, V_ID);
    v_be(&w, V_OTHER);
    v_expect(&w, "GET", K "rsa", NULL, 200);
    v_expect(&w, "POST", K "rsa//encrypt", "{\"alg\":\"RSA-OAEP\"," HI "}", 200);
    const char *body = k_text(&w.site.arena, "{\"alg\":\"RSA-OAEP\",\"value\":\"%.*s\"}",
                              RF_FMT(answered(&w, "value")));
    v_expect_error(&w, "POST", K "rsa//decrypt", body, 403, "Forbidden", "ForbiddenByRbac");
    v_expect_error(&w, "POST", K "rsa//unwrapkey", body, 403, "Forbidden", "ForbiddenByRbac");
    v_expect(&w, "POST", K "rsa//wrapkey", "{\"alg\":\"RSA-OAEP\"," HI "}", 200);
    v_expect(&w, "POST", K "rsa//verify",
             "{\"alg\":\"RS256\",\"digest\":\"" D32 "\",\"value\":\"AAAA\"}", 200);
    cr_assert(json_is(json_get(w.answer, "value"), JSON_T_FALSE));
    v_expect_error(&w, "POST", K "rsa//sign", "{\"alg\":\"RS256\",\"value\":\"" D32 "\"}", 403,
                   "Forbidden", "ForbiddenByRbac");
    v_expect_error(&w, "POST", K "oct//encrypt", "{\"alg\":\"A256GCM\"," HI "}", 403, "Forbidden",
                   "ForbiddenByRbac");
    v_expect_error(&w, "POST", K "oct//verify",
                   "{\"alg\":\"HS256\",\"digest\":\"AA\",\"value\":\"AA\"}", 403, "Forbidden",
                   "ForbiddenByRbac");
    v_done(&w);
}

Test(vault_keys_use, gives_random_bytes)
{
    static const char *const bad[] = {"{}",
                                      "{\"count\":0}",
                                      "{\"count\":129}",
                                      "{\"count\":-1}",
                                      "{\"count\":1.5}",
                                      "{\"count\":\"8\"}",
                                      "{\"count\":99999999999999999999}"};
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "POST", "/rng", "{\"count\":128}", 200);
    rf_str first = k_bytes(&w, "value");
    v_expect(&w, "POST", "/rng", "{\"count\":128}", 200);
    cr_assert(first.len == 128 && !rf_str_eq(first, k_bytes(&w, "value")));
    v_expect(&w, "POST", "/rng", "{\"count\":1}", 200);
    cr_assert(k_bytes(&w, "value").len == 1);
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        v_expect_error(&w, "POST", "/rng", bad[i], 400, "BadParameter", NULL);
    v_done(&w);
}
