#include "base/encode.h"
#include "net/event_stream.h"
#include "portal/portal_world.h"

#define MINUTE (60 * RF_USEC_PER_SECOND)

Test(portal_session, says_who_is_signed_in)
{
    struct p_world w;
    p_init(&w, (rf_str){0});
    p_expect(&w, "GET", "/portal/api/session", NULL, 200);
    p_expect_text(&w, "user.id", P_OWNER);
    p_expect_text(&w, "user.upn", "walker@ringfort.localhost");
    p_expect_text(&w, "tenant.id", WALK_TENANT);
    p_expect_text(&w, "workspace.id", P_WS);
    p_expect_text(&w, "workspace.customerId", P_WS_GUID);
    p_expect_text(&w, "hubNamespace", "portal-ns");
    p_expect_text(&w, "version", "9.9");
    const struct json_node *roles = json_get(w.answer, "roles");
    cr_assert(roles->count == 1 && rf_str_is(roles->first->text, "Owner"));
    p_be(&w, P_STRANGER);
    p_expect(&w, "GET", "/portal/api/session", NULL, 200);
    cr_assert(json_get(w.answer, "roles")->count == 0);
    w.token = (rf_str){0};
    p_expect(&w, "GET", "/portal/api/session", NULL, 401);
    p_done(&w);
}

Test(portal_session, keeps_preferences_of_each_person)
{
    struct p_world w;
    char large[40000];
    p_init(&w, (rf_str){0});
    p_expect(&w, "PUT", "/portal/api/preferences", "{\"theme\":\"dark\",\"columns\":{\"a\":1}}",
             200);
    p_expect(&w, "PUT", "/portal/api/preferences", "{\"columns\":{\"b\":2},\"zone\":\"UTC\"}", 200);
    p_expect(&w, "PUT", "/portal/api/preferences", "{\"zone\":null}", 200);
    p_expect(&w, "GET", "/portal/api/session", NULL, 200);
    rf_str kept = json_to_text(&w.site.arena, json_get(w.answer, "preferences"));
    cr_assert(rf_str_is(kept, "{\"theme\":\"dark\",\"columns\":{\"b\":2}}"), "%.*s", RF_FMT(kept));
    p_expect(&w, "PUT", "/portal/api/preferences", "[1]", 400);
    p_expect(&w, "PUT", "/portal/api/preferences", "", 400);
    p_expect(&w, "PUT", "/portal/api/preferences", "{\"a\":", 400);
    (void)snprintf(large, sizeof large, "{\"x\":\"%0*d\"}", 33000, 0);
    p_expect(&w, "PUT", "/portal/api/preferences", large, 413);
    p_expect_text(&w, "error.code", "PreferencesTooLarge");
    p_be(&w, P_STRANGER);
    p_expect(&w, "GET", "/portal/api/session", NULL, 200);
    cr_assert(json_get(w.answer, "preferences")->count == 0);
    p_done(&w);
}

/* ---- the Overview ------------------------------------------------------------------------------------------------------- */

static void put_incident(struct p_world *w, int64_t number, const char *severity,
                         const char *status, const char *owner)
{
    struct state_txn *txn;
    char key[200], body[900], open[200];
    rf_str ws = resource_key(&w->site.arena, RF_S(P_WS));
    (void)snprintf(key, sizeof key, "%.*s|%010lld", RF_FMT(ws), (long long)(9999999999 - number));
    (void)snprintf(open, sizeof open, "%.*s|open", RF_FMT(ws));
    (void)snprintf(
        body, sizeof body,
        "{\"id\":\"/i/%lld\",\"name\":\"n%lld\",\"properties\":{\"incidentNumber\":%lld,"
        "\"title\":\"t%lld\",\"severity\":\"%s\",\"status\":\"%s\",\"owner\":{\"objectId\":"
        "\"%s\"},\"createdTimeUtc\":\"2026-01-31T10:00:00Z\",\"lastModifiedTimeUtc\":"
        "\"2026-01-31T11:00:00Z\"}}",
        (long long)number, (long long)number, (long long)number, (long long)number, severity,
        status, owner);
    struct state_index index = {"status", rf_str_of(open)};
    struct state_put put = {.space = "siem.incident",
                            .key = rf_str_of(key),
                            .body = rf_str_of(body),
                            .indexes = &index,
                            .index_count = strcmp(status, "Closed") != 0};
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(state_put(txn, &put, NULL, NULL, &w->err) == RF_OK, "%s", w->err.text);
    cr_assert(state_commit(txn, &w->err) == RF_OK);
}

