/* Sigma rules run directly and as compiled KQL: the same events match. Random rules over random events; only a value that is empty
 * is left out, as a column of type string does not tell it from a missing one. */
#include "base/json.h"
#include "kql/kql.h"
#include "kql/source_file.h"
#include "sigma/compile.h"
#include "sigma/sigma_world_test_util.h"
#include "value/text.h"

/* ---- the query's side ------------------------------------------------------------------------------------------------- */

struct numbers {
    struct kql_sink sink;
    struct rf_buf buf;
};
static enum rf_kind begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                          const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}
static enum rf_kind push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    struct rf_buf *buf = &((struct numbers *)sink)->buf;
    (void)err;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        struct value v = vec_value(&batch->columns[0], row);
        rf_buf_str(buf, RF_S("r:"));
        text_put_value(buf, &v);
        rf_buf_byte(buf, ' ');
    }
    return RF_OK;
}
static enum rf_kind end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

/* The rows that the query gives, as "r:LINE r:LINE "; `last` says what it prints of them. */
static rf_str ask(struct world *w, const struct sigma_rule *rule, const char *layout,
                  const char *path, const char *last)
{
    struct rf_err err;
    struct compiled compiled;
    struct compile_options options = {.layout = layout_find(rf_str_of(layout))};
    cr_assert(sigma_compile(rule, &options, &w->arena, &compiled, &err) == RF_OK, "%s", err.text);
    struct source_file_options file = {.name = compiled.table, .path = path};
    struct source *source = source_file_new(&file, &w->arena);
    struct source *sources[] = {source};
    struct catalog catalog = {.sources = sources, .source_count = 1};
    struct numbers numbers = {.sink = {.begin = begin, .push = push, .end = end},
                              .buf = rf_buf_in(&w->arena)};
    struct kql_stats stats;
    struct kql_request request = {
        .text = rf_arena_printf(&w->arena, "%.*s %s", RF_FMT(compiled.query), last),
        .catalog = &catalog};
    cr_assert(kql_run(&request, &numbers.sink, &stats, &err) == RF_OK, "%.*s\n%s",
              RF_FMT(request.text), err.text);
    return rf_buf_view(&numbers.buf);
}

static void write_file(char *path, rf_str text)
{
    int fd = mkstemps(path, 6);
    cr_assert(fd >= 0);
    cr_assert(write(fd, text.ptr, text.len) == (ssize_t)text.len);
    close(fd);
}

/* ---- random rules and events ---------------------------------------------------------------------------------------------- */

static const char *const words[] = {"a",        "B",       "ab", "a\\b",
                                    "C:\\x",    "-e",      "/e", "x y",
                                    "\xc3\xa9", "*",       "?",  "10.0.0.1",
                                    "10.9.9.9", "fe80::1", "4",  "17",
                                    "true",     "a.b",     "'",  "2024-01-02T03:04:05Z"};

static const char *word(struct rf_prng *prng)
{
    return words[rf_test_below(prng, RF_COUNT(words))];
}

/* One to three words; `pattern` lets the signs * and ? stay wildcards. */
static rf_str text(struct rf_prng *prng, struct rf_arena *arena, bool pattern)
{
    struct rf_buf buf = rf_buf_in(arena);
    for (uint64_t n = rf_test_below(prng, 3) + 1; n > 0; n--) {
        rf_buf_str(&buf, rf_str_of(word(prng)));
        if (pattern && rf_test_below(prng, 6) == 0) rf_buf_byte(&buf, '*');
    }
    return rf_buf_view(&buf);
}

