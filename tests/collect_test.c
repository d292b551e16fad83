/* The collectors as senders and administrators see them: resources, keys, HTTP routes, and real sockets. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/json.h"
#include "collect/collect.h"
#include "logs/logs_world.h"
#include "net/stream.h"
#include "net/tls.h"

#define C_GROUP W_GROUP "/providers/Ringfort.Collect/"
#define C_V "?api-version=2026-01-01"
#define SECRET "0123456789abcdef01234567"

struct rig {
    struct world w;
    struct collect *collect;
    struct collect_ports *ports;
    struct server *server;
    struct tls_context *tls;
    EVP_PKEY *key;
    rf_str cert_pem;
};

static EVP_PKEY *make_key(void)
{
    EVP_PKEY *key;
    struct rf_err err;
    cr_assert(key_make(KEY_P256, &key, &err) == RF_OK, "%s", err.text);
    return key;
}

/* An authority's certificate, valid on the day of the rig's clock, signed with its own key. */
static rf_str make_authority(struct world *w, EVP_PKEY *key, const char *name)
{
    struct cert_request request = {.subject_cn = rf_str_of(name),
                                   .not_before = (WALK_NOW - 7200) * RF_USEC_PER_SECOND,
                                   .not_after = (WALK_NOW + 7200) * RF_USEC_PER_SECOND,
                                   .is_ca = true};
    rf_str der;
    cr_assert(cert_make(&request, key, key, (rf_str){0}, &w->site.arena, &der, &w->err) == RF_OK);
    return cert_pem(&w->site.arena, der);
}

/* ---- a server ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind sign(void *ctx, const uint8_t *leaf, rf_str digest, uint8_t *out, size_t cap,
                         size_t *len, struct rf_err *err)
{
    (void)leaf;
    EVP_PKEY_CTX *pkey = EVP_PKEY_CTX_new(ctx, NULL);
    *len = cap;
    bool good = EVP_PKEY_sign_init(pkey) == 1 &&
                EVP_PKEY_CTX_set_signature_md(pkey, EVP_sha256()) == 1 &&
                EVP_PKEY_sign(pkey, out, len, digest.ptr, digest.len) == 1;
    EVP_PKEY_CTX_free(pkey);
    return good ? RF_OK : RF_FAIL(err, RF_IO, "SignFailed", "sign");
}

static void rig_start(struct rig *rig, size_t queue_bytes)
{
    struct world *w = &rig->w;
    memset(rig, 0, sizeof *rig);
    w_init(w);
    struct server_options server = {.handler = dispatcher_handler(w->dispatcher),
                                    .loops = 1,
                                    .quick_workers = 1,
                                    .heavy_workers = 1,
                                    .clock = rf_clock_real()};
    rf_str any = RF_S("127.0.0.1:0");
    rig->key = make_key();
    rig->cert_pem = make_authority(w, rig->key, "server");
    struct tls_server_options tls = {
        .chain_pem = rig->cert_pem, .sign = sign, .sign_ctx = rig->key, .client = TLS_CLIENT_ASKED};
    cr_assert(tls_server_new(&tls, &rig->tls, &w->err) == RF_OK, "%s", w->err.text);
    cr_assert(server_new(&server, &rig->server, &w->err) == RF_OK, "%s", w->err.text);
    struct collect_listen_options listen = {.udp = &any,
                                            .udp_count = 1,
                                            .tcp = &any,
                                            .tcp_count = 1,
                                            .tls = &any,
                                            .tls_count = 1,
                                            .tls_context = rig->tls};
    cr_assert(collect_listen(rig->server, &listen, &rig->ports, &w->err) == RF_OK, "%s",
              w->err.text);
    struct collect_options options = {.state = w->site.state,
                                      .arm = w->arm,
                                      .authz = w->site.authz,
                                      .tables = w->tables,
                                      .site = &w->site.site,
                                      .audit = &w->site.audit,
                                      .clock = &w->site.clock.clock,
                                      .ports = rig->ports,
                                      .rules = {w->logs, logs_append_by_rule},
                                      .queue_bytes_max = queue_bytes};
    cr_assert(collect_new(&options, &rig->collect, &w->err) == RF_OK, "%s", w->err.text);
    uint32_t count;
    const struct service *const *services = collect_services(rig->collect, &count);
    for (uint32_t i = 0; i < count; i++)
        cr_assert(dispatcher_add(w->dispatcher, services[i], &w->err) == RF_OK, "%s", w->err.text);
    cr_assert(collect_start(rig->collect, &w->err) == RF_OK);
    cr_assert(server_start(rig->server, &w->err) == RF_OK);
}

/* Ends the senders' side; what waited is stored then, and can be asked for. */
static void rig_settle(struct rig *rig)
{
    server_stop(rig->server, RF_USEC_PER_SECOND);
    server_free(rig->server);
    rig->server = NULL;
    dispatcher_free(rig->w.dispatcher);
    collect_stop(rig->collect);
    arm_free(rig->w.arm);
    collect_free(rig->collect);
    collect_ports_free(rig->ports);
    rig->collect = NULL;
}

