/* listener.c - certificates of a vault that the server's own listeners show: who binds one, and what it is just now. The key is the keeper's to use
 * (crypt/keeper_listener.h). */
#include "base/encode.h"
#include "crypt/keeper_listener.h"
#include "crypt/x509.h"
#include "vault/call_int.h"
#include "vault/certificates_int.h"

static const char scheme[] = "vault://";

/* ---- binding ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind find_listener(struct vault_call *call, enum keeper_listener *out,
                                  struct rf_err *err)
{
    if (keeper_listener_find(call->sub, out)) return RF_OK;
    return vault_bad(call, err, "There is no listener '%.*s'; there are 'https' and 'streams'.",
                     RF_FMT(call->sub));
}

/* It is the server's own door: beside the certificate's key the caller must have the whole installation in hand. */
static enum rf_kind may_bind(struct vault_call *call, bool uses_key, struct rf_err *err)
{
    static const struct vault_operation sign = {
        .action = "keys/sign/action", .policy = "keys sign", .scope = "keys"};
    struct vault_call signing = *call;
    struct route_need need = {.is_data = true};
    RF_TRY(authz_require(call->vaults->options.authz, call->request->principal,
                         RF_S("Microsoft.Authorization/roleAssignments/write"), RF_S("/"), false,
                         err));
    if (!uses_key) return RF_OK;
    signing.operation = &sign;
    return vault_check_access(&signing, &need, err);
}

static rf_str label_of(struct vault_call *call, rf_str name)
{
    return rf_arena_printf(call->arena, "%s%.*s/%.*s", scheme, RF_FMT(call->place.name),
                           RF_FMT(name));
}

/* The key behind the latest version of the certificate. */
struct listener_key {
    struct vault_item item;
    struct vault_version cert, version;
    struct seal_ring ring;
};

static enum rf_kind find_key(struct vault_call *call, rf_str name, struct listener_key *out,
                             struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_item cert;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_need(call, txn, SEAL_CERTIFICATE, name, &cert, err));
    RF_TRY(vault_version_get(call, txn, &cert, (rf_str){0}, &out->cert, err));
    RF_TRY(vault_item_need(call, txn, SEAL_KEY, name, &out->item, err));
    RF_TRY(vault_version_get(call, txn, &out->item, out->cert.version, &out->version, err));
    return vault_ring(call, &out->item, &out->ring, err);
}

static enum rf_kind answer(struct vault_call *call, enum keeper_listener listener, bool is_bound,
                           bool is_in_use, struct rf_err *err)
{
    struct json_node *out = json_new(call->arena, JSON_T_OBJECT);
    rf_str id = vault_object_id(call, "certificates", call->name, (rf_str){0});
    bool good = out != NULL && id.ptr != NULL &&
                json_set_text(call->arena, out, "listener",
                              rf_str_of(keeper_listener_name(listener))) != NULL &&
                json_set_text(call->arena, out, "certificate", id) != NULL &&
                json_set_bool(call->arena, out, "bound", is_bound) != NULL &&
                json_set_bool(call->arena, out, "inUse", is_in_use) != NULL;
    return good ? request_answer(call->request, 200, out) : rf_fail_memory(err, call->arena);
}