static void add_rows(struct p_world *w, const char *table, rf_usec time)
{
    rf_str row = rf_arena_printf(&w->site.arena, "[{\"TimeGenerated\":\"%.*s\"}]",
                                 RF_FMT(time_iso(&w->site.arena, time)));
    int64_t now = DATETIME_UNIX_EPOCH + rf_clock_now(&w->site.clock.clock) * TICKS_PER_MICROSECOND;
    cr_assert(tables_append_json(w->tables, RF_S(P_WS_GUID), rf_str_of(table), row, now, NULL,
                                 &w->err) == RF_OK,
              "%s", w->err.text);
}

static const struct json_node *source(const struct p_world *w, const char *table)
{
    const struct json_node *items = json_at(w->answer, "sources.items");
    for (const struct json_node *i = items->first; i != NULL; i = i->next)
        if (rf_str_is(json_text_at(i, "table"), table)) return i;
    return NULL;
}

Test(portal_overview, counts_what_is_open)
{
    struct p_world w;
    p_init(&w, (rf_str){0});
    static const char *const severities[] = {"Low", "High", "Medium", "High"};
    for (int i = 1; i <= 16; i++)
        put_incident(&w, i, severities[i % 4], i % 2 ? "New" : "Active", i == 6 ? P_OWNER : "");
    put_incident(&w, 17, "High", "Closed", P_OWNER);
    p_expect(&w, "GET", "/portal/api/overview", NULL, 200);
    p_expect_i64(&w, "incidents.open.High", 8);
    p_expect_i64(&w, "incidents.open.Medium", 4);
    p_expect_i64(&w, "incidents.open.Informational", 0);
    p_expect_i64(&w, "incidents.open.total", 16);
    p_expect_i64(&w, "incidents.open.new", 8);
    const struct json_node *pressing = json_at(w.answer, "incidents.pressing");
    cr_assert(pressing->count == 10);
    cr_assert(rf_str_is(json_text_at(pressing->first, "title"), "t15"));
    p_expect_i64(&w, "mine.count", 1);
    cr_assert(rf_str_is(json_text_at(json_at(w.answer, "mine.incidents")->first, "title"), "t6"));
    p_done(&w);
}

Test(portal_overview, tells_which_sources_are_silent)
{
    struct p_world w;
    p_init(&w, (rf_str){0});
    rf_usec now = rf_clock_now(&w.site.clock.clock);
    add_rows(&w, "Syslog", now - 30 * 60 * MINUTE);
    add_rows(&w, "Syslog", now);
    add_rows(&w, "Heartbeat", now - 8 * 24 * 60 * MINUTE);
    watch_tick(w.portal->watch);
    rf_clock_fixed_pass(&w.site.clock, 4 * MINUTE);
    add_rows(&w, "Syslog", now + 4 * MINUTE);
    watch_tick(w.portal->watch);
    p_expect(&w, "GET", "/portal/api/overview", NULL, 200);
    const struct json_node *syslog = source(&w, "Syslog");
    int64_t number = 0;
    cr_assert(json_i64_at(syslog, "rows", &number) && number == 3);
    cr_assert(json_i64_at(syslog, "usualGapSeconds", &number) && number == 240);
    cr_assert(!json_bool_at(syslog, "silent", true));
    cr_assert(source(&w, "Heartbeat") != NULL, "it was written to since the start");
    p_expect_i64(&w, "sources.count", 2);
    p_expect_i64(&w, "sources.silent", 0);
    p_expect_i64(&w, "sources.rows", 4);
    const struct json_node *minutes = json_at(w.answer, "spark.rows");
    cr_assert(minutes->count == WATCH_MINUTES);
    cr_assert(minutes->first->type == JSON_T_NULL, "before the start nothing is known");
    cr_assert(rf_str_is(minutes->last->text, "1"));
    rf_clock_fixed_pass(&w.site.clock, 11 * MINUTE);
    p_expect(&w, "GET", "/portal/api/overview", NULL, 200);
    cr_assert(!json_bool_at(source(&w, "Syslog"), "silent", true), "11 of 12 minutes");
    rf_clock_fixed_pass(&w.site.clock, 2 * MINUTE);
    p_expect(&w, "GET", "/portal/api/overview", NULL, 200);
    cr_assert(json_bool_at(source(&w, "Syslog"), "silent", false));
    p_expect_i64(&w, "sources.silent", 2);
    p_done(&w);
}

