/* deliver.c - senders: each takes from the outbox what is due, sends it, and says how it went. */
#include <stdio.h>

#include "alerts/alerts_int.h"
#include "alerts/mail.h"
#include "alerts/smtp.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/log.h"
#include "crypt/digest.h"
#include "net/client.h"

enum { SEND_BYTES = 64 << 20, LOOK_AT_MAX = 200, PER_HOST_MAX = 2, ANSWER_BYTES_MAX = 1 << 20 };
#define SEND_TIMEOUT_USEC (20 * RF_USEC_PER_SECOND)

struct sending {
    struct alerts *alerts;
    struct rf_arena *arena;
    rf_str key;
    struct json_node *body;
    rf_usec now;
    rf_str kind, test;
    const struct receiver_kind *receiver_kind;
    const struct json_node *receiver;
    uint8_t secret[32];
    bool has_secret;
};

/* ---- what is due ---------------------------------------------------------------------------------------------------------- */

static rf_usec due_of(rf_str key)
{
    rf_usec due = 0;
    for (size_t i = 0; i < key.len && rf_is_digit(key.ptr[i]); i++)
        due = due * 10 + (key.ptr[i] - '0');
    return due;
}

static rf_str host_of(const struct json_node *body, const struct json_node *receiver,
                      const struct receiver_kind *kind)
{
    if (rf_str_is(json_text_at(body, "kind"), "row")) return RF_S("rows");
    if (kind == NULL || kind->url == NULL) return RF_S("mail");
    rf_str url = json_text_at(receiver, kind->url);
    size_t from = rf_str_find(url, RF_S("://"), 0);
    from = from == SIZE_MAX ? 0 : from + 3;
    return rf_slice(url, from, RF_MIN(rf_str_find(url, RF_S("/"), from), url.len));
}

/* Whether a sender has it already, or as many as may are at this host. Under the lock. */
static bool is_taken(const struct alerts *alerts, rf_str key, rf_str host)
{
    uint32_t there = 0, most = rf_str_is(host, "rows") ? 1 : PER_HOST_MAX;
    for (uint32_t i = 0; i < ALERTS_SENDERS_MAX; i++) {
        const struct claim *claim = &alerts->claims[i];
        if (claim->key[0] == 0) continue;
        if (rf_str_is(key, claim->key)) return true;
        there +=
            rf_str_is(rf_slice(host, 0, RF_MIN(host.len, sizeof claim->host - 1)), claim->host);
    }
    return there >= most;
}

static bool claim(struct alerts *alerts, uint32_t index, rf_str key, rf_str host)
{
    struct claim *mine = &alerts->claims[index];
    (void)pthread_mutex_lock(&alerts->lock);
    bool free = key.len < sizeof mine->key && !is_taken(alerts, key, host);
    if (free) {
        (void)snprintf(mine->key, sizeof mine->key, "%.*s", RF_FMT(key));
        (void)snprintf(mine->host, sizeof mine->host, "%.*s",
                       (int)RF_MIN(host.len, sizeof mine->host - 1), (const char *)host.ptr);
    }
    (void)pthread_mutex_unlock(&alerts->lock);
    return free;
}

static void unclaim(struct alerts *alerts, uint32_t index)
{
    (void)pthread_mutex_lock(&alerts->lock);
    alerts->claims[index] = (struct claim){0};
    (void)pthread_cond_broadcast(&alerts->hurry); /* others may go to this host */
    (void)pthread_mutex_unlock(&alerts->lock);
}

