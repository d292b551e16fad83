/* certificates.c - certificates: show, list, change; their policies; the table of what may be asked for. */
#include "vault/authority_int.h"
#include "vault/report_int.h"

/* ---- what an item has beside its versions ------------------------------------------------------------------------------- */

struct json_node *vault_cert_more(const struct vault_item *item, const char *name)
{
    return json_get(item->more, name);
}

bool vault_cert_set_more(struct vault_call *call, struct vault_item *item, const char *name,
                         struct json_node *value)
{
    if (item->more == NULL) item->more = json_new(call->arena, JSON_T_OBJECT);
    if (item->more == NULL) return false;
    if (value != NULL) return json_set(call->arena, item->more, rf_str_of(name), value) != NULL;
    json_remove(item->more, rf_str_of(name));
    return true;
}

/* The id of the version that is there, or would be if the first operation had come to its end. */
static rf_str version_of(const struct vault_item *item, const struct vault_version *version)
{
    if (version != NULL) return version->version;
    return json_text_at(item->more, "first");
}

enum rf_kind vault_cert_need(struct vault_call *call, struct state_txn *txn, struct vault_item *out,
                             struct rf_err *err)
{
    return vault_item_need(call, txn, SEAL_CERTIFICATE, call->name, out, err);
}

/* ---- showing --------------------------------------------------------------------------------------------------------------- */

static bool put_id(struct vault_call *call, struct json_node *out, const char *member,
                   const char *collection, rf_str name, rf_str version)
{
    rf_str id = vault_object_id(call, collection, name, version);
    return id.ptr != NULL && json_set_text(call->arena, out, member, id) != NULL;
}

static bool copy_text(struct vault_call *call, struct json_node *out, const char *member,
                      const struct vault_version *version)
{
    rf_str text = json_text_at(version->more, member);
    return text.len == 0 || json_set_text(call->arena, out, member, text) != NULL;
}

/* Of a certificate whose first version is not there yet. */
static bool put_no_version(struct vault_call *call, struct json_node *out,
                           const struct vault_item *item, bool list)
{
    struct vault_version none = {.created = item->created,
                                 .updated = item->updated,
                                 .not_before = SEAL_NO_TIME,
                                 .expires = SEAL_NO_TIME,
                                 .tags = json_get(vault_cert_more(item, "pending"), "tags")};
    return vault_put_attributes(call, out, item, &none, list) != NULL;
}

struct json_node *vault_cert_show(struct vault_call *call, const struct vault_item *item,
                                  const struct vault_version *version)
{
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    rf_str id = version_of(item, version);
    bool good = put_id(call, out, "id", "certificates", item->name, id) &&
                put_id(call, out, "kid", "keys", item->name, id) &&
                put_id(call, out, "sid", "secrets", item->name, id);
    if (version != NULL)
        good = copy_text(call, out, "x5t", version) && copy_text(call, out, "cer", version) &&
               vault_put_attributes(call, out, item, version, false) != NULL && good;
    else
        good = put_no_version(call, out, item, false) && good;
    good = json_set(arena, out, RF_S("policy"), vault_cert_policy_show(call, item)) != NULL && good;
    if (vault_cert_more(item, "pending") != NULL) {
        rf_str pending = rf_arena_printf(arena, "%.*s/certificates/%.*s/pending",
                                         RF_FMT(call->base), RF_FMT(item->name));
        good = pending.ptr != NULL &&
               json_set_text(arena, json_object_in(arena, out, "pending"), "id", pending) != NULL &&
               good;
    }
    return good ? out : NULL;
}

static void show_as(struct vault_call *call, struct json_node *out, const struct vault_item *item,
                    const struct vault_version *version, rf_str id)
{
    (void)put_id(call, out, "id", "certificates", item->name, id);
    if (version == NULL) {
        (void)put_no_version(call, out, item, true);
        return;
    }
    (void)(copy_text(call, out, "x5t", version) && copy_text(call, out, "subject", version));
    (void)vault_put_attributes(call, out, item, version, true);
}

