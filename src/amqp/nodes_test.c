/* What a connection may do before it has links, which nodes there are, and how long it may be silent: contract, sections 3.1 to 3.3, 6. */
#include "amqp/nodes_test_util.h"

/* ---- SASL ------------------------------------------------------------------------------------------------------- */

Test(amqp_nodes, logs_in_by_what_the_mechanism_proves)
{
    static const struct {
        const char *mechanism;
        rf_str response;
        const char *outcome;
    } cases[] = {
        {"MSSBCBS", {(const uint8_t *)"\0root", 5}, "outcome[0*"},
        {"ANONYMOUS", {(const uint8_t *)"", 0}, "outcome[0*"},
        {"PLAIN", {(const uint8_t *)"\0root\0" NODE_KEY, 50}, "outcome[0*"},
        {"PLAIN", {(const uint8_t *)"\0%72oot\0" NODE_KEY, 52}, "outcome[0*"},
        {"PLAIN", {(const uint8_t *)"me\0root\0" NODE_KEY, 52}, "outcome[0*"},
        {"PLAIN", {(const uint8_t *)"\0root\0other", 11}, "outcome[0*"}, /* the secondary key */
        {"PLAIN", {(const uint8_t *)"\0root\0wrong", 11}, "outcome[1*"},
        {"PLAIN", {(const uint8_t *)"\0nobody\0" NODE_KEY, 52}, "outcome[1*"},
        {"PLAIN", {(const uint8_t *)"\0root", 5}, "outcome[1*"},
        {"PLAIN", {(const uint8_t *)"", 0}, "outcome[1*"},
        {"EXTERNAL", {(const uint8_t *)"", 0}, "outcome[1*"}, /* there is no certificate */
        {"GSSAPI", {(const uint8_t *)"x", 1}, "outcome[1*"},
        {"plain", {(const uint8_t *)"\0root\0" NODE_KEY, 50}, "outcome[1*"},
    };
    struct node_rig rig;
    node_rig_init(&rig);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct node_peer p;
        node_connect(&p, &rig.server);
        const char *outcome = node_log_in(&p, cases[i].mechanism, cases[i].response);
        cr_assert(node_is_like(outcome, cases[i].outcome), "case %zu: %s", i, outcome);
        if (cases[i].outcome[8] == '1') rig_expect(line_frame(&p.line), "");
        node_hang_up(&p);
    }
    node_rig_done(&rig);
}

/* The rights of PLAIN are the connection's: no token is needed, and what the rule does not give is refused. */
Test(amqp_nodes, gives_the_rights_of_the_rule_that_logged_in)
{
    static const struct {
        const char *rule;
        bool sends, receives;
    } cases[] = {{"root", true, true}, {"writer", true, false}, {"reader", false, true}};
    struct node_rig rig;
    node_rig_init(&rig);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct node_peer p;
        node_enter(&p, &rig.server, cases[i].rule);
        const char *got = node_attach_sender(&p, "out", 0, "flow");
        node_expect(got,
                    cases[i].sends ? "attach[out 0 true 2 0 @28[*" : "attach[out 0 true 2 0 -*");
        if (!cases[i].sends)
            node_expect(node_next(&p), "detach[0 true @1d[:amqp:unauthorized-access *");
        got = node_receive_from(&p, 1, "flow/ConsumerGroups/$default/Partitions/0");
        node_expect(got, cases[i].receives ? "attach[in1 1 false 0 0 @28[*"
                                           : "attach[in1 1 false 0 0 - *");
        if (!cases[i].receives)
            node_expect(node_next(&p), "detach[1 true @1d[:amqp:unauthorized-access *");
        node_hang_up(&p);
    }
    node_rig_done(&rig);
}

/* ---- open and attach -------------------------------------------------------------------------------------------- */

Test(amqp_nodes, knows_its_namespaces_by_name)
{
    static const struct {
        const char *host, *answer;
    } cases[] = {
        {"localhost", "begin[0 0 5000 5000 262143*"},
        {"localhost:5671", "begin[*"},
        {"PLANT.ringfort.localhost", "begin[*"},
        {"gateway.example", "begin[*"}, /* what TLS was asked for counts: nothing, the first one */
    };
    struct node_rig rig;
    node_rig_init(&rig);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct node_peer p;
        node_connect(&p, &rig.server);
        node_open_as(&p, cases[i].host, 65536);
        node_expect(line_frame(&p.line), cases[i].answer);
        node_hang_up(&p);
    }
    node_rig_done(&rig);
}

