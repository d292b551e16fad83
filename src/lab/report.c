#include "lab/report.h"

#include "base/encode.h"

struct lab_counts lab_count(const struct lab_result *results, uint32_t count)
{
    struct lab_counts counts = {0};
    for (uint32_t i = 0; i < count; i++) {
        counts.passed += results[i].status == LAB_PASSED;
        counts.failed += results[i].status == LAB_FAILED;
        counts.broken += results[i].status == LAB_BROKEN;
        counts.skipped += results[i].status == LAB_SKIPPED;
    }
    return counts;
}

const char *lab_status_name(enum lab_status status)
{
    static const char *const names[] = {[LAB_PASSED] = "passed",
                                        [LAB_FAILED] = "failed",
                                        [LAB_BROKEN] = "broken",
                                        [LAB_SKIPPED] = "skipped"};
    return names[status];
}

void lab_put_message(struct rf_buf *buf, const struct lab_test *test,
                     const struct lab_message *message)
{
    rf_buf_printf(buf, "%s", message->file != NULL ? message->file : test->path);
    if (message->line > 0) rf_buf_printf(buf, ":%u", message->line);
    rf_buf_printf(buf, ": %.*s", RF_FMT(message->text));
}

/* ---- JSON --------------------------------------------------------------------------------------------------------------- */

static struct json_node *messages_of(struct rf_arena *arena, const struct lab_test *test,
                                     const struct lab_result *result)
{
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    for (uint32_t i = 0; i < result->message_count; i++) {
        const struct lab_message *m = &result->messages[i];
        struct json_node *made = json_new(arena, JSON_T_OBJECT);
        json_set_text(arena, made, "file", rf_str_of(m->file != NULL ? m->file : test->path));
        json_set_i64(arena, made, "line", m->line);
        json_set_text(arena, made, "text", m->text);
        json_append(list, made);
    }
    return list;
}

static struct json_node *rules_of(struct rf_arena *arena, const struct lab_result *result)
{
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    for (uint32_t i = 0; i < result->rule_count; i++) {
        const struct lab_rule_use *use = &result->rules[i];
        struct json_node *made = json_new(arena, JSON_T_OBJECT);
        json_set_text(arena, made, "rule", use->rule->name);
        json_set_text(arena, made, "title", use->rule->rule.name);
        json_set_text(arena, made, "path", rf_str_of(use->rule->path));
        json_set_i64(arena, made, "runs", (int64_t)use->runs);
        json_set_i64(arena, made, "failures", (int64_t)use->failures);
        json_set_i64(arena, made, "rowsMax", (int64_t)use->rows_max);
        json_set_i64(arena, made, "alerts", use->alerts);
        json_set_i64(arena, made, "incidents", use->incidents);
        json_append(list, made);
    }
    return list;
}

static struct json_node *test_of(struct rf_arena *arena, const struct lab_test *test,
                                 const struct lab_result *result)
{
    struct json_node *made = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, made, "name", test->name);
    json_set_text(arena, made, "file", rf_str_of(test->path));
    json_set_i64(arena, made, "line", test->line);
    json_set_text(arena, made, "status", rf_str_of(lab_status_name(result->status)));
    if (result->why.len > 0) json_set_text(arena, made, "why", result->why);
    json_set(arena, made, RF_S("messages"), messages_of(arena, test, result));
    if (result->outcome == NULL) return made;
    struct json_node *clock = json_object_in(arena, made, "clock");
    json_set_text(arena, clock, "start", time_iso(arena, result->start));
    json_set_text(arena, clock, "end", time_iso(arena, result->end));
    json_set(arena, made, RF_S("rules"), rules_of(arena, result));
    json_set(arena, made, RF_S("incidents"),
             json_clone(arena, json_get(result->outcome, "incidents")));
    json_set(arena, made, RF_S("alerts"), json_clone(arena, json_get(result->outcome, "alerts")));
    return made;
}

