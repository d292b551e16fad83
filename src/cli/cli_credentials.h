/* cli_credentials.h - which credential of which unit is which secret. */
#ifndef RF_CLI_CREDENTIALS_H
#define RF_CLI_CREDENTIALS_H

#include "cli/cli_vault.h"

struct credential_map {
    rf_str unit; /* empty: of all units */
    rf_str credential;
    struct cli_secret_ref ref;
};
/* "UNIT/CREDENTIAL=secret://..", "CREDENTIAL=secret://..". Views of the line. RF_INVALID BadMap, BadReference. */
RF_MUST_USE enum rf_kind credential_map_read(rf_str line, struct credential_map *out,
                                             struct rf_err *err);
/* NULL: none. */
const struct credential_map *credential_map_find(const struct credential_map *all, uint32_t count,
                                                 rf_str unit, rf_str credential);
/* What the abstract name that systemd connects from says: "\0RANDOM/unit/UNIT/CREDENTIAL". Views. */
bool credential_peer(rf_str address, rf_str *unit, rf_str *credential);

#endif