Test(amqp_nodes, refuses_addresses_that_are_none)
{
    static const struct {
        const char *address;
        bool receives;
        const char *condition; /* NULL: is taken */
    } cases[] = {
        {"flow", false, NULL},
        {"/FLOW", false, NULL},
        {"flow/partitions/3", false, NULL},
        {"flow/Partitions/4", false, "com.microsoft:argument-out-of-range"},
        {"flow/Partitions/-1", false, "com.microsoft:argument-out-of-range"},
        {"flow/Partitions/00", false, "com.microsoft:argument-out-of-range"},
        {"flow/Partitions/x", false, "com.microsoft:argument-out-of-range"},
        {"flow/Partitions/4294967296", false, "com.microsoft:argument-out-of-range"},
        {"flow/publishers/truck", false, NULL},
        {"nothing", false, "amqp:not-found"},
        {"", false, "amqp:not-found"},
        {"/", false, "amqp:not-found"},
        {"flow/Partitions", false, "amqp:not-found"},
        {"flow/Partitions/", false, "amqp:not-found"},
        {"flow/Publishers/truck/Partitions/0", false, "amqp:not-found"},
        {"flow/ConsumerGroups/$default/Partitions/0", false, "amqp:not-found"},
        {"flow/messages", false, "amqp:not-found"},
        {"flow/ConsumerGroups/$Default/Partitions/0", true, NULL},
        {"/Flow/consumergroups/SECOND/partitions/1", true, NULL},
        {"flow/ConsumerGroups/third/Partitions/0", true, "amqp:not-found"},
        {"nothing/ConsumerGroups/$default/Partitions/0", true, "amqp:not-found"},
        {"flow/ConsumerGroups/$default/Partitions/9", true, "com.microsoft:argument-out-of-range"},
        {"flow/ConsumerGroups/$default", true, "amqp:not-found"},
        {"flow/Partitions/0", true, "amqp:not-found"},
        {"flow", true, "amqp:not-found"},
    };
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    node_enter(&p, &rig.server, "root");
    for (uint32_t i = 0; i < RF_COUNT(cases); i++) {
        char attach[100], detach[200];
        const char *got = cases[i].receives ? node_receive_from(&p, i, cases[i].address)
                                            : node_attach_sender(&p, "out", i, cases[i].address);
        if (cases[i].condition == NULL) {
            (void)snprintf(attach, sizeof attach, "attach[* %u * @28[*@29[*", i);
            cr_assert(node_is_like(got, attach), "case %u: %s", i, got);
            node_detach(&p, i);
            continue;
        }
        /* Two frames, of which the first has neither source nor target. */
        (void)snprintf(attach, sizeof attach, "attach[* %u %s]", i,
                       cases[i].receives ? "false 0 0 - - - - 0" : "true 2 0 - - - - -");
        cr_assert(node_is_like(got, attach), "case %u: %s is not %s", i, got, attach);
        (void)snprintf(detach, sizeof detach, "detach[%u true @1d[:%s *" NODE_TRACKING "*", i,
                       cases[i].condition);
        got = node_next(&p);
        cr_assert(node_is_like(got, detach), "case %u: %s", i, got);
        rig_write(&p.line.rig, 0, PERF_DETACH, "ub", i, 1);
    }
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* The sentence by which clients know that something is not there. */
Test(amqp_nodes, tells_what_is_not_there)
{
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    node_enter(&p, &rig.server, "root");
    (void)node_attach_sender(&p, "out", 0, "nothing");
    node_expect(node_next(&p), "detach[0 true @1d[:amqp:not-found The messaging entity "
                               "'sb://plant*/nothing' could not be found." NODE_TRACKING
                               "~0, Timestamp:2023-11-14T22:13:20*Z]]");
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* A name again on the same connection takes the place of the link that has it. */
Test(amqp_nodes, steals_a_link_of_the_same_name)
{
    struct node_rig rig;
    struct node_peer p, other;
    node_rig_init(&rig);
    node_enter(&p, &rig.server, "root");
    node_enter(&other, &rig.server, "root");
    node_expect(node_attach_sender(&p, "out", 0, "flow"), "attach[out 0 *");
    node_expect(node_attach_sender(&other, "out", 0, "flow"), "attach[out 0 *");
    node_expect(node_attach_sender(&p, "out", 1, "flow"), "detach[0 true @1d[:amqp:link:stolen *");
    node_expect(node_next(&p), "attach[out 1 *");
    node_expect_silence(&other);
    node_hang_up(&other);
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* ---- time ------------------------------------------------------------------------------------------------------- */

/* Lets the time pass without the connection being silent. */
static void stay(struct node_rig *rig, struct node_peer *p, int64_t seconds)
{
    for (; seconds > 0; seconds -= 120) {
        rf_buf_put(&p->line.rig.in, "\0\0\0\x8\2\0\0\0", 8);
        node_expect_silence(p);
        node_pass(&rig->server, RF_MIN(seconds, 120));
    }
}

Test(amqp_nodes, detaches_links_that_are_idle)
{
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    node_enter(&p, &rig.server, "root");
    node_expect(node_attach_sender(&p, "out", 0, "flow"), "attach[out 0 *");
    node_expect(node_receive_from(&p, 1, "flow/ConsumerGroups/$default/Partitions/0"),
                "attach[in1 1 *");
    node_credit(&p, 1, 0, 10, false);
    stay(&rig, &p, 540);
    node_attach_pair(&p, "$cbs", "reply");
    stay(&rig, &p, 590);
    node_expect_silence(&p);
    stay(&rig, &p, 20);
    const char *got = node_next(&p); /* both links of $cbs, in any order */
    node_expect(got, "detach[* true @1d[:amqp:link:detach-forced *10 minutes*");
    node_expect(node_next(&p), "detach[* true @1d[:amqp:link:detach-forced *10 minutes*");
    stay(&rig, &p, 640);
    node_expect_silence(&p);
    stay(&rig, &p, 20);
    node_expect(node_next(&p), "detach[0 true @1d[:amqp:link:detach-forced *Detach origin: "
                               "AmqpEventHubPublisher.IdleTimerExpired: Idle timeout: 00:30:00.*");
    stay(&rig, &p, 3600); /* a receiver with credit may wait for ever */
    node_expect_silence(&p);
    node_hang_up(&p);
    node_rig_done(&rig);
}

Test(amqp_nodes, closes_connections_that_are_of_no_use)
{
    struct node_rig rig;
    struct node_peer early, unknown, linkless, silent;
    node_rig_init(&rig);
    node_connect(&early, &rig.server); /* says its header and no more */
    rf_buf_str(&early.line.rig.in, RF_S("AMQP\3\1\0\0"));
    line_send(&early.line);
    (void)line_take(&early.line, 8);
    (void)line_frame(&early.line);
    node_connect(&unknown, &rig.server);
    node_open(&unknown);
    node_enter(&linkless, &rig.server, "root");
    node_enter(&silent, &rig.server, "root");
    node_expect(node_attach_sender(&silent, "out", 0, "flow"), "attach[out 0 *");
    node_pass(&rig.server, 19);
    node_expect_silence(&unknown);
    node_pass(&rig.server, 2);
    rig_expect(line_frame(&early.line), "");
    node_expect(node_next(&unknown), "close[@1d[:amqp:connection:forced *token*");
    node_pass(&rig.server, 210);
    rf_buf_put(&linkless.line.rig.in, "\0\0\0\x8\2\0\0\0", 8);
    node_expect_silence(&linkless);
    node_pass(&rig.server, 12);
    node_expect(node_next(&silent),
                "close[@1d[:amqp:connection:forced The connection was inactive for more than the "
                "allowed 240000 milliseconds and is closed by container '*'.]]");
    node_pass(&rig.server, 58);
    node_expect(node_next(&linkless),
                "close[@1d[:amqp:connection:forced The connection was inactive for more than the "
                "allowed 300000 milliseconds and is closed by container 'LinkTracker'.]]");
    node_hang_up(&silent);
    node_hang_up(&linkless);
    node_hang_up(&unknown);
    node_hang_up(&early);
    node_rig_done(&rig);
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

Test(amqp_nodes, has_a_condition_for_every_error)
{
    static const struct {
        enum rf_kind kind;
        const char *code, *condition;
    } cases[] = {
        {RF_NOT_FOUND, "HubNotFound", "amqp:not-found"},
        {RF_INVALID, "PartitionOutOfRange", "com.microsoft:argument-out-of-range"},
        {RF_INVALID, "ArgumentError", "com.microsoft:argument-error"},
        {RF_DENIED, "Unauthorized", "amqp:unauthorized-access"},
        {RF_DENIED, "ExpiredToken", "amqp:unauthorized-access"},
        {RF_DENIED, "SomethingNew", "amqp:unauthorized-access"},
        {RF_DENIED, "PublisherRevoked", "com.microsoft:publisher-revoked"},
        {RF_DENIED, "EntityDisabled", "com.microsoft:entity-disabled"},
        {RF_CONFLICT, "OutOfOrderSequence", "com.microsoft:out-of-order-sequence"},
        {RF_CONFLICT, "ProducerFenced", "com.microsoft:producer-epoch-stolen"},
        {RF_LIMIT, "MessageTooLarge", "amqp:link:message-size-exceeded"},
        {RF_AGAIN, "ServerBusy", "com.microsoft:server-busy"},
        {RF_LIMIT, "amqp:resource-limit-exceeded", "amqp:resource-limit-exceeded"},
        {RF_IO, "DiskFull", "amqp:internal-error"},
        {RF_IO, NULL, "amqp:internal-error"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_err err = {.kind = cases[i].kind, .code = cases[i].code};
        const char *condition = node_condition(&err);
        cr_assert(strcmp(condition, cases[i].condition) == 0, "%s: %s", cases[i].code, condition);
    }
}
