#include "sigma/sigma_world_test_util.h"

#define WINDOWS "logsource: {product: windows, category: process_creation}\n"
#define EVENT "{\"Channel\":\"microsoft-windows-sysmon/operational\",\"EventID\":1,"

/* One rule `r` with this detection, and the events of one line each; what is found. */
static void check(const char *detection, const char *events, const char *wanted)
{
    struct world w;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    rf_str rules = rf_arena_printf(&arena, "name: r\n" WINDOWS "detection: %s\n", detection);
    struct rf_buf lines = rf_buf_in(&arena);
    for (const char *at = events; *at != '\0'; at++) {
        if (*at == '\n' || at == events)
            rf_buf_str(&lines, at == events ? RF_S(EVENT) : RF_S("\n" EVENT));
        if (*at != '\n') rf_buf_byte(&lines, (uint8_t)*at);
    }
    world_init(&w, (const char *)rules.ptr);
    cr_assert(w.set.problem_count == 0, "%s: %s", detection, w.set.problems[0].err.text);
    rf_str got = world_run(&w, "windows-flat", rf_buf_view(&lines));
    cr_expect(rf_str_is(got, wanted), "%s\n got: %.*s\nwant: %s", detection, RF_FMT(got), wanted);
    world_done(&w);
}

Test(sigma, values_and_modifiers)
{
    check("{s: {A: x}, condition: s}", "\"A\":\"X\"}\n\"A\":\"xy\"}\n\"B\":1}", "r:1 ");
    check("{s: {A|cased: x}, condition: s}", "\"A\":\"X\"}\n\"A\":\"x\"}", "r:2 ");
    check("{s: {A: [1, true]}, condition: s}", "\"A\":1}\n\"A\":\"1\"}\n\"A\":true}\n\"A\":1.0}",
          "r:1 r:2 r:3 ");
    check("{s: {A|contains|all: [x, y]}, condition: s}", "\"A\":\"yax\"}\n\"A\":\"x\"}", "r:1 ");
    check("{s: {A|startswith: 'c:\\'}, condition: s}", "\"A\":\"C:\\\\d\"}\n\"A\":\"c\"}", "r:1 ");
    check("{s: {A|re: '^a+$'}, condition: s}", "\"A\":\"aa\"}\n\"A\":\"AA\"}\n\"B\":\"\"}", "r:1 ");
    check("{s: {A|re|i: '^a+$'}, condition: s}", "\"A\":\"aa\"}\n\"A\":\"AA\"}", "r:1 r:2 ");
    check("{s: {A|cidr: 10.0.0.0/8}, condition: s}",
          "\"A\":\"10.2.3.4\"}\n\"A\":\"11.0.0.1\"}\n\"A\":\"x\"}", "r:1 ");
    check("{s: {A|cidr: 'fe80::/10'}, condition: s}", "\"A\":\"fe80::1\"}\n\"A\":\"::1\"}", "r:1 ");
    check("{s: {A|gte: 5}, condition: s}", "\"A\":5}\n\"A\":\"7.5\"}\n\"A\":4}\n\"A\":\"x\"}",
          "r:1 r:2 ");
    check("{s: {A|lt: 5}, condition: not s}", "\"A\":5}\n\"A\":4}\n\"B\":1}", "r:1 r:3 ");
    check("{s: {A: null}, condition: s}", "\"A\":null}\n\"A\":\"\"}\n\"B\":1}", "r:1 r:3 ");
    check("{s: {A: ''}, condition: s}", "\"A\":null}\n\"A\":\"\"}\n\"B\":1}", "r:2 ");
    check("{s: {A|exists: true}, condition: s}", "\"A\":null}\n\"A\":\"\"}\n\"B\":1}", "r:1 r:2 ");
    check("{s: {A|exists: false}, condition: s}", "\"A\":null}\n\"B\":1}", "r:2 ");
    check("{s: {A|neq: x}, condition: s}", "\"A\":\"x\"}\n\"A\":\"y\"}", "r:2 ");
    check("{s: {A|fieldref: B}, condition: s}", "\"A\":\"x\",\"B\":\"X\"}\n\"A\":\"x\"}\n\"C\":1}",
          "r:1 ");
    check("{s: {A|fieldref|endswith: B}, condition: s}",
          "\"A\":\"yx\",\"B\":\"X\"}\n\"A\":\"xy\",\"B\":\"x\"}", "r:1 ");
    check("{s: {A|windash|contains: ' -e '}, condition: s}", "\"A\":\"x /e y\"}\n\"A\":\"x e y\"}",
          "r:1 ");
    check("{s: {A|base64: foobar}, condition: s}", "\"A\":\"Zm9vYmFy\"}", "r:1 ");
    check("{s: {A|base64offset|contains: foobar}, condition: s}",
          "\"A\":\"eGZvb2Jhcng=\"}\n\"A\":\"eHhmb29iYXJ4\"}\n\"A\":\"Zm9vYmFyeA==\"}\n\"A\":"
          "\"Zm9v\"}",
          "r:1 r:2 r:3 ");
    check("{s: {A|wide|base64|contains: ab}, condition: s}", "\"A\":\"xYQBiAA==\"}", "r:1 ");
    check("{s: {A|hour: 3}, condition: s}",
          "\"A\":\"2024-02-29T03:10:00Z\"}\n\"A\":\"2024-02-29T04:10:00Z\"}", "r:1 ");
    check("{s: {A|week: 53}, condition: s}",
          "\"A\":\"2021-01-03T03:10:00Z\"}\n\"A\":\"2021-01-04\"}", "r:1 ");
}

