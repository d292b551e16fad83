#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "vault/vault_world.h"

#include "vault/store_int.h"

/* A leaf and its authority, as DER. */
struct pair {
    EVP_PKEY *leaf_key, *ca_key;
    X509 *leaf, *ca;
};

static X509 *certificate(struct rf_arena *arena, const char *name, EVP_PKEY *key, EVP_PKEY *signer)
{
    struct rf_err err;
    rf_str der;
    struct cert_request request = {.subject_cn = rf_str_of(name),
                                   .not_before = (WALK_NOW - 60) * RF_USEC_PER_SECOND,
                                   .not_after = (WALK_NOW + 3600) * RF_USEC_PER_SECOND};
    cr_assert(cert_make(&request, key, signer, (rf_str){0}, arena, &der, &err) == RF_OK, "%s",
              err.text);
    const uint8_t *at = der.ptr;
    return d2i_X509(NULL, &at, (long)der.len);
}

static void pair_init(struct pair *p, struct rf_arena *arena)
{
    struct rf_err err;
    cr_assert(key_make(KEY_RSA_2048, &p->leaf_key, &err) == RF_OK);
    cr_assert(key_make(KEY_RSA_2048, &p->ca_key, &err) == RF_OK);
    p->leaf = certificate(arena, "leaf", p->leaf_key, p->leaf_key);
    p->ca = certificate(arena, "ca", p->ca_key, p->ca_key);
    cr_assert(p->leaf != NULL && p->ca != NULL);
}

static void pair_done(struct pair *p)
{
    EVP_PKEY_free(p->leaf_key);
    EVP_PKEY_free(p->ca_key);
    X509_free(p->leaf);
    X509_free(p->ca);
}

static rf_str pfx_of(const struct pair *p, struct rf_arena *arena, const char *password,
                     bool with_key)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    uint8_t *der = NULL;
    sk_X509_push(chain, p->ca);
    if (!with_key) sk_X509_unshift(chain, p->leaf);
    PKCS12 *pfx =
        PKCS12_create(password, NULL, with_key ? p->leaf_key : NULL, with_key ? p->leaf : NULL,
                      chain, NID_aes_256_cbc, NID_aes_256_cbc, 2048, 2048, 0);
    cr_assert(pfx != NULL);
    int len = i2d_PKCS12(pfx, &der);
    cr_assert(len > 0);
    rf_str text = base64_encode(arena, rf_str_make(der, (size_t)len));
    OPENSSL_free(der);
    PKCS12_free(pfx);
    sk_X509_free(chain);
    return text;
}

static X509 *next_certificate(BIO *bio)
{
    X509 *out = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    cr_assert(out != NULL);
    return out;
}

static void is_pem_of(const struct pair *p, rf_str pem, bool with_key)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    if (with_key) {
        cr_assert(rf_str_starts(pem, RF_S("-----BEGIN PRIVATE KEY-----\n")));
        EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        cr_assert(key != NULL && EVP_PKEY_eq(key, p->leaf_key) == 1);
        EVP_PKEY_free(key);
    }
    X509 *first = next_certificate(bio), *second = next_certificate(bio);
    cr_assert(X509_cmp(first, p->leaf) == 0 && X509_cmp(second, p->ca) == 0, "leaf first");
    cr_assert(PEM_read_bio_X509(bio, NULL, NULL, NULL) == NULL);
    X509_free(first);
    X509_free(second);
    BIO_free(bio);
}

Test(vault_bundle, becomes_pem)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct pair p;
    struct rf_err err;
    rf_str pem;
    rf_arena_init(&arena, 1u << 20);
    pair_init(&p, &arena);
    cr_assert(vault_convert_bundle(pfx_of(&p, &arena, "", true), &arena, &pem, &err) == RF_OK, "%s",
              err.text);
    is_pem_of(&p, pem, true);
    /* A key that may not leave is not in it. */
    cr_assert(vault_convert_bundle(pfx_of(&p, &arena, "", false), &arena, &pem, &err) == RF_OK);
    cr_assert(rf_str_find(pem, RF_S("PRIVATE"), 0) == SIZE_MAX);
    is_pem_of(&p, pem, false);
    pair_done(&p);
}

Test(vault_bundle, refuses_what_is_none)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct pair p;
    struct rf_err err;
    rf_str pem;
    rf_arena_init(&arena, 1u << 20);
    pair_init(&p, &arena);
    rf_str locked = pfx_of(&p, &arena, "secret", true), good = pfx_of(&p, &arena, "", true);
    const rf_str bad[] = {RF_S(""), RF_S("AAAA"), RF_S("not base64"), locked,
                          rf_slice(good, 0, good.len / 8 * 4)};
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        cr_assert(vault_convert_bundle(bad[i], &arena, &pem, &err) == RF_INVALID, "%zu", i);
        cr_assert_str_eq(err.code, "BadBundle");
    }
    pair_done(&p);
}

/* ---- as a certificate's secret ----------------------------------------------------------------------------------------- */