static void show_item(struct vault_call *call, struct json_node *out, const struct vault_item *item,
                      const struct vault_version *version)
{
    show_as(call, out, item, version, (rf_str){0});
}

static void show_version(struct vault_call *call, struct json_node *out,
                         const struct vault_item *item, const struct vault_version *version)
{
    show_as(call, out, item, version, version->version);
}

enum rf_kind vault_cert_answer(struct vault_call *call, uint16_t status,
                               const struct vault_item *item, const struct vault_version *version,
                               struct rf_err *err)
{
    struct json_node *out = vault_cert_show(call, item, version);
    struct json_node *row = json_new(call->arena, JSON_T_OBJECT);
    call->audit_id = vault_object_id(call, "certificates", item->name, version_of(item, version));
    if (out == NULL || row == NULL || call->audit_id.ptr == NULL)
        return rf_fail_memory(err, call->arena);
    if (version != NULL &&
        (!copy_text(call, row, "subject", version) || !copy_text(call, row, "x5t", version) ||
         vault_put_attributes(call, row, item, version, false) == NULL))
        return rf_fail_memory(err, call->arena);
    json_remove(row, RF_S("tags"));
    call->audit_properties = row;
    return request_answer(call->request, status, out);
}

/* ---- reading ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind run_get(struct vault_call *call, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_item item;
    struct vault_version version;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_cert_need(call, txn, &item, err));
    bool is_first =
        item.latest.len == 0 && (call->version.len == 0 ||
                                 rf_str_eq_nocase(call->version, json_text_at(item.more, "first")));
    if (is_first) return vault_cert_answer(call, 200, &item, NULL, err);
    RF_TRY(vault_version_get(call, txn, &item, call->version, &version, err));
    return vault_cert_answer(call, 200, &item, &version, err);
}

static bool wants_finished(struct vault_call *call, const struct vault_item *item)
{
    return item->latest.len > 0 ||
           rf_str_eq_nocase(request_parameter(call->request, "includePending", NULL), RF_S("true"));
}

static enum rf_kind run_list(struct vault_call *call, struct rf_err *err)
{
    struct vault_list list = {.kind = SEAL_CERTIFICATE, .show = show_item, .wants = wants_finished};
    return vault_answer_list(call, &list, err);
}

static enum rf_kind run_versions(struct vault_call *call, struct rf_err *err)
{
    struct vault_list list = {.kind = SEAL_CERTIFICATE, .versions = true, .show = show_version};
    return vault_answer_list(call, &list, err);
}

static enum rf_kind run_list_deleted(struct vault_call *call, struct rf_err *err)
{
    struct vault_list list = {.kind = SEAL_CERTIFICATE, .deleted = true, .show = show_item};
    return vault_answer_list(call, &list, err);
}

static enum rf_kind run_policy_get(struct vault_call *call, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_item item;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_cert_need(call, txn, &item, err));
    struct json_node *out = vault_cert_policy_show(call, &item);
    return out == NULL ? rf_fail_memory(err, call->arena) : request_answer(call->request, 200, out);
}

/* ---- changing ---------------------------------------------------------------------------------------------------------------- */

/* The issuer of a policy that is given must be there. */
static enum rf_kind check_issuer(struct vault_call *call, const struct cert_policy *policy,
                                 struct rf_err *err)
{
    enum cert_issuer issuer;
    bool enabled;
    if (vault_cert_is_self(policy) || vault_cert_is_unknown(policy)) return RF_OK;
    return vault_cert_issuer_find(call, policy->issuer, &issuer, &enabled, err);
}