Test(sigma, conditions_and_keywords)
{
    const char *two = "\"A\":\"x\"}\n\"B\":\"x\"}\n\"A\":\"x\",\"B\":\"x\"}";
    check("{a: {A: x}, b: {B: x}, condition: a and not b}", two, "r:1 ");
    check("{a: {A: x}, b: {B: x}, condition: a and b or not a and not b}", two, "r:3 ");
    check("{s_a: {A: x}, s_b: {B: x}, condition: all of s_*}", two, "r:3 ");
    check("{s_a: {A: x}, _b: {B: x}, condition: 1 of them}", two, "r:1 r:3 ");
    check("{a: [{A: x}, {B: x}], condition: a}", two, "r:1 r:2 r:3 ");
    check("{a: {A: x}, b: {B: x}, condition: [a, b]}", two, "r:1 r:2 r:3 ");
    check("{a: {A: x}, b: {B: x}, condition: not (a and b)}", two, "r:1 r:2 ");
    check("{k: [evil, 'b\\c'], condition: k}",
          "\"A\":\"an EVIL one\"}\n\"A\":\"ab\\\\cd\"}\n\"A\":\"\\u0065vil\"}\n\"evil\":1}",
          "r:1 r:2 r:3 ");
    check("{k: {'|all': [evil, '7']}, condition: k}", "\"A\":\"evil\",\"B\":7}\n\"A\":\"evil\"}",
          "r:1 ");
}

