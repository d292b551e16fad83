#include "amqp/engine_test_util.h"

static void start(struct rig *rig)
{
    rig_init(rig);
    rig_open(rig, 65536, 2048);
}

static void transfer(struct rig *rig, uint32_t handle, uint32_t id, rf_str payload)
{
    rig_write(rig, 0, PERF_TRANSFER, "uutubbp", handle, id, id, 0u, 0, 0, payload);
}

/* ---- attach and detach -------------------------------------------------------------------------------------------------- */

Test(amqp_link, answers_attach_and_grants_credit)
{
    struct rig rig;
    start(&rig);
    rig_attach(&rig, "in", 3, false);
    rig_expect(rig_seen(&rig), "attach in to there\n");
    rig_expect(rig_out(&rig),
               "0 attach[in 3 true 2 0 @28[here] @29[there] - - - 1048576 (:offered) - -]\n"
               "0 flow[0 5000 0 5000 3 0 10 - false]\n");
    rig_attach(&rig, "out", 4, true);
    rig_expect(rig_out(&rig),
               "0 attach[out 4 false 2 0 @28[here] @29[there] - - 0 1048576 (:offered) - -]\n");
    rig_write(&rig, 0, PERF_DETACH, "ub", 3u, 1);
    rig_write(&rig, 0, PERF_DETACH, "u", 4u);
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "0 detach[3 true]\n0 detach[4 false]\n");
    rig_expect(rig_seen(&rig), "attach out from here\ndetach by peer\ndetach by peer\n");
    rig_done(&rig);
}

Test(amqp_link, shows_and_echoes_filters)
{
    struct rig rig;
    start(&rig);
    struct rf_buf map = rf_buf_in(&rig.arena);
    size_t begin = amqp_put_begin(&map);
    amqp_put_symbol(&map, RF_S("f"));
    amqp_put_uint(&map, 1);
    amqp_put_end(&map, begin, AMQP_MAP, 2);
    rig.accepts_late = true;
    rig_write(&rig, 0, PERF_ATTACH, "subBB@[s------x--y]@[s]", "out", 0u, 1, 2, 0,
              (unsigned)PERF_SOURCE, "here", rf_buf_view(&map), "capability", (unsigned)PERF_TARGET,
              "there");
    rig_feed(&rig);
    (void)rig_seen(&rig);
    struct amqp_terms terms = {0};
    cr_assert(amqp_link_accept(rig.connection, rig.last_link, &terms, &rig));
    rig_expect(rig_out(&rig),
               "0 attach[out 0 false 2 0 @28[here - - - - - - {:f 1} - - -] @29[there] - - 0 "
               "1048576 - - -]\n");
    rig_write(&rig, 0, PERF_ATTACH, "subBB@[s------x]@[s]", "out2", 1u, 1, 1, 1,
              (unsigned)PERF_SOURCE, "here", rf_buf_view(&map), (unsigned)PERF_TARGET, "there");
    rig_feed(&rig);
    rf_str none = {NULL, 0};
    terms.filter = &none;
    cr_assert(amqp_link_accept(rig.connection, rig.last_link, &terms, &rig));
    cr_assert(!amqp_link_accept(rig.connection, rig.last_link, &terms, &rig), "once");
    rig_expect(
        rig_out(&rig),
        "0 attach[out2 1 false 1 1 @28[here - - - - - - -] @29[there] - - 0 1048576 - - -]\n");
    rig_done(&rig);
}

