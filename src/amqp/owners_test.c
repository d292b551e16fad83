/* Who may receive from a partition with a group: contract, section 5.3. */
#include "amqp/nodes_test_util.h"

#define FIRST "flow/ConsumerGroups/$default/Partitions/0"

enum { PLAIN = -1000 };

/* A receiver on a connection of its own; `epoch` PLAIN: without one. */
static const char *attach(struct node_rig *rig, struct node_peer *p, const char *address,
                          int64_t epoch, const char *receiver)
{
    rf_str none = {NULL, 0};
    struct rf_buf map = rf_buf_in(p->arena);
    uint32_t count = 0;
    (void)rig;
    size_t start = amqp_put_begin(&map);
    if (epoch != PLAIN) {
        amqp_put_symbol(&map, RF_S("com.microsoft:epoch"));
        amqp_put_long(&map, epoch);
        count += 2;
    }
    if (receiver != NULL) {
        amqp_put_symbol(&map, RF_S("com.microsoft:receiver-name"));
        amqp_put_string(&map, rf_str_of(receiver));
        count += 2;
    }
    amqp_put_end(&map, start, AMQP_MAP, count);
    return node_attach_receiver(p, "in", 0, address, none, rf_buf_view(&map), NULL);
}

#define TAKEN "attach[in 0 false 0 0 @28*"
#define REFUSED "attach[in 0 false 0 0 - *"

Test(amqp_owners, admits_and_displaces_by_epoch)
{
    static const struct {
        int64_t present, newcomer;
        const char *other; /* the newcomer's address, when it is another one */
        bool is_taken, is_displaced;
    } cases[] = {
        {PLAIN, PLAIN, NULL, true, false},
        {PLAIN, 0, NULL, true, true},
        {PLAIN, 7, NULL, true, true},
        {7, 8, NULL, true, true},
        {7, 7, NULL, true, true}, /* the last one wins */
        {7, 6, NULL, false, false},
        {7, PLAIN, NULL, false, false},
        {0, PLAIN, NULL, false, false},
        {7, 6, "flow/ConsumerGroups/second/Partitions/0", true, false},
        {7, 6, "flow/ConsumerGroups/$default/Partitions/1", true, false},
        {7, 6, "other/ConsumerGroups/$default/Partitions/0", true, false},
        {7, 6, "FLOW/consumergroups/$DEFAULT/partitions/0", false, false}, /* the same place */
    };
    struct node_rig rig;
    node_rig_init(&rig);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct node_peer present, newcomer;
        node_enter(&present, &rig.server, "reader");
        node_enter(&newcomer, &rig.server, "reader");
        node_expect(attach(&rig, &present, FIRST, cases[i].present, NULL), TAKEN);
        const char *address = cases[i].other == NULL ? FIRST : cases[i].other;
        const char *got = attach(&rig, &newcomer, address, cases[i].newcomer, NULL);
        cr_assert(node_is_like(got, cases[i].is_taken ? TAKEN : REFUSED), "case %zu: %s", i, got);
        if (!cases[i].is_taken)
            node_expect(node_next(&newcomer), "detach[0 true @1d[:amqp:link:stolen *");
        if (cases[i].is_displaced)
            node_expect(node_next(&present), "detach[0 true @1d[:amqp:link:stolen *");
        node_expect_silence(&present);
        /* The epoch is forgotten with its link: here it is detached, below the connection is lost. */
        if (!cases[i].is_displaced) node_detach(&present, 0);
        if (cases[i].is_taken) node_detach(&newcomer, 0);
        if (!cases[i].is_taken) {
            rig_write(&newcomer.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
            node_expect(attach(&rig, &newcomer, address, cases[i].newcomer, NULL), TAKEN);
            node_detach(&newcomer, 0);
        }
        node_hang_up(&newcomer);
        node_hang_up(&present);
    }
    node_rig_done(&rig);
}

