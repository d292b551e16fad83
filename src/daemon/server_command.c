#include "daemon/server_command.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/cli_options.h"
#include "daemon/root_door.h"

enum { OPT_DATA };
static const struct cli_option options[] = {
    [OPT_DATA] = {"data", "DIR", "the folder of the server"},
};
static const struct cli_usage usage = {
    .command = "server",
    .words = "renew-certificate",
    .doc =
        "Asks something of a server that runs on this machine. For root and the keeper's user.\n\n"
        "  renew-certificate  makes a new key and certificate for the server's listeners now, "
        "which\n"
        "                     happens by itself 30 days before the old one ends; no connection "
        "is\n                     dropped, and those that come show it within ten seconds",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes = "Exit status: 0 done, 1 not, 2 wrong use.\n",
};

static int show(const char *reply)
{
    char serial[80], until[40] = "";
    long long seconds;
    struct tm at;
    if (sscanf(reply, "ok %79s %lld", serial, &seconds) != 2) {
        cli_say("%s", strncmp(reply, "error ", 6) == 0 ? reply + 6 : reply);
        return CLI_FAILED;
    }
    time_t time = (time_t)seconds;
    if (gmtime_r(&time, &at) != NULL)
        (void)strftime(until, sizeof until, "%Y-%m-%dT%H:%M:%SZ", &at);
    printf("certificate %s, valid until %s\n", serial, until);
    return CLI_OK;
}

static int renew(const char *data)
{
    char folder[4096], reply[ROOT_REPLY_BYTES];
    struct rf_err err = {0};
    int fd;
    (void)snprintf(folder, sizeof folder, "%s/keeper", data);
    if (root_door_connect(folder, &fd, &err) != RF_OK)
        return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    enum rf_kind kind = root_door_ask(fd, RF_S("renew-certificate"), reply, &err);
    close(fd);
    return kind == RF_OK ? show(reply) : cli_say_error(&err, (rf_str){NULL, 0}, NULL);
}

int cli_server_command(int argc, char **argv)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    const char *verb = NULL, *data = NULL;
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        if (at == CLI_HELP) return CLI_OK;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        if (at == CLI_WORD && verb != NULL)
            return cli_wrong(&usage, "'%s' is one word too many", line.value);
        if (at == CLI_WORD) verb = line.value;
        if (at == OPT_DATA) data = line.value;
    }
    if (verb == NULL) return cli_wrong(&usage, "say what: renew-certificate");
    if (strcmp(verb, "renew-certificate") != 0)
        return cli_wrong(&usage, "'%s' is not understood", verb);
    if (data == NULL) return cli_wrong(&usage, "--data DIR is needed");
    return renew(data);
}
