#include "cli/cli_answer.h"

#include <criterion/criterion.h>

#include "cli/cli_format.h"
#include "cli/cli_server.h"

/* What an answer prints as JSON; "!text" when it cannot be read. */
static char *print_answer(const char *body, enum cli_format format)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    char *text = NULL;
    size_t len = 0;
    struct cli_output output = {
        .file = open_memstream(&text, &len), .format = format, .width = UINT32_MAX};
    struct kql_sink *sink = cli_sink_new(&output, &arena);
    struct cli_answer answer;
    struct rf_err err = {0};
    enum rf_kind kind = cli_answer_parse(rf_str_of(body), &arena, &answer, &err);
    if (kind == RF_OK) kind = cli_answer_push(&answer, sink, &arena, &err);
    if (kind == RF_OK) kind = cli_sink_finish(sink, &err);
    cli_sink_done(sink);
    if (kind != RF_OK) fprintf(output.file, "!%s", strchr(err.text, ':') + 2);
    fclose(output.file);
    return text;
}

#define TABLE(columns, rows)                                                                       \
    "{\"tables\":[{\"name\":\"T\",\"columns\":" columns ",\"rows\":" rows "}]}"
#define COLUMN(type) "[{\"name\":\"c\",\"type\":\"" type "\"}]"

/* Cells as Azure writes them, and what CSV makes of them. */
static const struct {
    const char *type, *cell, *expected;
} cells[] = {
    {"bool", "true", "true"},
    {"bool", "0", "false"},
    {"bool", "null", ""},
    {"int", "-7", "-7"},
    {"long", "9223372036854775807", "9223372036854775807"},
    {"long", "\"-9223372036854775808\"", "-9223372036854775808"},
    {"real", "1e3", "1000"},
    {"real", "\"-Infinity\"", "-Infinity"},
    {"real", "null", ""},
    {"decimal", "\"1.10\"", "1.10"},
    {"datetime", "\"2024-03-01T10:20:30Z\"", "2024-03-01T10:20:30.0000000Z"},
    {"timespan", "\"-1.00:00:00.5000000\"", "-1.00:00:00.5000000"},
    {"guid", "\"0A0B0C0D-0000-0000-0000-000000000001\"", "0a0b0c0d-0000-0000-0000-000000000001"},
    {"string", "\"\\u00fc\\n\"", "\"\xc3\xbc\n\""},
    {"string", "null", ""},
    {"string", "12", "12"},
    {"dynamic", "\"[1,2]\"", "\"[1,2]\""},
    {"dynamic", "\"no JSON\"", "no JSON"},
    {"dynamic", "[1,{\"a\":null}]", "\"[1,{\"\"a\"\":null}]\""},
    {"dynamic", "7", "7"},
    {"dynamic", "null", ""},
};

Test(cli_answer, cells)
{
    for (size_t i = 0; i < RF_COUNT(cells); i++) {
        char body[300], want[100];
        (void)snprintf(body, sizeof body, TABLE(COLUMN("%s"), "[[%s]]"), cells[i].type,
                       cells[i].cell);
        (void)snprintf(want, sizeof want, "c\n%s\n", cells[i].expected);
        char *got = print_answer(body, CLI_CSV);
        cr_expect_str_eq(got, want, "%s %s\n got: %s\nwant: %s", cells[i].type, cells[i].cell, got,
                         want);
        free(got);
    }
}

static const struct {
    const char *body, *expected;
} wrong[] = {
    {"", "!the JSON text ends"},
    {"[]", "!an object is missing"},
    {"{}", "!it has no tables"},
    {"{\"tables\":{}}", "!its tables are no array"},
    {"{\"tables\":[1]}", "!a table is no object"},
    {"{\"tables\":[{}]}", "!a table has no columns"},
    {"{\"tables\":[{\"columns\":[{\"name\":\"c\",\"type\":\"blob\"}],\"rows\":[]}]}",
     "!a column has a type that is not known"},
    {"{\"tables\":[{\"columns\":[]}]}", "!the JSON text ends"},
    {TABLE(COLUMN("long"), "{}"), "!a table has no rows"},
    {TABLE(COLUMN("long"), "[1]"), "!a row is no array"},
    {TABLE(COLUMN("long"), "[[]]"), "!a row has not as many cells"},
    {TABLE(COLUMN("long"), "[[1,2]]"), "!a row has not as many cells"},
    {TABLE(COLUMN("long"), "[[\"x\"]]"), "!a cell is no long"},
    {TABLE(COLUMN("string"), "[[{}]]"), "!a cell is no string"},
    {TABLE(COLUMN("datetime"), "[[5]]"), "!a cell is no datetime"},
    {TABLE(COLUMN("long"), "[[1]"), "!"},
};

