/* certificates_pending.c - the operation that makes a version: created, asked for, cancelled, finished.
 *
 * "pending" of an item: {"version","status","issuer","requestId","enabled","tags","csr","cancel","details","error"}; while it waits for a merge, or an order
 * by ACME ("acme", acme_client.h), also the key: {"keyItem" (hex), "keyKey","sealed","public" (base64)}. What waits for nobody outside is finished by vault_certificate_due, also by
 * that of a process which comes after this one. */
#include "base/encode.h"
#include "vault/acme_client.h"

enum { REQUEST_ID_BYTES = 16 };
#define WAITS "Pending certificate created. Please Perform Merge to complete the request."

static const char status_running[] = "inProgress", status_done[] = "completed",
                  status_cancelled[] = "cancelled", status_failed[] = "failed";

bool vault_cert_in_progress(const struct json_node *pending)
{
    return rf_str_is(json_text_at(pending, "status"), status_running);
}

bool vault_cert_waits_for_us(const struct json_node *pending)
{
    bool has_key = json_get(pending, "sealed") != NULL;
    return vault_cert_in_progress(pending) && (!has_key || json_get(pending, "acme") != NULL);
}

struct json_node *vault_cert_pending_new(struct vault_call *call,
                                         const struct vault_version *version, rf_str issuer)
{
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    rf_str guid = guid_random(arena), id;
    uint8_t text[2 * REQUEST_ID_BYTES];
    size_t len = 0;
    for (size_t i = 0; i < guid.len; i++)
        if (guid.ptr[i] != '-' && len < sizeof text) text[len++] = guid.ptr[i];
    bool good = rf_arena_str(arena, rf_str_make(text, len), &id) &&
                json_set_text(arena, out, "version", version->version) != NULL &&
                json_set_text(arena, out, "status", rf_str_of(status_running)) != NULL &&
                json_set_text(arena, out, "issuer", issuer) != NULL &&
                json_set_text(arena, out, "requestId", id) != NULL &&
                json_set_bool(arena, out, "enabled", version->enabled) != NULL;
    if (good && version->tags != NULL)
        good = json_set(arena, out, RF_S("tags"), json_clone(arena, version->tags)) != NULL;
    return good ? out : NULL;
}

/* ---- showing -------------------------------------------------------------------------------------------------------------- */

static struct json_node *show(struct vault_call *call, const struct vault_item *item,
                              const struct json_node *pending)
{
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    rf_str target = vault_object_id(call, "certificates", item->name, (rf_str){0});
    rf_str id = rf_arena_printf(arena, "%.*s/pending", RF_FMT(target));
    rf_str csr = json_text_at(pending, "csr"), details = json_text_at(pending, "details");
    rf_str status = json_text_at(pending, "status");
    const struct json_node *error = json_get(pending, "error");
    bool good = target.ptr != NULL && id.ptr != NULL && json_set_text(arena, out, "id", id) != NULL;
    good = json_set_text(arena, json_object_in(arena, out, "issuer"), "name",
                         json_text_at(pending, "issuer")) != NULL &&
           good;
    if (csr.len > 0) good = json_set_text(arena, out, "csr", csr) != NULL && good;
    good = json_set_bool(arena, out, "cancellation_requested",
                         json_bool_at(pending, "cancel", false)) != NULL &&
           json_set_text(arena, out, "status", status) != NULL && good;
    if (details.len > 0)
        good = json_set_text(arena, out, "status_details", details) != NULL && good;
    if (error != NULL)
        good = json_set(arena, out, RF_S("error"), json_clone(arena, error)) != NULL && good;
    if (rf_str_is(status, status_done))
        good = json_set_text(arena, out, "target", target) != NULL && good;
    good =
        json_set_text(arena, out, "request_id", json_text_at(pending, "requestId")) != NULL && good;
    return good ? out : NULL;
}

