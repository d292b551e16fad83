#include "collect/syslog.h"
#include "test/rf_prop.h"

#include "base/encode.h"

#define NOW INT64_C(1769860800000000) /* 2026-01-31 12:00 */

struct test_case {
    const char *text;
    int facility, severity;
    const char *time, *host, *app, *proc_id, *message, *structured;
};

static void check(const struct test_case *test, const struct syslog_options *options)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct syslog_message got;
    rf_arena_init(&arena, 1 << 20);
    syslog_parse(rf_str_of(test->text), options, &arena, &got);
    rf_str time = got.has_time ? rf_slice(time_iso(&arena, got.time), 0, 23) : RF_S("");
    cr_expect(got.facility == test->facility && got.severity == test->severity, "%s: %d.%d",
              test->text, got.facility, got.severity);
    cr_expect(rf_str_is(time, test->time), "%s: time %.*s", test->text, RF_FMT(time));
    cr_expect(rf_str_is(got.host, test->host), "%s: host %.*s", test->text, RF_FMT(got.host));
    cr_expect(rf_str_is(got.app, test->app), "%s: app %.*s", test->text, RF_FMT(got.app));
    cr_expect(rf_str_is(got.proc_id, test->proc_id), "%s: pid %.*s", test->text,
              RF_FMT(got.proc_id));
    cr_expect(rf_str_is(got.message, test->message), "%s: message %.*s", test->text,
              RF_FMT(got.message));
    cr_expect(rf_str_is(got.structured, test->structured == NULL ? "" : test->structured),
              "%s: structured %.*s", test->text, RF_FMT(got.structured));
}

Test(syslog, rfc_5424)
{
    static const struct test_case tests[] = {
        {"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' "
         "failed",
         4, 2, "2003-10-11T22:14:15.003", "mymachine.example.com", "su", "", "'su root' failed",
         NULL},
        {"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time", 20, 5,
         "2003-08-24T12:14:15.000", "192.0.2.1", "myproc", "8710", "%% It's time", NULL},
        {"<165>1 2003-10-11T22:14:15.003Z host app - ID47 [exampleSDID@32473 iut=\"3\" "
         "eventSource=\"Application\"][x@1 a=\"1\" a=\"2\"] An event",
         20, 5, "2003-10-11T22:14:15.003", "host", "app", "", "An event",
         "{\"exampleSDID@32473\":{\"iut\":\"3\",\"eventSource\":\"Application\"},\"x@1\":{\"a\":["
         "\"1\",\"2\"]}}"},
        {"<165>1 - - - - - [a@1 k=\"q\\\"b\\\\c\\]d\\n\"]", 20, 5, "", "", "", "", "",
         "{\"a@1\":{\"k\":\"q\\\"b\\\\c]d\\\\n\"}}"},
        {"<0>1 - h a p m [broken k=v] rest", 0, 0, "", "h", "a", "p", "[broken k=v] rest", NULL},
        {"<134>1 1380664994.337961231 MX84 urls src=192.168.1.186", 16, 6,
         "2013-10-01T22:03:14.337", "MX84", "", "", "urls src=192.168.1.186", NULL},
    };
    struct syslog_options options = {.now = NOW};
    for (size_t i = 0; i < RF_COUNT(tests); i++) check(&tests[i], &options);
}