Test(cli_answer, what_is_no_answer)
{
    for (size_t i = 0; i < RF_COUNT(wrong); i++) {
        char *got = print_answer(wrong[i].body, CLI_JSON);
        cr_expect(strstr(got, wrong[i].expected) != NULL, "%s\n got: %s", wrong[i].body, got);
        free(got);
    }
}

Test(cli_answer, members_come_in_any_order)
{
    char *got =
        print_answer("{\"render\":null, \"error\":null, \"tables\": [ {\"rows\":[[1]],"
                     "\"more\":{\"rows\":2},\"columns\":" COLUMN(
                         "long") ",\"name\":\"A\"},"
                                 "\n{\"name\":\"B\",\"columns\":[],\"rows\":[[],[]]} ] , \"z\":1}",
                     CLI_JSONL);
    cr_expect_str_eq(got, "{\"c\":1}\n{}\n{}\n", "%s", got);
    free(got);
}

static const struct {
    uint16_t status;
    const char *answer;
    enum rf_kind kind;
    const char *text;
    uint32_t line, column;
} faults[] = {
    {400,
     "{\"error\":{\"code\":\"A\",\"message\":\"outer\",\"innererror\":{\"code\":\"B\",\"message\":"
     "\"middle\",\"innererror\":{\"code\":\"SEM1\",\"message\":\"inner\",\"line\":3,\"pos\":4}}}}",
     RF_INVALID, "inner (SEM1)", 3, 5},
    {403, "{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"no\"}}", RF_DENIED,
     "no (AuthorizationFailed)", 0, 0},
    {404, "{\"error\":{\"code\":\"X\",\"message\":\"m\",\"innererror\":{}}}", RF_NOT_FOUND, "m (X)",
     0, 0},
    {409, "{\"error\":{\"code\":\"X\",\"message\":\"\"}}", RF_CONFLICT,
     "the server gives no reason (X)", 0, 0},
    {500, "{}", RF_IO, "the server answers with status 500", 0, 0},
    {502, NULL, RF_IO, "the server answers with status 502", 0, 0},
    {429, "{\"error\":\"text\"}", RF_AGAIN, "the server answers with status 429", 0, 0},
};

Test(cli_answer, faults)
{
    for (size_t i = 0; i < RF_COUNT(faults); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        struct json_node *answer = NULL;
        struct rf_err err = {0};
        if (faults[i].answer != NULL)
            cr_assert(json_parse(rf_str_of(faults[i].answer), &arena, &answer, &err) == RF_OK);
        cr_expect(cli_server_fault(faults[i].status, answer, &err) == faults[i].kind);
        cr_expect_str_eq(err.text, faults[i].text, "%s", err.text);
        cr_expect(err.line == faults[i].line && err.column == faults[i].column);
    }
}

/* A message of any length is cut at a whole character. */
Test(cli_answer, long_messages)
{
    for (size_t length = 990; length < 1040; length++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        struct rf_buf buf = rf_buf_in(&arena);
        rf_buf_str(&buf, RF_S("{\"error\":{\"code\":\"C\",\"message\":\""));
        for (size_t i = 0; i < length; i++) rf_buf_byte(&buf, 'x');
        for (size_t i = 0; i < 30; i++) rf_buf_str(&buf, RF_S("\xf0\x9f\x8c\x8d"));
        rf_buf_str(&buf, RF_S("\"}}"));
        struct json_node *answer;
        struct rf_err err = {0};
        cr_assert(json_parse(rf_buf_view(&buf), &arena, &answer, &err) == RF_OK);
        (void)cli_server_fault(400, answer, &err);
        cr_expect(rf_utf8_valid(rf_str_of(err.text)), "%zu", length);
    }
}
