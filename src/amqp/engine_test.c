#include "amqp/engine_test_util.h"

static void sasl_start(struct rig *rig)
{
    rig_init(rig);
    rig_raw(rig, "AMQP\3\1\0\0", 8);
    rig_expect(rig_out(rig), "AMQP 3\n0 mechanisms[(:MSSBCBS :PLAIN :ANONYMOUS :EXTERNAL)]\n");
}

Test(amqp_engine, speaks_the_contracts_bytes)
{
    struct rig rig;
    rig_init(&rig);
    rig_raw(&rig, "AMQP\3\1\0\0", 8);
    static const uint8_t expected[] =
        "AMQP\3\1\0\0\0\0\0\x33\2\1\0\0\0\x53\x40\xc0\x26\1\xe0\x23\4\xa3"
        "\7MSSBCBS\5PLAIN\x9"
        "ANONYMOUS\x8"
        "EXTERNAL";
    cr_assert(rf_str_eq(amqp_output(rig.connection), rf_str_make(expected, sizeof expected - 1)));
    rig_done(&rig);
}

Test(amqp_engine, logs_in)
{
    struct rig rig;
    sasl_start(&rig);
    rig_sasl(&rig, PERF_SASL_INIT, "yt", "MSSBCBS", 0u);
    rig_expect(rig_out(&rig), "0 outcome[0 #57656c636f6d6521]\n");
    rig_raw(&rig, "AMQP\0\1\0\0", 8);
    rig_write(&rig, 0, PERF_OPEN, "ssuhu", "peer", "host", 65536u, 100, 60000u);
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "AMQP 0\n0 open[server - 65536 4999 240000]\n");
    rig_expect(rig_seen(&rig), "sasl MSSBCBS 4\nopen peer at host\n");
    cr_assert(amqp_phase(rig.connection) == AMQP_IS_OPEN);
    rig_done(&rig);
}

Test(amqp_engine, asks_for_a_response_that_is_missing)
{
    struct rig rig;
    sasl_start(&rig);
    rig_sasl(&rig, PERF_SASL_INIT, "y", "PLAIN");
    rig_expect(rig_out(&rig), "0 challenge[#]\n");
    rig_sasl(&rig, PERF_SASL_RESPONSE, "t", 1u);
    rig_expect(rig_out(&rig), "0 outcome[0 #57656c636f6d6521]\n");
    rig_expect(rig_seen(&rig), "sasl PLAIN -1\nsasl PLAIN 4\n");
    rig_done(&rig);
}

Test(amqp_engine, ends_behind_a_login_that_failed)
{
    struct rig rig;
    sasl_start(&rig);
    rig.fails_sasl = true;
    rig_sasl(&rig, PERF_SASL_INIT, "y", "FOO");
    rig_expect(rig_out(&rig), "0 outcome[1]\n");
    cr_assert(amqp_phase(rig.connection) == AMQP_OVER);
    rig_done(&rig);
}

Test(amqp_engine, waits_for_the_answer_of_a_login)
{
    struct rig rig;
    sasl_start(&rig);
    rig.waits_sasl = true;
    rig_sasl(&rig, PERF_SASL_INIT, "y", "MSSBCBS");
    cr_assert(amqp_is_waiting(rig.connection));
    rig_raw(&rig, "AMQP\0\1\0\0", 8);
    cr_assert(rig.in.len == 8, "nothing is read meanwhile");
    amqp_sasl_ok(rig.connection);
    amqp_push(rig.connection);
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "0 outcome[0 #57656c636f6d6521]\nAMQP 0\n");
    rig_done(&rig);
}

Test(amqp_engine, takes_a_peer_without_sasl)
{
    struct rig rig;
    rig_init(&rig);
    rig_raw(&rig, "AMQP\0\1\0\0", 8);
    rig_write(&rig, 0, PERF_OPEN, "s", "peer");
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "AMQP 0\n0 open[server - 65536 4999 240000]\n");
    rig_expect(rig_seen(&rig), "sasl ANONYMOUS -1\nopen peer at \n");
    rig_done(&rig);
}

