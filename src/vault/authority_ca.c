/* authority_ca.c - the authorities of an issuer: a root, intermediates under it, and what signs their OCSP answers. Each key is sealed beside the issuer and
 * serves nothing but seal_certify. All are made when they are needed first. */
#include <openssl/x509v3.h>

#include "base/encode.h"
#include "base/log.h"
#include "vault/authority_int.h"

enum {
    ROOT_MONTHS = 240,
    ISSUING_MONTHS = 60,
    RESPONDER_MONTHS = 3,
    RENEW_PERCENT = 80,
    NAME_CHARS = 40,
    USAGE_SIGN = 1,
    USAGE_AUTHORITY = 1 << 5 | 1 << 6 /* keyCertSign, cRLSign */
};
#define OCSP_SIGNING "1.3.6.1.5.5.7.3.9"

enum rf_kind authority_none(struct vault_call *call, rf_str name, struct rf_err *err)
{
    return vault_fail(call, err, 404, "IssuerNotFound", NULL,
                      "The vault has no issuer '%.*s' of provider Ringfort-CA.",
                      (int)RF_MIN(name.len, 127), (const char *)name.ptr);
}

enum rf_kind authority_call(struct vaults *vaults, rf_str vault, struct rf_arena *arena,
                            struct vault_call *out, struct rf_err *err)
{
    const struct vaults_options *options = &vaults->options;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    *out = (struct vault_call){.vaults = vaults,
                               .arena = arena,
                               .base = options->site->origin,
                               .body = json_new(arena, JSON_T_OBJECT),
                               .api = VAULT_API_2025,
                               .now = rf_clock_now(options->clock) / RF_USEC_PER_SECOND};
    if (out->body == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_begin_read(options->state, &txn, err));
    return vault_place_find(vaults, txn, vault, arena, &out->place, err);
}

rf_str authority_url(struct vault_call *call, rf_str issuer, const char *rest)
{
    const struct vaults_options *options = &call->vaults->options;
    rf_str origin = options->pki_origin.len > 0 ? options->pki_origin : options->site->origin;
    return rf_arena_printf(call->arena, "%.*s/pki/%.*s/%.*s%s", RF_FMT(origin),
                           RF_FMT(call->place.name), RF_FMT(issuer), rest);
}

enum rf_kind authority_set_urls(struct vault_call *call, rf_str issuer, uint32_t number,
                                struct cert_build *build, struct rf_err *err)
{
    char crl[24], cer[24];
    (void)snprintf(crl, sizeof crl, "/%u.crl", number);
    (void)snprintf(cer, sizeof cer, "/%u.cer", number);
    build->crl_url = authority_url(call, issuer, crl);
    build->issuer_url = authority_url(call, issuer, cer);
    build->ocsp_url = authority_url(call, issuer, "/ocsp");
    bool good =
        build->crl_url.ptr != NULL && build->issuer_url.ptr != NULL && build->ocsp_url.ptr != NULL;
    return good ? RF_OK : rf_fail_memory(err, call->arena);
}

/* ---- as they are kept --------------------------------------------------------------------------------------------------- */

static enum rf_kind read_signer(struct vault_call *call, rf_str name, struct json_node *node,
                                uint32_t number, struct authority_signer *out, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct vault_item item;
    struct cert_facts facts;
    rf_str id;
    RF_TRY(vault_item_new(call, SEAL_KEY, name, &item, err));
    RF_TRY(hex_decode(arena, json_text_at(node, "item"), &id, err));
    RF_TRY(base64_decode(arena, json_text_at(node, "key"), &item.key, err));
    RF_TRY(base64_decode(arena, json_text_at(node, "sealed"), &out->sealed, err));
    RF_TRY(base64_decode(arena, json_text_at(node, "cer"), &out->der, err));
    if (id.len != SEAL_ID_BYTES)
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "an authority of an issuer");
    memcpy(item.id, id.ptr, id.len);
    RF_TRY(vault_cert_facts(out->der, arena, &facts, err));
    out->number = number;
    out->not_before = facts.not_before;
    out->not_after = facts.not_after;
    out->node = node;
    return vault_ring(call, &item, &out->ring, err);
}

