#include "vault/keys_world.h"

static const char *create(struct vault_world *w, const char *name, const char *body)
{
    v_expect(w, "POST", k_text(&w->site.arena, K "%s/create", name), body, 200);
    return k_version(w);
}

/* The words of "key_ops", with a space behind each. */
static rf_str ops_of(struct vault_world *w)
{
    struct rf_buf buf = rf_buf_in(&w->site.arena);
    const struct json_node *ops = json_at(w->answer, "key.key_ops");
    cr_assert(json_is(ops, JSON_T_ARRAY));
    for (const struct json_node *n = ops->first; n != NULL; n = n->next)
        rf_buf_printf(&buf, "%.*s ", RF_FMT(n->text));
    return rf_buf_view(&buf);
}

static void shows_no_secret(struct vault_world *w)
{
    static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "k"};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        cr_assert(json_get(json_get(w->answer, "key"), names[i]) == NULL, "%s", names[i]);
}

#define ALL "encrypt decrypt sign verify wrapKey unwrapKey "

/* ---- making ------------------------------------------------------------------------------------------------------------------- */

Test(vault_keys, makes_each_type)
{
    static const struct {
        const char *body, *kty, *crv, *ops;
        size_t n, x;
    } cases[] = {
        {"{\"kty\":\"RSA\"}", "RSA", "", ALL, 256, 0},
        {"{\"kty\":\"RSA\",\"key_size\":3072,\"public_exponent\":65537}", "RSA", "", ALL, 384, 0},
        {"{\"kty\":\"EC\"}", "EC", "P-256", "sign verify ", 0, 32},
        {"{\"kty\":\"EC\",\"crv\":\"P-384\"}", "EC", "P-384", "sign verify ", 0, 48},
        {"{\"kty\":\"EC\",\"crv\":\"P-521\"}", "EC", "P-521", "sign verify ", 0, 66},
        {"{\"kty\":\"EC\",\"crv\":\"P-256K\"}", "EC", "P-256K", "sign verify ", 0, 32},
        {"{\"kty\":\"EC\",\"crv\":\"SECP256K1\"}", "EC", "P-256K", "sign verify ", 0, 32},
        {"{\"kty\":\"oct\"}", "oct", "", ALL, 0, 0},
        {"{\"kty\":\"oct\",\"key_size\":128}", "oct", "", ALL, 0, 0}};
    struct vault_world w;
    v_init(&w);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        const char *version = create(&w, "Foo", cases[i].body); /* types may differ */
        cr_assert(rf_str_is(json_text_at(w.answer, "key.kid"),
                            k_text(&w.site.arena, "https://localhost:8443/keys/Foo/%s", version)));
        v_expect(&w, "GET", K "foo/", NULL, 200);
        cr_assert(strcmp(k_version(&w), version) == 0);
        v_expect_text(&w, "key.kty", cases[i].kty);
        v_expect_text(&w, "key.crv", cases[i].crv);
        cr_assert(rf_str_is(ops_of(&w), cases[i].ops), "%s", cases[i].body);
        if (cases[i].n != 0) {
            cr_assert(k_bytes(&w, "key.n").len == cases[i].n);
            v_expect_text(&w, "key.e", "AQAB");
        }
        if (cases[i].x != 0)
            cr_assert(k_bytes(&w, "key.x").len == cases[i].x &&
                      k_bytes(&w, "key.y").len == cases[i].x);
        shows_no_secret(&w);
        v_expect_text(&w, "attributes.recoveryLevel", "Recoverable+Purgeable");
        v_expect_text(&w, "attributes.hsmPlatform", "0");
        cr_assert(json_is(json_at(w.answer, "attributes.exportable"), JSON_T_FALSE));
        cr_assert(json_get(w.answer, "managed") == NULL);
    }
    w.api = "7.4";
    v_expect(&w, "GET", K "foo/", NULL, 200);
    cr_assert(json_at(w.answer, "attributes.hsmPlatform") == NULL);
    v_done(&w);
}