static enum rf_kind change_policy(struct vault_call *call, struct vault_item *item,
                                  const struct json_node *given, struct rf_err *err)
{
    struct json_node *next;
    struct cert_policy policy;
    RF_TRY(
        vault_cert_policy_read(call, given, vault_cert_more(item, "policy"), &next, &policy, err));
    RF_TRY(check_issuer(call, &policy, err));
    if (!vault_cert_set_more(call, item, "policy", next)) return rf_fail_memory(err, call->arena);
    item->updated = call->now;
    item->due = VAULT_DUE_LOOK; /* another moment of renewal */
    return RF_OK;
}

static enum rf_kind try_policy(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct vault_item *item = ctx;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_cert_need(call, txn, item, err));
    state_end(txn);
    txn = NULL;
    RF_TRY(change_policy(call, item, call->body, err));
    struct json_node *more = item->more;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_again(call, txn, true, item, err));
    item->more = more;
    item->updated = call->now;
    item->due = VAULT_DUE_LOOK;
    RF_TRY(vault_item_put(call, txn, item, err));
    return state_finish(&txn, err);
}

static enum rf_kind run_policy_change(struct vault_call *call, struct rf_err *err)
{
    struct vault_item item;
    RF_TRY(vault_retry(call, try_policy, &item, err));
    struct json_node *out = vault_cert_policy_show(call, &item);
    return out == NULL ? rf_fail_memory(err, call->arena) : request_answer(call->request, 200, out);
}

/* A version of each of the three, and what they are to become. */
struct change {
    struct vault_item cert, key, secret;
    struct vault_version version, secret_version;
    struct vault_versions keys; /* that share the sealed key of this version (reuse_key) */
};

static enum rf_kind load_keys(struct vault_call *call, struct state_txn *txn, struct change *change,
                              struct rf_err *err)
{
    struct vault_versions all;
    struct vault_version own;
    uint32_t count = 0;
    RF_TRY(vault_version_get(call, txn, &change->key, change->version.version, &own, err));
    RF_TRY(vault_versions_list(call, txn, &change->key, (rf_str){0}, 0, &all, err));
    for (uint32_t i = 0; i < all.count; i++)
        if (rf_str_eq(all.items[i].sealed, own.sealed)) all.items[count++] = all.items[i];
    change->keys = (struct vault_versions){.items = all.items, .count = count};
    return RF_OK;
}

static enum rf_kind load_change(struct vault_call *call, struct change *change, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_cert_need(call, txn, &change->cert, err));
    RF_TRY(vault_version_get(call, txn, &change->cert, call->version, &change->version, err));
    RF_TRY(vault_item_need(call, txn, SEAL_KEY, call->name, &change->key, err));
    RF_TRY(vault_item_need(call, txn, SEAL_SECRET, call->name, &change->secret, err));
    RF_TRY(vault_version_get(call, txn, &change->secret, change->version.version,
                             &change->secret_version, err));
    return load_keys(call, txn, change, err);
}

static enum rf_kind reseal(struct vault_call *call, const struct vault_item *item, bool enabled,
                           struct vault_version *version, struct rf_err *err)
{
    struct seal_ring ring;
    struct seal_head head;
    struct sealed sealed;
    RF_TRY(vault_ring(call, item, &ring, err));
    if (seal_head_get(version->sealed, &head, err) != RF_OK) return vault_seal_error(call, err);
    if (head.enabled == enabled) return RF_OK;
    head.enabled = enabled;
    head.generation++;
    if (seal_change(call->vaults->options.keeper, call->token, &ring, version->sealed, &head,
                    call->arena, &sealed, err) != RF_OK)
        return vault_seal_refused(call, item, version, err);
    version->sealed = sealed.version;
    return RF_OK;
}

