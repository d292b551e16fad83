/* report_expiring.c - what ends within some days, over all vaults, and whether something renews it by itself; and the line about it in each day's log. */
#include "base/encode.h"
#include "base/log.h"
#include "vault/approval_int.h"
#include "vault/certificates_int.h"
#include "vault/keys_int.h"
#include "vault/search_int.h"

enum { DAY = 86400, DAYS_MAX = 3650, DAYS_DEFAULT = 30, AUTHORITIES_MAX = 10000 };

/* ---- what renews it ----------------------------------------------------------------------------------------------------------- */

struct renewal {
    const char *by; /* NULL: nothing */
    int64_t at;
};

/* What `Rotate` of a key's policy says. */
static struct renewal renewal_of_key(const struct vault_item *item,
                                     const struct vault_version *version)
{
    const struct json_node *list = json_get(item->more, "lifetimeActions");
    for (const struct json_node *a = list == NULL ? NULL : list->first; a != NULL; a = a->next) {
        struct key_span span;
        if (!rf_str_eq_nocase(json_text_at(a, "action.type"), RF_S("Rotate"))) continue;
        if (vault_span_read(json_text_at(a, "trigger.timeAfterCreate"), &span))
            return (struct renewal){"rotationPolicy", vault_span_add(version->created, &span, 1)};
        if (version->expires != SEAL_NO_TIME &&
            vault_span_read(json_text_at(a, "trigger.timeBeforeExpiry"), &span))
            return (struct renewal){"rotationPolicy", vault_span_add(version->expires, &span, -1)};
    }
    return (struct renewal){NULL, 0};
}

/* Issuers that we can ask without anybody's help. */
static bool issues_by_itself(struct vault_call *call, const struct cert_policy *policy)
{
    enum cert_issuer issuer;
    struct rf_err ignored;
    bool enabled;
    if (vault_cert_is_self(policy)) return true;
    if (vault_cert_is_unknown(policy) ||
        vault_cert_issuer_find(call, policy->issuer, &issuer, &enabled, &ignored) != RF_OK)
        return false;
    return enabled && (issuer == CERT_ISSUER_RINGFORT || issuer == CERT_ISSUER_ACME);
}

static struct renewal renewal_of_cert(struct vault_call *call, const struct vault_item *item,
                                      const struct vault_version *version)
{
    struct cert_policy policy;
    struct rf_err ignored;
    if (!version->enabled ||
        vault_cert_policy_of(call, vault_cert_more(item, "policy"), &policy, &ignored) != RF_OK ||
        !issues_by_itself(call, &policy))
        return (struct renewal){NULL, 0};
    for (uint32_t i = 0; i < policy.action_count; i++)
        if (policy.actions[i].renews)
            return (struct renewal){"certificatePolicy",
                                    vault_cert_action_time(&policy.actions[i], version)};
    return (struct renewal){NULL, 0};
}

static bool put_end(struct search_run *run, struct json_node *out, int64_t expires,
                    struct renewal renewal)
{
    struct rf_arena *arena = run->request->arena;
    int64_t left = expires - run->now;
    bool good = json_set_bool(arena, out, "expired", left <= 0) != NULL &&
                json_set_i64(arena, out, "daysLeft", left <= 0 ? 0 : left / DAY) != NULL &&
                json_set_bool(arena, out, "renews", renewal.by != NULL) != NULL;
    if (renewal.by == NULL) return good;
    return json_set_text(arena, out, "renewedBy", rf_str_of(renewal.by)) != NULL &&
           (renewal.at == 0 || json_set_i64(arena, out, "renewsAt", renewal.at) != NULL) && good;
}