static void rig_done(struct rig *rig)
{
    char command[100];
    if (rig->collect != NULL) rig_settle(rig);
    logs_free(rig->w.logs);
    tables_free(rig->w.tables);
    tls_free(rig->tls);
    EVP_PKEY_free(rig->key);
    walk_site_done(&rig->w.site);
    (void)snprintf(command, sizeof command, "rm -rf %s", rig->w.folder);
    cr_assert(system(command) == 0);
}

static void put_token(struct world *w, const char *more)
{
    char body[600];
    (void)snprintf(body, sizeof body,
                   "{\"properties\":{\"workspaceResourceId\":\"" W_WS "\",\"secret\":\"" SECRET
                   "\"%s}}",
                   more);
    w_expect(w, "PUT", C_GROUP "tokens/agents" C_V, body, 201);
}

static void put_listener(struct world *w, const char *name, const char *more)
{
    char target[300];
    rf_str body = rf_arena_printf(
        &w->site.arena, "{\"properties\":{\"workspaceResourceId\":\"" W_WS "\",%s}}%c", more, 0);
    (void)snprintf(target, sizeof target, C_GROUP "listeners/%s" C_V, name);
    w_expect(w, "PUT", target, (const char *)body.ptr, 201);
}

/* A call of a sender: without a bearer token, with a key. The body may be of any bytes. */
static int send_by_key(struct world *w, const char *target, const char *type, const char *key,
                       const char *body)
{
    rf_str mine = w->token;
    w->token = rf_arena_printf(&w->site.arena, "Splunk %s", key);
    if (key[0] == 0) w->token = (rf_str){0};
    struct walk_call call = {
        .target = target, .body = body, .authorization = w->token, .method = HTTP_POST};
    call.headers[0] = (struct http_header){RF_S("Content-Type"), rf_str_of(type)};
    w->last = walk_exchange(&w->site, w->dispatcher, &call);
    w->token = mine;
    return w->last.status;
}

static const char *last_body(struct world *w)
{
    rf_str text = rf_buf_view(&w->last.body);
    return text.len == 0 ? "" : rf_arena_cstr(&w->site.arena, text);
}

/* ---- resources ------------------------------------------------------------------------------------------------------------------ */

Test(collect, listeners_are_checked)
{
    static const struct {
        const char *properties, *says;
    } tests[] = {
        {"\"protocol\":\"amqp\",\"allowedAddresses\":[\"10.0.0.0/8\"]", "'protocol' must be"},
        {"\"protocol\":\"syslog-udp\"", "'allowedAddresses' is missing"},
        {"\"protocol\":\"syslog-udp\",\"allowedAddresses\":[\"10.0.0.0/99\"]",
         "neither an address"},
        {"\"protocol\":\"syslog-udp\",\"allowedAddresses\":[\"10.0.0.1\"],\"timeZone\":\"Mars/X\"",
         "time zone"},
        {"\"protocol\":\"syslog-udp\",\"allowedAddresses\":[\"::1\"],\"allowedAdresses\":[]",
         "Did you mean 'allowedAddresses'?"},
        {"\"protocol\":\"syslog-tls\",\"trustedCertificates\":\"x\"", "in PEM"},
        {"\"protocol\":\"syslog-tcp\",\"allowedAddresses\":[\"::1\"],\"subjects\":[\"x\"]",
         "are for syslog-tls"},
        {"\"protocol\":\"syslog-tls\",\"clientCertificate\":\"Optional\"",
         "'allowedAddresses' is missing"},
        {"\"protocol\":\"syslog-tcp\",\"allowedAddresses\":[\"::1\"],\"address\":\"514\"",
         "'address' must be"},
    };
    struct rig rig;
    rig_start(&rig, 0);
    struct world *w = &rig.w;
    for (size_t i = 0; i < RF_COUNT(tests); i++) {
        char body[800];
        (void)snprintf(body, sizeof body,
                       "{\"properties\":{\"workspaceResourceId\":\"" W_WS "\",%s}}",
                       tests[i].properties);
        w_expect_code(w, "PUT", C_GROUP "listeners/x" C_V, body, 400, "InvalidParameter");
        cr_expect(strstr(w_text(w, "error.message"), tests[i].says) != NULL, "%s: %s",
                  tests[i].properties, w_text(w, "error.message"));
    }
    w_expect_code(w, "PUT", C_GROUP "listeners/x" C_V,
                  "{\"properties\":{\"protocol\":\"syslog-udp\",\"allowedAddresses\":[\"::1\"],"
                  "\"workspaceResourceId\":\"" W_WS "x\"}}",
                  400, "InvalidParameter");
    rig_done(&rig);
}

