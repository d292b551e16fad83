/* certificates_merge.c - certificates that come from outside: merged into an operation that waits for one, or imported with their key. */
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "base/encode.h"
#include "vault/certificates_int.h"

enum { PASSWORD_BYTES_MAX = 1024 };

/* What BadParameter of the readers says, with its status. */
static enum rf_kind as_bad(struct vault_call *call, enum rf_kind kind, struct rf_err *err)
{
    char text[sizeof err->text];
    if (kind != RF_INVALID) return kind;
    memcpy(text, err->text, sizeof text);
    return vault_bad(call, err, "%s", text);
}

/* ---- merge ------------------------------------------------------------------------------------------------------------- */

struct merging {
    struct cert_making making;
    STACK_OF(X509) * certs;
    bool keep_order;
};

static enum rf_kind push_cert(struct vault_call *call, const struct json_node *text,
                              STACK_OF(X509) * certs, struct rf_err *err)
{
    rf_str der;
    X509 *cert = NULL;
    if (text->type == JSON_T_STRING && base64_decode(call->arena, text->text, &der, err) == RF_OK)
        cert = vault_cert_parse(der);
    if (cert != NULL && sk_X509_push(certs, cert) > 0) return RF_OK;
    X509_free(cert);
    return vault_bad(call, err,
                     "Property 'x5c' has invalid value: each is a certificate, its DER "
                     "in standard base64.");
}

static enum rf_kind read_x5c(struct vault_call *call, struct merging *merging, struct rf_err *err)
{
    struct json_node *list, *order;
    RF_TRY(vault_member(call, call->body, "x5c", JSON_T_ARRAY, &list, err));
    RF_TRY(vault_member(call, call->body, "preserveCertOrder", JSON_T_TRUE, &order, err));
    merging->keep_order = order != NULL && order->type == JSON_T_TRUE;
    if (list == NULL || list->count == 0 || list->count > CERT_CHAIN_MAX)
        return vault_bad(call, err,
                         "Property 'x5c' has invalid value: it is an array of 1 to %d "
                         "certificates.",
                         CERT_CHAIN_MAX);
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        RF_TRY(push_cert(call, item, merging->certs, err));
    return RF_OK;
}

static enum rf_kind open_merging(struct vault_call *call, struct cert_making *making,
                                 struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_item item;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_cert_need(call, txn, &item, err));
    const struct json_node *pending = vault_cert_more(&item, "pending");
    if (!vault_cert_in_progress(pending) || json_get(pending, "sealed") == NULL)
        return vault_fail(call, err, 404, "PendingCertificateNotFound", NULL,
                          "'%.*s' has no operation that waits for a merge.", RF_FMT(call->name));
    RF_TRY(vault_cert_open(call, txn, making, err));
    return vault_cert_pending_load(call, making, err);
}

static enum rf_kind check_times(struct vault_call *call, const struct cert_making *making,
                                struct rf_err *err)
{
    struct cert_facts facts;
    RF_TRY(vault_cert_facts(making->leaf, call->arena, &facts, err));
    if (facts.not_after > call->now) return RF_OK;
    return vault_cert_bad(err, "The specified X.509 certificate has expired.");
}

