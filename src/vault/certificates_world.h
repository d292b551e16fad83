/* certificates_world.h - for the tests of certificates: what a job does, and what is in a secret. */
#ifndef RF_VAULT_CERTIFICATES_WORLD_H
#define RF_VAULT_CERTIFICATES_WORLD_H

#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "vault/certificates_int.h"
#include "vault/vault_world.h"

#define C "/certificates/"
#define SELF(rest)                                                                                 \
    "{\"policy\":{\"x509_props\":{\"subject\":\"CN=a.example.org, O=Contoso\"},"                   \
    "\"issuer\":{\"name\":\"Self\"},\"key_props\":{\"kty\":\"EC\"}" rest "}}"

/* A call as a job makes it. */
WALK_HELPER struct vault_call c_job(struct vault_world *w, const char *name)
{
    struct vault_call call = {.vaults = w->vaults,
                              .arena = &w->site.arena,
                              .name = rf_str_of(name),
                              .api = VAULT_API_2025,
                              .now = rf_clock_now(&w->site.clock.clock) / RF_USEC_PER_SECOND};
    struct state_txn *txn;
    cr_assert(state_begin_read(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(vault_place_find(w->vaults, txn, (rf_str){0}, call.arena, &call.place, &w->err) ==
              RF_OK);
    state_end(txn);
    return call;
}

WALK_HELPER struct vault_item c_item(struct vault_world *w, enum seal_kind kind, const char *name)
{
    struct vault_call call = c_job(w, name);
    struct vault_item item;
    struct state_txn *txn;
    cr_assert(state_begin_read(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(vault_item_get(&call, txn, kind, call.name, &item, &w->err) == RF_OK);
    state_end(txn);
    return item;
}

WALK_HELPER struct vault_version c_version(struct vault_world *w, enum seal_kind kind,
                                           const char *name)
{
    struct vault_call call = c_job(w, name);
    struct vault_item item = c_item(w, kind, name);
    struct vault_version version;
    struct state_txn *txn;
    cr_assert(state_begin_read(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(vault_version_get(&call, txn, &item, (rf_str){0}, &version, &w->err) == RF_OK);
    state_end(txn);
    return version;
}

/* What the job does when the certificate's time has come; false: it has not. */
WALK_HELPER bool c_due(struct vault_world *w, const char *name)
{
    struct vault_call call = c_job(w, name);
    struct vault_item item = c_item(w, SEAL_CERTIFICATE, name);
    if (item.due == 0 || item.due > call.now) return false;
    cr_assert(vault_certificate_due(&call, &item, &w->err) == RF_OK, "%s", w->err.text);
    return true;
}

/* Creates, and finishes. */
WALK_HELPER void c_make(struct vault_world *w, const char *name, const char *body)
{
    char path[200];
    (void)snprintf(path, sizeof path, C "%s/create", name);
    v_expect(w, "POST", path, body, 202);
    v_expect_text(w, "status", "inProgress");
    cr_assert(c_due(w, name));
    (void)snprintf(path, sizeof path, C "%s/pending", name);
    v_expect(w, "GET", path, NULL, 200);
    v_expect_text(w, "status", "completed");
    (void)snprintf(path, sizeof path, C "%s/", name);
    v_expect(w, "GET", path, NULL, 200);
}

/* "cer" of the last answer. */
WALK_HELPER X509 *c_cert(struct vault_world *w)
{
    rf_str der;
    cr_assert(base64_decode(&w->site.arena, json_text_at(w->answer, "cer"), &der, &w->err) ==
              RF_OK);
    X509 *cert = vault_cert_parse(der);
    cr_assert(cert != NULL);
    return cert;
}

/* The secret of a certificate, a PFX. */
WALK_HELPER void c_secret(struct vault_world *w, const char *name, EVP_PKEY **key, X509 **leaf,
                          STACK_OF(X509) * *others)
{
    char path[200];
    rf_str der;
    (void)snprintf(path, sizeof path, "/secrets/%s", name);
    v_expect(w, "GET", path, NULL, 200);
    v_expect_text(w, "contentType", "application/x-pkcs12");
    cr_assert(base64_decode(&w->site.arena, json_text_at(w->answer, "value"), &der, &w->err) ==
              RF_OK);
    const uint8_t *at = der.ptr;
    PKCS12 *pfx = d2i_PKCS12(NULL, &at, (long)der.len);
    *key = NULL;
    *leaf = NULL;
    *others = NULL;
    cr_assert(pfx != NULL && PKCS12_parse(pfx, "", key, leaf, others) == 1);
    PKCS12_free(pfx);
}

#endif
