/* cli_options.h - the one parser of command lines, and the help that is made from the same table.
 *
 *   static const struct cli_option options[] = {[OPT_FORMAT] = {"format", "FORMAT", "how rows are printed"}, ...};
 *   for (int at; (at = cli_next(&line)) != CLI_END;)
 *       switch (at) { case OPT_FORMAT: format = line.value; break; case CLI_WORD: word = line.value; break;
 *                     case CLI_HELP: return CLI_OK; case CLI_WRONG: return CLI_WRONG_USE; }
 *
 * Options are long; a value follows after '=' or as the next word. "--" ends the options; "-" is a word. */
#ifndef RF_CLI_OPTIONS_H
#define RF_CLI_OPTIONS_H

#include "base/rf.h"

struct cli_option {
    const char *name;
    const char *value; /* what the value is called in the help; NULL: a switch */
    const char *doc;
};
struct cli_usage {
    const char *command; /* "query" */
    const char *words;   /* "KQL|-": after the options; NULL: none */
    const char *doc;     /* what the command does */
    const struct cli_option *options;
    size_t option_count;
    const char *notes; /* printed after the options; may be NULL */
};

enum { CLI_WORD = -1, CLI_END = -2, CLI_HELP = -3, CLI_WRONG = -4 };

struct cli_line {
    const struct cli_usage *usage;
    int argc, at;
    char **argv;
    const char *value; /* of the option, or the word */
    bool only_words;
};
struct cli_line cli_line_of(const struct cli_usage *usage, int argc, char **argv);
/* Index of the next option, or one of the above. The help and complaints about the line are printed here. */
int cli_next(struct cli_line *line);
void cli_print_help(const struct cli_usage *usage);
/* Says what is wrong and where help is; gives CLI_WRONG_USE. */
int cli_wrong(const struct cli_usage *usage, const char *fmt, ...) RF_PRINTF(2, 3);

/* "512", "64K", "2G", "1.5GB": bytes. */
bool cli_parse_bytes(const char *text, size_t *out);
/* ISO 8601 duration: P1D, PT90M, P2DT3H, P1W. Ticks. Years and months have no fixed length and are refused. */
bool cli_parse_duration(rf_str text, int64_t *ticks);
/* A duration (ending at `now`), duration/end, start/duration or start/end, in ticks: [from, to). */
bool cli_parse_timespan(rf_str text, int64_t now, int64_t *from, int64_t *to);
/* Nearest of `count` names, for "did you mean"; NULL when none is near. */
const char *cli_nearest(const char *word, const char *const *names, size_t count);

#endif