Test(amqp_link, refuses_in_two_frames)
{
    struct rig rig;
    start(&rig);
    rig.refuses = true;
    rig_attach(&rig, "out", 0, true);
    rig_attach(&rig, "in", 1, false);
    rig_expect(rig_out(&rig), "0 attach[out 0 false 2 0 - - - - 0]\n"
                              "0 detach[0 true @1d[:amqp:not-found no such node]]\n"
                              "0 attach[in 1 true 2 0 - - - - -]\n"
                              "0 detach[1 true @1d[:amqp:not-found no such node]]\n");
    rig_expect(rig_seen(&rig), "attach out from here\nattach in to there\n");
    rig_write(&rig, 0, PERF_DETACH, "ub", 0u, 1);
    rig_write(&rig, 0, PERF_DETACH, "ub", 1u, 1);
    rig_feed(&rig);
    rig.refuses = false;
    rig_attach(&rig, "in", 0, false); /* the handle is free again */
    cr_assert(amqp_link_is_open(rig.connection, rig.last_link));
    rig_done(&rig);
}

Test(amqp_link, a_link_that_has_gone_is_known_to_have_gone)
{
    struct rig rig;
    start(&rig);
    rig.accepts_late = true;
    rig_attach(&rig, "in", 0, false);
    struct amqp_link gone = rig.last_link;
    rig_write(&rig, 0, PERF_DETACH, "ub", 0u, 1);
    rig_feed(&rig);
    rig_expect(rig_seen(&rig), "attach in to there\ndetach by peer unanswered\n");
    rig_expect(rig_out(&rig), "0 attach[in 0 true 2 0 - - - - -]\n0 detach[0 true]\n");
    rig_attach(&rig, "in", 0, false); /* in the same place */
    struct amqp_terms terms = {.credit = 1};
    cr_assert(rig.last_link.slot == gone.slot && !amqp_link_eq(rig.last_link, gone));
    cr_assert(!amqp_link_accept(rig.connection, gone, &terms, &rig));
    amqp_link_refuse(rig.connection, gone, &(struct amqp_error){"amqp:not-found", RF_S("")});
    amqp_detach(rig.connection, gone, NULL);
    amqp_delivery_accept(rig.connection, (struct amqp_delivery){gone, 0});
    cr_assert(amqp_send(rig.connection, gone, 0, RF_S("x")) == AMQP_GONE);
    rig_expect(rig_out(&rig), "");
    cr_assert(amqp_link_accept(rig.connection, rig.last_link, &terms, &rig));
    rig_done(&rig);
}

Test(amqp_link, steals_the_name_of_a_link)
{
    struct rig rig;
    start(&rig);
    rig_attach(&rig, "name", 0, true);
    rig_attach(&rig, "name", 1, false); /* the other direction is another link */
    (void)rig_out(&rig);
    (void)rig_seen(&rig);
    rig_attach(&rig, "name", 2, true);
    rig_expect(rig_seen(&rig), "detach by stolen\nattach name from here\n");
    const char *out = rig_out(&rig);
    cr_assert(strncmp(out, "0 detach[0 true @1d[:amqp:link:stolen ", 38) == 0, "%s", out);
    cr_assert(strstr(out, "0 attach[name 2 false ") != NULL, "%s", out);
    rig_done(&rig);
}

Test(amqp_link, bounds_what_a_stranger_attaches)
{
    struct rig rig;
    start(&rig);
    amqp_set_authorized(rig.connection, false);
    char name[16];
    for (uint32_t i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "n%u", i);
        rig_attach(&rig, name, i, false);
    }
    (void)rig_out(&rig);
    rig_attach(&rig, "one more", 64, false);
    const char *out = rig_out(&rig);
    cr_assert(strncmp(out, "0 end[@1d[:amqp:resource-limit-exceeded ", 40) == 0, "%s", out);
    rig_done(&rig);
}

Test(amqp_link, tells_all_links_of_the_end)
{
    struct rig rig;
    start(&rig);
    rig_attach(&rig, "a", 0, true);
    rig_attach(&rig, "b", 1, false);
    (void)rig_seen(&rig);
    rig_write(&rig, 0, PERF_END, "");
    rig_feed(&rig);
    rig_expect(rig_seen(&rig), "detach by peer\ndetach by peer\n");
    rig_write(&rig, 0, PERF_BEGIN, "-uuu", 0u, 1u, 1u);
    rig_attach(&rig, "a", 0, true);
    (void)rig_seen(&rig);
    amqp_close(rig.connection, NULL);
    rig_expect(rig_seen(&rig), "detach by server\n");
    rig_done(&rig);
}

