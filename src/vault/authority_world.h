/* authority_world.h - for the tests of authorities: keys, certificates that are asked for, and who checks them. */
#ifndef RF_VAULT_AUTHORITY_WORLD_H
#define RF_VAULT_AUTHORITY_WORLD_H

#include <openssl/ocsp.h>

#include "vault/authority_int.h"
#include "vault/certificates_world.h"

#define HOUSE "{\"provider\":\"Ringfort-CA\"}"
#define PKI "/pki/kv1/House/"

WALK_HELPER int64_t a_now(struct vault_world *w)
{
    return rf_clock_now(&w->site.clock.clock) / RF_USEC_PER_SECOND;
}

/* SubjectPublicKeyInfo of a new key; the key itself is thrown away. */
WALK_HELPER rf_str a_public(struct vault_world *w, EVP_PKEY *key)
{
    uint8_t *der = NULL;
    rf_str out;
    cr_assert(key != NULL);
    int len = i2d_PUBKEY(key, &der);
    cr_assert(len > 0 && rf_arena_str(&w->site.arena, rf_str_make(der, (size_t)len), &out));
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    return out;
}

/* A server's certificate by House, for one name. */
WALK_HELPER struct authority_issued a_issue(struct vault_world *w, const char *name)
{
    rf_str dns[] = {rf_str_of(name)};
    struct authority_issued out;
    struct authority_wanted wanted = {.public_key = a_public(w, EVP_EC_gen("P-256")),
                                      .dns = dns,
                                      .dns_count = 1,
                                      .is_server = true,
                                      .by = RF_S("acme:7")};
    cr_assert(authority_issue(w->vaults, (rf_str){0}, RF_S("House"), &wanted, &w->site.arena, &out,
                              &w->err) == RF_OK,
              "%s %s", w->err.code, w->err.text);
    return out;
}

WALK_HELPER X509 *a_next(rf_str *chain)
{
    const uint8_t *at = chain->ptr;
    X509 *cert = d2i_X509(NULL, &at, (long)chain->len);
    cr_assert(cert != NULL);
    *chain = rf_slice(*chain, (size_t)(at - chain->ptr), chain->len);
    return cert;
}

/* The body of an open route. */
WALK_HELPER rf_str a_fetch(struct vault_world *w, const char *path)
{
    rf_str token = w->token, out;
    w->token = (rf_str){0};
    int status = v_raw(w, "GET", path, NULL);
    w->token = token;
    rf_str body = rf_buf_view(&w->last.body);
    cr_assert(status == 200, "%s: %d %.*s", path, status, RF_FMT(body));
    cr_assert(rf_arena_str(&w->site.arena, body, &out));
    return out;
}

WALK_HELPER X509 *a_cert(struct vault_world *w, const char *path)
{
    rf_str der = a_fetch(w, path);
    X509 *cert = vault_cert_parse(der);
    cr_assert(cert != NULL, "%s", path);
    return cert;
}

WALK_HELPER X509_CRL *a_crl(struct vault_world *w, const char *path)
{
    rf_str der = a_fetch(w, path);
    const uint8_t *at = der.ptr;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der.len);
    cr_assert(crl != NULL && at == der.ptr + der.len, "%s", path);
    return crl;
}

/* What OpenSSL says of a chain (leaf, intermediate) under the root of House, with these lists looked at; X509_V_OK. */
WALK_HELPER int a_verify(struct vault_world *w, rf_str chain, const char *list)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *others = sk_X509_new_null();
    X509 *root = a_cert(w, PKI "ca.cer"), *leaf = a_next(&chain);
    while (chain.len > 0) sk_X509_push(others, a_next(&chain));
    X509_STORE_add_cert(store, root);
    if (list != NULL) {
        X509_CRL *own = a_crl(w, list), *roots = a_crl(w, PKI "root.crl");
        X509_STORE_add_crl(store, own);
        X509_STORE_add_crl(store, roots);
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
        X509_CRL_free(own);
        X509_CRL_free(roots);
    }
    cr_assert(X509_STORE_CTX_init(ctx, store, leaf, others) == 1);
    X509_STORE_CTX_set_time(ctx, 0, (time_t)a_now(w));
    (void)X509_verify_cert(ctx);
    int why = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    sk_X509_pop_free(others, X509_free);
    X509_free(root);
    X509_free(leaf);
    return why;
}

WALK_HELPER void a_revoke(struct vault_world *w, rf_str serial, int reason)
{
    cr_assert(authority_revoke(w->vaults, (rf_str){0}, RF_S("House"), serial, reason,
                               &w->site.arena, &w->err) == RF_OK,
              "%s %s", w->err.code, w->err.text);
}

#endif
