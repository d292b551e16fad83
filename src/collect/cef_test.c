#include "collect/cef.h"
#include "test/rf_prop.h"

static rf_str row_of(const char *text, struct rf_arena *arena)
{
    struct cef_event event;
    struct rf_err err;
    cr_assert(cef_parse(rf_str_of(text), arena, &event, &err) == RF_OK, "%s: %s", text, err.text);
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    cef_put_columns(&event, arena, &out);
    json_end_object(&out);
    cr_assert(!buf.failed);
    struct json_node *node;
    cr_assert(json_parse(rf_buf_view(&buf), arena, &node, &err) == RF_OK, "%s: %.*s", err.text,
              RF_FMT(rf_buf_view(&buf)));
    return rf_buf_view(&buf);
}

Test(cef, rows)
{
#define HEAD(vendor, product, version, id, name, severity)                                         \
    "{\"DeviceVendor\":\"" vendor "\",\"DeviceProduct\":\"" product                                \
    "\",\"DeviceVersion\":\"" version "\",\"DeviceEventClassID\":\"" id "\",\"Activity\":\"" name  \
    "\",\"LogSeverity\":\"" severity "\""
    static const struct {
        const char *text, *row;
    } tests[] = {
        {"CEF:0|Security|threatmanager|1.0|100|worm stopped|10|src=10.0.0.1 dst=2.1.2.2 spt=1232",
         HEAD(
             "Security", "threatmanager", "1.0", "100", "worm stopped",
             "10") ",\"SourceIP\":\"10.0.0.1\",\"DestinationIP\":\"2.1.2.2\",\"SourcePort\":1232}"},
        {"CEF:0|a\\|b|c\\\\d|1|x|n|Low|", HEAD("a|b", "c\\\\d", "1", "x", "n", "Low") "}"},
        {"CEF:1|v|p|1|x|no last bar|Low", HEAD("v", "p", "1", "x", "no last bar", "Low") "}"},
        {"CEF: 0|v|p|1|x|n|3|msg=two words, an a\\=b and\\nlines act=deny all fooBar=x y",
         HEAD("v", "p", "1", "x", "n",
              "3") ",\"Message\":\"two words, an a=b and\\nlines\","
                   "\"DeviceAction\":\"deny all\",\"AdditionalExtensions\":"
                   "\"fooBar=x y;\"}"},
        {"CEF:0|v|p|1|x|n|3|request=http://h/?a\\=b&c=d cs1=one cs1Label=first cn1=7 "
         "cn2=99999999999 cfp1=1.50",
         HEAD("v", "p", "1", "x", "n",
              "3") ",\"RequestURL\":\"http://h/?a=b&c=d\",\"DeviceCustomString1\":\"one\","
                   "\"DeviceCustomString1Label\":\"first\",\"FieldDeviceCustomNumber1\":7,"
                   "\"DeviceCustomNumber1\":7,\"FieldDeviceCustomNumber2\":99999999999,"
                   "\"DeviceCustomFloatingPoint1\":1.5}"},
        {"CEF:0|v|p|1|x|n|3|spt=http src=1 src=2 start=1380664994000 end=Oct 01 2013 22:03:14 "
         "externalId=abc rt=1380664994000",
         HEAD("v", "p", "1", "x", "n",
              "3") ",\"SourceIP\":\"1\",\"StartTime\":\"2013-10-01T22:03:14.0000000Z\","
                   "\"EndTime\":\"2013-10-01T22:03:14.0000000Z\",\"ExtID\":\"abc\","
                   "\"ReceiptTime\":\"1380664994000\","
                   "\"AdditionalExtensions\":\"spt=http;src=2;externalId=abc;\"}"},
        {"LEEF:1.0|Microsoft|MSExchange|4.0 SP1|15345|src=192.0.2.0\tdst=172.50.123.1\tsev=5\t"
         "cat=anomaly\tsrcPort=81\tusrName=joe.black\tfoo=bar",
         HEAD("Microsoft", "MSExchange", "4.0 SP1", "15345", "15345",
              "5") ",\"SourceIP\":\"192.0.2.0\",\"DestinationIP\":\"172.50.123.1\","
                   "\"DeviceEventCategory\":\"anomaly\",\"SourcePort\":81,\"SourceUserName\":"
                   "\"joe.black\",\"AdditionalExtensions\":\"foo=bar;\"}"},
        {"LEEF:2.0|Lancope|StealthWatch|1.0|41|^|src=192.0.2.0^dst=172.50.123.1^sev=5",
         HEAD("Lancope", "StealthWatch", "1.0", "41", "41",
              "5") ",\"SourceIP\":\"192.0.2.0\",\"DestinationIP\":\"172.50.123.1\"}"},
        {"LEEF:2.0|L|S|1.0|41|x7C|src=a|dst=b",
         HEAD("L", "S", "1.0", "41", "41", "") ",\"SourceIP\":\"a\",\"DestinationIP\":\"b\"}"},
        {"LEEF:2.0|L|S|1.0|41||src=a\tdst=b",
         HEAD("L", "S", "1.0", "41", "41", "") ",\"SourceIP\":\"a\",\"DestinationIP\":\"b\"}"},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 << 20);
    for (size_t i = 0; i < RF_COUNT(tests); i++) {
        rf_str row = row_of(tests[i].text, &arena);
        cr_expect(rf_str_is(row, tests[i].row), "%s:\n%.*s\n%s", tests[i].text, RF_FMT(row),
                  tests[i].row);
    }
}

Test(cef, what_is_not_whole_is_refused)
{
    static const char *const tests[] = {"CEF:0|a|b|c", "CEF:", "LEEF:1.0|a|b|c",
                                        "x",           "",     "CEF:x|a|b|c|d|e|f|"};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(tests); i++) {
        struct cef_event event;
        struct rf_err err;
        cr_assert(cef_parse(rf_str_of(tests[i]), &arena, &event, &err) == RF_INVALID, "%s",
                  tests[i]);
        cr_assert_str_eq(err.code, "BadCef");
    }
}

/* What was put together by the rules comes apart again. */
RF_PROP(cef_values_come_back, 2000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct cef_event event;
    struct rf_err err;
    uint8_t raw[60];
    rf_arena_init(&arena, 1 << 20);
    rf_str value = rf_str_trim(rf_test_bytes(prng, raw, sizeof raw, "ab =\\|\n1"));
    struct rf_buf text = rf_buf_in(&arena);
    rf_buf_str(&text, RF_S("CEF:0|v|p|1|id|name|5|before=1 msg="));
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '=' || value.ptr[i] == '\\') rf_buf_byte(&text, '\\');
        if (value.ptr[i] == '\n')
            rf_buf_str(&text, RF_S("\\n"));
        else
            rf_buf_byte(&text, value.ptr[i]);
    }
    rf_buf_str(&text, RF_S(" after=2"));
    cr_assert(cef_parse(rf_buf_view(&text), &arena, &event, &err) == RF_OK);
    cr_assert(rf_str_eq(cef_get(&event, "msg"), value), "'%.*s' of %.*s",
              RF_FMT(cef_get(&event, "msg")), RF_FMT(rf_buf_view(&text)));
    cr_assert(rf_str_is(cef_get(&event, "after"), "2"));
    cr_assert(event.pair_count == 3);
}
