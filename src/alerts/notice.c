/* notice.c - what waits in the outbox: rows for tables, and notifications:
 *   {"kind":"row","workspace","id","row":{...}}
 *   {"kind":"HTTP"|"mail","list","receiver":name,"group":id,"created":usec,"attempts":n,"payload":text,"subject","rule","alert"}
 * and of tests also {"test": id, "inline": the receiver}: their receivers need be in no group, and are tried once. */
#include "alerts/alerts_int.h"
#include "base/encode.h"
#include "base/json_out.h"
#include "base/log.h"

#define PAUSE_FIRST_USEC (10 * RF_USEC_PER_SECOND)
#define PAUSE_MAX_USEC (3600 * RF_USEC_PER_SECOND)

rf_usec notice_pause(int64_t attempts)
{
    if (attempts > 9) return PAUSE_MAX_USEC;
    return RF_MIN(PAUSE_FIRST_USEC << (attempts < 1 ? 0 : attempts - 1), PAUSE_MAX_USEC);
}

enum rf_kind notice_put(struct state_txn *txn, struct json_node *body, rf_usec due,
                        struct rf_arena *arena, struct rf_err *err)
{
    rf_str guid = guid_random(arena), text = json_to_text(arena, body);
    rf_str key = rf_arena_printf(arena, "%020lld|%.*s", (long long)due, RF_FMT(guid));
    if (guid.ptr == NULL || text.ptr == NULL || key.ptr == NULL) return rf_fail_memory(err, arena);
    const struct state_put put = {.space = OUTBOX_SPACE, .key = key, .body = text};
    return state_put(txn, &put, NULL, NULL, err);
}

void notice_row(struct alerts *alerts, const struct json_node *notice, const char *status,
                const char *error, rf_usec now)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_buf buf = rf_buf_in(&arena);
    struct json_out out = json_out_to(&buf);
    int64_t attempts = 0;
    (void)json_i64_at(notice, "attempts", &attempts);
    json_begin_object(&out, NULL);
    json_put_text(&out, "TimeGenerated", time_iso(&arena, now));
    json_put_text(&out, "NotificationId", json_text_at(notice, "id"));
    json_put_text(&out, "AlertId", json_text_at(notice, "alert"));
    json_put_text(&out, "AlertRuleId", json_text_at(notice, "rule"));
    json_put_text(&out, "ActionGroupId", json_text_at(notice, "group"));
    json_put_text(&out, "Receiver", json_text_at(notice, "receiver"));
    json_put_text(&out, "ReceiverType", json_text_at(notice, "list"));
    json_put_text(&out, "Status", rf_str_of(status));
    json_put_i64(&out, "Attempts", attempts);
    json_put_text(&out, "LastError", rf_str_of(error));
    json_end_object(&out);
    if (!buf.failed) audit_row(alerts->options.audit, "RingfortNotifications", rf_buf_view(&buf));
}

/* ---- receivers ------------------------------------------------------------------------------------------------------------ */

struct telling {
    struct alerts *alerts;
    struct state_txn *txn;
    struct rf_arena *arena;
    rf_str group, rule, alert, payload, subject, test;
    rf_usec now;
    uint32_t count;
};

static bool is_wanted(const struct json_node *receiver)
{
    return !rf_str_is(json_text_at(receiver, "status"), "Disabled");
}