static enum rf_kind answer(struct vault_call *call, uint16_t status, const struct vault_item *item,
                           const struct json_node *pending, struct rf_err *err)
{
    struct json_node *out = show(call, item, pending);
    call->audit_id =
        vault_object_id(call, "certificates", item->name, json_text_at(pending, "version"));
    if (out == NULL || call->audit_id.ptr == NULL) return rf_fail_memory(err, call->arena);
    return request_answer(call->request, status, out);
}

static enum rf_kind need_pending(struct vault_call *call, struct state_txn *txn,
                                 struct vault_item *item, struct json_node **out,
                                 struct rf_err *err)
{
    RF_TRY(vault_cert_need(call, txn, item, err));
    *out = vault_cert_more(item, "pending");
    if (*out != NULL) return RF_OK;
    return vault_fail(call, err, 404, "PendingCertificateNotFound", NULL,
                      "A pending certificate with (name/id) %.*s was not found in this key vault.",
                      RF_FMT(item->name));
}

enum rf_kind vault_cert_pending_get(struct vault_call *call, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_item item;
    struct json_node *pending;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(need_pending(call, txn, &item, &pending, err));
    return answer(call, 200, &item, pending, err);
}

/* ---- a key that waits for its certificate -------------------------------------------------------------------------------------- */

static bool set_bytes(struct rf_arena *arena, struct json_node *out, const char *name, rf_str bytes)
{
    rf_str text = base64_encode(arena, bytes);
    return text.ptr != NULL && json_set_text(arena, out, name, text) != NULL;
}

enum rf_kind vault_cert_keep_key(struct vault_call *call, const struct cert_making *making,
                                 struct json_node *pending, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    rf_str id = hex_encode(arena, rf_str_make(making->key.id, sizeof making->key.id));
    bool good = id.ptr != NULL && json_set_text(arena, pending, "keyItem", id) != NULL &&
                set_bytes(arena, pending, "keyKey", making->key.key) &&
                set_bytes(arena, pending, "sealed", making->key_sealed) &&
                set_bytes(arena, pending, "public", making->key_public);
    return good ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind load_key(struct vault_call *call, struct cert_making *making,
                             const struct json_node *pending, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    rf_str id, key;
    RF_TRY(hex_decode(arena, json_text_at(pending, "keyItem"), &id, err));
    RF_TRY(base64_decode(arena, json_text_at(pending, "keyKey"), &key, err));
    RF_TRY(base64_decode(arena, json_text_at(pending, "sealed"), &making->key_sealed, err));
    RF_TRY(base64_decode(arena, json_text_at(pending, "public"), &making->key_public, err));
    if (id.len != SEAL_ID_BYTES)
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "the operation of a certificate");
    if (making->key.etag == 0) {
        memcpy(making->key.id, id.ptr, SEAL_ID_BYTES);
        making->key.key = key;
        return RF_OK;
    }
    if (memcmp(making->key.id, id.ptr, SEAL_ID_BYTES) == 0) return RF_OK;
    return vault_fail(call, err, 409, "Conflict", NULL,
                      "The key of this operation is no longer there: '%.*s' was restored or made "
                      "again meanwhile. Delete the operation and begin anew.",
                      RF_FMT(making->cert.name));
}

enum rf_kind vault_cert_pending_load(struct vault_call *call, struct cert_making *making,
                                     struct rf_err *err)
{
    const struct json_node *pending = vault_cert_more(&making->cert, "pending");
    making->policy_node = vault_cert_more(&making->cert, "policy");
    RF_TRY(vault_cert_policy_of(call, making->policy_node, &making->policy, err));
    RF_TRY(vault_version_init(call, &making->version, err));
    making->version.version = json_text_at(pending, "version");
    making->version.enabled = json_bool_at(pending, "enabled", true);
    making->version.tags = json_get(pending, "tags");
    if (!vault_version_is(making->version.version))
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "the operation of a certificate");
    return json_get(pending, "sealed") == NULL ? RF_OK : load_key(call, making, pending, err);
}