Test(vault_keys, refuses_keys_that_cannot_be)
{
    static const char *const cases[] = {
        "{}",
        "{\"kty\":5}",
        "{\"kty\":\"DSA\"}",
        "{\"kty\":\"rsa\"}",
        "{\"kty\":\"RSA-HSM\"}",
        "{\"kty\":\"EC-HSM\"}",
        "{\"kty\":\"oct-HSM\"}",
        "{\"kty\":\"RSA\",\"key_size\":1024}",
        "{\"kty\":\"RSA\",\"key_size\":2047}",
        "{\"kty\":\"RSA\",\"key_size\":2048.5}",
        "{\"kty\":\"RSA\",\"key_size\":\"2048\"}",
        "{\"kty\":\"RSA\",\"public_exponent\":3}",
        "{\"kty\":\"EC\",\"crv\":\"P-192\"}",
        "{\"kty\":\"EC\",\"crv\":256}",
        "{\"kty\":\"oct\",\"key_size\":100}",
        "{\"kty\":\"EC\",\"key_ops\":[\"fly\"]}",
        "{\"kty\":\"EC\",\"key_ops\":[1]}",
        "{\"kty\":\"EC\",\"key_ops\":\"sign\"}",
        "{\"kty\":\"EC\",\"key_ops\":[\"encrypt\"]}",
        "{\"kty\":\"EC\",\"attributes\":{\"exp\":-5}}",
        "{\"kty\":\"EC\",\"attributes\":{\"nbf\":10,\"exp\":9}}",
        "{\"kty\":\"EC\",\"tags\":{\"a\":1}}",
        "{\"kty\":\"EC\",\"release_policy\":{\"data\":\"AA\"}}",
        "{\"kty\":\"EC\",\"attributes\":{\"exportable\":true}}",
    };
    struct vault_world w;
    v_init(&w);
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        v_expect_error(&w, "POST", K "k/create", cases[i], 400, "BadParameter", NULL);
    v_expect_error(&w, "POST", K "under_score/create", "{\"kty\":\"EC\"}", 400, "BadParameter",
                   NULL);
    v_expect_error(&w, "GET", K "k", NULL, 404, "KeyNotFound", NULL);
    v_done(&w);
}

Test(vault_keys, keeps_words_of_operations_as_given)
{
    struct vault_world w;
    v_init(&w);
    (void)create(&w, "k",
                 "{\"kty\":\"EC\",\"key_ops\":[\"verify\",\"sign\",\"verify\",\"import\"]}");
    cr_assert(rf_str_is(ops_of(&w), "verify sign import "));
    (void)create(&w, "k", "{\"kty\":\"oct\",\"key_ops\":[]}");
    cr_assert(ops_of(&w).len == 0);
    v_expect_error(&w, "POST", K "k//sign", "{\"alg\":\"HS256\",\"value\":\"aGk\"}", 403,
                   "Forbidden", "KeyOperationForbidden");
    v_done(&w);
}

/* ---- importing ------------------------------------------------------------------------------------------------------------------ */

Test(vault_keys, imports_keys_as_they_are)
{
    struct vault_world w;
    v_init(&w);
    struct rf_arena *arena = &w.site.arena;
    EVP_PKEY *key = EVP_RSA_gen(2048);
    v_expect(&w, "PUT", K "r", k_import(arena, k_jwk_rsa(arena, key, false), ""), 200);
    cr_assert(
        rf_str_eq(json_text_at(w.answer, "key.n"), k_number(arena, key, OSSL_PKEY_PARAM_RSA_N, 0)));
    shows_no_secret(&w);
    EVP_PKEY_free(key);
    struct json_node *jwk = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, jwk, "kty", RF_S("oct"));
    json_set_text(arena, jwk, "k", RF_S("AAECAwQFBgcICQoLDA0ODw"));
    v_expect(&w, "PUT", K "o",
             k_import(arena, jwk, ",\"tags\":{\"im\":\"1\"},\"attributes\":{\"nbf\":1}"), 200);
    v_expect_text(&w, "tags.im", "1");
    cr_assert(k_i64(&w, "attributes.nbf") == 1);
    shows_no_secret(&w);
    /* RFC 2104, computed elsewhere: HMAC-SHA-256 of "hello" under the bytes 0 to 15. */
    v_expect(&w, "POST", K "o//sign", "{\"alg\":\"HS256\",\"value\":\"aGVsbG8\"}", 200);
    v_expect_text(&w, "value", "kWPrDVaKKOOZTJacnV3-8YHMu7CodCswRk1NIAy8tPQ");
    v_done(&w);
}

