#include "collect/winevent.h"
#include "test/rf_prop.h"

/* The columns that the tests need, as SecurityEvent has them. */
static bool find(const void *ctx, rf_str *name, bool *is_int)
{
    static const struct {
        const char *name;
        bool is_int;
    } columns[] = {{"SubjectUserName", false}, {"SubjectDomainName", false},
                   {"TargetUserName", false},  {"TargetDomainName", false},
                   {"LogonType", true},        {"IpAddress", false},
                   {"NewProcessName", false},  {"CommandLine", false},
                   {"KeyLength", true},        {"ProcessName", false}};
    (void)ctx;
    for (size_t i = 0; i < RF_COUNT(columns); i++) {
        if (!rf_str_eq_nocase(*name, rf_str_of(columns[i].name))) continue;
        *name = rf_str_of(columns[i].name);
        *is_int = columns[i].is_int;
        return true;
    }
    return false;
}
static const struct winevent_columns columns = {NULL, find};

#define SYSTEM(id, channel)                                                                        \
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"                \
    "<Provider Name='Microsoft-Windows-Security-Auditing' Guid='{5484}'/><EventID>" id             \
    "</EventID><Version>2</Version><Level>0</Level><Task>12544</Task><Opcode>0</Opcode>"           \
    "<Keywords>0x8020000000000000</Keywords><TimeCreated "                                         \
    "SystemTime='2024-03-01T10:20:30.1234567Z'/><EventRecordID>77</EventRecordID><Correlation "    \
    "ActivityID='{aa}'/><Execution ProcessID='700' ThreadID='4'/><Channel>" channel                \
    "</Channel><Computer>dc1.contoso.com</Computer><Security/></System>"
#define LOGON                                                                                      \
    SYSTEM("4624", "Security")                                                                     \
    "<EventData><Data Name='SubjectUserName'>DC1$</Data><Data Name='SubjectDomainName'>CONTOSO"    \
    "</Data><Data Name='TargetUserName'>anna</Data><Data Name='TargetDomainName'>CONTOSO</Data>"   \
    "<Data Name='LogonType'>3</Data><Data Name='IpAddress'>10.0.0.9</Data><Data Name='KeyLength'>" \
    "0</Data><Data Name='ProcessName'>-</Data></EventData></Event>"

static rf_str lines(struct rowset *rows, const char *table)
{
    for (uint32_t i = 0; i < rows->table_count; i++)
        if (rf_str_is(rows->tables[i].table, table)) return rf_buf_view(&rows->tables[i].lines);
    return (rf_str){0};
}

static void expect(rf_str row, const char *const *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cr_expect(rf_str_find(row, rf_str_of(wanted[i]), 0) != SIZE_MAX, "%s in %.*s", wanted[i],
                  RF_FMT(row));
}

Test(winevent, security_events_have_columns)
{
    static const char *const wanted[] = {"\"TimeGenerated\":\"2024-03-01T10:20:30.1234567Z\"",
                                         "\"Computer\":\"dc1.contoso.com\"",
                                         "\"EventID\":4624",
                                         "\"Account\":\"CONTOSO\\\\anna\"",
                                         "\"SubjectAccount\":\"CONTOSO\\\\DC1$\"",
                                         "\"AccountType\":\"User\"",
                                         "\"LogonType\":3",
                                         "\"LogonTypeName\":\"3 - Network\"",
                                         "\"IpAddress\":\"10.0.0.9\"",
                                         "\"KeyLength\":0",
                                         "\"Activity\":\"4624 - An account was successfully logged "
                                         "on.\"",
                                         "\"EventSourceName\":\"Microsoft-Windows-Security-Auditing"
                                         "\"",
                                         "\"Keywords\":\"0x8020000000000000\"",
                                         "\"SystemProcessId\":700"};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 4 << 20);
    struct rowset rows = rowset_in(&arena);
    cr_assert(winevent_read_xml(RF_S(LOGON), &columns, &arena, &rows, &err) == RF_OK, "%s",
              err.text);
    cr_assert(rowset_count(&rows) == 1);
    rf_str row = lines(&rows, "SecurityEvent");
    expect(row, wanted, RF_COUNT(wanted));
    cr_assert(rf_str_find(row, RF_S("\"EventData\""), 0) == SIZE_MAX, "all data have columns");
}

Test(winevent, what_has_no_column_is_kept)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 4 << 20);
    struct rowset rows = rowset_in(&arena);
    rf_str text = RF_S(SYSTEM("4688", "Security") "<EventData><Data Name='NewProcessName'>C:\\a\\"
                                                  "cmd.exe</Data><Data Name='Odd'>x &lt;y&gt; & z"
                                                  "</Data></EventData></Event>");
    cr_assert(winevent_read_xml(text, &columns, &arena, &rows, &err) == RF_OK, "%s", err.text);
    static const char *const wanted[] = {"\"Process\":\"cmd.exe\"",
                                         "\"EventData\":\"<EventData><Data Name='NewProcessName'>"};
    expect(lines(&rows, "SecurityEvent"), wanted, RF_COUNT(wanted));
}