static void put_item(struct rf_prng *prng, struct rf_arena *arena, struct rf_buf *buf)
{
    static const char *const plain[] = {
        "",       "|contains",       "|startswith",       "|endswith", "|contains|all",
        "|cased", "|contains|cased", "|windash|contains", "|neq",      "|base64offset|contains"};
    char field = (char)('A' + rf_test_below(prng, 4));
    switch (rf_test_below(prng, 8)) {
    case 0:
        rf_buf_printf(buf, "\"%c|cidr\": 10.0.0.0/%llu", field,
                      (unsigned long long)rf_test_below(prng, 33));
        return;
    case 1:
        rf_buf_printf(buf, "\"%c|%s\": %llu", field, rf_test_below(prng, 2) == 0 ? "gt" : "lte",
                      (unsigned long long)rf_test_below(prng, 20));
        return;
    case 2:
        rf_buf_printf(buf, "\"%c|fieldref%s\": %c", field,
                      rf_test_below(prng, 2) == 0 ? "" : "|contains",
                      (char)('A' + rf_test_below(prng, 4)));
        return;
    case 3:
        rf_buf_printf(buf, rf_test_below(prng, 2) == 0 ? "\"%c\": null" : "\"%c|exists\": true",
                      field);
        return;
    case 4:
        rf_buf_printf(buf, "\"%c|re%s\": '[a-c]+.?%s'", field,
                      rf_test_below(prng, 2) == 0 ? "|i" : "",
                      rf_test_below(prng, 2) == 0 ? "$" : "");
        return;
    case 5:
        rf_buf_printf(buf, "\"%c|hour\": 3", field);
        return;
    default: {
        const char *modifier = plain[rf_test_below(prng, RF_COUNT(plain))];
        bool encoded = strstr(modifier, "base64") != NULL;
        rf_buf_printf(buf, "\"%c%s\": [", field, modifier);
        for (uint64_t n = rf_test_below(prng, 3) + 1; n > 0; n--) {
            if (encoded)
                rf_buf_str(buf, RF_S("\"ab cd\""));
            else
                json_put_string(buf, text(prng, arena, true));
            rf_buf_str(buf, n > 1 ? RF_S(", ") : RF_S(""));
        }
        rf_buf_byte(buf, ']');
    }
    }
}

static rf_str random_rule(struct rf_prng *prng, struct rf_arena *arena)
{
    static const char *const conditions[] = {
        "s0",        "s0 and s1",      "s0 or not s1",        "1 of s*",
        "all of s*", "not (s0 or s1)", "s0 and not 1 of s2*", "s1 or (s2 and not s0)"};
    struct rf_buf buf = rf_buf_in(arena);
    rf_buf_str(
        &buf,
        RF_S("name: r\nlogsource: {product: windows, category: process_creation}\ndetection:\n"));
    for (int s = 0; s < 3; s++) {
        uint64_t items = rf_test_below(prng, 2) + 1;
        rf_buf_printf(&buf, "    s%d: [{", s);
        for (uint64_t i = 0; i < items; i++) {
            if (i > 0) rf_buf_str(&buf, RF_S("}, {"));
            put_item(prng, arena, &buf);
        }
        rf_buf_str(&buf, RF_S("}]\n"));
    }
    rf_buf_printf(&buf, "    condition: %s\n",
                  conditions[rf_test_below(prng, RF_COUNT(conditions))]);
    rf_buf_byte(&buf, '\0');
    return rf_buf_view(&buf);
}

static rf_str random_events(struct rf_prng *prng, struct rf_arena *arena, bool nested)
{
    struct rf_buf buf = rf_buf_in(arena);
    uint64_t count = rf_test_below(prng, 12) + 1;
    for (uint64_t n = 1; n <= count; n++) {
        struct rf_buf data = rf_buf_in(arena);
        rf_buf_byte(&data, '{');
        bool first = true;
        for (char field = 'A'; field <= 'D'; field++) {
            if (rf_test_below(prng, 4) == 0) continue;
            rf_buf_printf(&data, "%s\"%c\":", first ? "" : ",", field);
            json_put_string(&data, text(prng, arena, false));
            first = false;
        }
        rf_buf_printf(
            &buf, "{\"N\":%llu,\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"EventID\":%d",
            (unsigned long long)n, rf_test_below(prng, 8) == 0 ? 2 : 1);
        if (nested) {
            rf_buf_str(&buf, RF_S(",\"TimeGenerated\":\"2024-01-01T00:00:00Z\",\"EventData\":"));
            rf_buf_byte(&data, '}');
            json_put_string(&buf, rf_buf_view(&data));
        } else if (!first) {
            rf_buf_byte(&buf, ',');
            rf_buf_put(&buf, data.ptr + 1, data.len - 1);
        }
        rf_buf_str(&buf, RF_S("}\n"));
    }
    return rf_buf_view(&buf);
}

static void same(struct rf_prng *prng, const char *layout, bool nested)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 256 << 20);
    struct world w;
    char path[] = "/tmp/sigma_kql_XXXXXX.jsonl";
    rf_str rule = random_rule(prng, &arena), events = random_events(prng, &arena, nested);
    world_init(&w, (const char *)rule.ptr);
    cr_assert(w.set.problem_count == 0, "%.*s: %s", RF_FMT(rule), w.set.problems[0].err.text);
    write_file(path, events);
    rf_str direct = world_run(&w, layout, events);
    rf_str asked = ask(&w, w.set.rules[0], layout, path, "| project N");
    unlink(path);
    cr_assert(rf_str_eq(direct, asked), "%.*s\n%.*s\ndirect: %.*s\nasked: %.*s", RF_FMT(rule),
              RF_FMT(events), RF_FMT(direct), RF_FMT(asked));
    world_done(&w);
}