Test(vault_keys, refuses_imports_that_do_not_hold)
{
    struct vault_world w;
    v_init(&w);
    struct rf_arena *arena = &w.site.arena;
    EVP_PKEY *a = EVP_EC_gen("P-256"), *b = EVP_EC_gen("P-256"), *r = EVP_RSA_gen(2048),
             *s = EVP_RSA_gen(2048);
    struct json_node *jwk = k_jwk_ec(arena, a, "P-256", 32);
    json_set_text(arena, jwk, "d", k_number(arena, b, OSSL_PKEY_PARAM_PRIV_KEY, 32));
    v_expect_error(&w, "PUT", K "k", k_import(arena, jwk, ""), 400, "BadParameter", NULL);
    jwk = k_jwk_rsa(arena, r, true);
    json_set_text(arena, jwk, "n", k_number(arena, s, OSSL_PKEY_PARAM_RSA_N, 0));
    v_expect_error(&w, "PUT", K "k", k_import(arena, jwk, ""), 400, "BadParameter", NULL);
    jwk = k_jwk_rsa(arena, r, true);
    json_set_text(arena, jwk, "dp", k_number(arena, s, OSSL_PKEY_PARAM_RSA_EXPONENT1, 0));
    v_expect_error(&w, "PUT", K "k", k_import(arena, jwk, ""), 400, "BadParameter", NULL);
    jwk = k_jwk_ec(arena, a, "P-256", 32);
    json_set_text(arena, jwk, "kty", RF_S("EC-HSM"));
    v_expect_error(&w, "PUT", K "k", k_import(arena, jwk, ""), 400, "BadParameter", NULL);
    jwk = k_jwk_ec(arena, a, "P-256", 32);
    v_expect_error(&w, "PUT", K "k", k_import(arena, jwk, ",\"Hsm\":true"), 400, "BadParameter",
                   NULL);
    v_expect_error(&w, "PUT", K "k", "{}", 400, "BadParameter", NULL);
    v_expect_error(&w, "PUT", K "k", "{\"key\":[]}", 400, "BadParameter", NULL);
    v_expect_error(&w, "GET", K "k", NULL, 404, "KeyNotFound", NULL);
    v_expect(&w, "PUT", K "k", k_import(arena, jwk, ",\"Hsm\":false"), 200);
    EVP_PKEY_free(a);
    EVP_PKEY_free(b);
    EVP_PKEY_free(r);
    EVP_PKEY_free(s);
    v_done(&w);
}

/* ---- changing, listing ----------------------------------------------------------------------------------------------------------- */

Test(vault_keys, changes_one_version)
{
    struct vault_world w;
    v_init(&w);
    const char *first = create(&w, "k", "{\"kty\":\"EC\",\"tags\":{\"a\":\"1\"}}");
    const char *second = create(&w, "k", "{\"kty\":\"EC\"}");
    const char *path = k_text(&w.site.arena, K "k/%s", first);
    v_pass(&w, 7);
    v_expect(&w, "PATCH", path, "{\"key_ops\":[\"verify\"],\"attributes\":{\"exp\":2000000000}}",
             200);
    cr_assert(strcmp(k_version(&w), first) == 0 && rf_str_is(ops_of(&w), "verify "));
    v_expect_text(&w, "tags.a", "1");
    cr_assert(k_i64(&w, "attributes.updated") == WALK_NOW + 7);
    cr_assert(k_i64(&w, "attributes.created") == WALK_NOW);
    v_expect(&w, "PATCH", path, "{\"tags\":{\"b\":\"2\"}}", 200);
    v_expect_text(&w, "tags.b", "2");
    cr_assert(json_at(w.answer, "tags.a") == NULL && rf_str_is(ops_of(&w), "verify "));
    cr_assert(k_i64(&w, "attributes.exp") == 2000000000);
    v_expect(&w, "GET", K "k/", NULL, 200);
    cr_assert(strcmp(k_version(&w), second) == 0 && rf_str_is(ops_of(&w), "sign verify "));
    v_expect_error(&w, "PATCH", path, "{\"key_ops\":[\"wrapKey\"]}", 400, "BadParameter", NULL);
    v_expect_error(&w, "PATCH", K "none/", "{}", 404, "KeyNotFound", NULL);
    v_done(&w);
}