Test(amqp_owners, names_both_in_what_it_says)
{
    struct node_rig rig;
    struct node_peer first, second;
    node_rig_init(&rig);
    node_enter(&first, &rig.server, "reader");
    node_enter(&second, &rig.server, "reader");
    node_expect(attach(&rig, &first, FIRST, 7, "alpha"), TAKEN);
    (void)attach(&rig, &second, FIRST, PLAIN, NULL);
    node_expect(node_next(&second),
                "detach[0 true @1d[:amqp:link:stolen At least one receiver for the endpoint is "
                "created with epoch of '7', and so non-epoch receiver is not allowed. Either "
                "reconnect with a higher epoch, or make sure all epoch receivers are closed or "
                "disconnected." NODE_TRACKING "*");
    rig_write(&second.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
    (void)attach(&rig, &second, FIRST, 6, "beta");
    node_expect(node_next(&second), "detach[0 true @1d[:amqp:link:stolen *'alpha'*'7'*'beta'*6*");
    rig_write(&second.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
    node_expect(attach(&rig, &second, FIRST, 8, NULL), TAKEN);
    node_expect(
        node_next(&first),
        "detach[0 true @1d[:amqp:link:stolen New receiver 'nil' with higher epoch of '8' is "
        "created hence current receiver 'alpha' with epoch '7' is getting disconnected. If "
        "you are recreating the receiver, make sure a higher epoch is used." NODE_TRACKING "*");
    node_hang_up(&second);
    node_hang_up(&first);
    node_rig_done(&rig);
}

/* Five without an epoch; the sixth is one too many; one with an epoch displaces them all. */
Test(amqp_owners, admits_five_plain_receivers)
{
    struct node_rig rig;
    struct node_peer p[PLAIN_RECEIVERS_MAX + 1];
    node_rig_init(&rig);
    for (int i = 0; i <= PLAIN_RECEIVERS_MAX; i++) {
        node_enter(&p[i], &rig.server, "reader");
        const char *got = attach(&rig, &p[i], FIRST, PLAIN, NULL);
        node_expect(got, i < PLAIN_RECEIVERS_MAX ? TAKEN : REFUSED);
    }
    struct node_peer *sixth = &p[PLAIN_RECEIVERS_MAX];
    node_expect(node_next(sixth), "detach[0 true @1d[:amqp:resource-limit-exceeded *is 5.*");
    rig_write(&sixth->line.rig, 0, PERF_DETACH, "ub", 0u, 1);
    node_expect(attach(&rig, sixth, FIRST, 0, NULL), TAKEN);
    for (int i = 0; i < PLAIN_RECEIVERS_MAX; i++)
        node_expect(node_next(&p[i]), "detach[0 true @1d[:amqp:link:stolen *");
    for (int i = 0; i <= PLAIN_RECEIVERS_MAX; i++) node_hang_up(&p[i]);
    node_rig_done(&rig);
}

/* Whoever is refused for anything else displaces nobody, and an owner that is displaced gets nothing more. */
Test(amqp_owners, who_is_refused_displaces_nobody)
{
    struct node_rig rig;
    struct node_peer owner, stranger, late;
    rf_str none = {NULL, 0};
    node_rig_init(&rig);
    node_enter(&owner, &rig.server, "reader");
    node_expect(attach(&rig, &owner, FIRST, 1, NULL), TAKEN);
    node_credit(&owner, 0, 0, 100, false);
    node_enter(&stranger, &rig.server, "writer"); /* who may not listen */
    node_expect(attach(&rig, &stranger, FIRST, 9, NULL), REFUSED);
    node_enter(&late, &rig.server, "root");
    struct rf_buf map = rf_buf_in(late.arena), filter = rf_buf_in(late.arena);
    size_t start = amqp_put_begin(&map);
    amqp_put_symbol(&map, RF_S("com.microsoft:epoch"));
    amqp_put_long(&map, 9);
    amqp_put_end(&map, start, AMQP_MAP, 2);
    node_put_selector(&filter, "amqp.annotation.x-opt-offset > '12345'");
    node_expect(
        node_attach_receiver(&late, "in", 0, FIRST, rf_buf_view(&filter), rf_buf_view(&map), NULL),
        REFUSED);
    node_expect(node_next(&late), "detach[0 true @1d[:com.microsoft:argument-error *");
    rig_write(&late.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
    node_expect_silence(&owner);
    node_expect(node_attach_receiver(&late, "in", 0, FIRST, none, rf_buf_view(&map), NULL), TAKEN);
    node_expect(node_next(&owner), "detach[0 true @1d[:amqp:link:stolen *");
    node_expect(node_attach_sender(&late, "out", 1, "flow/Partitions/0"), "attach[out 1 *");
    node_expect(node_send(&late, 1, 0, node_data(late.arena, "x")), "disposition[*@24[]]");
    node_expect_silence(&owner);
    node_hang_up(&late); /* the epoch goes with the connection */
    for (;;) {
        rig_write(&owner.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
        const char *got = attach(&rig, &owner, FIRST, PLAIN, NULL);
        if (node_is_like(got, TAKEN)) break; /* the server has seen that it is lost */
        node_expect(node_next(&owner), "detach[0 true @1d[:amqp:link:stolen *");
    }
    node_hang_up(&stranger);
    node_hang_up(&owner);
    node_rig_done(&rig);
}