Test(amqp_engine, answers_other_headers_with_its_own)
{
    static const char *const cases[] = {"AMQP\2\1\0\0", "GET / HT", "AMQP\0\0\x9\x1",
                                        "\x16\3\1\0\0\0\0\0"};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rig rig;
        rig_init(&rig);
        rig_raw(&rig, cases[i], 8);
        rig_expect(rig_out(&rig), "AMQP 3\n");
        cr_assert(amqp_phase(rig.connection) == AMQP_OVER);
        rig_done(&rig);
    }
}

Test(amqp_engine, refuses_a_host_behind_its_open)
{
    struct rig rig;
    rig_init(&rig);
    rig_raw(&rig, "AMQP\0\1\0\0", 8);
    rig_write(&rig, 0, PERF_OPEN, "ss", "peer", "nowhere");
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "AMQP 0\n0 open[server - 65536 4999 240000]\n"
                              "0 close[@1d[:amqp:not-found no such namespace]]\n");
    cr_assert(amqp_phase(rig.connection) == AMQP_CLOSING);
    rig_write(&rig, 0, PERF_CLOSE, "");
    rig_feed(&rig);
    cr_assert(amqp_phase(rig.connection) == AMQP_OVER);
    rig_done(&rig);
}

Test(amqp_engine, answers_begin_end_and_close_in_kind)
{
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig, 65536, 2048);
    rig_write(&rig, 7, PERF_BEGIN, "-uuu", 5u, 10u, 10u);
    rig_write(&rig, 7, PERF_END, "");
    rig_write(&rig, 7, PERF_BEGIN, "-uuu", 5u, 10u, 10u); /* the channel is free again */
    rig_write(&rig, 0, PERF_CLOSE, "");
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "7 begin[7 0 5000 5000 262143]\n7 end[]\n"
                              "7 begin[7 0 5000 5000 262143]\n0 close[-]\n");
    cr_assert(amqp_phase(rig.connection) == AMQP_OVER);
    rig_done(&rig);
}

/* ---- what breaks the protocol ------------------------------------------------------------------------------------------- */

Test(amqp_engine, names_what_is_wrong_with_frames)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *condition;
    } cases[] = {
        {"\0\0\0\7\2\0\0\0", 8, "amqp:connection:framing-error"}, /* smaller than its head */
        {"\0\1\0\1\2\0\0\0", 8, "amqp:connection:framing-error"}, /* above 65536 */
        {"\xff\xff\xff\xff\2\0\0\0", 8, "amqp:connection:framing-error"},
        {"\0\0\0\x8\1\0\0\0", 8, "amqp:connection:framing-error"}, /* doff */
        {"\0\0\0\x8\3\0\0\0", 8, "amqp:connection:framing-error"},
        {"\0\0\0\xc\2\1\0\0\0\x53\x41\x45", 12, "amqp:connection:framing-error"}, /* SASL's type */
        {"\0\0\0\xc\2\0\0\0\0\x53\x55\x45", 12,
         "amqp:connection:framing-error"}, /* no performative */
        {"\0\0\0\xc\2\0\0\x9\0\x53\x13\x45", 12,
         "amqp:connection:framing-error"}, /* no session there */
        {"\0\0\0\xc\2\0\0\0\0\x53\x10\x45", 12, "amqp:connection:framing-error"}, /* open again */
        {"\0\0\0\xb\2\0\0\0\x40\x40\x40", 11, "amqp:decode-error"},
        {"\0\0\0\xc\2\0\0\0\0\x53\x12\x40", 12, "amqp:decode-error"},       /* no list */
        {"\0\0\0\xe\2\0\0\0\0\x53\x12\xc0\xff\1", 14, "amqp:decode-error"}, /* its length lies */
        {"\0\0\0\xc\2\0\0\0\0\x53\x12\x45", 12, "amqp:decode-error"}, /* attach without fields */
        {"\0\0\0\xc\2\0\0\0\0\x53\x14\x45", 12, "amqp:decode-error"},
        {"\0\0\0\xc\2\0\0\0\0\x53\x13\x45", 12, "amqp:decode-error"},
        {"\0\0\0\xf\2\0\0\0\0\x53\x16\xc0\2\1\x41", 15,
         "amqp:decode-error"}, /* a handle that is true */
        {"\0\0\0\x12\2\0\x13\x88\0\x53\x11\xc0\5\4\x40\x43\x43\x43", 18,
         "amqp:connection:framing-error"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rig rig;
        rig_init(&rig);
        rig_open(&rig, 65536, 2048);
        rig_raw(&rig, cases[i].bytes, cases[i].len);
        const char *out = rig_out(&rig);
        cr_assert(strncmp(out, "0 close[@1d[:", 13) == 0, "case %zu: %s", i, out);
        cr_assert(strncmp(out + 13, cases[i].condition, strlen(cases[i].condition)) == 0,
                  "case %zu: %s", i, out);
        cr_assert(amqp_phase(rig.connection) >= AMQP_CLOSING);
        rig.now += 2000000;
        (void)amqp_tick(rig.connection, rig.now);
        cr_assert(amqp_phase(rig.connection) == AMQP_OVER);
        rig_done(&rig);
    }
}