Test(portal_overview, follows_the_rights_of_each_part)
{
    struct p_world w;
    p_init(&w, (rf_str){0});
    put_incident(&w, 1, "High", "New", "");
    p_be(&w, P_STRANGER);
    p_expect(&w, "GET", "/portal/api/overview", NULL, 200);
    p_expect_text(&w, "incidents.denied", "Microsoft Sentinel Reader");
    p_expect_text(&w, "mine.denied", "Microsoft Sentinel Reader");
    p_expect_text(&w, "sources.denied", "Log Analytics Reader");
    p_expect_text(&w, "spark.denied", "Log Analytics Reader");
    p_expect_text(&w, "streams.denied", "Reader");
    p_assign(&w, P_STRANGER, ROLE_LOG_ANALYTICS_READER, P_SUB);
    p_expect(&w, "GET", "/portal/api/overview", NULL, 200);
    cr_assert(json_at(w.answer, "sources.items") != NULL);
    p_done(&w);
}

/* ---- hubs --------------------------------------------------------------------------------------------------------------- */

#define FLOW "/portal/api/hubs/portal-ns/flow"

Test(portal_hubs, show_what_was_sent)
{
    struct p_world w;
    p_init(&w, (rf_str){0});
    p_assign(&w, P_OWNER, "f526a384-b230-433a-b45c-95f59c4a2dec",
             "/"); /* Azure Event Hubs Data Owner */
    watch_tick(w.portal->watch);
    p_expect(&w, "POST", FLOW "/events", "{\"body\":\"hello\",\"partition\":1}", 201);
    p_expect_text(&w, "partition", "1");
    p_expect_i64(&w, "sequenceNumber", 0);
    p_expect(&w, "POST", FLOW "/events",
             "{\"body\":{\"door\":7},\"partition\":1,\"properties\":{\"Alert\":\"Wind\"}}", 201);
    p_expect(&w, "POST", FLOW "/events", "{\"body\":\"k\",\"partitionKey\":\"a\"}", 201);
    rf_clock_fixed_pass(&w.site.clock, RF_USEC_PER_SECOND);
    watch_tick(w.portal->watch);
    p_expect(&w, "GET", FLOW "/events?partition=1&from=earliest&count=2", NULL, 200);
    const struct json_node *first = json_get(w.answer, "value")->first;
    cr_assert(rf_str_is(json_text_at(first, "body"), "hello"));
    int64_t door = 0;
    cr_assert(json_i64_at(first->next, "body.door", &door) && door == 7);
    cr_assert(rf_str_is(json_text_at(first->next, "properties.Alert"), "Wind"));
    p_expect(&w, "GET", FLOW "/events?partition=1&filter=WIND", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    p_expect(&w, "GET", FLOW "/events?partition=1&count=1", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    p_expect(&w, "GET", FLOW, NULL, 200);
    p_expect_text(&w, "status", "Active");
    int64_t read = 0, sent = 0;
    const struct json_node *second = json_get(w.answer, "partitions")->first->next;
    cr_assert(json_i64_at(second, "readSinceStart", &read) && read >= 5);
    cr_assert(json_i64_at(second, "sentSinceStart", &sent) && sent >= 2);
    p_expect_i64(&w, "refusedSinceStart", 0);
    cr_assert(json_get(w.answer, "partitions")->count == 2);
    rf_str in = json_at(w.answer, "now.in")->text;
    cr_assert(rf_str_is(in, "3.0"), "%.*s", RF_FMT(in));
    cr_assert(rf_str_is(json_text_at(json_get(w.answer, "groups")->first, "name"), "$Default"));
    p_put(&w, P_SPACE "/eventhubs/flow",
          "{\"properties\":{\"partitionCount\":2,\"status\":\"SendDisabled\"}}");
    cr_assert(p_call(&w, "POST", FLOW "/events", "{\"body\":\"late\"}") >= 400);
    p_expect(&w, "GET", FLOW, NULL, 200);
    p_expect_text(&w, "status", "SendDisabled");
    p_expect_i64(&w, "refusedSinceStart", 1);
    p_expect(&w, "GET", "/portal/api/overview", NULL, 200);
    cr_assert(rf_str_is(json_text_at(json_at(w.answer, "streams.items")->first, "hub"),
                        "portal-ns/flow"));
    p_done(&w);
}

/* As a group of Kafka commits it (kafka/offsets.c). */
static void commit_offset(struct p_world *w, rf_str hub_id, const char *group, int partition,
                          int offset)
{
    struct state_txn *txn;
    struct rf_arena *arena = &w->site.arena;
    struct state_index index = {"hub", hub_id};
    struct state_put put = {
        .space = "kafka_offset",
        .key =
            rf_arena_printf(arena, "portal-ns\n%s\n%.*s\n%010d", group, RF_FMT(hub_id), partition),
        .body = rf_arena_printf(arena, "{\"offset\":%d,\"at\":5000000}", offset),
        .indexes = &index,
        .index_count = 1};
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(state_put(txn, &put, NULL, NULL, &w->err) == RF_OK);
    cr_assert(state_commit(txn, &w->err) == RF_OK);
}

Test(portal_hubs, tell_how_far_groups_are_behind)
{
    struct p_world w;
    struct hub_namespace *space;
    struct hub *hub;
    struct hub_facts facts;
    p_init(&w, (rf_str){0});
    p_assign(&w, P_OWNER, "f526a384-b230-433a-b45c-95f59c4a2dec", "/");
    for (int i = 0; i < 5; i++)
        p_expect(&w, "POST", FLOW "/events", "{\"body\":\"x\",\"partition\":0}", 201);
    cr_assert(hubs_namespace(w.hubs, RF_S("localhost"), &space, &w.err) == RF_OK);
    cr_assert(hub_find(space, RF_S("flow"), &hub, &w.err) == RF_OK);
    hub_facts(hub, &facts);
    commit_offset(&w, facts.id, "quick", 0, 5);
    commit_offset(&w, facts.id, "slow%20one", 0, 2);
    commit_offset(&w, facts.id, "slow%20one", 1, 0);
    p_expect(&w, "GET", FLOW, NULL, 200);
    const struct json_node *group = json_get(w.answer, "groups")->first;
    int64_t lag = -1;
    cr_assert(rf_str_is(json_text_at(group, "name"), "quick"));
    cr_assert(json_i64_at(group, "lag", &lag) && lag == 0);
    cr_assert(rf_str_is(json_text_at(group->next, "name"), "slow one"));
    cr_assert(json_i64_at(group->next, "lag", &lag) && lag == 3);
    cr_assert(rf_str_is(json_text_at(group->next, "committed"), "1970-01-01T00:00:05.0000000Z"));
    p_expect(&w, "GET", "/portal/api/overview", NULL, 200);
    const struct json_node *stream = json_at(w.answer, "streams.items")->first;
    cr_assert(rf_str_is(json_text_at(stream, "slowestGroup"), "slow one"));
    cr_assert(json_i64_at(stream, "lag", &lag) && lag == 3);
    hub_unref(hub);
    p_done(&w);
}

Test(portal_hubs, refuse_what_is_wrong)
{
    struct p_world w;
    p_init(&w, (rf_str){0});
    /* An owner may see the hub, and neither read nor send its events. */
    p_expect(&w, "GET", FLOW, NULL, 200);
    p_expect(&w, "GET", FLOW "/events", NULL, 403);
    p_expect(&w, "POST", FLOW "/events", "{\"body\":\"x\"}", 403);
    p_expect(&w, "GET", "/portal/api/hubs/portal-ns/none", NULL, 404);
    p_assign(&w, P_OWNER, "f526a384-b230-433a-b45c-95f59c4a2dec", "/");
    static const char *const bad[] = {"partition=2", "partition=x", "count=501", "from=-1",
                                      "from=1.5"};
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        char target[100];
        (void)snprintf(target, sizeof target, FLOW "/events?%s", bad[i]);
        p_expect(&w, "GET", target, NULL, 400);
    }
    static const char *const events[] = {"{}", "{\"body\":\"x\",\"partition\":2}",
                                         "{\"body\":\"x\",\"partition\":-1}",
                                         "{\"body\":\"x\",\"properties\":[]}", "x"};
    for (size_t i = 0; i < RF_COUNT(events); i++)
        p_expect(&w, "POST", FLOW "/events", events[i], 400);
    p_be(&w, P_STRANGER);
    p_expect(&w, "GET", FLOW, NULL, 403);
    p_expect(&w, "GET", "/portal/api/hubs/portal-ns/none", NULL, 403);
    p_done(&w);
}

/* ---- health -------------------------------------------------------------------------------------------------------------- */

static void look_at_seven(void *ctx, uint64_t *waits, uint64_t *room)
{
    (void)ctx;
    *waits = 7;
    *room = 70;
}

Test(portal_health, tells_what_can_be_seen)
{
    struct p_world w;
    p_init(&w, (rf_str){0});
    w.portal->options.queues[0] = (struct portal_queue){"seven", NULL, look_at_seven};
    add_rows(&w, "Syslog", rf_clock_now(&w.site.clock.clock));
    portal_note_hardening(w.portal, RF_S("{\"Role\":\"server\",\"Missing\":3}"));
    portal_note_hardening(w.portal, RF_S("{\"Role\":\"keeper\",\"Missing\":0}"));
    portal_note_hardening(w.portal, RF_S("{\"Role\":\"server\",\"Missing\":1}"));
    portal_note_hardening(w.portal, RF_S("{\"Missing\":1}"));
    portal_note_hardening(w.portal, RF_S("no report"));
    p_expect(&w, "GET", "/portal/api/health", NULL, 200);
    const struct json_node *hardening = json_get(w.answer, "hardening");
    int64_t number = 0;
    cr_assert(hardening->count == 2);
    cr_assert(json_i64_at(hardening->first, "report.Missing", &number) && number == 1);
    cr_assert(json_i64_at(w.answer, "disk.freeBytes", &number) && number > 0);
    cr_assert(json_i64_at(w.answer, "disk.tablesBytes", &number) && number > 0);
    cr_assert(json_i64_at(json_get(w.answer, "processes")->first, "peakBytes", &number) &&
              number > 1 << 20);
    const struct json_node *queues = json_get(w.answer, "queues");
    cr_assert(queues->count == 2 && rf_str_is(json_text_at(queues->first, "name"), "seven"));
    cr_assert(json_i64_at(queues->first, "waitingBytes", &number) && number == 7);
    cr_assert(json_i64_at(queues->last, "roomBytes", &number) && number == 64 << 20, "of hubs");
    cr_assert(json_get(w.answer, "logs")->count == 0, "without a keeper there is no signed log");
    p_expect_i64(&w, "rows.count", 1);
    p_expect_i64(&w, "hubs.count", 1);
    p_be(&w, P_STRANGER);
    p_expect(&w, "GET", "/portal/api/health", NULL, 403);
    p_done(&w);
}

/* ---- what happens now --------------------------------------------------------------------------------------------------- */

Test(portal_watch, tells_changes_of_incidents_once)
{
    struct p_world w;
    p_init(&w, (rf_str){0});
    struct watch *watch = w.portal->watch;
    uint64_t seen = 0, number;
    bool missed;
    struct rf_arena *arena = &w.site.arena;
    cr_assert(portal_start(w.portal, &w.err) == RF_OK);
    watch_stop(watch); /* by hand from here on */
    put_incident(&w, 1, "High", "New", "");
    watch_follow(watch, 1);
    watch_tick(watch);
    cr_assert(watch_incident(watch, &seen, arena, &missed).ptr == NULL, "it was there before");
    put_incident(&w, 2, "Low", "New", "");
    put_incident(&w, 1, "High", "Closed", "");
    watch_note_change(watch);
    watch_tick(watch);
    rf_str first = watch_incident(watch, &seen, arena, &missed);
    rf_str second = watch_incident(watch, &seen, arena, &missed);
    cr_assert(rf_str_find(first, RF_S("\"number\":2,"), 0) != SIZE_MAX, "%.*s", RF_FMT(first));
    cr_assert(rf_str_find(second, RF_S("\"status\":\"Closed\""), 0) != SIZE_MAX);
    cr_assert(watch_incident(watch, &seen, arena, &missed).ptr == NULL && !missed);
    rf_str pulse = watch_pulse(watch, 0, arena, &number);
    cr_assert(number == 2 && rf_str_find(pulse, RF_S("\"sources\":0"), 0) != SIZE_MAX);
    cr_assert(watch_pulse(watch, number, arena, &number).ptr == NULL);
    watch_follow(watch, -1);
    p_done(&w);
}

Test(portal_live, is_bounded)
{
    struct p_world w;
    p_init(&w, (rf_str){0});
    p_expect(&w, "GET", "/portal/api/live?hubs=nonsense", NULL, 400);
    p_expect(&w, "GET", "/portal/api/live?hubs=portal-ns/none", NULL, 404);
    p_be(&w, P_STRANGER);
    p_expect(&w, "GET", "/portal/api/live?hubs=portal-ns/flow", NULL, 403);
    struct http_response open[64];
    int count = 0;
    p_be(&w, P_OWNER);
    while (p_call(&w, "GET", "/portal/api/live?hubs=portal-ns/flow", NULL) == 200) {
        p_expect_header(&w, "Content-Type", "text/event-stream");
        cr_assert(count < 64);
        open[count++] = w.last;
    }
    cr_assert(w.last.status == 429 && count == 16, "%d", count);
    for (int i = 0; i < count; i++) event_stream_drop(&open[i]);
    p_done(&w);
}
