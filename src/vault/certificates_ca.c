/* certificates_ca.c - issuers of provider Ringfort-CA: each has a root of its own, made when it is needed first.
 *
 * "ca" of the issuer: {"item" (hex), "key","sealed","cer" (base64),"x5t"}. The root's key serves nothing but seal_certify; it issues end entities
 * (path length 0). */
#include "base/encode.h"
#include "vault/certificates_int.h"

enum { ROOT_MONTHS = 240, USAGE_CERT_SIGN = 1 << 5, USAGE_CRL_SIGN = 1 << 6, NAME_CHARS = 40 };

struct root {
    struct seal_ring ring;
    rf_str sealed, der;
};

static enum rf_kind read_root(struct vault_call *call, rf_str name, const struct json_node *node,
                              struct root *out, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct vault_item item;
    rf_str id;
    RF_TRY(vault_item_new(call, SEAL_KEY, name, &item, err));
    RF_TRY(hex_decode(arena, json_text_at(node, "item"), &id, err));
    RF_TRY(base64_decode(arena, json_text_at(node, "key"), &item.key, err));
    RF_TRY(base64_decode(arena, json_text_at(node, "sealed"), &out->sealed, err));
    RF_TRY(base64_decode(arena, json_text_at(node, "cer"), &out->der, err));
    if (id.len != SEAL_ID_BYTES)
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "the root of an issuer");
    memcpy(item.id, id.ptr, id.len);
    return vault_ring(call, &item, &out->ring, err);
}

static enum rf_kind sign_root(struct vault_call *call, const struct seal_ring *ring,
                              const struct sealed *key, rf_str subject, rf_str *der,
                              struct rf_err *err)
{
    struct cert_policy policy = {.subject = subject,
                                 .usage = USAGE_CERT_SIGN | USAGE_CRL_SIGN,
                                 .months = ROOT_MONTHS,
                                 .is_ca = true};
    struct cert_build build = {.policy = &policy, .public_key = key->public_key, .is_root = true};
    rf_str text;
    vault_cert_times(&policy, call->now, &build.not_before, &build.not_after);
    RF_TRY(vault_cert_build(&build, call->arena, &text, err));
    if (seal_certify(call->vaults->options.keeper, call->token, ring, key->version, SEAL_SIGN_SELF,
                     (rf_str){0}, text, call->arena, der, err) != RF_OK)
        return vault_seal_error(call, err);
    return RF_OK;
}

static bool set_bytes(struct rf_arena *arena, struct json_node *out, const char *name, rf_str bytes)
{
    rf_str text = base64_encode(arena, bytes);
    return text.ptr != NULL && json_set_text(arena, out, name, text) != NULL;
}

/* The name is the one under which the issuer was made: it is bound into what is sealed. */
static enum rf_kind make_root(struct vault_call *call, rf_str name, struct json_node **out,
                              struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct vault_item item;
    struct vault_version version;
    struct seal_ring ring;
    struct seal_head head;
    struct sealed key;
    struct cert_facts facts;
    rf_str der, id;
    rf_str subject =
        rf_arena_printf(arena, "CN=%.*s Root CA, O=%.*s", (int)RF_MIN(name.len, NAME_CHARS),
                        (const char *)name.ptr, RF_FMT(call->place.name));
    RF_TRY(vault_item_new(call, SEAL_KEY, name, &item, err));
    RF_TRY(vault_version_init(call, &version, err));
    RF_TRY(vault_ring(call, &item, &ring, err));
    if (subject.ptr == NULL) return rf_fail_memory(err, arena);
    vault_head(&version, &head);
    head.material = SEAL_P384;
    if (seal_key_new(call->vaults->options.keeper, call->token, &ring, &head, arena, &key, err) !=
        RF_OK)
        return vault_seal_error(call, err);
    ring.item_key = key.item_key;
    RF_TRY(sign_root(call, &ring, &key, subject, &der, err));
    RF_TRY(vault_cert_facts(der, arena, &facts, err));
    id = hex_encode(arena, rf_str_make(item.id, sizeof item.id));
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    bool good = id.ptr != NULL && json_set_text(arena, node, "item", id) != NULL &&
                set_bytes(arena, node, "key", key.item_key) &&
                set_bytes(arena, node, "sealed", key.version) &&
                json_set_text(arena, node, "cer", facts.cer) != NULL &&
                json_set_text(arena, node, "x5t", facts.x5t) != NULL;
    if (!good) return rf_fail_memory(err, arena);
    *out = node;
    return RF_OK;
}

static enum rf_kind load_issuer(struct vault_call *call, rf_str name, struct json_node **node,
                                uint64_t *etag, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    return vault_issuer_load(call, txn, name, node, etag, err);
}

static enum rf_kind find_root(struct vault_call *call, rf_str name, struct root *out,
                              struct rf_err *err)
{
    struct json_node *node, *ca;
    uint64_t etag;
    RF_TRY(load_issuer(call, name, &node, &etag, err));
    rf_str own = json_text_at(node, "name");
    ca = json_get(node, "ca");
    if (ca == NULL) {
        RF_TRY(make_root(call, own, &ca, err));
        if (json_set(call->arena, node, RF_S("ca"), ca) == NULL)
            return rf_fail_memory(err, call->arena);
        RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
        RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
        RF_TRY(vault_issuer_store(call, txn, own, node, etag, err));
        RF_TRY(state_finish(&txn, err));
    }
    return read_root(call, own, ca, out, err);
}

enum rf_kind vault_cert_issue(struct vault_call *call, struct cert_making *making,
                              struct rf_err *err)
{
    struct root root;
    struct cert_facts facts;
    rf_str der;
    RF_TRY(find_root(call, making->policy.issuer, &root, err));
    RF_TRY(vault_cert_facts(root.der, call->arena, &facts, err));
    if (facts.not_after <= call->now)
        return vault_cert_bad(err, "The root of the issuer '%.*s' has expired: make a new issuer.",
                              RF_FMT(making->policy.issuer));
    struct cert_build build = {.policy = &making->policy,
                               .public_key = making->key_public,
                               .issuer = root.der,
                               .not_before = RF_MAX(making->version.not_before, facts.not_before),
                               .not_after = RF_MIN(making->version.expires, facts.not_after)};
    RF_TRY(vault_cert_build(&build, call->arena, &der, err));
    if (seal_certify(call->vaults->options.keeper, call->token, &root.ring, root.sealed,
                     SEAL_SIGN_ISSUE, root.der, der, call->arena, &making->leaf, err) != RF_OK)
        return vault_seal_error(call, err);
    struct rf_buf chain = rf_buf_in(call->arena);
    rf_buf_str(&chain, making->leaf);
    rf_buf_str(&chain, root.der);
    if (chain.failed) return rf_fail_memory(err, call->arena);
    making->chain = rf_buf_view(&chain);
    return RF_OK;
}