Test(amqp_engine, opens_before_it_closes)
{
    struct rig rig;
    rig_init(&rig);
    rig_raw(&rig, "AMQP\0\1\0\0", 8);
    rig_write(&rig, 0, PERF_BEGIN, "-uuu", 0u, 1u, 1u);
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "AMQP 0\n0 open[server - 65536 4999 240000]\n0 close[@1d["
                              ":amqp:connection:framing-error the first frame must be open]]\n");
    rig_done(&rig);
}

Test(amqp_engine, ends_a_session_that_breaks_its_rules)
{
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig, 65536, 2048);
    rig_write(&rig, 0, PERF_DETACH, "ub", 3u, 1);
    rig_feed(&rig);
    const char *out = rig_out(&rig);
    cr_assert(strncmp(out, "0 end[@1d[:amqp:session:unattached-handle ", 42) == 0, "%s", out);
    rig_attach(&rig, "late", 0, false); /* sent before the peer saw the end */
    rig_expect(rig_out(&rig), "");
    rig_write(&rig, 0, PERF_END, "");
    rig_write(&rig, 0, PERF_BEGIN, "-uuu", 0u, 1u, 1u);
    rig_feed(&rig);
    rig_expect(rig_out(&rig), "0 begin[0 0 5000 5000 262143]\n");
    rig_attach(&rig, "one", 0, false);
    rig_attach(&rig, "two", 0, false);
    (void)rig_seen(&rig);
    out = rig_out(&rig);
    cr_assert(strstr(out, "0 end[@1d[:amqp:session:handle-in-use ") != NULL, "%s", out);
    rig_done(&rig);
}

/* ---- time ----------------------------------------------------------------------------------------------------------------- */

Test(amqp_engine, drops_who_does_not_open)
{
    struct rig rig;
    sasl_start(&rig);
    cr_assert(amqp_tick(rig.connection, rig.now) == 20000000);
    cr_assert(amqp_tick(rig.connection, rig.now + 19999000) == 1000);
    cr_assert(amqp_phase(rig.connection) == AMQP_OPENING);
    (void)amqp_tick(rig.connection, rig.now + 20000000);
    cr_assert(amqp_phase(rig.connection) == AMQP_OVER);
    rig_done(&rig);
}

