/* authority_api.c - the register on the API of a vault: who has what, and revoking it. */
#include "base/encode.h"
#include "vault/authority_int.h"

enum { REASON_BYTES_MAX = 40 };
static const char *const reasons[] = {
    "unspecified", "keyCompromise",        "cACompromise",    "affiliationChanged",
    "superseded",  "cessationOfOperation", "certificateHold", NULL,
    NULL,          "privilegeWithdrawn",   "aACompromise"};

/* ---- showing ------------------------------------------------------------------------------------------------------------------- */

static bool show(struct vault_call *call, const struct authority_entry *entry,
                 struct json_node *out)
{
    struct rf_arena *arena = call->arena;
    const struct authority_record *record = &entry->record;
    int64_t created = 0;
    (void)json_i64_at(entry->node, "created", &created);
    const char *state = record->revoked != 0             ? "revoked"
                        : record->not_after <= call->now ? "expired"
                                                         : "good";
    bool good =
        json_set_text(arena, out, "serial", record->serial) != NULL &&
        json_set_text(arena, out, "subject", json_text_at(entry->node, "subject")) != NULL &&
        json_set(arena, out, RF_S("names"), json_clone(arena, json_get(entry->node, "names"))) !=
            NULL &&
        json_set_text(arena, out, "by", record->by) != NULL &&
        json_set_i64(arena, out, "created", created) != NULL &&
        json_set_i64(arena, out, "nbf", record->not_before) != NULL &&
        json_set_i64(arena, out, "exp", record->not_after) != NULL &&
        json_set_i64(arena, out, "authority", entry->signer) != NULL &&
        json_set_text(arena, out, "state", rf_str_of(state)) != NULL;
    if (!good || record->revoked == 0) return good;
    return json_set_i64(arena, out, "revoked", record->revoked) != NULL &&
           json_set_text(arena, out, "reason", rf_str_of(reasons[record->reason])) != NULL;
}

static enum rf_kind answer(struct vault_call *call, const struct authority_entry *entry,
                           struct rf_err *err)
{
    struct json_node *out = json_new(call->arena, JSON_T_OBJECT);
    return show(call, entry, out) ? request_answer(call->request, 200, out)
                                  : rf_fail_memory(err, call->arena);
}

/* ---- the list --------------------------------------------------------------------------------------------------------------------- */

/* "END/SERIAL" of a key, with a dash for the slash: as a $skiptoken may hold it; and the way back. */
static rf_str swap(struct rf_arena *arena, rf_str text, char from, char to)
{
    rf_str out;
    if (!rf_arena_str(arena, text, &out)) return (rf_str){0};
    uint8_t *bytes = (uint8_t *)(uintptr_t)out.ptr;
    for (size_t i = 0; i < out.len; i++)
        if (bytes[i] == (uint8_t)from) bytes[i] = (uint8_t)to;
    return out;
}

static rf_str end_of(rf_str key)
{
    size_t at = key.len;
    for (int slashes = 0; at > 0; at--)
        if (key.ptr[at - 1] == '/' && ++slashes == 2) break;
    return rf_slice(key, at, key.len);
}

static enum rf_kind read_page(struct vault_call *call, rf_str list, struct authority_page *out,
                              struct rf_err *err)
{
    bool there;
    rf_str state = request_parameter(call->request, "state", &there), after = {0};
    if (there && !rf_str_is(state, "revoked"))
        return vault_bad(call, err, "The parameter 'state' can be 'revoked', or be left out.");
    out->revoked = there;
    RF_TRY(vault_window_read(call, list, &after, &out->limit, err));
    if (after.len == 0) return RF_OK;
    out->after = swap(call->arena, after, '-', '/');
    return out->after.ptr == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
}