static bool set_bytes(struct rf_arena *arena, struct json_node *out, const char *name, rf_str bytes)
{
    rf_str text = base64_encode(arena, bytes);
    return text.ptr != NULL && json_set_text(arena, out, name, text) != NULL;
}

/* ---- making one --------------------------------------------------------------------------------------------------------- */

struct order {
    const struct authority_signer *signer; /* NULL: by itself */
    struct cert_policy policy;
    struct cert_build build;
    enum seal_material material;
};

static enum rf_kind sign(struct vault_call *call, struct order *order, const struct seal_ring *ring,
                         const struct sealed *key, rf_str *der, struct rf_err *err)
{
    const struct authority_signer *signer = order->signer;
    struct cert_build *build = &order->build;
    rf_str text;
    build->policy = &order->policy;
    build->public_key = key->public_key;
    vault_cert_times(&order->policy, call->now, &build->not_before, &build->not_after);
    if (signer != NULL) {
        build->issuer = signer->der;
        build->not_before = RF_MAX(build->not_before, signer->not_before);
        build->not_after = RF_MIN(build->not_after, signer->not_after);
    }
    RF_TRY(vault_cert_build(build, call->arena, &text, err));
    bool own = signer == NULL;
    if (seal_certify(call->vaults->options.keeper, call->token, own ? ring : &signer->ring,
                     own ? key->version : signer->sealed, own ? SEAL_SIGN_SELF : SEAL_SIGN_ISSUE,
                     build->issuer, text, call->arena, der, err) != RF_OK)
        return vault_seal_error(call, err);
    return RF_OK;
}

/* A key and its certificate, as it is kept. `name` is the one under which the issuer was made: it is bound into what is sealed. */
static enum rf_kind make(struct vault_call *call, rf_str name, struct order *order,
                         struct json_node **out, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct vault_item item;
    struct vault_version version;
    struct seal_ring ring;
    struct seal_head head;
    struct sealed key;
    struct cert_facts facts;
    rf_str der, id;
    RF_TRY(vault_item_new(call, SEAL_KEY, name, &item, err));
    RF_TRY(vault_version_init(call, &version, err));
    RF_TRY(vault_ring(call, &item, &ring, err));
    vault_head(&version, &head);
    head.material = order->material;
    if (seal_key_new(call->vaults->options.keeper, call->token, &ring, &head, arena, &key, err) !=
        RF_OK)
        return vault_seal_error(call, err);
    ring.item_key = key.item_key;
    RF_TRY(sign(call, order, &ring, &key, &der, err));
    RF_TRY(vault_cert_facts(der, arena, &facts, err));
    id = hex_encode(arena, rf_str_make(item.id, sizeof item.id));
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    bool good = id.ptr != NULL && json_set_text(arena, node, "item", id) != NULL &&
                set_bytes(arena, node, "key", key.item_key) &&
                set_bytes(arena, node, "sealed", key.version) &&
                json_set_text(arena, node, "cer", facts.cer) != NULL &&
                json_set_text(arena, node, "x5t", facts.x5t) != NULL &&
                json_set_i64(arena, node, "begins", facts.not_before) != NULL &&
                json_set_i64(arena, node, "ends", facts.not_after) != NULL;
    if (!good) return rf_fail_memory(err, arena);
    *out = node;
    return RF_OK;
}

/* "CN=House Root CA, O=vault": by the issuer's setting, or by its name. */
static rf_str subject_of(struct vault_call *call, rf_str name, const char *what)
{
    return rf_arena_printf(call->arena, "CN=%.*s %s, O=%.*s", (int)RF_MIN(name.len, NAME_CHARS),
                           (const char *)name.ptr, what, RF_FMT(call->place.name));
}

