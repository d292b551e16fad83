/* authority_register.c - what an issuer's authorities have signed, by serial number; and what of it was revoked. */
#include <arpa/inet.h>

#include "base/encode.h"
#include "base/log.h"
#include "vault/authority_int.h"

enum { KEPT_SECONDS = 30 * 86400, SWEEP = 20, NAMES_SHOWN_MAX = 400 };

/* ---- keys --------------------------------------------------------------------------------------------------------------- */

static rf_str entry_key(struct vault_call *call, rf_str authority_id, int64_t ends, rf_str serial)
{
    return rf_arena_printf(call->arena, "%.*s/%.*s/%016llx/%.*s", RF_FMT(call->place.guid),
                           RF_FMT(authority_id), (unsigned long long)ends, RF_FMT(serial));
}

static rf_str index_value(struct vault_call *call, rf_str authority_id, rf_str rest)
{
    return rf_arena_printf(call->arena, "%.*s/%.*s/%.*s", RF_FMT(call->place.guid),
                           RF_FMT(authority_id), RF_FMT(rest));
}

static rf_str number_text(struct rf_arena *arena, uint32_t number)
{
    return rf_arena_printf(arena, "%u", number);
}

/* ---- names, as people read them -------------------------------------------------------------------------------------------- */

static rf_str name_text(struct rf_arena *arena, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN];
    const ASN1_STRING *string;
    rf_str out;
    if (name->type == GEN_DNS || name->type == GEN_EMAIL || name->type == GEN_URI) {
        string = name->d.ia5;
        return rf_arena_str(
                   arena,
                   rf_str_make(ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string)),
                   &out)
                   ? out
                   : (rf_str){0};
    }
    if (name->type != GEN_IPADD) return RF_S("other");
    string = name->d.iPAddress;
    int family = ASN1_STRING_length(string) == 4 ? AF_INET : AF_INET6;
    if (inet_ntop(family, ASN1_STRING_get0_data(string), text, sizeof text) == NULL)
        return RF_S("other");
    return rf_arena_str(arena, rf_str_of(text), &out) ? out : (rf_str){0};
}

static struct json_node *names_of(struct rf_arena *arena, rf_str der)
{
    struct json_node *out = json_new(arena, JSON_T_ARRAY);
    X509 *cert = vault_cert_parse(der);
    GENERAL_NAMES *names =
        cert == NULL ? NULL : X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int count = names == NULL ? 0 : sk_GENERAL_NAME_num(names);
    for (int i = 0; i < count && i < NAMES_SHOWN_MAX && out != NULL; i++) {
        rf_str text = name_text(arena, sk_GENERAL_NAME_value(names, i));
        if (text.ptr == NULL || json_append(out, json_new_text(arena, text)) == NULL) out = NULL;
    }
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    X509_free(cert);
    return out;
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind entry_of(struct vault_call *call, const struct state_object *object,
                             struct authority_entry *out, struct rf_err *err)
{
    struct json_node *node;
    int64_t signer = 0, number = 0, reason = 0;
    struct authority_record record = {.revoked = 0};
    RF_TRY(json_parse(object->body, call->arena, &node, err));
    record.serial = json_text_at(node, "serial");
    record.by = json_text_at(node, "by");
    bool good =
        base64_decode(call->arena, json_text_at(node, "der"), &record.leaf, NULL) == RF_OK &&
        json_i64_at(node, "begins", &record.not_before) &&
        json_i64_at(node, "ends", &record.not_after) && json_i64_at(node, "signer", &signer) &&
        signer >= 0 && signer <= UINT32_MAX;
    (void)json_i64_at(node, "authority", &number);
    (void)json_i64_at(node, "revoked", &record.revoked);
    (void)json_i64_at(node, "reason", &reason);
    if (!good) return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "an entry of the register");
    record.reason = (int)reason;
    *out = (struct authority_entry){.record = record,
                                    .signer = (uint32_t)signer,
                                    .authority = (uint32_t)number,
                                    .node = node,
                                    .key = object->key,
                                    .etag = object->etag};
    return RF_OK;
}

static enum rf_kind entries_of(struct vault_call *call, const struct state_list *list,
                               struct authority_entry **out, uint32_t *count, struct rf_err *err)
{
    struct authority_entry *entries =
        rf_arena_new(call->arena, struct authority_entry, (size_t)list->count + 1);
    if (entries == NULL) return rf_fail_memory(err, call->arena);
    for (uint32_t i = 0; i < list->count; i++)
        RF_TRY(entry_of(call, &list->items[i], &entries[i], err));
    *out = entries;
    *count = list->count;
    return RF_OK;
}

