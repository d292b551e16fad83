#include "base/log.h"
#include "test/rf_prop.h"

#include <math.h>

static const char *line_of(enum rf_log_format format, const struct rf_kv *kvs, size_t count)
{
    static char line[RF_LOG_LINE_BYTES + 1];
    size_t len =
        rf_log_line(format, 1769850902123456, RF_WARN, "extent.tail_cut", kvs, count, line);
    cr_assert(len <= RF_LOG_LINE_BYTES && line[len - 1] == '\n');
    line[len - 1] = '\0';
    return line;
}

Test(log, prints_text_and_json)
{
    const struct rf_kv kvs[] = {RF_KV_STR("path", RF_S("/data/a b")),
                                RF_KV_STR("name", RF_S("x.log")),
                                RF_KV_U64("lost", UINT64_MAX),
                                RF_KV_I64("step", -5),
                                RF_KV_REAL("share", 0.25),
                                RF_KV_BOOL("last", true)};
    const char *text = line_of(RF_LOG_TEXT, kvs, RF_COUNT(kvs));
    cr_assert(
        strcmp(text,
               "2026-01-31T09:15:02.123456Z warn extent.tail_cut path=\"/data/a b\" name=x.log "
               "lost=18446744073709551615 step=-5 share=0.25 last=true") == 0,
        "%s", text);
    const char *json = line_of(RF_LOG_JSON, kvs, RF_COUNT(kvs));
    cr_assert(
        strcmp(
            json,
            "{\"time\":\"2026-01-31T09:15:02.123456Z\",\"level\":\"warn\",\"event\":\"extent.tail_"
            "cut\","
            "\"path\":\"/data/a b\",\"name\":\"x.log\",\"lost\":18446744073709551615,\"step\":-5,"
            "\"share\":0.25,\"last\":true}") == 0,
        "%s", json);
}

Test(log, escapes_outside_text)
{
    static const struct {
        rf_str text;
        const char *want;
    } cases[] = {
        {RF_S(""), "k=\"\""},
        {RF_S("a\nb\x1b[31m"), "k=\"a\\u000ab\\u001b[31m\""},
        {RF_S("say \"hi\" \\"), "k=\"say \\\"hi\\\" \\\\\""},
        {RF_S("\xff\xc3\xbc"), "k=\"\\ufffd\xc3\xbc\""},
        {RF_S("\xe2\x80\xae\xc2\x9b\x7f"), "k=\"\\u202e\\u009b\\u007f\""},
        {RF_S("nul\0nul"), "k=\"nul\\u0000nul\""},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        const struct rf_kv kv = RF_KV_STR("k", cases[i].text);
        const char *line = line_of(RF_LOG_TEXT, &kv, 1);
        cr_assert(rf_str_ends(rf_str_of(line), rf_str_of(cases[i].want)), "%zu: %s", i, line);
    }
    const struct rf_kv nan_kv = RF_KV_REAL("k", NAN);
    cr_assert(rf_str_ends(rf_str_of(line_of(RF_LOG_JSON, &nan_kv, 1)), RF_S("\"k\":null}")));
}

RF_PROP(log_line_is_bounded_and_ends_well, 2000)
{
    static uint8_t raw[3][RF_LOG_LINE_BYTES * 2];
    struct rf_kv kvs[3];
    for (size_t i = 0; i < RF_COUNT(kvs); i++) {
        const char *alphabet = rf_test_bool(prng)   ? "abc"
                               : rf_test_bool(prng) ? "\"\n\xff"
                                                    : "\xc3\xbc";
        kvs[i] = RF_KV_STR("key", rf_test_bytes(prng, raw[i], sizeof raw[i], alphabet));
    }
    rf_str line = rf_str_of(line_of(RF_LOG_JSON, kvs, RF_COUNT(kvs)));
    cr_assert(rf_str_ends(line, RF_S("\"}")) && rf_utf8_valid(line));
    line = rf_str_of(line_of(RF_LOG_TEXT, kvs, RF_COUNT(kvs)));
    cr_assert(rf_utf8_valid(line) && rf_str_find(line, RF_S("\n"), 0) == SIZE_MAX);
}

Test(log, drops_what_is_below_the_level)
{
    rf_log_set(RF_WARN, RF_LOG_TEXT);
    cr_assert(!rf_log_wants(RF_INFO) && rf_log_wants(RF_WARN) && rf_log_wants(RF_ERROR));
    rf_log(RF_INFO, "test.unseen");
    rf_log(RF_INFO, "test.unseen", RF_KV_U64("n", 1));
    rf_log_set(RF_SILENT, RF_LOG_TEXT);
    cr_assert(!rf_log_wants(RF_ERROR));
}