Test(collect, a_secret_is_shown_once_and_kept_as_a_digest)
{
    struct rig rig;
    rig_start(&rig, 0);
    struct world *w = &rig.w;
    w_expect(w, "PUT", C_GROUP "tokens/agents" C_V,
             "{\"properties\":{\"workspaceResourceId\":\"" W_WS "\",\"uses\":[\"hec\"]}}", 201);
    w_expect_json(w, "properties.hasSecret", "false");
    cr_assert(send_by_key(w, "/services/collector", "application/json", "", "{\"event\":\"a\"}") ==
              401);
    cr_assert_str_eq(last_body(w), "{\"text\":\"Token is required\",\"code\":2}");
    w_expect(w, "POST", C_GROUP "tokens/agents/regenerateKey" C_V, NULL, 200);
    const char *secret = w_text(w, "secret");
    cr_assert(strlen(secret) == GUID_TEXT_BYTES);
    w_expect(w, "GET", C_GROUP "tokens/agents" C_V, NULL, 200);
    w_expect_json(w, "properties.hasSecret", "true");
    cr_assert(!walk_body_has(&w->last, secret));
    cr_assert(send_by_key(w, "/services/collector", "application/json", secret,
                          "{\"event\":\"a\"}") == 200,
              "%s", last_body(w));
    cr_assert_str_eq(last_body(w), "{\"text\":\"Success\",\"code\":0}");
    /* It is for HEC only. */
    cr_assert(send_by_key(w, "/v1/logs", "application/json", secret, "{}") == 403);
    cr_assert_str_eq(last_body(w),
                     "{\"code\":7,\"message\":\"The token is not for this kind of data.\"}");
    w_expect(w, "POST", C_GROUP "tokens/agents/regenerateKey" C_V, NULL, 200);
    cr_assert(send_by_key(w, "/services/collector", "application/json", secret,
                          "{\"event\":\"a\"}") == 403,
              "the old one is good no more");
    cr_assert_str_eq(last_body(w), "{\"text\":\"Invalid token\",\"code\":4}");
    w_expect(w, "DELETE", C_GROUP "tokens/agents" C_V, NULL, 200);
    rig_done(&rig);
}

Test(collect, a_disabled_token_is_refused)
{
    struct rig rig;
    rig_start(&rig, 0);
    put_token(&rig.w, ",\"enabled\":false");
    cr_assert(!walk_body_has(&rig.w.last, SECRET));
    cr_assert(send_by_key(&rig.w, "/services/collector", "application/json", SECRET, "{}") == 403);
    cr_assert_str_eq(last_body(&rig.w), "{\"text\":\"Token disabled\",\"code\":1}");
    rig_done(&rig);
}

/* ---- HTTP ------------------------------------------------------------------------------------------------------------------------- */

#define LOGS                                                                                       \
    "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"severityText\":\"Info\",\"body\":{"    \
    "\"stringValue\":\"hello\"}}]}]}]}"

Test(collect, who_may_send_by_a_token_of_the_directory)
{
    struct rig rig;
    rig_start(&rig, 0);
    struct world *w = &rig.w;
    w_header(w, "Content-Type", "application/json");
    w_expect(w, "POST", "/v1/logs", LOGS, 403); /* an owner has no right on data */
    w_be(w, W_SENDER, "https://monitor.azure.com");
    w_header(w, "Content-Type", "application/json");
    w_expect(w, "POST", "/v1/logs", LOGS, 200);
    cr_assert_str_eq(last_body(w), "{}");
    w_header(w, "Content-Type", "application/json");
    w_header(w, "X-Ringfort-Workspace", W_WS);
    w_expect(w, "POST", "/v1/logs", LOGS, 200);
    w_header(w, "Content-Type", "application/json");
    w_header(w, "X-Ringfort-Workspace", "other");
    w_expect(w, "POST", "/v1/logs", LOGS, 403);
    w_expect_rows(w, "OTelLogs | summarize count(), any(Body)", "2 hello;");
    cr_assert(send_by_key(w, "/v1/logs", "application/json", "wrong-wrong-wrong-wrong", LOGS) ==
              401);
    cr_assert_str_eq(walk_header(&w->last, "WWW-Authenticate").ptr == NULL ? "" : "there", "there");
    rig_done(&rig);
}

/* Each route, with bodies that would be taken: none without a token, with a wrong one, or with one of who has no right. */
Test(collect, no_route_runs_for_a_stranger)
{
    struct rig rig;
    rig_start(&rig, 0);
    struct world *w = &rig.w;
    uint32_t count, checked = 0;
    put_token(w, "");
    const struct service *const *services = collect_services(rig.collect, &count);
    for (uint32_t s = 0; s < count; s++)
        for (uint32_t i = 0; i < services[s]->route_count; i++) {
            const struct route *route = &services[s]->routes[i];
            const char *path = (const char *)walk_path(&w->site.arena, route->path).ptr;
            if (route->method == HTTP_GET) continue; /* health */
            int none = send_by_key(w, path, "application/json", "", "{\"event\":1}");
            cr_expect(none == 401, "%s: %d", path, none);
            int wrong = send_by_key(w, path, "application/json", SECRET "x", "{\"event\":1}");
            cr_expect(wrong == 401 || wrong == 403, "%s: %d", path, wrong);
            w_be(w, "aaaaaaaa-0000-0000-0000-000000000999", "https://monitor.azure.com");
            w_header(w, "Content-Type", "application/json");
            int stranger = w_call(w, "POST", path, "{\"event\":1}");
            cr_expect(stranger == 403 || stranger == 401, "%s: %d", path, stranger);
            w_be(w, W_SENDER, "https://vault.azure.net");
            w_header(w, "Content-Type", "application/json");
            int elsewhere = w_call(w, "POST", path, "{\"event\":1}");
            cr_expect(elsewhere == 401 || elsewhere == 403, "%s: %d", path, elsewhere);
            checked++;
        }
    cr_assert(checked == 12);
    w_be(w, W_OWNER, NULL);
    w_expect(w, "GET", C_GROUP "tokens/agents" C_V, NULL, 200);
    w_expect_i64(w, "properties.status.rows", 0);
    rig_done(&rig);
}