Test(amqp_engine, beats_at_half_of_what_the_peer_allows)
{
    struct rig rig;
    rig_init(&rig);
    rig_raw(&rig, "AMQP\0\1\0\0", 8);
    rig_write(&rig, 0, PERF_OPEN, "s---u", "peer", 60000u);
    rig_feed(&rig);
    (void)rig_out(&rig);
    cr_assert(amqp_tick(rig.connection, rig.now) == 30000000);
    rig.now += 29999999;
    (void)amqp_tick(rig.connection, rig.now);
    rig_expect(rig_out(&rig), "");
    rig.now += 1;
    cr_assert(amqp_tick(rig.connection, rig.now) == 30000000);
    rf_str beat = amqp_output(rig.connection);
    cr_assert(rf_str_eq(beat, rf_str_make("\0\0\0\x8\2\0\0\0", 8)));
    rig_done(&rig);
}

Test(amqp_engine, closes_the_silent_the_idle_and_the_unknown)
{
    static const struct {
        const char *host;
        int64_t usec;
        const char *said;
    } cases[] = {
        {"host", 240000000,
         "0 close[@1d[:amqp:connection:forced The connection was inactive for more than the "
         "allowed "
         "240000 milliseconds and is closed by container 'server'.]]\n"},
        {"anyone", 20000000,
         "0 close[@1d[:amqp:connection:forced no valid token was put on the connection in "
         "time]]\n"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rig rig;
        rig_init(&rig);
        rig_raw(&rig, "AMQP\0\1\0\0", 8);
        rig_write(&rig, 0, PERF_OPEN, "ss", "peer", cases[i].host);
        rig_feed(&rig);
        (void)rig_out(&rig);
        (void)amqp_tick(rig.connection, rig.now + cases[i].usec - 1);
        rig_expect(rig_out(&rig), "");
        rig.now += cases[i].usec;
        (void)amqp_tick(rig.connection, rig.now);
        rig_expect(rig_out(&rig), cases[i].said);
        rig_done(&rig);
    }
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig, 65536, 2048);
    for (int i = 0; i < 3; i++) { /* beats, but has no link */
        rig.now += 100000000;
        rig_raw(&rig, "\0\0\0\x8\2\0\0\0", 8);
        (void)amqp_tick(rig.connection, rig.now);
    }
    const char *out = rig_out(&rig);
    cr_assert(strstr(out, "allowed 300000 milliseconds and is closed by container 'LinkTracker'") !=
              NULL);
    rig_done(&rig);
}

Test(amqp_engine, tells_of_idle_links)
{
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig, 65536, 2048);
    rig_attach(&rig, "s", 0, false);
    (void)rig_out(&rig);
    (void)rig_seen(&rig);
    rig.now += 29999999;
    cr_assert(amqp_tick(rig.connection, rig.now) <= 1000);
    rig_expect(rig_seen(&rig), "");
    rig.now += 1;
    (void)amqp_tick(rig.connection, rig.now);
    rig_expect(rig_seen(&rig), "idle\ndetach by server\n");
    rig_expect(rig_out(&rig), "0 detach[0 true @1d[:amqp:link:detach-forced idle for too long]]\n");
    rig_done(&rig);
}

/* A peer that asks and asks, and reads nothing, is not read any more. */
Test(amqp_engine, stops_reading_when_nothing_is_taken)
{
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig, 65536, 2048);
    for (uint16_t i = 0; i < 20000; i++) {
        rig_write(&rig, 1, PERF_BEGIN, "-uuu", 0u, 1u, 1u);
        rig_write(&rig, 1, PERF_END, "");
    }
    rig_feed(&rig);
    cr_assert(amqp_is_waiting(rig.connection) && rig.in.len > 0);
    cr_assert(amqp_output(rig.connection).len < AMQP_OUT_BYTES_SOFT + 100);
    while (rig.in.len > 0) {
        (void)rig_out(&rig);
        rig_feed(&rig);
    }
    cr_assert(amqp_phase(rig.connection) == AMQP_IS_OPEN);
    rig_done(&rig);
}
