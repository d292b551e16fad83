/* What people hand in with certificates: PFX, PEM, subjects, certificates. The first byte says which. */
#include <openssl/x509.h>

#include "test/rf_fuzz.h"
#include "vault/certificates_int.h"

static void check_import(rf_str rest, bool pem, struct rf_arena *arena)
{
    struct cert_import out;
    struct rf_err err;
    enum seal_material material;
    uint32_t bits;
    rf_str public_key, chain, leaf;
    enum rf_kind kind = pem ? vault_cert_read_pem(rest, arena, &out, &err)
                            : vault_cert_read_pfx(rest, RF_S("pw"), arena, &out, &err);
    if (kind != RF_OK) return;
    RF_ASSERT(out.key.len > 0 && sk_X509_num(out.certs) > 0);
    if (vault_cert_key_kind(out.key, arena, &material, &bits, &public_key) &&
        vault_cert_chain(out.certs, public_key, false, arena, &chain, &leaf, &err) == RF_OK)
        RF_ASSERT(leaf.len > 0 && leaf.len <= chain.len);
    vault_cert_import_done(&out);
}

/* What is read can be written, and read again as the same. */
static void check_subject(rf_str text, struct rf_arena *arena)
{
    X509_NAME *name, *again;
    const char *why = NULL;
    if (!vault_cert_subject(text, &name, &why)) {
        RF_ASSERT(why != NULL);
        return;
    }
    rf_str shown = vault_cert_subject_text(arena, name);
    RF_ASSERT(shown.ptr != NULL || X509_NAME_entry_count(name) == 0);
    if (vault_cert_subject(shown, &again, &why)) X509_NAME_free(again);
    X509_NAME_free(name);
}

static void check_cert(rf_str der, struct rf_arena *arena)
{
    struct cert_facts facts;
    struct rf_err err;
    if (vault_cert_facts(der, arena, &facts, &err) != RF_OK) return;
    X509 *cert = vault_cert_parse(der);
    RF_ASSERT(cert != NULL);
    RF_ASSERT(facts.x5t.len == 27);
    (void)vault_cert_policy_derive(arena, cert, SEAL_RSA, 2048, SEAL_PFX);
    (void)vault_cert_jwk(arena, facts.public_key);
    X509_free(cert);
}

RF_FUZZ(certificates, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16u << 20);
    if (text.len == 0) return;
    rf_str rest = rf_slice(text, 1, text.len);
    switch (text.ptr[0] % 4) {
    case 0:
        check_import(rest, false, &arena);
        break;
    case 1:
        check_import(rest, true, &arena);
        break;
    case 2:
        check_subject(rest, &arena);
        break;
    default:
        check_cert(rest, &arena);
    }
}