Test(collect, forms_of_otlp)
{
    struct rig rig;
    rig_start(&rig, 0);
    struct world *w = &rig.w;
    put_token(w, "");
    cr_assert(send_by_key(w, "/v1/logs", "text/plain", SECRET, LOGS) == 415);
    cr_assert(send_by_key(w, "/v1/logs", "application/json", SECRET, "{") == 400);
    cr_assert(send_by_key(w, "/v1/logs", "application/x-protobuf", SECRET, "\x0a\x7f") == 400);
    cr_assert(((const uint8_t *)last_body(w))[0] == 0x08, "a Status");
    cr_assert(send_by_key(w, "/v1/logs", "application/x-protobuf", SECRET, "") == 200);
    cr_assert_str_eq(last_body(w), "");
    cr_assert(send_by_key(w, "/v1/logs", "application/json", SECRET,
                          "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[5]}]}]}") == 200);
    cr_assert_str_eq(last_body(w), "{\"partialSuccess\":{\"rejectedLogRecords\":\"1\","
                                   "\"errorMessage\":\"a record is no object\"}}");
    cr_assert(
        send_by_key(w, "/v1/traces", "application/json", SECRET,
                    "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"s\"}]}]}]}") ==
        200);
    cr_assert(send_by_key(w, "/v1/metrics", "application/json", SECRET,
                          "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\","
                          "\"gauge\":{\"dataPoints\":[{\"asDouble\":2.5}]}}]}]}]}") == 200);
    w_expect_rows(w, "OTelSpans | project Name, StatusCode", "s Unset;");
    w_expect_rows(w, "OTelMetrics | project MetricName, Value", "m 2.5;");
    rig_done(&rig);
}

Test(collect, hec_answers_as_splunk_does)
{
    struct rig rig;
    rig_start(&rig, 0);
    struct world *w = &rig.w;
    put_token(w, "");
    cr_assert(send_by_key(w, "/services/collector/event", "", SECRET,
                          "{\"event\":\"a\",\"host\":\"h\"}{\"event\":{\"k\":1}}") == 200);
    cr_assert(send_by_key(w, "/services/collector/raw?host=r&sourcetype=t", "", SECRET, "x\ny\n") ==
              200);
    cr_assert(send_by_key(w, "/services/collector/event", "", SECRET, "{\"event\":\"a\"}{") == 400);
    cr_assert_str_eq(last_body(w), "{\"text\":\"Invalid data format\",\"code\":6,"
                                   "\"invalid-event-number\":1}");
    cr_assert(send_by_key(w, "/services/collector/event", "", SECRET, "") == 400);
    cr_assert_str_eq(last_body(w), "{\"text\":\"No data\",\"code\":5}");
    w_expect(w, "GET", "/services/collector/health", NULL, 200);
    cr_assert_str_eq(last_body(w), "{\"text\":\"HEC is healthy\",\"code\":17}");
    w_expect_rows(w,
                  "HecEvents | order by Host asc, Event asc | project Host, Event, "
                  "tolong(EventData.k)",
                  " {\"k\":1} 1;h a null;r x null;r y null;");
    rig_done(&rig);
}