static enum rf_kind try_bind(struct vault_call *call, void *ctx, struct rf_err *err)
{
    const enum keeper_listener *listener = ctx;
    struct listener_key key;
    RF_TRY(find_key(call, call->name, &key, err));
    rf_str label = label_of(call, key.item.name);
    if (label.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (keeper_listener_bind(call->vaults->options.keeper, call->token, *listener, &key.ring,
                             key.version.sealed, label, err) != RF_OK)
        return vault_seal_refused(call, &key.item, &key.version, err);
    return RF_OK;
}

enum rf_kind vault_listener_bind(struct vault_call *call, struct rf_err *err)
{
    enum keeper_listener listener;
    RF_TRY(find_listener(call, &listener, err));
    RF_TRY(may_bind(call, true, err));
    RF_TRY(vault_retry(call, try_bind, &listener, err));
    return answer(call, listener, true, false, err);
}

/* Whether the listener is bound to call->name in this vault, by the names that people know. */
static enum rf_kind look(struct vault_call *call, enum keeper_listener listener,
                         struct keeper_bound *out, bool *is_ours, struct rf_err *err)
{
    RF_TRY(keeper_listener_get(call->vaults->options.keeper, listener, call->arena, out, err));
    rf_str label = label_of(call, call->name);
    if (label.ptr == NULL) return rf_fail_memory(err, call->arena);
    *is_ours = out->is_bound && rf_str_eq_nocase(out->label, label) &&
               memcmp(out->vault_id, call->place.guid_bytes, SEAL_ID_BYTES) == 0;
    return RF_OK;
}

enum rf_kind vault_listener_show(struct vault_call *call, struct rf_err *err)
{
    enum keeper_listener listener;
    struct keeper_bound bound;
    bool is_ours;
    RF_TRY(find_listener(call, &listener, err));
    RF_TRY(look(call, listener, &bound, &is_ours, err));
    return answer(call, listener, is_ours, is_ours && bound.is_in_use, err);
}

/* Also of a certificate that is gone. */
enum rf_kind vault_listener_unbind(struct vault_call *call, struct rf_err *err)
{
    enum keeper_listener listener;
    struct keeper_bound bound;
    bool is_ours;
    RF_TRY(find_listener(call, &listener, err));
    RF_TRY(may_bind(call, false, err));
    RF_TRY(look(call, listener, &bound, &is_ours, err));
    if (!is_ours)
        return vault_fail(call, err, 404, "ListenerNotBound", NULL,
                          "The listener '%.*s' does not use the certificate '%.*s'.",
                          RF_FMT(call->sub), RF_FMT(call->name));
    if (keeper_listener_unbind(call->vaults->options.keeper, call->token, listener, err) != RF_OK)
        return vault_seal_error(call, err);
    return answer(call, listener, false, false, err);
}

/* ---- for the listener ------------------------------------------------------------------------------------------------- */

static enum rf_kind gone(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "ListenerCertificateGone", "the %s is gone", what);
}

bool vault_label_read(rf_str label, rf_str *vault, rf_str *name)
{
    size_t from = sizeof scheme - 1, slash = rf_str_find(label, RF_S("/"), from);
    if (!rf_str_starts(label, rf_str_of(scheme)) || slash == SIZE_MAX) return false;
    *vault = rf_slice(label, from, slash);
    *name = rf_slice(label, slash + 1, label.len);
    return vault->len > 0 && name->len > 0;
}

/* The leaf, and those behind it. */
static enum rf_kind chain_pem(rf_str leaf, rf_str behind, struct rf_arena *arena, rf_str *out,
                              struct rf_err *err)
{
    struct rf_buf pem = rf_buf_in(arena);
    rf_buf_str(&pem, cert_pem(arena, leaf));
    const uint8_t *at = behind.ptr, *end = behind.ptr + behind.len;
    while (at < end) {
        const uint8_t *from = at;
        X509 *cert = d2i_X509(NULL, &at, end - at);
        X509_free(cert);
        if (cert == NULL)
            return RF_FAIL(err, RF_CORRUPT, "CertificateDamaged", "a stored chain is damaged");
        rf_buf_str(&pem, cert_pem(arena, rf_str_make(from, (size_t)(at - from))));
    }
    *out = rf_buf_view(&pem);
    return pem.failed ? rf_fail_memory(err, arena) : RF_OK;
}

enum rf_kind vaults_listener(struct vaults *vaults, const struct keeper_bound *bound,
                             struct rf_arena *arena, struct vault_listener *out, struct rf_err *err)
{
    rf_str vault, name, behind = {0};
    struct vault_call call = {.vaults = vaults,
                              .arena = arena,
                              .api = VAULT_API_2025,
                              .now = rf_clock_now(vaults->options.clock) / RF_USEC_PER_SECOND};
    struct listener_key key;
    if (!vault_label_read(bound->label, &vault, &name)) return gone("vault", err);
    RF_TRY(vault_place_find(vaults, NULL, vault, arena, &call.place, err));
    if (memcmp(call.place.guid_bytes, bound->vault_id, SEAL_ID_BYTES) != 0)
        return gone("vault", err);
    RF_TRY(find_key(&call, name, &key, err));
    if (memcmp(key.item.id, bound->item_id, SEAL_ID_BYTES) != 0) return gone("certificate", err);
    if (!key.cert.enabled)
        return RF_FAIL(err, RF_DENIED, "SealDisabled", "the latest version is disabled");
    RF_TRY(base64_decode(arena, json_text_at(key.cert.more, "cer"), &out->certificate, err));
    RF_TRY(base64_decode(arena, json_text_at(key.cert.more, "chain"), &behind, err));
    RF_TRY(chain_pem(out->certificate, behind, arena, &out->chain_pem, err));
    out->ring = rf_arena_new(arena, struct seal_ring, 1);
    if (out->ring == NULL) return rf_fail_memory(err, arena);
    *out->ring = key.ring;
    out->sealed = key.version.sealed;
    out->version = key.cert.version;
    return RF_OK;
}
