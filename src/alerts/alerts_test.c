/* Rules, alerts and notifications over a real state and real tables; receivers are small servers of the test. */
#define _GNU_SOURCE /* memmem */

#include <netinet/in.h>
#include <semaphore.h>
#include <sys/socket.h>

#include "alerts/alerts_int.h"
#include "authz/route_walk.h"
#include "base/fs.h"
#include "crypt/digest.h"
#include "test/rf_prop.h"

#define SUB "/subscriptions/99999999-0000-0000-0000-000000000001"
#define RG SUB "/resourceGroups/rg"
#define WS RG "/providers/Microsoft.OperationalInsights/workspaces/ws"
#define GUID "99999999-0000-0000-0000-000000000002"
#define RULE RG "/providers/" RULE_TYPE "/r1"
#define AG RG "/providers/" GROUP_TYPE "/ag"
#define ALERTS SUB "/providers/" ALERT_TYPE
#define V "?api-version=2023-12-01"
#define OWNER "aaaaaaaa-0000-0000-0000-000000000001"
#define STRANGER "aaaaaaaa-0000-0000-0000-000000000003"
#define MINUTE (60 * RF_USEC_PER_SECOND)

/* ---- receivers: one connection after the other, answered from a script -------------------------------------------------- */

struct sink {
    int fd;
    uint16_t port;
    pthread_t thread;
    const char *answers[8]; /* HTTP: each for one connection */
    bool is_smtp;
    sem_t answered;
    char heard[16384]; /* of all connections */
    size_t len;
};

static bool hear(struct sink *sink, int fd)
{
    if (sink->len + 1 >= sizeof sink->heard) return false;
    ssize_t got = recv(fd, sink->heard + sink->len, sizeof sink->heard - 1 - sink->len, 0);
    if (got > 0) sink->len += (size_t)got;
    return got > 0;
}

static void say(int fd, const char *text) { (void)send(fd, text, strlen(text), MSG_NOSIGNAL); }

/* A whole request: its head and as many bytes as that says. */
static void hear_http(struct sink *sink, int fd)
{
    size_t from = sink->len;
    for (;;) {
        const char *end = memmem(sink->heard + from, sink->len - from, "\r\n\r\n", 4);
        const char *length = memmem(sink->heard + from, sink->len - from, "Content-Length: ", 16);
        size_t head = end == NULL ? 0 : (size_t)(end - sink->heard) + 4;
        if (end != NULL && length != NULL && sink->len - head >= strtoul(length + 16, NULL, 10))
            return;
        if (!hear(sink, fd)) return;
    }
}

static void hear_smtp(struct sink *sink, int fd)
{
    say(fd, "220 mx.test\r\n");
    bool in_data = false;
    size_t at = sink->len;
    while (hear(sink, fd)) {
        const char *line;
        while ((line = memmem(sink->heard + at, sink->len - at, "\n", 1)) != NULL) {
            const char *from = sink->heard + at;
            at = (size_t)(line - sink->heard) + 1;
            if (in_data && strncmp(from, ".\r\n", 3) == 0) {
                in_data = false;
                say(fd, "250 taken\r\n");
            } else if (!in_data && strncmp(from, "EHLO", 4) == 0) {
                say(fd, "250-mx.test\r\n250 SIZE 100000\r\n");
            } else if (!in_data && strncmp(from, "DATA", 4) == 0) {
                in_data = true;
                say(fd, "354 go\r\n");
            } else if (!in_data && strncmp(from, "RCPT TO:<gone@", 14) == 0) {
                say(fd, "550 5.1.1 nobody\r\n");
            } else if (!in_data && strncmp(from, "QUIT", 4) == 0) {
                return;
            } else if (!in_data) {
                say(fd, "250 ok\r\n");
            }
        }
    }
}

