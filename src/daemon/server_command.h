/* server_command.h - the command `ringfort server`. */
#ifndef RF_SERVER_COMMAND_H
#define RF_SERVER_COMMAND_H

/* CLI_OK, CLI_FAILED, CLI_WRONG_USE. */
int cli_server_command(int argc, char **argv);

#endif
