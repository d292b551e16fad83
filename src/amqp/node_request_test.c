/* $cbs and $management: contract, sections 3.4 and 3.5. */
#include "amqp/nodes_test_util.h"

#include "hub/hub_world.h"

#define ACCEPTED                                                                                   \
    "73[- - - - - m1] 74{status-code 202 status-description Accepted statusCode 202 "              \
    "statusDescription Accepted} 77-"

/* ---- $cbs ------------------------------------------------------------------------------------------------------- */

Test(amqp_request, says_what_is_wrong_with_a_token)
{
    static const struct {
        const char *type, *audience, *uri, *rule;
        int64_t seconds;
        const char *answer; /* status, description, condition; NULL: accepted */
    } cases[] = {
        {NODE_SAS, "sb://localhost/flow", "sb://localhost/flow", "root", 60, NULL},
        {NODE_SAS, "sb://localhost:15671/Flow/", "amqps://LOCALHOST/FLOW", "root", 60, NULL},
        {NODE_SAS, "amqps://localhost/flow/ConsumerGroups/$default/Partitions/0", "sb://localhost",
         "root", 60, NULL},
        {NODE_SAS, "sb://plant.ringfort.localhost/flow/$management", "http://localhost/flow",
         "root", 60, NULL},
        {NODE_SAS, "sb://localhost", "sb://localhost", "writer", 60, NULL},
        {NODE_SAS, "sb://localhost/flow", "sb://localhost/flow", "nobody", 60,
         "401 *InvalidSignature*|amqp:unauthorized-access"},
        {NODE_SAS, "sb://localhost/flow", "sb://localhost/flow", "root", -60,
         "401 *ExpiredToken: *|amqp:unauthorized-access"},
        {NODE_SAS, "sb://localhost/flow", "sb://localhost/other", "root", 60,
         "401 *InvalidAudience: *|amqp:unauthorized-access"},
        {NODE_SAS, "sb://localhost/flowers", "sb://localhost/flow", "root", 60,
         "401 *InvalidAudience: *|amqp:unauthorized-access"},
        {NODE_SAS, "sb://elsewhere/flow", "sb://localhost/flow", "root", 60,
         "401 *InvalidAudience: *|amqp:unauthorized-access"},
        {NODE_SAS, "sb://localhost/nothing", "sb://localhost", "root", 60,
         "404 The messaging entity 'sb://localhost/nothing' could not be found.*|amqp:not-found"},
        {NODE_SAS, "sb://localhost/nothing", "sb://localhost", "root",
         -60, /* says nothing of hubs */
         "401 *ExpiredToken: *|amqp:unauthorized-access"},
        {"jwt", "sb://localhost/flow", "sb://localhost/flow", "root", 60,
         "401 *|amqp:unauthorized-access"},
        {"amqp:jwt", "sb://localhost/flow", "sb://localhost/flow", "root", 60,
         "401 *|amqp:unauthorized-access"},
        {"saml", "sb://localhost/flow", "sb://localhost/flow", "root", 60,
         "400 *|com.microsoft:argument-error"},
        {NULL, "sb://localhost/flow", "sb://localhost/flow", "root", 60,
         "400 *|com.microsoft:argument-error"},
        {NODE_SAS, NULL, "sb://localhost/flow", "root", 60, "400 *|com.microsoft:argument-error"},
    };
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    node_enter_unknown(&p, &rig.server);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        rf_str token = node_sas(&rig, cases[i].uri, cases[i].rule, cases[i].seconds);
        const char *got = node_put_token(&p, cases[i].type, cases[i].audience, token);
        if (cases[i].answer == NULL) {
            cr_assert(strcmp(got, ACCEPTED) == 0, "case %zu: %s", i, got);
            continue;
        }
        char pattern[400];
        const char *status = cases[i].answer, *condition = strchr(status, '|') + 1;
        int text = (int)(condition - status - 1 - 4);
        (void)snprintf(pattern, sizeof pattern,
                       "73[- - - - - m1] 74{status-code %.3s status-description %.*s" NODE_TRACKING
                       "~0, Timestamp:* error-condition :%s statusCode %.3s statusDescription * "
                       "errorCondition :%s} 77-",
                       status, text, status + 4, condition, status, condition);
        cr_assert(node_is_like(got, pattern), "case %zu: %s is not %s", i, got, pattern);
    }
    node_hang_up(&p);
    node_rig_done(&rig);
}