/* ---- messages to the server ------------------------------------------------------------------------------------------------ */

Test(amqp_link, takes_messages_and_answers_a_range_in_one_frame)
{
    struct rig rig;
    start(&rig);
    rig_attach(&rig, "in", 0, false);
    (void)rig_out(&rig);
    (void)rig_seen(&rig);
    for (uint32_t i = 0; i < 4; i++) transfer(&rig, 0, i, RF_S("abc"));
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "0 disposition[true 0 3 true @24[]]\n");
    rig_expect(rig_seen(&rig), "message 0 format 0 3 bytes\nmessage 1 format 0 3 bytes\n"
                               "message 2 format 0 3 bytes\nmessage 3 format 0 3 bytes\n");
    for (uint32_t i = 4; i < 6; i++) transfer(&rig, 0, i, RF_S("abc"));
    rig_feed(&rig); /* half of the credit is used up */
    rig_expect(rig_out(&rig),
               "0 disposition[true 4 5 true @24[]]\n0 flow[6 5000 0 5000 0 6 10 - false]\n");
    rig_done(&rig);
}

Test(amqp_link, joins_answers_that_come_in_any_order)
{
    struct rig rig;
    start(&rig);
    rig.settles_late = true;
    rig_attach(&rig, "in", 0, false);
    (void)rig_out(&rig);
    struct amqp_delivery deliveries[5];
    for (uint32_t i = 0; i < 5; i++) {
        transfer(&rig, 0, i, RF_S("abc"));
        rig_feed(&rig);
        deliveries[i] = rig.last_delivery;
    }
    rig_expect(rig_out(&rig), "0 flow[5 5000 0 5000 0 5 10 - false]\n");
    amqp_delivery_accept(rig.connection, deliveries[1]);
    amqp_delivery_accept(rig.connection, deliveries[0]);
    amqp_delivery_accept(rig.connection, deliveries[4]);
    amqp_delivery_release(rig.connection, deliveries[3]);
    amqp_delivery_reject(rig.connection, deliveries[2],
                         &(struct amqp_error){"amqp:decode-error", RF_S("no message")});
    amqp_push(rig.connection);
    rig_expect(rig_out(&rig),
               "0 disposition[true 3 3 true @26[]]\n"
               "0 disposition[true 2 2 true @25[@1d[:amqp:decode-error no message]]]\n"
               "0 disposition[true 0 1 true @24[]]\n0 disposition[true 4 4 true @24[]]\n");
    rig_done(&rig);
}

Test(amqp_link, keeps_credit_back_while_too_much_is_unanswered)
{
    struct rig rig;
    start(&rig);
    rig.settles_late = true;
    rig.unsettled_max = 12;
    rig_attach(&rig, "in", 0, false);
    (void)rig_out(&rig);
    for (uint32_t i = 0; i < 10; i++) transfer(&rig, 0, i, RF_S("abc"));
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "0 flow[10 5000 0 5000 0 10 2 - false]\n");
    for (uint32_t i = 10; i < 12; i++) transfer(&rig, 0, i, RF_S("abc"));
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "");
    amqp_delivery_accept(rig.connection, rig.last_delivery);
    amqp_push(rig.connection);
    rig_expect(rig_out(&rig),
               "0 disposition[true 11 11 true @24[]]\n0 flow[12 5000 0 5000 0 12 1 - false]\n");
    amqp_link_credit(rig.connection, rig.last_link, 0);
    transfer(&rig, 0, 12, RF_S("abc"));
    transfer(&rig, 0, 13, RF_S("abc")); /* without credit */
    rig_feed(&rig);
    const char *out = rig_out(&rig);
    cr_assert(strncmp(out, "0 detach[0 true @1d[:amqp:link:transfer-limit-exceeded ", 55) == 0,
              "%s", out);
    rig_done(&rig);
}