Test(sigma, layouts_find_fields_and_log_sources)
{
    static const struct {
        const char *layout, *source, *detection, *line;
        bool found;
    } cases[] = {
        {"windows-flat", "{product: windows, service: security}",
         "{s: {Computer: h, Provider_Name: p}, condition: s}",
         "{\"Channel\":\"Security\",\"Hostname\":\"H\",\"SourceName\":\"P\"}", true},
        {"windows-flat", "{product: windows, category: process_creation}",
         "{s: {A: x}, condition: s}", "{\"Channel\":\"Security\",\"EventID\":1,\"A\":\"x\"}",
         false},
        {"windows-flat", "{product: linux, service: auditd}", "{s: {A: x}, condition: s}",
         "{\"A\":\"x\"}", false},
        {"windows-event-table", "{product: windows, service: system}",
         "{s: {A: x, EventID: 7, Provider_Name: p}, condition: s}",
         "{\"Channel\":\"System\",\"EventID\":7,\"Provider\":\"P\",\"EventData\":\"{\\\"A\\\":"
         "\\\"X\\\"}\"}",
         true},
        {"windows-event-table", "{product: windows, service: system}", "{s: {A: x}, condition: s}",
         "{\"Channel\":\"System\",\"EventData\":{\"A\":\"X\"}}", true},
        {"windows-nested", "{product: windows, service: system}",
         "{s: {ThreatName: x, Provider_Name: p, Execution_ProcessID: 4, EventID: 3}, condition: s}",
         "{\"Event\":{\"System\":{\"Provider\":{\"#attributes\":{\"Name\":\"P\"}},\"Execution\":{"
         "\"#attributes\":{\"ProcessID\":4}},"
         "\"EventID\":3,\"Channel\":\"System\"},\"EventData\":{\"Threat Name\":\"X\"}}}",
         true},
        {"aws-cloudtrail", "{product: aws, service: cloudtrail}",
         "{s: {a.b: [x, 2], c: d}, condition: s}", "{\"a\":{\"b\":[1,{\"q\":0},2]},\"c\":\"D\"}",
         true},
        {"entra-audit-table", "{product: azure, service: auditlogs}",
         "{s: {properties.message: x}, condition: s}", "{\"OperationName\":\"X\"}", true},
        {"linux-sysmon-syslog", "{product: linux, category: process_creation}",
         "{s: {Image|endswith: /a, C: 'a<b', D: null}, condition: s}",
         "{\"SyslogMessage\":\"<Event><System><EventID>1</EventID><Channel>Linux-Sysmon/"
         "Operational</Channel></System><EventData>"
         "<Data Name=\\\"Image\\\">/bin/a</Data><Data Name=\\\"C\\\">a&lt;b</Data><Data "
         "Name=\\\"D\\\">cut</Da\"}",
         true},
        {"linux-auditd-text", "{product: linux, service: auditd}",
         "{s: {type: EXECVE, a0: 'my arp', acct: root}, condition: s}",
         "type=EXECVE msg=audit(1.5:9): argc=2 a0=\"my arp\" msg='op=x acct=\"root\" res=ok'",
         true},
        {"records", "{product: okta, service: okta}", "{s: {actor.id: x}, condition: s}",
         "{\"actor\":{\"id\":\"x\"}}", true},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct world w;
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        rf_str rules = rf_arena_printf(&arena, "name: r\nlogsource: %s\ndetection: %s\n",
                                       cases[i].source, cases[i].detection);
        world_init(&w, (const char *)rules.ptr);
        cr_assert(w.set.problem_count == 0, "%s", w.set.problems[0].err.text);
        rf_str got = world_run(&w, cases[i].layout, rf_str_of(cases[i].line));
        cr_expect(rf_str_is(got, cases[i].found ? "r:1 " : ""), "case %zu: %.*s", i, RF_FMT(got));
        world_done(&w);
    }
}

Test(sigma, layouts_are_recognised)
{
    static const struct {
        const char *line, *layout;
    } cases[] = {
        {"{\"Channel\":\"Security\",\"EventID\":1}", "windows-flat"},
        {"{\"TimeGenerated\":\"\",\"Channel\":\"\",\"EventID\":1,\"EventData\":\"\"}",
         "windows-event-table"},
        {"{\"Event\":{\"System\":{}}}", "windows-nested"},
        {"{\"eventSource\":\"\",\"eventName\":\"\"}", "aws-cloudtrail"},
        {"{\"SyslogMessage\":\"\"}", "linux-sysmon-syslog"},
        {"type=CWD msg=audit(1.0:1): cwd=\"/\"", "linux-auditd-text"},
        {"{\"a\":1}", NULL},
        {"text", NULL},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        const struct layout *l = layout_of_line(rf_str_of(cases[i].line));
        cr_expect(cases[i].layout == NULL ? l == NULL
                                          : l != NULL && strcmp(l->name, cases[i].layout) == 0,
                  "%s", cases[i].line);
    }
}