/* Key and secret are what the certificate is. A key that several versions share is good while one of them is. */
static enum rf_kind change_followers(struct vault_call *call, struct change *change,
                                     struct rf_err *err)
{
    const struct vault_version *version = &change->version;
    bool enabled = false;
    change->secret_version.tags = version->tags;
    change->secret_version.updated = call->now;
    if (change->secret_version.enabled != version->enabled) {
        change->secret_version.enabled = version->enabled;
        RF_TRY(reseal(call, &change->secret, version->enabled, &change->secret_version, err));
    }
    for (uint32_t i = 0; i < change->keys.count; i++) {
        struct vault_version *key = &change->keys.items[i];
        if (rf_str_eq(key->version, version->version)) {
            key->enabled = version->enabled;
            key->tags = version->tags;
            key->updated = call->now;
        }
        enabled |= key->enabled;
    }
    struct vault_version sealed = change->keys.items[0];
    RF_TRY(reseal(call, &change->key, enabled, &sealed, err));
    for (uint32_t i = 0; i < change->keys.count; i++) change->keys.items[i].sealed = sealed.sealed;
    return RF_OK;
}

static enum rf_kind store_change(struct vault_call *call, struct change *change, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_item next = change->cert;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_again(call, txn, true, &change->cert, err));
    RF_TRY(vault_item_again(call, txn, false, &change->key, err));
    RF_TRY(vault_item_again(call, txn, false, &change->secret, err));
    change->cert = next;
    RF_TRY(vault_version_put(call, txn, &change->cert, &change->version, err));
    RF_TRY(vault_version_put(call, txn, &change->secret, &change->secret_version, err));
    for (uint32_t i = 0; i < change->keys.count; i++)
        RF_TRY(vault_version_put(call, txn, &change->key, &change->keys.items[i], err));
    RF_TRY(vault_item_put(call, txn, &change->cert, err));
    return state_finish(&txn, err);
}

static enum rf_kind try_change(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct change *change = ctx;
    struct json_node *policy;
    RF_TRY(load_change(call, change, err));
    RF_TRY(vault_member(call, call->body, "policy", JSON_T_OBJECT, &policy, err));
    RF_TRY(vault_read_attributes(call, false, &change->version, err));
    change->version.updated = call->now;
    if (policy != NULL) RF_TRY(change_policy(call, &change->cert, policy, err));
    change->cert.updated = call->now;
    change->cert.due = VAULT_DUE_LOOK;
    RF_TRY(change_followers(call, change, err));
    return store_change(call, change, err);
}

static enum rf_kind run_change(struct vault_call *call, struct rf_err *err)
{
    struct change change = {.keys = {0}};
    RF_TRY(vault_retry(call, try_change, &change, err));
    return vault_cert_answer(call, 200, &change.cert, &change.version, err);
}

/* ---- what all collections do ------------------------------------------------------------------------------------------------------ */

static enum rf_kind run_delete(struct vault_call *call, struct rf_err *err)
{
    return vault_delete(call, SEAL_CERTIFICATE, vault_cert_show, err);
}
static enum rf_kind run_get_deleted(struct vault_call *call, struct rf_err *err)
{
    return vault_deleted_get(call, SEAL_CERTIFICATE, vault_cert_show, err);
}
static enum rf_kind run_recover(struct vault_call *call, struct rf_err *err)
{
    return vault_recover(call, SEAL_CERTIFICATE, vault_cert_show, err);
}
static enum rf_kind run_purge(struct vault_call *call, struct rf_err *err)
{
    return vault_purge(call, SEAL_CERTIFICATE, err);
}
static enum rf_kind run_backup(struct vault_call *call, struct rf_err *err)
{
    return vault_backup(call, SEAL_CERTIFICATE, err);
}
static enum rf_kind run_restore(struct vault_call *call, struct rf_err *err)
{
    return vault_restore(call, SEAL_CERTIFICATE, vault_cert_show, err);
}