struct json_node *lab_report_json(const struct lab_tests *tests, const struct lab_result *results,
                                  const struct json_node *coverage, struct rf_arena *arena)
{
    struct json_node *all = json_new(arena, JSON_T_OBJECT);
    struct json_node *list = json_set(arena, all, RF_S("tests"), json_new(arena, JSON_T_ARRAY));
    struct lab_counts counts = lab_count(results, tests->count);
    for (uint32_t i = 0; i < tests->count; i++)
        if (json_append(list, test_of(arena, &tests->items[i], &results[i])) == NULL) return NULL;
    json_set_i64(arena, all, "passed", counts.passed);
    json_set_i64(arena, all, "failed", counts.failed);
    json_set_i64(arena, all, "broken", counts.broken);
    json_set_i64(arena, all, "skipped", counts.skipped);
    if (coverage != NULL) json_set(arena, all, RF_S("coverage"), json_clone(arena, coverage));
    return all;
}

/* ---- JUnit -------------------------------------------------------------------------------------------------------------- */

/* Characters that XML 1.0 knows no way to write are left out. */
static void put_xml(struct rf_buf *buf, rf_str text)
{
    for (size_t at = 0; at < text.len;) {
        uint8_t utf8[4];
        uint32_t c = rf_utf8_next(text, &at);
        if (c == '<')
            rf_buf_str(buf, RF_S("&lt;"));
        else if (c == '>')
            rf_buf_str(buf, RF_S("&gt;"));
        else if (c == '&')
            rf_buf_str(buf, RF_S("&amp;"));
        else if (c == '"')
            rf_buf_str(buf, RF_S("&quot;"));
        else if (c == '\n' || c == '\t')
            rf_buf_printf(buf, "&#%u;", c);
        else if (c >= ' ' && c != 0xfffe && c != 0xffff)
            rf_buf_put(buf, utf8, rf_utf8_put(c, utf8));
    }
}

static void put_case(struct rf_buf *buf, const struct lab_test *test,
                     const struct lab_result *result)
{
    rf_buf_str(buf, RF_S("    <testcase classname=\""));
    put_xml(buf, rf_str_of(test->path));
    rf_buf_str(buf, RF_S("\" name=\""));
    put_xml(buf, test->name);
    rf_buf_str(buf, RF_S("\" file=\""));
    put_xml(buf, rf_str_of(test->path));
    rf_buf_printf(buf, "\" line=\"%u\" time=\"0\"", test->line);
    if (result->status == LAB_PASSED) {
        rf_buf_str(buf, RF_S("/>\n"));
        return;
    }
    if (result->status == LAB_SKIPPED) {
        rf_buf_str(buf, RF_S("><skipped message=\""));
        put_xml(buf, result->why);
        rf_buf_str(buf, RF_S("\"/></testcase>\n"));
        return;
    }
    const char *element = result->status == LAB_BROKEN ? "error" : "failure";
    rf_buf_printf(buf, ">\n      <%s message=\"", element);
    if (result->message_count > 0) put_xml(buf, result->messages[0].text);
    rf_buf_str(buf, RF_S("\">"));
    for (uint32_t i = 0; i < result->message_count; i++) {
        struct rf_buf line = rf_buf_in(buf->arena);
        lab_put_message(&line, test, &result->messages[i]);
        put_xml(buf, rf_buf_view(&line));
        rf_buf_byte(buf, '\n');
    }
    rf_buf_printf(buf, "</%s>\n    </testcase>\n", element);
}

static void put_counts(struct rf_buf *buf, const struct lab_result *results, uint32_t count)
{
    struct lab_counts counts = lab_count(results, count);
    rf_buf_printf(buf, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" time=\"0\"",
                  count, counts.failed, counts.broken, counts.skipped);
}

void lab_report_junit(struct rf_buf *buf, const struct lab_tests *tests,
                      const struct lab_result *results)
{
    rf_buf_str(buf, RF_S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites"));
    put_counts(buf, results, tests->count);
    rf_buf_str(buf, RF_S(">\n"));
    for (uint32_t from = 0, to; from < tests->count; from = to) {
        const char *path = tests->items[from].path;
        for (to = from; to < tests->count && strcmp(tests->items[to].path, path) == 0; to++)
            continue;
        rf_buf_str(buf, RF_S("  <testsuite name=\""));
        put_xml(buf, rf_str_of(path));
        rf_buf_byte(buf, '"');
        put_counts(buf, results + from, to - from);
        rf_buf_str(buf, RF_S(">\n"));
        for (uint32_t i = from; i < to; i++) put_case(buf, &tests->items[i], &results[i]);
        rf_buf_str(buf, RF_S("  </testsuite>\n"));
    }
    rf_buf_str(buf, RF_S("</testsuites>\n"));
}