Test(collect, tables_windows_events_and_lines)
{
    struct rig rig;
    rig_start(&rig, 0);
    struct world *w = &rig.w;
    put_token(w, "");
    w_expect(w, "PUT", W_WS "/tables/App_CL" W_V,
             "{\"properties\":{\"schema\":{\"name\":\"App_CL\",\"columns\":[{\"name\":"
             "\"TimeGenerated\",\"type\":\"dateTime\"},{\"name\":\"Msg\",\"type\":\"string\"}]}}}",
             201);
    cr_assert(send_by_key(w, "/collect/tables/App_CL", "application/json", SECRET,
                          "[{\"Msg\":\"a\"},{\"Msg\":\"b\"}]") == 200);
    cr_assert_str_eq(last_body(w), "{\"rows\":2}");
    cr_assert(send_by_key(w, "/collect/tables/App_CL?time=date", "application/x-ndjson", SECRET,
                          "{\"Msg\":\"c\",\"date\":1426279439.5}\n{\"Msg\":\"d\"}") == 200);
    w_expect_rows(w, "App_CL | order by Msg asc | project Msg, getyear(TimeGenerated)",
                  "a 2026;b 2026;c 2015;d 2026;");
    cr_assert(send_by_key(w, "/collect/tables/None_CL", "", SECRET, "{}") == 404);
    cr_assert(send_by_key(w, "/collect/tables/App_CL", "", SECRET, "[1]") == 400);
    cr_assert(
        send_by_key(w, "/collect/windows-events", "text/xml", SECRET,
                    "<Events><Event><System><Provider Name='P'/><EventID>4624</EventID><Channel>"
                    "Security</Channel><Computer>dc</Computer></System><EventData><Data Name='"
                    "TargetUserName'>eve</Data><Data Name='LogonType'>3</Data></EventData></Event>"
                    "<Event><System><EventID>7</EventID><Channel>App</Channel></System></Event>"
                    "</Events>") == 200,
        "%s", last_body(w));
    w_expect_rows(w, "SecurityEvent | project Computer, Account, LogonType, TargetUserName",
                  "dc eve 3 eve;");
    w_expect_rows(w, "WindowsEvent | project Channel, EventID", "App 7;");
    cr_assert(send_by_key(w, "/collect/windows-events", "text/xml", SECRET, "<Event>") == 400);
    cr_assert(send_by_key(w, "/collect/syslog", "text/plain", SECRET,
                          "<34>Oct 11 22:14:15 h su[5]: one\n<13>1 - - - - - [bad two\n") == 200);
    w_expect_rows(w,
                  "Syslog | order by SyslogMessage asc | project SeverityLevel, ProcessID, "
                  "SyslogMessage",
                  "notice null [bad two;crit 5 one;");
    w_expect(w, "GET", C_GROUP "tokens/agents" C_V, NULL, 200);
    w_expect_i64(w, "properties.status.rows", 8);
    rig_done(&rig);
}

/* As Fluent Bit's http output sends by default: since 2.1 with the time in a list, before that bare; and its JSON forms. */
Test(collect, what_fluent_bit_and_vector_send)
{
    static const uint8_t events[] = {0x92, 0x92, 0xd7, 0,    0x5d, 0x67, 0xc0, 0x80, 0,    0,
                                     0,    0,    0x80, 0x81, 0xa3, 'M',  's',  'g',  0xa2, 'm',
                                     '1',  0x92, 0xce, 0x5d, 0x67, 0xc0, 0x80, 0x82, 0xa3, 'M',
                                     's',  'g',  0xa2, 'm',  '2',  0xa1, 'n',  0x07};
    struct rig rig;
    rig_start(&rig, 0);
    struct world *w = &rig.w;
    put_token(w, "");
    w_expect(w, "PUT", W_WS "/tables/App_CL" W_V,
             "{\"properties\":{\"schema\":{\"name\":\"App_CL\",\"columns\":[{\"name\":"
             "\"TimeGenerated\",\"type\":\"dateTime\"},{\"name\":\"Msg\",\"type\":\"string\"}]}}}",
             201);
    struct walk_call call = {.method = HTTP_POST,
                             .target = "/collect/tables/App_CL",
                             .body = (const char *)events,
                             .body_bytes = sizeof events,
                             .authorization = RF_S("Splunk " SECRET)};
    call.headers[0] = (struct http_header){RF_S("Content-Type"), RF_S("application/msgpack")};
    w->last = walk_exchange(&w->site, w->dispatcher, &call);
    cr_assert(w->last.status == 200, "%s", last_body(w));
    cr_assert_str_eq(last_body(w), "{\"rows\":2}");
    call.body_bytes--;
    w->last = walk_exchange(&w->site, w->dispatcher, &call);
    cr_assert(w->last.status == 400 && walk_body_has(&w->last, "byte"), "%s", last_body(w));
    static const struct {
        const char *type, *body;
    } forms[] = {
        {"application/json", "[{\"date\":1567080576.0,\"Msg\":\"j1\"},{\"date\":1567080576.5,"
                             "\"Msg\":\"j2\"}]"},
        {"application/stream+json", "{\"date\":1567080576.0,\"Msg\":\"s1\"}{\"date\":1567080576.0,"
                                    "\"Msg\":\"s2\"}"},
        {"application/x-ndjson",
         "{\"date\":1567080576,\"Msg\":\"l1\"}\n{\"date\":\"2019-08-29T12:09:"
         "36Z\",\"Msg\":\"l2\"}\n"},
        {"application/json", "{\"date\":1567080576,\"Msg\":\"c1\"},{\"date\":1567080576,\"Msg\":"
                             "\"c2\"}"},
    };
    for (size_t i = 0; i < RF_COUNT(forms); i++) {
        int status = send_by_key(w, "/collect/tables/App_CL?time=date", forms[i].type, SECRET,
                                 forms[i].body);
        cr_expect(status == 200 && walk_body_has(&w->last, "{\"rows\":2}"), "%s: %d %s",
                  forms[i].body, status, last_body(w));
    }
    w_expect_rows(
        w,
        "App_CL | where startofday(TimeGenerated) == datetime(2019-08-29) | order by Msg asc "
        "| project Msg",
        "c1;c2;j1;j2;l1;l2;m1;m2;s1;s2;");
    rig_done(&rig);
}