Test(amqp_link, joins_frames_of_a_message)
{
    struct rig rig;
    start(&rig);
    rig_attach(&rig, "in", 0, false);
    rig_attach(&rig, "other", 1, false);
    (void)rig_out(&rig);
    (void)rig_seen(&rig);
    rig_write(&rig, 0, PERF_TRANSFER, "uutubbp", 0u, 0u, 9u, 0x80013700u, 0, 1, RF_S("abc"));
    transfer(&rig, 1, 1, RF_S("x")); /* links take turns */
    rig_write(&rig, 0, PERF_TRANSFER, "u----bp", 0u, 1, RF_S("de"));
    rig_write(&rig, 0, PERF_TRANSFER, "u---bbp", 0u, 1, 0, RF_S("f")); /* settled at the end */
    rig_feed(&rig);
    rig_expect(rig_seen(&rig),
               "message 1 format 0 1 bytes\nmessage 0 format 80013700 6 bytes settled\n");
    rig_expect(rig_out(&rig), "0 disposition[true 1 1 true @24[]]\n");
    rig_done(&rig);
}

Test(amqp_link, forgets_what_is_aborted)
{
    struct rig rig;
    start(&rig);
    rig_attach(&rig, "in", 0, false);
    (void)rig_out(&rig);
    (void)rig_seen(&rig);
    rig_write(&rig, 0, PERF_TRANSFER, "uutubbp", 0u, 0u, 9u, 0u, 0, 1, RF_S("abc"));
    rig_write(&rig, 0, PERF_TRANSFER, "u---------", 0u);
    rig_feed(&rig);
    rig_expect(rig_seen(&rig), "message 0 format 0 3 bytes\n");
    rig_write(&rig, 0, PERF_TRANSFER, "uutubbp", 0u, 1u, 9u, 0u, 0, 1, RF_S("abc"));
    rig_write(&rig, 0, PERF_TRANSFER, "u--------b", 0u, 1);
    transfer(&rig, 0, 2, RF_S("next"));
    rig_feed(&rig);
    rig_expect(rig_seen(&rig), "message 2 format 0 4 bytes\n");
    rig_done(&rig);
}

Test(amqp_link, refuses_what_is_too_large_before_its_end)
{
    struct rig rig;
    start(&rig);
    rig.message_bytes_max = 100;
    rig_attach(&rig, "in", 0, false);
    (void)rig_out(&rig);
    (void)rig_seen(&rig);
    uint8_t bytes[101] = {0};
    rf_str large = rf_str_make(bytes, 101);
    rig_write(&rig, 0, PERF_TRANSFER, "uutubbp", 0u, 0u, 9u, 0u, 0, 1, rf_slice(large, 0, 60));
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "");
    rig_write(&rig, 0, PERF_TRANSFER, "u----bp", 0u, 1, rf_slice(large, 0, 60));
    rig_feed(&rig);
    const char *said = "disposition[true 0 0 true @25[@1d[:amqp:link:message-size-exceeded "
                       "The message is larger than max-message-size of the link.]]]\n";
    const char *out = rig_out(&rig);
    cr_assert(strcmp(out + 2, said) == 0, "%s", out);
    rig_write(&rig, 0, PERF_TRANSFER, "u----bp", 0u, 1, large);
    rig_write(&rig, 0, PERF_TRANSFER, "u----bp", 0u, 0, large);
    transfer(&rig, 0, 1, rf_slice(large, 0, 100));
    transfer(&rig, 0, 2, large); /* in one frame */
    rig_feed(&rig);
    rig_expect(rig_seen(&rig), "message 1 format 0 100 bytes\n");
    out = rig_out(&rig);
    cr_assert(strstr(out, "disposition[true 1 1 true @24[]]") != NULL, "%s", out);
    cr_assert(strstr(out, "disposition[true 2 2 true @25[") != NULL, "%s", out);
    rig_write(&rig, 0, PERF_TRANSFER, "uutubbp", 0u, 3u, 9u, 0u, 1, 0,
              large); /* nobody waits for an answer */
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "");
    rig_done(&rig);
}