static rf_str add_managed(struct vault_world *w, rf_str value, const char *type)
{
    struct vault_call call = {.vaults = w->vaults,
                              .arena = &w->site.arena,
                              .name = RF_S("crt"),
                              .now = WALK_NOW,
                              .token = rf_slice(w->token, strlen("Bearer "), w->token.len)};
    struct vault_item item;
    struct vault_version version;
    struct seal_head head;
    struct seal_ring ring;
    struct sealed sealed;
    struct state_txn *txn;
    cr_assert(state_begin_read(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(vault_place_find(w->vaults, txn, (rf_str){0}, call.arena, &call.place, &w->err) ==
              RF_OK);
    cr_assert(vault_item_open(&call, txn, SEAL_SECRET, &item, &w->err) == RF_OK);
    state_end(txn);
    cr_assert(vault_version_init(&call, &version, &w->err) == RF_OK);
    item.managed = version.managed = true;
    item.latest = version.version;
    version.content_type = rf_str_of(type);
    vault_head(&version, &head);
    head.material = SEAL_VALUE;
    cr_assert(vault_ring(&call, &item, &ring, &w->err) == RF_OK);
    cr_assert(seal_put(w->keeper, call.token, &ring, &head, value, call.arena, &sealed, &w->err) ==
              RF_OK);
    item.key = sealed.item_key;
    version.sealed = sealed.version;
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(vault_version_put(&call, txn, &item, &version, &w->err) == RF_OK);
    cr_assert(vault_item_put(&call, txn, &item, &w->err) == RF_OK);
    cr_assert(state_finish(&txn, &w->err) == RF_OK);
    return version.version;
}

#define PEM_TYPE "application/x-pem-file"
#define PFX_TYPE "application/x-pkcs12"

Test(vault_bundle, is_given_as_asked_for)
{
    struct vault_world w;
    struct pair p;
    v_init(&w);
    pair_init(&p, &w.site.arena);
    rf_str pfx = pfx_of(&p, &w.site.arena, "", true);
    rf_str first = add_managed(&w, pfx, PFX_TYPE);
    const char *as_pem = "/secrets/crt?outContentType=application%2Fx-pem-file";
    w.api = "2025-07-01";
    v_expect(&w, "GET", as_pem, NULL, 200);
    v_expect_text(&w, "contentType", PEM_TYPE);
    is_pem_of(&p, json_text_at(w.answer, "value"), true);
    cr_assert(json_get(w.answer, "previousVersion") == NULL);
    v_expect(&w, "GET", "/secrets/crt?outContentType=application%2Fx-pkcs12", NULL, 200);
    cr_assert(rf_str_eq(json_text_at(w.answer, "value"), pfx));
    v_expect_text(&w, "contentType", PFX_TYPE);
    v_expect_error(&w, "GET", "/secrets/crt?outContentType=text%2Fplain", NULL, 400, "BadParameter",
                   NULL);
    w.api = "7.6"; /* which does not know of it */
    v_expect(&w, "GET", as_pem, NULL, 200);
    v_expect_text(&w, "contentType", PFX_TYPE);
    w.api = "2025-07-01";
    rf_str second = add_managed(&w, RF_S("pem"), PEM_TYPE);
    v_expect(&w, "GET", "/secrets/crt", NULL, 200);
    cr_assert(rf_str_eq(json_text_at(w.answer, "previousVersion"), first));
    cr_assert(json_get(w.answer, "managed") != NULL);
    v_expect(&w, "GET", as_pem, NULL, 200);
    v_expect_text(&w, "value", "pem");
    v_expect(&w, "GET", "/secrets/crt?outContentType=application%2Fx-pkcs12", NULL, 400);
    (void)add_managed(&w, RF_S("third"), PEM_TYPE);
    rf_str target = rf_arena_printf(&w.site.arena, "/secrets/crt/%.*s", RF_FMT(second));
    v_expect(&w, "GET", rf_arena_cstr(&w.site.arena, target), NULL, 200);
    cr_assert(rf_str_eq(json_text_at(w.answer, "previousVersion"), first));
    w.api = "7.6";
    v_expect(&w, "GET", "/secrets/crt", NULL, 200);
    cr_assert(json_get(w.answer, "previousVersion") == NULL);
    pair_done(&p);
    v_done(&w);
}

/* A stranger's PFX could ask for any amount of work. */
Test(vault_bundle, is_made_of_certificates_only)
{
    struct vault_world w;
    v_init(&w);
    w.api = "2025-07-01";
    v_expect(&w, "PUT", "/secrets/foo", "{\"value\":\"AAAA\",\"contentType\":\"" PFX_TYPE "\"}",
             200);
    v_expect(&w, "GET", "/secrets/foo?outContentType=application%2Fx-pem-file", NULL, 400);
    v_expect(&w, "GET", "/secrets/foo", NULL, 200);
    cr_assert(json_get(w.answer, "previousVersion") == NULL);
    v_done(&w);
}