static enum rf_kind set_done(struct vault_call *call, struct cert_making *making,
                             struct rf_err *err)
{
    static const char *const members[] = {"keyItem", "keyKey", "sealed", "public", "details"};
    struct json_node *pending = vault_cert_more(&making->cert, "pending");
    for (size_t i = 0; i < RF_COUNT(members); i++) json_remove(pending, rf_str_of(members[i]));
    return json_set_text(call->arena, pending, "status", RF_S("completed")) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

/* From now on the key ends with its certificate, unless the next one has the same key. */
static enum rf_kind set_key_times(struct vault_call *call, struct cert_making *making,
                                  struct rf_err *err)
{
    struct cert_facts facts;
    struct seal_ring ring;
    struct seal_head head;
    struct sealed sealed;
    RF_TRY(vault_cert_facts(making->leaf, call->arena, &facts, err));
    if (seal_head_get(making->key_sealed, &head, err) != RF_OK) return vault_seal_error(call, err);
    bool same = head.enabled == making->version.enabled;
    if (making->policy.reuse_key && same) return RF_OK;
    RF_TRY(vault_ring(call, &making->key, &ring, err));
    head.enabled = making->version.enabled;
    if (!making->policy.reuse_key) {
        head.not_before = facts.not_before;
        head.expires = facts.not_after;
    }
    head.generation++;
    if (seal_change(call->vaults->options.keeper, call->token, &ring, making->key_sealed, &head,
                    call->arena, &sealed, err) != RF_OK)
        return vault_seal_refused(call, &making->key, NULL, err);
    making->key_sealed = sealed.version;
    return RF_OK;
}

static enum rf_kind try_merge(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct merging *merging = ctx;
    struct cert_making *making = &merging->making;
    *making = (struct cert_making){.chain = {0}};
    RF_TRY(open_merging(call, making, err));
    RF_TRY(vault_read_attributes(call, false, &making->version, err));
    enum rf_kind kind = vault_cert_chain(merging->certs, making->key_public, merging->keep_order,
                                         call->arena, &making->chain, &making->leaf, err);
    if (kind == RF_OK) kind = check_times(call, making, err);
    if (kind != RF_OK) return as_bad(call, kind, err);
    RF_TRY(set_done(call, making, err));
    RF_TRY(set_key_times(call, making, err));
    return vault_cert_store(call, making, err);
}

enum rf_kind vault_cert_merge(struct vault_call *call, struct rf_err *err)
{
    struct merging merging = {.certs = sk_X509_new_null()};
    if (merging.certs == NULL) return rf_fail_memory(err, call->arena);
    enum rf_kind kind = read_x5c(call, &merging, err);
    if (kind == RF_OK) kind = vault_retry(call, try_merge, &merging, err);
    sk_X509_pop_free(merging.certs, X509_free);
    ERR_clear_error();
    RF_TRY(kind);
    return vault_cert_answer(call, 201, &merging.making.cert, &merging.making.version, err);
}

/* ---- import ---------------------------------------------------------------------------------------------------------------- */

struct importing {
    struct cert_making making;
    struct cert_import import;
    enum seal_material material;
    uint32_t bits;
    rf_str public_key;
    bool keep_order;
};

static enum rf_kind import_policy(struct vault_call *call, struct importing *in, struct rf_err *err)
{
    struct cert_making *making = &in->making;
    struct json_node *given;
    RF_TRY(vault_member(call, call->body, "policy", JSON_T_OBJECT, &given, err));
    X509 *leaf = vault_cert_parse(making->leaf);
    struct json_node *base = leaf == NULL
                                 ? NULL
                                 : vault_cert_policy_derive(call->arena, leaf, in->material,
                                                            in->bits, in->import.format);
    X509_free(leaf);
    if (base == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(vault_cert_policy_read(call, given, base, &making->policy_node, &making->policy, err));
    if (making->policy.material != in->material || making->policy.bits != in->bits)
        return vault_bad(call, err,
                         "Property 'policy.key_props' has invalid value: type, size or "
                         "curve are not those of the key that is imported.");
    enum cert_issuer issuer;
    bool enabled;
    if (vault_cert_is_self(&making->policy) || vault_cert_is_unknown(&making->policy)) return RF_OK;
    return vault_cert_issuer_find(call, making->policy.issuer, &issuer, &enabled, err);
}

static enum rf_kind put_key(struct vault_call *call, struct importing *in, struct rf_err *err)
{
    struct cert_making *making = &in->making;
    struct cert_facts facts;
    struct vault_version version = making->version;
    struct seal_ring ring;
    struct seal_head head;
    struct sealed sealed;
    RF_TRY(vault_cert_facts(making->leaf, call->arena, &facts, err));
    version.managed = true;
    if (!making->policy.reuse_key) {
        version.not_before = facts.not_before;
        version.expires = facts.not_after;
    }
    vault_head(&version, &head);
    head.material = in->material;
    head.bits = in->bits;
    head.ops = vault_cert_ops(&making->policy);
    head.exportable = making->policy.exportable;
    RF_TRY(vault_ring(call, &making->key, &ring, err));
    if (seal_put(call->vaults->options.keeper, call->token, &ring, &head, in->import.key,
                 call->arena, &sealed, err) != RF_OK)
        return vault_seal_refused(call, &making->key, NULL, err);
    making->key.key = sealed.item_key;
    making->key_sealed = sealed.version;
    making->key_public = sealed.public_key;
    return RF_OK;
}

static enum rf_kind open_importing(struct vault_call *call, struct cert_making *making,
                                   struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_cert_open(call, txn, making, err));
    if (!vault_cert_in_progress(vault_cert_more(&making->cert, "pending"))) return RF_OK;
    return vault_fail(call, err, 409, "Conflict", NULL,
                      "A new version of '%.*s' is being created: wait for it, or cancel and delete "
                      "the pending operation.",
                      RF_FMT(call->name));
}

static enum rf_kind try_import(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct importing *in = ctx;
    RF_TRY(open_importing(call, &in->making, err));
    RF_TRY(import_policy(call, in, err));
    RF_TRY(put_key(call, in, err));
    return vault_cert_store(call, &in->making, err);
}

/* The texts of the body, which hold a key: wiped behind the import. */
static enum rf_kind read_body(struct vault_call *call, rf_str *value, rf_str *password,
                              struct importing *in, struct rf_err *err)
{
    struct json_node *text, *pwd, *order;
    RF_TRY(vault_member(call, call->body, "value", JSON_T_STRING, &text, err));
    RF_TRY(vault_member(call, call->body, "pwd", JSON_T_STRING, &pwd, err));
    RF_TRY(vault_member(call, call->body, "preserveCertOrder", JSON_T_TRUE, &order, err));
    in->keep_order = order != NULL && order->type == JSON_T_TRUE;
    if (text == NULL || text->text.len == 0)
        return vault_bad(call, err,
                         "Property 'value' is required: a PFX in standard base64, or "
                         "PEM with the key and its certificates.");
    *value = text->text;
    *password = pwd == NULL ? (rf_str){0} : pwd->text;
    if (password->len <= PASSWORD_BYTES_MAX &&
        (password->len == 0 || memchr(password->ptr, 0, password->len) == NULL))
        return RF_OK;
    return vault_bad(call, err, "Property 'pwd' has invalid value: at most %d bytes.",
                     PASSWORD_BYTES_MAX);
}

static enum rf_kind import(struct vault_call *call, struct importing *in, struct rf_err *err)
{
    struct cert_making *making = &in->making;
    RF_TRY(vault_version_init(call, &making->version, err));
    RF_TRY(vault_read_attributes(call, false, &making->version, err));
    if (!vault_cert_key_kind(in->import.key, call->arena, &in->material, &in->bits,
                             &in->public_key))
        return vault_bad(call, err,
                         "The private key is none that a vault takes: RSA of 2048, 3072 "
                         "or 4096 bits, or EC on P-256, P-384, P-521 or P-256K.");
    enum rf_kind kind = vault_cert_chain(in->import.certs, in->public_key, in->keep_order,
                                         call->arena, &making->chain, &making->leaf, err);
    if (kind != RF_OK) return as_bad(call, kind, err);
    return vault_retry(call, try_import, in, err);
}

enum rf_kind vault_cert_import(struct vault_call *call, struct rf_err *err)
{
    struct importing in = {.keep_order = false};
    rf_str value, password;
    RF_TRY(vault_check_name(call, call->name, err));
    RF_TRY(read_body(call, &value, &password, &in, err));
    enum rf_kind kind = vault_cert_read(value, password, call->arena, &in.import, err);
    kind = kind == RF_OK ? import(call, &in, err) : as_bad(call, kind, err);
    vault_cert_import_done(&in.import);
    vault_wipe(value);
    vault_wipe(password);
    ERR_clear_error();
    RF_TRY(kind);
    return vault_cert_answer(call, 200, &in.making.cert, &in.making.version, err);
}