Test(amqp_link, renews_the_window_and_keeps_to_it)
{
    struct rig rig;
    start(&rig);
    rig.credit = 100000;
    rig_attach(&rig, "in", 0, false);
    (void)rig_out(&rig);
    for (uint32_t i = 0; i < 2500; i++) transfer(&rig, 0, i, RF_S("x"));
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "0 disposition[true 0 2499 true @24[]]\n0 flow[2500 5000 0 5000]\n");
    for (uint32_t i = 2500; i < 7501; i++) transfer(&rig, 0, i, RF_S("x"));
    rig_feed(&rig); /* one more than the window, in one go */
    const char *out = rig_out(&rig);
    cr_assert(strstr(out, "0 end[@1d[:amqp:session:window-violation ") != NULL, "%s", out);
    rig_done(&rig);
}

/* ---- messages to the peer -------------------------------------------------------------------------------------------------- */

Test(amqp_link, sends_what_credit_allows_and_drains)
{
    struct rig rig;
    start(&rig);
    rig_attach(&rig, "out", 0, true);
    rig.sends = true;
    (void)rig_out(&rig);
    (void)rig_seen(&rig);
    rig_write(&rig, 0, PERF_FLOW, "uuuuuuu", 0u, 2048u, 0u, 10u, 0u, 0u, 2u);
    rig_feed(&rig);
    rig_expect(rig_seen(&rig), "credit 2\n");
    rig_expect(rig_out(&rig), "0 transfer[0 0 #00000000 0 false false] 5\n"
                              "0 transfer[0 1 #00000001 0 false false] 5\n");
    rig.sends = false;
    rig_write(&rig, 0, PERF_FLOW, "uuuuuuu-b", 2u, 2048u, 0u, 10u, 0u, 2u, 5u, 1);
    rig_feed(&rig);
    rig_expect(rig_seen(&rig), "credit 5 drain\n");
    rig_expect(rig_out(&rig), "0 flow[0 5000 2 5000 0 7 0 - true]\n");
    /* What was written before the peer saw the messages counts them off. */
    rig_write(&rig, 0, PERF_FLOW, "uuuuuuu", 0u, 2048u, 0u, 10u, 0u, 0u, 8u);
    rig_feed(&rig);
    cr_assert(amqp_link_credit_left(rig.connection, rig.last_link) == 1);
    rig_done(&rig);
}

Test(amqp_link, sends_settled_when_it_is_asked_to)
{
    struct rig rig;
    start(&rig);
    rig.sends = true;
    rig_write(&rig, 0, PERF_ATTACH, "subBB@[s]@[s]", "out", 0u, 1, 1, 0, (unsigned)PERF_SOURCE,
              "here", (unsigned)PERF_TARGET, "there");
    rig_write(&rig, 0, PERF_FLOW, "uuuuuuu", 0u, 2048u, 0u, 10u, 0u, 0u, 1u);
    rig_feed(&rig);
    const char *out = rig_out(&rig);
    cr_assert(strstr(out, "0 transfer[0 0 #00000000 0 true false] 5\n") != NULL, "%s", out);
    rig_done(&rig);
}