static enum rf_kind not_found(struct vault_call *call, rf_str serial, struct rf_err *err)
{
    return vault_fail(
        call, err, 404, "CertificateNotFound", NULL,
        "The issuer has no certificate with the serial number '%.*s' in its register.",
        (int)RF_MIN(serial.len, 64), (const char *)serial.ptr);
}

static bool is_serial(rf_str serial)
{
    for (size_t i = 0; i < serial.len; i++)
        if (!rf_is_digit(serial.ptr[i]) && (serial.ptr[i] < 'a' || serial.ptr[i] > 'f'))
            return false;
    return serial.len > 0 && serial.len <= AUTHORITY_SERIAL_CHARS;
}

enum rf_kind authority_entry_find(struct vault_call *call, struct state_txn *txn,
                                  rf_str authority_id, rf_str serial, struct authority_entry *out,
                                  struct rf_err *err)
{
    struct state_list list;
    if (!is_serial(serial)) return not_found(call, serial, err);
    struct state_scan scan = {.space = vault_issued_space,
                              .index = "serial",
                              .value = index_value(call, authority_id, serial),
                              .limit = 1};
    if (scan.value.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_list(txn, &scan, call->arena, &list, err));
    return list.count == 0 ? not_found(call, serial, err)
                           : entry_of(call, &list.items[0], out, err);
}

enum rf_kind authority_entries_revoked(struct vault_call *call, struct state_txn *txn,
                                       rf_str authority_id, uint32_t signer,
                                       struct authority_entry **out, uint32_t *count,
                                       struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {.space = vault_issued_space,
                              .index = "revoked",
                              .value =
                                  index_value(call, authority_id, number_text(call->arena, signer)),
                              .limit = 2 * AUTHORITY_REVOKED_MAX};
    if (scan.value.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_list(txn, &scan, call->arena, &list, err));
    return entries_of(call, &list, out, count, err);
}

