/* certificates_renew.c - what is due of a certificate: an operation that is under way, its renewal, its end (contract 6.5). */
#include "base/log.h"
#include "vault/acme_client.h"

enum { RETRY_SECONDS = 86400 };

int64_t vault_cert_action_time(const struct cert_action *action,
                               const struct vault_version *version)
{
    if (action->percentage == 0) return version->expires - action->days_before * 86400;
    return version->not_before +
           (version->expires - version->not_before) * action->percentage / 100;
}

static const char *member_of(const struct cert_action *action)
{
    return action->renews ? "renewed" : "near";
}

/* What was done of the version: "renewed" (seconds, of the last attempt), "near", "expired". */
static bool is_done(const struct json_node *told, const char *member)
{
    return json_get(told, member) != NULL;
}

int64_t vault_cert_next_due(const struct cert_policy *policy, const struct vault_version *version,
                            const struct json_node *told, int64_t now)
{
    int64_t next = is_done(told, "expired") ? INT64_MAX : version->expires, tried;
    for (uint32_t i = 0; i < policy->action_count; i++) {
        const struct cert_action *action = &policy->actions[i];
        int64_t at = vault_cert_action_time(action, version);
        if (action->renews && json_i64_at(told, member_of(action), &tried))
            at = tried + RETRY_SECONDS;
        else if (is_done(told, member_of(action)))
            continue;
        if (action->renews && !version->enabled) continue;
        next = RF_MIN(next, at);
    }
    return next == INT64_MAX ? 0 : RF_MAX(next, now);
}

/* ---- one look ------------------------------------------------------------------------------------------------------------- */

struct look {
    struct vault_item *item;
    struct vault_version version;
    struct cert_policy policy;
    const char *events[CERT_ACTIONS_MAX + 1];
    uint32_t event_count;
    bool renews;
};

static bool tell(struct vault_call *call, struct look *look, const char *member, const char *event)
{
    struct json_node *told = json_object_in(call->arena, look->item->more, "told");
    if (event != NULL) look->events[look->event_count++] = event;
    return json_set_i64(call->arena, told, member, call->now) != NULL;
}

static bool act(struct vault_call *call, struct look *look, const struct cert_action *action)
{
    const struct json_node *told = vault_cert_more(look->item, "told");
    int64_t tried, at = vault_cert_action_time(action, &look->version);
    if (action->renews && json_i64_at(told, member_of(action), &tried)) at = tried + RETRY_SECONDS;
    if (call->now < at || (!action->renews && is_done(told, member_of(action)))) return true;
    if (action->renews && !look->version.enabled) return true;
    look->renews |= action->renews;
    return tell(call, look, member_of(action),
                action->renews ? NULL : "Microsoft.KeyVault.CertificateNearExpiry");
}

/* A new operation, as if somebody had created it, with the tags of the version before. */
static bool begin_renewal(struct vault_call *call, struct look *look, const struct rf_err *err)
{
    struct vault_version next;
    struct rf_err ignored;
    (void)err;
    if (vault_version_init(call, &next, &ignored) != RF_OK) return false;
    next.tags = look->version.tags;
    return vault_cert_set_more(call, look->item, "pending",
                               vault_cert_pending_new(call, &next, look->policy.issuer)) &&
           vault_cert_more(look->item, "pending") != NULL;
}

static enum rf_kind look_at(struct vault_call *call, struct look *look, struct rf_err *err)
{
    struct vault_item *item = look->item;
    bool busy = vault_cert_in_progress(vault_cert_more(item, "pending")), good = true;
    RF_TRY(vault_cert_policy_of(call, vault_cert_more(item, "policy"), &look->policy, err));
    for (uint32_t i = 0; i < look->policy.action_count; i++)
        if (!(busy && look->policy.actions[i].renews))
            good = act(call, look, &look->policy.actions[i]) && good;
    if (call->now >= look->version.expires && !is_done(vault_cert_more(item, "told"), "expired"))
        good = tell(call, look, "expired", "Microsoft.KeyVault.CertificateExpired") && good;
    if (look->renews) good = begin_renewal(call, look, err) && good;
    if (!good) return rf_fail_memory(err, call->arena);
    item->due = vault_cert_next_due(&look->policy, &look->version, vault_cert_more(item, "told"),
                                    call->now + 1);
    if (look->renews) item->due = VAULT_DUE_LOOK; /* a process that comes after this one goes on */
    return RF_OK;
}

static enum rf_kind look(struct vault_call *call, struct look *out, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_item *item = out->item;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_again(call, txn, false, item, err));
    if (item->latest.len == 0) {
        item->due = 0;
    } else {
        RF_TRY(vault_version_get(call, txn, item, (rf_str){0}, &out->version, err));
        RF_TRY(look_at(call, out, err));
    }
    int64_t next = vault_acme_next(item);
    if (next != 0) item->due = item->due == 0 ? next : RF_MIN(item->due, next);
    RF_TRY(vault_item_put(call, txn, item, err));
    for (uint32_t i = 0; i < out->event_count; i++)
        RF_TRY(vault_publish(call, txn, out->events[i], SEAL_CERTIFICATE, item->name, &out->version,
                             err));
    return state_finish(&txn, err);
}

static void log_ends(const struct vault_call *call, const struct look *look)
{
    for (uint32_t i = 0; i < look->event_count; i++)
        rf_log(RF_WARN, "vault.certificate_ends", RF_KV_STR("vault", call->place.name),
               RF_KV_STR("certificate", look->item->name),
               RF_KV_STR("event", rf_str_of(look->events[i])));
}

static bool waits_for_us(const struct vault_item *item)
{
    return vault_cert_waits_for_us(vault_cert_more(item, "pending"));
}

static enum rf_kind try_look(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct look *out = ctx;
    *out = (struct look){.item = out->item};
    return look(call, out, err);
}

enum rf_kind vault_certificate_due(struct vault_call *call, struct vault_item *item,
                                   struct rf_err *err)
{
    struct look seen = {.item = item};
    call->name = item->name;
    if (waits_for_us(item)) RF_TRY(vault_cert_finish(call, item, err));
    if (vault_acme_leaves(item)) RF_TRY(vault_acme_clean(call, item, err));
    RF_TRY(vault_retry(call, try_look, &seen, err));
    log_ends(call, &seen);
    if (!seen.renews) return RF_OK;
    RF_TRY(vault_cert_finish(call, item, err));
    if (!rf_str_is(json_text_at(vault_cert_more(item, "pending"), "status"), "failed"))
        return RF_OK;
    rf_log(RF_WARN, "vault.renewal_failed", RF_KV_STR("vault", call->place.name),
           RF_KV_STR("certificate", item->name),
           RF_KV_STR("why", json_text_at(vault_cert_more(item, "pending"), "details")));
    seen = (struct look){.item = item};
    return vault_retry(call, try_look, &seen, err);
}
