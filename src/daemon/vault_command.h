/* vault_command.h - `ringfort vault`: what seals the root key of an installation on this machine (docs/sealing.md). */
#ifndef RF_VAULT_COMMAND_H
#define RF_VAULT_COMMAND_H

/* A cli_command. Talks with the keeper at DIR/keeper/seal.sock; secrets come from a prompt or standard input, never from the command line. */
int cli_vault(int argc, char **argv);

#endif