enum rf_kind authority_entries_list(struct vault_call *call, struct state_txn *txn,
                                    rf_str authority_id, const struct authority_page *page,
                                    struct authority_entry **out, uint32_t *count, bool *more,
                                    struct rf_err *err)
{
    struct state_list list;
    rf_str prefix = index_value(call, authority_id, RF_S(""));
    struct state_scan scan = {.space = vault_issued_space, .prefix = prefix, .limit = page->limit};
    if (prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (page->revoked) {
        scan.index = "state";
        scan.value = rf_arena_printf(call->arena, "%.*srevoked", RF_FMT(prefix));
        if (scan.value.ptr == NULL) return rf_fail_memory(err, call->arena);
    }
    if (page->after.len > 0) {
        scan.after = rf_arena_printf(call->arena, "%.*s%.*s", RF_FMT(prefix), RF_FMT(page->after));
        if (scan.after.ptr == NULL) return rf_fail_memory(err, call->arena);
    }
    RF_TRY(state_list(txn, &scan, call->arena, &list, err));
    *more = list.more;
    return entries_of(call, &list, out, count, err);
}

/* ---- writing --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind put(struct vault_call *call, struct state_txn *txn, rf_str authority_id,
                        struct authority_entry *entry, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    rf_str body = json_to_text(arena, entry->node);
    rf_str serial = json_text_at(entry->node, "serial");
    struct state_index indexes[] = {
        {"serial", index_value(call, authority_id, serial)},
        {"revoked", index_value(call, authority_id, number_text(arena, entry->signer))},
        {"state", index_value(call, authority_id, RF_S("revoked"))}};
    bool good = body.ptr != NULL;
    for (size_t i = 0; i < RF_COUNT(indexes); i++) good = good && indexes[i].value.ptr != NULL;
    if (!good) return rf_fail_memory(err, arena);
    struct state_put put = {.space = vault_issued_space,
                            .key = entry->key,
                            .body = body,
                            .indexes = indexes,
                            .index_count = entry->record.revoked == 0 ? 1 : RF_COUNT(indexes),
                            .condition = entry->etag == 0 ? STATE_ABSENT : STATE_ETAG,
                            .etag = entry->etag};
    enum rf_kind kind = state_put(txn, &put, &entry->etag, NULL, err);
    if (kind != RF_NOT_FOUND) return kind;
    return RF_FAIL(err, RF_CONFLICT, "EtagMismatch", "the entry was dropped meanwhile");
}

/* Some of those that ended more than 30 days ago; each certificate that is issued takes some away, so that they never pile up. */
static enum rf_kind sweep(struct vault_call *call, struct state_txn *txn, rf_str authority_id,
                          struct rf_err *err)
{
    struct state_list list;
    rf_str limit = entry_key(call, authority_id, RF_MAX(call->now - KEPT_SECONDS, 0), RF_S(""));
    struct state_scan scan = {.space = vault_issued_space,
                              .prefix = index_value(call, authority_id, RF_S("")),
                              .limit = SWEEP};
    if (limit.ptr == NULL || scan.prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_list(txn, &scan, call->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        rf_str key = list.items[i].key;
        if (memcmp(key.ptr, limit.ptr, RF_MIN(key.len, limit.len)) >= 0) break;
        RF_TRY(state_delete(txn, vault_issued_space, key, err));
    }
    return RF_OK;
}

static struct json_node *entry_json(struct vault_call *call, uint32_t signer, uint32_t number,
                                    rf_str by, const struct cert_facts *facts)
{
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    bool good = json_set_text(arena, out, "serial", facts->serial) != NULL &&
                json_set_i64(arena, out, "signer", signer) != NULL &&
                json_set_i64(arena, out, "authority", number) != NULL &&
                json_set_text(arena, out, "subject", facts->subject) != NULL &&
                json_set(arena, out, RF_S("names"), names_of(arena, facts->der)) != NULL &&
                json_set_text(arena, out, "by", by) != NULL &&
                json_set_i64(arena, out, "created", call->now) != NULL &&
                json_set_i64(arena, out, "begins", facts->not_before) != NULL &&
                json_set_i64(arena, out, "ends", facts->not_after) != NULL &&
                json_set_text(arena, out, "der", facts->cer) != NULL;
    return good ? out : NULL;
}

enum rf_kind authority_register(struct vault_call *call, const struct authority *authority,
                                uint32_t signer, uint32_t number, rf_str by, rf_str der,
                                struct rf_err *err)
{
    struct cert_facts facts;
    struct authority_entry entry = {.signer = signer, .authority = number};
    RF_TRY(vault_cert_facts(der, call->arena, &facts, err));
    entry.node = entry_json(call, signer, number, by, &facts);
    entry.key = entry_key(call, authority->id, facts.not_after, facts.serial);
    if (entry.node == NULL || entry.key.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(sweep(call, txn, authority->id, err));
    RF_TRY(put(call, txn, authority->id, &entry, err));
    return state_finish(&txn, err);
}

enum rf_kind authority_forget(struct vault_call *call, struct state_txn *txn, rf_str authority_id,
                              struct rf_err *err)
{
    rf_str prefix = index_value(call, authority_id, RF_S(""));
    if (prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_delete_prefix(txn, vault_issued_space, prefix, NULL, err));
    return state_delete_prefix(txn, vault_crl_space, prefix, NULL, err);
}

/* ---- revoking ---------------------------------------------------------------------------------------------------------------- */

/* RFC 5280, 5.3.1. */
bool authority_reason_is(int64_t reason)
{
    return reason >= 0 && reason <= 10 && reason != 7 && reason != 8;
}

/* The list of the signer is to be made anew. */
static enum rf_kind mark_list(struct vault_call *call, struct state_txn *txn, rf_str authority_id,
                              uint32_t signer, struct rf_err *err)
{
    struct state_object object;
    struct json_node *node;
    rf_str key = index_value(call, authority_id, number_text(call->arena, signer));
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    enum rf_kind kind = state_get(txn, vault_crl_space, key, call->arena, &object, err);
    /* When none was asked for yet it must stand there too: one that is being made right now is without this entry. */
    if (kind == RF_NOT_FOUND)
        node = json_new(call->arena, JSON_T_OBJECT);
    else if (kind == RF_OK)
        RF_TRY(json_parse(object.body, call->arena, &node, err));
    else
        return kind;
    rf_str body = json_set_bool(call->arena, node, "stale", true) == NULL
                      ? (rf_str){0}
                      : json_to_text(call->arena, node);
    if (body.ptr == NULL) return rf_fail_memory(err, call->arena);
    struct state_put put = {.space = vault_crl_space, .key = key, .body = body};
    return state_put(txn, &put, NULL, NULL, err);
}

/* Marks the intermediate: one that is revoked signs no more, one with many revoked ones is relieved. */
static enum rf_kind mark_issuing(struct vault_call *call, struct state_txn *txn,
                                 struct authority *authority, uint32_t number, const char *mark,
                                 struct rf_err *err)
{
    struct authority_signer signer;
    if (number == 0) return RF_OK;
    enum rf_kind kind = authority_signer(call, authority, number, &signer, err);
    if (kind == RF_NOT_FOUND) return RF_OK; /* ended long ago */
    RF_TRY(kind);
    if (json_bool_at(signer.node, mark, false)) return RF_OK;
    if (json_set_bool(call->arena, signer.node, mark, true) == NULL)
        return rf_fail_memory(err, call->arena);
    return vault_issuer_store(call, txn, authority->name, authority->node, &authority->etag, err);
}

static enum rf_kind check_room(struct vault_call *call, uint32_t count, const struct authority *a,
                               struct rf_err *err)
{
    if (count < AUTHORITY_REVOKED_MAX) return RF_OK;
    return vault_fail(call, err, 409, "TooManyRevoked", NULL,
                      "%u certificates of this intermediate authority of '%.*s' are revoked, more "
                      "do not fit on its list: revoke the intermediate itself.",
                      count, RF_FMT(a->name));
}

static enum rf_kind revoke(struct vault_call *call, struct state_txn *txn,
                           struct authority *authority, int reason, struct authority_entry *entry,
                           struct rf_err *err)
{
    struct authority_entry *others;
    uint32_t count;
    if (entry->record.revoked != 0)
        return vault_fail(call, err, 409, "AlreadyRevoked", NULL,
                          "The certificate with the serial number '%.*s' is revoked already.",
                          RF_FMT(entry->record.serial));
    RF_TRY(
        authority_entries_revoked(call, txn, authority->id, entry->signer, &others, &count, err));
    RF_TRY(check_room(call, count, authority, err));
    entry->record.revoked = call->now;
    entry->record.reason = reason;
    if (json_set_i64(call->arena, entry->node, "revoked", call->now) == NULL ||
        json_set_i64(call->arena, entry->node, "reason", reason) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(put(call, txn, authority->id, entry, err));
    RF_TRY(mark_issuing(call, txn, authority, entry->authority, "revoked", err));
    if (count + 1 >= AUTHORITY_REVOKED_FULL)
        RF_TRY(mark_issuing(call, txn, authority, entry->signer, "full", err));
    return mark_list(call, txn, authority->id, entry->signer, err);
}

enum rf_kind authority_revoke_serial(struct vault_call *call, rf_str issuer, rf_str serial,
                                     int reason, struct authority_entry *out, struct rf_err *err)
{
    struct authority authority;
    if (!authority_reason_is(reason))
        return vault_bad(call, err,
                         "Property 'reason' has invalid value: it is a reason of RFC 5280, 0 to 10 "
                         "without 7 and 8.");
    RF_TRY(authority_load(call, issuer, &authority, err));
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(authority_entry_find(call, txn, authority.id, serial, out, err));
    RF_TRY(revoke(call, txn, &authority, reason, out, err));
    RF_TRY(state_finish(&txn, err));
    rf_log(RF_INFO, "vault.certificate_revoked", RF_KV_STR("vault", call->place.name),
           RF_KV_STR("issuer", authority.name), RF_KV_STR("serial", out->record.serial));
    const struct vaults_options *options = &call->vaults->options;
    if (options->revoked != NULL)
        options->revoked(options->revoked_ctx, call->place.name, authority.name,
                         out->record.serial);
    return RF_OK;
}

/* ---- for others ---------------------------------------------------------------------------------------------------------------- */

struct revocation {
    rf_str issuer, serial;
    int reason;
};

static enum rf_kind try_revoke(struct vault_call *call, void *ctx, struct rf_err *err)
{
    const struct revocation *r = ctx;
    struct authority_entry entry;
    return authority_revoke_serial(call, r->issuer, r->serial, r->reason, &entry, err);
}

enum rf_kind authority_revoke(struct vaults *vaults, rf_str vault, rf_str issuer, rf_str serial,
                              int reason, struct rf_arena *arena, struct rf_err *err)
{
    struct vault_call call;
    struct revocation revocation = {issuer, serial, reason};
    RF_TRY(authority_call(vaults, vault, arena, &call, err));
    return vault_retry(&call, try_revoke, &revocation, err);
}

enum rf_kind authority_find(struct vaults *vaults, rf_str vault, rf_str issuer, rf_str serial,
                            struct rf_arena *arena, struct authority_record *out,
                            struct rf_err *err)
{
    struct vault_call call;
    struct authority authority;
    struct authority_entry entry;
    RF_TRY(authority_call(vaults, vault, arena, &call, err));
    RF_TRY(authority_load(&call, issuer, &authority, err));
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(vaults->options.state, &txn, err));
    RF_TRY(authority_entry_find(&call, txn, authority.id, serial, &entry, err));
    *out = entry.record;
    return RF_OK;
}