Test(amqp_request, refuses_signatures_of_other_keys_and_requests_that_are_none)
{
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    node_enter_unknown(&p, &rig.server);
    rf_str bad = hub_rig_sas(&rig.arena, &rig.clock.clock, "sb://localhost/flow", "root",
                             RF_S("another key"), 60);
    node_expect(node_put_token(&p, NODE_SAS, "sb://localhost/flow", bad),
                "*status-code 401 status-description InvalidSignature: *");
    node_expect(node_put_token(&p, NODE_SAS, "sb://localhost/flow", RF_S("nonsense")),
                "*status-code 401 *");
    node_expect(node_put_token(&p, NODE_SAS, "sb://localhost/flow", (rf_str){NULL, 0}),
                "*status-code 400 *");
    struct node_request unknown = {.operation = "take-token", .type = NODE_SAS};
    node_expect(node_ask(&p, &unknown), "*status-code 400 *:com.microsoft:argument-error*");
    struct node_request none = {.type = NODE_SAS};
    node_expect(node_ask(&p, &none), "*status-code 400 *:com.microsoft:argument-error*");
    node_put(&p, 8, 0, false, RF_S("no message"));
    line_send(&p.line);
    node_expect(node_next(&p), "disposition[true * @25[@1d[:amqp:decode-error *");
    /* Nothing of it has opened anything. */
    (void)node_attach_sender(&p, "out", 0, "flow");
    node_expect(node_next(&p), "detach[0 true @1d[:amqp:unauthorized-access *");
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* The correlation-id is the request's message-id, whatever its type. */
Test(amqp_request, answers_with_the_id_of_the_request)
{
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    node_enter_unknown(&p, &rig.server);
    static const struct {
        rf_str id;
        const char *shown;
    } cases[] = {
        {{(const uint8_t *)"\x44", 1}, "73[- - - - - 0] *"},
        {{(const uint8_t *)"\x80\1\2\3\4\5\6\7\x8", 9}, "73[- - - - - 72623859790382856] *"},
        {{(const uint8_t *)"\xa0\2hi", 4}, "73[- - - - - #6869] *"},
        {{(const uint8_t *)"\xa1\3one", 5}, "73[- - - - - one] *"},
        {{(const uint8_t *)"\x40", 1}, "73[- - - - - -] *"}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct node_request request = {.operation = "put-token", .id = cases[i].id};
        node_expect(node_ask(&p, &request), cases[i].shown);
    }
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* By the address of the answering link, by its name, or, where neither is given, by the one of the same session. */
Test(amqp_request, finds_the_link_of_the_answer)
{
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    node_connect(&p, &rig.server);
    node_open(&p);
    node_attach_pair(&p, "$cbs", "first");
    rig_write(&p.line.rig, 1, PERF_BEGIN, "-uuu", 0u, 50000u, 50000u);
    rig_write(&p.line.rig, 1, PERF_ATTACH, "subBB@[s]@[]", "second", 5u, 1, 0, 0,
              (unsigned)PERF_SOURCE, "$cbs", (unsigned)PERF_TARGET);
    rig_write(&p.line.rig, 1, PERF_FLOW, "uuuuuuu", 0u, 50000u, 0u, 50000u, 5u, 0u, 50u);
    line_send(&p.line);
    node_expect(node_next(&p), "begin[1 *");
    node_expect(node_next(&p), "attach[second 5 *");
    static const struct {
        const char *reply_to, *frame;
    } cases[] = {{"first", "transfer[9 *"},
                 {"second", "transfer[5 *"}, /* its name: it has no address */
                 {NULL, "transfer[9 *"},
                 {"nobody", "transfer[9 *"}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct node_request request = {.operation = "?", .reply_to = cases[i].reply_to};
        node_put_request(&p, &request);
        const char *frame = node_next(&p);
        cr_assert(node_is_like(frame, cases[i].frame), "case %zu: %s", i, frame);
    }
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* A client may ask before it grants credit for the answer. */
Test(amqp_request, keeps_answers_until_there_is_credit)
{
    struct node_rig rig;
    struct node_peer p;
    rf_str none = {NULL, 0};
    node_rig_init(&rig);
    node_connect(&p, &rig.server);
    node_open(&p);
    node_expect(node_attach_sender(&p, "ask", 8, "$cbs"), "attach[ask 8 true *");
    node_expect(node_attach_receiver(&p, "reply", 9, "$cbs", none, none, NULL), "attach[*");
    struct node_request request = {.operation = "put-token",
                                   .type = NODE_SAS,
                                   .name = "sb://localhost/flow",
                                   .token = node_sas(&rig, "sb://localhost", "root", 60)};
    for (int i = 0; i < 3; i++) node_put_request(&p, &request);
    /* That the tokens count shows that the answers are there. */
    node_put_request(&p, &request);
    while (!node_is_like(node_attach_sender(&p, "out", 0, "flow"), "attach[out 0 true 2 0 @28*")) {
        node_expect(node_next(&p), "detach[0 *");
        rig_write(&p.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
    }
    node_expect_silence(&p);
    node_credit(&p, 9, 0, 2, false);
    for (int i = 0; i < 2; i++) rig_expect(node_show(p.arena, node_receive(&p)), ACCEPTED);
    node_expect_silence(&p);
    node_credit(&p, 9, 2, 5, false);
    for (int i = 0; i < 2; i++) rig_expect(node_show(p.arena, node_receive(&p)), ACCEPTED);
    node_hang_up(&p);
    node_rig_done(&rig);
}

Test(amqp_request, bounds_the_tokens_of_a_connection)
{
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    node_enter_unknown(&p, &rig.server);
    rf_str token = node_sas(&rig, "sb://localhost", "root", 60);
    for (int i = 0; i <= NODE_GRANTS_MAX; i++) {
        char audience[60];
        (void)snprintf(audience, sizeof audience, "sb://localhost/flow/Publishers/p%d", i);
        const char *got = node_put_token(&p, NODE_SAS, audience, token);
        node_expect(got, i < NODE_GRANTS_MAX ? ACCEPTED : "*status-code 400 *too many tokens*");
    }
    rig_expect(node_put_token(&p, NODE_SAS, "sb://localhost/flow/Publishers/p7", token), ACCEPTED);
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* ---- rights that end -------------------------------------------------------------------------------------------- */

static void enter_with_token(struct node_rig *rig, struct node_peer *p, int64_t seconds)
{
    node_enter_unknown(p, &rig->server);
    rig_expect(node_put_token(p, NODE_SAS, "sb://localhost/flow",
                              node_sas(rig, "sb://localhost/flow", "root", seconds)),
               ACCEPTED);
    node_expect(node_attach_sender(p, "out", 0, "flow"), "attach[out 0 true 2 0 @28*");
    node_expect(node_receive_from(p, 1, "flow/ConsumerGroups/$default/Partitions/0"),
                "attach[in1 1 false 0 0 @28*");
}

/* Links go, the connection stays, and a new token opens it again. */
Test(amqp_request, detaches_links_whose_token_has_ended)
{
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    enter_with_token(&rig, &p, 100);
    node_pass(&rig.server, 110);
    for (int i = 0; i < 2; i++)
        node_expect(node_next(&p),
                    "detach[* true @1d[:amqp:unauthorized-access ExpiredToken: *" NODE_TRACKING
                    "*");
    node_expect_silence(&p);
    rig_write(&p.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
    rig_write(&p.line.rig, 0, PERF_DETACH, "ub", 1u, 1);
    (void)node_attach_sender(&p, "out", 0, "flow");
    node_expect(node_next(&p), "detach[0 true @1d[:amqp:unauthorized-access ExpiredToken: *");
    rig_write(&p.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
    rig_expect(node_put_token(&p, NODE_SAS, "sb://localhost/flow",
                              node_sas(&rig, "sb://localhost/flow", "root", 100)),
               ACCEPTED);
    node_expect(node_attach_sender(&p, "out", 0, "flow"), "attach[out 0 true 2 0 @28*");
    node_hang_up(&p);
    node_rig_done(&rig);
}

Test(amqp_request, a_new_token_replaces_the_old_one_without_a_hiccup)
{
    struct node_rig rig;
    struct node_peer p, other;
    node_rig_init(&rig);
    enter_with_token(&rig, &p, 100);
    enter_with_token(&rig, &other, 100); /* whose detaches show that links were looked at */
    node_pass(&rig.server, 90);
    rig_expect(node_put_token(&p, NODE_SAS, "sb://localhost/flow",
                              node_sas(&rig, "sb://localhost/flow", "root", 100)),
               ACCEPTED);
    node_pass(&rig.server, 20);
    for (int i = 0; i < 2; i++)
        node_expect(node_next(&other),
                    "detach[* true @1d[:amqp:unauthorized-access ExpiredToken: *");
    node_expect_silence(&p);
    node_expect(node_send(&p, 0, 0, node_data(p.arena, "still")), "disposition[true * @24[]]");
    node_hang_up(&other);
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* A key that is made anew voids what was signed with the old one, at once. */
Test(amqp_request, detaches_links_whose_key_has_changed)
{
    struct node_rig rig;
    struct node_peer by_token, by_login;
    node_rig_init(&rig);
    enter_with_token(&rig, &by_token, 100);
    node_enter(&by_login, &rig.server, "root");
    node_expect(node_attach_sender(&by_login, "out", 0, "flow"), "attach[out 0 true 2 0 @28*");
    hub_rig_rule(&rig.hubs, "", "root", "a new key", RIGHT_SEND | RIGHT_LISTEN);
    for (int i = 0; i < 2; i++)
        node_expect(node_next(&by_token), "detach[* true @1d[:amqp:unauthorized-access *");
    node_expect(node_next(&by_login), "detach[0 true @1d[:amqp:unauthorized-access *");
    node_hang_up(&by_login);
    node_hang_up(&by_token);
    node_rig_done(&rig);
}

Test(amqp_request, takes_entra_tokens)
{
    struct hub_world w;
    struct node_server server;
    struct node_peer p;
    h_init(&w);
    node_server_start(&server, w.hubs, &w.site.clock);
    node_enter_unknown(&p, &server);
    static const struct {
        const char *type, *oid, *audience, *answer;
    } cases[] = {
        {"jwt", H_OWNER, "https://eventhubs.azure.net", ACCEPTED},
        {"jwt", H_OWNER, "https://eventhubs.azure.net/", ACCEPTED},
        {"amqp:jwt", H_OWNER, "https://ringfort.ringfort.localhost", ACCEPTED},
        {"jwt", H_OWNER, "https://management.azure.com/", "*status-code 401 *"},
        {NODE_SAS, H_OWNER, "https://eventhubs.azure.net", "*status-code 401 *"},
        {"jwt", H_SENDER, "https://eventhubs.azure.net", ACCEPTED}, /* who he is, not what he may */
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        rf_str token = h_jwt(&w, cases[i].oid, cases[i].audience);
        const char *got = node_put_token(&p, cases[i].type, "sb://localhost/telemetry", token);
        cr_assert(node_is_like(got, cases[i].answer), "case %zu: %s", i, got);
    }
    /* The last token is of somebody who has no role; with one he may send and no more. */
    (void)node_attach_sender(&p, "out", 0, "telemetry");
    node_expect(node_next(&p), "detach[0 true @1d[:amqp:unauthorized-access *");
    rig_write(&p.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
    h_assign(&w, H_SENDER, H_ROLE_DATA_SENDER, H_HUB);
    node_expect(node_attach_sender(&p, "out", 0, "telemetry"), "attach[out 0 true 2 0 @28*");
    (void)node_receive_from(&p, 1, "telemetry/ConsumerGroups/$default/Partitions/0");
    node_expect(node_next(&p), "detach[1 true @1d[:amqp:unauthorized-access *");
    node_hang_up(&p);
    node_server_stop(&server);
    h_done(&w);
}

/* ---- $management ------------------------------------------------------------------------------------------------ */

#define OK_STATUS                                                                                  \
    "73[- - - - - m1] 74{status-code 200 status-description OK statusCode 200 statusDescription "  \
    "OK} "

/* The values of the answer's map by their types. */
static const char *types_of(struct rf_arena *arena, rf_str message)
{
    static const char *const names[] = {
        [AMQP_STRING] = "string",       [AMQP_INT] = "int",     [AMQP_LONG] = "long",
        [AMQP_TIMESTAMP] = "timestamp", [AMQP_ARRAY] = "array", [AMQP_BOOLEAN] = "boolean"};
    struct amqp_section section;
    struct amqp_value value;
    struct rf_buf out = rf_buf_in(arena);
    while (amqp_section_next(&message, &section)) {
        if (section.code != AMQP_BODY_VALUE) continue;
        struct amqp_items items = amqp_items_of(&section.value);
        for (int i = 0; amqp_item(&items, &value); i++)
            rf_buf_printf(&out, "%s ",
                          value.type < RF_COUNT(names) && names[value.type] != NULL
                              ? names[value.type]
                              : "?");
    }
    rf_buf_byte(&out, 0);
    return (const char *)out.ptr;
}

static const char *read_entity(struct node_peer *p, const char *type, const char *name,
                               const char *partition, rf_str *message)
{
    struct node_request request = {
        .operation = "READ", .type = type, .name = name, .partition = partition};
    node_put_request(p, &request);
    *message = node_receive(p);
    return node_show(p->arena, *message);
}

Test(amqp_request, describes_hubs_and_partitions)
{
    struct node_rig rig;
    struct node_peer p;
    struct rf_err err;
    rf_str message;
    node_rig_init(&rig);
    node_enter(&p, &rig.server, "root");
    node_attach_pair(&p, "flow/$management", "reply");
    rig_expect(read_entity(&p, "com.microsoft:eventhub", "FLOW", NULL, &message),
               OK_STATUS "77{name Flow type com.microsoft:eventhub created_at 0 partition_count 4 "
                         "partition_ids (0 1 2 3) georeplication_factor 1}");
    rig_expect(types_of(p.arena, message),
               "string string string string string timestamp string int "
               "string array string int ");
    rig_expect(read_entity(&p, "com.microsoft:partition", "flow", "2", &message),
               OK_STATUS "77{name Flow type com.microsoft:partition partition 2 "
                         "begin_sequence_number 0 last_enqueued_sequence_number -1 "
                         "last_enqueued_offset -1 last_enqueued_time_utc 0 is_partition_empty "
                         "true}");
    rig_expect(types_of(p.arena, message),
               "string string string string string string string long string long string string "
               "string timestamp string boolean ");
    node_expect(node_attach_sender(&p, "out", 0, "flow/Partitions/2"), "attach[out 0 *");
    for (int i = 0; i < 3; i++)
        node_expect(node_send(&p, 0, 0, node_data(p.arena, "x")), "disposition[*@24[]]");
    const char *three = OK_STATUS "77{name Flow type com.microsoft:partition partition 2 "
                                  "begin_sequence_number 0 last_enqueued_sequence_number 2 "
                                  "last_enqueued_offset 2 last_enqueued_time_utc 1700000000000 "
                                  "is_partition_empty false}";
    rig_expect(read_entity(&p, "com.microsoft:partition", "flow", "2", &message), three);
    struct hub *hub = node_hub(&rig, "flow");
    cr_assert(hub_cut_front(hub, 2, 3, &err) == RF_OK, "%s", err.text);
    hub_unref(hub);
    /* Emptied by retention: numbers go on. */
    rig_expect(read_entity(&p, "com.microsoft:partition", "flow", "2", &message),
               OK_STATUS "77{name Flow type com.microsoft:partition partition 2 "
                         "begin_sequence_number 3 last_enqueued_sequence_number 2 "
                         "last_enqueued_offset 2 last_enqueued_time_utc 1700000000000 "
                         "is_partition_empty true}");
    node_hang_up(&p);
    node_rig_done(&rig);
}

Test(amqp_request, says_what_cannot_be_described)
{
    static const struct {
        struct node_request request;
        const char *answer;
    } cases[] = {
        {{.operation = "READ", .type = "com.microsoft:eventhub", .name = "nothing"},
         "*status-code 404 status-description The messaging entity 'sb://plant*/nothing' could not "
         "be found.*error-condition :amqp:not-found *"},
        {{.operation = "READ", .type = "com.microsoft:eventhub"},
         "*status-code 404 *error-condition :amqp:not-found *"},
        {{.operation = "READ", .type = "com.microsoft:partition", .name = "flow", .partition = "4"},
         "*status-code 400 *error-condition :com.microsoft:argument-out-of-range *"},
        {{.operation = "READ", .type = "com.microsoft:partition", .name = "flow", .partition = "x"},
         "*status-code 400 *error-condition :com.microsoft:argument-out-of-range *"},
        {{.operation = "READ", .type = "com.microsoft:partition", .name = "flow"},
         "*status-code 400 *error-condition :com.microsoft:argument-out-of-range *"},
        {{.operation = "READ", .type = "com.microsoft:topic", .name = "flow"},
         "*status-code 400 *error-condition :com.microsoft:argument-error *"},
        {{.operation = "READ", .name = "flow"},
         "*status-code 400 *error-condition :com.microsoft:argument-error *"},
        {{.operation = "WRITE", .type = "com.microsoft:eventhub", .name = "flow"},
         "*status-code 400 *error-condition :com.microsoft:argument-error *"},
        {{.type = "com.microsoft:eventhub", .name = "flow"},
         "*status-code 400 *error-condition :com.microsoft:argument-error *"},
        {{.operation = "READ",
          .type = "com.microsoft:eventhub",
          .name = "flow",
          .security = "SharedAccessSignature sr=x&sig=y&se=1&skn=root"},
         "*status-code 401 *error-condition :amqp:unauthorized-access *"},
        {{.operation = "READ", .type = "com.microsoft:eventhub", .name = "flow", .security = "jwt"},
         "*status-code 401 *error-condition :amqp:unauthorized-access *"},
    };
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    node_enter(&p, &rig.server, "root");
    node_attach_pair(&p, "$management", "reply");
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        const char *got = node_ask(&p, &cases[i].request);
        cr_assert(node_is_like(got, cases[i].answer), "case %zu: %s", i, got);
        cr_assert(node_is_like(got, "*} 77-"), "case %zu: %s", i, got);
    }
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* Any right on the hub will do; none will not, and the link is there all the same. */
Test(amqp_request, describes_to_whom_has_a_right_there)
{
    static const struct {
        const char *audience, *rule, *answer;
    } cases[] = {
        {"sb://localhost/flow", "writer", "*status-code 200 *"},
        {"sb://localhost/flow", "reader", "*status-code 200 *"},
        {"sb://localhost/flow/$management", "reader", "*status-code 200 *"},
        {"sb://localhost", "root", "*status-code 200 *"},
        {"sb://localhost/other", "root",
         "*status-code 401 *error-condition :amqp:unauthorized-access *"},
        {NULL, NULL, "*status-code 401 *error-condition :amqp:unauthorized-access *"},
    };
    struct node_rig rig;
    node_rig_init(&rig);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct node_peer p;
        struct node_request request = {
            .operation = "READ", .type = "com.microsoft:eventhub", .name = "flow"};
        node_connect(&p, &rig.server);
        node_open(&p);
        if (cases[i].audience != NULL) {
            node_attach_pair(&p, "$cbs", "reply");
            rf_str token = node_sas(&rig, cases[i].audience, cases[i].rule, 60);
            rig_expect(node_put_token(&p, NODE_SAS, cases[i].audience, token), ACCEPTED);
            node_detach(&p, 8);
            node_detach(&p, 9);
        }
        node_attach_pair(&p, "$Management", "reply");
        const char *got = node_ask(&p, &request);
        cr_assert(node_is_like(got, cases[i].answer), "case %zu: %s", i, got);
        node_hang_up(&p);
    }
    node_rig_done(&rig);
}