Test(syslog, rfc_3164_and_what_devices_send)
{
    static const struct test_case tests[] = {
        {"<34>Oct 11 22:14:15 mymachine su: 'su root' failed", 4, 2, "2025-10-11T22:14:15.000",
         "mymachine", "su", "", "'su root' failed", NULL},
        {"<13>Jan  5 01:02:03 web1 sshd[4321]: Accepted key", 1, 5, "2026-01-05T01:02:03.000",
         "web1", "sshd", "4321", "Accepted key", NULL},
        {"<13>Feb  1 00:00:01 web1 cron[1]: early", 1, 5, "2026-02-01T00:00:01.000", "web1", "cron",
         "1", "early", NULL},
        {"<13>Jan 31 11:00:00 su[12]: no host", 1, 5, "2026-01-31T11:00:00.000", "", "su", "12",
         "no host", NULL},
        {"<166>Oct 22 2023 10:52:01 asa1 : %ASA-6-302013: Built inbound", 20, 6,
         "2023-10-22T10:52:01.000", "asa1", "%ASA-6-302013", "", "Built inbound", NULL},
        {"<166>%ASA-6-302013: Built inbound", 20, 6, "", "", "%ASA-6-302013", "", "Built inbound",
         NULL},
        {"<189>123: *Mar  1 18:46:11.123: %SYS-5-CONFIG_I: Configured", 23, 5,
         "2025-03-01T18:46:11.123", "", "%SYS-5-CONFIG_I", "", "Configured", NULL},
        {"<189>45: router1: Oct 22 10:52:01.123 CET: %SYS-5-CONFIG_I: Configured", 23, 5,
         "2025-10-22T10:52:01.123", "router1", "%SYS-5-CONFIG_I", "", "Configured", NULL},
        {"<189>: 2023 Oct 22 10:52:01 UTC: %ETHPORT-5-IF_UP: Interface up", 23, 5,
         "2023-10-22T10:52:01.000", "", "%ETHPORT-5-IF_UP", "", "Interface up", NULL},
        {"<30>2023-10-11T22:14:15.003+02:00 host app[5]: rsyslog's forward format", 3, 6,
         "2023-10-11T20:14:15.003", "host", "app", "5", "rsyslog's forward format", NULL},
        {"<30>2023-10-11 22:14:15 host app: blank between", 3, 6, "2023-10-11T22:14:15.000", "host",
         "app", "", "blank between", NULL},
        {"<13>Oct 11 22:14:15 fw1 CEF:0|a|b|c|d|e|5|src=1.2.3.4", 1, 5, "2025-10-11T22:14:15.000",
         "fw1", "", "", "CEF:0|a|b|c|d|e|5|src=1.2.3.4", NULL},
        {"<13>CEF:0|a|b|c|d|e|5|", 1, 5, "", "", "", "", "CEF:0|a|b|c|d|e|5|", NULL},
        {"<13>fw1 CEF:0|a|b|c|d|e|5|", 1, 5, "", "fw1", "", "", "CEF:0|a|b|c|d|e|5|", NULL},
        {"<189>date=2023-10-11 time=22:14:15 devname=\"fw\"", 23, 5, "", "", "", "",
         "date=2023-10-11 time=22:14:15 devname=\"fw\"", NULL},
        {"<14>{\"a\":1}", 1, 6, "", "", "", "", "{\"a\":1}", NULL},
        {"<14>just some text", 1, 6, "", "", "", "", "just some text", NULL},
        {"no priority at all", 1, 5, "", "", "", "", "no priority at all", NULL},
        {"<999>x", 1, 5, "", "", "", "", "<999>x", NULL},
        {"", 1, 5, "", "", "", "", "", NULL},
    };
    struct syslog_options options = {.now = NOW};
    for (size_t i = 0; i < RF_COUNT(tests); i++) check(&tests[i], &options);
}

Test(syslog, a_year_that_is_not_said_is_the_last_that_fits)
{
    struct syslog_options options = {.now = INT64_C(1767225605000000)}; /* 2026-01-01 00:00:05 */
    check(&(struct test_case){"<13>Dec 31 23:59:58 h a: late", 1, 5, "2025-12-31T23:59:58.000", "h",
                              "a", "", "late", NULL},
          &options);
    options.now = INT64_C(1767225590000000); /* 2025-12-31 23:59:50 */
    check(&(struct test_case){"<13>Jan  1 00:00:02 h a: ahead", 1, 5, "2026-01-01T00:00:02.000",
                              "h", "a", "", "ahead", NULL},
          &options);
    /* February 29 is only in some years. */
    options.now = INT64_C(1709294400000000); /* 2024-03-01 */
    check(&(struct test_case){"<13>Feb 29 10:00:00 h a: leap", 1, 5, "2024-02-29T10:00:00.000", "h",
                              "a", "", "leap", NULL},
          &options);
}

Test(syslog, a_zone_that_is_not_said_is_the_configured)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct zone zone;
    struct rf_err err;
    rf_arena_init(&arena, 1 << 20);
    cr_assert(zone_load(RF_S("Europe/Berlin"), &arena, &arena, &zone, &err) == RF_OK);
    if (!zone.valid) return; /* a machine without time zones */
    struct syslog_options options = {.now = NOW, .zone = &zone};
    check(&(struct test_case){"<13>Jul  5 12:00:00 h a: summer", 1, 5, "2025-07-05T10:00:00.000",
                              "h", "a", "", "summer", NULL},
          &options);
    check(&(struct test_case){"<13>Jan  5 12:00:00 h a: winter", 1, 5, "2026-01-05T11:00:00.000",
                              "h", "a", "", "winter", NULL},
          &options);
    check(&(struct test_case){"<13>2026-01-05T12:00:00Z h a: says its own", 1, 5,
                              "2026-01-05T12:00:00.000", "h", "a", "", "says its own", NULL},
          &options);
}

/* Whatever comes, nothing of the text behind the priority is lost unless it was understood, and every view lies in the text. */
RF_PROP(syslog_views_lie_in_the_text, 3000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    uint8_t raw[160];
    struct syslog_message got;
    struct syslog_options options = {.now = NOW};
    rf_arena_init(&arena, 1 << 20);
    rf_str text = rf_test_bytes(prng, raw, sizeof raw, "<>1 -[]\"=:Oct 0123.\\Ta*");
    syslog_parse(text, &options, &arena, &got);
    const rf_str views[] = {got.host, got.app, got.proc_id, got.msg_id, got.message};
    for (size_t i = 0; i < RF_COUNT(views); i++)
        cr_assert(views[i].len == 0 ||
                  (views[i].ptr >= text.ptr && views[i].ptr + views[i].len <= text.ptr + text.len));
    cr_assert(got.message.len == 0 || got.message.ptr + got.message.len == text.ptr + text.len);
}