/* ---- creation --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_policy(struct vault_call *call, struct cert_making *making,
                                struct rf_err *err)
{
    struct json_node *given;
    const struct json_node *stored = vault_cert_more(&making->cert, "policy");
    RF_TRY(vault_member(call, call->body, "policy", JSON_T_OBJECT, &given, err));
    if (given == NULL && stored == NULL)
        return vault_bad(call, err, "Property 'policy' is required: the certificate is new.");
    return vault_cert_policy_read(call, given, given == NULL ? stored : NULL, &making->policy_node,
                                  &making->policy, err);
}

static enum rf_kind check_issuer(struct vault_call *call, const struct cert_policy *policy,
                                 struct rf_err *err)
{
    enum cert_issuer issuer;
    bool enabled;
    if (vault_cert_is_self(policy) || vault_cert_is_unknown(policy)) return RF_OK;
    return vault_cert_issuer_find(call, policy->issuer, &issuer, &enabled, err);
}

static enum rf_kind open_making(struct vault_call *call, struct cert_making *making,
                                struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    return vault_cert_open(call, txn, making, err);
}

enum rf_kind vault_cert_put(struct vault_call *call, struct vault_item *item, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_item now = *item;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_again(call, txn, true, &now, err));
    RF_TRY(vault_item_put(call, txn, item, err));
    return state_finish(&txn, err);
}

/* The key and its request, at once: whoever creates it asks for the request next. */
static enum rf_kind wait_for_merge(struct vault_call *call, struct cert_making *making,
                                   struct json_node *pending, struct rf_err *err)
{
    rf_str csr;
    RF_TRY(vault_cert_make_key(call, making, err));
    RF_TRY(vault_cert_make_request(call, making, &csr, err));
    RF_TRY(vault_cert_keep_key(call, making, pending, err));
    if (!set_bytes(call->arena, pending, "csr", csr) ||
        json_set_text(call->arena, pending, "details", RF_S(WAITS)) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind try_create(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct cert_making *making = ctx;
    RF_TRY(open_making(call, making, err));
    if (vault_cert_in_progress(vault_cert_more(&making->cert, "pending")))
        return vault_fail(call, err, 409, "Conflict", NULL,
                          "A new version of '%.*s' is being created already: wait for it, or "
                          "cancel and delete the pending operation.",
                          RF_FMT(call->name));
    RF_TRY(read_policy(call, making, err));
    RF_TRY(check_issuer(call, &making->policy, err));
    RF_TRY(vault_read_attributes(call, false, &making->version, err));
    struct json_node *pending =
        vault_cert_pending_new(call, &making->version, making->policy.issuer);
    if (pending == NULL) return rf_fail_memory(err, call->arena);
    bool waits = vault_cert_is_unknown(&making->policy);
    if (waits) RF_TRY(wait_for_merge(call, making, pending, err));
    bool good = vault_cert_set_more(call, &making->cert, "policy", making->policy_node) &&
                vault_cert_set_more(call, &making->cert, "pending", pending);
    if (making->cert.latest.len == 0)
        good = vault_cert_set_more(call, &making->cert, "first",
                                   json_new_text(call->arena, making->version.version)) &&
               good;
    if (!good) return rf_fail_memory(err, call->arena);
    making->cert.updated = call->now;
    making->cert.due = VAULT_DUE_LOOK;
    return vault_cert_put(call, &making->cert, err);
}

enum rf_kind vault_cert_create(struct vault_call *call, struct rf_err *err)
{
    struct cert_making making = {.chain = {0}};
    RF_TRY(vault_check_name(call, call->name, err));
    RF_TRY(vault_version_init(call, &making.version, err));
    RF_TRY(vault_retry(call, try_create, &making, err));
    vault_jobs_wake(call->vaults);
    return answer(call, 202, &making.cert, vault_cert_more(&making.cert, "pending"), err);
}

static bool forget_key(struct json_node *pending)
{
    static const char *const members[] = {"keyItem", "keyKey", "sealed", "public"};
    for (size_t i = 0; i < RF_COUNT(members); i++) json_remove(pending, rf_str_of(members[i]));
    return true;
}

/* ---- the end of it -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind sign_self(struct vault_call *call, struct cert_making *making,
                              struct rf_err *err)
{
    struct seal_ring ring;
    rf_str der;
    struct cert_build build = {.policy = &making->policy,
                               .public_key = making->key_public,
                               .not_before = making->version.not_before,
                               .not_after = making->version.expires};
    RF_TRY(vault_ring(call, &making->key, &ring, err));
    RF_TRY(vault_cert_build(&build, call->arena, &der, err));
    if (seal_certify(call->vaults->options.keeper, call->token, &ring, making->key_sealed,
                     SEAL_SIGN_SELF, (rf_str){0}, der, call->arena, &making->leaf, err) != RF_OK)
        return vault_seal_refused(call, &making->key, NULL, err);
    making->chain = making->leaf;
    return RF_OK;
}

static enum rf_kind sign(struct vault_call *call, struct cert_making *making, struct rf_err *err)
{
    enum cert_issuer issuer;
    bool enabled;
    if (vault_cert_is_self(&making->policy)) return sign_self(call, making, err);
    RF_TRY(vault_cert_issuer_find(call, making->policy.issuer, &issuer, &enabled, err));
    if (!enabled)
        return vault_cert_bad(err, "The issuer '%.*s' is disabled.", RF_FMT(making->policy.issuer));
    if (issuer == CERT_ISSUER_RINGFORT) return vault_cert_issue(call, making, err);
    return vault_cert_bad(err,
                          "The provider of the issuer '%.*s' cannot be reached by this service: "
                          "use an issuer of provider Ringfort-CA, or the issuer Unknown with a "
                          "request and a merge.",
                          RF_FMT(making->policy.issuer));
}

static enum rf_kind finish(struct vault_call *call, struct cert_making *making, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    rf_str csr;
    enum cert_issuer issuer = CERT_ISSUER_RINGFORT;
    bool enabled = true;
    RF_TRY(vault_cert_pending_load(call, making, err));
    if (!vault_cert_is_self(&making->policy))
        RF_TRY(vault_cert_issuer_find(call, making->policy.issuer, &issuer, &enabled, err));
    if (issuer == CERT_ISSUER_ACME && enabled) return vault_acme_step(call, making, err);
    vault_cert_times(&making->policy, call->now, &making->version.not_before,
                     &making->version.expires);
    if (issuer != CERT_ISSUER_RINGFORT || !enabled)
        return sign(call, making, err); /* says why not, without a key being made */
    RF_TRY(vault_cert_make_key(call, making, err));
    RF_TRY(vault_cert_make_request(call, making, &csr, err));
    RF_TRY(sign(call, making, err));
    struct json_node *pending = vault_cert_more(&making->cert, "pending");
    if (!set_bytes(arena, pending, "csr", csr) ||
        json_set_text(arena, pending, "status", rf_str_of(status_done)) == NULL)
        return rf_fail_memory(err, arena);
    return vault_cert_store(call, making, err);
}

static enum rf_kind try_finish(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct cert_making *making = ctx;
    RF_TRY(open_making(call, making, err));
    const struct json_node *pending = vault_cert_more(&making->cert, "pending");
    return vault_cert_waits_for_us(pending) ? finish(call, making, err) : RF_OK;
}

/* Of no use to be tried again: the operation says so. */
static bool is_final(enum rf_kind kind)
{
    return kind == RF_INVALID || kind == RF_NOT_FOUND || kind == RF_CONFLICT || kind == RF_DENIED;
}

static enum rf_kind fail_pending(struct vault_call *call, struct vault_item *item,
                                 const struct rf_err *why, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *pending = json_clone(arena, vault_cert_more(item, "pending"));
    struct json_node *error = json_object_in(arena, pending, "error");
    rf_str text;
    bool good = rf_arena_str(arena, rf_str_of(why->text), &text) && forget_key(pending) &&
                json_set_text(arena, error, "code", rf_str_of(why->code)) != NULL &&
                json_set_text(arena, error, "message", text) != NULL &&
                json_set_text(arena, pending, "status", rf_str_of(status_failed)) != NULL &&
                json_set_text(arena, pending, "details", text) != NULL &&
                vault_cert_set_more(call, item, "pending", pending);
    if (!good) return rf_fail_memory(err, arena);
    item->due = VAULT_DUE_LOOK;
    return vault_cert_put(call, item, err);
}

enum rf_kind vault_cert_finish(struct vault_call *call, struct vault_item *item, struct rf_err *err)
{
    struct cert_making making = {.chain = {0}};
    struct rf_err why;
    call->name = item->name;
    enum rf_kind kind = vault_retry(call, try_finish, &making, &why);
    if (kind == RF_OK) {
        *item = making.cert;
        return RF_OK;
    }
    if (!is_final(kind)) {
        *err = why;
        return kind;
    }
    /* Steps before the last were stored. */
    if (json_get(vault_cert_more(&making.cert, "pending"), "acme") != NULL) *item = making.cert;
    return fail_pending(call, item, &why, err);
}

/* ---- cancelled, deleted --------------------------------------------------------------------------------------------------------- */

static enum rf_kind load_pending(struct vault_call *call, struct vault_item *item,
                                 struct json_node **pending, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    return need_pending(call, txn, item, pending, err);
}

static enum rf_kind try_cancel(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct vault_item *item = ctx;
    struct json_node *pending;
    RF_TRY(load_pending(call, item, &pending, err));
    if (!vault_cert_in_progress(pending))
        return vault_fail(call, err, 409, "Conflict", NULL,
                          "The operation of '%.*s' has come to its end (%.*s): it cannot be "
                          "cancelled any more.",
                          RF_FMT(item->name), RF_FMT(json_text_at(pending, "status")));
    bool good =
        json_set_bool(call->arena, pending, "cancel", true) != NULL &&
        json_set_text(call->arena, pending, "status", rf_str_of(status_cancelled)) != NULL &&
        json_set_text(call->arena, pending, "details", RF_S("Cancelled on request.")) != NULL &&
        forget_key(pending);
    item->due = VAULT_DUE_LOOK;
    return good ? vault_cert_put(call, item, err) : rf_fail_memory(err, call->arena);
}

enum rf_kind vault_cert_pending_change(struct vault_call *call, struct rf_err *err)
{
    struct vault_item item;
    struct json_node *wanted;
    RF_TRY(vault_member(call, call->body, "cancellation_requested", JSON_T_TRUE, &wanted, err));
    if (wanted == NULL || wanted->type != JSON_T_TRUE)
        return vault_bad(call, err,
                         "Property 'cancellation_requested' has invalid value: it must be true, as "
                         "nothing else of an operation can be changed.");
    RF_TRY(vault_retry(call, try_cancel, &item, err));
    return answer(call, 200, &item, vault_cert_more(&item, "pending"), err);
}

struct deletion {
    struct vault_item item;
    struct json_node *pending;
};

static enum rf_kind try_delete(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct deletion *deletion = ctx;
    RF_TRY(load_pending(call, &deletion->item, &deletion->pending, err));
    (void)vault_cert_set_more(call, &deletion->item, "pending", NULL);
    deletion->item.due = VAULT_DUE_LOOK;
    return vault_cert_put(call, &deletion->item, err);
}

enum rf_kind vault_cert_pending_delete(struct vault_call *call, struct rf_err *err)
{
    struct deletion deletion = {.pending = NULL};
    RF_TRY(vault_retry(call, try_delete, &deletion, err));
    return answer(call, 200, &deletion.item, deletion.pending, err);
}
