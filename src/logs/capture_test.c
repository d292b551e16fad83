#include "logs/capture.h"

#include <errno.h>

#include "base/fs_fault.h"
#include "logs/logs_world.h"
#include "test/rf_prop.h"

#define SPACE W_GROUP "/providers/Microsoft.EventHub/namespaces/ringfort"
#define HUB SPACE "/eventhubs/in"
#define HUB_V "?api-version=2024-01-01"
#define TABLE(name) W_WS "/tables/" name W_V

static void open_world(struct world *w, struct rf_fs *tables_fs)
{
    memset(w, 0, sizeof *w);
    w_init(w);
    w_close(w);
    w->with_hubs = true;
    w->tables_fs = tables_fs;
    w_open(w);
    w_assign(w, W_OWNER, "f526a384-b230-433a-b45c-95f59c4a2dec", "/"); /* Event Hubs Data Owner */
    w_expect(w, "PUT", SPACE HUB_V,
             "{\"location\":\"local\",\"sku\":{\"name\":\"Standard\"},\"properties\":{}}", 201);
    (void)w_call(w, "PUT", HUB HUB_V, "{\"properties\":{\"partitionCount\":2}}");
    cr_assert(w->last.status / 100 == 2);
    (void)w_call(w, "PUT", TABLE("App_CL"),
                 "{\"properties\":{\"schema\":{\"name\":\"App_CL\",\"columns\":["
                 "{\"name\":\"TimeGenerated\",\"type\":\"dateTime\"},{\"name\":\"N\",\"type\":"
                 "\"long\"},{\"name\":\"S\",\"type\":\"string\"},"
                 "{\"name\":\"Event\",\"type\":\"long\"},{\"name\":\"Part\",\"type\":\"int\"},"
                 "{\"name\":\"Bag\",\"type\":\"dynamic\"}]}}}");
    cr_assert(w->last.status / 100 == 2);
    (void)w_call(w, "PUT", TABLE("Even_CL"),
                 "{\"properties\":{\"schema\":{\"name\":\"Even_CL\",\"columns\":["
                 "{\"name\":\"TimeGenerated\",\"type\":\"dateTime\"},{\"name\":\"N\",\"type\":"
                 "\"long\"}]}}}");
    cr_assert(w->last.status / 100 == 2);
}

static const char rule[] =
    "{\"location\":\"local\",\"properties\":{\"streamDeclarations\":{\"Custom-In\":{\"columns\":["
    "{\"name\":\"TimeGenerated\",\"type\":\"datetime\"},{\"name\":\"N\",\"type\":\"long\"},"
    "{\"name\":\"S\",\"type\":\"string\"},{\"name\":\"EventSequenceNumber\",\"type\":\"long\"},"
    "{\"name\":\"EventPartition\",\"type\":\"int\"}]}},"
    "\"dataSources\":{\"dataImports\":{\"eventHub\":{\"name\":\"in\",\"stream\":\"Custom-In\"}}},"
    "\"destinations\":{\"logAnalytics\":[{\"workspaceResourceId\":\"" W_WS "\",\"name\":\"ws\"}]},"
    "\"dataFlows\":[{\"streams\":[\"Custom-In\"],\"destinations\":[\"ws\"],"
    "\"transformKql\":\"source | project TimeGenerated, N, S, Event = EventSequenceNumber, "
    "Part = EventPartition\",\"outputStream\":\"Custom-App_CL\"},"
    "{\"streams\":[\"Custom-In\"],\"destinations\":[\"ws\"],"
    "\"transformKql\":\"source | where N % 2 == 0 | project TimeGenerated, N\","
    "\"outputStream\":\"Custom-Even_CL\"}]}}";

static struct hub *hub_of(struct world *w)
{
    struct hub_namespace *space;
    struct hub *hub;
    cr_assert(hubs_namespace(w->hubs, RF_S("localhost"), &space, &w->err) == RF_OK, "%s",
              w->err.text);
    cr_assert(hub_find(space, RF_S("in"), &hub, &w->err) == RF_OK, "%s", w->err.text);
    return hub;
}

static void send(struct world *w, uint32_t partition, const rf_str *bodies, uint32_t count)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct rf_buf bytes = rf_buf_in(&arena);
    struct batch_builder batch;
    struct hub *hub = hub_of(w);
    batch_begin(&batch, &bytes);
    for (uint32_t i = 0; i < count; i++)
        batch_add(&batch, 1700000000000 + i, (rf_str){0}, bodies[i], NULL, 0);
    cr_assert(batch_end(&batch, CODEC_NONE, NULL, &w->err) == RF_OK);
    struct hub_append append = {.batch = bytes.ptr,
                                .len = bytes.len,
                                .count = count,
                                .kind = FRAME_KAFKA,
                                .producer = {.id = -1}};
    cr_assert(hub_append_wait(hub, partition, &append, &w->err) == RF_OK, "%s", w->err.text);
    hub_unref(hub);
}