static enum rf_kind fill(struct vault_call *call, const struct authority *authority, rf_str list,
                         const struct authority_page *page, struct json_node *out,
                         struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct authority_entry *entries;
    struct json_node *value = json_new(call->arena, JSON_T_ARRAY),
                     *link = json_new(call->arena, JSON_T_NULL);
    uint32_t count;
    bool more;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(authority_entries_list(call, txn, authority->id, page, &entries, &count, &more, err));
    for (uint32_t i = 0; i < count; i++) {
        struct json_node *node = json_new(call->arena, JSON_T_OBJECT);
        if (!show(call, &entries[i], node) || json_append(value, node) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    if (more && count > 0) {
        rf_str last = swap(call->arena, end_of(entries[count - 1].key), '/', '-');
        rf_str next = vault_window_next(call, list, last, page->limit);
        link = next.ptr == NULL ? NULL : json_new_text(call->arena, next);
    }
    bool good = json_set(call->arena, out, RF_S("value"), value) != NULL &&
                json_set(call->arena, out, RF_S("nextLink"), link) != NULL;
    return good ? RF_OK : rf_fail_memory(err, call->arena);
}

enum rf_kind authority_api_issued(struct vault_call *call, struct rf_err *err)
{
    struct authority authority;
    struct authority_page page = {.limit = 0};
    struct json_node *node, *out = json_new(call->arena, JSON_T_OBJECT);
    RF_TRY(authority_node(call, call->name, &node, NULL, err));
    if (json_get(node, "ca") == NULL) { /* it has issued nothing */
        bool good = json_set(call->arena, out, RF_S("value"),
                             json_new(call->arena, JSON_T_ARRAY)) != NULL &&
                    json_set(call->arena, out, RF_S("nextLink"),
                             json_new(call->arena, JSON_T_NULL)) != NULL;
        return good ? request_answer(call->request, 200, out) : rf_fail_memory(err, call->arena);
    }
    RF_TRY(authority_load(call, call->name, &authority, err));
    rf_str list = rf_arena_printf(call->arena, "%.*s/issued/%.*s", RF_FMT(call->place.guid),
                                  RF_FMT(authority.id));
    if (list.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(read_page(call, list, &page, err));
    RF_TRY(fill(call, &authority, list, &page, out, err));
    return request_answer(call->request, 200, out);
}

/* ---- revoking --------------------------------------------------------------------------------------------------------------------- */

/* A number, or a word of RFC 5280; without one it is unspecified. */
static enum rf_kind read_reason(struct vault_call *call, int *out, struct rf_err *err)
{
    const struct json_node *given = json_get(call->body, "reason");
    int64_t number;
    *out = 0;
    if (given == NULL || given->type == JSON_T_NULL) return RF_OK;
    if (json_i64_at(call->body, "reason", &number) && authority_reason_is(number)) {
        *out = (int)number;
        return RF_OK;
    }
    for (int i = 0; given->type == JSON_T_STRING && i < (int)RF_COUNT(reasons); i++)
        if (reasons[i] != NULL && rf_str_eq_nocase(given->text, rf_str_of(reasons[i]))) {
            *out = i;
            return RF_OK;
        }
    return vault_bad(call, err,
                     "Property 'reason' has invalid value: it is unspecified, keyCompromise, "
                     "cACompromise, affiliationChanged, superseded, cessationOfOperation, "
                     "certificateHold, privilegeWithdrawn or aACompromise.");
}

struct revocation {
    rf_str issuer, serial;
    int reason;
    struct authority_entry entry;
};

static enum rf_kind try_revoke(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct revocation *r = ctx;
    return authority_revoke_serial(call, r->issuer, r->serial, r->reason, &r->entry, err);
}

/* "0A:1B ..." as tools print it, too. */
static rf_str plain_serial(struct rf_arena *arena, rf_str text)
{
    uint8_t *bytes = rf_arena_alloc(arena, text.len + 1);
    size_t len = 0;
    if (bytes == NULL) return (rf_str){0};
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != ':') bytes[len++] = rf_lower(text.ptr[i]);
    return rf_str_make(bytes, len);
}

enum rf_kind authority_api_revoke(struct vault_call *call, struct rf_err *err)
{
    struct revocation revocation = {.issuer = call->name};
    struct json_node *serial;
    RF_TRY(vault_member(call, call->body, "serial", JSON_T_STRING, &serial, err));
    if (serial == NULL || serial->text.len == 0 || serial->text.len > 3 * AUTHORITY_SERIAL_CHARS)
        return vault_bad(call, err,
                         "Property 'serial' is required: the serial number of the certificate, in "
                         "hex digits.");
    RF_TRY(read_reason(call, &revocation.reason, err));
    revocation.serial = plain_serial(call->arena, serial->text);
    if (revocation.serial.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(vault_retry(call, try_revoke, &revocation, err));
    return answer(call, &revocation.entry, err);
}

/* ---- a certificate of the vault ------------------------------------------------------------------------------------------------------ */

static bool is_signed_by(rf_str der, rf_str by)
{
    X509 *cert = vault_cert_parse(der), *issuer = vault_cert_parse(by);
    EVP_PKEY *key = issuer == NULL ? NULL : X509_get0_pubkey(issuer);
    bool fits = cert != NULL && key != NULL &&
                X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(issuer)) == 0 &&
                X509_verify(cert, key) == 1;
    X509_free(cert);
    X509_free(issuer);
    return fits;
}

/* Whether it is in the issuer's register. What a root of older days has signed, before there was a register, is added. */
static enum rf_kind is_of(struct vault_call *call, rf_str issuer, const struct cert_facts *facts,
                          bool *found, struct rf_err *err)
{
    struct authority authority;
    struct authority_entry entry;
    *found = false;
    enum rf_kind kind = authority_load(call, issuer, &authority, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    kind = authority_entry_find(call, txn, authority.id, facts->serial, &entry, err);
    state_end(txn);
    txn = NULL;
    *found = kind == RF_OK && rf_str_eq(entry.record.leaf, facts->der);
    if (kind != RF_NOT_FOUND || !is_signed_by(facts->der, authority.root.der))
        return kind == RF_NOT_FOUND ? RF_OK : kind;
    *found = true;
    return authority_register(call, &authority, 0, 0, RF_S("certificates"), facts->der, err);
}

static enum rf_kind load_version(struct vault_call *call, struct cert_facts *out,
                                 struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_item item;
    struct vault_version version;
    rf_str der;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_cert_need(call, txn, &item, err));
    RF_TRY(vault_version_get(call, txn, &item, call->version, &version, err));
    call->audit_id = vault_object_id(call, "certificates", item.name, version.version);
    RF_TRY(base64_decode(call->arena, json_text_at(version.more, "cer"), &der, err));
    return vault_cert_facts(der, call->arena, out, err);
}

/* The policy may name another issuer by now, so all are looked at: a vault has a handful. */
static enum rf_kind find_issuer(struct vault_call *call, const struct cert_facts *facts,
                                rf_str *issuer, bool *found, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_list list;
    struct state_scan scan = {
        .space = vault_issuer_space,
        .prefix = rf_arena_printf(call->arena, "%.*s/issuers/", RF_FMT(call->place.guid))};
    if (scan.prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(state_list(txn, &scan, call->arena, &list, err));
    state_end(txn);
    txn = NULL;
    *found = false;
    for (uint32_t i = 0; i < list.count && !*found; i++) {
        struct json_node *node;
        RF_TRY(json_parse(list.items[i].body, call->arena, &node, err));
        *issuer = json_text_at(node, "name");
        RF_TRY(is_of(call, *issuer, facts, found, err));
    }
    return RF_OK;
}

enum rf_kind authority_api_revoke_version(struct vault_call *call, struct rf_err *err)
{
    struct revocation revocation = {.reason = 0};
    struct cert_facts facts;
    bool found;
    RF_TRY(read_reason(call, &revocation.reason, err));
    RF_TRY(load_version(call, &facts, err));
    RF_TRY(find_issuer(call, &facts, &revocation.issuer, &found, err));
    if (!found)
        return vault_fail(call, err, 409, "Conflict", NULL,
                          "The certificate was not issued by an issuer of this vault with provider "
                          "Ringfort-CA: ask the authority that issued it to revoke it.");
    revocation.serial = facts.serial;
    RF_TRY(vault_retry(call, try_revoke, &revocation, err));
    return answer(call, &revocation.entry, err);
}