static enum rf_kind add_end(struct search_run *run, const struct search_hit *hit,
                            struct json_node *out, struct rf_err *err)
{
    struct renewal renewal = {NULL, 0};
    struct vault_call call;
    struct vault_item item;
    struct vault_version version;
    const struct search_record *record = hit->record;
    if (record->shown != NULL) { /* an authority below the root is followed by the next in time */
        if (json_bool_at(record->shown, "intermediate", false))
            renewal = (struct renewal){"authority", 0};
    } else if (record->kind != SEAL_SECRET) {
        enum rf_kind kind = search_load(run, hit, &call, &item, &version, err);
        if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
        if (kind == RF_OK)
            renewal = record->kind == SEAL_KEY ? renewal_of_key(&item, &version)
                                               : renewal_of_cert(&call, &item, &version);
    }
    return put_end(run, out, record->expires, renewal) ? RF_OK
                                                       : rf_fail_memory(err, run->request->arena);
}

/* ---- authorities behind issuers --------------------------------------------------------------------------------------------------- */

struct authorities {
    struct rf_arena *arena;
    struct search_record *items;
    uint32_t count;
    int64_t from, to;
};

static rf_str lower(struct rf_arena *arena, rf_str text)
{
    uint8_t *out = rf_arena_alloc(arena, text.len);
    for (size_t i = 0; out != NULL && i < text.len; i++) out[i] = rf_lower(text.ptr[i]);
    return out == NULL ? (rf_str){0} : rf_str_make(out, text.len);
}

static enum rf_kind add_authority(struct authorities *a, rf_str guid, rf_str issuer,
                                  const struct json_node *node, bool is_root, struct rf_err *err)
{
    struct rf_arena *arena = a->arena;
    struct cert_facts facts;
    int64_t number = 0;
    rf_str der = {0};
    if (a->count == AUTHORITIES_MAX) return RF_OK;
    if (base64_decode(arena, json_text_at(node, "cer"), &der, NULL) != RF_OK || der.len == 0 ||
        vault_cert_facts(der, arena, &facts, err) != RF_OK)
        return RF_OK; /* not made yet */
    if (facts.not_after < a->from || facts.not_after > a->to) return RF_OK;
    (void)json_i64_at(node, "number", &number);
    struct json_node *shown = json_new(arena, JSON_T_OBJECT);
    bool revoked = json_bool_at(node, "revoked", false);
    rf_str name = lower(arena, issuer);
    if (name.ptr == NULL) return rf_fail_memory(err, arena);
    rf_str key = rf_arena_printf(arena, "%.*s/issuers/%.*s.%lld", RF_FMT(guid), RF_FMT(name),
                                 (long long)number);
    bool good = key.ptr != NULL &&
                json_set_text(arena, shown, "kind", RF_S("authorities")) != NULL &&
                json_set_text(arena, shown, "name", issuer) != NULL &&
                json_set_bool(arena, shown, "intermediate", !is_root) != NULL &&
                json_set_bool(arena, shown, "enabled", !revoked) != NULL &&
                json_set_text(arena, shown, "x5t", facts.x5t) != NULL &&
                json_set_i64(arena, shown, "notBefore", facts.not_before) != NULL &&
                json_set_i64(arena, shown, "expires", facts.not_after) != NULL;
    if (!good) return rf_fail_memory(err, arena);
    a->items[a->count++] = (struct search_record){.key = key,
                                                  .guid = guid,
                                                  .low = name,
                                                  .name = issuer,
                                                  .kind = SEAL_CERTIFICATE,
                                                  .enabled = !revoked,
                                                  .has_version = true,
                                                  .not_before = facts.not_before,
                                                  .expires = facts.not_after,
                                                  .shown = shown};
    return RF_OK;
}

static enum rf_kind add_issuer(struct authorities *a, const struct state_object *object,
                               struct rf_err *err)
{
    struct json_node *node;
    RF_TRY(json_parse(object->body, a->arena, &node, err));
    const struct json_node *ca = json_get(node, "ca"), *list = json_get(ca, "issuing");
    rf_str name = json_text_at(node, "name");
    size_t slash = rf_str_find(object->key, RF_S("/"), 0);
    if (ca == NULL || slash == SIZE_MAX) return RF_OK;
    rf_str guid = rf_slice(object->key, 0, slash);
    RF_TRY(add_authority(a, guid, name, ca, true, err));
    for (const struct json_node *n = list == NULL ? NULL : list->first; n != NULL; n = n->next)
        RF_TRY(add_authority(a, guid, name, n, false, err));
    return RF_OK;
}