static void send_text(struct world *w, uint32_t partition, const char *body)
{
    rf_str text = rf_str_of(body);
    send(w, partition, &text, 1);
}

/* Numbers from..to-1 as {"N":n}. */
static void send_numbers(struct world *w, uint32_t partition, uint32_t from, uint32_t to)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    rf_str *bodies = rf_arena_new(&arena, rf_str, to - from);
    for (uint32_t n = from; n < to; n++)
        bodies[n - from] = rf_arena_printf(&arena, "{\"N\":%u}", n);
    send(w, partition, bodies, to - from);
}

Test(capture, events_become_rows_once)
{
    struct world w;
    open_world(&w, NULL);
    send_numbers(&w, 0, 0, 5000);
    w_expect(&w, "PUT", W_RULES "one" W_RULE_V, rule, 201);
    captures_run(w.logs->captures);
    w_expect_rows(&w, "App_CL | summarize count(), min(N), max(N), dcount(Event, 4), sum(Part)",
                  "5000 0 4999 5000 0;");
    w_expect_rows(&w, "Even_CL | summarize count(), sum(N % 2)", "2500 0;");
    send_numbers(&w, 1, 5000, 5010);
    captures_run(w.logs->captures);
    captures_run(w.logs->captures);
    w_expect_rows(&w, "App_CL | summarize count(), sum(Part)", "5010 10;");
    /* Another start goes on where this one was. */
    w_close(&w);
    w_open(&w);
    captures_run(w.logs->captures);
    w_expect_rows(&w, "App_CL | summarize count(), dcount(N, 4)", "5010 5010;");
    send_numbers(&w, 0, 5010, 5020);
    captures_run(w.logs->captures);
    w_expect_rows(&w, "App_CL | summarize count(), dcount(N, 4)", "5020 5020;");
    w_expect_rows(&w, "RingfortDeadLetter | count", "0;");
    w_done(&w);
}

Test(capture, bodies_of_every_shape)
{
    static const struct {
        const char *body, *rows, *dead;
    } cases[] = {
        {"{\"N\":1,\"S\":\"a\"}", "1 a;", ""},
        {"  {\n \"N\" : 2 ,\r\n \"S\":\"two\\nlines\" }\n", "2 two\nlines;", ""},
        {"\xef\xbb\xbf{\"N\":3}", "3 ;", ""},
        {"[{\"N\":4},{\"N\":5}]", "4 ;5 ;", ""},
        {"[]", "", ""},
        {"{\"records\":[{\"N\":6},{\"N\":7}]}", "6 ;7 ;", ""},
        {"{\"records\":8,\"N\":8}", "8 ;", ""},
        {"{\"N\":\"9\"}", "9 ;", ""},
        {"{\"N\":\"no\"}", "null ;", ""},
        {"{}", "null ;", ""},
        {"", "", "the body is empty"},
        {"hello", "", "the body is no JSON object"},
        {"[1]", "", "the body is no JSON list of objects"},
        {"[{\"N\":1}", "", "the body is no JSON list of objects"},
        {"{\"N\":1", "", NULL},
        {"{\"N\":1}{\"N\":2}", "", NULL},
        {"{\"S\":\"\xff\"}", "", NULL},
    };
    struct world w;
    open_world(&w, NULL);
    w_expect(&w, "PUT", W_RULES "one" W_RULE_V, rule, 201);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        char query[200];
        send_text(&w, 0, cases[i].body);
        captures_run(w.logs->captures);
        (void)snprintf(query, sizeof query,
                       "App_CL | where Event == %zu | sort by N asc | project N, S", i);
        cr_assert_str_eq(w_rows(&w, query), cases[i].rows, "%s: %s", cases[i].body,
                         w_rows(&w, query));
        (void)snprintf(query, sizeof query,
                       "RingfortDeadLetter | where SequenceNumber == %zu | project Reason", i);
        const char *dead = w_rows(&w, query);
        if (cases[i].dead == NULL)
            cr_assert(strlen(dead) > 1, "%s", cases[i].body);
        else if (cases[i].dead[0] == '\0')
            cr_assert_str_eq(dead, "", "%s: %s", cases[i].body, dead);
        else
            cr_assert(strncmp(dead, cases[i].dead, strlen(cases[i].dead)) == 0, "%s: %s",
                      cases[i].body, dead);
    }
    w_expect_rows(&w, "RingfortDeadLetter | distinct EventHub, ConsumerGroup, Partition",
                  "in $Default 0;");
    w_expect_rows(&w, "RingfortDeadLetter | where BodyEncoding == 'base64' | count", "1;");
    /* Many at once, good ones between them. */
    rf_str bodies[100];
    for (uint32_t i = 0; i < 100; i++)
        bodies[i] = i % 3 == 0 ? RF_S("poison") : RF_S("{\"N\":1000}");
    send(&w, 1, bodies, 100);
    captures_run(w.logs->captures);
    w_expect_rows(&w, "App_CL | where N == 1000 | count", "66;");
    w_expect_rows(&w, "RingfortDeadLetter | where Partition == 1 | count", "34;");
    w_done(&w);
}