static enum rf_kind make_root(struct vault_call *call, struct authority *authority,
                              struct rf_err *err)
{
    rf_str wanted = json_text_at(authority->node, "rootSubject");
    rf_str subject = wanted.len > 0 ? wanted : subject_of(call, authority->name, "Root CA");
    struct order order = {
        .policy = {.subject = subject, .usage = USAGE_AUTHORITY, .months = ROOT_MONTHS},
        .build = {.is_authority = true, .path_length = 1},
        .material = SEAL_P384};
    struct json_node *node;
    if (subject.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(make(call, authority->name, &order, &node, err));
    return json_set(call->arena, authority->node, RF_S("ca"), node) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

/* Each has a name of its own, so that nobody takes one for another. */
static enum rf_kind make_issuing(struct vault_call *call, struct authority *authority,
                                 uint32_t number, struct json_node **out, struct rf_err *err)
{
    char what[40];
    (void)snprintf(what, sizeof what, "Issuing CA %u", number);
    struct order order = {.signer = &authority->root,
                          .policy = {.subject = subject_of(call, authority->name, what),
                                     .usage = USAGE_AUTHORITY,
                                     .months = ISSUING_MONTHS},
                          .build = {.is_authority = true},
                          .material = SEAL_P384};
    if (order.policy.subject.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(authority_set_urls(call, authority->name, 0, &order.build, err));
    RF_TRY(make(call, authority->name, &order, out, err));
    return json_set_i64(call->arena, *out, "number", number) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

/* ---- which one ---------------------------------------------------------------------------------------------------------- */

static bool may_have_authorities(const struct authority_signer *root)
{
    X509 *cert = vault_cert_parse(root->der);
    bool may = cert != NULL && X509_get_pathlen(cert) != 0;
    X509_free(cert);
    return may;
}

static struct json_node *newest(const struct json_node *issuer)
{
    const struct json_node *list = json_at(issuer, "ca.issuing");
    return json_is(list, JSON_T_ARRAY) ? list->last : NULL;
}

static uint32_t number_of(const struct json_node *node)
{
    int64_t number = 0;
    (void)json_i64_at(node, "number", &number);
    return number < 0 || number > UINT32_MAX ? 0 : (uint32_t)number;
}

uint32_t authority_last(const struct authority *authority)
{
    return number_of(newest(authority->node));
}

/* Whether it is time for the next: none yet, 80 % of its life are over, it was revoked, or its list is long. */
static bool wants_next(const struct json_node *node, int64_t now)
{
    int64_t begins = 0, ends = 0;
    if (node == NULL || !json_i64_at(node, "begins", &begins) || !json_i64_at(node, "ends", &ends))
        return true;
    return now >= begins + (ends - begins) * RENEW_PERCENT / 100 ||
           json_bool_at(node, "revoked", false) || json_bool_at(node, "full", false);
}

static enum rf_kind destroy_one(struct vault_call *call, rf_str name, const struct json_node *node,
                                struct rf_err *err)
{
    struct vault_item item;
    struct seal_ring ring;
    rf_str id, proof;
    if (node == NULL) return RF_OK;
    RF_TRY(vault_item_new(call, SEAL_KEY, name, &item, err));
    RF_TRY(hex_decode(call->arena, json_text_at(node, "item"), &id, err));
    RF_TRY(base64_decode(call->arena, json_text_at(node, "key"), &item.key, err));
    if (id.len != SEAL_ID_BYTES) return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "an authority");
    memcpy(item.id, id.ptr, id.len);
    RF_TRY(vault_ring(call, &item, &ring, err));
    if (seal_destroy(call->vaults->options.keeper, &ring, call->arena, &proof, err) == RF_OK ||
        strcmp(err->code, "SealDestroyed") == 0)
        return RF_OK;
    return vault_seal_error(call, err);
}

enum rf_kind authority_destroy(struct vault_call *call, const struct json_node *issuer,
                               struct rf_err *err)
{
    const struct json_node *ca = json_get(issuer, "ca"), *list = json_get(ca, "issuing");
    rf_str name = json_text_at(issuer, "name");
    RF_TRY(destroy_one(call, name, ca, err));
    RF_TRY(destroy_one(call, name, json_get(ca, "responder"), err));
    for (const struct json_node *node = list == NULL ? NULL : list->first; node != NULL;
         node = node->next) {
        RF_TRY(destroy_one(call, name, node, err));
        RF_TRY(destroy_one(call, name, json_get(node, "responder"), err));
    }
    return RF_OK;
}

/* Without those that have ended: what they issued has ended too. */
static struct json_node *without_ended(struct vault_call *call, const struct json_node *list)
{
    struct json_node *out = json_new(call->arena, JSON_T_ARRAY);
    for (const struct json_node *node = list == NULL ? NULL : list->first; node != NULL;
         node = node->next) {
        int64_t ends = 0;
        bool is_last = node->next == NULL;
        if (json_i64_at(node, "ends", &ends) && ends + 86400 < call->now && !is_last) continue;
        if (json_append(out, json_clone(call->arena, node)) == NULL) return NULL;
    }
    return out;
}

static enum rf_kind add_issuing(struct vault_call *call, struct authority *authority,
                                struct rf_err *err)
{
    struct json_node *ca = json_get(authority->node, "ca"), *node;
    struct json_node *list = without_ended(call, json_get(ca, "issuing"));
    if (list == NULL) return rf_fail_memory(err, call->arena);
    if (list->count >= AUTHORITY_ISSUING_MAX)
        return vault_cert_bad(err,
                              "The issuer '%.*s' has %d intermediate authorities already: make a "
                              "new issuer.",
                              RF_FMT(authority->name), AUTHORITY_ISSUING_MAX);
    RF_TRY(make_issuing(call, authority, authority_last(authority) + 1, &node, err));
    bool good =
        json_append(list, node) != NULL && json_set(call->arena, ca, RF_S("issuing"), list) != NULL;
    return good ? RF_OK : rf_fail_memory(err, call->arena);
}

static enum rf_kind store(struct vault_call *call, struct authority *authority, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_issuer_store(call, txn, authority->name, authority->node, &authority->etag, err));
    return state_finish(&txn, err);
}

enum rf_kind authority_node(struct vault_call *call, rf_str name, struct json_node **out,
                            uint64_t *etag, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    enum rf_kind kind = vault_issuer_load(call, txn, name, out, etag, err);
    if (kind == RF_NOT_FOUND) return authority_none(call, name, err);
    RF_TRY(kind);
    return rf_str_eq_nocase(json_text_at(*out, "provider"), RF_S("Ringfort-CA"))
               ? RF_OK
               : authority_none(call, name, err);
}

/* The root, and what issues, out of the node. */
static enum rf_kind read_authority(struct vault_call *call, struct authority *out,
                                   struct rf_err *err)
{
    struct json_node *ca = json_get(out->node, "ca"), *issuing = newest(out->node);
    RF_TRY(read_signer(call, out->name, ca, 0, &out->root, err));
    out->id = json_text_at(ca, "item");
    out->issuing = out->root;
    return issuing == NULL
               ? RF_OK
               : read_signer(call, out->name, issuing, number_of(issuing), &out->issuing, err);
}

enum rf_kind authority_load(struct vault_call *call, rf_str name, struct authority *out,
                            struct rf_err *err)
{
    *out = (struct authority){.etag = 0};
    RF_TRY(authority_node(call, name, &out->node, &out->etag, err));
    out->name = json_text_at(out->node, "name");
    if (json_get(out->node, "ca") == NULL) return authority_none(call, name, err);
    return read_authority(call, out, err);
}

enum rf_kind authority_open(struct vault_call *call, rf_str name, struct authority *out,
                            struct rf_err *err)
{
    bool is_new;
    *out = (struct authority){.etag = 0};
    RF_TRY(authority_node(call, name, &out->node, &out->etag, err));
    out->name = json_text_at(out->node, "name");
    is_new = json_get(out->node, "ca") == NULL;
    if (is_new) RF_TRY(make_root(call, out, err));
    RF_TRY(read_authority(call, out, err));
    if (out->root.not_after <= call->now)
        return vault_cert_bad(err, "The root of the issuer '%.*s' has expired: make a new issuer.",
                              RF_FMT(out->name));
    bool adds = may_have_authorities(&out->root) && wants_next(newest(out->node), call->now);
    if (adds) RF_TRY(add_issuing(call, out, err));
    if (!is_new && !adds) return RF_OK;
    RF_TRY(read_authority(call, out, err));
    RF_TRY(authority_register(call, out, 0, out->issuing.number, RF_S("ringfort"), out->issuing.der,
                              err));
    RF_TRY(store(call, out, err));
    rf_log(RF_INFO, "vault.authority_made", RF_KV_STR("vault", call->place.name),
           RF_KV_STR("issuer", out->name), RF_KV_U64("number", out->issuing.number));
    return RF_OK;
}

static struct json_node *node_of(const struct authority *authority, uint32_t number)
{
    struct json_node *ca = json_get(authority->node, "ca"), *list = json_get(ca, "issuing");
    if (number == 0) return ca;
    for (struct json_node *node = list == NULL ? NULL : list->first; node != NULL;
         node = node->next)
        if (number_of(node) == number) return node;
    return NULL;
}

enum rf_kind authority_signer(struct vault_call *call, const struct authority *authority,
                              uint32_t number, struct authority_signer *out, struct rf_err *err)
{
    struct json_node *node = node_of(authority, number);
    if (node != NULL) return read_signer(call, authority->name, node, number, out, err);
    return vault_fail(call, err, 404, "AuthorityNotFound", NULL,
                      "The issuer '%.*s' has no authority %u.", RF_FMT(authority->name), number);
}

/* ---- responders ---------------------------------------------------------------------------------------------------------- */

/* Answers are asked for by anybody: they are signed by a key that can do nothing else (RFC 6960, 4.2.2.2), for a short while. */
static enum rf_kind make_responder(struct vault_call *call, struct authority *authority,
                                   const struct authority_signer *signer, struct json_node **out,
                                   struct rf_err *err)
{
    char what[40];
    struct json_node *ekus = json_new(call->arena, JSON_T_ARRAY);
    (void)snprintf(what, sizeof what, "OCSP %u", signer->number);
    struct order order = {.signer = signer,
                          .policy = {.subject = subject_of(call, authority->name, what),
                                     .usage = USAGE_SIGN,
                                     .ekus = ekus,
                                     .months = RESPONDER_MONTHS},
                          .build = {.is_responder = true},
                          .material = SEAL_P256};
    if (order.policy.subject.ptr == NULL ||
        json_append(ekus, json_new_text(call->arena, RF_S(OCSP_SIGNING))) == NULL)
        return rf_fail_memory(err, call->arena);
    return make(call, authority->name, &order, out, err);
}

enum rf_kind authority_responder(struct vault_call *call, struct authority *authority,
                                 const struct authority_signer *signer,
                                 struct authority_signer *out, struct rf_err *err)
{
    struct json_node *node = node_of(authority, signer->number), *made;
    struct json_node *old = json_get(node, "responder");
    RF_ASSERT(node != NULL);
    if (old == NULL || (wants_next(old, call->now) && call->now < signer->not_after)) {
        RF_TRY(make_responder(call, authority, signer, &made, err));
        if (json_set(call->arena, node, RF_S("responder"), made) == NULL)
            return rf_fail_memory(err, call->arena);
        RF_TRY(store(call, authority, err));
        RF_TRY(destroy_one(call, authority->name, old, err));
        old = made;
    }
    return read_signer(call, authority->name, old, signer->number, out, err);
}

/* ---- showing -------------------------------------------------------------------------------------------------------------- */

static bool show_one(struct rf_arena *arena, const struct json_node *node, struct json_node *out)
{
    return json_set_text(arena, out, "cer", json_text_at(node, "cer")) != NULL &&
           json_set_text(arena, out, "x5t", json_text_at(node, "x5t")) != NULL;
}

/* The root is for everybody to trust, the intermediate for whoever builds chains. */
bool authority_show(struct rf_arena *arena, const struct json_node *issuer, struct json_node *out)
{
    const struct json_node *ca = json_get(issuer, "ca"), *issuing = newest(issuer);
    if (ca == NULL) return true;
    struct json_node *shown = json_object_in(arena, out, "ca");
    bool good = show_one(arena, ca, shown);
    if (issuing != NULL)
        good = show_one(arena, issuing, json_object_in(arena, shown, "intermediate")) && good;
    return good;
}