/* The receiver as its group has it now: its address may have been put right meanwhile. NULL: it is gone. */
static enum rf_kind find_receiver(struct sending *s, struct state_txn *txn, struct rf_err *err)
{
    struct arm_resource group;
    rf_str list = json_text_at(s->body, "list"), name = json_text_at(s->body, "receiver");
    for (uint32_t k = 0; k < receiver_kind_count; k++)
        if (rf_str_is(list, receiver_kinds[k].list)) s->receiver_kind = &receiver_kinds[k];
    rf_str id = json_text_at(s->body, "group");
    rf_str key = resource_key(s->arena, id);
    if (key.ptr == NULL) return rf_fail_memory(err, s->arena);
    if (id.len > 0)
        RF_TRY(group_secret(s->alerts, txn, key, s->arena, s->secret, &s->has_secret, err));
    s->receiver = json_get(s->body, "inline");
    if (s->receiver != NULL) return RF_OK;
    enum rf_kind kind = arm_get(s->alerts->options.arm, txn, id, s->arena, &group, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    const struct json_node *receivers = json_get_str(json_get(group.body, "properties"), list);
    if (!json_is(receivers, JSON_T_ARRAY)) return RF_OK;
    for (const struct json_node *r = receivers->first; r != NULL; r = r->next)
        if (rf_str_eq(json_text_at(r, "name"), name)) s->receiver = r;
    return RF_OK;
}

/* Another sender may have sent it between the look at the list and the claim. */
static enum rf_kind still_waits(struct sending *s, bool *waits, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_object object;
    RF_TRY(state_begin_read(s->alerts->options.state, &txn, err));
    enum rf_kind kind = state_get(txn, OUTBOX_SPACE, s->key, s->arena, &object, err);
    *waits = kind == RF_OK;
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

/* When the first is due; INT64_MAX: nothing waits. */
static enum rf_kind first_due(struct sending *s, struct state_txn *txn, rf_usec *at,
                              struct rf_err *err)
{
    const struct state_scan scan = {.space = OUTBOX_SPACE, .limit = 1};
    struct state_list list;
    RF_TRY(state_list(txn, &scan, s->arena, &list, err));
    *at = list.count == 0 ? INT64_MAX : due_of(list.items[0].key);
    return RF_OK;
}

/* The first that is due and that nobody has. RF_NOT_FOUND NothingDue: *at says when to look again. */
static enum rf_kind take(struct sending *s, uint32_t index, rf_usec *at, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    const struct state_scan scan = {.space = OUTBOX_SPACE, .limit = LOOK_AT_MAX};
    struct state_list list = {.count = 0};
    bool waits;
    RF_TRY(state_begin_read(s->alerts->options.state, &txn, err));
    RF_TRY(first_due(s, txn, at, err));
    if (*at <= s->now) RF_TRY(state_list(txn, &scan, s->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        *at = due_of(list.items[i].key);
        if (*at > s->now) break;
        RF_TRY(json_parse(list.items[i].body, s->arena, &s->body, err));
        s->key = list.items[i].key;
        s->kind = json_text_at(s->body, "kind");
        s->test = json_text_at(s->body, "test");
        s->receiver = NULL;
        s->receiver_kind = NULL;
        s->has_secret = false;
        if (!rf_str_is(s->kind, "row")) RF_TRY(find_receiver(s, txn, err));
        if (!claim(s->alerts, index, s->key, host_of(s->body, s->receiver, s->receiver_kind)))
            continue;
        enum rf_kind kind = still_waits(s, &waits, err);
        if (kind == RF_OK && waits) return RF_OK;
        unclaim(s->alerts, index);
        RF_TRY(kind);
    }
    /* What others have is not waited for: they say when they are done. */
    if (*at <= s->now) *at = s->now + RF_USEC_PER_SECOND;
    return RF_FAIL(err, RF_NOT_FOUND, "NothingDue", "nothing is due");
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------ */

/* Whether the table has the row: the process before may have been cut off behind the append. */
static enum rf_kind row_is_there(struct sending *s, rf_str workspace, bool *there,
                                 struct rf_err *err)
{
    struct rf_buf text = rf_buf_in(s->arena);
    struct ask_view *view;
    struct answer answer;
    rf_buf_str(&text, RF_S("Alert | where AlertRuleInstanceId == "));
    json_put_string(&text, json_text_at(s->body, "id")); /* a text of JSON is one of KQL, too */
    rf_buf_str(&text, RF_S(" | take 1"));
    if (text.failed) return rf_fail_memory(err, s->arena);
    RF_TRY(ask_open(s->alerts->options.tables, workspace, workspace, NULL, 0, &view, err));
    const struct ask ask = {.text = rf_buf_view(&text), .now_ticks = ticks_of(s->now)};
    enum rf_kind kind = ask_run(view, &ask, s->arena, &answer, err);
    *there = kind == RF_OK && rows_count(answer.rows) > 0;
    ask_close(view);
    return kind;
}

static enum rf_kind send_row(struct sending *s, struct rf_err *err)
{
    rf_str workspace = json_text_at(s->body, "workspace");
    rf_str row = json_to_text(s->arena, json_get(s->body, "row"));
    bool there = false;
    if (row.ptr == NULL) return rf_fail_memory(err, s->arena);
    if (!atomic_load(&s->alerts->rows_checked)) RF_TRY(row_is_there(s, workspace, &there, err));
    if (there) return RF_OK;
    enum rf_kind kind = tables_append_json(s->alerts->options.tables, workspace, RF_S("Alert"), row,
                                           ticks_of(s->now), NULL, err);
    /* The workspace is gone with its tables: nobody can want the row any more. */
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

/* ---- webhooks ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind sign(struct sending *s, rf_str id, rf_str time, rf_str payload, rf_str *out,
                         struct rf_err *err)
{
    uint8_t mac[SHA256_BYTES];
    rf_str text =
        rf_arena_printf(s->arena, "%.*s.%.*s.%.*s", RF_FMT(id), RF_FMT(time), RF_FMT(payload));
    if (text.ptr == NULL) return rf_fail_memory(err, s->arena);
    digest_hmac_sha256(rf_str_make(s->secret, sizeof s->secret), text, mac);
    rf_str code = base64_encode(s->arena, rf_str_make(mac, sizeof mac));
    if (code.ptr == NULL) return rf_fail_memory(err, s->arena);
    *out = rf_arena_printf(s->arena, "v1,%.*s", RF_FMT(code));
    return out->ptr == NULL ? rf_fail_memory(err, s->arena) : RF_OK;
}

static enum rf_kind post(struct sending *s, struct http_client *client, struct rf_err *err)
{
    struct http_header headers[6];
    struct http_answer answer;
    uint32_t count = 0;
    rf_str id = json_text_at(s->body, "id"), payload = json_text_at(s->body, "payload");
    rf_str time = rf_arena_printf(s->arena, "%lld", (long long)(s->now / RF_USEC_PER_SECOND));
    if (time.ptr == NULL) return rf_fail_memory(err, s->arena);
    headers[count++] =
        (struct http_header){RF_S("Content-Type"), RF_S("application/json; charset=utf-8")};
    headers[count++] = (struct http_header){RF_S("User-Agent"), RF_S("Ringfort-Alerts/1.0")};
    headers[count++] = (struct http_header){RF_S("webhook-id"), id};
    headers[count++] = (struct http_header){RF_S("webhook-timestamp"), time};
    if (s->has_secret) {
        headers[count].name = RF_S("webhook-signature");
        RF_TRY(sign(s, id, time, payload, &headers[count++].value, err));
    }
    RF_TRY(http_client_call(client, "POST", json_text_at(s->receiver, s->receiver_kind->url),
                            headers, count, payload, s->arena, &answer, err));
    if (answer.status >= 200 && answer.status < 300) return RF_OK;
    if (answer.status == 410)
        return RF_FAIL(err, RF_INVALID, "ReceiverGone", "the receiver answered 410: gone for good");
    return RF_FAIL(err, RF_AGAIN, "BadAnswer", "the receiver answered %u", answer.status);
}

static enum rf_kind send_http(struct sending *s, struct rf_err *err)
{
    struct http_client *client;
    const struct http_client_options options = {.ca_pem = s->alerts->options.outbound.ca_pem,
                                                .timeout_usec = SEND_TIMEOUT_USEC,
                                                .answer_bytes_max = ANSWER_BYTES_MAX,
                                                .trust_loopback = true,
                                                .egress = &s->alerts->egress};
    RF_TRY(http_client_new(&options, &client, err));
    enum rf_kind kind = post(s, client, err);
    http_client_free(client);
    return kind;
}

/* ---- mail ---------------------------------------------------------------------------------------------------------------------- */

static void put_fact(struct rf_buf *out, const char *name, rf_str value)
{
    if (value.len > 0) rf_buf_printf(out, "%s: %.*s\n", name, RF_FMT(value));
}

static rf_str mail_text(struct sending *s)
{
    struct rf_buf out = rf_buf_in(s->arena);
    struct json_node *payload;
    if (json_parse(json_text_at(s->body, "payload"), s->arena, &payload, NULL) != RF_OK)
        return (rf_str){NULL, 0};
    const struct json_node *e = json_at(payload, "data.essentials");
    const struct json_node *condition = json_at(payload, "data.alertContext.condition");
    const struct json_node *all = json_get(condition, "allOf");
    const struct json_node *c = json_is(all, JSON_T_ARRAY) ? all->first : NULL;
    const struct json_node *value = json_get(c, "metricValue");
    const struct json_node *dimensions = json_get(c, "dimensions");
    put_fact(&out, "Alert rule", json_text_at(e, "alertRule"));
    put_fact(&out, "Condition", json_text_at(e, "monitorCondition"));
    put_fact(&out, "Severity", json_text_at(e, "severity"));
    put_fact(&out, "Description", json_text_at(e, "description"));
    const struct json_node *targets = json_get(e, "configurationItems");
    if (json_is(targets, JSON_T_ARRAY) && targets->count > 0)
        put_fact(&out, "Target", targets->first->text);
    if (json_is(dimensions, JSON_T_ARRAY))
        for (const struct json_node *d = dimensions->first; d != NULL; d = d->next)
            rf_buf_printf(&out, "%.*s: %.*s\n", RF_FMT(json_text_at(d, "name")),
                          RF_FMT(json_text_at(d, "value")));
    if (json_is(value, JSON_T_NUMBER)) put_fact(&out, "Value", value->text);
    rf_buf_printf(&out, "Rule: %.*s %.*s\n", RF_FMT(json_text_at(c, "operator")),
                  RF_FMT(json_text_at(c, "threshold")));
    put_fact(&out, "Window begins", json_text_at(condition, "windowStartTime"));
    put_fact(&out, "Window ends", json_text_at(condition, "windowEndTime"));
    put_fact(&out, "Fired", json_text_at(e, "firedDateTime"));
    put_fact(&out, "Resolved", json_text_at(e, "resolvedDateTime"));
    put_fact(&out, "Alert", json_text_at(e, "alertId"));
    rf_buf_printf(&out, "\nQuery:\n%.*s\n", RF_FMT(json_text_at(c, "searchQuery")));
    return out.failed ? (rf_str){NULL, 0} : rf_buf_view(&out);
}

static enum rf_kind send_mail(struct sending *s, struct rf_err *err)
{
    const struct alerts_outbound *out = &s->alerts->options.outbound;
    const struct mail mail = {.from = out->mail_from,
                              .to = json_text_at(s->receiver, "emailAddress"),
                              .subject = json_text_at(s->body, "subject"),
                              .id = json_text_at(s->body, "id"),
                              .text = mail_text(s),
                              .date = s->now};
    struct tls_context *tls;
    if (out->mail_server.len == 0)
        return RF_FAIL(err, RF_AGAIN, "MailNotSetUp", "mail.server and mail.from are not set");
    if (!mail_address_is(mail.to))
        return RF_FAIL(err, RF_INVALID, "BadAddress", "the receiver has no mail address");
    rf_str message = mail_message(&mail, s->arena);
    if (mail.text.ptr == NULL || message.ptr == NULL) return rf_fail_memory(err, s->arena);
    RF_TRY(tls_client_new(out->ca_pem, &tls, err));
    const struct smtp_options options = {.host = s->alerts->mail_host,
                                         .port = s->alerts->mail_port,
                                         .tls_at_once = s->alerts->mail_port == 465,
                                         .egress = &s->alerts->mail_egress,
                                         .tls = tls,
                                         .name = s->alerts->options.site->domain,
                                         .user = out->mail_user,
                                         .password = out->mail_password,
                                         .timeout_usec = SEND_TIMEOUT_USEC};
    enum rf_kind kind = smtp_send(&options, mail.from, mail.to, message, s->arena, err);
    tls_free(tls);
    return kind;
}

/* ---- how it went -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind send_one(struct sending *s, struct rf_err *err)
{
    if (rf_str_is(s->kind, "row")) return send_row(s, err);
    if (s->receiver == NULL || s->receiver_kind == NULL)
        return RF_FAIL(err, RF_INVALID, "ReceiverGone",
                       "the receiver is not in its group any more");
    if (s->receiver_kind->way == RECEIVER_MAIL) return send_mail(s, err);
    if (s->receiver_kind->way == RECEIVER_HTTP) return send_http(s, err);
    return RF_FAIL(err, RF_INVALID, "NotSupported",
                   "receivers of this type cannot be reached from here");
}

/* How the receiver of a test fared, into what the caller asks for. */
static enum rf_kind note_test(struct sending *s, struct state_txn *txn, enum rf_kind sent,
                              const struct rf_err *why, struct rf_err *err)
{
    struct state_object object;
    struct json_node *body;
    struct rf_arena *arena = s->arena;
    int64_t left = 0;
    enum rf_kind kind = state_get(txn, TEST_SPACE, s->test, arena, &object, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    RF_TRY(json_parse(object.body, arena, &body, err));
    (void)json_i64_at(body, "left", &left);
    struct json_node *detail = json_new(arena, JSON_T_OBJECT);
    rf_str type = s->receiver_kind == NULL ? RF_S("") : rf_str_of(s->receiver_kind->name);
    json_set_text(arena, detail, "MechanismType", type);
    json_set_text(arena, detail, "Name", json_text_at(s->body, "receiver"));
    json_set_text(arena, detail, "Status", sent == RF_OK ? RF_S("Succeeded") : RF_S("Failed"));
    json_set_text(arena, detail, "SubState",
                  sent == RF_OK ? RF_S("Default") : rf_str_of(why->code));
    json_set_text(arena, detail, "SendTime", time_iso(arena, s->now));
    json_set_text(arena, detail, "Detail", sent == RF_OK ? RF_S("") : rf_str_of(why->text));
    json_append(json_at(body, "status.actionDetails"), detail);
    if (left <= 1) {
        struct json_node *status = json_get(body, "status");
        json_set_text(arena, status, "state", RF_S("Complete"));
        json_set_text(arena, status, "completedTime", time_iso(arena, s->now));
    }
    json_set_i64(arena, body, "left", left - 1);
    rf_str text = json_to_text(arena, body);
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    const struct state_put put = {.space = TEST_SPACE, .key = s->test, .body = text};
    return state_put(txn, &put, NULL, NULL, err);
}

/* Deleted when it is sent or given up, else put off. */
static enum rf_kind settle(struct sending *s, enum rf_kind sent, const struct rf_err *why,
                           bool *given_up, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    int64_t attempts = 0, created = s->now;
    bool is_row = rf_str_is(s->kind, "row");
    (void)json_i64_at(s->body, "attempts", &attempts);
    (void)json_i64_at(s->body, "created", &created);
    attempts++;
    json_set_i64(s->arena, s->body, "attempts", attempts);
    rf_usec due = s->now + notice_pause(attempts);
    *given_up = sent != RF_OK && !is_row &&
                (sent == RF_INVALID || s->test.len > 0 || due - created > NOTICE_LIFE_USEC);
    RF_TRY(state_begin_write(s->alerts->options.state, &txn, err));
    enum rf_kind kind = state_delete(txn, OUTBOX_SPACE, s->key, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (sent != RF_OK && !*given_up) {
        json_set_text(s->arena, s->body, "error", rf_str_of(why->text));
        RF_TRY(notice_put(txn, s->body, due, s->arena, err));
    } else if (s->test.len > 0) {
        RF_TRY(note_test(s, txn, sent, why, err));
    }
    return state_finish(&txn, err);
}

static void tell(struct sending *s, enum rf_kind sent, const struct rf_err *why, bool given_up)
{
    int64_t attempts = 0;
    (void)json_i64_at(s->body, "attempts", &attempts);
    if (rf_str_is(s->kind, "row")) {
        if (sent != RF_OK)
            rf_log(RF_ERROR, "alerts.row_not_written", RF_KV_STR("error", rf_str_of(why->text)));
        return;
    }
    if (sent == RF_OK) {
        notice_row(s->alerts, s->body, "Delivered", "", s->now);
        return;
    }
    if (attempts == 1 || given_up)
        notice_row(s->alerts, s->body, given_up ? "GivenUp" : "Failed", why->text, s->now);
    if (attempts == 1 || given_up)
        rf_log_event(
            given_up ? RF_ERROR : RF_WARN,
            given_up ? "alerts.notification_given_up" : "alerts.notification_failed",
            (const struct rf_kv[]){RF_KV_STR("group", json_text_at(s->body, "group")),
                                   RF_KV_STR("receiver", json_text_at(s->body, "receiver")),
                                   RF_KV_STR("error", rf_str_of(why->text))},
            3);
}

bool deliver_next(struct alerts *alerts, uint32_t index, rf_usec *at)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err why = {.code = ""}, err = {0};
    bool given_up = false;
    rf_arena_init(&arena, SEND_BYTES);
    struct sending s = {
        .alerts = alerts, .arena = &arena, .now = rf_clock_now(alerts->options.clock)};
    enum rf_kind kind = take(&s, index, at, &err);
    if (kind == RF_NOT_FOUND) {
        if (*at == INT64_MAX) atomic_store(&alerts->rows_checked, true); /* nothing waits */
        return false;
    }
    if (kind == RF_OK) {
        enum rf_kind sent = send_one(&s, &why);
        explicit_bzero(s.secret, sizeof s.secret);
        kind = settle(&s, sent, &why, &given_up, &err);
        /* When that is not known to the state, it is sent again: rather twice than never. */
        if (kind == RF_OK) tell(&s, sent, &why, given_up);
        unclaim(alerts, index);
    }
    if (kind == RF_OK) return true;
    rf_log(RF_ERROR, "alerts.outbox_failed", RF_KV_STR("error", rf_str_of(err.text)));
    *at = s.now + 10 * RF_USEC_PER_SECOND;
    return false;
}