Test(capture, a_stream_with_RawData_takes_any_text)
{
    struct world w;
    open_world(&w, NULL);
    w_expect(&w, "PUT", W_RULES "raw" W_RULE_V,
             "{\"location\":\"local\",\"properties\":{\"streamDeclarations\":{\"Custom-Raw\":{"
             "\"columns\":[{\"name\":\"TimeGenerated\",\"type\":\"datetime\"},{\"name\":"
             "\"RawData\",\"type\":\"string\"},{\"name\":\"Properties\",\"type\":\"dynamic\"}]}},"
             "\"dataSources\":{\"dataImports\":{\"eventHub\":{\"name\":\"in\",\"stream\":"
             "\"Custom-Raw\",\"consumerGroup\":\"$Default\"}}},"
             "\"destinations\":{\"logAnalytics\":[{\"workspaceResourceId\":\"" W_WS
             "\",\"name\":\"ws\"}]},\"dataFlows\":[{\"streams\":[\"Custom-Raw\"],"
             "\"destinations\":[\"ws\"],\"transformKql\":\"source | project TimeGenerated, S = "
             "RawData, N = tolong(parse_json(RawData).n)\",\"outputStream\":"
             "\"Custom-App_CL\"}]}}",
             201);
    send_text(&w, 0, "any text");
    send_text(&w, 0, "{\"n\":7}");
    send_text(&w, 0, "\xff");
    captures_run(w.logs->captures);
    w_expect_rows(&w, "App_CL | sort by N asc | project N, S", "null any text;7 {\"n\":7};");
    w_expect_rows(&w, "RingfortDeadLetter | project Reason", "the body is no UTF-8 text;");
    w_done(&w);
}

Test(capture, an_association_says_the_hub_and_changes_are_seen)
{
    struct world w;
    open_world(&w, NULL);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    char other[sizeof rule];
    memcpy(other, rule, sizeof rule);
    char *name = strstr(other, "\"name\":\"in\",\"stream\"");
    memcpy(name + 8, "xx", 2); /* a label that is no hub's */
    send_numbers(&w, 0, 0, 3);
    w_expect(&w, "PUT", W_RULES "one" W_RULE_V, other, 201);
    captures_run(w.logs->captures);
    w_expect_rows(&w, "App_CL | count", "0;");
    const char *link =
        HUB "/providers/Microsoft.Insights/dataCollectionRuleAssociations/a" W_RULE_V;
    (void)w_call(&w, "PUT", link, "{\"properties\":{\"dataCollectionRuleId\":\"" W_RULES "one\"}}");
    cr_assert(w.last.status / 100 == 2);
    captures_run(w.logs->captures);
    w_expect_rows(&w, "App_CL | count", "3;");
    (void)w_call(&w, "DELETE", link, NULL);
    cr_assert(w.last.status / 100 == 2);
    send_numbers(&w, 0, 3, 5);
    captures_run(w.logs->captures);
    w_expect_rows(&w, "App_CL | count", "3;");
    w_done(&w);
}