RF_PROP(sigma_kql_matches_what_the_direct_run_matches, 600) { same(prng, "windows-flat", false); }
RF_PROP(sigma_kql_reads_event_data_alike, 300) { same(prng, "windows-event-table", true); }

/* ---- correlations: as often ------------------------------------------------------------------------------------------------ */

RF_PROP(sigma_kql_correlates_alike, 300)
{
    static const char *const kinds[] = {
        "type: event_count, rules: [a], condition: {gte: 3}",
        "type: event_count, rules: [a, b], condition: {gt: 1, lte: 4}",
        "type: value_count, rules: [a], condition: {field: V, gte: 2}",
        "type: value_count, rules: [a], condition: {field: [V, W], gte: 2}",
        "type: value_sum, rules: [b], condition: {field: V, gt: 5}",
        "type: value_avg, rules: [b, a], condition: {field: V, lt: 2}",
        "type: temporal, rules: [a, b]",
        "type: temporal, rules: [a, b, c], condition: {gte: 2}",
        "type: temporal_ordered, rules: [a, b]",
        "type: temporal_ordered, rules: [c, b, a]",
        "type: event_count, rules: [inner], condition: {gte: 2}",
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 256 << 20);
    struct world w;
    char path[] = "/tmp/sigma_kql_XXXXXX.jsonl";
    struct rf_buf rules = rf_buf_in(&arena), events = rf_buf_in(&arena);
    rf_buf_printf(&rules, "name: Q\ncorrelation: {%s, timespan: %llum, group-by: [G%s]}\n",
                  kinds[rf_test_below(prng, RF_COUNT(kinds))],
                  (unsigned long long)rf_test_below(prng, 4) + 1,
                  rf_test_below(prng, 3) == 0 ? ", V" : "");
    for (char c = 'a'; c <= 'c'; c++)
        rf_buf_printf(
            &rules,
            "---\nname: %c\nlogsource: {product: windows}\ndetection: {s: {K: %c}, condition: s}\n",
            c, c);
    rf_buf_str(&rules, RF_S("---\nname: inner\ncorrelation: {type: event_count, rules: [a, b], "
                            "timespan: 2m, group-by: [G, V], "
                            "condition: {gte: 2}}\n"));
    rf_buf_byte(&rules, '\0');
    uint64_t count = rf_test_below(prng, 40) + 1;
    for (uint64_t n = 0; n < count; n++)
        rf_buf_printf(&events,
                      "{\"Channel\":\"Security\",\"EventID\":1,\"UtcTime\":\"2024-01-01T00:%02llu:%"
                      "02llu.000Z\",\"K\":\"%c\",\"G\":\"%s\","
                      "\"V\":\"%llu\",\"W\":\"%llu\"}\n",
                      (unsigned long long)rf_test_below(prng, 12),
                      (unsigned long long)rf_test_below(prng, 2) * 30,
                      (char)('a' + rf_test_below(prng, 3)), rf_test_below(prng, 2) == 0 ? "x" : "y",
                      (unsigned long long)rf_test_below(prng, 4),
                      (unsigned long long)rf_test_below(prng, 2));
    world_init(&w, (const char *)rules.ptr);
    cr_assert(w.set.problem_count == 0, "%s", w.set.problems[0].err.text);
    write_file(path, rf_buf_view(&events));
    rf_str direct = world_run(&w, "windows-flat", rf_buf_view(&events));
    uint64_t fired = 0;
    for (size_t at = 0; (at = rf_str_find(direct, RF_S("Q:"), at)) != SIZE_MAX; at++) fired++;
    rf_str wanted = rf_arena_printf(&arena, "r:%llu ", (unsigned long long)fired);
    rf_str asked = ask(&w, w.set.rules[0], "windows-flat", path, "| count");
    unlink(path);
    cr_assert(rf_str_eq(wanted, asked), "%s\n%.*s\nfired %llu, asked %.*s", (const char *)rules.ptr,
              RF_FMT(rf_buf_view(&events)), (unsigned long long)fired, RF_FMT(asked));
    world_done(&w);
}