Test(amqp_link, splits_for_small_frames_and_windows)
{
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig, 512, 2);
    rig_attach(&rig, "out", 0, true);
    (void)rig_out(&rig);
    rig_write(&rig, 0, PERF_FLOW, "uuuuuuu", 0u, 2u, 0u, 10u, 0u, 0u, 5u);
    rig_feed(&rig);
    uint8_t bytes[1200];
    memset(bytes, 7, sizeof bytes);
    rf_str message = rf_str_make(bytes, sizeof bytes);
    cr_assert(amqp_send(rig.connection, rig.last_link, 0, message) == AMQP_SENT);
    cr_assert(amqp_send(rig.connection, rig.last_link, 0, message) == AMQP_FULL);
    cr_assert(amqp_output(rig.connection).len <= 2 * 512);
    rig_expect(rig_out(&rig), "0 transfer[0 0 #00000000 0 false true] 475\n"
                              "0 transfer[0 - - - - true] 488\n");
    (void)rig_seen(&rig);
    rig_write(&rig, 0, PERF_FLOW, "uuuu", 2u, 2u, 0u, 10u);
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "0 transfer[0 - - - - false] 237\n");
    rig_expect(rig_seen(&rig), "credit 4\n");
    rig_done(&rig);
}

/* A peer must not think that all has come while it has half of a message. */
Test(amqp_link, drains_behind_the_end_of_a_message)
{
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig, 512, 1);
    rig_attach(&rig, "out", 0, true);
    rig_write(&rig, 0, PERF_FLOW, "uuuuuuu", 0u, 1u, 0u, 10u, 0u, 0u, 5u);
    rig_feed(&rig);
    uint8_t bytes[600] = {0};
    cr_assert(amqp_send(rig.connection, rig.last_link, 0, rf_str_make(bytes, sizeof bytes)) ==
              AMQP_SENT);
    rig_write(&rig, 0, PERF_FLOW, "uuuuuuu-b", 0u, 1u, 0u, 10u, 0u, 0u, 5u, 1);
    rig_feed(&rig);
    amqp_drained(rig.connection, rig.last_link);
    const char *out = rig_out(&rig);
    cr_assert(strstr(out, " 475\n") != NULL && strstr(out, "flow") == NULL, "%s", out);
    (void)rig_seen(&rig);
    rig_write(&rig, 0, PERF_FLOW, "uuuu", 1u, 5u, 0u, 10u);
    rig_feed(&rig);
    rig_expect(rig_seen(&rig), "credit 4 drain\n");
    rig_expect(rig_out(&rig),
               "0 transfer[0 - - - - false] 125\n0 flow[0 5000 2 5000 0 5 0 - true]\n");
    rig_done(&rig);
}

Test(amqp_link, settles_after_a_receiver_that_settles_second)
{
    struct rig rig;
    start(&rig);
    rig_attach(&rig, "out", 0, true);
    rig.sends = true;
    rig_write(&rig, 0, PERF_FLOW, "uuuuuuu", 0u, 2048u, 0u, 10u, 0u, 0u, 3u);
    rig_feed(&rig);
    (void)rig_out(&rig);
    rig_write(&rig, 0, PERF_DISPOSITION, "buub@[]", 1, 0u, 1u, 0, (unsigned)PERF_ACCEPTED);
    rig_write(&rig, 0, PERF_DISPOSITION, "bu-b@[]", 1, 2u, 1, (unsigned)PERF_RELEASED); /* first */
    rig_write(&rig, 0, PERF_DISPOSITION, "buub@[]", 1, 3u, 9u, 0,
              (unsigned)PERF_ACCEPTED); /* unknown */
    rig_write(&rig, 0, PERF_DISPOSITION, "buub@[]", 1, 0u, 1u, 0,
              (unsigned)PERF_RECEIVED); /* no outcome */
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "0 disposition[false 0 1 true @24[]]\n");
    rig_done(&rig);
}

Test(amqp_link, cuts_texts_to_the_peers_frames)
{
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig, 512, 10);
    rig_attach(&rig, "out", 0, true);
    (void)rig_out(&rig);
    char text[2000];
    memset(text, 'x', sizeof text);
    amqp_detach(rig.connection, rig.last_link,
                &(struct amqp_error){"amqp:link:stolen", rf_str_make(text, sizeof text)});
    cr_assert(amqp_output(rig.connection).len <= 512 && amqp_output(rig.connection).len > 300);
    rig_done(&rig);
}

/* ---- properties -------------------------------------------------------------------------------------------------------------- */