Test(sigma, what_is_wrong_is_told_with_its_line)
{
#define HEAD "title: t\nlogsource: {product: windows}\ndetection:\n"
    static const struct {
        const char *rule, *code;
        uint32_t line;
    } cases[] = {
        {"a: [", "BadYaml", 2},
        {"- 1", "NotARule", 1},
        {"title: x", "NotARule", 1},
        {"detection: {s: {A: 1}, condition: s}", "NoLogsource", 1},
        {"logsource: {definition: x}\ndetection: {s: {A: 1}, condition: s}", "NoLogsource", 1},
        {"logsource: {product: x}\ndetection: {s: {A: 1}}", "NoCondition", 2},
        {HEAD "    s:\n        A: 1\n    condition: s and q", "UnknownSearch", 6},
        {HEAD "    s:\n        A: 1\n    condition: 1 of q_*", "UnknownSearch", 6},
        {HEAD "    s:\n        A: 1\n    condition: (s", "BadCondition", 6},
        {HEAD "    s:\n        A: 1\n    condition: s s", "BadCondition", 6},
        {HEAD "    s:\n        A: 1\n    condition: 2 of s", "BadCondition", 6},
        {HEAD "    s:\n        A|contain: 1\n    condition: s", "UnknownModifier", 5},
        {HEAD "    s:\n        A|re: '(?=x)'\n    condition: s", "BadRegex", 5},
        {HEAD "    s:\n        A|cidr: 10.0.0.0/99\n    condition: s", "BadNetwork", 5},
        {HEAD "    s:\n        A|gt: many\n    condition: s", "BadValue", 5},
        {HEAD "    s:\n        A|contains|base64: x\n    condition: s", "BadValue", 5},
        {HEAD "    s:\n        A|expand: '%who%'\n    condition: s", "UnknownPlaceholder", 5},
        {HEAD "    s:\n        A: []\n    condition: s", "BadValue", 5},
        {HEAD "    s:\n        A: {b: 1}\n    condition: s", "BadValue", 5},
        {HEAD "    s:\n        A: 1\n    condition: s | near q", "OldAggregation", 6},
        {"title: c\ncorrelation:\n    type: event_count\n    rules: [nobody]\n    timespan: 5m\n   "
         " condition: {gte: 2}",
         "UnknownRule", 3},
        {"correlation:\n    type: sometimes\n    rules: [a]\n    timespan: 5m", "BadCorrelation",
         2},
        {"correlation:\n    type: temporal\n    rules: [a]\n    timespan: soon", "BadTimespan", 4},
        {"name: a\ncorrelation: {type: temporal, rules: [a], timespan: 5m}", "CircularCorrelation",
         2},
    };
#undef HEAD
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct world w;
        world_init(&w, cases[i].rule);
        cr_expect(w.set.problem_count == 1, "case %zu: %u problems", i, w.set.problem_count);
        if (w.set.problem_count > 0)
            cr_expect(strcmp(w.set.problems[0].err.code, cases[i].code) == 0 &&
                          w.set.problems[0].err.line == cases[i].line,
                      "case %zu: %s in line %u: %s", i, w.set.problems[0].err.code,
                      w.set.problems[0].err.line, w.set.problems[0].err.text);
        world_done(&w);
    }
}

#define BASE                                                                                       \
    "name: base\nlogsource: {product: windows}\ndetection: {s: {A|exists: true}, condition: s}\n"
#define OTHER                                                                                      \
    "name: other\nlogsource: {product: windows}\ndetection: {s: {B|exists: true}, condition: "     \
    "s}\n---\n"

static void correlate(const char *rules, const char *lines, const char *wanted)
{
    struct world w;
    world_init(&w, rules);
    cr_assert(w.set.problem_count == 0, "%s", w.set.problems[0].err.text);
    rf_str got = world_run(&w, "windows-flat", rf_str_of(lines));
    cr_expect(rf_str_is(got, wanted), "%s\n got: %.*s\nwant: %s", rules, RF_FMT(got), wanted);
    world_done(&w);
}

