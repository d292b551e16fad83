/* authority_api_test.c - register, revocation, settings and account keys over the API of a vault. */
#include "vault/authority_world.h"

static void open_house(struct vault_world *w)
{
    v_init(w);
    v_expect(w, "PUT", C "issuers/House", HOUSE, 200);
}

/* ---- register ---------------------------------------------------------------------------------------------------------------- */

Test(authority_api, lists_what_was_issued_in_pages)
{
    struct vault_world w;
    char name[40];
    rf_str serials[5];
    open_house(&w);
    v_expect(&w, "GET", C "issuers/House/issued", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 0);
    for (int i = 0; i < 5; i++) {
        (void)snprintf(name, sizeof name, "h%d.example.org", i);
        serials[i] = a_issue(&w, name).serial;
    }
    uint32_t count = 0, pages = 0;
    rf_str link = RF_S(C "issuers/House/issued?maxresults=2&api-version=7.6");
    bool seen[5] = {false};
    while (link.len > 0) {
        v_expect(&w, "GET", rf_arena_cstr(&w.site.arena, link), NULL, 200);
        for (const struct json_node *item = json_get(w.answer, "value")->first; item != NULL;
             item = item->next) {
            count++;
            for (int i = 0; i < 5; i++)
                seen[i] |= rf_str_eq(serials[i], json_text_at(item, "serial"));
        }
        pages++;
        link = json_text_at(w.answer, "nextLink");
        size_t at = rf_str_find(link, RF_S("/certificates"), 0);
        if (at != SIZE_MAX) link = rf_slice(link, at, link.len);
    }
    cr_assert(count == 6 && pages == 3, "%u, %u: with the intermediate", count, pages);
    for (int i = 0; i < 5; i++) cr_assert(seen[i]);
    v_expect_error(&w, "GET", C "issuers/House/issued?state=bad", NULL, 400, "BadParameter", NULL);
    v_expect_error(&w, "GET", C "issuers/House/issued?$skiptoken=AAAA", NULL, 400, "BadParameter",
                   NULL);
    v_expect_error(&w, "GET", C "issuers/None/issued", NULL, 404, "IssuerNotFound", NULL);
    v_done(&w);
}

Test(authority_api, revokes_by_serial)
{
    struct vault_world w;
    char body[200];
    open_house(&w);
    struct authority_issued out = a_issue(&w, "a.example.org");
    (void)a_issue(&w, "b.example.org");
    (void)snprintf(body, sizeof body, "{\"serial\":\"%.2s:%.*s\",\"reason\":\"keyCompromise\"}",
                   (const char *)out.serial.ptr, (int)out.serial.len - 2,
                   (const char *)out.serial.ptr + 2);
    for (char *c = body + 10; *c != ','; c++)
        if (*c >= 'a' && *c <= 'f') *c = (char)(*c - 32);
    v_expect(&w, "POST", C "issuers/House/revoke", body, 200);
    v_expect_text(&w, "state", "revoked");
    v_expect_text(&w, "reason", "keyCompromise");
    v_expect_text(&w, "by", "acme:7");
    v_expect_error(&w, "POST", C "issuers/House/revoke", body, 409, "Conflict", NULL);
    v_expect(&w, "GET", C "issuers/House/issued?state=revoked", NULL, 200);
    const struct json_node *value = json_get(w.answer, "value");
    cr_assert(value->count == 1 && rf_str_eq(json_text_at(value->first, "serial"), out.serial));
    cr_assert(rf_str_is(json_get(value->first, "names")->first->text, "a.example.org"));
    cr_assert(a_verify(&w, out.chain, PKI "1.crl") == X509_V_ERR_CERT_REVOKED);
    static const char *const bad[] = {"{}", "{\"serial\":5}", "{\"serial\":\"\"}",
                                      "{\"serial\":\"00\",\"reason\":\"bad\"}",
                                      "{\"serial\":\"00\",\"reason\":8}"};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        v_expect_error(&w, "POST", C "issuers/House/revoke", bad[i], 400, "BadParameter", NULL);
    v_expect_error(&w, "POST", C "issuers/House/revoke", "{\"serial\":\"00\"}", 404,
                   "CertificateNotFound", NULL);
    v_expect_error(&w, "POST", C "issuers/House/revoke", "{\"serial\":\"../x\"}", 404,
                   "CertificateNotFound", NULL);
    v_be(&w, V_OTHER);
    v_expect(&w, "POST", C "issuers/House/revoke", body, 403);
    v_expect(&w, "GET", C "issuers/House/issued", NULL, 403);
    v_done(&w);
}

