#include "hub/hub_world.h"

static void sign(struct hub_world *w, const char *uri)
{
    w->token = h_sas(w, uri, H_ROOT, RF_S(H_KEY), 60);
}

static bool says(struct hub_world *w, const char *text) { return walk_body_has(&w->last, text); }

Test(hub_http, refusals_are_401_in_xml)
{
    struct hub_world w;
    h_init(&w);
    rf_str cases[] = {{0},
                      RF_S("SharedAccessSignature sr=x"),
                      RF_S("Bearer x.y.z"),
                      h_sas(&w, "https://localhost/telemetry", H_ROOT, RF_S("AAAA"), 60),
                      h_sas(&w, "https://localhost/telemetry", H_ROOT, RF_S(H_KEY), -10),
                      h_sas(&w, "https://localhost/other", H_ROOT, RF_S(H_KEY), 60)};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        w.token = cases[i];
        h_expect(&w, "POST", "/telemetry/messages", "x", 401);
        cr_assert(says(&w, "<Error><Code>401</Code><Detail>") && says(&w, "TrackingId:"));
    }
    sign(&w, "https://localhost/");
    h_expect(&w, "POST", "/nothing/messages", "x", 404);
    h_expect(&w, "POST", "/telemetry/partitions/4/messages", "x", 400);
    h_expect(&w, "POST", "/telemetry/partitions/00/messages", "x", 400);
    h_header(&w, "Content-Type", "application/vnd.microsoft.servicebus.json");
    h_expect(&w, "POST", "/telemetry/messages", "[{", 400);
    h_done(&w);
}

Test(hub_http, publishers_are_revoked_and_restored)
{
    struct hub_world w;
    h_init(&w);
    sign(&w, "https://localhost/");
    h_expect(&w, "PUT", "/telemetry/revokedpublishers/dev-R", NULL, 201);
    h_expect(&w, "GET", "/telemetry/revokedpublishers", NULL, 200);
    cr_assert(says(&w, "<Name>dev-R</Name>"));
    h_expect(&w, "POST", "/telemetry/publishers/dev-R/messages", "x", 401);
    cr_assert(says(&w, "PublisherRevoked"));
    h_expect(&w, "DELETE", "/telemetry/revokedpublishers/dev-R", NULL, 200);
    sign(&w, "https://localhost/telemetry/publishers/a");
    h_expect(&w, "POST", "/telemetry/publishers/b/messages", "x", 401);
    h_expect(&w, "POST", "/telemetry/messages", "x", 401);
    h_done(&w);
}

Test(hub_http, what_was_sent_is_seen)
{
    struct hub_world w;
    h_init(&w);
    sign(&w, "https://localhost/telemetry");
    h_header(&w, "Count", "42");
    h_header(&w, "Alert", "Strong Wind");
    h_expect(&w, "POST", "/telemetry/partitions/0/messages", "hello", 201);
    cr_assert(w.last.body.len == 0);
    h_expect(&w, "GET", "/telemetry/partitions/0/events?from=0&count=5", NULL, 200);
    const struct json_node *first = json_get(w.answer, "value")->first;
    cr_assert(first != NULL && rf_str_is(json_text_at(first, "body"), "hello"));
    int64_t count = 0;
    cr_assert(json_i64_at(first, "properties.Count", &count) && count == 42);
    cr_assert(rf_str_is(json_text_at(first, "properties.Alert"), "Strong Wind"));
    h_header(&w, "BrokerProperties", "{\"PartitionKey\":\"sensor/7\"}");
    h_expect(&w, "POST", "/telemetry/messages", "keyed", 201);
    h_expect(&w, "GET", "/telemetry/partitions/3/events", NULL, 200);
    cr_assert(
        rf_str_is(json_text_at(json_get(w.answer, "value")->first, "partitionKey"), "sensor/7"));
    h_done(&w);
}
