/* certificates_make.c - a new version of a certificate: its key, its secret, and the transaction that stores all three. */
#include "base/encode.h"
#include "vault/certificates_int.h"

/* ---- where it goes ----------------------------------------------------------------------------------------------------- */

static enum rf_kind open_follower(struct vault_call *call, struct state_txn *txn,
                                  enum seal_kind kind, struct vault_item *out, struct rf_err *err)
{
    RF_TRY(vault_item_open(call, txn, kind, out, err));
    if (out->etag != 0 && !out->managed)
        return vault_fail(call, err, 409, "Conflict", NULL,
                          "There is something named '%.*s' in %s already, which is no "
                          "certificate's: a certificate needs that name for its own.",
                          RF_FMT(call->name), vault_collection(kind));
    out->managed = true;
    return RF_OK;
}

enum rf_kind vault_cert_open(struct vault_call *call, struct state_txn *txn,
                             struct cert_making *out, struct rf_err *err)
{
    RF_TRY(vault_item_open(call, txn, SEAL_CERTIFICATE, &out->cert, err));
    RF_TRY(open_follower(call, txn, SEAL_KEY, &out->key, err));
    RF_TRY(open_follower(call, txn, SEAL_SECRET, &out->secret, err));
    return RF_OK;
}

/* ---- the key ------------------------------------------------------------------------------------------------------------- */

static void key_head(const struct cert_making *making, struct seal_head *out)
{
    const struct cert_policy *policy = &making->policy;
    struct vault_version version = making->version;
    version.managed = true;
    /* The next certificate for the same key lasts longer. */
    if (policy->reuse_key) version.not_before = version.expires = SEAL_NO_TIME;
    vault_head(&version, out);
    out->material = policy->material;
    out->bits = policy->bits;
    out->ops = vault_cert_ops(policy);
    out->exportable = policy->exportable;
}

static enum rf_kind new_key(struct vault_call *call, struct cert_making *making, struct rf_err *err)
{
    struct seal_ring ring;
    struct seal_head head;
    struct sealed sealed;
    key_head(making, &head);
    RF_TRY(vault_ring(call, &making->key, &ring, err));
    if (seal_key_new(call->vaults->options.keeper, call->token, &ring, &head, call->arena, &sealed,
                     err) != RF_OK)
        return vault_seal_refused(call, &making->key, NULL, err);
    making->key.key = sealed.item_key;
    making->key_sealed = sealed.version;
    making->key_public = sealed.public_key;
    return RF_OK;
}

/* Whether the sealed key is one that this policy would make. */
static bool key_fits(const struct cert_making *making, rf_str sealed)
{
    struct seal_head head;
    const struct cert_policy *policy = &making->policy;
    return seal_head_get(sealed, &head, NULL) == RF_OK && head.enabled && head.managed &&
           head.material == policy->material && head.bits == policy->bits &&
           head.exportable == policy->exportable && head.ops == vault_cert_ops(policy) &&
           head.expires == SEAL_NO_TIME;
}

/* The latest version's key into `making`, unless there is none that fits. */
static enum rf_kind old_key(struct vault_call *call, struct cert_making *making, bool *found,
                            struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_version cert, key;
    struct cert_facts facts;
    rf_str der;
    *found = false;
    if (making->cert.latest.len == 0 || making->key.etag == 0) return RF_OK;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_version_get(call, txn, &making->cert, (rf_str){0}, &cert, err));
    RF_TRY(vault_version_get(call, txn, &making->key, cert.version, &key, err));
    if (!key_fits(making, key.sealed)) return RF_OK;
    RF_TRY(base64_decode(call->arena, json_text_at(cert.more, "cer"), &der, err));
    RF_TRY(vault_cert_facts(der, call->arena, &facts, err));
    making->key_sealed = key.sealed;
    making->key_public = facts.public_key;
    *found = true;
    return RF_OK;
}

enum rf_kind vault_cert_make_key(struct vault_call *call, struct cert_making *making,
                                 struct rf_err *err)
{
    bool found = false;
    if (making->policy.reuse_key) RF_TRY(old_key(call, making, &found, err));
    return found ? RF_OK : new_key(call, making, err);
}

enum rf_kind vault_cert_make_request(struct vault_call *call, struct cert_making *making,
                                     rf_str *der, struct rf_err *err)
{
    struct seal_ring ring;
    rf_str unsigned_der;
    RF_TRY(vault_ring(call, &making->key, &ring, err));
    RF_TRY(
        vault_cert_request(&making->policy, making->key_public, call->arena, &unsigned_der, err));
    if (seal_certify(call->vaults->options.keeper, call->token, &ring, making->key_sealed,
                     SEAL_SIGN_REQUEST, (rf_str){0}, unsigned_der, call->arena, der, err) != RF_OK)
        return vault_seal_refused(call, &making->key, NULL, err);
    return RF_OK;
}