/* What the peer writes has the same effect in whatever pieces it comes. */
RF_PROP(amqp_engine_cuts_change_nothing, 200)
{
    struct rig rigs[2];
    const char *seen[2];
    uint64_t seed = rf_test_u64(prng);
    for (int i = 0; i < 2; i++) {
        struct rig *rig = &rigs[i];
        struct rf_prng own = {.state = seed, .size = prng->size};
        uint8_t bytes[700] = {0};
        rig_init(rig);
        rig->credit = 100;
        rig_open(rig, 512, 100);
        rig_attach(rig, "in", 0, false);
        uint32_t count = 1 + (uint32_t)rf_test_below(&own, 40);
        for (uint32_t id = 0; id < count; id++) {
            size_t len = (size_t)rf_test_below(&own, sizeof bytes), half = len / 2;
            rf_str whole = rf_str_make(bytes, len);
            if (rf_test_bool(&own)) {
                transfer(rig, 0, id, whole);
                continue;
            }
            rig_write(rig, 0, PERF_TRANSFER, "uutubbp", 0u, id, id, 0u, rf_test_bool(&own), 1,
                      rf_slice(whole, 0, half));
            if (rf_test_bool(&own)) rf_buf_put(&rig->in, "\0\0\0\x8\2\0\0\0", 8);
            rig_write(rig, 0, PERF_TRANSFER, "u----bp", 0u, 0, rf_slice(whole, half, len));
        }
        rig->cut = i == 0 ? 0 : 1 + (size_t)rf_test_below(prng, 50);
        rig_feed(rig);
        cr_assert(rig->message_count == count && rig->in.len == 0);
        seen[i] = rig_seen(rig);
    }
    rig_expect(seen[1], seen[0]);
    for (int i = 0; i < 2; i++) rig_done(&rigs[i]);
}

/* Any message arrives whole, whatever the peer's frames and windows are. */
RF_PROP(amqp_engine_sends_whole_messages, 300)
{
    struct rig rig;
    uint32_t frame_max = 512 + (uint32_t)rf_test_below(prng, 2000),
             window = 1 + (uint32_t)rf_test_below(prng, 9);
    rig_init(&rig);
    rig_open(&rig, frame_max, window);
    rig_attach(&rig, "out", 0, true);
    (void)rig_out(&rig);
    size_t len = (size_t)rf_test_below(prng, 20000), got = 0;
    uint8_t *message = rf_arena_alloc(&rig.arena, len);
    for (size_t i = 0; i < len; i++) message[i] = (uint8_t)(i * 7);
    rig_write(&rig, 0, PERF_FLOW, "uuuuuuu", 0u, window, 0u, 10u, 0u, 0u, 5u);
    rig_feed(&rig);
    cr_assert(amqp_send(rig.connection, rig.last_link, 0, rf_str_make(message, len)) == AMQP_SENT);
    uint32_t frames = 0;
    for (bool more = true; more;) {
        rf_str bytes = amqp_output(rig.connection);
        if (bytes.len == 0) { /* the window is shut */
            rig_write(&rig, 0, PERF_FLOW, "uuuu", frames, window, 0u, 10u);
            rig_feed(&rig);
            continue;
        }
        struct frame frame;
        struct fields fields;
        struct perf_transfer transfer_in;
        uint64_t code;
        cr_assert(frame_read(bytes, frame_max, &frame) == FRAME_WHOLE);
        rf_str payload = frame.body;
        cr_assert(fields_open(&payload, &code, &fields) && code == PERF_TRANSFER);
        cr_assert(perf_transfer_read(&fields, &transfer_in));
        cr_assert(got + payload.len <= len);
        cr_assert(payload.len == 0 || memcmp(message + got, payload.ptr, payload.len) == 0);
        got += payload.len;
        more = transfer_in.more;
        frames++;
        amqp_taken(rig.connection, frame.bytes, rig.now);
    }
    cr_assert(got == len);
    rig_done(&rig);
}
