#include "collect/hec.h"
#include "test/rf_prop.h"

#define NOW INT64_C(1769860800000000)

struct world {
    struct rf_arena arena;
    struct rowset rows;
    struct hec_result result;
    struct rf_err err;
};

static enum rf_kind events(struct world *w, const char *body)
{
    struct hec_defaults defaults = {.host = RF_S("dh"), .source_type = RF_S("dt")};
    struct line_source source = {.now = NOW, .peer = RF_S("192.0.2.1")};
    rf_arena_init(&w->arena, 8 << 20);
    w->rows = rowset_in(&w->arena);
    w->err = (struct rf_err){.code = ""};
    return hec_read_events(rf_str_of(body), &defaults, &source, &w->arena, &w->rows, &w->result,
                           &w->err);
}

static const char *line(struct world *w, const char *table)
{
    for (uint32_t i = 0; i < w->rows.table_count; i++)
        if (rf_str_is(w->rows.tables[i].table, table))
            return rf_arena_cstr(&w->arena, rf_buf_view(&w->rows.tables[i].lines));
    return "";
}

Test(hec, events_behind_each_other_and_in_a_list)
{
    static const char *const bodies[] = {"{\"event\":\"a\"}{\"event\":\"b\"}",
                                         "{\"event\":\"a\"}\n{\"event\":\"b\"}\n",
                                         "[{\"event\":\"a\"},{\"event\":\"b\"}]"};
    for (size_t i = 0; i < RF_COUNT(bodies); i++) {
        struct world w;
        cr_assert(events(&w, bodies[i]) == RF_OK, "%s: %s", bodies[i], w.err.text);
        cr_assert(rowset_count(&w.rows) == 2);
        rf_arena_done(&w.arena);
    }
}

Test(hec, members_are_columns)
{
    struct world w;
    cr_assert(events(&w, "{\"time\":1426279439.5,\"host\":\"h\",\"source\":\"s\",\"sourcetype\":"
                         "\"t\",\"index\":\"i\",\"event\":{\"a\":1},\"fields\":{\"f\":\"x\"}}") ==
              RF_OK);
    cr_assert_str_eq(line(&w, "HecEvents"),
                     "{\"TimeGenerated\":\"2015-03-13T20:43:59.5000000Z\",\"Host\":\"h\","
                     "\"Source\":\"s\",\"SourceType\":\"t\",\"Index\":\"i\",\"Event\":\"{\\\"a\\\":"
                     "1}\",\"EventData\":{\"a\":1},\"Fields\":{\"f\":\"x\"},\"SenderIP\":"
                     "\"192.0.2.1\"}\n");
    rf_arena_done(&w.arena);
    cr_assert(events(&w, "{\"time\":\"1426279439000\",\"event\":\"text\"}") == RF_OK);
    cr_assert(strstr(line(&w, "HecEvents"), "2015-03-13T20:43:59.0000000Z\",\"Host\":\"dh\"") !=
              NULL);
    rf_arena_done(&w.arena);
}

Test(hec, texts_of_devices_go_to_their_tables)
{
    struct world w;
    cr_assert(events(&w, "{\"host\":\"fw\",\"event\":\"CEF:0|a|b|c|d|e|5|src=1.2.3.4\"}{"
                         "\"sourcetype\":\"syslog\",\"event\":\"<13>Oct 11 22:14:15 h su: x\"}") ==
              RF_OK);
    cr_assert(strstr(line(&w, "CommonSecurityLog"), "\"Computer\":\"fw\"") != NULL, "%s",
              line(&w, "CommonSecurityLog"));
    cr_assert(strstr(line(&w, "Syslog"), "\"ProcessName\":\"su\"") != NULL);
    rf_arena_done(&w.arena);
}

Test(hec, refusals_have_splunks_codes)
{
    static const struct {
        const char *body;
        int code;
        uint64_t event;
    } tests[] = {
        {"", HEC_NO_DATA, 0},
        {" \n", HEC_NO_DATA, 0},
        {"{", HEC_BAD_FORMAT, 0},
        {"{\"event\":\"a\"}{\"event\":", HEC_BAD_FORMAT, 1},
        {"{\"event\":\"a\"}5", HEC_BAD_FORMAT, 1},
        {"{\"host\":\"a\"}", HEC_EVENT_REQUIRED, 0},
        {"{\"event\":\"a\"}{\"event\":\"\"}", HEC_EVENT_BLANK, 1},
        {"{\"event\":null}", HEC_EVENT_BLANK, 0},
        {"{\"event\":\"a\",\"fields\":[]}", HEC_BAD_FIELDS, 0},
    };
    for (size_t i = 0; i < RF_COUNT(tests); i++) {
        struct world w;
        cr_expect(events(&w, tests[i].body) == RF_INVALID, "%s", tests[i].body);
        cr_expect((int)w.result.code == tests[i].code && w.result.event == tests[i].event,
                  "%s: %d at %llu", tests[i].body, w.result.code,
                  (unsigned long long)w.result.event);
        rf_arena_done(&w.arena);
    }
}

Test(hec, raw_lines)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct hec_defaults defaults = {.host = {0}};
    struct line_source source = {.now = NOW};
    struct hec_result result;
    struct rf_err err;
    rf_arena_init(&arena, 4 << 20);
    struct rowset rows = rowset_in(&arena);
    cr_assert(hec_read_raw(RF_S("one\r\n\ntwo"), &defaults, &source, &arena, &rows, &result,
                           &err) == RF_OK);
    cr_assert(rowset_count(&rows) == 2);
}