/* clang-format off */
const struct vault_operation vault_certificate_operations[] = {
    {HTTP_POST, VAULT_LARGE_BODY, "certificates/restore", "CertificateRestore", "certificates/restore/action", NULL, "certificates restore", NULL, run_restore},
    {HTTP_GET, VAULT_NO_BODY, "certificates", "CertificateList", "certificates/read", NULL, "certificates list", NULL, run_list},
    {HTTP_GET, VAULT_NO_BODY, "certificates/issuers", "CertificateIssuersList", "certificatecas/read", NULL, "certificates listissuers manageissuers", NULL, vault_issuer_list},
    {HTTP_PUT, 0, "certificates/issuers/{issuer}", "CertificateIssuerSet", "certificatecas/write", NULL, "certificates setissuers manageissuers", NULL, vault_issuer_put},
    {HTTP_PATCH, 0, "certificates/issuers/{issuer}", "CertificateIssuerUpdate", "certificatecas/write", NULL, "certificates setissuers manageissuers", NULL, vault_issuer_change},
    {HTTP_GET, VAULT_NO_BODY, "certificates/issuers/{issuer}", "CertificateIssuerGet", "certificatecas/read", NULL, "certificates getissuers manageissuers", NULL, vault_issuer_get},
    {HTTP_DELETE, VAULT_NO_BODY, "certificates/issuers/{issuer}", "CertificateIssuerDelete", "certificatecas/delete", NULL, "certificates deleteissuers manageissuers", NULL, vault_issuer_delete},
    {HTTP_GET, VAULT_NO_BODY, "certificates/issuers/{issuer}/issued", "CertificateIssuerIssuedList", "certificatecas/read", NULL, "certificates getissuers manageissuers", NULL, authority_api_issued},
    {HTTP_POST, 0, "certificates/issuers/{issuer}/revoke", "CertificateIssuerRevoke", "certificatecas/write", NULL, "certificates setissuers manageissuers", NULL, authority_api_revoke},
    {HTTP_POST, 0, "certificates/issuers/{issuer}/acme-keys", "CertificateIssuerAcmeKeyCreate", "certificatecas/write", NULL, "certificates setissuers manageissuers", NULL, authority_keys_add},
    {HTTP_GET, VAULT_NO_BODY, "certificates/issuers/{issuer}/acme-keys", "CertificateIssuerAcmeKeyList", "certificatecas/read", NULL, "certificates getissuers manageissuers", NULL, authority_keys_list},
    {HTTP_DELETE, VAULT_NO_BODY, "certificates/issuers/{issuer}/acme-keys/{version}", "CertificateIssuerAcmeKeyDelete", "certificatecas/write", NULL, "certificates setissuers manageissuers", NULL, authority_keys_delete},
    {HTTP_PUT, 0, "certificates/contacts", "CertificateContactsSet", "certificatecontacts/write", NULL, "certificates managecontacts", NULL, vault_contacts_put},
    {HTTP_GET, VAULT_NO_BODY, "certificates/contacts", "CertificateContactsGet", "certificatecontacts/read", NULL, "certificates managecontacts", NULL, vault_contacts_get},
    {HTTP_DELETE, VAULT_NO_BODY, "certificates/contacts", "CertificateContactsDelete", "certificatecontacts/write", NULL, "certificates managecontacts", NULL, vault_contacts_delete},
    {HTTP_GET, VAULT_NO_BODY, "certificates/{name}/versions", "CertificateListVersions", "certificates/read", NULL, "certificates list", "certificates", run_versions},
    {HTTP_GET, VAULT_NO_BODY, "certificates/{name}/listeners/{sub}", "CertificateListenerGet", "certificates/read", NULL, "certificates get", "certificates", vault_listener_show},
    {HTTP_PUT, VAULT_NO_BODY, "certificates/{name}/listeners/{sub}", "CertificateListenerBind", "certificates/update/action", NULL, "certificates update", "certificates", vault_listener_bind},
    {HTTP_DELETE, VAULT_NO_BODY, "certificates/{name}/listeners/{sub}", "CertificateListenerUnbind", "certificates/update/action", NULL, "certificates update", "certificates", vault_listener_unbind},
    {HTTP_GET, VAULT_NO_BODY, "certificates/{name}/activity", "CertificateActivityGet", "certificates/read", NULL, "certificates list", "certificates", vault_cert_activity},
    {HTTP_GET, VAULT_NO_BODY, "certificates/{name}/readers", "CertificateReadersGet", "certificates/read", NULL, "certificates list", "certificates", vault_cert_readers},
    {HTTP_GET, VAULT_NO_BODY, "certificates/{name}/diff", "CertificateVersionDiff", "certificates/read", NULL, "certificates get", "certificates", vault_cert_diff},
    {HTTP_GET, VAULT_NO_BODY, "certificates/{name}/policy", "CertificatePolicyGet", "certificates/read", NULL, "certificates get", "certificates", run_policy_get},
    {HTTP_PATCH, 0, "certificates/{name}/policy", "CertificatePolicyUpdate", "certificates/update/action", NULL, "certificates update", "certificates", run_policy_change},
    {HTTP_POST, 0, "certificates/{name}/create", "CertificateCreate", "certificates/create/action", NULL, "certificates create", "certificates", vault_cert_create},
    {HTTP_POST, 0, "certificates/{name}/import", "CertificateImport", "certificates/import/action", NULL, "certificates import", "certificates", vault_cert_import},
    {HTTP_GET, VAULT_NO_BODY, "certificates/{name}/pending", "CertificatePendingGet", "certificates/read", NULL, "certificates get", "certificates", vault_cert_pending_get},
    {HTTP_PATCH, 0, "certificates/{name}/pending", "CertificatePendingUpdate", "certificates/update/action", NULL, "certificates update", "certificates", vault_cert_pending_change},
    {HTTP_DELETE, VAULT_NO_BODY, "certificates/{name}/pending", "CertificatePendingDelete", "certificates/delete", NULL, "certificates delete", "certificates", vault_cert_pending_delete},
    {HTTP_POST, 0, "certificates/{name}/pending/merge", "CertificatePendingMerge", "certificates/create/action", NULL, "certificates create", "certificates", vault_cert_merge},
    {HTTP_DELETE, VAULT_NO_BODY, "certificates/{name}", "CertificateDelete", "certificates/delete", NULL, "certificates delete", "certificates", run_delete},
    {HTTP_POST, VAULT_NO_BODY, "certificates/{name}/backup", "CertificateBackup", "certificates/backup/action", NULL, "certificates backup", "certificates", run_backup},
    {HTTP_GET, VAULT_NO_BODY, "certificates/{name}/{version}", "CertificateGet", "certificates/read", NULL, "certificates get", "certificates", run_get},
    {HTTP_PATCH, 0, "certificates/{name}/{version}", "CertificateUpdate", "certificates/update/action", NULL, "certificates update", "certificates", run_change},
    {HTTP_POST, 0, "certificates/{name}/{version}/revoke", "CertificateRevoke", "certificates/update/action", NULL, "certificates update", "certificates", authority_api_revoke_version},
    {HTTP_GET, VAULT_NO_BODY, "deletedcertificates", "CertificateListDeleted", "certificates/read", NULL, "certificates list", NULL, run_list_deleted},
    {HTTP_GET, VAULT_NO_BODY, "deletedcertificates/{name}", "CertificateGetDeleted", "certificates/read", NULL, "certificates get", "certificates", run_get_deleted},
    {HTTP_POST, VAULT_NO_BODY, "deletedcertificates/{name}/recover", "CertificateRecover", "certificates/recover/action", NULL, "certificates recover", "certificates", run_recover},
    {HTTP_DELETE, VAULT_NO_BODY, "deletedcertificates/{name}", "CertificatePurge", "certificates/purge/action", NULL, "certificates purge", "certificates", run_purge},
};
/* clang-format on */
const uint32_t vault_certificate_operation_count = RF_COUNT(vault_certificate_operations);
