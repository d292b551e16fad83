#include "cli/cli.h"
#include "cli/cli_options.h"
#include "daemon/app.h"
#include "daemon/backup.h"
#include "daemon/doctor.h"
#include "daemon/roles.h"
#include "daemon/serve.h"
#include "daemon/server_command.h"
#include "daemon/vault_command.h"

#ifndef RF_VERSION /* given by the build */
#define RF_VERSION "unknown"
#endif
const char app_version[] = RF_VERSION;

static const struct cli_command commands[] = {
    {"serve", "run the server", cli_serve},
    {"doctor", "say which layers of the hardening hold on this machine", cli_doctor},
    {"backup", "copy an installation while it serves", cli_backup},
    {"restore", "put a copy into a new folder", cli_restore},
    {"vault", "what seals the root key: unseal, re-seal, rotate", cli_vault},
    {"server", "ask a running server to renew its certificate", cli_server_command},
    {"query", "run KQL over files, stores and servers", cli_query},
    {"lint", "check queries and rules without running them", cli_lint},
    {"detect", "run detection rules over recorded data", cli_detect},
    {"test", "test detection rules: recorded data, a virtual clock, expected incidents", cli_test},
    {"backtest", "show what rules would have raised, day by day", cli_backtest},
    {"sigma", "run Sigma rules over recorded data, or compile them to KQL", cli_sigma},
    {"ingest", "load files into a table of a store", cli_ingest},
    {"tables", "list the tables of a store", cli_tables},
    {"schema", "list the columns of tables", cli_schema_of},
    {"stats", "say what tables hold", cli_stats},
    {"fsck", "check every byte of a store", cli_fsck},
    {"merge", "join small extents, drop old rows", cli_merge},
    {"retention", "set how long a table keeps its rows", cli_retention},
    {"login", "say which server the commands ask, and as whom", cli_login},
    {"incidents", "what the rules of a server found, and what becomes of it", cli_incidents},
    {"rules", "the analytics rules of a server: list, show, switch, run", cli_rule_list},
    {"watchlist", "the watchlists of a server: list, show, put, delete", cli_watchlist},
    {"events", "the event hubs of a server: send, tail, peek, stats", cli_events},
    {"device", "the devices of a server's event hubs: enrol, renew, revoke, list, show",
     cli_device},
    {"secret", "the secrets of a vault: set, get, list, versions, diff, wrap, ...", cli_secret},
    {"key", "the keys of a vault: create, sign, encrypt, rotate, ...", cli_key},
    {"cert", "the certificates of a vault: create, renew, deploy to this machine, ...", cli_cert},
    {"run", "run a command with secrets of a vault", cli_run},
    {"credentials", "give systemd's units secrets of a vault as credentials", cli_credentials},
    {"resource", "read, write and remove the resources of a server", cli_resource},
    {"apply", "put the resources that files describe onto a server", cli_apply},
    {"deploy", "deploy a template to a server", cli_deploy},
    {"app", "make, list and remove the applications that sign in to a server", cli_app},
    {"bootstrap", "give the administrator of a server a new secret", cli_bootstrap},
    {"admin", "make a link for an administrator, or the account for emergencies", cli_admin},
    {"functions", "list the functions, aggregations and operators of the language", cli_functions},
};

static void print_usage(void)
{
    size_t width = 0;
    for (size_t i = 0; i < RF_COUNT(commands); i++) width = RF_MAX(width, strlen(commands[i].name));
    printf("usage: ringfort COMMAND [option...] [word...]\n\n"
           "Ringfort answers questions about security telemetry in KQL.\n\ncommands:\n");
    for (size_t i = 0; i < RF_COUNT(commands); i++)
        printf("  %-*s  %s\n", (int)width, commands[i].name, commands[i].doc);
    printf("\noptions:\n  --help     this text; after a command, that command's options\n  "
           "--version  the version\n\n"
           "Exit status: 0 fine, 1 the query failed or a problem was found, 2 wrong use.\n");
}

static int unknown_command(const char *name)
{
    const char *names[RF_COUNT(commands)];
    for (size_t i = 0; i < RF_COUNT(commands); i++) names[i] = commands[i].name;
    const char *near = cli_nearest(name, names, RF_COUNT(names));
    if (near != NULL)
        cli_say("unknown command '%s'; did you mean '%s'?", name, near);
    else
        cli_say("unknown command '%s'; 'ringfort --help' lists them", name);
    return CLI_WRONG_USE;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        cli_say("a command is needed; 'ringfort --help' lists them");
        return CLI_WRONG_USE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        if (argc < 3) {
            print_usage();
            return CLI_OK;
        }
        static char help[] = "--help";
        char *line[] = {argv[2], help, NULL};
        for (size_t i = 0; i < RF_COUNT(commands); i++)
            if (strcmp(argv[2], commands[i].name) == 0) return commands[i].run(2, line);
        return unknown_command(argv[2]);
    }
    if (strcmp(name, "--version") == 0) {
        printf("ringfort %s\n", RF_VERSION);
        return CLI_OK;
    }
    for (size_t i = 0; i < RF_COUNT(commands); i++)
        if (strcmp(name, commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    return unknown_command(name);
}

int main(int argc, char **argv)
{
    int status;
    if (role_run(argc, argv, &status)) return status;
    status = run(argc, argv);
    struct rf_err err;
    bool written = fflush(stdout) == 0 && ferror(stdout) == 0;
    if (written || status != CLI_OK) return status;
    (void)rf_fail_errno(&err, "OutputFailed", "the output cannot be written");
    return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
}