Test(authority_api, revokes_a_certificate_of_the_vault)
{
    struct vault_world w;
    open_house(&w);
    v_expect(&w, "PUT", C "issuers/Another", HOUSE, 200);
    c_make(&w, "foo",
           "{\"policy\":{\"x509_props\":{\"subject\":\"CN=a\"},\"key_props\":{\"kty\":\"EC\"},"
           "\"issuer\":{\"name\":\"House\"}}}");
    rf_str id = json_text_at(w.answer, "id");
    rf_str version = rf_slice(id, id.len - 32, id.len);
    v_expect(&w, "PATCH", C "foo/policy", "{\"issuer\":{\"name\":\"Another\"}}", 200);
    rf_str path = rf_arena_printf(&w.site.arena, C "foo/%.*s/revoke", RF_FMT(version));
    v_expect_error(&w, "POST", rf_arena_cstr(&w.site.arena, path), "{\"reason\":\"x\"}", 400,
                   "BadParameter", NULL);
    v_expect(&w, "POST", rf_arena_cstr(&w.site.arena, path), "{\"reason\":\"superseded\"}", 200);
    v_expect_text(&w, "reason", "superseded");
    rf_str by = rf_arena_printf(&w.site.arena, "certificates/foo/%.*s", RF_FMT(version));
    cr_assert(rf_str_eq(json_text_at(w.answer, "by"), by));
    v_expect_error(&w, "POST", rf_arena_cstr(&w.site.arena, path), "{}", 409, "Conflict", NULL);
    c_make(&w, "own", SELF(""));
    v_expect_error(&w, "POST", C "own/revoke", "{}", 409, "Conflict", NULL);
    v_expect_error(&w, "POST", C "none/revoke", "{}", 404, "CertificateNotFound", NULL);
    v_done(&w);
}

/* ---- settings ------------------------------------------------------------------------------------------------------------------- */

Test(authority_api, keeps_the_settings_of_acme)
{
    struct vault_world w;
    const struct json_node *acme;
    rf_str id, again;
    open_house(&w);
    cr_assert(authority_settings(w.vaults, (rf_str){0}, RF_S("House"), &w.site.arena, &id, &acme,
                                 &w.err) == RF_OK);
    cr_assert(acme == NULL && id.len > 0);
    v_expect(&w, "PATCH", C "issuers/House",
             "{\"acme\":{\"enabled\":true,\"allowedNames\":[\"*.Ringfort.localhost\",\"a.b\"]}}",
             200);
    cr_assert(json_bool_at(w.answer, "acme.externalAccountRequired", false));
    int64_t days;
    cr_assert(json_i64_at(w.answer, "acme.validityDays", &days) && days == 90);
    cr_assert(authority_settings(w.vaults, (rf_str){0}, RF_S("house"), &w.site.arena, &id, &acme,
                                 &w.err) == RF_OK);
    cr_assert(json_bool_at(acme, "enabled", false) && json_get(acme, "allowedNames")->count == 2);
    cr_assert(rf_str_is(json_get(acme, "allowedNames")->first->text, "*.ringfort.localhost"));
    for (size_t i = 0; i < id.len; i++) cr_assert(id.ptr[i] == rf_lower(id.ptr[i]));
    v_expect(&w, "PATCH", C "issuers/House", "{\"acme\":{\"validityDays\":7}}", 200);
    cr_assert(json_bool_at(w.answer, "acme.enabled", false), "the others stay");
    cr_assert(authority_settings(w.vaults, RF_S("kv1"), RF_S("House"), &w.site.arena, &again, &acme,
                                 &w.err) == RF_OK);
    cr_assert(rf_str_eq(id, again));
    static const char *const bad[] = {"{\"acme\":5}",
                                      "{\"acme\":{\"enabled\":1}}",
                                      "{\"acme\":{\"validityDays\":0}}",
                                      "{\"acme\":{\"validityDays\":3651}}",
                                      "{\"acme\":{\"validityDays\":1.5}}",
                                      "{\"acme\":{\"allowedNames\":\"a\"}}",
                                      "{\"acme\":{\"allowedNames\":[5]}}",
                                      "{\"acme\":{\"allowedNames\":[\"*.*.a\"]}}",
                                      "{\"acme\":{\"allowedNames\":[\"*\"]}}",
                                      "{\"acme\":{\"allowedNames\":[\"a..b\"]}}",
                                      "{\"acme\":{\"allowedNames\":[\"-a.b\"]}}",
                                      "{\"acme\":{\"allowedNames\":[\"\"]}}"};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        v_expect_error(&w, "PATCH", C "issuers/House", bad[i], 400, "BadParameter", NULL);
    /* Another one of the same name. */
    v_expect(&w, "DELETE", C "issuers/House", NULL, 200);
    cr_assert(authority_settings(w.vaults, (rf_str){0}, RF_S("House"), &w.site.arena, &again, &acme,
                                 &w.err) == RF_NOT_FOUND);
    v_expect(&w, "PUT", C "issuers/House",
             "{\"provider\":\"Ringfort-CA\",\"acme\":{\"enabled\":true}}", 200);
    cr_assert(authority_settings(w.vaults, (rf_str){0}, RF_S("House"), &w.site.arena, &again, &acme,
                                 &w.err) == RF_OK);
    cr_assert(!rf_str_eq(id, again));
    v_expect(&w, "PATCH", C "issuers/House", "{\"attributes\":{\"enabled\":false}}", 200);
    cr_assert(authority_settings(w.vaults, (rf_str){0}, RF_S("House"), &w.site.arena, &again, &acme,
                                 &w.err) == RF_NOT_FOUND);
    v_done(&w);
}