static void *sink_run(void *arg)
{
    struct sink *sink = arg;
    for (size_t i = 0;; i++) {
        int fd = accept(sink->fd, NULL, NULL);
        if (fd < 0) return NULL;
        if (sink->is_smtp) {
            hear_smtp(sink, fd);
        } else {
            hear_http(sink, fd);
            say(fd, sink->answers[i] != NULL ? sink->answers[i]
                                             : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
        close(fd);
        (void)sem_post(&sink->answered);
    }
}

static void sink_start(struct sink *sink)
{
    cr_assert(sem_init(&sink->answered, 0, 0) == 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof in;
    sink->fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(bind(sink->fd, (struct sockaddr *)&in, sizeof in) == 0);
    cr_assert(listen(sink->fd, 8) == 0);
    cr_assert(getsockname(sink->fd, (struct sockaddr *)&in, &bytes) == 0);
    sink->port = ntohs(in.sin_port);
    cr_assert(pthread_create(&sink->thread, NULL, sink_run, sink) == 0);
}

static void sink_stop(struct sink *sink)
{
    shutdown(sink->fd, SHUT_RDWR); /* ends an accept that still waits */
    pthread_join(sink->thread, NULL);
    close(sink->fd);
}

/* ---- a world ----------------------------------------------------------------------------------------------------------- */

struct world {
    struct walk_site site;
    pthread_mutex_t rows_lock;
    struct audit audit;
    struct rf_arena rows_arena;
    struct rf_buf rows; /* all that was noted */
    struct arm *arm;
    struct tables *tables;
    struct alerts *alerts;
    struct dispatcher *dispatcher;
    char folder[64];
    rf_str hosts[2], mail_server;
    rf_str token;
    struct json_node *answer;
    struct http_response last;
    struct rf_err err;
};

static void note_row(void *ctx, const char *table, rf_str row)
{
    struct world *w = ctx;
    (void)pthread_mutex_lock(&w->rows_lock);
    rf_buf_printf(&w->rows, "%s %.*s\n", table, RF_FMT(row));
    (void)pthread_mutex_unlock(&w->rows_lock);
}

static bool was_noted(struct world *w, const char *what)
{
    return rf_str_find(rf_buf_view(&w->rows), rf_str_of(what), 0) != SIZE_MAX;
}

RF_PRINTF(2, 3) static const char *text(struct world *w, const char *format, ...)
{
    char *out = rf_arena_alloc(&w->site.arena, 8192);
    va_list args;
    va_start(args, format);
    vsnprintf(out, 8192, format, args);
    va_end(args);
    return out;
}

static void be(struct world *w, const char *oid)
{
    w->token = walk_bearer(&w->site, walk_token(&w->site, &(struct walk_token){.oid = oid}));
}

static int ask(struct world *w, enum http_method method, const char *target, const char *body)
{
    struct walk_call call = {
        .method = method, .target = target, .body = body, .authorization = w->token};
    w->last = walk_exchange(&w->site, w->dispatcher, &call);
    rf_str said = rf_buf_view(&w->last.body);
    w->answer = NULL;
    if (said.len > 0)
        cr_assert(json_parse(said, &w->site.arena, &w->answer, &w->err) == RF_OK, "%.*s",
                  RF_FMT(said));
    return w->last.status;
}

#define expect(w, method, target, sent, wanted)                                                    \
    do {                                                                                           \
        int status_ = ask(w, method, target, sent);                                                \
        cr_assert(status_ == (wanted), "%s: %d %.*s", target, status_,                             \
                  RF_FMT(rf_buf_view(&(w)->last.body)));                                           \
    } while (0)

static void open_alerts(struct world *w)
{
    uint32_t count;
    struct arm_options arm = {.state = w->site.state,
                              .authz = w->site.authz,
                              .site = &w->site.site,
                              .audit = &w->site.audit,
                              .clock = &w->site.clock.clock};
    cr_assert(arm_new(&arm, &w->arm, &w->err) == RF_OK);
    struct alerts_options options = {.state = w->site.state,
                                     .arm = w->arm,
                                     .authz = w->site.authz,
                                     .tables = w->tables,
                                     .site = &w->site.site,
                                     .audit = &w->audit,
                                     .clock = &w->site.clock.clock,
                                     .outbound = {.hosts = w->hosts,
                                                  .host_count = w->hosts[0].len > 0 ? 1 : 0,
                                                  .mail_server = w->mail_server,
                                                  .mail_from = RF_S("ringfort@contoso.example")}};
    cr_assert(alerts_new(&options, &w->alerts, &w->err) == RF_OK, "%s", w->err.text);
    w->dispatcher = walk_dispatcher(&w->site);
    cr_assert(dispatcher_add(w->dispatcher, arm_service(w->arm), &w->err) == RF_OK);
    const struct service *const *services = alerts_services(w->alerts, &count);
    for (uint32_t i = 0; i < count; i++)
        cr_assert(dispatcher_add(w->dispatcher, services[i], &w->err) == RF_OK, "%s", w->err.text);
}

static void close_alerts(struct world *w)
{
    alerts_stop(w->alerts);
    dispatcher_free(w->dispatcher);
    arm_free(w->arm);
    alerts_free(w->alerts);
}

static void world_open(struct world *w, uint16_t hook_port, uint16_t mail_port)
{
    struct state_txn *txn;
    memset(w, 0, sizeof *w);
    walk_site_init(&w->site);
    (void)pthread_mutex_init(&w->rows_lock, NULL);
    rf_arena_init(&w->rows_arena, 64 << 20);
    w->rows = rf_buf_in(&w->rows_arena);
    w->audit = (struct audit){.ctx = w, .row = note_row};
    snprintf(w->folder, sizeof w->folder, "/tmp/rf-alerts-XXXXXX");
    cr_assert(mkdtemp(w->folder) != NULL);
    struct tables_options tables = {
        .fs = rf_fs_real(), .folder = w->folder, .clock = &w->site.clock.clock};
    cr_assert(tables_new(&tables, &w->tables, &w->err) == RF_OK, "%s", w->err.text);
    if (hook_port != 0) w->hosts[0] = rf_str_of(text(w, "localhost:%u", hook_port));
    if (mail_port != 0) w->mail_server = rf_str_of(text(w, "localhost:%u", mail_port));
    open_alerts(w);
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(authz_assign(w->site.authz, txn, RF_S(OWNER), "ServicePrincipal", ROLE_OWNER,
                           RF_S("/"), &w->err) == RF_OK);
    cr_assert(state_commit(txn, &w->err) == RF_OK);
    be(w, OWNER);
    expect(w, HTTP_PUT, RG V, "{\"location\":\"local\"}", 201);
    expect(w, HTTP_PUT, WS V,
           "{\"location\":\"local\",\"properties\":{\"customerId\":\"" GUID "\"}}", 201);
}

static void world_close(struct world *w)
{
    close_alerts(w);
    tables_free(w->tables);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", w->folder);
    cr_assert(system(command) == 0);
    rf_arena_done(&w->rows_arena);
    (void)pthread_mutex_destroy(&w->rows_lock);
    walk_site_done(&w->site);
}

/* Heartbeats of a computer, `ago` minutes before now. */
static void beat(struct world *w, const char *computer, int ago)
{
    rf_usec now = rf_clock_now(&w->site.clock.clock);
    rf_str time = time_iso(&w->site.arena, now - ago * MINUTE);
    rf_str row =
        rf_arena_printf(&w->site.arena, "[{\"TimeGenerated\":\"%.*s\",\"Computer\":\"%s\"}]",
                        RF_FMT(time), computer);
    cr_assert(tables_append_json(w->tables, RF_S(GUID), RF_S("Heartbeat"), row, ticks_of(now), NULL,
                                 &w->err) == RF_OK,
              "%s", w->err.text);
}

#define RULE_BODY(more, condition)                                                                 \
    "{\"location\":\"local\",\"properties\":{\"severity\":1,\"scopes\":[\"" WS                     \
    "\"],\"evaluationFrequency\":\"PT5M\",\"windowSize\":\"PT5M\",\"actions\":{\"actionGroups\":[" \
    "\"" AG "\"],\"customProperties\":{\"team\":\"blue\"}}" more ",\"criteria\":{\"allOf\":[{"     \
    "\"query\":\"Heartbeat\",\"timeAggregation\":\"Count\"" condition                              \
    ",\"operator\":\"GreaterThan\",\"threshold\":1}]}}}"
#define BY_COMPUTER                                                                                \
    ",\"dimensions\":[{\"name\":\"Computer\",\"operator\":\"Include\",\"values\":[\"*\"]}]"

/* Runs the rule for a window that ends now. */
static void run_now(struct world *w)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct state_txn *txn;
    struct arm_resource resource;
    struct log_rule rule;
    atomic_bool cancelled = false;
    int64_t next;
    rf_arena_init(&arena, 1 << 30);
    cr_assert(state_begin_read(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(arm_get(w->arm, txn, RF_S(RULE), &arena, &resource, &w->err) == RF_OK);
    cr_assert(log_rule_parse(resource.body, RF_S("r1"), &arena, &rule, &w->err) == RF_OK);
    rf_usec now = rf_clock_now(&w->site.clock.clock);
    struct rule_run run = {.alerts = w->alerts,
                           .rule = &rule,
                           .rule_id = resource.id,
                           .rule_key = resource.key,
                           .arena = &arena,
                           .to_ticks = ticks_of(now),
                           .now = now,
                           .cancelled = &cancelled};
    cr_assert(place_of(w->arm, txn, rule.scope, &arena, &run.place, &w->err) == RF_OK);
    state_end(txn);
    cr_assert(rule_run(&run, &next, &w->err) == RF_OK, "%s", w->err.text);
    cr_assert(next == ticks_of(now) + 5 * TICKS_PER_MINUTE);
}

/* Sends all that is due; how many. */
static uint32_t deliver(struct world *w)
{
    uint32_t count = 0;
    rf_usec at;
    while (deliver_next(w->alerts, 0, &at)) count++;
    return count;
}

static void pass(struct world *w, int minutes)
{
    rf_clock_fixed_pass(&w->site.clock, minutes * MINUTE);
    be(w, OWNER);
}

static uint32_t listed(struct world *w, const char *parameters)
{
    expect(w, HTTP_GET, text(w, ALERTS V "%s", parameters), NULL, 200);
    return json_get(w->answer, "value")->count;
}

static void put_group(struct world *w, const char *receivers)
{
    int status = ask(w, HTTP_PUT, AG V,
                     text(w,
                          "{\"location\":\"Global\",\"properties\":{\"groupShortName\":\"ag\","
                          "\"enabled\":true,%s}}",
                          receivers));
    cr_assert(status == 200 || status == 201, "%d %.*s", status,
              RF_FMT(rf_buf_view(&w->last.body)));
}

/* ---- tests ---------------------------------------------------------------------------------------------------------------- */

Test(alerts, fires_once_and_resolves)
{
    struct world w;
    world_open(&w, 0, 0);
    put_group(&w, "\"webhookReceivers\":[]");
    expect(&w, HTTP_PUT, RULE V, RULE_BODY("", BY_COMPUTER), 201);
    for (int i = 1; i <= 2; i++) beat(&w, "one", i);
    beat(&w, "two", 1);
    run_now(&w);
    cr_assert(listed(&w, "") == 1);
    const struct json_node *alert = json_get(w.answer, "value")->first;
    cr_expect(rf_str_is(json_text_at(alert, "properties.essentials.severity"), "Sev1"));
    cr_expect(rf_str_is(json_text_at(alert, "properties.essentials.monitorCondition"), "Fired"));
    cr_expect(rf_str_is(json_text_at(alert, "properties.essentials.targetResource"), WS));
    cr_expect(json_at(alert, "properties.context") == NULL);
    cr_assert(listed(&w, "&includeContext=true&severity=Sev1&alertState=New") == 1);
    alert = json_get(w.answer, "value")->first;
    const struct json_node *condition = json_at(alert, "properties.context.condition.allOf")->first;
    cr_expect(rf_str_is(json_text_at(json_get(condition, "dimensions")->first, "value"), "one"));
    cr_expect(rf_str_is(json_get(condition, "metricValue")->text, "2"));
    cr_expect(listed(&w, "&severity=Sev2") == 0);
    cr_expect(listed(&w, "&alertRule=" RULE) == 1);
    cr_expect(listed(&w, "&alertRule=" RULE "x") == 0);
    /* The same again: it is fired already. */
    run_now(&w);
    cr_expect(listed(&w, "") == 1);
    cr_expect(deliver(&w) == 1, "a row waits");
    /* Three runs without. */
    for (int i = 0; i < 3; i++) {
        pass(&w, 5);
        run_now(&w);
        cr_expect(listed(&w, "&monitorCondition=Resolved") == (i == 2 ? 1 : 0), "%d", i);
    }
    cr_expect(deliver(&w) == 1);
    world_close(&w);
}

Test(alerts, rows_are_in_the_workspace_once)
{
    struct world w;
    struct ask_view *view;
    struct answer answer;
    world_open(&w, 0, 0);
    expect(&w, HTTP_PUT, RULE V, RULE_BODY("", ""), 201);
    beat(&w, "one", 1);
    beat(&w, "one", 2);
    run_now(&w);
    /* As if the process had ended behind the append: the row is there, and in the outbox. */
    struct state_txn *txn;
    struct state_list list;
    const struct state_scan scan = {.space = OUTBOX_SPACE};
    cr_assert(state_begin_read(w.site.state, &txn, &w.err) == RF_OK);
    cr_assert(state_list(txn, &scan, &w.site.arena, &list, &w.err) == RF_OK);
    state_end(txn);
    cr_assert(list.count == 1);
    cr_assert(deliver(&w) == 1);
    cr_assert(state_begin_write(w.site.state, &txn, &w.err) == RF_OK);
    const struct state_put put = {
        .space = OUTBOX_SPACE, .key = list.items[0].key, .body = list.items[0].body};
    cr_assert(state_put(txn, &put, NULL, NULL, &w.err) == RF_OK);
    cr_assert(state_commit(txn, &w.err) == RF_OK);
    close_alerts(&w);
    open_alerts(&w);
    cr_assert(deliver(&w) == 1);
    cr_assert(ask_open(w.tables, RF_S(GUID), RF_S("ws"), NULL, 0, &view, &w.err) == RF_OK);
    const struct ask question = {
        .text = RF_S("Alert | where AlertName == 'r1' and AlertSeverity == 'Sev1' and "
                     "StatusDescription == 'Fired' and AlertValue == 2 | project AlertRuleId"),
        .now_ticks = ticks_of(rf_clock_now(&w.site.clock.clock))};
    cr_assert(ask_run(view, &question, &w.site.arena, &answer, &w.err) == RF_OK, "%s", w.err.text);
    cr_assert(rows_count(answer.rows) == 1, "%zu", (size_t)rows_count(answer.rows));
    cr_expect(rf_str_is(rows_value(answer.rows, 0, 0).s, RULE));
    ask_close(view);
    world_close(&w);
}

static rf_str header_in(struct world *w, const struct sink *sink, const char *name)
{
    rf_str heard = rf_str_make(sink->heard, sink->len);
    rf_str start = rf_str_of(text(w, "\r\n%s: ", name));
    size_t at = rf_str_find(heard, start, 0);
    cr_assert(at != SIZE_MAX, "%s is not in %.*s", name, RF_FMT(heard));
    at += start.len;
    return rf_slice(heard, at, rf_str_find(heard, RF_S("\r\n"), at));
}

Test(alerts, webhooks_are_signed_and_tried_again)
{
    struct world w;
    struct sink sink = {.answers = {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"}};
    uint8_t mac[32];
    rf_str key;
    sink_start(&sink);
    world_open(&w, sink.port, 0);
    put_group(&w, text(&w,
                       "\"webhookReceivers\":[{\"name\":\"hook\",\"serviceUri\":"
                       "\"http://localhost:%u/hook?x=1\",\"useCommonAlertSchema\":true}]",
                       sink.port));
    expect(&w, HTTP_POST, AG "/rotateSigningSecret" V, NULL, 200);
    rf_str secret = json_text_at(w.answer, "signingSecret");
    cr_assert(rf_str_starts(secret, RF_S("whsec_")));
    cr_assert(base64_decode(&w.site.arena, rf_slice(secret, 6, secret.len), &key, &w.err) == RF_OK);
    expect(&w, HTTP_PUT, RULE V, RULE_BODY("", ""), 201);
    beat(&w, "one", 1);
    beat(&w, "one", 2);
    run_now(&w);
    cr_assert(deliver(&w) == 2); /* the row, and the one that is refused */
    cr_expect(was_noted(&w, "\"Status\":\"Failed\""));
    sink.len = 0;
    cr_expect(deliver(&w) == 0, "it is put off");
    pass(&w, 1);
    cr_assert(deliver(&w) == 1);
    cr_expect(was_noted(&w, "\"Status\":\"Delivered\""));
    cr_expect(was_noted(&w, "\"Attempts\":2"));
    sink_stop(&sink);
    rf_str heard = rf_str_make(sink.heard, sink.len);
    rf_str body = rf_slice(heard, rf_str_find(heard, RF_S("\r\n\r\n"), 0) + 4, heard.len);
    rf_str signed_text =
        rf_arena_printf(&w.site.arena, "%.*s.%.*s.%.*s", RF_FMT(header_in(&w, &sink, "webhook-id")),
                        RF_FMT(header_in(&w, &sink, "webhook-timestamp")), RF_FMT(body));
    digest_hmac_sha256(key, signed_text, mac);
    rf_str wanted =
        rf_arena_printf(&w.site.arena, "v1,%.*s",
                        RF_FMT(base64_encode(&w.site.arena, rf_str_make(mac, sizeof mac))));
    cr_expect(rf_str_eq(header_in(&w, &sink, "webhook-signature"), wanted));
    cr_expect(rf_str_starts(heard, RF_S("POST /hook?x=1 HTTP/1.1\r\n")));
    struct json_node *payload;
    cr_assert(json_parse(body, &w.site.arena, &payload, &w.err) == RF_OK);
    cr_expect(rf_str_is(json_text_at(payload, "schemaId"), "azureMonitorCommonAlertSchema"));
    static const struct {
        const char *path, *value;
    } rows[] = {{"data.essentials.alertRule", "r1"},
                {"data.essentials.severity", "Sev1"},
                {"data.essentials.monitorCondition", "Fired"},
                {"data.essentials.monitoringService", "Log Alerts V2"},
                {"data.essentials.essentialsVersion", "1.0"},
                {"data.alertContext.conditionType", "LogQueryCriteria"},
                {"data.alertContext.condition.windowSize", "PT5M"},
                {"data.alertContext.properties.team", "blue"},
                {"data.customProperties.team", "blue"}};
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        cr_expect(rf_str_is(json_text_at(payload, rows[i].path), rows[i].value), "%s: %.*s",
                  rows[i].path, RF_FMT(json_text_at(payload, rows[i].path)));
    world_close(&w);
}

/* What nobody takes for a day is given up with a row; hosts that are not named are not asked. */
Test(alerts, gives_up_behind_a_day)
{
    struct world w;
    world_open(&w, 0, 0);
    put_group(&w, "\"webhookReceivers\":[{\"name\":\"hook\",\"serviceUri\":"
                  "\"http://127.0.0.1:9/\"}],\"smsReceivers\":[{\"name\":\"s\",\"countryCode\":"
                  "\"1\",\"phoneNumber\":\"2\"}]");
    expect(&w, HTTP_PUT, RULE V, RULE_BODY("", ""), 201);
    beat(&w, "one", 1);
    beat(&w, "one", 2);
    run_now(&w);
    cr_expect(was_noted(&w, "\"Status\":\"NotSupported\""));
    cr_assert(deliver(&w) == 2);
    cr_expect(was_noted(&w, "is not among the hosts"));
    int tries = 1;
    rf_usec at = 0;
    for (; tries < 100; tries++) {
        bool sent = deliver_next(w.alerts, 0, &at);
        cr_assert(!sent);
        if (at == INT64_MAX) break;
        rf_clock_fixed_pass(&w.site.clock, at - rf_clock_now(&w.site.clock.clock));
        cr_assert(deliver_next(w.alerts, 0, &at));
    }
    cr_expect(tries > 20 && tries < 50, "%d", tries);
    cr_expect(was_noted(&w, "\"Status\":\"GivenUp\""));
    rf_usec last = rf_clock_now(&w.site.clock.clock) - WALK_NOW * RF_USEC_PER_SECOND;
    cr_expect(last > 22 * 60 * MINUTE && last <= 24 * 60 * MINUTE);
    world_close(&w);
}

Test(alerts, mail_reaches_its_server)
{
    struct world w;
    struct sink sink = {.is_smtp = true};
    sink_start(&sink);
    world_open(&w, 0, sink.port);
    put_group(&w, "\"emailReceivers\":[{\"name\":\"ops\",\"emailAddress\":\"ops@contoso.example\"},"
                  "{\"name\":\"gone\",\"emailAddress\":\"gone@contoso.example\"}]");
    expect(&w, HTTP_PUT, RULE V, RULE_BODY("", ""), 201);
    beat(&w, "one", 1);
    beat(&w, "one", 2);
    run_now(&w);
    cr_expect(deliver(&w) == 3);
    pass(&w, 1);
    cr_expect(deliver(&w) == 0, "one is sent, the other refused for good");
    sink_stop(&sink);
    static const char *const parts[] = {
        "EHLO ringfort.localhost\r\n", "MAIL FROM:<ringfort@contoso.example>\r\n",
        "RCPT TO:<ops@contoso.example>\r\n", "RCPT TO:<gone@contoso.example>\r\n",
        "Subject: Fired:Sev1 Alert r1 on ws\r\n"};
    for (size_t i = 0; i < RF_COUNT(parts); i++)
        cr_expect(memmem(sink.heard, sink.len, parts[i], strlen(parts[i])) != NULL, "%s: %s",
                  parts[i], sink.heard);
    world_close(&w);
}

Test(alerts, states_and_history)
{
    struct world w;
    world_open(&w, 0, 0);
    expect(&w, HTTP_PUT, RULE V, RULE_BODY("", ""), 201);
    beat(&w, "one", 1);
    beat(&w, "one", 2);
    run_now(&w);
    cr_assert(listed(&w, "") == 1);
    const char *id =
        rf_arena_cstr(&w.site.arena, json_text_at(json_get(w.answer, "value")->first, "id"));
    expect(&w, HTTP_GET, text(&w, "%s" V, id), NULL, 200);
    cr_expect(json_get(w.answer, "history") == NULL);
    expect(&w, HTTP_POST, text(&w, "%s/changestate" V "&newState=Odd", id), NULL, 400);
    expect(&w, HTTP_POST, text(&w, "%s/changestate" V "&newState=closed", id),
           "{\"comments\":\"done\"}", 200);
    cr_expect(rf_str_is(json_text_at(w.answer, "properties.essentials.alertState"), "Closed"));
    expect(&w, HTTP_POST, text(&w, "%s/history" V, id), NULL, 200);
    const struct json_node *list = json_at(w.answer, "properties.modifications");
    cr_assert(list->count == 2);
    cr_expect(rf_str_is(json_text_at(list->last, "newValue"), "Closed"));
    cr_expect(rf_str_is(json_text_at(list->last, "modifiedBy"), OWNER));
    cr_expect(rf_str_is(json_text_at(list->last, "comments"), "done"));
    expect(&w, HTTP_GET,
           SUB "/providers/Microsoft.AlertsManagement/alertsSummary" V "&groupby=severity", NULL,
           200);
    list = json_at(w.answer, "properties.values");
    cr_assert(list->count == 1);
    cr_expect(rf_str_is(json_text_at(list->first, "name"), "Sev1"));
    /* What stands elsewhere is not shown there. */
    size_t prefix = strlen(SUB);
    expect(&w, HTTP_GET, text(&w, RG "%s" V, id + prefix), NULL, 200);
    expect(&w, HTTP_GET, text(&w, SUB "/resourceGroups/other%s" V, id + prefix), NULL, 404);
    be(&w, STRANGER);
    expect(&w, HTTP_GET, text(&w, "%s" V, id), NULL, 403);
    be(&w, OWNER);
    /* An alert ends with its rule. */
    expect(&w, HTTP_DELETE, RULE V, NULL, 200);
    cr_expect(listed(&w, "&monitorCondition=Resolved") == 1);
    world_close(&w);
}

Test(alerts, test_notifications)
{
    struct world w;
    struct sink sink = {.answers = {NULL}};
    sink_start(&sink);
    world_open(&w, sink.port, 0);
    put_group(&w, "\"webhookReceivers\":[]");
    expect(&w, HTTP_POST, AG "/createNotifications" V,
           text(&w,
                "{\"alertType\":\"logalertv2\",\"webhookReceivers\":[{\"name\":\"hook\","
                "\"serviceUri\":\"http://localhost:%u/\"},{\"name\":\"out\",\"serviceUri\":"
                "\"https://169.254.169.254/\"}]}",
                sink.port),
           202);
    rf_str location = walk_header(&w.last, "Location");
    rf_str origin = RF_S("https://localhost:8443");
    cr_assert(rf_str_starts(location, origin), "%.*s", RF_FMT(location));
    const char *target = rf_arena_cstr(&w.site.arena, rf_slice(location, origin.len, location.len));
    expect(&w, HTTP_GET, target, NULL, 202);
    cr_assert(deliver(&w) == 2);
    expect(&w, HTTP_GET, target, NULL, 200);
    sink_stop(&sink);
    cr_expect(rf_str_is(json_text_at(w.answer, "state"), "Complete"));
    const struct json_node *details = json_get(w.answer, "actionDetails");
    cr_assert(details->count == 2);
    bool first_is_hook = rf_str_is(json_text_at(details->first, "Name"), "hook");
    const struct json_node *hook = first_is_hook ? details->first : details->last;
    const struct json_node *other = first_is_hook ? details->last : details->first;
    cr_expect(rf_str_is(json_text_at(hook, "Status"), "Succeeded"));
    cr_expect(rf_str_is(json_text_at(other, "Status"), "Failed"));
    cr_expect(rf_str_is(json_text_at(other, "SubState"), "HostNotAllowed"));
    world_close(&w);
}

Test(alerts, rules_and_groups_are_checked)
{
    static const struct {
        const char *target, *body, *named;
    } rows[] = {
        {RULE V, "{\"location\":\"l\",\"properties\":{}}", "properties.scopes"},
        {RULE V, RULE_BODY("", ",\"resourceIdColumn\":\"Nope\""), "resourceIdColumn"},
        {AG V, "{\"location\":\"l\",\"properties\":{}}", "groupShortName"},
        {AG V, "{\"location\":\"l\",\"properties\":{\"groupShortName\":\"1234567890123\"}}",
         "groupShortName"},
        {AG V,
         "{\"location\":\"l\",\"properties\":{\"groupShortName\":\"a\",\"emailReceivers\":[{"
         "\"name\":\"a\",\"emailAddress\":\"a@b\\r\\nBcc: c@d\"}]}}",
         "emailReceivers[0].emailAddress"},
        {AG V,
         "{\"location\":\"l\",\"properties\":{\"groupShortName\":\"a\",\"webhookReceivers\":[{"
         "\"name\":\"a\",\"serviceUri\":\"file:///etc/passwd\"}]}}",
         "webhookReceivers[0].serviceUri"},
    };
    struct world w;
    world_open(&w, 0, 0);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        expect(&w, HTTP_PUT, rows[i].target, rows[i].body, 400);
        rf_str why = json_text_at(w.answer, "error.message");
        cr_expect(rf_str_find(why, rf_str_of(rows[i].named), 0) != SIZE_MAX, "%.*s", RF_FMT(why));
    }
    /* The query is checked, unless nobody wants that. */
    char body[4096];
    snprintf(body, sizeof body, "%s", RULE_BODY("", ""));
    char *query = strstr(body, "\"Heartbeat\"");
    memcpy(query, "\"Nonsense_\"", strlen("\"Heartbeat\""));
    expect(&w, HTTP_PUT, RULE V, body, 400);
    cr_expect(rf_str_find(json_text_at(w.answer, "error.message"), RF_S("allOf[0].query"), 0) !=
              SIZE_MAX);
    world_close(&w);
}

Test(alerts, receivers_that_left_come_back)
{
    struct world w;
    world_open(&w, 0, 0);
    put_group(&w, "\"emailReceivers\":[{\"name\":\"a\",\"emailAddress\":\"a@b\",\"status\":"
                  "\"Disabled\"}]");
    expect(&w, HTTP_PUT, RULE V, RULE_BODY("", ""), 201);
    beat(&w, "one", 1);
    beat(&w, "one", 2);
    run_now(&w);
    cr_expect(deliver(&w) == 1, "only the row");
    expect(&w, HTTP_POST, AG "/subscribe" V, "{\"receiverName\":\"b\"}", 404);
    expect(&w, HTTP_POST, AG "/subscribe" V, "{\"receiverName\":\"a\"}", 200);
    expect(&w, HTTP_POST, AG "/subscribe" V, "{\"receiverName\":\"a\"}", 409);
    expect(&w, HTTP_GET, AG V, NULL, 200);
    const struct json_node *list = json_at(w.answer, "properties.emailReceivers");
    cr_expect(rf_str_is(json_text_at(list->first, "status"), "Enabled"));
    world_close(&w);
}

/* The threads do by themselves what the tests above did by hand. */
Test(alerts, runs_by_itself)
{
    struct world w;
    struct sink sink = {.answers = {NULL}};
    sink_start(&sink);
    world_open(&w, sink.port, 0);
    w.alerts->options.rule_delay = 1;
    put_group(&w, text(&w,
                       "\"logicAppReceivers\":[{\"name\":\"app\",\"resourceId\":\"/x\","
                       "\"callbackUrl\":\"http://localhost:%u/\"}]",
                       sink.port));
    beat(&w, "one", 1);
    beat(&w, "one", 2);
    cr_assert(alerts_start(w.alerts, &w.err) == RF_OK);
    expect(&w, HTTP_PUT, RULE V, RULE_BODY("", ""), 201);
    rf_clock_fixed_pass(&w.site.clock, RF_USEC_PER_SECOND);
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    cr_assert(sem_timedwait(&sink.answered, &until) == 0);
    alerts_stop(w.alerts);
    sink_stop(&sink);
    cr_expect(memmem(sink.heard, sink.len, "azureMonitorCommonAlertSchema", 29) != NULL);
    world_close(&w);
}

static uint32_t fired(struct world *w)
{
    const struct json_node *value;
    expect(w, HTTP_GET, ALERTS "?api-version=2019-05-05-preview", NULL, 200);
    value = json_get(w->answer, "value");
    return value == NULL ? UINT32_MAX : value->count;
}

Test(alerts, rows_that_come_late_fire_once)
{
    struct world w;
    world_open(&w, 0, 0);
    expect(&w, HTTP_PUT, AG V,
           "{\"location\":\"Global\",\"properties\":{\"groupShortName\":\"ag\",\"enabled\":true}}",
           201);
    expect(&w, HTTP_PUT, RULE V, RULE_BODY(",\"autoMitigate\":false", BY_COMPUTER), 201);
    for (int i = 0; i < 3; i++) {
        if (i == 1) beat(&w, "a", 1);
        if (i == 1) beat(&w, "a", 1);
        run_now(&w);
        rf_clock_fixed_pass(&w.site.clock, 5 * MINUTE);
        be(&w, OWNER);
    }
    cr_expect_eq(fired(&w), 1);
    beat(&w, "a", 11); /* of the window that fired */
    beat(&w, "b", 12); /* of the same, and of the one before */
    beat(&w, "b", 12);
    beat(&w, "c", 12);
    run_now(&w);
    cr_expect_eq(fired(&w), 2, "'b' alone is new");
    for (int i = 0; i < 3; i++) {
        rf_clock_fixed_pass(&w.site.clock, 5 * MINUTE);
        be(&w, OWNER);
        close_alerts(&w);
        open_alerts(&w);
        run_now(&w);
    }
    cr_expect_eq(fired(&w), 2);
    world_close(&w);
}

Test(alerts, a_rule_that_keeps_failing_shows_it_and_goes_on)
{
    struct world w;
    world_open(&w, 0, 0);
    expect(&w, HTTP_PUT, AG V,
           "{\"location\":\"Global\",\"properties\":{\"groupShortName\":\"ag\",\"enabled\":true}}",
           201);
    expect(
        &w, HTTP_PUT, RULE V,
        "{\"location\":\"local\",\"properties\":{\"severity\":1,\"scopes\":[\"" WS
        "\"],\"evaluationFrequency\":\"PT5M\",\"windowSize\":\"PT5M\",\"skipQueryValidation\":true,"
        "\"criteria\":{\"allOf\":[{\"query\":\"Later_CL\",\"timeAggregation\":\"Count\","
        "\"operator\":\"GreaterThan\",\"threshold\":0}]}}}",
        201);
    for (int i = 0; i < RULE_FAILURES_MAX; i++) {
        cr_expect(!was_noted(&w, "Unavailable"));
        rf_clock_fixed_pass(&w.site.clock, 5 * MINUTE);
        run_now(&w);
        cr_expect(was_noted(&w, "Degraded"));
    }
    cr_expect(was_noted(&w, "Unavailable"));
    be(&w, OWNER);
    expect(&w, HTTP_GET, RULE V, NULL, 200);
    cr_expect(
        rf_str_is(json_text_at(w.answer, "properties.ringfortHealth.availability"), "Unavailable"));
    cr_expect(json_bool_at(w.answer, "properties.enabled", false));
    static const struct table_column columns[] = {
        {{(const uint8_t *)"TimeGenerated", 13}, TYPE_DATETIME, false},
        {{(const uint8_t *)"TenantId", 8}, TYPE_STRING, true},
        {{(const uint8_t *)"Type", 4}, TYPE_STRING, true}};
    const struct table_def def = {
        .name = RF_S("Later_CL"), .columns = columns, .column_count = RF_COUNT(columns)};
    cr_assert(tables_define(w.tables, RF_S(GUID), &def, &w.err) == RF_OK, "%s", w.err.text);
    run_now(&w);
    cr_expect(was_noted(&w, "Available"));
    expect(&w, HTTP_GET, RULE V, NULL, 200);
    cr_expect_null(json_get(json_get(w.answer, "properties"), "ringfortHealth"));
    world_close(&w);
}