Test(winevent, lists_and_other_channels)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 4 << 20);
    struct rowset rows = rowset_in(&arena);
    rf_str text = RF_S("<?xml version='1.0'?><Events>" LOGON SYSTEM(
        "1", "Application") "<EventData><Data>first</Data><Data>second</Data></EventData></Event>"
                            "</Events>" SYSTEM("104", "System") "<UserData><LogFileCleared "
                                                                "xmlns='x'><Channel>App</Channel>"
                                                                "</LogFileCleared></UserData>"
                                                                "<RenderingInfo><Message>The log "
                                                                "was cleared.</Message>"
                                                                "</RenderingInfo></Event>");
    cr_assert(winevent_read_xml(text, &columns, &arena, &rows, &err) == RF_OK, "%s", err.text);
    cr_assert(rowset_count(&rows) == 3);
    static const char *const wanted[] = {"\"EventData\":{\"Data1\":\"first\",\"Data2\":\"second\"}",
                                         "\"Channel\":\"Application\"",
                                         "\"Channel\":\"System\"",
                                         "\"EventData\":{\"Channel\":\"App\"}",
                                         "\"EventLevel\":0",
                                         "\"EventLevelName\":\"LogAlways\""};
    expect(lines(&rows, "WindowsEvent"), wanted, RF_COUNT(wanted));
}

Test(winevent, json_of_agents)
{
    static const struct {
        const char *record, *wanted[4];
    } tests[] = {
        {"{\"@timestamp\":\"2024-03-01T10:20:30.123Z\",\"winlog\":{\"channel\":\"Security\","
         "\"event_id\":\"4625\",\"computer_name\":\"dc1\",\"provider_name\":\"P\",\"event_data\":{"
         "\"TargetUserName\":\"eve\",\"TargetDomainName\":\"C\",\"LogonType\":\"10\"},"
         "\"keywords\":[\"Audit Failure\"]},\"message\":\"An account failed to log "
         "on.\\n\\nMore\"}",
         {"\"EventID\":4625", "\"Account\":\"C\\\\eve\"",
          "\"Activity\":\"4625 - An account failed to log on.\"",
          "\"LogonTypeName\":\"10 - RemoteInteractive\""}},
        {"{\"EventTime\":\"2024-03-01 10:20:30\",\"Hostname\":\"dc1\",\"EventID\":4625,"
         "\"SourceName\":\"P\",\"Channel\":\"Security\",\"TargetUserName\":\"eve\","
         "\"IpAddress\":\"1.2.3.4\",\"SourceModuleName\":\"in\"}",
         {"\"EventID\":4625", "\"IpAddress\":\"1.2.3.4\"", "\"Computer\":\"dc1\"",
          "\"TimeGenerated\":\"2024-03-01T10:20:30.0000000Z\""}},
        {"{\"ProviderName\":\"P\",\"EventID\":7036,\"Level\":4,\"Channel\":\"System\","
         "\"Computer\":\"c\",\"TimeCreated\":\"2024-03-01 10:20:30 +0000\",\"StringInserts\":["
         "\"svc\",\"running\"]}",
         {"\"EventID\":7036", "\"EventLevelName\":\"Information\"",
          "\"EventData\":{\"Data1\":\"svc\",\"Data2\":\"running\"}",
          "\"TimeGenerated\":\"2024-03-01T10:20:30.0000000Z\""}},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 << 20);
    for (size_t i = 0; i < RF_COUNT(tests); i++) {
        struct rf_err err;
        struct json_node *record;
        struct rowset rows = rowset_in(&arena);
        cr_assert(json_parse(rf_str_of(tests[i].record), &arena, &record, &err) == RF_OK);
        cr_assert(winevent_read_json(record, &columns, &arena, &rows, &err) == RF_OK, "%s",
                  err.text);
        expect(rf_buf_view(&rows.tables[0].lines), tests[i].wanted, 4);
    }
}

Test(winevent, what_is_none_is_refused)
{
    static const char *const tests[] = {"",         "<Events/>",
                                        "text",     "<Event><System></Event>",
                                        "<Event/>", "<!DOCTYPE x [<!ENTITY a 'b'>]><Event/>",
                                        "<Event",   "</Event>"};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 << 20);
    for (size_t i = 0; i < RF_COUNT(tests); i++) {
        struct rf_err err;
        struct rowset rows = rowset_in(&arena);
        cr_assert(winevent_read_xml(rf_str_of(tests[i]), &columns, &arena, &rows, &err) ==
                      RF_INVALID,
                  "%s", tests[i]);
    }
}