static enum rf_kind tell_one(struct telling *t, const struct receiver_kind *kind,
                             const struct json_node *receiver, struct rf_err *err)
{
    struct rf_arena *arena = t->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    bool with_token = json_bool_at(receiver, "useAadAuth", false);
    bool is_sent = kind->way != RECEIVER_NONE && !with_token;
    json_set_text(arena, body, "kind", kind->way == RECEIVER_MAIL ? RF_S("mail") : RF_S("HTTP"));
    json_set_text(arena, body, "id", guid_random(arena));
    json_set_text(arena, body, "list", rf_str_of(kind->list));
    json_set_text(arena, body, "receiver", json_text_at(receiver, "name"));
    json_set_text(arena, body, "group", t->group);
    json_set_text(arena, body, "rule", t->rule);
    json_set_text(arena, body, "alert", t->alert);
    json_set_i64(arena, body, "created", t->now);
    json_set_i64(arena, body, "attempts", 0);
    json_set_text(arena, body, "subject", t->subject);
    if (t->test.len > 0) {
        json_set_text(arena, body, "test", t->test);
        json_set(arena, body, RF_S("inline"), json_clone(arena, receiver));
    }
    if (json_set_text(arena, body, "payload", t->payload) == NULL)
        return rf_fail_memory(err, arena);
    if (!is_sent && t->test.len == 0) {
        notice_row(t->alerts, body, "NotSupported",
                   with_token ? "useAadAuth: the receiver's tenant gives no tokens here; the "
                                "signature proves who sends"
                              : "receivers of this type cannot be reached from here",
                   t->now);
        return RF_OK;
    }
    t->count++;
    return notice_put(t->txn, body, t->now, arena, err);
}

static enum rf_kind tell_all(struct telling *t, const struct json_node *properties,
                             struct rf_err *err)
{
    for (uint32_t k = 0; k < receiver_kind_count; k++) {
        const struct json_node *list = json_get(properties, receiver_kinds[k].list);
        if (!json_is(list, JSON_T_ARRAY)) continue;
        for (const struct json_node *r = list->first; r != NULL; r = r->next)
            if (is_wanted(r)) RF_TRY(tell_one(t, &receiver_kinds[k], r, err));
    }
    return RF_OK;
}

static rf_str subject_of(const struct rule_run *run, const struct json_node *document)
{
    if (run->rule->subject.len > 0) return run->rule->subject;
    const struct json_node *e = json_at(document, "properties.essentials");
    return rf_arena_printf(
        run->arena, "%.*s:%.*s Alert %.*s on %.*s", RF_FMT(json_text_at(e, "monitorCondition")),
        RF_FMT(json_text_at(e, "severity")), RF_FMT(json_text_at(document, "name")),
        RF_FMT(json_text_at(e, "targetResourceName")));
}

enum rf_kind notices_for(struct state_txn *txn, const struct rule_run *run,
                         const struct json_node *document, struct rf_err *err)
{
    struct telling t = {.alerts = run->alerts,
                        .txn = txn,
                        .arena = run->arena,
                        .rule = run->rule_id,
                        .alert = json_text_at(document, "properties.essentials.sourceCreatedId"),
                        .payload =
                            record_payload(document, run->rule->custom_properties, run->arena),
                        .subject = subject_of(run, document),
                        .now = run->now};
    if (t.payload.ptr == NULL || t.subject.ptr == NULL) return rf_fail_memory(err, run->arena);
    for (uint32_t i = 0; i < run->rule->group_count; i++) {
        struct arm_resource group;
        struct rf_err why = {0};
        enum rf_kind kind =
            arm_get(run->alerts->options.arm, txn, run->rule->groups[i], run->arena, &group, &why);
        if (kind == RF_NOT_FOUND) {
            rf_log(RF_WARN, "alerts.group_missing", RF_KV_STR("rule", run->rule_id),
                   RF_KV_STR("group", run->rule->groups[i]));
            continue;
        }
        if (kind != RF_OK) {
            if (err != NULL) *err = why;
            return kind;
        }
        const struct json_node *properties = json_get(group.body, "properties");
        if (!json_bool_at(properties, "enabled", true)) continue;
        t.group = group.id;
        RF_TRY(tell_all(&t, properties, err));
    }
    return RF_OK;
}

enum rf_kind notices_for_test(struct alerts *alerts, struct state_txn *txn, rf_str group,
                              rf_str test, const struct json_node *properties, rf_str payload,
                              rf_str subject, rf_usec now, struct rf_arena *arena, uint32_t *count,
                              struct rf_err *err)
{
    struct telling t = {.alerts = alerts,
                        .txn = txn,
                        .arena = arena,
                        .group = group,
                        .test = test,
                        .payload = payload,
                        .subject = subject,
                        .now = now};
    RF_TRY(tell_all(&t, properties, err));
    *count = t.count;
    return RF_OK;
}