/* Where App_CL's mark of the first partition is, by the note about it; -1: none. *notes: how many there are. */
static int64_t mark_of(struct world *w, uint64_t *source, uint32_t *notes)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct state_txn *txn;
    struct state_list list;
    struct state_scan scan = {.space = "logs.capture.marks"};
    struct json_node *places;
    int64_t next = -1;
    cr_assert(state_begin_read(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(state_list(txn, &scan, &arena, &list, &w->err) == RF_OK);
    state_end(txn);
    *notes = list.count;
    if (list.count > 0) {
        cr_assert(json_parse(list.items[0].body, &arena, &places, &w->err) == RF_OK);
        for (const struct json_node *n = places->first; n != NULL; n = n->next)
            if (rf_str_is(json_text_at(n, "table"), "App_CL"))
                *source = strtoull(rf_arena_cstr(&arena, json_text_at(n, "source")), NULL, 16);
    }
    cr_assert(tables_mark(w->tables, RF_S(W_GUID), RF_S("App_CL"), *source, 0, &next, &w->err) ==
                  RF_OK,
              "%s", w->err.text);
    return next;
}

static void reopen(struct world *w)
{
    w_close(w);
    w_open(w);
}

Test(capture, a_rule_that_goes_takes_its_marks_along)
{
    struct world w;
    uint64_t source = 0;
    uint32_t notes;
    open_world(&w, NULL);
    for (int down = 0; down < 2; down++) {
        w_expect(&w, "PUT", W_RULES "one" W_RULE_V, rule, 201);
        send_numbers(&w, 0, 0, 3);
        captures_run(w.logs->captures);
        cr_assert(mark_of(&w, &source, &notes) == 3 * (down + 1) && notes == 1);
        w_expect(&w, "DELETE", W_RULES "one" W_RULE_V, NULL, 200);
        /* The server goes down before anybody looked. */
        if (down == 1) reopen(&w);
        captures_run(w.logs->captures);
        cr_assert(mark_of(&w, &source, &notes) == -1 && notes == 0);
        reopen(&w);
        cr_assert(mark_of(&w, &source, &notes) == -1, "durably");
    }
    w_done(&w);
}

Test(capture, who_may_not_receive_captures_nothing)
{
    struct world w;
    open_world(&w, NULL);
    const char *contributor = "aaaaaaaa-0000-0000-0000-00000000000c";
    w_assign(&w, contributor, "b24988ac-6180-42a0-ab88-20f7382dd24c", W_GROUP);
    w_be(&w, contributor, NULL);
    send_numbers(&w, 0, 0, 3);
    w_expect(&w, "PUT", W_RULES "one" W_RULE_V, rule, 201);
    captures_run(w.logs->captures);
    w_expect_rows(&w, "App_CL | count", "0;");
    w_assign(&w, contributor, "a638d3c7-ab3a-418d-83e6-5f17a39d4fde", HUB);
    w_expect(&w, "PUT", W_RULES "one" W_RULE_V, rule, 200);
    captures_run(w.logs->captures);
    w_expect_rows(&w, "App_CL | count", "3;");
    w_done(&w);
}

/* The disk of the tables fails and loses its power again and again, between two tables that are filled too: in the end each has every row
 * once. */
RF_PROP(capture_is_exactly_once_over_crashes, 6)
{
    struct world w;
    struct rf_fs_fault *fault = rf_fs_fault_new(rf_test_u64(prng));
    struct rf_fs *fs = rf_fs_fault_fs(fault);
    struct rf_err err;
    open_world(&w, NULL);
    w_expect(&w, "PUT", W_RULES "one" W_RULE_V, rule, 201);
    w_close(&w);
    w.tables_fs = fs;
    w_open(&w);
    captures_run(w.logs->captures);
    uint32_t sent = 0;
    for (uint32_t i = 0; i < 12; i++) {
        uint32_t more = 1 + (uint32_t)rf_test_below(prng, 400);
        send_numbers(&w, (uint32_t)rf_test_below(prng, 2), sent, sent + more);
        send_text(&w, 0, "poison");
        sent += more;
        if (i == 0) { /* the names of the folders are there to stay */
            captures_run(w.logs->captures);
            cr_assert(rf_fs_sync_dir(fs, "/", &err) == RF_OK);
            cr_assert(rf_fs_sync_dir(fs, "/tmp", &err) == RF_OK);
            continue;
        }
        if (rf_test_below(prng, 2) == 0)
            rf_fs_fault_stop_at_sync(fault, 1 + rf_test_below(prng, 6));
        else
            rf_fs_fault_fail_at(fault, 1 + rf_test_below(prng, 30), EIO, false);
        captures_run(w.logs->captures);
        rf_fs_fault_power_loss(fault);
        w_close(&w);
        w_open(&w);
    }
    captures_run(w.logs->captures);
    char expected[100];
    (void)snprintf(expected, sizeof expected, "%u %u %u;", sent, sent, sent - 1);
    w_expect_rows(&w, "App_CL | summarize count(), dcount(N, 4), max(N)", expected);
    (void)snprintf(expected, sizeof expected, "%u %u;", (sent + 1) / 2, (sent + 1) / 2);
    w_expect_rows(&w, "Even_CL | summarize count(), dcount(N, 4)", expected);
    w_expect_rows(&w, "RingfortDeadLetter | summarize count(), dcount(SequenceNumber, 4)",
                  "12 12;");
    w_done(&w);
    rf_fs_fault_free(fault);
}