static enum rf_kind find_authorities(struct vaults *vaults, struct authorities *a,
                                     struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_list list;
    struct state_scan scan = {.space = vault_issuer_space};
    a->items = rf_arena_new(a->arena, struct search_record, AUTHORITIES_MAX);
    if (a->items == NULL) return rf_fail_memory(err, a->arena);
    RF_TRY(state_begin_read(vaults->options.state, &txn, err));
    RF_TRY(state_list(txn, &scan, a->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) RF_TRY(add_issuer(a, &list.items[i], err));
    return RF_OK;
}

/* ---- the report --------------------------------------------------------------------------------------------------------------------- */

enum rf_kind vault_run_expiring(struct request *request, struct rf_err *err)
{
    struct search_run run;
    struct search_query query = {.enabled = -1,
                                 .without_managed = true,
                                 .order = SEARCH_BY_EXPIRY,
                                 .top = SEARCH_TOP_DEFAULT};
    int64_t days, past;
    RF_TRY(search_days(request, "days", DAYS_DEFAULT, DAYS_MAX, &days, err));
    RF_TRY(search_days(request, "past", DAYS_DEFAULT, DAYS_MAX, &past, err));
    RF_TRY(search_window(request, &query, err));
    RF_TRY(search_begin(request, &run, err));
    query.expires_from = RF_MAX(run.now - past * DAY, INT64_C(1));
    query.expires_to = run.now + days * DAY;
    struct authorities authorities = {
        .arena = request->arena, .from = query.expires_from, .to = query.expires_to};
    RF_TRY(find_authorities(run.viewer.vaults, &authorities, err));
    query.more = authorities.items;
    query.more_count = authorities.count;
    run.show = add_end;
    return search_answer(&run, &query, err);
}

/* ---- in the log -------------------------------------------------------------------------------------------------------------------------- */

/* One line, with numbers alone: names are for those who may list them. */
static enum rf_kind tell_expiring(struct vaults *vaults, int64_t now, struct rf_err *err)
{
    struct search_view view;
    uint64_t soon = 0, week = 0, ended = 0;
    if (vaults->search == NULL) return RF_OK;
    RF_TRY(search_index_open(vaults->search, vaults->options.state, &view, err));
    for (uint32_t i = 0; i < view.count; i++) {
        const struct search_record *record = view.items[i];
        if (record->deleted || record->managed || !record->enabled ||
            record->expires == SEAL_NO_TIME)
            continue;
        int64_t left = record->expires - now;
        soon += left > 0 && left <= (int64_t)DAYS_DEFAULT * DAY;
        week += left > 0 && left <= 7 * DAY;
        ended += left <= 0;
    }
    uint32_t count = view.count;
    search_index_close(vaults->search);
    rf_log(soon + ended > 0 ? RF_WARN : RF_INFO, "vault.expiring", RF_KV_U64("within_7_days", week),
           RF_KV_U64("within_30_days", soon), RF_KV_U64("expired", ended),
           RF_KV_U64("objects", count));
    return RF_OK;
}

void vault_reports_daily(struct vaults *vaults, int64_t now)
{
    struct rf_err err = {0};
    /* Not at the start, when there is enough to do: an hour later, and then with each new day. */
    if (vaults->report_from == 0) vaults->report_from = now + 3600;
    if (now < vaults->report_from || vaults->report_day == now / DAY) return;
    vaults->report_day = now / DAY;
    enum rf_kind kind = tell_expiring(vaults, now, &err);
    if (kind == RF_OK) kind = vault_approval_daily(vaults, now, &err);
    if (kind != RF_OK)
        rf_log(RF_WARN, "vault.report_failed", RF_KV_STR("why", rf_str_of(err.text)));
}
