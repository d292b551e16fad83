/* cli_vault_unit.h - units of systemd that a command prints for itself. */
#ifndef RF_CLI_VAULT_UNIT_H
#define RF_CLI_VAULT_UNIT_H

#include "base/rf.h"

/* The path of this program; "/usr/bin/ringfort" when it cannot be known. In `arena`. */
rf_str cli_unit_program(struct rf_arena *arena);
/* Appends " WORD" as ExecStart= reads it: quoted where it must be, % and $ doubled. */
void cli_unit_word(struct rf_buf *buf, const char *word);

#endif