/* ---- the secret, and the whole ---------------------------------------------------------------------------------------------- */

static enum rf_kind seal_secret(struct vault_call *call, struct cert_making *making,
                                struct vault_version *out, struct rf_err *err)
{
    struct seal_ring key, secret;
    struct seal_head head;
    struct sealed sealed;
    *out = making->version;
    out->managed = true;
    out->more = NULL;
    out->content_type = making->policy.format == SEAL_PEM ? RF_S("application/x-pem-file")
                                                          : RF_S("application/x-pkcs12");
    RF_TRY(vault_ring(call, &making->key, &key, err));
    RF_TRY(vault_ring(call, &making->secret, &secret, err));
    vault_head(out, &head);
    head.material = SEAL_VALUE;
    if (seal_bundle(call->vaults->options.keeper, call->token, &key, making->key_sealed,
                    making->chain, making->policy.format, &secret, &head, call->arena, &sealed,
                    err) != RF_OK)
        return vault_seal_refused(call, &making->secret, NULL, err);
    making->secret.key = sealed.item_key;
    out->sealed = sealed.version;
    return RF_OK;
}

static enum rf_kind make_key_version(struct vault_call *call, const struct cert_making *making,
                                     struct vault_version *out, struct rf_err *err)
{
    *out = making->version;
    out->managed = true;
    out->sealed = making->key_sealed;
    out->more = vault_cert_jwk(call->arena, making->key_public);
    if (out->more != NULL) return RF_OK;
    return RF_FAIL(err, RF_IO, "CryptoFailed", "OpenSSL could not read a public key");
}

static enum rf_kind fill_version(struct vault_call *call, struct cert_making *making,
                                 struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct cert_facts facts;
    struct vault_version *version = &making->version;
    RF_TRY(vault_cert_facts(making->leaf, arena, &facts, err));
    version->created = version->updated = call->now;
    version->not_before = facts.not_before;
    version->expires = facts.not_after;
    version->more = json_new(arena, JSON_T_OBJECT);
    bool good = json_set_text(arena, version->more, "cer", facts.cer) != NULL &&
                json_set_text(arena, version->more, "x5t", facts.x5t) != NULL &&
                json_set_text(arena, version->more, "subject", facts.subject) != NULL;
    /* What a listener shows behind the certificate (listener.c): the secret has it too, but only for who may read that. */
    if (good && rf_str_starts(making->chain, making->leaf) &&
        making->chain.len > making->leaf.len) {
        rf_str rest = rf_slice(making->chain, making->leaf.len, making->chain.len);
        rf_str text = base64_encode(arena, rest);
        good = text.ptr != NULL && json_set_text(arena, version->more, "chain", text) != NULL;
    }
    return good ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind put_one(struct vault_call *call, struct state_txn *txn, struct vault_item *item,
                            const struct vault_version *version, struct rf_err *err)
{
    item->latest = version->version;
    item->updated = call->now;
    RF_TRY(vault_version_put(call, txn, item, version, err));
    return vault_item_put(call, txn, item, err);
}

/* *item is as it was read: the transaction finds whether that is still so. */
static enum rf_kind again(struct vault_call *call, struct state_txn *txn, struct vault_item *item,
                          struct rf_err *err)
{
    struct vault_item now = *item;
    RF_TRY(vault_item_again(call, txn, true, &now, err));
    return RF_OK;
}

enum rf_kind vault_cert_store(struct vault_call *call, struct cert_making *making,
                              struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_version key, secret;
    RF_TRY(fill_version(call, making, err));
    RF_TRY(make_key_version(call, making, &key, err));
    RF_TRY(seal_secret(call, making, &secret, err));
    if (!vault_cert_set_more(call, &making->cert, "policy", making->policy_node) ||
        !vault_cert_set_more(call, &making->cert, "first", NULL) ||
        !vault_cert_set_more(call, &making->cert, "told", NULL))
        return rf_fail_memory(err, call->arena);
    making->cert.due = vault_cert_next_due(&making->policy, &making->version, NULL, call->now);
    making->key.due = making->secret.due = 0;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(again(call, txn, &making->cert, err));
    RF_TRY(again(call, txn, &making->key, err));
    RF_TRY(again(call, txn, &making->secret, err));
    RF_TRY(put_one(call, txn, &making->cert, &making->version, err));
    RF_TRY(put_one(call, txn, &making->key, &key, err));
    RF_TRY(put_one(call, txn, &making->secret, &secret, err));
    RF_TRY(vault_publish(call, txn, "Microsoft.KeyVault.CertificateNewVersionCreated",
                         SEAL_CERTIFICATE, making->cert.name, &making->version, err));
    return state_finish(&txn, err);
}