Test(authority_api, gives_keys_of_external_accounts_once)
{
    struct vault_world w;
    rf_str bytes, key, kid;
    open_house(&w);
    v_expect(&w, "PATCH", C "issuers/House", "{\"acme\":{\"enabled\":true}}", 200);
    v_expect(&w, "POST", C "issuers/House/acme-keys", "{\"name\":\"fleet\"}", 200);
    kid = json_text_at(w.answer, "kid");
    cr_assert(base64url_decode(&w.site.arena, json_text_at(w.answer, "hmacKey"), &bytes, &w.err) ==
                  RF_OK &&
              bytes.len == 32);
    cr_assert(authority_account_key(w.vaults, (rf_str){0}, RF_S("House"), kid, &w.site.arena, &key,
                                    &w.err) == RF_OK);
    cr_assert(rf_str_eq(key, bytes));
    v_expect(&w, "GET", C "issuers/House/acme-keys", NULL, 200);
    const struct json_node *item = json_get(w.answer, "value")->first;
    cr_assert(rf_str_eq(json_text_at(item, "kid"), kid) &&
              rf_str_is(json_text_at(item, "name"), "fleet"));
    cr_assert(json_get(item, "hmacKey") == NULL && json_get(item, "key") == NULL);
    v_expect(&w, "GET", C "issuers/House", NULL, 200);
    cr_assert(json_at(w.answer, "acme.accountKeys") != NULL &&
              json_get(w.answer, "acmeKeys") == NULL);
    cr_assert(rf_str_find(rf_buf_view(&w.last.body), RF_S("\"key\""), 0) == SIZE_MAX);
    v_expect(&w, "PUT", C "issuers/House", HOUSE, 200);
    cr_assert(authority_account_key(w.vaults, (rf_str){0}, RF_S("House"), kid, &w.site.arena, &key,
                                    &w.err) == RF_OK,
              "a PUT keeps them");
    rf_str path = rf_arena_printf(&w.site.arena, C "issuers/House/acme-keys/%.*s", RF_FMT(kid));
    v_expect(&w, "DELETE", rf_arena_cstr(&w.site.arena, path), NULL, 200);
    v_expect_text(&w, "name", "fleet");
    v_expect_error(&w, "DELETE", rf_arena_cstr(&w.site.arena, path), NULL, 404,
                   "AccountKeyNotFound", NULL);
    v_expect(&w, "DELETE", C "issuers/House/acme-keys", NULL, 404);
    cr_assert(authority_account_key(w.vaults, (rf_str){0}, RF_S("House"), kid, &w.site.arena, &key,
                                    &w.err) == RF_NOT_FOUND);
    cr_assert_str_eq(w.err.code, "AccountKeyNotFound");
    v_expect_error(&w, "POST", C "issuers/House/acme-keys", "{}", 400, "BadParameter", NULL);
    v_expect_error(&w, "POST", C "issuers/None/acme-keys", "{\"name\":\"a\"}", 404,
                   "IssuerNotFound", NULL);
    v_be(&w, V_OTHER);
    v_expect(&w, "POST", C "issuers/House/acme-keys", "{\"name\":\"fleet\"}", 403);
    v_done(&w);
}
