#include "cli/cli_options.h"

#include <criterion/criterion.h>

#include "cli/cli.h"
#include "value/value.h"

static const struct cli_option options[] = {
    {"format", "FORMAT", "how"}, {"stats", NULL, "say"}, {"file", "F", "a file"}};
static const struct cli_usage usage = {.command = "test",
                                       .words = "WORD",
                                       .doc = "A test.",
                                       .options = options,
                                       .option_count = RF_COUNT(options)};

/* What cli_next gives for the words, as text: "0=json 1 w=x !" ('!' wrong, '?' help). */
static const char *read_line(const char *const *words, char out[200])
{
    char *argv[16] = {NULL}, *at = out;
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++) argv[argc] = (char *)(uintptr_t)words[argc - 1];
    struct cli_line line = cli_line_of(&usage, argc, argv);
    out[0] = '\0';
    for (int next; (next = cli_next(&line)) != CLI_END;) {
        if (next == CLI_WORD)
            at += sprintf(at, "w=%s ", line.value);
        else if (next >= 0)
            at += sprintf(at, "%d%s%s ", next, line.value == NULL ? "" : "=",
                          line.value == NULL ? "" : line.value);
        else
            at += sprintf(at, next == CLI_HELP ? "?" : "!");
        if (next == CLI_HELP || next == CLI_WRONG) break;
    }
    return out;
}

Test(cli_options, lines)
{
    static const struct {
        const char *words[8];
        const char *expected;
    } cases[] = {{{"--format", "json", "x"}, "0=json w=x "},
                 {{"--format=json", "--stats", "-"}, "0=json 1 w=- "},
                 {{"--file", "-", "--", "--stats", "-x"}, "2=- w=--stats w=-x "},
                 {{"--file="}, "2= "},
                 {{"--format"}, "!"},
                 {{"--stats=1"}, "!"},
                 {{"--form", "x"}, "!"},
                 {{"-f"}, "!"},
                 {{"x", "--help", "y"}, "w=x ?"}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        char out[200];
        cr_expect_str_eq(read_line(cases[i].words, out), cases[i].expected);
    }
}

Test(cli_options, bytes)
{
    static const struct {
        const char *text;
        size_t bytes; /* 0: refused */
    } cases[] = {{"1", 1},
                 {"512M", 512u << 20},
                 {"1.5K", 1536},
                 {"2GB", (size_t)2 << 30},
                 {"1GiB", 1u << 30},
                 {"3b", 3},
                 {"", 0},
                 {"x", 0},
                 {"1X", 0},
                 {"-1", 0},
                 {"0", 0},
                 {"1e3", 0},
                 {"99999999T", 0},
                 {"1MM", 0}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        size_t bytes = 0;
        bool fine = cli_parse_bytes(cases[i].text, &bytes);
        cr_expect(fine == (cases[i].bytes != 0) && (!fine || bytes == cases[i].bytes),
                  "%s gives %zu", cases[i].text, bytes);
    }
}

Test(cli_options, durations_and_timespans)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } durations[] = {{"P1D", 86400},      {"PT2H", 7200}, {"P1DT1M", 86460}, {"P2W", 1209600},
                     {"PT1.5S", 1},       {"P0D", 0},     {"P", -1},         {"PT", -1},
                     {"1D", -1},          {"P1M", -1},    {"P1H", -1},       {"PT1D", -1},
                     {"P1Y", -1},         {"P1", -1},     {"PTT1H", -1},     {"P-1D", -1},
                     {"P9999999999W", -1}};
    for (size_t i = 0; i < RF_COUNT(durations); i++) {
        int64_t ticks = 0;
        bool fine = cli_parse_duration(rf_str_of(durations[i].text), &ticks);
        cr_expect(fine == (durations[i].seconds >= 0), "%s", durations[i].text);
        if (fine)
            cr_expect_eq(ticks / TICKS_PER_SECOND, durations[i].seconds, "%s", durations[i].text);
    }
    int64_t from, to, day = DATETIME_UNIX_EPOCH + 18262 * TICKS_PER_DAY; /* 2020-01-01 */
    cr_assert(cli_parse_timespan(RF_S("P1D"), day, &from, &to));
    cr_expect(from == day - TICKS_PER_DAY && to == day);
    cr_assert(cli_parse_timespan(RF_S("2020-01-01/2020-01-02T00:00:00Z"), 0, &from, &to));
    cr_expect(from == day && to == day + TICKS_PER_DAY);
    cr_assert(cli_parse_timespan(RF_S("PT1H/2020-01-01"), 0, &from, &to));
    cr_expect(from == day - TICKS_PER_HOUR && to == day);
    cr_assert(cli_parse_timespan(RF_S("2020-01-01/PT1H"), 0, &from, &to));
    cr_expect(from == day && to == day + TICKS_PER_HOUR);
    cr_expect(!cli_parse_timespan(RF_S("2020-01-02/2020-01-01"), 0, &from, &to));
    cr_expect(!cli_parse_timespan(RF_S("yesterday"), 0, &from, &to));
    cr_expect(!cli_parse_timespan(RF_S("/"), 0, &from, &to));
}
