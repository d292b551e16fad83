/* cli.h - the commands of `ringfort`, and what they share: exit codes and how errors look. */
#ifndef RF_CLI_H
#define RF_CLI_H

#include <stdio.h>

#include "base/rf.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,   /* the query or rule failed, or a problem was found */
    CLI_WRONG_USE = 2 /* the command line cannot be understood */
};

/* One command; a new one is a file with its `run` and a line in the table of main.c. */
struct cli_command {
    const char *name;
    const char *doc; /* one line */
    /* argv[0] is the command's name. Gives an enum cli_exit. */
    int (*run)(int argc, char **argv);
};
int cli_query(int argc, char **argv);
int cli_lint(int argc, char **argv);
int cli_detect(int argc, char **argv);
int cli_test(int argc, char **argv);
int cli_backtest(int argc, char **argv);
int cli_functions(int argc, char **argv);
int cli_ingest(int argc, char **argv);
int cli_tables(int argc, char **argv);
int cli_schema_of(int argc, char **argv);
int cli_stats(int argc, char **argv);
int cli_fsck(int argc, char **argv);
int cli_merge(int argc, char **argv);
int cli_retention(int argc, char **argv);
int cli_app(int argc, char **argv);
int cli_admin(int argc, char **argv);
int cli_bootstrap(int argc, char **argv);
int cli_login(int argc, char **argv);
int cli_apply(int argc, char **argv);
int cli_deploy(int argc, char **argv);
int cli_resource(int argc, char **argv);
int cli_incidents(int argc, char **argv);
int cli_rule_list(int argc, char **argv);
int cli_watchlist(int argc, char **argv);
int cli_sigma(int argc, char **argv);
int cli_events(int argc, char **argv);
int cli_device(int argc, char **argv);
int cli_secret(int argc, char **argv);
int cli_key(int argc, char **argv);
int cli_cert(int argc, char **argv);
int cli_run(int argc, char **argv);
int cli_credentials(int argc, char **argv);

/* Prints "ringfort: ..." on standard error. */
void cli_say(const char *fmt, ...) RF_PRINTF(1, 2);
/* Prints the error, with its place and the line of `text` quoted when it has one. `origin` (may be NULL) names the file
 * that the text is from. Gives CLI_FAILED. */
int cli_say_error(const struct rf_err *err, rf_str text, const char *origin);

/* Workers for a query: the processors that this process may use. */
uint32_t cli_workers(void);

/* Whether a stream is a terminal that shows colours (NO_COLOR and TERM=dumb are heeded), and its width in columns. */
bool cli_is_terminal(FILE *stream);
bool cli_has_colour(FILE *stream);
uint32_t cli_width(FILE *stream);

#endif