/* ---- sockets ---------------------------------------------------------------------------------------------------------------------- */

static int connect_to(uint16_t port, int type)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* Sends, ends its side and waits until the server has taken all and ends too. */
static void say(uint16_t port, const char *text)
{
    char rest[16];
    int fd = connect_to(port, SOCK_STREAM);
    size_t len = strlen(text);
    (void)!send(fd, text, len, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, rest, sizeof rest, 0) > 0) continue;
    close(fd);
}

static void wait_for_count(struct world *w, const char *target, const char *path, int64_t least)
{
    int64_t got = -1;
    for (int tries = 0; tries < 2000 && got < least; tries++) {
        w_expect(w, "GET", target, NULL, 200);
        cr_assert(json_i64_at(w->answer, path, &got));
        if (got < least) (void)poll(NULL, 0, 5);
    }
    cr_assert(got >= least, "%s is %lld", path, (long long)got);
}

Test(collect, syslog_over_tcp)
{
    struct rig rig;
    rig_start(&rig, 0);
    struct world *w = &rig.w;
    uint16_t port = collect_port(rig.ports, "syslog-tcp", 0);
    say(port, "<13>Jan 31 11:00:00 h a: nobody allowed this\n");
    put_listener(w, "lan",
                 "\"protocol\":\"syslog-tcp\",\"allowedAddresses\":[\"127.0.0.0/8\"],"
                 "\"timeZone\":\"UTC\"");
    say(port, "<13>Jan 31 11:00:00 web1 sshd[7]: first\n<14>Jan 31 11:00:01 web1 app: second");
    say(port, "37 <13>Jan 31 11:00:02 web1 app: counted"
              "46 <13>Jan 31 11:00:03 fw CEF:0|v|p|1|i|n|5|cnt=3");
    say(port, "9 <13>cut");
    w_expect(w, "GET", C_GROUP "listeners/lan" C_V, NULL, 200);
    w_expect_i64(w, "properties.status.rows", 5);
    w_expect_i64(w, "properties.status.rejected", 1);
    w_expect_i64(w, "properties.status.sourceCount", 1);
    w_expect_json(w, "properties.status.listeningPorts",
                  (const char *)rf_arena_printf(&w->site.arena, "[%u]%c", port, 0).ptr);
    w_expect(w, "DELETE", C_GROUP "listeners/lan" C_V, NULL, 200);
    say(port, "<13>Jan 31 11:00:00 h a: no longer allowed\n");
    rig_settle(&rig);
    w_expect_rows(
        w,
        "Syslog | order by TimeGenerated asc | project HostName, ProcessName, "
        "ProcessID, SyslogMessage, HostIP",
        "web1 sshd 7 first 127.0.0.1;web1 app null second 127.0.0.1;web1 app null counted "
        "127.0.0.1;127.0.0.1  null cut 127.0.0.1;");
    w_expect_rows(w, "CommonSecurityLog | project Computer, DeviceVendor, EventCount, LogSeverity",
                  "fw v 3 5;");
    w_expect_rows(w, "RingfortCollectRejected | project Listener, Protocol, RawData",
                  "lan syslog-tcp <13>cut;");
    rig_done(&rig);
}

Test(collect, syslog_over_udp)
{
    struct rig rig;
    rig_start(&rig, 0);
    struct world *w = &rig.w;
    int fd = connect_to(collect_port(rig.ports, "syslog-udp", 0), SOCK_DGRAM);
    put_listener(w, "far", "\"protocol\":\"syslog-udp\",\"allowedAddresses\":[\"10.0.0.0/8\"]");
    cr_assert(send(fd, "<13>refused", 11, 0) == 11);
    put_listener(w, "near",
                 "\"protocol\":\"syslog-udp\",\"allowedAddresses\":[\"127.0.0.1\"],"
                 "\"address\":\":9\"");
    cr_assert(send(fd, "<13>another port", 16, 0) == 16);
    put_listener(w, "wide", "\"protocol\":\"syslog-udp\",\"allowedAddresses\":[\"0.0.0.0/0\"]");
    put_listener(w, "narrow",
                 "\"protocol\":\"syslog-udp\",\"allowedAddresses\":[\"127.0.0.1/32\"]");
    for (int i = 0; i < 50; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "<13>1 - h a %d - - n%d\n", i, i);
        cr_assert(send(fd, text, (size_t)len, 0) == len);
    }
    wait_for_count(w, C_GROUP "listeners/narrow" C_V, "properties.status.rows", 50);
    w_expect(w, "GET", C_GROUP "listeners/wide" C_V, NULL, 200);
    w_expect_i64(w, "properties.status.rows", 0);
    close(fd);
    rig_settle(&rig);
    w_expect_rows(w, "Syslog | summarize count(), dcount(ProcessID)", "50 50;");
    rig_done(&rig);
}