Test(vault_keys, lists_items_and_versions)
{
    struct vault_world w;
    v_init(&w);
    const char *first = create(&w, "k", "{\"kty\":\"EC\"}");
    const char *second = create(&w, "k", "{\"kty\":\"oct\",\"tags\":{\"a\":\"1\"}}");
    (void)create(&w, "b", "{\"kty\":\"oct\"}");
    v_expect(&w, "GET", "/keys", NULL, 200);
    const struct json_node *item = json_get(w.answer, "value")->first;
    cr_assert(rf_str_is(json_text_at(item, "kid"), "https://localhost:8443/keys/b"));
    cr_assert(rf_str_is(json_text_at(item->next, "kid"), "https://localhost:8443/keys/k"));
    cr_assert(rf_str_is(json_text_at(item->next, "tags.a"), "1") && item->next->next == NULL);
    cr_assert(json_get(item, "key") == NULL);
    v_expect(&w, "GET", "/keys/k/versions", NULL, 200);
    item = json_get(w.answer, "value")->first;
    cr_assert(rf_str_ends(json_text_at(item, "kid"), rf_str_of(first)));
    cr_assert(rf_str_ends(json_text_at(item->next, "kid"), rf_str_of(second)));
    v_done(&w);
}

/* ---- going and coming -------------------------------------------------------------------------------------------------------------- */

Test(vault_keys, comes_back_whole)
{
    struct vault_world w;
    v_init(&w);
    const char *sign = "{\"alg\":\"HS256\",\"value\":\"aGk\"}";
    const char *first = create(&w, "k", "{\"kty\":\"oct\"}");
    v_expect(&w, "POST", K "k//sign", sign, 200);
    rf_str mac = json_text_at(w.answer, "value");
    v_expect(&w, "PUT", K "k/rotationpolicy", "{\"attributes\":{\"expiryTime\":\"P60D\"}}", 200);
    (void)create(&w, "k", "{\"kty\":\"EC\"}");
    v_expect(&w, "POST", K "k/backup", NULL, 200);
    const char *blob =
        k_text(&w.site.arena, "{\"value\":\"%.*s\"}", RF_FMT(json_text_at(w.answer, "value")));
    v_expect_error(&w, "POST", "/keys/restore", blob, 409, "Conflict", NULL);
    v_expect(&w, "DELETE", K "k", NULL, 200);
    v_expect_text(&w, "recoveryId", "https://localhost:8443/deletedkeys/k");
    v_expect_error(&w, "POST", K "k//sign", sign, 404, "KeyNotFound", NULL);
    v_expect_error(&w, "POST", K "k/create", "{\"kty\":\"EC\"}", 409, "Conflict",
                   "ObjectIsDeletedButRecoverable");
    v_expect(&w, "GET", "/deletedkeys", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    v_expect(&w, "POST", "/deletedkeys/k/recover", NULL, 200);
    v_expect(&w, "POST", k_text(&w.site.arena, K "k/%s/sign", first), sign, 200);
    cr_assert(rf_str_eq(json_text_at(w.answer, "value"), mac));
    v_expect(&w, "DELETE", K "k", NULL, 200);
    v_expect(&w, "DELETE", "/deletedkeys/k", NULL, 204);
    v_expect_error(&w, "GET", "/deletedkeys/k", NULL, 404, "KeyNotFound", NULL);
    v_expect(&w, "POST", "/keys/restore", blob, 200);
    v_expect(&w, "POST", k_text(&w.site.arena, K "k/%s/sign", first), sign, 200);
    cr_assert(rf_str_eq(json_text_at(w.answer, "value"), mac));
    v_expect(&w, "GET", K "k/rotationpolicy", NULL, 200);
    v_expect_text(&w, "attributes.expiryTime", "P60D");
    v_done(&w);
}

Test(vault_keys, releases_nothing)
{
    struct vault_world w;
    v_init(&w);
    const char *version = create(&w, "k", "{\"kty\":\"EC\"}");
    v_expect_error(&w, "POST", k_text(&w.site.arena, K "k/%s/release", version), "{}", 400,
                   "BadParameter", NULL);
    cr_assert(rf_str_find(json_text_at(w.answer, "error.message"), RF_S("not supported"), 0) !=
              SIZE_MAX);
    v_expect_error(&w, "GET", k_text(&w.site.arena, K "k/%s/attestation", version), NULL, 400,
                   "BadParameter", NULL);
    v_done(&w);
}
