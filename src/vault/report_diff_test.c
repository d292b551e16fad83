#include "vault/certificates_world.h"
#include "vault/keys_world.h"

static rf_str after_slash(rf_str id)
{
    size_t at = id.len;
    while (at > 0 && id.ptr[at - 1] != '/') at--;
    return rf_slice(id, at, id.len);
}

static const char *version_of(struct vault_world *w, const char *member)
{
    return rf_arena_cstr(&w->site.arena, after_slash(json_text_at(w->answer, member)));
}

static const char *put(struct vault_world *w, const char *body)
{
    v_expect(w, "PUT", "/secrets/foo", body, 200);
    return version_of(w, "id");
}

/* The change of this property; NULL: none. */
static const struct json_node *change(struct vault_world *w, const char *property)
{
    const struct json_node *list = json_get(w->answer, "changes");
    cr_assert(json_is(list, JSON_T_ARRAY));
    for (const struct json_node *c = list->first; c != NULL; c = c->next)
        if (rf_str_is(json_text_at(c, "property"), property)) return c;
    return NULL;
}

#define BODY_HAS(w, text) (rf_str_find(rf_buf_view(&(w)->last.body), RF_S(text), 0) != SIZE_MAX)

Test(vault_report_diff, tells_what_changed_without_the_value)
{
    struct vault_world w;
    v_init(&w);
    const char *one = put(&w, "{\"value\":\"planted-1\",\"contentType\":\"text/a\",\"attributes\":"
                              "{\"exp\":4000000000},\"tags\":{\"a.b\":\"1\",\"gone\":\"x\"}}");
    const char *two = put(&w, "{\"value\":\"planted-1\",\"contentType\":\"text/b\","
                              "\"tags\":{\"a.b\":\"2\",\"new\":\"y\"}}");
    v_expect(&w, "GET", "/secrets/foo/diff", NULL, 200);
    v_expect_text(&w, "from", one);
    v_expect_text(&w, "to", two);
    v_expect_text(&w, "id", "https://localhost:8443/secrets/foo");
    cr_assert(json_is(json_get(w.answer, "valueEqual"), JSON_T_TRUE));
    cr_assert(json_get(w.answer, "changes")->count == 2, "contentType and exp alone");
    cr_assert(rf_str_is(json_text_at(change(&w, "contentType"), "from"), "text/a"));
    cr_assert(rf_str_is(json_text_at(change(&w, "contentType"), "to"), "text/b"));
    cr_assert(json_is(json_get(change(&w, "attributes.exp"), "to"), JSON_T_NULL));
    const struct json_node *tags = json_get(w.answer, "tags");
    cr_assert(rf_str_is(json_text_at(json_get(json_get(tags, "changed"), "a.b"), "to"), "2"));
    v_expect_text(&w, "tags.added.new", "y");
    v_expect_text(&w, "tags.removed.gone", "x");
    cr_assert(!BODY_HAS(&w, "planted-1"), "the value stays where it is");
    const char *three = put(&w, "{\"value\":\"planted-2\"}");
    v_expect(&w, "GET", k_text(&w.site.arena, "/secrets/foo/diff?from=%s&to=%s", one, three), NULL,
             200);
    cr_assert(json_is(json_get(w.answer, "valueEqual"), JSON_T_FALSE));
    v_expect(&w, "GET", k_text(&w.site.arena, "/secrets/foo/diff?from=%s&to=%s", two, two), NULL,
             200);
    cr_assert(json_get(w.answer, "changes")->count == 0);
    v_done(&w);
}

Test(vault_report_diff, opens_nothing_that_is_disabled)
{
    struct vault_world w;
    v_init(&w);
    (void)put(&w, "{\"value\":\"a\"}");
    (void)put(&w, "{\"value\":\"a\",\"attributes\":{\"enabled\":false}}");
    v_expect(&w, "GET", "/secrets/foo/diff", NULL, 200);
    cr_assert(json_is(json_get(w.answer, "valueEqual"), JSON_T_NULL));
    cr_assert(json_is(json_get(change(&w, "attributes.enabled"), "to"), JSON_T_FALSE));
    v_done(&w);
}

Test(vault_report_diff, refuses_what_it_cannot_compare)
{
    struct vault_world w;
    v_init(&w);
    v_expect_error(&w, "GET", "/secrets/none/diff", NULL, 404, "SecretNotFound", NULL);
    (void)put(&w, "{\"value\":\"a\"}");
    v_expect_error(&w, "GET", "/secrets/foo/diff", NULL, 400, "BadParameter", NULL);
    v_expect_error(&w, "GET", "/secrets/foo/diff?from=xyz", NULL, 400, "BadParameter", NULL);
    v_expect_error(&w, "GET", "/secrets/foo/diff?from=00000000000000000000000000000000", NULL, 404,
                   "SecretNotFound", NULL);
    v_assign(&w, V_OTHER, V_ROLE_READER, V_ID);
    v_be(&w, V_OTHER);
    v_expect_error(&w, "GET", "/secrets/foo/diff", NULL, 403, "Forbidden", "ForbiddenByRbac");
    v_done(&w);
}

Test(vault_report_diff, compares_keys)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "POST", "/keys/k/create", "{\"kty\":\"EC\",\"crv\":\"P-256\"}", 200);
    v_expect(&w, "POST", "/keys/k/create", "{\"kty\":\"RSA\",\"key_ops\":[\"sign\"]}", 200);
    v_expect(&w, "GET", "/keys/k/diff", NULL, 200);
    cr_assert(json_is(json_get(w.answer, "keyEqual"), JSON_T_FALSE));
    cr_assert(rf_str_is(json_text_at(change(&w, "key.kty"), "to"), "RSA"));
    cr_assert(rf_str_is(json_text_at(change(&w, "key.crv"), "from"), "P-256"));
    cr_assert(change(&w, "key.key_ops") != NULL && change(&w, "key.key_size") != NULL);
    cr_assert(change(&w, "key.n") == NULL, "keyEqual says it");
    v_expect(&w, "POST", "/keys/o/create", "{\"kty\":\"oct\"}", 200);
    v_expect(&w, "POST", "/keys/o/create", "{\"kty\":\"oct\"}", 200);
    v_expect(&w, "GET", "/keys/o/diff", NULL, 200);
    cr_assert(json_is(json_get(w.answer, "keyEqual"), JSON_T_NULL));
    v_done(&w);
}

Test(vault_report_diff, compares_certificates)
{
    struct vault_world w;
    v_init(&w);
    c_make(&w, "c", SELF(""));
    c_make(
        &w, "c",
        "{\"policy\":{\"x509_props\":{\"subject\":\"CN=b.example.org\",\"sans\":{\"dns_names\":"
        "[\"b.example.org\"]}},\"issuer\":{\"name\":\"Self\"},\"key_props\":{\"kty\":\"RSA\"}}}");
    v_expect(&w, "GET", "/certificates/c/diff", NULL, 200);
    cr_assert(json_is(json_get(w.answer, "keyEqual"), JSON_T_FALSE));
    cr_assert(
        rf_str_is(json_text_at(change(&w, "policy.x509_props.subject"), "to"), "CN=b.example.org"));
    cr_assert(rf_str_is(json_text_at(change(&w, "issuer"), "to"), "CN=b.example.org"));
    cr_assert(change(&w, "policy.x509_props.sans.dns_names") != NULL);
    cr_assert(rf_str_is(json_text_at(change(&w, "policy.key_props.kty"), "from"), "EC"));
    cr_assert(change(&w, "policy.x509_props.validity_months") == NULL);
    v_done(&w);
}