Test(sigma, correlations)
{
    const char *burst = "{\"UtcTime\":\"2024-01-01T00:00:00Z\",\"A\":1,\"G\":\"x\"}\n"
                        "{\"UtcTime\":\"2024-01-01T00:00:10Z\",\"A\":2,\"G\":\"x\"}\n"
                        "{\"UtcTime\":\"2024-01-01T00:00:10Z\",\"A\":2,\"G\":\"y\"}\n"
                        "{\"UtcTime\":\"2024-01-01T00:00:20Z\",\"A\":2,\"G\":\"x\",\"B\":1}\n"
                        "{\"UtcTime\":\"2024-01-01T00:00:20Z\",\"B\":1,\"G\":\"y\"}\n"
                        "{\"UtcTime\":\"2024-01-01T01:00:00Z\",\"A\":1,\"G\":\"x\"}\n";
#define C(type, rules, rest)                                                                       \
    BASE "---\nname: c\ncorrelation: {type: " type ", rules: " rules ", " rest "}\n"
#define C2(type, rules, rest) OTHER C(type, rules, rest)
    correlate(C("event_count", "[base]", "group-by: [G], timespan: 20s, condition: {gte: 2}"),
              burst, "c:2 ");
    correlate(C("event_count", "[base]", "group-by: [G], timespan: 5s, condition: {gte: 2}"), burst,
              "");
    correlate(C("event_count", "[base]", "timespan: 20s, condition: {gte: 4}"), burst, "c:4 ");
    correlate(C("event_count", "[base]", "group-by: [G], timespan: 1m, condition: {gte: 1}"), burst,
              "c:1 c:6 c:3 ");
    correlate(
        C("value_count", "[base]", "group-by: [G], timespan: 1m, condition: {field: A, gte: 2}"),
        burst, "c:2 ");
    correlate(C("value_sum", "[base]", "group-by: [G], timespan: 1m, condition: {field: A, gt: 4}"),
              burst, "c:4 ");
    correlate(
        C("value_avg", "[base]", "group-by: [G], timespan: 1m, condition: {field: A, gt: 1.6}"),
        burst, "c:4 c:3 ");
    correlate(C("value_percentile", "[base]",
                "group-by: [G], timespan: 1m, condition: {field: A, gte: 2}"),
              burst, "c:4 c:3 ");
    correlate(C2("temporal", "[base, other]", "group-by: [G], timespan: 1m"), burst, "c:4 c:5 ");
    correlate(C2("temporal_ordered", "[base, other]", "group-by: [G], timespan: 1m"), burst,
              "c:4 c:5 ");
    correlate(C2("temporal_ordered", "[other, base]", "group-by: [G], timespan: 5s"), burst,
              "c:4 ");
    correlate(
        C2("event_count", "[inner]",
           "group-by: [G], timespan: 1m, condition: {gte: 1}") "---\nname: inner\ncorrelation: "
                                                               "{type: temporal, rules: [base, "
                                                               "other], group-by: [G], timespan: "
                                                               "1m}\n",
        burst, "c:4 c:5 ");
    correlate("name: old\nlogsource: {product: windows}\ndetection:\n    s: {A|exists: true}\n    "
              "timeframe: 20s\n"
              "    condition: s | count() by G >= 2\n",
              burst, "old:2 ");
    correlate(C("event_count", "[base]",
                "group-by: [who], timespan: 20s, condition: {gte: 2}, generate: true, aliases: "
                "{who: {base: G}}"),
              burst, "base:1 base:2 base:3 base:4 base:6 c:2 ");
#undef C
#undef C2
}

Test(sigma, filters_narrow_rules)
{
    const char *events = "{\"A\":1,\"U\":\"adm_x\"}\n{\"A\":1,\"U\":\"bob\"}\n";
    static const char *const conditions[] = {"selection", "not selection"};
    for (size_t i = 0; i < RF_COUNT(conditions); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        rf_str rules = rf_arena_printf(
            &arena,
            BASE "---\ntitle: f\nlogsource: {product: windows}\nfilter: {rules: [base], "
                 "selection: {U|startswith: adm_}, condition: %s}\n",
            conditions[i]);
        correlate((const char *)rules.ptr, events, "base:2 ");
    }
    correlate(BASE "---\ntitle: f\nlogsource: {product: linux}\nfilter: {rules: any, selection: "
                   "{U: x}, condition: not selection}\n",
              events, "base:1 base:2 ");
}