/* A certificate of `issuer` for a client. */
static X509 *issue(EVP_PKEY *issuer, rf_str issuer_pem, EVP_PKEY *key, const char *cn)
{
    BIO *bio = BIO_new_mem_buf(issuer_pem.ptr, (int)issuer_pem.len);
    X509 *ca = PEM_read_bio_X509(bio, NULL, NULL, NULL), *cert = X509_new();
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 2);
    /* The rig's clock stands in its own day. */
    ASN1_TIME_set(X509_getm_notBefore(cert), WALK_NOW - 3600);
    ASN1_TIME_set(X509_getm_notAfter(cert), WALK_NOW + 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(ca));
    cr_assert(X509_sign(cert, issuer, EVP_sha256()) > 0);
    X509_free(ca);
    BIO_free(bio);
    return cert;
}

static bool say_tls(uint16_t port, X509 *cert, EVP_PKEY *key, const char *text)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (cert != NULL)
        cr_assert(SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
    int fd = connect_to(port, SOCK_STREAM);
    SSL *ssl = SSL_new(ctx);
    char rest[16];
    SSL_set_fd(ssl, fd);
    bool open = SSL_connect(ssl) == 1;
    if (open) {
        (void)SSL_write(ssl, text, (int)strlen(text));
        (void)SSL_shutdown(ssl);
        while (SSL_read(ssl, rest, sizeof rest) > 0) continue;
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    return open;
}

static rf_str json_text_of(struct world *w, rf_str text)
{
    struct rf_buf buf = rf_buf_in(&w->site.arena);
    json_put_string(&buf, text);
    return rf_buf_view(&buf);
}

Test(collect, syslog_over_tls_knows_senders_by_their_certificates)
{
    struct rig rig;
    rig_start(&rig, 0);
    struct world *w = &rig.w;
    uint16_t port = collect_port(rig.ports, "syslog-tls", 0);
    EVP_PKEY *authority = make_key(), *key = make_key(), *foreign = make_key();
    rf_str pem = make_authority(w, authority, "devices");
    rf_str more = rf_arena_printf(
        &w->site.arena,
        "\"protocol\":\"syslog-tls\",\"subjects\":[\"fw1\"],\"trustedCertificates\":%.*s%c",
        RF_FMT(json_text_of(w, pem)), 0);
    put_listener(w, "devices", (const char *)more.ptr);
    X509 *good = issue(authority, pem, key, "fw1"), *other = issue(authority, pem, key, "fw2"),
         *bad = issue(foreign, pem, key, "fw1");
    (void)say_tls(port, NULL, NULL, "<13>1 - h a - - - no certificate\n");
    (void)say_tls(port, bad, key, "<13>1 - h a - - - signed by another\n");
    (void)say_tls(port, other, key, "<13>1 - h a - - - another subject\n");
    cr_assert(say_tls(port, good, key, "25 <13>1 - h a - - - welcome"));
    wait_for_count(w, C_GROUP "listeners/devices" C_V, "properties.status.rows", 1);
    w_expect_json(w, "properties.status.sourceCount", "1");
    cr_assert(walk_body_has(&w->last, "\"source\":\"fw1\""), "%s", last_body(w));
    X509_free(good);
    X509_free(other);
    X509_free(bad);
    EVP_PKEY_free(authority);
    EVP_PKEY_free(key);
    EVP_PKEY_free(foreign);
    rig_settle(&rig);
    w_expect_rows(w, "Syslog | project SyslogMessage", "welcome;");
    rig_done(&rig);
}

/* A queue that takes little: a fast sender is held back, and every one of its rows arrives. */
Test(collect, a_full_queue_holds_tcp_back)
{
    enum { MESSAGES = 5000 };
    struct rig rig;
    rig_start(&rig, 64 << 10);
    struct world *w = &rig.w;
    put_listener(w, "lan", "\"protocol\":\"syslog-tcp\",\"allowedAddresses\":[\"127.0.0.1\"]");
    struct rf_buf text = rf_buf_in(&w->site.arena);
    for (int i = 0; i < MESSAGES; i++)
        rf_buf_printf(&text, "<13>1 - h a %d - - message %d %0200d\n", i, i, 0);
    rf_buf_byte(&text, 0);
    int fd = connect_to(collect_port(rig.ports, "syslog-tcp", 0), SOCK_STREAM);
    for (size_t at = 0; at + 1 < text.len;) {
        ssize_t n = send(fd, text.ptr + at, RF_MIN(text.len - 1 - at, (size_t)4096), MSG_NOSIGNAL);
        cr_assert(n > 0);
        at += (size_t)n;
    }
    wait_for_count(w, C_GROUP "listeners/lan" C_V, "properties.status.rows", MESSAGES);
    w_expect_i64(w, "properties.status.dropped", 0);
    close(fd);
    rig_settle(&rig);
    w_expect_rows(w, "Syslog | summarize count(), dcount(ProcessID, 4)", "5000 5000;");
    rig_done(&rig);
}

/* ---- data collection rules --------------------------------------------------------------------------------------------------------- */

#define DCR W_RULES "dcr"
#define COLUMN(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\"}"
static void put_rule(struct world *w)
{
    const char *body =
        "{\"location\":\"local\",\"properties\":{\"streamDeclarations\":{\"Custom-App_CL\":{"
        "\"columns\":[" COLUMN("TimeGenerated", "datetime") "," COLUMN("Msg", "string") "," COLUMN(
            "Extra",
            "string") "]}},\"destinations\":{\"logAnalytics\":[{"
                      "\"workspaceResourceId\":\"" W_WS "\",\"name\":\"ws\"}]},\"dataFlows\":["
                      "{\"streams\":[\"Microsoft-Syslog\"],\"destinations\":[\"ws\"],"
                      "\"transformKql\":"
                      "\"source | where SyslogMessage !has 'noise' | extend SyslogMessage = "
                      "replace_string("
                      "SyslogMessage, 'secret', 'XXX')\"},"
                      "{\"streams\":[\"Custom-App_CL\"],\"destinations\":[\"ws\"],\"outputStream\":"
                      "\"Custom-App_CL\",\"transformKql\":\"source | extend Msg = strcat(Msg, '+', "
                      "Extra)\"}"
                      "]}}";
    w_expect(w, "PUT", W_WS "/tables/App_CL" W_V,
             "{\"properties\":{\"schema\":{\"name\":\"App_CL\",\"columns\":[{\"name\":"
             "\"TimeGenerated\",\"type\":\"dateTime\"},{\"name\":\"Msg\",\"type\":\"string\"}]}}}",
             201);
    w_expect(w, "PUT", DCR W_RULE_V, body, 201);
}

Test(collect, a_listener_that_names_a_rule_sends_through_its_transformations)
{
    struct rig rig;
    rig_start(&rig, 0);
    struct world *w = &rig.w;
    put_rule(w);
    w_expect_code(w, "PUT", C_GROUP "listeners/bad" C_V,
                  "{\"properties\":{\"workspaceResourceId\":\"" W_WS
                  "\",\"protocol\":\"syslog-tcp\",\"allowedAddresses\":[\"127.0.0.1\"],"
                  "\"dataCollectionRuleId\":\"" DCR "x\"}}",
                  400, "InvalidParameter");
    w_expect_code(w, "PUT", C_GROUP "listeners/bad" C_V,
                  "{\"properties\":{\"workspaceResourceId\":\"" W_WS
                  "\",\"protocol\":\"syslog-tcp\",\"allowedAddresses\":[\"127.0.0.1\"],"
                  "\"dataCollectionRuleId\":\"" DCR "\",\"streamName\":\"Custom-Other\"}}",
                  400, "InvalidParameter");
    put_listener(w, "lan",
                 "\"protocol\":\"syslog-tcp\",\"allowedAddresses\":[\"127.0.0.1\"],"
                 "\"dataCollectionRuleId\":\"" DCR "\"");
    uint16_t port = collect_port(rig.ports, "syslog-tcp", 0);
    say(port, "<13>1 - h a - - - the secret is out\n<13>1 - h a - - - only noise\n"
              "<13>Jan 31 11:00:03 fw CEF:0|v|p|1|i|n|5|cnt=3\n");
    rig_settle(&rig);
    w_expect_rows(w, "Syslog | project SyslogMessage", "the XXX is out;");
    w_expect_rows(w, "CommonSecurityLog | project DeviceVendor", "v;");
    rig_done(&rig);
}

Test(collect, a_key_that_names_a_rule_does_so_too)
{
    struct rig rig;
    rig_start(&rig, 0);
    struct world *w = &rig.w;
    put_rule(w);
    put_token(w, ",\"dataCollectionRuleId\":\"" DCR "\"");
    cr_assert(send_by_key(w, "/collect/tables/App_CL", "application/json", SECRET,
                          "[{\"Msg\":\"a\",\"Extra\":\"1\"},{\"Msg\":\"b\",\"Extra\":\"2\"}]") ==
                  200,
              "%s", last_body(w));
    cr_assert_str_eq(last_body(w), "{\"rows\":2}");
    cr_assert(
        send_by_key(w, "/collect/syslog", "text/plain", SECRET,
                    "<34>Oct 11 22:14:15 h su[5]: secret\n<34>Oct 11 22:14:15 h su[5]: noise\n") ==
        200);
    w_expect_rows(w, "App_CL | order by Msg asc | project Msg", "a+1;b+2;");
    w_expect_rows(w, "Syslog | project SyslogMessage", "XXX;");
    /* A rule that has gone takes the right to send with it: nothing passes by its transformations. */
    w_expect(w, "DELETE", DCR W_RULE_V, NULL, 200);
    int status =
        send_by_key(w, "/collect/syslog", "text/plain", SECRET, "<34>Oct 11 22:14:15 h su: x\n");
    cr_assert(status >= 400, "%d", status);
    w_expect_rows(w, "Syslog | count", "1;");
    rig_done(&rig);
}
